"""A tracker import's payload as flat lists of items, and its options (api-facts e.1)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.refused import not_imitated
from dhis2sh.sandbox.tracker.query import boolean, enum
from dhis2sh.sandbox.tracker.storage import COLUMNS, KINDS, Kind, Tracker, from_row

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

REPORT_MODES = ("FULL", "ERRORS", "WARNINGS")
type Action = Literal["CREATE", "UPDATE", "DELETE"]
TYPE_OF: Mapping[Kind, str] = {"trackedEntity": "TRACKED_ENTITY", "enrollment": "ENROLLMENT", "event": "EVENT",
                               "relationship": "RELATIONSHIP"}  # fmt: skip
PLURAL: Mapping[Kind, str] = {"trackedEntity": "trackedEntities", "enrollment": "enrollments", "event": "events",
                              "relationship": "relationships"}  # fmt: skip
_SCHEMES = ("idScheme", "dataElementIdScheme", "orgUnitIdScheme", "programIdScheme", "programStageIdScheme",
            "categoryOptionComboIdScheme", "categoryOptionIdScheme")  # fmt: skip
_KNOWN_SCHEMES = ("UID", "CODE", "NAME", "ATTRIBUTE")
_SCHEME_OF = {"organisationUnits": "orgUnitIdScheme", "programs": "programIdScheme", "dataElements": "dataElementIdScheme",
              "programStages": "programStageIdScheme", "categoryOptions": "categoryOptionIdScheme",
              "categoryOptionCombos": "categoryOptionComboIdScheme"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """How to import."""

    strategy: str = "CREATE_AND_UPDATE"
    mode: str = "COMMIT"
    atomic: str = "ALL"
    flush: str = "AUTO"
    validation: str = "FULL"
    report: str = "ERRORS"
    asynchronous: bool = True
    skip_pattern_validation: bool = False
    skip_side_effects: bool = False
    skip_rule_engine: bool = False
    schemes: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, query: QueryParams) -> Options:
        """From the request's parameters. Raises `Refused` for values that do not exist."""
        base = query.get("idScheme") or "UID"
        for name in _SCHEMES:
            if (query.get(name) or base).partition(":")[0].upper() not in _KNOWN_SCHEMES:
                raise not_imitated(f"the {name} {query.get(name) or base}")
        return cls(
            enum(query, "importStrategy", ("CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE")) or "CREATE_AND_UPDATE",
            enum(query, "importMode", ("COMMIT", "VALIDATE")) or "COMMIT",
            enum(query, "atomicMode", ("ALL", "OBJECT")) or "ALL",
            enum(query, "flushMode", ("OBJECT", "AUTO")) or "AUTO",
            enum(query, "validationMode", ("FULL", "FAIL_FAST", "SKIP")) or "FULL",
            enum(query, "reportMode", REPORT_MODES) or "ERRORS",
            boolean(query, "async", True) is not False,
            bool(boolean(query, "skipPatternValidation", False)),
            bool(boolean(query, "skipSideEffects", False)),
            bool(boolean(query, "skipRuleEngine", False)),
            {name: query.get(name) or base for name in _SCHEMES},
        )

    def parameters(self, *, nulls: bool = False) -> JsonObject:
        """As the job's parameters show them; its first notification has what is unset as null."""
        schemes: JsonObject = {name: _scheme_json(self.schemes.get(name, "UID"), nulls) for name in _SCHEMES}
        unset: JsonObject = {"filename": None} if nulls else {}
        return {
            **unset,
            "importMode": self.mode, "idSchemes": schemes, "importStrategy": self.strategy, "atomicMode": self.atomic,
            "flushMode": self.flush, "validationMode": self.validation,
            "skipPatternValidation": self.skip_pattern_validation, "skipSideEffects": self.skip_side_effects,
            "skipRuleEngine": self.skip_rule_engine, "reportMode": self.report,
        }  # fmt: skip


def _scheme_json(text: str, nulls: bool) -> JsonObject:
    name, _, attribute = text.partition(":")
    return {"idScheme": name.upper(), **({"attributeUid": attribute or None} if attribute or nulls else {})}


@dataclass(slots=True)
class Item:
    """One object of a payload.

    `body` is the payload's object without its children; `row` what the database has, deleted or not.
    """

    kind: Kind
    uid: str
    body: JsonObject
    row: sqlite3.Row | None = None
    action: Action = "CREATE"
    valid: bool = True

    def text(self, name: str) -> str | None:
        """A property as text; blank is missing."""
        value = self.body.get(name)
        return value if isinstance(value, str) and value else None

    def items(self, name: str) -> list[JsonObject]:
        """A list property."""
        return cast("list[JsonObject]", self.body.get(name) or [])

    @property
    def type(self) -> str:
        """Its `trackerType`."""
        return TYPE_OF[self.kind]


class Bundle:
    """A payload, flat.

    Parameters:
        payload: `{trackedEntities, enrollments, events, relationships}`, nested or not, as `payload.Reader` reads it.
        options: of the import.
    """

    def __init__(self, tracker: Tracker, payload: JsonObject, options: Options) -> None:
        self.tracker = tracker
        self.store: Store = tracker.store
        self.options = options
        self.items: dict[Kind, list[Item]] = {kind: [] for kind in KINDS}
        self._named: dict[str, dict[str, str]] = {}
        self._defaults: dict[str, str] = {}
        for kind in KINDS:
            for body in cast("list[JsonObject]", payload.get(PLURAL[kind]) or []):
                self._add(kind, body, {})
        self._by_uid = {(kind, item.uid): item for kind, items in self.items.items() for item in items}
        for item in self:
            self._prepare(item)

    def __iter__(self) -> Iterator[Item]:
        for kind in KINDS:
            yield from self.items[kind]

    def find(self, kind: Kind, uid: str | None) -> Item | None:
        """An item of the payload by its UID."""
        return self._by_uid.get((kind, uid)) if uid else None

    def enrollments_of(self, entity: str | None) -> list[Item]:
        """The payload's enrollments of a tracked entity."""
        return self._enrolled.get(entity or "", [])

    @cached_property
    def _enrolled(self) -> Mapping[str, list[Item]]:
        found: dict[str, list[Item]] = {}
        for item in self.items["enrollment"]:
            found.setdefault(item.text("trackedEntity") or "", []).append(item)
        return found

    def exists(self, kind: Kind, uid: str | None) -> bool:
        """Is there such an object, in the payload or alive in the database?"""
        if uid is None:
            return False
        row = self.tracker.row(kind, uid)
        return self.find(kind, uid) is not None or (row is not None and not row["deleted"])

    def _add(self, kind: Kind, body: JsonObject, inherited: JsonObject) -> None:
        given = body.get(kind)
        uid = given if isinstance(given, str) and given else generate_uid()
        flat: JsonObject = {**inherited, **{k: v for k, v in body.items() if v is not None or k not in inherited}}
        children: tuple[tuple[Kind, JsonObject], ...] = ()
        if kind == "trackedEntity":
            children = (("enrollment", {"trackedEntity": uid}),)
        elif kind == "enrollment":
            children = (("event", {"enrollment": uid, "trackedEntity": flat.get("trackedEntity")}),)
        nested: list[tuple[Kind, JsonObject, list[JsonObject]]] = [
            (child, carried, cast("list[JsonObject]", flat.pop(PLURAL[child], None) or []))
            for child, carried in children
        ]
        links = cast("list[JsonObject]", flat.pop("relationships", None) or [])
        self.items[kind].append(Item(kind, uid, flat))
        for child, carried, bodies in nested:
            for one in bodies:
                self._add(child, one, carried)
        for one in links:
            self._add("relationship", one, {})

    def _prepare(self, item: Item) -> None:
        """What the server fills in before it validates: the row, the action, resolved identifiers."""
        item.row = self.tracker.row(item.kind, item.uid)
        strategy = self.options.strategy
        known = item.row is not None
        item.action = ("UPDATE" if known else "CREATE") if strategy == "CREATE_AND_UPDATE" else cast("Action", strategy)
        for name, plural in (("orgUnit", "organisationUnits"), ("program", "programs"),
                             ("programStage", "programStages"), ("trackedEntityType", "trackedEntityTypes"),
                             ("relationshipType", "relationshipTypes"),
                             ("attributeOptionCombo", "categoryOptionCombos")):  # fmt: skip
            if isinstance(item.body.get(name), str):
                item.body[name] = self.resolve(plural, cast("str", item.body[name]))
        for name, key, plural in (("attributes", "attribute", "trackedEntityAttributes"),
                                  ("dataValues", "dataElement", "dataElements")):  # fmt: skip
            if name in item.body:
                item.body[name] = [
                    {**value, key: self.resolve(plural, cast("str", value[key]))} if value.get(key) else value
                    for value in item.items(name)
                ]
        if item.kind == "event":
            self._prepare_event(item)

    def _prepare_event(self, item: Item) -> None:
        body = item.body
        stage = self.store.get("programStages", item.text("programStage") or "")
        if stage and not item.text("program"):
            body["program"] = cast("JsonObject", stage.get("program") or {}).get("id") or self._program_of(stage)
        program = self.store.get("programs", item.text("program") or "")
        if program and not item.text("programStage") and program.get("programType") == "WITHOUT_REGISTRATION":
            stages = cast("list[JsonObject]", program.get("programStages") or [])
            body["programStage"] = stages[0]["id"] if stages else None
        if program and program.get("programType") == "WITHOUT_REGISTRATION" and not item.text("enrollment"):
            body["enrollment"] = self._default_enrollment(cast("str", program["id"]))
        enrollment = self.find("enrollment", item.text("enrollment"))
        row = self.tracker.row("enrollment", item.text("enrollment") or "")
        if enrollment is not None:
            body["trackedEntity"] = enrollment.body.get("trackedEntity")
        elif row is not None:
            body["trackedEntity"] = row["tracked_entity"]

    def _program_of(self, stage: JsonObject) -> JsonValue:
        owners = self.store.inverse("programs", "programStages").get(cast("str", stage["id"]), [])
        return owners[0] if owners else None

    def _default_enrollment(self, program: str) -> str:
        """The one enrollment that all events of a program without registration hang on."""
        found = self.tracker.rows("SELECT uid FROM enrollment WHERE program = ? AND tracked_entity IS NULL", (program,))
        known = cast("str", found[0]["uid"]) if found else self._defaults.get(program) or generate_uid()
        return self._defaults.setdefault(program, known)

    def resolve(self, plural: str, identifier: str) -> str:
        """The UID behind an identifier of the import's scheme; what is not found stays as it is."""
        scheme = self.options.schemes.get(_SCHEME_OF.get(plural, "idScheme"), "UID")
        name, _, attribute = scheme.partition(":")
        if name.upper() == "UID":
            return identifier
        known = self._named.get(plural)
        if known is None:
            known = self._named[plural] = {}
            for uid, body in self.store.objects(plural).items():
                key = _attribute_of(body, attribute) if attribute else body.get(name.lower())
                if isinstance(key, str):
                    known[key] = uid
        return known.get(identifier, identifier)


def existing(item: Item) -> JsonObject:
    """The item's row as API properties, empty for none."""
    return {} if item.row is None else from_row(item.row, COLUMNS[item.kind])


def _attribute_of(body: JsonObject, attribute: str) -> JsonValue:
    for value in cast("list[JsonObject]", body.get("attributeValues") or []):
        if cast("JsonObject", value.get("attribute") or {}).get("id") == attribute:
            return value.get("value")
    return None
