"""What a server has written down of changes, and what can be told from the objects themselves.

A server has audits of data values and of approvals. Of metadata it has none that can be asked for: an object only says who
changed it last and when.

API source: `AuditController.java` (api-facts h.5; recorded `audit-data-values`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading, schema
from dhis2sh.client.limits import gather_bounded
from dhis2sh.dhis2 import dates
from dhis2sh.dhis2.dates import moment
from dhis2sh.dhis2.intervals import iso_in
from dhis2sh.dhis2.properties import MADE_BY, SAVED_BY
from dhis2sh.errors import Forbidden, UsageError
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

VALUES, APPROVALS = "dataValueAudits", "dataApprovalAudits"
VALUE_COLUMNS = ("created", "auditType", "modifiedBy", "dataElement", "period", "orgUnit", "categoryOptionCombo",
                 "attributeOptionCombo", "before", "after")  # fmt: skip
APPROVAL_COLUMNS = ("created", "action", "creator", "workflow", "level", "period", "orgUnit", "attributeOptionCombo")
CHANGE_COLUMNS = ("lastUpdated", "type", "id", "name", "by", "new")
CHANGE_LOG_COLUMNS = ("createdAt", "by", "type", "what", "name", "before", "after")
UNKNOWN = "?"
"""A value that the server has not written down."""
AT_ONCE = 4
NEW_WITHIN = 60
"""Seconds between creation and last change within which an object counts as created and not changed again."""


async def of_values(s: Session, params: Mapping[str, Param]) -> AsyncGenerator[list[Row]]:
    """Audits of data values as they come, the newest first.

    Up to 2.42 a server writes down the value that a change or deletion replaced, and nothing of the first one; from 2.43 on the
    one that it brought (both recorded, audit-data-values). The other of the two is `UNKNOWN`.

    Parameters:
        params: `ds`, `de`, `pe`, `ou`, `auditType`, as the server calls them.

    API source: `GET /api/audits/dataValue`.
    """
    newer = (await s.client.version()).has("audits_keep_new")
    kept, lost = ("after", "before") if newer else ("before", "after")
    s.person.note(
        f"this server writes down the value {kept} each change; '{UNKNOWN}' is the one {lost} it, which it does not keep"
    )
    async with aclosing(s.client.pages("audits/dataValue", {**params, "fields": "*"}, key=VALUES)) as pages:
        async for page in pages:
            yield [_flat({**row, **_before_and_after(row, newer=newer)}, VALUE_COLUMNS) for row in page]


def _before_and_after(row: Mapping[str, JsonValue], *, newer: bool) -> Row:
    """What a cell held before and after a change; None for nothing."""
    kind, value = row.get("auditType"), row.get("value")
    if newer:
        return {"before": None if kind == "CREATE" else UNKNOWN, "after": None if kind == "DELETE" else value}
    return {"before": UNKNOWN if value is None else value, "after": None if kind == "DELETE" else UNKNOWN}


async def of_approvals(s: Session, params: Mapping[str, Param]) -> AsyncGenerator[list[Row]]:
    """Audits of approvals, the newest first; servers give the oldest first (recorded, data-approval).

    Parameters:
        params: `wf`, `ou`, `startDate`, `endDate`, as the server calls them.

    API source: `GET /api/audits/dataApproval`.
    """
    fields = "*,creator[id,displayName,username],workflow[id,name],level[id,name],organisationUnit[id]"
    rows: list[Row] = []
    async with aclosing(s.client.pages("audits/dataApproval", {**params, "fields": fields}, key=APPROVALS)) as pages:
        async for page in pages:
            rows += [
                _flat(row | {"created": row.get("created") or row.get("createdDate")}, APPROVAL_COLUMNS) for row in page
            ]
    yield sorted(rows, key=lambda row: str(row["created"]), reverse=True)


def _flat(row: Mapping[str, JsonValue], columns: Sequence[str]) -> Row:
    """A row with a name or an identifier in place of each object, and its moment as all of them have it."""
    found = {"orgUnit": row.get("organisationUnit"), **row, "period": iso_in(row.get("period"))}
    return {name: _named(found.get(name)) for name in columns} | {"created": _at(found.get("created"))}


def _at(value: JsonValue) -> JsonValue:
    """A moment as servers write it today; one that says its zone stays as it is."""
    return moment(value) or value


def _named(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict):
        return value
    return value.get("username") or value.get("displayName") or value.get("name") or value.get("id")


async def of_object(s: Session, address: str) -> list[Row]:
    """The change log of an event or a tracked entity, the newest first.

    Parameters:
        address: `tracker/events/UID` or `tracker/trackedEntities/UID`.

    API source: `GET /api/{address}/changeLogs` (2.41 and later).
    """
    rows: list[Row] = []
    async with aclosing(s.client.pages(f"{address}/changeLogs", key="changeLogs")) as pages:
        async for page in pages:
            rows += [_changed(row) for row in page]
    names: dict[JsonValue, JsonValue] = {}
    for kind, plural in REFERRED.items():
        uids = list(dict.fromkeys(str(row["what"]) for row in rows if row["kind"] == kind))
        found = await reading.by_uid(s.client, plural, uids, fields="id,displayName") if uids else None
        names |= {row["id"]: row.get("displayName") for row in found.rows} if found is not None else {}
    told = [{name: row.get(name) for name in CHANGE_LOG_COLUMNS} | {"name": names.get(row["what"])} for row in rows]
    return sorted(told, key=lambda row: str(row["createdAt"]), reverse=True)


def _changed(row: Mapping[str, JsonValue]) -> Row:
    """One line of a change log: what was changed is under a key that says its kind."""
    kinds = cast("dict[str, JsonObject]", row.get("change") or {})
    (kind, change), *_ = [*kinds.items()] or [("", {})]
    word = next((word for word in ("dataElement", "attribute", "field") if change.get(word)), "")
    return {
        "createdAt": _at(row.get("createdAt")), "by": _named(row.get(MADE_BY)), "type": row.get("type"),
        "what": change.get(word) or kind, "kind": word,
        "before": change.get("previousValue"), "after": change.get("currentValue"),
    }  # fmt: skip


REFERRED = {"dataElement": "dataElements", "attribute": "trackedEntityAttributes"}
"""What a change log names by UID."""
OF_PERSONS = frozenset({"relationships", "trackedEntityInstances"})
"""Types up to 2.41 that are no metadata: their addresses are the old tracker's, and want an entity or a unit."""


async def since_on(s: Session, text: str) -> str:
    """A moment as `dates.since` reads it, by the server's clock where it depends on what time it is. Raises `UsageError`."""
    return dates.since(text, await s.client.system.now() if dates.is_spoken(text) else None)


async def of_metadata(s: Session, since: str, user: str | None, types: Sequence[str]) -> AsyncGenerator[list[Row]]:
    """Objects whose last change is not older than a moment, the newest change first.

    Parameters:
        since: the moment; `user` the UID of who made that change, anybody without it.
        types: plurals; every type without them.

    An object that somebody else has changed since is not found any more, and neither is one that was deleted. Without types,
    those that the user may not read are left out, and named.

    Raises `UsageError` for what is no moment, and for a type that does not say who changed it; `Forbidden` for one that was
    asked for.
    """
    wanted = await since_on(s, since)
    resources = await schema.resources_of(s.client)
    chosen = [
        name for name, resource in sorted(resources.items())
        if (not types or name in types)
        and {"lastUpdated", SAVED_BY} <= resource.properties.keys()
        and name not in OF_PERSONS
    ]  # fmt: skip
    if silent := [name for name in types if name not in chosen]:
        raise UsageError(f"{silent[0]} do not say who changed them", hint="dhis2 metadata types")

    async def one(plural: str) -> list[Row]:
        filters = [f"lastUpdated:ge:{wanted}", *([f"lastUpdatedBy.id:eq:{user}"] if user else [])]
        fields = "id,displayName,created,lastUpdated,lastUpdatedBy[id,username]"
        try:
            rows = await reading.all_of(s.client, plural, filters, fields=fields)
        except Forbidden:
            if types:
                raise
            closed.append(plural)
            return []
        return [_last_change(plural, row) for row in rows]

    closed: list[str] = []
    rows: list[Row] = []
    async for found in gather_bounded((one(plural) for plural in chosen), AT_ONCE):
        rows += found
    if rows:
        yield sorted(sorted(rows, key=_place), key=lambda row: str(row["lastUpdated"]), reverse=True)
    if closed:
        s.person.warn(f"you may not read {joined(sorted(closed))}: their changes are not among these")


def _place(row: Row) -> tuple[str, str]:
    return str(row["type"]), str(row["name"])


def _last_change(plural: str, row: Mapping[str, JsonValue]) -> Row:
    created, changed = row.get("created"), row.get("lastUpdated")
    new = None
    if isinstance(created, str) and isinstance(changed, str):
        new = (dt.datetime.fromisoformat(changed) - dt.datetime.fromisoformat(created)).total_seconds() < NEW_WITHIN
    return {
        "lastUpdated": _at(changed), "type": plural, "id": row.get("id"), "name": row.get("displayName"),
        "by": _named(row.get(SAVED_BY)), "new": new,
    }  # fmt: skip
