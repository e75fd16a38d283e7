"""A push that is killed at any moment, and given again by the same line: in the end the server has what an undisturbed one leaves.

The long version, as the figure is asked for: `KILLS=20 python -m pytest tests/tracker/test_killed.py`.
"""

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load
from dhis2sh.sandbox.store.database import Store
from tests.fakes.serve import served
from tests.tracker import clinics

KILLS = int(os.environ.get("KILLS", "3"))
PERSONS = 400
TABLES = {
    "tracked_entity": "uid, org_unit, deleted", "attribute_value": "tracked_entity, attribute, value",
    "enrollment": "uid, tracked_entity, program, status, org_unit, enrolled_at, deleted",
    "event": "uid, enrollment, program_stage, status, org_unit, occurred_at, deleted",
    "event_value": "event, data_element, value",
}  # fmt: skip
pytestmark = pytest.mark.timeout(900)


@contextmanager
def server(path: Path) -> Iterator[tuple[Store, str]]:
    store = open_store(path)
    load(store, clinics.metadata())
    load(store, {"trackedEntities": clinics.PERSONS})
    with served(create_app(store)) as url:
        yield store, url
    store.close()


def sheet(path: Path) -> None:
    """New persons with events, and two that are there with something else."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trackedEntity", "orgUnit", "Given name", "Card number", "enrolledAt", "Visit #1 | date", "Visit #1 | Weight",
                         "Visit #2 | date", "Visit #2 | Weight"])  # fmt: skip
        writer.writerow(["tePerson002", "Clinic A", "Bob", "B-1", "", "", "", "", ""])
        for number in range(PERSONS):
            visits = ["2025-02-01", number % 9 + 1, "2025-03-01", number % 7 + 1] if number % 2 else ["", "", "", ""]
            writer.writerow(["", "Clinic B", f"P{number}", f"C-{number}", "2025-01-01", *visits])


def started(url: str, home: Path, folder: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DHIS2", "PYTEST", "COV"))}
    environment |= {
        "DHIS2_URL": url,
        "DHIS2_USERNAME": "admin",
        "DHIS2_PASSWORD": "district",
        "DHIS2SH_HOME": str(home),
    }
    line = [
        str(Path(sys.executable).with_name("dhis2")),
        "data",
        "tracker",
        "push",
        "many.csv",
        "--program",
        "Children",
        "--yes",
    ]
    return subprocess.Popen(
        line, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def state(store: Store) -> dict[str, list[tuple]]:
    return {
        table: sorted(tuple(row) for row in store.connection.execute(f"SELECT {columns} FROM {table}").fetchall())
        for table, columns in TABLES.items()
    }


def test_killed_again_and_again_it_ends_as_if_it_was_not(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    sheet(tmp_path / "many.csv")
    with server(tmp_path / "calm.db") as (store, url):
        began = time.monotonic()
        calm = started(url, tmp_path / "calm", tmp_path)
        told, _ = calm.communicate()
        assert calm.returncode == 0, told
        lasted = time.monotonic() - began
        wanted = state(store)
    assert len(wanted["enrollment"]) == PERSONS + len(clinics.PERSONS)
    with server(tmp_path / "killed.db") as (store, url):
        killed = 0
        for _ in range(KILLS):
            process = started(url, tmp_path / "killed", tmp_path)
            try:
                process.wait(chance.uniform(0.3, 0.9) * lasted)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
            process.communicate()
        last = started(url, tmp_path / "killed", tmp_path)
        told, _ = last.communicate()
        assert last.returncode == 0, told
        assert killed > 0
        assert state(store) == wanted, f"seed {seed}"
