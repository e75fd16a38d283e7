"""Leaves secrets out of what is kept or shown: plans, the journal, differences, requests, messages."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

SECRET = "(secret)"  # noqa: S105  (what stands in place of one)
_NAMES = re.compile(r"pass(word|phrase)|secret|token$|api[-_]?key|authorization|credential|^jwkset$", re.IGNORECASE)
IN_CLEAR = frozenset({"type", "username", "clientId", "tokenUri", "scopes"})
"""What of a sign-in (`auth` of routes, hooks) is no secret."""
_WHOLE: Mapping[str, frozenset[str]] = {"auth": IN_CLEAR, "headers": frozenset()}
"""Objects of routes and exchanges whose every text may be one, and what in them is none."""

_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(://)[^/@\s]+@"), r"\1***@"),
    (re.compile(r"([?&]code=)[^&\s]*", re.IGNORECASE), r"\1***"),  # of a sign-in
    (re.compile(r"\bd2p(?:at)?_\w+"), "d2p_***"),
    (re.compile(r"(?i)\b(basic|bearer|apitoken)\s+[\w.~+/=-]{6,}"), r"\1 ***"),
)
_ROW = re.compile(r'(Failing row contains \()(?:[^"\\]|\\.)*', re.DOTALL)
"""The row that a database shows with its refusal, to the end of the text in JSON: passwords and people stand in it."""
_IN_ADDRESS = re.compile(r"://[^/@\s:]+:[^/@\s]+@")
"""A password in an address."""
_NAMED = (
    re.compile(r"([?&])([\w-]+)(=)[^&\s]*"),
    re.compile(r'(")([\w-]+)("\s*:\s*")(?:[^"\\]|\\.)*', re.DOTALL),
)
"""A parameter of an address, and a text in JSON, each with its name."""


def redact(text: str) -> str:
    """A text (an address, a header, JSON) with credentials, tokens and passwords replaced by `***`."""
    text = without_rows(text)
    for pattern, replacement in _TEXTS:
        text = pattern.sub(replacement, text)
    for pattern in _NAMED:
        text = pattern.sub(_without_secret, text)
    return text


def without_rows(text: str) -> str:
    """A server's JSON without the rows of its database that stand in the words of a refusal."""
    return _ROW.sub(r"\1***)", text)


def _without_secret(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}{found[3]}***" if is_secret(found[2]) else found[0]


def redacted(value: JsonValue, *, whole: bool = False, clear: Collection[str] = ()) -> JsonValue:
    """The same value with `SECRET` in place of passwords, tokens and the like; the value given stays as it is.

    Parameters:
        whole: every text in it may be a secret, but for those of the names in `clear`.
    """
    if isinstance(value, dict):
        return {
            name: SECRET
            if _NAMES.search(name) and isinstance(item, str) and item
            else redacted(item, whole=name in _WHOLE or (whole and name not in clear), clear=_WHOLE.get(name, ()))
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [redacted(item, whole=whole) for item in value]
    if isinstance(value, str) and value and (whole or _IN_ADDRESS.search(value)):
        return SECRET
    return value


def without_secrets(value: JsonValue) -> JsonValue:
    """A value that was kept without what has `SECRET` in its place."""
    if isinstance(value, dict):
        return {name: without_secrets(item) for name, item in value.items() if item != SECRET}
    if isinstance(value, list):
        return [without_secrets(item) for item in value if item != SECRET]
    return value


def is_secret(name: str) -> bool:
    """Does a property of this name hold a secret?"""
    return _NAMES.search(name) is not None


def has_secret(value: JsonValue) -> bool:
    """Does `SECRET` stand somewhere in a value that was kept?"""
    if isinstance(value, dict):
        return any(has_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(has_secret(item) for item in value)
    return value == SECRET
