"""How contacts are written: one patch a unit, looked at before and after, and taken back by the journal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from dhis2sh.plugin import (
    Entry,
    Journal,
    JsonObject,
    Part,
    PartDone,
    Plan,
    PlanStep,
    Refused,
    Session,
    WriteSummary,
    takes_back,
)

FIELDS = ("contactPerson", "phoneNumber", "email")
ASKED = f"id,name,{','.join(FIELDS)}"


@dataclass
class Contacts:
    """Contacts of units: as they shall be, and as they were when the plan was made."""

    name: ClassVar[str] = "contacts"
    bulk: ClassVar[bool] = False

    wanted: Mapping[str, JsonObject]
    was: Mapping[str, JsonObject]
    names: Mapping[str, str]

    what: str = "contacts"
    notes: Sequence[str] = ()
    concurrency: int = 1
    again: str = "the same line once more"

    @classmethod
    async def read(cls, s: Session, wanted: Mapping[str, JsonObject]) -> Self:
        """Look at the units first: what is right already is no change."""
        units = {uid: await s.client.get_object(f"organisationUnits/{uid}", {"fields": ASKED}) for uid in wanted}
        was = {uid: {field: units[uid].get(field) for field in fields} for uid, fields in wanted.items()}
        changed = {uid: fields for uid, fields in wanted.items() if fields != was[uid]}
        return cls(changed, was, {uid: str(unit["name"]) for uid, unit in units.items()})

    def plan(self, title: str) -> Plan:
        """What would be written."""
        steps = [
            PlanStep("update", "organisationUnits", uid, self.names[uid], before=self.was[uid], after=fields)
            for uid, fields in self.wanted.items()
        ]
        return Plan(title, steps, notes=[] if steps else ["it is so already"], writer=self)

    def parts(self) -> Iterator[Part]:
        """A request for each unit."""
        yield from (Part([number]) for number in range(len(self.wanted)))

    def _of(self, part: Part) -> tuple[int, str]:
        return part.numbers[0], [*self.wanted][part.numbers[0]]

    async def _now(self, s: Session, uid: str) -> JsonObject:
        unit = await s.client.get_object(f"organisationUnits/{uid}", {"fields": ASKED})
        return {field: unit.get(field) for field in self.wanted[uid]}

    async def moved(self, s: Session) -> Sequence[str]:
        """Which units somebody else has changed since the plan was made."""
        return [
            f"{self.names[uid]} has another contact now"
            for uid in self.wanted
            if await self._now(s, uid) != self.was[uid]
        ]

    async def send(self, s: Session, part: Part) -> PartDone:
        """Patch one unit; what the server refuses is kept with its reason."""
        number, uid = self._of(part)
        patch = [{"op": "add", "path": f"/{field}", "value": text} for field, text in self.wanted[uid].items()]
        try:
            await s.client.patch(f"organisationUnits/{uid}", patch)
        except Refused as error:
            failure = {"type": "organisationUnits", "uid": uid, "message": error.message}
            return PartDone(refused={number: error.message}, failures=[failure])
        return PartDone([number], updated=1, uids=[uid])

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Whether a patch that no answer came for was carried out."""
        number, uid = self._of(part)
        done = await self._now(s, uid) == self.wanted[uid]
        return PartDone([number], updated=1, uids=[uid]) if done else PartDone()

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """There is nothing to add."""


@takes_back(Contacts.name)
async def back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """The contacts as they were before; what somebody has changed since stays, unless it is forced."""
    changes = [change for change in journal.changes(entry.id) if change.state == "done" and change.uid]
    writer = await Contacts.read(s, {str(change.uid): dict(change.before or {}) for change in changes})
    since = [
        str(change.uid)
        for change in changes
        if change.uid in writer.wanted and writer.was[str(change.uid)] != change.after and not force
    ]
    writer.wanted = {uid: fields for uid, fields in writer.wanted.items() if uid not in since}
    plan = writer.plan(f"take back entry {entry.id}: {entry.title}")
    plan.notes += [
        f"{writer.names[uid]} stays: somebody has changed it since (--force takes it back too)" for uid in since
    ]
    return plan


TAKES_BACK = back
