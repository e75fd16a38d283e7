"""The review of a data set: who has not reported, what looks wrong, and what breaks the rules, in one report."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.data import completeness, outliers, violations
from dhis2sh.data.outliers import Sought
from dhis2sh.data.reading import loses_zeros, roots_of
from dhis2sh.dhis2 import value_types
from dhis2sh.errors import Forbidden, NotFound, Refused
from dhis2sh.show.report import Report, Section, Tile
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.dhis2.periods import Period
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

COLUMNS = (
    "check",
    "period",
    "orgUnitName",
    "dataElementName",
    "categoryOptionComboName",
    "value",
    "told",
    "orgUnit",
    "dataElement",
)
BEFORE = 6
"""Periods before the one that is reviewed, which it is compared with."""
LEAST_KNOWN = 3
"""Periods of those that must have a value above nothing before a zero is sudden."""
LEAST_USUAL = 5
"""What must have been usual before a zero is sudden."""
LEAST_REPEATED = 5
"""Values that two periods of a unit must share, all of them, before one looks like a copy of the other."""
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")  # fmt: skip
type Place = tuple[str, str, str]
type Reported = dict[str, dict[Place, str]]


@dataclass(slots=True)
class _Values:
    """What the comparison of periods found."""

    zeros: list[Row] = field(default_factory=list["Row"])
    small: int = 0
    """Zeros that are left out, little having been usual."""
    repeated: list[Row] = field(default_factory=list["Row"])


@dataclass(frozen=True, slots=True)
class _Element:
    name: str
    keeps_zeros: bool


async def report(s: Session, data_set: str, period: Period, org_units: Sequence[str]) -> Report:
    """The report of one data set and period.

    Parameters:
        data_set: its UID.
        org_units: with all below them; those that the user reads from without any.

    Raises `NotFound` where no unit is expected to report, and what the server says of a part of it.
    """
    roots = list(org_units) or await roots_of(s)
    registered = await completeness.read(s, data_set, [period], roots, "registrations")
    sent = await completeness.read(s, data_set, [period], roots, "values")
    found, unseen = await _attempted(outliers.find(s, Sought([data_set], [], [period], roots)))
    broken, unruled = await _attempted(_broken(s, data_set, period, roots))
    compared = await _compared(s, data_set, period, roots)
    if (said := _small(compared)) is not None:
        s.person.note(said)
    places = await _places(s, roots)
    both = await _by_place(s, registered, sent, period, roots)
    above = await completeness.names_above(s, sent)
    missing = completeness.absent(sent, [period], above)
    parents = {unit.uid: unit.path[-2] for unit in sent.units.values() if len(unit.path) > 1}
    names = await _names(s, {parents[uid] for row in missing if (uid := str(row["orgUnit"])) in parents})
    missing = [{**row, "parentName": names.get(parents.get(str(row["orgUnit"]), ""))} for row in missing]
    sections = [
        _section_of_places(both, len(sent.expected(period)), completeness.left_out(sent, [period])), _section_of_missing(missing),
        _section_of_rules(broken, unruled), _section_of_outliers(found, unseen), _section_of_zeros(compared),
        _section_of_copies(compared.repeated),
    ]  # fmt: skip
    made = f"{s.profile.url}, {dt.datetime.now().astimezone():%Y-%m-%d %H:%M}"
    title = f"{sent.name}, {_called(period)}: {', '.join(places)}"
    return Report(
        title,
        made,
        _tiles(
            sent, registered, period, compared, {"broken rules": (broken, unruled), "unusual values": (found, unseen)}
        ),
        sections,
    )


def findings(made: Report) -> list[Row]:
    """What a report found, a row each, without the table of numbers; units that have not reported, which may be many, last."""
    missing, *others = made.sections[1:]
    return [
        {"check": section.title, **{name: row.get(name) for name in COLUMNS[1:] if row.get(name) is not None}}
        for section in (*others, missing)
        for row in section.rows
    ]


def summary(made: Report) -> list[Row]:
    """What a report found, a row for each check: how many findings, and of which units the first; None where
    the server has not let it be looked at. The reports themselves come first."""
    sent, unseen = made.tiles[0], {tile.about.partition(":")[0] for tile in made.tiles if tile.number == "?"}
    rows: list[Row] = [{"check": made.sections[0].title, "told": f"{sent.about} ({sent.number})"}]
    for section in made.sections[1:]:
        units = dict.fromkeys(str(row["orgUnitName"]) for row in section.rows if row.get("orgUnitName"))
        count = None if section.title.lower() in unseen else len(section.rows)
        told = listed(units) if section.rows else section.none
        rows.append({"check": section.title, "count": count, "told": told})
    return rows


def _called(period: Period) -> str:
    if period.type.name == "Monthly":
        return f"{MONTHS[period.start.month - 1]} {period.start.year}"
    return period.iso


async def _places(s: Session, roots: Sequence[str]) -> list[str]:
    names = await _names(s, roots)
    return [names.get(uid, uid) for uid in roots]


async def _names(s: Session, units: Sequence[str] | set[str]) -> dict[str, str]:
    if not units:
        return {}
    rows = (await reading.by_uid(s.client, "organisationUnits", sorted(units), fields="id,displayName")).rows
    return {str(row["id"]): str(row.get("displayName")) for row in rows}


async def _attempted(asking: Awaitable[list[Row]]) -> tuple[list[Row], str | None]:
    """What a check found; where the server does not let this user run it, or cannot, its words."""
    try:
        return await asking, None
    except (Forbidden, Refused) as error:
        return [], f"This was not looked at, since the server refused it: {error}"


async def _broken(s: Session, data_set: str, period: Period, roots: Sequence[str]) -> list[Row]:
    try:
        rules = await violations.rules_of(s, [], [], [data_set])
    except NotFound:  # no rule is about this data set
        return []
    rows = [row async for batch in violations.find(s, rules, [period], roots) for row in batch]
    return [
        {**row, "wanted": WANTED.get(str(row["operator"]), row["operator"]), "told": _rule_told(row)} for row in rows
    ]


WANTED = {"==": "equal to", "!=": "other than", ">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}


def _rule_told(row: Row) -> str:
    return f"{row['ruleName']}: {_shown(row['left'])} {row['operator']} {_shown(row['right'])} does not hold"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


# The values of a period against those before -------------------------------------------------------------------------


async def _compared(s: Session, data_set: str, period: Period, roots: Sequence[str]) -> _Values:
    """Zeros that come suddenly and periods that look like copies, unit by unit; a district is in memory at a time."""
    fields = "dataSetElements[dataElement[id,displayName,valueType,aggregationType,zeroIsSignificant]]"
    body = await s.client.get_object(f"dataSets/{data_set}", {"fields": fields})
    links = cast("list[JsonObject]", body.get("dataSetElements") or [])
    items = [cast("JsonObject", link["dataElement"]) for link in links]
    all_kept = (await s.client.version()).has("keeps_zeros")
    elements = {
        str(item["id"]): _Element(str(item.get("displayName")), all_kept or not loses_zeros(item))
        for item in items
        if str(item.get("valueType")) in value_types.NUMERIC
    }
    before = [period.previous(back) for back in range(BEFORE, 0, -1)]
    found = _Values()
    for unit, whole in await _pieces(s, roots):
        reported = await _reported(s, data_set, [*(each.iso for each in before), period.iso], unit, whole)
        for uid, by_period in reported.items():
            now = by_period.get(period.iso)
            if now:
                zeros = list(_sudden(uid, period, now, [by_period.get(each.iso, {}) for each in before], elements))
                found.zeros += (large := [row for row in zeros if cast("float", row["usual"]) >= LEAST_USUAL])
                found.small += len(zeros) - len(large)
                found.repeated += _copied(uid, period, now, {each.iso: by_period.get(each.iso, {}) for each in before}, elements)  # fmt: skip
    await _name(s, found)
    return found


async def _pieces(s: Session, roots: Sequence[str]) -> list[tuple[str, bool]]:
    """The units to ask for one by one, and whether with all below them."""
    pieces: list[tuple[str, bool]] = []
    for root in roots:
        rows = await reading.all_of(s.client, "organisationUnits", [f"parent.id:eq:{root}"], fields="id")
        pieces += [(root, False), *((str(row["id"]), True) for row in rows)]
    return pieces


async def _reported(s: Session, data_set: str, periods: Sequence[str], unit: str, whole: bool) -> dict[str, Reported]:
    query: DataValueQuery = {"data_set": data_set, "period": list(periods), "org_unit": unit, "children": whole}
    found: dict[str, Reported] = defaultdict(lambda: defaultdict(dict))
    async with aclosing(s.client.data_values.batches(whole=True, **query)) as batches:
        async for rows in batches:
            for row in rows:
                place = (str(row["dataElement"]), str(row["categoryOptionCombo"]), str(row["attributeOptionCombo"]))
                found[str(row["orgUnit"])][str(row["period"])][place] = str(row.get("value", ""))
    return found


def _number(text: str | None) -> float:
    """A value as a number; one that is not there is nothing."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _sudden(
    unit: str,
    period: Period,
    now: Mapping[Place, str],
    before: Sequence[Mapping[Place, str]],
    elements: Mapping[str, _Element],
) -> Iterator[Row]:
    """Cells that hold nothing and held something in every period of before that the unit reported.

    A server before 2.43 does not keep a zero of most elements, so that one that is not there counts as one.
    """
    places = {place for each in before for place in each} | set(now)
    for place in sorted(places):
        element = elements.get(place[0])
        if element is None or _number(now.get(place)) or (place not in now and element.keeps_zeros):
            continue
        usual = [_number(each.get(place)) for each in before if each]
        if len(usual) >= LEAST_KNOWN and all(usual):
            yield {
                **_cell(unit, period, place, element), "value": 0, "usual": outliers.short(float(median(usual))), "periods": len(usual),
                "told": f"usually {median(usual):,.0f} (of {len(usual)} periods before)",
            }  # fmt: skip


def _copied(
    unit: str,
    period: Period,
    now: Mapping[Place, str],
    before: Mapping[str, Mapping[Place, str]],
    elements: Mapping[str, _Element],
) -> Iterator[Row]:
    """The period of before whose values are all the same."""
    mine = {place: text for place, text in now.items() if place[0] in elements}
    if sum(1 for text in mine.values() if _number(text)) < LEAST_REPEATED:
        return
    for iso in reversed(list(before)):
        if mine == {place: text for place, text in before[iso].items() if place[0] in elements}:
            told = f"all {counted(len(mine), 'value')} as in {iso}"
            yield {"period": period.iso, "orgUnit": unit, "value": len(mine), "told": told}
            return


def _cell(unit: str, period: Period, place: Place, element: _Element) -> Row:
    return {
        "period": period.iso, "orgUnit": unit, "dataElement": place[0], "dataElementName": element.name,
        "categoryOptionCombo": place[1], "attributeOptionCombo": place[2],
    }  # fmt: skip


async def _name(s: Session, found: _Values) -> None:
    """Names beside the units and option combinations of what was found."""
    rows = [*found.zeros, *found.repeated]
    units = await _names(s, {str(row["orgUnit"]) for row in rows})
    combos = {str(row["categoryOptionCombo"]) for row in found.zeros}
    items = (
        (await reading.by_uid(s.client, "categoryOptionCombos", sorted(combos), fields="id,displayName")).rows
        if combos
        else []
    )
    names = {str(item["id"]): str(item.get("displayName")) for item in items}
    for row in rows:
        row["orgUnitName"] = units.get(str(row["orgUnit"]))
        if "categoryOptionCombo" in row:
            row["categoryOptionComboName"] = names.get(str(row["categoryOptionCombo"]))


# Sections ------------------------------------------------------------------------------------------------------------


async def _by_place(
    s: Session, registered: completeness.Reporting, sent: completeness.Reporting, period: Period, roots: Sequence[str]
) -> list[Row]:
    """Reports of the units right below those asked for; of a unit alone its own."""
    depth = {
        len(unit.path) - unit.path[::-1].index(root) - 1
        for unit in sent.units.values()
        for root in roots
        if root in unit.path
    }
    level = min(depth, default=0) + 2
    deepest = max((len(unit.path) for unit in sent.units.values()), default=1)
    groups = await completeness.groups_at(s, sent, min(level, deepest))
    counts = {str(row["orgUnit"]): row for row in completeness.table(registered, [period], groups)}
    return [
        {**row, "registered": counts[str(row["orgUnit"])]["received"], "late": counts[str(row["orgUnit"])].get("late")}
        for row in completeness.table(sent, [period], groups)
    ]


def _section_of_places(rows: Sequence[Row], expected: int, note: str | None) -> Section:
    above = expected - sum(cast("int", row["expected"]) for row in rows)
    lead = "Of the units that should report, how many have sent values, and how many were registered as complete."
    lead += f" {counted(above, 'unit')} above these places counts in the whole alone." if above else ""
    columns = {"Place": "orgUnitName", "Expected": "expected", "Sent values": "received", "Of those expected": "percent",
               "Registered complete": "registered", "Late": "late"}  # fmt: skip
    return Section("Reports", f"{lead} {note or ''}".strip(), columns, rows, "No unit is expected to report.", frozenset({"Of those expected"}))  # fmt: skip


def _section_of_missing(rows: Sequence[Row]) -> Section:
    lead = "These units have sent no value. Ask them whether the report was made, and where it is."
    told = [{**row, "told": "no value at all"} for row in rows]
    inside: dict[str, list[str]] = {}
    for row in rows:
        inside.setdefault(str(row.get("parentName") or ""), []).append(str(row["orgUnitName"]))
    on_page: list[Row] = [
        {"parentName": parent, "count": len(names), "orgUnitName": ", ".join(names)}
        for parent, names in sorted(inside.items())
    ]
    columns = {"In": "parentName", "How many": "count", "Units": "orgUnitName"}
    return Section("Not reported", lead, columns, told, "Every unit has sent values.", on_page=on_page)


def _section_of_rules(rows: Sequence[Row], why: str | None) -> Section:
    lead = "Two numbers of one report that do not fit each other. Compare the report with the register."
    columns = {"Unit": "orgUnitName", "Rule": "ruleName", "Left side": "leftSide", "Is": "left", "Should be": "wanted", "": "right",
               "Right side": "rightSide"}  # fmt: skip
    return Section("Broken rules", lead, columns, rows, why or "No rule is broken, or there is none for this data set.")


def _section_of_outliers(rows: Sequence[Row], why: str | None) -> Section:
    lead = "Numbers far from what the unit usually reports: a digit too many, or something that happened."
    columns = {"Unit": "orgUnitName", "Data": "dataElementName", "Of": "categoryOptionComboName", "Value": "value", "Usual": "usual",
               "That is": "told"}  # fmt: skip
    return Section("Unusual values", lead, columns, rows, why or "No value is far from what is usual.")


def _small(found: _Values) -> str | None:
    """What is to be said of zeros that are left out."""
    less = f"where less than {LEAST_USUAL} was usual"
    return f"{counted(found.small, 'more sudden zero')} {less}, left out" if found.small else None


def _section_of_zeros(found: _Values) -> Section:
    lead = f"Nothing this time, and something in each report that the unit has sent for the {BEFORE} periods before, "
    lead += f"usually {LEAST_USUAL} or more."
    lead += f" There {'is' if found.small == 1 else 'are'} {said}." if (said := _small(found)) else ""
    columns = {
        "Unit": "orgUnitName",
        "Data": "dataElementName",
        "Of": "categoryOptionComboName",
        "Now": "value",
        "Before": "told",
    }
    return Section("Sudden zeros", lead, columns, found.zeros, "No value has suddenly become nothing.")


def _section_of_copies(rows: Sequence[Row]) -> Section:
    lead = "The whole report is the same as an earlier one: it may have been copied."
    return Section(
        "Repeated reports",
        lead,
        {"Unit": "orgUnitName", "What": "told"},
        rows,
        "No report is the same as an earlier one.",
    )


def _tiles(
    sent: completeness.Reporting, registered: completeness.Reporting, period: Period, compared: _Values,
    asked: Mapping[str, tuple[Sequence[Row], str | None]],
) -> list[Tile]:  # fmt: skip
    expected = sent.expected(period)
    counts, complete = sent.counted(period, expected), registered.counted(period, expected)
    percent = cast("float", counts["percent"] or 0)
    mood = "good" if percent >= 90 else "fair" if percent >= 70 else "bad"

    def of(rows: Sequence[Row], about: str, why: str | None = None) -> Tile:
        if why is not None:
            return Tile("?", f"{about}: not looked at")
        return Tile(f"{len(rows):,}", about, "good" if not rows else "fair")

    return [
        Tile(f"{percent:.0f} %", f"{counts['received']:,} of {len(expected):,} units have sent values", mood),
        Tile(f"{complete['received']:,}", "registered as complete"),
        *(of(rows, about, why) for about, (rows, why) in asked.items()),
        of(compared.zeros, "sudden zeros"), of(compared.repeated, "repeated reports"),
    ]  # fmt: skip
