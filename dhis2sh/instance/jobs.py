"""Job configurations and the scheduler: what is planned, what runs, what has failed.

API source: `JobConfigurationController.java`, `JobSchedulerController.java` (api-facts h.2).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.client.messages import TaskRef
from dhis2sh.dhis2 import cron as cron_expressions
from dhis2sh.errors import NotFound, Refused, UsageError, did_you_mean
from dhis2sh.instance.watching import JobEnd
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.instance.watching import Status
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

CONFIGURATIONS = "jobConfigurations"
COLUMNS = ("id", "name", "jobType", "schedule", "enabled", "jobStatus", "lastExecuted", "lastExecutedStatus", "next")
FIELDS = (
    "id,displayName,jobType,schedulingType,cronExpression,delay,enabled,jobStatus,lastExecuted,lastExecutedStatus,lastFinished,"
    "nextExecutionTime,queueName,queuePosition"
)
ONCE = "ONCE_ASAP"
"""How a job is scheduled that somebody asked for once; a server keeps it for a day."""


@dataclass(frozen=True, slots=True)
class JobParameter:
    """One parameter of a job type, as the server describes it."""

    job_type: str
    name: str
    type: str
    default: JsonValue
    values: list[str]


async def job_types(s: Session) -> dict[str, list[JobParameter]]:
    """The types of jobs that can be configured, with their parameters (`GET /api/jobConfigurations/jobTypes`)."""
    body = await s.client.get_object(f"{CONFIGURATIONS}/jobTypes")
    found: dict[str, list[JobParameter]] = {}
    for row in cast("list[JsonObject]", body.get("jobTypes") or []):
        name = str(row["jobType"])
        parameters = cast("list[JsonObject]", row.get("jobParameters") or [])
        found[name] = [_parameter(name, one) for one in parameters]
    return found


def _parameter(job_type: str, row: Mapping[str, JsonValue]) -> JobParameter:
    values = [str(value) for value in cast("list[JsonValue]", row.get("constants") or [])]
    short = str(row.get("klass") or "").rpartition(".")[2].rpartition("$")[2]
    inner = str(row.get("itemKlass") or "").rpartition(".")[2]
    return JobParameter(
        job_type, str(row.get("name")), f"list of {inner}" if inner else short, row.get("defaultValue"), values
    )


def schedule_of(row: Mapping[str, JsonValue]) -> str:
    """When a job runs, in the server's own terms."""
    if row.get("queueName"):
        return f"queue {row['queueName']}, {int(cast('int', row.get('queuePosition') or 0)) + 1}."
    if row.get("cronExpression"):
        return str(row["cronExpression"])
    if row.get("delay"):
        return f"{row['delay']} s after the last"
    return "once" if row.get("schedulingType") == ONCE else ""


def shown(row: Mapping[str, JsonValue]) -> Row:
    """A job as a row of `COLUMNS`; the next run only of a job that will run."""
    waits = bool(row.get("enabled")) and row.get("schedulingType") != ONCE
    return {
        "id": row.get("id"), "name": row.get("displayName"), "jobType": row.get("jobType"), "schedule": schedule_of(row),
        "enabled": row.get("enabled"), "jobStatus": row.get("jobStatus"), "lastExecuted": row.get("lastExecuted"),
        "lastExecutedStatus": row.get("lastExecutedStatus"), "next": row.get("nextExecutionTime") if waits else None,
    }  # fmt: skip


async def configurations(s: Session, *, filters: Sequence[str] = ()) -> list[JsonObject]:
    """Job configurations, all of them."""
    params = {"fields": FIELDS, "paging": False, "filter": [*filters], "order": "name:asc"}
    return (await s.client.list_page(CONFIGURATIONS, params)).rows


async def one(s: Session, uid: str, fields: str = FIELDS) -> JsonObject:
    """A job configuration. Raises `NotFound`."""
    return await s.client.get_object(f"{CONFIGURATIONS}/{uid}", {"fields": fields})


def reference(job: Mapping[str, JsonValue]) -> TaskRef:
    """A configuration as what its notifications are kept under."""
    return TaskRef(job_type=str(job["jobType"]), uid=str(job["id"]))


async def checked_type(s: Session, job_type: str) -> list[JobParameter]:
    """The parameters of a type of jobs. Raises `UsageError` for one that cannot be configured."""
    types = await job_types(s)
    if job_type.upper() not in types:
        raise UsageError(
            f"'{job_type}' is no job type that can be configured",
            hint=did_you_mean(job_type.upper(), [*types]) or "dhis2 jobs types",
        )
    return types[job_type.upper()]


def parameters_of(pairs: Sequence[str], known: Sequence[JobParameter]) -> JsonObject:
    """`name=value` as a job's parameters, each of the type that the server says.

    Raises `UsageError` for one that the type has not, or a value that is none of its.
    """
    by_name = {one.name: one for one in known}
    found: JsonObject = {}
    for text in pairs:
        name, mark, value = text.partition("=")
        if not mark:
            raise UsageError(f"--param {text}: say name=value", hint="dhis2 jobs types")
        if name not in by_name:
            takes = ", ".join(by_name) or "none"
            raise UsageError(
                f"this job type has no parameter '{name}'", hint=did_you_mean(name, [*by_name]) or f"it takes: {takes}"
            )
        found[name] = _value(by_name[name], value)
    return found


_WHOLE, _TRUTH = {"Integer", "int", "Long", "long"}, {"Boolean", "boolean"}


def _value(parameter: JobParameter, text: str) -> JsonValue:
    if parameter.type.startswith("list of "):
        return [_allowed(parameter, part.strip()) for part in text.split(",") if part.strip()]
    if parameter.type in _WHOLE:
        try:
            return int(text)
        except ValueError:
            raise UsageError(f"{parameter.name}: '{text}' is not a whole number", hint="dhis2 jobs types") from None
    if parameter.type in _TRUTH:
        if text.lower() not in {"true", "false"}:
            raise UsageError(
                f"{parameter.name}: '{text}' is neither true nor false", hint=f"--param {parameter.name}=true"
            )
        return text.lower() == "true"
    return _allowed(parameter, text)


def _allowed(parameter: JobParameter, text: str) -> str:
    if parameter.values and text not in parameter.values:
        raise UsageError(
            f"{parameter.name}: '{text}' is not one of its values",
            hint=did_you_mean(text, parameter.values) or f"one of: {', '.join(parameter.values)}",
        )
    return text


async def failures(s: Session, uid: str | None) -> list[Row]:
    """What went wrong in jobs, a row for each error of the last run.

    API source: `GET /api/jobConfigurations[/{uid}]/errors`.
    """
    body = await s.client.get(f"{CONFIGURATIONS}/{uid}/errors" if uid else f"{CONFIGURATIONS}/errors")
    jobs = [body] if isinstance(body, dict) else body if isinstance(body, list) else []
    rows: list[Row] = []
    for job in cast("list[JsonObject]", jobs):
        for error in cast("list[JsonObject]", job.get("errors") or []):
            rows.append({
                "job": job.get("id"), "jobType": job.get("type"), "code": error.get("code"), "object": error.get("id"),
                "type": error.get("type"), "message": error.get("message"),
            })  # fmt: skip
    return rows


async def queues(s: Session) -> list[Row]:
    """The queues of the scheduler, a row for each job in them, in the order in which they run."""
    names = cast("list[str]", await s.client.get("scheduler/queues"))
    rows: list[Row] = []
    known = {str(row["id"]): row for row in await configurations(s)} if names else {}
    for name in names:
        queue = await s.client.get_object(f"scheduler/queues/{_segment(name)}")
        for place, uid in enumerate(cast("list[str]", queue.get("sequence") or []), start=1):
            job = known.get(uid, {})
            rows.append({
                "queue": name, "cronExpression": queue.get("cronExpression"), "position": place, "id": uid,
                "name": job.get("displayName"), "jobType": job.get("jobType"), "enabled": job.get("enabled"),
            })  # fmt: skip
    return rows


def _segment(name: str) -> str:
    from urllib.parse import quote  # start-up: few servers have queues

    return quote(name, safe="")


async def stuck(s: Session, seconds: int) -> list[Row]:
    """Jobs that count as running and have not been heard of for some time (`GET /api/jobConfigurations/stale`)."""
    rows = cast("list[JsonObject]", await s.client.get(f"{CONFIGURATIONS}/stale", {"seconds": seconds}))
    return [
        {**shown(row | {"displayName": row.get("displayName") or row.get("name")}), "lastAlive": row.get("lastAlive")}
        for row in rows
    ]


def left_out(number: int) -> str:
    """That jobs which were asked for once are not in a list."""
    return f"{counted(number, 'job')} that ran once {'is' if number == 1 else 'are'} left out (--once shows them)"


async def named_type(s: Session, job_type: str, uid: str) -> TaskRef:
    """A job by its type and UID, the type in any case; only the UID where the type is empty. Raises `NotFound`."""
    if job_type:
        return TaskRef(job_type=job_type.upper().replace("-", "_"), uid=uid)
    try:
        return reference(await one(s, uid, "id,jobType"))
    except NotFound:
        raise NotFound(f"the server has no job {uid}", hint="dhis2 task list") from None


async def checked_name(s: Session, job_type: str) -> None:
    """Raise `UsageError` for a job type that the server has not: a filter on it would only find nothing."""
    known = {str(row["jobType"]) for row in await configurations(s)} | set(await job_types(s))
    if job_type.upper() not in known:
        raise UsageError(
            f"there is no job type '{job_type}'",
            hint=did_you_mean(job_type.upper(), sorted(known)) or "dhis2 jobs types",
        )


async def must_be_new(s: Session, name: str) -> None:
    """Raise `UsageError` where a job has that name: a server takes no second one."""
    page = await s.client.list_page(CONFIGURATIONS, {"filter": f"name:eq:{name}", "fields": "id", "pageSize": 1})
    if page.rows:
        raise UsageError(
            f"there is a job '{name}' already",
            hint=f"dhis2 jobs update {shlex.quote(name)}  changes it, or choose another name",
        )


def schedule(cron: str | None, delay: int | None) -> JsonObject:
    """When a job runs, as its configuration says it. Raises `UsageError` for both, and for what is no cron expression."""
    if cron is not None and delay is not None:
        raise UsageError("a job has either a cron expression or a delay", hint=cron_expressions.EXAMPLE)
    if cron is not None:
        return {"cronExpression": cron_expressions.checked(cron)}
    return {} if delay is None else {"delay": delay}


def rescheduled(job: Mapping[str, JsonValue], cron: str | None, delay: int | None) -> JsonObject:
    """What a job's schedule changes of its configuration; of a cron expression and a delay the other one goes.

    Raises as `schedule`, and `UsageError` for a job whose queue says when it runs.
    """
    wanted = schedule(cron, delay)
    if not wanted:
        return {}
    if job.get("queueName"):
        raise UsageError(
            f"{job.get('name')} runs in the queue '{job['queueName']}', which says when", hint="dhis2 jobs queues"
        )
    other, kind = ("delay", "CRON") if cron is not None else ("cronExpression", "FIXED_DELAY")
    if job.get(other) is not None:
        wanted[other] = None
    if job.get("schedulingType") not in {None, kind}:
        wanted["schedulingType"] = kind
    return wanted


def unable(job: Mapping[str, JsonValue]) -> Refused | None:
    """Why a job cannot be run now; None where it can. A server says no more than that it failed to (E1004)."""
    name, uid = job.get("displayName"), job.get("id")
    if job.get("jobStatus") == "RUNNING":
        return Refused(f"{name} is running already", hint=f"dhis2 jobs watch {uid}")
    if not job.get("enabled"):
        return Refused(f"{name} is disabled, and a server runs no disabled job", hint=f"dhis2 jobs enable {uid}")
    return None


def last_end(job: Mapping[str, JsonValue]) -> JobEnd | None:
    """How the last run of an idle job ended; None for one that runs or is about to. Raises `UsageError` where it has never run."""
    begins = job.get("schedulingType") == ONCE and not job.get("lastFinished")
    if job.get("jobStatus") == "RUNNING" or begins:
        return None
    if not job.get("lastFinished"):
        raise UsageError(f"{job.get('displayName')} has never run", hint=f"dhis2 jobs run {job['id']} --watch")
    status = cast("Status", str(job.get("lastExecutedStatus")))
    return JobEnd(
        str(job["jobType"]),
        str(job["id"]),
        status,
        f"it is not running; its last run ended at {job['lastFinished']}",
        0,
    )


def cancelling(job: Mapping[str, JsonValue]) -> Plan:
    """The plan of stopping a job that runs."""
    uid, name = str(job["id"]), str(job.get("displayName"))
    step = PlanStep("run", str(job["jobType"]), uid=uid, name=name, detail="stop it")
    idle = (
        None if job.get("jobStatus") == "RUNNING" else Refused(f"{name} is not running", hint=f"dhis2 jobs show {uid}")
    )

    async def finish(s: Session, summary: WriteSummary) -> None:
        summary.sent, summary.uids = 1, [uid]
        summary.say(f"asked to stop; dhis2 jobs watch {uid}")

    request = Request("POST", f"{CONFIGURATIONS}/{uid}/cancel")
    writer = ByRequest(str(job["jobType"]), [request], again="nothing", complete=finish)
    return Plan(
        f"stop {name}", [step], notes=[] if idle else ["what it has done already stays"], writer=writer, blocked=idle
    )
