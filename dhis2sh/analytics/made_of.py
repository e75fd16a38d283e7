"""What numbers are made of besides data: formulas, and what formulas speak of, each with when it was changed.

Analytics work formulas out when they are asked, so that a constant, a factor, a nested indicator or the members of a group
change a number though no table was built anew. What the tables themselves hold (group sets, the counts of `OUG{}`, targets
of reporting rates) is as old as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.dhis2.uids import found_in

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

TYPES = (
    "dataElements", "indicators", "indicatorTypes", "programIndicators", "constants", "dataElementGroups", "indicatorGroups",
    "categoryOptionGroups", "organisationUnitGroups", "programs", "programStages", "trackedEntityAttributes", "dataSets",
)  # fmt: skip
"""What an item of data, a group of them or a formula may name."""
_FORMULAS = ("numerator", "denominator", "expression", "filter")
_ONE = ("indicatorType", "program")
_SOME = ("dataElements", "indicators", "categoryOptions")
"""The members of groups: what a formula that names a group is about."""
FIELDS = ",".join(["id", "lastUpdated", *_FORMULAS, *(f"{name}[id]" for name in (*_ONE, *_SOME))])


class MadeOf:
    """What some items of data are made of.

    Parameters:
        s: whose server.
    """

    def __init__(self, s: Session) -> None:
        self._s = s
        self._found: dict[str, Row | None] = {}

    def know(self, rows: Iterable[Row]) -> None:
        """Objects that were read with `FIELDS` already."""
        self._found |= {str(row["id"]): row for row in rows}

    async def follow(self, items: Iterable[str]) -> None:
        """Read what items are made of, and what that is made of, as far as it is not known; a request for each step.

        Parameters:
            items: as analytics take them: UIDs, operands, groups, rates.
        """
        while new := [uid for uid in self.state(items) if uid not in self._found]:
            hits = await reading.of_any_type(self._s.client, new, fields=FIELDS, types=TYPES)
            rows = {str(row["id"]): row for several in hits.values() for row in several}
            self._found |= {uid: rows.get(uid) for uid in new}

    def state(self, items: Iterable[str]) -> JsonObject:
        """What the numbers of some items depend on: of each thing that they are made of when it was changed, and who is in it.

        What nobody has is null: a formula that speaks of it gives others when it is there again.
        """
        found: dict[str, JsonValue] = {}
        waiting = [uid for item in items for uid in found_in(item)]
        while waiting:
            uid = waiting.pop()
            if uid in found:
                continue
            row = self._found.get(uid)
            found[uid] = row and [row.get("lastUpdated"), *sorted(_uids(row, _SOME))]
            waiting += _named_in(row) if row else []
        return found


def _named_in(row: Row) -> Iterator[str]:
    for name in _FORMULAS:
        if isinstance(text := row.get(name), str):
            yield from found_in(text)
    yield from _uids(row, (*_ONE, *_SOME[:2]))


def _uids(row: Row, names: Iterable[str]) -> Iterator[str]:
    """The UIDs of what some properties of an object refer to."""
    for name in names:
        held = row.get(name)
        for one in held if isinstance(held, list) else [held]:
            if isinstance(one, dict) and "id" in one:
                yield str(cast("JsonObject", one)["id"])
