"""Data values as 2.43 takes them: a group for one data set, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.nation import FEMALE, Caller, nation, value


@pytest.fixture
def sandbox() -> Iterator[Caller]:
    with nation("2.43") as caller:
        yield caller


ROW = value("deTemp00001", "202401", "ouClinicA01", 21)
SINGLE = "/api/dataValues?de=deTemp00001&pe=202401&ou=ouClinicA01"


def post(sandbox: Caller, *rows: dict[str, Any], query: str = "", **envelope: Any) -> dict[str, Any]:
    """Import rows; the summary, with its HTTP status."""
    plain = [{name: cell for name, cell in row.items() if name != "categoryOptionCombo"} for row in rows]
    answer = sandbox.post(f"/api/dataValueSets?{query}", json={**envelope, "dataValues": plain})
    return {"http": answer.status_code, **(answer.json().get("response") or answer.json())}


def refused(summary: dict[str, Any]) -> tuple[str, str]:
    """The code and the words of the only conflict."""
    [only] = summary["conflicts"]
    return only["errorCode"], only["value"]


def test_what_is_new_and_what_is_changed_count_alike(sandbox: Caller) -> None:
    for _ in range(2):
        summary = post(sandbox, ROW)
        assert (summary["http"], summary["importCount"]["updated"], summary["importCount"]["imported"]) == (200, 1, 0)
    assert post(sandbox, ROW, ROW | {"period": "202402"}, query="importStrategy=DELETE")["importCount"]["deleted"] == 2
    audits = sandbox.ask("/api/audits/dataValue?de=deTemp00001&pe=202401")["dataValueAudits"]
    assert [audit["auditType"] for audit in audits] == ["DELETE", "CREATE"], "the second import changed nothing"  # type: ignore[index, union-attr, call-overload]


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ({"dataElement": "deNowhere01"}, "E8020", "Data set dsMonthly01 not usable with data element(s): `[deNowhere01]`"),
        ({"period": "2024Q1"}, "E8021", "Data set dsMonthly01 not usable with period(s): `[2024Q1]`"),
        ({"orgUnit": "ouNorth0001"}, "E8022", "Data set dsMonthly01 not usable with org unit(s): `[ouNorth0001]`"),
        ({"attributeOptionCombo": FEMALE}, "E8023", f"not usable with attribute option combo(s): `[{FEMALE}]`"),
    ],
)  # fmt: skip
def test_one_bad_row_refuses_the_whole_group(sandbox: Caller, row: dict[str, Any], code: str, words: str) -> None:
    summary = post(sandbox, ROW, ROW | row)
    assert (summary["http"], summary["status"], summary["rejectedIndexes"]) == (409, "ERROR", [0, 1])
    found = refused(summary)
    assert found[0] == code and words in found[1]
    assert sandbox.get(SINGLE).status_code == 404, "nothing was written"


def test_the_data_set_is_found_by_the_elements_or_named(sandbox: Caller) -> None:
    other = {"id": "dsOther0001", "name": "Other", "periodType": "Monthly", "categoryCombo": {"id": "bjDvmb4bfuf"},
             "dataSetElements": [{"dataElement": {"id": "deTemp00001"}}],
             "organisationUnits": [{"id": "ouClinicA01"}]}  # fmt: skip
    sandbox.store.put_objects({"dataSets": [other]})  # type: ignore[list-item]
    assert refused(post(sandbox, ROW)) == (
        "E8002", "Data set detection failed, found multiple sets: `[dsMonthly01, dsOther0001]`",
    )  # fmt: skip
    assert post(sandbox, ROW, dataSet="dsMonthly01")["http"] == 200
    alone = post(sandbox, ROW | {"dataElement": "deNowhere01"})
    assert refused(alone)[0] == "E8003"


def test_values_that_do_not_fit_are_left_out_with_a_warning(sandbox: Caller) -> None:
    summary = post(
        sandbox,
        ROW | {"value": "warm"},
        ROW | {"period": "202402"},
        value("deColour001", "202401", "ouClinicA01", "BLUE"),
    )
    assert (summary["http"], summary["status"], summary["rejectedIndexes"]) == (200, "WARNING", [0, 2])
    assert [item["errorCode"] for item in summary["conflicts"]] == ["E8122", "E8123"]
    assert (summary["importCount"]["updated"], summary["importCount"]["ignored"]) == (1, 2)


def test_what_cannot_be_read_names_the_value(sandbox: Caller) -> None:
    summary = post(sandbox, ROW | {"period": None})
    assert refused(summary)[0] == "E8100" and "dataSetComplete" not in summary and summary["rejectedIndexes"] == []
    assert post(sandbox, ROW | {"period": "Aug 2024"})["http"] == 500, "a real one stumbles"
    assert refused(post(sandbox, ROW | {"dataElement": "Nothing"}, query="dataElementIdScheme=CODE"))[0] == "E8103"


def test_csv_needs_its_header(sandbox: Caller) -> None:
    kind = {"Content-Type": "application/csv"}
    assert sandbox.post("/api/dataValueSets", content="", headers=kind).status_code == 400
    bare = sandbox.post(
        "/api/dataValueSets?firstRowIsHeader=false", content="deTemp00001,202401,ouClinicA01,,,3\n", headers=kind
    )
    assert (bare.status_code, bare.json()["message"]) == (500, "CSV without header row is no longer supported.")
    text = "dataelement,period,orgunit,value\ndeTemp00001,202401,ouClinicA01,3\n"
    assert sandbox.post("/api/dataValueSets", content=text, headers=kind).status_code == 200


def test_single_values_are_checked_as_groups_of_one(sandbox: Caller) -> None:
    assert sandbox.post(f"{SINGLE}&value=37").status_code == 201
    assert (
        sandbox.post(f"{SINGLE}&value=hot")
        .json()["message"]
        .startswith("Failed to upsert data value: Value #0 value `hot`")
    )
    assert (
        sandbox.post("/api/dataValues?de=deTemp00001&pe=202401&ou=ouNorth0001&value=3").json()["errorCode"] == "E8022"
    )
    assert [sandbox.delete(SINGLE).status_code for _ in range(2)] == [204, 204]
    assert sandbox.get(SINGLE).json()["errorCode"] == "E1005"
    assert "expected a digit" in sandbox.get("/api/dataValues?de=deTemp00001&pe=soon&ou=ouClinicA01").json()["message"]


def test_reads_say_once_what_all_values_have_in_common(sandbox: Caller) -> None:
    form = "dataSet=dsMonthly01&orgUnit=ouClinicA01&period=202501"
    found = sandbox.ask(f"/api/dataValueSets?{form}")
    assert {name: found[name] for name in ("dataSet", "period", "orgUnit")} == {
        "dataSet": "dsMonthly01", "period": "202501", "orgUnit": "ouClinicA01",
    }  # fmt: skip
    assert all({"period", "orgUnit", "followup", "comment"}.isdisjoint(row) for row in found["dataValues"])  # type: ignore[union-attr, arg-type]
    assert (
        sandbox.ask("/api/dataValueSets?dataElement=deNowhere01&orgUnit=ouClinicA01&period=202501")["dataValues"] == []
    )
    assert sandbox.ask(f"/api/dataValueSets?{form}&idScheme=NAME")["dataElementIdScheme"] == "NAME"
