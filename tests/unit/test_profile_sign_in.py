"""`profile login`, `logout` and `bootstrap` through the command line, against a server on loopback."""

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dhis2sh import profiles
from dhis2sh import sign_in as signing
from dhis2sh.client.known import Known
from dhis2sh.client.oauth2 import Tokens
from dhis2sh.client.versions import parse_version
from dhis2sh.secret_store import KINDS
from dhis2sh.surfaces import terminal
from dhis2sh.surfaces.cli import main as cli
from tests.fakes.dhis2 import FakeDhis2
from tests.fakes.serve import served

type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> FakeDhis2:
    return FakeDhis2()


@pytest.fixture
def url(server: FakeDhis2) -> Iterator[str]:
    with served(server.app) as address:
        yield address


@pytest.fixture
def dhis2(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line; gives its exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.run(list(words))
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody who answers every question for a secret with `district`; gives what was asked."""
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "district"

    monkeypatch.setattr(terminal, "interactive", lambda: True)
    monkeypatch.setattr(terminal, "ask_secret", answer)
    return asked


def save(name: str, url: str, **settings: object) -> None:
    profiles.save(profiles.Profile(name, url, **settings), activate=True)


def browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser in which ann is signed in: it consents, and follows the server back to 127.0.0.1."""

    def browse(address: str) -> bool:
        for _ in range(2):
            parts = urlsplit(address)
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
            connection.request("GET", f"{parts.path}?{parts.query}")
            answer = connection.getresponse()
            address = answer.headers.get("location", "")
            connection.close()
        return True

    monkeypatch.setattr(signing, "_open", browse)


# login -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "variable", "secret"), [("basic", "DHIS2_PASSWORD", "district"), ("pat", "DHIS2_PAT", "d2p_good\n")]
)
def test_a_secret_is_tried_before_it_is_kept(
    url: str, dhis2: Run, monkeypatch: pytest.MonkeyPatch, method: str, variable: str, secret: str
) -> None:
    save("play", url, username="ann", auth=method)
    monkeypatch.setenv(variable, "wrong")
    code, _, err = dhis2("profile", "login", "play")
    assert code == 4
    assert "the server did not accept our sign-in" in err
    assert profiles.get("play").secrets.read() is None

    monkeypatch.setenv(variable, secret)
    code, out, _ = dhis2("profile", "login", "play")
    assert (code, out) == (0, "signed in to 'play' as ann, DHIS2 2.42.5.2: 1 updated\n")
    assert profiles.get("play").secrets.read() == secret.strip()


def test_without_a_terminal_the_environment_is_named(url: str, dhis2: Run) -> None:
    save("play", url, username="ann")
    code, _, err = dhis2("profile", "login")
    assert code == 2
    assert "there is no password of ann on 'play' yet" in err
    assert "set DHIS2_PASSWORD" in err


def test_on_a_terminal_the_password_is_asked_for(url: str, dhis2: Run, at_a_terminal: list[str]) -> None:
    save("play", url, username="ann")
    assert dhis2("profile", "login", "play")[0] == 0
    assert at_a_terminal == ["password of ann on 'play'"]
    assert profiles.get("play").secrets.read() == "district"


def test_adding_a_profile_on_a_terminal_asks_once(url: str, dhis2: Run, at_a_terminal: list[str]) -> None:
    assert dhis2("profile", "add", "play", "--url", url, "--username", "ann")[0] == 0
    assert dhis2("profile", "add", "play", "--url", url, "--read-only")[0] == 0
    assert len(at_a_terminal) == 1
    assert profiles.get("play").secrets.read() == "district"
    assert profiles.get("play").read_only


def test_a_known_profile_sends_one_request_per_verb(url: str, dhis2: Run, server: FakeDhis2) -> None:
    save("play", url, username="ann")
    profiles.get("play").secrets.write("district")
    assert dhis2("profile", "verify", "play")[0] == 0
    server.asked.clear()
    assert dhis2("system", "whoami", "-o", "json")[0] == 0
    assert server.asked == ["GET /api/me"]
    assert Known("play", url).read().username == "ann"


def test_a_session_is_kept_for_the_next_command(
    url: str, dhis2: Run, server: FakeDhis2, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("play", url, username="ann", auth="session")
    monkeypatch.setenv("DHIS2_PASSWORD", "district")
    assert dhis2("profile", "login")[0] == 0
    monkeypatch.delenv("DHIS2_PASSWORD")
    for _ in range(2):
        assert dhis2("system", "whoami")[0] == 0
    assert server.asked.count("POST /api/auth/login") == 1
    server.forget()
    assert dhis2("system", "whoami")[0] == 0, "the password opens another session"
    assert server.asked.count("POST /api/auth/login") == 2


def test_a_second_factor_is_given_and_its_password_not_kept(
    url: str, dhis2: Run, server: FakeDhis2, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.two_factor = "123456"
    save("play", url, username="ann", auth="session")
    monkeypatch.setenv("DHIS2_PASSWORD", "district")
    code, _, err = dhis2("profile", "login")
    assert code == 4
    assert "dhis2 profile login play --code CODE" in err
    assert dhis2("profile", "login", "--code", "123456")[0] == 0
    monkeypatch.delenv("DHIS2_PASSWORD")
    assert dhis2("system", "whoami")[0] == 0
    assert profiles.get("play").secrets.read() is None
    server.forget()
    code, _, err = dhis2("system", "whoami")
    assert code == 4
    assert "the session has ended" in err


def test_oauth2_opens_a_browser(url: str, dhis2: Run, server: FakeDhis2, monkeypatch: pytest.MonkeyPatch) -> None:
    save("play", url, auth="oauth2", client_id="dhis2sh")
    code, _, err = dhis2("system", "whoami")
    assert code == 4
    assert "dhis2 profile login play" in err

    browser(monkeypatch)
    code, out, err = dhis2("profile", "login", "play", "--timeout", "20")
    assert (code, out) == (0, "signed in to 'play' as ann, DHIS2 2.42.5.2: 1 updated\n")
    assert f"the browser is open; if not, sign in at {url}/oauth2/authorize?response_type=code" in err
    assert dhis2("system", "whoami")[0] == 0


def test_no_browser_prints_the_address(url: str, dhis2: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(address: str) -> bool:
        raise AssertionError("no browser may open")

    monkeypatch.setattr(signing, "_open", never)
    save("play", url, auth="oauth2", client_id="dhis2sh")
    code, _, err = dhis2("profile", "login", "play", "--no-browser", "--timeout", "1")
    assert code == 6
    assert f"sign in at {url}/oauth2/authorize?response_type=code&client_id=dhis2sh" in err
    assert "nobody signed in within 1 s" in err
    assert "dhis2 profile login play --timeout 600" in err


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("none", {"auth": "none"}, "sign-in 'none' of 'none' has no login"),
        ("who", {}, "profile 'who' has no user name"),
        ("client", {"auth": "oauth2"}, "needs the client_id of an OAuth2 client"),
    ],
)
def test_what_cannot_log_in_says_why(dhis2: Run, name: str, settings: dict[str, str], words: str) -> None:
    save(name, "http://127.0.0.1:9", **settings)
    code, _, err = dhis2("profile", "login", name)
    assert code == 2
    assert words in err


def test_the_sandbox_signs_in_by_itself(dhis2: Run) -> None:
    code, _, err = dhis2("profile", "login", "sandbox")
    assert code == 2
    assert "the sandbox signs in by itself" in err


def test_a_dry_run_asks_for_nothing(url: str, dhis2: Run, server: FakeDhis2) -> None:
    save("play", url, username="ann")
    code, out, _ = dhis2("profile", "login", "play", "--dry-run")
    assert code == 0
    assert "plan: sign in to 'play'" in out
    assert server.asked == []


# logout ------------------------------------------------------------------------------------------------------------


def test_logging_out_forgets_every_secret_and_takes_tokens_back(
    url: str, dhis2: Run, server: FakeDhis2, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("play", url, auth="oauth2", client_id="dhis2sh")
    browser(monkeypatch)
    assert dhis2("profile", "login", "--timeout", "20")[0] == 0
    code, out, _ = dhis2("profile", "logout", "play")
    assert code == 0
    assert "the server has taken the tokens back" in out
    assert server.refreshes == {}
    assert Tokens.from_text(profiles.get("play").secrets.read("tokens")) is None
    assert dhis2("profile", "logout", "play")[0] == 0, "nothing is left to take back"


def test_logging_out_with_a_token_says_that_the_server_still_knows_it(url: str, dhis2: Run) -> None:
    save("play", url, auth="pat")
    profiles.get("play").secrets.write("d2p_good")
    code, out, _ = dhis2("profile", "logout")
    assert code == 0
    assert "the server still knows the token" in out
    assert profiles.get("play").secrets.read() is None


# bootstrap ---------------------------------------------------------------------------------------------------------


def test_bootstrap_makes_a_token_with_a_password_that_is_not_kept(
    url: str, dhis2: Run, server: FakeDhis2, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("DHIS2_PASSWORD", "district")
    words = ["profile", "bootstrap", "play", "--url", f"{url}/api/", "--username", "ann", "--days", "30"]
    code, out, _ = dhis2(*words, "--dry-run")
    assert code == 0
    assert "create" in out
    assert f"for ann on {url}" in out
    assert server.bodies == []
    assert "play" not in profiles.all_profiles()

    assert dhis2(*words)[0] == 2, "two steps want a yes"
    code, out, _ = dhis2(*words, "--yes")
    assert (code, out) == (0, "personal access token: 1 created  tok12345678  profile 'play' signs in with it\n")
    assert profiles.get("play").auth == "pat"
    assert profiles.get("play").secrets.read() == "d2p_made1"
    assert server.bodies[0]["expire"] > 1_700_000_000_000
    assert "district" not in (home / "data" / "secrets.json").read_text()

    monkeypatch.delenv("DHIS2_PASSWORD")
    code, out, _ = dhis2("system", "whoami", "-o", "json")
    assert code == 0
    assert json.loads(out)["username"] == "ann"


def test_bootstrap_asks_for_the_password_on_a_terminal(
    url: str, dhis2: Run, at_a_terminal: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save("play", url, username="ann")
    assert dhis2("profile", "bootstrap", "play", "--yes")[0] == 0
    assert at_a_terminal == ["password of ann on 'play'"]
    assert profiles.get("play").auth == "pat"


def test_a_production_profile_wants_its_name(url: str, dhis2: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    save("prod", url, username="ann", production=True)
    profiles.get("prod").secrets.write("district")
    save("play", "http://127.0.0.1:9")  # the active one is another
    code, _, err = dhis2("profile", "bootstrap", "prod", "--yes")
    assert code == 2
    assert "--confirm prod" in err
    assert dhis2("profile", "bootstrap", "prod", "--confirm", "prod")[0] == 2, "nor is its name a yes"
    assert dhis2("profile", "bootstrap", "prod", "--confirm", "prod", "--yes")[0] == 0


def test_a_token_that_cannot_be_kept_is_taken_back(
    url: str, dhis2: Run, server: FakeDhis2, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DHIS2_PASSWORD", "district")
    home.mkdir()
    (home / "config").write_text("a file where a folder should be")
    code, _, err = dhis2("profile", "bootstrap", "play", "--url", url, "--username", "ann", "--yes")
    assert code == 9
    assert "cannot be written" in err
    assert "DELETE /api/apiToken/tok12345678" in server.asked


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sandbox"], 2, "reserved"),
        (["play"], 2, "there is no profile 'play' yet"),
        (["play", "--url", "play.example.org"], 2, "not an address"),
        (["play", "--url", "http://ann:district@x"], 2, "holds no user and no password"),
        (["play", "--url", "http://127.0.0.1:9"], 2, "who signs in?"),
    ],
)
def test_bootstrap_that_cannot_begin(dhis2: Run, words: list[str], code: int, said: str) -> None:
    got, _, err = dhis2("profile", "bootstrap", *words)
    assert got == code
    assert said in err


@pytest.mark.parametrize("version", ["2.41.9", "2.42.5.2"])
def test_bootstrap_registers_an_oauth2_client_and_login_uses_it(
    url: str, dhis2: Run, server: FakeDhis2, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    server.version = version
    monkeypatch.setenv("DHIS2_PASSWORD", "district")
    words = ["profile", "bootstrap", "play", "--url", url, "--username", "ann", "--oauth2", "--client-id", "mine"]
    code, out, _ = dhis2(*words, "--yes")
    assert code == 0
    assert "dhis2 profile login play" in out
    body = server.bodies[-1]
    if version == "2.41.9":
        assert body["cid"] == "mine"
        assert body["redirectUris"] == ["http://127.0.0.1:8719/"]
        return
    assert body["clientSecret"].startswith("$2b$10$"), "the server keeps a hash"
    assert json.loads(body["tokenSettings"])["settings.token.reuse-refresh-tokens"] is True
    assert body["scopes"] == "ALL"

    monkeypatch.delenv("DHIS2_PASSWORD")
    browser(monkeypatch)
    assert dhis2("profile", "login", "play", "--timeout", "20")[0] == 0
    assert profiles.get("play").auth == "oauth2"

    code, _, err = dhis2(*words, "--yes")
    assert code == 2, "the password is wanted again"
    monkeypatch.setenv("DHIS2_PASSWORD", "district")
    code, _, err = dhis2(*words, "--yes")
    assert code == 2
    assert "has an OAuth2 client 'mine' already" in err


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(Exception, match="needs the extra 'oauth2'"):
        signing.oauth2_client(parse_version("2.42"), "mine", "s3cret")
    assert signing.oauth2_client(parse_version("2.40"), "mine", "s3cret")["secret"] == "s3cret"
    for version, length in (("2.40", 36), ("2.41", 36), ("2.42", 43), ("2.44", 43)):
        assert len(signing.new_client_secret(parse_version(version))) == length, (
            "2.41 takes 36 characters alone (E4002)"
        )


# Profiles ----------------------------------------------------------------------------------------------------------


def test_every_secret_of_a_profile_goes_along(home: Path, dhis2: Run) -> None:
    save("a", "https://a.example.org", auth="oauth2", client_id="mine")
    for kind in KINDS:
        profiles.get("a").secrets.write(f"secret {kind}", kind)
    assert dhis2("profile", "rename", "a", "b")[0] == 0
    assert [profiles.get("b").secrets.read(kind) for kind in KINDS] == [f"secret {kind}" for kind in KINDS]
    assert dhis2("profile", "remove", "b", "--yes")[0] == 0
    assert json.loads((home / "data" / "secrets.json").read_text()) == {}


def test_an_unknown_sign_in_names_the_nearest(dhis2: Run) -> None:
    code, _, err = dhis2("profile", "add", "x", "--url", "https://x.example.org", "--auth", "oauth")
    assert code == 2
    assert "oauth2" in err
