"""One event loop in one daemon thread, for the shell and notebooks: the only place where threads and loops meet.

`asyncio.run` per call fails with a shared client, IPython's own loop is busy in a kernel, and patching asyncio patches
everybody's. So all async work runs here; the calling thread waits, draws progress and passes Ctrl-C on as cancellation.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import functools
import inspect
import queue
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import Interrupted
from dhis2sh.surfaces.terminal import Terminal

if TYPE_CHECKING:
    from dhis2sh.session import Session

TICK = 0.05
"""Seconds between looks at the progress queue while waiting."""
WAKE = 0.25
"""Seconds that a waiting loop sleeps at a time."""
CALL = "call"
"""The kind of talk that wants an answer."""
READ_AHEAD = 64
"""How many items of an async generator may wait on the other side."""


class Portal:
    """Runs coroutines on its own loop and gives their results to other threads. Started on first use."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._awaited: set[concurrent.futures.Future[Any]] = set()
        self._heard = False
        self.on_waiting: Callable[[float | None], None] = lambda seconds: None
        """Told, in the thread that waits, for how many seconds it has heard nothing; None when it has."""
        self.talk: queue.SimpleQueue[tuple[str, tuple[object, ...]]] = queue.SimpleQueue()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, running in its thread."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="dhis2sh", daemon=True)
                self._thread.start()
            return self._loop

    def submit[T](self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start a coroutine over there; does not wait."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run[T](
        self, coroutine: Coroutine[Any, Any, T], hear: Callable[[str, tuple[object, ...]], None] | None = None
    ) -> T:
        """Run a coroutine over there and wait for it. Ctrl-C cancels it, so the server sees the connection close.

        Parameters:
            coroutine: what to run.
            hear: told everything that was said over there (progress, warnings), in this thread.
        """
        work = _Work(coroutine)
        self._heard = hear is not None
        since = time.monotonic()
        try:
            future = self.submit(work.run())
            while True:
                try:
                    return future.result(TICK)
                except concurrent.futures.TimeoutError:
                    if future.done():
                        raise
                    if not self.talk.empty():
                        since = time.monotonic()
                    elif hear is not None:
                        self.on_waiting(time.monotonic() - since)
                finally:
                    self._pass_on(hear)
        except KeyboardInterrupt:
            self.loop.call_soon_threadsafe(work.cancel)
            work.ended.wait(1)
            self._pass_on(hear)  # how far it came
            raise
        finally:
            self._heard = False
            if hear is not None:
                self.on_waiting(None)

    async def asked[R](self, question: Callable[[], R]) -> R | None:
        """Run a question, from over there, in the thread that waits, which has the terminal.

        None where no thread waits: a call that is awaited on another loop.
        """
        if not self._heard:
            return None
        answer: concurrent.futures.Future[R] = concurrent.futures.Future()
        self.talk.put(("done", ()))  # no bar is drawn over it
        self.talk.put((CALL, (question, answer)))
        return await asyncio.wrap_future(answer)

    def _pass_on(self, hear: Callable[[str, tuple[object, ...]], None] | None) -> None:
        while not self.talk.empty():
            kind, arguments = self.talk.get()
            if kind == CALL:
                question, answer = cast("tuple[Callable[[], object], concurrent.futures.Future[object]]", arguments)
                if not answer.set_running_or_notify_cancel():
                    continue  # the work has ended meanwhile
                try:
                    answer.set_result(question())
                except KeyboardInterrupt:  # over there it would end the loop
                    answer.set_exception(Interrupted("interrupted"))
                except BaseException as error:  # noqa: BLE001  (it is raised again over there)
                    answer.set_exception(error)
            elif hear is not None:
                hear(kind, arguments)

    async def hop[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await, on any loop, a coroutine that runs over there."""
        if asyncio.get_running_loop() is self._loop:
            return await coroutine
        return await _awake(asyncio.wrap_future(self._remembered(self.submit(coroutine))), self.on_waiting)

    def _remembered[T](self, future: concurrent.futures.Future[T]) -> concurrent.futures.Future[T]:
        self._awaited.add(future)
        future.add_done_callback(self._awaited.discard)
        return future

    @property
    def awaited(self) -> bool:
        """Is something over there awaited on another loop?"""
        return any(not future.done() for future in self._awaited)

    def cancel_awaited(self) -> None:
        """Cancel what is awaited on other loops. Ctrl-C at a prompt stops IPython's loop and leaves its tasks waiting."""
        for future in list(self._awaited):
            future.cancel()

    async def iterate[T](self, source: Callable[[], AsyncIterator[T]], ahead: int = READ_AHEAD) -> AsyncGenerator[T]:
        """Iterate, on any loop, an async generator that runs over there, through a bounded queue. It is closed there.

        Parameters:
            source: gives the generator.
            ahead: how many items may wait on this side.
        """
        if asyncio.get_running_loop() is self._loop:
            async for item in source():
                yield item
            return
        here = asyncio.get_running_loop()
        items: asyncio.Queue[tuple[bool, object]] = asyncio.Queue(ahead)

        async def pump() -> None:
            found = source()
            try:
                async for item in found:
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(items.put((True, item)), here))
                ending: object = None
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001  (it is raised again on the other side)
                ending = error
            finally:
                close = getattr(found, "aclose", None)
                if close is not None:
                    await close()
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(items.put((False, ending)), here))

        task = self._remembered(self.submit(pump()))
        try:
            while True:
                more, item = await _awake(asyncio.ensure_future(items.get()))
                if not more:
                    if isinstance(item, BaseException):
                        raise item
                    return
                yield cast("T", item)
        finally:
            task.cancel()

    def close(self) -> None:
        """Stop the loop and its thread; what still runs there is cancelled."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def _awake[T](future: asyncio.Future[T], waiting: Callable[[float | None], None] | None = None) -> T:
    """Await a future and wake up now and then: a kernel's loop that sleeps does not hear an interrupt.

    Parameters:
        waiting: told for how many seconds; None at the end.
    """
    since = time.monotonic()
    try:
        while not (await asyncio.wait({future}, timeout=WAKE))[0]:
            if waiting is not None:
                waiting(time.monotonic() - since)
    except asyncio.CancelledError:
        future.cancel()
        raise
    finally:
        if waiting is not None:
            waiting(None)
    return future.result()


async def _cancel_all() -> None:
    """Cancel every other task of this loop, and wait for them."""
    others = asyncio.all_tasks() - {cast("asyncio.Task[object]", asyncio.current_task())}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


class _Work[T]:
    """A coroutine that another thread may cancel at any moment, even before it has heard that it was started.

    Ctrl-C may reach the waiting thread inside `submit`, when the work is under way and its future is not known yet.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False
        self.ended = threading.Event()

    async def run(self) -> T:
        """Run it. Raises `CancelledError` when it was cancelled before or meanwhile."""
        self._task = asyncio.current_task()
        try:
            if self._cancelled:
                self._coroutine.close()
                raise asyncio.CancelledError
            return await self._coroutine
        finally:
            self.ended.set()

    def cancel(self) -> None:
        """Cancel it; to be called on its loop."""
        self._cancelled = True
        if self._task is not None and not self.ended.is_set():
            self._task.cancel()


class Across(Terminal):
    """Whoever is at the terminal, seen from over there: everything is said and asked through the portal's queue.

    Parameters:
        portal: the way to the thread that waits.
    """

    def __init__(self, portal: Portal) -> None:
        super().__init__()
        self._portal, self._talk = portal, portal.talk

    def warn(self, message: str) -> None:
        """Pass a warning on."""
        self._talk.put(("warn", (message,)))

    def note(self, message: str) -> None:
        """Pass a note on."""
        self._talk.put(("note", (message,)))

    def step(self, message: str) -> None:
        """Pass a step on."""
        self._talk.put(("step", (message,)))

    def progress(self, task: str, done: int, total: int | None) -> None:
        """Pass progress on."""
        self._talk.put(("progress", (task, done, total)))

    async def wait_for[R](self, question: Callable[[], R]) -> R | None:
        """The answer to a question, asked in the thread that waits; None where none does."""
        return await self._portal.asked(question)

    async def fill[R](self, form: Callable[[], Coroutine[Any, Any, R]]) -> R | None:
        """Give the screen to a form, in the thread that waits, on a loop of its own."""
        return await self.put(lambda: asyncio.run(form()))

    def read(self) -> str | None:
        """Standard input is the prompt's."""
        return None


class Elsewhere:
    """An object of the service loop, used from any other: what waits hops, and so do iterations and `async with`.

    Parameters:
        portal: the way there.
        find: gives the object, each time anew: a profile may have been changed in between.
    """

    def __init__(self, portal: Portal, find: Callable[[], Any]) -> None:
        self._portal = portal
        self._find = find

    def __getattr__(self, name: str) -> Any:
        """An attribute of the object; services of the client come back as ones that hop loops."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self._seen(getattr(self._find(), name), lambda: getattr(self._find(), name))

    def _seen(self, value: Any, find: Callable[[], Any]) -> Any:
        if inspect.isroutine(value):
            return self._calling(value)
        return Elsewhere(self._portal, find) if _serves(value) else value

    def _calling(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function; what it gives is awaited, iterated or entered over there."""

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            result = function(*args, **options)
            if inspect.iscoroutine(result):
                return self._portal.hop(result)
            if isinstance(result, AsyncIterator):
                return self._portal.iterate(lambda: cast("AsyncIterator[Any]", result))
            if isinstance(result, AbstractAsyncContextManager):
                return self._entering(cast("AbstractAsyncContextManager[Any]", result))
            return self._seen(result, lambda: result)

        return call

    @asynccontextmanager
    async def _entering(self, manager: AbstractAsyncContextManager[Any]) -> AsyncGenerator[Any]:
        value = await self._portal.hop(_coroutine(manager.__aenter__()))
        ending: tuple[Any, Any, Any] = (None, None, None)
        try:
            yield Elsewhere(self._portal, lambda: value)
        except BaseException as error:
            ending = (type(error), error, error.__traceback__)
            raise
        finally:
            await self._portal.hop(_coroutine(manager.__aexit__(*ending)))

    def __getitem__(self, key: Any) -> Any:
        return self._seen(self._find()[key], lambda: self._find()[key])

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._portal.iterate(lambda: aiter(self._find()))

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._find()) if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<{type(self._find()).__name__} of the service loop>"


def _serves(value: object) -> bool:
    """Whether this is a part of the client that sends requests, and no result of one."""
    kind = type(value)
    data = dataclasses.is_dataclass(kind) or issubclass(kind, (str, int, tuple)) or hasattr(kind, "model_dump")
    return kind.__module__.startswith("dhis2sh.client.") and not data


async def _coroutine[T](awaitable: Awaitable[T]) -> T:
    return await awaitable


class ClientProxy(Elsewhere):
    """The shell's `client`: every call hops to the service loop, so `await client.get(...)` works at any prompt.

    It is the client of the session's profile at that moment; `%profile use` rebinds it in place.
    """

    def __init__(self, portal: Portal, session: Session) -> None:
        super().__init__(portal, lambda: session.client)
        self._session = session

    def __dir__(self) -> list[str]:
        from dhis2sh.client.client import Client  # start-up: httpx

        return [name for name in dir(Client) if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<client of {self._session.profile.name}, {self._session.profile.url}>"
