"""Running verbs for an agent, which cannot be asked half-way: a plan that wants a yes waits for its id. Imported with the first call."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dhis2sh import index
from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.consent import Consent, production_of
from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import NeedsConfirmation, UsageError
from dhis2sh.person import Nobody
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.verbs.options import Options, for_agents
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

if TYPE_CHECKING:
    from dhis2sh.rows.rows import PageNote
    from dhis2sh.types import JsonObject, JsonValue, Row
    from dhis2sh.verbs.declaration import Verb

MOST_ROWS = 200
MOST_PLANS = 50


class Kept(NamedTuple):
    """A plan that waits for its id, and what it was made for."""

    verb: str
    profile: str | None
    plan: Plan


class Runner:
    """Runs each call in a session of its own; keeps plans that wait for their id.

    Parameters:
        read_only: refuse everything but reads, whatever else is asked for.
    """

    def __init__(self, *, read_only: bool = False) -> None:
        self._read_only = read_only
        self._plans: OrderedDict[str, Kept] = OrderedDict()

    async def run(
        self, path: str, arguments: Mapping[str, object], profile: str | None, effect: str, consent: Mapping[str, Any]
    ) -> JsonObject:
        """Run a verb, as `Tools.run` says. Raises our errors."""
        verb = find(path)
        if "mcp" in verb.left_out:
            raise UsageError(f"{verb.path} is not offered to agents: {verb.left_out['mcp']}")
        if verb.effect != effect:
            raise UsageError(f"{verb.path} has the effect '{verb.effect}'", hint=f"call {verb.effect} instead")
        if self._read_only and effect != "read":
            raise UsageError("this server is read-only: nothing was written")
        agent = Nobody()
        session = Session(profile, person=agent)
        session.on_written = index.follow
        try:
            answer = await self._answer(session, verb, arguments, profile, Options(consent))
        finally:
            await session.aclose()
        if agent.warnings:
            answer["warnings"] = [*agent.warnings]
        return answer

    async def proxied(
        self,
        path: str,
        arguments: Mapping[str, object],
        profile: str | None,
        effect: str,
        consent: Mapping[str, Any],
    ) -> JsonObject:
        """Run a verb, as `Tools.proxied` says. Raises our errors."""
        own, said = dict(arguments), dict(consent)
        return await self.run(path, own, self._beside(path, own, effect, said, profile), effect, said)

    async def _answer(
        self,
        session: Session,
        verb: Verb,
        arguments: Mapping[str, object],
        profile: str | None,
        said: Options,
    ) -> JsonObject:
        if verb.effect == "read":
            result = await run(session, verb, arguments)
            return await capped(cast("Stream[object]", result)) if isinstance(result, Stream) else wrapped(result)
        if said.plan_id is not None:
            return await self._apply(session, verb, profile, str(said.plan_id), said.confirm)
        # What destroys is always planned first, whatever was confirmed.
        agreed = said.having(dry_run=verb.effect == "destroy" or bool(said.dry_run)).consent()
        return await self._planned(session, verb, arguments, profile, agreed)

    async def _planned(
        self, session: Session, verb: Verb, arguments: Mapping[str, object], profile: str | None, agreed: Consent
    ) -> JsonObject:
        """Write, or where that wants a yes give the plan and the id that says it."""
        try:
            result = await run(session, verb, arguments, agreed)
        except NeedsConfirmation as waiting:
            plan = cast("Plan", waiting.plan)
            name = production_of(session, plan)
            if name is not None and agreed.confirm != name:
                raise UsageError(str(waiting), hint=f"pass confirm='{name}' to write") from None
            result = plan
        if not isinstance(result, Plan):
            return wrapped(result)
        plan_id = secrets.token_hex(8)
        self._plans[plan_id] = Kept(verb.path, profile, result)
        while len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)
        shown = wrapped(result)
        cast("JsonObject", shown["result"])["plan_id"] = plan_id
        return shown

    async def _apply(
        self, session: Session, verb: Verb, profile: str | None, plan_id: str, confirm: str | None
    ) -> JsonObject:
        kept = self._plans.get(plan_id)
        if kept is None or (kept.verb, kept.profile) != (verb.path, profile):
            raise UsageError(
                f"there is no plan '{plan_id}' of {verb.path}", hint=f"call {verb.effect} without plan_id first"
            )
        del self._plans[plan_id]
        try:
            return wrapped(await apply_plan(session, verb, kept.plan, Consent(yes=True, confirm=confirm)))
        except NeedsConfirmation:
            self._plans[plan_id] = kept  # it waits for the call that names the profile
            name = production_of(session, kept.plan)
            raise UsageError(f"'{name}' is a production profile", hint=f"pass confirm='{name}' to write") from None

    def _beside(
        self, path: str, arguments: dict[str, object], effect: str, consent: dict[str, Any], profile: str | None
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
                profile = None if inside is None else str(inside)
            else:
                consent[name] = inside
        return profile


async def capped(stream: Stream[object]) -> JsonObject:
    """The first rows of a stream as structured content; where there are more, nobody has counted them."""
    found = cast("Rows[Row]", await stream.head(MOST_ROWS + 1).collect())
    more = len(found) > MOST_ROWS
    rows: list[JsonValue] = [*found.plain()[:MOST_ROWS]]
    return {"result": rows, "truncated": more, "total": None if more else len(found)}


def wrapped(result: object) -> JsonObject:
    """A result as structured content: what `-o json` prints, capped, and whether it was."""
    value = result.to_json(MOST_ROWS) if isinstance(result, Plan) else to_json(result)
    if isinstance(result, (Plan, WriteSummary)):
        whole = cast("JsonObject", value)
        total = len(result.steps if isinstance(result, Plan) else result.uids)
        for name, items in whole.items():
            whole[name] = items[:MOST_ROWS] if isinstance(items, list) else items
        return {"result": whole, "truncated": total > MOST_ROWS, "total": total}
    if not isinstance(result, Rows):
        return {"result": value, "truncated": False, "total": None}
    rows = cast("list[JsonValue]", value)
    page = cast("PageNote | None", cast("Any", result).page)
    total = (
        page.total if page is not None else len(rows)
    )  # None: nobody has counted them, so nobody says that it is all
    more = total is None or total > len(rows) or len(rows) > MOST_ROWS
    return {"result": rows[:MOST_ROWS], "truncated": more, "total": total}
