"""What a server takes: its data elements, units and option combinations, by UID, code or name, read as they are met.

A load of any size asks for each object once, in batches; what is not there or not unique is a sentence for its row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.client import reading
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.verbs import names
from dhis2sh.words import folded

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

FIELDS = {
    "dataElements": "id,displayName,name,code,valueType,zeroIsSignificant,optionSet[options[code]],"
    "categoryCombo[categoryOptionCombos[id,displayName,code]],"
    "dataSetElements[dataSet[id],categoryCombo[categoryOptionCombos[id,displayName,code]]]",
    "organisationUnits": "id,displayName,name,code,path,openingDate,closedDate",
    "categoryOptionCombos": "id,displayName",
    "dataSets": "id,displayName,periodType,organisationUnits[id],"
    "categoryCombo[categoryOptionCombos[id,displayName,code]]",
}
"""What is asked of each type: what the checks need and no more."""
SOUGHT = 20
"""Texts of one batch that are looked for one by one where nothing has that very code or name."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set: the type of its periods, its units, and the attribute option combinations that it takes, by UID, code and name."""

    uid: str
    name: str
    period_type: str
    units: frozenset[str]
    attribute_names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Element:
    """A data element: its value type, the codes of its options, its option combinations by name, and its data sets."""

    uid: str
    name: str
    value_type: str
    options: frozenset[str] | None
    combos: Mapping[str, str]
    sets: tuple[DataSet, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisation unit, the days on which it is open, and the UIDs of the units above it."""

    uid: str
    name: str
    opened: dt.date | None
    closed: dt.date | None
    above: tuple[str, ...] = ()


class Target:
    """The server that values are for.

    Parameters:
        s: whose server it is.
    """

    def __init__(self, s: Session) -> None:
        self._s = s
        self._uids: dict[str, dict[str, str]] = {
            "dataElements": {},
            "organisationUnits": {},
            "categoryOptionCombos": {},
        }
        self._problems: dict[tuple[str, str], str] = {}
        self._alike: dict[str, list[str]] = {}
        self._elements: dict[str, Element] = {}
        self._units: dict[str, Unit] = {}
        self._sets: dict[str, DataSet] = {}
        self._called: dict[str, set[str]] = {}
        self._combo_names: dict[str, str] = {}
        self._options: dict[str, list[frozenset[str]]] = {}
        self.default = ""
        """The server's default category option combination."""

    async def open(self) -> None:
        """Read what every load needs."""
        rows = await reading.all_of(self._s.client, "categoryOptionCombos", ["name:eq:default"], fields="id,name")
        known = [str(row["id"]) for row in rows]
        if not known:
            raise NotFound("the server has no default category option combination", hint="dhis2 system info")
        usual = DEFAULT_OBJECTS["categoryOptionCombos"]
        self.default = usual if usual in known else known[0]

    async def meet(self, elements: Iterable[str], units: Iterable[str], combos: Sequence[str]) -> None:
        """Read what a batch of rows speaks of and was not met before; each text may be a UID, a code or a name.

        Parameters:
            combos: may name their options too, as `sex=F;age=under5`.
        """
        await self._named("dataElements", elements)
        await self._named("organisationUnits", units)
        await self._named("categoryOptionCombos", (text for text in combos if not named_options(text)))
        known = self._uids["dataElements"].values()
        await self._read_elements([uid for uid in dict.fromkeys(known) if uid not in self._elements])
        known = self._uids["organisationUnits"].values()
        await self._read_units([uid for uid in dict.fromkeys(known) if uid not in self._units])
        if any(named_options(text) for text in combos):
            await self._read_options()

    def element(self, text: str) -> Element | str:
        """A data element, or the sentence that says why there is none."""
        uid = self._uids["dataElements"].get(text)
        return self._elements[uid] if uid is not None else self._problems["dataElements", text]

    def element_of(self, uid: str) -> Element:
        """A data element that was met, by its UID; texts may have named it otherwise."""
        return self._elements[uid]

    def unit(self, text: str) -> Unit | str:
        """An organisation unit, or the sentence that says why there is none."""
        uid = self._uids["organisationUnits"].get(text)
        return self._units[uid] if uid is not None else self._problems["organisationUnits", text]

    def above_others(self) -> dict[str, Unit]:
        """The units that were met and lie above others that were met, by UID."""
        above = {uid for unit in self._units.values() for uid in unit.above}
        return {uid: unit for uid, unit in self._units.items() if uid in above}

    def unit_of(self, uid: str) -> Unit:
        """A unit that was met, by its UID."""
        return self._units[uid]

    def alike(self, text: str) -> list[str]:
        """The units, by UID, that an ambiguous text may mean; none where it is not."""
        return self._alike.get(text, [])

    def combo(self, text: str, allowed: Mapping[str, str]) -> str | None:
        """The UID of an option combination: of those that an element takes by name or code, else of any by what was met.

        Parameters:
            text: UID, code or name, or the options that it is of.
            allowed: those that are taken, by UID, code and name.
        """
        found = allowed.get(text) or self._uids["categoryOptionCombos"].get(text)
        if found is None and (options := named_options(text)):
            return self._of_options(options, set(allowed.values()))
        return found

    def _of_options(self, wanted: Sequence[str], allowed: Iterable[str]) -> str | None:
        """The one option combination that has these options and no others; None where none has, or several have."""
        found = [uid for uid in allowed if _matches(wanted, self._options.get(uid, ()))]
        return found[0] if len(found) == 1 else None

    def combo_names(self, uids: Iterable[str]) -> list[str]:
        """What option combinations are called, each in quotes."""
        return sorted(f"'{self._combo_names.get(uid, uid)}'" for uid in set(uids))

    def words(self, row: Row) -> str:
        """What a row is about, by names where they were met."""
        element, unit = self._elements.get(str(row["dataElement"])), self._units.get(str(row["orgUnit"]))
        combo = self._combo_names.get(str(row.get("categoryOptionCombo")), "")
        parts = (
            element.name if element else row["dataElement"], "" if combo == "default" else combo,
            unit.name if unit else row["orgUnit"], row["period"],
        )  # fmt: skip
        return ", ".join(str(part) for part in parts if part)

    def is_called(self, uid: str, text: str) -> bool:
        """May a text stand for an object that was met: is it its UID, code or name? So is any of one that was not."""
        called = self._called.get(uid)
        return called is None or text == uid or folded(text) in called

    def called(self, uid: str) -> str:
        """What a UID that was met stands for; itself where it was not."""
        found = self._sets.get(uid) or self._units.get(uid) or self._elements.get(uid)
        return found.name if found is not None else self._combo_names.get(uid, uid)

    def names(self) -> dict[str, str]:
        """What the UIDs that were met stand for."""
        return {
            **self._combo_names,
            **{uid: element.name for uid, element in self._elements.items()},
            **{uid: unit.name for uid, unit in self._units.items()},
            **{uid: one.name for uid, one in self._sets.items()},
        }

    # Read -----------------------------------------------------------------------------------------------------------

    async def _named(self, plural: str, texts: Iterable[str]) -> None:
        """Find the UIDs of texts that are new, in as few requests as make sense."""
        known = self._uids[plural]
        open_ = [text for text in dict.fromkeys(texts) if text not in known and (plural, text) not in self._problems]
        for key in ("id", *names.keys_of(plural)):
            asked = [text for text in open_ if key != "id" or is_uid(text)]
            hits = await names.by_key(self._s, plural, key, asked) if asked else {}
            for text, rows in hits.items():
                if len(rows) == 1:
                    known[text] = str(rows[0]["id"])
                else:
                    self._several(plural, text, await names.ambiguous(self._s, plural, text, rows))
            open_ = [text for text in open_ if text not in hits]
        for number, text in enumerate(open_):
            hint = await self._as_others_find_it(plural, text) if number < SOUGHT else None
            if text not in known and (plural, text) not in self._problems:
                why = f"there is no {_SINGULAR[plural]} with the UID, code or name '{text}'"
                self._problems[plural, text] = f"{why} ({hint})" if hint else why

    async def _as_others_find_it(self, plural: str, text: str) -> str | None:
        """A name without regard to case, accents and blanks, as every verb takes it; else what comes nearest."""
        try:
            found = await names.resolve(self._s, plural, text)
        except names.Ambiguous as error:
            self._several(plural, text, error)
            return None
        except (NotFound, UsageError) as error:
            return error.hint
        if found != text:  # a UID is taken for one unseen, and that it is not there is known already
            self._uids[plural][text] = found
        return None

    def _several(self, plural: str, text: str, error: names.Ambiguous) -> None:
        """Remember that a text names several objects; of units a column that says where they lie may tell which."""
        self._problems[plural, text] = str(error)
        if plural == "organisationUnits":
            self._alike[text] = list(error.uids)

    def _learn(self, rows: Iterable[JsonObject]) -> None:
        """Remember what objects are called."""
        for row in rows:
            texts = (str(row[key]) for key in ("displayName", "name", "code") if row.get(key))
            self._called.setdefault(str(row["id"]), set()).update(map(folded, texts))

    async def _read_elements(self, uids: list[str]) -> None:
        rows = (
            (await reading.by_uid(self._s.client, "dataElements", uids, fields=FIELDS["dataElements"])).rows
            if uids
            else []
        )
        self._learn(rows)
        links = [link for row in rows for link in _items(row.get("dataSetElements"))]
        await self._read_sets({str(_inner(link, "dataSet").get("id")) for link in links} - self._sets.keys())
        for row in rows:
            uid = str(row["id"])
            combos = _named_combos(_inner(row, "categoryCombo"))
            self._learn(_items(_inner(row, "categoryCombo").get("categoryOptionCombos")))
            self._combo_names |= {
                str(item["id"]): str(item.get("displayName"))
                for item in _items(_inner(row, "categoryCombo").get("categoryOptionCombos"))
            }
            sets: list[DataSet] = []
            for link in _items(row.get("dataSetElements")):
                self._learn(_items(_inner(link, "categoryCombo").get("categoryOptionCombos")))
                combos |= _named_combos(_inner(link, "categoryCombo"))  # the set's own in place of the element's
                if (held := self._sets.get(str(_inner(link, "dataSet").get("id")))) is not None:
                    sets.append(held)
            options = _inner(row, "optionSet")
            codes = frozenset(str(item.get("code")) for item in _items(options.get("options"))) if options else None
            name = str(row.get("displayName") or uid)
            self._elements[uid] = Element(uid, name, str(row.get("valueType")), codes, combos, tuple(sets))

    async def _read_sets(self, uids: Iterable[str]) -> None:
        wanted = sorted(uids)
        rows = (
            (await reading.by_uid(self._s.client, "dataSets", wanted, fields=FIELDS["dataSets"])).rows if wanted else []
        )
        for row in rows:
            uid = str(row["id"])
            self._learn(_items(_inner(row, "categoryCombo").get("categoryOptionCombos")))
            self._sets[uid] = DataSet(
                uid, str(row.get("displayName") or uid), str(row.get("periodType")),
                frozenset(str(item.get("id")) for item in _items(row.get("organisationUnits"))),
                _named_combos(_inner(row, "categoryCombo")),
            )  # fmt: skip

    async def _read_options(self) -> None:
        """Read the options of all combinations that the elements and sets so far take."""
        taken = [combo for element in self._elements.values() for combo in element.combos.values()]
        taken += [combo for item in self._sets.values() for combo in item.attribute_names.values()]
        new = [uid for uid in dict.fromkeys(taken) if uid not in self._options]
        fields = "id,categoryOptions[id,code,name]"
        rows = (await reading.by_uid(self._s.client, "categoryOptionCombos", new, fields=fields)).rows if new else []
        self._options |= {uid: [] for uid in new}
        for row in rows:
            texts = [
                {str(item[key]) for key in ("id", "code", "name") if item.get(key)}
                for item in _items(row.get("categoryOptions"))
            ]
            self._options[str(row["id"])] = [frozenset(item) for item in texts]

    async def _read_units(self, uids: list[str]) -> None:
        fields = FIELDS["organisationUnits"]
        rows = (await reading.by_uid(self._s.client, "organisationUnits", uids, fields=fields)).rows if uids else []
        self._learn(rows)
        for row in rows:
            uid = str(row["id"])
            self._units[uid] = Unit(
                uid, str(row.get("displayName") or uid), _day(row.get("openingDate")), _day(row.get("closedDate")),
                tuple(part for part in str(row.get("path") or "").split("/") if part and part != uid),
            )  # fmt: skip


def named_options(text: str) -> list[str]:
    """The options in a text such as `sex=F;age=under5`, without their categories; none in any other text."""
    if "=" not in text:
        return []
    parts = [part.partition("=") for part in text.split(";")]
    whole = all(category.strip() and mark and option.strip() for category, mark, option in parts)
    return [option.strip() for _, _, option in parts] if whole else []


def _matches(wanted: Sequence[str], options: Sequence[frozenset[str]]) -> bool:
    """Is each of the wanted options another one of a combination, and none left over?"""
    if len(wanted) != len(options):
        return False
    left = list(options)
    for text in wanted:
        found = next((option for option in left if text in option), None)
        if found is None:
            return False
        left.remove(found)
    return True


_SINGULAR = {
    "dataElements": "data element",
    "organisationUnits": "organisation unit",
    "categoryOptionCombos": "category option combination",
}


def _items(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _inner(row: JsonObject, name: str) -> JsonObject:
    found = row.get(name)
    return found if isinstance(found, dict) else {}


def _named_combos(combo: JsonObject) -> dict[str, str]:
    """The option combinations of a category combination, by UID, code and name."""
    found: dict[str, str] = {}
    for item in _items(combo.get("categoryOptionCombos")):
        for key in ("displayName", "code", "id"):
            if item.get(key):
                found[str(item[key])] = str(item["id"])
    return found


def _day(value: JsonValue) -> dt.date | None:
    return dt.date.fromisoformat(value[:10]) if isinstance(value, str) and value else None
