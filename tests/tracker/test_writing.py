"""Single entities registered, enrolled, changed, completed, moved, related, deleted, and what is taken back of it."""

import datetime as dt
from pathlib import Path

import pytest

from dhis2sh.errors import Dhis2Error, Forbidden, NotFound, OutOfDate, Refused, UsageError
from dhis2sh.session import Session
from dhis2sh.tracker import changing
from tests.metadata.calls import YES, call, do, planned

TOMORROW = (dt.date.today() + dt.timedelta(1)).isoformat()
ANNA = {"program": "Children", "org_unit": "Clinic A", "set": ["Given name=Anna", "Sex=female", "Born=2025-01-01"]}


async def get(s: Session, uid: str) -> dict:
    return dict(await call(s, "data tracker get", uid=uid))


async def test_register_says_by_name_what_it_makes_and_undo_takes_it_away(s: Session):
    plan = await planned(s, "data tracker register", **ANNA)
    told = " ".join(step.words() for step in plan.steps)
    assert "Given name: Anna" in told
    assert "orgUnit: Clinic A" in told
    assert "Sex: F" in told
    summary = await do(s, "data tracker register", **ANNA)
    entity, enrollment = summary.uids
    found = await get(s, entity)
    assert found["attributes"] == {"Given name": "Anna"}
    assert found["enrollments"][0]["attributes"] == {"Given name": "Anna", "Born": "2025-01-01", "Sex": "Female (F)"}
    assert (found["enrollments"][0]["enrollment"], found["enrollments"][0]["status"]) == (enrollment, "ACTIVE")
    await do(s, "undo")
    with pytest.raises(NotFound):
        await get(s, entity)
    with pytest.raises(NotFound):
        await get(s, enrollment)


async def test_the_day_of_the_incident_is_never_guessed(s: Session):
    """A single registration and a sheet want it alike, and both say how it is given."""
    await do(s, "data tracker complete", uids=["enPerson001"])
    program = await s.client.get_object("programs/prChildren1", {"fields": ":owner"})
    await s.client.put("programs/prChildren1", {**program, "displayIncidentDate": True})

    with pytest.raises(UsageError, match="the day of the incident is missing: 'Children' wants it") as told:
        await planned(s, "data tracker register", **ANNA, enrolled="2025-06-30")
    assert told.value.hint == "--occurred 2025-06-30  if it is that of the enrollment"
    with pytest.raises(UsageError, match="the day of the incident is missing"):
        await planned(s, "data tracker enroll", uid="tePerson001", program="Children")

    sheet = "Facility,Given name,Enrollment date{}\nClinic A,Anna,2025-06-30{}\n"
    Path("anna.csv").write_text(sheet.format("", ""), "utf-8")
    plan = await planned(s, "data tracker push", file=Path("anna.csv"), program="Children")
    assert "wants the day of the incident (a column 'Incident date')" in str(plan.blocked)
    Path("anna.csv").write_text(sheet.format(",Incident date", ",2025-06-29"), "utf-8")
    assert (await planned(s, "data tracker push", file=Path("anna.csv"), program="Children")).blocked is None


async def test_no_name_of_a_person_goes_into_the_name_index(s: Session):
    told: list[object] = []
    s.on_written = lambda profile, objects: told.append(objects)
    await do(s, "data tracker register", **ANNA)
    await do(s, "data tracker update", uid="tePerson001", set=["Family name=Kamara"])
    assert told == []


@pytest.mark.parametrize(("other", "error", "told"), [
    ({"set": ["Sex=F"]}, UsageError, "needs 'Given name'"),
    ({"set": ["Given name=Anna", "Nickname=A"]}, NotFound, "no attribute of 'Children'"),
    ({"set": ["Given name=Anna", "Sex=Other"]}, UsageError, "'Other' is no option of 'Sex': Female"),
    ({"set": ["Given name=Anna", "Born=06/12/2025"]}, UsageError, "'Born' wants a date"),
    ({"set": ["Given name=Anna", f"Born={TOMORROW}"]}, UsageError, "takes no date in the future"),
    ({"set": ["Given name=Anna", "Given name=Bea"]}, UsageError, "is given twice"),
    ({"set": ["Given name"]}, UsageError, "say NAME=VALUE"),
    ({"set": ["Given name=Anna", "Card number=a-1"]}, Refused, "must be unique, and tePerson001 has 'a-1' already"),
    ({"org_unit": "Clinic C"}, Dhis2Error, "'Children' is not assigned to 'Clinic C'"),
    ({"enrolled": TOMORROW}, UsageError, "lies in the future"),
    ({"program": "Supervision"}, UsageError, "registers nobody: it has single events"),
])  # fmt: skip
async def test_what_a_server_would_refuse_is_said_before_in_words(
    s: Session, other: dict, error: type[Exception], told: str
):
    with pytest.raises(error, match=told):
        await planned(s, "data tracker register", **{**ANNA, **other})


async def test_a_program_that_is_closed_to_the_user(s: Session, monkeypatch: pytest.MonkeyPatch):
    from dhis2sh.tracker import programs

    real = programs.program_of

    def closed(body, kind):  # type: ignore[no-untyped-def]
        return real({**body, "access": {"data": {"read": True, "write": False}}}, kind)

    monkeypatch.setattr(programs, "program_of", closed)
    with pytest.raises(Forbidden, match="you may not enter data of the program 'Children'"):
        await planned(s, "data tracker register", **ANNA)


async def test_an_entity_is_enrolled_once_at_a_time(s: Session):
    with pytest.raises(Refused, match="is enrolled in 'Children' already: enPerson001"):
        await planned(s, "data tracker enroll", uid="tePerson001", program="Children")
    await do(s, "data tracker complete", uids=["enPerson001"])
    summary = await do(s, "data tracker enroll", uid="tePerson001", program="Children", enrolled="2025-05-01")
    assert (await get(s, summary.uids[0]))["enrolledAt"] == "2025-05-01"
    assert (await get(s, "tePerson001"))["orgUnit"] == "Clinic A"


async def test_events_of_an_entity_of_an_enrollment_and_of_nobody(s: Session):
    made = [
        await do(s, "data tracker add-event", program="Children", of="tePerson002", stage="Visit", date="2025-03-01", set=["Weight=4.5"]),
        await do(s, "data tracker add-event", program="Children", of="enPerson002", stage="Visit", scheduled=TOMORROW),
        await do(s, "data tracker add-event", program="Supervision", org_unit="Clinic C", date="2025-03-01", set=["Staff met=2"]),
    ]  # fmt: skip
    first, second, third = [await get(s, summary.uids[0]) for summary in made]
    assert (first["values"], first["status"], first["orgUnit"]) == ({"Weight": 4.5}, "ACTIVE", "Clinic A")
    assert (second["status"], second["scheduledAt"]) == ("SCHEDULE", TOMORROW)
    assert (third["orgUnit"], third["values"]) == ("Clinic C", {"Staff met": 2})


@pytest.mark.parametrize(("asked", "error", "told"), [
    ({"of": "tePerson001", "stage": "Birth", "status": "COMPLETED"}, UsageError, "a completed event of 'Birth' needs 'Weight'"),
    ({"of": "tePerson001", "stage": "Birth", "set": ["Weight=heavy"]}, UsageError, "'Weight' wants a number"),
    ({"of": "tePerson001", "stage": "Birth", "set": ["Card=blue"]}, UsageError, "'blue' is no option of 'Card': Red"),
    ({"of": "tePerson001", "stage": "Birth", "set": ["Next visit=2025-01-01"]}, NotFound, "no data element of 'Birth'"),
    ({"of": "tePerson001", "stage": "Birth", "date": TOMORROW}, UsageError, "lies in the future"),
    ({"of": "tePerson001"}, UsageError, "has several stages"),
    ({"stage": "Birth"}, UsageError, "an event of whom"),
    ({"of": "tePerson001", "stage": "Visit", "scheduled": TOMORROW, "set": ["Weight=3"]}, UsageError, "has no values yet"),
    ({"of": "tePerson001", "stage": "Visit", "org_unit": "Clinic C"}, Dhis2Error, "not assigned to 'Clinic C'"),
    ({"of": "tePerson999", "stage": "Visit"}, NotFound, "no enrollment or tracked entity tePerson999"),
    ({"program": "Supervision"}, UsageError, "at which organisation unit"),
])  # fmt: skip
async def test_events_that_a_server_would_refuse(s: Session, asked: dict, error: type[Exception], told: str):
    with pytest.raises(error, match=told):
        await planned(s, "data tracker add-event", **{"program": "Children", **asked})


async def test_a_stage_that_is_not_repeated_takes_one_event(s: Session):
    asked = {"program": "Children", "of": "tePerson001", "stage": "Birth", "date": "2025-01-01", "set": ["Weight=3"]}
    await do(s, "data tracker add-event", **asked)
    with pytest.raises(Refused, match="'Birth' takes one event, and there is"):
        await planned(s, "data tracker add-event", **asked)


async def test_update_changes_what_is_named_and_nothing_else(s: Session):
    before = await get(s, "tePerson001")
    plan = await planned(s, "data tracker update", uid="tePerson001", set=["Family name=Kamara", "Sex=Female"])
    assert [step.words(plan.names) for step in plan.steps] == [
        "attributes.Family name: 'Almoor' -> 'Kamara'", "attributes.Sex: nothing -> 'F'",
    ]  # fmt: skip
    await do(s, "data tracker update", uid="tePerson001", set=["Family name=Kamara", "Sex=Female"])
    after = await get(s, "tePerson001")
    assert after["attributes"] == {**before["attributes"], "Family name": "Kamara"}
    assert after["enrollments"][0]["attributes"]["Sex"] == "Female (F)"
    assert after["enrollments"][0]["events"] == before["enrollments"][0]["events"]
    await do(s, "undo")
    assert await get(s, "tePerson001") == before


async def test_an_empty_value_takes_one_away_and_undo_brings_it_back(s: Session):
    before = await get(s, "tePerson001")
    await do(s, "data tracker update", uid="tePerson001", set=["Card number="])
    assert "Card number" not in (await get(s, "tePerson001"))["attributes"]
    await do(s, "undo")
    assert await get(s, "tePerson001") == before
    with pytest.raises(UsageError, match="'Given name' must have a value"):
        await planned(s, "data tracker update", uid="tePerson001", set=["Given name="])


async def test_what_belongs_to_an_event_is_kept_when_a_value_changes(s: Session):
    await do(s, "data tracker update", uid="evPers01v00", follow_up=True, scheduled="2025-01-02")
    before = await get(s, "evPers01v00")
    raw = await s.client.tracker.get("events", "evPers01v00", fields="*")
    await do(s, "data tracker update", uid="evPers01v00", set=["Weight=9.5"])
    now = await s.client.tracker.get("events", "evPers01v00", fields="*")
    assert {name: now.get(name) for name in ("followUp", "scheduledAt", "occurredAt", "status")} == {
        name: raw.get(name) for name in ("followUp", "scheduledAt", "occurredAt", "status")
    }
    await do(s, "undo")
    assert await get(s, "evPers01v00") == before


@pytest.mark.parametrize(("asked", "told"), [
    ({"uid": "evPers01v00", "enrolled": "2025-01-01"}, "--enrolled is nothing of an event"),
    ({"uid": "tePerson001", "status": "COMPLETED"}, "--status is nothing of an entity"),
    ({"uid": "enPerson001", "status": "SKIPPED"}, "an enrollment is never SKIPPED"),
    ({"uid": "evPers01v00", "status": "CANCELLED"}, "an event is never CANCELLED"),
    ({"uid": "evPers01v00"}, "nothing to change"),
    ({"uid": "nope"}, "'nope' is no UID"),
])  # fmt: skip
async def test_an_update_that_makes_no_sense(s: Session, asked: dict, told: str):
    with pytest.raises(UsageError, match=told):
        await planned(s, "data tracker update", **asked)


async def test_a_mark_that_was_not_there_is_taken_away_again(s: Session):
    """A server may keep what is not said: the way back says that it is no more."""
    await do(s, "data tracker update", uid="enPerson001", follow_up=True)
    assert (await get(s, "enPerson001"))["followUp"] is True
    await do(s, "undo")
    assert "followUp" not in await get(s, "enPerson001")


async def test_a_plan_that_is_out_of_date_is_not_sent(s: Session):
    plan = await planned(s, "data tracker update", uid="tePerson001", set=["Family name=Kamara"])
    await do(s, "data tracker update", uid="tePerson001", set=["Family name=Sesay"])
    from dhis2sh.changes.apply import apply_plan
    from dhis2sh.verbs.registry import find

    with pytest.raises(OutOfDate, match=r"Family name: 'Almoor' -> 'Sesay'"):
        await apply_plan(s, find("data tracker update"), plan, YES)


async def test_undo_leaves_alone_what_somebody_changed_since(s: Session):
    await do(s, "data tracker update", uid="tePerson001", set=["Family name=Kamara"])
    client = s.client
    await client.post("tracker?async=false", {"trackedEntities": [
        {"trackedEntity": "tePerson001", "trackedEntityType": "tetPerson01", "orgUnit": "ouClinicA01",
         "attributes": [{"attribute": "teaFamily01", "value": "Other"}]}]})  # fmt: skip
    with pytest.raises(Refused, match="has changed again since"):
        await do(s, "undo")
    await do(s, "undo", force=True)
    assert (await get(s, "tePerson001"))["attributes"]["Family name"] == "Almoor"


async def test_an_undo_says_what_is_as_before_already(s: Session):
    """Put back by hand, it is no change since and asks for no --force; nor is the write before taken back for it."""
    await do(s, "data tracker update", uid="enPerson001", follow_up=True)
    await do(s, "data tracker update", uid="tePerson001", set=["Family name=Kamara"])
    await s.client.post("tracker?async=false", {"trackedEntities": [
        {"trackedEntity": "tePerson001", "trackedEntityType": "tetPerson01", "orgUnit": "ouClinicA01",
         "attributes": [{"attribute": "teaFamily01", "value": "Almoor"}]}]})  # fmt: skip
    for force in (False, True):
        plan = await planned(s, "undo", id=2, force=force)
        assert (plan.steps, plan.blocked) == ([], None)
        assert "already as it was before" in plan.notes[0]
    with pytest.raises(Refused, match=r"entry 2 .* has nothing to take back: Ada Almoor is already as it was") as told:
        await do(s, "undo")
    assert str(told.value.hint).startswith("dhis2 undo 1  takes back the write before it")


async def test_an_undo_of_what_is_gone_takes_back_no_other_write(s: Session):
    await do(s, "data tracker update", uid="tePerson001", set=["Family name=Kamara"])
    made = await do(s, "data tracker register", **ANNA)
    await s.client.post(
        "tracker?async=false&importStrategy=DELETE", {"trackedEntities": [{"trackedEntity": made.uids[0]}]}
    )
    with pytest.raises(Refused, match=r"entry 2 .* has nothing to take back: .* is gone already") as told:
        await do(s, "undo")
    assert str(told.value.hint).startswith("dhis2 undo 1  takes back the write before it")


async def test_complete_and_open_again(s: Session):
    summary = await do(s, "data tracker complete", uids=["enPerson001", "evPers01v00"])
    assert summary.updated == 2
    assert (await get(s, "enPerson001"))["status"] == "COMPLETED"
    assert (await get(s, "evPers01v00"))["status"] == "COMPLETED"
    await do(s, "data tracker complete", uids=["evPers01v00"], reopen=True)
    assert (await get(s, "evPers01v00"))["status"] == "ACTIVE"
    with pytest.raises(UsageError, match="is an entity: enrollments and events are completed"):
        await planned(s, "data tracker complete", uids=["tePerson001"])


async def test_delete_says_what_goes_with_it_and_that_it_stays_away(s: Session):
    plan = await planned(s, "data tracker delete", uids=["tePerson001", "enPerson001", "evPers01v00"])
    assert [(step.type, step.uid, step.detail) for step in plan.steps] == [
        ("trackedEntities", "tePerson001", "with 1 enrollment and 2 events")
    ]
    assert "cannot come back" in plan.notes[0]
    await do(s, "data tracker delete", uids=["tePerson001"])
    for uid in ("tePerson001", "enPerson001", "evPers01v00"):
        with pytest.raises(NotFound):
            await get(s, uid)
    with pytest.raises(Refused, match="cannot come back"):
        await do(s, "undo")


async def test_transfer_changes_the_owner_and_undo_gives_it_back(s: Session):
    async def owner() -> str:
        row = await s.client.tracker.get(
            "trackedEntities", "tePerson001", fields="programOwners", program="prChildren1"
        )
        return row["programOwners"][0]["orgUnit"]  # type: ignore[index, call-overload, return-value]

    asked = {"entities": ["tePerson001"], "program": "Children", "to": "Clinic B"}
    plan = await planned(s, "data tracker transfer", **asked)
    assert plan.steps[0].words() == "Clinic A -> Clinic B in Children"
    await do(s, "data tracker transfer", **asked)
    assert await owner() == "ouClinicB01"
    await do(s, "undo")
    assert await owner() == "ouClinicA01"
    for other, told in (
        ({"to": "Clinic C"}, "not assigned to 'Clinic C'"),
        ({"entities": ["tePerson999"]}, "no tracked entity"),
    ):
        with pytest.raises(Dhis2Error, match=told):
            await planned(s, "data tracker transfer", **{**asked, **other})


async def test_a_relationship_is_made_once_and_deleted(s: Session):
    asked = {"from_": "tePerson001", "to": "tePerson002", "type": "Mother"}
    summary = await do(s, "data tracker relationship", **asked)
    with pytest.raises(Refused, match="'Mother' between tePerson001 and tePerson002 is there"):
        await planned(s, "data tracker relationship", **asked)
    with pytest.raises(UsageError, match="goes to a trackedEntity, and enPerson002 is a enrollment"):
        await planned(s, "data tracker relationship", **{**asked, "to": "enPerson002"})
    await do(s, "undo")
    assert (await get(s, "tePerson001"))["relationships"] == []
    assert summary.created == 1


async def test_a_200_without_effect_is_no_success(s: Session, monkeypatch: pytest.MonkeyPatch):
    real = changing.now

    async def as_before(session: Session, changes):  # type: ignore[no-untyped-def]
        found = await real(session, changes)
        for body in found.values():
            body["attributes"] = {**body["attributes"], "teaFamily01": "Almoor"}  # type: ignore[dict-item]
        return found

    monkeypatch.setattr(changing, "now", as_before)
    with pytest.raises(Dhis2Error, match="the server said yes and has another value of Family name"):
        await do(s, "data tracker update", uid="tePerson001", set=["Family name=Kamara"])


async def test_the_servers_refusal_names_the_object_and_says_what_to_do(s: Session, monkeypatch: pytest.MonkeyPatch):
    """What the checks here do not see the server does: its words, with names beside UIDs."""
    from dhis2sh.tracker import registering

    async def nothing(*_: object, **__: object) -> None: ...

    monkeypatch.setattr(registering, "unique", nothing)
    with pytest.raises(Refused) as refused:
        await do(s, "data tracker register", **{**ANNA, "set": ["Given name=Anna", "Card number=A-1"]})
    assert "Anna" in refused.value.message
    assert "'Card number'" in refused.value.message
    assert "another entity has that value" in refused.value.message


async def pair(s: Session, original: str, duplicate: str) -> str:
    made = await s.client.post("potentialDuplicates", {"original": original, "duplicate": duplicate})
    return str(made["id"])  # type: ignore[index, call-overload]


async def test_duplicates_are_listed_and_merged_with_a_plan(s: Session):
    """The duplicate's enrollments and what the original lacks go into it; what is given up is said."""
    twin = await do(
        s, "data tracker register", **{**ANNA, "set": ["Given name=Ada", "Family name=Almor", "Card number=T-1"]}
    )
    await do(s, "data tracker delete", uids=[twin.uids[1]])  # the server merges nobody who is enrolled twice
    uid = await pair(s, "tePerson001", twin.uids[0])
    found = (await call(s, "data tracker duplicates")).plain()
    assert [(row["id"], row["original"], row["duplicate"], row["status"]) for row in found] == [
        (uid, "tePerson001", twin.uids[0], "OPEN")
    ]
    plan = await planned(s, "data tracker merge", uid=uid)
    assert any("given up: Family name, Card number" in note for note in plan.notes)
    assert any("cannot be taken back" in note for note in plan.notes)
    await do(s, "data tracker merge", uid=uid, take=["Family name"])
    assert (await get(s, "tePerson001"))["attributes"] == {
        "Given name": "Ada",
        "Family name": "Almor",
        "Card number": "A-1",
    }
    with pytest.raises(NotFound):
        await get(s, twin.uids[0])
    with pytest.raises(Refused, match="is merged"):
        await planned(s, "data tracker merge", uid=uid)
    with pytest.raises(Refused, match="cannot be taken back"):
        await do(s, "undo")


async def test_two_that_are_enrolled_in_one_program_are_not_merged(s: Session):
    uid = await pair(s, "tePerson001", "tePerson002")
    with pytest.raises(Refused, match="both are enrolled in 'Children', which the server does not merge"):
        await planned(s, "data tracker merge", uid=uid)
