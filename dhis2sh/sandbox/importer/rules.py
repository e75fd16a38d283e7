"""What an import checks of program rules: their variables (E4051, E4052) and their actions (E4033 to E4050)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.store.references import id_of

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

KEYWORDS = {"and", "or", "not"}
"""Words that the name of a variable must not have."""


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
            rows = cast("list[JsonObject]", stage.get("programStageDataElements") or [])
            found |= {str(id_of(row.get("dataElement"))) for row in rows}
        return found

    def _attributes(self) -> set[str]:
        rows = cast("list[JsonObject]", self.program.get("programTrackedEntityAttributes") or [])
        return {str(id_of(row.get("trackedEntityAttribute"))) for row in rows}

    def subject(self) -> bool:
        """E4045 to E4048: the data element or attribute is there, and the program's. True when that is so."""
        if self.element is not None:
            if self.bundle.get("dataElements", self.element) is None:
                self.refuse("E4045", self.element)
            elif self.element not in self._elements():
                self.refuse("E4047", self.element)
        elif self.attribute is not None:
            if self.bundle.get("trackedEntityAttributes", self.attribute) is None:
                self.refuse("E4046", self.attribute)
            elif self.attribute not in self._attributes():
                self.refuse("E4048", self.attribute)
        return not self.item.errors

    def named(self, prop: str, plural: str, missing: str, unknown: str) -> None:
        """A property must be there and refer to something."""
        uid = id_of(self.body.get(prop))
        if uid is None:
            self.refuse(missing)
        elif self.bundle.get(plural, uid) is None:
            self.refuse(unknown, uid)


def _needs_subject(action: _Action) -> None:
    if action.element is None and action.attribute is None:
        action.refuse("E4044")
    else:
        action.subject()


def _assign(action: _Action) -> None:
    if not action.body.get("content") and action.element is None and action.attribute is None:
        action.refuse("E4050")
    else:
        action.subject()


def _hide_option(action: _Action) -> None:
    _needs_subject(action)
    if not action.item.errors:
        action.named("option", "options", "E4040", "E4041")


def _option_group(action: _Action) -> None:
    _needs_subject(action)
    if not action.item.errors:
        action.named("optionGroup", "optionGroups", "E4042", "E4043")


def _section(action: _Action) -> None:
    action.named("programStageSection", "programStageSections", "E4036", "E4037")


def _stage(action: _Action) -> None:
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
