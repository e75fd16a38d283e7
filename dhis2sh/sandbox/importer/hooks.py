"""What areas of the server do when objects of a type are imported, updated or deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.report import ErrorReport
from dhis2sh.sandbox.store.areas import Area
from dhis2sh.sandbox.store.database import Store

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

type Also = Mapping[str, Iterable[JsonObject]]
type Check = Callable[[Bundle, Item], None]
type Create = Callable[[Store, JsonObject], None]
type Update = Callable[[Store, JsonObject, JsonObject], ErrorReport | None]
type Veto = Callable[[Store, str], str | None]


@dataclass(frozen=True, slots=True)
class Hook:
    """What an area does with the objects of one type.

    Parameters:
        prepare: fills in what is derived, before the checks.
        check: adds errors to the item; runs before every other check.
        refuses: further checks, in the server's order, after the `check` of every area.
        also: other objects that are written with it, by plural.
        create: what the type's controller has against a creation by `POST`; raises `Refused`.
        update: what the type's controller has against an update, given the object before and after it.
        vetoes: what forbids the deletion of an object, by its UID: each names what is in the way, or None.
        columns: the columns of tables in which UIDs of the type stand; a merge moves their rows.
    """

    prepare: Check | None = None
    check: Check | None = None
    refuses: tuple[Check, ...] = ()
    also: Callable[[Bundle, Item], Also] | None = None
    create: Create | None = None
    update: Update | None = None
    vetoes: tuple[Veto, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportingArea(Area):
    """An area that has its say when objects are imported or deleted.

    Parameters:
        hooks: by plural.
    """

    hooks: Mapping[str, Hook] = field(default_factory=lambda: {})


def hooks_of(store: Store, plural: str) -> Iterator[Hook]:
    """The hooks that the areas of a store have for a type, in the areas' order."""
    for area in store.areas:
        if isinstance(area, ImportingArea) and plural in area.hooks:
            yield area.hooks[plural]


def rows_of(model: str, table: str, column: str) -> Veto:
    """A veto: rows of a table that name the object forbid its deletion, as `model`."""
    query = f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1"

    def veto(store: Store, uid: str) -> str | None:
        return model if store.connection.execute(query, (uid,)).fetchone() else None

    return veto
