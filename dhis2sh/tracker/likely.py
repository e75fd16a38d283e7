"""Pairs of entities that are likely the same: the same names, folded and in any order, and no other day of birth.

API source: `GET /api/tracker/trackedEntities?program=`, `POST /api/potentialDuplicates` (tracker-duplicates).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Refused, UsageError
from dhis2sh.tracker import linking, programs, reading
from dhis2sh.tracker.alike import naming
from dhis2sh.tracker.reading import Names
from dhis2sh.words import folded, listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.asking import Query
    from dhis2sh.tracker.programs import Item, Program
    from dhis2sh.types import JsonValue

_DAYS = {"DATE", "AGE"}
MOST = 200_000
"""Entities that are compared; of more it is said that the rest was not looked at."""
TOGETHER = 50
"""Entities of one name that are compared with each other."""
_FIELDS = (
    "trackedEntity,orgUnit,attributes[attribute,value],enrollments[enrollment,program,attributes[attribute,value]]"
)


class Likely(BaseModel):
    """Two entities that are likely the same."""

    original: str
    duplicate: str
    name: str
    same: str
    original_unit: str | None
    duplicate_unit: str | None


@dataclass(frozen=True, slots=True)
class _One:
    uid: str
    unit: str
    name: str
    days: tuple[str, ...]


def compared(program: Program, by: Sequence[str]) -> tuple[list[Item], list[Item]]:
    """The attributes that must be the same, and the days of which none may be another.

    Parameters:
        by: their names; without any the first texts of the program, and its attributes that are days.

    Raises `UsageError` for none that tells anybody from others, `NotFound` for names.
    """
    if by:
        chosen = [programs.named(program.attributes(), text, f"attribute of '{program.name}'") for text in by]
        texts = [item for item in chosen if item.value_type not in _DAYS]
    else:
        texts = naming(program)
        chosen = [*texts, *program.attributes()]
    if not texts:
        raise UsageError(f"nothing says what an entity of '{program.name}' is called", hint="--by NAME")
    return texts, [item for item in chosen if item.value_type in _DAYS]


async def find(
    s: Session, program: Program, query: Query, by: Sequence[str], *, limit: int | None = None
) -> AsyncGenerator[list[Likely]]:
    """Likely pairs, as they are met; what was looked at is said at the end.

    Parameters:
        query: which entities of the program.
        by: attributes, as of `compared`; limit: so many pairs at the most.
    """
    texts, days = compared(program, by)
    met: dict[tuple[str, ...], list[_One]] = {}
    names, looked, unnamed, told, crowded = Names(s), 0, 0, 0, set[str]()
    async with aclosing(reading.pages(s, query, _FIELDS, limit=MOST + 1)) as pages:
        async for rows in pages:
            await names.meet(row.get("orgUnit") for row in rows)
            found: list[Likely] = []
            for row in rows:
                looked += 1
                if looked > MOST:
                    break
                values = reading.held(reading.whole(row), "attributes", "attribute")
                key = tuple(sorted(text for item in texts if (text := folded(str(values.get(item.uid) or "")))))
                if not key:
                    unnamed += 1
                    continue
                one = _One(
                    str(row["trackedEntity"]), str(row.get("orgUnit")), _called(texts, values), _days(days, values)
                )
                others = met.setdefault(key, [])
                found += _pairs(one, others, [*texts, *days], names)
                if len(others) < TOGETHER:
                    others.append(one)
                else:
                    crowded.add(one.name)
            found = found if limit is None else found[: limit - told]
            told += len(found)
            if found:
                yield found
            if told == limit:
                s.person.note(f"the first {told:,} pairs; there may be more")
                return
    said = f"looked at {min(looked, MOST):,} by {listed((item.name for item in [*texts, *days]), 6)}: names that are spelt otherwise are not found"
    if unnamed:
        said += f"; {unnamed:,} have no name"
    s.person.note(said)
    if looked > MOST:
        s.person.warn(
            f"only the first {MOST:,} were compared: ask for a part of the units (--org-unit NAME --children)"
        )
    if crowded:
        s.person.warn(
            f"of {listed(sorted(crowded), 3)} there are more than {TOGETHER}: those are not compared with each other"
        )


def _called(texts: Sequence[Item], values: Mapping[str, JsonValue]) -> str:
    return " ".join(str(values[item.uid]) for item in texts if values.get(item.uid))


def _days(items: Sequence[Item], values: Mapping[str, JsonValue]) -> tuple[str, ...]:
    return tuple(str(values.get(item.uid) or "")[:10] for item in items)


def _pairs(one: _One, others: Sequence[_One], items: Sequence[Item], names: Names) -> Iterator[Likely]:
    """An entity with those of the same name before it, where no day of the two is another."""
    texts = len(items) - len(one.days)
    for other in others:
        if any(left and right and left != right for left, right in zip(other.days, one.days, strict=True)):
            continue
        same = [item.name for item in items[:texts]]
        same += [
            item.name
            for item, left, right in zip(items[texts:], other.days, one.days, strict=True)
            if left and left == right
        ]
        yield Likely(
            original=other.uid, duplicate=one.uid, name=one.name, same=", ".join(same),
            original_unit=names.unit(other.unit), duplicate_unit=names.unit(one.unit),
        )  # fmt: skip


async def mark(s: Session, original: str, duplicate: str) -> Plan:
    """The plan of marking two entities as possibly the same, for `duplicates` and `merge`.

    Raises `UsageError`, `NotFound`, `Forbidden`, and `Refused` for a pair that is marked already.
    """
    for uid in (original, duplicate):
        if not is_uid(uid):
            raise UsageError(f"'{uid}' is no UID", hint="dhis2 data tracker list PROGRAM  shows UIDs")
    if original == duplicate:
        raise UsageError("nobody is a duplicate of themselves", hint="two different UIDs")
    types = [
        str((await reading.find(s, uid, kinds=("trackedEntities",)))[1].get("trackedEntityType"))
        for uid in (original, duplicate)
    ]
    if types[0] != types[1]:
        raise UsageError(f"{original} and {duplicate} are of two types", hint=f"dhis2 data tracker get {duplicate}")
    if (known := await _marked(s, original, duplicate)) is not None:
        raise Refused(
            f"{original} and {duplicate} are marked already: {known.id}, {known.status.lower()}",
            hint=f"dhis2 data tracker merge {known.id} --dry-run",
        )

    async def look(session: Session) -> None:
        if await _marked(session, original, duplicate) is None:
            raise Refused("the server said yes, and has no such pair", hint="dhis2 data tracker duplicates")

    request = Request("POST", "potentialDuplicates", {"original": original, "duplicate": duplicate}, then=look)
    step = PlanStep("create", "potentialDuplicates", None, None, f"{duplicate} is possibly {original}")
    notes = ["a server keeps every pair: it cannot be taken back, only be called invalid"]
    return Plan(
        f"mark {duplicate} as a possible duplicate of {original}", [step], notes=notes,
        writer=ByRequest("potentialDuplicates", [request]),
    )  # fmt: skip


async def _marked(s: Session, original: str, duplicate: str) -> linking.Duplicate | None:
    pairs = await linking.duplicates(s, [original], "ALL")
    return next((pair for pair in pairs if {pair.original, pair.duplicate} == {original, duplicate}), None)
