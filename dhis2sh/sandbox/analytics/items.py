"""Data items of the dimension `dx`: elements, operands, indicators, reporting rates, program items."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.data.model import references

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

    A group (`DE_GROUP-uid`, `IN_GROUP-uid`) stands for its members, `element.*` for every operand.
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
        third = parts[2] if len(parts) == 3 else None
        for combo in model.option_combos(first) if second == "*" else [second]:
            if model.exists("categoryOptionCombos", combo):
                name = f"{first}.{combo}" + (f".{third}" if third else "")
                yield DataItem(ItemKind.OPERAND, name, first, combo, None if third in {None, "*"} else third)
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
        return f"{own} {model.name('categoryOptionCombos', item.combo or '')}"
    if item.kind is ItemKind.REPORTING_RATE:
        return f"{own} - {RATES[item.metric]}"
    if item.program:
        return f"{named('programs', item.program)} {own}"
    return own


def item_details(model: Model, item: DataItem) -> JsonObject:
    """What `includeMetadataDetails` adds to an item."""
    body = model.body(item.plural, item.uid)
    found: JsonObject = {"uid": item.id}
    if body.get("code"):
        found["code"] = body["code"]
    found["dimensionItemType"] = item.kind.value
    if item.kind in {ItemKind.DATA_ELEMENT, ItemKind.PROGRAM_DATA_ELEMENT, ItemKind.PROGRAM_ATTRIBUTE}:
        found["valueType"] = body.get("valueType")
    else:
        found["valueType"] = "NUMBER"
    if item.kind in {ItemKind.DATA_ELEMENT, ItemKind.PROGRAM_DATA_ELEMENT}:
        found["aggregationType"] = body.get("aggregationType")
        found["totalAggregationType"] = "SUM" if body.get("aggregationType") != "AVERAGE" else "AVERAGE"
    else:
        found["totalAggregationType"] = "AVERAGE" if item.kind is not ItemKind.OPERAND else "SUM"
    if item.kind is ItemKind.INDICATOR:
        kind = body.get("indicatorType")
        reference = model.body("indicatorTypes", str(kind.get("id"))) if isinstance(kind, dict) else {}
        found["indicatorType"] = {
            "name": reference.get("name"), "displayName": reference.get("name"), "factor": reference.get("factor"),
            "number": bool(reference.get("number")),
        }  # fmt: skip
    return found


def is_aggregatable(body: JsonObject) -> bool:
    """May the values of an element be aggregated?"""
    return body.get("valueType") not in _NOT_AGGREGATABLE
