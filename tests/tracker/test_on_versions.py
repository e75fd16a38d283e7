"""Lists of a programme on the sandbox as each version: the same rows, or a refusal that says why."""

from pathlib import Path

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.metadata.calls import call, do


@pytest.mark.parametrize("version", ["2.41", "2.42", "2.43"])
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
