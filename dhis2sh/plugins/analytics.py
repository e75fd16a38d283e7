"""`analytics query|viz|map|dashboard`: analytics as rows with names; saved visualizations, maps and dashboards drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from dhis2sh.analytics import items, pieces
from dhis2sh.pictures import dashboards, layers, visuals
from dhis2sh.pictures.dashboards import Board
from dhis2sh.pictures.layers import SavedMap
from dhis2sh.pictures.visuals import Visual
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import Complete, Doc, Refers, Touches, verb

type Aggregation = Literal[
    "SUM", "AVERAGE", "AVERAGE_SUM_ORG_UNIT", "LAST", "LAST_AVERAGE_ORG_UNIT", "COUNT", "MIN", "MAX"
]


@verb(
    "analytics query",
    effect="read",
    examples=[
        "dhis2 analytics query dx='BCG doses given' pe=2025 ou=LEVEL-2",
        "%analytics query dx='BCG doses given' pe=LAST_12_MONTHS ou=Bo ou=LEVEL-4 | df",
        "dhis2 analytics query 'dx=Child Health.REPORTING_RATE' pe=202501..202506 --filter ou='Sierra Leone' -o csv",
    ],
)
async def query(
    s: Session,
    dimensions: Annotated[
        list[str], Doc("dx, pe, ou or another dimension: name=item;item, by UID, code or name; levels as LEVEL-2.")
    ],
    *,
    filter: Annotated[list[str], Doc("What is summed up over, written as dimensions are.")] = [],
    aggregation_type: Annotated[Aggregation | None, Doc("In place of each item's own way of aggregating.")] = None,
    skip_rounding: Annotated[bool, Doc("All decimals.")] = False,
    no_names: Annotated[bool, Doc("Only identifiers, no column with the name beside each.")] = False,
) -> Stream[Row]:
    """Ask aggregate analytics; rows come with names and numbers, as they are answered.

    Data, time and place are all wanted, as dimensions or as filters: a server without units answers over all of them. A
    question that is too large, or takes too long, is asked again in pieces: by periods, by data, by units.

    API source: `GET /api/analytics`.
    """
    asked = await items.question_of(s, dimensions, filter)
    params = {"aggregationType": aggregation_type, "skipRounding": skip_rounding or None}
    found = pieces.batches(
        s, asked, {name: value for name, value in params.items() if value is not None}, with_names=not no_names
    )
    return Stream(found)


Periods = Annotated[
    list[str], Doc("Periods in place of its own: 2025, 202501..202512, LAST_12_MONTHS; may be repeated.")
]
Units = Annotated[
    list[str], Doc("Organisation units in place of its own: by UID, code or name, LEVEL-2; may be repeated."),
    Complete("uids"),
]  # fmt: skip


@verb(
    "analytics viz",
    effect="read",
    examples=[
        "dhis2 analytics viz 'Immunization: Doses 2025 monthly' --period 202501..202512",
        "dhis2 analytics viz R3N0O5KywZe --period 2025 --org-unit Bo --out trend.svg",
    ],
)
async def viz(
    s: Session,
    visualization: Annotated[
        str, Doc("A visualization, or one of events: UID, code or unique name."), Complete("uids")
    ],
    *,
    period: Periods = [],
    org_unit: Units = [],
    out: Annotated[
        Path | None,
        Doc("Write it to this file: .svg, .png or .html; tables .html or .csv."),
        Complete("files"),
        Touches("writes"),
    ] = None,
) -> Visual:
    """Draw a saved visualization from its definition, with the numbers of today.

    Charts of every type, pivot tables with their totals; what of a definition is not drawn is said below the picture. At the
    prompt it is drawn in characters, in a notebook as a picture.

    API source: `GET /api/visualizations/{uid}`, `GET /api/analytics`.
    """
    found = (await names.among(s, ("visualizations", "eventVisualizations"), [visualization]))[visualization]
    return await visuals.picture(s, found.uid, plural=found.plural, periods=period, units=org_unit, out=out)


@verb(
    "analytics map",
    effect="read",
    examples=[
        "dhis2 analytics map 'Immunization: BCG coverage by district 2025' --period 2025 --out bcg.png",
        "dhis2 analytics map y3jLMnZTV6i",
    ],
)
async def map_(
    s: Session,
    map: Annotated[str, Doc("UID, code or unique name."), Refers("maps")],
    *,
    period: Periods = [],
    org_unit: Units = [],
    out: Annotated[
        Path | None, Doc("Write it to this file: .svg, .png or .html."), Complete("files"), Touches("writes")
    ] = None,
) -> SavedMap:
    """Draw a saved map from its definition, with the numbers of today: thematic, facility, boundary and event layers.

    Values have the map's own classes and colours. Nothing is loaded from anywhere but the server: there are no tiles. What is
    not drawn is said below the map. Events are drawn as places and never told one by one.

    API source: `GET /api/maps/{uid}`, `GET /api/analytics`, `GET /api/organisationUnits`.
    """
    return await layers.map_of(s, map, periods=period, places=org_unit, out=out)


@verb(
    "analytics dashboard",
    effect="read",
    examples=["dhis2 analytics dashboard Immunization --period 202501..202512 --out report.html"],
)
async def dashboard(
    s: Session,
    dashboard: Annotated[str, Doc("UID, code or unique name."), Refers("dashboards")],
    *,
    period: Periods = [],
    org_unit: Units = [],
    out: Annotated[Path | None, Doc("Write it to this .html file."), Complete("files"), Touches("writes")] = None,
) -> Board:
    """Draw a whole dashboard as one page without a browser: each item at its place, charts, tables, maps and texts.

    The page loads nothing from anywhere and reads in light and dark. What cannot be drawn says so in its place.

    API source: `GET /api/dashboards/{uid}`, and what stands on it.
    """
    return await dashboards.board_of(s, dashboard, periods=period, places=org_unit, out=out)
