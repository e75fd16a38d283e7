"""`/api/dataValues/file` and `/files`: files as data values."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.data import values
from dhis2sh.sandbox.data.imports import server_time
from dhis2sh.sandbox.data.model import Model
from dhis2sh.sandbox.data.values import Value
from dhis2sh.sandbox.http.multipart import read_form
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.metadata.value_types import FILE_TYPES, problem
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated
from dhis2sh.sandbox.routes.data.grouped import groups_for
from dhis2sh.sandbox.routes.data.values import Api as ValuesApi
from dhis2sh.sandbox.routes.data.values import body_of, reading
from dhis2sh.sandbox.routes.instance.files import Files

if TYPE_CHECKING:
    from dhis2sh.sandbox.routes.server import Server


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store
        self._values = ValuesApi(server)
        self._files = Files(server)

    def upload(self, request: Request) -> Response:
        """`POST /api/dataValues/file?de&pe&ou`, a form with the field `file`: the file, and the value that names it."""
        query, model = request.query_params, Model(self.store)
        key = self._values.key_of(query, model)
        if self.store.version.upserts:
            groups = groups_for(self.server, request)
            groups.check(query.get("ds") or None, [self._values.singles.entry(groups, query)])
        else:
            self._values.demand_writable(request, model, key, query)
        kind = str(model.body("dataElements", key.data_element).get("valueType"))
        if kind not in FILE_TYPES and self.store.version.upserts:
            raise Refused(409, f"Failed to upsert data value: Value #0 value `{generate_uid()}` is no valid {kind}: "
                          f"{problem('file', kind)}", "E1004")  # fmt: skip
        if kind not in FILE_TYPES:
            raise Refused(409, f"Data value must match data element value type: `{kind}`", "E2030")
        part = read_form(request.headers.get("content-type", ""), body_of(request)).get("file")
        if part is None:
            raise not_imitated("a data value's file without the field `file`")
        body = self._files.keep(request, part, "DATA_VALUE", assigned=not self.store.version.upserts)
        user = cast("str", self.server.user(request).get("username"))
        with self.store.writing() as connection:
            old = values.find(connection, key)
            created = server_time() if old is None else old.created
            values.put(connection, Value(key, str(body["id"]), user, created, server_time()))
        return self._files.accepted(body)

    def download(self, request: Request) -> Response:
        """`GET /api/dataValues/files?de&pe&ou`: the file that a value names."""
        query, model = request.query_params, Model(self.store)
        key = self._values.key_of(query, model)
        upserts, no_file = self.store.version.upserts, Refused(409, "Data value does not exist", "E1004")
        if model.body("dataElements", key.data_element).get("valueType") not in FILE_TYPES:
            raise no_file if upserts else Refused(409, "DataElement must be of type file")
        value = values.find(self.store.connection, key)
        if value is None or value.deleted or value.value is None:
            raise no_file if upserts else self._values.missing()
        file = self.store.get("fileResources", value.value)
        if file is None:
            raise not_found("FileResource", value.value)
        return self._files.content(file, attachment=False)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/dataValues/file", reading(api.upload), methods=["POST"]),
        Route("/api/dataValues/files", api.download),
    ]
