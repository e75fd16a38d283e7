"""Sharing: what people write as access, and what becomes of who may see and change an object."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import Part, PartDone, Plan
from dhis2sh.client import schema
from dhis2sh.client.schema import types_of
from dhis2sh.client.sharing import Sharing, access
from dhis2sh.dhis2.references import objects_in
from dhis2sh.errors import BrokenAnswer, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import titled
from dhis2sh.metadata.write import Write
from dhis2sh.metadata.writes import Objects
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


FIELDS = "id,name,displayName,sharing,access"
TREES = {
    "programs": "trackedEntityType,programStages[id,programStageDataElements[dataElement[id,optionSet]]],"
    "programTrackedEntityAttributes[trackedEntityAttribute[id,optionSet]],programIndicators,programSections",
    "dataSets": "dataSetElements[dataElement[id,optionSet]],indicators,categoryCombo",
    "dashboards": "dashboardItems[visualization,map,eventVisualization]",
}
"""What belongs to an object and is shared with it, as DHIS2's `fields`."""
ACCESS = "r, rw, or none; data after a slash: r/rw; or all eight letters"


async def wanted_sharing(
    s: Session, public: str | None, users: Sequence[str], groups: Sequence[str], *, overwrite: bool
) -> Sharing:
    """The options as changes to sharing, with every user and group by its UID."""
    wanted = Sharing(public_access=None if public is None else access_of(public), fresh=overwrite)
    for texts, plural, option in ((users, "users", "--user"), (groups, "userGroups", "--group")):
        pairs = [_pair(text, option) for text in texts]
        uids = await names.resolve_all(s, plural, [name for name, _ in pairs], there=True)
        for name, text in pairs:
            gone = text == "none"
            if plural == "users":
                wanted = wanted.without_user(uids[name]) if gone else wanted.user(uids[name], access_of(text))
            else:
                wanted = wanted.without_group(uids[name]) if gone else wanted.group(uids[name], access_of(text))
    return wanted


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, given = text.rpartition("=")
    if not name.strip():
        asked = "Child Health" if equals or not text.strip() else text
        hint = f"{option} {shlex.quote(f'{asked}=rw')}, {option} {shlex.quote(f'{asked}=r/rw')}"
        raise UsageError(f"'{text}' is not NAME=ACCESS", hint=hint)
    return name.strip(), given.strip()


def access_of(text: str) -> str:
    """An access string from what people write: `rw`, `r/rw` (data after the slash), `none`, or all eight letters."""
    if len(text) == 8 and set(text) <= set("rw-"):
        return text
    metadata, _, data = text.partition("/")
    if metadata == "none":
        metadata = ""
    if not {metadata, data} <= {"", "r", "rw"}:
        raise UsageError(f"'{text}' is no access", hint=ACCESS)
    return access(metadata, data)  # type: ignore[arg-type]


def _has_data(wanted: Sharing) -> bool:
    """Do some changes give or take data access?"""
    texts = [wanted.public_access, *wanted.users.values(), *wanted.groups.values()]
    return any(text is not None and text[2:4] != "--" for text in texts)


def without_data(wanted: Sharing) -> Sharing:
    """The same changes without data access."""

    def cut(text: str | None) -> str | None:
        return None if text is None else f"{text[:2]}------"

    return Sharing(
        owner=wanted.owner, public_access=cut(wanted.public_access), external=wanted.external, fresh=wanted.fresh,
        users={uid: cut(text) for uid, text in wanted.users.items()},
        groups={uid: cut(text) for uid, text in wanted.groups.items()},
    )  # fmt: skip


def _plainly(sharing: JsonObject) -> JsonObject:
    """Sharing without the names that a server adds, so that two can be compared."""

    def members(name: str) -> JsonObject:
        found = cast("dict[str, JsonObject]", sharing.get(name) or {})
        return {uid: {"id": uid, "access": item.get("access")} for uid, item in sorted(found.items())}

    return {**sharing, "users": members("users"), "userGroups": members("userGroups")}


def shared(old: JsonObject, wanted: Sharing, *, data: bool) -> JsonObject:
    """What a sharing becomes."""
    new = _plainly(old)
    changes = wanted if data else without_data(wanted)
    if changes.public_access is not None:
        new["public"] = changes.public_access
    for name, members in (("users", changes.users), ("userGroups", changes.groups)):
        kept = {} if changes.fresh else dict(cast("JsonObject", new[name]))
        for uid, text in members.items():
            kept.pop(uid, None)
            if text is not None:
                kept[uid] = {"id": uid, "access": text}
        new[name] = dict(sorted(kept.items()))
    return new


async def _belonging(s: Session, resource: Resource, objects: Sequence[JsonObject]) -> dict[str, list[JsonObject]]:
    """What belongs to some objects (`TREES`), by type."""
    fields = TREES.get(resource.plural)
    if fields is None:
        raise UsageError(f"{resource.plural} have no tree", hint=f"--tree goes with {', '.join(TREES)}")
    found: dict[str, dict[str, None]] = {}
    types = await types_of(s.client)
    uids = [str(item["id"]) for item in objects]
    for whole in await writes.read_objects(s, resource.plural, uids, fields=fields + ",id"):
        for plural, uid in objects_in(resource, whole, types):
            found.setdefault(plural, {})[uid] = None
    return {
        plural: await writes.read_objects(s, plural, [*uids], fields=FIELDS)
        for plural, uids in found.items()
        if plural != resource.plural
    }


async def plan_sharing(s: Session, objects: Mapping[str, Sequence[JsonObject]], wanted: Sharing, *, tree: bool) -> Plan:
    """The plan that changes who may see and change objects.

    Parameters:
        objects: by type, with `FIELDS`.
        wanted: the changes; data access is left out for types that have none, and noted.
        tree: what belongs to the objects too (`TREES`). Raises `UsageError` for a type without one.
    """
    known = await schema.resources_of(s.client)
    everything: dict[str, dict[str, JsonObject]] = {}
    for plural, found in objects.items():
        belonging = await _belonging(s, known[plural], found) if tree else {}
        for other, some in ({plural: found} | belonging).items():
            everything.setdefault(other, {}).update({str(item["id"]): item for item in some})
    pairs: list[Write] = []
    notes: list[str] = []
    for plural, found in everything.items():
        if not known[plural].shareable:
            notes.append(f"left out {len(found):,} {plural}: the type has no sharing")
            continue
        with_data = known[plural].data_shareable
        if losing := _losing(found.values(), wanted) if with_data else 0:
            notes.append(
                f"takes data away from everybody in {losing:,} {plural}: r/r leaves reading, r/rw entering too"
            )
        if _has_data(wanted) and not with_data:
            notes.append(f"data access is left out for {len(found):,} {plural}: the type has none")
        pairs += [_change(plural, before, wanted, data=with_data) for before in found.values()]
    title = titled("share", known[next(iter(objects))]) if objects else "share nothing"
    plan = writes.plan(title, pairs, what="sharing", notes=notes)
    if (tree or len(objects) > 1) and plan.steps:
        counts = Counter(step.type for step in plan.steps)
        plan.title = (
            f"share {len(plan.steps):,} objects: {', '.join(f'{n:,} {plural}' for plural, n in counts.items())}"
        )
    with_data = {plural: known[plural].data_shareable for plural in everything}
    plan.writer = Shares("sharing", writes.changes_of(plan), notes=plan.notes, wanted=wanted, with_data=with_data)
    return plan


def _losing(objects: Iterable[JsonObject], wanted: Sharing) -> int:
    """Of how many objects everybody could read or enter data, and can no longer."""
    if wanted.public_access is None or wanted.public_access[2:4] != "--":
        return 0
    held = [cast("JsonObject", item.get("sharing") or {}).get("public") for item in objects]
    return sum(isinstance(text, str) and text[2:4] not in {"--", ""} for text in held)


def _change(plural: str, before: JsonObject, wanted: Sharing, *, data: bool) -> Write:
    """The sharing of one object, as it is and as it shall be."""
    old = cast("JsonObject", before.get("sharing") or {})
    name = before.get("name") or before.get("displayName")
    kept: JsonObject = {"id": before["id"], "name": name, "access": before.get("access")}
    return Write(plural, {**kept, "sharing": _plainly(old)}, {**kept, "sharing": shared(old, wanted, data=data)})


@dataclass(slots=True)
class Shares(Objects):
    """The writer of sharing: many objects in one request, those whose type has no data sharing in another.

    Parameters:
        wanted: the changes.
        with_data: has a type data sharing? By plural.
    """

    wanted: Sharing = field(default_factory=Sharing)
    with_data: Mapping[str, bool] = field(default_factory=dict[str, bool])

    @property
    def alone(self) -> bool:
        """Nothing but the sharing is sent: what else somebody has changed stays."""
        return True

    def parts(self) -> Iterator[Part]:
        """One for the types with data sharing, one for those without."""
        for data in (True, False):
            numbers = [n for n, write in enumerate(self.writes) if self.with_data[write.plural] is data]
            if numbers:
                yield Part(numbers, stage=int(data))

    async def send(self, s: Session, part: Part) -> PartDone:
        """The sharing of some objects, whose types all have data sharing or have none."""
        writes_ = {number: self.writes[number] for number in part.numbers}
        objects: dict[str, list[str]] = {}
        for write in writes_.values():
            objects.setdefault(write.plural, []).append(write.uid)
        data = self.with_data[next(iter(objects))]
        result = await s.client.sharing.apply(objects, self.wanted if data else without_data(self.wanted))
        written = set(result.uids)
        reasons = {row.uid: row for row in result.failures}
        unknown = set(result.unanswered)
        told = PartDone(
            [n for n, write in writes_.items() if write.uid in written],
            updated=len(written), ignored=result.count.ignored, uids=result.uids,
        )  # fmt: skip
        refused: dict[int, str] = {}
        failures: list[Row] = []
        for number, write in writes_.items():
            if write.uid not in written | unknown:
                row = reasons.get(write.uid)
                refused[number] = row.message if row else "the server did not write it"
                failure: JsonObject = {"type": write.plural, "uid": write.uid, "name": write.name}
                failures.append({**failure, "message": refused[number], "code": row.code if row else None})
        if unknown and not written and not refused:
            raise BrokenAnswer(str(result.failures[0].message), hint="dhis2 journal show")
        return replace(told, refused=refused, failures=failures)
