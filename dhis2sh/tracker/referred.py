"""Values that name objects: organisation units by UID, accounts by username; by name or code they become that here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dhis2sh.client import reading
from dhis2sh.errors import Forbidden, NotFound, UsageError
from dhis2sh.verbs import names
from dhis2sh.words import folded

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.programs import Item
    from dhis2sh.types import JsonObject

REFERRING = {"ORGANISATION_UNIT": "organisationUnits", "USERNAME": "users"}
"""The types of objects that values of a value type name."""
UNIT_NAME = " (name)"
"""Behind the name of an item of units: the column that has what they are called."""


class Referred:
    """What values name; each is asked for once.

    Parameters:
        s: whose server it is.
    """

    def __init__(self, s: Session) -> None:
        self._s = s
        self._found: dict[tuple[str, str], str] = {}
        self._problems: dict[tuple[str, str], str] = {}
        self._called: dict[str, set[str]] = {}

    async def meet(self, given: Iterable[tuple[Item, str]]) -> None:
        """Find what texts name that were not met before, each with what takes it."""
        wanted: dict[str, dict[str, None]] = {}
        for item, text in given:
            plural = REFERRING.get(item.value_type)
            if plural and text and (plural, text) not in self._found and (plural, text) not in self._problems:
                wanted.setdefault(plural, {})[text] = None
        for plural, texts in wanted.items():
            await self._find(plural, list(texts))

    async def _find(self, plural: str, texts: list[str]) -> None:
        uids: dict[str, str] = {}
        try:
            for key in ("id", *names.keys_of(plural)) if plural != "users" else ("username",):
                open_ = [text for text in texts if text not in uids and (key != "id" or names.certain(text))]
                hits = await names.by_key(self._s, plural, key, open_) if open_ else {}
                uids |= {text: str(rows[0]["id"]) for text, rows in hits.items() if len(rows) == 1}
            if plural == "users":
                self._found |= {(plural, text): text for text in uids}
            else:
                self._found |= {(plural, text): uid for text, uid in uids.items()}
                await self._name([*uids.values()])
            for text in texts:
                if text not in uids:
                    await self._one(plural, text)
        except Forbidden:  # who may not see accounts gives usernames; whether they are right the server says
            self._found |= {(plural, text): text for text in texts}

    async def _one(self, plural: str, text: str) -> None:
        try:
            uid = await names.resolve_all(self._s, plural, [text], there=True)
        except (NotFound, UsageError) as error:
            near = f" ({error.hint})" if error.hint and error.hint.startswith("did you mean") else ""
            self._problems[plural, text] = f"{error.message}{near}"
            return
        if plural != "users":
            self._found[plural, text] = uid[text]
            return
        rows = (await reading.by_uid(self._s.client, plural, [uid[text]], fields="id,username")).rows
        self._found[plural, text] = str(rows[0].get("username") or text) if rows else text

    async def _name(self, units: list[str]) -> None:
        rows = (await reading.by_uid(self._s.client, "organisationUnits", units, fields="id,name,displayName")).rows
        self.learn(rows)

    def learn(self, units: Iterable[JsonObject]) -> None:
        """Remember what units are called."""
        self._called |= {
            str(row["id"]): {folded(str(row.get(key))) for key in ("name", "displayName")} for row in units
        }

    def contradicted(self, uid: str, said: str) -> bool:
        """Is a unit, which was met, called otherwise than somebody says?"""
        return uid in self._called and folded(said) not in self._called[uid]

    def value(self, item: Item, text: str) -> str | None:
        """What is sent for a text that was met; None where it names nothing."""
        return self._found.get((REFERRING[item.value_type], text))

    def why(self, item: Item, text: str) -> str:
        """Why a text names nothing."""
        return self._problems.get((REFERRING[item.value_type], text), f"'{text}' names nothing")
