"""The areas of the server: what each adds to the database and to imports, in the order in which they are asked."""

from __future__ import annotations

from pathlib import Path

from dhis2sh.sandbox.analytics import area as analytics
from dhis2sh.sandbox.data import area as data
from dhis2sh.sandbox.importer import area as metadata
from dhis2sh.sandbox.instance import area as instance
from dhis2sh.sandbox.jobs import area as jobs
from dhis2sh.sandbox.people import area as people
from dhis2sh.sandbox.store.database import Store
from dhis2sh.sandbox.tracker import area as tracker

AREAS = (metadata.AREA, people.AREA, jobs.AREA, instance.AREA, data.AREA, tracker.AREA, analytics.AREA)


def open_store(path: Path | None = None, *, version: str | None = None, reading: bool = False) -> Store:
    """A database with every area of the server. The caller closes it.

    Parameters:
        path: the file, made when it is missing; None keeps everything in memory.
        version: the server version to mimic from now on (`2.43`); None for what the file says, else 2.42.
        reading: the file is there and nothing is written to it.

    Raises `Dhis2Error` for a file of another layout or one that cannot be opened, `UsageError` for another version.
    """
    return Store(path, AREAS, version=version, reading=reading)
