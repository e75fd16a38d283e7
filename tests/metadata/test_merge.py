"""Merging what two servers have: counterparts, names that are taken, and what is asked where somebody can answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.person import Nobody
from dhis2sh.rows.rows import to_json
from dhis2sh.sandbox.store.database import Store
from dhis2sh.session import Session
from tests.metadata.calls import DRY, YES, call
from tests.metadata.conftest import NEW
from tests.terminal import Terminal


async def test_counterparts_by_name_take_over_and_the_rest_is_created(staging: Store, session: Session):
    merged = await call(session, "metadata merge", YES, source="staging", objects=["deGroup0002"], by=["uid", "name"])
    assert isinstance(merged, WriteSummary)
    assert merged.types == {
        "dataElements": {"created": 1, "updated": 1}, "dataElementGroups": {"created": 1},
    }  # fmt: skip
    group = await session.client.get_object("dataElementGroups/deGroup0002", {"fields": "dataElements"})
    assert group["dataElements"] == [{"id": "deText00001"}, {"id": "deForeign02"}]
    remark = await session.client.get_object("dataElements/deText00001", {"fields": "description,sharing[public]"})
    assert remark["description"] == "Free text"
    assert remark["sharing"] != {"public": "r-------"}, "sharing stays the target's"
    again = await call(session, "metadata merge", DRY, source="staging", objects=["deGroup0002"], by=["uid", "name"])
    assert to_json(again)["steps"] == []


async def test_one_of_several_of_its_name_is_not_guessed_and_no_further_one_is_made(staging: Store, session: Session):
    """Names of user groups may be shared (recorded `people-groups-roles` 4)."""
    staging.put_objects({"userGroups": [{"id": "ugForeign01", "name": "Clerks"}]})
    uids = [
        (await call(session, "metadata create", YES, type="userGroups", set=["name=Clerks"])).uids[0] for _ in range(2)
    ]
    options = {"source": "staging", "types": ["userGroups"], "by": ["uid", "name"]}
    with pytest.raises(UsageError) as error:
        await call(session, "metadata merge", DRY, **options)
    assert str(error.value) == (
        f"userGroups 'Clerks' [ugForeign01]: several there have its name or code: [{', '.join(sorted(uids))}]"
    )
    assert error.value.hint == f"--map ugForeign01={min(uids)} says which"
    plan = await call(session, "metadata merge", DRY, **options, map=[f"ugForeign01={uids[0]}"])
    assert [(row.id, row.to) for row in plan.report.mapped] == [("ugForeign01", uids[0])]


async def test_the_report_says_what_was_mapped_and_how(staging: Store, session: Session):
    plan = to_json(await call(session, "metadata merge", DRY, source="staging", types=["dataElements"], by=["uid", "name"],
                              on_conflict="skip"))  # fmt: skip
    mapped = {"type": "dataElements", "id": "deForeign01", "name": "Remark", "to": "deText00001", "by": "name"}
    assert plan["report"]["mapped"] == [mapped]
    assert "mapped to the target's UIDs: 1 (1 by name)" in plan["notes"]
    assert any(
        "skipped: dataElements 'Polio' [deForeign03]: its shortName is that of" in note for note in plan["notes"]
    )


async def test_sharing_comes_only_where_it_is_asked_for(staging: Store, session: Session):
    options = {"source": "staging", "types": ["dataElements"], "by": ["uid", "name"], "on_conflict": "rename"}
    await call(session, "metadata merge", YES, **options, include_sharing=True)
    remark = await session.client.get_object("dataElements/deText00001", {"fields": "sharing[public]"})
    assert remark["sharing"] == {"public": "r-------"}
    polio = await session.client.get_object("dataElements/deForeign03", {"fields": "name,shortName"})
    assert polio == {"name": "Polio", "shortName": "OPV (staging)"}


async def test_objects_can_be_mapped_by_hand(staging: Store, session: Session):
    pairs = ["Polio=OPV doses given", "deForeign02=DE_1", "Remark=Remark"]
    objects = ["deForeign01", "deForeign02", "deForeign03"]
    plan = to_json(await call(session, "metadata merge", DRY, source="staging", objects=objects, map=pairs))
    assert {(row["id"], row["to"], row["by"]) for row in plan["report"]["mapped"]} == {
        ("deForeign01", "deText00001", "given"), ("deForeign02", "deNumber001", "given"), ("deForeign03", "deNumber002", "given"),
    }  # fmt: skip
    for pair, error, says in [
        (
            "Polio=OPV doses given",
            UsageError,
            "would be one object there: 'OPV doses given'",
        ),  # staging has that one too
        ("Polio", UsageError, "say FROM=TO"),
        ("Nonsense=DE_1", UsageError, "'Nonsense' is not in staging"),
        ("Polio=Nonsense", NotFound, "none of the dataElements has the UID, code or name"),
    ]:
        with pytest.raises(error, match=says):
            await call(session, "metadata merge", DRY, source="staging", types=["dataElements"], map=[pair])


async def test_what_is_only_referred_to_is_mapped_by_its_name(staging: Store, session: Session):
    """The bundle holds the group alone; its element has another UID there, and the bundle says what it is called."""
    await call(session, "metadata export", objects=["Vaccines"], out=Path("group.json"))
    body = json.loads(Path("group.json").read_text())
    body["dataElementGroups"][0]["dataElements"] = [{"id": "deUnknown01"}]
    body["dhis2sh"]["outside"] = {"dataElements": {"deUnknown01": "Remark"}}
    Path("group.json").write_text(json.dumps(body))
    bare = to_json(await call(session, "metadata merge-bundle", DRY, file=Path("group.json")))
    assert bare["report"]["dangling"][0]["to_name"] == "Remark"
    assert any(note.startswith("blocked:") and "'Remark' [deUnknown01]" in note for note in bare["notes"])
    by_name = await call(session, "metadata merge-bundle", YES, file=Path("group.json"), by=["uid", "name"])
    assert isinstance(by_name, WriteSummary)
    group = await session.client.get_object("dataElementGroups/deGroup0001", {"fields": "dataElements"})
    assert group["dataElements"] == [{"id": "deText00001"}]


async def test_the_difference_of_two_profiles_names_exactly_the_rest(staging: Store, session: Session):
    await call(session, "metadata merge", YES, source="staging", objects=["deGroup0002"], by=["uid", "name"])
    rows = to_json(await call(session, "metadata diff-profiles", before="staging", after="sandbox",
                              types=["dataElements,dataElementGroups"]))  # fmt: skip
    assert {(row["change"], row["id"], row["property"]) for row in rows} == {
        ("removed", "deForeign01", None),  # it is deText00001 here
        ("removed", "deForeign03", None),
        ("added", "deText00001", None),
        ("added", "deGroup0001", None),
        ("changed", "deGroup0002", "dataElements"),
    }


async def test_the_journal_remembers_where_a_bundle_came_from(session: Session):
    Path("b.json").write_text(
        json.dumps({"system": {"version": "2.41.9", "date": "2026-10-01T10:00:00"}, "dataElements": [NEW]})
    )
    plan = await call(session, "metadata merge-bundle", DRY, file=Path("b.json"))
    assert isinstance(plan, Plan)
    assert plan.title == "merge b.json (DHIS2 2.41.9 of 2026-10-01)"
    assert plan.notes[0].startswith("another version: the bundle is of DHIS2 2.41.9, the server is 2.42")
    await call(session, "metadata merge-bundle", YES, file=Path("b.json"))
    rows = to_json(await call(session, "journal list"))
    assert rows[0]["title"] == plan.title


ASKS = "[m]ap  [r]ename  [s]kip ?"


@pytest.mark.parametrize("words", [["dhis2"], ["dhis2sh", "--sandbox"]], ids=["command line", "shell"])
def test_on_a_terminal_somebody_is_asked(words: list[str], sandbox_home: Path) -> None:
    taken = [{**NEW, "id": "deForeign01", "name": "Remark"}, {**NEW, "id": "deForeign03", "shortName": "OPV"}]
    Path("b.json").write_text(json.dumps({"dataElements": taken}))
    line = "metadata merge-bundle b.json --dry-run"
    environment = {"DHIS2SH_HOME": str(sandbox_home)}
    if words == ["dhis2"]:
        terminal = Terminal("dhis2", *line.split(), "-p", "sandbox", environment=environment)
    else:
        terminal = Terminal(*words, environment=environment)
        terminal.see("just now")
        terminal.press(f"%{line}", "enter")
    try:
        terminal.see("dataElements 'Remark' [deForeign01]: its name is that of [deText00001] there")
        terminal.see(ASKS)
        terminal.press("r", "enter")
        terminal.see("dataElements 'New' [deForeign03]: its shortName is that of [deNumber002] there")
        terminal.press("m", "enter")
        screen = terminal.see("note: renamed: dataElements 'Remark' [deForeign01]")
    finally:
        terminal.close()
    assert "create dataElements Remark (b) [deForeign01]" in screen
    assert "note: mapped to the target's UIDs: 1 (1 by choice)" in screen


async def test_without_a_terminal_the_choices_are_options(session: Session):
    """What an agent is told, since nobody can be asked half-way."""
    Path("b.json").write_text(json.dumps({"dataElements": [{**NEW, "id": "deForeign01", "name": "Remark"}]}))
    with pytest.raises(UsageError) as caught:
        await call(session, "metadata merge-bundle", file=Path("b.json"))
    told = "--on-conflict rename or skip settles all; --resolve deForeign01=map, =rename or =skip settles it"
    assert str(caught.value.hint) == told, "it is a text there: to map all that clashes would change what it means"


class Notes(Nobody):
    """Keeps what is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


async def test_what_is_said_of_missing_objects_names_options_of_a_merge(staging: Store, session: Session):
    """`--deps` is one of an export; whole types are brought by naming them, single objects with all that they need."""
    person = session.person = Notes()
    plan = await call(session, "metadata merge", DRY, source="staging", types=["dataElementGroups"])
    [dangling] = [note for note in plan.notes if note.startswith("dangling: ")]
    assert "bring them too (--types dataElements beside the others), or leave" in dangling
    assert any("--types dataElements beside the others brings them" in note for note in person.notes), person.notes
    assert not any("--deps" in note for note in (*plan.notes, *person.notes))

    Path("b.json").write_text(json.dumps({"dataElements": [{**NEW, "optionSet": {"id": "osMissing01"}}]}))
    plan = await call(session, "metadata merge-bundle", DRY, file=Path("b.json"))
    assert any("bring them too (metadata export --deps), or leave" in note for note in plan.notes)
