"""Temporary ownership in a protected program: who sees nothing, what is said, and who is let in with a reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dhis2sh.errors import Forbidden, NotFound, UsageError
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.fakes.person import Somebody
from tests.fakes.serve import served
from tests.metadata.calls import call, do, planned

ROLE = {"id": "urNurse0001", "name": "Nurse", "authorities": ["F_DATAVALUE_ADD"]}
NURSE = {"id": "usNurse0001", "username": "nurse", "firstName": "Nora", "surname": "Nurse", "password": "Distr1ct-Nurse!",
         "userRoles": [{"id": "urNurse0001"}], "organisationUnits": [{"id": "ouClinicB01"}],
         "teiSearchOrganisationUnits": [{"id": "ouNation001"}]}  # fmt: skip
CHILD = "tePerson001"


@pytest.fixture(params=["2.41", "2.42"])
async def nurse(
    s: Session, clinics_home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Session]:
    """Somebody of Clinic B; the child of Clinic A is in a program that is protected."""
    await s.client.post("userRoles", ROLE)
    await s.client.post("users", NURSE)
    store = open_store(clinics_home / "data" / "sandbox.db", version=request.param)
    store.put_objects({"programs": [{**store.get("programs", "prChildren1"), "accessLevel": "PROTECTED"}]})
    with served(create_app(store)) as url:
        monkeypatch.setenv("DHIS2_URL", url)
        monkeypatch.setenv("DHIS2_USERNAME", "nurse")
        monkeypatch.setenv("DHIS2_PASSWORD", "Distr1ct-Nurse!")
        session = Session()
        yield session
        await session.aclose()
    store.close()


async def test_the_glass_is_broken_with_a_reason(nurse: Session):
    nurse.person = somebody = Somebody()
    with pytest.raises((NotFound, Forbidden)) as hidden:
        await call(nurse, "data tracker get", uid="enPerson001")
    assert "dhis2 data tracker override" in str(hidden.value.hint)
    listed = await call(nurse, "data tracker list", program="Children", org_unit=["Clinic A"])
    assert [row["trackedEntity"] for row in await listed.collect()] == []
    assert any("'Children' is PROTECTED" in note and "override" in note for note in somebody.warnings)

    wanted = {"uid": CHILD, "program": "Children", "reason": "referred to us"}
    plan = await planned(nurse, "data tracker override", **wanted)
    assert [step.detail for step in plan.steps] == ["temporary ownership for 3 hours: 'referred to us'"]
    await do(nurse, "data tracker override", **wanted)
    assert (await call(nurse, "data tracker get", uid="enPerson001")) is not None
    got = await call(nurse, "data tracker get", uid=CHILD, program="Children")
    assert CHILD in str(got.value if hasattr(got, "value") else got)
    await do(nurse, "data tracker update", uid=CHILD, set=["Family name=Referred", "Sex=Female"], program="Children")
    row = await nurse.client.tracker.get("trackedEntities", CHILD, fields="attributes", program="prChildren1")
    assert "Referred" in str(row)
    again = await planned(nurse, "data tracker override", **wanted)
    assert (list(again.steps), again.notes) == ([], [f"you may see {CHILD} in 'Children' already"])


@pytest.mark.parametrize(("level", "reason", "why"), [
    ("OPEN", "referred", "is OPEN, and only protected programs give temporary ownership"),
    ("CLOSED", "referred", "is CLOSED, and only protected programs"),
    ("PROTECTED", "  ", "not broken without a reason"),
])  # fmt: skip
async def test_no_glass_where_there_is_none(s: Session, level: str, reason: str, why: str):
    store = s.sandbox_store()
    store.put_objects({"programs": [{**store.get("programs", "prChildren1"), "accessLevel": level}]})
    with pytest.raises(UsageError, match=why):
        await planned(s, "data tracker override", uid=CHILD, program="Children", reason=reason)
