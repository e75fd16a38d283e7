"""Coverage of processes that are killed: half a file would spoil what all others have measured."""

import contextlib
import os
import sqlite3
from pathlib import Path


def unmeasured(**more: str) -> dict[str, str]:
    """The environment of a process that will be killed: nothing measures it.

    Parameters:
        more: what it has besides ours.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")} | more


def without_halves(folder: Path) -> list[Path]:
    """Delete the files of coverage that were not written to their end; they end the combining of all.

    Parameters:
        folder: where they lie, as `.coverage.*`.

    Returns those that went.
    """
    halves = [path for path in sorted(folder.glob(".coverage.*")) if not _whole(path)]
    for path in halves:
        path.unlink()
    return halves


def _whole(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'arc'").fetchone()
            return tables == (1,) and connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    except sqlite3.Error:
        return False
