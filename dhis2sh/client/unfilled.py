"""Texts of a server in which it has not put what they speak of: ``Cron expression is invalid: `{0}` `` (recorded: E7005, E2005, E2009).

Where the arguments stand beside the text it is completed with them; else it says that the server does not name it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLACE = re.compile(r"\{(\d)\}")
_LAST = re.compile(r"\s*:\s*[`'\"]?\{(\d)\}[`'\"]?\s*$")
_NOT_NAMED = "(the server does not say which)"


def completed(text: str, arguments: Sequence[object] = ()) -> str:
    """A text of a server without the places that it left empty.

    Parameters:
        text: as it came.
        arguments: what belongs in its places, where the server has sent that.
    """
    missing = [place for place in _PLACE.finditer(text) if int(place[1]) >= len(arguments)]
    if missing and (last := _LAST.search(text)) is not None and int(last[1]) >= len(arguments):
        text = text[: last.start()]
    filled = _PLACE.sub(lambda place: str(arguments[int(place[1])]) if int(place[1]) < len(arguments) else "…", text)
    return f"{filled} {_NOT_NAMED}" if missing else filled
