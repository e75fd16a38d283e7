"""A small DHIS2 in memory for the tests of the client: it answers writes as the recordings in ../shared/wire/v42 do.

Only what the client's upper half sends is here. What was sent is kept in `requests`.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dhis2sh.client import jsonpatch
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings

CREATED = {"httpStatus": "Created", "httpStatusCode": 201, "status": "OK"}
OK = {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK"}
CONFLICT = {
    "httpStatus": "Conflict",
    "httpStatusCode": 409,
    "message": "One or more errors occurred, please see full details in import report.",
}


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: bytes
    content_type: str

    @property
    def json(self) -> object:
        return json.loads(self.body)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]


@dataclass
class Fake:
    """The server: `objects` by plural and UID. An object named `bad` is refused, one with `needed` cannot be deleted."""

    version: str = "2.42.5.2"
    objects: dict[str, dict[str, dict]] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)
    answers: dict[tuple[str, str], Response | list[Response]] = field(default_factory=dict)

    def client(self, **settings: object) -> Client:
        """A client of this server."""
        routes = [Route("/api/{path:path}", self._answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]
        where = ConnectionSettings("http://t", **settings)
        return Client(where, Basic("u", "p"), asgi_app=Starlette(routes=routes), retry=RetryRule(base=0.0))

    def of(self, method: str, path: str | None = None) -> list[Seen]:
        """The requests of a method, the one for the version apart."""
        return [
            seen
            for seen in self.requests
            if seen.method == method and path in {None, seen.path} and seen.path != "system/info"
        ]

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        body = await request.body()
        seen = Seen(
            request.method, path, request.query_params.multi_items(), body, request.headers.get("content-type", "")
        )
        self.requests.append(seen)
        planned = self.answers.get((request.method, path))
        if planned is not None:
            return (planned.pop(0) if len(planned) > 1 else planned[0]) if isinstance(planned, list) else planned
        return self._reads(seen) if seen.method == "GET" else self._writes(seen)

    def _reads(self, seen: Seen) -> Response:
        if seen.path == "system/info":
            return JSONResponse({"version": self.version, "calendar": "iso8601"})
        plural, _, uid = seen.path.partition("/")
        known = self.objects.get(plural)
        if known is None:
            return problem(404, f"No static resource api/{seen.path}.")
        if uid:
            found = known.get(uid)
            return JSONResponse(found) if found else missing(plural, uid)
        rows = list(known.values())
        for text in seen.values("filter"):
            rows = [row for row in rows if matches(row, text)]
        if "false" in seen.values("paging"):
            return JSONResponse({plural: rows})
        page, size = int((seen.values("page") or ["1"])[0]), int((seen.values("pageSize") or ["50"])[0])
        pager = {"page": page, "pageSize": size, "total": len(rows), "pageCount": -(-len(rows) // size)}
        return JSONResponse({"pager": pager, plural: rows[(page - 1) * size : page * size]})

    def _writes(self, seen: Seen) -> Response:
        if seen.path == "metadata":
            return self._bundle(seen)
        if seen.method == "PATCH" and seen.path.endswith("/sharing"):
            return self._sharing(seen)
        plural, uid, collection = (*seen.path.split("/"), "", "")[:3]
        known = self.objects.setdefault(plural, {})
        if seen.method == "POST" and not uid:
            row = seen.json
            if error := fault(row):
                return JSONResponse({**CONFLICT, "status": "ERROR", "response": report(row.get("id"), error)}, 409)
            row.setdefault("id", "GYHYHsiqG5L")
            known[row["id"]] = row
            location = {"Location": f"http://t/api/{plural}/{row['id']}"}
            return JSONResponse({**CREATED, "response": report(row["id"])}, 201, location)
        if uid not in known:
            return missing(plural, uid)
        if collection:
            return self._members(known[uid], collection, seen.json)
        if seen.method == "DELETE" and known[uid].get("needed"):
            error = {"message": "Object could not be deleted because it is associated", "errorCode": "E4030"}
            return JSONResponse({**CONFLICT, "status": "WARNING", "response": report(uid, error)}, 409)
        if seen.method == "DELETE":
            del known[uid]
        elif seen.method == "PUT":
            known[uid] = seen.json
        elif seen.content_type != "application/json-patch+json":
            return problem(415, "Content-Type 'application/json' is not supported")
        else:
            for operation in seen.json:
                if operation["op"] not in {"add", "replace", "remove", "remove-by-id"}:
                    return problem(500, f"Could not resolve type id '{operation['op']}'")
            known[uid] = jsonpatch.apply(seen.json, known[uid])
        return JSONResponse({**OK, "response": report(uid)})

    def _bundle(self, seen: Seen) -> Response:
        content = gzip.decompress(seen.body) if seen.body[:2] == b"\x1f\x8b" else seen.body
        rows = [
            (plural, index, row) for plural, found in json.loads(content).items() for index, row in enumerate(found)
        ]
        query = dict(seen.query)
        deleting = query.get("importStrategy") == "DELETE"
        faults = {}
        for plural, index, row in rows:
            there = row.get("id") in self.objects.get(plural, {})
            error = self._bundle_fault(row, query.get("importStrategy"), plural, there=there)
            if error:
                faults[plural, index] = (row, error)
        atomic = query.get("atomicMode") != "NONE"
        written = [] if faults and atomic else [row for row in rows if row[:2] not in faults]
        stats = {"created": 0, "updated": 0, "deleted": 0, "ignored": len(rows) - len(written), "total": len(rows)}
        for plural, _, row in written:
            known = self.objects.setdefault(plural, {})
            stats["deleted" if deleting else "updated" if row.get("id") in known else "created"] += 1
            if query.get("importMode") == "VALIDATE":
                continue
            if deleting:
                del known[row["id"]]
            else:
                known[row["id"]] = row
        reports = [
            {"klass": f"org.hisp.dhis.{plural}", "index": index, "uid": row.get("id"), "errorReports": [error]}
            for (plural, index), (row, error) in faults.items()
        ]
        status = "OK" if not faults else "WARNING" if written else "ERROR"
        response = {"status": status, "stats": stats, "typeReports": [{"objectReports": reports}]}
        envelope = {**CONFLICT, "status": "WARNING"} if faults else OK
        return JSONResponse({**envelope, "response": response}, 409 if faults else 200)

    def _bundle_fault(self, row: dict, strategy: str | None, plural: str, *, there: bool) -> dict | None:
        if strategy == "CREATE" and there:
            return {"message": "Found matching object for reference", "errorCode": "E5000"}
        if strategy in {"UPDATE", "DELETE"} and not there:
            return {"message": "No matching object for reference", "errorCode": "E5001"}
        if strategy == "DELETE":
            needed = self.objects[plural][row["id"]].get("needed")
            return {"message": "associated with another object", "errorCode": "E4030"} if needed else None
        return fault(row)

    def _members(self, row: dict, collection: str, body: dict) -> Response:
        members = row.setdefault(collection, [])
        known = self.objects.get(collection, {})
        added = [item for item in body["additions"] if item["id"] in known and item not in members]
        removed = [item for item in body["deletions"] if item in members]
        row[collection] = [item for item in members if item not in removed] + added
        total = len(added) + len(removed)
        stats = {"created": 0, "updated": len(added), "deleted": len(removed), "ignored": 0, "total": total}
        return JSONResponse({**OK, "response": {"status": "OK", "stats": stats, "responseType": "TypeReport"}})

    def _sharing(self, seen: Seen) -> Response:
        body, plural = seen.json, seen.path.partition("/")[0]
        each = body if plural == "metadata" else {plural: dict.fromkeys(body[plural], body["patch"])}
        reports, done = [], 0
        for kind, patches in each.items():
            for uid, patch in patches.items():
                row = self.objects.get(kind, {}).get(uid)
                if row is None:
                    error = {"message": f"No matching object for reference {uid}", "errorCode": "E4014"}
                    reports.append({"uid": uid, "errorReports": [error]})
                    continue
                row |= jsonpatch.apply(patch, row)
                done += 1
        stats = {"created": 0, "updated": done, "deleted": 0, "ignored": len(reports), "total": done + len(reports)}
        status = "WARNING" if reports else "OK"
        response = {"responseType": "ImportReport", "status": status, "stats": stats}
        response["typeReports"] = [{"objectReports": reports}]
        envelope = {**CONFLICT, "status": "WARNING"} if reports else OK
        return JSONResponse({**envelope, "response": response}, 409 if reports else 200)


def fault(row: dict) -> dict | None:
    """What is wrong with an object: those named `bad` have no value type."""
    if row.get("name") != "bad":
        return None
    return {"message": "Missing required property `valueType`", "errorCode": "E4000", "errorProperty": "valueType"}


def report(uid: str | None, *errors: dict) -> dict:
    return {"uid": uid, "klass": "org.hisp.dhis.X", "errorReports": list(errors), "responseType": "ObjectReport"}


def problem(status: int, message: str) -> Response:
    return JSONResponse({"httpStatusCode": status, "httpStatus": "x", "status": "ERROR", "message": message}, status)


def missing(plural: str, uid: str) -> Response:
    return problem(404, f"{plural} with id {uid} could not be found.")


def matches(row: dict, text: str) -> bool:
    path, operator, value = (*text.split(":", 2), "")[:3]
    found: object = row
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if operator == "in":
        return found in value.strip("[]").split(",")
    return found == value if operator == "eq" else bool(re.search(re.escape(value), str(found), re.I))
