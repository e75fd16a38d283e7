"""`/api/fileResources` and the content of documents."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import with_body
from dhis2sh.sandbox.http.multipart import read_form
from dhis2sh.sandbox.importer.pipeline import reference_to_user
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.refused import Refused, not_found, unknown_choice
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.tracker.select import select

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

DOMAINS = (
    "DATA_VALUE",
    "PUSH_ANALYSIS",
    "DOCUMENT",
    "MESSAGE_ATTACHMENT",
    "USER_AVATAR",
    "ORG_UNIT",
    "ICON",
    "JOB_DATA",
)


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def upload(self, request: Request, raw: bytes) -> Response:
        """`POST /api/fileResources?domain=`, a form with the field `file`."""
        domain = (request.query_params.get("domain") or "DATA_VALUE").upper()
        if domain not in DOMAINS:
            raise unknown_choice(domain, "domain", DOMAINS)
        part = read_form(request.headers.get("content-type", ""), raw).get("file")
        if part is None:
            raise Refused(400, "Required part 'file' is not present.")
        if not part.content:
            raise Refused(409, "Could not read file or file is empty.", "E1004")
        uid, moment = request.query_params.get("uid") or generate_uid(), now()
        who: JsonObject = {"id": self.server.rights(request).uid}
        body: JsonObject = {
            "id": uid, "name": part.filename or "file", "created": moment, "lastUpdated": moment, "createdBy": who,
            "lastUpdatedBy": who, "contentType": part.content_type, "contentLength": len(part.content),
            "contentMd5": hashlib.md5(part.content, usedforsecurity=False).hexdigest(), "assigned": False,
            "domain": domain, "hasMultipleStorageFiles": False, "storageStatus": "STORED",
        }  # fmt: skip
        with self.server.store.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO file_content VALUES (?, ?)", (uid, part.content))
        self.server.store.put_objects({"fileResources": [body]})
        shown = self._shown({**body, "storageStatus": "PENDING"})
        external: JsonObject = {"external": False} if self.server.store.version.external else {}
        shown["sharing"] = {"owner": who["id"], **external, "users": {}, "userGroups": {}, "public": "--------"}
        shown["user"] = shown["createdBy"]
        response: JsonObject = {"fileResource": shown, "responseType": "FileResource"}
        return answer({"httpStatus": "Accepted", "httpStatusCode": 202, "status": "OK", "response": response}, 202)

    def _shown(self, body: JsonObject) -> JsonObject:
        users = {name: self.server.store.get("users", cast("str", cast("JsonObject", body[name])["id"])) or cast("JsonObject", body[name])
                 for name in ("createdBy", "lastUpdatedBy")}  # fmt: skip
        external: JsonObject = {"external": False} if self.server.store.version.external else {}
        return {
            **body, "translations": [], "favorites": [], "displayName": body["name"], "favorite": False, "attributeValues": [],
            "sharing": {**external, "users": {}, "userGroups": {}},
            **{name: reference_to_user(user) for name, user in users.items()},
            "user": reference_to_user(users["createdBy"]),
        }  # fmt: skip

    def _find(self, request: Request) -> JsonObject | None:
        return self.server.store.get("fileResources", request.path_params["uid"])

    def get(self, request: Request) -> Response:
        """`GET /api/fileResources/{uid}`."""
        body = self._find(request)
        if body is None:
            return _missing("FileResource", request)
        asked = request.query_params.get("fields")
        shown: JsonValue = self._shown(body)
        return answer(select(shown, parse_fields(asked)) if asked else shown)

    def data(self, request: Request) -> Response:
        """`GET /api/fileResources/{uid}/data`."""
        body = self._find(request)
        return _missing("FileResource", request) if body is None else self._content(body, attachment=True)

    def _content(self, body: JsonObject, *, attachment: bool) -> Response:
        row = self.server.store.connection.execute(
            "SELECT content FROM file_content WHERE uid = ?", (body["id"],)
        ).fetchone()
        if row is None:
            raise Refused(404, f"File not found: {body['id']}", "E1005")
        kind = "attachment; " if attachment else ""
        name = str(body["name"]).replace('"', "")
        return Response(
            row[0], media_type=str(body["contentType"]), headers={"Content-Disposition": f'{kind}filename="{name}"'}
        )

    def document(self, request: Request) -> Response:
        """`GET /api/documents/{uid}/data`: the file, or a redirect to where an external document is."""
        body = self.server.store.get("documents", request.path_params["uid"])
        if body is None:
            return _missing("Document", request)
        if body.get("external"):
            return RedirectResponse(str(body.get("url")), 302)
        file = self.server.store.get("fileResources", str(body.get("url")))
        return (
            _missing("FileResource", request)
            if file is None
            else self._content(file, attachment=bool(body.get("attachment")))
        )


def _missing(name: str, request: Request) -> Response:
    raise not_found(name, request.path_params["uid"])


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/fileResources", with_body(api.upload), methods=["POST"]),
        Route("/api/fileResources/{uid:uid}", api.get),
        Route("/api/fileResources/{uid:uid}/data", api.data),
        Route("/api/documents/{uid:uid}/data", api.document),
    ]
