"""What the data of a real export come to: completeness of a data set, and a program as one table."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_file
from dhis2sh.session import Session
from tests.metadata.calls import call, do
from tests.shared import needs_shared, shared

JUNE = {"data_set": "Child Health", "period": ["202506"]}


@pytest.fixture
async def real(real_home: Path) -> AsyncIterator[Session]:
    """The recorded values and entities in the sandbox."""
    store = open_store(real_home / "data" / "sandbox.db")
    for name in ("dataValues.json.gz", "trackedEntities.json.gz"):
        load_file(store, shared("real", "v42", name))
    store.close()
    session = Session("sandbox")
    yield session
    await session.aclose()


async def counted(s: Session, **more: Any) -> tuple[int, int]:
    [row] = (await call(s, "data completeness", **JUNE, **more)).plain()
    return row["expected"], row["received"]


@needs_shared
async def test_who_has_reported_child_health_in_june(real: Session) -> None:
    assert await counted(real) == (1161, 0)
    assert await counted(real, by="values") == (1161, 224)
    units = ["Ngelehun CHC", "Njandama MCHP", "Bambara Kaima CHP"]
    await do(real, "data complete", data_set="Child Health", period="202506", org_units=units)
    assert await counted(real) == (1161, 3)
    await do(real, "undo")
    assert await counted(real) == (1161, 0)


@needs_shared
async def test_a_program_is_one_table_with_a_row_for_each_entity(real: Session) -> None:
    recorded = json.loads(gzip.decompress(shared("real", "v42", "trackedEntities.json.gz").read_bytes()))
    rows = (await (await call(real, "data tracker list", program="Child Programme", flat_=True)).collect()).plain()
    assert len(rows) == 500
    assert {row["trackedEntity"] for row in rows} == {one["trackedEntity"] for one in recorded["trackedEntities"]}
    assert len({tuple(row) for row in rows}) == 1, "every row has every column"
