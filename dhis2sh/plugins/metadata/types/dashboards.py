"""`metadata dashboards create|add-item|remove-item|describe`: what stands on a dashboard, and where."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client.specs import DashboardSlot, arranged
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.metadata.types.visuals.dashboards import (
    BOARDS,
    DescribedDashboard,
    described_dashboard,
    plan_items,
    plan_without,
    slots_of,
)
from dhis2sh.metadata.types.visuals.shown import Name, created
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, verb
from dhis2sh.words import joined

Dashboard = Annotated[str, Doc("UID, code or unique name of the dashboard."), Refers(BOARDS)]
Contents = Annotated[
    list[str],
    Doc("Visualizations, event visualizations and maps: UIDs, codes or unique names."),
    Complete("uids:visualizations,eventVisualizations,maps"),
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
    return await plan_items(s, dashboard, items, per_row=per_row, height=height)


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
    return await plan_without(s, dashboard, items)


@verb(
    "metadata dashboards describe", effect="read", examples=["dhis2 metadata dashboards describe 'Immunization data'"]
)
async def describe(s: Session, uid: Dashboard) -> DescribedDashboard:
    """Tell a dashboard in words: what stands where, and what each item shows.

    API source: `GET /api/dashboards/{uid}`, and the visualizations and maps on it.
    """
    return await described_dashboard(s, uid)
