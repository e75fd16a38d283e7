"""Reads of the tracker: request parameters as SQL, in the words in which the server refuses them (api-facts e.2)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import is_uid
from dhis2sh.sandbox.java.moments import text_of
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.refused import Refused, unknown_choice, unreadable_value

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

UID_ERROR = "UID must be an alphanumeric string of 11 characters starting with a letter, but was: "
ORG_UNIT_MODES = ("SELECTED", "CHILDREN", "DESCENDANTS", "ACCESSIBLE", "CAPTURE", "ALL")
ENROLLMENT_STATUS = ("ACTIVE", "COMPLETED", "CANCELLED")
EVENT_STATUS = ("ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED")
ASSIGNED = ("CURRENT", "PROVIDED", "NONE", "ANY", "ALL")


def enum(query: QueryParams, name: str, known: Sequence[str]) -> str | None:
    """An enum parameter in any case of its letters."""
    text = query.get(name)
    if not text:
        return None
    if text.upper() not in known:
        raise unknown_choice(text, name, known)
    return text.upper()


def boolean(query: QueryParams, name: str, default: bool | None = None) -> bool | None:
    """A boolean parameter."""
    text = query.get(name)
    if not text:
        return default
    if text.lower() not in {"true", "false"}:
        raise unreadable_value(text, name, "boolean")
    return text.lower() == "true"


def number(query: QueryParams, name: str, default: int) -> int:
    """A whole number; the tracker wants it positive."""
    text = query.get(name)
    if not text:
        return default
    try:
        found = int(text)
    except ValueError:
        raise unreadable_value(text, name, "int") from None
    if found < 1:
        raise Refused(400, f"{name} must be greater than or equal to 1 if specified", "E1003")
    return found


def uids(query: QueryParams, name: str) -> list[str]:
    """UIDs separated by commas; repeated parameters add up."""
    found = [part for text in query.getlist(name) for part in text.split(",") if part]
    for part in found:
        if not is_uid(part):
            raise Refused(400, f"Value '{part}' is not valid for parameter {name}. {UID_ERROR}{part}")
    return found


def uid(query: QueryParams, name: str) -> str | None:
    """One UID."""
    found = uids(query, name)
    return found[0] if found else None


_DURATION = re.compile(r"(\d+)(d|h|m|s)")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def moment(query: QueryParams, name: str, *, end: bool = False) -> str | None:
    """A date or time as the database writes it; a day alone is its end where a range ends."""
    text = query.get(name)
    if not text:
        return None
    try:
        if len(text) == 4:
            text = f"{text}-01-01"
        elif len(text) == 7:
            text = f"{text}-01"
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, f"Value '{text}' is not valid for parameter {name}. Invalid format: \"{text}\"") from None
    if found.tzinfo:
        found = found.astimezone(dt.UTC).replace(tzinfo=None)
    if end and len(text) == 10:
        found += dt.timedelta(days=1, milliseconds=-1)
    return text_of(found)


def since(text: str, name: str) -> str:
    """The moment a duration (`1d12h`) ago."""
    if not re.fullmatch(rf"({_DURATION.pattern})+", text):
        raise Refused(400, f"`{name}` is not valid: {text}", "E1003")
    ago = dt.timedelta()
    for amount, unit in _DURATION.findall(text):
        ago += dt.timedelta(**{_UNITS[unit]: int(amount)})
    return text_of(dt.datetime.now(dt.UTC) - ago)


@dataclass(slots=True)
class Sql:
    """Conditions and their parameters, in step."""

    conditions: list[str] = field(default_factory=list[str])
    parameters: list[object] = field(default_factory=list[object])

    def add(self, condition: str, *parameters: object) -> None:
        """One more condition; all must hold."""
        self.conditions.append(condition)
        self.parameters += parameters

    def one_of(self, column: str, values: Sequence[object]) -> None:
        """The column must be one of these."""
        self.add(f"{column} IN ({','.join('?' * len(values))})", *values)

    def between(self, column: str, query: QueryParams, after: str, before: str) -> None:
        """A range of moments, both ends in it."""
        first, last = moment(query, after), moment(query, before, end=True)
        if first:
            self.add(f"{column} >= ?", first)
        if last:
            self.add(f"{column} <= ?", last)

    def updated(self, table: str, query: QueryParams) -> None:
        """`updatedAfter`, `updatedBefore` or `updatedWithin`."""
        within = query.get("updatedWithin")
        if within and (query.get("updatedAfter") or query.get("updatedBefore")):
            raise Refused(
                400, "Last updated from and/or to and last updated duration cannot be specified simultaneously", "E1003"
            )
        self.between(f"{table}.updated_at", query, "updatedAfter", "updatedBefore")
        if within:
            self.add(f"{table}.updated_at >= ?", since(within, "updatedWithin"))

    def deleted(self, table: str, query: QueryParams) -> None:
        """Deleted rows only with `includeDeleted`."""
        if not boolean(query, "includeDeleted", False):
            self.add(f"NOT {table}.deleted")

    def where(self) -> str:
        """The WHERE clause, or nothing."""
        return f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


def exists(store: Store, plural: str, found: str | None, words: str) -> JsonObject | None:
    """The object a parameter names. Raises `Refused` when it is not there."""
    if found is None:
        return None
    body = store.get(plural, found)
    if body is None:
        raise Refused(400, f"{words} is specified but does not exist: {found}", "E1003")
    return body


_ALONE = ("one org unit", "one org unit")
_OR_ENTITY = ("one org unit or tracked entity", "one of the two")


def org_unit_scope(sql: Sql, column: str, query: QueryParams, rights: Rights, *, name: str = "orgUnits") -> None:
    """Limit a column of org units to what `orgUnits` and `orgUnitMode` ask for and the user may see.

    Parameters:
        name: `orgUnit` for events, which are told in words of their own what is missing.
    """
    events = name == "orgUnit"
    asked = uids(query, name)
    mode = enum(query, "orgUnitMode", ORG_UNIT_MODES) or ("SELECTED" if asked else "ACCESSIBLE")
    for unit in asked:
        _demand_unit(unit, rights, events=events)
    if mode in {"SELECTED", "CHILDREN", "DESCENDANTS"} and not asked:
        what, add = _ALONE if events else _OR_ENTITY
        raise Refused(
            400,
            f"At least {what} is required for orgUnitMode: {mode}. Please add {add} or use a different orgUnitMode.",
            "E1003",
        )
    if mode in {"ACCESSIBLE", "CAPTURE", "ALL"} and asked:
        raise Refused(
            400,
            f"orgUnitMode {mode} cannot be used with orgUnits. Please remove the orgUnit parameter and try again.",
            "E1003",
        )
    if mode == "ALL":
        if not rights.has("F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS"):
            raise Refused(403, "User is not authorized to query across all organisation units", "E1006")
        return
    if mode == "CAPTURE":
        roots = rights.roots("organisationUnits")
        if not roots:
            raise Refused(400, "User needs to be assigned data capture org units", "E1003")
    elif mode == "ACCESSIBLE":
        # A superuser without org units of his own sees everything, as the server's ALL does.
        roots = rights.roots("teiSearchOrganisationUnits")
        if not roots and rights.superuser:
            return
    else:
        roots = asked
    sql.add(f"{column} IN ({','.join('?' * len(found))})", *found) if (
        found := _units(rights.store, roots, mode)
    ) else sql.add("0")


def _demand_unit(unit: str, rights: Rights, *, events: bool) -> None:
    """Raise `Refused` for an org unit that there is not or that the user may not search in."""
    if rights.store.get("organisationUnits", unit) is None:
        unknown = "Organisation unit does not exist"
        if events:
            name = "Org unit" if rights.store.version.minor < 42 else "Organisation unit"
            unknown = f"{name} is specified but does not exist"
        raise Refused(400, f"{unknown}: {unit}", "E1003")
    if not rights.superuser and not rights.in_scope(unit, "teiSearchOrganisationUnits"):
        raise Refused(403, f"Organisation unit is not part of the search scope: {unit}", "E1006")


def _units(store: Store, roots: Sequence[str], mode: str) -> list[str]:
    """The org units of a mode below (or at) its roots."""
    if mode == "SELECTED":
        return list(roots)
    wanted = set(roots)
    units = store.objects("organisationUnits")
    if mode == "CHILDREN":
        below = [key for key, unit in units.items() if cast("JsonObject", unit.get("parent") or {}).get("id") in wanted]
        return [*roots, *below]
    return units_below(store, roots)


def units_below(store: Store, roots: Sequence[str]) -> list[str]:
    """These org units and all below them."""
    wanted, units = set(roots), store.objects("organisationUnits")
    return [key for key, unit in units.items() if not wanted.isdisjoint(str(unit.get("path") or key).split("/"))]


type _Test = Callable[[str, str], tuple[str, list[object]]]


def _like(pattern: str, *, fold: bool = True, negate: bool = False) -> _Test:
    def build(column: str, value: str) -> tuple[str, list[object]]:
        text = re.sub(r"([%_\\])", r"\\\1", value)
        left, right = (f"lower({column})", text.lower()) if fold else (column, text)
        word = "NOT LIKE" if negate else "LIKE"
        return f"{left} {word} ? ESCAPE '\\'", [pattern.format(right)]

    return build


def _compare(operator: str, *, fold: bool = True) -> _Test:
    def build(column: str, value: str) -> tuple[str, list[object]]:
        return (f"lower({column}) {operator} ?", [value.lower()]) if fold else (f"{column} {operator} ?", [value])

    return build


def _in(column: str, value: str) -> tuple[str, list[object]]:
    parts: list[object] = [part.lower() for part in value.split(";") if part]
    return f"lower({column}) IN ({','.join('?' * len(parts))})", parts


OPERATORS: dict[str, _Test] = {
    "EQ": _compare("="), "IEQ": _compare("="), "NE": _compare("<>"), "NEQ": _compare("<>"), "NIEQ": _compare("<>"),
    "GT": _compare(">"), "GE": _compare(">="), "LT": _compare("<"), "LE": _compare("<="), "IN": _in,
    "LIKE": _like("%{}%"), "ILIKE": _like("%{}%"), "SW": _like("{}%"), "EW": _like("%{}"),
    "NLIKE": _like("%{}%", negate=True), "NILIKE": _like("%{}%", negate=True),
}  # fmt: skip
UNARY = {"NULL": "IS NULL", "NNULL": "IS NOT NULL"}
NUMERIC = {"NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "PERCENTAGE",
           "UNIT_INTERVAL"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """One `filter=<uid>:op:value:op:value` on attributes or data elements."""

    uid: str
    tests: tuple[tuple[str, str | None], ...]


def split_filter(text: str) -> list[str]:
    """Cut at commas and colons that no slash escapes."""
    return [re.sub(r"/([,:/])", r"\1", part) for part in re.split(r"(?<!/):", text)]


def item_filters(
    query: QueryParams, name: str, known: Callable[[str], bool], words: tuple[str, str], *, minor: int
) -> list[ItemFilter]:
    """Read the filters of a request. Raises `Refused` for unknown items and operators.

    Parameters:
        words: what the refusal of an unknown item begins with, and what the item is called.
    """
    found: list[ItemFilter] = []
    for text in query.getlist(name):
        for one in re.split(r"(?<!/),", text):
            parts = split_filter(one)
            if not parts or not parts[0]:
                continue
            if not is_uid(parts[0]):
                raise Refused(400, f"filter is invalid. UID in filter `{one}` is not valid.", "E1003")
            if not known(parts[0]):
                raise Refused(400, f"{words[0]} invalid. {words[1]} '{parts[0]}' does not exist.", "E1003")
            found.append(ItemFilter(parts[0], tuple(_tests(parts[1:], name, one, minor))))
    return found


def _tests(parts: list[str], name: str, text: str, minor: int) -> list[tuple[str, str | None]]:
    tests: list[tuple[str, str | None]] = []
    rest = list(parts)
    while rest:
        word = rest.pop(0)
        operator = f"N{word[1:].upper()}" if word.startswith("!") else word.upper()
        if minor < 42 and operator not in OPERATORS:
            raise Refused(400, f"Query item or filter is invalid: {text}", "E1003")
        if operator in UNARY:
            tests.append((operator, None))
        elif operator in OPERATORS:
            if not rest:
                raise Refused(400, f"Query item or filter is invalid: {text}", "E1003")
            tests.append((operator, rest.pop(0)))
        else:
            raise Refused(400, f"{name}={text} is invalid. '{word}' is not a valid operator.", "E1003")
    return tests


def value_condition(table: str, owner: str, item: str, wanted: ItemFilter, *, number: bool) -> Sql:
    """A filter on a value table as a condition on its owner's row.

    Parameters:
        owner: the expression that the value's owner column must equal (`tracked_entity.uid`).
        number: compare as numbers.
    """
    sql = Sql()
    owner_column = "tracked_entity" if table == "attribute_value" else "event"
    column = "CAST(v.value AS REAL)" if number else "v.value"
    base = f"SELECT 1 FROM {table} v WHERE v.{owner_column} = {owner} AND v.{item} = ?"
    if not wanted.tests:
        sql.add(f"EXISTS ({base})", wanted.uid)
    for operator, value in wanted.tests:
        if operator in UNARY:
            sql.add(f"{'NOT ' if operator == 'NULL' else ''}EXISTS ({base})", wanted.uid)
            continue
        numeric = number and operator in {"EQ", "NE", "NEQ", "GT", "GE", "LT", "LE"}
        if numeric and value is not None:
            symbol = {"EQ": "=", "NE": "<>", "NEQ": "<>", "GT": ">", "GE": ">=", "LT": "<", "LE": "<="}[operator]
            sql.add(f"EXISTS ({base} AND {column} {symbol} ?)", wanted.uid, _float(value, wanted.uid))
        else:
            condition, parameters = OPERATORS[operator]("v.value", value or "")
            sql.add(f"EXISTS ({base} AND {condition})", wanted.uid, *parameters)
    return sql


def _float(value: str, item: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise Refused(
            400, f"Filter for {item} is invalid. The value type is numeric but the value `{value}` is not.", "E1003"
        ) from None


def order_by(
    query: QueryParams, fields: dict[str, str], default: str, item: Callable[[str], str | None], items: str
) -> str:
    """The ORDER BY of `order=field:asc,...`. Raises `Refused` for what cannot be sorted by.

    Parameters:
        item: the column of an attribute or data element.
        items: what those are called where something else was asked for (`attribute UIDs`), empty for none.
    """
    terms: list[str] = []
    for text in query.getlist("order"):
        for one in text.split(","):
            name, _, direction = one.strip().partition(":")
            if not name:
                continue
            if direction.lower() not in {"", "asc", "desc"}:
                raise Refused(
                    400,
                    f"order parameter is invalid. '{direction}' is not a valid sort direction. "
                    "Valid values are: [ASC, DESC].",
                    "E1003",
                )
            column = fields.get(name) or (item(name) if is_uid(name) else None)
            if column is None:
                raise Refused(
                    400,
                    f"order parameter is invalid. Cannot order by '{name}'. Supported are "
                    f"{f'{items} and ' if items else ''}fields '{', '.join(sorted(fields))}'. "
                    "All of which can at most be specified once.",
                    "E1003",
                )
            terms.append(f"{column} {direction.upper() or 'ASC'} NULLS LAST")
    return " ORDER BY " + ", ".join([*terms, default])
