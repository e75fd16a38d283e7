"""Values of one server for another: what they speak of, found there by UID, code or name."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from dhis2sh.client import reading
from dhis2sh.data import asking, nothing
from dhis2sh.data.named import TYPES
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError
from dhis2sh.verbs import names
from dhis2sh.words import counted, folded, joined

if TYPE_CHECKING:
    from dhis2sh.data.asking import Asked
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

_ASKED = {
    "data_set": "dataSets", "data_element": "dataElements", "data_element_group": "dataElementGroups",
    "org_unit": "organisationUnits", "org_unit_group": "organisationUnitGroups",
    "attribute_option_combo": "categoryOptionCombos",
}  # fmt: skip
"""The parts of a question that name objects, and of what type."""


_NOUNS = {
    "dataElements": "data element",
    "organisationUnits": "organisation unit",
    "categoryOptionCombos": "option combination",
}
TOLD = 5
"""Pairs of unlike names that are named one by one."""


@dataclass(slots=True)
class Pairs:
    """What is said of objects that stand for each other on two servers.

    Parameters:
        given: UIDs of the target that somebody has chosen (`--map`), by type and UID of the source.
        unlike: pairs found by UID or code whose names or value types differ, in words.
    """

    given: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    unlike: list[str] = field(default_factory=list[str])

    def notes(self) -> list[str]:
        """The unlike pairs, the first of them by name."""
        more = len(self.unlike) - TOLD
        return [*self.unlike[:TOLD], *([f"{more:,} more pairs with other names or value types"] if more > 0 else [])]


class Translation:
    """UIDs of one server into what names the same objects on another; each is looked up once.

    Parameters:
        source, target: sessions on the two.
        pairs: takes what is to be said of pairs, and has those that are chosen.
        asks: an object of another name is refused where the target has one of the very name; else that is said as well.
    """

    def __init__(self, source: Session, target: Session, pairs: Pairs | None = None, *, asks: bool = False) -> None:
        self._source, self._target, self._asks = source, target, asks
        self._pairs = pairs if pairs is not None else Pairs()
        self._known: dict[tuple[str, str], str] = {**self._pairs.given}

    async def learn(self, plural: str, uids: Iterable[str]) -> None:
        """Look up what is new: the same UID where the target has it, else the source's code, else its name.

        Raises `UsageError` for a pair of other names where the target has another object with the very name.
        """
        new = [uid for uid in dict.fromkeys(uids) if (plural, uid) not in self._known]
        if not new:
            return
        fields = "id,code,name,valueType" if plural == "dataElements" else "id,code,name"
        ours = (await reading.by_uid(self._source.client, plural, new, fields=fields)).rows
        there = await reading.by_uid(self._target.client, plural, new, fields=fields)
        found = {str(row["id"]): (row, "UID") for row in there.rows}
        codes = {str(row["code"]): str(row["id"]) for row in ours if row.get("code") and row["id"] not in found}
        for code, rows in (
            await names.by_key(self._target, plural, "code", list(codes), fields) if codes else {}
        ).items():
            if len(rows) == 1:
                found[codes[code]] = (rows[0], "code")
        self._known |= {(plural, uid): str(row["id"]) for uid, (row, _) in found.items()}
        for row in ours:  # a name that is not there, or twice, is refused where the row is checked
            self._known.setdefault((plural, str(row["id"])), str(row.get("name") or row["id"]))
        await self._compare(plural, [(row, *found[str(row["id"])]) for row in ours if row["id"] in found])

    async def _compare(self, plural: str, found: Sequence[tuple[JsonObject, JsonObject, str]]) -> None:
        """Hold pairs, found by UID or code, against their names and value types."""
        unlike = [pair for pair in found if not _same_name(pair[0], pair[1])]
        texts = [str(ours["name"]) for ours, _, _ in unlike]
        namesakes = await names.by_key(self._target, plural, "name", texts) if texts else {}
        noun = _NOUNS.get(plural, plural)
        contested: list[str] = []
        for ours, theirs, how in unlike:
            told = f"the {noun} '{ours['name']}' is '{theirs['name']}' there, by its {how}"
            others = [str(row["id"]) for row in namesakes.get(str(ours["name"]), []) if row["id"] != theirs["id"]]
            if others:
                told += f", and another one there has that very name ({joined(others)})"
                contested.append(f"{told}; {ours['id']}={theirs['id']} or {ours['id']}={others[0]}")
            self._pairs.unlike.append(told)
        if contested and self._asks:
            raise UsageError(
                f"nobody knows which is meant: {contested[0].rpartition('; ')[0]}"
                + (f"; {counted(len(contested) - 1, 'more pair')} like it" if len(contested) > 1 else ""),
                hint=f"say which, once for each: --map {contested[0].rpartition('; ')[2].replace(' or ', ', or --map ')}",
            )
        for ours, theirs, _ in found:
            if ours.get("valueType") != theirs.get("valueType"):
                self._pairs.unlike.append(
                    f"the {noun} '{ours['name']}' is of the value type {ours.get('valueType')}, and there of {theirs.get('valueType')}"
                )

    def text(self, plural: str, uid: str) -> str:
        """What names an object on the target; the UID itself where the source does not know it either."""
        return self._known.get((plural, uid), uid)


def _same_name(ours: JsonObject, theirs: JsonObject) -> bool:
    """Are two objects called alike, whatever the case, the accents, and the order of options in a combination?"""
    one, other = (sorted(re.split(r"\W+", folded(str(row.get("name") or "")))) for row in (ours, theirs))
    return one == other


async def chosen(source: Session, target: Session, texts: Sequence[str]) -> dict[tuple[str, str], str]:
    """`FROM=TO` as UIDs by type: FROM is an element, unit or option combination of the source, TO one of the target.

    Raises `UsageError` for what is no pair, `NotFound` and `Ambiguous` for what is not there, or more than one.
    """
    found: dict[tuple[str, str], str] = {}
    for text in texts:
        ours, mark, theirs = (part.strip() for part in text.partition("="))
        if not (ours and mark and theirs):
            raise UsageError(
                f"--map {text}: say FROM=TO", hint="FROM of the source, TO of the target: UIDs, codes or names"
            )
        hits = [
            (plural, str(row["id"]))
            for plural in _NOUNS
            for key in ("id", "code", "name")
            if key != "id" or is_uid(ours)
            for row in (await names.by_key(source, plural, key, [ours])).get(ours, [])
        ]
        if len(set(hits)) != 1:
            what = "nothing" if not hits else "several objects"
            raise UsageError(f"--map {text}: '{ours}' is {what} on the source", hint="give the UID that it has there")
        plural, uid = hits[0]
        to = (await names.resolve_all(target, plural, [theirs], there=True))[theirs]
        if found.setdefault((plural, uid), to) != to:
            raise UsageError(f"--map: {uid} is said to be {found[plural, uid]} and {to}", hint="say one of them")
    return found


async def asked_there(source: Session, target: Session, asked: Asked, pairs: Pairs) -> Asked:
    """A question whose objects are named by the UIDs of one server, by those of another.

    Parameters:
        source: whose UIDs the question has; target: whose UIDs are wanted.
        pairs: as of `Translation`.

    Raises `NotFound` for what the other has not.
    """
    translation = Translation(source, target, pairs)
    changed: dict[str, list[str]] = {}
    for item in fields(asked):
        plural = _ASKED.get(item.name)
        if plural is not None and (uids := getattr(asked, item.name)):
            await translation.learn(plural, uids)
            texts = [translation.text(plural, uid) for uid in uids]
            changed[item.name] = list((await names.resolve_all(target, plural, texts)).values())
    return replace(asked, **changed)  # type: ignore[arg-type]


async def values_of(
    source: Session, target: Session, asked: Asked, pairs: Pairs, *, asks: bool = False
) -> AsyncGenerator[list[tuple[int, Row]]]:
    """The values that a question finds on one server, by what names their objects on another, with running numbers.

    Parameters and errors as of `Translation`.
    """
    turned = Pairs({(plural, to): uid for (plural, uid), to in pairs.given.items()})
    there = await asked_there(target, source, asked, turned)
    pairs.unlike += [f"in the question {told.replace(' there', ' on the source')}" for told in turned.unlike]
    query = await asking.query_of(source, there)
    translation = Translation(source, target, pairs, asks=asks)
    at = 1
    found = nothing.told(source, there, query, source.client.data_values.batches(whole=True, **query))
    async with aclosing(found) as batches:
        async for rows in batches:
            for column, plural in TYPES.items():
                await translation.learn(plural, (str(row[column]) for row in rows if row.get(column)))
            yield [(at + index, _translated(row, translation)) for index, row in enumerate(rows)]
            at += len(rows)


def _translated(row: Row, translation: Translation) -> Row:
    told = {name: translation.text(plural, str(row[name])) for name, plural in TYPES.items() if row.get(name)}
    return {**row, **told}
