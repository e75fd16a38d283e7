"""What a move, merge or split of organisation units does: the hierarchy, data, groups and whose view changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.client import reading
from dhis2sh.errors import Forbidden, UsageError
from dhis2sh.metadata.types.server_merges import missing_authority
from dhis2sh.metadata.types.units.holdings import NOUNS, UNITS, Holding, users_of
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.requests import Param
    from dhis2sh.errors import Dhis2Error


MOVE, MERGE, SPLIT = "F_ORGANISATIONUNIT_MOVE", "F_ORGANISATION_UNIT_MERGE", "F_ORGANISATION_UNIT_SPLIT"
NO_WAY_BACK = "this cannot be undone: the server keeps nothing of what was before"
ANALYTICS = "analytics follows with its next run"


async def check_level(s: Session, level: int) -> None:
    """Raise `UsageError` for a level that no unit of the hierarchy is on."""
    deepest = await reading.deepest_level(s.client)
    if not 1 <= level <= deepest:
        raise UsageError(
            f"there is no level {level}: the hierarchy has {counted(deepest, 'level')}",
            hint="dhis2 metadata list organisationUnitLevels",
        )


def moved(row: JsonObject, parent: JsonObject, below: Mapping[str, int]) -> str:
    """Where a unit comes from and goes to, in words."""
    before = cast("JsonObject", row.get("parent") or {}).get("name")
    level, after = row.get("level"), cast("int", parent.get("level") or 0) + 1
    words = f"from {before or 'the top'} to {parent['name']}"
    if level != after:
        words += f", level {level} -> {after}"
    count = below.get(str(row["id"]), 0)
    return f"{words}, with {counted(count, 'unit')} below it" if count else words


async def counts_below(s: Session, uids: Sequence[str]) -> dict[str, int]:
    """How many units are below each one."""
    counts: dict[str, int] = {}
    for uid in uids[:50]:  # beyond that, a request for each is slower than it is worth
        params: dict[str, Param] = {"filter": f"path:like:{uid}", "fields": "id", "pageSize": 1}
        counts[uid] = max(0, ((await s.client.list_page(UNITS, params)).total or 0) - 1)
    return counts


async def seen_by(s: Session, moving: Sequence[JsonObject], goal: str) -> list[str]:
    """Whose view changes: users have a unit with all that is below it."""
    after = {uid for uid in goal.split("/") if uid}
    before = {uid for row in moving for uid in str(row["path"]).split("/")[:-1] if uid}
    notes = [f"data, data sets, groups and users stay with the units; {ANALYTICS}"]
    try:
        losing, winning = await users_of(s, before - after), await users_of(s, after - before)
    except Forbidden as error:
        return [*notes, f"whose view changes is not known: {error}"]
    if losing:
        notes.append(f"{counted(losing, 'user')} assigned above the old place will not reach them any more")
    if winning:
        notes.append(f"{counted(winning, 'user')} assigned above the new place will reach them")
    return notes


@dataclass(frozen=True, slots=True)
class Restructuring:
    """What applying a merge or split sends.

    Parameters:
        word: `merge` or `split`.
        body: the request.
        changed, gone: UIDs of the units that stay, and of those that are deleted.
        closed: the day on which the sources of a merge that stay are closed.
    """

    word: Literal["merge", "split"]
    body: JsonObject
    changed: Sequence[str]
    gone: Sequence[str]
    closed: str | None = None

    @property
    def emptied(self) -> list[str]:
        """The sources that stay and are closed."""
        return [uid for uid in self.changed if uid != self.body.get("target")] if self.closed is not None else []

    async def complete(self, s: Session, summary: WriteSummary) -> None:
        """Say of a merge which sources were closed."""
        if self.closed is not None:
            summary.note = f"{counted(len(self.emptied), 'source')} closed on {self.closed}"


def overlaps(sources: Sequence[Holding], target: Holding, keep: str) -> list[str]:
    """How many data values are for the same place in two units."""
    if any(unit.places is None for unit in [*sources, target]):
        return []
    places = Counter(place for unit in [*sources, target] for place in unit.places or ())
    moving = sum(len(unit.places or ()) for unit in sources)
    twice = sum(count - 1 for count in places.values())
    if not moving:
        return []
    told = f"{counted(moving, 'data value')} move" + ("s" if moving == 1 else "")
    if not twice:
        return [f"{told}, none of them where there is one already"]
    rule = "the newest stays" if keep == "last-updated" else "that of the source goes"
    return [f"{told}; for {twice:,} of them there is one already: {rule}"]


async def groups_after(s: Session, sources: Sequence[Holding], target: Holding) -> list[str]:
    """Group sets in which the target ends in two groups: analytics then counts it twice, or not at all."""
    held = {uid for unit in [*sources, target] for uid in unit.held["organisationUnitGroups"]}
    if len(held) < 2:
        return []
    params: dict[str, Param] = {"fields": "id,name,organisationUnitGroups[id,name]", "paging": False}
    notes: list[str] = []
    for row in (await s.client.list_page("organisationUnitGroupSets", params)).rows:
        groups = cast("list[JsonObject]", row.get("organisationUnitGroups") or [])
        joined = [str(group.get("name")) for group in groups if group["id"] in held]
        if len(joined) > 1:
            notes.append(
                f"{target.name} ends in {counted(len(joined), 'group')} of the group set '{row.get('name')}' "
                f"({listed(joined)}): take it out of all but one afterwards"
            )
    return notes


def levels_after(sources: Sequence[Holding], target: Holding) -> list[str]:
    """Units below the sources come below the target, perhaps on another level."""
    moving = [unit for unit in sources if unit.held["children"]]
    shifted = [unit for unit in moving if unit.level != target.level]
    notes: list[str] = []
    if moving:
        count = sum(len(unit.held["children"]) for unit in moving)
        notes.append(f"{counted(count, *NOUNS['children'])} the sources come below {target.name}")
    if shifted:
        notes.append(
            f"{shifted[0].name} is on level {shifted[0].level}, {target.name} on level {target.level}: they change theirs"
        )
    return notes


async def plan_of(
    s: Session, title: str, steps: list[PlanStep], notes: Iterable[str], payload: Restructuring, authority: str
) -> Plan:
    """A plan with what the user is told of every merge and split."""
    blocked: Dhis2Error | None = await missing_authority(
        s, authority, f"{'merging' if payload.word == 'merge' else 'splitting'} organisation units"
    )
    told = [*notes, *([] if blocked else [f"you have the authority {authority}; nothing blocks it"]), NO_WAY_BACK]
    writer = ByRequest(UNITS, _requests(payload, len(steps)), complete=payload.complete)
    return Plan(title, steps, notes=told, writer=writer, blocked=blocked)


def _requests(work: Restructuring, steps: int) -> list[Request]:
    """What a merge or split sends: the server's own request, then a date of closing for each source that stays."""
    closing: JsonValue = [{"op": "add", "path": "/closedDate", "value": work.closed}]
    main = Request(
        "POST", f"{UNITS}/{work.word}", work.body, steps=range(steps), updated=work.changed, deleted=work.gone
    )
    return [
        main,
        *(
            Request("PATCH", f"{UNITS}/{uid}", closing, content_type="application/json-patch+json", steps=())
            for uid in work.emptied
        ),
    ]


SHARED = ("dataSets", "programs", "organisationUnitGroups", "users")
"""What all targets of a split get; the rest goes to the primary one."""


def check_split(source: Holding, targets: Sequence[Holding], primary: Holding) -> None:
    """Raise `UsageError` for a split that a server refuses."""
    if source in targets:
        raise UsageError(f"{source.label} cannot be a target of its own split", hint="name two other units")
    if len(targets) < 2:
        raise UsageError(
            f"a split wants two targets at the least, there is only {targets[0].label}",
            hint=f"dhis2 metadata organisation-units merge {source.uid} --into {targets[0].uid}  moves everything to one",
        )
    if primary not in targets:
        raise UsageError(
            f"{primary.label} is none of the targets", hint=f"--primary {listed((unit.uid for unit in targets), 5)}"
        )
    inside = next((unit for unit in targets if source.uid in unit.path.split("/")), None)
    if inside is not None:
        raise UsageError(
            f"{inside.label} is below {source.label}: a unit cannot be split into one below it",
            hint=f"dhis2 metadata organisation-units move {inside.uid} --to ANOTHER first",
        )


def taken(source: Holding, assigned: str, *, primary: bool) -> str:
    """What a target of a split gets, in words."""
    rest = source.words(without=SHARED) if primary else ""
    return f"gets {', '.join(part for part in (rest, assigned) if part) or 'nothing'}"
