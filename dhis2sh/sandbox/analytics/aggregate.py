"""Sums data values up: one SQL statement for all elements that aggregate alike.

Each axis of a query becomes a small mapping table inside the statement (a period to the periods it lies in, an interval
of org unit numbers to the unit above it, an option combo to its category option). The big table is entered by its key
(element, period, org unit), so that a query reads no more rows than it adds up.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import getitem
from typing import TYPE_CHECKING, NamedTuple

import orjson

from dhis2sh.dhis2.belonging import WEEK, belongs, day_of
from dhis2sh.dhis2.periods import Period, PeriodType
from dhis2sh.sandbox.data.model import Model, read_period, references
from dhis2sh.sandbox.java.numbers import plain

if TYPE_CHECKING:
    import sqlite3

    from dhis2sh.sandbox.store.database import Store

type Cell = tuple[str, ...]
"""Where a total belongs: one identifier for each axis, in the order of the axes."""

_TEN_YEARS = dt.timedelta(days=3653)


class Rule(NamedTuple):
    """How an aggregation type works.

    Parameters:
        outer: over org units and option combos, as SQL over `x`.
        inner: over the periods of one org unit and option combo first: LAST, FIRST, MIN, MAX; empty for none.
        back: whether periods before the one that is asked for count, as LAST has it.
    """

    outer: str
    inner: str = ""
    back: bool = False


# Of one value there is no variance; the server reads the missing number as 0.
_VARIANCE = "coalesce((sum(x * x) - sum(x) * sum(x) / count(x)) / nullif(count(x) - 1, 0), 0)"
RULES: Mapping[str, Rule] = {
    "SUM": Rule("sum(x)"),
    "AVERAGE": Rule("avg(x)"),
    "AVERAGE_SUM_ORG_UNIT": Rule("sum(x * days) / target_days"),
    "COUNT": Rule("count(x)"),
    "MIN": Rule("min(x)"),
    "MAX": Rule("max(x)"),
    "STDDEV": Rule(f"sqrt(max({_VARIANCE}, 0))"),
    "VARIANCE": Rule(_VARIANCE),
    "LAST": Rule("sum(x)", "LAST", True),
    "LAST_AVERAGE_ORG_UNIT": Rule("avg(x)", "LAST", True),
    "LAST_LAST_ORG_UNIT": Rule("max(x)", "LAST", True),
    "LAST_IN_PERIOD": Rule("sum(x)", "LAST"),
    "LAST_IN_PERIOD_AVERAGE_ORG_UNIT": Rule("avg(x)", "LAST"),
    "FIRST": Rule("sum(x)", "FIRST", True),
    "FIRST_AVERAGE_ORG_UNIT": Rule("avg(x)", "FIRST", True),
    "FIRST_FIRST_ORG_UNIT": Rule("min(x)", "FIRST", True),
    "MIN_SUM_ORG_UNIT": Rule("sum(x)", "MIN"),
    "MAX_SUM_ORG_UNIT": Rule("sum(x)", "MAX"),
}
"""Aggregation types; CUSTOM and DEFAULT add up, NONE adds nothing up."""


AGGREGATIONS = (
    "SUM", "AVERAGE", "AVERAGE_SUM_ORG_UNIT", "LAST", "LAST_AVERAGE_ORG_UNIT", "LAST_LAST_ORG_UNIT", "LAST_IN_PERIOD",
    "LAST_IN_PERIOD_AVERAGE_ORG_UNIT", "FIRST", "FIRST_AVERAGE_ORG_UNIT", "FIRST_FIRST_ORG_UNIT", "COUNT", "STDDEV",
    "VARIANCE", "MIN", "MAX", "MIN_SUM_ORG_UNIT", "MAX_SUM_ORG_UNIT", "NONE", "CUSTOM", "DEFAULT",
)  # fmt: skip
"""What `aggregationType` may be."""
SORT_ORDERS = ("ASC", "DESC")
"""How rows may be sorted by their value."""


class Axis(NamedTuple):
    """One axis other than data and period: rows of the big table by the item that they belong to.

    Parameters:
        column: `ou`, `co`, `ao` or `dx` of the big table.
        items: the identifiers of the axis.
        spans: from a number to a number, and which item they belong to.
    """

    column: str
    items: Sequence[str]
    spans: Sequence[tuple[int, int, int]]


class Window(NamedTuple):
    """A period of the answer and the data periods that lie in it."""

    name: str
    days: int
    members: Sequence[tuple[int, int, int]]  # number, days, when it begins as an ordinal


@dataclass(slots=True)
class Request:
    """What is to be added up.

    Parameters:
        elements: the data elements.
        windows: the periods of the answer; a filter has one window with all members.
        axes: the other axes.
        limits: conditions on single values before they are added up, as SQL operator and number.
    """

    elements: Sequence[str]
    windows: Sequence[Window]
    axes: Sequence[Axis] = ()
    limits: Sequence[tuple[str, float]] = ()
    combo: str | None = None
    attribute_combo: str | None = None
    by_element: bool = True
    names: list[str] = field(default_factory=list[str])


class Tables:
    """The analytics tables of a store, with the numbers that stand for identifiers.

    Parameters:
        store: the database.
        model: the metadata.
    """

    def __init__(self, store: Store, model: Model) -> None:
        self.store, self.model = store, model

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        return self.store.connection

    @cached_property
    def _keys(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for number, kind, uid in self.connection.execute("SELECT id, kind, uid FROM analytics_key"):
            found.setdefault(kind, {})[uid] = number
        return found

    @cached_property
    def counts_reports(self) -> bool:
        """Is there a table of completeness? A 2.43 makes none where nothing is registered (recorded); of older servers
        nobody has seen one without registrations."""
        any_row = "SELECT 1 FROM analytics_completeness LIMIT 1"
        return self.store.version.minor < 43 or self.connection.execute(any_row).fetchone() is not None

    def numbers(self, kind: str) -> Mapping[str, int]:
        """The numbers of a kind of identifier: dx, pe, co, ds."""
        return self._keys.get(kind, {})

    @cached_property
    def periods(self) -> list[tuple[Period, int]]:
        """The periods that data is in, with their numbers."""
        return [(period, number) for text, number in self.numbers("pe").items() if (period := read_period(text))]

    def spans(self, units: Iterable[str]) -> dict[str, tuple[int, int]]:
        """The numbers of everything at and below each org unit."""
        wanted = list(units)
        marks = ",".join("?" * len(wanted))
        sql = f"SELECT uid, number, last FROM analytics_org_unit WHERE uid IN ({marks})"
        if len(wanted) > 900:
            sql, wanted = "SELECT uid, number, last FROM analytics_org_unit", []
        return {uid: (number, last) for uid, number, last in self.connection.execute(sql, wanted)}

    # Axes ----------------------------------------------------------------------------------------------------------

    def unit_axis(self, units: Sequence[str]) -> Axis:
        """Org units, each with everything below it."""
        known = self.spans(units)
        return Axis("ou", units, [(*known[uid], at) for at, uid in enumerate(units) if uid in known])

    def within(self, units: Sequence[str]) -> Axis:
        """Everything at and below any of these org units, as one; what lies in two of them counts once."""
        merged: list[tuple[int, int, int]] = []
        for first, last in sorted(self.spans(units).values()):
            if not merged or first > merged[-1][1]:
                merged.append((first, last, 0))
        return Axis("ou", ["*"], merged)

    def group_axis(self, column: str, items: Sequence[str], members: Sequence[Iterable[str]]) -> Axis:
        """Groups of org units, option combos or elements; each member by itself, without what is below it."""
        if column == "ou":
            known: Mapping[str, int] = {uid: span[0] for uid, span in self.spans(_flat(members)).items()}
        else:
            known = self.numbers("dx" if column == "dx" else "co")
        spans = [(known[uid], known[uid], at) for at, group in enumerate(members) for uid in group if uid in known]
        return Axis(column, items, spans)

    def option_members(self, options: Sequence[str]) -> list[list[str]]:
        """The option combos of each category option."""
        found: dict[str, list[str]] = {}
        for uid, body in self.model.store.objects("categoryOptionCombos").items():
            for option in references(body, "categoryOptions"):
                found.setdefault(option, []).append(uid)
        return [found.get(option, []) for option in options]

    # Windows -------------------------------------------------------------------------------------------------------

    def texts(self, elements: Sequence[str], windows: Sequence[Window], axes: Sequence[Axis]) -> dict[Cell, str]:
        """The values of elements as they are, numbers too: of several in a cell the last one in the table's order.

        Which one a server gives is up to its database.

        Returns them by element, period, then each axis.
        """
        found = dict[Cell, str]()
        places = [items_by_number(axis) for axis in axes]
        columns = [("dx", "pe", "ou", "co", "ao").index(axis.column) for axis in axes]
        for element in elements:
            for window in windows:
                for member in window.members:
                    rows = self.connection.execute(
                        "SELECT dx, pe, ou, co, ao, number, text FROM analytics_value WHERE dx = ? AND pe = ?",
                        (self.numbers("dx").get(element), member[0]),
                    )
                    for row in rows:
                        items = (at.get(row[column], ()) for at, column in zip(places, columns, strict=True))
                        value = row[6] if row[5] is None else plain(row[5])
                        found.update({(element, window.name, *place): value for place in itertools.product(*items)})
        return found

    def window(
        self, name: str, start: dt.date, end: dt.date, kind: PeriodType | None = None, *, back: bool = False
    ) -> Window:
        """A time span and the data periods in it.

        Parameters:
            kind: the type of the period that it is, for which those count that belong to it; without one, as for dates,
                those that lie wholly in it.
            back: also what lies up to ten years before it, for LAST and FIRST.
        """
        first = start - _TEN_YEARS if back and start > dt.date(1000, 1, 1) else start
        whole = None if back or kind is None else Period(kind, start)
        members: list[tuple[int, int, int]] = []
        for period, number in self.periods:
            if whole is not None:
                inside = belongs(period, whole)
            elif back and period.type.frequency_order == WEEK:
                inside = first <= day_of(period) <= end
            else:
                inside = first <= period.start and period.end <= end
            if inside:
                members.append((number, (period.end - period.start).days + 1, period.start.toordinal()))
        return Window(name, (end - start).days + 1, members)

    # Adding up -----------------------------------------------------------------------------------------------------

    def totals(self, request: Request, aggregation: str) -> dict[Cell, float]:
        """The totals of every cell: element (unless they are added up together), period, then each axis.

        Parameters:
            aggregation: one of `RULES`; any other adds up.
        """
        rule = RULES.get(aggregation, RULES["SUM"])
        elements = [(self.numbers("dx")[uid], uid) for uid in request.elements if uid in self.numbers("dx")]
        if not elements or not any(window.members for window in request.windows):
            return {}
        _lay_out(self.connection, request.axes)
        sql, parameters = _statement(rule, [number for number, _ in elements], request, self.numbers("co"))
        words: list[Mapping[int, str] | Sequence[str]] = [dict(elements)] if request.by_element else []
        words += [[window.name for window in request.windows], *(axis.items for axis in request.axes)]
        skipped = 0 if request.by_element else 1
        rows = self.connection.execute(sql, parameters)
        # A query over all facilities has 100,000 cells: each number of a row looks its word up without a loop here.
        return {tuple(map(getitem, words, row[skipped:])): row[-1] for row in rows if row[-1] is not None}


def _flat(groups: Iterable[Iterable[str]]) -> list[str]:
    return [uid for group in groups for uid in group]


def _json(rows: object) -> str:
    return orjson.dumps(rows).decode()


def _statement(
    rule: Rule, elements: list[int], request: Request, combos: Mapping[str, int]
) -> tuple[str, list[object]]:
    """The SQL of a request, with its parameters. The axes that rows look up are in `temp.axis_<number>`."""
    windows = [[*member, at, window.days] for at, window in enumerate(request.windows) for member in window.members]
    parameters: list[object] = [_json(elements), _json(windows)]
    tables = [
        "d(dx) AS (SELECT value FROM json_each(?))",
        "p(pe, days, begins, at, target_days) AS MATERIALIZED (SELECT value ->> 0, value ->> 1, value ->> 2, "
        "value ->> 3, value ->> 4 FROM json_each(?))",
    ]
    joins, late, on = ["d CROSS JOIN p"], list[str](), "v.dx = d.dx AND v.pe = p.pe"
    for number, axis in enumerate(request.axes):
        name = f"x{number}"
        if _entered(axis):
            parameters.append(_json(axis.spans))
            tables.append(f"{name}(first, last, at) AS MATERIALIZED "
                          "(SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))")  # fmt: skip
            joins.append(f"CROSS JOIN {name}")
            on += f" AND v.ou BETWEEN {name}.first AND {name}.last"
        else:
            late.append(f"CROSS JOIN temp.axis_{number} {name} ON {name}.id = v.{axis.column}")
    joins.append(f"CROSS JOIN analytics_value v ON {on}")
    where = ["v.number IS NOT NULL"] + [f"v.number {operator} ?" for operator, _ in request.limits]
    parameters += [number for _, number in request.limits]
    for column, combo in (("co", request.combo), ("ao", request.attribute_combo)):
        if combo is not None:
            where.append(f"v.{column} = ?")
            parameters.append(combos.get(combo, -1))
    ats = "".join(f", x{number}.at AS a{number}" for number in range(len(request.axes)))
    element = "v.dx" if request.by_element else "0"
    rows = (
        f"SELECT {element} AS dx, p.at AS at{ats}, v.number AS x, p.days AS days, p.target_days AS target_days, "
        f"p.begins AS begins, v.dx AS e, v.ou AS ou, v.co AS co, v.ao AS ao "
        f"FROM {' '.join(joins + late)} WHERE {' AND '.join(where)}"
    )
    group = ", ".join(["dx", "at", *(f"a{number}" for number in range(len(request.axes)))])
    if rule.inner:
        # SQLite takes the other columns of the row that holds the single max() or min().
        pick = {"LAST": "max(begins)", "FIRST": "min(begins)", "MIN": "min(x)", "MAX": "max(x)"}[rule.inner]
        rows = f"SELECT {group}, x, days, target_days, {pick} FROM ({rows}) GROUP BY {group}, e, ou, co, ao"
    sql = f"WITH {', '.join(tables)} SELECT {group}, {rule.outer} FROM ({rows}) GROUP BY {group}"
    return sql, parameters


def _entered(axis: Axis) -> bool:
    """Is the big table entered once for each interval of the axis? With more, each row looks its item up."""
    return axis.column == "ou" and len(axis.spans) <= _FEW


def _lay_out(connection: sqlite3.Connection, axes: Sequence[Axis]) -> None:
    """Put the axes that rows look up into tables of this connection."""
    with connection:
        for number, axis in enumerate(axes):
            if _entered(axis):
                continue
            name = f"temp.axis_{number}"
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {name} (id INTEGER, at INTEGER, PRIMARY KEY (id, at)) WITHOUT ROWID"
            )
            connection.execute(f"DELETE FROM {name}")
            connection.executemany(f"INSERT OR IGNORE INTO {name} VALUES (?, ?)", points(axis.spans))


_FEW = 40


def items_by_number(axis: Axis) -> dict[int, list[str]]:
    """The items that each number of an axis belongs to."""
    found: dict[int, list[str]] = {}
    for number, at in points(axis.spans):
        found.setdefault(number, []).append(axis.items[at])
    return found


def points(spans: Iterable[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Every number of the spans with its item."""
    return [(number, at) for first, last, at in spans for number in range(first, last + 1)]
