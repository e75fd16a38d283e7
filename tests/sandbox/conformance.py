"""`make conformance`: serve the sandbox with the real export, ask it what a real server was asked, and compare.

Both programs are the recordings' own (`record.py`, `compare.py` beside them) and so is the table. What differs is listed
with the reason that `known_differences.toml` gives; what nobody has explained yet comes last. The totals may only rise:
`conformance_minimum.json` keeps them, `--raise` writes better ones.

    python tests/sandbox/conformance.py [--version 2.43] [--only PREFIX ...] [--show N] [--raise]
"""

import argparse
import asyncio
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.serve import serve

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared"
WIRE = SHARED / "wire"
EXPORTS = ("metadata", "dataValues", "trackedEntities", "events")
LEVELS = ("status", "error", "shape", "value")
MINIMUM = HERE / "conformance_minimum.json"
BY_CHANCE = 4
"""Exchanges that a run may lose: what a job has done when it is asked depends on how busy the machine is."""
TIME_LIMIT = 240
"""Seconds for the whole recording; what is not asked by then counts as missing."""
JOB_DELAY = 10.0
"""Seconds until a job waits no longer for the scheduler: the recorded server had not begun after two."""


def _compare_module() -> Any:
    """The recordings' own `compare.py`, for its rules."""
    spec = importlib.util.spec_from_file_location("wire_compare", WIRE / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


async def record(folder: Path, version: str, only: list[str]) -> None:
    """Serve a sandbox and record what it answers into `folder/out`."""
    port = free_port()
    store = open_store(folder / "sandbox.db", version=version)
    loads = [SHARED / "real" / "v42" / f"{name}.json.gz" for name in EXPORTS]
    server = asyncio.create_task(serve(store, port, loads, print, job_delay=JOB_DELAY))
    command = [sys.executable, str(WIRE / "record.py"), f"http://127.0.0.1:{port}", "admin", "district"]
    while True:
        await asyncio.sleep(0.2)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        if server.done():
            await server
    try:
        process = await asyncio.create_subprocess_exec(
            *command, str(folder / "out"), *only, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await asyncio.wait_for(process.wait(), TIME_LIMIT)
        except TimeoutError:
            process.kill()
            await process.wait()
            print(f"stopped after {TIME_LIMIT} s")
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        store.close()


@dataclass(frozen=True)
class Difference:
    """One exchange that differs: `write-rules#7`, the request, and the first level at which it does."""

    key: str
    request: str
    level: str


def differences(expected: Path, actual: Path, only: list[str]) -> Iterator[Difference]:
    """The exchanges that do not agree in everything, judged as `compare.py` judges them."""
    rules = _compare_module()
    for file in sorted(expected.glob("*.jsonl")):
        if only and not any(file.stem.startswith(prefix) for prefix in only):
            continue
        exchanges = rules.load(file)
        other = actual / file.name
        answers = {x["step"]: x for x in rules.load(other)} if other.exists() else {}
        names = [{"<base>": rules.base_of(side)} for side in (exchanges, answers.values())]
        for x in exchanges:
            y = answers.get(x["step"])
            for side, known in ((x, names[0]), (y or {}, names[1])):
                known.update({f"<{k}>": v for k, v in (side.get("saved") or {}).items() if isinstance(v, str)})
            level = first_difference(rules, x, y, names)
            if level is not None:
                yield Difference(f"{file.stem}#{x['step']}", f"{x['method']} {x['path']}", level)


def first_difference(
    rules: Any, x: dict[str, Any], y: dict[str, Any] | None, names: list[dict[str, Any]]
) -> str | None:
    if y is None:
        return "status"
    e, a = x["response"], y["response"]
    eb, ab = rules.normal(e["body"], names[0]), rules.normal(a["body"], names[1])
    if e["status"] != a["status"]:
        return "status"
    if rules.errors(eb) != rules.errors(ab):
        return "error"
    same_kind = rules.family(e["content_type"]) == rules.family(a["content_type"]) or not e["content_type"]
    if isinstance(eb, str):
        same = rules.same_text(eb, ab, e["content_type"])
    else:
        same = rules.same_shape(rules.shape(eb), rules.shape(ab))
    if not (same_kind and bool(e["location"]) == bool(a["location"]) and same):
        return "shape"
    keep = rules.ordered_key(x)
    return None if rules.unordered(eb, keep) == rules.unordered(ab, keep) else "value"


def reviewed() -> dict[str, str]:
    """The reason for each exchange that `known_differences.toml` names."""
    groups = tomllib.loads((HERE / "known_differences.toml").read_text())["difference"]
    return {key: group["reason"] for group in groups for key in group["keys"]}


def explain(found: list[Difference], reasons: dict[str, str]) -> list[Difference]:
    """Print each difference under its reason. Returns those without one."""
    by_reason: dict[str, list[Difference]] = {}
    for one in found:
        by_reason.setdefault(reasons.get(one.key, ""), []).append(one)
    unexplained = by_reason.pop("", [])
    for reason, ones in sorted(by_reason.items()):
        print(f"\n{reason}\n   {', '.join(one.key for one in ones)}")
    if unexplained:
        print("\nunexplained")
        for one in unexplained:
            print(f"   {one.key:34} {one.level:6} {one.request}")
    return unexplained


def fell(totals: dict[str, int], version: str) -> list[str]:
    """What is below the stored minimum, in words."""
    stored = json.loads(MINIMUM.read_text()).get(version, {}) if MINIMUM.exists() else {}
    names = [*LEVELS, "refused_right"]
    return [
        f"{name}: {totals[name]}, was {stored[name]}"
        for name in names
        if name in stored and totals[name] + BY_CHANCE < stored[name]
    ]


def raise_minimum(totals: dict[str, int], version: str) -> None:
    stored = json.loads(MINIMUM.read_text()) if MINIMUM.exists() else {}
    stored[version] = {name: totals[name] for name in (*LEVELS, "refused_right", "all", "refused")}
    MINIMUM.write_text(json.dumps(dict(sorted(stored.items())), indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="2.42", help="the server version to mimic and compare with")
    parser.add_argument("--only", nargs="*", default=[], help="scenarios whose names begin so")
    parser.add_argument("--show", type=int, default=0, help="print the first N differences of shape in full")
    parser.add_argument("--keep", type=Path, help="keep the recording in this folder")
    parser.add_argument("--raise", dest="raise_", action="store_true", help="store the totals as the new minimum")
    options = parser.parse_args()
    expected = WIRE / f"v{options.version.replace('.', '')[1:]}"
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(record(folder, options.version, options.only))
        compare = [sys.executable, str(WIRE / "compare.py"), str(expected), str(folder / "out")]
        only = ["--only", *options.only] if options.only else []
        subprocess.run([*compare, *only, "--show", str(options.show), "--json", str(folder / "score.json")], check=True)
        totals = json.loads((folder / "score.json").read_text())["totals"]
        found = list(differences(expected, folder / "out", options.only))
        if options.keep:
            shutil.copytree(folder / "out", options.keep, dirs_exist_ok=True)
    unexplained = explain(found, reviewed())
    seconds = time.monotonic() - began
    print(f"\n{len(found)} of {totals['all']} exchanges differ, {len(unexplained)} unexplained; {seconds:.0f} s")
    if options.only:
        return 0
    if options.raise_:
        raise_minimum(totals, options.version)
    worse = fell(totals, options.version)
    for line in worse:
        print(f"fell below the minimum: {line}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
