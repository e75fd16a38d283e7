"""The last refusal of a server, kept so that `explain` can put it into words, in another process too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.errors import Dhis2Error, PartlyDone, Refused

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


def keep(error: Dhis2Error) -> None:
    """Remember a server's refusal, its whole envelope with it, secrets taken out."""
    from dhis2sh.client.tracing import redact

    kept: JsonObject = {
        "error": type(error).__name__,
        "message": error.message,
        "code": error.code,
        "hint": error.hint,
        "status": error.status if isinstance(error, Refused) else None,
        "envelope": _envelope(error),
    }
    paths.write_quietly(_file(), redact(json.dumps(kept, ensure_ascii=False)))


def _envelope(error: Dhis2Error) -> JsonObject | None:
    """The server's whole answer; of a write that was done in part, that of its summary."""
    holder = error.summary if isinstance(error, PartlyDone) else error
    return getattr(holder, "envelope", None)


def last() -> JsonObject | None:
    """What was kept last, or None."""
    try:
        kept = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return cast("JsonObject", kept) if isinstance(kept, dict) else None


def _file() -> Path:
    return paths.data_dir() / "last-refusal.json"
