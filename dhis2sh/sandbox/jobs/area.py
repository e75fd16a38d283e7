"""Jobs as an area: what they said while they ran and what came of them, and what a configuration derives."""

from __future__ import annotations

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.hooks import Hook, ImportingArea

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


AREA = ImportingArea(tables=TABLES, hooks={"jobConfigurations": Hook(prepare=prepare_job)})
