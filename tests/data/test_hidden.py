"""Rows and columns of a workbook that nobody sees: read and said, or left out where that is asked for."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dhis2sh.errors import NotFound, PartlyDone, UsageError
from dhis2sh.rows import sheets
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.sheets import Where
from dhis2sh.session import Session
from tests.data.test_aggregate import values
from tests.fakes.person import Somebody
from tests.metadata.calls import call, do, planned

LONG = [
    ["dataElement", "period", "orgUnit", "value", "comment"],
    ["Stock", "202502", "Clinic A", 1, "seen"],
    ["Stock", "202502", "Clinic B", 2, "not seen"],
    ["Stock", "202502", "Clinic C", 3, "not seen"],
]
READ = "2 hidden rows (3-4) and 1 hidden column (E) of sheet 'June' are read too; --skip-hidden leaves them out"
LEFT_OUT = "2 hidden rows (3-4) and 1 hidden column (E) of sheet 'June' are left out"


def workbook(
    rows: Sequence[Sequence[object]], lines: Sequence[int] = (), columns: str | None = None, *, sheet: bool = False
) -> Path:
    """A workbook with hidden lines (from 1), columns (`E:E`), or its sheet of rows hidden beside one that is empty."""
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook("hidden.xlsx")
    page = book.add_worksheet("June")
    for number, row in enumerate(rows):
        page.write_row(number, 0, row)
    page.autofilter(0, 0, len(rows) - 1, len(rows[0]) - 1)
    for number in lines:
        page.set_row(number - 1, None, None, {"hidden": True})
    if columns is not None:
        page.set_column(columns, None, None, {"hidden": True})
    if sheet:
        book.add_worksheet("Cover").activate()
        page.hide()
    book.close()
    return Path("hidden.xlsx")


async def february(s: Session) -> dict[str, str]:
    """The stock of February by unit, and nothing else."""
    found = await values(s, period=["202502"], data_set=[], data_element=["Stock"])
    return {unit: value for (_, _, unit, _), value in found.items()}


async def test_hidden_rows_and_columns_are_read_and_said_in_the_plan_and_behind_it(s: Session):
    before = await february(s)
    book = workbook(LONG, [3, 4, 9], "E:E")
    assert READ in (await planned(s, "data aggregate push", file=book)).notes
    summary = await do(s, "data aggregate push", file=book)
    assert READ in (summary.note or "")
    assert await february(s) == {**before, "Clinic A": "1", "Clinic B": "2", "Clinic C": "3"}


async def test_they_are_said_beside_rows_that_were_refused_too(s: Session):
    book = workbook([*LONG, ["Stock", "202502", "Nowhere", 4, ""]], [3, 4], "E:E")
    with pytest.raises(PartlyDone) as partly:
        await do(s, "data aggregate push", file=book)
    note = partly.value.summary.note or ""
    assert note.startswith(f"{READ}; 1 refused rows: ")


async def test_they_are_left_out_where_that_is_asked_for(s: Session):
    before = await february(s)
    summary = await do(s, "data aggregate push", file=workbook(LONG, [3, 4], "E:E"), skip_hidden=True)
    assert LEFT_OUT in (summary.note or "")
    assert await february(s) == {**before, "Clinic A": "1"}


async def test_rows_keep_their_numbers_behind_those_left_out(s: Session):
    rows = [*LONG, ["Stock", "202502", "Nowhere", 4, ""]]
    plan = await planned(s, "data aggregate push", file=workbook(rows, [3, 4]), skip_hidden=True)
    assert any("row 5" in note for note in plan.notes)


def test_what_is_filled_down_comes_from_hidden_rows_too():
    """The unit of rows 3 and 4 stands in row 3, which is hidden: row 4 is not of the unit in row 2."""
    book = workbook([["orgUnit", "value"], ["A", 1], ["B", 2], [None, 3]], [3])
    (batch,) = sheets.batches_of(book, Where(fill_down=("orgUnit",), skip_hidden=True))
    assert batch == [{"orgUnit": "A", "value": 1}, {"orgUnit": "B", "value": 3}]


@pytest.mark.parametrize(
    ("lines", "columns", "told"),
    [
        ([], None, []),
        ([1], None, []),  # the header says what the columns are, whoever sees it
        ([3], None, ["1 hidden row (3) of sheet 'June' is read too; take it out of the file where that is not meant"]),
        ([], "F:XFD", []),  # nothing stands there
    ],
)
def test_only_what_holds_something_is_said(lines: list[int], columns: str | None, told: list[str]):
    notes: list[str] = []
    rows = [row for batch in sheets.batches_of(workbook(LONG, lines, columns), tell=notes.append) for row in batch]
    assert (len(rows), notes) == (3, told)


def test_a_sheet_that_is_hidden_as_a_whole_is_said():
    notes: list[str] = []
    assert len([*sheets.batches_of(workbook(LONG, sheet=True), tell=notes.append)]) == 1
    assert notes == ["sheet 'June' is hidden as a whole and was read"]


async def test_a_sheet_whose_first_thousand_rows_are_hidden_is_read_from_there(s: Session):
    rows = [LONG[0], *(["Stock", "202502", "Clinic B", 2, ""] for _ in range(1100)), LONG[1]]
    await do(s, "data aggregate push", file=workbook(rows, range(2, 1102)), skip_hidden=True)
    assert (await february(s))["Clinic A"] == "1"


async def test_nothing_that_is_seen_says_so(s: Session):
    s.person = heard = Somebody()
    with pytest.raises(NotFound, match="there is no value"):
        await call(s, "data aggregate push", file=workbook(LONG, [2, 3, 4]), skip_hidden=True)
    assert heard.warnings == ["3 hidden rows (2-4) of sheet 'June' are left out"]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("v.csv", "dataElement,period,orgUnit,value\nStock,202502,Clinic A,1\n", "nothing hidden"),
        ("v.xml", "<dataValueSet/>", "neither sheets nor a header"),
        ("v.csv", "deStock0001,202502,ouClinicA01,HllvX50cXC0,HllvX50cXC0,1\n", "nothing hidden"),
    ],
)
async def test_other_files_have_nothing_hidden(s: Session, name: str, text: str, why: str):
    Path(name).write_text(text, "utf-8")
    with pytest.raises(UsageError, match=why):
        await call(s, "data aggregate push", file=Path(name), skip_hidden=True)


async def test_rows_of_a_pipeline_are_no_sheet(s: Session):
    with pytest.raises(UsageError, match="no sheet"):
        await call(s, "data aggregate push", values=Rows([dict(zip(*LONG[:2], strict=True))]), skip_hidden=True)


async def test_sheets_of_objects_say_it_too(s: Session):
    book = workbook([["name", "shortName"], ["One", "One"], ["Two", "Two"]], [3])
    plan = await planned(s, "metadata create", type="organisationUnitGroups", from_=book)
    assert plan.notes[0] == (
        "1 hidden row (3) of sheet 'June' is read too; take it out of the file where that is not meant"
    )
