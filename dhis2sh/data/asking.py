"""Which data values: names, periods and units as people say them, into a query as the server takes it.

API source: `DataValueSetQueryParams.java` (api-facts f.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.client import reading
from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.client.limits import meanwhile
from dhis2sh.dhis2.belonging import WEEK, parts
from dhis2sh.dhis2.dates import day
from dhis2sh.dhis2.periods import Period, PeriodType, period_type
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.verbs import names, periods
from dhis2sh.verbs.declaration import Doc, Refers
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

MOST_PERIODS = 1_000
"""Periods that one question is spelled out in; more are asked for by their first and last day."""


@dataclass(slots=True)
class Asked:
    """Which data values; every name may be a UID, a code or a name."""

    data_set: Annotated[list[str], Doc("Values of these data sets; may be repeated."), Refers("dataSets")] = field(
        default_factory=lambda: []
    )
    data_element: Annotated[list[str], Doc("Values of these data elements."), Refers("dataElements")] = field(
        default_factory=lambda: []
    )
    data_element_group: Annotated[
        list[str], Doc("Values of the elements in these groups."), Refers("dataElementGroups")
    ] = field(default_factory=lambda: [])
    period: Annotated[
        list[str],
        Doc("Periods such as 202501, 202501..202506, 2025 or LAST_12_MONTHS; a longer one stands for all in it."),
    ] = field(default_factory=lambda: [])
    start_date: Annotated[str | None, Doc("Instead of periods: values of periods that begin on this day or later.")] = (
        None
    )
    end_date: Annotated[str | None, Doc("Instead of periods: values of periods that end on this day or earlier.")] = (
        None
    )
    org_unit: Annotated[list[str], Doc("Values of these organisation units."), Refers("organisationUnits")] = field(
        default_factory=lambda: []
    )
    org_unit_group: Annotated[
        list[str], Doc("Values of the units in these groups."), Refers("organisationUnitGroups")
    ] = field(default_factory=lambda: [])
    children: Annotated[bool, Doc("Of the units and of everything below them.")] = False
    attribute_option_combo: Annotated[
        list[str], Doc("Only these attribute option combinations."), Refers("categoryOptionCombos")
    ] = field(default_factory=lambda: [])

    @property
    def alone(self) -> list[str]:
        """The units that are asked for without what is below them."""
        return [] if self.children else self.org_unit


async def query_of(s: Session, asked: Asked) -> DataValueQuery:
    """The query for what was asked.

    A period that no data set of the question has stands for those in it: 2025 for the twelve months of a monthly set,
    where the server would answer with nothing; this is said.

    Raises `UsageError` where data, time or place is missing, and for what is no period; `NotFound` for what is not there.
    """
    _complete(asked)
    query: DataValueQuery = {}
    named = {
        "data_set": asked.data_set, "data_element": asked.data_element, "data_element_group": asked.data_element_group,
        "org_unit": asked.org_unit, "org_unit_group": asked.org_unit_group,
        "attribute_option_combo": asked.attribute_option_combo,
    }  # fmt: skip
    query.update(cast("DataValueQuery", {name: values for name, values in named.items() if values}))
    async with meanwhile(names.must_be_there(s, _named(asked))) as there:
        kinds = await kinds_of(s, asked) if asked.period else []
        await there
    if asked.period:
        query["period"] = await _periods(s, asked, kinds)
    if asked.start_date is not None and asked.end_date is not None:
        query |= {"start_date": day(asked.start_date), "end_date": day(asked.end_date)}
    if asked.children:
        query["children"] = True
    return query


def _named(asked: Asked) -> dict[str, list[str]]:
    """The objects that a question names, by their types."""
    return {
        "dataSets": asked.data_set, "dataElements": asked.data_element, "dataElementGroups": asked.data_element_group,
        "organisationUnits": asked.org_unit, "organisationUnitGroups": asked.org_unit_group,
        "categoryOptionCombos": asked.attribute_option_combo,
    }  # fmt: skip


def _complete(asked: Asked) -> None:
    """Raise for a question that the server would refuse, with the option that is missing."""
    if not (asked.data_set or asked.data_element or asked.data_element_group):
        raise UsageError("which data?", hint="--data-set NAME, --data-element NAME or --data-element-group NAME")
    dates = asked.start_date is not None or asked.end_date is not None
    if asked.period and dates:
        raise UsageError("periods or dates, not both", hint="--period 2025, or --start-date with --end-date")
    if not asked.period and (asked.start_date is None or asked.end_date is None):
        raise UsageError("which time?", hint="--period 202501, or --start-date 2025-01-01 --end-date 2025-12-31")
    if not (asked.org_unit or asked.org_unit_group):
        raise UsageError("which organisation units?", hint="--org-unit NAME, with --children for all below it")
    if asked.children and not asked.org_unit:
        raise UsageError("--children goes with --org-unit", hint="--org-unit NAME --children")


async def periods_of(s: Session, asked: Asked, *, reported: bool = False) -> list[str]:
    """The periods of a question, those of the data sets in place of longer ones; each once, in order.

    Parameters:
        reported: they are those that the data sets are reported for, or entered: others are refused.

    Errors as `query_of`.
    """
    return await _periods(s, asked, await kinds_of(s, asked), reported=reported)


async def _periods(s: Session, asked: Asked, kinds: Sequence[PeriodType], *, reported: bool = False) -> list[str]:
    """The periods of a question about data of these types; what is no plain match of the two is said."""
    given = {period.iso: period for text in asked.period for period in await periods.meant(s, text)}
    inside = [(period, parts(period, _other(period, kinds))) for period in given.values()]
    unlike = [period for period, held in inside if not held and _other(period, kinds)]
    if reported and unlike:
        raise UsageError(periods.unlike(unlike, kinds), hint=f"a period such as {kinds[0].at(unlike[0].start).iso}")
    for note in _notes(inside, kinds):
        s.person.note(note)
    found = dict.fromkeys(item.iso for period, held in inside for item in held or [period])
    if len(found) > MOST_PERIODS:
        raise UsageError(
            f"these are {len(found):,} periods", hint="--start-date and --end-date ask for them by their days"
        )
    return list(found)


def _notes(inside: Sequence[tuple[Period, Sequence[Period]]], kinds: Sequence[PeriodType]) -> Iterator[str]:
    """What is said of periods that are of another type than data of these types, and of those that hold shorter data too."""
    if longer := [(period, held) for period, held in inside if held]:
        yield _stands_for(longer)
    if cut := [period for period, held in inside if held and _too_long(period, kinds)]:
        left = joined(dict.fromkeys(str(kind) for period in cut for kind in _too_long(period, kinds)))
        yield f"{_told(cut)}: no {left} values, whose periods are not shorter"
    if unlike := [period for period, held in inside if not held and _other(period, kinds)]:
        yield periods.unlike(unlike, kinds)
    if mixed := [period for period, _ in inside if _shorter_too(period, kinds)]:
        of_data = joined(str(kind) for kind in kinds)
        yield f"{_told(mixed)}: {mixed[0].type} values alone, though these data are {of_data}"


def _stands_for(longer: Sequence[tuple[Period, Sequence[Period]]]) -> str:
    """What is said of longer periods and those that belong to them: how many, which, and why where one lies in two."""
    held = {part.iso: part for _, some in longer for part in some}
    types = list(dict.fromkeys(str(part.type) for part in held.values()))
    told = f"{_told([period for period, _ in longer])} {'stands' if len(longer) == 1 else 'stand'} for "
    told += f"{len(held)} {joined(types)} {'period' if len(held) == 1 else 'periods'}"
    ordered = sorted(held.values())
    if len(types) == 1 and all(one.next() == other for one, other in pairwise(ordered)):
        told += f", {ordered[0]}" + (f" to {ordered[-1]}" if len(ordered) > 1 else "")
    if any(_cut(period, part.type) for period, some in longer for part in some):
        weeks = any(part.type.frequency_order == WEEK for part in held.values())
        where = "where four or more of its days lie" if weeks else "where it begins"
        told += f"; {'a week' if weeks else 'each'} counts {where}, as in analytics"
    return told


def _cut(period: Period, kind: PeriodType) -> bool:
    """Does a period of a type lie in this one only in part, as a week does at the end of a month?"""
    return kind.at(period.start).start < period.start or kind.at(period.end).end > period.end


def _too_long(period: Period, kinds: Sequence[PeriodType]) -> list[PeriodType]:
    """Of the types of the data those that have no period in this one, since theirs are not shorter."""
    return [kind for kind in _other(period, kinds) if kind.frequency_order >= period.type.frequency_order]


def _shorter_too(period: Period, kinds: Sequence[PeriodType]) -> bool:
    """Are a question's data of the period's type, and of another one that has periods within it?"""
    return period.type in kinds and bool(parts(period, [kind for kind in kinds if kind != period.type]))


def _told(periods_: Sequence[Period]) -> str:
    return joined((period.iso for period in periods_), most=2)


async def period_of(s: Session, data_set: str, text: str, *, reported: bool = True) -> Period:
    """The one period of a data set that a text means. Parameters as `periods_of`. Raises `UsageError` for several, and for none."""
    (iso, *more) = await periods_of(s, Asked(data_set=[data_set], period=[text]), reported=reported)
    if more:
        raise UsageError(f"{text} is {len(more) + 1} periods of this data set", hint=f"one of them, such as {iso}")
    return Period.parse(iso)


async def no_value(s: Session, what: str, element: str, period: str, hint: str) -> NotFound:
    """The error where a value is not there; that its period is of another type than the element's data is said.

    Parameters:
        what: what is not there; element: by UID; hint: what is tried where the period is of their type.
    """
    kinds = await kinds_of(s, Asked(data_element=[element]))
    one = Period.parse(period)
    if not _other(one, kinds):
        return NotFound(what, hint=hint)
    return NotFound(f"{what}: {periods.unlike([one], kinds)}", hint=f"a period such as {kinds[0].at(one.start).iso}")


def _other(period: Period, kinds: Sequence[PeriodType]) -> Sequence[PeriodType]:
    """The types that a question's data has, where the period is of none of them."""
    return () if period.type in kinds else kinds


_SETS = "dataSetElements[dataSet[id,periodType]]"


async def kinds_of(s: Session, asked: Asked) -> list[PeriodType]:
    """The period types of the data sets that a question is about: its own, or those of its elements."""
    sets = await _rows(s, "dataSets", asked.data_set, "id,periodType")
    elements = await _rows(s, "dataElements", asked.data_element, f"id,{_SETS}")
    for group in await _rows(s, "dataElementGroups", asked.data_element_group, f"id,dataElements[id,{_SETS}]"):
        elements += cast("list[JsonObject]", group.get("dataElements") or [])
    links = [link for item in elements for link in cast("list[JsonObject]", item.get("dataSetElements") or [])]
    sets += [cast("JsonObject", link["dataSet"]) for link in links if isinstance(link.get("dataSet"), dict)]
    kinds = dict.fromkeys(str(item["periodType"]) for item in sets if item.get("periodType"))
    return [period_type(name) for name in kinds]


async def _rows(s: Session, plural: str, uids: Sequence[str], fields: str) -> list[JsonObject]:
    return (await reading.by_uid(s.client, plural, uids, fields=fields)).rows if uids else []
