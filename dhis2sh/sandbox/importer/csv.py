"""Metadata from CSV (`classKey`) and GML: rows and features as the objects that the importer takes (api-facts b.1)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.bodies import parse_xml
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.fresh import DEFAULT_CATEGORY_COMBO

if TYPE_CHECKING:
    from xml.etree import ElementTree

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

type Bundle = dict[str, list[JsonObject]]
type _Cell = Callable[[str], JsonValue]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a CSV, found by its place.

    Parameters:
        path: the property; dots lead into embedded values.
        default: what an empty cell means; None for nothing.
        length: longer texts are cut.
        read: makes the property's value of the text.
    """

    path: str
    default: str | None = None
    length: int | None = None
    read: _Cell = str


def _yes(text: str) -> JsonValue:
    return text.strip().lower() == "true"


def _reference(text: str) -> JsonValue:
    return {"id": text}


def _upper(text: str) -> JsonValue:
    return text.upper()


_NAMED = (Column("name", None, 230), Column("id", None, 11), Column("code", None, 50))
"""The first columns of every object."""
_SHORT = Column("shortName", "=name", 50)
_NOTHING = Column("")
TABLES: Mapping[str, tuple[str, tuple[Column, ...]]] = {
    "DATA_ELEMENT": ("dataElements", (
        _SHORT, Column("description"), Column("formName", None, 230), Column("domainType", "AGGREGATE", 16, _upper),
        Column("valueType", "INTEGER", 50), Column("aggregationType", "SUM", 50),
        Column("categoryCombo", DEFAULT_CATEGORY_COMBO, 11, _reference), Column("url", None, 255),
        Column("zeroIsSignificant", "false", None, _yes), Column("optionSet", None, 11, _reference),
        Column("commentOptionSet", None, 11, _reference),
    )),
    "DATA_ELEMENT_GROUP": ("dataElementGroups", (_SHORT,)),
    "CATEGORY_OPTION": ("categoryOptions", (_SHORT,)),
    "CATEGORY": ("categories", (
        Column("description", None, 255), Column("dataDimensionType", "DISAGGREGATION", 40),
        Column("dataDimension", "false", 40, _yes),
    )),
    "CATEGORY_COMBO": ("categoryCombos", (
        Column("dataDimensionType", "DISAGGREGATION", 40), Column("skipTotal", "false", 40, _yes),
    )),
    "CATEGORY_OPTION_GROUP": ("categoryOptionGroups", (_SHORT,)),
    "ORGANISATION_UNIT": ("organisationUnits", (
        Column("parent", None, 230, _reference), _SHORT, Column("description"), Column("openingDate", "1970-01-01"),
        Column("closedDate"), Column("comment"), Column("geometry.type", "NONE", 50), Column("geometry.coordinates"),
        Column("url", None, 255), Column("contactPerson", None, 255), Column("address", None, 255),
        Column("email", None, 150), Column("phoneNumber", None, 150),
    )),
    "ORGANISATION_UNIT_GROUP": ("organisationUnitGroups", (_SHORT,)),
    "VALIDATION_RULE": ("validationRules", (
        Column("description", None, 255), Column("instruction", None, 255), Column("importance", "MEDIUM", 255), _NOTHING,
        Column("operator", "equal_to", 255), Column("periodType", "Monthly", 255), Column("leftSide.expression", None, 255),
        Column("leftSide.description", None, 255), Column("leftSide.missingValueStrategy", "NEVER_SKIP", 50),
        Column("rightSide.expression", None, 255), Column("rightSide.description", None, 255),
        Column("rightSide.missingValueStrategy", "NEVER_SKIP", 50),
    )),
    "OPTION_GROUP_SET": ("optionGroupSets", (
        Column("dataDimension", "false", 40, _yes), Column("description"), Column("optionSet", None, 11, _reference),
    )),
}  # fmt: skip
"""The columns of each class after name, UID and code."""
MEMBERSHIPS: Mapping[str, tuple[str, str]] = {
    "ORGANISATION_UNIT_GROUP_MEMBERSHIP": ("organisationUnitGroups", "organisationUnits"),
    "DATA_ELEMENT_GROUP_MEMBERSHIP": ("dataElementGroups", "dataElements"),
    "INDICATOR_GROUP_MEMBERSHIP": ("indicatorGroups", "indicators"),
    "OPTION_GROUP_SET_MEMBERSHIP": ("optionGroupSets", "optionGroups"),
}
"""Classes of two columns: the UID of a group and of a member."""
CLASSES = (
    "ORGANISATION_UNIT_GROUP_MEMBERSHIP", "DATA_ELEMENT_GROUP_MEMBERSHIP", "INDICATOR_GROUP_MEMBERSHIP", "DATA_ELEMENT",
    "DATA_ELEMENT_GROUP", "CATEGORY_OPTION", "CATEGORY", "CATEGORY_COMBO", "CATEGORY_OPTION_GROUP", "ORGANISATION_UNIT",
    "ORGANISATION_UNIT_GROUP", "VALIDATION_RULE", "OPTION_SET", "OPTION_GROUP", "OPTION_GROUP_SET",
    "OPTION_GROUP_SET_MEMBERSHIP", "INDICATOR",
)  # fmt: skip
"""The class keys, in the server's order; INDICATOR is known and read by nothing."""


def bundle_of(store: Store, raw: bytes, key: str, *, header: bool) -> Bundle:
    """The objects in a CSV.

    Parameters:
        key: one of `CLASSES`.
        header: the first row names the columns; they count by their place all the same.

    Raises `Refused`.
    """
    rows = [row for row in csv.reader(io.StringIO(raw.decode("utf-8-sig"))) if row][1 if header else 0 :]
    if key in TABLES:
        plural, columns = TABLES[key]
        return {plural: [_object((*_NAMED, *columns), row) for row in rows]}
    if key in MEMBERSHIPS:
        return _memberships(store, *MEMBERSHIPS[key], rows)
    if key == "OPTION_SET":
        return _option_sets(rows)
    return _option_groups(store, rows) if key == "OPTION_GROUP" else {}


def _cell(row: list[str], at: int, length: int | None = None) -> str | None:
    text = row[at] if at < len(row) and row[at].strip() else None
    return text[:length] if text is not None and length is not None else text


def _object(columns: Iterable[Column], row: list[str]) -> JsonObject:
    body: JsonObject = {}
    for at, column in enumerate(columns):
        if not column.path:
            continue
        default = body.get("name") if column.default == "=name" else column.default
        text = _cell(row, at) or cast("str | None", default)
        if text is not None:
            *parents, name = column.path.split(".")
            holder = body
            for part in parents:
                holder = cast("JsonObject", holder.setdefault(part, {}))
            holder[name] = column.read(text[: column.length])
    body.setdefault("id", generate_uid())
    if "geometry" in body:
        _read_geometry(body)
    return body


_GEOMETRIES = {"POINT": "Point", "MULTI_POLYGON": "MultiPolygon", "POLYGON": "Polygon", "SYMBOL": "Symbol"}


def _read_geometry(body: JsonObject) -> None:
    """The two cells of a geometry as GeoJSON; without coordinates there is none. Raises `Refused`."""
    cells = cast("JsonObject", body.pop("geometry"))
    kind, text = str(cells.get("type")), cells.get("coordinates")
    if kind != "NONE" and kind not in _GEOMETRIES:
        raise Refused(409, f"No enum constant org.hisp.dhis.organisationunit.FeatureType.{kind}")
    if kind == "NONE" or not text:
        return
    try:
        body["geometry"] = {"type": _GEOMETRIES[kind], "coordinates": json.loads(str(text))}
    except ValueError as error:
        raise Refused(409, f"The coordinates of {body.get('name')} are no JSON: {error}") from None


def _memberships(store: Store, plural: str, members: str, rows: list[list[str]]) -> Bundle:
    """Groups with further members; a group that does not exist is left out without a word."""
    found: dict[str, JsonObject] = {}
    for row in rows:
        group, member = _cell(row, 0, 11), _cell(row, 1, 11)
        stored = store.get(plural, group) if group is not None else None
        if stored is None or group is None or member is None:
            continue
        body = found.setdefault(group, {**stored, members: list(cast("list[JsonValue]", stored.get(members) or []))})
        listed = cast("list[JsonValue]", body[members])
        if {"id": member} not in listed:
            listed.append({"id": member})
    return {plural: list(found.values())}


def _option_sets(rows: list[list[str]]) -> Bundle:
    """One row for each option, with its set before it; rows of one name are one set."""
    sets: dict[str, JsonObject] = {}
    options: list[JsonObject] = []
    for row in rows:
        owner = _object(_NAMED, row)
        option: JsonObject = {
            "id": _cell(row, 4, 11) or generate_uid(),
            "name": _cell(row, 3, 230),
            "code": _cell(row, 5, 50),
        }
        if owner.get("name") is None or option["code"] is None:
            continue
        known = sets.setdefault(str(owner["name"]), {**owner, "valueType": "TEXT", "options": []})
        listed = cast("list[JsonValue]", known["options"])
        listed.append({"id": option["id"]})
        options.append({**option, "optionSet": {"id": known["id"]}, "sortOrder": len(listed)})
    return {"options": options, "optionSets": list(sets.values())}


def _option_groups(store: Store, rows: list[list[str]]) -> Bundle:
    """One row for each member: the group, its short name, the option set, the option by UID or code."""
    groups: dict[str, JsonObject] = {}
    for row in rows:
        group = {**_object(_NAMED, row), "shortName": _cell(row, 3, 50)}
        owner = store.get("optionSets", _cell(row, 4, 11) or "")
        if group.get("name") is None or group["shortName"] is None or owner is None:
            continue
        members = [
            store.get("options", str(one["id"])) or {} for one in cast("list[JsonObject]", owner.get("options") or [])
        ]
        uid, code = _cell(row, 5, 11), _cell(row, 6, 50)
        option = next((one for one in members if (one.get("id") == uid if uid else one.get("code") == code)), None)
        if option is None:
            continue
        known = groups.setdefault(str(group["name"]), {**group, "optionSet": {"id": owner["id"]}, "options": []})
        cast("list[JsonValue]", known["options"]).append({"id": option["id"]})
    return {"optionGroups": list(groups.values())}


# GML -------------------------------------------------------------------------------------------------------------------------


def units_of_gml(store: Store, raw: bytes) -> Bundle:
    """The org units that a GML document has geometries for, found by UID, code or name. Raises `Refused`."""
    try:
        root = parse_xml(raw)
    except Refused as no:
        raise Refused(409, no.message) from None
    units = store.objects("organisationUnits").values()
    found: list[JsonObject] = []
    for feature in (child for member in root.iter() if _tag(member) == "featureMember" for child in member):
        texts = {_tag(part).lower(): (part.text or "").strip() for part in feature.iter()}
        for name in ("id", "code", "name"):
            wanted = texts.get("uid") if name == "id" else texts.get(name)
            unit = next((unit for unit in units if wanted and unit.get(name) == wanted), None)
            if unit is not None:
                geometry = _geometry(feature)
                found.append({**unit, **({"geometry": geometry} if geometry else {})})
                break
    return {"organisationUnits": found}


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _geometry(feature: ElementTree.Element) -> JsonValue:
    """The geometry of a feature as GeoJSON: polygons together as one, else a point."""
    polygons = [_rings(part) for part in feature.iter() if _tag(part) == "Polygon"]
    if polygons:
        return {"type": "MultiPolygon", "coordinates": polygons}
    points = [_positions(part) for part in feature.iter() if _tag(part) == "Point"]
    return {"type": "Point", "coordinates": cast("list[JsonValue]", points[0])[0]} if points else None


def _rings(polygon: ElementTree.Element) -> JsonValue:
    return [_positions(ring) for ring in polygon.iter() if _tag(ring) == "LinearRing"]


def _positions(element: ElementTree.Element) -> JsonValue:
    """`x,y x,y` of `coordinates`, or the numbers of `posList` and `pos` two by two. Raises `Refused`."""
    found: list[list[float]] = []
    for part in element.iter():
        text = part.text or ""
        if _tag(part) not in {"coordinates", "posList", "pos"}:
            continue
        try:
            numbers = [float(word) for word in text.replace(",", " ").split()]
        except ValueError:
            raise Refused(409, f"Coordinates that are no numbers: {text.strip()[:40]}") from None
        found += [[x, y] for x, y in zip(numbers[::2], numbers[1::2], strict=False)]
    return cast("JsonValue", found)
