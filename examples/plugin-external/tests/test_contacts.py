"""The verbs against the sandbox that dhis2sh brings along: a server in this process, and no network."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dhis2_contacts.verbs import list_, set_
from dhis2sh.plugin import Consent, Session, run

UNIT = {"id": "ouFacility1", "name": "Ngele CHC", "shortName": "Ngele", "openingDate": "2000-01-01"}


@pytest.fixture
def on_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Session], Awaitable[object]]], object]:
    """Carries out something in a session on a fresh sandbox that has one unit."""
    monkeypatch.setenv("DHIS2SH_HOME", str(tmp_path))

    async def carry_out(what: Callable[[Session], Awaitable[object]]) -> object:
        session = Session("sandbox")
        try:
            await session.client.post("organisationUnits", UNIT)
            return await what(session)
        finally:
            await session.aclose()

    return lambda what: asyncio.run(carry_out(what))


def test_a_contact_is_set_listed_and_planned_first(on_sandbox) -> None:
    async def steps(s: Session) -> tuple[object, ...]:
        arguments = {"unit": "Ngele CHC", "phone": "+232 76 000 000"}
        before = await (await run(s, list_, {"level": 1, "missing": True})).collect("a test")
        plan = await run(s, set_, arguments, Consent(dry_run=True))
        done = await run(s, set_, arguments, Consent(yes=True))
        again = await run(s, set_, arguments, Consent(dry_run=True))
        return [*before], plan, done, again, [*await (await run(s, list_, {"level": 1})).collect("a test")]

    before, plan, done, again, after = on_sandbox(steps)
    assert [row["name"] for row in before] == ["Ngele CHC"]
    assert plan.steps[0].words() == "phoneNumber: nothing -> '+232 76 000 000'"
    assert (done.updated, done.uids) == (1, ["ouFacility1"])
    assert again.notes == ["it is so already"]
    assert after[0]["phoneNumber"] == "+232 76 000 000"
