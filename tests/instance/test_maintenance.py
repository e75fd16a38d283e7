"""Maintenance: what it does is said before, and looked at afterwards where it can be."""

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.session import Session
from tests.metadata.calls import call, do, planned


async def test_every_action_says_what_a_server_does_then(s: Session):
    rows = (await call(s, "maintenance list")).plain()
    plan = await planned(s, "maintenance cleanup", actions_=[row["action"] for row in rows])
    assert [step.words() for step in plan.steps] == [row["does"] for row in rows]
    done = await do(s, "maintenance cleanup", actions_=["period-pruning", "zeroDataValueRemoval"])
    assert (done.sent, done.note) == (2, "the server says done, and not how much")


async def test_an_unknown_action_is_refused(s: Session):
    """Recorded (maintenance-actions 19): the server's form with flags answers any name with 204."""
    with pytest.raises(UsageError, match="there is no maintenance 'period-prunin'"):
        await planned(s, "maintenance cleanup", actions_=["period-prunin"])


async def test_pruning_counts_what_goes_and_counts_again(s: Session):
    plan = await planned(s, "maintenance prune", type="organisationUnits", uid="Clinic A")
    assert "data value" in (plan.steps[0].detail or "")
    done = await do(s, "maintenance prune", type="organisationUnits", uid="Clinic A")
    assert done.deleted > 0
    assert (await planned(s, "maintenance prune", type="organisationUnits", uid="Clinic A")).steps[0].detail == (
        "0 data values, and their audits"
    )


async def test_what_is_predicted_backwards_is_refused(s: Session):
    """Recorded (predictors-runs 10): a server predicts nothing then, and says OK."""
    with pytest.raises(UsageError, match="--end-date 2025-01-01 is before --start-date 2025-06-30"):
        await planned(
            s, "predictors run", group=None, predictor="prPredict01", start_date="2025-06-30", end_date="2025-01-01"
        )
