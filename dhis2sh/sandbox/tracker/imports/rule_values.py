"""The expressions of program rules: their variables, environment, constants and `d2:` functions.

What the engine cannot read or work out raises `BadExpression`, as it does there: such a rule, or action, does nothing.

API source: `dhis2/dhis2-rule-engine` (`RuleVariableValueMapBuilder`, `RuleConditionEvaluator`).
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dhis2sh.dhis2.formulas import BadExpression, Binary, Call, Item, Literal, Node, Unary, Value, evaluate, parse
from dhis2sh.dhis2.languages import LANGUAGES
from dhis2sh.dhis2.rules import Kind


@dataclass(frozen=True, slots=True)
class Variable:
    """What a variable holds: its newest value as it is stored, every value there is, and the day of the newest."""

    kind: Kind
    value: str | None = None
    values: Sequence[str] = ()
    day: str | None = None


@dataclass(slots=True)
class Scope:
    """What an expression may refer to.

    Parameters:
        variables: by name, without its brackets; also `V{...}`.
        constants: by UID.
        members: of `d2:hasUserRole`, `d2:inUserGroup` and `d2:inOrgUnitGroup`, what the import's user and org unit are in.
    """

    variables: dict[str, Variable]
    constants: Mapping[str, float] = field(default_factory=dict[str, float])
    members: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def value(self, text: str) -> Value:
        """The value of an expression. Raises `BadExpression`."""
        return self._value(parse(text))

    def _value(self, node: Node) -> Value:
        match node:
            case Item():
                return self._item(node)
            case Unary(operator, operand):
                return evaluate(Unary(operator, Literal(self._value(operand))), self._item)
            case Binary("&&" | "||" as operator, left, right):
                first = self._value(left)
                if bool(first) == (operator == "||"):
                    return bool(first)
                return bool(self._value(right))
            case Binary(operator, left, right):
                return evaluate(Binary(operator, Literal(self._value(left)), Literal(self._value(right))), self._item)
            case Call(name, arguments):
                return self._call(name, arguments)
            case Literal(value):
                return value

    def _item(self, item: Item) -> Value:
        name = ".".join(item.parts)
        if item.kind == "C":
            if name not in self.constants:
                raise BadExpression(f"{item.text} is no constant")
            return self.constants[name]
        return _typed(self._variable(item))

    def _variable(self, node: Node) -> Variable:
        """The variable that a function is asked about: as a reference, or by its name in quotes."""
        if isinstance(node, Literal) and isinstance(node.value, str):
            quoted = re.fullmatch(r"[#A]\{([^}]*)\}", node.value.strip())
            name = quoted[1] if quoted else node.value
        elif isinstance(node, Item):
            name = ".".join(node.parts)
        else:
            raise BadExpression("a variable is expected")
        if name not in self.variables:
            raise BadExpression(f"{name} is no variable")
        return self.variables[name]

    def _call(self, name: str, arguments: Sequence[Node]) -> Value:
        known = LANGUAGES["programRules"].functions.get(name)
        if known is None or known.count_problem(len(arguments)):
            raise BadExpression(f"{name} cannot be called so")
        if name in _OF_VARIABLES:
            rest = [self._value(one) for one in arguments[1:]]
            return _OF_VARIABLES[name](self._variable(arguments[0]), *rest)
        if name == "d2:condition":
            test = arguments[0]
            said = self.value(str(test.value)) if isinstance(test, Literal) and isinstance(test.value, str) else None
            return self._value(arguments[1 if (self._value(test) if said is None else said) else 2])
        if name in _MEMBERSHIPS:
            return str(self._value(arguments[0])) in self.members.get(name, frozenset())
        values = [self._value(one) for one in arguments]
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](*values)
        return evaluate(Call(name, tuple(Literal(value) for value in values)), self._item)


def shown(value: Value) -> str:
    """A result as text: whole numbers without a fraction."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return "" if value is None else str(value)


def _typed(variable: Variable) -> Value:
    """A variable without a value is zero, false or empty."""
    match variable.kind:
        case "NUMBER":
            return _number(variable.value) if variable.value else 0.0
        case "BOOLEAN":
            return variable.value == "true"
        case _:
            return variable.value or ""


def _number(value: Value) -> float:
    try:
        return float(value if value is not None else "")
    except ValueError:
        raise BadExpression(f"'{value}' is no number") from None


def _day(value: Value) -> dt.date:
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        raise BadExpression(f"'{value}' is no date") from None


def _days(first: Value, second: Value) -> float:
    return float((_day(second) - _day(first)).days)


def _months(first: Value, second: Value) -> float:
    a, b = _day(first), _day(second)
    if b < a:
        return -_months(second, first)
    return float((b.year - a.year) * 12 + b.month - a.month - (b.day < a.day))


def _round(value: Value, places: Value = 0.0) -> float:
    scale = 10 ** _number(places)
    return math.floor(_number(value) * scale + 0.5) / scale


def _part(text: Value, first: Value, last: Value) -> str:
    return str(text)[int(_number(first)) : int(_number(last))]


def _split(text: Value, separator: Value, place: Value) -> str:
    parts = str(text).split(str(separator)) if separator else [str(text)]
    number = int(_number(place))
    return parts[number] if 0 <= number < len(parts) else ""


def _matches(text: Value, pattern: Value) -> bool:
    try:
        return re.fullmatch(str(pattern), shown(text)) is not None
    except re.error:
        raise BadExpression(f"'{pattern}' is no pattern") from None


def _later(day: Value, days: Value) -> str:
    return (_day(day) + dt.timedelta(days=_number(days))).isoformat()


def _numbers(variable: Variable) -> list[float]:
    return [_number(value) for value in variable.values]


def _has_value(variable: Variable) -> bool:
    return variable.value is not None


def _last_day(variable: Variable) -> str:
    return variable.day or ""


def _count_if(variable: Variable, wanted: Value) -> float:
    return float(sum(value == shown(wanted) for value in variable.values))


def _count(variable: Variable) -> float:
    return float(len(variable.values))


def _count_positive(variable: Variable) -> float:
    return float(sum(number >= 0 for number in _numbers(variable)))


def _most(variable: Variable) -> float:
    return max(_numbers(variable), default=math.nan)


def _least(variable: Variable) -> float:
    return min(_numbers(variable), default=math.nan)


def _weeks(first: Value, second: Value) -> float:
    return float(int(_days(first, second) / 7))


def _years(first: Value, second: Value) -> float:
    return float(int(_months(first, second) / 12))


def _joined(*parts: Value) -> str:
    return "".join(shown(part) for part in parts)


def _length(text: Value) -> float:
    return float(len(shown(text)))


def _left(text: Value, count: Value) -> str:
    return shown(text)[: int(_number(count))]


def _right(text: Value, count: Value) -> str:
    return shown(text)[-int(_number(count)) :] if _number(count) else ""


def _contains(text: Value, *parts: Value) -> bool:
    return all(shown(part) in shown(text) for part in parts)


def _contains_items(text: Value, *parts: Value) -> bool:
    return all(shown(part) in shown(text).split(",") for part in parts)


def _positive(*values: Value) -> float:
    return float(sum(_number(value) >= 0 for value in values))


_MEMBERSHIPS = frozenset({"d2:hasUserRole", "d2:inUserGroup", "d2:inOrgUnitGroup"})
_OF_VARIABLES: Mapping[str, Callable[..., Value]] = {
    "d2:hasValue": _has_value,
    "d2:count": _count,
    "d2:countIfValue": _count_if,
    "d2:countIfZeroPos": _count_positive,
    "d2:maxValue": _most,
    "d2:minValue": _least,
    "d2:lastEventDate": _last_day,
}
"""Functions that ask about a variable, not about its value."""
_FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "d2:daysBetween": _days,
    "d2:weeksBetween": _weeks,
    "d2:monthsBetween": _months,
    "d2:yearsBetween": _years,
    "d2:addDays": _later,
    "d2:concatenate": _joined,
    "d2:length": _length,
    "d2:left": _left,
    "d2:right": _right,
    "d2:substring": _part,
    "d2:split": _split,
    "d2:validatePattern": _matches,
    "d2:contains": _contains,
    "d2:containsItems": _contains_items,
    "d2:round": _round,
    "d2:zpvc": _positive,
}
