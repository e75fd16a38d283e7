"""Which data values: names, periods and units as people say them, into a query as the server takes it.

API source: `DataValueSetQueryParams.java` (api-facts f.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.client import reading
from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.client.limits import meanwhile
from dhis2sh.dhis2.dates import day
from dhis2sh.dhis2.periods import Period, PeriodType, period_type
from dhis2sh.errors import UsageError
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


async def periods_of(s: Session, asked: Asked) -> list[str]:
    """The periods of a question, those of the data sets in place of longer ones; each once, in order. Errors as `query_of`."""
    return await _periods(s, asked, await kinds_of(s, asked))


async def _periods(s: Session, asked: Asked, kinds: Sequence[PeriodType]) -> list[str]:
    """The periods of a question about data of these types."""
    given = [period for text in asked.period for period in await periods.meant(s, text)]
    found: dict[str, None] = {}
    for period in given:
        inside = _inside(period, kinds)
        if inside:
            s.person.note(
                f"{period} stands for {len(inside)} {joined(str(kind) for kind in _other(period, kinds))} periods"
            )
        found |= dict.fromkeys(item.iso for item in inside or [period])
    if len(found) > MOST_PERIODS:
        raise UsageError(
            f"these are {len(found):,} periods", hint="--start-date and --end-date ask for them by their days"
        )
    return list(found)


async def period_of(s: Session, data_set: str, text: str) -> Period:
    """The one period of a data set that a text means. Raises `UsageError` for several, and for none."""
    (iso, *more) = await periods_of(s, Asked(data_set=[data_set], period=[text]))
    if more:
        raise UsageError(f"{text} is {len(more) + 1} periods of this data set", hint=f"one of them, such as {iso}")
    return Period.parse(iso)


def _other(period: Period, kinds: Iterable[PeriodType]) -> list[PeriodType]:
    """The types that a question's data has, where the period is of none of them."""
    found = list(kinds)
    return [] if period.type in found else found


def _inside(period: Period, kinds: Iterable[PeriodType]) -> list[Period]:
    """The periods of the data that lie wholly in another one; none where it is of their type, or shorter."""
    found: list[Period] = []
    for kind in _other(period, kinds):
        first = kind.at(period.start)
        while first.start < period.start:
            first = first.next()
        while first.end <= period.end:
            found.append(first)
            first = first.next()
    return found


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
