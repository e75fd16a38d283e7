"""What somebody says of single objects of a bundle (`--map`, `--resolve`): found in it, fitted to the target, else refused.

A line that fits nothing is a slip, and what it was meant for would be written as if nothing had been said.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from dhis2sh.dhis2.references import label, references
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.metadata.bundles.mapping import Choice, Mapped
from dhis2sh.metadata.bundles.onto_one import OWN
from dhis2sh.metadata.bundles.walk import known
from dhis2sh.verbs import names
from dhis2sh.words import joined, listed, nouns

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.bundle import Bundle
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session

CHOICES: tuple[Choice, ...] = ("map", "rename", "skip")
ANY = "*"
"""The type of what nothing says the type of."""
type Hit = tuple[str, str]
"""Type and UID of an object; of a code or placeholder the text itself."""


async def given_of(s: Session, bundle: Bundle, pairs: Sequence[str], types: Mapping[str, Resource]) -> dict[str, str]:
    """`--map FROM=TO` as UIDs: FROM is looked for in the bundle and in what it refers to, TO on the target.

    FROM may be a code or a placeholder that stands in the bundle in place of a UID. Raises `UsageError` for what is not
    in the bundle, is said twice or is of another type than its counterpart, and `NotFound` for what the target has not.
    """
    given: dict[str, str] = {}
    said: dict[str, tuple[str, str]] = {}
    for text in pairs:
        (plural, uid), target = _pair(bundle, text, types)
        to = await names.resolve(s, plural, target)
        if given.setdefault(uid, to) != to:
            raise UsageError(f"--map: {uid} is said to be [{given[uid]}] and [{to}]", hint="say one of them")
        said[uid] = (plural, text)
    _require_two(bundle, said, given)
    there = await known(s.client, dict.fromkeys(given.values()))
    for uid, to in given.items():
        plural, text = said[uid]
        kind, name = there.get(to, (None, ""))
        if kind is None:
            raise NotFound(f"--map {text}: the server has no {to}", hint=_names_of(plural))
        if plural not in (ANY, kind):
            raise UsageError(
                f"--map {text}: {uid} is one of the {nouns(plural)[1]}, and '{name}' [{to}] one of the {nouns(kind)[1]}",
                hint=_names_of(plural),
            )
    return given


def _require_two(bundle: Bundle, said: Mapping[str, tuple[str, str]], given: Mapping[str, str]) -> None:
    """Refuse one counterpart for two objects; of people and places that are only referred to, several may be one."""
    held = {str(body["id"]) for _, body in bundle}
    first: dict[str, str] = {}
    for uid, to in given.items():
        if not is_uid(uid) or (said[uid][0] in OWN and uid not in held):
            continue
        if (other := first.setdefault(to, uid)) != uid:
            raise UsageError(
                f"--map {said[other][1]} and --map {said[uid][1]}: [{other}] and [{uid}] would be one object there: [{to}]; "
                "nothing was written",
                hint=f"leave --map {shlex.quote(said[uid][1])} out",
            )


def _names_of(plural: str) -> str:
    return "dhis2 metadata search" if plural == ANY else f"dhis2 metadata list {plural} --fields id,name"


def _pair(bundle: Bundle, text: str, types: Mapping[str, Resource]) -> tuple[Hit, str]:
    """Both sides of FROM=TO; names may hold the sign, too."""
    pairs = [(text[:at].strip(), text[at + 1 :].strip()) for at, mark in enumerate(text) if mark == "="]
    pairs = [pair for pair in pairs if all(pair)]
    if not pairs:
        raise UsageError(f"--map {text}: say FROM=TO", hint="--map 'Age <1=Age under 1'")
    for source, target in pairs:
        if _hits(bundle, source) or _referred(bundle, source, types):
            return _in_bundle("--map", bundle, source, types), target
    return _in_bundle("--map", bundle, pairs[0][0], types), pairs[0][1]


def _named(bundle: Bundle) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Type, UID and everything that names it, of each object that a bundle holds, then of those that it only refers to."""
    for plural, body in bundle:
        yield plural, str(body["id"]), tuple(str(body[key]) for key in ("id", "code", "name") if body.get(key))
    for plural, named in bundle.outside.items():
        for uid, name in named.items():
            yield plural, uid, (uid, name)


def _hits(bundle: Bundle, text: str) -> list[Hit]:
    found = [(plural, uid) for plural, uid, called in _named(bundle) if text in called]
    exact = [hit for hit in found if hit[1] == text]
    return exact or list(dict.fromkeys(found))


def _referred(bundle: Bundle, text: str, types: Mapping[str, Resource]) -> list[Hit]:
    """What is only referred to, by UID, code or placeholder, with the types that it may be of."""
    found = {
        ref.type
        for plural, body in bundle
        if plural in types
        for ref in references(types[plural], body, types)
        if ref.uid == text
    }
    return [(kind or ANY, text) for kind in sorted(kind or "" for kind in (found - {None} or found))]


def _in_bundle(option: str, bundle: Bundle, text: str, types: Mapping[str, Resource]) -> Hit:
    """One object that a bundle holds or refers to, by UID, code or name."""
    hits = _hits(bundle, text) or _referred(bundle, text, types)
    if len(hits) == 1:
        return hits[0]
    if hits:
        told = listed((f"{plural} {uid}" for plural, uid in hits), 5)
        raise UsageError(f"{option}: '{text}' is ambiguous in {bundle.origin}: {told}", hint="use a UID")
    called = dict.fromkeys(name for _, _, some in _named(bundle) for name in some[1:] or some)
    near = did_you_mean(text, [*called])
    raise UsageError(f"{option}: '{text}' is not in {bundle.origin}", hint=near or "use a UID, a code or a name of it")


# --resolve --------------------------------------------------------------------------------------------------------------


def told_of(bundle: Bundle, texts: Sequence[str]) -> dict[str, Choice]:
    """`--resolve OBJECT=CHOICE` by UID, OBJECT by UID, code or name. Raises `UsageError` for what the bundle does not hold."""
    told: dict[str, Choice] = {}
    for text in texts:
        source, _, choice = (part.strip() for part in text.rpartition("="))
        if choice not in CHOICES or not source:
            raise UsageError(f"--resolve {text}: say UID=map, UID=rename or UID=skip", hint="--on-conflict for all")
        held = bundle.like()
        held.objects, held.outside = bundle.objects, {}
        _, uid = _in_bundle("--resolve", held, source, {})
        if told.setdefault(uid, choice) != choice:
            raise UsageError(f"--resolve: {source} is said to {told[uid]} and to {choice}", hint="say one of them")
    return told


def require_conflicts(told: Mapping[str, Choice], bundle: Bundle, settled: Mapping[str, Set[Choice]]) -> None:
    """Raise `UsageError` where a choice decides nothing, since nothing is in the way of its object.

    Parameters:
        told: what was said, by UID.
        bundle: where the objects are from.
        settled: by UID the choices that had a meaning.
    """
    called = {str(body["id"]): f"{plural} '{label(body)}' [{body['id']}]" for plural, body in bundle}
    for uid, choice in told.items():
        if choice not in settled.get(uid, ()):
            raise UsageError(
                f"--resolve {uid}={choice}: nothing there is in the way of {called.get(uid, uid)}",
                hint=f"leave --resolve {uid}={choice} out",
            )


def require_one_answer(told: Mapping[str, Choice], mapped: Mapped) -> None:
    """Raise `UsageError` where `--map` and `--resolve OBJECT=map` lead one object to two."""
    for clash in mapped.clashes:
        if clash.given and told.get(clash.uid) == "map":
            raise UsageError(
                f"{clash}: --map {clash.uid}={clash.given} and --resolve {clash.uid}=map say two objects",
                hint=f"--resolve {joined([f'{clash.uid}={way}' for way in clash.ways()], 'or')} beside that --map; "
                f"or --map {clash.uid}={clash.other} alone",
            )


def settled_by(mapped: Mapped) -> dict[str, set[Choice]]:
    """By UID what a mapping has made of choices; a counterpart that was found anyway is what `map` says."""
    found: dict[str, set[Choice]] = {}
    for match in mapped.matches:
        found.setdefault(match.uid, set()).add("map")
    for clash in mapped.renamed:
        found.setdefault(clash.uid, set()).add("rename")
    for clash in (*mapped.skipped, *mapped.clashes):
        found.setdefault(clash.uid, set()).update(CHOICES if clash in mapped.clashes else ("skip",))
    return found
