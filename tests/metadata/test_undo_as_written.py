"""Undo of what its server has added to: what it works out, inside of what is embedded too, nobody else has changed."""

import gzip
import json
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.client import schema
from dhis2sh.dhis2.properties import COUNTED
from dhis2sh.metadata import looked
from dhis2sh.metadata.bundles.diff import differs
from dhis2sh.metadata.comparing import as_written, same
from dhis2sh.session import Session
from tests.metadata.calls import YES, call, planned
from tests.shared import needs_shared, shared

MANY = 310
"""Objects of which a server's answer was once not read again."""
EXPORTED = {"created": "2018-08-16T13:54:16.714", "lastUpdated": "2026-05-10T17:29:11.811"}


def elements(many: int = 3) -> dict[str, list[dict[str, object]]]:
    """What another server has exported, without sharing, and an object that embeds others as it shows them."""
    element = {"valueType": "NUMBER", "domainType": "AGGREGATE", "aggregationType": "SUM", **EXPORTED}
    some = [
        {"id": f"deImport{n:03}", "name": f"Imported {n}", "shortName": f"Imported {n}", **element} for n in range(many)
    ]
    side = {"expression": "#{deImport001}", "description": "One", "missingValueStrategy": "SKIP_IF_ALL_VALUES_MISSING"}
    rule = {"id": "vrImport001", "name": "Rule", "operator": "less_than", "importance": "LOW", "periodType": "Monthly",
            "organisationUnitLevels": [], "leftSide": side, "rightSide": {**side, "description": "Two"}, **EXPORTED}  # fmt: skip
    return {"dataElements": some, "validationRules": [rule]}


def written(path: Path, body: object) -> str:
    path.write_text(json.dumps(body))
    return str(path)


@pytest.mark.parametrize("unread", [False, True])
async def test_very_many_imported_objects_are_taken_back(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, unread: bool
) -> None:
    """An export says when its own server saved them; whether they were read again afterwards or not."""

    async def nothing(*_: object) -> dict[int, object]:
        return {}

    if unread:
        monkeypatch.setattr(looked, "made_of", nothing)
    made = await call(session, "metadata import", YES, file=written(tmp_path / "b.json", elements(MANY)))
    assert made.created == MANY + 1

    plan = await planned(session, "undo")
    assert plan.blocked is None
    assert len(plan.steps) == MANY + 1, plan.notes[:3]

    assert (await call(session, "undo", YES)).deleted == MANY + 1


async def test_what_others_did_to_one_of_very_many_is_seen(session: Session, tmp_path: Path) -> None:
    await call(session, "metadata import", YES, file=written(tmp_path / "b.json", elements(MANY)))
    public = [{"op": "add", "path": "/sharing/public", "value": "r-------"}]
    await session.client.patch("dataElements/deImport007", public)

    plan = await planned(session, "undo")

    assert [note for note in plan.notes if note.startswith("sharing was changed again since, it stays")], plan.notes
    assert "deImport007" not in [step.uid for step in plan.steps]
    assert len(plan.steps) == MANY


@pytest.mark.parametrize("unread", [False, True])
@pytest.mark.parametrize("side", ["leftSide", "rightSide"])
async def test_what_a_server_works_out_inside_of_what_is_embedded_is_no_change(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: str, *, unread: bool
) -> None:
    """It shows a `displayDescription` of each side, which no bundle has to say."""

    async def nothing(*_: object) -> dict[int, object]:
        return {}

    body = elements()
    await call(session, "metadata import", YES, file=written(tmp_path / "b.json", body))
    before = await session.client.get_object("validationRules/vrImport001")
    if unread:
        monkeypatch.setattr(looked, "made_of", nothing)
    changed = deepcopy(body["validationRules"][0])
    changed[side] = {**changed[side], "expression": "2", "missingValueStrategy": "NEVER_SKIP"}  # pyright: ignore
    await call(session, "metadata import", YES, file=written(tmp_path / "c.json", {"validationRules": [changed]}))

    undone = await call(session, "undo", YES)

    assert (undone.updated, undone.left) == (1, [])
    assert (await session.client.get_object("validationRules/vrImport001"))[side] == before[side]


def test_of_what_is_embedded_what_was_sent_counts_and_of_a_sharing_all() -> None:
    now = {"expression": "1", "displayDescription": "One", "description": "One", "slidingWindow": False}
    assert as_written(None, now, {"expression": "1", "description": "One"})
    assert not as_written(None, now, {"expression": "2", "description": "One"})
    shared_ = {"public": "r-------", "users": {}, "userGroups": {"g": {"id": "g", "access": "rw------"}}}
    assert not as_written(None, shared_, {"public": "r-------", "users": {}, "userGroups": {}})


# Every type of what real servers have -----------------------------------------------------------------------------------

NEVER_IMPORTED = {"users", "userRoles", "categoryOptionCombos"}
"""Changing the first two takes rights from the one who asks; a combination goes with all of its category combination."""


def changed_inside(value: object) -> object:
    """A value with other words in it, and without what a server works out."""
    if isinstance(value, list):
        return [changed_inside(item) for item in value]
    if not isinstance(value, dict) or value.keys() <= {"id", "code", "name", "displayName"}:
        return value
    kept = {
        name: changed_inside(item)
        for name, item in value.items()
        if not name.startswith("display") or not isinstance(item, str)
    }
    return {**kept, "description": f"{value['description']} otherwise"} if value.get("description") else kept


def one_of_each() -> dict[str, list[dict[str, object]]]:
    """Of each type of a recorded export the object that says most, with one change: another name, and other words inside."""
    recorded = json.loads(gzip.decompress(shared("real", "v42", "metadata.json.gz").read_bytes()))
    found: dict[str, list[dict[str, object]]] = {}
    for plural, rows in recorded.items():
        if plural in NEVER_IMPORTED or not isinstance(rows, list) or not rows or "name" not in rows[0]:
            continue
        most = max(rows, key=lambda row: sum(bool(value) for value in row.values()))
        found[plural] = [{**changed_inside(most), "name": f"{str(most['name'])[:40]} X"}]  # type: ignore[dict-item]
    return found


@pytest.fixture
async def real(real_home: Path) -> AsyncIterator[Session]:
    session = Session("sandbox")
    yield session
    await session.aclose()


@needs_shared
async def test_an_update_of_every_recorded_type_is_taken_back_whole(real: Session, tmp_path: Path) -> None:
    bundle = one_of_each()

    async def all_() -> dict[str, Any]:
        addresses = {plural: f"{plural}/{rows[0]['id']}" for plural, rows in bundle.items()}
        return {plural: await real.client.get(address, {"fields": ":owner"}) for plural, address in addresses.items()}

    before = await all_()
    told = await call(real, "metadata import", YES, file=written(tmp_path / "b.json", bundle), atomic="none")
    assert told.updated == len(bundle) > 30, told.failures

    plan = await planned(real, "undo")
    assert not [note for note in plan.notes if "changed again" in note]
    undone = await call(real, "undo", YES)

    assert not undone.left
    after, types = await all_(), await schema.types_of(real.client)
    assert {
        f"{plural}.{name}"
        for plural, body in before.items()
        for name in {**body, **after[plural]}
        if name not in COUNTED.get(plural, ())
        and not same(after[plural].get(name), body.get(name))
        and differs(plural, name, body.get(name), after[plural].get(name), types)
    } == set()
