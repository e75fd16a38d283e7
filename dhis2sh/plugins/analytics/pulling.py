"""`analytics pull`: the verb `pull`, where it is looked for among the verbs of analytics."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.analytics import pull as pulls
from dhis2sh.analytics.pull import Pulled, PullPlan, Wanted
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, verb


@verb(
    "analytics pull",
    effect="read",
    examples=["dhis2 analytics pull dx='BCG doses given' pe=202501..202512 ou=LEVEL-4 --out bcg.parquet"],
    left_out={"mcp": "the verb pull, which the tool read runs, is the same"},
)
async def pull(
    s: Session,
    dimensions: Annotated[
        list[str], Doc("As of `pull`: dx, pe, ou or another dimension, name=item;item."), Complete("dimensions")
    ],
    *,
    wanted: Wanted,
) -> Stream[Row] | Pulled | PullPlan:
    """Pull aggregate analytics of any size; the same as `pull`.

    API source: `GET /api/analytics`.
    """
    return await pulls.pull(s, dimensions, wanted)
