"""Charts, maps and calculations as running servers take them and show them."""

import contextlib
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.areas import open_store
from tests.sandbox.test_owners import client, shown
from tests.sandbox.test_writes import ELEMENT, PATCH, made
from tests.shared import needs_shared

AXES = "columns[dimension,items[id]],rows[dimension,items[id]],filters[dimension,items[id]]"


def axes(**given: list[Any]) -> dict[str, list[dict[str, Any]]]:
    """`axes(columns=["dx", uid])`: one dimension an axis, with its items."""
    return {name: [{"dimension": row[0], "items": [{"id": item} for item in row[1:]]}] for name, row in given.items()}


def view(element: str, level: int) -> dict[str, Any]:
    return {
        "layer": "thematic1",
        **axes(columns=["dx", element], rows=["ou", f"LEVEL-{level}"], filters=["pe", "2025"]),
    }


def test_a_favourite_shows_its_axes_with_their_items(api: TestClient) -> None:
    element = made(api, "dataElements", **ELEMENT)
    given = axes(
        columns=["pe", "LAST_3_MONTHS", "202501"], rows=["dx", element], filters=["ou", "USER_ORGUNIT", "LEVEL-3"]
    )
    chart = made(api, "visualizations", name="Chart", type="COLUMN", **given)
    assert shown(api, f"visualizations/{chart}", AXES) == given
    kept = shown(api, f"visualizations/{chart}", "periods,rawPeriods,organisationUnitLevels,userOrganisationUnit")
    assert kept == {
        "rawPeriods": ["LAST_3_MONTHS", "202501"], "periods": [{"id": "202501", "name": "January 2025"}],
        "organisationUnitLevels": [3], "userOrganisationUnit": True,
    }  # fmt: skip
    assert shown(api, f"visualizations/{chart}", "columns") == {"columns": [{"id": "pe"}]}


def test_t17_a_calculation_is_stored_and_brings_its_elements_into_a_chart(api: TestClient) -> None:
    first, second = (made(api, "dataElements", **ELEMENT | {"name": name, "shortName": name}) for name in "AB")
    bundle = {"expressionDimensionItems": [
        {"id": "calculation", "name": "Ratio", "shortName": "Ratio", "expression": f"#{{{first}}}/#{{{second}}}"}
    ]}  # fmt: skip
    assert api.post("/api/metadata", json=bundle).json()["response"]["stats"]["created"] == 1
    assert shown(api, "expressionDimensionItems/calculation", "name") == {"name": "Ratio"}
    chart = made(api, "visualizations", name="Chart", type="COLUMN", **axes(columns=["dx", "calculation"]))
    items = shown(api, f"visualizations/{chart}", "dataDimensionItems")["dataDimensionItems"]
    assert [row["dataDimensionItemType"] for row in items] == [
        "EXPRESSION_DIMENSION_ITEM", "DATA_ELEMENT", "DATA_ELEMENT",
    ]  # fmt: skip
    assert shown(api, f"visualizations/{chart}", "columns[items[id]]") == {
        "columns": [{"items": [{"id": "calculation"}]}]
    }
    assert api.delete("/api/expressionDimensionItems/calculation").status_code == 200


@pytest.mark.parametrize(("version", "status"), [("2.41", 409), ("2.42", 409), ("2.43", 200)])
def test_l4_a_map_with_views_is_changed_by_put_alone(version: str, status: int) -> None:
    with contextlib.closing(open_store(None, version=version)) as store, client(store) as api:
        element = made(api, "dataElements", **ELEMENT)
        uid = made(api, "maps", name="Map", mapViews=[view(element, 2)])
        assert shown(api, f"maps/{uid}", f"mapViews[{AXES}]")["mapViews"] == [
            {name: rows for name, rows in view(element, 2).items() if name != "layer"}
        ]
        rename = [{"op": "replace", "path": "/name", "value": "Renamed"}]
        answer = api.patch(f"/api/maps/{uid}", json=rename, headers=PATCH)
        assert answer.status_code == status
        if status == 409:
            assert "DataDimensionItem.dataElement -> org.hisp.dhis.dataelement.DataElement" in answer.json()["message"]
            assert shown(api, f"maps/{uid}", "name") == {"name": "Map"}
        body = shown(api, f"maps/{uid}", ":owner")
        assert api.post("/api/metadata", json={"maps": [body]}).status_code == status

        answer = api.put(f"/api/maps/{uid}", json={"name": "Two", "mapViews": [view(element, 3)]})
        assert answer.json() == {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK"}
        assert shown(api, f"maps/{uid}", "name,mapViews[organisationUnitLevels]") == {
            "name": "Two", "mapViews": [{"organisationUnitLevels": [3]}],
        }  # fmt: skip


def test_l4_a_view_without_axes_is_not_made_up(api: TestClient) -> None:
    element = made(api, "dataElements", **ELEMENT)
    items = [{"dataElement": {"id": element}, "dataDimensionItemType": "DATA_ELEMENT"}]
    answer = api.post("/api/maps", json={"name": "Map", "mapViews": [{"layer": "x", "dataDimensionItems": items}]})
    assert answer.status_code == 501
    assert answer.json()["message"].startswith("the sandbox does not imitate")


@needs_shared
def test_t18_a_category_is_an_axis(real_api: TestClient) -> None:
    uid, option = "YNZyaJHiHYq", "btOyqprQ9e8"
    chart = made(real_api, "visualizations", name="By category", type="COLUMN", **axes(columns=[uid, option]))
    assert shown(real_api, f"visualizations/{chart}", "categoryDimensions") == {
        "categoryDimensions": [{"category": {"id": uid}, "categoryOptions": [{"id": option}]}]
    }
