"""`POST /api/tracker` and what goes with it: jobs and their reports, notes, ownership."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import generate_uid, is_uid
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.http.bodies import JSON, media_type, unpacked, unsupported_type, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.java.reader import complaint
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import Refused, missing_parameter, no_such_address, not_found, not_imitated
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.tracker.changes import audit, user_of
from dhis2sh.sandbox.tracker.export import wrong_type
from dhis2sh.sandbox.tracker.imports import importer
from dhis2sh.sandbox.tracker.imports.bundle import REPORT_MODES, Options
from dhis2sh.sandbox.tracker.imports.payload import BODY, NESTED, NOTE, Bean, Reader, unreadable
from dhis2sh.sandbox.tracker.ownership import grant, has_access
from dhis2sh.sandbox.tracker.query import UID_ERROR, enum, uid
from dhis2sh.sandbox.tracker.storage import Kind, Writer

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.types import JsonObject, JsonValue

_JOB = "TRACKER_IMPORT_JOB"


class Api:
    """The handlers. Those that read a body are coroutines that hand the work to a thread."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _read(self, bean: Bean, value: JsonValue) -> JsonObject:
        version = self.server.store.version
        return Reader(value, checks_uids=version.minor >= 42, nested=version.nested_complaints).read(bean)

    def import_(self, request: Request, raw: bytes) -> Response:
        """`POST /api/tracker`: JSON, or events as CSV; gzipped or zipped bodies are read too."""
        options = Options.of(request.query_params)
        payload = self._read(BODY, _payload(request, unpacked(raw), nested=self.server.store.version.nested_complaints))
        rights = self.server.rights(request)
        if not options.asynchronous:
            report = importer.run(self.server.tracker, rights, payload, options)
            return answer(report, 409 if report["status"] == "ERROR" else 200)

        def work(progress: Progress) -> JsonValue:
            for step in importer.STEPS[:2]:
                progress.note(step)
            report = importer.run(self.server.tracker, rights, payload, replace(options, report="FULL"), progress.note)
            progress.finish_with(importer.closing(report), level="ERROR" if report["status"] == "ERROR" else "INFO")
            return report

        typed = self.server.store.version.typed_responses
        config = self.server.jobs.submit(
            _JOB,
            user=rights.uid,
            parameters=options.parameters(),
            work=work,
            opening="Tracker import started",
            opening_data={**({} if typed else {"userId": rights.uid}), **options.parameters(nulls=True)},
        )
        job = config["id"]
        place = f"{base_of(request)}{'' if typed else '/api'}/tracker/jobs/{job}"
        response: JsonObject = {"id": job, "location": place}
        if typed:
            response["responseType"] = "TrackerJob"
        body: JsonObject = {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "message": "Tracker job added",
                            "response": response}  # fmt: skip
        return answer(body) if typed else answer(body, Location=place)

    def job(self, request: Request) -> Response:
        """`GET /api/tracker/jobs/{uid}`: its notifications, newest first."""
        self._demand_uid(request.path_params["uid"])
        found = self.server.jobs.notes(_JOB, request.path_params["uid"]).get(_JOB, {})
        return answer(cast("JsonValue", found.get(request.path_params["uid"], [])))

    def report(self, request: Request) -> Response:
        """`GET /api/tracker/jobs/{uid}/report`, with as much as `reportMode` asks for."""
        uid = request.path_params["uid"]
        self._demand_uid(uid)
        mode = enum(request.query_params, "reportMode", REPORT_MODES) or "ERRORS"
        found = self.server.jobs.summaries(_JOB, uid).get(uid)
        if not isinstance(found, dict):
            raise Refused(404, f"Summary for job {uid} does not exist", "E1005")
        return answer(importer.as_asked(found, mode))

    def _demand_uid(self, text: str) -> None:
        if not is_uid(text):
            raise Refused(400, f"{UID_ERROR}{text}")

    def note(self, request: Request, raw: bytes) -> Response:
        """`POST /api/tracker/{enrollments|events}/{uid}/note`, since 2.42."""
        if self.server.store.version.minor < 42:
            raise no_such_address(request.url.path)
        if media_type(request) not in {"", JSON}:
            raise unsupported_type(request)
        kind: Kind = "enrollment" if request.path_params["plural"] == "enrollments" else "event"
        owner = request.path_params["uid"]
        row = self.server.tracker.row(kind, owner)
        if row is None or row["deleted"]:
            raise not_found(kind.capitalize(), owner)
        note = self._read(NOTE, _json(raw))
        if not note.get("value"):
            raise Refused(400, "Value cannot be empty", "E1003")
        given = cast("str", note.get("note") or generate_uid())
        if self.server.tracker.rows("SELECT 1 FROM note WHERE uid = ?", (given,)):
            raise Refused(400, f"Note `{given}` already exists.", "E1003")

        user = self.server.user(request)
        stored_by = note.get("storedBy") or (user["username"] if self.server.store.version.stored_by else None)
        written: JsonObject = {"note": given, "value": note["value"], "storedAt": now(), "storedBy": stored_by,
                               "createdBy": user_of(user)}  # fmt: skip
        with self.server.store.writing() as connection:
            Writer(connection).note(owner, written)
        return answer({"note": given, "value": note["value"],
                       **({"storedBy": note["storedBy"]} if note.get("storedBy") else {})})  # fmt: skip

    def transfer(self, request: Request) -> Response:
        """`PUT /api/tracker/ownership/transfer`: another org unit becomes the owner."""
        minor = self.server.store.version.minor
        unit = self._unit(request.query_params, minor)
        entity, program = self._owned(request, minor)
        rights = self.server.rights(request)
        if not has_access(self.server.tracker, rights, entity, program):
            raise not_imitated("a transfer by somebody who has no access to the tracked entity")
        if self.server.store.get("organisationUnits", unit) is None:
            if minor > 42:
                raise Refused(404, "Tracked entity not transferred. Org unit supplied does not exist.", "E1005")
            return answer(_done("Ownership transferred"))  # says so, and leaves the owner alone
        if not rights.superuser and not rights.in_scope(unit, "teiSearchOrganisationUnits"):
            raise Refused(403, "User does not have access to the new owner org unit", "E1006")
        with self.server.store.writing() as connection:
            Writer(connection).owner(entity, cast("str", program["id"]), unit)
        return answer(_done("Ownership transferred"))

    def _unit(self, query: QueryParams, minor: int) -> str:
        """The org unit of a transfer: `orgUnit`, which 2.41 does not know yet, or until 2.42 `ou`."""
        found = (uid(query, "orgUnit") if minor > 41 else None) or (uid(query, "ou") if minor < 43 else None)
        if found:
            return found
        if minor == 42:
            raise Refused(400, "Required request parameter 'orgUnit' is not present", "E1003")
        raise missing_parameter("ou" if minor < 42 else "orgUnit")

    def override(self, request: Request) -> Response:
        """`POST /api/tracker/ownership/override`: break the glass, with a reason."""
        reason = request.query_params.get("reason")
        if not reason:
            raise missing_parameter("reason")
        entity, program = self._owned(request, self.server.store.version.minor)
        if program.get("accessLevel") != "PROTECTED":
            raise Refused(403, "Temporary ownership can only be granted for protected programs", "E1006")
        user = self.server.user(request)
        audit(self.server.tracker, entity, user, "READ")
        grant(self.server.tracker, entity, cast("str", program["id"]), cast("str", user["id"]), reason)
        return answer(_done("Temporary Ownership granted"))

    def _owned(self, request: Request, minor: int) -> tuple[str, JsonObject]:
        """The tracked entity and the program of a request; older names are understood."""
        query = request.query_params
        entity = uid(query, "trackedEntity") or uid(query, "trackedEntityInstance")
        program = uid(query, "program")
        if not entity or not program:
            name = "trackedEntity" if not entity else "program"
            raise Refused(400, f"Required request parameter '{name}' is not present", "E1003")
        row = self.server.tracker.row("trackedEntity", entity)
        if row is None or row["deleted"]:
            raise not_found("TrackedEntity", entity)
        body = self.server.store.get("programs", program)
        if body is None:
            raise not_found("Program", program)
        if cast("JsonObject", body.get("trackedEntityType") or {}).get("id") != row["tracked_entity_type"]:
            raise not_found("Program", program) if minor > 42 else wrong_type()
        return entity, body


def _done(message: str) -> JsonObject:
    return {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "message": message}


def _json(raw: bytes, *, nested: bool = False) -> JsonValue:
    """A body's JSON. Raises `Refused` as this controller words it: 400, without a code; `nested`: twice, as up to 2.41."""
    if raw.lstrip()[:1] == b"[":
        return []  # refused at its first sign, whatever comes then
    try:
        return cast("JsonValue", orjson.loads(raw) if raw.strip() else {})
    except orjson.JSONDecodeError as error:
        problem, _, place = complaint(error.doc, error.pos).partition("\n")
        where = f"{NESTED} com.fasterxml.jackson.core.JsonParseException: {problem}\n{place}" if nested else ""
        raise unreadable(f"{problem}{where}") from None


def _payload(request: Request, raw: bytes, *, nested: bool) -> JsonValue:
    kind = request.headers.get("content-type", "")
    if "csv" in kind:
        return {
            "events": cast(
                "list[JsonValue]", events_of(raw.decode(), skip=request.query_params.get("skipFirst") == "true")
            )
        }
    return _json(raw, nested=nested)


_COLUMNS = ("event", "status", "program", "programStage", "enrollment", "orgUnit", "occurredAt", "scheduledAt", "geometry",
            "latitude", "longitude", "followUp", "deleted", "createdAt", "createdAtClient", "updatedAt",
            "updatedAtClient", "completedBy", "completedAt", "updatedBy", "attributeOptionCombo",
            "attributeCategoryOptions", "assignedUser", "dataElement", "value", "storedBy", "providedElsewhere")  # fmt: skip
_KEPT = ("status", "program", "programStage", "enrollment", "orgUnit", "occurredAt", "scheduledAt", "completedAt",
         "attributeOptionCombo", "attributeCategoryOptions")  # fmt: skip


def events_of(text: str, *, skip: bool) -> list[JsonObject]:
    """Events out of CSV rows, one for each data value, by the columns' places."""
    events: dict[str, JsonObject] = {}
    for number, row in enumerate(csv.reader(io.StringIO(text))):
        if not row or (skip and number == 0):
            continue
        cells = dict(zip(_COLUMNS, row, strict=False))
        key = cells.get("event") or generate_uid()
        event = events.setdefault(
            key, {"event": key, **{name: cells[name] for name in _KEPT if cells.get(name)}, "dataValues": []}
        )
        if cells.get("dataElement"):
            value: JsonObject = {"dataElement": cells["dataElement"], "value": cells.get("value"),
                                 "providedElsewhere": cells.get("providedElsewhere") == "true"}  # fmt: skip
            cast("list[JsonObject]", event["dataValues"]).append(value)
    return list(events.values())


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/tracker", with_body(api.import_), methods=["POST"]),
        Route("/api/tracker/jobs/{uid}", api.job),
        Route("/api/tracker/jobs/{uid}/report", api.report),
        Route("/api/tracker/{plural:tracker}/{uid:uid}/note", with_body(api.note), methods=["POST"]),
        Route("/api/tracker/ownership/transfer", api.transfer, methods=["PUT"]),
        Route("/api/tracker/ownership/override", api.override, methods=["POST"]),
    ]
