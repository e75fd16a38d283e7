"""Profiles: which server, as whom, and how carefully. Read with tomllib, written with tomlkit so that comments stay.

`./.dhis2/profiles.toml` (found upwards) comes before the user's configuration folder; the environment before both;
`--profile` before all. Secrets are never in that file: they are in the system's keyring, else in a 0600 file.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dhis2sh import paths
from dhis2sh.errors import ConfigError, Dhis2Error, NotFound, did_you_mean

if TYPE_CHECKING:
    from dhis2sh.client.auth import Credentials, SignIn
    from dhis2sh.client.settings import ConnectionSettings

SANDBOX = "sandbox"
"""The reserved profile of the embedded sandbox; `sandbox:NAME` is another one, kept beside it."""
SERVICE = "dhis2sh"
_FILE = "profiles.toml"


@dataclass(frozen=True, slots=True)
class Profile:
    """One server as one user.

    Parameters:
        name, url: what it is called and where it is (without `/api`).
        username: for Basic sign-in.
        auth: the sign-in provider: `basic`, `pat`, `oauth2`, `session`, or one that a plugin registered.
        client_id, scope: of OAuth2.
        read_only: no write is ever sent.
        production: every write shows its plan and wants the profile's name as confirmation.
        colour: of the prompt.
        verify_tls: False accepts any certificate.
        connect_timeout, read_timeout, total_timeout, max_connections, retries, max_url: limits of the connection, as of
            `dhis2sh.client.settings.ConnectionSettings`.
        source: the file or the environment that it came from.
    """

    name: str
    url: str
    username: str | None = None
    auth: str = "basic"
    client_id: str | None = None
    scope: str = "ALL"
    read_only: bool = False
    production: bool = False
    colour: str | None = None
    verify_tls: bool = True
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    total_timeout: float | None = None
    max_connections: int = 8
    retries: int = 3
    max_url: int = 1900
    source: str = ""

    @property
    def embedded(self) -> bool:
        """True for a sandbox in this process."""
        return is_sandbox(self.name)

    def settings(self) -> ConnectionSettings:
        """How the client reaches it."""
        from dhis2sh.client.settings import ConnectionSettings  # start-up: the list of profiles wants no client

        names = [item.name for item in fields(ConnectionSettings) if item.name != "profile"]
        return ConnectionSettings(profile=self.name, **{name: getattr(self, name) for name in names})

    def sign_in(self) -> SignIn:
        """Who we are there; secrets are read when the first request needs them, which raises `ConfigError` without."""
        from dhis2sh.client.auth import Basic, Later  # start-up: the list of profiles wants no client
        from dhis2sh.client.providers import sign_in  # start-up: as above

        if self.embedded:
            return Basic("admin", "district")
        return Later(lambda: sign_in(self.credentials()))

    def credentials(self) -> Credentials:
        """What a sign-in is made of; reads the keyring. Raises `ConfigError`."""
        from dhis2sh.client.auth import Credentials  # start-up: the list of profiles wants no client

        kept = ProfileSecrets(self.name)
        return Credentials(self.auth, self.username, kept.read(), self.client_id, kept, self.name)


@dataclass(frozen=True, slots=True)
class Active:
    """The active profile, and why it is active."""

    profile: Profile
    why: str


WRITABLE = tuple(item.name for item in fields(Profile) if item.name not in {"name", "source"})


_TYPES = {item.name: str(item.type) for item in fields(Profile)}
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number of seconds"),
    "str": ((str,), "a text"),
}
"""What a setting in the file may be, by its type here."""


def is_sandbox(name: str) -> bool:
    """Whether a profile's name is reserved for a sandbox."""
    return name.partition(":")[0] == SANDBOX


def sandbox_file(name: str = SANDBOX) -> Path:
    """The file of a sandbox by its profile's name: made when something is first asked of it."""
    _, colon, own = name.partition(":")
    return paths.data_dir() / "sandboxes" / f"{own}.db" if colon else paths.data_dir() / "sandbox.db"


def sandbox_profile(name: str = SANDBOX) -> Profile:
    """The profile of a sandbox. Raises `ConfigError` for a name that is none."""
    if not re.fullmatch(rf"{SANDBOX}(:[A-Za-z0-9_-]+)?", name):
        raise ConfigError(
            f"'{name}' is no sandbox's name", hint=f"{SANDBOX}, or {SANDBOX}:NAME of letters, digits, - and _"
        )
    address = ".".join(reversed(name.split(":")))
    return Profile(name, f"http://{address}", username="admin", source="built in")


def sandboxes() -> list[str]:
    """The sandboxes by their profiles' names: the one that is always there, then those that have a file."""
    return [SANDBOX, *(f"{SANDBOX}:{path.stem}" for path in sorted(sandbox_file(f"{SANDBOX}:x").parent.glob("*.db")))]


def user_file() -> Path:
    """The user's profiles file."""
    return paths.config_dir() / _FILE


def project_file(start: Path | None = None) -> Path | None:
    """The nearest `.dhis2/profiles.toml` from here upwards, or None."""
    here = start or Path.cwd()
    for folder in [here, *here.parents]:
        candidate = folder / ".dhis2" / _FILE
        if candidate.is_file():
            return candidate
    return None


def files() -> list[Path]:
    """The profiles files that count, the nearest first."""
    return [path for path in (project_file(), user_file()) if path is not None and path.is_file()]


def read_file(path: Path) -> Mapping[str, Any]:
    """A profiles file. Raises `ConfigError` with line and column; the file is left alone."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}", hint=f"mend that line; {path.name} was left as it is"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def all_profiles() -> dict[str, Profile]:
    """Every profile by name: the project's file wins over the user's; the sandboxes come last."""
    found: dict[str, Profile] = {}
    for path in files():
        for name, table in cast("Mapping[str, Mapping[str, Any]]", read_file(path).get("profiles", {})).items():
            found.setdefault(name, _profile(name, table, path))
    return found | {name: sandbox_profile(name) for name in sandboxes()}


def _profile(name: str, table: Mapping[str, Any], path: Path) -> Profile:
    unknown = [key for key in table if key not in WRITABLE]
    if unknown:
        hint = did_you_mean(unknown[0], WRITABLE) or f"known: {', '.join(WRITABLE)}"
        raise ConfigError(f"{path}: profile '{name}' has an unknown setting '{unknown[0]}'", hint=hint)
    if not isinstance(table.get("url"), str):
        raise ConfigError(f"{path}: profile '{name}' has no url", hint=f"dhis2 profile add {name} --url URL")
    for key, value in table.items():
        kinds, words = _KINDS[_TYPES[key].removesuffix(" | None")]
        if type(value) not in kinds:
            raise ConfigError(f"{path}: {key} of profile '{name}' should be {words}", hint="dhis2 profile show")
    return Profile(name=name, source=str(path), **table)


def get(name: str) -> Profile:
    """A profile by its name. Raises `NotFound` with the nearest names, `ConfigError` for what no sandbox can be called."""
    if is_sandbox(name):
        return sandbox_profile(name)
    known = all_profiles()
    if name not in known:
        hint = did_you_mean(name, list(known)) or f"known: {', '.join(known)}; dhis2 profile add {name} --url URL"
        raise NotFound(f"there is no profile '{name}'", hint=hint)
    return known[name]


def active(chosen: str | None = None) -> Active:
    """The profile that a command acts on, and why.

    Parameters:
        chosen: what `--profile` said.

    Raises `ConfigError` when there is none, `NotFound` for an unknown one.
    """
    if chosen:
        return Active(get(chosen), "named by --profile")
    url = os.environ.get("DHIS2_URL")
    if url:
        return Active(_from_environment(url), "from DHIS2_URL in the environment")
    named = os.environ.get("DHIS2_PROFILE")
    if named:
        return Active(get(named), "named by DHIS2_PROFILE in the environment")
    for path in files():
        current = read_file(path).get("active")
        if isinstance(current, str):
            return Active(get(current), f"active in {path}")
    return _only_one()


def _only_one() -> Active:
    others = [profile for profile in all_profiles().values() if not profile.embedded]
    if len(others) == 1:
        return Active(others[0], f"the only profile, in {others[0].source}")
    if others:
        raise ConfigError("no profile is active", hint=f"dhis2 profile use NAME  ({', '.join(p.name for p in others)})")
    raise ConfigError(
        "there is no profile yet",
        hint="try the sandbox with -p sandbox, or: dhis2 profile add NAME --url URL --username USER",
    )


def _from_environment(url: str) -> Profile:
    token = "DHIS2_PAT" in os.environ
    return Profile(
        "environment",
        url,
        username=os.environ.get("DHIS2_USERNAME"),
        auth="pat" if token else "basic",
        source="environment",
    )


# Writing -----------------------------------------------------------------------------------------------------------


def save(profile: Profile, *, activate: bool = False) -> Path:
    """Write a profile into the file it came from, or into the user's. Returns the file.

    Raises `Dhis2Error` when the disk cannot be written.
    """

    def edit(document: Any) -> None:
        _put(document, profile, activate)

    return _edit(profile.source, edit)


def _put(document: Any, profile: Profile, activate: bool) -> None:
    import tomlkit

    table = document.setdefault("profiles", tomlkit.table())
    entry = table.setdefault(profile.name, tomlkit.table())
    plain = Profile(profile.name, "")
    for key in WRITABLE:
        value = getattr(profile, key)
        if value != getattr(plain, key):
            entry[key] = value
        elif key in entry:
            del entry[key]
    if activate or "active" not in document:
        document["active"] = profile.name


def remove(name: str) -> Path:
    """Take a profile, its secrets and what is known of its server away. Raises `NotFound`."""
    from dhis2sh.client.known import Known  # start-up: the list of profiles wants no client

    profile = get(name)

    def edit(document: Any) -> None:
        document["profiles"].pop(name, None)
        if document.get("active") == name:
            del document["active"]

    path = _edit(profile.source, edit)
    for kind in KINDS:
        set_secret(name, None, kind)
    Known(name, profile.url).forget()
    return path


def rename(old: str, new: str) -> Path:
    """Give a profile another name; its secret goes with it. Raises `NotFound` and `ConfigError`."""
    profile = get(old)
    if profile.embedded:
        raise ConfigError("a sandbox keeps its name", hint="dhis2 profile list")
    if is_sandbox(new) or new in all_profiles():
        raise ConfigError(f"there is a profile '{new}' already", hint="dhis2 profile list")
    secrets = {kind: secret_of(old, kind) for kind in KINDS}
    was_active = read_file(Path(profile.source)).get("active") == old
    path = save(replace(profile, name=new), activate=was_active)
    for kind, secret in secrets.items():
        set_secret(new, secret, kind)
    remove(old)
    return path


def activate(name: str) -> Path:
    """Make a profile the active one, in the nearest file. Raises `NotFound`."""
    get(name)

    def edit(document: Any) -> None:
        document["active"] = name

    return _edit(str(files()[0]) if files() else "", edit)


def _edit(source: str, change: Any) -> Path:
    """Change one file under a lock, so that two processes never lose each other's profiles."""
    import tomlkit
    from filelock import FileLock

    path = Path(source) if source.endswith(_FILE) else user_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=10):
            if path.is_file():
                read_file(path)
            document = tomlkit.parse(path.read_text("utf-8")) if path.is_file() else tomlkit.document()
            change(document)
            paths.write_atomic(path, tomlkit.dumps(document))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}", hint="set DHIS2SH_HOME to a folder that can"
        ) from error
    return path


# Secrets -----------------------------------------------------------------------------------------------------------

KINDS = ("", "tokens", "client", "cookie")
"""What a profile can have secrets for: the password or token, OAuth2 tokens, its OAuth2 client, a session."""


@dataclass(frozen=True, slots=True)
class ProfileSecrets:
    """A profile's secrets in the system's keyring, else in a 0600 file. May block: sign-ins call it in threads."""

    profile: str

    def read(self, kind: str = "", /) -> str | None:
        """The secret of a kind, or None."""
        return secret_of(self.profile, kind)

    def write(self, secret: str | None, kind: str = "", /) -> None:
        """Keep it, or with None forget it."""
        set_secret(self.profile, secret, kind)


def _secrets_file() -> Path:
    return paths.data_dir() / "secrets.json"


def _keyring() -> Any:
    """The system's keyring, or None where there is none."""
    if os.environ.get("DHIS2SH_KEYRING") == "off" or os.environ.get("DHIS2SH_HOME"):
        return None
    import keyring
    from keyring.backends import fail

    return None if isinstance(keyring.get_keyring(), fail.Keyring) else keyring


@contextmanager
def _asking_the_keyring() -> Generator[None]:
    """A keyring that is locked, or that a person did not open, is one line and not a traceback."""
    from keyring.errors import KeyringError

    try:
        yield
    except KeyringError as error:
        raise ConfigError(
            f"the system's keyring did not answer: {error or type(error).__name__}",
            hint="unlock it, or keep secrets in a file of your own with DHIS2SH_KEYRING=off",
        ) from error


def _entry(name: str, kind: str) -> str:
    return f"{name}:{kind}" if kind else name


def secret_of(name: str, kind: str = "") -> str | None:
    """A secret of a profile: the environment's, the keyring's, or the 0600 file's. Raises `ConfigError`.

    Parameters:
        name: the profile's.
        kind: one of `KINDS`; the password or token without it.
    """
    if name == "environment" and not kind:
        return os.environ.get("DHIS2_PAT") or os.environ.get("DHIS2_PASSWORD")
    ring = _keyring()
    if ring is not None:
        with _asking_the_keyring():
            found = ring.get_password(SERVICE, _entry(name, kind))
        if found is not None:
            return cast("str", found)
    return _read_secrets().get(_entry(name, kind))


def set_secret(name: str, secret: str | None, kind: str = "") -> None:
    """Keep or (with None) forget a secret of a profile. Raises `ConfigError` and `Dhis2Error`."""
    entry, ring = _entry(name, kind), _keyring()
    if ring is not None:
        with _asking_the_keyring():
            if secret is not None:
                ring.set_password(SERVICE, entry, secret)
            elif ring.get_password(SERVICE, entry) is not None:
                ring.delete_password(SERVICE, entry)
        if secret is not None:
            return
    if secret is None and entry not in _read_secrets():
        return
    from filelock import FileLock

    path = _secrets_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=10):  # another process may be refreshing its token
            known = _read_secrets()
            known.pop(entry, None)
            if secret is not None:
                known[entry] = secret
            paths.write_atomic(path, json.dumps(known), mode=0o600)
    except OSError as error:
        raise Dhis2Error(
            f"{path} cannot be written: {error.strerror or error}", hint="set DHIS2SH_HOME to a folder that can"
        ) from error


def _read_secrets() -> dict[str, str]:
    try:
        return json.loads(_secrets_file().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{_secrets_file()} cannot be read", hint="remove it and add the passwords again") from error
