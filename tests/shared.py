"""Where the recordings of real servers are, if this checkout has them beside it."""

from pathlib import Path

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
