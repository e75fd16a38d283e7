"""The journal's file: a disk that is full or read-only, a file that is damaged or grows, and what is forgotten (R)."""

import datetime as dt
import json
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dhis2sh.changes import journal
from dhis2sh.changes.journal import JournalError, journal_of
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.errors import PartlyDone
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from tests.metadata.calls import do


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A journal whose methods of these names meet a full disk."""
    names: list[str] = []

    def full(name: str) -> None:
        inner = getattr(journal.Journal, name)

        def method(self: journal.Journal, *args: object, **how: object) -> object:
            if name in names:
                raise JournalError("the journal cannot be written: database or disk is full", hint="make room for it")
            return inner(self, *args, **how)

        monkeypatch.setattr(journal.Journal, name, method)

    for name in ("begin", "mark", "refuse", "end"):
        full(name)
    return names


async def rename(session: Session) -> object:
    return await do(session, "metadata rename", type="dataElements", all=True, prefix="X ")


async def names_of(session: Session) -> set[str]:
    rows = (await session.client.get_object("dataElements", {"fields": "name"}))["dataElements"]
    return {row["name"][:2] for row in rows}  # type: ignore[index,call-overload,union-attr]


async def test_nothing_is_sent_that_cannot_be_written_down(session: Session, failing: list[str]) -> None:
    for name in ("begin", "mark"):
        failing[:] = [name]
        with pytest.raises(JournalError, match="disk is full"):
            await rename(session)
    assert "X " not in await names_of(session)


async def test_a_disk_that_is_full_in_the_middle_hides_nothing_of_what_was_written(
    session: Session, monkeypatch: pytest.MonkeyPatch, failing: list[str]
) -> None:
    sent = session.client.write

    async def then_full(*args: object, **how: object) -> object:
        answer = await sent(*args, **how)  # type: ignore[arg-type]
        failing[:] = ["mark", "end"]
        return answer

    monkeypatch.setattr(session.client, "write", then_full)
    with pytest.raises(PartlyDone, match=r"3 updated.*cut off.*disk is full"):
        await rename(session)
    assert await names_of(session) == {"X "}
    failing.clear()
    [entry] = journal_of(session).entries()
    assert entry.states == {"sent": 3}, "what became of it nobody has written down"


async def test_an_end_that_cannot_be_written_down_is_a_warning(session: Session, failing: list[str]) -> None:
    failing[:] = ["end"]
    await rename(session)
    assert "it was written on the server, and the journal does not know it" in session.person.warnings[-1]  # type: ignore[attr-defined]


def test_a_full_disk_and_a_damaged_file_are_two_lines(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = journal.of("sandbox").path
    path.parent.mkdir(parents=True)
    write = ["-p", "sandbox", "metadata", "update", "dataElements", "DE_1", "--set", "name=X", "--yes"]
    for damage in (b"no database", b"SQLite format 3\0" + b"\1" * 500, None):
        path.mkdir() if damage is None else path.write_bytes(damage)
        reads = (["-p", "sandbox", "journal", "list"], ["-p", "sandbox", "undo"])
        for words in (write, *(reads if damage is not None else ())):
            code, err = cli.run(words), capsys.readouterr().err
            assert (code != 0, err.count("\n"), "\n  try: " in err, "fault of" in err) == (True, 2, True, False), err
        path.rmdir() if damage is None else path.unlink()
    assert cli.run([*write, "--no-journal"]) == 0


def test_a_disk_that_takes_no_more_is_two_lines(sandbox_home: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    code = "from dhis2sh.changes import journal\nfrom dhis2sh.changes.plan import Plan\njournal.of('p').begin(Plan('x'), 'http://t')"
    done = subprocess.run([sys.executable, "-c", code], preexec_fn=small, capture_output=True, text=True, check=False)
    assert "JournalError: the journal" in done.stderr
    assert "cannot be written" in done.stderr


def entries(book: journal.Journal, count: int, days: int) -> None:
    at = (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).isoformat(timespec="seconds")
    for number in range(count):
        step = PlanStep("create", "options", uid=f"uid{number:08}", after={"name": "x" * 2000})
        entry = book.begin(Plan(f"write {number}", [step]), "http://sandbox")
        book.mark(entry, [0], "done")
        book.end(entry, "done")
        with closing(sqlite3.connect(book.path)) as connection, connection:
            connection.execute("UPDATE entry SET at = ? WHERE id = ?", (at, entry))


def test_journal_prune_forgets_what_is_old(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        return cli.run(["-p", "sandbox", "journal", *words]), *capsys.readouterr()

    book = journal.of("sandbox")
    entries(book, 10, 200)
    entries(book, 5, 1)
    size = book.path.stat().st_size
    assert run("prune")[0] == 2
    code, out, _ = run("prune", "--older-than", "90", "--dry-run")
    assert (code, "forget 10 writes of sandbox" in out, "undo cannot take them back any more" in out) == (0, True, True)
    assert run("prune", "--older-than", "90")[0] == 2, "nobody has said yes"
    assert run("prune", "--older-than", "90", "--keep", "8", "--yes")[0] == 0
    assert len(book.entries()) == 8
    assert run("prune", "--keep", "5", "--yes")[0] == 0
    assert [entry.id for entry in book.entries()] == [15, 14, 13, 12, 11]
    assert book.path.stat().st_size < size
    assert json.loads(run("show", "15", "-o", "json")[1])[0]["after"]["name"] == "x" * 2000
    assert run("prune", "--older-than", "90", "--yes")[0] == 0


async def test_a_journal_does_not_grow_without_end(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    book = journal_of(session)
    entries(book, 40, 1)
    monkeypatch.setattr(journal, "LARGEST", 60_000)
    monkeypatch.setattr(journal, "KEPT", 20)
    await rename(session)
    kept = [entry.id for entry in book.entries()]
    assert (kept[0], len(kept)) == (41, 36), "a quarter of what may be forgotten"
    for _ in range(30):
        book.kept_small()
    assert len(book.entries()) >= 20
