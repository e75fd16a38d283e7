"""The tracker as an area: its tables, whose rows forbid the deletion of what they name. Texts are UIDs, ISO times as DHIS2 writes them, or JSON where a column's name ends in `_by`."""

from __future__ import annotations

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.hooks import Hook, ImportingArea, rows_of
from dhis2sh.sandbox.store.database import Store
from dhis2sh.sandbox.tracker.ownership import demand_unmentioned
from dhis2sh.sandbox.tracker.storage import Tracker
from dhis2sh.sandbox.tracker.working_lists import check_entity_filter, check_event_filter, fill_criteria

TABLES = """
CREATE TABLE IF NOT EXISTS tracked_entity (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, tracked_entity_type TEXT NOT NULL, org_unit TEXT NOT NULL,
    inactive INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    potential_duplicate INTEGER NOT NULL DEFAULT 0, geometry TEXT, stored_by TEXT,
    created_at TEXT, created_at_client TEXT, updated_at TEXT, updated_at_client TEXT, created_by TEXT, updated_by TEXT
);
CREATE INDEX IF NOT EXISTS tracked_entity_org_unit ON tracked_entity (org_unit);
CREATE TABLE IF NOT EXISTS attribute_value (
    tracked_entity TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT, stored_by TEXT,
    created_at TEXT, updated_at TEXT, PRIMARY KEY (tracked_entity, attribute)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attribute_value_value ON attribute_value (attribute, value);
CREATE TABLE IF NOT EXISTS program_owner (
    tracked_entity TEXT NOT NULL, program TEXT NOT NULL, org_unit TEXT NOT NULL, PRIMARY KEY (tracked_entity, program)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS temporary_owner (
    id INTEGER PRIMARY KEY, tracked_entity TEXT NOT NULL, program TEXT NOT NULL, user TEXT NOT NULL,
    reason TEXT, valid_until TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reserved_value (
    attribute TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, expiry TEXT NOT NULL, PRIMARY KEY (attribute, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sequence (
    attribute TEXT NOT NULL, key TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (attribute, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS potential_duplicate (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, original TEXT NOT NULL, duplicate TEXT NOT NULL,
    status TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, created_by TEXT, updated_by TEXT
);
CREATE TABLE IF NOT EXISTS enrollment (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, tracked_entity TEXT, program TEXT NOT NULL, org_unit TEXT,
    status TEXT NOT NULL DEFAULT 'ACTIVE', enrolled_at TEXT, occurred_at TEXT, completed_at TEXT, completed_by TEXT,
    follow_up INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0, geometry TEXT, stored_by TEXT,
    created_at TEXT, created_at_client TEXT, updated_at TEXT, updated_at_client TEXT, created_by TEXT, updated_by TEXT
);
CREATE INDEX IF NOT EXISTS enrollment_tracked_entity ON enrollment (tracked_entity);
CREATE INDEX IF NOT EXISTS enrollment_program ON enrollment (program);
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, enrollment TEXT NOT NULL, tracked_entity TEXT,
    program TEXT NOT NULL, program_stage TEXT NOT NULL, org_unit TEXT, status TEXT NOT NULL DEFAULT 'ACTIVE',
    occurred_at TEXT, scheduled_at TEXT, completed_at TEXT, completed_by TEXT,
    attribute_option_combo TEXT, attribute_category_options TEXT, assigned_user TEXT,
    follow_up INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0, geometry TEXT, stored_by TEXT,
    created_at TEXT, created_at_client TEXT, updated_at TEXT, updated_at_client TEXT, created_by TEXT, updated_by TEXT
);
CREATE INDEX IF NOT EXISTS event_enrollment ON event (enrollment);
CREATE INDEX IF NOT EXISTS event_program ON event (program, program_stage);
CREATE TABLE IF NOT EXISTS event_value (
    event TEXT NOT NULL, data_element TEXT NOT NULL, value TEXT, provided_elsewhere INTEGER NOT NULL DEFAULT 0,
    stored_by TEXT, created_at TEXT, updated_at TEXT, created_by TEXT, updated_by TEXT,
    PRIMARY KEY (event, data_element)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, value TEXT, stored_at TEXT, stored_by TEXT,
    created_by TEXT
);
CREATE INDEX IF NOT EXISTS note_owner ON note (owner);
CREATE TABLE IF NOT EXISTS relationship (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, relationship_type TEXT NOT NULL, bidirectional INTEGER NOT NULL,
    from_kind TEXT NOT NULL, from_uid TEXT NOT NULL, to_kind TEXT NOT NULL, to_uid TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0, created_at TEXT, created_at_client TEXT, updated_at TEXT
);
CREATE INDEX IF NOT EXISTS relationship_from ON relationship (from_uid);
CREATE INDEX IF NOT EXISTS relationship_to ON relationship (to_uid);
CREATE TABLE IF NOT EXISTS tracker_change (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, program TEXT, kind TEXT NOT NULL, item TEXT NOT NULL,
    type TEXT NOT NULL, previous TEXT, current TEXT, created_at TEXT NOT NULL, created_by TEXT
);
CREATE INDEX IF NOT EXISTS tracker_change_owner ON tracker_change (owner);
CREATE TABLE IF NOT EXISTS tracked_entity_audit (
    id INTEGER PRIMARY KEY, tracked_entity TEXT NOT NULL, created TEXT NOT NULL, accessed_by TEXT,
    audit_type TEXT NOT NULL, comment TEXT
);
"""


def check_enrollments(bundle: Bundle, item: Item) -> None:
    """E6000, until 2.41: whatever is changed in a program that more than one are enrolled in."""
    if item.before is None or not bundle.store.version.one_enrollment:
        return
    query = "SELECT count(*) FROM enrollment WHERE program = ? AND status = 'ACTIVE' AND NOT deleted"
    if bundle.store.connection.execute(query, (item.uid,)).fetchone()[0] > 1:
        item.refuse("E6000", item.before.get("name"))


def _mentions(store: Store, uid: str) -> str | None:
    demand_unmentioned(Tracker(store), uid)
    return None


def _programs_of_type(store: Store, uid: str) -> str | None:
    """A program of tracked entities of a type is named before the entities themselves."""
    return "Program" if store.inverse("programs", "trackedEntityType").get(uid) else None


def _older_events_of(store: Store, uid: str) -> str | None:
    """Up to 2.41 a program's events are named before its enrollments."""
    return rows_of("Event", "event", "program")(store, uid) if store.version.minor <= 41 else None


def _enrollments_of(store: Store, uid: str) -> str | None:
    """Enrollments forbid the deletion of their program; the one that single events share does not."""
    query = "SELECT 1 FROM enrollment WHERE program = ? AND tracked_entity IS NOT NULL LIMIT 1"
    return "Enrollment" if store.connection.execute(query, (uid,)).fetchone() else None


AREA = ImportingArea(
    tables=TABLES,
    hooks={
        "dataElements": Hook(vetoes=(rows_of("Event", "event_value", "data_element"),)),
        "organisationUnits": Hook(
            vetoes=(
                rows_of("TrackedEntity", "tracked_entity", "org_unit"),
                rows_of("Enrollment", "enrollment", "org_unit"),
                rows_of("Event", "event", "org_unit"),
            )
        ),
        "programStages": Hook(vetoes=(rows_of("Event", "event", "program_stage"),)),
        "programs": Hook(
            refuses=(check_enrollments,),
            vetoes=(_older_events_of, _enrollments_of, rows_of("Event", "event", "program")),
        ),
        "eventFilters": Hook(create=check_event_filter, prepare=fill_criteria),
        "programStageWorkingLists": Hook(prepare=fill_criteria),
        "trackedEntityInstanceFilters": Hook(create=check_entity_filter),
        "users": Hook(vetoes=(_mentions,)),
        "relationshipTypes": Hook(vetoes=(rows_of("Relationship", "relationship", "relationship_type"),)),
        "trackedEntityAttributes": Hook(
            vetoes=(
                rows_of(
                    "TrackedEntityAttributeValue (Some values are still assigned to this attribute)",
                    "attribute_value",
                    "attribute",
                ),
            )
        ),
        "trackedEntityTypes": Hook(
            vetoes=(_programs_of_type, rows_of("TrackedEntity", "tracked_entity", "tracked_entity_type"))
        ),
    },
)
