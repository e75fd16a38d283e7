"""The catalogue as data: what help, completion and tool search need, without importing a verb.

One file per domain in `dhis2sh/_manifest`, and one per sub-domain of a family (`metadata/data-elements.json`), built from
the registry by `build_manifest`; never committed, and a test proves that they are the same. Reading one imports `json` and
nothing else, and a line reads only the files of its own words; the root's help is plain text, for which not even that is.

A checkout also keeps what its catalogue was built from (`.sources`), so that help can say when it may be wrong.
"""

from __future__ import annotations

import os
from functools import cache

from dhis2sh.errors import Dhis2Error

TYPE_CHECKING = False  # as in `dhis2sh`: help waits for this file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NotRequired, TypedDict

    from dhis2sh.types import JsonObject

    class Index(TypedDict):
        """The file of the root: each domain's one-line summary."""

        domains: dict[str, str]

    class Section(TypedDict):
        """The file of a domain or sub-domain: the help of each path in it, its verbs; of a family its sub-domains."""

        help: dict[str, str]
        verbs: list[JsonObject]
        sections: NotRequired[dict[str, list[str]]]


FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "_manifest")  # noqa: PTH118, PTH120
"""Where the files are. No `Path` here: help and completion would wait three milliseconds for its import."""
SOURCES = ".sources"
"""Beside the files, in a checkout alone: what made them, then a line a source: time, size, digest, and path from here."""
_OF_NAMES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_- ")
"""What stands in the names of domains: none leads out of the folder."""


def root_help() -> str:
    """What `dhis2 --help` prints. Raises `Dhis2Error` where the catalogue was never built."""
    text = _read("help.txt")
    if text is None:
        raise _never_built()
    return text.removesuffix("\n")


@cache
def index() -> Index:
    """Each domain's one-line summary. Raises `Dhis2Error` where the catalogue was never built."""
    return _loaded("index") or {"domains": {}}


def domain(name: str) -> Section | None:
    """A domain, shipped or of a plugin, or a sub-domain (`metadata data-elements`): its verbs and the help of each path in it.

    None for an unknown one, and for a plugin that is broken. Raises `Dhis2Error` where the catalogue was never built.
    """
    found = shipped(name)
    if found is not None or " " in name or not _OF_NAMES.issuperset(name):
        return found
    from dhis2sh.verbs import plugin_catalogue  # start-up: words that are no shipped domain

    return plugin_catalogue.section(name)


@cache
def shipped(name: str) -> Section | None:
    """The same of a shipped domain or sub-domain alone."""
    return _loaded(name.replace(" ", "/")) if _OF_NAMES.issuperset(name) else None


def domains(*, wait: bool = True) -> dict[str, str]:
    """Every domain with a line about it: the shipped ones, then those of plugins.

    Parameters:
        wait: for plugins that nobody knows yet; a Tab does not.
    """
    from dhis2sh.verbs import plugin_catalogue  # start-up: who asks for one domain has its name

    theirs = {name: summary(name, section["verbs"]) for name, section in plugin_catalogue.sections(wait=wait).items()}
    return {**index()["domains"], **theirs}


def summary(name: str, verbs: Sequence[JsonObject]) -> str:
    """A domain in a line: its only verb's own, or what its verbs are called."""
    if len(verbs) == 1:
        return str(verbs[0]["summary"])
    return f"{len(verbs)} verbs: " + ", ".join(str(verb["path"]).removeprefix(f"{name} ") for verb in verbs)


def _loaded(name: str) -> Any:
    import json  # start-up: the root's help is text

    text = _read(f"{name}.json")
    return None if text is None else json.loads(text)


def _read(name: str) -> str | None:
    try:
        with open(f"{FOLDER}/{name}", encoding="utf-8") as file:  # noqa: PTH123
            return file.read()
    except FileNotFoundError:
        if is_built():
            return None
        raise _never_built() from None


def is_built() -> bool:
    """Is there a catalogue?"""
    return os.path.exists(f"{FOLDER}/index.json")  # noqa: PTH110


def _never_built() -> Dhis2Error:
    return Dhis2Error("the catalogue of verbs was never built in this checkout", hint="make setup")


def stale() -> str | None:
    """Which source of a checkout is newer than its catalogue, in a line with the command; None where all is as built.

    An installed catalogue came with its sources and cannot be stale. Raises `Dhis2Error` where none was ever built.
    """
    if not is_built():
        raise _never_built()
    changed = first_changed(kept()[1:])
    return f"note: {changed} has changed, help and completion may be wrong until: make setup" if changed else None


def kept() -> list[str]:
    """What a checkout's catalogue was built from, as its `.sources` says; nothing where it is not kept."""
    try:
        with open(f"{FOLDER}/{SOURCES}", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def first_changed(sources: Sequence[str]) -> str | None:
    """The first source that is not what the catalogue was built from; one that was only touched is looked into."""
    for line in sources:
        when, size, was, path = line.split(" ", 3)
        try:
            found = os.stat(f"{FOLDER}/{path}")  # noqa: PTH116
        except FileNotFoundError:
            return os.path.basename(path)  # noqa: PTH119
        if (when, size) != (str(found.st_mtime_ns), str(found.st_size)) and was != digest(f"{FOLDER}/{path}"):
            return os.path.basename(path)  # noqa: PTH119
    return None


def digest(path: str) -> str:
    """What stands for the content of a file."""
    from hashlib import sha256  # start-up: seldom needed

    with open(path, "rb") as file:  # noqa: PTH123
        return sha256(file.read()).hexdigest()


def sections(name: str) -> dict[str, list[str]]:
    """The sub-domains of a domain's family, each with its other names; empty where there is no family."""
    found = domain(name)
    return found.get("sections", {}) if found else {}


def section_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """Where words lead: a domain or a sub-domain under its first name, and what follows; loads no verb."""
    if len(words) > 1:
        for name, others in sections(words[0]).items():
            if words[1] == name or words[1] in others:
                return f"{words[0]} {name}", list(words[2:])
    return words[0], list(words[1:])


def verbs(name: str) -> list[JsonObject]:
    """The verbs of a domain or a sub-domain, by path."""
    found = domain(name)
    return found["verbs"] if found else []


def options_apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The common options before and between the words of a verb, with their values; and the other words, in order.

    `-p play metadata list dataElements` and `metadata -p play list dataElements` are the same line. Behind the verb's own words
    options are its own to read, and behind `--` there are none.
    """
    from dhis2sh.verbs import options  # start-up: help asks for none

    found, path, rest = list[str](), list[str](), list(words)
    while rest and rest[0] != "--" and not _is_path(path):
        word = rest[0]
        if not word.startswith("-"):
            path.append(rest.pop(0))
            continue
        option = options.of_flag(word.partition("=")[0])
        if path and option is None:
            break  # `--help`, or an option of a verb that is not said yet
        found.append(rest.pop(0))
        if option is not None and option.takes_value and "=" not in word and rest:
            found.append(rest.pop(0))
    return found, [*path, *rest]


def _is_path(words: Sequence[str]) -> bool:
    """Are these words a verb, or of a domain whose verbs are not known here, such as a plugin that is broken?"""
    if not words:
        return False
    section, rest = section_of(words)
    path = " ".join([section, *rest])
    known = verbs(section)
    return not known or any(
        verb["path"] == path or (rest and isinstance(others := verb["aliases"], list) and path in others)
        for verb in known
    )


def is_verb(name: str) -> bool:
    """Is a domain a verb itself, as `undo` is?"""
    return any(verb["path"] == name for verb in verbs(name))


def bare(section: str) -> str | None:
    """The verb that a section's name alone stands for, where one has it as an alias: `doctor all` for `doctor`."""
    named = (verb for verb in verbs(section) if isinstance(others := verb["aliases"], list) and section in others)
    return next((str(verb["path"]) for verb in named), None)


def domain_verbs() -> list[JsonObject]:
    """Every verb that is written by hand, those of plugins too: those of the domains, without the sub-domains."""
    return [verb for name in domains() for verb in verbs(name)]


def all_verbs() -> list[JsonObject]:
    """Every verb: those of the domains, those of plugins too, then those of the sub-domains."""
    names = index()["domains"]
    return domain_verbs() + [
        verb for name in names for section in sections(name) for verb in verbs(f"{name} {section}")
    ]
