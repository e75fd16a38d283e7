"""A server as code and its snapshots: what was taken is what is there, and nothing is to be done."""

from __future__ import annotations

import pytest

from dhis2sh.session import Session
from tests.live.acting import alone, planned, read
from tests.live.place import Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


@pytest.mark.verbs("instance pull", "instance diff", "instance apply")
def test_a_server_as_code_is_as_it_was_pulled(live: Place) -> None:
    async def code(s: Session) -> None:
        await read(s, "instance pull", directory="code", types=["constants"])
        assert not await read(s, "instance diff", directory="code")
        plan = await planned(s, "instance apply", directory="code")
        assert list(plan.steps) == []

    alone(code)


@pytest.mark.verbs("snapshot take", "snapshot list", "snapshot diff", "snapshot restore")
def test_a_snapshot_is_what_is_there(live: Place) -> None:
    async def snapshots(s: Session) -> None:
        await read(s, "snapshot take", name="live", types=["constants"])
        assert await read(s, "snapshot list")
        assert not await read(s, "snapshot diff", before="live")
        assert list((await planned(s, "snapshot restore", name="live")).steps) == []

    alone(snapshots)
