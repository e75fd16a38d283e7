"""The hierarchy: drawn, moved, merged, split, and put on the map; levels."""

import json
import re
from pathlib import Path

import pytest

from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import Forbidden, NotFound, Refused, UsageError
from dhis2sh.metadata.types.units.tree import Branch
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.session import Session
from dhis2sh.show.render import html, text
from dhis2sh.verbs.registry import find
from tests.metadata.calls import YES, call, planned
from tests.shared import needs_shared

UNITS = "metadata organisation-units"


def told(plan: Plan) -> str:
    """All that a plan says."""
    return "\n".join([plan.title, *(f"{step.name} {step.words()}" for step in plan.steps), *plan.notes])


# Tree --------------------------------------------------------------------------------------------------------------


async def test_the_hierarchy_is_drawn(session: Session):
    tree = await call(session, f"{UNITS} tree", depth=2)
    assert isinstance(tree, Branch)
    assert text(tree).splitlines() == [
        "Country [ouCountry01]",
        "├── Bo [ouDistrict1]",
        "│   └── Ngele CHC [ouFacility1]",
        "└── Kono [ouDistrict2]",
    ]


async def test_a_folded_branch_says_how_many_are_in_it(session: Session):
    tree = await call(session, f"{UNITS} tree", depth=1)
    assert isinstance(tree, Branch)
    assert "├── Bo [ouDistrict1]  (1 below)" in text(tree)
    assert text(tree).endswith("\n(2 of 3 units below; --depth 2 shows more)")


async def test_a_tree_of_a_unit_begins_there(session: Session):
    tree = await call(session, f"{UNITS} tree", unit="Bo")
    assert isinstance(tree, Branch)
    assert text(tree) == "Bo [ouDistrict1]\n└── Ngele CHC [ouFacility1]"


async def test_a_notebook_unfolds_the_tree(session: Session):
    tree = await call(session, f"{UNITS} tree", depth=2)
    page = html(tree)
    assert page.count("<details") == 2
    assert "<details open><summary>Country <span class=aside>[ouCountry01]</span></summary>" in page


async def test_units_without_a_common_top_are_all_drawn(session: Session):
    session.sandbox_store().put_objects({"organisationUnits": [{"id": "ouAbroad001", "name": "Abroad"}]})
    tree = await call(session, f"{UNITS} tree", depth=1)
    assert isinstance(tree, Branch)
    assert [child.name for child in tree.children] == ["Abroad", "Country"]


async def test_an_unknown_unit_is_answered_with_the_nearest(session: Session):
    with pytest.raises(NotFound) as error:
        await call(session, f"{UNITS} tree", unit="Ngelle CHC")
    assert error.value.hint == "did you mean Ngele CHC?"


@needs_shared
async def test_a_country_of_1332_units_fits_the_screen(real_home: Path):
    session = Session("sandbox")
    whole = await call(session, f"{UNITS} tree")
    district = await call(session, f"{UNITS} tree", unit="Bo")
    await session.aclose()
    assert isinstance(whole, Branch)
    assert isinstance(district, Branch)
    lines = text(whole).splitlines()
    assert len(lines) == 15
    assert lines[1] == "├── Bo [O6uvpzGd5pu]  (140 below)"
    assert lines[-1] == "(13 of 1,331 units below; --depth 2 shows more)"
    assert len(text(district).splitlines()) == 17


# Move --------------------------------------------------------------------------------------------------------------


async def test_a_move_says_where_from_and_whose_view_changes(country: Session):
    plan = await planned(country, f"{UNITS} move", units=["Juliverne"], to="Tavresk")
    assert told(plan).splitlines() == [
        "move 1 unit below Tavresk [xHxg96KBypv]",
        "Juliverne from Okavéri to Tavresk, with 5 units below it",
        "data, data sets, groups and users stay with the units; analytics follows with its next run",
        "1 user assigned above the new place will reach them",
    ]


async def test_a_move_is_done_and_taken_back(country: Session):
    await call(country, f"{UNITS} move", YES, units=["Juliverne"], to="Tavresk")
    moved = await country.client.get_object("organisationUnits/jar90eHYEbg", {"fields": "parent[name],level"})
    assert moved == {"parent": {"name": "Tavresk"}, "level": 3}
    assert (await planned(country, f"{UNITS} move", units=["Juliverne"], to="Tavresk")).steps == []
    await call(country, "undo", YES)
    back = await country.client.get_object("organisationUnits/jar90eHYEbg", {"fields": "parent[name]"})
    assert back == {"parent": {"name": "Okavéri"}}


async def test_a_move_to_another_level_says_so(country: Session):
    plan = await planned(country, f"{UNITS} move", units=["Juliverne"], to="Maravélia")
    assert "level 3 -> 2" in told(plan)


@pytest.mark.parametrize("goal", ["Juliverne", "Alagård Hospital"])
async def test_a_unit_never_goes_below_itself(country: Session, goal: str):
    with pytest.raises(UsageError, match="cannot go below itself") as error:
        await planned(country, f"{UNITS} move", units=["Juliverne"], to=goal)
    assert error.value.hint == f"dhis2 {UNITS} tree jar90eHYEbg"


# Merge and split ---------------------------------------------------------------------------------------------------


async def test_a_merge_counts_what_goes_over(country: Session):
    plan = await planned(country, f"{UNITS} merge", sources=["Alagård Hospital"], into="Isehaven Health Post")
    words = told(plan)
    assert (
        "Alagård Hospital gives 694 data values, 2 enrollments, 8 events, 4 data sets, 2 programs, 3 groups and is deleted"
        in words
    )
    assert "694 data values move; for 460 of them there is one already: the newest stays" in words
    assert "ends in 2 groups of the group set 'Facility type' (Hospital, Health Post)" in words
    assert "you have the authority F_ORGANISATION_UNIT_MERGE; nothing blocks it" in words
    assert plan.blocked is None


async def test_a_merge_moves_what_was_counted(country: Session):
    count = "SELECT count(*) FROM data_value WHERE org_unit = 'UTbLYNmHA92'"
    [before] = country.sandbox_store().connection.execute(count).fetchone()
    done = await call(
        country, f"{UNITS} merge", YES, sources=["Alagård Hospital"], into="Isehaven Health Post", keep_sources=True
    )
    assert isinstance(done, WriteSummary)
    assert (done.updated, done.deleted) == (2, 0)
    left = await planned(country, f"{UNITS} merge", sources=["Alagård Hospital"], into="Isehaven Health Post")
    assert "Alagård Hospital gives nothing and is deleted" in told(left)
    [after] = country.sandbox_store().connection.execute(count).fetchone()
    assert after == before + 694 - 460
    undone = await planned(country, "undo")
    assert undone.notes == ["cannot be taken back: merge organisationUnits Alagård Hospital"]


async def test_sources_are_kept_and_closed(country: Session):
    done = await call(
        country,
        f"{UNITS} merge",
        YES,
        sources=["Alagård Hospital"],
        into="Isehaven Health Post",
        keep_sources_closed="2026-09-30",
    )
    assert isinstance(done, WriteSummary)
    assert done.note == "1 source closed on 2026-09-30"
    body = await country.client.get_object("organisationUnits/fOJHBOgL9d7", {"fields": "closedDate"})
    assert body == {"closedDate": "2026-09-30T00:00:00.000"}
    with pytest.raises(UsageError, match=r"'30\.9\.2026' is not a day"):
        await planned(
            country, f"{UNITS} merge", sources=["Juliverne"], into="Kęstrava", keep_sources_closed="30.9.2026"
        )


async def test_children_go_along(country: Session):
    words = told(await planned(country, f"{UNITS} merge", sources=["Juliverne"], into="Tavresk"))
    assert "5 units below the sources come below Tavresk" in words
    assert "Juliverne is on level 3, Tavresk on level 2" in words


@pytest.mark.parametrize(
    ("sources", "into", "says"),
    [
        (["Juliverne"], "Juliverne", "cannot be merged into itself"),
        (["Juliverne"], "Alagård Hospital", "cannot be merged into one below it"),
    ],
)
async def test_a_merge_that_a_server_refuses_is_refused_here(
    country: Session, sources: list[str], into: str, says: str
):
    with pytest.raises(UsageError, match=says):
        await planned(country, f"{UNITS} merge", sources=sources, into=into)


async def test_a_user_without_the_authority_is_told_before(country: Session):
    store = country.sandbox_store()
    roles = [{**role, "authorities": ["F_ORGANISATIONUNIT_ADD"]} for role in store.objects("userRoles").values()]
    store.put_objects({"userRoles": roles})
    plan = await planned(country, f"{UNITS} merge", sources=["Alagård Hospital"], into="Isehaven Health Post")
    assert isinstance(plan.blocked, Forbidden)
    assert "F_ORGANISATION_UNIT_MERGE" in str(plan.blocked)
    with pytest.raises(Forbidden, match="F_ORGANISATIONUNIT_MOVE"):
        await call(country, f"{UNITS} move", YES, units=["Juliverne"], to="Tavresk")


async def test_a_split_says_who_gets_what(country: Session):
    names = ["Isehaven Health Post", "Norávácombe Health Post"]
    plan = await planned(country, f"{UNITS} split", source="Alagård Hospital", targets=names, primary=names[1])
    assert [step.words() for step in plan.steps] == [
        "gets 4 data sets, 2 programs, 3 groups",
        "gets 694 data values, 2 enrollments, 8 events, 4 data sets, 2 programs, 3 groups",
        "gives all of it and is deleted",
    ]


@pytest.mark.parametrize(
    ("targets", "primary", "says"),
    [
        (["Kęstrava"], None, "wants two targets at the least"),
        (["Kęstrava", "Juliverne"], None, "cannot be a target of its own split"),
        (["Kęstrava", "Łomarin"], "Tavresk", "is none of the targets"),
        (["Kęstrava", "Alagård Hospital"], None, "cannot be split into one below it"),
    ],
)
async def test_a_split_that_a_server_refuses_is_refused_here(
    country: Session, targets: list[str], primary: str | None, says: str
):
    with pytest.raises(UsageError, match=says):
        await planned(country, f"{UNITS} split", source="Juliverne", targets=targets, primary=primary)


async def test_a_split_without_targets_is_a_question(country: Session):
    with pytest.raises(UsageError, match="needs TARGETS"):
        await planned(country, f"{UNITS} split", source="Juliverne")


async def test_what_goes_wrong_at_the_server_reaches_the_user(country: Session):
    plan = await planned(country, f"{UNITS} merge", sources=["Alagård Hospital"], into="Isehaven Health Post")
    country.sandbox_store().change({}, {"organisationUnits": ["fOJHBOgL9d7"]})
    verb = find(f"{UNITS} merge")
    from dhis2sh.changes.apply import apply_plan
    from dhis2sh.changes.consent import Consent

    with pytest.raises(Refused, match="Source org unit does not exist"):
        await apply_plan(country, verb, plan, Consent(yes=True))


# Geometry ----------------------------------------------------------------------------------------------------------

POINT = {"type": "Point", "coordinates": [-11.4, 8.1]}


def shapes(*features: dict) -> Path:
    file = Path("shapes.geojson")
    file.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return file


async def test_geometries_come_from_geojson_by_name_or_uid(country: Session):
    file = shapes(
        {"properties": {"name": "Alileigh Clinic"}, "geometry": POINT}, {"id": "iqDA5VvM6vn", "geometry": POINT}
    )
    plan = await planned(country, f"{UNITS} set-geometry", file=file)
    assert [step.words() for step in plan.steps] == ["a Point instead of a Point"] * 2
    await call(country, f"{UNITS} set-geometry", YES, file=file)
    found = await call(country, f"{UNITS} geometry", parent="Alileigh Clinic")
    assert isinstance(found, Rows)
    assert [row["geometry"] for row in found] == [POINT]
    assert (await planned(country, f"{UNITS} set-geometry", file=file)).steps == []


async def test_units_without_a_geometry_are_listed(session: Session):
    missing = await call(session, f"{UNITS} geometry", missing=True, level=2)
    assert {row["displayName"] for row in to_json(missing)} == {"Bo", "Kono"}  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="there is no level 7: the hierarchy has 3 levels"):
        await call(session, f"{UNITS} geometry", level=7)


@pytest.mark.parametrize("ending", ["json", "geojson"])
async def test_what_geometry_wrote_is_read_again(country: Session, ending: str):
    rows = await call(country, f"{UNITS} geometry", level=2)
    assert isinstance(rows, Rows)
    if ending == "json":
        Path("regions.json").write_text(json.dumps(to_json(rows)))
    else:
        rows.geojson("regions.geojson")
    plan = await planned(country, f"{UNITS} set-geometry", file=f"regions.{ending}")
    assert plan.steps == []
    assert plan.notes == ["4 already right"]


@pytest.mark.parametrize(
    ("feature", "says"),
    [
        ({"geometry": POINT}, "feature 1 of shapes.geojson names no unit"),
        (
            {"id": "Bo", "geometry": {"type": "Point", "coordinates": [8.1, -111.4]}},
            "has coordinates that are no place on earth",
        ),
        ({"id": "Bo", "geometry": {"type": "LineString", "coordinates": []}}, "is a LineString"),
        (
            {"id": "Bo", "geometry": {"type": "Polygon", "coordinates": [["a"]]}},
            "has coordinates that are no place on earth",
        ),
    ],
)
async def test_a_feature_that_is_wrong_is_named(session: Session, feature: dict, says: str):
    with pytest.raises(UsageError, match=says):
        await planned(session, f"{UNITS} set-geometry", file=shapes(feature))


async def test_one_unit_twice_and_features_without_shape(session: Session):
    twice = shapes({"id": "Bo", "geometry": POINT}, {"id": "ouDistrict1", "geometry": POINT})
    with pytest.raises(UsageError, match="Bo and ouDistrict1 are the same unit"):
        await planned(session, f"{UNITS} set-geometry", file=twice)
    bare = shapes({"id": "Bo", "geometry": POINT}, {"id": "Kono", "geometry": None})
    plan = await planned(session, f"{UNITS} set-geometry", file=bare)
    assert plan.notes == ["1 feature without a geometry left out: Kono"]
    Path("shapes.geojson").write_text("{")
    with pytest.raises(UsageError, match=r"shapes\.geojson is not JSON"):
        await planned(session, f"{UNITS} set-geometry", file="shapes.geojson")


SQUARE = [[-11.5, 8.0], [-11.4, 8.0], [-11.4, 8.1], [-11.5, 8.1], [-11.5, 8.0]]


def area(*rings: list, **properties: object) -> dict:
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [*rings]}}


@pytest.mark.parametrize(
    ("rings", "says", "hint"),
    [
        ([SQUARE[:-1]], r"\('Bo'\): the outline is not closed", r"\[-11.5, 8.0\], not \[-11.5, 8.1\]"),
        ([[SQUARE[0], SQUARE[1], SQUARE[0]]], "the outline has 3 of at least 4 points", "three corners"),
        ([SQUARE, SQUARE[:-1]], "hole 1 is not closed", "its last point"),
        ([[SQUARE[0], SQUARE[1]] * 2 + [SQUARE[0]]], "the outline encloses nothing", "three corners at least"),
        ([[[-181, 8], *SQUARE[1:]]], r"no place on earth: \[-181, 8\]", "longitude first"),
        ([[["-11.5", "8"], *SQUARE[1:]]], r"no place on earth: \[\"-11.5\", \"8\"\]", "longitude first"),
    ],
)
async def test_o5_a_ring_that_is_none_is_told_with_its_feature(session: Session, rings: list, says: str, hint: str):
    file = shapes(area(SQUARE, name="Kono"), area(*rings, name="Bo"))
    with pytest.raises(UsageError, match=rf"feature 2 of shapes\.geojson.*{says}") as caught:
        await planned(session, f"{UNITS} set-geometry", file=file)
    assert re.search(hint, caught.value.hint or "")


async def test_o5_one_polygon_of_many_is_named(session: Session):
    parts = {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE, SQUARE[:-1]]]}
    with pytest.raises(UsageError, match="hole 1 of polygon 2 is not closed"):
        await planned(session, f"{UNITS} set-geometry", file=shapes({"id": "Bo", "geometry": parts}))


async def test_o5_outlines_that_cross_themselves_and_heights_are_noted(session: Session):
    knot = [SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]
    file = shapes(area(knot, name="Bo"), area([[*position, 0] for position in SQUARE], name="Kono"))
    plan = await planned(session, f"{UNITS} set-geometry", file=file)
    assert plan.notes == [
        "heights left out, units have none: Kono",
        "outlines that cross themselves, which maps may fill wrongly: Bo at [-11.45, 8.05]",
    ]
    assert plan.steps[1].after is not None
    assert plan.steps[1].after["geometry"] == {"type": "Polygon", "coordinates": [SQUARE]}


async def test_o5_metres_are_no_degrees(session: Session):
    file = Path("shapes.geojson")
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32629"}}
    features = [{"id": "Bo", "geometry": {"type": "Point", "coordinates": [80, 60]}}]
    file.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    with pytest.raises(UsageError, match="has its coordinates in urn:ogc:def:crs:EPSG::32629"):
        await planned(session, f"{UNITS} set-geometry", file=file)
    crs["properties"] = {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}
    file.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    assert len((await planned(session, f"{UNITS} set-geometry", file=file)).steps) == 1


async def test_o5_the_property_that_names_units_is_found(session: Session):
    """As GADM has them: the country in every feature, a running number, and names in any case."""
    file = shapes(
        area(SQUARE, id="1", NAME_0="Country", NAME_1="BO", TYPE_1="District"),
        area(SQUARE, id="2", NAME_0="Country", NAME_1="Kono", TYPE_1="District"),
    )
    plan = await planned(session, f"{UNITS} set-geometry", file=file)
    assert [step.uid for step in plan.steps] == ["ouDistrict1", "ouDistrict2"]
    assert plan.notes == ["units named by NAME_1"]


async def test_o5_a_property_that_names_not_all_units_is_told(session: Session):
    file = shapes(area(SQUARE, ADM2_EN="Bo", ADM2_PCODE="SL01"), area(SQUARE, ADM2_EN="Kno", ADM2_PCODE="SL02"))
    with pytest.raises(UsageError, match="ADM2_EN does but in 1 feature of 2: Kno") as caught:
        await planned(session, f"{UNITS} set-geometry", file=file)
    assert caught.value.hint == "correct these, or say which with --property: ADM2_EN, ADM2_PCODE"
    with pytest.raises(NotFound, match="the UID, code or name 'Kno'"):
        await planned(session, f"{UNITS} set-geometry", file=file, property="ADM2_EN")
    with pytest.raises(UsageError, match=r"feature 1 of shapes\.geojson has no NAME") as caught:
        await planned(session, f"{UNITS} set-geometry", file=file, property="NAME")
    assert caught.value.hint == "it has ADM2_EN, ADM2_PCODE"


async def test_o5_two_properties_that_name_different_units_are_asked_for(session: Session):
    file = shapes(area(SQUARE, NAME_2="Bo", UPPER="Country"))
    with pytest.raises(UsageError, match="NAME_2 and UPPER name different units"):
        await planned(session, f"{UNITS} set-geometry", file=file)
    plan = await planned(session, f"{UNITS} set-geometry", file=file, property="NAME_2")
    assert [step.uid for step in plan.steps] == ["ouDistrict1"]
    plan = await planned(session, f"{UNITS} set-geometry", file=file, level=2)
    assert [step.uid for step in plan.steps] == ["ouDistrict1"]


async def test_o5_a_name_that_a_level_has_not_is_no_unit_of_another(session: Session):
    file = shapes(area(SQUARE, name="Bo"))
    with pytest.raises(NotFound, match="no unit of level 3 has the UID, code or name 'Bo'"):
        await planned(session, f"{UNITS} set-geometry", file=file, level=3)
    with pytest.raises(UsageError, match="there is no level 9"):
        await planned(session, f"{UNITS} set-geometry", file=file, level=9)


async def attribute_of(session: Session, value_type: str, name: str) -> str:
    """The UID of a new attribute of organisation units."""
    given = ["id=atAttribute", f"name={name}", f"valueType={value_type}", "organisationUnitAttribute=true"]
    await call(session, "metadata create", YES, type="attributes", set=given)
    return "atAttribute"


async def test_o5_a_geometry_goes_into_an_attribute(country: Session):
    catchment = await attribute_of(country, "GEOJSON", "Catchment")
    file = shapes(area(SQUARE, name="Alileigh Clinic"))
    plan = await planned(country, f"{UNITS} set-geometry", file=file, attribute=catchment)
    assert plan.title == "set 'Catchment' of 1 unit"
    assert plan.steps[0].words() == "a Polygon of 5 points where there was none"
    await call(country, f"{UNITS} set-geometry", YES, file=file, attribute=catchment)
    row = to_json(await call(country, "metadata attribute find", type="organisationUnits", attribute=catchment))[0]  # type: ignore[index,call-overload]
    assert row["name"] == "Alileigh Clinic"  # type: ignore[index,call-overload]
    assert json.loads(row["value"]) == {"type": "Polygon", "coordinates": [SQUARE]}  # type: ignore[index,call-overload,arg-type]
    assert (await planned(country, f"{UNITS} set-geometry", file=file, attribute=catchment)).steps == []


async def test_o5_an_attribute_that_holds_no_geometry_is_refused(session: Session):
    text = await attribute_of(session, "TEXT", "Remark")
    with pytest.raises(UsageError, match="the attribute 'Remark' is of value type TEXT, not GEOJSON"):
        await planned(session, f"{UNITS} set-geometry", file=shapes(area(SQUARE, name="Bo")), attribute=text)


# Levels ------------------------------------------------------------------------------------------------------------

RENAME = "metadata organisation-unit-levels rename"


async def test_a_level_is_named_by_its_number(country: Session):
    plan = await planned(country, RENAME, level="2", name="Province")
    assert plan.steps[0].words() == "name: 'Region' -> 'Province'"
    await call(country, RENAME, YES, level="2", name="Province")
    assert (await planned(country, RENAME, level="Province", name="Province")).steps == []


async def test_a_level_without_a_name_gets_one(session: Session):
    plan = await planned(session, RENAME, level="3", name="Facility")
    assert plan.steps[0].action == "create"


@pytest.mark.parametrize(
    ("level", "name", "says"),
    [
        ("9", "Ward", "there is no level 9: the hierarchy has 4 levels"),
        ("2", "District", "level 3 is called 'District'"),
    ],
)
async def test_a_level_that_cannot_be_named(country: Session, level: str, name: str, says: str):
    with pytest.raises(UsageError, match=says):
        await planned(country, RENAME, level=level, name=name)
