"""Builds the analytics tables from the data of the moment, as the job `ANALYTICS_TABLE` does."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.sandbox.data.export import DISTINCT_PERIODS
from dhis2sh.sandbox.data.model import Model, read_period
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.value_types import AVERAGED, BOOLEAN_TYPES, NUMERIC_TYPES
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    import sqlite3

    from dhis2sh.sandbox.store.database import Store

TABLE_TYPES = (
    "TRACKED_ENTITY_INSTANCE", "TRACKED_ENTITY_INSTANCE_EVENTS", "TRACKED_ENTITY_INSTANCE_ENROLLMENTS", "DATA_VALUE",
    "COMPLETENESS", "COMPLETENESS_TARGET", "ORG_UNIT_TARGET", "OWNERSHIP", "EVENT", "VALIDATION_RESULT", "ENROLLMENT",
)  # fmt: skip
"""The kinds of tables, in the order in which the server builds them."""
_TABLES = {"DATA_VALUE": "value", "COMPLETENESS": "completeness", "COMPLETENESS_TARGET": "target"}

BUILT = "analyticsTablesBuilt"
"""The fact that says when the tables were built; empty when they are not there."""
UPDATED, RUNTIME = "keyLastSuccessfulAnalyticsTablesUpdate", "keyLastSuccessfulAnalyticsTablesRuntime"
"""The settings in which a server keeps when it built them, and how long that took (system-info 1)."""


_ONE = "1 successful and 0 failed items"
_BY_PROGRAM = frozenset({"OWNERSHIP", "EVENT", "ENROLLMENT"})
_INDEXES: Mapping[str, int] = {
    "TRACKED_ENTITY_INSTANCE": 40, "TRACKED_ENTITY_INSTANCE_EVENTS": 26, "TRACKED_ENTITY_INSTANCE_ENROLLMENTS": 22,
    "DATA_VALUE": 48, "COMPLETENESS": 48, "COMPLETENESS_TARGET": 15, "ORG_UNIT_TARGET": 5, "OWNERSHIP": 12, "EVENT": 76,
    "VALIDATION_RESULT": 40, "ENROLLMENT": 51,
}  # fmt: skip
"""How many indexes a table gets; a real one's number depends on its columns."""


def is_built(store: Store) -> bool:
    """Are there analytics tables?"""
    return bool(store.fact(BUILT))


def clear(store: Store) -> None:
    """Drop what the tables hold; queries are then refused with E7144."""
    with store.writing() as connection:
        _empty(connection, TABLE_TYPES)
        connection.execute("INSERT OR REPLACE INTO fact VALUES (?, '')", (BUILT,))  # the settings stay, as on a server


def views_kept(store: Store) -> int:
    """How many SQL views are kept in the database, and dropped and created around a build: a query is only run."""
    return sum(view.get("type") != "QUERY" for view in store.objects("sqlViews").values())


def lasted(seconds: float) -> str:
    """How long a build took, as a server says it."""
    return f"{int(seconds // 3600):02}:{int(seconds // 60 % 60):02}:{seconds % 60:06.3f}"


def build(store: Store, types: Sequence[str] = TABLE_TYPES, note: Callable[[str], None] = lambda words: None) -> float:
    """Build the tables anew, in one transaction: readers see the old ones until it ends.

    Parameters:
        types: which kinds of tables; events, enrollments and tracked entities are answered from the tracker's own rows.
        note: told each step, in the server's words.

    Returns how many seconds it took.
    """
    began = time.perf_counter()
    model = Model(store)
    views = [f"{views_kept(store)} successful and 0 failed items"]
    for words in ["Drop SQL views", *views, "Generating resource tables", _ONE, "Create SQL views", *views]:
        note(words)
    with store.writing() as connection:
        _empty(connection, types)
        _number_org_units(connection, model)
        _number_keys(connection, store)
        steps: dict[str, Callable[[], int]] = {
            "DATA_VALUE": lambda: _fill_values(connection, store),
            "COMPLETENESS": lambda: _fill_completeness(connection, model),
            "COMPLETENESS_TARGET": lambda: _fill_targets(connection, model),
        }
        said: list[str] = []
        for name in types:
            said.append(f"Validating analytics table: {name}")
            tables = len(store.objects("programs")) if name in _BY_PROGRAM else 1
            rows = steps[name]() if name in steps else tables * (name != "VALIDATION_RESULT")
            said.append(f"Validated analytics tables with outcome: {str(rows > 0).lower()}")
            if rows:
                said += _said_of(name, tables, views)
        seconds = time.perf_counter() - began
        _remember(connection, seconds)
    for words in [*said, "Updating system settings", "Invalidate analytics caches"]:
        note(words)
    return seconds


def _said_of(name: str, tables: int, views: Sequence[str]) -> Iterator[str]:
    """What a server says while it fills the tables of one type; those of programs are filled without a summary."""
    done = f"{tables} successful and 0 failed items"
    yield "Performing pre-create table work"
    yield from (f"Dropping staging tables: '{name}'", done, f"Creating analytics tables: '{name}'", done)
    yield f"Populating {tables} analytics tables: '{name}'"
    yield from [] if name in _BY_PROGRAM else [done]
    yield f"Invoking analytics table hooks: '{name}'"
    yield f"Creating {_INDEXES[name] * tables} indexes: '{name}'"
    yield f"Analyzing analytics tables: '{name}'"
    yield from ("Drop SQL views", *views, f"Swapping analytics tables: '{name}'", done, "Create SQL views", *views)


def _remember(connection: sqlite3.Connection, seconds: float) -> None:
    at = now()
    connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (BUILT, at))
    rows = [("", UPDATED, "", at), ("", RUNTIME, "", lasted(seconds))]
    connection.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?, ?, ?)", rows)


def _empty(connection: sqlite3.Connection, types: Sequence[str]) -> None:
    for table in ("key", "org_unit", *(_TABLES[name] for name in types if name in _TABLES)):
        connection.execute(f"DELETE FROM analytics_{table}")


def _number_org_units(connection: sqlite3.Connection, model: Model) -> None:
    """Number the org units depth first: what is below one has the numbers that follow its own."""
    units = model.store.objects("organisationUnits")
    roots = [uid for uid, body in units.items() if not body.get("parent")]
    rows: list[list[int | str]] = []
    waiting: list[tuple[str, int]] = [(uid, 1) for uid in reversed(roots)]
    open_rows: list[list[int | str]] = []
    while waiting:
        uid, level = waiting.pop()
        while open_rows and int(open_rows[-1][3]) >= level:
            open_rows.pop()[2] = len(rows)
        row: list[int | str] = [len(rows) + 1, uid, 0, level]
        rows.append(row)
        open_rows.append(row)
        waiting.extend((child, level + 1) for child in model.children.get(uid, []))
    for row in open_rows:
        row[2] = len(rows)
    connection.executemany("INSERT INTO analytics_org_unit VALUES (?, ?, ?, ?)", rows)


def _number_keys(connection: sqlite3.Connection, store: Store) -> None:
    """Give every element, period and option combo that data can have a number."""
    elements = store.objects("dataElements")
    numeric = {
        uid: "dx"
        if body.get("valueType") in NUMERIC_TYPES
        else "bx"
        if body.get("valueType") in BOOLEAN_TYPES
        else "tx"
        for uid, body in elements.items()
    }
    periods = {row[0] for row in connection.execute(DISTINCT_PERIODS)}
    periods |= {row[0] for row in connection.execute("SELECT DISTINCT period FROM completeness")}
    known = sorted(text for text in periods if read_period(text))
    combos = [
        DEFAULT_OPTION_COMBO,
        *(uid for uid in store.objects("categoryOptionCombos") if uid != DEFAULT_OPTION_COMBO),
    ]
    rows = [
        *(("dx", uid) for uid in sorted(elements)),
        *((kind, uid) for uid, kind in numeric.items() if kind != "dx"),
        *(("pe", text) for text in known),
        *(("co", uid) for uid in combos),
        *(("ds", uid) for uid in store.objects("dataSets")),
    ]
    connection.executemany("INSERT INTO analytics_key (kind, uid) VALUES (?, ?)", rows)


def _fill_values(connection: sqlite3.Connection, store: Store) -> int:
    """One row a data value: numbers as numbers, booleans as 1 and 0, everything else as text. Returns how many.

    A zero is left out unless it counts in an average, or is significant and the setting says that such zeros count.
    """
    setting = connection.execute(
        "SELECT value FROM setting WHERE user = '' AND key = 'keyIncludeZeroValuesInAnalytics'"
    )
    significant = (setting.fetchone() or ("",))[0].strip('"') == "true"
    kept = [
        uid
        for uid, body in store.objects("dataElements").items()
        if body.get("aggregationType") in AVERAGED or (significant and body.get("zeroIsSignificant"))
    ]
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS kept_zero (uid PRIMARY KEY)")
    connection.execute("DELETE FROM temp.kept_zero")
    connection.executemany("INSERT INTO temp.kept_zero VALUES (?)", [(uid,) for uid in kept])
    return connection.execute("""
        INSERT OR REPLACE INTO analytics_value
        SELECT d.id, p.id, o.number, c.id, a.id,
            CASE WHEN v.data_element IN (SELECT uid FROM analytics_key WHERE kind = 'tx') THEN NULL
                 WHEN v.value = 'true' THEN 1 WHEN v.value = 'false' THEN 0
                 WHEN v.data_element IN (SELECT uid FROM analytics_key WHERE kind = 'bx') THEN NULL
                 ELSE CAST(v.value AS REAL) END,
            CASE WHEN v.data_element IN (SELECT uid FROM analytics_key WHERE kind = 'tx') THEN v.value END
        FROM data_value v
        CROSS JOIN analytics_key d ON d.kind = 'dx' AND d.uid = v.data_element
        CROSS JOIN analytics_key p ON p.kind = 'pe' AND p.uid = v.period
        CROSS JOIN analytics_org_unit o ON o.uid = v.org_unit
        CROSS JOIN analytics_key c ON c.kind = 'co' AND c.uid = v.category_option_combo
        CROSS JOIN analytics_key a ON a.kind = 'co' AND a.uid = v.attribute_option_combo
        WHERE NOT v.deleted AND v.value IS NOT NULL
            AND (v.value <> '0' OR v.data_element IN (SELECT uid FROM temp.kept_zero)
                 OR v.data_element IN (SELECT uid FROM analytics_key WHERE kind = 'tx'))
    """).rowcount


def _fill_completeness(connection: sqlite3.Connection, model: Model) -> int:
    """One row a complete registration, with whether it came within the data set's timely days. Returns how many."""
    rows = connection.execute("SELECT data_set, period, date FROM completeness WHERE completed GROUP BY 1, 2, 3")
    timely: list[tuple[str, str, str]] = []
    for data_set, text, date in rows:
        period = read_period(text)
        days = float(str(model.body("dataSets", data_set).get("timelyDays") or 0))
        if period is not None and date and (_days_after(period.end.isoformat(), date) <= days):
            timely.append((data_set, text, date))
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS timely (data_set, period, date)")
    connection.execute("DELETE FROM temp.timely")
    connection.executemany("INSERT INTO temp.timely VALUES (?, ?, ?)", timely)
    return connection.execute("""
        INSERT OR REPLACE INTO analytics_completeness
        SELECT d.id, p.id, o.number, a.id,
            EXISTS (SELECT 1 FROM temp.timely t
                    WHERE t.data_set = c.data_set AND t.period = c.period AND t.date = c.date)
        FROM completeness c
        JOIN analytics_key d ON d.kind = 'ds' AND d.uid = c.data_set
        JOIN analytics_key p ON p.kind = 'pe' AND p.uid = c.period
        JOIN analytics_org_unit o ON o.uid = c.org_unit
        JOIN analytics_key a ON a.kind = 'co' AND a.uid = c.attribute_option_combo
        WHERE c.completed
    """).rowcount


def _days_after(end: str, date: str) -> int:
    return (dt.date.fromisoformat(date[:10]) - dt.date.fromisoformat(end)).days


def _fill_targets(connection: sqlite3.Connection, model: Model) -> int:
    """Which org units are expected to report which data set. Returns how many."""
    return connection.executemany(
        "INSERT OR IGNORE INTO analytics_target SELECT k.id, o.number FROM analytics_key k, analytics_org_unit o "
        "WHERE k.kind = 'ds' AND k.uid = ? AND o.uid = ?",
        [(data_set, unit) for data_set, units in model.units_of.items() for unit in units],
    ).rowcount
