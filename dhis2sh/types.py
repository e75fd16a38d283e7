"""The named types of plain JSON data that cross module boundaries.

A `Row` is one row of a result as the server gave it; it becomes a pydantic model only when somebody asks for one.
"""

type JsonValue = bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None
type JsonObject = dict[str, JsonValue]
type Row = dict[str, JsonValue]
