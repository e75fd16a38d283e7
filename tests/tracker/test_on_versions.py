"""Lists of a programme on the sandbox as each version: the same rows, or a refusal that says why."""

from pathlib import Path

import pytest

from dhis2sh.errors import PartlyDone, UsageError
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.metadata.calls import call, do
from tests.tracker.sheets import SHEET, people, write


@pytest.mark.parametrize("version", ["2.40", "2.41", "2.42", "2.43"])
async def test_the_state_of_an_enrollment_is_asked_by_the_name_that_a_version_heeds(
    s: Session, clinics_home: Path, version: str
):
    """2.41 ignores the newer name without a word and gives all (recorded, tracker-read-entities 13)."""
    open_store(clinics_home / "data" / "sandbox.db", version=version).close()
    await do(s, "data tracker complete", uids=["enPerson001"])

    async def listed(status: str, **more: str) -> set[str]:
        rows = await (await call(s, "data tracker list", program="Children", status=status, **more)).collect()
        return {str(row["enrollment"]) for row in rows.plain()}

    done, active = await listed("COMPLETED"), await listed("ACTIVE")
    assert done == {"enPerson001"}
    assert active
    assert "enPerson001" not in active
    counted = {row["status"]: row["count"] for row in (await call(s, "data tracker count", program="Children")).plain()}
    assert (counted["COMPLETED"], counted["ACTIVE"]) == (1, len(active))


@pytest.mark.parametrize("operator", ["null", "!null"])
async def test_an_operator_that_2_41_does_not_know(s: Session, clinics_home: Path, operator: str):
    open_store(clinics_home / "data" / "sandbox.db", version="2.41").close()
    with pytest.raises(UsageError, match=f"2.41.9.1 knows no {operator} here") as told:
        await (await call(s, "data tracker list", program="Children", filter=[f"Given name:{operator}"])).collect()
    assert 'select(."' in str(told.value.hint)


@pytest.mark.parametrize("version", ["2.41", "2.43", "2.44"])
async def test_who_is_there_is_found_on_each_version(s: Session, clinics_home: Path, version: str):
    """Deleted ones, values that nobody has twice, days of enrollment, and what only the program asks for."""
    open_store(clinics_home / "data" / "sandbox.db", version=version).close()
    push = {"file": write(SHEET), "program": "Children"}
    for _ in range(2):
        assert (await do(s, "data tracker push", **push)).created == 7
        await do(s, "undo")
    await do(s, "data tracker push", **push)
    changed = write(SHEET.replace("Eli,Estvale,Male", "Eli,Estvale,Female"))
    with pytest.raises(PartlyDone, match="same names, unit and day of enrollment"):
        await do(s, "data tracker push", file=changed, program="Children")
    numbered = "Facility,Given name,Family name,Card number,Enrollment date\nClinic A,Ada,Kamara,A-1,2025-01-01\n"
    summary = await do(s, "data tracker push", file=write(numbered), program="Children")
    assert (summary.created, summary.updated) == (0, 1)
    assert (await people(s))["Ada"]["Family name"] == "Kamara"
    corrected = write("trackedEntity,Sex\ntePerson001,Female\n")
    await do(s, "data tracker push", file=corrected, program="Children")
    assert (await people(s))["Ada"]["Sex"] == "F"
    await do(s, "undo")
    assert not (await people(s))["Ada"]["Sex"]
