"""What has become of writes: objects are read again, before anything is sent, where no answer came, and behind a good one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dhis2sh.changes.plan import PlanStep
from dhis2sh.changes.sending import UNANSWERED, looking_back
from dhis2sh.client import reading
from dhis2sh.dhis2.properties import COUNTED, SET_BY_SERVER
from dhis2sh.errors import BrokenAnswer, Dhis2Error, Refused
from dhis2sh.metadata import removing
from dhis2sh.metadata.comparing import as_written, embeds, same
from dhis2sh.metadata.refused import failure_of
from dhis2sh.metadata.write import OWNED

if TYPE_CHECKING:
    from dhis2sh.metadata.write import Write
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

IGNORED = "the server ignored it and gave no reason"


async def _there(s: Session, plural: str, uids: Sequence[str], *, whole: bool = True) -> list[JsonObject]:
    """Those that are there, with progress for the person who waits."""
    found = await reading.by_uid(
        s.client, plural, uids, fields=OWNED, on_progress=partial(s.person.progress, f"read {plural}"), whole=whole
    )
    return found.rows


async def as_they_are(s: Session, writes: Sequence[Write], *, whole: bool = True) -> dict[tuple[str, str], JsonObject]:
    """The objects of some changes as they are now, by type and UID.

    Parameters:
        whole: very many may be read with all others of their type.
    """
    found: dict[tuple[str, str], JsonObject] = {}
    for plural in dict.fromkeys(write.plural for write in writes):
        uids = [write.uid for write in writes if write.plural == plural]
        rows = await _there(s, plural, uids, whole=whole)
        found |= {(plural, str(row["id"])): row for row in rows}
    return found


async def made_of(s: Session, writes: Mapping[int, Write]) -> dict[int, JsonObject]:
    """What became of what was sent, by number.

    Of what was changed, where it is something else (rows numbered anew); of what is new the whole object, so that an
    undo sees what was added to it later.
    """
    looked_at = {
        number: write for number, write in writes.items() if write.before is None or embeds(write.changed()[1] or {})
    }
    if not looked_at:
        return {}
    try:  # each part asks for its own: the whole type once more for each of them would be far more
        there = await as_they_are(s, [*looked_at.values()], whole=False)
    except Dhis2Error:  # it is written; what became of it somebody else will read
        return {}
    found: dict[int, JsonObject] = {}
    for number, write in looked_at.items():
        now, (before, after) = there.get((write.plural, write.uid), {}), write.changed()
        names = [name for name in {**(before or {}), **(after or {})} if name not in SET_BY_SERVER]
        new = write.before is None
        if now and (new or any(not same(now.get(name), (after or {}).get(name)) for name in names)):
            kept = now if new else {name: now.get(name) for name in names}
            found[number] = {name: value for name, value in kept.items() if name != "access"}
    return found


async def left_over(s: Session, writes: Sequence[Write], refused: Sequence[Row]) -> list[Row]:
    """What is still there although the server did not refuse to delete it, and does not go any other way: a row each."""
    if any(row.get("uid") is None for row in refused):
        return []
    named = {str(row["uid"]) for row in refused}
    uids = [write.uid for write in writes if write.uid not in named]
    there = await removing.still_there(s, writes[0].plural, uids)
    left: list[Row] = []
    for write in writes:
        if write.uid in there:
            try:
                await removing.delete_otherwise(s, write.plural, write.uid)
            except Refused as error:
                left.append(failure_of(write, error))
    return left


async def moved(s: Session, writes: Sequence[Write], *, whole: bool) -> list[tuple[Write, str]]:
    """The changes whose objects are no longer as they were read, and how they differ.

    They are read again whole: not everything that is done to an object (its sharing, its members) changes `lastUpdated`.

    Parameters:
        whole: any difference counts, since the objects are sent whole; else those in what a change touches.
    """
    found: list[tuple[Write, str]] = []
    held = [(write, write.before) for write in writes if write.before is not None]
    for plural in dict.fromkeys(write.plural for write, _ in held):
        mine = [(write, before) for write, before in held if write.plural == plural]
        rows = await _there(s, plural, [write.uid for write, _ in mine])
        there = {str(row["id"]): row for row in rows}
        for write, before in mine:
            now = there.get(write.uid)
            if now is None:
                found.append((write, "is gone since the plan was made"))
            elif names := _read_again(write, before, now, whole=whole):
                old, new = ({name: item[name] for name in names if name in item} for item in (before, now))
                told = PlanStep("update", plural, before=old, after=new).words()
                found.append((write, f"has changed since the plan was made: {told}"))
    return found


def _read_again(write: Write, before: JsonObject, now: JsonObject, *, whole: bool) -> list[str]:
    """The properties that count and are no longer as they were read."""
    if write.after is not None and not whole:
        names = {name: None for values in write.changed() for name in values or {}}
    else:
        names = dict.fromkeys([*before, *now])
    return [name for name in names if name not in SET_BY_SERVER and not same(now.get(name), before.get(name))]


async def really_refused(s: Session, writes: Mapping[int, Write], failures: Sequence[Row]) -> dict[int, str]:
    """Why which changes were refused. Of what is not atomic a server writes objects with faults too, without the reference."""
    with looking_back():
        there, refused = await as_they_are(s, [*writes.values()]), dict[int, str]()
    for row in failures:
        for number, write in ((number, write) for number, write in writes.items() if write.uid == row.get("uid")):
            now, before = there.get((write.plural, write.uid)), write.changed()[0] or {}
            if (
                now is None
                or row.get("code") == "E5000"
                or (write.before and all(same(now.get(name), was) for name, was in before.items()))
            ):
                refused[number] = str(row["message"])
            else:
                row["message"] = f"written all the same, without what is at fault: {row['message']}"
    return refused


async def ignored(s: Session, what: str, writes: Sequence[Write], count: int) -> list[Row]:
    """The objects that a server ignored without a word, a row each; one row for all of them where it does not show them."""
    try:
        there = await written(s, writes)
    except Dhis2Error:
        return [{"type": what, "message": f"the server ignored {count:,} and gave no reason"}]
    missing = [write for write in writes if (write.plural, write.uid) not in there]
    return [{"type": write.plural, "uid": write.uid, "name": write.name, "message": IGNORED} for write in missing]


async def written(s: Session, writes: Sequence[Write]) -> set[tuple[str, str]]:
    """The types and UIDs of those changes that the server has carried out, found out by reading the objects."""
    found: set[tuple[str, str]] = set()
    for plural in dict.fromkeys(write.plural for write in writes):
        mine = [write for write in writes if write.plural == plural]
        rows = await _there(s, plural, [write.uid for write in mine])
        now = {str(row["id"]): row for row in rows}
        found |= {(plural, write.uid) for write in mine if _is_done(write, now.get(write.uid))}
    return found


def _is_done(write: Write, now: JsonObject | None) -> bool:
    if write.action != "update" or now is None:
        return (now is None) == (write.action == "delete")
    before, after = write.changed()
    names = {**(before or {}), **(after or {})}.keys() - COUNTED.get(write.plural, frozenset())
    return all(_is_written(now.get(name), (before or {}).get(name), (after or {}).get(name)) for name in names)


def _is_written(now: JsonValue, before: JsonValue, after: JsonValue) -> bool:
    """Is a value what was sent, and not what was there before, which may hold all of it, too?"""
    return same(now, after) or (as_written(None, now, after) and not same(now, before))


async def believed(s: Session, write: Write, answer: JsonValue) -> JsonValue:
    """The answer to a write, where it says what was done, or what it says nothing of can be read. Raises `BrokenAnswer`."""
    if not isinstance(answer, dict):
        with looking_back():
            if not await written(s, [write]):
                raise BrokenAnswer(f"{write.called}: the answer says nothing, and it is not there", hint=UNANSWERED)
    return answer
