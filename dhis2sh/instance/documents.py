"""Documents: files and links that a server offers to its users.

API source: `DocumentController.java` (recorded `inst-documents-files`, `read-documents`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client import reading
from dhis2sh.client.files import Content
from dhis2sh.client.forms import media_type
from dhis2sh.client.sending import accepted
from dhis2sh.dhis2.uids import generate_uid, is_uid
from dhis2sh.errors import NotFound, Refused, UsageError
from dhis2sh.instance import file_resources, kept
from dhis2sh.instance.file_resources import RESOURCES, Downloaded
from dhis2sh.instance.one_by_one import OneByOne, nothing, plan, written
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

DOCUMENTS = "documents"
COLUMNS = ("id", "name", "kind", "contentType", "bytes", "lastUpdated", "url")
FIELDS = "id,displayName,name,external,url,attachment,contentType,lastUpdated"
OWN = "id,name,code,external,url,attachment,contentType,sharing"
"""What a document is made of again."""
_ADDRESS = re.compile(r"(https?|ftp)://[^\s/]+\S*", re.IGNORECASE)
KEPT = "its file is kept on this machine first, and undo brings it back"


# Reading -----------------------------------------------------------------------------------------------------------------


async def listed_documents(s: Session, words: Sequence[str], limit: int | None) -> list[Row]:
    """Documents by name, with the size of their files.

    Parameters:
        words: the name has all of them.
    """
    filters = [f"name:ilike:{word}" for word in words]
    params = {"fields": FIELDS, "order": "name:asc", **({"filter": filters} if filters else {})}
    rows = [row async for row in s.client.iter(DOCUMENTS, params, limit=limit)]
    files = [uid for row in rows if not row.get("external") and is_uid(uid := str(row.get("url")))]
    sizes = await _sizes(s, files)
    return [_shown(row, sizes.get(str(row.get("url")))) for row in rows]


async def _sizes(s: Session, files: Sequence[str]) -> dict[str, JsonObject]:
    """File resources by UID, as far as a server lists them; 2.40 and 2.41 may not."""
    if not files:
        return {}
    try:
        found = await reading.by_uid(s.client, RESOURCES, files, fields="id,name,contentLength,contentType,contentMd5")
    except (NotFound, Refused):
        return {}
    return {str(row["id"]): row for row in found.rows}


def _shown(row: Row, file: JsonObject | None) -> Row:
    external = bool(row.get("external"))
    return {
        "id": row["id"], "name": row.get("displayName") or row.get("name"), "kind": "link" if external else "file",
        "contentType": None if external else (file or {}).get("contentType") or row.get("contentType"),
        "bytes": (file or {}).get("contentLength"), "lastUpdated": row.get("lastUpdated"), "url": row.get("url"),
    }  # fmt: skip


async def one(s: Session, uid: str) -> JsonObject:
    """A document with its file. Raises `NotFound`."""
    body = await s.client.get_object(f"{DOCUMENTS}/{uid}", {"fields": FIELDS})
    if body.get("external"):
        return _shown(body, None)
    file = await _file_of(s, body)
    if file is None:
        return {**_shown(body, None), "file": None}
    return {**_shown(body, file), "file": file.get("name"), "md5": file.get("contentMd5")}


async def _file_of(s: Session, body: JsonObject) -> JsonObject | None:
    """The file resource of a document; None of a link, and of a document from before there were any, which names a file."""
    uid = str(body.get("url"))
    if body.get("external") or not is_uid(uid):
        return None
    try:
        return await file_resources.one(s, uid)
    except NotFound:
        return None


async def download(s: Session, uid: str, out: Path, *, overwrite: bool) -> Downloaded:
    """Write a document's file, byte for byte. Raises `UsageError` for a link, and as `file_resources.download`."""
    body = await s.client.get_object(f"{DOCUMENTS}/{uid}", {"fields": FIELDS})
    if body.get("external"):
        raise UsageError(
            f"'{body.get('name')}' is a link to {body.get('url')}: the server has no file of it",
            hint="open it in a browser",
        )
    # of an old one the server knows neither the length nor the sum
    old: JsonObject = {"id": uid, "name": body.get("name"), "contentType": body.get("contentType")}
    file = await _file_of(s, body) or old
    return await file_resources.download(s, f"{DOCUMENTS}/{uid}/data", {}, file, out, overwrite=overwrite)


# Writing -----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Made:
    """A document that is made, of a file of this machine or of a link.

    Parameters:
        body: what it will be, without the UID of its file; `file` what is uploaded for it, None for a link.
        called: how the file is called on the server.
        reuses: the UID of a file that is there still and that nothing refers to.
    """

    body: JsonObject
    file: Path | None = None
    called: str | None = None
    size: int = 0
    reuses: str | None = None

    @property
    def step(self) -> PlanStep:
        """What a plan says of it."""
        more: JsonObject = {} if self.file is None else {"file": self.called or self.file.name, "bytes": self.size}
        return PlanStep(
            "create", DOCUMENTS, uid=str(self.body["id"]), name=str(self.body["name"]), after={**self.body, **more}
        )

    async def moved(self, s: Session) -> str | None:
        """Has the file become another one?"""
        if self.file is not None and file_resources.local(self.file) != self.size:
            return f"{self.file} has changed since the plan was made"
        return None

    async def carry_out(self, s: Session) -> None:
        """Upload the file, wait until the server keeps it, and make the document."""
        body = dict(self.body)
        if self.reuses is not None:
            body["url"] = self.reuses
        elif self.file is not None:
            uid = generate_uid()
            await file_resources.put(s, self.file, "DOCUMENT", uid, name=self.called)
            body["url"] = uid
        accepted(await s.client.write("POST", DOCUMENTS, body))

    async def is_done(self, s: Session) -> bool:
        """Is it there, and are the bytes that it gives those of the file?"""
        try:
            body = await s.client.get_object(f"{DOCUMENTS}/{self.body['id']}", {"fields": FIELDS})
        except NotFound:
            return False
        if self.file is None:
            return body.get("url") == self.body.get("url")
        return await file_resources.is_kept(s, str(body.get("url")), self.file)


@dataclass(slots=True)
class Gone:
    """A document that is deleted.

    Parameters:
        body: what it is; `file` its file resource, None for a link, and where there is none.
    """

    body: JsonObject
    file: JsonObject | None = None

    @property
    def step(self) -> PlanStep:
        """What a plan says of it."""
        before = dict(self.body)
        if self.file is not None:
            before |= {
                "file": self.file.get("name"),
                "md5": self.file.get("contentMd5"),
                "bytes": self.file.get("contentLength"),
            }
        return PlanStep("delete", DOCUMENTS, uid=str(self.body["id"]), name=str(self.body.get("name")), before=before)

    async def moved(self, s: Session) -> str | None:
        """Has somebody given it another file, or deleted it?"""
        try:
            now = await s.client.get_object(f"{DOCUMENTS}/{self.body['id']}", {"fields": "url,name"})
        except NotFound:
            return f"{self.body.get('name')} is there no longer"
        same = (now.get("url"), now.get("name")) == (self.body.get("url"), self.body.get("name"))
        return None if same else f"{self.body.get('name')} has changed since the plan was made"

    async def carry_out(self, s: Session) -> None:
        """Keep its file, and delete it."""
        if self.file is not None and isinstance(md5 := self.file.get("contentMd5"), str):
            path = f"{DOCUMENTS}/{self.body['id']}/data"
            await s.client.files.fetch(path, {}, kept.place(md5), Content.of(self.file))
            kept.sweep(md5)
        accepted(await s.client.write("DELETE", f"{DOCUMENTS}/{self.body['id']}"))

    async def is_done(self, s: Session) -> bool:
        """Is it gone?"""
        try:
            await s.client.get_object(f"{DOCUMENTS}/{self.body['id']}", {"fields": "id"})
        except NotFound:
            return True
        return False


class Documents(OneByOne):
    """The writer of documents."""

    name: ClassVar[str] = "documents"


async def uploading(s: Session, file: Path, name: str | None, code: str | None, *, attachment: bool) -> Plan:
    """The plan of a document of a file. Raises `NotFound`, `UsageError` for an empty file.

    Parameters:
        name: of the document; the file's without its ending, where none is given.
        attachment: is it saved, not shown, by a browser?
    """
    size = file_resources.local(file)
    body: JsonObject = {"id": generate_uid(), "name": name or file.stem, "external": False, "attachment": attachment}
    body |= {"contentType": media_type(file.name), **({"code": code} if code else {})}
    made = Made(body, file, size=size)
    return plan(
        Documents([made], what=DOCUMENTS), f"upload {file.name} as document '{body['name']}'", await _namesakes(s, body)
    )


async def linking(s: Session, url: str, name: str, code: str | None) -> Plan:
    """The plan of a document that is a link. Raises `UsageError` for what is no address: a server takes `file:` too."""
    if not _ADDRESS.fullmatch(url):
        raise UsageError(f"{url} is no address", hint="https://host/path")
    body: JsonObject = {
        "id": generate_uid(),
        "name": name,
        "external": True,
        "url": url,
        **({"code": code} if code else {}),
    }
    return plan(Documents([Made(body)], what=DOCUMENTS), f"make document '{name}' of {url}", await _namesakes(s, body))


async def _namesakes(s: Session, body: JsonObject) -> list[str]:
    rows = await reading.all_of(s.client, DOCUMENTS, [f"name:eq:{body['name']}"], fields="id")
    return [f"'{body['name']}' is the name of {counted(len(rows), 'document')} already"] if rows else []


async def deleting(s: Session, uids: Sequence[str]) -> Plan:
    """The plan of deleting documents. Raises `NotFound`."""
    found = await reading.by_uid(s.client, DOCUMENTS, uids, fields=OWN)
    if found.missing:
        raise NotFound(f"there is no document {listed(found.missing)}", hint="dhis2 files documents list")
    changes: list[Gone] = []
    notes: list[str] = []
    for row in found.rows:
        change = Gone(row, await _file_of(s, row))
        told = "a link: undo makes it again" if row.get("external") else KEPT if _can_keep(change) else _LOST
        notes.append(f"{row.get('name')}: {told}")
        changes.append(change)
    return plan(Documents(changes, what=DOCUMENTS), f"delete {counted(len(changes), 'document')}", notes)


_LOST = "its file cannot be read by its sum, so this cannot be undone"


def _can_keep(change: Gone) -> bool:
    return change.file is not None and isinstance(change.file.get("contentMd5"), str)


@takes_back(Documents.name)
async def taken_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was made is deleted (its file is kept), what was deleted is made again of the file that was kept."""
    changes: list[Made | Gone] = []
    notes: list[str] = []
    for change in written(journal, entry):
        try:
            changes.append(await (_unmade(s, str(change.uid)) if change.before is None else _made_again(s, change)))
        except NotFound as error:
            notes.append(f"{change.name}: {error.message}")
    return plan(Documents(changes, what="undone"), entry.undo_title, notes) if changes else nothing(entry, notes)


async def _unmade(s: Session, uid: str) -> Gone:
    found = (await reading.by_uid(s.client, DOCUMENTS, [uid], fields=OWN)).rows
    if not found:
        raise NotFound("it is there no longer")
    return Gone(found[0], await _file_of(s, found[0]))


async def _made_again(s: Session, change: Change) -> Made:
    """Raises `NotFound` where its file is not kept."""
    before = dict(change.before or {})
    md5, called = before.pop("md5", None), before.pop("file", None)
    before.pop("bytes", None)
    if (await reading.by_uid(s.client, DOCUMENTS, [str(change.uid)], fields="id")).rows:
        raise NotFound("it is there already")
    if before.get("external"):
        return Made(before)
    uid = str(before.pop("url", ""))
    file = kept.find(md5)
    if file is None:
        raise NotFound("not brought back, for its file is not kept on this machine")
    return Made(before, file, str(called or "file"), file.stat().st_size, await _free(s, uid))


async def _free(s: Session, uid: str) -> str | None:
    """The file of a document that is gone, where the server still has it and nothing refers to it."""
    try:
        return uid if (await file_resources.one(s, uid)).get("assigned") is False else None
    except NotFound:
        return None
