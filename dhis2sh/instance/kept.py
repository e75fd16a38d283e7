"""Files of servers that are about to go, kept on this machine so that `undo` can bring them back.

A server keeps nothing of a document, a logo or an app that was taken away, and the journal is no place for files. They lie
under their MD5 sums, by which DHIS2 knows contents too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from dhis2sh import paths
from dhis2sh.changes.journal import JournalError, every, of
from dhis2sh.client import bodies

MOST = 2 * 1024**3
"""Bytes that are kept at the most; beyond, the files that were kept first go."""
_SUM = re.compile(r"[0-9a-f]{32}")


def place(digest: str) -> Path:
    """Where a file with this MD5 sum lies, or is to be put; nobody else may look into the folder."""
    folder = paths.data_dir() / "kept"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / digest


def find(digest: object) -> Path | None:
    """The file with this MD5 sum; None where it is not kept (any more)."""
    path = place(digest) if isinstance(digest, str) and _SUM.fullmatch(digest) else None
    return path if path is not None and path.is_file() else None


def files() -> list[Path]:
    """All that is kept, the latest first."""
    found = [path for path in place("").iterdir() if _SUM.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def read(digest: object) -> bytes | None:
    """What `find` finds."""
    path = find(digest)
    return None if path is None else path.read_bytes()


async def keep(content: bytes | Path, digest: str) -> None:
    """Keep a copy of bytes or a file, whose MD5 sum is known. Raises `Dhis2Error`, `NotFound` for no such file."""
    if find(digest) is None:
        pieces = _one(content) if isinstance(content, bytes) else bodies.pieces_of(content, unpack=False)
        await bodies.write_to(place(digest), pieces, as_is=True)
    sweep(digest)


async def _one(content: bytes) -> AsyncGenerator[bytes]:
    yield content


def sweep(latest: str) -> None:
    """Forget the oldest where too much is kept.

    Parameters:
        latest: what has just been kept, and stays.
    """
    place(latest).touch()
    found = files()[::-1]
    size = sum(path.stat().st_size for path in found)
    for path in found:
        if size <= MOST:
            return
        if path.name != latest:
            size -= path.stat().st_size
            path.unlink(missing_ok=True)


def of_profile(profile: str) -> set[str]:
    """The MD5 sums that a profile's journal names; none where it cannot be read."""
    try:
        return of(profile).files()
    except JournalError:
        return set()


def forget(digests: Iterable[str]) -> int:
    """Delete files that nobody can bring back any more, since no journal of this machine names them; returns how many."""
    gone = {*digests}
    try:
        gone -= {name for journal in every() for name in journal.files()} if gone else set()
    except JournalError:  # what it needs is not known; who writes it says what is wrong with it
        return 0
    found = [path for digest in gone if (path := find(digest)) is not None]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def md5_of(content: bytes | Path) -> str:
    """The MD5 sum of bytes, or of a file, which is read in pieces. Raises `OSError`."""
    if isinstance(content, bytes):
        return hashlib.md5(content, usedforsecurity=False).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
