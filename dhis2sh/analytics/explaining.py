"""The numbers behind an indicator, a data element, a program indicator or a rate for one unit and period, and why one is missing.

Missing counts as zero in an indicator, and one whose denominator is zero has no value (`DataHandler.java`, api-facts g.1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from pydantic import BaseModel

from dhis2sh.analytics.entered import built, since
from dhis2sh.analytics.items import DATA, RATES, operand, with_rates
from dhis2sh.analytics.naming import units_of
from dhis2sh.analytics.pieces import with_advice
from dhis2sh.analytics.reported import reported
from dhis2sh.client import reading
from dhis2sh.dhis2.belonging import belongs, parts
from dhis2sh.dhis2.formulas import BadExpression, Item, describe, evaluate, items, parse
from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import Dhis2Error, NotFound, Refused, UsageError
from dhis2sh.verbs import names, periods
from dhis2sh.words import counted, joined

if TYPE_CHECKING:
    from dhis2sh.analytics.naming import Unit
    from dhis2sh.client.data_values import DataValueQuery
    from dhis2sh.client.grids import Grid
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

MOST_VALUES = 1_000
"""Data values that are looked at to find out why a number is missing."""
ALONE = "analytics cannot be asked for it alone"
"""Why a number is not known that may be there."""
NONE_THERE = "analytics have none for this unit and period"
DEEPEST = 4
"""Indicators within indicators whose reasons are followed."""
_WITH_REASONS = ("N", "I", "R")
"""Kinds of references that have numbers behind them."""
_TYPES: dict[str, tuple[str, ...]] = {
    "#": ("dataElements", "categoryOptionCombos", "categoryOptionCombos"), "N": ("indicators",), "C": ("constants",),
    "I": ("programIndicators",), "D": ("programs", "dataElements"), "A": ("programs", "trackedEntityAttributes"),
    "R": ("dataSets",), "OUG": ("organisationUnitGroups",),
}  # fmt: skip
"""What the parts of a reference are of."""


class Number(BaseModel):
    """One number behind an indicator.

    Parameters:
        id: as analytics are asked for it; name: in words.
        side: of the formula.
        value: None where there is none; then why says the reason, as far as it can be found.
    """

    id: str
    name: str
    side: Literal["numerator", "denominator", "both", "value"]
    value: float | int | None = None
    why: str | None = None


class Explained(BaseModel):
    """What an indicator, a program indicator, a data element or a rate comes to for one unit and period, and from what.

    Parameters:
        formula: with names; None for a data element.
        program, filter: of a program indicator: whose it is, and which of its events or enrollments count, with names.
        numerator, denominator, factor: what the sides come to by the server, and what the quotient is multiplied by.
        numbers: behind it.
        why: the reason where it has no value.
        tables: when the analytics tables were built; None where nobody knows.
    """

    id: str
    name: str
    period: str
    org_unit: str
    value: float | int | None = None
    formula: str | None = None
    program: str | None = None
    filter: str | None = None
    numerator: float | int | None = None
    denominator: float | int | None = None
    factor: float | int | None = None
    numbers: list[Number] = []
    why: str | None = None
    tables: str | None = None

    def line(self) -> str:
        """In words."""
        value = "no value" if self.value is None else f"{self.value:,}"
        lines = [f"{self.name}, {self.org_unit}, {self.period}: {value}"]
        if self.formula is not None:
            lines.append(f"  = {self.formula}")
        if self.filter is not None:
            lines.append(f"  where {self.filter}")
        if self.numerator is not None:
            lines.append(f"  = {self.numerator:,} / {self.denominator:,} x {self.factor:,}")
        width = max((len(one.name) for one in self.numbers), default=0)
        for one in self.numbers:
            told = f"{one.value:,}" if one.value is not None else f"none: {one.why}"
            lines.append(f"  {one.side:<11}  {one.name:<{width}}  {told}")
        if self.why is not None:
            lines.append(f"why: {self.why}")
        return "\n".join(lines)


@dataclass(slots=True)
class _Place:
    """Where and when."""

    unit: str
    body: Unit | None
    period: Period
    built: str | None

    @property
    def closed(self) -> str | None:
        """Why nothing can be reported there then."""
        if self.body is None:
            return None
        opened, closed = (
            dt.date.fromisoformat(text[:10]) if text else None for text in (self.body.opened, self.body.closed)
        )
        if closed and closed < self.period.start:
            return f"{self.body.name} was closed on {closed}"
        if opened and opened > self.period.end:
            return f"{self.body.name} was opened on {opened}"
        return None


async def explain(s: Session, what: str, unit: str, period: str) -> Explained:
    """The numbers behind an indicator, a program indicator, a data element or a rate.

    Parameters:
        what: its UID, code or name; `ELEMENT.OPTION COMBINATION` and `DATA SET.REPORTING_RATE` too; unit: a UID; period: one, fixed or relative.

    Raises `UsageError` for several periods, and what the server refuses: a unit that may not be read, tables never built.
    """
    found, part = await _found(s, what)
    time = await periods.one(s, period)
    units = await units_of(s, [unit])
    info = await s.client.get_object("system/info")
    place = _Place(unit, units.get(unit), time, built(info))
    told = Explained(
        id=f"{found.uid}.{part}" if part else found.uid,
        name=found.name,
        period=time.iso,
        org_unit=place.body.name if place.body else unit,
        tables=place.built,
    )
    match found.plural:
        case "dataElements":
            told.numbers = await _numbers(s, place, {Item("#", (found.uid, part) if part else (found.uid,)): "value"})
            told.name, told.value, told.why = told.numbers[0].name, told.numbers[0].value, told.numbers[0].why
        case "dataSets":
            await _rate(s, told, place, part)
        case "programIndicators":
            await _program_indicator(s, told, place)
        case _:
            await _indicator(s, told, place)
    return told


async def _found(s: Session, what: str) -> tuple[names.Found, str]:
    """What is to be explained, and its part: the rate of a data set, the option combination of an element; else nothing."""
    head, dot, rate = what.rpartition(".")
    if dot and rate in RATES:
        return (await names.among(s, ("dataSets",), [head]))[head], rate
    try:
        return (await names.among(s, DATA, [what]))[what], ""
    except NotFound as error:
        if (pair := await operand(s, what)) is not None:
            return pair
        raise await with_rates(s, error, [what]) from error


async def _indicator(s: Session, told: Explained, place: _Place, within: Sequence[str] = ()) -> None:
    """The formula of an indicator, its sides and the numbers behind it. Raises `UsageError` for one that is not well-formed.

    Parameters:
        within: the indicators whose formulas it is in.
    """
    body = await s.client.get_object(
        f"indicators/{told.id}", {"fields": "id,displayName,numerator,denominator,indicatorType[factor],annualized"}
    )
    sides = {name: str(body.get(name) or "") for name in ("numerator", "denominator")}
    try:
        trees = {name: parse(text) for name, text in sides.items()}
    except BadExpression as error:
        raise UsageError(
            f"the formula of {told.name} is not well-formed: {error}",
            hint=f"dhis2 metadata get indicators {told.id}",
        ) from error
    wanted: dict[Item, Literal["numerator", "denominator", "both", "value"]] = {}
    for name, tree in trees.items():
        for item in items(tree):
            side = cast("Literal['numerator', 'denominator']", name)
            wanted[item] = "both" if wanted.get(item, side) != side else side
    called = await _called(s, wanted)
    factor = cast("JsonObject", body.get("indicatorType") or {}).get("factor") or 1
    times = "" if factor == 1 else f" x {factor}"
    bottom = describe(sides["denominator"], lambda item: called[item])
    told.formula = f"({describe(sides['numerator'], lambda item: called[item])}) / ({bottom}){times}"
    if body.get("annualized"):
        told.formula += " x 365 / days of the period"
    _answered(told, await _ask(s, [told.id], place, {"includeNumDen": True}))
    told.numbers = await _numbers(s, place, wanted, called, [*within, told.id])
    if told.value is None:
        known = {item: number.value for item, number in zip(wanted, told.numbers, strict=True) if number.why != ALONE}
        told.why = _why(told, place, _come_to(sides["denominator"], known), bottom)


async def _rate(s: Session, told: Explained, place: _Place, rate: str) -> None:
    """A rate of a data set: how many reports it is made of. A server says 0 % of a period in which there can be none."""
    data_set, late = told.id.partition(".")[0], "_ON_TIME" if rate.endswith("_ON_TIME") else ""
    words = rate.replace("_", " ").lower()
    told.name = f"{told.name}, {words}"
    about = await reported(s, [data_set])
    if short := about.too_short([place.period]):
        told.why = periods.unlike(short, about.kinds)
        return
    parts = {f"{data_set}.ACTUAL_REPORTS{late}": "numerator", f"{data_set}.EXPECTED_REPORTS": "denominator"}
    counts = {name: f"{name.partition('.')[2].replace('_', ' ').lower()}" for name in parts}
    values, refused = await _values(s, place, list(dict.fromkeys([*parts, told.id])))
    told.numbers = [
        Number(id=name, name=counts[name], side=cast("Literal['numerator', 'denominator']", side), value=values.get(name),
               why=None if name in values else refused.get(name, NONE_THERE))
        for name, side in parts.items()
    ]  # fmt: skip
    told.value = values.get(told.id)
    if rate.startswith("REPORTING_RATE"):
        told.formula = f"({told.numbers[0].name}) / ({told.numbers[1].name}) x 100"
    if told.value is None:
        told.why = place.closed or refused.get(told.id) or "no report is expected there: no unit in it has the data set"


async def _program_indicator(s: Session, told: Explained, place: _Place) -> None:
    """The expression and the filter of a program indicator in words, and how many events its program has there."""
    body = await s.client.get_object(
        f"programIndicators/{told.id}",
        {"fields": "expression,filter,aggregationType,analyticsType,program[id,displayName]"},
    )
    told.formula = await _in_words(s, "expression", body)
    told.filter = await _in_words(s, "filter", body) if body.get("filter") else None
    program = cast("JsonObject", body.get("program") or {})
    told.program, of = str(program.get("displayName")), str(body.get("analyticsType") or "EVENT").lower()
    told.formula = f"{str(body.get('aggregationType') or 'COUNT').lower()} over each {of} of: {told.formula}"
    _answered(told, await _ask(s, [told.id], place))
    try:
        grid = await s.client.analytics.query(
            {"pe": place.period.iso, "ou": place.unit},
            of=f"events/aggregate/{program.get('id')}",
            params={"skipMeta": True},
        )
    except Refused as error:
        told.numbers = [
            Number(id=str(program.get("id")), name=f"events of {told.program}", side="value", why=str(error))
        ]
        return
    count = sum(cast("float", row["value"]) for row in grid.records() if isinstance(row.get("value"), (int, float)))
    told.numbers = [Number(id=str(program.get("id")), name=f"events of {told.program}", side="value", value=int(count))]
    if told.value is None:
        told.why = place.closed or (
            f"{told.program} has {counted(int(count), 'event')} there in this time, and none that it counts"
            if count
            else f"{told.program} has no event there in this time"
        )


async def _in_words(s: Session, what: str, body: JsonObject) -> str:
    """The expression or the filter of a program indicator with names, as the server says it; as it is where it does not."""
    text = str(body.get(what) or "")
    address = f"programIndicators/{what}/description"
    try:
        answer = await s.client.post(address, text.encode(), content_type="text/plain", idempotent=True)
    except Refused:
        return text
    return str(answer.get("description") or text) if isinstance(answer, dict) else text


async def _ask(s: Session, data: list[str], place: _Place, params: dict[str, Param] | None = None) -> Grid:
    try:
        return await s.client.analytics.query(
            {"dx": data, "pe": place.period.iso, "ou": place.unit}, params={"skipMeta": True, **(params or {})}
        )
    except Refused as error:
        raise with_advice(error) from error


def _answered(told: Explained, grid: Grid) -> None:
    """What the server says of the whole."""
    for row in grid.records():
        for name in ("value", "numerator", "denominator", "factor"):
            number = row.get(name)
            if isinstance(number, (int, float)):
                setattr(told, name, number)


def _why(told: Explained, place: _Place, bottom: float | None, words: str) -> str:
    """Why an indicator has no value. Only what is known to be 0 is called so: what is missing says its own reason."""
    if place.closed is not None:
        return place.closed
    missing = [number for number in told.numbers if number.value is None and number.why != ALONE]
    below = [number for number in told.numbers if number.side != "numerator"]
    lacking = [number for number in missing if number.side != "numerator"]
    if bottom == 0 and not lacking:
        return f"the denominator ({words}) is 0"
    if bottom == 0:
        without = "" if len(lacking) == len(below) else f" without {joined([number.name for number in lacking])}"
        return f"the denominator ({words}) has no value{without}: {_reasons(lacking)}"
    if missing:
        return f"there is no {joined([number.name for number in missing])}: {_reasons(missing)}"
    if unknown := [number.name for number in told.numbers if number.why == ALONE]:
        return f"the server gives none, and does not say what {joined(unknown)} comes to"
    return "the server gives none, and every number behind it is there"


def _reasons(missing: Sequence[Number]) -> str:
    """Why numbers are missing: each reason once, with those that it is of where there are several."""
    names: dict[str, list[str]] = {}
    for number in missing:
        names.setdefault(str(number.why), []).append(number.name)
    return "; ".join(why if len(names) == 1 else f"{joined(of)}: {why}" for why, of in names.items())


def _come_to(text: str, known: dict[Item, float | int | None]) -> float | None:
    """What a side comes to, missing as zero; None where that cannot be told here, as where a number is not known."""
    try:
        found = evaluate(parse(text), lambda item: known[item] or 0.0)
    except (KeyError, BadExpression, ArithmeticError, ValueError, TypeError):
        return None
    return float(found) if isinstance(found, (int, float)) else None


# The numbers -------------------------------------------------------------------------------------------------------


def _asked_as(item: Item) -> str | None:
    """A reference as an item of `dx`; None for one that analytics are not asked for alone."""
    if item.modifiers or any(mark in part for part in item.parts for mark in "&:"):
        return None
    counts = {"#": (1, 3), "N": (1, 1), "I": (1, 1), "D": (2, 2), "A": (2, 2), "R": (2, 2)}
    least, most = counts.get(item.kind, (1, 0))
    return ".".join(item.parts) if least <= len(item.parts) <= most else None


async def _numbers(
    s: Session,
    place: _Place,
    wanted: dict[Item, Literal["numerator", "denominator", "both", "value"]],
    called: dict[Item, str] | None = None,
    within: Sequence[str] = (),
) -> list[Number]:
    """What each reference comes to, with the reason where it is nothing.

    Parameters:
        within: the indicators whose formulas they are in.
    """
    called = called or await _called(s, wanted)
    asked = {item: dx for item in wanted if (dx := _asked_as(item)) is not None}
    values, refused = await _values(s, place, list(asked.values()))
    found: list[Number] = []
    for item, side in wanted.items():
        number = Number(id=asked.get(item, item.text), name=called[item], side=side)
        if item.kind == "days":
            number.value = (place.period.end - place.period.start).days + 1
        elif item.kind == "C":
            body = await s.client.get_object(f"constants/{item.parts[0]}", {"fields": "value"})
            number.value = cast("float | None", body.get("value"))
        elif item.kind == "OUG" and not item.modifiers:
            number.value = await _members(s, item.parts[0], place.unit)
        elif item not in asked:
            number.why = ALONE
        else:
            number.value = values.get(asked[item])
            if number.value is None:
                number.why = refused.get(asked[item]) or await _missing(s, item, place, within)
        if number.value is None and number.why is None:
            number.why = "the server does not say what it is"
        found.append(number)
    return found


async def _members(s: Session, group: str, unit: str) -> int | None:
    """How many units a group has at and below a unit."""
    query: dict[str, Param] = {
        "filter": [f"organisationUnitGroups.id:eq:{group}", f"path:like:{unit}"],
        "fields": "id",
        "pageSize": 1,
    }
    return (await s.client.list_page("organisationUnits", query)).total


async def _values(s: Session, place: _Place, data: list[str]) -> tuple[dict[str, float | int], dict[str, str]]:
    """The values of some items, and what the server says of those that it refuses."""
    values: dict[str, float | int] = {}
    refused: dict[str, str] = {}
    if not data:
        return values, refused
    try:
        grids = [(data, await _ask(s, data, place))]
    except Refused:
        grids: list[tuple[list[str], Grid]] = []
        for one in data:  # which of them it is, a server does not say
            try:
                grids.append(([one], await _ask(s, [one], place)))
            except Refused as error:
                refused[one] = str(error)
        if len(refused) == len(data):
            raise
    for asked, grid in grids:
        for row in grid.records():
            dx = str(row["dx"])
            of = dx if dx in asked else next((one for one in asked if one.partition(".")[0] == dx), dx)
            if isinstance(row.get("value"), (int, float)):
                values[of] = cast("float", row["value"])
    return values, refused


async def _missing(s: Session, item: Item, place: _Place, within: Sequence[str] = ()) -> str:
    """Why a number is missing, as far as it can be found out.

    Parameters:
        within: the indicators whose formulas it is in, the outermost first.
    """
    if place.closed is not None:
        return place.closed
    if item.kind in _WITH_REASONS and len(within) < DEEPEST and item.parts[0] not in within:
        return await _inner(s, item, place, within) or NONE_THERE
    if item.kind != "#":
        return NONE_THERE
    element = item.parts[0]
    rows = (
        await reading.by_uid(
            s.client, "dataElements", [element], fields="id,aggregationType,zeroIsSignificant,domainType"
        )
    ).rows
    if not rows:
        return "you may not read it, or it is not there"
    if rows[0].get("domainType") == "TRACKER":
        return "it is collected in programs alone, as  dhis2 analytics events  shows"
    about = await reported(s, [element])
    if short := about.too_short([place.period]):
        return periods.unlike(short, about.kinds)
    inside = [place.period, *parts(place.period, about.kinds)]
    query: DataValueQuery = {
        "data_element": [element], "start_date": str(min(one.start for one in inside)),
        "end_date": str(max(one.end for one in inside)), "org_unit": [place.unit], "children": True,
    }  # fmt: skip
    try:
        entered = await _some(s, query, item, place.period)
        later = (
            await _some(s, {**query, "last_updated": place.built[:10]}, item, place.period)
            if entered and place.built
            else []
        )
    except Dhis2Error as error:
        return f"analytics have none, and what was entered cannot be read: {error}"
    if not entered:
        return "no data were entered for it"
    count = f"{counted(len(entered), 'value')}{' or more' if len(entered) >= MOST_VALUES else ''}"
    if all(str(row.get("value")) in {"0", "0.0"} for row in entered) and not rows[0].get("zeroIsSignificant"):
        return f"only zeros were entered ({count}), which analytics do not keep"
    if place.built is None or any(since(row, place.built) for row in later):
        when = f"on {place.built}" if place.built else "at a time that the server does not say"
        return f"{count} entered, not aggregated yet: the analytics tables were built {when}"
    return f"{count} entered, but analytics leave them out (aggregation {rows[0].get('aggregationType')}, approval, or a type that is no number)"


async def _inner(s: Session, item: Item, place: _Place, within: Sequence[str]) -> str | None:
    """Why an indicator, a program indicator or a rate has no value that a formula has in it; None where nobody knows."""
    uid, rate = item.parts[0], ".".join(item.parts[1:])
    told = Explained(id=f"{uid}.{rate}" if rate else uid, name=uid, period=place.period.iso, org_unit=place.unit)
    try:
        match item.kind:
            case "N":
                await _indicator(s, told, place, within)
            case "I":
                await _program_indicator(s, told, place)
            case _:
                await _rate(s, told, place, rate)
    except Dhis2Error as error:
        return f"analytics have none, and why cannot be told: {error}"
    return told.why


async def _some(s: Session, query: DataValueQuery, item: Item, period: Period) -> list[Row]:
    """The first values of a period, or of those that belong to it, that a reference is about."""
    found: list[Row] = []
    combos = dict(zip(("categoryOptionCombo", "attributeOptionCombo"), item.parts[1:], strict=False))
    async with aclosing(s.client.data_values.batches(**query)) as batches:
        async for rows in batches:
            found += [
                row for row in rows
                if belongs(Period.parse(str(row["period"])), period)
                and all(combo in ("*", row.get(name)) for name, combo in combos.items())
            ]  # fmt: skip
            if len(found) >= MOST_VALUES:
                break
    return found[:MOST_VALUES]


async def _called(
    s: Session, wanted: dict[Item, Literal["numerator", "denominator", "both", "value"]]
) -> dict[Item, str]:
    """References in words: `BCG doses given | Fixed, <1y`."""
    of: dict[str, dict[str, str]] = {}
    for item in wanted:
        for plural, part in zip(_TYPES.get(item.kind, ()), item.parts, strict=False):
            if part != "*":
                of.setdefault(plural, {})[part] = part
    for plural, uids in of.items():
        rows = (await reading.by_uid(s.client, plural, uids, fields="id,displayName")).rows
        uids.update({str(row["id"]): str(row.get("displayName") or row["id"]) for row in rows})

    def words(item: Item) -> str:
        if item.kind == "days":
            return "days of the period"
        kinds = _TYPES.get(item.kind, ())
        parts = [
            part if at >= len(kinds) else of.get(kinds[at], {}).get(part, part) for at, part in enumerate(item.parts)
        ]
        shift = "".join(f" {name}({', '.join(map(str, given))})" for name, given in item.modifiers)
        return " | ".join(parts) + shift

    return {item: words(item) for item in wanted}
