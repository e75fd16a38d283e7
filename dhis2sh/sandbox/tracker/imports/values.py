"""What the tracker's validation has against values: of attributes, and of an event's data elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.metadata.value_types import problem
from dhis2sh.sandbox.tracker.imports.bundle import Bundle, Item
from dhis2sh.sandbox.tracker.imports.problems import Named
from dhis2sh.sandbox.tracker.metadata import objects, reference

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_FILES = ("FILE_RESOURCE", "IMAGE")
WITH_VALUES, WITHOUT_VALUES = ("ACTIVE", "VISITED", "COMPLETED"), ("SCHEDULE", "SKIPPED", "OVERDUE")
type Found = Iterator[tuple[str, tuple[object, ...]]]
"""Codes, each with what its message names."""


class Values:
    """Checks the values of one bundle.

    Parameters:
        bundle: the payload.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.store, self.tracker = bundle, bundle.store, bundle.tracker
        self._codes: dict[str, set[str]] = {}

    def attributes(self, item: Item, owner: str | None, mandatory: set[str]) -> Found:
        """Attribute values: they exist, fit their type and options, and are unique where they must be."""
        for value in item.items("attributes"):
            uid, text = cast("str | None", value.get("attribute")), value.get("value")
            attribute = self.store.get("trackedEntityAttributes", uid or "")
            if attribute is None or uid is None:
                yield "E1006", (Named(uid),)
                continue
            if text is None or text == "":
                if uid in mandatory:
                    yield "E1076", ("TrackedEntityAttribute", Named(uid))
                continue
            words = str(text)
            if len(words) > 1200:
                yield "E1077", (words, 1200)
            if problem(words, str(attribute.get("valueType"))):
                yield "E1007", _misfit(attribute, words)
            yield from self._file(attribute, words)
            yield from self._outside(attribute, words)
            if attribute.get("unique") and self._taken(attribute, words, owner):
                yield "E1064", (words, uid)

    def _taken(self, attribute: JsonObject, value: str, owner: str | None) -> bool:
        """Has another tracked entity this value, in the database or in the payload, of the org unit if that is the scope?"""
        uid, unit = cast("str", attribute["id"]), self._unit(owner) if attribute.get("orgunitScope") else None
        sql = (
            "SELECT 1 FROM attribute_value v JOIN tracked_entity t ON t.uid = v.tracked_entity "
            "WHERE v.attribute = ? AND lower(v.value) = ? AND v.tracked_entity <> ? AND NOT t.deleted "
            "AND (? IS NULL OR t.org_unit = ?) LIMIT 1"
        )
        if self.tracker.rows(sql, (uid, value.lower(), owner or "", unit, unit)):
            return True
        others = self._given.get((uid, value.lower()), set[str]()) - {owner or ""}
        return any(unit is None or self._unit(other) == unit for other in others)

    @cached_property
    def _given(self) -> Mapping[tuple[str, str], set[str]]:
        """Who in the payload has a value, by attribute and value; an enrollment's are its tracked entity's."""
        found: dict[tuple[str, str], set[str]] = {}
        for kind in ("trackedEntity", "enrollment"):
            for item in self.bundle.items[kind]:
                owner = item.uid if kind == "trackedEntity" else item.text("trackedEntity") or ""
                for entry in item.items("attributes"):
                    key = str(entry.get("attribute")), str(entry.get("value")).lower()
                    found.setdefault(key, set()).add(owner)
        return found

    def _unit(self, entity: str | None) -> str | None:
        item = self.bundle.find("trackedEntity", entity)
        row = self.tracker.row("trackedEntity", entity or "")
        return item.text("orgUnit") if item is not None else row["org_unit"] if row is not None else None

    def _outside(self, body: JsonObject, text: str) -> Found:
        """E1125: what is no code of the option set, of several values each."""
        held = cast("JsonObject | None", body.get("optionSet"))
        if not held:
            return
        uid = cast("str", held["id"])
        if uid not in self._codes:
            option_set = self.store.get("optionSets", uid) or {}
            members = (self.store.get("options", cast("str", one["id"])) for one in objects(option_set, "options"))
            self._codes[uid] = {str(option.get("code")) for option in members if option}
        several = body.get("valueType") == "MULTI_TEXT"
        if not set(text.split(",") if several else [text]) <= self._codes[uid]:
            yield "E1125", (text, uid)

    def _file(self, body: JsonObject, text: str) -> Found:
        """A file that a value names is there, and nobody else's."""
        if body.get("valueType") not in _FILES:
            return
        file = self.store.get("fileResources", text)
        if file is None:
            yield "E1084", (text,)
        elif file.get("assigned") and not self._stored(text):
            yield "E1009", (text,)

    def _stored(self, text: str) -> bool:
        sql = "SELECT 1 FROM attribute_value WHERE value = ?1 UNION ALL SELECT 1 FROM event_value WHERE value = ?1 LIMIT 1"
        return bool(self.tracker.rows(sql, (text,)))

    def elements(self, item: Item, stage: JsonObject) -> Found:
        """Values of an event: they are the stage's, fit their elements, and the compulsory ones are there."""
        status, values = item.text("status") or "ACTIVE", item.items("dataValues")
        for value in values:
            yield from self._data_value(value)
        if status in WITHOUT_VALUES and values:
            yield "E1315", (status, ",".join(WITH_VALUES))
        entries = {reference(entry, "dataElement"): entry for entry in objects(stage, "programStageDataElements")}
        given = {cast("str", value.get("dataElement")): value.get("value") for value in values}
        yield from self._compulsory(
            item, stage, {uid for uid, entry in entries.items() if entry.get("compulsory")}, given
        )
        for uid in given.keys() - entries.keys():
            yield "E1305", (Named(uid), stage.get("id"))

    def _data_value(self, value: JsonObject) -> Found:
        """A value is of an element that exists, one of its options, and fits its type."""
        uid, text = cast("str", value.get("dataElement") or ""), value.get("value")
        element = self.store.get("dataElements", uid)
        if element is None:
            yield "E1304", (Named(uid),)
            return
        if text is None or text == "":
            return
        yield from self._file(element, str(text))
        yield from self._outside(element, str(text))
        if problem(str(text), str(element.get("valueType"))):
            yield "E1302", _misfit(element, str(text))

    def _compulsory(self, item: Item, stage: JsonObject, compulsory: set[str], given: Mapping[str, JsonValue]) -> Found:
        """A compulsory element has a value, sent or stored, as early as the stage's strategy asks for it."""
        status, strategy = item.text("status") or "ACTIVE", stage.get("validationStrategy") or "ON_COMPLETE"
        if status in WITH_VALUES and (strategy == "ON_UPDATE_AND_INSERT" or status == "COMPLETED"):
            rows = self.tracker.rows("SELECT data_element FROM event_value WHERE event = ?", (item.uid,))
            known = {row["data_element"] for row in rows}
            for uid in compulsory - given.keys() - known:
                yield "E1303", (Named(uid),)
        for uid in compulsory & given.keys():
            if given[uid] is None or given[uid] == "":
                yield "E1076", ("DataElement", Named(uid))


def _misfit(body: JsonObject, text: str) -> tuple[object, ...]:
    """What the messages name of a value that its type does not allow: the type, also where the message promises the element."""
    return body.get("valueType"), f"Value type is {body.get('valueType')} but the value `{text}` is not."
