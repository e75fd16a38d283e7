"""JSON values as YAML that people read and git compares, and back; what nobody meant is refused with its line.

The dialect is small: no anchors, tags or aliases, and words such as `no` or `2026-01-31` are texts. What is written begins with
`---` and ends with `...`, so that a file that was cut off is known by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

BEGIN, END = "---", "..."
DEEPEST = 100
_CONFLICT = re.compile(r"^(<{7}|\|{7}|={7}|>{7})(?: .*)?$", re.MULTILINE)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"})
"""What some reader of YAML takes for something else than a text."""
_KEY = re.compile(r"[A-Za-z_$][\w$-]*\Z", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?\Z", re.ASCII)
_STEP = "  "

type Path = tuple[str | int, ...]
"""Where in a document a value stands: keys and positions."""


# Writing ----------------------------------------------------------------------------------------------------------------


def written(value: JsonObject, names: Mapping[str, str] | None = None) -> str:
    """An object as the text of a file; keys stay in their order.

    Parameters:
        names: what UIDs stand for: it stands beside them as a comment.
    """
    lines = [BEGIN, *(_mapping(value, "", names or {}) if value else ("{}",)), END]
    return "\n".join(lines) + "\n"


def _mapping(value: Mapping[str, JsonValue], indent: str, names: Mapping[str, str]) -> Iterator[str]:
    for key, item in value.items():
        head = f"{indent}{_key(key)}:"
        if isinstance(item, dict) and item:
            if _is_reference(item):
                yield f"{head} {{id: {_scalar(item['id'])}}}{_comment(item['id'], names)}"
            else:
                yield f"{head}{_comment(key, names)}"
                yield from _mapping(item, indent + _STEP, names)
        elif isinstance(item, list) and item:
            yield head
            yield from _sequence(item, indent + _STEP, names)
        else:
            yield from _single(f"{head} ", item, indent, names)


def _sequence(value: list[JsonValue], indent: str, names: Mapping[str, str]) -> Iterator[str]:
    for item in value:
        if isinstance(item, (dict, list)) and item:
            inner = indent + _STEP
            lines = _mapping(item, inner, names) if isinstance(item, dict) else _sequence(item, inner, names)
            first = next(lines)
            yield f"{indent}- {first.removeprefix(inner)}"
            yield from lines
        else:
            yield from _single(f"{indent}- ", item, indent, names)


def _single(head: str, value: JsonValue, indent: str, names: Mapping[str, str]) -> Iterator[str]:
    """What holds nothing else; a text of several lines as a block."""
    if isinstance(value, str) and _is_block(value):
        kept = value.rstrip("\n")
        chomp = {0: "-", 1: ""}.get(len(value) - len(kept), "+")
        yield f"{head}|{'2' if value[0] in ' \n' else ''}{chomp}"
        lines = value.split("\n")
        for line in lines[:-1] if value.endswith("\n") else lines:
            yield f"{indent}{_STEP}{line}" if line else ""
        return
    yield f"{head}{_scalar(value)}{_comment(value, names) if head.endswith((' id: ', '- id: ')) else ''}"


def _is_reference(value: Mapping[str, JsonValue]) -> bool:
    return len(value) == 1 and isinstance(value.get("id"), str)


def _is_block(text: str) -> bool:
    """Can a text stand as it is, line by line? Not where an editor or a reader of YAML would change it."""
    if "\n" not in text or not text.strip("\n ") or "\n\t" in text or text.startswith("\t"):
        return False
    return all(character.isprintable() or character in "\n\t" for character in text)


def _key(text: str) -> str:
    return text if _KEY.match(text) and text.lower() not in _WORDS else _quoted(text)


def _scalar(value: JsonValue) -> str:
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[]"
    text = json.dumps(value)
    return (
        text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text
    )  # readers differ over 1e-05


def _is_plain(text: str) -> bool:
    """Does every reader of YAML take a text without quotes as it is?"""
    if not text or not text[0].isalpha() or text[-1] in " :" or not text.isprintable() or text.lower() in _WORDS:
        return False
    return ": " not in text and " #" not in text


def _quoted(text: str) -> str:
    return "".join(
        character if character.isprintable() else _escaped(ord(character))
        for character in json.dumps(text, ensure_ascii=False)
    )


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _comment(value: JsonValue, names: Mapping[str, str]) -> str:
    name = names.get(value) if isinstance(value, str) else None
    if not name:
        return ""
    return "  # " + "".join(character if character.isprintable() else " " for character in name)


# Reading ----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Document:
    """What a file says.

    Parameters:
        where: the file, in messages.
        value: the object.
        lines: the line of each value, from 1.
    """

    where: str
    value: JsonObject
    lines: dict[Path, int] = field(default_factory=dict["Path", int])

    def at(self, *path: str | int) -> str:
        """File and line of a value, of what holds it where it is not there."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.where}:{self.lines.get(path, 1)}"


def read(text: str, where: str) -> Document:
    """The object in a text.

    Parameters:
        where: what the text is called in messages.

    Raises `UsageError` with the line: no YAML, cut off, a conflict that git has left, a key that stands twice, anchors and tags.
    """
    import yaml  # start-up: only a directory of an instance is read so

    if found := _CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise UsageError(
            f"{where}:{line}: a conflict that git has left: {found[0]}", hint="resolve it, then the same line once more"
        )
    lines = text.rstrip().splitlines()
    if lines and lines[0].rstrip() == BEGIN and lines[-1].rstrip() != END:
        raise UsageError(
            f"{where}:{len(lines)}: it is cut off: it begins with {BEGIN} and does not end with {END}",
            hint="take it from git again, or dhis2 instance pull",
        )
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Reading(where, cast("Iterator[Any]", yaml.parse(text, Loader=loader))).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        told = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UsageError(
            f"{where}:{mark.line + 1 if mark is not None else 1}: {told}", hint="texts with : or # stand in quotes"
        ) from None


class _Reading:
    """The events of one text, made into values."""

    def __init__(self, where: str, events: Iterator[Any]) -> None:
        self._where, self._events = where, events
        self._lines: dict[Path, int] = {}

    def document(self) -> Document:
        value: JsonValue = None
        count = 0
        for event in self._events:
            kind = type(event).__name__
            if kind in {"StreamStartEvent", "StreamEndEvent", "DocumentStartEvent", "DocumentEndEvent"}:
                count += kind == "DocumentStartEvent"
                if count > 1:
                    self._refuse(event, "a second document begins: one object a file")
                continue
            value = self._value(event, (), 0)
        if not isinstance(value, dict):
            raise UsageError(f"{self._where}:1: there is no object in it", hint="property: value, one a line")
        return Document(self._where, value, self._lines)

    def _value(self, event: Any, path: Path, depth: int) -> JsonValue:
        kind = type(event).__name__
        if kind == "AliasEvent" or event.anchor is not None:
            self._refuse(event, "anchors and aliases are not read")
        if event.tag is not None and event.tag != "!":
            self._refuse(event, f"tags are not read: {event.tag}")
        if depth > DEEPEST:
            self._refuse(event, "nested too deeply")
        self._lines.setdefault(path, event.start_mark.line + 1)
        if kind == "ScalarEvent":
            return plain(event.value) if not event.style and event.tag is None else event.value
        return self._object(path, depth) if kind == "MappingStartEvent" else self._list(path, depth)

    def _object(self, path: Path, depth: int) -> JsonObject:
        found: JsonObject = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            if type(event).__name__ != "ScalarEvent":
                self._refuse(event, "a key is a text")
            key = str(event.value)
            if key in found:
                self._refuse(event, f"'{key}' stands there twice")
            if key == "<<" and not event.style:
                self._refuse(event, "merges are not read")
            self._lines[*path, key] = event.start_mark.line + 1
            found[key] = self._value(next(self._events), (*path, key), depth + 1)
        return found

    def _list(self, path: Path, depth: int) -> list[JsonValue]:
        found: list[JsonValue] = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            found.append(self._value(event, (*path, len(found)), depth + 1))
        return found

    def _refuse(self, event: Any, why: str) -> None:
        raise UsageError(f"{self._where}:{event.start_mark.line + 1}: {why}", hint="dhis2 instance pull shows the form")


_PLAIN: Mapping[str, JsonValue] = {"": None, "~": None, "null": None, "true": True, "false": False}


def plain(text: str) -> JsonValue:
    """A value that stands without quotes: a number, true, false or null as JSON has them, else a text."""
    if text in _PLAIN:
        return _PLAIN[text]
    if found := _NUMBER.match(text):
        return float(text) if found[2] or found[3] else int(text)
    return text
