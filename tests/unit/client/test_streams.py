"""Rows of large answers, in batches: whatever the pieces are cut like, never more held than a batch, never half of it."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dhis2sh.client import streams
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.client.streams import rows_of_json
from dhis2sh.errors import BrokenAnswer, NotDhis2, NotFound, UsageError
from dhis2sh.types import Row
from tests.fakes.wire import wire
from tests.unit.client.test_client import client_of

MIB = 1024 * 1024
VALUE = {"dataElement": "fbfJHSPpUQD", "period": "202301", "orgUnit": "DiszpKrYNg8", "value": "12", "followup": False}


async def read(data: bytes, size: int, key: str = "rows") -> list[Row]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return [row async for rows in rows_of_json(pieces(), key, "GET /api/rows") for row in rows]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=5)
    | st.sampled_from(["},{", '"}]', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=3), json_values, max_size=3)


@given(st.lists(objects, max_size=5), objects, objects, st.integers(1, 40), st.sampled_from([None, 1]))
async def test_json_is_read_whatever_stands_in_it_and_whatever_the_pieces(
    rows: list[dict], before: dict, after: dict, size: int, indent: int | None
):
    separators = (",", ":") if indent is None else None
    whole = {"before": before, "list": [before], "rows": rows, "after": [after, after]}
    data = json.dumps(whole, indent=indent, separators=separators, ensure_ascii=False).encode()
    assert await read(data, size) == rows
    with patch.object(streams, "PIECE", 8), patch.object(streams, "_TRIES", 1):  # as in an answer of rows of any size
        assert await read(data, size) == rows
    alone = json.dumps(rows, indent=indent, separators=separators).encode()
    assert await read(alone, size) == rows


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_an_answer_that_was_cut_off_is_broken_wherever_it_was_cut(size: int):
    data = json.dumps({"period": "202301", "rows": [VALUE, VALUE], "more": [{"a": 1}]}).encode()
    for end in range(len(data)):
        with pytest.raises(BrokenAnswer):
            await read(data[:end], size)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b'{"dataElements":[]}', NotFound, "has no 'rows'"),
        (b'{"a":"rows","b":[{}]}', NotFound, "has no 'rows'"),
        (b'{"a":{"rows":[{}]}}', NotFound, "has no 'rows'"),
        (b'{"rows":[{}]}{"httpStatus":"Internal Server Error"}', BrokenAnswer, "more came behind its end"),
        (b'{"rows":[["a"]]}', BrokenAnswer, "other things than objects"),
        (b'{"rows":[{"a":nope},{}]}', BrokenAnswer, "not JSON"),
        (b'{"pager":{"page":1},"rows":[{}]}', UsageError, "one page of a list"),
        (b'{"rows":[{}],"page":1,"pageSize":50}', UsageError, "one page of a list"),
        (b"", BrokenAnswer, "promised JSON and sent nothing"),
        (b"nonsense", BrokenAnswer, "cut off"),
    ],
)
async def test_what_is_no_array_of_rows_is_refused(data: bytes, error: type[Exception], words: str):
    with pytest.raises(error, match=words):
        await read(data, 4)


def values(count: int, written: list[int]):
    """A server that writes so many data values, as fast as they are taken, and says how far it came."""

    async def answer(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nConnection: close\r\n\r\n")
        writer.write(b'{"dataValues":[')
        row = json.dumps(VALUE, separators=(",", ":")).encode()
        for start in range(0, count, 1000):
            some = min(1000, count - start)
            writer.write((b"," if start else b"") + b",".join([row] * some))
            await writer.drain()
            written.append(start + some)
        writer.write(b"]}")

    return answer


def client_at(url: str, **settings: object) -> Client:
    return Client(ConnectionSettings(url, **settings), Basic("u", "p"), retry=RetryRule(attempts=2, base=0.0))


async def test_two_hundred_thousand_data_values_are_never_held():
    async with wire(values(188_697, [])) as url, client_at(url) as client:
        async with aclosing(client.batches("warm", key="dataValues")) as batches:
            assert await anext(batches) == [VALUE] * 1000, "imports and buffers are not what is measured"
        tracemalloc.start()
        try:
            count, sizes = 0, set[int]()
            async for rows in client.batches("dataValueSets", key="dataValues"):
                count += len(rows)
                sizes.add(len(rows))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (count, sizes) == (188_697, {1000, 697})
    assert peak < 8 * MIB


async def test_closing_the_iterator_closes_the_request():
    written: list[int] = []
    async with wire(values(1_000_000, written)) as url, client_at(url) as client:
        async with aclosing(client.batches("dataValueSets", key="dataValues", size=10)) as batches:
            first = await anext(batches)
        assert first == [VALUE] * 10
        far = len(written)
        await asyncio.sleep(0.2)
        assert len(written) <= far + 1 < 1000
    async with wire(values(1_000_000, [])) as url, client_at(url, max_connections=1) as client:
        for _ in range(2):  # the one place at the host is free again
            async with asyncio.timeout(60), aclosing(client.batches("x", key="dataValues")) as batches:
                assert len(await anext(batches)) == 1000


async def test_csv_is_named_by_its_first_line_and_anything_else_is_no_data():
    async def answer(request: Request) -> Response:
        if request.url.path == "/api/page":
            return Response("hello", media_type="text/plain")
        return Response('Id,Name\na,"two\nlines"\nb,\n', media_type="text/csv")

    async with client_of(answer) as client:
        found = [rows async for rows in client.batches("sqlViews/x/data.csv", accept="text/csv", size=1)]
        assert found == [[{"Id": "a", "Name": "two\nlines"}], [{"Id": "b"}]]
        with pytest.raises(NotDhis2, match="text/plain came back"):
            await anext(client.batches("page"))


async def test_pages_give_lists_and_stop_at_a_limit():
    async def answer(request: Request) -> Response:
        page = int(request.query_params["page"])
        rows = [{"event": f"e{page}{n}"} for n in range(2)] if page < 4 else []
        return JSONResponse({"pager": {"page": page, "pageSize": 2, "nextPage": "x"}, "events": rows})

    async with client_of(answer) as client:
        assert [len(rows) async for rows in client.pages("tracker/events", size=2)] == [2, 2, 2]
        assert [len(rows) async for rows in client.pages("tracker/events", size=2, limit=3)] == [2, 1]
        assert [row["event"] async for row in client.iter("tracker/events", page_size=2, limit=3)] == [
            "e10",
            "e11",
            "e20",
        ]


class Told:
    """An answer in pieces, as far as a check needs it."""

    method, url = "GET", "/api/metadata"

    def __init__(self, data: bytes, size: int) -> None:
        self._pieces = [data[at : at + size] for at in range(0, len(data), size)]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


NOT_JSON = [
    b'{"rows":[}}', b'{"rows":[,{}]}', b'{"rows":[{},]}', b'{"rows":[{},,{}]}', b'{"rows":[{},\n, {"a":1}]}', b'{"rows":[{"a":[1}]}]}',
    b'{"rows":[{"a":1}},"b":[]}', '{"a":"\u00e9","rows":[{"\u00e9":[{}]},{"a":1},],"b":[]}'.encode(), b'{"b":[{}],"rows":[{}{}]}',
]  # fmt: skip


@pytest.mark.parametrize("data", NOT_JSON)
@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("least", [8, streams.PIECE])
async def test_what_is_no_json_is_never_taken_for_an_answer(data: bytes, size: int, least: int):
    with patch.object(streams, "PIECE", least), patch.object(streams, "_LONG", 4 * least):
        with pytest.raises((BrokenAnswer, NotFound)):
            await read(data, size)
        with pytest.raises(BrokenAnswer):
            _ = [piece async for piece in streams.whole_json(cast("Any", Told(data, size)))]


@pytest.mark.parametrize("size", [1, 3, 7, 50, 1000])
@pytest.mark.parametrize("least", [8, streams.PIECE])
async def test_a_whole_answer_of_many_lists_passes_as_it_came(size: int, least: int):
    row = {"id": "\u00e9", "in": [{"a": 1}, {"b": "},{"}], "of": {"list": [[], [{}]]}}
    data = json.dumps({"system": {}, "a": [], "b": [row], "c": [row, {}, row], "d": [], "e": [[1], [2, 3]]}).encode()
    with patch.object(streams, "PIECE", least), patch.object(streams, "_LONG", 4 * least):
        assert b"".join([piece async for piece in streams.whole_json(cast("Any", Told(data, size)))]) == data
        assert await read(data, size, "c") == [row, {}, row]
        for end in range(1, len(data) - 1, 5):
            with pytest.raises(BrokenAnswer):
                _ = [piece async for piece in streams.whole_json(cast("Any", Told(data[:end], size)))]
