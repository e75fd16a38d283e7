"""Maravélia, a country that does not exist: the same metadata and data in every run, for trying, teaching and tests.

Nothing is read or written here. UIDs come from names, so examples can count on them. Some things are wrong on
purpose, for the verbs that look for mistakes: see `IMPERFECTIONS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.sandbox.seed import aggregate, analytics, extra, people, programs, tracker
from dhis2sh.sandbox.seed import places as place_types
from dhis2sh.sandbox.seed.aggregate import ELEMENTS, FINANCE, MONTHLY, OTHER_ELEMENTS, STOCK, WEEKLY
from dhis2sh.sandbox.seed.book import Book
from dhis2sh.sandbox.seed.extra import TOPICS, data_set_name, topics
from dhis2sh.sandbox.seed.places import Facility, Places
from dhis2sh.sandbox.seed.programs import EVENT, STAGES, TRACKER
from dhis2sh.sandbox.seed.values import Reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dhis2sh.types import JsonObject

type Size = Literal["small", "medium", "large"]

IMPERFECTIONS = (
    "a data element in no group: Malaria, cases confirmed",
    "two data elements with nearly the same name: Malaria cases confirmed",
    "a program rule whose condition the rule engine of 2.42 refuses: Ask for the Apgar score",
    "facilities without coordinates, and one without an owner though the group set is compulsory",
    "facilities that closed in June, some that did not report from July to September, some that never reported",
    "values that are far too high, fewer than 200 of them",
    "values that violate every validation rule",
)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What a size means; `values` is the number of data values, give or take five per cent."""

    regions: int
    districts_each: int
    facilities: int
    elements: int
    window: int
    extra_window: int
    weekly_step: int
    values: int
    tracked_entities: int
    events: int


_SCALES: dict[Size, _Scale] = {
    "small": _Scale(4, 3, 60, 0, 60, 0, 2, 32_000, 120, 120),
    "medium": _Scale(10, 8, 1_209, 500, 12, 12, 10, 300_000, 2_000, 2_000),
    "large": _Scale(20, 20, 99_579, 20_000, 3, 2, 100, 5_000_000, 20_000, 20_000),
}


def country(size: Size = "small", *, year: int = 2025) -> Country:
    """The country in a size: 77 organisation units, 1,300 or 100,000; `year` is the calendar year of its data."""
    return Country(size, year)


@dataclass(frozen=True)
class Country:
    """What a server of this country would export. Every call gives the same, and objects of its own."""

    size: Size
    year: int

    @property
    def _scale(self) -> _Scale:
        return _SCALES[self.size]

    @cached_property
    def places(self) -> Places:
        """The hierarchy of organisation units."""
        scale = self._scale
        return Places(scale.regions, scale.districts_each, scale.facilities, self.year)

    @property
    def _extra_elements(self) -> int:
        return max(self._scale.elements - _reported_and_tracked(), 0)

    @property
    def _reports(self) -> Reports:
        scale = self._scale
        return Reports(
            self.places, scale.window, self._extra_elements, scale.extra_window, scale.weekly_step, scale.values
        )

    def metadata(self) -> JsonObject:
        """The body of a metadata export of DHIS2 2.42, all types. The one thing here that is whole in memory."""
        book = _write(self.places, self._extra_elements)
        book.objects["organisationUnits"] = list(self.places.units())
        self._assign(book)
        system = {"id": "00000000-0000-4000-8000-000000000000", "rev": "seed", "version": "2.42.5.2"}
        return cast(
            "JsonObject", {"system": {**system, "date": f"{self.year + 1}-01-10T00:00:00.000+0000"}, **book.objects}
        )

    def data_values(self) -> Iterator[JsonObject]:
        """The data values of the year, one at a time."""
        return self._reports.values()

    def completeness(self) -> Iterator[JsonObject]:
        """The complete data set registrations of the monthly report, one at a time."""
        return self._reports.completeness()

    def tracked_entities(self) -> Iterator[JsonObject]:
        """The tracked entities with their enrolments and events, one at a time."""
        return tracker.tracked_entities(self.places, self._scale.tracked_entities)

    def events(self) -> Iterator[JsonObject]:
        """The events of the program without registration, one at a time."""
        return tracker.events(self.places, self._scale.events)

    def _assign(self, book: Book) -> None:
        """Put the facilities into groups, data sets and programs."""
        step = self._scale.weekly_step
        rules: list[tuple[str, str, Callable[[Facility], bool]]] = [
            *(("dataSets", name, lambda _: True) for name in (MONTHLY, STOCK, FINANCE)),
            ("dataSets", WEEKLY, lambda one: one.number % step == 0),
            ("programs", TRACKER, lambda _: True),
            ("programs", EVENT, lambda _: True),
        ]
        members: list[tuple[list[object], Callable[[Facility], bool]]] = [
            (cast("list[object]", book.get(plural, name)["organisationUnits"]), belongs)
            for plural, name, belongs in rules
        ]
        groups = {
            str(group["name"]): cast("list[object]", group["organisationUnits"])
            for group in book.objects["organisationUnitGroups"]
        }
        topical = [
            cast("list[object]", book.get("dataSets", data_set_name(topic))["organisationUnits"])
            for topic in topics(self._extra_elements)
        ]
        for one in self.places.all_facilities():
            for units, belongs in members:
                if belongs(one):
                    units.append({"id": one.id})
            groups[one.kind].append({"id": one.id})
            groups[one.location].append({"id": one.id})
            if not one.ungrouped:
                groups[one.owner].append({"id": one.id})
            if topical:
                topical[one.number % TOPICS].append({"id": one.id})


def _reported_and_tracked() -> int:
    return len(ELEMENTS) + len(OTHER_ELEMENTS) + sum(len(fields) for fields in STAGES.values())


def _write(places: Places, extra_elements: int) -> Book:
    """Every object but the organisation units. What refers to another by name comes after it."""
    book = Book()
    people.add_people(book, places)
    people.add_options_and_legends(book)
    people.add_attributes(book)
    people.add_small_types(book)
    place_types.add_levels_and_groups(book)
    aggregate.add_categories(book)
    aggregate.add_data_elements(book)
    aggregate.add_indicators(book)
    aggregate.add_approval(book)
    aggregate.add_data_sets(book)
    aggregate.add_rules(book)
    aggregate.add_sharing(book)
    people.add_attribute_values(book)
    programs.add_programs(book)
    extra.add_extra(book, extra_elements)
    analytics.add_visualizations(book, places)
    analytics.add_maps(book, places)
    analytics.add_dashboards(book)
    return book
