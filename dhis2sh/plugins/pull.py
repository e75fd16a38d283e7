"""`pull`: data of any size out of a server, as rows or into a file; cut off, the same line goes on."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.analytics import pull as pulls
from dhis2sh.analytics.pull import Pulled, PullPlan, Wanted
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, verb


@verb(
    "pull",
    effect="read",
    examples=[
        "dhis2 pull dx='BCG doses given' pe=202501..202512 ou=LEVEL-4 --out bcg.csv",
        "dhis2 pull dx='BCG doses given' pe=LAST_12_MONTHS ou=LEVEL-4 --explain",
        "%pull dx='BCG doses given' pe=2025 ou=LEVEL-2 | df",
    ],
)
async def pull(
    s: Session,
    dimensions: Annotated[
        list[str],
        Doc("dx, pe, ou or another dimension: name=item;item, by UID, code or name; levels as LEVEL-2."),
        Complete("dimensions"),
    ],
    *,
    wanted: Wanted,
) -> Stream[Row] | Pulled | PullPlan:
    """Pull aggregate analytics of any size: planned under the server's limits, several requests at once, resumed.

    How many cells that makes is said first, and very many are asked about. Answers are kept until the analytics tables
    are built anew: what was cut off, or asked for before, is not asked for again. Rows have names, and units the way to
    them; a .duckdb file has tidy tables of both. A file appears when it is whole.

    API source: `GET /api/analytics`.
    """
    return await pulls.pull(s, dimensions, wanted)
