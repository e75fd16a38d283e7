"""How the sandbox judges files as others publish them, beside what a real 2.42 with the same metadata said.

Each file of `../shared/real/outside` is sent where nothing is written, so one load serves all: bundles to `POST
/api/metadata?importMode=VALIDATE`, data values to `POST /api/dataValueSets?dryRun=true`, tracker payloads to `POST
/api/tracker?importMode=VALIDATE`. It agrees where status, counts and the set of errors are the server's.

    python tests/sandbox/outside.py [--kind metadata data tracker] [--only WORD] [--show] [--raise]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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
    """What was said to one file.

    Parameters:
        status: of the answer, and of the import (`200 OK`).
        counts: created, updated, deleted, ignored, total; of data values imported, updated, deleted, ignored, rejected
            rows; none where the server failed.
        problems: class, UID and code of each error; of data values the property and the code.
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


_UIDS = ("id", "uid", "trackedEntity", "enrollment", "event", "relationship")


def known_uids(raw: bytes) -> set[str]:
    """Every text of a JSON file that may be a UID of an object in it."""
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            found.update(str(value[name]) for name in _UIDS if value.get(name) is not None)
            value = [*value.values()]
        for one in value if isinstance(value, list) else []:
            look(one)

    look(json.loads(raw))
    return found


_COUNTS = ("created", "updated", "deleted", "ignored", "total")


def verdict(
    http: int, status: str | None, stats: dict[str, int] | None, problems: list[Problem], raw: bytes
) -> Verdict:
    """A verdict from the parts of an answer to objects."""
    known = known_uids(raw)
    return Verdict(
        f"{http} {status}",
        tuple(stats[name] for name in _COUNTS) if stats else None,
        frozenset((klass, uid if uid in known else MADE, code) for klass, uid, code in problems),
    )


# The kinds of files ----------------------------------------------------------------------------------------------------


def said_of_objects(said: dict[str, Any], raw: bytes) -> Verdict:
    """The server's verdict on a bundle or a tracker payload."""
    return verdict(said["http"], said["status"], said["stats"], [tuple(one) for one in said["errors"]], raw)


def judged_bundle(client: TestClient, raw: bytes, said: dict[str, Any]) -> Verdict:
    """The sandbox's verdict on a bundle of metadata."""
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


def judged_tracker(client: TestClient, raw: bytes, said: dict[str, Any]) -> Verdict:
    """The sandbox's verdict on a tracker payload."""
    url = "/api/tracker?importMode=VALIDATE&async=false&reportMode=FULL"
    answer = client.post(url, content=raw, headers={"content-type": "application/json"})
    body = answer.json()
    found = body.get("validationReport", {}).get("errorReports", [])
    problems = [(one["trackerType"], one["uid"], one["errorCode"]) for one in found]
    return verdict(answer.status_code, body.get("status"), body.get("stats"), problems, raw)


_VALUES = ("imported", "updated", "deleted", "ignored")


def _of_values(
    http: int, status: str | None, count: dict[str, int] | None, rejected: int, conflicts: list[list[str]]
) -> Verdict:
    counts = (*(count[name] for name in _VALUES), rejected) if count else None
    return Verdict(f"{http} {status}", counts, frozenset((name, "", code) for code, name in conflicts))


def said_of_values(said: dict[str, Any], raw: bytes) -> Verdict:
    """The server's verdict on a file of data values."""
    return _of_values(said["http"], said["status"], said["count"], said["rejected"], said["conflicts"])


def judged_values(client: TestClient, raw: bytes, said: dict[str, Any]) -> Verdict:
    """The sandbox's verdict on a file of data values."""
    answer = client.post("/api/dataValueSets?dryRun=true", content=raw, headers={"content-type": said["content_type"]})
    body = answer.json()
    report = body.get("response") or {}
    conflicts = [[one.get("errorCode", ""), one.get("property", "")] for one in report.get("conflicts", [])]
    return _of_values(
        answer.status_code,
        report.get("status") or body.get("status"),
        report.get("importCount"),
        len(report.get("rejectedIndexes", [])),
        conflicts,
    )


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Parameters:
        verdicts: the file that says what the server said.
        prefix: what the names of its files begin with.
        real: the server's verdict, from what it said and the file.
        ours: the sandbox's verdict on a file; what the server said tells how it was sent.
    """

    verdicts: str
    prefix: str
    real: Callable[[dict[str, Any], bytes], Verdict]
    ours: Callable[[TestClient, bytes, dict[str, Any]], Verdict]

    def files(self) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
        """Each file: its name, its bytes, and what the server said."""
        for name, said in json.loads((OUTSIDE / self.verdicts).read_text()).items():
            if name.startswith(self.prefix):
                yield name, unpacked((OUTSIDE / f"{name}.gz").read_bytes()), said


KINDS = {
    "metadata": Kind("verdicts-v42.json", "", said_of_objects, judged_bundle),
    "data": Kind("verdicts-data-v42.json", "data/", said_of_values, judged_values),
    "tracker": Kind("verdicts-data-v42.json", "tracker/", said_of_objects, judged_tracker),
}


@dataclass
class Score:
    """How many files agree at each level, and what differs in the others."""

    files: int
    agree: dict[str, int]
    differing: dict[str, tuple[Verdict, Verdict]]

    def percent(self, level: str) -> float:
        """The share that agrees."""
        return round(100 * self.agree[level] / max(self.files, 1), 1)


def score(client: TestClient, kind: Kind, only: str = "") -> Score:
    """Send every file of a kind, or those with a word in their names."""
    found = Score(0, dict.fromkeys(LEVELS, 0), {})
    for name, raw, said in kind.files():
        if only not in name:
            continue
        real, ours = kind.real(said, raw), kind.ours(client, raw, said)
        agrees = agreements(real, ours)
        found.files += 1
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


def measured(kinds: Sequence[str], only: str) -> dict[str, Score]:
    """Load the real export and score some kinds of files."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "loaded.db", version="2.42")
        load_file(store, REAL / "v42" / "metadata.json.gz")
        client = TestClient(create_app(store), base_url="http://sandbox", raise_server_exceptions=False)
        client.auth = ("admin", "district")
        scores = {name: score(client, KINDS[name], only) for name in kinds}
        store.close()
    return scores


def main() -> int:
    """Score, print and judge. Returns 1 below the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="*", choices=[*KINDS], default=[*KINDS], help="kinds of files, else all")
    parser.add_argument("--only", default="", help="files with this in their names")
    parser.add_argument("--show", action="store_true", help="print what differs")
    parser.add_argument("--raise", dest="raise_", action="store_true", help="store better figures as the new floors")
    options = parser.parse_args()
    began = time.monotonic()
    data: Any = tomlkit.parse(FLOORS.read_text())
    fallen = False
    for kind, found in measured(options.kind, options.only).items():
        if options.show:
            for name, (real, ours) in found.differing.items():
                show(name, real, ours)
        floors = data[kind]
        if options.raise_ and not options.only:
            for level in LEVELS:
                floors[level] = max(found.percent(level), floors[level])
        print(f"{kind}, differing: {', '.join(found.differing) or 'none'}")
        for level in LEVELS:
            share = f"{found.agree[level]} of {found.files} = {found.percent(level)} %"
            print(f"outside {kind:9}{level:10} {share}, floor {floors[level]}")
        fallen = fallen or any(found.percent(level) < floors[level] for level in LEVELS)
    if options.raise_:
        FLOORS.write_text(tomlkit.dumps(data))
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if fallen and not options.only else 0


if __name__ == "__main__":
    sys.exit(main())
