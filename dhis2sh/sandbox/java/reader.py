"""What the server's JSON reader (Jackson) says of a text that it cannot read, and where."""

from __future__ import annotations

REDACTED = (
    "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: {column}]"
)
"""The place in a text as the server's reader names it."""


def complaint(text: str, position: int) -> str:
    """What the server's JSON reader says about the character that it did not expect."""
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    if position >= len(text):
        where = REDACTED.format(line=line, column=column)
        return f"Unexpected end-of-input: expected close marker for Object\n at {where}"
    letter = text[position]
    before = text[:position].rstrip()[-1:]
    expected = {
        "{": "was expecting double-quote to start field name",
        '"': "was expecting a colon to separate field name and value",
    }.get(before, "was expecting comma to separate Object entries" if before in "}]" or before.isalnum() else
          "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')")  # fmt: skip
    where = REDACTED.format(line=line, column=column)
    return f"Unexpected character ('{letter}' (code {ord(letter)})): {expected}\n at {where}"
