"""Expressions as people write them: names become UIDs, the server judges, and what it does not say is found out here.

    #{BCG doses given} / #{BCG doses given.Fixed, <1y}      data element, and its category option combination
    #{Birth.MCH Weight (g)}, A{Gender}, C{Days in a year}   stage and element of a program, attribute, constant

`create` and `update` of every type with expressions come through `prepared`, so a name works in a sheet too.

API source: `POST /api/{type}/expression/description` and its kin, one for each kind of expression.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from dhis2sh.dhis2.languages import LANGUAGES, PREFIXES
from dhis2sh.dhis2.properties import EXPRESSIONS, Expression
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import CheckFailed, NotFound, UsageError, did_you_mean
from dhis2sh.verbs import names
from dhis2sh.words import kebab

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param, Params
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

MOST_TOLD = 4
AT_ONCE = 8
"""Expressions that the server is asked about at the same time."""
LONGEST_WORDS, LONGEST_SHORT_NAME = 255, 50
WRITTEN_AS = {
    "dataElements": "#", "constants": "C", "organisationUnitGroups": "OUG", "programIndicators": "I", "indicators": "N",
    "trackedEntityAttributes": "A", "dataSets": "R",
}  # fmt: skip
_REFERENCE = re.compile(r"(OUG|PS_EVENTDATE|[#ACDINR])\{([^{}]*)\}")
_UIDS = re.compile(r"(?:[A-Za-z]+:)?[A-Za-z][A-Za-z0-9]{10}(?:&[A-Za-z][A-Za-z0-9]{10})*|\*")


PLACES: Mapping[str, tuple[Expression, ...]] = {
    plural: found
    for plural, places in EXPRESSIONS.items()
    if (found := tuple(place for place in places if place.address and not place.of_program))
}
"""The expressions that a server can be asked about with nothing beside them, the main one of each type first."""


class Verdict(BaseModel):
    """What a server says of an expression."""

    expression: str
    valid: bool
    message: str
    description: str | None = None

    def line(self) -> str:
        """The verdict in words, and the expression as the server takes it."""
        said = f"{self.message}: {self.description}" if self.description else self.message
        return f"{said}  [{self.expression}]" if self.description != self.expression else said


def value_at(body: Mapping[str, JsonValue], path: str) -> str | None:
    """The text at a path of an object; None where there is none."""
    value: JsonValue = dict(body)
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value.strip() else None


def _put(body: JsonObject, path: str, text: str) -> None:
    """Set the text at a path, in copies of what holds it, so that the object before stays as it was."""
    first, _, rest = path.partition(".")
    if rest:
        inner = body.get(first)
        body[first] = dict(inner) if isinstance(inner, dict) else {}
        _put(cast("JsonObject", body[first]), rest, text)
    else:
        body[first] = text


# What the server says ---------------------------------------------------------------------------------------------------


async def asked(s: Session, address: str, expression: str, params: Params | None = None) -> Verdict:
    """What the server says of an expression with UIDs. Raises what a request raises."""
    body = await s.client.post(address, expression.encode(), params, content_type="text/plain", idempotent=True)
    answer = cast("JsonObject", body if isinstance(body, dict) else {})
    return Verdict(
        expression=expression, valid=answer.get("status") == "OK", message=str(answer.get("message") or answer.get("status")),
        description=cast("str | None", answer.get("description")),
    )  # fmt: skip


async def judged(
    s: Session, plural: str, address: str, text: str, *, program: str | None = None, params: Params | None = None
) -> Verdict:
    """The verdict on an expression, which may hold names.

    Parameters:
        plural: the type whose expressions it is one of.
        address: where the server explains it.
        program: the program to whose stages its names belong.

    Raises `CheckFailed` for one that is wrong: the server's words, and what exactly is wrong; `NotFound` and `UsageError`
    for names as `with_uids`.
    """
    if not text.strip():
        raise UsageError("the expression is empty", hint=_how(plural))
    expression = (await with_uids(s, plural, [text], program))[text]
    found = await asked(s, address, expression, params)
    if not found.valid:
        said, hint = await reason(s, plural, found)
        raise CheckFailed(f"'{text}': {found.message}{f': {said}' if said else ''}", findings=found, hint=hint)
    return found


async def reason(s: Session, plural: str, found: Verdict) -> tuple[str | None, str]:
    """What is wrong with an expression, by the server's description or else by looking, and what to try."""
    said = found.description or next(LANGUAGES[plural].mistakes(found.expression), None)
    if said:
        return said, _how(plural)
    unknown = await _unknown(s, plural, found.expression)
    return unknown or (None, _how(plural))


def _how(plural: str) -> str:
    if plural == "programRules":
        return "dhis2 metadata program-rules vars-for PROGRAM lists what a rule may read"
    if plural == "programIndicators":
        return "#{stage.data element}, A{attribute}, C{constant}, V{event_count}: UIDs, codes or names"
    return (
        "#{data element}, #{data element.option combination}, C{constant}, I{program indicator}: UIDs, codes or names"
    )


async def _unknown(s: Session, plural: str, expression: str) -> tuple[str, str] | None:
    """The first UID of an expression that no object of the wanted type has, and what it is in truth."""
    wanted: dict[str, list[str]] = {}
    for kind, inside in _REFERENCE.findall(expression):
        for target, part in zip(LANGUAGES[plural].items.get(kind, ()), inside.split("."), strict=False):
            prefix, _, uids = part.rpartition(":")
            wanted.setdefault(PREFIXES.get(prefix, target), []).extend(uid for uid in uids.split("&") if is_uid(uid))
    for target, uids in wanted.items():
        there = await names.by_key(s, target, "id", list(dict.fromkeys(uids)))
        for uid in uids:
            if uid not in there:
                return await _in_truth(s, target, uid)
    return None


async def _in_truth(s: Session, target: str, uid: str) -> tuple[str, str]:
    body = await s.client.get_object("metadata", {"filter": f"id:eq:{uid}", "fields": "id,name,displayName"})
    for plural, rows in body.items():
        for row in cast("list[JsonObject]", rows if isinstance(rows, list) else []):
            name = row.get("displayName") or row.get("name")
            sign = WRITTEN_AS.get(plural)
            hint = f"write {sign}{{{uid}}}" if sign else f"dhis2 metadata {kebab(target)} list"
            return f"{uid} is '{name}' of {plural}, not of {target}", hint
    return f"there is no {uid} among the {target}", f"dhis2 metadata {kebab(target)} list"


# Names into UIDs --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A reference that is being read: what is known already, and the text that is left."""

    kind: str
    whole: str
    targets: tuple[str, ...]
    rest: str
    done: list[str] = field(default_factory=list[str])

    @property
    def target(self) -> str:
        return self.targets[len(self.done)]

    def cuts(self) -> list[tuple[str, str]]:
        """Where the next name may end: a name may hold dots itself, so the longest comes first."""
        last = len(self.done) + 1 == len(self.targets)
        if last and self.kind != "R":
            return [(self.rest, "")]
        at = [number for number, sign in enumerate(self.rest[:-1]) if sign == "." and number > 0]
        return [(self.rest, ""), *((self.rest[:number], self.rest[number + 1 :]) for number in reversed(at))]

    def take(self, uid: str, rest: str) -> None:
        self.done.append(uid)
        self.rest = rest

    @property
    def open(self) -> bool:
        return bool(self.rest) and len(self.done) < len(self.targets)

    def written(self) -> str:
        return f"{self.kind}{{{'.'.join([*self.done, *([self.rest] if self.rest else [])])}}}"


async def with_uids(s: Session, plural: str, texts: Iterable[str], program: str | None = None) -> dict[str, str]:
    """Expressions with the UIDs of what they name, by the text as it was; those with UIDs cost no request.

    Parameters:
        plural: the type that holds the expressions.
        program: the program to whose stages the names of program indicators belong.

    Raises `NotFound` that names the nearest, and `UsageError` that lists the candidates of an ambiguous name.
    """
    wanted = list(dict.fromkeys(texts))
    found = _named_references(plural, wanted)
    if plural == "programIndicators":
        await _in_stages(s, [item for item in found.values() if item.kind == "#"], program)
    while pending := [item for item in found.values() if item.open]:
        for target in dict.fromkeys(item.target for item in pending):
            await _next_names(s, target, [item for item in pending if item.open and item.target == target])
    return {text: _REFERENCE.sub(lambda m: found[m[0]].written() if m[0] in found else m[0], text) for text in wanted}


def _named_references(plural: str, texts: Iterable[str]) -> dict[str, _Open]:
    """The references in some expressions that hold names, by their text."""
    items = LANGUAGES[plural].items
    found: dict[str, _Open] = {}
    for text in texts:
        for match in _REFERENCE.finditer(text):
            targets = items.get(match[1], ())
            if targets and not _certain(match[1], match[2]):
                found[match[0]] = _Open(match[1], match[2].strip(), targets, match[2].strip())
    return found


async def _next_names(s: Session, target: str, items: Sequence[_Open]) -> None:
    """Read the next name of some references, all of one type."""
    if target == "categoryOptionCombos":
        await _combos(s, [item for item in items if len(item.done) == 1])
        items = [item for item in items if item.open and len(item.done) > 1]  # the attribute's combination
    if items:
        await _one_type(s, target, items)


def _certain(kind: str, inside: str) -> bool:
    """Are the parts UIDs and nothing else? The metric of a reporting rate is a word of its own."""
    parts = inside.split(".")
    if kind == "R":
        parts = parts[:1]
    return all(_UIDS.fullmatch(part) and (not is_uid(part) or names.certain(part)) for part in parts)


async def _one_type(s: Session, target: str, items: Sequence[_Open]) -> None:
    """Read the next name of some references, all of one type, with few requests for all of them."""
    for item in items:
        head, _, rest = item.rest.partition(".")
        if _UIDS.fullmatch(head) and (not is_uid(head) or names.certain(head)):
            item.take(head, rest)
    items = [item for item in items if item.open and item.target == target]
    hits = await _hits(s, target, list(dict.fromkeys(text for item in items for text, _ in item.cuts() if text)))
    for item in items:
        cuts = item.cuts()
        text, rest = next(((text, rest) for text, rest in cuts if text in hits), cuts[min(1, len(cuts) - 1)])
        if len(hits.get(text, [])) == 1:
            item.take(str(hits[text][0]["id"]), rest)
        else:  # it says which they are, or which come near
            item.take(await names.resolve(s, target, text), rest)


async def _hits(s: Session, target: str, texts: Sequence[str]) -> dict[str, list[JsonObject]]:
    """The objects of a type by each text that one of them has as its UID, code or name."""
    hits: dict[str, list[JsonObject]] = {}
    keys = ("id", *names.keys_of(target)) if any(is_uid(text) for text in texts) else names.keys_of(target)
    for key in keys:
        left = [text for text in texts if text not in hits and (key != "id" or is_uid(text))]
        hits |= await names.by_key(s, target, key, left) if left else {}
    return hits


async def _combos(s: Session, items: Sequence[_Open]) -> None:
    """Read names of option combinations: among those of the data element, since others may be called the same."""
    inner = "categoryOptionCombos[id,code,name]"
    for item in items:
        fields = f"name,categoryCombo[{inner}],dataSetElements[categoryCombo[{inner}]]"
        body = await s.client.get_object(f"dataElements/{item.done[0]}", {"fields": fields})
        holders = [body, *cast("list[JsonObject]", body.get("dataSetElements") or [])]
        combos = [cast("JsonObject", holder.get("categoryCombo") or {}) for holder in holders]
        rows = [row for combo in combos for row in cast("list[JsonObject]", combo.get("categoryOptionCombos") or [])]
        hit = next(
            (hit for text, rest in [(item.rest, ""), *item.cuts()] if (hit := _named(rows, text, rest)) is not None),
            None,
        )
        if hit is None:
            known = list(dict.fromkeys(str(row["name"]) for row in rows))
            near = did_you_mean(item.rest, known) or f"one of: {'; '.join(known[:8])}"
            raise NotFound(
                f"'{body.get('name')}' is not collected by '{item.rest}' of {item.kind}{{{item.whole}}}", hint=near
            )
        item.take(*hit)


def _named(rows: Sequence[JsonObject], text: str, rest: str) -> tuple[str, str] | None:
    """The one of some objects that has this UID, code or name, with the text that is left."""
    if text == "*":
        return "*", rest
    found = next((row for row in rows if text in (row.get("id"), row.get("code"), row.get("name"))), None)
    return (str(found["id"]), rest) if found is not None else None


async def _in_stages(s: Session, items: Sequence[_Open], program: str | None) -> None:
    """Read `stage.element` and `element` among the stages of a program, or of all programs."""
    if not items:
        return
    params: dict[str, Param] = {
        "fields": "id,name,code,program[name],programStageDataElements[dataElement[id,code,name]]", "paging": False,
        **({"filter": f"program.id:eq:{program}"} if program else {}),
    }  # fmt: skip
    stages = (await s.client.list_page("programStages", params)).rows
    for item in items:
        hits = list(dict.fromkeys(_stage_hits(stages, item)))
        if len(hits) > 1:
            known = {str(stage["id"]): stage for stage in stages}
            where = ", ".join(f"#{{{known[stage]['name']}.{item.rest}}} [{stage}]" for stage, _ in hits)
            raise UsageError(f"#{{{item.whole}}} is in several stages", hint=where)
        if not hits:
            elements = {str(element["name"]) for stage in stages for element in _elements(stage)}
            known = [*elements, *(f"{stage['name']}.{one['name']}" for stage in stages for one in _elements(stage))]
            raise NotFound(
                f"no stage{' of the program' if program else ''} has what #{{{item.whole}}} names",
                hint=did_you_mean(item.whole, known) or "#{stage.data element}",
            )
        for uid in hits[0]:
            item.take(uid, "")


def _elements(stage: Row) -> list[JsonObject]:
    held = cast("list[JsonObject]", stage.get("programStageDataElements") or [])
    return [cast("JsonObject", row["dataElement"]) for row in held if row.get("dataElement")]


def _stage_hits(stages: Sequence[Row], item: _Open) -> Iterator[tuple[str, str]]:
    for stage in stages:
        elements = _elements(stage)
        if (alone := _named(elements, item.rest, "")) is not None:
            yield str(stage["id"]), alone[0]
        for head, rest in item.cuts():
            if rest and _named([stage], head, rest) and (one := _named(elements, rest, "")) is not None:
                yield str(stage["id"]), one[0]


# Objects that hold expressions ------------------------------------------------------------------------------------------


def with_defaults(plural: str, item: JsonObject) -> JsonObject:
    """A new object; one with expressions gets a short name, cut from its name, where it has none."""
    if plural not in PLACES or item.get("shortName") or not item.get("name"):
        return item
    return {**item, "shortName": str(item["name"])[:LONGEST_SHORT_NAME].rstrip()}


async def prepared(
    s: Session, plural: str, objects: Sequence[JsonObject], before: Sequence[Mapping[str, JsonValue]] = ()
) -> list[str]:
    """Make the expressions of objects fit to be sent: UIDs for names, asked about, their words where none are given.

    Returns what they mean, for a plan to show; nothing of more than a few.

    Parameters:
        plural: their type; one without expressions costs nothing.
        objects: they are changed in place.
        before: the same objects as they are now; an expression that stays is not asked about.

    Raises `CheckFailed` that names what is wrong with each, and errors of names as `with_uids`.
    """
    changed: list[tuple[JsonObject, Expression, str]] = []
    for number, item in enumerate(objects):
        old: Mapping[str, JsonValue] = before[number] if before else {}
        for place in PLACES.get(plural, ()):
            text = value_at(item, place.path)
            if text is not None and text != value_at(old, place.path):
                changed.append((item, place, text))
    by_program: dict[str | None, list[tuple[JsonObject, Expression, str]]] = {}
    for one in changed:
        by_program.setdefault(_program_of(one[0]), []).append(one)
    gate, notes = asyncio.Semaphore(AT_ONCE), list[str]()
    for program, mine in by_program.items():
        uids = await with_uids(s, plural, (text for _, _, text in mine), program)

        async def ask(place: Expression, text: str, uids: Mapping[str, str] = uids) -> Verdict:
            async with gate:
                return await asked(s, place.address, uids[text])

        questions = list(dict.fromkeys((place, text) for _, place, text in mine))
        verdicts = dict(zip(questions, await asyncio.gather(*(ask(*one) for one in questions)), strict=True))
        await _refuse(s, plural, [(text, found) for (_, text), found in verdicts.items() if not found.valid])
        for item, place, text in mine:
            found = verdicts[place, text]
            _write(item, place, found)
            if found.description and found.description != text:
                notes.append(f"{place.path.removesuffix('.expression')}: {found.description}")
    return ["; ".join(notes)] if 0 < len(notes) <= MOST_TOLD else []


def _program_of(item: Mapping[str, JsonValue]) -> str | None:
    held = item.get("program")
    return str(held["id"]) if isinstance(held, dict) and held.get("id") else None


async def _refuse(s: Session, plural: str, wrong: Sequence[tuple[str, Verdict]]) -> None:
    if not wrong:
        return
    text, first = wrong[0]
    said, hint = await reason(s, plural, first)
    more = f" (and {len(wrong) - 1:,} more expressions)" if len(wrong) > 1 else ""
    raise CheckFailed(f"'{text}': {first.message}{f': {said}' if said else ''}{more}", findings=first, hint=hint)


def _write(item: JsonObject, place: Expression, found: Verdict) -> None:
    """The expression with UIDs, and its words where there are none yet."""
    _put(item, place.path, found.expression)
    if place.words and found.description and value_at(item, place.words) is None:
        _put(item, place.words, found.description[:LONGEST_WORDS])
