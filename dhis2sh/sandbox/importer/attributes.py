"""The checks of attribute values in an import: mandatory, unique, assigned to the type, of the attribute's value type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.report import ErrorReport
from dhis2sh.sandbox.metadata.value_types import problem

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue

VALUE_KLASS, ATTRIBUTE_KLASS = "org.hisp.dhis.attribute.AttributeValue", "org.hisp.dhis.attribute.Attribute"
CODES: Mapping[str, str] = {
    "INTEGER": "E6006", "INTEGER_POSITIVE": "E6007", "NUMBER": "E6008", "INTEGER_ZERO_OR_POSITIVE": "E6009",
    "PERCENTAGE": "E6010", "UNIT_INTERVAL": "E6011", "INTEGER_NEGATIVE": "E6013", "DATE": "E6014",
    "DATETIME": "E6015", "BOOLEAN": "E6016", "EMAIL": "E6018", "PHONE_NUMBER": "E6021",
}  # fmt: skip
"""The code for a value that does not fit the attribute's value type."""
ENTITIES: Mapping[str, tuple[str, str]] = {
    "ORGANISATION_UNIT": ("organisationUnits", "org.hisp.dhis.organisationunit.OrganisationUnit"),
    "FILE_RESOURCE": ("fileResources", "org.hisp.dhis.fileresource.FileResource"),
}
"""Value types that name an object: its type and Java class (E6019)."""
GEOMETRIES = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


def values(body: JsonObject) -> list[tuple[str, str]]:
    """The attribute values of an object: UID of the attribute, value."""
    rows = cast("list[JsonObject]", body.get("attributeValues") or [])
    return [(str(cast("JsonObject", row["attribute"])["id"]), str(row["value"])) for row in rows]


def flag(resource: Resource) -> str:
    """The property of an attribute that assigns it to a type (`dataElementAttribute`)."""
    return f"{resource.singular}Attribute"


def _attributes(bundle: Bundle, resource: Resource) -> Iterator[JsonObject]:
    """The attributes that are for a type, those of the payload among them."""
    sent = {item.uid: item.body for item in bundle.items.get("attributes", [])}
    for attribute in {**bundle.store.objects("attributes"), **sent}.values():
        if attribute.get(flag(resource)):
            yield attribute


def check_mandatory(bundle: Bundle, item: Item) -> None:
    """E4011: a mandatory attribute without a value."""
    if "attributeValues" not in item.resource.properties:
        return
    given = dict(values(item.body))
    for attribute in _attributes(bundle, item.resource):
        if attribute.get("mandatory") and attribute["id"] not in given:
            item.refuse("E4011", attribute.get("name"), prop="attributeValues")


def check_unique(bundle: Bundle, item: Item) -> None:
    """E4009: a value of a unique attribute that another object has."""
    resource = item.resource
    if "attributeValues" not in resource.properties:
        return
    given = dict(values(item.body))
    for attribute in _attributes(bundle, resource):
        uid = str(attribute["id"])
        if attribute.get("unique") and uid in given:
            others = bundle.store.objects(resource.plural).values()
            if any(other["id"] != item.uid and (uid, given[uid]) in values(other) for other in others):
                item.refuse("E4009", attribute.get("name"), given[uid], prop=str(attribute.get("name")))


def check_attribute_values(bundle: Bundle, item: Item) -> None:
    """E6012: an attribute that is not for this type; E6004 to E6021: a value that does not fit its value type."""
    if "attributeValues" not in item.resource.properties:
        return
    for uid, text in values(item.body):
        attribute = bundle.get("attributes", uid)
        if attribute is None or not attribute.get(flag(item.resource)):
            report = ErrorReport("E6012", [uid, item.resource.model], ATTRIBUTE_KLASS)
        else:
            report = _problem(bundle, str(attribute.get("valueType")), text)
        if report is not None:
            item.errors.append(report)
            item.kept = False


def _problem(bundle: Bundle, value_type: str, text: str) -> ErrorReport | None:
    found: tuple[str, list[JsonValue]] | None = None
    if value_type == "TRUE_ONLY":
        found = None if text == "true" else ("E6017", [text])
    elif value_type == "GEOJSON":
        code = geojson_error(text)
        return ErrorReport(code, [text], ATTRIBUTE_KLASS, prop="value", main_id=text) if code else None
    elif value_type == "USERNAME":
        known = any(user.get("username") == text for user in bundle.store.objects("users").values())
        found = None if known else ("E6020", [text])
    elif value_type in ENTITIES:
        plural, klass = ENTITIES[value_type]
        found = None if bundle.get(plural, text) is not None else ("E6019", [klass, text])
    elif value_type in CODES:
        wrong = problem(text, value_type) is not None or (value_type == "DATETIME" and not _MOMENT.fullmatch(text))
        found = (CODES[value_type], [text]) if wrong else None
    return ErrorReport(*found, VALUE_KLASS) if found else None


def geojson_error(text: str) -> str | None:
    """E6004 for what is no GeoJSON geometry, E6005 for a kind that attributes cannot hold, None for a good one."""
    try:
        body = json.loads(text)
    except ValueError:
        return "E6004"
    shape = cast("JsonObject", body) if isinstance(body, dict) else {}
    if shape.get("type") in GEOMETRIES:
        return None if shape.get("coordinates") else "E6004"
    return "E6005" if "type" in shape else "E6004"
