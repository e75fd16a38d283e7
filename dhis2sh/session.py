"""What a verb gets: the active profile, its client, the name index and a reporter. And the one way to run a verb."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from dhis2sh import profiles
from dhis2sh.errors import ConfigError, Declined, Forbidden, NeedsConfirmation, PartlyDone, Refused, UsageError
from dhis2sh.profiles import Active, Profile

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.client.retry import RetryRule
    from dhis2sh.client.settings import Limits
    from dhis2sh.client.tracing import Tracer
    from dhis2sh.results import Plan, WriteSummary
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.verbs import Verb


class Reporter(Protocol):
    """Where a verb's talk goes; results never do."""

    def warn(self, message: str) -> None:
        """Something the user should know before trusting the result."""
        ...

    def note(self, message: str) -> None:
        """Something that has happened."""
        ...

    def progress(self, task: str, done: int, total: int | None) -> None:
        """How far long work has come."""
        ...


class SilentReporter:
    """Keeps warnings for whoever asks (MCP, tests)."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)

    def note(self, message: str) -> None:
        """Notes are not kept."""

    def progress(self, task: str, done: int, total: int | None) -> None:
        """Progress is not kept."""


@dataclass(slots=True)
class Consent:
    """What the user has agreed to, and how to ask for the rest.

    Parameters:
        dry_run: show the plan, write nothing.
        yes: apply without asking.
        confirm: the name of the production profile, typed out.
        journal: write down what changes, so that it can be taken back (`dhis2sh.journal`).
        ask: asks on a terminal (`ask(plan, name)`: with a name, that name must be typed); None where nobody can answer.
    """

    dry_run: bool = False
    yes: bool = False
    confirm: str | None = None
    journal: bool = True
    ask: Callable[[Plan, str | None], bool] | None = None


class Session:
    """One user's view of one server. Made cheaply: the profile is read at once, the client on first use.

    Parameters:
        profile: the name that `--profile` gave, or None for the active one.
        reporter: where talk goes.
        tracer: writes requests down (`--debug`).
        retry, limits: how patiently, otherwise than the profile says.

    A surface with a person before it sets `can_ask`, catches `NeedsSecret`, and runs the verb again with `given_secret`.
    """

    def __init__(
        self,
        profile: str | None = None,
        *,
        reporter: Reporter | None = None,
        tracer: Tracer | None = None,
        retry: RetryRule | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._chosen = profile
        self._retry, self._limits = retry, limits
        self.reporter: Reporter = reporter or SilentReporter()
        self.can_ask = False
        self.given_secret: str | None = None
        self.tracer = tracer
        self._active: Active | None = None
        self._client: Client | None = None
        self._store: Store | None = None
        self.chooser: Callable[[str, Sequence[str]], str | None] | None = None
        """Lets the user choose one of several words, asked about a text; None where nobody can."""
        self.editor: Callable[[str], str] | None = None
        """Lets the user edit a text and gives what was left; None where nobody can."""
        self.stdin: Callable[[], str] | None = None
        """Reads standard input to its end, for a file called `-`; None where it is not the user's (a shell, MCP)."""

    @property
    def active(self) -> Active:
        """The active profile and why. Raises `ConfigError`, `NotFound`."""
        if self._active is None:
            self._active = profiles.active(self._chosen)
        return self._active

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
        from dhis2sh.client.client import Client
        from dhis2sh.client.known import Known

        app: object | None = None
        if profile.embedded:
            from dhis2sh.sandbox.app import create_app

            app = create_app(self.sandbox_store())
        settings = profile.settings()
        return Client(
            self._limits.applied(settings) if self._limits else settings,
            profile.sign_in(),
            asgi_app=app,
            tracer=self.tracer,
            retry=self._retry,
            known=None if profile.embedded else Known(profile.name, profile.url),
            warn=self.reporter.warn,
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
            from dhis2sh.sandbox.areas import open_store

            name = self.sandbox
            path = profiles.sandbox_file(name)
            if name != profiles.SANDBOX and not path.exists():
                self.reporter.note(f"{name} is a new sandbox and empty")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._store = open_store(path)
        return self._store

    @asynccontextmanager
    async def beside(self, name: str) -> AsyncGenerator[Session]:
        """A session on another profile, for verbs that compare or move; it shares the reporter and is closed after."""
        if name == (self.bound or self._chosen):
            yield self
            return
        other = Session(name, reporter=self.reporter, tracer=self.tracer)
        try:
            yield other
        finally:
            await other.aclose()

    async def use(self, name: str | None) -> Profile:
        """Bind another profile in place; the old client is closed."""
        found = profiles.active(name)
        await self.aclose()
        self._chosen, self._active = name, found
        return found.profile

    async def aclose(self) -> None:
        """Close the client and the sandbox's file."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        if self._store is not None:
            self._store.close()
            self._store = None

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
    session = Session(profile, reporter=_Warnings(), tracer=tracer, retry=retry, limits=limits)
    try:
        yield session.client
    finally:
        await session.aclose()


class _Warnings(SilentReporter):
    """Warnings as Python's own, for scripts."""

    def warn(self, message: str) -> None:
        """Warn by `warnings.warn`."""
        warnings.warn(message, stacklevel=2)


async def run(session: Session, verb: Verb, arguments: Mapping[str, object], consent: Consent | None = None) -> object:
    """Run a verb: the one path that every surface takes.

    Parameters:
        session: profile and client.
        verb: the verb.
        arguments: by parameter name, as JSON or Python values.
        consent: for writes and destroying verbs.

    Returns the verb's result; for a dry run the `Plan`.

    Raises `UsageError` for bad arguments, `NeedsConfirmation` when a plan waits for a yes, and whatever the verb raises.
    """
    with _refusals_kept(session):
        return await _run(session, verb, verb.bind(arguments), consent or Consent())


@contextmanager
def _refusals_kept(session: Session) -> Generator[None]:
    """What a server refuses inside is kept for `explain`."""
    try:
        yield
    except (Refused, Forbidden, PartlyDone) as error:
        from dhis2sh import refusals

        refusals.keep(error, session.bound)
        raise


async def _run(session: Session, verb: Verb, bound: Mapping[str, object], consent: Consent) -> object:
    from dhis2sh.client.requests import effect_scope

    if any(param.refers for param in verb.params):
        from dhis2sh import names

        with effect_scope("read"):
            bound = await names.resolve_arguments(session, verb, bound)
    if verb.effect == "read":
        with effect_scope("read"):
            return stamped(await verb.function(session, **bound), session, verb)
    with effect_scope("read"):
        plan = cast("Plan", await verb.function(session, **bound))
        if not plan.local and (consent.dry_run or _must_ask(verb, plan, consent)):
            from dhis2sh import names

            await names.tell(session, plan)
    plan.verb = verb.path
    plan.journal = consent.journal
    if consent.dry_run:
        return plan
    if plan.blocked is not None:
        for note in plan.notes:
            session.reporter.warn(note)
        raise plan.blocked
    _require_consent(session, verb, plan, consent)
    return await apply_plan(session, verb, plan)


async def apply_plan(session: Session, verb: Verb, plan: Plan) -> object:
    """Carry out a plan that somebody has confirmed: the one place that every write passes.

    What it is about to change is in the journal of the profile before the first request, and how it ended afterwards.

    Raises `PartlyDone` when the server refused some of the objects, and whatever the verb raises.
    """
    from dhis2sh.client.requests import effect_scope
    from dhis2sh.journal import recording
    from dhis2sh.results import WriteSummary

    if verb.apply is None:
        raise UsageError(f"{verb.path} has nothing to apply")
    with _refusals_kept(session):
        with effect_scope("write"), recording(session, plan) as entry:
            result = await verb.apply(session, plan)
            entry.finish(result if isinstance(result, WriteSummary) else WriteSummary(plan.title))
        return _whole(result) if isinstance(result, WriteSummary) else stamped(result, session, verb)


def _whole(summary: WriteSummary) -> WriteSummary:
    """A summary without refusals. A 200 of the server with ignored objects is no success here."""
    if not summary.failures:
        return summary
    first = summary.failures[0]
    what = f"{first.get('name') or first.get('uid') or first.get('type')}: {first.get('message')}"
    more = f" (and {len(summary.failures) - 1:,} more)" if len(summary.failures) > 1 else ""
    code = cast("str | None", first.get("code"))
    if summary.created or summary.updated or summary.deleted:
        raise PartlyDone(
            f"{summary.line()}; {len(summary.failures):,} refused: {what}{more}",
            summary=summary,
            hint="dhis2 journal show",
        )
    raise Refused(f"nothing was written: {what}{more}", code=code, envelope=summary.envelope, hint="dhis2 explain")


def production_of(session: Session, plan: Plan) -> str | None:
    """The name of the production profile that a plan writes to, which somebody must type; None for any other."""
    if plan.local:
        return None
    target = plan.target or session.profile
    return target.name if target.production else None


def _must_ask(verb: Verb, plan: Plan, consent: Consent) -> bool:
    """Does a plan wait for a yes that has not been given? What destroys, many objects at once, and what was only edited."""
    return bool(plan.steps) and not consent.yes and (verb.effect == "destroy" or len(plan.steps) > 1 or plan.asks)


def _require_consent(session: Session, verb: Verb, plan: Plan, consent: Consent) -> None:
    production = production_of(session, plan)
    if production is not None:
        if consent.confirm == production:
            return None
        if consent.ask is not None and consent.confirm is None:
            return _ask(consent.ask, plan, production)
        raise NeedsConfirmation(
            f"'{production}' is a production profile: nothing was written",
            plan=plan,
            hint=f"add --confirm {production} to write",
        )
    if not _must_ask(verb, plan, consent):
        return None
    if consent.ask is not None:
        return _ask(consent.ask, plan, None)
    raise NeedsConfirmation(f"{plan.title}: nothing was written", plan=plan, hint="add --yes to apply this plan")


def _ask(ask: Callable[[Plan, str | None], bool], plan: Plan, production: str | None) -> None:
    if not ask(plan, production):
        raise Declined(plan.title)


def stamped(result: object, session: Session, verb: Verb) -> object:
    """Rows know where they came from."""
    from dhis2sh.results import Rows

    if isinstance(result, Rows):
        rows = cast("Rows[object]", result)
        name = session.bound or ""
        rows.with_provenance(verb=verb.path, profile=name, at=dt.datetime.now(dt.UTC))
    return cast("object", result)
