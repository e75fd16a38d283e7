"""`metadata sql-views execute|refresh|adhoc`: rows of SQL views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.results import Plan, PlanStep, Rows, WriteSummary
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.uids import generate_uid
from dhis2sh.verbs import Bounds, Doc, Refers, applies, verb

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

VIEWS = "sqlViews"
View = Annotated[str, Doc("UID, code or unique name of a view."), Refers(VIEWS)]
Variables = Annotated[list[str], Doc("name=value for ${name} in the SQL; may be repeated.")]
TEMPORARY = "dhis2sh, to be deleted"


def _pairs(texts: Sequence[str], option: str) -> list[str]:
    """`name=value` texts as DHIS2 wants them. Raises `UsageError`."""
    found: list[str] = []
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name.strip():
            raise UsageError(f"{option} {text}: say name=value", hint=f"{option} level=4")
        found.append(f"{name.strip()}:{value}")
    return found


def rows_of(body: Mapping[str, JsonValue]) -> Rows[Row]:
    """The rows of a grid, each as an object by column."""
    grid = cast("JsonObject", body.get("listGrid") or body)
    headers = [
        str(header.get("name") or header.get("column"))
        for header in cast("list[JsonObject]", grid.get("headers") or [])
    ]
    rows = cast("list[list[JsonValue]]", grid.get("rows") or [])
    return Rows([dict(zip(headers, row, strict=False)) for row in rows], columns=headers)


@verb(
    "metadata sql-views execute",
    effect="read",
    examples=["dhis2 metadata sql-views execute 'Facilities without geometry' --var level=4 -o csv"],
)
async def execute(
    s: Session,
    view: View,
    *,
    var: Variables = [],
    criteria: Annotated[list[str], Doc("column=value that rows must have; may be repeated.")] = [],
    filter: Annotated[list[str], Doc("column:operator:value; may be repeated.")] = [],
    limit: Annotated[int | None, Bounds(1), Doc("At the most so many rows.")] = None,
) -> Rows[Row]:
    """Show the rows of a view, with values for its variables.

    API source: `GET /api/sqlViews/{uid}/data.json`.
    """
    params: dict[str, Param] = {
        "var": _pairs(var, "--var"), "criteria": _pairs(criteria, "--criteria"), "filter": list(filter),
        **({"page": 1, "pageSize": limit} if limit else {"paging": False}),
    }  # fmt: skip
    return rows_of(await s.client.get_object(f"{VIEWS}/{view}/data.json", params))


@verb(
    "metadata sql-views refresh",
    effect="write",
    examples=["dhis2 metadata sql-views refresh 'Materialized totals'"],
)
async def refresh(s: Session, view: View) -> Plan:
    """Create a view in the database, or fill a materialized one again.

    API source: `POST /api/sqlViews/{uid}/execute`.
    """
    body = await s.client.get_object(f"{VIEWS}/{view}", {"fields": "id,name,type"})
    if body.get("type") == "QUERY":
        raise UsageError(
            f"{body['name']} is a query: there is nothing to refresh", hint=f"metadata sql-views execute {view}"
        )
    return Plan(f"refresh {body['name']}", [PlanStep("run", VIEWS, uid=view, name=str(body["name"]))], payload=view)


@applies(refresh)
async def _(s: Session, plan: Plan) -> WriteSummary:
    answer = await s.client.post(f"{VIEWS}/{plan.payload}/execute")
    envelope = answer if isinstance(answer, dict) else None
    return WriteSummary(VIEWS, updated=1, uids=[str(plan.payload)], envelope=envelope)


@verb(
    "metadata sql-views adhoc",
    effect="write",
    examples=["dhis2 metadata sql-views adhoc 'select name from organisationunit limit 5'"],
)
async def adhoc(
    s: Session,
    sql: Annotated[str, Doc("A query that only reads.")],
    *,
    var: Variables = [],
) -> Plan:
    """Run a query once: a view is made for it, read, and deleted again, whatever happens.

    API source: `POST /api/sqlViews`, `GET /api/sqlViews/{uid}/data.json`, `DELETE /api/sqlViews/{uid}`.
    """
    first = sql.strip().split(maxsplit=1)[0].lower() if sql.strip() else ""
    if first not in {"select", "with"}:
        raise UsageError("a query begins with select or with", hint="dhis2 metadata sql-views adhoc 'select ...'")
    uid = generate_uid()
    step = PlanStep("run", VIEWS, uid=uid, name=TEMPORARY, detail="made, read and deleted")
    return Plan("run a query once", [step], payload=(uid, sql, _pairs(var, "--var")), journal=False)


@applies(adhoc)
async def _(s: Session, plan: Plan) -> Rows[Row]:
    uid, sql, var = cast("tuple[str, str, list[str]]", plan.payload)
    await s.client.post(
        VIEWS,
        {"id": uid, "name": f"{TEMPORARY} {uid}", "type": "QUERY", "sqlQuery": sql, "cacheStrategy": "NO_CACHE"},
    )
    try:
        return rows_of(await s.client.get_object(f"{VIEWS}/{uid}/data.json", {"var": var, "paging": False}))
    finally:
        try:
            await s.client.delete(f"{VIEWS}/{uid}")
        except Dhis2Error as error:
            s.reporter.warn(f"the view {uid} could not be deleted: {error}")
