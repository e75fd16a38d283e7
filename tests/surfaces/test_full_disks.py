"""A disk that takes no more, at every file that dhis2sh writes: two lines that say which, advice that destroys nothing, nothing left over."""

import contextlib
import re
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.errors import MAKE_ROOM, NotWritten, is_damaged, is_full, of_full_disk
from dhis2sh.index.names import NameIndex
from dhis2sh.surfaces.cli import main as cli

DESTROYS = re.compile(r"\b(reset|delete|remove|rm|prune|forget|overwrite)\b")


@contextlib.contextmanager
def room(size: int) -> Iterator[None]:
    """Inside, no file grows beyond so many bytes, as on a disk that is full by then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def two_lines(size: int, words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and standard error of a line of the command where files are no longer than `size`."""
    with room(size):
        code = cli.run(words.split())
    err = capsys.readouterr().err
    assert (err.count("\n"), "\n  try: " in err) == (2, True), err
    assert not DESTROYS.search(err), err
    assert "fault of" not in err
    return code, err


@pytest.mark.parametrize(
    ("size", "line", "says"),
    [
        (8192, "-p sandbox metadata list dataElements", "the sandbox's file .*sandbox.db cannot be written: disk I/O error"),
        (10, "profile add demo --url http://127.0.0.1:9 --username u", "profiles.toml cannot be written: File too large"),
        *((10, f"verbs --out rows.{ending}", f"rows.{ending} cannot be written: File too large")
          for ending in ("csv", "tsv", "json", "ndjson", "yaml", "md", "html", "xlsx", "parquet", "arrow")),
    ],
)  # fmt: skip
def test_a_full_disk_is_two_lines_that_destroy_nothing(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    size: int, line: str, says: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("DHIS2_PASSWORD", "word")
    code, err = two_lines(size, line, capsys)
    assert (code, MAKE_ROOM in err) == (NotWritten.exit_code, True), err
    assert re.search(says, err), err
    assert not [*Path().glob(".dhis2sh*"), *Path().glob("rows.*")]
    assert cli.run(["-p", "sandbox", "metadata", "list", "dataElements", "-o", "csv"]) == 0, "what was there is there"


def test_a_damaged_file_is_moved_away_and_never_emptied(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sandbox_home / "data" / "sandbox.db"
    path.write_bytes(b"SQLite format 3\0" + b"\1" * 500)
    code, err = two_lines(10_000_000, "-p sandbox metadata list dataElements", capsys)
    assert (code, f"mv {path} {path}.broken" in err) == (1, True), err


def test_an_index_that_finds_no_room_is_not_thrown_away(home: Path) -> None:
    names = NameIndex(home / "cache" / "names.sqlite")
    names.put("options", [], whole=True)
    names.close()
    before = names.path.read_bytes()
    with room(10), pytest.raises(sqlite3.OperationalError):
        NameIndex(names.path).put("options", [], whole=True)
    assert names.path.read_bytes() == before
    assert not names.path.with_suffix(".broken").exists()


class FromRust(Exception):
    """As polars says it; DuckDB and openpyxl have the system's words in theirs too."""


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(27, "File too large"), True),
        (OSError(13, "Permission denied"), False),
        (OSError("No space left on device (os error 28)"), True),
        (FromRust("parquet: File too large (os error 27)"), True),
        (ValueError("no such column"), False),
    ],
)
def test_a_full_disk_is_known_whoever_met_it(error: Exception, full: bool) -> None:
    assert is_full(error) is full
    assert not is_damaged(error)
    told = of_full_disk(ExceptionGroup("some", [ValueError(), error]))
    assert (told is not None) is full
