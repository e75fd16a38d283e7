"""`metadata visualizations create|describe`, and `event-visualizations describe`: charts and pivot tables."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.client.specs import VisualizationSpec, VisualizationType
from dhis2sh.dhis2.written import period_items
from dhis2sh.metadata.types.visuals.in_words import Described, Teller, described
from dhis2sh.metadata.types.visuals.shown import Data, Name, OrgUnits, Periods, created, data_items, org_units
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, Refers, verb


@verb(
    "metadata visualizations create",
    effect="write",
    examples=[
        "dhis2 metadata viz create --name 'BCG by month' --data 'BCG doses given' --period LAST_12_MONTHS --org-unit LEVEL-1 "
        "--dry-run"
    ],
)
async def create(
    s: Session,
    *,
    name: Name,
    data: Data,
    period: Periods,
    org_unit: OrgUnits,
    type: Annotated[VisualizationType, Doc("What kind it is.")] = "COLUMN",
    columns: Annotated[list[str], Doc("Dimensions on the columns: dx, pe, ou; by the type without it.")] = [],
    rows: Annotated[list[str], Doc("Dimensions on the rows.")] = [],
    filters: Annotated[list[str], Doc("Dimensions that only filter.")] = [],
    title: Annotated[str | None, Doc("The title that is drawn.")] = None,
) -> Plan:
    """Create a chart or pivot table.

    API source: `POST /api/visualizations`.
    """
    given = bool(columns or rows or filters)
    spec = VisualizationSpec(
        data=await data_items(s, data), periods=[iso for text in period for iso in period_items(text)], org_units=await org_units(s, org_unit), name=name, type=type,
        columns=columns if given else None, rows=rows if given else None, filters=filters if given else None,
        options={"title": title} if title else {},
    )  # fmt: skip
    body = spec.payload(await s.client.version())
    return await created(s, "visualizations", body, (await Teller.of(s, [body])).sentence(body))


@verb(
    "metadata visualizations describe",
    effect="read",
    examples=["dhis2 metadata viz describe 'Immunization: Doses 2025 monthly'"],
)
async def describe(
    s: Session, uid: Annotated[str, Doc("UID, code or unique name."), Refers("visualizations")]
) -> Described:
    """Tell a visualization in words: its type, its data, periods and units, and what stands on which axis.

    API source: `GET /api/visualizations/{uid}`.
    """
    return await described(s, "visualizations", uid)


@verb(
    "metadata event-visualizations describe",
    effect="read",
    examples=["dhis2 metadata event-visualizations describe 'Supervision visits by region'"],
)
async def describe_events(
    s: Session, uid: Annotated[str, Doc("UID, code or unique name."), Refers("eventVisualizations")]
) -> Described:
    """Tell an event visualization in words, as `metadata visualizations describe` does.

    API source: `GET /api/eventVisualizations/{uid}`.
    """
    return await described(s, "eventVisualizations", uid)
