"""Lists and single reads of the tracker: which rows a request means, and the page around them (api-facts e.2)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.refused import Refused, missing_parameter, not_found
from dhis2sh.sandbox.tracker.assemble import Assembler
from dhis2sh.sandbox.tracker.older import oldest, renamed
from dhis2sh.sandbox.tracker.ownership import has_access, limit
from dhis2sh.sandbox.tracker.query import (
    ASSIGNED,
    ENROLLMENT_STATUS,
    EVENT_STATUS,
    NUMERIC,
    ItemFilter,
    Sql,
    boolean,
    enum,
    exists,
    item_filters,
    number,
    order_by,
    org_unit_scope,
    uid,
    uids,
    value_condition,
)
from dhis2sh.sandbox.tracker.storage import KINDS, TABLE_OF, Kind, Tracker

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.types import JsonObject, JsonValue

PLURALS: dict[Kind, str] = {"trackedEntity": "trackedEntities", "enrollment": "enrollments", "event": "events",
                            "relationship": "relationships"}  # fmt: skip
CLASSES: dict[Kind, str] = {"trackedEntity": "TrackedEntity", "enrollment": "Enrollment", "event": "Event",
                            "relationship": "Relationship"}  # fmt: skip
_END = "[trackedEntity[trackedEntity],enrollment[enrollment],event[event]]"
DEFAULT_FIELDS: dict[Kind, str] = {
    "trackedEntity": "*,!relationships,!enrollments,!events,!programOwners",
    "enrollment": "*,!relationships,!events,!attributes",
    "event": "*,!relationships",
    "relationship": f"relationship,relationshipType,createdAtClient,from{_END},to{_END}",
}
_ELEMENTS = ("filter is", "Data element")
_ATTRIBUTES = ("attribute filters are", "Tracked entity attribute")
_TIMES = {"createdAt": "created_at", "createdAtClient": "created_at_client", "updatedAt": "updated_at",
          "updatedAtClient": "updated_at_client"}  # fmt: skip
ORDERS: dict[Kind, dict[str, str]] = {
    "trackedEntity": {**{k: f"tracked_entity.{v}" for k, v in _TIMES.items()}, "trackedEntity": "tracked_entity.uid",
                      "inactive": "tracked_entity.inactive",
                      "enrolledAt": "(SELECT max(e.enrolled_at) FROM enrollment e "
                                    "WHERE e.tracked_entity = tracked_entity.uid)"},
    "enrollment": {**{k: f"enrollment.{v}" for k, v in _TIMES.items()}, "enrolledAt": "enrollment.enrolled_at",
                   "completedAt": "enrollment.completed_at"},
    "event": {**{k: f"event.{v}" for k, v in _TIMES.items()}, "event": "event.uid", "program": "event.program",
              "programStage": "event.program_stage", "enrollment": "event.enrollment", "status": "event.status",
              "orgUnit": "event.org_unit", "trackedEntity": "event.tracked_entity", "followUp": "event.follow_up",
              "occurredAt": "event.occurred_at", "scheduledAt": "event.scheduled_at",
              "completedAt": "event.completed_at", "completedBy": "event.completed_by", "storedBy": "event.stored_by",
              "createdBy": "event.created_by", "updatedBy": "event.updated_by",
              "attributeOptionCombo": "event.attribute_option_combo", "deleted": "event.deleted",
              "assignedUser": "json_extract(event.assigned_user, '$.username')",
              "assignedUserDisplayName": "json_extract(event.assigned_user, '$.displayName')",
              "enrolledAt": "(SELECT e.enrolled_at FROM enrollment e WHERE e.uid = event.enrollment)",
              "enrollmentStatus": "(SELECT e.status FROM enrollment e WHERE e.uid = event.enrollment)"},
    "relationship": {"createdAt": "relationship.created_at", "createdAtClient": "relationship.created_at_client"},
}  # fmt: skip


@dataclass(slots=True)
class Page:
    """The rows of one answer, and what the pager needs."""

    rows: list[sqlite3.Row]
    page: int
    size: int
    paged: bool
    more: bool
    total: int | None


class Reader:
    """Reads of one request.

    Parameters:
        tracker: the rows.
        rights: of who asks.
        query: the request's parameters.
    """

    def __init__(self, tracker: Tracker, rights: Rights, query: QueryParams) -> None:
        self.tracker = tracker
        self.store = tracker.store
        self.rights = rights
        self.query = query
        self.program: str | None = None

    def page(self, kind: Kind, *, whole: bool = False) -> Page:
        """The rows that a list request means; all of them with `whole`. Raises `Refused`."""
        if self.store.version.tracker_instances:
            self._program()  # looked for before the units are
            self.query = oldest(self.query, kind)
        if self.store.version.minor < 42:
            self.query = renamed(self.query, kind)
        building: dict[Kind, Callable[[], Sql]] = {
            "trackedEntity": self.tracked_entities, "enrollment": self.enrollments, "event": self.events,
            "relationship": self.relationships,
        }  # fmt: skip
        sql = building[kind]()
        table = TABLE_OF[kind]
        if kind == "trackedEntity" and self.store.version.minor > 42 and "trackedEntity" in self._ordered():
            raise _ambiguous('ERROR: column reference "uid" is ambiguous\n  Position: 28')
        order = order_by(self.query, self._fields(kind), f"{table}.id DESC", self._item_order(kind), self._items(kind))
        paged = not whole and self._paged()
        page, size = number(self.query, "page", 1), number(self.query, "pageSize", 50)
        limit = f" LIMIT {size + 1} OFFSET {(page - 1) * size}" if paged else ""
        rows = self.tracker.rows(f"SELECT {table}.* FROM {table}{sql.where()}{order}{limit}", sql.parameters)
        total = None
        if paged and boolean(self.query, "totalPages", False):
            total = self.tracker.rows(f"SELECT count(*) AS n FROM {table}{sql.where()}", sql.parameters)[0]["n"]
        more = paged and len(rows) > size
        return Page(rows[:size] if paged else rows, page, size, paged, more, total)

    def _ordered(self) -> set[str]:
        """What `order` names."""
        return {one.strip().partition(":")[0] for text in self.query.getlist("order") for one in text.split(",")}

    def _paged(self) -> bool:
        """Is the answer a page? Raises `Refused` for a page of what shall have none."""
        old = self.store.version.minor < 42
        paged = boolean(self.query, "paging", True) is not False and not (
            old and boolean(self.query, "skipPaging", False)
        )
        if not paged and (
            self.query.get("page") or self.query.get("pageSize") or boolean(self.query, "totalPages", False)
        ):
            how = "skipped with isSkipPaging=true" if old else "disabled with paging=false"
            raise Refused(400, f"Paging cannot be {how} while also requesting a paginated response with page, pageSize "
                               "and/or totalPages=true", "E1003")  # fmt: skip
        return paged

    def _fields(self, kind: Kind) -> dict[str, str]:
        """The fields that a list can be sorted by; 2.41 has an older name beside its new one."""
        older = {"followup": "event.follow_up"} if kind == "event" and self.store.version.followup else {}
        return {**ORDERS[kind], **older}

    def _items(self, kind: Kind) -> str:
        """What a list can be sorted by besides its fields."""
        if kind == "event":
            return "data element UIDs" if self.store.version.minor > 42 else "data element and attribute UIDs"
        return "attribute UIDs" if kind == "trackedEntity" else ""

    def _item_order(self, kind: Kind) -> Callable[[str], str | None]:
        def column(name: str) -> str | None:
            if kind == "trackedEntity" and self.store.get("trackedEntityAttributes", name):
                return (
                    "(SELECT v.value FROM attribute_value v WHERE v.tracked_entity = tracked_entity.uid "
                    f"AND v.attribute = '{name}')"
                )
            if kind == "event" and self.store.get("trackedEntityAttributes", name):
                return (
                    "(SELECT v.value FROM attribute_value v WHERE v.tracked_entity = event.tracked_entity "
                    f"AND v.attribute = '{name}')"
                )
            if kind == "event" and self.store.get("dataElements", name):
                return f"(SELECT v.value FROM event_value v WHERE v.event = event.uid AND v.data_element = '{name}')"
            return None

        return column

    def list_(self, kind: Kind, address: str) -> JsonObject:
        """A page as the API shows it: the pager, then the objects."""
        page = self.page(kind)
        alone = self.store.version.tracker_instances
        shown: JsonObject = {"instances" if alone else PLURALS[kind]: self.objects(kind, page.rows)}
        if not page.paged:
            return shown
        if alone:
            numbers = pager(page, address, self.query)
            return {**{name: value for name, value in numbers.items() if not name.endswith("Page")}, **shown}
        return {**pages_of(page, address, self.query, flat=self.store.version.flat_tracker_pages), **shown}

    def objects(self, kind: Kind, rows: list[sqlite3.Row]) -> list[JsonValue]:
        """Rows as API objects, by the request's `fields`."""
        tree = parse_fields(self.query.get("fields") or DEFAULT_FIELDS[kind])
        deleted = bool(boolean(self.query, "includeDeleted", False))
        assembler = Assembler(self.tracker, program=self.program, include_deleted=deleted)
        match kind:
            case "trackedEntity":
                return assembler.tracked_entities(rows, tree)
            case "enrollment":
                return assembler.enrollments(rows, tree)
            case "event":
                return assembler.events(rows, tree)
            case "relationship":
                return assembler.relationships(rows, tree)

    def one(self, kind: Kind, key: str) -> JsonValue:
        """One object. Raises `Refused` (404) when it is not there or may not be seen."""
        row = self.tracker.row(kind, key)
        program = self._program_of_type(row) if kind == "trackedEntity" else None
        if row is None or row["deleted"] or not self._visible(kind, row, program):
            raise not_found(CLASSES[kind], key)
        return self.objects(kind, [row])[0]

    def _program_of_type(self, row: sqlite3.Row | None) -> JsonObject | None:
        """The `program` of a read of one tracked entity. Raises `Refused` for one of another type."""
        program = self._program()
        wanted = cast("JsonObject", (program or {}).get("trackedEntityType") or {}).get("id")
        if program is not None and row is not None and wanted != row["tracked_entity_type"]:
            if self.store.version.minor < 42:
                return None
            if self.store.version.minor > 42:
                raise not_found("Program", str(program["id"]))
            raise wrong_type()
        return program

    def _visible(self, kind: Kind, row: sqlite3.Row, program: JsonObject | None) -> bool:
        if self.rights.superuser or kind == "relationship":
            return True
        if kind == "trackedEntity":
            shared = self.store.get("trackedEntityTypes", row["tracked_entity_type"]) or {}
        else:
            shared = program = self.store.get("programs", row["program"]) or {}
        if not self.rights.can_read_data(shared):
            return False
        entity = cast("str | None", row["uid" if kind == "trackedEntity" else "tracked_entity"])
        if program is not None and entity:
            seen = has_access(self.tracker, self.rights, entity, program)
            if not seen and self.store.version.minor < 42:
                denied = "OWNERSHIP_ACCESS_DENIED"
                raise Refused(403, denied if kind == "trackedEntity" else f"[{denied}]", "E1006")
            return seen
        unit = cast("str | None", row["org_unit"])
        return unit is None or self.rights.in_scope(unit, "teiSearchOrganisationUnits")

    def _program(self) -> JsonObject | None:
        self.program = uid(self.query, "program")
        found = exists(self.store, "programs", self.program, "Program")
        if found is not None and not self.rights.can_read_data(found):
            raise Refused(403, f"User has no access to program: {self.program}", "E1006")
        return found

    def tracked_entities(self) -> Sql:
        """`/api/tracker/trackedEntities`."""
        query, sql = self.query, Sql()
        entities, entity_type = uids(query, "trackedEntities"), uid(query, "trackedEntityType")
        program = self._program()
        if not (program or entity_type or entities):
            raise Refused(
                400, "Either `program`, `trackedEntityType` or `trackedEntities` should be specified", "E1003"
            )
        if program and entity_type:
            raise Refused(400, "`program` and `trackedEntityType` cannot be specified simultaneously", "E1003")
        exists(self.store, "trackedEntityTypes", entity_type, "Tracked entity type")
        self._needs_program(program)
        if program:
            self._enrollment_conditions(sql, cast("str", self.program))
            limit(sql, self.rights, "tracked_entity.uid", f"'{self.program}'")
        if entity_type:
            sql.add("tracked_entity.tracked_entity_type = ?", entity_type)
        if entities:
            sql.one_of("tracked_entity.uid", entities)
        if not entities or query.get("orgUnits") or query.get("orgUnitMode"):
            owner = (
                "coalesce((SELECT o.org_unit FROM program_owner o WHERE o.tracked_entity = tracked_entity.uid "
                f"AND o.program = '{self.program}'), tracked_entity.org_unit)"
            )
            org_unit_scope(sql, owner if program else "tracked_entity.org_unit", query, self.rights)
            if query.get("orgUnitMode", "").upper() == "CHILDREN" and self.store.version.minor > 41:
                raise Refused(409, "could not initialize proxy [org.hisp.dhis.organisationunit.OrganisationUnit#"
                                   f"{query.get('orgUnits')}] - no Session")  # fmt: skip
        sql.updated("tracked_entity", query)
        sql.deleted("tracked_entity", query)
        duplicate = boolean(query, "potentialDuplicate")
        if duplicate is not None:
            sql.add("tracked_entity.potential_duplicate = ?", duplicate)
        for one in item_filters(query, "filter", self._is_attribute, _ATTRIBUTES, minor=self.store.version.minor):
            self._merge(sql, one, "attribute_value", "tracked_entity.uid")
        return sql

    def _needs_program(self, program: JsonObject | None) -> None:
        names = ("programStatus", "enrollmentStatus", "followUp", "enrollmentEnrolledAfter", "enrollmentEnrolledBefore",
                 "enrollmentOccurredAfter", "enrollmentOccurredBefore", "programStage")  # fmt: skip
        newer = self.store.version.enrollment_status
        for name in names:
            if self.query.get(name) and program is None and (newer or name != "enrollmentStatus"):
                raise Refused(400, f"`program` must be defined when `{name}` is specified", "E1003")
        if newer and self.query.get("programStatus") and self.query.get("enrollmentStatus"):
            raise Refused(400, "Only one parameter of 'programStatus' and 'enrollmentStatus' must be specified. "
                           "Prefer 'enrollmentStatus' as 'programStatus' will be removed.", "E1003")  # fmt: skip

    def _enrollment_conditions(self, sql: Sql, program: str) -> None:
        """The tracked entity must have an enrollment in the program that meets the rest."""
        query, inner = self.query, Sql()
        inner.add("e.tracked_entity = tracked_entity.uid")
        inner.add("e.program = ?", program)
        inner.deleted("e", query)
        status = self._enrollment_status("enrollmentStatus")
        if status:
            inner.add("e.status = ?", status)
        follow_up = boolean(query, "followUp")
        if follow_up is not None:
            inner.add("e.follow_up = ?", follow_up)
        inner.between("e.enrolled_at", query, "enrollmentEnrolledAfter", "enrollmentEnrolledBefore")
        inner.between("e.occurred_at", query, "enrollmentOccurredAfter", "enrollmentOccurredBefore")
        event = self._event_conditions()
        if event.conditions:
            event.add("ev.enrollment = e.uid")
            event.deleted("ev", query)
            inner.add(f"EXISTS (SELECT 1 FROM event ev{event.where()})", *event.parameters)
        sql.add(f"EXISTS (SELECT 1 FROM enrollment e{inner.where()})", *inner.parameters)

    def _enrollment_status(self, name: str) -> str | None:
        """The state that enrollments must be in: `programStatus`, or by a name that 2.41 ignores."""
        older = self.query.get("programStatus") or not self.store.version.enrollment_status
        return enum(self.query, "programStatus" if older else name, ENROLLMENT_STATUS)

    def _event_conditions(self) -> Sql:
        query, sql = self.query, Sql()
        status = enum(query, "eventStatus", EVENT_STATUS)
        between = [query.get(name) for name in ("eventOccurredAfter", "eventOccurredBefore")]
        if status and not all(between):
            raise Refused(
                400, "`eventOccurredAfter`, `eventOccurredBefore` and `eventStatus` must be specified together", "E1003"
            )
        stage = uid(query, "programStage")
        if stage:
            sql.add("ev.program_stage = ?", stage)
        if status:
            self._status(sql, "ev", status)
        sql.between("coalesce(ev.occurred_at, ev.scheduled_at)", query, "eventOccurredAfter", "eventOccurredBefore")
        self._assigned(sql, "ev")
        return sql

    def _status(self, sql: Sql, alias: str, status: str) -> None:
        today = "strftime('%Y-%m-%d', 'now')"
        match status:
            case "VISITED":
                sql.add(f"{alias}.status = 'ACTIVE' AND {alias}.occurred_at IS NOT NULL")
            case "SCHEDULE":
                sql.add(f"{alias}.status = 'SCHEDULE' AND {alias}.occurred_at IS NULL "
                        f"AND {alias}.scheduled_at >= {today}")  # fmt: skip
            case "OVERDUE":
                sql.add(f"{alias}.status = 'SCHEDULE' AND {alias}.occurred_at IS NULL "
                        f"AND {alias}.scheduled_at < {today}")  # fmt: skip
            case _:
                sql.add(f"{alias}.status = ?", status)

    def _assigned(self, sql: Sql, alias: str) -> None:
        """`assignedUserMode` and `assignedUsers`."""
        mode = enum(self.query, "assignedUserMode", ASSIGNED)
        users = uids(self.query, "assignedUsers")
        if users and mode not in {None, "PROVIDED"}:
            raise Refused(400, "Assigned User uid(s) cannot be specified if selectionMode is not PROVIDED", "E1003")
        if mode == "PROVIDED" and not users:
            raise Refused(409, "Assigned User uid(s) must be specified if selectionMode is PROVIDED")
        wanted = [self.rights.uid] if mode == "CURRENT" else users
        column = f"json_extract({alias}.assigned_user, '$.uid')"
        if wanted:
            sql.one_of(column, wanted)
        elif mode in {"NONE", "ANY"}:
            sql.add(f"{column} IS {'NOT ' if mode == 'ANY' else ''}NULL")

    def enrollments(self) -> Sql:
        """`/api/tracker/enrollments`."""
        query, sql = self.query, Sql()
        program = self._program()
        if program is None and self.store.version.minor > 42:
            raise Refused(400, "Program is mandatory", "E1003")
        entity_type, entity, wanted = (
            uid(query, "trackedEntityType"),
            uid(query, "trackedEntity"),
            uids(query, "enrollments"),
        )
        exists(self.store, "trackedEntityTypes", entity_type, "Tracked entity type")
        self._tracked_entity_exists(entity)
        if program and entity_type:
            raise Refused(400, "`program` and `trackedEntityType` cannot be specified simultaneously", "E1003")
        sql.add("enrollment.tracked_entity IS NOT NULL")
        limit(sql, self.rights, "enrollment.tracked_entity", "enrollment.program")
        if program:
            sql.add("enrollment.program = ?", self.program)
        if entity:
            sql.add("enrollment.tracked_entity = ?", entity)
        if entity_type:
            sql.add("enrollment.tracked_entity IN (SELECT t.uid FROM tracked_entity t WHERE t.tracked_entity_type = ?)",
                    entity_type)  # fmt: skip
        if wanted:
            sql.one_of("enrollment.uid", wanted)
        if not wanted or query.get("orgUnits") or query.get("orgUnitMode"):
            org_unit_scope(sql, "enrollment.org_unit", query, self.rights)
        status = self._enrollment_status("status")
        if status:
            sql.add("enrollment.status = ?", status)
        follow_up = boolean(query, "followUp")
        if follow_up is not None:
            sql.add("enrollment.follow_up = ?", follow_up)
        sql.between("enrollment.enrolled_at", query, "enrolledAfter", "enrolledBefore")
        sql.updated("enrollment", query)
        sql.deleted("enrollment", query)
        return sql

    def _tracked_entity_exists(self, entity: str | None) -> None:
        if entity and self.tracker.row("trackedEntity", entity) is None:
            raise Refused(400, f"Tracked entity is specified but does not exist: {entity}", "E1003")

    def events(self) -> Sql:
        """`/api/tracker/events`."""
        query, sql = self.query, Sql()
        status = enum(query, "status", EVENT_STATUS)
        if not query.get("program") and self.store.version.minor > 42:
            raise missing_parameter("program")
        wanted = uids(query, "events")
        if wanted and query.get("filter"):
            raise Refused(400, "Event UIDs and filters can not be specified at the same time", "E1003")
        program, stage = self._program(), uid(query, "programStage")
        exists(self.store, "programStages", stage, "Program stage")
        entity = uid(query, "trackedEntity")
        self._tracked_entity_exists(entity)
        for column, value in (("program", self.program if program else None), ("program_stage", stage),
                              ("tracked_entity", entity)):  # fmt: skip
            if value:
                sql.add(f"event.{column} = ?", value)
        if wanted:
            sql.one_of("event.uid", wanted)
        enrollments = uids(query, "enrollments")
        if enrollments:
            sql.one_of("event.enrollment", enrollments)
        if not wanted or query.get("orgUnit") or query.get("orgUnitMode"):
            org_unit_scope(sql, "event.org_unit", query, self.rights, name="orgUnit")
        if status:
            self._status(sql, "event", status)
        self._assigned(sql, "event")
        sql.between("coalesce(event.occurred_at, event.scheduled_at)", query, "occurredAfter", "occurredBefore")
        sql.between("event.scheduled_at", query, "scheduledAfter", "scheduledBefore")
        self._event_enrollment(sql)
        limit(sql, self.rights, "event.tracked_entity", "event.program")
        sql.updated("event", query)
        sql.deleted("event", query)
        self._attribute_combo(sql)
        filters = list(item_filters(query, "filter", self._is_element, _ELEMENTS, minor=self.store.version.minor))
        if self.store.version.minor < 42 and any(one.uid in self._ordered() for one in filters):
            raise _ambiguous("SqlState: 42702")  # a data element in both is joined twice
        for one in filters:
            self._merge(sql, one, "event_value", "event.uid")
        for one in item_filters(
            query, "filterAttributes", self._is_attribute, _ATTRIBUTES, minor=self.store.version.minor
        ):
            self._merge(sql, one, "attribute_value", "event.tracked_entity")
        return sql

    def _event_enrollment(self, sql: Sql) -> None:
        """What the event's enrollment must be."""
        query, inner = self.query, Sql()
        status = self._enrollment_status("enrollmentStatus")
        if status:
            inner.add("e.status = ?", status)
        inner.between("e.enrolled_at", query, "enrollmentEnrolledAfter", "enrollmentEnrolledBefore")
        inner.between("e.occurred_at", query, "enrollmentOccurredAfter", "enrollmentOccurredBefore")
        follow_up = boolean(query, "followUp")
        if follow_up is not None:
            inner.add("e.follow_up = ?", follow_up)
        if inner.conditions:
            inner.add("e.uid = event.enrollment")
            sql.add(f"EXISTS (SELECT 1 FROM enrollment e{inner.where()})", *inner.parameters)

    def _attribute_combo(self, sql: Sql) -> None:
        """`attributeCategoryCombo` with `attributeCategoryOptions` names one attribute option combo."""
        combo, options = uid(self.query, "attributeCategoryCombo"), set(uids(self.query, "attributeCategoryOptions"))
        exists(self.store, "categoryCombos", combo, "Attribute category combo")
        if not (combo or options):
            return
        if not (combo and options):
            raise Refused(409, "Both category combination and category options must be specified", "E2040")
        found = [
            key
            for key, body in self.store.objects("categoryOptionCombos").items()
            if (not combo or cast("JsonObject", body.get("categoryCombo") or {}).get("id") == combo)
            and (not options or {cast("str", o["id"]) for o in _objects(body, "categoryOptions")} == options)
        ]
        sql.one_of("event.attribute_option_combo", found) if found else sql.add("0")

    def relationships(self) -> Sql:
        """`/api/tracker/relationships`: of exactly one object."""
        named: dict[Kind, str | None] = {kind: uid(self.query, kind) for kind in KINDS[:3]}
        given: dict[Kind, str] = {kind: key for kind, key in named.items() if key}
        if not given:
            raise Refused(400, "Missing required parameter 'trackedEntity', 'enrollment' or 'event'.", "E1003")
        if len(given) > 1:
            raise Refused(400, "Only one of parameters 'trackedEntity', 'enrollment' or 'event' is allowed.", "E1003")
        kind, key = next(iter(given.items()))
        row = self.tracker.row(kind, key)
        if row is None or row["deleted"]:
            raise not_found(CLASSES[kind], key)
        sql = Sql()
        sql.add("? IN (relationship.from_uid, relationship.to_uid)", key)
        sql.deleted("relationship", self.query)
        return sql

    def _merge(self, sql: Sql, wanted: ItemFilter, table: str, owner: str) -> None:
        plural, item = (
            ("trackedEntityAttributes", "attribute") if table == "attribute_value" else ("dataElements", "data_element")
        )
        numeric = (self.store.get(plural, wanted.uid) or {}).get("valueType") in NUMERIC
        inner = value_condition(table, owner, item, wanted, number=numeric)
        sql.conditions += inner.conditions
        sql.parameters += inner.parameters

    def _is_attribute(self, key: str) -> bool:
        return self.store.get("trackedEntityAttributes", key) is not None

    def _is_element(self, key: str) -> bool:
        return self.store.get("dataElements", key) is not None


def pages_of(page: Page, address: str, query: QueryParams, *, flat: bool) -> JsonObject:
    """What of a list's answer names its page; `flat` also beside the pager."""
    pages = pager(page, address, query)
    if not flat:
        return {"pager": pages}
    pages = {name: value for name, value in pages.items() if not name.endswith("Page")}
    return {"pager": pages, **pages}


def _ambiguous(inner: str) -> Refused:
    """409: the server's own query names a column that is there twice."""
    return Refused(409, "Query failed because of a syntax error (SqlState: 42702)", "E7145", inner=inner)


def wrong_type() -> Refused:
    """400: until 2.42 a server has only this to say of a tracked entity in a program of another type."""
    return Refused(400, "this must be a bug in how the TrackedEntityOperationParams are built")


def _objects(body: JsonObject, name: str) -> list[JsonObject]:
    return cast("list[JsonObject]", body.get(name) or [])


def pager(page: Page, address: str, query: QueryParams) -> JsonObject:
    """The tracker's pager: its addresses keep the request's order, with the page last."""
    found: JsonObject = {"page": page.page, "pageSize": page.size}
    if page.total is not None:
        found |= {"total": page.total, "pageCount": -(-page.total // page.size)}
    rest = [(name, value) for name, value in query.multi_items() if name != "page"]
    if page.page > 1:
        found["prevPage"] = f"{address}?{urlencode([*rest, ('page', str(page.page - 1))])}"
    if page.more:
        found["nextPage"] = f"{address}?{urlencode([*rest, ('page', str(page.page + 1))])}"
    return found
