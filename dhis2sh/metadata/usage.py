"""What a UID, code or name stands for, who uses it, and how many data values it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from dhis2sh.client import schema
from dhis2sh.client.usage import Usage, Use
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Forbidden, NotFound, Refused
from dhis2sh.metadata.bundles.walk import known
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.client.data_values import DataValueQuery
    from dhis2sh.models.facts import Resource


COUNTED_VALUES = 5000
"""So many data values are asked for to say how many there are: about half a megabyte."""
VALUES_OF: Mapping[str, str] = {
    "dataElements": "data_element",
    "dataSets": "data_set",
    "dataElementGroups": "data_element_group",
}
"""Types whose data values can be asked for, and by which part of a `DataValueQuery`."""
NOWHERE = "nothing on this server"
"""The type of a UID that only expressions name, since the object was deleted."""


class UsedBy(BaseModel):
    """How many objects of a type use it, and by which properties."""

    type: str
    count: int
    paths: list[str]


@dataclass(frozen=True, slots=True)
class Values:
    """How many data values an object has, counted to `COUNTED_VALUES`, and of which periods where all were counted."""

    data_values: int
    more_data_values: bool
    first_period: str | None = None
    last_period: str | None = None

    def words(self) -> str:
        """In words."""
        least = "at least " if self.more_data_values else ""
        periods = f" ({self.first_period} to {self.last_period})" if self.first_period else ""
        return f"{least}{self.data_values:,} data values{periods}"


@dataclass(slots=True)
class Subject:
    """What a UID, code or name stands for.

    Parameters:
        plural, uid: the object; `body` what it owns.
        part_of: the object that holds it, in words, of one that is embedded.
    """

    plural: str
    uid: str
    body: JsonObject
    part_of: str | None = None

    @property
    def embedded(self) -> bool:
        """Has it no address of its own?"""
        return self.part_of is not None


async def find(s: Session, text: str) -> Subject:
    """An object of any type by UID, code or name. Raises `NotFound`, unless an expression names the UID."""
    types = await schema.types_of(s.client)
    uid = await _uid_of(s, text)
    kinds = await known(s.client, [uid])
    if uid in kinds:
        plural = kinds[uid][0]
        return Subject(plural, uid, await s.client.get_object(f"{plural}/{uid}", {"fields": ":owner"}))
    held = await Usage(s.client, types).owner_of(uid)
    if held is not None:
        plural, owner, path = held
        kind = types[plural].properties[path].target or path
        inside = await _inside(s, f"{plural}/{owner['id']}", path, uid)
        return Subject(kind, uid, inside, f"{plural} '{owner['name']}' [{owner['id']}]")
    try:
        body = await s.client.find(uid)
    except NotFound:
        return Subject(NOWHERE, uid, {"id": uid})
    parts = str(body.get("href", "")).rsplit("/", 2)
    return Subject(parts[-2] if len(parts) == 3 else "objects", uid, body)


async def _uid_of(s: Session, text: str) -> str:
    """The UID of what a text names; what names nothing and may be a UID can be that of an embedded object."""
    if names.certain(text):
        return text
    try:
        return await names.resolve(s, "*", text)
    except NotFound:
        if is_uid(text):
            return text
        raise


async def _inside(s: Session, address: str, path: str, uid: str) -> JsonObject:
    """An embedded object, out of the one that holds it."""
    whole = await s.client.get_object(address, {"fields": f"{path}[:all]"})
    rows = cast("list[JsonObject]", whole.get(path) or [])
    return next((row for row in rows if row.get("id") == uid), {"id": uid})


def nowhere(uid: str) -> NotFound:
    """The error for a UID that neither an object nor an expression has."""
    return NotFound(f"nothing on this server has the UID {uid}", hint=f"dhis2 metadata search {uid[:5]}")


def by_type(uses: list[Use]) -> list[UsedBy]:
    """Uses counted by type, the most frequent first."""
    kinds: dict[str, list[Use]] = {}
    for use in uses:
        kinds.setdefault(use.type, []).append(use)
    rows = [
        UsedBy(type=kind, count=len({use.uid for use in found}), paths=sorted({use.path for use in found}))
        for kind, found in kinds.items()
    ]
    return sorted(rows, key=lambda row: (-row.count, row.type))


async def uses_of(s: Session, found: Subject, types: Mapping[str, Resource]) -> list[Use]:
    """Who uses an object. Raises `NotFound` for a UID that neither an object nor an expression has."""
    asked = Usage(s.client, types)
    if found.plural == NOWHERE:
        uses = await asked.of("dataElements", found.uid)  # the type whose UIDs stand in most expressions
        if not uses:
            raise nowhere(found.uid)
        return uses
    if found.embedded or found.plural not in types:
        return []
    uses = await asked.of(found.plural, found.uid)
    for path in asked.not_asked:
        s.person.warn(f"the server cannot be asked by {path}; uses there are not counted")
    return uses


async def values_of(s: Session, found: Subject) -> Values | None:
    """How many data values an object has; None for types without any, and where the user may not look."""
    if found.body.get("domainType") == "TRACKER":
        return None
    return await data_values(s, found.plural, [found.uid])


async def data_values(s: Session, plural: str, uids: Sequence[str]) -> Values | None:
    """How many data values some objects of a type have; None as `values_of`."""
    if plural not in VALUES_OF or not uids:
        return None
    roots = await s.client.list_page("organisationUnits", {"filter": "level:eq:1", "fields": "id", "paging": False})
    if not roots.rows:  # a value is one of a unit; to ask without any is an error (E2008)
        return Values(0, False)
    query = {
        VALUES_OF[plural]: [*uids],
        "org_unit": [str(row["id"]) for row in roots.rows],
        "children": True,
        "start_date": "1900-01-01",
        "end_date": "2100-12-31",
        "limit": COUNTED_VALUES,
    }
    try:
        answer = await s.client.data_values.get(**cast("DataValueQuery", query))
    except (Refused, Forbidden, NotFound) as error:
        s.person.warn(f"data values could not be counted: {error}")
        return None
    rows = cast("list[JsonObject]", answer.get("dataValues") or [])
    if len(rows) >= COUNTED_VALUES:
        return Values(len(rows), more_data_values=True)
    periods = sorted(str(row["period"]) for row in rows)
    return Values(len(rows), False, *((periods[0], periods[-1]) if periods else ()))
