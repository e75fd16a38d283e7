"""The models: what importing, loading and building them costs, and how fast they take real objects.

Ratios are CPU seconds of a child process against `python -c pass` of the same run, interleaved, the minimum of all runs.
`python tests/perf/bench_models.py` prints the table; `make bench` shows it with the others.
"""

from __future__ import annotations

import gzip
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.perf.rows import Row

ROOT = Path(__file__).resolve().parents[2]
RUNS = int(os.environ.get("BENCH_RUNS", "31"))
EACH = "import dhis2_models.v42 as v\nfrom dhis2sh.models.base import Model\n"
BASE = "python -c pass"
PROGRAMS = {
    BASE: "pass",
    "pydantic with one model": "import pydantic\nclass A(pydantic.BaseModel):\n    a: int",
    "import one model": "from dhis2_models.v42 import DataElement",
    "first use of one model": "from dhis2_models.v42 import DataElement\nDataElement(name='a')",
    "all models of a version loaded": EACH + "for n in dir(v): getattr(v, n)",
    "all resources of a version built": EACH
    + "from dhis2sh.models import facts\nfor t in facts.resources('v42').values(): getattr(v, t.model).model_rebuild()",
    "all models of a version built": EACH
    + "for m in [getattr(v, n) for n in dir(v)]:\n    if isinstance(m, type) and issubclass(m, Model): m.model_rebuild()",
}
LIMITS = {"import one model": 16.0, "all models of a version loaded": 60.0}
OBJECTS_A_SECOND = 40_000


@dataclass(frozen=True)
class Measure:
    """One row: what was measured, how much, and what was wanted (None: nothing was)."""

    name: str
    value: float
    unit: str
    wanted: str | None = None


def cpu(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start_up(runs: int = RUNS) -> list[Measure]:
    """What each program costs, as a multiple of an empty one."""
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(runs):
        for name, code in PROGRAMS.items():
            times[name].append(cpu(code))
    base = min(times.pop(BASE))
    return [
        Measure(name, min(found) / base, f"x {BASE}", f"<= {LIMITS[name]:g}" if name in LIMITS else None)
        for name, found in times.items()
    ]


def best(work: Callable[[], object], runs: int = 5) -> float:
    times: list[float] = []
    for _ in range(runs):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def validation() -> list[Measure]:
    """How many recorded objects a second and core become models, all of them and without the organisation units."""
    from dhis2sh.models import facts

    recording = ROOT.parent / "shared" / "real" / "v42" / "metadata.json.gz"
    if not recording.is_file():
        return []
    package = importlib.import_module("dhis2_models.v42")
    table = facts.resources("v42")
    rows = {k: v for k, v in json.loads(gzip.decompress(recording.read_bytes())).items() if isinstance(v, list)}
    pairs = {plural: (getattr(package, table[plural].model), found) for plural, found in rows.items()}

    def validate(without: str = "") -> int:
        count = 0
        for plural, (model, found) in pairs.items():
            if plural != without:
                for row in found:
                    model.model_validate(row)
                count += len(found)
        return count

    def measure(name: str, without: str = "", wanted: str | None = None) -> Measure:
        return Measure(name, validate(without) / best(lambda: validate(without)), "objects/s", wanted)

    units = [pairs["organisationUnits"][0].model_validate(row) for row in rows["organisationUnits"]]
    dumping = len(units) / best(lambda: [unit.to_wire() for unit in units])
    return [
        measure("recorded metadata validated", wanted=f">= {OBJECTS_A_SECOND}"),
        measure("the same without organisation units", "organisationUnits"),
        Measure("organisation units written again", dumping, "objects/s"),
    ]


def rows(quick: bool) -> list[Row]:
    """Rows for `make bench`; only minima are kept, so minimum and median are one number."""
    from tests.perf.rows import Row, runs

    found = [*start_up(runs(quick)), *validation()]
    return [
        Row(item.name, item.value, item.value, item.unit, _number(item.wanted), at_least=">=" in (item.wanted or ""))
        for item in found
    ]


def _number(wanted: str | None) -> float | None:
    return float(wanted.split()[1]) if wanted else None


def main() -> int:
    for found in [*start_up(), *validation()]:
        print(f"{found.name:36}  {found.value:10,.1f} {found.unit:18} {found.wanted or ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
