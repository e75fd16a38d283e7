"""What goes on behind the prompt: connecting, the server's facts for the banner, and the names for completion."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from dhis2sh import index
from dhis2sh.client.known import Known, KnownServer
from dhis2sh.errors import Dhis2Error
from dhis2sh.session import Written
from dhis2sh.verbs import installed, plugin_catalogue

if TYPE_CHECKING:
    from dhis2sh.index.names import Hit, NameIndex
    from dhis2sh.profiles import Profile
    from dhis2sh.session import Session
    from dhis2sh.surfaces.ipython.bridge import Portal
    from dhis2sh.types import Row

MOST_SEEN = 100
"""Objects that were last written or shown, and come first."""
EVERY = 900.0
"""Seconds between looks for changed names while the shell is open."""


class Background:
    """Follows the session's profile: reads its server's facts and fills its name index.

    Parameters:
        session: whose profile and client.
        portal: runs the work.
    """

    def __init__(self, session: Session, portal: Portal) -> None:
        self.on = False
        """Nothing is sent before the first prompt has been drawn, and nothing by `dhis2sh -c`."""
        self.working = ""
        self.failure = ""
        self.skipped = ""
        """Which plugins are broken, and were not known to be when the shell began."""
        self.changed: Callable[[], None] = lambda: None
        self._session, self._portal = session, portal
        self._names: NameIndex | None = None
        self._indexed: tuple[str, str] | None = None
        self._followed: tuple[str, str] | None = None
        self._task: Future[None] | None = None
        self._plugins: Future[None] | None = None
        self._known: KnownServer | None = None
        self._count = 0
        self._read_at: float | None = None
        self._recent = dict[str, Written]()
        self._meanwhile = list[Written]()
        """What was written since the names were last asked for, which the answer may not know."""
        session.on_written = self._heed

    def _address(self) -> tuple[str, str] | None:
        """The profile's name and url; None where there is no profile."""
        try:
            return self._session.profile.name, self._session.profile.url
        except Dhis2Error:
            return None

    @property
    def names(self) -> NameIndex:
        """The name index of the session's profile; an empty one where there is no profile."""
        from dhis2sh.index.names import index_of  # start-up: names are looked up after the first prompt

        address = self._address() or ("", "")
        if self._names is None or self._indexed != address:
            if self._names is not None:
                self._names.close()
            self._names, self._indexed = index_of(*address), address
        return self._names

    @property
    def models(self) -> str:
        """Which facts serve the profile's server."""
        from dhis2sh.client.versions import parse_version  # start-up: asked for behind the prompt
        from dhis2sh.verbs.completion import NEWEST  # start-up: as above

        return parse_version(self._known.version).models if self._known else NEWEST

    def follow(self) -> None:
        """Begin the work for the session's profile, unless it is done already; the work for another one ends."""
        address = self._address()
        if not self.on or address == self._followed:
            return
        self.stop()
        self._followed = address
        if installed.declared() and not self._plugins:
            self._plugins = self._portal.submit(self._know_plugins())
        if address is not None:
            self._task = self._portal.submit(self._work(Known(*address), self.names))

    async def _know_plugins(self) -> None:
        """Find out what new plugins declare, so that no Tab waits for it."""
        known = plugin_catalogue.known_broken()
        new = [one.plugin.domain for one in await asyncio.to_thread(plugin_catalogue.broken) if one not in known]
        self.skipped = f"skipped: {', '.join(new)} (dev plugin list says why)" if new else ""
        self.changed()

    def stop(self) -> None:
        """End the work."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._known, self.working, self.failure = None, None, "", ""
        self._count, self._read_at = 0, None

    def close(self) -> None:
        """End the work and close the index."""
        self.stop()
        if self._names is not None:
            self._names.close()

    def _heed(self, profile: Profile, objects: Sequence[Written] | None) -> None:
        """What a line has written is offered at once; where anything may have changed, all names are read again."""
        if (profile.name, profile.url) != self._address() or not self.on:
            index.follow(profile, objects)
            return
        from dhis2sh.index.written import heed  # start-up: most lines write nothing

        heed(self.names, objects)
        self._look(self.names)
        if objects is None:
            self.again()
        else:
            self._meanwhile += objects
            self._remember(objects)

    def seen(self, plural: str, rows: Sequence[Row]) -> None:
        """What stands on the screen is offered too, be it new or not read yet.

        Parameters:
            plural: the type.
            rows: what was shown of it; those without a name are left out.
        """
        found = [row for row in rows[:MOST_SEEN] if row.get("id") and (row.get("name") or row.get("displayName"))]
        if not found or not self.on:
            return
        from dhis2sh.index.refresh import hit_of  # start-up: after the first line

        hits = [hit_of(plural, row) for row in found]
        known = self.names.known([hit.uid for hit in hits])
        new = [hit for hit in hits if hit.uid not in known]
        if new:
            self.names.put(plural, new)
        self._remember([Written(plural, hit.uid, hit.name, hit.code, gone=False) for hit in hits])

    def _remember(self, objects: Sequence[Written]) -> None:
        for item in objects[-MOST_SEEN:]:
            self._recent.pop(item.uid, None)
            self._recent[item.uid] = item
        for uid in list(self._recent)[:-MOST_SEEN]:
            del self._recent[uid]

    def find(self, text: str, plural: str | None, limit: int) -> list[Hit]:
        """Objects for completion; where nothing is typed yet, those that were last written or shown come first."""
        types = [plural] if plural else []
        found = self.names.search(text, types=types, limit=limit)
        if text.strip():
            return found
        last = [item.uid for item in reversed(self._recent.values()) if not item.gone and plural in (None, item.plural)]
        known = self.names.known(last)
        first = [known[uid] for uid in last if uid in known]
        return [*first, *(hit for hit in found if hit.uid not in known)][:limit]

    def again(self) -> None:
        """Read the names again, now."""
        self._followed = None
        self.follow()

    async def _work(self, kept: Known, names: NameIndex) -> None:
        self._known = await asyncio.to_thread(kept.read, stale=True)
        await asyncio.to_thread(self._look, names)
        while True:
            try:
                await self._connect(kept)
                await self._read(names)
                self.failure = ""
            except* Dhis2Error as failed:
                self.failure = "offline" if names.count() else _first(failed)
            except* OSError as failed:
                self.failure = _first(failed)
            self._say("")
            await asyncio.to_thread(
                import_module, "dhis2sh.surfaces.ipython.running"
            )  # so that the first line is quick
            await asyncio.sleep(EVERY)

    async def _connect(self, kept: Known) -> None:
        """Reach the server and sign in; what it says of itself is kept for the next banner."""
        self._say("connecting")
        client = self._session.client
        version = await client.version()
        me = await client.get_object("me", {"fields": "username"})
        known = await asyncio.to_thread(kept.read, stale=True) or KnownServer(
            kept.url, str(version), read_at=time.time()
        )
        self._known = replace(known, version=str(version), username=str(me.get("username")))
        await asyncio.to_thread(kept.write, self._known)

    async def _read(self, names: NameIndex) -> None:
        import sqlite3

        from dhis2sh.index.refresh import refresh  # start-up: works behind the prompt, over httpx
        from dhis2sh.index.written import heed  # start-up: as above

        def progress(done: int, total: int) -> None:
            self._say(f"reading names {done} of {total}")

        self._meanwhile.clear()
        try:
            await refresh(names, self._session.client, progress)
        except* sqlite3.Error as failed:
            raise OSError(f"names: {_first(failed)}") from None
        if self._meanwhile:
            await asyncio.to_thread(heed, names, [*self._meanwhile])
        await asyncio.to_thread(self._look, names)

    def _look(self, names: NameIndex) -> None:
        self._count, self._read_at = names.count(), names.refreshed_at()

    def _say(self, text: str) -> None:
        self.working = text
        self.changed()

    def status(self) -> str:
        """For the toolbar: how many names are known, how old they are, and what is being done."""
        parts: list[str] = []
        if self._known is not None:
            parts.append(f"DHIS2 {self._known.version}")
        if self._read_at is not None:
            parts.append(f"{self._count:,} names, {age(time.time() - self._read_at)}")
        parts += [part for part in (self.working, self.failure, self.skipped) if part]
        return " · ".join(parts)


def age(seconds: float) -> str:
    """How long ago, in one unit."""
    if seconds < 60:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} old"
    return "just now"


def _first(failed: BaseExceptionGroup[Any]) -> str:
    error: Any = failed
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[Any]", error).exceptions[0]
    return str(error)
