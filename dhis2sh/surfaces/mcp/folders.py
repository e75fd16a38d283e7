"""Which files of this machine an agent's calls may touch: none, but in the folders that the server was started with.

An agent acts on what servers tell it, and a server's text may ask for `~/.ssh/id_rsa`. So every parameter that names a
file is judged here, for every verb alike, before the verb sees it: what is read lies below a folder to read from, what is
written is a new file below the one export folder, and nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import profiles
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.verbs.declaration import FILES_OR_PROFILES, FOLDERS
from dhis2sh.words import joined, kebab

if TYPE_CHECKING:
    from dhis2sh.verbs.declaration import Param, Verb


class Folders:
    """The folders of one server.

    Parameters:
        read: below these files are read, and below the export folder.
        export: below this new files are written; nothing is without it.

    Raises `NotFound` for a folder that is not there.
    """

    def __init__(self, read: Sequence[Path] = (), export: Path | None = None) -> None:
        for folder in (*read, *([export] if export else [])):
            if not folder.expanduser().is_dir():
                raise NotFound(f"there is no folder {folder}", hint="make it, or leave it out")
        self._export = None if export is None else export.expanduser().resolve()
        self._read = [*(folder.expanduser().resolve() for folder in read), *([self._export] if self._export else [])]

    def checked(self, verb: Verb, arguments: Mapping[str, object]) -> dict[str, object]:
        """A call's arguments with every file as the path that was judged: whole, and without links.

        Raises `UsageError` for a file that an agent may not touch, `NotFound` for one that is not there.
        """
        named = [param for param in verb.params if param.file is not None]
        files = {f"--{verb.told(param)}": param for param in named} | {param.flag: param for param in named}
        checked = dict(arguments)
        for name, value in arguments.items():
            param = files.get("--" + kebab(name.rstrip("_")))
            if (
                param is None
                or value in (None, "", [])
                or (param.kind in {"source", "text"} and isinstance(value, (list, dict)))
            ):
                continue  # rows and JSON are no file
            given = cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else [value]
            paths = [self._one(param, item) for item in given]
            checked[name] = paths if param.many else paths[0]
        return checked

    def _one(self, param: Param, value: object) -> str:
        if not isinstance(value, str) or "\0" in value:
            raise UsageError(f"{param.name} takes the path of a file as text", hint=param.help)
        if param.kind == "text" and value.lstrip().startswith(("[", "{")):
            return value  # a parameter that takes a file or its text, and this is the text
        if param.complete == FILES_OR_PROFILES and value in profiles.all_profiles():
            return value
        match param.file:
            case "writes":
                return str(self._to_write(param.name, value))
            case _:
                return str(self._to_read(param.name, value, folder=param.complete == FOLDERS))

    def _to_read(self, name: str, text: str, *, folder: bool) -> Path:
        kind = "folder" if folder else "file"
        if not self._read:
            raise UsageError(
                f"{name}: '{text}' is a {kind}, and this server was started without a folder to read from",
                hint="whoever starts it adds: dhis2-mcp --read-folder FOLDER; objects may be given as JSON without a file",
            )
        for place in self._read:
            found = _resolved(place / text)  # an absolute path stays what it is
            if found.is_relative_to(place) and (found.is_dir() if folder else found.is_file()):
                return found
        if any(_resolved(place / text).is_relative_to(place) for place in self._read):
            raise NotFound(f"{name}: there is no {kind} '{text}' in {joined(map(str, self._read))}")
        raise UsageError(f"{name}: '{text}' is not below {joined(map(str, self._read), 'or')}: it was not read")

    def _to_write(self, name: str, text: str) -> Path:
        if self._export is None:
            raise UsageError(
                f"{name}: '{text}' would be written, and this server was started without an export folder",
                hint="whoever starts it adds: dhis2-mcp --export-folder FOLDER; without a file the answer has the data",
            )
        found = _resolved(self._export / text)
        if not found.is_relative_to(self._export) or found == self._export:
            raise UsageError(f"{name}: '{text}' is not below {self._export}: nothing was written")
        if found.exists():
            raise UsageError(f"{name}: {found} is there already, and agents write over no file", hint="another name")
        return found


def _resolved(path: Path) -> Path:
    """A path without links. Raises `UsageError` for a circle of them, or a name that no file can have."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"'{path}' is no path of a file: {error}") from None
