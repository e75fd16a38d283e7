"""`doctor`: what is wrong with an instance, the worst first, each with the command that mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.checks import examining, integrity, kept, mending, report
from dhis2sh.checks.finding import COLUMNS, OBJECT_COLUMNS, Examined, Finding, Severity, as_bad_as, worst_first
from dhis2sh.checks.probing import PROBES
from dhis2sh.errors import CheckFailed, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, NotForAgents, Touches, verb

FailOn = Annotated[Severity | None, Doc("End with 8 where something so bad or worse is found.")]
Names = Annotated[list[str], Doc("Only these checks, each object by itself; `doctor list` names them.")]
Page = Annotated[
    Path | None, Doc("Write a page (.html) or a workbook (.xlsx) for people too."), Complete("files"), Touches("writes")
]
Slow = Annotated[bool, Doc("The server's slow checks too.")]
Timeout = Annotated[int | None, Bounds(1), Doc("Seconds to wait for the server's checks; they go on there.")]


def _checked(file: Path | None) -> None:
    if file is not None and file.suffix.lower() not in {".html", ".xlsx"}:
        raise UsageError(f"{file}: a report is written as .html or .xlsx", hint=f"--report {file.stem}.html")


def _shown(
    s: Session, examined: Examined, findings: list[Finding], fail_on: Severity | None, each: bool
) -> Rows[Finding]:
    """Findings as rows; what was not looked for is said. Raises `CheckFailed` where something is as bad as somebody bears."""
    for text in examined.left:
        s.person.warn(text)
    rows = Rows(worst_first(findings), columns=OBJECT_COLUMNS if each else COLUMNS)
    if fail_on is not None and (bad := as_bad_as(findings, fail_on)):
        told = f"{len(bad):,} of {len(findings):,} findings are {fail_on} or worse"
        raise CheckFailed(told, findings=rows, hint="without --fail-on they are listed")
    return rows


@verb(
    "doctor all",
    effect="read",
    aliases=["doctor"],
    examples=[
        "dhis2 doctor all",
        "dhis2 doctor all --report health.html",
        "dhis2 doctor all --since last --fail-on severe",
    ],
)
async def all_(
    s: Session,
    *,
    since: Annotated[str | None, Doc("Only what is new: since the `last` run, or since that of a day.")] = None,
    fail_on: FailOn = None,
    slow: Slow = False,
    report_: Page = None,
    timeout: Timeout = None,
) -> Rows[Finding]:
    """Look an instance through: the server's integrity checks, ours of metadata, people, jobs and settings, faults of its version.

    One line a check, the worst first, with the command that mends it or shows each object. What this user may not see is
    not looked for, and said. Each run is kept in the user's data folder, for --since.

    API source: `POST /api/dataIntegrity/summary`, `GET /api/{type}`, `GET /api/system/info`.
    """
    _checked(report_)
    before = kept.run_before(s.profile, since) if since is not None else None
    examined = await examining.everything(s, slow=slow, timeout=timeout)
    findings, told = examined.findings, ""
    if before is not None:
        findings, unasked = kept.new_since(examined, before)
        told = kept.words(before, unasked)
        s.person.note(told)
    kept.keep(s.profile, examined)
    if report_ is not None:
        (await report.report(s, examined, worst_first(findings), told)).save(report_)
        s.person.note(f"{report_} written")
    return _shown(s, examined, findings, fail_on, each=False)


@verb(
    "doctor metadata",
    effect="read",
    examples=["dhis2 doctor metadata", "dhis2 doctor metadata legends-with-gaps"],
)
async def metadata(s: Session, checks: Names = [], *, fail_on: FailOn = None) -> Rows[Finding]:
    """Look metadata through: names, forms, programs, expressions, rules, units.

    API source: `GET /api/{type}`.
    """
    examined = await examining.probed(s, "metadata", checks)
    return _shown(s, examined, examined.findings, fail_on, each=bool(checks))


@verb("doctor server", effect="read", examples=["dhis2 doctor server", "dhis2 doctor server superusers-quiet"])
async def server(s: Session, checks: Names = [], *, fail_on: FailOn = None) -> Rows[Finding]:
    """Look the server through: tables, jobs, settings, accounts, sharing, and faults that its version is known for.

    API source: `GET /api/system/info`, `/api/systemSettings`, `/api/jobConfigurations`, `/api/users`, `/api/{type}?fields=sharing`.
    """
    examined = await examining.probed(s, "server", checks)
    return _shown(s, examined, examined.findings, fail_on, each=bool(checks))


@verb("doctor integrity", effect="read", examples=["dhis2 doctor integrity", "dhis2 doctor integrity --fail-on severe"])
async def integrity_(
    s: Session,
    checks: Annotated[list[str], Doc("Only these: names or codes of `maintenance data-integrity list`.")] = [],
    *,
    fail_on: FailOn = None,
    slow: Slow = False,
    timeout: Timeout = None,
) -> Rows[Finding]:
    """Let the server run its integrity checks, and list those that found something.

    API source: `POST /api/dataIntegrity/summary` (wants the authority F_PERFORM_MAINTENANCE).
    """
    examined = await integrity.examine(s, checks, slow=slow, timeout=timeout)
    return _shown(s, examined, examined.findings, fail_on, each=False)


@verb("doctor list", effect="read", examples=["dhis2 doctor list"])
async def list_(s: Session) -> Rows[Row]:
    """List our own checks: what each looks for, why, and the verb that mends it."""
    rows: list[Row] = [
        {
            "check": one.name, "severity": one.severity, "area": one.area, "about": one.about, "reason": one.reason,
            "verb": one.verb, "mends": one.name in mending.MENDS,
        }
        for one in PROBES.values()
    ]  # fmt: skip
    return Rows(rows, columns=("check", "severity", "area", "about", "verb"))


@verb(
    "doctor fix",
    effect="write",
    examples=["dhis2 doctor fix texts-with-spaces --dry-run", "dhis2 doctor fix --dry-run"],
)
async def fix(
    s: Session,
    checks: Annotated[list[str], Doc("What is to be mended; without any each is asked for.")] = [],
    *,
    again: Annotated[bool, NotForAgents(), Doc("Ask of what was left before, too.")] = False,
) -> Plan:
    """Walk through what can be put right, the worst first: mend all, look at each object, leave it, or stop; `undo` takes it back.

    What is left is not asked again, so that a walk goes on where it was stopped. With names all of those is planned; where
    nobody can be asked, what needs no decision: texts, functions in capitals, sharing with the world. Accounts are disabled
    and settings set too, in the same plan; your own account never is.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`, `DELETE /api/{type}/{uid}`,
    `POST /api/users/{uid}/disabled`, `POST /api/systemSettings/{key}`.
    """
    return await mending.plan(s, checks, again=again)
