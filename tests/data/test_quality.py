"""What looks wrong: outliers, broken rules, marks for follow-up, and what a cell held before."""

import pytest

from dhis2sh.client.versions import ServerVersion
from dhis2sh.data import history as history_of
from dhis2sh.data import violations
from dhis2sh.data.cells import DEFAULTED
from dhis2sh.errors import CheckFailed, NotFound, Refused, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from tests.data.test_aggregate import JANUARY, values
from tests.fakes.person import Somebody
from tests.metadata.calls import call, do, planned

CELL = {"element": "Stock", "period": "202501", "org_unit": "Clinic A"}
RULE = {
    "id": "vrTemp00001", "name": "Cool enough", "importance": "HIGH", "operator": "less_than_or_equal_to",
    "periodType": "Monthly", "instruction": "Look at the fridge",
    "leftSide": {"expression": "#{deTemp00001}", "description": "t", "missingValueStrategy": "NEVER_SKIP"},
    "rightSide": {"expression": "#{deVisits001.combMale001} * 2", "description": "v", "missingValueStrategy": "NEVER_SKIP"},
}  # fmt: skip


@pytest.fixture
async def ruled(s: Session) -> Session:
    """The nation with a rule."""
    await s.client.post("validationRules", RULE)
    return s


async def history(s: Session) -> list[tuple[object, ...]]:
    rows = (await call(s, "data history", **CELL)).plain()
    return [(row["change"], row.get("before"), row.get("after")) for row in rows]


# Outliers -------------------------------------------------------------------------------------------------------------


async def test_a_value_far_from_the_usual_is_found_and_said_in_words(s: Session):
    months = [f"2024{month:02}" for month in range(1, 13)]
    rows = [
        {"dataElement": "Stock", "period": month, "orgUnit": "Clinic C", "value": 10 + at % 2}
        for at, month in enumerate(months)
    ]
    await do(
        s,
        "data aggregate push",
        values=Rows([*rows, {"dataElement": "Stock", "period": "202501", "orgUnit": "Clinic C", "value": 120}]),
    )
    found = await call(s, "data outliers", data_set=["Monthly"], period=["202501"], org_unit=["South"])
    (row,) = found.plain()
    assert (row["orgUnitName"], row["dataElementName"], row["value"]) == ("Clinic C", "Stock", 120)
    assert row["told"] == "7 times the usual 18"
    assert not (await call(s, "data outliers", data_set=["Monthly"], period=["202502"])).plain()
    with pytest.raises(UsageError, match="which data"):
        await call(s, "data outliers", period=["202501"])
    with pytest.raises(Refused, match="Threshold must be a positive number"):  # and no other one than was asked for
        await call(s, "data outliers", data_set=["Monthly"], period=["202501"], threshold=0)


async def test_the_first_outliers_are_those_of_the_highest_score_or_of_the_largest_difference(s: Session):
    """A large unit leads by its numbers, a small one by how unusual its value is."""
    usual = {"Clinic A": (1000, 400), "Clinic C": (10, 1)}
    rows = [
        {"dataElement": "Stock", "period": f"2024{month:02}", "orgUnit": unit, "value": middle + off * (month % 2)}
        for unit, (middle, off) in usual.items()
        for month in range(1, 13)
    ]
    rows += [{"dataElement": "Stock", "period": "202412", "orgUnit": unit, "value": value}
             for unit, value in (("Clinic A", 9000), ("Clinic C", 120))]  # fmt: skip
    await do(s, "data aggregate push", values=Rows(rows[:11] + rows[12:23] + rows[24:]))
    asked = {"data_element": ["Stock"], "period": ["202412"], "algorithm": "modified-z-score", "top": 1}
    s.person = heard = Somebody()
    first = [(await call(s, "data outliers", **asked, **how)).plain() for how in ({}, {"order_by": "difference"})]
    assert [row["orgUnitName"] for (row,) in first] == ["Clinic C", "Clinic A"]
    assert ["of the highest scores" in heard.warnings[0], "of the largest differences" in heard.warnings[1]] == [
        True,
        True,
    ]
    with pytest.raises(UsageError, match="there is no score"):
        await call(s, "data outliers", **asked | {"algorithm": "min-max", "order_by": "score"})


async def test_outliers_go_into_follow_up(s: Session):
    await test_a_value_far_from_the_usual_is_found_and_said_in_words(s)
    found = await call(s, "data outliers", data_set=["Monthly"], period=["202501"])
    await do(s, "data followup mark", values=found)
    stream = await call(s, "data followup list", **JANUARY)
    assert [(row["orgUnitName"], row["value"]) for row in (await stream.collect()).plain()] == [("Clinic C", 120)]


# Rules ----------------------------------------------------------------------------------------------------------------


async def test_a_broken_rule_has_its_formula_in_names_and_both_numbers(ruled: Session):
    stream = await call(ruled, "data validate", period=["202501"], org_unit=["North"])
    rows = (await stream.collect()).plain()
    told = {row["orgUnitName"]: (row["left"], row["operator"], row["right"]) for row in rows}
    assert told == {"Clinic B": (25, "<=", 10)}
    (row,) = rows
    assert (row["leftSide"], row["rightSide"]) == ("[Temperature]", "[Visits] [Male] * 2")
    assert (row["above"], row["instruction"], row["importance"]) == ("Nation / North", "Look at the fridge", "HIGH")


async def test_rules_are_chosen_by_name_and_by_data_set(ruled: Session):
    stream = await call(ruled, "data validate", period=["2025"], data_set=["Monthly"], rule=["Cool enough"])
    assert {row["period"] for row in (await stream.collect()).plain()} == {"202501"}
    with pytest.raises(NotFound, match="Cool"):
        await call(ruled, "data validate", period=["202501"], rule=["Cool"])


async def test_violations_fail_a_check(ruled: Session):
    with pytest.raises(CheckFailed, match="1 violations: 'Cool enough' 1"):
        await call(ruled, "data validate", period=["202501"], fail_on_violation=True)
    stream = await call(ruled, "data validate", period=["202503"], fail_on_violation=True)
    assert not (await stream.collect()).plain()


async def test_units_are_asked_one_by_one_where_a_server_gives_no_more(ruled: Session, monkeypatch: pytest.MonkeyPatch):
    """A server gives 500 violations and says nothing of the rest."""
    monkeypatch.setattr(violations, "USUAL_MOST", 1)
    stream = await call(ruled, "data validate", period=["202501"], org_unit=["Nation"])
    assert [row["orgUnitName"] for row in (await stream.collect()).plain()] == ["Clinic B"]


# Follow-up ------------------------------------------------------------------------------------------------------------


async def test_marking_is_planned_and_taken_back(s: Session):
    plan = await planned(s, "data followup mark", **CELL)
    assert [(step.name, step.detail) for step in plan.steps] == [("Stock, Clinic A, 202501", "100: mark for follow-up")]
    await do(s, "data followup mark", **CELL)
    assert (await planned(s, "data followup mark", **CELL)).notes == ["1 value already right"]
    await do(s, "undo")
    stream = await call(s, "data followup list", **JANUARY)
    assert not (await stream.collect()).plain()
    await do(s, "data followup mark", **CELL)
    await do(s, "data followup unmark", **CELL)
    await do(s, "undo")
    stream = await call(s, "data followup list", **JANUARY)
    assert len((await stream.collect()).plain()) == 1
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "100"


async def test_what_cannot_be_marked_is_refused(s: Session):
    with pytest.raises(NotFound, match="there is no value in"):
        await do(s, "data followup mark", **{**CELL, "org_unit": "Clinic B"})
    with pytest.raises(UsageError, match="which value"):
        await do(s, "data followup mark", element="Stock")


# History --------------------------------------------------------------------------------------------------------------


async def test_a_cell_has_its_changes_and_what_it_holds_now(s: Session):
    assert await history(s) == [("NOW", None, "100")]
    for value in ("7", "8"):
        await do(s, "data aggregate set", **CELL, value=value)
    assert await history(s) == [("UPDATE", "100", "7"), ("UPDATE", "7", "8"), ("NOW", None, "8")]
    await do(s, "data aggregate delete", data_element=["Stock"], period=["202501"], org_unit=["Clinic A"])
    assert (await history(s))[-2:] == [("DELETE", "8", None), ("NOW", None, None)]
    with pytest.raises(NotFound, match="was ever written down"):
        await call(s, "data history", **{**CELL, "period": "202002"})


async def test_a_newer_server_writes_down_what_a_change_brought(s: Session, monkeypatch: pytest.MonkeyPatch):
    audits = [
        {"created": f"2026-01-0{day}T10:00:00", "modifiedBy": "mara", "auditType": kind,
         **({"value": value} if value else {}), **{name: {"id": "HllvX50cXC0"} for name in DEFAULTED}}
        for day, kind, value in ((3, "DELETE", None), (2, "UPDATE", "2"), (1, "CREATE", "1"))
    ]  # fmt: skip
    get = s.client.get_object

    async def newer(path: str, *args: object) -> object:
        return {"dataValueAudits": audits} if path == "audits/dataValue" else await get(path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(s.client, "get_object", newer)
    monkeypatch.setattr(ServerVersion, "has", lambda self, name: name == "audits_keep_new")
    assert await history(s) == [
        ("CREATE", None, "1"), ("UPDATE", "1", "2"), ("DELETE", "2", None), ("NOW", None, "100"),
    ]  # fmt: skip


async def test_a_value_is_set_back_and_that_is_undone(s: Session):
    await do(s, "data aggregate set", **CELL, value="7")
    plan = await planned(s, "data revert", **CELL)
    assert [step.detail for step in plan.steps] == ["7 -> 100"]
    await do(s, "data revert", **CELL)
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "100"
    await do(s, "undo")
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "7"


@pytest.mark.parametrize(("zone", "at", "held"), [
    ("Africa/Nairobi", "2026-01-01T12:30", None), ("Africa/Nairobi", "2026-01-01T13:30", "100"),
    ("GMT+03:00", "2026-01-01T12:30", None), ("UTC", "2026-01-01T12:30", "100"), ("UTC", "2026-01-01T09:30", None),
])  # fmt: skip
async def test_a_moment_is_the_servers_also_where_it_is_not_in_utc(
    s: Session, monkeypatch: pytest.MonkeyPatch, zone: str, at: str, held: str | None
):
    """What was stored at 10:00 UTC was stored at 13:00 in Nairobi."""
    cell = await _stored_at_ten(s, monkeypatch, zone)
    assert history_of.at(cell, history_of.time_of(at)) == held


async def test_a_server_that_names_no_zone_is_asked_for_no_hour(s: Session, monkeypatch: pytest.MonkeyPatch):
    cell = await _stored_at_ten(s, monkeypatch, "Middle/Earth")
    with pytest.raises(UsageError, match="does not say in which time zone it is"):
        history_of.at(cell, history_of.time_of("2026-01-01T12:30"))
    assert history_of.at(cell, history_of.time_of("2026-01-03")) == "100"


async def _stored_at_ten(s: Session, monkeypatch: pytest.MonkeyPatch, zone: str) -> history_of.Cell:
    """The cell of a server in a zone, that got its first value, 100, at 10:00 UTC."""
    get, values_ = s.client.get_object, s.client.data_values.get

    async def told(path: str, *args: object) -> object:
        return {"serverTimeZoneId": zone} if path == "system/info" else await get(path, *args)  # type: ignore[arg-type]

    async def stored(**query: object) -> object:
        body = await values_(**query)  # type: ignore[arg-type]
        [row] = body["dataValues"]  # type: ignore[misc]
        row |= {"created": "2026-01-01T10:00:00.000+0000", "lastUpdated": "2026-01-01T10:00:00.000+0000"}
        return body

    monkeypatch.setattr(s.client, "get_object", told)
    monkeypatch.setattr(s.client.data_values, "get", stored)
    page = await s.client.list_page("dataElements", {"filter": "name:eq:Stock", "fields": "id"})
    unit = await s.client.list_page("organisationUnits", {"filter": "name:eq:Clinic A", "fields": "id"})
    [cell] = await history_of.of(s, page.rows[0]["id"], "202501", unit.rows[0]["id"], None, None)
    return cell


async def test_what_nobody_wrote_down_is_not_made_up(s: Session):
    with pytest.raises(UsageError, match="it keeps no value of before"):
        await do(s, "data revert", **CELL)
    with pytest.raises(UsageError, match="'last week' is no moment"):
        await do(s, "data revert", **CELL, at="last week")
    plan = await planned(s, "data revert", **CELL, at="2099-01-01")
    assert not list(plan.steps) and "it is so already" in plan.title
