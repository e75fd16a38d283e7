"""O11: bundles as others publish them are judged as a server judges them; every rule behind it, with an example."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.sandbox import outside
from tests.sandbox.outside import MADE, Verdict
from tests.sandbox.test_writes import ELEMENT
from tests.shared import needs_shared

UNIT = {"name": "U", "shortName": "U", "openingDate": "2020-01-01"}
KIND = {"dataDimensionType": "DISAGGREGATION"}


def validated(api: TestClient, **bundle: Any) -> tuple[list[str], int]:
    """The codes that a bundle meets, and how many objects its report counts."""
    answer = api.post("/api/metadata?importMode=VALIDATE", json=bundle).json()
    report = answer["response"]
    found = [
        error["errorCode"] for part in report["typeReports"] for one in part["objectReports"]
        for error in one["errorReports"]
    ]  # fmt: skip
    return found, report["stats"]["total"]


@needs_shared
def test_o11_every_bundle_of_others_is_judged_as_a_server_judged_it(real_api: TestClient) -> None:
    found = outside.score(real_api, outside.KINDS["metadata"])
    assert found.files == 117
    assert found.percent("status") >= 95
    assert found.percent("problems") >= 95, found.differing


def test_a_made_uid_is_like_any_other() -> None:
    ours = outside.verdict(409, "ERROR", None, [("Option", "abcdefghi01", "E4000")], b'{"options": [{"name": "A"}]}')
    assert ours == Verdict("409 ERROR", None, frozenset([("Option", MADE, "E4000")]))
    assert outside.agreements(ours, ours) == {"status": True, "problems": True, "counts": True}
    assert not any(outside.agreements(ours, Verdict("200 OK", None, ours.problems)).values())


def test_o11_the_defaults_that_come_along_are_left_out(api: TestClient) -> None:
    combo = {"id": "bjDvmb4bfuf", "name": "default", "code": "whatever", **KIND}
    assert validated(api, categoryCombos=[combo]) == ([], 0)


def test_o11_an_empty_text_is_none(api: TestClient) -> None:
    assert validated(api, organisationUnits=[{**UNIT, "description": ""}]) == ([], 1)
    assert validated(api, organisationUnits=[{**UNIT, "name": ""}])[0] == ["E4000"]


def test_o11_what_one_check_refuses_the_next_ones_see_too(api: TestClient) -> None:
    broken = {"id": "no-uid", "valueType": "TEXT", "aggregationType": "SUM", "name": "Broken", "shortName": "B"}
    assert validated(api, dataElements=[broken]) == (["E4000", "E4002", "E4014"], 2)


def test_o11_references_that_lead_nowhere_count_once_a_type(api: TestClient) -> None:
    elements = [{**ELEMENT, "name": n, "shortName": n, "optionSet": {"id": "noSuchSet01"}} for n in ("One", "Two")]
    assert validated(api, dataElements=elements) == (["E5002", "E5002"], 3)


def test_o11_groups_and_users_of_sharing_must_be_there(api: TestClient) -> None:
    shared = {"public": "rw------", "userGroups": {"noSuchGrp01": {"id": "noSuchGrp01", "access": "r-------"}}}
    assert validated(api, dataElements=[{**ELEMENT, "sharing": shared}]) == (["E5002"], 2)
    answer = api.post(
        "/api/metadata?importMode=VALIDATE&skipSharing=true", json={"dataElements": [{**ELEMENT, "sharing": shared}]}
    )
    assert answer.status_code == 200


def test_o11_a_code_twice_in_the_payload_exists_already(api: TestClient) -> None:
    twins = [{**ELEMENT, "name": n, "shortName": n, "code": "TWIN"} for n in ("One", "Two")]
    assert validated(api, dataElements=twins) == (["E5003"], 2)
    users = [{"username": "admin", "firstName": n, "surname": n, "userRoles": [{"id": "yrB6vc5Ip3r"}]} for n in "AB"]
    assert validated(api, users=users[:1])[0] == [], "the server does not look for usernames that it has"
    assert validated(api, users=users)[0] == ["E5003"]
    refused = api.post("/api/metadata", json={"users": users[:1]})
    assert (refused.status_code, "second user admin" in refused.json()["message"]) == (501, True)


def test_o11_an_attribute_of_the_payload_is_mandatory_too(api: TestClient) -> None:
    attribute = {
        "id": "atMandatory",
        "name": "Must",
        "valueType": "TEXT",
        "mandatory": True,
        "dataElementAttribute": True,
    }
    assert validated(api, attributes=[attribute], dataElements=[ELEMENT])[0] == ["E4011"]


def test_o11_programs_use_what_is_there(api: TestClient) -> None:
    gone = {"id": "noSuchObj01"}
    program = {"name": "P", "shortName": "P", "programType": "WITHOUT_REGISTRATION"}
    held = {"programTrackedEntityAttributes": [{"trackedEntityAttribute": gone}]}
    assert validated(api, programs=[{**program, **held}])[0] == ["E3012", "E5002"]
    kind = {"name": "T", "shortName": "T", "trackedEntityTypeAttributes": [{"trackedEntityAttribute": gone}]}
    assert validated(api, trackedEntityTypes=[kind])[0] == ["E5001", "E5002"]
    rule = api.post("/api/metadata?importMode=VALIDATE", json={"programRules": [{"name": "R", "program": gone}]})
    assert (rule.status_code, rule.json()["message"]) == (
        500,
        'Cannot invoke "org.hisp.dhis.program.Program.getUid()" because "program" is null',
    )
    variables = [{"name": "v", "program": gone, "programRuleVariableSourceType": "CALCULATED_VALUE"}] * 2
    assert validated(api, programRuleVariables=variables) == (["E5005", "E5002", "E5005", "E5002"], 3)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"type": "INTERNAL"}, []),
        ({"type": "EXTERNAL"}, ["E6304"]),
        ({"type": "EXTERNAL", "api": {"url": "https://x.org"}}, ["E6305"]),
        ({"type": "EXTERNAL", "api": {"url": "https://x.org", "accessToken": "d2p_x"}}, []),
        ({"type": "EXTERNAL", "api": {"url": "https://x.org", "username": "u", "password": "p"}}, []),
    ],
)
def test_o11_an_exchange_says_how_it_signs_in(api: TestClient, target: dict[str, Any], expected: list[str]) -> None:
    request = {"name": "A", "dx": ["deNumber001"], "pe": ["202501"], "ou": ["ouDistrict1"]}
    exchange = {"name": "E", "source": {"requests": [request]}, "target": target}
    assert validated(api, aggregateDataExchanges=[exchange])[0] == expected
    assert validated(api, aggregateDataExchanges=[{**exchange, "source": {"requests": []}}])[0] == ["E6302", *expected]


def test_o11_what_a_legend_names_is_not_checked_and_not_written(api: TestClient) -> None:
    chart = {"name": "C", "type": "COLUMN", "legend": {"set": {"id": "noSuchSet01"}}}
    assert validated(api, visualizations=[chart]) == ([], 1)
    refused = api.post("/api/metadata", json={"visualizations": [chart]})
    assert refused.status_code == 501
    assert "does not imitate the import of C" in refused.json()["message"]


def test_o11_long_texts_in_a_rule_and_wide_dashboards_are_refused(api: TestClient) -> None:
    side = {"expression": "1", "missingValueStrategy": "NEVER_SKIP"}
    rule = {"name": "V", "shortName": "V", "operator": "equal_to", "periodType": "Monthly", "rightSide": side}
    assert validated(api, validationRules=[{**rule, "leftSide": side}])[0] == []
    assert validated(api, validationRules=[{**rule, "leftSide": {**side, "description": "x" * 256}}])[0] == ["E4001"]
    columns = [{"index": n, "span": 1} for n in range(61)]
    assert validated(api, dashboards=[{"name": "D", "layout": {"columns": columns[:60]}}])[0] == []
    assert validated(api, dashboards=[{"name": "D", "layout": {"columns": columns}}])[0] == ["E4070"]
