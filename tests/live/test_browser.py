"""What a running server's own apps draw, in the Chromium of this machine: the first dashboard, visualization and map that it has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dhis2sh.errors import CheckFailed
from dhis2sh.pictures.browser.shots import Screenshot
from dhis2sh.session import Session
from tests.live.acting import alone, asked
from tests.live.place import Place
from tests.live.test_live_analytics import first_of

pytest.importorskip("playwright", reason="the extra 'browser' is not installed")
pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium on this machine"),
]


@pytest.mark.verbs("browser dashboard screenshot", "browser viz screenshot", "browser map screenshot")
@pytest.mark.parametrize(
    ("kind", "argument", "plural", "filters"),
    [
        ("dashboard", "dashboard", "dashboards", ["dashboardItems.type:eq:VISUALIZATION"]),
        ("viz", "visualization", "visualizations", ["type:eq:COLUMN"]),
        ("map", "map", "maps", []),
    ],
)
def test_a_picture_is_of_something_drawn(
    kind: str, argument: str, plural: str, filters: list[str], live: Place, tmp_path: Path
) -> None:
    async def taken(s: Session) -> None:
        uid = str((await first_of(s, plural, *filters))["id"])
        out = tmp_path / f"{kind}.png"
        try:
            shot = await asked(s, f"browser {kind} screenshot", **{argument: uid, "out": out, "timeout": 300})
        except CheckFailed as failed:  # the server says that it cannot draw it, and so does the picture
            shot = failed.findings
            assert isinstance(shot, Screenshot)
            assert shot.failed
        assert out.read_bytes().startswith(b"\x89PNG")
        assert shot.width > 0

    alone(taken)
