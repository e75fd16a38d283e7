"""Query parameters of a metadata list, checked before the server would silently misread them.

API source: `GetObjectListParams.java`, `DefaultQueryParser.java` (api-facts a.1 to a.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from dhis2sh.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

type Scalar = str | int | float | bool
type Direction = Literal["asc", "desc", "iasc", "idesc"]
type RootJunction = Literal["AND", "OR"]

WITHOUT_VALUE = frozenset({"null", "!null", "empty", "!empty"})
ENDPOINTS = {"dataStores": "dataStore", "metadataVersions": "metadata/version", "proposals": "metadata/proposals"}
"""Types whose address is not their plural; a test compares it with the facts."""

_SEEN_BY_SERVER = re.compile(r"([a-zA-Z0-9.]+):([!$a-zA-Z]{2,10})(?::(\[[^\]]*\]|[^,\n]*))?")


def where(property: str, operator: str, value: Scalar | Sequence[Scalar] | None = None) -> str:
    """One filter, such as `name:ilike:bcg` or `id:in:[a,b]`.

    Parameters:
        property: a property or path (`categoryCombo.id`), or the UID of a metadata attribute.
        operator: one of the server's, such as `eq`, `ilike`, `in`, `null`.
        value: what to compare with; a list for `in` and `!in`, none for `null` and `empty`.

    Raises `UsageError` for a value where none belongs, none where one does, and one that the server would cut.
    """
    if operator in WITHOUT_VALUE:
        if value is not None:
            raise UsageError(f"filter {property}:{operator} takes no value")
        return f"{property}:{operator}"
    if value is None:
        raise UsageError(f"filter {property}:{operator} needs a value", hint=f"{property}:null  finds what has none")
    if isinstance(value, str) or not isinstance(value, Sequence):
        text = _text(value)
        if "," in text or "\n" in text:
            raise UsageError(
                f"filter {property}:{operator}:{text}: the server cuts a value at its comma",
                hint=f"{property}:token:WORDS finds by words; or filter the rows afterwards",
            )
        return f"{property}:{operator}:{text}"
    members = [_text(member) for member in value]
    if any(mark in member for member in members for mark in ",[]\n"):
        raise UsageError(f"filter {property}:{operator}: a member of the list has a comma or a bracket in it")
    return f"{property}:{operator}:[{','.join(members)}]"


def order_by(property: str, direction: Direction = "asc") -> str:
    """One order, such as `name:iasc`; the `i` ignores case."""
    return f"{property}:{direction}"


def as_server_reads(filters: Iterable[str]) -> list[tuple[str, str, str | None]]:
    """What a server makes of filters: property, operator and value of each that survives.

    Spring joins repeated parameters with commas. One filter without a comma is taken whole; anything else is scanned,
    and what does not match is dropped without a word.
    """
    joined = ",".join(filters)
    if "," not in joined:
        property, _, rest = joined.partition(":")
        operator, colon, value = rest.partition(":")
        return [(property, operator, value if colon else None)] if joined else []
    return [(found[1], found[2], found[3]) for found in _SEEN_BY_SERVER.finditer(joined)]


def list_params(
    fields: str | Sequence[str] | None = None,
    filters: str | Sequence[str] = (),
    order: str | Sequence[str] = (),
    root_junction: RootJunction | None = None,
) -> dict[str, Param]:
    """The parameters of a list.

    Parameters:
        fields: DHIS2's field expression, or names.
        filters: `property:operator:value`, one or several.
        order: `property:direction`, one or several.
        root_junction: how several filters combine; AND without it.

    Raises `UsageError` for filters that the server would cut or drop.
    """
    wanted = [filters] if isinstance(filters, str) else list(filters)
    _check(wanted)
    return {
        "fields": fields if fields is None or isinstance(fields, str) else ",".join(fields),
        "filter": wanted or None,
        "order": [order] if isinstance(order, str) else list(order) or None,
        "rootJunction": root_junction,
    }


def _check(filters: list[str]) -> None:
    read = as_server_reads(filters)
    written = [":".join(part for part in found if part is not None) for found in read]
    for text in filters:
        if text not in written:
            raise UsageError(
                f"filter '{text}': the server would read it as {', '.join(map(repr, written)) or 'nothing'}",
                hint="filters look like name:ilike:bcg; a value holds no comma, and a property no _ or -, among several",
            )


def chunked[T](items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in lists of at most `size`."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def address_of(plural: str) -> str:
    """Where the objects of a type are, below `/api`."""
    return ENDPOINTS.get(plural, plural)


def refuse_unknown(given: Mapping[str, object], kind: type, what: str) -> None:
    """Refuse an option that a call does not have: Python does not look, and what is sent a server ignores in silence.

    Parameters:
        given: the options by name.
        kind: the `TypedDict` that lists them.
        what: who does not have it, as `data values`.

    Raises `UsageError` with the nearest names.
    """
    known = sorted(kind.__annotations__)
    for name in given:
        if name not in known:
            raise UsageError(
                f"{what}: there is no option '{name}'", hint=did_you_mean(name, known) or f"one of {', '.join(known)}"
            )


def camel(name: str) -> str:
    """`data_elements` as `dataElements`: Python's names as DHIS2's."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
