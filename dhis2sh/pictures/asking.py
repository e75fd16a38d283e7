"""The question of a definition, put to analytics, and its answer laid out on the axes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dhis2sh.errors import Refused

if TYPE_CHECKING:
    from dhis2sh.client.grids import Grid
    from dhis2sh.client.requests import Param
    from dhis2sh.pictures.definitions import Definition, Dimension
    from dhis2sh.session import Session

type Key = tuple[str, ...]
"""The items of an axis at one place, in the order of its dimensions."""
MOST_PLACES = 20_000
"""Places on an axis of several dimensions up to which every one is shown; of more only those with data."""
FRACTION = ("numerator", "denominator", "multiplier", "divisor")


@dataclass(frozen=True, slots=True)
class Number:
    """One answer: a number, or a text; and of a rate what it was made of."""

    value: float | None
    text: str = ""
    fraction: tuple[float, float] | None = None


@dataclass(slots=True)
class Answer:
    """Numbers by their place on the axes.

    Parameters:
        columns, rows: the places of each axis, in the definition's order.
        cells: what stands at a row and a column.
        names: what every identifier is called.
        filtered: the identifiers of the items that filter.
        legends: the legend set of each item of data that has one.
        totals: how DHIS2 adds up each item of data: SUM, AVERAGE, NONE.
    """

    columns: list[Key]
    rows: list[Key]
    cells: dict[tuple[Key, Key], Number]
    names: dict[str, str] = field(default_factory=dict[str, str])
    filtered: list[list[str]] = field(default_factory=list[list[str]])
    legends: dict[str, str] = field(default_factory=dict[str, str])
    totals: dict[str, str] = field(default_factory=dict[str, str])

    def name(self, uid: str) -> str:
        """What an identifier is called."""
        return self.names.get(uid, uid)

    def label(self, key: Key) -> str:
        """A place in words."""
        return " – ".join(map(self.name, key))

    def number(self, row: Key, column: Key) -> Number | None:
        """What stands there."""
        return self.cells.get((row, column))


async def ask(s: Session, found: Definition, more: Mapping[str, Param] | None = None) -> Answer:
    """The answer to a definition.

    Parameters:
        more: parameters of analytics beside the definition's own.

    Raises `Refused` with E7100 ff.; `409 E7128` where it has more rows than the server gives.
    """
    params: dict[str, Param] = {**found.params, "includeMetadataDetails": "true", **(more or {})}
    of = ""
    if found.events is not None:
        of = f"events/aggregate/{found.events.program}"
        said = {
            "stage": found.events.stage, "value": found.events.value, "outputType": found.events.output,
            "eventStatus": found.events.event_status, "programStatus": found.events.program_status,
            "collapseDataDimensions": "true" if found.events.collapse else "",
        }  # fmt: skip
        params |= {name: value for name, value in said.items() if value}
    asked = [one.asked() for one in (*found.columns, *found.rows)]
    filters = [one.asked() for one in found.filters]
    grid = await s.client.analytics.query(asked, filters=filters, of=of, params=params)
    return laid_out(grid, found)


def laid_out(grid: Grid, found: Definition) -> Answer:
    """A grid on the axes of a definition. Raises `Refused` for a grid that lacks a dimension that was asked for."""
    header = {one.name: at for at, one in enumerate(grid.headers)}
    across, down = _columns(header, found.columns), _columns(header, found.rows)
    value = header.get("value")
    if value is None:
        raise Refused("the server's answer has no column of values", hint="dhis2 analytics query --help")
    parts = [header[name] for name in FRACTION if name in header]
    cells: dict[tuple[Key, Key], Number] = {}
    for row in grid.rows:
        place = (tuple(str(row[at]) for at in down), tuple(str(row[at]) for at in across))
        cells[place] = _number(row, value, parts)
    meta = grid.meta_data
    names = {uid: item.name for uid, item in meta.items.items() if item.name}
    if found.look.hierarchy:
        names |= {
            uid: " / ".join(str(path).strip("/").split("/")) for uid, path in meta.ou_name_hierarchy.items() if path
        }
    return Answer(
        _places(found.columns, meta.dimensions, [column for _, column in cells]),
        _places(found.rows, meta.dimensions, [row for row, _ in cells]),
        cells,
        names,
        [list(meta.dimensions.get(one.name) or one.items) for one in found.filters],
        {uid: item.legend_set for uid, item in meta.items.items() if item.legend_set},
        {uid: item.total_aggregation_type for uid, item in meta.items.items() if item.total_aggregation_type},
    )


def _columns(header: Mapping[str, int], dimensions: Sequence[Dimension]) -> list[int]:
    """Where the dimensions of an axis stand in the grid; one of events may lack its stage there (recorded)."""
    found: list[int] = []
    for one in dimensions:
        staged = f"{one.stage}.{one.name}"
        at = next((header[name] for name in (one.name, staged, one.name.rpartition(".")[2]) if name in header), None)
        if at is None:
            raise Refused(f"the server's answer has no column {one.name}", hint="dhis2 analytics query --help")
        found.append(at)
    return found


def _number(row: Sequence[Any], at: int, parts: Sequence[int]) -> Number:
    value = _float(row[at])
    fraction = None
    if len(parts) == len(FRACTION):
        top, below, times, divisor = (_float(row[part]) for part in parts)
        if top is not None and below is not None:
            fraction = (top * (times or 1), below * (divisor or 1))
    return Number(value, "" if value is not None else str(row[at] or ""), fraction)


def _float(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def _places(dimensions: Sequence[Dimension], members: Mapping[str, list[str]], there: Iterable[Key]) -> list[Key]:
    """Every place of an axis, in the order of the items; of conditions on events those that have data."""
    used = list(dict.fromkeys(there))
    lists: list[list[str]] = []
    for at, one in enumerate(dimensions):
        known = members.get(one.name) or members.get(f"{one.stage}.{one.name}") or []
        lists.append([*known, *sorted({key[at] for key in used} - set(known), key=_sorted_as)])
    size = 1
    for found in lists:
        size *= len(found)
    whole = itertools.product(*lists)
    if size <= MOST_PLACES:
        return list(whole)
    order = [{uid: place for place, uid in enumerate(found)} for found in lists]
    return sorted(used, key=lambda key: [order[at][uid] for at, uid in enumerate(key)])


def _sorted_as(text: str) -> tuple[int, float, str]:
    value = _float(text)
    return (0, value, "") if value is not None else (1, 0.0, text)
