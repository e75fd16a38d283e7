"""What single types can do: the hierarchy, options, the category model, joins."""

from __future__ import annotations

from pathlib import Path

from dhis2sh.changes.plan import Plan
from dhis2sh.session import Session
from tests.metadata.calls import DRY, call
from tests.shared import needs_shared


@needs_shared
async def test_an_element_joins_the_real_data_set(real_home: Path):
    session = Session("sandbox")
    added = await call(
        session, "metadata data-sets add-element", DRY, data_set="Child Health", elements=["MCH Apgar Score"]
    )
    assert isinstance(added, Plan)
    assert added.steps[0].uid == "BfMAe6Itzgt"
    await session.aclose()
