"""Nouns that are domains and types of metadata at once: what the domain has no verb for is the type's.

`dhis2 user update anna --email ...` is `dhis2 metadata users update anna --email ...`: one verb under two names, on every
surface. A verb that the domain has itself goes before the type's of the same word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dhis2sh.verbs import manifest

DOMAIN = "metadata"
NOUNS: Mapping[str, str] = {
    "exchange": "aggregate-data-exchanges", "route": "routes", "sql": "sql-views", "user": "users",
    "user-group": "user-groups", "user-role": "user-roles",
}  # fmt: skip
"""The sub-domain of `metadata` that each stands for."""


def meant(words: Sequence[str]) -> list[str]:
    """Words of a line, those of a noun's type in full where the noun itself has no such verb."""
    section = of_type(words[0]) if len(words) > 1 else None
    if section is None or _begins(words[0], words[1]) or not _begins(section, words[1]):
        return [*words]
    return [*section.split(), *words[1:]]


def _begins(section: str, word: str) -> bool:
    """Has a section a verb whose words go on with this one?"""
    start = f"{section} {word.rstrip('_').replace('_', '-')}"
    return any(f"{verb['path']} ".startswith(f"{start} ") for verb in manifest.verbs(section))


def of_type(domain: str) -> str | None:
    """Where a noun's other verbs are, for its help; None for a domain that is no noun of a type."""
    noun = NOUNS.get(domain)
    return None if noun is None else f"{DOMAIN} {noun}"


def spelled(words: Sequence[str]) -> str | None:
    """A path without hyphens, as tools are named, in full where it is a noun's; None where it is none."""
    for name, noun in sorted(NOUNS.items(), key=lambda item: -item[0].count("-")):  # `user-group` before `user`
        size = name.count("-") + 1
        if [*words[:size]] == name.split("-") and len(words) > size:
            return f"{DOMAIN} {noun.replace('-', ' ')} {' '.join(words[size:])}"
    return None
