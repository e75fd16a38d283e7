"""Aggregate data values, in and out, streamed: memory does not grow with their number.

API source: `DataValueSetController.java`, `ImportOptions.java`, `DataValueSetQueryParams.java` (api-facts f).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack, cast
from urllib.parse import urlencode

from dhis2sh.client import bodies
from dhis2sh.client.query import camel, refuse_unknown
from dhis2sh.client.requests import encode_params
from dhis2sh.client.streams import rows_of_csv, whole_json, whole_text
from dhis2sh.client.value_formats import CONTENT_TYPES, Format, format_of
from dhis2sh.errors import Refused

if TYPE_CHECKING:
    from dhis2sh.client.answers import AnswerStream
    from dhis2sh.client.bodies import Target
    from dhis2sh.client.data_values_in import ImportOptions, Source
    from dhis2sh.client.messages import WebMessage
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Param
    from dhis2sh.client.sending import BulkResult
    from dhis2sh.types import JsonObject, Row

COLUMNS = (
    "dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo", "value", "storedBy",
    "lastUpdated", "comment", "followup", "deleted",
)  # fmt: skip
"""The columns of the server's CSV, in its order, by their names in JSON."""
_BOOLEANS = {"followup", "deleted"}
LONGEST = 6_000
"""Characters of a query from which on it is asked in parts: servers take a head of 8 KiB, and not all know aliases."""


class DataValueQuery(TypedDict, total=False):
    """Which data values; the names are DHIS2's own in snake case. At least data, period and organisation unit."""

    data_set: str | Sequence[str]
    data_element: str | Sequence[str]
    data_element_group: str | Sequence[str]
    period: str | Sequence[str]
    start_date: str
    end_date: str
    org_unit: str | Sequence[str]
    org_unit_group: str | Sequence[str]
    children: bool
    attribute_option_combo: str | Sequence[str]
    include_deleted: bool
    last_updated: str
    last_updated_duration: str
    limit: int
    id_scheme: str
    data_element_id_scheme: str
    org_unit_id_scheme: str
    category_option_combo_id_scheme: str


class DataValues:
    """`client.data_values`."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    # Out ------------------------------------------------------------------------------------------------------------

    async def stream_to(self, target: Target, *, format: Format | None = None, **query: Unpack[DataValueQuery]) -> int:
        """Write data values to a file as they come; the bytes written.

        Parameters:
            target: a file (`.gz` packs it), written under a temporary name and renamed; or an open binary file.
            format: `json`, `csv`, `xml` or `adx`; by the file's ending without it, else JSON.
            query: which values.

        Raises `Refused` (E2001, E2002, E2006, ...) when data, period or organisation unit is missing, and for ADX from
        a server that does not give it.
        """
        chosen = format or (format_of(Path(target)) if isinstance(target, (str, Path)) else None) or "json"
        params = _params(query) | ({"format": "adx+xml"} if chosen == "adx" else {})

        def checked(answer: AnswerStream) -> AsyncIterator[bytes]:
            if chosen == "adx" and answer.content_type == CONTENT_TYPES["json"]:
                raise Refused(  # recorded on 2.43 and 2.44, which ignore what they were asked for
                    "this server answers JSON where ADX is asked for", status=answer.status, hint="use json, csv or xml"
                )
            return whole_json(answer) if chosen == "json" else whole_text(answer)

        return await bodies.save(self._client, _PATHS[chosen], params, target, checked, accept=CONTENT_TYPES[chosen])

    async def iter(self, *, whole: bool = False, **query: Unpack[DataValueQuery]) -> AsyncGenerator[Row]:
        """Data values one by one. Parameters and errors as of `batches`."""
        async with aclosing(self.batches(whole=whole, **query)) as batches:
            async for rows in batches:
                for row in rows:
                    yield row

    async def batches(self, *, whole: bool = False, **query: Unpack[DataValueQuery]) -> AsyncGenerator[list[Row]]:
        """Data values, some at a time, read from the server's CSV: the smallest of its formats.

        Empty cells are left out; `value` is text, as in JSON. Closing it closes the request. A question that no server takes
        for its length is asked in several. Each comes as the server sends it; what is cut off goes on as `bodies.read`
        says, or is an error.

        Parameters:
            whole: each comes when all of it is there, and is asked for again when it was cut off: for a look that has to be
                whole.
            query: as of `stream_to`.

        Raises as `stream_to`, and `BrokenAnswer`.
        """
        path, accept = _PATHS["csv"], CONTENT_TYPES["csv"]
        for params in map(_params, _short_enough(query)):
            found = (
                bodies.read_whole(self._client, path, params, whole_text, _rows_of, accept=accept)
                if whole
                else bodies.read(self._client, path, params, lambda answer: _rows_of(aiter(answer)), accept=accept)
            )
            async with aclosing(found) as lists:
                async for rows in lists:
                    yield rows

    async def get(self, **query: Unpack[DataValueQuery]) -> JsonObject:
        """Data values as one envelope, for what is small. Parameters and errors as of `stream_to`.

        From 2.43 on the envelope says for all of them what the question names only one of (recorded): every value has it too.
        """
        found = await self._client.get_object("dataValueSets", _params(query))
        said = {name: found[name] for name in COLUMNS[:5] if found.get(name)}
        rows = found.get("dataValues")
        if not said or not isinstance(rows, list):
            return found
        return {**found, "dataValues": [{**said, **row} for row in rows if isinstance(row, dict)]}

    # In -------------------------------------------------------------------------------------------------------------

    async def stream_in(
        self,
        source: Source,
        *,
        format: Format | None = None,
        head: JsonObject | None = None,
        **options: Unpack[ImportOptions],
    ) -> WebMessage:
        """Import data values in one request, sent as they are read.

        Parameters:
            source: a file (by its ending; `.gz` is unpacked), bytes, an envelope, rows, or pieces of bytes.
            format: of bytes and of files with another ending.
            head: of rows: what stands for all of them (`dataSet`, `period`, `orgUnit`, `completeDate`).
            options: how; `dry_run` writes nothing.

        The message has `import_count`, `conflicts` and `rejected_indexes`: one bad value makes the whole import a
        WARNING although the good ones are written (there is no atomic mode), so that is no error here.

        Raises `Refused` when the server could not read it at all, `UsageError` for an option that it does not have.
        """
        from dhis2sh.client.data_values_in import stream_in  # start-up: most only read

        return await stream_in(self._client, source, options, format=format, head=head)

    async def save_bulk(
        self,
        rows: Iterable[Row] | AsyncIterable[Row],
        *,
        chunk_size: int = 10_000,
        concurrency: int = 1,
        head: JsonObject | None = None,
        **options: Unpack[ImportOptions],
    ) -> BulkResult:
        """Import rows in several requests; `failures` has every rejected row by its place in what was given.

        Parameters:
            rows: from anywhere; at most `concurrency` chunks are held.
            chunk_size: rows in one request. A 2.43 wants about 1,000 (facts, quirk 37).
            concurrency: requests at a time.
            head, options: as of `stream_in`.
        """
        from dhis2sh.client.data_values_in import save_bulk  # start-up: most only read

        return await save_bulk(self._client, rows, options, chunk_size=chunk_size, concurrency=concurrency, head=head)


_PATHS: dict[Format, str] = {
    "json": "dataValueSets",
    "csv": "dataValueSets.csv",
    "xml": "dataValueSets.xml",
    "adx": "dataValueSets",  # no ending of its own: by its media type, and by `format`
}


async def _rows_of(pieces: AsyncIterator[bytes]) -> AsyncGenerator[list[Row]]:
    """The values in the server's CSV."""
    async with aclosing(rows_of_csv(pieces, COLUMNS)) as lists:
        async for rows in lists:
            for row in rows:
                for name in _BOOLEANS & row.keys():
                    row[name] = row[name] == "true"
            yield rows


def _params(query: DataValueQuery) -> dict[str, Param]:
    refuse_unknown(query, DataValueQuery, "a query of data values")
    return {camel(name): cast("Param", value) for name, value in query.items()}


def _short_enough(query: DataValueQuery) -> Iterator[DataValueQuery]:
    """A query in those that a server takes: cut where no value can be in two of them, by periods, elements or units."""
    if "limit" in query or len(urlencode(encode_params(_params(query)))) <= LONGEST:
        yield query
        return
    parted = ["period"]
    parted += ["data_element"] if not (query.get("data_set") or query.get("data_element_group")) else []
    parted += ["org_unit"] if not (query.get("children") or query.get("org_unit_group")) else []
    asked = cast("Mapping[str, str | Sequence[str]]", query)
    lists = {name: list(dict.fromkeys(asked[name])) for name in parted if not isinstance(asked.get(name, ""), str)}
    name = max(lists, key=lambda name: len(lists[name]), default=None)
    if name is None or len(lists[name]) < 2:
        yield query  # the server says what it thinks of it
        return
    middle = len(lists[name]) // 2
    for half in (lists[name][:middle], lists[name][middle:]):
        yield from _short_enough(cast("DataValueQuery", {**query, name: half}))
