"""Maps on servers that take their layers only as axes (L4)."""

import importlib
import json
from pathlib import Path

import pytest

from dhis2sh.changes.plan import Part
from dhis2sh.client.versions import parse_version
from dhis2sh.errors import Refused
from dhis2sh.metadata import map_layers, writes
from dhis2sh.metadata.bundles.diff import differs
from dhis2sh.metadata.writes import Objects
from dhis2sh.models.facts import types
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.metadata.calls import do, planned

LAYER = {
    "id": "mvLive00001", "layer": "thematic", "classes": 5, "legendSet": {"id": "lsLive00001"},
    "dataDimensionItems": [{"dataDimensionItemType": "INDICATOR", "indicator": {"id": "inLive00001"}}],
    "organisationUnits": [{"id": "ImspTQPwCqd"}], "organisationUnitLevels": [2], "userOrganisationUnit": True,
    "rawPeriods": ["2025"], "relativePeriods": {"last12Months": True, "thisYear": False},
    "columnDimensions": ["dx"], "filterDimensions": ["pe"], "columns": [{"id": "dx"}],
    "categoryDimensions": [{"category": {"id": "caLive00001"}, "categoryOptions": [{"id": "coLive00001"}]}],
}  # fmt: skip


def test_l4_a_layer_is_said_as_columns_rows_and_filters() -> None:
    [layer] = map_layers.wire({"id": "maLive00001", "name": "M", "mapViews": [LAYER]})["mapViews"]
    assert layer == {
        "layer": "thematic", "classes": 5, "legendSet": {"id": "lsLive00001"},
        "columns": [{"dimension": "dx", "items": [{"id": "inLive00001", "dimensionItemType": "INDICATOR"}]}],
        "rows": [{"dimension": "ou", "items": [{"id": "ImspTQPwCqd"}, {"id": "USER_ORGUNIT"}, {"id": "LEVEL-2"}]}],
        "filters": [
            {"dimension": "pe", "items": [{"id": "2025"}, {"id": "LAST_12_MONTHS"}]},
            {"dimension": "caLive00001", "items": [{"id": "coLive00001"}]},
        ],
    }  # fmt: skip


def test_l4_what_cannot_be_said_is_refused_before_it_is_sent() -> None:
    with pytest.raises(Refused, match="dataDimensionItems hold what cannot be sent"):
        map_layers.wire({"mapViews": [{**LAYER, "dataDimensionItems": [{"dataDimensionItemType": "OTHER"}]}]})


@pytest.mark.parametrize(("version", "by_import"), [("2.41.9.1", False), ("2.42.5.2", False), ("2.43.1", True)])
def test_l4_the_quirk_goes_by_version(version: str, *, by_import: bool) -> None:
    assert parse_version(version).has("maps_by_import") is by_import


async def _map(s: Session) -> dict:
    [found, *_] = (await s.client.list_page("maps", {"fields": ":owner", "filter": "mapViews.layer:eq:thematic"})).rows
    return found


def shown(body: dict) -> list[tuple[object, object]]:
    """The data of each layer, and how they are coloured."""
    return [(view["columns"], view.get("legendSet")) for view in map_layers.comparable(body["mapViews"])]


async def test_l4_a_map_is_renamed_deleted_and_restored_where_its_layers_have_uids(country: Session) -> None:
    before = await _map(country)
    uid = before["id"]
    await do(country, "metadata rename", type="maps", objects=[uid], set="Renamed")
    now = await country.client.get_object(f"maps/{uid}", {"fields": ":owner"})
    assert now["name"] == "Renamed"
    assert shown(now) == shown(before)

    await do(country, "metadata delete", type="maps", objects=[uid])
    for _ in range(2):
        await do(country, "undo")
    now = await country.client.get_object(f"maps/{uid}", {"fields": ":owner"})
    assert now["name"] == before["name"]
    assert shown(now) == shown(before)


async def test_l4_maps_and_what_shows_them_are_imported(country: Session) -> None:
    await do(country, "metadata export", out=Path("all.json"), types=["maps", "dashboards"])
    [board, *_] = (
        await country.client.list_page("dashboards", {"fields": "id", "filter": "dashboardItems.map.id:!null"})
    ).rows
    [one, *_] = (await country.client.list_page("maps", {"fields": "id"})).rows
    await do(country, "metadata delete", type="dashboards", objects=[board["id"]])
    await do(country, "metadata delete", type="maps", objects=[one["id"]])

    await do(country, "metadata import", file=Path("all.json"))

    assert (await country.client.get_object(f"maps/{one['id']}"))["id"] == one["id"]
    assert (await country.client.get_object(f"dashboards/{board['id']}"))["id"] == board["id"]


@pytest.mark.parametrize("version", ["v40", "v41", "v42", "v43", "v44"])
def test_l12_the_periods_of_a_layer_are_objects_on_the_wire(version: str) -> None:
    models = importlib.import_module(f"dhis2_models.{version}")
    body = {"id": "maLive00001", "name": "M", "mapViews": [{**LAYER, "periods": [{"id": "2025", "name": "2025"}]}]}
    [view] = models.Map.model_validate(body).map_views
    assert [period.id for period in view.periods] == ["2025"]


async def test_l2_a_legend_set_comes_back_into_the_layers_that_it_coloured(country: Session) -> None:
    async def coloured() -> list[object]:
        rows = (await country.client.list_page("maps", {"fields": "mapViews[legendSet[id]]", "paging": False})).rows
        return [view.get("legendSet") for row in rows for view in row["mapViews"]]

    before = await coloured()
    assert any(before)
    for legend_set in (await country.client.list_page("legendSets", {"fields": "id"})).rows:
        await do(country, "metadata delete", type="legendSets", objects=[legend_set["id"]])
        await do(country, "undo")

    assert await coloured() == before


async def test_t8_a_copy_of_a_map_that_nobody_has_edited_is_taken_back(country: Session) -> None:
    one = await _map(country)
    made = await do(country, "metadata clone", type="maps", uid=one["id"], name="Copy")
    plan = await planned(country, "undo")
    assert [(step.action, step.uid) for step in plan.steps] == [("delete", made.uids[0])]
    assert plan.notes == []


@pytest.mark.parametrize("version", ["2.41", "2.43", "2.44"])
async def test_a_copy_of_a_map_shows_what_the_map_shows(country: Session, country_home: Path, version: str) -> None:
    """A server reads the layers of a map that comes alone as axes, also where imports take them as they are kept."""
    open_store(country_home / "data" / "sandbox.db", version=version).close()
    one = await _map(country)
    made = await do(country, "metadata clone", type="maps", uid=one["id"], name="Copy")
    copy = await country.client.get_object(f"maps/{made.uids[0]}", {"fields": ":owner"})
    assert shown(copy) == shown(one)


FRENCH = [{"locale": "fr", "property": "NAME", "value": "Carte"}]


@pytest.mark.parametrize("names", [["A"], ["A", "B"]], ids=["alone", "two"])
async def test_undo1_a_new_map_keeps_its_translations(country: Session, tmp_path: Path, names: list[str]) -> None:
    """`POST /api/maps` drops them: they are sent afterwards, and a second import has nothing to do."""
    bodies = [
        {"id": f"maLive0000{name}", "name": name, "basemap": "osmLight", "translations": FRENCH} for name in names
    ]
    file = tmp_path / "maps.json"
    file.write_text(json.dumps({"maps": bodies}))

    assert (await do(country, "metadata import", file=file)).created == len(names)

    for body in bodies:
        assert (await country.client.get_object(f"maps/{body['id']}"))["translations"] == FRENCH
    assert (await planned(country, "metadata import", file=file)).steps == []


async def test_undo1_translations_that_a_server_refuses_are_said(country: Session, tmp_path: Path) -> None:
    """The map is there, undo knows it, and the refusal is told in the server's words."""
    file = tmp_path / "maps.json"
    file.write_text(json.dumps({"maps": [{"id": "maLive0000A", "name": "A", "translations": [*FRENCH, *FRENCH]}]}))
    plan = await planned(country, "metadata import", file=file)
    write = writes.changes_of(plan)[0]

    told = await Objects("maps", [write]).send(country, Part([0], 0))

    assert told.created == 1
    assert "written, its translations are not: There are duplicate translation" in str(told.failures[0]["message"])


def test_undo3_what_a_server_fills_in_and_what_it_drops_of_a_layer_is_no_difference() -> None:
    sent = {"id": "mvFile00001", "layer": "thematic", "labels": True}
    kept = {"id": "mvLive00001", "layer": "thematic", "hideEmptyRowItems": "NONE", "regressionType": "NONE"}
    assert not differs("maps", "mapViews", [kept], [sent], types("v42"))
    assert differs("maps", "mapViews", [kept], [{**sent, "layer": "boundary"}], types("v42"))


def test_undo5_a_layer_whose_axes_are_only_partly_said_keeps_its_data() -> None:
    """A server gives the rows with items and the columns without: the data stands in `dataDimensionItems` alone."""
    units = {"dimension": "ou", "items": [{"id": "ImspTQPwCqd"}]}
    view = {**LAYER, "rows": [units], "columns": [{"id": "dx"}], "filters": []}

    [layer] = map_layers.comparable([view])
    [emptied] = map_layers.comparable([{**view, "dataDimensionItems": []}])

    assert layer["columns"] == [{"dimension": "dx", "items": [{"id": "inLive00001", "dimensionItemType": "INDICATOR"}]}]
    assert layer["rows"] == [units]
    assert [dimension["dimension"] for dimension in layer["filters"]] == ["pe", "caLive00001"]
    assert layer != emptied


def test_undo5_a_layer_that_has_lost_its_data_is_a_difference() -> None:
    """Else the undo of a deleted element would find its maps right already, and leave them empty."""
    units = {"dimension": "ou", "items": [{"id": "ImspTQPwCqd"}]}
    view = {**LAYER, "rows": [units], "columns": [], "filters": []}
    assert differs("maps", "mapViews", [view], [{**view, "dataDimensionItems": []}], types("v42"))
    assert not differs("maps", "mapViews", [view], [{**view, "id": "mvLive00002"}], types("v42"))
