"""Aggregate data as an area: its tables, and what data forbid to the metadata that they hang on.

UIDs and ISO periods are kept as texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.hooks import Hook, ImportingArea, Veto, rows_of
from dhis2sh.sandbox.importer.report import ErrorReport
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.database import Store
from dhis2sh.sandbox.store.references import ids

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

TABLES = """
CREATE TABLE IF NOT EXISTS data_value (
    data_element TEXT NOT NULL, period TEXT NOT NULL, org_unit TEXT NOT NULL, category_option_combo TEXT NOT NULL,
    attribute_option_combo TEXT NOT NULL, value TEXT, stored_by TEXT, created TEXT, last_updated TEXT, comment TEXT,
    follow_up INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (data_element, period, org_unit, category_option_combo, attribute_option_combo)
) WITHOUT ROWID;
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
CREATE TABLE IF NOT EXISTS known_period (period TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lock_exception (
    data_set TEXT NOT NULL, period TEXT NOT NULL, org_unit TEXT, created TEXT NOT NULL
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


def _has_data(store: Store, column: str, uids: list[str]) -> bool:
    """Is there a data value, deleted ones too, of one of these?"""
    query = f"SELECT 1 FROM data_value WHERE {column} = ? LIMIT 1"
    return any(store.connection.execute(query, (uid,)).fetchone() for uid in uids)


def _hides_data(store: Store, before: JsonObject, after: JsonObject) -> bool:
    """Would a category combo with data get other categories?"""
    if ids(before.get("categories")) == ids(after.get("categories")):
        return False
    combos = store.inverse("categoryOptionCombos", "categoryCombo").get(str(before.get("id")), [])
    return _has_data(store, "category_option_combo", combos)


def check_combo(bundle: Bundle, item: Item) -> None:
    """E1120: data that would be lost."""
    if item.before is not None and _hides_data(bundle.store, item.before, item.body):
        item.refuse("E1120")


def combo_update(store: Store, before: JsonObject, after: JsonObject) -> ErrorReport | None:
    """E1120 again, of a `PUT` or `PATCH`."""
    klass = store.resources["categoryCombos"].klass
    return ErrorReport("E1120", [], klass) if _hides_data(store, before, after) else None


def check_value_type(bundle: Bundle, item: Item) -> None:
    """E1121: an element with data keeps its value type."""
    if item.before is None or item.before.get("valueType") == item.body.get("valueType"):
        return
    if _has_data(bundle.store, "data_element", [item.uid]):
        item.refuse("E1121", item.uid)


def _audits(store: Store, uid: str) -> str | None:
    """A level that an approval audit names stays, and the server lets its database say so. Raises `Refused`."""
    row = store.connection.execute("SELECT min(id) FROM approval_audit WHERE level = ?", (uid,)).fetchone()
    if row[0] is None:
        return None
    raise Refused(
        409,
        'ERROR: update or delete on table "dataapprovallevel" violates foreign key constraint '
        '"fk_dataapprovalaudit_levelid" on table "dataapprovalaudit"\n  Detail: Key (dataapprovallevelid)='
        f'({row[0]}) is still referenced from table "dataapprovalaudit".',
    )


def _approved_something(store: Store, uid: str) -> str | None:
    """So does a user who approved something, or took it back. Raises `Refused`."""
    if store.connection.execute("SELECT 1 FROM approval_audit WHERE creator = ? LIMIT 1", (uid,)).fetchone() is None:
        return None
    raise Refused(
        409,
        'ERROR: update or delete on table "userinfo" violates foreign key constraint "fk_dataapproval_creator" on table '
        '"dataapprovalaudit"\n  Detail: Key (userinfoid)=(1) is still referenced from table "dataapprovalaudit".',
    )


def _logged(column: str) -> Veto:
    """Audits of values forbid a deletion: of an element, since 2.43 of an org unit too, under another name."""

    def veto(store: Store, uid: str) -> str | None:
        if column == "org_unit" and not store.version.upserts:
            return None
        model = "DataValueChangelog" if store.version.upserts else "DataValueAudit"
        return rows_of(model, "data_value_audit", column)(store, uid)

    return veto


def _kept_result(store: Store, uid: str) -> str | None:
    """A rule whose violations are kept stays."""
    results = store.objects("validationResults").values()
    return "ValidationResult" if any(ids(body.get("validationRule")) == [uid] for body in results) else None


AREA = ImportingArea(
    tables=TABLES,
    hooks={
        "categoryCombos": Hook(check=check_combo, update=combo_update),
        "categoryOptionCombos": Hook(
            vetoes=(
                rows_of("DataValue", "data_value", "category_option_combo"),
                rows_of("DataValue", "data_value", "attribute_option_combo"),
            ),
            columns=("category_option_combo", "attribute_option_combo"),
        ),
        "dataApprovalLevels": Hook(vetoes=(_audits,)),
        "dataElements": Hook(
            refuses=(check_value_type,),
            vetoes=(
                _logged("data_element"),
                rows_of("DataValue", "data_value", "data_element"),
            ),
            columns=("data_element",),
        ),
        "users": Hook(vetoes=(_approved_something,)),
        "validationRules": Hook(vetoes=(_kept_result,)),
        "organisationUnits": Hook(
            vetoes=(_logged("org_unit"), rows_of("DataValue", "data_value", "org_unit")), columns=("org_unit",)
        ),
    },
)
