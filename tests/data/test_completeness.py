"""Who has reported: three clinics are expected every month."""

import pytest

from dhis2sh.client.messages import WebMessage
from dhis2sh.data import registering
from dhis2sh.errors import CheckFailed, NotFound, Refused, UsageError
from dhis2sh.session import Session
from dhis2sh.show import render
from tests.fakes.person import Somebody
from tests.metadata.calls import call, do, planned


async def told(s: Session, **more: object) -> list[dict]:
    rows = await call(s, "data completeness", **{"data_set": "Monthly", "period": ["202501"], **more})
    return rows.plain()


async def test_units_are_counted_by_their_registrations(s: Session):
    assert await told(s) == [
        {"period": "202501", "expected": 3, "received": 0, "missing": 3, "percent": 0.0, "onTime": 0, "late": 0}
    ]
    await do(s, "data complete", data_set="Monthly", period="202501", org_units=["Clinic A", "Clinic B"])
    (row,) = await told(s)
    assert (row["received"], row["late"], row["missing"], row["percent"]) == (2, 2, 1, 66.7)  # today is after the 15th


@pytest.mark.parametrize(
    ("date", "zone", "late"),
    [
        ("2025-02-15", "Asia/Jakarta", 0),  # the fifteenth is the last day
        ("2025-02-16", "Asia/Jakarta", 1),
        ("2025-02-15T23:59:00.000", "Asia/Jakarta", 0),  # a moment of the server's own
        ("2025-02-15T20:30:00.000+0000", "Asia/Jakarta", 1),
        ("2025-02-16T02:30:00.000+0000", "America/Lima", 0),
    ],
)
async def test_a_report_is_on_time_by_the_day_where_the_server_is(
    s: Session, monkeypatch: pytest.MonkeyPatch, date: str, zone: str, late: int
):
    get = s.client.get_object

    async def elsewhere(path: str, *arguments: object, **more: object) -> object:
        body = await get(path, *arguments, **more)  # type: ignore[arg-type]
        if path == "system/info":
            return {**body, "serverTimeZoneId": zone}
        row = {"period": "202501", "organisationUnit": "ouClinicA01", "date": date, "completed": True}
        return {path: [row]} if path == "completeDataSetRegistrations" else body

    monkeypatch.setattr(s.client, "get_object", elsewhere)
    (row,) = await told(s)
    assert (row["received"], row["late"], row["onTime"]) == (1, late, 1 - late)


async def test_values_count_where_nobody_registers(s: Session):
    (row,) = await told(s, by="values", period=["202502"])
    assert (row["expected"], row["received"], row["missing"]) == (3, 2, 1)
    assert [row["orgUnitName"] for row in await told(s, by="values", period=["202502"], missing=True)] == ["Clinic B"]
    [row] = await told(s, by="values", period=["202502"], missing=True)
    assert row["above"] == "Nation / North"


async def test_of_several_periods_each_silent_unit_is_named_once_with_how_often(s: Session):
    rows = await told(s, by="values", period=["202501", "202502", "202503"], missing=True)
    assert all(set(row) == {"orgUnit", "orgUnitName", "missing", "periods"} for row in rows)
    assert rows == sorted(rows, key=lambda row: (-row["missing"], row["orgUnitName"]))
    told_of = [(row["orgUnitName"], row["missing"], row["periods"]) for row in rows]
    assert told_of == [("Clinic B", 2, "202502..202503"), ("Clinic C", 1, "202503")]
    rows = await told(s, by="values", period=["202503", "202504"], missing=True)
    assert ("Clinic B", "all") in [(row["orgUnitName"], row["periods"]) for row in rows]


async def test_the_set_may_be_named_by_an_element_of_it(s: Session, capsys: pytest.CaptureFixture[str]):
    assert await told(s, data_set="Visits") == await told(s)
    with pytest.raises(NotFound, match="none of the dataSets has the UID, code or name 'nothing'"):
        await told(s, data_set="nothing")


async def test_where_nobody_registers_it_is_said_that_values_may_tell(s: Session):
    somebody = Somebody()
    s.person = somebody
    await told(s)
    assert somebody.warnings == ["nobody has registered 'Monthly' as complete: --by values counts who has sent values"]


async def test_a_row_for_each_district(s: Session):
    rows = await told(s, by="values", period=["202502"], level=2)
    assert [(row["orgUnitName"], row["expected"], row["received"]) for row in rows] == [
        ("North", 2, 1),
        ("South", 1, 1),
    ]


async def test_a_level_has_a_name_and_units_are_parted_as_in_dimensions(s: Session):
    numbered = await told(s, by="values", period=["202502"], level="2")
    for name in ("District", "district", "LEVEL-District", "LEVEL-2", 2):
        assert await told(s, by="values", period=["202502"], level=name) == numbered
    with pytest.raises(NotFound, match="'Distrit'"):
        await told(s, by="values", period=["202502"], level="Distrit")
    with pytest.raises(UsageError, match="level: 0 is too small"):
        await told(s, by="values", period=["202502"], level="0")
    both = await told(s, by="values", period=["202502"], level="2", org_unit=["North; South"])
    assert both == numbered
    with pytest.raises(NotFound, match="'Soth'"):
        await told(s, by="values", period=["202502"], org_unit=["North;Soth"])


async def test_a_closed_unit_is_not_expected_and_that_is_said(s: Session):
    await s.client.patch("organisationUnits/ouClinicC01", [{"op": "add", "path": "/closedDate", "value": "2024-12-31"}])
    (row,) = await told(s)
    assert row["expected"] == 2
    assert "1 unit of 'Monthly' left out, being closed then" in s.person.warnings  # type: ignore[attr-defined]


async def test_a_check_for_machines(s: Session):
    with pytest.raises(CheckFailed, match=r"'Monthly' is below 90 %: 202501 0.0 %"):
        await told(s, fail_below=90)


async def test_completing_is_planned_looked_back_at_and_taken_back(s: Session):
    arguments = {"data_set": "Monthly", "period": "202501", "org_units": ["Nation"], "children": True}
    assert len((await planned(s, "data complete", **arguments)).steps) == 3
    assert (await told(s))[0]["received"] == 0
    assert (await do(s, "data complete", **arguments)).created == 3
    again = await planned(s, "data complete", **arguments)
    assert (list(again.steps), again.notes) == ([], ["3 registrations already right"])
    assert [row["name"] for row in again.left_out] == ["Clinic A, 202501", "Clinic B, 202501", "Clinic C, 202501"]
    await do(s, "undo")
    assert (await told(s))[0]["received"] == 0


async def test_reopening_and_undoing_it_keeps_the_day(s: Session):
    row = {
        "dataSet": "dsMonthly01",
        "period": "202501",
        "organisationUnit": "ouClinicA01",
        "date": "2025-02-03",
        "storedBy": "mara",
    }
    await s.client.post("completeDataSetRegistrations", {"completeDataSetRegistrations": [row]})
    before = await call(s, "data completeness", data_set="Monthly", period=["202501"])
    await do(s, "data reopen", data_set="Monthly", period="202501", org_units=["Clinic A"])
    assert (await told(s))[0]["received"] == 0
    await do(s, "undo")
    assert (await told(s)) == before.plain()
    assert (await told(s))[0]["onTime"] == 1


async def test_what_the_set_is_not_assigned_to_is_refused(s: Session):
    with pytest.raises(UsageError, match="'Monthly' is not assigned to North"):
        await do(s, "data complete", data_set="Monthly", period="202501", org_units=["North"])
    with pytest.raises(UsageError, match="2025 is 12 periods"):
        await do(s, "data complete", data_set="Monthly", period="2025", org_units=["Clinic A"])


async def test_a_tree_names_who_has_not_reported(s: Session):
    found = await call(s, "data completeness", data_set="Monthly", period=["202502"], by="values", tree=True)
    assert render.text(found) == "\n".join([
        "Monthly, 202502", "└── Nation 2 of 3 (66.7 %)", "    ├── North 1 of 2 (50.0 %)",
        "    │   └── Clinic B not reported", "    └── South 1 of 1 (100.0 %)",
    ])  # fmt: skip
    (nation,) = found.to_json()["units"]
    assert [unit["orgUnitName"] for unit in nation["children"][0]["children"]] == ["Clinic A", "Clinic B"]
    with pytest.raises(UsageError, match="a tree is of one period"):
        await told(s, tree=True, period=["2025"])


async def test_a_heat_map_has_a_column_for_each_month(s: Session):
    found = await call(s, "data completeness", data_set="Monthly", period=["202501..202503"], by="values", heat=True)
    assert found.plain() == [
        {"orgUnit": "ouNorth0001", "orgUnitName": "North", "202501": 100.0, "202502": 50.0, "202503": 50.0},
        {"orgUnit": "ouSouth0001", "orgUnitName": "South", "202501": 100.0, "202502": 100.0, "202503": 0.0},
    ]
    assert "South         100 █   100 █     0 ·" in render.text(found)
    assert 'style="background:#1a9850;color:#fff">100<' in render.html(found)
    with pytest.raises(UsageError, match="one of --missing, --tree and --heat"):
        await told(s, tree=True, missing=True)


async def test_a_first_registration_that_a_2_43_loses_over_its_period_is_sent_once_more(
    s: Session, monkeypatch: pytest.MonkeyPatch
):
    """Recorded: 409, nothing counted, `Failed to flush BatchHandler`; the same rows are taken the second time."""
    said = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "ERROR",
            "message": "An error occurred, please check import summary.",
            "response": {"status": "ERROR", "responseType": "ImportSummary", "conflicts": [], "rejectedIndexes": [],
                         "description": "The import process failed: Failed to flush BatchHandler",
                         "importCount": {"imported": 0, "updated": 0, "ignored": 0, "deleted": 0}}}  # fmt: skip
    real, answers, calls = registering.send, [said], 0

    async def losing(*args: object, **more: object) -> WebMessage:
        nonlocal calls
        calls += 1
        return WebMessage.of(answers.pop(0), status=409) if answers else await real(*args, **more)

    monkeypatch.setattr(registering, "send", losing)
    one = {"data_set": "Monthly", "period": "202501", "org_units": ["Clinic A"]}
    assert (await do(s, "data complete", **one)).created == 1
    assert calls == 2
    await do(s, "undo")
    answers += [said, said]
    with pytest.raises(Refused, match="Failed to flush BatchHandler"):
        await do(s, "data complete", **one)
    assert calls == 5, "once more, and not for ever"


async def test_of_an_element_its_own_values_count(s: Session):
    """For January Clinic C has sent others of the set, and no Temperature."""
    whole, of_it = [await told(s, by="values", data_set=name) for name in ("Monthly", "Temperature")]
    assert (whole[0]["received"], of_it[0]["received"]) == (3, 2)
    assert [row["orgUnitName"] for row in await told(s, by="values", data_set="Temperature", missing=True)] == [
        "Clinic C"
    ]


async def test_units_above_others_that_are_silent_themselves_are_named(s: Session):
    sets = "dataSets/dsMonthly01/organisationUnits"
    for uid in ("ouNorth0001", "ouNation001"):
        await s.client.post(f"{sets}/{uid}", {})
    found = await call(s, "data completeness", data_set="Monthly", period=["202502"], by="values", tree=True)
    assert render.text(found).splitlines()[1:3] == [
        "└── Nation 2 of 5 (40.0 %); has not reported itself",
        "    ├── North 1 of 3 (33.3 %); has not reported itself",
    ]
    (nation,) = found.to_json()["units"]
    assert [unit.get("reported") for unit in (nation, *nation["children"])] == [False, False, None]


async def test_units_above_the_level_are_said_to_be_in_no_row(s: Session, capsys: pytest.CaptureFixture[str]):
    await s.client.post("dataSets/dsMonthly01/organisationUnits/ouNation001", {})
    s.person = heard = Somebody()
    rows = await told(s, by="values", level=2)
    assert sum(row["expected"] for row in rows) == 3
    assert heard.notes == ["1 unit above level 2 is in none of these rows, and only in the whole"]
