"""JSON of answers, large ones too, as Python has it."""

from __future__ import annotations

import gc
from typing import Any

import orjson


def parsed(data: bytes | str) -> Any:
    """JSON as Python has it. Raises `orjson.JSONDecodeError`.

    Nothing of it can be garbage yet, so that none is looked for meanwhile: a third of the time where much is nested.
    """
    looks = gc.isenabled()
    gc.disable()
    try:
        return orjson.loads(data)
    finally:
        if looks:
            gc.enable()
