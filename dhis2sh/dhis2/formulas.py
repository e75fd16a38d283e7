"""Expressions of indicators, predictors, validation rules, program indicators and rules: parse, walk, describe, evaluate.

    tree = parse("#{fbfJHSPpUQD} / C{Gfd3ppDfq8E} * 100")
    items(tree)                      what it refers to, to be read before it is evaluated
    describe(tree, name_of)          the same text with names for UIDs
    evaluate(tree, value_of)         its value; `value_of(item)` gives the value of each item, None for none

An operator or function of numbers over a missing value gives a missing value, unless the caller's `value_of` puts zero in
its place, as the missing-value strategies do.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

type Value = float | str | bool | None


class BadExpression(Exception):
    """An expression that is not well-formed; the text says what was found where."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, true, false or null."""

    value: Value


@dataclass(frozen=True, slots=True)
class Item:
    """A reference: `#{...}`, `A{...}`, `C{...}`, `V{...}`, `[days]`.

    Parameters:
        kind: what stands before the brace (`#`, `A`, `C`, `D`, `I`, `N`, `OUG`, `R`, `V`), or `days`.
        parts: the text in the braces, cut at its dots; a prefix (`deGroup:`) stays with its part.
        modifiers: what follows (`.periodOffset(-1)`), as names and arguments.
    """

    kind: str
    parts: tuple[str, ...]
    modifiers: tuple[tuple[str, tuple[Value, ...]], ...] = ()

    @property
    def text(self) -> str:
        """As it is written, without modifiers."""
        return "[days]" if self.kind == "days" else f"{self.kind}{{{'.'.join(self.parts)}}}"


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments: `if(...)`, `d2:daysBetween(...)`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`-a`, `+a`, `!a`, `not a`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides and an operator between them, in its symbol form (`&&` for `and`)."""

    operator: str
    left: Node
    right: Node


type Node = Literal | Item | Call | Unary | Binary

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<item>(?:\#|OUG|PS_EVENTDATE|[ACDINRV])\{[^}]*\})
    | (?P<days>\[days\])
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<uid>PS_EVENTDATE:\s*[a-zA-Z][a-zA-Z0-9]{10})
    | (?P<name>d2:[a-zA-Z]\w*|[a-zA-Z_]\w*)
    | (?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%^<>!(),.:])
    )""",
    re.VERBOSE,
)
_UNCLOSED = re.compile(r"""\s*((?:\#|OUG|[ACDINRV])\{)[^}]*$|\s*(")(?:[^"\\]|\\.)*$|\s*(')(?:[^'\\]|\\.)*$""")
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_WORDS = {"and": "&&", "or": "||", "not": "!"}
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "null": None}


class _Parser:
    """Recursive descent over the operators' levels; power binds tightest and to the right of a sign."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0

    @property
    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at]

    def take(self) -> tuple[str, str]:
        found = self.tokens[self.at]
        self.at += found[0] != "end"  # the end stays where it is
        return found

    def accept(self, *operators: str) -> str | None:
        kind, text = self.peek
        if kind == "operator" and text in operators:
            self.at += 1
            return text
        return None

    def expect(self, operator: str) -> None:
        if not self.accept(operator):
            raise BadExpression(f"'{operator}' expected, found {_shown(self.peek[1])}")

    def whole(self) -> Node:
        node = self.level(0)
        if self.peek[0] != "end":
            raise BadExpression(f"{_shown(self.peek[1])} is not expected here")
        return node

    def level(self, number: int) -> Node:
        if number == len(_LEVELS):
            return self.unary()
        node = self.level(number + 1)
        while operator := self.accept(*_LEVELS[number]):
            node = Binary(operator, node, self.level(number + 1))
        return node

    def unary(self) -> Node:
        operator = self.accept("-", "+", "!")
        return Unary(operator, self.unary()) if operator else self.power()

    def power(self) -> Node:
        node = self.primary()
        while self.accept("^"):
            node = Binary("^", node, self.unary())
        return node

    def primary(self) -> Node:
        kind, text = self.take()
        match kind:
            case "number":
                return Literal(float(text))
            case "text":
                return Literal(re.sub(r"\\(.)", r"\1", text[1:-1]))
            case "item":
                head, _, inside = text[:-1].partition("{")
                return self.modified(Item(head, tuple(part.strip() for part in inside.split("."))))
            case "uid":
                head, _, inside = text.partition(":")
                return Item(head, (inside.strip(),))
            case "days":
                return Item("days", ())
            case "name":
                return self.named(text)
            case "operator" if text == "(":
                node = self.level(0)
                self.expect(")")
                return node
            case _:
                raise BadExpression(f"{_shown(text)} is not expected here")

    def named(self, text: str) -> Node:
        if text in _CONSTANTS:
            return Literal(_CONSTANTS[text])
        while self.accept("."):  # orgUnit.ancestor(...)
            text += "." + self.take()[1]
        if not self.accept("("):
            raise BadExpression(f"'{text}' is neither a function nor a value")
        arguments: list[Node] = []
        while not self.accept(")"):
            if arguments:
                self.expect(",")
            kind, word = self.peek
            following = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else ("end", "")
            if kind == "name" and following[1] in {",", ")"} and word not in _CONSTANTS:
                self.take()
                arguments.append(Literal(word))  # a bare UID: orgUnit.group(uid, uid)
            else:
                arguments.append(self.level(0))
        return self.modified(Call(text, tuple(arguments)))

    def modified(self, node: Item | Call) -> Item | Call:
        """`.periodOffset(-1)`, `.aggregationType(AVERAGE)` and the like after an item."""
        while self.accept("."):
            name = self.take()[1]
            self.expect("(")
            arguments: list[Value] = []
            while not self.accept(")"):
                if arguments:
                    self.expect(",")
                sign = -1 if self.accept("-") else 1
                kind, text = self.take()
                arguments.append(sign * float(text) if kind == "number" else text)
            if isinstance(node, Item):
                node = Item(node.kind, node.parts, (*node.modifiers, (name, tuple(arguments))))
        return node


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if unclosed := _UNCLOSED.match(text, at):
            raise BadExpression(f"'{unclosed[unclosed.lastindex or 0]}' is not closed")
        if found is None or found.lastgroup is None:
            raise BadExpression(f"'{text[at:].strip()[0]}' is not expected here")
        kind, word = found.lastgroup, found[found.lastgroup]
        at = found.end()
        if kind == "name" and word in _WORDS:
            kind, word = "operator", _WORDS[word]
        yield kind, word
    yield "end", ""


def _shown(text: str) -> str:
    """A token in a message."""
    return f"'{text}'" if text else "the end"


def parse(text: str) -> Node:
    """The tree of an expression. Raises `BadExpression`."""
    return _Parser(text).whole()


def walk(node: Node) -> Iterator[Node]:
    """An expression and every part of it, the outer before the inner, in the order in which they are written."""
    yield node
    match node:
        case Call(_, arguments):
            parts = arguments
        case Unary(_, operand):
            parts = (operand,)
        case Binary(_, left, right):
            parts = (left, right)
        case Item() | Literal():
            parts = ()
    for part in parts:
        yield from walk(part)


def items(node: Node) -> Iterator[Item]:
    """Every reference in an expression, in its order; one that stands there twice comes twice."""
    return (part for part in walk(node) if isinstance(part, Item))


def calls(node: Node) -> Iterator[Call]:
    """Every function that an expression calls, the outer before the inner."""
    return (part for part in walk(node) if isinstance(part, Call))


_REFERENCE = re.compile(r"(?:#|OUG|PS_EVENTDATE|[ACDINRV])\{[^}]*\}|PS_EVENTDATE:\s*\w{11}|\[days\]")


def describe(text: str, name_of: Callable[[Item], str]) -> str:
    """An expression with names in the place of its references. Raises `BadExpression`.

    Parameters:
        text: the expression; spaces and brackets stay as they are.
        name_of: the words for a reference.
    """
    names = {item.text: name_of(item) for item in items(parse(text))}
    return _REFERENCE.sub(lambda found: names.get(re.sub(r"\s", "", found[0]), found[0]), text)


# Evaluation ------------------------------------------------------------------------------------------------------------


def evaluate(node: Node, value_of: Callable[[Item], Value | Sequence[float]]) -> Value:
    """The value of an expression.

    Parameters:
        node: the tree.
        value_of: the value of a reference; None for none. Inside `avg(...)` and the like it may give several.

    Raises `BadExpression` for a function that there is not, or a type that an operator cannot take.
    """
    match node:
        case Literal(value):
            return value
        case Item():
            found = value_of(node)
            return _sole(found)
        case Unary(operator, operand):
            return _unary(operator, evaluate(operand, value_of))
        case Binary("&&" | "||" as operator, left, right):
            return _logical(operator, evaluate(left, value_of), lambda: evaluate(right, value_of))
        case Binary(operator, left, right):
            return _binary(operator, evaluate(left, value_of), evaluate(right, value_of))
        case Call(name, arguments):
            return _call(name, arguments, value_of)


def _sole(value: Value | Sequence[float]) -> Value:
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    return value[0] if len(value) == 1 else None


def _unary(operator: str, value: Value) -> Value:
    if value is None:
        return None
    return not _truth(value) if operator == "!" else _number(value) * (-1 if operator == "-" else 1)


def _logical(operator: str, left: Value, right: Callable[[], Value]) -> Value:
    decided = operator == "||"
    if left is not None and _truth(left) == decided:
        return decided
    other = right()
    if other is not None and _truth(other) == decided:
        return decided
    return None if left is None or other is None else not decided


def _truth(value: Value) -> bool:
    if isinstance(value, str):
        return value.lower() == "true"
    return bool(value)


def _number(value: Value) -> float:
    try:
        return float(value if value is not None else "")
    except ValueError:
        raise BadExpression(f"'{value}' is not a number") from None


def _binary(operator: str, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    if operator in {"==", "!="}:
        return _equal(left, right) == (operator == "==")
    if operator in _ORDER:
        if isinstance(left, str) and isinstance(right, str):
            return _ORDER[operator]((left > right) - (left < right))
        a, b = _number(left), _number(right)
        return _ORDER[operator]((a > b) - (a < b))
    a, b = _number(left), _number(right)
    if operator in {"/", "%"} and b == 0:
        return None
    return _ARITHMETIC[operator](a, b)


def _equal(left: Value, right: Value) -> bool:
    if type(left) is type(right):
        return left == right
    return str(left).lower() == str(right).lower() if isinstance(left, bool) or isinstance(right, bool) else (
        _number(left) == _number(right)
    )  # fmt: skip


_ORDER: dict[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0, ">": lambda sign: sign > 0, "<=": lambda sign: sign <= 0, ">=": lambda sign: sign >= 0,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "%": math.fmod, "^": lambda a, b: a**b,
}  # fmt: skip


def _call(name: str, arguments: tuple[Node, ...], value_of: Callable[[Item], Value | Sequence[float]]) -> Value:
    """A function. Those that look at missing values, and those over several values, come before the plain ones."""

    def value(index: int) -> Value:
        return evaluate(arguments[index], value_of)

    if name in _CHOOSING:
        return _CHOOSING[name](value, len(arguments))
    if name in _VECTOR:
        numbers = _numbers(arguments[0], value_of)
        rest = [_number(value(index)) for index in range(1, len(arguments))]
        return _VECTOR[name](numbers, rest) if numbers else (0.0 if name == "count" else None)
    if name not in FUNCTIONS:
        raise BadExpression(f"there is no function '{name}'")
    values = [value(index) for index in range(len(arguments))]
    if name in {"greatest", "least"}:
        known = [_number(found) for found in values if found is not None]
        return FUNCTIONS[name](*known) if known else None
    if any(found is None for found in values):
        return None
    return FUNCTIONS[name](*[_number(found) for found in values])


type _Arguments = Callable[[int], Value]
"""The value of an argument by its place, worked out when it is asked for."""


def _if(value: _Arguments, count: int) -> Value:
    test = value(0)
    return None if test is None else value(1 if _truth(test) else 2)


def _first_non_null(value: _Arguments, count: int) -> Value:
    return next((found for index in range(count) if (found := value(index)) is not None), None)


def _remove_zeros(value: _Arguments, count: int) -> Value:
    found = value(0)
    return None if found == 0 else found


def _contains(value: _Arguments, count: int) -> Value:
    text = str(value(0) or "")
    return all(str(value(index)) in text for index in range(1, count))


def _contains_items(value: _Arguments, count: int) -> Value:
    items = str(value(0) or "").split(",")
    return all(str(value(index)) in items for index in range(1, count))


_CHOOSING: dict[str, Callable[[_Arguments, int], Value]] = {
    "if": _if,
    "isNull": lambda value, _: value(0) is None,
    "isNotNull": lambda value, _: value(0) is not None,
    "firstNonNull": _first_non_null,
    "removeZeros": _remove_zeros,
    "contains": _contains,
    "containsItems": _contains_items,
}
"""Functions that look at missing values or texts, and those that do not look at all of their arguments."""


def _numbers(node: Node, value_of: Callable[[Item], Value | Sequence[float]]) -> list[float]:
    """The values of a reference that has several, as in `avg(#{...})` over the periods of a sample."""
    if isinstance(node, Item):
        found = value_of(node)
        if not isinstance(found, (str, bool, int, float)) and found is not None:
            return list(found)
    single = evaluate(node, value_of)
    return [] if single is None else [_number(single)]


def _log(x: float, base: float = math.e) -> float:
    return math.log(x) / math.log(base)


def _ceil(x: float) -> float:
    return math.ceil(x)


def _floor(x: float) -> float:
    return math.floor(x)


def _round(x: float) -> float:
    """Halves go up, as in Java."""
    return math.floor(x + 0.5)


def _zero_or_positive(x: float) -> float:
    return float(x >= 0)


def _zero_if_negative(x: float) -> float:
    return max(x, 0.0)


FUNCTIONS: dict[str, Callable[..., float]] = {
    "greatest": max,
    "least": min,
    "log": _log,
    "log10": math.log10,
    "d2:ceil": _ceil,
    "d2:floor": _floor,
    "d2:round": _round,
    "d2:modulus": math.fmod,
    "d2:oizp": _zero_or_positive,
    "d2:zing": _zero_if_negative,
}
"""Functions of plain numbers."""
_VECTOR: dict[str, Callable[[list[float], list[float]], float]] = {
    "avg": lambda x, _: statistics.fmean(x),
    "count": lambda x, _: float(len(x)),
    "max": lambda x, _: max(x),
    "median": lambda x, _: statistics.median(x),
    "min": lambda x, _: min(x),
    "percentileCont": lambda x, rest: percentile(x, rest[0] if rest else 0.5),
    "stddev": lambda x, _: statistics.pstdev(x),
    "stddevPop": lambda x, _: statistics.pstdev(x),
    "stddevSamp": lambda x, _: statistics.stdev(x) if len(x) > 1 else 0.0,
    "sum": lambda x, _: math.fsum(x),
    "variance": lambda x, _: statistics.pvariance(x),
}


def percentile(values: Sequence[float], fraction: float) -> float:
    """The value at a fraction of the sorted values, in between where it falls in between."""
    ordered = sorted(values)
    place = fraction * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
