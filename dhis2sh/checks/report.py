"""What the doctor found as a page for people, or as a workbook."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.checks.finding import SEVERITIES, Examined, Finding
from dhis2sh.rows.rows import to_plain
from dhis2sh.show.report import Report, Section, Tile

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import Row

_MOODS = {"critical": "bad", "severe": "bad", "warning": "fair", "info": ""}
_LEADS = {
    "critical": "The instance cannot be trusted until these are mended.",
    "severe": "Data are lost, wrong or open to others.",
    "warning": "Somebody will trip over these.",
    "info": "Good to know.",
}


async def report(s: Session, examined: Examined, findings: Sequence[Finding], told: str = "") -> Report:
    """The report of what was found.

    Parameters:
        findings: those that are shown, the worst first.
        told: what they were compared with.
    """
    info = await s.client.system.info()
    made = f"{s.profile.name}, DHIS2 {info.get('version')}, {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC"
    made = f"{made}; {len(examined.counts):,} checks in {examined.seconds:.0f} s" + (f"; {told}" if told else "")
    tiles: list[Tile] = []
    sections: list[Section] = []
    columns = {"Objects": "count", "What": "what", "Command": "fix"}
    for severity in SEVERITIES:
        some = [one for one in findings if one.severity == severity]
        mood = _MOODS[severity] if some else "good"
        tiles.append(Tile(f"{len(some):,}", severity, mood))
        if not some:
            continue
        sections.append(
            Section(severity.capitalize(), _LEADS[severity], columns, [to_plain(one) for one in some], "Nothing found.")
        )
    rows: list[Row] = [{"what": text} for text in examined.left]
    sections.append(
        Section("Not looked for", "About these the report says nothing.", {"What": "what"}, rows, "All was looked for.")
    )
    return Report(f"Health of {info.get('systemName') or s.profile.name}", made, tiles, sections)
