"""What a part of the server adds to the database: its tables, and what it makes of objects that are written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

type Get = Callable[[str], JsonObject | None]
"""An object of one type by its UID, as it is stored."""
type Write = Callable[[sqlite3.Connection, Mapping[str, JsonObject], Get], Mapping[str, JsonObject]]
"""Makes of objects that are about to be written, by UID, those that are stored; the ones given stay as they are."""

type Delete = Callable[[sqlite3.Connection, Sequence[str]], None]
"""Deletes what an area keeps beside objects that are deleted, by their UIDs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One part of the server: people, jobs, data, the tracker.

    Parameters:
        tables: its SQL; every statement can be run again on a file that has the tables.
        writes: by plural, what it does inside the transaction in which objects of the type are written.
        deletes: by plural, what it does inside the one in which objects of the type are deleted.
    """

    tables: str = ""
    writes: Mapping[str, Write] = field(default_factory=lambda: {})
    deletes: Mapping[str, Delete] = field(default_factory=lambda: {})
