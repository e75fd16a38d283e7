"""Serves a sandbox on loopback, never on another address."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from dhis2sh.errors import UsageError
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.http.answers import refusal
from dhis2sh.sandbox.load import load_file
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.server import REMOTE_SERVERS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dhis2sh.sandbox.faults import Faults
    from dhis2sh.sandbox.jobs.service import JobService
    from dhis2sh.sandbox.routes.server import Draw, Server
    from dhis2sh.sandbox.store.database import Store

HOST = "127.0.0.1"


async def serve(
    store: Store,
    port: int,
    loads: Sequence[Path],
    say: Callable[[str], None],
    *,
    job_delay: float = 0.0,
    faults: Faults | None = None,
    remote_servers: Sequence[str] = REMOTE_SERVERS,
    drawing: Callable[[ASGIApp], Draw] | None = None,
) -> str:
    """Load files, then answer requests until cancelled or interrupted.

    Parameters:
        store: the database.
        port: 0 picks a free one.
        loads: exports to load first.
        say: told each thing that has happened, one line each.
        job_delay: seconds until a job that waits for the scheduler starts.
        faults: trouble on purpose.
        remote_servers: where routes may lead, `*` for anything.
        drawing: gives what draws for the sandbox's own pages; without it they show that nobody does.

    Returns the address that was served. Raises `UsageError` when the port is taken.
    """
    import uvicorn  # heavy: only who serves needs it

    listener = _listen(port)
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    for path in loads:
        report = await asyncio.to_thread(load_file, store, path)
        say(f"{path.name}: {report.created:,} created, {report.updated:,} updated, {report.data_values:,} data values")
    app = create_app(store, job_delay=job_delay, faults=faults, remote_servers=remote_servers)
    if drawing is not None:
        cast("Server", app.state.server).draw = drawing(app)
    # An answer that is cut on purpose is no error of the server's.
    level = "warning" if faults is None else "critical"
    config = uvicorn.Config(OnlyHere(app), log_level=level, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    say(f"serving {address}  as DHIS2 {store.version.number}  (admin / district; Ctrl-C stops it)")
    stop = threading.Event()
    jobs = cast("JobService", app.state.jobs)
    schedule = threading.Thread(target=jobs.run_schedule, args=(stop,), daemon=True, name="scheduler")
    schedule.start()
    try:
        await server.serve(sockets=[listener])
    finally:
        stop.set()
        await asyncio.to_thread(schedule.join, 5)
    return address


@asynccontextmanager
async def served(store: Store, drawing: Callable[[ASGIApp], Draw] | None = None) -> AsyncGenerator[str]:
    """The same on a free port, for as long as the block lasts, in the loop that is running; Ctrl-C stays the caller's.

    Parameters:
        store: the database, which another application may use too.
        drawing: as of `serve`.

    Gives the address.
    """
    import uvicorn  # heavy: only who serves needs it

    class Inside(uvicorn.Server):
        ready = asyncio.Event()

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            self.ready.set()

    listener = _listen(0)
    app = create_app(store)
    if drawing is not None:
        cast("Server", app.state.server).draw = drawing(app)
    config = uvicorn.Config(
        OnlyHere(app), log_level="critical", lifespan="off", access_log=False, timeout_graceful_shutdown=5
    )
    server = Inside(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready.wait()
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


HERE = {HOST, "localhost", "::1"}
"""The names under which a browser on this machine may know the sandbox."""


def _host(named: str) -> str | None:
    """The name in a `Host` header, without its port; None for what is none."""
    try:
        return urlsplit(f"//{named}").hostname
    except ValueError:
        return None


class OnlyHere:
    """The application behind a look at `Host`: a page elsewhere whose name has come to mean this machine gets nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that was sent to this machine by its own name; 421 for any other."""
        if scope["type"] == "http":
            named = Headers(scope=scope).get("host", "")
            if _host(named) not in HERE:
                text = f"the sandbox answers to {HOST} and localhost, not to '{named}'"
                await refusal(Refused(421, text))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"port {port} cannot be used: {error.strerror}", hint="choose another --port") from error
    return listener
