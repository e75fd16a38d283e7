"""`metadata organisation-units tree|geometry|set-geometry`: the hierarchy, and where its units are.

`move`, `merge` and `split` are in `restructuring`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan
from dhis2sh.dhis2.geometry import shape_of
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.holdings import UNITS
from dhis2sh.metadata.writes import Write
from dhis2sh.plugins.metadata.types import restructuring  # declares move, merge and split
from dhis2sh.rows import tables
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.show import trees
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, verb
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

FITTING = 40
"""A tree without `--depth` goes as deep as this many lines show, and one level at the least."""
DEEPEST = 20


class Branch(BaseModel):
    """A unit with the units below it; those of a folded branch are only counted."""

    id: str
    name: str
    level: int
    below: int
    children: list[Branch] = []

    def tree(self) -> trees.Branch:
        """The units as a tree, with how much of it is folded."""
        drawn, shown = _drawn(self), _drawn_units(self)
        if shown < self.below:
            drawn.foot = f"({shown:,} of {counted(self.below, 'unit')} below; --depth {_depth(self) + 1} shows more)"
        return drawn

    def line(self) -> str:
        """The tree as text."""
        return trees.text(self.tree())


def _drawn(branch: Branch) -> trees.Branch:
    folded = f"({branch.below:,} below)" if branch.below and not branch.children else ""
    uid = f"[{branch.id}]" if branch.id else ""
    children = [_drawn(child) for child in branch.children]
    return trees.Branch(branch.name, aside="  ".join(part for part in (uid, folded) if part), children=children)


def _drawn_units(branch: Branch) -> int:
    return sum(1 + _drawn_units(child) for child in branch.children)


def _depth(branch: Branch) -> int:
    return max((1 + _depth(child) for child in branch.children), default=0)


@verb(
    "metadata organisation-units tree",
    effect="read",
    examples=["dhis2 metadata organisation-units tree --depth 2", "%metadata organisation-units tree Bo"],
)
async def tree(
    s: Session,
    unit: Annotated[str | None, Doc("Begin at this unit; at the top without it."), Refers(UNITS)] = None,
    *,
    depth: Annotated[
        int | None, Bounds(1, DEEPEST), Doc(f"How many levels below it; without it as many as {FITTING} lines show.")
    ] = None,
) -> Branch:
    """Draw the hierarchy from a unit on, with how many units are below what is not drawn.

    API source: `GET /api/organisationUnits?fields=id,displayName,level,path`.
    """
    params: dict[str, Param] = {"fields": "id,displayName,level,path", "paging": False, "order": "displayName:iasc"}
    if unit is not None:
        params["filter"] = f"path:like:{unit}"
    rows = (await s.client.list_page(UNITS, params)).rows
    children: dict[str, list[Row]] = {}
    known = {str(row["id"]) for row in rows}
    tops: list[Row] = []
    for row in rows:
        above = str(row.get("path") or "").strip("/").split("/")[:-1]
        if row["id"] == unit or (unit is None and (not above or above[-1] not in known)):
            tops.append(row)
        elif above:
            children.setdefault(above[-1], []).append(row)
    if not tops:
        where = f" {unit}" if unit else "s"
        raise NotFound(f"there is no organisation unit{where}", hint="dhis2 metadata list organisationUnits")
    sizes = _sizes(rows)
    levels = depth or _fitting([str(row["id"]) for row in tops], children)
    drawn = [_branch(row, children, sizes, levels) for row in tops]
    return drawn[0] if len(drawn) == 1 else Branch(
        id="", name="organisation units", level=0, below=len(rows), children=drawn
    )  # fmt: skip


def _sizes(rows: Sequence[Row]) -> dict[str, int]:
    """How many units are below each one."""
    sizes: dict[str, int] = {}
    for row in rows:
        for above in str(row.get("path") or "").strip("/").split("/")[:-1]:
            sizes[above] = sizes.get(above, 0) + 1
    return sizes


def _fitting(ring: list[str], children: Mapping[str, Sequence[Row]]) -> int:
    """How many whole levels below the top fit on a screen; one at the least."""
    lines, depth = len(ring), 0
    while ring and depth < DEEPEST:
        ring = [str(child["id"]) for uid in ring for child in children.get(uid, ())]
        lines += len(ring)
        if depth and (lines > FITTING or not ring):
            break
        depth += 1
    return depth


def _branch(row: Row, children: Mapping[str, Sequence[Row]], sizes: Mapping[str, int], depth: int) -> Branch:
    uid = str(row["id"])
    return Branch(
        id=uid, name=str(row.get("displayName")), level=cast("int", row.get("level") or 0), below=sizes.get(uid, 0),
        children=[_branch(child, children, sizes, depth - 1) for child in children.get(uid, ())] if depth else [],
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
    parent: Annotated[str | None, Doc("Only this unit and those below it."), Refers(UNITS)] = None,
    level: Annotated[int | None, Bounds(1, DEEPEST), Doc("Only units of this level.")] = None,
    missing: Annotated[bool, Doc("Those without a geometry instead.")] = False,
) -> Rows[Row]:
    """List units with their geometry, or those that have none.

    API source: `GET /api/organisationUnits?fields=id,displayName,level,geometry`.
    """
    filters = [*([f"path:like:{parent}"] if parent else []), *([f"level:eq:{level}"] if level else [])]
    params: dict[str, Param] = {"fields": "id,displayName,level,geometry", "paging": False, "filter": filters}
    rows = (await s.client.list_page(UNITS, params)).rows
    if not rows and level:
        await restructuring.check_level(s, level)
    rows = [row for row in rows if bool(row.get("geometry")) != missing]
    columns = ["id", "displayName", "level"] if missing else ["id", "displayName", "level", "geometry"]
    return Rows(rows, columns=columns, resource=UNITS)


SHAPES = ("Point", "Polygon", "MultiPolygon")
"""The geometries that DHIS2 draws for a unit."""


@verb(
    "metadata organisation-units set-geometry",
    effect="write",
    examples=["dhis2 metadata organisation-units set-geometry districts.geojson --dry-run"],
)
async def set_geometry(
    s: Session,
    file: Annotated[
        Path,
        Doc("GeoJSON whose features name units by id, code or name, such as `geometry` writes; - is stdin."),
        Complete("files"),
    ],
) -> Plan:
    """Give units the geometries of a GeoJSON file.

    API source: `PATCH /api/organisationUnits/{uid}`, `POST /api/metadata`.
    """
    from dhis2sh.verbs import names

    where = tables.name_of(file)
    shapes, bare = _shapes(_features(tables.read_text(file, s.stdin), where), where)
    uids = await names.resolve_all(s, UNITS, shapes)
    texts = {uid: [text for text in shapes if uids[text] == uid] for uid in uids.values()}
    doubled = next((named for named in texts.values() if len(named) > 1), None)
    if doubled:
        raise UsageError(f"{where}: {' and '.join(doubled)} are the same unit", hint="one feature for each unit")
    found = await writes.read_objects(s, UNITS, [*texts])
    changes: list[Write] = []
    for unit in found:
        shape, before = shapes[texts[str(unit["id"])][0]], cast("JsonObject | None", unit.get("geometry"))
        detail = f"{_outlined(shape)} {f'instead of {_outlined(before)}' if before else 'where there was none'}"
        changes.append(Write(UNITS, unit, {**unit, "geometry": shape}, detail=detail))
    notes = [f"{counted(len(bare), 'feature')} without a geometry left out: {listed(bare)}"] if bare else []
    return writes.plan(f"set the geometry of {counted(len(found), 'unit')}", changes, what=UNITS, notes=notes)


def _features(text: str, where: str) -> list[JsonObject]:
    """The features of a GeoJSON text; an array of rows is read as features too. Raises `UsageError`."""
    try:
        body = cast("JsonValue", json.loads(text))
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}", hint="a GeoJSON file") from None
    if isinstance(body, dict):
        body = [body] if body.get("type") == "Feature" else body.get("features")
    features = [item for item in body if isinstance(item, dict)] if isinstance(body, list) else []
    if not features:
        raise UsageError(f"{where} has no features", hint='GeoJSON: {"type": "FeatureCollection", "features": [...]}')
    return features


def _shapes(features: Sequence[JsonObject], where: str) -> tuple[dict[str, JsonObject], list[str]]:
    """The geometries by what names their unit, and the names of features that have none.

    Raises `UsageError` with the feature that is wrong.
    """
    shapes: dict[str, JsonObject] = {}
    bare: list[str] = []
    for number, feature in enumerate(features, 1):
        named = {**cast("JsonObject", feature.get("properties") or {}), **feature}
        text = next((value for key in ("id", "code", "name") if isinstance(value := named.get(key), str)), None)
        if text is None:
            raise UsageError(
                f"feature {number} of {where} names no unit", hint="its id, or one of its properties id, code, name"
            )
        shape = feature.get("geometry")
        if not isinstance(shape, dict):
            bare.append(text)
            continue
        if text in shapes:
            raise UsageError(f"{where}: '{text}' is there twice", hint="one feature for each unit")
        _check_shape(shape, f"feature {number} of {where} ('{text}')")
        shapes[text] = shape
    return shapes, bare


def _check_shape(shape: JsonObject, where: str) -> None:
    """Raise `UsageError` for a shape that is none of a unit, or is not on earth."""
    if shape.get("type") not in SHAPES:
        raise UsageError(
            f"{where} is a {shape.get('type')}", hint=f"a unit is a {', '.join(SHAPES[:-1])} or {SHAPES[-1]}"
        )
    if shape_of(where, shape) is None:
        raise UsageError(
            f"{where} has coordinates that are no place on earth", hint="longitude first, then latitude, in degrees"
        )


def _outlined(shape: JsonObject) -> str:
    """A shape in words: `a Polygon of 238 points`."""
    read = shape_of("", shape)
    if read is None or shape.get("type") == "Point":
        return f"a {shape.get('type')}"
    return f"a {shape.get('type')} of {counted(sum(1 for _ in read.vertices()), 'point')}"
