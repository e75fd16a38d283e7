"""Facts of 2.42 that the sandbox answers with: names, types, defaults, codes and the words of its checks, distilled from recordings.

May import: nothing.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue


@cache
def fact(name: str) -> JsonValue:
    """The content of `NAME.json` beside this file. Shared: callers must not change it."""
    return json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))
