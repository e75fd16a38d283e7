"""Specs make what servers took in the recordings."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.client import jsonpatch
from dhis2sh.client.specs import (
    DashboardSlot,
    DataItem,
    Legend,
    LegendSetSpec,
    MapLayerSpec,
    MapSpec,
    VisualizationSpec,
    arranged,
)
from dhis2sh.client.versions import parse_version
from dhis2sh.dhis2.periods import Period, RelativePeriod
from dhis2sh.errors import UsageError
from tests.shared import needs_shared, shared

V42, V43 = parse_version("2.42.5"), parse_version("2.43.1")
DE, OU = "s46m5MS0hxu", "ImspTQPwCqd"


def recorded(name: str, method: str, path: str) -> dict:
    for line in shared("wire", "v42", f"{name}.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        if (exchange["method"], exchange["path"]) == (method, path) and exchange["response"]["status"] == 201:
            return exchange["request"]["body"]
    raise AssertionError(path)


@needs_shared
def test_a_visualization_is_what_a_server_took():
    sent = recorded("write-visual", "POST", "/api/visualizations")
    (item,) = sent["dataDimensionItems"]
    spec = VisualizationSpec(
        [item["dataElement"]["id"]], ["LAST_12_MONTHS"], [OU], name=sent["name"], type=sent["type"], uid=sent["id"]
    )
    made = spec.payload(V42)
    for axis in ("columns", "rows", "filters"):
        for dimension in made[axis]:
            del dimension["dimension"]
    assert {name: made[name] for name in sent} == sent


@needs_shared
def test_legend_sets_and_dashboard_items_are_what_a_server_took():
    sent = recorded("write-visual", "POST", "/api/legendSets")
    legends = [Legend(row["startValue"], row["endValue"], row["color"], row["name"]) for row in sent["legends"]]
    made = LegendSetSpec(sent["name"], legends, uid=sent["id"]).payload()
    assert made == {**sent, "legends": [{k: v for k, v in row.items() if k != "id"} for row in sent["legends"]]}
    dashboard = recorded("write-visual", "POST", "/api/dashboards")
    (item,) = dashboard["dashboardItems"]
    slot = DashboardSlot(item["visualization"]["id"], width=20, height=10, uid=item["id"])
    assert slot.item() == item


def test_periods_go_where_the_version_keeps_them():
    periods = ["2024Q1", Period.parse("202401"), RelativePeriod.THIS_YEAR]
    spec = VisualizationSpec([DE], periods, [OU], name="x")
    assert spec.payload(V42)["periods"] == [{"id": "2024Q1"}, {"id": "202401"}]
    assert spec.payload(V42)["relativePeriods"] == {"thisYear": True}
    assert spec.payload(V43)["rawPeriods"] == ["2024Q1", "202401", "THIS_YEAR"]
    assert "periods" not in spec.payload(V43)


def test_organisation_units_of_every_kind():
    made = VisualizationSpec([DE], ["2024"], [OU, "LEVEL-2", "USER_ORGUNIT", "OU_GROUP-oDkJh5Ddh7d"], name="x").payload(
        V42
    )
    assert (made["organisationUnits"], made["organisationUnitLevels"]) == ([{"id": OU}], [2])
    assert made["userOrganisationUnit"] is True
    assert len(made["filters"][0]["items"]) == 4


def test_axes_follow_the_type_or_what_is_said():
    data = [DataItem("OEWO2PpiUKx", "INDICATOR")]
    table = VisualizationSpec(data, ["2024"], [OU], name="x", type="PIVOT_TABLE").payload(V42)
    assert (table["columnDimensions"], table["rowDimensions"], table["filterDimensions"]) == (["pe"], ["ou"], ["dx"])
    assert table["dataDimensionItems"] == [{"dataDimensionItemType": "INDICATOR", "indicator": {"id": "OEWO2PpiUKx"}}]
    group_set = {"J5jldMd8OHv": ["uYxK4wmcPqA"]}
    more = VisualizationSpec(data, ["2024"], [OU], group_set, name="x").payload(V42)
    assert more["filterDimensions"] == ["ou", "J5jldMd8OHv"]
    own = VisualizationSpec(data, ["2024"], [OU], name="x", columns=["ou"], rows=["dx", "pe"], options={"title": "T"})
    assert (own.payload(V42)["rowDimensions"], own.payload(V42)["title"]) == (["dx", "pe"], "T")
    years = VisualizationSpec(data, org_units=[OU], name="x", type="YEAR_OVER_YEAR_LINE", years=["LAST_5_YEARS"])
    assert years.payload(V42)["yearlySeries"] == ["LAST_5_YEARS"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "COLUMM"}, "no type of visualization"),
        ({"name": " "}, "needs a name"),
        ({"columns": ["dx"], "rows": ["pe"]}, "ou stands on 0 axes"),
        ({"columns": ["dx", "ou"], "rows": ["pe"], "filters": ["ou"]}, "ou stands on 2 axes"),
        ({"columns": ["dx", "J5jldMd8OHv"], "rows": ["pe"], "filters": ["ou"]}, "has no items"),
        ({"periods": ["soon"]}, "not a period"),
    ],
)
def test_a_visualization_that_cannot_be_is_said(changes: dict, said: str):
    usual = {"data": [DE], "periods": ["2024"], "org_units": [OU], "name": "x"}
    with pytest.raises(UsageError, match=said):
        VisualizationSpec(**{**usual, **changes}).payload(V42)


def test_a_map_of_three_layers():
    layers = [
        MapLayerSpec.boundary([OU, "LEVEL-2"], colour="#333333", labels=True, name="Districts"),
        MapLayerSpec.thematic(DE, periods=["LAST_12_MONTHS"], org_units=["LEVEL-2"]),
        MapLayerSpec.thematic(DE, periods=["2024"], org_units=["LEVEL-3"], kind="BUBBLE", legend_set="fqs276KXCXi"),
        MapLayerSpec.facility([OU, "LEVEL-4"], group_set="J5jldMd8OHv", radius=5000),
    ]
    made = MapSpec("Map", layers, -11.8, 8.5, 7).payload(V42)
    boundary, classes, bubbles, facility = made["mapViews"]
    assert (boundary["layer"], boundary["organisationUnitColor"], boundary["name"]) == (
        "boundary",
        "#333333",
        "Districts",
    )
    assert (classes["thematicMapType"], classes["classes"], classes["colorLow"]) == ("CHOROPLETH", 5, "#fef0d9")
    assert (classes["columnDimensions"], classes["filterDimensions"], classes["rowDimensions"]) == (
        ["dx"],
        ["pe"],
        ["ou"],
    )
    assert (bubbles["legendSet"], "classes" in bubbles) == ({"id": "fqs276KXCXi"}, False)
    assert (facility["organisationUnitGroupSet"], facility["areaRadius"]) == ({"id": "J5jldMd8OHv"}, 5000)
    with pytest.raises(UsageError, match="has no layers"):
        MapSpec("Map", []).payload(V42)
    with pytest.raises(UsageError, match="not a colour"):
        MapLayerSpec.boundary([OU], colour="red")
    with pytest.raises(UsageError, match="classes"):
        MapLayerSpec.thematic(DE, periods=["2024"], org_units=[OU], classes=12)


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.integers(1, 9))
def test_equal_classes_cover_their_range(low: int, width: int, count: int):
    legends = LegendSetSpec.equal("x", low, low + width, ["#ffffff"] * count).payload()["legends"]
    assert (legends[0]["startValue"], legends[-1]["endValue"], len(legends)) == (low, low + width, count)
    assert all(one["endValue"] == other["startValue"] for one, other in itertools.pairwise(legends))


def test_classes_that_overlap():
    with pytest.raises(UsageError, match="overlaps"):
        LegendSetSpec("x", [Legend(0, 10, "#ffffff"), Legend(5, 20, "#000000")]).payload()
    with pytest.raises(UsageError, match="no equal classes from 10 to 0"):
        LegendSetSpec.equal("x", 10, 0, ["#ffffff"])


def test_items_change_without_the_dashboard():
    dashboard = {"name": "D", "dashboardItems": [{"id": "other000001", "type": "TEXT"}]}
    slot = DashboardSlot("INtKDA1VJC0", x=30, uid="wirediAAA01")
    after = jsonpatch.apply(slot.added(), dashboard)
    assert after["dashboardItems"][1] == {**slot.item(), "visualization": {"id": "INtKDA1VJC0"}}
    after = jsonpatch.apply(slot.moved(x=0, height=5), after)
    assert [(item["id"], item.get("x"), item.get("height")) for item in after["dashboardItems"]] == [
        ("other000001", None, None),
        ("wirediAAA01", 0, 5),
    ]
    assert jsonpatch.apply(slot.removed(), after) == dashboard
    assert not jsonpatch.needs_document([*slot.added(), *slot.moved(x=1), *slot.removed()])


@pytest.mark.parametrize(
    ("kind", "property", "value"),
    [
        ("MAP", "map", {"id": "content"}), ("EVENT_VISUALIZATION", "eventVisualization", {"id": "content"}),
        ("TEXT", "text", "content"), ("APP", "appKey", "content"), ("MESSAGES", "messages", True),
    ],
)  # fmt: skip
def test_what_may_stand_on_a_dashboard(kind: str, property: str, value: object):
    assert DashboardSlot("content", kind).item()[property] == value


def test_items_in_rows():
    slots = [DashboardSlot(height=height) for height in (10, 20, 5)]
    assert [(slot.x, slot.y, slot.width) for slot in arranged(slots)] == [(0, 0, 30), (30, 0, 30), (0, 10, 30)]
    with pytest.raises(UsageError, match="does not fit"):
        DashboardSlot(x=50).item()


def test_new_items_go_into_the_first_gap():
    there = [DashboardSlot(width=60, height=10), DashboardSlot(y=10, width=29), DashboardSlot(y=30, width=60)]
    [new] = arranged([DashboardSlot()], there=there)
    assert (new.x, new.y, new.width, new.height) == (30, 10, 30, 20)
    [below] = arranged([DashboardSlot(height=21)], there=there)
    assert (below.x, below.y) == (0, 50)


SIZES = st.builds(
    DashboardSlot, x=st.integers(0, 40), y=st.integers(0, 40), width=st.integers(0, 20), height=st.integers(0, 30)
)


@given(st.lists(SIZES, max_size=8), st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 6))
def test_nothing_covers_anything_else(there: list[DashboardSlot], heights: list[int], columns: int):
    placed = arranged([DashboardSlot(height=height) for height in heights], columns=columns, there=there)
    assert [slot.height for slot in placed] == heights
    assert not any(slot.overlaps(other) for slot in placed for other in there)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(placed, 2))
    assert all(slot.item()["x"] + slot.width <= 60 for slot in placed)
