"""Values of indicators: the numerator and the denominator evaluated in every cell that has data.

API source: `DataHandler.getIndicatorValues`, `ExpressionService` (api-facts g.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.formulas import BadExpression, Item, Node, Value, evaluate, items, parse
from dhis2sh.sandbox.analytics.aggregate import Cell
from dhis2sh.sandbox.analytics.cells import Cells
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.items import DataItem, ItemKind
from dhis2sh.sandbox.analytics.programs import program_values
from dhis2sh.sandbox.data.model import reference
from dhis2sh.sandbox.refused import not_imitated

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

_ELEMENT_GROUP = "deGroup:"


@dataclass(frozen=True, slots=True)
class Fraction:
    """The value of an indicator in one cell, with its parts."""

    numerator: float
    denominator: float
    multiplier: int
    divisor: int

    @property
    def factor(self) -> float:
        """What the quotient is multiplied by."""
        return self.multiplier / self.divisor

    @property
    def value(self) -> float:
        """The indicator's value."""
        return self.numerator / self.denominator * self.factor


class IndicatorValues:
    """Evaluates indicators in the cells of a query.

    Parameters:
        engine: the query's cells; adds up what the expressions refer to.
        above: the indicators whose expressions led here, to find circles.
    """

    def __init__(self, engine: Cells, above: tuple[str, ...] = ()) -> None:
        self.engine, self.above = engine, above
        self.model = engine.model

    def values(self, uid: str) -> dict[Cell, Fraction]:
        """The value of an indicator by period and the other axes. Raises `Refused` for a circle of references."""
        if uid in self.above:
            raise refusal("E7116", uid)
        body = self.model.body("indicators", uid)
        numerator, denominator = self._parse(body.get("numerator")), self._parse(body.get("denominator"))
        if numerator is None or denominator is None:
            return {}
        totals = self._totals([numerator, denominator], (*self.above, uid))
        kind = self.model.body("indicatorTypes", reference(body, "indicatorType") or "")
        multiplier = int(cast("float", kind.get("factor") or 1))
        days = {window.name: window.days for window in self.engine.windows()}
        found: dict[Cell, Fraction] = {}
        data = [cells for item, cells in totals.items() if item.kind not in _FIXED]
        unit_at = next(
            (at for at, each in enumerate(self.engine.rest, 1) if each.kind == "ou" and not each.filter), None
        )
        if not data:
            raise not_imitated("indicators that count with constants alone")
        for cell in dict.fromkeys(cell for cells in data for cell in cells):
            period_days = days.get(cell[0], 1)
            unit = () if unit_at is None else (cell[unit_at],)
            top = _value(numerator, totals, cell, unit, period_days)
            bottom = _value(denominator, totals, cell, unit, period_days)
            if top is None or not bottom:
                continue
            year = (365, period_days) if body.get("annualized") else (1, 1)
            found[cell] = Fraction(top, bottom, multiplier * year[0], year[1])
        return found

    def _parse(self, text: object) -> Node | None:
        try:
            return parse(str(text)) if text else None
        except BadExpression:
            return None

    def _totals(self, nodes: Iterable[Node], above: tuple[str, ...]) -> dict[Item, dict[Cell, float]]:
        """What every reference of the expressions comes to, by cell."""
        wanted = dict.fromkeys(item for node in nodes for item in items(node))
        reader = _References(self.engine, above)
        return {item: reader.cells(item) for item in wanted if item.kind not in {"days", *_FIXED}} | {
            item: reader.fixed(item) for item in wanted if item.kind in _FIXED
        }


_FIXED = {"C", "OUG"}
"""Kinds of references that no data are behind: the same for all periods."""


def _value(node: Node, totals: dict[Item, dict[Cell, float]], cell: Cell, unit: Cell, days: int) -> float | None:
    """An expression in one cell; what is missing counts as zero, as indicators have it."""

    def value_of(item: Item) -> Value:
        if item.kind == "days":
            return float(days)
        where = {"C": (), "OUG": unit}.get(item.kind, cell)
        return totals.get(item, {}).get(where, 0.0)

    try:
        found = evaluate(node, value_of)
    except (BadExpression, OverflowError, ValueError):
        return None
    if isinstance(found, bool):
        return float(found)
    return found if isinstance(found, (int, float)) else None


class _References:
    """Adds up what one reference of an expression stands for."""

    def __init__(self, engine: Cells, above: tuple[str, ...]) -> None:
        self.engine, self.above, self.model = engine, above, engine.model

    def cells(self, item: Item) -> dict[Cell, float]:
        """The totals of a reference by period and the other axes."""
        match item.kind:
            case "#":
                return self._element(item)
            case "N":
                inner = IndicatorValues(self.engine, self.above).values(item.parts[0])
                return {cell: fraction.value for cell, fraction in inner.items()}
            case "R" if len(item.parts) == 2:
                return self.engine.rates.cells(item.parts[0], item.parts[1])
            case "I" | "D" | "A":
                return self._program(item)
            case _:
                return {}

    def _element(self, item: Item) -> dict[Cell, float]:
        """`#{element}`, `#{element.combo}`, `#{element.combo.attribute}`, `#{deGroup:uid}`; `&` joins several."""
        offset, aggregation = 0, None
        for name, arguments in item.modifiers:
            if name == "periodOffset" and arguments:
                offset += int(cast("float", arguments[0]))
            elif name == "aggregationType" and arguments:
                aggregation = str(arguments[0])
        parts = item.parts + ("*",) * (3 - len(item.parts))
        combos = [None] if parts[1] == "*" else self._combos(parts[1])
        attributes = [None] if parts[2] == "*" else self._combos(parts[2])
        found: dict[Cell, float] = {}
        for combo in combos:
            for attribute in attributes:
                totals = self.engine.element_values(
                    list(self._elements(parts[0])), combo=combo, attribute_combo=attribute, aggregation=aggregation,
                    offset=offset,
                )  # fmt: skip
                for cell, value in totals.items():
                    found[cell[1:]] = found.get(cell[1:], 0.0) + value
        return found

    def _elements(self, text: str) -> Iterator[str]:
        if not text.startswith(_ELEMENT_GROUP):
            yield from text.split("&")
            return
        for group in text.removeprefix(_ELEMENT_GROUP).split("&"):
            rows = self.model.body("dataElementGroups", group).get("dataElements")
            yield from (str(row["id"]) for row in cast("list[JsonObject]", rows or []))

    def _combos(self, text: str) -> list[str | None]:
        """Option combos by UID, or those with a category option (`co:`) or one of a group (`coGroup:`)."""
        prefix, _, rest = text.rpartition(":")
        if not prefix:
            return list(text.split("&"))
        options = rest.split("&")
        if prefix == "coGroup":
            bodies = [self.model.body("categoryOptionGroups", uid).get("categoryOptions") for uid in options]
            options = [str(row["id"]) for rows in bodies for row in cast("list[JsonObject]", rows or [])]
        members = self.engine.tables.option_members(options)
        return list(dict.fromkeys(uid for group in members for uid in group))

    def _program(self, item: Item) -> dict[Cell, float]:
        if item.kind == "I":
            return program_values(self.engine, DataItem(ItemKind.PROGRAM_INDICATOR, item.parts[0], item.parts[0]))
        if len(item.parts) != 2:
            return {}
        kind = ItemKind.PROGRAM_DATA_ELEMENT if item.kind == "D" else ItemKind.PROGRAM_ATTRIBUTE
        return program_values(self.engine, DataItem(kind, ".".join(item.parts), item.parts[1], program=item.parts[0]))

    def fixed(self, item: Item) -> dict[Cell, float]:
        """A constant's value, or how many org units a group has at and below each unit of the query.

        Where units are no axis (a filter, or none), those within all of them are counted, as one.
        """
        if item.kind == "C":
            value = self.model.body("constants", item.parts[0]).get("value")
            return {(): float(cast("float", value or 0))}
        rows = self.model.body("organisationUnitGroups", item.parts[0]).get("organisationUnits")
        members = [str(row["id"]) for row in cast("list[JsonObject]", rows or [])]
        units = self.engine.query.find("ou")
        if units is None:
            return {(): float(len(members))}
        if units.filter:
            return {(): float(sum(self.model.within(member, units.items) for member in members))}
        counts = Counter(above for member in members for above in self.model.path(member))
        return {(unit,): float(counts[unit]) for unit in units.items}
