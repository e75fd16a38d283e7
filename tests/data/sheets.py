"""Sheets as people make them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dhis2sh.errors import Refused, UsageError
from dhis2sh.session import Session
from tests.metadata.calls import do


def workbook(
    rows: list[list[object]],
    sheets: int = 1,
    merged: str | None = None,
    blocks: Sequence[tuple[int, int, int, int, str]] = (),
    left: int = 0,
) -> Path:
    """A workbook as a person makes it: with merged cells (first row and column, last ones, text), and columns left of it."""
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook("sheet.xlsx", {"default_date_format": "mmm yy"})
    for _ in range(sheets):
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, left, row)
        for top, first, bottom, last, text in blocks:
            sheet.merge_range(top, first + left, bottom, last + left, text)
        if merged is not None:
            sheet.merge_range(merged, rows[0][1])
    book.close()
    return Path("sheet.xlsx")


async def refused(s: Session, sheet: Path, **more: object) -> str:
    """The reasons of a load of which nothing is sent."""
    with pytest.raises((Refused, UsageError)) as caught:
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"), **more)
    return str(caught.value)
