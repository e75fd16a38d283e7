"""The user's variables in the head of a line: `$x`, `$x.name`, `$x[1]` and `{expression}`, as in IPython's own magics.

A value is one word, or part of one, whatever stands in it: blanks, quotes and `--yes` in a text that a server sent are text.
"""

from __future__ import annotations

import ast
import builtins
import datetime as dt
import re
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from numbers import Number
from pathlib import PurePath
from typing import NamedTuple, cast

from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.verbs import grammar

_NAME = re.compile(r"\$([A-Za-z_]\w*)")
_AFTER = re.compile(r"\.([A-Za-z_]\w*)")
_HELD = "\ue000"
"""Stands for a value while a line is cut into words; of Unicode's private characters, with the value's number behind it."""
_HOLDER = re.compile(f"{_HELD}(\\d+){_HELD}")
_NEGATIVE = re.compile(r"-\d+(\.\d+)?([eE][+-]?\d+)?$")
_OPERATORS = {"like", "ilike"}
"""`$like` and `$ilike` are operators of filters."""


class Use(NamedTuple):
    """A variable's use in a text.

    Parameters:
        begin, end: where it stands.
        expression: the Python in it.
        name: the variable that it begins with; empty for a `{expression}`.
    """

    begin: int
    end: int
    expression: str
    name: str


def uses(text: str) -> Iterator[Use]:
    """Where a text may use variables: every `$name...`, and every `{...}` that is an expression.

    What a formula has is none: `#{uid}`, `A{attribute}`, `C{constant}`.
    """
    at = 0
    while (at := _next(text, at)) < len(text):
        found = _dollar(text, at) if text[at] == "$" else _braces(text, at)
        if found is None:
            at += 1
            continue
        yield found
        at = found.end


def _next(text: str, at: int) -> int:
    return min((found for mark in "${" if (found := text.find(mark, at)) >= 0), default=len(text))


def _dollar(text: str, at: int) -> Use | None:
    """`$x` with the attributes and subscripts that follow it without a blank."""
    found = _NAME.match(text, at)
    if found is None:
        return None
    end = found.end()
    while end < len(text):
        if (after := _AFTER.match(text, end)) is not None:
            end = after.end()
        elif text[end] == "[" and (close := _close(text, end)) and _parsed(text[found.start(1) : close]):
            end = close
        else:
            break
    return Use(at, end, text[found.start(1) : end], found[1])


def _braces(text: str, at: int) -> Use | None:
    before = text[at - 1] if at else ""
    close = _close(text, at)
    if not close or before in {"#", "]", ")", "$"} or before.isalnum() or before == "_":
        return None
    expression = text[at + 1 : close - 1].strip()
    tree = _parsed(expression)
    return Use(at, close, expression, "") if tree and _names(tree) else None


def _close(text: str, at: int) -> int:
    """Where the bracket that opens at a place is closed, and what follows begins; 0 where it stays open."""
    depth, quote = 0, ""
    for position in range(at, len(text)):
        mark = text[position]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
            if depth == 0:
                return position + 1
    return 0


def _parsed(expression: str) -> ast.Expression | None:
    try:
        return ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError):
        return None


def _names(tree: ast.AST) -> set[str]:
    """The names that an expression asks for, those of Python and of its own loops left out."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in found if isinstance(node.ctx, ast.Store)}
    return {node.id for node in found} - own - set(vars(builtins))


def words(head: str, names: Mapping[str, object]) -> list[str]:
    """The words of a head, with the user's variables in their places.

    Parameters:
        head: the line up to its `|`.
        names: the user's variables. A `{...}` that asks for others stays as it is; so does a `$name` inside of a word.

    Raises `UsageError` for an open quote, a word that is an unknown `$name`, an expression that fails, a value that is no
    single text or number, and a value that would be read as an option.
    """
    values: list[tuple[Use, str]] = []
    held, at = "", 0
    for use in uses(head):
        asked = {use.name} if use.name else _names(ast.parse(use.expression, mode="eval"))
        if asked - set(names) or use.name in _OPERATORS:
            continue
        held += f"{head[at : use.begin]}{_HELD}{len(values)}{_HELD}"
        values.append((use, _told(use, names)))
        at = use.end
    return [_filled(word, values, names) for word in grammar.words_of(held + head[at:])]


def in_tail(tail: str, names: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """A pipeline with names in place of its `$name...`, and what these names hold.

    They are names that no row has: `where(level == $level)` compares the field with the variable.

    Parameters:
        tail: what follows the first `|`.
        names: the user's variables.

    Raises `UsageError` for an unknown `$name` and an expression that fails.
    """
    told, at = "", 0
    held: dict[str, object] = {}
    for use in uses(tail):
        if not use.name or _in_quotes(tail, use.begin):
            continue
        if use.name not in names:
            raise UsageError(f"there is no variable '{use.name}'", hint=f"{use.name} = ...")
        name = f"your_{use.name}_{len(held) + 1}"
        held[name] = _value(use, names)
        told += tail[at : use.begin] + name
        at = use.end
    return told + tail[at:], held


def _in_quotes(text: str, at: int) -> bool:
    quote = ""
    position = 0
    while position < at:
        mark = text[position]
        if mark == "\\":
            position += 1
        elif quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        position += 1
    return bool(quote)


def _filled(word: str, values: list[tuple[Use, str]], names: Mapping[str, object]) -> str:
    unknown = _NAME.fullmatch(word)
    if unknown is not None:
        near = did_you_mean(unknown[1], [name for name in names if not name.startswith("_")])
        raise UsageError(f"there is no variable '{unknown[1]}'", hint=near or "%who lists those that there are")
    first = _HOLDER.match(word)
    if first is not None:
        use, text = values[int(first[1])]
        if text.startswith("-") and not _NEGATIVE.match(text):
            raise UsageError(f"the value of {_written(use)} would be read as an option: {text!r}", hint="write it out")
    return _HOLDER.sub(lambda found: values[int(found[1])][1], word)


def _written(use: Use) -> str:
    return f"${use.expression}" if use.name else f"{{{use.expression}}}"


def _told(use: Use, names: Mapping[str, object]) -> str:
    """The value of a use as text."""
    value = _value(use, names)
    if isinstance(value, str):
        return str(value)  # a member of a StrEnum is its value
    if isinstance(value, (Number, Decimal, dt.date, dt.time, PurePath, uuid.UUID)):
        return str(value)
    kind = f"a {type(value).__name__}" if value is not None else "nothing"
    raise UsageError(
        f"{_written(use)} is {kind}, and a word of a line is a text or a number", hint=_instead(use, value)
    )


def _value(use: Use, names: Mapping[str, object]) -> object:
    try:
        return cast("object", eval(use.expression, {**names}))  # noqa: S307  (the user's own line, as at every prompt)
    except Exception as error:
        raise UsageError(
            f"{_written(use)}: {type(error).__name__}: {error}", hint=f"look at {use.expression}"
        ) from error


def _instead(use: Use, value: object) -> str:
    """How to say which text of a value is meant."""
    if isinstance(value, Mapping) or hasattr(value, "id"):
        return f"{{{use.expression}['id']}}" if isinstance(value, Mapping) else f"{{{use.expression}.id}}"
    if hasattr(value, "plain"):
        return f"{{{use.expression}.plain()[0]['id']}}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"{{','.join({use.expression})}}"
    return f"{{str({use.expression})}}"
