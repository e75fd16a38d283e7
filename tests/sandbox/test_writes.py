"""Writes of metadata: what is stored, what is reported, what is refused."""

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.data.values import put_all
from dhis2sh.sandbox.store.database import Store

ELEMENT = {
    "name": "New",
    "shortName": "New",
    "domainType": "AGGREGATE",
    "valueType": "NUMBER",
    "aggregationType": "SUM",
}
PATCH = {"Content-Type": "application/json-patch+json"}


def codes(body: Any) -> list[str]:
    """The error codes in an answer, wherever they stand."""
    if isinstance(body, dict):
        own = [body["errorCode"]] if "errorCode" in body else []
        return own + [code for value in body.values() for code in codes(value)]
    return [code for item in body for code in codes(item)] if isinstance(body, list) else []


def made(api: TestClient, plural: str, **body: Any) -> str:
    answer = api.post(f"/api/{plural}", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["response"]["uid"]


def test_a_new_object_has_what_the_server_fills_in(api: TestClient) -> None:
    uid = made(api, "dataElements", **ELEMENT)
    body = api.get(f"/api/dataElements/{uid}?fields=:owner").json()
    assert body["categoryCombo"] == {"id": "bjDvmb4bfuf"}
    assert body["sharing"]["public"] == "rw------"
    assert body["createdBy"]["username"] == "admin"
    assert body["zeroIsSignificant"] is False


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"shortName": None}, ["E4000"]),
        ({"name": "x" * 231}, ["E4001"]),
        ({"id": "short"}, ["E4002", "E4014"]),
        ({"name": "BCG doses given"}, ["E5003"]),
        ({"categoryCombo": {"id": "aaaaaaaaaaa"}}, ["E5002"]),
        ({"id": "deNumber001"}, ["E5000"]),
        ({"attributeValues": [{"value": "1", "attribute": {"id": "aaaaaaaaaaa"}}]}, ["E5002", "E6012"]),
    ],
)
def test_a_bad_object_is_refused_with_its_codes(api: TestClient, change: dict[str, Any], expected: list[str]) -> None:
    answer = api.post("/api/dataElements", json={**ELEMENT, **change})
    assert answer.status_code == 409
    assert codes(answer.json()) == expected


def test_put_replaces_and_patch_changes(api: TestClient) -> None:
    uid = made(api, "dataElements", **ELEMENT, description="old")
    assert api.put(f"/api/dataElements/{uid}", json={**ELEMENT, "name": "Newer"}).status_code == 200
    assert "description" not in api.get(f"/api/dataElements/{uid}").json()
    patch = [{"op": "add", "path": "/description", "value": "d"}, {"op": "replace", "path": "/name", "value": "Newest"}]
    assert api.patch(f"/api/dataElements/{uid}", json=patch, headers=PATCH).status_code == 200
    assert api.get(f"/api/dataElements/{uid}?fields=name,description").json() == {"name": "Newest", "description": "d"}


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ([{"op": "replace", "path": "/noSuch", "value": 1}], 400),
        ([{"op": "test", "path": "/name", "value": "x"}], 500),
        ({"op": "replace"}, 500),
        ([{"op": "remove", "path": "/name"}], 409),
        ([], 200),
    ],
)
def test_patches_fail_as_on_a_server(api: TestClient, patch: Any, status: int) -> None:
    assert api.patch("/api/dataElements/deNumber001", json=patch, headers=PATCH).status_code == status


def test_collections_change_from_either_side(api: TestClient) -> None:
    group = "/api/dataElementGroups/deGroup0001"
    assert api.post(f"{group}/dataElements/deText00001").json()["response"]["stats"]["updated"] == 1
    assert api.delete("/api/dataElements/deNumber001/dataElementGroups/deGroup0001").status_code == 200
    members = api.get(f"{group}?fields=dataElements").json()["dataElements"]
    assert members == [{"id": "deNumber002"}, {"id": "deText00001"}]
    replaced = api.put(f"{group}/dataElements", json={"identifiableObjects": [{"id": "deNumber001"}]}).json()
    assert replaced["response"]["stats"] == {"created": 0, "updated": 1, "deleted": 2, "ignored": 0, "total": 3}


def test_what_is_in_use_is_not_deleted(api: TestClient) -> None:
    answer = api.delete("/api/organisationUnits/ouDistrict1")
    assert (answer.status_code, answer.json()["status"]) == (409, "WARNING")
    message = answer.json()["response"]["errorReports"][0]["message"]
    assert message.endswith("associated with another object: OrganisationUnit (Ngele CHC)")


def test_memberships_end_with_the_member(api: TestClient) -> None:
    assert api.delete("/api/dataElements/deNumber001").status_code == 200
    assert api.get("/api/dataElementGroups/deGroup0001?fields=dataElements").json()["dataElements"] == [
        {"id": "deNumber002"}
    ]


def test_a_category_combo_gets_its_option_combos(api: TestClient) -> None:
    options = [{"id": made(api, "categoryOptions", name=name, shortName=name)} for name in ("M", "F")]
    kind = {"dataDimensionType": "DISAGGREGATION"}
    sex = made(api, "categories", name="Sex", shortName="Sex", categoryOptions=options, **kind)
    combo = made(api, "categoryCombos", name="Sex", categories=[{"id": sex}], **kind)
    found = api.get(f"/api/categoryCombos/{combo}?fields=categoryOptionCombos[name]").json()
    assert sorted(one["name"] for one in found["categoryOptionCombos"]) == ["F", "M"]
    assert api.delete(f"/api/categories/{sex}").status_code == 409
    assert api.delete(f"/api/categoryCombos/{combo}").status_code == 200
    assert api.get(f"/api/categoryOptionCombos?filter=categoryCombo.id:eq:{combo}").json()["pager"]["total"] == 0


def test_both_sides_of_an_option_set_are_kept(api: TestClient, store: Store) -> None:
    owner = made(api, "optionSets", name="Colours", valueType="TEXT")
    option = made(api, "options", name="Red", code="RED", optionSet={"id": owner})
    assert api.get(f"/api/optionSets/{owner}?fields=options").json() == {"options": [{"id": option}]}
    assert api.delete(f"/api/optionSets/{owner}").status_code == 200
    assert store.get("options", option) is None


# Bundles ---------------------------------------------------------------------------------------------------------------


def test_one_error_stops_an_atomic_bundle(api: TestClient, store: Store) -> None:
    bundle = {"dataElements": [{**ELEMENT, "id": "deNew000001"}, {"id": "deNew000002", "name": "no type"}]}
    answer = api.post("/api/metadata", json=bundle)
    assert answer.status_code == 409
    assert answer.json()["response"]["stats"]["ignored"] == 2
    assert store.get("dataElements", "deNew000001") is None
    loose = api.post("/api/metadata?atomicMode=NONE", json=bundle).json()
    assert (loose["response"]["status"], loose["response"]["stats"]["created"]) == ("WARNING", 1)
    assert store.get("dataElements", "deNew000001") is not None


def test_validate_writes_nothing(api: TestClient, store: Store) -> None:
    answer = api.post("/api/metadata?importMode=VALIDATE", json={"dataElements": [{**ELEMENT, "id": "deNew000001"}]})
    assert answer.json()["response"]["stats"]["created"] == 1
    assert store.get("dataElements", "deNew000001") is None


@pytest.mark.parametrize(
    ("strategy", "uid", "code"), [("CREATE", "deNumber001", "E5000"), ("UPDATE", "deNew000009", "E5001")]
)
def test_strategies_refuse_what_they_are_not_for(api: TestClient, strategy: str, uid: str, code: str) -> None:
    bundle = {"dataElements": [{**ELEMENT, "id": uid}]}
    assert codes(api.post(f"/api/metadata?importStrategy={strategy}", json=bundle).json()) == [code]


def test_references_within_a_bundle_hold(api: TestClient) -> None:
    bundle = {
        "dataElementGroups": [
            {"id": "grNew000001", "name": "G", "shortName": "G", "dataElements": [{"id": "deNew000001"}]}
        ],
        "dataElements": [{**ELEMENT, "id": "deNew000001"}],
    }
    assert api.post("/api/metadata", json=bundle).json()["response"]["stats"]["created"] == 2


# Organisation units -------------------------------------------------------------------------------------------------------


def paths(api: TestClient) -> dict[str, str]:
    found = api.get("/api/organisationUnits?fields=id,path&paging=false").json()["organisationUnits"]
    return {unit["id"]: unit["path"] for unit in found}


def test_a_chart_may_be_cut_by_some_options_of_a_category(api: TestClient) -> None:
    """The schemas call that list a REFERENCE, and `collection: true` beside it."""
    dimension = {"category": {"id": "wirecatAA01"}, "categoryOptions": [{"id": "wireoptAA02"}, {"id": "wireoptAA01"}]}
    chart = {"id": "wirevisAA01", "name": "Cut", "type": "COLUMN", "categoryDimensions": [dimension]}
    category = {"id": "wirecatAA01", "name": "Sex", "shortName": "Sex", "dataDimensionType": "DISAGGREGATION"}
    options = [{"id": f"wireoptAA0{n}", "name": f"Option {n}", "shortName": f"Option {n}"} for n in (1, 2)]
    category["categoryOptions"] = [{"id": option["id"]} for option in options]
    answer = api.post(
        "/api/metadata", json={"categoryOptions": options, "categories": [category], "visualizations": [chart]}
    )
    assert answer.status_code == 200, answer.text
    kept = api.get("/api/visualizations/wirevisAA01?fields=categoryDimensions").json()["categoryDimensions"]
    assert kept == [dimension]


def test_a_unit_that_moves_takes_those_below_it_along(api: TestClient) -> None:
    patch = [{"op": "replace", "path": "/parent", "value": {"id": "ouDistrict2"}}]
    answer = api.patch("/api/organisationUnits/ouFacility1", json=patch, headers=PATCH)
    assert codes(answer.json()) == ["E4000"]  # the fixture's unit has no opening date
    api.post("/api/organisationUnits", json={"id": "ouNew000001", "name": "A", "shortName": "A", "openingDate": "2020-01-01",
                                             "parent": {"id": "ouDistrict1"}})  # fmt: skip
    api.post("/api/organisationUnits", json={"id": "ouNew000002", "name": "B", "shortName": "B", "openingDate": "2020-01-01",
                                             "parent": {"id": "ouNew000001"}})  # fmt: skip
    assert api.patch("/api/organisationUnits/ouNew000001", json=patch, headers=PATCH).status_code == 200
    assert paths(api)["ouNew000002"] == "/ouCountry01/ouDistrict2/ouNew000001/ouNew000002"


def test_merged_units_leave_their_data_to_the_target(api: TestClient, store: Store) -> None:
    put_all(store, [{"dataElement": "deNumber001", "period": "202501", "orgUnit": "ouFacility1", "value": "1"}])
    answer = api.post("/api/organisationUnits/merge", json={"sources": ["ouFacility1"], "target": "ouDistrict2"})
    assert answer.json()["message"] == "Organisation units merged"
    assert store.get("organisationUnits", "ouFacility1") is None
    assert store.connection.execute("SELECT org_unit FROM data_value").fetchall() == [("ouDistrict2",)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sources": [], "target": "ouDistrict2"}, "E1500"),
        ({"sources": ["ouDistrict2"], "target": "ouDistrict2"}, "E1502"),
        ({"sources": ["aaaaaaaaaaa"], "target": "ouDistrict2"}, "E1503"),
        ({"sources": ["ouCountry01"], "target": "ouDistrict2"}, "E1504"),
    ],
)
def test_units_that_cannot_be_merged(api: TestClient, body: dict[str, Any], code: str) -> None:
    answer = api.post("/api/organisationUnits/merge", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (409, code)


def test_a_split_unit_is_followed_by_its_targets(api: TestClient, store: Store) -> None:
    group = {"name": "G", "shortName": "G", "organisationUnits": [{"id": "ouFacility1"}]}
    uid = made(api, "organisationUnitGroups", **group)
    split = {"source": "ouFacility1", "targets": ["ouDistrict1", "ouDistrict2"], "primaryTarget": "ouDistrict2"}
    store.delete_objects("organisationUnits", ["ouFacility1"])
    store.put_objects(
        {"organisationUnits": [{"id": "ouFacility1", "name": "F", "shortName": "F", "path": "/ouFacility1"}]}
    )
    assert api.post("/api/organisationUnits/split", json=split).json()["message"] == "Organisation unit split"
    members = api.get(f"/api/organisationUnitGroups/{uid}?fields=organisationUnits").json()["organisationUnits"]
    assert {unit["id"] for unit in members} == {"ouDistrict1", "ouDistrict2"}


# Sharing ------------------------------------------------------------------------------------------------------------------


def test_sharing_of_many_objects_at_once(api: TestClient) -> None:
    patch = [{"op": "replace", "path": "/sharing/public", "value": "r-------"}]
    body = {"dataElements": ["deNumber001", "deNumber002", "aaaaaaaaaaa"], "patch": patch}
    answer = api.patch("/api/dataElements/sharing", json=body, headers=PATCH)
    assert answer.json()["response"]["stats"] == {"created": 0, "updated": 2, "deleted": 0, "ignored": 0, "total": 2}
    assert codes(answer.json()) == ["E4014"], "told, but not counted"
    shown = api.get("/api/dataElements/deNumber002?fields=sharing[public]").json()
    assert shown == {"sharing": {"public": "r-------"}}
    other = api.patch("/api/metadata/sharing", json={"dataElements": {"deText00001": patch}}, headers=PATCH)
    assert other.json()["response"]["stats"]["updated"] == 1


def test_merge_of_data_elements_moves_references_and_data(api: TestClient, store: Store) -> None:
    put_all(store, [{"dataElement": "deNumber001", "period": "202501", "orgUnit": "ouFacility1", "value": "1"}])
    body = {
        "sources": ["deNumber001"],
        "target": "deNumber002",
        "deleteSources": True,
        "dataMergeStrategy": "LAST_UPDATED",
    }
    report = api.post("/api/dataElements/merge", json=body).json()["response"]["mergeReport"]
    assert report["sourcesDeleted"] == ["deNumber001"]
    assert api.get("/api/dataElementGroups/deGroup0001?fields=dataElements").json()["dataElements"] == [
        {"id": "deNumber002"}
    ]
    assert store.connection.execute("SELECT data_element FROM data_value").fetchall() == [("deNumber002",)]
    wrong = api.post("/api/dataElements/merge", json={**body, "sources": ["deText00001"]})
    assert codes(wrong.json()) == ["E1550"]


def test_expressions_are_described(api: TestClient) -> None:
    def ask(text: str) -> dict[str, Any]:
        return api.post("/api/indicators/expression/description", content=text).json()

    assert ask("#{deNumber001} * 2")["description"] == "BCG doses given * 2"
    assert ask("#{aaaaaaaaaaa}")["status"] == "ERROR"
    assert ask("1 +")["message"] == "Expression is not well-formed"


def test_a_bundle_needs_the_rights_of_each_type(api: TestClient) -> None:
    role = made(api, "userRoles", name="Reader", authorities=["F_DATAELEMENTGROUP_PUBLIC_ADD"])
    made(
        api, "users", username="reader", firstName="R", surname="R", password="Distr1ct-Wire!", userRoles=[{"id": role}]
    )
    group = {"name": "G", "shortName": "G"}
    bundle = {"dataElements": [{**ELEMENT, "id": "deNew000001"}], "dataElementGroups": [group]}
    answer = api.post("/api/metadata?atomicMode=NONE", json=bundle, auth=("reader", "Distr1ct-Wire!")).json()
    assert codes(answer) == ["E3000"]
    assert answer["response"]["stats"]["created"] == 1
    bad = {**ELEMENT, "sharing": {"public": "zz------"}}
    assert codes(api.post("/api/dataElements", json=bad).json()) == ["E3010"]


def test_an_import_by_code_finds_objects_and_references_by_code(api: TestClient, store: Store) -> None:
    role = made(api, "userRoles", name="Clerk", code="CLERK", authorities=[])
    made(api, "dataElementGroups", name="G", shortName="G", code="G", dataElements=[{"id": "deNumber001"}])
    made(api, "indicatorTypes", name="One", code="ONE", factor=1)
    bundle = {
        "userRoles": [{"name": "Clerk too", "code": "CLERK", "authorities": []}],
        "indicators": [{"name": "I", "shortName": "I", "code": "I", "numerator": "1", "denominator": "1",
                        "indicatorType": {"code": "ONE"}}],
        "indicatorGroups": [{"name": "IG", "shortName": "IG", "code": "IG", "indicators": [{"code": "I"}]}],
    }  # fmt: skip
    stats = api.post("/api/metadata?identifier=CODE", json=bundle).json()["response"]["stats"]
    assert (stats["created"], stats["updated"], stats["ignored"]) == (2, 1, 0)
    assert (store.get("userRoles", role) or {})["name"] == "Clerk too"
    indicators = api.get("/api/indicatorGroups?filter=code:eq:IG&fields=indicators[code]").json()["indicatorGroups"]
    assert indicators == [{"indicators": [{"code": "I"}]}]
    wrong = {"indicatorGroups": [{"name": "IG", "shortName": "IG", "code": "IG", "indicators": [{"code": "NO"}]}]}
    answer = api.post("/api/metadata?identifier=CODE", json=wrong).json()
    [error] = answer["response"]["typeReports"][0]["objectReports"][0]["errorReports"]
    assert (
        error["message"]
        == "Invalid reference [NO] (Indicator) on object IG [IG] (IndicatorGroup) for association `indicator`"
    )
    gone = api.post("/api/metadata?identifier=CODE&importStrategy=DELETE", json={"indicatorGroups": [{"code": "IG"}]})
    assert gone.json()["response"]["stats"]["deleted"] == 1


def test_a_reference_without_a_uid_is_none(api: TestClient) -> None:
    group = {"name": "G", "shortName": "G", "dataElements": [{"code": "NO"}]}
    assert codes(api.post("/api/dataElementGroups", json=group).json()) == ["E5002"]


def test_a_bundle_deletes_what_the_user_may_delete(api: TestClient, store: Store) -> None:
    role = made(api, "userRoles", name="Reader", authorities=["F_METADATA_IMPORT"])
    made(api, "users", username="reader", firstName="R", surname="R", password="Distr1ct-Wire!",
         userRoles=[{"id": role}])  # fmt: skip
    bundle = {"dataElements": [{"id": "deNumber001"}]}
    answer = api.post("/api/metadata?importStrategy=DELETE", json=bundle, auth=("reader", "Distr1ct-Wire!"))
    assert codes(answer.json()) == ["E3002"]
    assert store.get("dataElements", "deNumber001") is not None


def test_an_import_as_a_job_opens_with_all_its_parameters(api: TestClient) -> None:
    body = {"dataElements": [{"id": "deLater0001", **ELEMENT, "name": "Later", "shortName": "Later"}]}
    job = api.post("/api/metadata?async=true", json=body).json()["response"]
    deadline = time.monotonic() + 60
    while not (notes := api.get(job["relativeNotifierEndpoint"]).json()) or not notes[0]["completed"]:
        assert time.monotonic() < deadline
    assert (notes[-1]["message"], notes[-1]["dataType"]) == ("Metadata import started", "PARAMETERS")
    assert notes[-1]["data"] | {"user": None, "filename": None, "csvImportClass": None} == notes[-1]["data"]


@pytest.mark.parametrize(("field", "constant"), [("thisDay", "TODAY"), ("last6BiMonths", "LAST_6_BIMONTHS")])
def test_the_periods_of_a_favourite_are_stored_by_the_servers_names(
    api: TestClient, store: Store, field: str, constant: str
) -> None:
    uid = made(api, "visualizations", name="V", type="COLUMN", relativePeriods={field: True, "noSuchPeriod": True})
    assert (store.get("visualizations", uid) or {})["rawPeriods"] == [constant]
    shown = api.get(f"/api/visualizations/{uid}?fields=relativePeriods").json()["relativePeriods"]
    assert [name for name, on in shown.items() if on] == [field]
