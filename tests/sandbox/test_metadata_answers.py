"""What the sandbox answers to reads, patches, merges and imports of metadata, each as `wire/v42/meta2-*` shows it."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from tests.sandbox.test_writes import ELEMENT, PATCH, codes, made

GROUP = "/api/dataElementGroups/deGroup0001"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("categoryCombo.name", {}),
        ("categoryCombo[name]", {"categoryCombo": {"name": "default"}}),
        ("categoryCombo[categories~pluck(name)]", {"categoryCombo": {"categories": [{"id": "GLevLNI9wkl"}]}}),
        ("categoryCombo[categories~pluck(id)]", {"categoryCombo": {"categories": ["GLevLNI9wkl"]}}),
        ("categoryCombo[categories~keyBy(name)]", {"categoryCombo": {"categories": {}}}),
    ],
)
def test_fields_show_what_a_reference_shows_of_itself(api: TestClient, fields: str, expected: Any) -> None:
    assert api.get("/api/dataElements/deNumber001", params={"fields": fields}).json() == expected


def test_fields_may_be_repeated_and_only_the_object_itself_has_an_address(api: TestClient) -> None:
    shown = api.get("/api/dataElements/deNumber001?fields=id&fields=categoryCombo[:all]").json()
    assert shown.keys() == {"id", "categoryCombo"}
    assert "href" not in shown["categoryCombo"]
    assert "href" in api.get("/api/dataElements/deNumber001?fields=:all").json()


def test_words_are_one_more_alternative_of_filters_joined_by_or(api: TestClient) -> None:
    asked = "/api/dataElements?fields=name&filter=name:ilike:bcg&query=opv"
    assert api.get(asked).json()["dataElements"] == []
    found = api.get(f"{asked}&rootJunction=OR").json()["dataElements"]
    assert [row["name"] for row in found] == ["BCG doses given", "OPV doses given"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name.id:eq:1", "Simple type was found before finished parsing path expression"),
        ("nope.id:eq:1", "Unknown path property: nope.id"),
        ("categoryCombo:eq:bjDvmb4bfuf", "Unable to parse `bjDvmb4bfuf` to `CategoryCombo`."),
    ],
)
def test_a_filter_that_cannot_be_says_why(api: TestClient, text: str, says: str) -> None:
    answer = api.get("/api/dataElements", params={"filter": text})
    assert (answer.status_code, answer.json()["message"].startswith(says)) == (400, True)


def test_t19_nothing_is_translated_unless_that_is_asked_for(api: TestClient) -> None:
    texts = [
        {"locale": "fr", "property": "NAME", "value": "Dose"},
        {"locale": "pt_BR", "property": "NAME", "value": "Dose br"},
    ]
    assert api.put("/api/dataElements/deNumber001/translations", json={"translations": texts}).status_code == 204

    def name(query: str) -> str:
        return api.get(f"/api/dataElements/deNumber001?fields=displayName&{query}").json()["displayName"]

    assert name("locale=fr") == name("translate=true") == "BCG doses given"
    assert name("translate=true&locale=fr") == "Dose"
    assert name("translate=true&locale=pt-BR") == name("translate=true&locale=pt_BR") == "Dose br"


def test_a_bad_translation_is_reported_without_the_object(api: TestClient) -> None:
    row = {"locale": "fr", "property": "NAME", "value": "A"}
    answer = api.put("/api/dataElements/deNumber001/translations", json={"translations": [row, row]})
    assert (answer.status_code, answer.json()["status"], codes(answer.json())) == (409, "WARNING", ["E1106"])
    assert "uid" not in answer.json()["response"]


@pytest.mark.parametrize(
    ("operation", "status", "says"),
    [
        ({"op": "remove-by-id", "path": "/dataElements", "value": "deNumber001"}, 400, "Invalid id null"),
        ({"op": "add", "path": "/dataElements/9", "value": {}}, 400, "index out of bounds: 9 (expected: >= 0 && <= 2)"),
        ({"op": "replace", "path": "name", "value": "x"}, 500, "JSON Pointer expression must start with '/'"),
        ({"op": "add", "path": "/attributeValues/-", "value": {}}, 400, "Parent node is not a container"),
    ],
)
def test_a_patch_that_cannot_be_applied(api: TestClient, operation: dict[str, Any], status: int, says: str) -> None:
    answer = api.patch(GROUP, json=[operation], headers=PATCH)
    assert (answer.status_code, says in answer.json()["message"]) == (status, True)


def test_a_merge_says_what_stands_in_its_way(api: TestClient) -> None:
    def merged(**body: Any) -> Any:
        return api.post("/api/dataElements/merge", json={"dataMergeStrategy": "DISCARD", **body}).json()

    own = merged(sources=["deNumber001"], target="deNumber001")["response"]["mergeReport"]
    assert own == {
        "mergeErrors": [{"message": "Target DataElement cannot be a source DataElement", "errorCode": "E1532",
                         "args": ["DataElement", "DataElement"]}],
        "mergeType": "DataElement", "sourcesDeleted": [], "message": "DataElement merge has errors",
    }  # fmt: skip
    assert merged(sources=["deNumber001"], target="deNumber002", dataMergeStrategy="NOPE")["httpStatusCode"] == 400
    sets = [{"dataElement": {"id": uid}} for uid in ("deNumber001", "deNumber002")]
    made(api, "dataSets", name="Both", shortName="Both", periodType="Monthly", dataSetElements=sets)
    both = merged(sources=["deNumber001"], target="deNumber002")
    assert (both["httpStatusCode"], "datasetelement_unique_key" in both["message"]) == (409, True)


def test_an_older_server_merges_indicators_alone() -> None:
    store = open_store(version="2.41")
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        assert client.post("/api/dataElements/merge", json={}).status_code == 405
        report = client.post("/api/indicators/merge", json={"sources": []}).json()["response"]["mergeReport"]
        assert (report["mergeType"], [row["errorCode"] for row in report["mergeErrors"]]) == (
            "INDICATOR",
            ["E1540", "E1541"],
        )
    store.close()


def test_an_import_that_writes_what_it_can_leaves_out_what_leads_nowhere(api: TestClient) -> None:
    group = {
        "id": "deGroup0009",
        "name": "G",
        "shortName": "G",
        "dataElements": [{"id": "aaaaaaaaaaa"}, {"id": "deNumber001"}],
    }
    answer = api.post("/api/metadata?atomicMode=NONE", json={"dataElementGroups": [group]})
    assert (answer.status_code, answer.json()["response"]["status"]) == (409, "WARNING")
    assert api.get("/api/dataElementGroups/deGroup0009?fields=dataElements").json() == {
        "dataElements": [{"id": "deNumber001"}]
    }
    broken = api.post(
        "/api/metadata?atomicMode=NONE", json={"dataElements": [{**ELEMENT, "categoryCombo": {"id": "aaaaaaaaaaa"}}]}
    )
    assert (broken.status_code, "not-null property references a null" in broken.json()["message"]) == (409, True)


def test_reports_name_objects_only_where_they_are_written(api: TestClient) -> None:
    def reported(query: str) -> Any:
        [part] = api.post(f"/api/metadata?{query}", json={"dataElements": [ELEMENT]}).json()["response"]["typeReports"]
        return part["objectReports"]

    assert reported("importReportMode=FULL&importMode=VALIDATE") == []
    assert len(reported("importReportMode=FULL")) == 1
    assert (
        api.post(
            "/api/metadata?skipValidation=true&importMode=VALIDATE", json={"dataElements": [{"name": "A"}]}
        ).json()["response"]["typeReports"]
        == []
    )


def test_a_set_has_another_version_when_it_has_other_options(api: TestClient) -> None:
    owner = made(api, "optionSets", name="Sizes", valueType="TEXT")

    def version() -> int:
        return api.get(f"/api/optionSets/{owner}?fields=version").json()["version"]

    made(api, "options", name="One", code="1", optionSet={"id": owner})
    made(api, "options", name="Two", code="2", optionSet={"id": owner})
    assert version() == 2
    api.patch(f"/api/optionSets/{owner}", json=[{"op": "replace", "path": "/name", "value": "Sizes 2"}], headers=PATCH)
    assert version() == 2
