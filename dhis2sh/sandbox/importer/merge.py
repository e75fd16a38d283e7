"""Merging objects: what refers to the sources refers to the target, data move along, the sources may go."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.delete import EXPRESSIONS
from dhis2sh.sandbox.importer.hooks import hooks_of

if TYPE_CHECKING:
    import sqlite3

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

type Changes = dict[str, dict[str, JsonObject]]


def reference_changes(
    store: Store, plural: str, old: str, new: list[str], skip: Collection[str] = ()
) -> Changes:  # fmt: skip
    """The objects that refer to one, changed to refer to others in its place.

    Parameters:
        plural: the type of what is referred to.
        old: the UID that is replaced.
        new: what replaces it; a single reference takes the last.
        skip: properties that stay as they are, as `owner.property`.

    Returns the changed objects by plural and UID.
    """
    changed: Changes = {}
    for relation in store.relations[plural]:
        if f"{relation.owner}.{relation.prop}" in skip:
            continue
        for uid in store.inverse(relation.owner, relation.prop).get(old, []):
            body = changed.get(relation.owner, {}).get(uid) or store.get(relation.owner, uid) or {}
            changed.setdefault(relation.owner, {})[uid] = _replaced(body, relation.prop.split("."), old, new)
    return changed


def _replaced(body: JsonObject, path: list[str], old: str, new: list[str]) -> JsonObject:
    name, *rest = path
    value = body.get(name)
    if isinstance(value, list) and not rest:
        kept: list[str] = []
        for row in value:
            uid = str(row.get("id")) if isinstance(row, dict) else str(row)
            kept += [one for one in (new if uid == old else [uid]) if one not in kept]
        return {**body, name: [{"id": uid} for uid in kept]}
    if isinstance(value, list):
        rows: list[JsonValue] = [_replaced(row, rest, old, new) if isinstance(row, dict) else row for row in value]
        return {**body, name: rows}
    if isinstance(value, dict) and not rest and value.get("id") == old:
        return {**body, name: {"id": new[-1]}}
    return {**body, name: _replaced(value, rest, old, new)} if isinstance(value, dict) and rest else body


class Merge:
    """One merge of objects of a type into one of them.

    Parameters:
        store: the database.
        plural: the type.
        sources: UIDs of what is merged.
        target: UID of what they become.
    """

    def __init__(self, store: Store, plural: str, sources: list[str], target: str) -> None:
        self.store = store
        self.plural = plural
        self.sources = sources
        self.target = target

    def run(self, *, delete: bool, keep_data: bool) -> None:
        """Merge.

        Parameters:
            delete: whether the sources go.
            keep_data: keep the newer of two values of one place; else those of the sources are dropped.
        """
        store = self.store
        columns = dict.fromkeys(name for hook in hooks_of(store, self.plural) for name in hook.columns)
        for source in self.sources:
            self._move_references(source)
            with store.writing() as connection:
                for column in columns:
                    for table in tables_with(connection, column):
                        move_rows(connection, table, column, source, self.target, keep=keep_data)
        if delete:
            store.change({}, {self.plural: self.sources})

    def _move_references(self, source: str) -> None:
        store = self.store
        changed = reference_changes(store, self.plural, source, [self.target])
        for plural, paths in EXPRESSIONS.items():
            for uid, stored in store.objects(plural).items():
                body = changed.get(plural, {}).get(uid, stored)
                after = _renamed_in_expressions(body, paths, source, self.target)
                if after is not body:
                    changed.setdefault(plural, {})[uid] = after
        if self.plural == "organisationUnits":
            self._move_children(changed)
        store.change({plural: bodies.values() for plural, bodies in changed.items()})

    def _move_children(self, changed: Changes) -> None:
        """Units below a source come below the target, with new paths."""
        store = self.store
        target = store.get("organisationUnits", self.target) or {}
        units = changed.get("organisationUnits", {})
        for source in self.sources:
            before = str((store.get("organisationUnits", source) or {}).get("path", ""))
            for uid, unit in store.objects("organisationUnits").items():
                path = str(unit.get("path", ""))
                if path.startswith(f"{before}/"):
                    moved = f"{target.get('path')}/{path[len(before) + 1 :]}"
                    units[uid] = {**units.get(uid, unit), "path": moved, "level": moved.count("/")}
        if units:
            changed["organisationUnits"] = units


def _renamed_in_expressions(body: JsonObject, paths: list[str], old: str, new: str) -> JsonObject:
    for path in paths:
        name, _, inner = path.partition(".")
        value = body.get(name)
        if isinstance(value, dict) and inner:
            text = value.get(inner)
            if isinstance(text, str) and old in text:
                body = {**body, name: {**value, inner: re.sub(rf"\b{old}\b", new, text)}}
        elif isinstance(value, str) and old in value:
            body = {**body, name: re.sub(rf"\b{old}\b", new, value)}
    return body


def tables_with(connection: sqlite3.Connection, column: str) -> list[str]:
    """The tables that have a column."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [name for name in names if column in _columns(connection, name)]


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [cast("str", row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]


def move_rows(connection: sqlite3.Connection, table: str, column: str, old: str, new: str, *, keep: bool) -> None:
    """Give the rows of one UID to another; of two rows for the same place the newer stays, or the one that was there.

    Parameters:
        keep: whether rows of the old UID are kept at all.
    """
    if keep:
        columns = _columns(connection, table)
        if "last_updated" in columns:  # newer rows of the source push those of the target out
            key = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5] and row[1] != column]
            same = " AND ".join(f"s.{name} = {table}.{name}" for name in key) or "1"
            connection.execute(
                f"DELETE FROM {table} WHERE {column} = ? AND EXISTS (SELECT 1 FROM {table} s "
                f"WHERE s.{column} = ? AND {same} AND coalesce(s.last_updated, '') > coalesce({table}.last_updated, ''))",
                (new, old),
            )
        connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ?", (new, old))
    connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (old,))
