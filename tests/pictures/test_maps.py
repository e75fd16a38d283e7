"""Saved maps drawn layer by layer, and dashboards as one page."""

import re
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import CheckFailed, UsageError
from dhis2sh.pictures.dashboards import Board
from dhis2sh.pictures.layers import SavedMap
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from dhis2sh.show import thematic
from dhis2sh.show.charts.model import shade_of
from tests.metadata.calls import call
from tests.pictures.test_visuals import axis, by_months

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]]}


async def placed(s: Session) -> None:
    """The districts are squares, Clinic A is a point; South has no geometry."""
    north = [[[x, y + 2] for x, y in ring] for ring in SQUARE["coordinates"]]
    for uid, geometry in (("ouNation001", SQUARE), ("ouNorth0001", {"type": "Polygon", "coordinates": north}),
                          ("ouClinicA01", {"type": "Point", "coordinates": [0.5, 2.5]})):  # fmt: skip
        await s.client.patch(f"organisationUnits/{uid}", [{"op": "add", "path": "/geometry", "value": geometry}])


async def saved(s: Session, *views: dict[str, Any]) -> str:
    await placed(s)
    body = {
        "id": "maPicture01",
        "name": "A map",
        "longitude": 0,
        "latitude": 0,
        "zoom": 5,
        "basemap": "none",
        "mapViews": [*views],
    }
    await s.client.post("maps", body)
    return "maPicture01"


def thematic_layer(**more: Any) -> dict[str, Any]:
    return {
        "layer": "thematic", "columns": [axis("dx", "deVisits001")], "rows": [axis("ou", "ouNation001", "LEVEL-2")],
        "filters": [axis("pe", "202501")], "thematicMapType": "CHOROPLETH", "classes": 2, "colorLow": "#ffffff",
        "colorHigh": "#ff0000", "opacity": 0.8, **more,
    }  # fmt: skip


async def drawn(s: Session, uid: str, **more: Any) -> SavedMap:
    found = await call(s, "analytics map", map=uid, **more)
    assert isinstance(found, SavedMap)
    return found


async def test_areas_have_the_colour_of_their_value(s: Session, tmp_path: Path):
    uid = await saved(s, thematic_layer())
    found = await drawn(s, uid)
    (layer,) = found.drawn.layers
    assert [(one.shape.name, one.value) for one in layer.painted] == [("North", 35.0)]
    assert layer.opacity == 0.8
    assert "1 unit without a geometry" in " ".join(found.drawn.notes)
    assert "North" in repr(found)
    for ending, begins in ((".svg", b"<svg"), (".html", b"<!doctype html>")):
        file = tmp_path / f"map{ending}"
        await drawn(s, uid, out=file)
        assert file.read_bytes().startswith(begins)
        assert not re.search(rb"(href|src)=.https?:|url\(|<script", file.read_bytes())
        assert b"1 unit without a geometry not on the map" in file.read_bytes(), "the picture says it, wherever it goes"
    await drawn(s, uid, out=tmp_path / "map.csv")
    assert found.as_rows().columns == ("layer", "id", "name", "value", "class")
    assert [(row["name"], row["value"]) for row in found.as_rows()] == [
        ("North", 35), ("South", 1),
    ], "South has a number and no geometry"  # fmt: skip
    assert (tmp_path / "map.csv").read_text().startswith("layer,id,name,value,class\n")
    pytest.importorskip("vl_convert")
    await drawn(s, uid, out=tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


async def test_layers_above_one_another(s: Session):
    uid = await saved(
        s, {"layer": "boundary", "rows": [axis("ou", "ouNation001")], "organisationUnitColor": "#123456"},
        thematic_layer(thematicMapType="BUBBLE", radiusLow=5, radiusHigh=20),
        {"layer": "facility", "rows": [axis("ou", "LEVEL-3")], "organisationUnitGroupSet": {"id": "ougsPlace01"}, "areaRadius": 5000},
    )  # fmt: skip
    found = (await drawn(s, uid)).drawn
    boundary, bubbles, facilities = found.layers
    assert (boundary.stroke, len(boundary.painted), boundary.painted[0].fill) == ("#123456", 1, "")
    assert [one.bubble for one in bubbles.painted] == [True]
    assert [(entry.label, entry.count) for entry in facilities.key] == [("Urban", 1)]
    assert facilities.area == 5000
    assert "#123456" in found.svg()


async def test_what_comes_from_elsewhere_is_said_and_the_rest_is_drawn(s: Session):
    uid = await saved(s, {"layer": "external", "rows": [axis("ou", "ouNation001")]}, thematic_layer())
    found = (await drawn(s, uid)).drawn
    assert len(found.layers) == 1
    assert "its tiles come from another server" in " ".join(found.notes)


async def test_a_map_without_periods_takes_them_from_its_caller(s: Session):
    uid = await saved(s, thematic_layer(filters=[{"dimension": "pe", "items": []}]))
    with pytest.raises(UsageError, match="says no period") as caught:
        await drawn(s, uid)
    assert caught.value.hint == f"dhis2 analytics map {uid} --period 2025"
    assert (await drawn(s, uid, period=["202502"])).drawn.layers[0].painted[0].value == 40


def test_classes_of_equal_width_and_of_equal_counts():
    values = [1.0, 2.0, 3.0, 4.0, 100.0]
    wide = thematic.classes(values, ["a", "b"])
    assert [(one.start, one.end) for one in wide] == [(1, 50.5), (50.5, 100)]
    even = thematic.classes(values, ["a", "b"], counts=True)
    assert [sum(1 for value in values if shade_of(value, even) == one) for one in even] == [2, 3]
    assert [one.start for one in thematic.classes([5.0, 5.0], ["a", "b"])] == [5]
    assert thematic.mixed("#000000", "#ffffff", 3) == ["#000000", "#808080", "#ffffff"]


async def board(s: Session, **more: Any) -> str:
    await by_months(s, "COLUMN")
    await saved(s, thematic_layer(filters=[{"dimension": "pe", "items": []}]))
    items = [
        {"id": "diPicture01", "type": "VISUALIZATION", "visualization": {"id": "viPicture01"}, "x": 0, "y": 0, "width": 30, "height": 20},
        {"id": "diPicture02", "type": "MAP", "map": {"id": "maPicture01"}, "x": 30, "y": 0, "width": 30, "height": 20},
        {"id": "diPicture03", "type": "TEXT", "text": "*Read* <b>this</b>", "x": 0, "y": 20, "width": 60, "height": 5},
        {"id": "diPicture04", "type": "MESSAGES", "messages": True, "x": 0, "y": 25, "width": 60, "height": 5},
    ]  # fmt: skip
    await s.client.post("dashboards", {"id": "daPicture01", "name": "A board", "dashboardItems": items, **more})
    return "daPicture01"


async def test_a_dashboard_is_one_page_that_loads_nothing(s: Session, tmp_path: Path):
    pytest.importorskip("vl_convert")
    file = tmp_path / "board.html"
    with pytest.raises(CheckFailed, match="1 of 4 items not drawn: A map") as caught:
        await call(s, "analytics dashboard", dashboard=await board(s), out=file)
    assert caught.value.hint == "--period 2025 gives one to all"
    found = caught.value.findings
    assert isinstance(found, Board)
    page = file.read_text()
    assert not re.search(r"(href|src)=.https?:|url\(|@import|<script", page)
    assert page.count("<section") == 4
    assert "<b>Read</b> &lt;b&gt;this&lt;/b&gt;" in page
    assert "says no period" in page  # in the place of the map
    assert "messages are not drawn" in page
    assert "grid-column:31/span 30;grid-row:1/span 20" in page
    told = to_json(found)
    assert isinstance(told, dict)
    assert told["drawn"] == 2
    assert len(told["notDrawn"]) == 2  # type: ignore[arg-type]


async def test_a_dashboard_with_periods_of_its_reader(s: Session):
    found = await call(s, "analytics dashboard", dashboard=await board(s), period=["202501"])
    assert {item.name: item.drawn is not None for item in found.items if item.type in {"MAP", "VISUALIZATION"}} == {
        "A picture": True, "A map": True,
    }  # fmt: skip
    assert "A board" in repr(found)
    with pytest.raises(UsageError, match="a dashboard is written as"):
        await call(s, "analytics dashboard", dashboard="daPicture01", out=Path("board.pdf"))


async def test_events_are_places_and_never_told_one_by_one(analysed_home: Path):
    """Whoever may not see rows of persons sees no such layer, and the rest of the map."""
    s = Session("sandbox")
    try:
        programs = await s.client.get_object(
            "programs", {"filter": "programType:eq:WITHOUT_REGISTRATION", "fields": "id,programStages[id]"}
        )
        program = programs["programs"][0]  # type: ignore[index]
        roots = await s.client.get_object("organisationUnits", {"filter": "level:eq:1", "fields": "id"})
        unit = roots["organisationUnits"][0]["id"]  # type: ignore[index]
        # a server's layer has only events with a place; those of the fictional country have none
        asked = {
            "program": program["id"],
            "orgUnit": unit,
            "ouMode": "DESCENDANTS",
            "orgUnitMode": "DESCENDANTS",
            "fields": "*",
        }
        page = await s.client.get_object(
            "tracker/events", {**asked, "occurredAfter": "2025-01-01", "occurredBefore": "2025-12-31"}
        )
        event = (page.get("events") or page["instances"])[0]  # type: ignore[index]
        placed = {**event, "geometry": {"type": "Point", "coordinates": [-11.5, 8.4]}}  # type: ignore[dict-item]
        await s.client.post("tracker", {"events": [placed]}, {"async": "false", "importStrategy": "UPDATE"})
        layer = {
            "layer": "event", "program": {"id": program["id"]}, "programStage": program["programStages"][0],  # type: ignore[index]
            "rows": [axis("ou", unit)], "filters": [axis("pe", "2024", "2025")], "eventPointColor": "#123456",
            "eventClustering": True, "styleDataItem": {"id": "deStyle0001"},
        }  # fmt: skip
        views = [layer, {"layer": "boundary", "rows": [axis("ou", unit)]}]
        body = {
            "id": "maEvents001",
            "name": "Events",
            "longitude": 0,
            "latitude": 0,
            "zoom": 5,
            "basemap": "none",
            "mapViews": views,
        }
        await s.client.post("maps", body)
        found = (await drawn(s, "maEvents001")).drawn
        events = found.layers[0]
        assert len(events.painted) > 0
        assert "events are drawn one by one, not in clusters" in found.notes
        assert "events are drawn in one colour, not by the value of a data item" in found.notes
        assert "values" not in events.to_json()
        assert {one.shape.name for one in events.painted} == {""}
        s.persons = False
        told = (await drawn(s, "maEvents001")).drawn
        assert [one.kind for one in told.layers] == ["boundary"]
        assert "--person-data" in " ".join(told.notes)
    finally:
        await s.aclose()


@pytest.mark.parametrize(("strategy", "told"), [("TIMELINE", 1), ("SPLIT_BY_PERIOD", 1), ("SINGLE", 0)])
async def test_a_map_of_several_moments_says_that_it_is_one(s: Session, strategy: str, told: int):
    found = await drawn(s, await saved(s, thematic_layer(renderingStrategy=strategy)))
    assert found.drawn.notes.count("its periods are drawn as one, not one after another") == told
