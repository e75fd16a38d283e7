"""`metadata dashboards create|add-item|remove-item|describe`: what stands on a dashboard, and where."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client.specs import DashboardSlot, arranged
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.visuals.dashboards import (
    BOARDS,
    FIELDS,
    DescribedDashboard,
    bodies_of,
    content_of,
    described_item,
    items_of,
    kind_of,
    meant,
    name_of,
    number_of,
    rearranged,
    slot_of,
    slots_of,
)
from dhis2sh.metadata.types.visuals.in_words import Teller
from dhis2sh.metadata.types.visuals.shown import Name, created
from dhis2sh.metadata.writes import called
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, applies, verb
from dhis2sh.words import counted, joined

Dashboard = Annotated[str, Doc("UID, code or unique name of the dashboard."), Refers(BOARDS)]
Contents = Annotated[
    list[str], Doc("Visualizations, event visualizations and maps: UIDs, codes or unique names."), Complete("uids")
]
PerRow = Annotated[int, Bounds(1, 6), Doc("How many items stand side by side.")]
Height = Annotated[int, Bounds(1, 200), Doc("Rows of the grid that an item covers.")]


@verb(
    "metadata dashboards create",
    effect="write",
    examples=["dhis2 metadata dashboards create --name 'My board' --item 'Immunization: Doses 2025 monthly' --dry-run"],
)
async def create(s: Session, *, name: Name, item: Contents = [], per_row: PerRow = 2, height: Height = 20) -> Plan:
    """Create a dashboard with items in rows, none of them twice.

    API source: `POST /api/dashboards`.
    """
    found = await slots_of(s, item)
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
    found = await slots_of(s, items)
    [before] = await writes.read_objects(s, BOARDS, [dashboard])
    there = items_of(before)
    shown = {content_of(item) for item in there}
    again = [name for uid, (_, name) in found.items() if uid in shown]
    new = {uid: one for uid, one in found.items() if uid not in shown}
    notes = [f"{name} is on it already" for name in again]
    if not new:
        return writes.plan(f"nothing to add to dashboard {called(before)}", [], what=BOARDS, notes=notes)
    slots = arranged(
        [DashboardSlot(slot.content, slot.kind, height=height) for slot, _ in new.values()],
        columns=per_row,
        there=[slot_of(item) for item in there],
    )
    return rearranged(
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
        writes.read_objects(s, BOARDS, [dashboard]), s.client.get_object(f"{BOARDS}/{dashboard}", {"fields": FIELDS})
    )
    there = items_of(named)
    gone: dict[str, str] = {}
    for text in items:
        gone |= {str(item["id"]): name_of(item) for item in meant(there, text, str(before["name"]), dashboard)}
    kept = [item for item in items_of(before) if str(item["id"]) not in gone]
    title = f"take {counted(len(gone), 'item')} off"
    return rearranged(before, kept, title, f"takes off {joined([*gone.values()])}")


for _verb in (create, add_item, remove_item):
    applies(_verb)(writes.apply)


# Items -----------------------------------------------------------------------------------------------------------


# In words --------------------------------------------------------------------------------------------------------


@verb(
    "metadata dashboards describe", effect="read", examples=["dhis2 metadata dashboards describe 'Immunization data'"]
)
async def describe(s: Session, uid: Dashboard) -> DescribedDashboard:
    """Tell a dashboard in words: what stands where, and what each item shows.

    API source: `GET /api/dashboards/{uid}`, and the visualizations and maps on it.
    """
    board = await s.client.get_object(f"{BOARDS}/{uid}", {"fields": FIELDS})
    items = sorted(items_of(board), key=lambda item: (number_of(item, "y"), number_of(item, "x")))
    bodies = await bodies_of(s, items)
    teller = await Teller.of(s, [*bodies.values()])
    rows = {y: number for number, y in enumerate(sorted({number_of(item, "y") for item in items}), 1)}
    described = [described_item(item, rows[number_of(item, "y")], bodies, teller) for item in items]
    kinds = Counter(kind_of(item) for item in items).most_common()
    what = f": {joined([counted(count, kind) for kind, count in kinds])}" if kinds else ""
    words = [f"A dashboard of {counted(len(items), 'item')}{what}." if items else "A dashboard without items."]
    return DescribedDashboard(id=uid, name=str(board.get("displayName")), type=BOARDS, words=words, items=described)
