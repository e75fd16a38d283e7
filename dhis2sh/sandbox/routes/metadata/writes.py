"""Writes of one object: create, replace, patch, delete, its collections, translations and sharing (api-facts a.7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer, base_of, done
from dhis2sh.sandbox.http.bodies import PATCH, read_json, read_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.axes import merged_views
from dhis2sh.sandbox.importer.bundle import CREATE, DELETE, UPDATE, ImportOptions, import_options
from dhis2sh.sandbox.importer.checks import ACCESS
from dhis2sh.sandbox.importer.hooks import hooks_of
from dhis2sh.sandbox.importer.members import ORPHANS_DIE, ORPHANS_STAY, Members, kept_by_owner
from dhis2sh.sandbox.importer.pipeline import Importer
from dhis2sh.sandbox.importer.read import read_sharing
from dhis2sh.sandbox.importer.refusals import updates_apart
from dhis2sh.sandbox.importer.report import FAILED, ErrorReport, ImportReport, ObjectReport, Stats, TypeReport
from dhis2sh.sandbox.metadata.jsonpatch import apply_patch, read_patch
from dhis2sh.sandbox.metadata.listing import DEFAULTS
from dhis2sh.sandbox.refused import Refused, no_such_address, not_found, not_imitated
from dhis2sh.sandbox.routes.metadata.answers import import_answer, object_answer
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.store.references import rows

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue


SHARING = "org.hisp.dhis.user.sharing.Sharing"


class Api:
    """The handlers: plain functions that run in threads, so the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def importer(self, request: Request, *, raw: bytes | None = None, unreadable: int | None = None) -> Importer:
        """Writes in the name of who asks."""
        return Importer(self.server.store, self.server.user(request), raw=raw, unreadable=unreadable)

    def _resource(self, request: Request) -> Resource:
        resource = self.server.resource_of(request)
        if resource is None:
            raise no_such_address(request.url.path)
        return resource

    def _stored(self, request: Request) -> tuple[Resource, JsonObject]:
        """The type and the object that a path names. Raises `Refused` with 404, and 403 without the right to write."""
        resource = self._resource(request)
        uid = request.path_params["uid"]
        body = self.server.store.get(resource.plural, uid)
        if body is None:
            raise not_found(resource.model, uid)
        return resource, body

    def _writable(self, request: Request) -> tuple[Resource, JsonObject]:
        resource, body = self._stored(request)
        if not self.server.rights(request).can_write(resource, body):
            raise Refused(403, "You don't have the proper permissions to update this object.", "E1006")
        return resource, body

    # The object ------------------------------------------------------------------------------------------------------

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/{plural}`."""
        resource = self._resource(request)
        sent = read_object(request, raw)
        if not self.server.rights(request).can_create(resource):
            raise Refused(403, "You don't have the proper permissions to create this object.", "E1006")
        for hook in hooks_of(self.server.store, resource.plural):
            if hook.create is not None:
                hook.create(self.server.store, sent)
        sent.pop("translations", None)
        sent = merged_views(sent) if resource.plural == "maps" else sent
        options = replace(import_options(request.query_params), strategy=CREATE, commit=True, atomic=True)
        report = self.importer(request, raw=raw).one(resource.plural, sent, options)
        if report is None:
            raise not_imitated("the creation of an object of the default category model")
        return object_answer(report, created=f"{base_of(request)}/api{resource.endpoint}/{report.uid}")

    def replace(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/{plural}/{uid}`."""
        resource = self._resource(request)
        if self.server.store.get(resource.plural, request.path_params["uid"]) is None:
            self._stored(request)
        sent = read_object(request, raw)
        resource, _ = self._writable(request)
        sent["id"] = request.path_params["uid"]
        sent = merged_views(sent) if resource.plural == "maps" else sent
        self._updatable(resource, sent)
        apart = updates_apart(self.server.store, resource.plural)
        options = replace(import_options(request.query_params), strategy=UPDATE, commit=True, atomic=True)
        options = replace(options, skip_validation=apart)
        report = self.importer(request, raw=raw).one(resource.plural, sent, options)
        if report is None or apart or (resource.plural == "maps" and not report.errors):
            return done()
        if resource.plural == "users" and not report.errors:
            part = TypeReport(resource.klass, Stats(updated=1), [report])
            return import_answer(ImportReport(types=[part]))
        return object_answer(report)

    def patch(self, request: Request, raw: bytes) -> Response:
        """`PATCH /api/{plural}/{uid}` with a JSON patch."""
        self._stored(request)
        read = read_json(request, raw, PATCH)
        resource, stored = self._writable(request)
        if resource.plural == "visualizations" and self.server.store.version.minor > 42:
            raise Refused(500, "java.lang.reflect.InvocationTargetException")  # recorded of one
        try:
            patched = apply_patch(resource, stored, read_patch(read))
        except Refused as no:
            status = self.server.store.version.unreadable_patch
            if no.status == 500 != status:
                raise Refused(status, f"JSON parse error: {str(no).partition(chr(10))[0]}") from None
            raise
        patched["id"] = stored["id"]
        self._updatable(resource, patched)
        apart = updates_apart(self.server.store, resource.plural)
        options = replace(import_options(request.query_params, "ERRORS_NOT_OWNER"), strategy=UPDATE, atomic=True)
        report = self.importer(request, unreadable=400).one(
            resource.plural, patched, replace(options, skip_validation=apart)
        )
        return done() if report is None or apart else object_answer(report)

    def _updatable(self, resource: Resource, after: JsonObject) -> None:
        """Raises `Refused` with 409 for what the type's own controller refuses."""
        before = self.server.store.get(resource.plural, cast("str", after["id"])) or {}
        for hook in hooks_of(self.server.store, resource.plural):
            report = hook.update(self.server.store, before, after) if hook.update is not None else None
            if report is not None:
                raise Refused(409, report.message, report.code)

    def delete(self, request: Request, raw: bytes) -> Response:
        """`DELETE /api/{plural}/{uid}`."""
        resource, body = self._stored(request)
        if not self.server.rights(request).can_delete(resource, body):
            raise Refused(403, "You don't have the proper permissions to delete this object.", "E1006")
        if body["id"] in DEFAULTS.values():
            return done()  # nothing is deleted, and nothing is said of it
        if kept_by_owner(self.server.store, resource.plural, cast("str", body["id"])):
            return object_answer(ObjectReport(resource.klass, cast("str", body["id"])))  # so it says, and it stays
        options = ImportOptions(strategy=DELETE)
        report = self.importer(request).one(resource.plural, {"id": body["id"]}, options)
        return done() if report is None else object_answer(report, failed="WARNING")

    # Its collections -------------------------------------------------------------------------------------------------

    def _collection(self, request: Request) -> tuple[Resource, JsonObject, Property]:
        resource, body = self._writable(request)
        name = request.path_params["property"]
        prop = resource.properties.get(name)
        if prop is None:
            raise Refused(404, f"Property {name} does not exist on {resource.klass}", "E1005")
        if not prop.collection or prop.target is None or self.server.store.resources[prop.target].endpoint is None:
            raise Refused(
                409, f"Only identifiable object collections can be updated: {name} on {resource.klass}", "E1004"
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
            request, resource, body, prop, [u for u in wanted if u not in have], [u for u in have if u not in wanted],
            kept=sum(uid in have for uid in dict.fromkeys(wanted)),
        )  # fmt: skip

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
        self, request: Request, resource: Resource, body: JsonObject, prop: Property, add: list[str], take: list[str],
        *, kept: int = 0,
    ) -> Response:  # fmt: skip
        """Add and remove members, from whichever side owns the relation; unknown ones count nothing.

        Those that are `kept` when all are replaced count as taken out and put in again.
        """
        store, target, uid = self.server.store, cast("str", prop.target), cast("str", body["id"])
        have = self._have(resource, body, prop)
        added = [one for one in dict.fromkeys(add) if one not in have and store.get(target, one) is not None]
        taken = [one for one in dict.fromkeys(take) if one in have]
        if prop.owner:
            left = [one for one in have if one not in taken] + added
            put = {resource.plural: {uid: cast("JsonObject", {**body, prop.name: [{"id": one} for one in left]})}}
            members = Members(store, put)
            for owning in store.owning_lists:
                if (owning.owner, owning.members) == (resource.plural, prop.name):
                    if taken and f"{resource.plural}.{prop.name}" not in ORPHANS_DIE | ORPHANS_STAY:
                        raise not_imitated(f"what becomes of {prop.name} that are taken out of {resource.plural}")
                    members.listed(owning, uid, have, left)
            store.change({plural: bodies.values() for plural, bodies in members.put.items()}, members.gone)
        else:
            owner = self._owner_side(resource, prop)
            if owner is None:
                return _not_owner(resource, prop)
            self._change_owners(owner, uid, added, taken)
        ignored = 0 if prop.owner else sum(one in have for one in dict.fromkeys(add))
        put_in, taken_out = len(added) + kept, len(taken) + kept
        stats: JsonObject = {"created": 0, "updated": put_in, "deleted": taken_out, "ignored": ignored,
                             "total": put_in + taken_out + ignored}  # fmt: skip
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
        problem = _translation_error(resource, cast("str", body["id"]), rows)
        if problem is not None:
            return object_answer(ObjectReport(resource.klass, None, errors=[problem]), failed="WARNING")
        kept: list[JsonValue] = [{name: row[name] for name in ("locale", "property", "value")} for row in rows]
        self.server.store.change({resource.plural: [{**body, "translations": kept}]})
        return Response(status_code=204)

    def share(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/{plural}/{uid}/sharing`."""
        resource, body = self._writable(request)
        sent = read_object(request, raw)
        if not resource.shareable:
            raise Refused(409, f"Type {resource.singular} is not supported.")
        before = cast("JsonObject", body.get("sharing") or {})
        sharing: JsonObject = {"owner": before.get("owner"), **read_sharing(sent)}
        public = sharing.get("public")
        if public is not None and not ACCESS.fullmatch(str(public)):
            error = ErrorReport("E3015", [str(public)], SHARING, error_klass=resource.klass)
            part = TypeReport(SHARING, objects=[ObjectReport(SHARING, None, errors=[error])])
            return answer({"httpStatus": "Conflict", "httpStatusCode": 409, "status": "ERROR", "message": FAILED,
                           "response": {"status": "ERROR", "stats": part.stats.json(), "objectReports": [one.json() for one in part.objects], "responseType": "TypeReport"}}, 409)  # fmt: skip
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
            raise Refused(409, f"Objects of this class cannot be set as {kind}", "E1004")
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


def _translation_error(resource: Resource, uid: str, rows: list[JsonObject]) -> ErrorReport | None:
    """E1106: a text translated twice into one language; E4000: a part is missing. None for good rows."""
    klass = "org.hisp.dhis.translation.Translation"
    seen: set[tuple[JsonValue, JsonValue]] = set()
    for row in rows:
        key = (row.get("property"), row.get("locale"))
        if key in seen:
            text = "There are duplicate translation records for property `{}` and locale `{}` on {} `{}`"
            named = [*key, resource.model, uid]
            return ErrorReport("E1106", named, klass, error_klass=resource.klass, text=text.format(*named))
        seen.add(key)
        for name in ("locale", "property", "value"):
            if not row.get(name):
                return ErrorReport("E4000", [name], klass, error_klass=resource.klass)
    return None


def _ids(value: JsonValue) -> list[str]:
    return [str(row["id"]) for row in rows(value) if "id" in row]


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
