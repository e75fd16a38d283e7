"""Which of the lines that are typed are ours: with `%` or without, after `x = %`, `explain` or `%dhis2`, in `%%dhis2`.

Completion, colours and the help of `?` all ask here, so that they never disagree. Nothing is imported for it.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

LEADING = ("dhis2", "explain")
"""Magics that another line follows."""
OF_VALUE = "= "
"""Begins a line whose head is a value of the user's: `rows | where(level == 2)` as IPython hands it on."""
_VALUE = re.compile(
    r"(?P<to>\s*(?:[A-Za-z_]\w*\s*=(?!=)\s*)?)(?P<head>(?P<name>[A-Za-z_]\w*)(?:[.\[(].*?)?)\s*\|\s*(?P<stage>[a-z]\w*(?:\.\w+)*)\b(?!\s*\.)"
)
SETTINGS = ("output", "timing", "expanded")
PYTHON_WORDS = {"in", "is", "if", "and", "or", "not", "for", "else"}
_BEGINS = "-?_'\"${"
"""Marks that the second word of a line of ours may begin with, and no Python goes on with after a name and a blank."""
_MAGIC = re.compile(
    r"(?P<lead>\s*(?:[^\s=%|(]+(?:\s*,\s*[^\s=%|(]+)*\s*=\s*)?(?P<mark>%?))(?P<name>[A-Za-z_]\w*)(?P<gap>[ \t]+|$)"
)
_ASSIGNED = re.compile(r"[^%|]*[^=!<>%|]=\s*(?:%(?:dhis2[ \t]+)?)?(?P<line>[^=\s].*)")
_INSIDE = re.compile(r"[ \t)\]}]|(?:else|elif|except|finally)\b")
"""How a line begins that belongs to the Python statement before it."""
_LONE_UID = re.compile(r"[A-Za-z](?=\w*[\dA-Z])[A-Za-z0-9]{10}")
"""A word that is a UID and looks like none of a language: with a digit or a capital inside."""
_HELP = re.compile(r"^(?P<line>\s*%?[A-Za-z_][\w-]*(?:[ \t]+[A-Za-z_][\w-]*)*)[ \t]*(?P<marks>\?{1,2})[ \t]*$")


class Ours(NamedTuple):
    """A line that dhis2sh reads.

    Parameters:
        at: where in the text the verb's path (`metadata list ...`) begins.
        text: from there on.
        name: the first word of it; empty where none is typed yet.
        led: another magic (`explain`, `%dhis2`) or a `%%dhis2` cell leads to it.
    """

    at: int
    text: str
    name: str
    led: bool = False


def find(text: str, domains: frozenset[str], *, cell: bool = False) -> Ours | None:
    """The dhis2sh line in a line of text, or None where it is Python.

    Parameters:
        text: one line (continued ones joined).
        domains: every domain.
        cell: the line stands in a `%%dhis2` cell, where no magic's name is needed.
    """
    at = len(text) - len(text.lstrip()) if cell else 0
    led = cell
    while True:
        found = _MAGIC.match(text, at)
        if found is None or ("=" in found["lead"] and (led or not found["mark"])):
            rest = text[at:].lstrip()
            return Ours(len(text) - len(rest), rest, "", led) if led and "=" not in rest else None
        name, begin = found["name"], found.start("name")
        if name in LEADING and found["gap"]:
            at, led = found.end(), True
            continue
        known = name in domains or name in SETTINGS
        if not led and (not known or not (found["mark"] or _is_magic(text[found.end() :]))):
            return None
        return Ours(begin, text[begin:], name, led)


def _is_chain(text: str) -> bool:
    """Is it a name with what follows it: attributes, subscripts and calls?"""
    import ast  # start-up: few lines look like a value before a stage

    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name)


def _is_magic(rest: str) -> bool:
    """`metadata list` and `what 'BCG'` are magics although `metadata` and `what` are names too."""
    word = rest.partition(" ")[0]
    return not rest or ((rest[0].isalnum() or rest[0] in _BEGINS) and word not in PYTHON_WORDS)


def logical(text: str, offset: int) -> tuple[int, str]:
    """The line that the cursor is on, from its beginning to the cursor, with the lines that it continues.

    Returns where it begins in the text, and the text from there to the offset.
    """
    begin = text.rfind("\n", 0, offset) + 1
    while begin > 0 and _continues(text[text.rfind("\n", 0, begin - 1) + 1 : begin - 1], text[begin:offset]):
        begin = text.rfind("\n", 0, begin - 1) + 1
    return begin, text[begin:offset]


def _continues(before: str, line: str) -> bool:
    return before.rstrip().endswith(("\\", "|")) or line.lstrip().startswith("|")


def groups(text: str) -> Iterator[str]:
    """The lines of a text, each with those that continue it: after `\\` or `|`, or before `|`."""
    group = ""
    for line in text.splitlines(keepends=True):
        if group and not _continues(group, line):
            yield group
            group = ""
        group += line
    if group:
        yield group


def joined(text: str) -> list[str]:
    """The lines of a `%%dhis2` cell, continued ones put together."""
    parts = ([line.strip().removesuffix("\\").rstrip() for line in group.splitlines()] for group in groups(text))
    return [" ".join(part for part in group if part) for group in parts]


def statements(text: str) -> list[str]:
    """What a file holds, without its comments: each line with those that continue it, Python with its indented lines."""
    found: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if found and _continues(found[-1], line):
            found[-1] = f"{found[-1].rstrip().removesuffix('\\').rstrip()} {line.strip()}"
        elif found and _INSIDE.match(line):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


def unfinished(text: str, domains: frozenset[str]) -> bool:
    """Does a line of ours end with `|`, so that the next one belongs to it?"""
    return (
        text.splitlines()[-1:] != []
        and text.rstrip(" ").endswith("|")
        and find(text.partition("\n")[0], domains) is not None
    )


def assigned(cell: str, line: str) -> bool:
    """Does a cell put what a line gives into a variable (`x = %metadata list ...`, `y = rows | where(...)`)?

    Parameters:
        cell: the text as it was typed; line: the line as its magic was given it.
    """
    wanted = line.removeprefix(OF_VALUE).split()
    found = (_ASSIGNED.fullmatch(text) for text in joined(cell))
    return any(match is not None and match["line"].split() == wanted for match in found)


class Transformer:
    """What must happen before IPython reads a cell: `metadata list?` and `help metadata list` ask for a verb's help, `?` and
    `help` for ours, a line may be continued, and a UID alone asks what it is.

    Parameters:
        domains: every domain.
        is_stage: says whether a name is that of a pipeline's stage.
        names: the user's own, which mean what they mean to Python.
    """

    has_side_effects = False

    def __init__(self, domains: frozenset[str], is_stage: Callable[[str], bool], names: Container[str]) -> None:
        self._domains, self._is_stage, self._names = domains, is_stage, names

    def __call__(self, lines: list[str]) -> list[str]:
        """The lines as IPython should read them; Python stays as it is."""
        if not lines or lines[0].startswith("%%"):
            return lines
        if len(lines) == 1:
            word = lines[0].strip()
            if _LONE_UID.fullmatch(word) and word not in self._names and not hasattr(builtins, word):
                return [f"get_ipython().run_line_magic('dhis2', 'what {word}')\n"]
            piped = self._piped(lines[0].rstrip("\n"))
            if piped is not None:
                return [f"{piped}\n"]
            asked = self._help(lines[0].rstrip("\n"))
            if asked is not None:
                return [f"{asked}\n"]
        first = lines[0].rstrip("\n")
        ours = find(first, self._domains)
        if ours is None or not (
            first.rstrip().endswith(("|", "\\")) or (len(lines) > 1 and _continues(first, lines[1]))
        ):
            return lines
        end = 1
        while end < len(lines) and _continues(lines[end - 1], lines[end]):
            end += 1
        text = "\\\n".join(line.rstrip().removesuffix("\\").rstrip() + " " for line in lines[:end])
        percent = "" if "%" in first[: ours.at] else "%"
        return [*f"{percent}{text.lstrip() if percent else text}\n".splitlines(keepends=True), *lines[end:]]

    def _piped(self, line: str) -> str | None:
        """A value of the user's before a stage or a verb, which Python would not know: `rows | data.aggregate.push()`."""
        found = _VALUE.match(line)
        if found is None or found["name"] not in self._names or found["stage"] in self._names:
            return None
        domain, dot, _ = found["stage"].partition(".")
        is_stage = domain in self._domains if dot else self._is_stage(domain)
        if found["name"] in self._domains or not (is_stage and _is_chain(found["head"])):
            return None
        return f"{found['to']}get_ipython().run_line_magic('dhis2', {OF_VALUE + line[found.end('to') :].strip()!r})"

    def _help(self, line: str) -> str | None:
        words = line.split()
        if words == ["?"] or (words == ["help"] and "help" not in self._names):
            return "get_ipython().run_line_magic('dhis2', '?')"
        if words and words[0] == "\\x" and len(words) < 3:
            return f"get_ipython().run_line_magic('expanded', '{''.join(words[1:])}')"
        if len(words) > 1 and words[0] == "help" and words[1].lstrip("%") in self._domains:
            line = f"{' '.join(words[1:])}?"
        found = _HELP.match(line)
        if found is None:
            return None
        ours = find(found["line"], self._domains)
        text = ours.text.strip() if ours and ours.name not in SETTINGS else ""
        alone = found["line"].strip()
        if not text and self._is_stage(alone) and alone not in self._names:
            text = alone
        return f"get_ipython().run_line_magic('dhis2', '{text} {found['marks']}')" if text else None
