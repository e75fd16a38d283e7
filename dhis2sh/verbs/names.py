"""Names everywhere: wherever a UID is expected, a code or a unique name works too.

`verbs.run` resolves every parameter that is marked with `Refers` before the verb sees it; services that read names from
files use `resolve` themselves. A text that has the form of a UID is taken as one and costs no request, unless it could
be a word or a code as well ("Vaccination" has eleven letters): then the server is asked which it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.client.limits import gather_bounded
from dhis2sh.client.schema import resource_of, types_of
from dhis2sh.dhis2.references import HELD_BY, objects_in
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Forbidden, NotFound, Refused, UsageError, did_you_mean
from dhis2sh.rows.rows import Rows
from dhis2sh.words import folded, joined, listed, of_its_own, visible

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.client.requests import Param as Query
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row
    from dhis2sh.verbs.declaration import Param, Verb

TYPE = "$type"
"""Under this a row of several types says which it is of."""
FEW = 5
CANDIDATES = 10
"""Objects of one name that an error names."""
MOST_WORDS = 6
"""Words of a text whose parts are looked for as names."""
MOST_PARTS = 12
"""Pieces of a name that are looked for where nothing has the whole of it."""
TOLD = 100
"""Objects of one type whose names are looked up for somebody to read: an address stays short, and so does a plan."""
CONVERSATIONS = "messageConversations"
NAMED_BY_OTHERS = {"users": ("username",), "options": ("code", "name"), CONVERSATIONS: ("subject",)}
"""What names an object of a type besides its UID; code and name for the rest."""
_WORD_OR_CODE = re.compile(r"[A-Za-z][a-z]{10}|[A-Z][A-Z0-9]{10}")


def certain(text: str) -> bool:
    """Is the text a UID and nothing else? One without a digit may be a name (`diastolicBP`): it is looked up."""
    return is_uid(text) and any(mark.isdigit() for mark in text) and not _WORD_OR_CODE.fullmatch(text)


def keys_of(plural: str) -> tuple[str, ...]:
    """The properties that may name an object of a type, in the order in which they are tried."""
    return NAMED_BY_OTHERS.get(plural, ("code", "name"))


MOST_MISSING = 10
"""So many unknown names are told, with what comes nearest."""


async def resolve(s: Session, plural: str, text: str) -> str:
    """The UID of one object.

    Parameters:
        plural: its type, such as `organisationUnits`, or `*` for any.
        text: a UID, a code or a unique name.

    Raises `UsageError` that lists the candidates of an ambiguous name with their UIDs, and `NotFound` that names the
    nearest.
    """
    return (await resolve_all(s, plural, [text]))[text]


async def resolve_all(
    s: Session, plural: str, texts: Iterable[str], *, there: bool = False, places: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The UIDs of many objects of one type, with a few requests for all of them; errors as `resolve`, of all that are unknown.

    Parameters:
        s, plural: as of `resolve`.
        texts: what names them.
        there: ask for what is a UID and nothing else too: nobody reads these objects before they are referred to.
        places: where each text stands (`row 3`), for the error.
    """
    texts = list(dict.fromkeys(texts))
    if plural == "*":
        sure = {text: text for text in texts if certain(text) and not there}
        open_ = [text for text in texts if text not in sure]
        return sure | {text: there.uid for text, there in (await among(s, (), open_)).items()}
    found, wrong = await resolve_each(s, plural, texts, there=there, most=MOST_MISSING)
    if several := next((error for error in wrong.values() if not isinstance(error, NotFound)), None):
        raise several
    if missing := {text: error for text, error in wrong.items() if isinstance(error, NotFound)}:
        told = dict([*missing.items()][:MOST_MISSING])
        raise _unknown(plural, told, places or {}, len(missing) - len(told))
    return found


async def resolve_each(
    s: Session, plural: str, texts: Iterable[str], *, there: bool = False, most: int
) -> tuple[dict[str, str], dict[str, NotFound | UsageError]]:
    """The UIDs of many objects of one type, and why the others have none, each with what comes nearest.

    Parameters:
        s, plural, texts, there: as of `resolve_all`.
        most: for so many at most that nothing is called exactly it is looked what comes near.
    """
    texts = list(dict.fromkeys(texts))
    found = {text: text for text in texts if certain(text) and not there}
    open_ = [text for text in texts if text not in found]
    wrong: dict[str, NotFound | UsageError] = {}
    keys = ("id", *keys_of(plural)) if any(is_uid(text) for text in open_) else keys_of(plural)
    for key in keys:
        if not open_:
            break
        hits = await by_key(s, plural, key, [text for text in open_ if key != "id" or is_uid(text)])
        for text, rows in hits.items():
            if len(rows) > 1:
                wrong[text] = await ambiguous(s, plural, text, rows)
            else:
                found[text] = str(rows[0]["id"])
        open_ = [text for text in open_ if text not in found and text not in wrong]
    for text in open_:
        if sum(isinstance(error, NotFound) for error in wrong.values()) >= most:
            wrong[text] = NotFound(
                f"none of the {plural} has the UID, code or name '{text}'", hint=f"dhis2 metadata list {plural}"
            )
            continue
        try:
            found[text] = str((await _alike(s, (plural,), text))["id"])
        except (NotFound, UsageError) as error:
            wrong[text] = error
    return found, wrong


async def must_be_there(s: Session, wanted: Mapping[str, Sequence[str]]) -> None:
    """Raise `NotFound` for a UID that nothing has, where the server would answer a read of its values with none.

    Parameters:
        wanted: UIDs by plural. Nothing is asked of a server that refuses such a read itself.
    """
    if (await s.client.version()).has("unknown_is_none"):
        for plural, uids in wanted.items():
            await resolve_all(s, plural, uids, there=True)


def _unknown(plural: str, missing: Mapping[str, NotFound], places: Mapping[str, str], rest: int) -> NotFound:
    """All that names no object, each with its place and what comes nearest.

    Parameters:
        rest: how many texts more were not looked for, that nothing is called exactly.
    """
    if len(missing) == 1:
        [(text, error)] = missing.items()
        return NotFound(f"{places[text]}: {error.message}", hint=error.hint) if text in places else error
    told: list[str] = []
    for text, error in missing.items():
        near = error.hint if error.hint and error.hint.startswith("did you mean") else None
        aside = ", ".join(part for part in (places.get(text), near) if part)
        told.append(f"'{text}'{f' ({aside})' if aside else ''}")
    more = f", nor exactly {rest:,} more" if rest else ""
    return NotFound(
        f"none of the {plural} has the UID, code or name {', '.join(told)}{more}", hint=f"dhis2 metadata list {plural}"
    )


@dataclass(frozen=True, slots=True)
class Found:
    """An object of one of several types; what of it was asked for is in its row, which one that is only alike does not have."""

    plural: str
    uid: str
    name: str
    row: Row = field(default_factory=lambda: {}, compare=False)


async def among(s: Session, plurals: Sequence[str], texts: Iterable[str], *, fields: str = "") -> dict[str, Found]:
    """Objects of some types by UID, code or unique name, with one request for each of the three, sent at once.

    Parameters:
        plurals: the types that count, so that a name which others have too is not ambiguous; any type where there is none.
        texts: what names the objects.
        fields: what is wanted of them besides.

    Raises `UsageError` that lists the candidates of an ambiguous name, and `NotFound` that names the nearest.
    """
    found: dict[str, Found] = {}
    texts = list(dict.fromkeys(texts))
    unsure = [text for text in texts if not certain(text)]

    async def look(*asked: tuple[str, list[str]]) -> None:
        hits = await asyncio.gather(*(by_key(s, plurals, key, wanted, fields) for key, wanted in asked if wanted))
        for text, rows in (item for hit in hits for item in hit.items() if item[0] not in found):
            kinds = {str(row["id"]): row for row in rows}
            if len(kinds) > 1:
                told = [{**row, "displayName": f"{row[TYPE]} {row.get('displayName')}"} for row in kinds.values()]
                raise await ambiguous(s, joined(plurals) or "all types", text, told)
            found[text] = _found(rows[0], text)

    await look(("id", [text for text in texts if is_uid(text)]), ("code", unsure), ("name", unsure))
    lost = [text for text in texts if text not in found and text not in unsure]
    await look(("code", lost), ("name", lost))
    for text in texts:
        if text not in found:
            found[text] = replace(_found(await _alike(s, plurals, text), text), row={})
    return found


def _found(row: Row, text: str) -> Found:
    return Found(str(row[TYPE]), str(row["id"]), str(row.get("displayName") or text), row)


async def by_key(
    s: Session, plural: str | Sequence[str], key: str, texts: Sequence[str], fields: str = ""
) -> dict[str, list[JsonObject]]:
    """Objects whose `key` is one of the texts, by that text; where there are very many, all objects are read at once.

    Of several types (none means all) each row says under `TYPE` which it is of, and has the fields that are wanted besides.

    The server cuts a value at a comma or bracket: such a text is looked for by its longest piece, and compared here.
    """
    if len(texts) > reading.MANY and isinstance(plural, str):
        return _hits(texts, key, await reading.all_of(s.client, plural, fields=f"id,{key},displayName"))
    plain = [text for text in texts if not set(text) & set(",[]")]
    types = () if isinstance(plural, str) else plural
    filters = list(reading.in_lists(s.client.settings, key, plain, (fields, *types)))
    pieces = [max(re.split(r"[,\[\]]", text), key=len).strip() for text in texts if text not in plain]
    filters += [f"{key}:like:{piece}" for piece in pieces if piece]
    named = ",".join(["id", key, "displayName", *([fields] if fields else [])])
    pages = await asyncio.gather(*(_list(s, plural, named, text) for text in filters))
    return _hits(texts, key, [row for page in pages for row in page])


def _hits(texts: Sequence[str], key: str, rows: Sequence[Row]) -> dict[str, list[JsonObject]]:
    wanted, hits = set(texts), dict[str, "list[JsonObject]"]()
    for row in rows:
        if (text := str(row.get(key))) in wanted:
            hits.setdefault(text, []).append(row)
    return hits


async def _list(s: Session, plural: str | Sequence[str], fields: str, text: str) -> list[Row]:
    params: dict[str, Query] = {"filter": text, "fields": fields}
    if isinstance(plural, str):
        return (await s.client.list_page(plural, {**params, "paging": False})).rows
    body = await s.client.get_object("metadata", {**params, **dict.fromkeys(plural, True)})
    found = ((kind, rows) for kind, rows in body.items() if isinstance(rows, list))
    return [{**row, TYPE: kind} for kind, rows in found for row in cast("list[Row]", rows)]


class Ambiguous(UsageError):
    """A text that names several objects.

    Parameters:
        message, hint: as of `UsageError`.
        uids: of all of them.
    """

    def __init__(self, message: str, *, hint: str, uids: Sequence[str]) -> None:
        super().__init__(message, hint=hint)
        self.uids = uids


async def ambiguous(s: Session, plural: str, text: str, rows: Sequence[JsonObject]) -> Ambiguous:
    """Several objects are called so: each with its UID, what it is a part of, and what differs where they look the same.

    Parameters:
        plural: their type; text: what they are called; rows: they, with `id` and `displayName`.
    """
    uids = [str(row["id"]) for row in rows]
    rows = rows[:CANDIDATES]
    holders = await _holders(s, plural, [str(row["id"]) for row in rows])
    names = [str(row.get("displayName") or row.get("name")) for row in rows]
    apart = len(set(names)) > 1 and len({folded(name) for name in names}) == 1
    told = listed(
        (
            f"{visible(name) if apart else name} [{row['id']}]{holders.get(str(row['id']), '')}"
            for name, row in zip(names, rows, strict=True)
        ),
        CANDIDATES,
    )
    return Ambiguous(f"'{text}' is ambiguous among {plural}: {told}", hint="use a UID", uids=uids)


async def _holders(s: Session, plural: str, uids: Sequence[str]) -> dict[str, str]:
    """What tells some objects of a type apart, as ` in Sierra Leone`; only of types whose names repeat."""
    if plural == CONVERSATIONS:
        found = await reading.by_uid(s.client, plural, uids, fields="id,lastMessage,lastSender[username]")
        return {str(row["id"]): _last_word(row) for row in found.rows}
    key = HELD_BY.get(plural)
    if key is None:
        return {}
    found = await reading.by_uid(s.client, plural, uids, fields=f"id,{key}[displayName]")
    held = {str(row["id"]): row.get(key) for row in found.rows}
    return {uid: f" in {item.get('displayName')}" for uid, item in held.items() if isinstance(item, dict)}


def _last_word(conversation: Row) -> str:
    """When something was last said in a conversation, and by whom, as ` of 2026-11-29 12:04, anna`."""
    sender = conversation.get("lastSender")
    who = f", {sender['username']}" if isinstance(sender, dict) and sender.get("username") else ""
    return f" of {str(conversation.get('lastMessage') or '')[:16].replace('T', ' ')}{who}"


async def _alike(s: Session, plurals: Sequence[str], text: str) -> Row:
    """The one object whose name is the text but for case, accents and blanks.

    Raises `UsageError` where there are several, `NotFound` that names the nearest where there is none.
    """
    close = await near(s, plurals, text)
    wanted = folded(text)
    same = [row for row in close if folded(str(row.get("name") or row.get("displayName"))) == wanted]
    if not same:
        raise await _missing(s, plurals, text, close)
    if len(same) > 1:
        raise await ambiguous(s, joined(plurals) or "all types", text, same)
    return same[0]


async def near(s: Session, plurals: Sequence[str], text: str) -> list[Row]:
    """Objects whose names share three letters in a row with a word of the text, beginnings and ends of words first.

    Parameters:
        plurals: of these types; any where there is none. Each row says under `TYPE` which it is of.
    """
    own = of_its_own(text)
    found = await _sharing(s, plurals, own)
    words = re.findall(r"\w+", text)
    return found or (await _sharing(s, plurals, words) if words != own else [])


async def _sharing(s: Session, plurals: Sequence[str], words: Sequence[str]) -> list[Row]:
    """Objects whose names share three letters in a row with one of some words, the longest of them."""
    words = sorted(words, key=len, reverse=True)[:3]
    ends = [end for word in words for end in (word[:3], word[-3:])]
    inside = [word[at : at + 3] for word in words[:1] for at in range(1, len(word) - 3)]
    parts = list(dict.fromkeys([*ends, *inside]))[:MOST_PARTS]
    if not parts:
        return []
    if not plurals:  # `/api/metadata` takes no `rootJunction`
        pages = await asyncio.gather(*(_list(s, (), "id,name,displayName", f"name:ilike:{part}") for part in parts[:2]))
        return [*{str(row["id"]): row for page in pages for row in page}.values()]
    found = await asyncio.gather(*(s.client.list_page(plural, _with_parts(plural, parts)) for plural in plurals))
    return [{**row, TYPE: plural} for plural, page in zip(plurals, found, strict=True) for row in page.rows]


def _with_parts(plural: str, parts: Sequence[str]) -> dict[str, Query]:
    """The query of objects that have one of some parts in their names; accounts in their usernames too."""
    keys = {"users": ("name", "username"), CONVERSATIONS: ("subject",)}.get(plural, ("name",))
    return {
        "filter": [f"{key}:ilike:{part}" for key in keys for part in parts], "rootJunction": "OR",
        "fields": ",".join(dict.fromkeys(("id", "name", "displayName", *keys))), "pageSize": 200,
    }  # fmt: skip


async def _missing(s: Session, plurals: Sequence[str], text: str, close: Sequence[Row]) -> NotFound:
    """Nothing has that code or name: the error names what comes nearest among those that share a part of a word.

    Where none is near, it names what a part of the text is the whole name of: who says `Bo District` means `Bo`.
    """
    hint = did_you_mean(
        text, [str(row.get(key)) for key in ("displayName", "username") for row in close if row.get(key)]
    )
    if hint is None and (within := await _within(s, plurals, text)):
        hint = f"did you mean {joined(within, 'or')}?"
    if hint is None and len(plurals) == 1:
        hint = await _all_there_are(s, plurals[0])
    if tuple(plurals) == (CONVERSATIONS,):
        return NotFound(
            f"none of your conversations has the UID or subject '{text}'", hint=hint or "dhis2 messaging list"
        )
    kinds = f"none of the {joined(plurals, 'or')} has" if plurals else "nothing has"
    return NotFound(f"{kinds} the UID, code or name '{text}'", hint=hint or f"dhis2 metadata search {text!r}")


async def _within(s: Session, plurals: Sequence[str], text: str) -> list[str]:
    """The names that are the text without its last words, or without its first: the longest of them."""
    words = text.split()
    if not plurals or not 2 <= len(words) <= MOST_WORDS:
        return []
    parts = [" ".join(words[:at]) for at in range(1, len(words))] + [
        " ".join(words[at:]) for at in range(1, len(words))
    ]
    hits = await by_key(s, plurals[0] if len(plurals) == 1 else plurals, "name", list(dict.fromkeys(parts)))
    return sorted(hits, key=lambda name: -len(name))[:2]


async def _all_there_are(s: Session, plural: str) -> str | None:
    """The names of a type that has only a few objects: one of them must be meant."""
    rows = (await s.client.list_page(plural, {"fields": "id,displayName", "pageSize": FEW + 1})).rows
    return f"there are {joined(str(row.get('displayName')) for row in rows)}" if 0 < len(rows) <= FEW else None


async def resolve_arguments(s: Session, verb: Verb, bound: Mapping[str, object]) -> dict[str, object]:
    """A verb's arguments with every code and name in a `Refers` parameter turned into a UID; errors as `resolve`."""
    resolved = dict(bound)
    for param in verb.params:
        value = bound.get(param.name)
        if param.refers is not None and (_empty(value) or (param.required and value == "")):
            raise UsageError(
                f"{param.name} is an empty text, which names no object", hint="is a variable of the line empty?"
            )
        if param.refers is None or value in (None, [], ""):
            continue
        plural = await _plural(s, param.refers, bound, value)
        if plural is None:
            continue
        if isinstance(value, Rows):
            resolved[param.name] = await _resolve_rows(s, plural, cast("Rows[Row]", value))
        elif isinstance(value, list):
            texts = [str(item) for item in cast("list[object]", value)]
            texts = await taken_apart(s, texts) if plural == "organisationUnits" else texts
            uids = await resolve_all(s, plural, texts)
            resolved[param.name] = [uids[text] for text in texts]
        else:
            resolved[param.name] = await _one(s, param, plural, str(value))
    return resolved


SEVERAL = ";"
"""What parts the items of a dimension parts units in an option too."""


async def taken_apart(s: Session, texts: Sequence[str]) -> list[str]:
    """Texts that name units, those that nothing is called as a whole in their parts, as in `ou='Bo;Kenema'`."""
    joint = [text for text in texts if SEVERAL in text]
    if not joint:
        return [*texts]
    whole = await by_key(s, "organisationUnits", "name", joint)
    parts = (text.split(SEVERAL) if text in joint and text not in whole else [text] for text in texts)
    return [part.strip() for some in parts for part in some if part.strip()]


class Holder(str):
    """The UID of an object that was named by something that it holds, and the UID of that.

    Parameters:
        uid: the object's.
        part: what was named; `called`: its name.
    """

    part: str
    called: str

    def __new__(cls, uid: str, part: str, called: str) -> Holder:
        """Made like a text."""
        made = super().__new__(cls, uid)
        made.part, made.called = part, called
        return made


async def _one(s: Session, param: Param, plural: str, text: str) -> str:
    """The object that a text names, or as a `Holder` the one that holds what it names. Raises as `resolve`."""
    try:
        return await resolve(s, plural, text)
    except NotFound as unknown:
        if param.through is None:
            raise
        other, place = param.through
        try:
            uid = await resolve(s, other, text)
        except NotFound:
            raise unknown from None
    query: dict[str, Query] = {"filter": f"{place}:eq:{uid}", "fields": "id,displayName", "pageSize": 20}
    holders = (await s.client.list_page(plural, query)).rows
    if len(holders) != 1:
        told = joined((f"'{row.get('displayName')}'" for row in holders), "and", 5) if holders else "none"
        raise UsageError(f"'{text}' is one of the {other}; {plural} that hold it: {told}", hint="name one of those")
    s.person.note(f"'{text}' is one of the {other} of '{holders[0].get('displayName')}'")
    return Holder(str(holders[0]["id"]), uid, text)


def _empty(value: object) -> bool:
    """Is one of several texts empty, or the `id` that such a text became?"""
    if isinstance(value, Rows):
        return any(row.get("id") == "" for row in cast("Rows[Row]", value).items if type(row) is dict)
    return isinstance(value, list) and "" in value


async def _plural(s: Session, refers: str, bound: Mapping[str, object], value: object) -> str | None:
    """The type that a parameter points to; None where nothing says it, and the verb will."""
    if not refers.startswith("@"):
        return refers
    named = bound.get(refers[1:]) or getattr(value, "resource", None)
    if named is None:
        return None
    async with s.client.assuming("2.42"):  # a type is called the same everywhere: no request for it
        return (await resource_of(s.client, str(named))).plural


async def _resolve_rows(s: Session, plural: str, rows: Rows[Row]) -> Rows[Row]:
    """Rows from the command line hold what was typed in `id`; those of a pipeline hold UIDs, and cost nothing."""
    items = rows.plain()
    missing = [number for number, row in enumerate(items, 1) if not row.get("id")]
    if missing:
        raise UsageError(f"row {missing[0]} has no id", hint="select id too: ... | select(id, name)")
    uids = await resolve_all(s, plural, [str(row["id"]) for row in items])
    return rows.with_items([{**row, "id": uids[str(row["id"])]} for row in items], columns=rows.columns)


async def tell(s: Session, plan: Plan) -> None:
    """Give a plan that somebody is to read the names of the objects that its steps refer to; a request for each type."""
    steps = [step for step in plan.steps[:TOLD] if step.after is not None and step.detail is None]
    if sum(step.before is None for step in steps) > FEW:  # many new objects: nobody reads what each of them holds
        steps = [step for step in steps if step.before is not None]
    if not steps:
        return
    types = await types_of(s.client)
    wanted: dict[str, dict[str, None]] = {}
    for step in steps:
        for value in (step.before, step.after) if step.type in types else ():
            for plural, uid in objects_in(types[step.type], value or {}, types):
                wanted.setdefault(plural, {})[uid] = None
    plan.names |= await _called(s, wanted)


async def names_in(s: Session, resource: Resource, items: Sequence[JsonObject]) -> dict[str, str]:
    """What the objects that some objects of a type refer to are called, by UID; a request for each type."""
    types = await types_of(s.client)
    wanted: dict[str, dict[str, None]] = {}
    for item in items:
        for plural, uid in objects_in(resource, item, types):
            wanted.setdefault(plural, {})[uid] = None
    return await _called(s, wanted)


async def _called(s: Session, wanted: Mapping[str, Iterable[str]]) -> dict[str, str]:
    async def some(plural: str, uids: Sequence[str]) -> list[Row]:
        try:
            found = await reading.by_uid(s.client, plural, uids, fields="id,displayName")
        except (Refused, NotFound, Forbidden):
            return []  # a name is a comfort: what this user may not read stays a UID
        return found.rows

    asked = (some(plural, list(uids)[:TOLD]) for plural, uids in wanted.items())
    pages = [rows async for rows in gather_bounded(asked, 4)]
    return {str(row["id"]): str(row["displayName"]) for rows in pages for row in rows if row.get("displayName")}
