"""A question planned before it is asked: what its dimensions hold, how many cells that makes, in which pieces.

The server itself says what groups, levels and relative periods stand for (`skipData`); it is asked for no value.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.analytics import items as written
from dhis2sh.analytics import made_of
from dhis2sh.analytics.entered import NEVER
from dhis2sh.analytics.items import GROUPS, Question
from dhis2sh.analytics.made_of import MadeOf
from dhis2sh.analytics.pieces import Piece, ask, length_of
from dhis2sh.client.data_values import LONGEST
from dhis2sh.client.limits import meanwhile
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Forbidden, NotFound, Refused, TooLong, UsageError
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.client.grids import AnalyticsMetaData
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

LEAST_LIMIT = 50_000
"""Rows of one answer where the server does not say how many it gives."""
CELLS = 50_000
"""Cells of one request at most: it is answered in seconds, and a lost answer costs no more. As many requests are made of a
question as are under way at once, or twice or three times as many, since each round waits for the link once more."""
FEW = 2_000
"""Cells that are not worth a second request."""
AT_ONCE = 4
"""Requests of one pull under way, within what the client lets go to the host."""
LIMIT = "keyAnalyticsMaxLimit"
"""The server's setting of rows in one answer."""
APPLIED = ("keyIgnoreAnalyticsApprovalYearThreshold", "keyAcceptanceRequiredForApproval")
"""Settings that decide over numbers when they are asked, and not when the tables are built."""


@dataclass(frozen=True, slots=True)
class Members:
    """What the dimensions of a question hold, by the server's own account.

    Parameters:
        of: the members of each dimension and filter.
        meta: names of everything.
    """

    of: Mapping[str, tuple[str, ...]]
    meta: AnalyticsMetaData


async def members(s: Session, question: Question, params: Mapping[str, Param]) -> Members:
    """What a question is about, with no value asked for. Raises `Refused`, and `UsageError` for a dimension that is empty."""
    meta = await _told(s, question, {**params, "skipData": True, "includeMetadataDetails": True})
    found: dict[str, tuple[str, ...]] = {}
    for name, items in (question.dimensions | question.filters).items():
        told = meta.dimensions.get(name)
        if told is not None and not told and items:
            raise UsageError(
                f"nothing is in {name}={';'.join(items)}", hint="dhis2 metadata list organisationUnitLevels"
            )
        if name == "dx":
            found[name] = tuple(_data(items, told or []))
        elif told:
            found[name] = tuple(sorted(told) if name == "ou" else told)  # a database gives units in any order
        else:
            found[name] = tuple(items)
    return Members(found, meta)


async def _told(s: Session, question: Question, params: Mapping[str, Param]) -> AnalyticsMetaData:
    """What a server says of a question, which is asked in parts where it is too long for an address."""
    halves = _halves(question)
    if (
        not halves
        or length_of(item for items in (question.dimensions | question.filters).values() for item in items) <= LONGEST
    ):
        try:
            return (await ask(s, question, Piece((), (), ()), params)).meta_data
        except TooLong:
            if not halves:
                raise
    first, second = await asyncio.gather(*(_told(s, half, params) for half in halves))
    first.items |= second.items
    for name, more in second.dimensions.items():
        first.dimensions[name] = list(dict.fromkeys([*first.dimensions.get(name, ()), *more]))
    return first


def _halves(question: Question) -> list[Question]:
    """A question in two by its longest list of what stands for itself alone; none where there is no such list."""
    lists = {
        name: items
        for name, items in (question.dimensions | question.filters).items()
        if len(items) > 1 and (name in {"dx", "pe"} or all(map(is_uid, items)))
    }
    if not lists:
        return []
    name, items = max(lists.items(), key=lambda item: length_of(item[1]))
    found: list[Question] = []
    for half in (items[: len(items) // 2], items[len(items) // 2 :]):
        dimensions, filters = (
            {**of, name: half} if name in of else of for of in (question.dimensions, question.filters)
        )
        found.append(Question(dimensions, filters))
    return found


def _data(items: Sequence[str], told: Sequence[str]) -> list[str]:
    """Data as it can be asked for one by one: groups by what is in them, the rest as it was written.

    The server's list has an operand with `*` by its element alone, so that a group beside one stays whole.
    """
    groups = [item for item in items if item.partition("-")[0] in GROUPS]
    if not groups or any("*" in item for item in items):
        return list(items)
    return list(dict.fromkeys([*(item for item in items if item not in groups), *told]))


@dataclass(frozen=True, slots=True)
class Planned:
    """A question in pieces, each within what a server answers.

    Parameters:
        question: as it was asked.
        params: more parameters of analytics.
        members: what its dimensions hold.
        pieces: in the order of their rows; together they are the whole.
        cells: how many numbers there may be.
        limit: rows that the server gives at once.
        stamp: what the answers depend on besides the question; None where nobody knows.
        made_of: when what the data are made of was changed: an answer from before is not theirs.
        built: when the analytics tables were built.
    """

    question: Question
    params: Mapping[str, Param]
    members: Members
    pieces: list[Piece]
    cells: int
    limit: int
    stamp: str | None
    built: str | None
    made_of: MadeOf

    def cells_of(self, piece: Piece) -> int:
        """How many numbers a piece may have."""
        return (
            len(piece.data or "1")
            * len(piece.periods or "1")
            * len(piece.units or "1")
            * _others(self.members, self.question)
        )

    @property
    def places(self) -> dict[str, dict[str, int]]:
        """Where each member stands in its dimension."""
        return {name: {uid: at for at, uid in enumerate(items)} for name, items in self.members.of.items()}

    def asked(self, piece: Piece) -> Piece:
        """A piece as it is sent: what is whole by its short name, such as LEVEL-4."""

        def short(name: str, items: tuple[str, ...]) -> tuple[str, ...]:
            return () if items == self.members.of.get(name) else items

        return Piece(short("dx", piece.data), short("pe", piece.periods), short("ou", piece.units))

    def halves(self, piece: Piece) -> list[Piece]:
        """A piece in two; in more where half of the units that one word stood for are too many for an address."""
        return [one for half in piece.cut() for one in self._short(half)]

    def _short(self, piece: Piece) -> list[Piece]:
        sent, whole = self.asked(piece), short_of(self.question)
        sent = Piece(sent.data or whole.data, sent.periods or whole.periods, sent.units or whole.units)
        if sum(map(length_of, (sent.data, sent.periods, sent.units))) <= LONGEST:
            return [piece]
        return cut(piece, self.cells_of(piece), self.limit, sent)

    def key(self, piece: Piece) -> str:
        """A digest of what a piece asks for."""
        rest = {
            n: sorted(m)
            for n, m in self.members.of.items()
            if n not in {"dx", "pe", "ou"} or n in self.question.filters
        }
        content: JsonObject = {
            "dx": [*piece.data], "pe": [*piece.periods], "ou": [*piece.units],
            "dimensions": [*self.question.dimensions], "rest": {n: [*m] for n, m in rest.items()},
            "params": {name: str(value) for name, value in self.params.items()},
            "made of": self.made_of.state(piece.data or self.members.of.get("dx", ())),
        }  # fmt: skip
        return digest(content)

    def words(self) -> str:
        """What is asked for, in words: `1,161 units x 12 periods x 1 item = 13,932 cells`."""
        order = [name for name in ("ou", "pe", "dx") if name in self.question.dimensions]
        order += [name for name in self.question.dimensions if name not in order]
        sizes = (counted(len(self.members.of[name]), *_WORDS.get(name, (f"of {name}", f"of {name}"))) for name in order)
        return f"{' x '.join(sizes)} = {counted(self.cells, 'cell')}"


def short_of(question: Question) -> Piece:
    """The items of a question as they were given."""
    return Piece(*(tuple(question.dimensions.get(name, ())) for name in ("dx", "pe", "ou")))


_WORDS = {"dx": ("item", "items"), "pe": ("period", "periods"), "ou": ("unit", "units")}


def digest(content: JsonValue) -> str:
    """A short name for a value."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


def _others(known: Members, question: Question) -> int:
    """How many cells the dimensions besides data, time and place make of one."""
    return math.prod(len(known.of[name]) for name in question.dimensions if name not in _WORDS)


async def planned(
    s: Session, dimensions: Sequence[str], filters: Sequence[str], params: Mapping[str, Param]
) -> Planned:
    """The question that some texts ask, in pieces. Raises as `items.question_of` and `members`.

    Whatever does not wait for another answer is asked for at once: over a slow link each answer takes its time.

    Parameters:
        dimensions, filters: as of `items.question_of`; params: more parameters of analytics, by DHIS2's names.
    """
    async with meanwhile(_server(s)) as telling:
        asked = await written.read(s, dimensions, filters)
        data = {item for item in (*asked.dimensions.get("dx", ()), *asked.filters.get("dx", ())) if is_uid(item)}
        found = MadeOf(s)
        async with meanwhile(members(s, asked, params)) as told:
            question, rows = await written.looked_for(s, asked, data, made_of.FIELDS)
            found.know(rows)
            await found.follow([*question.dimensions.get("dx", ()), *question.filters.get("dx", ())])
            known = await told if question == asked else await members(s, question, params)
        await found.follow(known.of.get("dx", ()))  # what is in groups
        told_of = await telling
    return _cut_up(s, question, params, known, told_of, found)


@dataclass(frozen=True, slots=True)
class _Server:
    """What one answer may hold, how old the tables are, who asks, and what settings decide over numbers."""

    limit: int
    info: JsonObject
    me: JsonValue
    settings: JsonObject


def _cut_up(
    s: Session, question: Question, params: Mapping[str, Param], known: Members, server: _Server, found: MadeOf
) -> Planned:
    info = server.info
    built = _text(info.get("lastAnalyticsTableSuccess"))
    if built is not None and built.startswith(NEVER):
        built = None
    stamp = None
    if built is not None:
        partly = _text(info.get("lastAnalyticsTablePartitionSuccess"))
        stamp = digest([built, partly, info.get("revision"), s.profile.url, server.me, server.settings])
    axes = [known.of[name] if name in question.dimensions else () for name in ("dx", "pe", "ou")]
    cells = math.prod(len(axis or "1") for axis in axes) * _others(known, question)
    beside = [item for name, items in question.dimensions.items() if name not in _WORDS for item in items]
    beside += [item for items in question.filters.values() for item in items]
    pieces = cut(Piece(*axes), cells, server.limit, short_of(question), LONGEST - length_of(beside))
    return Planned(question, params, known, pieces, cells, server.limit, stamp, built, found)


def cut(whole: Piece, cells: int, limit: int, short: Piece | None = None, room: int = LONGEST) -> list[Piece]:
    """A piece in those that are asked for: by time first, then by data, then by units.

    Units that one word stands for stay together, as many as the server gives: named one by one they make an address that no server takes.

    Parameters:
        cells: of the whole; limit: rows that the server gives at once.
        short: what stands for all of each in an address, such as LEVEL-4; the items themselves without it.
        room: characters of an address that there are for them.
    """
    short = short or whole
    room_for = max(1, min(limit, CELLS))
    rounds = math.ceil(cells / (room_for * AT_ONCE))
    most = min(room_for, max(FEW, math.ceil(cells / (max(1, rounds) * AT_ONCE))))
    data, periods, units = (len(axis or "1") for axis in (whole.data, whole.periods, whole.units))
    each = max(1, cells // (data * periods * units))
    together = len(short.units) < units and units * each <= limit
    left = room - _longest(whole.data) - _longest(whole.periods)

    def as_many(size: int) -> int:
        """Items of so many cells each that make about `most`: one more than fit, if the server gives as many."""
        more = math.ceil(most / size)
        return more if more * size <= room_for else most // size

    by_units = _fitting(whole.units, short.units, units if together else as_many(each), left)
    by_data = by_periods = 1
    if by_units == units:
        room -= length_of(short.units)
        by_data = _fitting(whole.data, short.data, as_many(each * units), room)
        if by_data == data:
            room -= length_of(short.data)
            by_periods = _fitting(whole.periods, short.periods, as_many(each * units * data), room)
    return [
        Piece(tuple(some_data), tuple(some_periods), tuple(some_units))
        for some_periods in _chunks(whole.periods, by_periods)
        for some_data in _chunks(whole.data, by_data)
        for some_units in _chunks(whole.units, by_units)
    ]


def _fitting(items: Sequence[str], short: Sequence[str], wanted: int, room: int) -> int:
    """How many items of a dimension are asked for at once: as many as wanted, if the address has room for them."""
    there = len(items or "1")
    if wanted >= there and length_of(short) <= room:
        return there
    return max(1, min(there, wanted, room // _longest(items)))


def _longest(items: Sequence[str]) -> int:
    """Characters of an address that one item takes at most."""
    return length_of([max(items, key=len, default="")])


def _chunks(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Items in parts that are about as large as each other."""
    if not items:
        return [()]
    count = math.ceil(len(items) / size)
    bounds = [len(items) * at // count for at in range(count + 1)]
    return [items[first:last] for first, last in itertools.pairwise(bounds)]


async def _server(s: Session) -> _Server:
    """What is asked of a server besides the question; fresh, since what was kept may be older than the tables."""
    client = s.client  # where it cannot be opened, no question is left waiting
    settings, info, me = await asyncio.gather(_settings(s), client.get_object("system/info"), _me(s))
    value = str(settings.get(LIMIT))
    limit = (int(value) or CELLS) if value.isdigit() else LEAST_LIMIT  # 0 is no limit
    return _Server(limit, info, me, {name: settings.get(name) for name in APPLIED})


async def _settings(s: Session) -> JsonObject:
    try:
        return await s.client.get_object("systemSettings")
    except (Refused, Forbidden, NotFound):
        return {}


async def _me(s: Session) -> JsonValue:
    """Who asks, and what they read: another user's answers are others."""
    fields = (
        "id,organisationUnits[id],dataViewOrganisationUnits[id],userGroups[id],userRoles[id,lastUpdated],"
        "catDimensionConstraints[id],cogsDimensionConstraints[id]"
    )
    return await s.client.get_object("me", {"fields": fields})


def _text(value: JsonValue) -> str | None:
    return str(value) if value else None
