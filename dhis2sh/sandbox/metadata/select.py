"""Cutting finished answers down to what `fields` names: of the tracker, of data, of files (api-facts e.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.metadata.fields import Field

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


def select(value: JsonValue, tree: Field) -> JsonValue:
    """The part of a value that a tree of fields names; a bare node takes all of it."""
    if isinstance(value, list):
        return [select(item, tree) for item in value]
    if not isinstance(value, dict) or tree.bare:
        return value
    everything = _everything(tree)
    shown: JsonObject = {}
    for name, inner in value.items():
        child = tree.children.get(name)
        simple = "simple" in tree.presets and not isinstance(inner, dict | list)
        if name in tree.excluded or not (everything or simple or child is not None):
            continue
        below = _without(child or Field(), name, tree.excluded)
        shown[_renamed(name, child)] = select(inner, below)
    return shown


def _without(child: Field, name: str, excluded: list[str]) -> Field:
    """A node with what its parent hides of it (`!enrollments.events`)."""
    hidden = [path.removeprefix(f"{name}.") for path in excluded if path.startswith(f"{name}.")]
    if not hidden:
        return child
    presets = child.presets or (["all"] if child.bare else [])
    return Field(child.children, presets, [*child.excluded, *hidden], child.transformers)


def _renamed(name: str, child: Field | None) -> str:
    for transformer, argument in child.transformers if child else ():
        if transformer == "rename" and argument:
            name = argument
    return name


def wants(tree: Field, *path: str) -> bool:
    """Does the tree show this path? Saves reading what nobody asked for."""
    if not path:
        return True
    name = path[0]
    if name in tree.excluded:
        return False
    child = tree.children.get(name)
    if child is not None:
        return child.bare or wants(child, *path[1:])
    return _everything(tree)


def _everything(tree: Field) -> bool:
    """`*`, and `[!events]`, which is all but these."""
    return "all" in tree.presets or (bool(tree.excluded) and not tree.presets and not tree.children)
