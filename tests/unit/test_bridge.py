"""The bridge between the thread of the prompt and the loop that all work runs on."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from dhis2sh.errors import Interrupted
from dhis2sh.surfaces import terminal
from dhis2sh.surfaces.ipython.bridge import Across, Portal, _Work


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
    begun, ended = threading.Event(), threading.Event()

    async def slow() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    waiting = asyncio.create_task(portal.hop(slow()))
    assert await asyncio.to_thread(begun.wait, 30)
    portal.cancel_awaited()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.wait(30)


async def test_many_calls_at_once_run_at_once(portal: Portal) -> None:
    together = asyncio.Barrier(5)

    async def met() -> str:
        async with asyncio.timeout(30):
            await together.wait()  # until all five are there
        return threading.current_thread().name

    assert await asyncio.gather(*(portal.hop(met()) for _ in range(5))) == ["dhis2sh"] * 5


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
    assert await asyncio.to_thread(ended.wait, 30)


# questions ---------------------------------------------------------------------------------------------------------


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], str]) -> list[str]:
    """Somebody at the terminal who is asked for a secret; gives the names of the threads that asked."""
    threads: list[str] = []

    def ask_secret(prompt: str) -> str:
        threads.append(threading.current_thread().name)
        return answer(prompt)

    monkeypatch.setattr(terminal, "interactive", lambda: True)
    monkeypatch.setattr(terminal, "ask_secret", ask_secret)
    return threads


def test_a_question_is_asked_in_the_thread_that_waits_and_the_loop_goes_on(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    def slowly(prompt: str) -> str:
        began, deadline = len(ticks), time.monotonic() + 30
        while len(ticks) - began <= 5:
            assert time.monotonic() < deadline, "the loop stands still"
            time.sleep(0.01)
        return f"{prompt}: district"

    threads = answering(monkeypatch, slowly)
    portal.submit(tick())
    said: list[str] = []
    answer = portal.run(Across(portal).secret("password"), lambda kind, arguments: said.append(kind))
    assert answer == "password: district"
    assert threads == ["MainThread"]
    assert said == ["done"]  # no bar is drawn over the question


async def test_where_no_thread_waits_nobody_is_asked(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = answering(monkeypatch, lambda prompt: "district")
    assert await portal.hop(Across(portal).secret("password")) is None
    assert threads == []


def test_ctrl_c_at_a_question_interrupts_the_verb_and_not_the_loop(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(prompt: str) -> str:
        raise KeyboardInterrupt

    answering(monkeypatch, interrupted)
    with pytest.raises(Interrupted):
        portal.run(Across(portal).secret("password"), lambda kind, arguments: None)
    assert portal.run(asyncio.sleep(0, "still there")) == "still there"
