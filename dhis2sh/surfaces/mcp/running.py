"""Running verbs for an agent, which cannot be asked half-way: a plan that wants a yes waits for its id. Imported with the first call."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh import index
from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.attempts import attempt
from dhis2sh.changes.consent import Consent, production_of
from dhis2sh.changes.plan import Plan
from dhis2sh.errors import Dhis2Error, NeedsConfirmation, OutOfDate, UsageError
from dhis2sh.person import Nobody
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.surfaces import commands
from dhis2sh.surfaces.mcp import results
from dhis2sh.verbs.options import Options, for_agents
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

if TYPE_CHECKING:
    from dhis2sh.surfaces.mcp.folders import Folders
    from dhis2sh.types import JsonObject
    from dhis2sh.verbs.declaration import Verb

MOST_PLANS = 50
MOST_TOLD = 20
"""What was said beside one answer; the rest is counted."""
LONGEST_TOLD = 1_000
"""Characters of each."""


class Agent(Nobody):
    """An agent reads, beside an answer, all that a person at a terminal is told of it: warnings, and notes as well."""

    def note(self, message: str) -> None:
        """Keep a note; an answer without what it leaves out would be taken for the whole."""
        self.warn(message)

    def told(self) -> list[str]:
        """Everything that was said, each once, warnings and notes as they came; of very much, that there is more."""
        said = list(dict.fromkeys(commands.carried(message) for message in self.warnings))
        told = [text if len(text) <= LONGEST_TOLD else f"{text[: LONGEST_TOLD - 1]}…" for text in said[:MOST_TOLD]]
        return told if len(said) <= MOST_TOLD else [*told, f"{len(said) - MOST_TOLD:,} more of these were left out"]


class Call(NamedTuple):
    """What an agent asked for: a verb, with which arguments, on which profile."""

    verb: Verb
    arguments: Mapping[str, object]
    profile: str | None


class Kept(NamedTuple):
    """A plan that waits for its id, and the call that it was made for."""

    call: Call
    plan: Plan


class Runner:
    """Runs each call in a session of its own; keeps plans that wait for their id.

    Parameters:
        folders: where files may be read and written.
        read_only: refuse everything but reads, whatever else is asked for.
        persons: show rows of persons.
    """

    def __init__(self, folders: Folders, *, read_only: bool = False, persons: bool = False) -> None:
        self._folders = folders
        self._read_only, self._persons = read_only, persons
        self._plans: OrderedDict[str, Kept] = OrderedDict()

    async def run(
        self,
        path: str,
        arguments: Mapping[str, object],
        profile: str | None,
        effect: str,
        consent: Mapping[str, object],
    ) -> JsonObject:
        """Run a verb, as `Tools.run` says. Raises our errors, with what the verb warned of as their notes."""
        verb, agent = find(path), Agent()
        if "mcp" in verb.left_out:
            raise UsageError(f"{verb.path} is not offered to agents: {verb.left_out['mcp']}")
        if self._read_only and verb.effect != "read":
            told = f"{verb.path} has the effect '{verb.effect}', and this server is read-only: nothing was written"
            raise UsageError(told, hint="whoever starts it leaves --read-only out: dhis2-mcp")
        session = Session(cast("str | None", Options.profile.checked(profile)), person=agent)
        session.on_written, session.persons = index.follow, self._persons
        with commands.of_profile(session.chosen):
            try:
                with attempt(session, verb, Consent(dry_run=consent.get("dry_run") is True)):
                    call, said = self._understood(session, verb, arguments, effect, consent)
                answer = await self._answer(session, call, said)
            except Dhis2Error as error:
                commands.carry(error)
                for told in agent.told():
                    error.add_note(told)
                raise
            finally:
                await session.aclose()
            if told := agent.told():
                answer["warnings"] = [*told]
            return answer if effect == "read" else cast("JsonObject", commands.carried_in(answer))

    def _understood(
        self, session: Session, verb: Verb, arguments: Mapping[str, object], effect: str, consent: Mapping[str, object]
    ) -> tuple[Call, Options]:
        """What an agent asked for, as far as it may. Raises our errors."""
        if verb.effect != effect:
            raise UsageError(f"{verb.path} has the effect '{verb.effect}'", hint=f"call {verb.effect} instead")
        options = for_agents(effect)
        if unknown := next((name for name in consent if name not in options), None):
            raise UsageError(f"{effect} has no parameter '{unknown}'", hint=f"it takes: {', '.join(options)}")
        said = Options({name: options[name].checked(value) for name, value in consent.items()})
        for param in (param for param in verb.params if not param.for_agents):
            if param.name in arguments or param.name.rstrip("_") in arguments:
                raise UsageError(f"{param.name} of {verb.path} is not for agents", hint="leave it out")
        call = Call(verb, self._folders.checked(verb, arguments), session.chosen)
        if verb.persons:
            session.show_persons(verb.path)
        if said.plan_id is not None:
            kept = self._kept(call, said.plan_id)
            if said.skip is None:  # a file that it writes may have come meanwhile
                self._folders.checked(verb, kept.call.arguments)
        return call, said

    async def proxied(
        self,
        path: str,
        arguments: Mapping[str, object],
        profile: str | None,
        effect: str,
        consent: Mapping[str, object],
    ) -> JsonObject:
        """Run a verb, as `Tools.proxied` says. Raises our errors."""
        own, said = dict(arguments), dict(consent)
        return await self.run(path, own, self._beside(path, own, effect, said, profile), effect, said)

    async def _answer(self, session: Session, call: Call, said: Options) -> JsonObject:
        skip = max(0, said.skip or 0)
        if call.verb.effect == "read":
            result = await run(session, call.verb, call.arguments)
            commands.keep(result)
            if isinstance(result, Stream):
                return await results.of_stream(cast("Stream[object]", result), skip, results.narrower(call.verb))
            return results.of_verb(result, skip, results.narrower(call.verb))
        if said.plan_id is None:
            return await self._planned(session, call, dry_run=said.dry_run)
        if said.skip is not None:
            kept = self._kept(call, said.plan_id)
            return self._shown(session, kept, said.plan_id, skip)
        return await self._apply(session, call, said.plan_id, said.confirm)

    async def _planned(self, session: Session, call: Call, *, dry_run: bool) -> JsonObject:
        """Write what the door lets through without a yes or a name; of whatever else give the plan, and the id that says it.

        So a single object is written at once, but not on a production profile: `confirm` counts only beside a plan's id.
        """
        try:
            done = await run(session, call.verb, call.arguments, Consent(dry_run=dry_run, later=True))
        except NeedsConfirmation as waiting:
            done = waiting.plan
        if not isinstance(done, Plan):
            return results.of_write(done)
        plan = done
        if plan.blocked is not None or not plan.steps:
            return results.of_plan(plan)
        plan_id = secrets.token_hex(8)
        self._plans[plan_id] = Kept(call, plan)
        while len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)
        return self._shown(session, self._plans[plan_id], plan_id, 0)

    def _shown(self, session: Session, kept: Kept, plan_id: str, skip: int) -> JsonObject:
        name = production_of(session, kept.plan)
        named = f" and confirm='{name}', since that is a production profile" if name is not None else ""
        how = f"the same call with plan_id{named}"
        return results.of_plan(kept.plan, skip=skip, plan_id=plan_id, apply=how)

    def _kept(self, call: Call, plan_id: str) -> Kept:
        kept = self._plans.get(plan_id)
        if kept is None or (kept.call.verb.path, kept.call.profile) != (call.verb.path, call.profile):
            on = f" on '{call.profile}'" if call.profile else ""
            raise UsageError(
                f"there is no plan '{plan_id}' of {call.verb.path}{on}",
                hint=f"call {call.verb.effect} without plan_id first; a plan is applied once, and on the same profile",
            )
        return kept

    async def _apply(self, session: Session, call: Call, plan_id: str, confirm: str | None) -> JsonObject:
        kept = self._kept(call, plan_id)
        del self._plans[plan_id]
        try:
            done = await apply_plan(session, call.verb, kept.plan, Consent(yes=True, confirm=confirm, later=True))
        except NeedsConfirmation:
            self._plans[plan_id] = kept  # it waits for the call that names the profile
            name = production_of(session, kept.plan)
            raise UsageError(f"'{name}' is a production profile", hint=f"pass confirm='{name}' to write") from None
        except OutOfDate as error:
            session.person.warn(f"{error.message}: this is the plan for how things are now, with an id of its own")
            return await self._planned(session, kept.call, dry_run=True)
        return results.of_write(done)

    def _beside(
        self, path: str, arguments: dict[str, object], effect: str, consent: dict[str, object], profile: str | None
    ) -> str | None:
        """Take the common options (`profile`, `dry_run`, `plan_id`, ...) out of a verb's arguments, where agents often put them.

        Parameters:
            path: the verb's path; one that has a parameter of that name keeps it.
            arguments: those of the verb; consent: what stood beside them. Both are changed.
            profile: what stood beside them.

        Returns the profile to act on. Raises `UsageError` where both places say something, and not the same.
        """
        taken = {param.name for param in find(path).params}
        for name in for_agents(effect):
            if name not in arguments or name in taken:
                continue
            inside, beside = arguments.pop(name), profile if name == "profile" else consent.get(name)
            if beside is not None and beside != inside:
                raise UsageError(f"{name} is {beside!r} beside arguments and {inside!r} inside", hint="say it once")
            if name == "profile":
                profile = cast("str | None", inside)
            else:
                consent[name] = inside
        return profile
