"""How a workbook shows numbers: as days, hundredths or years, as other numbers than are stored, and struck out.

Format: ECMA-376 part 1, 18.8.22 (fonts), 18.8.30 and 18.8.31 (formats of numbers).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

type Kind = Literal["", "days", "year", "span", "percent"]
"""What a number is by its format: a day or a time, the year of a day, hours that go on beyond a day, hundredths, or just a number."""

_DAYS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
"""The formats that every program knows and that show days or times; 46 shows hours beyond a day."""
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
"""What a format has besides its signs: texts, fillers, colours and languages."""


def kind_of(number: int, code: str | None) -> Kind:
    """What a format makes of a number.

    Parameters:
        number: of the format; code: what it says, where the workbook says it.
    """
    if code is None:
        return "percent" if number in {9, 10} else "span" if number == 46 else "days" if number in _DAYS else ""
    signs = _LITERAL.sub("", code.partition(";")[0]).lower()
    if "general" in signs:
        return ""
    if "[" in signs:
        return "span"
    if "y" in signs and not re.search("[mdhs]", signs):
        return "year"
    return "days" if re.search("[ymdhs]", signs) else "percent" if "%" in signs else ""


_SECTION = re.compile(r'((?:"[^"]*"|\\.|[^;"\\])*)(?:;|\Z)')
_CONDITION = re.compile(r"\[[<>=]")
_DASHES = {"-", "\u2013", "\u2014"}
_DIGITS = re.compile(r"[0#?]")


def _shows_another(section: str) -> bool:
    """Does a part of a format show a number as another one: in thousands, with digits of its own, or not at all?"""
    own = re.findall(r'"([^"]*)"|\\(.)', section)
    signs = _LITERAL.sub("", section)
    if signs.strip() == "" and "".join(part for pair in own for part in pair).strip() in _DASHES:
        return False  # how accounts show nothing
    if "general" in signs.lower() or "@" in signs:
        return any(re.search(r"\d", part) for pair in own for part in pair)
    if _DIGITS.search(signs) is None:
        return True
    return signs.rstrip()[-1:] == "," or ",." in signs or any(re.search(r"\d", part) for pair in own for part in pair)


class Format(NamedTuple):
    """How the numbers of a style are shown.

    Parameters:
        kind: what they are.
        code: what the format says, where it shows some of them as others.
        another: does it do so with numbers above zero, below it, and with zero?
        struck: are they struck out?
    """

    kind: Kind = ""
    code: str = ""
    another: tuple[bool, bool, bool] = (False, False, False)
    struck: bool = False

    def shows_another(self, number: float) -> bool:
        """Is a number shown as another one, or not at all?"""
        return bool(self.code) and self.another[0 if number > 0 else 1 if number < 0 else 2]


def format_of(number: int, code: str | None, *, struck: bool = False) -> Format:
    """A format. Parameters as of `kind_of`, and `struck`: is its font struck out?"""
    kind = kind_of(number, code)
    if code is None or kind or _CONDITION.search(code):
        return Format(kind, struck=struck)
    sections = [found[1] for found in _SECTION.finditer(code)][:3]
    sections = sections[: code.count(";") + 1] or [code]
    above, below, zero = (_shows_another(sections[at] if at < len(sections) else sections[0]) for at in range(3))
    return Format(kind, code if above or below or zero else "", (above, below, zero), struck)


class Styles:
    """How what has each style is shown."""

    def __init__(self) -> None:
        self.formats: list[Format] = []
        self._codes: dict[str, str] = {}
        self._fonts: list[bool] = []
        """Of each font whether it is struck out."""
        self._inside = self._in_fonts = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take the beginning of a tag."""
        if tag == "numFmt":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif tag == "cellXfs":
            self._inside = True
        elif tag == "fonts":
            self._in_fonts = True
        elif tag == "font" and self._in_fonts:
            self._fonts.append(False)
        elif tag == "strike" and self._in_fonts and self._fonts:
            self._fonts[-1] = attributes.get("val", "1") not in {"0", "false"}
        elif tag == "xf" and self._inside:
            number, font = attributes.get("numFmtId", "0"), int(attributes.get("fontId", "0"))
            struck = font < len(self._fonts) and self._fonts[font]
            self.formats.append(format_of(int(number), self._codes.get(number), struck=struck))

    def end(self, tag: str) -> None:
        """Take the end of a tag."""
        if tag == "cellXfs":
            self._inside = False
        elif tag == "fonts":
            self._in_fonts = False
