"""What does not fit the screen goes through a pager, which what is typed ahead may reach."""

import sys
from pathlib import Path

import pytest

from dhis2sh.surfaces.ipython import pager


@pytest.mark.parametrize(("given", "seen"), [(None, "1"), ("0", "0")])
def test_what_is_typed_ahead_writes_no_file_and_runs_no_command(
    given: str | None, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    looks = tmp_path / "looks"
    looks.write_text(f'#!/bin/sh\ncat > /dev/null\nprintf %s "$LESSSECURE" > {told}\n')
    looks.chmod(0o700)
    monkeypatch.delenv("LESSSECURE", raising=False)
    if given is not None:
        monkeypatch.setenv("LESSSECURE", given)
    monkeypatch.setenv("DHIS2SH_PAGER", str(looks))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    pager.show("a line\n" * 200)
    assert told.read_text() == seen
