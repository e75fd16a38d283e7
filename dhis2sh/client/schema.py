"""The types of a server's version: found by plural or singular, with the facts of `dhis2sh.models`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dhis2sh.dhis2.short_names import nearest_types
from dhis2sh.errors import NotFound
from dhis2sh.models import facts

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.models.facts import Resource


async def types_of(client: Requests) -> Mapping[str, Resource]:
    """All types of the server's version by plural, those without an address of their own too."""
    return facts.types((await client.version()).models)


async def resources_of(client: Requests) -> Mapping[str, Resource]:
    """The metadata types of the server's version that can be listed, by plural."""
    key = (await client.version()).models
    return {
        plural: item
        for plural, item in facts.resources(key).items()
        if item.endpoint == f"/{plural}" and item.identifiable
    }


async def resource_of(client: Requests, name: str) -> Resource:
    """A type by its plural or singular, in any case. Raises `NotFound` with the nearest names."""
    known = await resources_of(client)
    wanted = name.replace("-", "").replace("_", "").lower()
    for plural, item in known.items():
        if wanted in {plural.lower(), item.singular.lower()}:
            return item
    raise NotFound(
        f"there is no metadata type '{name}'", hint=nearest_types(name, list(known)) or "dhis2 metadata types"
    )


async def type_of(client: Requests, plural: str) -> Resource:
    """A type by its plural alone, listed or not, as long as it has an address. Raises `NotFound` with the version."""
    version = await client.version()
    found = facts.resources(version.models).get(plural)
    if found is None:
        raise NotFound(f"DHIS2 {version} has no type '{plural}'", hint="dhis2 metadata types")
    return found
