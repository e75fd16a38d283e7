"""Data values in and out of the sandbox, as a server takes and gives them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.sandbox.data.conflicts import Conflicts, conflict
from dhis2sh.sandbox.data.values import prune
from tests.sandbox.nation import FEMALE, Caller, nation, value


@pytest.fixture
def sandbox() -> Iterator[Caller]:
    with nation() as caller:
        yield caller


def a_clerk(sandbox: Caller, *authorities: str) -> tuple[str, str]:
    """The name and password of a new user of the whole country who may enter data."""
    role = {"id": "roleClerk01", "name": "Clerk", "authorities": ["F_DATAVALUE_ADD", *authorities]}
    units = [{"id": "ouNation001"}]
    user = {"id": "userClerk01", "username": "clerk", "firstName": "C", "surname": "K", "password": "Distr1ct-Clerk!",
            "userRoles": [{"id": "roleClerk01"}], "organisationUnits": units, "dataViewOrganisationUnits": units}  # fmt: skip
    assert sandbox.post("/api/userRoles", json=role).status_code == 201
    assert sandbox.post("/api/users", json=user).status_code == 201
    return "clerk", "Distr1ct-Clerk!"


def post(sandbox: Caller, *rows: dict[str, object], query: str = "", **envelope: object) -> dict[str, object]:
    """Import rows; the summary, with its HTTP status."""
    answer = sandbox.post(f"/api/dataValueSets?{query}", json={**envelope, "dataValues": list(rows)})
    return {"http": answer.status_code, **answer.json()["response"]}


def counts(summary: dict[str, object]) -> dict[str, int]:
    """The counts of a summary that are not zero."""
    return {name: count for name, count in summary["importCount"].items() if count}  # type: ignore[attr-defined]


ROW = value("deTemp00001", "202401", "ouClinicA01", 21)


def test_a_value_is_imported_updated_left_alone_deleted_and_imported_again(sandbox: Caller) -> None:
    assert counts(post(sandbox, ROW)) == {"imported": 1}
    assert counts(post(sandbox, ROW)) == {"ignored": 1}
    assert counts(post(sandbox, ROW | {"value": "22"})) == {"updated": 1}
    assert counts(post(sandbox, ROW, query="importStrategy=DELETE")) == {"deleted": 1}
    assert counts(post(sandbox, ROW, query="importStrategy=DELETE")) == {"ignored": 1}
    assert counts(post(sandbox, ROW)) == {"imported": 1}

    audits = sandbox.ask("/api/audits/dataValue?de=deTemp00001&pe=202401")["dataValueAudits"]
    assert sorted((audit["auditType"], audit["value"]) for audit in audits) == [("DELETE", "22"), ("UPDATE", "21")]  # type: ignore[index, union-attr]


def test_a_dry_run_counts_and_writes_nothing(sandbox: Caller) -> None:
    assert counts(post(sandbox, ROW, query="dryRun=true")) == {"imported": 1}
    assert sandbox.get("/api/dataValues?de=deTemp00001&pe=202401&ou=ouClinicA01").status_code == 409


def test_conflicts_are_grouped_by_code_and_objects_and_good_rows_are_written(sandbox: Caller) -> None:
    summary = post(
        sandbox, ROW, ROW | {"dataElement": "deMissing01"}, ROW | {"dataElement": "deMissing01", "period": "202402"},
        ROW | {"period": "2024Q9"}, ROW | {"orgUnit": "ouMissing01"}, ROW | {"value": "warm"},
        value("deColour001", "202401", "ouClinicA01", "BLUE"), ROW | {"categoryOptionCombo": "combMissing"},
    )  # fmt: skip
    assert summary["http"] == 409 and summary["status"] == "WARNING"
    assert counts(summary) == {"imported": 1, "ignored": 7}
    assert [(c["errorCode"], c["object"], c["indexes"]) for c in summary["conflicts"]] == [  # type: ignore[attr-defined]
        ("E7610", "deMissing01", [1, 2]), ("E7611", "2024Q9", [3]), ("E7612", "ouMissing01", [4]),
        ("E7619", "deTemp00001", [5]), ("E7621", "deColour001", [6]), ("E7613", "combMissing", [7]),
    ]  # fmt: skip
    assert summary["rejectedIndexes"] == [1, 2, 3, 4, 5, 6, 7]


@given(st.lists(st.tuples(st.sampled_from(["E7610", "E7611", "E7612"]), st.sampled_from("abc")), max_size=60))
def test_every_rejected_row_is_in_exactly_one_conflict(rows: list[tuple[str, str]]) -> None:
    found = Conflicts()
    for index, (code, uid) in enumerate(rows):
        found.add(conflict(code, {"object": uid}), index)

    shown = found.shown()
    assert len(shown) == len(set(rows))
    assert sorted(index for item in shown for index in item["indexes"]) == list(range(len(rows)))  # type: ignore[index, call-overload]
    assert all(list(item["indexes"]) == sorted(item["indexes"]) for item in shown)  # type: ignore[index, call-overload, arg-type]


@pytest.mark.parametrize(
    ("query", "row", "code"),
    [
        ("strictPeriods=true", {"period": "2024"}, "E7632"),
        ("strictCategoryOptionCombos=true", {"categoryOptionCombo": FEMALE}, "E7634"),
        ("strictOrganisationUnits=true", {"orgUnit": "ouNorth0001"}, "E7636"),
        ("requireAttributeOptionCombo=true", {}, "E7631"),
        ("", {"value": None}, "E7618"),
        ("", {"period": "209901"}, "E7641"),
    ],
)
def test_what_options_and_open_periods_refuse(sandbox: Caller, query: str, row: dict[str, object], code: str) -> None:
    summary = post(sandbox, ROW | row, query=query)
    assert [item["errorCode"] for item in summary["conflicts"]] == [code]  # type: ignore[attr-defined]


def test_an_unknown_data_set_stops_the_whole_import(sandbox: Caller) -> None:
    summary = post(sandbox, ROW, dataSet="dsMissing01")
    assert (summary["status"], [item["errorCode"] for item in summary["conflicts"]]) == ("ERROR", ["E7600"])  # type: ignore[attr-defined]
    assert counts(summary) == {}


def test_a_zero_that_means_nothing_is_not_stored(sandbox: Caller) -> None:
    insignificant, significant = (
        value("deVisits001", "202401", "ouClinicA01", 0),
        value("deStock0001", "202401", "ouClinicA01", 0),
    )
    assert counts(post(sandbox, insignificant, significant)) == {"imported": 1}, "the other is not even counted"


def test_csv_xml_and_adx_say_the_same_as_json(sandbox: Caller) -> None:
    form = "dataSet=dsMonthly01&orgUnit=ouClinicA01&period=202501"
    rows = sandbox.ask(f"/api/dataValueSets?{form}")["dataValues"]
    as_csv = sandbox.get(f"/api/dataValueSets.csv?{form}").text
    as_xml = sandbox.get(f"/api/dataValueSets.xml?{form}").text
    as_adx = sandbox.get(f"/api/dataValueSets?{form}", headers={"Accept": "application/adx+xml"}).text
    assert len(rows) == 6 == as_csv.count("\n") - 1 == as_xml.count("<dataValue ") == as_adx.count("<dataValue ")  # type: ignore[arg-type]

    for text, kind in ((as_csv, "application/csv"), (as_xml, "application/xml"), (as_adx, "application/adx+xml")):
        post(sandbox, *rows, query="importStrategy=DELETE")  # type: ignore[misc]
        answer = sandbox.post("/api/dataValueSets", content=text, headers={"Content-Type": kind}).json()
        assert counts(answer["response"]) == {"imported": 6}, kind


def test_codes_and_names_identify_when_the_scheme_says_so(sandbox: Caller) -> None:
    summary = post(
        sandbox, value("Temperature", "202401", "N", 20), query="dataElementIdScheme=NAME&orgUnitIdScheme=CODE"
    )
    assert counts(summary) == {"imported": 1}
    shown = sandbox.ask(
        "/api/dataValueSets?dataElement=deTemp00001&orgUnit=ouNation001&period=202401&dataElementIdScheme=NAME"
    )
    assert [row["dataElement"] for row in shown["dataValues"]] == ["Temperature"]  # type: ignore[index, union-attr]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "E2006"),
        ("orgUnit=ouClinicA01&period=202501", "E2001"),
        ("dataSet=dsMonthly01&orgUnit=ouClinicA01", "E2002"),
        ("dataSet=dsMonthly01&orgUnit=ouClinicA01&startDate=2025-02-01&endDate=2025-01-01", "E2004"),
        ("dataSet=dsMonthly01&orgUnit=ouClinicA01&lastUpdatedDuration=soon", "E2005"),
        ("dataSet=dsMonthly01&orgUnitGroup=ougUrban001&children=true&period=202501", "E2008"),
        ("dataSet=dsMonthly01&orgUnit=ouClinicA01&period=202501&limit=-1", "E2009"),
    ],
)
def test_reads_that_select_nothing_are_refused(sandbox: Caller, query: str, code: str) -> None:
    assert sandbox.ask(f"/api/dataValueSets?{query}")["errorCode"] == code


def test_children_groups_and_dates_select(sandbox: Caller) -> None:
    def units(query: str) -> set[str]:
        rows = sandbox.ask(f"/api/dataValueSets?dataElement=deVisits001&{query}")["dataValues"]
        return {row["orgUnit"] for row in rows}  # type: ignore[index, union-attr]

    assert units("orgUnit=ouNorth0001&period=202501") == set()
    assert units("orgUnit=ouNorth0001&children=true&period=202501") == {"ouClinicA01", "ouClinicB01"}
    assert units("orgUnitGroup=ougUrban001&startDate=2025-01-01&endDate=2025-12-31") == {"ouClinicA01", "ouClinicC01"}


def test_single_values(sandbox: Caller) -> None:
    where = "/api/dataValues?de=deTemp00001&pe=202401&ou=ouClinicA01"
    assert sandbox.post(f"{where}&value=hot").json()["errorCode"] == "E2030"
    assert sandbox.post(f"{where}&value=37").status_code == 201
    body = {"dataElement": "deTemp00001", "period": "202401", "orgUnit": "ouClinicA01", "followup": True}
    assert sandbox.put("/api/dataValues/followup", json=body).status_code == 200
    assert sandbox.get(where).json() == ["37"]
    assert sandbox.delete(where).status_code == 204
    assert "cannot be deleted because it does not exist" in sandbox.delete(where).json()["message"]


@pytest.mark.parametrize(
    ("query", "code"),
    [("de=x", "E1100"), ("de=deTemp00001&pe=x", "E1101"), ("de=deTemp00001&pe=202401&ou=x", "E1102"),
     ("de=deTemp00001&pe=202401&ou=ouClinicA01&co=x", "E1103")],
)  # fmt: skip
def test_what_a_single_value_names_must_exist(sandbox: Caller, query: str, code: str) -> None:
    assert sandbox.ask(f"/api/dataValues?{query}")["errorCode"] == code


def test_an_async_import_is_a_job_with_a_summary(sandbox: Caller) -> None:
    answer = sandbox.post("/api/dataValueSets?async=true", json={"dataValues": [ROW]})
    task = answer.json()["response"]
    assert task["jobType"] == "DATAVALUE_IMPORT" and answer.headers["location"].endswith("/tasks/DATAVALUE_IMPORT")
    for _ in range(100):
        notes = sandbox.get(task["relativeNotifierEndpoint"]).json()
        if notes and notes[0]["completed"]:
            break
    summary = sandbox.ask(f"/api/system/taskSummaries/DATAVALUE_IMPORT/{task['id']}")
    assert counts(summary) == {"imported": 1}


def test_completeness_is_registered_found_and_taken_back(sandbox: Caller) -> None:
    row = {"dataSet": "dsMonthly01", "period": "202501", "organisationUnit": "ouClinicA01", "date": "2025-02-03"}
    body = {"completeDataSetRegistrations": [row]}
    where = "/api/completeDataSetRegistrations"
    assert counts(sandbox.post(where, json=body).json()["response"]) == {"imported": 1}
    assert counts(sandbox.post(where, json=body).json()["response"]) == {"updated": 1}
    found = sandbox.ask(f"{where}?dataSet=dsMonthly01&orgUnit=ouNation001&children=true&period=202501")
    assert [item["date"] for item in found["completeDataSetRegistrations"]] == ["2025-02-03"]  # type: ignore[index, union-attr]
    assert sandbox.delete(f"{where}?ds=dsMonthly01&pe=202501&ou=ouClinicA01").status_code == 204
    assert sandbox.ask(f"{where}?dataSet=dsMonthly01&orgUnit=ouClinicA01&period=202501") == {}
    assert sandbox.ask(where)["errorCode"] == "E2006"


def test_limits_are_set_one_by_one_and_in_bulk(sandbox: Caller) -> None:
    where = "/api/minMaxDataElements"
    one = {"dataElement": {"id": "deTemp00001"}, "source": {"id": "ouClinicA01"}, "optionCombo": {"id": "HllvX50cXC0"}}
    assert sandbox.post(where, json=one | {"min": 10, "max": 30}).status_code == 201
    turned = sandbox.post(where, json=one | {"min": 30, "max": 10})
    assert (turned.status_code, turned.json()["errorCode"]) == (400, "E2044")
    bulk = {
        "values": [
            {"dataElement": "deTemp00001", "orgUnit": f"ouClinic{letter}01", "minValue": 1, "maxValue": 9}
            for letter in "AB"
        ]
    }
    assert sandbox.post(f"{where}/upsert", json=bulk).status_code == 200
    listed = sandbox.ask(f"{where}?filter=dataElement.id:eq:deTemp00001")["minMaxDataElements"]
    assert [(item["min"], item["max"]) for item in listed] == [(1, 9), (1, 9)]  # type: ignore[index, union-attr]
    assert "deleted 2" in str(sandbox.ask(f"{where}/delete", "POST", json=bulk)["message"])


def test_a_lock_exception_lets_late_values_in(sandbox: Caller) -> None:
    data_set = sandbox.store.get("dataSets", "dsMonthly01") or {}
    sandbox.store.put_objects({"dataSets": [{**data_set, "expiryDays": 10}]})
    assert counts(post(sandbox, ROW, query="dryRun=true")) == {"imported": 1}, (
        "expiry never stops who has every authority"
    )
    clerk = a_clerk(sandbox)
    for query in ("", "force=true", "strictDataSetLocking=false"):
        refused = sandbox.post(f"/api/dataValueSets?{query}", json={"dataValues": [ROW]}, auth=clerk)
        assert [item["errorCode"] for item in refused.json()["response"]["conflicts"]] == ["E7640"]
    single = "/api/dataValues?de=deTemp00001&pe=202401&ou=ouClinicA01&value=3"
    assert sandbox.post(single, auth=clerk).json()["errorCode"] == "E2017"
    assert (
        sandbox.ask("/api/dataEntry/dataValues?ds=dsMonthly01&pe=202401&ou=ouClinicA01", auth=clerk)["lockStatus"]
        == "LOCKED"
    )

    exception = "/api/lockExceptions?ds=dsMonthly01&pe=202401&ou=ouClinicA01"
    assert [sandbox.post(exception).status_code for _ in range(2)] == [201, 201]
    assert sandbox.post(single, auth=clerk).status_code == 201
    assert sandbox.ask("/api/lockExceptions")["pager"]["total"] == 2, "the same exception is kept twice"  # type: ignore[index, call-overload]
    assert [sandbox.delete(exception).status_code for _ in range(2)] == [204, 204]


def test_data_sets_and_org_units_of_others_are_refused(sandbox: Caller) -> None:
    clerk = a_clerk(sandbox)
    data_set = sandbox.store.get("dataSets", "dsMonthly01") or {}
    sandbox.store.put_objects({"dataSets": [{**data_set, "sharing": {"public": "r-------"}}]})
    form = "/api/dataValueSets?dataSet=dsMonthly01&orgUnit=ouClinicA01&period=202501"
    assert sandbox.ask(form, auth=clerk)["errorCode"] == "E2010"
    refused = sandbox.post(
        "/api/dataValueSets", json={"dataSet": "dsMonthly01", "dataValues": [ROW]}, auth=clerk
    ).json()
    assert [item["errorCode"] for item in refused["response"]["conflicts"]] == ["E7601"]
    user = sandbox.store.get("users", "userClerk01") or {}
    sandbox.store.put_objects({"users": [{**user, "organisationUnits": [{"id": "ouSouth0001"}]}]})
    outside = sandbox.post("/api/dataValueSets", json={"dataValues": [ROW]}, auth=clerk).json()["response"]
    assert [item["errorCode"] for item in outside["conflicts"]] == ["E7617"]
    elsewhere = sandbox.get("/api/dataValueSets?dataElement=deTemp00001&orgUnit=ouClinicA01&period=202501", auth=clerk)
    assert elsewhere.status_code == 501, "nobody has seen what 2.42 says"
    assert len(sandbox.ask(form)["dataValues"]) == 6, "who may do everything is not asked"  # type: ignore[arg-type]


def test_pruning_leaves_nothing_of_an_org_unit(sandbox: Caller) -> None:
    assert prune(sandbox.store, "org_unit", "ouClinicC01") == 3
    rows = sandbox.store.connection.execute("SELECT count(*) FROM data_value WHERE org_unit = 'ouClinicC01'")
    assert rows.fetchone() == (0,)
