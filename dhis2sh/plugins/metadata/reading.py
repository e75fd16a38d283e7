"""`metadata`: read metadata of any type of the server."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from dhis2sh.client import schema
from dhis2sh.client.requests import Param
from dhis2sh.dhis2.apps import page_of
from dhis2sh.dhis2.fields import parse_fields
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.metadata import queries
from dhis2sh.metadata.filters import checked
from dhis2sh.metadata.parameters import Fields, Filter, Names, Type
from dhis2sh.models.facts import Resource
from dhis2sh.rows.pushdown import Head, Wants
from dhis2sh.rows.rows import PageNote, Provenance, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, prepares, verb
from dhis2sh.verbs.names import near
from dhis2sh.words import folded

PAGE_SIZE = 50
LARGE_PAGE = 1000
MOST_ALIKE = 100
"""Objects under another spelling that one request asks for."""


@dataclass(frozen=True, slots=True)
class TypeRow:
    """One metadata type of the server."""

    type: str
    name: str
    class_name: str
    shareable: bool
    properties: int


@dataclass(frozen=True, slots=True)
class PropertyRow:
    """One property of a metadata type."""

    property: str
    type: str
    required: bool
    unique: bool
    owner: bool
    writable: bool
    references: str | None
    values: list[str]
    max_length: int | None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """An object that a search found, with what it is."""

    type: str
    id: str
    name: str
    code: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Count:
    """How many objects of a type there are."""

    type: str
    count: int

    def line(self) -> str:
        """What a terminal shows: the number alone."""
        return str(self.count)

    __repr__ = line


@verb(
    "metadata list",
    effect="read",
    pinned=True,
    examples=[
        "dhis2 metadata list dataElements --filter name:ilike:bcg",
        "%metadata list dataElements | where(valueType == 'NUMBER') | select(id, name) | df",
    ],
)
async def list_(
    s: Session,
    type: Type,
    *,
    fields: Fields = None,
    filter: Filter = [],
    root_junction: Annotated[Literal["AND", "OR"] | None, Doc("How several filters combine; AND without it.")] = None,
    order: Annotated[list[str], Doc("property:asc, :desc, :iasc or :idesc; may be repeated."), Complete("order")] = [],
    page: Annotated[int | None, Bounds(1), Doc("Which page.")] = None,
    page_size: Annotated[int | None, Bounds(1, 10_000), Doc("Rows per page; 50 without it.")] = None,
    all: Annotated[bool, Doc("Every row, not the first page.")] = False,
    limit: Annotated[int | None, Bounds(1), Doc("At the most so many rows.")] = None,
    translate: Annotated[bool | None, Doc("Show display names in the user's language.")] = None,
    locale: Annotated[str | None, Doc("Show display names in this language, such as fr.")] = None,
    names: Names = False,
) -> Rows[Row]:
    """List objects of a type, a page of 50 or all of them.

    API source: `GET /api/{type}`.
    """
    resource = await schema.resource_of(s.client, type)
    types = await schema.types_of(s.client)
    if fields == queries.WHICH:
        return queries.which_fields(resource)
    for warning in queries.silently_ignored(resource, types, fields, order, filter):
        s.person.warn(warning)
    wanted = fields or queries.default_fields(resource)
    params: dict[str, Param] = {
        "fields": queries.with_names(resource, wanted, types) if names else wanted,
        "filter": checked(resource, types, filter),
        "order": order,
        "rootJunction": root_junction,
        **queries.language(translate, locale),
    }
    if (all or limit) and page is None:
        rows, total = await _take(s, resource.plural, params, limit, page_size)
    else:
        params |= {"page": page, "pageSize": page_size or PAGE_SIZE}
        got = await s.client.list_page(resource.plural, params)
        rows, total = got.rows, got.total
    note = PageNote(len(rows), total, page=page or 1)
    asked = parse_fields(fields) if fields else None
    columns = asked.columns(resource.properties, Rows(rows).columns) if asked else queries.default_columns(resource)
    named = asked.paths() if asked else ()
    return Rows(rows, columns=columns, page=note, resource=resource.plural, provenance=_sent(s), asked=named)


@prepares(list_)
async def _(s: Session, arguments: Mapping[str, object], wants: Wants) -> Head:
    return await queries.prepared(s, str(arguments.get("type", "")), arguments, wants)


async def _take(
    s: Session, plural: str, params: dict[str, Param], limit: int | None, page_size: int | None
) -> tuple[list[Row], int | None]:
    """Every row, or the first `limit`, and how many there are in all; one request where the server lets us."""
    if limit is None and page_size is None:
        page = await s.client.list_page(plural, {**params, "paging": False})
        return page.rows, len(page.rows)
    if limit is not None and page_size is None and limit <= LARGE_PAGE:
        page = await s.client.list_page(plural, {**params, "page": 1, "pageSize": limit})
        return page.rows[:limit], page.total
    rows: list[Row] = []
    size = min(page_size or LARGE_PAGE, limit or LARGE_PAGE)
    async for row in s.client.iter(plural, params, page_size=size, limit=limit):
        rows.append(row)
        s.person.progress(f"list {plural}", len(rows), limit)
    if limit is None or len(rows) < limit:
        return rows, len(rows)
    return rows, (await s.client.list_page(plural, {**params, "fields": "id", "page": 1, "pageSize": 1})).total


def _sent(s: Session) -> Provenance:
    return Provenance(query=tuple(s.client.transport.sent[-1:]))


EVENT_VISUALIZATIONS = "eventVisualizations"
_VIEWS = {"eventCharts", "eventReports"}
"""Older names of event visualizations: a server lists under them what it then says is not there."""


@verb(
    "metadata get",
    effect="read",
    pinned=True,
    examples=[
        "dhis2 metadata get dataElements s46m5MS0hxu",
        "%metadata get dataElements 'BCG doses given'",
        "dhis2 -p play metadata get dashboards 'Mother and child' --web",
    ],
)
async def get(
    s: Session,
    type: Type,
    uid: Annotated[str, Doc("UID, code or unique name."), Refers("@type")],
    *,
    fields: Fields = None,
    names: Names = False,
    translate: Annotated[bool | None, Doc("Show display names in the user's language.")] = None,
    locale: Annotated[str | None, Doc("Show display names in this language, such as fr.")] = None,
    web: Annotated[bool, Doc("Open it in the app of the server that shows its type.")] = False,
) -> Row:
    """Show one object with its properties, or in the server's own app.

    API source: `GET /api/{type}/{uid}`.
    """
    resource = await schema.resource_of(s.client, type)
    if web:
        return await _in_its_app(s, resource, uid)
    types = await schema.types_of(s.client)
    if fields == queries.WHICH:
        names_of_fields = ", ".join(str(row["field"]) for row in queries.which_fields(resource))
        raise UsageError(
            f"{resource.plural} have {names_of_fields}", hint=f"dhis2 metadata list {resource.plural} --fields ?"
        )
    for warning in queries.silently_ignored(resource, types, fields, (), ()):
        s.person.warn(warning)
    wanted = fields or ":owner"
    if names:
        wanted = queries.with_names(resource, wanted, types)
    params: dict[str, Param] = {"fields": wanted, **queries.language(translate, locale)}
    try:
        return await s.client.get_object(f"{resource.plural}/{uid}", params)
    except NotFound as error:
        if resource.plural in _VIEWS:  # whose lists show what is one of these and no other
            raise NotFound(error.message, hint=f"dhis2 metadata get {EVENT_VISUALIZATIONS} {uid}") from error
        raise


async def _in_its_app(s: Session, resource: Resource, uid: str) -> Row:
    """Open an object in a browser, where somebody has one; gives the address."""
    if s.profile.embedded:
        raise UsageError("the sandbox has no apps", hint=f"dhis2 metadata get {resource.plural} {uid}")
    page = page_of(resource.plural, resource.singular, uid)
    if page is None:
        raise UsageError(
            f"no app that comes with DHIS2 shows {resource.plural}", hint=f"dhis2 metadata get {resource.plural} {uid}"
        )
    found = await s.client.get_object(f"{resource.plural}/{uid}", {"fields": "id,displayName"})
    address = f"{s.profile.url.rstrip('/')}/{page}"
    opened = await s.person.browse(address)
    s.person.note("opened in the browser" if opened else "no browser was opened: the address is below")
    return {"type": resource.plural, **found, "address": address}


@verb(
    "metadata search",
    effect="read",
    pinned=True,
    examples=["dhis2 metadata search bcg -o json", "%metadata search bcg"],
)
async def search(
    s: Session,
    query: Annotated[str, Doc("UID, part of one, code, or words of a name.")],
    *,
    types: Annotated[list[str], Doc("Only these types."), Complete("types")] = [],
    limit: Annotated[int, Bounds(1, 1000), Doc("Hits per type.")] = 50,
) -> Rows[SearchHit]:
    """Find metadata of any type by UID, part of a UID, code or words of a name.

    A server heeds accents: what it calls otherwise is found by the names that are kept on this machine.

    API source: `GET /api/metadata` with a filter, three requests at once, merged by UID.
    """
    plurals = [(await schema.resource_of(s.client, name)).plural for name in types]
    before = len(s.client.transport.sent)
    hits = await s.client.metadata.search(query, types=plurals, limit=sys.maxsize)
    everything = [SearchHit(type=hit.type, id=hit.id, name=hit.name, code=hit.code) for hit in hits]
    everything += await _with_other_accents(s, query, plurals, {hit.id for hit in hits}, limit)
    found, counts = list[SearchHit](), Counter[str]()
    for hit in everything:
        counts[hit.type] += 1
        if counts[hit.type] <= limit:
            found.append(hit)
    note = PageNote(len(found), len(everything), more=f"--limit {max(counts.values(), default=limit)} for every one")
    sent = Provenance(query=tuple(s.client.transport.sent[before:]))
    return Rows(found, columns=["type", "id", "name", "code"], page=note, provenance=sent)


async def _with_other_accents(
    s: Session, query: str, plurals: Sequence[str], found: Container[str], limit: int
) -> list[SearchHit]:
    """What the server calls `Maravélia` where `maravelia` is looked for, as it has it now."""
    from dhis2sh.index.names import index_of  # start-up: sqlite3 and completion, and a list looks nothing up

    kept = index_of(s.profile.name, s.profile.url)
    try:
        known = kept.search(query, types=plurals, limit=limit)
    finally:
        kept.close()
    uids = [hit.uid for hit in known if hit.uid not in found]
    words = folded(query).split()
    if not uids and not found:
        rows = await near(s, plurals, query)
        uids = [str(row["id"]) for row in rows if all(word in folded(str(row.get("name"))) for word in words)]
    if not uids:
        return []
    asked: dict[str, Param] = {"filter": f"id:in:[{','.join(uids[:MOST_ALIKE])}]", "fields": "id,name,code"}
    body = await s.client.get_object("metadata", {**asked, **dict.fromkeys(plurals, True)})
    hits = [
        SearchHit(plural, str(row["id"]), str(row["name"]), cast("str | None", row.get("code")))
        for plural, rows in body.items()
        if isinstance(rows, list)
        for row in cast("list[Row]", rows)
    ]
    return [hit for hit in hits if all(word in folded(f"{hit.name} {hit.code} {hit.id}") for word in words)][:limit]


@verb(
    "metadata types",
    effect="read",
    pinned=True,
    examples=["dhis2 metadata types", "%metadata types | where(shareable)"],
)
async def types_(s: Session) -> Rows[TypeRow]:
    """List the metadata types of the server's version."""
    resources = await schema.resources_of(s.client)
    rows = [
        TypeRow(
            type=plural, name=item.display_name, class_name=item.model, shareable=item.shareable,
            properties=len(item.properties),
        )
        for plural, item in sorted(resources.items())
    ]  # fmt: skip
    return Rows(rows, columns=["type", "name", "shareable", "properties"])


@verb(
    "metadata describe",
    effect="read",
    pinned=True,
    examples=["dhis2 metadata describe dataElements", "%metadata describe dataElements | where(required)"],
)
async def describe(s: Session, type: Type) -> Rows[PropertyRow]:
    """Show a type's properties: type, required, enum values and what references point to.

    API source: `GET /api/schemas/{type}`.
    """
    resource = await schema.resource_of(s.client, type)
    told = await s.client.get_object(f"schemas/{resource.singular}")
    rows = [_property(item) for item in cast("list[JsonObject]", told["properties"])]
    rows.sort(key=lambda row: (not row.required, not row.owner, row.property))
    return Rows(rows, columns=["property", "type", "required", "unique", "references", "values"])


def _property(item: JsonObject) -> PropertyRow:
    collection = bool(item.get("collection"))
    kind = str(item.get("itemPropertyType") if collection else item["propertyType"])
    klass = str(item.get("itemKlass") if collection else item["klass"]).rpartition(".")[2]
    length = cast("float | None", item.get("length"))
    return PropertyRow(
        property=str(item.get("collectionName") if collection else item["name"]),
        type=f"list of {kind}" if collection else kind,
        required=bool(item.get("required")),
        unique=bool(item.get("unique")),
        owner=bool(item.get("owner")),
        writable=bool(item.get("writable")),
        references=klass if kind in {"REFERENCE", "COMPLEX"} else None,
        values=cast("list[str]", item.get("constants") or []),
        max_length=int(length) if length and length < 2_000_000_000 else None,
    )


@verb(
    "metadata count",
    effect="read",
    pinned=True,
    examples=["dhis2 metadata count organisationUnits", "%metadata count dataElements"],
)
async def count(s: Session, type: Type, *, filter: Filter = []) -> Count:
    """Count the objects of a type, all of them or those that filters let through."""
    resource = await schema.resource_of(s.client, type)
    kept = checked(resource, await schema.types_of(s.client), filter)
    params: dict[str, Param] = {"fields": "id", "pageSize": 1, "filter": kept}
    page = await s.client.list_page(resource.plural, params)
    if page.total is None:
        raise NotFound(
            f"the server does not count {resource.plural}", hint=f"dhis2 metadata list {resource.plural} --all"
        )
    return Count(type=resource.plural, count=page.total)
