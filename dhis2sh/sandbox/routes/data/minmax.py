"""`/api/minMaxDataElements`: the limits that a value should keep to, one by one and in bulk (api-facts f.5)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.data import formats
from dhis2sh.sandbox.data.model import Model, reference
from dhis2sh.sandbox.data.paging import paged, picked
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.data.values import body_of, reading
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_BULK = ("dataElement", "orgUnit", "optionCombo", "minValue", "maxValue", "generated")


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.store = server.store

    def list_(self, request: Request) -> Response:
        """`GET /api/minMaxDataElements`, with `filter=dataElement.id:eq:...` and `in:[...]`."""
        rows = self.store.connection.execute(
            "SELECT data_element, org_unit, category_option_combo, minimum, maximum, generated FROM min_max"
        )
        found: list[JsonObject] = [
            {
                "dataElement": {"id": row[0]}, "source": {"id": row[1]}, "optionCombo": {"id": row[2]}, "min": row[3],
                "max": row[4], "generated": bool(row[5]),
            }
            for row in rows
        ]  # fmt: skip
        for text in request.query_params.getlist("filter"):
            found = [item for item in found if _meets(item, text)]
        return answer(paged(request.query_params, "minMaxDataElements", picked(request.query_params, found)))

    def add(self, request: Request) -> Response:
        """`POST /api/minMaxDataElements`."""
        body = formats.read_json(body_of(request))
        key, limits = self._single(Model(self.store), body)
        self._put([(*key, *limits)])
        return _said(201, "Created", None)

    def remove(self, request: Request) -> Response:
        """`DELETE /api/minMaxDataElements`, the limit in the body."""
        key, _ = self._single(Model(self.store), formats.read_json(body_of(request)))
        if not self._drop([key]):
            raise Refused(404, "Can not find MinMaxDataElement.")
        return _said(200, "OK", "MinMaxDataElement deleted.")

    def upsert(self, request: Request) -> Response:
        """`POST /api/minMaxDataElements/upsert`: many at once, JSON or CSV."""
        rows = self._bulk(request, limits=True)
        self._put(rows)
        return _said(200, "OK", f"Successfully imported {len(rows)} min-max values")

    def delete(self, request: Request) -> Response:
        """`POST /api/minMaxDataElements/delete`: many at once, JSON or CSV."""
        count = self._drop([row[:3] for row in self._bulk(request, limits=False)])
        return _said(200, "OK", f"Successfully deleted {count} min-max values")

    def _single(
        self, model: Model, body: Mapping[str, JsonValue]
    ) -> tuple[tuple[str, str, str], tuple[int, int, bool]]:
        """The key and the limits of a single body. Raises `Refused`."""
        found: list[str] = []
        names = (
            ("dataElement", "dataElements"),
            ("source", "organisationUnits"),
            ("optionCombo", "categoryOptionCombos"),
        )
        for name, plural in names:
            uid = reference(body, name) or (DEFAULT_OPTION_COMBO if name == "optionCombo" else None)
            if uid is None:
                raise Refused(409, f"Missing required parameter : {name}")
            if not model.exists(plural, uid):
                raise Refused(409, f"Parameter {name} not found: {uid}", "E1004")
            found.append(uid)
        return (found[0], found[1], found[2]), _limits(body, "min", "max")

    def _bulk(self, request: Request, *, limits: bool) -> list[tuple[str, str, str, int, int, bool]]:
        raw = body_of(request)
        body: JsonObject = {}
        if "csv" in request.headers.get("content-type", ""):
            rows = list(csv.DictReader(io.StringIO(raw.decode(errors="replace"))))
            items: list[JsonObject] = [{name: row.get(name) for name in _BULK if row.get(name)} for row in rows]
        else:
            body = formats.read_json(raw)
            items = formats.items_of(body, "values")
        model = Model(self.store)
        found: list[tuple[str, str, str, int, int, bool]] = []
        for item in items:
            element = str(item.get("dataElement") or "")
            unit = str(item.get("orgUnit") or body.get("orgUnit") or "")
            combo = str(item.get("optionCombo") or DEFAULT_OPTION_COMBO)
            for plural, uid, what in (
                ("dataElements", element, "Data element"),
                ("organisationUnits", unit, "Organisation unit"),
                ("categoryOptionCombos", combo, "Category option combo"),
            ):
                if not model.exists(plural, uid):
                    raise Refused(400, f"{what} not found or not accessible: `{uid}`", "E1102")
            low, high, generated = _limits(item, "minValue", "maxValue") if limits else (0, 0, False)
            found.append((element, unit, combo, low, high, generated))
        return found

    def _put(self, rows: list[tuple[str, str, str, int, int, bool]]) -> None:
        with self.store.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO min_max VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _drop(self, keys: list[tuple[str, str, str]]) -> int:
        with self.store.writing() as connection:
            return sum(
                connection.execute(
                    "DELETE FROM min_max WHERE data_element = ? AND org_unit = ? AND category_option_combo = ?", key
                ).rowcount
                for key in keys
            )


def _limits(body: Mapping[str, JsonValue], low: str, high: str) -> tuple[int, int, bool]:
    """The two limits of a body. Raises `Refused`."""
    try:
        minimum, maximum = int(cast("str", body.get(low))), int(cast("str", body.get(high)))
    except (TypeError, ValueError):
        raise Refused(409, f"Missing required parameter : {low if body.get(low) is None else high}") from None
    if minimum >= maximum:
        raise Refused(409, f"Min value: `{minimum}` must be less than max value: `{maximum}`")
    return minimum, maximum, body.get("generated") in (True, "true")


def _meets(item: JsonObject, text: str) -> bool:
    """`dataElement.id:eq:uid` and `source.id:in:[uid,uid]`, the only filters that are supported."""
    path, _, rest = text.partition(":")
    operator, _, wanted = rest.partition(":")
    part = item.get(path.partition(".")[0])
    uid = part.get("id") if isinstance(part, dict) else part
    if operator == "eq":
        return str(uid) == wanted
    if operator == "in":
        return str(uid) in wanted.strip("[]").split(",")
    raise Refused(409, f"Operator not supported: `{operator}`", "E2035")


def _said(status: int, reason: str, message: str | None) -> Response:
    body: JsonObject = {"httpStatus": reason, "httpStatusCode": status, "status": "OK"}
    return answer(body | ({"message": message} if message else {}), status)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    base = "/api/minMaxDataElements"
    return [
        Route(base, api.list_),
        Route(base, reading(api.add), methods=["POST"]),
        Route(base, reading(api.remove), methods=["DELETE"]),
        Route(f"{base}/upsert", reading(api.upsert), methods=["POST"]),
        Route(f"{base}/delete", reading(api.delete), methods=["POST"]),
    ]
