"""The body of an import as the server's reader understands it: what it takes, leaves out, and refuses.

The reader goes by the classes of 2.42's web API. One habit shows in the verdicts of real servers: an object where a
text should be is no error. The text is missing, and the end of that object counts as the end of the one around it, so
that what follows makes another object of the list: `{"orgUnit": {...}, "attributes": [...]}` is two.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.uids import is_uid
from dhis2sh.sandbox.java.moments import text_of
from dhis2sh.sandbox.java.reader import REDACTED, no_object
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.tracker.query import UID_ERROR

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

type Simple = Literal["text", "uid", "moment", "flag", "geometry"]
_VIEW = "org.hisp.dhis.webapi.controller.tracker.view"
_UID = "org.hisp.dhis.common.UID"


@dataclass(frozen=True, slots=True)
class Choice:
    """A property that is one of the constants of an enum."""

    enum: str
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bean:
    """A class of the reader's.

    Parameters:
        name: as Java names it in refusals.
        properties: what it reads; the rest of an object is left out.
    """

    name: str
    properties: dict[str, Simple | Choice | Bean | Sequence[Bean]] = field(compare=False)


def _simple(kind: Simple, *names: str) -> dict[str, Simple | Choice | Bean | Sequence[Bean]]:
    return dict.fromkeys(names, kind)


_TIMES = _simple("moment", "createdAt", "createdAtClient", "updatedAt", "updatedAtClient")
USER = Bean(f"{_VIEW}.User", _simple("text", "uid", "username", "firstName", "surname", "displayName"))
_USERS: dict[str, Simple | Choice | Bean | Sequence[Bean]] = {"createdBy": USER, "updatedBy": USER}
NOTE = Bean(f"{_VIEW}.Note", {**_simple("uid", "note"), **_simple("moment", "storedAt"),
                              **_simple("text", "value", "storedBy"), "createdBy": USER})  # fmt: skip
_ATTRIBUTE = Bean(f"{_VIEW}.Attribute", {
    **_simple("text", "attribute", "code", "displayName", "storedBy", "valueType", "value"),
    **_simple("moment", "createdAt", "updatedAt"),
})  # fmt: skip
_DATA_VALUE = Bean(f"{_VIEW}.DataValue", {
    **_simple("text", "dataElement", "value", "storedBy"), **_simple("moment", "createdAt", "updatedAt"),
    **_simple("flag", "providedElsewhere"), **_USERS,
})  # fmt: skip
_OWNER = Bean(f"{_VIEW}.ProgramOwner", _simple("text", "orgUnit", "trackedEntity", "program"))
_END = Bean(f"{_VIEW}.RelationshipItem", {
    kind: Bean(f"{_VIEW}.RelationshipItem${klass}", _simple("uid", kind))
    for kind, klass in (("trackedEntity", "TrackedEntity"), ("enrollment", "Enrollment"), ("event", "Event"))
})  # fmt: skip
_RELATIONSHIP = Bean(f"{_VIEW}.Relationship", {
    **_simple("uid", "relationship"), **_simple("text", "relationshipType", "relationshipName"),
    **_simple("flag", "bidirectional"), **_TIMES, "from": _END, "to": _END,
})  # fmt: skip
_ENROLLMENT_STATUS = Choice("org.hisp.dhis.program.EnrollmentStatus", ("ACTIVE", "COMPLETED", "CANCELLED"))
_EVENT_STATUS = Choice(
    "org.hisp.dhis.event.EventStatus", ("ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED")
)
_EVENT = Bean(f"{_VIEW}.Event", {
    **_simple("uid", "event", "enrollment", "trackedEntity"), "status": _EVENT_STATUS,
    **_simple("text", "program", "programStage", "orgUnit", "attributeOptionCombo", "attributeCategoryOptions",
              "completedBy", "storedBy"),
    **_simple("moment", "occurredAt", "scheduledAt", "completedAt"), **_TIMES, **_simple("geometry", "geometry"),
    **_simple("flag", "followUp", "followup", "deleted"), **_USERS, "assignedUser": USER,
    "dataValues": [_DATA_VALUE], "notes": [NOTE], "relationships": [_RELATIONSHIP],
})  # fmt: skip
_ENROLLMENT = Bean(f"{_VIEW}.Enrollment", {
    **_simple("uid", "enrollment", "trackedEntity"), "status": _ENROLLMENT_STATUS,
    **_simple("text", "program", "orgUnit", "completedBy", "storedBy"),
    **_simple("moment", "enrolledAt", "occurredAt", "completedAt"), **_TIMES, **_simple("geometry", "geometry"),
    **_simple("flag", "followUp", "deleted"), **_USERS, "events": [_EVENT], "attributes": [_ATTRIBUTE],
    "notes": [NOTE], "relationships": [_RELATIONSHIP],
})  # fmt: skip
_TRACKED_ENTITY = Bean(f"{_VIEW}.TrackedEntity", {
    **_simple("uid", "trackedEntity"), **_simple("text", "trackedEntityType", "orgUnit", "storedBy"), **_TIMES,
    **_simple("geometry", "geometry"), **_simple("flag", "inactive", "deleted", "potentialDuplicate"), **_USERS,
    "enrollments": [_ENROLLMENT], "attributes": [_ATTRIBUTE], "programOwners": [_OWNER],
    "relationships": [_RELATIONSHIP],
})  # fmt: skip
BODY = Bean("org.hisp.dhis.webapi.controller.tracker.imports.Body", {
    "trackedEntities": [_TRACKED_ENTITY], "enrollments": [_ENROLLMENT], "events": [_EVENT],
    "relationships": [_RELATIONSHIP],
})  # fmt: skip


DUPLICATE = Bean("org.hisp.dhis.tracker.deduplication.PotentialDuplicate", _simple("uid", "original", "duplicate"))
"""A pair of tracked entities that may be one."""


_COMPLAINT = "JSON parse error: "
NESTED = "; nested exception is"
"""What stands between the two times that a server up to 2.41 says what it cannot read."""


def unreadable(problem: str) -> Refused:
    """400: the JSON is well formed but cannot be read into what it should be."""
    return Refused(400, f"{_COMPLAINT}{problem}")


type _Token = tuple[Literal["{", "}", "[", "]", "name", "value"], JsonValue]


def _tokens(value: JsonValue) -> Iterator[_Token]:
    """A value as a reader of streams meets it."""
    if isinstance(value, dict):
        yield "{", None
        for name, inner in value.items():
            yield "name", name
            yield from _tokens(inner)
        yield "}", None
    elif isinstance(value, list):
        yield "[", None
        for inner in value:
            yield from _tokens(inner)
        yield "]", None
    else:
        yield "value", value


class Reader:
    """Reads one body. Raises `Refused` with 400 for what the server's reader refuses, 501 where nobody knows.

    Parameters:
        value: the body.
        checks_uids: refuses what is no UID (since 2.42); before, the import does.
        nested: says twice what it cannot read (up to 2.41), where it is known with which place.
    """

    def __init__(self, value: JsonValue, *, checks_uids: bool, nested: bool = False) -> None:
        self._rest = list(_tokens(value))
        self._at = 0
        self._checks_uids = checks_uids
        self._nested = nested
        self._chain: list[str] = []

    def read(self, bean: Bean) -> JsonObject:
        """The body as an object of this class; what follows its end is not looked at."""
        kind, _ = self._token()
        if kind == "[" and self._nested:
            words = no_object(bean.name, [])
            where = f"\n at {REDACTED.format(line=1, column=1)}"
            raise unreadable(
                f"{words}{NESTED} com.fasterxml.jackson.databind.exc.MismatchedInputException: {words}{where}"
            )
        return self._bean(bean)

    def _token(self) -> _Token:
        if self._at >= len(self._rest):
            raise unreadable("Unexpected end-of-input")
        return self._rest[self._at]

    def _bean(self, bean: Bean) -> JsonObject:
        """One object, from where it begins, or from within: it goes on as long as there are names, and stands at its end."""
        kind, value = self._token()
        if kind in {"[", "value"}:
            raise unreadable(no_object(bean.name, [] if kind == "[" else value))
        self._at += kind == "{"
        found: JsonObject = {}
        while self._token()[0] == "name":
            name = cast("str", self._token()[1])
            self._at += 1
            wanted = bean.properties.get(name)
            if wanted is None:
                self._skip()
            else:
                self._chain.append(f'{bean.name}["{name}"]')
                found[name] = self._property(wanted)
                self._chain.pop()
            self._at += 1
        return found

    def _skip(self) -> None:
        """Go to the last token of a value."""
        depth = 0
        while True:
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(self._token()[0], 0)
            if depth == 0:
                return
            self._at += 1

    def _property(self, wanted: Simple | Choice | Bean | Sequence[Bean]) -> JsonValue:
        kind, value = self._token()
        if kind == "value" and value is None:
            return None
        if isinstance(wanted, Bean):
            return self._bean(wanted)
        if not isinstance(wanted, str | Choice):
            return self._list(wanted[0])
        if wanted == "text":
            return _text(value)  # None where an object or a list begins: its tokens are read as if it had not
        if wanted == "geometry":
            return self._geometry(self._whole())
        if isinstance(wanted, Choice):
            return _constant(wanted, self._whole())
        return {"uid": self._uid, "moment": _moment, "flag": _flag}[wanted](self._whole())

    def _whole(self) -> JsonValue:
        """The value that begins here, read to its end."""
        kind, value = self._token()
        if kind == "[":
            items: list[JsonValue] = []
            self._at += 1
            while self._token()[0] != "]":
                items.append(self._whole())
                self._at += 1
            return items
        if kind == "{":
            found: JsonObject = {}
            self._at += 1
            while self._token()[0] != "}":
                name = cast("str", self._token()[1])
                self._at += 1
                found[name] = self._whole()
                self._at += 1
            return found
        return value

    def _list(self, bean: Bean) -> JsonValue:
        kind, value = self._token()
        if kind != "[":
            shown = _shown({} if kind == "{" else value)
            raise unreadable(f"Cannot deserialize value of type `java.util.ArrayList<{bean.name}>` from {shown}")
        found: list[JsonValue] = []
        self._at += 1
        while self._token()[0] != "]":
            if self._token() == ("value", None):
                raise not_imitated("a null in a list of a tracker import")
            self._chain.append(f"java.util.ArrayList[{len(found)}]")
            found.append(self._bean(bean))
            self._chain.pop()
            self._at += 1
        return found

    def _geometry(self, value: JsonValue) -> JsonValue:
        """A geometry. Raises `Refused`, up to 2.41 with the place in the payload."""
        try:
            return _geometry(value)
        except Refused as no:
            if no.status != 400 or not self._nested:
                raise
            words = cast("str", no.message).removeprefix(_COMPLAINT)
            chain = f"(through reference chain: {'->'.join(self._chain)})"
            raise unreadable(
                f"{words}{NESTED} com.fasterxml.jackson.databind.JsonMappingException: {words} {chain}"
            ) from None

    def _uid(self, value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            raise unreadable(
                f"Cannot construct instance of `{_UID}` (although at least one Creator exists): cannot deserialize from "
                "Object value (no delegate- or property-based Creator)"
            )
        if not isinstance(value, str):
            raise unreadable(no_object(_UID, value))
        if self._checks_uids and not is_uid(value):
            raise unreadable(f"Cannot construct instance of `{_UID}`, problem: {UID_ERROR}{value}")
        return value or None


def _text(value: JsonValue) -> JsonValue:
    """A number or a yes or no is its text, an empty text is none."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value or None


def _shown(value: JsonValue) -> str:
    """What stands where something else should, as the reader names it."""
    match value:
        case dict():
            return "Object value (token `JsonToken.START_OBJECT`)"
        case list():
            return "Array value (token `JsonToken.START_ARRAY`)"
        case str():
            return f'String "{value}"'
        case bool():
            return f"Boolean value (token `JsonToken.VALUE_{str(value).upper()}`)"
        case int():
            return "Integer value (token `JsonToken.VALUE_NUMBER_INT`)"
        case _:
            return "Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)"


def _constant(kind: Choice, value: JsonValue) -> JsonValue:
    if value == "":
        return None
    if isinstance(value, str) and value in kind.known:
        return value
    known = f": not one of the values accepted for Enum class: [{', '.join(kind.known)}]"
    raise unreadable(
        f"Cannot deserialize value of type `{kind.enum}` from {_shown(value)}{known if isinstance(value, str) else ''}"
    )


def _moment(value: JsonValue) -> JsonValue:
    """A moment as the database writes it, in UTC; a number is seconds."""
    if value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return text_of(dt.datetime.fromtimestamp(value, dt.UTC).replace(tzinfo=None))
    if not isinstance(value, str):
        raise unreadable(f"Cannot deserialize value of type `java.time.Instant` from {_shown(value)}")
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError:
        raise unreadable(
            f'Cannot deserialize value of type `java.time.Instant` from String "{value}": Invalid date format'
        ) from None
    if found.tzinfo:
        found = found.astimezone(dt.UTC).replace(tzinfo=None)
    return text_of(found)


def _flag(value: JsonValue) -> JsonValue:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    if isinstance(value, str) and value.lower() in {"true", "false", ""}:
        return value.lower() == "true"
    why = ': only "true" or "false" recognized' if isinstance(value, str) else ""
    raise unreadable(f"Cannot deserialize value of type `boolean` from {_shown(value)}{why}")


_COORDINATES: Mapping[str, int] = {
    "Point": 0, "LineString": 1, "MultiPoint": 1, "Polygon": 2, "MultiLineString": 2, "MultiPolygon": 3,
}  # fmt: skip
"""The kinds of geometry that the reader knows, and how deep their positions lie."""
_NODE = "com.fasterxml.jackson.databind.JsonNode"


def _geometry(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict):
        raise not_imitated("a geometry that is no object in a tracker import")
    kind = value.get("type")
    if kind == "GeometryCollection":
        raise not_imitated("a geometry collection in a tracker import")
    if not isinstance(kind, str):
        raise unreadable(f'Cannot invoke "{_NODE}.asText()" because the return value of "{_NODE}.get(String)" is null')
    if kind not in _COORDINATES:
        raise unreadable(f"Invalid geometry type: {kind}")
    positions: JsonValue = value.get("coordinates")
    for _ in range(_COORDINATES[kind] if kind in {"Point", "Polygon"} else 0):
        positions = positions[0] if isinstance(positions, list) and positions else None
    if not isinstance(positions, list):
        raise unreadable(f'Cannot invoke "{_NODE}.size()" because "array" is null')
    if kind == "Point" and len(cast("list[JsonValue]", positions)) < 2:
        raise unreadable(f'Cannot invoke "{_NODE}.asDouble()" because the return value of "{_NODE}.get(int)" is null')
    return value
