"""The stages of a pipeline, one function each: `rows | where("level == 2") | select("id", "name")`.

At the prompt their arguments are bare Python (`where(level == 2)`); here they are the same text as strings.
"""

from __future__ import annotations

import builtins
import random
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, cast

from dhis2sh.errors import PipelineError, did_you_mean
from dhis2sh.rows.cells import cell
from dhis2sh.rows.expressions import Expression, MissingField
from dhis2sh.rows.pipeline import MEASURES
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stage import Namespace, stage
from dhis2sh.rows.stream import Flow, Stream
from dhis2sh.types import JsonValue, Row

type Bound = tuple[Expression, Callable[[Row], object]]


def _bound(text: object, rows: Rows[Row], space: Namespace) -> Bound:
    expression = Expression(str(text))
    return expression, expression.bind(rows.items, space, rows.columns, rows.asked)


def _label(text: object) -> str:
    return str(text).strip()


def _outside(bound: Iterable[Bound]) -> frozenset[str]:
    return frozenset[str]().union(*(expression.outside for expression, _ in bound))


@stage(takes="batches")
def where(rows: Rows[Row], space: Namespace, condition: object = "True") -> Flow:
    """Keep the rows that meet a condition: where(valueType == 'NUMBER' and name.startswith('ANC'))."""
    expression, function = _bound(condition, rows, space)

    def step(items: list[Row]) -> list[Row]:
        try:
            return [row for row in items if function(row)]
        except (TypeError, AttributeError, ArithmeticError, LookupError, ValueError):
            return [row for row in items if expression.value(function, row)]

    return Flow(rows.columns, step, outside=expression.outside)


@stage(takes="batches")
def select(rows: Rows[Row], space: Namespace, /, *fields: object, **named: object) -> Flow:
    """Keep these fields, in this order: select(id, name, combo=categoryCombo.name)."""
    wanted = {**{_label(text): text for text in fields}, **named}
    bound = {label: _bound(text, rows, space) for label, text in wanted.items()}

    def step(items: list[Row]) -> list[Row]:
        return [{label: cast("JsonValue", e.value(f, row)) for label, (e, f) in bound.items()} for row in items]

    return Flow(tuple(wanted), step, declared=True, outside=_outside(bound.values()))


@stage(takes="batches")
def drop(rows: Rows[Row], space: Namespace, *fields: object) -> Flow:
    """Leave these fields out: drop(code)."""
    gone = {_label(text) for text in fields}
    _known(rows, gone)

    def step(items: list[Row]) -> list[Row]:
        return [{key: value for key, value in row.items() if key not in gone} for row in items]

    return Flow(tuple(name for name in rows.columns if name not in gone), step)


@stage(takes="batches")
def rename(rows: Rows[Row], space: Namespace, /, **named: object) -> Flow:
    """Give fields other names: rename(label=displayName)."""
    new = {_label(old): label for label, old in named.items()}
    _known(rows, set(new))

    def step(items: list[Row]) -> list[Row]:
        return [{new.get(key, key): value for key, value in row.items()} for row in items]

    return Flow(tuple(new.get(name, name) for name in rows.columns), step)


@stage(takes="batches")
def derive(rows: Rows[Row], space: Namespace, /, **named: object) -> Flow:
    """Add computed fields: derive(length=len(name))."""
    bound = {label: _bound(text, rows, space) for label, text in named.items()}

    def step(items: list[Row]) -> list[Row]:
        return [{**row, **{k: cast("JsonValue", e.value(f, row)) for k, (e, f) in bound.items()}} for row in items]

    columns = (*rows.columns, *(name for name in named if name not in rows.columns))
    return Flow(columns, step, outside=_outside(bound.values()))


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


@stage(takes="batches", literal=True)
def head(rows: Rows[Row], space: Namespace, n: object = 10) -> Flow:
    """The first rows: head(10)."""
    if not isinstance(n, int):
        raise PipelineError(f"head: {n!r} is no whole number", hint="head(10)")
    left = n

    def step(items: list[Row]) -> list[Row]:
        nonlocal left
        kept = items[:left]
        left = max(0, left - len(items))
        return kept

    return Flow(rows.columns, step, full=lambda: left == 0, needs=f"head({n})" if n < 0 else "")


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
    """One row per group, with counts and sums: group(valueType, n=count(), total=sum(value)), group(above=parent.name)."""
    measures = {label: str(text).strip() for label, text in named.items() if _is_measure(str(text).strip())}
    keys = {_label(text): text for text in fields} | {k: text for k, text in named.items() if k not in measures}
    if not measures:
        measures = {"n": "count()"}
    bound = {label: _bound(text, rows, space) for label, text in keys.items()}
    groups: dict[str, tuple[Row, list[Row]]] = {}
    for row in rows.items:
        key = {label: cast("JsonValue", e.value(f, row)) for label, (e, f) in bound.items()}
        groups.setdefault(repr(key), (key, []))[1].append(row)
    items = [
        {**key, **{k: measure(rows.with_items(part), space, text) for k, text in measures.items()}}
        for key, part in groups.values()
    ]
    return rows.with_items(items, columns=[*bound, *measures])


_MEASURES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum, "mean": statistics.fmean, "min": min, "max": max, "median": statistics.median,
}  # fmt: skip


def _is_measure(text: str) -> bool:
    """Is it a measure, or a function that nobody knows and that was meant for one? Anything else is a key of the groups."""
    called = re.match(r"([A-Za-z_]\w*)\(", text)
    return called is not None and (called[1] in MEASURES or not hasattr(builtins, called[1]))


def measure(rows: Rows[Row], space: Namespace, text: str) -> JsonValue:
    """A measure of rows, such as `sum(value)` or `count()`. Raises `PipelineError`."""
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


_WHOLE = re.compile(r"-?[0-9]{1,15}")


def _numbers(values: list[object]) -> list[float]:
    """Numbers, and texts that are numbers (data values are texts), whole ones as such; nulls are left out."""
    found: list[float] = []
    for value in values:
        if value is None or value == "":
            continue
        try:
            if isinstance(value, str) and _WHOLE.fullmatch(value):
                found.append(int(value))
            else:
                found.append(value if isinstance(value, (int, float)) else float(str(value)))
        except ValueError:
            raise PipelineError(f"{value!r} is not a number", hint="where(...) the numbers first") from None
    return found


@stage(takes="either")
def count(rows: Rows[Any] | Stream[Any], space: Namespace, field: object = None) -> object:
    """How many rows; with a field, how many rows for each of its values: count(valueType)."""
    if isinstance(rows, Stream):
        return length_of(rows) if field is None else _count_of_stream(rows, space, field)
    return len(rows) if field is None else _count(rows.with_items(rows.plain(), columns=rows.columns), space, field)


async def length_of(stream: Stream[Any]) -> int:
    """How many rows a stream has; none of them is kept."""
    found = 0
    async with aclosing(stream.batches()) as batches:
        async for batch in batches:
            found += len(batch)
    return found


async def _count_of_stream(stream: Stream[Any], space: Namespace, field: object) -> object:
    return count(await stream.collect("count"), space, field)


def _count(rows: Rows[Row], space: Namespace, field: object) -> Rows[Row]:
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


@stage(takes="batches")
def explode(rows: Rows[Row], space: Namespace, field: object) -> Flow:
    """One row for each item of a list: explode(dataSetElements)."""
    name = _label(field)
    _known(rows, {name})

    def step(items: list[Row]) -> list[Row]:
        found: list[Row] = []
        for row in items:
            values = row.get(name)
            found += [{**row, name: item} for item in (values if isinstance(values, list) else [values])]
        return found

    return Flow(rows.columns, step)


@stage(literal=True)
def collect(rows: Rows[Row], space: Namespace) -> Rows[Row]:
    """All rows of a stream in memory, so that fields which only later rows have are known: collect | where(...)."""
    return rows.with_items(rows.items, columns=rows.columns)


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
        raise MissingField(name, len(rows), fields)
