"""The profiles that a folder brings along (`./.dhis2/profiles.toml`), and which of those files somebody has agreed to.

A folder may come from anybody. What its file says counts once a person has seen it and said so, for exactly these contents:
another byte in it, and it is asked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from dhis2sh import paths
from dhis2sh.errors import ConfigError, NotWritten

NAME = "profiles.toml"


@dataclass(frozen=True, slots=True)
class ProfilesFile:
    """A file of profiles as it was read.

    Parameters:
        path: where it is.
        document: what it says.
        digest: of the bytes that say so.
    """

    path: Path
    document: Mapping[str, Any] = field(default_factory=dict[str, Any])
    digest: str = ""

    @property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """Its profiles by name. Raises `ConfigError` where they are none."""
        found: object = self.document.get("profiles", {})
        if not isinstance(found, dict) or not all(
            isinstance(table, dict) for table in cast("dict[str, Any]", found).values()
        ):
            raise ConfigError(
                f"{self.path}: profiles are tables: [profiles.NAME]", hint="mend it; it was left as it was"
            )
        return cast("Mapping[str, Mapping[str, Any]]", found)

    @property
    def active(self) -> str | None:
        """The profile that it makes the active one. Raises `ConfigError` where that is no name."""
        found: object = self.document.get("active")
        if found is not None and not isinstance(found, str):
            raise ConfigError(f"{self.path}: active is the name of a profile, not {found!r}", hint='active = "NAME"')
        return found

    @property
    def trusted(self) -> bool:
        """Whether somebody has agreed to what it says."""
        return _agreed().get(str(self.path)) == self.digest

    def trust(self) -> None:
        """Remember that somebody has agreed to what it says, and to nothing else. Raises `NotWritten` on a full disk."""
        try:
            paths.write_atomic(_file(), json.dumps({**_agreed(), str(self.path): self.digest}, indent=1), mode=0o600)
        except OSError as error:
            raise NotWritten.of(_file(), error, elsewhere="set DHIS2SH_HOME to a folder that can") from error


class UntrustedFile(ConfigError):
    """What was asked for depends on a project's file that nobody has agreed to. `file` is what it says."""

    def __init__(self, file: ProfilesFile) -> None:
        super().__init__(
            f"{file.path} came with this folder, and nobody has agreed to it yet",
            hint="dhis2 profile trust  shows it and asks",
        )
        self.file = file


def read_profiles(path: Path) -> ProfilesFile:
    """A profiles file. Raises `ConfigError` with line and column; the file is left alone."""
    try:
        raw = path.read_bytes()
        import tomllib  # start-up: 3 ms, and not everybody has such a file

        return ProfilesFile(path, tomllib.loads(raw.decode("utf-8")), hashlib.sha256(raw).hexdigest())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="save it as UTF-8, readable by you") from error
    except ValueError as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}", hint=f"mend that line; {path.name} was left as it was"
        ) from error


def project_file(start: Path | None = None) -> Path | None:
    """The nearest `.dhis2/profiles.toml` from here upwards, or None."""
    try:
        here = start or Path.cwd()
    except FileNotFoundError:  # it was deleted under us
        return None
    for folder in [here, *here.parents]:
        candidate = folder / ".dhis2" / NAME
        if candidate.is_file():
            return candidate.resolve()
    return None


def _file() -> Path:
    return paths.data_dir() / "trusted.json"


def _agreed() -> Mapping[str, str]:
    """Digests by path; a file that cannot be read says that nothing was agreed to."""
    try:
        found = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("Mapping[str, str]", found) if isinstance(found, dict) else {}
