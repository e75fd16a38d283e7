"""Server versions: what a version text means, which facts and models serve it, and how its behaviour differs.

Every difference between versions is data in this file, never a copied module. What differs in types and properties is
in the generated facts (`dhis2sh.models.facts`) of each version.

References in the table are to the API facts the product was built from: letters and digits name their sections,
`recorded` and `versions-seen` what running servers of 2.40 to 2.44 answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from dhis2sh.errors import NotDhis2, Refused

OLDEST = (2, 40)
NEWEST = (2, 44)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How servers of one version behave, by the names that the product asks for.

    Parameters:
        query_alias: `POST /api/query/alias` takes a long query and gives a short address (i, g.2).
        spring_oauth2: OAuth2 at `/oauth2/...` with discovery; before, the older server at `/uaa/oauth/...` (i,
            h.10).
        merge_mode: `mergeMode` is read on metadata writes; later there is only REPLACE and nobody reads it (i).
        option_delete: `DELETE /api/options/{uid}` takes an option away that is in a set (quirk 20; 409 in
            2.40).
        values_by_data_set: An import of data values fails when an element is in several data sets and `dataSet` is
            not given, and whole when one row of it is bad (i, quirks 35, 37).
        keeps_zeros: A zero is stored as any value; before, one of a data element whose zeros are not significant is neither
            stored nor counted, and deletes a value that is there (recorded, data-types-good 2 and 3, data-single 7 and 8).
        counts_updates_alone: An import counts new data values as updated (recorded, data-types-good 2).
        unknown_is_none: Reads of data values and of their audits that name a data set, data element or unit which is not
            there give none of them, with 200; before, 409 (seen-2026-11-29, versions).
        audits_keep_new: The audit of a data value has the value that a change brought; before, the one that it replaced
            (recorded, audit-data-values).
        maps_by_import: Maps whose layers show data are taken by PATCH and in imports; before, 409 with a message of
            Hibernate, and only POST and PUT with columns, rows and filters work (recorded in 2.41 and 2.42).
        visualization_patch: A visualization can be changed by PATCH; a 2.43 fails (500 `InvocationTargetException`), and
            takes imports of it (recorded, analytics-favourites 8).
        sharing_external: `sharing.external` (versions-seen).
        uid_separator: Between UIDs in one tracker parameter (i).
        tracker_org_units: The parameter of tracked entities and enrollments for organisation units
            (versions-seen).
        tracker_org_unit_mode: The parameter for how far below them to look (versions-seen).
        tracker_order: In which order the pages of a tracker list do not move: by UID, but for tracked entities of 2.43 and
            later, where that fails (409, SqlState 42702) and the order without one is by number (seen-2026-11-29).
        enrollment_status: The parameters for the state of enrollments where they are called otherwise; what a version
            does not know it ignores without a word, and gives all (OpenAPI; 2.41 tracker-read-entities 13, 14).
        tracker_null: Filters of the tracker know the operators `null` and `!null`; before, 400 (E1003; recorded in 2.41,
            tracker-read-entities 10 and 11).
        transfer_unit: The parameter of a transfer of ownership for the new owner (i, e.1).
        oauth2_client_key: What an OAuth2 client's identifier is called (quirk 39).
        authorize_path: Where a user consents.
        grant_path: Where tokens are given.
        visualization_periods: The property of a visualization that holds its fixed periods (versions-seen).
        merge_types: Types that have `POST /api/{type}/merge`, organisation units apart (OpenAPI of each version).
    """

    query_alias: bool
    spring_oauth2: bool
    merge_mode: bool
    option_delete: bool
    values_by_data_set: bool
    keeps_zeros: bool
    counts_updates_alone: bool
    unknown_is_none: bool
    audits_keep_new: bool
    maps_by_import: bool
    visualization_patch: bool
    sharing_external: bool
    uid_separator: str
    tracker_org_units: str
    tracker_org_unit_mode: str
    tracker_order: Mapping[str, str]
    enrollment_status: Mapping[tuple[str, str], str]
    tracker_null: bool
    transfer_unit: str
    oauth2_client_key: str
    authorize_path: str
    grant_path: str
    visualization_periods: str
    merge_types: tuple[str, ...]


_V40 = Behaviour(
    query_alias=False,
    spring_oauth2=False,
    merge_mode=True,
    option_delete=False,
    values_by_data_set=False,
    keeps_zeros=False,
    counts_updates_alone=False,
    unknown_is_none=False,
    audits_keep_new=False,
    maps_by_import=False,
    visualization_patch=True,
    sharing_external=True,
    uid_separator=";",
    tracker_org_units="orgUnit",
    tracker_org_unit_mode="ouMode",
    tracker_order={},
    enrollment_status={
        ("trackedEntities", "enrollmentStatus"): "programStatus",
        ("enrollments", "status"): "programStatus",
        ("events", "enrollmentStatus"): "programStatus",
    },
    tracker_null=False,
    transfer_unit="ou",
    oauth2_client_key="cid",
    authorize_path="/uaa/oauth/authorize",
    grant_path="/uaa/oauth/token",
    visualization_periods="periods",
    merge_types=(),
)
_V41 = replace(
    _V40,
    query_alias=True,
    sharing_external=False,
    uid_separator=",",
    tracker_org_units="orgUnits",
    tracker_org_unit_mode="orgUnitMode",
    tracker_order={"trackedEntities": "trackedEntity:asc", "events": "event:asc"},
    merge_types=("indicatorTypes", "indicators"),
)
_V42 = replace(
    _V41,
    enrollment_status={},
    tracker_null=True,
    transfer_unit="orgUnit",
    spring_oauth2=True,
    merge_mode=False,
    sharing_external=True,
    oauth2_client_key="clientId",
    authorize_path="/oauth2/authorize",
    grant_path="/oauth2/token",
    merge_types=("categoryOptionCombos", "categoryOptions", "dataElements", "indicatorTypes", "indicators"),
)
_V43 = replace(
    _V42,
    tracker_order={"events": "event:asc"},
    option_delete=True,
    values_by_data_set=True,
    keeps_zeros=True,
    counts_updates_alone=True,
    unknown_is_none=True,
    audits_keep_new=True,
    maps_by_import=True,
    visualization_patch=False,
    sharing_external=False,
    visualization_periods="persistedPeriods",
    merge_types=("categories", "categoryCombos", *_V42.merge_types),
)

BEHAVIOUR: dict[int, Behaviour] = {40: _V40, 41: _V41, 42: _V42, 43: _V43, 44: _V43}
"""By minor version; a newer server is taken to behave as the newest."""

type Capability = Literal[
    "query_alias",
    "spring_oauth2",
    "merge_mode",
    "option_delete",
    "values_by_data_set",
    "keeps_zeros",
    "counts_updates_alone",
    "unknown_is_none",
    "audits_keep_new",
    "maps_by_import",
    "visualization_patch",
    "tracker_null",
    "sharing_external",
]
"""What `ServerVersion.has` can be asked: every name of the table that is true or false."""


@dataclass(frozen=True, slots=True, order=True)
class ServerVersion:
    """A version such as 2.42.5.2 or 2.44-SNAPSHOT; `text` is what the server said."""

    major: int
    minor: int
    patch: tuple[int, ...] = ()
    text: str = ""

    @property
    def models(self) -> str:
        """The facts and models that serve this version: its own, or the newest for a newer server."""
        return f"v{self._served}"

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves: its own row of the table, or the newest for a newer server."""
        return BEHAVIOUR[self._served]

    @property
    def newer_than_known(self) -> bool:
        """True for a server newer than the newest that we know."""
        return (self.major, self.minor) > NEWEST

    @property
    def _served(self) -> int:
        return NEWEST[1] if self.newer_than_known else self.minor

    def has(self, capability: Capability) -> bool:
        """Whether the server can do something, or behaves so; the names are those of `Behaviour`."""
        return bool(getattr(self.behaviour, capability))

    def __str__(self) -> str:
        return self.text


def parse_version(text: str) -> ServerVersion:
    """Read a version text.

    Raises `NotDhis2` when it is none, `Refused` for a server older than 2.40.
    """
    found = re.match(r"(\d+)\.(\d+)((?:\.\d+)*)", text or "")
    if not found:
        raise NotDhis2(f"'{text}' is not a DHIS2 version", hint="dhis2 profile verify")
    patch = tuple(int(part) for part in found[3].split(".") if part)
    version = ServerVersion(int(found[1]), int(found[2]), patch, text)
    if (version.major, version.minor) < OLDEST:
        raise Refused(
            f"this server is DHIS2 {text}; dhis2sh speaks with 2.40 and newer, and would misread an older one",
            hint="upgrade the server, or use another profile (-p NAME)",
        )
    return version
