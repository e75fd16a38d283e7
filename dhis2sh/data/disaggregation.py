"""Columns of a sheet by which values are told apart: of categories, or of option combinations under a name of the sheet's own.

API source: `GET /api/categories`, `GET /api/categoryOptionCombos`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.data.named import TYPES
from dhis2sh.errors import UsageError
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import Row

MOST = 50
"""Different cells of a column that are looked at."""


class Columns:
    """What a server knows of columns whose names say nothing by themselves.

    Parameters:
        s: whose server it is.
    """

    def __init__(self, s: Session) -> None:
        self._s = s

    async def categories(self, rows: Sequence[Row], headers: Sequence[str]) -> list[str]:
        """The headers that are categories.

        Raises `UsageError` for a column whose cells are option combinations and whose name does not say so.
        """
        texts = {header: found for header in headers if (found := _texts(rows, header))}
        texts = {header: texts[header] for header in await self.no_elements(list(texts))}
        if not texts:
            return []
        categories = await names.by_key(self._s, "categories", "name", list(texts))
        asked = list(dict.fromkeys(text for found in texts.values() for text in found))
        combos = await names.by_key(self._s, "categoryOptionCombos", "name", asked)
        for header, found in texts.items():
            hits = [text for text in found if text in combos]  # a total may stand among them
            if 2 * len(hits) > len(found) and not (header in categories and await _are_options(self._s, hits)):
                raise UsageError(
                    f"the cells of '{header}' are category option combinations ('{hits[0]}'), which its name does not say",
                    hint=f"call the column '{header}' 'Category option combo'",
                )
        return [header for header in texts if header in categories]

    async def no_elements(self, headers: Sequence[str]) -> list[str]:
        """The headers that are neither the name nor the code of a data element."""
        left = list(headers)
        for key in ("name", "code"):
            known = await names.by_key(self._s, "dataElements", key, left) if left else {}
            left = [header for header in left if header not in known]
        return left

    async def objects(self, rows: Sequence[Row], headers: Sequence[str], kinds: Sequence[str]) -> dict[str, str]:
        """The headers below which stand names or codes of data elements, or of units, with which of them.

        Parameters:
            kinds: of those by DHIS2's names of columns, `dataElement` and `orgUnit`.
        """
        texts = {header: found for header in headers if (found := _texts(rows, header))}
        asked = list(dict.fromkeys(text for found in texts.values() for text in found))
        told: dict[str, str] = {}
        for kind in kinds if asked else ():
            known: set[str] = set()
            for key in ("name", "code"):
                known |= (await names.by_key(self._s, TYPES[kind], key, asked)).keys()
            for header, found in texts.items():
                if 2 * sum(text in known for text in found) > len(found):
                    told.setdefault(header, kind)
        return told


async def _are_options(s: Session, texts: Sequence[str]) -> bool:
    return len(await names.by_key(s, "categoryOptions", "name", texts)) == len(texts)


def _texts(rows: Sequence[Row], header: str) -> list[str]:
    """The different texts of a column; none where it holds anything else, such as values."""
    cells = [cell for row in rows if (cell := row.get(header)) not in (None, "")]
    if not all(isinstance(cell, str) and any(map(str.isalpha, cell)) for cell in cells):
        return []
    return list(dict.fromkeys(str(cell).strip() for cell in cells))[:MOST]
