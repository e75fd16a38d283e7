"""Why a question of aggregate analytics has no numbers, as far as a few small questions more can tell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.analytics import entered
from dhis2sh.analytics.items import Question
from dhis2sh.analytics.reported import Reported, fixed, reported
from dhis2sh.client import reading
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Dhis2Error
from dhis2sh.verbs import periods
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.session import Session

_OF_PROGRAMS = "dhis2 analytics events  and  dhis2 analytics event-totals  ask for them"
_BACK = 10
"""Years before this one that are looked through."""


async def tell(s: Session, question: Question, *, held: bool = False) -> None:
    """Say that a question has no numbers, and why where that can be known.

    Parameters:
        held: conditions on the numbers were asked for too, which none may meet.
    """
    said = "the analytics tables have nothing"
    known = await _why(s, question, held=held)
    if known is not None:
        s.person.note(f"{said} for this: {known}")
    else:
        s.person.note(f"{said}{' that meets the conditions' if held else ''} for this: {_how(question)}")


async def _why(s: Session, question: Question, *, held: bool) -> str | None:
    """What leaves the question without numbers; None where nobody knows."""
    asked = [*question.dimensions.get("pe", ()), *question.filters.get("pe", ())]
    others = _others(question)
    if (others or held) and await _with_numbers(s, question, asked):
        without = [await _called(s, others)] if others else []
        return f"there are numbers without {joined([*without, *(['the conditions'] if held else [])])}"
    data = question.dimensions.get("dx") or question.filters.get("dx") or []
    try:
        about = await reported(s, data)
    except Dhis2Error:  # who may not read the metadata is told what the numbers themselves say
        about = Reported()
    if len(about.of_programs) == len(data):
        names = joined(f"'{name}'" for name in about.of_programs)
        return f"{names} {'is' if len(data) == 1 else 'are'} collected in programs alone: {_OF_PROGRAMS}"
    times = fixed(asked)
    if (short := about.too_short(times)) and len(short) == len(times):
        return periods.unlike(short, about.kinds)
    units = question.dimensions.get("ou") or question.filters.get("ou") or []
    if (told := await entered.newer(s, about, units, times)) is not None:
        return told
    return await _other_times(s, question, about, units)


def _how(question: Question) -> str:
    """What says of one number of a question why it is not there."""
    (data, *_), (unit, *_), (time, *_) = (
        question.dimensions.get(name) or question.filters.get(name) or [""] for name in ("dx", "ou", "pe")
    )
    unit = unit if is_uid(unit) else "UNIT"
    once = fixed([time])
    return f"dhis2 analytics explain {data} --org-unit {unit} --period {once[-1] if once else 'PERIOD'}  says why of one number"


def _others(question: Question) -> list[str]:
    """The dimensions that narrow a question besides data, time and units."""
    return [name for name in question.dimensions | question.filters if name not in {"dx", "pe", "ou"}]


async def _called(s: Session, uids: Sequence[str]) -> str:
    """The names of some dimensions."""
    try:
        hits = await reading.of_any_type(s.client, uids, fields="id,displayName")
    except Dhis2Error:
        return joined(uids)
    names = {str(row["id"]): str(row.get("displayName")) for rows in hits.values() for row in rows}
    return joined(f"'{names.get(uid, uid)}'" for uid in uids)


async def _other_times(s: Session, question: Question, about: Reported, units: Sequence[str]) -> str | None:
    """For which time these data have numbers in these units; None where nobody knows."""
    long = about.longest()
    looked_at = list(long.at(_today()).previous(_BACK).range(long.at(_today())))
    years = await _with_numbers(s, question, [period.iso for period in looked_at])
    if years is None:
        return None
    if not years and (told := await entered.newer(s, about, units, looked_at)) is not None:
        return told
    if not years:
        none = "in these units there is nothing in this year and the ten before it"
        if about.indicators:
            names = joined(f"'{name}'" for name in about.indicators)
            return f"of {names} {none}, which a denominator of 0 leaves too: {_how(question)}"
        return f"of these data {none}"
    first, last = years[0], years[-1]
    inside = (
        None
        if long.name != "Yearly"
        else await _with_numbers(s, question, [period.iso for period in about.shortest().in_year(int(last))])
    )
    ends = (inside or [last])[-1]
    if about.program_indicators:
        names = joined(f"'{name}'" for name in about.program_indicators)
        several = len(about.program_indicators) > 1
        data = f"{names}, {'program indicators, have' if several else 'a program indicator, has'}"
    else:
        data = "these data have"
    return f"{data} numbers in these units {f'for {ends}' if first == ends else f'from {first} to {ends}'}"


async def _with_numbers(s: Session, question: Question, asked: Sequence[str]) -> list[str] | None:
    """The periods, of some, for which there is a number of a question's data over all of its units, whatever else narrows it.

    In order of time; None where the server refuses.
    """
    data = question.dimensions.get("dx") or question.filters.get("dx") or []
    units = question.dimensions.get("ou") or question.filters.get("ou") or []
    try:
        grid = await s.client.analytics.query(
            {"dx": data, "pe": list(asked)}, filters={"ou": units}, params={"skipMeta": True}
        )
    except Dhis2Error:
        return None
    found = {str(row["pe"]) for row in grid.records(names=False) if row.get("value") is not None}
    return [period.iso for period in sorted(fixed(found))]


def _today() -> dt.date:
    return dt.datetime.now().astimezone().date()
