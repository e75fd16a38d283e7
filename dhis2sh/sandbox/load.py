"""Loads real exports into the sandbox as they are: metadata, data values, tracker; gzipped or not. Again updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import orjson

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.data import values
from dhis2sh.sandbox.http.bodies import UNPACKABLE, opened
from dhis2sh.sandbox.seed.country import country
from dhis2sh.sandbox.store.schemas import schemas
from dhis2sh.sandbox.tracker.storage import Tracker
from dhis2sh.sandbox.versions import DEFAULT, version_of

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject


TRACKER = {"trackedEntities", "enrollments", "events", "relationships"}
"""The lists of a tracker export, as `/api/tracker/...` gives them."""


@dataclass(slots=True)
class LoadReport:
    """What a load wrote: created and updated objects by type, data values, and what was left out and why."""

    source: str
    created: int = 0
    updated: int = 0
    data_values: int = 0
    new_values: int = 0
    types: dict[str, int] = field(default_factory=lambda: {})
    left_out: list[str] = field(default_factory=lambda: [])


def load_file(store: Store, path: Path) -> LoadReport:
    """Load one export. Everything in it is written, or nothing.

    Raises `NotFound`, and `UsageError` for a file that is no export.
    """
    return load(store, _read(path), source=path.name)


def _read(path: Path) -> JsonObject:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
    try:
        body = orjson.loads(opened(raw))
    except (orjson.JSONDecodeError, *UNPACKABLE) as error:
        raise UsageError(f"{path} is not JSON, or cut off: {error}", hint="export it again") from error
    if not isinstance(body, dict):
        raise UsageError(f"{path} is not an export: a JSON object was expected")
    return cast("JsonObject", body)


def load(store: Store, body: Mapping[str, object], *, source: str = "") -> LoadReport:
    """Load a metadata, data-value or tracker export that is already parsed."""
    report = LoadReport(source)
    if "dataValues" in body:
        before = _held(store)
        report.data_values = values.put_all(store, cast("list[JsonObject]", body["dataValues"]))
        report.new_values = _held(store) - before
        build.build(store)  # an export is what a running server held, and such a server has its analytics tables
        return report
    if body.keys() & TRACKER:
        export = {key: cast("list[JsonObject]", body.get(key) or []) for key in TRACKER}
        if not store.version.value_authors:
            _forget_storers(export)
        written = Tracker(store).load(export)
        report.created, report.updated = sum(written.created.values()), sum(written.updated.values())
        report.types = {kind: written.created[kind] + written.updated[kind] for kind in written.created}
        return report
    bundle: dict[str, list[JsonObject]] = {}
    for key, value in body.items():
        if key in {"system", "date"}:
            continue
        if not isinstance(value, list):
            report.left_out.append(f"{key}: not a list of objects")
        elif key not in store.resources or store.resources[key].endpoint is None:
            report.left_out.append(f"{key}: {len(cast('list[object]', value)):,} objects; the sandbox has no such type")
        else:
            bundle[key] = sorted((item for item in cast("list[JsonObject]", value) if "id" in item), key=_age)
    if not bundle:
        raise UsageError(
            f"{source or 'this'} holds no metadata type that the sandbox knows", hint="dhis2 sandbox status"
        )
    if store.version.number != version_of(DEFAULT).number:
        for plural, items in bundle.items():
            _upgrade(store, plural, items)
    for plural, (created, updated) in store.put_objects(bundle).items():
        report.created += created
        report.updated += updated
        report.types[plural] = created + updated
    return report


def _forget_storers(export: Mapping[str, list[JsonObject]]) -> None:
    """Take out who stored the values of events: a server of 2.41 knows that of what was imported into it alone (recorded)."""
    entities = export["trackedEntities"]
    enrollments = [*_children(entities, "enrollments"), *export["enrollments"]]
    for value in _children([*_children(enrollments, "events"), *export["events"]], "dataValues"):
        value.pop("storedBy", None)


def _children(items: Iterable[JsonObject], name: str) -> list[JsonObject]:
    return [child for item in items for child in cast("list[JsonObject]", item.get(name) or [])]


def _held(store: Store) -> int:
    return int(store.connection.execute("SELECT count(*) FROM data_value").fetchone()[0])


def _upgrade(store: Store, plural: str, items: list[JsonObject]) -> None:
    """Give objects the initial values of properties that the mimicked version has and older ones have not."""
    older = schemas(version_of(DEFAULT).schemas)
    if plural in older:
        known = older[plural].properties
        new = {
            name: prop for name, prop in store.resources[plural].properties.items() if name not in known and prop.owner
        }
        initial = {name: False for name, prop in new.items() if prop.kind == "BOOLEAN"}
        for item in items:
            for name, value in initial.items():
                item.setdefault(name, value)


def _age(item: JsonObject) -> tuple[bool, str, str]:
    """Exports are sorted by name; this comes near the order in which the server wrote them, which `gist` shows."""
    return item.get("name") != "default", str(item.get("lastUpdated")), str(item["id"])


def load_country(store: Store, size: str) -> LoadReport:
    """Load the fictional country of a size: its metadata, then its data values."""
    nation = country(size)  # type: ignore[arg-type]
    report = load(store, nation.metadata(), source=f"fictional country, {size}")
    report.data_values = values.put_all(store, nation.data_values())
    Tracker(store).load({"trackedEntities": nation.tracked_entities(), "events": nation.events()})
    return report
