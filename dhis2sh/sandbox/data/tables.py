"""The tables of aggregate data, beside `data_value` itself. UIDs and ISO periods are kept as texts."""

TABLES = """
CREATE TABLE IF NOT EXISTS data_value_audit (
    id INTEGER PRIMARY KEY, data_element TEXT NOT NULL, period TEXT NOT NULL, org_unit TEXT NOT NULL,
    category_option_combo TEXT NOT NULL, attribute_option_combo TEXT NOT NULL, value TEXT, audit_type TEXT NOT NULL,
    created TEXT NOT NULL, modified_by TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS data_value_audit_element ON data_value_audit (data_element, org_unit, period);
CREATE TABLE IF NOT EXISTS completeness (
    data_set TEXT NOT NULL, period TEXT NOT NULL, org_unit TEXT NOT NULL, attribute_option_combo TEXT NOT NULL,
    date TEXT, stored_by TEXT, last_updated TEXT, last_updated_by TEXT, completed INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (data_set, period, org_unit, attribute_option_combo)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lock_exception (
    data_set TEXT NOT NULL, period TEXT NOT NULL, org_unit TEXT, created TEXT NOT NULL,
    UNIQUE (data_set, period, org_unit)
);
CREATE TABLE IF NOT EXISTS min_max (
    data_element TEXT NOT NULL, org_unit TEXT NOT NULL, category_option_combo TEXT NOT NULL,
    minimum INTEGER NOT NULL, maximum INTEGER NOT NULL, generated INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (data_element, org_unit, category_option_combo)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS approval (
    workflow TEXT NOT NULL, period TEXT NOT NULL, org_unit TEXT NOT NULL, attribute_option_combo TEXT NOT NULL,
    level TEXT NOT NULL, accepted INTEGER NOT NULL DEFAULT 0, approved_at TEXT NOT NULL, approved_by TEXT NOT NULL,
    accepted_at TEXT NOT NULL, accepted_by TEXT,
    PRIMARY KEY (workflow, period, org_unit, attribute_option_combo, level)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS approval_audit (
    id INTEGER PRIMARY KEY, workflow TEXT NOT NULL, period TEXT NOT NULL, org_unit TEXT NOT NULL,
    attribute_option_combo TEXT NOT NULL, level TEXT NOT NULL, action TEXT NOT NULL, created TEXT NOT NULL,
    creator TEXT NOT NULL
);
"""
