"""`/api/fileResources` and the content of documents."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import with_body
from dhis2sh.sandbox.http.multipart import Part, read_form
from dhis2sh.sandbox.http.params import required
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.pipeline import reference_to_user
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.select import select
from dhis2sh.sandbox.refused import Refused, missing_part, not_allowed, not_found, not_imitated, unknown_choice
from dhis2sh.sandbox.routes.server import Server

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


PICTURES = ("image/jpeg", "image/png", "image/gif")
"""What a picture of a user may be."""
BLOCKED_TYPES = frozenset({
    "text/html", "text/css", "text/javascript", "font/otf", "application/x-shockwave-flash", "application/x-rpm",
    "application/vnd.debian.binary-package", "application/java-archive", "application/x-ms-dos-executable",
    "application/vnd.microsoft.portable-executable", "application/vnd.apple.installer+xml", "application/x-httpd-php",
    "application/vnd.mozilla.xul+xml", "application/x-sh", "application/x-csh",
})  # fmt: skip
BLOCKED_ENDINGS = frozenset(
    [
        "html",
        "htm",
        "css",
        "js",
        "mjs",
        "otf",
        "swf",
        "deb",
        "rpm",
        "jar",
        "jsp",
        "exe",
        "msi",
        "mpkg",
        "xul",
        "php",
        "bin",
        "sh",
        "csh",
        "bat",
    ]
)
"""What no file may be, by what the client says and by its name (E6101)."""


class Files:
    """Keeps files, and shows what is kept.

    Parameters:
        server: whose store keeps them.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    def keep(self, request: Request, part: Part, domain: str, *, assigned: bool = False) -> JsonObject:
        """Keep an uploaded file. Returns its object. Raises `Refused` for an empty one."""
        if not part.content:
            raise Refused(409, "Could not read file or file is empty.", "E1004")
        if part.content_type in BLOCKED_TYPES or _ending(part.filename) in BLOCKED_ENDINGS:
            raise Refused(409, "File type not allowed", "E6101")
        uid, moment = request.query_params.get("uid") or generate_uid(), now()
        who: JsonObject = {"id": self.server.rights(request).uid}
        body: JsonObject = {
            "id": uid, "name": part.filename or "file", "created": moment, "lastUpdated": moment, "createdBy": who,
            "lastUpdatedBy": who, "contentType": part.content_type, "contentLength": len(part.content),
            "contentMd5": hashlib.md5(part.content, usedforsecurity=False).hexdigest(), "assigned": assigned,
            "domain": domain, "hasMultipleStorageFiles": False, "storageStatus": "STORED",
        }  # fmt: skip
        with self.server.store.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO file_content VALUES (?, ?)", (uid, part.content))
        self.server.store.put_objects({"fileResources": [body]})
        return body

    def accepted(self, body: JsonObject) -> Response:
        """The answer to an upload; what nothing refers to yet is said to be pending."""
        shown = self.shown(body if body["assigned"] else {**body, "storageStatus": "PENDING"})
        external: JsonObject = {"external": False} if self.server.store.version.external else {}
        owner = cast("JsonObject", body["createdBy"])["id"]
        shown["sharing"] = {"owner": owner, **external, "users": {}, "userGroups": {}, "public": "--------"}
        shown["user"] = shown["createdBy"]
        response: JsonObject = {"fileResource": shown, "responseType": "FileResource"}
        return answer({"httpStatus": "Accepted", "httpStatusCode": 202, "status": "OK", "response": response}, 202)

    def shown(self, body: JsonObject) -> JsonObject:
        """A file's object as the server shows it."""
        users = {name: self.server.store.get("users", cast("str", cast("JsonObject", body[name])["id"])) or cast("JsonObject", body[name])
                 for name in ("createdBy", "lastUpdatedBy")}  # fmt: skip
        external: JsonObject = {"external": False} if self.server.store.version.external else {}
        return {
            **body, "translations": [], "favorites": [], "displayName": body["name"], "favorite": False, "attributeValues": [],
            "sharing": {**external, "users": {}, "userGroups": {}},
            **{name: reference_to_user(user) for name, user in users.items()},
            "user": reference_to_user(users["createdBy"]),
        }  # fmt: skip

    def content(self, body: JsonObject, *, attachment: bool) -> Response:
        """A file. Raises `Refused` where only its object is there."""
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


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._files = Files(server)

    def upload(self, request: Request, raw: bytes) -> Response:
        """`POST /api/fileResources?domain=`, a form with the field `file`."""
        domain = (request.query_params.get("domain") or "DATA_VALUE").upper()
        known = [name for name in DOMAINS if name != "PUSH_ANALYSIS" or self.server.store.version.minor <= 42]
        if domain not in known:
            raise unknown_choice(domain, "domain", known)
        part = read_form(request.headers.get("content-type", ""), raw).get("file")
        if part is None:
            raise missing_part("file")
        if domain == "USER_AVATAR" and part.content_type not in PICTURES:
            raise Refused(409, f"Invalid content type, valid content types are: {','.join(PICTURES)}")
        return self._files.accepted(self._files.keep(request, part, domain))

    def _find(self, request: Request) -> JsonObject | None:
        return self.server.store.get("fileResources", request.path_params["uid"])

    def get(self, request: Request) -> Response:
        """`GET /api/fileResources/{uid}`."""
        body = self._find(request)
        if body is None:
            return _missing("FileResource", request)
        asked = request.query_params.get("fields")
        shown: JsonValue = self._files.shown(
            {**body, "storageStatus": "NONE"} if body.get("domain") == "DATA_VALUE" else body
        )
        return answer(select(shown, parse_fields(asked)) if asked else shown)

    def data(self, request: Request) -> Response:
        """`GET /api/fileResources/{uid}/data`; files of data values are read through their values."""
        body = self._find(request)
        if body is None:
            return _missing("FileResource", request)
        if body.get("domain") == "DATA_VALUE" and self.server.store.version.upserts:
            raise Refused(403, f"File resource not found or not accessible: {body['id']}", "E1006")
        if body.get("domain") == "DATA_VALUE" and body.get("assigned"):
            text = f"You don't have access to fileResource '{body['id']}' or this fileResource is not available from this endpoint"
            raise Refused(403, text, "E1006")
        return self._files.content(body, attachment=True)

    def document(self, request: Request) -> Response:
        """`GET /api/documents/{uid}/data`: the file, or a redirect to where an external document is."""
        body = self.server.store.get("documents", request.path_params["uid"])
        if body is None:
            raise Refused(404, f"Document not found for uid: {request.path_params['uid']}")
        if body.get("external"):
            return RedirectResponse(str(body.get("url")), 302)
        file = self.server.store.get("fileResources", str(body.get("url")))
        return (
            _missing("FileResource", request)
            if file is None
            else self._files.content(file, attachment=bool(body.get("attachment")))
        )

    def owners(self, request: Request) -> Response:
        """`GET /api/fileResources/owners?storageKey=`: what refers to a file, by where its content is kept."""
        required(request.query_params, "storageKey")
        raise not_imitated("where files are kept")

    def kept(self, request: Request) -> Response:
        """`PUT`, `PATCH` and `DELETE` of a file: nobody answers to them."""
        raise not_allowed(request.method, self.server.store.version.minor)


def _ending(filename: str | None) -> str:
    return (filename or "").rpartition(".")[2].lower()


def _missing(name: str, request: Request) -> Response:
    raise not_found(name, request.path_params["uid"])


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/fileResources", with_body(api.upload), methods=["POST"]),
        Route("/api/fileResources/owners", api.owners),
        Route("/api/fileResources/{uid:uid}", api.get),
        Route("/api/fileResources/{uid:uid}", api.kept, methods=["PUT", "PATCH", "DELETE"]),
        Route("/api/fileResources/{uid:uid}/data", api.data),
        Route("/api/documents/{uid:uid}/data", api.document),
    ]
