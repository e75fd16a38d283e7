"""What breaks in program rules: expressions that the engine of 2.42 refuses, and names that nothing defines.

Only reading: no rule is run here. The checks come from the differences between the old engine (JavaScript) and the one
that the web Capture app uses from 2.42 on, where texts are not added with `+` and only booleans are negated with `!`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.errors import did_you_mean

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

type Severity = Literal["error", "warning"]

FUNCTIONS = frozenset({
    "addDays", "ceil", "concatenate", "condition", "count", "countIfValue", "countIfZeroPos", "daysBetween",
    "extractDataMatrixValue", "floor", "hasUserRole", "hasValue", "inOrgUnitGroup", "lastEventDate", "left", "length",
    "maxValue", "minValue", "minutesBetween", "modulus", "monthsBetween", "oizp", "relationshipCount", "right", "round",
    "split", "substring", "validatePattern", "weeksBetween", "yearsBetween", "zScoreHFA", "zScoreWFA", "zScoreWFH", "zing",
    "zpvc", "inUserGroup",
})  # fmt: skip
"""The `d2:` functions of the engine."""
BOOLEAN_FUNCTIONS = frozenset({"hasValue", "validatePattern", "inOrgUnitGroup", "hasUserRole", "inUserGroup"})
ENVIRONMENT = frozenset({
    "current_date", "completed_date", "creation_date", "due_date", "enrollment_count", "enrollment_date", "enrollment_id",
    "enrollment_status", "environment", "event_count", "event_date", "event_id", "event_status", "incident_date", "org_unit",
    "orgunit_code", "program_name", "program_stage_id", "program_stage_name", "scheduled_date", "tei_count", "username",
})  # fmt: skip
"""The variables `V{...}`."""
WANTS_FIELD = frozenset({"HIDEFIELD", "SETMANDATORYFIELD", "HIDEOPTION", "SHOWOPTIONGROUP", "HIDEOPTIONGROUP"})
WANTS_CONTENT = frozenset({"SHOWWARNING", "SHOWERROR", "WARNINGONCOMPLETE", "ERRORONCOMPLETE", "DISPLAYTEXT"})
BOOLEANS = frozenset({"BOOLEAN", "TRUE_ONLY"})
TEXTS = frozenset({"TEXT", "LONG_TEXT", "EMAIL", "PHONE_NUMBER", "LETTER", "USERNAME", "URL", "MULTI_TEXT"})

_STRING = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_VARIABLE = re.compile(r"([#A])\{([^}]*)\}")
_ENVIRONMENT = re.compile(r"V\{([^}]*)\}")
_FUNCTION = re.compile(r"\bd2:(\w+)\s*\(")
_NEGATED = re.compile(r"!(?!=)\s*(?:([#A])\{([^}]*)\}|d2:(\w+))")
_ADDED = re.compile(r"(?:(\x00\d+\x00)|([#A])\{([^}]*)\})\s*\+|\+\s*(?:(\x00\d+\x00)|([#A])\{([^}]*)\})")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a rule.

    Parameters:
        severity: `error` where the engine refuses the rule, else `warning`.
        where: `condition`, or the action that it is about.
        problem: what is wrong; `fix` what to write in its place.
    """

    severity: Severity
    where: str
    problem: str
    fix: str = ""


def check_expression(text: str, variables: Mapping[str, str | None], where: str) -> Iterator[Finding]:
    """What is wrong with one expression.

    Parameters:
        text: a condition, or the data of an action.
        variables: the program's variables by name, with the value type of each where it is known.
        where: what the findings say they are about.
    """
    yield from _balanced(text, where)
    strings: list[str] = []

    def put_aside(found: re.Match[str]) -> str:
        strings.append(found[0][1:-1])
        return f"\x00{len(strings) - 1}\x00"

    bare = _STRING.sub(put_aside, text)
    yield from _quoted(text, bare, strings, where)
    for sigil, name in _VARIABLE.findall(bare):
        if name not in variables and not _is_stage_path(name):
            hint = did_you_mean(name, list(variables)) or ""
            yield Finding("error", where, f"{sigil}{{{name}}} is no variable of the program", hint)
    for name in _ENVIRONMENT.findall(bare):
        if name not in ENVIRONMENT:
            hint = did_you_mean(name, sorted(ENVIRONMENT)) or ""
            yield Finding("error", where, f"V{{{name}}} is no variable of the engine", hint)
    for name in _FUNCTION.findall(bare):
        if name not in FUNCTIONS:
            hint = did_you_mean(name, sorted(FUNCTIONS)) or ""
            yield Finding("error", where, f"d2:{name} is no function of the engine", hint)
    yield from _negations(bare, variables, where)
    yield from _additions(bare, variables, where)


def _balanced(text: str, where: str) -> Iterator[Finding]:
    bare = _STRING.sub("", text)
    for opening, closing in ("()", "{}"):
        if bare.count(opening) != bare.count(closing):
            yield Finding("error", where, f"{bare.count(opening)} '{opening}' and {bare.count(closing)} '{closing}'")
    if re.search(r"['\"]", bare):
        yield Finding("error", where, "a quote is not closed")
    if re.search(r"(?<![=!<>])=(?!=)", bare):
        yield Finding("error", where, "a single = compares nothing", "write ==")


def _is_stage_path(name: str) -> bool:
    """`stageUid.elementUid`, as program indicators write it."""
    return bool(re.fullmatch(r"[a-zA-Z][a-zA-Z0-9]{10}(\.[a-zA-Z][a-zA-Z0-9]{10})?", name))


def _quoted(text: str, bare: str, strings: Sequence[str], where: str) -> Iterator[Finding]:
    """A variable in quotes is a text to the new engine; only d2:hasValue and its kin take a name in quotes."""
    del text
    for number, inside in enumerate(strings):
        if _VARIABLE.fullmatch(inside.strip()) and not re.search(rf"d2:\w+\(\s*\x00{number}\x00", bare):
            yield Finding(
                "error", where, f"'{inside}' in quotes is a text, not the variable", f"write {inside} without quotes"
            )


def _negations(bare: str, variables: Mapping[str, str | None], where: str) -> Iterator[Finding]:
    for sigil, name, function in _NEGATED.findall(bare):
        if function and function not in BOOLEAN_FUNCTIONS and function in FUNCTIONS:
            yield Finding("error", where, f"!d2:{function}(...) negates what is no boolean", f"d2:{function}(...) == 0")
        elif name and variables.get(name, "?") not in {*BOOLEANS, "?", None}:
            fix = f"!d2:hasValue({sigil}{{{name}}})"
            yield Finding("error", where, f"!{sigil}{{{name}}} negates a {variables[name]}: 2.42 refuses it", fix)
        elif name and variables.get(name) is None and name in variables:
            yield Finding(
                "warning", where, f"!{sigil}{{{name}}} is refused by 2.42 unless it is a boolean", "d2:hasValue(...)"
            )


def _additions(bare: str, variables: Mapping[str, str | None], where: str) -> Iterator[Finding]:
    for found in _ADDED.finditer(bare):
        text = found[1] or found[4]
        name = found[3] or found[6]
        if text is not None:
            yield Finding("error", where, "a text is added with +: 2.42 refuses it", "d2:concatenate(a, b)")
            return
        if variables.get(name) in TEXTS:
            yield Finding(
                "error", where, f"the text #{{{name}}} is added with +: 2.42 refuses it", "d2:concatenate(a, b)"
            )
            return


def check_rule(
    rule: Mapping[str, JsonValue], actions: Sequence[Mapping[str, JsonValue]], variables: Mapping[str, str | None]
) -> list[Finding]:
    """Everything that is wrong with one rule and its actions."""
    condition = str(rule.get("condition") or "").strip()
    found: list[Finding] = []
    if not condition:
        found.append(Finding("error", "condition", "it has no condition", "true, for a rule that always runs"))
    else:
        found += check_expression(condition, variables, "condition")
    if not actions:
        found.append(Finding("warning", "actions", "it has no action, so it does nothing"))
    for action in actions:
        kind = str(action.get("programRuleActionType"))
        data = str(action.get("data") or "").strip()
        found += _check_action(kind, data, action)
        if data:
            found += check_expression(data, variables, f"action {kind}")
    return found


def _check_action(kind: str, data: str, action: Mapping[str, JsonValue]) -> Iterator[Finding]:
    target = any(action.get(name) for name in ("dataElement", "trackedEntityAttribute"))
    where = f"action {kind}"
    if kind in WANTS_FIELD and not target:
        yield Finding("error", where, "it names no data element or attribute")
    if kind == "ASSIGN":
        if not data:
            yield Finding("error", where, "it assigns nothing", "data: an expression")
        if not target and not action.get("content"):
            yield Finding("error", where, "it assigns to nothing", "a data element, an attribute or a calculated value")
    if kind in {"HIDESECTION"} and not action.get("programStageSection"):
        yield Finding("error", where, "it names no section")
    if kind in {"HIDEPROGRAMSTAGE"} and not action.get("programStage"):
        yield Finding("error", where, "it names no stage")
    if kind in WANTS_CONTENT and not (data or action.get("content")):
        yield Finding("warning", where, "it shows nothing", "content: a text")


def variables_of(rows: Sequence[Mapping[str, JsonValue]], types: Mapping[str, str]) -> dict[str, str | None]:
    """A program's variables by name, with their value type.

    Parameters:
        rows: program rule variables with their source.
        types: value types of data elements and attributes by UID.
    """
    found: dict[str, str | None] = {}
    for row in rows:
        held = row.get("dataElement") or row.get("trackedEntityAttribute")
        uid = cast("JsonObject", held).get("id") if isinstance(held, dict) else None
        calculated = row.get("valueType") if not uid else None
        found[str(row["name"])] = types.get(str(uid)) if uid else cast("str | None", calculated)
    return found


def variables_in(text: str) -> list[str]:
    """The names of the program's variables that an expression reads."""
    return list(dict.fromkeys(name for _, name in _VARIABLE.findall(text)))
