"""What was changed by whom, as far as a server has written it down; and no empty list for what it cannot know."""

import datetime as dt
from pathlib import Path

import pytest

from dhis2sh.client import reading
from dhis2sh.client.protocol import Requests
from dhis2sh.client.requests import effect_scope
from dhis2sh.dhis2.intervals import iso_in
from dhis2sh.errors import Forbidden, UsageError
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.types import JsonValue, Row
from tests.metadata.calls import call, do


async def rows(s: Session, path: str, **arguments: object) -> list[dict]:
    return (await (await call(s, path, **arguments)).collect()).plain()


async def test_changes_of_values_with_what_they_were_before(s: Session):
    """Recorded (audit-data-values 7): the value before; nothing of the first one."""
    cell = {"element": "Stock", "period": "202501", "org_unit": "Clinic A"}
    await do(s, "data aggregate set", **cell, value="101")
    found = await rows(s, "audit data-values", data_element=["Stock"])
    told = [(row["auditType"], row["before"], row["after"], row["modifiedBy"]) for row in found]
    assert told == [("UPDATE", "100", "?", "admin")]
    assert (found[0]["dataElementName"], found[0]["orgUnitName"]) == ("Stock", "Clinic A")
    assert "value" not in found[0]
    assert await rows(s, "audit data-values", data_element=["Stock"], type=["DELETE"]) == []


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("2.41", [("2", None), ("1", "?")]), ("2.42", [("2", None), ("1", "?")]),
        ("2.43", [("?", None), ("?", "2"), (None, "1")]), ("2.44", [("?", None), ("?", "2"), (None, "1")]),
    ],
)  # fmt: skip
async def test_a_value_before_and_after_means_the_same_on_every_version(nation_home: Path, version: str, told: list):
    """Recorded (audit-data-values): up to 2.42 `value` is the one before, and from 2.43 on the one after."""
    open_store(nation_home / "data" / "sandbox.db", version=version).close()
    s, notes = Session("sandbox"), list[str]()
    s.person.note = notes.append  # type: ignore[method-assign]
    cell = {"element": "Stock", "period": "202302", "org_unit": "Clinic A"}
    (unit,) = await call(s, "metadata list", type="organisationUnits", filter=["name:eq:Clinic A"], fields="id")
    for value in ("1", "2"):
        await do(s, "data aggregate set", **cell, value=value)
    with effect_scope("write"):
        await s.client.delete("dataValues", {"de": "deStock0001", "pe": "202302", "ou": unit["id"]})
    found = await rows(s, "audit data-values", data_element=["Stock"], period=["202302"])
    assert [(row["before"], row["after"]) for row in found] == told
    assert [row["created"] for row in found] == sorted((row["created"] for row in found), reverse=True)
    kept = "after" if version >= "2.43" else "before"
    assert any(note.startswith(f"this server writes down the value {kept} each change") for note in notes)
    await s.aclose()


async def test_values_of_everything_are_not_asked_for(s: Session):
    with pytest.raises(UsageError, match="of which values"):
        await rows(s, "audit data-values")


async def test_persons_and_their_relationships_are_no_metadata(s: Session, nation_home: Path):
    """Up to 2.41 the schemas list them; their addresses are the old tracker's, which wants an entity or a unit."""
    open_store(nation_home / "data" / "sandbox.db", version="2.41").close()
    assert await rows(s, "audit metadata", since="2099-01-01") == []


async def test_who_changed_which_objects_last(s: Session):
    await do(s, "metadata rename", type="dataElements", objects=["Stock"], prefix="X ")
    found = await rows(s, "audit who", user="admin", since="2026-01-01", type=["dataElements"])
    assert "X Stock" in {row["name"] for row in found}
    times = [row["lastUpdated"] for row in await rows(s, "audit metadata", since="2020-01-01")]
    assert times == sorted(times, reverse=True)
    assert await rows(s, "audit metadata", since="2099-01-01", type=["dataElements"]) == []


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"since": "soon"}, "'soon' is no date"),
        ({"since": "2026-01-01", "type": ["nothings"]}, "nothings do not say who changed them"),
    ],
)
async def test_what_cannot_be_known_is_no_empty_list(s: Session, asked: dict, why: str):
    with pytest.raises(UsageError, match=why):
        await rows(s, "audit metadata", **asked)


async def test_approvals_say_who(s: Session):
    store = s.sandbox_store()
    (monthly,) = [body for body in store.objects("dataSets").values() if body["name"] == "Monthly"]
    store.put_objects({"dataSets": [{**monthly, "workflow": {"id": "dawMonthly1"}}]})
    await do(s, "approval approve", data_set="Monthly", period="202501", org_units=["Clinic A"])
    (row,) = await rows(s, "audit approvals")
    assert (row["action"], row["period"], row["orgUnitName"]) == ("APPROVE", "202501", "Clinic A")
    await do(s, "approval unapprove", data_set="Monthly", period="202501", org_units=["Clinic A"])
    assert [row["action"] for row in await rows(s, "audit approvals")] == ["UNAPPROVE", "APPROVE"]


async def test_audits_of_2_43_say_their_period(s: Session, monkeypatch: pytest.MonkeyPatch):
    """From 2.43 on a period is its type and days, with no id (v43 audit-data-values 8, approval-single 28)."""
    period = {"periodType": "Monthly", "startDate": "2024-08-01T00:00:00.000", "endDate": "2024-08-31T00:00:00.000"}
    body = {
        "pager": {"page": 1, "pageCount": 1, "total": 1, "pageSize": 500},
        "dataValueAudits": [{"created": "2026-11-29T12:00:00.000", "auditType": "UPDATE", "period": period}],
        "dataApprovalAudits": [{"created": "2026-11-29T12:00:00.000", "action": "APPROVE", "period": period}],
    }
    real = s.client.get

    async def told(path: str, *args: object, **how: object) -> object:
        return body if path.startswith("audits/") else await real(path, *args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(s.client, "get", told)
    for path, asked in (("audit data-values", {"data_element": ["Stock"]}), ("audit approvals", {})):
        (row,) = await rows(s, path, **asked)
        assert row["period"] == "202408"


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ({"id": "2024W5"}, "2024W5"), ("202408", "202408"), ({}, None), (None, None),
        ({"periodType": "FinancialNov", "startDate": "2023-11-01T00:00:00.000"}, "2024Nov"),
        ({"periodType": "Lunar", "startDate": "2023-11-01T00:00:00.000", "endDate": "2023-11-28T00:00:00.000"}, "2023-11-01..2023-11-28"),
    ],
)  # fmt: skip
def test_a_period_that_is_an_object(value: JsonValue, iso: str | None):
    assert iso_in(value) == iso


async def test_types_that_one_may_not_read_are_named(s: Session, monkeypatch: pytest.MonkeyPatch):
    """A server answers 403 (E1006) to who may not read a type; that is no reason to say nothing of all others."""
    real = reading.all_of
    said: list[str] = []

    async def some(client: Requests, plural: str, *args: object, **how: object) -> list[Row]:
        if plural == "routes":
            raise Forbidden("You don't have the proper permissions to read objects of this type.", code="E1006")
        return await real(client, plural, *args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "all_of", some)
    monkeypatch.setattr(s.person, "warn", said.append)
    await do(s, "metadata rename", type="dataElements", objects=["Stock"], prefix="X ")
    assert "X Stock" in {row["name"] for row in await rows(s, "audit metadata", since="2026-01-01")}
    assert said == ["you may not read routes: their changes are not among these"]
    with pytest.raises(Forbidden):
        await rows(s, "audit metadata", since="2026-01-01", type=["routes"])


async def test_words_for_moments_go_by_the_clock_of_the_server(s: Session, monkeypatch: pytest.MonkeyPatch):
    async def tomorrow_there() -> dt.datetime:
        return dt.datetime.now() + dt.timedelta(days=2)

    await do(s, "metadata rename", type="dataElements", objects=["Stock"], prefix="X ")
    assert len(await rows(s, "audit who", user="admin", since="7d", type=["dataElements"])) >= 1
    monkeypatch.setattr(s.client.system, "now", tomorrow_there)
    assert await rows(s, "audit who", user="admin", since="today", type=["dataElements"]) == []
