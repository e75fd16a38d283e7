"""The tracker's import: payload in, report out (api-facts e.1)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.tracker.changes import record, user_of
from dhis2sh.sandbox.tracker.imports.bundle import PLURAL, TYPE_OF, Bundle, Item, Options, existing
from dhis2sh.sandbox.tracker.imports.combos import attribute_combo, option_list
from dhis2sh.sandbox.tracker.imports.rule_engine import RuleEngine
from dhis2sh.sandbox.tracker.imports.validate import Validator
from dhis2sh.sandbox.tracker.storage import KINDS, Kind, Tracker, Writer

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

STEPS = ("Loading file resource", "Loading file content", "Running PreHeat", "Calculating Payload Size",
         "Running PreProcess", "Running Validation", "Running Rule Engine", "Running Rule Engine Validation",
         "Commit Transaction", "PostCommit")  # fmt: skip
"""What an asynchronous import says on its way; the first two come before there is a payload."""
_UPWARDS: tuple[Kind, ...] = ("relationship", "event", "enrollment", "trackedEntity")


@dataclass(slots=True)
class Counts:
    """What happened to the objects of one kind."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0
    uids: list[str] = field(default_factory=list[str])

    def json(self) -> JsonObject:
        """The `stats` of a report."""
        total = self.created + self.updated + self.deleted + self.ignored
        return {"created": self.created, "updated": self.updated, "deleted": self.deleted, "ignored": self.ignored,
                "total": total}  # fmt: skip


def run(
    tracker: Tracker,
    rights: Rights,
    payload: JsonObject,
    options: Options,
    say: Callable[[str], None] = lambda _: None,
) -> JsonObject:
    """Import a payload and return the import report.

    Parameters:
        payload: as `payload.Reader` reads it.
        say: told each step.
    """
    for step in STEPS[2:4]:
        say(step)
    bundle = Bundle(tracker, payload, options)
    say(STEPS[4])
    validator = Validator(bundle, rights)
    say(STEPS[5])
    if options.validation != "SKIP":
        validator.run()
    for step in STEPS[6:8]:
        say(step)
    if not options.skip_rule_engine and options.strategy != "DELETE" and options.validation != "SKIP":
        engine = RuleEngine(bundle, rights)
        engine.run()
        validator.errors += engine.errors
        validator.warnings += engine.warnings
    refused = bool(validator.errors) and options.atomic == "ALL"
    if not refused:
        validator.orphans()
    counts: dict[Kind, Counts] = {kind: Counts() for kind in KINDS}
    if refused:
        for item in bundle:
            counts[item.kind].ignored += 1
        return _report(bundle, validator, counts, committed=False)
    say(STEPS[8])
    if options.mode == "COMMIT":  # what is only validated counts nothing
        _persist(bundle, rights, counts)
    say(STEPS[9])
    return _report(bundle, validator, counts, committed=options.mode == "COMMIT")


def as_asked(report: JsonObject, mode: str) -> JsonObject:
    """A kept report with as much as a report mode asks for."""
    if mode != "ERRORS":
        return report
    return {**report, "validationReport": {**cast("JsonObject", report["validationReport"]), "warningReports": []}}


def closing(report: JsonObject) -> str:
    """The last words of an asynchronous import."""
    stats = cast("JsonObject", report["stats"])
    return (
        f"Import complete with status {report['status']}, {stats['created']} created, {stats['updated']} updated, "
        f"{stats['deleted']} deleted, {stats['ignored']} ignored"
    )


def _report(bundle: Bundle, validator: Validator, counts: dict[Kind, Counts], *, committed: bool) -> JsonObject:
    total = Counts()
    for one in counts.values():
        total.created += one.created
        total.updated += one.updated
        total.deleted += one.deleted
        total.ignored += one.ignored
    failed = bool(validator.errors) and bundle.options.atomic == "ALL"
    warnings = validator.warnings if bundle.options.report != "ERRORS" else []
    minor = bundle.store.version.minor
    report: JsonObject = {
        "status": "ERROR" if failed else "OK",
        "validationReport": {
            "errorReports": [problem.error(minor) for problem in validator.errors],
            "warningReports": [problem.warning(minor) for problem in warnings],
        },
        "stats": total.json(),
    }
    if not failed:
        kinds = KINDS if committed else ()
        report["bundleReport"] = {"typeReportMap": {TYPE_OF[kind]: _type_report(kind, counts[kind]) for kind in kinds}}
    return report


def _type_report(kind: Kind, counts: Counts) -> JsonObject:
    objects: list[JsonValue] = [{"trackerType": TYPE_OF[kind], "uid": uid, "errorReports": []} for uid in counts.uids]
    return {"trackerType": TYPE_OF[kind], "stats": counts.json(), "objectReports": objects}


def _written(item: Item) -> bool:
    """Is it written? What is invalid is not, nor a relationship that is there: those are made and deleted, never changed."""
    return item.valid and not (item.kind == "relationship" and item.action == "UPDATE")


def _count(counts: Counts, item: Item, *, updates: bool) -> None:
    """Count what is done with an item; `updates`: it was made a moment ago, by this import (2.41)."""
    if not _written(item):
        counts.ignored += 1
        return
    counts.uids.append(item.uid)
    match item.action:
        case "CREATE" if not updates:
            counts.created += 1
        case "CREATE" | "UPDATE":
            counts.updated += 1
        case "DELETE":
            counts.deleted += 1


def _demand_once(bundle: Bundle) -> None:
    """Since 2.43 two new objects with one UID break the whole import. Raises `Refused`."""
    if bundle.store.version.minor < 43:
        return
    for kind, items in bundle.items.items():
        new = [item.uid for item in items if item.valid and item.row is None]
        if len(new) > len(set(new)):
            if kind != "trackedEntity":
                raise not_imitated(f"two of the {PLURAL[kind]} with one UID")
            raise Refused(500, 'ERROR: duplicate key value violates unique constraint "trackedentityinstance_pkey"\n'
                               "  Detail: Key (trackedentityid)=(1) already exists.")  # fmt: skip


def _demand_notes_once(bundle: Bundle) -> None:
    """Up to 2.41 two notes with one UID break the whole import; later the second is left out. Raises `Refused`."""
    if bundle.store.version.minor > 41 or bundle.options.strategy == "DELETE":
        return
    for item in bundle:
        uids = [note["note"] for note in item.items("notes") if note.get("note")]
        if item.valid and len(uids) > len(set(uids)):
            raise Refused(500, 'Cannot invoke "org.hisp.dhis.tracker.imports.report.PersistenceReport.getStats()" '
                               'because "persistenceReport" is null')  # fmt: skip


def _persist(bundle: Bundle, rights: Rights, counts: dict[Kind, Counts]) -> None:
    """Write every valid item in one transaction: parents first, and children first when deleting."""
    _demand_once(bundle)
    _demand_notes_once(bundle)
    again = bundle.store.version.minor <= 41
    deleting = bundle.options.strategy == "DELETE"
    with bundle.store.writing() as connection:
        keeper = Keeper(bundle, connection, user_of(rights.user))
        for kind in _UPWARDS if deleting else KINDS:
            for item in bundle.items[kind]:
                _count(counts[kind], item, updates=again and item.uid in counts[kind].uids)
                if _written(item):
                    keeper.delete(item) if deleting else keeper.keep(item)
        keeper.touch()


class Keeper:
    """Writes the items of one import.

    Parameters:
        connection: the open transaction.
        user: who imports, as the tracker shows users.
    """

    def __init__(self, bundle: Bundle, connection: sqlite3.Connection, user: JsonObject) -> None:
        self.bundle = bundle
        self.connection = connection
        self.writer = Writer(connection)
        self.user = user
        self.moment = now()
        self._touched: set[str] = set()

    def keep(self, item: Item) -> None:
        """Create or update one item with its values and notes."""
        body: JsonObject = {**item.body, "updatedAt": self.moment, "updatedBy": self.user}
        if item.row is None:
            body |= {"createdAt": self.moment, "createdBy": self.user}
            if item.kind in self.bundle.store.version.stored_by and not body.get("storedBy"):
                body["storedBy"] = self.user["username"]
        for name in ("createdAt", "createdBy"):
            if item.row is not None:
                body.pop(name, None)
        getattr(self, f"_{item.kind}")(item, body)
        for note in item.items("notes"):
            self.note(item.uid, note)

    def note(self, owner: str, note: JsonObject) -> str:
        """Write a note that has text; returns its UID."""
        uid = cast("str", note.get("note") or generate_uid())
        if note.get("value"):
            self.writer.note(owner, {"note": uid, "value": note["value"], "storedAt": self.moment,
                                     "storedBy": self._storer(note), "createdBy": self.user})  # fmt: skip
        return uid

    def _storer(self, note: JsonObject) -> JsonValue:
        """Who stored a note, in versions that say so besides who made it."""
        given = note.get("storedBy")
        return given or (self.user["username"] if self.bundle.store.version.stored_by else None)

    def _trackedEntity(self, item: Item, body: JsonObject) -> None:  # noqa: N802 - named after the kind
        self.writer.put("trackedEntity", item.uid, body)
        self._attributes(item, item.uid)

    def _attributes(self, item: Item, owner: str, program: str | None = None) -> None:
        rows = self.connection.execute(
            "SELECT attribute, value, created_at FROM attribute_value WHERE tracked_entity = ?", (owner,)
        )
        known = {row[0]: (row[1], row[2]) for row in rows}
        for value in item.items("attributes"):
            uid = cast("str", value["attribute"])
            before, created = known.get(uid, (None, None))
            after = value.get("value") if value.get("value") != "" else None
            if before == after and before is not None:
                continue
            self.writer.value("attribute_value", owner, uid, {
                "value": None if after is None else str(after), "storedBy": self._storer(value),
                "createdAt": created or self.moment, "updatedAt": self.moment,
            })  # fmt: skip
            record(self.connection, "trackedEntityAttribute", owner, uid, (before, after), self.user, program=program)

    def _enrollment(self, item: Item, body: JsonObject) -> None:
        body["status"] = body.get("status") or "ACTIVE"
        if body["status"] != "ACTIVE":
            body["completedAt"] = body.get("completedAt") or self.moment
            body["completedBy"] = self.user["username"]
        else:
            body |= {"completedAt": None, "completedBy": None}
        self.writer.put("enrollment", item.uid, body)
        entity, program = cast("str", body["trackedEntity"]), cast("str", body["program"])
        if item.row is None:
            # A new enrollment takes the tracked entity along to its org unit, as a server does without a word.
            self.writer.owner(entity, program, cast("str", body["orgUnit"]))
        self._attributes(item, entity, program)
        self._touched.add(entity)

    def _event(self, item: Item, body: JsonObject) -> None:
        before = existing(item)
        body["status"] = body.get("status") or "ACTIVE"
        if body["status"] == "COMPLETED":
            body["completedAt"] = body.get("completedAt") or before.get("completedAt") or self.moment
            body["completedBy"] = before.get("completedBy") or self.user["username"]
        else:
            body |= {"completedAt": None, "completedBy": None}
        combo = attribute_combo(self.bundle, item) or {}
        options = option_list(item) or [
            cast("str", one["id"]) for one in cast("list[JsonObject]", combo.get("categoryOptions") or [])
        ]
        body |= {"attributeOptionCombo": combo.get("id"), "attributeCategoryOptions": ",".join(options)}
        if body.get("assignedUser"):
            body["assignedUser"] = self._assigned(cast("JsonObject", body["assignedUser"]))
        self._enrollment_of(body)
        self.writer.put("event", item.uid, body)
        for name in ("occurredAt", "scheduledAt", "geometry"):
            record(self.connection, "eventField", item.uid, name, (before.get(name), body.get(name)), self.user)
        self._data_values(item)
        if body.get("trackedEntity"):
            self._touched.add(cast("str", body["trackedEntity"]))

    def _enrollment_of(self, body: JsonObject) -> None:
        """The events of a program without registration share one enrollment, made with the first."""
        known = self.connection.execute("SELECT 1 FROM enrollment WHERE uid = ?", (body["enrollment"],)).fetchone()
        if not known:
            self.writer.put(
                "enrollment", cast("str", body["enrollment"]), {"program": body["program"], "status": "ACTIVE"}
            )

    def _assigned(self, wanted: JsonObject) -> JsonValue:
        users = self.bundle.store.objects("users").values()
        for user in users:
            if wanted.get("uid") == user["id"] or wanted.get("username") == user.get("username"):
                return {**user_of(user), "displayName": user.get("name")}
        return None

    def _data_values(self, item: Item) -> None:
        rows = self.connection.execute(
            "SELECT data_element, value, created_at, created_by FROM event_value WHERE event = ?", (item.uid,)
        )
        known = {row[0]: row[1:] for row in rows}
        for value in item.items("dataValues"):
            uid = cast("str", value["dataElement"])
            before, created, creator = known.get(uid, (None, None, None))
            after = value.get("value") if value.get("value") != "" else None
            if before == after and before is not None:
                continue
            self.writer.value("event_value", item.uid, uid, {
                "value": None if after is None else str(after), "providedElsewhere": value.get("providedElsewhere"),
                "storedBy": value.get("storedBy") or self.user["username"], "createdAt": created or self.moment,
                "updatedAt": self.moment, "createdBy": json.loads(creator) if creator else self.user,
                "updatedBy": self.user,
            })  # fmt: skip
            record(self.connection, "dataValue", item.uid, uid, (before, after), self.user)

    def _relationship(self, item: Item, body: JsonObject) -> None:
        kind = self.bundle.store.get("relationshipTypes", cast("str", body["relationshipType"])) or {}
        self.writer.relationship({**body, "relationship": item.uid, "bidirectional": bool(kind.get("bidirectional"))})

    def delete(self, item: Item) -> None:
        """Mark one item and what hangs on it as deleted; the rows stay until maintenance removes them."""
        marks: dict[Kind, tuple[tuple[str, str], ...]] = {
            "trackedEntity": (("tracked_entity", "uid"), ("enrollment", "tracked_entity"), ("event", "tracked_entity")),
            "enrollment": (("enrollment", "uid"), ("event", "enrollment")),
            "event": (("event", "uid"),), "relationship": (("relationship", "uid"),),
        }  # fmt: skip
        for table, column in marks[item.kind]:
            self.connection.execute(
                f"UPDATE {table} SET deleted = 1, updated_at = ? WHERE {column} = ?", (self.moment, item.uid)
            )
        if item.kind != "relationship":
            self.connection.execute(
                "UPDATE relationship SET deleted = 1, updated_at = ?1 WHERE from_uid = ?2 OR to_uid = ?2",
                (self.moment, item.uid),
            )

    def touch(self) -> None:
        """A tracked entity counts as changed when something in it changes."""
        for uid in self._touched:
            self.writer.put("trackedEntity", uid, {"updatedAt": now(), "updatedBy": self.user})
