"""What verbs return: typed rows, plans and write summaries. Data plus a rendering rule, never text.

`Rows` is a class of its own, not a list: IPython's list printer would otherwise beat its display. The drawing itself
(`dhis2sh.render`) is imported when something is drawn.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, overload

from dhis2sh.errors import Dhis2Error, UsageError

if TYPE_CHECKING:
    from dhis2sh.profiles import Profile
    from dhis2sh.types import JsonObject, JsonValue, Row

type Action = Literal["create", "update", "delete", "share", "import", "run", "set", "move", "merge", "split"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where rows came from.

    Parameters:
        verb: the verb's full path, such as `metadata list`.
        query: the requests that were sent, method and path with query.
        profile: name of the profile.
        at: when, in UTC.
    """

    verb: str = ""
    query: tuple[str, ...] = ()
    profile: str = ""
    at: dt.datetime | None = None


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


class Rows[T]:
    """Rows of one kind, with their columns, where they came from and how many more there are.

    Parameters:
        items: plain rows (`Row`) or pydantic models.
        columns: which fields to show, in order; None means all that occur, in the order of their first occurrence.
        provenance: verb, query, profile and time.
        page: the paging note, None when the rows are everything.
        resource: the type (plural) of the rows, where they are metadata objects; verbs and completion use it.
    """

    __slots__ = ("_columns", "items", "page", "provenance", "resource")

    def __init__(
        self,
        items: Iterable[T],
        *,
        columns: Iterable[str] | None = None,
        provenance: Provenance | None = None,
        page: PageNote | None = None,
        resource: str | None = None,
    ) -> None:
        self.items: list[T] = list(items)
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
            return tuple(record_fields(self.items[0]))
        seen: dict[str, None] = {}
        for row in self.plain():
            for key in row:
                seen.setdefault(key)
        return tuple(seen)

    def plain(self) -> list[Row]:
        """The rows as plain JSON objects (models are dumped by alias, as `-o json` prints them)."""
        return [to_plain(item) for item in self.items]

    def with_items[U](self, items: Iterable[U], *, columns: Iterable[str] | None = None) -> Rows[U]:
        """New rows of the same provenance; the paging note goes, since a stage has changed what it counted."""
        return Rows(items, columns=columns, provenance=self.provenance, resource=self.resource)

    def with_provenance(self, **changes: Any) -> Rows[T]:
        """The same rows with a changed provenance."""
        self.provenance = replace(self.provenance, **changes)
        return self

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Rows[T]: ...
    def __getitem__(self, index: int | slice) -> T | Rows[T]:
        if isinstance(index, slice):
            return self.with_items(self.items[index], columns=self._columns)
        return self.items[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self.plain() == cast("Rows[Any]", other).plain()

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, stage: Callable[[Rows[T]], object]) -> object:
        """`rows | stage` applies a stage or any function of rows."""
        return stage(self)

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Every stage is a method too: `rows.where("valueType == 'NUMBER'")`."""
        from dhis2sh import stages  # stages import this module

        if name.startswith("_") or name not in stages.STAGES:
            raise AttributeError(f"Rows has no attribute or stage {name!r}")

        def apply(*args: object, **options: object) -> object:
            return stages.STAGES[name].bind(*args, **options)(self)

        return apply

    def __dir__(self) -> list[str]:
        from dhis2sh import stages

        return [*super().__dir__(), *stages.STAGES]

    def __repr__(self) -> str:
        from dhis2sh import render

        return render.text(self)

    def _repr_html_(self) -> str:
        from dhis2sh import render

        return render.html(self)


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One thing that a write would do.

    Parameters:
        action: create, update, delete, ...
        type: the resource type or the kind of thing.
        uid: its UID, or None before it has one; `name` its display name.
        detail: what changes, in words, where `before` and `after` do not say it.
        before: what the object is now: the changed properties of an update, the whole of a deletion.
        after: what it will be: the changed properties of an update, the whole of a creation.
    """

    action: Action
    type: str
    uid: str | None = None
    name: str | None = None
    detail: str | None = None
    before: JsonObject | None = None
    after: JsonObject | None = None

    def words(self, names: Mapping[str, str] | None = None) -> str:
        """What changes: `name: 'A' -> 'B'`, property by property; secrets are not shown.

        Parameters:
            names: what is said in place of a UID.
        """
        if self.detail is not None or self.after is None:
            return self.detail or ""
        from dhis2sh.redact import redacted

        new = cast("JsonObject", redacted(self.after))
        if self.before is None:
            return _contents(new, names or {})
        old = cast("JsonObject", redacted(self.before))
        return "; ".join(_differences("", old, new, names or {}))

    def to_json(self) -> JsonObject:
        """The step as `-o json` prints it; secrets are not shown."""
        from dhis2sh.redact import redacted

        return cast("JsonObject", redacted(_plain_fields(self)))


SHOWN = 3
"""Items of a list that a plan shows."""
WIDEST = 200
"""Characters that a plan has for what a new object is."""


def _contents(new: JsonObject, names: Mapping[str, str]) -> str:
    """What a new object is: its first properties besides UID and name."""
    text = ""
    for name, value in new.items():
        if name in {"id", "name"} or value in (None, [], {}):
            continue
        part = f"{name}: {_said(value, names)}"
        if text and len(text) + len(part) > WIDEST:
            return f"{text}; ..."
        text += f"{'; ' if text else ''}{part}"
    return text


def _differences(path: str, old: JsonObject, new: JsonObject, names: Mapping[str, str]) -> Iterator[str]:
    """`name: 'A' -> 'B'` for what differs; objects that hold more than a reference are looked into, of lists the difference."""
    for name in {**old, **new}:
        left, right = old.get(name), new.get(name)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict) and not ("id" in left and "id" in right):
            yield from _differences(f"{path}{names.get(name, name)}.", left, right, names)
        elif isinstance(left, list) and isinstance(right, list) and (told := _of_lists(left, right, names)):
            yield f"{path}{name}: {told}"
        else:
            yield f"{path}{names.get(name, name)}: {_said(left, names)} -> {_said(right, names)}"


def _of_lists(left: Sequence[JsonValue], right: Sequence[JsonValue], names: Mapping[str, str]) -> str:
    """What came and what went, where one or the other is all that happened; empty where they are better shown whole."""
    old, new = {repr(item): item for item in left}, {repr(item): item for item in right}
    gone, come = [old[key] for key in old if key not in new], [new[key] for key in new if key not in old]
    moved = [key for key in old if key in new] != [key for key in new if key in old]
    if moved or not (gone or come) or len(gone) == len(left) or len(left) + len(right) <= SHOWN:
        return ""
    parts = [f"{mark}{_said(items, names)[1:-1]}" for mark, items in (("without ", gone), ("with ", come)) if items]
    return ", ".join(parts)


def _said(value: JsonValue, names: Mapping[str, str]) -> str:
    """A value in a plan: short, references by their name or UID."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        told = (value.get(key) for key in ("displayName", "name", "access", "id"))
        whole = ", ".join(f"{name}: {_said(item, names)}" for name, item in value.items())
        value = next((item for item in told if item), None)
        if value is None:
            return f"{{{whole[:WIDEST]}}}"
        value = names.get(value, value) if isinstance(value, str) else value
    if isinstance(value, list):
        shown = ", ".join(_said(item, names) for item in value[:SHOWN])
        return f"[{shown}{f' and {len(value) - SHOWN:,} more' if len(value) > SHOWN else ''}]"
    text = repr(value)
    return text if len(text) <= 70 else text[:66] + "...'"


class Reported(Protocol):
    """A record that people read in words."""

    def line(self) -> str:
        """The record in words."""
        ...


@dataclass(slots=True)
class Plan:
    """What a write would do, made by reading alone. It is shown, confirmed and then applied.

    Parameters:
        verb: the verb's full path; `title` one line that says what will happen.
        steps: one per object.
        notes: what was left out and why.
        payload: what `apply` needs; private to the verb, never drawn.
        local: True when nothing on a server changes (profiles, the sandbox's file).
        target: the profile whose server it changes, where that is not the session's.
        undoes: the journal's entry that this plan takes back.
        journal: whether what it changes is written down (`--no-journal`).
        asks: wants a yes even where it writes a single object: its user has not seen the change yet.
        names: what the UIDs in it stand for, where somebody is to read it (`dhis2sh.names.tell`).
        blocked: why it cannot be carried out, found out by reading; shown by a dry run, raised by anything else.
        report: what a plan of many objects comes to (a model with `line()`): drawn before the first of its steps.
    """

    title: str
    steps: list[PlanStep] = field(default_factory=lambda: [])
    notes: list[str] = field(default_factory=lambda: [])
    payload: Any = None
    local: bool = False
    verb: str = ""
    target: Profile | None = None
    undoes: int | None = None
    journal: bool = True
    asks: bool = False
    names: dict[str, str] = field(default_factory=dict[str, str])
    blocked: Dhis2Error | None = None
    report: Reported | None = None

    def to_json(self) -> JsonObject:
        """The plan as `-o json` prints it."""
        return {
            **({"report": to_plain(self.report)} if self.report is not None else {}),
            "plan": self.title,
            "verb": self.verb,
            "steps": [step.to_json() for step in self.steps],
            "notes": [*self.notes, *([f"blocked: {self.blocked}"] if self.blocked else [])],
            **({"names": {**self.names}} if self.names else {}),
        }

    def __repr__(self) -> str:
        from dhis2sh import render

        return render.text(self)

    def _repr_html_(self) -> str:
        from dhis2sh import render

        return render.html(self)


@dataclass(slots=True)
class WriteSummary:
    """What a write did: drawn as one line, printed whole by `-o json`.

    Parameters:
        what: what was written, in words (`data elements`, `profile`).
        created, updated, deleted, ignored: how many objects.
        uids: the objects that were written.
        failures: those that were refused, with the server's reason.
        envelope: the server's whole answer, where there was one.
        note: one more thing the user should know.
        types: of a write of several types how many objects of each were created and updated.
    """

    what: str
    created: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0
    uids: list[str] = field(default_factory=lambda: [])
    failures: list[Row] = field(default_factory=lambda: [])
    envelope: JsonObject | None = None
    note: str | None = None
    types: dict[str, dict[str, int]] | None = None

    def line(self) -> str:
        """The summary in one line."""
        counts = [
            f"{count:,} {word}"
            for word in ("created", "updated", "deleted", "ignored")
            if (count := getattr(self, word))
        ]
        uids = " ".join(self.uids[:5]) + (f" and {len(self.uids) - 5:,} more" if len(self.uids) > 5 else "")
        parts = [f"{self.what}: {', '.join(counts) or 'nothing changed'}", uids, self.note or ""]
        return "  ".join(part for part in parts if part)

    def to_json(self) -> JsonObject:
        """The summary as `-o json` prints it, the server's envelope included."""
        return _plain_fields(self)

    def __repr__(self) -> str:
        return self.line()


@dataclass(frozen=True, slots=True)
class Text:
    """A result that is text by nature (a script, a generated file); printed as it is."""

    text: str

    def to_json(self) -> JsonObject:
        """The text as one record."""
        return {"text": self.text}

    def __repr__(self) -> str:
        return self.text


def objects_of(text: str) -> list[JsonValue]:
    """The objects in a text, as another program prints them: a JSON array, NDJSON, or a UID a line.

    Raises `UsageError` for a line that begins like JSON and is none.
    """
    import orjson

    text = text.strip()
    try:
        if text.startswith("["):
            return cast("list[JsonValue]", orjson.loads(text))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return [orjson.loads(line) if line.startswith("{") else line for line in lines]
    except orjson.JSONDecodeError as error:
        raise UsageError(f"standard input is not JSON: {error}", hint="dhis2 metadata list TYPE -o ndjson") from error


def record_fields(item: object) -> Iterable[str]:
    """The field names of a pydantic model or dataclass, as JSON has them."""
    fields: Mapping[str, Any] | None = getattr(type(item), "model_fields", None) or getattr(
        type(item), "__dataclass_fields__", None
    )
    return [getattr(info, "alias", None) or name for name, info in (fields or {}).items()]


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
    return to_plain(result)


def _plain_fields(item: object) -> JsonObject:
    """A dataclass of plain values as a JSON object, without its private payload and without what is None."""
    names = cast("Iterable[str]", item.__dataclass_fields__)  # type: ignore[attr-defined]
    return {name: value for name in names if (value := getattr(item, name)) is not None}
