"""What every handler works on: one store, and how objects are shown to whoever asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.http.aliases import Aliases
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.jobs.service import JobService, initiated
from dhis2sh.sandbox.metadata.listing import DEFAULTS
from dhis2sh.sandbox.metadata.render import Renderer
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.people.signin import SignIn
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.tracker.storage import Tracker

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dhis2sh.models.facts import Resource
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject


type Draw = Callable[[str, str, dict[str, str]], Awaitable[str]]
"""Draws what a page shows, as HTML: the kind (`visualization`, `map`), its UID, and the headers of who looks. Raises `Refused`."""
REMOTE_SERVERS = ("https://*",)
"""Where a server lets routes lead unless it is configured otherwise."""


@dataclass(slots=True)
class Server:
    """One embedded DHIS2. The handlers of `routes/` are methods of classes that hold one.

    Parameters:
        store: the database; the caller closes it.
        job_delay: seconds until a job that waits for the scheduler starts.
        remote_servers: where routes may lead, `*` for anything (`route.remote_servers_allowed` of a server).
    """

    store: Store
    job_delay: float = 0.0
    remote_servers: Sequence[str] = REMOTE_SERVERS
    jobs: JobService = field(init=False)
    tracker: Tracker = field(init=False)
    signin: SignIn = field(init=False)
    aliases: Aliases = field(default_factory=Aliases, init=False)
    draw: Draw | None = field(default=None, init=False)
    """Draws what the sandbox's own pages show; set by who serves it."""

    def __post_init__(self) -> None:
        self.jobs = JobService(self.store, delay=self.job_delay)
        self.tracker = Tracker(self.store)
        self.signin = SignIn(self.store)

    @property
    def version(self) -> str:
        """The full number of the server version that is mimicked."""
        return self.store.version.number

    def user(self, request: Request) -> JsonObject:
        """The user who asks, as owner JSON; `SignedIn` has seen to it that there is one."""
        uid = cast("str", request.scope["dhis2_user"])
        return self.store.get("users", uid) or {"id": uid}

    def demand(self, request: Request, *authorities: str) -> None:
        """Raise `Refused` with 403 unless who asks has one of these authorities."""
        if not self.rights(request).has(*authorities):
            wanted = " or ".join(authorities)
            raise Refused(403, f"Access is denied, requires one Authority from [{wanted}]", "E1006")

    def initiated(self, request: Request, config: JsonObject, location: str | None = None) -> Response:
        """The answer that says a job was started.

        Parameters:
            config: what `JobService.submit` returned.
            location: the `Location` header after the server's address; by default the job's task.
        """
        body, place = initiated(
            config, base=base_of(request), location=location, typed=self.store.version.typed_responses
        )
        return answer(body, Location=place)

    def rights(self, request: Request) -> Rights:
        """What the user who asks may do."""
        return Rights(self.store, self.user(request))

    def resource_of(self, request: Request) -> Resource | None:
        """The type that a path names; `.json` and `.csv` after it are dropped."""
        plural = request.path_params["plural"].removesuffix(".json").removesuffix(".csv")
        resource = self.store.resources.get(plural)
        return resource if resource and resource.endpoint == f"/{plural}" else None

    def renderer(self, request: Request, *, single: bool = False, gist: bool = False) -> Renderer:
        """Shows objects to this request's user, in the language that it asks for.

        Parameters:
            single: one object is shown, not a list.
            gist: the gist engine shows it, which needs no `translate=true`.
        """
        query = request.query_params
        locale = query.get("locale")
        if self.store.version.translates_unasked:
            locale = None if locale is None or "_" in locale else locale
        elif not gist and query.get("translate", "").lower() != "true":
            locale = None
        locale = locale.replace("-", "_") if locale else None
        hidden = DEFAULTS.values() if query.get("defaults", "").upper() == "EXCLUDE" else ()
        return Renderer(
            self.store, base_of(request), locale, rights=self.rights(request), single=single, hidden=hidden
        )  # fmt: skip
