"""What hangs on organisation units: data values, tracker data, assignments, groups, users. Only reading.

Whoever merges, splits or moves units is told by these counts what goes where.

API source: `GET /api/organisationUnits`, `/dataValueSets`, `/tracker/enrollments`, `/tracker/events`, `/users`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.client.limits import gather_bounded
from dhis2sh.errors import Forbidden, NotFound, Refused
from dhis2sh.metadata import writes
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.client.data_values import DataValueQuery
    from dhis2sh.client.requests import Param
    from dhis2sh.client.tracker import Kind
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

UNITS = "organisationUnits"
MOST_VALUES = 200_000
"""More data values than these are not read to be counted: about 20 MB of CSV."""
MOST_QUESTIONS = 100
"""Counts of tracker data are a request for each program and unit; more than these are not asked for."""
ALL_TIME: DataValueQuery = {"start_date": "1900-01-01", "end_date": "2100-12-31"}
NOUNS: Mapping[str, tuple[str, str]] = {
    "dataSets": ("data set", "data sets"),
    "programs": ("program", "programs"),
    "organisationUnitGroups": ("group", "groups"),
    "users": ("user", "users"),
    "children": ("unit below", "units below"),
}
"""What an organisation unit holds by reference, in words."""
FIELDS = f"id,name,path,level,{','.join(f'{name}[id]' for name in NOUNS)}"
type Place = tuple[str, str, str, str]
"""Where a data value stands within a unit: data element, period, category and attribute option combination."""


@dataclass(slots=True)
class Holding:
    """What one unit holds.

    Parameters:
        uid, name, path, level: the unit.
        held: UIDs by property (`dataSets`, `users`, ...), see `NOUNS`.
        places: of its data values; None where they could not be counted.
        tracked: enrollments and events, by kind; empty where they could not be counted.
    """

    uid: str
    name: str
    path: str
    level: int
    held: dict[str, list[str]]
    places: set[Place] | None = None
    tracked: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def label(self) -> str:
        """Name and UID."""
        return f"{self.name} [{self.uid}]"

    def words(self, *, without: Iterable[str] = ()) -> str:
        """`719 data values, 2 data sets, 3 groups`; what there is none of is left out.

        Parameters:
            without: properties that are told elsewhere.
        """
        parts = [counted(len(self.places), "data value")] if self.places else []
        parts += [counted(count, kind.removesuffix("s")) for kind, count in self.tracked.items() if count]
        skipped = set(without)
        parts += [counted(len(uids), *NOUNS[name]) for name, uids in self.held.items() if uids and name not in skipped]
        return ", ".join(parts)


@dataclass(slots=True)
class Survey:
    """What several units hold, and what could not be found out.

    Parameters:
        units: in the order in which they were asked for.
        notes: what was not counted, and why.
    """

    units: list[Holding]
    notes: list[str]


async def survey(s: Session, uids: Sequence[str]) -> Survey:
    """What units hold: references at once, data values and tracker data as far as they can be counted.

    Raises `NotFound` for a unit that is not there.
    """
    rows = await writes.read_objects(s, UNITS, uids, fields=FIELDS)
    units = [_holding(row) for row in rows]
    found = Survey(units, [])
    by_uid = {unit.uid: unit for unit in units}
    await _count_values(s, by_uid, found.notes)
    await _count_tracked(s, by_uid, found.notes)
    return found


def _holding(row: JsonObject) -> Holding:
    held = {name: [str(item["id"]) for item in cast("list[JsonObject]", row.get(name) or [])] for name in NOUNS}
    level = cast("int", row.get("level") or 0)
    return Holding(str(row["id"]), str(row.get("name")), str(row.get("path")), level, held)


async def _count_values(s: Session, units: Mapping[str, Holding], notes: list[str]) -> None:
    """The places of the units' data values, in one streamed read of every data set that the user may read."""
    sets = (await s.client.list_page("dataSets", {"fields": "id,access[data[read]]", "paging": False})).rows
    readable = [str(row["id"]) for row in sets if _may_read(row)]
    places: dict[str, set[Place]] = {uid: set() for uid in units}
    read = 0
    try:
        if readable:
            query: DataValueQuery = {**ALL_TIME, "data_set": readable, "org_unit": [*units], "limit": MOST_VALUES}
            async for row in s.client.data_values.iter(whole=True, **query):
                read += 1
                parts = ("dataElement", "period", "categoryOptionCombo", "attributeOptionCombo")
                element, period, combo, attribute = (str(row.get(name)) for name in parts)
                places.setdefault(str(row.get("orgUnit")), set()).add((element, period, combo, attribute))
    except (Refused, Forbidden, NotFound) as error:
        notes.append(f"data values were not counted: {error}")
        return
    for uid, unit in units.items():
        unit.places = places[uid]
    if read >= MOST_VALUES:
        notes.append(f"only the first {MOST_VALUES:,} data values were counted")
    if len(readable) < len(sets):
        notes.append(
            f"the values of {counted(len(sets) - len(readable), 'data set')} that you may not read are not counted"
        )


def _may_read(row: JsonObject) -> bool:
    data = cast("JsonObject", cast("JsonObject", row.get("access") or {}).get("data") or {})
    return data.get("read") is not False


async def _count_tracked(s: Session, units: Mapping[str, Holding], notes: list[str]) -> None:
    """Enrollments and events of the units, program by program."""
    programs = (await s.client.list_page("programs", {"fields": "id,programType", "paging": False})).rows
    asked: list[tuple[Kind, str, str]] = []
    for row in programs:
        kinds: tuple[Kind, ...] = ("events",)
        if row.get("programType") == "WITH_REGISTRATION":
            kinds = ("enrollments", "events")
        asked.extend((kind, str(row["id"]), uid) for kind in kinds for uid in units)
    if len(asked) > MOST_QUESTIONS:
        notes.append(f"enrollments and events were not counted: that would be {len(asked):,} requests")
        return

    async def one(kind: Kind, program: str, uid: str) -> tuple[Kind, str, int]:
        params: dict[str, Param] = {"program": program, "fields": "orgUnit"}
        count = await s.client.tracker.count(kind, org_units=uid, org_unit_mode="SELECTED", params=params)
        return kind, uid, count

    try:
        async for kind, uid, count in gather_bounded((one(*question) for question in asked), 4):
            units[uid].tracked[kind] = units[uid].tracked.get(kind, 0) + count
    except (Refused, Forbidden, NotFound) as error:
        notes.append(f"enrollments and events were not counted: {error}")


async def users_of(s: Session, uids: Iterable[str]) -> int:
    """How many users have one of the units as their own. Raises `Forbidden` where the user may not see users."""
    wanted = ",".join(uids)
    if not wanted:
        return 0
    page = await s.client.list_page(
        "users", {"filter": f"organisationUnits.id:in:[{wanted}]", "fields": "id", "pageSize": 1}
    )
    return page.total or 0
