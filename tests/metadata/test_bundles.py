"""Whole sets of metadata: exported with what they need, imported, compared and merged."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh import profiles
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import CheckFailed, NotFound, PartlyDone, Refused, UsageError
from dhis2sh.metadata.bundles.bundle import read_bundle, server_bundle
from dhis2sh.person import Nobody
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.store.fresh import fresh_metadata
from dhis2sh.session import Session
from tests.fakes.person import Somebody
from tests.fakes.serve import served
from tests.metadata.calls import YES, call
from tests.metadata.conftest import NEW
from tests.shared import needs_shared

JOBS = {str(job["id"]) for job in fresh_metadata()["jobConfigurations"]}


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


async def test_an_import_that_changes_only_what_a_group_may_do_writes_it(country: Session):
    [group, *_] = (await country.client.list_page("userGroups", {"fields": "id"})).rows
    [found, *_] = (await country.client.list_page("dataSets", {"fields": "id"})).rows
    member = {"id": group["id"], "access": "r-------"}
    for access in ("r-------", "rw------"):
        body = await country.client.get_object(f"dataSets/{found['id']}", {"fields": ":owner"})
        sharing = {"public": "r-------", "users": {}, "userGroups": {group["id"]: {**member, "access": access}}}
        file = write("b.json", dataSets=[{**body, "sharing": sharing}])
        written = await call(country, "metadata import", YES, file=file, include_sharing=True)
        assert written.updated == 1
        now = await country.client.sharing.get("dataSets", str(found["id"]))
        assert now["userGroups"][group["id"]]["access"] == access


async def test_a_dangling_reference_is_told_before_anything_is_written(session: Session):
    path = write("b.json", dataElements=[{**NEW, "optionSet": {"id": "osMissing01"}}])
    plan = await call(session, "metadata import", Consent(dry_run=True), file=path)
    assert isinstance(plan, Plan)
    assert plan.notes[0].startswith("dangling: 1 optionSets are neither in the bundle nor on the server: osMissing01")
    assert "needed by dataElements 'New' optionSet; bring them too (metadata export --deps)" in plan.notes[0]
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
    assert plan.steps[0].name == "Remark (b)"
    session.person = Somebody(chooses="skip")
    skipped = await call(session, "metadata merge-bundle", Consent(dry_run=True), file=path)
    assert isinstance(skipped, Plan)
    assert skipped.steps == []


async def test_a_profile_is_not_merged_into_itself(session: Session):
    with pytest.raises(UsageError, match="into itself"):
        await call(session, "metadata merge", YES, source="sandbox")


async def test_what_an_export_leaves_out_is_told_in_words_and_as_data(country: Session):
    program = "Pregnancy follow-up"
    report = await call(country, "metadata export", objects=[program], deps=True, out=Path("p.json.gz"))
    told = to_json(report)
    assert told["types"]["programs"] == 1
    assert told["types"]["programRules"] > 0, "what points to the program is a part of it"
    left = {item["type"]: item for item in told["left_out"]}
    assert left["organisationUnits"]["add"] == "--with org-units"
    assert left["organisationUnits"]["why"] == "organisation units are each country's own"
    assert "--with org-units brings them" in report.line()  # type: ignore[attr-defined]
    bundle = read_bundle(Path("p.json.gz"))
    assert len(bundle.outside["organisationUnits"]) == left["organisationUnits"]["objects"], "and named in the bundle"
    assert bundle.system["version"] == str(await country.client.version())


async def test_dependencies_of_everything_that_a_filter_lets_through(country: Session):
    report = await call(
        country, "metadata export", types=["dataSets"], filter=["name:ilike:e"], deps=True, out=Path("s.json")
    )
    types = to_json(report)["types"]
    assert types["dataSets"] == len(read_bundle(Path("s.json")).objects["dataSets"]) > 1
    assert types["dataElements"] > types["dataSets"]


async def test_types_alone_say_what_they_refer_to(country: Session):
    told = to_json(await call(country, "metadata export", types=["indicators"], out=Path("i.json")))
    kinds = {item["type"]: item["add"] for item in told["left_out"]}
    assert kinds.items() >= {"indicatorTypes": "--deps", "dataElements": "--deps"}.items()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"types": ["dataSets"], "with": ["sharing"]}, "--with goes with --deps"),
        ({"deps": True}, "--deps of which objects"),
        ({"objects": ["Vaccines"], "types": ["dataSets"]}, "single objects are exported whole"),
        ({"types": ["dataSets"], "filter": ["nam:eq:x"]}, "dataSets have no property 'nam'"),
    ],
)
async def test_an_export_that_cannot_be_meant(session: Session, arguments: dict, says: str):
    with pytest.raises(UsageError, match=says):
        await call(session, "metadata export", **arguments)


async def test_a_reference_that_the_server_itself_does_not_have_is_dangling(session: Session):
    session.sandbox_store().put_objects(
        {"dataElementGroups": [{"id": "deGroup0009", "name": "G", "dataElements": [{"id": "deGone00001"}]}]}
    )
    report = await call(session, "metadata export", objects=["deGroup0009"], deps=True, out=Path("g.json"))
    (arrow,) = to_json(report)["dangling"]
    assert (arrow["id"], arrow["property"], arrow["to"]) == ("deGroup0009", "dataElements", "deGone00001")
    assert "dangling: G [deGroup0009] dataElements leads to dataElements deGone00001" in report.line()  # type: ignore[attr-defined]


@pytest.fixture
def real_server(real_database: Path, tmp_path: Path, home: Path) -> Iterator[None]:
    """The real metadata, served as the profile `real`."""
    shutil.copy(real_database, tmp_path / "real.db")
    store = open_store(tmp_path / "real.db")
    with served(create_app(store)) as url:
        profiles.save(profiles.Profile("real", url, username="admin"))
        profiles.get("real").secrets.write("district")
        yield
    store.close()


@needs_shared
async def test_a_dashboard_moves_into_an_empty_server_with_all_that_it_needs(real_server: None):
    real, empty = Session("real"), Session("sandbox")
    board = {"objects": ["Immunization data"], "deps": True}
    bare = to_json(await call(real, "metadata export", **board, out=Path("bare.json")))
    assert {item["type"]: item["objects"] for item in bare["left_out"]} == {"organisationUnits": 1167, "users": 2}
    whole = to_json(await call(real, "metadata export", **board, with_=["org-units"], out=Path("all.json")))
    assert {item["type"] for item in whole["left_out"]} == {"users"}
    assert whole["dangling"] == []

    warned = empty.person = Nobody()
    with pytest.raises(Refused, match="nothing was written"):
        await call(empty, "metadata import", YES, file=Path("bare.json"))
    assert warned.warnings[0].startswith(
        "dangling: 1,167 organisationUnits are neither in the bundle nor on the server: 'Sierra Leone' [ImspTQPwCqd]"
    )
    assert "bring them too (metadata export --deps --with org-units)" in warned.warnings[0]

    written = await call(empty, "metadata import", YES, file=Path("all.json"))
    assert isinstance(written, WriteSummary)
    assert not written.failures
    plan = to_json(await call(empty, "metadata import", Consent(dry_run=True), file=Path("all.json")))
    assert plan["report"]["dangling"] == []
    assert plan["steps"] == []

    rows = to_json(await call(real, "metadata diff-profiles", before="real", after="sandbox"))
    moved = {uid for objects in read_bundle(Path("all.json")).objects.values() for uid in objects}
    everything = {uid for objects in (await server_bundle(real.client)).objects.values() for uid in objects}
    people = {row["id"] for row in rows if row["type"] in {"users", "userRoles"}}
    rest = {row["id"] for row in rows} - people
    assert rest == {uid for uid in everything - moved if uid not in {"M5zQapPyTZI", "yrB6vc5Ip3r"} | JOBS}
    assert {row["change"] for row in rows if row["id"] in rest} == {"removed"}
    await empty.aclose()
    await real.aclose()


@needs_shared
async def test_what_knows_every_kind_of_uid_of_the_real_export(real_home: Path):
    """One UID of each place in which the export has any: types, and what they embed on whatever level."""
    session = Session("sandbox")
    places: dict[str, str] = {}

    def walk(value: object, path: str) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item, path)
        elif isinstance(value, dict):
            if is_uid(value.get("id")):
                places.setdefault(path, value["id"])
            for name, item in value.items():
                walk(item, f"{path}.{name}")

    walk(await session.client.get_object("metadata"), "")
    assert len(places) > 100
    for path, uid in places.items():
        found = await call(session, "what", uid=uid)
        told = to_json(found)
        assert told["name"] != uid or told["part_of"], f"{path} {uid}: {told}"
        assert told["type"] and found.line()  # type: ignore[attr-defined]
    item = await call(session, "what", uid="zuUCjt7A4Nn")
    assert item.line().splitlines()[:2] == [  # type: ignore[attr-defined]
        "dashboardItems 'VISUALIZATION Immunization: FIC trend 2025 monthly' [zuUCjt7A4Nn]",
        "  part of dashboards 'Immunization data' [L1BtjXgpUpd]",
    ]
    await session.aclose()


async def test_a_uid_that_only_an_expression_names_is_an_object_that_is_gone(session: Session):
    session.sandbox_store().put_objects(
        {"indicators": [{"id": "inIndicat01", "name": "Coverage", "numerator": "#{deGone00001}", "denominator": "1"}]}
    )
    found = await call(session, "what", uid="deGone00001")
    assert found.line() == "nothing on this server 'an object that is gone' [deGone00001]\n  used by 1 indicators"  # type: ignore[attr-defined]
    with pytest.raises(NotFound, match="nothing on this server has the UID deGone00002"):
        await call(session, "what", uid="deGone00002")
    with pytest.raises(NotFound, match="nothing on this server has the UID deGone00001"):
        await call(session, "metadata graph", uid="deGone00001")


async def test_usage_counts_objects_and_data_values(country: Session):
    counts = {row["type"]: row["count"] for row in to_json(
        await call(country, "metadata usage", uid="Acute watery diarrhoea cases", count=True))}  # fmt: skip
    listed = to_json(await call(country, "metadata usage", uid="Acute watery diarrhoea cases"))
    assert counts.pop("dataValues") > 100
    assert counts == Counter(row["type"] for row in {row["id"]: row for row in listed}.values())


@needs_shared
async def test_what_bcg_doses_given_is(real_home: Path):
    session = Session("sandbox")
    found = to_json(await call(session, "what", uid="s46m5MS0hxu"))
    assert found["name"] == "BCG doses given"  # type: ignore[index]
    assert {use["type"]: use["count"] for use in found["used_by"]}["visualizations"] == 10  # type: ignore[index]
    await session.aclose()
