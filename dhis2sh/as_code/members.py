"""Who belongs to groups of users, by username: in files only where somebody asks for it, since people differ from server to server."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhis2sh.as_code.yaml_text import Document
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

USERS = "users"


async def people(s: Session) -> dict[str, str]:
    """The usernames of a server's accounts by UID."""
    rows = await reading.all_of(s.client, USERS, fields="id,username")
    return {str(row["id"]): str(row["username"]) for row in rows if row.get("username")}


def named(group: Row, usernames: Mapping[str, str]) -> list[JsonValue]:
    """The members of a group as its file has them: usernames in order. An account that this user may not see has none."""
    members = cast("list[JsonObject]", group.get(USERS) or [])
    return [*sorted(usernames[uid] for uid in (str(one.get("id")) for one in members) if uid in usernames)]


def said(document: Document) -> list[str] | None:
    """The members that a file says, in order; None where it says nothing of them. Raises `UsageError` with the line."""
    found = document.value.get(USERS)
    if found is None:
        return None
    if not isinstance(found, list):
        raise UsageError(f"{document.at(USERS)}: {USERS} is a list of usernames", hint=f"{USERS}: []")
    for number, one in enumerate(found):
        if not isinstance(one, str) or not one:
            raise UsageError(
                f"{document.at(USERS, number)}: {one!r} is no username", hint="in quotes, where it is a number"
            )
    return sorted(set(cast("list[str]", found)))


def as_references(names: JsonValue, before: Row, usernames: Mapping[str, str]) -> list[JsonValue]:
    """Members as a server takes them: those of a file, and those whom this user may not see as they are.

    Parameters:
        before: the group as the server has it.
    """
    uids = {name: uid for uid, name in usernames.items()}
    wanted = [uids[name] for name in cast("list[str]", names)]
    members = [str(one.get("id")) for one in cast("list[JsonObject]", before.get(USERS) or [])]
    unseen = [uid for uid in members if uid not in usernames]
    kept = [uid for uid in members if uid in wanted]
    references: list[JsonValue] = [{"id": uid} for uid in dict.fromkeys([*unseen, *kept, *wanted])]
    return references
