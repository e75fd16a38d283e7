"""`/api/dataStore` and `/api/userDataStore`: JSON under a namespace and a key."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.answers import answer, done
from dhis2sh.sandbox.http.bodies import parse_json, with_body
from dhis2sh.sandbox.http.params import integer
from dhis2sh.sandbox.importer.pipeline import reference_to_user
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.filters import ALIASES, NO_VALUE, OPERATORS
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
        return answer([row[0] for row in rows])

    def keys(self, request: Request) -> Response:
        """`GET /api/dataStore/{namespace}`: its keys; with `fields` its entries."""
        namespace = request.path_params["namespace"]
        found = self._rows(request, namespace)
        if not found:
            raise Refused(404, f"Namespace not found: '{namespace}'", "E1005")
        fields = request.query_params.get("fields")
        return answer(list(found)) if fields is None else self._entries(request, found, fields)

    def _entries(self, request: Request, found: dict[str, JsonValue], fields: str) -> Response:
        query = request.query_params
        tests = [_condition(text) for text in query.getlist("filter")]
        junction = any if query.get("rootJunction", "AND").upper() == "OR" and tests else all
        columns = [_column(part) for part in _split(fields)]
        chosen = {key: value for key, value in found.items() if junction(test(key, value) for test in tests)}
        order = query.get("order")
        if order:
            path, _, direction = order.partition(":")
            ordered = sorted(
                chosen.items(), key=lambda item: str(_at(item[0], item[1], path)), reverse=direction.endswith("desc")
            )
            chosen = dict(ordered)
        rows: list[JsonValue] = [
            {"key": key, **{name: _at(key, value, path) for path, name in columns}}
            for key, value in chosen.items()
            if query.get("includeAll") == "true"
            or not columns
            or any(_at(key, value, path) is not None for path, _ in columns)
        ]
        if query.get("paging") == "false" or query.get("headless") == "true":
            return answer(rows)
        page, size = max(1, int(query.get("page") or 1)), int(query.get("pageSize") or 50)
        return answer({"pager": {"page": page, "pageSize": size}, "entries": rows[(page - 1) * size : page * size]})

    def delete_namespace(self, request: Request) -> Response:
        """`DELETE /api/dataStore/{namespace}`."""
        namespace = request.path_params["namespace"]
        if not self._rows(request, namespace):
            raise Refused(404, f"Namespace not found: '{namespace}'", "E1005")
        with self.server.store.writing() as connection:
            connection.execute(
                "DELETE FROM store_entry WHERE user = ? AND namespace = ?", (self._user(request), namespace)
            )
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
        return answer({
            "created": row[1], "lastUpdated": row[2], "translations": [], "createdBy": reference_to_user(creator),
            "favorites": [], "lastUpdatedBy": reference_to_user(editor), "sharing": json.loads(row[5]),
            "namespace": namespace, "key": key, "access": cast("JsonValue", _ACCESS), "favorite": False,
            "user": reference_to_user(creator), "id": row[0], "attributeValues": [],
        })  # fmt: skip

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/dataStore/{namespace}/{key}`."""
        namespace, key = request.path_params["namespace"], request.path_params["key"]
        if key in self._rows(request, namespace):
            raise Refused(409, f"Key '{key}' already exists in namespace '{namespace}'", "E1004")
        self._write(request, parse_json(raw))
        return done(self._words.created.format(key=key, ns=namespace), 201)

    def update(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/dataStore/{namespace}/{key}`: replaces the value, or with `path` a part of it.

        With `roll` the value is added to a list that keeps so many.
        """
        namespace, key = request.path_params["namespace"], request.path_params["key"]
        found = self._rows(request, namespace)
        value = parse_json(raw)
        path = request.query_params.get("path")
        roll = integer(request.query_params, "roll", 0)
        if roll:
            value = _rolled(_at(key, found.get(key), path or "."), value, roll)
        if path and key in found:
            value = _replaced(found[key], path.split("."), value)
        self._write(request, value)
        if key not in found:
            return done(self._words.created.format(key=key, ns=namespace), 201)
        return done(self._words.updated.format(key=key, ns=namespace))

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

    def delete(self, request: Request) -> Response:
        """`DELETE /api/dataStore/{namespace}/{key}`."""
        namespace, key = request.path_params["namespace"], request.path_params["key"]
        if key not in self._rows(request, namespace):
            return self._missing(request)
        with self.server.store.writing() as connection:
            connection.execute(
                "DELETE FROM store_entry WHERE user = ? AND namespace = ? AND key = ?",
                (self._user(request), namespace, key),
            )
        return done(self._words.deleted.format(key=key, ns=namespace))


def _split(fields: str) -> list[str]:
    return [part for part in re.split(r",(?![^\[(]*[\])])", fields) if part]


def _column(text: str) -> tuple[str, str]:
    """A field as path and name: `address.city(town)`; a lone dot is the whole value."""
    found = re.fullmatch(r"([^(]+)(?:\(([^)]+)\))?", text)
    path, name = (found[1], found[2]) if found else (text, None)
    return path, name or ("value" if path == "." else path)


def _at(key: str, value: JsonValue, path: str) -> JsonValue:
    """The value at a dotted path; `_` is the key and `.` everything."""
    if path == "_":
        return key
    if path == ".":
        return value
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _condition(text: str):
    parts = text.split(":", 2)
    operator = ALIASES.get(parts[1], parts[1]) if len(parts) > 1 else ""
    if operator not in OPERATORS and operator not in NO_VALUE:
        raise Refused(400, f"Not a valid filter expression: {text}", "E7653")
    wanted: JsonValue = parts[2] if len(parts) > 2 else None
    if isinstance(wanted, str) and wanted.startswith("["):
        wanted = [part.strip() for part in wanted.strip("[]").split(",")]

    def test(key: str, value: JsonValue) -> bool:
        found = _at(key, value, parts[0])
        if operator in {"null", "!null"}:
            return (found is None) == (operator == "null")
        if operator in {"empty", "!empty"}:
            return (not found) == (operator == "empty")
        if isinstance(found, bool):
            found = str(found).lower()
        if isinstance(found, (int, float)) and isinstance(wanted, str):
            try:
                return OPERATORS[operator](float(found), float(wanted))
            except ValueError:
                return False
        return OPERATORS[operator](found, wanted)

    return test


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
            Route(base + "/{namespace}", api.keys),
            Route(base + "/{namespace}", api.delete_namespace, methods=["DELETE"]),
            Route(entry, api.get),
            Route(entry, with_body(api.create), methods=["POST"]),
            Route(entry, with_body(api.update), methods=["PUT"]),
            Route(entry, api.delete, methods=["DELETE"]),
            Route(entry + "/metaData", api.metadata),
        ]
    return found
