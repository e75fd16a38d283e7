"""`data review`: one report of a data set and period, for who has to act on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dhis2sh.data import asking, reviewing
from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, Refers, Touches, verb

MANY = 50
"""Findings of which it is said how many each check has."""


@verb(
    "data review",
    effect="read",
    examples=[
        "dhis2 data review 'Child Health' 202506 --org-unit Bo --report bo-june.html",
        "dhis2 data review 'Child Health' 202506 --org-unit Bo --summary",
        "%data review 'Child Health' 202506 --org-unit Bo | where(check == 'Sudden zeros')",
    ],
)
async def review(
    s: Session,
    data_set: Annotated[str, Doc("The data set."), Refers("dataSets")],
    period: Annotated[str, Doc("The period, such as 202506.")],
    *,
    org_unit: Annotated[
        list[str], Doc("Units, with all below them; without any those that you read from."), Refers("organisationUnits")
    ] = [],
    summary: Annotated[bool, Doc("A row for each check, with how many it found, in place of each finding.")] = False,
    report: Annotated[
        Path | None, Doc("Write a page (.html) or a workbook (.xlsx) for people."), Complete("files"), Touches("writes")
    ] = None,
) -> Rows[Row] | Text:
    """Review a data set: who has not reported, broken rules, unusual values, sudden zeros and repeated reports.

    A zero is sudden where each of the periods before had something, usually 5 or more (how many had less is said), and a
    report is repeated where all of its values are those of one of the six periods before. With --report it is one page, or a workbook with a sheet for each of these,
    with --summary one row for each check.

    API source: `GET /api/completeDataSetRegistrations`, `GET /api/dataValueSets.csv`, `GET /api/outlierDetection`,
    `POST /api/dataAnalysis/validationRules`.
    """
    if report is not None and report.suffix.lower() not in {".html", ".xlsx"}:
        raise UsageError(f"{report}: a report is written as .html or .xlsx", hint=f"--report {report.stem}.html")
    made = await reviewing.report(s, data_set, await asking.period_of(s, data_set, period), org_unit)
    if summary and report is not None:
        raise UsageError("--summary is for rows", hint="a --report begins with the numbers")
    if summary:
        return Rows(reviewing.summary(made), columns=("check", "count", "told"))
    if report is None:
        rows = reviewing.findings(made)
        if len(rows) > MANY:
            counts = ", ".join(
                f"{row['check']} {'?' if row['count'] is None else row['count']}" for row in reviewing.summary(made)[1:]
            )
            s.person.note(f"{len(rows):,} findings: {counts}; --summary has a row for each check")
        return Rows(rows, columns=reviewing.COLUMNS)
    made.save(report)
    return Text(f"{report.name}: {made.title}\n" + "\n".join(f"  {tile.number} {tile.about}" for tile in made.tiles))
