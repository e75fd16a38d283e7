"""The schemas that the sandbox works by: what the server of a version says, with the gaps of `/api/schemas` filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import replace
from functools import cache
from typing import TYPE_CHECKING

from dhis2sh.models import facts

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource

BORROWED = {"mapViews": "v43"}
"""Embedded types that older servers have but do not describe, and the version that does."""
SHARED_WITH_VISUALIZATIONS = (
    "hideEmptyRows", "showHierarchy", "completedOnly", "skipRounding", "digitGroupSeparator", "hideEmptyRowItems",
    "hideLegend", "noSpaceBetweenColumns", "cumulativeValues", "percentStackedValues", "showData", "colTotals",
    "rowTotals", "rowSubTotals", "colSubTotals", "hideTitle", "hideSubtitle", "showDimensionLabels", "regressionType",
    "sortOrder", "topLimit",
)  # fmt: skip
"""Properties of every analytical object that 2.43 took away from map views."""
LATER = {"hidden", "labels"}
"""Properties that the borrowed description has and older servers do not."""
ADDRESSES = {"expressionDimensionItems": "/expressionDimensionItems"}
"""Types of which the server's schemas do not say that they have an address of their own."""
TARGETS = {"maps": {"mapViews": "mapViews"}}
"""Properties whose target older servers leave out."""


class Schemas(Mapping[str, "Resource"]):
    """The types of one version by plural, embedded ones too; each is built when it is first asked for.

    Parameters:
        version: one of `facts.VERSIONS`.
    """

    def __init__(self, version: str) -> None:
        self._types = facts.types(version)
        self._own: dict[str, Resource] = {}

    def __getitem__(self, plural: str) -> Resource:
        if plural in ADDRESSES and plural in self._types:
            found = self._own.get(plural)
            if found is None:
                found = self._own[plural] = replace(self._types[plural], endpoint=ADDRESSES[plural])
            return found
        if plural not in TARGETS and (plural not in BORROWED or plural in self._types):
            return self._types[plural]
        if plural not in self._own:
            self._own[plural] = self._borrowed(plural) if plural in BORROWED else self._targeted(plural)
        return self._own[plural]

    def _borrowed(self, plural: str) -> Resource:
        found = facts.types(BORROWED[plural])[plural]
        usual = self._types["visualizations"].properties
        properties = {name: prop for name, prop in found.properties.items() if name not in LATER}
        properties |= {name: usual[name] for name in SHARED_WITH_VISUALIZATIONS if name in usual}
        return replace(found, endpoint=None, embedded=True, metadata=False, properties=properties)

    def _targeted(self, plural: str) -> Resource:
        found = self._types[plural]
        targets = TARGETS[plural]
        properties = {
            name: replace(prop, target=targets[name]) if name in targets and prop.target is None else prop
            for name, prop in found.properties.items()
        }
        return replace(found, properties=properties)

    def __iter__(self) -> Iterator[str]:
        yield from self._types
        yield from (plural for plural in BORROWED if plural not in self._types)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, plural: object) -> bool:
        return plural in self._types or plural in BORROWED


@cache
def schemas(version: str) -> Schemas:
    """The types of a version, shared by everybody who asks.

    Parameters:
        version: one of `facts.VERSIONS`.
    """
    return Schemas(version)
