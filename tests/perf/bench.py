"""`make bench`: how much slower than a baseline of the same run. Ratios in one table, never a timed test.

    python tests/perf/bench.py [--quick] [NAME ...]

Every module `bench_NAME.py` beside this one gives rows by a function `rows(quick) -> list[Row]`; without names all run.
CPU seconds where a process is measured, the minimum of 31 interleaved runs (5 with --quick) with the median beside it.
"""

import argparse
import compileall
import importlib
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.perf.rows import ROOT, Row, cpu, runs

HERE = Path(__file__).resolve().parent


def noise(quick: bool) -> str:
    """How much an empty Python varies on this machine, and how busy it is."""
    times = [cpu([sys.executable, "-c", "pass"], dict(os.environ)) for _ in range(runs(quick))]
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    return (
        f"noise: python -c pass takes {min(times) * 1000:.0f} to {max(times) * 1000:.0f} ms of CPU "
        f"on {os.cpu_count()} cores, load {load}"
    )


def line(row: Row) -> str:
    wanted = f"{'>=' if row.at_least else '<='} {row.wanted:g}" if row.wanted is not None else ""
    verdict = "" if row.wanted is None else "yes" if row.missed_by <= 1 else f"missed by {row.missed_by:.2f} x"
    return f"{row.what:50}  {row.minimum:9,.2f}  {row.median:9,.2f}  {row.unit:20}  {wanted:>9}  {verdict}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 runs instead of 31")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these benchmarks")
    given = parser.parse_args()
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = [name for name in given.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark '{unknown[0]}': {', '.join(known)}")
    for folder in ("dhis2sh", "generated"):
        compileall.compile_dir(ROOT / folder, quiet=1)
    print(noise(given.quick))
    print(f"{'':50}  {'min':>9}  {'median':>9}  {'':20}  {'wanted':>9}  reached", flush=True)
    for name in given.names or known:
        for row in importlib.import_module(f"tests.perf.bench_{name}").rows(given.quick):
            print(line(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
