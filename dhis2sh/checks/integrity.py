"""The integrity checks that DHIS2 runs itself: which there are, a run that is read as it goes, and what a run has left.

API source: `DataIntegrityController.java` (api-facts h.3); a read right after the start may be `{}` (seen).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.checks.finding import SEVERITIES, Examined, Finding, Severity
from dhis2sh.client.limits import CONCURRENCY, gather_bounded
from dhis2sh.client.messages import DataIntegrityCheck, DataIntegrityReport, WebMessage
from dhis2sh.client.tasks import notifications_of
from dhis2sh.errors import Forbidden, NotFound, TimedOut, did_you_mean
from dhis2sh.words import counted
from dhis2sh.words import listed as listed_names

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

type Kind = Literal["summary", "details"]
_SEVERITIES: Mapping[str, Severity] = {word: word for word in SEVERITIES}
ADDRESS = "dataIntegrity"
AUTHORITY = "F_PERFORM_MAINTENANCE"
FIRST_WAIT, LONGEST_WAIT, GROWTH = 0.2, 3.0, 1.5
"""Seconds between two looks."""
IN_ONE_ADDRESS = 1200
"""Characters of names that are asked for at once."""
LIST_COLUMNS = ("name", "severity", "section", "about", "type", "slow", "code")
RESULT_COLUMNS = ("severity", "name", "count", "percentage", "about", "finished")
ISSUE_COLUMNS = ("severity", "check", "type", "id", "name", "comment")


async def known(s: Session) -> list[JsonObject]:
    """Every check that the server has (`GET /api/dataIntegrity`)."""
    return cast("list[JsonObject]", await s.client.get(ADDRESS))


def listed(row: JsonObject) -> Row:
    """A check as a row of `LIST_COLUMNS`."""
    return {
        "name": row["name"], "severity": severity_of(row.get("severity")), "section": row.get("section"),
        "about": row.get("displayName"), "type": row.get("issuesIdType"), "slow": bool(row.get("isSlow")),
        "code": row.get("code"), "recommendation": row.get("recommendation"),
    }  # fmt: skip


def severity_of(text: object) -> Severity:
    """The server's word as ours; one that is not known counts as a warning."""
    return _SEVERITIES.get(str(text or "").lower(), "warning")


async def chosen(s: Session, names: Sequence[str], *, slow: bool = False) -> list[JsonObject]:
    """The checks of some names or codes; without any all that are quick, as the server's own run has it.

    Parameters:
        slow: those that take long too.

    Raises `NotFound` for a name that the server does not have: its own run would pass over it in silence.
    """
    there = await known(s)
    if not names:
        return [row for row in there if slow or not (row.get("isSlow") or row.get("isProgrammatic"))]
    by_name = {str(row["name"]): row for row in there}
    by_code = {str(row.get("code")): row for row in there if row.get("code")}
    found: dict[str, JsonObject] = {}
    for name in names:
        row = by_name.get(name.strip().lower().replace("-", "_")) or by_code.get(name.strip().upper())
        if row is None:
            hint = did_you_mean(name, [*by_name]) or "dhis2 maintenance data-integrity list"
            raise NotFound(f"the server has no integrity check '{name}'", hint=hint)
        found[str(row["name"])] = row
    return list(found.values())


async def run(
    s: Session, checks: Sequence[JsonObject], kind: Kind = "summary", *, timeout: float | None = None
) -> AsyncGenerator[DataIntegrityCheck]:
    """Run checks and give each as soon as it has finished. What a run before has left is not taken for this one's.

    Parameters:
        kind: `details` names the objects.
        timeout: seconds for all; the run goes on on the server.

    Raises `Forbidden` where this user may not run them, `TimedOut`.
    """
    if not (await s.client.system.me()).may(AUTHORITY):
        raise Forbidden(f"integrity checks want the authority {AUTHORITY}", hint="dhis2 doctor metadata")
    names = [str(row["name"]) for row in checks]
    if not names:
        return
    started = WebMessage.of(cast("JsonObject", await s.client.post(f"{ADDRESS}/{kind}", [*names])))
    job = started.task_ref
    since = str((started.response or {}).get("created") or "")
    clock = asyncio.get_running_loop().time
    deadline = None if timeout is None else clock() + timeout
    waiting, wait, over = dict.fromkeys(names), FIRST_WAIT, False
    while True:
        for check in await _finished(s, list(waiting), kind, since):
            del waiting[check.name]
            s.person.progress("integrity checks", len(names) - len(waiting), len(names))
            yield check
        if not waiting or over:
            break
        if deadline is not None and clock() + wait > deadline:
            raise TimedOut(
                f"{counted(len(waiting), 'integrity check')} of {len(names):,} did not finish within {timeout:g} s; they go on running",
                hint="dhis2 maintenance data-integrity result",
            )
        await asyncio.sleep(wait)
        wait = min(wait * GROWTH, LONGEST_WAIT)
        # the job has ended, so that one more look finds all that there will be
        over = job is not None and any(line.completed for line in await notifications_of(s.client, job))
    for name in waiting:
        yield DataIntegrityCheck(name=name, error="the run ended without a result of it")


async def _finished(s: Session, names: Sequence[str], kind: Kind, since: str = "") -> list[DataIntegrityCheck]:
    found: list[DataIntegrityCheck] = []
    parts = [*_in_addresses(names)]
    asked = (s.client.get_object(f"{ADDRESS}/{kind}", {"checks": ",".join(some)}) for some in parts)
    bodies = [body async for body in gather_bounded(asked, CONCURRENCY)]
    for some, body in zip(parts, bodies, strict=True):
        report = DataIntegrityReport.of(body)
        found += [
            check.model_copy(update={"name": name})
            for name, check in report.checks.items()
            if name in some and check.finished_time and (check.start_time or "") >= since
        ]
    return found


def _in_addresses(names: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for name in names:
        if part and sum(map(len, part)) + len(part) + len(name) > IN_ONE_ADDRESS:
            yield part
            part = []
        part.append(name)
    if part:
        yield part


async def results(s: Session, checks: Sequence[JsonObject], kind: Kind = "summary") -> list[DataIntegrityCheck]:
    """What the last run of each check has left on the server; a server forgets it with a restart."""
    return await _finished(s, [str(row["name"]) for row in checks], kind)


async def under_way(s: Session, *, timeout: float | None = None) -> list[str]:
    """The names of checks that ran when somebody began to look, when they have ended; none where none ran.

    Raises `TimedOut`; they go on running. Who interrupts it has changed nothing.
    """
    clock = asyncio.get_running_loop().time
    deadline = None if timeout is None else clock() + timeout
    seen, wait = dict[str, None](), 1.0
    while True:
        running = {
            name
            for kind in ("summary", "details")
            for name in cast("list[str]", await s.client.get(f"{ADDRESS}/{kind}/running"))
        }
        seen |= dict.fromkeys(sorted(running))
        if not running:
            return list(seen)
        s.person.progress("integrity checks", len(seen) - len(running), len(seen))
        if deadline is not None and clock() + wait > deadline:
            raise TimedOut(
                f"{counted(len(running), 'integrity check')} not ended within {timeout:g} s; they go on running",
                hint="dhis2 maintenance data-integrity watch",
            )
        await asyncio.sleep(wait)
        wait = min(wait * GROWTH, LONGEST_WAIT)


def result_row(check: DataIntegrityCheck) -> Row:
    """What a check has found as a row of `RESULT_COLUMNS`."""
    return {
        "severity": severity_of(check.severity), "name": check.name, "count": check.count, "percentage": check.percentage,
        "about": check.error or check.display_name, "finished": check.finished_time,
    }  # fmt: skip


def issue_rows(check: DataIntegrityCheck, type: str) -> list[Row]:
    """The objects that a check has found as rows of `ISSUE_COLUMNS`."""
    return [
        {"severity": severity_of(check.severity), "check": check.name, "type": type, "id": issue.id, "name": issue.name,
         "comment": issue.comment or ", ".join(issue.refs) or None}
        for issue in check.issues
    ]  # fmt: skip


async def examine(
    s: Session,
    names: Sequence[str] = (),
    *,
    slow: bool = False,
    timeout: float | None = None,
    into: Examined | None = None,
) -> Examined:
    """Run checks, and say what each found. Raises as `chosen` and `run`.

    Parameters:
        into: takes what has finished, also where the rest does not.
    """
    checks = await chosen(s, names, slow=slow)
    examined = Examined() if into is None else into
    failed: list[str] = []
    async for check in run(s, checks, timeout=timeout):
        if check.error:
            failed.append(check.name)
            continue
        count = check.count or 0
        examined.counts[check.name] = count
        if count:
            share = f" ({check.percentage:g} %)" if check.percentage else ""
            fix = f"dhis2 maintenance data-integrity run {check.name} --details"
            what = f"{check.display_name or check.name}{share}"
            examined.findings.append(Finding(severity_of(check.severity), check.name, count, what, fix))
    if failed:
        told = counted(len(failed), "integrity check")
        examined.left.append(f"{told} gave no result on this server: {listed_names(failed)}")
    return examined
