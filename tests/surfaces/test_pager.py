"""What does not fit the screen goes through a pager, which what is typed ahead may reach."""

import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.surfaces.ipython import pager


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input is a terminal; where its keys are pressed."""
    keys, screen = pty.openpty()
    with os.fdopen(screen, "r") as seen:
        monkeypatch.setattr(sys, "stdin", seen)
        yield keys
    os.close(keys)


@pytest.mark.parametrize("typed", ["| rm -r here", "analytics query ...\n"])
def test_who_has_typed_on_gets_no_pager_and_keeps_what_was_typed(
    typed: str, terminal: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    looks = tmp_path / "looks"
    looks.write_text(f"#!/bin/sh\ncat > {ran}\n")
    looks.chmod(0o700)
    monkeypatch.setenv("PAGER", str(looks))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("DHIS2SH_PAGER", raising=False)
    pager.show("first\n" * 200)
    assert ran.read_text().startswith("first")
    os.write(terminal, typed.encode())
    pager.show("second\n" * 200)
    assert ran.read_text().startswith("first")
    assert capsys.readouterr().out.startswith("second")
    os.write(terminal, b"" if typed.endswith("\n") else b"\n")
    assert sys.stdin.readline().strip() == typed.strip()


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


def test_what_ipython_shows_of_a_name_goes_through_the_same_pager(
    sandbox_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from IPython.core.page import page

    from dhis2sh.surfaces.ipython import shell as shells

    shown: list[tuple[str, bool]] = []

    def show(text: str, *, wanted: bool = True, scrolls: bool = False) -> None:
        shown.append((text, wanted))

    shells.Dhis2Shell.clear_instance()
    monkeypatch.setattr(pager, "show", show)
    shell = shells.make_shell("sandbox")
    try:
        page("one\ntwo", start=1)
        page({"text/plain": "three"})
    finally:
        assert shell.runner is not None
        shell.runner.close()
        shell.history_manager.end_session()
        shells.Dhis2Shell.clear_instance()
    assert shown == [("two", True), ("three", True)]
