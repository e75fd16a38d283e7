"""`metadata sql-views execute|refresh|adhoc`: rows of SQL views."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import Dhis2Error, NotFound, Refused, UsageError, did_you_mean
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, applies, verb

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

VIEWS = "sqlViews"
View = Annotated[str, Doc("UID, code or unique name of a view."), Refers(VIEWS)]
Variables = Annotated[list[str], Doc("name=value for ${name} in the SQL; may be repeated.")]
TEMPORARY = "dhis2sh, to be deleted"
VARIABLE = re.compile(r"\$\{(\w+)\}")
SET_BY_SERVER = frozenset({"_current_user_id", "_current_username"})
DROPPED = ",:"
"""A server cuts its pairs at the comma and drops those with a second colon (`SqlView.getCriteria`)."""


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """`name=value` texts by name. Raises `UsageError`, also for what a server would drop without a word."""
    found: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name.strip():
            raise UsageError(f"{option} {text}: say name=value", hint=f"{option} level=4")
        if not value or set(value) & set(DROPPED):
            why = "is empty" if not value else "has a comma or colon"
            hint = "--filter column:eq:value" if option == "--criteria" else "letters, digits, spaces, - and _"
            raise UsageError(f"{option} {text}: the value {why}; the server would drop it", hint=hint)
        found[name.strip()] = value
    return found


def _sent(pairs: Mapping[str, str]) -> list[str]:
    """Pairs as DHIS2 wants them."""
    return [f"{name}:{value}" for name, value in pairs.items()]


def _check_variables(sql: str, given: Mapping[str, str], name: str) -> None:
    """Are these the variables of a query? Raises `UsageError` for those that are missing, and those that it does not have."""
    wanted = [one for one in dict.fromkeys(VARIABLE.findall(sql)) if one not in SET_BY_SERVER]
    missing = [one for one in wanted if one not in given]
    superfluous = [one for one in given if one not in wanted]
    if superfluous:
        near = did_you_mean(superfluous[0], wanted) or (
            f"it has {', '.join(wanted)}" if wanted else "it has no variables"
        )
        raise UsageError(f"{name} has no variable {', '.join(superfluous)}", hint=near)
    if missing:
        hint = " ".join(f"--var {one}=..." for one in missing)
        raise UsageError(
            f"{name} wants {'a value' if len(missing) == 1 else 'values'} for {', '.join(missing)}", hint=hint
        )


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
    body = await s.client.get_object(f"{VIEWS}/{view}", {"fields": "id,name,type,sqlQuery"})
    variables = _pairs(var, "--var")
    _check_variables(str(body.get("sqlQuery") or ""), variables, f"'{body['name']}'")
    params: dict[str, Param] = {
        "var": _sent(variables), "criteria": _sent(_pairs(criteria, "--criteria")), "filter": list(filter),
        **({"page": 1, "pageSize": limit} if limit else {"paging": False}),
    }  # fmt: skip
    try:
        return rows_of(await s.client.get_object(f"{VIEWS}/{view}/data.json", params))
    except Refused as error:
        name = repr(str(body["name"]))
        if criteria or filter:
            error.hint = f"its columns: dhis2 metadata sql-views execute {name} --limit 1"
        elif body.get("type") != "QUERY":
            error.hint = f"was it created? dhis2 metadata sql-views refresh {name}"
        raise


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
    variables = _pairs(var, "--var")
    _check_variables(sql, variables, "the query")
    uid = generate_uid()
    step = PlanStep("run", VIEWS, uid=uid, name=TEMPORARY, detail="made, read and deleted")
    return Plan("run a query once", [step], payload=(uid, sql, _sent(variables)), journal=False)


@applies(adhoc)
async def _(s: Session, plan: Plan) -> Rows[Row]:
    uid, sql, var = cast("tuple[str, str, list[str]]", plan.payload)
    view: JsonObject = {
        "id": uid, "name": f"{TEMPORARY} {uid}", "type": "QUERY", "sqlQuery": sql, "cacheStrategy": "NO_CACHE",
    }  # fmt: skip
    try:
        await _to_its_end(s.client.post(VIEWS, view))
        return rows_of(await s.client.get_object(f"{VIEWS}/{uid}/data.json", {"var": var, "paging": False}))
    finally:
        await _to_its_end(_deleted(s, uid))


async def _to_its_end(work: Coroutine[object, object, object]) -> None:
    """Wait for some work, also where this task is cancelled meanwhile: the work ends, then the cancellation goes on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _deleted(s: Session, uid: str) -> None:
    """Delete a temporary view, which may not have come to be."""
    try:
        await s.client.delete(f"{VIEWS}/{uid}")
    except NotFound:
        return
    except Dhis2Error as error:
        s.person.warn(f"the view {uid} could not be deleted: {error} (dhis2 metadata sql-views delete {uid})")
