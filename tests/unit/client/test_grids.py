"""The tables of analytics, as servers write them."""

from typing import Any

import pytest

from dhis2sh.client.grids import AnalyticsItem, Grid
from dhis2sh.errors import BrokenAnswer
from tests.shared import exchanges, needs_shared


def test_a_grid_becomes_records():
    grid = Grid.of(
        {
            "headers": [
                {"name": "dx", "valueType": "TEXT", "meta": True},
                {"name": "value", "valueType": "NUMBER"},
                {"name": "n", "valueType": "NUMBER"},
            ],
            "metaData": {"items": {"s46m5MS0hxu": {"name": "BCG"}}, "dimensions": {"dx": ["s46m5MS0hxu"]}},
            "rows": [["s46m5MS0hxu", "12.0", "1.5"], ["other", "none", 3]],
        }
    )
    assert list(grid.records(names=True)) == [
        {"dx": "s46m5MS0hxu", "dxName": "BCG", "value": 12, "n": 1.5},
        {"dx": "other", "dxName": "other", "value": "none", "n": 3},
    ]


def test_a_whole_number_of_any_size_is_that_number():
    grid = Grid.of({"headers": [{"name": "value", "valueType": "NUMBER"}], "rows": [["9007199254740993.0"], ["-7"]]})
    assert [row["value"] for row in grid.records()] == [9007199254740993, -7]


def test_items_have_what_the_server_says_of_them():
    body = {
        "items": {
            "s46m5MS0hxu": {"uid": "s46m5MS0hxu", "legendSet": "fqs276KXCXi", "dimensionItemType": "DATA_ELEMENT"}
        }
    }
    meta = Grid.of({"headers": [], "rows": [], "metaData": body}).meta_data
    assert meta.items["s46m5MS0hxu"] == AnalyticsItem(
        uid="s46m5MS0hxu", legend_set="fqs276KXCXi", dimension_item_type="DATA_ELEMENT"
    )
    assert meta.name_of("s46m5MS0hxu") == "s46m5MS0hxu"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ([], "the answer is no object"),
        ({"rows": [["1"]]}, "its rows have no headers"),
        ({"headers": [{"name": "value"}], "rows": ["1"]}, "a row of it is no list"),
        ({"headers": {"name": "value"}}, "headers is no list"),
        ({"headers": [{"name": 7}]}, "name is no text"),
        ({"headers": [], "rows": [], "metaData": []}, "metaData is no object"),
        ({"headers": [], "rows": [], "metaData": {"items": {"dx": "BCG"}}}, "an item is no object"),
        ({"headers": [], "rows": [], "metaData": {"dimensions": {"dx": "BCG"}}}, "dx is no list"),
    ],
)
def test_what_is_no_table_is_refused(body: Any, why: str):
    with pytest.raises(BrokenAnswer, match=f"not a table of analytics: {why}"):
        Grid.of(body)


@needs_shared
@pytest.mark.parametrize("version", ["v40", "v41", "v42", "v43", "v44"])
def test_recorded_tables_are_read(version: str):
    seen = 0
    for exchange in exchanges(version):
        body = exchange["response"]["body"]
        if not (exchange["path"].startswith("/api/analytics") and isinstance(body, dict) and "headers" in body):
            continue
        grid = Grid.of(body)
        assert len(list(grid.records())) == len(body.get("rows") or [])
        assert {uid: item.name for uid, item in grid.meta_data.items.items()} == {
            uid: item.get("name") for uid, item in (body.get("metaData", {}).get("items") or {}).items()
        }
        seen += 1
    assert seen


def test_rows_stand_in_the_order_of_their_members_and_periods_are_known_by_name():
    grid = Grid.of({
        "headers": [{"name": "dx", "meta": True}, {"name": "pe", "meta": True}, {"name": "value", "valueType": "NUMBER"}],
        "rows": [["b", "202502", "4"], ["a", "202501", "1"], ["b", "202501", "3"], ["a", "202502", "2"], ["z", "202501", "5"]],
        "metaData": {
            "items": {"202501": {"name": "janvier"}, "202502": {"name": "février"}, "2025": {"name": "x"}, "2024": {"name": "x"}},
            "dimensions": {"dx": ["b", "a"], "pe": ["202501", "202502", "2025", "2024"]},
        },
    })  # fmt: skip
    assert [row["value"] for row in grid.in_order().records()] == [3, 4, 1, 2, 5]
    assert [cells[2] for cells in grid.rows] == ["4", "1", "3", "2", "5"]
    assert grid.meta_data.periods_by_name() == {"janvier": "202501", "février": "202502"}, "of two that share one none"
