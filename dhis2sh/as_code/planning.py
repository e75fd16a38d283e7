"""The plan that brings a directory into a server: metadata, what goes, routes, settings, data store; and the way back of all of it."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh.as_code import members
from dhis2sh.as_code.clean import sharing_of
from dhis2sh.as_code.compared import SETTINGS, STORE, Comparison, Object, Said, Value, compare, told
from dhis2sh.as_code.folder import APPS_FILE
from dhis2sh.as_code.scope import GROUPS
from dhis2sh.as_code.secret import Secrets, places
from dhis2sh.as_code.server import server_of
from dhis2sh.changes.plan import PartDone, Plan
from dhis2sh.changes.together import Together, together, undone
from dhis2sh.changes.way_back import takes_back
from dhis2sh.dhis2.ordering import parents_first
from dhis2sh.dhis2.references import references
from dhis2sh.errors import Dhis2Error, Refused, UsageError
from dhis2sh.instance import app_changes, keyed, settings
from dhis2sh.instance.app_hub import Hub
from dhis2sh.instance.apps import APPS
from dhis2sh.instance.keyed import MISSING, Held, Keyed
from dhis2sh.instance.one_by_one import written
from dhis2sh.metadata import looked, undoing, writes
from dhis2sh.metadata.bundles import importing
from dhis2sh.metadata.bundles.bundle import Bundle
from dhis2sh.metadata.bundles.checking import check
from dhis2sh.metadata.bundles.meaning import changed_meaning
from dhis2sh.metadata.bundles.report import ImportReport, TypeCount, said
from dhis2sh.metadata.objects.deleting import deletion
from dhis2sh.metadata.owned import with_owners, words_of
from dhis2sh.metadata.write import Write
from dhis2sh.metadata.writes import Objects
from dhis2sh.redact import SECRET
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.as_code.counterparts import Way
    from dhis2sh.as_code.server import Server
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.plan import Part
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

WHAT, NAME = "instance", "instance"
ROUTES = "routes"
PLACES = (keyed.SETTINGS, keyed.STORE)
TAKEN = "E5003"
"""Another object has a code or name that only one may have."""
SHOWN = 5


@dataclass(slots=True)
class AsCode(Together):
    """The writer of an apply."""

    name: ClassVar[str] = NAME


@dataclass(slots=True)
class Going(Objects):
    """The writer of what goes: some of it may have gone with what was changed before."""

    async def send(self, s: Session, part: Part) -> PartDone:
        """A part, without what is gone already."""
        some = {number: self.writes[number] for number in part.numbers if self.writes[number].action == "delete"}
        if not some or self.writes[part.numbers[0]].by_server:
            return await Objects.send(self, s, part)
        there = await looked.as_they_are(s, [*some.values()])
        gone = [number for number, write in some.items() if (write.plural, write.uid) not in there]
        left = [number for number in part.numbers if number not in gone]
        told_ = await Objects.send(self, s, replace(part, numbers=left)) if left else PartDone()
        return replace(told_, done=[*gone, *told_.done], deleted=told_.deleted + len(gone))


async def plan(
    s: Session,
    folder: Said,
    secrets: Secrets,
    *,
    prune: bool,
    title: str = "",
    hub_url: str | None = None,
    by: Sequence[Way] = (),
) -> Plan:
    """The plan that makes a server what a directory says, or a snapshot.

    Parameters:
        by: as of `compare`.
        hub_url: the App Hub that is asked from this machine for apps; without it the server asks its own.
        title: one line that says what will happen; the directory's name without it.
        secrets: those that were given; the others somebody at a terminal is asked for.
        prune: delete what is in no file, of the types and namespaces that the directory is about.

    Raises `UsageError` with file and line for what cannot stand in a file.
    """
    server = await server_of(s, folder.scope)
    found = await compare(server, folder, by)
    title = title or f"apply {folder.root.name or folder.root}"
    hub = Hub(s.client, hub_url)
    return await _Applying(s, server, folder, found, secrets, title, hub, prune=prune).plan()


class _Applying:
    """One directory on its way to one server."""

    def __init__(
        self,
        s: Session,
        server: Server,
        folder: Said,
        found: Comparison,
        secrets: Secrets,
        title: str,
        hub: Hub,
        *,
        prune: bool,
    ) -> None:
        self._s, self._server, self._folder = s, server, folder
        self._found, self._secrets, self._prune = found, secrets, prune
        self._title, self._hub = title, hub

    async def plan(self) -> Plan:
        """Metadata first, what goes behind it, then settings and the data store, then apps."""
        if (unknown := self._unknown()) is not None:  # a server fails on it before it says what else is wrong
            return Plan(self._title, notes=told(self._found), blocked=unknown)
        roles = self._people_of_roles()
        writes_ = [await self._write(one) for one in self._found.objects if one.raw is None or one.names]
        metadata = await self._metadata([write for write in writes_ if write.plural != ROUTES])
        routes = [self._alone(write) for write in writes_ if write.plural == ROUTES]
        gone = await self._gone(writes_) if self._prune else Plan(self._title)
        values = await self._values()
        given = await self._roles_of_people(roles)
        whole = together(self._title, [metadata, *given, *routes, gone, *values, *await self._apps()], AsCode, WHAT)
        whole.notes = list(dict.fromkeys([*told(self._found), *whole.notes, *self._left()]))
        cast("AsCode", whole.writer).notes = whole.notes
        whole.blocked = self._trouble() or self._of_another_meaning(writes_) or whole.blocked
        return whole

    # Metadata ---------------------------------------------------------------------------------------------------------

    async def _write(self, one: Object) -> Write:
        """What an object is and shall be, with its secrets."""
        body = {name: value for name, value in one.body.items() if one.raw is None or name in one.names}
        if one.raw is not None:  # a secret that the server does not give has to be sent again with the rest
            body |= {name: value for name, value in one.body.items() if any(places(value))}
        raw = one.raw or {}
        filled = cast(
            "JsonObject", await self._secrets.fill(self._s, f"{one.plural}/{one.uid}", cast("JsonValue", body), raw)
        )
        if isinstance(sharing := filled.get("sharing"), dict):
            there = raw.get("sharing")
            filled["sharing"] = sharing_of(sharing, there if isinstance(there, dict) else None)
            if self._server.has_role is not None:
                access = members.access_of(
                    sharing, there if isinstance(there, dict) else None, self._server.usernames or {}
                )
                filled["sharing"] |= {members.USERS: access}
        if one.plural == GROUPS and members.USERS in filled:
            filled[members.USERS] = members.as_references(filled[members.USERS], raw, self._server.usernames or {})
        if one.raw is None:
            return Write(one.plural, None, filled)
        after: JsonObject = copy.deepcopy(raw)
        for name in one.names:
            if name not in one.body:
                after.pop(name, None)
        return Write(one.plural, raw, after | filled)

    def _people_of_roles(self) -> dict[str, tuple[set[str], set[str]]]:
        """Whom a snapshot gives roles, and from whom it takes them, by username: UIDs of roles. That is their account's to say."""
        found: dict[str, tuple[set[str], set[str]]] = {}
        for one in self._found.objects:
            if one.plural != members.ROLES or members.USERS not in one.body:
                continue
            wanted = {str(name) for name in cast("list[JsonValue]", one.body.pop(members.USERS))}
            now = {*(self._server.has_role or {}).get(one.uid, ())}
            one.names.pop(members.USERS, None)
            for name in sorted(wanted ^ now):
                found.setdefault(name, (set(), set()))[name not in wanted].add(one.uid)
        return found

    async def _roles_of_people(self, wanted: Mapping[str, tuple[set[str], set[str]]]) -> list[Plan]:
        """The plan of roles that accounts get and lose; the last role of an account stays, as a server wants one (E4055)."""
        uids = {name: uid for uid, name in (self._server.usernames or {}).items() if name in wanted}
        if not uids:
            return []
        changes: list[Write] = []
        notes: list[str] = []
        for raw in await writes.read_objects(self._s, members.USERS, [*uids.values()], missing_is_fine=True):
            name = (self._server.usernames or {})[str(raw["id"])]
            given, taken = wanted[name]
            now = [str(role["id"]) for role in cast("list[JsonObject]", raw.get(members.ROLES) or [])]
            after = [*(uid for uid in now if uid not in taken), *sorted(given - {*now})]
            if not after:
                notes.append(f"{name} keeps the role [{', '.join(now)}]: an account wants one (E4055)")
                continue
            changes.append(Write(members.USERS, raw, {**raw, members.ROLES: [{"id": uid} for uid in after]}))
        return [writes.plan(self._title, changes, what=members.USERS, notes=notes)]

    async def _metadata(self, changes: Sequence[Write]) -> Plan:
        """The plan of what is new and what changes, as the server says to it."""
        types = self._server.types
        ordered: list[Write] = []
        report = ImportReport(source=str(self._folder.root), version=self._folder.scope.version)
        for plural in sorted({write.plural for write in changes}, key=lambda name: types[name].order):
            mine = [write for write in changes if write.plural == plural]
            new = {write.uid: write for write in mine if write.before is None}
            created = parents_first(types[plural], [cast("JsonObject", write.after) for write in new.values()])
            ordered += [new[str(body["id"])] for body in created] + [
                write for write in mine if write.before is not None
            ]
            report.types.append(TypeCount(type=plural, create=len(new), update=len(mine) - len(new)))
        bundle = Bundle(origin=str(self._folder.root))
        for write in ordered:
            bundle.add(write.plural, cast("JsonObject", write.after))
        findings = await check(self._s.client, bundle, types)
        whole = [write for write in await with_owners(self._s, ordered) if not (write.by_server and self._goes(write))]
        notes = [*findings.notes(ways=None), *words_of(whole)]
        how = importing.Settings(sharing="all")
        made = await importing.validated(self._s, whole, self._title, how, report, bundle, notes)
        if isinstance(made.blocked, Refused):
            taken = any(conflict.code == TAKEN for conflict in report.conflicts)
            other = "--by code  takes what has the same code for the same object; " if taken else ""
            made.blocked.hint = f"{other}mend the files, then the same line once more; dhis2 explain"
        return made

    def _goes(self, write: Write) -> bool:
        """Is an object deleted by a step of its own?"""
        return self._prune and write.uid in self._found.only_there.get(write.plural, {})

    def _alone(self, write: Write) -> Plan:
        """A route by its own address: there a server checks where it leads, and keeps its secrets."""
        return writes.plan(self._title, [write])

    async def _gone(self, changes: Sequence[Write]) -> Plan:
        """The plan of deleting what is in no file; what a file refers to stays, and blocks."""
        objects: dict[str, list[JsonObject]] = {}
        for plural, some in self._found.only_there.items():
            objects[plural] = await writes.read_objects(self._s, plural, [*some], missing_is_fine=True)
        going = {str(body["id"]) for rows in objects.values() for body in rows}
        if not going:
            return Plan(self._title)
        found = await deletion(self._s, objects)
        changing = {write.uid: write for write in changes}
        kept: list[Write] = []
        referring: list[str] = []
        for write in found.writes:
            if write.after is None or write.uid in going:
                kept.append(write)
            elif write.uid not in changing and self._is_said(write):
                referring.append(write.called)
            elif write.uid not in changing:
                kept.append(write)
        referring += [
            write.called
            for write in changes
            if any(
                ref.uid in going
                for ref in references(self._server.types[write.plural], write.after or {}, self._server.types)
                if ref.path not in {"sharing.owner", "sharing.users"}
            )
        ]
        made = writes.plan(self._title, kept, what=WHAT, bundle=True, asks=True, notes=found.notes)
        made.writer = Going(WHAT, writes.changes_of(made), bundle=True, notes=made.notes)
        if referring:
            made.blocked = UsageError(
                f"{listed(dict.fromkeys(referring), SHOWN)} refer in their files to what is in no file and would be deleted",
                hint=f"dhis2 instance pull {shlex.quote(str(self._folder.root))}  writes the missing files; or take the references out",
            )
        return made

    def _is_said(self, write: Write) -> bool:
        """Is an object in a file?"""
        return write.plural in self._folder.scope.types and write.uid not in self._found.only_there.get(
            write.plural, {}
        )

    # Settings and data store ------------------------------------------------------------------------------------------

    async def _values(self) -> list[Plan]:
        plans: list[Plan] = []
        mine = [one for one in self._found.values if one.said or self._prune]
        pairs = [await self._pair(one) for one in mine if one.kind == SETTINGS]
        if pairs := [pair for pair in pairs if pair is not None]:
            plans.append(
                await settings.setting(self._s, pairs, [])
            )  # which knows what a server would take and not understand
        keys = [await self._keyed(one) for one in mine if one.kind == STORE]
        if keys:
            plans.append(await keyed.plan(self._s, keys, self._title, keyed.WHAT[keyed.STORE]))
        return plans

    async def _pair(self, one: Value) -> str | None:
        """A setting as `name=value`; None for one whose secret nobody has given."""
        value = await self._secrets.fill(self._s, f"{one.kind}/{one.key}", one.after, None)
        if value == SECRET:
            return None
        return f"{one.key}={'' if value is None else str(value).lower() if isinstance(value, bool) else value}"

    async def _keyed(self, one: Value) -> Keyed:
        none: Held = MISSING
        if not one.said:
            return Keyed(keyed.STORE, one.key, one.before, none)
        server = one.before if one.there else None
        after = await self._secrets.fill(self._s, f"{one.kind}/{one.key}", one.after, server)
        return Keyed(keyed.STORE, one.key, one.before if one.there else none, after)

    async def _apps(self) -> list[Plan]:
        """Apps in the versions that the directory says; those that it has not go with `--prune`."""
        if not any(said is not None or self._prune for said, _ in self._found.apps.values()):
            return []
        file = self._folder.root / APPS_FILE
        wanted = [one for one in self._found.listed if one.key in self._found.apps or self._prune]
        return [
            await app_changes.bringing(
                self._s, wanted, file, self._hub, exact=self._prune, without="--without apps brings the rest"
            )
        ]

    # What is said of it -----------------------------------------------------------------------------------------------

    def _left(self) -> list[str]:
        """What this apply leaves as it is."""
        notes: list[str] = []
        only = sum(map(len, self._found.only_there.values())) + sum(not one.said for one in self._found.values)
        only += sum(said is None for said, _ in self._found.apps.values())
        if only and not self._prune:
            notes.append(
                f"{counted(only, 'object')} on the server {'is' if only == 1 else 'are'} in no file and {'stays' if only == 1 else 'stay'}; --prune deletes them"
            )
        unused = sorted({*self._secrets.given} - self._secrets.used)
        if unused:
            notes.append(f"secrets that nothing asked for: {listed(unused, SHOWN)}")
        return notes

    def _trouble(self) -> Dhis2Error | None:
        """What only a person can settle."""
        if self._secrets.missing:
            return UsageError(
                f"{counted(len(self._secrets.missing), 'secret')} missing: {listed(self._secrets.missing, SHOWN)}; nothing was written",
                hint="--secrets FILE with a line for each, as routes/UID/auth.password: 'value'",
            )
        return None

    def _of_another_meaning(self, changes: Sequence[Write]) -> Refused | None:
        """What was found by its code or name alone, and means something else on the server."""
        found: list[tuple[Write, str]] = []
        for write in changes:
            if write.uid in self._found.counterparts and write.action == "update":
                before, after = (body or {} for body in write.changed())
                if meant := changed_meaning(write.plural, before, after):
                    told = "; ".join(
                        f"{path}: {said(old)} there, {said(new)} in the file" for path, (old, new) in meant.items()
                    )
                    found.append((write, told))
        if not found:
            return None
        (write, told), uid = found[0], self._found.counterparts[found[0][0].uid]
        more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        return Refused(
            f"{write.plural} '{write.name}' [{write.uid}] was found by its code or name and means something else there: "
            f"{told}{more}; nothing was written",
            hint=f"where it is the same, the file of {uid} says id: {write.uid}; where it is not, another name and code",
        )

    def _unknown(self) -> UsageError | None:
        """A value that the server's version does not have, and that nobody can translate."""
        if not self._found.unknown:
            return None
        one, more = self._found.unknown[0], len(self._found.unknown) - 1
        return UsageError(
            f"{one.type} [{one.uid}]: its {one.property} '{one.value}' is unknown to DHIS2 of this server"
            f"{f' (and {more:,} more)' if more else ''}; nothing was written",
            hint=f"it knows {listed(one.known, 6)}; --without {one.type} brings the rest",
        )


@takes_back(NAME)
async def taken_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """Apps, settings, keys of the data store and metadata as before, in one plan."""
    changes = journal.changes(entry.id)
    apps = [change for change in written(journal, entry) if change.type == APPS]
    values = [change for change in changes if change.type in PLACES]
    objects = [change for change in changes if change.type not in {*PLACES, APPS}]
    plans: list[Plan] = []
    if apps:
        plans.append(await app_changes.taken_back_of(s, entry, apps, force=force))
    if values:
        plans.append(await keyed.set_back_of(s, entry, values))
    if objects:
        plans.append(await undoing.objects_of(s, journal, entry, objects, force=force))
    return undone(entry, plans, AsCode)
