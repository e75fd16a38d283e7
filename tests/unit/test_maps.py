"""Geometries, and maps of them: where on the world, as a picture, as characters."""

import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.dhis2.geometry import Bounds, Shape, shape_of
from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.show.maps import Canvas, Map

SQUARE = [[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]]
HOLE = [[1, 1], [1, 2], [2, 2], [1, 1]]
FAR = [[10, 10], [10, 11], [11, 11], [10, 10]]


def point(longitude: float, latitude: float) -> dict:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def paths(picture: str) -> list[ET.Element]:
    return ET.fromstring(picture).findall(".//{http://www.w3.org/2000/svg}path")


# Geometries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("geometry", "points", "lines", "areas"),
    [
        (point(1, 2), 1, 0, 0),
        ({"type": "Point", "coordinates": [1, 2, 300.5]}, 1, 0, 0),
        ({"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}, 2, 0, 0),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, 0, 1, 0),
        ({"type": "Polygon", "coordinates": [SQUARE, HOLE]}, 0, 0, 1),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [FAR]]}, 0, 0, 2),
        ({"type": "GeometryCollection", "geometries": [point(1, 2), {"type": "Polygon", "coordinates": [FAR]}]}, 1, 0, 1),
    ],
)  # fmt: skip
def test_geometries_of_every_type(geometry: dict, points: int, lines: int, areas: int):
    shape = shape_of("A", geometry)
    assert shape is not None
    assert (len(shape.points), len(shape.lines), len(shape.areas)) == (points, lines, areas)


@pytest.mark.parametrize(
    "geometry",
    [
        None, "POINT(1 2)", {}, {"type": "Point"}, {"type": "Point", "coordinates": []}, point(1, 91), point(math.nan, 0),
        point(400, 0), {"type": "Polygon", "coordinates": []}, {"type": "Polygon", "coordinates": [[1, 2], [3, 4]]},
        {"type": "Circle", "coordinates": [1, 2]}, {"type": "Point", "coordinates": ["east", "north"]},
        {"type": "GeometryCollection", "geometries": [None]},
    ],
)  # fmt: skip
def test_what_cannot_be_drawn(geometry: object):
    assert shape_of("A", geometry) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("longitudes", "west", "east", "middle"),
    [
        ((-13, -10), -13, -10, -11.5),
        ((177, 178, -178), 177, 182, 179.5),  # Fiji
        ((180, -180, -179), 180, 181, -179.5),
        ((-176, 166, 179), 166, 184, 175),  # New Zealand with Chatham
        ((28, 190), 28, 190, 109),  # 190 is another way to say 170 west
        ((5,), 5, 5, 5),
    ],
)
def test_a_country_on_the_antimeridian_is_one_place(longitudes: tuple, west: float, east: float, middle: float):
    shapes = [shape_of("A", point(longitude, 10)) for longitude in longitudes]
    bounds = Bounds.of([shape for shape in shapes if shape])
    assert bounds is not None
    assert (bounds.west, bounds.east) == (west, east)
    assert bounds.middle == (pytest.approx(middle), 10)
    assert all(west <= bounds.unrolled(at) <= east for shape in shapes if shape for at, _ in shape.points)


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=20))
def test_every_point_lies_inside_the_box(points: list[tuple[float, float]]):
    bounds = Bounds.of([Shape("A", points=tuple(points))])
    assert bounds is not None
    assert bounds.east - bounds.west <= 360
    assert all(
        bounds.west <= bounds.unrolled(x) <= bounds.east + 1e-9 and bounds.south <= y <= bounds.north for x, y in points
    )
    assert 1 <= bounds.zoom <= 14


# Pictures -----------------------------------------------------------------------------------------------------------


def test_a_picture_needs_nothing_and_obeys_no_name():
    name = "<script>alert(1)</script> & 'Kédougou' \"x\""
    picture = Map([Shape(name, points=((1, 2),)), Shape("B", areas=((((0, 0), (0, 4), (4, 4)),),))]).svg()
    assert "<script" not in picture
    assert not re.findall(r"(?:href|src|url\(|@import)", picture)
    assert [element.text for element in ET.fromstring(picture).findall(".//{*}g/{*}title")] == ["B", name]


def test_a_hole_is_left_out_of_its_area_and_areas_lie_below_points():
    shapes = [Shape("point", points=((3, 3),)), shape_of("area", {"type": "Polygon", "coordinates": [SQUARE, HOLE]})]
    area, dot = paths(Map([shape for shape in shapes if shape]).svg())
    assert (area.get("class"), dot.get("class")) == ("area", "point")
    assert area.get("d", "").count("M") == 2, "one path, so that the rule of even and odd makes the hole"


def test_a_picture_keeps_its_shape_and_its_size():
    for shape in (((0, 60), (10, 60), (10, 65)), ((0, 0), (0.001, 0), (0, 50)), ((1, 1), (1, 1), (1, 1))):
        root = ET.fromstring(Map([Shape("A", areas=((shape,),))]).svg())
        assert 12 < int(root.get("width", 0)) <= 640
        assert 12 < int(root.get("height", 0)) <= 480


def test_a_thousand_outlines_are_thinned():
    circle = tuple((math.cos(n / 40), math.sin(n / 40)) for n in range(252))
    units = [Shape(f"Unit {n}", areas=(((*((x + n % 40, y + n // 40) for x, y in circle),),),)) for n in range(1332)]
    assert len(Map(units).svg()) < 800_000


def test_fifty_thousand_places_stay_below_a_megabyte():
    places = [Shape(f"Place {n}", points=((n % 251 / 10, n // 251 / 10),)) for n in range(50_000)]
    picture = Map([Shape("Area", areas=((((0, 0), (0, 4), (4, 4)),),)), *places]).svg()
    assert len(picture) < 1_000_000
    assert [path.get("class") for path in paths(picture)] == ["area", "crowd"]


@pytest.mark.parametrize(
    ("drawing", "caption"),
    [
        (Map([Shape("A", points=((1, 2),))], 3), "1 point; 3 without a geometry"),
        (Map([], 0, ["A"]), "nothing to draw; 1 that cannot be drawn: A"),
        (Map([Shape("A", lines=(((1, 2), (3, 4)),))]), "1 shape"),
    ],
)
def test_what_is_on_a_map_and_what_is_not(drawing: Map, caption: str):
    assert drawing.caption() == caption
    assert caption in drawing._repr_html_()
    assert repr(drawing).endswith(caption)


def test_a_map_in_characters():
    square = shape_of("A", {"type": "Polygon", "coordinates": [SQUARE]})
    assert square is not None
    assert Map([square]).text(8, 4).splitlines() == ["⡏⠉⠉⠉⠉⠉⠉⢹", "⡇      ⢸", "⡇      ⢸", "⣇⣀⣀⣀⣀⣀⣀⣸"]
    screen = Map([square, Shape("B", points=((2, 2),))]).text(40, 10).splitlines()
    assert len(screen) <= 10
    assert max(map(len, screen)) <= 40


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), max_size=9), st.integers(1, 30), st.integers(1, 30)
)
def test_nothing_is_drawn_off_the_screen(points: list[tuple[float, float]], width: int, height: int):
    canvas = Canvas(width, height)
    canvas.line(points)
    lines = canvas.text().splitlines()
    assert len(lines) <= -(-height // 4)
    assert all(len(line) <= -(-width // 2) for line in lines)


# In a pipeline ------------------------------------------------------------------------------------------------------


def test_a_map_and_geojson_in_files():
    rows: Rows = Rows([
        {"id": "ouDistrict1", "name": "Bo", "level": 2, "geometry": {"type": "Polygon", "coordinates": [SQUARE]}},
        {"id": "ouDistrict2", "name": "Kono", "geometry": None},
        {"id": "ouDistrict3", "name": "Lost", "geometry": {"type": "Point", "coordinates": [900, 0]}},
    ])  # fmt: skip
    assert rows.map().caption() == "1 area; 1 without a geometry; 1 that cannot be drawn: Lost"  # type: ignore[attr-defined]
    rows.map("m.svg")
    rows.map("m.html")
    assert len(paths(Path("m.svg").read_text())) == 1
    assert Path("m.html").read_text().startswith("<!doctype html>")
    features = json.loads(str(rows.geojson()))["features"]
    assert [feature["id"] for feature in features] == ["ouDistrict1", "ouDistrict2", "ouDistrict3"]
    assert features[0]["properties"] == {"id": "ouDistrict1", "name": "Bo", "level": 2}


def test_what_has_no_geometry_is_no_map():
    rows: Rows = Rows([{"name": "Bo"}, {"name": "Kono", "geometry": None}])
    with pytest.raises(UsageError, match="none of 2 rows has a geometry"):
        rows.map()
    with pytest.raises(UsageError, match="there are no rows"):
        Rows([]).geojson()
    with pytest.raises(UsageError, match=r"\.svg, \.png or \.html"):
        Rows([{"geometry": point(1, 2)}]).map("m.gif")


def test_a_table_says_what_kind_a_geometry_is():
    rows: Rows = Rows(
        [{"name": "Bo", "geometry": {"type": "Polygon", "coordinates": [SQUARE, HOLE]}}, {"geometry": point(1, 2)}]
    )
    assert "Polygon of 9 points" in repr(rows)
    assert "Polygon of 9 points" in rows._repr_html_()
    assert "coordinates" in str(rows.csv()), "data stay whole"
