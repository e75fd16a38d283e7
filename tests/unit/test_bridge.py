"""The bridge between the thread of the prompt and the loop that all work runs on."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from dhis2sh.surfaces.ipython.bridge import Portal, _Work


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.close()


def test_work_that_is_cancelled_before_it_began_never_runs(portal: Portal) -> None:
    """Ctrl-C may arrive while the work is being handed over."""
    ran = threading.Event()

    async def coroutine() -> None:
        ran.set()

    work = _Work(coroutine())
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work.run())
    assert not ran.is_set()


async def test_awaited_calls_are_cancelled_when_their_prompt_was_interrupted(portal: Portal) -> None:
    ended = threading.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    waiting = asyncio.create_task(portal.hop(slow()))
    await asyncio.sleep(0.1)
    portal.cancel_awaited()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.wait(2)


async def test_many_calls_at_once_run_at_once(portal: Portal) -> None:
    async def nap() -> str:
        await asyncio.sleep(0.2)
        return threading.current_thread().name

    began = time.monotonic()
    assert await asyncio.gather(*(portal.hop(nap()) for _ in range(5))) == ["dhis2sh"] * 5
    assert time.monotonic() - began < 0.9


async def test_a_generator_crosses_and_ends_over_there_when_it_is_left_early(portal: Portal) -> None:
    ended = threading.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(1000):
                yield number
        finally:
            ended.set()

    seen: list[int] = []
    crossing = portal.iterate(numbers)
    async for number in crossing:
        seen.append(number)
        if number == 4:
            break
    await crossing.aclose()
    assert seen == [0, 1, 2, 3, 4]
    assert await asyncio.to_thread(ended.wait, 2)
