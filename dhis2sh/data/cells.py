"""Data values as rows: their columns, and what makes two of them the same cell.

API source: `DataValue.java`, `DataValueSetController.java` (api-facts f).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.client.data_values import COLUMNS

if TYPE_CHECKING:
    from dhis2sh.types import Row

KEY = ("dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo")
"""What names a cell; of two values with the same five the later one wins."""
DEFAULTED = ("categoryOptionCombo", "attributeOptionCombo")
"""Where a row says nothing, the server takes its default combination."""
SENT = (*KEY, "value", "comment", "followup", "deleted")
"""What is sent of a row. Who stored it, and when, is the server's to say."""
SHOWN = (*KEY, "value", "storedBy", "lastUpdated", "comment", "followup")
"""The columns that a list of values has."""
UNREAD = " unread"
"""Where a row on its way has the cells of the columns that hold nothing of a value, by header; no header begins with a blank."""
NAMES = " names"
"""Where a row on its way has what stands in the columns of names beside those of UIDs, by the latter."""
ASIDE = " aside"
"""Where a value of a wide sheet has the header of its column, if that is what people call totals and row numbers."""
REASON = " reason"
"""Where a row of our own file of refused rows has why it was refused."""

__all__ = ["ASIDE", "COLUMNS", "DEFAULTED", "KEY", "NAMES", "REASON", "SENT", "SHOWN", "UNREAD", "cell_of"]


def cell_of(row: Row, default: str) -> str:
    """The cell of a row as one text.

    Parameters:
        default: the server's default category option combination, for a row that names none.
    """
    combo, attribute_combo = row.get("categoryOptionCombo") or default, row.get("attributeOptionCombo") or default
    return f"{row.get('dataElement')}.{row.get('period')}.{row.get('orgUnit')}.{combo}.{attribute_combo}"
