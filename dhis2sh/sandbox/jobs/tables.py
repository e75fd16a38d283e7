"""The tables of jobs: what they said while they ran, and what came of them."""

TABLES = """
CREATE TABLE IF NOT EXISTS job_note (
    id INTEGER PRIMARY KEY, job_type TEXT NOT NULL, job TEXT NOT NULL, uid TEXT NOT NULL, level TEXT NOT NULL,
    time TEXT NOT NULL, message TEXT NOT NULL, completed INTEGER NOT NULL, data_type TEXT, data TEXT
);
CREATE INDEX IF NOT EXISTS job_note_job ON job_note (job_type, job);
CREATE TABLE IF NOT EXISTS job_summary (
    job_type TEXT NOT NULL, job TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job_type, job)
) WITHOUT ROWID;
"""
