"""Addresses beside the tracker's own: potential duplicates, the values of generated attributes, and files as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import is_uid
from dhis2sh.sandbox.http.answers import answer, asked_path, base_of
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.select import select
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.routes.instance.files import Files
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.tracker.duplicates import STATUS, Duplicates
from dhis2sh.sandbox.tracker.export import Page, pages_of
from dhis2sh.sandbox.tracker.imports.payload import DUPLICATE, Reader
from dhis2sh.sandbox.tracker.query import enum, number, order_by, uids
from dhis2sh.sandbox.tracker.reserved import MOST, needed, pattern_of, reserve

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

_FIELDS = "id,created,lastUpdated,original,duplicate,createdByUserName,lastUpdatedByUserName,status"
_ORDERS = {"created": "created_at", "lastUpdated": "updated_at", "status": "status", "original": "original",
           "duplicate": "duplicate"}  # fmt: skip


class Api:
    """The handlers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._files = Files(server)

    def _duplicates(self, request: Request) -> Duplicates:
        """Only a superuser's requests have been seen."""
        if not self.server.rights(request).superuser:
            raise not_imitated("potential duplicates of a user without the authority ALL")
        return Duplicates(self.server.tracker, self.server.user(request))

    def mark(self, request: Request, raw: bytes) -> Response:
        """`POST /api/potentialDuplicates`."""
        duplicates, minor = self._duplicates(request), self.server.store.version.minor
        sent = parse_object(raw)
        if minor > 41:
            sent = Reader(sent, checks_uids=True).read(DUPLICATE)
        for name in ("original", "duplicate"):
            if sent.get(name) and not is_uid(str(sent[name])):
                raise Refused(400, f"'{sent[name]}' is not valid value for property '{name}'", "E1003")
        return answer(duplicates.mark(sent))

    def list_(self, request: Request) -> Response:
        """`GET /api/potentialDuplicates`: the open ones, unless `status` says otherwise."""
        query, duplicates = request.query_params, self._duplicates(request)
        page, size = number(query, "page", 1), number(query, "pageSize", 50)
        status = enum(query, "status", STATUS) or "OPEN"
        order = order_by(query, _ORDERS, "id", lambda _: None, "").removeprefix(" ORDER BY ")
        found = duplicates.rows(status, uids(query, "trackedEntities"), order)
        part = found[(page - 1) * size : page * size]
        tree = parse_fields(query.get("fields") or _FIELDS)
        of = Page(part, page, size, paged=True, more=len(found) > page * size, total=None)
        return answer({
            **pages_of(of, base_of(request) + asked_path(request), query, flat=self.server.store.version.flat_tracker_pages),
            "potentialDuplicates": [select(duplicates.shown(row), tree) for row in part],
        })  # fmt: skip

    def one(self, request: Request) -> Response:
        """`GET /api/potentialDuplicates/{uid}`."""
        return answer(self._duplicates(request).get(request.path_params["uid"]))

    def judge(self, request: Request) -> Response:
        """`PUT /api/potentialDuplicates/{uid}?status=`."""
        status = enum(request.query_params, "status", STATUS)
        if status is None:
            raise not_imitated("a potential duplicate that is set to nothing")
        self._duplicates(request).judge(request.path_params["uid"], status)
        return Response()

    def merge(self, request: Request, raw: bytes) -> Response:
        """`POST /api/potentialDuplicates/{uid}/merge`, `mergeStrategy=AUTO` or `MANUAL`."""
        strategy = enum(request.query_params, "mergeStrategy", ("AUTO", "MANUAL")) or "AUTO"
        chosen = parse_object(raw) if strategy == "MANUAL" else None
        self._duplicates(request).merge(request.path_params["uid"], chosen)
        return Response()

    # Generated attributes ----------------------------------------------------------------------------------------------

    def _attribute(self, request: Request) -> JsonObject:
        uid = request.path_params["uid"]
        found = self.server.store.get("trackedEntityAttributes", uid)
        if found is None:
            raise Refused(404, f"TrackedEntityAttribute with id {uid} could not be found.")
        return found

    def needed(self, request: Request) -> Response:
        """`GET /api/trackedEntityAttributes/{uid}/requiredValues`."""
        return answer(needed(pattern_of(self._attribute(request))))

    def generate(self, request: Request) -> Response:
        """`GET /api/trackedEntityAttributes/{uid}/generate`: one value, kept for `expiration` days."""
        days = number(request.query_params, "expiration", 3)
        found = reserve(self.server.tracker, self._attribute(request), dict(request.query_params), count=1, days=days)
        return answer(found[0])

    def reserve(self, request: Request) -> Response:
        """`GET /api/trackedEntityAttributes/{uid}/generateAndReserve`: `numberToReserve` values."""
        query = request.query_params
        attribute = self._attribute(request)
        try:
            count = int(query.get("numberToReserve") or 1)
        except ValueError:
            raise not_imitated("a numberToReserve that is no number") from None
        pattern_of(attribute)
        if not 1 <= count <= MOST:
            raise Refused(400, f"You can only reserve between 1 and {MOST} values in a single request.")
        days = number(query, "expiration", 60)
        found = reserve(self.server.tracker, attribute, dict(query), count=count, days=days)
        return answer([*found])

    # Files as values -----------------------------------------------------------------------------------------------------

    def file(self, request: Request) -> Response:
        """`GET /api/tracker/events/{uid}/dataValues/{uid}/file`, `/trackedEntities/{uid}/attributes/{uid}/file`.

        Only that they are there is known (api-facts e), so whatever is not simply there is not imitated.
        """
        if not self.server.rights(request).superuser:
            raise not_imitated("files of values for a user without the authority ALL")
        owner, part = request.path_params["uid"], request.path_params["part"]
        event = "/events/" in request.url.path
        query = (
            "SELECT value FROM event_value WHERE event = ? AND data_element = ?"
            if event
            else "SELECT value FROM attribute_value WHERE tracked_entity = ? AND attribute = ?"
        )
        row = self.server.store.connection.execute(query, (owner, part)).fetchone()
        body = None if row is None else self.server.store.get("fileResources", str(row[0]))
        if body is None:
            raise not_imitated("a file of a value that is none")
        return self._files.content(body, attachment=False)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    duplicates, attribute = "/api/potentialDuplicates", "/api/trackedEntityAttributes/{uid:uid}"
    return [
        Route(duplicates, with_body(api.mark), methods=["POST"]),
        Route(duplicates, api.list_),
        Route(f"{duplicates}/{{uid:uid}}", api.one),
        Route(f"{duplicates}/{{uid:uid}}", api.judge, methods=["PUT"]),
        Route(f"{duplicates}/{{uid:uid}}/merge", with_body(api.merge), methods=["POST"]),
        Route("/api/tracker/events/{uid:uid}/dataValues/{part:uid}/file", api.file),
        Route("/api/tracker/trackedEntities/{uid:uid}/attributes/{part:uid}/file", api.file),
        Route(f"{attribute}/requiredValues", api.needed),
        Route(f"{attribute}/generate", api.generate),
        Route(f"{attribute}/generateAndReserve", api.reserve),
    ]
