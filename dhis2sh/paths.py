"""Where dhis2sh keeps its files: configuration, data (the sandbox, histories) and caches (name indexes)."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_MARK = ".dhis2sh."
ABANDONED = 600.0
"""Seconds after which a temporary file of a process that is gone is nobody's."""


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
def replacing(path: Path, *, mode: int = 0o644) -> Generator[Path]:
    """A new file beside another one, with its ending, to be written; renamed into place when the block ends well, else removed.

    Nobody can foresee its name, so that no link waits there; what a process that was killed has left is swept away.

    Parameters:
        path: the file to be; it keeps rights that are narrower than `mode`.
        mode: the rights that it gets.

    Raises `OSError` for what is no file and could not be replaced by one, such as a folder or a device.
    """
    _checked(path)
    if path.exists():
        mode &= stat.S_IMODE(path.stat().st_mode)
    _sweep(path)
    temporary = path.with_name(f"{_MARK}{os.getpid()}.{os.urandom(8).hex()}.{path.name[-100:]}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _checked(path: Path) -> None:
    """Raise `OSError` for what no file can be called, a folder, and a device: it would be gone."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "no file has such a name", str(path))
    if not path.name or path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file", str(path))


def _sweep(path: Path) -> None:
    """Remove what writes of a file have left behind whose process was killed."""
    with suppress(OSError), os.scandir(path.parent) as found:  # a folder that is not there has nothing left behind
        names = [entry.name for entry in found if entry.name.startswith(_MARK)]
        for name in names:
            pid, _, rest = name.removeprefix(_MARK).partition(".")
            left = path.with_name(name)
            if rest.partition(".")[2] != path.name[-100:] or not pid.isdecimal() or alive(int(pid)):
                continue
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink(missing_ok=True)


_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST_NAME = 200
"""Bytes of a file's name; most systems take 255, and a temporary name is longer than its file's."""


def safe_name(name: str) -> str | None:
    """A name that somebody else gave a file, as one that is safe in any folder; None where nothing is left of it.

    It is no path, hides nothing (no dot at its beginning, no character that turns the direction of a text), and is no device.
    """
    last = _NOT_IN_NAMES.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip().lstrip(".").rstrip(". ")
    if not last.strip("_"):
        return None
    if _DEVICES.fullmatch(last):
        last = f"_{last}"
    stem, dot, ending = last.rpartition(".")
    ending = f"{dot}{ending}" if dot and len(ending) < 20 else ""
    stem = stem if ending else last
    room = LONGEST_NAME - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending


def alive(pid: int) -> bool:
    """Whether there is such a process here, as far as this system says."""
    if os.name == "nt":  # where signal 0 is no question
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def writing(path: Path, *, mode: int = 0o644) -> Generator[TextIO]:
    """A text file to write into: a temporary name beside it, renamed into place when the block ends well.

    Raises `OSError` when the folder cannot be written, and as `replacing`.
    """
    _checked(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode=mode) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file
        file.flush()


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
