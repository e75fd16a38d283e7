"""`analytics viz|map|dashboard`: saved visualizations, maps and dashboards drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dhis2sh.pictures import dashboards, layers, visuals
from dhis2sh.pictures.dashboards import Board
from dhis2sh.pictures.layers import SavedMap
from dhis2sh.pictures.visuals import Visual
from dhis2sh.session import Session
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import Complete, Doc, Refers, Touches, verb

Periods = Annotated[
    list[str], Doc("Periods in place of its own: 2025, 202501..202512, LAST_12_MONTHS; may be repeated.")
]
Units = Annotated[
    list[str], Doc("Organisation units in place of its own: by UID, code or name, LEVEL-2; may be repeated."),
    Complete("uids:organisationUnits"),
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
        str,
        Doc("A visualization, or one of events: UID, code or unique name."),
        Complete("uids:visualizations,eventVisualizations"),
    ],
    *,
    period: Periods = [],
    org_unit: Units = [],
    out: Annotated[
        Path | None,
        Doc("Write it to this file: .svg, .png or .html, tables .html; its numbers as .csv."),
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
        Path | None,
        Doc("Write it to this file: .svg, .png or .html; its numbers as .csv."),
        Complete("files"),
        Touches("writes"),
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
