"""Files of rows read batch by batch: the same rows as read whole, and the same mistakes found."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import Dhis2Error, NotFound, UsageError
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


@pytest.mark.parametrize("name", ["rows.txt", "rows.xlsx.gz", "rows"])
def test_the_ending_says_what_a_file_is(name: str):
    with pytest.raises(UsageError, match="rows are read from"):
        stream_rows(Path(name))
