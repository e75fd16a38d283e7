import contextlib
import gzip
import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from dhis2sh.errors import Dhis2Error, NotFound, UsageError
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.data.values import count
from dhis2sh.sandbox.load import load, load_file
from dhis2sh.sandbox.store.database import Store
from tests.shared import needs_shared, shared


def test_every_thread_sees_one_parsed_copy_until_somebody_writes(tmp_path: Path) -> None:
    store = open_store(tmp_path / "sandbox.db")
    seen: list[object] = []

    def look() -> None:
        seen.append(store.objects("users"))

    for _ in range(3):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert all(found is seen[0] for found in seen)

    store.put_objects({"users": [{"id": "uNew0000001", "name": "new"}]})
    assert "uNew0000001" in store.objects("users")
    store.close()


def test_another_process_writes_and_we_see_it(tmp_path: Path) -> None:
    ours, theirs = open_store(tmp_path / "sandbox.db"), open_store(tmp_path / "sandbox.db")
    assert "ouNew000001" not in ours.objects("organisationUnits")
    theirs.put_objects({"organisationUnits": [{"id": "ouNew000001", "name": "new"}]})
    assert "ouNew000001" in ours.objects("organisationUnits")
    ours.close()
    theirs.close()


def test_loading_again_updates(store: Store) -> None:
    bundle = {"dataElements": [{"id": "deNumber001", "name": "BCG"}, {"id": "deNew000001", "name": "new"}]}
    first, again = load(store, bundle), load(store, bundle)
    assert (first.created, first.updated) == (1, 1)
    assert (again.created, again.updated) == (0, 2)


def test_data_values_are_replaced_by_their_key(store: Store) -> None:
    value = {"dataElement": "deNumber001", "period": "202501", "orgUnit": "ouFacility1", "value": "1"}
    load(store, {"dataValues": [value]})
    load(store, {"dataValues": [{**value, "value": "2"}]})
    assert count(store) == 1


def test_what_cannot_be_loaded_is_said(store: Store, tmp_path: Path) -> None:
    assert "no such type" in load(store, {"dataElements": [], "noSuchType": [{"id": "x"}]}).left_out[0]
    with pytest.raises(UsageError, match="no metadata type"):
        load(store, {"nonsense": []})
    with pytest.raises(NotFound):
        load_file(store, tmp_path / "missing.json")
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(gzip.compress(json.dumps({"dataElements": []}).encode())[:-4])
    with pytest.raises(UsageError, match="cut off"):
        load_file(store, cut)


@needs_shared
def test_the_real_exports_load_as_they_are(tmp_path: Path) -> None:
    store = open_store(tmp_path / "sandbox.db")
    report = load_file(store, shared("real", "v42", "metadata.json.gz"))
    assert report.types["organisationUnits"] == 1332
    assert report.left_out == []
    assert load_file(store, shared("real", "v42", "dataValues.json.gz")).data_values == 188_697
    store.close()


def test_a_file_of_another_layout_is_left_alone_and_says_what_to_do(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE object (type TEXT, uid TEXT)")
    old.close()

    with pytest.raises(Dhis2Error, match="another version of dhis2sh") as caught:
        open_store(path)
    assert "move it away" in (caught.value.hint or "")
    assert "reset" not in (caught.value.hint or "")


def test_a_file_is_opened_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    open_store(path).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        store = open_store(path)
        assert store.counts()["users"]
        assert time.monotonic() - began < 25, "who waits for the lock waits for thirty seconds"
        store.close()
