"""Formats of data values: what they are called, by media type and by the ending of a file.

API source: `DataValueSetController.java` (api-facts f).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

type Format = Literal["json", "csv", "xml", "adx"]

CONTENT_TYPES: dict[Format, str] = {
    "json": "application/json",
    "csv": "application/csv",
    "xml": "application/xml",
    "adx": "application/adx+xml",
}
_SUFFIXES: dict[str, Format] = {".json": "json", ".csv": "csv", ".xml": "xml", ".adx": "adx"}


def format_of(path: Path) -> Format | None:
    """The format that a file's ending says; `.gz` behind it is packed."""
    return _SUFFIXES.get(Path(path.stem).suffix if path.suffix == ".gz" else path.suffix)
