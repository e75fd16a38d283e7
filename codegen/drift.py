"""What differs between a manifest and what a server says now, one fact a row."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from dhis2sh.models import facts

type Facts = dict[str, Any]
type Table = dict[tuple[str, str], Any]


@dataclass(frozen=True, slots=True)
class Drift:
    """One fact that is not the same.

    Parameters:
        source: 'schemas' or 'openapi'.
        name: the type or the component.
        property: its property, or '' for the type or component itself.
        change: 'added' (the server has it, the manifest has not), 'removed' or 'changed'.
        manifest, server: what each says, as compact JSON; '' for nothing.
    """

    source: str
    name: str
    property: str
    change: str
    manifest: str
    server: str


def drift(source: str, manifest: Facts, server: Facts) -> list[Drift]:
    """The differences between two manifests of the same kind, sorted by name.

    Parameters:
        source: 'schemas' or 'openapi'.
        manifest: what is in the project.
        server: what was distilled from a server's answer.
    """
    tables = [_schemas(m) if source == "schemas" else _openapi(m) for m in (manifest, server)]
    return [*_compare(source, *tables)]


def _schemas(manifest: Facts) -> Table:
    table: Table = {}
    for t in cast("list[Facts]", facts.expand(manifest)["schemas"]):
        name = t["klass"].rpartition(".")[2]
        table[name, ""] = {k: v for k, v in t.items() if k != "properties"}
        table |= {(name, p["name"]): p for p in t["properties"]}
    return table


def _openapi(manifest: Facts) -> Table:
    table: Table = {}
    for name, shape in manifest["components"].items():
        if isinstance(shape, dict) and "properties" in shape:
            described = cast("Facts", shape)
            table[name, ""] = {k: v for k, v in described.items() if k != "properties"}
            table |= {(name, p): s for p, s in described["properties"].items()}
        else:
            table[name, ""] = shape
    return table


def _compare(source: str, manifest: Table, server: Table) -> Iterator[Drift]:
    for key in sorted(manifest.keys() | server.keys()):
        name, prop = key
        if key not in server or key not in manifest:
            if prop and ((name, "") not in server or (name, "") not in manifest):
                continue  # said once, for the type as a whole
            change = "removed" if key in manifest else "added"
            yield Drift(source, name, prop, change, _text(manifest.get(key)), _text(server.get(key)))
        elif manifest[key] != server[key]:
            old, new = _changed(manifest[key], server[key])
            yield Drift(source, name, prop, "changed", _text(old), _text(new))


def _changed(old: Any, new: Any) -> tuple[Any, Any]:
    """Of two objects only the keys that differ."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return cast("tuple[Any, Any]", (old, new))
    before, after = cast("Facts", old), cast("Facts", new)
    keys = [k for k in sorted({*before, *after}) if before.get(k) != after.get(k)]
    return {k: before[k] for k in keys if k in before}, {k: after[k] for k in keys if k in after}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
