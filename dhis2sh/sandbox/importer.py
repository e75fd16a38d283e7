"""The metadata importer: one pipeline for every type and every way to write one (api-facts a.7, b).

Read what was sent, look up what is there, check, then write all of it in one transaction. Types differ only by their
schema and by the short tables of `importer_hooks`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.fresh import now
from dhis2sh.sandbox.importer_checks import check_all, described, duplicates
from dhis2sh.sandbox.importer_codes import by_code, only_uids, resolve
from dhis2sh.sandbox.importer_delete import Deletion
from dhis2sh.sandbox.importer_hooks import HOOKS, ids
from dhis2sh.sandbox.importer_read import Reader
from dhis2sh.sandbox.importer_report import ErrorReport, ImportReport, ObjectReport, TypeReport
from dhis2sh.sandbox.relations import inline
from dhis2sh.sandbox.rights import Rights

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.models.facts import Resource
    from dhis2sh.sandbox.relations import Pair
    from dhis2sh.sandbox.store import Store
    from dhis2sh.types import JsonObject, JsonValue

CREATE, UPDATE, CREATE_AND_UPDATE, DELETE = "CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE"
STRATEGIES = {CREATE: CREATE, "NEW": CREATE, UPDATE: UPDATE, "UPDATES": UPDATE, CREATE_AND_UPDATE: CREATE_AND_UPDATE,
              "NEW_AND_UPDATES": CREATE_AND_UPDATE, DELETE: DELETE, "DELETES": DELETE, "SYNC": CREATE_AND_UPDATE}  # fmt: skip
DEFAULT_COMBO = "bjDvmb4bfuf"


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
    """

    resource: Resource
    sent: JsonObject
    body: JsonObject
    before: JsonObject | None
    index: int
    errors: list[ErrorReport] = field(default_factory=lambda: [])
    kept: bool = True

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
        self.called: dict[tuple[str, str, JsonValue], list[Item]] = {}
        """By type, unique property and value the objects that have it: a bundle of thousands has no time for pairs."""

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


class Importer:
    """Writes metadata to one store in the name of one user.

    Parameters:
        store: the database.
        user: who writes, as the users' owner JSON; stamped on what is written.
    """

    def __init__(self, store: Store, user: JsonObject) -> None:
        self._store = store
        self._user = user
        self._reader = Reader(store.resources)

    def run(self, bundle: Mapping[str, list[JsonObject]], options: ImportOptions) -> ImportReport:
        """Import objects of several types.

        Parameters:
            bundle: what was sent, by plural; types that are no metadata are ignored.
            options: the import's parameters.

        Raises `Unreadable` when a value cannot be read.
        """
        types = [plural for plural in bundle if self._importable(plural)]
        types.sort(key=lambda plural: self._store.resources[plural].order)
        if options.strategy == DELETE:
            return Deletion(self._store, options, Rights(self._store, self._user)).run(
                {plural: bundle[plural] for plural in reversed(types)}
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
        report = self._checked(work)
        if options.commit and report.status != "ERROR":
            self._commit(work)
        return report

    def one(self, plural: str, sent: JsonObject, options: ImportOptions) -> ObjectReport:
        """Import one object and report on it alone. Raises `Unreadable`."""
        report = self.run({plural: [sent]}, replace(options, report_mode="FULL"))
        return report.objects[0]

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
            for name in ("categoryCombo", "attributeCombo"):
                prop = item.resource.properties.get(name)
                if prop is not None and prop.owner and prop.required and item.resource.plural != "categoryOptionCombos":
                    item.body.setdefault(name, {"id": DEFAULT_COMBO})
            hook = HOOKS.get(item.resource.plural)
            if hook is not None and hook.prepare is not None:
                hook.prepare(work, item)

    # Checks ---------------------------------------------------------------------------------------------------------

    def _checked(self, work: Bundle) -> ImportReport:
        options = work.options
        report = ImportReport()
        for plural, items in work.items.items():
            duplicates(items)
            for item in items:
                if item.kept and not options.skip_validation:
                    check_all(work, item)
            resource = self._store.resources[plural]
            report.types.append(_type_report(resource, items, options))
        if any(item.errors for item in work.all()):
            report.status = "ERROR" if options.atomic else "WARNING"
            if options.atomic:
                for part in report.types:
                    part.stats.ignore_all()
        return report

    # Writing --------------------------------------------------------------------------------------------------------

    def _commit(self, work: Bundle) -> None:
        moment = now()
        put: dict[str, dict[str, JsonObject]] = {}
        for item in work.all():
            if not item.kept:
                continue
            self._stamp(item, moment, work.options)
            put.setdefault(item.resource.plural, {})[item.uid] = item.body
        for item in work.all():
            hook = HOOKS.get(item.resource.plural)
            if item.kept and hook is not None and hook.also is not None:
                for plural, bodies in hook.also(work, item).items():
                    put.setdefault(plural, {}).update({cast("str", body["id"]): body for body in bodies})
        self._keep_pairs(work, put)
        self._store.change({plural: bodies.values() for plural, bodies in put.items()})

    def _keep_pairs(self, work: Bundle, put: dict[str, dict[str, JsonObject]]) -> None:
        """Of a relation that both sides keep, write the side that was not sent."""
        for pair in self._store.pairs:
            for item in work.items.get(pair.member, []):
                if item.kept:
                    self._keep_member(pair, item, put)
            for item in work.items.get(pair.owner, []):
                if item.kept and pair.members in item.sent:
                    self._keep_owner(pair, item, put)

    def _current(self, put: dict[str, dict[str, JsonObject]], plural: str, uid: str) -> JsonObject | None:
        return put.get(plural, {}).get(uid) or self._store.get(plural, uid)

    def _keep_member(self, pair: Pair, item: Item, put: dict[str, dict[str, JsonObject]]) -> None:
        """An object names its owner: the owner lists it, and the one it left does not any more."""
        before, now_ = ids((item.before or {}).get(pair.reference)), ids(item.body.get(pair.reference))
        for uid in {*before, *now_}:
            owner = self._current(put, pair.owner, uid)
            if owner is None:
                continue
            have = ids(owner.get(pair.members))
            wanted = [one for one in have if one != item.uid or uid in now_]
            wanted += [item.uid] if uid in now_ and item.uid not in have else []
            if wanted != have:
                put.setdefault(pair.owner, {})[uid] = {**owner, pair.members: [{"id": one} for one in wanted]}

    def _keep_owner(self, pair: Pair, item: Item, put: dict[str, dict[str, JsonObject]]) -> None:
        """An object lists its members: each names it, and those that it no longer lists name nobody."""
        before, now_ = ids((item.before or {}).get(pair.members)), ids(item.body.get(pair.members))
        for uid in dict.fromkeys([*now_, *before]):
            member = self._current(put, pair.member, uid)
            named = ids((member or {}).get(pair.reference))
            if member is None or (named == [item.uid]) == (uid in now_):
                continue
            rest = {name: value for name, value in member.items() if name != pair.reference}
            put.setdefault(pair.member, {})[uid] = {**rest, pair.reference: {"id": item.uid}} if uid in now_ else rest

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
            public = "--------" if resource.default_private else PUBLIC.get(resource.plural, "rw------")
            sent = cast("JsonObject", {"external": False, "users": {}, "userGroups": {}, "public": public})
        return {"owner": self._user.get("id"), **sent}

    def _stamp_inside(self, resource: Resource, body: JsonObject, before: JsonObject, moment: str) -> None:
        for name, value in body.items():
            prop = resource.properties.get(name)
            target = self._store.resources.get(prop.target or "") if prop is not None else None
            if prop is None or target is None or not prop.reference or not inline(target) or not target.identifiable:
                continue
            known = {row.get("id"): row for row in _rows(before.get(name))}
            for row in _rows(value):
                row.setdefault("id", generate_uid())
                row["created"] = known.get(row["id"], {}).get("created") or row.get("created") or moment
                row["lastUpdated"] = moment
                if target.translatable or "translations" in target.properties:
                    row.setdefault("translations", [])


PUBLIC = {"categoryOptions": "rwrw----"}
"""Public access of a new object where it is not metadata read and write."""


def _type_report(resource: Resource, items: list[Item], options: ImportOptions) -> TypeReport:
    report = TypeReport(resource.klass)
    for item in items:
        if item.kept and item.before is None:
            report.stats.created += 1
        elif item.kept:
            report.stats.updated += 1
        if item.errors:
            report.stats.ignored += 1
        if item.errors or options.report_mode in {"FULL", "DEBUG"}:
            name = described(item.body, None) if options.report_mode == "DEBUG" else None
            found = item.before is not None and any(error.code.startswith("E5000") for error in item.errors)
            index = item.index + found  # the server counts this one from 1
            report.objects.append(ObjectReport(resource.klass, item.uid, index, name, item.errors))
    return report


def _rows(value: JsonValue) -> list[JsonObject]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def reference_to_user(user: JsonObject) -> JsonObject:
    """A user as objects refer to one (`createdBy`)."""
    name = user.get("name") or f"{user.get('firstName', '')} {user.get('surname', '')}".strip()
    shown: JsonObject = {"id": user.get("id"), "code": user.get("code"), "name": name, "displayName": name,
                         "username": user.get("username")}  # fmt: skip
    return {key: value for key, value in shown.items() if value is not None}
