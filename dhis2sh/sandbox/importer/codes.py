"""`identifier=CODE`: objects are found by their codes, and so are those that they refer to (api-facts b.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.importer.bundle import Bundle
from dhis2sh.sandbox.importer.references import references
from dhis2sh.sandbox.metadata.listing import DEFAULTS

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


def by_code(store: Store, plural: str, code: JsonValue) -> JsonObject | None:
    """The object of a type that has a code, or None."""
    if not isinstance(code, str):
        return None
    uid = store.unique(plural, "code").get(code)
    return store.get(plural, uid) if uid is not None else None


def resolve(bundle: Bundle) -> None:
    """Give the references of a bundle the UIDs of what their codes mean.

    What means nothing keeps its code; a UID means nothing here, but for the default category model.
    """
    new = {(plural, item.body["code"]): item.uid
           for plural, items in bundle.items.items() for item in items if item.body.get("code")}  # fmt: skip
    for item in bundle.all():
        for _, target, row in references(bundle.store.resources, item.resource, item.body):
            plural, code = target.plural, row.get("code")
            known = by_code(bundle.store, plural, code)
            uid = known["id"] if known is not None else new.get((plural, code))
            if uid is None and row.get("id") == DEFAULTS.get(plural):
                continue
            row.clear()
            row.update({"id": uid} if uid is not None else {"code": code})


def only_uids(store: Store, resource: Resource, body: JsonObject) -> None:
    """A reference that has a UID needs nothing else."""
    for _, _, row in references(store.resources, resource, body):
        if "id" in row and len(row) > 1:
            for name in ("code", "username"):
                row.pop(name, None)
