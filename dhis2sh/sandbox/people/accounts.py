"""User accounts: passwords as salted hashes, never in an object, and what a password must look like."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import sqlite3

    from dhis2sh.sandbox.store.areas import Get
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

DEFAULT_PASSWORD = "district"  # noqa: S105 - the sandbox's well-known sign-in; nothing in it is secret
"""The password of `admin` until somebody changes it."""
LENGTH = (8, 72)
_RULES = (
    (r"\d", "Password must have at least one digit"),
    (r"[A-Z]", "Password must have at least one upper case"),
    (r"[\W_]", "Password must have at least one special character"),
)


def password_error(password: str, username: str = "", email: str = "") -> str | None:
    """Why a password is refused, in the server's words, or None."""
    low, high = LENGTH
    if not low <= len(password) <= high:
        return f"Password must have at least {low}, and at most {high} characters"
    for pattern, message in _RULES:
        if not re.search(pattern, password):
            return message
    lowered = password.lower()
    if any(part and part.lower() in lowered for part in (username, email.partition("@")[0])):
        return "Username/Email must not be a part of password"
    return None


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**10, r=8, p=1)


def set_password(connection: sqlite3.Connection, user: str, password: str) -> None:
    """Keep the hash of a user's new password."""
    salt = secrets.token_bytes(16)
    connection.execute("INSERT OR REPLACE INTO account VALUES (?, ?, ?)", (user, salt, _hash(password, salt)))


def take_passwords(
    connection: sqlite3.Connection, users: Mapping[str, JsonObject], get: Get
) -> Mapping[str, JsonObject]:
    """Users that are about to be written without their passwords; the hashes are kept."""
    for uid, user in users.items():
        password = user.get("password")
        if isinstance(password, str) and password:
            set_password(connection, uid, password)
    return {uid: {name: value for name, value in user.items() if name != "password"} for uid, user in users.items()}


class Accounts:
    """Who a username and password belong to.

    Parameters:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._proven: set[tuple[str, bytes, bytes]] = set()

    def named(self, username: str) -> JsonObject | None:
        """The user of a username, in any case of its letters."""
        wanted = username.lower()
        users = self.store.objects("users").values()
        return next((user for user in users if str(user.get("username") or "").lower() == wanted), None)

    def proven(self, user: JsonObject, password: str) -> bool:
        """Is this the user's password?"""
        uid = cast("str", user["id"])
        row = self.store.connection.execute("SELECT salt, hash FROM account WHERE user = ?", (uid,)).fetchone()
        if row is None:
            return user.get("username") == "admin" and hmac.compare_digest(password.encode(), DEFAULT_PASSWORD.encode())
        salt, kept = cast("tuple[bytes, bytes]", row)
        # scrypt is slow on purpose; a client that signs every request in pays for it once.
        seen = (uid, kept, hashlib.sha256(salt + password.encode()).digest())
        if seen not in self._proven:
            if not hmac.compare_digest(_hash(password, salt), kept):
                return False
            self._proven.add(seen)
        return True

    def change_password(self, user: str, password: str) -> None:
        """Set a user's password."""
        with self.store.writing() as connection:
            set_password(connection, user, password)
