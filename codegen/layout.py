"""How the project's JSON facts are written: sorted, compact, one row per line, so that a diff shows one fact a line."""

import json
from typing import Any, cast


def dumps(data: dict[str, Any]) -> str:
    """One line per top-level value, and one per item of a top-level list or object.

    Parameters:
        data: what to write; lists keep their order, keys keep theirs (the callers sort).
    """
    parts: list[str] = []
    for key, value in data.items():
        if isinstance(value, dict) and value:
            table = cast("dict[str, Any]", value)
            rows = [f"{_line(k)}: {_line(v)}" for k, v in table.items()]
            parts.append(f"{_line(key)}: {{\n" + ",\n".join(rows) + "\n}")
        elif isinstance(value, list) and value:
            items = cast("list[Any]", value)
            parts.append(f"{_line(key)}: [\n" + ",\n".join(_line(item) for item in items) + "\n]")
        else:
            parts.append(f"{_line(key)}: {_line(value)}")  # pyright: ignore[reportUnknownArgumentType]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
