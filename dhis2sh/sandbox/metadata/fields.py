"""The `fields` parameter: one left-to-right scan into a tree of what to show.

API source: `FieldFilterParser`, `FieldPreset` (api-facts a.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dhis2sh.sandbox.refused import not_imitated

DEEPEST = 100
PRESETS = {"all", "owner", "persisted", "simple", "identifiable", "nameable"}


@dataclass(slots=True)
class Field:
    """One node: what is shown below it, what is hidden, how it is transformed.

    A node without `children`, `presets` and `excluded` is bare: a reference then shows its `id`.
    """

    children: dict[str, Field] = field(default_factory=lambda: {})
    presets: list[str] = field(default_factory=lambda: [])
    excluded: list[str] = field(default_factory=lambda: [])
    transformers: list[tuple[str, str]] = field(default_factory=lambda: [])

    @property
    def bare(self) -> bool:
        """True when nothing below it was named."""
        return not (self.children or self.presets or self.excluded)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def block(self, closing: bool, depth: int = 0) -> Field:
        if depth > DEEPEST:
            raise not_imitated(f"fields nested more than {DEEPEST} deep")
        node = Field()
        while self.at < len(self.text):
            mark = self.text[self.at]
            if mark in ")]" and closing:
                self.at += 1
                return node
            if mark == "," or mark.isspace() or mark in ")]":
                self.at += 1
            elif mark == "*":
                self.at += 1
                node.presets.append("all")
            elif mark == "!":
                self.at += 1
                node.excluded.append(self.word().lstrip(":"))
            elif mark == ":":
                self.at += 1
                node.presets.append(self.word())
            elif mark in "([":
                self.at += 1
                self.block(True, depth + 1)  # a block without a name before it shows nothing
            else:
                self.one(node, depth)
        return node

    def one(self, node: Field, depth: int) -> None:
        name = self.word()
        if not name:
            self.at += 1
            return
        target = Field() if "." in name else node.children.setdefault(name, Field())  # a path shows nothing
        closed = False  # a transformer behind a block is read and forgotten
        while self.at < len(self.text):
            if self.text[self.at] in "([":
                self.at += 1
                inner = self.block(True, depth + 1)
                target.children.update(inner.children)
                target.presets += inner.presets
                target.excluded += inner.excluded
                closed = True
            elif self.text[self.at] in "~|" or self.text.startswith("::", self.at):
                self.at += 2 if self.text[self.at] == ":" else 1
                transformer = (self.word(), self.arguments())
                if not closed:
                    target.transformers.append(transformer)
            else:
                return

    def word(self) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ",[]()~|!*: \t\n":
            self.at += 1
        return self.text[start : self.at]

    def arguments(self) -> str:
        if not self.text.startswith("(", self.at):
            return ""
        end = self.text.find(")", self.at)
        end = len(self.text) if end < 0 else end
        inside = self.text[self.at + 1 : end]
        self.at = end + 1
        return inside


def parse_fields(text: str) -> Field:
    """The tree that a `fields` text asks for: what cannot be read shows nothing, as on a server.

    Raises `Refused` with 501 for one that is deeper than anything that objects hold.
    """
    return _Scanner(text).block(False)
