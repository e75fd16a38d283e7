"""The commands that a line prints are to be typed as they stand: where it named its profile, they name it too."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.words import REST_OF_COMMAND, on_profile

if TYPE_CHECKING:
    from dhis2sh.errors import Dhis2Error
    from dhis2sh.types import JsonValue

_NAMED: ContextVar[str | None] = ContextVar("profile named by the line", default=None)
_DATA = frozenset({"steps", "envelope", "failures", "refused", "names"})
"""Parts of a plan and of a summary that hold what servers hold, and no commands of ours."""
_KEPT: dict[int, tuple[object, str]] = {}
"""Results whose line named a profile, with its name: a prompt draws them when that line is over."""
MOST_KEPT = 100
_WHOLE = rf"(?<![\w./\\-])dhis2\s+(?:-p\s+\S+\s+)?[a-z][a-z0-9-]*(?![\w.]){REST_OF_COMMAND}(?=  |[;\n]|$)"


def written_in(text: str) -> list[str]:
    """The commands in a text, each as it is typed."""
    found = (match[0].rstrip(" .") for match in re.finditer(_WHOLE, text))
    return [line.removesuffix(")") if line.count(")") > line.count("(") else line for line in found]


@contextmanager
def of_profile(name: str | None) -> Generator[None]:
    """Inside, what is printed is of a line that named this profile by `-p`; None where it named none."""
    before = _NAMED.set(name)
    try:
        yield
    finally:
        _NAMED.reset(before)


def named_in(words: list[str]) -> str | None:
    """The profile that a line names, as far as its words alone say so: for what is said of one that nobody understands."""
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word == "--":
            return None
        if word in {"-p", "--profile"}:
            return value or None
        if word.startswith("--profile="):
            return word.partition("=")[2] or None
    return None


def carried(text: str) -> str:
    """A text for somebody to read, whose commands act on the profile that the line named."""
    name = _NAMED.get()
    return text if name is None else on_profile(text, name)


def carried_in(value: JsonValue) -> JsonValue:
    """The same for a plan or a report as JSON: what servers hold stays as it is."""
    if isinstance(value, str):
        return carried(value)
    if isinstance(value, list):
        return [carried_in(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _DATA else carried_in(item) for key, item in value.items()}
    return value


def keep(result: object) -> None:
    """Remember of a result which profile its line named, for whoever draws it later. The fixes of findings name it at once."""
    name = _NAMED.get()
    if name is None:
        return
    for item in getattr(result, "items", ()) if isinstance(getattr(result, "items", None), list) else ():
        if isinstance(getattr(item, "fix", None), str):
            item.fix = carried(item.fix)
    if worded(result):
        _KEPT[id(result)] = (result, name)
        while len(_KEPT) > MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]


def worded(result: object) -> bool:
    """Is a result ours to word, as a plan, a summary or a report? Objects are data, which nobody rewrites."""
    kind = type(result)
    return callable(getattr(kind, "line", None)) or (kind.__module__, kind.__name__) == ("dhis2sh.changes.plan", "Plan")


@contextmanager
def of_result(result: object) -> Generator[None]:
    """Inside, what is printed is of the line that gave a result."""
    kept, name = _KEPT.get(id(result), (None, ""))
    with of_profile(name if kept is result and kept is not None else _NAMED.get()):
        yield


def carry(error: Dhis2Error) -> None:
    """Let an error, and the plan that it may have, name the profile wherever it is told."""
    error.message = carried(error.message)
    error.hint = carried(error.hint) if error.hint else error.hint
    for told in ("plan", "summary", "findings"):
        keep(cast("Any", getattr(error, told, None)))
