"""Analytics as an area, its tables: numbers in place of UIDs, org units counted depth first so that a subtree is one interval."""

from __future__ import annotations

from dhis2sh.sandbox.store.areas import Area

TABLES = """
CREATE TABLE IF NOT EXISTS analytics_key (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, uid TEXT NOT NULL, UNIQUE (kind, uid)
);
CREATE TABLE IF NOT EXISTS analytics_org_unit (
    number INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, last INTEGER NOT NULL, level INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS analytics_value (
    dx INTEGER NOT NULL, pe INTEGER NOT NULL, ou INTEGER NOT NULL, co INTEGER NOT NULL, ao INTEGER NOT NULL,
    number REAL, text TEXT, PRIMARY KEY (dx, pe, ou, co, ao)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS analytics_completeness (
    ds INTEGER NOT NULL, pe INTEGER NOT NULL, ou INTEGER NOT NULL, ao INTEGER NOT NULL, timely INTEGER NOT NULL,
    PRIMARY KEY (ds, pe, ou, ao)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS analytics_target (
    ds INTEGER NOT NULL, ou INTEGER NOT NULL, PRIMARY KEY (ds, ou)
) WITHOUT ROWID;
"""

AREA = Area(tables=TABLES)
