"""Who has reported and who has not: the units of a data set against its registrations, or against its values.

API source: `CompleteDataSetRegistrationController.java` (api-facts f.4), `DataSet.java`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.client import reading
from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.data.history import in_zone, zone_of
from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import NotFound
from dhis2sh.show.heat import Heat
from dhis2sh.show.trees import Branch
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

type By = Literal["registrations", "values"]
FIELDS = "id,displayName,periodType,timelyDays,organisationUnits[id,displayName,path,openingDate,closedDate]"
COLUMNS = ("period", "orgUnit", "orgUnitName", "expected", "received", "onTime", "late", "missing", "percent")
SILENT = ("orgUnit", "orgUnitName", "missing", "periods")
ABSENT = ("period", "orgUnit", "orgUnitName", "above")


@dataclass(frozen=True, slots=True)
class Expected:
    """A unit that reports a data set."""

    uid: str
    name: str
    path: tuple[str, ...]
    opened: str
    closed: str

    def is_open(self, period: Period) -> bool:
        """Was it open on some day of the period?"""
        return (not self.opened or self.opened <= period.end.isoformat()) and (
            not self.closed or self.closed >= period.start.isoformat()
        )


class Reporting:
    """The reports of one data set over some periods.

    Parameters:
        name: the data set's.
        timely_days: days after a period in which a report is on time; None where the set does not say.
        units: those that are expected to report, each by its UID.
        received: by period and unit the day of the report; None where only values tell.
    """

    def __init__(
        self, name: str, timely_days: float | None, units: Mapping[str, Expected],
        received: Mapping[tuple[str, str], str | None],
    ) -> None:  # fmt: skip
        self.name, self.timely_days, self.units, self.received = name, timely_days, units, received

    def expected(self, period: Period) -> list[Expected]:
        """The units that were open in a period."""
        return [unit for unit in self.units.values() if unit.is_open(period)]

    def closed(self, period: Period) -> int:
        """How many units are left out, since they were closed in a period."""
        return len(self.units) - len(self.expected(period))

    def counted(self, period: Period, units: Sequence[Expected]) -> Row:
        """How many of some units have reported for a period, and when."""
        days = [self.received[period.iso, unit.uid] for unit in units if (period.iso, unit.uid) in self.received]
        row: Row = {"expected": len(units), "received": len(days), "missing": len(units) - len(days)}
        row["percent"] = round(100 * len(days) / len(units), 1) if units else None
        if self.timely_days is not None and None not in days:
            last = (period.end + dt.timedelta(days=int(self.timely_days))).isoformat()
            late = sum(1 for day in days if cast("str", day) > last)
            row |= {"onTime": len(days) - late, "late": late}
        return row


async def read(
    s: Session, data_set: str, periods: Sequence[Period], below: Sequence[str], by: By, *, element: str | None = None
) -> Reporting:
    """What was reported.

    Parameters:
        data_set: its UID; periods: which.
        below: units whose subtrees count; all of the data set's without any.
        by: what counts as a report: that it was registered as complete, or that there is a value.
        element: only values of this data element of it count.

    Raises `NotFound` where no unit is expected to report.
    """
    body = await s.client.get_object(f"dataSets/{data_set}", {"fields": FIELDS})
    units = {unit.uid: unit for unit in _units(body) if not below or set(below) & set(unit.path)}
    name = str(body.get("displayName"))
    if not units:
        raise NotFound(f"no unit there is assigned to '{name}'", hint=f"dhis2 metadata get dataSets {data_set}")
    roots = list(below) or list(dict.fromkeys(unit.path[0] for unit in units.values() if unit.path))
    isos = [period.iso for period in periods]
    if by == "registrations":
        received = await _registered(s, data_set, isos, roots)
    else:
        received = await _with_values(s, {"data_element": element} if element else {"data_set": data_set}, isos, roots)
    days = body.get("timelyDays")
    timely = float(days) if isinstance(days, (int, float)) and by == "registrations" else None
    return Reporting(name, timely, units, {key: day for key, day in received.items() if key[1] in units})


def _units(body: JsonObject) -> Iterator[Expected]:
    for item in cast("list[JsonObject]", body.get("organisationUnits") or []):
        path = tuple(part for part in str(item.get("path") or "").split("/") if part)
        yield Expected(
            str(item["id"]),
            str(item.get("displayName")),
            path,
            _day(item.get("openingDate")),
            _day(item.get("closedDate")),
        )


def _day(value: JsonValue) -> str:
    return str(value)[:10] if value else ""


async def _registered(
    s: Session, data_set: str, periods: Sequence[str], roots: Sequence[str]
) -> dict[tuple[str, str], str | None]:
    """The day of each registration where the server is; of several attribute option combinations the last one.

    It is written as that day (recorded); a moment that names a zone may be of another one.
    """
    query = {"dataSet": data_set, "period": list(periods), "orgUnit": list(roots), "children": True}
    rows = [row for row in await registrations(s, query) if row.get("completed") is not False]
    moments = any(len(str(row.get("date") or "")) > len("2025-01-31") for row in rows)
    zone = zone_of((await s.client.system.info()).get("serverTimeZoneId")) if moments else None
    found: dict[tuple[str, str], str | None] = {}
    for row in rows:
        key = (str(row["period"]), str(row["organisationUnit"]))
        day = _day(in_zone(str(row["date"]), zone)) if row.get("date") else ""
        found[key] = max(day, found.get(key) or "")
    return found


async def registrations(s: Session, query: Mapping[str, object]) -> list[JsonObject]:
    """The registrations that a query finds; a server without any leaves the list out."""
    body = await s.client.get_object("completeDataSetRegistrations", query)  # type: ignore[arg-type]
    return cast("list[JsonObject]", body.get("completeDataSetRegistrations") or [])


async def _with_values(
    s: Session, what: DataValueQuery, periods: Sequence[str], roots: Sequence[str]
) -> dict[tuple[str, str], str | None]:
    """The units that have a value of something."""
    query: DataValueQuery = {**what, "period": list(periods), "org_unit": list(roots), "children": True}
    found: dict[tuple[str, str], str | None] = {}
    async with aclosing(s.client.data_values.batches(whole=True, **query)) as batches:
        async for rows in batches:
            found |= {(str(row["period"]), str(row["orgUnit"])): None for row in rows}
    return found


def table(reporting: Reporting, periods: Sequence[Period], groups: Mapping[str, str]) -> list[Row]:
    """One row a period, or one for each period and group.

    Parameters:
        groups: the units that stand for all below them, their names by UID; none for one row over all.
    """
    rows: list[Row] = []
    for period in periods:
        expected = reporting.expected(period)
        if not groups:
            rows.append({"period": period.iso, **reporting.counted(period, expected)})
        for uid, name in groups.items():
            inside = [unit for unit in expected if uid in unit.path]
            if inside:
                rows.append(
                    {"period": period.iso, "orgUnit": uid, "orgUnitName": name, **reporting.counted(period, inside)}
                )
    return rows


async def groups_at(s: Session, reporting: Reporting, level: int) -> dict[str, str]:
    """The units of a level above those that report, their names by UID, in order of the names."""
    wanted = {unit.path[level - 1] for unit in reporting.units.values() if len(unit.path) >= level}
    query = {"filter": f"level:eq:{level}", "fields": "id,displayName", "paging": False}
    rows = (await s.client.list_page("organisationUnits", query)).rows  # type: ignore[arg-type]
    named = {str(row["id"]): str(row.get("displayName")) for row in rows if row["id"] in wanted}
    if not named:
        raise NotFound(
            f"no unit of level {level} is above those that report", hint="dhis2 metadata list organisationUnitLevels"
        )
    return dict(sorted(named.items(), key=lambda item: item[1]))


def heat(reporting: Reporting, periods: Sequence[Period], groups: Mapping[str, str]) -> Heat:
    """A row for each group, with the percentage that reported in each period; None where nobody was expected."""
    rows: list[Row] = []
    for uid, name in groups.items():
        row: Row = {"orgUnit": uid, "orgUnitName": name}
        for period in periods:
            inside = [unit for unit in reporting.expected(period) if uid in unit.path]
            row[period.iso] = reporting.counted(period, inside)["percent"]
        rows.append(row)
    columns = [period.iso for period in periods]
    return Heat(rows, columns=("orgUnit", "orgUnitName", *columns), measured=columns)


@dataclass(slots=True)
class Part:
    """A unit of the tree, with those below it that report, or that are above units that do.

    Parameters:
        uid, name: the unit.
        counts: as of `Reporting.counted`, with all below it.
        reported: whether it has reported itself; None where it need not.
    """

    uid: str
    name: str
    counts: Row
    reported: bool | None = None
    children: list[Part] = field(default_factory=list["Part"])

    def to_json(self) -> JsonObject:
        """The unit with its counts and children."""
        children = [child.to_json() for child in self.children]
        return {
            "orgUnit": self.uid,
            "orgUnitName": self.name,
            **self.counts,
            **({} if self.reported is None else {"reported": self.reported}),
            **({"children": [*children]} if children else {}),
        }

    def branch(self) -> Branch:
        """What is drawn: units that have not reported by name, those that have by their number."""
        if self.reported is not None and not self.children:
            return Branch(self.name, aside="not reported")
        count = self.counts
        late = f", {count['late']} late" if count.get("late") else ""
        aside = f"{count['received']:,} of {count['expected']:,} ({count['percent']} %){late}"
        aside += "; has not reported itself" if self.reported is False else ""
        shown = [child for child in self.children if child.children or child.counts["missing"]]
        return Branch(self.name, aside=aside, children=[child.branch() for child in shown])


@dataclass(slots=True)
class Tree:
    """Who has reported, from the top down.

    Parameters:
        title: the data set and the period.
        roots: the topmost units.
        note: units that were left out.
    """

    title: str
    roots: list[Part]
    note: str | None = None

    def tree(self) -> Branch:
        """How it is drawn."""
        return Branch(self.title, children=[part.branch() for part in self.roots], foot=self.note or "")

    def to_json(self) -> JsonObject:
        """All of it, units that have reported too."""
        found: JsonObject = {"title": self.title, "units": [part.to_json() for part in self.roots]}
        return found | ({"note": self.note} if self.note else {})


async def tree(s: Session, reporting: Reporting, period: Period, below: Sequence[str]) -> Tree:
    """The reports of one period as a tree of units.

    Parameters:
        below: the topmost units, where not the whole country is asked for.
    """
    expected = reporting.expected(period)
    above = dict.fromkeys(uid for unit in expected for uid in unit.path)
    rows = (await reading.by_uid(s.client, "organisationUnits", above, fields="id,displayName")).rows
    names = {str(row["id"]): str(row.get("displayName")) for row in rows}
    inside: dict[str, list[Expected]] = {}
    children: dict[str, dict[str, None]] = {}
    for unit in expected:
        for at, uid in enumerate(unit.path):
            inside.setdefault(uid, []).append(unit)
            children.setdefault(unit.path[at - 1] if at else "", {})[uid] = None
    itself = {unit.uid: (period.iso, unit.uid) in reporting.received for unit in expected}

    def part(uid: str) -> Part:
        parts = sorted((part(child) for child in children.get(uid, ())), key=lambda item: item.name)
        return Part(uid, names.get(uid, uid), reporting.counted(period, inside[uid]), itself.get(uid), parts)

    tops = [uid for uid in below if uid in inside] or list(children.get("", ()))
    return Tree(f"{reporting.name}, {period.iso}", [part(uid) for uid in tops], left_out(reporting, [period]))


async def names_above(s: Session, reporting: Reporting) -> dict[str, str]:
    """The names of the units above each that reports, from the top down, by its UID."""
    above = dict.fromkeys(uid for unit in reporting.units.values() for uid in unit.path[:-1])
    rows = (await reading.by_uid(s.client, "organisationUnits", above, fields="id,displayName")).rows
    names = {str(row["id"]): str(row.get("displayName")) for row in rows}
    return {unit.uid: " / ".join(names.get(uid, uid) for uid in unit.path[:-1]) for unit in reporting.units.values()}


def absent(reporting: Reporting, periods: Sequence[Period], above: Mapping[str, str]) -> list[Row]:
    """The units that have not reported, a row for each period.

    Parameters:
        above: what stands above each, as of `names_above`.
    """
    return [
        {"period": period.iso, "orgUnit": unit.uid, "orgUnitName": unit.name, "above": above.get(unit.uid) or None}
        for period in periods
        for unit in sorted(reporting.expected(period), key=lambda unit: unit.name)
        if (period.iso, unit.uid) not in reporting.received
    ]  # fmt: skip


def silent(reporting: Reporting, periods: Sequence[Period]) -> list[Row]:
    """The units that have not reported in some periods, a row each: in how many, and in which; the most silent first."""
    found: dict[str, list[str]] = {}
    expected = dict.fromkeys(reporting.units, 0)
    for period in periods:
        for unit in reporting.expected(period):
            expected[unit.uid] += 1
            if (period.iso, unit.uid) not in reporting.received:
                found.setdefault(unit.uid, []).append(period.iso)
    order = {period.iso: number for number, period in enumerate(periods)}
    rows: list[Row] = [
        {"orgUnit": uid, "orgUnitName": reporting.units[uid].name, "missing": len(missed),
         "periods": "all" if len(missed) == expected[uid] else _ranges(missed, order)}
        for uid, missed in found.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-cast("int", row["missing"]), str(row["orgUnitName"])))


def _ranges(missed: Sequence[str], order: Mapping[str, int]) -> str:
    """Periods in a line, those that follow each other as one: `202501..202504, 202507`."""
    runs: list[list[str]] = []
    for iso in missed:
        if runs and order[iso] == order[runs[-1][-1]] + 1:
            runs[-1].append(iso)
        else:
            runs.append([iso])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)


def above(reporting: Reporting, groups: Mapping[str, str], level: int) -> str | None:
    """What is to be said of units that report and are in none of the groups, being above them."""
    alone = sum(1 for unit in reporting.units.values() if groups.keys().isdisjoint(unit.path))
    if not alone:
        return None
    return f"{counted(alone, 'unit')} above level {level} {'is' if alone == 1 else 'are'} in none of these rows, and only in the whole"


def left_out(reporting: Reporting, periods: Sequence[Period]) -> str | None:
    """What is to be said of units that were closed."""
    most = max((reporting.closed(period) for period in periods), default=0)
    return f"{counted(most, 'unit')} of '{reporting.name}' left out, being closed then" if most else None
