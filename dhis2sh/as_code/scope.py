"""What a directory is about: `instance.yaml`, which every pull, difference and apply goes by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.client import schema
from dhis2sh.dhis2.as_code import TYPES
from dhis2sh.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from dhis2sh.as_code.yaml_text import Document
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

MANIFEST = "instance.yaml"
FORMAT = 1
SETTINGS, STORE, APPS, MEMBERS = "settings", "dataStore", "apps", "members"
USUAL = (SETTINGS, STORE, APPS)
KINDS = (*USUAL, MEMBERS)
"""What a directory may hold beside metadata; of `MEMBERS` (who belongs to groups) only where it is asked for."""
PEOPLE = "people"
"""What single people may do, who belongs to groups and who has roles: in snapshots alone, whose accounts stay the same ones."""
GROUPS = "userGroups"
KEYS = ("format", "dhis2", "types", "also")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a directory is about.

    Parameters:
        version: of the DHIS2 that it was pulled from: `2.42`.
        types: plurals, sorted.
        also: which of `KINDS` it holds besides.
    """

    version: str
    types: tuple[str, ...]
    also: tuple[str, ...] = KINDS

    def to_json(self) -> JsonObject:
        """As `instance.yaml` says it."""
        return {"format": FORMAT, "dhis2": self.version, "types": [*self.types], "also": [*self.also]}

    def only(self, words: Sequence[str], without: Sequence[str] = ()) -> Scope:
        """The part of it that somebody has named, without what was named so. Raises `UsageError` for what it is not about."""
        named, gone = ([part for text in texts for part in text.split(",") if part] for texts in (words, without))
        for word in (*named, *gone):
            if word not in (*self.types, *self.also) and not (word == MEMBERS and PEOPLE in self.also):
                raise UsageError(
                    f"{MANIFEST} says nothing of '{word}'",
                    hint=did_you_mean(word, [*self.types, *self.also]) or f"dhis2 instance pull DIR --types {word}",
                )
        chosen = _with_groups({*(named or (*self.types, *self.also))})
        if GROUPS in chosen and MEMBERS in self.also:
            chosen.add(MEMBERS)
        if PEOPLE in self.also:
            chosen.add(PEOPLE)
        if MEMBERS in gone:
            gone = [*gone, PEOPLE]
        chosen -= {*gone}
        return replace(
            self,
            types=tuple(name for name in self.types if name in chosen),
            also=tuple(name for name in self.also if name in chosen),
        )


def of_document(document: Document, types: Iterable[str]) -> Scope:
    """What `instance.yaml` says. Raises `UsageError` with the line for what it cannot say.

    Parameters:
        types: the types that there are in any version.
    """
    value, known = document.value, [*types]
    for key in value:
        if key not in KEYS:
            raise UsageError(f"{document.at(key)}: unknown: {key}", hint=did_you_mean(key, KEYS) or ", ".join(KEYS))
    if value.get("format") != FORMAT:
        raise UsageError(
            f"{document.at('format')}: format {value.get('format')} is not known: this dhis2sh reads {FORMAT}",
            hint="a newer dhis2sh has written it",
        )
    for key, allowed in (("types", known), ("also", KINDS)):
        items = value.get(key)
        if not isinstance(items, list):
            raise UsageError(f"{document.at(key)}: {key} is a list", hint=f"{key}: []")
        for number, item in enumerate(items):
            if item not in allowed:
                raise UsageError(
                    f"{document.at(key, number)}: there is no '{item}' to be in files",
                    hint=did_you_mean(str(item), [*allowed]) or "dhis2 metadata types",
                )
    names = cast("list[str]", value["types"])
    return Scope(str(value.get("dhis2") or ""), tuple(sorted(set(names))), tuple(cast("list[str]", value["also"])))


def possible(types: Iterable[Resource]) -> list[str]:
    """The types whose objects may stand in files."""
    return sorted(
        one.plural for one in types if one.metadata and one.endpoint == f"/{one.plural}" and one.plural not in TYPES
    )


async def wanted(s: Session, words: Sequence[str], without: Sequence[str]) -> Scope:
    """What a first pull is about: all that can be in files, or what was named.

    Parameters:
        words: types and `KINDS`; without: those to leave out.

    Raises `NotFound`, and `UsageError` for a type that is in no file.
    """
    version = await s.client.version()
    known = possible((await schema.resources_of(s.client)).values())
    chosen = _with_groups(await _named(s, words, known)) if words else {*known, *USUAL}
    chosen -= await _named(s, without, known)
    return Scope(
        f"{version.major}.{version.minor}",
        tuple(name for name in known if name in chosen),
        tuple(kind for kind in KINDS if kind in chosen),
    )


async def _named(s: Session, words: Sequence[str], known: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for word in (part for text in words for part in text.split(",") if part):
        if word in KINDS:
            found.add(word)
            continue
        plural = (await schema.resource_of(s.client, word)).plural
        if plural not in known:
            raise UsageError(
                f"{plural} are in no file: they belong to one server, or to people",
                hint="docs/instance-as-code.md says what is left out",
            )
        found.add(plural)
    return found


def with_people(about: Scope) -> Scope:
    """The same with what single people have."""
    members = (MEMBERS,) if GROUPS in about.types else ()
    return replace(about, also=(*(kind for kind in about.also if kind != MEMBERS), *members, PEOPLE))


def without_people(about: Scope) -> Scope:
    """The same without it, and without who belongs to groups."""
    return replace(about, also=tuple(kind for kind in about.also if kind not in {MEMBERS, PEOPLE}))


def _with_groups(chosen: set[str]) -> set[str]:
    """Members stand in the files of their groups."""
    return chosen | {GROUPS} if MEMBERS in chosen else chosen
