"""What verbs return: typed rows and texts. Data; how they look is registered by the room that draws.

`Rows` is a class of its own, not a list: IPython's list printer would otherwise beat its display.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, cast, overload, runtime_checkable

from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.rows.registry import Staged

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue, Row


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where rows came from.

    Parameters:
        verb: the verb's full path, such as `metadata list`.
        query: the requests that were sent, method and path with query.
        profile: name of the profile.
        at: when, in UTC.
        times: the periods of an answer by what it calls them (`January 2025`, in the user's language), filled as rows come:
            whoever puts names in an order of time has nothing else to know it by.
    """

    verb: str = ""
    query: tuple[str, ...] = ()
    profile: str = ""
    at: dt.datetime | None = None
    times: Mapping[str, str] = field(default_factory=dict[str, str], compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PageNote:
    """How much of the whole this is: `shown` of `total` rows (None when the server did not count).

    `more` says how to get the rest: the option of the verb that made the rows.
    """

    shown: int
    total: int | None = None
    page: int | None = None
    page_count: int | None = None
    more: str = "--all for every one"

    @property
    def truncated(self) -> bool:
        """True when there is more on the server than is here."""
        return self.total is not None and self.shown < self.total

    def __str__(self) -> str:
        return f"{self.shown:,} of {self.total:,}" if self.total is not None else f"{self.shown:,}"


class Rows[T](Staged):
    """Rows of one kind, with their columns, where they came from and how many more there are.

    Parameters:
        items: plain rows (`Row`) or pydantic models.
        columns: which fields to show, in order; None means all that occur, in the order of their first occurrence.
        provenance: verb, query, profile and time.
        page: the paging note, None when the rows are everything.
        resource: the type (plural) of the rows, where they are metadata objects; verbs and completion use it.
        asked: the fields that were asked for by name, those inside of others dotted (`parent.name`): where no row has one,
            it is null in all of them; `parent.*` are all of them.
    """

    __slots__ = ("_columns", "asked", "items", "page", "provenance", "resource")

    def __init__(
        self,
        items: Iterable[T],
        *,
        columns: Iterable[str] | None = None,
        provenance: Provenance | None = None,
        page: PageNote | None = None,
        resource: str | None = None,
        asked: Iterable[str] = (),
    ) -> None:
        self.items: list[T] = list(items)
        self.asked = dict.fromkeys(asked)
        self._columns = tuple(columns) if columns is not None else None
        self.provenance = provenance or Provenance()
        self.page = page
        self.resource = resource

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that are shown, in order."""
        if self._columns is not None:
            return self._columns
        if self.items and not isinstance(self.items[0], Mapping) and not hasattr(self.items[0], "to_wire"):
            return tuple(fields_of(type(self.items[0])))
        seen: dict[str, None] = {}
        for row in self.plain():
            for key in row:
                seen.setdefault(key)
        return tuple(seen)

    def plain(self) -> list[Row]:
        """The rows as plain JSON objects (models are dumped by alias, as `-o json` prints them)."""
        return [to_plain(item) for item in self.items]

    def with_items[U](
        self, items: Iterable[U], *, columns: Iterable[str] | None = None, asked: Iterable[str] | None = None
    ) -> Rows[U]:
        """New rows of the same provenance; the paging note goes, since a stage has changed what it counted."""
        asked = self.asked if asked is None else asked
        return Rows(items, columns=columns, provenance=self.provenance, resource=self.resource, asked=asked)

    def with_provenance(self, **changes: Any) -> Rows[T]:
        """The same rows with a changed provenance."""
        self.provenance = replace(self.provenance, **changes)
        return self

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        asked = self._named_fields
        return (cast("T", Named(cast("Row", item), asked)) if type(item) is dict else item for item in self.items)

    @property
    def _named_fields(self) -> frozenset[str]:
        return frozenset((*(self._columns or ()), *self.asked))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Rows[T]: ...
    def __getitem__(self, index: int | slice) -> T | Rows[T]:
        if isinstance(index, slice):
            return self.with_items(self.items[index], columns=self._columns)
        item = self.items[index]
        return cast("T", Named(cast("Row", item), self._named_fields)) if type(item) is dict else item

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self.plain() == cast("Rows[Any]", other).plain()

    __hash__ = None  # type: ignore[assignment]


class Named(dict[str, Any]):
    """A row whose fields are attributes too, so that `rows[0].name` and `rows[0].parent.name` read as they do in conditions.

    A field that was asked for and that DHIS2 has left out is None; for others `AttributeError` names the nearest.
    """

    __slots__ = ("_asked",)

    def __init__(self, row: Mapping[str, Any], asked: frozenset[str] = frozenset()) -> None:
        super().__init__(row)
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        if name in self:
            value = self[name]
            return Named(cast("Mapping[str, Any]", value)) if type(value) is dict else value
        if name in self._asked:
            return None
        near = did_you_mean(name, list(self))
        raise AttributeError(f"the row has no `{name}`{f': {near}' if near else f', it has {", ".join(self)}'}")


@dataclass(frozen=True, slots=True)
class Text:
    """A result that is text by nature (a script, a generated file); printed as it is.

    Parameters:
        text: what is printed.
        of: the format of rows that it holds, which come from others: a terminal shows their control characters and does
            not obey them.
    """

    text: str
    of: str | None = None

    def to_json(self) -> JsonObject:
        """The text as one record."""
        return {"text": self.text}

    def __repr__(self) -> str:
        return self.text


class Verbatim(dict[str, "JsonValue"]):
    """An object as a server gave it, shown as the JSON that it is."""


@dataclass(frozen=True, slots=True)
class Value:
    """Any other JSON that a server gave: a number, a text, a list, true, false or null, shown as the JSON that it is."""

    value: JsonValue


def as_given(answer: JsonValue) -> Verbatim | Value:
    """A JSON value as the result of a verb, whatever kind it is of."""
    return Verbatim(answer) if isinstance(answer, dict) else Value(answer)


def of_answer(answer: JsonValue) -> Verbatim | Value | Rows[Row] | Text:
    """The answer of any address as the result of a verb: a list of objects as rows, text as text, other JSON as it is."""
    if isinstance(answer, list) and answer and all(isinstance(item, dict) for item in answer):
        return Rows(cast("list[Row]", answer))
    return Text(answer or "") if isinstance(answer, str | None) else as_given(answer)


def objects_of(text: str) -> list[JsonValue]:
    """The objects in a text, as another program prints them: a JSON array, NDJSON, or a UID a line.

    Raises `UsageError` for a line that begins like JSON and is none.
    """
    import orjson  # start-up: only what comes from standard input is read here

    text = text.strip()
    try:
        if text.startswith("["):
            return cast("list[JsonValue]", orjson.loads(text))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return [orjson.loads(line) if line.startswith("{") else line for line in lines]
    except orjson.JSONDecodeError as error:
        raise UsageError(f"standard input is not JSON: {error}", hint="dhis2 metadata list TYPE -o ndjson") from error


def fields_of(kind: object) -> list[str]:
    """The field names of a class of records, a pydantic model or a dataclass, as JSON has them; none of any other."""
    fields: Mapping[str, Any] = getattr(kind, "model_fields", None) or getattr(kind, "__dataclass_fields__", None) or {}
    return [getattr(info, "alias", None) or name for name, info in fields.items()]


@runtime_checkable
class AsRows(Protocol):
    """A result that is no rows and has some: the numbers behind a picture."""

    def as_rows(self) -> Rows[Row]:
        """Its rows, for formats of tables."""
        ...


def to_plain(item: object) -> Row:
    """One row or record as a plain JSON object."""
    if isinstance(item, dict):
        return cast("Row", item)
    wire = getattr(item, "to_wire", None)  # a generated model: what was read or set, not its sixty fields
    if wire is not None:
        return cast("Row", wire())
    dump = getattr(item, "model_dump", None)
    if dump is not None:
        return cast("Row", dump(mode="json", by_alias=True))
    as_json = getattr(item, "to_json", None)
    if as_json is not None:
        return cast("Row", as_json())
    if dataclasses.is_dataclass(item):
        return {name: to_json(getattr(item, name)) for name in fields_of(type(item))}
    return {"value": cast("JsonValue", item)}


def to_json(result: object) -> JsonValue:
    """What `-o json` prints: an array for rows, an object for a record, a scalar as it is."""
    if isinstance(result, Rows):
        return cast("list[JsonValue]", cast("Rows[Any]", result).plain())
    if result is None or isinstance(result, (str, int, float, bool)):
        return result
    if isinstance(result, (list, tuple)):
        return [to_json(item) for item in cast("Iterable[object]", result)]
    if isinstance(result, dict):
        return cast("Row", result)
    return result.value if isinstance(result, Value) else to_plain(result)


def plain_fields(item: object) -> JsonObject:
    """A dataclass of plain values as a JSON object, without its private payload and without what is None."""
    names = cast("Iterable[str]", item.__dataclass_fields__)  # type: ignore[attr-defined]
    return {name: value for name in names if (value := getattr(item, name)) is not None}


def stamped(result: object, *, verb: str, profile: str) -> object:
    """A result whose rows know where they came from: the verb's path, the profile's name, and the time."""
    if isinstance(result, Rows):
        cast("Rows[object]", result).with_provenance(verb=verb, profile=profile, at=dt.datetime.now(dt.UTC))
    return cast("object", result)
