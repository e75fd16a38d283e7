"""`metadata organisation-units tree|move|merge|split|geometry`: the hierarchy, and what changes its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import BaseModel

from dhis2sh import writes
from dhis2sh.errors import UsageError
from dhis2sh.results import Plan, PlanStep, Rows, WriteSummary
from dhis2sh.session import Session
from dhis2sh.tables import read_object
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs import Bounds, Complete, Doc, Piped, Refers, applies, verb
from dhis2sh.writes import Write

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

UNITS = "organisationUnits"
Unit = Annotated[str, Doc("UID, code or unique name of a unit."), Refers(UNITS)]
Units = Annotated[Rows[Row], Piped(), Doc("UIDs, codes or unique names; rows of a pipeline."), Refers(UNITS)]
Keep = Annotated[
    Literal["last-updated", "discard"], Doc("Where both have a value: the newest stays, or the source's goes.")
]
KEPT = {"last-updated": "LAST_UPDATED", "discard": "DISCARD"}


class Branch(BaseModel):
    """A unit with the units below it."""

    id: str
    name: str
    level: int
    below: int
    children: list[Branch] = []

    def line(self) -> str:
        """The tree as text."""
        return "\n".join([_label(self), *_drawn(self, "")])


def _label(branch: Branch) -> str:
    hidden = f"  ({branch.below:,} below)" if branch.below and not branch.children else ""
    return f"{branch.name} [{branch.id}]{hidden}"


def _drawn(branch: Branch, lead: str) -> Iterator[str]:
    for number, child in enumerate(branch.children):
        last = number == len(branch.children) - 1
        yield f"{lead}{'└── ' if last else '├── '}{_label(child)}"
        yield from _drawn(child, lead + ("    " if last else "│   "))


@verb(
    "metadata organisation-units tree",
    effect="read",
    examples=["dhis2 metadata organisation-units tree --depth 2", "%metadata organisation-units tree Bo"],
)
async def tree(
    s: Session,
    unit: Annotated[str | None, Doc("Begin at this unit; at the top without it."), Refers(UNITS)] = None,
    *,
    depth: Annotated[int, Bounds(1, 20), Doc("How many levels below it.")] = 2,
) -> Branch:
    """Draw the hierarchy from a unit on, with how many units are below what is not drawn.

    API source: `GET /api/organisationUnits?fields=id,name,level,path`.
    """
    params: dict[str, Param] = {"fields": "id,displayName,level,path", "paging": False, "order": "displayName:asc"}
    if unit is not None:
        params["filter"] = f"path:like:{unit}"
    rows = (await s.client.list_page(UNITS, params)).rows
    tops = [row for row in rows if (row["id"] == unit if unit else row.get("level") == 1)]
    if not tops:
        raise UsageError("there are no organisation units", hint="dhis2 sandbox seed, or dhis2 metadata import FILE")
    children: dict[str, list[Row]] = {}
    for row in rows:
        steps = str(row.get("path") or "").strip("/").split("/")
        if len(steps) > 1:
            children.setdefault(steps[-2], []).append(row)
    if len(tops) == 1:
        return _branch(tops[0], children, depth)
    return Branch(
        id="", name="organisation units", level=0, below=len(rows), children=[_branch(t, children, depth) for t in tops]
    )


def _branch(row: Row, children: Mapping[str, Sequence[Row]], depth: int) -> Branch:
    uid = str(row["id"])
    below = children.get(uid, ())
    return Branch(
        id=uid, name=str(row.get("displayName")), level=cast("int", row.get("level") or 0), below=_size(uid, children),
        children=[_branch(child, children, depth - 1) for child in below] if depth else [],
    )  # fmt: skip


def _size(uid: str, children: Mapping[str, Sequence[Row]]) -> int:
    count, ring = 0, [uid]
    while ring:
        ring = [str(child["id"]) for one in ring for child in children.get(one, ())]
        count += len(ring)
    return count


@verb(
    "metadata organisation-units move",
    effect="destroy",
    examples=["dhis2 metadata organisation-units move 'Njala CHC' --to Kono --dry-run"],
)
async def move(s: Session, units: Units, *, to: Annotated[str, Doc("The new parent."), Refers(UNITS)]) -> Plan:
    """Put units under another parent, with all that is below them.

    A unit cannot go below itself; that is refused here, since a server of 2.42 fails on it.

    API source: `PATCH /api/organisationUnits/{uid}`, the property `parent` (E1520-E1523).
    """
    from dhis2sh.plugins.metadata.writing import uids_of

    found = await writes.read_objects(s, UNITS, uids_of(units))
    parent = await s.client.get_object(f"{UNITS}/{to}", {"fields": "id,displayName,path,level"})
    above = str(parent.get("path"))
    inside = [unit for unit in found if f"/{unit['id']}" in above]
    if inside:
        raise UsageError(
            f"{inside[0]['name']} [{inside[0]['id']}] cannot go below itself: {parent['displayName']} is inside it",
            hint=f"dhis2 metadata organisation-units tree {inside[0]['id']}",
        )
    changes = [Write(UNITS, unit, {**unit, "parent": {"id": to}}) for unit in found]
    return writes.plan(f"move {len(found):,} units below {parent['displayName']} [{to}]", changes, what=UNITS)


applies(move)(writes.apply)


async def _held(s: Session, uids: Sequence[str]) -> list[str]:
    """What hangs on units, in words: children, data sets, programs, groups, users."""
    body = await s.client.list_page(
        UNITS,
        {
            "filter": f"id:in:[{','.join(uids)}]",
            "fields": "id,displayName,children~size,dataSets~size,programs~size,organisationUnitGroups~size,users~size",
            "paging": False,
        },
    )
    words = ("children", "dataSets", "programs", "organisationUnitGroups", "users")
    return [
        f"{row['displayName']}: " + ", ".join(f"{row[word]:,} {word}" for word in words if row.get(word))
        for row in body.rows
        if any(row.get(word) for word in words)
    ]


@verb(
    "metadata organisation-units merge",
    effect="destroy",
    examples=["dhis2 metadata organisation-units merge 'Bo Old CHC' --into 'Bo New CHC' --dry-run"],
)
async def merge(
    s: Session,
    sources: Units,
    *,
    into: Annotated[str, Doc("The unit that takes everything over."), Refers(UNITS)],
    data_values: Keep = "last-updated",
    approvals: Keep = "last-updated",
    keep_sources: Annotated[bool, Doc("Keep the emptied units.")] = False,
) -> Plan:
    """Merge units into one: data, events, enrollments, assignments and users go over.

    A server cannot take this back.

    API source: `POST /api/organisationUnits/merge` (E1500-E1506).
    """
    from dhis2sh.plugins.metadata.writing import uids_of

    uids = uids_of(sources)
    if into in uids:
        raise UsageError("a unit cannot be merged into itself", hint="--into another unit")
    body: JsonObject = {
        "sources": cast("JsonValue", uids), "target": into, "dataValueMergeStrategy": KEPT[data_values],
        "dataApprovalMergeStrategy": KEPT[approvals], "deleteSources": not keep_sources,
    }  # fmt: skip
    action: Literal["update", "delete"] = "update" if keep_sources else "delete"
    steps = [PlanStep(action, UNITS, uid=uid, detail=f"goes into {into}") for uid in uids]
    notes = [*await _held(s, [*uids, into]), "this cannot be undone"]
    return Plan(f"merge {len(uids):,} units into {into}", steps, notes=notes, payload=("merge", body))


@applies(merge)
async def _(s: Session, plan: Plan) -> WriteSummary:
    return await _restructured(s, plan)


@verb(
    "metadata organisation-units split",
    effect="destroy",
    examples=["dhis2 metadata organisation-units split 'Bo CHC' 'Bo North' 'Bo South' --primary 'Bo North' --dry-run"],
)
async def split(
    s: Session,
    source: Unit,
    targets: Units,
    *,
    primary: Annotated[
        str | None, Doc("The target that takes the data over; the first without it."), Refers(UNITS)
    ] = None,
    keep_source: Annotated[bool, Doc("Keep the emptied unit.")] = False,
) -> Plan:
    """Split a unit into others: all get its assignments, the primary one its data.

    A server cannot take this back.

    API source: `POST /api/organisationUnits/split` (E1510-E1516).
    """
    from dhis2sh.plugins.metadata.writing import uids_of

    uids = uids_of(targets)
    first = primary or uids[0]
    if first not in uids or source in uids:
        raise UsageError("the primary unit is one of the targets, and the source is none", hint="--primary TARGET")
    body: JsonObject = {
        "source": source, "targets": cast("JsonValue", uids), "primaryTarget": first, "deleteSource": not keep_source,
    }  # fmt: skip
    steps = [PlanStep("update", UNITS, uid=uid, detail="takes the data" if uid == first else None) for uid in uids]
    if not keep_source:
        steps.append(PlanStep("delete", UNITS, uid=source))
    notes = [*await _held(s, [source]), "this cannot be undone"]
    return Plan(f"split {source} into {len(uids):,} units", steps, notes=notes, payload=("split", body))


@applies(split)
async def _(s: Session, plan: Plan) -> WriteSummary:
    return await _restructured(s, plan)


async def _restructured(s: Session, plan: Plan) -> WriteSummary:
    word, body = cast("tuple[str, JsonObject]", plan.payload)
    answer = await s.client.post(f"{UNITS}/{word}", body)
    gone = sum(step.action == "delete" for step in plan.steps)
    return WriteSummary(
        UNITS, updated=len(plan.steps) - gone, deleted=gone, uids=[step.uid or "" for step in plan.steps],
        envelope=answer if isinstance(answer, dict) else None,
    )  # fmt: skip


@verb(
    "metadata organisation-units geometry",
    effect="read",
    examples=[
        "dhis2 metadata organisation-units geometry --level 2 --out districts.geojson",
        "%metadata organisation-units geometry --level 4 | map",
    ],
)
async def geometry(
    s: Session,
    *,
    parent: Annotated[str | None, Doc("Only units below this one."), Refers(UNITS)] = None,
    level: Annotated[int | None, Bounds(1, 20), Doc("Only units of this level.")] = None,
    missing: Annotated[bool, Doc("Those without a geometry instead.")] = False,
) -> Rows[Row]:
    """List units with their geometry, or those that have none.

    API source: `GET /api/organisationUnits?fields=id,displayName,level,geometry`.
    """
    filters = [*([f"path:like:{parent}"] if parent else []), *([f"level:eq:{level}"] if level else [])]
    params: dict[str, Param] = {"fields": "id,displayName,level,geometry", "paging": False, "filter": filters}
    rows = [row for row in (await s.client.list_page(UNITS, params)).rows if bool(row.get("geometry")) != missing]
    columns = ["id", "displayName", "level"] if missing else ["id", "displayName", "level", "geometry"]
    return Rows(rows, columns=columns, resource=UNITS)


@verb(
    "metadata organisation-units set-geometry",
    effect="write",
    examples=["dhis2 metadata organisation-units set-geometry districts.geojson --dry-run"],
)
async def set_geometry(
    s: Session, file: Annotated[Path, Doc("GeoJSON; each feature's id, code or name names a unit."), Complete("files")]
) -> Plan:
    """Give units the geometries of a GeoJSON file.

    API source: `PATCH /api/organisationUnits/{uid}`, `POST /api/metadata`.
    """
    from dhis2sh import names

    body = read_object(file)
    features = [item for item in cast("list[JsonObject]", body.get("features") or []) if item.get("geometry")]
    texts: dict[str, JsonValue] = {}
    for number, feature in enumerate(features):
        properties = cast("JsonObject", feature.get("properties") or {})
        text = feature.get("id") or properties.get("id") or properties.get("code") or properties.get("name")
        if not isinstance(text, str):
            raise UsageError(
                f"feature {number + 1} of {file.name} names no unit", hint="its id, or properties id, code, name"
            )
        texts[text] = feature["geometry"]
    uids = await names.resolve_all(s, UNITS, texts)
    found = await writes.read_objects(s, UNITS, [uids[text] for text in texts])
    geometries = {uids[text]: value for text, value in texts.items()}
    changes = [Write(UNITS, unit, {**unit, "geometry": geometries[str(unit["id"])]}) for unit in found]
    return writes.plan(f"set the geometry of {len(found):,} units", changes, what=UNITS)


applies(set_geometry)(writes.apply)
