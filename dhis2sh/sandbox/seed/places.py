"""The country's organisation units: a grid of districts in the middle of the ocean, so that no real place is meant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.seed.book import admin, noise, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhis2sh.sandbox.seed.book import Book
    from dhis2sh.types import JsonObject

COUNTRY = "Maravélia"
_REGIONS = ("Tavresk", "Élunne", "Šeluvek", "Okavéri")
_DISTRICTS = (
    "Aldemoor", "Brisqué", "Cindrel", "Dåvernes", "Eskelund", "Fjorimar",
    "Gołembia", "Harrowmeer", "Īsvende", "Juliverne", "Kęstrava", "Łomarin",
)  # fmt: skip
_FIRST = (
    "Al",
    "Bren",
    "Cas",
    "Dor",
    "Éli",
    "Fen",
    "Gor",
    "Hav",
    "Is",
    "Kal",
    "Lum",
    "Mer",
    "Nor",
    "Øst",
    "Pel",
    "Quin",
)
_MIDDLE = ("a", "e", "i", "o", "u", "ari", "eno", "ilu", "oma", "une", "ává", "ešti")
_LAST = ("bridge", "combe", "dale", "field", "gård", "haven", "leigh", "mouth", "ness", "stow", "ton", "vík")

LEVELS = ("Country", "Region", "District", "Facility")
WEST, SOUTH, WIDTH, HEIGHT = -31.0, 1.0, 6.0, 4.0  # degrees, Atlantic Ocean
type Point = list[float]


@dataclass(frozen=True, slots=True)
class Facility:
    """A unit of level 4; `number` counts from 0 over the whole country."""

    number: int
    id: str
    name: str
    district: int

    @property
    def kind(self) -> str:
        """The type of facility, which is also the last words of its name."""
        return "Hospital" if self.number % 12 == 0 else ("Health Centre", "Health Post", "Clinic")[self.number % 3]

    @property
    def owner(self) -> str:
        """Who runs it."""
        return ("Government", "Government", "Government", "Faith-based", "Private")[self.number % 5]

    @property
    def location(self) -> str:
        """Where it lies."""
        return "Urban" if self.number % 3 == 0 else "Rural"

    @property
    def closed(self) -> bool:
        """Whether it closed in the middle of the year."""
        return self.number % 30 == 17

    @property
    def ungrouped(self) -> bool:
        """Whether it was forgotten when owners were assigned: one of the seed's imperfections."""
        return self.number == 13


@dataclass(frozen=True)
class Places:
    """The hierarchy for a number of regions, of districts in each region, and of facilities in all."""

    regions: int
    districts_each: int
    facilities: int
    year: int

    @property
    def districts(self) -> int:
        """The number of districts in the country."""
        return self.regions * self.districts_each

    @property
    def count(self) -> int:
        """The number of organisation units."""
        return 1 + self.regions + self.districts + self.facilities

    @cached_property
    def root(self) -> str:
        """The UID of the country."""
        return uid(f"organisationUnits/{COUNTRY}")

    @cached_property
    def region_names(self) -> list[str]:
        """The names of the regions."""
        return [*_REGIONS, *(f"{_village(20 + 37 * at)} Region" for at in range(self.regions))][: self.regions]

    @cached_property
    def district_names(self) -> list[str]:
        """The names of the districts, in the order of their regions."""
        return [*_DISTRICTS, *(f"{_village(7 + 5 * at)} District" for at in range(self.districts))][: self.districts]

    @cached_property
    def region_ids(self) -> list[str]:
        """The UIDs of the regions."""
        return [uid(f"organisationUnits/region/{name}") for name in self.region_names]

    @cached_property
    def district_ids(self) -> list[str]:
        """The UIDs of the districts."""
        return [uid(f"organisationUnits/district/{name}") for name in self.district_names]

    @cached_property
    def _corners(self) -> dict[tuple[int, int], Point]:
        # Neighbours share their corners, so moving a corner moves both borders and leaves no gap.
        columns, rows = self.regions, self.districts_each
        moves = iter(noise("corners", 2 * (columns + 1) * (rows + 1)))
        return {
            (column, row): [
                round(WEST + WIDTH * (column + 0.3 * (next(moves) - 0.5)) / columns, 4),
                round(SOUTH + HEIGHT * (row + 0.3 * (next(moves) - 0.5)) / rows, 4),
            ]
            for column in range(columns + 1)
            for row in range(rows + 1)
        }

    def outline(self, columns: range, rows: range) -> JsonObject:
        """The polygon round a block of districts, closed and counter-clockwise."""
        left, right, low, high = columns.start, columns.stop, rows.start, rows.stop
        path = [(column, low) for column in range(left, right)]
        path += [(right, row) for row in range(low, high)]
        path += [(column, high) for column in range(right, left, -1)]
        path += [(left, row) for row in range(high, low, -1)]
        ring = [list(self._corners[corner]) for corner in [*path, path[0]]]
        return cast("JsonObject", {"type": "Polygon", "coordinates": [ring]})

    def all_facilities(self) -> Iterator[Facility]:
        """Every facility, district by district, made one at a time."""
        named_by_number = self.facilities > len(_FIRST) * len(_MIDDLE) * len(_LAST)
        districts = self.district_names
        for number in range(self.facilities):
            district = number * self.districts // self.facilities
            facility = Facility(number, uid(f"organisationUnits/facility/{number}"), "", district)
            place = f"{districts[district]} {number + 1:06d}" if named_by_number else _village(number)
            yield Facility(number, facility.id, f"{place} {facility.kind}", district)

    def units(self) -> Iterator[JsonObject]:
        """Every organisation unit, parents first, made one at a time."""
        columns, rows = range(self.regions), range(self.districts_each)
        yield self._unit(self.root, COUNTRY, "OU_MRV", [], self.outline(columns, rows))
        for at, (identifier, name) in enumerate(zip(self.region_ids, self.region_names, strict=True)):
            shape = self.outline(range(at, at + 1), rows)
            yield self._unit(identifier, name, f"OU_R{at + 1:02d}", [self.root], shape)
        for at, (identifier, name) in enumerate(zip(self.district_ids, self.district_names, strict=True)):
            column, row = divmod(at, self.districts_each)
            shape = self.outline(range(column, column + 1), range(row, row + 1))
            above = [self.root, self.region_ids[column]]
            yield self._unit(identifier, name, f"OU_D{at + 1:03d}", above, shape)
        jitter = noise("facilities", 4096)
        for facility in self.all_facilities():
            yield self._facility(facility, jitter)

    def _facility(self, facility: Facility, jitter: list[float]) -> JsonObject:
        column, row = divmod(facility.district, self.districts_each)
        above = [self.root, self.region_ids[column], self.district_ids[facility.district]]
        # Corners move by 0.15 of a district at most; 0.3 either side of the middle stays inside.
        x, y = jitter[facility.number * 2 % 4096], jitter[(facility.number * 6 + 1) % 4096]
        point: list[float] = [
            round(WEST + WIDTH * (column + 0.5 + 0.6 * (x - 0.5)) / self.regions, 5),
            round(SOUTH + HEIGHT * (row + 0.5 + 0.6 * (y - 0.5)) / self.districts_each, 5),
        ]
        shape = None if facility.number % 60 == 26 else cast("JsonObject", {"type": "Point", "coordinates": point})
        unit = self._unit(facility.id, facility.name, f"OU_F{facility.number + 1:06d}", above, shape)
        if facility.closed:
            unit["closedDate"] = f"{self.year}-06-30T00:00:00.000"
        if facility.kind == "Hospital":
            unit["email"] = f"facility{facility.number + 1}@example.org"
            unit["phoneNumber"] = f"+999 555 {facility.number % 10000:04d}"
            registry = {"value": f"REG-{facility.number + 1:06d}", "attribute": {"id": uid("attributes/REGISTRY_ID")}}
            unit["attributeValues"] = [cast("JsonObject", registry)]
        return unit

    def _unit(self, identifier: str, name: str, code: str, above: list[str], geometry: JsonObject | None) -> JsonObject:
        unit: dict[str, object] = {
            "code": code,
            "name": name,
            "created": "2024-01-15T08:00:00.000",
            "lastUpdated": "2025-01-06T09:30:00.000",
            "translations": [],
            "createdBy": admin(),
            "lastUpdatedBy": admin(),
            "shortName": name,
            "path": "/" + "/".join([*above, identifier]),
            "openingDate": "1990-01-01T00:00:00.000",
            "id": identifier,
            "attributeValues": [],
            "level": len(above) + 1,
        }
        if above:
            unit["parent"] = {"id": above[-1]}
        else:
            unit["translations"] = [{"property": "NAME", "locale": "fr", "value": "Maravélie"}]
        if geometry is not None:
            unit["geometry"] = geometry
        return cast("JsonObject", unit)


def _village(number: int) -> str:
    # Steps that share no factor with the lengths, so that neighbours in the list do not look alike.
    middle, rest = number % len(_MIDDLE), number // len(_MIDDLE)
    last, first = rest % len(_LAST), (rest // len(_LAST) + 5 * middle + 3 * number) % len(_FIRST)
    return _FIRST[first] + _MIDDLE[middle] + _LAST[(last + number) % len(_LAST)]


def add_levels_and_groups(book: Book) -> None:
    """The four levels, the groups (their members come later, see `GROUP_OF`) and the group sets."""
    for level, name in enumerate(LEVELS, 1):
        extra = {"translations": [{"property": "NAME", "locale": "fr", "value": "Pays"}]} if level == 1 else {}
        book.add("organisationUnitLevels", name, level=level, **extra)
    sets = {
        "Facility type": ("Hospital", "Health Centre", "Health Post", "Clinic"),
        "Facility ownership": ("Government", "Faith-based", "Private"),
        "Location": ("Urban", "Rural"),
    }
    for set_name, groups in sets.items():
        members = [
            book.add(
                "organisationUnitGroups",
                name,
                shortName=name,
                code=name.upper().replace(" ", "_"),
                organisationUnits=[],
            )
            for name in groups
        ]
        book.add(
            "organisationUnitGroupSets",
            set_name,
            shortName=set_name,
            code=set_name.upper().replace(" ", "_"),
            description=f"{set_name} of health facilities",
            compulsory=set_name != "Location",
            dataDimension=True,
            includeSubhierarchyInAnalytics=False,
            organisationUnitGroups=[{"id": member} for member in members],
        )
