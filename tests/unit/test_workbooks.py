"""Workbooks are read cell by cell, each as what it is: what stands beside it in its column makes nothing else of it."""

import datetime as dt
import itertools
import zipfile
from pathlib import Path

import pytest

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.rows.number_formats import kind_of
from dhis2sh.rows.sheets import Where, batches_of
from dhis2sh.rows.tables import read_rows
from dhis2sh.rows.workbooks import Fault, Workbook, letters_of
from dhis2sh.types import JsonValue, Row

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STYLES = f"""<styleSheet xmlns="{_MAIN}"><numFmts><numFmt numFmtId="164" formatCode="mmm\\-yy"/>
<numFmt numFmtId="165" formatCode="[h]:mm"/><numFmt numFmtId="166" formatCode="0.0%"/>
<numFmt numFmtId="167" formatCode="[Red]0&quot; days&quot;"/></numFmts>
<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="167"/><xf numFmtId="22"/></cellXfs>
</styleSheet>"""
_TEXTS = f"""<sst xmlns="{_MAIN}"><si><t>Clinic A</t></si><si><r><t>Cli</t></r><r><t xml:space="preserve">nic </t></r>
<r><t>B</t></r><rPh><t>ku</t></rPh></si><si><t>a_x000D_b</t></si></sst>"""


def written(rows: str, *, book: str = "", prefix: str = "", without: str = "", doctype: str = "") -> Path:
    """A workbook of one sheet with these rows as XML."""
    sheets = '<sheet name="S" sheetId="1" r:id="rId1"/>'
    at = f":{prefix.removesuffix(':')}" if prefix else ""
    parts = {
        "_rels/.rels": f'<Relationships><Relationship Id="r1" Type="{_RELATED}/officeDocument" Target="/xl/book.xml"/></Relationships>',
        "xl/book.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}">{book}<sheets>{sheets}</sheets></workbook>',
        "xl/_rels/book.xml.rels": "<Relationships>"
        f'<Relationship Id="rId1" Type="{_RELATED}/worksheet" Target="sheets/../one.xml"/>'
        f'<Relationship Id="rId2" Type="{_RELATED}/styles" Target="styles.xml"/>'
        f'<Relationship Id="rId3" Type="{_RELATED}/sharedStrings" Target="texts.xml"/></Relationships>',
        "xl/one.xml": f'{doctype}<{prefix}worksheet xmlns{at}="{_MAIN}"><{prefix}sheetData>{rows}</{prefix}sheetData></{prefix}worksheet>',
        "xl/styles.xml": _STYLES,
        "xl/texts.xml": _TEXTS,
    }
    with zipfile.ZipFile("book.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            if name != without:
                packed.writestr(name, text)
    return Path("book.xlsx")


def lines(path: Path) -> list[tuple[int, list[JsonValue]]]:
    with Workbook(path) as book:
        return [*book.lines(book.sheets[0])]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("<c><v>17</v></c>", 17),
        ("<c><v>17.0</v></c>", 17),
        ("<c><v>1.5E-2</v></c>", 0.015),
        ("<c><v>0.30000000000000004</v></c>", 0.3),
        ("<c><v>12345678901234567</v></c>", 12345678901234567),
        ('<c t="b"><v>1</v></c>', True),
        ('<c t="b"><f>A1=1</f><v>0</v></c>', False),
        ('<c t="s"><v>1</v></c>', "Clinic B"),
        ('<c t="s"><v>2</v></c>', "a\rb"),
        ('<c t="inlineStr"><is><r><t>Cli</t></r><r><t>nic</t></r></is></c>', "Clinic"),
        ('<c t="str"><f>"x"&amp;"y"</f><v>xy</v></c>', "xy"),
        ('<c t="d"><v>2026-01-05T00:00:00</v></c>', "2026-01-05"),
        ('<c s="1"><v>46027</v></c>', "2026-01-05"),
        ('<c s="5"><v>46027.4375</v></c>', "2026-01-05T10:30:00"),
        ('<c s="1"><v>1</v></c>', "1900-01-01"),
        ('<c s="5"><v>0.4375</v></c>', "10:30"),
        ('<c s="2"><v>1.25</v></c>', "30:00"),
        ('<c s="3"><v>0.125</v></c>', "12.5%"),
        ('<c s="3"><v>1</v></c>', "100%"),
        ('<c s="4"><v>3</v></c>', 3),
        ('<c><f t="shared" si="0"/><v>4</v></c>', 4),
    ],
)
def test_a_cell_is_what_its_own_type_says(cell: str, value: JsonValue):
    [(number, [read])] = lines(written(f"<row>{cell}</row>"))
    assert (number, read, type(read)) == (1, value, type(value))


@pytest.mark.parametrize(
    "cell", ['<c t="str"><f>IF(1,"")</f><v></v></c>', '<c s="1"/>', '<c t="s"/>', "<c><v></v></c>"]
)
def test_a_cell_without_anything_is_none(cell: str):
    assert lines(written(f"<row>{cell}</row>")) == []


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ('<c r="B7" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "B7: #DIV/0!"),
        ('<c r="B7"><f>A1*2</f><v></v></c>', "B7: a formula without a result: open"),
        ('<c r="B7"><f>A1*2</f></c>', "B7: a formula without a result: open"),
        ('<c r="B7" s="1"><v>-1</v></c>', "B7: #NUM!"),
    ],
)
def test_a_cell_without_a_value_is_a_fault(cell: str, why: str):
    """A column of numbers has nothing in place of it, and who reads it refuses it."""
    path = written(f'<row r="1"><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row><row r="7">{cell}</row>')
    [_, (number, [nothing, fault])] = lines(path)
    assert (number, nothing) == (7, None)
    assert isinstance(fault, Fault)
    assert fault.why.startswith(why)
    with pytest.raises(UsageError, match=why):
        read_rows(path)
    [[row]] = batches_of(path, faults=True)
    assert isinstance(row["Clinic B"], Fault)


def test_a_nought_that_a_library_writes_for_a_formula_is_no_result():
    rows = "<row><c><f>1+1</f><v>0</v></c><c><f>1+1</f><v>2</v></c><c><v>0</v></c></row>"
    [(_, cells)] = lines(written(rows, book='<calcPr calcId="1" fullCalcOnLoad="1"/>'))
    assert cells == ["#NO RESULT", 2, 0]
    assert lines(written(rows)) == [(1, [0, 2, 0])]


def test_lines_are_counted_as_they_stand_there():
    path = written(
        '<row r="3"><c r="B3" t="s"><v>0</v></c></row><row r="4"><c r="B4"><v>1</v></c></row>'
        '<row r="6"><c r="B6"><v>2</v></c></row><row r="9" s="1"><c r="B9" s="1"/></row>'
    )
    assert [*batches_of(path, blanks=True)] == [[{}, {}, {"Clinic A": 1}, {}, {"Clinic A": 2}]]
    assert [*batches_of(path)] == [[{"Clinic A": 1}, {"Clinic A": 2}]]
    assert [*batches_of(path, Where(header=4))] == [[{"1": 2}]]


def test_another_prefix_and_the_days_of_a_macintosh():
    rows = '<x:row><x:c s="1"><x:v>44565</x:v></x:c></x:row>'
    assert lines(written(rows, prefix="x:", book='<workbookPr date1904="1"/>')) == [(1, ["2026-01-05"])]


@pytest.mark.parametrize(
    ("rows", "how", "why"),
    [
        ("<row>", {}, "mismatched tag"),
        ('<row><c t="s"><v>9</v></c></row>', {}, "A1 has the text number 9"),
        ('<row r="2"/><row r="1"/>', {}, "line 1 follows line 2"),
        ('<row r="1048577"/>', {}, "line 1,048,577"),
        ('<row><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>', {}, "A1 is there twice"),
        ("<row><c><v>x</v></c></row>", {}, "could not convert"),
        ('<row><c r="XFE1"><v>1</v></c></row>', {}, "16,384 columns"),
        ("", {"without": "xl/one.xml"}, "it has no xl/one.xml"),
        ("", {"without": "xl/_rels/book.xml.rels"}, "it has no xl/_rels/book.xml.rels"),
        ("", {"doctype": "<!DOCTYPE x [<!ENTITY a 'b'>]>"}, "document type"),
    ],
)
def test_what_is_broken_is_said(rows: str, how: dict[str, str], why: str):
    with pytest.raises(UsageError, match=why) as caught:
        lines(written(rows, **how))
    assert caught.value.hint == "save it as XLSX again, or as CSV"


def test_what_is_no_workbook_is_said():
    Path("old.xlsx").write_bytes(b"\xd0\xcf\x11\xe0 an old one, or one with a password")
    with pytest.raises(UsageError, match="not a zip file"):
        Workbook(Path("old.xlsx"))
    with pytest.raises(NotFound, match=r"no file none\.xlsx"):
        Workbook(Path("none.xlsx"))


@pytest.mark.parametrize(
    ("number", "code", "kind"),
    [
        (0, None, ""), (9, None, "percent"), (14, None, "days"), (46, None, "span"), (164, "General", ""),
        (164, '#,##0.00" mmm"', ""), (164, "[$-409]d\\-mmm\\-yy;@", "days"), (164, "yyyy/mm/dd", "days"), (164, "yyyy", "year"),
        (164, "[Magenta]0.00", ""), (164, "[mm]:ss", "span"), (164, "0.0%;[Red]-0.0%", "percent"), (164, "h:mm AM/PM", "days"),
    ],
)  # fmt: skip
def test_what_a_format_makes_of_a_number(number: int, code: str | None, kind: str):
    assert kind_of(number, code) == kind


def test_the_letters_of_columns():
    assert [letters_of(column) for column in (0, 25, 26, 701, 702, 16_383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]


def test_every_type_beside_every_other_in_a_column():
    """As a spreadsheet's library writes them: what a column has above makes nothing else of what is below."""
    xlsxwriter = pytest.importorskip("xlsxwriter")
    kinds: dict[str, tuple[object, str, JsonValue]] = {
        "whole": (17, "", 17), "part": (1.5, "", 1.5), "truth": (True, "", True), "text": ("abc", "", "abc"),
        "day": (dt.date(2026, 1, 5), "mmm-yy", "2026-01-05"), "percent": (0.5, "0%", "50%"),
        "span": (1.25, "[h]:mm", "30:00"), "time": (dt.time(10, 30), "hh:mm", "10:30"),
    }  # fmt: skip
    pairs = [*itertools.permutations(kinds, 2)]
    book = xlsxwriter.Workbook("pairs.xlsx")
    sheet = book.add_worksheet()
    for column, pair in enumerate(pairs):
        sheet.write(0, column, " ".join(pair))
        for line, name in enumerate(pair, 1):
            value, form, _ = kinds[name]
            sheet.write(line, column, value, book.add_format({"num_format": form}) if form else None)
    book.close()
    expected: list[Row] = [{" ".join(pair): kinds[pair[line]][2] for pair in pairs} for line in (0, 1)]
    assert read_rows(Path("pairs.xlsx")) == expected


def test_of_several_sheets_the_one_with_a_table_is_advised():
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook("several.xlsx")
    for name, rows in {
        "README": [["Please fill in"]],
        "Jan": [["Facility", "Stock"]],
        "Feb": [["Facility", "Stock"]],
    }.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    with pytest.raises(UsageError, match="3 sheets with rows, and one is read: README, Jan, Feb") as caught:
        next(batches_of(Path("several.xlsx"), Where()))
    assert caught.value.hint == "--sheet 'Jan'"
