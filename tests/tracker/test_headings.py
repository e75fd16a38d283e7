"""What the columns of a sheet are called by those who keep it, and what is said of those that nobody knows."""

import pytest

from dhis2sh.errors import Refused, UsageError
from dhis2sh.session import Session
from tests.metadata.calls import do, planned
from tests.tracker.sheets import people, write


async def test_dates_are_known_by_what_the_program_calls_them(s: Session):
    """A program names its own dates: what an app shows above the field is a heading too."""
    labels = [
        ("/enrollmentDateLabel", "Day of admission"),
        ("/displayIncidentDate", True),
        ("/incidentDateLabel", "Day of birth"),
    ]
    await s.client.patch(
        "programs/prChildren1", [{"op": "add", "path": path, "value": value} for path, value in labels]
    )
    await s.client.patch(
        "programStages/psVisit0001", [{"op": "add", "path": "/executionDateLabel", "value": "Seen on"}]
    )
    text = "Facility,Given name,Day of admission,day of birth,Visit #1 | Seen on,Visit #1 | Weight\nClinic A,Gil,2025-01-05,2025-01-01,2025-01-06,4\n"
    await do(s, "data tracker push", file=write(text), program="Children")
    row = (await people(s))["Gil"]
    assert [str(row[name])[:10] for name in ("enrolledAt", "occurredAt", "Visit #1 | occurredAt")] == [
        "2025-01-05", "2025-01-01", "2025-01-06",
    ]  # fmt: skip


async def test_headings_that_nobody_knows_are_told_what_they_may_mean(s: Session):
    with pytest.raises(UsageError, match="knows nothing of 'First name', 'Gender'") as failed:
        await planned(
            s, "data tracker push", file=write("Facility,First name,Gender\nClinic A,Gil,F\n"), program="Children"
        )
    assert failed.value.hint == "did you mean 'Given name' by 'First name'? did you mean 'Sex' by 'Gender'?"


TWIN = {
    "id": "ouTwin00002",
    "name": "Clinic A",
    "shortName": "Clinic A",
    "openingDate": "2020-01-01",
    "parent": {"id": "ouDistSout1"},
}


@pytest.mark.parametrize("name", ["Clinic A", "clinic a"])
async def test_a_district_decides_between_two_of_one_name(s: Session, name: str):
    units = await s.client.get_object("organisationUnits/ouClinicA01", {"fields": "parent[id,name],ancestors[name]"})
    await s.client.post("organisationUnits", {**TWIN, "parent": {"id": "ouNation001"}})
    sheet = "Facility,District,Given name,Enrollment date\n{},{},Gil,2025-01-05\n"
    await do(s, "data tracker push", file=write(sheet.format(name, units["parent"]["name"])), program="Children")
    assert (await people(s))["Gil"]["orgUnit"] == "ouClinicA01"
    with pytest.raises(Refused) as failed:
        await do(s, "data tracker push", file=write(sheet.format(name, "Clinic B")), program="Children")
    assert f"none of the 2 units that are called '{name}' lies in 'Clinic B' (District)" in failed.value.message
    assert "ambiguous" not in failed.value.message
