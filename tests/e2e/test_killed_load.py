"""A load that is killed again and again: the same line finishes it, and the server holds what an undisturbed one leaves.

The long version, as the figure is asked for: `KILLS=20 python -m pytest tests/e2e/test_killed_load.py`.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dhis2sh.session import Session
from tests.conftest import filled, holding
from tests.data.conftest import _fill
from tests.measuring import unmeasured
from tests.metadata.calls import call

KILLS = int(os.environ.get("KILLS", "3"))
PATIENCE = 60
"""Seconds in which a load has begun to send, on a busy machine."""
LINE = """
import sys
from dhis2sh.data import jobs
jobs.ROWS_IN_ONE_PART = 4
from dhis2sh.surfaces.cli.main import run
sys.exit(run(["-p", "sandbox", "data", "aggregate", "push", "values.csv", "--yes", "-o", "json"]))
"""


def _rows() -> dict[tuple[str, str, str], str]:
    """Values of two elements over three years."""
    months = [f"{year}{month:02}" for year in (2022, 2023, 2024) for month in range(1, 13)]
    return {
        (element, month, unit): str(number % 90 + 1)
        for number, (element, month, unit) in enumerate(
            (element, month, unit)
            for element in ("Stock", "Temperature")
            for month in months
            for unit in ("Clinic A", "Clinic B", "Clinic C")
        )
    }


def sent(home: Path) -> int:
    """How many parts have gone out."""
    return len(list((home / "data" / "jobs").rglob("*.sent")))


@pytest.mark.timeout(600)
async def test_kills_lose_nothing_and_double_nothing(home: Path, tmp_path_factory: pytest.TempPathFactory):
    holding(home, filled(tmp_path_factory.mktemp("nation"), _fill))
    rows = _rows()
    lines = [f"{element},{month},{unit},{value}" for (element, month, unit), value in rows.items()]
    Path("values.csv").write_text("\n".join(["dataElement,period,orgUnit,value", *lines, ""]), "utf-8")
    chance = random.Random(7)
    for _ in range(KILLS):
        before = sent(home)
        started = subprocess.Popen(
            [sys.executable, "-c", LINE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=unmeasured()
        )
        until = time.monotonic() + PATIENCE
        more = chance.randint(0, 2)
        while sent(home) <= before + more and started.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.03))
        assert started.poll() is None, "the load ended before it was killed"
        started.kill()
        started.wait()
    last = subprocess.run([sys.executable, "-c", LINE], capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    s = Session("sandbox")
    try:
        asked = {
            "data_element": ["Stock", "Temperature"],
            "period": ["202201..202412"],
            "org_unit": ["Nation"],
            "children": True,
        }
        stream = await call(s, "data aggregate get", names=True, **asked)
        found = (await stream.collect()).plain()
    finally:
        await s.aclose()
    assert {(row["dataElementName"], row["period"], row["orgUnitName"]): str(row["value"]) for row in found} == rows
    assert len(found) == len(rows)
