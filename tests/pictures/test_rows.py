"""Charts and maps of any rows: what stands where, and what is refused."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dhis2sh.errors import PipelineError, UsageError
from dhis2sh.rows.rows import Provenance, Rows
from dhis2sh.session import Session
from dhis2sh.show.charts import round_ones, terminal, vega
from dhis2sh.show.charts.model import KINDS, Chart, Series
from dhis2sh.show.noted import with_notes
from dhis2sh.show.pivots import Cell, Head, Pivot
from dhis2sh.show.thematic import LayeredMap
from tests.metadata.calls import call
from tests.pictures.test_maps import placed

ROWS = Rows([
    {"pe": "202503", "peName": "March 2025", "ou": "a", "ouName": "North", "value": 3},
    {"pe": "202501", "peName": "January 2025", "ou": "a", "ouName": "North", "value": 1},
    {"pe": "202501", "peName": "January 2025", "ou": "b", "ouName": "South", "value": 7},
])  # fmt: skip


def chart(*args: object, **more: object) -> Chart:
    found = ROWS.chart(*args, **more)
    assert isinstance(found, Chart)
    return found


def test_series_by_a_column_and_periods_in_time():
    found = chart("peName", "value", kind="line", by="ouName")
    assert found.categories == ("January 2025", "March 2025")
    assert {one.name: one.values for one in found.series} == {"North": (1, 3), "South": (7, None)}


@pytest.mark.parametrize("by", ["", "ouName"])
def test_a_chart_has_a_title_axes_in_words_and_periods_by_name(by: str):
    found = ROWS.where("ou == 'a'").chart("pe", "value", kind="line", by=by or None, title="BCG 2025")
    assert isinstance(found, Chart)
    assert (found.title, found.label, found.axis.label) == ("BCG 2025", "Period", "Value" if by else "")
    assert found.categories == ("January 2025", "March 2025")
    assert "BCG 2025" in repr(found)
    alike = Rows([{"pe": "202501", "peName": "Q", "value": 1}, {"pe": "202502", "peName": "Q", "value": 2}])
    drawn = alike.chart("pe", "value")
    assert isinstance(drawn, Chart)
    assert drawn.categories == ("202501", "202502"), "two of one name would be one place"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_in_characters_and_as_a_picture(kind: str):
    found = ROWS.where("ou == 'a'").chart("value" if kind in {"scatter", "bubble"} else "peName", "value", kind=kind)
    assert isinstance(found, Chart)
    assert repr(found).strip()
    pytest.importorskip("vl_convert")
    assert "<svg" in (found._repr_html_() or "")


def test_what_no_chart_can_be():
    with pytest.raises(UsageError, match="no chart is a 'lin'"):
        chart("pe", "value", kind="lin")
    with pytest.raises(UsageError, match="there is no column 'valeu' to draw"):
        chart("pe", "valeu")
    with pytest.raises(UsageError, match="ouName is no number: 'North'"):
        chart("pe", "ouName")
    twice = Rows([{"x": "a", "by": "b", "value": 1}, {"x": "a", "by": "b", "value": 2}])
    with pytest.raises(UsageError, match="two rows have the x a and the by b"):
        twice.chart("x", "value", by="by")
    with pytest.raises(UsageError, match="more than a picture has room for"):
        Rows([{"x": str(at), "value": at} for at in range(600)]).chart("x", "value")


@pytest.mark.parametrize("kind", ["bar", "line", "pie"])
def test_two_values_at_one_place_are_no_bar_each(kind: str):
    """A pull of twelve months drawn by district alone: each district stood there twelve times."""
    rows = Rows([{"dx": "BCG", "pe": month, "ouName": unit, "value": 1} for month in ("1", "2") for unit in "ab"])
    with pytest.raises(UsageError, match="2 rows have the ouName a") as refused:
        rows.chart("ouName", "value", kind=kind)
    assert str(refused.value.hint).endswith("by=pe)")
    with pytest.raises(UsageError, match="2 rows have no code") as refused:
        Rows([{"code": None, "value": 1}, {"code": None, "value": 1}]).chart("code", "value")
    assert "sum(value)" in str(refused.value.hint)


def test_a_chart_is_written_to_a_file(tmp_path: Path):
    pytest.importorskip("vl_convert")
    file = tmp_path / "a.svg"
    assert str(ROWS.chart("peName", "value", by="ouName", file=str(file))).startswith(f"{file}: ")
    assert file.read_text().startswith("<svg")


async def test_values_beside_the_geometry_of_their_units(s: Session, tmp_path: Path):
    await placed(s)
    stream = await call(s, "analytics query", dimensions=["dx=Visits", "pe=202501", "ou=LEVEL-2"], geometry=True)
    rows = await stream.collect()
    drawn = rows.map()
    assert isinstance(drawn, LayeredMap)
    (layer,) = drawn.layers
    assert [(one.shape.name, one.value) for one in layer.painted] == [("North", 35.0)]
    assert "without a geometry" in drawn.notes[0]
    for ending in (".svg", ".html"):
        rows.map(str(tmp_path / f"a{ending}"), classes=3)
        assert (tmp_path / f"a{ending}").stat().st_size > 500
    twice = await (
        await call(s, "analytics query", dimensions=["dx=Visits", "pe=202501..202502", "ou=LEVEL-2"], geometry=True)
    ).collect()
    with pytest.raises(UsageError, match="a map has one colour for it"):
        twice.map()
    with pytest.raises(UsageError, match="ou only filters"):
        await (
            await call(s, "analytics query", dimensions=["dx=Visits", "pe=202501"], filter=["ou=Nation"], geometry=True)
        ).collect()


def test_a_line_of_a_year_names_every_month_and_counts_in_round_numbers():
    pytest.importorskip("plotext")
    months = [f"2025{month:02}" for month in range(1, 13)]
    names = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    rows = Rows([
        {"pe": pe, "peName": f"{name} 2025", "ouName": f"Unit {at}", "value": 54 + at * 10_000 + number}
        for at in range(12) for number, (pe, name) in enumerate(zip(months, names, strict=True))
    ])  # fmt: skip
    found = rows.chart("peName", "value", kind="line", by="ouName")
    assert isinstance(found, Chart)
    drawn = terminal.text(found, columns=100, lines=30)
    assert all(name[:3] in drawn for name in names) and "Jan'25" in drawn
    assert "e4" not in drawn and "100 000" in drawn.replace("\u202f", " ").replace("\xa0", " ")
    key = drawn.split("\n")[-1]
    marks = [part.split()[0] for part in key.split("  ")]
    assert len(marks) == len(set(marks)) == 12


TIMES = {"mars 2025": "202503", "février 2025": "202502", "janvier 2025": "202501"}


@pytest.mark.parametrize("kind", ["line", "area", "stacked-area", "bar"])
def test_names_of_periods_stand_in_time_where_the_answer_has_told_them(kind: str):
    rows = Rows([{"peName": name, "n": at} for at, name in enumerate(TIMES)], provenance=Provenance(times=TIMES))
    for found in (rows.chart("peName", "n", kind=kind), rows.derive(month="peName").chart("month", "n", kind=kind)):
        assert isinstance(found, Chart)
        assert (found.categories, found.series[0].values) == (tuple(reversed(TIMES)), (2, 1, 0))


def test_a_line_over_names_whose_order_nobody_knows_is_refused_and_bars_are_not():
    rows = Rows([{"peName": name, "n": at} for at, name in enumerate(TIMES)])
    with pytest.raises(UsageError, match="the order of time is not known: peName has names alone") as caught:
        rows.chart("peName", "n", kind="line")
    assert "keep pe beside them" in str(caught.value.hint)
    found = rows.chart("peName", "n", kind="column")
    assert isinstance(found, Chart)
    assert found.categories == tuple(TIMES)


def test_days_and_moments_stand_in_time():
    days = ["2025-03-01T10:00:00.000", "2025-01-31T23:59:00.000", "2025-02-01"]
    found = Rows([{"at": day, "n": 1} for day in days]).chart("at", "n", kind="line")
    assert isinstance(found, Chart)
    assert found.categories == ("2025-01-31T23:59:00.000", "2025-02-01", "2025-03-01T10:00:00.000")


@pytest.mark.parametrize("ending", ["svg", "html"])
def test_a_picture_in_a_file_says_what_it_leaves_out(tmp_path: Path, ending: str):
    pytest.importorskip("vl_convert")
    rows = Rows([{"name": "A", "value": 1}, {"name": "B", "value": None}, {"name": "<C>", "value": ""}])
    told = rows.chart("name", "value", file=str(tmp_path / f"bars.{ending}"))
    said = "2 of 3 rows without a number value: not drawn"
    assert f"({said})" in str(told)
    assert said in (tmp_path / f"bars.{ending}").read_text("utf-8")
    points = Rows([{"name": "A", "x": 1, "y": 2}, {"name": "B", "x": None, "y": 3}]).chart("x", "y", kind="scatter")
    assert isinstance(points, Chart)
    assert points.notes == ("1 of 2 rows without both numbers: not drawn",)


def test_a_map_in_a_file_says_what_it_leaves_out_and_is_as_large_as_it_says(tmp_path: Path):
    area = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}
    for more in ({}, {"value": 3}):
        rows = Rows([{"name": "A", "geometry": area, **more}, {"name": "B", "geometry": None, **more}])
        told = rows.map(str(tmp_path / "map.svg"))
        assert "without a geometry" in str(told)
        picture = (tmp_path / "map.svg").read_text("utf-8")
        assert re.search(r"<text [^>]*>\(1 [^<]*without a geometry", picture)
        outer, inner = (float(found) for found in re.findall(r'<svg [^>]*height="([0-9.]+)"', picture))
        assert outer > inner


def test_notes_are_wrapped_and_escaped():
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="50"></svg>'
    assert with_notes(svg, []) == svg
    drawn = with_notes(svg, ["a <b> " * 40])
    assert drawn.count("<text") > 3
    assert "&lt;b&gt;" in drawn


def test_shares_that_lie_beside_each_other_are_not_written_over_each_other():
    shares = [0.52, 0.3, *[0.01] * 12, 0.06]
    told = round_ones._told_shares(shares, 168)
    assert (told[0], told[1], told[-1]) == ("52.0%", "30.0%", "6.0%")
    assert 0 < sum(bool(text) for text in told[2:-1]) < 6
    assert round_ones._told_shares([1 / 60] * 60, 168)[-1] == "", "the last lies beside the first"


def test_names_of_points_lie_on_no_other_name_and_trends_on_a_light_line():
    points = [{"name": "A long name", "x": x, "y": 1.0} for x in (0, 0.01, 1)]
    assert [row["x"] for row in vega._apart(points, 640, 340)] == [0, 1]
    drawn = vega.spec(
        Chart("column", ("a", "b"), (Series("n", (1, 2)),), trends=(Series("trend", (1, 2)),)), width=200, fit=True
    )
    marks = [one["mark"] for one in drawn["layer"][0]["layer"]]  # type: ignore[index]
    assert [mark["type"] for mark in marks] == ["bar", "line", "line"]
    assert marks[1]["color"] == vega.PAPER
    assert drawn["config"]["legend"]["columns"] == 1  # type: ignore[index]


def test_the_numbers_behind_have_the_decimals_that_are_shown_and_a_single_one_stands_alone():
    table = Pivot(("Data",), (Head(("a",)),), (Head(("b",)),), ((Cell(22.440159574468087),),))
    assert table.numbers_behind().lines == [["b", 22.44]]
    assert replace(table, exact=True).numbers_behind().lines == [["b", 22.440159574468087]]
    assert replace(table, cells=((Cell(0.001234567),),)).numbers_behind().lines == [["b", 0.001234567]]
    assert Chart("number", ("",), (Series("Doses", (64453.0,)),)).numbers_behind().csv() == "Doses\n64453\n"


def test_a_sum_of_all_rows_in_an_expression_says_how():
    with pytest.raises(PipelineError) as caught:
        ROWS.derive(share="value / sum(value)")
    assert "total = sum(row.value for row in rows) first" in str(caught.value.hint)
