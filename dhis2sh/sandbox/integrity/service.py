"""Runs integrity checks and keeps what they found, as the server keeps it in memory."""

from __future__ import annotations

import fnmatch
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.sandbox.facts import fact
from dhis2sh.sandbox.integrity.checks import CHECKS, Data, Issue
from dhis2sh.sandbox.java.moments import now

if TYPE_CHECKING:
    from dhis2sh.sandbox.jobs.service import Progress
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

type Kind = Literal["summary", "details"]
SHOWN = ("name", "displayName", "section", "sectionOrder", "severity", "description", "introduction", "recommendation",
         "issuesIdType")  # fmt: skip
"""What a check says of itself, in the server's order."""
EXPLAINED = ("introduction", "recommendation")
UNTOLD = "a server explains it"
NOT_HERE = "the sandbox does not keep what this check looks at"


def known() -> dict[str, JsonObject]:
    """Every check of the server by name."""
    return {str(row["name"]): row for row in cast("list[JsonObject]", fact("integrity_checks"))}


def described(row: JsonObject, average: int | None = None) -> JsonObject:
    """A check as the list shows it."""
    told = {
        "description": row["displayName"],
        **dict.fromkeys(cast("list[str]", row.get("explained", EXPLAINED)), UNTOLD),
    }
    found: JsonObject = {name: value for name in SHOWN if (value := row.get(name, told.get(name))) is not None}
    found |= {"isSlow": bool(row.get("isSlow")), "isProgrammatic": bool(row.get("isProgrammatic")), "code": row["code"]}
    if average is not None:
        found["averageExecutionTime"] = average
    return found


def chosen(names: list[str], *, everything: bool) -> list[str]:
    """The checks that names, codes and patterns mean, in the server's order.

    Parameters:
        everything: no names mean every check; else those that are neither slow nor written by hand.
    """
    rows = known()
    if not names:
        return [n for n, row in rows.items() if everything or not (row.get("isSlow") or row.get("isProgrammatic"))]
    wanted = [name.strip().lower().replace("-", "_") for name in names]
    codes = {name.strip().upper() for name in names}
    return [
        n for n, row in rows.items() if row["code"] in codes or any(fnmatch.fnmatchcase(n, text) for text in wanted)
    ]


@dataclass(slots=True)
class Result:
    """What one run of one check found."""

    started: str
    finished: str
    issues: list[Issue]
    percentage: float | None
    error: str | None
    milliseconds: int


@dataclass(slots=True)
class Integrity:
    """The checks of one server.

    Parameters:
        store: the database.
    """

    store: Store
    results: dict[Kind, dict[str, Result]] = field(default_factory=lambda: {"summary": {}, "details": {}})
    running: dict[Kind, set[str]] = field(default_factory=lambda: {"summary": set[str](), "details": set[str]()})
    changed: threading.Condition = field(default_factory=threading.Condition)

    def expect(self, kind: Kind, names: list[str]) -> None:
        """What has been asked for counts as running from now on, so that a read which waits does not come too early."""
        with self.changed:
            self.running[kind] |= set(names)

    def run(self, kind: Kind, names: list[str], progress: Progress) -> None:
        """Run checks one after another; each is to be read as soon as it has finished."""
        data = Data(self.store)
        self.expect(kind, names)
        try:
            for name in names:
                if progress.cancelled.is_set():
                    return
                result = self._one(name, data)
                with self.changed:
                    self.results[kind][name] = result
                    self.running[kind].discard(name)
                    self.changed.notify_all()
        finally:
            with self.changed:
                self.running[kind] -= set(names)
                self.changed.notify_all()

    def _one(self, name: str, data: Data) -> Result:
        started, began = now(), time.perf_counter()
        check = CHECKS.get(name)
        issues, error = (sorted(check(data), key=lambda one: one.name), None) if check is not None else ([], NOT_HERE)
        plural = str(known()[name].get("issuesIdType"))
        total = len(self.store.objects(plural)) if plural in self.store.resources else 0
        percentage = (
            float(100 * len(issues) // total) if total and error is None else None
        )  # whole ones, as SQL divides
        return Result(started, now(), issues, percentage, error, int((time.perf_counter() - began) * 1000))

    def wait(self, kind: Kind, names: list[str], seconds: float) -> None:
        """Until these checks have finished, at most so long."""
        with self.changed:
            self.changed.wait_for(lambda: not self.running[kind] & set(names), timeout=seconds)

    def report(self, kind: Kind, names: list[str]) -> JsonObject:
        """The results of checks that have finished."""
        rows, found = known(), {}
        for name in names:
            result = self.results[kind].get(name)
            if result is not None:
                found[name] = self._shown(kind, rows[name], result)
        return cast("JsonObject", found)

    def _shown(self, kind: Kind, row: JsonObject, result: Result) -> JsonObject:
        body: JsonObject = {
            **described(row, result.milliseconds),
            "startTime": result.started,
            "finishedTime": result.finished,
        }
        if result.error:
            body["error"] = result.error
        if kind == "summary":
            body["count"] = len(result.issues)
            if result.percentage is not None:
                body["percentage"] = result.percentage
        else:
            body["issues"] = [one.json() for one in result.issues]
        return body

    def averages(self) -> dict[str, int]:
        """How long each check took, in milliseconds."""
        return {
            name: result.milliseconds for kind in ("summary", "details") for name, result in self.results[kind].items()
        }
