"""Entities and events as rows with names, on clinics with three persons."""

import datetime as dt

import pytest

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.tracker import asking, programs, reading
from dhis2sh.tracker.asking import Asked
from dhis2sh.types import Row
from tests.metadata.calls import call, do


async def rows(s: Session, path: str = "data tracker list", **arguments: object) -> list[Row]:
    stream = await call(s, path, **{"program": "Children", **arguments})
    return (await stream.collect()).plain()


async def test_entities_come_with_their_attributes_by_name(s: Session):
    found = await rows(s)
    assert [(row["Given name"], row["Family name"], row["orgUnitName"], row["status"]) for row in found] == [
        ("Ada", "Almoor", "Clinic A", "ACTIVE"), ("Bo", "Brevik", "Clinic A", "ACTIVE"), ("Cy", "Costane", "Clinic B", "ACTIVE"),
    ]  # fmt: skip
    assert "Birth | Weight" not in found[0]


async def test_flat_is_one_row_each_with_repeated_stages_numbered(s: Session):
    found = await rows(s, flat_=True)
    assert len(found) == 3
    ada, bo, _ = found
    assert (ada["Visit #1 | Weight"], ada["Visit #2 | Weight"]) == (3, 4)
    assert (bo["Visit #1 | Weight"], bo["Visit #1 | event"]) == (None, None)
    assert ada.keys() == bo.keys()
    assert "Birth | Weight" in ada
    assert "Visit #3 | Weight" not in ada


async def test_an_entity_that_is_enrolled_again_is_still_one_row(s: Session):
    await do(s, "data tracker update", uid="enPerson001", status="COMPLETED")
    await do(s, "data tracker enroll", uid="tePerson001", program="Children", enrolled="2025-06-01")
    found = await rows(s, flat_=True)
    assert [row["trackedEntity"] for row in found] == ["tePerson001", "tePerson002", "tePerson003"]
    assert (found[0]["status"], found[0]["Enrollment #2 | status"]) == ("COMPLETED", "ACTIVE")
    assert found[0]["Enrollment #2 | enrolledAt"] == "2025-06-01T00:00:00.000"
    assert (await rows(s))[0]["Enrollment #2 | status"] == "ACTIVE"


async def test_pages_lose_nothing_and_double_nothing(s: Session):
    """The first page and the last one too, whatever the size of a page."""
    program = await programs.read_program(s, "prChildren1")
    query = await asking.entities(s, program, Asked())
    for size in (1, 2, 3, 4):
        found = [
            row["trackedEntity"] async for page in reading.pages(s, query, "trackedEntity", size=size) for row in page
        ]
        assert found == ["tePerson001", "tePerson002", "tePerson003"], size


@pytest.mark.parametrize(("asked", "names"), [
    ({"filter": ["Given name:eq:ada"]}, ["Ada"]),
    ({"filter": ["GIVEN:sw:B"]}, ["Bo"]),
    ({"org_unit": ["Clinic B"]}, ["Cy"]),
    ({"org_unit": ["North"], "children": True}, ["Ada", "Bo", "Cy"]),
    ({"org_unit": ["South"], "children": True}, []),
    ({"status": "COMPLETED"}, []),
    ({"enrolled_after": "2025-02-01"}, []),
    ({"limit": 2}, ["Ada", "Bo"]),
])  # fmt: skip
async def test_what_is_asked_for(s: Session, asked: dict, names: list[str]):
    assert [row["Given name"] for row in await rows(s, **asked)] == names


@pytest.mark.parametrize(("asked", "error", "told"), [
    ({"filter": ["Nickname:eq:x"]}, NotFound, "no attribute of 'Children'"),
    ({"filter": ["Given name=Ada"]}, UsageError, "say NAME:OPERATOR:VALUE"),
    ({"filter": ["Sex:eq:Other"]}, UsageError, "'Other' is no option of 'Sex': Female"),
    ({"enrolled_after": "some day"}, UsageError, "is no date"),
    ({"children": True}, UsageError, "--children goes with --org-unit"),
    ({"event_status": "ACTIVE"}, UsageError, "--event-status asks for events"),
    ({"stage": "Death"}, NotFound, "no stage of 'Children'"),
    ({"program": "Childern"}, NotFound, "none of the programs has"),
])  # fmt: skip
async def test_a_question_that_cannot_be_asked_says_why(s: Session, asked: dict, error: type[Exception], told: str):
    with pytest.raises(error, match=told):
        await rows(s, **asked)


async def test_a_value_with_a_colon_or_comma_is_one_value(s: Session):
    await do(s, "data tracker update", uid="tePerson002", set=["Family name=Brevik, Bo: the 2/3rd"])
    assert [row["Given name"] for row in await rows(s, filter=["Family name:eq:Brevik, Bo: the 2/3rd"])] == ["Bo"]


async def test_events_of_a_stage_and_of_an_event_program(s: Session):
    visits = await rows(s, stage="Visit")
    assert [(row["stage"], row["Weight"], row["occurredAt"]) for row in visits] == [
        ("Visit", 3, "2025-01-01T00:00:00.000"), ("Visit", 4, "2025-02-01T00:00:00.000"),
    ]  # fmt: skip
    assert {row["trackedEntity"] for row in visits} == {"tePerson001"}
    supervised = await rows(s, program="Supervision")
    assert [(row["event"], row["orgUnitName"], row["Staff met"]) for row in supervised] == [
        ("evSuperv001", "Clinic A", 4)
    ]


@pytest.mark.parametrize(("verb", "asked", "what"), [
    ("data tracker list", {}, "tracked entities"), ("data tracker list", {"flat_": True}, "tracked entities"),
    ("data tracker list", {"events": True}, "events"), ("data tracker list", {"stage": "Visit"}, "events"),
    ("data tracker export", {}, "tracked entities"), ("data tracker pull", {}, "tracked entities"),
    ("data tracker pull", {"of": "events"}, "events"), ("data tracker count", {}, "enrollments"),
    ("data tracker count", {"filter": ["Given name:sw:A"]}, "tracked entities"),
    ("data tracker outstanding", {}, "scheduled events"),
])  # fmt: skip
async def test_units_without_rows_say_what_lies_below_them(
    s: Session, monkeypatch: pytest.MonkeyPatch, verb: str, asked: dict, what: str
):
    notes: list[str] = []
    monkeypatch.setattr(s.person, "note", notes.append)

    async def ask(**more: object) -> list[Row]:
        result = await call(s, verb, **{"program": "Children", **asked, **more})
        return (await result.collect() if isinstance(result, Stream) else result).plain()

    await ask(org_unit=["Nation"])
    [note] = notes
    assert note.startswith(f"no {what} of these units themselves; ")
    assert note.endswith(" right below: --children asks for all")
    notes.clear()
    await ask(org_unit=["Nation"], children=True)
    assert notes == []


async def test_get_shows_what_hangs_on_an_entity_by_name(s: Session):
    await do(s, "data tracker relationship", from_="tePerson001", to="tePerson002", type="Mother")
    found = await call(s, "data tracker get", uid="tePerson001")
    assert found["attributes"] == {"Given name": "Ada", "Family name": "Almoor", "Card number": "A-1"}
    [enrollment] = found["enrollments"]
    assert [event["values"] for event in enrollment["events"]] == [{"Weight": 3}, {"Weight": 4}]
    assert [link["to"] for link in found["relationships"]] == ["trackedEntity tePerson002"]
    assert (await call(s, "data tracker get", uid="enPerson001"))["program"] == "Children"
    assert (await call(s, "data tracker get", uid="evSuperv001"))["values"] == {"Staff met": 4}
    with pytest.raises(NotFound, match="that you may see: it is not there, was deleted, or another unit owns it"):
        await call(s, "data tracker get", uid="tePerson999")


async def test_counts_are_by_state_and_read_nobody(s: Session):
    found = (await call(s, "data tracker count", program="Children")).plain()
    assert {(row["what"], row["status"]): row["count"] for row in found} == {
        ("enrollments", "ACTIVE"): 3, ("enrollments", "COMPLETED"): 0, ("enrollments", "CANCELLED"): 0,
    }  # fmt: skip
    found = (await call(s, "data tracker count", program="Children", filter=["Family name:sw:B"])).plain()
    assert [(row["what"], row["count"]) for row in found] == [("entities", 1)]
    found = (await call(s, "data tracker count", program="Children", stage="Visit")).plain()
    assert next(row["count"] for row in found if row["status"] == "ACTIVE") == 2


async def test_outstanding_events_by_stage_and_unit(s: Session):
    today = dt.date.today()
    for of, day in (
        ("tePerson001", today + dt.timedelta(3)),
        ("tePerson002", today - dt.timedelta(3)),
        ("tePerson003", today),
    ):
        await do(s, "data tracker add-event", program="Children", of=of, stage="Visit", scheduled=day.isoformat())
    found = (await call(s, "data tracker outstanding", program="Children")).plain()
    assert [(row["stage"], row["overdue"], row["scheduled"]) for row in found] == [("Visit", 1, 2)]
    by_unit = (await call(s, "data tracker outstanding", program="Children", by="unit")).plain()
    assert {row["org_unit_name"]: (row["overdue"], row["scheduled"]) for row in by_unit} == {
        "Clinic A": (1, 1),
        "Clinic B": (0, 1),
    }
    later = (
        await call(s, "data tracker outstanding", program="Children", on=(today + dt.timedelta(9)).isoformat())
    ).plain()
    assert later[0]["overdue"] == 3


async def test_a_column_of_moments_has_one_format(s: Session):
    """A midnight among others that is written as its day is none that a table of dates can be made of."""
    await do(s, "data tracker update", uid="enPerson001", enrolled="2025-01-03")
    entity = {"enrollments": [{"enrollment": "enPerson002", "program": "prChildren1", "enrolledAt": "2025-03-03T12:05:00.000",
              "occurredAt": "2025-01-01", "orgUnit": "ouClinicA01", "trackedEntity": "tePerson002", "status": "ACTIVE"}]}  # fmt: skip
    await s.client.post("tracker", entity, params={"async": False, "importStrategy": "UPDATE"})
    moments = [str(row["enrolledAt"]) for row in await rows(s, flat_=True)]
    assert {"2025-01-03T00:00:00.000", "2025-03-03T12:05:00.000"} <= set(moments)
    assert {len(moment) for moment in moments} == {23}


async def test_no_row_of_a_count_counts_what_another_does(s: Session):
    """Asked for VISITED, a server gives the active events with a day once more."""
    rows = (await call(s, "data tracker count", program="Children", stage="Visit")).plain()
    assert "VISITED" not in {row["status"] for row in rows}
    assert sum(row["count"] for row in rows) == 2
