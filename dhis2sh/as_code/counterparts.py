"""A directory under the UIDs of the server that it goes to: what is there under another UID is found by its code or name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.as_code.yaml_text import Document
from dhis2sh.errors import UsageError
from dhis2sh.metadata.bundles.bundle import Bundle, server_bundle
from dhis2sh.metadata.bundles.mapping import PART_OF, Mapped, fields_for, fit, replaced, unique_of
from dhis2sh.metadata.made_by_server import MADE_BY_SERVER

if TYPE_CHECKING:
    from pathlib import Path

    from dhis2sh.as_code.compared import Said
    from dhis2sh.as_code.scope import Scope
    from dhis2sh.as_code.server import Server
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, Row

type Way = Literal["code", "name"]
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Counterparts:
    """A directory as it reads under the UIDs of a server; to a comparison it is what a directory is.

    Parameters:
        said: the directory; `read` what of it was read already, by type.
        uids: what stands for a UID of it.
        notes: what was found by what, in words.
    """

    said: Said
    read: Mapping[str, Mapping[str, Document]] = field(default_factory=dict[str, "Mapping[str, Document]"])
    uids: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: Sequence[str] = ()

    @property
    def root(self) -> Path:
        """Where it is."""
        return self.said.root

    @property
    def scope(self) -> Scope:
        """What it is about."""
        return self.said.scope

    def objects(self, plural: str) -> dict[str, Document]:
        """The objects of a type by the UID that they have on the server. Raises `UsageError` for two of one UID."""
        found: dict[str, Document] = {}
        documents = self.read[plural] if plural in self.read else self.said.objects(plural)
        for document in documents.values():
            mine = self._mapped(document)
            uid = str(mine.value["id"])
            if uid in found:
                raise UsageError(
                    f"{document.at('id')}: {found[uid].where} stands for {uid} of the server too",
                    hint="one of them says another code or name",
                )
            found[uid] = mine
        return found

    def entries(self) -> dict[str, Document]:
        """The data store by `namespace/key`; what an app keeps there names objects by their UIDs."""
        found = {name: self._mapped(document) for name, document in self.said.entries().items()}
        return {f"{document.value['namespace']}/{document.value['key']}": document for document in found.values()}

    def settings(self) -> Document | None:
        """The system settings."""
        found = self.said.settings()
        return self._mapped(found) if found is not None else None

    def apps(self) -> Document | None:
        """The installed apps."""
        return self.said.apps()

    def _mapped(self, document: Document) -> Document:
        return Document(document.where, cast("JsonObject", replaced(document.value, self.uids, {})), document.lines)


async def under(server: Server, said: Said, by: Sequence[Way]) -> Counterparts:
    """A directory under the UIDs of a server: an object is the one of its UID, else the one of its code or name.

    Parameters:
        by: in which order counterparts are looked for. A name that several may share finds one where one alone has it here and
            there.

    Raises `UsageError` where several may be meant, or where codes say that two of one name are not the same.
    """
    types = [name for name in said.scope.types if name in server.types and server.types[name].in_bundles]
    read = {plural: said.objects(plural) for plural in types}
    wanted = [plural for plural in types if read[plural]]
    if not wanted:
        return Counterparts(said)
    source = Bundle({plural: {uid: one.value for uid, one in read[plural].items()} for plural in wanted})
    there = await server_bundle(server.s.client, wanted, fields_for(server.types[plural] for plural in wanted))
    pairing = _Pairing(server.types, source, there, by)
    found = pairing.done()
    counts = Counter((match.type, "name" if match.by == "given" else match.by) for match in found.matches)
    notes = [
        f"under the UID that the server has: {number:,} {plural}, found by {way}"
        for (plural, way), number in counts.items()
    ]
    return Counterparts(said, read, found.uids, notes)


@dataclass(slots=True)
class _Pairing:
    """Which object of a directory is which of a server.

    Parameters:
        source, there: the objects of the directory, and those of the server.
    """

    types: Mapping[str, Resource]
    source: Bundle
    there: Bundle
    by: Sequence[Way]
    doubts: list[str] = field(default_factory=list[str])

    def done(self) -> Mapped:
        """By UID, code and names that are unique; then by those that are not, and what is part of what they found."""
        found = self._fit({})
        if "name" not in self.by:
            self.doubts += map(str, found.doubts)
            return self._sure(found)
        if given := self._by_name(found):
            found = self._fit(given)
        for plural in self.source.objects:
            if plural in PART_OF and plural not in MADE_BY_SERVER:
                self.doubts += [_several(plural, *pair) for pair in self._same_names(plural, found)]
        return self._sure(found)

    def _sure(self, found: Mapped) -> Mapped:
        """What was found. Raises `UsageError` where anything is in doubt."""
        if self.doubts:
            more = f" (and {len(self.doubts) - SHOWN:,} more)" if len(self.doubts) > SHOWN else ""
            raise UsageError(
                f"{'; '.join(self.doubts[:SHOWN])}{more}",
                hint="give one of them another name, or both the same code; --without TYPE leaves the type out",
            )
        return found

    def _fit(self, given: Mapping[str, str]) -> Mapped:
        return fit(self.source, self.there, self.types, ("uid", *self.by), given=given, unique_names=True)

    def _by_name(self, found: Mapped) -> dict[str, str]:
        """The counterparts of objects whose names others of their type may have too."""
        given: dict[str, str] = {}
        for plural in self.source.objects:
            if plural in PART_OF or "name" in unique_of(self.types.get(plural)):
                continue
            for mine, theirs in self._same_names(plural, found):
                if len(mine) > 1 or len(theirs) > 1:
                    self.doubts.append(_several(plural, mine, theirs))
                elif self.by[0] == "code" and _told_apart(mine[0], theirs[0]):
                    self.doubts.append(
                        f"{plural}: {_called(mine)} has the code {mine[0]['code']}, and [{theirs[0]['id']}] of that name on the "
                        f"server {theirs[0]['code']}: the same, or two?"
                    )
                else:
                    given[str(mine[0]["id"])] = str(theirs[0]["id"])
        return given

    def _same_names(self, plural: str, found: Mapped) -> Iterator[tuple[list[Row], list[Row]]]:
        """Objects of one name and whole that have no counterpart yet, here and there."""
        here, there = self.source.objects[plural], self.there.objects.get(plural, {})
        taken = {*found.uids.values(), *here}
        mine = _grouped(plural, (one for uid, one in here.items() if uid not in there and uid not in found.uids), found)
        theirs = _grouped(plural, (one for uid, one in there.items() if uid not in taken), found)
        for key in mine:
            if key in theirs:
                yield mine[key], theirs[key]


def _grouped(plural: str, objects: Iterable[Row], found: Mapped) -> dict[tuple[str, str], list[Row]]:
    """Objects by their whole, under the UID that it has on the server, and their name."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in objects:
        whole = one.get(PART_OF[plural]) if plural in PART_OF else None
        uid = str(whole.get("id")) if isinstance(whole, dict) else ""
        if name := one.get("name"):
            groups.setdefault((found.uids.get(uid, uid), str(name)), []).append(one)
    return groups


def _told_apart(mine: Row, theirs: Row) -> bool:
    codes = (mine.get("code"), theirs.get("code"))
    return all(codes) and codes[0] != codes[1]


def _called(rows: Sequence[Row]) -> str:
    return f"'{rows[0]['name']}' [{', '.join(str(row['id']) for row in rows)}]"


def _several(plural: str, mine: Sequence[Row], theirs: Sequence[Row]) -> str:
    found = f"[{', '.join(str(row['id']) for row in theirs)}] of that name on the server"
    return f"{plural}: {_called(mine)} and {found}: which is which?"
