"""`/api/metadata`: export and import of many types at once (api-facts b)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import JSON, media_type, read_json, unpacked, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.bundle import ImportOptions, import_options
from dhis2sh.sandbox.importer.csv import CLASSES, bundle_of, units_of_gml
from dhis2sh.sandbox.importer.pipeline import Importer
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.java.reader import UNKNOWN, no_object
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.listing import matching
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.metadata.answers import import_answer
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.importer.report import ImportReport
    from dhis2sh.sandbox.jobs.service import Progress
    from dhis2sh.types import JsonObject, JsonValue

CSV = {"application/csv", "text/csv"}
GZIP, ZIP = "application/gzip", "application/zip"


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def export(self, request: Request) -> Response:
        """`GET /api/metadata`: types by `<plural>=true`, with fields and filters for each, or everything."""
        query = request.query_params
        chosen = [
            name for name in self.server.store.resources if query.get(name) == "true" or f"{name}:fields" in query
        ]
        resources = self.server.store.resources  # of which `/api/schemas` calls some no metadata: files, messages, ...
        plurals = chosen or [
            name for name, count in self.server.store.counts().items() if count and resources[name].metadata
        ]
        renderer = self.server.renderer(request)
        body: JsonObject = {
            "system": {"id": self.server.store.fact("systemId"), "rev": "sandbox", "version": self.server.version,
                       "date": f"{now()}+0000"}
        }  # fmt: skip
        for plural in plurals:
            resource = self.server.store.resources[plural]
            own = [("filter", value) for value in [*query.getlist("filter"), *query.getlist(f"{plural}:filter")]]
            try:
                found = matching(
                    self.server.store,
                    resource,
                    type(query)([*own, ("order", query.get(f"{plural}:order", ""))]),
                    renderer,
                )
            except Refused as no:
                raise Refused(409, no.message) if no.code == "E1003" else no from None
            tree = parse_fields(query.get(f"{plural}:fields") or query.get("fields") or ":owner")
            body[plural] = cast("JsonValue", [renderer.show(resource, item, tree) for item in found])
        return answer(body)

    # Import ------------------------------------------------------------------------------------------------------------

    def import_(self, request: Request, raw: bytes) -> Response:
        """`POST /api/metadata`."""
        if media_type(request) in CSV:
            return self.import_csv(request, raw)
        body = read_json(request, raw, JSON, GZIP, ZIP, "application/octet-stream")
        return self._run(request, self._bundle(body if isinstance(body, dict) else {}))  # a list is taken for nothing

    def import_csv(self, request: Request, raw: bytes) -> Response:
        """`POST /api/metadata?classKey=` with CSV."""
        query = request.query_params
        key = query.get("classKey", "")
        if key not in CLASSES:
            raise Refused(409, f"Cannot find Csv import class:  {key or None}")
        try:
            header = query.get("firstRowIsHeader", "true").lower() == "true"
            return self._run(request, bundle_of(self.server.store, unpacked(raw), key, header=header))
        except UnicodeDecodeError as error:
            raise Refused(409, str(error)) from None

    def import_gml(self, request: Request, raw: bytes) -> Response:
        """`POST /api/metadata/gml`: geometries of organisation units that are there."""
        return self._run(request, units_of_gml(self.server.store, unpacked(raw)))

    def csv_classes(self, request: Request) -> Response:
        """`GET /api/metadata/csvImportClasses`."""
        return answer([*CLASSES])

    def _bundle(self, body: JsonObject) -> dict[str, list[JsonObject]]:
        """The lists of objects in a body; whatever else is in it is ignored. Raises `Refused` for what can be no object."""
        store = self.server.store
        found: dict[str, list[JsonObject]] = {}
        for plural, rows in body.items():
            if not isinstance(rows, list):
                continue
            found[plural] = [row for row in rows if isinstance(row, dict)]
            other = next((row for row in rows if row is not None and not isinstance(row, dict)), None)
            resource = store.resources.get(plural)
            if other is not None and resource is not None and resource.endpoint is not None:
                raise Refused(store.version.unreadable, f"{no_object(resource.klass, other)}\n at {UNKNOWN}")
        return found

    def _run(self, request: Request, bundle: dict[str, list[JsonObject]]) -> Response:
        """Import a bundle, as a job where the request says so."""
        query = request.query_params
        options = import_options(query)
        if (
            options.identifier == "CODE"
            and bundle.get("dataElements")
            and not self.server.store.version.imports_by_code
        ):
            method = "org.hisp.dhis.dataelement.DataElement.getValueType()"
            raise Refused(500, f'Cannot invoke "{method}" because "dePreheat" is null')
        importer = Importer(self.server.store, self.server.user(request))
        if query.get("async", "").lower() == "true":
            return self._later(request, importer, bundle, options)
        return import_answer(importer.run(bundle, options))

    def _later(
        self, request: Request, importer: Importer, bundle: dict[str, list[JsonObject]], options: ImportOptions
    ) -> Response:
        """An import as a job: the answer says where to watch it."""
        parameters = _parameters(request.query_params, options)

        user = self.server.user(request)

        def work(progress: Progress) -> JsonValue:
            for words in _BEGINS:
                progress.note(words)
            report: ImportReport = importer.run(bundle, options)
            if options.commit and not (options.atomic and report.status == "ERROR"):
                _say_written(progress, report, str(user.get("username")))
            counts = report.stats
            progress.finish_with(
                f"Import complete with status {report.status}, {counts.created} created, {counts.updated} updated, "
                f"{counts.deleted} deleted, {counts.ignored} ignored",
                level="ERROR" if report.status == "ERROR" else "INFO",
            )
            return {"importParams": parameters, **report.json()}

        config = self.server.jobs.submit(
            "METADATA_IMPORT",
            user=cast("str", user["id"]),
            parameters=parameters,
            work=work,
            opening="Metadata import started",
            opening_data={"user": None, **parameters, "filename": None, "csvImportClass": None},
        )
        return self.server.initiated(request, config)


_BEGINS = ("Loading file resource", "Loading file content", "Running preCreateBundle", "Creating bundle",
           "Running postCreateBundle", "Validating bundle")  # fmt: skip
"""What an import says before it writes."""


def _say_written(progress: Progress, report: ImportReport, username: str) -> None:
    """What an import says of each type that it writes."""
    for part in report.types:
        model = part.klass.rpartition(".")[2]
        for count, word, doing in (
            (part.stats.created, "Create", "Creating"),
            (part.stats.updated, "Update", "Updating"),
            (part.stats.deleted, "Delete", "Deleting"),
        ):
            if count:
                progress.counted(f"Running pre{word} {model} bundle hooks", count)
                progress.counted(f"{doing} {count} {model} object(s) as {username}", count)
                progress.counted(f"Running post{word} {model} bundle hooks", count)


def _parameters(query: QueryParams, options: ImportOptions) -> JsonObject:
    """The parameters of an import as its job shows them."""
    return {
        "importMode": "COMMIT" if options.commit else "VALIDATE", "identifier": options.identifier,
        "preheatMode": "REFERENCE", "importStrategy": options.strategy,
        "atomicMode": "ALL" if options.atomic else "NONE", "flushMode": query.get("flushMode", "AUTO"),
        "importReportMode": options.report_mode, "skipSharing": options.skip_sharing,
        "skipTranslation": options.skip_translation, "skipValidation": options.skip_validation,
        "metadataSyncImport": False, "async": True, "firstRowIsHeader": True,
    }  # fmt: skip


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/metadata", with_body(api.import_), methods=["POST"]),
        Route("/api/metadata/gml", with_body(api.import_gml), methods=["POST"]),
        Route("/api/metadata/csvImportClasses", api.csv_classes),
        Route("/api/metadata", api.export),
        Route("/api/metadata.json", api.export),
    ]
