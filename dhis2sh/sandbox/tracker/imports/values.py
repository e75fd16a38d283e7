"""What the tracker's validation has against values: of attributes, and of an event's data elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.metadata.value_types import problem
from dhis2sh.sandbox.tracker.imports.bundle import Bundle, Item
from dhis2sh.sandbox.tracker.imports.problems import Named
from dhis2sh.sandbox.tracker.metadata import objects, reference

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

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
            options = self._options(attribute)
            if options is not None and words not in options:
                yield "E1125", (words, cast("JsonObject", attribute["optionSet"])["id"])
            if attribute.get("unique") and self._taken(uid, words, owner):
                yield "E1064", (words, uid)

    def _taken(self, attribute: str, value: str, owner: str | None) -> bool:
        sql = (
            "SELECT 1 FROM attribute_value v JOIN tracked_entity t ON t.uid = v.tracked_entity "
            "WHERE v.attribute = ? AND lower(v.value) = ? AND v.tracked_entity <> ? AND NOT t.deleted LIMIT 1"
        )
        if self.tracker.rows(sql, (attribute, value.lower(), owner or "")):
            return True
        return any(
            one.uid != owner
            and entry.get("attribute") == attribute
            and str(entry.get("value")).lower() == value.lower()
            for one in self.bundle.items["trackedEntity"]
            for entry in one.items("attributes")
        )

    def _options(self, body: JsonObject) -> set[str] | None:
        held = cast("JsonObject | None", body.get("optionSet"))
        if not held:
            return None
        option_set = self.store.get("optionSets", cast("str", held["id"])) or {}
        members = (self.store.get("options", cast("str", one["id"])) for one in objects(option_set, "options"))
        return {str(option.get("code")) for option in members if option}

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
        options = self._options(element)
        if options is not None and str(text) not in options:
            yield "E1125", (text, cast("JsonObject", element["optionSet"])["id"])
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
