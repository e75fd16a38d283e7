"""Contents of files: uploaded and downloaded byte for byte, found by what they are the value of, and those nobody needs.

API source: `FileResourceController.java`, `DataValueController.java`, tracker's export controllers (recorded
`inst-documents-files`, `data-files`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import BaseModel

from dhis2sh import paths
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client.files import Content, Domain
from dhis2sh.client.forms import media_type
from dhis2sh.client.sending import accepted
from dhis2sh.dhis2.uids import generate_uid, is_uid
from dhis2sh.errors import BrokenAnswer, Forbidden, NotFound, Refused, UsageError
from dhis2sh.instance import kept
from dhis2sh.instance.one_by_one import OneByOne, nothing, plan, written

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

RESOURCES = "fileResources"
VALUES = "dataValues"
FILE_TYPES = frozenset({"FILE_RESOURCE", "IMAGE"})
NO_WAY_BACK = "this cannot be undone: a server deletes no file; what nothing refers to goes by itself within some hours"
PAGE_SIZE = 500


class Downloaded(BaseModel):
    """A file that was written.

    Parameters:
        file: where it is; `name` what the server calls it.
        bytes, md5: as the server keeps it, where it says so.
    """

    file: str
    name: str | None = None
    type: str | None = None
    bytes: int
    md5: str

    def line(self) -> str:
        """What was written, in one line."""
        return f"{self.file}: {self.bytes:,} bytes"


def local(file: Path) -> int:
    """The size of a file of this machine. Raises `NotFound`, `UsageError` for an empty one, which no server takes."""
    try:
        size = file.stat().st_size
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}", hint="check the path") from error
    if not file.is_file():
        raise UsageError(f"{file} is no file", hint="name a file")
    if not size:
        raise UsageError(f"{file} is empty, and a server takes no empty file", hint="check the file")
    return size


# Reading -----------------------------------------------------------------------------------------------------------------


async def one(s: Session, uid: str) -> JsonObject:
    """A file resource. Raises `NotFound`, `UsageError` for what is no UID."""
    _must_be_uid(uid)
    try:
        return await s.client.get_object(f"{RESOURCES}/{uid}")
    except NotFound as error:
        error.hint = "dhis2 files documents list  has the files of documents"
        raise


def _must_be_uid(text: str) -> None:
    if not is_uid(text):
        raise UsageError(f"'{text}' is no UID", hint="eleven letters and digits, a letter first")


@dataclass(frozen=True, slots=True)
class Where:
    """What a file is the value of: a cell of aggregate data, an event, or a tracked entity.

    Parameters:
        data_element, period, org_unit, option_combo: of a cell; with `event` the data element of its value.
        event, tracked_entity, attribute: of a value of tracker.
    """

    data_element: str | None = None
    period: str | None = None
    org_unit: str | None = None
    option_combo: str | None = None
    event: str | None = None
    tracked_entity: str | None = None
    attribute: str | None = None

    def check(self) -> None:
        """Raise `UsageError` for what is no place of a value."""
        cell = self.data_element and self.period and self.org_unit and not (self.event or self.tracked_entity)
        event = self.event and self.data_element and not (self.period or self.org_unit or self.tracked_entity)
        entity = self.tracked_entity and self.attribute and not (self.data_element or self.event)
        if not (cell or event or entity):
            raise UsageError(
                "which value? a cell (--data-element --period --org-unit), an event's (--event --data-element), "
                "or a tracked entity's (--tracked-entity --attribute)",
                hint="dhis2 files resources download --data-element NAME --period 202501 --org-unit NAME --out FILE",
            )
        if owner := self.event or self.tracked_entity:
            _must_be_uid(owner)

    @property
    def cell(self) -> dict[str, Param]:
        """The parameters of the address of a cell."""
        return {"de": self.data_element, "pe": self.period, "ou": self.org_unit, "co": self.option_combo}


async def file_of(s: Session, where: Where) -> tuple[str, str, dict[str, Param]]:
    """The UID of the file that is a value, and the request for its content. Raises `NotFound` where the value is no file."""
    where.check()
    if where.event:
        body = await s.client.get_object(f"tracker/events/{where.event}", {"fields": "dataValues[dataElement,value]"})
        values = cast("list[JsonObject]", body.get("dataValues") or [])
        found = [str(row.get("value")) for row in values if row.get("dataElement") == where.data_element]
        path = f"tracker/events/{where.event}/dataValues/{where.data_element}/file"
        return _of(found, f"event {where.event} has no value of {where.data_element}"), path, {}
    if where.tracked_entity:
        fields = "attributes[attribute,value],enrollments[attributes[attribute,value]]"
        body = await s.client.get_object(f"tracker/trackedEntities/{where.tracked_entity}", {"fields": fields})
        rows = [
            row
            for owner in (body, *cast("list[JsonObject]", body.get("enrollments") or []))
            for row in cast("list[JsonObject]", owner.get("attributes") or [])
        ]
        found = [str(row.get("value")) for row in rows if row.get("attribute") == where.attribute]
        path = f"tracker/trackedEntities/{where.tracked_entity}/attributes/{where.attribute}/file"
        return _of(found, f"{where.tracked_entity} has no value of {where.attribute}"), path, {}
    there = await value_of(s, where)
    return _of([] if there is None else [there], "that cell has no value"), "dataValues/files", where.cell


def _of(values: list[str], why: str) -> str:
    hint = "the data element, the period and the unit, or the attribute, may be another"
    if not values:
        raise NotFound(why, hint=hint)
    if not is_uid(values[0]):
        raise NotFound(f"the value '{values[0][:60]}' is no file", hint=hint)
    return values[0]


async def value_of(s: Session, where: Where) -> str | None:
    """The value of a cell; None where there is none: a server says 409 or 404 then (recorded)."""
    try:
        body = await s.client.get("dataValues", where.cell)
    except NotFound:
        return None
    except Refused as error:
        if error.status == 409 and "does not exist" in error.message:
            return None
        raise
    return str(body[0]) if isinstance(body, list) and body and body[0] is not None else None


def target(out: Path, name: str | None, uid: str, *, overwrite: bool) -> Path:
    """Where a download goes: into a folder under its own name, made safe. Raises `UsageError` for a file that is there."""
    path = out / (paths.safe_name(name or "") or uid) if out.is_dir() else out
    if path.exists() and not overwrite:
        raise UsageError(f"{path} is there already: nothing was written", hint="--overwrite replaces it")
    return path


async def download(
    s: Session, path: str, params: Mapping[str, Param], body: JsonObject, out: Path, *, overwrite: bool
) -> Downloaded:
    """Write a content to a file, which appears when all of it has come and is what the server says that it keeps.

    Parameters:
        path, params: the request for the content.
        body: its file resource, which says how long it is.
        out: a file or a folder.

    Raises `UsageError` for a file that is there, `BrokenAnswer` for other bytes.
    """
    name = str(body["name"]) if body.get("name") else None
    where, content = target(out, name, str(body.get("id") or "file"), overwrite=overwrite), Content.of(body)
    md5 = await s.client.files.fetch(path, params, where, content)
    return Downloaded(file=str(where), name=name, type=content.media_type, bytes=where.stat().st_size, md5=md5)


# Writing -----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Upload:
    """A file that is uploaded and that nothing refers to yet.

    Parameters:
        file: of this machine; `size` its bytes.
        uid: of the file resource.
        domain: what it is for.
    """

    file: Path
    size: int
    uid: str
    domain: Domain
    md5: str = ""

    @property
    def step(self) -> PlanStep:
        """What a plan says of it."""
        after: JsonObject = {"file": self.file.name, "bytes": self.size, "contentType": media_type(self.file.name),
                             "domain": self.domain}  # fmt: skip
        return PlanStep("create", RESOURCES, uid=self.uid, name=self.file.name, after=after)

    async def moved(self, s: Session) -> str | None:
        """Has the file become another one?"""
        return f"{self.file} has changed since the plan was made" if local(self.file) != self.size else None

    async def carry_out(self, s: Session) -> None:
        """Upload it, and wait until the server keeps it."""
        await put(s, self.file, self.domain, self.uid)

    async def is_done(self, s: Session) -> bool:
        """Is it there, byte for byte?"""
        return await is_kept(s, self.uid, self.file)


async def put(s: Session, file: Path, domain: Domain, uid: str, *, name: str | None = None) -> None:
    """Upload a file under a UID and wait until the server keeps it. Raises `BrokenAnswer` where it took another UID."""
    with _about(name or file.name):
        message = await s.client.files.upload(file, domain=domain, uid=uid, name=name)
    if message.created_uid != uid:
        raise BrokenAnswer(
            f"the server keeps {file.name} as {message.created_uid}, not as {uid}",
            hint=f"dhis2 files resources get {message.created_uid}",
        )
    kept_as, sent_as = (await s.client.files.stored(uid)).get("contentType"), media_type(name or file.name)
    if kept_as not in (None, sent_as):
        s.person.warn(f"{file.name} was sent as {sent_as}, and the server keeps it as {kept_as}")


@contextmanager
def _about(name: str) -> Generator[None]:
    """Inside a file is uploaded: which one a server does not take is said, and what helps."""
    try:
        yield
    except Refused as error:
        if error.code == "E6101":
            error.message = f"{name}: {error.message}"
            error.hint = (
                "servers take no programs, scripts, pages and style sheets, by type and ending: pack it into a zip"
            )
        raise


async def is_kept(s: Session, uid: str, file: Path) -> bool:
    """Does a server keep under a UID what a file holds? By its sum; of what may be read the content is read again."""
    try:
        body = await one(s, uid)
    except NotFound:
        return False
    content = Content.of(body)
    if content.length not in (None, local(file)):
        return False
    md5 = kept.md5_of(file)
    if body.get("domain") == "DATA_VALUE" or not body.get("contentMd5"):
        return content.md5 == md5  # no server gives the content of a value that is none yet (recorded)
    import tempfile  # start-up: with the first upload

    try:
        with tempfile.TemporaryFile() as again:
            return await s.client.files.fetch(f"{RESOURCES}/{uid}/data", {}, again, content) == md5
    except (Forbidden, NotFound):  # a picture of a user or a unit that is nobody's yet
        return content.md5 == md5


class Uploads(OneByOne):
    """The writer of files that nothing refers to yet. There is no way back: a server deletes none."""

    name: ClassVar[str] = "file uploads"


def uploading(file: Path, domain: Domain) -> Plan:
    """The plan of uploading a file. Raises `NotFound`, `UsageError` for an empty one."""
    change = Upload(file, local(file), generate_uid(), domain)
    return plan(Uploads([change], what="files"), f"upload {file.name}", [NO_WAY_BACK])


@dataclass(slots=True)
class FileValue:
    """A file that becomes the value of a cell, or takes the place of one; or a cell that is emptied.

    Parameters:
        where: the cell; `name` what it is called.
        file: of this machine, None to empty the cell; `called` how the file is called on the server, `sum` its MD5 sum.
        before: the UID of the file that is there; `md5` the sum of its content, and `called_before` its name.
    """

    where: Where
    name: str
    file: Path | None
    called: str | None = None
    sum: str | None = None
    before: str | None = None
    md5: str | None = None
    called_before: str | None = None

    @property
    def step(self) -> PlanStep:
        """What a plan says of it."""
        held: JsonObject | None = None
        if self.before is not None:
            held = {"value": self.before, "md5": self.md5, "file": self.called_before}
        after: JsonObject | None = None
        if self.file is not None:
            after = {"file": self.called or self.file.name, "bytes": self.file.stat().st_size, "md5": self.sum}
        action = "delete" if after is None else "create" if held is None else "update"
        return PlanStep(action, VALUES, uid=_key(self.where), name=self.name, before=held, after=after)

    async def moved(self, s: Session) -> str | None:
        """Has somebody changed the cell?"""
        return (
            f"{self.name} has changed since the plan was made" if await value_of(s, self.where) != self.before else None
        )

    async def carry_out(self, s: Session) -> None:
        """Keep what is there, and upload the new one, or empty the cell."""
        if self.before is not None and self.md5:
            body = await one(s, self.before)
            await s.client.files.fetch("dataValues/files", self.where.cell, kept.place(self.md5), Content.of(body))
            kept.sweep(self.md5)
        if self.file is None:
            accepted(await s.client.write("DELETE", "dataValues", None, self.where.cell))
            return
        where = self.where
        with _about(self.called or self.file.name):
            await s.client.files.upload_value(
                self.file, data_element=str(where.data_element), period=str(where.period), org_unit=str(where.org_unit),
                option_combo=where.option_combo, name=self.called,
            )  # fmt: skip

    async def is_done(self, s: Session) -> bool:
        """Is the content of the cell that of the file?"""
        now = await value_of(s, self.where)
        if self.file is None or now is None or now == self.before:
            return self.file is None and now is None
        import tempfile  # start-up: with the first upload

        with tempfile.TemporaryFile() as again:
            content = Content.of(await one(s, now))
            return await s.client.files.fetch("dataValues/files", self.where.cell, again, content) == self.sum


def _key(where: Where) -> str:
    return "/".join(str(part or "") for part in (where.data_element, where.period, where.org_unit, where.option_combo))


def _cell(key: str) -> Where:
    data_element, period, org_unit, option_combo = key.split("/")
    return Where(data_element=data_element, period=period, org_unit=org_unit, option_combo=option_combo or None)


class FileValues(OneByOne):
    """The writer of files that are data values."""

    name: ClassVar[str] = "file values"


async def value_uploading(s: Session, file: Path, where: Where) -> Plan:
    """The plan of making a file the value of a cell; of tracker a value is set to the UID of a file that was uploaded.

    Raises `UsageError` for an element whose values are no files, and for what is no cell.
    """
    where.check()
    local(file)
    fields = {"fields": "displayName,valueType"}
    element = await s.client.get_object(f"dataElements/{where.data_element}", fields)
    if element.get("valueType") not in FILE_TYPES:
        raise UsageError(
            f"'{element.get('displayName')}' takes {element.get('valueType')}, not files",
            hint="dhis2 metadata list dataElements --filter valueType:in:[FILE_RESOURCE,IMAGE]",
        )
    if element.get("valueType") == "IMAGE" and not media_type(file.name).startswith("image/"):
        raise UsageError(
            f"'{element.get('displayName')}' takes pictures, and {file.name} is none by its name", hint="x.png"
        )
    name = f"{element.get('displayName')}, {where.period}, {where.org_unit}"
    change = await _value(s, where, name, file)
    return plan(FileValues([change], what="file values"), f"make {file.name} the value of {name}", _way_back(change))


async def _value(s: Session, where: Where, name: str, file: Path | None, called: str | None = None) -> FileValue:
    before = await value_of(s, where)
    change = FileValue(where, name, file, called, kept.md5_of(file) if file is not None else None, before)
    if before is not None:
        try:
            body = await one(s, before)
        except (NotFound, Refused):  # the value names a file that is not there: there is nothing to keep
            return change
        change.md5, change.called_before = Content.of(body).md5, str(body.get("name") or "")
    return change


def _way_back(change: FileValue) -> list[str]:
    if change.before is None:
        return []
    if change.md5 is None:
        return ["the file that is there cannot be read: it cannot be brought back"]
    return ["the file that is there is kept on this machine first, and undo brings it back"]


@takes_back(FileValues.name)
async def value_taken_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """Cells are as before, empty or with the file that was kept, where nobody has changed them since."""
    changes: list[FileValue] = []
    notes: list[str] = []
    for change in written(journal, entry):
        name, file = str(change.name), None
        if change.before is not None:
            file = kept.find(change.before.get("md5"))
            if file is None:
                notes.append(f"{name}: not brought back, for its file is not kept on this machine")
                continue
        called = str((change.before or {}).get("file") or "file")
        back = await _value(s, _cell(str(change.uid)), name, file, called)
        ours = change.after is not None and back.md5 == change.after.get("md5")
        if not (ours or force or (change.after is None and back.before is None)):
            notes.append(f"{name}: somebody has changed it since; --force takes it back all the same")
        elif not (file is None and back.before is None):
            changes.append(back)
    return plan(FileValues(changes, what="undone"), entry.undo_title, notes) if changes else nothing(entry, notes)
