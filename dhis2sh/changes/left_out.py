"""What a write of many leaves out: each by name and with the reason, in its plan and in its result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.types import Row


def left_out(type: str, named: Iterable[tuple[str, str | None]], reason: str) -> list[Row]:
    """Rows of what is left out for one reason.

    Parameters:
        type: what they are; named: the UID and the name of each.
    """
    return [{"type": type, "uid": uid, "name": name or uid, "reason": reason} for uid, name in named]
