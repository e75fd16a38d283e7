"""Levels of the hierarchy as people name them: `2`, `LEVEL-2`, `District`, a UID."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.errors import UsageError
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.session import Session

LEVELS = "organisationUnitLevels"
_PREFIX = "LEVEL-"


async def number_of(s: Session, level: str | int | None) -> int | None:
    """The number of a level; None for none.

    Parameters:
        level: its number, name or UID, with or without `LEVEL-` before it.

    Raises `UsageError` for 0, `NotFound` that names the nearest.
    """
    if level is None:
        return None
    text = str(level)
    called = text[len(_PREFIX) :] if text.upper().startswith(_PREFIX) else text
    if called.isdecimal():
        if int(called) < 1:
            raise UsageError(f"level: {called} is too small, at least 1", hint="1 is the top of the hierarchy")
        return int(called)
    uid = await names.resolve(s, LEVELS, called)
    return int(cast("int", (await s.client.get_object(f"{LEVELS}/{uid}", {"fields": "level"}))["level"]))
