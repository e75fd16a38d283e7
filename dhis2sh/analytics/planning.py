"""A question planned before it is asked: what its dimensions hold, how many cells that makes, in which pieces.

The server itself says what groups, levels and relative periods stand for (`skipData`); it is asked for no value.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.analytics import items as written
from dhis2sh.analytics.items import GROUPS, Question
from dhis2sh.analytics.pieces import Piece, ask
from dhis2sh.client import reading
from dhis2sh.client.limits import meanwhile
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Forbidden, NotFound, Refused, UsageError
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.client.messages import AnalyticsMetaData
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

LEAST_LIMIT = 50_000
"""Rows of one answer where the server does not say how many it gives."""
CELLS = 20_000
"""Cells of one request: it is answered in seconds, and a lost answer costs no more."""
FEW = 2_000
"""Cells that are not worth a second request."""
AT_ONCE = 4
"""Requests of one pull under way, within what the client lets go to the host."""
LIMIT = "keyAnalyticsMaxLimit"
"""The server's setting of rows in one answer."""
NEVER = "1970-01-01"
"""What a server says that has not built its tables by a job: nobody knows how old they are."""
_TYPES = {"INDICATOR": "indicators", "PROGRAM_INDICATOR": "programIndicators", "DATA_ELEMENT": "dataElements"}


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
    whole = Piece((), (), ())
    grid = await ask(s, question, whole, {**params, "skipData": True, "includeMetadataDetails": True})
    meta = grid.meta_data
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
        changed: when the formulas and elements in question were changed: an answer from before is not theirs.
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
    changed: Mapping[str, JsonValue]

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
            "changed": {uid: when for uid, when in self.changed.items() if not piece.data or uid in piece.data},
        }  # fmt: skip
        return digest(content)

    def words(self) -> str:
        """What is asked for, in words: `1,161 units x 12 periods x 1 item = 13,932 cells`."""
        order = [name for name in ("ou", "pe", "dx") if name in self.question.dimensions]
        order += [name for name in self.question.dimensions if name not in order]
        sizes = (counted(len(self.members.of[name]), *_WORDS.get(name, (f"of {name}", f"of {name}"))) for name in order)
        return f"{' x '.join(sizes)} = {counted(self.cells, 'cell')}"


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
        async with meanwhile(members(s, asked, params)) as told:
            question, changed = await written.looked_for(s, asked, data)
            known = await told if question == asked else await members(s, question, params)
        changed = {**changed, **await _changed(s, known, changed.keys())}
        limit, info, me = await telling
    return _cut_up(s, question, params, known, limit, info, me, changed)


def _cut_up(
    s: Session, question: Question, params: Mapping[str, Param], known: Members, limit: int, info: JsonObject,
    me: JsonValue, changed: Mapping[str, JsonValue],
) -> Planned:  # fmt: skip
    built = _text(info.get("lastAnalyticsTableSuccess"))
    if built is not None and built.startswith(NEVER):
        built = None
    stamp = None
    if built is not None:
        partly = _text(info.get("lastAnalyticsTablePartitionSuccess"))
        stamp = digest([built, partly, s.profile.url, me])
    axes = [known.of[name] if name in question.dimensions else () for name in ("dx", "pe", "ou")]
    cells = math.prod(len(axis or "1") for axis in axes) * _others(known, question)
    pieces = list(cut(Piece(*axes), cells, limit))
    return Planned(question, params, known, pieces, cells, limit, stamp, built, changed)


def cut(whole: Piece, cells: int, limit: int) -> list[Piece]:
    """A piece in those that are asked for: by time first, then by data, then by units.

    Parameters:
        cells: of the whole; limit: rows that the server gives at once.
    """
    room = min(limit, CELLS, max(FEW, math.ceil(cells / AT_ONCE)))
    data, periods, units = (len(axis or "1") for axis in (whole.data, whole.periods, whole.units))
    each = max(1, cells // (data * periods * units))
    sizes = [1, 1, 1]
    sizes[2] = min(units, max(1, room // each))
    if sizes[2] == units:
        sizes[0] = min(data, max(1, room // (each * units)))
    if sizes[0] == data:
        sizes[1] = min(periods, max(1, room // (each * units * data)))
    return [
        Piece(tuple(some_data), tuple(some_periods), tuple(some_units))
        for some_periods in _chunks(whole.periods, sizes[1])
        for some_data in _chunks(whole.data, sizes[0])
        for some_units in _chunks(whole.units, sizes[2])
    ]


def _chunks(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Items in parts that are about as large as each other."""
    if not items:
        return [()]
    count = math.ceil(len(items) / size)
    bounds = [len(items) * at // count for at in range(count + 1)]
    return [items[first:last] for first, last in itertools.pairwise(bounds)]


async def _server(s: Session) -> tuple[int, JsonObject, JsonValue]:
    """What one answer may hold, how old the tables are, and who asks; fresh, since what was kept may be older than the tables."""
    return await asyncio.gather(_limit(s), s.client.get_object("system/info"), _me(s))


async def _limit(s: Session) -> int:
    try:
        value = await s.client.system.setting(LIMIT)
    except (Refused, Forbidden, NotFound):
        return LEAST_LIMIT
    number = int(str(value)) if str(value).isdigit() else LEAST_LIMIT
    return number or CELLS  # 0 is no limit


async def _me(s: Session) -> JsonValue:
    """Who asks, and what they read: another user's answers are others."""
    fields = "id,organisationUnits[id],dataViewOrganisationUnits[id],userGroups[id],userRoles[id]"
    return await s.client.get_object("me", {"fields": fields})


async def _changed(s: Session, known: Members, told: Collection[str]) -> dict[str, JsonValue]:
    """When the formulas and elements in question were changed, but for those of which it is told: members of groups."""
    found: dict[str, list[str]] = {}
    for item in known.of.get("dx", ()):
        kind = known.meta.items[item].dimension_item_type if item in known.meta.items else None
        if is_uid(item) and kind in _TYPES and item not in told:
            found.setdefault(_TYPES[kind], []).append(item)
    several = await asyncio.gather(
        *(reading.by_uid(s.client, plural, uids, fields="id,lastUpdated") for plural, uids in found.items())
    )
    return {str(row["id"]): row.get("lastUpdated") for one in several for row in one.rows}


def _text(value: JsonValue) -> str | None:
    return str(value) if value else None
