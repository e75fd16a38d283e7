"""Names, short names and codes: what a person does not see, and what makes two objects look like one."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from dhis2sh.checks.probing import TEXTS, Found, Look, items, object_found, probe

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

PROPERTIES = ("name", "shortName", "code")
_SPACES = re.compile(r"^[ ]+|[ ]+$|(?<= )[ ]+")
SPACES, UNSEEN = "texts-with-spaces", "texts-with-unseen-characters"
_NEEDED = "\u200c\u200d"
"""Joiners that scripts such as Persian and Hindi are written with."""


def without_spaces(text: str) -> str:
    """The text without spaces at its ends, and with one where several stand."""
    return _SPACES.sub("", text)


def without_unseen(text: str) -> str:
    """The text without what nobody sees; a tab, the end of a line and a space that does not break become spaces."""
    seen = "".join(
        " " if mark.isspace() else mark
        for mark in text
        if mark.isspace() or mark in _NEEDED or unicodedata.category(mark) not in {"Cc", "Cf"}
    )
    return without_spaces(seen) if seen != text else text


def properties_changed(row: Mapping[str, JsonValue], clean: Callable[[str], str]) -> dict[str, JsonValue]:
    """The texts of an object that are otherwise when they are clean; what would be empty then is left alone."""
    return {
        name: new
        for name in PROPERTIES
        if isinstance(text := row.get(name), str) and (new := clean(text)) != text and new
    }


async def _unclean(look: Look, check: str, clean: Callable[[str], str]) -> list[Found]:
    found: list[Found] = []
    for plural in TEXTS:
        for row in await look.rows(plural):
            changed = properties_changed(row, clean)
            if changed:
                told = ", ".join(f"{name} {row[name]!r}" for name in changed)
                found.append(object_found(plural, row, told, f"dhis2 doctor fix {check}"))
    return found


@probe(
    SPACES, "warning", "metadata",
    reason="DHIS2 keeps them, and who looks for the code or name as they read it finds nothing (quirk 4g).",
    verb="doctor fix",
)  # fmt: skip
async def spaces(look: Look) -> list[Found]:
    """Names, short names or codes with spaces at an end or two in a row."""
    return await _unclean(look, SPACES, without_spaces)


@probe(
    UNSEEN, "warning", "metadata",
    reason="They come from copied tables, and make two texts differ that look the same.",
    verb="doctor fix",
)  # fmt: skip
async def unseen(look: Look) -> list[Found]:
    """Names, short names or codes with characters that nobody sees: tabs, ends of lines, zero-width spaces."""
    return await _unclean(look, UNSEEN, without_unseen)


def _alike(rows: list[Row], key: Callable[[Row], str | None]) -> Iterator[list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if (text := key(row)) is not None:
            groups[text].append(row)
    return (group for group in groups.values() if len(group) > 1)


def _folded(row: Row, name: str) -> str | None:
    text = row.get(name)
    return " ".join(text.split()).casefold() if isinstance(text, str) and text.strip() else None


@probe(
    "codes-alike", "warning", "metadata",
    reason="Other systems send codes in capitals or not as they like, and the value lands at the wrong object.",
    verb="metadata update",
)  # fmt: skip
async def codes_alike(look: Look) -> list[Found]:
    """Codes of one type that differ in capital letters or spaces only."""
    found: list[Found] = []
    for plural in TEXTS:
        for group in _alike(await look.rows(plural), lambda row: _folded(row, "code")):
            codes = ", ".join(repr(row["code"]) for row in group)
            found += [object_found(plural, row, f"alike: {codes}") for row in group]
    return found


@probe(
    "names-alike", "warning", "metadata",
    reason="People choose the wrong one of two that look the same in a list.",
    verb="metadata rename",
)  # fmt: skip
async def names_alike(look: Look) -> list[Found]:
    """Data elements, indicators, data sets or programs whose names differ in capital letters or spaces only."""
    found: list[Found] = []
    for plural in ("dataElements", "indicators", "dataSets", "programs", "optionSets", "trackedEntityAttributes"):
        for group in _alike(await look.rows(plural), lambda row: _folded(row, "name")):
            found += [
                object_found(plural, row, f"alike: {', '.join(str(one['id']) for one in group if one is not row)}")
                for row in group
            ]
    return found


@probe(
    "options-alike", "severe", "metadata",
    reason="Imports and rules compare codes exactly: half of the values are counted under each of two that look the same.",
    verb="metadata option-sets update",
)  # fmt: skip
async def options_alike(look: Look) -> list[Found]:
    """Option sets with two options whose codes or names differ in capital letters or spaces only."""
    found: list[Found] = []
    for row in await look.rows("optionSets"):
        options = items(row.get("options"))
        twins = [
            " and ".join(repr(one[name]) for one in group)
            for name in ("code", "name")
            for group in _alike(options, lambda one, name=name: _folded(one, name))
        ]
        if twins:
            found.append(object_found("optionSets", row, f"alike: {'; '.join(dict.fromkeys(twins))}"))
    return found
