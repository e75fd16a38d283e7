"""`jobs`: what a server does by schedule, and how it went."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import ServerFault
from dhis2sh.instance import jobs, starting, switching, watching
from dhis2sh.metadata.objects.creating import plan_create
from dhis2sh.metadata.objects.updating import plan_update
from dhis2sh.rows.rows import Rows, Verbatim
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb

UNDOES = switching.switched
"""How a switch is taken back: importing it here registers that."""
Job = Annotated[str, Doc("The job: UID, code or name."), Refers(jobs.CONFIGURATIONS)]
Jobs = Annotated[list[str], Doc("The jobs: UIDs, codes or names."), Refers(jobs.CONFIGURATIONS)]
Watch = Annotated[bool, Doc("Follow it to its end; Ctrl-C leaves it running.")]
Timeout = Annotated[int | None, Bounds(1), Doc("Seconds to wait at the most; the job goes on.")]


@verb("jobs list", effect="read", examples=["dhis2 jobs list", "%jobs list | where(lastExecutedStatus == 'FAILED')"])
async def list_(
    s: Session,
    *,
    type: Annotated[str | None, Doc("Only this job type.")] = None,
    status: Annotated[str | None, Doc("Only this status: SCHEDULED, RUNNING, DISABLED, ...")] = None,
    once: Annotated[bool, Doc("Those too that somebody asked for once.")] = False,
) -> Rows[Row]:
    """List the jobs: when each runs, how its last run ended, when the next is.

    API source: `GET /api/jobConfigurations`.
    """
    filters = [f"jobType:eq:{type.upper()}"] if type else []
    filters += [f"jobStatus:eq:{status.upper()}"] if status else []
    if type:
        await jobs.checked_name(s, type)
    found = await jobs.configurations(s, filters=filters)
    kept = [row for row in found if once or row.get("schedulingType") != jobs.ONCE]
    if len(kept) < len(found):
        s.person.note(jobs.left_out(len(found) - len(kept)))
    return Rows([jobs.shown(row) for row in kept], columns=jobs.COLUMNS, resource=jobs.CONFIGURATIONS)


@verb("jobs types", effect="read", examples=["dhis2 jobs types", "dhis2 jobs types ANALYTICS_TABLE"])
async def types(s: Session, type: Annotated[str | None, Doc("Only this one.")] = None) -> Rows[Row]:
    """List what jobs can be configured and the parameters that each takes.

    API source: `GET /api/jobConfigurations/jobTypes`.
    """
    found = {type.upper(): await jobs.checked_type(s, type)} if type else await jobs.job_types(s)
    rows: list[Row] = []
    for name, parameters in found.items():
        rows += [
            {"jobType": name, "parameter": one.name, "type": one.type, "default": one.default, "values": ", ".join(one.values)}
            for one in parameters
        ] or [{"jobType": name}]  # fmt: skip
    return Rows(rows, columns=("jobType", "parameter", "type", "default", "values"))


@verb("jobs show", effect="read", examples=["dhis2 jobs show 'Analytics table'"])
async def show(s: Session, job: Job) -> Verbatim:
    """Show a job: its parameters, when it runs and has run, and the stages of the run that is under way.

    API source: `GET /api/jobConfigurations/{uid}`, `/{uid}/progress`.
    """
    body = await jobs.one(s, job, ":owner,displayName,nextExecutionTime")
    if body.get("jobStatus") == "RUNNING":
        with suppress(ServerFault):  # so for an idle job: it has just ended, or another node runs it
            body = {**body, "progress": await s.client.get(f"{jobs.CONFIGURATIONS}/{job}/progress")}
    return Verbatim(body)


@verb(
    "jobs create",
    effect="write",
    examples=["dhis2 jobs create 'Nightly analytics' ANALYTICS_TABLE --cron '0 0 2 * * ?' --param lastYears=2"],
)
async def create(
    s: Session,
    name: Annotated[str, Doc("The new job's name.")],
    type: Annotated[str, Doc("Its job type; `jobs types` lists them.")],
    *,
    cron: Annotated[str | None, Doc("When it runs: six fields, seconds first, as 0 0 2 * * ?.")] = None,
    delay: Annotated[int | None, Bounds(1), Doc("Or so many seconds after its last run.")] = None,
    param: Annotated[list[str], Doc("A parameter of the job type, name=value; may be repeated.")] = [],
    disabled: Annotated[bool, Doc("It does not run until it is enabled.")] = False,
) -> Plan:
    """Create a job; its parameters are checked by what the server says of its type.

    With neither --cron nor --delay a server runs it once, as soon as it is created: the plan says so, and asks.

    API source: `POST /api/jobConfigurations`.
    """
    await jobs.must_be_new(s, name)
    known = await jobs.checked_type(s, type)
    body: JsonObject = {"name": name, "jobType": type.upper(), "enabled": not disabled}
    body |= jobs.schedule(cron, delay)
    given = jobs.parameters_of(param, known)
    if given:
        body["jobParameters"] = given
    return await plan_create(s, jobs.CONFIGURATIONS, body)


@verb("jobs update", effect="write", examples=["dhis2 jobs update 'Nightly analytics' --cron '0 0 3 * * ?'"])
async def update(
    s: Session,
    job: Job,
    *,
    name: Annotated[str | None, Doc("Its new name.")] = None,
    cron: Annotated[str | None, Doc("When it runs: six fields, seconds first.")] = None,
    delay: Annotated[int | None, Bounds(1), Doc("Or so many seconds after its last run.")] = None,
    param: Annotated[list[str], Doc("A parameter, name=value; the others stay.")] = [],
) -> Plan:
    """Change when a job runs, its name or its parameters; `undo` brings them back.

    A cron expression takes the place of a delay, and a delay that of a cron expression.

    API source: `PATCH /api/jobConfigurations/{uid}`.
    """
    body = await jobs.one(s, job, "id,name,jobType,jobParameters,schedulingType,cronExpression,delay,queueName")
    changes: JsonObject = {"name": name} if name else {}
    changes |= jobs.rescheduled(body, cron, delay)
    given = jobs.parameters_of(param, await jobs.checked_type(s, str(body["jobType"]))) if param else {}
    if given:
        changes["jobParameters"] = {**cast("JsonObject", body.get("jobParameters") or {}), **given}
    return await plan_update(s, jobs.CONFIGURATIONS, job, changes)


@verb("jobs run", effect="write", examples=["dhis2 jobs run 'Analytics table' --watch"])
async def run(s: Session, job: Job, *, watch: Watch = False, timeout: Timeout = None) -> Plan:
    """Run a job now; with --watch its lines are shown, and a failed job ends with 5.

    API source: `POST /api/jobConfigurations/{uid}/execute`.
    """
    body = await jobs.one(s, job)
    path = f"{jobs.CONFIGURATIONS}/{job}/execute"
    plan = await starting.run_again(
        s, jobs.reference(body), str(body.get("displayName")), path, watch=watch, timeout=timeout
    )
    plan.blocked = jobs.unable(body)
    plan.notes = [] if plan.blocked else plan.notes
    return plan


@verb("jobs cancel", effect="destroy", examples=["dhis2 jobs cancel 'Analytics table'"])
async def cancel(s: Session, job: Job) -> Plan:
    """Ask a running job to stop; it stops at its next step, and what it has done stays.

    API source: `POST /api/jobConfigurations/{uid}/cancel`.
    """
    return jobs.cancelling(await jobs.one(s, job))


@verb("jobs enable", effect="write", examples=["dhis2 jobs enable 'Analytics table'"])
async def enable(s: Session, jobs: Jobs) -> Plan:
    """Let jobs run by their schedule; `undo` disables them again.

    API source: `POST /api/jobConfigurations/{uid}/enable`.
    """
    return await switching.plan(s, switching.JOBS, jobs, True)


@verb("jobs disable", effect="write", examples=["dhis2 jobs disable 'Analytics table'"])
async def disable(s: Session, jobs: Jobs) -> Plan:
    """Let jobs no longer run; `undo` enables them again.

    API source: `POST /api/jobConfigurations/{uid}/disable`.
    """
    return await switching.plan(s, switching.JOBS, jobs, False)


@verb("jobs errors", effect="read", examples=["dhis2 jobs errors", "dhis2 jobs errors 'Analytics table'"])
async def errors(
    s: Session, job: Annotated[str | None, Doc("Only this job."), Refers(jobs.CONFIGURATIONS)] = None
) -> Rows[Row]:
    """List what went wrong in the last run of jobs.

    API source: `GET /api/jobConfigurations/errors`.
    """
    return Rows(await jobs.failures(s, job), columns=("job", "jobType", "code", "object", "type", "message"))


@verb("jobs stuck", effect="read", examples=["dhis2 jobs stuck --seconds 600"])
async def stuck(
    s: Session, *, seconds: Annotated[int, Bounds(1), Doc("So long nothing was heard of them.")] = 300
) -> Rows[Row]:
    """List jobs that count as running and of which nothing was heard for some time.

    API source: `GET /api/jobConfigurations/stale`.
    """
    return Rows(await jobs.stuck(s, seconds), columns=(*jobs.COLUMNS, "lastAlive"), resource=jobs.CONFIGURATIONS)


@verb("jobs queues", effect="read", examples=["dhis2 jobs queues"])
async def queues(s: Session) -> Rows[Row]:
    """List the queues of the scheduler and the jobs in each, in the order in which they run.

    API source: `GET /api/scheduler/queues`.
    """
    columns = ("queue", "cronExpression", "position", "id", "name", "jobType", "enabled")
    return Rows(await jobs.queues(s), columns=columns)


@verb("jobs watch", effect="read", examples=["dhis2 jobs watch 'Analytics table'"])
async def watch(s: Session, job: Job, *, timeout: Timeout = None) -> watching.JobEnd:
    """Follow a job that runs to its end, or say how its last run ended; one that has failed ends with 5.

    API source: `GET /api/system/tasks/{type}/{uid}`.
    """
    body = await jobs.one(s, job)
    if (end := jobs.last_end(body)) is not None:
        return watching.good(end)
    started = await watching.before(s, jobs.reference(body), cast("str | None", body.get("lastFinished")) or "")
    return await watching.to_its_end(s, started, timeout=timeout)
