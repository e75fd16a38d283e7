"""`analytics events|enrollments|tracked-entities|event-totals|outliers`: by name, typed, to the last page."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.analytics import grids
from dhis2sh.analytics.grids import pages
from dhis2sh.client.grids import Grid, GridHeader
from dhis2sh.errors import BrokenAnswer, Dhis2Error, NotFound, UsageError
from dhis2sh.session import Session
from tests.metadata.calls import call

PROGRAM = {"program": "Pregnancy follow-up", "dimensions": ["pe=2025", "ou=USER_ORGUNIT"]}


@pytest.fixture
async def s(analysed_home: Path) -> AsyncIterator[Session]:
    """A session on the fictional country with its analytics tables."""
    session = Session("sandbox")
    yield session
    await session.aclose()


async def rows(s: Session, verb: str, *more: str, **options: Any) -> list[dict[str, Any]]:
    given = {**PROGRAM, **options}
    found = await call(s, verb, **{**given, "dimensions": [*given["dimensions"], *more]})
    return (
        (await found.collect()).plain() if hasattr(found, "collect") and not hasattr(found, "items") else found.plain()
    )


async def test_events_have_names_numbers_and_moments(s: Session):
    found = await rows(s, "analytics events", "Weight at birth", "Sex of the person", stage="Birth")
    row = next(row for row in found if row["Weight at birth"] is not None)
    assert isinstance(row["Weight at birth"], (int, float))
    assert row["psName"] == "Birth"
    assert row["eventdate"][10] == "T"
    assert {"Sex of the person", "Sex of the personName", "ouname"} <= row.keys()
    assert "ouName" not in row, "the server has a column of its own"


async def test_every_page_is_read_and_no_row_twice(s: Session):
    whole = await rows(s, "analytics events")
    assert len(whole) > 20
    assert await rows(s, "analytics events", page_size=7) == whole
    assert await rows(s, "analytics events", page_size=len(whole)) == whole
    assert await rows(s, "analytics events", page_size=7, limit=10) == whole[:10]


async def test_conditions_by_name(s: Session):
    every = await rows(s, "analytics events", "Weight at birth", stage="Birth")
    heavy = await rows(s, "analytics events", "Birth.Weight at birth:GE:3000", stage="Birth")
    assert len(heavy) == sum((row["Weight at birth"] or 0) >= 3000 for row in every) > 0
    one = await rows(s, "analytics enrollments", "Sex of the person=Female")
    assert {row["Sex of the person"] for row in one} <= {"F", "Female", "FEMALE"}


async def test_entities_with_what_their_program_knows(s: Session):
    found = await call(
        s,
        "analytics tracked-entities",
        type="Pregnant woman",
        dimensions=["ou=USER_ORGUNIT"],
        program="Pregnancy follow-up",
        page_size=50,
    )
    entities = (await found.collect()).plain()
    assert len({row["trackedentity"] for row in entities}) == len(entities) > 50
    assert {"Given name", "Family name"} <= entities[0].keys()


async def test_totals_equal_the_events(s: Session):
    events = await rows(s, "analytics events", stage="Birth")
    totals = await rows(s, "analytics event-totals", stage="Birth", dimensions=["pe=2025", "ou=LEVEL-1"])
    assert sum(row["value"] for row in totals) == len(events)
    assert totals[0]["ouName"] != totals[0]["ou"]
    (mean,) = await rows(
        s,
        "analytics event-totals",
        stage="Birth",
        dimensions=["pe=2025", "ou=LEVEL-1"],
        value="Weight at birth",
        aggregation_type="AVERAGE",
    )
    weights = [row["Weight at birth"] for row in await rows(s, "analytics events", "Weight at birth", stage="Birth")]
    there = [weight for weight in weights if weight is not None]
    assert mean["value"] == pytest.approx(sum(there) / len(there), abs=0.01)


@pytest.mark.parametrize(("options", "error", "why"), [
    ({"dimensions": ["pe=2025"]}, UsageError, "no organisation units"),
    ({"dimensions": ["ou=USER_ORGUNIT"]}, UsageError, "no time"),
    ({"dimensions": ["pe=2025", "ou=USER_ORGUNIT", "Weight at brith"]}, NotFound, "nothing called 'Weight at brith'"),
    ({"dimensions": ["pe=2025", "ou=USER_ORGUNIT", "Sex of the person=Femal"]}, NotFound, "'Femal' is no option"),
    ({"dimensions": ["ou=USER_ORGUNIT"], "start_date": "2025-01-01"}, UsageError, "goes with --end-date"),
    ({"dimensions": ["ou=USER_ORGUNIT"], "start_date": "2025", "end_date": "2025-12-31"}, UsageError, "'2025' is no day"),
    ({"dimensions": ["pe=2025", "ou=USER_ORGUNIT"], "filter": ["pe=2024"]}, UsageError, "a dimension and a filter"),
])  # fmt: skip
async def test_what_a_server_would_answer_in_its_own_way_is_refused(
    s: Session, options: dict[str, Any], error: type[Dhis2Error], why: str
):
    with pytest.raises(error, match=why):
        await rows(s, "analytics events", **options)


@pytest.mark.parametrize("column", ["trackedentity", "trackedentityinstanceuid"])
async def test_pages_of_entities_that_overlap_are_an_error(monkeypatch: pytest.MonkeyPatch, s: Session, column: str):
    """The column that tells entities apart is called otherwise up to 2.41 (v41 analytics-tracked-entities 1)."""

    async def same(*_: Any, **__: Any) -> Grid:
        body = {"headers": [{"name": column}], "rows": [["teAnna00001"]], "metaData": {"pager": {"isLastPage": False}}}
        return Grid.of(body)

    monkeypatch.setattr(s.client.analytics, "query", same)
    with pytest.raises(BrokenAnswer, match="changed their order"):
        async for _ in pages(s, "trackedEntities/query/tetPerson01", [], [], {}, limit=None, size=1):
            pass


async def test_pages_that_overlap_are_an_error(s: Session, monkeypatch: pytest.MonkeyPatch):
    query = s.client.analytics.query

    async def shuffled(*given: Any, **more: Any) -> Any:
        more["params"]["page"] = 1
        return await query(*given, **more)

    monkeypatch.setattr(s.client.analytics, "query", shuffled)
    with pytest.raises(BrokenAnswer, match="changed their order"):
        await rows(s, "analytics events", page_size=5)


@pytest.mark.parametrize(("kind", "cell", "value"), [
    ("NUMBER", "2.0", 2), ("NUMBER", "2.5", 2.5), ("INTEGER_POSITIVE", "11", 11), ("BOOLEAN", "1", True), ("BOOLEAN", "0", False),
    ("DATETIME", "2025-03-15 00:00:00.0", "2025-03-15T00:00:00.000"), ("TEXT", "", None), ("DATE", "2025-03-15", "2025-03-15"),
    ("DATETIME", "2026-05-10 17:30:46.6", "2026-05-10T17:30:46.600"), ("TEXT", "007", "007"),
])  # fmt: skip
def test_cells_are_what_their_column_is_of(kind: str, cell: str, value: object):
    found = grids.value_of(GridHeader(name="x", value_type=kind), cell)
    assert (found, type(found)) == (value, type(value))


def test_what_has_no_geometry_is_not_in_the_gulf_of_guinea():
    headers = [
        GridHeader(name=name, value_type=kind)
        for name, kind in (("geometry", "TEXT"), ("longitude", "NUMBER"), ("latitude", "NUMBER"))
    ]
    grid = Grid(headers=headers, rows=[["", "0.0", "0.0"], ["{}", "-11.4", "8.1"]])
    labels = grids.Labels(names=True)
    labels.learn(grid)
    assert [row["longitude"] for row in grids.typed(grid, labels)] == [None, -11.4]


async def test_outliers_are_rows_with_numbers(s: Session):
    found = await call(
        s, "analytics outliers", data_set=["Vaccine stock"], period="2025", org_unit=["Okavéri"], threshold=1.0, limit=5
    )
    assert found.columns[:3] == ("dx", "dxname", "pe")
    assert all(isinstance(row["zscore"], (int, float)) for row in found.plain())
    assert s.person.warnings or len(found) < 5
