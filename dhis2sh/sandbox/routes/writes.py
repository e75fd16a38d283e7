"""Writes of one object: create, replace, patch, delete, its collections, translations and sharing (api-facts a.7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.bodies import PATCH, Refusal, object_answer, read_json, read_object, with_body
from dhis2sh.sandbox.http import answer, base_of, done, missing_page, refuse
from dhis2sh.sandbox.importer import CREATE, DELETE, UPDATE, Importer, ImportOptions, import_options
from dhis2sh.sandbox.importer_read import Unreadable, read_sharing
from dhis2sh.sandbox.importer_refusals import refused_update, updates_apart
from dhis2sh.sandbox.importer_report import FAILED, ErrorReport, ObjectReport
from dhis2sh.sandbox.jsonpatch import BadPatch, apply_patch, read_patch
from dhis2sh.sandbox.server import Server

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue


class Api:
    """The handlers: plain functions that run in threads, so the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def importer(self, request: Request) -> Importer:
        """Writes in the name of who asks."""
        return Importer(self.server.store, self.server.user(request))

    def _resource(self, request: Request) -> Resource:
        resource = self.server.resource_of(request)
        if resource is None:
            raise Refusal(missing_page(request.url.path))
        return resource

    def _stored(self, request: Request) -> tuple[Resource, JsonObject]:
        """The type and the object that a path names. Raises `Refusal` with 404, and 403 without the right to write."""
        resource = self._resource(request)
        uid = request.path_params["uid"]
        body = self.server.store.get(resource.plural, uid)
        if body is None:
            raise Refusal(refuse(404, f"{resource.model} with id {uid} could not be found.", "E1005"))
        return resource, body

    def _writable(self, request: Request) -> tuple[Resource, JsonObject]:
        resource, body = self._stored(request)
        if not self.server.rights(request).can_write(resource, body):
            raise Refusal(refuse(403, "You don't have the proper permissions to update this object.", "E1006"))
        return resource, body

    # The object ------------------------------------------------------------------------------------------------------

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/{plural}`."""
        resource = self._resource(request)
        sent = read_object(request, raw)
        if not self.server.rights(request).can_create(resource):
            return refuse(403, "You don't have the proper permissions to create this object.", "E1006")
        sent.pop("translations", None)
        options = replace(import_options(request.query_params), strategy=CREATE, commit=True, atomic=True)
        report = self._import(request, raw, resource, sent, options)
        return object_answer(report, created=f"{base_of(request)}/api{resource.endpoint}/{report.uid}")

    def replace(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/{plural}/{uid}`."""
        resource = self._resource(request)
        if self.server.store.get(resource.plural, request.path_params["uid"]) is None:
            self._stored(request)
        sent = read_object(request, raw)
        resource, _ = self._writable(request)
        sent["id"] = request.path_params["uid"]
        self._updatable(resource, sent)
        apart = updates_apart(self.server.store, resource.plural)
        options = replace(import_options(request.query_params), strategy=UPDATE, commit=True, atomic=True)
        report = self._import(request, raw, resource, sent, replace(options, skip_validation=apart))
        return done() if apart else object_answer(report)

    def patch(self, request: Request, raw: bytes) -> Response:
        """`PATCH /api/{plural}/{uid}` with a JSON patch."""
        self._stored(request)
        read = read_json(request, raw, PATCH)
        resource, stored = self._writable(request)
        try:
            patched = apply_patch(resource, stored, read_patch(read))
        except BadPatch as bad:
            version = self.server.store.version
            if bad.status == 500 and version.unreadable_patch != 500:
                return refuse(version.unreadable_patch, f"JSON parse error: {str(bad).partition(chr(10))[0]}")
            return refuse(bad.status, str(bad))
        patched["id"] = stored["id"]
        self._updatable(resource, patched)
        apart = updates_apart(self.server.store, resource.plural)
        options = replace(import_options(request.query_params, "ERRORS_NOT_OWNER"), strategy=UPDATE, atomic=True)
        try:
            report = self.importer(request).one(resource.plural, patched, replace(options, skip_validation=apart))
        except Unreadable as error:
            return refuse(400, error.at(None))
        return done() if apart else object_answer(report)

    def _updatable(self, resource: Resource, after: JsonObject) -> None:
        """Raises `Refusal` with 409 for what the type's own controller refuses."""
        before = self.server.store.get(resource.plural, cast("str", after["id"])) or {}
        refusal = refused_update(self.server.store, resource.plural, before, after)
        if refusal is not None:
            raise Refusal(refuse(409, refusal.message, refusal.code))

    def delete(self, request: Request, raw: bytes) -> Response:
        """`DELETE /api/{plural}/{uid}`."""
        resource, body = self._stored(request)
        if not self.server.rights(request).can_delete(resource, body):
            return refuse(403, "You don't have the proper permissions to delete this object.", "E1006")
        options = ImportOptions(strategy=DELETE)
        return object_answer(self.importer(request).one(resource.plural, {"id": body["id"]}, options), failed="WARNING")

    def _import(
        self, request: Request, raw: bytes, resource: Resource, sent: JsonObject, options: ImportOptions
    ) -> ObjectReport:
        try:
            return self.importer(request).one(resource.plural, sent, options)
        except Unreadable as error:
            raise Refusal(refuse(self.server.store.version.unreadable, error.at(raw))) from None

    # Its collections -------------------------------------------------------------------------------------------------

    def _collection(self, request: Request) -> tuple[Resource, JsonObject, Property]:
        resource, body = self._writable(request)
        name = request.path_params["property"]
        prop = resource.properties.get(name)
        if prop is None:
            raise Refusal(refuse(404, f"Property {name} does not exist on {resource.klass}", "E1005"))
        if not prop.collection or prop.target is None or self.server.store.resources[prop.target].endpoint is None:
            raise Refusal(
                refuse(409, f"Only identifiable object collections can be updated: {name} on {resource.klass}", "E1004")
            )
        return resource, body, prop

    def change_items(self, request: Request, raw: bytes) -> Response:
        """`POST /api/{plural}/{uid}/{property}`: additions and deletions."""
        resource, body, prop = self._collection(request)
        sent = read_object(request, raw)
        add, take = _ids(sent.get("additions")), _ids(sent.get("deletions"))
        return self._members(request, resource, body, prop, add or _ids(sent.get("identifiableObjects")), take)

    def replace_items(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/{plural}/{uid}/{property}`: these and no others."""
        resource, body, prop = self._collection(request)
        wanted = _ids(read_object(request, raw).get("identifiableObjects"))
        have = self._have(resource, body, prop)
        return self._members(
            request, resource, body, prop, [u for u in wanted if u not in have], [u for u in have if u not in wanted]
        )

    def remove_items(self, request: Request, raw: bytes) -> Response:
        """`DELETE /api/{plural}/{uid}/{property}`: take out those that the body names."""
        resource, body, prop = self._collection(request)
        return self._members(
            request, resource, body, prop, [], _ids(read_object(request, raw).get("identifiableObjects"))
        )

    def add_item(self, request: Request, raw: bytes) -> Response:
        """`POST /api/{plural}/{uid}/{property}/{item}`."""
        resource, body, prop = self._collection(request)
        return self._members(request, resource, body, prop, [request.path_params["item"]], [])

    def remove_item(self, request: Request, raw: bytes) -> Response:
        """`DELETE /api/{plural}/{uid}/{property}/{item}`."""
        resource, body, prop = self._collection(request)
        return self._members(request, resource, body, prop, [], [request.path_params["item"]])

    def _have(self, resource: Resource, body: JsonObject, prop: Property) -> list[str]:
        if prop.owner:
            return _ids(body.get(prop.name))
        owner = self._owner_side(resource, prop)
        return self.server.store.inverse(*owner).get(cast("str", body["id"]), []) if owner else []

    def _owner_side(self, resource: Resource, prop: Property) -> tuple[str, str] | None:
        """The type and property that hold a relation which this type does not own."""
        for relation in self.server.store.relations[resource.plural]:
            if relation.owner == prop.target and "." not in relation.prop:
                return relation.owner, relation.prop
        return None

    def _members(
        self, request: Request, resource: Resource, body: JsonObject, prop: Property, add: list[str], take: list[str]
    ) -> Response:
        """Add and remove members, from whichever side owns the relation; unknown ones count nothing."""
        store, target, uid = self.server.store, cast("str", prop.target), cast("str", body["id"])
        have = self._have(resource, body, prop)
        added = [one for one in dict.fromkeys(add) if one not in have and store.get(target, one) is not None]
        taken = [one for one in dict.fromkeys(take) if one in have]
        if prop.owner:
            kept = [one for one in have if one not in taken] + added
            store.change({resource.plural: [{**body, prop.name: [{"id": one} for one in kept]}]})
        else:
            owner = self._owner_side(resource, prop)
            if owner is None:
                return _not_owner(resource, prop)
            self._change_owners(owner, uid, added, taken)
        stats: JsonObject = {"created": 0, "updated": len(added), "deleted": len(taken), "ignored": 0,
                             "total": len(added) + len(taken)}  # fmt: skip
        response: JsonObject = {"status": "OK", "stats": stats, "objectReports": [], "responseType": "TypeReport"}
        return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": response})

    def _change_owners(self, owner: tuple[str, str], uid: str, added: list[str], taken: list[str]) -> None:
        plural, name = owner
        changed: list[JsonObject] = []
        for one in [*added, *taken]:
            holder = self.server.store.get(plural, one) or {}
            kept = [other for other in _ids(holder.get(name)) if other != uid]
            kept += [uid] if one in added else []
            single = not self.server.store.resources[plural].properties[name].collection
            value: JsonValue = ({"id": uid} if one in added else None) if single else [{"id": u} for u in kept]
            changed.append({**holder, name: value})
        self.server.store.change({plural: changed})

    # Translations, sharing, favourites -------------------------------------------------------------------------------

    def translate(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/{plural}/{uid}/translations`."""
        resource, body = self._writable(request)
        rows = cast("list[JsonObject]", read_object(request, raw).get("translations") or [])
        seen: set[tuple[JsonValue, JsonValue]] = set()
        for row in rows:
            key = (row.get("property"), row.get("locale"))
            if key in seen:
                report = ObjectReport(resource.klass, cast("str", body["id"]))
                report.errors.append(ErrorReport("E1106", list(key), resource.klass, prop="translations"))
                return object_answer(report)
            seen.add(key)
            for name in ("locale", "property", "value"):
                if not row.get(name):
                    report = ObjectReport(resource.klass, cast("str", body["id"]))
                    report.errors.append(ErrorReport("E4000", [name], "org.hisp.dhis.translation.Translation"))
                    return object_answer(report)
        kept: list[JsonValue] = [{name: row[name] for name in ("locale", "property", "value")} for row in rows]
        self.server.store.change({resource.plural: [{**body, "translations": kept}]})
        return Response(status_code=204)

    def share(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/{plural}/{uid}/sharing`."""
        resource, body = self._writable(request)
        sent = read_object(request, raw)
        if not resource.shareable:
            return refuse(409, f"Type {resource.singular} is not supported.")
        before = cast("JsonObject", body.get("sharing") or {})
        try:
            sharing: JsonObject = {"owner": before.get("owner"), **read_sharing(sent)}
        except Unreadable as error:
            return refuse(500, str(error))
        self.server.store.change({resource.plural: [{**body, "sharing": sharing}]})
        return Response(status_code=204)

    def mark(self, request: Request, raw: bytes) -> Response:
        """`POST` and `DELETE /api/{plural}/{uid}/favorite` and `/subscriber`."""
        resource, body = self._stored(request)
        kind = request.url.path.rpartition("/")[2]
        able, name, past = (
            (resource.favoritable, "favorites", "favorite") if kind == "favorite"
            else (resource.subscribable, "subscribers", "subscribed to")
        )  # fmt: skip
        if not able:
            return refuse(409, f"Objects of this class cannot be set as {kind}", "E1004")
        me = cast("str", self.server.user(request)["id"])
        kept: list[JsonValue] = [uid for uid in cast("list[JsonValue]", body.get(name) or []) if uid != me]
        if request.method == "POST":
            kept.append(me)
        self.server.store.change({resource.plural: [{**body, name: kept}]})
        text = f"Object '{body['id']}' {'set as' if request.method == 'POST' else 'removed as'} {past} for user "
        return answer(
            {
                "httpStatus": "OK",
                "httpStatusCode": 200,
                "status": "OK",
                "message": text + f"'{self.server.user(request).get('username')}'",
            }
        )


def _ids(value: JsonValue) -> list[str]:
    rows = value if isinstance(value, list) else []
    return [str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row]


def _not_owner(resource: Resource, prop: Property) -> Response:
    text = f"{prop.name} is not the owner of the association with {resource.model}"
    body: JsonObject = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "ERROR", "message": text or FAILED}
    return answer(body, 409)


def routes(server: Server) -> list[Route]:
    """This area's routes; they are the most general ones."""
    api = Api(server)
    one = "/api/{plural}/{uid:uid}"
    held = f"{one}/{{property}}"
    table = [
        ("/api/{plural}", "POST", api.create),
        (one, "PUT", api.replace),
        (one, "PATCH", api.patch),
        (one, "DELETE", api.delete),
        (f"{one}/translations", "PUT", api.translate),
        (f"{one}/sharing", "PUT", api.share),
        (f"{one}/favorite", "POST", api.mark),
        (f"{one}/favorite", "DELETE", api.mark),
        (f"{one}/subscriber", "POST", api.mark),
        (f"{one}/subscriber", "DELETE", api.mark),
        (held, "POST", api.change_items),
        (held, "PUT", api.replace_items),
        (held, "DELETE", api.remove_items),
        (f"{held}/{{item:uid}}", "POST", api.add_item),
        (f"{held}/{{item:uid}}", "DELETE", api.remove_item),
    ]
    return [Route(path, with_body(handler), methods=[method]) for path, method, handler in table]
