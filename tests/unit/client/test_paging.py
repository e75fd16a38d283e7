"""Every kind of list is read to its end: counted, linked, neither, at the root, and while it grows."""

import json
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dhis2sh.client.paging import Page, page_of, pages_of
from dhis2sh.errors import BrokenAnswer, NotFound
from tests.shared import needs_shared, shared
from tests.unit.client.test_client import client_of

type Shape = Callable[[int, int, int, list[dict]], dict]


def counted(page: int, size: int, total: int, rows: list[dict]) -> dict:
    pages = -(-total // size)
    return {"pager": {"page": min(page, pages), "pageSize": size, "total": total, "pageCount": pages}, "events": rows}


def linked(page: int, size: int, total: int, rows: list[dict]) -> dict:
    pager = {"page": page, "pageSize": size} | ({"nextPage": "http://t/more"} if page * size < total else {})
    return {"pager": pager, "events": rows}


def endless(page: int, size: int, total: int, rows: list[dict]) -> dict:
    return {"pager": {"page": page, "pageSize": size, "nextPage": "http://t/more"}, "gist": True, "events": rows}


def neither(page: int, size: int, total: int, rows: list[dict]) -> dict:
    return {"pager": {"page": page, "pageSize": size}, "page": page, "pageSize": size, "events": rows}


def at_the_root(page: int, size: int, total: int, rows: list[dict]) -> dict:
    return {"page": page, "pageSize": size, "instances": rows}


class Listing:
    """A list that is told in one of the ways that servers have."""

    def __init__(self, shape: Shape, total: int):
        self.shape, self.total = shape, total
        self.asked: list[int] = []

    async def __call__(self, request: Request) -> Response:
        page, size = int(request.query_params["page"]), int(request.query_params["pageSize"])
        self.asked.append(page)
        rows = [{"id": number} for number in range(self.total)][(page - 1) * size : page * size]
        return JSONResponse(self.shape(page, size, self.total, rows))


def asked(listing: Listing):
    async def handler(request: Request) -> Response:
        return await listing(request)

    return client_of(handler)


@pytest.mark.parametrize("shape", [counted, linked, endless, neither, at_the_root])
@pytest.mark.parametrize("total", [0, 1, 3, 6, 7])
async def test_every_row_once_whatever_the_pager_says(shape: Shape, total: int):
    async with asked(Listing(shape, total)) as client:
        rows = [row["id"] async for row in client.iter("tracker/events", page_size=3)]
    assert rows == list(range(total))


@pytest.mark.parametrize(("shape", "pages"), [(counted, 3), (linked, 3), (endless, 4), (neither, 3), (at_the_root, 3)])
async def test_no_page_is_asked_for_that_is_known_not_to_be(shape: Shape, pages: int):
    listing = Listing(shape, 7)
    async with asked(listing) as client:
        assert len([row async for row in client.iter("tracker/events", page_size=3)]) == 7
    assert listing.asked == list(range(1, pages + 1))


@pytest.mark.parametrize("shape", [counted, linked, neither])
async def test_rows_that_appear_meanwhile_are_read_too(shape: Shape):
    listing = Listing(shape, 4)
    async with asked(listing) as client:
        rows = []
        async for row in client.iter("tracker/events", page_size=2):
            rows.append(row["id"])
            listing.total = min(9, listing.total + 1)
    assert rows == list(range(9))


async def test_a_limit_asks_for_nothing_beyond_it():
    listing = Listing(counted, 100)
    async with asked(listing) as client:
        rows = [row["id"] async for row in client.iter("tracker/events", page_size=2, limit=3)]
    assert rows == [0, 1, 2]
    assert listing.asked == [1, 2]


async def test_at_most_two_pages_are_read_ahead():
    listing = Listing(counted, 20)
    async with asked(listing) as client:
        rows = client.iter("tracker/events", page_size=2)
        assert await anext(rows) == {"id": 0}
        await anext(rows)
        assert set(listing.asked) <= {1, 2, 3}
        await rows.aclose()


async def test_a_page_that_fails_ends_the_list_with_its_error_and_leaves_nothing_running():
    async def fetch(number: int) -> Page:
        if number == 2:
            raise NotFound("page 2 is gone")
        return Page([{"id": number}], page=number, page_count=9, paged=True)

    with pytest.raises(NotFound, match="page 2"):
        async for page in pages_of(fetch):
            assert page.rows == [{"id": 1}]


def test_pages_are_read_from_every_shape():
    assert page_of("dataElements/gist", [{"id": 1}]).total == 1
    assert page_of("dataElements/gist", {"pager": {"page": 2}, "dataElements": []}).page == 2
    assert page_of("audits/dataValue", {"pager": {}, "dataValueAudits": [{"a": 1}]}).rows == [{"a": 1}]
    assert page_of("x", {"a": [1], "b": [2]}, key="b").rows == [2]
    assert page_of("options", {"options": [1, 2]}).total == 2
    for body in ({"a": [1], "b": [2]}, {}):
        with pytest.raises(NotFound, match="has no 'options'"):
            page_of("options", body)
    for text in (None, "text", 3):
        with pytest.raises(BrokenAnswer, match="options: the answer is no list"):
            page_of("options", text)


@needs_shared
@pytest.mark.parametrize("version", ["v40", "v41", "v42", "v43", "v44"])
def test_the_lists_of_recorded_servers_are_understood(version: str):
    """Whatever a real server answered to a list of tracker or gist has rows, and says rightly whether there is more."""
    seen = 0
    for line in shared("wire", version, "tracker-read.jsonl").read_text().splitlines():
        step = json.loads(line)
        body = step["response"]["body"]
        if step["response"]["status"] != 200 or not isinstance(body, dict) or not {"pager", "page"} & set(body):
            continue
        page = page_of(step["path"].removeprefix("/api/"), body)
        size = page.page_size or 50
        assert page.paged
        assert not page.more or len(page.rows) == size
        assert page.more or len(page.rows) < size or version != "v40"
        seen += 1
    assert seen
