"""Where the recordings of real servers are, if this checkout has them beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared"
SHARED: Path | None = _BESIDE if (_BESIDE / "real" / "v42").is_dir() else None

needs_shared = pytest.mark.skipif(
    SHARED is None, reason="../shared (recordings of real DHIS2 servers) is not beside this checkout"
)


def shared(*parts: str) -> Path:
    """The path of a recording; only for tests marked `needs_shared`."""
    assert SHARED is not None, "mark the test with @needs_shared"
    return SHARED.joinpath(*parts)


def exchanges(version: str) -> Iterator[dict[str, Any]]:
    """What real servers of a version, such as `v42`, were asked and answered, scenario by scenario."""
    for path in sorted(shared("wire", version).glob("*.jsonl")):
        for line in path.read_text().splitlines():
            yield json.loads(line)
