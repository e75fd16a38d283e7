"""Items of dashboards: what each shows, where it stands, and how people call it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan
from dhis2sh.client import reading
from dhis2sh.client.specs import GRID_WIDTH, DashboardSlot, SlotKind, arranged
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.visuals.in_words import Described, Teller
from dhis2sh.metadata.types.visuals.shown import of_kinds
from dhis2sh.metadata.write import Write, called
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import counted, joined

BOARDS = "dashboards"
SLOTS: Mapping[str, SlotKind] = {
    "visualizations": "VISUALIZATION", "eventVisualizations": "EVENT_VISUALIZATION", "maps": "MAP",
}  # fmt: skip
"""The types that stand on a dashboard by name, and what an item of each is."""
HOLDERS = ("visualization", "eventVisualization", "map", "eventChart", "eventReport")
"""The properties of an item that say what it shows; the last two on old servers."""
LISTS = ("reports", "resources", "users")
"""Items that list things hold them here."""
SPACER = "SPACER_ITEM_FOR_DASHBOARD_LAYOUT_CONVENIENCE"
"""The text of an item that the dashboards app draws as empty space."""
LONGEST = 60
"""Characters of a text that are told."""
PLACES = {1: ("full width",), 2: ("left half", "right half"), 3: ("left third", "middle third", "right third")}


async def slots_of(s: Session, texts: Sequence[str]) -> dict[str, tuple[DashboardSlot, str]]:
    """A slot and the name for each thing that can stand on a dashboard, by its UID. Raises as `names.among`."""
    return {one.uid: (DashboardSlot(one.uid, kind), one.name) for one, kind in await of_kinds(s, SLOTS, texts)}


def _meant(there: Sequence[JsonObject], text: str, board: str, uid: str) -> list[JsonObject]:
    """The items of a dashboard that a text names; two that show the same are both meant.

    Raises `NotFound` that names the nearest, and `UsageError` where two things on it have that name.
    """
    for key in (_uid, _content, _code, _name):
        if found := [item for item in there if key(item) == text]:
            kinds = {_content(item): item for item in found}
            if len(kinds) > 1:
                told = ", ".join(f"{_kind(item)} {_name(item)} [{_content(item)}]" for item in kinds.values())
                raise UsageError(f"'{text}' is ambiguous on {board}: {told}", hint="use a UID")
            return found
    hint = did_you_mean(text, [_name(item) for item in there]) or f"dhis2 metadata dashboards describe {uid}"
    raise NotFound(f"'{text}' is not on {board}", hint=hint)


def _rearranged(
    before: JsonObject, items: Sequence[JsonObject], title: str, words: str, notes: Sequence[str] = ()
) -> Plan:
    """A plan that changes the items of a dashboard alone; what is sent is a patch of the difference."""
    after: JsonObject = {**before, "dashboardItems": cast("JsonValue", list(items))}
    changes = [Write(BOARDS, before, after, detail=words)]
    return writes.plan(f"{title} {before['name']}", changes, what=BOARDS, notes=notes)


FIELDS = "id,displayName,dashboardItems[id,type,x,y,width,height,text,appKey,messages," + ",".join(
    f"{holder}[id,displayName,code]" for holder in (*HOLDERS, *LISTS)
) + "]"  # fmt: skip


def _items(board: Mapping[str, JsonValue]) -> list[JsonObject]:
    """The items of a dashboard."""
    return cast("list[JsonObject]", board.get("dashboardItems") or [])


def _uid(item: Mapping[str, JsonValue]) -> str:
    return str(item["id"])


def _held(item: Mapping[str, JsonValue]) -> JsonObject:
    """The object that an item shows; empty for a text, an app or a list."""
    held = next((value for holder in HOLDERS if isinstance(value := item.get(holder), dict)), None)
    return held or {}


def _content(item: Mapping[str, JsonValue]) -> str:
    """What an item shows: a UID, a text, the key of an app."""
    return str(_held(item).get("id") or item.get("text") or item.get("appKey") or item["id"])


def _code(item: Mapping[str, JsonValue]) -> str | None:
    return cast("str | None", _held(item).get("code"))


def _name(item: Mapping[str, JsonValue]) -> str:
    """What people call an item."""
    held = _held(item)
    if held:
        return str(held.get("displayName") or held["id"])
    several = [row for name in LISTS for row in cast("list[JsonObject]", item.get(name) or [])]
    if several:
        return joined([str(row.get("displayName") or row["id"]) for row in several])
    text = " ".join(str(item.get("text") or item.get("appKey") or "").split())
    if not text or text == SPACER:
        return "empty space" if text else _kind(item)
    return f"'{text}'" if len(text) <= LONGEST else f"'{text[: LONGEST - 3]}...'"


def _kind(item: Mapping[str, JsonValue]) -> str:
    """What kind of item it is, in words."""
    return str(item.get("type") or "item").replace("_", " ").lower()


def _number(item: Mapping[str, JsonValue], name: str) -> int:
    """A number of an item; 0 where it has none."""
    return cast("int", item.get(name) or 0)  # items that were made by hand may have no place


def _slot(item: Mapping[str, JsonValue]) -> DashboardSlot:
    """Where an item stands."""
    x, y, width, height = (_number(item, name) for name in ("x", "y", "width", "height"))
    return DashboardSlot(_content(item), x=x, y=y, width=width, height=height)


def _place(item: Mapping[str, JsonValue]) -> str:
    """Where an item stands across the grid: `left half`, `middle third`."""
    slot = _slot(item)
    columns = round(GRID_WIDTH / slot.width) if slot.width else 0
    column = round(slot.x / slot.width) if slot.width else 0
    even = columns and GRID_WIDTH - columns * slot.width <= columns and abs(column * slot.width - slot.x) <= columns
    if not even:
        return f"{slot.width} wide from {slot.x}"
    return PLACES[columns][column] if columns in PLACES else f"column {column + 1} of {columns}"


class Item(BaseModel):
    """One item of a dashboard.

    Parameters:
        id: the item's own UID; `uid` that of what it shows, where it shows an object.
        row, place: where it stands: rows are counted from the top.
        x, y, width, height: the same in cells of a grid that is 60 wide.
    """

    id: str
    type: str
    name: str
    uid: str | None
    row: int
    place: str
    x: int
    y: int
    width: int
    height: int
    words: str


class DescribedDashboard(Described):
    """A dashboard in words, with its items in reading order."""

    items: list[Item]

    def line(self) -> str:
        """The words as text."""
        lines = [super().line()]
        for number, item in enumerate(self.items, 1):
            uid = f" [{item.uid}]" if item.uid else ""
            lines.append(f"{number:>4}. {item.name}{uid}: row {item.row}, {item.place}")
            lines += [f"      {item.words}"] if item.words else []
        return "\n".join(lines)


async def _bodies(s: Session, items: Sequence[JsonObject]) -> dict[str, JsonObject]:
    """What the items show, by UID."""
    wanted = {plural: [_content(item) for item in items if item.get("type") == kind] for plural, kind in SLOTS.items()}
    found = await asyncio.gather(
        *(reading.by_uid(s.client, plural, [uid for uid in uids if uid]) for plural, uids in wanted.items())
    )
    return {str(body["id"]): body for each in found for body in each.rows}


def _described(item: JsonObject, row: int, bodies: Mapping[str, JsonObject], teller: Teller) -> Item:
    """An item in words, with what it shows."""
    body = bodies.get(_content(item))
    x, y, width, height = (_number(item, name) for name in ("x", "y", "width", "height"))
    lost = (
        "it shows nothing: what it points to is gone, or not for this user"
        if item.get("type") in SLOTS.values()
        else ""
    )
    return Item(
        id=str(item["id"]), type=_kind(item), name=_name(item), uid=cast("str | None", _held(item).get("id")), row=row,
        place=_place(item), x=x, y=y, width=width, height=height,
        words=f"{teller.sentence(body)}." if body else lost,
    )  # fmt: skip


async def plan_items(s: Session, dashboard: str, texts: Sequence[str], *, per_row: int, height: int) -> Plan:
    """The plan that puts things on a dashboard, each at the first free place; what is on it already is noted.

    Parameters:
        dashboard: its UID; texts: UIDs, codes or names of visualizations, event visualizations and maps.
        per_row: how many stand side by side; height: rows of the grid that each covers.
    """
    found = await slots_of(s, texts)
    [before] = await writes.read_objects(s, BOARDS, [dashboard])
    there = _items(before)
    shown = {_content(item) for item in there}
    again = [name for uid, (_, name) in found.items() if uid in shown]
    new = {uid: one for uid, one in found.items() if uid not in shown}
    notes = [f"{name} is on it already" for name in again]
    if not new:
        return writes.plan(f"nothing to add to dashboard {called(before)}", [], what=BOARDS, notes=notes)
    slots = arranged(
        [DashboardSlot(slot.content, slot.kind, height=height) for slot, _ in new.values()],
        columns=per_row,
        there=[_slot(item) for item in there],
    )
    return _rearranged(
        before, [*there, *(slot.item() for slot in slots)], f"add {counted(len(slots), 'item')} to",
        f"adds {joined([name for _, name in new.values()])}", notes,
    )  # fmt: skip


async def plan_without(s: Session, dashboard: str, texts: Sequence[str]) -> Plan:
    """The plan that takes items off a dashboard; texts and errors as `meant`."""
    [before], named = await asyncio.gather(
        writes.read_objects(s, BOARDS, [dashboard]), s.client.get_object(f"{BOARDS}/{dashboard}", {"fields": FIELDS})
    )
    there = _items(named)
    gone: dict[str, str] = {}
    for text in texts:
        gone |= {str(item["id"]): _name(item) for item in _meant(there, text, str(before["name"]), dashboard)}
    kept = [item for item in _items(before) if str(item["id"]) not in gone]
    title = f"take {counted(len(gone), 'item')} off"
    return _rearranged(before, kept, title, f"takes off {joined([*gone.values()])}")


async def described_dashboard(s: Session, uid: str) -> DescribedDashboard:
    """A dashboard in words, its items in reading order."""
    board = await s.client.get_object(f"{BOARDS}/{uid}", {"fields": FIELDS})
    items = sorted(_items(board), key=lambda item: (_number(item, "y"), _number(item, "x")))
    bodies = await _bodies(s, items)
    teller = await Teller.of(s, [*bodies.values()])
    rows = {y: number for number, y in enumerate(sorted({_number(item, "y") for item in items}), 1)}
    described = [_described(item, rows[_number(item, "y")], bodies, teller) for item in items]
    kinds = Counter(_kind(item) for item in items).most_common()
    what = f": {joined([counted(count, kind) for kind, count in kinds])}" if kinds else ""
    words = [f"A dashboard of {counted(len(items), 'item')}{what}." if items else "A dashboard without items."]
    return DescribedDashboard(id=uid, name=str(board.get("displayName")), type=BOARDS, words=words, items=described)
