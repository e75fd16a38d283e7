"""Data values as XML: DHIS2's own (dxf2) and ADX, read as they come.

A value of ADX names its options (`sex="F" age="under5"`) in place of an option combination, and so does a group for all of
its values; in the rows such a combination is the text `sex=F;age=under5`.

API source: `DataValueSetController.java`, `AdxDataServiceImpl` (api-facts f.1); IHE QRPH ADX.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.files import open_packed

if TYPE_CHECKING:
    from dhis2sh.types import Row

BATCH = 1000
CHUNK = 256 * 1024
COMPLETED = "the file says that its data set is complete, which is registered apart: dhis2 data complete"
_VALUE = {
    "dataElement": "dataElement", "period": "period", "orgUnit": "orgUnit", "categoryOptionCombo": "categoryOptionCombo",
    "attributeOptionCombo": "attributeOptionCombo", "value": "value", "comment": "comment", "followup": "followup",
    "deleted": "deleted", "storedBy": "storedBy", "timestamp": "lastUpdated", "lastUpdated": "lastUpdated",
    "created": "created",
}  # fmt: skip
_SCHEMES = ("idScheme", "dataElementIdScheme", "orgUnitIdScheme", "categoryOptionComboIdScheme")
_READ = {"UID", "CODE", "NAME", "ID"}
_OF_GROUP = {"orgUnit", "period", "dataSet", "completeDate", "dataSetComplete", "comment"}
_OF_VALUE = {"dataElement", "value"}


def is_markup(path: Path) -> bool:
    """Does a file's ending say that it is XML or ADX?"""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((".xml", ".adx"))


def batches_of(path: Path, notes: list[str]) -> Generator[list[Row]]:
    """The values of a file, some at a time, numbered by their order.

    Parameters:
        path: XML or ADX, gzipped or not.
        notes: takes what of the file is not loaded.

    Raises `NotFound`, and `UsageError` for what is no XML, holds no values, or names its objects in a way that is not read.
    """
    reader = _Reader(path.name, notes)
    try:
        with open_packed(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            while chunk := file.read(CHUNK):
                reader.feed(chunk)
                while len(reader.rows) >= BATCH:
                    yield reader.take()
        reader.end()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except expat.ExpatError as error:
        raise UsageError(
            f"{path.name} line {error.lineno}: {expat.errors.messages[error.code]}", hint="is the file complete?"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path.name} cannot be read: {error}", hint="is the file complete?") from error
    while reader.rows:
        yield reader.take()


class _Reader:
    """Takes XML in pieces and makes rows of it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name, self._notes = name, notes
        self._root = ""
        self._shared: Row = {}
        self._value: Row | None = None
        self._annotation: list[str] | None = None
        self.rows: list[Row] = []
        parser = self._parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, chunk: bytes) -> None:
        """A piece of the file."""
        self._parser.Parse(chunk, False)

    def end(self) -> None:
        """The file has ended. Raises `ExpatError` where it was cut off."""
        self._parser.Parse(b"", True)

    def take(self) -> list[Row]:
        """The first rows that are ready."""
        taken, self.rows = self.rows[:BATCH], self.rows[BATCH:]
        return taken

    def _doctype(self, *_: object) -> None:
        raise UsageError(f"{self._name} declares a document type, which no data values have", hint="take out <!DOCTYPE")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._root:
            self._root = name
            self._begin(name, attributes)
        elif name == "group" and self._root == "adx":
            self._shared = self._of_group(attributes)
        elif name == "dataValue":
            self._value = self._of_adx(attributes) if self._root == "adx" else self._of_dxf(attributes)
        elif name == "annotation":
            self._annotation = []

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if name not in {"dataValueSet", "adx"}:
            raise UsageError(
                f"{self._name} is <{name}>: data values are <dataValueSet> or <adx>", hint="is it another file?"
            )
        other = [f'{key}="{text}"' for key in _SCHEMES if (text := attributes.get(key)) and text.upper() not in _READ]
        if other:
            raise UsageError(
                f"{self._name} names its objects by an attribute ({', '.join(other)}), which is not read",
                hint="export it by UID or code",
            )
        if name == "dataValueSet":
            kept = ("period", "orgUnit", "attributeOptionCombo")
            self._shared = {key: attributes[key] for key in kept if attributes.get(key)}
            self._note_completion(attributes)

    def _note_completion(self, attributes: dict[str, str]) -> None:
        complete = attributes.get("completeDate") or attributes.get("dataSetComplete") == "true"
        if complete and COMPLETED not in self._notes:
            self._notes.append(COMPLETED)

    def _of_group(self, attributes: dict[str, str]) -> Row:
        self._note_completion(attributes)
        shared: Row = {key: attributes[key] for key in ("orgUnit", "period") if attributes.get(key)}
        options = _options(attributes, _OF_GROUP)
        return shared | ({"attributeOptionCombo": options} if options else {})

    def _of_adx(self, attributes: dict[str, str]) -> Row:
        options = _options(attributes, _OF_VALUE)
        row = self._shared | {key: attributes[key] for key in _OF_VALUE if key in attributes}
        return row | ({"categoryOptionCombo": options} if options else {})

    def _of_dxf(self, attributes: dict[str, str]) -> Row:
        own: Row = {_VALUE[key]: text for key, text in attributes.items() if key in _VALUE and text != ""}
        return self._shared | own

    def _text(self, text: str) -> None:
        if self._annotation is not None:
            self._annotation.append(text)

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name == "annotation" and self._value is not None:
            self._value["annotation"] = "".join(self._annotation or ()).strip()
            self._annotation = None
        elif name == "dataValue" and self._value is not None:
            self.rows.append(self._value)
            self._value = None


def _options(attributes: dict[str, str], own: set[str]) -> str:
    """The category options that an element of ADX names, by the codes of their categories."""
    return ";".join(f"{key}={text}" for key, text in attributes.items() if key not in own and ":" not in key)
