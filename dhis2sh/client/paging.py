"""Lists that come in pages, read to their end whatever the version says of them.

Servers tell in four ways whether there is more (recorded on 2.40 to 2.44):

- plain lists count: `pager.pageCount`;
- tracker and gist lists do not count, and link to more: `pager.nextPage`. A gist of 2.43 and 2.44 links to a next page even
  when that is empty;
- tracker of 2.41 says neither: only a page that is not full is the last one;
- tracker of 2.40 has its page fields at the root and its rows under `instances`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import BrokenAnswer, NotFound

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue, Row

READ_AHEAD = 2
"""How many pages are fetched before somebody asks for them."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows, and what the server says of the whole (None where it does not say).

    Parameters:
        rows: as the server gave them.
        page: its number, from 1; `page_size` the most rows that a page has.
        page_count, total: pages and rows in all.
        linked: True when the server linked to a next page.
        paged: False for a list that came whole.
    """

    rows: list[Row]
    page: int = 1
    page_count: int | None = None
    total: int | None = None
    page_size: int | None = None
    linked: bool = False
    paged: bool = False

    @property
    def more(self) -> bool:
        """Whether there may be another page. Where it may not be known, a full page is followed by one more request."""
        if not self.rows or not self.paged:
            return False
        if self.page_count is not None:
            return self.page < self.page_count
        return self.linked or len(self.rows) == self.page_size


def page_of(resource: str, body: JsonValue, *, key: str | None = None) -> Page:
    """One page from a list's answer.

    Parameters:
        resource: the list's path, such as `dataElements`, `dataElements/gist`, `tracker/events`.
        body: the answer; a bare array is a whole list.
        key: where the rows are, when the path does not say.

    Raises `NotFound` when no rows are in it, `BrokenAnswer` where it is no JSON of a list.
    """
    if isinstance(body, list):
        return Page(cast("list[Row]", body), total=len(body))
    if not isinstance(body, dict):
        raise BrokenAnswer(
            f"{resource}: the answer is no list", hint="dhis2 profile verify  shows which server answers"
        )
    found: JsonObject = body
    rows = _rows(found, key or resource.removesuffix("/gist").rpartition("/")[2])
    if rows is None:
        raise NotFound(
            f"the server's answer has no '{key or resource.rpartition('/')[2]}'", hint="dhis2 metadata types"
        )
    pager = found.get("pager")
    told = cast("JsonObject", pager) if isinstance(pager, dict) else found  # 2.40 tells it at the root
    paged = isinstance(pager, dict) or "pageSize" in found
    return Page(
        rows=rows,
        page=_number(told, "page") or 1,
        page_count=_number(told, "pageCount"),
        total=_number(told, "total") if paged else len(rows),
        page_size=_number(told, "pageSize"),
        linked=bool(told.get("nextPage")),
        paged=paged,
    )


def _rows(body: JsonObject, key: str) -> list[Row] | None:
    """The rows under their own name, or in the only array there is (`instances`, `dataValueAudits`, `apiToken`)."""
    arrays = {name: value for name, value in body.items() if isinstance(value, list)}
    found = arrays.get(key) if key in arrays or len(arrays) != 1 else next(iter(arrays.values()))
    return cast("list[Row] | None", found)


def _number(told: JsonObject, name: str) -> int | None:
    value = told.get(name)
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


async def pages_of(fetch: Callable[[int], Awaitable[Page]], *, pages: int | None = None) -> AsyncGenerator[Page]:
    """Every page of a list that has rows, in order, with at most `READ_AHEAD` pages fetched before they are wanted.

    Pages that appear while it runs are read too, since every page says anew how many there are. Ahead is read only what
    is known to be there: a server that does not count is asked for one page at a time.

    Parameters:
        fetch: reads the page of a number, from 1.
        pages: read no more than so many.

    Raises what `fetch` raises; what was fetched ahead is cancelled when the reader stops.
    """
    ahead: list[asyncio.Future[Page]] = []
    asked = known = 1
    try:
        page = await fetch(1)
        while True:
            known = max(known, page.page_count or (asked + 1 if page.more else asked))
            while page.rows and asked < min(known, pages or known) and len(ahead) < READ_AHEAD:
                asked += 1
                ahead.append(asyncio.ensure_future(fetch(asked)))
            if page.rows:
                yield page
            if not page.rows or not ahead:
                return
            page = await ahead.pop(0)
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)
