"""Faults of DHIS2 versions that somebody may walk into, and the way around each; a server is told those of its own version."""

from __future__ import annotations

from dataclasses import dataclass

from dhis2sh.checks.finding import Examined, Finding, Severity


@dataclass(frozen=True, slots=True)
class Quirk:
    """A fault of some versions.

    Parameters:
        name: by which it is listed.
        first, last: the minor versions that have it.
        severity: how bad it is for who does not know of it.
        what: what happens.
        way: what goes around it.
        fix: the command that does, or that shows whether it matters here.
    """

    name: str
    first: int
    last: int
    severity: Severity
    what: str
    way: str
    fix: str


QUIRKS = (
    Quirk(
        "quirk-option-delete", 40, 42, "info",
        "DELETE of an option answers 200 and the option stays, where it is in a set",
        "options are deleted by an import, as this verb does",
        "dhis2 metadata options delete --help",
    ),
    Quirk(
        "quirk-deleted-values-hold-elements", 42, 42, "info",
        "data values that were deleted are only marked: their data element or unit cannot be deleted afterwards (E4030)",
        "delete them for good first",
        "dhis2 maintenance cleanup soft-deleted-data-value-removal --dry-run",
    ),
    Quirk(
        "quirk-event-analytics-yearly", 43, 43, "warning",
        "the analytics job was reported to stop at event programs with old events (column yearly does not exist)",
        "build the tables without those of events",
        "dhis2 maintenance refresh analytics --skip events --dry-run",
    ),
    Quirk(
        "quirk-values-several-data-sets", 43, 44, "info",
        "an import of values without a data set stops whole where an element is in several (E7144, E8002)",
        "values are sent by data set, as this verb does",
        "dhis2 data push --help",
    ),
    Quirk(
        "quirk-units-cached", 42, 42, "info",
        "a change of the units of an account is not seen until it signs in again (E7617)",
        "sign in anew after it",
        "dhis2 system whoami",
    ),
    Quirk(
        "quirk-jwt-open-id", 42, 42, "info",
        "tokens of the server's own OAuth2 are refused for accounts whose openId is empty",
        "give the account an openId",
        "dhis2 metadata list users --filter openId:null --fields id,username",
    ),
    Quirk(
        "quirk-rule-actions-dropped", 42, 42, "info",
        "an import of rule actions leaves their rule empty, where the rule does not list them",
        "rules come with their actions; an action without a rule is found by",
        "dhis2 metadata list programRuleActions --filter programRule:null",
    ),
    Quirk(
        "quirk-not-empty-filter", 40, 41, "info",
        "the filter !empty is refused (E1003)",
        "pipelines ask for it on this side",
        "dhis2 metadata list --help",
    ),
    Quirk(
        "quirk-merge-of-lists", 40, 41, "info",
        "PUT of a program or stage was reported to keep members of lists that are left out",
        "updates here send the changed properties alone",
        "dhis2 metadata update --help",
    ),
)  # fmt: skip


def of_version(minor: int) -> Examined:
    """The faults that servers of a minor version have."""
    examined = Examined(counts={quirk.name: 0 for quirk in QUIRKS})
    for quirk in QUIRKS:
        if quirk.first <= minor <= quirk.last:
            what = f"2.{minor}: {quirk.what}; {quirk.way}"
            examined.findings.append(Finding(quirk.severity, quirk.name, None, what, quirk.fix))
            examined.counts[quirk.name] = 1
            examined.objects[quirk.name] = [f"2.{minor}"]
    return examined
