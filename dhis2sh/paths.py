"""Where dhis2sh keeps its files: configuration, data (the sandbox, histories) and caches (name indexes)."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TextIO

_MARK = ".dhis2sh."
ABANDONED = 600.0
"""Seconds after which a temporary file is nobody's whose process is not known here: another machine may share the folder."""


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

    Nobody can foresee its name, so that no link waits there. What libraries put beside it goes with it, and what a process that
    was killed has left in the folder is swept away.

    Parameters:
        path: the file to be; it keeps rights that are narrower than `mode`.
        mode: the rights that it gets.

    Raises `OSError` for what is no file and could not be replaced by one, such as a folder or a device.
    """
    _checked(path)
    if path.exists():
        mode &= stat.S_IMODE(path.stat().st_mode)
    _sweep(path.parent)
    begins = f"{_MARK}{os.getpid()}.{_here()}{os.urandom(8).hex()}."
    temporary = path.with_name(f"{begins}{path.name[-100:]}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        with suppress(OSError):  # the folder may be gone by now
            for beside in path.parent.glob(f"{begins}*"):
                beside.unlink(missing_ok=True)


@cache
def _here() -> str:
    """Which machine, and which of its containers: a process's number means nothing elsewhere."""
    try:
        place = Path("/proc/sys/kernel/random/boot_id").read_text("ascii") + str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "0" * 8  # where nobody can tell, a file has to be old too
    return f"{zlib.crc32(place.encode()):08x}"


def _checked(path: Path) -> None:
    """Raise `OSError` for what no file can be called, a folder, and a device: it would be gone."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "no file has such a name", str(path))
    if not path.name or path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file", str(path))


def _sweep(folder: Path) -> None:
    """Remove what writes into a folder have left behind whose process was killed."""
    with suppress(OSError), os.scandir(folder) as found:  # a folder that is not there has nothing left behind
        for name in [entry.name for entry in found if entry.name.startswith(_MARK)]:
            pid, _, rest = name.removeprefix(_MARK).partition(".")
            token = rest.partition(".")[0]
            if not pid.isdecimal() or not _TOKEN.fullmatch(token) or alive(int(pid)):
                continue
            ours = token.startswith(_here()) and not token.startswith("0" * 8)
            if ours or time.time() - (folder / name).stat().st_mtime > ABANDONED:
                (folder / name).unlink(missing_ok=True)


_TOKEN = re.compile("[0-9a-f]{24}")
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
