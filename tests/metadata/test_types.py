"""What single types can do: the hierarchy, options, the category model, joins."""

from __future__ import annotations

from pathlib import Path

from dhis2sh.results import Plan
from dhis2sh.session import Consent, Session, run
from dhis2sh.verbs import find
from tests.shared import needs_shared

YES, DRY = Consent(yes=True), Consent(dry_run=True)


async def call(session: Session, path: str, consent: Consent | None = None, **arguments: object) -> object:
    return await run(session, find(path), arguments, consent)


@needs_shared
async def test_an_element_joins_the_real_data_set(real_home: Path):
    session = Session("sandbox")
    added = await call(
        session, "metadata data-sets add-element", DRY, data_set="Child Health", elements=["MCH Apgar Score"]
    )
    assert isinstance(added, Plan)
    assert added.steps[0].uid == "BfMAe6Itzgt"
    await session.aclose()
