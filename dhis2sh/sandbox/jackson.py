"""Reads request bodies as the server's JSON library does, and fails in its words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue


class BadJson(Exception):
    """A body that is no JSON; the text is what the server's JSON library says."""


def read_json(raw: bytes) -> JsonValue:
    """Parse a body. Raises `BadJson`."""
    try:
        return json.loads(raw)
    except ValueError as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else 0
        raise BadJson(_words(raw.decode(errors="replace"), at)) from error


def _words(text: str, at: int) -> str:
    """What is wrong at a place of the text."""
    rest = text[at:].lstrip()
    if not rest:
        return "Unexpected end-of-input"
    mark = rest[0]
    before = text[: text.find(rest, at)].rstrip()[-1:]
    if before in {"{", ","} and mark not in '"}]':
        return f"Unexpected character ('{mark}' (code {ord(mark)})): was expecting double-quote to start field name"
    if mark.isalpha():
        word = "".join(letter for letter in rest.split(maxsplit=1)[0] if letter.isalnum())
        return (
            f"Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' "
            "or 'false')"
        )
    return (
        f"Unexpected character ('{mark}' (code {ord(mark)})): expected a valid value (JSON String, Number, Array, "
        "Object or token 'null', 'true' or 'false')"
    )
