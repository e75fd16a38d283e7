"""Where loads keep their parts, `<data>/jobs/<profile>/<name>`, and when their folders go: what is sent may be of persons.

A folder stays while the journal has a write of it that can be taken back (it holds what was there before), and while it
is cut off (the same line goes on with it) and was not taken back. Any other that is a day old goes: what was only planned, what
the journal has forgotten, what was taken back. `<name>` is also the first word of the digests of its parts in the journal.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Generator
from pathlib import Path

from dhis2sh import paths
from dhis2sh.changes import journal
from dhis2sh.errors import Dhis2Error, NotWritten

KEPT_FOR = 24 * 3600.0
"""Seconds for which a folder stays that nobody needs: its plan may still be looked at, its refused rows be mended."""


def folder(profile: str) -> Path:
    """Where the loads of a profile are."""
    return paths.data_dir() / "jobs" / profile


@contextlib.contextmanager
def kept_in(path: Path) -> Generator[None]:
    """Inside, what cannot be written raises `Dhis2Error`."""
    try:
        yield
    except OSError as error:
        raise NotWritten(
            f"the job cannot be kept in {path}: {error.strerror or error}", hint="make room on the disk"
        ) from error


def durable(path: Path, text: str) -> None:
    """A small file that is whole on the disk, or not there. Raises `Dhis2Error`."""
    with kept_in(path.parent):
        paths.write_atomic(path, text, mode=0o600)


def part(path: Path) -> bytes:
    """A file of a part. Raises `Dhis2Error` where its folder went, since its plan was made more than a day ago."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Dhis2Error(
            f"what was planned is not kept any more: {path.parent} is gone", hint="give the same line again"
        ) from None


def sweep(profile: str) -> int:
    """Delete the folders that nobody needs any more; returns how many. None where the journal cannot be read."""
    home = folder(profile)
    try:
        old = [path for path in home.iterdir() if path.is_dir() and _age(path) > KEPT_FOR]
    except FileNotFoundError:
        return 0
    try:
        known = journal.of(profile)
        needed, undone = (known.loads(), known.undone_loads()) if old else (set[str](), set[str]())
    except journal.JournalError:  # what it needs is not known; who writes it says what is wrong with it
        return 0
    gone = [path for path in old if path.name not in needed and (path.name in undone or not _cut_off(path))]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return len(gone)


def delivered(path: Path, wanted: Path | None) -> str:
    """A file of a job copied to where it is wanted; where it is, in words."""
    if wanted is None:
        return str(path)
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, wanted)
    except OSError as error:  # what was sent was sent
        return f"{path} ({wanted} cannot be written: {error.strerror})"
    return str(wanted)


def to_mend(path: Path, wanted: Path | None) -> str:
    """The file of a job that somebody mends, in words."""
    return str(wanted or f"a copy of {path}, which goes after a day (--rejected FILE makes one)")


def forget(profile: str) -> None:
    """Delete all folders of a profile whose server is gone."""
    shutil.rmtree(folder(profile), ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # another process swept it
        return 0.0


def _cut_off(path: Path) -> bool:
    """Did some of it go out, and has some of it no answer?"""
    stems = (body.name.removesuffix(".json.gz") for body in path.glob("*.json.gz"))
    return any(path.glob("*.sent")) and any(not (path / f"{stem}.answer.json").exists() for stem in stems)
