"""What differs between the server versions that the sandbox can mimic: one table, read where behaviour differs.

Taken from the recordings of running servers; `docs/conformance.md` lists the scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from dhis2sh.errors import UsageError


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the server.

    Parameters:
        number: as `/api/system/info` says it.
        schemas: which facts describe its types.
    """

    number: str
    schemas: str


VERSIONS = {
    "2.41": Version(number="2.41.9.1", schemas="v41"),
    "2.42": Version(number="2.42.5.2", schemas="v42"),
    "2.43": Version(number="2.43.1", schemas="v43"),
}
DEFAULT = "2.42"


def version_of(name: str) -> Version:
    """The version called `2.42`, or of which this is a full number. Raises `UsageError` for another."""
    short = ".".join(name.split(".")[:2])
    if short not in VERSIONS:
        raise UsageError(f"the sandbox cannot mimic DHIS2 {name}", hint=f"choose one of {', '.join(VERSIONS)}")
    return VERSIONS[short]
