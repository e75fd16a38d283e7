"""The axes of a favourite (chart, map layer, event report): its stored lists as dimensions with their items."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import Period, RelativePeriod
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.sandbox.metadata.period_names import period_name
from dhis2sh.sandbox.store.references import id_of, ids, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dhis2sh.models.facts import Resource
    from dhis2sh.sandbox.metadata.lookup import Lookup
    from dhis2sh.types import JsonObject, JsonValue

AXES = {"columns": "columnDimensions", "rows": "rowDimensions", "filters": "filterDimensions"}
"""The axes and the lists that keep their dimensions' names."""
DATA_ITEMS = {
    "dataElement": ("dataElements", "DATA_ELEMENT"),
    "dataElementOperand": ("dataElementOperands", "DATA_ELEMENT_OPERAND"),
    "expressionDimensionItem": ("expressionDimensionItems", "EXPRESSION_DIMENSION_ITEM"),
    "indicator": ("indicators", "INDICATOR"),
    "programIndicator": ("programIndicators", "PROGRAM_INDICATOR"),
}
"""What a row of `dataDimensionItems` can hold: the type, and what the row calls it."""
SETS = {
    "categories": ("categoryDimensions", "category", "categoryOptions"),
    "categoryOptionGroupSets": ("categoryOptionGroupSetDimensions", "categoryOptionGroupSet", "categoryOptionGroups"),
    "dataElementGroupSets": ("dataElementGroupSetDimensions", "dataElementGroupSet", "dataElementGroups"),
    "organisationUnitGroupSets": ("organisationUnitGroupSetDimensions", "organisationUnitGroupSet",
                                  "organisationUnitGroups"),
}  # fmt: skip
"""By type of a dimension the list that keeps its items, and the names in its rows."""
USER_UNITS = {
    "USER_ORGUNIT": "userOrganisationUnit", "USER_ORGUNIT_CHILDREN": "userOrganisationUnitChildren",
    "USER_ORGUNIT_GRANDCHILDREN": "userOrganisationUnitGrandChildren",
}  # fmt: skip
NOT_IN_LISTS = {"eventCharts", "eventReports", "eventVisualizations", "mapViews"}
"""Types whose axes are worked out for a single object only."""
_ELEMENTS = re.compile(r"#\{(\w{11})")
_RELATIVE = {period.value for period in RelativePeriod}


def axis(dimensions: str, usual: tuple[str, ...] = ()) -> Callable[[Lookup, Resource, JsonObject], JsonValue]:
    """What computes an axis.

    Parameters:
        dimensions: the list that keeps its dimensions' names.
        usual: what it has where nothing is stored.
    """

    def compute(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
        if not r.single and t.plural in NOT_IN_LISTS:
            return []
        return [_dimension(r, b, str(name)) for name in cast("list[JsonValue]", b.get(dimensions) or usual)]

    return compute


def _dimension(r: Lookup, b: JsonObject, name: str) -> JsonObject:
    shown: JsonObject = {"id": name, "dimension": name, "items": list(_items(r, b, name))}
    for held, inner in (("dataElementDimensions", "dataElement"), ("attributeDimensions", "attribute")):
        for row in rows(b.get(held)):
            if id_of(row.get(inner)) == name:
                shown |= {part: row[part] for part in ("programStage", "filter") if part in row}
    return shown


def _items(r: Lookup, b: JsonObject, name: str) -> Iterator[JsonObject]:
    if name == "dx":
        yield from _data_items(r, b)
    elif name == "pe":
        named = [str(one) for one in cast("list[JsonValue]", b.get("rawPeriods") or [])]
        for period in named or ids(b.get("periods")):
            yield {"id": period, "name": period}
    else:
        for uid in _units(b) if name == "ou" else _members(b, name):
            yield {"id": uid}


def _units(b: JsonObject) -> Iterator[str]:
    """The items of `ou`: units, and words for the user's own, for levels and for groups."""
    yield from ids(b.get("organisationUnits"))
    yield from (word for word, prop in USER_UNITS.items() if b.get(prop))
    for level in cast("list[JsonValue]", b.get("organisationUnitLevels") or []):
        yield f"LEVEL-{level}"
    for uid in ids(b.get("itemOrganisationUnitGroups")):
        yield f"OU_GROUP-{uid}"


def _members(b: JsonObject, name: str) -> Iterator[str]:
    """The items of a category or a group set."""
    for held, one, many in SETS.values():
        for row in rows(b.get(held)):
            if id_of(row.get(one)) == name:
                yield from ids(row.get(many))


def _data_items(r: Lookup, b: JsonObject) -> Iterator[JsonObject]:
    """The data items that a reader sees: the elements that a calculation brought with it are not among them."""
    held = rows(b.get("dataDimensionItems"))
    calculations = [r.find("expressionDimensionItems", str(id_of(row.get("expressionDimensionItem")))) for row in held]
    brought = {uid for one in calculations if one for uid in elements_of(one)}
    for row in held:
        inner = next((name for name in DATA_ITEMS if name in row), None)
        uid = id_of(row.get(inner)) if inner is not None else None
        if inner is None or uid is None or (inner == "dataElement" and uid in brought):
            continue
        known = r.find(DATA_ITEMS[inner][0], uid) or {}
        yield {"id": uid, "dimensionItem": uid, "dimensionItemType": DATA_ITEMS[inner][1],
               **{label: known["name"] for label in ("name", "displayName") if "name" in known}}  # fmt: skip


def elements_of(calculation: JsonObject) -> list[str]:
    """The data elements that a calculation counts with, in its order."""
    return list(dict.fromkeys(_ELEMENTS.findall(str(calculation.get("expression") or ""))))


def fixed_periods(b: JsonObject, *, named: bool) -> list[JsonValue]:
    """`periods` of a favourite: those of its periods that are no relative ones.

    Parameters:
        named: with their names.
    """
    found: list[JsonValue] = []
    for text in cast("list[JsonValue]", b.get("rawPeriods") or []):
        if text not in _RELATIVE:
            found.append({"id": text, "name": _name_of(str(text))} if named else {"id": text})
    return found


def _name_of(text: str) -> str:
    try:
        return period_name(Period.parse(text))
    except ValueError:
        return text


def unit_word(text: str) -> tuple[str, str] | None:
    """What an item of `ou` that is no unit means: the property, and what is added to it; None for a unit."""
    if text in USER_UNITS:
        return USER_UNITS[text], ""
    head, _, rest = text.partition("-")
    if head == "LEVEL" and rest:
        return "organisationUnitLevels", rest
    if head == "OU_GROUP" and is_uid(rest):
        return "itemOrganisationUnitGroups", rest
    return None
