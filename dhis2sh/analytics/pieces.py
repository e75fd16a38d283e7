"""A question in pieces that a server answers: asked whole first, and cut where it is too large or takes too long."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from dhis2sh.analytics import nothing
from dhis2sh.analytics.items import RATES, USER_UNITS, Question
from dhis2sh.client import reading
from dhis2sh.client.limits import gather_bounded
from dhis2sh.dhis2.periods import RelativePeriod
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Refused, ServerFault, TimedOut, TooLong, UsageError

if TYPE_CHECKING:
    from dhis2sh.client.grids import Grid
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

TOO_LARGE = "E7128"
"""The result has more rows than the server gives."""
TOO_LONG = {"E7131", "E7136"}
"""The query was given up, by the server's own clock."""
NEVER_BUILT = "E7144"
"""A table of analytics is not there."""
CONCURRENCY = 3
"""Pieces under way at once: analytics are the heaviest thing that a server does."""
MOST_PIECES = 5_000


def length_of(items: Iterable[str]) -> int:
    """Characters that some items take in an address, where what parts them is written as three."""
    return sum(len(quote(item, safe="")) + 3 for item in items)


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a question: some data, some periods, some units."""

    data: tuple[str, ...]
    periods: tuple[str, ...]
    units: tuple[str, ...]

    def cut(self) -> list[Piece]:
        """The same in two: by time, then by data, then by units, so that rows keep their order. Empty where it is one of each."""
        for name in ("periods", "data"):
            items = cast("tuple[str, ...]", getattr(self, name))
            if len(items) > 1:
                middle = len(items) // 2
                return [replace(self, **{name: part}) for part in (items[:middle], items[middle:])]
        levels = tuple(item for item in self.units if not is_uid(item))
        alone = tuple(item for item in self.units if is_uid(item))
        if len(alone) > 1:
            middle = len(alone) // 2
            return [replace(self, units=(*part, *levels)) for part in (alone[:middle], alone[middle:])]
        return []


async def batches(
    s: Session,
    question: Question,
    params: Mapping[str, Param],
    *,
    with_names: bool,
    times: dict[str, str] | None = None,
) -> AsyncGenerator[list[Row]]:
    """The rows of a question, piece by piece, those of each in the order of what was asked.

    Parameters:
        params: more parameters of analytics, by DHIS2's names.
        with_names: a column with the name beside each item.
        times: gets the periods of the answers by their names.

    Raises `Refused` for a piece that cannot be cut further.
    """
    cut_by = {name: tuple(question.dimensions.get(name, ())) for name in ("dx", "pe", "ou")}
    waiting = [Piece(cut_by["dx"], cut_by["pe"], cut_by["ou"])]
    asked, some = 0, False
    while waiting:
        now, waiting = waiting, list[Piece]()
        async for piece, found in gather_bounded((_tried(s, question, piece, params) for piece in now), CONCURRENCY):
            asked += 1
            if isinstance(found, Exception):
                smaller = await _smaller(s, question, piece, params)
                if not smaller or asked + len(waiting) > MOST_PIECES:
                    raise found
                waiting += smaller
                continue
            for name, period in found.meta_data.periods_by_name().items() if times is not None else ():
                times[name] = period if times.get(name, period) == period else name  # of two, none
            if rows := list(found.in_order().records(names=with_names)):
                some = True
                yield rows
        if waiting:
            s.person.step(f"too much for one answer: asked again in {len(waiting)} pieces")
    if not some:
        await nothing.tell(s, question, held=any(name.lower().endswith("criteria") for name in params))


def too_much(error: Exception) -> bool:
    """Has a server failed because it was asked for too much at once?"""
    match error:
        case ServerFault():
            return error.status in {502, 504}
        case TooLong():
            return True
        case Refused():
            # E7129 is also what 2.41 to 2.44 say of a program that does not exist (seen)
            large = error.code == "E7129" and "does not exist" not in error.message
            return large or error.code in {TOO_LARGE, *TOO_LONG} or error.status == 413
        case _:
            return isinstance(error, TimedOut)


def with_advice(error: Exception, data: Iterable[str] = ()) -> Exception:
    """An error of analytics, with what to do where their tables are missing, or very many units are named.

    Parameters:
        error: what went wrong.
        data: what was asked for (`dx`). The table behind rates is not made where nothing is registered (2.43, recorded).
    """
    if isinstance(error, Refused) and error.code == NEVER_BUILT:
        error.hint = HOW_TO_BUILD
        if any(item.rpartition(".")[2] in _COUNTED for item in data):
            error.hint = (
                "rates need one registration: dhis2 data complete. Then: dhis2 maintenance refresh analytics --watch"
            )
    elif isinstance(error, TooLong):
        error.hint = (
            "fewer items in one question: a level or a group (ou=LEVEL-4, ou=OU_GROUP-NAME) names very many units"
        )
    return error


_COUNTED = frozenset(RATES) - {"EXPECTED_REPORTS"}
"""Rates that count registrations."""
HOW_TO_BUILD = "dhis2 maintenance refresh analytics --watch  builds the analytics tables; then ask again"


async def ask(s: Session, question: Question, piece: Piece, params: Mapping[str, Param]) -> Grid:
    """The answer to a piece of a question. Raises what the server refuses; `too_much` says whether less would do."""
    dimensions: dict[str, Sequence[str]] = {**question.dimensions}
    dimensions |= {
        name: items for name, items in (("dx", piece.data), ("pe", piece.periods), ("ou", piece.units)) if items
    }
    try:
        return await s.client.analytics.query(dimensions, filters=question.filters, params=params)
    except Refused as error:
        asked = {**dimensions, **question.filters}
        raise with_advice(error, asked.get("dx", ())) from error


async def _tried(
    s: Session, question: Question, piece: Piece, params: Mapping[str, Param]
) -> tuple[Piece, Grid | Refused | TimedOut]:
    """A piece and its answer, or why it has none where a smaller one may."""
    try:
        return piece, await ask(s, question, piece, params)
    except (Refused, TimedOut) as error:
        if not too_much(error):
            raise
        return piece, error


async def _smaller(s: Session, question: Question, piece: Piece, params: Mapping[str, Param]) -> list[Piece]:
    """A piece in smaller ones: relative periods as the server's fixed ones, a unit with a level below it as its children."""
    if any(item in RelativePeriod.__members__ for item in piece.periods):  # whose financial year is the server's
        meta = (await ask(s, question, piece, {**params, "skipData": True})).meta_data
        piece = replace(piece, periods=tuple(meta.dimensions.get("pe") or piece.periods))
    if len(piece.periods) <= 1 and len(piece.data) <= 1:
        piece = await _apart(s, question, piece, params)
    if found := piece.cut():
        return found
    levels = tuple(item for item in piece.units if not is_uid(item))
    if not levels or any(not item.startswith("LEVEL-") for item in levels):
        return []
    units = [item for item in piece.units if is_uid(item)] or await _roots(s)
    if len(units) > 1:
        return replace(piece, units=(*units, *levels)).cut()
    body = await s.client.get_object(f"organisationUnits/{units[0]}", {"fields": "level,children[id]"})
    children = [str(child["id"]) for child in cast("list[JsonObject]", body.get("children") or [])]
    highest = min([await _number(s, item.removeprefix("LEVEL-")) for item in levels])
    if not children or highest <= int(cast("int", body.get("level") or 0)):
        return []
    return [replace(piece, units=(child, *levels)) for child in children]


async def _apart(s: Session, question: Question, piece: Piece, params: Mapping[str, Param]) -> Piece:
    """A piece whose units can be asked for one by one, so that no row is in two answers: the user's own by their UIDs, and of
    units under which levels or groups are looked for the topmost alone."""
    own = tuple(item for item in piece.units if item in USER_UNITS)
    if own:
        meta = (await ask(s, question, replace(piece, units=own), {**params, "skipData": True})).meta_data
        there = tuple(meta.dimensions.get("ou") or ())
        if not there:
            return piece
        piece = replace(piece, units=tuple(dict.fromkeys([*there, *(item for item in piece.units if item not in own)])))
    alone = [item for item in piece.units if is_uid(item)]
    if len(alone) < 2 or len(alone) == len(piece.units):
        return piece
    rows = (await reading.by_uid(s.client, "organisationUnits", alone, fields="id,path")).rows
    below = {str(row["id"]) for row in rows if set(str(row.get("path")).split("/")[:-1]) & set(alone)}
    return replace(piece, units=tuple(item for item in piece.units if item not in below))


async def _number(s: Session, level: str) -> int:
    """The number of a level that is given so, or by its UID."""
    if level.isdigit():
        return int(level)
    body = await s.client.get_object(f"organisationUnitLevels/{level}", {"fields": "level"})
    return int(cast("int", body["level"]))


async def _roots(s: Session) -> list[str]:
    """The units that a level alone is below: those that the user reads."""
    fields = "dataViewOrganisationUnits[id],organisationUnits[id]"
    me = await s.client.get_object("me", {"fields": fields})
    held = cast("list[JsonObject]", me.get("dataViewOrganisationUnits") or me.get("organisationUnits") or [])
    if not held:
        raise UsageError("you read no organisation units on this server", hint="dhis2 system whoami")
    return [str(unit["id"]) for unit in held]
