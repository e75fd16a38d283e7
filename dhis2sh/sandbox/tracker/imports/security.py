"""Who may create, change and delete what of the tracker: org units, sharing and ownership.

API source: `SecurityOwnershipValidator` of each kind (`TRK/imports/validation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.tracker.imports.bundle import Bundle, Item, existing
from dhis2sh.sandbox.tracker.imports.values import Found
from dhis2sh.sandbox.tracker.metadata import single
from dhis2sh.sandbox.tracker.ownership import has_access
from dhis2sh.sandbox.tracker.storage import Kind

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

_CASCADES: Mapping[Kind, tuple[str, str, str, str]] = {
    "trackedEntity": ("enrollment", "tracked_entity", "F_TEI_CASCADE_DELETE", "E1100"),
    "enrollment": ("event", "enrollment", "F_ENROLLMENT_CASCADE_DELETE", "E1103"),
}
"""What hangs on an object, and the authority to delete it along."""


class Security:
    """Checks what one user may do with the items of a bundle.

    Parameters:
        rights: of who imports.
    """

    def __init__(self, bundle: Bundle, rights: Rights) -> None:
        self.store, self.tracker, self.rights = bundle.store, bundle.tracker, rights

    def of(self, item: Item) -> Found:
        """What the user may not do."""
        if self.rights.superuser:
            return
        before = existing(item)
        match item.kind:
            case "trackedEntity":
                yield from self._tracked_entity(item, before)
            case "enrollment":
                yield from self._enrollment(item, before)
            case "event":
                yield from self._event(item, before)
            case "relationship":
                return
        if item.action == "DELETE":
            yield from self._cascade(item)

    def _tracked_entity(self, item: Item, before: JsonObject) -> Found:
        unit = str(before.get("orgUnit") or item.text("orgUnit"))
        if item.action == "UPDATE":
            if not self.rights.in_scope(unit, "teiSearchOrganisationUnits"):
                yield "E1003", (unit, self.rights.uid)
        else:
            yield from self._capture(unit)
        kind = self._get("trackedEntityTypes", before.get("trackedEntityType") or item.text("trackedEntityType"))
        if not self.rights.can_write_data(kind):
            yield "E1001", (self.rights.uid, kind.get("id"))

    def _enrollment(self, item: Item, before: JsonObject) -> Found:
        program = self._get("programs", before.get("program") or item.text("program"))
        if item.action != "UPDATE":
            yield from self._capture(str(before.get("orgUnit") or item.text("orgUnit")))
        if not self.rights.can_write_data(program):
            yield "E1091", (self.rights.uid, program.get("id"))
        yield from self._owned(str(before.get("trackedEntity") or item.text("trackedEntity")), program)

    def _event(self, item: Item, before: JsonObject) -> Found:
        program = self._get("programs", before.get("program") or item.text("program"))
        stage = self._get("programStages", before.get("programStage") or item.text("programStage"))
        unit = str(before.get("orgUnit") or item.text("orgUnit"))
        if single(program) or item.action != "UPDATE":
            planned = item.text("status") == "SCHEDULE" and not item.text("occurredAt") and not item.items("dataValues")
            if not (planned and self.rights.in_scope(unit, "teiSearchOrganisationUnits")):
                yield from self._capture(unit)
        target, code = (program, "E1091") if single(program) else (stage, "E1095")
        if not self.rights.can_write_data(target):
            yield code, (self.rights.uid, target.get("id"))
        if not single(program):
            yield from self._owned(str(before.get("trackedEntity") or item.text("trackedEntity")), program)
        status = item.text("status")
        if before.get("status") == "COMPLETED" and item.action == "UPDATE" and status not in {None, "COMPLETED"}:
            creator = cast("JsonObject", before.get("createdBy") or {}).get("uid")
            if not self.rights.has("F_UNCOMPLETE_EVENT") and creator != self.rights.uid:
                yield "E1083", (self.rights.uid,)

    def _capture(self, unit: str) -> Found:
        """The org unit must be one that the user captures data for."""
        if not self.rights.in_scope(unit):
            yield "E1000", (self.rights.uid, unit)

    def _owned(self, entity: str, program: JsonObject) -> Found:
        """Where nobody owns the tracked entity in the program yet, its first enrollment makes an owner."""
        sql = "SELECT 1 FROM program_owner WHERE tracked_entity = ? AND program = ?"
        owned = self.tracker.rows(sql, (entity, program.get("id")))
        if owned and not has_access(self.tracker, self.rights, entity, program):
            yield "E1102", (self.rights.uid, entity, program["id"])

    def _cascade(self, item: Item) -> Found:
        if item.kind not in _CASCADES:
            return
        table, column, authority, code = _CASCADES[item.kind]
        sql = f"SELECT 1 FROM {table} WHERE {column} = ? AND NOT deleted LIMIT 1"
        if self.tracker.rows(sql, (item.uid,)) and not self.rights.has(authority):
            yield code, (self.rights.uid, item.uid)

    def _get(self, plural: str, uid: object) -> JsonObject:
        return self.store.get(plural, str(uid or "")) or {}
