"""Data values out, in and back again, on a nation of three clinics."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.data import jobs, sending
from dhis2sh.errors import NotFound, PartlyDone, PipelineError, Refused, ServerFault, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from tests.metadata.calls import call, do, planned

JANUARY = {"data_set": ["Monthly"], "period": ["202501"], "org_unit": ["Nation"], "children": True}


async def values(s: Session, **asked: object) -> dict[tuple[str, str, str, str], str]:
    """The values that are there, by element, combination, unit and period, all by name."""
    stream = await call(s, "data aggregate get", names=True, **{**JANUARY, **asked})
    rows = (await stream.collect()).plain()
    return {
        (row["dataElementName"], row["categoryOptionComboName"], row["orgUnitName"], row["period"]): str(row["value"])
        for row in rows
    }


def write(text: str, name: str = "values.csv") -> Path:
    path = Path(name)
    path.write_text(text, "utf-8")
    return path


# Out ------------------------------------------------------------------------------------------------------------------


async def test_values_come_with_names(s: Session):
    found = await values(s)
    assert len(found) == 9
    assert found["Visits", "Female", "Clinic A", "202501"] == "20"
    assert found["Colour", "default", "Clinic A", "202501"] == "RED"


async def test_a_year_stands_for_the_months_of_a_monthly_set(s: Session):
    """The server itself answers a question for 2025 with nothing, since no value has that period."""
    year = await values(s, period=["2025"])
    assert {period for *_, period in year} == {"202501", "202502", "202503"}
    assert year == await values(s, period=["202501", "202502", "202503"])


async def test_a_question_says_what_it_lacks(s: Session):
    for asked, lacks in (
        ({"data_set": []}, "which data"), ({"period": []}, "which time"), ({"org_unit": []}, "which organisation units"),
        ({"start_date": "2025-01-01", "end_date": "2025-02-01"}, "periods or dates"),
        ({"period": ["Jam 2025"]}, "'Jam 2025' is not a period"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=lacks):
            await call(s, "data aggregate get", **{**JANUARY, **asked})


async def test_units_without_values_say_what_lies_below_them(s: Session, monkeypatch: pytest.MonkeyPatch):
    notes: list[str] = []
    monkeypatch.setattr(s.person, "note", notes.append)
    stream = await call(s, "data aggregate get", **{**JANUARY, "org_unit": ["North"], "children": False})
    assert not (await stream.collect()).plain()
    assert notes == ["no values of these units themselves; 2 units right below: --children asks for all"]


async def test_periods_from_one_to_another(s: Session):
    assert {period for *_, period in await values(s, period=["202502..202503"])} == {"202502", "202503"}
    with pytest.raises(UsageError, match="202503 is after 202502") as caught:
        await values(s, period=["202503..202502"])
    assert caught.value.hint == "202502..202503"


async def test_a_stream_says_why_it_has_no_length(s: Session):
    stream = await call(s, "data aggregate get", **JANUARY)
    with pytest.raises(PipelineError, match="known when it has been read"):
        len(stream)
    assert stream
    await stream.aclose()


# In -------------------------------------------------------------------------------------------------------------------


async def test_a_long_sheet_with_names(s: Session):
    sheet = write(
        "Data element,Period,Facility,Disaggregation,Value\nVisits,202501,Clinic C,Male,8\nStock,202501,Clinic C,,3\n"
    )
    summary = await do(s, "data aggregate push", file=sheet)
    assert (summary.created, summary.updated, summary.failures) == (2, 0, [])
    found = await values(s)
    assert found["Visits", "Male", "Clinic C", "202501"] == "8"
    assert found["Stock", "default", "Clinic C", "202501"] == "3"


async def test_a_wide_sheet_of_periods_as_spreadsheets_of_many_countries_save_it(s: Session):
    sheet = write("orgUnit;202501;202502\nClinic A;11;12\nClinic B;-;13\n")
    summary = await do(s, "data aggregate push", file=sheet, data_element="Stock")
    assert (summary.created, summary.updated) == (2, 1)
    found = await values(s, period=["202501", "202502"])
    assert found["Stock", "default", "Clinic B", "202502"] == "13"
    assert ("Stock", "default", "Clinic B", "202501") not in found


async def test_a_wide_sheet_of_elements_and_their_combinations(s: Session):
    sheet = write("unit,month,Visits | Male,Visits | Female,Temperature\nClinic C,202501,4,5,36.6\n")
    await do(s, "data aggregate push", file=sheet)
    found = await values(s)
    assert found["Visits", "Male", "Clinic C", "202501"] == "4"
    assert found["Temperature", "default", "Clinic C", "202501"] == "36.6"


async def test_an_envelope_of_json_speaks_for_all_of_its_values(s: Session):
    body = {"period": "202503", "orgUnit": "ouClinicB01", "dataValues": [{"dataElement": "deStock0001", "value": "5"}]}
    await do(s, "data aggregate push", file=write(json.dumps(body), "values.json"))
    assert (await values(s, period=["202503"]))["Stock", "default", "Clinic B", "202503"] == "5"


async def test_rows_of_a_pipeline(s: Session):
    rows = Rows([{"dataElement": "Stock", "period": 202503, "orgUnit": "Clinic B", "value": 6.0}])
    await do(s, "data aggregate push", values=rows)
    assert (await values(s, period=["202503"]))["Stock", "default", "Clinic B", "202503"] == "6"


@pytest.mark.parametrize(("row", "reason"), [
    ("Vists,202501,Clinic A,Male,1", "there is no data element with the UID, code or name 'Vists'"),
    ("Visits,202501,Clinic Z,Male,1", "there is no organisation unit"),
    ("Visits,2025W1,Clinic A,Male,1", "reported Monthly, and 2025W1 is Weekly"),
    ("Visits,Jan,Clinic A,Male,1", "'Jan' is not a period"),
    ("Visits,202501,Nation,Male,1", "'Nation' is not assigned to 'Monthly'"),
    ("Visits,202501,Clinic A,,1", "given by category option combination: 'Female', 'Male'"),
    ("Visits,202501,Clinic A,Other,1", "no category option combination 'Other'"),
    ("Visits,202501,Clinic A,Male,n/a", "'Visits' wants a number"),
    ("Visits,202501,Clinic A,Male,1.5e2", "'Visits' wants a number"),
    ("Colour,202501,Clinic A,,red", "'red' is no option of 'Colour'"),
    ("Power is on,202501,Clinic A,,maybe", "wants true or false"),
    ("Visits,199912,Clinic A,Male,1", "'Clinic A' opened on 2000-01-01, after 199912"),
    ("Stock,202501,Clinic A,,", "no value"),
    (",202501,Clinic A,,1", "no data element"),
])  # fmt: skip
async def test_a_wrong_row_is_refused_with_its_reason_and_can_be_mended(s: Session, row: str, reason: str):
    """And the right row beside it is written all the same: nothing is lost, nothing silent."""
    sheet = write(f"dataElement,period,orgUnit,categoryOptionCombo,value\nStock,202502,Clinic A,,9\n{row}\n")
    with pytest.raises(PartlyDone) as caught:
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"))
    assert reason in str(caught.value)
    assert (await values(s, period=["202502"]))["Stock", "default", "Clinic A", "202502"] == "9"
    (refused,) = csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines())
    assert refused["row"] == "3"
    assert reason in refused["reason"]
    with pytest.raises(Refused, match="none of the 1 rows can be sent"):
        await do(s, "data aggregate push", file=Path("mend.csv"))


async def test_two_values_for_one_cell_are_both_refused(s: Session):
    """Nobody but the person who wrote them knows which is meant."""
    sheet = write(
        "dataElement,period,orgUnit,value\nStock,202501,Clinic A,1\nStock,202501,Clinic B,2\ndeStock0001,202501,Clinic A,3\n"
    )
    with pytest.raises(PartlyDone, match="row 4 has another value for the same cell"):
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"))
    rows = list(csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines()))
    assert sorted((row["row"], row["orgUnit"], row["value"]) for row in rows) == [
        ("2", "Clinic A", "1"), ("4", "Clinic A", "3"),
    ]  # fmt: skip
    found = await values(s)
    assert found["Stock", "default", "Clinic A", "202501"] == "100"
    assert found["Stock", "default", "Clinic B", "202501"] == "2"


async def test_a_dry_run_asks_the_server_and_writes_nothing(s: Session):
    before = await values(s)
    plan = await planned(
        s, "data aggregate push", file=write("dataElement,period,orgUnit,value\nStock,202501,Clinic A,1\n")
    )
    assert "the server would create 0, update 1, delete 0; 0 hold these values already" in plan.notes
    assert [(step.name, step.detail) for step in plan.steps] == [("Stock, Clinic A, 202501", "100 -> 1")]
    assert await values(s) == before


@pytest.mark.parametrize(("text", "why"), [
    ("dataElement,period,value\nStock,202501,1\n", "no column says the orgUnit"),
    ("orgUnit,202501,Stock\nClinic A,1,1\n", "some columns are periods"),
    ("de,dataElement,period,orgUnit,value\nStock,Stock,202501,Clinic A,1\n", "both hold the dataElement"),
    ("name\nx\n", "no column holds values"),
])  # fmt: skip
async def test_a_sheet_that_cannot_be_read_is_refused_whole(s: Session, text: str, why: str):
    with pytest.raises(UsageError, match=why):
        await do(s, "data aggregate push", file=write(text))


async def test_rows_that_are_there_already_are_no_failure_beside_refused_ones(s: Session):
    """Sent again with what was refused the first time, a sheet ends as partly done and not as refused."""
    sheet = write("dataElement,period,orgUnit,value\nStock,202501,Clinic A,100\nStock,202501,Clinic B,n/a\n")
    with pytest.raises(PartlyDone, match=r"1 ignored.*1 refused") as told:
        await do(s, "data aggregate push", file=sheet)
    assert "undo" not in str(told.value.hint), "it has changed nothing"


def test_refused_rows_are_told_once(nation_home: Path, capsys: pytest.CaptureFixture[str]):
    """On standard output stands what was written and refused; the error says the counts and the first reason alone."""
    write("dataElement,period,orgUnit,value\nStock,202501,Clinic A,5\nNowhere,202501,Clinic A,6\n", "some.csv")
    assert cli.run(["-p", "sandbox", "data", "aggregate", "push", "some.csv", "-y"]) == PartlyDone.exit_code
    out, err = capsys.readouterr()
    assert out.count("refused.csv") == 1
    assert "refused.csv" not in err
    assert "1 refused: row 3: there is no data element" in err


@pytest.mark.parametrize(
    ("rows", "code", "why"),
    [
        (
            "Stock,202501,Clinic A,5\nNowhere,202501,Clinic A,6\n",
            PartlyDone.exit_code,
            "1 of 2 rows would be refused: 1 row (first: row 3): there is no data element",
        ),
        ("Stock,202501,Clinic A,5\n", 0, ""),
        ("Nowhere,202501,Clinic A,6\n", Refused.exit_code, "none of the 1 rows can be sent"),
    ],
)
def test_a_dry_run_of_which_rows_would_be_refused_ends_as_the_push_would(
    nation_home: Path, capsys: pytest.CaptureFixture[str], rows: str, code: int, why: str
):
    write(f"dataElement,period,orgUnit,value\n{rows}", "some.csv")
    line = ["-p", "sandbox", "data", "aggregate", "push", "some.csv"]
    assert cli.run([*line, "--dry-run"]) == code
    assert why in capsys.readouterr().err
    assert cli.run([*line, "-y"]) == code


@pytest.mark.parametrize(
    ("good", "code"), [("Stock,202501,Clinic A,5\n", PartlyDone.exit_code), ("", Refused.exit_code)]
)
def test_so_does_one_of_which_the_server_refuses_rows(
    nation_home: Path, capsys: pytest.CaptureFixture[str], good: str, code: int, monkeypatch: pytest.MonkeyPatch
):
    """What is found out by the server alone: here the row's number comes from its conflicts."""
    with monkeypatch.context() as sure:
        sure.setattr("dhis2sh.data.loading.refusals", lambda *_: {len(good and "x"): "it is locked"})
        write(f"dataElement,period,orgUnit,value\n{good}Stock,202501,Clinic B,6\n", "some.csv")
        assert cli.run(["-p", "sandbox", "data", "aggregate", "push", "some.csv", "--dry-run"]) == code
    err = capsys.readouterr().err
    assert "would be refused: the server will refuse row" in err and "it is locked" in err


async def test_an_empty_file_is_no_success(s: Session):
    with pytest.raises(NotFound, match="there is no value"):
        await do(s, "data aggregate push", file=write("dataElement,period,orgUnit,value\n"))


@pytest.mark.parametrize("name", ["kept.csv", "kept.json", "kept.adx", "kept.xml", "kept.csv.gz"])
async def test_an_export_of_nothing_leaves_the_file_that_is_there(s: Session, name: str):
    path = write("orgUnit,202501\nClinic A,5\n", name)
    held = path.read_bytes()
    with pytest.raises(NotFound, match="left as it was"):
        await do(s, "data aggregate export", file=path, **{**JANUARY, "period": ["190001"]})
    assert path.read_bytes() == held
    await do(s, "data aggregate export", file=path, **JANUARY)
    assert path.read_bytes() != held
    assert [one.name for one in Path().glob("*kept*")] == [name]


# And back -------------------------------------------------------------------------------------------------------------


async def test_undo_brings_every_cell_back(s: Session):
    before = await values(s, period=["2025"])
    sheet = write("orgUnit,202501,202502\nClinic A,1,2\nClinic B,3,4\n")
    await do(s, "data aggregate push", file=sheet, data_element="Stock")
    assert await values(s, period=["2025"]) != before
    await do(s, "undo")
    assert await values(s, period=["2025"]) == before


@pytest.mark.parametrize("refused_by", ["us", "server"])
async def test_an_attempt_that_wrote_nothing_is_not_taken_for_the_write_before(
    s: Session, refused_by: str, monkeypatch: pytest.MonkeyPatch
):
    """A refused push, and then `undo -y`: a write that has nothing to do with it must not go."""

    async def refuse(*_: object) -> None:
        raise Refused("the period is closed", code="E7643")

    head = "dataElement,period,orgUnit,value\n"
    await do(s, "data aggregate push", file=write(f"{head}Stock,202501,Clinic A,1\n"))
    if refused_by == "us":
        with pytest.raises(Refused):
            await do(s, "data aggregate push", file=write(f"{head}Stock,202501,Nowhere,2\n", "bad.csv"))
    else:
        with monkeypatch.context() as patch, pytest.raises(Refused):
            patch.setattr(sending.Values, "send", refuse)
            await do(s, "data aggregate push", file=write(f"{head}Stock,202502,Clinic A,2\n", "late.csv"))
    before = await values(s)

    with pytest.raises(Refused, match="the last attempt, entry 2, wrote nothing") as told:
        await do(s, "undo")
    assert str(told.value.hint).startswith("dhis2 undo 1  takes back the write before it: import 1 data value")
    assert await values(s) == before
    await do(s, "undo", id=1)
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "100"
    with pytest.raises(NotFound, match="nothing to take back"):
        await do(s, "undo")


async def test_undo_leaves_what_somebody_has_changed_since(s: Session):
    await do(s, "data aggregate push", file=write("orgUnit,202501\nClinic A,1\nClinic B,3\n"), data_element="Stock")
    await s.client.data_values.save_bulk(
        [{"dataElement": "deStock0001", "period": "202501", "orgUnit": "ouClinicB01", "value": "77"}]
    )
    plan = await planned(s, "undo")
    told = "1 cell changed again since: Stock, Clinic B, 202501"
    assert f"{told}; left alone (--force takes them back too)" in plan.notes
    assert [(step.name, step.detail) for step in plan.steps] == [("Stock, Clinic A, 202501", "1 -> 100")]
    await do(s, "undo")
    found = await values(s)
    assert found["Stock", "default", "Clinic A", "202501"] == "100"
    assert found["Stock", "default", "Clinic B", "202501"] == "77"


async def test_without_the_values_before_nothing_is_promised(s: Session):
    sheet = write("dataElement,period,orgUnit,value\nStock,202501,Clinic A,1\n")
    await do(s, "data aggregate push", file=sheet, no_undo=True)
    with pytest.raises(Refused, match="the values before were not kept"):
        await do(s, "undo")


async def test_one_value(s: Session):
    await do(s, "data aggregate set", element="Visits", period="202501", org_unit="Clinic B", value="6", combo="Male")
    [row] = (await call(s, "journal show")).plain()
    assert (row["name"], row["changes"]) == ("Visits, Male, Clinic B, 202501", "5 -> 6")
    assert (await call(s, "journal list")).plain()[0]["title"] == "set Visits, Male, Clinic B, 202501 to 6"
    [step] = (await planned(s, "undo")).steps
    assert (step.name, step.detail) == ("Visits, Male, Clinic B, 202501", "6 -> 5")
    assert (await values(s))["Visits", "Male", "Clinic B", "202501"] == "6"
    await do(s, "undo")
    assert (await values(s))["Visits", "Male", "Clinic B", "202501"] == "5"


async def test_deleting_and_undoing_it(s: Session):
    before = await values(s)
    summary = await do(s, "data aggregate delete", **{**JANUARY, "org_unit": ["Clinic A"]})
    assert summary.deleted == 6
    assert {unit for _, _, unit, _ in await values(s)} == {"Clinic B", "Clinic C"}
    await do(s, "undo")
    assert await values(s) == before


# A job is the folder of its parts -------------------------------------------------------------------------------------


async def test_the_same_line_finishes_what_was_cut_off(s: Session, monkeypatch: pytest.MonkeyPatch):
    """Parts that were answered are not sent again; the one without an answer is."""
    monkeypatch.setattr(jobs, "ROWS_IN_ONE_PART", 1)
    rows = [f"Stock,2025{month:02},Clinic B,{month}" for month in range(1, 5)]
    sheet = write("\n".join(["dataElement,period,orgUnit,value", *rows]))
    before = await values(s, period=["2025"])
    sent: list[list[object]] = []
    write_ = s.client.write

    async def breaking(method: str, path: str, body: object = None, *args: object, **more: object) -> object:
        if isinstance(body, dict) and path == "dataValueSets":
            sent.append([row["period"] for row in body["dataValues"]])
            if len(sent) == 3:
                raise ServerFault("504 Gateway Timeout", status=504)
        return await write_(method, path, body, *args, **more)

    monkeypatch.setattr(s.client, "write", breaking)
    with pytest.raises(PartlyDone, match="then it was cut off"):
        await do(s, "data aggregate push", file=sheet)
    summary = await do(s, "data aggregate push", file=sheet)
    assert sent == [["202501"], ["202502"], ["202503"], ["202503"], ["202504"]]
    assert summary.created == 2
    found = await values(s, period=["2025"])
    assert [found["Stock", "default", "Clinic B", f"2025{month:02}"] for month in range(1, 5)] == ["1", "2", "3", "4"]
    summary = await do(s, "undo")
    assert "more of this load is in entry 1: dhis2 undo 1" in summary.note
    await do(s, "undo")
    assert await values(s, period=["2025"]) == before


# Between servers and files --------------------------------------------------------------------------------------------


async def test_a_file_is_compared_with_a_server_cell_by_cell(s: Session):
    sheet = write(
        "dataElement,period,orgUnit,value\nStock,202501,Clinic A,100\nTemperature,202501,Clinic A,21\nStock,202501,Clinic C,1\n"
    )
    asked = {**JANUARY, "data_set": [], "data_element": ["Stock", "Temperature"]}
    stream = await call(s, "data aggregate diff", left=str(sheet), right="sandbox", names=True, **asked)
    rows = (await stream.collect()).plain()
    told = {
        (row["dataElementName"], row["orgUnitName"]): (row["left"], row["right"], row["difference"]) for row in rows
    }
    assert told == {
        ("Temperature", "Clinic A"): ("21", "20", "other value"),
        ("Temperature", "Clinic B"): (None, "25", "only right"),
        ("Stock", "Clinic C"): ("1", None, "only left"),
    }


async def test_values_of_numbers_are_numbers_for_every_stage(s: Session):
    """As texts 5 came before 40, and `value == 20` found nothing."""
    stream = await call(s, "data aggregate get", **JANUARY)
    found = {type(row["value"]) for row in (await stream.collect()).plain() if row["dataElement"] == "deVisits001"}
    assert found == {int}
    stream = await call(s, "data aggregate get", as_text=True, **JANUARY)
    assert {type(row["value"]) for row in (await stream.collect()).plain()} == {str}


async def test_a_point_in_a_sheet_of_decimal_commas_is_not_guessed(s: Session):
    sheet = write(
        "dataElement;period;orgUnit;value\nTemperature;202501;Clinic A;1.234\nTemperature;202501;Clinic B;12,5\n"
    )
    with pytest.raises(Refused, match="none of the 2 rows"):
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"))
    assert "may be a thousand times as much" in Path("mend.csv").read_text("utf-8")


async def test_names_are_taken_as_everywhere_else(s: Session):
    await do(s, "data aggregate push", file=write("dataElement,period,orgUnit,value\nstock,202501,clinic  a,7\n"))
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "7"


async def test_an_undo_that_finds_nothing_to_do_goes_on_to_no_other_write(s: Session):
    same = write("dataElement,period,orgUnit,value\nStock,202501,Clinic A,100\n", "same.csv")
    await do(s, "data aggregate push", file=write("dataElement,period,orgUnit,value\nTemperature,202501,Clinic A,1\n"))
    await do(s, "data aggregate push", file=same)
    before = await values(s)
    with pytest.raises(
        Refused, match=r"entry 2 .* has nothing to take back: .* the values were there before it"
    ) as told:
        await do(s, "undo")
    assert str(told.value.hint).startswith("dhis2 undo 1  takes back the write before it")
    assert await values(s) == before


async def test_a_load_that_changed_nothing_is_never_taken_back_not_even_by_force(s: Session):
    """The same file twice, and `undo` until nothing is left: `undo 2 --force` would write again what was taken back."""
    before = await values(s)
    sheet = write("dataElement,period,orgUnit,value\nStock,202501,Clinic A,5\nStock,202502,Clinic B,6\n")
    for _ in range(2):
        await do(s, "data aggregate push", file=sheet)
    await do(s, "undo", id=1)
    assert await values(s) == before
    for more in ({"id": 2}, {"id": 2, "force": True}):
        plan = await planned(s, "undo", **more)
        assert not plan.steps
        assert plan.blocked is None
        assert "the values were there before it" in plan.notes[0]
    assert await values(s) == before


async def test_only_what_a_load_changed_is_taken_back(s: Session):
    """Of two cells the second load changes one; the other is the first load's, and stays whatever --force says."""
    head = "dataElement,period,orgUnit,value\n"
    first = write(f"{head}Stock,202501,Clinic A,5\nStock,202502,Clinic B,6\n", "first.csv")
    second = write(f"{head}Stock,202501,Clinic A,5\nStock,202502,Clinic B,7\n", "second.csv")
    for sheet in (first, second):
        await do(s, "data aggregate push", file=sheet)
    for force in (False, True):
        [step] = (await planned(s, "undo", force=force)).steps
        assert step.detail == "7 -> 6"


async def test_months_as_spreadsheets_write_them(s: Session):
    await do(
        s,
        "data aggregate push",
        file=write("orgUnit,Jan-25,February 2025,03/2025\nClinic A,1,2,3\n"),
        data_element="Stock",
    )
    found = await values(s, period=["2025"])
    assert [found["Stock", "default", "Clinic A", f"20250{month}"] for month in (1, 2, 3)] == ["1", "2", "3"]
    with pytest.raises(UsageError, match="some columns are periods"):
        await do(s, "data aggregate push", file=write("orgUnit,Jan-25,Jam-25\nClinic A,1,2\n"), data_element="Stock")


# Zeros that mean nothing ----------------------------------------------------------------------------------------------


async def test_a_zero_that_the_server_does_not_keep_is_said_and_is_no_cut(s: Session):
    """The server stores no such zero and does not count it: the load is done all the same."""
    sheet = write(
        "dataElement,period,orgUnit,categoryOptionCombo,value\nVisits,202506,Clinic C,Male,0\nVisits,202506,Clinic C,Female,4\n"
    )
    plan = await planned(s, "data aggregate push", file=sheet)
    assert "1 zero that the server does not keep" in plan.notes
    summary = await do(s, "data aggregate push", file=sheet)
    assert (summary.created, summary.note) == (1, "1 zero that the server does not keep")
    assert await values(s, period=["202506"]) == {("Visits", "Female", "Clinic C", "202506"): "4"}


async def test_the_journal_counts_what_was_done_without_zeros_that_were_not_kept(s: Session):
    """One of the zeros deletes a value, which is a change; the other one changes nothing."""
    sheet = write(
        "dataElement,period,orgUnit,categoryOptionCombo,value\n"
        "Visits,202506,Clinic C,Male,0\nVisits,202506,Clinic C,Female,4\nVisits,202501,Clinic A,Female,0\n"
    )
    before = await values(s)
    summary = await do(s, "data aggregate push", file=sheet)
    assert (summary.created, summary.deleted, summary.note) == (1, 1, "1 zero that the server does not keep")
    (entry, *_) = journal_of(s).entries()
    assert (entry.states, entry.outcome) == ({"done": 2}, "done")
    shown = (await call(s, "journal show")).plain()
    assert "Male" not in str(shown) and "Female" in str(shown)
    await do(s, "undo")
    assert await values(s) == before


async def test_one_value_that_is_such_a_zero(s: Session):
    summary = await do(
        s, "data aggregate set", element="Visits", period="202506", org_unit="Clinic C", value="0", combo="Male"
    )
    assert summary.note == "1 zero that the server does not keep"
    (entry, *_) = journal_of(s).entries()
    assert (entry.states, entry.outcome, entry.wrote) == ({}, "unchanged", False)
    with pytest.raises(Refused, match=r"wrote nothing .*1 zero that the server does not keep"):
        await do(s, "undo")


async def test_a_zero_over_a_value_deletes_it_and_undo_brings_it_back(s: Session):
    before = await values(s)
    sheet = write("dataElement,period,orgUnit,categoryOptionCombo,value\nVisits,202501,Clinic A,Female,0\n")
    plan = await planned(s, "data aggregate push", file=sheet)
    assert [step.detail for step in plan.steps] == ["20 -> nothing"]
    assert (await do(s, "data aggregate push", file=sheet)).deleted == 1
    await do(s, "undo")
    assert await values(s) == before


async def test_a_zero_that_deletes_says_why(s: Session):
    cell = {"element": "Visits", "period": "202501", "org_unit": "Clinic A", "combo": "Female"}
    plan = await planned(s, "data aggregate set", **cell, value="0")
    assert (
        "1 zero deletes the value that is there: the server keeps no zero of 'Visits', whose zeros are not significant"
        in plan.notes
    )


async def test_a_zero_of_an_average_is_kept(s: Session):
    """Whatever zeroIsSignificant says: an average of them needs it (the server's rule; conformance of the sandbox)."""
    cell = {"element": "Temperature", "period": "202506", "org_unit": "Clinic C"}
    assert (await do(s, "data aggregate set", **cell, value="0")).created == 1
    assert await values(s, period=["202506"]) == {("Temperature", "default", "Clinic C", "202506"): "0"}
    await do(s, "undo")
    assert await values(s, period=["202506"]) == {}


@pytest.mark.parametrize("held", [False, True])
async def test_later_versions_keep_every_zero_and_undo_takes_it_back(nation_home: Path, held: bool):
    """Seen on 2.43: 23 rows with such a zero are 22 updates and a refusal, and it is read back (data-types-good 2, 3)."""
    open_store(nation_home / "data" / "sandbox.db", version="2.43").close()
    session = Session("sandbox")
    period = "202501" if held else "202506"
    before = await values(session, period=[period])
    cell = {"element": "Visits", "period": period, "org_unit": "Clinic A", "combo": "Female"}
    plan = await planned(session, "data aggregate set", **cell, value="0")
    assert [step.detail for step in plan.steps] == ["20 -> 0" if held else "0"]
    await do(session, "data aggregate set", **cell, value="0")
    assert (await values(session, period=[period]))["Visits", "Female", "Clinic A", period] == "0"
    await do(session, "undo")
    assert await values(session, period=[period]) == before
    await session.aclose()


async def test_what_an_unanswered_part_has_written_is_counted_by_what_was_there(
    s: Session, monkeypatch: pytest.MonkeyPatch
):
    write_ = s.client.write

    async def cutting(method: str, path: str, body: object = None, *args: object, **more: object) -> object:
        found = await write_(method, path, body, *args, **more)
        if path == "dataValueSets" and "dryRun" not in str(args) + str(more):
            raise ServerFault("504 Gateway Timeout", status=504)
        return found

    monkeypatch.setattr(s.client, "write", cutting)
    sheet = write("dataElement,period,orgUnit,value\nStock,202501,Clinic A,1\nStock,202501,Clinic C,2\n")
    try:
        summary = await do(s, "data aggregate push", file=sheet)
        told = summary.line()
    except PartlyDone as error:
        told = str(error)
    assert "1 created" in told and "1 updated" in told


async def on_2_43(s: Session) -> None:
    """Take the server for a 2.43."""
    s.client._server = replace(await s.client.server(), version="2.43.1")


@pytest.mark.parametrize("asked", [
    {"data_set": ["dsGone00001"]}, {"data_element": ["deGone00001"]}, {"org_unit": ["ouGone00001"]},
])  # fmt: skip
async def test_what_is_not_there_is_no_empty_list_on_2_43(s: Session, asked: dict):
    """It answers 200 with no values to what it does not know (seen-2026-11-29, versions; v43 data-out-errors 9 to 11)."""
    await on_2_43(s)
    asked = {"data_set": ["Monthly"], "org_unit": ["Clinic A"], **asked}
    with pytest.raises(NotFound, match="Gone"):
        await call(s, "data aggregate get", period=["202501"], **asked)
    asked.pop("data_set") if "data_element" in asked else None
    with pytest.raises(NotFound, match="Gone"):
        await call(s, "audit data-values", period=["202501"], **asked)


async def test_a_value_is_sent_with_a_data_set_that_takes_it(s: Session):
    """A 2.43 refuses all of an import whose rows are not of the data set that it names: a week is no month."""
    store = s.sandbox_store()
    (monthly,) = store.objects("dataSets").values()
    link = {"dataElement": {"id": "deStock0001"}, "dataSet": {"id": "dsWeekly001"}}
    weekly = {**monthly, "id": "dsWeekly001", "name": "Weekly", "periodType": "Weekly", "dataSetElements": [link]}
    store.put_objects({"dataSets": [weekly]})
    await on_2_43(s)
    text = "dataElement,period,orgUnit,value\nStock,202503,Clinic B,5\nStock,2025W10,Clinic B,6\n"
    plan = await planned(s, "data aggregate push", file=write(text))
    job = plan.writer.job
    heads = {rows[0]["period"]: head["dataSet"] for head, rows in map(job.content, job.left())}
    assert heads == {"202503": "dsMonthly01", "2025W10": "dsWeekly001"}
    await do(s, "data aggregate push", file=write(text))
    job = (await planned(s, "undo")).writer.job
    assert {job.content(part)[0]["dataSet"] for part in job.left()} == {"dsMonthly01", "dsWeekly001"}


@pytest.mark.parametrize(
    ("said", "why", "instead"),
    [
        ({}, "'Visits' is given by category option combination: 'Female'", "--combo 'Female'"),
        ({"combo": "Mal"}, "there is no category option combination 'Mal'", "--combo 'Male'"),
        ({"combo": "Male", "period": "2025"}, "is reported Monthly, and 2025 is Yearly", "the period 202501 to 202512 in place of 2025"),
        ({"combo": "Male", "period": "20250102"}, "is reported Monthly, and", "the period 202501 in place of 20250102"),
        ({"combo": "Male", "value": "many"}, "wants a number", "dhis2 data aggregate set --help"),
        ({"combo": "Male", "attribute_combo": "Male"}, "is no attribute option combination of", "leave --attribute-combo out"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_one_value_is_said_of_it_alone(
    s: Session, said: dict[str, str], why: str, instead: str
):
    """Nobody mends one value in a copy of a file."""
    cell = {"element": "Visits", "period": "202501", "org_unit": "Clinic B", "value": "6", **said}
    plan = await planned(s, "data aggregate set", **cell)
    assert plan.blocked is not None and why in str(plan.blocked)
    assert (plan.blocked.hint, plan.notes, plan.leave) == (instead, [], None)
    assert "row" not in str(plan.blocked)
