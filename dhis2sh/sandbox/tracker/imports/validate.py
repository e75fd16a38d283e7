"""The tracker's validation: what an import refuses, and why (api-facts e.1).

Each kind goes through the same steps, and stops at the first step that finds something: existence, required
properties, metadata, what may not change, relations, security; only then all the rest together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import period_type
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO
from dhis2sh.sandbox.tracker.imports.bundle import TYPE_OF, Bundle, Item, existing
from dhis2sh.sandbox.tracker.imports.combos import attribute_combo, option_list
from dhis2sh.sandbox.tracker.imports.problems import Named, Problem
from dhis2sh.sandbox.tracker.imports.security import Security
from dhis2sh.sandbox.tracker.imports.values import WITH_VALUES, WITHOUT_VALUES, Found, Values
from dhis2sh.sandbox.tracker.metadata import attributes, ids, single
from dhis2sh.sandbox.tracker.storage import Kind, end_of

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_CODES: Mapping[Kind, tuple[str, str, str, str]] = {
    "trackedEntity": ("E1002", "E1063", "E1114", "E1121"), "enrollment": ("E1080", "E1081", "E1113", "E1122"),
    "event": ("E1030", "E1032", "E1082", "E1123"), "relationship": ("E4015", "E4016", "E4017", "E1124"),
}  # fmt: skip
"""Exists already, does not exist, is deleted, lacks a property."""
_REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "trackedEntity": ("trackedEntityType", "orgUnit"), "enrollment": ("orgUnit", "program", "trackedEntity"),
    "event": ("orgUnit", "program", "programStage"), "relationship": ("relationshipType",),
}  # fmt: skip
_OWNER: Mapping[Kind, Kind] = {"enrollment": "trackedEntity", "event": "enrollment"}
_FIXED: Mapping[Kind, tuple[str, tuple[str, ...]]] = {
    "trackedEntity": ("E1126", ("trackedEntityType",)), "enrollment": ("E1127", ("program", "trackedEntity")),
    "event": ("E1128", ("programStage", "enrollment")), "relationship": ("", ()),
}  # fmt: skip


class Validator:
    """Validates one bundle for one user.

    Parameters:
        bundle: the payload.
        rights: of who imports.
    """

    def __init__(self, bundle: Bundle, rights: Rights) -> None:
        self.bundle = bundle
        self.store = bundle.store
        self.tracker = bundle.tracker
        self.rights = rights
        self.values = Values(bundle)
        self.security = Security(bundle, rights)
        self._since_42 = self.store.version.minor > 41
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []

    def run(self) -> None:
        """Validate everything; items with errors are no longer `valid`."""
        checks: dict[Kind, Callable[[Item], Iterator[Found]]] = {
            "trackedEntity": self._tracked_entity, "enrollment": self._enrollment, "event": self._event,
            "relationship": self._relationship,
        }  # fmt: skip
        for item in self.bundle:
            for step in checks[item.kind](item):
                found = list(step)
                self.errors += [Problem(item, code, args) for code, args in found]
                if found:
                    item.valid = False
                    break
            if self.errors and self.bundle.options.validation == "FAIL_FAST":
                return
        self._repeated()

    def orphans(self) -> None:
        """Refuse what hangs on something that stays invalid (only when valid objects are kept)."""
        if self.bundle.options.strategy == "DELETE":
            self._keep_owners()
            return
        for item in self.bundle:
            for kind, uid in self._needed(item):
                needed = self.bundle.find(kind, uid)
                if item.valid and needed is not None and not needed.valid and needed.row is None:
                    item.valid = False
                    self.errors.append(Problem(item, "E5000", (item.kind, item.uid, kind, needed.uid)))

    def _needed(self, item: Item) -> Iterator[tuple[Kind, str | None]]:
        """What an object cannot be without."""
        owner = _OWNER.get(item.kind)
        if owner is not None:
            yield owner, item.text(owner)
        elif item.kind == "relationship":
            for side in ("from", "to"):
                yield end_of(cast("JsonObject", item.body.get(side) or {}))

    def _keep_owners(self) -> None:
        """What is not deleted keeps what it hangs on."""
        for kind, owner in reversed(tuple(_OWNER.items())):
            for item in self.bundle.items[kind]:
                held = self.bundle.find(owner, cast("str | None", existing(item).get(owner)))
                if not item.valid and held is not None and held.valid:
                    held.valid = False
                    self.errors.append(Problem(held, "E5001", (owner, held.uid, kind, item.uid)))

    def _start(self, item: Item) -> Iterator[Found]:
        """The steps that every kind shares."""
        exists, missing, deleted, required = _CODES[item.kind]
        if self.store.version.minor < 42:
            yield self._uids(item)

        def existence() -> Found:
            if item.row is not None and item.row["deleted"]:
                yield deleted, (item.uid,)
            elif item.action == "CREATE" and item.row is not None:
                yield exists, (item.uid,)
            elif item.action in {"UPDATE", "DELETE"} and item.row is None:
                yield missing, (item.uid,)

        yield existence()
        if item.action == "DELETE":
            yield self.security.of(item)
            return

        def complete() -> Found:
            for name in _REQUIRED[item.kind]:
                if not item.body.get(name):
                    yield required, (name,)
            if item.kind == "relationship":
                yield from self._ends(item)
            elif item.kind == "event" and self.store.version.minor > 42:
                yield from self._lacks_enrollment(item, required)

        yield complete()

    def _uids(self, item: Item) -> Found:
        """Until 2.41 the import looks at UIDs; later the reader of the payload does."""
        for name, text in ((item.kind, item.uid), *(("note", note.get("note")) for note in item.items("notes"))):
            if isinstance(text, str) and text and not is_uid(text):
                yield "E1048", (text, text if name == item.kind else "")

    def _lacks_enrollment(self, item: Item, required: str) -> Found:
        """Since 2.43 the enrollment is a required property of an event of a program with registration."""
        program = self._get("programs", item.text("program"))
        if program and not single(program) and not item.text("enrollment"):
            yield required, ("enrollment",)

    def _unchanged(self, item: Item) -> Found:
        code, names = _FIXED[item.kind]
        before = existing(item) if item.action == "UPDATE" else {}
        for name in names:
            if before.get(name) and item.body.get(name) and before[name] != item.body[name]:
                yield code, (name,)

    def _missing(self, item: Item, name: str, plural: str, code: str) -> Found:
        if self.store.get(plural, item.text(name) or "") is None:
            yield code, (Named(item.text(name)),)

    # Tracked entities

    def _tracked_entity(self, item: Item) -> Iterator[Found]:
        yield from self._start(item)
        if item.action == "DELETE":
            return

        def metadata() -> Found:
            yield from self._missing(item, "orgUnit", "organisationUnits", "E1049")
            yield from self._missing(item, "trackedEntityType", "trackedEntityTypes", "E1005")

        yield metadata()
        yield self._unchanged(item)
        kind = self._get("trackedEntityTypes", item.text("trackedEntityType"))

        yield self.security.of(item)

        def rest() -> Found:
            mandatory = {uid for uid, entry in attributes(kind, "trackedEntityTypeAttributes").items()
                         if entry.get("mandatory")}  # fmt: skip
            given = {str(value.get("attribute")) for value in item.items("attributes")}
            if item.action == "CREATE":
                inside = {
                    str(value.get("attribute"))
                    for one in self.bundle.enrollments_of(item.uid)
                    for value in one.items("attributes")
                }
                for uid in mandatory - given - inside:
                    yield "E1090", (Named(uid), kind.get("id"), item.uid)
            yield from self.values.attributes(item, item.uid, mandatory)
            yield from self._geometry(item, kind)

        yield rest()

    def _geometry(self, item: Item, owner: JsonObject) -> Found:
        geometry = cast("JsonObject | None", item.body.get("geometry"))
        if not geometry:
            return
        feature = owner.get("featureType")
        if not feature:
            yield "E1074", ()
        elif feature == "NONE" or str(geometry.get("type")).upper() != str(feature):
            yield "E1012", (feature,)

    def _notes(self, item: Item) -> Found:
        for note in item.items("notes"):
            uid = note.get("note")
            if uid and self.tracker.rows("SELECT 1 FROM note WHERE uid = ?", (uid,)):
                yield "E1119", (uid,)

    # Enrollments

    def _enrollment(self, item: Item) -> Iterator[Found]:
        yield from self._start(item)
        if item.action == "DELETE":
            return

        def metadata() -> Found:
            yield from self._missing(item, "orgUnit", "organisationUnits", "E1070")
            if not self.bundle.exists("trackedEntity", item.text("trackedEntity")):
                yield "E1068", (item.text("trackedEntity"),)
            yield from self._missing(item, "program", "programs", "E1069")

        yield metadata()
        yield self._unchanged(item)
        program = self._get("programs", item.text("program"))

        def relations() -> Found:
            if program.get("programType") == "WITHOUT_REGISTRATION":
                yield "E1014", (program["id"],)
            if item.text("orgUnit") not in ids(program, "organisationUnits"):
                yield "E1041", (item.text("orgUnit"), program["id"])
            wanted = cast("JsonObject", program.get("trackedEntityType") or {}).get("id")
            if wanted and self._type_of(item.text("trackedEntity")) not in (None, wanted):
                yield "E1022", (item.text("trackedEntity"), program["id"])

        yield relations()

        yield self.security.of(item)

        def rest() -> Found:
            yield from self._notes(item)
            yield from self._enrolled_already(item, program)
            yield from self._geometry(item, program)
            yield from self._enrollment_dates(item, program)
            yield from self._program_attributes(item, program)

        yield rest()

    def _type_of(self, entity: str | None) -> JsonValue:
        item = self.bundle.find("trackedEntity", entity)
        if item is not None and item.body.get("trackedEntityType"):
            return item.body["trackedEntityType"]
        row = self.tracker.row("trackedEntity", entity or "")
        return row["tracked_entity_type"] if row is not None else None

    def _enrolled_already(self, item: Item, program: JsonObject) -> Found:
        status = item.text("status") or "ACTIVE"
        once = bool(program.get("onlyEnrollOnce"))
        entity = item.text("trackedEntity")
        if not (status == "ACTIVE" or (once and status != "CANCELLED")):
            return
        rows = self.tracker.rows(
            "SELECT uid, status FROM enrollment WHERE tracked_entity = ? AND program = ? AND NOT deleted",
            (entity, program["id"]),
        )
        others = {cast("str", row["uid"]): cast("str", row["status"]) for row in rows}
        for one in self.bundle.enrollments_of(entity):
            if one.body.get("program") == program["id"]:
                others[one.uid] = one.text("status") or "ACTIVE"
        others.pop(item.uid, None)
        if once and any(known in {"ACTIVE", "COMPLETED"} for known in others.values()):
            yield "E1016", (entity, program["id"])
        if status == "ACTIVE" and "ACTIVE" in others.values():
            yield "E1015", (entity, program["id"])

    def _enrollment_dates(self, item: Item, program: JsonObject) -> Found:
        today = dt.datetime.now(dt.UTC).date().isoformat()
        enrolled, occurred = item.text("enrolledAt"), item.text("occurredAt")
        if not enrolled:
            yield "E1025", ()
        elif enrolled[:10] > today and not program.get("selectEnrollmentDatesInFuture"):
            yield "E1020", (enrolled,)
        if program.get("displayIncidentDate"):
            if not occurred:
                yield "E1023", ()
            elif occurred[:10] > today and not program.get("selectIncidentDatesInFuture"):
                yield "E1021", (occurred,)
        if item.text("completedAt") and (item.text("status") or "ACTIVE") == "ACTIVE" and self._since_42:
            yield "E1052", (item.uid, "ACTIVE")

    def _program_attributes(self, item: Item, program: JsonObject) -> Found:
        entries = attributes(program, "programTrackedEntityAttributes")
        mandatory = {uid for uid, entry in entries.items() if entry.get("mandatory")}
        entity = item.text("trackedEntity")
        rows = self.tracker.rows("SELECT attribute FROM attribute_value WHERE tracked_entity = ?", (entity,))
        known = {row["attribute"] for row in rows}
        parent = self.bundle.find("trackedEntity", entity)
        given = {str(value.get("attribute")) for one in (item, parent) if one for value in one.items("attributes")}
        for uid in mandatory - known - given:
            yield "E1018", (Named(uid), program["id"], item.uid)
        for value in item.items("attributes"):
            if value.get("attribute") and value["attribute"] not in entries:
                yield "E1019", (Named(cast("str", value["attribute"])),)
        yield from self.values.attributes(item, entity, mandatory)

    # Events

    def _event(self, item: Item) -> Iterator[Found]:
        yield from self._start(item)
        if item.action == "DELETE":
            return

        def metadata() -> Found:
            yield from self._missing(item, "program", "programs", "E1010")
            yield from self._missing(item, "programStage", "programStages", "E1013")
            yield from self._missing(item, "orgUnit", "organisationUnits", "E1011")

        yield metadata()
        yield self._unchanged(item)
        program, stage = (
            self._get("programs", item.text("program")),
            self._get("programStages", item.text("programStage")),
        )
        yield self._event_relations(item, program)

        yield self.security.of(item)

        def rest() -> Found:
            yield from self._category_options(item, program)
            yield from self._event_dates(item, program)
            yield from self._geometry(item, stage)
            yield from self._notes(item)
            yield from self.values.elements(item, stage)
            yield from self._status_change(item)
            yield from self._assigned_user(item, stage)

        yield rest()

    def _event_relations(self, item: Item, program: JsonObject) -> Found:
        enrollment = item.text("enrollment")
        registration = not single(program)
        if registration and not enrollment:
            yield "E1033", (item.uid,)
        elif registration and self._program_of_enrollment(cast("str", enrollment)) != program["id"]:
            yield "E1079", (item.uid, program["id"], enrollment)
        if item.text("programStage") not in ids(program, "programStages"):
            yield "E1089", (item.uid, item.text("programStage"), program["id"])
        if registration and not item.text("trackedEntity") and (enrollment or self.store.version.minor < 42):
            yield "E1313", (item.uid,)
        if item.text("orgUnit") not in ids(program, "organisationUnits"):
            yield "E1029", (item.text("orgUnit"), program["id"])
        yield from self._attribute_combo(item, program)

    def _program_of_enrollment(self, enrollment: str) -> JsonValue:
        item = self.bundle.find("enrollment", enrollment)
        if item is not None:
            return item.body.get("program")
        row = self.tracker.row("enrollment", enrollment)
        return row["program"] if row is not None else None

    def _attribute_combo(self, item: Item, program: JsonObject) -> Found:
        """The attribute option combo, or the one that the category options name, must be the program's."""
        given, options = item.text("attributeOptionCombo"), option_list(item)
        combo = cast("JsonObject", program.get("categoryCombo") or {}).get("id")
        missing = list(self._missing_combo(given, options))
        if missing:
            yield from missing
            return
        if not self._is_default(combo) and ((not given and not options) or given == DEFAULT_OPTION_COMBO):
            yield "E1055", ()
            return
        found = attribute_combo(self.bundle, item)
        if found is None:
            yield "E1117", (given or combo, f"[{', '.join(options)}]")
            return
        owner = cast("JsonObject", found.get("categoryCombo") or {}).get("id")
        if given and combo and owner != combo:
            yield "E1054", (Named(given), combo)
        elif options and set(options) != set(ids(found, "categoryOptions")):
            yield "E1117", (given or combo, f"[{', '.join(options)}]")

    def _missing_combo(self, given: str | None, options: list[str]) -> Found:
        """The option combo that does not exist, else the options."""
        if given and self.store.get("categoryOptionCombos", given) is None:
            yield "E1115", (Named(given),)
            return
        for uid in options:
            if self.store.get("categoryOptions", uid) is None:
                yield "E1116", (Named(uid),)

    def _is_default(self, combo: JsonValue) -> bool:
        return combo is None or self._get("categoryCombos", cast("str", combo)).get("name") == "default"

    def _category_options(self, item: Item, program: JsonObject) -> Found:
        combo = attribute_combo(self.bundle, item) or {}
        day = (item.text("occurredAt") or item.text("scheduledAt") or "")[:10]
        for uid in ids(combo, "categoryOptions"):
            option = self._get("categoryOptions", uid)
            start, end = str(option.get("startDate") or "")[:10], str(option.get("endDate") or "")[:10]
            if not self.rights.can_write_data(option):
                yield "E1099", (self.rights.uid, uid)
            if day and start and day < start:
                yield "E1056", (day, start, option.get("name"))
            if day and end and day > end:
                yield "E1057", (day, end, option.get("name"), program.get("name"))

    def _event_dates(self, item: Item, program: JsonObject) -> Found:
        status = item.text("status") or "ACTIVE"
        if not item.text("occurredAt") and status in WITH_VALUES:
            yield "E1031", ()
        if not item.text("scheduledAt") and status == "SCHEDULE":
            yield "E1050", ()
        if item.text("completedAt") and status != "COMPLETED" and self._since_42:
            yield "E1051", (item.uid, status)
        yield from self._expired(item, program, status)

    def _expired(self, item: Item, program: JsonObject, status: str) -> Found:
        """A completed event, or one of a period that is over, may not be changed for ever."""
        if self.rights.has("F_EDIT_EXPIRED"):
            return
        days = cast("int", program.get("completeEventsExpiryDays") or 0)
        completed = existing(item).get("completedAt")
        if days and status == "COMPLETED" and completed:
            until = dt.date.fromisoformat(str(completed)[:10]) + dt.timedelta(days=days)
            if dt.datetime.now(dt.UTC).date() > until:
                yield "E1043", (item.uid,)
        days, period_name = cast("int", program.get("expiryDays") or 0), program.get("expiryPeriodType")
        day = item.text("occurredAt") or item.text("scheduledAt")
        if days and day and isinstance(period_name, str):
            period = period_type(period_name).at(dt.date.fromisoformat(day[:10]))
            if dt.datetime.now(dt.UTC).date() > period.end + dt.timedelta(days=days):
                yield "E1047", (item.uid,)

    def _status_change(self, item: Item) -> Found:
        before, after = existing(item).get("status"), item.text("status") or "ACTIVE"
        if before in WITH_VALUES and after in WITHOUT_VALUES:
            yield "E1316", (before, after)

    def _assigned_user(self, item: Item, stage: JsonObject) -> Found:
        assigned = cast("JsonObject | None", item.body.get("assignedUser"))
        if not assigned or not (assigned.get("uid") or assigned.get("username")):
            return
        users = self.store.objects("users")
        found = users.get(str(assigned.get("uid"))) or next(
            (user for user in users.values() if user.get("username") == assigned.get("username")), None
        )
        if found is None:
            rest = ", firstName=null, surname=null" if self.store.version.minor < 42 else ""
            yield (
                "E1118",
                (f"User(uid={assigned.get('uid') or 'null'}, username={assigned.get('username') or 'null'}{rest})",),
            )
        if not stage.get("enableUserAssignment"):
            yield "E1120", (stage["id"],)

    def _repeated(self) -> None:
        """A stage that is not repeatable takes one event for each enrollment, in the payload or before."""
        seen: dict[tuple[str | None, str | None], list[Item]] = {}
        for item in self.bundle.items["event"]:
            stage = self._get("programStages", item.text("programStage"))
            program = self._get("programs", item.text("program"))
            if item.valid and item.action != "DELETE" and stage and not stage.get("repeatable") and not single(program):
                seen.setdefault((item.text("enrollment"), item.text("programStage")), []).append(item)
        for (enrollment, stage), items in seen.items():
            rows = self.tracker.rows(
                "SELECT uid FROM event WHERE enrollment = ? AND program_stage = ? AND NOT deleted AND status <> 'SKIPPED'",
                (enrollment, stage),
            )
            others = {row["uid"] for row in rows} | {item.uid for item in items}
            for item in items:
                if item.row is None and len(others) > 1:
                    item.valid = False
                    self.errors.append(Problem(item, "E1039", (stage,)))

    # Relationships

    def _relationship(self, item: Item) -> Iterator[Found]:
        yield from self._start(item)
        if item.action == "DELETE":
            return

        def metadata() -> Found:
            yield from self._missing(item, "relationshipType", "relationshipTypes", "E4006")

        yield metadata()
        sides = {side: cast("JsonObject", item.body.get(side) or {}) for side in ("from", "to")}

        def links() -> Found:
            for end in sides.values():
                kind, uid = end_of(end)
                if not self.bundle.exists(kind, uid):
                    yield "E4012", (kind, uid)
            if end_of(sides["from"]) == end_of(sides["to"]):
                yield "E4000", (item.uid,)

        yield links()

        def rest() -> Found:
            kind = self._get("relationshipTypes", item.text("relationshipType"))
            for side, end in sides.items():
                yield from self._constraint(kind, side, end)
            (from_kind, from_uid), (to_kind, to_uid) = end_of(sides["from"]), end_of(sides["to"])
            pairs = [(from_uid, to_uid), *([(to_uid, from_uid)] if kind.get("bidirectional") else [])]
            sql = (
                "SELECT 1 FROM relationship WHERE relationship_type = ? AND NOT deleted AND uid <> ? "
                "AND from_uid = ? AND to_uid = ?"
            )
            if any(self.tracker.rows(sql, (kind["id"], item.uid, *pair)) for pair in pairs):
                yield "E4018", (item.uid, TYPE_OF[from_kind], from_uid, TYPE_OF[to_kind], to_uid)

        yield rest()

    def _ends(self, item: Item) -> Found:
        """Each end names exactly one object."""
        for side in ("from", "to"):
            end = cast("JsonObject", item.body.get(side) or {})
            if sum(bool(end.get(kind)) for kind in ("trackedEntity", "enrollment", "event")) != 1:
                yield "E4001", (side, item.uid)

    def _constraint(self, kind: JsonObject, side: str, end: JsonObject) -> Found:
        constraint = cast("JsonObject", kind.get(f"{side}Constraint") or {})
        entities: dict[JsonValue, Kind] = {
            "TRACKED_ENTITY_INSTANCE": "trackedEntity", "PROGRAM_INSTANCE": "enrollment", "PROGRAM_STAGE_INSTANCE": "event",
        }  # fmt: skip
        wanted = entities.get(constraint.get("relationshipEntity"))
        found, uid = end_of(end)
        if wanted and wanted != found:
            yield "E4010", (side, wanted, found)
        elif wanted == "trackedEntity":
            entity_type = cast("JsonObject", constraint.get("trackedEntityType") or {}).get("id")
            actual = self._type_of(uid)
            if entity_type and actual != entity_type:
                yield "E4014", (side, entity_type, actual)

    def _get(self, plural: str, uid: str | None) -> JsonObject:
        return self.store.get(plural, uid or "") or {}
