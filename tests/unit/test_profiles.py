import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from keyring.errors import KeyringLocked

from dhis2sh import profiles, secret_store
from dhis2sh.errors import ConfigError, Dhis2Error, NotFound
from dhis2sh.secret_store import ProfileSecrets
from dhis2sh.surfaces.cli import main as cli


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def user_file(home: Path, text: str) -> Path:
    return write(home / "config" / "profiles.toml", text)


TWO = """# my servers
active = "demo"

[profiles.demo]
url = "https://demo.example.org"  # the demo
username = "ann"

[profiles.prod]
url = "https://prod.example.org"
production = true
"""


def test_without_any_profile_the_sandbox_and_add_are_offered() -> None:
    with pytest.raises(ConfigError) as caught:
        profiles.active()
    assert "sandbox" in str(caught.value.hint)
    assert "profile add" in str(caught.value.hint)


def test_who_has_filled_a_sandbox_is_not_told_that_there_is_nothing(home: Path) -> None:
    write(home / "data" / "sandbox.db", "")
    with pytest.raises(ConfigError, match="no profile is active; there is a sandbox on this machine") as caught:
        profiles.active()
    assert caught.value.hint == "-p sandbox on the line, or for good: dhis2 profile use sandbox"


def test_a_mistyped_profile_names_the_nearest(home: Path) -> None:
    user_file(home, TWO)
    with pytest.raises(NotFound) as caught:
        profiles.active("demp")
    assert caught.value.hint == "did you mean demo?"


def test_the_project_wins_over_the_user_and_the_environment_over_both(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file(home, TWO)
    assert profiles.active().profile.name == "demo"

    write(
        Path.cwd().parent / ".dhis2" / "profiles.toml", 'active = "here"\n[profiles.here]\nurl = "http://localhost"\n'
    )
    profiles.brought().trust()
    assert profiles.active().profile.name == "here"

    monkeypatch.setenv("DHIS2_PROFILE", "prod")
    assert profiles.active().why == "named by DHIS2_PROFILE in the environment"

    monkeypatch.setenv("DHIS2_URL", "https://env.example.org")
    assert profiles.active().profile.url == "https://env.example.org"

    assert profiles.active("demo").why == "named by --profile"


def test_broken_toml_is_said_with_its_line_and_left_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = user_file(home, 'active = "demo"\n[profiles.demo\nurl = "x"\n')

    assert cli.run(["profile", "list"]) == 2
    assert "line 2" in capsys.readouterr().err
    assert cli.run(["profile", "add", "new", "--url", "https://x.example.org"]) == 2
    assert path.read_text() == 'active = "demo"\n[profiles.demo\nurl = "x"\n'


def test_an_unknown_setting_names_the_nearest(home: Path) -> None:
    user_file(home, '[profiles.a]\nurl = "https://a.example.org"\nread_onyl = true\n')
    with pytest.raises(ConfigError, match="read_onyl") as caught:
        profiles.all_profiles()
    assert "read_only" in str(caught.value.hint)


def test_adding_keeps_the_users_comments(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = user_file(home, TWO)
    monkeypatch.setenv("DHIS2_PASSWORD", "s3cret-word")

    assert cli.run(["profile", "add", "third", "--url", "https://third.example.org", "--username", "bob"]) == 0

    text = path.read_text()
    assert "# my servers" in text
    assert "# the demo" in text
    assert "s3cret-word" not in text
    assert profiles.get("third").username == "bob"
    assert profiles.get("third").secrets.read() == "s3cret-word"


def test_secrets_are_for_the_user_alone_and_never_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DHIS2_PASSWORD", "s3cret-word")
    cli.run(["profile", "add", "a", "--url", "https://a.example.org", "--username", "ann"])
    for words in (["profile", "show", "a", "-o", "json"], ["profile", "list", "-o", "json"]):
        assert cli.run(words) == 0

    mode = stat.S_IMODE((home / "data" / "secrets.json").stat().st_mode)
    assert mode == 0o600
    assert "s3cret-word" not in "".join(capsys.readouterr())
    assert "s3cret-word" not in repr(profiles.get("a").sign_in())


def test_rename_and_remove_take_the_secret_along(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DHIS2_PASSWORD", "word")
    cli.run(["profile", "add", "a", "--url", "https://a.example.org", "--username", "ann"])

    assert cli.run(["profile", "rename", "a", "b"]) == 0
    assert profiles.get("b").secrets.read() == "word"
    assert profiles.active().profile.name == "b"

    assert cli.run(["profile", "remove", "b"]) == 2, "destroying wants --yes without a terminal"
    assert cli.run(["profile", "remove", "b", "--yes"]) == 0
    assert "b" not in profiles.all_profiles()
    assert json.loads((home / "data" / "secrets.json").read_text()) == {}


def test_two_processes_adding_at_once_lose_nothing(home: Path) -> None:
    code = "import sys; from dhis2sh import profiles; profiles.save(profiles.Profile(sys.argv[1], 'https://x.example.org'))"
    running = [subprocess.Popen([sys.executable, "-c", code, f"p{number}"]) for number in range(6)]
    assert [process.wait(60) for process in running] == [0] * 6
    assert {f"p{number}" for number in range(6)} <= set(profiles.all_profiles())


def test_a_reserved_name_and_a_bare_host_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["profile", "add", "sandbox", "--url", "https://x.example.org"]) == 2
    assert cli.run(["profile", "add", "x", "--url", "play.example.org"]) == 2
    assert "did you mean https://play.example.org" in capsys.readouterr().err


def test_a_dry_run_shows_the_plan_and_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["profile", "add", "a", "--url", "https://a.example.org", "--dry-run"]) == 0
    assert "plan: create profile 'a'" in capsys.readouterr().out
    assert not (home / "config").exists()


def test_the_list_of_profiles_needs_no_client(home: Path) -> None:
    user_file(home, TWO)
    code = (
        "import sys; from dhis2sh.surfaces.cli import main; main.run(['profile', 'list', '-o', 'json']);"
        "sys.stderr.write(str([name for name in ('httpx', 'keyring', 'bcrypt') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]"


def test_use_makes_a_profile_active(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user_file(home, TWO)
    assert cli.run(["profile", "use", "prod"]) == 0
    assert cli.run(["profile", "why", "-o", "json"]) == 0
    out = capsys.readouterr().out
    assert '"name": "prod"' in out
    assert cli.run(["profile", "use"]) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('read_timeout = "long"', "a number of seconds"),
        ("total_timeout = true", "a number of seconds"),
        ("max_connections = 2.5", "a whole number"),
        ("read_only = 1", "true or false"),
        ("username = 7", "a text"),
    ],
)
def test_a_setting_of_the_wrong_kind_says_what_it_should_be(home: Path, line: str, words: str) -> None:
    user_file(home, f'[profiles.a]\nurl = "https://a.example.org"\n{line}\n')
    with pytest.raises(ConfigError, match=f"{line.split()[0]} of profile 'a' should be {words}"):
        profiles.all_profiles()


# The keyring -------------------------------------------------------------------------------------------------------


class Ring:
    """A keyring in memory; `locked` makes it refuse."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def _open(self) -> None:
        if self.locked:
            raise KeyringLocked("the collection is locked")

    def get_password(self, service: str, name: str) -> str | None:
        self._open()
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        self._open()
        self.kept[service, name] = secret

    def delete_password(self, service: str, name: str) -> None:
        self._open()
        del self.kept[service, name]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    ring = Ring()
    monkeypatch.setattr(secret_store, "_keyring", lambda: ring)
    return ring


A = ProfileSecrets("a", "https://a.example.org/dhis")


def test_secrets_are_in_the_keyring_and_in_no_file(home: Path, ring: Ring) -> None:
    A.write("word")
    A.write("token", "tokens")
    assert ring.kept == {
        ("dhis2sh", "a@https://a.example.org:443"): "word",
        ("dhis2sh", "a:tokens@https://a.example.org:443"): "token",
    }
    assert A.read("tokens") == "token"
    assert not home.exists()
    for kind in secret_store.KINDS:
        A.write(None, kind)
    assert ring.kept == {}


def test_a_secret_from_before_there_was_a_keyring_is_found_and_forgotten(
    home: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr(secret_store, "_keyring", lambda: None)
        A.write("word")
    assert A.read() == "word"
    A.write(None)
    assert A.read() is None


def test_a_locked_keyring_is_one_line(ring: Ring) -> None:
    ring.locked = True
    for refused in (A.read, lambda: A.write("word")):
        with pytest.raises(
            ConfigError, match="the system's keyring did not answer: the collection is locked"
        ) as caught:
            refused()
        assert "DHIS2SH_KEYRING=off" in str(caught.value.hint)


def test_a_broken_secrets_file_and_a_disk_that_cannot_be_written_are_said(home: Path) -> None:
    write(home / "data" / "secrets.json", "{")
    with pytest.raises(ConfigError, match="is not JSON"):
        A.read()
    (home / "data" / "secrets.json").unlink()
    (home / "data").rmdir()
    (home / "data").write_text("a file where a folder should be")
    with pytest.raises(Dhis2Error, match="cannot be written"):
        A.write("word")


def test_processes_that_keep_secrets_at_once_lose_none(home: Path) -> None:
    code = "import sys; from dhis2sh.secret_store import ProfileSecrets; ProfileSecrets(sys.argv[1], 'https://a').write('word')"
    running = [subprocess.Popen([sys.executable, "-c", code, f"p{number}"]) for number in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert json.loads((home / "data" / "secrets.json").read_text()) == {
        f"p{number}@https://a:443": "word" for number in range(4)
    }


def test_there_are_as_many_sandboxes_as_one_names(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(line: str) -> tuple[str, str]:
        assert cli.run(line.split(" ")) == 0
        return capsys.readouterr()

    run("sandbox seed")
    out, err = run("-p sandbox:copy metadata list dataElements --json")
    assert json.loads(out) == []
    assert "sandbox:copy is a new sandbox and empty" in err
    assert list(profiles.all_profiles()) == ["sandbox", "sandbox:copy"], "those that have a file are listed"

    run("sandbox seed -p sandbox:copy")
    out, err = run("metadata diff-profiles sandbox sandbox:copy -p sandbox --json")
    assert json.loads(out) == [], "two countries are the same"
    assert "new sandbox" not in err

    monkeypatch.setenv("DHIS2_PROFILE", "sandbox:copy")
    run("sandbox reset --yes")
    assert list(profiles.all_profiles()) == ["sandbox"]
    assert (home / "data" / "sandbox.db").exists(), "the other one is left alone"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("metadata types -p sandbox:", "sandbox:NAME"),
        ("metadata types -p sandbox:../x", "sandbox:NAME"),
        ("profile add sandbox:x --url https://x.example.org", "reserved"),
        ("profile rename sandbox:x y", "keeps its name"),
        ("profile remove sandbox:x --yes", "dhis2 -p sandbox:x sandbox reset"),
    ],
)
def test_a_sandbox_is_no_profile_to_be_changed(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*line.split()]) == 2
    assert says in capsys.readouterr().err
