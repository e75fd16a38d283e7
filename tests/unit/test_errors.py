"""What our errors tell people to do can be done."""

import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import MissingExtra


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'dhis2sh[frames]'"),
        (
            {"url": "file:///home/ann/my%20shell", "dir_info": {"editable": True}},
            "pip install -e '/home/ann/my shell[frames]'",
        ),
        ({"url": "file:///home/ann/shell", "dir_info": {}}, "pip install 'dhis2sh[frames] @ file:///home/ann/shell'"),
        (
            {"url": "file:///tmp/dhis2sh-0.1.0-py3-none-any.whl", "archive_info": {}},
            "pip install 'dhis2sh[frames] @ file:///tmp/dhis2sh-0.1.0-py3-none-any.whl'",
        ),
        (
            {"url": "https://git.example.org/shell", "vcs_info": {"vcs": "git", "commit_id": "1" * 40}},
            "pip install 'dhis2sh[frames] @ git+https://git.example.org/shell'",
        ),
    ],
    ids=["an index", "an editable checkout", "a folder", "a wheel", "git"],
)
def test_an_extra_is_installed_from_where_dhis2sh_came(
    origin: dict[str, Any] | None, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in no index yet: its name alone would find nothing, or what somebody else has put there."""
    told = tmp_path / "dhis2sh-0.1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.4\nName: dhis2sh\nVersion: 0.1.0\n", "utf-8")
    if origin is not None:
        (told / "direct_url.json").write_text(json.dumps(origin), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert MissingExtra("df", "frames").hint == command
