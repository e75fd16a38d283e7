"""The form on a screen: fields in tables, hints, totals, the difference before it is sent. Nothing here asks a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, Input, Select, Static

from dhis2sh.data.entry import drafts
from dhis2sh.data.entry.form import Change, Entered, Field, Form, Key, Section, Table, total
from dhis2sh.words import counted, safe

LABEL, WIDEST, CELL = 30, 64, 13
"""Columns of a screen for the names of elements, the least and the most, and for a field."""
SELECTED = 24
"""Columns for a field of options."""


class Cell(Input):
    """A field that is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "go('up')", show=False), Binding("down", "go('down')", show=False),
        Binding("enter", "go('down')", show=False),
    ]  # fmt: skip

    def __init__(self, field: Field, text: str, name: str) -> None:
        super().__init__(text, compact=True, id=name, disabled=field.closed, select_on_focus=True)
        self.field = field

    def action_go(self, where: str) -> None:
        """To the field below or above."""
        if isinstance(self.app, EntryApp):
            self.app.go(self, 1 if where == "down" else -1)


class Choice(Select[str]):
    """A field of options."""

    def __init__(self, field: Field, text: str, name: str) -> None:
        options = [(safe(label), code) for code, label in field.options or ()]
        if text and text not in dict(field.options or ()):  # what the server has is seen, also where it is no option
            options.append((f"{safe(text)} (no option)", text))
        super().__init__(options, value=text or Select.NULL, allow_blank=True, compact=True, prompt="–",
                         id=name, disabled=field.closed)  # fmt: skip
        self.field = field


class Difference(ModalScreen[str]):
    """What will be sent, and whether the set is complete; gives `save`, `complete`, `open` or nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "Back")]

    def __init__(
        self, changes: list[Change], stale: dict[Key, str], unusual: list[str], form: Form, lacking: list[str]
    ) -> None:
        super().__init__()
        self._changes, self._stale, self._unusual, self._form, self._lacking = changes, stale, unusual, form, lacking

    def compose(self) -> ComposeResult:
        """A list and buttons."""
        lines = [safe(change.words()) + self._aside(change) for change in self._changes]
        if self._unusual:
            lines += ["", "Unusual:", *map(safe, self._unusual)]
        if self._lacking:
            lines += ["", f"Compulsory and empty: {safe(', '.join(self._lacking))}"]
        head = counted(len(self._changes), "change") if self._changes else "No values have changed"
        with Vertical(id="difference"):
            yield Static(head, id="difference-head", markup=False)
            with VerticalScroll():
                yield Static("\n".join(lines) or "–", markup=False)
            with Horizontal(id="buttons"):
                if self._changes:
                    yield Button("Save", variant="primary", id="save")
                if self._form.complete:
                    yield Button("Open again", id="open")
                else:
                    blocked = self._form.whole and bool(self._lacking)
                    label = "Save and complete" if self._changes else "Complete"
                    yield Button(label, id="complete", disabled=blocked)
                yield Button("Back", id="back")

    def on_mount(self) -> None:
        """Enter saves what has changed, and does nothing where nothing has."""
        self.query_one("#save" if self._changes else "#back", Button).focus()

    def _aside(self, change: Change) -> str:
        base = self._stale.get(change.field.key)
        return f"   (when it was typed the server had {base or 'nothing'})" if base is not None else ""

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Give what was chosen."""
        self.dismiss("" if event.button.id == "back" else str(event.button.id))


class EntryApp(App[Entered]):
    """The form of a data set.

    Parameters:
        form: what is entered, and what the server has.
        draft: the file that keeps what was typed.
        found: what was typed before and not sent.
    """

    CSS = f"""
    #title {{ background: $primary; color: $text; padding: 0 1; height: 1; }}
    #notes {{ padding: 0 1; color: $text-warning; height: auto; }}
    #hint {{ height: 2; padding: 0 1; background: $panel; color: $text; }}
    .section {{ text-style: bold; padding: 1 1 0 1; color: $accent; }}
    .about {{ padding: 0 1; color: $text-muted; }}
    .line {{ height: 1; }}
    .head {{ color: $text-muted; }}
    .label {{ width: {LABEL}; height: 1; padding: 0 1; }}
    .whole {{ width: 100%; }}
    .column {{ width: {CELL}; height: 1; margin-right: 1; }}
    .sum {{ width: {CELL}; height: 1; margin-right: 1; text-style: italic; text-align: right; }}
    Cell {{ width: {CELL}; margin-right: 1; background: $surface; }}
    Cell:focus {{ background: $primary 40%; }}
    Cell.wrong {{ background: $error 60%; }}
    Cell.unusual {{ background: $warning 45%; }}
    Cell.changed {{ text-style: bold; }}
    Cell:disabled {{ background: $panel-darken-2; opacity: 50%; }}
    Choice {{ width: {SELECTED}; margin-right: 1; }}
    Difference {{ align: center middle; }}
    #difference {{ width: 90%; max-width: 110; height: 80%; border: round $accent; background: $surface; padding: 0 1; }}
    #difference-head {{ text-style: bold; height: 2; }}
    #buttons {{ height: 3; align-horizontal: right; }}
    #buttons Button {{ margin-left: 1; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "review", "Review and save", priority=True),
        Binding("ctrl+r", "revert", "Field as it was", priority=True),
        Binding("ctrl+q", "leave", "Leave, keep draft", priority=True),
        Binding("ctrl+d", "discard", "Discard draft", priority=True, show=False),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, form: Form, draft: Path, found: drafts.Draft | None = None) -> None:
        super().__init__()
        self._form, self._draft, self._found = form, draft, found
        self.entered: dict[Key, str] = dict(found.entered) if found else {}
        self._base = dict(found.base) if found else {}
        self._stale = {
            key: base for key, base in self._base.items() if base != form.values.get(key, "") and key in self.entered
        }
        self._sums: list[tuple[Static, tuple[Field, ...]]] = []
        self._names: dict[str, Field] = {}
        self._cells: dict[Key, list[Cell | Choice]] = {}
        self._failed = ""
        self._label = LABEL

    def compose(self) -> ComposeResult:
        """Title, sections, hint, keys."""
        done = "  ✓ complete" if self._form.complete else ""
        yield Static(safe(self._form.title) + done, id="title", markup=False)
        if said := self._said():
            yield Static("\n".join(map(safe, said)), id="notes", markup=False)
        with VerticalScroll(id="fields", can_focus=False):
            for section in self._form.sections:
                yield from self._section(section)
        yield Static("", id="hint", markup=False)
        yield Footer()

    def _section(self, section: Section) -> Iterator[Static | Horizontal]:
        yield Static(safe(section.name), classes="section", markup=False)
        if section.about:
            yield Static(safe(section.about), classes="about", markup=False)
        for table in section.tables:
            yield from self._table(table, section.sums)

    def _table(self, table: Table, sums: bool) -> Iterator[Static | Horizontal]:
        """A table as wide as the screen allows; where that is too narrow each field has a line of its own."""
        numeric = all(one.numeric for line in table.lines for one in line.fields)
        several = len(table.columns) > 1 and numeric
        wide = LABEL + (CELL + 1) * (len(table.columns) + several) + 2
        if len(table.columns) > 1 and wide > self.size.width:
            for line in table.lines:
                yield Static(safe(line.name), classes="label whole", markup=False)
                for one in line.fields:
                    yield self._line(f"  {one.combo_name}", (one,), [])
                if numeric:
                    yield self._line("  Total", (), [line.fields])
            return
        self._label = min(WIDEST, LABEL + max(0, self.size.width - wide - 2))
        if len(table.columns) > 1:
            heads = [
                Static(safe(name), classes="column", markup=False)
                for name in (*table.columns, *(["Total"] if several else []))
            ]
            yield Horizontal(self._labelled(""), *heads, classes="line head")
        for line in table.lines:
            yield self._line(line.name, line.fields, [line.fields] if several else [])
        if sums and numeric and len(table.lines) > 1:
            columns = [tuple(line.fields[at] for line in table.lines) for at in range(len(table.columns))]
            whole = tuple(one for line in table.lines for one in line.fields)
            yield self._line("Total", (), [*columns, *([whole] if several else [])])

    def _line(self, name: str, fields: tuple[Field, ...], sums: list[tuple[Field, ...]]) -> Horizontal:
        parts: list[Static | Cell | Choice] = [self._labelled(name)]
        for one in fields:
            parts.append(self._cell(one))
        for summed in sums:
            shown = Static("", classes="sum", markup=False)
            self._sums.append((shown, summed))
            parts.append(shown)
        return Horizontal(*parts, classes="line")

    def _labelled(self, name: str) -> Static:
        shown = Static(safe(name), classes="label", markup=False)
        shown.styles.width = self._label
        return shown

    def _cell(self, one: Field) -> Cell | Choice:
        name = f"f{len(self._names)}"
        self._names[name] = one
        text = self.value(one)
        made = Choice(one, text, name) if one.options is not None else Cell(one, text, name)
        self._cells.setdefault(one.key, []).append(made)
        return made

    def on_mount(self) -> None:
        """The first field, and what was found on disk."""
        self._refresh_all()
        first = next((cells[0] for cells in self._cells.values() if not cells[0].disabled), None)
        if first is not None:
            first.focus()

    def _said(self) -> list[str]:
        """What should be known before anything is typed."""
        said = [*self._form.notes]
        if self._found is not None and self.entered:
            when = self._found.saved[:16].replace("T", " ")
            said.insert(0, f"draft of {when}: {counted(len(self.entered), 'field')} not sent yet")
        known = {one.key for one in self._form.fields() if not one.closed}
        if gone := [key for key in self.entered if key not in known]:
            said.append(f"{counted(len(gone), 'field')} of the draft not in this form any more: left out")
        if self._stale:
            said.insert(1, f"of these {counted(len(self._stale), 'field')} the server holds something else by now")
        return said

    def value(self, one: Field) -> str:
        """What a field holds now."""
        return self.entered.get(one.key, self._form.values.get(one.key, ""))

    def values(self) -> dict[Key, str]:
        """Everything that the form holds now."""
        return {**self._form.values, **self.entered}

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep what was typed."""
        if isinstance(event.input, Cell):
            self._enter(event.input.field, event.value.strip(), event.input)

    def on_select_changed(self, event: Select.Changed) -> None:
        """Keep what was chosen."""
        if isinstance(event.select, Choice):
            value = event.value
            self._enter(event.select.field, value if isinstance(value, str) else "", event.select)

    def _enter(self, one: Field, text: str, sender: Cell | Choice) -> None:
        if text == self.value(one).strip():
            return
        if text == self._form.values.get(one.key, ""):
            self.entered.pop(one.key, None)
        else:
            self._base.setdefault(one.key, self._form.values.get(one.key, ""))
            self.entered[one.key] = text
        self._keep()
        for other in self._cells[one.key]:
            if other is not sender and isinstance(other, Cell):
                other.value = text
        self._mark(one)
        self._add_up()
        self._tell(one)

    def _keep(self) -> None:
        """Write the draft; a disk that cannot be written is said, and the form goes on."""
        try:
            drafts.write(self._draft, self.entered, self._base)
            self._failed = ""
        except OSError as error:
            if not self._failed:
                self.notify(f"the draft is not kept: {error.strerror}", severity="error", markup=False)
            self._failed = str(error)

    def _mark(self, one: Field) -> None:
        text = self.value(one)
        for cell in self._cells[one.key]:
            cell.set_class(one.wrong(text) is not None, "wrong")
            cell.set_class(one.unusual(text) is not None, "unusual")
            cell.set_class(one.key in self.entered, "changed")

    def _refresh_all(self) -> None:
        for one in self._form.fields():
            self._mark(one)
        self._add_up()

    def _add_up(self) -> None:
        values = self.values()
        for shown, summed in self._sums:
            found = total(summed, values)
            shown.update("" if found is None else f"{found:g}")

    def on_descendant_focus(self) -> None:
        """Say what the field takes."""
        if isinstance(self.focused, (Cell, Choice)):
            self._tell(self.focused.field)

    def _tell(self, one: Field) -> None:
        text = self.value(one)
        problem = one.wrong(text) or one.unusual(text)
        was = self._form.values.get(one.key, "")
        second = problem or (f"the server has {was or 'nothing'}" if one.key in self.entered else "")
        self.query_one("#hint", Static).update(f"{safe(one.hint())}\n{safe(second)}")

    def go(self, cell: Cell, step: int) -> None:
        """To the field below or above in the same column, else the next one."""
        same = [one for one in self.query(Cell) if not one.disabled and one.region.x == cell.region.x]
        if cell in same and 0 <= (at := same.index(cell) + step) < len(same):
            same[at].focus()

    def action_revert(self) -> None:
        """What the server has, back into the field."""
        cell = self.focused
        if isinstance(cell, Cell):
            cell.value = self._form.values.get(cell.field.key, "")
        elif isinstance(cell, Choice):
            cell.value = self._form.values.get(cell.field.key, "") or Select.NULL

    def action_leave(self) -> None:
        """Go; the draft stays."""
        self.exit(None)

    def action_discard(self) -> None:
        """Everything as the server has it."""
        for cells in self._cells.values():
            for cell in cells:
                if isinstance(cell, Cell):
                    cell.value = self._form.values.get(cell.field.key, "")
                else:
                    cell.value = self._form.values.get(cell.field.key, "") or Select.NULL

    def action_review(self) -> None:
        """Show the difference; a field that is wrong comes first."""
        if isinstance(self.screen, Difference):
            return
        wrong = next(
            (one for one in self._form.fields() if one.key in self.entered and one.wrong(self.value(one))), None
        )
        if wrong is not None:
            self._cells[wrong.key][0].focus()
            self.notify(f"{safe(wrong.label)} {wrong.wrong(self.value(wrong))}", severity="error", markup=False)
            return
        changes = self._form.differences(self.entered)
        unusual = [
            f"{one.field.label}: {one.after} is {why}" for one in changes if (why := one.field.unusual(one.after))
        ]
        lacking = [one.label for one in self._form.lacking(self.entered)]
        self.push_screen(Difference(changes, self._stale, unusual, self._form, lacking), self._chosen(changes))

    def _chosen(self, changes: list[Change]) -> Callable[[str | None], None]:
        def chosen(what: str | None) -> None:
            if what:
                complete = {"complete": True, "open": False}.get(what)
                self.exit(Entered(tuple(changes), complete))

        return chosen
