"""How the sandbox judges bundles as others publish them, beside what a real 2.42 with the same metadata said.

Each bundle of `../shared/real/outside` is posted to `POST /api/metadata?importMode=VALIDATE`; it agrees where status,
counts and the set of [class, uid, code] of the errors are the server's. Nothing is written, so one load serves all.

    python tests/sandbox/outside.py [--only WORD] [--show] [--raise]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.http.bodies import unpacked
from dhis2sh.sandbox.load import load_file

HERE = Path(__file__).parent
REAL = HERE.parents[2] / "shared" / "real"
OUTSIDE = REAL / "outside"
FLOORS = HERE / "outside_floors.toml"
MADE = "<made>"
"""Stands for a UID that the server made: the object came without one."""

type Problem = tuple[str, str, str]


@dataclass(frozen=True)
class Verdict:
    """What was said to one bundle.

    Parameters:
        status: of the answer, and of the import (`200 OK`).
        counts: created, updated, deleted, ignored, total; none where the server failed.
        problems: class, UID and code of each error.
    """

    status: str
    counts: tuple[int, ...] | None
    problems: frozenset[Problem]


LEVELS = ("status", "problems", "counts")


def agreements(expected: Verdict, ours: Verdict) -> dict[str, bool]:
    """Where two verdicts agree; the problems and the counts only count where the status is the same."""
    same = expected.status == ours.status
    return {
        "status": same,
        "problems": same and expected.problems == ours.problems,
        "counts": same and expected.counts == ours.counts,
    }


def bundles() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Each bundle: its name, its bytes, and what the server said."""
    for name, said in json.loads((OUTSIDE / "verdicts-v42.json").read_text()).items():
        yield name, unpacked((OUTSIDE / f"{name}.gz").read_bytes()), said


def known_uids(raw: bytes) -> set[str]:
    """Every text of a bundle that may be a UID of an object in it."""
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            found.update(str(value[name]) for name in ("id", "uid") if value.get(name) is not None)
            value = [*value.values()]
        for one in value if isinstance(value, list) else []:
            look(one)

    look(json.loads(raw))
    return found


_COUNTS = ("created", "updated", "deleted", "ignored", "total")


def verdict(
    http: int, status: str | None, stats: dict[str, int] | None, problems: list[Problem], raw: bytes
) -> Verdict:
    """A verdict from the parts of an answer to a bundle."""
    known = known_uids(raw)
    return Verdict(
        f"{http} {status}",
        tuple(stats[name] for name in _COUNTS) if stats else None,
        frozenset((klass, uid if uid in known else MADE, code) for klass, uid, code in problems),
    )


def expected(said: dict[str, Any], raw: bytes) -> Verdict:
    """The server's verdict."""
    return verdict(said["http"], said["status"], said["stats"], [tuple(one) for one in said["errors"]], raw)


def judged(client: TestClient, raw: bytes) -> Verdict:
    """The sandbox's verdict."""
    answer = client.post("/api/metadata?importMode=VALIDATE", content=raw, headers={"content-type": "application/json"})
    body = answer.json()
    report = body.get("response") or {}
    problems = [
        (part["klass"].rpartition(".")[2], one["uid"], error["errorCode"])
        for part in report.get("typeReports", [])
        for one in part["objectReports"]
        for error in one["errorReports"]
    ]
    return verdict(answer.status_code, report.get("status") or body.get("status"), report.get("stats"), problems, raw)


@dataclass
class Score:
    """How many bundles agree at each level, and what differs in the others."""

    bundles: int
    agree: dict[str, int]
    differing: dict[str, tuple[Verdict, Verdict]]

    def percent(self, level: str) -> float:
        """The share that agrees."""
        return round(100 * self.agree[level] / max(self.bundles, 1), 1)


def score(client: TestClient, only: str = "") -> Score:
    """Post every bundle, or those with a word in their names."""
    found = Score(0, dict.fromkeys(LEVELS, 0), {})
    for name, raw, said in bundles():
        if only not in name:
            continue
        real, ours = expected(said, raw), judged(client, raw)
        agrees = agreements(real, ours)
        found.bundles += 1
        for level in LEVELS:
            found.agree[level] += agrees[level]
        if not all(agrees.values()):
            found.differing[name] = real, ours
    return found


def show(name: str, real: Verdict, ours: Verdict) -> None:
    """Print what differs."""
    print(f"--- {name}: {real.status} {real.counts}, ours {ours.status} {ours.counts}")
    for sign, these in (("missing", real.problems - ours.problems), ("too many", ours.problems - real.problems)):
        for one in sorted(these):
            print(f"    {sign}: {' '.join(one)}")


def main() -> int:
    """Score, print and judge. Returns 1 below the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="bundles with this in their names")
    parser.add_argument("--show", action="store_true", help="print what differs")
    parser.add_argument("--raise", dest="raise_", action="store_true", help="store better figures as the new floors")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "loaded.db", version="2.42")
        load_file(store, REAL / "v42" / "metadata.json.gz")
        client = TestClient(create_app(store), base_url="http://sandbox", raise_server_exceptions=False)
        client.auth = ("admin", "district")
        found = score(client, options.only)
        store.close()
    if options.show:
        for name, (real, ours) in found.differing.items():
            show(name, real, ours)
    data: Any = tomlkit.parse(FLOORS.read_text())
    floors = data["metadata"]
    if options.raise_ and not options.only:
        for level in LEVELS:
            floors[level] = max(found.percent(level), floors[level])
        FLOORS.write_text(tomlkit.dumps(data))
    print(f"differing: {', '.join(found.differing) or 'none'}")
    for level in LEVELS:
        share = f"{found.agree[level]} of {found.bundles} = {found.percent(level)} %"
        print(f"outside {level:10} {share}, floor {floors[level]}")
    print(f"{time.monotonic() - began:.0f} s")
    fallen = [level for level in LEVELS if found.percent(level) < floors[level]]
    return 1 if fallen and not options.only else 0


if __name__ == "__main__":
    sys.exit(main())
