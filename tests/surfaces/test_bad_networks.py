"""What a command line says and exits with when the network, the server or the disk is not as it should be."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from dhis2sh import profiles
from dhis2sh.surfaces.cli import main as cli
from tests.fakes.serve import served

HTML = "text/html"
ANSWERS: dict[str, Callable[[], Response]] = {
    "wrong": lambda: JSONResponse({"message": "Unauthorized"}, status_code=401),
    "login": lambda: Response("<form id='login-form'><input name='j_password'>", media_type=HTML),
    "moved": lambda: RedirectResponse("/dhis-web-login/", status_code=302),
    "shop": lambda: Response("<title>Shop</title>", media_type=HTML),
    "proxy": lambda: Response("<title>Bad Gateway</title>", status_code=502, media_type=HTML),
    "cut": lambda: Response('{"id": "abc', media_type="application/json"),
    "empty": lambda: Response("", media_type="application/json"),
    "gone": lambda: Response("<title>Not Found</title>", status_code=404, media_type=HTML),
    "forbidden": lambda: JSONResponse({"message": "not for you", "errorCode": "E1006"}, status_code=403),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    async def answer(request: Request) -> Response:
        return ANSWERS[request.path_params["kind"]]()

    with served(Starlette(routes=[Route("/{kind}/{rest:path}", answer)])) as address:
        yield address


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def whoami(url: str, capsys: pytest.CaptureFixture[str], **settings: object) -> tuple[int, list[str]]:
    """Ask a server who we are; the exit code and the lines of standard error."""
    profiles.save(profiles.Profile("play", url, username="ann", retries=0, **settings), activate=True)
    profiles.get("play").secrets.write("s3cret-word")
    code = cli.run(["system", "whoami", "-o", "json"])
    said = capsys.readouterr()
    assert said.out == ""
    assert "s3cret-word" not in said.err
    return code, said.err.splitlines()


@pytest.mark.parametrize(
    ("kind", "exit_code", "error", "hint"),
    [
        ("wrong", 4, "did not accept our sign-in (ann, with a password)", "dhis2 profile login play"),
        ("login", 4, "its login page", "dhis2 profile login play"),
        ("moved", 4, "its login page", "dhis2 profile login play"),
        ("shop", 6, "an HTML page came back, not data ('Shop')", "dhis2 profile show"),
        ("proxy", 5, "status 502 ('Bad Gateway')", "try again in a minute"),
        ("cut", 6, "cut off after 11 bytes", "try again"),
        ("empty", 6, "promised JSON and sent nothing", "try again"),
        ("gone", 3, "there is no such address on this server", "dhis2 profile show"),
        ("forbidden", 4, "not for you (E1006)", "dhis2 system whoami"),
    ],
)
def test_a_bad_answer_is_two_lines_and_an_exit_code(
    url: str, capsys: pytest.CaptureFixture[str], kind: str, exit_code: int, error: str, hint: str
) -> None:
    code, lines = whoami(f"{url}/{kind}", capsys)
    assert code == exit_code
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert error in lines[0]
    assert lines[1].startswith("  try: ")
    assert hint in lines[1]


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = whoami(f"http://127.0.0.1:{refused_port()}", capsys)
    assert code == 6
    assert "nothing answers" in lines[0]
    assert "dhis2 profile verify" in lines[1]


def test_a_host_that_is_unknown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    code, lines = whoami("http://dhis2.example", capsys)
    assert code == 6
    assert lines[0] == "error: http://dhis2.example: no such host (Name or service not known)"


def test_no_password(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    profiles.save(profiles.Profile("play", url, username="ann"), activate=True)
    assert cli.run(["system", "whoami"]) == 2
    assert "dhis2 profile login play" in capsys.readouterr().err


def test_a_disk_that_cannot_be_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    (home / "config").write_text("a file where a folder should be")
    assert cli.run(["profile", "add", "a", "--url", "https://a.example.org"]) == 9
    lines = capsys.readouterr().err.splitlines()
    assert "cannot be written" in lines[0]
    assert "DHIS2SH_HOME" in lines[1]
