"""Workbooks (XLSX) as they are written: every cell by its own type, row by row, none of them held.

A library that makes a column of one type of them loses what else stands in it: a truth value among numbers becomes 1, and the
error of a formula nothing. Read here are the sheets' XML, their shared texts, and of the styles which numbers are days or percents.

Format: ECMA-376 part 1, 18.3 (cells), 18.4 (shared texts), 18.8.30 (formats of numbers).
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING
from xml.parsers import expat

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.files import is_bomb
from dhis2sh.rows.number_formats import Format, Styles

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

type Line = list[JsonValue]
"""The cells of one line, from column A on; None where there is none."""

_CHUNK = 256 * 1024
MOST_LINES, MOST_COLUMNS = 1_048_576, 16_384
"""What a sheet has at most (XLSX)."""
ERRORS = frozenset({
    "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#SPILL!", "#CALC!", "#FIELD!",
    "#BLOCKED!", "#CONNECT!", "#BUSY!", "#UNKNOWN!", "#NO RESULT",
})  # fmt: skip
"""What stands in a cell whose formula failed; the last is ours, where a formula was never worked out."""
_NO_RESULT = "#NO RESULT"


class Fault(str):
    """The text of a cell that has no value: its formula failed, or has no result.

    Parameters:
        cell: such as B7.
    """

    __slots__ = ("cell",)
    cell: str

    @classmethod
    def of(cls, cell: str, error: str) -> Fault:
        """The fault of a cell."""
        found = cls(error)
        found.cell = cell
        return found

    @property
    def why(self) -> str:
        """The cell and what is wrong with it, in words."""
        return f"{self.cell}: {self._wrong}"

    @property
    def of_column(self) -> str:
        """The column and what is wrong with its cells, in words that are the same for all of them."""
        return f"column {self.cell.rstrip('0123456789')}: {self._wrong}"

    @property
    def _wrong(self) -> str:
        unknown = "a formula without a result: open the file in a spreadsheet program and save it"
        return unknown if self == _NO_RESULT else str(self)


class Hidden:
    """What of a sheet nobody sees in a spreadsheet program as it is stored, whether hidden, struck out or shown otherwise; filled as it is read.

    Parameters:
        sheet: the whole of it is hidden.
    """

    def __init__(self, *, sheet: bool) -> None:
        self.sheet = sheet
        self.lines: set[int] = set()
        """The numbers of lines that hold anything."""
        self.columns: set[int] = set()
        """Columns, from 0, whether they hold anything or not."""
        self.struck: list[str] = []
        """Cells that are struck out."""
        self.otherwise: dict[str, list[str]] = {}
        """Cells whose number is shown as another one, or not at all, by the format that does it."""


class Workbook:
    """A workbook that is open for reading.

    Parameters:
        path: the file.

    Raises `NotFound`, and `UsageError` for what is no workbook.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise NotFound(f"there is no file {path}") from None
        except (OSError, zipfile.BadZipFile) as error:
            raise self._broken(str(error)) from None
        self._texts: list[str] | None = None
        self._sheets: dict[str, str] = {}
        """Where each sheet is in the file, by its name."""
        self._hidden_sheets: set[str] = set()
        self._days_since_1904 = self._unworked = False
        self._formats: list[Format] = []
        try:
            self._book = self._related("", "officeDocument").popitem()[1]
            self._read_book()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def sheets(self) -> list[str]:
        """The names of the sheets, in their order; charts are none."""
        return [*self._sheets]

    def hidden(self, sheet: str) -> Hidden:
        """What of a sheet is hidden; lines and columns are filled in by `lines`."""
        return Hidden(sheet=sheet in self._hidden_sheets)

    def lines(self, sheet: str, hidden: Hidden | None = None) -> Generator[tuple[int, Line]]:
        """The lines of a sheet that hold anything, each with its number from 1.

        Parameters:
            hidden: takes which lines and columns are hidden, a line before it comes.

        Raises `UsageError` for what is broken.
        """
        if self._texts is None:
            self._texts = self._shared_texts()
        reader = _Lines(self._texts, self._formats, self._days_since_1904, self._unworked, self._broken, hidden)
        for _ in self._parsed(self._sheets[sheet], reader.start, reader.end, reader.text):
            yield from reader.taken()

    def merged(self, sheet: str) -> list[tuple[str, str]]:
        """The ranges of merged cells of a sheet, each by its first and last cell."""
        found: list[tuple[str, str]] = []
        if not self._has(self._sheets[sheet], b"mergeCell"):  # few have, and to parse one twice takes its time
            return found

        def start(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "mergeCell":
                first, _, last = attributes.get("ref", "").partition(":")
                found.append((first, last or first))

        for _ in self._parsed(self._sheets[sheet], start):
            pass
        return found

    def _has(self, part: str, text: bytes) -> bool:
        """Does a text stand in a part? Raises `UsageError` for what is broken."""
        try:
            with closing(self._open(part)) as file:
                before = b""
                while piece := file.read(_CHUNK):
                    if text in before + piece:
                        return True
                    before = piece[-len(text) :]
        except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
            raise self._broken(f"{part}: {error}") from None
        return False

    def _broken(self, why: str) -> UsageError:
        return UsageError(f"{self._path} cannot be read: {why}", hint="save it as XLSX again, or as CSV")

    def _related(self, part: str, kind: str) -> dict[str, str]:
        """Where the parts of a kind are to which another part relates, by their ids. Raises `UsageError`."""
        folder, _, name = part.rpartition("/")
        found: dict[str, str] = {}

        def start(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "Relationship" and attributes.get("Type", "").endswith(f"/{kind}"):
                target = attributes.get("Target", "")
                found[attributes.get("Id", "")] = target[1:] if target[:1] == "/" else _path(folder, target)

        for _ in self._parsed(f"{folder}/_rels/{name}.rels".removeprefix("/"), start):
            pass
        if not found and kind in {"officeDocument", "worksheet"}:
            raise self._broken(f"it has no {kind}")
        return found

    def _read_book(self) -> None:
        """The sheets, from when days are counted, and the styles."""
        places = self._related(self._book, "worksheet")

        def start(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "workbookPr":
                self._days_since_1904 = attributes.get("date1904") in {"1", "true"}
            elif tag == "calcPr":
                self._unworked = attributes.get("fullCalcOnLoad") in {"1", "true"}
            elif tag == "sheet":
                number = next((value for name, value in attributes.items() if name.rpartition(":")[2] == "id"), "")
                if number in places:
                    self._sheets[attributes.get("name", "")] = places[number]
                    if attributes.get("state") in {"hidden", "veryHidden"}:
                        self._hidden_sheets.add(attributes.get("name", ""))

        for _ in self._parsed(self._book, start):
            pass
        styles = Styles()
        for place in self._related(self._book, "styles").values():
            for _ in self._parsed(place, styles.start, styles.end):
                pass
        self._formats = styles.formats

    def _shared_texts(self) -> list[str]:
        """The texts that cells name by their number."""
        texts = _Texts()
        for place in self._related(self._book, "sharedStrings").values():
            for _ in self._parsed(place, texts.start, texts.end, texts.text):
                pass
        return texts.found

    def _parsed(
        self,
        part: str,
        start: Callable[[str, Mapping[str, str]], None],
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> Generator[None]:
        """Parse a part piece by piece, tags without their prefix; each step is one piece. Raises `UsageError`."""
        parser = expat.ParserCreate()
        parser.buffer_text = True

        def begun(tag: str, attributes: dict[str, str]) -> None:
            """The root says whether tags have a prefix, which few programs write."""
            plain = ":" not in tag
            parser.StartElementHandler = start if plain else lambda tag, more: start(tag.rpartition(":")[2], more)
            if end is not None:
                ended = end
                parser.EndElementHandler = ended if plain else lambda tag: ended(tag.rpartition(":")[2])
            start(tag.rpartition(":")[2], attributes)

        parser.StartElementHandler = begun
        if text is not None:
            parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = self._no_entities
        try:
            with closing(self._open(part)) as file:
                read = 0
                while piece := file.read(_CHUNK):
                    read += len(piece)
                    parser.Parse(piece, False)
                    yield
                parser.Parse(b"", True)
                yield
        except expat.ExpatError as error:
            raise self._broken(f"{part}: {expat.errors.messages[error.code]}") from None
        except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
            raise self._broken(f"{part}: {error}") from None

    def _no_entities(self, *_: object) -> None:
        raise self._broken("it declares a document type, which no spreadsheet program writes")

    def _open(self, part: str) -> IO[bytes]:
        info = self._zip.NameToInfo.get(part)
        if info is None:
            raise self._broken(f"it has no {part}")
        if is_bomb(info.compress_size, info.file_size):
            raise self._broken(f"{part} unpacks to {info.file_size:,} bytes")
        if info.flag_bits & 1:
            raise self._broken("it is locked with a password")
        return self._zip.open(info)


def _path(folder: str, target: str) -> str:
    """A part from the folder of another one, as relations write it."""
    found = folder.split("/") if folder else []
    for step in target.split("/"):
        if step == "..":
            found = found[:-1]
        elif step not in {"", "."}:
            found.append(step)
    return "/".join(found)


_CODED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _decoded(text: str) -> str:
    """A text without the codes in which a workbook writes what XML cannot hold."""
    return _CODED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


class _Texts:
    """Texts of several runs each, without how they are pronounced."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._inside = self._beside = False

    def start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        if tag == "si":
            self._parts = []
        elif tag == "rPh":
            self._beside = True
        elif tag == "t":
            self._inside = not self._beside

    def end(self, tag: str) -> None:
        if tag == "t":
            self._inside = False
        elif tag == "rPh":
            self._beside = False
        elif tag == "si":
            self.found.append(_decoded("".join(self._parts)))

    def text(self, text: str) -> None:
        if self._inside:
            self._parts.append(text)


_PLAINLY = Format()


class _Lines:
    """Takes the XML of a sheet and makes lines of it."""

    def __init__(
        self,
        texts: Sequence[str],
        formats: Sequence[Format],
        since_1904: bool,
        unworked: bool,
        broken: Callable[[str], UsageError],
        hidden: Hidden | None,
    ) -> None:
        self._hidden, self._unseen = hidden or Hidden(sheet=False), False
        self._texts, self._formats, self._unworked, self._broken = texts, formats, unworked, broken
        self._epoch = dt.datetime(1904, 1, 1) if since_1904 else dt.datetime(1899, 12, 30)
        self._done: list[tuple[int, Line]] = []
        self._line: Line = []
        self._number = self._column = 0
        self._cell: Mapping[str, str] = {}
        self._parts: list[str] = []
        self._inside = self._formula = self._beside = False

    def taken(self) -> list[tuple[int, Line]]:
        """The lines that are whole, which are no longer held."""
        done, self._done = self._done, []
        return done

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "c":
            self._cell, self._parts, self._formula = attributes, [], False
            place = attributes.get("r")
            self._column = column_of(place) if place else self._column + 1
        elif tag in {"v", "t"}:
            self._inside = not self._beside
        elif tag == "f":
            self._formula = True
        elif tag == "row":
            number = attributes.get("r")
            number = int(number) if number else self._number + 1
            if not self._number < number <= MOST_LINES:
                raise self._broken(f"line {number:,} follows line {self._number:,}")
            self._number, self._line, self._column = number, [], -1
            self._unseen = _is_hidden(attributes, "ht")
        elif tag == "col":
            if _is_hidden(attributes, "width"):
                first, last = int(attributes.get("min", "1")), int(attributes.get("max", "0"))
                self._hidden.columns.update(range(first - 1, min(last, MOST_COLUMNS)))
        elif tag == "rPh":
            self._beside = True

    def text(self, text: str) -> None:
        if self._inside:
            self._parts.append(text)

    def end(self, tag: str) -> None:
        if tag in {"v", "t"}:
            self._inside = False
        elif tag == "c":
            if self._parts or self._formula:
                self._take("".join(self._parts))
        elif tag == "row":
            if self._line:
                self._done.append((self._number, self._line))
                if self._unseen:
                    self._hidden.lines.add(self._number)
        elif tag == "rPh":
            self._beside = False

    def _take(self, text: str) -> None:
        value = self._value(text)
        if value is None:
            return
        if self._column >= MOST_COLUMNS:
            raise self._broken(f"line {self._number:,} has {self._column:,} columns")
        self._line += [None] * (self._column - len(self._line))
        if len(self._line) > self._column:
            raise self._broken(f"{self._place()} is there twice")
        self._line.append(value)
        if self._format().struck:
            self._hidden.struck.append(self._place())

    def _place(self) -> str:
        return f"{letters_of(self._column)}{self._number}"

    def _value(self, text: str) -> JsonValue:
        kind = self._cell.get("t", "n")
        if kind == "s":
            return self._texts[int(text)] if text.isdigit() and int(text) < len(self._texts) else self._lost(text)
        if kind == "n":
            # whoever asks for all formulas to be worked out has not done it: libraries write 0 in place of a result
            if text and not (text == "0" and self._formula and self._unworked):
                return self._number_of(text)
            return Fault.of(self._place(), _NO_RESULT) if self._formula else None
        if kind == "e":
            return Fault.of(self._place(), text)
        if kind == "b":
            return text.strip() in {"1", "true"}
        if kind == "d":
            return text.removesuffix("T00:00:00")
        return _decoded(text) or None

    def _format(self) -> Format:
        """How the cell is shown."""
        style = int(self._cell.get("s", "0"))
        return self._formats[style] if style < len(self._formats) else _PLAINLY

    def _lost(self, text: str) -> JsonValue:
        raise self._broken(f"{self._place()} has the text number {text}, and there is none")

    def _number_of(self, text: str) -> JsonValue:
        shown = self._format()
        kind = shown.kind
        if shown.code and shown.shows_another(float(text)):
            self._hidden.otherwise.setdefault(shown.code, []).append(self._place())
        if kind == "days":
            return self._day(float(text))
        if kind == "year":
            day = self._day(float(text))
            return day if isinstance(day, Fault) or not isinstance(day, str) else day[:4]
        if kind == "percent":
            return f"{Decimal(f'{float(text):.15g}').scaleb(2).normalize():f}%"
        if kind == "span":
            return _span(float(text))
        try:
            return int(text)
        except ValueError:
            number = float(f"{float(text):.15g}")  # as many digits as a spreadsheet has: 0.1 + 0.2 is 0.3 there
        return int(number) if number.is_integer() else number

    def _day(self, number: float) -> JsonValue:
        if not 0 <= number < 2_958_466:  # a spreadsheet shows #### there
            return Fault.of(self._place(), "#NUM!")
        if number < 1:
            return _time((dt.datetime(1899, 12, 30) + dt.timedelta(seconds=round(number * 86_400))).time())
        days = number + 1 if number < 60 and self._epoch.year == 1899 else number  # 1900 has a 29 February there
        moment = self._epoch + dt.timedelta(seconds=round(days * 86_400))
        return moment.date().isoformat() if moment.time() == dt.time() else moment.isoformat()


def _is_hidden(attributes: Mapping[str, str], size: str) -> bool:
    """Is a line or a column hidden: so marked, by a person, a filter or a group that is closed, or of no height or width?"""
    return attributes.get("hidden") in {"1", "true"} or float(attributes.get(size) or 1) == 0


def _time(time: dt.time) -> str:
    return time.isoformat("seconds" if time.second else "minutes")


def _span(days: float) -> str:
    """Hours and minutes that go on beyond a day."""
    minutes, seconds = divmod(round(days * 86_400), 60)
    return f"{minutes // 60}:{minutes % 60:02}{f':{seconds:02}' if seconds else ''}"


def column_of(cell: str) -> int:
    """The column of a cell such as B7, from 0."""
    found = 0
    for letter in cell:
        if not letter.isalpha():
            break
        found = found * 26 + ord(letter) - 64
    return found - 1


def line_of(cell: str) -> int:
    """The line of a cell such as B7."""
    return int(cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ$") or 0)


def letters_of(column: int) -> str:
    """The letters of a column, from 0: A, B, ... Z, AA."""
    found, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(65 + rest) + found
    return found
