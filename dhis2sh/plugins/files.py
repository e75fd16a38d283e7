"""`files`: documents, and the contents of files wherever a server keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.instance import documents, file_resources, orphans
from dhis2sh.instance.file_resources import Downloaded, Where
from dhis2sh.rows.rows import Rows, Verbatim
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, Touches, verb

UNDOES = (documents.taken_back, file_resources.value_taken_back)
"""How documents and values are taken back: importing them here registers that."""
type DomainName = Literal["DATA_VALUE", "DOCUMENT", "MESSAGE_ATTACHMENT", "USER_AVATAR", "ORG_UNIT", "ICON"]
File = Annotated[Path, Doc("A file of this machine."), Complete("files")]
Document = Annotated[str, Doc("The document: UID, code or name."), Refers("documents")]
Resource = Annotated[str, Doc("The file resource's UID.")]
Out = Annotated[
    Path, Doc("Where to: a file, or a folder in which it gets its own name."), Complete("files"), Touches("writes")
]
Overwrite = Annotated[bool, Doc("Replace a file that is there.")]
Element = Annotated[str | None, Doc("The data element whose value it is."), Refers("dataElements")]
Period = Annotated[str | None, Doc("The period of the value.")]
Unit = Annotated[str | None, Doc("The organisation unit of the value."), Refers("organisationUnits")]
Combo = Annotated[str | None, Doc("The category option combination of the value."), Refers("categoryOptionCombos")]


# Documents ---------------------------------------------------------------------------------------------------------------


@verb(
    "files documents list",
    effect="read",
    examples=["dhis2 files documents list", "dhis2 files documents list guideline"],
)
async def documents_list(
    s: Session,
    words: Annotated[list[str], Doc("Only those whose names have all of these words.")] = [],
    *,
    limit: Annotated[int | None, Bounds(1), Doc("At the most so many.")] = None,
) -> Rows[Row]:
    """List documents, files and links, with their sizes.

    API source: `GET /api/documents`.
    """
    return Rows(await documents.listed_documents(s, words, limit), columns=documents.COLUMNS)


@verb("files documents get", effect="read", examples=["dhis2 files documents get 'Immunization guideline'"])
async def documents_get(s: Session, document: Document) -> Verbatim:
    """Show a document: where it leads, or how its file is called and how large it is.

    API source: `GET /api/documents/{uid}`.
    """
    return Verbatim(await documents.one(s, document))


@verb(
    "files documents upload",
    effect="write",
    examples=["dhis2 files documents upload guideline.pdf --name 'Immunization guideline'"],
)
async def documents_upload(
    s: Session,
    file: File,
    *,
    name: Annotated[str | None, Doc("The document's name; the file's without it.")] = None,
    code: Annotated[str | None, Doc("Its code.")] = None,
    attachment: Annotated[bool, Doc("A browser saves it, and does not show it.")] = False,
) -> Plan:
    """Upload a file as a document; what the server keeps is read again and is the same byte for byte. `undo` deletes it.

    API source: `POST /api/fileResources?domain=DOCUMENT`, `POST /api/documents`.
    """
    return await documents.uploading(s, file, name, code, attachment=attachment)


@verb(
    "files documents upload-url",
    effect="write",
    examples=["dhis2 files documents upload-url https://example.org/plan.pdf --name 'National plan'"],
)
async def documents_upload_url(
    s: Session,
    url: Annotated[str, Doc("The address that it leads to.")],
    *,
    name: Annotated[str, Doc("The document's name.")],
    code: Annotated[str | None, Doc("Its code.")] = None,
) -> Plan:
    """Make a document that is a link. `undo` deletes it.

    API source: `POST /api/documents`.
    """
    return await documents.linking(s, url, name, code)


@verb(
    "files documents download",
    effect="read",
    examples=[
        "dhis2 files documents download 'Immunization guideline' --out .",
        "dhis2 files documents download UID --out plan.pdf",
    ],
)
async def documents_download(s: Session, document: Document, *, out: Out, overwrite: Overwrite = False) -> Downloaded:
    """Write a document's file, byte for byte; it appears when all of it has come and is what the server says.

    API source: `GET /api/documents/{uid}/data`.
    """
    return await documents.download(s, document, out, overwrite=overwrite)


@verb("files documents delete", effect="destroy", examples=["dhis2 files documents delete 'Old plan' --dry-run"])
async def documents_delete(
    s: Session, documents_: Annotated[list[str], Doc("The documents: UIDs, codes or names."), Refers("documents")]
) -> Plan:
    """Delete documents. Their files are kept on this machine first, so that `undo` can make them again.

    API source: `DELETE /api/documents/{uid}`.
    """
    return await documents.deleting(s, documents_)


# File resources ----------------------------------------------------------------------------------------------------------


@verb(
    "files resources upload",
    effect="write",
    examples=[
        "dhis2 files resources upload letter.pdf --data-element Letter --period 202501 --org-unit 'Ngelehun CHC'",
        "dhis2 files resources upload photo.png",
    ],
)
async def resources_upload(
    s: Session,
    file: File,
    *,
    domain: Annotated[DomainName, Doc("What it is for.")] = "DATA_VALUE",
    data_element: Element = None,
    period: Period = None,
    org_unit: Unit = None,
    category_option_combo: Combo = None,
) -> Plan:
    """Upload a file: as the value of a cell, which `undo` takes back; or by itself, for something that will refer to it.

    A value of tracker is the UID that comes of it: data tracker update UID --set 'Photo=FILE_UID'.

    API source: `POST /api/dataValues/file`, `POST /api/fileResources`.
    """
    where = Where(data_element=data_element, period=period, org_unit=org_unit, option_combo=category_option_combo)
    if where == Where():
        return file_resources.uploading(file, domain)
    if domain != "DATA_VALUE":
        raise UsageError(f"a value is no {domain}", hint="leave --domain out")
    return await file_resources.value_uploading(s, file, where)


@verb("files resources get", effect="read", examples=["dhis2 files resources get UID"])
async def resources_get(s: Session, uid: Resource) -> Verbatim:
    """Show what a server says of a file: name, type, length, MD5 sum, whether something refers to it.

    API source: `GET /api/fileResources/{uid}`.
    """
    return Verbatim(await file_resources.one(s, uid))


@verb(
    "files resources download",
    effect="read",
    persons=True,
    examples=[
        "dhis2 files resources download UID --out .",
        "dhis2 files resources download --data-element Letter --period 202501 --org-unit 'Ngelehun CHC' --out letter.pdf",
        "dhis2 files resources download --tracked-entity UID --attribute Photo --out photo.png",
    ],
)
async def resources_download(
    s: Session,
    uid: Annotated[str | None, Doc("The file resource's UID; without it say of what it is the value.")] = None,
    *,
    out: Out,
    overwrite: Overwrite = False,
    data_element: Element = None,
    period: Period = None,
    org_unit: Unit = None,
    category_option_combo: Combo = None,
    event: Annotated[str | None, Doc("The event whose value it is, with --data-element.")] = None,
    tracked_entity: Annotated[str | None, Doc("The tracked entity whose value it is, with --attribute.")] = None,
    attribute: Annotated[
        str | None, Doc("The attribute of the tracked entity."), Refers("trackedEntityAttributes")
    ] = None,
) -> Downloaded:
    """Write a file of a server, byte for byte: by its UID, or the value of a cell, an event or a tracked entity.

    A server gives the file of a value only through the value.

    API source: `GET /api/fileResources/{uid}/data`, `GET /api/dataValues/files`,
    `GET /api/tracker/events/{uid}/dataValues/{uid}/file`, `GET /api/tracker/trackedEntities/{uid}/attributes/{uid}/file`.
    """
    where = Where(
        data_element=data_element, period=period, org_unit=org_unit, option_combo=category_option_combo, event=event,
        tracked_entity=tracked_entity, attribute=attribute,
    )  # fmt: skip
    if uid is not None and where != Where():
        raise UsageError("a UID, or of what it is the value: one of them", hint="leave the UID out")
    if uid is not None:
        body = await file_resources.one(s, uid)
        return await file_resources.download(s, f"fileResources/{uid}/data", {}, body, out, overwrite=overwrite)
    file, path, params = await file_resources.file_of(s, where)
    body = await file_resources.one(s, file)
    return await file_resources.download(s, path, params, body, out, overwrite=overwrite)


@verb("files orphans", effect="read", examples=["dhis2 files orphans"])
async def orphans_(s: Session) -> Rows[Row]:
    """List files that nothing refers to, and documents whose files are not there, the largest first.

    A server deletes no file on demand; what it calls unassigned goes with its clean-up job.

    API source: `GET /api/fileResources`, and the lists of what refers to files.
    """
    return Rows(await orphans.found(s), columns=orphans.COLUMNS)
