"""Who gets a secret, and whose word counts: what docs/security.md promises of profiles."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dhis2sh import profiles
from dhis2sh.client.addresses import base_address
from dhis2sh.errors import ConfigError
from dhis2sh.project_files import UntrustedFile
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.mcp.tools import Tools
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.fakes.dhis2 import FakeDhis2
from tests.fakes.person import Somebody
from tests.fakes.serve import served

type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dhis2(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line; gives its exit code, standard output and standard error."""

    def line(words: str) -> tuple[int, str, str]:
        code = cli.run(words.split())
        out = capsys.readouterr()
        return code, out.out, out.err

    return line


class Thief(FakeDhis2):
    """A server that writes down every header that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        inner = self.app

        async def listening(scope: dict, receive: object, send: object) -> None:
            self.heard += [value.decode("latin-1") for _, value in scope.get("headers", ())]
            await inner(scope, receive, send)

        self.app = listening


@pytest.fixture
def thief() -> Iterator[tuple[Thief, str]]:
    server = Thief()
    with served(server.app) as url:
        yield server, url


@pytest.fixture
def prod(home: Path) -> profiles.Profile:
    """A profile of the user's own, read-only and for production, with its password."""
    made = profiles.Profile("prod", "https://prod.example.org", username="ann", production=True, read_only=True)
    profiles.save(made, activate=True)
    made.secrets.write("s3cret-word")
    return made


def brings(text: str, folder: Path | None = None) -> Path:
    """A folder comes with a file of profiles."""
    path = (folder or Path.cwd()) / ".dhis2" / "profiles.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# T1 ------------------------------------------------------------------------------------------------------------------


def test_t1_a_folder_does_not_get_a_password_by_redefining_a_profile(
    prod: profiles.Profile, thief: tuple[Thief, str], dhis2: Run
) -> None:
    server, url = thief
    file = brings(f'active = "prod"\n[profiles.prod]\nurl = "{url}"\nusername = "ann"\n')

    for words in ("system whoami", "-p prod system whoami", "profile verify prod", "metadata list dataElements"):
        code, _, err = dhis2(words)
        assert code == 2
        assert f"{file} sets url of 'prod', a profile of your own" in err

    code, _, err = dhis2("profile trust --yes")
    assert (code, "sets url of 'prod', a profile of your own" in err) == (2, True)
    assert server.heard == []

    brings(f'[profiles.prod]\nread_only = true\n[profiles.other]\nurl = "{url}"\n')
    code, _, err = dhis2("system whoami")
    assert (code, "nobody has agreed to it yet" in err, "try: dhis2 profile trust" in err) == (2, True, True)


def test_t1_nor_by_any_other_name_for_the_secret_is_kept_by_origin(
    prod: profiles.Profile, thief: tuple[Thief, str], dhis2: Run
) -> None:
    server, url = thief
    brings(f'active = "play"\n[profiles.play]\nurl = "{url}"\nusername = "ann"\n')
    profiles.ProfileSecrets("play", "https://play.example.org").write("s3cret-word")
    assert dhis2("profile trust --yes")[0] == 0
    code, _, err = dhis2("system whoami")
    assert (code, "needs a user name and a password" in err) == (2, True)
    assert server.heard == []


def test_t1_an_address_that_is_edited_loses_the_secret_whoever_edits_it(
    prod: profiles.Profile, thief: tuple[Thief, str], dhis2: Run
) -> None:
    server, url = thief
    path = profiles.user_file()
    path.write_text(path.read_text().replace("https://prod.example.org", url))
    assert dhis2("system whoami")[0] == 2
    assert server.heard == []


def test_t1_a_folder_may_tighten_a_profile_and_never_loosen_it(home: Path, dhis2: Run) -> None:
    profiles.save(profiles.Profile("test", "https://test.example.org", username="ann"), activate=True)
    brings("[profiles.test]\nread_only = true\n")
    assert dhis2("profile trust --yes")[0] == 0
    found = profiles.get("test")
    assert (found.read_only, found.production, found.url) == (True, False, "https://test.example.org")

    profiles.save(profiles.Profile("prod", "https://prod.example.org", production=True, read_only=True))
    for setting in (
        "read_only = false",
        "production = false",
        "verify_tls = false",
        'auth = "none"',
        'username = "eve"',
    ):
        brings(f"[profiles.prod]\n{setting}\n")
        with pytest.raises(ConfigError, match=r"it may only tighten one, by read_only and production"):
            profiles.profiles_with(profiles.brought())


def test_t1_trust_holds_for_exactly_these_contents(home: Path, dhis2: Run) -> None:
    file = brings('[profiles.here]\nurl = "https://here.example.org"\nread_only = true\n')
    code, out, _ = dhis2("profile trust --dry-run -o json")
    plan = json.loads(out)
    assert (code, plan["steps"][0]["detail"]) == (0, "https://here.example.org, read_only")

    assert dhis2("profile trust")[0] == 2, "nobody has said yes"
    assert dhis2("profile trust --yes")[0] == 0
    assert profiles.active().profile.name == "here"

    file.write_text(file.read_text().replace("read_only = true", "read_only = false"))
    with pytest.raises(UntrustedFile):
        profiles.active()
    assert "left out, since nobody has agreed" in dhis2("profile list")[2]
    assert dhis2("profile use sandbox")[0] == 2, "its file is not written to either"


def test_t1_what_does_not_depend_on_the_folder_goes_on(prod: profiles.Profile, dhis2: Run) -> None:
    brings('[profiles.other]\nurl = "https://other.example.org"\n')
    assert profiles.get("prod").url == prod.url
    assert dhis2("-p sandbox system ping")[0] == 0
    assert dhis2("profile list")[0] == 0


@pytest.mark.parametrize("agrees", [True, False])
async def test_t1_on_a_terminal_it_is_asked_for_once(home: Path, agrees: bool) -> None:
    brings('active = "sandbox"\n[profiles.other]\nurl = "https://other.example.org"\n')
    person = Somebody(agrees=agrees)
    session = Session(person=person)
    try:
        if agrees:
            await run(session, find("system ping"), {})
            await run(session, find("profile why"), {})
        else:
            with pytest.raises(UntrustedFile):
                await run(session, find("system ping"), {})
    finally:
        await session.aclose()
    assert len(person.asked) == 1


async def test_t1_an_agent_cannot_trust_a_folder(prod: profiles.Profile) -> None:
    brings('active = "other"\n[profiles.other]\nurl = "https://other.example.org"\n')
    with pytest.raises(UntrustedFile):
        await Tools().run("system ping", {}, None, "read")
    with pytest.raises(ConfigError.__base__, match="not offered to agents"):  # type: ignore[arg-type]
        await Tools().run("profile trust", {}, None, "write")


def test_t1_a_folder_cannot_name_the_environments_profile_nor_a_file_of_another_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch, dhis2: Run
) -> None:
    monkeypatch.setenv("DHIS2_PASSWORD", "s3cret-word")
    for name in ("environment", "sandbox", "../../evil", "a/b", "-rf", ".hidden", "a b"):
        brings(f'active = "{name}"\n[profiles."{name}"]\nurl = "https://evil.example.org"\nusername = "ann"\n')
        code, _, err = dhis2("profile trust --yes")
        assert (code, err.count("\n"), "try:" in err) == (2, 2, True), err


def test_t1_a_shell_that_opens_there_sends_nothing(prod: profiles.Profile, thief: tuple[Thief, str]) -> None:
    server, url = thief
    brings(f'active = "prod"\n[profiles.prod]\nurl = "{url}"\nusername = "ann"\n')
    done = subprocess.run(
        [sys.executable, "-m", "dhis2sh.surfaces.ipython.shell"],
        input="%profile why\nimport time; time.sleep(1)\nexit\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "sets url of 'prod', a profile of your own" in done.stderr
    assert server.heard == []


# T9, T16 -------------------------------------------------------------------------------------------------------------


def test_t9_adding_a_known_profile_changes_what_is_said_and_nothing_else(prod: profiles.Profile, dhis2: Run) -> None:
    code, out, _ = dhis2("profile add prod --url https://prod.example.org --colour red")
    assert (code, "1 updated" in out) == (0, True)
    kept = profiles.get("prod")
    assert (kept.read_only, kept.production, kept.colour) == (True, True, "red")

    code, _, err = dhis2("profile add prod --url https://prod.example.org --no-production")
    assert (code, "takes production away" in err) == (2, True), "less care is asked for"
    assert dhis2("profile add prod --url https://prod.example.org --no-production --yes")[0] == 0
    assert profiles.get("prod").production is False
    assert profiles.get("prod").secrets.read() == "s3cret-word"


def test_t9_a_known_profile_keeps_its_address_and_a_new_one_needs_it(prod: profiles.Profile, dhis2: Run) -> None:
    code, _, err = dhis2("profile add prod --colour red")
    kept = profiles.get("prod")
    assert (code, kept.colour, kept.url, kept.production) == (0, "red", prod.url, True), err
    code, _, err = dhis2("profile add prdo --production")
    assert code == 2
    assert "there is no profile 'prdo'; a new one needs an address" in err
    assert "prdo" not in profiles.all_profiles()


def test_t9_a_profile_that_moves_to_another_server_leaves_its_secret_behind(prod: profiles.Profile, dhis2: Run) -> None:
    code, _, err = dhis2("profile add prod --url https://new.example.org")
    assert code == 0, err
    assert profiles.get("prod").secrets.read() is None
    assert prod.secrets.read() is None, "nobody has any use for it"


async def test_t16_in_a_shell_use_binds_this_session_alone(prod: profiles.Profile) -> None:
    session = Session(lasting=True)
    try:
        await run(session, find("profile use"), {"name": "sandbox"})
        assert session.profile.name == "sandbox"
        assert profiles.active().profile.name == "prod", "for every other one it is as before"
        await run(session, find("profile use"), {"name": "sandbox", "global_": True})
        assert profiles.active().profile.name == "sandbox"
    finally:
        await session.aclose()


# O7, O9 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("copied", "base"),
    [
        ("https://play.example.org/dhis-web-dashboard/#/", "https://play.example.org"),
        ("https://play.example.org/demo/dhis-web-maintenance/index.html#/list", "https://play.example.org/demo"),
        ("https://play.example.org/demo/apps/dashboard?id=1", "https://play.example.org/demo"),
        ("https://play.example.org/demo/api/42/me?fields=id", "https://play.example.org/demo"),
        ("https://play.example.org/demo/api", "https://play.example.org/demo"),
        ("  https://Play.Example.org//demo/  ", "https://play.example.org/demo"),
        ("<https://play.example.org:8443/demo/login/>", "https://play.example.org:8443/demo"),
        ("https://play.example.org/apinaka", "https://play.example.org/apinaka"),
    ],
)
def test_o7_an_address_from_the_browser_is_cut_to_the_server(home: Path, dhis2: Run, copied: str, base: str) -> None:
    assert base_address(copied) == base
    code = cli.run(["profile", "add", "play", "--url", copied, "--username", "ann"])
    assert (code, profiles.get("play").url) == (0, base)


def test_o7_and_it_is_said(home: Path, dhis2: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        "the server's address is https://play.example.org\n"
        in dhis2("profile add a --url https://play.example.org/api/42")[2]
    )
    monkeypatch.setenv("DHIS2_URL", "https://play.example.org/apps/dashboard#/")
    assert "whose address is https://play.example.org" in profiles.active().why


@pytest.mark.parametrize(
    "address",
    [
        "ftp://play.example.org", "play", "https://", "https:///demo", "https://play .example.org", "https://play:port",
        "https://play.example.org:99999", "https://ann:s3cret-word@play.example.org", "ann:s3cret-word@play.example.org",
        "javascript:alert(1)", "https://play.example.org/\u202egro", "https://[::1",
    ],
)  # fmt: skip
def test_o9_what_is_no_address_is_refused_wherever_it_stands(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def refused(*words: str) -> None:
        assert cli.run([*words]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 2
        assert "try: " in err
        assert "s3cret-word" not in err

    refused("profile", "add", "a", "--url", address)
    refused("profile", "bootstrap", "a", "--url", address, "--username", "ann")
    brings(f'active = "a"\n[profiles.a]\nurl = {json.dumps(address)}\n', Path.cwd().parent)
    refused("profile", "trust")
    monkeypatch.setenv("DHIS2_URL", address)
    refused("system", "ping")


async def test_o9_a_profile_without_a_secret_takes_that_of_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = profiles.Profile("play", "https://play.example.org", username="ann")
    monkeypatch.setenv("DHIS2_PASSWORD", "of the environment")
    assert profile.credentials().secret == "of the environment"

    monkeypatch.setenv("DHIS2_USERNAME", "bob")
    assert profile.credentials().secret is None, "it is somebody else's"
    monkeypatch.setenv("DHIS2_USERNAME", "ann")
    monkeypatch.setenv("DHIS2_URL", "https://prod.example.org")
    assert profile.credentials().secret is None, "it is for another server"

    profile.secrets.write("its own")
    monkeypatch.delenv("DHIS2_URL")
    assert profile.credentials().secret == "its own"


# T24 -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "-p sandbox metadata delete dataElements --dry-run -- deText00001",
        "-p sandbox metadata data-elements delete --dry-run -- deText00001",
        "--profile sandbox metadata delete dataElements -- deText00001 --dry-run",
    ],
)
def test_t24_a_profile_that_is_named_first_is_acted_on_whatever_stands_behind_two_dashes(
    sandbox_home: Path, prod: profiles.Profile, dhis2: Run, line: str
) -> None:
    code, out, err = dhis2(line)
    if line.endswith("--dry-run"):
        assert (code, "--dry-run" in err) == (3, True), "behind two dashes it is a name"
    else:
        assert (code, "Remark" in out) == (0, True)
    assert "prod" not in err


def test_t24_an_option_without_its_value_does_not_take_the_next_one_for_it(sandbox_home: Path, dhis2: Run) -> None:
    code, _, err = dhis2("-p sandbox metadata list dataElements --filter")
    assert (code, err.splitlines()[0]) == (2, "error: Option '--filter' requires an argument")


# L11 -----------------------------------------------------------------------------------------------------------------


def test_l11_a_token_that_is_made_shows_its_key_once_and_leaves_it_nowhere(
    sandbox_home: Path, dhis2: Run, tmp_path: Path
) -> None:
    code, out, err = dhis2("-p sandbox metadata api-token create")
    key = out.strip().rpartition(" ")[2]
    assert (code, key.startswith("d2p"), "its key, which is never shown again" in out) == (0, True, True), out + err
    for words in ("journal list", "journal show 1 -o json", "metadata list apiToken --fields * -o json"):
        assert key not in "".join(map(str, dhis2(f"-p sandbox {words}")))
    for path in (tmp_path / "home").rglob("*"):
        assert not path.is_file() or path.name.startswith("sandbox.db") or key.encode() not in path.read_bytes(), path
