"""Whole sets of metadata: exported with what they need, imported, compared and merged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dhis2sh.errors import CheckFailed, NotFound, PartlyDone, Refused, UsageError
from dhis2sh.results import Plan, Rows, WriteSummary, to_json
from dhis2sh.sandbox.store import Store
from dhis2sh.session import Consent, Session, run
from dhis2sh.verbs import find
from tests.metadata.conftest import NEW
from tests.shared import needs_shared

YES = Consent(yes=True)


async def call(session: Session, path: str, consent: Consent | None = None, **arguments: object) -> object:
    return await run(session, find(path), arguments, consent)


def write(name: str, **objects: list[dict]) -> Path:
    path = Path(name)
    path.write_text(json.dumps(objects))
    return path


async def test_an_import_says_what_is_new_changed_and_right_already(session: Session):
    old = await session.client.get_object("dataElements/deNumber001", {"fields": ":owner"})
    path = write("b.json", dataElements=[NEW, {**old, "name": "BCG"}, {"id": "deText00001", "name": "Remark"}])
    plan = await call(session, "metadata import", Consent(dry_run=True), file=path)
    assert isinstance(plan, Plan)
    assert [(step.action, step.uid) for step in plan.steps] == [("create", "deNumber009"), ("update", "deNumber001")]
    (count,) = plan.to_json()["report"]["types"]
    assert (count["create"], count["update"], count["same"], count["conflict"]) == (1, 1, 1, 0)

    written = await call(session, "metadata import", YES, file=path)
    assert isinstance(written, WriteSummary)
    assert (written.created, written.updated) == (1, 1)
    assert written.types == {"dataElements": {"created": 1, "updated": 1}}
    again = await call(session, "metadata import", Consent(dry_run=True), file=path)
    assert isinstance(again, Plan)
    assert again.steps == []


async def test_a_dangling_reference_is_told_before_anything_is_written(session: Session):
    path = write("b.json", dataElements=[{**NEW, "optionSet": {"id": "osMissing01"}}])
    plan = await call(session, "metadata import", Consent(dry_run=True), file=path)
    assert isinstance(plan, Plan)
    assert plan.notes[0].startswith("dangling: 1 optionSets are neither in the bundle nor on the server: osMissing01")
    assert "needed by dataElements 'New' optionSet; bring them too (--deps)" in plan.notes[0]
    assert [arrow["to"] for arrow in plan.to_json()["report"]["dangling"]] == ["osMissing01"]
    with pytest.raises(Refused, match="osMissing01") as caught:
        await call(session, "metadata import", YES, file=path)
    assert caught.value.code == "E5002"
    with pytest.raises(NotFound):
        await session.client.get("dataElements/deNumber009")


async def test_without_atomic_the_rest_is_written_and_the_refused_are_kept(session: Session):
    path = write(
        "b.json",
        dataElements=[
            NEW,
            {**NEW, "id": "deNumber008", "name": "Bad", "shortName": "Bad", "optionSet": {"id": "osMissing01"}},
        ],
    )
    with pytest.raises(PartlyDone, match="osMissing01"):
        await call(session, "metadata import", YES, file=path, atomic="none", rejected=Path("rest.json"))
    assert await session.client.get("dataElements/deNumber009", {"fields": "name"}) == {"name": "New"}
    assert [row["id"] for row in json.loads(Path("rest.json").read_text())["dataElements"]] == ["deNumber008"]


async def test_properties_of_another_version_and_unknown_types_are_told(session: Session):
    path = write("b.json", dataElements=[{**NEW, "periods": []}], dataElementz=[{"id": "x"}])
    plan = await call(session, "metadata import", Consent(dry_run=True), file=path)
    assert isinstance(plan, Plan)
    assert "unknown property: dataElements.periods in 1 objects; the server leaves it out" in plan.notes
    assert "unknown type: dataElementz; the server leaves it out" in plan.notes


async def test_a_diff_with_the_server_and_its_check(session: Session):
    path = write("b.json", dataElements=[{**NEW, "id": "deNumber001", "name": "Other"}])
    rows = await call(session, "metadata diff", before=path)
    assert isinstance(rows, Rows)
    assert {(row.change, row.id) for row in rows} >= {("changed", "deNumber001"), ("added", "deNumber002")}
    with pytest.raises(CheckFailed, match="differences"):
        await call(session, "metadata diff", before=path, check=True)


async def test_a_merged_bundle_finds_its_counterparts_by_code(session: Session):
    path = write(
        "b.json",
        dataElements=[{**NEW, "id": "deForeign01", "name": "Renamed", "shortName": "BCG", "code": "DE_1"}],
        dataElementGroups=[
            {"id": "deGroup0009", "name": "Foreign", "shortName": "Foreign", "dataElements": [{"id": "deForeign01"}]}
        ],
    )
    merged = await call(session, "metadata merge-bundle", YES, file=path, by=["uid", "code"])
    assert isinstance(merged, WriteSummary)
    assert (merged.created, merged.updated) == (1, 1)
    group = await session.client.get_object("dataElementGroups/deGroup0009", {"fields": "dataElements"})
    assert group["dataElements"] == [{"id": "deNumber001"}]


async def test_a_taken_name_asks_for_a_resolution(session: Session):
    path = write("b.json", dataElements=[{**NEW, "id": "deForeign01", "name": "Remark"}])
    with pytest.raises(UsageError, match="its name is that of") as caught:
        await call(session, "metadata merge-bundle", YES, file=path)
    assert "--resolve deForeign01=map" in (caught.value.hint or "")
    plan = await call(
        session, "metadata merge-bundle", Consent(dry_run=True), file=path, resolve=["deForeign01=rename"]
    )
    assert isinstance(plan, Plan)
    assert plan.steps[0].name == "Remark (b.json)"
    session.chooser = lambda about, words: "skip"
    skipped = await call(session, "metadata merge-bundle", Consent(dry_run=True), file=path)
    assert isinstance(skipped, Plan)
    assert skipped.steps == []


async def test_a_profile_is_not_merged_into_itself(session: Session):
    with pytest.raises(UsageError, match="into itself"):
        await call(session, "metadata merge", YES, source="sandbox")


@needs_shared
async def test_a_dashboard_moves_into_an_empty_server_with_all_that_it_needs(real_home: Path, tmp_path: Path):
    session = Session("sandbox")
    await call(
        session, "metadata export", objects=["Immunization data"], deps=True, with_=["org-units"], out=Path("all.json")
    )
    await call(session, "metadata export", objects=["Immunization data"], deps=True, out=Path("bare.json"))
    await session.aclose()

    empty = Session("sandbox")
    empty._store = Store(tmp_path / "empty.db")
    bare = await call(empty, "metadata import", Consent(dry_run=True), file=Path("bare.json"))
    assert isinstance(bare, Plan)
    assert any(note.startswith("dangling:") for note in bare.notes)
    written = await call(empty, "metadata import", YES, file=Path("all.json"))
    assert isinstance(written, WriteSummary)
    assert not written.failures
    board = await empty.client.get_object(
        "dashboards/L1BtjXgpUpd", {"fields": "name,dashboardItems[visualization[name]]"}
    )
    assert board["name"] == "Immunization data"
    assert to_json(await call(empty, "metadata import", Consent(dry_run=True), file=Path("all.json")))["steps"] == []
    rest = to_json(await call(empty, "metadata diff", before=Path("all.json")))
    assert {row["change"] for row in rest} <= {"added"}  # what an empty server has of its own
    await empty.aclose()


@needs_shared
async def test_every_uid_of_the_real_export_is_known(real_home: Path):
    session = Session("sandbox")
    body = await session.client.get_object("metadata")
    uids = {plural: str(rows[0]["id"]) for plural, rows in body.items() if isinstance(rows, list) and rows}  # type: ignore[index]
    for plural, uid in uids.items():
        found = await call(session, "metadata what", uid=uid)
        assert to_json(found)["type"] == plural  # type: ignore[index]
    board = await session.client.get_object("dashboards/L1BtjXgpUpd", {"fields": "dashboardItems"})
    item = str(board["dashboardItems"][0]["id"])  # type: ignore[index]
    assert (
        to_json(await call(session, "metadata what", uid=item))["part_of"]
        == "dashboards 'Immunization data' [L1BtjXgpUpd]"
    )  # type: ignore[index]
    await session.aclose()


@needs_shared
async def test_what_bcg_doses_given_is(real_home: Path):
    session = Session("sandbox")
    found = to_json(await call(session, "metadata what", uid="s46m5MS0hxu"))
    assert found["name"] == "BCG doses given"  # type: ignore[index]
    assert {use["type"]: use["count"] for use in found["used_by"]}["visualizations"] == 10  # type: ignore[index]
    await session.aclose()
