"""What the server's JSON reader (Jackson) says of a text that it cannot read, and where."""

from __future__ import annotations

REDACTED = (
    "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: {column}]"
)
"""The place in a text as the server's reader names it."""


UNKNOWN = "[Source: UNKNOWN; byte offset: #UNKNOWN]"
"""A place in what the reader no longer has the text of."""


def no_object(klass: str, value: object) -> str:
    """What the reader says of a text, a number or a list where an object should be."""
    if isinstance(value, list):
        return f"Cannot deserialize value of type `{klass}` from Array value (token `JsonToken.START_ARRAY`)"
    kind, shown = ("String", f"String value ('{value}')")
    if isinstance(value, bool):
        kind, shown = "boolean/Boolean", f"boolean value ({str(value).lower()})"
    elif isinstance(value, int):
        kind, shown = "int/Int", f"Number value ({value})"
    elif isinstance(value, float):
        kind, shown = "double/Double", f"Number value ({value})"
    return (
        f"Cannot construct instance of `{klass}` (although at least one Creator exists): no {kind}-argument "
        f"constructor/factory method to deserialize from {shown}"
    )


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
