"""Saved visualizations drawn from their definitions: what stands where, in every medium."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.pictures import definitions
from dhis2sh.pictures.visuals import Visual
from dhis2sh.session import Session
from dhis2sh.show.charts import media, vega
from dhis2sh.show.charts.model import Chart, Series, Shade, figure, shade_of, trend
from dhis2sh.show.numbers import Numbers
from dhis2sh.show.pivots import Pivot
from dhis2sh.surfaces.output import formatted
from tests.metadata.calls import call

CHARTS = ["COLUMN", "STACKED_COLUMN", "BAR", "STACKED_BAR", "LINE", "AREA", "STACKED_AREA", "PIE", "RADAR", "GAUGE",
          "SINGLE_VALUE", "SCATTER"]  # fmt: skip
ONE = {"GAUGE", "SINGLE_VALUE"}


def axis(name: str, *items: str) -> dict[str, Any]:
    return {"dimension": name, "items": [{"id": item} for item in items]}


async def saved(s: Session, kind: str, columns: list[Any], rows: list[Any], filters: list[Any], **more: Any) -> str:
    body = {
        "id": "viPicture01",
        "name": "A picture",
        "type": kind,
        "columns": columns,
        "rows": rows,
        "filters": filters,
        **more,
    }
    await s.client.post("visualizations", body)
    return "viPicture01"


async def by_months(s: Session, kind: str, **more: Any) -> str:
    return await saved(
        s, kind, [axis("dx", "deVisits001", "deStock0001")], [axis("pe", "202501", "202502", "202503")],
        [axis("ou", "ouNation001")], **more,
    )  # fmt: skip


async def drawn(s: Session, uid: str, **more: Any) -> Visual:
    found = await call(s, "analytics viz", visualization=uid, **more)
    assert isinstance(found, Visual)
    return found


@pytest.mark.parametrize("kind", CHARTS)
async def test_every_type_is_drawn_in_every_medium(s: Session, tmp_path: Path, kind: str):
    pytest.importorskip("vl_convert")
    if kind in ONE:
        uid = await saved(s, kind, [axis("dx", "deVisits001")], [], [axis("pe", "202501"), axis("ou", "ouNation001")])
    else:
        uid = await by_months(s, kind)
    found = await drawn(s, uid)
    assert isinstance(found.drawn, Chart)
    assert found.drawn.title == "A picture"
    assert "A picture" in repr(found)
    for ending, begins in ((".svg", b"<svg"), (".png", b"\x89PNG"), (".html", b"<!doctype html>")):
        file = tmp_path / f"picture{ending}"
        written = await drawn(s, uid, out=file)
        assert written.file == str(file)
        body = file.read_bytes()
        assert body.startswith(begins)
        if ending != ".png":
            assert not re.search(rb"(href|src)=.https?:|url\(.?https?:|@import|<script", body)


async def test_series_are_columns_and_categories_rows(s: Session):
    chart = (await drawn(s, await by_months(s, "COLUMN"))).drawn
    assert isinstance(chart, Chart)
    assert chart.categories == ("January 2025", "February 2025", "March 2025")
    assert {one.name: one.values for one in chart.series} == {
        "Visits": (36.0, 42.0, None), "Stock": (100.0, 109.0, 79.0),
    }  # fmt: skip
    assert chart.subtitle == "Nation"


async def test_what_the_definition_says_of_its_look(s: Session):
    uid = await by_months(
        s, "COLUMN", title="Doses", subtitle="per month", hideLegend=True, showData=True, cumulativeValues=True,
        noSpaceBetweenColumns=True, digitGroupSeparator="COMMA", regressionType="LINEAR",
        series=[{"dimensionItem": "deStock0001", "axis": 1, "type": "LINE"}],
        axes=[{"index": 0, "type": "RANGE", "label": {"text": "Visits"}, "minValue": 0, "maxValue": 200, "steps": 5, "decimals": 1,
               "targetLine": {"value": 100, "title": {"text": "Goal"}}, "baseLine": {"value": 10}},
              {"index": 0, "type": "DOMAIN", "label": {"text": "Month"}}],
    )  # fmt: skip
    chart = (await drawn(s, uid)).drawn
    assert isinstance(chart, Chart)
    assert (chart.title, chart.subtitle, chart.label, chart.grouping) == ("Doses", "per month", "Month", ",")
    assert (chart.legend, chart.numbers, chart.tight) == (False, True, True)
    assert chart.series[0].values == (36.0, 78.0, 78.0)
    assert (chart.series[1].kind, chart.series[1].second) == ("line", True)
    assert (chart.axis.label, chart.axis.least, chart.axis.most, chart.axis.steps, chart.axis.decimals) == (
        "Visits",
        0,
        200,
        5,
        1,
    )
    assert [(level.value, level.label) for level in chart.levels] == [(100, "Goal"), (10, "Base")]
    assert len(chart.trends) == 2


def test_lines_of_definitions_before_2_34():
    found = definitions.of_body(
        {
            "id": "viPicture01",
            "name": "A",
            "targetLineValue": 50.0,
            "targetLineLabel": "Old goal",
            "rangeAxisMaxValue": 90.0,
        }
    )
    assert [(level.value, level.label) for level in found.look.levels] == [(50, "Old goal")]
    assert found.look.axis.most == 90


@pytest.mark.parametrize(("more", "categories"), [
    ({"hideEmptyRowItems": "ALL"}, ("January 2025", "February 2025")),
    ({"hideEmptyRowItems": "AFTER_LAST"}, ("January 2025", "February 2025")),
    ({"hideEmptyRowItems": "BEFORE_FIRST"}, ("January 2025", "February 2025", "March 2025")),
    ({"sortOrder": 1}, ("February 2025", "January 2025", "March 2025")),
    ({"sortOrder": -1}, ("January 2025", "February 2025", "March 2025")),
    ({"sortOrder": 1, "topLimit": 1}, ("February 2025",)),
])  # fmt: skip
async def test_which_categories_stand_and_in_which_order(s: Session, more: dict[str, Any], categories: tuple[str, ...]):
    uid = await saved(s, "COLUMN", [axis("dx", "deVisits001")], [axis("pe", "202501", "202502", "202503")],
                      [axis("ou", "ouNation001")], **more)  # fmt: skip
    chart = (await drawn(s, uid)).drawn
    assert isinstance(chart, Chart)
    assert chart.categories == categories


async def test_what_is_not_drawn_is_said(s: Session):
    uid = await by_months(s, "LINE", regressionType="LOESS", colorSet="DARK", outlierAnalysis={"enabled": True})
    found = await drawn(s, uid)
    said = " ".join(found.drawn.notes)
    assert "LOESS" in said
    assert "DARK" in said
    assert "outlier" in said
    assert "LOESS" in repr(found)


async def test_a_definition_without_periods_says_so_and_takes_them_from_its_caller(s: Session):
    uid = await saved(
        s, "COLUMN", [axis("dx", "deVisits001")], [{"dimension": "pe", "items": []}], [axis("ou", "ouNation001")]
    )
    with pytest.raises(UsageError, match="'A picture' says no period") as caught:
        await drawn(s, uid)
    assert caught.value.hint == f"dhis2 analytics viz {uid} --period 2025"
    chart = (await drawn(s, uid, period=["202501..202502"], org_unit=["North"])).drawn
    assert isinstance(chart, Chart)
    assert chart.series[0].values == (35.0, 40.0)
    assert "North" in chart.subtitle


async def test_years_are_compared_month_by_month(s: Session):
    uid = await saved(s, "YEAR_OVER_YEAR_LINE", [], [axis("pe", "MONTHS_THIS_YEAR")],
                      [axis("dx", "deVisits001"), axis("ou", "ouNation001")], yearlySeries=["2025", "2024"])  # fmt: skip
    chart = (await drawn(s, uid)).drawn
    assert isinstance(chart, Chart)
    assert chart.kind == "line"
    assert chart.categories[:2] == ("January", "February")
    assert {one.name: one.values[:2] for one in chart.series} == {"2025": (36.0, 42.0), "2024": (None, None)}


async def test_a_scatter_has_a_point_for_each_unit(s: Session):
    uid = await saved(s, "SCATTER", [axis("dx", "deVisits001", "deStock0001")], [axis("ou", "ouNation001", "LEVEL-3")],
                      [axis("pe", "202501")])  # fmt: skip
    chart = (await drawn(s, uid)).drawn
    assert isinstance(chart, Chart)
    across, up = chart.series
    assert (across.name, up.name) == ("Stock", "Visits")
    assert dict(zip(chart.categories, zip(across.values, up.values, strict=True), strict=True))["Clinic A"] == (
        100.0,
        30.0,
    )
    assert "2 of 3 have only one of the two numbers" in " ".join(chart.notes)


async def test_an_outlier_table_has_the_servers_rows_under_its_own_headers(s: Session, monkeypatch: pytest.MonkeyPatch):
    """Identifiers stay out, numbers are numbers, and the search is the one that the definition says."""
    uid = await saved(
        s, "OUTLIER_TABLE", [axis("dx", "deStock0001")], [axis("pe", "202501")], [axis("ou", "ouNation001")],
        outlierAnalysis={"enabled": True, "outlierMethod": "STANDARD_Z_SCORE", "thresholdFactor": 2.0},
    )  # fmt: skip
    asked: list[dict[str, Any]] = []
    get = type(s.client).get

    async def answered(client: Any, path: str, params: Any = None, **more: Any) -> Any:
        if path != "analytics/outlierDetection":
            return await get(client, path, params, **more)
        asked.append(params)
        names = ("dx", "dxname", "ounamehierarchy", "value", "zscore", "bound")
        headers = [{"name": name, "column": name.upper()} for name in names]
        rows = [
            ["deStock0001", "Stock", "/Nation", "900", "3.5", ""],
            ["deStock0001", "Stock", "/Nation", "high", "2", None],
        ]
        return {"headers": headers, "rows": rows}

    monkeypatch.setattr(type(s.client), "get", answered)
    table = (await drawn(s, uid)).drawn
    assert isinstance(table, Pivot)
    assert asked == [
        {"dx": "deStock0001", "pe": "202501", "ou": "ouNation001", "algorithm": "Z_SCORE", "threshold": "2.0"}
    ]
    assert table.corner == ("DXNAME",)
    assert [[cell.value for cell in row] for row in table.cells] == [[900.0, 3.5, None], ["high", 2.0, None]]


async def test_an_outlier_table_without_units_names_what_it_lacks(s: Session):
    uid = await saved(s, "OUTLIER_TABLE", [axis("dx", "deStock0001")], [axis("pe", "202501")], [])
    with pytest.raises(UsageError, match="'A picture' says no organisation unit"):
        await drawn(s, uid)


async def test_values_have_the_colours_of_their_classes(s: Session):
    legends = {"id": "lsClasses01", "name": "Classes", "legends": [
        {"id": "leLow000001", "name": "Low", "startValue": 0, "endValue": 40, "color": "#ff0000"},
        {"id": "leHigh00001", "name": "High", "startValue": 40, "endValue": 80, "color": "#00ff00"},
    ]}  # fmt: skip
    await s.client.post("legendSets", legends)
    uid = await saved(s, "COLUMN", [axis("dx", "deVisits001")], [axis("pe", "202501", "202502")], [axis("ou", "ouNation001")],
                      legend={"strategy": "FIXED", "style": "FILL", "set": {"id": "lsClasses01"}, "showKey": True})  # fmt: skip
    chart = (await drawn(s, uid)).drawn
    assert isinstance(chart, Chart)
    assert chart.series[0].shades == ("#ff0000", "#00ff00")
    assert "Low (0" in json.dumps(vega.spec(chart))


async def pivot(s: Session, data: list[str], **more: Any) -> Pivot:
    uid = await saved(s, "PIVOT_TABLE", [axis("dx", *data)], [axis("ou", "ouNation001", "LEVEL-2"), axis("pe", "202501", "202502")], [],
                      **more)  # fmt: skip
    found = (await drawn(s, uid)).drawn
    assert isinstance(found, Pivot)
    return found


def cells(table: Pivot) -> dict[tuple[str, ...], list[Any]]:
    return {head.labels: [cell.value for cell in row] for head, row in zip(table.rows, table.cells, strict=True)}


async def test_a_pivot_table_adds_up_what_can_be_added_up(s: Session):
    table = await pivot(
        s,
        ["deVisits001", "deTemp00001", "inShareF001"],
        colTotals=True,
        rowTotals=True,
        colSubTotals=True,
        hideEmptyRows=True,
    )
    found = cells(table)
    assert [head.labels for head in table.columns] == [("Visits",), ("Temperature",), ("Share of women",), ("Total",)]
    assert found["North", "January 2025"][0] == 35
    assert found["North", "Subtotal"][0] == 75
    assert found["Total",][0] == 78
    assert found["Total",][1] == "N/A"  # averages do not add up
    assert found["Total",][2] == pytest.approx(100 * 21 / 78)
    assert found["North", "January 2025"][-1] == "N/A"  # a sum over visits and degrees


async def pivot_of_months(s: Session) -> Pivot:
    body = {"id": "viMonths001", "name": "Months", "type": "PIVOT_TABLE", "rows": [axis("ou", "ouNation001")], "filters": [axis("dx", "deVisits001")]}  # fmt: skip
    body["columns"] = [axis("pe", *(f"2025{month:02}" for month in range(1, 13)))]
    await s.client.post("visualizations", body)
    found = (await drawn(s, "viMonths001")).drawn
    assert isinstance(found, Pivot)
    return found


async def test_a_pivot_table_as_text_html_and_csv(s: Session, tmp_path: Path):
    table = await pivot(s, ["deVisits001"], colTotals=True)
    assert "North" in table.text()
    narrow = (await pivot_of_months(s)).text(44)
    assert max(map(len, narrow.split("\n")[2:-1])) <= 44
    assert "more columns: --out table.html has all" in narrow
    page = table.html()
    assert page.count("<tr") == 1 + len(table.rows)
    assert table.numbers_behind().csv().split("\n")[0] == "Organisation unit,Period,Visits"
    with pytest.raises(UsageError, match="is a table, which is written as"):
        await drawn(s, "viPicture01", out=tmp_path / "a.png")
    await drawn(s, "viPicture01", out=tmp_path / "a.csv")
    assert "North,January 2025,35" in (tmp_path / "a.csv").read_text()


NUMBERS = [["January 2025", 35, 1], ["February 2025", 40, 2]]


async def test_the_numbers_of_a_chart_are_rows(s: Session, tmp_path: Path):
    body = {"id": "viNumbers01", "name": "Numbers", "type": "COLUMN", "rows": [axis("pe", "202501", "202502")], "filters": [axis("dx", "deVisits001")]}  # fmt: skip
    body["columns"] = [axis("ou", "ouNorth0001", "ouSouth0001")]
    await s.client.post("visualizations", body)
    shown = await drawn(s, "viNumbers01")
    numbers = shown.as_rows().plain()
    assert [list(row.values()) for row in numbers] == NUMBERS
    assert formatted(shown, "csv").splitlines()[0] == ",".join(numbers[0])
    await drawn(s, "viNumbers01", out=tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "January 2025,35,1"


def test_two_series_of_one_name_are_two_columns():
    assert Numbers(["a", "b", "b"], [["x", 1.0, 2.5]]).rows().plain() == [{"a": "x", "b": 1, "b (2)": 2.5}]


async def test_shares_of_rows_and_columns(s: Session):
    table = await pivot(s, ["deVisits001"], numberType="COLUMN_PERCENTAGE", hideEmptyRows=True)
    shares = [row[0] for row in cells(table).values()]
    assert shares[0] == "44.9%"
    assert sum(float(str(share).rstrip("%")) for share in shares) == pytest.approx(100, abs=0.3)


async def test_files_of_other_kinds_are_refused_before_anything_is_asked(s: Session):
    with pytest.raises(UsageError, match="a picture is written as"):
        await drawn(s, await by_months(s, "COLUMN"), out=Path("chart.pdf"))


@pytest.mark.parametrize(("value", "text"), [
    (1234.5, "1 234.5"), (0.0042, "0.0042"), (0.0, "0"), (-3.0, "-3"), (1e6, "1 000 000"), (None, ""), (12.345, "12.35"),
])  # fmt: skip
def test_numbers_are_written_so_that_small_ones_are_no_noughts(value: float | None, text: str):
    assert figure(value) == text


def test_trends_and_classes():
    assert (line := trend(Series("a", (1.0, 2.0, None, 4.0)), 1)) is not None
    assert line.values == pytest.approx((1, 2, 3, 4))
    assert (curve := trend(Series("a", (0.0, 1.0, 4.0, 9.0)), 2)) is not None
    assert curve.values == pytest.approx((0, 1, 4, 9))
    assert trend(Series("a", (1.0, None)), 1) is None
    shades = [Shade("low", 0, 10, "#000000"), Shade("high", 10, 20, "#ffffff")]
    assert [found.name if (found := shade_of(value, shades)) else None for value in (0, 10, 20, 21, -1, None)] == [
        "low", "high", "high", None, None, None,
    ]  # fmt: skip


def test_names_of_a_server_stay_names():
    """What is in a name neither runs in the picture's own language nor leaves its place in the page."""
    pytest.importorskip("vl_convert")
    evil = '</text><script>alert(1)</script>" + datum.value + "'
    chart = Chart("column", (evil, "b"), (Series(evil, (1.0, 2.0)), Series("x", (2.0, 1.0))), title=evil)
    picture = media.svg(vega.spec(chart))
    assert "<script" not in picture
    assert "<script" not in media.page(chart.title, media.inline(chart))


@pytest.mark.parametrize("kind", ["column", "line", "pie", "radar", "stacked-bar", "scatter", "gauge", "number"])
def test_no_numbers_are_said_and_not_drawn(kind: Any):
    chart = Chart(kind, ("a", "b", "c"), (Series("x", (None, None, None)), Series("y", (None, None, None))))
    assert "no data" in repr(chart)
    pytest.importorskip("vl_convert")
    assert media.svg(vega.spec(chart)).startswith("<svg")
