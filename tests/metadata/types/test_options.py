"""Options of a set: made those of a file, and found."""

import io
import json
import sys
from pathlib import Path

import pytest

from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from tests.fakes.person import Somebody
from tests.metadata.calls import DRY, YES, call
from tests.shared import needs_shared

SYNC, FIND = "metadata options sync", "metadata options find"


async def planned(session: Session, text: str, set: str = "Water sources", **arguments: object) -> Plan:
    file = Path("options.csv")
    file.write_text(text, "utf-8")
    plan = await call(session, SYNC, DRY, option_set=set, file=file, **arguments)
    assert isinstance(plan, Plan)
    return plan


async def options_of(session: Session, set: str = "Water sources") -> list[tuple[object, object]]:
    rows = to_json(await call(session, FIND, text="", option_set=set))
    return [(row["code"], row["displayName"]) for row in rows]  # type: ignore[union-attr, index]


AS_IT_IS = "code,name\nPIPED,Piped water\nBOREHOLE,Borehole\nWELL,Protected well\nRIVER,River\n"


async def test_a_file_that_says_what_is_there_changes_nothing(country: Session):
    plan = await planned(country, AS_IT_IS)
    assert plan.steps == []
    assert plan.notes == ["4 already right"]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + AS_IT_IS,
        AS_IT_IS.replace(",", ";"),
        AS_IT_IS.replace(",", "\t"),
        "name,code\n Piped water ,PIPED \nBorehole,BOREHOLE\nProtected well,WELL\nRiver,RIVER\n",
        AS_IT_IS.replace("code,name", "Code,Name").replace("\n", "\r\n"),
    ],
    ids=["byte order mark", "semicolons", "tabs", "another order, spaces", "capitals, Windows"],
)
async def test_files_of_every_spreadsheet(country: Session, text: str):
    assert (await planned(country, text)).steps == []


async def test_options_are_renamed_moved_and_made(country: Session):
    text = "code,name\nRAIN,Rain\nWELL,Protected well\nPIPED,Tap\nBOREHOLE,Borehole\n"
    plan = await planned(country, text)
    assert plan.notes == [
        "1 new, 1 changed, 3 only moved",
        "not in the file, they stay at the end (--delete-missing deletes them): River",
    ]
    done = await call(country, SYNC, YES, option_set="Water sources", file="options.csv")
    assert isinstance(done, WriteSummary)
    assert (done.created, done.updated, done.deleted) == (1, 4, 0)
    assert await options_of(country) == [
        ("RAIN", "Rain"), ("WELL", "Protected well"), ("PIPED", "Tap"), ("BOREHOLE", "Borehole"), ("RIVER", "River"),
    ]  # fmt: skip
    assert (await planned(country, text)).steps == []


async def test_what_the_file_has_not_is_deleted_when_asked(country: Session):
    before = await options_of(country)
    plan = await planned(country, "code\nPIPED\nWELL\n", delete_missing=True)
    assert [(step.action, step.name) for step in plan.steps] == [
        ("delete", "Borehole"),
        ("delete", "River"),
        ("also update", "Safe water"),
        ("also update", "Water sources"),
    ], "the server takes them out of their group and their set by itself"
    await call(country, SYNC, YES, option_set="Water sources", file="options.csv", delete_missing=True)
    assert await options_of(country) == [("PIPED", "Piped water"), ("WELL", "Protected well")]
    await call(country, "undo", YES)
    assert sorted(map(str, await options_of(country))) == sorted(map(str, before))


async def test_a_code_changes_where_the_row_has_the_id(country: Session):
    plan = await planned(country, "id,code,name\nXZ9wceVWidK,STREAM,River\n")
    change = next(step for step in plan.steps if step.uid == "XZ9wceVWidK")
    assert "code: 'RIVER' -> 'STREAM'" in change.words()
    assert any("1 code change: data that hold the old one keep it" in note for note in plan.notes)


async def test_a_code_that_differs_by_capitals_is_most_likely_a_slip(country: Session):
    with pytest.raises(UsageError, match="'Protected well' is the name of") as error:
        await planned(country, AS_IT_IS.replace("WELL", "well"))
    assert error.value.hint == "did you mean the code 'WELL'?"
    plan = await planned(country, AS_IT_IS.replace("WELL,Protected well", "well,Well"))
    assert "the new code 'well' looks like 'WELL', which the file has not" in plan.notes


async def test_options_come_from_standard_input(country: Session):
    country.person = Somebody(reads=AS_IT_IS)
    plan = await call(country, SYNC, DRY, option_set="Water sources", file="-")
    assert isinstance(plan, Plan)
    assert plan.title.endswith("those of standard input")
    assert plan.steps == []
    country.person = Somebody(reads=json.dumps([{"code": "PIPED"}]))
    plan = await call(country, SYNC, DRY, option_set="Water sources", file="-")
    assert isinstance(plan, Plan)
    assert plan.steps == []


def test_the_command_line_reads_standard_input(
    country_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", io.StringIO("code,name\nM,Man\nF,Woman\n"))
    assert cli.run(["metadata", "options", "sync", "Sexes", "-", "-p", "sandbox", "--yes"]) == 0
    assert capsys.readouterr().out.startswith("options: 2 updated")


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("code,name\nA,a\nB,b\nA,c\n", "rows 2 and 4 have the same code 'A'", None),
        ("code,name\nA,a\nB,a\n", "rows 2 and 3 have the same name 'a'", None),
        ("code,name\n,a\n", "row 2 of options.csv has no code", None),
        ("name\na\n", "row 2 of options.csv has no code", "columns: code,name"),
        ("cod,name\nA,a\n", "no property 'cod'", "did you mean code?"),
        ("code,nam\nA,a\n", "no property 'nam'", "did you mean name?"),
        ("code,name\nA,a,b\n", "line 2 has more cells than the header", "quote cells with commas"),
        ("code,name\n", "has no rows", None),
        ("id,code\nXZ9wceVWid0,A\n", "no option of 'Water sources' .* has the id XZ9wceVWid0", None),
    ],
)
async def test_a_file_that_is_wrong_says_where(country: Session, text: str, says: str, hint: str | None):
    with pytest.raises(UsageError, match=says) as error:
        await planned(country, text)
    assert hint is None or error.value.hint == hint


async def test_codes_fit_the_type_of_the_set(country: Session):
    numbers = {"id": "osNumbers01", "name": "Doses", "valueType": "INTEGER"}
    country.sandbox_store().put_objects({"optionSets": [numbers]})
    with pytest.raises(UsageError, match="the set holds INTEGER: no code of it can be two"):
        await planned(country, "code,name\n1,One\ntwo,Two\n", set="Doses")


@pytest.mark.parametrize(
    "text",
    ["code,name\nPIPED,Borehole\nBOREHOLE,Piped water\n", "code,name\nRAIN,River\n"],
    ids=["two names exchanged", "the name of one that goes"],
)
async def test_a_name_is_not_passed_on_in_one_import(country: Session, text: str):
    with pytest.raises(UsageError, match=r"a server refuses to give it to .* in the same import \(E4028\)"):
        await planned(country, text, delete_missing=True)


async def test_an_unknown_set_and_file(country: Session):
    with pytest.raises(NotFound) as error:
        await planned(country, AS_IT_IS, set="Water source")
    assert error.value.hint == "did you mean Water sources?"
    with pytest.raises(NotFound, match=r"there is no file nothing\.csv"):
        await call(country, SYNC, DRY, option_set="Water sources", file="nothing.csv")


async def test_options_are_found_with_their_set(country: Session):
    found = to_json(await call(country, FIND, text="female"))
    assert [(row["code"], row["optionSetName"]) for row in found] == [("F", "Sexes")]  # type: ignore[union-attr, index]
    assert to_json(await call(country, FIND, text="F")) != []
    assert to_json(await call(country, FIND, text="no such, option")) == []


@needs_shared
async def test_servers_that_count_from_zero_are_left_to_it(real_home: Path):
    session = Session("sandbox")
    Path("types.csv").write_text("code\nBCG\nMEASLES\nPOLIO\nDPT\nHEPB\n")
    plan = await call(session, SYNC, DRY, option_set="Vaccine type", file="types.csv")
    await session.aclose()
    assert isinstance(plan, Plan)
    assert plan.steps == []
