"""Favourites that come as columns, rows and filters with their items: the lists that the server keeps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.dhis2.periods import RelativePeriod
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.hooks import Also
from dhis2sh.sandbox.metadata.axes import AXES, DATA_ITEMS, SETS, elements_of, fixed_periods, unit_word
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.store.references import id_of, rows

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_PERIODS = {period.field: period.value for period in RelativePeriod}
"""Relative periods by their names among the yes/no properties of a favourite."""


def prepare_axes(bundle: Bundle, item: Item) -> None:
    """Fill in what the axes of a visualization mean, or of each view of a map."""
    _Axes(bundle, item.body).read(item.sent)
    for view, given in zip(rows(item.body.get("mapViews")), rows(item.sent.get("mapViews")), strict=False):
        _Axes(bundle, view).read(given)


class _Axes:
    """The axes of one favourite.

    Parameters:
        body: what is stored; added to.
    """

    def __init__(self, bundle: Bundle, body: JsonObject) -> None:
        self._bundle = bundle
        self._body = body
        self._version = bundle.store.version

    def read(self, sent: JsonObject) -> None:
        """Read what was sent."""
        given = {name: bool(self._body.get(name)) for name in ("dataDimensionItems", "organisationUnits", "rawPeriods")}
        for one, dimensions in AXES.items():
            for row in rows(sent.get(one)):
                name = row.get("dimension") or row.get("id")
                named = self._list(dimensions)
                if isinstance(name, str) and name not in named:
                    named.append(name)
                if isinstance(name, str):
                    self._dimension(name, row, given)
        self._periods(sent)

    def _list(self, name: str) -> list[JsonValue]:
        """A list of the favourite's own, made where there is none."""
        found = self._body.get(name)
        if not isinstance(found, list):
            found = self._body[name] = []
        return found

    def _dimension(self, name: str, row: JsonObject, given: dict[str, bool]) -> None:
        items = [str(one["id"]) for one in rows(row.get("items")) if one.get("id") is not None]
        match name:
            case "dx":
                if not given["dataDimensionItems"]:
                    self._data(items)
            case "ou":
                self._units(items, given["organisationUnits"])
            case "pe":
                if not given["rawPeriods"]:
                    raw = self._list("rawPeriods")
                    raw += [text for text in items if text not in raw]
            case _:
                self._other(name, row, items)

    def _data(self, items: list[str]) -> None:
        held = self._list("dataDimensionItems")
        for uid in items:
            inner = next((name for name in DATA_ITEMS if self._bundle.get(DATA_ITEMS[name][0], uid)), None)
            element, _, combo = uid.partition(".")
            if inner is not None:
                held.append({inner: {"id": uid}, "dataDimensionItemType": DATA_ITEMS[inner][1]})
            elif self._bundle.get("dataElements", element) and self._bundle.get("categoryOptionCombos", combo):
                operand: JsonObject = {
                    "id": uid, "dataElement": {"id": element}, "categoryOptionCombo": {"id": combo},
                }  # fmt: skip
                held.append({"dataElementOperand": operand, "dataDimensionItemType": "DATA_ELEMENT_OPERAND"})
            elif self._bundle.get("dataSets", element):
                held.append({"reportingRate": {"id": element}, "dataDimensionItemType": "REPORTING_RATE"})
        for uid in items:  # a calculation brings the elements that it counts with
            for brought in elements_of(self._bundle.get("expressionDimensionItems", uid) or {}):
                held.append({"dataElement": {"id": brought}, "dataDimensionItemType": "DATA_ELEMENT"})

    def _units(self, items: list[str], given: bool) -> None:
        for text in items:
            word = unit_word(text)
            if word is None:
                if is_uid(text) and not given:
                    self._list("organisationUnits").append({"id": text})
            elif not word[1]:
                self._body[word[0]] = True
            else:
                value: JsonValue = {"id": word[1]}
                if word[0] == "organisationUnitLevels":
                    value = self._level(word[1])
                if value is not None and value not in self._list(word[0]):
                    self._list(word[0]).append(value)

    def _level(self, text: str) -> JsonValue:
        """A level by its number or by the UID of the level."""
        return int(text) if text.isdigit() else (self._bundle.get("organisationUnitLevels", text) or {}).get("level")

    def _other(self, name: str, row: JsonObject, items: list[str]) -> None:
        """A dimension that is an object: a category, a group set, an element or attribute of an event."""
        detail = {part: row[part] for part in ("filter", "programStage") if row.get(part) is not None}
        for plural, (held, one, many) in SETS.items():
            if self._bundle.get(plural, name) is not None and not self._has(held, one, name):
                self._list(held).append({one: {"id": name}, many: [{"id": uid} for uid in items]})
                return
        for plural, held, one in (
            ("dataElements", "dataElementDimensions", "dataElement"),
            ("trackedEntityAttributes", "attributeDimensions", "attribute"),
        ):
            if self._bundle.get(plural, name) is not None and not self._has(held, one, name):
                self._list(held).append({one: {"id": name}, **detail})
                return

    def _has(self, held: str, one: str, name: str) -> bool:
        return any(id_of(row.get(one)) == name for row in rows(self._body.get(held)))

    def _periods(self, sent: JsonObject) -> None:
        """Relative periods may come as yes/no properties; names that there are not are left out without a word."""
        relative = sent.get("relativePeriods")
        if isinstance(relative, dict):
            raw = self._list("rawPeriods")
            found = (period for name, on in relative.items() if on and (period := _PERIODS.get(name)))
            raw += [period for period in found if period not in raw]
        if self._body.get("rawPeriods"):
            self._body["periods"] = fixed_periods(self._body, named=self._version.minor < 43)


def merged_views(sent: JsonObject) -> JsonObject:
    """A map as `POST` and `PUT` of one map read it: what its views are comes from their axes alone. Raises `Refused`."""
    views: list[JsonValue] = []
    for view in rows(sent.get("mapViews")):
        axes = any(rows(view.get(one)) for one in AXES)
        if not axes and rows(view.get("dataDimensionItems")):
            raise not_imitated("a map whose views have data items and no columns, rows or filters")
        views.append({name: value for name, value in view.items() if name != "dataDimensionItems"})
    return {**sent, "mapViews": views} if "mapViews" in sent else sent


def unsaved_items(bundle: Bundle, item: Item) -> Also:
    """Until 2.42 the server cannot store views that come with data items or with an id of their own. Raises `Refused`."""
    if bundle.store.version.minor >= 43:
        return {}
    for view, given in zip(rows(item.body.get("mapViews")), rows(item.sent.get("mapViews")), strict=False):
        held = rows(view.get("dataDimensionItems"))
        if held and (rows(given.get("dataDimensionItems")) or given.get("id") is not None):
            name = next((name for name in DATA_ITEMS if name in held[0]), "dataElement")
            klass = bundle.store.resources[DATA_ITEMS[name][0]].klass
            raise Refused(
                409,
                "org.hibernate.TransientPropertyValueException: object references an unsaved transient instance - save the "
                f"transient instance before flushing : org.hisp.dhis.common.DataDimensionItem.{name} -> {klass}",
            )
        if not held and given.get("id") is not None:
            raise not_imitated("the import of a map whose views have ids and no data items")
    return {}
