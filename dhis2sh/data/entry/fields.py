"""The fields of a form on a screen, where they stand, and what a pasted block puts into them.

A widget of Textual takes its keys from a queue of its own, and focus moves by another: keys that come faster than both are
looked after would go to the field that was left. So fields change, and tell the form, at once and in the order of the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from textual import events
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Select

from dhis2sh.data.entry.form import Field
from dhis2sh.errors import UsageError
from dhis2sh.words import counted, listed, safe


@runtime_checkable
class Holder(Protocol):
    """What holds fields: the form."""

    def enter(self, sender: Cell | Choice, text: str) -> None:
        """A field holds another text now."""
        ...

    def go(self, cell: Cell, step: int) -> None:
        """To the field so many below in the same column."""
        ...

    def paste(self, cell: Cell | Choice, text: str) -> None:
        """A text is pasted into a field and those beside and below it."""
        ...


class Cell(Input):
    """A field that is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "go('up')", show=False), Binding("down", "go('down')", show=False),
        Binding("enter,ctrl+j", "go('down')", show=False),  # ctrl+j: the ends of lines that a terminal types out
    ]  # fmt: skip

    def __init__(self, field: Field, text: str, name: str) -> None:
        # The screen selects when it moves the focus: the widget would do so later, over what was typed since.
        super().__init__(text, compact=True, id=name, disabled=field.closed, select_on_focus=False)
        self.field = field

    def watch_value(self, value: str) -> None:
        """Tell the form at once: the message of the widget comes when the next keys have been looked after."""
        if self.is_mounted and isinstance(self.app, Holder):
            self.app.enter(self, value.strip())

    def action_go(self, where: str) -> None:
        """To the field below or above."""
        if isinstance(self.app, Holder):
            self.app.go(self, 1 if where == "down" else -1)

    def action_paste(self) -> None:
        """What was copied in the form."""
        if isinstance(self.app, Holder):
            self.app.paste(self, self.app.clipboard)

    def put(self, text: str) -> None:
        """Put a text where the cursor is, over what is selected."""
        self.replace(text, *self.selection)

    def fill(self, text: str) -> None:
        """Hold a text and nothing else."""
        self.value = text


class Choice(Select[str]):
    """A field of options."""

    def __init__(self, field: Field, text: str, name: str) -> None:
        options = [(safe(label), code) for code, label in field.options or ()]
        if text and text not in dict(field.options or ()):  # what the server has is seen, also where it is no option
            options.append((f"{safe(text)} (no option)", text))
        super().__init__(options, value=text or Select.NULL, allow_blank=True, compact=True, prompt="–",
                         id=name, disabled=field.closed)  # fmt: skip
        self.field = field

    def watch_value(self, value: object) -> None:
        """Tell the form at once."""
        if self.is_mounted and isinstance(self.app, Holder):
            self.app.enter(self, value if isinstance(value, str) else "")

    def fill(self, text: str) -> None:
        """Hold an option, or none."""
        self.value = text or Select.NULL


class FormScreen(Screen[None]):
    """The screen of a form: a field that comes into focus is selected, so that what is typed takes its place."""

    def set_focus(self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False) -> None:
        """Move the focus, and select."""
        moved = widget is not self.focused
        super().set_focus(widget, scroll_visible, from_app_focus)
        if moved and not from_app_focus and isinstance(widget, Cell) and self.focused is widget:
            widget.select_all()


def choice_of(widget: Widget | None) -> Choice | None:
    """The field of options that a widget is, or is a part of."""
    if widget is None:
        return None
    return next((one for one in widget.ancestors_with_self if isinstance(one, Choice)), None)


@dataclass(slots=True)
class Grid:
    """Where the fields stand: lines from above, in each the fields from left to right."""

    lines: list[list[Cell | Choice]] = field(default_factory=list[list["Cell | Choice"]])

    def _place(self, cell: Cell | Choice) -> tuple[int, int]:
        return next((at, line.index(cell)) for at, line in enumerate(self.lines) if cell in line)

    def beside(self, cell: Cell, step: int) -> Cell | None:
        """The nearest field above or below in the same column that takes keys; None at the end."""
        at, column = self._place(cell)
        while 0 <= (at := at + step) < len(self.lines):
            line = self.lines[at]
            if column < len(line) and isinstance(found := line[column], Cell) and not found.disabled:
                return found
        return None

    def block(self, cell: Cell | Choice, text: str) -> list[tuple[Cell | Choice, str]]:
        """The fields that a pasted block fills, with what each gets; cells of the block that are empty leave theirs alone.

        Parameters:
            cell: where it begins.
            text: lines, their cells separated by tabs, as sheets copy them.

        Raises `UsageError` where some of it would have no field, or a field that does not take it.
        """
        rows = [line.split("\t") for line in text.rstrip().splitlines()]
        at, column = self._place(cell)
        below = [line for line in self.lines[at:] if column < len(line)]
        if len(rows) > len(below):
            raise UsageError(f"{counted(len(rows), 'line')} for {counted(len(below), 'field')} from here down")
        found: dict[tuple[str, str], tuple[Cell | Choice, str]] = {}
        for row, line in zip(rows, below, strict=False):
            for offset, given in enumerate(row):
                if not (wanted := given.strip()):
                    continue
                if column + offset >= len(line):
                    raise UsageError(
                        f"{counted(len(row), 'column')} for {counted(len(line) - column, 'field')} beside one another"
                    )
                one = line[column + offset]
                taken = _taken(one.field, wanted)
                if one.field.key in found and found[one.field.key][1] != taken:
                    raise UsageError(f"{one.field.label} stands there twice and would get two values")
                found[one.field.key] = (one, taken)
        return [*found.values()]


def _taken(one: Field, text: str) -> str:
    """What a field makes of a pasted text. Raises `UsageError`."""
    if one.closed:
        raise UsageError(f"'{text}' would come to {one.hint()}")
    if one.options is not None:
        for code, label in one.options:
            if text.casefold() in {code.casefold(), label.casefold()}:
                return code
        labels = listed([label for _, label in one.options], 6)
        raise UsageError(f"'{text}' is none of the options of {one.label}: {labels}")
    if why := one.wrong(text):
        raise UsageError(f"'{text}' would come to {one.label}, which {why}")
    return text


def is_block(text: str) -> bool:
    """Is a pasted text more than one cell?"""
    return len(text.strip().splitlines()) > 1 or "\t" in text.strip()


def printable(event: events.Key, widget: Widget | None) -> bool:
    """Is a key text for a widget, not a command?"""
    return widget is not None and widget.check_consume_key(event.key, event.character)


def told(filled: Sequence[tuple[Cell | Choice, str]]) -> str:
    """What was pasted, in a line."""
    first, last = filled[0][0].field.label, filled[-1][0].field.label
    return f"{counted(len(filled), 'field')} filled, from {safe(first)} to {safe(last)}"
