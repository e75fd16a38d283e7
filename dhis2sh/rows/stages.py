"""The stages of a pipeline, one function each: `rows | where("level == 2") | select("id", "name")`.

At the prompt their arguments are bare Python (`where(level == 2)`); here they are the same text as strings.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from dhis2sh.errors import PipelineError, did_you_mean
from dhis2sh.rows import sinks
from dhis2sh.rows.expressions import Expression
from dhis2sh.rows.rows import Rows
from dhis2sh.show.render import cell
from dhis2sh.types import JsonValue, Row

type Namespace = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: its name, what it does, and how its arguments are read.

    Parameters:
        function: takes rows, the user's namespace and the arguments.
        sink: True when what comes out is no longer rows.
        literal: True when the arguments are values (`head(10)`), not expressions over a row.
    """

    name: str
    function: Callable[..., object]
    sink: bool = False
    literal: bool = False

    @property
    def help(self) -> str:
        """What it does, from its docstring."""
        return (self.function.__doc__ or "").strip()

    def bind(self, *args: object, **options: object) -> Callable[..., object]:
        """The stage with its arguments, as a function of rows (and the user's namespace)."""

        def apply(rows: Rows[Any], namespace: Namespace | None = None) -> object:
            plain = (
                rows
                if self.sink
                else Rows(rows.plain(), columns=rows.columns, provenance=rows.provenance, resource=rows.resource)
            )
            return self.function(plain, namespace or {}, *args, **options)

        return apply


STAGES: dict[str, Stage] = {}
"""Every stage by its name."""


def stage(
    *, literal: bool = False, name: str | None = None
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Register a stage under its function's name."""

    def register(function: Callable[..., object]) -> Callable[..., object]:
        found = name or function.__name__.rstrip("_")
        STAGES[found] = Stage(found, function, literal=literal)
        return function

    return register


def _bound(text: object, rows: Rows[Row], space: Namespace) -> tuple[Expression, Callable[[Row], object]]:
    expression = Expression(str(text))
    return expression, expression.bind(rows.items, space, rows.columns)


def _label(text: object) -> str:
    return str(text).strip()


@stage()
def where(rows: Rows[Row], space: Namespace, condition: object = "True") -> Rows[Row]:
    """Keep the rows that meet a condition: where(valueType == 'NUMBER' and name.startswith('ANC'))."""
    expression, function = _bound(condition, rows, space)
    try:
        kept = [row for row in rows.items if function(row)]
    except (TypeError, AttributeError, ArithmeticError, LookupError, ValueError):
        kept = [row for row in rows.items if expression.value(function, row)]
    return rows.with_items(kept, columns=rows.columns)


@stage()
def select(rows: Rows[Row], space: Namespace, /, *fields: object, **named: object) -> Rows[Row]:
    """Keep these fields, in this order: select(id, name, combo=categoryCombo.name)."""
    wanted = {**{_label(text): text for text in fields}, **named}
    bound = {label: _bound(text, rows, space) for label, text in wanted.items()}
    items = [{label: cast("JsonValue", e.value(f, row)) for label, (e, f) in bound.items()} for row in rows.items]
    return rows.with_items(items, columns=wanted)


@stage()
def drop(rows: Rows[Row], space: Namespace, *fields: object) -> Rows[Row]:
    """Leave these fields out: drop(code)."""
    gone = {_label(text) for text in fields}
    _known(rows, gone)
    items = [{key: value for key, value in row.items() if key not in gone} for row in rows.items]
    return rows.with_items(items, columns=[name for name in rows.columns if name not in gone])


@stage()
def rename(rows: Rows[Row], space: Namespace, /, **named: object) -> Rows[Row]:
    """Give fields other names: rename(label=displayName)."""
    new = {_label(old): label for label, old in named.items()}
    _known(rows, set(new))
    items = [{new.get(key, key): value for key, value in row.items()} for row in rows.items]
    return rows.with_items(items, columns=[new.get(name, name) for name in rows.columns])


@stage()
def derive(rows: Rows[Row], space: Namespace, /, **named: object) -> Rows[Row]:
    """Add computed fields: derive(length=len(name))."""
    bound = {label: _bound(text, rows, space) for label, text in named.items()}
    items = [{**row, **{k: cast("JsonValue", e.value(f, row)) for k, (e, f) in bound.items()}} for row in rows.items]
    return rows.with_items(items, columns=[*rows.columns, *(name for name in named if name not in rows.columns)])


@stage()
def sort(rows: Rows[Row], space: Namespace, *fields: object, reverse: object = False) -> Rows[Row]:
    """Sort, nulls last: sort(name), sort(-level, name), sort(name, reverse=True)."""
    items = list(rows.items)
    for text in reversed(fields or ("name",)):
        down = _label(text).startswith("-")
        expression, function = _bound(_label(text).removeprefix("-"), rows, space)
        down = down != (str(reverse) == "True")
        keyed = [(expression.value(function, row), row) for row in items]
        there = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: _key(pair[0]), reverse=down)
        items = [row for _, row in there] + [row for value, row in keyed if value is None]
    return rows.with_items(items, columns=rows.columns)


def _key(value: object) -> tuple[int, float, str]:
    return (0, float(value), "") if isinstance(value, (int, float)) else (1, 0.0, str(value))


@stage(literal=True)
def head(rows: Rows[Row], space: Namespace, n: int = 10) -> Rows[Row]:
    """The first rows: head(10)."""
    return rows.with_items(rows.items[:n], columns=rows.columns)


@stage(literal=True)
def tail(rows: Rows[Row], space: Namespace, n: int = 10) -> Rows[Row]:
    """The last rows: tail(10)."""
    return rows.with_items(rows.items[-n:] if n else [], columns=rows.columns)


@stage(literal=True)
def sample(rows: Rows[Row], space: Namespace, n: int = 10, seed: int | None = None) -> Rows[Row]:
    """Some rows by chance: sample(10, seed=1)."""
    drawn = random.Random(seed).sample(rows.items, min(n, len(rows)))  # noqa: S311  (not for secrets)
    return rows.with_items(drawn, columns=rows.columns)


@stage()
def uniq(rows: Rows[Row], space: Namespace, *fields: object) -> Rows[Row]:
    """One row for each value: uniq(valueType)."""
    bound = [_bound(text, rows, space) for text in fields]
    seen: dict[str, Row] = {}
    for row in rows.items:
        seen.setdefault(repr([e.value(f, row) for e, f in bound] if bound else row), row)
    return rows.with_items(seen.values(), columns=rows.columns)


@stage()
def group(rows: Rows[Row], space: Namespace, /, *fields: object, **named: object) -> Rows[Row]:
    """One row per group, with counts and sums: group(valueType, n=count(), total=sum(value))."""
    bound = {_label(text): _bound(text, rows, space) for text in fields}
    groups: dict[str, tuple[Row, list[Row]]] = {}
    for row in rows.items:
        key = {label: cast("JsonValue", e.value(f, row)) for label, (e, f) in bound.items()}
        groups.setdefault(repr(key), (key, []))[1].append(row)
    measures = {label: str(text) for label, text in (named or {"n": "count()"}).items()}
    items = [
        {**key, **{k: _measure(rows.with_items(part), space, text) for k, text in measures.items()}}
        for key, part in groups.values()
    ]
    return rows.with_items(items, columns=[*bound, *measures])


_MEASURES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum, "mean": statistics.fmean, "min": min, "max": max, "median": statistics.median,
}  # fmt: skip


def _measure(rows: Rows[Row], space: Namespace, text: str) -> JsonValue:
    name, _, inside = text.strip().removesuffix(")").partition("(")
    if name == "count":
        return len(rows) if not inside.strip() else sum(value is not None for value in _values(rows, space, inside))
    if name not in _MEASURES:
        known = ["count", *_MEASURES]
        raise PipelineError(
            f"`{text}` is no measure", hint=did_you_mean(name, known) or f"measures: {', '.join(known)}"
        )
    numbers = _numbers(_values(rows, space, inside))
    return _MEASURES[name](numbers) if numbers else None


def _values(rows: Rows[Row], space: Namespace, text: object) -> list[object]:
    expression, function = _bound(text, rows, space)
    return [expression.value(function, row) for row in rows.items]


def _numbers(values: list[object]) -> list[float]:
    """Numbers, and texts that are numbers (data values are texts); nulls are left out."""
    found: list[float] = []
    for value in values:
        if value is None or value == "":
            continue
        try:
            found.append(value if isinstance(value, (int, float)) else float(str(value)))
        except ValueError:
            raise PipelineError(f"{value!r} is not a number", hint="where(...) the numbers first") from None
    return found


@stage()
def count(rows: Rows[Row], space: Namespace, field: object = None) -> object:
    """How many rows; with a field, how many rows for each of its values: count(valueType)."""
    if field is None:
        return len(rows)
    values = _values(rows, space, field)
    counted = Counter[Any](cell(cast("JsonValue", v)) if isinstance(v, (list, dict)) else v for v in values)
    items: list[Row] = [{_label(field): cast("JsonValue", value), "count": n} for value, n in counted.most_common()]
    return rows.with_items(items, columns=[_label(field), "count"])


@stage(name="sum")
def sum_(rows: Rows[Row], space: Namespace, field: object) -> float:
    """The sum of a field: sum(value)."""
    return sum(_numbers(_values(rows, space, field)))


@stage()
def stats(rows: Rows[Row], space: Namespace, field: object) -> Rows[Row]:
    """Count, mean, deviation, least, median and most of a field: stats(value)."""
    numbers = _numbers(_values(rows, space, field))
    if not numbers:
        return rows.with_items([{"field": _label(field), "count": 0}])
    row: Row = {"field": _label(field), "count": len(numbers), "mean": statistics.fmean(numbers),
                "stdev": statistics.stdev(numbers) if len(numbers) > 1 else None, "min": min(numbers),
                "median": statistics.median(numbers), "max": max(numbers), "sum": sum(numbers)}  # fmt: skip
    return rows.with_items([row])


@stage()
def join(rows: Rows[Row], space: Namespace, other: object, on: object = "id", how: object = "left") -> Rows[Row]:
    """Add the fields of other rows by a common field: join(groups, on=id)."""
    right = space.get(_label(other)) if isinstance(other, str) else other
    if not isinstance(right, Rows):
        raise PipelineError(f"`{other}` is not rows", hint="groups = %metadata list dataElementGroups --all")
    key = _label(on).strip("'\"")
    _known(rows, {key})
    plain = cast("Rows[Any]", right).plain()
    index: dict[object, Row] = {row[key]: row for row in plain if row.get(key) is not None}
    inner = _label(how).strip("'\"") == "inner"
    items = [{**index.get(row.get(key), {}), **row} for row in rows.items if not inner or row.get(key) in index]
    return rows.with_items(items)


@stage()
def explode(rows: Rows[Row], space: Namespace, field: object) -> Rows[Row]:
    """One row for each item of a list: explode(dataSetElements)."""
    name = _label(field)
    _known(rows, {name})
    items: list[Row] = []
    for row in rows.items:
        values = row.get(name)
        items += [{**row, name: item} for item in (values if isinstance(values, list) else [values])]
    return rows.with_items(items, columns=rows.columns)


@stage()
def get(rows: Rows[Row], space: Namespace, what: object = 0) -> object:
    """One row by number, or one field of every row as a list: get(0), get(name)."""
    text = _label(what)
    if not text.lstrip("-").isdigit():
        return _values(rows, space, text)
    try:
        return rows.items[int(text)]
    except IndexError:
        raise PipelineError(f"there is no row {text}; there are {len(rows):,}") from None


def _known(rows: Rows[Row], names: set[str]) -> None:
    fields = {key for row in rows.items for key in row} | set(rows.columns)
    for name in names - fields if rows.items else ():
        raise PipelineError(
            f"`{name}` is missing in {len(rows):,} of {len(rows):,} rows", hint=did_you_mean(name, sorted(fields))
        )


for _name, _function in sinks.SINKS.items():
    STAGES[_name] = Stage(_name, _function, sink=True, literal=_name != "chart")
