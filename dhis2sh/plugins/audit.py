"""`audit`: who changed what, as far as a server has written it down."""

from __future__ import annotations

from typing import Annotated, Literal

from dhis2sh.client.requests import Param
from dhis2sh.data import named
from dhis2sh.data.asking import Asked, periods_of
from dhis2sh.errors import UsageError
from dhis2sh.instance import audits
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import Complete, Doc, Refers, verb

Since = Annotated[str, Doc("Not older than this: 2026-11-01, 2026-11-01T08:00, today, yesterday, 7d.")]
Types = Annotated[list[str], Doc("Only these types; may be repeated."), Complete("types")]
PERSONS = "a change log has values of persons"


@verb(
    "audit data-values",
    effect="read",
    examples=[
        "dhis2 audit data-values --data-set 'Child Health' --period 202506",
        "%audit data-values --org-unit Bo | head(20)",
    ],
)
async def data_values(
    s: Session,
    *,
    data_set: Annotated[list[str], Doc("Of these data sets."), Refers("dataSets")] = [],
    data_element: Annotated[list[str], Doc("Of these data elements."), Refers("dataElements")] = [],
    period: Annotated[list[str], Doc("For these periods, such as 202506.")] = [],
    org_unit: Annotated[list[str], Doc("At these units; not those below."), Refers("organisationUnits")] = [],
    type: Annotated[list[Literal["CREATE", "UPDATE", "DELETE"]], Doc("Only these kinds of change.")] = [],
) -> Stream[Row]:
    """List changes of data values, the newest first, as they come.

    A server up to 2.42 keeps the value before each change, and nothing of the first one; from 2.43 on the value after it. The
    one that it does not keep is `?`. Nothing is kept of what was imported without an audit.

    API source: `GET /api/audits/dataValue`.
    """
    if not (data_set or data_element or org_unit or period):
        raise UsageError(
            "of which values?", hint="--data-set NAME, --data-element NAME, --org-unit NAME or --period 202506"
        )
    given = {"dataSets": data_set, "dataElements": data_element, "organisationUnits": org_unit}
    await names.must_be_there(s, given)
    times = await periods_of(s, Asked(data_set=data_set, data_element=data_element, period=period))
    params: dict[str, Param] = {"ds": data_set, "de": data_element, "pe": times, "ou": org_unit, "auditType": [*type]}
    return Stream(named.batches(s, audits.of_values(s, params)), columns=named.columns(audits.VALUE_COLUMNS))


@verb("audit approvals", effect="read", examples=["dhis2 audit approvals --since 2026-01-01"])
async def approvals(
    s: Session,
    *,
    workflow: Annotated[list[str], Doc("Of these workflows."), Refers("dataApprovalWorkflows")] = [],
    org_unit: Annotated[list[str], Doc("At these units."), Refers("organisationUnits")] = [],
    since: Annotated[str | None, Doc("Not older than this day.")] = None,
    until: Annotated[str | None, Doc("Not younger than this day.")] = None,
) -> Stream[Row]:
    """List who approved, accepted or took back what, the newest first.

    API source: `GET /api/audits/dataApproval`.
    """
    first, last = [None if text is None else (await audits.since_on(s, text))[:10] for text in (since, until)]
    params: dict[str, Param] = {"wf": workflow, "ou": org_unit, "startDate": first, "endDate": last}
    return Stream(named.batches(s, audits.of_approvals(s, params)), columns=named.columns(audits.APPROVAL_COLUMNS))


@verb(
    "audit changelog",
    effect="read",
    examples=["dhis2 audit changelog events UID"],
    left_out={"mcp": PERSONS},
)
async def changelog(
    s: Session,
    kind: Annotated[Literal["events", "trackedEntities"], Doc("Of an event, or of a tracked entity.")],
    uid: Annotated[str, Doc("Its UID.")],
) -> Rows[Row]:
    """List what was changed about an event or a tracked entity, by whom, from what and to what.

    API source: `GET /api/tracker/{kind}/{uid}/changeLogs` (2.41 and later).
    """
    return Rows(await audits.of_object(s, f"tracker/{kind}/{uid}"), columns=audits.CHANGE_LOG_COLUMNS)


@verb(
    "audit metadata",
    effect="read",
    examples=["dhis2 audit metadata 2026-11-01", "dhis2 audit metadata 2026-11-01 --type dataElements"],
)
async def metadata(s: Session, since: Since, *, type: Types = []) -> Stream[Row]:
    """List objects whose last change is not older than a moment, with who made it, the newest first.

    A server has no audit of metadata that can be asked for: only the last change of each object is known, and nothing of
    what was deleted.

    API source: `GET /api/{type}?filter=lastUpdated:ge:`.
    """
    return Stream(audits.of_metadata(s, since, None, type), columns=audits.CHANGE_COLUMNS)


@verb("audit who", effect="read", examples=["dhis2 audit who anna --since 2026-11-01"])
async def who(
    s: Session,
    user: Annotated[str, Doc("The account: username or UID."), Refers("users")],
    *,
    since: Since,
    type: Types = [],
) -> Stream[Row]:
    """List objects that a user was the last to change since a moment; what somebody else has changed since is not among them.

    API source: `GET /api/{type}?filter=lastUpdatedBy.id:eq:`.
    """
    return Stream(audits.of_metadata(s, since, user, type), columns=audits.CHANGE_COLUMNS)
