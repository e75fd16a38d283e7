"""`sql`: SQL views, by a short name. What else there is of them is `metadata sql-views`, under this name too."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.client import reading
from dhis2sh.metadata.types.sql_views import OWN_VARIABLES, VARIABLE, VIEWS, executed
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb


@verb("sql list", effect="read", examples=["dhis2 sql list"])
async def list_(s: Session) -> Rows[Row]:
    """List the SQL views: what kind each is, and which variables it wants.

    API source: `GET /api/sqlViews`.
    """
    rows: list[Row] = []
    for row in await reading.all_of(s.client, VIEWS, fields="id,name,description,type,cacheStrategy,sqlQuery"):
        found = dict.fromkeys(VARIABLE.findall(str(row.get("sqlQuery") or "")))
        wanted = [name for name in found if name not in OWN_VARIABLES]
        rows.append({**{key: row.get(key) for key in ("id", "name", "type", "description")}, "variables": wanted})
    return Rows(rows, columns=("id", "name", "type", "variables", "description"), resource=VIEWS)


@verb(
    "sql run",
    effect="read",
    persons=True,
    examples=["dhis2 sql run 'Data elements with a word in their name' --var word=malaria -o csv"],
)
async def run(
    s: Session,
    view: Annotated[str, Doc("UID, code or unique name of a view."), Refers(VIEWS)],
    *,
    var: Annotated[list[str], Doc("name=value for ${name} in the SQL; may be repeated.")] = [],
    criteria: Annotated[list[str], Doc("column=value that rows must have; may be repeated.")] = [],
    filter: Annotated[list[str], Doc("column:operator:value; may be repeated.")] = [],
    limit: Annotated[int | None, Bounds(1), Doc("At the most so many rows.")] = None,
) -> Rows[Row]:
    """Show the rows of a view, with values for its variables. `sql refresh` fills a materialized one again.

    API source: `GET /api/sqlViews/{uid}/data.json`.
    """
    return await executed(s, view, var, criteria, filter, limit)
