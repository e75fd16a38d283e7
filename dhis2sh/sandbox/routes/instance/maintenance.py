"""`/api/maintenance` and the resource tables: each operation does here what it does on a server, as far as there is something."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.analytics.build import clear as clear_analytics
from dhis2sh.sandbox.analytics.build import lasted, views_kept
from dhis2sh.sandbox.http.answers import answer, done, empty
from dhis2sh.sandbox.http.bodies import with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.defaults import job_parameters
from dhis2sh.sandbox.importer.derived import missing_option_combos
from dhis2sh.sandbox.instance.settings import Settings
from dhis2sh.sandbox.instance.sqlviews import build_resource_tables
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import Refused, no_such_address
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


def _remove(*statements: str) -> Callable[[Store], None]:
    """An operation that is some SQL."""

    def run(store: Store) -> None:
        with store.writing() as connection:
            for statement in statements:
                connection.execute(statement)

    return run


def _paths(store: Store) -> None:
    """Work out every org unit's path and level again from its parents."""
    units = store.objects("organisationUnits")
    changed: list[JsonObject] = []
    for uid, unit in units.items():
        parts, current = [uid], unit
        while (parent := cast("JsonObject | None", current.get("parent"))) and str(parent["id"]) in units:
            current = units[str(parent["id"])]
            if current["id"] in parts:
                break
            parts.append(cast("str", current["id"]))
        path = "/" + "/".join(reversed(parts))
        if unit.get("path") != path:
            changed.append({**unit, "path": path, "level": len(parts)})
    store.put_objects({"organisationUnits": changed})


def _option_combos(store: Store, only: str | None = None) -> int:
    """Make the option combos that category combos lack. Returns how many."""
    made: list[JsonObject] = []
    for uid, combo in store.objects("categoryCombos").items():
        if only in {None, uid}:
            keys = store.inverse("categoryOptionCombos", "categoryCombo").get(uid, [])
            existing = [body for key in keys if (body := store.get("categoryOptionCombos", key)) is not None]
            made += missing_option_combos(store.get, existing, combo)
    store.put_objects({"categoryOptionCombos": made})
    return len(made)


def _zero_values(store: Store) -> None:
    """Remove zeros of data elements for which zero says nothing."""
    with store.writing() as connection:
        for uid, element in store.objects("dataElements").items():
            if not element.get("zeroIsSignificant"):
                connection.execute("DELETE FROM data_value WHERE data_element = ? AND value IN ('0', '0.0')", (uid,))


def _nothing(store: Store) -> None:
    """What the sandbox has no need of: periods are not stored, caches know by themselves when they are old."""


_VALUES = "DELETE FROM event_value WHERE event NOT IN (SELECT uid FROM event)"
_NOTES = "DELETE FROM note WHERE owner NOT IN (SELECT uid FROM event UNION SELECT uid FROM enrollment)"
OPERATIONS: Mapping[str, Callable[[Store], object]] = {
    "analyticsTablesClear": clear_analytics,
    "analyticsTablesAnalyze": _remove("ANALYZE"),
    "expiredInvitationsClear": _nothing,
    "ouPathsUpdate": _paths,
    "periodPruning": _nothing,
    "zeroDataValueRemoval": _zero_values,
    "softDeletedDataValueRemoval": _remove("DELETE FROM data_value WHERE deleted"),
    "softDeletedEventRemoval": _remove("DELETE FROM event WHERE deleted", _VALUES, _NOTES),
    "softDeletedRelationshipRemoval": _remove("DELETE FROM relationship WHERE deleted"),
    "softDeletedEnrollmentRemoval": _remove(
        "DELETE FROM event WHERE enrollment IN (SELECT uid FROM enrollment WHERE deleted)",
        "DELETE FROM enrollment WHERE deleted", _VALUES, _NOTES,
    ),
    "softDeletedTrackedEntityRemoval": _remove(
        "DELETE FROM event WHERE tracked_entity IN (SELECT uid FROM tracked_entity WHERE deleted)",
        "DELETE FROM enrollment WHERE tracked_entity IN (SELECT uid FROM tracked_entity WHERE deleted)",
        "DELETE FROM attribute_value WHERE tracked_entity IN (SELECT uid FROM tracked_entity WHERE deleted)",
        "DELETE FROM program_owner WHERE tracked_entity IN (SELECT uid FROM tracked_entity WHERE deleted)",
        "DELETE FROM tracked_entity WHERE deleted", _VALUES, _NOTES,
    ),
    "sqlViewsCreate": _nothing,
    "sqlViewsDrop": _nothing,
    "categoryOptionComboUpdate": _option_combos,
    "cacheClear": _nothing,
    "cache": _nothing,
}  # fmt: skip
"""Operations by name; what is done as well by the flag form `POST /api/maintenance?name=true`."""
_PRUNED = (
    "data_value", "data_value_audit", "completeness", "lock_exception", "min_max", "approval", "approval_audit",
)  # fmt: skip


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        server.jobs.register("RESOURCE_TABLE", self._build, opening="Generating resource tables")
        server.jobs.register("HOUSEKEEPING", self._housekeeping)
        server.jobs.register("TEST", _test, opening="Test job")

    def one(self, request: Request, raw: bytes) -> Response:
        """`POST` or `PUT /api/maintenance/{operation}`."""
        operation = OPERATIONS.get(request.path_params["operation"])
        if operation is None:
            raise no_such_address(request.url.path)
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        operation(self.server.store)
        return self._ended()

    def flags(self, request: Request, raw: bytes) -> Response:
        """`POST /api/maintenance?name=true`: unknown names are passed over."""
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        for name, value in request.query_params.items():
            if value.lower() == "true" and name in OPERATIONS:
                OPERATIONS[name](self.server.store)
        return self._ended()

    def _ended(self) -> Response:
        """Nothing to say, which 2.43 says in a message."""
        return done() if self.server.store.version.maintenance_says_done else empty()

    def option_combos(self, request: Request, raw: bytes) -> Response:
        """`POST /api/maintenance/categoryOptionComboUpdate/categoryCombo/{uid}`."""
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        uid = request.path_params["uid"]
        if self.server.store.get("categoryCombos", uid) is None:
            raise Refused(409, f"CategoryCombo does not exist: {uid}")
        made = _option_combos(self.server.store, uid)
        counts: JsonObject = {"status": "SUCCESS", "imported": made, "updated": 0, "deleted": 0, "ignored": 0,
                              "importSummaries": [], "total": made, "responseType": "ImportSummaries"}  # fmt: skip
        return answer(
            {
                "httpStatus": "OK",
                "httpStatusCode": 200,
                "status": "OK",
                "message": "Import was successful.",
                "response": counts,
            }
        )

    def prune(self, request: Request, raw: bytes) -> Response:
        """`POST /api/maintenance/dataPruning/{organisationUnits|dataElements}/{uid}`: data go for good."""
        self.server.demand(request, "ALL")
        plural, uid = request.path_params["plural"], request.path_params["uid"]
        if plural not in {"organisationUnits", "dataElements"}:
            raise no_such_address(request.url.path)
        if self.server.store.get(plural, uid) is None:
            name = "Organisation unit" if plural == "organisationUnits" else "Data element"
            raise Refused(409, f"{name} does not exist: {uid}")
        column = "org_unit" if plural == "organisationUnits" else "data_element"
        with self.server.store.writing() as connection:
            for table in _PRUNED:
                if any(row[1] == column for row in connection.execute(f"PRAGMA table_info({table})").fetchall()):
                    connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (uid,))
        return done("Data was pruned successfully")

    def reload_apps(self, request: Request) -> Response:
        """`GET /api/maintenance/appReload`."""
        return done("Apps reloaded")

    def resource_tables(self, request: Request, raw: bytes) -> Response:
        """`POST /api/resourceTables`: build them in a job."""
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        config = self.server.jobs.submit("RESOURCE_TABLE", user=self.server.rights(request).uid)
        return self.server.initiated(request, config)

    def monitoring(self, request: Request, raw: bytes) -> Response:
        """`POST /api/resourceTables/monitoring`: validation rules in a job."""
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        user, parameters = self.server.rights(request).uid, job_parameters("MONITORING", None)
        config = self.server.jobs.submit("MONITORING", user=user, parameters=parameters)
        return self.server.initiated(request, config)

    def _build(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        began = time.perf_counter()
        views = views_kept(self.server.store)
        progress.counted("Drop SQL views", views)
        build_resource_tables(self.server.store)
        progress.counted("Generating resource tables", 1)
        progress.counted("Create SQL views", views)
        Settings(self.server.store).set("keyLastSuccessfulResourceTablesUpdate", now())
        progress.finish_with(f"Resource tables generated: {lasted(time.perf_counter() - began)}")
        return None

    def _housekeeping(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        """Finished one-time jobs go after `jobsCleanupAfterMinutes`."""
        store = self.server.store
        minutes = cast("int", Settings(store).get("jobsCleanupAfterMinutes") or 1440)
        limit = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000")
        gone = [
            uid
            for uid, config in store.objects("jobConfigurations").items()
            if config.get("schedulingType") == "ONCE_ASAP" and str(config.get("lastFinished") or "9") < limit
        ]
        store.delete_objects("jobConfigurations", gone)
        return None


def _test(parameters: JsonObject, progress: Progress) -> JsonValue:
    """The server's own test job: stages of items that take their time, and fail where they are told to."""
    stages, each = cast("int", parameters.get("stages") or 3), cast("int", parameters.get("items") or 5)
    if wait := cast("int", parameters.get("waitMillis") or 0):
        progress.note(f"Waiting for {wait}ms", items=0)
        progress.cancelled.wait(wait / 1000)
        progress.stages[-1].summary = f"waited for {wait}ms"
    pause = cast("int", parameters.get("itemDuration") or 0) / 1000
    fail_stage, fail_item = parameters.get("failAtStage"), parameters.get("failAtItem")
    for stage in range(stages):
        progress.note(f"Stage {stage + 1}", items=each)
        for item in range(each):
            began = now()
            if progress.cancelled.wait(pause):
                progress.note("cancelled")
            progress.stages[-1].done.append((began, now()))
            if fail_stage == stage and fail_item in (None, item):
                raise RuntimeError(str(parameters.get("failWithMessage") or "Simulated error"))
    return None


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    both = ["POST", "PUT"]
    return [
        Route("/api/maintenance", with_body(api.flags), methods=both),
        Route("/api/maintenance/appReload", api.reload_apps, methods=["GET", "POST", "PUT"]),
        Route(
            "/api/maintenance/categoryOptionComboUpdate/categoryCombo/{uid:uid}",
            with_body(api.option_combos),
            methods=both,
        ),
        Route("/api/maintenance/dataPruning/{plural}/{uid:uid}", with_body(api.prune), methods=both),
        Route("/api/maintenance/{operation}", with_body(api.one), methods=both),
        Route("/api/resourceTables", with_body(api.resource_tables), methods=both),
        Route("/api/resourceTables/monitoring", with_body(api.monitoring), methods=both),
    ]
