"""What a data entry form asks for besides values: limits, context, files, operands, and what was deleted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.nation import FEMALE, MALE, Caller, nation, value


@pytest.fixture
def sandbox() -> Iterator[Caller]:
    with nation() as caller:
        yield caller


def imported(sandbox: Caller, *rows: dict[str, object]) -> None:
    answer = sandbox.post("/api/dataValueSets", json={"dataValues": list(rows)})
    assert answer.status_code == 200, answer.text


def test_a_form_has_values_limits_and_says_whether_it_is_open_and_complete(sandbox: Caller) -> None:
    form = "/api/dataEntry/dataValues?ds=dsMonthly01&pe=202501&ou=ouClinicA01"
    limit = {"dataElement": "deTemp00001", "orgUnit": "ouClinicA01", "minValue": 1, "maxValue": 9}
    assert sandbox.post("/api/dataEntry/minMaxValues", json=limit).status_code == 200
    found = sandbox.ask(form)
    assert len(found["dataValues"]) == 6 and found["dataValues"][0]["attribute"]["options"] == ["xYerKDKCefk"]  # type: ignore[index, arg-type, call-overload]
    assert found["minMaxValues"][0]["maxValue"] == 9  # type: ignore[index, call-overload]
    assert (found["lockStatus"], found["completeStatus"]) == ("OPEN", {"complete": False})
    row = {"dataSet": "dsMonthly01", "period": "202501", "organisationUnit": "ouClinicA01"}
    sandbox.post("/api/completeDataSetRegistrations", json={"completeDataSetRegistrations": [row]})
    assert sandbox.ask(form)["completeStatus"]["complete"] is True  # type: ignore[index, call-overload]
    assert sandbox.ask(form.replace("dsMonthly01", "dsNowhere01"))["errorCode"] == "E1105"


def test_a_limit_that_there_is_not_cannot_be_taken_back(sandbox: Caller) -> None:
    where = "/api/dataEntry/minMaxValues?de=deTemp00001&ou=ouClinicA01"
    assert sandbox.delete(where).json()["errorCode"] == "E2047"
    rows = [
        {"dataElement": uid, "orgUnit": "ouClinicA01", "minValue": 1, "maxValue": 9}
        for uid in ("deTemp00001", "deNowhere01")
    ]
    assert sandbox.ask("/api/minMaxDataElements/upsert", "POST", json={"values": rows}) == {
        "message": "Successfully imported 1 min-max values", "successful": 1, "ignored": 1,
    }  # fmt: skip
    assert sandbox.delete(where).status_code == 204
    assert sandbox.ask("/api/minMaxDataElements?filter=min:ge:1")["message"] == "Query operator is not supported : ge"


def test_limits_and_outliers_are_two_standard_deviations_away(sandbox: Caller) -> None:
    numbers = [10] * 9 + [100]
    imported(sandbox, *(value("deTemp00001", f"2023{n + 1:02}", "ouClinicC01", text) for n, text in enumerate(numbers)))
    asked = {"ds": ["dsMonthly01"], "startDate": "2023-01-01", "endDate": "2023-12-31", "ou": "ouSouth0001"}
    [far] = sandbox.ask("/api/dataAnalysis/stdDevOutlier", "POST", json={**asked, "standardDeviation": 2.0})
    assert (far["value"], far["min"], far["max"], far["period"]["name"]) == ("100", -35, 73, "October 2023")  # type: ignore[index, call-overload]
    assert sandbox.ask("/api/dataAnalysis/minMaxOutlier", "POST", json=asked) == []
    body = {"dataSets": ["dsMonthly01"], "organisationUnit": "ouSouth0001"}
    assert sandbox.post("/api/minMaxValues", json=body).status_code == 204
    assert len(sandbox.ask("/api/dataAnalysis/minMaxOutlier", "POST", json=asked)) == 1
    assert sandbox.delete("/api/minMaxValues/ouSouth0001?ds=dsMonthly01").status_code == 204
    assert sandbox.ask("/api/minMaxDataElements")["minMaxDataElements"] == []


def test_a_file_is_a_value_and_is_read_through_it(sandbox: Caller) -> None:
    element = {"id": "deLetter001", "name": "Letter", "shortName": "Letter", "valueType": "FILE_RESOURCE",
               "domainType": "AGGREGATE", "aggregationType": "NONE", "categoryCombo": {"id": "bjDvmb4bfuf"}}  # fmt: skip
    sandbox.store.put_objects({"dataElements": [element]})  # type: ignore[list-item]
    cell = "de=deLetter001&pe=202401&ou=ouClinicA01"
    sent = sandbox.post(f"/api/dataValues/file?{cell}", files={"file": ("a.txt", b"dear all", "text/plain")})
    uid = sent.json()["response"]["fileResource"]["id"]
    assert (sent.status_code, sandbox.get(f"/api/dataValues?{cell}").json()) == (202, [uid])
    assert sandbox.get(f"/api/dataValues/files?{cell}").content == b"dear all"
    assert sandbox.get(f"/api/fileResources/{uid}/data").status_code == 403
    assert (
        sandbox.get("/api/dataValues/files?de=deTemp00001&pe=202501&ou=ouClinicA01").json()["message"]
        == "DataElement must be of type file"
    )
    wrong = sandbox.post(
        "/api/dataValueSets", json={"dataValues": [value("deLetter001", "202402", "ouClinicA01", "aaaaaaaaaaa")]}
    )
    assert wrong.status_code == 409 and '"fr" is null' in wrong.json()["response"]["description"]
    assert sandbox.get("/api/dataValues?de=deLetter001&pe=202402&ou=ouClinicA01").status_code == 409


def test_operands_are_elements_with_their_combos(sandbox: Caller) -> None:
    asked = "/api/dataElementOperands?dataSet=dsMonthly01&filter=dataElement.id:eq:deVisits001&fields=id,name"
    names = {row["id"]: row["name"] for row in sandbox.ask(asked)["dataElementOperands"]}  # type: ignore[index, union-attr, call-overload]
    assert names == {f"deVisits001.{MALE}": "Visits Male", f"deVisits001.{FEMALE}": "Visits Female"}
    assert sandbox.ask(f"{asked}&totals=true")["pager"]["total"] == 3  # type: ignore[index, call-overload]


def test_what_was_deleted_is_remembered(sandbox: Caller) -> None:
    body = {"id": "constNumber", "name": "Ten", "shortName": "Ten", "code": "TEN", "value": 10}
    assert sandbox.post("/api/constants", json=body).status_code == 201
    assert sandbox.delete("/api/constants/constNumber").status_code == 200
    [gone] = sandbox.ask("/api/deletedObjects?klass=Constant")["deletedObjects"]  # type: ignore[misc]
    assert {name: gone[name] for name in ("uid", "code", "klass", "deletedBy")} == {  # type: ignore[index]
        "uid": "constNumber", "code": "TEN", "klass": "Constant", "deletedBy": "admin",
    }  # fmt: skip
    assert sandbox.ask("/api/deletedObjects?klass=DataSet")["deletedObjects"] == []


def test_a_zero_that_means_nothing_takes_a_value_back(sandbox: Caller) -> None:
    cell = "de=deTemp00001&pe=202401&ou=ouClinicA01"
    assert sandbox.post(f"/api/dataValues?{cell}&value=3").status_code == 201
    single = "de=deVisits001&pe=202501&ou=ouClinicA01&co=" + MALE
    assert sandbox.post(f"/api/dataValues?{single}&value=0").status_code == 201
    assert sandbox.get(f"/api/dataValues?{single}").status_code == 409, "10 was there"
    imported(sandbox, value("deVisits001", "202501", "ouClinicA01", 0, FEMALE))
    deleted = sandbox.ask(
        "/api/dataValueSets?dataElement=deVisits001&orgUnit=ouClinicA01&period=202501&includeDeleted=true"
    )
    assert [row["deleted"] for row in deleted["dataValues"]] == [True, True]  # type: ignore[index, union-attr, call-overload]


def test_predictions_are_counted_rounded_and_logged(sandbox: Caller) -> None:
    predictor = {
        "id": "prAverage01", "name": "P", "shortName": "P", "output": {"id": "deStock0001"}, "periodType": "Monthly",
        "sequentialSampleCount": 3, "annualSampleCount": 0, "organisationUnitLevels": [{"id": "oulLevel003"}],
        "generator": {"expression": "avg(#{deTemp00001})", "missingValueStrategy": "SKIP_IF_ALL_VALUES_MISSING"},
        "sampleSkipTest": {"expression": "#{deTemp00001} > 90", "missingValueStrategy": "NEVER_SKIP"},
    }  # fmt: skip
    sandbox.store.put_objects({"predictors": [predictor]})  # type: ignore[list-item]
    imported(
        sandbox, *(value("deTemp00001", f"20240{n}", "ouClinicB01", text) for n, text in ((1, 2), (2, 5), (3, 99)))
    )
    run = "/api/predictions?startDate=2024-04-01&endDate=2024-04-30&predictor=prAverage01"
    first, second = (sandbox.ask(run, "POST")["response"] for _ in range(2))
    assert (first["inserted"], second["unchanged"]) == (1, 1)  # type: ignore[index, call-overload]
    assert sandbox.get("/api/dataValues?de=deStock0001&pe=202404&ou=ouClinicB01").json() == ["3.5"], "99 was skipped"
    assert sandbox.post("/api/predictions").status_code == 400
