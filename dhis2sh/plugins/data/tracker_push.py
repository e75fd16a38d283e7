"""`data tracker push`: entities, enrollments, events and relationships of a file, checked and sent in parts that can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.files import check_beside
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.sheets import Where
from dhis2sh.session import Session
from dhis2sh.tracker import loading, programs, way_back
from dhis2sh.tracker.loading import Load
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Piped, Refers, Touches, verb

UNDOES = way_back.bundles
"""How a push is taken back: importing it here registers it, and `undo` imports every domain."""


@verb(
    "data tracker push",
    effect="write",
    persons=True,
    examples=[
        "dhis2 data tracker push children.csv --program 'Child Programme' --dry-run",
        "dhis2 data tracker push bundle.json --atomic --rejected mend.ndjson",
    ],
)
async def push(
    s: Session,
    file: Annotated[
        Path | None, Doc("A bundle (JSON), objects (JSON, NDJSON), or a sheet (CSV, TSV, XLSX)."), Complete("files")
    ] = None,
    objects: Annotated[Rows[Row] | None, Piped(), Doc("Objects or rows of a pipeline, in place of a file.")] = None,
    *,
    program: Annotated[str | None, Doc("The program, for the rows of a sheet."), Refers("programs")] = None,
    org_unit: Annotated[
        str | None, Doc("The organisation unit of all rows, where no column says it."), Refers("organisationUnits")
    ] = None,
    enrolled: Annotated[str | None, Doc("The day of the enrollment of all rows, where no column says it.")] = None,
    occurred: Annotated[str | None, Doc("The day of the event of all rows of an event program.")] = None,
    sheet: Annotated[str | None, Doc("The sheet of a workbook, where several have rows.")] = None,
    header_row: Annotated[
        int, Doc("The line of a sheet that names the columns; titles stand above it."), Bounds(1)
    ] = 1,
    skip_hidden: Annotated[
        bool,
        Doc("Leave out what is hidden in a workbook, by a filter too: rows and columns; else they are read as well."),
    ] = False,
    strategy: Annotated[str, Doc("create-and-update, create, update or delete.")] = "create-and-update",
    atomic: Annotated[bool, Doc("All or nothing, in one request; else what can be written is.")] = False,
    repeated: Annotated[
        bool,
        Doc(
            "Who says the very same as another row, or has names, unit and day of enrollment of somebody on the server, is "
            "another one: send it too; else it is refused."
        ),
    ] = False,
    no_undo: Annotated[bool, Doc("Do not read what is there before: faster, and cannot be taken back.")] = False,
    rejected: Annotated[
        Path | None,
        Doc(
            "When all has been sent, write what was refused to this file, with the reasons; CSV of a sheet, else NDJSON."
        ),
        Complete("files"),
        Touches("writes"),
    ] = None,
) -> Plan:
    """Import entities, enrollments, events and relationships: each is checked first, then they are sent in parts.

    Programs, stages, attributes, data elements, units and options may be given by UID, code or name. A sheet has one row
    for each entity, as `data tracker list --flat` writes it; an empty cell leaves alone what is there. Who is there already
    is found by a value that nobody has twice. What nobody gave a UID gets one, always the same one for the same row, in a
    file that was mended or has grown too: nobody is made twice, and a push that was cut off is finished by the same line.
    What is wrong is refused with a reason and goes into a file that can be mended and pushed again.

    API source: `POST /api/tracker`.
    """
    if (file is None) == (objects is None):
        raise UsageError("what is to be pushed?", hint="dhis2 data tracker push children.csv --program NAME")
    if rejected is not None:
        check_beside("--rejected", rejected, file)
    load = Load(
        file.name if file else "rows", strategy=loading.strategy_of(strategy), atomic=atomic, undo=not no_undo,
        repeated=repeated, rejected=rejected, program=await programs.read_program(s, program) if program else None,
        given=loading.given_of({"orgUnit": org_unit, "enrolledAt": enrolled, "occurredAt": occurred}),
    )  # fmt: skip
    where = Where(sheet, header_row, skip_hidden=skip_hidden)
    if file is None and where != Where():
        raise UsageError(
            "rows of a pipeline are no sheet", hint="--sheet, --header-row and --skip-hidden are for a file"
        )
    source, entries = (
        loading.of_file(file, load, where) if file is not None else loading.of_rows(objects or Rows[Row]([]), load)
    )
    return await loading.plan(s, source, entries, load)
