"""Python names for what DHIS2 names: attributes, classes, members, modules."""

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable

from dhis2sh.models.base import Model
from dhis2sh.models.lazy import camel, snake, upper_snake

_ATTRIBUTES = frozenset(name for name in dir(Model) if not name.startswith("_")) | frozenset(
    ["bool", "dict", "float", "int", "list", "str", "pydantic", "model_config"]
)
CLASSES = frozenset(
    [
        "Annotated",
        "Any",
        "Literal",
        "Model",
        "Number",
        "OpenEnum",
        "Reference",
        "Tagged",
        "Timestamp",
        "Uid",
        "pydantic",
    ]
    + [name for name in dir(builtins) if not name.startswith("_")]  # an annotation would find Python's `Warning` first
)
MODULES = frozenset(["aliases", "components", "enums", "property_names"])


def identifier(name: str, fallback: str) -> str:
    """The nearest Python identifier: letters, digits and `_` stay, anything else is `_`."""
    made = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name)).lstrip("_")  # as Python itself reads an identifier
    if not made.strip("_"):
        made = fallback
    if made[0].isdigit():
        made = f"{fallback}_{made}"
    made = made if made.isidentifier() else fallback
    return f"{made}_" if keyword.iskeyword(made) else made


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, with `_` behind it until it is free."""
    used = {*taken}
    while name in used:
        name += "_"
    return name


def attributes(wires: Iterable[str]) -> dict[str, str]:
    """The attribute of each key on the wire: snake_case, never a name that Python or pydantic has a use for.

    A key that is its own attribute keeps it, so that no attribute is the key of another field.
    """
    wires = sorted(wires)
    names: dict[str, str] = {}
    for wire in sorted(wires, key=lambda w: (snake(w) != w, w)):
        made = identifier(snake(wire), "field")
        if made in _ATTRIBUTES or made.startswith("model_"):
            made += "_"
        made = unique(made, {*names.values(), *(w for w in wires if w != wire)})
        names[wire] = made
    return {wire: names[wire] for wire in wires}


def needs_alias(wire: str, attribute: str) -> bool:
    """Is the wire name another than the base class would make of the attribute?"""
    return camel(attribute) != wire


def classes(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """The Python name of each component: its own if it can be one and nothing else has it."""
    made: dict[str, str] = {}
    used = {*taken, *CLASSES}
    for name in sorted(names):
        made[name] = unique(class_name(name), used)
        used.add(made[name])
    return made


def class_name(name: str) -> str:
    """The nearest name of a class; never what an attribute can be called, where pydantic looks for a type first."""
    made = identifier(name, "Component")
    made = made[0].upper() + made[1:]
    return made if made != snake(made) and made.isidentifier() else f"Component{made}"


def can_be_made_later(constants: Iterable[str]) -> bool:
    """Can `dhis2sh.models.lazy.property_names` make an enum of these?"""
    found = [*constants]
    upper = {upper_snake(constant) for constant in found}
    return len(upper) == len(found) and all(c.isascii() and c.isidentifier() and c[0] != "_" for c in found)


def members(constants: Iterable[str]) -> list[tuple[str, str]]:
    """Name and value of each constant: itself where it is upper case already, else in UPPER_SNAKE."""
    made: dict[str, str] = {}
    for constant in constants:
        name = constant if constant.isupper() and constant.isidentifier() else upper_snake(constant)
        name = identifier(name, "VALUE").strip("_") or "VALUE"
        name = name if name.isidentifier() and not keyword.iskeyword(name) else f"VALUE_{name}"
        made[unique(name, {*made, "mro"})] = constant
    return [*made.items()]


def modules(names: Iterable[str]) -> dict[str, str]:
    """The file of each class; two that differ in case only would be one file on some systems."""
    made: dict[str, str] = {}
    for name in sorted(names):
        file = identifier(snake(name).strip("_"), "component").casefold()
        made[name] = unique(file, {*made.values(), *MODULES})
    return made


def first_word(name: str) -> str:
    """The first word of a class's name in lower case: `TrackerEvent` is of the family `tracker`."""
    return identifier(snake(name).strip("_").split("_")[0], "component").casefold()


def initial(word: str) -> str:
    """The first letter, where it can be the name of a file."""
    return word[0] if word[0].isascii() and word[0].isalpha() else "other"


def words(annotation: str) -> set[str]:
    """The names in an annotation."""
    return {*re.findall(r"\b[^\W\d]\w*", annotation)}
