"""The tables of what runs besides metadata and data: accounts, settings, stores, files and tokens."""

TABLES = """
CREATE TABLE IF NOT EXISTS account (user TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (
    user TEXT NOT NULL, key TEXT NOT NULL, locale TEXT NOT NULL, value TEXT, PRIMARY KEY (user, key, locale)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS store_entry (
    user TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL, uid TEXT NOT NULL, value TEXT NOT NULL,
    sharing TEXT, created TEXT NOT NULL, last_updated TEXT NOT NULL, created_by TEXT, last_updated_by TEXT,
    PRIMARY KEY (user, namespace, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS api_token (
    uid TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, user TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS route_secret (route TEXT PRIMARY KEY, auth TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file_content (uid TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
"""
"""`user` is empty for what belongs to the system."""
