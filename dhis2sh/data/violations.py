"""Validation rules over periods and units: what breaks them, with the formula in names and the numbers of both sides.

API source: `POST /api/dataAnalysis/validationRules` (recorded, validation-runs 8); it keeps nothing without `persist`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.data.outliers import short
from dhis2sh.dhis2 import formulas
from dhis2sh.dhis2.belonging import belongs, parts
from dhis2sh.dhis2.formulas import BadExpression, Item
from dhis2sh.dhis2.periods import PERIOD_TYPES, Period, PeriodType, period_type
from dhis2sh.errors import NotFound
from dhis2sh.words import joined, listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

MOST = 10_000
"""Violations that one request asks for; a server may give fewer than that and say nothing of the rest."""
USUAL_MOST = 500
"""What servers give where nobody says how many."""
COLUMNS = (
    "importance", "ruleName", "rule", "period", "orgUnit", "orgUnitName", "above", "attributeOptionComboName", "leftSide",
    "left", "operator", "right", "rightSide", "instruction",
)  # fmt: skip
FIELDS = (
    "id,displayName,importance,operator,periodType,displayInstruction,instruction,leftSide[expression,description],"
    "rightSide[expression,description],validationRuleGroups[id]"
)
OPERATORS = {
    "equal_to": "==", "not_equal_to": "!=", "greater_than": ">", "greater_than_or_equal_to": ">=", "less_than": "<",
    "less_than_or_equal_to": "<=", "compulsory_pair": "only together with", "exclusive_pair": "not together with",
}  # fmt: skip
_HELD_BY = {
    "#": ("dataElements", "categoryOptionCombos", "categoryOptionCombos"), "C": ("constants",), "OUG": ("organisationUnitGroups",),
    "I": ("programIndicators",), "N": ("indicators",), "R": ("dataSets",), "D": ("programs", "dataElements"),
    "A": ("programs", "trackedEntityAttributes"),
}  # fmt: skip
"""What the parts of a reference are of."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that are looked at, by UID, with their formulas in names."""

    bodies: Mapping[str, JsonObject]
    sides: Mapping[tuple[str, str], str]


async def rules_of(s: Session, rules: Sequence[str], groups: Sequence[str], data_sets: Sequence[str]) -> Rules:
    """The rules of a question: those named, those of groups, those about elements of data sets; all without any.

    Raises `NotFound` where there is none.
    """
    found = await reading.all_of(s.client, "validationRules", fields=FIELDS)
    if rules or groups:
        found = [row for row in found if row["id"] in rules or set(groups) & set(_ids(row.get("validationRuleGroups")))]
    if data_sets:
        elements = await _elements_of(s, data_sets)
        found = [row for row in found if elements & {part for item in _references(row) for part in item.parts}]
    if not found:
        raise NotFound("there is no validation rule for this", hint="dhis2 metadata list validationRules")
    names = await _names(s, (item for row in found for item in _references(row)))
    sides = {(str(row["id"]), side): _in_names(row, side, names) for row in found for side in ("leftSide", "rightSide")}
    return Rules({str(row["id"]): row for row in found}, sides)


async def _elements_of(s: Session, data_sets: Sequence[str]) -> set[str]:
    rows = (await reading.by_uid(s.client, "dataSets", data_sets, fields="id,dataSetElements[dataElement[id]]")).rows
    links = [link for row in rows for link in cast("list[JsonObject]", row.get("dataSetElements") or [])]
    return {str(cast("JsonObject", link["dataElement"])["id"]) for link in links}


def _ids(value: object) -> list[str]:
    return [str(item["id"]) for item in cast("list[JsonObject]", value or [])]


def _side(row: JsonObject, side: str) -> JsonObject:
    found = row.get(side)
    return found if isinstance(found, dict) else {}


def _references(row: JsonObject) -> list[Item]:
    """What both sides of a rule refer to; nothing of a side that cannot be read."""
    found: list[Item] = []
    for side in ("leftSide", "rightSide"):
        try:
            found += formulas.items(formulas.parse(str(_side(row, side).get("expression") or "")))
        except BadExpression:
            continue
    return found


async def _names(s: Session, items: Iterable[Item]) -> dict[str, str]:
    wanted: dict[str, dict[str, None]] = {}
    for item in items:
        for plural, part in zip(_HELD_BY.get(item.kind, ()), item.parts, strict=False):
            if part != "*":
                wanted.setdefault(plural, {})[part] = None
    found: dict[str, str] = {}
    for plural, uids in wanted.items():
        rows = (await reading.by_uid(s.client, plural, uids, fields="id,displayName")).rows
        found |= {str(row["id"]): str(row.get("displayName")) for row in rows}
    return found


def _in_names(row: JsonObject, side: str, names: Mapping[str, str]) -> str:
    text = str(_side(row, side).get("expression") or "")

    def called(item: Item) -> str:
        return " ".join(f"[{names.get(part, part)}]" for part in item.parts if part != "*") or item.text

    try:
        return formulas.describe(text, called)
    except BadExpression:
        return text


async def find(
    s: Session, rules: Rules, periods: Sequence[Period], org_units: Sequence[str]
) -> AsyncGenerator[list[Row]]:
    """What breaks the rules, unit by unit.

    Parameters:
        rules: which ones; periods: those of rules that lie in these are looked at.
            Of rules with none in them that is said: nothing is looked at.
        org_units: with everything below them. Where a server gives no more than it gives at once, the units below are asked
            one by one; what then may be missing of the unit itself is said.
    """
    if (note := _unlike(rules, periods)) is not None:
        s.person.note(note)
    start, end = span(rules, periods)
    seen: set[tuple[str, str, str, str]] = set()
    open_ = list(org_units)
    while open_:
        unit = open_.pop(0)
        found = await _run(s, unit, start, end)
        if len(found) >= MOST or len(found) == USUAL_MOST:
            below = await _children(s, unit)
            open_ = [*below, *open_]
            if below:
                found = [row for row in found if row.get("organisationUnitId") == unit]
            s.person.warn(cut(unit, len(found)))
        rows: list[Row] = []
        for item in found:
            key = (str(item.get("validationRuleId")), str(item.get("organisationUnitId")), str(item.get("periodId")),
                   str(item.get("attributeOptionComboId")))  # fmt: skip
            if key in seen or key[0] not in rules.bodies or not _asked(key[2], periods):
                continue
            seen.add(key)
            rows.append(_row(item, rules))
        if rows:
            yield rows


def _types(rules: Rules) -> list[PeriodType]:
    """The period types of some rules."""
    types = {str(body.get("periodType")) for body in rules.bodies.values()}
    return [kind for kind in PERIOD_TYPES if kind.name in types]


def span(rules: Rules, periods: Sequence[Period]) -> tuple[str, str]:
    """The first and the last day of the rules' periods in these: a week may begin before its month.

    A server looks at the periods that lie wholly between two days.
    """
    inside = [*periods, *(part for period in periods for part in parts(period, _types(rules)))]
    return min(one.start for one in inside).isoformat(), max(one.end for one in inside).isoformat()


def _unlike(rules: Rules, periods: Sequence[Period]) -> str | None:
    """What is said where rules have no period of their type in those that are asked for."""
    outside = [kind.name for kind in _types(rules)
               if not any(kind == period.type or parts(period, [kind]) for period in periods)]  # fmt: skip
    if not outside:
        return None
    count = sum(body.get("periodType") in outside for body in rules.bodies.values())
    of = f"{joined(outside)} rules" if count > 1 else f"{outside[0]} rule"
    begun = listed(dict.fromkeys(period_type(name).at(periods[0].start).iso for name in outside))
    return f"{count:,} {of} not looked at: no period of theirs lies in {_told(periods)}, such as {begun}"


def _told(periods: Sequence[Period]) -> str:
    return joined((period.iso for period in periods), most=2)


def cut(unit: str, count: int) -> str:
    """What is said where a server gives no more violations at once."""
    return (
        f"the server gives no more violations at once for {unit}: those of the unit itself may be more than {count:,}"
    )


def _asked(iso: str, periods: Sequence[Period]) -> bool:
    found = Period.parse(iso)
    return any(belongs(found, period) for period in periods)


async def _run(s: Session, unit: str, start: str, end: str) -> list[JsonObject]:
    body: JsonObject = {
        "ou": unit, "startDate": start, "endDate": end, "notification": False, "persist": False, "maxResults": MOST,
    }  # fmt: skip
    return cast("list[JsonObject]", await s.client.post("dataAnalysis/validationRules", body, idempotent=True) or [])


async def _children(s: Session, unit: str) -> list[str]:
    rows = await reading.all_of(s.client, "organisationUnits", [f"parent.id:eq:{unit}"], fields="id,displayName")
    return [str(row["id"]) for row in sorted(rows, key=lambda row: str(row.get("displayName")))]


def _row(item: JsonObject, rules: Rules) -> Row:
    uid = str(item["validationRuleId"])
    rule = rules.bodies[uid]
    operator = str(item.get("operator") or rule.get("operator") or "")
    combo = item.get("attributeOptionComboDisplayName")
    return {
        "importance": item.get("importance") or rule.get("importance"), "ruleName": rule.get("displayName"), "rule": uid,
        "period": item.get("periodId"), "orgUnit": item.get("organisationUnitId"),
        "orgUnitName": item.get("organisationUnitDisplayName"),
        "above": str(item.get("organisationUnitAncestorNames") or "").removesuffix(" / ") or None,
        "attributeOptionComboName": None if combo == "default" else combo,
        "leftSide": rules.sides[uid, "leftSide"], "left": short(item.get("leftSideValue")),
        "operator": OPERATORS.get(operator.lower(), operator), "right": short(item.get("rightSideValue")),
        "rightSide": rules.sides[uid, "rightSide"],
        "instruction": rule.get("displayInstruction") or rule.get("instruction"),
    }  # fmt: skip


async def none() -> AsyncGenerator[list[Row]]:
    """No violations."""
    for rows in list[list["Row"]]():
        yield rows


def summary(rows: Sequence[Row]) -> str:
    """Which rules were broken how often, in one line."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row["ruleName"])] = counts.get(str(row["ruleName"]), 0) + 1
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return listed((f"'{name}' {count:,}" for name, count in ranked), 5)
