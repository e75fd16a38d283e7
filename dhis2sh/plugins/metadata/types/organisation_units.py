"""`metadata organisation-units tree|geometry|set-geometry`: the hierarchy, and where its units are; its levels are named by number.

`move`, `merge` and `split` are in `restructuring`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.attributes import geometry_attribute, geometry_in, with_geometry
from dhis2sh.metadata.geometry import Noticed, checked, features_of, outlined
from dhis2sh.metadata.types.units.holdings import UNITS
from dhis2sh.metadata.types.units.naming import name_features
from dhis2sh.metadata.types.units.restructuring import check_level
from dhis2sh.metadata.types.units.tree import DEEPEST, FITTING, Branch, tree_of
from dhis2sh.metadata.write import Write
from dhis2sh.rows import tables
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, verb
from dhis2sh.verbs.levels import number_of
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
    level: Annotated[
        str | None, Doc("Only units of this level: 2, or its name."), Complete("uids:organisationUnitLevels")
    ] = None,
    missing: Annotated[bool, Doc("Those without a geometry instead.")] = False,
) -> Rows[Row]:
    """List units with their geometry, or those that have none.

    API source: `GET /api/organisationUnits?fields=id,displayName,level,geometry`.
    """
    depth = await number_of(s, level)
    filters = [*([f"path:like:{parent}"] if parent else []), *([f"level:eq:{depth}"] if depth else [])]
    params: dict[str, Param] = {"fields": "id,displayName,level,geometry", "paging": False, "filter": filters}
    rows = (await s.client.list_page(UNITS, params)).rows
    if not rows and depth:
        await check_level(s, depth)
    rows = [row for row in rows if bool(row.get("geometry")) != missing]
    columns = ["id", "displayName", "level"] if missing else ["id", "displayName", "level", "geometry"]
    return Rows(rows, columns=columns, resource=UNITS)


@verb(
    "metadata organisation-units set-geometry",
    effect="write",
    examples=[
        "dhis2 metadata organisation-units set-geometry districts.geojson --dry-run",
        "dhis2 metadata organisation-units set-geometry districts.geojson --property ADM2_EN --level 3 --dry-run",
    ],
)
async def set_geometry(
    s: Session,
    file: Annotated[
        Source,
        Doc("GeoJSON whose features name units by UID, code or name, such as `geometry` writes; - is stdin."),
        Complete("files"),
    ],
    *,
    property: Annotated[
        str | None, Doc("What names the units in the features (`ADM2_EN`); found by itself where one does.")
    ] = None,
    level: Annotated[
        str | None, Doc("Only units of this level are meant: 2, or its name."), Complete("uids:organisationUnitLevels")
    ] = None,
    attribute: Annotated[
        str | None, Doc("Into this attribute, of value type GEOJSON, instead of the unit's own."), Refers("attributes")
    ] = None,
) -> Plan:
    """Give units the geometries of a GeoJSON file, whose rings and degrees are checked before.

    Raises `UsageError` with the feature that is wrong or names no unit, and for an attribute that holds no geometry.

    API source: `PATCH /api/organisationUnits/{uid}`, `POST /api/metadata`.
    """
    where = tables.name_of(file)
    features = features_of(tables.read_text(file, s.person.read), where)
    target = await geometry_attribute(s, attribute) if attribute is not None else None
    named = await name_features(s, features, where, property=property, level=await number_of(s, level))
    noticed, shapes = Noticed(), dict[str, JsonObject]()
    of_unit: dict[str, str] = {}
    bare: list[str] = []
    for feature, text in zip(features, named.texts, strict=True):
        if feature.geometry is None or text is None:
            bare.append(text or f"feature {feature.number}")
            continue
        uid = named.uids[text]
        if uid in shapes:
            raise UsageError(f"{where}: {of_unit[uid]} and {text} are the same unit", hint="one feature for each unit")
        of_unit[uid] = text
        shapes[uid] = checked(feature.geometry, f"feature {feature.number} of {where} ('{text}')", text, noticed)
    found = await writes.read_objects(s, UNITS, [*shapes])
    changes = [_placed(unit, shapes[str(unit["id"])], attribute) for unit in found]
    notes = [f"{counted(len(bare), 'feature')} without a geometry left out: {listed(bare)}"] if bare else []
    if named.property not in {None, "id", "code", "name", property}:
        notes.append(f"units named by {named.property}")
    what = f"'{target.get('name')}'" if target is not None else "the geometry"
    title = f"set {what} of {counted(len(found), 'unit')}"
    return writes.plan(title, changes, what=UNITS, notes=[*notes, *noticed.notes()])


def _placed(unit: JsonObject, shape: JsonObject, attribute: str | None) -> Write:
    """The write that gives a unit a geometry, or an attribute's value of it."""
    before: JsonObject | None
    after: JsonObject
    if attribute is None:
        before, after = cast("JsonObject | None", unit.get("geometry")), {**unit, "geometry": shape}
    else:
        before, after = geometry_in(unit, attribute), with_geometry(unit, attribute, shape)
    detail = f"{outlined(shape)} {f'instead of {outlined(before)}' if before else 'where there was none'}"
    return Write(UNITS, unit, after, detail=detail)


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
