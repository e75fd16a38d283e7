"""Serves a sandbox on loopback, never on another address."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import UsageError
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.load import load_file

if TYPE_CHECKING:
    from dhis2sh.sandbox.faults import Faults
    from dhis2sh.sandbox.jobs.service import JobService
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
) -> str:
    """Load files, then answer requests until cancelled or interrupted.

    Parameters:
        store: the database.
        port: 0 picks a free one.
        loads: exports to load first.
        say: told each thing that has happened, one line each.
        job_delay: seconds until a job that waits for the scheduler starts.
        faults: trouble on purpose.

    Returns the address that was served. Raises `UsageError` when the port is taken.
    """
    import uvicorn  # heavy: only who serves needs it

    listener = _listen(port)
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    for path in loads:
        report = await asyncio.to_thread(load_file, store, path)
        say(f"{path.name}: {report.created:,} created, {report.updated:,} updated, {report.data_values:,} data values")
    app = create_app(store, job_delay=job_delay, faults=faults)
    # An answer that is cut on purpose is no error of the server's.
    level = "warning" if faults is None else "critical"
    config = uvicorn.Config(app, log_level=level, lifespan="off", access_log=False)
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


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"port {port} cannot be used: {error.strerror}", hint="choose another --port") from error
    return listener
