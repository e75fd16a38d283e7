"""`metadata sql-views execute|refresh|adhoc`: rows of SQL views."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata.types.sql_views import (
    VIEWS,
    as_sent,
    check_variables,
    delete_view,
    executed,
    pairs_of,
    rows_of,
    to_its_end,
)
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, applies, verb

View = Annotated[str, Doc("UID, code or unique name of a view."), Refers(VIEWS)]
Variables = Annotated[list[str], Doc("name=value for ${name} in the SQL; may be repeated.")]
TEMPORARY = "dhis2sh, to be deleted"


@verb(
    "metadata sql-views execute",
    effect="read",
    persons=True,
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
    return await executed(s, view, var, criteria, filter, limit)


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
            f"'{body['name']}' is a query: there is nothing to refresh",
            hint=f"dhis2 metadata sql-views execute {str(body['name'])!r}",
        )
    request = Request("POST", f"{VIEWS}/{view}/execute", updated=[view])
    step = PlanStep("run", VIEWS, uid=view, name=str(body["name"]))
    return Plan(f"refresh {body['name']}", [step], writer=ByRequest(VIEWS, [request]))


@verb(
    "metadata sql-views adhoc",
    effect="write",
    persons=True,
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
    variables = pairs_of(var, "--var")
    check_variables(sql, variables, "the query")
    uid = generate_uid()
    step = PlanStep("run", VIEWS, uid=uid, name=TEMPORARY, detail="made, read and deleted")
    return Plan("run a query once", [step], payload=(uid, sql, as_sent(variables)), journal=False)


@applies(adhoc)
async def _(s: Session, plan: Plan) -> Rows[Row]:
    uid, sql, var = cast("tuple[str, str, list[str]]", plan.payload)
    view: JsonObject = {
        "id": uid, "name": f"{TEMPORARY} {uid}", "type": "QUERY", "sqlQuery": sql, "cacheStrategy": "NO_CACHE",
    }  # fmt: skip
    try:
        await to_its_end(s.client.post(VIEWS, view))
        return rows_of(await s.client.get_object(f"{VIEWS}/{uid}/data.json", {"var": var, "paging": False}))
    finally:
        await to_its_end(delete_view(s, uid))
