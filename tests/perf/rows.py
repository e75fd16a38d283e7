"""What benchmarks share: a row of the table, CPU time of child processes, runs that take turns."""

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters:
        what: what was measured.
        minimum, median: of the runs, as multiples of the baseline or in a unit.
        unit: `x python -c pass`, `ms`, `tokens`, ...
        wanted: the most that is wanted; None where nothing is.
        at_least: `wanted` is the least, not the most.
    """

    what: str
    minimum: float
    median: float
    unit: str
    wanted: float | None = None
    at_least: bool = False

    @property
    def missed_by(self) -> float:
        """How many times worse than wanted; at most 1 where it is reached."""
        if self.wanted is None:
            return 0.0
        return self.wanted / self.minimum if self.at_least else self.minimum / self.wanted


def runs(quick: bool) -> int:
    """How many runs: 31, or 5 for a look."""
    return 5 if quick else 31


def cpu(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """CPU seconds of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def interleaved(measures: Mapping[str, Callable[[], float]], count: int) -> dict[str, list[float]]:
    """Each measure once, then all again: what disturbs the machine disturbs all alike."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(count):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def ratio(what: str, times: Sequence[float], base: Sequence[float], unit: str, wanted: float | None = None) -> Row:
    """A row of multiples: minimum by minimum, median by median."""
    return Row(what, min(times) / min(base), statistics.median(times) / statistics.median(base), unit, wanted)


def environment(home: str) -> dict[str, str]:
    """The environment of a child: a home of its own, compiled modules."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("DHIS2")}
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **found,
        "DHIS2SH_HOME": home,
        "IPYTHONDIR": f"{home}/ipython",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "xterm",
    }
