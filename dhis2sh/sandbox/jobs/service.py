"""Jobs: work that goes on after the answer, watched through notifications, with a summary at its end (api-facts h.1).

A job that was asked for is a job configuration (`ONCE_ASAP`) like every other, so lists show it. Imports and integrity
checks start at once; table builds and data-value imports wait for the scheduler, as on a server.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.paths import alive
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.java.schedule import next_run
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

JOB_TYPES = (
    "DATA_INTEGRITY", "DATA_INTEGRITY_DETAILS", "RESOURCE_TABLE", "ANALYTICS_TABLE", "CONTINUOUS_ANALYTICS_TABLE",
    "SINGLE_EVENT_DATA_SYNC", "TRACKED_ENTITY_DATA_SYNC", "DATA_SYNC", "META_DATA_SYNC", "AGGREGATE_DATA_EXCHANGE",
    "SEND_SCHEDULED_MESSAGE", "PROGRAM_NOTIFICATIONS", "MONITORING", "PUSH_ANALYSIS", "HTML_PUSH_ANALYTICS",
    "TRACKER_SEARCH_OPTIMIZATION", "PREDICTOR", "MATERIALIZED_SQL_VIEW_UPDATE", "DISABLE_INACTIVE_USERS", "TEST",
    "LOCK_EXCEPTION_CLEANUP", "MOCK", "SMS_SEND", "SMS_INBOUND_PROCESSING", "TRACKER_IMPORT_JOB",
    "TRACKER_IMPORT_NOTIFICATION_JOB", "TRACKER_IMPORT_RULE_ENGINE_JOB", "IMAGE_PROCESSING",
    "COMPLETE_DATA_SET_REGISTRATION_IMPORT", "DATAVALUE_IMPORT_INTERNAL", "METADATA_IMPORT", "DATAVALUE_IMPORT",
    "GEOJSON_IMPORT", "GML_IMPORT", "HOUSEKEEPING", "DATA_VALUE_TRIM", "DATA_SET_NOTIFICATION",
    "CREDENTIALS_EXPIRY_ALERT", "DATA_STATISTICS", "FILE_RESOURCE_CLEANUP", "ACCOUNT_EXPIRY_ALERT",
    "VALIDATION_RESULTS_NOTIFICATION", "REMOVE_USED_OR_EXPIRED_RESERVED_VALUES", "SYSTEM_VERSION_UPDATE_CHECK",
)  # fmt: skip
"""Every job type of 2.42, in the order in which the server lists them."""
_OTHERWISE: dict[int, dict[str, tuple[str, ...]]] = {
    41: {
        "SINGLE_EVENT_DATA_SYNC": (), "TRACKED_ENTITY_DATA_SYNC": (), "SMS_INBOUND_PROCESSING": (),
        "DATA_SYNC": ("DATA_SYNC", "TRACKER_PROGRAMS_DATA_SYNC", "EVENT_PROGRAMS_DATA_SYNC"),
        "GML_IMPORT": ("EVENT_IMPORT", "ENROLLMENT_IMPORT", "TEI_IMPORT", "GML_IMPORT"),
    },
    43: {"PUSH_ANALYSIS": (), "TRACKER_SEARCH_OPTIMIZATION": ("TRACKER_TRIGRAM_INDEX_MAINTENANCE",)},
}  # fmt: skip
"""What stands in a version's list in place of some of them (recorded, maintenance 10)."""


def job_types(minor: int) -> tuple[str, ...]:
    """Every job type of 2.`minor`, in the order in which the server lists them."""
    instead = _OTHERWISE.get(min(max(minor, 41), 43), {})
    return tuple(name for usual in JOB_TYPES for name in instead.get(usual, (usual,)))


SCHEDULER_STEP = 0.5
"""Seconds between two looks at what is due."""
WAITING = {"RESOURCE_TABLE", "ANALYTICS_TABLE", "CONTINUOUS_ANALYTICS_TABLE", "DATAVALUE_IMPORT", "GML_IMPORT",
           "COMPLETE_DATA_SET_REGISTRATION_IMPORT", "MONITORING", "PREDICTOR"}  # fmt: skip
"""Job types that do not start when they are asked for, but when the scheduler comes by."""


PATIENCE = 20.0
"""Seconds that a job which is told to stop has to come to its next notification."""
_here: set[str] = set()
"""The jobs that some service of this process runs."""


class JobCancelled(Exception):
    """Somebody cancelled the job while it ran."""


@dataclass(slots=True)
class Stage:
    """One step of a running job, as `/api/jobConfigurations/{uid}/progress` shows it.

    Parameters:
        items: how many things it has, -1 for nobody knows; `done` has when each began and ended.
        summary: what came of it, in words.
    """

    description: str
    started: str
    ended: str | None = None
    items: int = -1
    summary: str = ""
    done: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass(slots=True)
class Progress:
    """What a job's work is given: it says how far it is and learns that it was cancelled.

    Parameters:
        uid: of the job.
        type: its job type.
        user: UID of who asked, None for the scheduler.
        once: somebody asked for it, and it will not come again: such a job runs as who asked.
        title: what the job says of itself when it begins.
    """

    service: JobService
    uid: str
    type: str
    user: str | None
    started: str
    once: bool = True
    title: str = ""
    stages: list[Stage] = field(default_factory=list["Stage"])
    cancelled: threading.Event = field(default_factory=threading.Event)
    closing: str = ""
    level: str = "INFO"
    ended: str | None = None

    def note(self, message: str, *, level: str = "INFO", items: int = -1) -> None:
        """Say something; whoever watches the task reads it. Raises `JobCancelled`.

        Parameters:
            items: how many things the step that begins has, -1 for nobody knows.
        """
        if self.cancelled.is_set() or self.service.told_to_stop(self.uid):
            raise JobCancelled
        if self.stages:
            self.stages[-1].ended = now()
        self.stages.append(Stage(message, now(), items=items))
        self.service.notify(self, message, level=level)

    def counted(self, message: str, items: int) -> None:
        """Say a step with items, all of which go well. Raises `JobCancelled`."""
        self.note(message, items=items)
        self.service.notify(self, f"{items} successful and 0 failed items")

    def finish_with(self, message: str, *, level: str = "INFO") -> None:
        """The words of the last notification, the one that is `completed`."""
        self.closing, self.level = message, level


type Work = Callable[[Progress], JsonValue]
"""Does a job and returns its summary, None for none."""
type Runner = Callable[[JsonObject, Progress], JsonValue]
"""Does a job of one type by its parameters."""


class JobService:
    """Runs jobs in threads and keeps what they said.

    Parameters:
        store: the database.
        delay: seconds until a job that waits for the scheduler starts.
    """

    def __init__(self, store: Store, *, delay: float = 0.0) -> None:
        self.store = store
        self.delay = delay
        self.running: dict[str, Progress] = {}
        self.finished: deque[Progress] = deque(maxlen=200)
        self._runners: dict[str, tuple[Runner, str]] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._end_abandoned()
        store.workers.append(self)

    def register(self, job_type: str, runner: Runner, *, opening: str = "") -> None:
        """Say how a job type is done when it is asked for by name, by a configuration or by the scheduler.

        Parameters:
            opening: the first notification's words; its data are the job's parameters.
        """
        self._runners[job_type] = (runner, opening)

    def submit(
        self,
        job_type: str,
        *,
        user: str | None,
        parameters: JsonObject | None = None,
        work: Work | None = None,
        opening: str | None = None,
        opening_data: JsonObject | None = None,
    ) -> JsonObject:
        """Start a job of its own and return its configuration.

        Parameters:
            job_type: one of `job_types`.
            user: UID of who asks.
            parameters: `jobParameters`; the first notification carries them.
            work: what to do; by default what is registered for the type.
            opening: the first notification's words.
            opening_data: what it carries, where that is more than the parameters.
        """
        moment = dt.datetime.now(dt.UTC)
        config: JsonObject = {
            "id": generate_uid(),
            "name": f"{job_type} ({int(moment.timestamp() * 1000)})",
            "created": now(),
            "lastUpdated": now(),
            "jobType": job_type,
            "schedulingType": "ONCE_ASAP",
            "enabled": True,
            "jobStatus": "SCHEDULED",
            "lastExecutedStatus": "NOT_STARTED",
        }
        if user:
            config |= {"executedBy": user, "lastUpdatedBy": {"id": user}}
        if parameters is not None:
            config["jobParameters"] = parameters
        self.store.put_objects({"jobConfigurations": [config]})
        wait = self.delay if job_type in WAITING else 0.0
        self.start(config, work=work, opening=opening, opening_data=opening_data, wait=wait)
        return config

    def start(
        self,
        config: JsonObject,
        *,
        work: Work | None = None,
        opening: str | None = None,
        opening_data: JsonObject | None = None,
        wait: float = 0.0,
    ) -> None:
        """Run a job configuration in a thread of its own after `wait` seconds."""
        uid, job_type = cast("str", config["id"]), cast("str", config["jobType"])
        runner, words = self._runners.get(job_type, (None, ""))
        parameters = cast("JsonObject", config.get("jobParameters") or {})
        if work is None:
            chosen: Work = (lambda progress: runner(parameters, progress)) if runner else _nothing
        else:
            chosen = work
        said = (words if opening is None else opening, opening_data or config.get("jobParameters"))
        thread = threading.Thread(target=self._run, args=(config, chosen, said, wait), daemon=True, name=f"job-{uid}")
        self._threads[uid] = thread
        _here.add(uid)
        with self.store.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO job_process VALUES (?, ?, 0)", (uid, os.getpid()))
        thread.start()

    def _run(self, config: JsonObject, work: Work, opening: tuple[str, JsonValue], wait: float) -> None:
        if wait:
            time.sleep(wait)
        uid, job_type = cast("str", config["id"]), cast("str", config["jobType"])
        once = config.get("schedulingType") == "ONCE_ASAP"
        progress = Progress(
            self, uid, job_type, cast("str | None", config.get("executedBy")), now(), once=once, title=opening[0]
        )
        self.running[uid] = progress
        began = now()
        if not once:
            self.clear_notes(job_type, uid)  # only the last run of a job that comes again is remembered
        self._change(uid, jobStatus="RUNNING", lastExecuted=began, lastAlive=began)
        self.notify(progress, opening[0], data=opening[1], data_type="PARAMETERS")
        status = "COMPLETED"
        try:
            summary = work(progress)
            if summary is not None:
                self._keep_summary(job_type, uid, summary)
        except JobCancelled:
            status, progress.closing = "STOPPED", "Job was cancelled"
        except Refused as no:
            status, progress.closing = "FAILED", no.message or ""
        except Exception as error:  # noqa: BLE001 - a job must end with a notification whatever its work did
            status, progress.closing = "FAILED", f"{type(error).__name__}: {error}"
        finally:
            progress.ended = now()
            self.finished.append(progress)
            self.running.pop(uid, None)
        self._ended(config, progress, status)
        self._threads.pop(uid, None)

    def _ended(self, config: JsonObject, progress: Progress, status: str) -> None:
        """Write down how a run has ended, and let it be run again."""
        once = config.get("schedulingType") == "ONCE_ASAP"
        ended: JsonObject = {"jobStatus": "DISABLED", "enabled": False} if once else {"jobStatus": "SCHEDULED"}
        finished = now()
        ended |= {"lastExecutedStatus": status, "lastFinished": finished, "lastUpdated": finished, "errorCodes": ""}
        self._change(progress.uid, **ended)
        level = "ERROR" if status == "FAILED" else progress.level
        self.notify(progress, progress.closing, level=level, completed=True)
        with self.store.writing() as connection:
            connection.execute("DELETE FROM job_process WHERE job = ?", (progress.uid,))
        _here.discard(progress.uid)

    def _end_abandoned(self) -> None:
        """As a server does after a restart: a job whose process has ended without it counts as failed."""
        found = self.store.connection.execute(
            "SELECT object.body, job_process.pid FROM object LEFT JOIN job_process ON job_process.job = object.uid "
            "WHERE object.type = 'jobConfigurations' "
            "AND (job_process.pid IS NOT NULL OR json_extract(object.body, '$.jobStatus') = 'RUNNING')"
        ).fetchall()
        for body, pid in found:
            config = cast("JsonObject", json.loads(body))
            uid = cast("str", config["id"])
            if uid in _here or (pid is not None and pid != os.getpid() and alive(pid)):
                continue
            progress = Progress(self, uid, cast("str", config["jobType"]), None, now())
            progress.finish_with("The server has ended while the job ran")
            self._ended(config, progress, "FAILED")

    def working(self) -> list[str]:
        """The jobs that run, in words."""
        configs = [self.store.get("jobConfigurations", uid) for uid in list(self._threads)]
        return [f"job {config['name']}" for config in configs if config is not None]

    def stop(self) -> bool:
        """Tell every job to stop and wait for it, `PATIENCE` at most; says whether no thread is left."""
        end = time.monotonic() + PATIENCE
        for uid, thread in list(self._threads.items()):
            self.cancel(uid)
            thread.join(max(end - time.monotonic(), 0.0))
        return not self._threads

    def told_to_stop(self, uid: str) -> bool:
        """Whether another process on the same file wants the job to stop."""
        row = self.store.connection.execute("SELECT cancelled FROM job_process WHERE job = ?", (uid,)).fetchone()
        return bool(row and row[0])

    def _change(self, uid: str, **values: JsonValue) -> None:
        config = self.store.get("jobConfigurations", uid)
        if config is not None:
            self.store.put_objects({"jobConfigurations": [{**config, **values}]})

    def notify(
        self,
        progress: Progress,
        message: str,
        *,
        level: str = "INFO",
        completed: bool = False,
        data: JsonValue = None,
        data_type: str | None = None,
    ) -> None:
        """Keep one notification of a job."""
        with self.store.writing() as connection:
            connection.execute(
                "INSERT INTO job_note (job_type, job, uid, level, time, message, completed, data_type, data) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (progress.type, progress.uid, generate_uid(), level, now(), message, completed, data_type,
                 None if data is None else json.dumps(data, ensure_ascii=False)),
            )  # fmt: skip

    def _keep_summary(self, job_type: str, uid: str, summary: JsonValue) -> None:
        with self.store.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO job_summary VALUES (?, ?, ?)",
                (job_type, uid, json.dumps(summary, ensure_ascii=False)),
            )

    def notes(self, job_type: str | None = None, uid: str | None = None) -> dict[str, dict[str, list[JsonObject]]]:
        """Notifications by job type and job, newest first."""
        found: dict[str, dict[str, list[JsonObject]]] = {}
        rows = self.store.connection.execute(
            "SELECT job_type, job, uid, level, time, message, completed, data_type, data FROM job_note "
            "WHERE (?1 IS NULL OR job_type = ?1) AND (?2 IS NULL OR job = ?2) ORDER BY id DESC",
            (job_type, uid),
        )
        for kind, job, note, level, at, message, completed, data_type, data in rows:
            item: JsonObject = {"level": level, "category": kind, "message": message, "completed": bool(completed)}
            if data_type:
                item["dataType"] = data_type
            if data:
                item["data"] = json.loads(data)
            found.setdefault(kind, {}).setdefault(job, []).append({**item, "id": note, "time": at, "uid": note})
        return found

    def clear_notes(self, job_type: str | None = None, uid: str | None = None) -> None:
        """Forget notifications, of all jobs, of a type or of one job."""
        with self.store.writing() as connection:
            connection.execute(
                "DELETE FROM job_note WHERE (?1 IS NULL OR job_type = ?1) AND (?2 IS NULL OR job = ?2)",
                (job_type, uid),
            )

    def summaries(self, job_type: str, uid: str | None = None) -> dict[str, JsonValue]:
        """What came of jobs of a type, by job, newest last."""
        rows = self.store.connection.execute(
            "SELECT job, body FROM job_summary WHERE job_type = ?1 AND (?2 IS NULL OR job = ?2)", (job_type, uid)
        )
        return {job: json.loads(body) for job, body in rows}

    def failures(self, uid: str) -> list[JsonObject]:
        """What went wrong in a job's runs."""
        rows = self.store.connection.execute(
            "SELECT uid, message, job_type FROM job_note WHERE job = ? AND level = 'ERROR' ORDER BY id", (uid,)
        )
        return [{"code": "E7000", "uid": note, "type": kind, "args": [], "message": text} for note, text, kind in rows]

    def cancel(self, uid: str) -> bool:
        """Ask a running job to stop; it does at its next notification. False when it does not run."""
        progress = self.running.get(uid)
        if progress is not None:
            progress.cancelled.set()
            return True
        with self.store.writing() as connection:
            return connection.execute("UPDATE job_process SET cancelled = 1 WHERE job = ?", (uid,)).rowcount > 0

    def run_schedule(self, stop: threading.Event) -> None:
        """Start what is due, second by second, until `stop`: cron jobs, jobs with a delay, and queues one job at a time."""
        due: dict[str, tuple[JsonValue, dt.datetime]] = {}
        while not stop.wait(SCHEDULER_STEP):
            moment = dt.datetime.now(dt.UTC).replace(tzinfo=None)
            for uid, config in list(self.store.objects("jobConfigurations").items()):
                if not config.get("enabled") or config.get("schedulingType") == "ONCE_ASAP" or uid in self._threads:
                    continue
                when: JsonValue = [config.get("cronExpression"), config.get("delay")]
                known = due.get(uid)
                if known is not None and known[0] == when and known[1] <= moment:
                    self._start_queue(config, stop)
                    known = None
                if known is None or known[0] != when:
                    at = next_run(config, moment)
                    if at is not None:
                        due[uid] = (when, at)

    def _start_queue(self, first: JsonObject, stop: threading.Event) -> None:
        """Start a job, and after it the others of its queue."""
        name = first.get("queueName")
        self.start(first)
        if name is None:
            return
        rest = [body for body in self.store.objects("jobConfigurations").values()
                if body.get("queueName") == name and body["id"] != first["id"]]  # fmt: skip
        rest.sort(key=lambda body: cast("int", body.get("queuePosition") or 0))

        def follow() -> None:
            before = cast("str", first["id"])
            for config in rest:
                while not self.wait(before, 1.0):
                    if stop.is_set():
                        return
                self.start(config)
                before = cast("str", config["id"])

        threading.Thread(target=follow, daemon=True, name=f"queue-{name}").start()

    def wait(self, uid: str, timeout: float) -> bool:
        """Block until a job is done, at most `timeout` seconds; says whether it is."""
        thread = self._threads.get(uid)
        if thread is not None:
            thread.join(timeout)
        return uid not in self._threads


def _nothing(progress: Progress) -> JsonValue:
    """A job type that finds nothing to do here, as a server that is not set up for it."""
    return None


def initiated(
    config: JsonObject, *, base: str, location: str | None = None, typed: bool = True
) -> tuple[JsonObject, str]:
    """The body that says a job was started, and where its notifications are.

    Parameters:
        config: what `submit` returned.
        base: the server's address.
        location: the `Location` header; by default the job's task.
        typed: the response says its type.
    """
    job_type, uid = config["jobType"], config["id"]
    task = f"/api/system/tasks/{job_type}/{uid}"
    response: JsonObject = {"name": config["name"], "id": uid, "created": config["created"], "jobType": job_type,
                            "jobStatus": "NOT_STARTED"}  # fmt: skip
    if "jobParameters" in config:
        response["jobParameters"] = config["jobParameters"]
    response["relativeNotifierEndpoint"] = task
    if typed:
        response["responseType"] = "JobConfiguration"
    body: JsonObject = {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK",
                        "message": f"Initiated {config['name']}", "response": response}  # fmt: skip
    return body, f"{base}{location if location is not None else f'/api/system/tasks/{job_type}'}"
