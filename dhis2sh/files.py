"""JSON in files and texts, gzipped or not, and how much of it is believed: what is unpacked, nested or repeated without end."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast, override

from dhis2sh.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Buffer

    from dhis2sh.types import JsonObject, JsonValue

ZIP = b"PK\x03\x04"
FREE, RATIO = 256 * 1024 * 1024, 200
"""So many bytes may come out of gzip whatever went in; beyond, no more than so many for each: data packs to a tenth."""
LARGEST = 2 * 1024 * 1024 * 1024
"""The most bytes of a file that is read as a whole."""
DEEPEST, MOST = 200, 2_000_000
"""How deep a text may be nested, and how many values may come of it, each alias of YAML counted as what it repeats."""


def check_beside(option: str, path: Path, given: Path | None) -> None:
    """Raise `UsageError` where what an option writes would be written over what was given, or is a folder.

    Parameters:
        option: as it is written, such as `--rejected`.
        path: the file that it names; given: what is read, if it is a file.
    """
    there = path.exists()
    if given is not None and (path.resolve() == given.resolve() or (there and given.exists() and path.samefile(given))):
        raise UsageError(f"{option} {path} is the file that is read: it would be lost", hint=f"choose another {option}")
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder", hint=f"{option} {path / 'mend.csv'}")


def is_bomb(packed: int, plain: int) -> bool:
    """Does gzip unpack to what no data does? Both are bytes."""
    return plain > FREE and plain > RATIO * packed


class _Bomb(OSError):
    """A file of gzip that holds more than any data would come to."""


class _Packed(io.RawIOBase):
    """What a gzipped file holds, which it closes with itself. Raises `OSError` where that is more than any data comes to."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file, self._unpacked = file, gzip.GzipFile(fileobj=file)
        self._plain = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._plain = self._unpacked.seek(offset, whence)
        return self._plain

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        found = self._unpacked.read1(len(memoryview(buffer)))
        memoryview(buffer)[: len(found)] = found
        self._plain += len(found)
        packed = self._file.tell()
        if is_bomb(packed, self._plain):
            raise _Bomb(f"{packed:,} bytes of gzip unpack to more than {self._plain:,}")
        return len(found)

    @override
    def close(self) -> None:
        self._unpacked.close()
        self._file.close()
        super().close()


def open_packed(path: Path) -> IO[bytes]:
    """A gzipped file, opened for reading; reading raises `OSError`, `EOFError` and `zlib.error`."""
    return io.BufferedReader(_Packed(path.open("rb")), 256 * 1024)


def read_object(path: Path) -> JsonObject:
    """The JSON object in a file: plain, gzipped, or alone in a .zip; in UTF-8, or in UTF-16 with its mark.

    Raises `NotFound` for no such file, `UsageError` for one that is no JSON object, cut off, or larger than anybody can use.
    """
    import orjson

    try:
        with path.open("rb") as plain:
            begins = plain.read(4)
        if begins == ZIP:
            raw = _unzipped(path)
        else:
            with open_packed(path) if begins[:2] == b"\x1f\x8b" else path.open("rb") as file:
                raw = file.read(LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{path} is no gzip, or cut off: {error}", hint="export it again") from error
    except _Bomb as error:
        raise UsageError(f"{path}: {error}: nobody exports such data", hint="ask who made it") from error
    except (OSError, ValueError) as error:
        raise NotFound(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}", hint="check the path"
        ) from error
    if len(raw) > LARGEST:
        raise UsageError(f"{path} holds more than {LARGEST // 1024**3} GB", hint="export fewer types at a time")
    try:
        body = orjson.loads(in_utf8(raw))
    except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not JSON, or cut off: {error}", hint="export it again") from error
    if not isinstance(body, dict):
        raise UsageError(
            f"{path} is not an export: a JSON object was expected", hint="dhis2 metadata export --out FILE"
        )
    return cast("JsonObject", body)


def in_utf8(raw: bytes) -> bytes:
    """A text without its byte order mark; one in UTF-16, which its mark says, in UTF-8. Raises `UnicodeDecodeError`."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16").encode()
    return raw.removeprefix(codecs.BOM_UTF8)


def _unzipped(path: Path) -> bytes:
    """The one JSON file of a .zip. Raises `UsageError` where there is none, or several, and for what is broken or a bomb."""
    import zipfile  # start-up: few files are zipped

    try:
        with zipfile.ZipFile(path) as packed:
            found = [one for one in packed.infolist() if one.filename.lower().endswith(".json")]
            if len(found) != 1:
                names = ", ".join(one.filename for one in found[:5]) or "none"
                raise UsageError(
                    f"{path} holds not one JSON file: {names}", hint="unpack it, and name the one that is meant"
                )
            with packed.open(found[0]) as file:
                raw = file.read(min(LARGEST, max(FREE, RATIO * found[0].compress_size)) + 1)
            if is_bomb(found[0].compress_size, len(raw)):
                raise UsageError(f"{path}: {found[0].filename} unpacks to more than any data", hint="ask who made it")
            return raw
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is no zip that can be read: {error}", hint="unpack it, and name the file") from error


def parse_json(text: str, where: str) -> JsonValue:
    """JSON that somebody wrote.

    Parameters:
        where: what the text is called in messages.

    Raises `UsageError` for what is none, `NaN` and the like too, and what is nested too deeply.
    """
    try:
        return cast("JsonValue", json.loads(text, parse_constant=_no_constant))
    except RecursionError:
        raise UsageError(f"{where} is nested too deeply", hint="objects of DHIS2 are nested a few times") from None
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}", hint="strings and names stand in double quotes") from None


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no number")


def checked_size(value: JsonValue, where: str) -> JsonValue:
    """The same value. Raises `UsageError` where it holds itself, or aliases make more of it than anybody has written."""
    sizes: dict[int, int] = {}

    def size_of(item: JsonValue, depth: int) -> int:
        if not isinstance(item, (dict, list)):
            return 1
        if depth > DEEPEST or sizes.get(id(item)) == 0:
            raise UsageError(f"{where} is nested too deeply", hint="objects of DHIS2 are nested a few times")
        if id(item) not in sizes:
            sizes[id(item)] = 0  # until it is counted: who comes by again is inside of it
            sizes[id(item)] = 1 + sum(
                size_of(inner, depth + 1) for inner in (item.values() if isinstance(item, dict) else item)
            )
        if sizes[id(item)] > MOST:
            raise UsageError(f"the aliases of {where} make too much of it", hint="write out what they stand for")
        return sizes[id(item)]

    size_of(value, 0)
    return value
