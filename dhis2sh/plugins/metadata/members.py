"""`metadata members|add|remove`: what an object holds in a collection: elements of a group, options of a set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh import writes
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.plugins import metadata_query as queries
from dhis2sh.plugins.metadata import values
from dhis2sh.plugins.metadata.writing import Object, Type, called
from dhis2sh.results import Plan, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs import Doc, Piped, applies, verb
from dhis2sh.writes import Write

if TYPE_CHECKING:
    from dhis2_models.facts import Property, Resource

Which = Annotated[str | None, Doc("Which collection, where a type has several.")]


def collection_of(resource: Resource, name: str | None) -> Property:
    """The collection that is meant: the only one, or the one that is named. Raises `UsageError`."""
    known = values.collections_of(resource)
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if not known:
        raise UsageError(f"{resource.plural} have no members", hint=f"dhis2 metadata describe {resource.plural}")
    if name is None:
        raise UsageError(f"{resource.plural} have several collections", hint=f"--property {'|'.join(known)}")
    for key, prop in known.items():
        if name.replace("-", "").lower() == key.lower():
            return prop
    hint = did_you_mean(name, list(known)) or f"--property {'|'.join(known)}"
    raise UsageError(f"{resource.plural} have no collection '{name}'", hint=hint)


@verb(
    "metadata members",
    effect="read",
    examples=[
        "dhis2 metadata members dataElementGroups 'ANC'",
        "%metadata members dataElementGroups ANC | select(name)",
    ],
)
async def members(s: Session, type: Type, uid: Object, *, property: Which = None) -> Rows[Row]:
    """List the members of an object: the data elements of a group, the options of a set, the units of a data set.

    API source: `GET /api/{type}/{uid}?fields={property}[id,code,displayName]`.
    """
    resource = await queries.resource_of(s, type)
    prop = collection_of(resource, property)
    body = await s.client.get_object(f"{resource.plural}/{uid}", {"fields": f"{prop.name}[id,code,name,displayName]"})
    rows = cast("list[Row]", body.get(prop.name) or [])
    return Rows(rows, columns=["id", "displayName", "code"], resource=prop.target)


async def with_members(
    s: Session, type: str, uid: str, items: Rows[Row], property: str | None, *, adding: bool
) -> Plan:
    """A plan that adds members to a collection of an object, or takes them out.

    Parameters:
        type, uid: the object.
        items: the members, by UID, code or unique name.
        property: the collection, where the type has several.
    """
    from dhis2sh import names

    resource = await queries.resource_of(s, type)
    prop = collection_of(resource, property)
    texts = [str(row.get("id") or "") for row in items.plain()]
    if not all(texts) or not texts:
        raise UsageError("which members?", hint="UIDs, codes or unique names, or rows of a pipeline")
    resolved = await names.resolve_all(s, cast("str", prop.target), texts)
    wanted = list(dict.fromkeys(resolved[text] for text in texts))
    [before] = await writes.read_objects(s, resource.plural, [uid])
    have = list(cast("list[JsonObject]", before.get(prop.name) or []))
    uids = {str(item.get("id")) for item in have}
    if adding:
        after = have + [cast("JsonObject", {"id": member}) for member in wanted if member not in uids]
        right = sum(member in uids for member in wanted)
    else:
        after = [item for item in have if str(item.get("id")) not in wanted]
        right = sum(member not in uids for member in wanted)
    notes = [f"{right:,} are {'there already' if adding else 'not there'}"] if right else []
    count = abs(len(after) - len(have))
    word = "add" if adding else "remove"
    where = f"{prop.name} of {resource.singular} {called(before)}"
    return writes.plan(
        f"{word} {count:,} {'to' if adding else 'from'} {where}",
        [Write(resource.plural, before, {**before, prop.name: cast("JsonValue", after)})],
        what=resource.plural, notes=notes,
    )  # fmt: skip


Members = Annotated[Rows[Row], Piped(), Doc("The members: UIDs, codes or unique names; rows of a pipeline.")]


@verb(
    "metadata add",
    effect="write",
    examples=["dhis2 metadata add dataElementGroups 'ANC' 'ANC 1st visit' --dry-run"],
)
async def add(s: Session, type: Type, uid: Object, items: Members, *, property: Which = None) -> Plan:
    """Add members to an object; those that are there already stay.

    API source: `PATCH /api/{type}/{uid}`.
    """
    return await with_members(s, type, uid, items, property, adding=True)


@verb(
    "metadata remove",
    effect="write",
    examples=["dhis2 metadata remove dataElementGroups 'ANC' 'ANC 1st visit' --dry-run"],
)
async def remove(s: Session, type: Type, uid: Object, items: Members, *, property: Which = None) -> Plan:
    """Take members out of an object; the members themselves stay.

    API source: `PATCH /api/{type}/{uid}`.
    """
    return await with_members(s, type, uid, items, property, adding=False)


for _declared in (add, remove):
    applies(_declared)(writes.apply)
