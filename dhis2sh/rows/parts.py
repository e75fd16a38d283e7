"""Rows that were asked for part by part, kept on the disk: a part is whole there, or is not there. Resuming is reading it.

<folder>/<key>.rows.gz   the rows of a part, a JSON array of them in each line
<folder>/<key>.cut       the part was too much at once: its halves are there in its place
"""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import orjson

from dhis2sh import paths
from dhis2sh.errors import Dhis2Error, NotWritten

if TYPE_CHECKING:
    from dhis2sh.types import Row

BATCH = 5_000
"""Rows of one line at most, and about so many are read at once: what came page by page has a line for each."""


class Parts:
    """The parts in a folder, which is made with the first of them.

    Parameters:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _file(self, key: str) -> Path:
        return self.path / f"{key}.rows.gz"

    def has(self, key: str) -> bool:
        """Is a part there?"""
        return self._file(key).exists()

    def since(self, key: str) -> float:
        """When a part was kept, as `time.time` has it."""
        return self._file(key).stat().st_mtime

    def is_cut(self, key: str) -> bool:
        """Was a part too much at once?"""
        return (self.path / f"{key}.cut").exists()

    def cut(self, key: str) -> None:
        """A part was too much at once."""
        with _room(self.path):
            self._made()
            (self.path / f"{key}.cut").touch(mode=0o600)

    def _made(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def writing(self, key: str) -> Generator[Callable[[Sequence[Row]], None]]:
        """A part to be written, which is there when the block ends well. Raises `Dhis2Error` for a full disk."""
        with _room(self.path):
            self._made()
            with paths.replacing(self._file(key), mode=0o600) as temporary, temporary.open("wb") as raw:
                with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as file:
                    yield lambda rows: _add(file, rows)
                raw.flush()
                os.fsync(raw.fileno())

    def read(self, key: str) -> Iterator[list[Row]]:
        """The rows of a part, in batches. Raises `Dhis2Error` for a damaged one, which is taken away."""
        held: list[Row] = []
        try:
            with gzip.open(self._file(key), "rb") as file:
                for line in file:
                    held += cast("list[Row]", orjson.loads(line))
                    if len(held) >= BATCH:
                        yield held
                        held = []
        except (EOFError, zlib.error, gzip.BadGzipFile, orjson.JSONDecodeError) as error:
            self.forget(key)
            raise Dhis2Error(
                f"a kept part was damaged: {error}", hint="the same line again asks for it anew"
            ) from error
        if held:
            yield held

    def forget(self, key: str) -> None:
        """Take a part away, and that it was cut."""
        self._file(key).unlink(missing_ok=True)
        (self.path / f"{key}.cut").unlink(missing_ok=True)

    def drop(self) -> None:
        """Take all of them away."""
        shutil.rmtree(self.path, ignore_errors=True)


def _add(file: gzip.GzipFile, rows: Sequence[Row]) -> None:
    for some in itertools.batched(rows, BATCH, strict=False):
        file.write(orjson.dumps(some, option=orjson.OPT_APPEND_NEWLINE))


@contextmanager
def _room(path: Path) -> Generator[None]:
    """What the disk refuses, in two lines."""
    try:
        yield
    except OSError as error:
        raise NotWritten(
            f"parts cannot be kept in {path}: {error.strerror}",
            hint="make room on the disk; what is kept stays, and the same line goes on",
        ) from error


def sweep(folder: Path, begins: str = "", *, but: str = "", older_than: float) -> None:
    """Take away folders of parts that nobody has used for a while.

    Parameters:
        folder: holds folders of parts; begins: only those whose names begin so; but: the one that stays.
        older_than: seconds since the last of their parts was kept.
    """
    with suppress(OSError):
        for inner in folder.iterdir():
            if inner.name.startswith(begins) and inner.name != but and time.time() - inner.stat().st_mtime > older_than:
                shutil.rmtree(inner, ignore_errors=True)
