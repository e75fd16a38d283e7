"""`metadata what|usage|graph`: what a UID is, where it is used, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, cast

from dhis2_models import facts
from pydantic import BaseModel

from dhis2sh.bundles.graph import Graph, graph_of
from dhis2sh.bundles.walk import Walk
from dhis2sh.client.references import label
from dhis2sh.client.usage import Usage, Use
from dhis2sh.errors import NotFound
from dhis2sh.results import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs import Bounds, Complete, Doc, verb

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

Any_ = Annotated[str, Doc("A UID of any type, a code or a unique name."), Complete("uids")]
COUNTED_VALUES = 1000
"""So many data values are asked for to say whether there are any: about 100 kB."""
TELLING = ("valueType", "domainType", "aggregationType", "periodType", "categoryCombo", "level", "parent", "program",
           "optionSet", "trackedEntityType", "programType", "indicatorType", "type", "username")  # fmt: skip
"""Properties that say most about an object, whatever its type."""


class UsedBy(BaseModel):
    """How many objects of a type use it, and by which properties."""

    type: str
    count: int
    paths: list[str]


class Identity(BaseModel):
    """What a UID is."""

    type: str
    id: str
    name: str
    code: str | None = None
    part_of: str | None = None
    facts: dict[str, JsonValue] = {}
    public: str | None = None
    used_by: list[UsedBy] = []
    data_values: int | None = None
    more_data_values: bool = False

    def line(self) -> str:
        """The object in words."""
        lines = [f"{self.type} '{self.name}' [{self.id}]{f'  code {self.code}' if self.code else ''}"]
        if self.part_of:
            lines.append(f"  part of {self.part_of}")
        told = " · ".join(f"{name} {value}" for name, value in self.facts.items())
        lines += [f"  {told}"] if told else []
        lines += [f"  public {self.public}"] if self.public else []
        uses = ", ".join(f"{use.count:,} {use.type}" for use in self.used_by)
        lines.append(f"  used by {uses}" if uses else "  used by nothing that its types can refer with")
        if self.data_values is not None:
            least = "at least " if self.more_data_values else ""
            lines.append(f"  {least}{self.data_values:,} data values")
        return "\n".join(lines)


class UseRow(BaseModel):
    """One object that uses another."""

    type: str
    id: str
    name: str
    by: str


async def version_types(s: Session) -> Mapping[str, Resource]:
    """Every type of the server's version, by plural."""
    return facts.types((await s.client.version()).models)


async def _found(s: Session, text: str) -> tuple[str, JsonObject, str | None]:
    """An object of any type by UID, code or name: its plural, itself, and what it is part of. Raises `NotFound`."""
    from dhis2sh import names

    types = await version_types(s)
    uid = text if names.certain(text) else await names.resolve(s, "*", text)
    kinds = await Walk(s.client, types).types_of([uid])
    if uid in kinds:
        plural = kinds[uid]
        return plural, await s.client.get_object(f"{plural}/{uid}", {"fields": ":owner"}), None
    held = await Usage(s.client, types).owner_of(uid)
    if held is not None:
        plural, owner, path = held
        kind = types[plural].properties[path].target or path
        return kind, {"id": uid}, f"{plural} '{owner['name']}' [{owner['id']}]"
    try:
        body = await s.client.find(uid)
    except NotFound:
        raise NotFound(f"nothing on this server has the UID {uid}", hint=f"dhis2 metadata search {uid[:5]}") from None
    parts = str(body.get("href", "")).rsplit("/", 2)
    return (parts[-2] if len(parts) == 3 else "objects"), body, None


def _telling(body: JsonObject) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {}
    for name in TELLING:
        value = body.get(name)
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        if value not in (None, "", []):
            told[name] = value
    return told


def _counted(uses: list[Use]) -> list[UsedBy]:
    kinds: dict[str, list[Use]] = {}
    for use in uses:
        kinds.setdefault(use.type, []).append(use)
    rows = [
        UsedBy(type=kind, count=len({use.uid for use in found}), paths=sorted({use.path for use in found}))
        for kind, found in kinds.items()
    ]
    return sorted(rows, key=lambda row: (-row.count, row.type))


@verb("metadata what", effect="read", examples=["dhis2 metadata what s46m5MS0hxu", "%metadata what 'Child Health'"])
async def what(s: Session, uid: Any_) -> Identity:
    """Say what a UID is: type, name, telling properties, where it is used, and whether it has data.

    API source: `GET /api/metadata` with filters, `GET /api/identifiableObjects/{uid}`, `GET /api/dataValueSets`.
    """
    plural, body, part_of = await _found(s, uid)
    found = str(body["id"])
    types = await version_types(s)
    names = await _names(s, body)
    uses = await Usage(s.client, types).of(plural, found) if part_of is None and plural in types else []
    values = await _values(s, found) if plural == "dataElements" else None
    sharing = cast("JsonObject", body.get("sharing") or {})
    return Identity(
        type=plural,
        id=found,
        name=label(body),
        code=cast("str | None", body.get("code")),
        part_of=part_of,
        facts={name: names.get(str(value), value) for name, value in _telling(body).items()},
        public=cast("str | None", sharing.get("public")),
        used_by=_counted(uses),
        data_values=values,
        more_data_values=values is not None and values >= COUNTED_VALUES,
    )


async def _names(s: Session, body: JsonObject) -> dict[str, str]:
    """The names of what the telling properties refer to."""
    uids = [str(value["id"]) for name in TELLING if isinstance(value := body.get(name), dict) and "id" in value]
    if not uids:
        return {}
    found = await s.client.get_object("metadata", {"filter": f"id:in:[{','.join(uids)}]", "fields": "id,name"})
    rows = [row for value in found.values() if isinstance(value, list) for row in cast("list[JsonObject]", value)]
    return {str(row["id"]): label(row) for row in rows}


async def _values(s: Session, uid: str) -> int | None:
    """How many data values an element has, counted to `COUNTED_VALUES`; None where the user may not look."""
    from dhis2sh.errors import Forbidden, Refused

    roots = await s.client.list_page("organisationUnits", {"filter": "level:eq:1", "fields": "id", "paging": False})
    params = {
        "dataElement": uid,
        "orgUnit": [str(row["id"]) for row in roots.rows],
        "children": True,
        "startDate": "1900-01-01",
        "endDate": "2100-12-31",
        "limit": COUNTED_VALUES,
    }
    try:
        answer = await s.client.get_object("dataValueSets", params)
    except (Refused, Forbidden, NotFound) as error:
        s.reporter.warn(f"data values could not be counted: {error}")
        return None
    return len(cast("list[JsonValue]", answer.get("dataValues") or []))


@verb(
    "metadata usage", effect="read", examples=["dhis2 metadata usage s46m5MS0hxu", "%metadata usage 'BCG doses given'"]
)
async def usage(s: Session, uid: Any_) -> Rows[UseRow]:
    """List every object that uses another one, by which property; expressions are looked into.

    API source: `GET /api/metadata` with one filter for each type.
    """
    plural, body, _ = await _found(s, uid)
    asked = Usage(s.client, await version_types(s))
    uses = await asked.of(plural, str(body["id"]))
    for path in asked.not_asked:
        s.reporter.warn(f"the server cannot be asked by {path}; uses there are not listed")
    rows = [UseRow(type=use.type, id=use.uid, name=use.name, by=use.path) for use in uses]
    return Rows(rows, columns=["type", "id", "name", "by"])


@verb(
    "metadata graph",
    effect="read",
    examples=["dhis2 metadata graph 'Child Health'", "dhis2 metadata graph BfMAe6Itzgt --style mermaid"],
)
async def graph(
    s: Session,
    uid: Any_,
    *,
    style: Annotated[Literal["tree", "dot", "mermaid"], Doc("As a tree, for Graphviz, or for Mermaid.")] = "tree",
    depth: Annotated[int, Bounds(1, 20), Doc("How many arrows deep.")] = 4,
    fold: Annotated[int, Bounds(0, 1000), Doc("Draw at the most so many of one type below another; 0 draws all.")] = 12,
    org_units: Annotated[bool, Doc("Follow references to organisation units too.")] = False,
) -> Graph:
    """Draw what an object needs: its references, theirs, and so on.

    API source: `GET /api/{type}` with `fields=:owner`, many objects a request.
    """
    plural, body, _ = await _found(s, uid)
    types = await version_types(s)
    gathered = await Walk(s.client, types, places=org_units).gather([(plural, str(body["id"]))])
    return graph_of(gathered.bundle, types, (plural, str(body["id"])), depth=depth, style=style, fold=fold)
