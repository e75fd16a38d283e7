"""The same change to many objects, in few requests; a second run changes nothing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.changes.consent import Consent
from dhis2sh.errors import NeedsConfirmation, Refused, UsageError
from dhis2sh.metadata.objects.renaming import renamer
from dhis2sh.metadata.sharing import access_of
from dhis2sh.session import Session
from tests.metadata.calls import DRY, do


async def texts(session: Session, plural: str = "dataElements", field: str = "name") -> list[str]:
    page = await session.client.list_page(plural, {"fields": f"id,{field}", "paging": False})
    return [row.get(field) for row in page.rows]


@pytest.mark.parametrize(
    ("options", "name", "new"),
    [
        ({"prefix": "HIV - "}, "ANC", "HIV - ANC"),
        ({"prefix": "HIV - "}, "HIV - ANC", "HIV - ANC"),
        ({"suffix": " (old)"}, "ANC", "ANC (old)"),
        ({"strip_prefix": "Old "}, "Old ANC", "ANC"),
        ({"strip_suffix": " v2"}, "ANC v2", "ANC"),
        ({"replace": ["s/^HIV_/HIV - /"]}, "HIV_1 HIV_2", "HIV - 1 HIV_2"),
        ({"replace": ["s/hiv/TB/gi"]}, "HIV_1 HIV_2", "TB_1 TB_2"),
        ({"replace": [r"s|(\d+)/(\d+)|\2-\1|"]}, "1/2", "2-1"),
        ({"replace": ["s/^MCH /MCH - /"]}, "MCH - ANC", "MCH - ANC"),
        ({"replace": ["s/Bo/New Bo/g"]}, "Bo, New Bo", "New Bo, New Bo"),
        ({"replace": ["s/x$//"]}, "ANC x", "ANC"),
        ({"prefix": "X "}, " ANC ", "X  ANC"),
        ({"replace": ["s/HIV/TB/"]}, "ANC ", "ANC "),
        ({"set": "All"}, "ANC", "All"),
    ],
)
def test_what_becomes_of_a_name(options: dict, name: str, new: str) -> None:
    assert renamer(**options)(name) == new


@given(name=st.text(min_size=1), prefix=st.text(max_size=5), suffix=st.text(max_size=5))
def test_putting_before_and_after_twice_is_doing_it_once(name: str, prefix: str, suffix: str) -> None:
    rename = renamer(prefix=prefix, suffix=suffix)
    assert rename(rename(name)) == rename(name)


@given(name=st.text("ab ", min_size=1), old=st.text("ab", min_size=1), after=st.sampled_from(["", "!", " - "]))
def test_replacing_by_what_holds_it_twice_is_doing_it_once(name: str, old: str, after: str) -> None:
    rename = renamer(replace=[f"s/{old}/({old}{after}/g"])
    assert rename(rename(name)) == rename(name)


@pytest.mark.parametrize("text", ["s/a/b", "a/b/", "s/(/b/", "s/a/b/x", r"s/a/\1/"])
def test_a_bad_substitution_is_a_mistake_of_usage(text: str) -> None:
    with pytest.raises(UsageError):
        renamer(replace=[text])


async def test_many_are_renamed_in_few_requests_and_a_second_run_changes_nothing(session: Session) -> None:
    rows = [
        {"id": f"ouMany{n:05}", "name": f"Unit {n}", "shortName": f"{n}", "openingDate": "2020-01-01"}
        for n in range(1000)
    ]
    session.sandbox_store().put_objects({"organisationUnits": rows})
    before = len(session.client.transport.sent)

    done = await do(session, "metadata rename", type="organisationUnits", filter=["name:like:Unit"], prefix="New ")
    assert done.updated == 1000
    assert len(session.client.transport.sent) - before <= 4, "read, read again, what the server is, and sent"

    again = await do(
        session, "metadata rename", DRY, type="organisationUnits", filter=["name:like:Unit"], prefix="New "
    )
    assert again.steps == []
    assert again.notes == ["1,000 already right"]


async def test_names_that_would_be_too_long_empty_or_taken_are_left_out_and_said(session: Session) -> None:
    rename = {"type": "dataElements", "all": True}
    long = await do(session, "metadata rename", DRY, **rename, suffix="x" * 225)
    assert [step.name for step in long.steps] == []
    assert "has 231 characters, name takes 230" in "; ".join(long.notes)

    taken = await do(session, "metadata rename", DRY, **rename, replace=["s/OPV/BCG/"])
    assert taken.steps == []
    assert "'BCG doses given' is the name of deNumber001 already" in taken.notes[0]

    same = await do(session, "metadata rename", DRY, **rename, set="Same")
    assert len(same.steps) == 1, "one may have the name, and no other"


async def test_a_rename_that_a_second_run_would_go_on_with_says_so(session: Session) -> None:
    every = {"type": "dataElements", "all": True}
    plan = await do(session, "metadata rename", DRY, **every, replace=["s/e//"])
    assert "a second run would change 'BCG doss given' again, to 'BCG doss givn'" in plan.notes


async def test_what_was_left_out_is_said_of_the_write_too(session: Session) -> None:
    await do(session, "metadata rename", type="dataElements", objects=["DE_2"], set="Remark 2")
    done = await do(session, "metadata rename", type="dataElements", all=True, replace=["s/ 2$//", "s/^BCG/TB/"])
    assert done.updated == 1
    assert "left out 'Remark 2' [deNumber002]: 'Remark' is the name of deText00001 already" in done.note


async def test_another_field_and_one_object(session: Session) -> None:
    await do(session, "metadata rename", Consent(), type="dataElements", objects=["DE_1"], field="shortName", set="B")
    assert await texts(session, field="shortName") == ["B", "OPV", "Remark"]


async def test_more_than_one_wants_a_yes(session: Session) -> None:
    with pytest.raises(NeedsConfirmation) as waiting:
        await do(session, "metadata rename", Consent(), type="dataElements", all=True, prefix="X ")
    assert len(waiting.value.plan.steps) == 3


async def test_nothing_is_chosen_by_silence(session: Session) -> None:
    with pytest.raises(UsageError, match="which dataElements"):
        await do(session, "metadata rename", type="dataElements", prefix="X ")


def test_rows_of_a_pipeline_are_renamed(runner: object) -> None:
    line = 'metadata list dataElements --filter name:like:doses | metadata.rename(strip_suffix=" given", yes=True)'
    assert runner.line(line).updated == 2
    names = runner.line("metadata list dataElements | select(name)")
    assert [row["name"] for row in names] == ["BCG doses", "OPV doses", "Remark"]


async def test_retag_points_many_at_another_object(session: Session) -> None:
    legends = [{"id": "lsDoses0001", "name": "Doses"}]
    session.sandbox_store().put_objects({"legendSets": legends})
    chosen = {"type": "dataElements", "filter": ["name:like:doses"]}

    done = await do(session, "metadata retag", **chosen, set=["aggregationType=average"], add=["legendSets=Doses"])
    assert done.updated == 2
    assert await texts(session, field="aggregationType") == ["AVERAGE", "AVERAGE", "SUM"]
    again = await do(session, "metadata retag", DRY, **chosen, add=["legendSets=Doses"])
    assert again.steps == []

    await do(session, "metadata retag", **chosen, remove=["legendSets=lsDoses0001"])
    assert await texts(session, field="legendSets") == [[], [], []]
    with pytest.raises(UsageError, match="neither a reference nor an enum"):
        await do(session, "metadata retag", **chosen, set=["name=X"])


async def test_one_patch_for_many(session: Session, tmp_path: Path) -> None:
    patch = [
        {"op": "copy", "from": "/name", "path": "/description"},
        {"op": "replace", "path": "/valueType", "value": "INTEGER"},
    ]
    file = tmp_path / "patch.json"
    file.write_text(json.dumps(patch), "utf-8")

    done = await do(session, "metadata patch", type="dataElements", filter=["name:like:doses"], patch=str(file))
    assert done.updated == 2
    assert await texts(session, field="description") == ["BCG doses given", "OPV doses given", None]
    with pytest.raises(UsageError, match="no property 'nmae'"):
        await do(session, "metadata patch", type="dataElements", all=True, patch='[{"op":"remove","path":"/nmae"}]')


async def test_objects_that_a_patch_does_not_fit_are_left_out_and_named(session: Session) -> None:
    patch = json.dumps(
        [
            {"op": "test", "path": "/valueType", "value": "NUMBER"},
            {"op": "replace", "path": "/aggregationType", "value": "LAST"},
        ]
    )
    plan = await do(session, "metadata patch", DRY, type="dataElements", all=True, patch=patch)
    assert [step.uid for step in plan.steps] == ["deNumber001", "deNumber002"]
    assert plan.notes == [
        "left out 'Remark' [deText00001]: the patch tests that /valueType is 'NUMBER', but it is 'TEXT'"
    ]
    with pytest.raises(Refused, match="the patch tests that"):
        await do(session, "metadata patch", type="dataElements", objects=["Remark"], patch=patch)


async def test_a_plan_says_names_for_uids(session: Session) -> None:
    legends = [{"id": "lsDoses0001", "name": "Doses"}]
    groups = [{"id": "ugClerks001", "name": "Clerks"}]
    combo = {"id": "ccAge000001", "name": "Age", "dataDimensionType": "DISAGGREGATION"}
    session.sandbox_store().put_objects({"legendSets": legends, "userGroups": groups, "categoryCombos": [combo]})
    one = {"type": "dataElements", "objects": ["Remark"]}

    plan = await do(session, "metadata retag", DRY, **one, set=["categoryCombo=Age"], add=["legendSets=Doses"])
    assert "categoryCombo: 'default' -> 'Age'; legendSets: [] -> ['Doses']" in " ".join(repr(plan).split())
    assert plan.to_json()["names"]["ccAge000001"] == "Age"
    plan = await do(session, "metadata share", DRY, **one, group=["Clerks=rw"])
    assert "sharing.userGroups.Clerks: nothing -> see and change" in " ".join(repr(plan).split())


@pytest.mark.parametrize(
    ("text", "access"),
    [("r", "r-------"), ("rw", "rw------"), ("r/rw", "r-rw----"), ("none", "--------"), ("rwr-----", "rwr-----")],
)
def test_access_as_people_write_it(text: str, access: str) -> None:
    assert access_of(text) == access


async def test_sharing_of_many_is_one_request_and_says_what_is_right_already(session: Session) -> None:
    session.sandbox_store().put_objects({"userGroups": [{"id": "ugClerks001", "name": "Clerks"}]})
    share = {"type": "dataElements", "all": True, "public": "r/rw", "group": ["Clerks=rw"]}
    before = len(session.client.transport.sent)

    done = await do(session, "metadata share", **share)
    assert done.updated == 3
    assert sum(line.startswith("PATCH") for line in session.client.transport.sent[before:]) == 1
    [first, *_] = await texts(session, field="sharing")
    assert first["public"] == "r-------", "data elements have no data access"
    assert first["userGroups"]["ugClerks001"]["access"] == "rw------"

    again = await do(session, "metadata share", DRY, **share)
    assert again.steps == []
    assert "3 already right" in again.notes

    await do(session, "metadata share", type="dataElements", all=True, group=["Clerks=none"])
    await do(session, "undo")
    [first, *_] = await texts(session, field="sharing")
    assert "ugClerks001" in first["userGroups"]


async def test_o6_locales_and_rows_of_translations_as_people_write_them(session: Session, tmp_path: Path) -> None:
    """`pt-BR` is kept as `pt_BR`; two rows for one text are refused, and so is a sheet without a header."""
    sheet = tmp_path / "pt.csv"
    row = "dataElements,DE_1,name,pt-BR,BCG doses given,Doses de BCG\n"
    sheet.write_text(f"type,id,property,locale,original,translation\n{row}", "utf-8")
    await do(session, "metadata translate import", file=sheet)
    item = await session.client.get_object("dataElements/deNumber001", {"fields": "translations"})
    assert item["translations"] == [{"locale": "pt_BR", "property": "NAME", "value": "Doses de BCG"}]
    other = row.replace("pt-BR", "pt_BR").replace("Doses de BCG", "Outra")
    sheet.write_text(f"type,id,property,locale,original,translation\n{row}{other}", "utf-8")
    with pytest.raises(UsageError, match="two rows for its name in pt_BR: 'Doses de BCG' and 'Outra'"):
        await do(session, "metadata translate import", file=sheet)
    sheet.write_text(row + other, "utf-8")
    with pytest.raises(UsageError, match="has no header: its first line is dataElements, DE_1, name"):
        await do(session, "metadata translate import", file=sheet)


async def test_translations_go_out_and_come_back(session: Session, tmp_path: Path) -> None:
    from dhis2sh.surfaces.output import formatted

    asked = {"type": "dataElements", "locale": "fr", "property": ["name"], "missing": True}
    rows = await do(session, "metadata translate export", **asked)
    assert [row.original for row in rows] == ["BCG doses given", "OPV doses given", "Remark"]
    sheet = formatted(rows, "csv").replace("fr,BCG doses given,", "fr,BCG doses given,BCG donné")
    (tmp_path / "fr.csv").write_text(sheet, "utf-8")

    done = await do(session, "metadata translate import", file=tmp_path / "fr.csv")
    assert done.updated == 1
    left = await do(session, "metadata translate export", **asked)
    assert [row.original for row in left] == ["OPV doses given", "Remark"]
    shown = await do(session, "metadata get", type="dataElements", uid="DE_1", locale="fr", fields="displayName")
    assert shown == {"displayName": "BCG donné"}


async def test_attribute_values_are_set_found_and_deleted(session: Session) -> None:
    attribute = {"id": "atKE0000001", "name": "KE code", "code": "KE", "valueType": "TEXT", "dataElementAttribute": True,
                 "userAttribute": False}  # fmt: skip
    session.sandbox_store().put_objects({"attributes": [attribute]})
    ke = {"type": "dataElements", "attribute": "KE code"}

    assert (await do(session, "metadata attribute set", **ke, value="7", objects=["DE_1", "DE_2"])).updated == 2
    found = await do(session, "metadata attribute find", **ke, value="7")
    assert [row.name for row in found] == ["BCG doses given", "OPV doses given"]
    [row] = await do(session, "metadata attribute get", type="dataElements", uid="DE_1")
    assert (row.attribute_name, row.value) == ("KE code", "7")

    await do(session, "metadata attribute delete", **ke, objects=["DE_1"])
    assert len(await do(session, "metadata attribute find", **ke)) == 1
    with pytest.raises(UsageError, match="is not for users"):
        await do(session, "metadata attribute set", type="users", attribute="KE", value="7", all=True)


def test_rows_of_several_types_are_shared_in_one_plan(runner: object, capsys: pytest.CaptureFixture[str]) -> None:
    runner.session.sandbox_store().put_objects({"dataElementGroups": [{"id": "degDoses001", "name": "Doses"}]})
    line = "metadata search doses | where(type != 'dataSets') | metadata.share(public='r', yes=True)"
    done = runner.line(line)
    assert (done.updated, done.ignored) == (3, 0), capsys.readouterr().err
    for plural, uid in (("dataElements", "deNumber001"), ("dataElementGroups", "degDoses001")):
        row = runner.session.sandbox_store().get(plural, uid)
        assert row["sharing"]["public"] == "r-------"


def test_a_stage_takes_the_type_that_its_rows_say(runner: object) -> None:
    line = "metadata search doses | where(type == 'dataElements') | metadata.rename(strip_suffix=' given', yes=True)"
    assert runner.line(line).updated == 2


def test_a_stage_of_one_type_says_which_types_its_rows_have(runner: object, capsys: pytest.CaptureFixture[str]) -> None:
    runner.session.sandbox_store().put_objects({"dataElementGroups": [{"id": "degDoses001", "name": "Doses"}]})
    assert runner.line("metadata search doses | metadata.rename(prefix='X ', yes=True)") is None
    said = capsys.readouterr().err
    assert "takes objects of one type; these rows are 2 of dataElements and 1 of dataElementGroups" in said
    assert "| where(type == 'dataElements') | metadata.rename(...)" in said


async def test_sharing_without_a_type_wants_rows_that_say_theirs(session: Session) -> None:
    with pytest.raises(UsageError, match="share what"):
        await do(session, "metadata share", filter=["name:like:x"], public="r")
    with pytest.raises(UsageError, match="row 2 does not say of which type"):
        rows = [{"id": "deNumber001", "type": "dataElements"}, {"id": "deNumber002"}]
        await do(session, "metadata share", objects=rows, public="r")
