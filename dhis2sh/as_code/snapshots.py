"""Snapshots: how a server was at a moment, kept on this machine, to see what changed since and to bring it back.

Each is one file of the user's own, a folder a profile; it holds what a directory of `instance pull` would, without secrets too.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from dhis2sh import paths
from dhis2sh.as_code import members
from dhis2sh.as_code.compared import (
    APPS,
    SETTINGS,
    STORE,
    Change,
    Comparison,
    OneDifference,
    differences,
    source_of,
    stamp_of,
)
from dhis2sh.as_code.scope import GROUPS, MEMBERS, PEOPLE, Scope, wanted, with_people, without_people
from dhis2sh.as_code.server import Server, entry, server_of
from dhis2sh.as_code.yaml_text import Document
from dhis2sh.dhis2.references import label
from dhis2sh.errors import Forbidden, NotFound, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhis2sh.profiles import Profile
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

ENDING = ".zip"
HEADER = "snapshot.json"
COLUMNS = ("change", "type", "id", "name", "property", "before", "after", "at", "by")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}\Z", re.ASCII)


class SnapshotRow(BaseModel):
    """A snapshot that is kept.

    Parameters:
        taken: when, in UTC; `server` and `version` of what.
        objects: how many objects of metadata it holds; `bytes` of its file.
    """

    name: str
    taken: str
    server: str
    version: str
    objects: int
    bytes: int

    def line(self) -> str:
        """In words."""
        return f"{self.name}: {self.objects:,} objects of {self.server} (DHIS2 {self.version}), {self.bytes:,} bytes"


class ChangedSince(OneDifference):
    """One thing that is not as it was: before is then, after is now.

    Parameters:
        at, by: when the object was saved last and by whom; of what is gone nobody knows.
    """

    at: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot, read type by type; to a comparison it is what a directory is.

    Parameters:
        root: its file, whose name is its own.
        scope: what it is about, all of it or what was named.
        row: what is said of it.
    """

    root: Path
    scope: Scope
    row: SnapshotRow

    def objects(self, plural: str) -> dict[str, Document]:
        """The objects of a type by UID, without the people of them that it is not about."""
        documents = (self._document(body) for body, _, _ in self._rows(plural))
        if PEOPLE not in self.scope.also:
            documents = (members.apart(one, plural)[0] for one in documents)
        if plural == GROUPS and MEMBERS not in self.scope.also:
            documents = (members.without(one) for one in documents)
        return {str(one.value["id"]): one for one in documents}

    def stamps(self, plural: str) -> dict[str, tuple[str | None, str | None]]:
        """When the objects of a type were saved last, and by whom, by UID."""
        return {str(body["id"]): (at, by) for body, at, by in self._rows(plural)}

    def entries(self) -> dict[str, Document]:
        """The data store by `namespace/key`."""
        return {f"{body['namespace']}/{body['key']}": self._document(body) for body, _, _ in self._rows(STORE)}

    def settings(self) -> Document | None:
        """The system settings."""
        return next((self._document(body) for body, _, _ in self._rows(SETTINGS)), None)

    def apps(self) -> Document | None:
        """The installed apps."""
        return next((self._document(body) for body, _, _ in self._rows(APPS)), None)

    def _document(self, body: JsonObject) -> Document:
        return Document(f"snapshot {self.row.name}", body)

    def _rows(self, part: str) -> Iterator[tuple[JsonObject, str | None, str | None]]:
        try:
            with zipfile.ZipFile(self.root) as archive:
                if part not in archive.namelist():
                    return
                with archive.open(part) as file:
                    for line in file:
                        found: Any = json.loads(line)
                        yield found["object"], found.get("at"), found.get("by")
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise _damaged(self.root, error) from error


def _damaged(path: Path, error: Exception) -> UsageError:
    return UsageError(f"the snapshot {path} cannot be read: {error}", hint="dhis2 snapshot list shows the others")


# Taken ------------------------------------------------------------------------------------------------------------------


def _folder(profile: Profile) -> Path:
    name = profile.name.replace(":", "%3A")  # a colon is no part of a file's name on every system
    return paths.data_dir() / "snapshots" / name


def _free(profile: Profile, name: str) -> str:
    """The name of a moment, or the next one where somebody has taken a snapshot in the same second."""
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    return next(one for one in names if not (_folder(profile) / f"{one}{ENDING}").exists())


async def take(s: Session, name: str | None, words: Sequence[str], without: Sequence[str] = ()) -> SnapshotRow:
    """Keep how the server is now.

    Parameters:
        name: under which; the moment without it.
        words: types and kinds; everything without any. `without` those to leave out.

    Raises `UsageError` for a name that is taken or none.
    """
    moment = dt.datetime.now(dt.UTC)
    name = name or _free(s.profile, moment.strftime("%Y-%m-%dT%H%M%SZ"))
    path = _folder(s.profile) / f"{name}{ENDING}"
    if not _NAME.match(name):
        raise UsageError(f"'{name}' is no name of a snapshot", hint="letters, digits, - _ and .")
    if path.exists():
        raise UsageError(
            f"there is a snapshot '{name}' already", hint="another name, or none: it is called by the moment"
        )
    about = await wanted(s, words, without)
    if MEMBERS not in ",".join(without).split(","):
        about = with_people(about)
    try:
        server = await server_of(s, about)
    except Forbidden:
        if PEOPLE not in about.also:
            raise
        about = without_people(about)
        server = await server_of(s, about)
        s.person.warn("you may not list accounts: who belongs to groups, has roles and shares is not in it")
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    row = SnapshotRow(
        name=name, taken=moment.isoformat(timespec="milliseconds"), server=s.profile.url or "", version=str(await s.client.version()),
        objects=0, bytes=0,
    )  # fmt: skip
    with paths.replacing(path, mode=0o600) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            row.objects = await _fill(server, about, archive)
            archive.writestr(HEADER, json.dumps({"row": row.model_dump(), "scope": about.to_json()}))
        row.bytes = (await asyncio.to_thread(temporary.stat)).st_size
    for note in server.told():
        s.person.warn(note)
    return row


async def _fill(server: Server, about: Scope, archive: zipfile.ZipFile) -> int:
    count = 0
    for number, plural in enumerate(about.types):
        server.s.person.progress("snapshot", number, len(about.types))
        with archive.open(plural, "w", force_zip64=True) as file:
            async for page in server.pages(plural):
                lines = [_line(body, *stamp_of(raw)) for raw, body in page]
                await asyncio.to_thread(file.write, b"".join(lines))
                count += len(page)
    server.s.person.progress("snapshot", len(about.types), len(about.types))
    if SETTINGS in about.also:
        archive.writestr(SETTINGS, _line(await server.settings()))
    if APPS in about.also:
        archive.writestr(APPS, _line(await server.apps()))
    if STORE in about.also:
        archive.writestr(STORE, b"".join([_line(entry(*one)) async for one in server.entries()]))
    return count


def _line(body: JsonObject, at: str | None = None, by: str | None = None) -> bytes:
    return json.dumps({"object": body, "at": at, "by": by}, ensure_ascii=False).encode() + b"\n"


# Found ------------------------------------------------------------------------------------------------------------------


def kept(profile: Profile) -> list[SnapshotRow]:
    """The snapshots of a profile, the oldest first; one that is damaged is none."""
    found: list[SnapshotRow] = []
    for path in sorted(_folder(profile).glob(f"*{ENDING}")):
        try:
            found.append(_opened(path).row)
        except UsageError:
            continue
    return sorted(found, key=lambda row: (row.taken, row.name))


def opened(profile: Profile, name: str | None, only: Sequence[str] = (), without: Sequence[str] = ()) -> Snapshot:
    """A snapshot of a profile by its name, the last one without it.

    Parameters:
        only: types and kinds of it; all of it without any. `without` those that are left out of it.

    Raises `NotFound` with the nearest name, `UsageError` for one that is damaged, or of another server.
    """
    known = [row.name for row in kept(profile)]
    if name is None and not known:
        raise NotFound(f"there is no snapshot of '{profile.name}'", hint="dhis2 snapshot take")
    chosen = name or known[-1]
    path = _folder(profile) / f"{chosen}{ENDING}"
    if not _NAME.match(chosen) or not path.is_file():
        raise NotFound(
            f"there is no snapshot '{chosen}' of '{profile.name}'",
            hint=did_you_mean(chosen, known) or "dhis2 snapshot list",
        )
    found = _opened(path)
    if found.row.server != (profile.url or ""):
        raise UsageError(
            f"the snapshot '{chosen}' is of {found.row.server}, and '{profile.name}' is {profile.url} by now",
            hint="dhis2 snapshot take",
        )
    return Snapshot(found.root, found.scope.only(only, without), found.row)


def _opened(path: Path) -> Snapshot:
    try:
        with zipfile.ZipFile(path) as archive:
            header: Any = json.loads(archive.read(HEADER))
        scope = Scope(header["scope"]["dhis2"], tuple(header["scope"]["types"]), tuple(header["scope"]["also"]))
        row = SnapshotRow(**header["row"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    row.bytes = path.stat().st_size
    return Snapshot(path, scope, row)


# Compared ---------------------------------------------------------------------------------------------------------------


def since(found: Comparison) -> list[ChangedSince]:
    """What changed on a server since a snapshot, from the comparison with it."""
    rows: list[ChangedSince] = []
    turned: Mapping[Change, Change] = {"added": "removed", "removed": "added", "changed": "changed"}
    for one in found.rows():
        at, by = found.stamps.get((one.type, one.id), (None, None))
        rows.append(
            ChangedSince(
                change=turned[one.change], type=one.type, id=one.id, name=one.name, property=one.property,
                before=one.after, after=one.before, at=at, by=by,
            )
        )  # fmt: skip
    return rows


def between(old: Snapshot, new: Snapshot) -> list[ChangedSince]:
    """What changed from one snapshot to a later one, of what both are about."""
    both = {*old.scope.also} & {*new.scope.also}
    old, new = (replace(one, scope=replace(one.scope, also=tuple(both))) for one in (old, new))
    rows: list[ChangedSince] = []
    types, source = source_of(new.scope.version), source_of(old.scope.version)
    for plural in (name for name in old.scope.types if name in new.scope.types and name in types):
        then, now, stamps = old.objects(plural), new.objects(plural), new.stamps(plural)
        for uid in sorted({*then, *now}):
            body = (now.get(uid) or then[uid]).value
            at, by = stamps.get(uid, (None, None))
            about: dict[str, Any] = {"type": plural, "id": uid, "name": label(body), "at": at, "by": by}
            if uid not in now or uid not in then:
                rows.append(ChangedSince(change="added" if uid in now else "removed", **about))
                continue
            changed = differences(plural, now[uid].value, then[uid].value, types, source.get(plural))
            rows += [
                ChangedSince(change="changed", property=name, before=before, after=after, **about)
                for name, (after, before) in changed.items()
            ]
    for kind, before, after in _values(old, new):
        for key in sorted(key for key in {*before, *after} if before.get(key) != after.get(key)):
            change: Change = "changed" if key in before and key in after else "added" if key in after else "removed"
            rows.append(
                ChangedSince(change=change, type=kind, id=key, name=key, before=before.get(key), after=after.get(key))
            )
    return sorted(rows, key=lambda row: (row.type, row.name.lower(), row.id, row.property or ""))


def _values(old: Snapshot, new: Snapshot) -> Iterator[tuple[str, JsonObject, JsonObject]]:
    both = {*old.scope.also} & {*new.scope.also}
    for kind in (SETTINGS, APPS):
        if kind in both:
            documents = [cast("Document | None", getattr(one, kind)()) for one in (old, new)]
            before, after = ({} if one is None else one.value for one in documents)
            yield kind, before, after
    if STORE in both:
        before, after = (
            {key: one.value["value"] for key, one in snapshot.entries().items()} for snapshot in (old, new)
        )
        yield STORE, before, after
