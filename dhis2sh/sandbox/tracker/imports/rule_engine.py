"""Program rules in an import: errors, warnings, mandatory fields and assigned values.

Enrollments are judged with all their events and attributes, of the payload and of the database; only what the payload
has gets a result. An event's data values are those of the payload alone.

API source: `dhis2/dhis2-core` (`DefaultProgramRuleService`, `RuleActionEventMapper`, `ValidationExecutor`),
`dhis2/dhis2-rule-engine` (`RuleEngineMultipleExecution`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from dhis2sh.dhis2.formulas import BadExpression
from dhis2sh.dhis2.rules import ENVIRONMENT, Kind, kind_of
from dhis2sh.sandbox.instance.settings import Settings
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.tracker.imports.bundle import Bundle, Item, existing
from dhis2sh.sandbox.tracker.imports.problems import Problem
from dhis2sh.sandbox.tracker.imports.rule_values import Scope, Variable, shown
from dhis2sh.sandbox.tracker.metadata import ids, objects, reference, single
from dhis2sh.sandbox.tracker.storage import COLUMNS, from_row

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

_HERE: Final = frozenset(
    {"ASSIGN", "SETMANDATORYFIELD", "SHOWERROR", "SHOWWARNING", "ERRORONCOMPLETE", "WARNINGONCOMPLETE"}
)
"""The actions that concern an import; the others are for screens, or send messages."""
_WITHOUT_VALUES = frozenset({"SCHEDULE", "SKIPPED", "OVERDUE"})


@dataclass(frozen=True, slots=True)
class _Event:
    """An event as rules see it; `item` is None for one that only the database has."""

    uid: str
    body: JsonObject
    values: Mapping[str, str]
    item: Item | None = None

    @property
    def day(self) -> str:
        return str(self.body.get("occurredAt") or self.body.get("scheduledAt") or "")


@dataclass(frozen=True, slots=True)
class _Case:
    """What is judged together: an enrollment, if there is one, its events and its attributes."""

    program: str
    enrollment: JsonObject | None
    item: Item | None
    events: list[_Event]
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a rule wants: its action with the evaluated data."""

    rule: str
    action: JsonObject
    data: str


class RuleEngine:
    """Runs the rules of a bundle's programs.

    Parameters:
        bundle: the validated payload; assigned values go into it.
        rights: of who imports.
    """

    def __init__(self, bundle: Bundle, rights: Rights) -> None:
        self.bundle = bundle
        self.store = bundle.store
        self.tracker = bundle.tracker
        self.rights = rights
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self.overwrites = Settings(self.store).get("ruleEngineAssignOverwrite") is True
        self._rules: dict[str, list[tuple[JsonObject, list[JsonObject]]]] = {}

    def run(self) -> None:
        """Judge every valid enrollment and event; those with errors are no longer `valid`."""
        effects: list[tuple[Item, list[_Effect]]] = []
        for case in self._cases():
            if case.item is not None:
                effects.append((case.item, self._effects(case, None)))
            effects += [(event.item, self._effects(case, event)) for event in case.events if event.item is not None]
        for kind in ("enrollment", "event"):
            for item, found in effects:
                if item.kind == kind:
                    for effect in found:
                        self._apply(item, effect)

    # What is judged ----------------------------------------------------------------------------------------------------

    def _cases(self) -> Iterator[_Case]:
        valid = {kind: [item for item in self.bundle.items[kind] if item.valid] for kind in ("enrollment", "event")}
        owners: dict[str, list[Item]] = {}
        singles: dict[str, list[Item]] = {}
        for item in valid["event"]:
            program = self.store.get("programs", item.text("program") or "")
            if program is not None and self._rules_of(item.text("program") or ""):
                alone = single(program)
                (singles if alone else owners).setdefault(
                    item.text("program" if alone else "enrollment") or "", []
                ).append(item)
        for item in valid["enrollment"]:
            events = owners.pop(item.uid, [])
            if self._rules_of(item.text("program") or ""):
                yield self._case(item.uid, item, {**existing(item), **item.body}, events)
        for uid, events in owners.items():
            row = self.tracker.row("enrollment", uid)
            if row is not None:
                yield self._case(uid, None, from_row(row, COLUMNS["enrollment"]), events)
        for program, events in singles.items():
            yield _Case(program, None, None, [_given(item) for item in events])

    def _case(self, uid: str, item: Item | None, body: JsonObject, events: list[Item]) -> _Case:
        given = {event.uid for event in self.bundle.items["event"]}
        saved = [
            _Event(
                row["uid"],
                from_row(row, COLUMNS["event"]),
                self._stored("event_value", "event", "data_element", row["uid"]),
            )
            for row in self.tracker.rows("SELECT * FROM event WHERE enrollment = ? AND NOT deleted", (uid,))
            if row["uid"] not in given
        ]
        entity = str(body.get("trackedEntity") or "")
        attributes = dict(self._stored("attribute_value", "tracked_entity", "attribute", entity))
        for one in (self.bundle.find("trackedEntity", entity), item):
            if one is not None:
                attributes |= _texts(one.items("attributes"), "attribute")
        return _Case(
            str(body.get("program") or ""),
            {**body, "enrollment": uid},
            item,
            saved + [_given(event) for event in events],
            attributes,
        )

    def _stored(self, table: str, owner: str, key: str, uid: str) -> dict[str, str]:
        rows = self.tracker.rows(f"SELECT {key}, value FROM {table} WHERE {owner} = ? AND value IS NOT NULL", (uid,))
        return {row[key]: row["value"] for row in rows}

    # Rules -------------------------------------------------------------------------------------------------------------

    def _rules_of(self, program: str) -> list[tuple[JsonObject, list[JsonObject]]]:
        """A program's rules that concern imports, in their order, each with its actions."""
        known = self._rules.get(program)
        if known is None:
            found: list[tuple[JsonObject, list[JsonObject]]] = []
            for uid in self.store.inverse("programRules", "program").get(program, []):
                rule = self.store.get("programRules", uid) or {}
                actions = [self.store.get("programRuleActions", one) or {} for one in ids(rule, "programRuleActions")]
                actions = [action for action in actions if action.get("programRuleActionType") in _HERE]
                if actions:
                    found.append((rule, actions))
            found.sort(key=lambda one: (one[0].get("priority") is None, cast("int", one[0].get("priority") or 0)))
            known = self._rules[program] = found
        return known

    def _effects(self, case: _Case, event: _Event | None) -> list[_Effect]:
        scope = self._scope(case, event)
        other = "trackedEntityAttribute" if event is not None else "dataElement"
        stage = None if event is None else event.body.get("programStage")
        found: list[_Effect] = []
        for rule, actions in self._rules_of(case.program):
            of_stage = reference(rule, "programStage")
            if of_stage and of_stage != stage:
                continue
            try:
                if not _holds(scope, str(rule.get("condition") or "")):
                    continue
            except BadExpression:
                continue
            for action in actions:
                if not reference(action, other):
                    found += _evaluated(scope, str(rule["id"]), action)
        return found

    def _scope(self, case: _Case, event: _Event | None) -> Scope:
        variables = {name: Variable(kind) for name, kind in ENVIRONMENT.items()}
        variables |= {
            name: Variable(ENVIRONMENT[name], value, (value,))
            for name, value in self._environment(case, event)
            if value
        }
        for uid in self.store.inverse("programRuleVariables", "program").get(case.program, []):
            variable = self.store.get("programRuleVariables", uid) or {}
            variables[str(variable.get("name"))] = self._variable(variable, case, event)
        unit = str((event.body if event else case.enrollment or {}).get("orgUnit") or "")
        groups = self.store.inverse("organisationUnitGroups", "organisationUnits").get(unit, [])
        codes = [(self.store.get("organisationUnitGroups", uid) or {}).get("code") for uid in groups]
        return Scope(
            variables,
            {uid: cast("float", body.get("value") or 0.0) for uid, body in self.store.objects("constants").items()},
            {
                "d2:hasUserRole": frozenset(ids(self.rights.user, "userRoles")),
                "d2:inUserGroup": self.rights.groups,
                "d2:inOrgUnitGroup": frozenset([*groups, *(str(code) for code in codes if code)]),
            },
        )

    def _environment(self, case: _Case, event: _Event | None) -> Iterator[tuple[str, str]]:
        yield "current_date", dt.datetime.now(dt.UTC).date().isoformat()
        yield "environment", "Server"
        yield "event_count", str(len(case.events)) if case.events else ""
        unit: object = ""
        if case.enrollment is not None:
            body = case.enrollment
            unit = body.get("orgUnit")
            yield from (("enrollment_count", "1"), ("tei_count", "1"), ("enrollment_id", str(body["enrollment"])))
            yield "enrollment_status", str(body.get("status") or "ACTIVE")
            yield "enrollment_date", str(body.get("enrolledAt") or "")[:10]
            yield "incident_date", str(body.get("occurredAt") or body.get("enrolledAt") or "")[:10]
            yield "program_name", self._name("programs", case.program)
        if event is not None:
            body, unit = event.body, event.body.get("orgUnit")
            stage = str(body.get("programStage") or "")
            yield from (("event_id", event.uid), ("event_status", str(body.get("status") or "ACTIVE")))
            yield "event_date", event.day[:10]
            yield "due_date", str(body.get("scheduledAt") or "")[:10]
            yield "completed_date", str(body.get("completedAt") or "")[:10]
            yield from (("program_stage_id", stage), ("program_stage_name", self._name("programStages", stage)))
        yield "org_unit", str(unit or "")
        yield "orgunit_code", str((self.store.get("organisationUnits", str(unit)) or {}).get("code") or "")

    def _name(self, plural: str, uid: str) -> str:
        return str((self.store.get(plural, uid) or {}).get("name") or "")

    def _variable(self, variable: JsonObject, case: _Case, event: _Event | None) -> Variable:
        source = str(variable.get("programRuleVariableSourceType"))
        plural, prop = (
            ("trackedEntityAttributes", "trackedEntityAttribute")
            if source == "TEI_ATTRIBUTE"
            else ("dataElements", "dataElement")
        )
        uid = reference(variable, prop)
        body = self.store.get(plural, uid) or {}
        kind = kind_of(cast("str | None", body.get("valueType") or variable.get("valueType"))) or "TEXT"
        if source == "CALCULATED_VALUE":
            return Variable(kind)
        if source == "TEI_ATTRIBUTE":
            value = case.attributes.get(uid)
            return Variable(kind) if value is None else self._filled(kind, variable, body, [value], None)
        newest = sorted((one for one in case.events if uid in one.values), key=lambda one: one.day, reverse=True)
        chosen = _chosen(variable, source, newest, event if event is not None and uid in event.values else None, event)
        if not chosen:
            return Variable(kind)
        values = [one.values[uid] for one in (chosen if source == "DATAELEMENT_CURRENT_EVENT" else newest)]
        values.insert(0, values.pop(values.index(chosen[0].values[uid])))
        return self._filled(kind, variable, body, values, chosen[0].day[:10])

    def _filled(
        self, kind: Kind, variable: JsonObject, field_: JsonObject, values: list[str], day: str | None
    ) -> Variable:
        """A variable with values; those of an option set are the options' names unless it asks for codes."""
        options = reference(field_, "optionSet")
        if options and not variable.get("useCodeForOptionSet"):
            names = {
                option.get("code"): str(option.get("name"))
                for uid in ids(self.store.get("optionSets", options) or {}, "options")
                if (option := self.store.get("options", uid))
            }
            values = [names.get(value, value) for value in values]
            return Variable("TEXT", values[0], tuple(values), day)
        return Variable(kind, values[0], tuple(values), day)

    # Effects -----------------------------------------------------------------------------------------------------------

    def _apply(self, item: Item, effect: _Effect) -> None:
        """Do what a rule wants of an item."""
        stage: JsonObject = {}
        target = reference(effect.action, "dataElement") or reference(effect.action, "trackedEntityAttribute")
        if item.kind == "event":
            stage = self.store.get("programStages", item.text("programStage") or "") or {}
            elements = {reference(entry, "dataElement") for entry in objects(stage, "programStageDataElements")}
            if (target and target not in elements) or not _judged(item, stage):
                return
        completed = item.text("status") == "COMPLETED"
        match effect.action.get("programRuleActionType"):
            case "SHOWERROR":
                self._say(item, "E1300", effect, _message(effect, target))
            case "SHOWWARNING":
                self._warn(item, "E1300", effect, _message(effect, target))
            case "ERRORONCOMPLETE" if completed:
                self._say(item, "E1300", effect, _message(effect, target))
            case "WARNINGONCOMPLETE" if completed:
                self._warn(item, "E1300", effect, _message(effect, target))
            case "SETMANDATORYFIELD" if target:
                self._mandatory(item, effect, target)
            case "ASSIGN" if target:
                self._assign(item, effect, target)
            case _:
                return

    def _say(self, item: Item, code: str, effect: _Effect, *args: object) -> None:
        item.valid = False
        self.errors.append(Problem(item, code, (effect.rule, *args)))

    def _warn(self, item: Item, code: str, effect: _Effect, *args: object) -> None:
        self.warnings.append(Problem(item, code, (effect.rule, *args)))

    def _mandatory(self, item: Item, effect: _Effect, target: str) -> None:
        if item.kind == "enrollment":
            if not _texts(item.items("attributes"), "attribute").get(target):
                self._say(item, "E1306", effect, target)
            return
        given = {str(value.get("dataElement")): value.get("value") for value in item.items("dataValues")}
        if target in given and given[target] in {None, ""}:
            self._say(item, "E1314", effect, target)
        elif target not in given and target not in self._stored("event_value", "event", "data_element", item.uid):
            self._say(item, "E1301", effect, target)

    def _assign(self, item: Item, effect: _Effect, target: str) -> None:
        """Fill a field that is empty; one that has another value is an error unless a setting lets it be replaced."""
        of_event = item.kind == "event"
        plural, key, name, done, refused = _ELEMENTS if of_event else _ATTRIBUTES
        body = self.store.get(plural, target) or {}
        owner = item if of_event else self._holder(item, target)
        values = owner.items(name)
        given = _of(values, key, target)
        before = str((given or {}).get("value") or "")
        fits = self._is_option(body, effect.data)
        data = effect.data if fits else ""  # what is no option empties the field
        free = given is None or _same(data, before, body) if fits else not before
        if not free and not self.overwrites:
            self._say(item, refused, effect, target, data)
            return
        if fits:
            kept = [value for value in values if value is not given]
            owner.body[name] = [*kept, {**(given or {}), key: target, "value": data}]
        elif before:
            owner.body[name] = [{**value, "value": None} if value is given else value for value in values]
        self._warn(item, done, effect, target, item.uid if of_event else data)

    def _holder(self, item: Item, attribute: str) -> Item:
        """The tracked entity of the payload where it has the attribute, else the enrollment."""
        entity = self.bundle.find("trackedEntity", item.text("trackedEntity"))
        has = entity is not None and any(one.get("attribute") == attribute for one in entity.items("attributes"))
        return entity if entity is not None and has else item

    def _is_option(self, body: JsonObject, value: str) -> bool:
        options = reference(body, "optionSet")
        if not options:
            return True
        known = (
            self.store.get("options", uid) or {} for uid in ids(self.store.get("optionSets", options) or {}, "options")
        )
        return any(option.get("code") == value for option in known)


_ELEMENTS = ("dataElements", "dataElement", "dataValues", "E1308", "E1307")
_ATTRIBUTES = ("trackedEntityAttributes", "attribute", "attributes", "E1310", "E1309")
"""Where values of an event and of a tracked entity are: type, key, list; codes of an assignment done and refused."""


def _of(values: Iterable[JsonObject], key: str, target: str) -> JsonObject | None:
    """The value of an element or attribute among those of a payload's object."""
    return next((value for value in values if value.get(key) == target), None)


def _chosen(
    variable: JsonObject, source: str, newest: list[_Event], current: _Event | None, event: _Event | None
) -> list[_Event]:
    """The events that a variable may have its value of, the best first.

    Parameters:
        newest: the case's events that have a value, the newest first.
        current: the event that the rules run for, where it has a value; `event` is that event in any case.
    """
    match source:
        case "DATAELEMENT_CURRENT_EVENT":
            return [current] if current is not None else []
        case "DATAELEMENT_PREVIOUS_EVENT":
            return [one for one in newest if event is not None and one.day < event.day]
        case "DATAELEMENT_NEWEST_EVENT_PROGRAM_STAGE":
            stage = reference(variable, "programStage")
            return [one for one in newest if one.body.get("programStage") == stage]
        case _:
            return newest


def _given(item: Item) -> _Event:
    return _Event(item.uid, item.body, _texts(item.items("dataValues"), "dataElement"), item)


def _texts(values: list[JsonObject], key: str) -> dict[str, str]:
    return {
        str(value[key]): str(value["value"]) for value in values if value.get(key) and value.get("value") is not None
    }


def _holds(scope: Scope, condition: str) -> bool:
    return shown(scope.value(condition)).lower() == "true" if condition else False


def _evaluated(scope: Scope, rule: str, action: JsonObject) -> Iterator[_Effect]:
    """An action with its data; one that sets a variable does so, and is done."""
    text = str(action.get("data") or "")
    target = reference(action, "dataElement") or reference(action, "trackedEntityAttribute")
    try:
        data = shown(scope.value(text)) if text else ""
    except BadExpression:
        return
    if action.get("programRuleActionType") == "ASSIGN" and not target:
        name = str(action.get("content") or "").strip().removeprefix("#{").removeprefix("A{").removesuffix("}")
        if name:
            scope.variables[name] = Variable("TEXT", data)
        return
    yield _Effect(rule, action, data)


def _judged(item: Item, stage: JsonObject) -> bool:
    """Are the data values of an event to be judged yet?"""
    status = item.text("status") or "ACTIVE"
    strategy = stage.get("validationStrategy") or "ON_COMPLETE"
    return status not in _WITHOUT_VALUES and (status == "COMPLETED" or strategy == "ON_UPDATE_AND_INSERT")


def _message(effect: _Effect, target: str) -> str:
    content = effect.action.get("content")
    parts = [*([str(content)] if content is not None else []), effect.data, *([f"({target})"] if target else [])]
    return " ".join(parts)


def _same(wanted: str, given: str, body: JsonObject) -> bool:
    if wanted == given:
        return True
    try:
        return kind_of(cast("str | None", body.get("valueType"))) == "NUMBER" and float(wanted) == float(given)
    except ValueError:
        return False
