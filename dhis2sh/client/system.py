"""Facts of a server that seldom change, kept for five minutes.

API source: `GET /api/system/info`, `/api/systemSettings`, `/api/me` (api-facts h.8), `/api/categoryCombos`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.client.messages import Me
from dhis2sh.errors import NotFound, did_you_mean

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.dhis2.periods import FinancialYearStart
    from dhis2sh.types import JsonObject, JsonValue

LIFETIME = 300.0
"""Seconds after which a fact is asked for again."""


class System:
    """`client.system`. Many callers at once ask the server once; what was refused is asked for again."""

    def __init__(
        self, client: Requests, *, lifetime: float = LIFETIME, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._lifetime, self._clock = lifetime, clock
        self._kept: dict[str, tuple[float, asyncio.Future[Any]]] = {}

    async def info(self) -> JsonObject:
        """Version, calendar, times of the analytics tables, ... (`/api/system/info`)."""
        return await self._fresh("info", lambda: self._client.get_object("system/info"))

    async def now(self) -> dt.datetime:
        """What time it is on the server, without a zone, as it writes moments; on this machine where it does not say."""
        told = (await self._client.get_object("system/info", {"fields": "serverDate"})).get("serverDate")
        return (dt.datetime.fromisoformat(told) if isinstance(told, str) else dt.datetime.now()).replace(tzinfo=None)

    async def settings(self) -> JsonObject:
        """All system settings (`/api/systemSettings`)."""
        return await self._fresh("settings", lambda: self._client.get_object("systemSettings"))

    async def setting(self, name: str) -> JsonValue:
        """One system setting. Raises `NotFound` when there is none of that name."""
        settings = await self.settings()
        if name not in settings:
            raise NotFound(f"there is no system setting '{name}'", hint=did_you_mean(name, list(settings)))
        return settings[name]

    async def financial_year_start(self) -> FinancialYearStart:
        """What `RelativePeriod.resolve` needs to know of the server."""
        found = (await self.settings()).get("analyticsFinancialYearStart") or "FINANCIAL_YEAR_OCTOBER"
        return cast("FinancialYearStart", found)

    async def calendar(self) -> str:
        """The server's calendar, such as `iso8601`; what `Period.parse` needs to know. Known from before, as its version."""
        return (await self._client.server()).calendar

    async def me(self) -> Me:
        """The user who is signed in."""
        return await self._fresh("me", lambda: self._client.get("me", model=Me))

    async def default_category_combo(self) -> str:
        """The UID of the category combination named `default`. Raises `NotFound` when the user may not see it."""
        return await self._fresh("default", self._default)

    async def _default(self) -> str:
        page = await self._client.list_page("categoryCombos", {"filter": "name:eq:default", "fields": "id"})
        if not page.rows:
            raise NotFound("there is no category combination 'default' that you may read", hint="dhis2 system whoami")
        return str(page.rows[0]["id"])

    def forget(self) -> None:
        """Ask for everything again."""
        self._kept.clear()

    async def _fresh[T](self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        known = self._kept.get(name)
        if known is None or self._clock() - known[0] > self._lifetime:
            known = (self._clock(), asyncio.ensure_future(ask()))
            self._kept[name] = known
        try:
            # shielded: one caller who gives up does not take the answer from the others
            return await asyncio.shield(known[1])
        except BaseException:
            if known[1].done() and self._kept.get(name) is known:
                del self._kept[name]
            raise
