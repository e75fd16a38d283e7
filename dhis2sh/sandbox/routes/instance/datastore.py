"""`/api/dataStore` and `/api/userDataStore`: JSON under a namespace and a key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.answers import answer, done
from dhis2sh.sandbox.http.bodies import parse_json, with_body
from dhis2sh.sandbox.http.params import boolean, date, integer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.pipeline import reference_to_user
from dhis2sh.sandbox.instance.entries import MISSING, at, columns, ordered, parse_filter, row
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_ACCESS = dict.fromkeys(("manage", "externalize", "write", "read", "update", "delete"), True)


@dataclass(frozen=True, slots=True)
class Words:
    """What one of the two stores says."""

    created: str
    updated: str
    deleted: str
    namespace_deleted: str


SYSTEM = Words("Key created: '{key}'", "Key updated: '{key}'", "Key '{key}' deleted from namespace '{ns}'",
               "Namespace deleted: '{ns}'")  # fmt: skip
USER = Words("Key '{key}' in namespace '{ns}' created.", "Key '{key}' in namespace '{ns}' updated.",
             "Key '{key}' deleted from the namespace '{ns}'.", "All keys from namespace '{ns}' deleted.")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Protection:
    """Who may read and write a namespace: everybody (`NONE`), or who has one of the authorities."""

    reads: str
    writes: str
    authorities: tuple[str, ...]


PROTECTED: Mapping[str, Protection] = {
    "ANDROID_SETTINGS_APP": Protection("NONE", "RESTRICTED", ("M_androidsettingsapp",)),
    "METADATASTORE": Protection("HIDDEN", "HIDDEN", ("F_METADATA_MANAGE",)),
    "ORG_UNIT_PROFILE": Protection("NONE", "RESTRICTED", ("F_ORG_UNIT_PROFILE_ADD", "ALL")),
    "capture": Protection("NONE", "RESTRICTED", ("F_CAPTURE_DATASTORE_UPDATE",)),
    "settings-translations": Protection("RESTRICTED", "RESTRICTED", ("F_SYSTEM_SETTING",)),
    "sms-config": Protection("RESTRICTED", "RESTRICTED", ("F_MOBILE_SENDSMS",)),
}
"""The namespaces that a server protects before any app is installed."""
_TABLES = ("store_entry", "encrypted_entry")


class Api:
    """The handlers of one of the two stores.

    Parameters:
        own: the store of each user by itself.
    """

    def __init__(self, server: Server, *, own: bool) -> None:
        self.server = server
        self._own = own
        self._words = USER if own else SYSTEM

    def _user(self, request: Request) -> str:
        """Whose entries: empty for the system's store; an administrator may name another user."""
        if not self._own:
            return ""
        username = request.query_params.get("username")
        if username:
            self.server.demand(request, "ALL")
            user = self.server.signin.accounts.named(username)
            if user is None:
                raise Refused(404, f"User {username} not found", "E1005")
            return cast("str", user["id"])
        return self.server.rights(request).uid

    def _rows(self, request: Request, namespace: str) -> dict[str, JsonValue]:
        self._guard(request)
        rows = self.server.store.connection.execute(
            "SELECT key, value FROM store_entry WHERE user = ? AND namespace = ? ORDER BY key",
            (self._user(request), namespace),
        )
        return {key: json.loads(value) for key, value in rows}

    def namespaces(self, request: Request) -> Response:
        """`GET /api/dataStore`."""
        rows = self.server.store.connection.execute(
            "SELECT DISTINCT namespace FROM store_entry WHERE user = ? ORDER BY namespace", (self._user(request),)
        )
        rights = self.server.rights(request)
        hidden = {name for name, one in PROTECTED.items() if one.reads == "HIDDEN" and not rights.has(*one.authorities)}
        return answer([row[0] for row in rows if self._own or row[0] not in hidden])

    def keys(self, request: Request) -> Response:
        """`GET /api/dataStore/{namespace}`: its keys; with `fields` its entries."""
        found, fields = self._found(request), request.query_params.get("fields")
        return answer(list(found)) if fields is None else self._entries(request, found, fields)

    def only_keys(self, request: Request) -> Response:
        """`GET /api/dataStore/{namespace}/keys`."""
        return answer(list(self._found(request)))

    def _found(self, request: Request) -> dict[str, JsonValue]:
        """The entries of a namespace that there is, all or those written since `lastUpdated`."""
        namespace = request.path_params["namespace"]
        found, since = self._rows(request, namespace), date(request.query_params, "lastUpdated")
        if not found:
            raise Refused(404, f"Namespace not found: '{namespace}'", "E1005")
        if since is None:
            return found
        where = (self._user(request), namespace, since.isoformat())
        sql = "SELECT key FROM store_entry WHERE user = ? AND namespace = ? AND last_updated >= ?"
        late = {row[0] for row in self.server.store.connection.execute(sql, where)}
        return {key: value for key, value in found.items() if key in late}

    def protections(self, request: Request) -> Response:
        """`GET /api/dataStore/protections`: the namespaces that not everybody may read or write."""
        return answer([
            {"namespace": name, "reads": one.reads, "writes": one.writes,
             "readAuthorities": list(one.authorities), "writeAuthorities": list(one.authorities)}
            for name, one in PROTECTED.items()
        ])  # fmt: skip

    def _guard(self, request: Request) -> None:
        """Raise `Refused` where who asks may not touch a protected namespace: nobody has seen what a server says then."""
        one = None if self._own else PROTECTED.get(request.path_params.get("namespace", ""))
        needed = one is not None and (request.method != "GET" or one.reads != "NONE")
        if one is not None and needed and not self.server.rights(request).has(*one.authorities):
            raise not_imitated("a protected namespace for who has no right to it")

    def _entries(self, request: Request, found: dict[str, JsonValue], fields: str) -> Response:
        query = request.query_params
        tests = [parse_filter(text) for text in query.getlist("filter")]
        junction = any if query.get("rootJunction", "AND").upper() == "OR" and tests else all
        wanted = columns(fields)
        sql = "SELECT key FROM encrypted_entry WHERE user = ? AND namespace = ?"
        where = (self._user(request), request.path_params["namespace"])
        secret = {row[0] for row in self.server.store.connection.execute(sql, where)}
        seen: dict[str, object] = {key: MISSING if key in secret else value for key, value in found.items()}
        chosen = {key: value for key, value in seen.items() if junction(test(key, value) for test in tests)}
        if query.get("order"):
            chosen = ordered(chosen, query["order"])
        everything = boolean(query, "includeAll")
        rows: list[JsonValue] = []
        for key, value in chosen.items():
            shown, has_any = row(key, value, wanted)
            if has_any or everything:
                rows.append(shown)
        page, size = max(1, integer(query, "page", 1)), integer(query, "pageSize", 50)
        paged = rows[(page - 1) * size : page * size] if boolean(query, "paging", True) else rows
        if boolean(query, "headless"):
            return answer(paged)
        return answer({"pager": {"page": page, "pageSize": size}, "entries": paged})

    def delete_namespace(self, request: Request) -> Response:
        """`DELETE /api/dataStore/{namespace}`; of a name with a dot the server takes what follows for a file's ending."""
        namespace = request.path_params["namespace"].partition(".")[0]
        if not self._rows(request, namespace):
            raise Refused(404, f"Namespace not found: '{namespace}'", "E1005")
        with self.server.store.writing() as connection:
            for table in _TABLES:
                sql = f"DELETE FROM {table} WHERE user = ? AND namespace = ?"
                connection.execute(sql, (self._user(request), namespace))
        return done(self._words.namespace_deleted.format(ns=namespace))

    def _missing(self, request: Request) -> Response:
        params = request.path_params
        raise Refused(404, f"Key '{params['key']}' not found in namespace '{params['namespace']}'", "E1005")

    def get(self, request: Request) -> Response:
        """`GET /api/dataStore/{namespace}/{key}`."""
        found = self._rows(request, request.path_params["namespace"])
        key = request.path_params["key"]
        return answer(found[key]) if key in found else self._missing(request)

    def metadata(self, request: Request) -> Response:
        """`GET /api/dataStore/{namespace}/{key}/metaData`: the entry without its value."""
        namespace, key = request.path_params["namespace"], request.path_params["key"]
        row = self.server.store.connection.execute(
            "SELECT uid, created, last_updated, created_by, last_updated_by, sharing FROM store_entry "
            "WHERE user = ? AND namespace = ? AND key = ?",
            (self._user(request), namespace, key),
        ).fetchone()
        if row is None:
            return self._missing(request)
        creator, editor = (self.server.store.get("users", uid) or {"id": uid} for uid in row[3:5])
        external = self.server.store.version.external
        sharing, access = (
            {name: value for name, value in shown.items() if external or name not in {"external", "externalize"}}
            for shown in (cast("JsonObject", json.loads(row[5])), _ACCESS)
        )
        return answer({
            "created": row[1], "lastUpdated": row[2], "translations": [], "createdBy": reference_to_user(creator),
            "favorites": [], "lastUpdatedBy": reference_to_user(editor), "sharing": sharing,
            "namespace": namespace, "key": key, "access": cast("JsonValue", access), "favorite": False,
            "user": reference_to_user(creator), "id": row[0], "attributeValues": [],
        })  # fmt: skip

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/dataStore/{namespace}/{key}`."""
        namespace, key = request.path_params["namespace"], request.path_params["key"]
        if key in self._rows(request, namespace):
            raise Refused(409, f"Key '{key}' already exists in namespace '{namespace}'", "E1004")
        self._write(request, self._value(request, raw))
        return done(self._words.created.format(key=key, ns=namespace), 201)

    def update(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/dataStore/{namespace}/{key}`: replaces the value, or with `path` a part of it.

        With `roll` the value is added to a list that keeps so many.
        """
        namespace, key = request.path_params["namespace"], request.path_params["key"]
        found = self._rows(request, namespace)
        value = self._value(request, raw)
        path = request.query_params.get("path")
        roll = integer(request.query_params, "roll", 0)
        if roll:
            value = _rolled(at(key, found.get(key), path or "."), value, roll)
        if path and key in found:
            value = _replaced(found[key], path.split("."), value)
        self._write(request, value)
        if key not in found:
            return done(self._words.created.format(key=key, ns=namespace), 201)
        return done(self._words.updated.format(key=key, ns=namespace))

    def _value(self, request: Request, raw: bytes) -> JsonValue:
        if self._own:
            return parse_json(raw)
        try:
            return cast("JsonValue", orjson.loads(raw))
        except orjson.JSONDecodeError:
            raise Refused(400, f"Invalid JSON value for key '{request.path_params['key']}'", "E1003") from None

    def _write(self, request: Request, value: JsonValue) -> None:
        user, moment = self.server.rights(request).uid, now()
        sharing: JsonObject = {"owner": user, "external": False, "users": {}, "userGroups": {}, "public": "rw------"}
        where = (self._user(request), request.path_params["namespace"], request.path_params["key"])
        with self.server.store.writing() as connection:
            connection.execute(
                "INSERT INTO store_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user, namespace, key) DO UPDATE "
                "SET value = excluded.value, last_updated = excluded.last_updated, last_updated_by = excluded.last_updated_by",
                (
                    *where,
                    generate_uid(),
                    json.dumps(value, ensure_ascii=False),
                    json.dumps(sharing),
                    moment,
                    moment,
                    user,
                    user,
                ),
            )
            kept = "INSERT OR REPLACE INTO encrypted_entry VALUES (?, ?, ?)"
            gone = "DELETE FROM encrypted_entry WHERE user = ? AND namespace = ? AND key = ?"
            connection.execute(kept if boolean(request.query_params, "encrypt") else gone, where)

    def delete(self, request: Request) -> Response:
        """`DELETE /api/dataStore/{namespace}/{key}`."""
        namespace, key = request.path_params["namespace"], request.path_params["key"]
        if key not in self._rows(request, namespace):
            return self._missing(request)
        with self.server.store.writing() as connection:
            for table in _TABLES:
                sql = f"DELETE FROM {table} WHERE user = ? AND namespace = ? AND key = ?"
                connection.execute(sql, (self._user(request), namespace, key))
        return done(self._words.deleted.format(key=key, ns=namespace))


def _rolled(before: JsonValue, new: JsonValue, most: int) -> JsonValue:
    """A list with one value more, of which the latest stay. Raises `Refused` with 501 where there is no list."""
    if most < 0 or not isinstance(before, (list, type(None))):
        raise not_imitated("a roll of what is no list")
    return [*(before or []), new][-most:]


def _replaced(value: JsonValue, path: list[str], new: JsonValue) -> JsonValue:
    if not path:
        return new
    body: JsonObject = dict(value) if isinstance(value, dict) else {}
    body[path[0]] = _replaced(body.get(path[0]), path[1:], new)
    return body


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    found: list[Route] = []
    for base, own in (("/api/dataStore", False), ("/api/userDataStore", True)):
        api = Api(server, own=own)
        entry = base + "/{namespace}/{key}"
        found += [
            Route(base, api.namespaces),
            *([Route(f"{base}/protections", api.protections)] if not own and server.store.version.minor >= 42 else []),
            Route(base + "/{namespace}/keys", api.only_keys),
            Route(base + "/{namespace}", api.keys),
            Route(base + "/{namespace}", api.delete_namespace, methods=["DELETE"]),
            Route(entry, api.get),
            Route(entry, with_body(api.create), methods=["POST"]),
            Route(entry, with_body(api.update), methods=["PUT"]),
            Route(entry, api.delete, methods=["DELETE"]),
            Route(entry + "/metaData", api.metadata),
        ]
    return found
