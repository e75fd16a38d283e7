"""Which entities or events: names, dates and conditions as people say them, into a query as the server takes it.

API source: `TrackedEntityRequestParams.java`, `EventRequestParams.java` (api-facts e.2). The server ignores what it does
not know without a word, so that nothing is asked here that one of the versions does not know.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from dhis2sh.dhis2.dates import spelled
from dhis2sh.errors import UsageError
from dhis2sh.tracker.programs import named
from dhis2sh.tracker.referred import REFERRING, Referred
from dhis2sh.tracker.values import Problem, value_of
from dhis2sh.verbs.declaration import Doc, Refers
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.client.tracker import Kind
    from dhis2sh.session import Session
    from dhis2sh.tracker.programs import Item, Program, Stage

type Status = Literal["ACTIVE", "COMPLETED", "CANCELLED"]
type EventStatus = Literal["ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"]
_CONDITION = re.compile(
    r"(?P<name>.+?):(?P<operator>!?(?:eq|ieq|ne|neq|gt|ge|lt|le|like|ilike|nlike|in|sw|ew|null|nnull))(?::(?P<value>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_WITHOUT_VALUE = {"null", "!null", "nnull"}


@dataclass(slots=True)
class Asked:
    """Which entities or events of a program."""

    org_unit: Annotated[
        list[str], Doc("Of these organisation units; all that you may see without it."), Refers("organisationUnits")
    ] = field(default_factory=lambda: [])
    children: Annotated[bool, Doc("Of the units and of everything below them.")] = False
    status: Annotated[Status | None, Doc("Enrollments in this state.")] = None
    enrolled_after: Annotated[str | None, Doc("Enrolled on this day or later.")] = None
    enrolled_before: Annotated[str | None, Doc("Enrolled on this day or earlier.")] = None
    updated_after: Annotated[str | None, Doc("Changed on this day or later.")] = None
    filter: Annotated[
        list[str], Doc("NAME:OPERATOR:VALUE of an attribute (of events: a data element), such as 'First name:sw:An'.")
    ] = field(default_factory=lambda: [])

    @property
    def alone(self) -> list[str]:
        """The units that are asked for without what is below them."""
        return [] if self.children else self.org_unit


@dataclass(frozen=True, slots=True)
class Query:
    """What the client is asked.

    Parameters:
        kind: entities, enrollments or events.
        units, mode: where; `params` the rest, by DHIS2's names.
    """

    kind: Kind
    units: Sequence[str]
    mode: str
    params: dict[str, Param]


async def entities(s: Session, program: Program, asked: Asked) -> Query:
    """The query for the entities of a program. Raises `UsageError`, `NotFound`."""
    units, mode = _where(asked)
    params: dict[str, Param] = {
        "program": program.uid,
        "enrollmentStatus": asked.status,
        "enrollmentEnrolledAfter": _day(asked.enrolled_after, "--enrolled-after"),
        "enrollmentEnrolledBefore": _day(asked.enrolled_before, "--enrolled-before"),
        "updatedAfter": _day(asked.updated_after, "--updated-after"),
        "filter": [
            await condition(s, text, program.attributes(), f"attribute of '{program.name}'") for text in asked.filter
        ],
    }
    return Query("trackedEntities", units, mode, params)


def enrollments(program: Program, asked: Asked) -> Query:
    """The query for the enrollments of a program. Raises `UsageError`, also for conditions that enrollments do not know."""
    units, mode = _where(asked)
    if asked.filter:
        raise UsageError(
            "--filter asks for values of persons, and enrollments have none", hint="data tracker list PROGRAM"
        )
    params: dict[str, Param] = {
        "program": program.uid,
        "status": asked.status,
        "enrolledAfter": _day(asked.enrolled_after, "--enrolled-after"),
        "enrolledBefore": _day(asked.enrolled_before, "--enrolled-before"),
        "updatedAfter": _day(asked.updated_after, "--updated-after"),
    }
    return Query("enrollments", units, mode, params)


async def events(
    s: Session,
    program: Program,
    asked: Asked,
    *,
    stage: Stage | None = None,
    status: EventStatus | None = None,
    after: str | None = None,
    before: str | None = None,
) -> Query:
    """The query for the events of a program.

    Parameters:
        stage: of this stage alone.
        status: in this state; `after`, `before`: that occurred on this day or later, or earlier.

    Raises `UsageError`, `NotFound`.
    """
    units, mode = _where(asked)
    items = [item for one in ([stage] if stage else program.stages) for item in one.items]
    params: dict[str, Param] = {
        "program": program.uid,
        "programStage": stage.uid if stage else None,
        "status": status,
        "enrollmentStatus": asked.status,
        "occurredAfter": _day(after, "--occurred-after"),
        "occurredBefore": _day(before, "--occurred-before"),
        "enrollmentEnrolledAfter": _day(asked.enrolled_after, "--enrolled-after"),
        "enrollmentEnrolledBefore": _day(asked.enrolled_before, "--enrolled-before"),
        "updatedAfter": _day(asked.updated_after, "--updated-after"),
        "filter": [await condition(s, text, items, f"data element of '{program.name}'") for text in asked.filter],
    }
    return Query("events", units, mode, params)


def _where(asked: Asked) -> tuple[list[str], str]:
    if asked.children and not asked.org_unit:
        raise UsageError("--children goes with --org-unit", hint="--org-unit NAME --children")
    if not asked.org_unit:
        return [], "ACCESSIBLE"
    return asked.org_unit, "DESCENDANTS" if asked.children else "SELECTED"


def _day(text: str | None, flag: str) -> str | None:
    if text is None:
        return None
    text = spelled(text)
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{flag}: '{text}' is no date", hint=f"{flag} 2025-06-30") from None
    return text


async def condition(s: Session, text: str, items: Sequence[Item], what: str) -> str:
    """One condition as the server takes it: `UID:operator:value`.

    Parameters:
        text: `NAME:OPERATOR:VALUE`; the name may be a UID or a code, and the name of an option or a unit stands for it.
        items: what may be named; what: what they are, for the error.

    Raises `UsageError`, `NotFound`.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--filter {text}: say NAME:OPERATOR:VALUE",
            hint=f"operators are {joined(('eq', 'ne', 'gt', 'ge', 'lt', 'le', 'like', 'sw', 'ew', 'in', 'null'), 'or', 20)}",
        )
    item, operator, value = named(items, found["name"].strip(), what), found["operator"].lower(), found["value"]
    if operator in _WITHOUT_VALUE:
        if not (version := await s.client.version()).has("tracker_null"):
            raise UsageError(
                f"--filter {text}: a server of {version} knows no {operator} here",
                hint=f"""leave it out and choose from what comes: --jq '.[] | select(."{item.name}" == null)'""",
            )
        return f"{item.uid}:{operator}"
    if not value:
        raise UsageError(f"--filter {text}: the value is missing", hint=f"--filter '{item.name}:{operator}:VALUE'")
    if (item.options is not None or item.value_type in REFERRING) and operator in {"eq", "ieq", "ne", "neq", "in"}:
        parts = value.split(";") if operator == "in" else [value]
        referred = Referred(s)
        await referred.meet((item, part.strip()) for part in parts)
        try:
            value = ";".join(value_of(item, part, referred=referred) for part in parts)
        except Problem as problem:
            raise UsageError(
                f"--filter {text}: {problem}", hint="options and units are given by name or code"
            ) from problem
    return f"{item.uid}:{operator}:{escaped(value)}"


def escaped(value: str) -> str:
    """A value without what parts conditions: `/` before a slash, a comma or a colon."""
    return re.sub(r"([/,:])", r"/\1", value)
