"""The secrets of profiles: in the system's keyring, else in a file that only this user can read.

Each is kept by profile *and* origin (scheme, host, port): a profile that names another server has none of them, whoever
changed its address.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dhis2sh import paths
from dhis2sh.client.addresses import origin
from dhis2sh.errors import ConfigError, NotWritten

if TYPE_CHECKING:
    from dhis2sh.client.auth import Turn

SERVICE = "dhis2sh"
KINDS = ("", "tokens", "client", "cookie")
"""What a profile can have secrets for: the password or token, OAuth2 tokens, its OAuth2 client, a session."""


@dataclass(frozen=True, slots=True)
class ProfileSecrets:
    """The secrets of one profile on one server. May block: sign-ins call it in threads.

    Parameters:
        profile: its name.
        url: the server's address, of which the origin counts.
    """

    profile: str
    url: str

    def read(self, kind: str = "", /) -> str | None:
        """The secret of one of `KINDS`, or None; the password or token without a kind. Raises `ConfigError`."""
        entry, ring = self._entry(kind), _keyring()
        if ring is not None:
            with _asking_the_keyring():
                found = ring.get_password(SERVICE, entry)
            if found is not None:
                return cast("str", found)
        return _read_file().get(entry)

    def write(self, secret: str | None, kind: str = "", /) -> None:
        """Keep it, or with None forget it. Raises `ConfigError`, and `Dhis2Error` when the disk cannot be written."""
        entry, ring = self._entry(kind), _keyring()
        if ring is not None:
            with _asking_the_keyring():
                if secret is not None:
                    ring.set_password(SERVICE, entry, secret)
                elif ring.get_password(SERVICE, entry) is not None:
                    ring.delete_password(SERVICE, entry)
            if secret is not None:
                return
        if secret is None and entry not in _read_file():
            return
        _write_file(entry, secret)

    def forget(self) -> None:
        """Forget all of them. Raises as `write`."""
        for kind in KINDS:
            self.write(None, kind)

    def turn(self) -> Turn:
        """Whose turn it is among processes to renew its tokens: a refresh token may be good for one use only."""
        name = "".join(letter if letter.isalnum() else "_" for letter in self._entry("tokens"))
        return _Turn(paths.data_dir() / "locks" / f"{name}.lock")

    def _entry(self, kind: str) -> str:
        return f"{self.profile}{f':{kind}' if kind else ''}@{origin(self.url)}"


class _Turn:
    """A lock on a file."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock  # start-up: only who renews a sign-in waits for others

        self._path = path
        self._lock = FileLock(path, timeout=0, thread_local=False)

    def take(self) -> bool:
        """Take it; False where another one has it. Raises `Dhis2Error` when the disk cannot be written."""
        from filelock import Timeout  # start-up: as above

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            raise NotWritten.of(self._path, error, elsewhere="set DHIS2SH_HOME to a folder that can") from error
        return True

    def give_back(self) -> None:
        """Let the next one have it."""
        self._lock.release()


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


def _file() -> Path:
    return paths.data_dir() / "secrets.json"


_MOVE_AWAY = "move it away, then add the passwords again: mv {0} {0}.broken"


def _read_file() -> dict[str, str]:
    try:
        found = json.loads(_file().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(
            f"{_file()} cannot be read: {error.strerror or error}", hint="see that it is a file of yours, then again"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{_file()} is not JSON: {error}", hint=_MOVE_AWAY.format(_file())) from error
    if not isinstance(found, dict):
        raise ConfigError(f"{_file()} holds no secrets", hint=_MOVE_AWAY.format(_file()))
    return cast("dict[str, str]", found)


def _write_file(entry: str, secret: str | None) -> None:
    from filelock import FileLock

    path = _file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=10):  # another process may be refreshing its token
            known = _read_file()
            known.pop(entry, None)
            if secret is not None:
                known[entry] = secret
            paths.write_atomic(path, json.dumps(known), mode=0o600)
    except OSError as error:
        raise NotWritten.of(path, error, elsewhere="set DHIS2SH_HOME to a folder that can") from error
