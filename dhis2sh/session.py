"""What a verb gets: the active profile, its client, and who is there to be told and asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from dhis2sh import profiles
from dhis2sh.errors import ConfigError, Forbidden
from dhis2sh.person import Nobody, Person, Script
from dhis2sh.profiles import Active, Profile

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.client.retry import RetryRule
    from dhis2sh.client.settings import Limits
    from dhis2sh.client.tracing import Tracer
    from dhis2sh.sandbox.app import Counted
    from dhis2sh.sandbox.store.database import Store


AT_WORK = 10.0
"""Seconds that the embedded sandbox gets to end what it is at; its file stays open beyond them."""


class Written(NamedTuple):
    """An object that a write has created, changed or deleted; its name and code where the write said them."""

    plural: str
    uid: str
    name: str | None
    code: str | None
    gone: bool


class Session:
    """One user's view of one server. Made cheaply: the profile is read at once, the client on first use.

    Parameters:
        profile: the name that `--profile` gave, or None for the active one.
        person: who is told and asked; nobody when None.
        tracer: writes requests down (`--debug`).
        retry, limits: how patiently, otherwise than the profile says.
        lasting: it goes on after this line or call: a shell, a notebook.
    """

    def __init__(
        self,
        profile: str | None = None,
        *,
        person: Person | None = None,
        tracer: Tracer | None = None,
        retry: RetryRule | None = None,
        limits: Limits | None = None,
        lasting: bool = False,
    ) -> None:
        self.lasting = lasting
        self.persons = True
        """May rows of persons be shown? To agents only where whoever started their server allows it."""
        self._chosen = profile
        self._retry, self._limits = retry, limits
        self.person: Person = person or Nobody()
        self.tracer = tracer
        self.on_written: Callable[[Profile, Sequence[Written] | None], None] | None = None
        """Told what writes have changed; None where anything may have, as when a sandbox is filled from a file."""
        self._active: Active | None = None
        self._client: Client | None = None
        self._store: Store | None = None
        self._served: Counted | None = None

    @property
    def active(self) -> Active:
        """The active profile and why. Raises `ConfigError`, `NotFound`."""
        if self._active is None:
            self._active = profiles.active(self._chosen)
        return self._active

    @property
    def chosen(self) -> str | None:
        """The profile's name where somebody has named it for this session; None for the active one."""
        return self._chosen

    @property
    def bound(self) -> str | None:
        """The profile's name where a verb has already asked for it; never looks for one."""
        return self._active.profile.name if self._active else None

    @property
    def profile(self) -> Profile:
        """The active profile."""
        return self.active.profile

    @property
    def client(self) -> Client:
        """The client of the active profile."""
        if self._client is None:
            self._client = self._connect(self.profile)
        return self._client

    def _connect(self, profile: Profile) -> Client:
        from dhis2sh.client.client import Client  # start-up: httpx
        from dhis2sh.client.known import Known  # start-up: of no use without a client

        app: object | None = None
        if profile.embedded:
            from dhis2sh.sandbox.app import Counted, create_app  # heavy: the embedded server

            app = self._served = Counted(create_app(self.sandbox_store()))
        settings = profile.settings()
        return Client(
            self._limits.applied(settings) if self._limits else settings,
            profile.sign_in(),
            asgi_app=app,
            tracer=self.tracer,
            retry=self._retry,
            known=None if profile.embedded else Known(profile.name, profile.url),
            warn=self.person.warn,
        )

    def show_persons(self, what: str) -> None:
        """Raise `Forbidden` where rows of persons may not be shown.

        Parameters:
            what: what would show them.
        """
        if not self.persons:
            raise Forbidden(
                f"{what} shows what persons have, and this server was started without --person-data",
                hint="data tracker count and data tracker outstanding give numbers; "
                "whoever starts the server adds: dhis2-mcp --person-data",
            )

    @property
    def sandbox(self) -> str:
        """The sandbox to act on, by its profile's name: the active profile where it is one, else the one always there."""
        try:
            return self.profile.name if self.profile.embedded else profiles.SANDBOX
        except ConfigError:
            return profiles.SANDBOX

    def sandbox_store(self) -> Store:
        """The sandbox's database in the data folder, opened on first use."""
        if self._store is None:
            from dhis2sh.sandbox.areas import open_store  # heavy: the embedded server

            name = self.sandbox
            path = profiles.sandbox_file(name)
            if name != profiles.SANDBOX and not path.exists():
                self.person.note(f"{name} is a new sandbox and empty")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._store = open_store(path)
        return self._store

    def written(self, objects: Sequence[Written] | None, profile: Profile | None = None) -> None:
        """Tell who follows what a write has changed; None where anything may have.

        Parameters:
            profile: whose server it is; the session's without it.
        """
        if self.on_written is not None and (objects is None or objects):
            self.on_written(profile or self.profile, objects)

    @asynccontextmanager
    async def beside(self, name: str) -> AsyncGenerator[Session]:
        """A session on another profile, for verbs that compare or move; it shares the person and is closed after."""
        if name == (self.bound or self._chosen):
            yield self
            return
        other = Session(name, person=self.person, tracer=self.tracer)
        other.on_written, other.persons = self.on_written, self.persons
        try:
            yield other
        finally:
            await other.aclose()

    async def use(self, name: str | None) -> Profile:
        """Bind another profile in place, for as long as this session lasts; the old client is closed."""
        found = profiles.active(name)
        await self.aclose()
        self._chosen, self._active = name, found
        return found.profile

    async def aclose(self) -> None:
        """Close the client and the sandbox's file, after its jobs are done."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        if self._store is not None:
            store, served = self._store, self._served
            self._store = self._served = None
            try:
                await self._work_done(store)
            finally:
                # A stream that was cut may have asked for more, and a thread that reads a closed database ends the process.
                if served is None or await served.ended(AT_WORK):
                    store.close()

    async def _work_done(self, store: Store) -> None:
        """Wait for the jobs that the embedded server runs in this process: with it they would end unfinished."""
        since, told = time.monotonic(), False
        while working := store.working():
            if not told and time.monotonic() - since > 1:
                told = True
                self.person.step(f"waiting for {', '.join(working)}: this process runs it; Ctrl-C stops it")
            await asyncio.sleep(0.02)

    def __repr__(self) -> str:
        return f"<session on {self.bound or self._chosen or 'the active profile'}>"


@asynccontextmanager
async def open_client(
    profile: str | None = None,
    *,
    retry: RetryRule | None = None,
    limits: Limits | None = None,
    tracer: Tracer | None = None,
) -> AsyncGenerator[Client]:
    """A client for a script, without a shell: profiles, secrets and limits as everywhere else.

        async with open_client("prod", limits=Limits(read_timeout=300)) as client:
            async for unit in client.iter("organisationUnits"):
                print(unit["displayName"])

    Parameters:
        profile: its name, or None for the active one; `sandbox` is the embedded server.
        retry: how often to send again, and how patiently.
        limits: time limits and connections, otherwise than the profile says.
        tracer: writes a line per request.

    What a shell would warn of is a Python warning. Raises `ConfigError` and `NotFound` for the profile.
    """
    session = Session(profile, person=Script(), tracer=tracer, retry=retry, limits=limits)
    try:
        yield session.client
    finally:
        await session.aclose()
