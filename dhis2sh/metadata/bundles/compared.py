"""A bundle beside what the server has: what is new, changed and right already, and what goes or stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.ordering import parents_first
from dhis2sh.dhis2.properties import COUNTED, SHARING
from dhis2sh.dhis2.references import label
from dhis2sh.metadata import writes
from dhis2sh.metadata.bundles.diff import differs
from dhis2sh.metadata.bundles.meaning import changed_meaning
from dhis2sh.metadata.bundles.own import with_own
from dhis2sh.metadata.bundles.report import Access, AccessApart, KeptObject, MembersApart, OwnKept, TypeCount
from dhis2sh.metadata.bundles.walk import known
from dhis2sh.metadata.collections import JOINS
from dhis2sh.metadata.comparing import access_given
from dhis2sh.metadata.write import Write
from dhis2sh.words import kebab

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.bundle import Bundle
    from dhis2sh.metadata.bundles.checking import Source
    from dhis2sh.metadata.bundles.report import ImportReport
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row


@dataclass(slots=True, kw_only=True)
class Settings:
    """How a bundle is written.

    Parameters:
        strategy: `create-and-update`, `create` or `update`.
        atomic: all of it or nothing, else what the server takes.
        sharing: of which objects sharing is written: of none, of new ones, of all.
        drop_dangling: leave out references that lead nowhere.
        rejected: the file for the objects that are refused.
        package: the bundle was made for no server in particular: what leads nowhere is decided reference by reference in
            the report, and what a server has of its own in an object stays.
        found: UIDs there of what was found by its code, or is it as the user says: another name is another meaning of it.
        source: where the bundle is from, for what is said of what it lacks.
    """

    strategy: str = "create-and-update"
    atomic: bool = True
    sharing: Literal["none", "new", "all"] = "none"
    drop_dangling: bool = False
    rejected: Path | None = None
    package: bool = False
    found: Set[str] = frozenset()
    source: Source = "file"


def names_of(bundle: Bundle) -> dict[str, str]:
    """What the objects of a bundle, and those that it refers to, are called."""
    names = {uid: name for named in bundle.outside.values() for uid, name in named.items()}
    return names | {str(body.get("id")): label(body) for _, body in bundle}


async def compared(
    s: Session, bundle: Bundle, types: Mapping[str, Resource], settings: Settings, report: ImportReport
) -> list[Write]:
    """What has to be written, in the order in which a server takes it; what is found goes into the report."""
    newer = (await s.client.version()).newer_than_known
    comparing = _Comparing(bundle, types, settings, report, newer)
    known_here = [name for name in bundle.objects if name in types and types[name].in_bundles]
    changes: list[Write] = []
    for plural in sorted(known_here, key=lambda name: types[name].order):
        there = await writes.read_objects(s, plural, list(bundle.objects[plural]), missing_is_fine=True)
        changes += comparing.type(plural, {str(row["id"]): row for row in there})
    await _name_members(s, bundle, report)
    return changes


async def _name_members(s: Session, bundle: Bundle, report: ImportReport) -> None:
    """What members and groups are called of which the report speaks: as the bundle says, the others as the server does."""
    met = {uid for one in report.apart for uid in one.members} | {uid for one in report.access for uid in one.uids()}
    if not met:
        return
    names = names_of(bundle)
    names |= {uid: name for uid, (_, name) in (await known(s.client, sorted(met - names.keys()))).items()}
    for one in report.apart:
        one.names = [names.get(uid, uid) for uid in one.members]
    for access in report.access:
        access.names = {uid: names[uid] for uid in access.uids() if uid in names}


@dataclass(slots=True)
class _Comparing:
    """One bundle beside one server."""

    bundle: Bundle
    types: Mapping[str, Resource]
    settings: Settings
    report: ImportReport
    newer: bool
    count: TypeCount = field(default_factory=lambda: TypeCount(type=""))

    def type(self, plural: str, there: Mapping[str, JsonObject]) -> list[Write]:
        """What has to be written of one type."""
        objects, self.count = self.bundle.objects[plural], TypeCount(type=plural)
        created: list[Row] = []
        updates: list[Write] = []
        for uid, body in objects.items():
            before = there.get(uid)
            if before is not None:
                updates += self.known(plural, before, body)
            elif self.settings.strategy == "update":
                self.count.skipped += 1
            else:
                created.append(body)
                self.count.create += 1
        if objects:
            self.report.types.append(self.count)
        return [*(Write(plural, None, body) for body in parents_first(self.types[plural], created)), *updates]

    def known(self, plural: str, before: JsonObject, body: Row) -> list[Write]:
        """What has to be written of an object that is there: a change or nothing."""
        resource, updates = self.types[plural], self.settings.strategy != "create"
        body = _unnumbered(self.bundle, plural, body)
        own: dict[str, int] = {}
        if self.settings.package:
            body, own = with_own(resource, before, body)
        body = self.shared(plural, before, body, updates=updates)
        after = self.merged(plural, before, body)
        if not updates:
            self.count.skipped += 1
            if kept := _kept(plural, before, after):
                self.report.kept.append(kept)
                self.report.apart += members_apart(resource, before, after, lost=False)
            return []
        self.report.own += [
            OwnKept(type=plural, id=str(before["id"]), name=label(before), property=name, count=count)
            for name, count in own.items()
        ]
        if after == before:
            self.count.same += 1
            return []
        self.count.update += 1
        self.report.apart += members_apart(resource, before, after, lost=True)
        return [Write(plural, before, after)]

    def shared(self, plural: str, before: JsonObject, body: Row, *, updates: bool) -> Row:
        """The body with the sharing that is written; where it gives other access than is given, the report says so."""
        said, there = body.get("sharing"), before.get("sharing")
        if not isinstance(said, dict) or not isinstance(there, dict):
            return body
        rest: Row = {name: value for name, value in body.items() if name != "sharing"}
        said = {"owner": there.get("owner"), **said}
        if self.settings.package:  # people are no part of it
            said["users"] = there.get("users") or {}
        here, wanted = access_given(there), access_given(said)
        if here == wanted:
            return rest  # a server adds its owner, and what the groups are called
        written = updates and self.settings.sharing == "all"
        self.report.access.append(
            AccessApart(
                type=plural, id=str(before["id"]), name=label(before), before=Access.of(here), after=Access.of(wanted),
                written=written,
            )
        )  # fmt: skip
        return {**rest, "sharing": said} if written else rest

    def merged(self, plural: str, before: JsonObject, body: Row) -> JsonObject:
        """What an object shall be: what the bundle does not say stays, what the server would leave out is no change."""
        after = dict(before)
        properties, counted = self.types[plural].properties, COUNTED.get(plural, frozenset())
        for name, said in body.items():
            if name in counted or not (self.newer or name in properties):
                continue
            if differs(plural, name, before.get(name), said, self.types):
                after[name] = said
        return after


def _unnumbered(bundle: Bundle, plural: str, body: Row) -> Row:
    """An option without its number where the bundle has its set: that says the order, and a server numbers anew."""
    held = body.get("optionSet") if plural == "options" else None
    whole = bundle.objects.get("optionSets", {}).get(str(held.get("id"))) if isinstance(held, dict) else None
    if whole is None or not whole.get("options"):
        return body
    return {name: value for name, value in body.items() if name != "sortOrder"}


def _kept(plural: str, before: JsonObject, after: JsonObject) -> KeptObject | None:
    """An object that stays as it is and differs from the bundle's; None where it does not."""
    differs = [name for name in after if name not in SHARING and after.get(name) != before.get(name)]
    if not differs:
        return None
    grave = changed_meaning(plural, before, after)
    return KeptObject(type=plural, id=str(before["id"]), name=label(before), differs=sorted(differs), grave=grave)


def members_apart(resource: Resource, before: JsonObject, after: JsonObject, *, lost: bool) -> list[MembersApart]:
    """Members that an object has and would not have any more (`lost`), or that it would get and does not.

    Parameters:
        before, after: the object as it is, and as the bundle has it.
    """
    found: list[MembersApart] = []
    adds = {join.property: (join.item, join.verbs) for join in JOINS if join.owner == resource.plural}
    for name, prop in resource.properties.items():
        item, verbs = adds.get(name, ("", ""))
        if not (item or (prop.collection and prop.reference)) or before.get(name) == after.get(name):
            continue
        here, there = _members(before.get(name), item), _members(after.get(name), item)
        apart = sorted(here - there if lost else there - here)
        if apart:
            path = f"{kebab(resource.plural)} add-{verbs}" if item else f"add {resource.plural}"
            words = f"dhis2 metadata {path} {before['id']} {' '.join(apart)}"
            found.append(
                MembersApart(
                    type=resource.plural, id=str(before["id"]), name=label(before), property=name, members=apart,
                    lost=lost, command=words if item else f"{words} --property {name}",
                )
            )  # fmt: skip
    return found


def _members(value: JsonValue, item: str = "") -> set[str]:
    """The UIDs that a collection of references holds, or of rows that each refer to an `item`."""
    rows = [row for row in (value if isinstance(value, list) else []) if isinstance(row, dict)]
    held = [cast("JsonObject", row.get(item) or {}) for row in rows] if item else rows
    return {str(row["id"]) for row in held if row.get("id")}
