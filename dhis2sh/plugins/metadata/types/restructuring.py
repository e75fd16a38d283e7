"""`metadata organisation-units move|merge|split`: what changes the hierarchy, with a plan that says what goes where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, cast

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import Forbidden, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.holdings import NOUNS, UNITS, Holding, survey, users_of
from dhis2sh.metadata.writes import Write
from dhis2sh.plugins.metadata.types.merging import KEPT, Keep, missing_authority
from dhis2sh.plugins.metadata.writing import uids_of
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Piped, Refers, applies, verb
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.errors import Dhis2Error

Unit = Annotated[str, Doc("UID, code or unique name of a unit."), Refers(UNITS)]
Units = Annotated[Rows[Row], Piped(), Doc("UIDs, codes or unique names; rows of a pipeline."), Refers(UNITS)]
MOVE, MERGE, SPLIT = "F_ORGANISATIONUNIT_MOVE", "F_ORGANISATION_UNIT_MERGE", "F_ORGANISATION_UNIT_SPLIT"
NO_WAY_BACK = "this cannot be undone: the server keeps nothing of what was before"
ANALYTICS = "analytics follows with its next run"


async def check_level(s: Session, level: int) -> None:
    """Raise `UsageError` for a level that no unit of the hierarchy is on."""
    page = await s.client.list_page(UNITS, {"fields": "level", "order": "level:desc", "pageSize": 1})
    deepest = max((cast("int", row.get("level") or 0) for row in page.rows), default=0)
    if not 1 <= level <= deepest:
        raise UsageError(
            f"there is no level {level}: the hierarchy has {counted(deepest, 'level')}",
            hint="dhis2 metadata list organisationUnitLevels",
        )


@verb(
    "metadata organisation-units move",
    effect="destroy",
    examples=["dhis2 metadata organisation-units move 'Njala CHC' --to Kono --dry-run"],
)
async def move(s: Session, units: Units, *, to: Annotated[str, Doc("The new parent."), Refers(UNITS)]) -> Plan:
    """Put units under another parent, with all that is below them.

    A unit cannot go below itself; that is refused here, since a server of 2.42 fails on it.

    API source: `PATCH /api/organisationUnits/{uid}`, the property `parent` (E1520-E1523).
    """
    wanted = uids_of(units)
    [parent] = await writes.read_objects(s, UNITS, [to], fields="id,name,path,level")
    goal = f"{parent['name']} [{to}]"
    found = await writes.read_objects(s, UNITS, wanted)
    paths = {
        str(row["id"]): row
        for row in await writes.read_objects(s, UNITS, wanted, fields="id,name,path,level,parent[name]")
    }
    for uid, row in paths.items():
        if uid in str(parent["path"]).split("/"):
            inside = "" if uid == to else f": {goal} is inside it"
            raise UsageError(
                f"{row['name']} [{uid}] cannot go below itself{inside}",
                hint=f"dhis2 metadata organisation-units tree {uid}",
            )
    below = await _counts_below(s, wanted)
    changes = [
        Write(UNITS, unit, {**unit, "parent": {"id": to}}, detail=_moved(paths[str(unit["id"])], parent, below))
        for unit in found
    ]
    moving = [row for row in paths.values() if str(row["path"]).split("/")[-2:-1] != [to]]
    notes = await _seen_by(s, moving, str(parent["path"])) if moving else []
    planned = writes.plan(f"move {counted(len(found), 'unit')} below {goal}", changes, what=UNITS, notes=notes)
    planned.blocked = await missing_authority(s, MOVE, "moving organisation units") if planned.steps else None
    return planned


def _moved(row: JsonObject, parent: JsonObject, below: Mapping[str, int]) -> str:
    """Where a unit comes from and goes to, in words."""
    before = cast("JsonObject", row.get("parent") or {}).get("name")
    level, after = row.get("level"), cast("int", parent.get("level") or 0) + 1
    words = f"from {before or 'the top'} to {parent['name']}"
    if level != after:
        words += f", level {level} -> {after}"
    count = below.get(str(row["id"]), 0)
    return f"{words}, with {counted(count, 'unit')} below it" if count else words


async def _counts_below(s: Session, uids: Sequence[str]) -> dict[str, int]:
    """How many units are below each one."""
    counts: dict[str, int] = {}
    for uid in uids[:50]:  # beyond that, a request for each is slower than it is worth
        params: dict[str, Param] = {"filter": f"path:like:{uid}", "fields": "id", "pageSize": 1}
        counts[uid] = max(0, ((await s.client.list_page(UNITS, params)).total or 0) - 1)
    return counts


async def _seen_by(s: Session, moving: Sequence[JsonObject], goal: str) -> list[str]:
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


@verb(
    "metadata organisation-units merge",
    effect="destroy",
    examples=[
        "dhis2 metadata organisation-units merge 'Bo Old CHC' --into 'Bo New CHC' --dry-run",
        "dhis2 metadata organisation-units merge 'Bo Old CHC' --into 'Bo New CHC' --keep-sources-closed 2026-09-30",
    ],
)
async def merge(
    s: Session,
    sources: Units,
    *,
    into: Annotated[str, Doc("The unit that takes everything over."), Refers(UNITS)],
    data_values: Keep = "last-updated",
    approvals: Keep = "last-updated",
    keep_sources: Annotated[bool, Doc("Keep the emptied units.")] = False,
    keep_sources_closed: Annotated[str | None, Doc("Keep the emptied units, closed on this day, 2026-09-30.")] = None,
) -> Plan:
    """Merge units into one: data, events, enrollments, assignments, groups and users go over.

    The plan counts what goes over and where both units have a value for the same place. A server cannot take it back.

    API source: `POST /api/organisationUnits/merge` (E1500-E1506).
    """
    from dhis2sh.dhis2.dates import day

    uids = list(dict.fromkeys(uids_of(sources)))
    closed = None if keep_sources_closed is None else day(keep_sources_closed)
    keep = keep_sources or closed is not None
    surveyed = await survey(s, [*uids, *([into] if into not in uids else [])])
    by_uid = {unit.uid: unit for unit in surveyed.units}
    target, held = by_uid[into], [by_uid[uid] for uid in uids]
    if into in uids:
        raise UsageError(f"{target.label} cannot be merged into itself", hint="--into another unit")
    inside = next((unit for unit in held if unit.uid in target.path.split("/")), None)
    if inside is not None:
        raise UsageError(
            f"{target.label} is below {inside.label}: a unit cannot be merged into one below it",
            hint=f"dhis2 metadata organisation-units move {target.uid} --to ANOTHER first",
        )
    body: JsonObject = {
        "sources": cast("JsonValue", uids), "target": into, "dataValueMergeStrategy": KEPT[data_values],
        "dataApprovalMergeStrategy": KEPT[approvals], "deleteSources": not keep,
    }  # fmt: skip
    after = f"is closed on {closed}" if closed else "stays, emptied" if keep else "is deleted"
    steps = [
        PlanStep("merge", UNITS, uid=unit.uid, name=unit.name, detail=f"gives {unit.words() or 'nothing'} and {after}")
        for unit in held
    ]
    notes = [*_overlaps(held, target, data_values), *await _groups(s, held, target), *_levels(held, target)]
    title = f"merge {listed(unit.label for unit in held)} into {target.label}"
    payload = Restructuring("merge", body, [into, *uids] if keep else [into], [] if keep else uids, closed)
    return await _restructuring(s, title, steps, [*notes, *surveyed.notes], payload, MERGE)


def _overlaps(sources: Sequence[Holding], target: Holding, keep: str) -> list[str]:
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


async def _groups(s: Session, sources: Sequence[Holding], target: Holding) -> list[str]:
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


def _levels(sources: Sequence[Holding], target: Holding) -> list[str]:
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


async def _restructuring(
    s: Session, title: str, steps: list[PlanStep], notes: Iterable[str], payload: Restructuring, authority: str
) -> Plan:
    """A plan with what the user is told of every merge and split."""
    blocked: Dhis2Error | None = await missing_authority(
        s, authority, f"{'merging' if payload.word == 'merge' else 'splitting'} organisation units"
    )
    told = [*notes, *([] if blocked else [f"you have the authority {authority}; nothing blocks it"]), NO_WAY_BACK]
    return Plan(title, steps, notes=told, payload=payload, blocked=blocked)


@applies(merge)
async def _(s: Session, plan: Plan) -> WriteSummary:
    return await _restructured(s, plan)


@verb(
    "metadata organisation-units split",
    effect="destroy",
    examples=["dhis2 metadata organisation-units split 'Bo CHC' 'Bo North' 'Bo South' --primary 'Bo North' --dry-run"],
)
async def split(
    s: Session,
    source: Unit,
    targets: Units,
    *,
    primary: Annotated[
        str | None, Doc("The target that takes the data over; the first without it."), Refers(UNITS)
    ] = None,
    keep_source: Annotated[bool, Doc("Keep the emptied unit.")] = False,
) -> Plan:
    """Split a unit into others that are there: all get its assignments, the primary one its data.

    The plan counts what goes where. A server cannot take it back.

    API source: `POST /api/organisationUnits/split` (E1510-E1516).
    """
    uids = list(dict.fromkeys(uids_of(targets)))
    surveyed = await survey(s, [source, *(uid for uid in [*uids, *([primary] if primary else [])] if uid != source)])
    unit, by_uid = surveyed.units[0], {unit.uid: unit for unit in surveyed.units}
    first = primary or uids[0]
    _check_split(unit, [by_uid[uid] for uid in uids], by_uid[first])
    body: JsonObject = {
        "source": source, "targets": cast("JsonValue", uids), "primaryTarget": first, "deleteSource": not keep_source,
    }  # fmt: skip
    assigned = ", ".join(
        counted(len(held), *NOUNS[name]) for name, held in unit.held.items() if held and name in SHARED
    )
    steps = [
        PlanStep("split", UNITS, uid=uid, name=by_uid[uid].name, detail=_taken(unit, assigned, primary=uid == first))
        for uid in uids
    ]
    emptied = "stays, emptied" if keep_source else "is deleted"
    steps.append(PlanStep("split", UNITS, uid=source, name=unit.name, detail=f"gives all of it and {emptied}"))
    notes = [*_overlaps([unit], by_uid[first], "last-updated"), *surveyed.notes]
    title = f"split {unit.label} into {listed((by_uid[uid].label for uid in uids), 5)}"
    payload = Restructuring("split", body, [*uids, source] if keep_source else uids, [] if keep_source else [source])
    return await _restructuring(s, title, steps, notes, payload, SPLIT)


SHARED = ("dataSets", "programs", "organisationUnitGroups", "users")
"""What all targets of a split get; the rest goes to the primary one."""


def _check_split(source: Holding, targets: Sequence[Holding], primary: Holding) -> None:
    """Raise `UsageError` for a split that a server refuses."""
    if source in targets:
        raise UsageError(f"{source.label} cannot be a target of its own split", hint="name two other units")
    if len(targets) < 2:
        raise UsageError(
            f"a split wants two targets at the least, there is only {targets[0].label}",
            hint="dhis2 metadata organisation-units create makes one; merge moves everything to one",
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


def _taken(source: Holding, assigned: str, *, primary: bool) -> str:
    rest = source.words(without=SHARED) if primary else ""
    return f"gets {', '.join(part for part in (rest, assigned) if part) or 'nothing'}"


@applies(split)
async def _(s: Session, plan: Plan) -> WriteSummary:
    return await _restructured(s, plan)


async def _restructured(s: Session, plan: Plan) -> WriteSummary:
    work = cast("Restructuring", plan.payload)
    answer = await s.client.post(f"{UNITS}/{work.word}", work.body)
    summary = WriteSummary(
        UNITS, updated=len(work.changed), deleted=len(work.gone), uids=[*work.changed, *work.gone],
        envelope=answer if isinstance(answer, dict) else None,
    )  # fmt: skip
    if work.closed is not None:
        emptied = [uid for uid in work.changed if uid != work.body.get("target")]
        for uid in emptied:
            await s.client.patch(f"{UNITS}/{uid}", [{"op": "add", "path": "/closedDate", "value": work.closed}])
        summary.note = f"{counted(len(emptied), 'source')} closed on {work.closed}"
    return summary
