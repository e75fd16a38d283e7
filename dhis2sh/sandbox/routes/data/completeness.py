"""`/api/completeDataSetRegistrations`: which forms are complete."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from xml.sax.saxutils import quoteattr

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.data import export, formats
from dhis2sh.sandbox.data.conflicts import Summary
from dhis2sh.sandbox.data.imports import Options
from dhis2sh.sandbox.data.model import Model, read_period, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.data.values import attribute_combo, body_of, reading, summary_answer
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    import sqlite3

    from starlette.datastructures import QueryParams

    from dhis2sh.dhis2.periods import Period
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
        rows = [row for row in self._rows(asked) if row[2] in wanted and asked.covers(row[0])]
        found = [_shown(row, model, request.query_params) for row in rows]
        found = found[: asked.limit] if asked.limit else found
        accepted = request.headers.get("accept", "")
        if "application/xml" in accepted and "json" not in accepted:
            return Response(_xml(found), media_type="application/xml;charset=UTF-8")
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
        made: set[str] = set()
        with self.store.writing() as connection:
            connection.execute("SAVEPOINT rows")
            for item in items:
                made |= self._put(connection, model, item, options, summary, username)
            if self.store.version.upserts and self._unknown(connection, made):
                connection.execute("ROLLBACK TO rows")
                connection.executemany("INSERT OR IGNORE INTO known_period VALUES (?)", [(iso,) for iso in made])
                summary.failed("The import process failed: Failed to flush BatchHandler")
            connection.execute("RELEASE rows")
        if summary.ignored and not (summary.imported or summary.updated or summary.deleted):
            summary.status = "ERROR"
        return summary

    def _unknown(self, connection: sqlite3.Connection, periods: set[str]) -> bool:
        """Is one of these periods not in the database yet? A 2.43 makes it and fails; the second time it is there."""
        known = "SELECT 1 FROM {} WHERE period = ? LIMIT 1"
        tables = ("known_period", "data_value", "approval", "lock_exception")
        return any(
            not any(connection.execute(known.format(table), (iso,)).fetchone() for table in tables) for iso in periods
        )

    def _put(
        self, connection: sqlite3.Connection, model: Model, item: JsonObject, options: Options, summary: Summary,
        username: str,
    ) -> set[str]:  # fmt: skip
        """Write one registration, and count it. Returns its period where it is a new one."""
        named = {name: str(item.get(name) or "") for name in ("dataSet", "organisationUnit", "period")}
        data_set = model.resolve("dataSets", options.scheme("dataSet"), named["dataSet"])
        unit = model.resolve("organisationUnits", options.scheme("orgUnit"), named["organisationUnit"])
        period = read_period(named["period"])
        combo = str(item.get("attributeOptionCombo") or DEFAULT_OPTION_COMBO)
        for text, known, words in (
            (named["dataSet"], data_set, "Data set not found or not accessible"),
            (named["period"], period, "Period not valid"),
            (named["organisationUnit"], unit, "Organisation unit not found or not accessible"),
            (combo, model.exists("categoryOptionCombos", combo) or None, "Attribute option combo not found or not accessible"),
        ):  # fmt: skip
            if known is None:
                summary.ignored += 1
                objects = {"object": text} if text else {}
                summary.notes.append({**objects, "value": words})
                return set()
        data_set, period, unit = cast("str", data_set), cast("Period", period), cast("str", unit)
        key = (data_set, period.iso, unit, combo)
        where = "data_set = ? AND period = ? AND org_unit = ? AND attribute_option_combo = ?"
        known = connection.execute(f"SELECT 1 FROM completeness WHERE {where}", key).fetchone() is not None
        if options.strategy == "DELETE":
            summary.deleted += known
            summary.ignored += not known
            if known and not options.on("dryRun"):
                connection.execute(f"DELETE FROM completeness WHERE {where}", key)
            return set()
        if (known and options.strategy == "CREATE") or (not known and options.strategy == "UPDATE"):
            summary.ignored += 1
            return set()
        summary.updated += known
        summary.imported += not known
        if options.on("dryRun"):
            return set()
        date = str(item.get("date") or now())[:10]
        connection.execute(
            "INSERT OR REPLACE INTO completeness VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, date, str(item.get("storedBy") or username), now(), username, item.get("completed") is not False),
        )
        return set() if known else {period.iso}

    def remove(self, request: Request) -> Response:
        """`DELETE /api/completeDataSetRegistrations`."""
        query, model = request.query_params, Model(self.store)
        sets = params.required(query, "ds").split(",")
        period, unit = read_period(params.required(query, "pe")), params.required(query, "ou")
        if any(not model.exists("dataSets", uid) for uid in sets):
            raise Refused(409, f"Illegal data set identifier in this list: [{', '.join(sets)}]")
        if period is None:
            raise Refused(409, f"Illegal period identifier: {query['pe']}")
        if not model.exists("organisationUnits", unit):
            raise Refused(409, f"Illegal organisation unit identifier: {unit}")
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


def _since(query: QueryParams) -> str | None:
    if text := query.get("createdDuration"):
        return (dt.datetime.now(dt.UTC) - export.duration(text)).strftime("%Y-%m-%dT%H:%M:%S")
    created = params.date(query, "created")
    return created.isoformat() if created else None


def _overlaps(start: dt.date, end: dt.date, first: dt.date | None, last: dt.date | None) -> bool:
    return (first is None or start >= first) and (last is None or end <= last)


def _shown(row: tuple[JsonValue, ...], model: Model, query: QueryParams) -> JsonObject:
    """A registration, its objects by the identifiers that are asked for."""
    general = query.get("idScheme") or "UID"

    def named(plural: str, uid: JsonValue, scheme: str) -> str:
        text = query.get(f"{scheme}IdScheme") or general
        return model.identifier(plural, text if text.startswith("ATTRIBUTE:") else text.upper(), str(uid))

    return {
        "period": row[0],
        "dataSet": named("dataSets", row[1], "dataSet"),
        "organisationUnit": named("organisationUnits", row[2], "orgUnit"),
        "attributeOptionCombo": named("categoryOptionCombos", row[3], "attributeOptionCombo"),
        "date": row[4],
        "storedBy": row[5],
        "completed": bool(row[6]),
    }


def _xml(found: list[JsonObject]) -> str:
    """Registrations in XML; whether they are complete is not said there."""
    rows = "".join(
        "<completeDataSetRegistration"
        + "".join(f" {name}={quoteattr(str(text))}" for name, text in one.items() if name != "completed" and text)
        + "/>"
        for one in found
    )
    head = "<?xml version='1.0' encoding='UTF-8'?>"
    return f'{head}<completeDataSetRegistrations xmlns="{formats.DXF}">{rows}</completeDataSetRegistrations>'


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
    ]
