"""How a line ends: its exit code, its two lines, and what is said of work that was ended from outside."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh import profiles
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.surfaces.cli import main as cli
from tests.conftest import small_metadata
from tests.fakes.serve import served


class Moody:
    """A sandbox that answers writes as a test says: late, or with a fault."""

    def __init__(self, app) -> None:
        self.app, self.asked, self.go_on = app, threading.Event(), threading.Event()
        self.answers: tuple[int, bytes] | None = None
        self.only = "POST"

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http" and scope["method"] in self.only and b"VALIDATE" not in scope["query_string"]:
            self.asked.set()
            if self.answers is None:
                import asyncio

                await asyncio.to_thread(self.go_on.wait, 30)
            else:
                status, body = self.answers
                await send(
                    {
                        "type": "http.response.start",
                        "status": status,
                        "headers": [(b"content-type", b"application/json")],
                    }
                )
                await send({"type": "http.response.body", "body": body})
                return
        await self.app(scope, receive, send)


@pytest.fixture
def moody(home: Path, tmp_path: Path) -> Iterator[Moody]:
    store = open_store(tmp_path / "moody.db")
    store.put_objects(small_metadata())
    server = Moody(create_app(store))
    with served(server) as url:
        profiles.save(profiles.Profile("moody", url, username="admin", retries=0), activate=True)
        profiles.get("moody").secrets.write("district")
        yield server
        server.go_on.set()
    store.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_write_that_is_ended_from_outside_says_how_far_it_came(moody: Moody, how: int) -> None:
    line = [
        sys.executable,
        "-m",
        "dhis2sh.surfaces.cli.main",
        "metadata",
        "rename",
        "dataElements",
        "--all",
        "--prefix",
        "X ",
        "--yes",
    ]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env={**os.environ}) as running:
        assert moody.asked.wait(60)
        running.send_signal(how)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "0 of 3 done, 3 sent without an answer; dhis2 -p moody journal show 1; dhis2 -p moody undo 1" in err
    assert err.endswith("error: interrupted\n")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_hints_4_who_interrupts_the_planning_is_told_that_nothing_was_written(moody: Moody, how: int) -> None:
    moody.only = ("GET",)
    line = [sys.executable, "-m", "dhis2sh.surfaces.cli.main", "metadata", "rename", "dataElements", "--all"]
    line += ["--prefix", "X ", "--yes"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env={**os.environ}) as running:
        assert moody.asked.wait(60)
        running.send_signal(how)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert err.endswith("nothing was written: no plan was applied\nerror: interrupted\n")


@pytest.mark.parametrize(
    "body", [b'{"httpStatus":"Server Error","httpStatusCode":500,"status":"ERROR","message":"down"}', b"<html>"]
)
def test_t6_a_5xx_on_a_write_was_sent_and_nobody_knows(
    moody: Moody, capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    moody.answers = (504, body)
    code = cli.run(["metadata", "rename", "dataElements", "--all", "--prefix", "X", "--yes"])
    err = capsys.readouterr().err
    assert (code, "it was sent and may still be running: dhis2 journal show" in err) == (5, True)
    assert "0 of 3 done, 3 sent without an answer; dhis2 -p moody journal show 1; dhis2 -p moody undo 1" in err
    assert cli.run(["journal", "list", "-o", "json"]) == 0
    assert '"unknown": 3' in capsys.readouterr().out


@pytest.mark.parametrize("where", ["GET", "POST", "DELETE", "PATCH"])
def test_a_5xx_on_undo_ends_with_5(moody: Moody, capsys: pytest.CaptureFixture[str], where: str) -> None:
    moody.only = ""
    assert cli.run(["metadata", "rename", "dataElements", "--all", "--prefix", "X", "--yes"]) == 0
    moody.only, moody.answers = where, (500, b'{"httpStatus":"Server Error","message":"down","status":"ERROR"}')
    capsys.readouterr()
    code = cli.run(["undo", "--yes"])
    err = capsys.readouterr().err
    assert (code, "\n  try: " in err) == ((5, True) if where in {"GET", "POST"} else (0, False)), err


def test_t5_what_was_sent_without_an_answer_is_said_before_it_is_sent_again(
    moody: Moody, capsys: pytest.CaptureFixture[str]
) -> None:
    moody.only, moody.answers = "DELETE", (504, b"<html>")
    line = "metadata delete dataElements deText00001"
    assert cli.run([*line.split(), "--yes"]) == 5
    moody.only = ""
    capsys.readouterr()
    assert cli.run(line.split()) == 2
    err = capsys.readouterr().err
    assert "1 of these were sent" in err
    assert "(entry 1) and got no answer: the server may still be at it" in err
    assert cli.run([*line.split(), "--yes"]) == 0
    assert cli.run(["metadata", "update", "dataElements", "DE_1", "--set", "name=X"]) == 0, (
        "what was not sent is not asked for"
    )


@pytest.mark.parametrize("since", ["undo --yes", "metadata rename dataElements deText00001 --prefix Y --yes"])
def test_hints_3_what_was_taken_back_or_written_since_waits_for_no_answer(
    moody: Moody, capsys: pytest.CaptureFixture[str], since: str
) -> None:
    moody.only, moody.answers = ("PATCH", "POST"), (504, b"<html>")
    line = ["metadata", "rename", "dataElements", "deText00001", "--prefix", "X"]
    assert cli.run([*line, "--yes"]) == 5
    moody.only = ""
    assert cli.run([*line, "--yes", "--no-journal"]) == 0, "the server came to it after all"
    assert cli.run([*since.split()]) == 0
    capsys.readouterr()
    assert cli.run([*line, "--yes"]) == 0
    assert "got no answer" not in capsys.readouterr().err


def test_hints_2_who_deletes_or_disables_their_own_account_is_asked_first(
    moody: Moody, capsys: pytest.CaptureFixture[str]
) -> None:
    disabling = ["metadata", "update", "users", "admin", "--set", "disabled=true"]
    for line, does in ((["metadata", "users", "delete", "admin"], "deletes"), (disabling, "disables")):
        assert cli.run(line) == 2
        err = capsys.readouterr().err
        assert f"this {does} your own account, 'admin': you lock yourself out of moody" in err
        assert not moody.asked.is_set(), "nothing was sent"
    assert cli.run(["metadata", "update", "users", "admin", "--set", "jobTitle=Head", "--dry-run"]) == 0
    assert "your own account" not in "".join(capsys.readouterr())
