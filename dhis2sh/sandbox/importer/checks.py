"""The checks of a metadata import, in the server's order. Each adds errors to an item; most take it out of the bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import is_uid
from dhis2sh.sandbox.importer.attributes import check_attribute_values, check_mandatory, check_unique, values
from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.hooks import hooks_of
from dhis2sh.sandbox.importer.read import TEXTS
from dhis2sh.sandbox.importer.references import references
from dhis2sh.sandbox.importer.report import ErrorReport, described
from dhis2sh.sandbox.store.relations import USER_REFERENCES

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_COLOR = re.compile(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
_URL = re.compile(r"(https?|ftp)://\S+")


def duplicates(items: list[Item]) -> None:
    """E5004: an id twice in the payload; the first stays."""
    seen: set[str] = set()
    for item in items:
        if item.uid in seen:
            item.refuse("E5004", item.uid, item.resource.model, prop="id")
            item.ignored += 1
        seen.add(item.uid)


def check_all(bundle: Bundle, item: Item) -> None:
    """Every check of one object: what one of them takes out of the bundle is shown to the next ones too.

    Each check that finds something counts the object as ignored once more; that of references counts its type, once.
    """
    for check in CHECKS:
        found = len(item.errors)
        check(bundle, item)
        if len(item.errors) == found:
            continue
        if check is _references:
            bundle.dangling.add(item.resource.plural)
        else:
            item.ignored += 1


def _hooks(bundle: Bundle, item: Item) -> None:
    hooks = list(hooks_of(bundle.store, item.resource.plural))
    for hook in hooks:
        if hook.check is not None:
            hook.check(bundle, item)
    for check in (check for hook in hooks for check in hook.refuses):
        check(bundle, item)


def _security(bundle: Bundle, item: Item) -> None:
    """E3000, E3001: the user may not make or change it; E3010: an access string that is none."""
    rights, resource = bundle.rights, item.resource
    name = str(bundle.user.get("username"))
    if item.before is None and not rights.can_create(resource):
        item.refuse("E3000", name, resource.model)
    elif item.before is not None and not rights.can_write(resource, item.before):
        item.refuse("E3001", name, described(item.before, resource.model), main_id=item.uid)
    elif not bundle.options.skip_sharing:
        _sharing(bundle, item)


def _sharing(bundle: Bundle, item: Item) -> None:
    """E3010: an access string that is none; E3011: data bits where a type has no data; E3006 to E3009: not allowed."""
    rights, resource = bundle.rights, item.resource
    sharing = cast("JsonObject", item.body.get("sharing") or {})
    if not resource.shareable or not sharing:
        return
    klass = f"class {resource.klass}"
    strings = list(access_strings(sharing))
    wrong = next((text for text in strings if not ACCESS.fullmatch(text)), None)
    if wrong is not None:
        item.refuse("E3010", wrong)
        return
    if rights.superuser:  # whatever bits there are: the server asks nobody who may do everything
        return
    before = cast("JsonObject", (item.before or {}).get("sharing") or {})
    kept = set(access_strings(before))  # what older servers have let in stays
    if not resource.data_shareable and any(text[2:4] != "--" for text in strings if text not in kept):
        item.refuse("E3011", klass)
    if before.get("public") == sharing.get("public"):
        return
    name = str(bundle.user.get("username"))
    if sharing.get("external"):
        item.refuse("E3006", name, klass)
    if rights.can_make_public(resource):
        return
    if sharing.get("public") not in (None, "--------"):
        item.refuse("E3008", name, klass)
    elif not rights.has(*resource.authorities.get("CREATE_PRIVATE", ())):
        item.refuse("E3009", name, klass)


ACCESS = re.compile(r"(r-|rw|--)(r-|rw|--)----")
"""An access string: metadata, then data, each read or read and write."""


def access_strings(sharing: JsonObject) -> Iterator[str]:
    """Every access string of a sharing."""
    if sharing.get("public") is not None:
        yield str(sharing["public"])
    for part in ("users", "userGroups"):
        for row in cast("dict[str, JsonObject]", sharing.get(part) or {}).values():
            if row.get("access") is not None:
                yield str(row["access"])


def _exists(bundle: Bundle, item: Item) -> None:
    """E5000, E5001: the object is there and should not be, or the other way round."""
    strategy = bundle.options.strategy
    identifier = bundle.options.identifier
    if strategy == "CREATE" and item.before is not None:
        name = described(item.body, item.resource.model, identifier)  # as it was sent, not as it is stored
        code = "E5000 by strategy" if bundle.store.version.says_strategy else "E5000"
        item.refuse(code, identifier, name, main_id=item.uid)
    elif strategy == "UPDATE" and item.before is None:
        item.refuse(
            "E5001", identifier, described(item.body, item.resource.model, identifier), prop="id", main_id=item.uid
        )


# The schema: required, lengths, ranges, forms -------------------------------------------------------------------------


def _schema(bundle: Bundle, item: Item) -> None:
    found = list(schema_errors(item.resource, item.body))
    if found:
        item.errors += found
        item.kept = False


def _uid(bundle: Bundle, item: Item) -> None:
    """E4014: an id that is no UID."""
    if not is_uid(item.uid):
        item.refuse("E4014", item.uid, item.resource.model)


def schema_errors(resource: Resource, body: JsonObject) -> Iterator[ErrorReport]:
    """What the schema of a type has against an object."""
    for name, prop in resource.properties.items():
        if not prop.owner or not prop.persisted or name in USER_REFERENCES or name in _SET_BY_SERVER:
            continue
        value = body.get(name)
        if value is None:
            if prop.required and f"{resource.plural}.{name}" not in INITIALLY_SET:
                yield _error(resource, prop, "E4000", prop.name)
            continue
        yield from _value_errors(resource, prop, value)


_SET_BY_SERVER = {"created", "lastUpdated", "sharing", "translations", "attributeValues"}


INITIALLY_SET = {"programRuleActions.evaluationTime"}
"""Required properties with an initial value that no read shows."""


def _error(resource: Resource, prop: Property, code: str, *values: JsonValue) -> ErrorReport:
    return ErrorReport(code, list(values), resource.klass, prop=prop.name, error_klass=prop.item_klass or prop.klass)


def _value_errors(resource: Resource, prop: Property, value: JsonValue) -> Iterator[ErrorReport]:
    if prop.kind == "COLLECTION":
        size = len(value) if isinstance(value, list) else 0
        if size < (prop.min or 0) or (prop.max is not None and size > prop.max):
            yield _error(resource, prop, "E4007", prop.name, prop.min or 0.0, prop.max, size)
    elif prop.kind in TEXTS and isinstance(value, str):
        yield from _text_errors(resource, prop, value)
    elif (
        prop.kind in {"INTEGER", "NUMBER"}
        and isinstance(value, (int, float))
        and ((prop.min is not None and value < prop.min) or (prop.max is not None and value > prop.max))
    ):
        yield _error(resource, prop, "E4008", prop.name, prop.min, prop.max, value)


def _text_errors(resource: Resource, prop: Property, value: str) -> Iterator[ErrorReport]:
    size = len(value)
    if prop.length is not None and size > prop.length:
        yield _error(resource, prop, "E4001", prop.name, prop.length, size)
    elif prop.min is not None and (size < prop.min or (prop.max is not None and size > prop.max)):
        yield _error(resource, prop, "E4002", prop.name, float(prop.min), prop.max and float(prop.max), size)
    if not value:
        return
    if prop.kind == "EMAIL" and not _EMAIL.fullmatch(value):
        yield _error(resource, prop, "E4003", prop.name, value)
    if prop.kind == "URL" and not _URL.fullmatch(value):
        yield _error(resource, prop, "E4004", prop.name, value)
    if prop.kind == "COLOR" and not _COLOR.fullmatch(value):
        yield _error(resource, prop, "E4006", prop.name, value)


# Uniqueness ------------------------------------------------------------------------------------------------------------


def _unique(bundle: Bundle, item: Item) -> None:
    """E5003: another object has the value, stored or before this one in the payload."""
    resource = item.resource
    for name in resource.unique:
        prop = resource.properties[name]
        value = item.body.get(name)
        if name == "id" or value is None or not (prop.owner and prop.persisted) or isinstance(value, (dict, list)):
            continue
        stored = None if name in _NOT_LOOKED_UP else bundle.store.unique(resource.plural, name).get(value)
        other = stored or bundle.called.setdefault((resource.plural, name, value), item.uid)
        if other != item.uid:
            text = described(item.body, resource.model)
            item.refuse("E5003", prop.name, value, text, other, prop=prop.name, main_id=other)
            item.errors[-1].error_klass = None


_NOT_LOOKED_UP = {"username"}
"""Unique properties that an import does not look for among what is stored (real/outside: users named `admin`)."""


def _unique_together(bundle: Bundle, item: Item) -> None:
    """E5005: objects of the payload that share what only together is unique."""
    names = _TOGETHER.get(item.resource.plural)
    if names is None:
        return
    twins = [
        other for other in bundle.items[item.resource.plural]
        if all(other.body.get(name) == item.body.get(name) for name in names)
    ]  # fmt: skip
    if len(twins) > 1:
        item.refuse("E5005", ", ".join(names), ", ".join(twin.uid for twin in twins))


_TOGETHER = {"programRuleVariables": ("name", "program")}


# References ------------------------------------------------------------------------------------------------------------


def _references(bundle: Bundle, item: Item) -> None:
    """E5002: a reference to nothing; E5007: twice in a list; E5008: to what the user may not read.

    The object stays in the bundle.
    """
    seen: dict[str, set[str]] = {}
    _of_dimensions(bundle, item)
    for prop, resource, row in references(bundle.store.resources, item.resource, item.body, _DIMENSIONS):
        uid = str(row.get("id") or row.get("code") or "")
        direct = item.resource.properties.get(prop.name) is prop
        if not resource.metadata or (not direct and resource.plural == item.resource.plural and uid == item.uid):
            continue  # what an embedded value says of its owner needs no check
        target = bundle.get(resource.plural, uid)
        if target is None:
            _add(bundle, item, "E5002", prop, _nothing(uid, resource.model))
        elif resource.shareable and not bundle.rights.can_read(resource, target):
            _add(bundle, item, "E5008", prop, described({"id": uid}, resource.model))
        elif prop.klass == "java.util.List" and direct:
            if uid in seen.setdefault(prop.name, set()):
                _add(bundle, item, "E5007", prop, f"[{uid}] ({resource.model})")
            seen[prop.name].add(uid)
    _shared_with(bundle, item)
    for uid, _ in values(item.body):
        if bundle.get("attributes", uid) is None:
            item.errors.append(
                ErrorReport("E5002", [f"[{uid}] (Attribute)", described(item.body, item.resource.model), "attributeValues"],
                            item.resource.klass, prop="attributeValues", main_id=item.uid)
            )  # fmt: skip


def _nothing(uid: str, model: str) -> str:
    """What is not there, as messages name it: of a user who is nobody both names are null."""
    return f"{'null null ' if model == 'User' else ''}[{uid}] ({model})"


def _of_dimensions(bundle: Bundle, item: Item) -> None:
    """What a favourite's dimensions and legend refer to is not checked; what becomes of it, nobody has seen."""
    types, dimensions = bundle.store.resources, _DIMENSIONS
    checked = {id(row) for _, _, row in references(types, item.resource, item.body, dimensions)}
    for _, resource, row in references(types, item.resource, item.body):
        if id(row) not in checked and bundle.get(resource.plural, str(row.get("id"))) is None:
            bundle.unseen.append(f"{described(item.body, item.resource.model)} with a dimension that is not there")


_DIMENSIONS = frozenset(
    ["categoryDimensions", "categoryOptionGroupSetDimensions", "dataElementDimensions",
     "dataElementGroupSetDimensions", "legendDefinitions", "organisationUnitGroupSetDimensions",
     "trackedEntityDataElementDimensions"]
)  # fmt: skip
"""Embedded types of which an import does not check the references (real/outside)."""


def _shared_with(bundle: Bundle, item: Item) -> None:
    """E5002: a group or a user that the sharing names and that there is not."""
    if bundle.options.skip_sharing or not item.resource.shareable:
        return
    sharing = cast("JsonObject", item.body.get("sharing") or {})
    for part, plural, name in _SHARED_WITH:
        for uid in cast("JsonObject", sharing.get(part) or {}):
            if bundle.get(plural, uid) is None:
                model = bundle.store.resources[plural].model
                text = described(item.body, item.resource.model)
                item.errors.append(ErrorReport("E5002", [_nothing(uid, model), text, name], item.resource.klass))


_SHARED_WITH = (("userGroups", "userGroups", "userGroupAccesses"), ("users", "users", "userAccesses"))


def _add(bundle: Bundle, item: Item, code: str, prop: Property, reference: str) -> None:
    text = described(item.body, item.resource.model, bundle.options.identifier)
    report = ErrorReport(code, [reference, text, prop.schema_name], item.resource.klass)
    report.prop, report.main_id = prop.schema_name, item.uid
    report.error_klass = prop.item_klass if prop.collection else None
    item.errors.append(report)


def _not_owner(bundle: Bundle, item: Item) -> None:
    """E5006: what another type owns is refused where the client asked for that (a patch does)."""
    if not bundle.options.owned_only:
        return
    for name, value in item.sent.items():
        prop = item.resource.properties.get(name)
        if prop is None or prop.owner or not prop.writable or not prop.reference or name in USER_REFERENCES:
            continue
        if prop.target is None or prop.target == item.resource.plural:
            continue
        model = bundle.store.resources[prop.target].model
        for row in value if isinstance(value, list) else [value]:
            if isinstance(row, dict):
                text = described(item.body, item.resource.model)
                report = ErrorReport("E5006", [described(row, model), text, name], item.resource.klass)
                report.prop, report.main_id = prop.schema_name, item.uid
                item.errors.append(report)


def _translations(bundle: Bundle, item: Item) -> None:
    """E1107: a type without translations; E1106: two of a property into one language; E4000: a part is missing."""
    rows = cast("list[JsonObject]", item.body.get("translations") or [])
    if rows and not item.resource.translatable:
        item.refuse("E1107", item.resource.model)
        return
    seen: set[tuple[JsonValue, JsonValue]] = set()
    for row in rows:
        key = (row.get("property"), row.get("locale"))
        if key in seen:
            item.refuse("E1106", *key, prop="translations")
        seen.add(key)
        for name in ("locale", "property", "value"):
            if row.get(name) is None:
                item.refuse("E4000", name)


CHECKS = (
    _hooks, _security, _exists, _schema, _uid, _unique, _unique_together, check_mandatory, check_unique, _references,
    _not_owner, _translations, check_attribute_values,
)  # fmt: skip
"""Every check, in the server's order."""
