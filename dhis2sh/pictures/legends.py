"""Legend sets as classes of values with colours.

API source: `GET /api/legendSets`: `startValue` belongs to a class, `endValue` to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dhis2sh.client import reading
from dhis2sh.pictures.definitions import number, objects, text
from dhis2sh.show.charts.model import Shade

if TYPE_CHECKING:
    from dhis2sh.session import Session

PLAIN = "#999999"
FIELDS = "id,name,legends[name,startValue,endValue,color]"


async def of_sets(s: Session, uids: Iterable[str]) -> dict[str, tuple[Shade, ...]]:
    """The classes of some legend sets, by UID, from the lowest up."""
    wanted = list(dict.fromkeys(filter(None, uids)))
    if not wanted:
        return {}
    rows = (await reading.by_uid(s.client, "legendSets", wanted, fields=FIELDS)).rows
    return {
        str(row["id"]): tuple(sorted(
            (Shade(text(one, "name"), number(one.get("startValue")) or 0.0, number(one.get("endValue")) or 0.0,
                   text(one, "color") or PLAIN) for one in objects(row.get("legends"))),
            key=lambda shade: shade.start,
        ))
        for row in rows
    }  # fmt: skip
