"""The form on a screen: fields in tables, hints, totals, the difference before it is sent. Nothing here asks a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Footer, Static

from dhis2sh.data.entry import drafts
from dhis2sh.data.entry.fields import Cell, Choice, FormScreen, Grid, choice_of, is_block, printable, told
from dhis2sh.data.entry.form import Change, Entered, Field, Form, Key, Section, Table, total
from dhis2sh.errors import UsageError
from dhis2sh.words import counted, safe

LABEL, WIDEST, CELL = 30, 64, 13
"""Columns of a screen for the names of elements, the least and the most, and for a field."""
SELECTED = 24
"""Columns for a field of options."""


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
        self.set_focus(self.query_one("#save" if self._changes else "#back", Button))

    def _aside(self, change: Change) -> str:
        base = self._stale.get(change.field.key)
        return f"   (when it was typed the server had {base or 'nothing'})" if base is not None else ""

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Give what was chosen."""
        if self.is_current:  # a key that is pressed twice chooses once
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
        self._label, self._width = LABEL, 0
        self._shown: list[tuple[bool, int]] | None = None
        self._grid = Grid()
        self._waiting: list[events.Key | events.Paste] = []
        self._held = False

    def get_default_screen(self) -> FormScreen:
        """The screen of the form."""
        return FormScreen(id="_default")

    @property
    def at(self) -> Widget | None:
        """What has the focus; nothing once the screens are gone, when keys and timers of the form may still come."""
        return self.focused if self.screen_stack else None

    async def on_event(self, event: events.Event) -> None:
        """Keys and pasted texts in their order: each is through before the next one is looked at."""
        if not isinstance(event, (events.Key, events.Paste)) or event.is_forwarded:
            await super().on_event(event)
        elif self._held:
            self._waiting.append(event)
        else:
            await self._typed(event)

    async def _typed(self, event: events.Key | events.Paste) -> None:
        """One key or pasted text. What the form does with it is done here, not later from the queue of a widget."""
        if not self.screen_stack:
            return
        at = self.at
        choice = choice_of(at)
        if isinstance(event, events.Paste):
            if isinstance(at, (Cell, Choice)):
                self.paste(at, event.text)
        elif isinstance(at, Cell) and printable(event, at) and event.character:
            at.put(event.character)
        elif printable(event, at) or not (
            await self._check_bindings(event.key, priority=True) or await self._check_bindings(event.key)
        ):
            await super().on_event(event)
        if choice is not None:
            self._hold(choice)

    def _hold(self, choice: Choice) -> None:
        """Let keys wait until a field of options is through: its list tells its field, and that one asks for the focus."""
        self._held = True
        at = self.at or choice

        def through() -> None:
            self.call_later(self._release)

        def told_field() -> None:
            if not choice.call_later(through):
                through()

        def told_list() -> None:
            if not at.call_later(told_field):
                told_field()

        if not at.call_later(told_list):
            through()

    async def _release(self) -> None:
        self._held = False
        while self._waiting and not self._held:
            await self._typed(self._waiting.pop(0))

    def paste(self, cell: Cell | Choice, text: str) -> None:
        """A text into a field; lines and tabs go on below and beside it, all of them or none."""
        if not is_block(text) and isinstance(cell, Cell):
            cell.put(text.strip())
            return
        if not text.strip():
            return
        try:
            filled = self._grid.block(cell, text)
        except UsageError as error:
            self.notify(f"nothing was pasted: {safe(str(error))}", severity="error", markup=False)
            return
        for one, given in filled:
            one.fill(given)
        self.screen.set_focus(filled[-1][0])
        self.notify(told(filled), markup=False)

    def compose(self) -> ComposeResult:
        """Title, sections, hint, keys."""
        self._width = self.size.width
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

    def _laid_out(self, table: Table) -> tuple[bool, int]:
        """Whether a table is too wide for the screen, so that each field has a line of its own, and the columns of labels."""
        several = len(table.columns) > 1 and _numeric(table)
        wide = LABEL + (CELL + 1) * (len(table.columns) + several) + 2
        narrow = len(table.columns) > 1 and wide > self._width
        taken = LABEL + (CELL + 1) + 2 if narrow else wide
        return narrow, min(WIDEST, LABEL + max(0, self._width - taken - 2))

    def _layout(self) -> list[tuple[bool, int]]:
        return [self._laid_out(table) for section in self._form.sections for table in section.tables]

    async def on_resize(self, event: events.Resize) -> None:
        """Lay the fields out anew where the screen has become wider or narrower; what is typed and where stays."""
        self._width = event.size.width  # `self.size` follows later
        if self._shown in (None, shape := self._layout()) or not self.screen_stack:
            return
        self._shown = shape
        base = self.screen_stack[0]
        at = choice_of(base.focused) or base.focused
        selected = at.selection if isinstance(at, Cell) else None
        fields = base.query_one("#fields", VerticalScroll)
        await fields.remove_children()
        self._sums, self._names, self._cells, self._grid = [], {}, {}, Grid()
        await fields.mount_all([part for section in self._form.sections for part in self._section(section)])
        self._refresh_all()
        if isinstance(at, (Cell, Choice)):
            again = self._cells[at.field.key][0]
            base.set_focus(again)
            if selected is not None and isinstance(again, Cell):
                again.selection = selected  # what is typed next goes where it would have gone

    def _table(self, table: Table, sums: bool) -> Iterator[Static | Horizontal]:
        """A table as wide as the screen allows; where that is too narrow each field has a line of its own."""
        numeric = _numeric(table)
        several = len(table.columns) > 1 and numeric
        narrow, self._label = self._laid_out(table)
        if narrow:
            for line in table.lines:
                yield Static(safe(line.name), classes="label whole", markup=False)
                for one in line.fields:
                    yield self._line(f"  {one.combo_name}", (one,), [])
                if numeric:
                    yield self._line("  Total", (), [line.fields])
            return
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
        cells = [self._cell(one) for one in fields]
        if cells:
            self._grid.lines.append(cells)
        parts.extend(cells)
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
        self._shown = self._layout()
        self._refresh_all()
        first = next((cells[0] for cells in self._cells.values() if not cells[0].disabled), None)
        if first is not None:
            self.screen.set_focus(first)

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

    def enter(self, sender: Cell | Choice, text: str) -> None:
        """Keep what was typed or chosen."""
        one = sender.field
        if text == self.value(one).strip():
            return
        if text == self._form.values.get(one.key, ""):
            self.entered.pop(one.key, None)
        else:
            self._base.setdefault(one.key, self._form.values.get(one.key, ""))
            self.entered[one.key] = text
        self._keep()
        for other in self._cells[one.key]:
            if other is not sender:
                other.fill(text)
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
        if isinstance(at := self.at, (Cell, Choice)):
            self._tell(at.field)

    def _tell(self, one: Field) -> None:
        if not self.screen_stack:
            return
        text = self.value(one)
        problem = one.wrong(text) or one.unusual(text)
        was = self._form.values.get(one.key, "")
        second = problem or (f"the server has {was or 'nothing'}" if one.key in self.entered else "")
        self.query_one("#hint", Static).update(f"{safe(one.hint())}\n{safe(second)}")

    def go(self, cell: Cell, step: int) -> None:
        """To the field below or above in the same column."""
        if (found := self._grid.beside(cell, step)) is not None:
            self.screen.set_focus(found)

    def action_revert(self) -> None:
        """What the server has, back into the field."""
        cell = choice_of(self.at) or self.at
        if isinstance(cell, (Cell, Choice)):
            cell.fill(self._form.values.get(cell.field.key, ""))

    def action_leave(self) -> None:
        """Go; the draft stays."""
        self.exit(None)

    def action_discard(self) -> None:
        """Everything as the server has it."""
        for cells in self._cells.values():
            for cell in cells:
                cell.fill(self._form.values.get(cell.field.key, ""))

    async def action_review(self) -> None:
        """Show the difference; a field that is wrong comes first."""
        if isinstance(self.screen, Difference):
            return
        wrong = next(
            (one for one in self._form.fields() if one.key in self.entered and one.wrong(self.value(one))), None
        )
        if wrong is not None:
            self.screen.set_focus(self._cells[wrong.key][0])
            self.notify(f"{safe(wrong.label)} {wrong.wrong(self.value(wrong))}", severity="error", markup=False)
            return
        changes = self._form.differences(self.entered)
        unusual = [
            f"{one.field.label}: {one.after} is {why}" for one in changes if (why := one.field.unusual(one.after))
        ]
        lacking = [one.label for one in self._form.lacking(self.entered)]
        await self.push_screen(Difference(changes, self._stale, unusual, self._form, lacking), self._chosen(changes))

    def _chosen(self, changes: list[Change]) -> Callable[[str | None], None]:
        def chosen(what: str | None) -> None:
            if what:
                complete = {"complete": True, "open": False}.get(what)
                self.exit(Entered(tuple(changes), complete))

        return chosen


def _numeric(table: Table) -> bool:
    return all(one.numeric for line in table.lines for one in line.fields)
