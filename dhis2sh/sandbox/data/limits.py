"""Limits that a value should keep to: kept, made from the values that there are, and values that break them.

API source: `MinMaxDataElementService`, `MinMaxValuesGenerationService`, `StdDevOutlierAnalysisService` (api-facts f.5 and
the recordings).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import orjson

from dhis2sh.sandbox.metadata.value_types import NUMERIC_TYPES
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from dhis2sh.sandbox.data.model import Model
    from dhis2sh.sandbox.store.database import Store


class LimitKey(NamedTuple):
    """What identifies a limit: a data element, an org unit, a category option combo."""

    element: str
    unit: str
    combo: str


@dataclass(frozen=True, slots=True)
class Limit:
    """The least and the most that values should be."""

    low: int
    high: int
    generated: bool = False


@dataclass(frozen=True, slots=True)
class Suspect:
    """A value outside of its limits."""

    key: LimitKey
    period: str
    value: str
    limit: Limit
    follow_up: bool


def put(store: Store, rows: Iterable[tuple[LimitKey, Limit]]) -> None:
    """Keep limits; those that are there are replaced."""
    with store.writing() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO min_max VALUES (?, ?, ?, ?, ?, ?)",
            [(*key, limit.low, limit.high, limit.generated) for key, limit in rows],
        )


def drop(store: Store, keys: Iterable[LimitKey]) -> int:
    """Forget limits. Returns how many there were."""
    with store.writing() as connection:
        return sum(
            connection.execute(
                "DELETE FROM min_max WHERE data_element = ? AND org_unit = ? AND category_option_combo = ?", key
            ).rowcount
            for key in keys
        )


def drop_all(store: Store, elements: Iterable[str], units: Iterable[str]) -> None:
    """Forget every limit of data elements in org units."""
    with store.writing() as connection:
        connection.execute(f"DELETE FROM min_max WHERE {_WITHIN}", (_json(elements), _json(units)))


def stored(store: Store, elements: Iterable[str], units: Iterable[str]) -> dict[LimitKey, Limit]:
    """The limits of data elements in org units."""
    rows = store.connection.execute(
        "SELECT data_element, org_unit, category_option_combo, minimum, maximum, generated FROM min_max "
        f"WHERE {_WITHIN}",
        (_json(elements), _json(units)),
    )
    return {LimitKey(*row[:3]): Limit(row[3], row[4], bool(row[5])) for row in rows}


_WITHIN = "data_element IN (SELECT value FROM json_each(?)) AND org_unit IN (SELECT value FROM json_each(?))"


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps(sorted(set(texts))).decode()


def usual(
    store: Store, model: Model, elements: Iterable[str], units: Iterable[str], factor: float
) -> dict[LimitKey, Limit]:
    """Limits around the mean of all values, of numeric data elements only.

    Parameters:
        factor: how many standard deviations a value may be away.
    """
    numeric = [uid for uid in elements if model.body("dataElements", uid).get("valueType") in NUMERIC_TYPES]
    found: dict[LimitKey, list[float]] = {}
    for key, _, text, _ in _values(store, numeric, units):
        number = _number(text)
        if number is not None:
            found.setdefault(key, []).append(number)
    return {key: _around(numbers, factor) for key, numbers in found.items()}


def _around(numbers: list[float], factor: float) -> Limit:
    mean = math.fsum(numbers) / len(numbers)
    away = factor * math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))
    return Limit(math.floor(mean - away + 0.5), math.floor(mean + away + 0.5), generated=True)


def suspects(
    store: Store,
    limits: Mapping[LimitKey, Limit],
    periods: Iterable[str],
    elements: Iterable[str],
    units: Iterable[str],
) -> Iterator[Suspect]:
    """The values of periods that are outside of their limits."""
    wanted = set(periods)
    for key, period, text, follow_up in _values(store, elements, units):
        number, limit = _number(text), limits.get(key)
        if period in wanted and number is not None and limit is not None and not limit.low <= number <= limit.high:
            yield Suspect(key, period, text, limit, follow_up)


def _values(store: Store, elements: Iterable[str], units: Iterable[str]) -> Iterator[tuple[LimitKey, str, str, bool]]:
    rows = store.connection.execute(
        "SELECT data_element, org_unit, category_option_combo, period, value, follow_up FROM data_value "
        f"WHERE {_WITHIN} AND NOT deleted AND value IS NOT NULL",
        (_json(elements), _json(units)),
    )
    return ((LimitKey(*row[:3]), row[3], row[4], bool(row[5])) for row in rows)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def said(key: LimitKey) -> str:
    """A key in the server's words."""
    return f"MinMaxValueKey[dataElement={key.element}, orgUnit={key.unit}, optionCombo={key.combo}]"


def demand_order(key: LimitKey, limit: Limit, *, brief: bool) -> None:
    """Raise `Refused` for a least that is not less than the most.

    Parameters:
        brief: without the limit itself, as 2.41 says it.
    """
    if limit.low < limit.high:
        return
    text = "Max value must be greater than min value"
    values = (
        f"MinMaxValue[dataElement={key.element}, orgUnit={key.unit}, optionCombo={key.combo}, minValue={limit.low}, "
        f"maxValue={limit.high}, generated={str(limit.generated).lower()}]"
    )
    raise Refused(400, text if brief else f"{text}: `{values}`", "E2044")
