"""System and user settings: their defaults, types and stored values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.facts import fact

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

CONFIDENTIAL = {"keyEmailPassword", "keyRemoteInstancePassword", "recaptchaSecret"}
"""Settings that are shown to nobody but who may do everything, and that no list has."""


def defaults(minor: int) -> JsonObject:
    """Every setting of the system with its default, as a version has them; the default's type is the setting's."""
    usual = cast("JsonObject", fact("settings"))
    other = cast("JsonObject", cast("JsonObject", fact("settings_by_version")).get(str(minor)) or {})
    gone = cast("list[str]", other.get("gone") or [])
    return {key: value for key, value in usual.items() if key not in gone} | cast("JsonObject", other.get("new") or {})


def user_defaults(minor: int) -> JsonObject:
    """Every setting of a user with its default; up to 2.41 messages were sent on by mail and phone unless somebody forbade it."""
    usual = cast("JsonObject", fact("user_settings"))
    notified: JsonObject = {key: minor <= 41 for key in usual if key.endswith("Notification")}
    return {**usual, **notified}


class Settings:
    """The settings of the system, or of one user.

    Parameters:
        store: the database.
        user: UID; empty for the system.
    """

    def __init__(self, store: Store, user: str = "") -> None:
        self.store = store
        self.user = user
        self.known = user_defaults(store.version.minor) if user else defaults(store.version.minor)

    def knows(self, key: str) -> bool:
        """Is there such a setting?"""
        return key in self.known or key in CONFIDENTIAL

    def all(self) -> JsonObject:
        """Every setting with its value; up to 2.41 those alone that have one."""
        stored = dict(self._rows())
        return {
            key: self._typed(key, stored[key]) if key in stored else value
            for key, value in self.known.items()
            if key in stored or not self._without_default(key)
        }

    def has_value(self, key: str) -> bool:
        """Has it one, of its own or by default? From 2.42 on each has."""
        return key in dict(self._rows()) or not (key in CONFIDENTIAL or self._without_default(key))

    def _without_default(self, key: str) -> bool:
        """Does this version know no default of it, which leaves it out of the list until it is set (recorded in 2.41)?"""
        return self.store.version.unset_settings and key in cast("list[str]", fact("unset_settings"))

    def get(self, key: str, locale: str = "") -> JsonValue:
        """One setting's value, in a language where it has been translated."""
        for wanted in (locale, ""):
            row = self.store.connection.execute(
                "SELECT value FROM setting WHERE user = ? AND key = ? AND locale = ?", (self.user, key, wanted)
            ).fetchone()
            if row:
                return self._typed(key, row[0])
        return self.known.get(key, "")

    def set(self, key: str, value: str, locale: str = "") -> None:
        """Keep a value."""
        with self.store.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?, ?, ?)", (self.user, key, locale, value))

    def delete(self, key: str) -> None:
        """Back to the default."""
        with self.store.writing() as connection:
            connection.execute("DELETE FROM setting WHERE user = ? AND key = ?", (self.user, key))

    def fits(self, key: str, text: str) -> bool:
        """Is the text of the setting's type? Of texts any is; of the others, nothing is too (it means the default)."""
        default = self.known.get(key)
        if isinstance(default, bool):
            return text.lower() in {"true", "false"}
        if isinstance(default, (int, float)):
            return re.fullmatch(r"-?\d+" if isinstance(default, int) else r"-?\d+(\.\d+)?", text, re.ASCII) is not None
        return True

    def _rows(self) -> list[tuple[str, str]]:
        return self.store.connection.execute(
            "SELECT key, value FROM setting WHERE user = ? AND locale = ''", (self.user,)
        ).fetchall()

    def _typed(self, key: str, text: str) -> JsonValue:
        """The text as the type of the default; what does not fit is the default, as on a server."""
        default = self.known.get(key)
        try:
            match default:
                case bool():
                    return text.lower() == "true"
                case int():
                    return int(text)
                case float():
                    return float(text)
                case _:
                    return text
        except ValueError:
            return default
