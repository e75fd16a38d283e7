"""Values that are marked for follow-up: the mark set and taken away, and the way back.

API source: `PUT /api/dataValues/followups` (api-facts f.3); which values are marked is read with the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh.changes.left_out import left_out
from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client import reading
from dhis2sh.data.asking import no_value
from dhis2sh.data.cells import DEFAULTED, KEY, cell_of
from dhis2sh.data.reading import cells_now
from dhis2sh.data.target import Target
from dhis2sh.errors import Refused
from dhis2sh.words import counted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

NAME = "followUp"
AT_ONCE = 200
"""Values in one request."""


async def marked(batches: AsyncGenerator[list[Row]]) -> AsyncGenerator[list[Row]]:
    """Of batches of values those that are marked."""
    async for rows in batches:
        if found := [row for row in rows if row.get("followup") is True]:
            yield found


@dataclass(slots=True)
class FollowUps(PlainWriter):
    """The writer: values that are marked, or whose mark is taken away.

    Parameters:
        rows: one a step, with the five columns of its cell.
        mark: what they shall have.
        default: the server's default option combination.
        attributes: category combination and options of the attribute option combinations that are no default, by UID.
    """

    name: ClassVar[str] = NAME

    rows: Sequence[Row]
    mark: bool
    default: str
    attributes: Mapping[str, JsonObject] = field(default_factory=dict[str, "JsonObject"])
    what: str = field(default="values", kw_only=True)

    def parts(self) -> Iterator[Part]:
        """Some hundred values in a request."""
        for start in range(0, len(self.rows), AT_ONCE):
            yield Part(range(start, min(start + AT_ONCE, len(self.rows))))

    async def moved(self, s: Session) -> list[str]:
        """Values that are not there any more."""
        now = await cells_now(s, self.rows, self.default)
        gone = [cell for row in self.rows if (cell := cell_of(row, self.default)) not in now]
        return [f"{cell} has no value any more" for cell in gone]

    async def send(self, s: Session, part: Part) -> PartDone:
        """A part; what came of it is read afterwards, since the answer says nothing. Raises what the server says."""
        body = cast("JsonObject", {"values": [self._sent(self.rows[number]) for number in part.numbers]})
        await s.client.put("dataValues/followups", body)
        told = await self.look_back(s, part)
        left = set(part.numbers) - set(told.done)
        told.refused = dict.fromkeys(left, "the server has not changed its mark and gave no reason")
        told.failures = [
            {"type": NAME, "name": cell_of(self.rows[number], self.default), "message": told.refused[number]}
            for number in sorted(left)
        ]
        return told

    def _sent(self, row: Row) -> JsonObject:
        sent: JsonObject = {**{name: row[name] for name in KEY[:4]}, "followup": self.mark}
        attribute = self.attributes.get(str(row["attributeOptionCombo"]))
        if attribute:
            sent["attribute"] = attribute
        return sent

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Which of them have the mark that they were meant to have."""
        rows = {number: self.rows[number] for number in part.numbers}
        now = await cells_now(s, list(rows.values()), self.default)
        done = [
            number
            for number, row in rows.items()
            if now.get(cell_of(row, self.default), {}).get("followup", False) is self.mark
        ]
        return PartDone(done, updated=len(done))


async def plan(s: Session, rows: Sequence[Row], *, mark: bool, title: str | None = None) -> Plan:
    """The plan of marking values, or of taking the mark away; those that are so already are counted.

    Parameters:
        rows: with what names their cells, by UID, code or name.
        mark: mark them; title: of the plan, where it is not what it says itself.

    Raises `NotFound` for a row that has no value.
    """
    target = Target(s)
    await target.open()
    cells = [{name: row.get(name) or (target.default if name in DEFAULTED else None) for name in KEY} for row in rows]
    now = await cells_now(s, cells, target.default) if cells else {}
    missing = [cell for row in cells if (cell := cell_of(row, target.default)) not in now]
    if missing:
        row = next(row for row in cells if cell_of(row, target.default) == missing[0])
        what, hint = f"there is no value in {missing[0]}", "dhis2 data aggregate get  shows what there is"
        raise await no_value(s, what, str(row["dataElement"]), str(row["period"]), hint)
    found = [now[cell_of(row, target.default)] for row in cells]
    needed = [row for row in found if (row.get("followup") is True) is not mark]
    await target.meet([str(row["dataElement"]) for row in found], [str(row["orgUnit"]) for row in found], [])
    word = "mark for follow-up" if mark else "take the mark away"
    steps = [
        PlanStep(
            "update", NAME, uid=cell_of(row, target.default), name=target.words(row), detail=f"{row.get('value')}: {word}",
            before={**_cell(row), "followup": not mark}, after={**_cell(row), "followup": mark},
        )
        for row in needed
    ]  # fmt: skip
    right = ((cell_of(row, target.default), target.words(row)) for row in found if row not in needed)
    same = left_out(NAME, right, "marked already" if mark else "not marked")
    notes = [f"{counted(len(same), 'value')} already right"] if same else []
    writer = FollowUps(needed, mark, target.default, await _attributes(s, needed, target.default), notes=notes)
    return Plan(title or f"{word} {counted(len(needed), 'value')}", steps, notes=notes, writer=writer, left_out=same)


def _cell(row: Row) -> JsonObject:
    return {name: row[name] for name in KEY}


async def _attributes(s: Session, rows: Sequence[Row], default: str) -> dict[str, JsonObject]:
    """How single values name an attribute option combination: by its category combination and its options."""
    uids = list(dict.fromkeys(uid for row in rows if (uid := str(row["attributeOptionCombo"])) != default))
    fields = "id,categoryCombo[id],categoryOptions[id]"
    found = (await reading.by_uid(s.client, "categoryOptionCombos", uids, fields=fields)).rows if uids else []
    return {
        str(row["id"]): {
            "combo": cast("JsonObject", row["categoryCombo"])["id"],
            "options": [item["id"] for item in cast("list[JsonObject]", row.get("categoryOptions") or [])],
        }
        for row in found
    }


@takes_back(NAME)
async def marks(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """Marks are taken away again, or set again."""
    title = entry.undo_title
    changed = [change.before for change in journal.changes(entry.id) if change.written]
    before = [row for row in changed if row]
    if not before:
        return Plan(title, blocked=Refused(f"entry {entry.id} changed nothing"))
    return await plan(s, [*before], mark=before[0].get("followup") is True, title=title)
