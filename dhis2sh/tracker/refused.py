"""What was not written: a file that can be mended and pushed again, and the reasons in words.

Of sheets it has the columns of the sheet and those with the UIDs that the row was given here, so that a row of which
something was written all the same is not written a second time. Of JSON it has the objects, one a line.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from dhis2sh.changes.job_folders import delivered
from dhis2sh.errors import NotWritten
from dhis2sh.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhis2sh.tracker.payloads import Entry
    from dhis2sh.tracker.sheets import Sheet
    from dhis2sh.types import Row

NAMED = 10
"""Reasons that are told one by one."""
KEPT = 1_000
"""Refused entries that a summary has one by one."""


class Refused:
    """Takes refused entries one by one; the file is made by the first.

    Parameters:
        path: the file, in the folder of the job; CSV where there is a sheet, else NDJSON.
        wanted: where a copy goes when all has been sent.
        sheet: how the rows were read.
    """

    def __init__(self, path: Path, wanted: Path | None = None, sheet: Sheet | None = None) -> None:
        self.path, self.wanted, self.sheet = path, wanted, sheet
        self.count = 0
        self._reasons: dict[str, tuple[str, int]] = {}
        self._entries: list[tuple[str, str]] = []
        self._begun = False
        self._headers: list[str] = []
        self._file: TextIO | None = None
        self._writer: csv.DictWriter[str] | None = None

    def add(self, entry: Entry, reasons: Sequence[str]) -> None:
        """One entry and why it was not written, or not all of it. Raises `Dhis2Error` when the file cannot be written."""
        self.count += 1
        for reason in dict.fromkeys(reasons):
            first, count = self._reasons.get(reason, (entry.label, 0))
            self._reasons[reason] = (first, count + 1)
        told = "; ".join(dict.fromkeys(reasons))
        if len(self._entries) < KEPT:
            self._entries.append((entry.label, told))
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("a" if self._begun else "w", encoding="utf-8", newline="")
            if entry.sheet and self.sheet is not None:
                self._row(self._file, entry, told, self.sheet)
            else:
                self._file.write(json.dumps({"reason": told, **(entry.given or entry.body)}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise NotWritten(
                f"{self.path} cannot be written: {error.strerror or error}", hint="make room on the disk"
            ) from error
        self._begun = True

    def _row(self, file: TextIO, entry: Entry, told: str, sheet: Sheet) -> None:
        if self._writer is None:
            headers: list[str] = ["row", *sheet.own_columns(), *(entry.given or {}), "reason"]
            self._headers = self._headers or list(dict.fromkeys(headers))
            self._writer = csv.DictWriter(file, self._headers, extrasaction="ignore")
            if not self._begun:
                self._writer.writeheader()
        self._writer.writerow({**(entry.given or {}), "row": entry.place, "reason": told})

    def close(self) -> None:
        """No more come for now."""
        if self._file is not None:
            self._file.close()
            self._file = self._writer = None

    def deliver(self) -> str:
        """Where all that was refused is, in words: where it was wanted, when all has been sent."""
        self.close()
        return delivered(self.path, self.wanted if self.count else None)

    def lines(self) -> list[str]:
        """The reasons, the most frequent first, each with how many and the first of them."""
        ranked = sorted(self._reasons.items(), key=lambda item: -item[1][1])
        told = [
            f"{first}{f' and {counted(count - 1, "other")}' if count > 1 else ''}: {reason}"
            for reason, (first, count) in ranked[:NAMED]
        ]
        more = len(ranked) - NAMED
        return [*told, *([f"and {more:,} more reasons"] if more > 0 else [])]

    def failures(self) -> list[Row]:
        """The refused entries as the failures of a summary; of very many the rest is counted."""
        rows: list[Row] = [{"type": "tracker", "name": label, "message": told} for label, told in self._entries]
        more = self.count - len(rows)
        return [
            *rows,
            *(
                [{"type": "tracker", "name": f"{more:,} more", "message": f"see {self.path}", "rows": more}]
                if more
                else []
            ),
        ]
