"""Sharing: the older `/api/sharing`, and patches of the sharing of many objects at once (api-facts a.7, h.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import PATCH, read_object, with_body
from dhis2sh.sandbox.http.params import required
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.checks import ACCESS, access_strings
from dhis2sh.sandbox.importer.read import read_sharing
from dhis2sh.sandbox.importer.report import ErrorReport, ImportReport, ObjectReport, TypeReport
from dhis2sh.sandbox.metadata.jsonpatch import apply_patch, read_patch
from dhis2sh.sandbox.refused import Refused, no_such_address
from dhis2sh.sandbox.routes.metadata.answers import import_answer
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue

EXTERNAL = {"visualization", "eventVisualization", "eventChart", "eventReport", "map", "document", "report", "chart"}
"""Types of which an object may be open to people who have not signed in."""


class Api:
    """The handlers: plain functions that run in threads, so the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _asked(self, request: Request) -> tuple[Resource, JsonObject]:
        """The object that `type` and `id` name. Raises `Refused`."""
        name, uid = required(request.query_params, "type"), required(request.query_params, "id")
        store = self.server.store
        resource = next(
            (r for r in (store.resources[plural] for plural in store.resources) if r.singular == name and r.endpoint),
            None,
        )
        if resource is None or not resource.shareable:
            raise Refused(409, f"Type {name} is not supported.")
        body = store.get(resource.plural, uid)
        if body is None:
            raise Refused(404, f"Object of type {name} with ID {uid} was not found.")
        return resource, body

    def get(self, request: Request, raw: bytes) -> Response:
        """`GET /api/sharing?type=&id=`."""
        resource, body = self._asked(request)
        rights = self.server.rights(request)
        sharing = cast("JsonObject", body.get("sharing") or {})
        owner = self.server.store.get("users", str(sharing.get("owner")))
        shown: JsonObject = {"id": body["id"], "name": body.get("name"), "displayName": body.get("name"),
                             "publicAccess": sharing.get("public") or "--------"}  # fmt: skip
        if owner is not None:
            shown["user"] = {"id": owner["id"], "name": owner.get("name")}
        shown["userGroupAccesses"] = self._accesses("userGroups", sharing)
        shown["userAccesses"] = self._accesses("users", sharing)
        meta: JsonObject = {"allowPublicAccess": rights.can_make_public(resource)}
        if self.server.store.version.external:
            shown["externalAccess"] = bool(sharing.get("external"))
            meta["allowExternalAccess"] = rights.superuser and resource.singular in EXTERNAL
        return answer({"meta": meta, "object": shown})

    def _accesses(self, part: str, sharing: JsonObject) -> JsonValue:
        rows: list[JsonValue] = []
        for uid, row in cast("dict[str, JsonObject]", sharing.get(part) or {}).items():
            name = (self.server.store.get(part, uid) or {}).get("name")
            rows.append({"id": uid, "name": name, "displayName": name, "access": row.get("access")})
        return rows

    def set(self, request: Request, raw: bytes) -> Response:
        """`POST` and `PUT /api/sharing?type=&id=`."""
        resource, body = self._asked(request)
        sent = cast("JsonObject", read_object(request, raw).get("object") or {})
        if not self.server.rights(request).can_write(resource, body):
            raise Refused(403, "You do not have manage access to this object.", "E1006")
        before = cast("JsonObject", body.get("sharing") or {})
        public = sent.get("publicAccess")
        if public is not None and not ACCESS.fullmatch(str(public)):
            raise Refused(409, f"Invalid public access string: {public}")
        superuser = self.server.rights(request).superuser
        if public is not None and not superuser and not resource.data_shareable and str(public)[2:4] != "--":
            raise Refused(409, "Data sharing is not enabled for this object")
        groups, users = (
            cast("list[JsonObject]", sent.get(name) or []) for name in ("userGroupAccesses", "userAccesses")
        )
        for kind, rows in (("user group", groups), ("user", users)):
            for row in rows:
                if not ACCESS.fullmatch(str(row.get("access"))):
                    raise Refused(409, f"Invalid {kind} access string: {row.get('access')}")
        after: JsonObject = {"owner": before.get("owner"), "external": bool(sent.get("externalAccess", False)),
                             "public": public if public is not None else before.get("public"),
                             "users": cast("list[JsonValue]", users), "userGroups": cast("list[JsonValue]", groups)}  # fmt: skip
        self.server.store.change({resource.plural: [{**body, "sharing": read_sharing(after)}]})
        return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "message": "Access control set"})

    def search(self, request: Request, raw: bytes) -> Response:
        """`GET /api/sharing/search?key=`: users and groups by a part of their name."""
        wanted, store = required(request.query_params, "key").lower(), self.server.store
        size = int(request.query_params.get("max", "30"))
        users: list[JsonValue] = []
        groups: list[JsonValue] = []
        for user in store.ordered("users"):
            if wanted in str(user.get("name", "")).lower() or wanted in str(user.get("username", "")).lower():
                users.append({"id": user["id"], "name": user.get("name"), "displayName": user.get("name"),
                              "username": user.get("username")})  # fmt: skip
        for group in store.ordered("userGroups"):
            if wanted in str(group.get("name", "")).lower():
                groups.append({"id": group["id"], "name": group.get("name"), "displayName": group.get("name")})
        return answer({"users": users[:size], "userGroups": groups[:size]})

    # Many objects at once ----------------------------------------------------------------------------------------------

    def patch_type(self, request: Request, raw: bytes) -> Response:
        """`PATCH /api/{plural}/sharing`: one patch for many objects of a type."""
        resource = self.server.resource_of(request)
        if resource is None:
            raise no_such_address()
        sent = read_object(request, raw, PATCH)
        uids = sent.get(resource.plural)
        if not isinstance(uids, list) or not isinstance(sent.get("patch"), list):
            raise Refused(400, f"Payload must contain `{resource.plural}` and `patch`")
        return self._patch(request, {resource.plural: {str(uid): sent["patch"] for uid in uids}})

    def patch_types(self, request: Request, raw: bytes) -> Response:
        """`PATCH /api/metadata/sharing`: a patch for each object, of several types."""
        sent = read_object(request, raw, PATCH)
        wanted = {plural: dict(rows) for plural, rows in sent.items() if isinstance(rows, dict)}
        return self._patch(request, wanted)

    def _patch(self, request: Request, wanted: dict[str, dict[str, JsonValue]]) -> Response:
        """Patch what can be; what cannot is told, but not counted."""
        report = ImportReport()
        put: dict[str, list[JsonObject]] = {}
        for plural, patches in wanted.items():
            resource = self.server.store.resources.get(plural)
            if resource is None or resource.endpoint is None:
                error = ErrorReport("E6002", [plural], _PATCHES, text=f"Class name {plural} is not supported")
                report.types.append(TypeReport(_PATCHES, objects=[ObjectReport(_PATCHES, None, errors=[error])]))
                continue
            part = TypeReport(resource.klass)
            for uid, patch in patches.items():
                errors, body = self._patched(request, resource, uid, patch)
                if errors:
                    part.objects.append(ObjectReport(resource.klass, uid, errors=errors))
                else:
                    part.stats.updated += 1
                    put.setdefault(plural, []).append(body)
            if patches:
                report.types.append(part)
        atomic = request.query_params.get("atomic", "").lower() == "true"
        if report.objects or not put:
            report.status = "ERROR" if atomic or not put else "WARNING"
        if report.status == "ERROR":
            for part in report.types:
                part.stats.updated = 0
        else:
            self.server.store.change(put)
        return import_answer(report)

    def _patched(
        self, request: Request, resource: Resource, uid: str, patch: JsonValue
    ) -> tuple[list[ErrorReport], JsonObject]:
        """What is wrong with a patch, or the object with its new sharing."""
        if not resource.shareable:
            text = f"Sharing is not enabled for this object `{resource.singular}`"
            return [ErrorReport("E3019", [resource.singular], _PATCHES, text=text)], {}
        body = self.server.store.get(resource.plural, uid)
        if body is None:
            return [ErrorReport("E4014", [uid, resource.singular], resource.klass)], {}
        if not self.server.rights(request).can_write(resource, body):
            name = str(self.server.user(request).get("username"))
            return [ErrorReport("E3001", [name, str(body.get("name"))], resource.klass, main_id=uid)], {}
        operations = read_patch(patch)
        for path in (str(operation.get("path")) for operation in operations):
            if not path.startswith("/sharing"):
                text = f"Patch path `{path}` is not supported"
                return [ErrorReport("E4032", [path], _PATCHES, text=text)], {}
        patched = apply_patch(resource, body, operations)
        sharing = read_sharing(patched.get("sharing"))
        if not self.server.rights(request).superuser:  # who may do everything may write anything
            for text in access_strings(sharing):
                if not ACCESS.fullmatch(text):
                    return [ErrorReport("E3010", [text], resource.klass, main_id=uid)], {}
        return [], {**body, "sharing": sharing}


_PATCHES = "org.hisp.dhis.commons.jackson.jsonpatch.JsonPatchException"


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    table = [
        ("/api/sharing", "GET", api.get),
        ("/api/sharing", "POST", api.set),
        ("/api/sharing", "PUT", api.set),
        ("/api/sharing/search", "GET", api.search),
        ("/api/metadata/sharing", "PATCH", api.patch_types),
        ("/api/{plural}/sharing", "PATCH", api.patch_type),
    ]
    return [Route(path, with_body(handler), methods=[method]) for path, method, handler in table]
