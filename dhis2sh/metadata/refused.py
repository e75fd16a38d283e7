"""What a server refused of a write, a row for each object: its names here, the server's reason and code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dhis2sh.client.messages import WebMessage
    from dhis2sh.errors import Refused
    from dhis2sh.types import Row


class OfObject(Protocol):
    """A change of one object: its type, its UID and what people call it."""

    @property
    def plural(self) -> str:
        """Its type."""
        ...

    @property
    def uid(self) -> str:
        """Its UID."""
        ...

    @property
    def name(self) -> str | None:
        """What people call it."""
        ...


def failure_of(change: OfObject, error: Refused) -> Row:
    """The row of an object that was refused alone."""
    return {
        "type": change.plural, "uid": change.uid, "name": change.name, "code": error.code, "property": None,
        "message": error.message,
    }  # fmt: skip


def failures_of(message: WebMessage, changes: Sequence[OfObject]) -> list[Row]:
    """The refused objects of a report, one row each, with the names that they have here."""
    known = {change.uid: change for change in changes}
    found: dict[str, Row] = {}
    for conflict in message.conflicts:
        uid = conflict.uid or ""
        change = known.get(uid)
        row: Row = {
            "type": change.plural if change else conflict.type, "uid": uid, "name": change.name if change else None,
            "code": conflict.code, "property": conflict.property, "message": conflict.message,
        }  # fmt: skip
        if uid in found:
            row = {**found[uid], "message": f"{found[uid]['message']}; {conflict.message}"}
        found[uid] = row
    return list(found.values())
