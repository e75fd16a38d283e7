"""Objects from options, files and an editor; what is wrong is told before anything is sent."""

import json
from pathlib import Path

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.changes.plan import Plan
from dhis2sh.errors import NotFound, Refused, UsageError
from dhis2sh.metadata import values
from dhis2sh.models import facts
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from tests.fakes.person import Somebody
from tests.metadata.calls import DRY, do, planned

WHOLE = {
    "name": "Doses",
    "shortName": "Doses",
    "aggregationType": "SUM",
    "domainType": "AGGREGATE",
    "valueType": "NUMBER",
}


async def got(session: Session, path: str) -> dict:
    return await session.client.get_object(path)


async def test_options_are_the_properties_of_the_type(session: Session) -> None:
    wanted = {**WHOLE, "categoryCombo": "default", "set": ["style.icon=clinic", "style.color=#ff0000"]}
    plan = await do(session, "metadata data-elements create", DRY, **wanted)
    assert plan.steps[0].after["style"] == {"icon": "clinic", "color": "#ff0000"}

    made = await do(session, "metadata data-elements create", **wanted)
    item = await got(session, f"dataElements/{made.uids[0]}")
    assert item["name"] == "Doses"
    assert item["categoryCombo"]["id"] == "bjDvmb4bfuf"


def test_a_type_declares_its_enums_references_and_what_it_needs() -> None:
    schema = find("metadata data-elements create").input_schema()["properties"]

    assert "NUMBER" in schema["valueType"]["enum"]
    assert "(required)" in schema["valueType"]["description"]
    assert "UID, code or unique name of categoryCombos" in schema["categoryCombo"]["description"]
    assert schema["legendSets"]["type"] == "array"
    assert "password" not in find("metadata users create").input_schema()["properties"], "no secret is an argument"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"set": ["nmae=X"]}, r"no property 'nmae' in DHIS2 2.42.5.2 \(did you mean name"),
        ({"set": ["valueType=NUMBR"]}, r"'NUMBR' is not one of its values \(did you mean NUMBER"),
        ({"set": ["shortName=" + "x" * 51]}, "shortName: 51 characters, 50 at the most"),
        ({"set": ["name=X"]}, "needs aggregationType, domainType, shortName, valueType"),
        ({"set": ["zeroIsSignificant=perhaps"]}, "'perhaps' is not true or false"),
        ({"set": ["name"]}, "is not property=value"),
    ],
)
async def test_what_is_wrong_is_told_before_anything_is_sent(
    wanted: dict[str, object], says: str, session: Session
) -> None:
    with pytest.raises(UsageError, match=says):
        await do(session, "metadata create", type="dataElements", **wanted)


async def test_an_unknown_reference_names_the_nearest(session: Session) -> None:
    with pytest.raises(NotFound) as missing:
        await do(session, "metadata data-elements create", **WHOLE, categoryCombo="defaults")
    assert missing.value.hint == "did you mean default?"


def sheet(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows), "utf-8")
    return path


async def test_a_sheet_has_its_columns_in_any_order_and_spelling(session: Session, tmp_path: Path) -> None:
    file = sheet(
        tmp_path / "units.csv",
        "Opening date;parent;short-name;name",
        "2020-01-01;Bo;North;Bo North",
        "2020-01-01;Bo North;CHC;Bo North CHC",
    )

    plan = await do(session, "metadata create", DRY, type="organisationUnits", from_=file)
    assert isinstance(plan, Plan)
    north, clinic = plan.steps
    assert north.after["parent"] == {"id": "ouDistrict1"}
    assert clinic.after["parent"] == {"id": north.uid}, "a parent may stand in the same sheet"

    done = await do(session, "metadata create", type="organisationUnits", from_=file)
    assert done.created == 2


async def test_an_unknown_column_names_the_nearest(session: Session, tmp_path: Path) -> None:
    file = sheet(tmp_path / "units.csv", "name,shortNmae", "A,B")
    with pytest.raises(UsageError, match="no property 'shortNmae'") as wrong:
        await do(session, "metadata create", type="organisationUnits", from_=file)
    assert "shortName" in wrong.value.hint


async def test_a_payload_of_another_version_is_told_by_its_versions(session: Session, tmp_path: Path) -> None:
    rows = [{**WHOLE, "publicAccess": "rw------", "userAccesses": [], "shortNmae": "x", "href": "http://x"}]
    (tmp_path / "e.json").write_text(json.dumps({"system": {"version": "2.40.1"}, "dataElements": rows}), "utf-8")
    with pytest.raises(UsageError) as wrong:
        await do(session, "metadata create", type="dataElements", from_=tmp_path / "e.json")
    assert wrong.value.message.startswith("dataElements of DHIS2 2.42.5.2 have no 'publicAccess' (2.40 has it: leave")
    assert "'shortNmae' (did you mean shortName" in wrong.value.message
    assert "href" not in wrong.value.message, "what a server only shows is let through"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("g.json", '{"indicators": [{"name": "x"}]}', r"g.json holds indicators, no dataElementGroups"),
        ("g.json", '{"dataElementGroups": [{"name": "A"', r"g.json is not JSON"),
        ("g.json", "[1, 2]", r"item 1 is no object"),
        ("g.csv", "name,shortName,name\nA,B,C\n", r"the header names name more than once"),
        ("g.csv", "name,shortName\nA,B,C\n", r"line 2 has more cells than the header"),
        ("g.csv", "name,shortName\n", r"g.csv has no rows"),
        ("g.yaml", "name: [", r"g.yaml in line 1"),
        ("g.xls", "", r"rows are read from \.json"),
    ],
)
async def test_a_file_that_cannot_be_used_is_said(
    name: str, text: str, says: str, session: Session, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(UsageError, match=says):
        await do(session, "metadata create", type="dataElementGroups", from_=tmp_path / name)


async def test_a_plan_of_a_new_object_says_what_it_is(session: Session) -> None:
    wanted = {"name": "G", "shortName": "G", "dataElements": ["DE_1", "Remark"]}
    plan = await do(session, "metadata data-element-groups create", DRY, **wanted)
    assert "shortName: 'G'; dataElements: ['BCG doses given', 'Remark']" in " ".join(repr(plan).split())


def test_booleans_are_switched_on_and_off(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dhis2sh.surfaces.cli import main as cli

    line = ["metadata", "data-elements", "update", "DE_1", "-p", "sandbox"]
    assert cli.run([*line, "--zero-is-significant"]) == 0
    assert cli.run([*line, "--no-zero-is-significant", "--dry-run"]) == 0
    assert "zeroIsSignificant: True -> False" in capsys.readouterr().out


async def test_the_problems_of_a_sheet_are_told_by_row(session: Session, tmp_path: Path) -> None:
    file = sheet(
        tmp_path / "e.csv",
        "name,shortName,valueType,domainType,aggregationType,code",
        "A,A,NUMBER,AGGREGATE,SUM,C",
        f"B,{'b' * 60},NUMBR,AGGREGATE,SUM,D",
    )
    with pytest.raises(UsageError, match=r"row 3: shortName: 60 characters.*row 3: valueType: 'NUMBR'"):
        await do(session, "metadata create", type="dataElements", from_=file)

    file = sheet(tmp_path / "e.csv", "name,shortName,valueType,domainType,aggregationType,code",
                 "A,A,NUMBER,AGGREGATE,SUM,C", "B,B,NUMBER,AGGREGATE,SUM,C")  # fmt: skip
    with pytest.raises(UsageError, match="row 2 and row 3 have the same code 'C'"):
        await do(session, "metadata create", type="dataElements", from_=file)


async def test_xlsx_and_json_give_the_same_objects(session: Session, tmp_path: Path) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(tmp_path / "g.xlsx"))
    page = book.add_worksheet()
    for number, row in enumerate([["name", "shortName", "code"], ["Group", "Group", 12]]):
        page.write_row(number, 0, row)
    book.close()
    rows = [{"name": "Group", "shortName": "Group", "code": "12"}]
    (tmp_path / "g.json").write_text(json.dumps({"dataElementGroups": rows}), "utf-8")

    for name in ("g.xlsx", "g.json"):
        plan = await do(session, "metadata create", DRY, type="dataElementGroups", from_=tmp_path / name)
        assert {key: value for key, value in plan.steps[0].after.items() if key != "id"} == rows[0]


async def test_many_at_once_are_planned_and_wait_for_a_yes(session: Session, tmp_path: Path) -> None:
    from dhis2sh.errors import NeedsConfirmation

    file = sheet(tmp_path / "g.csv", "name,shortName", "A,A", "B,B")
    with pytest.raises(NeedsConfirmation):
        await do(session, "metadata create", Consent(), type="dataElementGroups", from_=file)


async def test_a_second_run_of_a_file_finishes_the_first(session: Session, tmp_path: Path) -> None:
    rows = ["name,shortName,code", "A,A,GA", "B,B,GB"]
    await do(session, "metadata create", type="dataElementGroups", from_=sheet(tmp_path / "g.csv", *rows))
    more = {"type": "dataElementGroups", "from_": sheet(tmp_path / "g.csv", *rows, "C,C,GC")}

    with pytest.raises(UsageError, match=r"row 2: code GA is A \[\w+\] already"):
        await do(session, "metadata create", **more)
    plan = await do(session, "metadata create", DRY, **more, skip_existing=True)
    assert [step.name for step in plan.steps] == ["C"]
    assert plan.notes == ["2 are there already and are left out"]
    assert [row["name"] for row in plan.left_out] == ["A", "B"]

    nameless = {"type": "dataElementGroups", "from_": sheet(tmp_path / "n.csv", "name,shortName", "A,A", "D,D")}
    plan = await do(session, "metadata create", DRY, **nameless, skip_existing=True)
    assert [step.name for step in plan.steps] == ["D"], "a unique name says it too"


async def test_a_circle_of_parents_is_refused_before_the_server_fails_over_it(session: Session, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"ouCountry01 cannot be put under 'Ngele CHC' \[ouFacility1\]: that is a circle"
    ):
        await do(session, "metadata update", type="organisationUnits", uid="Country", set=["parent=Ngele CHC"])

    file = sheet(tmp_path / "u.csv", "name,shortName,openingDate,parent", "A,A,2020-01-01,B", "B,B,2020-01-01,A")
    with pytest.raises(UsageError, match="that is a circle"):
        await do(session, "metadata create", type="organisationUnits", from_=file)


async def test_a_file_is_created_whole_or_not_at_all(session: Session, tmp_path: Path) -> None:
    file = sheet(tmp_path / "g.csv", "name,shortName", "New,New", "Other,Vaccines")
    with pytest.raises(Refused, match="nothing was written: Other"):
        await do(session, "metadata create", type="dataElementGroups", from_=file)


async def test_an_update_from_a_sheet_leaves_the_rest_alone(session: Session, tmp_path: Path) -> None:
    file = sheet(tmp_path / "e.csv", "code,description", "DE_1,First", "DE_2,")
    plan = await do(session, "metadata update", DRY, type="dataElements", from_=file)

    assert [step.words() for step in plan.steps] == ["description: nothing -> 'First'"]
    assert plan.notes == ["1 already right"]


async def test_an_editor_gets_yaml_and_what_it_leaves_is_the_change(session: Session) -> None:
    def edit(text: str) -> str:
        assert "name: Remark" in text
        return text.replace("name: Remark", "name: Note")

    session.person = Somebody(edits=edit)
    plan = await do(session, "metadata update", DRY, type="dataElements", uid="Remark", edit=True)
    assert [step.words() for step in plan.steps] == ["name: 'Remark' -> 'Note'"]

    session.person = Somebody()
    with pytest.raises(UsageError, match="--edit wants a terminal"):
        await do(session, "metadata update", type="dataElements", uid="Remark", edit=True)


async def test_members_come_and_go_and_a_second_time_changes_nothing(session: Session) -> None:
    group = {"type": "dataElementGroups", "uid": "Vaccines"}

    assert (await do(session, "metadata add", **group, items=["Remark"])).updated == 1
    again = await do(session, "metadata add", DRY, **group, items=["Remark"])
    assert again.steps == []
    assert again.notes == ["1 is there already"]
    assert [(row["name"], row["reason"]) for row in again.left_out] == [("Remark", "there already")]
    assert again.title.startswith("nothing to add to dataElements of dataElementGroup 'Vaccines'")
    await do(session, "metadata remove", **group, items=["deText00001", "DE_1"])

    left = await do(session, "metadata members", **group)
    assert [row["name"] for row in left] == ["OPV doses given"]


async def test_a_clone_has_a_new_uid_and_shares_nothing_that_belongs_to_the_original(session: Session) -> None:
    session.sandbox_store().put_objects(
        {
            "options": [{"id": "opYes000001", "name": "Yes", "code": "Y"}],
            "optionSets": [
                {"id": "osYesNo0001", "name": "YN", "valueType": "TEXT", "options": [{"id": "opYes000001"}]}
            ],
        }
    )
    group = await do(session, "metadata clone", DRY, type="dataElementGroups", uid="Vaccines", name="Copy")
    assert group.steps[0].after["dataElements"] == [{"id": "deNumber001"}, {"id": "deNumber002"}]

    options = await do(session, "metadata clone", DRY, type="optionSets", uid="YN", name="Copy")
    assert "options" not in options.steps[0].after
    assert options.notes == ["options belong to the original: not in the copy"]


async def test_a_deletion_says_what_is_in_use_and_goes_from_the_leaves_up(session: Session) -> None:
    plan = await do(session, "metadata delete", DRY, type="organisationUnits", objects=["Bo", "Country", "Ngele CHC"])

    assert [step.name for step in plan.steps] == ["Ngele CHC", "Bo", "Country"]
    assert any("parent of 1 organisationUnits (Kono [ouDistrict2])" in note for note in plan.notes)


def test_a_property_that_this_server_does_not_have_is_said() -> None:
    before, now = facts.resources("v40")["programIndicators"], facts.resources("v42")["programIndicators"]
    [name, *_] = sorted(set(now.properties) - set(before.properties))

    with pytest.raises(UsageError, match=f"programIndicators have no property '{name}'"):
        values.property_of(before, name)


async def test_a_sheet_whose_objects_are_unknown_names_them_all_with_their_rows(
    session: Session, tmp_path: Path
) -> None:
    file = sheet(tmp_path / "units.csv", "code,openingDate", "OU_1,2020-01-01", "NO_1,2020-01-01", "NO_2,2020-01-01")
    with pytest.raises(NotFound) as missing:
        await do(session, "metadata organisation-units update", from_=file)
    assert "'NO_1' (row 3), 'NO_2' (row 4)" in missing.value.message
    file = sheet(tmp_path / "one.csv", "name,openingDate", "Ngele CHCC,2020-01-01")
    with pytest.raises(NotFound, match="row 2: none of the organisationUnits has the UID, code or name 'Ngele CHCC'"):
        await do(session, "metadata organisation-units update", from_=file)


@pytest.mark.parametrize("version", ["2.41", "2.42", "2.43", "2.44"])
async def test_a_visualization_is_changed_where_a_server_fails_over_patches(
    country: Session, country_home: Path, version: str
) -> None:
    """Recorded of 2.43 (analytics-favourites 8): PATCH is 500 there; one import changes it, and nothing else of it."""
    open_store(country_home / "data" / "sandbox.db", version=version).close()
    uid = (await country.client.list_page("visualizations", {"fields": "id"})).rows[0]["id"]

    async def shown() -> dict:
        fields = ":owner,!lastUpdated,!lastUpdatedBy,!periods,periods[id]"
        return await country.client.get_object(f"visualizations/{uid}", {"fields": fields})

    before = await shown()
    await do(country, "metadata update", type="visualizations", uid=uid, set=["name=Renamed here"])
    assert await shown() == {**before, "name": "Renamed here"}

    await do(country, "undo")
    assert await shown() == before


@pytest.mark.parametrize(("version", "blocked"), [("2.42", False), ("2.43", True)])
async def test_what_an_import_would_overwrite_is_seen_first(
    country: Session, country_home: Path, version: str, *, blocked: bool
) -> None:
    """A patch leaves alone what it does not name; an import of the whole object would take back what others did since."""
    open_store(country_home / "data" / "sandbox.db", version=version).close()
    found = (await country.client.list_page("visualizations", {"fields": ":owner"})).rows[0]
    plan = await planned(country, "metadata update", type="visualizations", uid=found["id"], set=["name=Renamed here"])
    await country.client.put(f"visualizations/{found['id']}", {**found, "description": "of somebody else"})
    assert plan.writer is not None
    assert bool(await plan.writer.moved(country)) == blocked
