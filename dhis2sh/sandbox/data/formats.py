"""Data value sets as CSV, XML (dxf2) and ADX: reading what is posted, writing what is asked for.

All of them become, or are made from, the JSON form: an envelope with `dataValues`.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import orjson

from dhis2sh.dhis2.periods import Period
from dhis2sh.sandbox.data.model import Model, read_period, references
from dhis2sh.sandbox.http.bodies import parse_xml
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from dhis2sh.sandbox.data.values import Value
    from dhis2sh.types import JsonObject, JsonValue

DXF = "http://dhis2.org/schema/dxf/2.0"
ADX = "urn:ihe:qrph:adx:2015"
CSV_HEADER = (
    "dataelement", "period", "orgunit", "categoryoptioncombo", "attributeoptioncombo", "value", "storedby",
    "lastupdated", "comment", "followup", "deleted",
)  # fmt: skip
_NAMES = (
    "dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo", "value", "storedBy",
    "lastUpdated", "comment", "followup", "deleted",
)  # fmt: skip
_XML = (*_NAMES[:7], "created", "lastUpdated", "comment", "followUp", "deleted")
"""What a value has in XML, in its order."""
_ENVELOPE = (
    "dataSet", "completeDate", "period", "orgUnit", "attributeOptionCombo", "idScheme", "dataSetIdScheme",
    "dataElementIdScheme", "orgUnitIdScheme", "categoryOptionComboIdScheme",
)  # fmt: skip


def _unexpected(text: str, position: int) -> str:
    """What 2.43 says of a character that it did not expect."""
    wanted = '"' if text[:position].rstrip().endswith(("{", ",")) else ","
    return f"Unexpected character at position {position},\n{text}\n{' ' * position}^ expected `{wanted}`"


def read_json(raw: bytes, *, strict: bool = False) -> JsonObject:
    """Read a JSON set. Raises `Refused`.

    Parameters:
        strict: in the words of 2.43.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if strict:
            raise Refused(400, _unexpected(error.doc, error.pos)) from None
        raise Refused(400, "Post-condition was null") from None
    if not isinstance(body, dict):
        raise Refused(400, "Post-condition was null")
    return cast("JsonObject", body)


def items_of(body: Mapping[str, JsonValue], name: str) -> list[JsonObject]:
    """The objects of a list; none when it is not there. Raises `Refused`."""
    found = body.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Refused(400, f"Cannot deserialize value of `{name}`")
    return cast("list[JsonObject]", found)


def texts_of(body: Mapping[str, JsonValue], name: str) -> list[str]:
    """The texts of a list; none when it is not there. Raises `Refused`."""
    found = body.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Refused(400, f"Cannot deserialize value of `{name}`")
    return cast("list[str]", found)


def read_csv(raw: bytes, *, header: bool = True) -> JsonObject:
    """Read a CSV set: columns by position, with a first row of names or without."""
    rows = csv.reader(io.StringIO(raw.decode(errors="replace")))
    items: list[JsonValue] = []
    for number, row in enumerate(rows):
        if not row or (header and number == 0):
            continue
        items.append({name: text for name, text in zip(_NAMES, row, strict=False) if text != ""})
    return {"dataValues": items}


def read_named_csv(raw: bytes) -> tuple[JsonObject, dict[str, str | None]]:
    """Read a CSV set whose first row names the columns, and what its first row has in columns that are none of a value's."""
    known = {name.lower(): name for name in _NAMES}
    items: list[JsonValue] = []
    others: dict[str, str | None] = {}
    for row in csv.DictReader(io.StringIO(raw.decode(errors="replace"))):
        cells = {str(name).strip(): text for name, text in row.items()}
        items.append({known[name.lower()]: text for name, text in cells.items() if name.lower() in known and text})
        if not others:
            others = {name: text or None for name, text in cells.items() if name.lower() not in known}
    return {"dataValues": items}, others


def read_xml(raw: bytes) -> JsonObject:
    """Read a dxf2 set: attributes of `dataValueSet` and `dataValue`. Raises `Refused`."""
    root = parse_xml(raw)
    body: JsonObject = {name: text for name in _ENVELOPE if (text := root.get(name))}
    body["dataValues"] = [
        {name: text for name in _NAMES if (text := element.get(name)) is not None}
        for element in root.iter()
        if _local(element.tag) == "dataValue"
    ]
    return body


def read_elements(raw: bytes, name: str) -> list[dict[str, str]]:
    """The attributes of every XML element of a name. Raises `Refused`."""
    return [dict(element.attrib) for element in parse_xml(raw).iter() if _local(element.tag) == name]


def read_adx(raw: bytes, model: Model) -> list[JsonObject]:
    """Read ADX: one set a `group`. Periods are intervals (`2025-01-01/P1M`); identifiers are codes or UIDs.

    Raises `Refused`.
    """
    found: list[JsonObject] = []
    for group in (element for element in parse_xml(raw).iter() if _local(element.tag) == "group"):
        body: JsonObject = {"dataValues": []}
        for name, plural, key in (("dataSet", "dataSets", "dataSet"), ("orgUnit", "organisationUnits", "orgUnit")):
            uid = model.resolve(plural, "UID", text := group.get(name, "")) or model.resolve(plural, "CODE", text)
            if uid is None:  # the server says so among its conflicts, without a code
                raise Refused(400, f"ADX group: there is no {name} `{text}`")
            body[key] = uid
        body["period"] = _adx_period(group.get("period", ""))
        if text := group.get("completeDate"):
            body["completeDate"] = text
        for element in group:
            item: JsonObject = {"value": element.get("value")}
            text = element.get("dataElement", "")
            item["dataElement"] = (
                model.resolve("dataElements", "UID", text) or model.resolve("dataElements", "CODE", text) or text
            )
            combo = _adx_combo(element, model, str(item["dataElement"]))
            if combo:
                item["categoryOptionCombo"] = combo
            cast("list[JsonValue]", body["dataValues"]).append(item)
        found.append(body)
    return found


def _adx_combo(element: ElementTree.Element, model: Model, data_element: str) -> str | None:
    """The option combo that an ADX value names by category code and option code."""
    options: list[str] = []
    for name, text in element.attrib.items():
        if name in {"dataElement", "value"}:
            continue
        option = model.resolve("categoryOptions", "UID", text) or model.resolve("categoryOptions", "CODE", text)
        if option:
            options.append(option)
    return model.attribute_combo(model.category_combo(data_element), options) if options else None


_DURATIONS = {
    "P1D": "Daily", "P7D": "Weekly", "P14D": "BiWeekly", "P1M": "Monthly", "P2M": "BiMonthly", "P3M": "Quarterly",
    "P6M": "SixMonthly", "P1Y": "Yearly",
}  # fmt: skip


def _adx_period(text: str) -> str:
    """The ISO form of an ADX interval; anything else is passed on."""
    start, _, duration = text.partition("/")
    kind = _DURATIONS.get(duration)
    if kind is None:
        return text
    try:
        return Period.of(kind, dt.date.fromisoformat(start)).iso
    except ValueError:
        return text


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


# Writing -------------------------------------------------------------------------------------------------------------


def write_csv(found: Iterable[Value], *, named: bool) -> str:
    """The header, then one line a value; texts with commas, quotes or newlines are quoted.

    Parameters:
        named: as 2.43, which says of every value whether it is deleted, and follow-up only where it is asked for.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    asked, unasked = ("true", "" if named else "false")
    gone, there = ("true", "false" if named else "null")
    for one in found:
        marks = (asked if one.follow_up else unasked, gone if one.deleted else there)
        writer.writerow((*one.key, one.value, one.stored_by, one.last_updated, one.comment, *marks))
    return out.getvalue()


def _csv(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def write_xml(envelope: Mapping[str, JsonValue], found: Iterable[JsonObject]) -> str:
    """A dxf2 document of values as JSON shows them."""
    attributes = "".join(f" {name}={quoteattr(str(text))}" for name, text in envelope.items() if text is not None)
    rows: list[str] = []
    for one in found:
        body = {"followUp" if name == "followup" else name: cell for name, cell in one.items()}
        cells = "".join(f" {name}={quoteattr(_csv(cell))}" for name in _XML if (cell := body.get(name)) is not None)
        rows.append(f"<dataValue{cells}/>")
    head = f"<?xml version='1.0' encoding='UTF-8'?><dataValueSet xmlns=\"{DXF}\"{attributes}"
    return f"{head}>{''.join(rows)}</dataValueSet>" if rows else f"{head}/>"


def write_adx(found: Iterable[Value], model: Model, data_sets: list[str]) -> str:
    """An ADX document: one group for each data set, period, org unit and attribute option combo."""
    groups: dict[tuple[str, str, str, str], list[Value]] = {}
    for value in found:
        named = [uid for uid in model.data_sets_of.get(value.key.data_element, []) if not data_sets or uid in data_sets]
        for data_set in named[:1]:
            key = (data_set, value.key.period, value.key.org_unit, value.key.attribute_option_combo)
            groups.setdefault(key, []).append(value)
    if not groups:
        return f'<adx xmlns="{ADX}"/>'
    rows: list[str] = []
    for (data_set, period, unit, combo), members in groups.items():
        attributes = {
            "dataSet": model.identifier("dataSets", "CODE", data_set),
            "period": adx_interval(period),
            "orgUnit": model.identifier("organisationUnits", "CODE", unit),
        } | _adx_options(model, combo)
        head = "".join(f" {name}={quoteattr(text)}" for name, text in attributes.items())
        inner = "".join(_adx_value(model, value) for value in members)
        rows.append(f"<group{head}>{inner}</group>")
    return f'<adx xmlns="{ADX}">{"".join(rows)}</adx>'


def _adx_value(model: Model, value: Value) -> str:
    attributes = {
        "dataElement": model.identifier("dataElements", "CODE", value.key.data_element),
        "value": value.value or "",
    } | _adx_options(model, value.key.category_option_combo)
    return "<dataValue" + "".join(f" {name}={quoteattr(text)}" for name, text in attributes.items()) + "/>"


def _adx_options(model: Model, combo: str) -> dict[str, str]:
    """Category code to option code, for a combo that is not the default one."""
    if combo == DEFAULT_OPTION_COMBO:
        return {}
    options = references(model.body("categoryOptionCombos", combo), "categoryOptions")
    found: dict[str, str] = {}
    for category, body in model.store.objects("categories").items():
        for option in references(body, "categoryOptions"):
            if option in options:
                found[model.identifier("categories", "CODE", category)] = model.identifier(
                    "categoryOptions", "CODE", option
                )
    return found


def adx_interval(text: str) -> str:
    """A period as ADX writes it: its first day and how long it lasts."""
    period = read_period(text)
    durations = {name: duration for duration, name in _DURATIONS.items()}
    return text if period is None else f"{period.start}/{durations.get(period.type.name, 'P1Y')}"
