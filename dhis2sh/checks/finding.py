"""What is found, and how bad it is: the words are those of DHIS2's own integrity checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

type Severity = Literal["critical", "severe", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "severe", "warning", "info")
"""The worst first."""
COLUMNS = ("severity", "check", "count", "what", "fix")
OBJECT_COLUMNS = ("severity", "check", "type", "id", "name", "what", "fix")


@dataclass(slots=True)
class Finding:
    """Something that somebody should look at: a whole check, or one object where a check is asked for by name.

    Parameters:
        severity, check: how bad it is, and which check says so.
        count: how many objects; None where it is no matter of objects.
        what: in words.
        fix: the command that mends it or shows what is to be mended.
        type, id, name: the object, of a finding of one.
    """

    severity: Severity
    check: str
    count: int | None
    what: str
    fix: str
    type: str = ""
    id: str = ""
    name: str = ""


@dataclass(slots=True)
class Examined:
    """What came of checks.

    Parameters:
        findings: what was found, a check each.
        objects: UIDs by check, where they are known; with what was found before that says what is new.
        counts: how many objects each check has found, those that found nothing with 0.
        left: what was not looked for, and why.
        seconds: how long it took.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    objects: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    left: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    def add(self, other: Examined) -> None:
        """Take in what came of other checks."""
        self.findings += other.findings
        self.objects |= other.objects
        self.counts |= other.counts
        self.left += other.left


def rank(severity: Severity) -> int:
    """0 for the worst."""
    return SEVERITIES.index(severity)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then those of most objects, then by check."""
    return sorted(findings, key=lambda one: (rank(one.severity), -(one.count or 0), one.check, one.name))


def as_bad_as(findings: Iterable[Finding], severity: Severity) -> list[Finding]:
    """Those that are so bad or worse."""
    return [one for one in findings if rank(one.severity) <= rank(severity)]
