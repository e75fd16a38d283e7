"""A file that is there is replaced by what is whole and right, or it stays (T25)."""

import asyncio
import gzip
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dhis2sh import paths
from dhis2sh.client import streams
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.client.streams import whole_json
from dhis2sh.errors import BrokenAnswer, NetworkError
from dhis2sh.surfaces.cli import main as cli
from tests.fakes.wire import says, wire
from tests.measuring import unmeasured

GOOD = b'{"system":{"date":"2026"},"dataElements":[{"id":"a"},{"id":"b","name":"x},{"}],"indicators":[],"n":[1,[2]]}'


def client_at(url: str) -> Client:
    return Client(ConnectionSettings(url), Basic("u", "p"), retry=RetryRule(attempts=2, base=0.0))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A file from before."""
    path = tmp_path / "export.json"
    path.write_text("the good one")
    return path


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b'[{"id":"a"}]', b"null", b"3", b'"text"', b"nothing of the kind", b"pong", b"\xff\xfe",
        b'{"dataElements":[{"id":"a"},{"name":"\xff"}]}', b'{"dataElements":[{"id":NaN}]}', b'{"date":NaN,"options":[]}',
        b'{"dataElements":[{"id":"a"}', b'{"dataElements":[{"id":"a"}]', b'{"dataElements":[{"id":"a"}],', GOOD[:-1],
        GOOD + b'{"httpStatus":"Conflict"}', GOOD + b"]", b'{"options":[{"id":"a"},]}', b'{"options":[{"id":"a"} {}]}',
        b'{"dataElements" [{"id":"a"}]}', b'{"a":[1]]}',
    ],
)  # fmt: skip
async def test_t25_a_good_file_is_not_replaced_by_garbage(kept: Path, body: bytes) -> None:
    async with wire(says(body=body)) as url, client_at(url) as client:
        with pytest.raises(NetworkError) as caught:
            await client.metadata.export(target=kept)
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert kept.read_text() == "the good one"
    assert left_in(kept.parent) == {"export.json"}


async def test_t25_what_is_whole_replaces_it(kept: Path) -> None:
    async with wire(says(body=GOOD)) as url, client_at(url) as client:
        assert await client.metadata.export(target=kept) == len(GOOD)
        await client.metadata.export(target=kept.with_name("packed.json.gz"))
    assert kept.read_bytes() == GOOD
    assert gzip.decompress(kept.with_name("packed.json.gz").read_bytes()) == GOOD
    assert left_in(kept.parent) == {"export.json", "packed.json.gz"}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
async def test_t25_an_answer_is_checked_wherever_it_is_cut_into_pieces(size: int) -> None:
    class Answer:
        method, url = "GET", "http://t/api/metadata"

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for at in range(0, len(GOOD), size):
                yield GOOD[at : at + size]

    assert b"".join([piece async for piece in whole_json(Answer())]) == GOOD  # type: ignore[arg-type]


async def test_structure_is_not_counted_in_rows_that_can_be_cut_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting takes six seconds for the values of a small country, cutting between two rows half a second."""
    row = b'{"dataElement":"fbfJHSPpUQD","period":"202301","orgUnit":"DiszpKrYNg8","value":"12","comment":null}'
    data = b'{"dataValues":[' + b",".join([row] * 20_000) + b'],"more":[{"a":1},{"b":[{},{}]}],"last":"x"}'
    counted = 0
    marks = streams._Reader._marks

    def counting(reader: streams._Reader) -> Iterator[tuple[bytes, int]]:
        nonlocal counted
        for mark in marks(reader):
            counted += 1
            yield mark

    monkeypatch.setattr(streams._Reader, "_marks", counting)

    class Answer:
        method, url = "GET", "http://t/api/dataValueSets"

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for at in range(0, len(data), 16_000):
                yield data[at : at + 16_000]

    assert b"".join([piece async for piece in whole_json(Answer())]) == data  # type: ignore[arg-type]
    assert 0 < counted < 20_000, "of 440,000 marks"


@pytest.mark.parametrize(
    ("format", "body"), [("csv", b"dataelement\n\xff\xfe\n"), ("csv", b""), ("json", b'{"dataValues":[{"value":NaN}]}')]
)
async def test_t25_nor_are_data_values(kept: Path, format: str, body: bytes) -> None:
    async with wire(says(body=body, Content_Type=f"application/{format}")) as url, client_at(url) as client:
        with pytest.raises(BrokenAnswer):
            await client.data_values.stream_to(kept, format=format, data_set=["a"], period=["2026"], org_unit=["b"])  # type: ignore[arg-type]
    assert kept.read_text() == "the good one"


async def test_an_export_whose_stream_breaks_is_asked_for_again_from_its_beginning(kept: Path) -> None:
    asked = 0

    async def script(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        cut = 20 if asked < 3 else len(GOOD)
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(GOOD)}\r\n\r\n".encode()
        )
        writer.write(GOOD[:cut])

    async with wire(script) as url, client_at(url) as client:
        await client.metadata.export(target=kept)
    assert (asked, kept.read_bytes()) == (3, GOOD)


async def test_what_came_whole_and_wrong_is_not_asked_for_again(kept: Path) -> None:
    asked = 0

    async def script(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await says(body=b'{"options":[{"id":NaN}]}')(head, reader, writer)

    async with wire(script) as url, client_at(url) as client:
        with pytest.raises(BrokenAnswer, match="not JSON"):
            await client.metadata.export(target=kept)
    assert asked == 1


# The temporary file --------------------------------------------------------------------------------------------------


def test_t25_nobody_foresees_the_temporary_name_and_no_link_is_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / f".{os.getpid()}.out.csv").symlink_to(victim)
    with paths.writing(tmp_path / "out.csv") as file:
        file.write("rows")
        (first,) = tmp_path.glob(".dhis2sh.*")
    with paths.replacing(tmp_path / "out.csv") as second:
        assert second.name != first.name
        assert second.suffix == ".csv"
    assert victim.read_text() == "mine"


def test_t25_a_file_keeps_rights_that_are_narrower(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    path.write_text("{}")
    path.chmod(0o600)
    paths.write_atomic(path, "[]")
    assert path.stat().st_mode & 0o777 == 0o600


def test_t25_what_a_killed_process_left_is_swept_away_and_no_other_file(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\nfrom dhis2sh import paths\n"
        "with paths.writing(pathlib.Path(sys.argv[1])) as file:\n    file.write('half'); file.flush(); os.kill(os.getpid(), 9)"
    )
    target = tmp_path / "out.json"
    assert subprocess.run([sys.executable, "-c", code, str(target)], check=False, env=unmeasured()).returncode == -9
    (left,) = tmp_path.glob(".dhis2sh.*")
    (tmp_path / f"{left.name}.wal").write_text("of a library")
    pid, token = left.name.split(".")[2:4]
    elsewhere = tmp_path / left.name.replace(token, f"{'0' * 8}{token[8:]}")
    at_work = tmp_path / left.name.replace(f".{pid}.", f".{os.getpid()}.")
    for path in (elsewhere, at_work):
        path.write_text("half")
    paths.write_atomic(tmp_path / "another.json", "{}")
    assert left_in(tmp_path) == {"another.json", elsewhere.name, at_work.name}, "it may be another machine's"
    for path in (elsewhere, at_work):
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    paths.write_atomic(target, "{}")
    assert left_in(tmp_path) == {"another.json", "out.json", at_work.name}


@pytest.mark.parametrize("out", ["/", ".", "..", "/dev/null", "/dev/full", "/proc/nowhere/x.json", "a/../..", "\0"])
@pytest.mark.parametrize(
    "line", ["verbs", "metadata list dataElements", "metadata export --types dataElements", "profile list -o csv"]
)
def test_out_that_no_file_can_be_is_two_lines(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str], line: str, out: str
) -> None:
    code = cli.run([*f"-p sandbox {line}".split(), "--out", out])
    err = capsys.readouterr().err
    assert code in {2, 9}
    assert (err.count("\n"), "\n  try: " in err) == (2, True), err
    assert "fault of dhis2sh" not in err
    assert Path("/dev/null").is_char_device()
