"""A file's own slips: properties that there are not, values of another kind, secrets written out, each with file and line."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dhis2sh.as_code.members import USERS
from dhis2sh.as_code.scope import GROUPS, MANIFEST, MEMBERS
from dhis2sh.as_code.secret import open_ones
from dhis2sh.dhis2.as_code import left_out
from dhis2sh.dhis2.moved import MOVED
from dhis2sh.dhis2.properties import NAMES, SHARING
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.models import facts
from dhis2sh.redact import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dhis2sh.as_code.yaml_text import Document, Path
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue

TEXTS = frozenset({"TEXT", "IDENTIFIER", "URL", "EMAIL", "PASSWORD", "PHONENUMBER", "COLOR", "DATE", "CONSTANT"})
SHOWN = 5
type Problem = tuple[Path, str, str | None]
"""Where, what is wrong, and what was meant."""


def check(plural: str, document: Document) -> None:
    """Raise `UsageError` with file and line for what no version of DHIS2 knows, or what is no value of its kind.

    Parameters:
        plural: the type whose object the document says.
    """
    found = [*_wrong(plural, document.value)]
    found += [
        (place, "a secret does not stand in a file", f"write {SECRET!r}, and give it with --secrets FILE")
        for place in open_ones(document.value)
    ]
    if not found:
        return
    told = "; ".join(f"{document.at(*place)}: {why}" for place, why, _ in found[:SHOWN])
    more = f" (and {len(found) - SHOWN:,} more)" if len(found) > SHOWN else ""
    raise UsageError(f"{told}{more}", hint=next((hint for _, _, hint in found if hint), None))


def _wrong(plural: str, body: JsonObject) -> Iterator[Problem]:
    known = properties_of(plural)
    for name, value in body.items():
        if left_out(plural, name):
            more = f", or add {MEMBERS} below also: of {MANIFEST}" if (plural, name) == (GROUPS, USERS) else ""
            yield (name,), f"{name} is in no file: it is one server's own", f"take the line out{more}"
        elif name == "sharing" and not shareable(plural):
            yield (name,), f"{plural} have no sharing of their own", "take the lines out"
        elif name == "sharing":
            yield from _wrong_sharing(value)
        elif name in SHARING:
            yield (name,), f"{name} is how old servers say it", "sharing: says public and userGroups"
        elif name not in known and name not in MOVED.get(plural, {}):
            yield (
                (name,),
                f"{plural} have no property '{name}'",
                did_you_mean(name, [*known]) or f"dhis2 metadata fields {plural}",
            )
        elif (
            name in known
            and not known[name].owner
            and not any(
                name in resource.properties and resource.properties[name].owner for resource in _versions(plural)
            )
        ):
            yield (
                (name,),
                f"{name} is not {plural}' own: a server works it out, or another object says it",
                "take it out",
            )
        elif name in known:
            yield from _wrong_value((name,), known[name], value)


def _wrong_sharing(value: JsonValue) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield ("sharing",), "sharing holds public and userGroups", "public: r-------"
        return
    for name in value:
        if name not in {"public", "external", "userGroups"}:
            hint = did_you_mean(name, ("public", "external", "userGroups")) or "what single people may do is in no file"
            yield ("sharing", name), f"sharing has no '{name}' in files", hint
    groups = value.get("userGroups") or {}
    accesses: dict[Path, JsonValue] = {("sharing", "public"): value.get("public", "--------")}
    if not isinstance(groups, dict):
        yield ("sharing", "userGroups"), "userGroups is no mapping", "UID: then access: rw------"
        return
    for uid, row in groups.items():
        if not is_uid(uid):
            yield ("sharing", "userGroups", uid), f"'{uid}' is no UID of a group", None
        accesses["sharing", "userGroups", uid] = row.get("access") if isinstance(row, dict) else None
    for path, access in accesses.items():
        letters = isinstance(access, str) and len(access) == 8 and all(
            letter in allowed for letter, allowed in zip(access, ("r-", "w-", "r-", "w-", "-", "-", "-", "-"), strict=True)
        )  # fmt: skip
        if not letters:
            yield path, f"{access!r} is no access", "eight letters such as rw------ or r-rw----"


def _wrong_value(path: Path, prop: Property, value: JsonValue) -> Iterator[Problem]:
    if value is None or value == SECRET:
        return
    if prop.collection:
        if not isinstance(value, list):
            yield path, f"{path[-1]} is a list", "each item begins with - "
            return
        for number, item in enumerate(value):
            yield from _wrong_item((*path, number), prop, prop.item_kind or "", item)
    else:
        yield from _wrong_item(path, prop, prop.kind, value)


def _wrong_item(path: Path, prop: Property, kind: str, value: JsonValue) -> Iterator[Problem]:
    name = prop.name
    if kind in TEXTS and isinstance(value, (int, float)):
        yield path, f"{name} is a text, and {str(value).lower()} is none", f"{name}: '{str(value).lower()}', in quotes"
    elif kind == "CONSTANT" and isinstance(value, str) and prop.constants and value not in prop.constants:
        yield (
            path,
            f"{name} has no value '{value}'",
            did_you_mean(value, prop.constants) or ", ".join(prop.constants[:12]),
        )
    elif kind == "BOOLEAN" and not isinstance(value, bool):
        yield path, f"{name} is true or false, not {value!r}", None
    elif kind == "INTEGER" and (isinstance(value, bool) or not isinstance(value, int)):
        yield path, f"{name} is a whole number, not {value!r}", None
    elif isinstance(value, dict):
        yield from _wrong_object(path, prop, kind, value)
    elif kind == "REFERENCE" and prop.target:
        yield path, f"{name} refers to an object, and {value!r} is none", f"{name}: {{id: UID}}"


def _wrong_object(path: Path, prop: Property, kind: str, value: JsonObject) -> Iterator[Problem]:
    target = prop.target or ""
    if kind == "REFERENCE" and value.keys() <= NAMES and target in _referred():
        uid = value.get("id")
        if not is_uid(uid if isinstance(uid, str) else None):
            yield (*path, "id"), f"{prop.name} refers by UID, and {uid!r} is none", f"{prop.name}: {{id: UID}}"
        return
    known = properties_of(target)
    for name, item in value.items():
        if known and name not in known and name not in MOVED.get(target, {}):
            if target != "sharing":
                yield (*path, name), f"{prop.name} has no property '{name}'", did_you_mean(name, [*known])
        elif name in known:
            yield from _wrong_value((*path, name), known[name], item)


def _versions(plural: str) -> list[Resource]:
    """A type as each version has it."""
    found = (facts.types(version).get(plural) for version in facts.VERSIONS)
    return [one for one in found if one is not None]


@cache
def shareable(plural: str) -> bool:
    """Has a type sharing in any version?"""
    return any(one.shareable for one in _versions(plural))


@cache
def _referred() -> frozenset[str]:
    """Types whose objects have a UID and an address."""
    return frozenset(
        plural
        for version in facts.VERSIONS
        for plural, one in facts.types(version).items()
        if one.endpoint and one.metadata
    )


@cache
def properties_of(plural: str) -> Mapping[str, Property]:
    """The properties of a type in any version, each as the newest that knows it says it; of values those of all."""
    found: dict[str, Property] = {}
    for version in facts.VERSIONS:
        resource = facts.types(version).get(plural)
        for name, prop in resource.properties.items() if resource is not None else ():
            before = found.get(name)
            constants = tuple(dict.fromkeys([*(before.constants if before else ()), *prop.constants]))
            found[name] = prop._replace(constants=constants)
    return found
