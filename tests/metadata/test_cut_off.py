"""A bulk write that ends in the middle: what was written is said, the journal knows it, a second run finishes, undo takes back."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from dhis2sh.changes.journal import Journal, journal_of
from dhis2sh.changes.plan import WriteSummary
from dhis2sh.errors import PartlyDone
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.faults import Faults
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.fakes.serve import served
from tests.measuring import unmeasured
from tests.metadata.calls import YES

BIN = Path(sys.executable).parent
GROUPS = 4500
SLOW = ["latency=400ms", "only=/api/metadata"]
CREATE = ["metadata", "create", "dataElementGroups", "--from", "groups.csv", "--yes", "-p", "srv"]


@pytest.fixture
def sheet() -> Path:
    """4,500 groups: three bundles."""
    path = Path("groups.csv")
    path.write_text("name,shortName,code\n" + "".join(f"Group {n},Group {n},G{n}\n" for n in range(GROUPS)))
    return path


def profile(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DHIS2_PASSWORD", "district")
    assert cli.run(["profile", "add", "srv", "--url", url, "--username", "admin"]) == 0


@contextlib.contextmanager
def process(database: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen, str]]:
    """The sandbox as a process of its own, and its address."""
    words = [str(BIN / "dhis2"), "sandbox", "serve", "--db", str(database), "--port", str(port)]
    words += [word for fault in SLOW for word in ("--fault", fault)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=unmeasured()
    ) as running:
        try:
            yield running, next(line for line in running.stdout if line.startswith("serving")).split()[1]
        finally:
            running.kill()


def when_half_is_done(home: Path, act: Callable[[], None]) -> threading.Thread:
    """Do something as soon as the journal has 2,000 objects done and more under way."""
    journal = Journal(home / "data" / "journal" / "srv.db")

    def watch() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            states = (journal.entries(limit=1) or [None])[0]
            if states is not None and states.states.get("done") == 2000 and states.states.get("sent"):
                act()
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def count(capsys: pytest.CaptureFixture[str]) -> int:
    capsys.readouterr()
    assert cli.run(["metadata", "count", "dataElementGroups", "-p", "srv", "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)["count"]


def test_a_server_that_is_killed(
    sandbox_home: Path, sheet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = sandbox_home / "data" / "sandbox.db"
    with process(database) as (running, url):
        profile(url, monkeypatch)
        watching = when_half_is_done(sandbox_home, running.kill)
        assert cli.run(CREATE) == 7
        watching.join()
    said = capsys.readouterr().err
    assert "dataElementGroups: 2,000 created" in said
    assert "then it was cut off: " in said
    assert "try: the same line with --skip-existing finishes the rest; the journal has how far it came" in said
    assert "2,000 of 4,500 done, 2,000 sent without an answer, 500 not sent; dhis2 -p srv journal show 1" in said
    assert cli.run(["journal", "show", "-p", "srv", "-o", "json"]) == 0
    states = [row["state"] for row in json.loads(capsys.readouterr().out)]
    assert [states.count(state) for state in ("done", "sent", "planned")] == [2000, 2000, 500]

    with process(database, int(url.rpartition(":")[2])):
        assert cli.run([*CREATE, "--skip-existing"]) == 0
        assert "2,500 created" in capsys.readouterr().out
        assert count(capsys) == GROUPS + 1
        assert cli.run(["undo", "1", "--yes", "-p", "srv"]) == 0
        assert "2,000 deleted" in (told := capsys.readouterr().out)
        assert "sent without an answer, and not there now: " in told, "the part that the server did not live to write"
        assert count(capsys) == 2501


def test_ctrl_c(
    sandbox_home: Path, sheet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(sandbox_home / "data" / "sandbox.db")
    groups = [{"id": f"dgMany{n:05}", "name": f"Group {n}", "shortName": f"Group {n}"} for n in range(GROUPS)]
    store.put_objects({"dataElementGroups": groups})
    server = Busy(create_app(store, faults=Faults.parse(SLOW)))
    with served(server) as url:
        profile(url, monkeypatch)
        line = ["metadata", "rename", "dataElementGroups", "--filter", "name:$like:Group", "--prefix", "X "]
        client = subprocess.Popen([str(BIN / "dhis2"), *line, "--yes", "-p", "srv"], stderr=subprocess.PIPE, text=True)
        when_half_is_done(sandbox_home, lambda: client.send_signal(signal.SIGINT)).join()
        _, said = client.communicate(timeout=120)

        assert client.returncode == 130
        how_far = "2,000 of 4,500 done, 2,000 sent without an answer, 500 not sent"
        assert f"{how_far}; dhis2 -p srv journal show 1; dhis2 -p srv undo 1" in said
        assert "Traceback" not in said
        server.wait_until_idle()
        assert cli.run(["undo", "--yes", "-p", "srv"]) == 0
    names = {item["name"] for item in store.objects("dataElementGroups").values()}
    store.close()
    assert names == {"Vaccines", *(group["name"] for group in groups)}


class Busy:
    """A server that knows how many requests it still works on, also those nobody listens to any more."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.requests -= 1

    def wait_until_idle(self) -> None:
        deadline = time.monotonic() + 60
        while self.requests:
            assert time.monotonic() < deadline, "the server did not end what it was asked"
            time.sleep(0.05)


class Forgetful:
    """A server that says 200, OK, and has left one object of each bundle out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/api/metadata"):
            await self.app(scope, receive, send)
            return
        bundle = json.loads((await receive())["body"])
        (rows,) = bundle.values()
        rows.pop()
        answer = bytearray()

        async def shortened() -> dict:
            return {"type": "http.request", "body": json.dumps(bundle).encode()}

        async def heard(message: dict) -> None:
            answer.extend(message.get("body", b""))

        await self.app(scope, shortened, heard)
        whole = json.loads(answer)
        whole["response"]["stats"]["ignored"] += 1
        whole["response"]["stats"]["total"] += 1
        body = json.dumps(whole).encode()
        length = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": body})


async def test_a_200_that_left_one_out_is_read_back_and_names_it(session: Session) -> None:
    app = Forgetful(create_app(session.sandbox_store()))
    session._client = _client(session, app)

    with pytest.raises(PartlyDone, match="1 refused: Remark: the server ignored it and gave no reason") as partly:
        await run(session, find("metadata rename"), {"type": "dataElements", "all": True, "prefix": "X "}, YES)

    assert partly.value.summary.updated == 2
    [entry] = journal_of(session).entries()
    assert (entry.outcome, entry.states) == ("partly", {"done": 2, "refused": 1})


class DeafAfterwards:
    """A server that carries a bundle out and then closes the connection without an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def unheard(message: dict) -> None:
            pass

        bundle = scope["type"] == "http" and scope["method"] == "POST"
        await self.app(scope, receive, unheard if bundle else send)
        if bundle:
            await send({"type": "http.response.start", "status": 502, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": b"<html>Bad gateway</html>"})


async def test_a_bundle_that_was_written_and_never_answered_is_found_out(session: Session) -> None:
    session._client = _client(session, DeafAfterwards(create_app(session.sandbox_store())))

    done = await run(session, find("metadata rename"), {"type": "dataElements", "all": True, "prefix": "X "}, YES)

    assert isinstance(done, WriteSummary)
    assert done.updated == 3 and "looked at afterwards: all of it is done" in (done.note or "")
    [entry] = journal_of(session).entries()
    assert (entry.outcome, entry.states) == ("done", {"done": 3})


def _client(session: Session, app: ASGIApp) -> object:
    from dhis2sh.client.client import Client

    return Client(session.profile.settings(), session.profile.sign_in(), asgi_app=app)
