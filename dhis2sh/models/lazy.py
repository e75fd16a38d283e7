"""How a version's package finds a name without importing the others. Standard library only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib import import_module
from typing import Any

SHARED = ("Model", "OpenEnum", "Reference")  # what every version's package has too, from `dhis2sh.models.base`

type Lookup = tuple[Callable[[str], Any], Callable[[], list[str]]]


def package(name: str, modules: Mapping[str, str]) -> Lookup:
    """The `__getattr__` and `__dir__` of a version's package: a name's module is imported when the name is first asked for.

    Parameters:
        name: the package's `__name__`.
        modules: the names that each module defines, separated by spaces.
    """
    where = {defined: f"{name}.{module}" for module, names in modules.items() for defined in names.split()}
    where |= dict.fromkeys(SHARED, "dhis2sh.models.base")

    def get(attribute: str) -> Any:
        if attribute not in where:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        found = getattr(import_module(where[attribute]), attribute)
        setattr(sys.modules[name], attribute, found)
        return found

    return get, lambda: sorted(where)


def property_names(name: str, values: Mapping[str, str]) -> Lookup:
    """The same for enums of property names: each is made when it is first asked for.

    Parameters:
        name: the module's `__name__`.
        values: the names of the properties of each enum, separated by spaces.
    """

    def get(attribute: str) -> Any:
        if attribute not in values:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        members = [(upper_snake(value), value) for value in values[attribute].split()]
        found = StrEnum(attribute, members, module=name)
        setattr(sys.modules[name], attribute, found)
        return found

    return get, lambda: sorted(values)


def camel(name: str) -> str:
    """The wire name of a snake_case attribute: `value_type` is `valueType`."""
    head, *tail = name.split("_")
    return head + "".join([word[:1].upper() + word[1:] for word in tail])


def snake(name: str) -> str:
    """The attribute of a wire name: `valueType` is `value_type`, `displayURL` is `display_url`."""
    out: list[str] = []
    for n, letter in enumerate(name):
        if letter.isupper() and n and name[n - 1] != "_":
            before, after = name[n - 1], name[n + 1 : n + 2]
            if not before.isupper() or (after and after.islower()):
                out.append("_")
        out.append(letter.lower())
    return "".join(out)


def upper_snake(name: str) -> str:
    """The name of an enum's member: `valueType` is `VALUE_TYPE`."""
    return snake(name).upper()
