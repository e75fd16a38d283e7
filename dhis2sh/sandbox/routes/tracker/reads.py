"""`/api/tracker` reads: lists, single objects, CSV, change logs, and the tracked-entity audit."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer, asked_path, base_of
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import Refused, no_such_address, not_allowed, not_found, not_imitated
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.tracker import changes
from dhis2sh.sandbox.tracker.csv import entities_csv, events_csv
from dhis2sh.sandbox.tracker.export import CLASSES, PLURALS, Reader
from dhis2sh.sandbox.tracker.query import UID_ERROR, moment, uids
from dhis2sh.sandbox.tracker.storage import Kind

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

KIND_OF: dict[str, Kind] = {plural: kind for kind, plural in PLURALS.items()}
_CSV: dict[Kind, Callable[..., str]] = {"trackedEntity": entities_csv, "event": events_csv}
_REST = ["PUT", "PATCH", "DELETE"]
_CSV_TYPES = ("application/csv", "text/csv")


class _Kinds(Convertor[str]):
    """The plural of a tracker kind."""

    regex = "|".join(KIND_OF)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Lists(_Kinds):
    """The plural of a tracker kind, alone or with the ending of a format."""

    regex = rf"(?:{'|'.join(KIND_OF)})(?:\.(?:json|csv)(?:\.gz|\.zip)?)?"


register_url_convertor("tracker", _Kinds())
register_url_convertor("trackerlist", _Lists())


def _packed(raw: bytes, suffix: str, name: str, kind: str, media_type: str) -> Response:
    """A body as it is, gzipped or zipped, by the ending that was asked for."""
    headers = {"Cache-Control": "no-cache, private"}
    if suffix.endswith("gz"):
        headers["Content-Disposition"] = f"attachment; filename={name}.{kind}.gz"
        return Response(gzip.compress(raw), headers=headers, media_type=f"application/{kind}+gzip")
    if suffix.endswith("zip"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.{kind}", raw)
        headers["Content-Disposition"] = f"attachment; filename={name}.{kind}.zip"
        return Response(packed.getvalue(), headers=headers, media_type=f"application/{kind}+zip")
    return Response(raw, headers=headers, media_type=media_type)


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def reader(self, request: Request) -> Reader:
        """Reads for this request's user."""
        return Reader(self.server.tracker, self.server.rights(request), request.query_params)

    def list_(self, request: Request) -> Response:
        """`GET /api/tracker/{plural}`, also with `.json` or `.csv`, and either of them with `.gz` or `.zip`."""
        name, _, suffix = request.path_params["plural"].partition(".")
        kind = KIND_OF[name]
        reader = self.reader(request)
        csv_type = _csv_type(request, kind, suffix)
        if csv_type:
            # The CSV of a list is not paged: a server gives every row that the request means.
            rows = cast("list[JsonObject]", reader.objects(kind, reader.page(kind, whole=True).rows))
            text = _CSV[kind](rows, header=request.query_params.get("skipHeader") != "true")
            return _packed(text.encode(), suffix, name, "csv", f"{csv_type};charset=UTF-8")
        body = reader.list_(kind, base_of(request) + asked_path(request, whole=True))
        if suffix.endswith(("gz", "zip")):
            return _packed(json.dumps(body, ensure_ascii=False).encode(), suffix, name, "json", "application/json")
        return answer(body)

    def one(self, request: Request) -> Response:
        """`GET /api/tracker/{plural}/{uid}`."""
        kind, uid = KIND_OF[request.path_params["plural"]], request.path_params["uid"]
        found = self.reader(request).one(kind, uid)
        if kind == "trackedEntity" and self._audited(cast("JsonObject", found)):
            changes.audit(self.server.tracker, uid, self.server.user(request), "READ")
        csv_type = _csv_type(request, kind, "")
        if csv_type:
            text = _CSV[kind]([cast("JsonObject", found)])
            return _packed(text.encode(), "", uid, "csv", f"{csv_type};charset=UTF-8")
        return answer(found)

    def _audited(self, entity: JsonObject) -> bool:
        kind = self.server.store.get("trackedEntityTypes", str(entity.get("trackedEntityType"))) or {}
        return bool(kind.get("allowAuditLog"))

    def malformed(self, request: Request) -> Response:
        """`GET /api/tracker/{plural}/{uid}` with what is no UID."""
        text = request.path_params["text"]
        raise Refused(400, f"Value '{text}' is not valid for path parameter uid. {UID_ERROR}{text}")

    def legacy(self, request: Request) -> Response:
        """The endpoints of the old tracker, which 2.42 has not any more."""
        if self.server.store.version.minor < 42:
            raise not_imitated(f"the old tracker's {request.method} {request.url.path}")
        raise no_such_address(request.url.path)

    def not_allowed(self, request: Request) -> Response:
        """A method that the addresses of the tracker do not know."""
        raise not_allowed(request.method, self.server.store.version.minor)

    def change_log(self, request: Request) -> Response:
        """`GET /api/tracker/{plural}/{uid}/changeLogs`."""
        kind, uid = KIND_OF[request.path_params["plural"]], request.path_params["uid"]
        row = self.server.tracker.row(kind, uid)
        if row is None or row["deleted"]:
            raise not_found(CLASSES[kind], uid)
        address = base_of(request) + asked_path(request)
        return answer(changes.change_log(self.server.tracker, uid, request.query_params, address))

    def audits(self, request: Request) -> Response:
        """`GET /api/audits/trackedEntity`. As in 2.42 its pager appears only where paging is off."""
        query = request.query_params
        wanted = {"tracked_entity": uids(query, "trackedEntities"), "accessed_by": query.getlist("user"),
                  "audit_type": [part for text in query.getlist("auditType") for part in text.split(",")]}  # fmt: skip
        found = changes.audits(
            self.server.tracker, wanted, moment(query, "startDate"), moment(query, "endDate", end=True)
        )
        if not wanted["tracked_entity"]:
            raise Refused(500)
        body: JsonObject = {"trackedEntityAudits": [*found]}
        if query.get("paging") == "false" or query.get("skipPaging") == "true":
            body = {"pager": {"page": 1, "total": len(found), "pageSize": max(1, len(found)), "pageCount": 1}, **body}
        return answer(body)


def _csv_type(request: Request, kind: Kind, suffix: str) -> str | None:
    """The media type of a CSV answer, None for JSON."""
    if kind not in _CSV:
        return None
    if suffix.startswith("csv"):
        return "application/csv"
    accepted = request.headers.get("accept", "").split(";")[0].strip()
    return accepted if accepted in _CSV_TYPES else None


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/tracker/{plural:trackerlist}", api.list_),
        Route("/api/tracker/{plural:tracker}/{uid:uid}", api.one),
        Route("/api/tracker/{plural:tracker}/{text:str}", api.malformed),
        Route("/api/tracker", api.not_allowed, methods=_REST),
        Route("/api/tracker/{plural:tracker}", api.not_allowed, methods=["POST", *_REST]),
        Route("/api/tracker/{plural:tracker}/{uid:uid}", api.not_allowed, methods=["POST", *_REST]),
        Route("/api/tracker/{plural:tracker}/{uid:uid}/changeLogs", api.change_log),
        Route("/api/audits/trackedEntity", api.audits),
        *(
            Route(f"/api/{name}{rest}", api.legacy, methods=["GET", "POST", *_REST])
            for name in ("trackedEntityInstances", "enrollments", "events", "relationships")
            for rest in ("", "/{rest:path}")
        ),
    ]
