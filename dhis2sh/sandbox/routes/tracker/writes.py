"""`POST /api/tracker` and what goes with it: jobs and their reports, notes, ownership."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.http.bodies import unpacked, with_body
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.java.reader import complaint
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import Refused, not_found
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.tracker import importer
from dhis2sh.sandbox.tracker.bundle import Options
from dhis2sh.sandbox.tracker.changes import audit, user_of
from dhis2sh.sandbox.tracker.payload import BODY, NOTE, Bean, Reader, unreadable
from dhis2sh.sandbox.tracker.query import uid
from dhis2sh.sandbox.tracker.storage import Kind, Writer

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_JOB = "TRACKER_IMPORT_JOB"


class Api:
    """The handlers. Those that read a body are coroutines that hand the work to a thread."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _read(self, bean: Bean, value: JsonValue) -> JsonObject:
        return Reader(value, checks_uids=self.server.store.version.minor >= 42).read(bean)

    def import_(self, request: Request, raw: bytes) -> Response:
        """`POST /api/tracker`: JSON, or events as CSV; gzipped or zipped bodies are read too."""
        options = Options.of(request.query_params)
        payload = self._read(BODY, _payload(request, unpacked(raw)))
        rights = self.server.rights(request)
        if not options.asynchronous:
            report = importer.run(self.server.tracker, rights, payload, options)
            return answer(report, 409 if report["status"] == "ERROR" else 200)

        def work(progress: Progress) -> JsonValue:
            for step in importer.STEPS[:2]:
                progress.note(step)
            report = importer.run(self.server.tracker, rights, payload, options, progress.note)
            progress.finish_with(importer.closing(report))
            return report

        config = self.server.jobs.submit(
            _JOB,
            user=rights.uid,
            parameters=options.parameters(),
            work=work,
            opening="Tracker import started",
            opening_data=options.parameters(nulls=True),
        )
        job = config["id"]
        typed = self.server.store.version.typed_responses
        place = f"{base_of(request)}{'' if typed else '/api'}/tracker/jobs/{job}"
        response: JsonObject = {"id": job, "location": place}
        if typed:
            response["responseType"] = "TrackerJob"
        return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "message": "Tracker job added",
                       "response": response})  # fmt: skip

    def job(self, request: Request) -> Response:
        """`GET /api/tracker/jobs/{uid}`: its notifications, newest first."""
        found = self.server.jobs.notes(_JOB, request.path_params["uid"]).get(_JOB, {})
        return answer(cast("JsonValue", found.get(request.path_params["uid"], [])))

    def report(self, request: Request) -> Response:
        """`GET /api/tracker/jobs/{uid}/report`."""
        uid = request.path_params["uid"]
        found = self.server.jobs.summaries(_JOB, uid).get(uid)
        if found is None:
            raise Refused(404, f"Summary for job {uid} does not exist", "E1005")
        return answer(found)

    def note(self, request: Request, raw: bytes) -> Response:
        """`POST /api/tracker/{enrollments|events}/{uid}/note`."""
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
        stored_by = user["username"] if self.server.store.version.minor > 42 else note.get("storedBy")
        written: JsonObject = {"note": given, "value": note["value"], "storedAt": now(), "storedBy": stored_by,
                               "createdBy": user_of(user)}  # fmt: skip
        with self.server.store.writing() as connection:
            Writer(connection).note(owner, written)
        return answer({"note": given, "value": note["value"],
                       **({"storedBy": note["storedBy"]} if note.get("storedBy") else {})})  # fmt: skip

    def transfer(self, request: Request) -> Response:
        """`PUT /api/tracker/ownership/transfer`: another org unit becomes the owner."""
        entity, program, unit = self._owned(request, "orgUnit", "ou")
        rights = self.server.rights(request)
        if not rights.superuser and not rights.in_scope(unit, "teiSearchOrganisationUnits"):
            raise Refused(403, "User does not have access to the new owner org unit", "E1006")
        with self.server.store.writing() as connection:
            Writer(connection).owner(entity, program, unit)
        return answer(_done("Ownership transferred"))

    def override(self, request: Request) -> Response:
        """`POST /api/tracker/ownership/override`: break the glass, with a reason."""
        entity, program, _ = self._owned(request)
        body = self.server.store.get("programs", program) or {}
        if body.get("accessLevel") != "PROTECTED":
            raise Refused(403, "Temporary ownership can only be granted for protected programs", "E1006")
        if not request.query_params.get("reason"):
            raise Refused(400, "Required request parameter 'reason' for method parameter type String is not present")
        audit(self.server.tracker, entity, self.server.user(request), "READ")
        return answer(_done("Temporary Ownership granted"))

    def _owned(self, request: Request, *unit_names: str) -> tuple[str, str, str]:
        """The tracked entity, program and org unit of a request; older names are understood."""
        query = request.query_params
        entity = uid(query, "trackedEntity") or uid(query, "trackedEntityInstance")
        program = uid(query, "program")
        unit = next((uid(query, name) for name in unit_names if query.get(name)), None)
        missing = "trackedEntity" if not entity else "program" if not program else ""
        if missing or (unit_names and not unit):
            name = missing or unit_names[0]
            raise Refused(400, f"Required request parameter '{name}' for method parameter type UID is not present")
        row = self.server.tracker.row("trackedEntity", entity or "")
        if row is None or row["deleted"]:
            raise not_found("TrackedEntity", str(entity))
        for plural, name, found in (("programs", "Program", program), ("organisationUnits", "OrganisationUnit", unit)):
            if found and self.server.store.get(plural, found) is None:
                raise not_found(name, found)
        return entity or "", program or "", unit or ""


def _done(message: str) -> JsonObject:
    return {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "message": message}


def _json(raw: bytes) -> JsonValue:
    """A body's JSON. Raises `Refused` as this controller words it: 400, without a code."""
    if raw.lstrip()[:1] == b"[":
        return []  # refused at its first sign, whatever comes then
    try:
        return cast("JsonValue", orjson.loads(raw) if raw.strip() else {})
    except orjson.JSONDecodeError as error:
        raise unreadable(complaint(error.doc, error.pos).splitlines()[0]) from None


def _payload(request: Request, raw: bytes) -> JsonValue:
    kind = request.headers.get("content-type", "")
    if "csv" in kind:
        return {
            "events": cast(
                "list[JsonValue]", events_of(raw.decode(), skip=request.query_params.get("skipFirst") == "true")
            )
        }
    return _json(raw)


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
