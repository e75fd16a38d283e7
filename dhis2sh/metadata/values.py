"""From what people write to what DHIS2 takes: option texts, `path=value`, cells of a sheet, nested JSON.

Every problem of every row is found before anything is sent, and told together: an unknown property with the nearest one, a
value that an enum has not, a text that is too long, a reference that nothing or several things answer to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.client import schema
from dhis2sh.dhis2 import dates
from dhis2sh.dhis2.periods import PERIOD_TYPES
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.files import parse_json
from dhis2sh.rows.tables import resolve
from dhis2sh.verbs import names
from dhis2sh.words import kebab

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

MOST_PROBLEMS = 10
_KNOWN_BY = ("id", "code", "name")
DEFAULTED = {
    "apiToken": {"type", "version", "expire"},
    "constants": {"value"},
    "dataApprovalLevels": {"level"},
    "indicatorTypes": {"factor"},
    "jobConfigurations": {"jobStatus", "lastExecutedStatus", "schedulingType"},
    "programIndicators": {"analyticsType"},
    "programStages": {"minDaysFromStart"},
    "routes": {"authorities", "headers"},
    "sections": {"sortOrder"},
    "sqlViews": {"cacheStrategy"},
}
"""What /api/schemas calls required and a server fills in by itself: creations without them are recorded with 201."""
SYMBOLS = {
    "==": "equal_to", "!=": "not_equal_to", ">": "greater_than", ">=": "greater_than_or_equal_to", "<": "less_than",
    "<=": "less_than_or_equal_to",
}  # fmt: skip
"""How people write the operators of validation rules."""
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


def required_of(resource: Resource) -> list[str]:
    """The properties that a creation must have: what the schema requires without what the server fills in."""
    known = DEFAULTED.get(resource.plural, set())
    return [
        name
        for name in resource.required
        if name not in known
        and (prop := resource.properties[name]).kind != "BOOLEAN"
        and not (prop.target in DEFAULT_OBJECTS and resource.plural not in DEFAULT_OBJECTS)
    ]


def property_of(resource: Resource, text: str, version: str = "") -> Property:
    """A property by its name as DHIS2, a command line or a sheet's header writes it.

    Parameters:
        version: of the server whose type it is, to be named where it lacks what others have.

    Raises `UsageError` with the versions that have it, or with the nearest.
    """
    prop = _property(resource, text)
    if prop is None:
        here = f" in DHIS2 {version}" if version else ""
        hint = _instead(resource, text) or f"dhis2 metadata describe {resource.plural}"
        raise UsageError(f"{resource.plural} have no property '{text}'{here}", hint=hint)
    return prop


def check_headers(resource: Resource, headers: Iterable[str], version: str) -> None:
    """Raise `UsageError` that tells every column that no property of a type answers to; parameters as `property_of`."""
    firsts = dict.fromkeys(header.partition(".")[0] for header in sorted(headers))
    unknown = [text for text in firsts if _property(resource, text) is None]
    if len(unknown) == 1:
        property_of(resource, unknown[0], version)
    if unknown:
        notes = [(text, _instead(resource, text)) for text in unknown]
        told = ", ".join(f"'{text}'{f' ({note})' if note else ''}" for text, note in notes)
        raise UsageError(
            f"{resource.plural} of DHIS2 {version} have no {told}", hint=f"dhis2 metadata describe {resource.plural}"
        )


def _property(resource: Resource, text: str) -> Property | None:
    wanted = kebab(text.strip().replace(" ", "-"))
    return next((p for name, p in resource.properties.items() if wanted in {kebab(name), name.lower()}), None)


def _instead(resource: Resource, text: str) -> str | None:
    """What comes nearest to a property that is not there: the versions that have it, else those that sound like it."""
    from dhis2sh.models import facts  # start-up: facts of a type, only where one is read

    others = (facts.resources(version).get(resource.plural) for version in facts.VERSIONS)
    known = zip(facts.VERSIONS, others, strict=True)
    found = [f"2.{version[1:]}" for version, other in known if other and _property(other, text)]
    own = [name for name, prop in resource.properties.items() if prop.owner and prop.persisted and prop.writable]
    return f"{' and '.join(found)} has it: leave it out" if found else did_you_mean(text, own)


def refers_to_objects(prop: Property) -> bool:
    """Does it point to objects with an address of their own, or hold the objects themselves?"""
    return prop.reference and prop.target is not None and prop.target in _with_endpoint()


def _with_endpoint() -> Mapping[str, Resource]:
    from dhis2sh.models import facts  # start-up: as above

    return facts.resources("v42")


def importable() -> set[str]:
    """The types that a server imports and exports as metadata."""
    return {plural for plural, item in _with_endpoint().items() if item.metadata}


def collections_of(resource: Resource) -> dict[str, Property]:
    """The collections of a type whose members are objects with an address of their own."""
    return {
        name: prop
        for name, prop in resource.properties.items()
        if prop.owner and prop.persisted and prop.collection and refers_to_objects(prop)
        and prop.target in importable()
    }  # fmt: skip


def pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    """`path=value` texts as pairs. Raises `UsageError`."""
    found: list[tuple[str, str]] = []
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise UsageError(f"'{text}' is not property=value", hint="--set valueType=TEXT --set style.icon=clinic")
        found.append((path.strip(), value))
    return found


async def reader_of(s: Session, resource: Resource) -> Reader:
    """What reads the values of a type's objects for a session's server."""
    return Reader(resource, str(await s.client.version()), await schema.types_of(s.client))


class Reader:
    """Reads the values of one type's objects. Problems are kept; `check` raises them together.

    Parameters:
        resource: the type, of the server's own version.
        version: that version.
        types: all of its types, by which the objects inside of objects are read.
    """

    def __init__(self, resource: Resource, version: str = "", types: Mapping[str, Resource] | None = None) -> None:
        self.resource = resource
        self.version = version
        self._types = types or {}
        self.problems: list[str] = []
        self._references: dict[str, dict[str, None]] = {}
        self._known: dict[str, Property] = {}

    def check(self) -> None:
        """Raise `UsageError` with the first problems, where there are some."""
        if not self.problems:
            return
        shown = "; ".join(self.problems[:MOST_PROBLEMS])
        more = f"; and {len(self.problems) - MOST_PROBLEMS:,} more" if len(self.problems) > MOST_PROBLEMS else ""
        raise UsageError(f"{shown}{more}", hint=f"dhis2 metadata describe {self.resource.plural}")

    def read(self, row: Mapping[str, JsonValue], where: str = "") -> JsonObject:
        """One row as properties: headers in any spelling, dotted ones nested; empty cells say nothing.

        Parameters:
            row: by header.
            where: what the row is called in a problem, such as `row 7`.

        References stay texts until `resolved`.
        """
        found: JsonObject = {}
        for header, value in row.items():
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            self.put(found, str(header), value, where)
        return found

    def put(self, target: JsonObject, path: str, value: JsonValue, where: str = "") -> None:
        """Set a property, or a part of one (`style.icon`), of an object."""
        first, _, rest = path.partition(".")
        before = f"{where}: " if where else ""
        try:
            prop = self._property(first)
        except UsageError as error:
            self.problems.append(f"{before}{error.message}{f' ({error.hint})' if error.hint else ''}")
            return
        try:
            if rest:
                self._put_part(target, prop, rest, value)
            else:
                target[prop.name] = self._value(prop, value)
        except ValueError as error:
            self.problems.append(f"{before}{prop.name}: {error}")

    def put_given(self, target: JsonObject, path: str, value: JsonValue, where: str = "") -> None:
        """Set a property from an option's texts: each may name several (`--authorities A,B`), as `--set` takes them.

        Names of objects stay whole: there is a comma in some.
        """
        prop = _property(self.resource, path)
        if isinstance(value, list) and prop is not None and prop.item_kind not in {"REFERENCE", "COMPLEX"}:
            value = [item for text in value for item in _items(text)]
        self.put(target, path, value, where)

    def _put_part(self, target: JsonObject, prop: Property, rest: str, value: JsonValue) -> None:
        """Set a part of an embedded object; of a reference only what it is known by. Raises `ValueError`."""
        first, _, further = rest.partition(".")
        if refers_to_objects(prop):
            if rest not in _KNOWN_BY:
                raise ValueError(f"refers to an object: {', '.join(_KNOWN_BY)} say which, not '{rest}'")
            target[prop.name] = self._value(prop, value)
            return
        if prop.collection:
            raise ValueError(f"is a list: write JSON, --set {prop.name}='[...]'")
        before = target.get(prop.name)
        inner: JsonObject = dict(before) if isinstance(before, dict) else {}  # what is there stays as it was
        embedded = self._types.get(prop.target or "")
        if embedded is None:
            _nest(inner, rest.split("."), resolve(_parsed(value)))
        else:
            part = property_of(embedded, first, self.version)
            if further:
                self._put_part(inner, part, further, value)
            else:
                inner[part.name] = self._value(part, value)
        target[prop.name] = inner

    def _property(self, text: str) -> Property:
        """A property by its name in any spelling; a sheet of 50,000 rows asks for the same few again and again."""
        if text not in self._known:
            self._known[text] = property_of(self.resource, text, self.version)
        return self._known[text]

    def _value(self, prop: Property, value: JsonValue) -> JsonValue:
        if value is None or value == "":
            return None
        if prop.collection:
            items = value if isinstance(value, list) else _items(value)
            return [self._item(prop, prop.item_kind or "TEXT", item) for item in items]
        return self._item(prop, prop.kind, value)

    def _item(self, prop: Property, kind: str, value: JsonValue) -> JsonValue:
        match kind:
            case "BOOLEAN":
                return _boolean(value)
            case "INTEGER" | "NUMBER":
                return _number(prop, value, kind)
            case "CONSTANT":
                return _constant(prop, value)
            case "DATE":
                return dates.written(value)
            case "REFERENCE" | "COMPLEX":
                return self._object(prop, value)
            case _:
                text = _text(value)
                if prop.name == "periodType":
                    return _period_type(text)
                if prop.length and len(text) > prop.length:
                    raise ValueError(f"{len(text)} characters, {prop.length} at the most: '{text[:30]}...'")
                return text

    def _object(self, prop: Property, value: JsonValue) -> JsonValue:
        if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            value = _parsed(value)
        if not refers_to_objects(prop):
            if isinstance(value, (dict, list)):
                return self._embedded(prop, value)
            raise ValueError(f"is an object: write JSON, or --set {prop.name}.PART=VALUE")
        if isinstance(value, dict):
            if "id" in value:
                return resolve(value)
            value = value.get("code") or value.get("name")
        text = _text(value)
        self._references.setdefault(cast("str", prop.target), {})[text] = None
        return _Reference(text, cast("str", prop.target))

    def _embedded(self, prop: Property, value: JsonValue) -> JsonValue:
        """An object inside of an object, its values read by their types; what no schema describes stays as it is."""
        embedded = self._types.get(prop.target or "")
        if not isinstance(value, dict) or embedded is None:
            return resolve(value)
        found: JsonObject = {}
        for name, item in value.items():
            part = embedded.properties.get(name)
            try:
                found[str(name)] = self._value(part, item) if part is not None and item != "" else resolve(item)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return found

    async def resolved(self, s: Session, objects: Sequence[JsonObject]) -> None:
        """Turn every reference of the objects into a UID: those to objects of the same file first, then the server's.

        Raises `UsageError` and `NotFound` as `dhis2sh.verbs.names.resolve` does.
        """
        own: dict[str, str] = {}
        for item in objects:
            own |= {
                str(item[key]): str(item["id"]) for key in ("id", "name", "code") if item.get(key) and item.get("id")
            }
        uids: dict[tuple[str, str], str] = {}
        for plural, texts in self._references.items():
            asked = [text for text in texts if plural != self.resource.plural or text not in own]
            found = await names.resolve_all(s, plural, asked, there=True)
            uids |= {(plural, text): found.get(text) or own[text] for text in texts}
        for item in objects:
            for name, value in item.items():
                item[name] = _refer(value, uids)


class _Reference(str):
    """A code or name that stands for an object until it is resolved."""

    plural: str

    def __new__(cls, text: str, plural: str) -> _Reference:
        made = super().__new__(cls, text)
        made.plural = plural
        return made


def _refer(value: JsonValue, uids: Mapping[tuple[str, str], str]) -> JsonValue:
    """A value with UIDs where names stood, however deep; what holds none stays the object that it is."""
    if isinstance(value, _Reference):
        return {"id": uids[value.plural, str(value)]}
    if isinstance(value, list):
        return [_refer(item, uids) for item in value]
    if isinstance(value, dict):
        return {name: _refer(item, uids) for name, item in value.items()}
    return value


def _text(value: JsonValue) -> str:
    """A value as the text of a property. Raises `ValueError` for lists and objects."""
    if isinstance(value, (dict, list)):
        raise ValueError(f"is a text, not {'an object' if isinstance(value, dict) else 'a list'}")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _boolean(value: JsonValue) -> bool:
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(f"'{value}' is not true or false")
    return text in _TRUE


def _number(prop: Property, value: JsonValue, kind: str) -> int | float:
    text = str(value).strip()
    try:
        number: int | float = int(text) if _DIGITS.fullmatch(text) else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text:
        raise ValueError(f"'{value}' is not a number")
    if kind == "INTEGER" and not float(number).is_integer():
        raise ValueError(f"'{value}' is not a whole number")
    low, high = prop.min, prop.max
    if kind == "INTEGER" and prop.klass == "java.lang.Integer":
        low, high = (
            max(-_MOST_INTEGER if low is None else low, -_MOST_INTEGER),
            min(_MOST_INTEGER if high is None else high, _MOST_INTEGER),
        )
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"{value} is not within {_bound(low)}..{_bound(high)}")
    return int(number) if float(number).is_integer() else number


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"


_DIGITS = re.compile(r"[-+]?\d{1,300}", re.ASCII)
_MOST_INTEGER = 2**31 - 1


def _constant(prop: Property, value: JsonValue) -> str:
    text = SYMBOLS.get(str(value).strip(), str(value))
    if not prop.constants:
        return text  # no description of older servers has them; they refuse what they do not know
    for constant in prop.constants:
        if text.upper().replace(" ", "_") == constant.upper():
            return constant
    hint = did_you_mean(text, prop.constants) or f"one of {', '.join(prop.constants[:12])}"
    raise ValueError(f"'{text}' is not one of its values ({hint})")


def _period_type(text: str) -> str:
    """A period type as the server spells it: of one that it does not know it only says that the property is missing."""
    known = {kind.name.lower(): kind.name for kind in PERIOD_TYPES} | {"twoyearly": "TwoYearly"}
    if text.lower() not in known:
        hint = did_you_mean(text, list(known.values())) or f"one of {', '.join(known.values())}"
        raise ValueError(f"'{text}' is no period type ({hint})")
    return known[text.lower()]


def _items(value: JsonValue) -> list[JsonValue]:
    """The items of a text: JSON, or names apart by `;` (by `,` where there is no `;`)."""
    if not isinstance(value, str):
        return [value]
    if value.lstrip().startswith("["):
        return cast("list[JsonValue]", _parsed(value))
    parts = value.split(";") if ";" in value else value.split(",")
    return [part.strip() for part in parts if part.strip()]


def _parsed(value: JsonValue) -> JsonValue:
    """A text as the JSON that it is, else as the text."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value, "it")
    except UsageError as error:
        if value.lstrip()[:1] in {"{", "["}:
            raise ValueError(error.message.removeprefix("it is ")) from None
        return value


def _nest(target: JsonObject, path: Sequence[str], value: JsonValue) -> None:
    """Set a part of a nested object; a copy of what is there, so that the object before stays as it was."""
    first, *rest = path
    if not rest:
        target[first] = value
        return
    inner = target.get(first)
    copied: JsonObject = dict(inner) if isinstance(inner, dict) else {}
    _nest(copied, rest, value)
    target[first] = copied


def with_uid(item: JsonObject) -> JsonObject:
    """The object with a UID of its own in front; one that is given stays."""
    return {"id": item.get("id") or generate_uid(), **{name: value for name, value in item.items() if name != "id"}}
