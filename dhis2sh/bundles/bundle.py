"""A bundle: objects by type, as `/api/metadata` gives and takes them, with a lookup by UID."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.tables import read_object

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue, Row

NO_TYPES = frozenset({"system", "date"})


@dataclass(slots=True)
class Bundle:
    """Objects of many types.

    Parameters:
        objects: by plural, each by UID in the order of the source.
        system: what the export says of the server it came from.
        origin: a file's name or a profile's, for messages.
    """

    objects: dict[str, dict[str, Row]] = field(default_factory=lambda: {})
    system: JsonObject = field(default_factory=lambda: {})
    origin: str = ""

    def add(self, plural: str, body: Row) -> bool:
        """Put an object in; False when it is there already."""
        objects = self.objects.setdefault(plural, {})
        uid = str(body.get("id"))
        if uid in objects:
            return False
        objects[uid] = body
        return True

    def find(self, uid: str) -> tuple[str, Row] | None:
        """An object of any type: its plural and itself."""
        for plural, objects in self.objects.items():
            if uid in objects:
                return plural, objects[uid]
        return None

    def __iter__(self) -> Iterator[tuple[str, Row]]:
        for plural, objects in self.objects.items():
            for body in objects.values():
                yield plural, body

    def __len__(self) -> int:
        return sum(map(len, self.objects.values()))

    def counts(self) -> dict[str, int]:
        """How many objects of each type, types without any left out."""
        return {plural: len(objects) for plural, objects in sorted(self.objects.items()) if objects}

    def to_json(self) -> JsonObject:
        """The bundle as `/api/metadata` takes it."""
        body: JsonObject = {"system": self.system} if self.system else {}
        for plural, objects in sorted(self.objects.items()):
            if objects:
                body[plural] = cast("JsonValue", list(objects.values()))
        return body

    def write(self, path: Path) -> int:
        """Write to a file, gzipped when it ends in .gz, by a temporary name. Returns bytes; raises `Dhis2Error`."""
        import orjson

        data = orjson.dumps(self.to_json(), option=orjson.OPT_INDENT_2)
        data = gzip.compress(data, mtime=0) if path.suffix == ".gz" else data
        try:
            with paths.replacing(path) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise Dhis2Error(f"{path} cannot be written: {error.strerror}", hint="choose another --out") from error
        return len(data)


def bundle_of(body: Mapping[str, JsonValue], origin: str = "") -> Bundle:
    """The bundle in a parsed export. Objects without a UID keep their place under a key that no UID has.

    Raises `UsageError` when it holds no list of objects.
    """
    bundle = Bundle(system=cast("JsonObject", body.get("system") or {}), origin=origin)
    for plural, value in body.items():
        if plural in NO_TYPES or not isinstance(value, list):
            continue
        objects = bundle.objects.setdefault(plural, {})
        for number, item in enumerate(value):
            if isinstance(item, dict):
                objects[str(item.get("id") or f"#{number}")] = item
    if not bundle.objects:
        raise UsageError(f"{origin or 'this'} holds no metadata", hint='a bundle is {"dataElements": [...], ...}')
    return bundle


def read_bundle(path: Path) -> Bundle:
    """The bundle in a file, gzipped or not.

    Raises `NotFound` for no such file, `UsageError` for one that is no JSON, cut off, or no bundle.
    """
    return bundle_of(read_object(path), path.name)


def by_type(objects: Iterable[tuple[str, Row]]) -> dict[str, list[Row]]:
    """Objects grouped by their type."""
    found: dict[str, list[Row]] = {}
    for plural, body in objects:
        found.setdefault(plural, []).append(body)
    return found
