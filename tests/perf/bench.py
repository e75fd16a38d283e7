"""`make bench`: how much slower than a baseline of the same run. Ratios, never a timed test.

CPU seconds of child processes, interleaved, the minimum of 31 runs with the median beside it; the spread of the baseline
says how noisy the machine is.
"""

import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = int(os.environ.get("BENCH_RUNS", "31"))
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "dhis2 --help": [str(BIN / "dhis2"), "--help"],
    "dhis2 --version": [str(BIN / "dhis2"), "--version"],
    "completion": [str(BIN / "dhis2"), "--complete", "metadata", "l"],
    "dhis2 metadata --help": [str(BIN / "dhis2"), "metadata", "--help"],
    "dhis2 metadata list dataElements": [str(BIN / "dhis2"), "metadata", "list", "dataElements"],
    "import fastmcp": [sys.executable, "-c", "import fastmcp"],
    "dhis2-mcp ready": [sys.executable, "-c", "from dhis2sh.surfaces.mcp import make_server; make_server()"],
    "ipython -c pass": [str(BIN / "ipython"), "--quick", "--no-banner", "-c", "pass"],
    "dhis2sh -c pass": [str(BIN / "dhis2sh"), "--sandbox", "-c", "pass"],
}
LIMITS = {"dhis2 --help": 2.5, "dhis2 --version": 2.5, "completion": 2.5, "dhis2 metadata --help": 3.0,
          "dhis2 metadata list dataElements": 30.0}  # fmt: skip


def cpu(command: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def where_over_100_000_rows() -> float:
    from dhis2sh.results import Rows
    from dhis2sh.stages import STAGES

    rows = Rows([{"name": f"ANC {n}", "valueType": "NUMBER" if n % 2 else "TEXT"} for n in range(100_000)])
    stage = STAGES["where"].bind("valueType == 'NUMBER' and name.startswith('ANC')")
    times: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        stage(rows)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> int:
    for folder in ("dhis2sh", "generated"):
        compileall.compile_dir(ROOT / folder, quiet=1)
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "DHIS2SH_HOME": home, "IPYTHONDIR": f"{home}/ipython"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.run([str(BIN / "dhis2"), "sandbox", "seed"], env=environment, check=True, capture_output=True)
        port = "58731"
        server = subprocess.Popen(
            [str(BIN / "dhis2"), "sandbox", "serve", "--port", port], env=environment, stderr=subprocess.DEVNULL
        )
        served = {"DHIS2_URL": f"http://127.0.0.1:{port}", "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district"}
        try:
            time.sleep(2)
            times: dict[str, list[float]] = {name: [] for name in COMMANDS}
            for _ in range(RUNS):
                for name, command in COMMANDS.items():
                    times[name].append(cpu(command, {**environment, **served}))
        finally:
            server.terminate()
            server.wait(10)
    base = times["python -c pass"]
    print(f"{'':36}  {'min':>6}  {'median':>6}  wanted   ({RUNS} runs; 1 = {min(base) * 1000:.0f} ms CPU)")
    for name, found in times.items():
        limit = f"<= {LIMITS[name]:g}" if name in LIMITS else ""
        print(
            f"{name:36}  {min(found) / min(base):6.2f}  {statistics.median(found) / statistics.median(base):6.2f}  {limit}"
        )
    spread = (max(base) - min(base)) / min(base)
    print(f"noise: python -c pass varies by {spread:.0%}")
    print(f"where over 100,000 rows: {where_over_100_000_rows():.3f} s (wanted under 0.15)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
