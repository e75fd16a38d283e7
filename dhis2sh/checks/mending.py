"""What can be put right of what probes find: walked through with whoever is there, as one plan of exact changes.

What has no decision in it (`safe`) is planned for an agent too; what takes something away is planned where somebody said so,
by its name or step by step. What only a person can put right is told with the command that leads there.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh.changes.plan import BY_SERVER
from dhis2sh.changes.together import Together, together, undone
from dhis2sh.changes.way_back import takes_back
from dhis2sh.checks import examining, forms, formulas, kept, people, server, texts
from dhis2sh.checks.finding import rank
from dhis2sh.checks.probing import PROBES, Found, Look, items, uid_of
from dhis2sh.client import reading
from dhis2sh.errors import UsageError
from dhis2sh.instance import keyed, settings, switching
from dhis2sh.instance import people as people_of
from dhis2sh.metadata import undoing, write, writes
from dhis2sh.metadata.objects.deleting import deletion
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

type Change = Callable[[JsonObject], None]


@dataclass(frozen=True, slots=True)
class Mend:
    """What is done to an object that a check found.

    Parameters:
        does: in words, for the question.
        change: makes what changes an object, from what the probes have read; None where the object is deleted.
        safe: nothing is lost and nothing is decided by it.
    """

    does: str
    change: Callable[[Look], Awaitable[Change]] | None
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Disable:
    """An account that a check found is disabled."""

    does: str = "disable the account"
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """A setting that a check found gets another value.

    Parameters:
        pair: `name=value`.
    """

    does: str
    pair: str
    safe: bool = False


@dataclass(slots=True)
class Mended(Together):
    """The writer: objects, accounts and settings in one entry of the journal."""

    name: ClassVar[str] = "mended"


def _always(change: Change) -> Callable[[Look], Awaitable[Change]]:
    async def made(look: Look) -> Change:
        return change

    return made


def _clean(clean: Callable[[str], str]) -> Callable[[Look], Awaitable[Change]]:
    return _always(lambda body: body.update(texts.properties_changed(body, clean)))


def _unshared(body: JsonObject) -> None:
    sharing = body.get("sharing")
    if isinstance(sharing, dict):
        sharing["external"] = False


def _lowered(body: JsonObject) -> None:
    for path in formulas.EXPRESSIONS["predictors"]:
        name, _, inner = path.partition(".")
        held = body.get(name)
        if isinstance(held, dict) and isinstance(text := held.get(inner), str):
            held[inner] = formulas.lowered(text)


def _without_empty(body: JsonObject) -> None:
    body["dashboardItems"] = [one for one in items(body.get("dashboardItems")) if forms.kind_of_empty(one) is None]


def _known(plural: str, place: str) -> Callable[[Look], Awaitable[Change]]:
    """Takes out of an object's sharing whom the server does not know."""

    async def made(look: Look) -> Change:
        there = {str(row["id"]) for row in await reading.all_of(look.s.client, plural, fields="id")}

        def change(body: JsonObject) -> None:
            sharing = body.get("sharing")
            if isinstance(sharing, dict) and isinstance(held := sharing.get(place), dict):
                sharing[place] = {uid: one for uid, one in held.items() if uid in there}

        return change

    return made


async def _own_elements(look: Look) -> Change:
    """Takes out of a section what its data set does not have."""
    held: dict[str, set[str]] = {}
    for row in await look.rows("dataSets"):
        elements = {uid_of(one.get("dataElement")) for one in items(row.get("dataSetElements"))}
        held |= {uid_of(section): elements for section in items(row.get("sections"))}

    def change(body: JsonObject) -> None:
        body["dataElements"] = [one for one in items(body.get("dataElements")) if uid_of(one) in held[str(body["id"])]]

    return change


MENDS: Mapping[str, Mend | Disable | Set] = {
    texts.UNSEEN: Mend("take the characters out", _clean(texts.without_unseen), safe=True),
    texts.SPACES: Mend("take the spaces out", _clean(texts.without_spaces), safe=True),
    formulas.PREDICTORS: Mend("write its functions in small letters", _always(_lowered), safe=True),
    people.EXTERNAL: Mend("share it with the world no more", _always(_unshared), safe=True),
    "sections-with-others-elements": Mend("take those out of the section", _own_elements),
    "dashboard-items-empty": Mend("take the empty boxes off", _always(_without_empty)),
    "sharing-with-unknown-users": Mend("take them out of its sharing", _known("users", "users")),
    "sharing-with-unknown-groups": Mend("take them out of its sharing", _known("userGroups", "userGroups")),
    "legend-sets-empty": Mend("delete it", None),
    "rule-variables-unused": Mend("delete it", None),
    "charts-without-data": Mend("delete it", None),
    "groups-of-nobody": Mend("delete it", None),
    "superusers-quiet": Disable(),
    "accounts-expired-but-enabled": Disable(),
    "passwords-short": Set(
        f"take none of fewer than {server.SHORTEST} characters", f"{server.SHORTEST_SETTING}={server.SHORTEST}"
    ),
    "sign-in-not-locked": Set("lock an account after wrong passwords", f"{server.LOCKING}=true"),
    "self-registration-unguarded": Set("want a captcha", f"{server.UNGUARDED}=false"),
}
"""What mends what a check found."""
WORDS = ["mend", "each", "leave", "stop"]
EACH = ["mend", "leave", "stop"]


@dataclass(slots=True)
class _Agreed:
    """What is to be mended.

    Parameters:
        changes: what is done to each object, by type and UID; None deletes it.
        names: the checks that it is of.
        left: objects that somebody has decided to leave, by check.
        disabled: accounts that are disabled; pairs: settings, as `name=value`.
    """

    changes: dict[tuple[str, str], list[Change | None]] = field(
        default_factory=dict[tuple[str, str], "list[Change | None]"]
    )
    names: dict[str, None] = field(default_factory=dict[str, None])
    left: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    disabled: dict[str, None] = field(default_factory=dict[str, None])
    pairs: dict[str, None] = field(default_factory=dict[str, None])

    async def take(self, look: Look, name: str, some: Iterable[Found]) -> None:
        """Mend some of what a check found."""
        mend = MENDS[name]
        change = await mend.change(look) if isinstance(mend, Mend) and mend.change is not None else None
        for one in some:
            self.names[name] = None
            match mend:
                case Mend():
                    self.changes.setdefault((one.type, one.id), []).append(change)
                case Disable():
                    self.disabled[one.id] = None
                case Set():
                    self.pairs[mend.pair] = None


async def plan(s: Session, names: Sequence[str], *, again: bool = False) -> Plan:
    """The plan that mends what checks find; without names a person is asked of each that finds something.

    What somebody leaves is written down and not asked again: a walk that was stopped goes on where it was.

    Parameters:
        again: ask of that too.

    Raises `UsageError` for a check that cannot be mended by itself, `NotFound` for one that is none.
    """
    probes = examining.named(names)
    if wrong := [probe for probe in probes if names and probe.name not in MENDS]:
        raise UsageError(
            f"what {wrong[0].name} finds only a person can put right",
            hint=f"dhis2 doctor {wrong[0].area} {wrong[0].name}",
        )
    async with examining.looking(s, probes) as look:
        found, left = await examining.found_by(look, probes)
        for text in left:
            s.person.warn(text)
        found = {name: some for name, some in found.items() if some}
        agreed = _Agreed()
        if names:
            for name, some in found.items():
                await agreed.take(look, name, some)
        else:
            await _walk(look, agreed, found, {} if again else kept.left(s.profile))
    return await _planned(s, agreed)


async def _walk(
    look: Look, agreed: _Agreed, found: Mapping[str, Sequence[Found]], before: Mapping[str, Sequence[str]]
) -> None:
    """Ask of each check that finds something, the worst first; where nobody can be asked all that is safe is agreed to."""
    person, passed, others = look.s.person, 0, list[str]()
    for name in sorted(found, key=lambda name: rank(PROBES[name].severity)):
        if name not in MENDS:
            others.append(name)
            continue
        some = [one for one in found[name] if one.id not in before.get(name, ())]
        passed += len(found[name]) - len(some)
        if not some:
            continue
        mend = MENDS[name]
        objects = [one.name or one.id for one in some if one.id]
        what = f"{counted(len(objects), 'object')} ({listed(objects, 3)})" if objects else some[0].what
        about = f"{name}: {what}. {_sentence(mend.does)}?"
        answer = await person.choose(about, WORDS, none=False)
        if answer is None:
            if mend.safe:
                await agreed.take(look, name, some)
        elif answer == "mend":
            await agreed.take(look, name, some)
        elif answer == "leave":
            agreed.left[name] = [one.id for one in some]
        elif answer == "stop" or await _each(look, agreed, name, some) == "stop":
            break
    if passed:
        person.note(f"{counted(passed, 'object')} were left before: dhis2 doctor fix --again  asks of them too")
    if others:
        person.note(
            f"only a person can put right what these find: {listed(others, 6)}; dhis2 doctor all  has their commands"
        )
    kept.keep_left(look.s.profile, agreed.left)


async def _each(look: Look, agreed: _Agreed, name: str, some: Sequence[Found]) -> str | None:
    mend = MENDS[name]
    for one in some:
        which = f"{one.name} [{one.id}]: " if one.id else ""
        about = f"{name}: {which}{one.what}. {_sentence(mend.does)}?"
        answer = await look.s.person.choose(about, EACH, none=False)
        if answer == "stop":
            return answer
        if answer == "mend":
            await agreed.take(look, name, [one])
        else:
            agreed.left.setdefault(name, []).append(one.id)
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


async def _planned(s: Session, agreed: _Agreed) -> Plan:
    made: list[write.Write] = []
    notes: list[str] = []
    gone: dict[str, list[JsonObject]] = {}
    for plural in dict.fromkeys(plural for plural, _ in agreed.changes):
        uids = [uid for kind, uid in agreed.changes if kind == plural]
        for before in await writes.read_objects(s, plural, uids):
            changes = agreed.changes[plural, str(before["id"])]
            if None in changes:
                gone.setdefault(plural, []).append(before)
                continue
            after = copy.deepcopy(before)
            for change in cast("list[Change]", changes):
                change(after)
            made.append(write.Write(plural, before, after))
    if gone:
        deleted = await deletion(s, gone)
        changed = {(one.plural, one.uid) for one in made}
        made += [one for one in deleted.writes if (one.plural, one.uid) not in changed]
        notes += deleted.notes
    objects = writes.plan("", made, what="mended objects", asks=True, notes=notes)
    plans = [
        objects,
        *await _switched(s, agreed),
        *([await settings.setting(s, [*agreed.pairs], [])] if agreed.pairs else []),
    ]
    if len(plans) == 1:
        objects.title = _title(objects, agreed)
        return objects
    whole = together("", plans, Mended, "mended")
    whole.title, whole.asks = _title(whole, agreed), True
    return whole


def _title(plan: Plan, agreed: _Agreed) -> str:
    ours = [step for step in plan.steps if step.action not in BY_SERVER]
    return f"mend {counted(len(ours), 'object')}" + (f": {', '.join(agreed.names)}" if agreed.names else "")


async def _switched(s: Session, agreed: _Agreed) -> list[Plan]:
    """The plan of disabling accounts; one's own is left as it is, and said, since nobody could go on then."""
    if not agreed.disabled:
        return []
    me = (await s.client.system.me()).id
    uids = [uid for uid in agreed.disabled if uid != me]
    await people_of.may_be_disabled(s, uids)
    made = await switching.plan(s, switching.ACCOUNTS, uids, True)
    if me in agreed.disabled:
        made.notes.append("your own account is left as it is: somebody else may disable it")
    return [made]


@takes_back(Mended.name)
async def taken_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """Objects, accounts and settings as before, in one plan."""
    changes = journal.changes(entry.id)
    values = [one for one in changes if one.type == keyed.SETTINGS]
    switches = [one for one in changes if switching.is_switch(one)]
    objects = [one for one in changes if one not in values and one not in switches]
    plans: list[Plan] = []
    if values:
        plans.append(await keyed.set_back_of(s, entry, values))
    if switches:
        plans.append(await switching.switched_back(s, entry, switches))
    if objects:
        plans.append(await undoing.objects_of(s, journal, entry, objects, force=force))
    return undone(entry, plans, Mended)
