"""`/api/apiToken`: personal access tokens. The key is shown once, when it is made (api-facts h.10)."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import json
import secrets
import string
import zlib
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.http.bodies import parse_json, parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.pipeline import reference_to_user
from dhis2sh.sandbox.importer.report import FAILED, ErrorReport, ObjectReport
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.java.reader import REDACTED
from dhis2sh.sandbox.metadata.jsonpatch import read_patch
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KLASS = "org.hisp.dhis.security.apikey.ApiToken"
_DEFAULT_DAYS = 30


def new_key(version: int = 2) -> str:
    """A token's key with its checksum at the end: `d2p_...` (2) or the older `d2pat_...` (1)."""
    letters = string.ascii_letters + string.digits
    code = secrets.choice(string.ascii_letters) + "".join(
        secrets.choice(letters) for _ in range(43 if version == 2 else 31)
    )
    if version == 1:
        return f"d2pat_{code}{zlib.crc32(code.encode()):010d}"
    checksum, text = zlib.crc32(code.encode()), ""
    while checksum:
        checksum, digit = divmod(checksum, 62)
        text = _BASE62[digit] + text
    return f"d2p_{code}{text.rjust(6, '0')}"


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _own(self, request: Request) -> dict[str, JsonObject]:
        """The tokens that who asks may see: their own, newest last."""
        rows = self.server.store.connection.execute(
            "SELECT uid, body FROM api_token WHERE user = ?", (self.server.rights(request).uid,)
        )
        return {uid: json.loads(body) for uid, body in rows}

    def list_(self, request: Request) -> Response:
        """`GET /api/apiToken`: ids unless `fields` asks for more."""
        found = self._own(request)
        names = [name for name in request.query_params.get("fields", "id").split(",") if name]
        rows: list[JsonValue] = [
            body if "*" in names or ":all" in names else {name: body[name] for name in names if name in body}
            for body in found.values()
        ]
        pager: JsonObject = {"page": 1, "total": len(rows), "pageSize": 50, "pageCount": -(-len(rows) // 50)}
        return answer({"pager": pager, "apiToken": rows})

    def get(self, request: Request) -> Response:
        """`GET /api/apiToken/{uid}`; never its key."""
        uid = request.path_params["uid"]
        body = self._own(request).get(uid)
        if body is None:
            raise not_found("ApiToken", uid)
        user = reference_to_user(self.server.user(request))
        external: JsonObject = {"external": False} if self.server.store.version.external else {}
        rights = ("manage", *(("externalize",) if external else ()), "write", "read", "update", "delete")
        return answer({
            **body, "translations": [], "createdBy": user, "favorites": [], "lastUpdatedBy": user,
            "sharing": {"owner": user["id"], **external, "users": {}, "userGroups": {}, "public": "--------"},
            "access": dict.fromkeys(rights, True), "favorite": False, "user": user, "attributeValues": [],
            "href": f"{base_of(request)}/api/apiToken/{uid}",
        })  # fmt: skip

    def patch(self, request: Request, raw: bytes) -> Response:
        """`PATCH /api/apiToken/{uid}`: what a token may do, and until when."""
        uid = request.path_params["uid"]
        body = self._own(request).get(uid)
        if body is None:
            raise not_found("ApiToken", uid)
        operations = read_patch(parse_json(raw))
        if any(one.get("op") != "replace" or one.get("path") not in {"/attributes", "/expire"} for one in operations):
            raise not_imitated("a patch of a token besides its attributes and its end")
        body |= {str(one["path"])[1:]: one.get("value") for one in operations}
        complaint = _complaint(cast("list[JsonObject]", body.get("attributes") or []))
        if complaint:
            raise not_imitated("a patch of a token that makes it invalid")
        return self._changed(body)

    def replace(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/apiToken/{uid}`: whole, with type and version."""
        uid, sent = request.path_params["uid"], parse_object(raw)
        if uid not in self._own(request):
            raise not_found("ApiToken", uid)
        wanted = {"type": f"{_KLASS}Type", "version": "java.lang.Integer"}
        errors = [
            ErrorReport("E4000", [name], _KLASS, name, klass) for name, klass in wanted.items() if name not in sent
        ]
        if not errors:
            raise not_imitated("a token that is replaced")
        body: JsonObject = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "ERROR", "message": FAILED}
        return answer({**body, "response": ObjectReport(_KLASS, uid, errors=errors).response()}, 409)

    def _changed(self, body: JsonObject) -> Response:
        body["lastUpdated"] = now()
        with self.server.store.writing() as connection:
            connection.execute("UPDATE api_token SET body = ? WHERE uid = ?", (json.dumps(body), body["id"]))
        report = _report(cast("str", body["id"]))
        return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": report})

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/apiToken`."""
        sent = parse_object(raw or b"{}")
        kind = str(sent.get("type") or "PERSONAL_ACCESS_TOKEN_V2")
        if kind not in _TYPES:
            raise _unknown_type(kind, raw, self.server.store.version.unreadable)
        complaint = _complaint(cast("list[JsonObject]", sent.get("attributes") or []))
        if complaint:
            raise Refused(409, f"Failed to validate the token's attributes, message: {complaint}", "E1004")
        user, uid, moment = self.server.user(request), generate_uid(), now()
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=_DEFAULT_DAYS)
        body: JsonObject = {
            "id": uid, "created": moment, "lastUpdated": moment, "createdBy": {"id": user["id"]},
            "version": int(kind[-1]), "type": kind, "expire": sent.get("expire") or int(later.timestamp() * 1000),
            "attributes": sent.get("attributes") or [],
        }  # fmt: skip
        key = new_key(int(kind[-1]))
        with self.server.store.writing() as connection:
            connection.execute(
                "INSERT INTO api_token VALUES (?, ?, ?, ?)",
                (uid, hashlib.sha256(key.encode()).hexdigest(), user["id"], json.dumps(body)),
            )
        response: JsonObject = {"key": key, **_report(uid)}
        if not self.server.store.version.typed_responses:
            response["responseType"] = "ApiTokenCreationResponse"
        created: JsonObject = {"httpStatus": "Created", "httpStatusCode": 201, "status": "OK", "response": response}
        return answer(created, 201, Location=f"{base_of(request)}/api/apiToken/{uid}")

    def delete(self, request: Request) -> Response:
        """`DELETE /api/apiToken/{uid}`: the key opens nothing any more."""
        uid = request.path_params["uid"]
        if uid not in self._own(request):
            raise not_found("ApiToken", uid)
        with self.server.store.writing() as connection:
            connection.execute("DELETE FROM api_token WHERE uid = ?", (uid,))
        return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": _report(uid)})


def _report(uid: str) -> JsonObject:
    return {"uid": uid, "klass": _KLASS, "errorReports": [], "responseType": "ObjectReport"}


_TYPES = ("PERSONAL_ACCESS_TOKEN_V1", "PERSONAL_ACCESS_TOKEN_V2")


def _unknown_type(kind: str, raw: bytes, status: int) -> Refused:
    """The server's JSON reader knows no such type."""
    before = raw.decode()
    before = before[: before.find(json.dumps(kind)) + 1]
    where = REDACTED.format(line=before.count("\n") + 1, column=len(before.rpartition("\n")[2]))
    return Refused(
        status,
        f'Cannot deserialize value of type `{_KLASS}Type` from String "{kind}": not one of the values accepted for Enum '
        f'class: [{", ".join(_TYPES)}]\n at {where} (through reference chain: {_KLASS}["type"])',
    )


def _complaint(attributes: list[JsonObject]) -> str | None:
    """Why the attributes of a token are refused, or None."""
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
    for attribute in attributes:
        match attribute.get("type"):
            case "MethodAllowedList":
                bad = [m for m in cast("list[str]", attribute.get("allowedMethods") or []) if m.upper() not in methods]
                if bad:
                    return f"Not a valid http method, value={bad[0]}"
            case "IpAllowedList":
                for text in cast("list[str]", attribute.get("allowedIps") or []):
                    try:
                        ipaddress.ip_address(text)
                    except ValueError:
                        return f"Not a valid ip address, value={text}"
            case "RefererAllowedList":
                for text in cast("list[str]", attribute.get("allowedReferrers") or []):
                    if not text.startswith(("http://", "https://")) or text.count(":") > 1:
                        return f"Not a valid referrer url, value={text}"
            case other:
                return f"Not a valid attribute type, value={other}"
    return None


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        route
        for base in ("/api/apiToken", "/api/apiTokens")
        for route in (
            Route(base, api.list_),
            Route(base, with_body(api.create), methods=["POST"]),
            Route(base + "/{uid:uid}", api.get),
            Route(base + "/{uid:uid}", with_body(api.patch), methods=["PATCH"]),
            Route(base + "/{uid:uid}", with_body(api.replace), methods=["PUT"]),
            Route(base + "/{uid:uid}", api.delete, methods=["DELETE"]),
        )
    ]
