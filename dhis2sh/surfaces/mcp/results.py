"""Results as agents read them: within a room, and never without saying that something was left out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows, to_json, to_plain
from dhis2sh.surfaces import commands

if TYPE_CHECKING:
    from dhis2sh.changes.plan import PlanStep
    from dhis2sh.errors import PartlyDone
    from dhis2sh.rows.rows import PageNote
    from dhis2sh.rows.stream import Stream
    from dhis2sh.types import JsonObject, JsonValue, Row
    from dhis2sh.verbs.declaration import Verb

MOST_ROWS = 200
ROOM, PAGE_ROOM = 32_000, 12_000
"""Bytes of JSON that one record may have, which is refused beyond it, and all rows of one answer: the rest is for the next call."""
PLAN_ROOM, REPORT_ROOM = 3_400, 800
"""Bytes for the steps of a plan that are shown at once, and for what they come to: with all around them 1,500 tokens."""
MOST_COUNTS, MOST_NOTES, MOST_UIDS, MOST_FAILURES = 12, 5, 50, 20
MOST_NOTES_ALONE, MOST_COMMANDS = 24, 3
"""Notes of an answer that has no steps beside them; commands of a text that is cut which are kept all the same."""
WIDEST = 200
"""Bytes of what one step changes, of a title, of a note."""


NARROWING: Mapping[str, str] = {
    "fields": "fewer", "types": "fewer", "objects": "fewer", "dimensions": "fewer items", "data_set": "fewer", "data_element": "fewer",
    "filter": "one that leaves less", "period": "a shorter one", "org_unit": "fewer or smaller ones", "level": "a higher one",
    "limit": "a smaller one", "top": "a smaller one", "summary": "true",
}  # fmt: skip
"""What makes an answer smaller: by parameter, how it is given."""


def narrower(verb: Verb) -> str:
    """How a verb is asked for less: by those of its own parameters that make its answer smaller, or out into a file."""
    taken = [param for param in verb.params if param.for_agents]
    ways = [
        f"{param.name}: {NARROWING[param.name]}"
        for param in taken
        if param.name in NARROWING and (param.option or param.name == "dimensions")
    ]
    ways += [f"{param.name}: a file in the export folder" for param in taken if param.file == "writes"]
    return "; ".join(ways) or "a person has all of it at a prompt"


async def of_stream(stream: Stream[object], skip: int, less: str) -> JsonObject:
    """The first rows of a stream behind those that are skipped; where there are more, nobody has counted them.

    Parameters:
        less: how less is asked for, for the error where not one row has room.
    """
    taken: list[Row] = []
    passed = 0
    async with aclosing(stream.plain_batches()) as batches:
        async for batch in batches:
            taken += batch[max(0, skip - passed) :]
            passed += len(batch)
            if len(taken) > MOST_ROWS:
                break
    fitting = _fitting(taken[:MOST_ROWS], less)
    more = len(taken) > len(fitting)
    return {"result": [*fitting], "truncated": more, "total": None if more else passed}


def of_verb(result: object, skip: int = 0, less: str = "a filter") -> JsonObject:
    """What a reading verb gave: rows with how many there are in all, or a record.

    Parameters:
        less: how less is asked for, for the error.

    Raises `UsageError` for a record that is too large to be read.
    """
    if isinstance(result, Rows):
        return _of_rows(cast("Rows[Any]", result), skip, less)
    value = commands.carried_in(to_json(result)) if commands.worded(result) else to_json(result)
    size = len(_text(value).encode())
    if size > ROOM:
        raise UsageError(f"the result has {size:,} bytes, too much for one answer", hint=less)
    return {"result": value}


def _of_rows(rows: Rows[Any], skip: int, less: str) -> JsonObject:
    plain = rows.plain()
    fitting = _fitting(plain[skip : skip + MOST_ROWS], less)
    page: PageNote | None = rows.page
    total = page.total if page is not None else len(plain)  # None: nobody has counted, so nobody says that it is all
    more = total is None or total > len(plain) or skip + len(fitting) < len(plain)
    return {"result": [*fitting], "truncated": more, "total": total}


def _fitting(rows: Sequence[Row], less: str) -> list[Row]:
    """The first rows that fit into the room; one alone may be larger. Raises `UsageError` where not even that fits."""
    room = PAGE_ROOM
    fitting: list[Row] = []
    for row in rows:
        size = len(_text(row).encode())
        if size > ROOM and not fitting:
            raise UsageError(f"one row has {size:,} bytes, too much for one answer", hint=less)
        room -= size
        if room < 0 and fitting:
            break
        fitting.append(row)
    return fitting


def of_plan(plan: Plan, *, skip: int = 0, plan_id: str | None = None, apply: str | None = None) -> JsonObject:
    """A plan that was not applied: how many steps there are of which kind, and in words as many as there is room for.

    Parameters:
        skip: so many steps are left out.
        plan_id: by which it is applied; None where it cannot be.
        apply: what applies it, in words.
    """
    shown: JsonObject = {"plan": _cut(plan.title), "applied": False, "verb": plan.verb}
    if plan_id is not None:
        shown |= {"plan_id": plan_id, "apply": apply}
    if not plan.steps:
        shown["apply"] = "there is nothing to change"
    if plan.blocked is not None:
        shown["blocked"] = _cut(str(plan.blocked))
        shown |= {"try": plan.blocked.hint} if plan.blocked.hint else {}
    if plan.report is not None and not skip:
        lines = (" ".join(line.split()) for line in plan.report.line().split("\n"))
        shown["report"] = _cut("\n".join(lines), REPORT_ROOM)
    counts = sorted(plan.counts.items(), key=lambda item: -item[1])
    shown["counts"] = {f"{action} {kind}": count for (action, kind), count in counts[:MOST_COUNTS]}
    if len(counts) > MOST_COUNTS:
        shown["counts"]["others"] = sum(count for _, count in counts[MOST_COUNTS:])
    steps = _steps(plan, skip)
    shown["steps"] = [*steps]
    if plan.left_out and not skip:
        shown["left_out"] = [*plan.left_out[:MOST_FAILURES]]
        if len(plan.left_out) > MOST_FAILURES:
            shown["more_left_out"] = len(plan.left_out) - MOST_FAILURES
    if notes := _notes(plan, skip, plan_id):
        shown["notes"] = [*notes]
    left = len(plan.steps) - skip - len(steps)
    if left > 0:
        how = f": the same call with plan_id and skip={skip + len(steps)}" if plan_id is not None else ""
        shown["more"] = f"{left:,} more steps{how}"
    return {"result": shown, "truncated": left > 0, "total": len(plan.steps)}


def _notes(plan: Plan, skip: int, plan_id: str | None) -> list[str]:
    """The first notes of a plan; behind its last step those that had no room before."""
    if skip and skip < len(plan.steps):
        return []
    first = MOST_NOTES if skip else 0
    notes = plan.notes[first:][: MOST_NOTES_ALONE if skip or not plan.steps else MOST_NOTES]
    unsaid = len(plan.notes) - first - len(notes)
    how = f": the same call with plan_id and skip={len(plan.steps)}" if plan_id is not None and not skip else ""
    room = max(WIDEST, WIDEST * MOST_NOTES // max(1, len(notes)))  # few notes may be long: what is left out, by name
    return [*(_cut(note, room) for note in notes), *([f"... and {unsaid:,} more notes{how}"] if unsaid > 0 else [])]


def _steps(plan: Plan, skip: int) -> list[JsonObject]:
    """Steps in words, the first of them in any case."""
    steps: list[JsonObject] = []
    room = PLAN_ROOM
    for step in plan.steps[skip : skip + MOST_ROWS]:
        told = _step(step, plan)
        room -= len(_text(told).encode())
        if steps and room < 0:
            break
        steps.append(told)
    return steps


def _step(step: PlanStep, plan: Plan) -> JsonObject:
    told: JsonObject = {"action": step.action, "type": step.type, "uid": step.uid}
    told |= {"name": step.name and _cut(step.name), "change": _cut(step.words(plan.names)) or None}
    return {name: value for name, value in told.items() if value is not None}


def of_write(result: object) -> JsonObject:
    """What was written. Of a summary how many, the first UIDs, and what was refused; not the server's whole answer."""
    if not isinstance(result, WriteSummary):
        return {"result": {"applied": True, "result": of_verb(result)["result"]}}
    counts = {name: getattr(result, name) for name in ("created", "updated", "deleted", "ignored", "sent")}
    shown: JsonObject = {
        "applied": True,
        "what": result.what,
        **{name: count for name, count in counts.items() if count},
    }
    if not any(counts.values()):
        shown["nothing"] = "changed"
    shown["uids"] = [*result.uids[:MOST_UIDS]]
    if len(result.uids) > MOST_UIDS:
        shown["more_uids"] = len(result.uids) - MOST_UIDS
    shown |= {"types": to_plain(result.types)} if result.types else {}
    for word, rows in (("refused", result.failures), ("not_as_before", result.left), ("left_out", result.left_out)):
        shown |= {word: [*rows[:MOST_FAILURES]]} if rows else {}
        if len(rows) > MOST_FAILURES:
            shown[f"more_{word}"] = len(rows) - MOST_FAILURES
    shown |= {"note": _cut(result.note)} if result.note else {}
    if result.report is not None and (told := result.report.afterwards()):
        shown["report"] = _cut(told, REPORT_ROOM)
    return {"result": shown}


def of_partly(error: PartlyDone) -> JsonObject:
    """What was written all the same when a write ended half-way, what was refused and why, and what comes next."""
    summary = error.summary
    told = of_write(summary)["result"] if isinstance(summary, WriteSummary) else {"summary": of_verb(summary)["result"]}
    return {**cast("JsonObject", told), "applied": "partly", "why": _cut(str(error), REPORT_ROOM), "next": error.hint}


def of_findings(findings: object) -> JsonValue:
    """What a check has found, as far as it fits; None where there is nothing to show."""
    if isinstance(findings, Rows):
        return [*_fitting(list(itertools.islice(cast("Rows[Any]", findings).plain(), MOST_ROWS)), "a filter")]
    value = to_json(findings)
    return value if len(_text(value)) <= ROOM else None


def _cut(text: str, most: int = WIDEST) -> str:
    """The beginning of a text. What to type next is never cut: a command that stands further behind follows whole."""
    kept = text.encode()[:most].decode(errors="ignore")
    if kept == text:
        return text
    lost = [command for command in commands.written_in(text) if command not in kept][:MOST_COMMANDS]
    tries = f"; try: {'; '.join(lost)}" if lost else ""
    return f"{kept}... ({len(text) - len(kept):,} characters more{tries})"


def _text(value: JsonValue | Row) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
