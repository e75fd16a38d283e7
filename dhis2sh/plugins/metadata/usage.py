"""`metadata usage|graph`: where an object is used, and what it needs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel

from dhis2sh.client import schema
from dhis2sh.client.query import camel
from dhis2sh.metadata.bundles.graph import Graph, graph_of
from dhis2sh.metadata.bundles.walk import Walk
from dhis2sh.metadata.parameters import AnyObject
from dhis2sh.metadata.usage import COUNTED_VALUES, NOWHERE, VALUES_OF, by_type, find, nowhere, uses_of, values_of
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Bounds, Doc, verb


class CountRow(BaseModel):
    """How many objects of a type use another, by which properties; data values have a row too."""

    type: str
    count: int
    by: str


class UseRow(BaseModel):
    """One object that uses another."""

    type: str
    id: str
    name: str
    by: str


@verb(
    "metadata usage",
    effect="read",
    examples=["dhis2 metadata usage s46m5MS0hxu", "%metadata usage 'BCG doses given'", "%metadata usage 'OPV' --count"],
)
async def usage(
    s: Session, uid: AnyObject, *, count: Annotated[bool, Doc("Only how many of each type, and data values.")] = False
) -> Rows[UseRow] | Rows[CountRow]:
    """List every object that uses another one, by which property; expressions are looked into.

    How many they are, and how many data values there are, is told beside the list, or with --count instead of it.

    API source: `GET /api/metadata` with one filter for each type, `GET /api/dataValueSets`.
    """
    found = await find(s, uid)
    uses = await uses_of(s, found, await schema.types_of(s.client))
    values = await values_of(s, found)
    counted = by_type(uses)
    if count:
        rows = [CountRow(type=use.type, count=use.count, by=", ".join(use.paths)) for use in counted]
        if values is not None:
            rows.append(CountRow(type="dataValues", count=values.data_values, by=camel(VALUES_OF[found.plural])))
        if values is not None and values.more_data_values:
            s.person.warn(f"data values are counted to {COUNTED_VALUES:,}; there are more")
        return Rows(rows, columns=["type", "count", "by"])
    said = [f"{use.count:,} {use.type}" for use in counted] + ([values.words()] if values is not None else [])
    s.person.note(f"{found.plural} {found.uid}: {', '.join(said) or 'used by nothing'}")
    return Rows(
        [UseRow(type=use.type, id=use.uid, name=use.name, by=use.path) for use in uses],
        columns=["type", "id", "name", "by"],
    )


@verb(
    "metadata graph",
    effect="read",
    examples=["dhis2 metadata graph 'Child Health'", "dhis2 metadata graph BfMAe6Itzgt --style mermaid"],
)
async def graph(
    s: Session,
    uid: AnyObject,
    *,
    style: Annotated[Literal["tree", "dot", "mermaid"], Doc("As a tree, for Graphviz, or for Mermaid.")] = "tree",
    depth: Annotated[int, Bounds(1, 20), Doc("How many arrows deep.")] = 4,
    fold: Annotated[int, Bounds(0, 1000), Doc("Draw at the most so many of one type below another; 0 draws all.")] = 12,
    org_units: Annotated[bool, Doc("Follow references to organisation units too.")] = False,
) -> Graph:
    """Draw what an object needs: its references, theirs, and so on.

    API source: `GET /api/{type}` with `fields=:owner`, many objects a request.
    """
    found = await find(s, uid)
    if found.plural == NOWHERE:
        raise nowhere(found.uid)
    types = await schema.types_of(s.client)
    gathered = await Walk(s.client, types, places=org_units).gather([(found.plural, found.uid)])
    return graph_of(gathered.bundle, types, (found.plural, found.uid), depth=depth, style=style, fold=fold)
