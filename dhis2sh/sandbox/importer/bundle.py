"""What an import is made of: its options, its objects on their way through the pipeline, and all of them together."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.report import ErrorReport
from dhis2sh.sandbox.metadata.rights import Rights

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.models.facts import Resource
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

CREATE, UPDATE, CREATE_AND_UPDATE, DELETE = "CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE"
STRATEGIES = {CREATE: CREATE, "NEW": CREATE, UPDATE: UPDATE, "UPDATES": UPDATE, CREATE_AND_UPDATE: CREATE_AND_UPDATE,
              "NEW_AND_UPDATES": CREATE_AND_UPDATE, DELETE: DELETE, "DELETES": DELETE, "SYNC": CREATE_AND_UPDATE}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The parameters of a metadata import (api-facts b.1).

    Parameters:
        strategy: CREATE, UPDATE, CREATE_AND_UPDATE or DELETE.
        commit: False checks everything and writes nothing.
        atomic: one error means that nothing is written.
        report_mode: FULL and DEBUG report objects without errors too.
        owned_only: refuse references that another type owns (report mode ERRORS_NOT_OWNER).
        identifier: UID or CODE.
        skip_sharing: leave the sharing that is there.
        skip_translation: leave the translations that are there.
        skip_validation: write without checks.
    """

    strategy: str = CREATE_AND_UPDATE
    commit: bool = True
    atomic: bool = True
    report_mode: str = "ERRORS"
    owned_only: bool = False
    identifier: str = "UID"
    skip_sharing: bool = False
    skip_translation: bool = False
    skip_validation: bool = False


def import_options(query: QueryParams, report_mode: str = "ERRORS") -> ImportOptions:
    """The parameters of a request. A value that the server does not know is silently the default (api-facts b.1).

    Parameters:
        report_mode: the default of `importReportMode`.
    """

    def word(name: str, default: str, known: Collection[str]) -> str:
        text = query.get(name, default)
        return text if text in known else default

    def yes(name: str) -> bool:
        return query.get(name, "").lower() == "true"

    mode = word("importReportMode", report_mode, ("ERRORS", "ERRORS_NOT_OWNER", "FULL", "DEBUG"))
    return ImportOptions(
        strategy=STRATEGIES[word("importStrategy", CREATE_AND_UPDATE, STRATEGIES)],
        commit=word("importMode", "COMMIT", ("COMMIT", "VALIDATE")) == "COMMIT",
        atomic=word("atomicMode", "ALL", ("ALL", "NONE")) == "ALL",
        report_mode=mode,
        owned_only=mode == "ERRORS_NOT_OWNER",
        identifier=word("identifier", "UID", ("UID", "CODE")),
        skip_sharing=yes("skipSharing"),
        skip_translation=yes("skipTranslation"),
        skip_validation=yes("skipValidation"),
    )


@dataclass(slots=True)
class Item:
    """One object of a bundle on its way through the pipeline.

    Parameters:
        resource: its type.
        sent: as the client sent it.
        body: as it will be stored.
        before: as it is stored, None when it is new.
        index: its place in the report.
        errors: what is wrong with it.
        kept: False once a check has taken it out of the bundle.
        ignored: how many checks found something.
    """

    resource: Resource
    sent: JsonObject
    body: JsonObject
    before: JsonObject | None
    index: int
    errors: list[ErrorReport] = field(default_factory=lambda: [])
    kept: bool = True
    ignored: int = 0

    @property
    def uid(self) -> str:
        """The object's UID."""
        return cast("str", self.body["id"])

    def refuse(self, code: str, *values: JsonValue, prop: str | None = None, main_id: str | None = None) -> None:
        """Note an error and take the object out of the bundle."""
        self.errors.append(ErrorReport(code, list(values), self.resource.klass, prop=prop, main_id=main_id))
        self.kept = False


class Bundle:
    """What is imported together, and what its objects may refer to: each other and what is stored."""

    def __init__(self, store: Store, user: JsonObject, options: ImportOptions) -> None:
        self.store = store
        self.user = user
        self.rights = Rights(store, user)
        self.options = options
        self.items: dict[str, list[Item]] = {}
        self._new: dict[tuple[str, str], JsonObject] = {}
        self.called: dict[tuple[str, str, JsonValue], str] = {}
        """By type, unique property and value the first object of the payload that has it."""
        self.dangling: set[str] = set()
        """Types of which an object has a reference that cannot be."""
        self.unseen: list[str] = []
        """What nobody has seen a server write, though it has nothing against it; told by a refusal to write it."""

    def add(self, item: Item) -> None:
        """Add an object; from now on others may refer to it."""
        self.items.setdefault(item.resource.plural, []).append(item)
        self._new[(item.resource.plural, item.uid)] = item.body

    def get(self, plural: str, uid: str) -> JsonObject | None:
        """An object as it will be after the import, or None."""
        return self._new.get((plural, uid)) or self.store.get(plural, uid)

    def all(self) -> Iterable[Item]:
        """Every object in it."""
        return (item for items in self.items.values() for item in items)
