"""Data items of the dimension `dx`: elements, operands, indicators, reporting rates, program items."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.data.model import reference, references
from dhis2sh.sandbox.metadata.value_types import BOOLEAN_TYPES, NUMERIC_TYPES
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhis2sh.sandbox.data.model import Model
    from dhis2sh.types import JsonObject


class ItemKind(StrEnum):
    """The kinds of data items."""

    DATA_ELEMENT = "DATA_ELEMENT"
    OPERAND = "DATA_ELEMENT_OPERAND"
    INDICATOR = "INDICATOR"
    REPORTING_RATE = "REPORTING_RATE"
    PROGRAM_INDICATOR = "PROGRAM_INDICATOR"
    PROGRAM_DATA_ELEMENT = "PROGRAM_DATA_ELEMENT"
    PROGRAM_ATTRIBUTE = "PROGRAM_ATTRIBUTE"


_ANY = "*"
"""In place of an option combo: all of them."""
RATES = {
    "REPORTING_RATE": "Reporting rate",
    "REPORTING_RATE_ON_TIME": "Reporting rate on time",
    "ACTUAL_REPORTS": "Actual reports",
    "ACTUAL_REPORTS_ON_TIME": "Actual reports on time",
    "EXPECTED_REPORTS": "Expected reports",
}
_PLURAL = {
    ItemKind.DATA_ELEMENT: "dataElements",
    ItemKind.INDICATOR: "indicators",
    ItemKind.PROGRAM_INDICATOR: "programIndicators",
}
GROUPS = {"DE_GROUP-": "dataElementGroups", "IN_GROUP-": "indicatorGroups"}
"""What stands before the UID of a group whose members are asked for."""
_NOT_AGGREGATABLE = {"PHONE_NUMBER", "EMAIL", "USERNAME", "TRACKER_ASSOCIATE", "REFERENCE", "IMAGE"}


@dataclass(frozen=True, slots=True)
class DataItem:
    """One item of `dx`.

    Parameters:
        id: as the answer names it.
        uid: of the element, indicator, data set or program indicator.
        combo: the category option combo of an operand, None for any.
        attribute_combo: the attribute option combo of an operand, None for any.
        metric: which reporting rate.
        program: of a program data element or attribute.
    """

    kind: ItemKind
    id: str
    uid: str
    combo: str | None = None
    attribute_combo: str | None = None
    metric: str = ""
    program: str = ""

    @property
    def plural(self) -> str:
        """The type of what `uid` names."""
        if self.kind is ItemKind.REPORTING_RATE:
            return "dataSets"
        if self.kind is ItemKind.PROGRAM_ATTRIBUTE:
            return "trackedEntityAttributes"
        return _PLURAL.get(self.kind, "dataElements")


def find_items(model: Model, text: str, scheme: str = "UID") -> list[DataItem]:
    """The data items that one text of `dx` names; none when it names nothing.

    A group (`DE_GROUP-uid`, `IN_GROUP-uid`) stands for its members, `element.*` for the element in all its option combos.
    """
    if text.startswith("DE_GROUP-"):
        members = references(model.body("dataElementGroups", text.removeprefix("DE_GROUP-")), "dataElements")
        return [DataItem(ItemKind.DATA_ELEMENT, uid, uid) for uid in members]
    if text.startswith("IN_GROUP-"):
        members = references(model.body("indicatorGroups", text.removeprefix("IN_GROUP-")), "indicators")
        return [DataItem(ItemKind.INDICATOR, uid, uid) for uid in members]
    for kind, plural in _PLURAL.items():
        uid = model.resolve(plural, scheme, text)
        if uid is not None:
            return [DataItem(kind, uid, uid)]
    parts = text.split(".")
    return list(_composed(model, text, parts)) if len(parts) in {2, 3} else []


def _composed(model: Model, text: str, parts: list[str]) -> Iterator[DataItem]:
    first, second = parts[0], parts[1]
    if model.exists("dataElements", first):
        combos = [second, parts[2] if len(parts) == 3 else _ANY]
        if all(uid == _ANY or model.exists("categoryOptionCombos", uid) for uid in combos):
            while combos and combos[-1] == _ANY:
                combos.pop()
            combo, attribute = (None if uid == _ANY else uid for uid in (*combos, _ANY, _ANY)[:2])
            yield DataItem(ItemKind.OPERAND, ".".join([first, *combos]), first, combo, attribute)
    elif model.exists("dataSets", first) and second in RATES:
        yield DataItem(ItemKind.REPORTING_RATE, text, first, metric=second)
    elif model.exists("programs", first):
        if model.exists("dataElements", second):
            yield DataItem(ItemKind.PROGRAM_DATA_ELEMENT, text, second, program=first)
        elif model.exists("trackedEntityAttributes", second):
            yield DataItem(ItemKind.PROGRAM_ATTRIBUTE, text, second, program=first)


def item_name(model: Model, item: DataItem, prop: str) -> str:
    """What the answer calls an item.

    Parameters:
        prop: `name` or `shortName`.
    """

    def named(plural: str, uid: str) -> str:
        body = model.body(plural, uid)
        return cast("str", body.get(prop) or body.get("name") or uid)

    own = named(item.plural, item.uid)
    if item.kind is ItemKind.OPERAND:
        return " ".join([own, *_combo_names(model, item)])
    if item.kind is ItemKind.REPORTING_RATE:
        return f"{own} - {RATES[item.metric]}"
    if item.program:
        return f"{named('programs', item.program)} {own}"
    return own


def _combo_names(model: Model, item: DataItem) -> Iterator[str]:
    """The option combos of an operand; the default one goes without saying."""
    named = [uid if uid != DEFAULT_OPTION_COMBO else None for uid in (item.combo, item.attribute_combo)]
    if named[0] or named[1]:
        yield model.name("categoryOptionCombos", named[0]) if named[0] else _ANY
    if named[1]:
        yield model.name("categoryOptionCombos", named[1])


def item_details(model: Model, item: DataItem) -> JsonObject:
    """What `includeMetadataDetails` adds to an item."""
    body = model.body(item.plural, item.uid)
    found: JsonObject = {"uid": item.id}
    if body.get("code"):
        found["code"] = body["code"]
    if body.get("description"):
        found["description"] = body["description"]
    legend_sets = references(body, "legendSets")
    if legend_sets:
        found["legendSet"] = legend_sets[0]
    found["dimensionItemType"] = item.kind.value
    own_value = item.kind in {ItemKind.DATA_ELEMENT, ItemKind.PROGRAM_DATA_ELEMENT, ItemKind.PROGRAM_ATTRIBUTE}
    value_type = body.get("valueType")
    found["valueType"] = value_type if own_value and value_type not in NUMERIC_TYPES else "NUMBER"
    if item.kind in {ItemKind.DATA_ELEMENT, ItemKind.PROGRAM_DATA_ELEMENT}:
        found["aggregationType"] = body.get("aggregationType")
        found["totalAggregationType"] = "SUM" if body.get("aggregationType") != "AVERAGE" else "AVERAGE"
    else:
        number = model.body("indicatorTypes", reference(body, "indicatorType") or "").get("number")
        found["totalAggregationType"] = "SUM" if number or item.kind is ItemKind.OPERAND else "AVERAGE"
    if item.kind is ItemKind.INDICATOR:
        kind = model.body("indicatorTypes", reference(body, "indicatorType") or "")
        found["indicatorType"] = {
            "name": kind.get("name"), "displayName": kind.get("name"), "factor": kind.get("factor"),
            "number": bool(kind.get("number")),
        }  # fmt: skip
    return found


def is_aggregatable(body: JsonObject) -> bool:
    """May the values of an element be aggregated? With NONE only what is no number may be asked for, as it stands."""
    value_type = body.get("valueType")
    if body.get("aggregationType") == "NONE":
        return value_type not in NUMERIC_TYPES | BOOLEAN_TYPES | _NOT_AGGREGATABLE
    return value_type not in _NOT_AGGREGATABLE
