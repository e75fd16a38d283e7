"""Jobs over HTTP: tasks, job configurations, the scheduler and its queues (api-facts h.1, h.2)."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.facts import fact_of
from dhis2sh.sandbox.http.answers import answer, done, empty
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.moments import now, text_of
from dhis2sh.sandbox.java.schedule import BUILT_IN_JOBS, CRON_GRACE, next_run
from dhis2sh.sandbox.jobs.service import Progress, Stage, job_types
from dhis2sh.sandbox.refused import Refused, not_found
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_FALSE = ("persisted", "attribute", "simple", "collection", "ordered", "owner", "identifiableObject", "nameableObject",
          "embeddedObject", "analyticalObject", "readable", "writable", "unique", "required", "manyToMany", "oneToOne",
          "manyToOne", "oneToMany")  # fmt: skip
_KLASS = "org.hisp.dhis.scheduling.JobConfiguration"


def _descriptor(name: str, row: JsonObject, minor: int) -> JsonObject:
    """One job parameter as the server describes it; since 2.42 with whether it can be sorted by."""
    collection = "itemKlass" in row
    found: JsonObject = {**dict.fromkeys(_FALSE, False), **row, "name": name, "collection": collection}
    if collection:
        found["collectionName"] = name
    sortable: JsonObject = {"sortable": False} if minor >= 42 else {}
    return {**found, "translatable": False, "gistPreferences": {"included": "AUTO", "transformation": "AUTO"},
            **sortable, "propertyTransformer": False}  # fmt: skip


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    # Tasks

    def _job_type(self, request: Request) -> str | None:
        name = request.path_params.get("type")
        if name is None:
            return None
        known = job_types(self.server.store.version.minor)
        if name.upper() not in known:
            raise Refused(400, f"Value '{name}' is not valid for path parameter jobType. Valid values are: [{', '.join(known)}]")  # fmt: skip
        return cast("str", name.upper())

    def tasks(self, request: Request) -> Response:
        """`GET /api/system/tasks[/{type}[/{uid}]]`: notifications, newest first."""
        job_type, uid = self._job_type(request), request.path_params.get("uid")
        found = self.server.jobs.notes(job_type, uid)
        if job_type is None:
            return answer(cast("JsonValue", found))
        jobs = found.get(job_type, {})
        return answer(cast("JsonValue", jobs if uid is None else jobs.get(uid, [])))

    def clear_tasks(self, request: Request) -> Response:
        """`DELETE` of the same."""
        self.server.jobs.clear_notes(self._job_type(request), request.path_params.get("uid"))
        return empty()

    def summaries(self, request: Request) -> Response:
        """`GET /api/system/taskSummaries/{type}[/{uid}]`: what came of it; nothing while there is nothing."""
        job_type, uid = cast("str", self._job_type(request)), request.path_params.get("uid")
        found = self.server.jobs.summaries(job_type, uid)
        if uid is None:
            return answer(found)
        return answer(found[uid]) if uid in found else Response(status_code=200)

    # Job configurations

    def _config(self, request: Request) -> JsonObject:
        uid = request.path_params["uid"]
        config = self.server.store.get("jobConfigurations", uid)
        if config is None:
            raise not_found("JobConfiguration", uid)
        return config

    def _change(self, config: JsonObject, **values: JsonValue) -> JsonObject:
        changed = {**config, **values}
        self.server.store.put_objects({"jobConfigurations": [changed]})
        return changed

    def job_types(self, request: Request) -> Response:
        """`GET /api/jobConfigurations/jobTypes`."""
        minor = self.server.store.version.minor
        known = cast("dict[str, JsonObject]", fact_of("job_types", minor))
        rows: list[JsonValue] = [
            {"name": row["name"], "jobType": job_type, "schedulingType": row["schedulingType"],
             "jobParameters": list(_parameters(row, minor).values())}
            for job_type, row in known.items()
        ]  # fmt: skip
        return answer({"jobTypes": rows})

    def job_types_extended(self, request: Request) -> Response:
        """`GET /api/jobConfigurations/jobTypesExtended`."""
        minor = self.server.store.version.minor
        known = cast("dict[str, JsonObject]", fact_of("job_types", minor))
        return answer({job_type: _parameters(row, minor) for job_type, row in known.items()})

    def due(self, request: Request) -> Response:
        """`GET /api/jobConfigurations/due?seconds=`: what runs within that time."""
        now = _now()
        limit = now + dt.timedelta(seconds=int(request.query_params.get("seconds") or 60))
        rows: list[JsonValue] = [
            config
            for config in self._ordered()
            if config.get("enabled") and (at := next_run(config, now)) and at <= limit
        ]
        return answer(rows)

    def stale(self, request: Request) -> Response:
        """`GET /api/jobConfigurations/stale?seconds=`: what runs and has not been heard of."""
        limit = text_of(_now() - dt.timedelta(seconds=int(request.query_params.get("seconds") or 60)))
        rows: list[JsonValue] = [
            config
            for config in self._ordered()
            if config.get("jobStatus") == "RUNNING" and str(config.get("lastAlive") or "") < limit
        ]
        return answer(rows)

    def clean(self, request: Request, raw: bytes) -> Response:
        """`POST /api/jobConfigurations/clean?minutes=`: finished one-time jobs go."""
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        limit = text_of(_now() - dt.timedelta(minutes=int(request.query_params.get("minutes") or 1)))
        gone = [
            cast("str", config["id"])
            for config in self._ordered()
            if config.get("schedulingType") == "ONCE_ASAP" and str(config.get("lastFinished") or "9") <= limit
        ]
        self.server.store.delete_objects("jobConfigurations", gone)
        return empty()

    def errors(self, request: Request) -> Response:
        """`GET /api/jobConfigurations/errors` and `/{uid}/errors`."""
        uid = request.path_params.get("uid")
        if uid:
            config, failed = self._config(request), self.server.jobs.failures(uid)
            return answer(_errors(config, failed) if failed else {})
        rows: list[JsonValue] = [
            _errors(config, failed)
            for config in self._ordered()
            if (failed := self.server.jobs.failures(cast("str", config["id"])))
        ]
        return answer(rows)

    def progress(self, request: Request) -> Response:
        """`GET /{uid}/progress`: of the run that is under way or was the last; before the first a server fails."""
        uid = self._config(request)["id"]
        runs = [one for one in self.server.jobs.finished if one.uid == uid]
        running = self.server.jobs.running.get(str(uid)) or next(reversed(runs), None)
        if running is None:
            status = self.server.store.version.idle_progress
            if status >= 400:
                raise Refused(status)
            return Response(status_code=status)
        return answer(_progress(running, self.server.store.version.itself))

    def execute(self, request: Request, raw: bytes) -> Response:
        """`POST /{uid}/execute`: run it now; a disabled one refuses."""
        config = self._config(request)
        self.server.demand(request, "F_JOB_LOG_READ", "F_PERFORM_MAINTENANCE")
        if not config.get("enabled") or config.get("jobStatus") == "RUNNING":
            raise Refused(409, "Failed to transition job into ONCE_ASAP state.", "E1004")
        self.server.jobs.start({**config, "executedBy": self.server.rights(request).uid})
        return answer({"klass": _KLASS, "index": 0, "errorReports": []})  # bare, without an envelope

    def cancel(self, request: Request, raw: bytes) -> Response:
        """`POST /{uid}/cancel`: ask it to stop."""
        self.server.jobs.cancel(cast("str", self._config(request)["id"]))
        return empty()

    def revert(self, request: Request, raw: bytes) -> Response:
        """`POST /{uid}/revert`: a running job counts as stopped."""
        config = self._config(request)
        if config.get("jobStatus") != "RUNNING":
            raise Refused(409, "Job is not running", "E1004")
        self._change(config, jobStatus="SCHEDULED", lastExecutedStatus="STOPPED")
        return empty()

    def enable(self, request: Request, raw: bytes) -> Response:
        """`POST /{uid}/enable`."""
        config = self._config(request)
        if config.get("enabled"):
            raise Refused(409, f"Job with id {config['id']} is already enabled", "E1004")
        self._change(config, enabled=True, jobStatus="SCHEDULED")
        return empty()

    def disable(self, request: Request, raw: bytes) -> Response:
        """`POST /{uid}/disable`."""
        config = self._config(request)
        if not config.get("enabled"):
            raise Refused(409, f"Job with id {config['id']} is already disabled", "E1004")
        self._change(config, enabled=False, jobStatus="DISABLED")
        return empty()

    def _ordered(self) -> list[JsonObject]:
        return sorted(self.server.store.objects("jobConfigurations").values(), key=lambda body: str(body.get("name")))

    # The scheduler

    def scheduler(self, request: Request) -> Response:
        """`GET /api/scheduler`: what is scheduled, by when it runs; a queue is one entry."""
        now = _now()
        entries: dict[str, list[JsonObject]] = {}
        for config in self._ordered():
            if config.get("schedulingType") == "ONCE_ASAP":
                continue
            entries.setdefault(str(config.get("queueName") or config["id"]), []).append(config)
        rows = [_entry(name, configs, now) for name, configs in entries.items()]
        rows.sort(key=lambda row: str(row.get("nextExecutionTime") or "9"))
        return answer(cast("JsonValue", rows))

    def queueable(self, request: Request) -> Response:
        """`GET /api/scheduler/queueable?name=`: what may join a queue."""
        now, name = _now(), request.query_params.get("name")
        rows: list[JsonValue] = [
            _entry(cast("str", config["id"]), [config], now)
            for config in self._ordered()
            if config.get("schedulingType") != "ONCE_ASAP"
            and config.get("jobType") not in BUILT_IN_JOBS
            and config.get("queueName") in {None, name}
        ]
        return answer(rows)

    def queues(self, request: Request) -> Response:
        """`GET /api/scheduler/queues`: their names."""
        names = {cast("str", config["queueName"]) for config in self._ordered() if config.get("queueName")}
        return answer(cast("JsonValue", sorted(names)))

    def _members(self, name: str) -> list[JsonObject]:
        found = [config for config in self._ordered() if config.get("queueName") == name]
        return sorted(found, key=lambda config: cast("int", config.get("queuePosition") or 0))

    def queue(self, request: Request) -> Response:
        """`GET /api/scheduler/queues/{name}`."""
        name = request.path_params["name"]
        members = self._members(name)
        if not members:
            raise Refused(404, f"Queue not found: {name}", "E1005")
        sequence: list[JsonValue] = [config["id"] for config in members]
        return answer({"name": name, "cronExpression": members[0].get("cronExpression"), "sequence": sequence})

    def write_queue(self, request: Request, raw: bytes) -> Response:
        """`POST` makes and `PUT /api/scheduler/queues/{name}` replaces a queue: `{cronExpression, sequence}`."""
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        name = request.path_params["name"]
        members = self._members(name)
        if request.method == "POST" and members:
            raise Refused(409, f"Job queue with name `{name}` already exists.", "E7020")
        if request.method == "PUT" and not members:
            raise Refused(404, f"Queue not found: {name}", "E1005")
        sent = parse_object(raw)
        sequence = cast("list[str]", sent.get("sequence") or [])
        if len(sequence) < 2:
            raise Refused(409, f"Job queue must have at least two jobs but had: {len(sequence)}", "E7021")
        changed: list[JsonObject] = []
        for position, uid in enumerate(sequence):
            config = self.server.store.get("jobConfigurations", uid)
            if config is None:
                raise Refused(409, f"Job queue refers to a non-existing job: `{uid}`", "E7023")
            if config.get("queueName") not in {None, name}:
                raise Refused(409, f"Job `{uid}` is already used in queue `{config['queueName']}`.", "E7022")
            cron = sent.get("cronExpression") if position == 0 else None
            changed.append({**config, "queueName": name, "queuePosition": position, "cronExpression": cron})
        gone = [_without_queue(config) for config in members if config["id"] not in sequence]
        self.server.store.put_objects({"jobConfigurations": [*gone, *changed]})
        return empty() if request.method == "PUT" else Response(status_code=201)

    def delete_queue(self, request: Request) -> Response:
        """`DELETE /api/scheduler/queues/{name}`: its jobs stay, disabled."""
        members = self._members(request.path_params["name"])
        if not members:
            raise Refused(404, f"Queue not found: {request.path_params['name']}", "E1005")
        self.server.store.put_objects({"jobConfigurations": [_without_queue(config) for config in members]})
        return empty()

    # What runs

    def running_types(self, request: Request) -> Response:
        """`GET /api/scheduling/running/types`."""
        return answer(cast("JsonValue", sorted({one.type for one in self.server.jobs.running.values()})))

    def running(self, request: Request) -> Response:
        """`GET /api/scheduling/running[/{type}]`."""
        job_type = self._job_type(request)
        found: dict[str, list[JsonValue]] = {}
        for one in self.server.jobs.running.values():
            found.setdefault(one.type, []).append(_progress(one, self.server.store.version.itself))
        if job_type:
            return answer(found.get(job_type, [{"sequence": []}])[0])
        return answer(cast("JsonValue", found))

    def completed(self, request: Request) -> Response:
        """`GET /api/scheduling/completed[/{type}]`: the last run of each type."""
        job_type = self._job_type(request)
        found = {one.type: _progress(one, self.server.store.version.itself) for one in self.server.jobs.finished}
        if job_type:
            return answer(found.get(job_type, {"sequence": []}))
        return answer(cast("JsonValue", found))

    def cancel_type(self, request: Request, raw: bytes) -> Response:
        """`POST /api/scheduling/cancel/{type}`."""
        job_type = self._job_type(request)
        for uid, one in list(self.server.jobs.running.items()):
            if one.type == job_type:
                self.server.jobs.cancel(uid)
        return done()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def _parameters(row: JsonObject, minor: int) -> JsonObject:
    named = cast("dict[str, JsonObject]", row["parameters"])
    return {name: _descriptor(name, one, minor) for name, one in named.items()}


def _errors(config: JsonObject, failures: list[JsonObject]) -> JsonObject:
    return {"id": config["id"], "type": config["jobType"], "user": config.get("executedBy"),
            "created": config.get("created"), "executed": config.get("lastExecuted"),
            "finished": config.get("lastFinished"), "codes": config.get("errorCodes") or "", "errors": [*failures]}  # fmt: skip


def _entry(name: str, configs: list[JsonObject], now: dt.datetime) -> JsonObject:
    """One row of `/api/scheduler`."""
    first = configs[0]
    row: JsonObject = {
        "name": name if first.get("queueName") else first["name"],
        "type": "Sequence" if first.get("queueName") else first["jobType"],
    }
    for key in ("cronExpression", "delay"):
        if first.get(key):
            row[key] = first[key]
    at = next_run(first, now) if first.get("enabled") else None
    if at:
        row["nextExecutionTime"] = text_of(at)
        if first.get("cronExpression"):
            row["maxDelayedExecutionTime"] = text_of(at + CRON_GRACE)
        row["secondsToNextExecutionTime"] = int((at - now).total_seconds())
        if first.get("cronExpression"):
            row["secondsToMaxDelayedExecutionTime"] = int((at + CRON_GRACE - now).total_seconds())
    row |= {"status": first.get("jobStatus") or "SCHEDULED", "enabled": bool(first.get("enabled")),
            "configurable": first.get("jobType") not in BUILT_IN_JOBS}  # fmt: skip
    sequence: list[JsonValue] = []
    for config in configs:
        part: JsonObject = {"id": config["id"], "name": config["name"], "type": config["jobType"]}
        part |= {key: config[key] for key in ("cronExpression", "delay") if config.get(key)}
        if at:
            part["nextExecutionTime"] = text_of(at)
        sequence.append({**part, "status": config.get("jobStatus") or "SCHEDULED"})
    return {**row, "sequence": sequence}


def _without_queue(config: JsonObject) -> JsonObject:
    kept = {key: value for key, value in config.items() if key not in {"queueName", "queuePosition"}}
    return {**kept, "enabled": False, "jobStatus": "DISABLED"}


def _progress(one: Progress, nobody: str) -> JsonObject:
    """A job's progress: one process with its stages, the last of which nobody ends.

    Parameters:
        nobody: who runs what nobody has asked for.
    """
    process = _step(one.title or one.type, one.started, one.ended)
    process |= {"stages": [_stage(stage) for stage in one.stages], "jobId": one.uid}
    process["userId"] = (one.user if one.once else None) or nobody
    return {"sequence": [process]}


def _stage(stage: Stage) -> JsonObject:
    body = _step(stage.description, stage.started, stage.ended)
    if stage.summary:
        body["summary"] = stage.summary
    items = [{**_step(f"#{n}", *times), "onFailure": "FAIL"} for n, times in enumerate(stage.done, 1)]
    return {**body, "totalItems": stage.items, "onFailure": "FAIL", "items": cast("JsonValue", items)}


def _step(description: str, started: str, ended: str | None) -> JsonObject:
    body: JsonObject = {"status": "SUCCESS" if ended else "RUNNING", "startedTime": started, "description": description}
    if ended:
        body["completedTime"] = ended
    took = dt.datetime.fromisoformat(ended or now()) - dt.datetime.fromisoformat(started)
    return {**body, "duration": took // dt.timedelta(milliseconds=1), "complete": ended is not None}


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    config = "/api/jobConfigurations/{uid:uid}"
    acts = {
        "execute": api.execute,
        "cancel": api.cancel,
        "revert": api.revert,
        "enable": api.enable,
        "disable": api.disable,
    }
    found = [
        Route("/api/jobConfigurations/jobTypes", api.job_types),
        Route("/api/jobConfigurations/jobTypesExtended", api.job_types_extended),
        Route("/api/jobConfigurations/due", api.due),
        Route("/api/jobConfigurations/stale", api.stale),
        Route("/api/jobConfigurations/errors", api.errors),
        Route("/api/jobConfigurations/clean", with_body(api.clean), methods=["POST"]),
        Route(config + "/errors", api.errors),
        Route(config + "/progress", api.progress),
        Route(config + "/progress/errors", api.errors),
        *[Route(f"{config}/{name}", with_body(act), methods=["POST"]) for name, act in acts.items()],
        Route("/api/scheduler", api.scheduler),
        Route("/api/scheduler/queueable", api.queueable),
        Route("/api/scheduler/queues", api.queues),
        Route("/api/scheduler/queues/{name}", api.queue),
        Route("/api/scheduler/queues/{name}", with_body(api.write_queue), methods=["POST", "PUT"]),
        Route("/api/scheduler/queues/{name}", api.delete_queue, methods=["DELETE"]),
        Route("/api/scheduling/running/types", api.running_types),
        Route("/api/scheduling/running", api.running),
        Route("/api/scheduling/running/{type}", api.running),
        Route("/api/scheduling/completed", api.completed),
        Route("/api/scheduling/completed/{type}", api.completed),
        Route("/api/scheduling/cancel/{type}", with_body(api.cancel_type), methods=["POST"]),
        Route("/api/system/taskSummaries/{type}", api.summaries),
        Route("/api/system/taskSummaries/{type}/{uid}", api.summaries),
    ]
    for path in ("/api/system/tasks", "/api/system/tasks/{type}", "/api/system/tasks/{type}/{uid}"):
        found += [Route(path, api.tasks), Route(path, api.clear_tasks, methods=["DELETE"])]
    return found
