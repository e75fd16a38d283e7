"""Who is likely there twice: found, marked, and called by name."""

import pytest

from dhis2sh.errors import Refused, UsageError
from dhis2sh.session import Session
from dhis2sh.types import Row
from tests.fakes.person import Somebody
from tests.metadata.calls import call, do
from tests.tracker.sheets import write

SHEET = """Facility,Given name,Family name,Born,Enrollment date
Clinic A,Ida,Irving,2001-02-03,2025-01-01
Clinic B,IRVING,ida,2001-02-03,2025-01-02
Clinic B,Ida,Irving,,2025-01-03
Clinic B,Ida,Irving,1999-09-09,2025-01-04
Clinic B,Ida,Irwing,2001-02-03,2025-01-05
"""


async def pairs(s: Session, **more: object) -> list[Row]:
    stream = await call(s, "data tracker find-duplicates", program="Children", **more)
    return (await stream.collect()).plain()


async def test_likely_pairs_are_found_and_marked(s: Session):
    s.person = somebody = Somebody()
    await do(s, "data tracker push", file=write(SHEET), program="Children")
    found = await pairs(s)
    assert sorted(row["same"] for row in found) == [
        "Given name, Family name", "Given name, Family name", "Given name, Family name", "Given name, Family name, Born",
    ]  # fmt: skip
    assert any("looked at 8 by Given name, Family name, Born" in note for note in somebody.notes)
    certain = next(row for row in found if row["same"].endswith("Born"))
    assert {certain["original_unit"], certain["duplicate_unit"]} == {"Clinic A", "Clinic B"}
    assert len(await pairs(s, limit=1)) == 1
    assert await pairs(s, org_unit=["Clinic A"]) == []
    pair = {"original": certain["original"], "duplicate": certain["duplicate"]}
    await do(s, "data tracker mark-duplicate", **pair)
    (marked,) = (await call(s, "data tracker duplicates")).plain()
    assert {marked["original_name"], marked["duplicate_name"]} == {"Ida Irving", "IRVING ida"}
    with pytest.raises(Refused, match="are marked already"):
        await do(s, "data tracker mark-duplicate", **pair)
    with pytest.raises(Refused, match="both are enrolled") as both:
        await do(s, "data tracker merge", uid=marked["id"])
    assert str(both.value.hint).count("dhis2 data tracker delete ") == 2


async def test_by_what_somebody_chooses(s: Session):
    await do(s, "data tracker push", file=write(SHEET), program="Children")
    assert len(await pairs(s, by=["Family name"])) == 3, "three of one name, each with each"
    assert len(await pairs(s, by=["Given name", "Born"])) > 0
    with pytest.raises(UsageError, match="nothing says what"):
        await pairs(s, by=["Born"])
    with pytest.raises(UsageError, match="nobody is a duplicate of themselves"):
        await do(s, "data tracker mark-duplicate", original="tePerson001", duplicate="tePerson001")
