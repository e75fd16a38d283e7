"""Values of one server for another: what they speak of, found there by UID, code or name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from dhis2sh.client import reading
from dhis2sh.data import asking, nothing
from dhis2sh.data.named import TYPES
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.data.asking import Asked
    from dhis2sh.session import Session
    from dhis2sh.types import Row

_ASKED = {
    "data_set": "dataSets", "data_element": "dataElements", "data_element_group": "dataElementGroups",
    "org_unit": "organisationUnits", "org_unit_group": "organisationUnitGroups",
    "attribute_option_combo": "categoryOptionCombos",
}  # fmt: skip
"""The parts of a question that name objects, and of what type."""


class Translation:
    """UIDs of one server into what names the same objects on another; each is looked up once.

    Parameters:
        source, target: sessions on the two.
    """

    def __init__(self, source: Session, target: Session) -> None:
        self._source, self._target = source, target
        self._known: dict[tuple[str, str], str] = {}

    async def learn(self, plural: str, uids: Iterable[str]) -> None:
        """Look up what is new: the same UID where the target has it, else the source's code, else its name."""
        new = [uid for uid in dict.fromkeys(uids) if (plural, uid) not in self._known]
        if not new:
            return
        there = await reading.by_uid(self._target.client, plural, new, fields="id")
        self._known |= {(plural, str(row["id"])): str(row["id"]) for row in there.rows}
        if not there.missing:
            return
        ours = (await reading.by_uid(self._source.client, plural, there.missing, fields="id,code,name")).rows
        codes = {str(row["code"]): str(row["id"]) for row in ours if row.get("code")}
        hits = await names.by_key(self._target, plural, "code", list(codes)) if codes else {}
        self._known |= {(plural, codes[code]): str(rows[0]["id"]) for code, rows in hits.items() if len(rows) == 1}
        for row in ours:  # a name that is not there, or twice, is refused where the row is checked
            self._known.setdefault((plural, str(row["id"])), str(row.get("name") or row["id"]))

    def text(self, plural: str, uid: str) -> str:
        """What names an object on the target; the UID itself where the source does not know it either."""
        return self._known.get((plural, uid), uid)


async def asked_there(source: Session, target: Session, asked: Asked) -> Asked:
    """A question whose objects are named by the UIDs of one server, by those of another.

    Parameters:
        source: whose UIDs the question has; target: whose UIDs are wanted.

    Raises `NotFound` for what the other has not.
    """
    translation = Translation(source, target)
    changed: dict[str, list[str]] = {}
    for item in fields(asked):
        plural = _ASKED.get(item.name)
        if plural is not None and (uids := getattr(asked, item.name)):
            await translation.learn(plural, uids)
            texts = [translation.text(plural, uid) for uid in uids]
            changed[item.name] = list((await names.resolve_all(target, plural, texts)).values())
    return replace(asked, **changed)  # type: ignore[arg-type]


async def values_of(source: Session, target: Session, asked: Asked) -> AsyncGenerator[list[tuple[int, Row]]]:
    """The values that a question finds on one server, by what names their objects on another, with running numbers."""
    there = await asked_there(target, source, asked)
    query = await asking.query_of(source, there)
    translation = Translation(source, target)
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
