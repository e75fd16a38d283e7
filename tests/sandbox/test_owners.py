"""What a write of one object does to others, as running servers were seen to do it: owners, cascades, deletes without effect."""

import contextlib
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.store.database import Store
from tests.sandbox.test_writes import ELEMENT, PATCH, codes, made

PROGRAM = {"shortName": "P", "programType": "WITHOUT_REGISTRATION"}


def client(store: Store) -> TestClient:
    """A client of a sandbox with this store, asked as admin."""
    api = TestClient(create_app(store), base_url="http://sandbox")
    api.auth = ("admin", "district")
    return api


def shown(api: TestClient, path: str, fields: str) -> Any:
    answer = api.get(f"/api/{path}", params={"fields": fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(api: TestClient, path: str, members: str) -> list[str]:
    return [one["id"] for one in shown(api, path, f"{members}[id]")[members]]


def option_set(api: TestClient, name: str, *names: str) -> tuple[str, list[str]]:
    uid = made(api, "optionSets", name=name, valueType="TEXT")
    options = [
        made(api, "options", name=one, code=one, sortOrder=9, optionSet={"id": uid}) for number, one in enumerate(names)
    ]
    return uid, options


def rule(api: TestClient) -> tuple[str, str, str]:
    """Two rules of a program, and the action of the first."""
    program = {"id": made(api, "programs", name="With rules", **PROGRAM)}
    first, second = (made(api, "programRules", name=name, condition="true", program=program) for name in "AB")
    action = made(
        api, "programRuleActions", programRuleActionType="SHOWWARNING", content="x", data="1", programRule={"id": first}
    )
    return first, second, action


def test_l1_a_stage_that_another_program_gets_leaves_its_own(api: TestClient) -> None:
    old, new = (made(api, "programs", name=name, **PROGRAM) for name in ("Old", "New"))
    stage = made(api, "programStages", name="Visit", program={"id": old})
    assert listed(api, f"programs/{old}", "programStages") == [stage]
    assert api.post(f"/api/programs/{new}/programStages/{stage}").json()["response"]["stats"]["updated"] == 1
    assert listed(api, f"programs/{old}", "programStages") == []
    assert shown(api, f"programStages/{stage}", "program[id]") == {"program": {"id": new}}

    assert api.delete(f"/api/programs/{new}/programStages/{stage}").status_code == 200
    assert shown(api, f"programStages/{stage}", "id,program[id]") == {"id": stage}, "nobody's now"


def test_l1_an_option_moves_and_is_numbered_anew(api: TestClient) -> None:
    old, (first, second) = option_set(api, "Old", "1", "2")
    new, _ = option_set(api, "New")
    api.put(f"/api/optionSets/{new}", json={"name": "New", "valueType": "TEXT", "options": [{"id": second}]})
    assert listed(api, f"optionSets/{old}", "options") == [first]
    assert shown(api, f"options/{second}", "sortOrder,optionSet[id]") == {"optionSet": {"id": new}, "sortOrder": 0}

    bundle = {
        "optionSets": [{"id": old, "name": "Old", "valueType": "TEXT", "options": [{"id": second}, {"id": first}]}]
    }
    assert api.post("/api/metadata", json=bundle).status_code == 200
    assert listed(api, f"optionSets/{new}", "options") == []
    assert [shown(api, f"options/{uid}", "sortOrder")["sortOrder"] for uid in (second, first)] == [0, 1]


@pytest.mark.parametrize("how", ["item", "put"])
def test_l1_an_action_that_is_taken_out_of_its_rule_is_deleted(api: TestClient, how: str) -> None:
    first, second, action = rule(api)
    api.post(f"/api/programRules/{second}/programRuleActions/{action}")
    assert listed(api, f"programRules/{first}", "programRuleActions") == []
    if how == "item":
        answer = api.delete(f"/api/programRules/{second}/programRuleActions/{action}")
    else:
        body = shown(api, f"programRules/{second}", ":owner")
        answer = api.put(f"/api/programRules/{second}", json={**body, "programRuleActions": []})
    assert answer.status_code == 200
    assert api.get(f"/api/programRuleActions/{action}").status_code == 404


def test_l1_what_nobody_has_seen_is_not_made_up(api: TestClient) -> None:
    program = made(api, "programs", name="P", **PROGRAM)
    note = made(
        api, "programNotificationTemplates", name="Note", notificationTrigger="ENROLLMENT", messageTemplate="x",
        notificationRecipient="USER_GROUP",
    )  # fmt: skip
    assert api.post(f"/api/programs/{program}/notificationTemplates/{note}").status_code == 200
    answer = api.delete(f"/api/programs/{program}/notificationTemplates/{note}")
    assert answer.status_code == 501
    assert "the sandbox does not imitate" in answer.json()["message"]
    assert listed(api, f"programs/{program}", "notificationTemplates") == [note]


def test_l2_what_is_deleted_is_taken_out_of_charts_and_dashboards(api: TestClient) -> None:
    element = made(api, "dataElements", **ELEMENT)
    axes = {
        "columns": [{"dimension": "dx", "items": [{"id": element}]}],
        "rows": [{"dimension": "pe", "items": [{"id": "2025"}]}],
    }
    chart = made(api, "visualizations", name="Chart", type="COLUMN", **axes)
    board = made(api, "dashboards", name="Board", dashboardItems=[{"visualization": {"id": chart}}])
    assert api.delete(f"/api/dataElements/{element}").status_code == 200
    assert shown(api, f"visualizations/{chart}", "dataDimensionItems,columnDimensions") == {
        "dataDimensionItems": [], "columnDimensions": ["dx"],
    }  # fmt: skip
    assert api.delete(f"/api/visualizations/{chart}").status_code == 200
    assert shown(api, f"dashboards/{board}", "dashboardItems") == {"dashboardItems": []}


def test_l2_a_legend_set_in_use_stays_and_is_lost_to_the_element(api: TestClient) -> None:
    legend = made(api, "legendSets", name="Legend")
    element = made(api, "dataElements", **ELEMENT, legendSets=[{"id": legend}])
    answer = api.delete(f"/api/legendSets/{legend}")
    assert (answer.status_code, codes(answer.json())) == (409, ["E4030"])
    assert "threw an exception while removing related objects" in answer.text
    assert api.get(f"/api/legendSets/{legend}").status_code == 200
    assert shown(api, f"dataElements/{element}", "legendSets") == {"legendSets": []}
    assert api.delete(f"/api/legendSets/{legend}").status_code == 200


def test_l3_an_option_set_with_groups_is_refused_by_the_database(api: TestClient) -> None:
    uid, options = option_set(api, "Set", "1")
    group = made(api, "optionGroups", name="Group", shortName="G", optionSet={"id": uid}, options=[{"id": options[0]}])
    answer = api.delete(f"/api/optionSets/{uid}")
    assert answer.status_code == 409
    assert 'constraint "fk_optiongroup_optionsetid"' in answer.json()["message"]
    assert api.get(f"/api/options/{options[0]}").status_code == 200
    api.delete(f"/api/optionGroups/{group}")
    assert api.delete(f"/api/optionSets/{uid}").status_code == 200
    assert api.get(f"/api/options/{options[0]}").status_code == 404, "the options go with it"


def combo(name: str) -> dict[str, list[dict[str, Any]]]:
    """A category combo with all that it needs, and an element that has it."""
    options = [
        {"id": f"catOption0{number}", "name": f"{name} {number}", "shortName": f"{name} {number}"} for number in "12"
    ]
    category = {"id": "newCategor1", "name": name, "shortName": name, "dataDimensionType": "DISAGGREGATION"}
    element = {"id": "newElement1", **ELEMENT, "categoryCombo": {"id": "newCatCombo"}}
    return {
        "categoryOptions": options,
        "categories": [{**category, "categoryOptions": [{"id": one["id"]} for one in options]}],
        "categoryCombos": [{"id": "newCatCombo", "name": name, "dataDimensionType": "DISAGGREGATION",
                            "categories": [{"id": "newCategor1"}]}],
        "dataElements": [element],
    }  # fmt: skip


def test_l5_a_combo_in_one_delete_bundle_is_half_done(api: TestClient) -> None:
    bundle = combo("Seen")
    assert api.post("/api/metadata", json=bundle).status_code == 200
    assert listed(api, "categoryCombos/newCatCombo", "categoryOptionCombos") == [], "its category came with it"

    named = {plural: [{"id": one["id"]} for one in rows] for plural, rows in bundle.items()}
    answer = api.post("/api/metadata?importStrategy=DELETE", json=named)
    assert (answer.status_code, codes(answer.json())) == (409, ["E4030"])
    stats = answer.json()["response"]["stats"]
    assert (stats["deleted"], stats["ignored"]) == (4, 1)
    assert api.get("/api/categories/newCategor1").status_code == 200
    assert api.get("/api/categoryCombos/newCatCombo").status_code == 404
    assert api.delete("/api/categories/newCategor1").status_code == 200


def test_l5_what_refers_must_go_in_a_request_before(api: TestClient) -> None:
    kind = made(api, "indicatorTypes", name="Percent", factor=100)
    indicator = made(
        api, "indicators", name="I", shortName="I", indicatorType={"id": kind}, numerator="1", denominator="1"
    )
    bundle = {"indicators": [{"id": indicator}], "indicatorTypes": [{"id": kind}]}
    assert api.post("/api/metadata?importStrategy=DELETE", json=bundle).status_code == 409
    assert api.get(f"/api/indicators/{indicator}").status_code == 404
    assert api.delete(f"/api/indicatorTypes/{kind}").status_code == 200


@pytest.mark.parametrize(("version", "stays"), [("2.41", True), ("2.42", True), ("2.43", False)])
def test_l6_options_and_actions_stay_where_their_owner_writes_them_back(version: str, stays: bool) -> None:
    with contextlib.closing(open_store(None, version=version)) as store, client(store) as api:
        owner, (option,) = option_set(api, "Set", "1")
        first, _, action = rule(api)
        for path in (f"options/{option}", f"programRuleActions/{action}"):
            answer = api.delete(f"/api/{path}")
            assert (answer.status_code, answer.json()["response"]["errorReports"]) == (200, [])
            assert api.get(f"/api/{path}").status_code == (200 if stays else 404)
        assert listed(api, f"optionSets/{owner}", "options") == ([option] if stays else [])
        assert listed(api, f"programRules/{first}", "programRuleActions") == ([action] if stays else [])
        if stays:  # the way that works
            assert (
                api.post("/api/metadata?importStrategy=DELETE", json={"options": [{"id": option}]}).status_code == 200
            )
            assert api.get(f"/api/options/{option}").status_code == 404


def test_l6_the_default_objects_stay(api: TestClient) -> None:
    answer = api.delete("/api/categoryCombos/bjDvmb4bfuf")
    assert (answer.status_code, answer.json().get("response")) == (200, None)
    assert api.get("/api/categoryCombos/bjDvmb4bfuf").status_code == 200


def test_l6_an_option_of_no_set_is_deleted(api: TestClient) -> None:
    option = made(api, "options", name="Alone", code="1")
    assert api.delete(f"/api/options/{option}").status_code == 200
    assert api.get(f"/api/options/{option}").status_code == 404


def test_l7_attributes_of_a_program_are_numbered_anew(api: TestClient) -> None:
    attributes = [
        made(api, "trackedEntityAttributes", name=name, shortName=name, valueType="TEXT", aggregationType="NONE")
        for name in "ABC"
    ]
    rows = [{"trackedEntityAttribute": {"id": uid}, "sortOrder": 5} for uid in attributes]
    program = made(api, "programs", name="P", **PROGRAM, programTrackedEntityAttributes=rows)
    patch = [{"op": "remove", "path": "/programTrackedEntityAttributes/0"}]
    assert api.patch(f"/api/programs/{program}", json=patch, headers=PATCH).status_code == 200
    found = shown(api, f"programs/{program}", "programTrackedEntityAttributes[sortOrder,trackedEntityAttribute[id]]")
    assert found["programTrackedEntityAttributes"] == [
        {"sortOrder": number, "trackedEntityAttribute": {"id": uid}} for number, uid in enumerate(attributes[1:], 1)
    ]


@pytest.mark.parametrize(("version", "status"), [("2.41", 409), ("2.42", 200)])
def test_a_program_with_enrollments_was_not_changed_before_2_42(version: str, status: int) -> None:
    with contextlib.closing(open_store(None, version=version)) as store, client(store) as api:
        program = made(api, "programs", name="Enrolling", **PROGRAM)
        rename = [{"op": "replace", "path": "/name", "value": "Renamed"}]
        with store.writing() as connection:
            rows = [(f"enrollment{number}", program) for number in "12"]
            connection.executemany("INSERT INTO enrollment (uid, program) VALUES (?, ?)", rows)
        answer = api.patch(f"/api/programs/{program}", json=rename, headers=PATCH)
        assert answer.status_code == status
        assert codes(answer.json()) == (["E6000"] if status == 409 else [])
