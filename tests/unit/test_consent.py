"""Who must agree before something is written, and what a no does."""

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import Declined, NeedsConfirmation
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

BOTH = {"objects": ["DE_1", "DE_2"], "prefix": "X "}


async def names(session: Session) -> list[object]:
    return [row["name"] async for row in session.client.iter("dataElements", {"fields": "name"})]


async def test_somebody_is_asked_about_the_plan_and_a_no_writes_nothing(session: Session):
    shown: list[Plan] = []

    def no(plan: Plan, name: str | None) -> bool:
        shown.append(plan)
        return False

    with pytest.raises(Declined, match="rename 2 dataElements: as you say, nothing was written"):
        await run(session, find("metadata data-elements rename"), BOTH, Consent(ask=no))
    assert [step.name for step in shown[0].steps] == ["BCG doses given", "OPV doses given"]
    assert await names(session) == ["BCG doses given", "OPV doses given", "Remark"]


async def test_a_yes_writes(session: Session):
    done = await run(session, find("metadata data-elements rename"), BOTH, Consent(ask=lambda plan, name: True))
    assert isinstance(done, WriteSummary)
    assert done.updated == 2


async def test_where_nobody_can_be_asked_the_plan_waits(session: Session):
    with pytest.raises(NeedsConfirmation) as waiting:
        await run(session, find("metadata data-elements rename"), BOTH)
    assert waiting.value.hint == "add --yes to apply this plan"
