"""`metadata category-combos doctor|regenerate` and `category-option-combos merge`: the category model, checked and mended."""

from __future__ import annotations

import asyncio
import itertools
import math
import shlex
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import CheckFailed, Forbidden, NotFound, Refused, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.holdings import ALL_TIME, MOST_VALUES
from dhis2sh.metadata.writes import called
from dhis2sh.plugins.metadata.types.merging import KEPT, Keep, missing_authority
from dhis2sh.plugins.metadata.writing import uids_of
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Piped, Refers, applies, verb
from dhis2sh.words import counted, counted_objects, listed, nouns

if TYPE_CHECKING:
    from dhis2sh.client.data_values import DataValueQuery
    from dhis2sh.client.requests import Param

OPTIONS, CATEGORIES, COMBOS, COMBINED = "categoryOptions", "categories", "categoryCombos", "categoryOptionCombos"
DEFAULTS = {
    OPTIONS: "xYerKDKCefk", CATEGORIES: "GLevLNI9wkl", COMBOS: "bjDvmb4bfuf", COMBINED: "HllvX50cXC0",
}  # fmt: skip
"""The default of each layer as a server makes it; the same UIDs everywhere."""
REGENERATE = "maintenance/categoryOptionComboUpdate/categoryCombo"
PATIENCE = 20
"""How often, half a second apart, the server is asked whether it has made what it was told to."""
Combo = Annotated[str, Doc("UID, code or unique name of the combination."), Refers(COMBOS)]
type Problem = Literal[
    "duplicate", "missing", "superfluous", "no categories", "no options", "shared option", "default", "no default",
    "several defaults",
]  # fmt: skip


async def combo_with_options(s: Session, combo: str) -> JsonObject:
    """A combination with its categories and their options. Raises `NotFound`."""
    return await s.client.get_object(
        f"{COMBOS}/{combo}", {"fields": "id,name,categories[id,name,categoryOptions[id,name]]"}
    )


def expected(body: Mapping[str, JsonValue]) -> int:
    """How many option combinations a combination makes."""
    axes = [cast("list[JsonValue]", item.get("categoryOptions") or []) for item in _categories(body)]
    return math.prod(len(axis) for axis in axes) if axes else 0


async def count(s: Session, combo: str) -> int:
    """How many option combinations a combination has."""
    page = await s.client.list_page(COMBINED, {"filter": f"categoryCombo.id:eq:{combo}", "fields": "id", "pageSize": 1})
    return page.total or 0


async def completed(s: Session, combo: str) -> tuple[int, int]:
    """Make the server make what a combination lacks, where it lacks something; how many it should have and has then.

    Raises `Forbidden` without the authority F_PERFORM_MAINTENANCE.
    """
    wanted = expected(await combo_with_options(s, combo))
    found = await count(s, combo)
    if found >= wanted:
        return wanted, found
    await s.client.post(f"{REGENERATE}/{combo}")
    for _ in range(PATIENCE):
        found = await count(s, combo)
        if found >= wanted:
            break
        s.person.progress("option combinations", found, wanted)
        await asyncio.sleep(0.5)
    return wanted, found


def _categories(body: Mapping[str, JsonValue]) -> list[JsonObject]:
    return cast("list[JsonObject]", body.get("categories") or [])


def _options(body: Mapping[str, JsonValue]) -> list[JsonObject]:
    return cast("list[JsonObject]", body.get("categoryOptions") or [])


class ComboFinding(BaseModel):
    """Something that is wrong with a category combination.

    Parameters:
        combo, name: the combination; of the defaults a layer.
        problem, detail: what it is, in words.
        uids: what is wrong; of duplicates the one that stays first.
        values: data values that are in the wrong place; None where they were not counted.
        fix: what to do, a command where there is one.
    """

    combo: str
    name: str
    problem: Problem
    detail: str
    uids: list[str]
    values: int | None = None
    fix: str = ""


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
    combos, held = await _read(s, [combo] if combo is not None else [])
    found = [finding for body in combos for finding in examined(body, held.get(str(body["id"]), []))]
    if combo is None:
        found += [finding async for finding in _defaults(s, combos)]
    if not skip_values:
        await _weigh(s, found)
    merges = COMBINED in (await s.client.version()).behaviour.merge_types
    for finding in found:
        finding.fix = _fix(finding, merges=merges)
    if combo is not None and combos:
        there = len(held.get(combo, []))
        s.person.note(
            f"{called(combos[0])} makes {counted(expected(combos[0]), 'option combination')}, {there:,} are there"
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


async def _read(s: Session, uids: Sequence[str]) -> tuple[list[JsonObject], dict[str, list[JsonObject]]]:
    """Combinations (all of them without UIDs), and the option combinations of each."""
    params: dict[str, Param] = {"fields": "id,name,categories[id,name,categoryOptions[id,name]]", "paging": False}
    inner: dict[str, Param] = {"fields": "id,name,categoryCombo[id],categoryOptions[id,name]", "paging": False}
    if uids:
        wanted = f"in:[{','.join(uids)}]"
        params["filter"], inner["filter"] = f"id:{wanted}", f"categoryCombo.id:{wanted}"
    combos = (await s.client.list_page(COMBOS, params)).rows
    held: dict[str, list[JsonObject]] = {}
    for row in (await s.client.list_page(COMBINED, inner)).rows:
        held.setdefault(str(cast("JsonObject", row["categoryCombo"])["id"]), []).append(row)
    return combos, held


def examined(combo: Mapping[str, JsonValue], combined: Sequence[Mapping[str, JsonValue]]) -> Iterator[ComboFinding]:
    """What is wrong with one combination and its option combinations."""
    uid, name = str(combo["id"]), str(combo["name"])

    def finding(problem: Problem, detail: str, uids: Sequence[str] = ()) -> ComboFinding:
        return ComboFinding(combo=uid, name=name, problem=problem, detail=detail, uids=[*uids])

    names = {str(option["id"]): str(option.get("name")) for row in combined for option in _options(row)}
    axes = {str(row["id"]): [str(option["id"]) for option in _options(row)] for row in _categories(combo)}
    titles = {str(row["id"]): str(row.get("name")) for row in _categories(combo)}
    names |= {str(option["id"]): str(option.get("name")) for row in _categories(combo) for option in _options(row)}
    if not axes:
        yield finding("no categories", "no data can be on it")
    for category, axis in axes.items():
        if not axis:
            yield finding("no options", f"category '{titles[category]}' [{category}] has none", [category])
    shared = [one for one, often in Counter(itertools.chain.from_iterable(axes.values())).items() if often > 1]
    if shared:
        told = listed(names[one] for one in shared)
        yield finding("shared option", f"in two of its categories: {told}", shared)
    wanted = [frozenset(choice) for choice in itertools.product(*axes.values())] if axes else []
    there: dict[frozenset[str], list[str]] = {}
    for row in combined:
        there.setdefault(frozenset(str(option["id"]) for option in _options(row)), []).append(str(row["id"]))

    def spoken(key: frozenset[str]) -> str:
        order = [option for axis in axes.values() for option in axis if option in key]
        return ", ".join(names[option] for option in [*order, *sorted(key - set(order))]) or "no option"

    for key, uids in there.items():
        if key not in set(wanted):
            yield finding("superfluous", f"'{spoken(key)}' is no combination of its options", uids)
        elif len(uids) > 1:
            yield finding("duplicate", f"'{spoken(key)}' is there {len(uids)} times", uids)
    missing = [spoken(key) for key in dict.fromkeys(wanted) if key not in there]
    if missing:
        yield finding("missing", f"{len(missing):,} of {len(wanted):,}: {listed(f"'{text}'" for text in missing)}")


async def _defaults(s: Session, combos: Sequence[JsonObject]) -> AsyncIterator[ComboFinding]:
    """What is wrong with the defaults: not one of each layer, or in company that they should not have."""
    for plural, uid in DEFAULTS.items():
        rows = (await s.client.list_page(plural, {"filter": "name:eq:default", "fields": "id", "paging": False})).rows
        if len(rows) == 1:
            continue
        uids = sorted((str(row["id"]) for row in rows), key=lambda one: one != uid)
        problem: Problem = "several defaults" if rows else "no default"
        detail = f"{counted(len(rows), *nouns(plural))} called 'default', there must be one"
        yield ComboFinding(
            combo=uids[0] if plural == COMBOS and uids else "", name=plural, problem=problem, detail=detail, uids=uids
        )
    for body in combos:
        with_default = [row for row in _categories(body) if row["id"] == DEFAULTS[CATEGORIES]]
        if with_default and body.get("name") != "default":
            yield ComboFinding(
                combo=str(body["id"]), name=str(body["name"]), problem="default", uids=[DEFAULTS[CATEGORIES]],
                detail="has the category 'default', which belongs to the combination 'default' alone",
            )  # fmt: skip


async def _weigh(s: Session, findings: Sequence[ComboFinding]) -> None:
    """Count the data values in the wrong place; of duplicates the one with most values comes first, it stays."""
    wrong = [finding for finding in findings if finding.problem in {"duplicate", "superfluous"}]
    for combo in dict.fromkeys(finding.combo for finding in wrong):
        counts = await _values(s, combo)
        if counts is None:
            continue
        for finding in wrong:
            if finding.combo != combo:
                continue
            if finding.problem == "duplicate":
                finding.uids = [uid for uid, _ in Counter({uid: counts[uid] for uid in finding.uids}).most_common()]
                spread = ", ".join(f"{uid} has {counted(counts[uid], 'data value')}" for uid in finding.uids)
                finding.detail += f": {spread}"
                finding.values = sum(counts[uid] for uid in finding.uids[1:])
            else:
                finding.values = sum(counts[uid] for uid in finding.uids)


async def _values(s: Session, combo: str) -> Counter[str] | None:
    """Data values by option combination, of the elements and data sets that a combination disaggregates; None where they cannot be read."""
    elements = [
        str(row["id"])
        for row in await writes.read_all(s, "dataElements", [f"categoryCombo.id:eq:{combo}"], fields="id")
    ]
    sets = await writes.read_all(
        s, "dataSets", (), fields="id,categoryCombo[id],dataSetElements[dataElement[id],categoryCombo[id]]"
    )
    for row in sets:
        for item in cast("list[JsonObject]", row.get("dataSetElements") or []):
            if cast("JsonObject", item.get("categoryCombo") or {}).get("id") == combo:
                elements.append(str(cast("JsonObject", item["dataElement"])["id"]))
    own = [str(row["id"]) for row in sets if cast("JsonObject", row.get("categoryCombo") or {}).get("id") == combo]
    roots = [str(row["id"]) for row in await writes.read_all(s, "organisationUnits", ["level:eq:1"], fields="id")]
    counts: Counter[str] = Counter()
    if not roots or not (elements or own):
        return counts
    try:
        for query, column in _queries(elements, own, roots):
            async for row in s.client.data_values.iter(**query):
                counts[str(row.get(column))] += 1
            if counts.total() >= MOST_VALUES:
                s.person.warn(f"only {MOST_VALUES:,} data values were counted: there may be more")
                return counts
    except (Refused, Forbidden, NotFound) as error:
        s.person.warn(f"data values could not be counted: {error}")
        return None
    return counts


def _queries(
    elements: Sequence[str], sets: Sequence[str], roots: Sequence[str]
) -> Iterator[tuple[DataValueQuery, str]]:
    """Which data values to read, and the column that says their option combination: elements first, then attributes."""
    everywhere: DataValueQuery = {**ALL_TIME, "org_unit": roots, "children": True, "limit": MOST_VALUES}
    for part in itertools.batched(dict.fromkeys(elements), writes.UIDS_IN_ONE_ADDRESS, strict=False):
        yield {**everywhere, "data_element": part}, "categoryOptionCombo"
    for part in itertools.batched(sets, writes.UIDS_IN_ONE_ADDRESS, strict=False):
        yield {**everywhere, "data_set": part}, "attributeOptionCombo"


def _fix(finding: ComboFinding, *, merges: bool) -> str:
    """What mends it, a command where there is one."""
    named = finding.combo if finding.name == "default" else shlex.quote(finding.name)
    match finding.problem:
        case "duplicate" if merges:
            first, *others = finding.uids
            return f"dhis2 metadata category-option-combos merge {' '.join(others)} --into {first}"
        case "duplicate":
            return f"this server cannot merge them (2.42 can): move the values to {finding.uids[0]}, delete the others"
        case "missing":
            return f"dhis2 metadata category-combos regenerate {named}"
        case "superfluous" if finding.values:
            return f"see what holds it: dhis2 metadata usage {finding.uids[0]}; its values are in no form"
        case "superfluous":
            return f"dhis2 metadata category-option-combos delete {' '.join(finding.uids)}"
        case "several defaults" if finding.name == COMBOS:
            others = ",".join(finding.uids[1:])
            return (
                f"dhis2 metadata retag dataElements --filter 'categoryCombo.id:in:[{others}]' "
                f"--set categoryCombo={finding.uids[0]}, then delete the others"
            )
        case "several defaults" if finding.name == OPTIONS and merges:
            return f"POST categoryOptions/merge: {', '.join(finding.uids[1:])} into {finding.uids[0]}"
        case "several defaults":
            return f"keep {finding.uids[0]}: dhis2 metadata usage {finding.uids[1]}, then delete what is not used"
        case "no default":
            return f"import the default of a fresh server: its UID is {DEFAULTS.get(finding.name)}"
        case "shared option":
            return "give one of the categories an option of its own"
        case "default" | "no categories":
            return f"dhis2 metadata category-combos update {named} --categories NAMES"
        case "no options":
            return f"dhis2 metadata categories add {finding.uids[0]} OPTION"


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
    bodies, held = await _read(s, uids_of(combos) if combos is not None else [])
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
    _, before = await _read(s, uids)
    for uid in uids:
        await s.client.post(f"{REGENERATE}/{uid}")
        await completed(s, uid)
    bodies, after = await _read(s, uids)
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
    found, target = await _duplicates(s, uids, into)
    combo = cast("JsonObject", target.get("categoryCombo") or {})
    counts = await _values(s, str(combo.get("id")))
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


async def _duplicates(s: Session, uids: Sequence[str], into: str) -> tuple[list[JsonObject], JsonObject]:
    """The sources of a merge and its target. Raises `UsageError` where they are no duplicates of each other."""
    fields = "id,name,categoryCombo[id,name],categoryOptions[id]"
    *found, target = await writes.read_objects(
        s, COMBINED, [*(uid for uid in uids if uid != into), into], fields=fields
    )
    if into in uids:
        raise UsageError(f"{called(target)} cannot be merged into itself", hint="--into another one")
    for row in found:
        if _place(row) != _place(target):
            raise UsageError(
                f"{called(row)} is no duplicate of {called(target)}: their options differ",
                hint="dhis2 metadata category-combos doctor",
            )
    return found, target


def _place(row: JsonObject) -> tuple[object, frozenset[str]]:
    combo = cast("JsonObject", row.get("categoryCombo") or {})
    return combo.get("id"), frozenset(str(option["id"]) for option in _options(row))


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
