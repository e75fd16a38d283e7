"""`/api/lockExceptions`: what may be entered late. A server keeps the same exception as often as it is asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.data.model import Model, read_period
from dhis2sh.sandbox.data.paging import paged, picked
from dhis2sh.sandbox.data.shown import period_reference
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer, done, empty
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.period_names import period_name
from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_TYPES = {"dataSet": "dataSets", "organisationUnit": "organisationUnits"}


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.store = server.store

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Data set, period, org unit and moment of every exception."""
        return self.store.connection.execute(
            "SELECT data_set, period, coalesce(org_unit, ''), created FROM lock_exception ORDER BY created, org_unit"
        ).fetchall()

    def _shown(self, model: Model, row: tuple[str, str, str, str]) -> JsonObject:
        data_set, iso, unit, created = row
        place = f"{model.name('organisationUnits', unit)}, " if unit else ""
        found: JsonObject = {
            "name": f"{model.name('dataSets', data_set)} ({place}{self._named(iso)})",
            "period": period_reference(self.store, iso),
            "dataSet": {"id": data_set},
            "created": created,
        }
        if unit:
            found["organisationUnit"] = {"id": unit}
        return found

    def _named(self, iso: str) -> str:
        period = None if self.store.version.upserts else read_period(iso)
        return iso if period is None else period_name(period)

    def list_(self, request: Request) -> Response:
        """`GET /api/lockExceptions`, with `filter=dataSet.id:eq:...`."""
        model, rows = Model(self.store), self._rows()
        for text in request.query_params.getlist("filter"):
            rows = [row for row in rows if _meets(row, text)]
        found = [self._shown(model, row) for row in rows]
        shown = picked(request.query_params, found, self.store, _TYPES)
        return answer(paged(request.query_params, "lockExceptions", shown))

    def combinations(self, request: Request) -> Response:
        """`GET /api/lockExceptions/combinations`: data sets and periods that have exceptions."""
        model = Model(self.store)
        pairs = dict.fromkeys(row[:2] for row in self._rows())
        rows = [self._shown(model, (data_set, iso, "", "")) | {"id": "0"} for data_set, iso in pairs]
        bare = [{name: value for name, value in row.items() if name != "created"} for row in rows]
        return answer({"lockExceptions": cast("list[JsonValue]", bare)})

    def of_form(self, request: Request) -> Response:
        """`GET /api/dataEntry/lockExceptions?ds=`: those of a data set, all of them without one."""
        wanted = request.query_params.get("ds")
        found: list[JsonValue] = [
            {"dataSet": data_set, "period": iso, "orgUnit": unit}
            for data_set, iso, unit, _ in self._rows()
            if wanted in (None, data_set)
        ]
        return answer({"lockExceptions": found})

    def add(self, request: Request) -> Response:
        """`POST /api/lockExceptions?ds&pe&ou`."""
        query, model = request.query_params, Model(self.store)
        data_set, text = params.required(query, "ds"), params.required(query, "pe")
        units, period = params.required(query, "ou").split(","), read_period(text)
        if not model.exists("dataSets", data_set) or period is None:
            raise Refused(409, " DataSet or Period is invalid")
        known = [uid for uid in units if model.exists("organisationUnits", uid)]
        if not known:
            raise Refused(409, f"Can't find OrganisationUnit with id ={','.join(units)}")
        assigned = [uid for uid in known if uid in model.units_of[data_set]]
        if not assigned:
            text = f"None of the target organisation unit(s) are linked to the specified data set: {data_set}"
            raise Refused(409, text)
        with self.store.writing() as connection:
            connection.executemany(
                "INSERT INTO lock_exception VALUES (?, ?, ?, ?)",
                [(data_set, period.iso, uid, now()) for uid in assigned],
            )
        return done("LockException created successfully.", 201)

    def remove(self, request: Request) -> Response:
        """`DELETE /api/lockExceptions?ds&pe[&ou]`; there need not be one."""
        query, model = request.query_params, Model(self.store)
        data_set, text = params.required(query, "ds"), params.required(query, "pe")
        period = read_period(text)
        if not model.exists("dataSets", data_set) or period is None:
            raise Refused(409, f"Can't find LockException with combination: dataSet={data_set}, period={text}")
        unit = query.get("ou")
        with self.store.writing() as connection:
            connection.execute(
                "DELETE FROM lock_exception WHERE data_set = ? AND period = ? AND (? IS NULL OR org_unit = ?)",
                (data_set, period.iso, unit, unit),
            )
        return empty()


def _meets(row: tuple[str, str, str, str], text: str) -> bool:
    """`dataSet.id:eq:uid` and `in:[uid,uid]`, of the three that an exception is about. Raises `Refused` with 501."""
    path, operator, wanted = [*text.split(":", 2), "", ""][:3]
    places = {"dataSet.id": 0, "period.id": 1, "organisationUnit.id": 2}
    if path not in places or operator not in {"eq", "in"}:
        raise not_imitated(f"the filter {text} of lock exceptions")
    return str(row[places[path]]) in (wanted.strip("[]").split(",") if operator == "in" else [wanted])


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/lockExceptions", api.list_),
        Route("/api/lockExceptions/combinations", api.combinations),
        Route("/api/dataEntry/lockExceptions", api.of_form),
        Route("/api/lockExceptions", api.add, methods=["POST"]),
        Route("/api/lockExceptions", api.remove, methods=["DELETE"]),
    ]
