"""What an undo leaves since others stand on it: it is named, and the way to take back all of it is told."""

import json
import re
from pathlib import Path

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.errors import NotFound, PartlyDone, Refused
from dhis2sh.session import Session
from tests.metadata.calls import YES, call, planned

KIND = {"id": "itBuiltUp01", "name": "Built type", "factor": 7}
LEGENDS = {"id": "lsBuiltUp01", "name": "Built legends",
           "legends": [{"id": "leBuiltUp01", "name": "low", "startValue": 0, "endValue": 5, "color": "#aabbcc"}]}  # fmt: skip
NUMBER = {"valueType": "NUMBER", "domainType": "AGGREGATE", "aggregationType": "SUM"}
ELEMENT = {"id": "deBuiltUp01", "name": "Built element", "shortName": "Built element", **NUMBER}
OTHER = {"id": "deBuiltUp02", "name": "Built other", "shortName": "Built other", **NUMBER}
INDICATOR = {"id": "inBuiltUp01", "name": "Built indicator", "shortName": "Built indicator", "denominator": "1",
             "indicatorType": {"id": KIND["id"]}, "legendSets": [{"id": LEGENDS["id"]}],
             "numerator": f"#{{{ELEMENT['id']}}}"}  # fmt: skip
FIRST = {"indicatorTypes": [KIND], "legendSets": [LEGENDS], "dataElements": [ELEMENT, OTHER]}


async def imported(s: Session, folder: Path, **objects: list) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(objects))
    await call(s, "metadata import", YES, file=path)


async def there(s: Session, path: str) -> bool:
    try:
        await s.client.get_object(path, {"fields": "id"})
    except NotFound:
        return False
    return True


async def test_what_a_later_write_uses_stays_by_name_and_nothing_of_that_write_is_touched(
    session: Session, tmp_path: Path
) -> None:
    """By a reference, in a list, and in an expression; the rest goes."""
    await imported(session, tmp_path, **FIRST)
    await imported(session, tmp_path, indicators=[INDICATOR])
    before = await session.client.get_object("indicators/inBuiltUp01", {"fields": ":owner"})

    with pytest.raises(PartlyDone) as partly:
        await call(session, "undo", YES, id=1)

    assert partly.value.hint == "dhis2 undo 2  comes first; then undo 1 takes back all of it"
    assert "--force" not in partly.value.hint
    reason = "it stays, entry 2 uses it (indicators Built indicator)"
    assert {(row["uid"], row["message"]) for row in partly.value.summary.left} == {
        (uid, reason) for uid in ("itBuiltUp01", "lsBuiltUp01", "deBuiltUp01")
    }
    assert await session.client.get_object("indicators/inBuiltUp01", {"fields": ":owner"}) == before
    assert not await there(session, "dataElements/deBuiltUp02"), "nobody uses it"

    await call(session, "undo", YES, id=2)
    await call(session, "undo", YES, id=1)
    assert not any([await there(session, f"{kind}/{row['id']}") for kind, rows in FIRST.items() for row in rows])


async def test_the_order_that_is_promised_takes_back_what_a_later_write_has_shared_otherwise(
    session: Session, tmp_path: Path
) -> None:
    """The group that it was shared with stays so long; that our own undo shares it again is no change of somebody else."""
    groups = [{"id": "ugBuiltUp01", "name": "First"}]
    shared = {"public": "--------", "userGroups": {"ugBuiltUp01": {"id": "ugBuiltUp01", "access": "rw------"}}}
    path = tmp_path / "shared.json"
    path.write_text(json.dumps({**FIRST, "userGroups": groups, "dataElements": [{**ELEMENT, "sharing": shared}]}))
    await call(session, "metadata import", YES, file=path, include_sharing=True)
    other = {**ELEMENT, "sharing": {"public": "r-------", "userGroups": {}}}
    path.write_text(json.dumps({"dataElements": [other], "indicators": [INDICATOR]}))
    await call(session, "metadata import", YES, file=path, include_sharing=True)

    with pytest.raises(Refused, match="sharing was changed again since by entry 2, it stays") as refused:
        await call(session, "undo", YES, id=1)
    assert refused.value.hint == "dhis2 undo 2  comes first; then undo 1 takes back all of it"
    assert await there(session, "userGroups/ugBuiltUp01"), "with it the second shares the element again"
    await call(session, "undo", YES, id=2)
    await call(session, "undo", YES, id=1)
    created = [*FIRST.items(), ("userGroups", groups)]
    assert not any([await there(session, f"{kind}/{row['id']}") for kind, rows in created for row in rows])


async def test_no_hint_leads_to_the_loss_of_what_others_have_changed(session: Session, tmp_path: Path) -> None:
    """The later write's object was edited since: it stays, and with it what it uses; force names who and what."""
    await imported(session, tmp_path, **FIRST)
    await imported(session, tmp_path, indicators=[INDICATOR])
    patch = [{"op": "add", "path": "/description", "value": "Edited"}]
    await session.client.patch("indicators/inBuiltUp01", patch)

    with pytest.raises(PartlyDone) as partly:
        await call(session, "undo", YES, id=1)
    assert partly.value.hint == "dhis2 undo 2 --dry-run  says why entry 2, which uses it, stays"
    with pytest.raises(Refused, match="changed again since") as refused:
        await call(session, "undo", YES, id=2)
    assert refused.value.hint == "dhis2 undo 2 --force --dry-run  says who changed what, which --force takes back"
    plan = await planned(session, "undo", id=2, force=True)
    [told] = [note for note in plan.notes if "was changed since, and that goes" in note]
    assert re.fullmatch(
        r"indicators Built indicator \[inBuiltUp01\] was changed since, and that goes: description: .*'Edited'.*, "
        r"last saved \d{4}-\d\d-\d\d \d\d:\d\d by .*admin.*",
        told,
    ), told
    await call(session, "undo", YES, id=2, force=True)
    await call(session, "undo", YES, id=1)
    assert not any([await there(session, f"{kind}/{row['id']}") for kind, rows in FIRST.items() for row in rows])


async def test_force_is_offered_only_where_it_helps(session: Session) -> None:
    await call(session, "metadata update", YES, type="dataElements", uid="deText00001", set=["description=Words"])
    await session.client.delete("dataElements/deText00001")
    for force in (False, True):
        with pytest.raises(Refused, match="gone, nothing to take back") as refused:
            await call(session, "undo", YES, id=1, force=force)
        assert refused.value.hint == "dhis2 journal list"


async def test_where_all_of_it_is_used_the_undo_is_refused_and_names_the_order(
    session: Session, tmp_path: Path
) -> None:
    await imported(session, tmp_path, dataElements=[ELEMENT])
    group = {"id": "dgBuiltUp01", "name": "Built", "shortName": "Built", "dataElements": [{"id": "deBuiltUp01"}]}
    await imported(session, tmp_path, dataElementGroups=[group])

    plan = await planned(session, "undo", id=1)
    assert plan.steps == []
    with pytest.raises(Refused, match=r"it stays, entry 2 uses it \(dataElementGroups Built\)") as refused:
        await call(session, "undo", YES, id=1)
    assert refused.value.hint == "dhis2 undo 2  comes first; then undo 1 takes back all of it"

    await call(session, "undo", YES, id=1, force=True)
    assert not await there(session, "dataElements/deBuiltUp01")
    assert await there(session, "dataElementGroups/dgBuiltUp01")


async def test_what_a_later_write_let_go_of_again_does_not_stay(session: Session, tmp_path: Path) -> None:
    await imported(session, tmp_path, dataElements=[ELEMENT])
    group = {"id": "dgBuiltUp01", "name": "Built", "shortName": "Built", "dataElements": [{"id": "deBuiltUp01"}]}
    await imported(session, tmp_path, dataElementGroups=[group])
    await call(session, "metadata remove", YES, type="dataElementGroups", uid="dgBuiltUp01", items=["deBuiltUp01"])

    await call(session, "undo", YES, id=1)
    assert not await there(session, "dataElements/deBuiltUp01")


async def test_what_the_server_is_certain_to_keep_is_not_tried_and_what_it_needs_stays(
    session: Session, tmp_path: Path
) -> None:
    """Somebody else's data element has the new option set: no option of it goes either."""
    options = [{"id": f"opBuiltUp0{n}", "name": f"B{n}", "code": f"B{n}", "sortOrder": n,
                "optionSet": {"id": "osBuiltUp01"}} for n in (1, 2)]  # fmt: skip
    whole = {
        "id": "osBuiltUp01",
        "name": "Built set",
        "valueType": "TEXT",
        "options": [{"id": row["id"]} for row in options],
    }
    await imported(session, tmp_path, optionSets=[whole], options=options, dataElements=[OTHER])
    used = {**ELEMENT, "valueType": "TEXT", "aggregationType": "NONE", "optionSet": {"id": "osBuiltUp01"}}
    await session.client.post("dataElements", used)

    plan = await planned(session, "undo")
    assert [(step.action, step.uid) for step in plan.steps] == [("delete", "deBuiltUp02")]
    assert any("E4030: 1 dataElements: Built element [deBuiltUp01]" in note for note in plan.notes)
    with pytest.raises(PartlyDone) as partly:
        await call(session, "undo", YES)

    assert partly.value.hint.endswith("dhis2 metadata usage osBuiltUp01  says what uses it")
    assert {row["uid"] for row in partly.value.summary.left} == {"osBuiltUp01", "opBuiltUp01", "opBuiltUp02"}
    assert not partly.value.summary.failures
    assert journal_of(session).entry(1).undone_by is None, "the rest can be taken back later"


async def test_what_an_edited_object_needs_stays_with_it(session: Session, tmp_path: Path) -> None:
    await imported(session, tmp_path, **{**FIRST, "indicators": [INDICATOR]})
    await session.client.patch("indicators/inBuiltUp01", [{"op": "replace", "path": "/name", "value": "Mine"}])

    with pytest.raises(PartlyDone):
        await call(session, "undo", YES)

    body = await session.client.get_object("indicators/inBuiltUp01", {"fields": ":owner"})
    assert body["legendSets"] == [{"id": "lsBuiltUp01"}]
    assert await there(session, "dataElements/deBuiltUp01"), "its numerator names it"
    assert not await there(session, "dataElements/deBuiltUp02")


async def test_what_our_own_undo_has_deleted_is_not_asked_back_by_the_next_one(
    session: Session, tmp_path: Path
) -> None:
    """The second import took the first one's element out of a group; taken back in the wrong order the group stays as it can be."""
    group = {"id": "dgBuiltUp01", "name": "Built", "shortName": "Built", "dataElements": [{"id": "deBuiltUp02"}]}
    await imported(session, tmp_path, dataElements=[OTHER])
    await imported(session, tmp_path, dataElementGroups=[{**group, "dataElements": [{"id": "deNumber001"}]}])
    await imported(session, tmp_path, dataElementGroups=[group])
    await imported(session, tmp_path, dataElementGroups=[{**group, "dataElements": [{"id": "deNumber002"}]}])
    await call(session, "undo", YES, id=1)
    assert not await there(session, "dataElements/deBuiltUp02")

    undone = await call(session, "undo", YES, id=4)

    assert not undone.failures
    assert not undone.left
    assert "comes back without what was taken back since: dataElementGroups Built [dgBuiltUp01]" in undone.note
    assert not (await session.client.get_object("dataElementGroups/dgBuiltUp01"))["dataElements"]
