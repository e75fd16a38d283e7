"""What an import or a merge would do, by type and conflict by conflict: for people and as data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from dhis2sh.changes.refusals import advice
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Counts
    from dhis2sh.metadata.bundles.checking import Dangling
    from dhis2sh.metadata.bundles.mapping import Match

SHOWN = 8
"""So many conflicts of one kind are written out for people; the data has them all."""


NO_ACCESS, NOTHING = "--------", "nothing"


class TypeCount(BaseModel):
    """What would become of the objects of one type; a conflict is one that the server would refuse."""

    type: str
    create: int = 0
    update: int = 0
    delete: int = 0
    same: int = 0
    conflict: int = 0
    skipped: int = 0


class Conflict(BaseModel):
    """One object that the server would refuse: why, with names for UIDs, and what to do."""

    type: str | None
    id: str | None
    name: str | None
    code: str | None = None
    property: str | None = None
    message: str = ""
    next: str | None = None

    def line(self) -> str:
        """In words."""
        name = f"'{self.name}' " if self.name else ""
        return f"{self.type} {name}[{self.id}]: {self.message}"


class DanglingReference(BaseModel):
    """A reference to what is neither in the bundle nor on the server."""

    type: str
    id: str
    name: str
    property: str
    to_type: str | None
    to: str
    to_name: str | None

    @classmethod
    def of(cls, arrow: Dangling) -> DanglingReference:
        """The data of a finding."""
        ref = arrow.reference
        return cls(
            type=arrow.type, id=arrow.uid, name=arrow.name, property=ref.path, to_type=ref.type, to=ref.uid,
            to_name=arrow.to_name,
        )  # fmt: skip


class MappedObject(BaseModel):
    """An object that takes the UID of its counterpart: which, and how it was found."""

    type: str
    id: str
    name: str
    to: str
    by: str

    @classmethod
    def of(cls, match: Match) -> MappedObject:
        """The data of a match."""
        return cls(type=match.type, id=match.uid, name=match.name, to=match.to, by=match.by)


class AdaptedProperty(BaseModel):
    """What was changed in the objects of one type, so that another version takes them."""

    type: str
    property: str
    how: str
    count: int


class KeptObject(BaseModel):
    """An object that is there, differs, and stays as it is.

    Parameters:
        differs: the properties; `grave` those that change what its values mean, with the value there and in the bundle.
    """

    type: str
    id: str
    name: str
    differs: list[str] = []
    grave: dict[str, tuple[JsonValue, JsonValue]] = {}

    def line(self) -> str:
        """In words, what is grave with its values."""
        told = [
            f"{name}: {said(here)} there, {said(there)} in the bundle" for name, (here, there) in self.grave.items()
        ]
        grave = {path.partition(".")[0] for path in self.grave}
        more = [name for name in self.differs if name not in grave]
        return f"{self.type} '{self.name}' [{self.id}]: {'; '.join([*told, *([listed(more, 5)] if more else [])])}"


class MembersApart(BaseModel):
    """Members of a collection that the server and the bundle do not share: what an import takes out, or does not put in.

    Parameters:
        type, id, name: the object that holds them.
        property: its collection.
        members: their UIDs; `names` what they are called, where that is known.
        lost: they are there and are taken out; else they are in the bundle and do not come.
        command: what puts them in (again); None where no line can.
    """

    type: str
    id: str
    name: str
    property: str
    members: list[str]
    names: list[str] = []
    lost: bool
    command: str | None = None

    def line(self) -> str:
        """In words."""
        called = listed(self.names or self.members, 5)
        what = "loses" if self.lost else "stays without"
        return f"{self.type} '{self.name}' [{self.id}] {what} {counted(len(self.members), 'member')} of {self.property}: {called}"


class Access(BaseModel):
    """What a sharing gives: to everybody, without sign-in (`external`), to users and groups by UID."""

    public: str
    external: bool = False
    users: dict[str, str] = {}
    groups: dict[str, str] = {}

    @classmethod
    def of(cls, given: JsonObject) -> Access:
        """The data of what `access_given` says."""
        users, groups = (
            {uid: str(access) for uid, access in rows.items()} if isinstance(rows := given.get(kind), dict) else {}
            for kind in ("users", "userGroups")
        )
        public = str(given.get("public") or NO_ACCESS)
        return cls(public=public, external=given.get("external") is True, users=users, groups=groups)


class AccessApart(BaseModel):
    """An object that the bundle shares otherwise than the server.

    Parameters:
        before, after: what is given there, and what the bundle says.
        written: it is given from now on; else what is there stays.
        names: what its users and groups are called, by UID.
    """

    type: str
    id: str
    name: str
    before: Access
    after: Access
    written: bool
    names: dict[str, str] = {}

    def uids(self) -> set[str]:
        """Users and groups whose access differs."""
        return {uid for _, uid, *_ in self._members()}

    def _members(self) -> list[tuple[str, str, str, str]]:
        return [
            (kind, uid, here.get(uid, NOTHING), there.get(uid, NOTHING))
            for kind, here, there in (
                ("group", self.before.groups, self.after.groups),
                ("user", self.before.users, self.after.users),
            )
            for uid in sorted({*here, *there})
            if here.get(uid) != there.get(uid)
        ]

    def change(self) -> str:
        """What differs, in words; the same for all objects of which it is the same."""
        public, told = (self.before.public, self.after.public), list[str]()
        if public[0] != public[1]:
            told.append(self._said("everybody", *public))
        if self.before.external != self.after.external:
            told.append(
                self._said("without sign-in", *(str(one.external).lower() for one in (self.before, self.after)))
            )
        told += [self._said(f"{kind} '{self.names.get(uid, uid)}'", *pair) for kind, uid, *pair in self._members()]
        return "; ".join(told)

    def _said(self, who: str, here: str, there: str) -> str:
        return f"{who} {here} -> {there}" if self.written else f"{who} {here} there, {there} in the bundle"


class OwnKept(BaseModel):
    """What a server has of its own in an object that is updated, and keeps: how many units, levels, people, values, texts."""

    type: str
    id: str
    name: str
    property: str
    count: int


class ImportReport(BaseModel):
    """What a plan would do.

    Parameters:
        source: the file or profile; `version` of the DHIS2 that it comes from, where it says so.
        types: counts by type; conflicts, dangling, mapped: object by object.
        kept: what is there already and differs, where only new objects are written.
        apart: members of collections that are taken out, or that do not come.
        access: objects of which everybody, users or groups get other access, or would by the bundle.
        own: what the server has of its own in objects that are updated, and keeps.
    """

    prose: ClassVar[bool] = True  # a narrow screen may break its sentences
    source: str
    version: str | None = None
    types: list[TypeCount] = []
    conflicts: list[Conflict] = []
    dangling: list[DanglingReference] = []
    mapped: list[MappedObject] = []
    kept: list[KeptObject] = []
    apart: list[MembersApart] = []
    access: list[AccessApart] = []
    own: list[OwnKept] = []

    def line(self) -> str:
        """A table of the types, then the conflicts by code with what to do about them."""
        return "\n".join([*_table(self.types), *self.conflict_lines(), *self.apart_lines()])

    def apart_lines(self) -> list[str]:
        """What stays, what goes, and who gets other access."""
        return [*self.kept_lines(), *self.own_lines(), *self.member_lines(), *self.access_lines()]

    def beside(self, counts: Counts) -> ImportReport:
        """The same with what is written beside the bundle: settings, keys of the data store, what is deleted."""
        rows = {row.type: row.model_copy() for row in self.types}
        for (action, type), count in counts.items():
            row = rows.setdefault(type, TypeCount(type=type))
            name = action.removeprefix("also ")
            name = name if name in {"create", "delete"} else "update"
            setattr(row, name, getattr(row, name) + count)
        return self.model_copy(update={"types": [*rows.values()]})

    def afterwards(self) -> str:
        """What still holds when it is written: what went, what stays, who has other access."""
        return "\n".join(self.apart_lines())

    def kept_lines(self) -> list[str]:
        """What is there and differs, the gravest first."""
        ordered = sorted(self.kept, key=lambda one: not one.grave)
        lines = [f"stays as it is: {one.line()}" for one in ordered[:SHOWN]]
        more = len(ordered) - SHOWN
        return [*lines, f"stays as it is: {counted(more, 'object')} more that differ"] if more > 0 else lines

    def member_lines(self) -> list[str]:
        """Members that are taken out, then those that do not come, each with the command that puts them in."""
        lines: list[str] = []
        for lost in (True, False):
            these = [one for one in self.apart if one.lost is lost]
            for one in these[:SHOWN]:
                lines += [f"members: {one.line()}", *([f"  {one.command}"] if one.command else [])]
            more = len(these) - SHOWN
            told = "lose members" if lost else "stay without members"
            lines += (
                [f"members: {counted(more, 'collection')} more that {told} (-o json has them all)"] if more > 0 else []
            )
        return lines

    def own_lines(self) -> list[str]:
        """What stays of what is the server's own, by property."""
        found: dict[tuple[str, str], list[OwnKept]] = {}
        for one in self.own:
            found.setdefault((one.property, one.type), []).append(one)
        lines = [
            f"{counted(sum(one.count for one in some), 'item')} of {name} of {plural} "
            f"{listed(f"'{one.name}'" for one in some)}, which the bundle does not have"
            for (name, plural), some in found.items()
        ]
        return _some("stays", lines)

    def access_lines(self) -> list[str]:
        """Who gets other access to what, then what stays shared as it is; the same change of several objects together."""
        lines: list[str] = []
        for written in (True, False):
            found: dict[str, list[AccessApart]] = {}
            for one in self.access:
                if one.written is written:
                    found.setdefault(one.change(), []).append(one)
            told = [f"{change}: {_objects(some)}" for change, some in found.items()]
            lines += _some("access changes" if written else "access stays", told)
        return lines

    def conflict_lines(self) -> list[str]:
        """The conflicts in words, those of one code together and what to do about them behind."""
        lines: list[str] = []
        for code in dict.fromkeys(conflict.code for conflict in self.conflicts):
            these = [conflict for conflict in self.conflicts if conflict.code == code]
            word = f"conflict {code}" if code else "conflict"
            lines += [f"{word}: {one.line()}" for one in these[:SHOWN]]
            lines += [f"{word}: {len(these) - SHOWN:,} objects more"] if len(these) > SHOWN else []
            told = these[0].next
            lines += [f"  try: {told}"] if told else []
        return lines


SAFEST = ("=rename", "--drop-dangling", "=skip")
"""What changes least comes first."""


class Decision(BaseModel):
    """What only a person can decide: what it is about, why, and what decides it: options, and the whole commands with them."""

    about: str
    why: str
    ways: list[str]
    commands: list[str]

    def safest(self) -> str:
        """The way that changes least: another name, which breaks no reference, else the reference or object is left out."""
        return next((text for end in SAFEST for text in self.ways if text.endswith(end)), self.ways[0])


class ToDo(BaseModel):
    """What a person has to do when a package is there, and how it begins."""

    what: str
    command: str


class PackageReport(ImportReport):
    """What installing a package would do, what has to be decided before and what is left to do afterwards.

    Parameters:
        name: the package; `left_out` types and people that do not come, with the number of objects.
        adapted: what was changed for the server's version.
        skipped, renamed: objects that do not come, or under another name; groups_left_out: UIDs of groups that sharing
            names and that are nowhere.
        formulas: by UID of what is missing, the objects whose expressions name it.
        lost: what the package says of objects and others keep, with the command that brings it about.
        changed: objects that are updated, and in what; notes: what else is to be said. Both only where a plan is looked at,
            which shows its steps otherwise.
    """

    name: str = ""
    adapted: list[AdaptedProperty] = []
    left_out: dict[str, int] = {}
    skipped: list[str] = []
    renamed: list[str] = []
    groups_left_out: list[str] = []
    formulas: dict[str, list[str]] = {}
    lost: list[str] = []
    changed: list[KeptObject] = []
    notes: list[str] = []
    decide: list[Decision] = []
    to_do: list[ToDo] = []

    def line(self) -> str:
        """The tables, what was adapted and mapped, then what to decide and what to do."""
        return "\n".join([
            *_table(self.types), *_some("changes", [one.line() for one in self.changed]), *self.apart_lines(),
            *_some("adapted", self.adapted_lines()),
            *[f"left out: {what} ({count:,})" for what, count in self.left_out.items()],
            *self.sharing_lines(), *self.lost, *self.notes,
            *_some("mapped", [f"{one.type} '{one.name}' [{one.id}] is [{one.to}] there, by {one.by}" for one in self.mapped]),
            *_some("renamed", self.renamed), *_some("skipped", self.skipped),
            *self.formula_lines(), *self.decision_lines(), *self.to_do_lines(),
        ])  # fmt: skip

    def afterwards(self) -> str:
        """What still holds when it is written: what stays and differs, members that are apart, what formulas miss, what is left to do."""
        return "\n".join([
            *self.apart_lines(), *self.lost, *self.formula_lines(), *self.to_do_lines(),
        ])  # fmt: skip

    def adapted_lines(self) -> list[str]:
        """What was changed, the same change of several types together."""
        found: dict[tuple[str, str], list[AdaptedProperty]] = {}
        for one in self.adapted:
            found.setdefault((one.property, one.how), []).append(one)
        return [
            f"{name} of {listed((one.type for one in rows), 2)} {how} ({counted(sum(one.count for one in rows), 'object')})"
            for (name, how), rows in found.items()
        ]

    def sharing_lines(self) -> list[str]:
        """Groups of other servers."""
        found = len(self.groups_left_out)
        return (
            [f"left out: sharing with {counted(found, 'group')}, neither in the package nor on the server"]
            if found
            else []
        )

    def formula_lines(self) -> list[str]:
        """Expressions over what is missing: a server takes them and cannot work them out."""
        lines = [
            f"{uid} is missing in the expressions of {listed(dict.fromkeys(names), 2)}"
            for uid, names in self.formulas.items()
        ]
        return _some("formula", lines)

    def decision_lines(self) -> list[str]:
        """What has to be decided, each with its commands."""
        lines: list[str] = []
        for one in self.decide[:MOST]:
            lines += [
                f"decide: {one.about}{f' ({one.why})' if one.why else ''}",
                *(f"  {text}" for text in one.commands),
            ]
        more = len(self.decide) - MOST
        return [*lines, f"decide: {counted(more, 'decision')} more (-o json has them all)"] if more > 0 else lines

    def to_do_lines(self) -> list[str]:
        """What is left to do afterwards."""
        return [text for one in self.to_do for text in (f"to do: {one.what}", f"  {one.command}")]


MOST = 20
"""So many decisions are written out for people."""


def _objects(some: Sequence[AccessApart]) -> str:
    """Objects by type, the first of them named."""
    by_type: dict[str, list[str]] = {}
    for one in some:
        by_type.setdefault(one.type, []).append(f"'{one.name}' [{one.id}]")
    return "; ".join(f"{plural} {listed(names)}" for plural, names in by_type.items())


def _some(word: str, lines: Sequence[str]) -> list[str]:
    more = len(lines) - SHOWN
    shown = [f"{word}: {line}" for line in lines[:SHOWN]]
    return [*shown, f"{word}: {more:,} more (-o json has them all)"] if more > 0 else shown


def said(value: JsonValue) -> str:
    """A value in a line: a reference by its UID, a list by its size."""
    if isinstance(value, dict) and "id" in value:
        return str(value["id"])
    if isinstance(value, list):
        return counted(len(value), "item")
    return "nothing" if value in (None, "") else str(value)


def _table(types: Sequence[TypeCount]) -> list[str]:
    """Types by rows, what becomes of them by columns; a column that is zero everywhere is left out."""
    names = ("create", "update", "delete", "same", "conflict", "skipped")
    columns = [name for name in names if any(getattr(row, name) for row in types)]
    if not columns:
        return []
    total = TypeCount(type="total", **{name: sum(getattr(row, name) for row in types) for name in columns})
    rows = [*types, total] if len(types) > 1 else list(types)
    size = max(len(row.type) for row in rows)
    head = " ".join([" " * size, *(f"{name.upper():>9}" for name in columns)])
    return [head, *(" ".join([f"{row.type:{size}}", *_cells(row, columns)]) for row in rows)]


def _cells(row: TypeCount, columns: Iterable[str]) -> list[str]:
    return [f"{getattr(row, name):>9,}" if getattr(row, name) else f"{'.':>9}" for name in columns]


def next_of(code: str | None, uid: str | None, type: str | None) -> str | None:
    """What to do about a conflict."""
    found = advice(code, uid=uid, type=type)
    return found.next if found else None
