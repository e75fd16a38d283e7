"""How data are reported: the types of the periods that some items of analytics have numbers for, and which are of programs.

Read from the server only where a question has no numbers: the reasons are looked up, none is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.dhis2.periods import PERIOD_TYPES, Period, PeriodType, RelativePeriod, period_type
from dhis2sh.dhis2.uids import found_in
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

TYPES = ("dataElements", "indicators", "programIndicators", "dataSets", "dataElementGroups", "indicatorGroups")
_SETS = "dataSetElements[dataSet[id,periodType]]"
FIELDS = f"id,displayName,domainType,aggregationType,periodType,numerator,denominator,{_SETS},dataElements[id],indicators[id]"
_DEEPEST = 4
"""Indicators within indicators that are followed."""
_SPREAD = ("AVERAGE", "AVERAGE_SUM_ORG_UNIT")
"""Aggregation types whose numbers hold for every shorter period too (recorded: a yearly population by month)."""


@dataclass(slots=True)
class Reported:
    """How some data are reported.

    Parameters:
        kinds: the period types of their data sets, the shortest first; none where they are of no set.
        elements: the UIDs of the data elements of data sets, those of formulas and groups with them.
        of_programs: data elements, by name, that only programs collect; indicators: by name.
        program_indicators: by name.
        spread: some are averages, which have numbers for shorter periods too.
        other: some are of programs, which have numbers for periods of every type, or of a type that is unknown here.
    """

    kinds: list[PeriodType] = field(default_factory=list[PeriodType])
    elements: list[str] = field(default_factory=list[str])
    of_programs: list[str] = field(default_factory=list[str])
    indicators: list[str] = field(default_factory=list[str])
    program_indicators: list[str] = field(default_factory=list[str])
    spread: bool = False
    other: bool = False

    def too_short(self, periods: Iterable[Period]) -> list[Period]:
        """Those of some periods that no period of the data belongs to, since all of theirs are as long or longer."""
        if not self.kinds or self.spread or self.other:
            return []
        return [period for period in periods if not any(_fits(kind, period) for kind in self.kinds)]

    def longest(self) -> PeriodType:
        """The type of the years that the data have numbers for: calendar years, but of data of other years alone theirs."""
        year = period_type("Yearly")
        return year if not self.kinds or any(_fits(kind, Period.of(year)) for kind in self.kinds) else self.kinds[0]

    def shortest(self) -> PeriodType:
        """The type of the shortest periods of the data; months where they have none, and for days, which are many."""
        return next((kind for kind in self.kinds if kind.frequency_order > 1), period_type("Monthly"))


def _fits(kind: PeriodType, period: Period) -> bool:
    return kind == period.type or kind.frequency_order < period.type.frequency_order


def fixed(items: Iterable[str]) -> list[Period]:
    """The periods that items of `pe` are today; nothing of what is no period."""
    found: list[Period] = []
    for item in items:
        if item in RelativePeriod.__members__:
            found += RelativePeriod(item).resolve()
            continue
        try:
            found.append(Period.parse(item))
        except UsageError:
            continue
    return found


async def reported(s: Session, items: Iterable[str]) -> Reported:
    """How the data of some items of `dx` are reported; of indicators the data in their formulas."""
    found, kinds = Reported(), set[str]()
    asked = list(items)
    seen, wanted = set[str](), [uid for item in asked for uid in found_in(item)]
    for _ in range(_DEEPEST):
        new = [uid for uid in dict.fromkeys(wanted) if uid not in seen]
        if not new:
            break
        seen |= set(new)
        hits = await reading.of_any_type(s.client, new, fields=FIELDS, types=TYPES)
        wanted = list[str]()
        for plural, rows in hits.items():
            for row in rows:
                wanted += _learn(found, kinds, plural, row, alone=str(row["id"]) in asked)
    known = [kind for kind in PERIOD_TYPES if kind.name in kinds]
    found.other = found.other or len(known) < len(kinds)
    found.kinds = sorted(known, key=lambda kind: kind.frequency_order)
    return found


def _learn(found: Reported, kinds: set[str], plural: str, row: Row, *, alone: bool) -> list[str]:
    """Take down what an object says; which other ones are to be looked at.

    Parameters:
        alone: it is asked for by itself, and no part of an operand or a formula.
    """
    name = str(row.get("displayName") or row["id"])
    match plural:
        case "dataSets":
            kinds.add(str(row.get("periodType")))
        case "programIndicators":
            found.other = True
            found.program_indicators += [name] if alone else []
        case "indicators":
            found.indicators += [name] if alone else []
            return [uid for side in ("numerator", "denominator") for uid in found_in(str(row.get(side) or ""))]
        case "dataElements" if row.get("domainType") == "TRACKER":
            found.other = True
            found.of_programs += [name] if alone else []
        case "dataElements":
            found.elements.append(str(row["id"]))
            found.spread = found.spread or row.get("aggregationType") in _SPREAD
            links = cast("list[JsonObject]", row.get("dataSetElements") or [])
            sets = [cast("JsonObject", link.get("dataSet") or {}) for link in links]
            kinds |= {str(each["periodType"]) for each in sets if each.get("periodType")}
        case _:
            members = [
                *cast("list[JsonObject]", row.get("dataElements") or []),
                *cast("list[JsonObject]", row.get("indicators") or []),
            ]
            return [str(each["id"]) for each in members]
    return []
