"""JSON objects in files, gzipped or not."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import NotFound, UsageError

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


def read_object(path: Path) -> JsonObject:
    """The JSON object in a file, gzipped or not.

    Raises `NotFound` for no such file, `UsageError` for one that is no JSON object, or cut off.
    """
    import orjson

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
    try:
        body = orjson.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except (orjson.JSONDecodeError, OSError, EOFError) as error:
        raise UsageError(f"{path} is not JSON, or cut off: {error}", hint="export it again") from error
    if not isinstance(body, dict):
        raise UsageError(f"{path} is not an export: a JSON object was expected")
    return cast("JsonObject", body)
