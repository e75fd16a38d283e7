"""SQL views: their variables, their rows, and views that are made for one query."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import Dhis2Error, NotFound, Refused, UsageError, did_you_mean
from dhis2sh.rows.rows import PageNote, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

VIEWS = "sqlViews"
VARIABLE = re.compile(r"\$\{(\w+)\}")
OWN_VARIABLES = frozenset({"_current_user_id", "_current_username"})
DROPPED = ",:"
"""A server cuts its pairs at the comma and drops those with a second colon (`SqlView.getCriteria`)."""


def pairs_of(texts: Sequence[str], option: str) -> dict[str, str]:
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


def as_sent(pairs: Mapping[str, str]) -> list[str]:
    """Pairs as DHIS2 wants them."""
    return [f"{name}:{value}" for name, value in pairs.items()]


def check_variables(sql: str, given: Mapping[str, str], name: str) -> None:
    """Are these the variables of a query? Raises `UsageError` for those that are missing, and those that it does not have."""
    wanted = [one for one in dict.fromkeys(VARIABLE.findall(sql)) if one not in OWN_VARIABLES]
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
    pager = body.get("pager")
    total = cast("int | None", pager.get("total")) if isinstance(pager, dict) else len(rows)
    note = PageNote(len(rows), total, more="without --limit every one")
    return Rows([dict(zip(headers, row, strict=False)) for row in rows], columns=headers, page=note)


async def executed(
    s: Session, view: str, var: Sequence[str], criteria: Sequence[str], filter: Sequence[str], limit: int | None
) -> Rows[Row]:
    """The rows of a view.

    Parameters:
        var, criteria: `name=value` texts; filter: `column:operator:value` texts.
        limit: rows at the most; every one without it.

    Raises `UsageError` for variables that it lacks or does not have, `Refused` with the way to its columns.
    """
    body = await s.client.get_object(f"{VIEWS}/{view}", {"fields": "id,name,type,sqlQuery"})
    variables = pairs_of(var, "--var")
    check_variables(str(body.get("sqlQuery") or ""), variables, f"'{body['name']}'")
    params: dict[str, Param] = {
        "var": as_sent(variables), "criteria": as_sent(pairs_of(criteria, "--criteria")), "filter": list(filter),
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


async def to_its_end(work: Coroutine[object, object, object]) -> None:
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


async def delete_view(s: Session, uid: str) -> None:
    """Delete a temporary view, which may not have come to be."""
    try:
        await s.client.delete(f"{VIEWS}/{uid}")
    except NotFound:
        return
    except Dhis2Error as error:
        s.person.warn(f"the view {uid} could not be deleted: {error} (dhis2 metadata sql-views delete {uid})")
