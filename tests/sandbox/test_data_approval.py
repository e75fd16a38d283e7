"""Approval: data goes up level by level, and comes down the same way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.nation import Caller, nation, value

CLINICS = ("ouClinicA01", "ouClinicB01", "ouClinicC01")


@pytest.fixture
def sandbox() -> Iterator[Caller]:
    with nation() as caller:
        data_set = caller.store.get("dataSets", "dsMonthly01") or {}
        caller.store.put_objects({"dataSets": [{**data_set, "workflow": {"id": "dawMonthly1"}}]})
        yield caller


def where(unit: str, path: str = "") -> str:
    return f"/api/dataApprovals{path}?ds=dsMonthly01&pe=202501&ou={unit}"


def state(sandbox: Caller, unit: str) -> str:
    return str(sandbox.ask(where(unit))["state"])


def test_data_is_approved_level_by_level(sandbox: Caller) -> None:
    assert [state(sandbox, unit) for unit in ("ouNation001", "ouNorth0001", "ouClinicA01")] == [
        "UNAPPROVED_WAITING", "UNAPPROVED_WAITING", "UNAPPROVED_READY",
    ]  # fmt: skip
    assert sandbox.post(where("ouNorth0001")).status_code == 409

    for clinic in CLINICS[:2]:
        assert sandbox.post(where(clinic)).status_code == 204
    assert state(sandbox, "ouNorth0001") == "UNAPPROVED_READY" and state(sandbox, "ouNation001") == "UNAPPROVED_WAITING"

    assert sandbox.post(where("ouNorth0001")).status_code == 204
    assert state(sandbox, "ouClinicA01") == "APPROVED_ABOVE"
    assert sandbox.delete(where("ouClinicA01")).status_code == 409
    assert sandbox.delete(where("ouNorth0001")).status_code == 204
    assert state(sandbox, "ouClinicA01") == "APPROVED_HERE"


def test_approved_data_takes_no_values_and_what_force_does_is_not_known(sandbox: Caller) -> None:
    sandbox.post(where("ouClinicA01"))
    row = value("deTemp00001", "202501", "ouClinicA01", 30)

    def codes(query: str = "") -> list[str]:
        answer = sandbox.post(f"/api/dataValueSets{query}", json={"dataValues": [row]}).json()
        return [item["errorCode"] for item in answer["response"]["conflicts"]]

    assert codes() == ["E7642"]
    one = "/api/dataValues?de=deTemp00001&pe=202501&ou=ouClinicA01&value=3"
    forced = sandbox.post("/api/dataValueSets?force=true", json={"dataValues": [row]})
    assert (forced.status_code, sandbox.post(f"{one}&force=true").status_code) == (501, 501)
    assert sandbox.post(one).json()["errorCode"] == "E2017"


def test_acceptance_comes_between_two_levels_when_the_system_asks_for_it(sandbox: Caller) -> None:
    with sandbox.store.writing() as connection:
        connection.execute("INSERT INTO setting VALUES ('', 'keyAcceptanceRequiredForApproval', '', 'true')")
    bulk = {"wf": ["dawMonthly1"], "pe": ["202501"], "approvals": [{"ou": clinic} for clinic in CLINICS[:2]]}
    assert sandbox.post("/api/dataApprovals/approvals", json=bulk).status_code == 204
    assert state(sandbox, "ouNorth0001") == "UNAPPROVED_WAITING"
    assert sandbox.ask(where("ouClinicA01"))["mayAccept"] is True

    assert sandbox.post("/api/dataApprovals/dataAcceptances/acceptances", json=bulk).status_code == 204
    assert state(sandbox, "ouClinicA01") == "ACCEPTED_HERE" and state(sandbox, "ouNorth0001") == "UNAPPROVED_READY"
    assert sandbox.delete(where("ouClinicA01", "/dataAcceptances")).status_code == 204
    assert state(sandbox, "ouClinicA01") == "APPROVED_HERE"


def test_every_step_is_in_the_audit(sandbox: Caller) -> None:
    sandbox.post(where("ouClinicA01"))
    sandbox.post(where("ouClinicA01"))  # approved already: nothing happens
    sandbox.delete(where("ouClinicA01"))
    audits = sandbox.ask("/api/audits/dataApproval?wf=dawMonthly1")["dataApprovalAudits"]
    assert [(audit["action"], audit["level"]["id"]) for audit in audits] == [  # type: ignore[index, union-attr, call-overload]
        ("APPROVE", "dalClinic01"), ("UNAPPROVE", "dalClinic01"),
    ]  # fmt: skip


def test_many_states_in_one_answer(sandbox: Caller) -> None:
    sandbox.post(where("ouClinicA01"))
    units = "".join(f"&ou={clinic}" for clinic in CLINICS)
    rows = sandbox.get(
        f"/api/dataApprovals/approvals?wf=dawMonthly1&startDate=2025-01-01&endDate=2025-02-28{units}"
    ).json()
    assert {(row["pe"], row["ou"]): row["state"] for row in rows if row["state"] == "APPROVED_HERE"} == {
        ("202501", "ouClinicA01"): "APPROVED_HERE"
    }
    assert len(rows) == 6
    next_rows = sandbox.get("/api/dataApprovals/categoryOptionCombos?wf=dawMonthly1&pe=202501").json()
    assert sorted(row["ou"] for row in next_rows) == sorted(CLINICS)


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("ds=dsMonthly01&pe=202501", 400, "Required parameter"),
        ("ds=dsMissing01&pe=202501&ou=ouClinicA01", 409, "Data set does not exist: dsMissing01"),
        ("wf=dawMonthly1&pe=2025Q9&ou=ouClinicA01", 409, "Illegal period identifier: 2025Q9"),
        ("wf=dawMonthly1&pe=202501&ou=ouMissing01", 409, "Illegal organisation unit identifier: ouMissing01"),
    ],
)
def test_what_a_selection_names_must_exist(sandbox: Caller, query: str, status: int, words: str) -> None:
    answer = sandbox.get(f"/api/dataApprovals?{query}")
    assert answer.status_code == status and words in answer.text


def test_levels_and_workflows_that_are_in_use_cannot_be_deleted(sandbox: Caller) -> None:
    sandbox.post(where("ouClinicA01"))
    refused = sandbox.delete("/api/dataApprovalLevels/dalClinic01")
    assert refused.status_code == 409 and "violates foreign key" in refused.json()["message"]
    reports = sandbox.delete("/api/dataApprovalWorkflows/dawMonthly1").json()["response"]["errorReports"]
    assert [report["errorCode"] for report in reports] == ["E4030"]
