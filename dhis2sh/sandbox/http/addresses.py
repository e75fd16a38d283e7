"""Addresses that a server has: where the sandbox has nobody for one, it says so in place of "no such address"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, cast

from starlette.datastructures import QueryParams

from dhis2sh.sandbox.facts import fact
from dhis2sh.sandbox.http.answers import UID, refusal
from dhis2sh.sandbox.refused import Refused, no_such_address, not_imitated

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


@cache
def _patterns(minor: int) -> Mapping[str, re.Pattern[str]]:
    """By method the addresses that a version's OpenAPI has besides those that all types of metadata share."""
    parts = {"{uid}": UID, "{}": "[^/]+"}
    texts: dict[str, list[str]] = {}
    for versions, methods in cast("dict[str, dict[str, list[str]]]", fact("addresses")).items():
        for method, addresses in methods.items() if f"2.{minor}" in versions.split() else ():
            texts.setdefault(method, []).extend(
                "".join(parts.get(piece) or re.escape(piece) for piece in re.split(r"(\{(?:uid)?\})", address))
                for address in addresses
            )
    return {method: re.compile("|".join(found)) for method, found in texts.items()}


def of_a_server(minor: int, method: str, path: str) -> bool:
    """Does a server of this version (42 of 2.42) answer here (`/api/metrics`)?"""
    address = path.removeprefix("/api").rstrip("/")
    pattern = _patterns(minor).get(method)
    return address.endswith("/gist.csv") or (pattern is not None and pattern.fullmatch(address) is not None)


_UNITS = frozenset(
    ["levelSorted", "maxLevel", "memberCollection", "memberObject", "userDataViewFallback", "userDataViewOnly", "userOnly",
     "withinDataViewUserHierarchy", "withinUserHierarchy", "withinUserSearchHierarchy"]
)  # fmt: skip
_UNHEEDED: Sequence[tuple[re.Pattern[str], frozenset[str]]] = tuple(
    (re.compile(pattern), names)
    for pattern, names in (
        (r"/api/organisationUnits(\.geojson|/.*)?", _UNITS),
        (r"/api/analytics.*", frozenset(["hideEmptyColumns", "userOrgUnitType"])),
        (
            r"/api/analytics/(events|enrollments|trackedEntities)/.*",
            frozenset(
                ["orgUnitField", "rowContext", "enhancedConditions", "fallbackCoordinateField", "coordinateOuFallback"]
            ),
        ),
        (r"/api/.*/gist", frozenset(["describe", "orgUnitsOffline", "orgUnitsTree"])),
        (r"/api/organisationUnits/[^/]+/geometry", frozenset(["attributeId"])),
        (r"/api/system/tasks.*", frozenset(["maxAge", "maxCount"])),
        (r"/api/dataApprovals/categoryOptionCombos", frozenset(["ouFilter"])),
        (r"/api/jobConfigurations/(due|errors)", frozenset(["includeInput", "includeWaiting"])),
        (r"/api/messageConversations/[^/]+", frozenset(["markRead"])),
    )
)
"""Parameters that a server heeds with another answer and the sandbox does not know, by the paths that have them."""


def demand_heeded(path: str, query: Iterable[tuple[str, str]]) -> None:
    """Raise `Refused` with 501 for a parameter that would have changed a server's answer and does not change ours.

    Parameters:
        path: of the request, without a version.
        query: its parameters; one that is empty or `false` asks for nothing.
    """
    asked = {name for name, value in query if value.lower() not in {"", "false"}}
    for pattern, names in _UNHEEDED if asked else ():
        unknown = sorted(asked & names)
        if unknown and pattern.fullmatch(path):
            raise not_imitated(f"the parameter {unknown[0]} of {path}")


_SINCE_41 = re.compile(
    r"/api/(analytics/outlierDetection(\..+)?|analytics/trackedEntities/.+|tracker/\w+/\w+/changeLogs"
    r"|maintenance/softDeletedTrackedEntityRemoval)"
)
"""What a 2.40 has no address for (recorded; its OpenAPI leaves out too much to go by)."""


class Heeded:
    """The application behind a look at addresses that its version has not, and at the parameters that it would not heed.

    Parameters:
        app: the application.
        minor: 42 of 2.42.
    """

    def __init__(self, app: ASGIApp, minor: int) -> None:
        self._app = app
        self._minor = minor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say which of its parameters the sandbox does not imitate."""
        if scope["type"] == "http":
            try:
                if self._minor < 41 and _SINCE_41.fullmatch(scope["path"]):
                    raise no_such_address(scope["path"])
                if scope["query_string"]:
                    demand_heeded(scope["path"], QueryParams(scope["query_string"]).multi_items())
            except Refused as no:
                await refusal(no, self._minor)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def unanswered(no: Refused, minor: int, method: str, path: str) -> Refused:
    """What to say where nobody answered: 501 for an address that a server of this version has, 405 for one that it has only
    for other methods, else the refusal itself.

    Parameters:
        no: what would be said of an address that there is not.
    """
    nobody = no.status == 405 or (no.status == 404 and no.page)
    if not nobody:
        return no
    if of_a_server(minor, method, path):
        return not_imitated(f"{method} {path}")
    others = any(of_a_server(minor, other, path) for other in _patterns(minor))
    is_ = "is " if minor >= 42 else ""
    return Refused(405, f"Request method '{method}' {is_}not supported") if others else no
