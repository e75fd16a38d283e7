"""The metadata importer: one pipeline for every type and every way to write one (api-facts a.7, b).

Read what was sent, look up what is there, check, then write all of it in one transaction. Types differ only by their
schema and by the hooks that areas of the server have for them (`importer.hooks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.importer.bundle import DELETE, Bundle, ImportOptions, Item
from dhis2sh.sandbox.importer.checks import check_all, duplicates
from dhis2sh.sandbox.importer.codes import by_code, only_uids, resolve
from dhis2sh.sandbox.importer.delete import Deletion
from dhis2sh.sandbox.importer.hooks import hooks_of
from dhis2sh.sandbox.importer.members import Members
from dhis2sh.sandbox.importer.read import Reader
from dhis2sh.sandbox.importer.report import ImportReport, ObjectReport, TypeReport
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.listing import DEFAULTS
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.store.fresh import DEFAULT_CATEGORY_COMBO
from dhis2sh.sandbox.store.references import ids, rows
from dhis2sh.sandbox.store.relations import inline

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


class Importer:
    """Writes metadata to one store in the name of one user.

    Parameters:
        store: the database.
        user: who writes, as the users' owner JSON; stamped on what is written.
        raw: the request's body, to name the place of a value that cannot be read.
        unreadable: the status for such a value; by default the version's.
    """

    def __init__(
        self, store: Store, user: JsonObject, *, raw: bytes | None = None, unreadable: int | None = None
    ) -> None:
        self._store = store
        self._user = user
        version = store.version
        self._reader = Reader(
            store.resources, unreadable or version.unreadable, raw, places_geometry=version.places_geometry
        )

    def run(self, bundle: Mapping[str, list[JsonObject]], options: ImportOptions) -> ImportReport:
        """Import objects of several types.

        Parameters:
            bundle: what was sent, by plural; types that are no metadata are ignored.
            options: the import's parameters.

        Raises `Refused` when a value cannot be read.
        """
        types = [plural for plural in bundle if self._importable(plural)]
        types.sort(key=lambda plural: self._store.resources[plural].order)
        if options.strategy == DELETE:
            return Deletion(self._store, options, Rights(self._store, self._user)).run(
                {plural: bundle[plural] for plural in types}
            )
        work = Bundle(self._store, self._user, options)
        for plural in types:
            for item in self._items(self._store.resources[plural], bundle[plural], options):
                work.add(item)
        if options.identifier == "CODE":
            resolve(work)
        for item in work.all():
            only_uids(self._store, item.resource, item.body)
        self._prepare(work)
        if options.skip_validation and not options.commit:
            return ImportReport()  # nothing is checked, nothing written, nothing told
        report = self._checked(work)
        if options.commit and report.status != "ERROR":
            self._commit(work)
        return report

    def one(self, plural: str, sent: JsonObject, options: ImportOptions) -> ObjectReport | None:
        """Import one object and report on it alone; None where nothing is done, as with the default category model.

        Raises `Refused`, with 501 for a type that the importer does not know.
        """
        if not self._importable(plural):
            raise not_imitated(f"writes of {plural}")
        report = self.run({plural: [sent]}, replace(options, report_mode="FULL"))
        return next(iter(report.objects), None)

    def _importable(self, plural: str) -> bool:
        resource = self._store.resources.get(plural)
        return resource is not None and resource.endpoint is not None and resource.identifiable

    # From what was sent to items ------------------------------------------------------------------------------------

    def _items(self, resource: Resource, sent: list[JsonObject], options: ImportOptions) -> list[Item]:
        items: list[Item] = []
        for row in sent:
            body = self._reader.read(resource, row)
            before = self._found(resource, body, options.identifier)
            body["id"] = before["id"] if before is not None else body.get("id") or generate_uid()
            items.append(Item(resource, row, body, before, len(items)))
        return items

    def _found(self, resource: Resource, body: JsonObject, identifier: str) -> JsonObject | None:
        if identifier == "UID":
            return self._store.get(resource.plural, str(body.get("id", "")))
        return by_code(self._store, resource.plural, body.get("code"))

    def _prepare(self, work: Bundle) -> None:
        """What the server fills in before it checks: the default category combo, what the hooks derive."""
        for item in work.all():
            for name in ("categoryCombo", "attributeCombo", "enrollmentCategoryCombo"):
                prop = item.resource.properties.get(name)
                if prop is not None and prop.owner and prop.required and item.resource.plural != "categoryOptionCombos":
                    item.body.setdefault(name, {"id": DEFAULT_CATEGORY_COMBO})
            for hook in hooks_of(self._store, item.resource.plural):
                if hook.prepare is not None:
                    hook.prepare(work, item)

    # Checks ---------------------------------------------------------------------------------------------------------

    def _checked(self, work: Bundle) -> ImportReport:
        options = work.options
        report = ImportReport()
        for plural, items in work.items.items():
            items[:] = [item for item in items if DEFAULTS.get(plural) != item.uid]  # nobody changes the defaults
            duplicates(items)
            for item in items:
                if item.kept and not options.skip_validation:
                    check_all(work, item)
            resource = self._store.resources[plural]
            report.types.append(_type_report(resource, items, options))
            report.types[-1].stats.ignored += plural in work.dangling
        if any(item.errors for item in work.all()):
            report.status = "ERROR" if options.atomic else "WARNING"
            if options.atomic:
                for part in report.types:
                    part.stats.ignore_all()
        return report

    # Writing --------------------------------------------------------------------------------------------------------

    def _commit(self, work: Bundle) -> None:
        """Write it. Raises `Refused` with 501 where nobody knows what a server writes."""
        if work.unseen:
            raise not_imitated(f"the import of {', '.join(work.unseen)}")
        moment = now()
        put: dict[str, dict[str, JsonObject]] = {}
        for item in work.all():
            if not item.kept:
                continue
            self._forget_dangling(work, item)
            self._stamp(item, moment, work.options)
            put.setdefault(item.resource.plural, {})[item.uid] = item.body
        for item in work.all():
            for hook in hooks_of(self._store, item.resource.plural):
                if item.kept and hook.also is not None:
                    for plural, bodies in hook.also(work, item).items():
                        put.setdefault(plural, {}).update({cast("str", body["id"]): body for body in bodies})
        members = self._members(work, put)
        self._store.change({plural: bodies.values() for plural, bodies in put.items()}, members.gone)

    def _members(self, work: Bundle, put: dict[str, dict[str, JsonObject]]) -> Members:
        """Of a list whose members have one owner, write the side that was not sent."""
        members = Members(self._store, put)
        for owning in self._store.owning_lists:
            reference = owning.reference
            for item in work.items.get(owning.member, []):
                if item.kept and reference is not None:
                    now_ = ids(item.body.get(reference))
                    if now_ or ids((item.before or {}).get(reference)):
                        members.named(owning, item.uid, now_[0] if now_ else None)
            for item in work.items.get(owning.owner, []):
                if item.kept and owning.members in item.sent:
                    before, now_ = ids((item.before or {}).get(owning.members)), ids(item.body.get(owning.members))
                    members.listed(owning, item.uid, before, now_)
        return members

    def _forget_dangling(self, work: Bundle, item: Item) -> None:
        """An import that writes what it can leaves out references to nothing (atomicMode NONE). Raises `Refused`."""
        if not item.errors:
            return
        for name, value in list(item.body.items()):
            prop = item.resource.properties.get(name)
            if prop is None or not prop.reference or prop.target is None or inline(self._store.resources[prop.target]):
                continue
            kept = [row for row in rows(value) if work.get(prop.target, str(row.get("id")))]
            if isinstance(value, list):
                item.body[name] = cast("JsonValue", kept)
            elif isinstance(value, dict) and work.get(prop.target, str(value.get("id"))) is None:
                if prop.required:
                    where = f"{item.resource.klass}.{prop.field_name or name}"
                    text = (
                        "org.hibernate.PropertyValueException: not-null property references a null or transient value"
                    )
                    raise Refused(409, f"{text} : {where}")
                del item.body[name]

    def _stamp(self, item: Item, moment: str, options: ImportOptions) -> None:
        """Who wrote it and when, its sharing, and the UIDs of what it holds inside."""
        resource, body, before = item.resource, item.body, item.before
        body["created"] = (before or {}).get("created") or body.get("created") or moment
        body["lastUpdated"] = moment
        who = reference_to_user(self._user)
        for name, value in (("createdBy", (before or {}).get("createdBy") or who), ("lastUpdatedBy", who)):
            prop = resource.properties.get(name)
            if prop is not None and prop.persisted:
                body[name] = value
        if resource.shareable:
            body["sharing"] = self._sharing(resource, item, options)
        if resource.translatable:
            kept = (before or {}).get("translations", []) if options.skip_translation else body.get("translations", [])
            body["translations"] = kept
        self._stamp_inside(resource, body, before or {}, moment)

    def _sharing(self, resource: Resource, item: Item, options: ImportOptions) -> JsonObject:
        """The sharing that was sent; else what is there; else the user's own object, public where that is usual."""
        before = cast("JsonObject | None", (item.before or {}).get("sharing"))
        sent = cast("JsonObject | None", item.body.get("sharing"))
        if options.skip_sharing or sent is None:
            sent = before
        if sent is None:
            public = PUBLIC.get(resource.plural) or ("--------" if resource.default_private else "rw------")
            sent = cast("JsonObject", {"external": False, "users": {}, "userGroups": {}, "public": public})
        return {"owner": self._user.get("id"), **sent}

    def _stamp_inside(self, resource: Resource, body: JsonObject, before: JsonObject, moment: str) -> None:
        for name, value in body.items():
            prop = resource.properties.get(name)
            target = self._store.resources.get(prop.target or "") if prop is not None else None
            if prop is None or target is None or not prop.reference or not inline(target) or not target.identifiable:
                continue
            known = {row.get("id"): row for row in rows(before.get(name))}
            for row in rows(value):
                row.setdefault("id", generate_uid())
                row["created"] = known.get(row["id"], {}).get("created") or row.get("created") or moment
                row["lastUpdated"] = moment
                if target.translatable or "translations" in target.properties:
                    row.setdefault("translations", [])


PUBLIC = {"categoryOptions": "rwrw----", "expressionDimensionItems": "r-------"}
"""Public access of a new object where it is not metadata read and write."""


def _type_report(resource: Resource, items: list[Item], options: ImportOptions) -> TypeReport:
    report = TypeReport(resource.klass)
    for item in items:
        if item.kept and item.before is None:
            report.stats.created += 1
        elif item.kept:
            report.stats.updated += 1
        report.stats.ignored += item.ignored
        if item.errors or (options.commit and options.report_mode in {"FULL", "DEBUG"}):
            name = _called(item) if options.report_mode in {"DEBUG", "ERRORS_NOT_OWNER"} else None
            found = item.before is not None and any(error.code.startswith("E5000") for error in item.errors)
            index = item.index + found  # the server counts this one from 1
            report.objects.append(ObjectReport(resource.klass, item.uid, index, name, item.errors))
    return report


def _called(item: Item) -> str:
    """What a report that names its objects calls one."""
    if item.resource.plural == "users":
        return f"{item.body.get('firstName', 'null')} {item.body.get('surname', 'null')}"
    return str(item.body.get("name") or item.uid)


def reference_to_user(user: JsonObject) -> JsonObject:
    """A user as objects refer to one (`createdBy`)."""
    name = user.get("name") or f"{user.get('firstName', '')} {user.get('surname', '')}".strip()
    shown: JsonObject = {"id": user.get("id"), "code": user.get("code"), "name": name, "displayName": name,
                         "username": user.get("username")}  # fmt: skip
    return {key: value for key, value in shown.items() if value is not None}
