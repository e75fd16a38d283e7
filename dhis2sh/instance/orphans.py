"""Files that nobody needs: what nothing refers to, and documents whose files are not there.

API source: `GET /api/fileResources` (recorded `data-files`; a server has no list of what refers to a file).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.errors import Dhis2Error, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

COLUMNS = ("id", "name", "domain", "bytes", "created", "finding", "next")
FIELDS = "id,name,domain,assigned,contentLength,created"
OWNERS = {
    "DOCUMENT": ("documents", "url", "document"),
    "USER_AVATAR": ("users", "avatar[id]", "user"),
    "ORG_UNIT": ("organisationUnits", "image[id]", "organisation unit"),
}
"""Where the files of a domain are referred to: the type, its property, and what it is called."""
CLEANING = "the job type FILE_RESOURCE_CLEANUP deletes it: dhis2 jobs list"
UNSEEN = "DATA_VALUE, MESSAGE_ATTACHMENT and ICON: only what the server itself calls unassigned"


async def found(s: Session) -> list[Row]:
    """Files that nothing refers to, and documents without their file, the largest first.

    Only who may see everything can say that nothing refers to a file; for others it is what the server calls unassigned.
    Raises `Refused` for a server that lists no files.
    """
    files = await _files(s)
    owned = await _owned(s)
    rows = [_row(file, finding, CLEANING if loose else "nothing of the API deletes it") for file in files
            if (loose := file.get("assigned") is False) or _lost(file, owned) if (finding := _finding(file, loose=loose))]  # fmt: skip
    rows.sort(key=lambda row: -cast("int", row.get("bytes") or 0))
    return rows + await _without_file(s, {str(file["id"]) for file in files})


async def _files(s: Session) -> list[Row]:
    try:
        return await reading.all_of(s.client, "fileResources", fields=FIELDS)
    except (NotFound, Refused) as error:
        raise Refused(
            f"this server lists no files: {error.message}", status=getattr(error, "status", None),
            hint="dhis2 files documents list  has those of documents",
        ) from error  # fmt: skip


async def _owned(s: Session) -> Mapping[str, set[str]]:
    """The files that are referred to, by domain, of those domains that can be looked through wholly."""
    if not (await s.client.system.me()).may("ALL"):
        s.person.warn("you may not see everything: only files that the server itself calls unassigned are looked at")
        return {}
    owned: dict[str, set[str]] = {}
    for domain, (plural, fields, _) in OWNERS.items():
        name = fields.partition("[")[0]
        try:
            rows = await reading.all_of(s.client, plural, [f"{name}:!null"], fields=fields)
        except Dhis2Error as error:
            s.person.warn(f"{plural} were not looked through: {error.message}")
            continue
        owned[domain] = {_uid(row.get(name)) for row in rows}
    return owned


def _uid(value: JsonValue) -> str:
    return str(value.get("id")) if isinstance(value, dict) else str(value)


def _lost(file: Row, owned: Mapping[str, set[str]]) -> bool:
    domain = str(file.get("domain"))
    return domain in owned and str(file["id"]) not in owned[domain]


def _finding(file: Row, *, loose: bool) -> str:
    if loose:
        return "unassigned: nothing refers to it"
    return f"no {OWNERS[str(file.get('domain'))][2]} refers to it, and the server takes it for assigned"


def _row(file: Row, finding: str, then: str) -> Row:
    return {
        "id": file["id"], "name": file.get("name"), "domain": file.get("domain"), "bytes": file.get("contentLength"),
        "created": file.get("created"), "finding": finding, "next": then,
    }  # fmt: skip


async def _without_file(s: Session, files: set[str]) -> list[Row]:
    rows = await reading.all_of(s.client, "documents", ["external:eq:false"], fields="id,displayName,url,created")
    return [_lacking(row) for row in rows if str(row.get("url")) not in files]


def _lacking(row: Row) -> Row:
    body: JsonObject = {
        "id": row["id"],
        "name": row.get("displayName"),
        "domain": "DOCUMENT",
        "created": row.get("created"),
    }
    return _row(body, f"its file {row.get('url')} is not there", f"dhis2 files documents delete {row['id']}")
