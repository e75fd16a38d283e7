"""Deleting metadata: what goes with an object, what lets go of it, and what forbids it (E4030).

The schema says who refers to whom. A single reference forbids the deletion, a membership ends without a word; the tables
name the types where the server does otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.cascades import DELETED_WITH
from dhis2sh.sandbox.importer.bundle import ImportOptions
from dhis2sh.sandbox.importer.codes import by_code
from dhis2sh.sandbox.importer.hooks import hooks_of
from dhis2sh.sandbox.importer.report import ErrorReport, ImportReport, ObjectReport, TypeReport, described
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.fresh import DEFAULT_CATEGORY_COMBO
from dhis2sh.sandbox.store.references import ids, referred

if TYPE_CHECKING:
    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

CLEARED = {
    "dataElements.commentOptionSet", "dataSets.dataEntryForm", "dataSets.notificationRecipients", "dataSets.workflow",
    "organisationUnits.image", "programStages.dataEntryForm", "programs.dataEntryForm", "programs.relatedProgram",
    "users.avatar", "programStages.nextScheduleDate",
}  # fmt: skip
"""Single references that are emptied when what they refer to is deleted."""

FALL_BACK = {"dataElements.categoryCombo": DEFAULT_CATEGORY_COMBO}
"""Single references that become another object when what they refer to is deleted."""

EXPRESSIONS = {
    "indicators": ["numerator", "denominator"],
    "predictors": ["generator.expression", "sampleSkipTest.expression"],
    "validationRules": ["leftSide.expression", "rightSide.expression"],
}
"""Texts that name data elements, by type."""

FOREIGN_KEYS = {
    "optionSets": [
        ("optionGroups.optionSet", "optionset", "fk_optiongroup_optionsetid", "optiongroup", "optionsetid"),
        ("optionGroupSets.optionSet", "optionset", "fk_optiongroupset_optionsetid", "optiongroupset", "optionsetid"),
        ("attributes.optionSet", "optionset", "fk_attribute_optionsetid", "attribute", "optionsetid"),
    ],
    "programStages": [
        (f"relationshipTypes.{side}.programStage", "programstage", "fk_relationshipconstraint_programstage_programstageid",
         "relationshipconstraint", "programstageid")
        for side in ("fromConstraint", "toConstraint")
    ],
}  # fmt: skip
"""References that nothing but the database looks after: by type the reference, table, constraint, referring table, column.

The whole request then fails with the database's words.
"""

NAMELESS = {"dataElements.optionSet", "programs.trackedEntityType"}
"""References that forbid a deletion and are told by their type alone."""
LESS_NAMED = {"categoryCombos.categories", "users.userRoles"}
"""What is told by its type alone since 2.43."""

VETOING_MEMBERSHIPS = {"categoryCombos.categories", "categoryOptionCombos.categoryOptions", "users.userRoles"}
"""Memberships that forbid the deletion of a member."""


_BROKEN_OFF = (
    "Object could not be deleted: handler 'org.hisp.dhis.dataelement.DataElementDeletionHandler$$Lambda$1268/"
    "0x00007f478ef65e60@7b9d44b7' threw an exception while removing related objects: null"
)


class Deletion:
    """One deletion of objects of several types.

    Parameters:
        store: the database.
        options: the import's parameters.
        rights: of who deletes.
    """

    def __init__(self, store: Store, options: ImportOptions, rights: Rights) -> None:
        self._store = store
        self._rights = rights
        self._options = options
        self._gone: dict[str, set[str]] = {}
        self._changed: dict[str, dict[str, JsonObject]] = {}

    def run(self, bundle: Mapping[str, list[JsonObject]]) -> ImportReport:
        """Delete what is named, by plural, in that order.

        A server goes through the types as an import does: what is referred to comes first, and may be refused because of
        what the same request is about to delete.
        """
        report = ImportReport()
        missing = False
        for plural in bundle:
            part = TypeReport(self._store.resources[plural].klass)
            report.types.append(part)
            for index, row in enumerate(bundle[plural]):
                missing |= not self._known(plural, row, index, part)
        if missing and self._options.atomic:
            report.status = "ERROR"
            for part in report.types:
                part.stats.ignore_all()
            return report
        for part, plural in zip(report.types, bundle, strict=True):
            self._delete_all(plural, bundle[plural], part)
        if any(part.stats.ignored for part in report.types):
            report.status = "WARNING"
        if self._options.commit:
            put = {plural: bodies.values() for plural, bodies in self._changed.items()}
            self._remember()
            self._store.change(put, self._gone)
        return report

    def _remember(self) -> None:
        """Keep who deleted what, and when."""
        moment, by = now(), self._rights.user.get("username")
        rows = [
            (self._store.resources[plural].model, uid, (self._store.get(plural, uid) or {}).get("code"), moment, by)
            for plural, uids in self._gone.items()
            for uid in uids
        ]
        with self._store.writing() as connection:
            connection.executemany("INSERT INTO deleted_object (model, uid, code, at, by) VALUES (?, ?, ?, ?, ?)", rows)

    def _found(self, plural: str, row: JsonObject) -> JsonObject | None:
        if self._options.identifier == "CODE":
            return by_code(self._store, plural, row.get("code"))
        return self._store.get(plural, str(row.get("id")))

    def _known(self, plural: str, row: JsonObject, index: int, part: TypeReport) -> bool:
        """Count the object; E5001 when there is none, E3002 when the user may not delete it."""
        resource = self._store.resources[plural]
        body = self._found(plural, row)
        uid = str(row.get("id") if body is None else body["id"])
        if body is not None and self._rights.can_delete(resource, body):
            part.stats.deleted += 1
            return True
        if body is not None:
            name = str(self._rights.user.get("username"))
            error = ErrorReport("E3002", [name, described(body, resource.model)], resource.klass, main_id=uid)
        else:
            text = described(row, resource.model)
            error = ErrorReport("E5001", [self._options.identifier, text], resource.klass, main_id=uid)
        part.stats.ignored += 1
        part.objects.append(ObjectReport(resource.klass, uid, index, None, [error]))
        return False

    def _delete_all(self, plural: str, rows: list[JsonObject], part: TypeReport) -> None:
        resource = self._store.resources[plural]
        for index, row in enumerate(rows):
            body = self._found(plural, row)
            if body is None or not self._rights.can_delete(resource, body):
                continue
            uid = cast("str", body["id"])
            veto = self._veto(plural, uid)
            text = (
                None
                if veto is None
                else f"Object could not be deleted because it is associated with another object: {veto}"
            )
            if text is None and plural == "legendSets":
                text = self._breaks_off(uid)
            errors = [] if text is None else [ErrorReport("E4030", [], resource.klass, text=text)]
            if errors:
                part.stats.deleted -= 1
                part.stats.ignored += 1
            else:
                self._take(plural, uid)
            if errors or self._options.report_mode in {"FULL", "DEBUG"}:
                place = index + bool(errors)  # the server counts refused ones from 1
                part.objects.append(ObjectReport(resource.klass, uid, place, None, errors))

    def _breaks_off(self, legend_set: str) -> str | None:
        """Where data elements have a legend set, the server takes it from them until it trips over its own list.

        It then says so and the legend set stays, but what it has taken is gone.
        """
        for body in self._store.objects("dataElements").values():
            have = ids(body.get("legendSets"))
            if legend_set in have:
                after = _without(body, ["legendSets"], legend_set)
                self._changed.setdefault("dataElements", {})[str(body["id"])] = after
                if have.index(legend_set) != len(have) - 2:  # with one left to visit, its loop ends before it notices
                    return _BROKEN_OFF
        return None

    # What refers to an object ---------------------------------------------------------------------------------------

    def _referring(self, plural: str, uid: str) -> Iterator[tuple[str, str, bool, list[str]]]:
        """Who refers to an object: type, property path, is it a single reference, UIDs."""
        for relation in self._store.relations[plural]:
            gone = self._gone.get(relation.owner, set())
            referring = self._store.inverse(relation.owner, relation.prop).get(uid, [])
            found = [other for other in referring if other not in gone]
            if found:
                yield relation.owner, relation.prop, relation.single, found

    def _veto(self, plural: str, uid: str) -> str | None:
        """What forbids the deletion, as the server names it; None when nothing does."""
        hooks = [*hooks_of(self._store, plural)]  # those of metadata come first, and what data forbid is told before it
        for check in (check for hook in reversed(hooks) for check in hook.vetoes):
            if (veto := check(self._store, uid)) is not None:
                return veto
        together = DELETED_WITH.get(plural, [])
        keys = {key[0] for key in FOREIGN_KEYS.get(plural, [])}
        for owner, prop, single, found in self._referring(plural, uid):
            path = f"{owner}.{prop}"
            free = path in together or path in CLEARED or path in FALL_BACK or path in keys or "." in prop
            if free or not (single or path in VETOING_MEMBERSHIPS):
                continue
            holder = self._store.get(owner, found[0]) or {}
            if path in NAMELESS or (path in LESS_NAMED and not self._store.version.names_holders):
                return self._store.resources[owner].model
            return f"{self._store.resources[owner].model} ({holder.get('name')})"
        return None

    def _take(self, plural: str, uid: str) -> None:
        """Delete an object, what goes with it, and every mention of it. Raises `Refused` where the database forbids it."""
        self._gone.setdefault(plural, set()).add(uid)
        self._changed.get(plural, {}).pop(uid, None)
        referring = list(self._referring(plural, uid))
        for path, *words in FOREIGN_KEYS.get(plural, []):
            if any(f"{owner}.{prop}" == path for owner, prop, _, _ in referring):
                raise _still_referenced(*words)
        together = DELETED_WITH.get(plural, [])
        for owner, prop, _, found in referring:
            for other in found:
                if other in self._gone.get(owner, set()):
                    continue
                if f"{owner}.{prop}" in together:
                    self._take(owner, other)
                else:
                    body = self._changed.get(owner, {}).get(other) or self._store.get(owner, other)
                    if body is None:
                        continue
                    instead = FALL_BACK.get(f"{owner}.{prop}")
                    after = cast("JsonObject", {**body, prop: {"id": instead}})
                    after = after if instead else _without(body, prop.split("."), uid)
                    self._changed.setdefault(owner, {})[other] = after


def _still_referenced(table: str, constraint: str, other: str, column: str) -> Refused:
    """409 in the database's words; the number of the row is its own affair."""
    return Refused(
        409,
        f'ERROR: update or delete on table "{table}" violates foreign key constraint "{constraint}" on table "{other}"\n'
        f'  Detail: Key ({column})=(1) is still referenced from table "{other}".',
    )


KEPT_ROWS = {"mapViews"}
"""Lists inside an object whose rows stay without what they referred to; of other lists the row goes."""


def _without(body: JsonObject, path: list[str], uid: str) -> JsonObject:
    """An object without its references to a UID. A row of an embedded list that names it goes whole, but for `KEPT_ROWS`."""
    name, *rest = path
    value = body.get(name)
    if isinstance(value, list):
        kept: list[JsonValue] = []
        for item in value:
            if not isinstance(item, dict) or not _names(item, rest, uid):
                kept.append(item)
            elif name in KEPT_ROWS or rest == ["legendSet"]:
                kept.append(_without(item, rest, uid))
        return {**body, name: kept}
    if isinstance(value, dict) and rest:
        return {**body, name: _without(value, rest, uid)}
    return {key: item for key, item in body.items() if key != name}


def _names(item: JsonObject, path: list[str], uid: str) -> bool:
    """Does a row refer to a UID, by a path through it?"""
    return uid in referred(item, ".".join(path)) if path else item.get("id") == uid
