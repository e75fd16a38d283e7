"""Rows of an answer that is too large to hold: read from its bytes as they come, in batches.

What is held is one batch, and the piece of the answer that is being read. JSON is cut between two elements of the array
that was asked for and each cut parsed by the parser that reads every other answer, so values are the same as there.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, cast

import orjson

from dhis2sh.client.answers import PIECE, Garbage
from dhis2sh.client.parsing import parsed
from dhis2sh.errors import BrokenAnswer, NotDhis2, NotFound, UsageError

if TYPE_CHECKING:
    from dhis2sh.client.answers import AnswerStream
    from dhis2sh.types import JsonValue, Row

_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\],:]', re.S)
"""What structures JSON: whole strings and marks. A quote alone is a string whose end has not come yet."""
_BETWEEN = b"},{"
"""Where one row ends and the next begins, as every server writes it; inside a string or a nested list it can stand too."""
_LONG = 4 * PIECE
_BEGIN = re.compile(rb'\s*(\{"[^"\\]*":)')
"""How a row begins: rows of one array mostly begin with the same field, and what is nested in them with another."""
_TRIES = 40
"""So many places are tried before structure is counted: parsing a piece takes a hundredth of the time of counting it."""
_PAGED = frozenset({b'"pager"', b'"pageSize"'})
"""What an answer has beside its rows when it is a page."""


async def batches_of(answer: AnswerStream, key: str, size: int) -> AsyncGenerator[list[Row]]:
    """The rows of an answer, JSON or CSV as its content type says, in lists of `size`, the last one shorter.

    Parameters:
        answer: as it comes.
        key: the array of a JSON object that holds the rows; an array that is the whole answer needs none.
        size: rows in one list.

    Raises `NotFound` when there is no such array, `UsageError` for one page of a list, `NotDhis2` for neither JSON nor CSV, `BrokenAnswer` when it was cut off.
    """
    where = _where(answer)
    if "csv" in answer.content_type:
        found = rows_of_csv(aiter(answer))
    elif "json" in answer.content_type:
        found = rows_of_json(aiter(answer), key, where)
    else:
        raise NotDhis2(
            f"{where}: {answer.content_type or 'no content type'} came back, neither JSON nor CSV",
            hint="dhis2 profile verify",
        )
    batch: list[Row] = []
    async with aclosing(found) as lists:
        async for rows in lists:
            batch += rows
            while len(batch) >= size:
                yield batch[:size]
                del batch[:size]
    if batch:
        yield batch


def _where(answer: AnswerStream) -> str:
    return f"{answer.method} {answer.url.partition('?')[0]}"


# CSV ------------------------------------------------------------------------------------------------------------------


async def rows_of_csv(pieces: AsyncIterator[bytes], columns: Sequence[str] | None = None) -> AsyncGenerator[list[Row]]:
    """Rows of CSV with a header line, some at a time. A value may hold line breaks, in quotes; empty cells are left out.

    Parameters:
        pieces: the bytes as they come.
        columns: what the columns are called, in their order; as the header says without it.

    Raises `BrokenAnswer` for what is not UTF-8, for nothing at all (a server without rows sends the header), and for another
    header than that of `columns`.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest, names = "", None
    try:
        async for piece in pieces:
            text = rest + decoder.decode(piece)
            cut = _last_line_end(text)
            rest = text[cut:]
            names, rows = _cells(text[:cut], names, columns)
            if rows:
                yield rows
        _, rows = _cells(rest + decoder.decode(b"", final=True), names, columns)
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise BrokenAnswer("the server's CSV was cut off inside a letter", hint="try again") from error
        raise Garbage(f"the server's CSV is not UTF-8 ({error.reason})", hint="dhis2 profile verify") from error
    if names is None and not rest:
        raise BrokenAnswer("the server promised CSV and sent nothing", hint="try again")
    if rows:
        yield rows


def _cells(
    text: str, names: Sequence[str] | None, columns: Sequence[str] | None
) -> tuple[Sequence[str] | None, list[Row]]:
    """Whole lines as rows; the first line of all names the columns."""
    lines = csv.reader(io.StringIO(text, newline=""))  # splitlines would cut at U+2028 and the like
    if names is None:
        header = next(lines, None)
        if header and columns is not None and [name.lower() for name in header] != [name.lower() for name in columns]:
            raise Garbage(
                f"the server's CSV has other columns than those known: {', '.join(header)[:200]}",
                hint="dhis2 profile verify  shows which server answers",
            )
        names = columns if header and columns is not None else header
    return names, [
        {name: cell for name, cell in zip(names or (), cells, strict=False) if cell != ""} for cells in lines if cells
    ]


def _last_line_end(text: str) -> int:
    """Where the last whole row ends: a line break that is not inside quotes."""
    cut = text.rfind("\n") + 1
    while cut and text.count('"', 0, cut) % 2:
        cut = text.rfind("\n", 0, cut - 1) + 1
    return cut


# JSON -----------------------------------------------------------------------------------------------------------------


async def rows_of_json(pieces: AsyncIterator[bytes], key: str, where: str) -> AsyncGenerator[list[Row]]:
    """The objects in one array of a JSON answer, some at a time.

    Parameters:
        pieces: the bytes as they come.
        key: as of `batches_of`; `where` is the request, for messages.

    Raises `NotFound` when there is no such array, `BrokenAnswer` when it was cut off or is not JSON.
    """
    reader = _Reader(key, where)
    async for piece in pieces:
        if rows := reader.take(piece):
            yield rows
    if rows := reader.finish():
        yield rows


class _Reader:
    """Takes the bytes of an answer and gives the rows that are whole: the way to the array, its rows, what follows them.

    `_seen` bytes of the buffer are scanned, and `_depth` is where that scan is: below the answer, and inside the array
    below the array.
    """

    def __init__(self, key: str, where: str) -> None:
        self._key, self._where = key, where
        self._buffer: bytes = b""
        self._seen = self._depth = 0
        self._state: Literal["before", "inside", "after"] = "before"
        self._above = 0
        self._begun = self._object = self._whole = False
        self._owed = False
        """Stands a comma before what is left of the array?"""
        self._name = b""

    def take(self, piece: bytes) -> list[Row]:
        """The rows that this piece makes whole."""
        self._buffer += piece
        if not self._begun and not piece.isspace():
            self._begun, self._object = True, piece.lstrip().startswith(b"{")
        if self._state == "before":
            self._find()
        rows: list[Row] = []
        if self._state == "inside":
            quick = self._quickly()
            many = self._seen > 0 or len(self._buffer) > PIECE
            rows = self._scanned() if quick is None and many else quick or []
        if self._state == "after":
            self._pass()
        return rows

    def finish(self) -> list[Row]:
        """The answer has ended: the last rows. Raises `NotFound` without the array, `BrokenAnswer` where it was cut off."""
        rows = self._scanned() if self._state == "inside" else []
        if self._state == "after":
            self._pass()
        if not self._begun:
            raise BrokenAnswer(f"{self._where}: the server promised JSON and sent nothing", hint="try again")
        if not self._whole:
            raise self._broken("the answer was cut off")
        if self._state == "before":
            if not self._object:
                raise self._broken("the answer is no list")
            raise NotFound(f"the server's answer has no '{self._key}'", hint="dhis2 metadata types")
        return rows

    def _marks(self) -> Iterator[tuple[bytes, int]]:
        """Strings and marks that were not seen yet with the place behind them; a string whose end is missing waits."""
        for found in _TOKENS.finditer(self._buffer, self._seen):
            mark = found[0]
            if mark == b'"':
                self._seen = found.start()
                return
            self._seen = found.end()
            self._depth += (mark in {b"{", b"["}) - (mark in {b"}", b"]"})
            yield mark, self._seen
        self._seen = len(self._buffer)

    def _find(self) -> None:
        """Look for the beginning of the array: that of the answer, or the one under the key."""
        for mark, end in self._marks():
            if mark == b"[" and (self._depth == 1 or (self._depth == 2 and self._is_wanted())):
                self._above = self._depth - 1
                self._drop(end)
                self._state, self._depth = "inside", 0
                return
            if self._depth == 0:
                self._whole = True
                self._drop(end)
                self._nothing_more()
                return
            self._read_name(mark)
        self._drop(self._seen)

    def _read_name(self, mark: bytes) -> None:
        """Keep the name of what comes next in the answer. One page of a list is not all of its rows: never taken for it."""
        if self._depth != 1:
            return
        if mark != b":":
            self._name = mark
        elif self._name in _PAGED:
            raise UsageError(
                f"{self._where} answers with one page of a list",
                hint="ask for all of it with paging=False, or read it with client.pages()",
            )

    def _is_wanted(self) -> bool:
        return self._name[:1] == b'"' and json.loads(self._name) == self._key

    def _quickly(self) -> list[Row] | None:
        """The rows up to one of the last places where one seems to end. Only a cut between two rows leaves JSON before it.

        A row that is longer than `_LONG` is not parsed again with every piece of it: its structure is counted.
        """
        if self._seen and len(self._buffer) > _LONG:
            return None
        found = False
        for cut in self._cuts():
            found = True
            try:
                rows = parsed(b"[" + self._buffer[:cut] + b"]")
            except orjson.JSONDecodeError as error:
                if (ended := self._ended_before(error)) is not None:
                    return ended
                continue  # it stood in a string or a nested list
            self._owed = True
            self._depth = self._depth if self._seen > cut else 0
            self._drop(cut + 1)
            return self._objects(rows)
        return None if found or b"]" not in self._buffer else self._last_ones()

    def _last_ones(self) -> list[Row] | None:
        """The rows up to the end of the array, where that has come."""
        try:
            rows = parsed(b"[" + self._buffer)
        except orjson.JSONDecodeError as error:
            return self._ended_before(error)
        return self._last(rows, len(self._buffer))

    def _cuts(self) -> Iterator[int]:
        """Places behind an object, the likeliest first: before one that begins as the first row does, then before any."""
        begins = _BEGIN.match(self._buffer)
        if begins is not None:
            cut = self._buffer.rfind(b"}," + begins[1])
            if cut >= 0:
                yield cut + 1
        cut = len(self._buffer)
        for _ in range(_TRIES):
            cut = self._buffer.rfind(_BETWEEN, 0, cut)
            if cut < 0:
                break
            yield cut + 1

    def _ended_before(self, error: orjson.JSONDecodeError) -> list[Row] | None:
        """The last rows, where what could not be parsed is what stands behind the array; None where it is not."""
        array = error.doc[: error.pos].rstrip()
        if error.pos >= len(error.doc) or not array.endswith("]"):
            return None
        data = array.encode()
        try:
            rows = parsed(data)
        except orjson.JSONDecodeError:
            return None
        return self._last(rows, len(data) - 1)

    def _last(self, rows: list[JsonValue], end: int) -> list[Row]:
        """The last rows of the array, which ends so many bytes from here."""
        if self._owed and not rows:
            raise self._not_json("nothing stands behind a comma")
        self._end(end)
        return self._objects(rows)

    def _end(self, end: int) -> None:
        """The array has ended, so many bytes from here."""
        self._owed = False
        self._drop(end)
        self._state, self._depth = "after", self._above
        self._whole = self._above == 0

    def _scanned(self) -> list[Row]:
        """The rows up to the last place where one does end, by the structure of everything before it."""
        cut = 0
        for mark, end in self._marks():
            if self._depth < 0 and mark != b"]":
                raise self._not_json("a list ends with '}'")
            if self._depth < 0:
                return self._last(self._parsed(self._buffer[: end - 1]), end)
            if mark == b"," and self._depth == 0:
                cut = end
        if not cut:
            return []
        rows = self._parsed(self._buffer[: cut - 1])
        if not rows:
            raise self._not_json("nothing stands before a comma")
        self._owed = True
        self._drop(cut)
        self._seen = self._depth = 0
        return self._objects(rows)

    def _pass(self) -> None:
        """Pass what stands behind the array: a cut in it shows there only."""
        if not self._whole:
            for mark, end in self._marks():
                self._read_name(mark)
                if self._depth == 0:
                    self._whole = True
                    self._drop(end)
                    break
            else:
                self._drop(self._seen)
        if self._whole:
            self._nothing_more()

    def _nothing_more(self) -> None:
        """Behind a whole answer stands nothing: what a server appends to it is an error that came too late."""
        if self._buffer.strip():
            raise self._broken(f"more came behind its end: {self._buffer[:80].decode('utf-8', 'replace')}")
        self._buffer, self._seen = b"", 0

    def _drop(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        self._seen = max(0, self._seen - count)

    def _parsed(self, data: bytes) -> list[JsonValue]:
        try:
            return parsed(b"[" + data + b"]")
        except orjson.JSONDecodeError as error:
            raise self._not_json(str(error)) from error

    def _not_json(self, why: str) -> Garbage:
        return Garbage(f"{self._where}: not JSON ({why})", hint="dhis2 profile verify")

    def _objects(self, items: JsonValue) -> list[Row]:
        rows = cast("list[JsonValue]", items)
        if not all(isinstance(row, dict) for row in rows):
            raise self._broken(f"'{self._key}' holds other things than objects")
        return cast("list[Row]", rows)

    def _broken(self, why: str) -> BrokenAnswer:
        return BrokenAnswer(f"{self._where}: {why}", hint="try again, or ask for less with --page-size")


# Whole answers, on their way to a file -------------------------------------------------------------------------------


async def whole_json(answer: AnswerStream) -> AsyncGenerator[bytes]:
    """An answer's pieces as they come, if together they are one JSON object. Its arrays are parsed row by row, and not held.

    Raises `BrokenAnswer` where it was cut off or nothing came, `Garbage` for what is no JSON object; behind the last piece,
    so that whoever writes a file must not rename it before.
    """
    checker = _Checker(_where(answer))
    async for piece in answer:
        checker.take(piece)
        yield piece
    checker.finish()


async def whole_text(answer: AnswerStream) -> AsyncGenerator[bytes]:
    """An answer's pieces as they come, if they are UTF-8 (CSV, XML) and any. Raises as `whole_json`."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        async for piece in whole_file(answer):
            decoder.decode(piece)
            yield piece
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise Garbage(f"{_where(answer)}: not UTF-8 ({error.reason})", hint="dhis2 profile verify") from error


async def whole_file(answer: AnswerStream) -> AsyncGenerator[bytes]:
    """An answer's pieces as they come, if there are any: what they hold is not known here. Raises `BrokenAnswer`."""
    size = 0
    async for piece in answer:
        size += len(piece)
        yield piece
    if not size:
        raise BrokenAnswer(f"{_where(answer)}: the server sent nothing", hint="try again")


class _Checker(_Reader):
    """Reads every array of an answer, one after the other; what stands around them is kept, and parsed at the end."""

    def __init__(self, where: str) -> None:
        super().__init__("", where)
        self._around: bytes = b""

    def take(self, piece: bytes) -> list[Row]:
        """The next bytes; the rows are parsed and forgotten."""
        self._buffer += piece
        if not self._begun and not piece.isspace():
            self._begun, self._object = True, piece.lstrip().startswith(b"{")
        self._check(PIECE)
        if self._whole:
            self._nothing_more()
        return []

    def _check(self, least: int) -> None:
        """Go on as far as the bytes reach. The beginning of a row, of no more than `least` bytes, waits for its rest."""
        left = -1
        while left != len(self._buffer) and not self._whole:
            left = len(self._buffer)
            if self._state != "inside":
                self._find()
            if self._state == "inside" and self._quickly() is None and len(self._buffer) > least:
                self._scanned()

    def finish(self) -> list[Row]:
        """The answer has ended. Raises `BrokenAnswer`, `Garbage`."""
        self._check(0)
        if self._whole:
            self._nothing_more()
        if not self._begun:
            raise BrokenAnswer(f"{self._where}: the server promised JSON and sent nothing", hint="try again")
        if not self._whole and self._around.lstrip()[:1] in {b"{", b"["}:
            raise self._broken("the answer was cut off")
        try:
            around = parsed(self._around)
        except orjson.JSONDecodeError as error:
            raise Garbage(f"{self._where}: not JSON ({error})", hint="dhis2 profile verify") from error
        if not isinstance(around, dict):
            raise Garbage(f"{self._where}: a JSON object was expected", hint="dhis2 profile verify")
        return []

    def _is_wanted(self) -> bool:
        return True

    def _read_name(self, mark: bytes) -> None:
        """What the arrays are called does not matter."""

    def _drop(self, count: int) -> None:
        if self._state != "inside":
            self._around += self._buffer[:count]
        super()._drop(count)

    def _end(self, end: int) -> None:
        super()._end(end)
        self._around += b"]"

    def _objects(self, items: JsonValue) -> list[Row]:
        return []
