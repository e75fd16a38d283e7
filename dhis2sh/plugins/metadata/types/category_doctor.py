"""`metadata category-combos doctor|regenerate` and `category-option-combos merge`: the category model, checked and mended."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import CheckFailed, UsageError
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.types.categories.doctor import (
    COMBINED,
    COMBOS,
    REGENERATE,
    ComboFinding,
    check_defaults,
    completed,
    duplicates,
    examined,
    expected_of,
    fix_of,
    read_combos,
    values_by_combination,
    weigh,
)
from dhis2sh.metadata.types.server_merges import KEPT, Keep, missing_authority
from dhis2sh.metadata.writes import called
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Piped, Refers, applies, verb
from dhis2sh.words import counted, counted_objects


@verb(
    "metadata category-combos doctor",
    effect="read",
    examples=["dhis2 metadata category-combos doctor", "dhis2 metadata category-combos doctor 'Age and sex' --check"],
)
async def doctor(
    s: Session,
    combo: Annotated[str | None, Doc("Only this combination."), Refers(COMBOS)] = None,
    *,
    check: Annotated[bool, Doc("End with exit code 8 when something is found.")] = False,
    skip_values: Annotated[bool, Doc("Do not count data values; faster where there are millions.")] = False,
) -> Rows[ComboFinding]:
    """Find duplicate, missing and superfluous option combinations and double defaults, and what mends them.

    Of duplicates the one with most data values is kept; the values of the others are counted.

    API source: `GET /api/categoryCombos`, `GET /api/categoryOptionCombos`, `GET /api/dataValueSets`.
    """
    combos, held = await read_combos(s, [combo] if combo is not None else [])
    found = [finding for body in combos for finding in examined(body, held.get(str(body["id"]), []))]
    if combo is None:
        found += [finding async for finding in check_defaults(s, combos)]
    if not skip_values:
        await weigh(s, found)
    merges = COMBINED in (await s.client.version()).behaviour.merge_types
    for finding in found:
        finding.fix = fix_of(finding, merges=merges)
    if combo is not None and combos:
        there = len(held.get(combo, []))
        s.person.note(
            f"{called(combos[0])} makes {counted(expected_of(combos[0]), 'option combination')}, {there:,} are there"
        )
    elif not found:
        s.person.note(f"{counted(len(combos), 'combination')} looked through, nothing found")
    rows = Rows(found, columns=["name", "problem", "detail", "values", "fix"])
    if check and found:
        raise CheckFailed(
            f"{counted(len(found), 'finding')} in the category model",
            findings=rows,
            hint="without --check they are listed",
        )
    return rows


@verb(
    "metadata category-combos regenerate",
    effect="destroy",
    examples=["dhis2 metadata category-combos regenerate 'Age and sex' --dry-run"],
)
async def regenerate(
    s: Session,
    combos: Annotated[
        Rows[Row] | None, Piped(), Doc("Combinations; all that lack something without them."), Refers(COMBOS)
    ] = None,
) -> Plan:
    """Make the server make the option combinations that combinations lack.

    A server takes away what is superfluous then as well, where nothing holds it.

    API source: `POST /api/maintenance/categoryOptionComboUpdate/categoryCombo/{uid}`.
    """
    bodies, held = await read_combos(s, uids_of(combos) if combos is not None else [])
    steps: list[PlanStep] = []
    for body in bodies:
        found = list(examined(body, held.get(str(body["id"]), [])))
        told = "; ".join(f"{one.problem} {one.detail}" for one in found if one.problem in {"missing", "superfluous"})
        if told:
            steps.append(PlanStep("run", COMBOS, uid=str(body["id"]), name=str(body["name"]), detail=told))
    same = len(bodies) - len(steps)
    return Plan(
        f"regenerate the option combinations of {counted(len(steps), 'combination')}",
        steps,
        notes=[f"{same:,} already right"] if same else [],
    )


@applies(regenerate)
async def _(s: Session, plan: Plan) -> WriteSummary:
    uids = [str(step.uid) for step in plan.steps]
    _, before = await read_combos(s, uids)
    for uid in uids:
        await s.client.post(f"{REGENERATE}/{uid}")
        await completed(s, uid)
    bodies, after = await read_combos(s, uids)
    was, now = ({str(row["id"]) for rows in held.values() for row in rows} for held in (before, after))
    left = [one.problem for body in bodies for one in examined(body, after.get(str(body["id"]), []))]
    lacking, held = left.count("missing"), left.count("superfluous")
    notes = [
        *([f"{counted(lacking, 'combination')} still lack some: the server makes them later"] if lacking else []),
        *([f"{held:,} superfluous stay: something holds them (dhis2 metadata category-combos doctor)"] if held else []),
    ]
    return WriteSummary(
        COMBINED, created=len(now - was), deleted=len(was - now), uids=uids, note="; ".join(notes) or None
    )


@verb(
    "metadata category-option-combos merge",
    effect="destroy",
    examples=["dhis2 metadata category-option-combos merge WRONG_UID --into RIGHT_UID --dry-run"],
)
async def merge(
    s: Session,
    sources: Annotated[Rows[Row], Piped(), Doc("The duplicates; rows of a pipeline."), Refers(COMBINED)],
    *,
    into: Annotated[str, Doc("The one that stays."), Refers(COMBINED)],
    data_values: Keep = "last-updated",
    keep_sources: Annotated[bool, Doc("Keep the emptied duplicates.")] = False,
) -> Plan:
    """Merge duplicate option combinations into one: data values and references go over.

    A server cannot take it back.

    API source: `POST /api/categoryOptionCombos/merge` (2.42 and later; E1530-E1540).
    """
    version = await s.client.version()
    if COMBINED not in version.behaviour.merge_types:
        raise UsageError(
            f"DHIS2 {version} cannot merge option combinations: 2.42 and later can",
            hint="move the values, then dhis2 metadata category-option-combos delete",
        )
    uids = list(dict.fromkeys(uids_of(sources)))
    found, target = await duplicates(s, uids, into)
    combo = cast("JsonObject", target.get("categoryCombo") or {})
    counts = await values_by_combination(s, str(combo.get("id")))
    words = (
        "where both have a value the newest stays" if data_values == "last-updated" else "their data values are dropped"
    )
    steps = [
        PlanStep(
            "merge", COMBINED, uid=str(row["id"]), name=str(row.get("name")),
            detail=f"gives {counted(counts[str(row['id'])], 'data value') if counts is not None else 'its data values'}"
            f" and {'stays, emptied' if keep_sources else 'is deleted'}",
        )
        for row in found
    ]  # fmt: skip
    body: JsonObject = {
        "sources": cast("JsonValue", uids), "target": into, "deleteSources": not keep_sources,
        "dataMergeStrategy": KEPT[data_values],
    }  # fmt: skip
    return Plan(
        f"merge {counted_objects(len(found), COMBINED)} of '{combo.get('name')}' into {called(target)}",
        steps, notes=[words, "this cannot be undone"], payload=body,
        blocked=await missing_authority(s, "F_CATEGORY_OPTION_COMBO_MERGE", "merging option combinations"),
    )  # fmt: skip


@applies(merge)
async def _(s: Session, plan: Plan) -> WriteSummary:
    body = cast("JsonObject", plan.payload)
    answer = await s.client.post(f"{COMBINED}/merge", body)
    sources = cast("list[str]", body["sources"])
    gone = len(sources) if body["deleteSources"] else 0
    return WriteSummary(
        COMBINED, updated=1 + len(sources) - gone, deleted=gone, uids=[str(body["target"]), *sources],
        envelope=answer if isinstance(answer, dict) else None,
    )  # fmt: skip
