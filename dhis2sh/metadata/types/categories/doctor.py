"""The category model looked through: duplicate, missing and superfluous option combinations, and what mends them."""

from __future__ import annotations

import asyncio
import itertools
import math
import shlex
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import BaseModel

from dhis2sh.client.usage import UIDS_IN_ONE_ADDRESS
from dhis2sh.dhis2.properties import DEFAULT_NAME, DEFAULT_OBJECTS
from dhis2sh.errors import Forbidden, NotFound, Refused, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.units.holdings import ALL_TIME, MOST_VALUES
from dhis2sh.metadata.write import called
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs.declaration import Doc, Refers
from dhis2sh.words import counted, listed, nouns

if TYPE_CHECKING:
    from dhis2sh.client.data_values import DataValueQuery
    from dhis2sh.client.requests import Param


OPTIONS, CATEGORIES, COMBOS, COMBINED = "categoryOptions", "categories", "categoryCombos", "categoryOptionCombos"
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


def expected_of(body: Mapping[str, JsonValue]) -> int:
    """How many option combinations a combination makes."""
    axes = [cast("list[JsonValue]", item.get("categoryOptions") or []) for item in _categories(body)]
    return math.prod(len(axis) for axis in axes) if axes else 0


async def count_of(s: Session, combo: str) -> int:
    """How many option combinations a combination has."""
    page = await s.client.list_page(COMBINED, {"filter": f"categoryCombo.id:eq:{combo}", "fields": "id", "pageSize": 1})
    return page.total or 0


async def completed(s: Session, combo: str) -> tuple[int, int]:
    """Make the server make what a combination lacks, where it lacks something; how many it should have and has then.

    Raises `Forbidden` without the authority F_PERFORM_MAINTENANCE.
    """
    wanted = expected_of(await combo_with_options(s, combo))
    found = await count_of(s, combo)
    if found >= wanted:
        return wanted, found
    await s.client.post(f"{REGENERATE}/{combo}")
    for _ in range(PATIENCE):
        found = await count_of(s, combo)
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


async def read_combos(s: Session, uids: Sequence[str]) -> tuple[list[JsonObject], dict[str, list[JsonObject]]]:
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
    made = _Made.of(combo, combined)
    for problem, detail, uids in (*made.wrong_axes(combo), *made.wrong_combinations()):
        yield ComboFinding(combo=uid, name=name, problem=problem, detail=detail, uids=[*uids])


type _Wrong = tuple[Problem, str, Sequence[str]]
"""A problem, what it is in words, and the UIDs of what is wrong."""


@dataclass(frozen=True, slots=True)
class _Made:
    """What a combination makes and what is there of it.

    Parameters:
        names: of options, by UID.
        axes: the options of each category, by its UID.
        there: the option combinations of each choice of options.
    """

    names: Mapping[str, str]
    axes: Mapping[str, Sequence[str]]
    there: Mapping[frozenset[str], Sequence[str]]

    @classmethod
    def of(cls, combo: Mapping[str, JsonValue], combined: Sequence[Mapping[str, JsonValue]]) -> _Made:
        """Read out of a combination and its option combinations."""
        held = [option for row in (*combined, *_categories(combo)) for option in _options(row)]
        there: dict[frozenset[str], list[str]] = {}
        for row in combined:
            there.setdefault(frozenset(str(option["id"]) for option in _options(row)), []).append(str(row["id"]))
        return cls(
            {str(option["id"]): str(option.get("name")) for option in held},
            {str(row["id"]): [str(option["id"]) for option in _options(row)] for row in _categories(combo)},
            there,
        )

    def wrong_axes(self, combo: Mapping[str, JsonValue]) -> Iterator[_Wrong]:
        """Categories that make no combination, or some that cannot be told apart."""
        if not self.axes:
            yield "no categories", "no data can be on it", ()
        for row in _categories(combo):
            if not _options(row):
                yield "no options", f"category '{row.get('name')}' [{row['id']}] has none", [str(row["id"])]
        often = Counter(itertools.chain.from_iterable(self.axes.values()))
        if shared := [one for one, count in often.items() if count > 1]:
            yield "shared option", f"in two of its categories: {listed(self.names[one] for one in shared)}", shared

    def wrong_combinations(self) -> Iterator[_Wrong]:
        """Option combinations that should not be there, are there twice, or are missing."""
        wanted = [frozenset(choice) for choice in itertools.product(*self.axes.values())] if self.axes else []
        known = set(wanted)
        for key, uids in self.there.items():
            if key not in known:
                yield "superfluous", f"'{self._spoken(key)}' is no combination of its options", uids
            elif len(uids) > 1:
                yield "duplicate", f"'{self._spoken(key)}' is there {len(uids)} times", uids
        missing = [self._spoken(key) for key in dict.fromkeys(wanted) if key not in self.there]
        if missing:
            yield "missing", f"{len(missing):,} of {len(wanted):,}: {listed(f"'{text}'" for text in missing)}", ()

    def _spoken(self, key: frozenset[str]) -> str:
        """The options of a choice by name, in the order of the categories."""
        order = [option for axis in self.axes.values() for option in axis if option in key]
        return ", ".join(self.names[option] for option in [*order, *sorted(key - set(order))]) or "no option"


async def check_defaults(s: Session, combos: Sequence[JsonObject]) -> AsyncIterator[ComboFinding]:
    """What is wrong with the defaults: not one of each layer, or in company that they should not have."""
    for plural, uid in DEFAULT_OBJECTS.items():
        rows = (
            await s.client.list_page(plural, {"filter": f"name:eq:{DEFAULT_NAME}", "fields": "id", "paging": False})
        ).rows
        if len(rows) == 1:
            continue
        uids = sorted((str(row["id"]) for row in rows), key=lambda one: one != uid)
        problem: Problem = "several defaults" if rows else "no default"
        detail = f"{counted(len(rows), *nouns(plural))} called 'default', there must be one"
        yield ComboFinding(
            combo=uids[0] if plural == COMBOS and uids else "", name=plural, problem=problem, detail=detail, uids=uids
        )
    for body in combos:
        with_default = [row for row in _categories(body) if row["id"] == DEFAULT_OBJECTS[CATEGORIES]]
        if with_default and body.get("name") != DEFAULT_NAME:
            yield ComboFinding(
                combo=str(body["id"]), name=str(body["name"]), problem="default", uids=[DEFAULT_OBJECTS[CATEGORIES]],
                detail="has the category 'default', which belongs to the combination 'default' alone",
            )  # fmt: skip


async def weigh(s: Session, findings: Sequence[ComboFinding]) -> None:
    """Count the data values in the wrong place; of duplicates the one with most values comes first, it stays."""
    wrong = [finding for finding in findings if finding.problem in {"duplicate", "superfluous"}]
    for combo in dict.fromkeys(finding.combo for finding in wrong):
        counts = await values_by_combination(s, combo)
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


async def values_by_combination(s: Session, combo: str) -> Counter[str] | None:
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
            async for row in s.client.data_values.iter(whole=True, **query):
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
    for part in itertools.batched(dict.fromkeys(elements), UIDS_IN_ONE_ADDRESS, strict=False):
        yield {**everywhere, "data_element": part}, "categoryOptionCombo"
    for part in itertools.batched(sets, UIDS_IN_ONE_ADDRESS, strict=False):
        yield {**everywhere, "data_set": part}, "attributeOptionCombo"


def fix_of(finding: ComboFinding, *, merges: bool) -> str:
    """What mends it, a command where there is one."""
    named = finding.combo if finding.name == DEFAULT_NAME else shlex.quote(finding.name)
    match finding.problem:
        case "duplicate" if merges:
            first, *others = finding.uids
            return f"dhis2 metadata category-option-combos merge {' '.join(others)} --into {first}"
        case "duplicate":
            return f"this server cannot merge them (2.42 can): move the values to {finding.uids[0]}, delete the others"
        case "missing":
            return f"dhis2 metadata category-combos regenerate {named}"
        case "superfluous" if finding.values:
            return f"dhis2 metadata usage {finding.uids[0]}  says what holds it; its values are in no form"
        case "superfluous":
            return f"dhis2 metadata category-option-combos delete {' '.join(finding.uids)}"
        case "several defaults" if finding.name == COMBOS:
            others = ",".join(finding.uids[1:])
            return (
                f"dhis2 metadata retag dataElements --filter 'categoryCombo.id:in:[{others}]' "
                f"--set categoryCombo={finding.uids[0]}  and delete the others then"
            )
        case "several defaults" if finding.name == OPTIONS and merges:
            return f"POST categoryOptions/merge: {', '.join(finding.uids[1:])} into {finding.uids[0]}"
        case "several defaults":
            return f"dhis2 metadata usage {finding.uids[1]}  says what uses it; keep {finding.uids[0]}, and delete what nothing uses"
        case "no default":
            return f"import the default of a fresh server: its UID is {DEFAULT_OBJECTS.get(finding.name)}"
        case "shared option":
            return "give one of the categories an option of its own"
        case "default" | "no categories":
            return f"dhis2 metadata category-combos update {named} --categories NAMES"
        case "no options":
            return f"dhis2 metadata categories add {finding.uids[0]} OPTION"


async def duplicates(s: Session, uids: Sequence[str], into: str) -> tuple[list[JsonObject], JsonObject]:
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
