"""Running a verb: the one path that every surface takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.apply import apply_plan, nothing_written, refusals_kept
from dhis2sh.changes.attempts import attempt
from dhis2sh.changes.consent import Consent, is_shown
from dhis2sh.changes.own_account import look_for_own_account
from dhis2sh.changes.trusting import trusting
from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import Declined, Dhis2Error, NotFound, NotWritten, Refused, UsageError, of_full_disk
from dhis2sh.project_files import UntrustedFile
from dhis2sh.rows.rows import stamped
from dhis2sh.rows.stream import Stream
from dhis2sh.show import offer
from dhis2sh.verbs import names
from dhis2sh.verbs.installed import SHIPPED

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session
    from dhis2sh.verbs.declaration import Verb

offer()  # whoever runs a verb can draw what it gives


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
    with _in_two_lines(verb), refusals_kept(session):
        agreed = consent or Consent()
        try:
            return await _run(session, verb, arguments, agreed)
        except UntrustedFile as error:  # nothing has been sent: nobody has found out where to
            if not await session.person.ask(trusting(error.file)):
                raise
            error.file.trust()
        return await _run(session, verb, arguments, agreed)


@contextmanager
def _in_two_lines(verb: Verb) -> Generator[None]:
    """What cannot be done says what to try, whoever raised it: at the least the help of the verb."""
    try:
        yield
    except Refused as error:
        error.hint = error.hint or "dhis2 explain  puts the refusal into words"
        raise
    except (UsageError, NotFound) as error:
        error.hint = error.hint or (None if isinstance(error, Declined) else f"dhis2 {verb.path} --help")
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        if full := _full(verb, error):
            raise full from error
        where = f"{error.filename}: " if error.filename else ""
        hint = "is the disk full or read-only? DHIS2SH_HOME names another folder for what dhis2sh keeps"
        raise Dhis2Error(f"{where}{error.strerror or error}", hint=hint) from error
    except RecursionError:
        hint = "objects of DHIS2 are nested a few times; look at what was given"
        raise UsageError(f"{verb.path}: something is nested too deeply", hint=hint) from None
    except Exception as error:
        if full := _full(verb, error):
            raise full from error
        if isinstance(error, Dhis2Error) or verb.domain in SHIPPED:
            raise
        told = " ".join(f"{type(error).__name__}: {error}".split())
        hint = "this is a fault of the plugin: --debug shows where, dhis2 dev plugin list  whose it is"
        raise Dhis2Error(f"the plugin '{verb.domain}' failed at {verb.path}: {told}", hint=hint) from error


def _full(verb: Verb, error: Exception) -> NotWritten | None:
    told = of_full_disk(error)
    if told is not None and verb.effect != "read":  # the same again would write it twice
        told.hint = "make room on the disk; what was done is done: dhis2 journal list"
    return told


def _reading(stream: Stream[object], session: Session, verb: Verb) -> Stream[object]:
    """A stream that a verb gave: what it asks for later is as much a read, and what is refused then is kept too."""

    @contextmanager
    def scope() -> Generator[None]:
        with refusals_kept(session), effect_scope("read"):
            yield

    stream.warn = session.person.warn
    at = dt.datetime.now(dt.UTC)
    return stream.within(scope).with_provenance(verb=verb.path, profile=session.bound or "", at=at)


async def _bound(session: Session, verb: Verb, arguments: Mapping[str, object]) -> Mapping[str, object]:
    """Arguments as the verb takes them, names of objects as UIDs."""
    bound = verb.bind(arguments)
    if not any(param.refers for param in verb.params):
        return bound
    with effect_scope("read"):
        return await names.resolve_arguments(session, verb, bound)


async def _run(session: Session, verb: Verb, arguments: Mapping[str, object], consent: Consent) -> object:
    if verb.effect == "read":
        bound = await _bound(session, verb, arguments)
        with effect_scope("read"):
            result = await verb.function(session, **bound)
        if isinstance(result, Stream):
            return _reading(cast("Stream[object]", result), session, verb)
        return stamped(result, verb=verb.path, profile=session.bound or "")
    with nothing_written(session), attempt(session, verb, consent), effect_scope("read"):
        plan = cast("Plan", await verb.function(session, **await _bound(session, verb, arguments)))
        await look_for_own_account(session, plan)
        if not plan.local and is_shown(session, plan, consent):
            await names.tell(session, plan)
    plan.verb = verb.path
    plan.journal = plan.journal and consent.journal
    if not plan.local and plan.target is None and plan.steps:
        plan.made_for = session.profile
    return await apply_plan(session, verb, plan, consent)
