"""How many requests are under way at a time: of one piece of work, and of one host (one limiter, shared by every client of
this process on a loop)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from dhis2sh.client.addresses import origin

CONCURRENCY = 4
"""Requests of one piece of work at a time, unless somebody says otherwise."""

_HOSTS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Semaphore]] = WeakKeyDictionary()
"""Per event loop, since a semaphore belongs to one."""


class Places:
    """A client's places at a host: at most its own `max_connections`, and together with all others no more than the
    first client of that host asked for.

    Parameters:
        url: the server's address; None for an application in this process, which is shared with nobody.
        at_most: concurrent requests.
    """

    def __init__(self, url: str | None, at_most: int) -> None:
        self._url, self._at_most = url, max(1, at_most)
        self._own: asyncio.Semaphore | None = None
        self._host: asyncio.Semaphore | None = None

    async def enter(self) -> None:
        """Wait for a place. Own places come first, so that a small client does not queue at the host for nothing."""
        if self._own is None:
            self._own = asyncio.Semaphore(self._at_most)
            self._host = None if self._url is None else self._shared(self._url)
        await self._own.acquire()
        if self._host is not None:
            try:
                await self._host.acquire()
            except BaseException:
                self._own.release()
                raise

    def leave(self) -> None:
        """Give the place back."""
        assert self._own is not None, "leave follows enter"
        if self._host is not None:
            self._host.release()
        self._own.release()

    def _shared(self, url: str) -> asyncio.Semaphore:
        hosts = _HOSTS.setdefault(asyncio.get_running_loop(), {})
        return hosts.setdefault(origin(url), asyncio.Semaphore(self._at_most))


async def gather_bounded[T](work: Iterable[Awaitable[T]], concurrency: int) -> AsyncIterator[T]:
    """Results in the order of the work, with at most `concurrency` running; a failure or an early end cancels the rest.

    The work is taken from its iterable only when there is room for it, so that its bodies are not all made at once.
    """
    waiting: list[asyncio.Future[T]] = []
    pending = iter(work)
    try:
        while True:
            while len(waiting) < max(1, concurrency) and (one := next(pending, None)) is not None:
                waiting.append(asyncio.ensure_future(one))
            if not waiting:
                return
            yield await waiting.pop(0)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@asynccontextmanager
async def meanwhile[T](work: Coroutine[Any, Any, T]) -> AsyncGenerator[asyncio.Task[T]]:
    """Work that is under way while the block asks for something else, which awaits the task for its result.

    What is still running when the block ends or fails is cancelled, and has ended then.
    """
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
