"""The sandbox as an application: the areas of `routes/` behind sign-in.

It runs in this process over an ASGI transport, or on loopback. A path belongs to the first area that knows it, so the
general routes of metadata objects come last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.faults import Faults, Troubled
from dhis2sh.sandbox.http.addresses import Heeded, unanswered
from dhis2sh.sandbox.http.aliases import Replayed
from dhis2sh.sandbox.http.answers import refusal
from dhis2sh.sandbox.http.routing import Routes
from dhis2sh.sandbox.people.signin import SignedIn, WithoutVersion
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes import pages
from dhis2sh.sandbox.routes.analytics import aggregate, dimensions, events, geo, outliers
from dhis2sh.sandbox.routes.data import (
    approvals,
    audits,
    completeness,
    entry,
    entry_forms,
    exchanges,
    integrity,
    lock_exceptions,
    minmax,
    operands,
    predictions,
    validation,
    value_files,
    values,
)
from dhis2sh.sandbox.routes.instance import (
    apps,
    datastore,
    files,
    jobs,
    look,
    maintenance,
    query_alias,
    routes_,
    settings,
    sqlviews,
    system,
    unit_profile,
)
from dhis2sh.sandbox.routes.metadata import (
    bundle,
    dependencies,
    descriptions,
    merges,
    objects,
    org_units,
    sharing,
    writes,
)
from dhis2sh.sandbox.routes.people import account, me, messages, tokens, users
from dhis2sh.sandbox.routes.server import REMOTE_SERVERS, Server
from dhis2sh.sandbox.routes.tracker import reads as tracker_reads
from dhis2sh.sandbox.routes.tracker import special as tracker_special
from dhis2sh.sandbox.routes.tracker import writes as tracker_writes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dhis2sh.sandbox.store.database import Store

AREAS = (
    pages, account, me, look, unit_profile, system, query_alias, settings, jobs, datastore, tokens, tracker_reads, tracker_writes, tracker_special, users,
    files, messages, routes_, apps, maintenance, validation, predictions, sqlviews, integrity,
    values, value_files, completeness, lock_exceptions, approvals, audits, minmax, aggregate, events, outliers, dimensions,
    geo, entry, entry_forms, exchanges, operands,
    bundle, sharing, org_units, merges, dependencies, descriptions, writes, objects,
)  # fmt: skip


def create_app(
    store: Store,
    *,
    job_delay: float = 0.0,
    faults: Faults | None = None,
    remote_servers: Sequence[str] = REMOTE_SERVERS,
) -> Starlette:
    """The sandbox over a store, as an ASGI application.

    Parameters:
        store: the database, of the version that it says; the caller closes it.
        job_delay: seconds until a job that waits for the scheduler (`jobs.WAITING`) starts.
        faults: trouble on purpose, in front of everything else.
        remote_servers: where routes may lead, `*` for anything.
    """
    server = Server(store, job_delay, remote_servers)
    app = Starlette(
        routes=[Routes([route for area in AREAS for route in area.routes(server)])],
        middleware=[
            *([Middleware(Troubled, faults=faults)] if faults is not None else []),
            Middleware(WithoutVersion, version=store.version),
            Middleware(Replayed, aliases=server.aliases),
            Middleware(SignedIn, signin=server.signin),
            Middleware(Heeded, minor=store.version.minor),
        ],
        exception_handlers={Refused: _refused, Exception: _failed},
    )
    app.state.jobs, app.state.server = server.jobs, server
    return app


async def _failed(request: Request, error: Exception) -> Response:
    """A fault of the sandbox's own, in its own words: no server is said to answer so."""
    text = f"the sandbox failed at {request.method} {request.url.path} ({type(error).__name__}); no server answers so"
    return refusal(Refused(500, text))


async def _refused(request: Request, error: Exception) -> Response:
    """What a handler refuses by raising."""
    minor = cast("Server", request.app.state.server).store.version.minor
    return refusal(unanswered(cast("Refused", error), minor, request.method, request.url.path), minor)


class Counted:
    """An application that knows whether it is at work: its threads read a database until then, whoever still listens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, to its end also where whoever asked has gone: no thread can be stopped."""
        answering = asyncio.ensure_future(self._answer(scope, receive, send))
        self._running.add(answering)
        answering.add_done_callback(self._done)
        await asyncio.shield(answering)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _done(self, answering: asyncio.Future[None]) -> None:
        self._running.discard(answering)
        if not answering.cancelled():
            answering.exception()  # whoever asked has it, or has gone

    async def ended(self, seconds: float) -> bool:
        """Wait until no request is being answered; False where one still is after so long."""
        return not self._running or not (await asyncio.wait({*self._running}, timeout=seconds))[1]
