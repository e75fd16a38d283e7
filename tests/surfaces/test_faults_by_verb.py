"""Every fault of a network or a server with every family of verbs: the exit code says whose it is, two lines say what and what next.

A fault may come at once, or only when something is written: then nobody may say that nothing was, but for a refusal in words.
"""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from dhis2sh import profiles
from dhis2sh.changes import journal
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_country
from dhis2sh.surfaces.cli import main as cli
from tests.fakes.serve import served

PROBLEM = {"httpStatus": "X", "status": "ERROR", "message": "upstream said no"}
FAULTS: dict[str, tuple[int, str, str, set[int]]] = {
    "wrong password": (401, "application/json", json.dumps(PROBLEM), {4}),
    "login page": (200, "text/html", "<form id='login-form'><input name='j_password'>", {4}),
    "forbidden": (403, "application/json", json.dumps({**PROBLEM, "errorCode": "E1006"}), {4}),
    "not there": (404, "application/json", json.dumps({**PROBLEM, "errorCode": "E1005"}), {3}),
    "conflict": (409, "application/json", json.dumps(PROBLEM), {5}),
    "too large": (413, "text/html", "<title>Request Entity Too Large</title>", {5}),
    "failed": (500, "application/json", json.dumps(PROBLEM), {5}),
    "bad gateway": (502, "text/html", "<title>Bad Gateway</title>", {5}),
    "unavailable": (503, "text/html", "<title>Service Unavailable</title>", {5}),
    "gateway timeout": (504, "application/json", json.dumps(PROBLEM), {5}),
    "another site": (200, "text/html", "<title>Shop</title>", {6}),
    "no JSON": (200, "application/json", "hello", {6}),
    "nothing": (200, "application/json", "", {6}),
    "a number": (200, "application/json", "3", {6}),
    "cut off": (200, "application/json", "", {6}),
}
"""Status, media type, body, and the exit codes that are right."""
UNKNOWN = {
    "failed",
    "bad gateway",
    "unavailable",
    "gateway timeout",
    "another site",
    "no JSON",
    "nothing",
    "a number",
    "cut off",
}
"""Of these nobody knows whether a write was carried out."""
READS = [
    "metadata list dataElements",
    "metadata get dataElements 'Live births'",
    "metadata search live",
    "metadata export --types constants --out out.json",
    "metadata usage 'Live births'",
    "data aggregate get --data-element 'Live births' --period 2025 --org-unit COUNTRY --children",
    "data completeness 'DATASET' --period 202501",
    "analytics query dx='Live births' pe=2025 ou=LEVEL-1",
    "pull dx='Live births' pe=2025 ou=LEVEL-1",
    "analytics explain 'Live births' --org-unit COUNTRY --period 202501",
    "data outliers --data-set DATASET --period 202501 --org-unit COUNTRY",
    "data validate --data-set DATASET --period 202501 --org-unit COUNTRY",
    "data history 'Live births' 202501 UNIT",
    "jobs list",
    "user list",
    "names refresh",
    "raw get me",
    "system info",
    "metadata package plan package.json",
]
WRITES = [
    "metadata create constants --set name=Pi --set shortName=Pi --set value=3",
    "metadata update dataElements 'Live births' --set name=Births",
    "metadata delete constants ONE --yes",
    "metadata rename constants --all --prefix X --yes",
    "metadata import bundle.json --yes",
    "metadata package install package.json --yes",
    "data aggregate push values.csv --yes",
    "data complete 'DATASET' 202501 UNIT --yes",
    'raw post constants --body \'{"name": "Tau", "shortName": "Tau", "value": 6}\' --yes',
]
FAIR = {
    ("a number", "raw get me"),
    *((fault, line) for fault in ("nothing", "a number") for line in WRITES if "raw" in line),
}
"""Whoever asks by hand is given what came: a number is JSON, and a server may answer a write with nothing."""
ELEMENT = {"valueType": "NUMBER", "domainType": "AGGREGATE", "aggregationType": "SUM"}


class Faulty:
    """The sandbox, which answers as it is told: always, or only what writes."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.fault: str | None = None
        self.writes_only = False
        self.struck = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        query = scope.get("query_string", b"")
        writes = scope.get("method") not in {"GET", None} and not (b"VALIDATE" in query or b"dryRun=true" in query)
        if self.fault is None or scope["type"] != "http" or (self.writes_only and not writes):
            await self.app(scope, receive, send)
            return
        self.struck += 1
        status, media, body, _ = FAULTS[self.fault]
        length = 100 if self.fault == "cut off" else len(body)
        headers = [(b"content-type", media.encode()), (b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode(), "more_body": self.fault == "cut off"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Faulty, str, dict[str, str]]]:
    """The fictional country behind a server with faults; its address, and what the lines name."""
    store = open_store(tmp_path_factory.mktemp("faulty") / "sandbox.db")
    load_country(store, "small")
    store.put_objects({"constants": [{"id": "constant001", "name": "One", "shortName": "One", "value": 1.0}]})
    monthly = next(one for one in store.objects("dataSets").values() if one["name"] == "Health facility monthly report")
    words = {"ONE": "constant001", "DATASET": str(monthly["id"]), "UNIT": str(monthly["organisationUnits"][0]["id"])}
    top = next(uid for uid, unit in store.objects("organisationUnits").items() if unit["level"] == 1)
    words["COUNTRY"] = top
    faulty = Faulty(create_app(store))
    with served(faulty) as url:
        yield faulty, url, words
    store.close()


@pytest.fixture
def at(home: Path, server: tuple[Faulty, str, dict[str, str]]) -> Iterator[tuple[Faulty, dict[str, str]]]:
    """The profile `play` on that server, which is known already, and the files that the lines name."""
    faulty, url, words = server
    faulty.fault, faulty.writes_only, faulty.struck = None, False, 0
    profiles.save(profiles.Profile("play", url, username="admin", retries=0), activate=True)
    profiles.get("play").secrets.write("district")
    element = {**ELEMENT, "id": "deFaulty001", "name": "Faulty", "shortName": "Faulty"}
    Path("bundle.json").write_text(json.dumps({"dataElements": [element]}))
    Path("package.json").write_text(json.dumps({"package": {"name": "P", "version": "1"}, "dataElements": [element]}))
    Path("values.csv").write_text(f"dataElement,period,orgUnit,value\nLive births,202501,{words['UNIT']},3\n")
    assert cli.run(["system", "info", "-o", "json"]) == 0
    yield faulty, words
    faulty.fault = None


def said(line: str, words: dict[str, str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str, list[str]]:
    capsys.readouterr()
    code = cli.run([words.get(part, part) for part in shlex.split(line)])
    out, err = capsys.readouterr()
    return code, out, err, [text for text in err.splitlines() if text.startswith(("error: ", "  try: "))]


@pytest.mark.parametrize("line", [*READS, *WRITES])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_two_lines_and_the_exit_code_of_whose_it_is(
    at: tuple[Faulty, dict[str, str]], capsys: pytest.CaptureFixture[str], line: str, fault: str
) -> None:
    faulty, words = at
    faulty.fault = fault
    code, out, err, told = said(line, words, capsys)
    assert faulty.struck, "the line asks nothing of the server"
    if (fault, line) in FAIR:
        return
    assert (code in FAULTS[fault][3], out, len(told)) == (True, "", 2), (code, out, err)
    assert "Traceback" not in err
    assert "fault of dhis2sh" not in err
    tried = journal.of("play").entries()
    assert line.startswith("raw") or all(entry.states == {} and entry.reason for entry in tried), "nothing was planned"
    assert not Path("out.json").exists()


@pytest.mark.parametrize("line", WRITES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_write_is_told_as_what_is_known_of_it(
    at: tuple[Faulty, dict[str, str]], capsys: pytest.CaptureFixture[str], line: str, fault: str
) -> None:
    faulty, words = at
    faulty.fault, faulty.writes_only = fault, True
    code, _, err, told = said(line, words, capsys)
    assert faulty.struck, "the line writes nothing"
    if (fault, line) in FAIR:
        assert code == 0
        return
    if "the server ignored it and gave no reason" in err:
        assert (code, fault in UNKNOWN) == (5, True), "it looked: nothing is there"
        return
    assert (code in FAULTS[fault][3], len(told)) == (True, 2), (code, err)
    assert "fault of dhis2sh" not in err
    [entry] = journal.of("play").entries()
    if fault in UNKNOWN:
        assert "nothing was written" not in err, "nobody knows that"
        assert entry.outcome == "failed", entry
        assert set(entry.states) <= {"sent", "planned"}, entry
    else:
        assert entry.outcome == "refused", (entry, err)
        assert "done" not in entry.states


@pytest.mark.parametrize("status", [403, 500, 503])
def test_names_of_which_none_can_be_read_are_no_refresh(
    at: tuple[Faulty, dict[str, str]], capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """Types that a user may not see are left out; where all are, that is said."""
    faulty, words = at

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].endswith("system/info"):
            await faulty(scope, receive, send)
        else:
            await JSONResponse(PROBLEM, status)(scope, receive, send)

    with served(refusing) as url:
        profiles.save(profiles.Profile("other", url, username="admin", retries=0))
        profiles.get("other").secrets.write("district")
        code, out, err, told = said("-p other names refresh", words, capsys)
    assert (code, out, len(told)) == (4 if status == 403 else 5, "", 2), err
