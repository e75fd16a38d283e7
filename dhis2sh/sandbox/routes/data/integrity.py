"""`/api/dataIntegrity`: the list of checks, running them, and what they found (api-facts h.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import parse_texts, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.integrity.service import Integrity, Kind, chosen, described, known
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import unreadable_value
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.integrity = Integrity(server.store)
        server.jobs.register("DATA_INTEGRITY", self._summary_job)
        server.jobs.register("DATA_INTEGRITY_DETAILS", self._details_job)

    def _summary_job(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        return self._job("details" if parameters.get("type") == "DETAILS" else "summary", parameters, progress)

    def _details_job(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        return self._job("details", parameters, progress)

    def _job(self, kind: Kind, parameters: JsonObject, progress: Progress) -> JsonValue:
        self.integrity.run(kind, chosen(cast("list[str]", parameters.get("checks") or []), everything=False), progress)
        return None

    def list_(self, request: Request) -> Response:
        """`GET /api/dataIntegrity`: the checks there are; `checks`, `section`, `slow` and `programmatic` choose."""
        query = request.query_params
        names = set(chosen(_names(request), everything=True))
        averages = self.integrity.averages()
        rows = [row for name, row in known().items() if name in names]
        section = query.get("section")
        if section:
            rows = [row for row in rows if row["section"] == section]
        for parameter, name in (("slow", "isSlow"), ("programmatic", "isProgrammatic")):
            wanted = query.get(parameter)
            if wanted:
                rows = [row for row in rows if bool(row.get(name)) == (wanted == "true")]
        return answer([described(row, averages.get(str(row["name"]))) for row in rows])

    def run_summary(self, request: Request, raw: bytes) -> Response:
        """`POST /api/dataIntegrity/summary`."""
        return self._start(request, raw, "summary", "summary")

    def run_details(self, request: Request, raw: bytes) -> Response:
        """`POST /api/dataIntegrity/details`."""
        return self._start(request, raw, "details", "details")

    def run(self, request: Request, raw: bytes) -> Response:
        """`POST /api/dataIntegrity`: a summary whose `Location` says details, as on a server."""
        return self._start(request, raw, "summary", "details")

    def _start(self, request: Request, raw: bytes, kind: Kind, place: Kind) -> Response:
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        names = _names(request)
        if not names and raw.strip().startswith(b"["):
            names = parse_texts(raw)
        checks: JsonObject = {"checks": [*names]}
        job_type = "DATA_INTEGRITY" if kind == "summary" else "DATA_INTEGRITY_DETAILS"
        parameters: JsonObject = {"type": "SUMMARY", **checks} if kind == "summary" else checks
        user = self.server.rights(request).uid
        self.integrity.expect(kind, chosen(names, everything=False))
        config = self.server.jobs.submit(job_type, user=user, parameters=parameters)
        return self.server.initiated(request, config, f"/api/dataIntegrity/{place}?checks={','.join(names)}")

    def summary(self, request: Request) -> Response:
        """`GET /api/dataIntegrity/summary`: what has finished."""
        return self._report(request, "summary")

    def details(self, request: Request) -> Response:
        """`GET /api/dataIntegrity/details`."""
        return self._report(request, "details")

    def _report(self, request: Request, kind: Kind) -> Response:
        check = request.path_params.get("check")
        names = chosen([check], everything=True) if check else chosen(_names(request), everything=True)
        milliseconds = request.query_params.get("timeout") or "0"
        if not milliseconds.lstrip("-").isdigit():
            raise unreadable_value(milliseconds, "timeout", "long")
        self.integrity.wait(kind, names, max(0, int(milliseconds)) / 1000)
        found = self.integrity.report(kind, names)
        if check is None:
            return answer(found)
        return answer(found[names[0]]) if names and names[0] in found else Response(status_code=200)

    def running(self, request: Request) -> Response:
        """`GET /api/dataIntegrity/{summary|details}/running`."""
        return answer(cast("JsonValue", sorted(self.integrity.running[_kind(request)])))

    def completed(self, request: Request) -> Response:
        """`GET /api/dataIntegrity/{summary|details}/completed`."""
        return answer(cast("JsonValue", sorted(self.integrity.results[_kind(request)])))

    def metrics(self, request: Request) -> Response:
        """`GET /api/dataIntegrity/metrics`: counts for Prometheus."""
        lines = ["# TYPE dhis_data_integrity_issues_count_total gauge"]
        rows = known()
        for name, result in self.integrity.results["summary"].items():
            row = rows[name]
            labels = f'check="{name}",object_type="{row.get("issuesIdType")}",severity="{row["severity"]}"'
            lines.append(f"dhis_data_integrity_issues_count_total{{{labels}}} {len(result.issues)}")
        return Response("\n".join(lines) + "\n", media_type="text/plain;charset=UTF-8")


def _names(request: Request) -> list[str]:
    return [part for text in request.query_params.getlist("checks") for part in text.split(",") if part]


def _kind(request: Request) -> Kind:
    return "summary" if "/summary/" in request.url.path else "details"


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    base = "/api/dataIntegrity"
    found = [
        Route(base, api.list_),
        Route(base, with_body(api.run), methods=["POST"]),
        Route(base + "/summary", api.summary),
        Route(base + "/summary", with_body(api.run_summary), methods=["POST"]),
        Route(base + "/details", api.details),
        Route(base + "/details", with_body(api.run_details), methods=["POST"]),
        Route(base + "/metrics", api.metrics),
    ]
    for kind, read in (("summary", api.summary), ("details", api.details)):
        found += [
            Route(f"{base}/{kind}/running", api.running),
            Route(f"{base}/{kind}/completed", api.completed),
            Route(f"{base}/{{check}}/{kind}", read),
        ]
    return found
