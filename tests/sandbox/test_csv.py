"""Metadata as CSV and GML."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.sandbox.test_writes import codes, made

CSV = {"Content-Type": "application/csv"}


def imported(api: TestClient, key: str, text: str, **query: str) -> dict[str, Any]:
    answer = api.post("/api/metadata", params={"classKey": key, **query}, content=text.encode(), headers=CSV)
    assert answer.status_code in {200, 409}, answer.text
    return answer.json()


def test_data_elements_by_the_place_of_their_columns(api: TestClient) -> None:
    text = 'name,uid,code,shortname\nNew,deNew000001,NEW,\n"Other, one",,,Other,,,tracker,TEXT,NONE\n'
    stats = imported(api, "DATA_ELEMENT", text)["response"]["stats"]
    assert (stats["created"], stats["ignored"]) == (2, 0)
    first = api.get("/api/dataElements/deNew000001?fields=name,shortName,code,valueType,domainType,aggregationType")
    assert first.json() == {"name": "New", "shortName": "New", "code": "NEW", "valueType": "INTEGER",
                            "domainType": "AGGREGATE", "aggregationType": "SUM"}  # fmt: skip
    second = api.get("/api/dataElements?filter=shortName:eq:Other&fields=name,domainType").json()["dataElements"]
    assert second == [{"name": "Other, one", "domainType": "TRACKER"}]


def test_a_bad_cell_is_refused_like_a_bad_property(api: TestClient) -> None:
    answer = imported(api, "DATA_ELEMENT", "h\nNew,deNew000001,NEW,,,,,,,aaaaaaaaaaa\n")
    assert codes(answer) == ["E5002"]


def test_units_come_with_their_geometry(api: TestClient) -> None:
    text = 'h\nUnit,ouNew000001,U,ouDistrict1,,,2020-01-01,,,POINT,"[-11.5,8.2]"\n'
    assert imported(api, "ORGANISATION_UNIT", text)["response"]["stats"]["created"] == 1
    shown = api.get("/api/organisationUnits/ouNew000001?fields=path,geometry").json()
    assert shown == {"path": "/ouCountry01/ouDistrict1/ouNew000001",
                     "geometry": {"type": "Point", "coordinates": [-11.5, 8.2]}}  # fmt: skip
    assert "FeatureType.BLOB" in imported(api, "ORGANISATION_UNIT", "h\nUnit,,,,,,,,,BLOB,[1]\n")["message"]


def test_memberships_are_added(api: TestClient) -> None:
    text = "group,member\ndeGroup0001,deText00001\naaaaaaaaaaa,deText00001\n"
    assert imported(api, "DATA_ELEMENT_GROUP_MEMBERSHIP", text)["response"]["stats"]["updated"] == 1
    members = api.get("/api/dataElementGroups/deGroup0001?fields=dataElements").json()["dataElements"]
    assert {"id": "deText00001"} in members


def test_option_sets_are_rows_of_options(api: TestClient) -> None:
    text = "h\nColours,setNew00001,COL,Red,optNew00001,RED\nColours,setNew00001,COL,Blue,optNew00002,BLUE\n"
    assert imported(api, "OPTION_SET", text)["response"]["stats"]["created"] == 3
    shown = api.get("/api/optionSets/setNew00001?fields=options[code]").json()
    assert shown == {"options": [{"code": "RED"}, {"code": "BLUE"}]}
    groups = "h\nWarm,grpNew00001,,Warm,setNew00001,optNew00001\nWarm,grpNew00001,,Warm,setNew00001,,NO\n"
    assert imported(api, "OPTION_GROUP", groups)["response"]["stats"]["created"] == 1


def test_the_first_row_may_count(api: TestClient) -> None:
    stats = imported(api, "CATEGORY_OPTION", "Male\nFemale\n", firstRowIsHeader="false")["response"]["stats"]
    assert stats["created"] == 2


@pytest.mark.parametrize("key", ["", "NOPE"])
def test_an_unknown_class_is_refused(api: TestClient, key: str) -> None:
    assert imported(api, key, "a\n")["httpStatusCode"] == 409


def test_the_classes_are_listed(api: TestClient) -> None:
    known = api.get("/api/metadata/csvImportClasses").json()
    assert {"DATA_ELEMENT", "OPTION_GROUP_SET_MEMBERSHIP"} <= set(known)


def test_gml_gives_units_their_borders(api: TestClient) -> None:
    made(api, "organisationUnits", id="ouNew000001", name="Unit", shortName="Unit", openingDate="2020-01-01",
         parent={"id": "ouDistrict1"})  # fmt: skip
    text = """<FeatureCollection xmlns:gml="http://www.opengis.net/gml"><gml:featureMember><unit><name>Unit</name>
      <gml:Polygon><gml:outerBoundaryIs><gml:LinearRing><gml:coordinates>0,0 0,1 1,1 0,0</gml:coordinates>
      </gml:LinearRing></gml:outerBoundaryIs></gml:Polygon></unit></gml:featureMember></FeatureCollection>"""
    answer = api.post("/api/metadata/gml", content=text, headers={"Content-Type": "application/xml"}).json()
    assert answer["response"]["stats"]["updated"] == 1
    geometry = api.get("/api/organisationUnits/ouNew000001?fields=geometry").json()["geometry"]
    assert geometry == {"type": "MultiPolygon", "coordinates": [[[[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]]]}
    assert api.post("/api/metadata/gml", content="<a", headers={"Content-Type": "application/xml"}).status_code == 409
