"""A directory under the UIDs of the server that it goes to: what is there under another UID is found by its code or name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.as_code.yaml_text import Document
from dhis2sh.errors import UsageError
from dhis2sh.metadata.bundles.bundle import Bundle, server_bundle
from dhis2sh.metadata.bundles.mapping import fields_for, fit, replaced

if TYPE_CHECKING:
    from pathlib import Path

    from dhis2sh.as_code.compared import Said
    from dhis2sh.as_code.scope import Scope
    from dhis2sh.as_code.server import Server
    from dhis2sh.types import JsonObject

type Way = Literal["code", "name"]


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
        by: in which order counterparts are looked for; a name finds one only where no two objects may share it.
    """
    types = [name for name in said.scope.types if name in server.types and server.types[name].in_bundles]
    read = {plural: said.objects(plural) for plural in types}
    wanted = [plural for plural in types if read[plural]]
    if not wanted:
        return Counterparts(said)
    source = Bundle({plural: {uid: one.value for uid, one in read[plural].items()} for plural in wanted})
    there = await server_bundle(server.s.client, wanted, fields_for(server.types[plural] for plural in wanted))
    found = fit(source, there, server.types, ("uid", *by), unique_names=True)
    counts = Counter((match.type, match.by) for match in found.matches)
    notes = [
        f"under the UID that the server has: {number:,} {plural}, found by {way}"
        for (plural, way), number in counts.items()
    ]
    return Counterparts(said, read, found.uids, notes)
