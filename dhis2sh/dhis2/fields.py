"""The `fields` parameter as DHIS2 reads it: names, blocks, presets, exclusions, transformers; and dotted paths written so.

API source: `FieldFilterParser`, `FieldPreset`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING

from dhis2sh.dhis2.properties import IDENTIFIABLE, NAMEABLE

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property

PRESETS = ("all", "owner", "persisted", "simple", "identifiable", "nameable")
_FIRST = ("id", "displayName", "name", "code")
_WORD_ENDS = ",[]()~|!*: \t\r\n"


class Asked:
    """What a `fields` text asks for at one level.

    `names` are the properties with what is asked below each; `presets`, `excluded` and `transformers` are those of the
    level. One without names, presets and exclusions is bare: the server decides what it shows.
    """

    __slots__ = ("excluded", "names", "presets", "transformers")

    def __init__(self) -> None:
        self.names: dict[str, Asked] = {}
        self.presets: list[str] = []
        self.excluded: list[str] = []
        self.transformers: list[tuple[str, str]] = []

    @property
    def bare(self) -> bool:
        """True when nothing below it was named."""
        return not (self.names or self.presets or self.excluded)

    @property
    def open(self) -> bool:
        """True when a preset may bring properties that nobody named."""
        return bool(self.presets)

    def label(self, name: str) -> str:
        """What a property is called in the answer: `~rename(label)` gives it another name."""
        renamed = [told for how, told in self.names[name].transformers if how == "rename" and told]
        return renamed[-1] if renamed else name

    def columns(self, properties: Mapping[str, Property], occurring: Iterable[str] = ()) -> list[str]:
        """The properties of a row, in the order in which they were asked for; those of presets as the schema has them.

        Parameters:
            properties: those of the type.
            occurring: what the rows have, which presets may have brought.
        """
        found = dict.fromkeys(self.label(name) for name in self.names if name not in self.excluded)
        if self.open:
            brought = [name for name, prop in properties.items() if self._brought(name, prop)]
            brought.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
            gone = {*self.excluded, *(name for name in self.names if self.label(name) != name)}
            found |= dict.fromkeys(name for name in brought if name not in gone)
            found |= dict.fromkeys(occurring)
        return list(found)

    def _brought(self, name: str, prop: Property) -> bool:
        return prop.readable and any(
            preset == "all"
            or (preset == "owner" and prop.owner)
            or (preset == "persisted" and prop.persisted)
            or (preset == "simple" and prop.simple)
            or (preset == "identifiable" and name in IDENTIFIABLE)
            or (preset == "nameable" and name in NAMEABLE)
            for preset in self.presets
        )

    def paths(self) -> Iterator[str]:
        """The dotted paths of what was named, by the names of the answer: `parent[id,name]` gives three; `parent.*`
        where a preset may bring more.
        """
        for name, below in self.names.items():
            if name in self.excluded:
                continue
            label = self.label(name)
            yield label
            if not below.transformers:
                yield from (f"{label}.{path}" for path in below.paths())
                if below.open:
                    yield f"{label}.*"


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def level(self, closing: bool) -> Asked:
        found = Asked()
        while self.at < len(self.text):
            mark = self.text[self.at]
            if mark in "[(":
                self.at += 1
                self.level(True)  # a block without a name before it shows nothing
            elif mark == "*":
                self.at += 1
                found.presets.append("all")
            elif mark == "!":
                self.at += 1
                found.excluded.append(self.word().lstrip(":"))
            elif mark == ":":
                self.at += 1
                found.presets.append(self.word())
            elif mark in "])":
                self.at += 1
                if closing:
                    return found
            elif mark in _WORD_ENDS:
                self.at += 1
            else:
                self.one(found)
        return found

    def one(self, level: Asked) -> None:
        target = level
        for part in filter(None, self.word().split(".")):
            target = target.names.setdefault(part, Asked())
        closed = False  # the server forgets a transformer behind a block
        while self.at < len(self.text):
            if self.text[self.at] in "[(":
                self.at += 1
                self.merge(target, self.level(True))
                closed = True
            elif self.text[self.at] in "~|" or self.text.startswith("::", self.at):
                self.at += 2 if self.text[self.at] == ":" else 1
                transformer = (self.word(), self.arguments())
                if not closed:
                    target.transformers.append(transformer)
            else:
                return

    def merge(self, target: Asked, inner: Asked) -> None:
        for name, below in inner.names.items():
            if name in target.names:
                self.merge(target.names[name], below)
            else:
                target.names[name] = below
        target.presets += inner.presets
        target.excluded += inner.excluded
        target.transformers += inner.transformers

    def word(self) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in _WORD_ENDS:
            self.at += 1
        return self.text[start : self.at]

    def arguments(self) -> str:
        if not self.text.startswith("(", self.at):
            return ""
        end = self.text.find(")", self.at)
        end = len(self.text) if end < 0 else end
        inside = self.text[self.at + 1 : end]
        self.at = end + 1
        return inside.strip()


def parse_fields(text: str) -> Asked:
    """What a `fields` text asks for. Never fails: what cannot be read shows nothing, as on a server."""
    return _Scanner(text).level(False)


def written(paths: Iterable[str], whole: Set[str] = frozenset(), embedded: Set[str] = frozenset()) -> list[str]:
    """Dotted paths as fields, one for each first name: `a.b` and `a.c` give `a[b,c]`.

    Parameters:
        paths: what is read.
        whole: those of them whose own value is read too, beside what is below them.
        embedded: those that have no address of their own: whole they are all they own, others whole are their id.
    """
    tree: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        first, _, rest = path.partition(".")
        below = tree.setdefault(first, [])
        if rest:
            below.append(rest)
    found: list[str] = []
    for first, below in tree.items():
        inner = written(below, _under(first, whole), _under(first, embedded))
        if inner and first in whole:
            inner = [":owner" if first in embedded else "id", *inner]
        found.append(f"{first}[{','.join(dict.fromkeys(inner))}]" if inner else first)
    return found


def _under(first: str, paths: Set[str]) -> set[str]:
    """The paths below a name."""
    return {path.removeprefix(f"{first}.") for path in paths if path.startswith(f"{first}.")}
