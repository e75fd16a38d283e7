"""Server versions: what a version text means, which facts and models serve it, and how its behaviour differs.

Every difference between versions is data in this file, never a copied module. What differs in types and properties is
in the generated facts (`dhis2sh.models.facts`) of each version.

References in the table are to the API facts the product was built from: letters and digits name their sections,
`recorded` and `versions-seen` what running servers of 2.40 to 2.44 answered.
"""

from __future__ import annotations

import re
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
        login_api: `POST /api/auth/login` and `GET /api/loginConfig` (i; 2.40 redirects to a login page).
        spring_oauth2: OAuth2 at `/oauth2/...` with discovery; before, the older server at `/uaa/oauth/...` (i,
            h.10).
        jwt_needs_open_id: Tokens of its own are refused while the user's `openId` is empty (quirk 4h).
        old_tracker: `/api/trackedEntityInstances`, `/enrollments`, `/events`, `/relationships` beside
            `/api/tracker` (i).
        tracker_counts_at_root: Tracker lists have `page`, `pageSize`, `total` at the root (i, recorded).
        tracker_pager: Tracker lists have a `pager` (i, recorded).
        tracker_next_page: The tracker pager links to a next page; before, only a page that is not full ends a
            list (recorded).
        tracker_change_logs: `/api/tracker/events/{uid}/changeLogs` and of tracked entities (i, recorded).
        tracker_value_audits: `/api/audits/trackedEntityDataValue` and `trackedEntityAttributeValue` (i).
        split_events: `/api/tracker/singleEvents` and `trackerEvents`; `/events` wants a program (i).
        analytics_outliers: `/api/analytics/outlierDetection` (i).
        analytics_tracked_entities: `/api/analytics/trackedEntities/query` (i).
        relative_periods_route: `/api/relativePeriods` (i).
        two_factor_route: `/api/users/twoFactor` (i).
        metadata_dependencies: `GET /api/metadata/dependencies` (b.4).
        push_analysis: `/api/pushAnalysis`, `/api/externalFileResources`, `/api/trigramSummary` (i).
        caches_route: `/api/caches` and `/api/request` (i).
        merge_mode: `mergeMode` is read on metadata writes; later there is only REPLACE and nobody reads it (i).
        identifier_code: `identifier=CODE` works on `/api/metadata`; later it gives 500 (versions-seen).
        plain_patch: A PATCH with plain JSON is taken; later only `application/json-patch+json` (versions-seen).
        option_delete: `DELETE /api/options/{uid}` takes an option away that is in a set (quirk 20; 409 in
            2.40).
        ieq_filter: The filter operator `ieq` (versions-seen).
        not_empty_filter: The filter operator `!empty`; E1003 before (quirk D2).
        refuses_unknown_order: An unknown property in `order` is refused, not ignored (versions-seen).
        refuses_bad_paging: `paging=maybe` and `pageSize=abc` are refused, not ignored (versions-seen,
            recorded).
        refuses_bad_enum: A wrong enum value or a bad JSON patch is a 400 or 409, not a 500 (versions-seen).
        refuses_unknown_setting: An unknown system setting is refused (versions-seen).
        zero_page_size: `pageSize=0` gives an empty page; later 500 (versions-seen).
        nested_rename: `fields=x[id]~rename(y)` is understood; later 400 (versions-seen).
        gist_lists: Plain lists are answered by the gist engine and say `gist: true` (j).
        endless_gist: A gist pager links to a next page even when that is empty (recorded).
        sharing_external: `sharing.external` (versions-seen).
        nested_user_credentials: Users carry `userCredentials` (i, versions-seen).
        favorites: `favorite` and `favorites` on objects (versions-seen).
        kotlin_rules: Program rules run on the Kotlin engine everywhere: no `+` between texts, no `!text` (i).
        values_by_data_set: An import aborts when an element is in several data sets and `dataSet` is not given
            (i, quirk 35).
        erases_by_blank: A blank aggregate value is let through; later E8120 (e.1).
        output_period_types: `configuration/dataOutputPeriodTypes` must be set before analytics run on an empty
            database (versions-seen).
        csv_accept: `sqlViews/{id}/data.csv` takes `Accept: application/csv`; later 406 (versions-seen).
        acceptance_path: Where data approvals are accepted, below `/api` (i, h.4).
        uid_separator: Between UIDs in one tracker parameter (i).
        tracker_rows: The key of tracker rows where it is not the list's name (recorded).
        tracker_whole_list: The parameter that asks tracker for a list without pages (i).
        tracker_org_units: The parameter of tracked entities and enrollments for organisation units
            (versions-seen).
        tracker_org_unit_mode: The parameter for how far below them to look (versions-seen).
        ownership_params: The parameters of a transfer of ownership: the entity and the unit (e.1).
        tracked_entity_audits: Where reads of tracked entities are audited, below `/api/audits/` (i).
        oauth2_client_key: What an OAuth2 client's identifier is called (quirk 39).
        authorize_path: Where a user consents.
        grant_path: Where tokens are given.
        pat_prefix: How a new personal access token begins (h.10, recorded).
        visualization_periods: The property of a visualization that holds its fixed periods (versions-seen).
        import_codes: How error codes of the aggregate import begin (i).
        merge_types: Types that have `POST /api/{type}/merge`, organisation units apart (i, h.9).
        new_period_types: Period types beyond the twenty of 2.40 (i, d.1).
        financial_year_starts: Months that `analyticsFinancialYearStart` knows (d.2).
        maintenance_status: The status of a maintenance task that was done (versions-seen).
        missing_value_status: The status of `GET /api/dataValues` where there is none (versions-seen).
        bad_filter_status: The status of a filter without its value (versions-seen).
        bad_uid_status: The status of a read by a UID that is malformed (j).
        broken_tracker_status: The status of tracker JSON that is broken (versions-seen, j).
    """

    query_alias: bool
    login_api: bool
    spring_oauth2: bool
    jwt_needs_open_id: bool
    old_tracker: bool
    tracker_counts_at_root: bool
    tracker_pager: bool
    tracker_next_page: bool
    tracker_change_logs: bool
    tracker_value_audits: bool
    split_events: bool
    analytics_outliers: bool
    analytics_tracked_entities: bool
    relative_periods_route: bool
    two_factor_route: bool
    metadata_dependencies: bool
    push_analysis: bool
    caches_route: bool
    merge_mode: bool
    identifier_code: bool
    plain_patch: bool
    option_delete: bool
    ieq_filter: bool
    not_empty_filter: bool
    refuses_unknown_order: bool
    refuses_bad_paging: bool
    refuses_bad_enum: bool
    refuses_unknown_setting: bool
    zero_page_size: bool
    nested_rename: bool
    gist_lists: bool
    endless_gist: bool
    sharing_external: bool
    nested_user_credentials: bool
    favorites: bool
    kotlin_rules: bool
    values_by_data_set: bool
    erases_by_blank: bool
    output_period_types: bool
    csv_accept: bool
    acceptance_path: str
    uid_separator: str
    tracker_rows: str | None
    tracker_whole_list: tuple[str, str]
    tracker_org_units: str
    tracker_org_unit_mode: str
    ownership_params: tuple[str, str]
    tracked_entity_audits: str
    oauth2_client_key: str
    authorize_path: str
    grant_path: str
    pat_prefix: str
    visualization_periods: str
    import_codes: str
    merge_types: tuple[str, ...]
    new_period_types: tuple[str, ...]
    financial_year_starts: tuple[str, ...]
    maintenance_status: int
    missing_value_status: int
    bad_filter_status: int
    bad_uid_status: int
    broken_tracker_status: int


_V40 = Behaviour(
    query_alias=False,
    login_api=False,
    spring_oauth2=False,
    jwt_needs_open_id=False,
    old_tracker=True,
    tracker_counts_at_root=True,
    tracker_pager=False,
    tracker_next_page=False,
    tracker_change_logs=False,
    tracker_value_audits=True,
    split_events=False,
    analytics_outliers=False,
    analytics_tracked_entities=False,
    relative_periods_route=False,
    two_factor_route=False,
    metadata_dependencies=False,
    push_analysis=True,
    caches_route=True,
    merge_mode=True,
    identifier_code=True,
    plain_patch=True,
    option_delete=False,
    ieq_filter=False,
    not_empty_filter=False,
    refuses_unknown_order=False,
    refuses_bad_paging=False,
    refuses_bad_enum=False,
    refuses_unknown_setting=False,
    zero_page_size=True,
    nested_rename=True,
    gist_lists=False,
    endless_gist=False,
    sharing_external=True,
    nested_user_credentials=True,
    favorites=True,
    kotlin_rules=False,
    values_by_data_set=False,
    erases_by_blank=True,
    output_period_types=False,
    csv_accept=True,
    acceptance_path="/dataAcceptances",
    uid_separator=";",
    tracker_rows="instances",
    tracker_whole_list=("skipPaging", "true"),
    tracker_org_units="orgUnit",
    tracker_org_unit_mode="ouMode",
    ownership_params=("trackedEntityInstance", "ou"),
    tracked_entity_audits="trackedEntityInstance",
    oauth2_client_key="cid",
    authorize_path="/uaa/oauth/authorize",
    grant_path="/uaa/oauth/token",
    pat_prefix="d2pat_",
    visualization_periods="periods",
    import_codes="E76",
    merge_types=(),
    new_period_types=(),
    financial_year_starts=("APRIL", "JULY", "OCTOBER"),
    maintenance_status=204,
    missing_value_status=409,
    bad_filter_status=500,
    bad_uid_status=404,
    broken_tracker_status=500,
)
_V41 = replace(
    _V40,
    query_alias=True,
    login_api=True,
    tracker_pager=True,
    tracker_change_logs=True,
    analytics_outliers=True,
    analytics_tracked_entities=True,
    caches_route=False,
    plain_patch=False,
    ieq_filter=True,
    refuses_unknown_setting=True,
    sharing_external=False,
    uid_separator=",",
    tracker_rows=None,
    tracker_whole_list=("paging", "false"),
    tracker_org_units="orgUnits",
    tracker_org_unit_mode="orgUnitMode",
    tracked_entity_audits="trackedEntity",
    pat_prefix="d2p_",
    merge_types=("indicatorTypes", "indicators"),
    broken_tracker_status=400,
)
_V42 = replace(
    _V41,
    spring_oauth2=True,
    jwt_needs_open_id=True,
    old_tracker=False,
    tracker_counts_at_root=False,
    tracker_next_page=True,
    tracker_value_audits=False,
    merge_mode=False,
    identifier_code=False,
    not_empty_filter=True,
    refuses_bad_paging=True,
    sharing_external=True,
    nested_user_credentials=False,
    kotlin_rules=True,
    acceptance_path="/dataApprovals/dataAcceptances",
    ownership_params=("trackedEntity", "orgUnit"),
    oauth2_client_key="clientId",
    authorize_path="/oauth2/authorize",
    grant_path="/oauth2/token",
    merge_types=("categoryOptionCombos", "categoryOptions", "dataElements", "indicatorTypes", "indicators"),
    new_period_types=("FinancialSep",),
    bad_uid_status=405,
)
_V43 = replace(
    _V42,
    jwt_needs_open_id=False,
    split_events=True,
    relative_periods_route=True,
    two_factor_route=True,
    push_analysis=False,
    option_delete=True,
    refuses_unknown_order=True,
    refuses_bad_enum=True,
    endless_gist=True,
    sharing_external=False,
    values_by_data_set=True,
    erases_by_blank=False,
    output_period_types=True,
    visualization_periods="persistedPeriods",
    import_codes="E8",
    new_period_types=("FinancialSep", "FinancialFeb", "FinancialAug", "WeeklyFriday"),
    financial_year_starts=("FEBRUARY", "APRIL", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER"),
    maintenance_status=200,
    missing_value_status=404,
)
_V44 = replace(
    _V43,
    metadata_dependencies=True,
    zero_page_size=False,
    nested_rename=False,
    gist_lists=True,
    favorites=False,
    csv_accept=False,
    bad_filter_status=400,
)

BEHAVIOUR: dict[int, Behaviour] = {40: _V40, 41: _V41, 42: _V42, 43: _V43, 44: _V44}
"""By minor version; a newer server is taken to behave as the newest."""

type Capability = Literal[
    "query_alias",
    "login_api",
    "spring_oauth2",
    "jwt_needs_open_id",
    "old_tracker",
    "tracker_counts_at_root",
    "tracker_pager",
    "tracker_next_page",
    "tracker_change_logs",
    "tracker_value_audits",
    "split_events",
    "analytics_outliers",
    "analytics_tracked_entities",
    "relative_periods_route",
    "two_factor_route",
    "metadata_dependencies",
    "push_analysis",
    "caches_route",
    "merge_mode",
    "identifier_code",
    "plain_patch",
    "option_delete",
    "ieq_filter",
    "not_empty_filter",
    "refuses_unknown_order",
    "refuses_bad_paging",
    "refuses_bad_enum",
    "refuses_unknown_setting",
    "zero_page_size",
    "nested_rename",
    "gist_lists",
    "endless_gist",
    "sharing_external",
    "nested_user_credentials",
    "favorites",
    "kotlin_rules",
    "values_by_data_set",
    "erases_by_blank",
    "output_period_types",
    "csv_accept",
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
