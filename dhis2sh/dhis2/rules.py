"""What breaks in program rules: expressions that the engine of 2.42 refuses, and names that nothing defines.

Only reading: no rule is run here. Until 2.41 the web app ran rules as JavaScript; from 2.42 on it uses the engine of
Android and the server, in which texts are not added with `+`, only booleans are negated with `!`, texts stand in quotes
and variables do not.

API source: `dhis2/dhis2-rule-engine` (`RuleVariableValueMapBuilder`), `dhis2/expression-parser` (`ExpressionGrammar`,
`TypeChecker`, `BinaryOperator`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.formulas import BadExpression, Binary, Call, Item, Node, Unary, calls, parse
from dhis2sh.dhis2.formulas import Literal as Constant
from dhis2sh.dhis2.languages import LANGUAGES
from dhis2sh.errors import did_you_mean
from dhis2sh.words import with_article

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

type Severity = Literal["error", "warning"]
type Kind = Literal["NUMBER", "TEXT", "BOOLEAN", "DATE"]

FUNCTIONS = LANGUAGES["programRules"].functions
ENVIRONMENT: Mapping[str, Kind] = {
    "current_date": "DATE", "completed_date": "DATE", "due_date": "DATE", "enrollment_date": "DATE", "event_date": "DATE",
    "incident_date": "DATE", "enrollment_count": "NUMBER", "event_count": "NUMBER", "tei_count": "NUMBER",
    "enrollment_id": "TEXT", "enrollment_status": "TEXT", "environment": "TEXT", "event_id": "TEXT", "event_status": "TEXT",
    "org_unit": "TEXT", "orgunit_code": "TEXT", "program_name": "TEXT", "program_stage_id": "TEXT", "program_stage_name": "TEXT",
}  # fmt: skip
"""The variables `V{...}` of the engine, with what each holds."""
WANTS = {
    "HIDEFIELD": ("dataElement", "trackedEntityAttribute"), "SETMANDATORYFIELD": ("dataElement", "trackedEntityAttribute"),
    "HIDEOPTION": ("option",), "SHOWOPTIONGROUP": ("optionGroup",), "HIDEOPTIONGROUP": ("optionGroup",),
    "HIDESECTION": ("programStageSection",), "HIDEPROGRAMSTAGE": ("programStage",),
}  # fmt: skip
"""What an action of each kind points to: one of these."""
WANTS_CONTENT = frozenset({"SHOWWARNING", "SHOWERROR", "WARNINGONCOMPLETE", "ERRORONCOMPLETE", "DISPLAYTEXT"})
_BOOLEANS = frozenset({"BOOLEAN", "TRUE_ONLY"})
_DATES = frozenset({"DATE", "DATETIME", "AGE"})
_NUMBERS = re.compile(r"INTEGER|NUMBER|PERCENTAGE|UNIT_INTERVAL")
_VARIABLE = re.compile(r"([#A])\{([^}]*)\}")
_REFERENCE = re.compile(r"\s*[#AVC]\{[^}]*\}\s*")
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)\s*")


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


def check_expression(
    text: str, variables: Mapping[str, str | None], where: str, *, condition: bool = False
) -> Iterator[Finding]:
    """What is wrong with one expression.

    Parameters:
        text: a condition, or the data of an action.
        variables: the program's variables by name, with the value type of each where it is known.
        where: what the findings say they are about.
        condition: it has to be true or false.
    """
    try:
        tree = parse(text)
    except BadExpression as error:
        yield Finding("error", where, f"it cannot be read: {error}", _rewritten(text, str(error)))
        return
    check = _Check(variables, where)
    yield from check.node(tree)
    kind = check.kind(tree)
    if condition and kind in {"TEXT", "DATE"}:
        yield Finding("error", where, f"it is {with_article(kind)}, not true or false", _has_value(tree))


def _rewritten(text: str, problem: str) -> str:
    """How to write what the new engine cannot read."""
    if re.search(r"(?<![=!<>])=(?!=)", text):
        return "compare with =="
    if "===" in text or "!==" in text:
        return "compare with == and !="
    if "?" in text:
        return "d2:condition('test', then, else)"
    word = re.search(r"'([^']+)' is neither", problem)
    if word or re.fullmatch(r"[\w .,;:!-]+", text):
        return (
            f"a text stands in quotes: '{text.strip()}'"
            if re.fullmatch(r"[^'#{}()]+", text)
            else "texts stand in quotes"
        )
    return ""


@dataclass(frozen=True, slots=True)
class _Check:
    """Walks over an expression's tree."""

    variables: Mapping[str, str | None]
    where: str

    def node(self, node: Node) -> Iterator[Finding]:
        match node:
            case Item():
                yield from self.item(node)
            case Call():
                yield from self.call(node)
            case Unary(_, operand):
                yield from self.node(operand)
                yield from self.negation(node)
            case Binary("+", _, _):
                parts = [*_summands(node)]
                for part in parts:
                    yield from self.node(part)
                yield from self.sum(parts)
            case Binary(_, left, right):
                yield from self.node(left)
                yield from self.node(right)
                yield from self.operator(node)
            case Constant(value) if isinstance(value, str) and _REFERENCE.fullmatch(value):
                yield self.error(f"'{value}' in quotes is a text, not the variable", f"write {value} without quotes")
            case Constant():
                return

    def error(self, problem: str, fix: str = "") -> Finding:
        return Finding("error", self.where, problem, fix)

    def item(self, item: Item) -> Iterator[Finding]:
        name = ".".join(item.parts)
        if item.kind in {"#", "A"}:
            if name not in self.variables:
                yield self.error(
                    f"{item.text} is no variable of the program", did_you_mean(name, list(self.variables)) or ""
                )
        elif item.kind == "V":
            if name not in ENVIRONMENT:
                yield self.error(
                    f"{item.text} is no variable of the engine", did_you_mean(name, list(ENVIRONMENT)) or ""
                )
        elif item.kind != "C":
            yield self.error(
                f"{item.text} is not known in rules", "#{variable}, A{variable}, C{constant}, V{current_date}"
            )

    def call(self, call: Call) -> Iterator[Finding]:
        known = FUNCTIONS.get(call.name)
        yield from (self.error(*problem) for problem in _misuse(call))
        for number, argument in enumerate(call.arguments):
            said = argument.value if isinstance(argument, Constant) and isinstance(argument.value, str) else None
            if call.name == "d2:condition" and number == 0 and said is not None:
                yield from check_expression(said, self.variables, self.where, condition=True)
            elif known is not None and known.of_item and number == 0 and said is not None:
                yield from self.quoted(call.name, said)
            else:
                yield from self.node(argument)

    def quoted(self, function: str, said: str) -> Iterator[Finding]:
        """The name of a variable in quotes, as `d2:hasValue` takes it: still read, but not what is asked for."""
        bare = _VARIABLE.fullmatch(said.strip())
        name = bare[2] if bare else said
        if name not in self.variables:
            yield self.error(f"'{said}' is no variable of the program", did_you_mean(name, list(self.variables)) or "")
        elif bare:
            yield self.error(f"{function}('{said}'): variables stand without quotes", f"{function}({said})")
        else:
            fix = f"{function}(#{{{said}}})"
            yield Finding(
                "warning", self.where, f"{function}('{said}'): variables stand without quotes from 2.42 on", fix
            )

    def negation(self, node: Unary) -> Iterator[Finding]:
        if node.operator != "!":
            return
        operand = node.operand
        if isinstance(operand, Item):
            name = ".".join(operand.parts)
            type_ = self.variables.get(name) if operand.kind in {"#", "A"} else self.kind(operand)
            if type_ is None and name in self.variables:
                problem = f"!{operand.text} is refused by 2.42 unless it is a boolean"
                yield Finding("warning", self.where, problem, f"!d2:hasValue({operand.text})")
            elif type_ is not None and type_ not in _BOOLEANS:
                problem = f"!{operand.text} negates {with_article(type_)}: 2.42 refuses it"
                yield self.error(problem, f"!d2:hasValue({operand.text})")
        elif (kind := self.kind(operand)) in {"TEXT", "DATE"}:
            yield self.error(f"! negates {with_article(kind)}: 2.42 refuses it", "compare it with ==")
        elif kind == "NUMBER":
            yield Finding("warning", self.where, "! negates a number", "compare it: ... == 0")

    def operator(self, node: Binary) -> Iterator[Finding]:
        sides = [(side, self.kind(side)) for side in (node.left, node.right)]
        if node.operator in {"&&", "||"}:
            for side, kind in sides:
                if kind in {"TEXT", "DATE"}:
                    yield self.error(
                        f"{node.operator} takes what is true or false, not {_said(side, kind)}", _has_value(side)
                    )
        elif node.operator in {"-", "*", "/", "%", "^"}:
            wrong = next(
                ((side, kind) for side, kind in sides if kind in {"TEXT", "DATE"} and not _is_number(side)), None
            )
            if wrong is not None:
                fix = f"d2:daysBetween({_written(node.right)}, {_written(node.left)})" if node.operator == "-" else ""
                yield self.error(
                    f"{node.operator} takes numbers, not {_said(*wrong)}", fix if wrong[1] == "DATE" else ""
                )

    def sum(self, parts: Sequence[Node]) -> Iterator[Finding]:
        """What is wrong with a sum: texts were joined by it, dates never could be added."""
        kinds = [(part, self.kind(part)) for part in parts if not _is_number(part)]
        if text := next((part for part, kind in kinds if kind == "TEXT"), None):
            whole = ", ".join(_written(part) for part in parts)
            yield self.error(f"{_said(text, 'TEXT')} is added with +: 2.42 refuses it", f"d2:concatenate({whole})")
        elif date := next((part for part, kind in kinds if kind == "DATE"), None):
            yield self.error(f"+ takes numbers, not {_said(date, 'DATE')}", "d2:addDays(date, days)")

    def kind(self, node: Node) -> Kind | None:
        """What a part of an expression gives; None where that is not known."""
        match node:
            case Constant(value):
                return {bool: "BOOLEAN", str: "TEXT", float: "NUMBER"}.get(type(value))  # type: ignore[return-value]
            case Item("V", parts):
                return ENVIRONMENT.get(parts[0])
            case Item("C", _):
                return "NUMBER"
            case Item(_, parts):
                return kind_of(self.variables.get(".".join(parts)))
            case Unary(operator, _):
                return "BOOLEAN" if operator == "!" else "NUMBER"
            case Binary("+" | "-" | "*" | "/" | "%" | "^", _, _):
                return "NUMBER"
            case Binary():
                return "BOOLEAN"
            case Call(name, arguments):
                known = FUNCTIONS.get(name)
                if known is None or known.result == "SAME":
                    return self.kind(arguments[-1]) if known is not None and arguments else None
                return cast("Kind", known.result)


def kind_of(value_type: str | None) -> Kind | None:
    """The kind of a DHIS2 value type."""
    if value_type is None:
        return None
    if value_type in _BOOLEANS:
        return "BOOLEAN"
    if value_type in _DATES:
        return "DATE"
    return "NUMBER" if _NUMBERS.match(value_type) else "TEXT"


def _misuse(call: Call) -> Iterator[tuple[str, str]]:
    """A function that there is not, or that takes other arguments: the problem and the fix."""
    known = FUNCTIONS.get(call.name)
    if known is None:
        others = [
            name for plural, language in LANGUAGES.items() if call.name in language.functions for name in [plural]
        ]
        elsewhere = f" (of {', '.join(others)})" if others else ""
        near = did_you_mean(call.name, list(FUNCTIONS), limit=1) or ""
        yield f"{call.name} is no function of the engine{elsewhere}", near
    elif (wrong := known.count_problem(len(call.arguments))) is not None:
        yield f"{call.name} {wrong}", ""


def _summands(node: Node) -> Iterator[Node]:
    """The parts of a sum of sums."""
    if isinstance(node, Binary) and node.operator == "+":
        yield from _summands(node.left)
        yield from _summands(node.right)
    else:
        yield node


def _written(node: Node) -> str:
    """A part of an expression as it was written, where that is short."""
    if isinstance(node, Item):
        return node.text
    if isinstance(node, Constant):
        return (
            f"'{node.value}'"
            if isinstance(node.value, str)
            else f"{node.value:g}"
            if isinstance(node.value, float)
            else "..."
        )
    return f"{node.name}(...)" if isinstance(node, Call) else "..."


def _said(node: Node, kind: str | None) -> str:
    return f"the {kind} {node.text}" if isinstance(node, Item) else with_article(str(kind).lower())


def _has_value(node: Node) -> str:
    return f"d2:hasValue({node.text})" if isinstance(node, Item) else "compare it with =="


def _is_number(node: Node) -> bool:
    """A number in quotes counts as one."""
    return isinstance(node, Constant) and isinstance(node.value, str) and _NUMBER.fullmatch(node.value) is not None


# Rules and their actions ------------------------------------------------------------------------------------------------


def check_rule(
    rule: Mapping[str, JsonValue], actions: Sequence[Mapping[str, JsonValue]], variables: Mapping[str, str | None]
) -> list[Finding]:
    """Everything that is wrong with one rule and its actions."""
    condition = str(rule.get("condition") or "").strip()
    found: list[Finding] = []
    if not condition:
        found.append(Finding("error", "condition", "it has no condition", "true, for a rule that always runs"))
    else:
        found += check_expression(condition, variables, "condition", condition=True)
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
    where = f"action {kind}"
    wanted = WANTS.get(kind, ())
    if wanted and not any(action.get(name) for name in wanted):
        yield Finding("error", where, f"it names no {' or '.join(wanted)}")
    if kind == "ASSIGN":
        if not data:
            yield Finding("error", where, "it assigns nothing", "data: an expression")
        if not any(action.get(name) for name in ("dataElement", "trackedEntityAttribute", "content")):
            yield Finding("error", where, "it assigns to nothing", "a data element, an attribute or a calculated value")
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
    """The names of the program's variables that an expression reads, those in quotes as functions take them too."""
    found = [name for _, name in _VARIABLE.findall(text)]
    try:
        called = [call for call in calls(parse(text)) if call.name in FUNCTIONS and FUNCTIONS[call.name].of_item]
    except BadExpression:
        called = []
    first = [call.arguments[0] for call in called if call.arguments]
    found += [one.value for one in first if isinstance(one, Constant) and isinstance(one.value, str)]
    return list(dict.fromkeys(found))
