"""The installation as an area: settings, stores of keys, secrets of routes, contents of files."""

from __future__ import annotations

from dhis2sh.sandbox.store.areas import Area

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
CREATE TABLE IF NOT EXISTS file_content (uid TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
"""
"""`user` is empty for what belongs to the system."""

AREA = Area(tables=TABLES)
