"""An area declares its tables and hooks, and neither the store nor the importer knows it by name."""

import sqlite3
from collections.abc import Iterator, Mapping

import pytest

from dhis2sh.sandbox.areas import AREAS
from dhis2sh.sandbox.importer.bundle import DELETE, Bundle, ImportOptions, Item
from dhis2sh.sandbox.importer.hooks import Hook, ImportingArea, rows_of
from dhis2sh.sandbox.importer.pipeline import Importer
from dhis2sh.sandbox.store.areas import Get
from dhis2sh.sandbox.store.database import Store
from dhis2sh.sandbox.store.fresh import ADMIN
from dhis2sh.types import JsonObject


def _counted(connection: sqlite3.Connection, constants: Mapping[str, JsonObject], get: Get) -> Mapping[str, JsonObject]:
    connection.executemany("INSERT OR IGNORE INTO reading VALUES (?)", [(uid,) for uid in constants])
    known = {uid: get(uid) is not None for uid in constants}
    return {uid: {**body, "description": "again" if known[uid] else "first"} for uid, body in constants.items()}


def _named(bundle: Bundle, item: Item) -> None:
    item.body.setdefault("name", "Pi")


def _exact(bundle: Bundle, item: Item) -> None:
    if item.body.get("value") == 3:
        item.refuse("E4027", item.body["value"], "value")


READINGS = ImportingArea(
    tables="CREATE TABLE IF NOT EXISTS reading (constant_uid TEXT PRIMARY KEY);",
    writes={"constants": _counted},
    hooks={
        "constants": Hook(prepare=_named, refuses=(_exact,), vetoes=(rows_of("Reading", "reading", "constant_uid"),))
    },
)
PI: JsonObject = {"id": "coPiPiPiPi1", "name": "Pi", "shortName": "Pi", "value": 3.14}


@pytest.fixture
def readings() -> Iterator[Store]:
    store = Store(None, [*AREAS, READINGS])
    yield store
    store.close()


def imported(store: Store, sent: JsonObject, **options: str) -> list[str]:
    """The error codes of an import of one constant as admin."""
    importer = Importer(store, store.get("users", ADMIN) or {})
    return [error.code for error in importer.one("constants", sent, ImportOptions(**options)).errors]  # type: ignore[arg-type]


def test_an_area_has_a_table_and_its_say_in_what_is_written(readings: Store):
    assert imported(readings, PI) == []
    assert (readings.get("constants", "coPiPiPiPi1") or {})["description"] == "first"
    assert imported(readings, PI) == []
    assert (readings.get("constants", "coPiPiPiPi1") or {})["description"] == "again"
    assert readings.connection.execute("SELECT count(*) FROM reading").fetchone() == (1,)


def test_an_area_fills_in_refuses_and_forbids_a_deletion(readings: Store):
    nameless = {name: value for name, value in PI.items() if name != "name"}
    assert imported(readings, nameless) == []
    assert imported(readings, {**PI, "value": 3}) == ["E4027"]
    assert imported(readings, {"id": PI["id"]}, strategy=DELETE) == ["E4030"]
    readings.connection.execute("DELETE FROM reading")
    assert imported(readings, {"id": PI["id"]}, strategy=DELETE) == []


def test_what_an_area_writes_is_part_of_the_transaction(readings: Store):
    def refuse(connection: sqlite3.Connection, units: Mapping[str, JsonObject], get: Get) -> Mapping[str, JsonObject]:
        raise ValueError("not these")

    readings.areas = [*readings.areas, ImportingArea(writes={"constants": refuse})]
    with pytest.raises(ValueError, match="not these"):
        readings.put_objects({"constants": [PI]})
    assert readings.connection.execute("SELECT count(*) FROM reading").fetchone() == (0,)
    assert readings.get("constants", "coPiPiPiPi1") is None


def test_a_store_without_areas_has_the_tables_of_metadata_alone():
    store = Store(None, [])
    tables = {row[0] for row in store.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    store.close()
    assert tables == {"fact", "object", "type_version"}
