"""`make conformance`: serve the sandbox with the real export, ask it what a real server was asked, and compare.

The scenarios are run in groups: the 66 of the first round are one, the prefixes of the later ones are one each. Each group
meets a fresh copy of the loaded database; two run side by side. What is asked and how answers are judged is the
recordings' own (`record.py`, `compare.py` beside them). `conformance_floors.toml` says how good each group was;
a figure may only rise. What differs is listed with the reason that `known_differences.toml` gives.

    python tests/sandbox/conformance.py [--version 2.43] [--only PREFIX ...] [--show N] [--raise]
"""

import argparse
import asyncio
import datetime as dt
import importlib.util
import json
import logging
import multiprocessing
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import time_machine
import tomlkit

from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_file
from dhis2sh.sandbox.serve import serve
from dhis2sh.sandbox.store.database import Store

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared"
WIRE = SHARED / "wire"
EXPORTS = ("metadata", "dataValues", "trackedEntities", "events")
LEVELS = ("status", "error", "shape", "value")
FLOORS = HERE / "conformance_floors.toml"
FIRST, FIRST_ROUND = "first", 66
"""The group of the first scenarios in `scenarios.json`, and how many they are; later ones repeat their prefixes."""
REVIEWED = "2.42"
"""The version whose differences have reasons."""
AT_ONCE = 2
"""Groups that run side by side."""
TIME_LIMIT = 300
"""Seconds for the recording of one group; what is not asked by then counts as missing."""
JOB_DELAY = 10.0
"""Seconds until a job waits no longer for the scheduler: the recorded server had not begun after two."""
REMOTE_SERVERS = (
    "https://*",
    "http://127.0.0.1:8899",
    "http://127.0.0.1:8898",
    "http://127.0.0.1:8899/*",
    "http://127.0.0.1:8898/*",
)
"""Where the recorded server let routes lead."""
ASKED_SINCE = "2026-11-01"
"""The first recordings are not older; days before are of the data."""
WAITS = 100
"""What a step that waits for a job costs, in steps that do not."""


@cache
def scenarios() -> dict[str, list[dict[str, Any]]]:
    """The steps of every scenario, in the order in which the real server was asked."""
    return json.loads((WIRE / "scenarios.json").read_text())


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """The scenarios of each group, in order.

    Parameters:
        names: all scenarios, the first round first.
    """
    groups: dict[str, list[str]] = {}
    for number, name in enumerate(names):
        groups.setdefault(FIRST if number < FIRST_ROUND else name.partition("-")[0], []).append(name)
    return groups


def cost(group: Sequence[str]) -> int:
    """How long a group takes, in steps: what waits for jobs takes longest."""
    steps = [step for name in group for step in scenarios()[name]]
    return sum(WAITS if "until" in step or "sleep" in step else 1 for step in steps)


# -- recording ---------------------------------------------------------------------------------------------------------


def load(database: Path, version: str) -> None:
    """Make the database that every group gets a copy of."""
    store = open_store(database, version=version)
    for name in EXPORTS:
        load_file(store, SHARED / "real" / "v42" / f"{name}.json.gz")
    store.close()


def recorded_day(version: str) -> dt.date:
    """The day on which a real server was asked most: what its answers say of today is true on that day alone."""
    days: Counter[str] = Counter()
    for path in recording(version).glob("*.jsonl"):
        days.update(re.findall(r"20\d\d-\d\d-\d\d", path.read_text("utf-8")))
    return max(
        (dt.date.fromisoformat(day) for day in days if _is_day(day) and day >= ASKED_SINCE),
        key=lambda day: days[day.isoformat()],
    )


def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def record(name: str, group: list[str], database: Path, out: Path, day: dt.date) -> tuple[str, str]:
    """Serve a copy of a database and record what it answers to a group of scenarios into `out`, in a process of its own.

    The copy stays beside the database: jobs may still write to it until this process ends.

    Parameters:
        day: the sandbox's today; its clock goes on from this time of that day.

    Returns the group's name, and what the recording had to say where it came to grief.
    """
    logging.disable()  # an answer that fails is told by the comparison
    copy, steps = database.with_name(f"{name}.db"), database.with_name(f"{name}.json")
    shutil.copyfile(database, copy)
    steps.write_text(json.dumps({one: scenarios()[one] for one in group}))
    store = open_store(copy)
    try:
        with time_machine.travel(dt.datetime.combine(day, dt.datetime.now(dt.UTC).timetz()), tick=True):
            return name, asyncio.run(_ask(store, steps, out))
    finally:
        store.close()


async def _ask(store: Store, steps: Path, out: Path) -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    server = asyncio.create_task(
        serve(store, port, [], lambda _: None, job_delay=JOB_DELAY, remote_servers=REMOTE_SERVERS)
    )
    while not _answers(port):
        await asyncio.sleep(0.1)
        if server.done():
            await server
    try:
        command = [sys.executable, str(WIRE / "record.py"), f"http://127.0.0.1:{port}", "admin", "district", str(out)]
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, "SCENARIOS": str(steps)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), TIME_LIMIT)
        except TimeoutError:
            process.kill()
            await process.wait()
            return f"stopped after {TIME_LIMIT} s"
        return said.decode().strip().rpartition("\n")[2] if process.returncode else ""
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def clear(groups: Mapping[str, list[str]], out: Path) -> None:
    """Make a folder for a recording. What is there of these groups goes: one that breaks off must not count as the last one."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (name for group in groups.values() for name in group):
        (out / f"{name}.jsonl").unlink(missing_ok=True)


def record_all(groups: Mapping[str, list[str]], version: str, out: Path) -> None:
    """Record every group, two at once, those that take longest first; says what went wrong."""
    clear(groups, out)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "loaded.db"
        load(database, version)
        fresh, day = multiprocessing.get_context("spawn"), recorded_day(version)
        with ProcessPoolExecutor(AT_ONCE, mp_context=fresh) as pool:
            order = sorted(groups.items(), key=lambda item: -cost(item[1]))
            for done in as_completed([pool.submit(record, name, group, database, out, day) for name, group in order]):
                name, trouble = done.result()
                if trouble:
                    print(f"{name}: {trouble}")


# -- comparing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """One exchange that differs: `write-rules#7`, the request, the first level at which it does, and both answers.

    Values that differ from run to run are set aside in them, as `compare.py` does.
    """

    key: str
    request: str
    level: str
    expected: Any
    actual: Any


@dataclass
class Score:
    """How many exchanges of a group agree at each level, and those that do not."""

    exchanges: int = 0
    agree: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    refused: int = 0
    refused_right: int = 0
    differences: list[Difference] = field(default_factory=list)

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.exchanges + other.exchanges,
            {level: self.agree[level] + other.agree[level] for level in LEVELS},
            self.refused + other.refused,
            self.refused_right + other.refused_right,
            self.differences + other.differences,
        )

    def percent(self, level: str) -> float:
        """The share that agrees, in tenths: no group is so large that one exchange makes none."""
        return round(100 * self.agree[level] / max(self.exchanges, 1), 1)

    def without_reason(self, reasons: Mapping[str, str]) -> list[Difference]:
        """The differences that nobody has explained."""
        return [one for one in self.differences if one.key not in reasons]


@cache
def _rules() -> Any:
    """The recordings' own `compare.py`."""
    spec = importlib.util.spec_from_file_location("wire_compare", WIRE / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def score(group: Iterable[str], expected: Path, actual: Path, by_chance: frozenset[str]) -> Score:
    """Judge a group as `compare.py` does.

    Parameters:
        group: scenarios; those that a version has no recording of are left out.
        expected: the folder of the recording; actual: that of ours.
        by_chance: exchanges that count as agreeing when the status does.
    """
    found, rules = Score(), _rules()
    for name in group:
        file, other = expected / f"{name}.jsonl", actual / f"{name}.jsonl"
        if not file.exists():
            continue
        answers = {x["step"]: x for x in rules.load(other)} if other.exists() else {}
        for x, _, verdict, real, ours in rules.verdicts(rules.load(file), answers):
            key = f"{name}#{x['step']}"
            lucky = key in by_chance and verdict["status"]
            agrees = {level: lucky or verdict[level] for level in LEVELS}
            found.exchanges += 1
            found.refused += x["response"]["status"] >= 400
            found.refused_right += x["response"]["status"] >= 400 and agrees["error"]
            for level in LEVELS:
                found.agree[level] += agrees[level]
            wrong = next((level for level in LEVELS if not agrees[level]), None)
            if wrong:
                request = " ".join([x["method"], x["path"], *("=".join(pair) for pair in x["query"])])
                found.differences.append(Difference(key, request, wrong, real, ours))
    return found


# -- judging -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Floors:
    """What `conformance_floors.toml` says of a version.

    Parameters:
        open: the groups whose differences need no reason yet.
        groups: the least share of agreement by group and level, in %.
    """

    open: frozenset[str]
    groups: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, version: str, file: Path = FLOORS) -> "Floors":
        """The floors of a version; none where it was never measured."""
        data = tomllib.loads(file.read_text())
        return cls(frozenset(data["open"]), data.get(version, {}))

    def faults(self, name: str, found: Score, reasons: Mapping[str, str] | None) -> list[str]:
        """Why a group fails, a sentence each.

        Parameters:
            reasons: of the differences, by exchange; None where nobody has reviewed this version.
        """
        floor = self.groups.get(name)
        if floor is None:
            return [f"{name} has no floor yet: --raise stores today's figures"]
        faults = [
            f"{name}: {level} is {found.percent(level)} %, and was {floor[level]} %"
            for level in LEVELS
            if found.percent(level) < floor[level]
        ]
        if reasons is not None and name not in self.open and (new := found.without_reason(reasons)):
            keys = ", ".join(one.key for one in new)
            faults.append(f"{name}: {len(new)} differences without a reason in known_differences.toml: {keys}")
        return faults


def raise_floors(version: str, scores: Mapping[str, Score], file: Path = FLOORS) -> None:
    """Store the figures of each group where they are better than those that stand there."""
    data = tomlkit.parse(file.read_text())
    stored: Any = data.setdefault(version, tomlkit.table())
    for name, found in scores.items():
        old = stored.get(name, {})
        row = tomlkit.inline_table()
        row.update({level: max(found.percent(level), old.get(level, 0.0)) for level in LEVELS})
        stored[name] = row
    file.write_text(tomlkit.dumps(data))


def reviewed() -> tuple[dict[str, str], frozenset[str]]:
    """What `known_differences.toml` says: the reason for each exchange that it names, and those that agree by chance."""
    groups = tomllib.loads((HERE / "known_differences.toml").read_text())["difference"]
    reasons = {key: group["reason"] for group in groups for key in group["keys"]}
    return reasons, frozenset(key for group in groups if group.get("by_chance") for key in group["keys"])


# -- printing ----------------------------------------------------------------------------------------------------------


def table(scores: Mapping[str, Score], floors: Floors, reasons: Mapping[str, str]) -> Iterator[str]:
    """The lines of the table: a group each, and all of them."""
    head = f"{'':12}{'exchanges':>10}" + "".join(f"{level:>8}" for level in LEVELS)
    yield f"{head}   {'floor':27}reasons missing"
    for name, found in [*scores.items(), ("all", sum(scores.values(), Score()))]:
        floor = floors.groups.get(name)
        least = "".join(f"{floor[level]:6.1f}" for level in LEVELS) if floor else ""
        figures = "".join(f"{found.percent(level):8.1f}" for level in LEVELS)
        missing = len(found.without_reason(reasons))
        yield f"{name:12}{found.exchanges:10}{figures}   {least:27}{missing:15}"
        if name == "all":
            yield f"refusals right: {found.refused_right} of {found.refused}"


def explain(found: Sequence[Difference], reasons: Mapping[str, str]) -> None:
    """Print the differences under their reasons, and those that have none by scenario."""
    by_reason: dict[str, list[str]] = {}
    for one in found:
        by_reason.setdefault(reasons.get(one.key, ""), []).append(one.key)
    unexplained = by_reason.pop("", [])
    for reason, keys in sorted(by_reason.items()):
        print(f"\n{reason}\n   {', '.join(keys)}")
    steps: dict[str, list[str]] = {}
    for key in unexplained:
        name, _, step = key.partition("#")
        steps.setdefault(name, []).append(step)
    if steps:
        print("\nwithout a reason")
        for name, numbers in steps.items():
            print(f"   {name:28} {' '.join(numbers)}")


def show(found: Sequence[Difference], limit: int) -> None:
    """Print some differences in full."""
    for one in found[:limit]:
        print(f"--- {one.key} {one.level}: {one.request}")
        print("    expected", json.dumps(one.expected, ensure_ascii=False)[:2000])
        print("    actual  ", json.dumps(one.actual, ensure_ascii=False)[:2000])


def chosen(version: str, only: Sequence[str]) -> dict[str, list[str]]:
    """The groups that a version has recordings of.

    Parameters:
        only: groups, or the beginnings of scenarios' names; empty for all.
    """
    groups: dict[str, list[str]] = {}
    for name, group in grouped(scenarios()).items():
        recorded = [one for one in group if (recording(version) / f"{one}.jsonl").exists()]
        wanted = [one for one in recorded if not only or name in only or one.startswith(tuple(only))]
        if wanted:
            groups[name] = wanted
    return groups


def recording(version: str) -> Path:
    """The folder of what a real server of a version answered."""
    return WIRE / f"v{version.replace('.', '')[1:]}"


def main() -> int:
    """Run, print and judge. Returns 1 when a group falls below its floor or differs without a reason that it needs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default=REVIEWED, help="the server version to mimic and compare with")
    parser.add_argument("--only", nargs="*", default=[], help="groups, or scenarios whose names begin so")
    parser.add_argument("--show", type=int, default=0, help="print the first N differences without a reason in full")
    parser.add_argument("--keep", type=Path, help="keep the recording in this folder")
    parser.add_argument(
        "--raise", dest="raise_", action="store_true", help="store better figures of whole groups as the new floors"
    )
    options = parser.parse_args()
    began = time.monotonic()
    version, groups = options.version, chosen(options.version, options.only)
    reasons, by_chance = reviewed()
    floors = Floors.of(version)
    known = reasons if version == REVIEWED else None

    def asked(names: Iterable[str], out: Path) -> dict[str, Score]:
        these = {name: groups[name] for name in names}
        record_all(these, version, out)
        return {name: score(group, recording(version), out, by_chance) for name, group in these.items()}

    with tempfile.TemporaryDirectory() as folder:
        scores = asked(groups, options.keep or Path(folder, "out"))
        failed = [name for name, found in scores.items() if name in floors.groups and floors.faults(name, found, known)]
        if failed and not (options.only or options.raise_):
            print(f"asked once more, since a busy machine makes jobs late: {', '.join(failed)}")
            scores |= asked(failed, Path(folder, "again"))
    differences = [one for found in scores.values() for one in found.differences]
    explain(differences, reasons)
    show([one for one in differences if one.key not in reasons], options.show)
    print()
    if options.raise_:
        every = chosen(version, ())  # a part of a group says nothing of the group
        raise_floors(version, {name: found for name, found in scores.items() if groups[name] == every[name]})
        floors = Floors.of(version)
    print("\n".join(table(scores, floors, reasons)))
    print(f"{time.monotonic() - began:.0f} s")
    if options.only:
        return 0
    faults = [fault for name, found in scores.items() for fault in floors.faults(name, found, known)]
    faults += [f"{name} was not run" for name in floors.groups.keys() - scores.keys()]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
