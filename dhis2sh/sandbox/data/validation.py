"""Runs validation rules over the stored data values, with the expressions that they really have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.formulas import BadExpression, Item, Node, Value, evaluate, items, parse
from dhis2sh.dhis2.periods import Period, period_type
from dhis2sh.sandbox.data.model import Model
from dhis2sh.types import JsonObject

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store

OPERATORS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "equal_to": ("==", lambda a, b: a == b), "not_equal_to": ("!=", lambda a, b: a != b),
    "greater_than": (">", lambda a, b: a > b), "greater_than_or_equal_to": (">=", lambda a, b: a >= b),
    "less_than": ("<", lambda a, b: a < b), "less_than_or_equal_to": ("<=", lambda a, b: a <= b),
}  # fmt: skip
"""The operators of validation rules: as results show them, and when a rule holds."""
PAIRS = {"compulsory_pair": "[Compulsory pair]", "exclusive_pair": "[Exclusive pair]"}
type Key = tuple[str, str, str]
"""Period, org unit, attribute option combo."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that does not hold for one period, org unit and attribute option combo."""

    rule: JsonObject
    period: Period
    org_unit: str
    attribute_option_combo: str
    left: float | None
    right: float | None
    operator: str


@dataclass(slots=True)
class Values:
    """Numbers of data elements, by period, org unit and attribute option combo.

    `numbers[key]` has them by `element` (all option combos together) and by `element.combo`.
    """

    numbers: dict[Key, dict[str, float]] = field(default_factory=dict[Key, dict[str, float]])

    @classmethod
    def read(cls, store: Store, elements: Iterable[str], periods: Iterable[str], units: Iterable[str]) -> Values:
        """Read the numeric values of data elements for periods and org units; deleted ones aside."""
        found = cls()
        wanted, asked = set(units), sorted(set(periods))
        for element in sorted(set(elements)):
            marks = ",".join("?" * len(asked))
            rows = store.connection.execute(
                "SELECT period, org_unit, category_option_combo, attribute_option_combo, value FROM data_value "
                f"WHERE data_element = ? AND period IN ({marks}) AND NOT deleted",
                (element, *asked),
            )
            for period, unit, combo, attribute_combo, text in rows:
                if unit not in wanted:
                    continue
                try:
                    number = float(text)
                except (TypeError, ValueError):
                    continue
                cell = found.numbers.setdefault((period, unit, attribute_combo), {})
                cell[element] = cell.get(element, 0.0) + number
                cell[f"{element}.{combo}"] = number
        return found


class Side:
    """One side of a rule, or a predictor's generator: an expression and what it does about missing values.

    Parameters:
        body: `{expression, missingValueStrategy}`.

    Raises `BadExpression`.
    """

    def __init__(self, store: Store, body: JsonObject) -> None:
        self._store = store
        self.tree: Node = parse(str(body.get("expression") or "0"))
        self.strategy = body.get("missingValueStrategy") or "NEVER_SKIP"
        self.references = [item for item in items(self.tree) if item.kind == "#"]

    @property
    def elements(self) -> set[str]:
        """The data elements that it refers to."""
        return {item.parts[0] for item in self.references if item.parts}

    def value(self, cell: Mapping[str, float], unit: str, days: int) -> float | None:
        """The side's value, None when its strategy skips."""
        known = [number_of(cell, item) for item in self.references]
        if self.references and self.strategy == "SKIP_IF_ANY_VALUE_MISSING" and None in known:
            return None
        if self.references and self.strategy == "SKIP_IF_ALL_VALUES_MISSING" and not any(v is not None for v in known):
            return None
        return as_number(evaluate(self.tree, lambda item: self._item(item, cell, unit, days)))

    def _item(self, item: Item, cell: Mapping[str, float], unit: str, days: int) -> Value:
        match item.kind:
            case "#":
                found = number_of(cell, item)
                return 0.0 if found is None else found
            case "C":
                return cast("float | None", (self._store.get("constants", item.parts[0]) or {}).get("value"))
            case "days":
                return float(days)
            case "OUG":
                group = self._store.get("organisationUnitGroups", item.parts[0]) or {}
                return float(len(cast("list[object]", group.get("organisationUnits") or [])))
            case _:
                return None


def number_of(cell: Mapping[str, float], item: Item) -> float | None:
    """An item's number in a cell: of one option combo, or of all together."""
    element, *rest = item.parts
    combo = rest[0] if rest and rest[0] != "*" else None
    return cell.get(f"{element}.{combo}" if combo else element)


def as_number(value: Value) -> float | None:
    """What an expression came to, as a number; None for a text and for nothing."""
    return float(value) if isinstance(value, (bool, int, float)) else None


def periods_within(kind: str, start: dt.date, end: dt.date) -> list[Period]:
    """The periods of a type that lie wholly between two dates, both included."""
    found: list[Period] = []
    current = period_type(kind).at(start)
    if current.start < start:
        current = current.next()
    while current.end <= end:
        found.append(current)
        current = current.next()
    return found


def run_rules(
    store: Store, rules: Iterable[JsonObject], units: list[str], start: dt.date, end: dt.date, *, limit: int
) -> list[Violation]:
    """The violations of rules in a range of dates, at most `limit` of them.

    A rule whose expression cannot be read is left out, as a server leaves it out.
    """
    found: list[Violation] = []
    levels = Model(store)
    for rule in rules:
        try:
            sides = [Side(store, cast("JsonObject", rule.get(name) or {})) for name in ("leftSide", "rightSide")]
        except BadExpression:
            continue
        wanted = set(cast("list[int]", rule.get("organisationUnitLevels") or []))
        chosen = [unit for unit in units if levels.level(unit) in wanted] if wanted else units
        periods = {one.iso: one for one in periods_within(str(rule.get("periodType") or "Monthly"), start, end)}
        values = Values.read(store, sides[0].elements | sides[1].elements, periods, chosen)
        for violation in _violations(rule, sides, values, periods):
            found.append(violation)
            if len(found) >= limit:
                return found
    return found


def _violations(
    rule: JsonObject, sides: list[Side], values: Values, periods: Mapping[str, Period]
) -> Iterator[Violation]:
    operator = str(rule.get("operator"))
    for (iso, unit, combo), cell in sorted(values.numbers.items()):
        period = periods[iso]
        days = (period.end - period.start).days + 1
        left, right = (side.value(cell, unit, days) for side in sides)
        if _broken(operator, left, right):
            symbol = OPERATORS[operator][0] if operator in OPERATORS else PAIRS.get(operator, operator)
            yield Violation(rule, period, unit, combo, left, right, symbol)


def _broken(operator: str, left: float | None, right: float | None) -> bool:
    match operator:
        case "compulsory_pair":
            return (left is None) != (right is None)
        case "exclusive_pair":
            return left is not None and right is not None
        case _:
            return left is not None and right is not None and not OPERATORS[operator][1](left, right)
