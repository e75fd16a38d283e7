"""JSON on a command line, from which a shell has taken the quotes: what was meant, for the line that a hint shows."""

from __future__ import annotations

import json
import re

_BARE = re.compile(r"(?<![\w\"'.-])'?([^\W\d][\w .-]*?)'?(?=\s*[:,\]}]|$)")
_CONSTANTS = frozenset({"true", "false", "null"})


def meant(text: str) -> str:
    """The JSON that a text was most likely meant for: as it is, with the quotes that a shell has taken, or as a string.

    Parameters:
        text: what somebody gave as JSON.
    """
    quoted = _BARE.sub(lambda word: word[0] if word[1] in _CONSTANTS else json.dumps(word[1], ensure_ascii=False), text)
    for candidate in (text, quoted) if text.lstrip()[:1] in {"{", "["} else (text,):
        try:
            json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        return candidate
    return json.dumps(text, ensure_ascii=False)
