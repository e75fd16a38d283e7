"""Aggregate data values on their way in: one request that is sent as it is read, or several.

API source: `DataValueSetController.java`, `ImportOptions.java` (api-facts f).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from dhis2sh.client import bodies
from dhis2sh.client.limits import gather_bounded
from dhis2sh.client.messages import ConflictRow, ImportCount, WebMessage
from dhis2sh.client.query import camel, refuse_unknown
from dhis2sh.client.sending import BulkResult, ImportStrategy, attempt, refusal, send
from dhis2sh.client.value_formats import CONTENT_TYPES, Format, format_of
from dhis2sh.errors import Dhis2Error, Refused, UsageError

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Content, Param
    from dhis2sh.types import JsonObject, Row

type Source = Path | str | bytes | Mapping[str, object] | Iterable[Row] | AsyncIterable[Row] | AsyncIterable[bytes]
"""Data values: a file, bytes, one JSON envelope, rows from anywhere, or pieces of bytes as they come."""


class ImportOptions(TypedDict, total=False):
    """How data values are imported; the names are DHIS2's own in snake case."""

    import_strategy: ImportStrategy
    dry_run: bool
    data_set: str
    id_scheme: str
    data_element_id_scheme: str
    org_unit_id_scheme: str
    category_option_combo_id_scheme: str
    skip_existing_check: bool
    skip_audit: bool
    force: bool
    strict_periods: bool
    strict_data_elements: bool
    strict_category_option_combos: bool
    strict_attribute_option_combos: bool
    strict_organisation_units: bool
    require_category_option_combo: bool
    require_attribute_option_combo: bool
    first_row_is_header: bool


async def stream_in(
    client: Requests,
    source: Source,
    options: ImportOptions,
    *,
    format: Format | None,
    head: JsonObject | None,
) -> WebMessage:
    """As `DataValues.stream_in`."""
    content, media = await _content(source, format, head)
    outcome = await attempt(send(client, "POST", "dataValueSets", content, _options(options), content_type=media))
    if isinstance(outcome, Dhis2Error):
        raise outcome
    if outcome.status == "ERROR":
        raise refusal(outcome)
    return outcome


async def save_bulk(
    client: Requests,
    rows: Iterable[Row] | AsyncIterable[Row],
    options: ImportOptions,
    *,
    chunk_size: int,
    concurrency: int,
    head: JsonObject | None,
) -> BulkResult:
    """As `DataValues.save_bulk`."""
    result = BulkResult(dry_run=bool(options.get("dry_run")))
    params = _options(options)
    start = 0
    batch: list[list[Row]] = []

    async def flush() -> None:
        nonlocal start
        work = (
            attempt(send(client, "POST", "dataValueSets", {**(head or {}), "dataValues": [*chunk]}, params))
            for chunk in batch
        )
        done = iter(batch)
        async for outcome in gather_bounded(work, concurrency):
            size = len(next(done))
            _place(result, outcome, start, size)
            start += size
        batch.clear()

    async for chunk in _chunks(rows, chunk_size):
        batch.append(chunk)
        if len(batch) >= concurrency:
            await flush()
    await flush()
    return result


async def _chunks(rows: Iterable[Row] | AsyncIterable[Row], size: int) -> AsyncGenerator[list[Row]]:
    chunk: list[Row] = []
    async for row in bodies.each(rows):
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _place(result: BulkResult, outcome: WebMessage | Dhis2Error, start: int, size: int) -> None:
    """Add a chunk's outcome; places in the chunk become places in the whole."""
    before = len(result.failures)
    if isinstance(outcome, Dhis2Error):
        status = outcome.status if isinstance(outcome, Refused) else None
        told = {"message": outcome.message, "code": outcome.code, "status": status, "type": "dataValue"}
        result.failures.append(ConflictRow.model_validate(told))
    else:
        result.take(outcome, [], "dataValue")
    whole = isinstance(outcome, Dhis2Error) or (outcome.status == "ERROR" and not outcome.conflicts)
    if whole:
        result.count += ImportCount(ignored=size)
    for row in result.failures[before:]:
        row.indexes = list(range(start, start + size)) if whole else [start + index for index in row.indexes]


async def _content(source: Source, format: Format | None, head: JsonObject | None) -> tuple[Content, str]:
    """The body of an import, and what it is."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        chosen = format or format_of(path) or await _sniffed(path)
        return bodies.pieces_of(path), CONTENT_TYPES[chosen]
    if isinstance(source, bytes):
        return source, CONTENT_TYPES[format or _looks_like(source)]
    if isinstance(source, Mapping):
        return {**cast("JsonObject", source), **(head or {})}, CONTENT_TYPES["json"]
    if format is not None and format != "json":
        return aiter(bodies.each(cast("Iterable[bytes]", source))), CONTENT_TYPES[format]
    return await _rows_or_pieces(source, head), CONTENT_TYPES["json"]


async def _rows_or_pieces(
    source: Iterable[Row] | AsyncIterable[Row] | AsyncIterable[bytes], head: JsonObject | None
) -> Content:
    """Rows become JSON, pieces of bytes go as they are: the first item tells which."""
    items = bodies.each(cast("AsyncIterable[Row | bytes]", source))
    first = await anext(items, None)

    async def all_of() -> AsyncGenerator[Row | bytes]:
        if first is not None:
            yield first
        async for item in items:
            yield item

    if isinstance(first, bytes):
        return cast("AsyncIterator[bytes]", all_of())
    return bodies.json_rows({"dataValues": cast("AsyncIterable[Row]", all_of())}, head)


async def _sniffed(path: Path) -> Format:
    return _looks_like(await bodies.sized(bodies.pieces_of(path), 1024))


def _looks_like(data: bytes) -> Format:
    """The format of bytes, by how they begin."""
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in {b"{", b"["}:
        return "json"
    if text[:1] == b"<":
        return "adx" if b"<adx" in text[:500] else "xml"
    if b"," in text[:500]:
        return "csv"
    raise UsageError("these bytes are no data values", hint="format= json, csv, xml or adx")


def _options(options: ImportOptions) -> dict[str, Param]:
    refuse_unknown(options, ImportOptions, "an import of data values")
    return {camel(name): cast("Param", value) for name, value in options.items()}
