"""People as an area: passwords and tokens beside the users, and what a user must be to be imported."""

from __future__ import annotations

import re
import uuid
import zlib
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.bundle import CREATE, UPDATE, Bundle, Item
from dhis2sh.sandbox.importer.hooks import Also, Hook, ImportingArea
from dhis2sh.sandbox.importer.report import ErrorReport
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.people.accounts import password_error, take_passwords
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.store.database import Store
from dhis2sh.sandbox.store.references import ids

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from dhis2sh.types import JsonObject

TABLES = """
CREATE TABLE IF NOT EXISTS account (user TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS api_token (
    uid TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, user TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
"""
UNKNOWN_LENGTHS = (2, 3)
"""Of one letter a username is refused (people-crud), of four it is taken; nobody has tried what is between."""
_USERNAME = re.compile(r"(?=.{4,255}$)(?![_.@-])(?!.*[_.@-]{2})[\w.@-]+(?<![_.@-])", re.ASCII)


def prepare_user(bundle: Bundle, item: Item) -> None:
    """A user's name comes from the two names; when the password was set is remembered."""
    body = item.body
    body["name"] = f"{body.get('firstName') or ''} {body.get('surname') or ''}".strip()
    body.setdefault("emailVerified", False)
    if item.sent.get("password"):
        body["password"] = item.sent["password"]
        body["passwordLastUpdated"] = now()


def check_user(bundle: Bundle, item: Item) -> None:
    """E4049, E4054, E4056: the username; E4005: the password; E4055: no role."""
    body = item.body
    _username(bundle, item)
    password = item.sent.get("password")
    complaint = password_error(password) if isinstance(password, str) and password else None
    if complaint:
        klass = item.resource.klass
        item.errors.append(ErrorReport("E4005", ["password", complaint], klass, "password", "java.lang.String"))
        item.kept = False
    if not body.get("userRoles"):
        item.refuse("E4055", "username", body.get("username"), prop="username")
    _roles(bundle, item)


def _username(bundle: Bundle, item: Item) -> None:
    """E4049 and E4054 where users are created, E4056 where they are updated: not where an import may do both."""
    username, options = item.body.get("username"), bundle.options
    taken = any(
        user["id"] != item.uid and str(user.get("username")).lower() == str(username).lower()
        for user in bundle.store.objects("users").values()
    )
    if options.strategy == CREATE:
        if isinstance(username, str) and len(username) in UNKNOWN_LENGTHS:
            raise not_imitated(f"a username of {len(username)} letters")
        if not isinstance(username, str) or not _USERNAME.fullmatch(username):
            item.refuse("E4049", "username", username, prop="username")
        if taken:
            item.refuse("E4054", "username", username, prop="username")
    elif options.strategy == UPDATE:
        if item.before is not None and username != item.before.get("username"):
            item.refuse("E4056", "username", username, prop="username")
    elif taken:
        bundle.unseen.append(f"a second user {username}")


def demand_surname(bundle: Bundle, item: Item) -> Also:
    """Up to 2.41 a surname is not demanded, and the database refuses: with the row, password and all. Raises `Refused`."""
    body = item.body
    if body.get("surname") is not None or bundle.store.version.minor > 41:
        return {}
    if item.before is not None:
        raise not_imitated("a surname that is taken away")
    moment = now().replace("T", " ")
    cells = [zlib.crc32(item.uid.encode()), item.uid, body.get("code"), moment, moment, None, body.get("firstName"),
             *[None] * 20, "{}", None, 1, 1, body.get("username"), item.sent.get("password"), None, "f", None, None, moment,
             None, None, None, "f", "f", "f", uuid.uuid4(), None, None]  # fmt: skip
    row = ", ".join("null" if cell is None else str(cell) for cell in cells)
    raise Refused(
        409,
        'ERROR: null value in column "surname" of relation "userinfo" violates not-null constraint\n'
        f"  Detail: Failing row contains ({row}).",
    )


def _roles(bundle: Bundle, item: Item) -> None:
    """E3003: nobody gives more rights than he has, or a role of his own."""
    rights = bundle.rights
    if rights.superuser:
        return
    own = {str(role["id"]) for role in cast("list[JsonObject]", rights.user.get("userRoles") or [])}
    before = [role["id"] for role in cast("list[JsonObject]", (item.before or {}).get("userRoles") or [])]
    for role in cast("list[JsonObject]", item.body.get("userRoles") or []):
        known = bundle.get("userRoles", str(role["id"])) or {}
        beyond = set(cast("list[str]", known.get("authorities") or [])) - rights.authorities
        if role["id"] not in before and (beyond or role["id"] in own):
            item.refuse("E3003", rights.uid, known.get("name"))


def _last_superuser(store: Store, uid: str) -> str | None:
    """Somebody must be left who may do everything. Raises `Refused` where nobody would be."""
    roles = store.objects("userRoles").items()
    strong = {role for role, body in roles if "ALL" in cast("list[str]", body.get("authorities") or [])}
    users = store.objects("users").values()
    if [user["id"] for user in users if strong.intersection(ids(user.get("userRoles")))] == [uid]:
        raise Refused(409, "Can not remove the last super user.", "E1004")
    return None


def _wrote(store: Store, uid: str) -> str | None:
    """Who began a conversation stays; nothing of the server's own looks, so the database says it."""
    for body in store.objects("messageConversations").values():
        made = body.get("createdBy")
        if isinstance(made, dict) and made.get("id") == uid:
            raise Refused(
                409,
                'ERROR: update or delete on table "userinfo" violates foreign key constraint '
                '"fk_messageconversation_user_userid" on table "messageconversation"\n  Detail: Key (userinfoid)='
                f'({zlib.crc32(uid.encode())}) is still referenced from table "messageconversation".',
            )
    return None


def _creator(store: Store, uid: str) -> str | None:
    """A user who made something stays."""
    for plural in store.counts():
        for body in store.objects(plural).values() if plural not in {"users", "jobConfigurations"} else ():
            made = body.get("createdBy")
            if isinstance(made, dict) and made.get("id") == uid:
                return store.resources[plural].model
    return None


def _forget(connection: sqlite3.Connection, uids: Sequence[str]) -> None:
    connection.executemany("DELETE FROM account WHERE user = ?", [(uid,) for uid in uids])


AREA = ImportingArea(
    tables=TABLES,
    writes={"users": take_passwords},
    deletes={"users": _forget},
    hooks={
        "users": Hook(
            prepare=prepare_user, check=check_user, also=demand_surname, vetoes=(_last_superuser, _wrote, _creator)
        )
    },
)
