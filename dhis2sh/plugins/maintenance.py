"""`maintenance`: analytics and resource tables built, caches emptied, what is superfluous deleted."""

from __future__ import annotations

from typing import Annotated, Literal

from dhis2sh.changes.plan import Plan
from dhis2sh.checks import integrity
from dhis2sh.client.messages import DataIntegrityCheck
from dhis2sh.client.query import camel
from dhis2sh.client.requests import Params
from dhis2sh.instance import actions, pruning, starting
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb

Watch = Annotated[bool, Doc("Follow it to its end; Ctrl-C leaves it running.")]
Timeout = Annotated[int | None, Bounds(1), Doc("Seconds to wait at the most; the job goes on.")]
type Table = Literal[
    "resource-tables", "aggregate", "validation-result", "events", "enrollment", "tracked-entities", "org-unit-ownership",
    "outliers",
]  # fmt: skip


@verb(
    "maintenance refresh analytics",
    effect="write",
    examples=[
        "dhis2 maintenance refresh analytics --watch",
        "dhis2 maintenance refresh analytics --last-years 2 --skip events",
    ],
)
async def refresh_analytics(
    s: Session,
    *,
    last_years: Annotated[int | None, Bounds(0), Doc("Only tables of so many years; all without it.")] = None,
    skip: Annotated[list[Table], Doc("Leave these tables as they are; may be repeated.")] = [],
    watch: Watch = False,
    timeout: Timeout = None,
) -> Plan:
    """Build the analytics tables anew, so that analytics show what has been entered since.

    API source: `POST /api/resourceTables/analytics`.
    """
    params: Params = {camel(f"skip_{name}".replace("-", "_")): True for name in skip}
    if last_years is not None:
        params |= {"lastYears": last_years}
    detail = f"of the last {last_years} years" if last_years is not None else "of all years"
    detail += f", without {', '.join(skip)}" if skip else ""
    return starting.plan(
        "resourceTables/analytics", "build the analytics tables", "analytics tables", detail, params=params,
        watch=watch, timeout=timeout,
    )  # fmt: skip


@verb(
    "maintenance refresh resource-tables",
    effect="write",
    examples=["dhis2 maintenance refresh resource-tables --watch"],
)
async def refresh_resource_tables(s: Session, *, watch: Watch = False, timeout: Timeout = None) -> Plan:
    """Build the resource tables anew: hierarchy, categories and names as SQL views and analytics use them.

    API source: `POST /api/resourceTables`.
    """
    return starting.plan(
        "resourceTables", "build the resource tables", "resource tables", "", watch=watch, timeout=timeout
    )


@verb("maintenance refresh monitoring", effect="write", examples=["dhis2 maintenance refresh monitoring --watch"])
async def refresh_monitoring(s: Session, *, watch: Watch = False, timeout: Timeout = None) -> Plan:
    """Let the server apply the monitored validation rules to what has been entered.

    API source: `POST /api/resourceTables/monitoring`.
    """
    return starting.plan(
        "resourceTables/monitoring",
        "apply the monitored validation rules",
        "monitoring",
        "",
        watch=watch,
        timeout=timeout,
    )


@verb("maintenance list", effect="read", examples=["dhis2 maintenance list"])
async def list_(s: Session) -> Rows[Row]:
    """List what `maintenance cleanup` can do, and what a server does then."""
    rows: list[Row] = [{"action": name, "does": actions.ACTIONS[address]} for name, address in actions.BY_NAME.items()]
    return Rows(rows, columns=("action", "does"))


@verb(
    "maintenance cleanup",
    effect="destroy",
    examples=["dhis2 maintenance cleanup zero-data-value-removal period-pruning --dry-run"],
)
async def cleanup(
    s: Session,
    actions_: Annotated[list[str], Doc("What to do, in this order; `maintenance list` says what each does.")],
) -> Plan:
    """Delete what is superfluous, or write anew what has gone wrong. A server cannot take it back.

    API source: `POST /api/maintenance/{action}`.
    """
    chosen = [actions.known(name) for name in actions_]
    addresses = {name: (actions.address(name), actions.ACTIONS[actions.BY_NAME[name]]) for name in chosen}
    return starting.by_addresses("clean up", "maintenance", addresses)


@verb("maintenance cache", effect="write", examples=["dhis2 maintenance cache"])
async def cache(s: Session) -> Plan:
    """Empty the server's caches.

    API source: `POST /api/maintenance/cacheClear`.
    """
    return starting.by_addresses(
        "empty the caches", "caches", {"caches": (f"maintenance/{actions.CACHE}", "the next requests are slower")}
    )


@verb(
    "maintenance prune",
    effect="destroy",
    examples=["dhis2 maintenance prune organisationUnits 'Ngelehun CHC' --dry-run"],
)
async def prune(
    s: Session,
    type: Annotated[Literal["organisationUnits", "dataElements"], Doc("Of which type.")],
    uid: Annotated[str, Doc("UID, code or unique name."), Refers("@type")],
) -> Plan:
    """Delete all data of a unit or of a data element for good: values, audits, and at units registrations and approvals.

    The plan says how many data values there are. A server cannot take it back.

    API source: `POST /api/maintenance/dataPruning/{type}/{uid}` (wants the authority ALL).
    """
    return await pruning.plan(s, type, uid)


Checks = Annotated[list[str], Doc("Only these checks: names or codes.")]
Details = Annotated[bool, Doc("Each object that was found, in place of how many.")]


@verb("maintenance data-integrity list", effect="read", examples=["dhis2 maintenance data-integrity list"])
async def integrity_list(s: Session) -> Rows[Row]:
    """List the integrity checks that the server has.

    API source: `GET /api/dataIntegrity`.
    """
    return Rows([integrity.listed(row) for row in await integrity.known(s)], columns=integrity.LIST_COLUMNS)


@verb(
    "maintenance data-integrity run",
    effect="read",
    examples=[
        "dhis2 maintenance data-integrity run",
        "dhis2 maintenance data-integrity run options_sets_empty --details",
    ],
)
async def integrity_run(
    s: Session,
    checks: Checks = [],
    *,
    details: Details = False,
    slow: Annotated[bool, Doc("The slow checks too.")] = False,
    timeout: Timeout = None,
) -> Rows[Row]:
    """Let the server run integrity checks, and say what each found; those that found nothing too.

    API source: `POST /api/dataIntegrity/summary` and `/details` (wants the authority F_PERFORM_MAINTENANCE).
    """
    chosen = await integrity.chosen(s, checks, slow=slow)
    found = [one async for one in integrity.run(s, chosen, "details" if details else "summary", timeout=timeout)]
    return _integrity(s, found, chosen, details=details)


@verb(
    "maintenance data-integrity result",
    effect="read",
    examples=[
        "dhis2 maintenance data-integrity result",
        "dhis2 maintenance data-integrity result options_sets_empty --details",
    ],
)
async def integrity_result(s: Session, checks: Checks = [], *, details: Details = False) -> Rows[Row]:
    """Show what the last run of each check has left on the server; it forgets that when it starts anew.

    API source: `GET /api/dataIntegrity/summary` and `/details`.
    """
    chosen = await integrity.chosen(s, checks, slow=True)
    found = await integrity.results(s, chosen, "details" if details else "summary")
    return _integrity(s, found, chosen, details=details)


@verb("maintenance data-integrity watch", effect="read", examples=["dhis2 maintenance data-integrity watch"])
async def integrity_watch(s: Session, *, timeout: Timeout = None) -> Rows[Row]:
    """Wait for the integrity checks that are running, whoever has started them, and say what each has found.

    API source: `GET /api/dataIntegrity/summary/running`, `/details/running`, `/summary`.
    """
    names = await integrity.under_way(s, timeout=timeout)
    if not names:
        s.person.note("no integrity check is running: dhis2 maintenance data-integrity result  has what there is")
        return Rows([], columns=integrity.RESULT_COLUMNS)
    chosen = await integrity.chosen(s, names, slow=True)
    return _integrity(s, await integrity.results(s, chosen, "summary"), chosen, details=False)


def _integrity(s: Session, found: list[DataIntegrityCheck], chosen: list[JsonObject], *, details: bool) -> Rows[Row]:
    if not details:
        return Rows([integrity.result_row(one) for one in found], columns=integrity.RESULT_COLUMNS)
    types = {str(row["name"]): str(row.get("issuesIdType") or "") for row in chosen}
    for one in found:
        if one.error:
            s.person.warn(f"{one.name}: {one.error}")
    rows = [row for one in found for row in integrity.issue_rows(one, types[one.name])]
    return Rows(rows, columns=integrity.ISSUE_COLUMNS)
