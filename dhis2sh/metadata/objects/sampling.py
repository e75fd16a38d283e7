"""An object of a type as an example: what a server wants of it, with values that fit, and references that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dhis2sh.client import schema
from dhis2sh.client.messages import WebMessage
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import NotFound, Refused
from dhis2sh.metadata import expressions, values
from dhis2sh.metadata.made_by_server import check_by_hand
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import kebab

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.session import Session

SIDE = "1"
"""A formula that every server takes."""
USUAL: Mapping[str, JsonValue] = {
    "valueType": "NUMBER", "periodType": "Monthly", "expression": SIDE, "numerator": SIDE, "denominator": SIDE,
    "headers": {}, "url": "https://example.org/sample", "sqlQuery": "select 1", "jobType": "ANALYTICS_TABLE", "cronExpression": "0 0 3 ? * *",
}  # fmt: skip
"""What most people would choose, in place of an enum's first value."""
MORE = {
    "programStages": ("program",),
    "users": ("userRoles",),
    "routes": ("authorities", "headers"),
    "documents": ("url",),
}
"""What servers want and their schemas do not call required."""
LISTED = {"userRoles"}
"""Lists that may not be empty."""
OF_KIND: Mapping[str, JsonValue] = {
    "BOOLEAN": False, "DATE": "2025-01-01", "EMAIL": "somebody@example.org", "COLOR": "#1f77b4",
}  # fmt: skip


async def sample(s: Session, type: str) -> JsonObject:
    """An object of a type with what its server requires, under a UID of its own.

    Raises `NotFound` where a reference is required and there is no object to refer to, `UsageError` for a type of which none
    is made by hand.
    """
    resource = await schema.resource_of(s.client, type)
    check_by_hand(resource, "create")
    uid = generate_uid()
    found: JsonObject = {"id": uid}
    wanted = values.required_of(resource)
    usual = [name for name in ("name", "shortName") if name in resource.properties]
    for name in dict.fromkeys([*usual, *wanted, *MORE.get(resource.plural, ())]):
        if name not in {"id", "attributeValues", "translations", "sharing"}:
            found[name] = await _value(s, resource, resource.properties[name], uid)
    return expressions.with_defaults(resource.plural, found)


async def _value(s: Session, resource: Resource, prop: Property, uid: str) -> JsonValue:
    if prop.name in USUAL:
        return USUAL[prop.name]
    if prop.constants:
        return prop.constants[0]
    if prop.collection:
        return [{"id": await _existing(s, resource, prop)}] if prop.name in LISTED else []
    if prop.kind == "REFERENCE":
        return {"id": await _existing(s, resource, prop)}
    if prop.kind in {"INTEGER", "NUMBER"}:
        least = int(prop.min) if prop.min is not None and prop.min > 0 else 1
        return min(least, int(prop.max)) if prop.max is not None else least
    if prop.kind == "COMPLEX":
        return {"expression": SIDE, "description": "One"} if "xpression" in prop.klass else {}
    text = f"Sample {kebab(resource.singular).replace('-', ' ')} {uid}"
    return OF_KIND.get(prop.kind, text[-prop.length :] if prop.length else text)


async def _existing(s: Session, resource: Resource, prop: Property) -> str:
    target = prop.target or ""
    if target in DEFAULT_OBJECTS:
        return DEFAULT_OBJECTS[target]
    page = await s.client.list_page(target, {"fields": "id", "pageSize": 1})
    if not page.rows:
        raise NotFound(
            f"{resource.plural} want one of {target}, and there is none",
            hint=f"dhis2 metadata {kebab(target)} create --help",
        )
    return str(page.rows[0]["id"])


async def refusal_of(s: Session, type: str, body: JsonObject) -> str | None:
    """Why the server would not take an object, by a dry run of its import; None where it would."""
    resource = await schema.resource_of(s.client, type)
    bundle: JsonObject = {resource.plural: [body]}
    try:
        answer = await s.client.post("metadata", bundle, {"importMode": "VALIDATE"})
    except Refused as error:
        return str(error)
    message = WebMessage.of(answer)
    return None if message.status != "ERROR" else str(message.message)
