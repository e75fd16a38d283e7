"""What can be said of a bundle before a server sees it: arrows that lead nowhere, properties that it does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.properties import NAMES, OF_PEOPLE
from dhis2sh.dhis2.references import INSTANCE, PLACES, Reference, label, references
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata.bundles.bundle import Bundle
from dhis2sh.metadata.bundles.walk import known
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue, Row

OPTIONAL = frozenset({"legendSet", "categoryCombo", "optionSet", "style"})
"""References without which an embedded row still means something."""
SHOWN = 3
"""So many of a kind are named in one line."""
ANY = "objects"
"""What those are called of which nothing says the type."""
type Source = Literal["file", "objects", "types"]
"""Where a bundle is from: a file, or single objects or whole types of another profile."""


@dataclass(frozen=True, slots=True)
class Dangling:
    """An arrow to what is neither in the bundle nor on the server.

    Parameters:
        type, uid, name: the object that it begins at; `reference` the arrow.
        to_name: what it leads to is called, where the bundle's maker has written it down.
    """

    type: str
    uid: str
    name: str
    reference: Reference
    to_name: str | None = None

    @property
    def target(self) -> str:
        """Where it leads, in words."""
        return f"'{self.to_name}' [{self.reference.uid}]" if self.to_name else self.reference.uid


@dataclass(slots=True)
class Findings:
    """What is wrong with a bundle.

    Parameters:
        dangling: arrows that lead nowhere.
        unknown_types: types that the server does not have; unknown_properties: how often a property that it does not
            know occurs, by type and name.
        doubled: codes and names that must be unique and are not, within the bundle.
        given_ids: objects that had no UID, by type.
        version: a warning about a bundle of another version.
    """

    dangling: list[Dangling] = field(default_factory=lambda: [])
    unknown_types: list[str] = field(default_factory=lambda: [])
    unknown_properties: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    doubled: list[str] = field(default_factory=lambda: [])
    given_ids: dict[str, int] = field(default_factory=lambda: {})
    version: str | None = None

    def notes(self, *, ways: Source | None = "file", arrows: bool = True) -> list[str]:
        """One line for each kind of trouble, the gravest first.

        Parameters:
            ways: where the bundle is from, to say what to do about references that lead nowhere; None says nothing of it.
            arrows: say which they are.
        """
        lines = [] if self.version is None else [self.version]
        lines += [_broken(kind, some, ways=ways) for kind, some in sorted(self._by_target().items()) if arrows]
        lines += [f"doubled: {text}" for text in self.doubled]
        lines += [
            f"without id: {count:,} {plural} get new UIDs here; the same line once more would create them again"
            for plural, count in self.given_ids.items()
        ]
        lines += [f"unknown type: {plural}; the server leaves it out" for plural in self.unknown_types]
        lines += [
            f"unknown property: {plural}.{name} in {count:,} objects; the server leaves it out"
            for (plural, name), count in sorted(self.unknown_properties.items())
        ]
        return lines

    def _by_target(self) -> dict[str, list[Dangling]]:
        found: dict[str, list[Dangling]] = {}
        for arrow in self.dangling:
            found.setdefault(arrow.reference.type or ANY, []).append(arrow)
        return found


def bringing(kind: str, source: Source) -> str:
    """How objects of a type are brought too, by options that there are where they come from."""
    way = "--with sharing" if kind in INSTANCE else "--with org-units" if kind in PLACES else None
    match source:
        case "file":
            return f"metadata export --deps{f' {way}' if way else ''}"
        case "types" if kind != ANY:
            return f"--types {kind} beside the others"
        case _:
            return way or "naming them as well"


def _broken(kind: str, arrows: Sequence[Dangling], *, ways: Source | None) -> str:
    """All arrows to missing objects of one type in a line: what is missing, who needs it, what to do if `ways`."""
    targets = {arrow.reference.uid: arrow.target for arrow in arrows}
    holders = Counter((arrow.type, arrow.name, arrow.reference.path) for arrow in arrows)
    needed = [f"{plural} '{name}' {path}" for (plural, name, path), _ in holders.most_common()]
    return (
        f"dangling: {len(targets):,} {kind} are neither in the bundle nor on the server: {_some(list(targets.values()))}; "
        f"needed by {_some(needed)}"
        f"{f'; bring them too ({bringing(kind, ways)}), or leave the references out with --drop-dangling' if ways else ''}"
    )


def _some(words: Sequence[str]) -> str:
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def require_metadata(bundle: Bundle, types: Mapping[str, Resource]) -> None:
    """Raise `UsageError` for a bundle that holds objects and none of a type that goes into bundles."""
    counts = bundle.counts()
    if not counts or any(name in types and types[name].in_bundles for name in counts):
        return
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    way = (
        "dhis2 data aggregate push sends data values"
        if "dataValues" in counts
        else "dhis2 metadata types lists the types"
    )
    raise UsageError(f"{bundle.origin or 'this'} holds no metadata: {told}; nothing was written", hint=way)


def require_types(bundle: Bundle, plurals: Sequence[str]) -> None:
    """Raise `UsageError` for a type that was asked for and of which the bundle holds nothing."""
    held = bundle.counts()
    if missing := [plural for plural in plurals if plural not in held]:
        raise UsageError(
            f"--types: {bundle.origin or 'this'} holds no {listed(missing)}", hint=f"it holds {listed(held, 8)}"
        )


async def check(client: Client, bundle: Bundle, types: Mapping[str, Resource]) -> Findings:
    """Look a bundle through, asking the server only which of the referenced objects it has."""
    found = Findings()
    inside = {uid for objects in bundle.objects.values() for uid in objects}
    outside: dict[str, list[tuple[str, Row, Reference]]] = {}
    for plural, body in bundle:
        resource = types.get(plural)
        if resource is None or not resource.in_bundles:
            continue
        for name in body.keys() - resource.properties.keys():
            found.unknown_properties[plural, name] += 1
        for ref in references(resource, body, types):
            if (ref.loose or ref.uid not in inside) and ref.property not in OF_PEOPLE:  # an import sets these anew
                outside.setdefault(ref.uid, []).append((plural, body, ref))
    found.unknown_types = [name for name in bundle.objects if name not in types or not types[name].in_bundles]
    there = await known(client, [uid for uid in outside if is_uid(uid)])
    names = {uid: name for named in bundle.outside.values() for uid, name in named.items()}
    found.dangling = [
        Dangling(plural, str(body["id"]), label(body), ref, names.get(uid))
        for uid, arrows in outside.items()
        for plural, body, ref in arrows
        if ref.loose or uid not in there
    ]
    found.doubled = list(_doubled(bundle, types))
    found.given_ids = dict(bundle.given_ids)
    found.version = _other_version(bundle, str(await client.version()))
    return found


def _other_version(bundle: Bundle, server: str) -> str | None:
    """Bundles go from version to version as long as properties mean the same; nobody else says that they may not."""
    of = str(bundle.system.get("version") or "")
    if not of or of.split(".")[:2] == server.split(".")[:2]:
        return None
    return f"another version: the bundle is of DHIS2 {of}, the server is {server}; read the plan before it is applied"


# Leaving dangling references out ----------------------------------------------------------------------------------


def without(bundle: Bundle, dangling: Sequence[Dangling]) -> Bundle:
    """A bundle without the arrows that lead nowhere.

    A reference in a list goes, a single one is emptied, and an embedded row whose meaning it was (the element of a data
    set, the chart of a dashboard's item) goes with it. What stands in expressions stays.
    """
    gone: dict[str, set[str]] = {}
    for arrow in dangling:
        gone.setdefault(arrow.uid, set()).add(arrow.reference.uid)
    rest = bundle.like()
    for plural, body in bundle:
        uids = gone.get(str(body["id"]))
        rest.add(plural, cast("Row", _without(body, uids, whole=True)) if uids else body)
    return rest


def _without(value: JsonValue, gone: Container[str], *, whole: bool = False) -> JsonValue:
    if isinstance(value, list):
        return [kept for item in value if (kept := _without(item, gone)) is not None or item is None]
    if not isinstance(value, dict):
        return value
    if str(value.get("id") or value.get("code")) in gone and value.keys() <= NAMES:
        return None
    rest: JsonObject = {}
    for name, item in value.items():
        kept = _without(item, gone)
        if kept is None and isinstance(item, dict):
            if not whole and name not in OPTIONAL:
                return None
            continue
        rest[name] = kept
    return rest


def _doubled(bundle: Bundle, types: Mapping[str, Resource]) -> list[str]:
    lines: list[str] = []
    for plural, objects in bundle.objects.items():
        resource = types.get(plural)
        for name in ("code", "name"):
            prop = resource.properties.get(name) if resource else None
            if prop is None or not prop.unique:
                continue
            counted = Counter(str(body[name]) for body in objects.values() if body.get(name))
            lines += [f"{count} {plural} have the {name} '{text}'" for text, count in counted.items() if count > 1]
    return lines
