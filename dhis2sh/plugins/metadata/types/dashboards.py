"""`metadata dashboards create|add-item|remove-item|describe`: what stands on a dashboard, and where."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan
from dhis2sh.client.specs import GRID_WIDTH, DashboardSlot, SlotKind, arranged
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.in_words import Described, Teller
from dhis2sh.metadata.types.visuals import Name, created
from dhis2sh.metadata.writes import Write, called
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, verb
from dhis2sh.words import counted, joined

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

BOARDS = "dashboards"
Dashboard = Annotated[str, Doc("UID, code or unique name of the dashboard."), Refers(BOARDS)]
Contents = Annotated[
    list[str], Doc("Visualizations, event visualizations and maps: UIDs, codes or unique names."), Complete("uids")
]
PerRow = Annotated[int, Bounds(1, 6), Doc("How many items stand side by side.")]
Height = Annotated[int, Bounds(1, 200), Doc("Rows of the grid that an item covers.")]
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


async def _slots(s: Session, texts: Sequence[str]) -> dict[str, tuple[DashboardSlot, str]]:
    """A slot and the name for each thing that can stand on a dashboard, by its UID. Raises as `names.among`."""
    found = await names.among(s, [*SLOTS], texts)
    return {one.uid: (DashboardSlot(one.uid, SLOTS[one.plural]), one.name) for one in (found[text] for text in texts)}


@verb(
    "metadata dashboards create",
    effect="write",
    examples=["dhis2 metadata dashboards create --name 'My board' --item 'Immunization: Doses 2025 monthly' --dry-run"],
)
async def create(s: Session, *, name: Name, item: Contents = [], per_row: PerRow = 2, height: Height = 20) -> Plan:
    """Create a dashboard with items in rows, none of them twice.

    API source: `POST /api/dashboards`.
    """
    found = await _slots(s, item)
    slots = [DashboardSlot(slot.content, slot.kind, height=height) for slot, _ in found.values()]
    body: JsonObject = {
        "id": generate_uid(), "name": name,
        "dashboardItems": cast("JsonValue", [slot.item() for slot in arranged(slots, columns=per_row)]),
    }  # fmt: skip
    words = f"with {joined([name for _, name in found.values()])}" if found else "without items"
    return await created(s, BOARDS, body, words)


@verb(
    "metadata dashboards add-item",
    effect="write",
    examples=["dhis2 metadata dashboards add-item Immunization 'Immunization: Doses 2025 monthly' --dry-run"],
)
async def add_item(
    s: Session, dashboard: Dashboard, items: Contents, *, per_row: PerRow = 2, height: Height = 20
) -> Plan:
    """Put items on a dashboard, each at the first free place. Only the new items are sent; one that is there stays alone.

    API source: `PATCH /api/dashboards/{uid}`.
    """
    found = await _slots(s, items)
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


@verb(
    "metadata dashboards remove-item",
    effect="destroy",
    examples=["dhis2 metadata dashboards remove-item Immunization 'Immunization: Doses 2025 monthly' --dry-run"],
)
async def remove_item(
    s: Session,
    dashboard: Dashboard,
    items: Annotated[
        list[str], Doc("Items by what they show: UID, code or name; or by their own UID."), Complete("uids")
    ],
) -> Plan:
    """Take items off a dashboard; what they show stays.

    API source: `PATCH /api/dashboards/{uid}`.
    """
    [before], named = await asyncio.gather(
        writes.read_objects(s, BOARDS, [dashboard]), s.client.get_object(f"{BOARDS}/{dashboard}", {"fields": _FIELDS})
    )
    there = _items(named)
    gone: dict[str, str] = {}
    for text in items:
        gone |= {str(item["id"]): _name(item) for item in _meant(there, text, str(before["name"]), dashboard)}
    kept = [item for item in _items(before) if str(item["id"]) not in gone]
    title = f"take {counted(len(gone), 'item')} off"
    return _rearranged(before, kept, title, f"takes off {joined([*gone.values()])}")


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


# Items -----------------------------------------------------------------------------------------------------------

_FIELDS = "id,displayName,dashboardItems[id,type,x,y,width,height,text,appKey,messages," + ",".join(
    f"{holder}[id,displayName,code]" for holder in (*HOLDERS, *LISTS)
) + "]"  # fmt: skip


def _items(board: Mapping[str, JsonValue]) -> list[JsonObject]:
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
    return str(item.get("type") or "item").replace("_", " ").lower()


def _number(item: Mapping[str, JsonValue], name: str) -> int:
    return cast("int", item.get(name) or 0)  # items that were made by hand may have no place


def _slot(item: Mapping[str, JsonValue]) -> DashboardSlot:
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


# In words --------------------------------------------------------------------------------------------------------


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


@verb(
    "metadata dashboards describe", effect="read", examples=["dhis2 metadata dashboards describe 'Immunization data'"]
)
async def describe(s: Session, uid: Dashboard) -> DescribedDashboard:
    """Tell a dashboard in words: what stands where, and what each item shows.

    API source: `GET /api/dashboards/{uid}`, and the visualizations and maps on it.
    """
    board = await s.client.get_object(f"{BOARDS}/{uid}", {"fields": _FIELDS})
    items = sorted(_items(board), key=lambda item: (_number(item, "y"), _number(item, "x")))
    bodies = await _bodies(s, items)
    teller = await Teller.of(s, [*bodies.values()])
    rows = {y: number for number, y in enumerate(sorted({_number(item, "y") for item in items}), 1)}
    described = [_described(item, rows[_number(item, "y")], bodies, teller) for item in items]
    kinds = Counter(_kind(item) for item in items).most_common()
    what = f": {joined([counted(count, kind) for kind, count in kinds])}" if kinds else ""
    words = [f"A dashboard of {counted(len(items), 'item')}{what}." if items else "A dashboard without items."]
    return DescribedDashboard(id=uid, name=str(board.get("displayName")), type=BOARDS, words=words, items=described)


async def _bodies(s: Session, items: Sequence[JsonObject]) -> dict[str, JsonObject]:
    """What the items show, by UID."""
    wanted = {plural: [_content(item) for item in items if item.get("type") == kind] for plural, kind in SLOTS.items()}
    params: dict[str, Param] = {"fields": ":owner", "paging": False}
    pages = await asyncio.gather(
        *(
            s.client.list_page(plural, {**params, "filter": f"id:in:[{','.join(dict.fromkeys(uids))}]"})
            for plural, uids in wanted.items()
            if uids
        )
    )
    return {str(body["id"]): body for page in pages for body in page.rows}


def _described(item: JsonObject, row: int, bodies: Mapping[str, JsonObject], teller: Teller) -> Item:
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
