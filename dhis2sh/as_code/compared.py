"""What a directory and a server have differently, object by object and property by property."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

from pydantic import BaseModel

from dhis2sh.as_code import members
from dhis2sh.as_code.checking import check
from dhis2sh.as_code.clean import NOT_KEPT, adapted, shared_without, sorted_keys, strangers
from dhis2sh.as_code.counterparts import under
from dhis2sh.as_code.lacking import completed, lacking_of
from dhis2sh.as_code.scope import APPS, GROUPS, SETTINGS, STORE
from dhis2sh.as_code.secret import hidden, open_ones
from dhis2sh.as_code.server import Server, entry
from dhis2sh.as_code.yaml_text import Document
from dhis2sh.dhis2.as_code import is_state
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS, SAVED_BY
from dhis2sh.dhis2.references import label
from dhis2sh.dhis2.setting_names import KNOWN, NO_DEFAULT
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.instance.app_changes import Listed
from dhis2sh.instance.settings import LISTS_ALL
from dhis2sh.metadata.bundles.adapting import NOT_HAD
from dhis2sh.metadata.bundles.diff import differs
from dhis2sh.metadata.bundles.mapping import PART_OF, unique_of
from dhis2sh.metadata.comparing import empty
from dhis2sh.metadata.made_by_server import MADE_BY_SERVER
from dhis2sh.models import facts
from dhis2sh.redact import SECRET, is_secret
from dhis2sh.types import JsonValue
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.as_code.counterparts import Way
    from dhis2sh.as_code.lacking import Lacking
    from dhis2sh.as_code.scope import Scope
    from dhis2sh.metadata.bundles.adapting import Adapted, UnknownValue
    from dhis2sh.metadata.bundles.report import AdaptedProperty
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, Row

type Change = Literal["added", "changed", "removed"]
SHOWN, NAMED = 5, 20
COLUMNS = ("change", "type", "id", "name", "property", "before", "after", "file")


class Said(Protocol):
    """What a server is compared with: a directory, or a snapshot."""

    @property
    def root(self) -> Path:
        """Where it is."""
        ...

    @property
    def scope(self) -> Scope:
        """What it is about."""
        ...

    def objects(self, plural: str) -> dict[str, Document]:
        """The objects of a type by UID. Raises `UsageError`."""
        ...

    def entries(self) -> dict[str, Document]:
        """The data store by `namespace/key`. Raises `UsageError`."""
        ...

    def settings(self) -> Document | None:
        """The system settings. Raises `UsageError`."""
        ...

    def apps(self) -> Document | None:
        """The installed apps. Raises `UsageError`."""
        ...


class OneDifference(BaseModel):
    """One difference between two states of an instance.

    Parameters:
        change: `added` is only in the second, `removed` only in the first, `changed` one property of what both have.
        before, after: what the first and what the second says.
    """

    change: Change
    type: str
    id: str
    name: str
    property: str | None = None
    before: JsonValue = None
    after: JsonValue = None


class DifferenceRow(OneDifference):
    """One difference: before is the server, after the directory.

    Parameters:
        file: where the directory says it.
    """

    file: str | None = None


@dataclass(slots=True)
class Object:
    """An object that differs.

    Parameters:
        file: where the directory says it.
        body: what the directory says, as the server's version says it.
        raw: what the server has; None where it has none.
        names: the properties that differ.
    """

    plural: str
    uid: str
    name: str
    file: str
    body: JsonObject
    raw: Row | None = None
    names: dict[str, tuple[JsonValue, JsonValue]] = field(default_factory=dict[str, tuple[JsonValue, JsonValue]])


@dataclass(slots=True)
class Value:
    """A setting, or a key of the data store, that differs.

    Parameters:
        before: what the server has, secrets too; `there` is whether it has it.
        after: what the directory says; `said` is whether it does.
    """

    kind: str
    key: str
    file: str | None
    before: JsonValue = None
    after: JsonValue = None
    there: bool = True
    said: bool = True

    @property
    def change(self) -> Change:
        """What an apply would do."""
        return "removed" if not self.said else "changed" if self.there else "added"


@dataclass(slots=True)
class Comparison:
    """What a directory and a server have differently.

    Parameters:
        objects: in the directory, and not on the server, or otherwise there.
        only_there: on the server and in no file, UID and name by type.
        values: settings and keys of the data store.
        apps: installed apps that differ, by key: what the directory says, and the version on the server.
        listed: all apps that the directory says.
        changes: what was changed for another version of DHIS2; `left_out` the objects of types that it does not have.
        unknown: values that it does not know.
        strangers: groups that sharing names and that are nowhere, with the objects.
        notes: what else was left out.
        counterparts: what was found by its code or name alone: the UID that the directory has, by that of the server.
        same: how many objects are the same.
    """

    objects: list[Object] = field(default_factory=list[Object])
    only_there: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    values: list[Value] = field(default_factory=list[Value])
    apps: dict[str, tuple[Listed | None, str | None]] = field(
        default_factory=dict[str, tuple[Listed | None, str | None]]
    )
    listed: Sequence[Listed] = ()
    changes: list[AdaptedProperty] = field(default_factory=lambda: [])
    left_out: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    unknown: list[UnknownValue] = field(default_factory=lambda: [])
    strangers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    notes: list[str] = field(default_factory=list[str])
    counterparts: dict[str, str] = field(default_factory=dict[str, str])
    same: int = 0
    stamps: dict[tuple[str, str], tuple[str | None, str | None]] = field(
        default_factory=dict[tuple[str, str], tuple[str | None, str | None]]
    )
    """When what differs was saved last on the server, and by whom, by type and UID."""

    def rows(self) -> list[DifferenceRow]:
        """All of it, a row each, by type and name."""
        found: list[DifferenceRow] = []
        for one in self.objects:
            about = {"type": one.plural, "id": one.uid, "name": one.name, "file": one.file}
            if one.raw is None:
                found.append(DifferenceRow(change="added", **about))
            for name, (before, after) in one.names.items() if one.raw is not None else ():
                found.append(DifferenceRow(change="changed", property=name, before=before, after=after, **about))
        for plural, some in self.only_there.items():
            found += [DifferenceRow(change="removed", type=plural, id=uid, name=name) for uid, name in some.items()]
        for one in self.values:
            before, after = (hidden({one.key: value}) for value in (one.before, one.after))
            found.append(
                DifferenceRow(
                    change=one.change, type=one.kind, id=one.key, name=one.key, file=one.file,
                    before=cast("JsonObject", before)[one.key], after=cast("JsonObject", after)[one.key],
                )
            )  # fmt: skip
        for key, (said, there) in self.apps.items():
            change: Change = "added" if there is None else "removed" if said is None else "changed"
            found.append(
                DifferenceRow(
                    change=change, type=APPS, id=key, name=key, property="version", before=there,
                    after=said.version if said is not None else None,
                )
            )  # fmt: skip
        return sorted(found, key=lambda row: (row.type, row.name.lower(), row.id, row.property or ""))


async def compare(server: Server, folder: Said, by: Sequence[Way] = ()) -> Comparison:
    """Compare a directory with a server: each type is read, compared and let go.

    Parameters:
        by: objects that the server has under another UID are found by this; without any a UID alone says which it is.

    Raises `UsageError` with file and line for what cannot stand in a file.
    """
    found = Comparison()
    if by:
        folder = await under(server, folder, by)
        found.notes += folder.notes
        found.counterparts = {to: uid for uid, to in folder.uids.items()}
    source = source_of(folder.scope.version)
    lacking = await lacking_of(server, folder.scope)
    groups = {*server.groups, *(folder.objects(GROUPS) if GROUPS in folder.scope.types else ())}
    for number, plural in enumerate(folder.scope.types):
        server.s.person.progress("compare", number, len(folder.scope.types))
        documents = folder.objects(plural)
        if plural not in server.types or not server.types[plural].in_bundles:
            for document in documents.values():
                check(plural, document)
            found.left_out[plural] = [label(document.value) for document in documents.values()]
            continue
        had = {uid: _had(lacking, plural, document) for uid, document in documents.items()}
        documents = {uid: document for uid, document in had.items() if document is not None}
        await _compare_type(server, plural, documents, source, groups, found)
    server.s.person.progress("compare", len(folder.scope.types), len(folder.scope.types))
    if SETTINGS in folder.scope.also and (settings := folder.settings()) is not None:
        await _compare_settings(server, settings, folder.scope.version, found)
    if STORE in folder.scope.also:
        await _compare_store(server, folder.entries(), found)
    if APPS in folder.scope.also and (apps := folder.apps()) is not None:
        await _compare_apps(server, apps, found)
    found.notes += server.told()
    found.notes += [
        f"left out: {len(names):,} {plural}: this version does not have them: {listed(names, NAMED)}"
        for plural, names in found.left_out.items()
        if names
    ]
    found.notes += [*lacking.notes(), *_second_ones(found, server.types)]
    which = (
        "left out of sharing: the group {}, which is in no file and not on the server: {}"
        if server.all_groups
        else "sharing names the group {}, which is in no file and which this account does not see on the server: {}"
    )
    found.notes += [which.format(uid, listed(names, SHOWN)) for uid, names in found.strangers.items()]
    return found


def _second_ones(found: Comparison, types: Mapping[str, Resource]) -> list[str]:
    """New objects whose name one has that is on the server and in no file: a server makes a second one without a word."""
    notes: list[str] = []
    for one in found.objects:
        if one.raw is None and one.plural not in PART_OF and "name" not in unique_of(types[one.plural]):
            same = [uid for uid, name in found.only_there.get(one.plural, {}).items() if name == one.name]
            if same:
                notes.append(
                    f"{one.plural} '{one.name}' [{one.uid}] is a second one of that name: [{', '.join(same)}] is there; "
                    "--by name takes them for one"
                )
    return notes


def _had(lacking: Lacking, plural: str, document: Document) -> Document | None:
    """What of a file the server's version can have; None for nothing. Raises `UsageError` for a slip in what is left out."""
    value = lacking.fitted(plural, document.value)
    if value is document.value:
        return document
    check(plural, document)
    return Document(document.where, value, document.lines) if value is not None else None


def source_of(version: str) -> Mapping[str, Resource]:
    """The types of the version that a directory was pulled from; of one that is not known the newest."""
    key = version_key(version)
    return facts.types(key if key in facts.VERSIONS else facts.VERSIONS[-1])


def version_key(version: str) -> str:
    """How the facts call a version: `v42` of `2.42`."""
    return f"v{version.partition('.')[2]}"


async def _compare_type(
    server: Server,
    plural: str,
    documents: Mapping[str, Document],
    origin: Mapping[str, Resource],
    groups: Collection[str],
    found: Comparison,
) -> None:
    source = origin.get(plural)
    values = [_known(server, plural, document.value, groups, found) for document in documents.values()]
    said: Adapted = adapted(plural, values, server.types, newer=server.newer)
    found.changes += said.changes
    found.unknown += said.unknown
    bodies, met = said.bundle.objects.get(plural, {}), set[str]()
    if plural == GROUPS and server.usernames is not None:
        documents = {uid: _with_members(server.usernames, one, bodies[uid], found) for uid, one in documents.items()}
    if server.has_role is not None and server.usernames is not None:
        documents = {
            uid: _with_people(server.usernames, plural, one, bodies[uid], found) for uid, one in documents.items()
        }
    async for page in server.pages(plural):
        for raw, clean in page:
            uid = str(raw["id"])
            if uid not in documents:
                if plural in MADE_BY_SERVER:
                    continue  # with what they are made of they come and go by themselves
                found.only_there.setdefault(plural, {})[uid] = label(clean)
                found.stamps[plural, uid] = stamp_of(raw)
                continue
            met.add(uid)
            if documents[uid].value == clean:
                found.same += 1
                continue
            check(plural, documents[uid])
            if origin is not server.types:
                bodies[uid] = completed(bodies[uid], clean, server.types[plural], server.types, origin)
            names = differences(plural, clean, bodies[uid], server.types, source)
            if names:
                found.objects.append(_object(plural, documents[uid], bodies[uid], raw, names))
                found.stamps[plural, uid] = stamp_of(raw)
            else:
                found.same += 1
    for uid in documents:
        if uid not in met:
            check(plural, documents[uid])
            found.objects.append(_object(plural, documents[uid], bodies[uid]))


def _known(server: Server, plural: str, body: JsonObject, groups: Collection[str], found: Comparison) -> JsonObject:
    """What a file says, without groups that are nowhere: a server would take them and say nothing."""
    gone = strangers(body, groups)
    for uid in gone:
        found.strangers.setdefault(uid, []).append(f"{plural} [{body.get('id')}]")
    return shared_without(body, gone) if gone and server.all_groups else body


def _with_members(usernames: Mapping[str, str], document: Document, body: JsonObject, found: Comparison) -> Document:
    """The file of a group, its members checked and set aside: those with an account become a property of what is said."""
    names = members.said(document)
    if names is None:
        return document
    known = {*usernames.values()}
    if unknown := [name for name in names if name not in known]:
        found.notes.append(f"left out of {label(body)}: no such account on this server: {listed(unknown, SHOWN)}")
    body[members.USERS] = [name for name in names if name in known]
    return members.without(document)


def _with_people(
    usernames: Mapping[str, str], plural: str, document: Document, body: JsonObject, found: Comparison
) -> Document:
    """A snapshot's object, its people set aside: those with an account become part of what is said."""
    plain, people = members.apart(document, plural)
    known = {*usernames.values()}
    has_role, shared = people.get(members.USERS), people.get(members.SHARING)
    names = [str(name) for name in has_role] if isinstance(has_role, list) else []
    access = shared if isinstance(shared, dict) else {}
    if unknown := [name for name in dict.fromkeys([*names, *access]) if name not in known]:
        found.notes.append(f"left out of {label(body)}: no such account on this server: {listed(unknown, SHOWN)}")
    if isinstance(has_role, list):
        body[members.USERS] = [name for name in names if name in known]
    sharing, kept = body.get(members.SHARING), {name: row for name, row in access.items() if name in known}
    if isinstance(sharing, dict) and kept:
        body[members.SHARING] = {**sharing, members.USERS: kept}
    return plain


def stamp_of(raw: Row) -> tuple[str | None, str | None]:
    """When an object was saved last, and by whom, as the server says it."""
    by = raw.get(SAVED_BY)
    name = (by.get("username") or by.get("name") or by.get("id")) if isinstance(by, dict) else None
    at = raw.get("lastUpdated")
    return str(at) if at else None, str(name) if name else None


def _object(
    plural: str,
    document: Document,
    body: JsonObject,
    raw: Row | None = None,
    names: dict[str, tuple[JsonValue, JsonValue]] | None = None,
) -> Object:
    return Object(plural, str(body["id"]), label(body), document.where, body, raw, names or {})


def differences(
    plural: str, there: JsonObject, said: JsonObject, types: Mapping[str, Resource], source: Resource | None
) -> dict[str, tuple[JsonValue, JsonValue]]:
    """The properties that differ: what the server has, and what the file says.

    What a file does not say is empty, but for sharing, and for what the version that it was pulled from does not know.
    """
    found: dict[str, tuple[JsonValue, JsonValue]] = {}
    for name in sorted({*there, *said}):
        before, after = there.get(name), said.get(name)
        if name == "sharing" or (plural, name) in {(GROUPS, members.USERS), (members.ROLES, members.USERS)}:
            if after is not None and before != after:
                found[name] = (before, after)
        elif name not in said and (nothing(before) or (source is not None and name not in source.properties)):
            continue
        elif differs(plural, name, before, after, types):
            found[name] = (before, after)
    return found


def nothing(value: JsonValue) -> bool:
    """Is a value what a server has where nothing was said: none at all, zero, or the default of the category model?"""
    if isinstance(value, dict) and len(value) == 1 and "id" in value:
        return value["id"] in DEFAULT_OBJECTS.values()
    return empty(value) or value == 0


# Beside metadata --------------------------------------------------------------------------------------------------------


async def _compare_settings(server: Server, document: Document, source: str, found: Comparison) -> None:
    there = await server.settings()
    old = (await server.s.client.version()).minor < LISTS_ALL
    newer = version_key(source) not in facts.VERSIONS
    missing: list[str] = []
    for name, value in document.value.items():
        if is_state(name):
            raise UsageError(
                f"{document.at(name)}: {name} is in no file: it is one server's own", hint="take the line out"
            )
        if any(open_ones({name: value})):
            raise UsageError(f"{document.at(name)}: a secret does not stand in a file", hint=f"{name}: '{SECRET}'")
        if name not in there and value == "":
            continue  # up to 2.41 a server lists no setting without a value
        if name not in there and old and name in NO_DEFAULT:
            found.values.append(Value(SETTINGS, name, document.where, None, value, there=False))
            continue
        if name not in there:
            if not (name in KNOWN or is_secret(name) or newer):
                hint = did_you_mean(name, [*{*there, *KNOWN}]) or "take the line out"
                raise UsageError(f"{document.at(name)}: there is no setting '{name}' in any version", hint=hint)
            if is_secret(name):
                found.notes.append(f"left out: setting {name}: a server gives it to nobody: dhis2 system settings set")
            else:
                missing.append(name)
            continue
        before = there[name]
        if not nothing(before) and not nothing(value) and _kind(before) != _kind(value):
            raise UsageError(
                f"{document.at(name)}: {name} is {_kind(before)}, and {value!r} is {_kind(value)}",
                hint=f"{name}: {before!r}",
            )
        if before != value and not (empty(before) and value in ("", None)):
            found.values.append(Value(SETTINGS, name, document.where, before, value))
    if missing:
        found.notes.append(f"left out: settings that this version does not have: {', '.join(missing)}")


def _kind(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, (int, float)) else "a text" if isinstance(value, str) else "no single value"


async def _compare_store(server: Server, documents: Mapping[str, Document], found: Comparison) -> None:
    met: set[str] = set()
    async for namespace, key, value in server.entries():
        name = f"{namespace}/{key}"
        document = documents.get(name)
        if document is None:
            found.values.append(Value(STORE, name, None, value, said=False))
            continue
        met.add(name)
        if sorted_keys(document.value["value"]) != entry(namespace, key, value)["value"]:
            found.values.append(Value(STORE, name, document.where, value, document.value["value"]))
    for name, document in documents.items():
        if place := next(open_ones(document.value), None):
            raise UsageError(f"{document.at(*place)}: a secret does not stand in a file", hint=f"write '{SECRET}'")
        if name in met:
            continue
        if name.partition("/")[0] in server.closed:
            found.notes.append(f"left out: {name}: an app keeps the namespace for itself")
        else:
            found.values.append(Value(STORE, name, document.where, None, document.value["value"], there=False))


async def _compare_apps(server: Server, document: Document, found: Comparison) -> None:
    there, said = await server.apps(), {one.key: one for one in _listed(document)}
    found.listed = [*said.values()]
    for key in sorted({*there, *said}):
        version = str(cast("JsonObject", there[key]).get("version") or "") if key in there else None
        if (said[key].version if key in said else None) != version:
            found.apps[key] = (said.get(key), version)


APP_KEYS = ("name", "version", "appHubId")


def _listed(document: Document) -> Iterator[Listed]:
    """The apps of a file. Raises `UsageError` with the line for what is no app."""
    for key, app in document.value.items():
        if not isinstance(app, dict):
            raise UsageError(f"{document.at(key)}: {key} says no version", hint="version: '1.0.0' below its key")
        for name, value in app.items():
            if name not in APP_KEYS:
                hint = did_you_mean(name, APP_KEYS) or ", ".join(APP_KEYS)
                raise UsageError(f"{document.at(key, name)}: unknown: {name}", hint=hint)
            if not isinstance(value, str):  # 1.10 without quotes would be 1.1
                raise UsageError(
                    f"{document.at(key, name)}: {name} is a text, and {value!r} is none",
                    hint=f"{name}: '...', in quotes",
                )
        if not app.get("version"):
            raise UsageError(f"{document.at(key)}: {key} says no version", hint="version: '1.0.0' below its key")
        hub_id = app.get("appHubId")
        yield Listed(key, str(app.get("name") or key), str(app["version"]), str(hub_id) if hub_id else None)


def told(found: Comparison) -> list[str]:
    """What of a directory the server's version cannot say, in words: the differences between versions, listed as of a package."""
    gone = [one for one in found.changes if one.how in {NOT_HAD, NOT_KEPT}]
    named = ", ".join(f"{one.type} {one.property} ({one.count:,})" for one in gone)
    lines = [f"left out: properties that this version does not have: {named}"] if gone else []
    lines += [f"{one.type} {one.property} {one.how}: {one.count:,}" for one in found.changes if one not in gone]
    lines += [
        f"{one.type} [{one.uid}]: its {one.property} '{one.value}' is unknown to this version" for one in found.unknown
    ]
    return [*lines, *found.notes]
