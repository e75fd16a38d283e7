"""Whose file is it? What tells a sandbox's file from every other, without a byte written to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from dhis2sh.errors import NotFound, UsageError

OURS = {"fact", "object", "type_version"}
"""The tables that every layout of ours has had."""


def read_only(path: Path) -> str:
    """The address by which SQLite opens a file without writing to it."""
    return f"{path.absolute().as_uri()}?mode=ro"


def check_mark(path: Path, *, must_exist: bool = False) -> None:
    """A file that is there must be a sandbox's, of whatever layout.

    Parameters:
        path: the file.
        must_exist: one that is missing is not made.

    Raises `UsageError` for any other file or folder, `NotFound` for a missing one.
    """
    if not path.exists() and not path.is_symlink():
        if must_exist:
            raise NotFound(f"there is no file {path}", hint="dhis2 sandbox status  shows the sandbox's own")
        return
    try:
        with closing(sqlite3.connect(read_only(path), uri=True)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        tables = set[str]()
    if not tables >= OURS:
        raise UsageError(f"{path} is not a sandbox's file: it was left as it is", hint="--db NEW.db makes a new one")
