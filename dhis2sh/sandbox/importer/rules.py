"""What an import checks of programs, their stages and rules, and of the types of tracked entities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.report import described
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.references import id_of, ids, rows

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

KEYWORDS = {"and", "or", "not"}
"""Words that the name of a variable must not have."""


# Programs --------------------------------------------------------------------------------------------------------------------


def _held(item: Item, collection: str, prop: str) -> Iterator[str]:
    """The UIDs that the rows of a collection refer to."""
    for row in rows(item.body.get(collection)):
        yield from ids(row.get(prop))


def _unreadable(bundle: Bundle, item: Item, plural: str, uids: Iterator[str]) -> None:
    """E3012: what it uses is not there, or the user may not read it."""
    resource = bundle.store.resources[plural]
    for uid in uids:
        found = bundle.get(plural, uid)
        if found is None or not bundle.rights.can_read(resource, found):
            user = bundle.user.get("username")
            item.refuse("E3012", f"{user} [{bundle.rights.uid}]", described(found or {"id": uid}, None))


def check_program(bundle: Bundle, item: Item) -> None:
    """E3012 of a program's attributes."""
    attributes = _held(item, "programTrackedEntityAttributes", "trackedEntityAttribute")
    _unreadable(bundle, item, "trackedEntityAttributes", attributes)


def check_stage(bundle: Bundle, item: Item) -> None:
    """E3012 of a stage's elements; E4053: it belongs to a program; E6001: the date of the next event is one of its own."""
    elements = [*_held(item, "programStageDataElements", "dataElement")]
    _unreadable(bundle, item, "dataElements", iter(elements))
    listed = any(item.uid in ids(other.body.get("programStages")) for other in bundle.items.get("programs", []))
    if not item.body.get("program") and not listed:
        item.refuse("E4053", item.uid)
    for uid in ids(item.body.get("nextScheduleDate")):
        if uid not in elements or (bundle.get("dataElements", uid) or {}).get("valueType") != "DATE":
            item.refuse("E6001", item.uid, "nextScheduleDate")


def check_entity_type(bundle: Bundle, item: Item) -> None:
    """E5001: an attribute of the type is not there."""
    for uid in _held(item, "trackedEntityTypeAttributes", "trackedEntityAttribute"):
        if bundle.get("trackedEntityAttributes", uid) is None:
            item.refuse("E5001", bundle.options.identifier, described({"id": uid}, "TrackedEntityAttribute"))


# Rules -----------------------------------------------------------------------------------------------------------------------


def check_rule(bundle: Bundle, item: Item) -> None:
    """E4057: a name is unique in its program. Raises `Refused` with 500 for a rule whose program is not there."""
    name, program = item.body.get("name"), id_of(item.body.get("program"))
    if program is None or bundle.get("programs", program) is None:
        raise Refused(500, 'Cannot invoke "org.hisp.dhis.program.Program.getUid()" because "program" is null')
    same = [
        uid for uid in bundle.store.inverse("programRules", "program").get(program, [])
        if (bundle.store.get("programRules", uid) or {}).get("name") == name
    ]  # fmt: skip
    if len(same) > (item.before is not None):
        item.refuse("E4057", name, program)


# Variables -------------------------------------------------------------------------------------------------------------------


def check_variable(bundle: Bundle, item: Item) -> None:
    """E4051: a name is unique in its program; E4052: it is not made of the words of an expression."""
    name, program = item.body.get("name"), id_of(item.body.get("program"))
    same = [
        uid for uid in bundle.store.inverse("programRuleVariables", "program").get(str(program), [])
        if (bundle.store.get("programRuleVariables", uid) or {}).get("name") == name
    ]  # fmt: skip
    if same and (bundle.options.strategy == "CREATE" or item.uid not in same):
        item.refuse("E4051", name, program)
    if not KEYWORDS.isdisjoint(str(name).split()):
        item.refuse("E4052", name)


_KEPT = {
    "CALCULATED_VALUE": set[str](),
    "DATAELEMENT_CURRENT_EVENT": {"dataElement"},
    "DATAELEMENT_NEWEST_EVENT_PROGRAM": {"dataElement"},
    "DATAELEMENT_PREVIOUS_EVENT": {"dataElement"},
    "DATAELEMENT_NEWEST_EVENT_PROGRAM_STAGE": {"dataElement", "programStage"},
    "TEI_ATTRIBUTE": {"trackedEntityAttribute"},
}
"""What a variable of each source refers to; the rest is emptied."""


def prepare_variable(bundle: Bundle, item: Item) -> None:
    """A variable keeps what its source needs, and has the value type of what it stands for."""
    kept = _KEPT.get(str(item.body.get("programRuleVariableSourceType")))
    if kept is None:
        return
    for name in {"dataElement", "programStage", "trackedEntityAttribute"} - kept:
        item.body.pop(name, None)
    for name, plural in (("dataElement", "dataElements"), ("trackedEntityAttribute", "trackedEntityAttributes")):
        source = bundle.get(plural, str(id_of(item.body.get(name))))
        if source is not None and "programStage" not in kept:
            item.body["valueType"] = source.get("valueType")


# Actions ---------------------------------------------------------------------------------------------------------------------


class _Action:
    """One action with its rule and program, and what it may refer to."""

    def __init__(self, bundle: Bundle, item: Item, rule: JsonObject) -> None:
        self.bundle, self.item, self.body = bundle, item, item.body
        self.rule = rule.get("name")
        self.program = bundle.get("programs", str(id_of(rule.get("program")))) or {}

    def refuse(self, code: str, *values: JsonValue) -> None:
        self.item.refuse(code, *values, self.rule)

    @property
    def element(self) -> str | None:
        return id_of(self.body.get("dataElement"))

    @property
    def attribute(self) -> str | None:
        return id_of(self.body.get("trackedEntityAttribute"))

    def _elements(self) -> set[str]:
        """The data elements of the program's stages."""
        found: set[str] = set()
        for reference in cast("list[JsonObject]", self.program.get("programStages") or []):
            stage = self.bundle.get("programStages", str(reference["id"])) or {}
            found |= {str(id_of(row.get("dataElement"))) for row in rows(stage.get("programStageDataElements"))}
        return found

    def _attributes(self) -> set[str]:
        held = rows(self.program.get("programTrackedEntityAttributes"))
        return {str(id_of(row.get("trackedEntityAttribute"))) for row in held}

    def subject(self, *, linked: bool = True) -> bool:
        """E4045 to E4048: the data element or attribute is there, and the program's. True when that is so.

        Parameters:
            linked: whether it must be the program's.
        """
        if self.element is not None:
            if self.bundle.get("dataElements", self.element) is None:
                self.refuse("E4045", self.element)
            elif linked and self.element not in self._elements():
                self.refuse("E4047", self.element)
        elif self.attribute is not None:
            if self.bundle.get("trackedEntityAttributes", self.attribute) is None:
                self.refuse("E4046", self.attribute)
            elif linked and self.attribute not in self._attributes():
                self.refuse("E4048", self.attribute)
        return not self.item.errors

    def named(self, prop: str, plural: str, missing: str, unknown: str) -> None:
        """A property must be there and refer to something."""
        uid = id_of(self.body.get(prop))
        if uid is None:
            self.refuse(missing)
        elif self.bundle.get(plural, uid) is None:
            self.refuse(unknown, uid)


def _no_subject(action: _Action) -> None:
    """E4058: what hides a section or a stage names no data element and no attribute."""
    if action.element is not None or action.attribute is not None:
        action.refuse("E4058", action.body.get("programRuleActionType"))


def _needs_subject(action: _Action) -> None:
    if action.element is None and action.attribute is None:
        action.refuse("E4044")
    else:
        action.subject()


def _assign(action: _Action) -> None:
    """What is assigned to must be there; it need not be the program's (real/outside, a package of 2.40)."""
    if not action.body.get("content") and action.element is None and action.attribute is None:
        action.refuse("E4050")
    else:
        action.subject(linked=False)


def _hide_option(action: _Action) -> None:
    _needs_subject(action)
    if not action.item.errors:
        action.named("option", "options", "E4040", "E4041")


def _option_group(action: _Action) -> None:
    _needs_subject(action)
    if not action.item.errors:
        action.named("optionGroup", "optionGroups", "E4042", "E4043")


def _section(action: _Action) -> None:
    _no_subject(action)
    action.named("programStageSection", "programStageSections", "E4036", "E4037")


def _stage(action: _Action) -> None:
    _no_subject(action)
    action.named("programStage", "programStages", "E4038", "E4039")


def _message(action: _Action) -> None:
    uid = action.body.get("templateUid")
    if not uid:
        action.refuse("E4035")
    elif action.bundle.get("programNotificationTemplates", str(uid)) is None:
        action.refuse("E4034", uid)


_VALIDATORS: Mapping[str, Callable[[_Action], None]] = {
    "ASSIGN": _assign,
    "HIDEFIELD": _needs_subject,
    "HIDEOPTION": _hide_option,
    "HIDEOPTIONGROUP": _option_group,
    "HIDEPROGRAMSTAGE": _stage,
    "HIDESECTION": _section,
    "SCHEDULEMESSAGE": _message,
    "SENDMESSAGE": _message,
    "SETMANDATORYFIELD": _needs_subject,
    "SHOWOPTIONGROUP": _option_group,
}
"""What each type of action must have; the others may be anything."""


def check_action(bundle: Bundle, item: Item) -> None:
    """E4034 to E4050: an action refers to what its type needs, and to its own program."""
    rule = bundle.get("programRules", str(id_of(item.body.get("programRule"))))
    validator = _VALIDATORS.get(str(item.body.get("programRuleActionType")))
    if rule is not None and validator is not None:
        validator(_Action(bundle, item, rule))
