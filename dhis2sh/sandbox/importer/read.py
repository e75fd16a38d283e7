"""From what a client sent to owner JSON, as the server's JSON reader does it.

Unknown properties are dropped without a word, properties that another type owns too; a value of the wrong kind is refused
by the whole request. The schema decides; there is no code for a single type here.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.defaults import DEFAULTS, NO_INITIAL_VALUE, job_parameters
from dhis2sh.sandbox.java.moments import moment_of, text_of
from dhis2sh.sandbox.java.order import accepted
from dhis2sh.sandbox.java.reader import REDACTED, UNKNOWN
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.store.references import rows
from dhis2sh.sandbox.store.relations import inline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue

TEXTS = {"TEXT", "IDENTIFIER", "URL", "EMAIL", "PASSWORD", "PHONENUMBER", "COLOR", "GEOLOCATION"}
PERIOD_TYPES = frozenset(
    ["BiMonthly", "BiWeekly", "Daily", "FinancialApril", "FinancialJuly", "FinancialNov", "FinancialSep", "FinancialOct",
     "Monthly", "Quarterly", "QuarterlyNov", "SixMonthlyApril", "SixMonthlyNov", "SixMonthly", "TwoYearly", "Weekly",
     "WeeklySaturday", "WeeklySunday", "WeeklyThursday", "WeeklyWednesday", "Yearly"]
)  # fmt: skip
PERIOD_TYPE = "org.hisp.dhis.period.PeriodType"
_GEOMETRY = "org.locationtech.jts.geom.Geometry"
_ITEMS = {"java.util.List": "java.util.ArrayList", "java.util.Set": "java.util.HashSet"}
"""What the reader makes of a collection, as its complaints name it."""


class Unplaced(Refused):
    """A value that the reader has read and its type refuses: no place is named, and the status is its own."""


def unreadable(text: str) -> Refused:
    """A value that the server's JSON reader cannot make the property's type of.

    Parameters:
        text: the reader's words, with `{where}` for the place.
    """
    return Refused(500, text)


def placed(complaint: Refused, status: int, raw: bytes | None, *, past: bool = False) -> Refused:
    """What `unreadable` made, with the place of the value in what was sent.

    Parameters:
        status: that the request is answered with.
        raw: the request's body; None where the server no longer has the text.
        past: the place is behind the value: what reads a job's parameters has read on by then.
    """
    text = complaint.message or ""
    where = UNKNOWN
    if raw is not None:
        body, named = raw.decode(errors="replace"), re.search(r'\["(\w+)"\](?:->[\w.]+\[(\d+)\])?\)$', text)
        found = re.search(rf'"{named[1] if named else ""}"\s*:\s*', body)
        at = found.end() if found else 0
        if found is not None and named is not None and named[2] is not None:
            at = _item(body, at, int(named[2]))
        if past and (value := re.compile(r'"(?:[^"\\]|\\.)*"').match(body, at)):
            at = value.end()
        line, column = body.count("\n", 0, at) + 1, at - (body.rfind("\n", 0, at) + 1) + 1
        where = REDACTED.format(line=line, column=column)
    return Refused(status, text.replace("{where}", where))


def _item(body: str, at: int, number: int) -> int:
    """Where an item of a list of texts begins that opens at a place."""
    inside = re.compile(r"[\[,]\s*")
    for _ in range(number + 1):
        found = inside.search(body, at)
        at = found.end() if found is not None else at
    return at


class Reader:
    """Reads objects of every type.

    Parameters:
        resources: the schemas, by plural.
        status: that a request is answered with when a value in it cannot be read.
        raw: the request's body, to name the place of such a value in it; None where the server no longer has the text.
        places_geometry: a refused geometry is such a value too.
    """

    def __init__(
        self, resources: Mapping[str, Resource], status: int, raw: bytes | None = None, *, places_geometry: bool = False
    ) -> None:
        self._resources = resources
        self._places_geometry = places_geometry
        self._status = status
        self._raw = raw

    def read(self, resource: Resource, sent: JsonObject) -> JsonObject:
        """Owner JSON with the initial values of what was not sent. Raises `Refused` when a value cannot be read."""
        try:
            body = self._properties(resource, sent, [])
        except Refused as complaint:
            if isinstance(complaint, Unplaced) or complaint.status == 501:
                raise
            raise placed(complaint, self._status, self._raw) from None
        if resource.plural == "jobConfigurations":
            self._job(body)
        add_defaults(resource, body)
        return body

    def _job(self, body: JsonObject) -> None:
        """A job's parameters as its type's class has them."""
        try:
            parameters = job_parameters(str(body.get("jobType")), body.get("jobParameters"))
        except ValueError as complaint:
            raise placed(unreadable(str(complaint)), self._status, self._raw, past=True) from None
        if parameters is not None:
            body["jobParameters"] = parameters

    def _properties(self, resource: Resource, sent: JsonObject, chain: list[str]) -> JsonObject:
        body: JsonObject = {}
        plain = not resource.owner  # a value such as a style: its schema says of nothing that it owns it
        for name, value in sent.items():
            prop = resource.properties.get(name)
            if prop is None or value is None or not (prop.owner or plain):
                continue
            read = self._value(prop, value, [*chain, f'{resource.klass}["{name}"]'])
            if read is not None:
                body[name] = read
        return body

    def _value(self, prop: Property, value: JsonValue, chain: list[str]) -> JsonValue:
        if prop.name == "sharing":
            return read_sharing(value)
        if prop.name == "attributeValues":
            return _attribute_values(value)
        if prop.kind != "COLLECTION":
            return self._one(prop, prop.kind, prop.klass, value, chain)
        if not isinstance(value, list):
            raise _mismatch(prop.klass, value, chain)
        kind, klass, made = prop.item_kind or "TEXT", prop.item_klass or "", _ITEMS.get(prop.klass, prop.klass)
        items = [self._one(prop, kind, klass, item, [*chain, f"{made}[{at}]"]) for at, item in enumerate(value)]
        return [item for item in items if item is not None]

    def _one(self, prop: Property, kind: str, klass: str, value: JsonValue, chain: list[str]) -> JsonValue:
        if value is None:
            return None
        if kind == "REFERENCE" and prop.target == "users":
            return _reference(value, chain, klass)
        if kind in {"REFERENCE", "COMPLEX"}:
            target = self._resources.get(prop.target or "")
            if klass == _GEOMETRY:
                return self._geometry(value, chain)
            if target is None:
                return value
            if not isinstance(value, dict):
                raise _mismatch(klass, value, chain)
            if kind == "REFERENCE" and not inline(target):
                return _reference(value, chain, klass)
            inner = self._properties(target, value, chain)
            if "id" in value and "id" not in inner and target.identifiable:
                inner["id"] = value["id"]
            add_defaults(target, inner)
            return inner
        if klass == PERIOD_TYPE:
            return value if value in PERIOD_TYPES else None
        if kind in TEXTS:
            return _text(value, klass, chain)
        if kind == "CONSTANT":
            return _constant(prop, klass, value, chain)
        return _plain(kind, klass, value, chain)

    def _geometry(self, value: JsonValue, chain: list[str]) -> JsonValue:
        try:
            return read_geometry(value)
        except Unplaced as complaint:
            if self._places_geometry:
                raise unreadable(f"{complaint.message} (through reference chain: {'->'.join(chain)})") from None
            raise


def add_defaults(resource: Resource, body: JsonObject) -> None:
    """Add the initial values of what is missing in owner JSON."""
    for name, value in DEFAULTS.get(resource.plural, {}).items():
        body.setdefault(name, value)
    empty = NO_INITIAL_VALUE.get(resource.plural, frozenset())
    for name, prop in resource.properties.items():
        if prop.owner and prop.kind == "BOOLEAN" and name not in empty:
            body.setdefault(name, False)


def read_sharing(value: JsonValue) -> JsonObject:
    """Sharing as it is stored: every part there, users and groups keyed by UID. Raises `Refused` for what is none."""
    if not isinstance(value, dict):
        raise unreadable("Cannot construct instance of `org.hisp.dhis.user.sharing.Sharing`")
    shared: JsonObject = {"owner": value.get("owner"), "external": bool(value.get("external", False))}
    for part in ("users", "userGroups"):
        given = value.get(part) or {}
        shares = (
            given.items() if isinstance(given, dict) else [(str(row["id"]), row) for row in rows(given) if "id" in row]
        )
        shared[part] = {uid: {"id": uid, "access": row.get("access")} for uid, row in shares if isinstance(row, dict)}
    shared["public"] = value.get("public")
    return {name: part for name, part in shared.items() if part is not None}


def _attribute_values(value: JsonValue) -> JsonValue:
    """`[{value, attribute: {id}}]`; a map from UID to value is understood too."""
    if isinstance(value, dict):
        value = [{"value": text, "attribute": {"id": uid}} for uid, text in value.items()]
    found: list[JsonValue] = []
    for row in value if isinstance(value, list) else []:
        attribute = row.get("attribute") if isinstance(row, dict) else None
        uid = attribute.get("id") if isinstance(attribute, dict) else attribute
        if isinstance(row, dict) and isinstance(uid, str) and row.get("value") not in (None, ""):
            found.append({"value": str(row["value"]), "attribute": {"id": uid}})
    return found


def _reference(value: JsonValue, chain: list[str], klass: str) -> JsonValue:
    if not isinstance(value, dict):
        raise _mismatch(klass, value, chain)
    return {name: value[name] for name in ("id", "code", "username") if name in value}


def _text(value: JsonValue, klass: str, chain: list[str]) -> JsonValue:
    if isinstance(value, (dict, list)):
        raise _mismatch(klass, value, chain)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) or None  # the server's reader makes an empty text nothing


def _constant(prop: Property, klass: str, value: JsonValue, chain: list[str]) -> JsonValue:
    if value in prop.constants or not prop.constants:
        return value
    if value == "":
        return None
    raise unreadable(
        f'Cannot deserialize value of type `{klass}` from String "{value}": not one of the values accepted for Enum '
        f"class: [{accepted(prop.constants)}]\n at {{where}} (through reference chain: {'->'.join(chain)})"
    )


def _plain(kind: str, klass: str, value: JsonValue, chain: list[str]) -> JsonValue:
    try:
        if isinstance(value, (dict, list)):
            raise _mismatch(klass, value, chain)
        match kind:
            case "INTEGER":
                return int(value)  # type: ignore[arg-type]
            case "NUMBER":
                return float(value)  # type: ignore[arg-type]
            case "BOOLEAN":
                return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
            case "DATE":
                return read_date(value)
            case _:
                return value
    except (ValueError, KeyError):
        raise unreadable(
            f'Cannot deserialize value of type `{klass}` from String "{value}": not a valid `{klass}` value\n'
            f" at {{where}} (through reference chain: {'->'.join(chain)})"
        ) from None


def read_date(value: JsonValue) -> str:
    """A moment in the server's own text form. Raises `ValueError`."""
    if isinstance(value, (int, float)):
        moment = dt.datetime.fromtimestamp(value / 1000, dt.UTC)
        return text_of(moment)
    text = str(value)
    try:
        return moment_of(text)
    except ValueError:
        raise Unplaced(
            500, f"Invalid date format '{text}', only ISO format or UNIX Epoch timestamp is supported."
        ) from None


def read_geometry(value: JsonValue) -> JsonValue:
    """A GeoJSON geometry. Raises `Refused` for one whose rings are open or that is none."""
    kind = value.get("type") if isinstance(value, dict) else None
    depth = _DEPTHS.get(kind) if isinstance(kind, str) else None
    if depth is None or not isinstance(value, dict) or not _nested(value.get("coordinates"), depth):
        raise not_imitated("what a server says of a geometry that is no GeoJSON")
    if "Polygon" in str(kind) and not all(ring[0] == ring[-1] for ring in _lines(value["coordinates"], depth)):
        raise Unplaced(500, "Points of LinearRing do not form a closed linestring")
    return value


_DEPTHS = {"Point": 1, "MultiPoint": 2, "LineString": 2, "MultiLineString": 3, "Polygon": 3, "MultiPolygon": 4}
"""How many lists stand around a number in the coordinates."""


def _nested(value: JsonValue, depth: int) -> bool:
    """Are these numbers in so many lists, none of them empty?"""
    if depth == 0:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, list) and bool(value) and all(_nested(part, depth - 1) for part in value)


def _lines(value: JsonValue, depth: int) -> Iterator[list[JsonValue]]:
    """The lists of points in coordinates."""
    for part in value if isinstance(value, list) else ():
        if depth > 3:
            yield from _lines(part, depth - 1)
        elif isinstance(part, list):
            yield part


def _mismatch(klass: str, value: JsonValue, chain: list[str]) -> Refused:
    token, shape = {
        dict: ("START_OBJECT", "Object value"), list: ("START_ARRAY", "Array value"),
    }.get(cast("type", type(value)), ("VALUE_STRING", "String value"))  # fmt: skip
    return unreadable(
        f"Cannot deserialize value of type `{klass}` from {shape} (token `JsonToken.{token}`)\n"
        f" at {{where}} (through reference chain: {'->'.join(chain)})"
    )
