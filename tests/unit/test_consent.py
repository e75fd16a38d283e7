"""Who must agree before something is written, and what a no does."""

from typing import cast

import pytest

from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import Declined, NeedsConfirmation
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.fakes.person import Somebody

BOTH = {"objects": ["DE_1", "DE_2"], "prefix": "X "}


async def names(session: Session) -> list[object]:
    return [row["name"] async for row in session.client.iter("dataElements", {"fields": "name"})]


async def test_somebody_is_asked_about_the_plan_and_a_no_writes_nothing(session: Session):
    session.person = somebody = Somebody(agrees=False)
    with pytest.raises(Declined, match="rename 2 dataElements: as you say, nothing was written"):
        await run(session, find("metadata data-elements rename"), BOTH)
    ((plan, typed),) = cast("list[tuple[Plan, str | None]]", somebody.asked)
    assert [step.name for step in plan.steps] == ["BCG doses given", "OPV doses given"]
    assert typed is None
    assert await names(session) == ["BCG doses given", "OPV doses given", "Remark"]


async def test_a_yes_writes(session: Session):
    session.person = Somebody(agrees=True)
    done = await run(session, find("metadata data-elements rename"), BOTH)
    assert isinstance(done, WriteSummary)
    assert done.updated == 2


async def test_where_nobody_can_be_asked_the_plan_waits(session: Session):
    with pytest.raises(NeedsConfirmation) as waiting:
        await run(session, find("metadata data-elements rename"), BOTH)
    assert waiting.value.hint == "add --yes to apply this plan"
