"""A push or a change that is taken back: all of it, or it is said what stays and the write is the next to be taken back still."""

import json
from collections.abc import Sequence

import pytest

from dhis2sh.errors import PartlyDone, Refused
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.metadata.calls import do, planned
from tests.tracker.sheets import exported, people, write

CHILD: JsonObject = {
    "trackedEntity": "teUndoNew01", "trackedEntityType": "tetPerson01", "orgUnit": "ouClinicA01",
    "attributes": [{"attribute": "teaGiven001", "value": "Ida"}, {"attribute": "teaSex00001", "value": "F"}],
    "enrollments": [
        {"enrollment": "enUndoNew01", "program": "prChildren1", "orgUnit": "ouClinicA01", "enrolledAt": "2025-01-01",
         "attributes": [{"attribute": "teaGiven001", "value": "Ida"}, {"attribute": "teaSex00001", "value": "F"}]},
    ],
}  # fmt: skip
"""Given as `export` writes it: the sex is an attribute of the program alone, and stands at the entity too."""


async def pushed(s: Session, entities: Sequence[JsonObject], **options: object) -> object:
    return await do(s, "data tracker push", file=write({"trackedEntities": [*entities]}, "ch.json"), **options)


async def test_what_only_the_program_asks_for_does_not_keep_a_push_from_being_taken_back(s: Session):
    before = await exported(s)
    await pushed(s, [CHILD])
    again = await planned(s, "data tracker push", file=write({"trackedEntities": [CHILD]}, "ch.json"))
    assert not again.steps, "all of it is there as it is said"
    await do(s, "undo")
    assert await exported(s) == before


async def test_an_attribute_that_shows_nowhere_does_not_either(s: Session):
    before = await exported(s)
    nowhere = {name: value for name, value in CHILD.items() if name != "enrollments"}
    await pushed(s, [nowhere])
    await do(s, "undo")
    assert await exported(s) == before


async def test_a_change_of_what_only_the_program_asks_for_is_taken_back(s: Session):
    await pushed(s, [CHILD])
    before = await exported(s)
    text = json.dumps(CHILD).replace('"F"', '"M"').replace("Ida", "Ine")
    await pushed(s, [json.loads(text)])
    assert (await people(s))["Ine"]["Sex"] == "M"
    summary = await do(s, "undo")
    assert summary.updated
    assert await exported(s) == before


async def test_an_undo_that_leaves_something_fails_and_is_the_next_still(s: Session):
    other = json.loads(json.dumps(CHILD).replace("UndoNew01", "UndoNew02"))
    await pushed(s, [CHILD, other])
    await do(s, "data tracker update", uid="teUndoNew01", set=["Given name=Una"])
    with pytest.raises(PartlyDone, match=r"2 not as before: .*has changed again since") as failed:
        await do(s, "undo", id=1)
    assert failed.value.hint == "dhis2 undo 1 --force"
    with pytest.raises(Refused, match="has changed again since"):
        await do(s, "undo", id=1)
    await do(s, "undo", id=1, force=True)
    assert "Una" not in await people(s)


async def test_an_undo_speaks_of_no_row_that_never_was(s: Session):
    wrong = json.loads(json.dumps(CHILD).replace("UndoNew01", "UndoNew02").replace("2025-01-01", "2024-01-01"))
    wrong["attributes"].append({"attribute": "teaNumber01", "value": "A-1"})  # somebody has that number
    with pytest.raises(PartlyDone):
        await pushed(s, [CHILD, wrong])
    plan = await planned(s, "undo")
    assert not any("gone already" in note for note in plan.notes)


@pytest.mark.parametrize("kind", ["enrollment", "event"])
@pytest.mark.parametrize("how", ["reopen", "update"])
async def test_opening_again_is_taken_back_with_the_day_of_completion(s: Session, kind: str, how: str):
    done = json.loads(json.dumps(CHILD))
    event: JsonObject = {
        "event": "evUndoNew01", "programStage": "psVisit0001", "orgUnit": "ouClinicA01", "occurredAt": "2025-01-02",
        "status": "COMPLETED", "completedAt": "2025-01-20T00:00:00.000",
    }  # fmt: skip
    done["enrollments"][0] |= {"status": "COMPLETED", "completedAt": "2025-01-20T00:00:00.000", "events": [event]}
    await pushed(s, [done])
    before = await exported(s)
    uid = "enUndoNew01" if kind == "enrollment" else "evUndoNew01"
    if how == "reopen":
        await do(s, "data tracker complete", uids=[uid], reopen=True)
    else:
        await do(s, "data tracker update", uid=uid, status="ACTIVE")
    assert await exported(s) != before
    await do(s, "undo")
    assert await exported(s) == before
    row = await s.client.tracker.get("enrollments" if kind == "enrollment" else "events", uid, fields="completedAt")
    assert str(row["completedAt"]).startswith("2025-01-20")
