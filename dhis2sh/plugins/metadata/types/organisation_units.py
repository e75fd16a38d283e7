"""`metadata organisation-units tree|geometry|set-geometry`: the hierarchy, and where its units are; its levels are named by number.

`move`, `merge` and `split` are in `restructuring`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.units.geometry import features_of, outlined, shapes_of
from dhis2sh.metadata.types.units.holdings import UNITS
from dhis2sh.metadata.types.units.restructuring import check_level
from dhis2sh.metadata.types.units.tree import DEEPEST, FITTING, Branch, tree_of
from dhis2sh.metadata.writes import Write
from dhis2sh.rows import tables
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, verb
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param


LEVELS = "organisationUnitLevels"


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
    return await tree_of(s, unit, depth)


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
        await check_level(s, level)
    rows = [row for row in rows if bool(row.get("geometry")) != missing]
    columns = ["id", "displayName", "level"] if missing else ["id", "displayName", "level", "geometry"]
    return Rows(rows, columns=columns, resource=UNITS)


@verb(
    "metadata organisation-units set-geometry",
    effect="write",
    examples=["dhis2 metadata organisation-units set-geometry districts.geojson --dry-run"],
)
async def set_geometry(
    s: Session,
    file: Annotated[
        Source,
        Doc("GeoJSON whose features name units by id, code or name, such as `geometry` writes; - is stdin."),
        Complete("files"),
    ],
) -> Plan:
    """Give units the geometries of a GeoJSON file.

    API source: `PATCH /api/organisationUnits/{uid}`, `POST /api/metadata`.
    """
    where = tables.name_of(file)
    shapes, bare = shapes_of(features_of(tables.read_text(file, s.person.read), where), where)
    uids = await names.resolve_all(s, UNITS, shapes)
    texts = {uid: [text for text in shapes if uids[text] == uid] for uid in uids.values()}
    doubled = next((named for named in texts.values() if len(named) > 1), None)
    if doubled:
        raise UsageError(f"{where}: {' and '.join(doubled)} are the same unit", hint="one feature for each unit")
    found = await writes.read_objects(s, UNITS, [*texts])
    changes: list[Write] = []
    for unit in found:
        shape, before = shapes[texts[str(unit["id"])][0]], cast("JsonObject | None", unit.get("geometry"))
        detail = f"{outlined(shape)} {f'instead of {outlined(before)}' if before else 'where there was none'}"
        changes.append(Write(UNITS, unit, {**unit, "geometry": shape}, detail=detail))
    notes = [f"{counted(len(bare), 'feature')} without a geometry left out: {listed(bare)}"] if bare else []
    return writes.plan(f"set the geometry of {counted(len(found), 'unit')}", changes, what=UNITS, notes=notes)


@verb(
    "metadata organisation-unit-levels rename",
    effect="write",
    examples=["dhis2 metadata organisation-unit-levels rename 2 District"],
)
async def rename_level(
    s: Session,
    level: Annotated[str, Doc("The level's number, 1 is the top; or its UID or name.")],
    name: Annotated[str, Doc("Its new name.")],
) -> Plan:
    """Name a level of the hierarchy; one that has no name yet gets one.

    Raises `UsageError` for a level that the hierarchy has not, and for a name that another level has.

    API source: `PATCH /api/organisationUnitLevels/{uid}`, `POST /api/organisationUnitLevels`.
    """
    known = await writes.read_all(s, LEVELS, ())
    if level.isdigit():
        before = next((row for row in known if row.get("level") == int(level)), None)
        if before is None:
            await check_level(s, int(level))
    else:
        uid = await names.resolve(s, LEVELS, level)
        before = next(row for row in known if row["id"] == uid)
    number = before["level"] if before else int(level)
    other = next((row for row in known if row.get("name") == name and row is not before), None)
    if other is not None:
        raise UsageError(f"level {other.get('level')} is called '{name}' already", hint="choose another name")
    after: JsonObject = {**(before or {"id": generate_uid(), "level": number}), "name": name}
    return writes.plan(f"call level {number} '{name}'", [Write(LEVELS, before, after)], what=LEVELS)
