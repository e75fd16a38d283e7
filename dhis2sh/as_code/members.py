"""Who belongs to groups of users, by username: in files only where somebody asks for it, since people differ from server to server.

Snapshots are of one server: they say besides who has which role, and what single people may do with an object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.as_code.yaml_text import Document
from dhis2sh.client import reading
from dhis2sh.errors import Forbidden, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

USERS, ROLES, SHARING = "users", "userRoles", "sharing"


async def people(s: Session) -> dict[str, str]:
    """The usernames of a server's accounts by UID."""
    rows = await _accounts(s, "id,username")
    return {str(row["id"]): str(row["username"]) for row in rows if row.get("username")}


async def _accounts(s: Session, fields: str) -> list[Row]:
    """All accounts. Raises `Forbidden` with the way around it."""
    try:
        return await reading.all_of(s.client, USERS, fields=fields)
    except Forbidden as error:
        error.message = f"{USERS}: {error.message}"
        error.hint = "--without members leaves people out; or sign in as somebody who may list accounts"
        raise


def named(group: Row, usernames: Mapping[str, str]) -> list[JsonValue]:
    """The members of a group as its file has them: usernames in order. An account that this user may not see has none."""
    members = cast("list[JsonObject]", group.get(USERS) or [])
    return [*sorted(usernames[uid] for uid in (str(one.get("id")) for one in members) if uid in usernames)]


async def of_roles(s: Session) -> dict[str, list[str]]:
    """Who has each role, by its UID: usernames in order."""
    found: dict[str, list[str]] = {}
    for row in await _accounts(s, f"username,{ROLES}[id]"):
        for role in cast("list[JsonObject]", row.get(ROLES) or []):
            found.setdefault(str(role["id"]), []).append(str(row.get("username")))
    return {uid: sorted(names) for uid, names in found.items()}


def sharing_with(body: JsonObject, raw: Row, usernames: Mapping[str, str]) -> None:
    """Put what single people may do with an object into its sharing, by username; an account that is gone or not seen has none."""
    sharing, there = body.get(SHARING), raw.get(SHARING)
    rows = there.get(USERS) if isinstance(there, dict) else None
    if not isinstance(sharing, dict) or not isinstance(rows, dict):
        return
    named_ = {usernames[uid]: row for uid, row in rows.items() if uid in usernames}
    found: JsonObject = {
        name: {"access": row.get("access")} for name, row in sorted(named_.items()) if isinstance(row, dict)
    }
    if found:
        body[SHARING] = {**sharing, USERS: found}


def access_of(sharing: JsonObject, before: JsonObject | None, usernames: Mapping[str, str]) -> JsonObject:
    """What single people may do, as a server takes it: those of a snapshot, and those whom this user does not see as they are."""
    uids = {name: uid for uid, name in usernames.items()}
    wanted = cast("Mapping[str, JsonObject]", sharing.get(USERS) or {})
    there = cast("JsonObject", (before or {}).get(USERS) or {})
    found: JsonObject = {uid: row for uid, row in there.items() if uid not in usernames}
    for name, row in wanted.items():
        found[uids[name]] = {"id": uids[name], "access": row.get("access")}
    return found


def apart(document: Document, plural: str) -> tuple[Document, JsonObject]:
    """A snapshot's object without its people, as any file has it; and them: `users` of a role, and those of its sharing."""
    value: JsonObject = dict(document.value)
    people_: JsonObject = {}
    if plural == ROLES and USERS in value:
        people_[USERS] = value.pop(USERS)
    sharing = value.get(SHARING)
    if isinstance(sharing, dict) and USERS in sharing:
        people_[SHARING] = sharing[USERS]
        value[SHARING] = {name: item for name, item in sharing.items() if name != USERS}
    return Document(document.where, value, document.lines), people_


def without(document: Document) -> Document:
    """A group without its members."""
    value = {name: item for name, item in document.value.items() if name != USERS}
    return Document(document.where, value, document.lines)


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
