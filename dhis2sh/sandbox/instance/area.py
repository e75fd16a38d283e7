"""The installation as an area: settings, stores of keys, secrets of routes and exchanges, contents of files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dhis2sh.sandbox.store.areas import Area

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from dhis2sh.sandbox.store.areas import Get
    from dhis2sh.types import JsonObject, JsonValue

TABLES = """
CREATE TABLE IF NOT EXISTS setting (
    user TEXT NOT NULL, key TEXT NOT NULL, locale TEXT NOT NULL, value TEXT, PRIMARY KEY (user, key, locale)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS store_entry (
    user TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL, uid TEXT NOT NULL, value TEXT NOT NULL,
    sharing TEXT, created TEXT NOT NULL, last_updated TEXT NOT NULL, created_by TEXT, last_updated_by TEXT,
    PRIMARY KEY (user, namespace, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS encrypted_entry (
    user TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (user, namespace, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS route_secret (route TEXT PRIMARY KEY, auth TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS exchange_secret (exchange TEXT PRIMARY KEY, api TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file_content (uid TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
"""
"""`user` is empty for what belongs to the system."""

SECRETS = ("password", "accessToken")
"""What nobody who reads an exchange is shown of how it signs in at its target."""

SIGN_IN = ("type", "username", "clientId", "tokenUri", "scopes")
"""What of a route's sign-in is shown; the rest is secret."""


def _apart(connection: sqlite3.Connection, made: Mapping[str, JsonObject], get: Get) -> Mapping[str, JsonObject]:
    """Exchanges without their secrets, which are kept apart; those that come without any keep the ones they had.

    The parameters of a source have their list of period types, whatever was sent (recorded).
    """
    stored = dict[str, "JsonObject"]()
    for uid, body in made.items():
        kept: JsonObject = {**body}
        target, source = _part(body, "target"), _part(body, "source")
        api = _part(target, "api")
        if secrets := {name: api[name] for name in SECRETS if api.get(name)}:
            connection.execute("INSERT OR REPLACE INTO exchange_secret VALUES (?, ?)", (uid, json.dumps(secrets)))
            shown: JsonObject = {name: item for name, item in api.items() if name not in SECRETS}
            told: JsonObject = {**target, "api": shown}
            kept["target"] = told
        if isinstance(params := source.get("params"), dict):
            whole: JsonObject = {"periodTypes": [], **params}
            asked: JsonObject = {**source, "params": whole}
            kept["source"] = asked
        stored[uid] = kept
    return stored


def _signs_in(connection: sqlite3.Connection, made: Mapping[str, JsonObject], get: Get) -> Mapping[str, JsonObject]:
    """Routes without the secrets of their sign-in, which are kept apart, however they came (created, replaced, patched)."""
    stored = dict[str, "JsonObject"]()
    for uid, body in made.items():
        auth = body.get("auth")
        if not isinstance(auth, dict):
            connection.execute("DELETE FROM route_secret WHERE route = ?", (uid,))
            stored[uid] = body
            continue
        shown: JsonObject = {name: auth[name] for name in SIGN_IN if name in auth}
        if shown.keys() != auth.keys() or not _knows(connection, uid, auth.get("type")):
            connection.execute("INSERT OR REPLACE INTO route_secret VALUES (?, ?)", (uid, json.dumps(auth)))
        stored[uid] = {**body, "auth": shown}
    return stored


def _knows(connection: sqlite3.Connection, uid: str, kind: JsonValue) -> bool:
    """Are there secrets of this kind of sign-in?"""
    row = connection.execute("SELECT auth FROM route_secret WHERE route = ?", (uid,)).fetchone()
    return row is not None and json.loads(row[0]).get("type") == kind


def _part(body: Mapping[str, JsonValue], name: str) -> JsonObject:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _forget_exchanges(connection: sqlite3.Connection, uids: Sequence[str]) -> None:
    connection.executemany("DELETE FROM exchange_secret WHERE exchange = ?", [(uid,) for uid in uids])


def _forget_routes(connection: sqlite3.Connection, uids: Sequence[str]) -> None:
    connection.executemany("DELETE FROM route_secret WHERE route = ?", [(uid,) for uid in uids])


AREA = Area(
    tables=TABLES,
    writes={"aggregateDataExchanges": _apart, "routes": _signs_in},
    deletes={"aggregateDataExchanges": _forget_exchanges, "routes": _forget_routes},
)
