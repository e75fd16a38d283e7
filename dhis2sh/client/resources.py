"""One accessor per metadata type of the server: `client.resources.data_elements`; made when it is first used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from dhis2sh.client.accessor import Accessor
from dhis2sh.client.query import camel
from dhis2sh.dhis2.short_names import nearest_types
from dhis2sh.errors import NotFound
from dhis2sh.models import facts

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.resource_names import KnownResources
else:
    KnownResources = object


class Resources(KnownResources):
    """The types of the server, as attributes (`data_elements`) or by plural (`["dataElements"]`).

    Those of its version are offered as soon as that is known. An unknown name raises `AttributeError` or `NotFound`, with
    the nearest ones.
    """

    def __init__(self, client: Requests) -> None:
        self._client = client
        self._made: dict[str, Accessor] = {}

    def __getattr__(self, name: str) -> Accessor:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[camel(name)]
        except NotFound as error:
            raise AttributeError(f"{error.message}; {error.hint}") from error

    def __getitem__(self, plural: str) -> Accessor:
        if plural not in self._made:
            known = _plurals()
            if plural not in known:
                hint = nearest_types(plural, sorted(known)) or "dhis2 metadata types"
                raise NotFound(f"no version of DHIS2 has the type '{plural}'", hint=hint)
            self._made[plural] = Accessor(self._client, plural)
        return self._made[plural]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._offered()))

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(snake(plural) for plural in self._offered())]

    def _offered(self) -> Iterable[str]:
        """The types of the server's version where that is known, else of every version."""
        version = self._client.known_version
        return facts.resources(version.models) if version is not None else _plurals()


def snake(plural: str) -> str:
    """`dataElements` as `data_elements`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plural).lower()


@cache
def _plurals() -> frozenset[str]:
    """The types of every version: which of them the server has is known once its version is."""
    return frozenset(plural for version in facts.VERSIONS for plural in facts.resources(version))
