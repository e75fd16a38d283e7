"""Columns of a sheet by which values are told apart: of categories, or of option combinations under a name of the sheet's own.

API source: `GET /api/categories`, `GET /api/categoryOptionCombos`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import Row

type Ask = Callable[[Sequence[Row], Sequence[str]], Awaitable[list[str]]]
"""Of rows and of headers that say nothing by themselves those that are categories."""
MOST = 50
"""Different cells of a column that are looked at."""


def asking(s: Session) -> Ask:
    """What a session's server says of columns.

    What it gives raises `UsageError` for a column whose cells are option combinations and whose name does not say so.
    """

    async def ask(rows: Sequence[Row], headers: Sequence[str]) -> list[str]:
        texts = {header: found for header in headers if (found := _texts(rows, header))}
        for key in ("name", "code"):
            known = await names.by_key(s, "dataElements", key, list(texts)) if texts else {}
            texts = {header: found for header, found in texts.items() if header not in known}
        if not texts:
            return []
        categories = await names.by_key(s, "categories", "name", list(texts))
        asked = list(dict.fromkeys(text for found in texts.values() for text in found))
        combos = await names.by_key(s, "categoryOptionCombos", "name", asked)
        for header, found in texts.items():
            hits = [text for text in found if text in combos]  # a total may stand among them
            if 2 * len(hits) > len(found) and not (header in categories and await _are_options(s, hits)):
                raise UsageError(
                    f"the cells of '{header}' are category option combinations ('{hits[0]}'), which its name does not say",
                    hint=f"call the column '{header}' 'Category option combo'",
                )
        return [header for header in texts if header in categories]

    return ask


async def _are_options(s: Session, texts: Sequence[str]) -> bool:
    return len(await names.by_key(s, "categoryOptions", "name", texts)) == len(texts)


def _texts(rows: Sequence[Row], header: str) -> list[str]:
    """The different texts of a column; none where it holds anything else, such as values."""
    cells = [cell for row in rows if (cell := row.get(header)) not in (None, "")]
    if not all(isinstance(cell, str) and any(map(str.isalpha, cell)) for cell in cells):
        return []
    return list(dict.fromkeys(str(cell).strip() for cell in cells))[:MOST]
