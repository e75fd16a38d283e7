"""Where events happened, for the event layers of maps.

API source: `GET /api/analytics/events/query/{program}?coordinatesOnly=true` (recorded: analytics-events-query).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.dhis2.geometry import Shape, shape_of
from dhis2sh.errors import UsageError
from dhis2sh.pictures.definitions import Definition

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session

MOST = 50_000
"""Events that one picture has room for."""
PAGE = 5_000


async def places(s: Session, found: Definition) -> tuple[list[Shape], str]:
    """The places of the events that a definition asks for, without their names; and what is to be said of the rest.

    Raises `UsageError` where it says no period, `Refused`.
    """
    if found.events is None:
        raise UsageError("no program is said", hint="dhis2 metadata maps describe")
    dated = "startDate" in found.params and "endDate" in found.params
    if not dated and not any(one.name == "pe" and one.items for one in found.dimensions()):
        raise UsageError("an event layer says no period", hint=f"dhis2 analytics map {found.uid} --period 2025")
    params: dict[str, Param] = {
        **{name: value for name, value in found.params.items() if name in {"startDate", "endDate", "timeField"}},
        "coordinatesOnly": "true", "stage": found.events.stage or None, "pageSize": PAGE,
    }  # fmt: skip
    asked = [one.asked() for one in (*found.columns, *found.rows) if one.name != "pe" or one.items]
    filters = [one.asked() for one in found.filters]
    shapes: list[Shape] = []
    page = 1
    while True:
        grid = await s.client.analytics.query(
            asked, filters=filters, of=f"events/query/{found.events.program}", params={**params, "page": page}
        )
        at = {header.name.lower(): place for place, header in enumerate(grid.headers)}
        if not {"longitude", "latitude"} <= at.keys():
            raise UsageError("the server gave no coordinates of the events", hint="dhis2 analytics events --help")
        for row in grid.rows:
            shape = shape_of("", {"type": "Point", "coordinates": [row[at["longitude"]], row[at["latitude"]]]})
            if shape is not None:
                shapes.append(shape)
        if len(grid.rows) < PAGE or len(shapes) >= MOST:
            break
        page += 1
    more = f"only the first {len(shapes):,} events are drawn" if len(shapes) >= MOST else ""
    return shapes, more
