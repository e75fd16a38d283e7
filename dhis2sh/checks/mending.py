"""What can be put right of what probes find: walked through with whoever is there, as one plan of exact changes.

What has no decision in it (`safe`) is planned for an agent too; what takes something away is planned where somebody said so,
by its name or step by step. What only a person can put right is told with the command that leads there.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.checks import examining, forms, formulas, kept, people, texts
from dhis2sh.checks.finding import rank
from dhis2sh.checks.probing import PROBES, Found, Look, items, uid_of
from dhis2sh.client import reading
from dhis2sh.errors import UsageError
from dhis2sh.metadata import write, writes
from dhis2sh.metadata.objects.deleting import deletion
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
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


MENDS: Mapping[str, Mend] = {
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
}
"""What mends an object that a check found."""
WORDS = ["mend", "each", "leave", "stop"]
EACH = ["mend", "leave", "stop"]


@dataclass(slots=True)
class _Agreed:
    """What is to be mended.

    Parameters:
        changes: what is done to each object, by type and UID; None deletes it.
        names: the checks that it is of.
        left: objects that somebody has decided to leave, by check.
    """

    changes: dict[tuple[str, str], list[Change | None]] = field(
        default_factory=dict[tuple[str, str], "list[Change | None]"]
    )
    names: dict[str, None] = field(default_factory=dict[str, None])
    left: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def take(self, name: str, one: Found, change: Change | None) -> None:
        self.changes.setdefault((one.type, one.id), []).append(change)
        self.names[name] = None


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
                await _all(look, agreed, name, some)
        else:
            await _walk(look, agreed, found, {} if again else kept.left(s.profile))
    return await _planned(s, agreed)


async def _all(look: Look, agreed: _Agreed, name: str, some: Sequence[Found]) -> None:
    mend = MENDS[name]
    change = await mend.change(look) if mend.change is not None else None
    for one in some:
        agreed.take(name, one, change)


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
        about = f"{name}: {counted(len(some), 'object')} ({listed([one.name or one.id for one in some], 3)}). {_sentence(mend.does)}?"
        answer = await person.choose(about, WORDS, none=False)
        if answer is None:
            if mend.safe:
                await _all(look, agreed, name, some)
        elif answer == "mend":
            await _all(look, agreed, name, some)
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
    change = await mend.change(look) if mend.change is not None else None
    for one in some:
        about = f"{name}: {one.name} [{one.id}]: {one.what}. {_sentence(mend.does)}?"
        answer = await look.s.person.choose(about, EACH, none=False)
        if answer == "stop":
            return answer
        if answer == "mend":
            agreed.take(name, one, change)
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
    ours = [one for one in made if not one.by_server]
    title = f"mend {counted(len(ours), 'object')}" + (f": {', '.join(agreed.names)}" if agreed.names else "")
    return writes.plan(title, made, what="mended objects", asks=True, notes=notes)
