"""Dimensions as people write them, `dx='BCG doses given' pe=2025 ou=LEVEL-4`, into the items that a server takes.

API source: `DataQueryParams.java`, `DimensionalObjectProducer.java` (api-facts g.1).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.analytics.reported import fixed, reported
from dhis2sh.dhis2.periods import RelativePeriod
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.dhis2.written import period_items
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.verbs import names, periods
from dhis2sh.words import folded, joined

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

DATA = ("dataElements", "indicators", "programIndicators")
"""What a name in `dx` may be of."""
GROUPS = {"DE_GROUP": "dataElementGroups", "IN_GROUP": "indicatorGroups", "OU_GROUP": "organisationUnitGroups"}
"""Prefixes that stand for all in a group."""
RATES = ("REPORTING_RATE", "REPORTING_RATE_ON_TIME", "ACTUAL_REPORTS", "ACTUAL_REPORTS_ON_TIME", "EXPECTED_REPORTS")
USER_UNITS = ("USER_ORGUNIT", "USER_ORGUNIT_CHILDREN", "USER_ORGUNIT_GRANDCHILDREN")
OWN_DIMENSIONS = {
    "categories": "categoryOptions", "categoryOptionGroupSets": "categoryOptionGroups",
    "organisationUnitGroupSets": "organisationUnitGroups", "dataElementGroupSets": "dataElementGroups",
}  # fmt: skip
"""Types that are dimensions of their own, and of what their items are."""
_COMBOS = "categoryCombo[categoryOptionCombos[id,displayName]]"
_LEVEL = re.compile(r"LEVEL-(.+)", re.I)


@dataclass(slots=True)
class Question:
    """What is asked of aggregate analytics.

    Parameters:
        dimensions: what makes the rows: items by the name of the dimension.
        filters: what is summed up over.
        as_given: data that nobody has looked for: their texts look like UIDs and like nothing else.
    """

    dimensions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    filters: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    as_given: set[str] = field(default_factory=set[str], compare=False)

    def has(self, name: str) -> bool:
        """Is it a dimension or a filter?"""
        return name in self.dimensions or name in self.filters


async def question_of(s: Session, dimensions: Sequence[str], filters: Sequence[str]) -> Question:
    """The question that some texts ask: `name=item;item`, a name twice adds to it.

    Raises `UsageError` for what is no dimension, no period, or lacks data, time or place: a server answers without units
    over all of them, and without a word. Raises `NotFound` for a name that nothing has.
    """
    asked = await read(s, dimensions, filters)
    return (await looked_for(s, asked, asked.as_given))[0]


async def read(s: Session, dimensions: Sequence[str], filters: Sequence[str]) -> Question:
    """The question, with what looks like a UID taken for one: `looked_for` says whether it is. Errors as of `question_of`."""
    cut = [_cut(text) for text in (*dimensions, *filters)]
    for name, items in cut:
        if name == "pe":  # what is no period is said before anything is asked
            [period_items(text) for text in items]
    known = await asyncio.gather(*(dimension(s, name, items) for name, items in cut))
    asked = Question(as_given={item for name, items in cut if name == "dx" for item in items if names.certain(item)})
    for at, (key, items) in enumerate(known):
        found = asked.dimensions if at < len(dimensions) else asked.filters
        found.setdefault(key, []).extend(item for item in items if item not in found.get(key, []))
    both = asked.dimensions.keys() & asked.filters.keys()
    if both:
        raise UsageError(f"{', '.join(sorted(both))} is a dimension and a filter", hint="say it once")
    for name, example in (("dx", "dx='BCG doses given'"), ("pe", "pe=2025"), ("ou", "ou=LEVEL-2")):
        if not asked.has(name):
            raise UsageError(f"no {_CALLED[name]}", hint=f"say {example}, or --filter {example}")
    await _tell_of_rates(s, asked)
    return asked


async def _tell_of_rates(s: Session, asked: Question) -> None:
    """Warn where rates are asked for in periods in which no report of their sets can be: a server says 0 % of them."""
    every = asked.dimensions | asked.filters
    rates = [item for item in every["dx"] if item.rpartition(".")[2] in RATES]
    if rates:
        about = await reported(s, rates)
        if short := about.too_short(fixed(every["pe"])):
            s.person.warn(f"rates of these periods say nothing: {periods.unlike(short, about.kinds)}")


async def looked_for(s: Session, asked: Question, texts: Iterable[str], fields: str = "") -> tuple[Question, list[Row]]:
    """The question with some of its data looked for, and their objects. Errors as of `question_of`.

    Parameters:
        texts: UIDs among its data. One that is none after all may be a code or a name.
        fields: what is wanted of the objects.
    """
    hits = await names.among(s, DATA, sorted(texts), fields=fields) if texts else {}

    def uids(of: Mapping[str, list[str]]) -> dict[str, list[str]]:
        found = {name: [hits[i].uid if name == "dx" and i in hits else i for i in items] for name, items in of.items()}
        return {name: list(dict.fromkeys(items)) for name, items in found.items()}

    return Question(uids(asked.dimensions), uids(asked.filters)), [hit.row for hit in hits.values() if hit.row]


_CALLED = {"dx": "data (dx)", "pe": "time (pe)", "ou": "organisation units (ou)"}


def _cut(text: str) -> tuple[str, list[str]]:
    name, mark, items = text.partition("=")
    if not mark:
        name, mark, items = text.partition(":")
    if not mark or not name.strip():
        raise UsageError(
            f"'{text}' is no dimension",
            hint=f"dx='{text}' for data, '{text}=' for all of a dimension; others look like pe=2025, ou=LEVEL-2",
        )
    return name.strip(), [item.strip() for item in items.split(";") if item.strip()]


async def dimension(s: Session, name: str, items: Sequence[str]) -> tuple[str, list[str]]:
    """A dimension by its UID, with its items. Errors as of `question_of`."""
    match name:
        case "dx":
            return "dx", await _data(s, items)
        case "pe":
            return "pe", [item for text in items for item in period_items(text)]
        case "ou":
            return "ou", await units(s, items)
        case "co" | "ao":
            return name, list((await names.resolve_all(s, "categoryOptionCombos", items)).values())
        case _:
            found = (await names.among(s, tuple(OWN_DIMENSIONS), [name]))[name]
            return found.uid, list((await names.resolve_all(s, OWN_DIMENSIONS[found.plural], items)).values())


async def _data(s: Session, items: Sequence[str]) -> list[str]:
    """Data elements, indicators and program indicators by name; groups, reporting rates and operands by their parts."""
    found: dict[str, str] = {}
    named: list[str] = []
    for item in items:
        prefix, mark, rest = item.partition("-")
        head, dot, rate = item.rpartition(".")
        if mark and prefix in GROUPS:
            found[item] = f"{prefix}-{await names.resolve(s, GROUPS[prefix], rest)}"
        elif dot and rate in RATES:
            found[item] = f"{await names.resolve(s, 'dataSets', head)}.{rate}"
        elif (dot and all(part == "*" or is_uid(part) for part in item.split("."))) or names.certain(item):
            found[item] = item
        else:
            named.append(item)
    try:
        hits = await names.among(s, DATA, named) if named else {}
    except NotFound as error:
        pairs = {item: pair for item in named if (pair := await operand(s, item)) is not None}
        if not pairs:
            raise await with_rates(s, error, named) from error
        found |= {item: f"{element.uid}.{combo}" for item, (element, combo) in pairs.items()}
        rest = [item for item in named if item not in pairs]
        hits = await names.among(s, DATA, rest) if rest else {}
    return [found[item] if item in found else hits[item].uid for item in items]


async def operand(s: Session, text: str) -> tuple[names.Found, str] | None:
    """A data element and the UID of one of its option combinations, by name: `BCG doses given.Fixed, <1y`; None for no such text.

    Raises `NotFound` where the element has no such combination.
    """
    for at in (at for at, letter in enumerate(text) if letter == "."):
        head, tail = text[:at].strip(), text[at + 1 :].strip()
        rows = (await names.by_key(s, "dataElements", "name", [head], _COMBOS)).get(head) if head and tail else None
        if not rows or len(rows) > 1:
            continue
        row = rows[0]
        category_combo = cast("JsonObject", row.get("categoryCombo") or {})
        combos = cast("list[JsonObject]", category_combo.get("categoryOptionCombos") or [])
        called = {str(combo.get("displayName")): str(combo["id"]) for combo in combos}
        for name, uid in called.items():
            if tail == uid or folded(name) == folded(tail):
                return names.Found("dataElements", str(row["id"]), head, row), uid
        raise NotFound(
            f"'{head}' has no option combination '{tail}'",
            hint=did_you_mean(tail, list(called)) or f"it has {joined(called)}",
        )
    return None


async def with_rates(s: Session, error: NotFound, texts: Sequence[str]) -> NotFound:
    """The error where nothing of data has some names: that one is a data set's is said, with its rates."""
    if sets := await names.by_key(s, "dataSets", "name", texts):
        error.hint = f"'{next(iter(sets))}' is a data set, which has rates: dx='{next(iter(sets))}.REPORTING_RATE'"
    return error


async def units(s: Session, items: Sequence[str]) -> list[str]:
    """Organisation units, levels and groups by name, as a server takes them. Errors as of `question_of`."""
    found: dict[str, str] = {}
    named: list[str] = []
    for item in items:
        level, (prefix, mark, rest) = _LEVEL.fullmatch(item), item.partition("-")
        if level is not None:
            number = level[1]
            found[item] = (
                f"LEVEL-{number if number.isdigit() else await names.resolve(s, 'organisationUnitLevels', number)}"
            )
        elif mark and prefix == "OU_GROUP":
            found[item] = f"OU_GROUP-{await names.resolve(s, GROUPS[prefix], rest)}"
        elif item in USER_UNITS:
            found[item] = item
        else:
            named.append(item)
    found |= await names.resolve_all(s, "organisationUnits", named)
    return [found[item] for item in items]


def resolved(items: Iterable[str]) -> list[str]:
    """Periods with relative ones as the fixed ones that they are today."""
    relative = {str(item) for item in RelativePeriod}
    found = (
        [period.iso for period in RelativePeriod(item).resolve()] if item in relative else [item] for item in items
    )
    return list(dict.fromkeys(iso for many in found for iso in many))
