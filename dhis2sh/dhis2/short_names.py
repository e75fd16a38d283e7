"""What people call DHIS2's types for short; each is answered with the type's own name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dhis2sh.errors import did_you_mean

SHORT: Mapping[str, str] = {
    "catcombo": "categoryCombo", "chart": "visualization", "coc": "categoryOptionCombo", "de": "dataElement",
    "disaggregation": "categoryCombo", "ds": "dataSet", "facility": "organisationUnit", "ou": "organisationUnit",
    "pi": "programIndicator", "pivottable": "visualization", "tea": "trackedEntityAttribute",
    "tet": "trackedEntityType", "viz": "visualization",
}  # fmt: skip
"""Whole words, in the singular."""
BEGINNINGS: Mapping[str, str] = {
    "orgunit": "organisationUnit",
    "organizationunit": "organisationUnit",
    "catoption": "categoryOption",
}
"""What the names of several types begin with: `orgUnitGroups` are `organisationUnitGroups`."""


def nearest_types(text: str, known: Sequence[str]) -> str | None:
    """A hint that names the type which a short or mistyped name stands for; None where none is near.

    Parameters:
        text: what was typed, in any case, with hyphens or without.
        known: the plurals of types, as they may be typed here (`organisationUnits`, `organisation-units`).
    """
    word = _folded(text)
    for short in (word, word.removesuffix("s"), f"{word.removesuffix('ies')}y"):
        if short in SHORT:
            return _hint(SHORT[short].lower(), known)
    for short, long in BEGINNINGS.items():
        if word.startswith(short):
            return _hint(f"{long}{word.removeprefix(short)}".lower(), known)
    return did_you_mean(text, known)


def _hint(word: str, known: Sequence[str]) -> str | None:
    plurals = {_folded(one): one for one in known}
    found = next((plurals[form] for form in (word, f"{word}s", f"{word[:-1]}ies") if form in plurals), None)
    return f"did you mean {found}?" if found else did_you_mean(word, known)


def _folded(text: str) -> str:
    return text.replace("-", "").replace("_", "").replace(" ", "").lower()
