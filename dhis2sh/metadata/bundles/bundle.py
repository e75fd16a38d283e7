"""A bundle: objects by type, as `/api/metadata` gives and takes them, with a lookup by UID."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh.client.bodies import json_rows, write_to
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError
from dhis2sh.files import read_object
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.tables import name_of

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.client.requests import Param
    from dhis2sh.types import JsonObject, JsonValue, Row

ABOUT = "dhis2sh"
"""Under this key a bundle says where it comes from and what was left out; a server skips what is no type of its own."""
NO_TYPES = frozenset({"system", "date", "package", ABOUT})


@dataclass(slots=True)
class Bundle:
    """Objects of many types.

    Parameters:
        objects: by plural, each by UID in the order of the source.
        system: what the export says of the server it came from.
        origin: a file's name or a profile's, for messages.
        outside: what the bundle refers to and does not hold, names by type and UID, as far as its maker knew them.
        package: what a published package says of itself: name, version, of which DHIS2.
        given_ids: how many objects of each type had no UID and were given one.
    """

    objects: dict[str, dict[str, Row]] = field(default_factory=lambda: {})
    system: JsonObject = field(default_factory=lambda: {})
    origin: str = ""
    outside: dict[str, dict[str, str]] = field(default_factory=lambda: {})
    package: JsonObject = field(default_factory=lambda: {})
    given_ids: dict[str, int] = field(default_factory=lambda: {})

    @property
    def called(self) -> str:
        """What it is called in names: a package by its code or name, a file without its endings, a profile."""
        name = str(self.package.get("code") or self.package.get("name") or "")
        return name or re.sub(r"(\.json)?(\.gz|\.zip)?$", "", self.origin)

    def like(self) -> Bundle:
        """A bundle without objects that says the same of itself."""
        return replace(self, objects={})

    def add(self, plural: str, body: Row) -> bool:
        """Put an object in; False when it is there already."""
        objects = self.objects.setdefault(plural, {})
        uid = str(body.get("id"))
        if uid in objects:
            return False
        objects[uid] = body
        return True

    def __iter__(self) -> Iterator[tuple[str, Row]]:
        for plural, objects in self.objects.items():
            for body in objects.values():
                yield plural, body

    def __len__(self) -> int:
        return sum(map(len, self.objects.values()))

    def counts(self) -> dict[str, int]:
        """How many objects of each type, types without any left out."""
        return {plural: len(objects) for plural, objects in sorted(self.objects.items()) if objects}

    def head(self) -> JsonObject:
        """What stands before the objects."""
        about: JsonObject = {"outside": cast("JsonValue", self.outside)} if self.outside else {}
        about |= {"origin": self.origin} if self.origin else {}
        return {**({"system": self.system} if self.system else {}), **({ABOUT: about} if about else {})}

    def arrays(self) -> dict[str, list[Row]]:
        """The objects by plural, types without any left out."""
        return {plural: list(objects.values()) for plural, objects in sorted(self.objects.items()) if objects}

    def to_json(self) -> JsonObject:
        """The bundle as `/api/metadata` takes it."""
        return {**self.head(), **cast("JsonObject", self.arrays())}

    async def write(self, path: Path) -> int:
        """Write to a file, gzipped when it ends in .gz, by a temporary name. Returns its bytes; raises `Dhis2Error`."""
        await write_to(path, json_rows(self.arrays(), self.head()))
        return (await asyncio.to_thread(path.stat)).st_size


def bundle_of(body: Mapping[str, JsonValue], origin: str = "", *, empty: bool = False) -> Bundle:
    """The bundle in a parsed export. Objects without a UID are given one, as a server would do.

    Raises `UsageError` when it holds no list of objects, unless it may be `empty`, and for items that are no objects.
    """
    package, system = (found if isinstance(found := body.get(name), dict) else {} for name in ("package", "system"))
    if not system and package.get("DHIS2Version"):
        system = {"version": package["DHIS2Version"]}
    bundle = Bundle(system=system, origin=origin, outside=_outside(body.get(ABOUT)), package=package)
    for plural, value in body.items():
        if plural in NO_TYPES or not isinstance(value, list):
            continue
        objects = bundle.objects.setdefault(plural, {})
        for number, item in enumerate(value, 1):
            if not isinstance(item, dict):
                raise UsageError(
                    f"{origin or 'this'}: item {number:,} of {plural} is {_told(item)}, not an object",
                    hint='each is {"id": ..., "name": ...}; a list of UIDs alone is no bundle',
                )
            uid, one = item.get("id"), item
            if uid in (None, ""):
                uid, bundle.given_ids[plural] = generate_uid(), bundle.given_ids.get(plural, 0) + 1
                one = {"id": uid, **{name: value for name, value in item.items() if name != "id"}}
            elif not isinstance(uid, str):
                raise UsageError(
                    f"{origin or 'this'}: item {number:,} of {plural} has the id {_told(uid)}, not a text",
                    hint="a UID is a text of eleven letters and digits, or is left out for a new one",
                )
            if uid in objects and objects[uid] != one:
                raise UsageError(
                    f"{origin or 'this'} holds two {plural} with the id {uid}", hint="take one of them out of the file"
                )
            objects[uid] = one
    if not bundle.objects and not empty:
        raise UsageError(f"{origin or 'this'} holds no metadata", hint='a bundle is {"dataElements": [...], ...}')
    return bundle


def _told(value: JsonValue) -> str:
    """A value in an error, short."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:36]}..."


def _outside(about: JsonValue) -> dict[str, dict[str, str]]:
    """The names of what a bundle refers to, by type and UID; what is no such thing is left alone."""
    told = about.get("outside") if isinstance(about, dict) else None
    return {
        plural: {uid: str(name) for uid, name in names.items()}
        for plural, names in (told if isinstance(told, dict) else {}).items()
        if isinstance(names, dict)
    }


def read_bundle(source: Source, *, empty: bool = False) -> Bundle:
    """The bundle in a file, gzipped or not; or that of objects which are there: rows of one type, or lists by type.

    Raises `NotFound` for no such file, `UsageError` for one that is no JSON, cut off, or no bundle.
    """
    if not isinstance(source, Rows):
        return bundle_of(read_object(source), source.name, empty=empty)
    rows = source.plain()
    if source.resource is not None:
        return bundle_of({source.resource: [*rows]}, name_of(source), empty=empty)
    if len(rows) != 1:
        raise UsageError("of which type are the objects?", hint='a bundle says it: {"dataElements": [...], ...}')
    return bundle_of(rows[0], name_of(source), empty=empty)


async def server_bundle(client: Client, plurals: Sequence[str] = (), fields: str | None = None) -> Bundle:
    """The metadata of a server: of some types, or everything.

    Parameters:
        fields: which properties; what objects own without it.
    """
    params: dict[str, Param] = {**dict.fromkeys(plurals, True), "fields": fields}
    return bundle_of(await client.get_object("metadata", params), client.settings.profile, empty=True)


def only(bundle: Bundle, plurals: Container[str]) -> Bundle:
    """The objects of some types."""
    chosen = {plural: objects for plural, objects in bundle.objects.items() if plural in plurals}
    return replace(bundle, objects=chosen)
