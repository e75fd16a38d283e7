"""Tracker: tracked entities, enrollments, events and relationships, by the API of the server's version.

API source: `TrackerImportController.java`, the export controllers (api-facts e). Where versions differ, the names are
data (`dhis2sh.client.versions.Behaviour`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, cast

from dhis2sh.client import bodies
from dhis2sh.client.limits import gather_bounded
from dhis2sh.client.messages import TrackerBundle, WebMessage
from dhis2sh.client.query import camel, chunked, refuse_unknown
from dhis2sh.client.sending import BulkResult, ImportStrategy, attempt, refusal, send
from dhis2sh.errors import Dhis2Error

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Content, Param
    from dhis2sh.client.versions import ServerVersion
    from dhis2sh.types import JsonObject, Row

type Kind = Literal["trackedEntities", "enrollments", "events", "relationships"]
type Source = TrackerBundle | JsonObject | Path | str | bytes | AsyncIterator[bytes]
"""A bundle, its JSON as an object, a file (`.json`, `.json.gz`), bytes, or pieces of bytes as they come."""

IDENTIFIERS: dict[Kind, str] = {
    "trackedEntities": "trackedEntity",
    "enrollments": "enrollment",
    "events": "event",
    "relationships": "relationship",
}
"""The property that holds an object's UID."""

_ORG_UNITS = {"trackedEntities", "enrollments"}


class TrackerOptions(TypedDict, total=False):
    """How a bundle is imported; the names are DHIS2's own in snake case."""

    import_strategy: ImportStrategy
    atomic_mode: Literal["ALL", "OBJECT", "NONE"]
    dry_run: bool
    validation_mode: Literal["FULL", "FAIL_FAST", "SKIP"]
    report_mode: Literal["ERRORS", "WARNINGS", "FULL"]
    flush_mode: Literal["AUTO", "OBJECT"]
    skip_pattern_validation: bool
    skip_side_effects: bool
    skip_rule_engine: bool
    id_scheme: str
    data_element_id_scheme: str
    org_unit_id_scheme: str
    program_id_scheme: str
    program_stage_id_scheme: str
    category_option_combo_id_scheme: str
    category_option_id_scheme: str


class Tracker:
    """`client.tracker`."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    # Out ------------------------------------------------------------------------------------------------------------

    async def iter(
        self,
        kind: Kind,
        *,
        org_units: str | Sequence[str] = (),
        org_unit_mode: str | None = None,
        fields: str | None = None,
        page_size: int = 200,
        limit: int | None = None,
        params: Mapping[str, Param] | None = None,
    ) -> AsyncGenerator[Row]:
        """Every object of a kind, page by page, whatever the version says of its pages.

        Parameters:
            kind: `trackedEntities`, `enrollments`, `events` or `relationships`.
            org_units: UIDs; the parameter's name and separator are those of the version and kind.
            org_unit_mode: `SELECTED`, `CHILDREN`, `DESCENDANTS`, `ACCESSIBLE`, `CAPTURE` or `ALL`.
            fields: a field expression of the tracker module.
            page_size: objects per request; `limit` stops after so many.
            params: more parameters, by DHIS2's names (`program`, `filter`, `updatedAfter`, ...).

        Unknown parameters are ignored by the server without a word. Raises `Refused` for combinations that it rejects.
        """
        pages = self.pages(
            kind,
            org_units=org_units,
            org_unit_mode=org_unit_mode,
            fields=fields,
            page_size=page_size,
            limit=limit,
            params=params,
        )
        async with aclosing(pages) as found:
            async for rows in found:
                for row in rows:
                    yield row

    async def pages(
        self,
        kind: Kind,
        *,
        org_units: str | Sequence[str] = (),
        org_unit_mode: str | None = None,
        fields: str | None = None,
        page_size: int = 200,
        limit: int | None = None,
        params: Mapping[str, Param] | None = None,
    ) -> AsyncGenerator[list[Row]]:
        """The objects of `iter` in the lists in which they come; parameters and errors as of `iter`."""
        query = await self._query(kind, org_units, org_unit_mode, {"fields": fields, **(params or {})})
        async with aclosing(self._client.pages(f"tracker/{kind}", query, size=page_size, limit=limit)) as found:
            async for rows in found:
                yield rows

    async def count(
        self, kind: Kind, *, org_units: str | Sequence[str], org_unit_mode: str, params: Mapping[str, Param]
    ) -> int:
        """How many objects of a kind there are, by the pager of one page of one. Parameters and errors as of `iter`."""
        query = await self._query(kind, org_units, org_unit_mode, {**params, "totalPages": True, "pageSize": 1})
        return (await self._client.list_page(f"tracker/{kind}", query)).total or 0

    async def _query(
        self, kind: Kind, org_units: str | Sequence[str], org_unit_mode: str | None, params: Mapping[str, Param]
    ) -> dict[str, Param]:
        version = await self._client.version()
        units = [org_units] if isinstance(org_units, str) else list(org_units)
        renamed = version.behaviour.enrollment_status
        query = {renamed.get((kind, name), name): value for name, value in params.items()}
        if units:
            query[_org_unit_param(kind, version)] = version.behaviour.uid_separator.join(units)
        if org_unit_mode:
            query[version.behaviour.tracker_org_unit_mode] = org_unit_mode
        return query

    async def get(self, kind: Kind, uid: str, *, fields: str | None = None, program: str | None = None) -> JsonObject:
        """One object. Raises `NotFound`."""
        return await self._client.get_object(f"tracker/{kind}/{uid}", {"fields": fields, "program": program})

    # In -------------------------------------------------------------------------------------------------------------

    async def import_(self, source: Source, **options: Unpack[TrackerOptions]) -> WebMessage:
        """Import a bundle and wait for its report, in one request.

        Parameters:
            source: the bundle.
            options: how; `atomic_mode="OBJECT"` (or `NONE`, which means the same) writes what can be written.

        A part that was refused is no error: `conflicts` of the message lists it, `import_count` what was written.

        Raises `Refused` when nothing was written, `UsageError` for an option that it does not have.
        """
        outcome = await attempt(self._send(source, options, wait=True))
        if isinstance(outcome, Dhis2Error):
            raise outcome
        if outcome.status == "ERROR" and not options.get("dry_run"):
            raise refusal(outcome)
        return outcome

    async def dry_run(self, source: Source, **options: Unpack[TrackerOptions]) -> WebMessage:
        """What an import would do; nothing is written and no refusal raised."""
        return await self.import_(source, **{**options, "dry_run": True})

    async def start_import(self, source: Source, **options: Unpack[TrackerOptions]) -> WebMessage:
        """Start an import and return at once; follow the message's job with `client.tasks`."""
        return await self._send(source, options, wait=False)

    async def report_of(self, source: Source, **options: Unpack[TrackerOptions]) -> WebMessage:
        """Import a bundle in one request; its report, whatever that says. Raises `Refused` for one that has none."""
        return await self._send(source, options, wait=True)

    async def save_bulk(
        self,
        kind: Kind,
        rows: Iterable[Row],
        *,
        chunk_size: int = 500,
        concurrency: int = 2,
        **options: Unpack[TrackerOptions],
    ) -> BulkResult:
        """Import objects of one kind in several requests; refusals are in `failures` of the result.

        Parameters:
            kind, rows: what; enrollments may be nested in entities, and events in enrollments.
            chunk_size: objects in one request; `concurrency` requests at a time.
            options: as of `import_`; `atomic_mode` is `OBJECT` without one.
        """
        chosen = TrackerOptions(**{"atomic_mode": "OBJECT", **options})  # type: ignore[typeddict-item]
        result = BulkResult(dry_run=bool(options.get("dry_run")))
        chunks = list(chunked(rows, chunk_size))
        work = (attempt(self._send({kind: [*chunk]}, chosen, wait=True)) for chunk in chunks)
        done = iter(chunks)
        async for outcome in gather_bounded(work, concurrency):
            result.take(outcome, [str(row.get(IDENTIFIERS[kind]) or "") for row in next(done)], kind)
        return result

    async def _send(self, source: Source, options: TrackerOptions, *, wait: bool) -> WebMessage:
        refuse_unknown(options, TrackerOptions, "an import of tracker data")
        renamed = {"dry_run", "atomic_mode"}
        params = {camel(name): cast("Param", value) for name, value in options.items() if name not in renamed}
        params["async"] = not wait
        params["importMode"] = "VALIDATE" if options.get("dry_run") else None
        mode = options.get("atomic_mode")
        params["atomicMode"] = "OBJECT" if mode == "NONE" else mode
        return await send(self._client, "POST", "tracker", _content(source), params)


def _org_unit_param(kind: Kind, version: ServerVersion) -> str:
    """`orgUnit` of events everywhere; of the others as the version has it."""
    return version.behaviour.tracker_org_units if kind in _ORG_UNITS else "orgUnit"


def _content(source: Source) -> Content:
    if isinstance(source, TrackerBundle):
        return source.payload()
    if isinstance(source, (str, Path)):
        return bodies.pieces_of(Path(source))
    return source
