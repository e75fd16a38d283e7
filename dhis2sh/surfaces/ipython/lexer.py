"""Colours of dhis2sh lines while they are typed: verbs, options, texts, UIDs, the pipe and the stages after it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, ClassVar

from pygments.lexer import Lexer
from pygments.lexers.python import Python3Lexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Text

from dhis2sh.rows.registry import stages
from dhis2sh.surfaces.ipython import lines
from dhis2sh.verbs import installed, manifest

type Tokens = Iterator[tuple[int, Any, str]]

_PART = re.compile(
    r"(\s+)|('[^'\n]*'?|\"[^\"\n]*\"?)|(\$[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[[^\]\s]*\])*|\{[^{}\n]*\})|(\\\n)|([^\s'\"|]+|\|)"
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?$")
_UID = re.compile(r"[A-Za-z][A-Za-z0-9]{10}$")
_CAMEL = re.compile(r"[a-z]+([A-Z][a-z]+)+$")


@cache
def _paths(section: str) -> frozenset[str]:
    """Every beginning of the path of a verb of a domain or sub-domain."""
    words = [str(verb["path"]).split() for verb in manifest.verbs(section)]
    return frozenset(" ".join(path[:length]) for path in words for length in range(1, len(path) + 1))


def _leads_to_a_verb(words: list[str]) -> bool:
    section, rest = manifest.section_of(words)
    path = " ".join([section, *rest])
    return path in _paths(section)


class Dhis2Lexer(Lexer):
    """A pygments lexer for a line, or the lines of a `%%dhis2` cell."""

    name = "dhis2sh"
    aliases: ClassVar[Sequence[str]] = ("dhis2sh",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.domains = frozenset(installed.domains())

    def get_tokens_unprocessed(self, text: str) -> Tokens:
        """The tokens of a text, each with its offset."""
        offset, cell = 0, text.startswith("%%dhis2")
        if cell:
            offset = text.find("\n") + 1 or len(text)
            yield 0, Keyword, text[:offset]
        for group in lines.groups(text[offset:]):
            yield from self._line(group, offset, cell=cell)
            offset += len(group)

    def _line(self, line: str, offset: int, *, cell: bool) -> Tokens:
        if line.lstrip().startswith("#"):
            yield offset, Comment, line
            return
        ours = lines.find(line, self.domains, cell=cell)
        if ours is None:
            yield from _python(line, offset)
            return
        if ours.at:
            yield offset, Keyword, line[: ours.at]
        from dhis2sh.rows.pipeline import split  # start-up: the lexer comes before the first prompt, its lines after

        parts = split(ours.text)
        offset += ours.at
        yield from self._head(parts.head, offset)
        if parts.tail is None:
            if len(parts.head) < len(ours.text):
                yield offset + len(parts.head), Operator, ours.text[len(parts.head) :]
            return
        yield offset + parts.tail_at - 1, Operator.Word, "|"
        yield from self._tail(ours.text[parts.tail_at :], offset + parts.tail_at)

    def _head(self, head: str, offset: int) -> Tokens:
        path: list[str] = []
        for found in _PART.finditer(head):
            token: Any = Text
            word = found[0]
            if found[2]:
                token = String
            elif found[3]:
                token = Name.Variable
            elif found[5]:
                if _leads_to_a_verb([*path, word]):
                    token = Keyword if not path else Name.Function
                    path.append(word)
                else:
                    token = _kind(word)
            yield offset + found.start(), token, word

    def _tail(self, tail: str, offset: int) -> Tokens:
        fresh, depth = True, 0
        for at, kind, text in _python(tail, offset):
            token = kind
            depth += (text in {"(", "[", "{"}) - (text in {")", "]", "}"})
            if text == "|" and depth == 0:
                fresh, token = True, Operator.Word
            elif text.strip():
                if fresh:
                    token = Name.Function if text in stages() else Name.Namespace if text in self.domains else kind
                elif kind in Name.Builtin and text in {"id", "type", "filter"}:
                    token = Name  # fields of the rows
                fresh = False
            yield at, token, text


def _kind(word: str) -> Any:
    """The colour of a word that is no part of a verb's path."""
    if word.startswith("-"):
        return Name.Attribute if not _NUMBER.match(word) else Number
    if _NUMBER.match(word):
        return Number
    if _UID.match(word) and any(mark.isdigit() or mark.isupper() for mark in word) and not _CAMEL.match(word):
        return Number
    return Name.Class if _CAMEL.match(word) else Text


def _python(text: str, offset: int) -> Tokens:
    for at, kind, value in Python3Lexer(stripnl=False, ensurenl=False).get_tokens_unprocessed(text):
        yield offset + at, kind, value
