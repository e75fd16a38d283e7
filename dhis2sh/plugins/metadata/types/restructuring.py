"""`metadata organisation-units move|merge|split`: what changes the hierarchy, with a plan that says what goes where."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.dhis2.dates import day
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.types.server_merges import KEPT, Keep, missing_authority
from dhis2sh.metadata.types.units.holdings import NOUNS, UNITS, survey
from dhis2sh.metadata.types.units.restructuring import (
    MERGE,
    MOVE,
    SHARED,
    SPLIT,
    Restructuring,
    check_split,
    counts_below,
    groups_after,
    levels_after,
    moved,
    overlaps,
    plan_of,
    seen_by,
    taken,
)
from dhis2sh.metadata.write import Write
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Piped, Refers, verb
from dhis2sh.words import counted, listed

Unit = Annotated[str, Doc("UID, code or unique name of a unit."), Refers(UNITS)]
Units = Annotated[Rows[Row], Piped(), Doc("UIDs, codes or unique names; rows of a pipeline."), Refers(UNITS)]


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
    below = await counts_below(s, wanted)
    changes = [
        Write(UNITS, unit, {**unit, "parent": {"id": to}}, detail=moved(paths[str(unit["id"])], parent, below))
        for unit in found
    ]
    moving = [row for row in paths.values() if str(row["path"]).split("/")[-2:-1] != [to]]
    notes = await seen_by(s, moving, str(parent["path"])) if moving else []
    planned = writes.plan(f"move {counted(len(found), 'unit')} below {goal}", changes, what=UNITS, notes=notes)
    planned.blocked = await missing_authority(s, MOVE, "moving organisation units") if planned.steps else None
    return planned


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
    notes = [*overlaps(held, target, data_values), *await groups_after(s, held, target), *levels_after(held, target)]
    title = f"merge {listed(unit.label for unit in held)} into {target.label}"
    payload = Restructuring("merge", body, [into, *uids] if keep else [into], [] if keep else uids, closed)
    return await plan_of(s, title, steps, [*notes, *surveyed.notes], payload, MERGE)


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
    check_split(unit, [by_uid[uid] for uid in uids], by_uid[first])
    body: JsonObject = {
        "source": source, "targets": cast("JsonValue", uids), "primaryTarget": first, "deleteSource": not keep_source,
    }  # fmt: skip
    assigned = ", ".join(
        counted(len(held), *NOUNS[name]) for name, held in unit.held.items() if held and name in SHARED
    )
    steps = [
        PlanStep("split", UNITS, uid=uid, name=by_uid[uid].name, detail=taken(unit, assigned, primary=uid == first))
        for uid in uids
    ]
    emptied = "stays, emptied" if keep_source else "is deleted"
    steps.append(PlanStep("split", UNITS, uid=source, name=unit.name, detail=f"gives all of it and {emptied}"))
    notes = [*overlaps([unit], by_uid[first], "last-updated"), *surveyed.notes]
    title = f"split {unit.label} into {listed((by_uid[uid].label for uid in uids), 5)}"
    payload = Restructuring("split", body, [*uids, source] if keep_source else uids, [] if keep_source else [source])
    return await plan_of(s, title, steps, notes, payload, SPLIT)
