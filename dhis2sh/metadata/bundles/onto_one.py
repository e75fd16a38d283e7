"""Two objects of a bundle that would be one object there: formulas and lists would count the one for the other."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.dhis2.properties import DEFAULT_NAME, DEFAULT_OBJECTS
from dhis2sh.dhis2.references import INSTANCE, PLACES, label
from dhis2sh.errors import UsageError
from dhis2sh.metadata.bundles.mapping import Mapped, Match
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.bundle import Bundle

OWN = INSTANCE | PLACES
"""Types of which a bundle that only refers to them may have several for one: a country has fewer people and places."""
RANK = ("uid", "given", "code", "name", "choice")
"""How an object was found, what says most first."""


@dataclass(frozen=True, slots=True)
class OntoOne:
    """Objects of a bundle that would be one there.

    Parameters:
        kept: the one that was found by what says most; rest: the others.
        target: the object there, in words.
    """

    kept: Match
    rest: tuple[Match, ...]
    target: str

    def __str__(self) -> str:
        said = [f"'{one.name}' [{one.uid}] (by {one.by})" for one in (self.kept, *self.rest)]
        return f"{self.kept.type} {joined(said, 'and')} would be one object there: {self.target}"


def onto_one(source: Bundle, there: Bundle, mapped: Mapped) -> list[OntoOne]:
    """What a mapping makes one, but for the defaults, of which each server has one.

    Parameters:
        source: the bundle before it was mapped; there: the objects of the target.
    """
    skipped = {clash.uid for clash in mapped.skipped if clash.property != "counterpart"}
    return _onto_one(source, there, mapped.matches, skipped)


def require_apart(source: Bundle, given: Mapping[str, str]) -> None:
    """Raise `UsageError` where `--map` makes two objects of a bundle one.

    Parameters:
        given: UID of the bundle to UID of the target.
    """
    named = [(plural, str(body["id"]), label(body)) for plural, body in source]
    named += [(plural, uid, name) for plural, names in source.outside.items() for uid, name in names.items()]
    matches = [Match(plural, uid, name, given[uid], "given") for plural, uid, name in named if uid in given]
    for one in _onto_one(source, source.like(), matches, ()):
        raise UsageError(f"{one}; nothing was written", hint=" ".join(left_out(one)))


def left_out(one: OntoOne) -> list[str]:
    """Which given counterparts of an object are to be left out."""
    return [f"leave --map {match.uid}={match.to} out" for match in one.rest if match.by == "given"]


def _onto_one(source: Bundle, there: Bundle, matches: Iterable[Match], skipped: Container[str]) -> list[OntoOne]:
    by_uid = {(match.type, match.uid): match for match in matches}
    found: dict[tuple[str, str], list[Match]] = {}
    for plural, body in source:
        uid, name = str(body["id"]), label(body)
        default = plural in DEFAULT_OBJECTS and name == DEFAULT_NAME
        match = by_uid.pop((plural, uid), None) or Match(plural, uid, name, uid, "uid")
        if uid not in skipped and not default:
            found.setdefault((plural, match.to), []).append(match)
    held = {match.uid for some in found.values() for match in some}
    for match in by_uid.values():  # what the bundle only refers to
        if match.type not in OWN and not (match.type in DEFAULT_OBJECTS and match.name == DEFAULT_NAME):
            found.setdefault((match.type, match.to), []).append(match)
    shared: list[OntoOne] = []
    for (plural, to), some in found.items():
        if len(some) > 1:
            # what is only referred to cannot be resolved: it is the one that stays
            kept, *rest = sorted(some, key=lambda match: (match.uid in held, RANK.index(match.by)))
            name = there.objects.get(plural, {}).get(to)
            shared.append(OntoOne(kept, tuple(rest), f"'{label(name)}' [{to}]" if name else f"[{to}]"))
    return shared
