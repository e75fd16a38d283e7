"""`metadata category-combos doctor|regenerate` and `category-option-combos merge`: the category model, checked and mended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
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
from dhis2sh.metadata.write import called
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Piped, Refers, verb
from dhis2sh.words import counted, counted_objects

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary


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
            hint="each finding says what mends it",
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
    uids = [str(step.uid) for step in steps]
    requests = [
        Request("POST", f"{REGENERATE}/{uid}", steps=[number], then=partial(completed, combo=uid))
        for number, uid in enumerate(uids)
    ]
    before = {str(row["id"]) for uid in uids for row in held.get(uid, [])}
    return Plan(
        f"regenerate the option combinations of {counted(len(steps), 'combination')}",
        steps,
        notes=[f"{same:,} already right"] if same else [],
        writer=ByRequest(COMBINED, requests, complete=partial(_compared, uids=uids, before=before)),
    )


async def _compared(s: Session, summary: WriteSummary, *, uids: list[str], before: set[str]) -> None:
    """Say what a server has made of combinations, by reading them again."""
    bodies, after = await read_combos(s, uids)
    now = {str(row["id"]) for rows in after.values() for row in rows}
    left = [one.problem for body in bodies for one in examined(body, after.get(str(body["id"]), []))]
    lacking, held = left.count("missing"), left.count("superfluous")
    notes = [
        *([f"{counted(lacking, 'combination')} still lack some: the server makes them later"] if lacking else []),
        *([f"{held:,} superfluous stay: something holds them (dhis2 metadata category-combos doctor)"] if held else []),
    ]
    summary.created, summary.deleted, summary.uids = len(now - before), len(before - now), uids
    summary.say(*notes)


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
    gone, kept = (uids, [into]) if not keep_sources else ([], [into, *uids])
    request = Request("POST", f"{COMBINED}/merge", body, steps=range(len(steps)), updated=kept, deleted=gone)
    return Plan(
        f"merge {counted_objects(len(found), COMBINED)} of '{combo.get('name')}' into {called(target)}",
        steps, notes=[words, "this cannot be undone"], writer=ByRequest(COMBINED, [request]),
        blocked=await missing_authority(s, "F_CATEGORY_OPTION_COMBO_MERGE", "merging option combinations"),
    )  # fmt: skip
