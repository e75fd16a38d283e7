"""Conditions give what a real server's data says: counted on DHIS2 2.42.5.2 with the demo data."""

from collections.abc import Iterator

import pytest

from dhis2sh.rows.rows import Rows
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_file
from dhis2sh.sandbox.store.database import Store
from dhis2sh.session import Session
from dhis2sh.verbs.piping import compile_tail, fit
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.shared import needs_shared, shared


@pytest.fixture(scope="module")
def demo() -> Iterator[Store]:
    store = open_store(None)
    load_file(store, shared("real", "v42", "metadata.json.gz"))
    yield store
    store.close()


@needs_shared
@pytest.mark.parametrize(
    ("plural", "tail", "found"),
    [
        (
            "dataSets",
            "where(any(d.dataElement.name == 'BCG doses given' for d in dataSetElements)) | get(displayName)",
            ["Child Health"],
        ),
        ("organisationUnits", "where(any(a.name == 'Bo' for a in ancestors)) | len", 140),
        ("organisationUnits", "where(openingDate == '1994-01-01') | len", 401),
        ("organisationUnits", "where(openingDate > '1990-02-17') | len", 535),
        ("organisationUnits", "where(openingDate <= '1970-01-01') | len", 762),
        ("organisationUnits", "derive(d=openingDate) | where(d > '1990-02-17') | len", 535),
        ("organisationUnits", "where(level < 99999999999) | len", 1332),
    ],
)
async def test_t11_and_l9_the_recorded_answers(plural: str, tail: str, found: object, demo: Store, home: object):
    session = Session("sandbox")
    session._store = demo
    pipeline, verb = compile_tail(tail), find("metadata list")
    head = await fit(session, verb, {"type": plural}, pipeline)
    rows = await run(session, verb, head.arguments)
    assert isinstance(rows, Rows)
    assert await pipeline.run(rows, {}, None, head.hidden) == found
    await session.client.aclose()
