"""Where dhis2sh keeps its files: configuration, data (the sandbox, histories) and caches (name indexes)."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def _folder(kind: str) -> Path:
    """`DHIS2SH_HOME` puts all three below one folder (tests, portable installs)."""
    home = os.environ.get("DHIS2SH_HOME")
    if home:
        return Path(home) / kind
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("dhis2sh", appauthor=False))


def config_dir() -> Path:
    """The user's profiles and start-up files."""
    return _folder("config")


def data_dir() -> Path:
    """The sandbox's file and the shell's history."""
    return _folder("data")


def cache_dir() -> Path:
    """What can be made again: name indexes, the plugin list, servers' facts."""
    return _folder("cache")


def startup_dir() -> Path:
    """The numbered start-up files that are shipped: beside the package when installed, else in the checkout."""
    inside = Path(__file__).parent / "startup"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "startup"


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary name beside a file, with its ending; renamed into place when the block ends well, else removed."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path, *, mode: int = 0o644) -> Generator[TextIO]:
    """A text file to write into: a temporary name beside it, renamed into place when the block ends well.

    Raises `OSError` when the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file


def write_atomic(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file under a temporary name beside it, then rename it into place.

    Raises `OSError` when the folder cannot be written.
    """
    with writing(path, mode=mode) as file:
        file.write(text)


def write_quietly(path: Path, text: str) -> None:
    """Write a cache; a disk that cannot be written only costs the cache."""
    try:
        write_atomic(path, text)
    except OSError:
        return
