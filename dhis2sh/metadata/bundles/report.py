"""What an import or a merge would do, by type and conflict by conflict: for people and as data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel

from dhis2sh.changes.refusals import advice

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.checking import Dangling
    from dhis2sh.metadata.bundles.mapping import Match

SHOWN = 8
"""So many conflicts of one kind are written out for people; the data has them all."""


class TypeCount(BaseModel):
    """What would become of the objects of one type; a conflict is one that the server would refuse."""

    type: str
    create: int = 0
    update: int = 0
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
        return f"{self.type} '{self.name}' [{self.id}]: {self.message}"


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


class ImportReport(BaseModel):
    """What a plan would do.

    Parameters:
        source: the file or profile; `version` of the DHIS2 that it comes from, where it says so.
        types: counts by type; conflicts, dangling, mapped: object by object.
    """

    source: str
    version: str | None = None
    types: list[TypeCount] = []
    conflicts: list[Conflict] = []
    dangling: list[DanglingReference] = []
    mapped: list[MappedObject] = []

    def line(self) -> str:
        """A table of the types, then the conflicts by code with what to do about them."""
        return "\n".join([*_table(self.types), *self.conflict_lines()])

    def conflict_lines(self) -> list[str]:
        """The conflicts in words, those of one code together and what to do about them behind."""
        lines: list[str] = []
        for code in dict.fromkeys(conflict.code for conflict in self.conflicts):
            these = [conflict for conflict in self.conflicts if conflict.code == code]
            lines += [f"conflict {code or ''}: {one.line()}" for one in these[:SHOWN]]
            lines += [f"conflict {code or ''}: {len(these) - SHOWN:,} objects more"] if len(these) > SHOWN else []
            told = these[0].next
            lines += [f"  try: {told}"] if told else []
        return lines


def _table(types: Sequence[TypeCount]) -> list[str]:
    """Types by rows, what becomes of them by columns; a column that is zero everywhere is left out."""
    names = ("create", "update", "same", "conflict", "skipped")
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
