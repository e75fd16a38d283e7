"""Jobs as an area: what they said while they ran and what came of them, and what a configuration derives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.facts import fact_of
from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.defaults import missing_parameters, parameters_klass
from dhis2sh.sandbox.importer.hooks import Hook, ImportingArea
from dhis2sh.sandbox.importer.report import ErrorReport
from dhis2sh.sandbox.java.schedule import Cron
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.database import Store

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

TABLES = """
CREATE TABLE IF NOT EXISTS job_note (
    id INTEGER PRIMARY KEY, job_type TEXT NOT NULL, job TEXT NOT NULL, uid TEXT NOT NULL, level TEXT NOT NULL,
    time TEXT NOT NULL, message TEXT NOT NULL, completed INTEGER NOT NULL, data_type TEXT, data TEXT
);
CREATE INDEX IF NOT EXISTS job_note_job ON job_note (job_type, job);
CREATE TABLE IF NOT EXISTS job_summary (
    job_type TEXT NOT NULL, job TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job_type, job)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS job_process (
    job TEXT PRIMARY KEY, pid INTEGER NOT NULL, cancelled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""


def prepare_job(bundle: Bundle, item: Item) -> None:
    """How a job is scheduled follows from its cron expression or delay; it has never run."""
    body = item.body
    scheduled = "CRON" if body.get("cronExpression") else "FIXED_DELAY" if body.get("delay") else "ONCE_ASAP"
    for name, value in (
        ("schedulingType", scheduled),
        ("jobStatus", "SCHEDULED"),
        ("lastExecutedStatus", "NOT_STARTED"),
    ):
        if not body.get(name):
            body[name] = value


def check_job(bundle: Bundle, item: Item) -> None:
    """E4000: a parameter is missing; E7005: a cron expression must be one, and the server forgets to name it."""
    job_type = str(item.body.get("jobType"))
    for name in missing_parameters(job_type, item.body.get("jobParameters")):
        item.errors.append(ErrorReport("E4000", [name], parameters_klass(job_type)))
        item.kept = False
    cron = item.body.get("cronExpression")
    if isinstance(cron, str) and cron:
        try:
            Cron.parse(cron)
        except ValueError:
            item.refuse("E7005")
            item.errors[-1].text = "Cron expression is invalid: `{0}`"


def may_be_made(store: Store, sent: JsonObject) -> None:
    """Jobs that the server keeps for itself are not made by people. Raises `Refused`."""
    kind = sent.get("jobType")
    known = store.resources["jobConfigurations"].properties["jobType"].constants
    if kind in known and kind not in fact_of("job_types", store.version.minor):
        raise Refused(409, f"Job {sent.get('id') or generate_uid()} must be configurable but was not.", "E1004")


AREA = ImportingArea(
    tables=TABLES, hooks={"jobConfigurations": Hook(prepare=prepare_job, check=check_job, create=may_be_made)}
)
