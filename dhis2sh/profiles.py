"""Profiles: which server, as whom, and how carefully. Read with tomllib, written with tomlkit so that comments stay.

`./.dhis2/profiles.toml` (found upwards) comes before the user's configuration folder, once somebody has agreed to it
(`dhis2sh.project_files`); the environment before both; `--profile` before all. Secrets are never in those files
(`dhis2sh.secret_store`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhis2sh import paths
from dhis2sh.client.addresses import base_address, checked_address, origin
from dhis2sh.errors import ConfigError, NotFound, NotWritten, did_you_mean
from dhis2sh.project_files import NAME, ProfilesFile, UntrustedFile, project_file, read_profiles
from dhis2sh.secret_store import KINDS, ProfileSecrets

if TYPE_CHECKING:
    from dhis2sh.client.auth import Credentials, SignIn
    from dhis2sh.client.settings import ConnectionSettings

SANDBOX = "sandbox"
"""The reserved profile of the embedded sandbox; `sandbox:NAME` is another one, kept beside it."""
ENVIRONMENT = "environment"
"""The reserved profile that DHIS2_URL makes."""


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

    @property
    def secrets(self) -> ProfileSecrets:
        """Its secrets, which no other server has any use for."""
        return ProfileSecrets(self.name, self.url)

    def environment_secret(self, method: str | None = None) -> str | None:
        """The password or token that the environment has for it.

        Parameters:
            method: how to sign in, where not as the profile says.

        None where `DHIS2_URL` or `DHIS2_USERNAME` say that it is for another server or another user. Raises `ConfigError` for
        what is no text.
        """
        method = method or self.auth
        if method not in VARIABLES:
            return None
        url, user = os.environ.get("DHIS2_URL"), os.environ.get("DHIS2_USERNAME")
        if url and origin(url) != origin(self.url):
            return None
        if user and method != "pat" and self.username not in {None, user}:
            return None
        secret = os.environ.get(VARIABLES[method]) or None
        try:
            return secret and secret.encode().decode()
        except UnicodeEncodeError:
            raise ConfigError(f"{VARIABLES[method]} is no UTF-8", hint="set it again") from None

    def credentials(self) -> Credentials:
        """What a sign-in is made of; reads the keyring, and the environment where it has nothing. Raises `ConfigError`."""
        from dhis2sh.client.auth import Credentials  # start-up: the list of profiles wants no client

        secret = self.secrets.read() or self.environment_secret()
        return Credentials(self.auth, self.username, secret, self.client_id, self.secrets, self.name)


@dataclass(frozen=True, slots=True)
class Active:
    """The active profile, and why it is active."""

    profile: Profile
    why: str


WRITABLE = tuple(item.name for item in fields(Profile) if item.name not in {"name", "source"})


VARIABLES = {"basic": "DHIS2_PASSWORD", "session": "DHIS2_PASSWORD", "pat": "DHIS2_PAT"}
"""Where the environment has a secret, by the sign-in that wants it."""
TIGHTENING = ("read_only", "production")
"""What a project's file may say of a profile of the user's own, and only `true`."""
_LEAST = {
    "connect_timeout": 0.001, "read_timeout": 0.001, "total_timeout": 0.001, "max_connections": 1, "retries": 0, "max_url": 200,
}  # fmt: skip
"""The least that a number may be."""
_NAMES = re.compile(r"\w[\w.-]{0,63}")
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
    return paths.config_dir() / NAME


def _mine() -> ProfilesFile:
    """What the user's file says; nothing where there is none."""
    path = user_file()
    return read_profiles(path) if path.is_file() else ProfilesFile(path)


def _brought() -> ProfilesFile | None:
    """What the project's file says, agreed to or not."""
    path = project_file()
    return read_profiles(path) if path is not None and path != user_file().resolve() else None


def brought() -> ProfilesFile:
    """What the project's file says, for somebody to agree to. Raises `NotFound` where no folder from here upwards has one."""
    found = _brought()
    if found is None:
        raise NotFound(f"no folder from here upwards has a .dhis2/{NAME}", hint="dhis2 profile list")
    return found


def untrusted() -> ProfilesFile | None:
    """The project's file, where nobody has agreed to what it says now."""
    found = _brought()
    return found if found is not None and not found.trusted else None


def all_profiles() -> dict[str, Profile]:
    """Every profile by name: the project's, the user's, then the sandboxes. A project's file that nobody has agreed to says nothing."""
    project = _brought()
    return profiles_with(project if project is not None and project.trusted else None)


def profiles_with(project: ProfilesFile | None) -> dict[str, Profile]:
    """Every profile by name, if a project's file counts. Raises `ConfigError` where it would redefine one of the user's own."""
    mine = _mine()
    own = {name: _profile(name, table, mine.path) for name, table in mine.tables.items()}
    found: dict[str, Profile] = {}
    for name, table in project.tables.items() if project is not None else ():
        assert project is not None, "it has tables"
        found[name] = _tightened(own[name], table, project.path) if name in own else _profile(name, table, project.path)
    return found | {name: profile for name, profile in own.items() if name not in found} | _sandboxes()


def _sandboxes() -> dict[str, Profile]:
    return {name: sandbox_profile(name) for name in sandboxes()}


def _tightened(own: Profile, table: Mapping[str, Any], path: Path) -> Profile:
    """A profile of the user's own with what a project's file says of it: more care, and nothing else."""
    for key, value in table.items():
        if not (key in TIGHTENING and value is True) and value != getattr(own, key, None):
            raise ConfigError(
                f"{path} sets {key} of '{own.name}', a profile of your own: it may only tighten one, by {' and '.join(TIGHTENING)}",
                hint=f"give the profile another name there, or take {key} out",
            )
    return replace(own, **dict.fromkeys([key for key in TIGHTENING if table.get(key)], True))


def checked_name(name: str) -> str:
    """The same name. Raises `ConfigError` for a reserved one, and for one that no file can be called."""
    if is_sandbox(name) or name == ENVIRONMENT:
        raise ConfigError(f"'{name}' is a reserved profile", hint="choose another name")
    if not _NAMES.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be a profile's name",
            hint="letters, digits, '_', '-' and '.', the first one a letter or digit",
        )
    return name


def _profile(name: str, table: Mapping[str, Any], path: Path) -> Profile:
    try:
        checked_name(name)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", hint=error.hint) from None
    unknown = [key for key in table if key not in WRITABLE]
    if unknown:
        hint = did_you_mean(unknown[0], WRITABLE) or f"known: {', '.join(WRITABLE)}"
        raise ConfigError(f"{path}: profile '{name}' has an unknown setting '{unknown[0]}'", hint=hint)
    if not isinstance(table.get("url"), str):
        raise ConfigError(f"{path}: profile '{name}' has no url", hint=f"dhis2 profile add {name} --url URL")
    _check_address(name, table["url"], path)
    for key, value in table.items():
        kinds, words = _KINDS[_TYPES[key].removesuffix(" | None")]
        if type(value) not in kinds:
            raise ConfigError(
                f"{path}: {key} of profile '{name}' should be {words}", hint=f"mend that line of {path.name}"
            )
        least = _LEAST.get(key)
        if least is not None and not least <= value < 1e9:
            raise ConfigError(f"{path}: {key} of profile '{name}' cannot be {value}", hint=f"{least:g} at the least")
    return Profile(name=name, source=str(path), **table)


def _check_address(name: str, url: str, path: Path) -> None:
    try:
        if re.search("[?#]", checked_address(url)):
            raise ConfigError(f"'{url}' is the address of a page", hint=f'url = "{base_address(url)}"')
    except ConfigError as error:
        raise ConfigError(f"{path}: profile '{name}': {error}", hint=error.hint) from None


def get(name: str) -> Profile:
    """A profile by its name.

    Raises `NotFound` with the nearest names, `ConfigError` for what no sandbox can be called, `UntrustedFile` where the
    project's file has a say in it.
    """
    if is_sandbox(name):
        return sandbox_profile(name)
    project = untrusted()
    if project is not None and name in project.tables:
        raise UntrustedFile(project)
    known = all_profiles()
    if name not in known:
        hint = did_you_mean(name, list(known)) or f"known: {', '.join(known)}; dhis2 profile add {name} --url URL"
        raise NotFound(f"there is no profile '{name}'", hint=hint)
    return known[name]


def active(chosen: str | None = None) -> Active:
    """The profile that a command acts on, and why.

    Parameters:
        chosen: what `--profile` said.

    Raises `ConfigError` when there is none, `NotFound` for an unknown one, `UntrustedFile` where nobody has agreed to the
    project's file that decides it.
    """
    if chosen is not None:
        return Active(get(chosen), "named by --profile")
    url = os.environ.get("DHIS2_URL")
    if url:
        return _from_environment(url)
    named = os.environ.get("DHIS2_PROFILE")
    if named:
        return Active(get(named), "named by DHIS2_PROFILE in the environment")
    project = _brought()
    if project is not None and not project.trusted and (project.active or project.tables):
        raise UntrustedFile(project)
    for file in (project, _mine()):
        if file is not None and file.active is not None:
            return Active(get(file.active), f"active in {file.path}")
    return _only_one()


def _only_one() -> Active:
    others = [profile for profile in all_profiles().values() if not profile.embedded]
    if len(others) == 1:
        return Active(others[0], f"the only profile, in {others[0].source}")
    if others:
        raise ConfigError("no profile is active", hint=f"dhis2 profile use NAME  ({', '.join(p.name for p in others)})")
    if (paths.data_dir() / "sandbox.db").is_file():
        raise ConfigError(
            "no profile is active; there is a sandbox on this machine",
            hint="-p sandbox on the line, or for good: dhis2 profile use sandbox",
        )
    raise ConfigError(
        "there is no profile yet",
        hint="try the sandbox with -p sandbox, or: dhis2 profile add NAME --url URL --username USER",
    )


def _from_environment(url: str) -> Active:
    address = base_address(url)
    profile = Profile(
        ENVIRONMENT,
        address,
        username=os.environ.get("DHIS2_USERNAME"),
        auth="pat" if "DHIS2_PAT" in os.environ else "basic",
        source=ENVIRONMENT,
    )
    cut = "" if url.rstrip("/") == address else f", whose address is {address}"
    return Active(profile, f"from DHIS2_URL in the environment{cut}")


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
    profile.secrets.forget()
    Known(name, profile.url).forget()
    return path


def rename(old: str, new: str) -> Path:
    """Give a profile another name; its secret goes with it. Raises `NotFound` and `ConfigError`."""
    profile = get(old)
    if profile.embedded:
        raise ConfigError("a sandbox keeps its name", hint="dhis2 profile list")
    if checked_name(new) in all_profiles():
        raise ConfigError(f"there is a profile '{new}' already", hint="dhis2 profile list")
    renamed = replace(profile, name=new)
    secrets = {kind: profile.secrets.read(kind) for kind in KINDS}
    path = save(renamed, activate=read_profiles(Path(profile.source)).active == old)
    for kind, secret in secrets.items():
        renamed.secrets.write(secret, kind)
    remove(old)
    return path


def activate(name: str) -> Path:
    """Make a profile the active one of this folder or this machine, in the nearest file. Raises `NotFound`, `UntrustedFile`."""
    get(name)
    project = _brought()
    if project is not None and not project.trusted:
        raise UntrustedFile(project)

    def edit(document: Any) -> None:
        document["active"] = name

    return _edit(str(project.path) if project is not None else "", edit)


def _edit(source: str, change: Any) -> Path:
    """Change one file under a lock, so that two processes never lose each other's profiles. A project's stays agreed to."""
    import tomlkit
    from filelock import FileLock

    path = Path(source) if source.endswith(NAME) else user_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=10):
            before = read_profiles(path) if path.is_file() else None
            document = tomlkit.parse(path.read_text("utf-8")) if before is not None else tomlkit.document()
            change(document)
            paths.write_atomic(path, tomlkit.dumps(document))
            if before is not None and before.trusted:
                read_profiles(path).trust()
    except OSError as error:
        raise NotWritten.of(path, error, elsewhere="set DHIS2SH_HOME to a folder that can") from error
    return path
