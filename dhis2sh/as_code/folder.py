"""Which file of a directory holds what: found and checked, so that a slip is told with file and line before anything is sent.

    instance.yaml                          what the directory is about
    settings.yaml   apps.yaml              system settings; which apps are installed, whose zips may lie beside it
    metadata/dataElements/bcg-doses.fbfJHSPpUQD.yaml
    dataStore/NAMESPACE/KEY.yaml

What a file is called is for people alone: what it says inside counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.as_code import scope, yaml_text
from dhis2sh.as_code.scope import APPS, MANIFEST, SETTINGS, STORE
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.models import facts
from dhis2sh.rows.tables import read_text
from dhis2sh.words import folded

if TYPE_CHECKING:
    from dhis2sh.as_code.scope import Scope
    from dhis2sh.as_code.yaml_text import Document
    from dhis2sh.types import Row

METADATA, ENDING, ZIP = "metadata", ".yaml", ".zip"
SETTINGS_FILE, APPS_FILE = f"{SETTINGS}{ENDING}", f"{APPS}{ENDING}"
OURS = (MANIFEST, SETTINGS_FILE, APPS_FILE, METADATA, STORE)
LONGEST = 60
"""Characters of an object's name that stand in the name of its file."""


def known_types() -> list[str]:
    """The types that may be in files in any version of DHIS2."""
    return sorted({name for version in facts.VERSIONS for name in scope.possible(facts.resources(version).values())})


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory that was pulled, or written by hand.

    Parameters:
        root: where it is.
        scope: what it is about, all of it or what was named.
    """

    root: Path
    scope: Scope

    def objects(self, plural: str) -> dict[str, Document]:
        """The objects of a type by UID. Raises `UsageError` with file and line."""
        found: dict[str, Document] = {}
        for path in _files(self.root / METADATA / plural):
            document = self._read(path)
            uid = document.value.get("id")
            if not isinstance(uid, str) or not is_uid(uid):
                raise UsageError(
                    f"{document.at('id')}: {'no id' if uid is None else f'id: {uid} is no UID'}",
                    hint="dhis2 dev uid makes one" if uid is None else "11 letters and digits, a letter first",
                )
            if uid in found:
                raise UsageError(f"{document.at('id')}: {found[uid].where} holds {uid} too", hint="one of them goes")
            found[uid] = document
        return found

    def entries(self) -> dict[str, Document]:
        """The data store by `namespace/key`. Raises `UsageError` with file and line."""
        found: dict[str, Document] = {}
        for space in _folders(self.root / STORE):
            for path in _files(space):
                document = self._read(path)
                for name in document.value:
                    if name not in {"namespace", "key", "value"}:
                        raise UsageError(
                            f"{document.at(name)}: unknown: {name}", hint="it says namespace, key and value"
                        )
                parts = [document.value.get("namespace"), document.value.get("key")]
                if not all(isinstance(part, str) and part for part in parts) or "value" not in document.value:
                    raise UsageError(f"{document.at()}: it says no namespace, key and value", hint="texts, in quotes")
                name = "/".join(map(str, parts))
                if name in found:
                    raise UsageError(f"{document.at()}: {found[name].where} holds {name} too", hint="one of them goes")
                found[name] = document
        return found

    def settings(self) -> Document | None:
        """The system settings; None where there is no file of them."""
        return self._single(SETTINGS_FILE)

    def apps(self) -> Document | None:
        """The installed apps; None where there is no file of them."""
        return self._single(APPS_FILE)

    def _single(self, name: str) -> Document | None:
        path = self.root / name
        return self._read(path) if path.exists() else None

    def _read(self, path: Path) -> Document:
        return yaml_text.read(read_text(path), str(path.relative_to(self.root)))


def opened(root: Path, only: Sequence[str] = (), without: Sequence[str] = ()) -> Folder:
    """A directory, its names looked through.

    Parameters:
        only: types and kinds of it; all of it without any. `without` those that are left out of it.

    Raises `NotFound` for no such directory, `UsageError` for what cannot stand in it.
    """
    manifest = root / MANIFEST
    if not manifest.is_file():
        what = f"{root} has no {MANIFEST}" if root.is_dir() else f"there is no directory {root}"
        raise NotFound(what, hint=f"dhis2 instance pull {root}")
    types = known_types()
    found = scope.of_document(yaml_text.read(read_text(manifest), MANIFEST), types)
    _check_names(root)
    for folder in _folders(root / METADATA):
        if folder.name not in found.types:
            known = folder.name in types
            raise UsageError(
                f"{METADATA}/{folder.name}: {MANIFEST} does not name this type"
                if known
                else f"{METADATA}/{folder.name}: there is no such type",
                hint=f"add it to the types of {MANIFEST}"
                if known
                else did_you_mean(folder.name, types) or "dhis2 metadata types",
            )
    return Folder(root, found.only(only, without))


def _check_names(root: Path) -> None:
    """Raise `UsageError` for what looks like one of ours and is not: nobody would notice that it is not read."""
    for path in sorted(root.iterdir()):
        if path.name in OURS or path.name.startswith(".") or path.suffix == ZIP:
            continue
        stem = path.name.lower().removesuffix(".yml").removesuffix(ENDING)
        meant = next((name for name in OURS if name.removesuffix(ENDING).lower() == stem), None)
        hint = f"did you mean {meant}?" if meant else did_you_mean(path.name, OURS)
        if hint:
            raise UsageError(f"{path.name}: nothing of that name is read", hint=hint)


def _folders(root: Path) -> Iterator[Path]:
    """The folders in a folder. Raises `UsageError` for a file."""
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name.startswith("."):
            continue
        if not path.is_dir() or path.is_symlink():
            raise UsageError(f"{root.name}/{path.name}: a folder belongs here", hint="move it away")
        yield path


def _files(root: Path) -> Iterator[Path]:
    """The files in a folder. Raises `UsageError` for anything else: a merge has left it, or somebody means it to be read."""
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name.startswith("."):
            continue
        if path.is_dir() or path.is_symlink() or path.suffix != ENDING:
            raise UsageError(f"{root.name}/{path.name}: only files *{ENDING} belong here", hint="move it away")
        yield path


# What files are called --------------------------------------------------------------------------------------------------


def file_of(plural: str, body: Row) -> str:
    """The file of an object, below the directory."""
    name = (
        re.sub(r"[^a-z0-9]+", "-", folded(str(body.get("name") or body.get("code") or "")))
        .strip("-")[:LONGEST]
        .strip("-")
    )
    return f"{METADATA}/{plural}/{name + '.' if name else ''}{body['id']}{ENDING}"


def files_of_entries(keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """The files of keys of the data store, below the directory; two that a file system takes for one are told apart."""
    found: dict[tuple[str, str], str] = {}
    seen: dict[str, int] = {}
    for namespace, key in sorted(keys):
        path = f"{STORE}/{_safe(namespace)}/{_safe(key)}"
        number = seen[path.lower()] = seen.get(path.lower(), 0) + 1
        found[namespace, key] = f"{path}{f'~{number}' if number > 1 else ''}{ENDING}"
    return found


def _safe(name: str) -> str:
    """A name as one of a file: other characters as % and their bytes."""
    text = re.sub(r"[^A-Za-z0-9_.-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name)
    text = f"%2E{text[1:]}" if text.startswith(".") else text
    return text if len(text) <= 150 else text[:150]
