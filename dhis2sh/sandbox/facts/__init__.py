"""Facts of 2.42 that the sandbox answers with: names, types, defaults, codes and the words of its checks, distilled from recordings.

May import: nothing.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


@cache
def fact(name: str) -> JsonValue:
    """The content of `NAME.json` beside this file. Shared: callers must not change it."""
    return json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))


@cache
def fact_of(name: str, minor: int) -> JsonObject:
    """The same as a version has it: `NAME_by_version.json` says what other versions have otherwise, null for what they lack."""
    usual, other = cast("JsonObject", fact(name)), cast("JsonObject", fact(f"{name}_by_version")).get(str(minor))
    found = usual | cast("JsonObject", other or {})
    return {key: value for key, value in found.items() if value is not None}
