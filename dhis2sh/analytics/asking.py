"""Questions about programs: events, enrollments, entities as rows, and how many there are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from dhis2sh.analytics import grids, programs
from dhis2sh.analytics.grids import Labels, pages, typed
from dhis2sh.analytics.pieces import with_advice
from dhis2sh.analytics.pull import Aggregation
from dhis2sh.dhis2.dates import spelled
from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import Refused, UsageError
from dhis2sh.rows.rows import Provenance, Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.verbs.declaration import Bounds, Doc, Refers

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import Row

type Kind = Literal["events", "enrollments", "trackedEntities"]
Dimensions = Annotated[
    list[str],
    Doc("pe, ou and items by name: pe=2025, ou=Bo, 'STAGE.ELEMENT', 'ELEMENT:GT:5', 'ATTRIBUTE=OPTION;OPTION'."),
]


def _none() -> list[str]:
    return []


@dataclass(slots=True)
class Narrowed:
    """Which events or enrollments; the options that their verbs share. Times are a period, a relative one, or FROM_TO."""

    filter: Annotated[list[str], Doc("What narrows and is no column, written as dimensions are.")] = field(
        default_factory=_none
    )
    stage: Annotated[str | None, Doc("Only events of this program stage."), Refers("programStages")] = None
    start_date: Annotated[str | None, Doc("From this day on, with --end-date in place of pe.")] = None
    end_date: Annotated[str | None, Doc("To this day.")] = None
    event_date: Annotated[str | None, Doc("When events happened: 202501, LAST_3_MONTHS, 2025-01-01_2025-03-31.")] = None
    enrollment_date: Annotated[str | None, Doc("When their enrollments began.")] = None
    incident_date: Annotated[str | None, Doc("The incident dates of their enrollments.")] = None
    scheduled_date: Annotated[str | None, Doc("When they were due.")] = None
    last_updated: Annotated[str | None, Doc("When they were last changed.")] = None
    event_status: Annotated[
        list[Literal["ACTIVE", "COMPLETED", "SCHEDULE", "OVERDUE", "SKIPPED", "VISITED"]],
        Doc("Only events that are so."),
    ] = field(default_factory=lambda: [])
    program_status: Annotated[
        list[Literal["ACTIVE", "COMPLETED", "CANCELLED"]], Doc("Only enrollments that are so.")
    ] = field(default_factory=lambda: [])
    org_unit_mode: Annotated[
        Literal["SELECTED", "CHILDREN", "DESCENDANTS"] | None, Doc("How far below the units; DESCENDANTS without it.")
    ] = None
    relative_period_date: Annotated[str | None, Doc("The day that relative periods count from.")] = None

    def params(self) -> dict[str, Param]:
        """Their names in the API. Raises `UsageError`."""
        if (self.start_date is None) != (self.end_date is None):
            raise UsageError("--start-date goes with --end-date", hint="--start-date 2025-01-01 --end-date 2025-12-31")
        given = {
            "startDate": self.start_date,
            "endDate": self.end_date,
            "relativePeriodDate": self.relative_period_date,
        }
        days = {name: None if text is None else spelled(text) for name, text in given.items()}
        for text in days.values():
            if text is not None and str(Period.parse(text).type) != "Daily":
                raise UsageError(f"'{text}' is no day", hint="days look like 2025-01-31")
        told: dict[str, Param] = {
            **days, "stage": self.stage, **self.times(), "eventStatus": ",".join(self.event_status) or None,
            "programStatus": ",".join(self.program_status) or None, "ouMode": self.org_unit_mode,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}

    def times(self) -> dict[str, str | None]:
        """The times by their names in the API."""
        return {"eventDate": self.event_date, "enrollmentDate": self.enrollment_date, "incidentDate": self.incident_date,
                "scheduledDate": self.scheduled_date, "lastUpdated": self.last_updated}  # fmt: skip

    @property
    def is_timed(self) -> bool:
        """Is there a time besides the dimension `pe`?"""
        return self.start_date is not None or any(self.times().values())


@dataclass(slots=True)
class Shown:
    """How rows are given; the options that verbs with rows share."""

    asc: Annotated[list[str], Doc("Sort by this column or item.")] = field(default_factory=_none)
    desc: Annotated[list[str], Doc("Sort by this column or item, the largest first.")] = field(default_factory=_none)
    header: Annotated[
        list[str], Doc("Only these columns, by the server's names: eventdate, ouname, STAGE.ELEMENT.")
    ] = field(default_factory=_none)
    limit: Annotated[int | None, Doc("At most so many rows."), Bounds(1)] = None
    page_size: Annotated[int, Doc("Rows of one request."), Bounds(1)] = grids.PAGE
    no_names: Annotated[bool, Doc("Columns by identifier, and no names beside stages, units and options.")] = False


async def rows_of(
    s: Session, kind: Kind, uid: str, asked: programs.Asked, texts: Sequence[str], narrowed: Narrowed, shown: Shown,
    more: dict[str, Param] | None = None,
) -> Stream[Row]:  # fmt: skip
    """Rows of a program or an entity type.

    Parameters:
        kind: of what; uid: of the program, or the type.
        asked: what it can be asked by; texts: the dimensions.
        narrowed, shown: the options.
        more: more parameters, by DHIS2's names.

    Raises `UsageError` without units, and of events and enrollments without a time: a server would take some of its own.
    """
    dimensions, filters = await _both(s, asked, texts, narrowed)
    _complete(dimensions | filters, narrowed, timed=kind != "trackedEntities")
    params: dict[str, Param] = {
        **narrowed.params(), **(more or {}), "headers": ",".join(programs.order(asked, shown.header)) or None,
        "asc": programs.order(asked, shown.asc or _stable(kind, shown)) or None, "desc": programs.order(asked, shown.desc) or None,
    }  # fmt: skip
    params = {name: value for name, value in params.items() if value is not None}
    labels = Labels(not shown.no_names)
    found = pages(
        s, f"{kind}/query/{uid}", [*dimensions.values()], [*filters.values()], params, limit=shown.limit,
        size=min(shown.page_size, shown.limit or shown.page_size),
    )  # fmt: skip
    first = await anext(found)
    labels.learn(first)

    async def batches() -> AsyncGenerator[list[Row]]:
        yield typed(first, labels)
        async with aclosing(found) as others:
            async for grid in others:
                yield typed(grid, labels)

    return Stream(batches(), columns=labels.columns(first))


def _stable(kind: Kind, shown: Shown) -> list[str]:
    """An order where none is asked for: pages of rows in none may overlap."""
    return [] if shown.desc else {"events": ["eventdate"], "enrollments": ["enrollmentdate"]}.get(kind, [])


async def _both(
    s: Session, asked: programs.Asked, texts: Sequence[str], narrowed: Narrowed
) -> tuple[dict[str, str], dict[str, str]]:
    dimensions = await programs.dimensions(s, asked, texts)
    filters = await programs.dimensions(s, asked, narrowed.filter)
    if both := dimensions.keys() & filters.keys():
        raise UsageError(f"{', '.join(sorted(both))} is a dimension and a filter", hint="say it once")
    return dimensions, filters


def _complete(found: dict[str, str], narrowed: Narrowed, *, timed: bool) -> None:
    if "ou" not in found:
        raise UsageError("no organisation units (ou)", hint="ou=USER_ORGUNIT, or ou=Bo")
    if timed and "pe" not in found and not narrowed.is_timed:
        raise UsageError("no time (pe)", hint="pe=2025, or --start-date 2025-01-01 --end-date 2025-12-31")
    if "pe" in found and narrowed.start_date is not None:
        raise UsageError("periods or dates, not both", hint="pe=2025, or --start-date with --end-date")


async def totals(
    s: Session, program: str, texts: Sequence[str], narrowed: Narrowed, *, value: str | None, aggregation_type: Aggregation | None,
    output_type: str | None, no_names: bool,
) -> Rows[Row]:  # fmt: skip
    """How many events there are, or a number of theirs put together, by dimensions. Errors as `rows_of`."""
    asked = await programs.of_program(s, program, stage=narrowed.stage)
    dimensions, filters = await _both(s, asked, texts, narrowed)
    _complete(dimensions | filters, narrowed, timed=True)
    params = narrowed.params()
    if value is not None:
        found = asked.find(value) or value
        params["value"] = found.rpartition(".")[2]
    elif aggregation_type is not None:
        raise UsageError("--aggregation-type of what?", hint="--value 'ELEMENT' --aggregation-type AVERAGE")
    more = {"aggregationType": aggregation_type, "outputType": output_type}
    params |= {name: text for name, text in more.items() if text is not None}
    try:
        grid = await s.client.analytics.query(
            [*dimensions.values()], filters=[*filters.values()], of=f"events/aggregate/{program}", params=params
        )
    except Refused as error:
        raise with_advice(error) from error
    labels = Labels(not no_names)
    labels.learn(grid)
    return Rows(
        typed(grid.in_order(), labels),
        columns=labels.columns(grid),
        provenance=Provenance(times=grid.meta_data.periods_by_name()),
    )
