"""Files of rows read batch by batch: the same rows as read whole, and the same mistakes found."""

import gzip
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import Dhis2Error, NotFound, UsageError
from dhis2sh.files import read_object
from dhis2sh.rows import tables
from dhis2sh.rows.tables import read_rows, stream_rows

ROWS: list[Any] = [{"id": f"a{n}", "name": f'Unit "{n}", one', "note": ""} for n in range(25)]


def text_of(ending: str) -> str:
    match ending:
        case ".json":
            return json.dumps(ROWS)
        case ".ndjson":
            return "\n\n".join(json.dumps(row) for row in ROWS)
        case ".yaml":
            return json.dumps(ROWS)
        case _:
            mark = "\t" if ending == ".tsv" else ";"
            quoted = (
                mark.join(f'"{str(value).replace(chr(34), chr(34) * 2)}"' for value in row.values()) for row in ROWS
            )
            return "\n".join([mark.join(ROWS[0]), *quoted])


@pytest.mark.parametrize("ending", [".json", ".ndjson", ".csv", ".tsv", ".yaml"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "byte order mark"])
async def test_the_rows_of_a_file(ending: str, mark: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "BATCH", 10)
    path = Path(f"rows{ending}")
    path.write_text(mark + text_of(ending))
    batches = [batch async for batch in stream_rows(path).batches()]
    assert [row for batch in batches for row in batch] == read_rows(path) == ROWS
    assert len(batches) == (1 if ending == ".yaml" else 3)


@pytest.mark.parametrize("ending", [".json", ".ndjson", ".csv", ".tsv"])
async def test_a_packed_file_is_unpacked_on_the_way(ending: str):
    path = Path(f"rows{ending}.gz")
    path.write_bytes(gzip.compress(text_of(ending).encode()))
    assert (await stream_rows(path).collect()).plain() == ROWS


async def test_an_array_in_an_object():
    path = Path("export.json.gz")
    path.write_bytes(gzip.compress(json.dumps({"dataValues": ROWS, "date": "2024-01-01"}).encode()))
    assert (await stream_rows(path, key="dataValues").where("id == 'a7'").collect()).plain() == [ROWS[7]]
    with pytest.raises(UsageError, match="has no 'events'"):
        await stream_rows(path, key="events").collect()
    with pytest.raises(UsageError, match="holds one object"):
        await stream_rows(path).collect()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.ndjson", '{"id": "a"}\n{"id": ', "line 2 is not JSON"),
        ("a.ndjson", "[1]", "line 1 is no object"),
        ("a.csv", "id,name\na,b,c\n", "line 2 has more cells than the header"),
        ("a.csv", "id,id\na,b\n", "the header names id more than once"),
        ("a.json", '[{"id": "a"}, {"id": ', "a.json: the answer was cut off"),
        ("a.json", "[1, 2]", "holds other things than objects"),
        ("a.csv", b"id\n\xff\n", "a.csv cannot be read"),
        ("a.csv.gz", b"no gzip", "a.csv.gz cannot be read"),
        ("a.json.gz", gzip.compress(b'[{"id": "a"}]', mtime=0)[:-9], "a.json.gz"),
    ],
)
async def test_what_cannot_be_read_says_where(name: str, text: str | bytes, says: str):
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(Dhis2Error, match=says):
        await stream_rows(Path(name)).collect()


@pytest.mark.parametrize("name", ["gone.csv", "gone.json", "gone.yaml", "gone.ndjson.gz"])
async def test_a_file_that_is_not_there(name: str):
    with pytest.raises(NotFound, match="there is no file gone"):
        await stream_rows(Path(name)).collect()


@pytest.mark.parametrize("name", ["rows.doc", "rows.xlsx.gz", "rows"])
def test_the_ending_says_what_a_file_is(name: str):
    with pytest.raises(UsageError, match="rows are read from"):
        stream_rows(Path(name))


def test_o2_sheets_as_people_save_them(tmp_path: Path):
    """`sep=;` before the header, UTF-16 of a spreadsheet, lines and columns that hold nothing."""
    sheet = "sep=;\r\nid;name;;\r\ndeNumber001;Élément;;\r\n;;;\r\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(sheet.encode(encoding))
        assert read_rows(path) == [{"id": "deNumber001", "name": "Élément"}]
    lost = tmp_path / "lost.csv"
    lost.write_text("id,name,\ndeNumber001,A,stays\n")
    with pytest.raises(UsageError, match="'stays' stands in a column without a name"):
        read_rows(lost)


def test_o2_a_sheet_in_another_encoding_is_refused_with_what_it_would_say(tmp_path: Path):
    """Windows-1252, 1250 and 1251 read as each other without an error: taken for one of them, names would be wrong for ever."""
    path = tmp_path / "places.csv"
    path.write_bytes("id,name\na,Abengourou\nb,Côte d'Or\n".encode("cp1252"))
    with pytest.raises(UsageError, match="it is not UTF-8 \\(as Windows-1252 there would stand 'Côte'\\)") as caught:
        read_rows(path)
    assert caught.value.hint == f"save it as 'CSV UTF-8'; if that word is right: iconv -f CP1252 -t UTF-8 {path}"


async def test_o2_so_is_one_that_is_read_piece_by_piece(tmp_path: Path):
    path = tmp_path / "places.csv"
    path.write_bytes("id,name\na,Привет\n".encode("cp1251"))
    with pytest.raises(UsageError, match=r"it is not UTF-8 \(as Windows-1252 there would stand 'Ïðèâåò'"):
        await stream_rows(path).collect()


def workbook(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    """A workbook of one sheet; empty texts are cells that nobody wrote to."""
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    for at, row in enumerate(rows):
        for column, value in enumerate(row):
            if value != "":
                sheet.write(at, column, value)
    book.close()
    return path


def test_o2_empty_columns_and_rows_of_a_workbook(tmp_path: Path):
    rows = [["id", "", "name", ""], ["a", "", "A", ""], ["", "", "", ""], ["b", "", 7, ""]]
    assert read_rows(workbook(tmp_path / "a.xlsx", rows)) == [{"id": "a", "name": "A"}, {"id": "b", "name": 7}]
    with pytest.raises(UsageError, match="row 3: 'lost' stands in a column without a name"):
        read_rows(workbook(tmp_path / "b.xlsx", [["id", "", "name"], ["a", "", "A"], ["b", "lost", "B"]]))
    with pytest.raises(UsageError, match="the header names name more than once"):
        read_rows(workbook(tmp_path / "c.xlsx", [["id", "name", "name"], ["a", "A", "B"]]))


def test_o2_bundles_in_zip_and_utf_16(tmp_path: Path):
    text = '{"dataElements": [{"id": "deNumber001", "name": "Élément"}]}'
    wide, zipped, broken = tmp_path / "wide.json", tmp_path / "bundle.zip", tmp_path / "broken.zip"
    wide.write_bytes(text.encode("utf-16"))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("readme.txt", "made by hand")
        packed.writestr("bundle.json", text)
    assert read_object(wide) == read_object(zipped) == json.loads(text)
    broken.write_bytes(zipped.read_bytes()[:60])
    with pytest.raises(UsageError, match="no zip that can be read") as error:
        read_object(broken)
    assert error.value.hint == "unpack it, and name the file"
    with zipfile.ZipFile(zipped, "a") as packed:
        packed.writestr("second.json", text)
    with pytest.raises(UsageError, match=r"not one JSON file: bundle.json, second.json"):
        read_object(zipped)


def test_a_column_without_values_is_read_without_a_word_of_the_library(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = workbook(tmp_path / "a.xlsx", [["id", "comment", "name"], ["a", "", "A"]])
    assert read_rows(path) == [{"id": "a", "comment": None, "name": "A"}]
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Facility;BCG | Fixed, <1y\nClinic A;5\n", ["Facility", "BCG | Fixed, <1y"]),
        ("Facility;A | Fixed, <1y;A | Fixed, >1y;B, all\nClinic A;12,5;1;2\nClinic B;7,0;;3\n", 4),
        ("Facility,Note\nClinic A,one; two; three\nClinic B,\n", ["Facility", "Note"]),
        ('Facility,"BCG; all"\n"Clinic; A",1\n', ["Facility", "BCG; all"]),
        ("Facility\tBCG, all; new\nClinic A\t1\n", ["Facility", "BCG, all; new"]),
        ('Facility;Note\nClinic A;"two\nlines, and more"\nClinic B\n', ["Facility", "Note"]),
        ("name\nStock\n", ["name"]),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "txt"])
async def test_the_separator_is_what_the_rows_agree_on(
    tmp_path: Path, text: str, columns: list[str] | int, ending: str
):
    path = tmp_path / f"rows.{ending}"
    path.write_text(text)
    found = (await stream_rows(path).collect()).plain()
    assert found == read_rows(path)
    assert [*found[0]] == columns if isinstance(columns, list) else len(found[0]) == columns


def test_a_separator_that_nobody_can_tell_is_not_guessed(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("Facility;Stock, all\nClinic A;1,5\n")
    with pytest.raises(UsageError, match="may be parted by ';' or by ','"):
        read_rows(path)
    path.write_text("sep=;\nFacility;Stock, all\nClinic A;1,5\n")
    assert read_rows(path) == [{"Facility": "Clinic A", "Stock, all": "1,5"}]


async def test_the_unicode_text_of_a_spreadsheet_is_read(tmp_path: Path):
    path = tmp_path / "rows.txt"
    path.write_bytes("Facility\tNote\r\nClinique É\tété\r\n".encode("utf-16"))
    assert (await stream_rows(path).collect()).plain() == [{"Facility": "Clinique É", "Note": "été"}]
