"""`/api/completeDataSetRegistrations` and `/api/lockExceptions`: what is complete, and what may be entered late."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.data import export, formats
from dhis2sh.sandbox.data.conflicts import Summary
from dhis2sh.sandbox.data.imports import Options
from dhis2sh.sandbox.data.model import Model, read_period, references
from dhis2sh.sandbox.data.paging import paged, picked
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.data.values import attribute_combo, body_of, reading, summary_answer
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    import sqlite3

    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_COLUMNS = "period, data_set, org_unit, attribute_option_combo, date, stored_by, completed"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a read asks for: data sets, periods or dates, org units or groups of them."""

    sets: list[str]
    periods: set[str]
    units: list[str]
    groups: list[str]
    start: dt.date | None
    end: dt.date | None
    since: str | None
    limit: int | None
    children: bool

    @classmethod
    def of(cls, query: QueryParams, model: Model) -> _Asked:
        """Read the query; what does not exist is left out. Raises `Refused` for the last demand that is not met."""
        groups = [uid for uid in params.many(query, "orgUnitGroup") if model.exists("organisationUnitGroups", uid)]
        asked = cls(
            sets=[uid for uid in params.many(query, "dataSet") if model.exists("dataSets", uid)],
            periods={period.iso for text in params.many(query, "period") if (period := read_period(text))},
            units=[uid for uid in params.many(query, "orgUnit") if model.exists("organisationUnits", uid)],
            groups=groups,
            start=params.date(query, "startDate"),
            end=params.date(query, "endDate"),
            since=_since(query),
            limit=params.integer(query, "limit", 0) if query.get("limit") else None,
            children=params.boolean(query, "children"),
        )
        unmet = [code for code, met in asked._demands() if not met]
        if unmet:
            raise Refused(409, export.MESSAGES[unmet[-1]].format(asked.limit), unmet[-1])
        return asked

    def _demands(self) -> Iterator[tuple[str, bool]]:
        dates = self.start is not None, self.end is not None
        yield "E2013", bool(self.sets)
        yield "E2002", bool(self.periods) or all(dates) or self.since is not None
        yield "E2003", not self.periods or not any(dates)
        yield "E2004", self.start is None or self.end is None or self.start <= self.end
        yield "E2006", bool(self.units or self.groups)
        yield "E2007", not self.groups or not self.children
        yield "E2009", self.limit is None or self.limit >= 0

    def wanted(self, model: Model) -> set[str]:
        """The org units, those below and those of groups among them."""
        found = {below for unit in self.units for below in model.subtree(unit)} if self.children else set(self.units)
        for group in self.groups:
            found.update(references(model.body("organisationUnitGroups", group), "organisationUnits"))
        return found

    def covers(self, iso: str) -> bool:
        """Is a period one of those that were asked for, or within the dates?"""
        if self.periods:
            return iso in self.periods
        period = read_period(iso)
        return period is not None and _overlaps(period.start, period.end, self.start, self.end)


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def read(self, request: Request) -> Response:
        """`GET /api/completeDataSetRegistrations`."""
        model = Model(self.store)
        asked = _Asked.of(request.query_params, model)
        wanted = asked.wanted(model)
        found = [_shown(row) for row in self._rows(asked) if row[2] in wanted and asked.covers(row[0])]
        found = found[: asked.limit] if asked.limit else found
        return answer({"completeDataSetRegistrations": [*found]} if found else {})

    def _rows(self, asked: _Asked) -> sqlite3.Cursor:
        """The stored registrations of the data sets, of all times or since a moment."""
        return self.store.connection.execute(
            f"SELECT {_COLUMNS} FROM completeness WHERE data_set IN ({','.join('?' * len(asked.sets))}) "
            "AND (? IS NULL OR last_updated >= ?)",
            (*asked.sets, asked.since, asked.since),
        )

    def write(self, request: Request) -> Response:
        """`POST /api/completeDataSetRegistrations`."""
        options = Options.of(request.query_params, atomic=self.store.version.upserts)
        raw, kind = body_of(request), request.headers.get("content-type", "")
        user = self.server.user(request)
        username = cast("str", user.get("username"))
        if options.on("async"):

            def work(progress: Progress) -> JsonValue:
                progress.note("Importing complete data set registrations")
                return self._import(raw, kind, options, username).shown()

            config = self.server.jobs.submit(
                "COMPLETE_DATA_SET_REGISTRATION_IMPORT", user=cast("str", user["id"]), parameters=options.shown(),
                work=work,
            )  # fmt: skip
            return self.server.initiated(request, config)
        return summary_answer(self._import(raw, kind, options, username))

    def _import(self, raw: bytes, kind: str, options: Options, username: str) -> Summary:
        summary = Summary(options.shown(), description="Import process complete.", complete=None)
        try:
            items = _items(raw, kind)
        except Refused as no:
            summary.status, summary.description = "ERROR", f"The import process failed: {no}"
            return summary
        model = Model(self.store)
        with self.store.writing() as connection:
            for item in items:
                self._put(connection, model, item, options, summary, username)
        return summary

    def _put(
        self, connection: sqlite3.Connection, model: Model, item: JsonObject, options: Options, summary: Summary,
        username: str,
    ) -> None:  # fmt: skip
        data_set = model.resolve("dataSets", options.scheme("dataSet"), str(item.get("dataSet") or ""))
        unit = model.resolve("organisationUnits", options.scheme("orgUnit"), str(item.get("organisationUnit") or ""))
        period = read_period(str(item.get("period") or ""))
        combo = str(item.get("attributeOptionCombo") or DEFAULT_OPTION_COMBO)
        if data_set is None or unit is None or period is None or not model.exists("categoryOptionCombos", combo):
            summary.ignored += 1
            summary.status = "WARNING"
            return
        key = (data_set, period.iso, unit, combo)
        where = "data_set = ? AND period = ? AND org_unit = ? AND attribute_option_combo = ?"
        known = connection.execute(f"SELECT 1 FROM completeness WHERE {where}", key).fetchone() is not None
        if options.strategy == "DELETE":
            summary.deleted += known
            summary.ignored += not known
            if known and not options.on("dryRun"):
                connection.execute(f"DELETE FROM completeness WHERE {where}", key)
            return
        if (known and options.strategy == "CREATE") or (not known and options.strategy == "UPDATE"):
            summary.ignored += 1
            return
        summary.updated += known
        summary.imported += not known
        if options.on("dryRun"):
            return
        date = str(item.get("date") or now())[:10]
        connection.execute(
            "INSERT OR REPLACE INTO completeness VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, date, str(item.get("storedBy") or username), now(), username, item.get("completed") is not False),
        )

    def remove(self, request: Request) -> Response:
        """`DELETE /api/completeDataSetRegistrations`."""
        query, model = request.query_params, Model(self.store)
        sets = params.required(query, "ds").split(",")
        period, unit = read_period(params.required(query, "pe")), params.required(query, "ou")
        for uid in sets:
            if not model.exists("dataSets", uid):
                raise Refused(409, f"Data set not found or not accessible: `{uid}`", "E1105")
        if period is None:
            raise Refused(409, f"Period is invalid: `{query['pe']}`", "E1101")
        if not model.exists("organisationUnits", unit):
            raise Refused(409, f"Organisation unit not found or not accessible: `{unit}`", "E1102")
        combo = attribute_combo(model, query)
        units = [unit]
        if params.boolean(query, "multiOu"):
            units += model.children.get(unit, [])
        with self.store.writing() as connection:
            connection.executemany(
                "DELETE FROM completeness WHERE data_set = ? AND period = ? AND org_unit = ? "
                "AND attribute_option_combo = ?",
                [(uid, period.iso, each, combo) for uid in sets for each in units],
            )
        return Response(None, 204)

    # Lock exceptions -----------------------------------------------------------------------------------------------

    def _exceptions(self, model: Model, sql: str = "") -> list[JsonObject]:
        rows = self.store.connection.execute(
            f"SELECT data_set, period, org_unit, created FROM lock_exception {sql} ORDER BY created, org_unit"
        )
        found: list[JsonObject] = []
        for data_set, period, unit, created in rows:
            item: JsonObject = {
                "created": created,
                "dataSet": {"id": data_set, "name": model.name("dataSets", data_set)},
            }
            name = model.name("dataSets", data_set)
            if unit:
                item["organisationUnit"] = {"id": unit, "name": model.name("organisationUnits", unit)}
                name = f"{model.name('organisationUnits', unit)} ({name}, {period})"
            found.append({"name": name, "period": {"id": period, "displayName": period}, **item})
        return found

    def exceptions(self, request: Request) -> Response:
        """`GET /api/lockExceptions`."""
        rows = picked(request.query_params, self._exceptions(Model(self.store)))
        return answer(paged(request.query_params, "lockExceptions", rows))

    def combinations(self, request: Request) -> Response:
        """`GET /api/lockExceptions/combinations`: data sets and periods that have exceptions."""
        sql = "WHERE rowid IN (SELECT min(rowid) FROM lock_exception GROUP BY data_set, period)"
        rows: list[JsonObject] = [
            {name: part for name, part in row.items() if name != "organisationUnit"}
            for row in self._exceptions(Model(self.store), sql)
        ]
        return answer({"lockExceptions": cast("list[JsonValue]", rows)})

    def add_exception(self, request: Request) -> Response:
        """`POST /api/lockExceptions?ds&pe&ou`."""
        query, model = request.query_params, Model(self.store)
        data_set, text = params.required(query, "ds"), params.required(query, "pe")
        units, period = params.required(query, "ou").split(","), read_period(text)
        if not model.exists("dataSets", data_set) or period is None:
            raise Refused(409, f" Can't find DataSet with id ={data_set} or Period with id ={text}", "E1004")
        known = [uid for uid in units if model.exists("organisationUnits", uid)]
        if not known:
            raise Refused(409, f"Can't find OrganisationUnit with id ={','.join(units)}", "E1004")
        assigned = [uid for uid in known if uid in model.units_of[data_set]]
        with self.store.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO lock_exception VALUES (?, ?, ?, ?)",
                [(data_set, period.iso, uid, now()) for uid in assigned],
            )
        if not assigned:
            raise Refused(
                409,
                f"None of the target organisation unit(s) are linked to the specified data set: {data_set}",
                "E1004",
            )
        body: JsonObject = {"httpStatus": "Created", "httpStatusCode": 201, "status": "OK",
                            "message": "LockException created successfully."}  # fmt: skip
        return answer(body, 201)

    def remove_exception(self, request: Request) -> Response:
        """`DELETE /api/lockExceptions?ds&pe[&ou]`."""
        query, model = request.query_params, Model(self.store)
        data_set, text = params.required(query, "ds"), params.required(query, "pe")
        period = read_period(text)
        if not model.exists("dataSets", data_set) or period is None:
            raise Refused(409, f"Can't find LockException with combination: dataSet={data_set}, period={text}", "E1004")
        unit = query.get("ou")
        with self.store.writing() as connection:
            count = connection.execute(
                "DELETE FROM lock_exception WHERE data_set = ? AND period = ? AND (? IS NULL OR org_unit = ?)",
                (data_set, period.iso, unit, unit),
            ).rowcount
        if not count:
            raise Refused(404, f"Can't find LockException with combination: dataSet={data_set}, period={text}", "E1005")
        return Response(None, 204)


def _since(query: QueryParams) -> str | None:
    if text := query.get("createdDuration"):
        return (dt.datetime.now(dt.UTC) - export.duration(text)).strftime("%Y-%m-%dT%H:%M:%S")
    created = params.date(query, "created")
    return created.isoformat() if created else None


def _overlaps(start: dt.date, end: dt.date, first: dt.date | None, last: dt.date | None) -> bool:
    return (first is None or start >= first) and (last is None or end <= last)


def _shown(row: tuple[JsonValue, ...]) -> JsonObject:
    return {
        "period": row[0],
        "dataSet": row[1],
        "organisationUnit": row[2],
        "attributeOptionCombo": row[3],
        "date": row[4],
        "storedBy": row[5],
        "completed": bool(row[6]),
    }


def _items(raw: bytes, kind: str) -> list[JsonObject]:
    """The registrations of a posted text. Raises `Refused`."""
    if "xml" in kind:
        return [dict(attributes) for attributes in formats.read_elements(raw, "completeDataSetRegistration")]
    return formats.items_of(formats.read_json(raw), "completeDataSetRegistrations")


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/completeDataSetRegistrations", api.read),
        Route("/api/completeDataSetRegistrations.json", api.read),
        Route("/api/completeDataSetRegistrations", reading(api.write), methods=["POST"]),
        Route("/api/completeDataSetRegistrations", api.remove, methods=["DELETE"]),
        Route("/api/lockExceptions", api.exceptions),
        Route("/api/lockExceptions/combinations", api.combinations),
        Route("/api/lockExceptions", api.add_exception, methods=["POST"]),
        Route("/api/lockExceptions", api.remove_exception, methods=["DELETE"]),
    ]
