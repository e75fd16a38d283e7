"""`data aggregate pull` and `data tracker pull`: the rows of the verbs that read, part by part, resumed."""

import csv
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import TimedOut, Unreachable, UsageError
from dhis2sh.session import Session
from tests.metadata.calls import call

VALUES = {"data_set": ["Monthly"], "period": ["202501", "202502", "202503"], "org_unit": ["Nation"], "children": True}


async def rows(s: Session, verb: str, **more: Any) -> list[dict[str, Any]]:
    return (await (await call(s, verb, **more)).collect()).plain()


def counted(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(map(repr, found))


async def test_values_are_those_that_get_reads(s: Session):
    whole = await rows(s, "data aggregate get", **VALUES, names=True)
    assert len(whole) > 5
    assert counted(await rows(s, "data aggregate pull", **VALUES)) == counted(whole)
    plan = await call(s, "data aggregate pull", **VALUES, explain=True)
    assert (plan.requests, plan.kept, plan.line()) == (3, 0, "data values: 3 parts, 0 of them kept from before")


async def test_a_period_that_takes_too_long_is_asked_for_unit_by_unit(s: Session, monkeypatch: pytest.MonkeyPatch):
    whole = await rows(s, "data aggregate get", **VALUES, names=True)
    batches = s.client.data_values.batches

    async def slow(**query: Any) -> AsyncIterator[Any]:
        if query.get("children") and query["org_unit"] == ["ouNation001"]:
            raise TimedOut("no answer within 60 s")
        async for found in batches(**query):
            yield found

    monkeypatch.setattr(s.client.data_values, "batches", slow)
    assert counted(await rows(s, "data aggregate pull", **VALUES)) == counted(whole)


async def test_what_was_cut_off_goes_on(s: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    batches, sent = s.client.data_values.batches, []

    async def breaking(**query: Any) -> AsyncIterator[Any]:
        sent.append(query["period"])
        if len(sent) == 3:
            raise Unreachable("connection refused")
        async for found in batches(**query):
            yield found

    monkeypatch.setattr(s.client.data_values, "batches", breaking)
    out = tmp_path / "values.csv"
    with pytest.raises(Unreachable) as told:
        await call(s, "data aggregate pull", **VALUES, out=str(out))
    assert "the same line goes on" in str(told.value.hint)
    assert not out.exists()
    done = await call(s, "data aggregate pull", **VALUES, out=str(out))
    assert len(sent) == 3 + done.requests
    assert done.kept + done.requests == 3
    whole = await rows(s, "data aggregate get", **VALUES, names=True)
    with out.open() as file:
        assert len(list(csv.DictReader(file))) == len(whole) == done.rows
    assert (await call(s, "data aggregate pull", **VALUES, explain=True)).kept == 0, "of live data nothing is kept"


async def test_a_duckdb_file_is_made_of_analytics(s: Session, tmp_path: Path):
    with pytest.raises(UsageError, match="made of analytics"):
        await call(s, "data aggregate pull", **VALUES, out=str(tmp_path / "v.duckdb"))


@pytest.mark.parametrize("of", ["entities", "events"])
async def test_entities_and_events_are_those_that_list_reads(country: Session, of: str):
    given = {"program": "Pregnancy follow-up", "org_unit": ["Okavéri"], "children": True}
    how: dict[str, Any] = {"flat": True} if of == "entities" else {"events": True}
    whole = await rows(country, "data tracker list", **given, **how)
    assert len(whole) > 20
    assert (await call(country, "data tracker pull", **given, of=of, explain=True)).requests > 1
    assert counted(await rows(country, "data tracker pull", **given, of=of)) == counted(whole)
