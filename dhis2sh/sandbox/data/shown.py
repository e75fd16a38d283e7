"""Objects as the answers about data show them inside: whole, but without what only their own type has."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.data.model import read_period
from dhis2sh.sandbox.importer.pipeline import reference_to_user
from dhis2sh.sandbox.metadata.period_names import period_name

if TYPE_CHECKING:
    from dhis2sh.dhis2.periods import Period
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


def period_reference(store: Store, iso: str) -> JsonObject:
    """A period as audits and lock exceptions refer to it: by its identifier, since 2.43 by its type and dates."""
    period = read_period(iso) if store.version.upserts else None
    if period is None:
        return {"id": iso}
    days = {"endDate": period.end, "startDate": period.start}
    return {"periodType": period.type.name, **{name: f"{day}T00:00:00.000" for name, day in days.items()}}


def period_body(store: Store, period: Period) -> JsonObject:
    """A period as outliers show it: whole, since 2.43 only its identifier."""
    if store.version.upserts:
        return {"id": period.iso}
    name, iso = period_name(period), period.iso
    return {
        **_bare(store, iso), "code": iso, "name": name, "shortName": iso, "dimensionItemType": "PERIOD",
        "legendSets": [], "periodType": period.type.name, "startDate": f"{period.start}T00:00:00.000",
        "endDate": f"{period.end}T00:00:00.000", "dimensionItem": iso, "displayShortName": iso, "displayName": name,
        "displayFormName": name,
    }  # fmt: skip


def plain_period(store: Store, period: Period) -> JsonObject:
    """A period as a violation names it: by its identifier alone."""
    if store.version.upserts:
        return {"id": period.iso}
    return {**_bare(store, period.iso), "code": period.iso, "name": period.iso, "displayName": period.iso}


def identified(store: Store, plural: str, uid: str) -> JsonObject:
    """An object as a violation shows it: what every type has, and who made it."""
    body = store.get(plural, uid) or {}
    found: JsonObject = {name: body[name] for name in ("code", "name", "created", "lastUpdated") if body.get(name)}
    found |= {**_bare(store, uid), "displayName": body.get("name")}
    found |= makers(store, body)
    sharing = cast("JsonObject", found["sharing"]) | cast("JsonObject", body.get("sharing") or {})
    found["sharing"] = {name: one for name, one in sharing.items() if name != "external" or store.version.external}
    found["attributeValues"] = cast("list[JsonValue]", body.get("attributeValues") or [])
    return found


def makers(store: Store, body: JsonObject) -> JsonObject:
    """Who made an object and who changed it last, as answers show users inside."""
    found: JsonObject = {}
    for name in ("createdBy", "lastUpdatedBy"):
        by = body.get(name)
        if isinstance(by, dict):
            found[name] = reference_to_user(store.get("users", str(by.get("id"))) or by)
    return found | ({"user": found["createdBy"]} if "createdBy" in found else {})


def _bare(store: Store, uid: str) -> JsonObject:
    external: JsonObject = {"external": False} if store.version.external else {}
    return {
        "translations": [], "favorites": [], "sharing": {**external, "users": {}, "userGroups": {}},
        "favorite": False, "id": uid, "attributeValues": [],
    }  # fmt: skip
