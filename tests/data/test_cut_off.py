"""What a write looks at is whole: an answer that breaks off is asked for again, and nothing of it comes twice."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.client.answers import AnswerStream
from dhis2sh.data import jobs, sending
from dhis2sh.errors import BrokenAnswer, ServerFault
from dhis2sh.session import Session
from tests.data.test_aggregate import values
from tests.metadata.calls import call, do

PATH = "dataValueSets.csv"
QUERY: Any = {
    "data_set": "dsMonthly01",
    "period": ["202501", "202502", "202503"],
    "org_unit": "ouNation001",
    "children": True,
}


class Cut:
    """Cuts answers off behind so many bytes, of each question the first ones."""

    def __init__(self, s: Session, monkeypatch: pytest.MonkeyPatch, bytes_: int, times: int = 1) -> None:
        self.asked, self.stopped = 0, False
        self._bytes, self._times, self._left = bytes_, times, dict[str, int]()
        self._real = s.client.stream
        monkeypatch.setattr(s.client, "stream", self.stream)

    def again(self) -> None:
        """Questions that were asked are cut off once more."""
        self.stopped = False
        self._left.clear()

    @asynccontextmanager
    async def stream(self, method: str, path: str, params: Any = None, **how: Any) -> AsyncGenerator[AnswerStream]:
        async with self._real(method, path, params, **how) as found:
            answer = found
            if path == PATH:
                self.asked += 1
                left = self._left.setdefault(str(params), self._times)
                self._left[str(params)] = left - 1
                if left > 0 and not self.stopped:
                    answer = AnswerStream(
                        found.status, found.headers, method=method, url=found.url, raw=self._cut(aiter(found)),
                        close=found.aclose,
                    )  # fmt: skip
            yield answer

    async def _cut(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        left = self._bytes
        async for piece in pieces:
            yield piece[:left]
            if (left := left - len(piece)) <= 0:
                break
        raise BrokenAnswer(f"GET {PATH}: the answer was cut off", hint="try again; the network lost it")


@pytest.mark.parametrize("at", [0, 300])
async def test_the_values_before_and_the_way_back_come_whole(s: Session, monkeypatch: pytest.MonkeyPatch, at: int):
    before = await values(s, period=["202502"])
    file = Path("more.csv")
    lines = [f"Stock,202502,Clinic {clinic},{number}" for number, clinic in enumerate("ABC", 70)]
    file.write_text("dataElement,period,orgUnit,value\n" + "\n".join(lines) + "\n")
    cut = Cut(s, monkeypatch, at)
    await do(s, "data aggregate push", file=file)
    cut.stopped = True
    loaded = await values(s, period=["202502"])
    assert {key[2]: value for key, value in loaded.items() if key[0] == "Stock"} == {
        "Clinic A": "70", "Clinic B": "71", "Clinic C": "72",
    }  # fmt: skip
    cut.again()
    undone = await do(s, "undo")
    cut.stopped = True
    assert undone.failures == []
    assert await values(s, period=["202502"]) == before
    assert cut.asked > 2


async def test_what_is_asked_for_whole_comes_once(s: Session, monkeypatch: pytest.MonkeyPatch):
    expected = [row async for row in s.client.data_values.iter(**QUERY)]
    assert expected
    cut = Cut(s, monkeypatch, 300)
    assert [row async for row in s.client.data_values.iter(whole=True, **QUERY)] == expected
    assert cut.asked == 2


@pytest.mark.parametrize("at", [100, 300, 450])  # within the header, within a row, within a later one
async def test_what_comes_as_it_is_sent_goes_on_where_it_was_cut_off(
    s: Session, monkeypatch: pytest.MonkeyPatch, at: int
):
    expected = [row async for row in s.client.data_values.iter(**QUERY)]
    cut = Cut(s, monkeypatch, at)
    assert [row async for row in s.client.data_values.iter(**QUERY)] == expected
    assert cut.asked == 2


async def test_what_is_cut_off_again_and_again_goes_on_each_time(s: Session, monkeypatch: pytest.MonkeyPatch):
    expected = [row async for row in s.client.data_values.iter(**QUERY)]
    cut = Cut(s, monkeypatch, 300, times=3)
    monkeypatch.setattr("asyncio.sleep", _at_once)
    assert [row async for row in s.client.data_values.iter(**QUERY)] == expected
    assert cut.asked == 4


async def test_what_begins_otherwise_when_it_is_asked_for_again_is_an_error(
    s: Session, monkeypatch: pytest.MonkeyPatch
):
    """One of the rows that were given has changed meanwhile: nobody knows what of them is missing, or would come twice."""
    expected = [row async for row in s.client.data_values.iter(**QUERY)]
    cut = Cut(s, monkeypatch, 300)
    seen: list[object] = []
    with pytest.raises(BrokenAnswer, match="begins otherwise: nobody knows what of it is missing"):
        async for row in s.client.data_values.iter(**QUERY):
            if not seen:
                same = {name: row[name] for name in ("dataElement", "period", "orgUnit", "categoryOptionCombo")}
                await s.client.data_values.stream_in([{**same, "value": row["value"], "comment": "seen"}])
            seen.append(row)
    assert 0 < len(seen) < len(expected)
    assert cut.asked == 2


async def test_what_breaks_off_each_time_is_an_error(s: Session, monkeypatch: pytest.MonkeyPatch):
    cut = Cut(s, monkeypatch, 300, times=9)
    monkeypatch.setattr("asyncio.sleep", _at_once)
    with pytest.raises(BrokenAnswer, match="cut off"):
        [row async for row in s.client.data_values.iter(whole=True, **QUERY)]
    assert cut.asked == s.client.retry.attempts + 1


async def _at_once(_seconds: float) -> None:
    """No wait."""


async def test_a_question_of_what_is_there_counts_nothing_twice(s: Session, monkeypatch: pytest.MonkeyPatch):
    asked: Any = {"data_set": "Monthly", "period": ["202501"], "by": "values"}
    expected = (await call(s, "data completeness", **asked)).plain()
    cut = Cut(s, monkeypatch, 300)
    assert (await call(s, "data completeness", **asked)).plain() == expected
    assert cut.asked == 2


async def test_behind_a_proxy_that_gives_every_answer_itself_a_load_ends(s: Session, monkeypatch: pytest.MonkeyPatch):
    """What the cells hold afterwards was written, and the next part goes out."""
    monkeypatch.setattr(jobs, "ROWS_IN_ONE_PART", 2)
    before = await values(s, period=["202502"])
    file = Path("more.csv")
    lines = [f"Stock,202502,Clinic {clinic},{number}" for number, clinic in enumerate("ABC", 70)]
    file.write_text("dataElement,period,orgUnit,value\n" + "\n".join(lines) + "\n")
    real = sending.Values._send

    async def lost(self: Any, *args: Any) -> None:
        await real(self, *args)
        raise ServerFault("504 Gateway Time-out")

    monkeypatch.setattr(sending.Values, "_send", lost)
    summary = await do(s, "data aggregate push", file=file)
    assert summary.created + summary.updated == 3
    assert "2 parts got no answer (504 Gateway Time-out); looked at afterwards: all of it is there" in str(summary.note)
    monkeypatch.setattr(sending.Values, "_send", real)
    await do(s, "undo")
    assert await values(s, period=["202502"]) == before
