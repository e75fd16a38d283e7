"""Runs predictors over the stored data values: what is predicted is written as any other value is.

API source: `DefaultPredictionService`, `PredictionWriter` (api-facts f.5 and the recordings).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.formulas import Item, Value, evaluate
from dhis2sh.dhis2.periods import Period, period_type
from dhis2sh.sandbox.data import values
from dhis2sh.sandbox.data.imports import server_time
from dhis2sh.sandbox.data.model import Model
from dhis2sh.sandbox.data.validation import Side, Values, as_number, number_of, periods_within
from dhis2sh.sandbox.data.values import Key
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

_DIGITS = Context(prec=4)
"""A prediction has four significant digits."""


@dataclass(slots=True)
class Predicted:
    """What came of predictors: how many values are new, changed and as they were."""

    predictors: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    @property
    def count(self) -> int:
        """Every value that was predicted."""
        return self.inserted + self.updated + self.unchanged

    def shown(self) -> JsonObject:
        """The `PredictionSummary` of the wire."""
        return {
            "status": "SUCCESS", "predictors": self.predictors, "inserted": self.inserted, "updated": self.updated,
            "deleted": 0, "unchanged": self.unchanged, "responseType": "PredictionSummary",
        }  # fmt: skip


def run_predictor(
    store: Store, predictor: JsonObject, start: dt.date, end: dt.date, user: str, found: Predicted
) -> None:
    """Run one predictor over the periods between two dates, write its predictions and count them.

    Raises `BadExpression` for a generator that cannot be read.
    """
    found.predictors += 1
    side = Side(store, cast("JsonObject", predictor.get("generator") or {}))
    skips = Side(store, cast("JsonObject", predictor["sampleSkipTest"])) if predictor.get("sampleSkipTest") else None
    kind = period_type(str(predictor.get("periodType") or "Monthly"))
    units = _predictor_units(store, predictor)
    outputs = periods_within(kind.name, start, end)
    samples = {one.iso: _sample(one, predictor) for one in outputs}
    wanted = side.elements.union(skips.elements if skips else ())
    known = Values.read(store, wanted, {iso for sample in samples.values() for iso in sample}, units)
    output, combo = _id(predictor, "output"), _id(predictor, "outputCombo") or DEFAULT_OPTION_COMBO
    element = store.get("dataElements", output) or {}
    combos = sorted({key[2] for key in known.numbers})
    for period in outputs:
        for unit in units:
            for attribute_combo in combos:
                cells = [known.numbers.get((iso, unit, attribute_combo), {}) for iso in samples[period.iso]]
                number = _predicted(side, [cell for cell in cells if not _skipped(skips, cell, unit)])
                if number is not None:
                    _write(
                        store,
                        Key(output, period.iso, unit, combo, attribute_combo),
                        _text(number, element),
                        user,
                        found,
                    )


def _skipped(skips: Side | None, cell: Mapping[str, float], unit: str) -> bool:
    """Is a period of the sample left out by the predictor's own test?"""
    return skips is not None and bool(cell) and bool(skips.value(cell, unit, 0))


def _write(store: Store, key: Key, text: str, user: str, found: Predicted) -> None:
    with store.writing() as connection:
        old = values.find(connection, key)
        alive = old if old is not None and not old.deleted else None
        if alive is not None and alive.value == text:
            found.unchanged += 1
            return
        found.updated += alive is not None
        found.inserted += alive is None
        created = server_time() if alive is None else alive.created
        values.put(connection, values.Value(key, text, user, created, server_time()))
        if alive is not None:
            values.audit(connection, alive, "UPDATE", user)


def _predicted(side: Side, cells: list[dict[str, float]]) -> float | None:
    """The generator's value over a sample: an item has one value for each period that has any."""

    def value_of(item: Item) -> Value | list[float]:
        if item.kind != "#":
            return None
        return [number for cell in cells if (number := number_of(cell, item)) is not None]

    if side.references and not any(value_of(item) for item in side.references):
        return None
    return as_number(evaluate(side.tree, value_of))


def _sample(period: Period, predictor: JsonObject) -> list[str]:
    """The periods before an output period that a predictor looks at, in this year and in those before."""
    sequential = cast("int", predictor.get("sequentialSampleCount") or 0)
    skip = cast("int", predictor.get("sequentialSkipCount") or 0)
    annual = cast("int", predictor.get("annualSampleCount") or 0)
    found = [period.next(-back).iso for back in range(skip + 1, skip + sequential + 1)]
    for years in range(1, annual + 1):
        try:
            middle = period.type.at(period.start.replace(year=period.start.year - years))
        except ValueError:  # 29 February
            middle = period.type.at(period.start.replace(year=period.start.year - years, day=28))
        found += [middle.next(step).iso for step in range(-sequential, sequential + 1)]
    return list(dict.fromkeys(found))


def _predictor_units(store: Store, predictor: JsonObject) -> list[str]:
    model = Model(store)
    levels = {
        cast("int", (store.get("organisationUnitLevels", cast("str", one["id"])) or {}).get("level"))
        for one in cast("list[JsonObject]", predictor.get("organisationUnitLevels") or [])
    }
    return [unit for unit in store.objects("organisationUnits") if not levels or model.level(unit) in levels]


def _id(body: JsonObject, name: str) -> str:
    return cast("str", cast("JsonObject", body.get(name) or {}).get("id") or "")


def _text(number: float, element: JsonObject) -> str:
    """A prediction as it is stored: whole where the element is, else with four significant digits as Java writes it."""
    if str(element.get("valueType", "")).startswith("INTEGER"):
        return str(round(number))
    rounded = float(_DIGITS.create_decimal(Decimal(number)))
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e7:
        return str(rounded)
    digits, _, power = f"{rounded:e}".partition("e")
    digits = digits.rstrip("0")
    return f"{digits}{'0' if digits.endswith('.') else ''}E{int(power)}"
