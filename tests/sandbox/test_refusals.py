"""What an import refuses besides the schema: moves, limits, dates, patterns, sharing, attribute values, program rules."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.data.values import put_all
from dhis2sh.sandbox.store.database import Store
from tests.sandbox.test_writes import ELEMENT, PATCH, codes, made

SECRET = "Distr1ct-Wire!"
UNIT = {"name": "U", "shortName": "U", "openingDate": "2020-01-01"}
KIND = {"dataDimensionType": "DISAGGREGATION"}


def as_user(api: TestClient, *authorities: str, units: tuple[str, ...] = ()) -> tuple[str, str]:
    """A user with these authorities and org units."""
    role = made(api, "userRoles", name=f"Role {'-'.join(authorities)}", authorities=list(authorities))
    name = f"user{len(api.get('/api/users?paging=false').json()['users'])}"
    made(api, "users", username=name, firstName="A", surname="B", password=SECRET, userRoles=[{"id": role}],
         organisationUnits=[{"id": unit} for unit in units])  # fmt: skip
    return name, SECRET


def move(api: TestClient, uid: str, parent: str, auth: tuple[str, str]) -> list[str]:
    body = {**UNIT, "id": uid, "parent": {"id": parent}}
    return codes(api.post("/api/metadata", json={"organisationUnits": [body]}, auth=auth).json())


def test_who_may_move_a_unit_and_where(api: TestClient) -> None:
    made(api, "organisationUnits", **UNIT, id="ouNew000001", parent={"id": "ouDistrict1"})
    assert move(api, "ouNew000001", "ouDistrict2", as_user(api, "F_ORGANISATIONUNIT_ADD")) == ["E1520"]
    moving = ("F_ORGANISATIONUNIT_ADD", "F_ORGANISATIONUNIT_MOVE")
    assert move(api, "ouNew000001", "ouDistrict2", as_user(api, *moving, units=("ouDistrict2",))) == ["E1522"]
    mover = as_user(api, "F_ORGANISATIONUNIT_MOVE", "F_ORGANISATIONUNIT_ADD", units=("ouDistrict1",))
    assert move(api, "ouNew000001", "ouDistrict2", mover) == ["E1523"]
    assert move(api, "ouNew000001", "ouDistrict1", mover) == []


def test_a_unit_closes_after_it_opens(api: TestClient) -> None:
    answer = api.post("/api/organisationUnits", json={**UNIT, "closedDate": "2019-12-31"})
    [error] = answer.json()["response"]["errorReports"]
    assert error["errorCode"] == "E4013"
    assert (
        error["message"] == "Invalid closing date `12/31/19, 12:00 AM`, must be after opening date `1/1/20, 12:00 AM`"
    )


def test_an_element_with_data_keeps_its_value_type(api: TestClient, store: Store) -> None:
    patch = [{"op": "replace", "path": "/valueType", "value": "TEXT"}]
    put_all(store, [{"dataElement": "deNumber001", "period": "202501", "orgUnit": "ouFacility1", "value": "1"}])
    uid = made(api, "dataElements", **ELEMENT)
    assert api.patch(f"/api/dataElements/{uid}", json=patch, headers=PATCH).status_code == 200
    body = {**ELEMENT, "name": "BCG doses given", "shortName": "BCG", "valueType": "TEXT"}
    assert codes(api.put("/api/dataElements/deNumber001", json=body).json()) == ["E1121"]


def category(api: TestClient, name: str, options: int) -> str:
    uids = [made(api, "categoryOptions", name=f"{name} {n}", shortName=f"{name} {n}") for n in range(options)]
    answer = api.post(
        "/api/categories",
        json={"name": name, "shortName": name, **KIND, "categoryOptions": [{"id": uid} for uid in uids]},
    )
    return answer.json()["response"]["uid"] if answer.status_code == 201 else codes(answer.json())[0]


def test_the_limits_of_categories_and_their_combos(api: TestClient) -> None:
    assert category(api, "Long", 51) == "E1127"
    eight = [{"id": category(api, name, 8)} for name in "ABC"]
    large = {"name": "Large", **KIND, "categories": eight}
    assert codes(api.post("/api/categoryCombos", json=large).json()) == ["E1128"]
    six = [{"id": category(api, name, 1)} for name in "DEFGHI"]
    assert codes(api.post("/api/categoryCombos", json={**large, "categories": six}).json()) == ["E1126"]


def test_a_combo_with_data_keeps_its_categories(api: TestClient, store: Store) -> None:
    first, second = category(api, "First", 2), category(api, "Second", 1)
    combo = made(api, "categoryCombos", name="C", **KIND, categories=[{"id": first}])
    [option_combo, _] = store.inverse("categoryOptionCombos", "categoryCombo")[combo]
    put_all(store, [{"dataElement": "deNumber001", "period": "202501", "orgUnit": "ouFacility1",
                            "categoryOptionCombo": option_combo, "value": "1"}])  # fmt: skip
    more = {"id": combo, "name": "C", **KIND, "categories": [{"id": first}, {"id": second}]}
    put = api.put(f"/api/categoryCombos/{combo}", json=more)
    assert (put.status_code, put.json()["errorCode"]) == (409, "E1120")
    assert codes(api.post("/api/metadata", json={"categoryCombos": [more]}).json()) == ["E1120"]


def test_option_combos_come_all_together(api: TestClient, store: Store) -> None:
    owner = made(api, "categoryCombos", name="C", **KIND, categories=[{"id": category(api, "Sex", 2)}])
    have = [
        store.get("categoryOptionCombos", uid) for uid in store.inverse("categoryOptionCombos", "categoryCombo")[owner]
    ]

    def imported(combos: list[Any]) -> list[str]:
        return codes(api.post("/api/metadata", json={"categoryOptionCombos": combos}).json())

    assert imported(have) == []
    assert imported(have[:1]) == ["E1130"]
    assert imported([have[0], {**have[0], "id": "cocNew00001"}]) == ["E1131", "E1132"]  # type: ignore[dict-item]
    assert imported([{"name": "x", "categoryCombo": {"id": "bjDvmb4bfuf"}, "categoryOptions": []}])[0] == "E1122"
    uid = have[0]["id"]  # type: ignore[index]
    for path, status in (("/code", 200), ("/name", 409)):
        patch = [{"op": "add", "path": path, "value": "X"}]
        answer = api.patch(f"/api/categoryOptionCombos/{uid}", json=patch, headers=PATCH)
        assert answer.status_code == status
    assert answer.json()["errorCode"] == "E1134"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pattern": 'RANDOM(XXXX)+"-"+ORG_UNIT_CODE(...)'}, []),
        ({"pattern": '"A"+ORG_UNIT_CODE(...)'}, ["E4021"]),
        ({"pattern": "RANDOM(XX) SEQUENTIAL(##)"}, ["E4019"]),
        ({"pattern": "RANDOM(XX)", "valueType": "NUMBER"}, ["E4022"]),
        ({"generated": False, "fieldMask": 'a"b'}, ["E4019"]),
    ],
)
def test_patterns_of_attributes(api: TestClient, change: dict[str, Any], expected: list[str]) -> None:
    body = {"name": "A", "shortName": "A", "valueType": "TEXT", "aggregationType": "NONE", "generated": True}
    assert codes(api.post("/api/trackedEntityAttributes", json={**body, **change}).json()) == expected


def test_an_option_set_has_no_option_twice(api: TestClient) -> None:
    owner = made(api, "optionSets", name="Colours", valueType="TEXT")
    made(api, "options", name="Red", code="RED", optionSet={"id": owner})
    twin = {"name": "Red", "code": "R2", "optionSet": {"id": owner}}
    assert codes(api.post("/api/options", json=twin).json()) == ["E4028"]


@pytest.mark.parametrize(
    ("value_type", "good", "bad", "code"),
    [
        ("INTEGER", "-3", "3.5", "E6006"),
        ("NUMBER", "3.5", "abc", "E6008"),
        ("DATE", "2024-02-29", "2024-02-30", "E6014"),
        ("BOOLEAN", "true", "yes", "E6016"),
        ("TRUE_ONLY", "true", "false", "E6017"),
        ("EMAIL", "a@b.org", "a.b", "E6018"),
        ("ORGANISATION_UNIT", "ouDistrict1", "ouDistrict9", "E6019"),
        ("USERNAME", "admin", "nobody", "E6020"),
        ("GEOJSON", '{"type":"Point","coordinates":[1,2]}', '{"type":"Point"}', "E6004"),
        ("GEOJSON", '{"type":"Point","coordinates":[1,2]}', '{"type":"Feature"}', "E6005"),
    ],
)
def test_attribute_values_fit_their_value_type(
    api: TestClient, value_type: str, good: str, bad: str, code: str
) -> None:
    attribute = made(api, "attributes", name="A", valueType=value_type, dataElementAttribute=True)
    for text, expected in ((good, []), (bad, [code])):
        body = {
            **ELEMENT,
            "name": text,
            "shortName": text,
            "attributeValues": [{"value": text, "attribute": {"id": attribute}}],
        }
        assert codes(api.post("/api/dataElements", json=body).json()) == expected


def test_attributes_are_unique_mandatory_and_for_their_types(api: TestClient) -> None:
    unique = made(api, "attributes", name="U", valueType="TEXT", dataElementAttribute=True, unique=True)
    held = {"attributeValues": [{"value": "1", "attribute": {"id": unique}}]}
    made(api, "dataElements", **ELEMENT, **held)
    assert codes(api.post("/api/dataElements", json={**ELEMENT, "name": "B", "shortName": "B", **held}).json()) == [
        "E4009"
    ]
    group = {"name": "G", "shortName": "G", **held}
    assert codes(api.post("/api/dataElementGroups", json=group).json()) == ["E6012"]
    made(api, "attributes", name="M", valueType="TEXT", dataElementGroupAttribute=True, mandatory=True)
    assert codes(api.post("/api/dataElementGroups", json={"name": "G", "shortName": "G"}).json()) == ["E4011"]


def test_sharing_that_is_not_allowed(api: TestClient) -> None:
    data = {**ELEMENT, "sharing": {"public": "rwrw----"}}
    maker = as_user(api, "F_DATAELEMENT_PUBLIC_ADD", "F_CATEGORYCOMBO_PUBLIC_ADD")
    assert codes(api.post("/api/dataElements", json=data, auth=maker).json()) == ["E3011"]
    assert api.post("/api/dataElements", json=data).status_code == 201, "who may do everything is not asked"
    private = as_user(api, "F_DATAELEMENT_PRIVATE_ADD", "F_CATEGORYCOMBO_PUBLIC_ADD")
    shared = {**ELEMENT, "name": "Mine", "shortName": "Mine", "sharing": {"public": "rw------"}}
    assert codes(api.post("/api/dataElements", json=shared, auth=private).json()) == ["E3008"]
    assert api.post("/api/dataElements?skipSharing=true", json=shared, auth=private).status_code == 201


def test_what_a_user_may_not_read_he_may_not_refer_to(api: TestClient) -> None:
    hidden = made(api, "dataElements", **ELEMENT, sharing={"public": "--------"})
    user = as_user(api, "F_DATAELEMENTGROUP_PUBLIC_ADD")
    group = {"name": "G", "shortName": "G", "dataElements": [{"id": hidden}]}
    [error] = api.post("/api/dataElementGroups", json=group, auth=user).json()["response"]["errorReports"]
    assert error["errorCode"] == "E5008"
    assert error["message"].startswith(f"READ access is required for reference [{hidden}] (DataElement) on object G [")


def test_nobody_gives_more_rights_than_he_has(api: TestClient) -> None:
    strong = made(api, "userRoles", name="Strong", authorities=["F_SYSTEM_SETTING"])
    user = as_user(api, "F_USER_ADD")
    body = {"username": "weak1", "firstName": "A", "surname": "B", "password": SECRET, "userRoles": [{"id": strong}]}
    assert codes(api.post("/api/users", json=body, auth=user).json()) == ["E3003"]


def test_a_patch_leaves_what_others_own(api: TestClient) -> None:
    patch = [{"op": "add", "path": "/dataElementGroups", "value": [{"id": "deGroup0001"}]}]
    answer = api.patch("/api/dataElements/deNumber001", json=patch, headers=PATCH)
    assert codes(answer.json()) == ["E5006"]


def test_translations_are_whole(api: TestClient) -> None:
    one = {"locale": "fr", "property": "NAME", "value": "Un"}
    for rows, expected in (([one, one], ["E1106"]), ([{"locale": "fr", "property": "NAME"}], ["E4000"])):
        bundle = {"dataElements": [{**ELEMENT, "translations": rows}]}
        assert codes(api.post("/api/metadata", json=bundle).json()) == expected


# Program rules -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def country_api(country_database: Path, tmp_path: Path) -> Iterator[TestClient]:
    """The sandbox with the fictional country, asked as admin."""
    path = tmp_path / "sandbox.db"
    shutil.copy(country_database, path)
    store = open_store(path)
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        yield client
    store.close()


def first(api: TestClient, plural: str, **query: str) -> dict[str, Any]:
    found = api.get(f"/api/{plural}", params={"fields": ":owner", "pageSize": "1", **query}).json()[plural]
    return found[0]


def test_the_country_imports_into_itself(country_api: TestClient) -> None:
    export = country_api.get("/api/metadata").json()
    report = country_api.post("/api/metadata?importMode=VALIDATE&atomicMode=NONE", json=export).json()["response"]
    assert codes(report) == []


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"programRuleActionType": "SHOWERROR", "content": "no"}, []),
        ({"programRuleActionType": "HIDEFIELD"}, ["E4044"]),
        ({"programRuleActionType": "HIDEFIELD", "dataElement": {"id": "aaaaaaaaaaa"}}, ["E4045"]),
        ({"programRuleActionType": "SETMANDATORYFIELD", "trackedEntityAttribute": {"id": "aaaaaaaaaaa"}}, ["E4046"]),
        ({"programRuleActionType": "ASSIGN", "data": "1"}, ["E4050"]),
        ({"programRuleActionType": "ASSIGN", "content": "#{x}", "data": "1"}, []),
        ({"programRuleActionType": "HIDESECTION"}, ["E4036"]),
        ({"programRuleActionType": "HIDEPROGRAMSTAGE", "programStage": {"id": "aaaaaaaaaaa"}}, ["E4039"]),
        ({"programRuleActionType": "SENDMESSAGE"}, ["E4035"]),
        ({"programRuleActionType": "SENDMESSAGE", "templateUid": "aaaaaaaaaaa"}, ["E4034"]),
    ],
)
def test_actions_refer_to_what_their_type_needs(
    country_api: TestClient, action: dict[str, Any], expected: list[str]
) -> None:
    rule = first(country_api, "programRules")
    body = {**action, "programRule": {"id": rule["id"]}}
    assert codes(country_api.post("/api/programRuleActions", json=body).json())[:1] == expected


def test_variables_are_named_once_in_a_program(country_api: TestClient) -> None:
    known = first(country_api, "programRuleVariables")
    new = {"name": known["name"], "program": known["program"], "programRuleVariableSourceType": "CALCULATED_VALUE",
           "valueType": "TEXT"}  # fmt: skip
    assert codes(country_api.post("/api/programRuleVariables", json=new).json()) == ["E4051"]
    assert codes(country_api.post("/api/programRuleVariables", json={**new, "name": "this and that"}).json()) == [
        "E4052"
    ]
    assert codes(country_api.post("/api/metadata", json={"programRuleVariables": [known]}).json()) == []


def test_a_stage_belongs_to_a_program(country_api: TestClient) -> None:
    assert codes(country_api.post("/api/programStages", json={"name": "S"}).json())[0] == "E4053"
    stage = first(country_api, "programStages")
    wrong = {**stage, "nextScheduleDate": {"id": first(country_api, "dataElements")["id"]}}
    assert codes(country_api.put(f"/api/programStages/{stage['id']}", json=wrong).json()) == ["E6001"]


def test_what_has_values_stays(api: TestClient) -> None:
    """A metadata attribute with a value, and the last user who may do everything."""
    attribute = made(api, "attributes", name="Code of the ministry", valueType="TEXT", dataElementAttribute=True)
    made(api, "dataElements", **ELEMENT, attributeValues=[{"attribute": {"id": attribute}, "value": "A1"}])
    [error] = api.delete(f"/api/attributes/{attribute}").json()["response"]["errorReports"]
    assert error["message"].endswith("associated with another object: DataElement.Attribute")
    last = api.delete("/api/users/M5zQapPyTZI")
    assert (last.status_code, last.json()["message"]) == (409, "Can not remove the last super user.")
