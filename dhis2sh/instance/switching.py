"""Things that are on or off by an address of their own: a job, an account. The writer, and the way back.

API source: `POST /api/jobConfigurations/{uid}/enable|disable`, `POST /api/users/{uid}/enabled|disabled` (recorded).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.left_out import left_out
from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client import reading
from dhis2sh.client.sending import accepted
from dhis2sh.errors import Dhis2Error, Refused
from dhis2sh.words import counted_objects

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.session import Session

NAME = "switches"


@dataclass(frozen=True, slots=True)
class Switch:
    """A property that is switched by an address.

    Parameters:
        plural: the type.
        property: what tells which way it stands.
        when: the last word of the address for each value of it.
        name: the property that people know an object by.
        words: what each value means, in a plan.
    """

    plural: str
    property: str
    when: Mapping[bool, str]
    name: str
    words: Mapping[bool, str]


JOBS = Switch(
    "jobConfigurations",
    "enabled",
    {True: "enable", False: "disable"},
    "displayName",
    {True: "enable", False: "disable"},
)
ACCOUNTS = Switch(
    "users", "disabled", {True: "disabled", False: "enabled"}, "username", {True: "disable", False: "enable"}
)
_SWITCHES = {switch.plural: switch for switch in (JOBS, ACCOUNTS)}


@dataclass(slots=True)
class Switches(PlainWriter):
    """The writer: a request for each object.

    Parameters:
        switch: what is switched.
        uids: of which objects, one a step.
        value: which way it will stand.
    """

    name: ClassVar[str] = NAME

    switch: Switch
    uids: Sequence[str]
    value: bool

    def parts(self) -> Iterator[Part]:
        """A request for each object."""
        return self.one_by_one(len(self.uids))

    async def moved(self, s: Session) -> list[str]:
        """Objects that somebody else has switched meanwhile."""
        now = await state(s, self.switch, self.uids)
        return [
            f"{uid} has changed since the plan was made" for uid in self.uids if now.get(uid) is not (not self.value)
        ]

    async def send(self, s: Session, part: Part) -> PartDone:
        """Switch one. It is read again afterwards: a 204 alone says nothing."""
        uid = self.uids[part.numbers[0]]
        answer = await s.client.write("POST", f"{self.switch.plural}/{uid}/{self.switch.when[self.value]}")
        accepted(answer)
        done = await self.look_back(s, part)
        if not done.done:
            raise Refused(
                f"the server said yes, and {self.switch.property} of {uid} is as before",
                hint=f"dhis2 metadata get {self.switch.plural} {uid}",
            )
        return done

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Is it as it was meant to be?"""
        uid = self.uids[part.numbers[0]]
        try:
            now = await state(s, self.switch, [uid])
        except Dhis2Error:
            return PartDone()
        return PartDone([*part.numbers], updated=1, uids=[uid]) if now.get(uid) is self.value else PartDone()


async def state(s: Session, switch: Switch, uids: Sequence[str]) -> dict[str, bool]:
    """Which way some objects stand now, by UID."""
    found = await reading.by_uid(s.client, switch.plural, uids, fields=f"id,{switch.property}")
    return {str(row["id"]): bool(row.get(switch.property)) for row in found.rows}


async def plan(s: Session, switch: Switch, uids: Sequence[str], value: bool, *, title: str | None = None) -> Plan:
    """The plan of switching objects; those that stand so already are named and left alone, and those that are gone.

    Parameters:
        title: of an undo; made from the switch without it.
    """
    found = await reading.by_uid(s.client, switch.plural, uids, fields=f"id,{switch.name},{switch.property}")
    rows = [row for row in found.rows if bool(row.get(switch.property)) is not value]
    there = [row for row in found.rows if bool(row.get(switch.property)) is value]
    reason = f"already {switch.words[value]}d"
    same = left_out(switch.plural, ((str(row["id"]), str(row.get(switch.name))) for row in there), reason)
    gone = left_out(switch.plural, ((uid, None) for uid in found.missing), "gone")
    notes = [f"{counted_objects(len(some), switch.plural)} {some[0]['reason']}" for some in (same, gone) if some]
    steps = [
        PlanStep(
            "update", switch.plural, uid=str(row["id"]), name=str(row.get(switch.name)),
            before={switch.property: not value}, after={switch.property: value},
        )
        for row in rows
    ]  # fmt: skip
    told = title or f"{switch.words[value]} {counted_objects(len(rows), switch.plural)}"
    what = "undone" if title else switch.plural
    writer = Switches(switch, [str(row["id"]) for row in rows], value, notes=notes, what=what)
    return Plan(told, steps, notes=[*notes], writer=writer, left_out=[*same, *gone])


@takes_back(NAME)
async def switched(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was switched is switched back, where nobody has done so since."""
    return await switched_back(s, entry, journal.changes(entry.id))


def is_switch(change: Change) -> bool:
    """Is a change of the journal nothing but a switch?"""
    switch = _SWITCHES.get(change.type)
    return switch is not None and {*(change.before or {}), *(change.after or {})} == {switch.property}


async def switched_back(s: Session, entry: Entry, all_: Sequence[Change]) -> Plan:
    """The plan that switches things of one type back.

    Parameters:
        entry: what is taken back; all_: those of its changes that are meant.
    """
    title = entry.undo_title
    changes = [change for change in all_ if change.written and change.uid]
    if not changes:
        return Plan(title, blocked=Refused(f"entry {entry.id} changed nothing"))
    switch = _SWITCHES[changes[0].type]
    value = (changes[0].before or {}).get(switch.property)
    return await plan(s, switch, [str(change.uid) for change in changes], bool(value), title=title)
