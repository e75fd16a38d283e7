"""Rows that were not written: a file that can be mended and pushed again, and a few of them in words."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from dhis2sh.changes.job_folders import delivered
from dhis2sh.data.cells import KEY
from dhis2sh.data.named import TYPES, columns
from dhis2sh.errors import NotWritten
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.types import Row

COLUMNS = ("row", *KEY, "value", "comment", "reason")
NAMED = 10
"""Reasons that are told one by one."""


class RefusedRows:
    """Takes refused rows one by one; the file is made by the first.

    Parameters:
        path: the file, CSV with a column `reason`, in the folder of the job.
        wanted: where a copy goes when all has been sent; a plan that is only looked at leaves it alone.
        unread: columns of what was given that hold nothing of a value; who mends the file wants them all the same.
    """

    def __init__(self, path: Path, unread: Sequence[str] = (), wanted: Path | None = None) -> None:
        self.path, self.wanted = path, wanted
        self.names: Mapping[str, str] = {}
        """What UIDs stand for: a column beside each, which whoever pushes the file again passes over."""
        self.count = 0
        self.beside: dict[int, Row] = {}
        """What a row has in those columns, by its place."""
        self._unread = unread
        self._reasons: dict[str, tuple[int, int]] = {}
        self._columns: tuple[str, ...] | None = None
        self._file: TextIO | None = None
        self._writer: csv.DictWriter[str] | None = None

    def add(self, place: int, row: Row, reason: str) -> None:
        """One row.

        Parameters:
            place: where it stands in what was given, from 1.
            row: as it was given, or as it was sent.
            reason: why it was not written.

        Raises `Dhis2Error` when the file cannot be written.
        """
        first, count = self._reasons.get(reason, (place, 0))
        self._reasons[reason] = (first, count + 1)
        self.count += 1
        try:
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._open()
            assert self._writer is not None
            called = {f"{name}Name": self.names.get(str(row.get(name)), "") for name in TYPES}
            self._writer.writerow({**called, **self.beside.get(place, {}), **row, "row": place, "reason": reason})
        except OSError as error:
            raise NotWritten(
                f"{self.path} cannot be written: {error.strerror or error}", hint="make room on the disk"
            ) from error

    def _open(self) -> None:
        """The file: a new one, or that of the rows before once more, which may have another path by now."""
        new = self._columns is None
        self._columns = self._columns or (*columns(COLUMNS[:-1]), *self._unread, COLUMNS[-1])
        self._file = self.path.open("w" if new else "a", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, self._columns, extrasaction="ignore")
        if new:
            self._writer.writeheader()

    def close(self) -> None:
        """No more rows come for now."""
        if self._file is not None:
            self._file.close()
            self._file = self._writer = None

    def deliver(self) -> str:
        """Write the copy, if one is wanted. Where the refused rows are, in words."""
        self.close()
        return delivered(self.path, self.wanted if self.count else None)

    def lines(self) -> list[str]:
        """The reasons, the most frequent first, each with how many rows and the first of them."""
        ranked = sorted(self._reasons.items(), key=lambda item: -item[1][1])
        told = [
            f"{counted(count, 'row')} (first: row {first:,}): {reason}" for reason, (first, count) in ranked[:NAMED]
        ]
        more = len(ranked) - NAMED
        return [*told, *([f"and {more:,} more reasons"] if more > 0 else [])]

    def failures(self) -> list[Row]:
        """The reasons as the failures of a summary."""
        return [
            {
                "type": "dataValue",
                "name": f"row {first:,}",
                "message": f"{reason}{f' ({count:,} rows)' if count > 1 else ''}",
                "rows": count,
            }
            for reason, (first, count) in self._reasons.items()
        ]
