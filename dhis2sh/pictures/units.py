"""Organisation units of a map's layer, with their geometry: by UID, level, group, or as those of the user.

API source: `GET /api/organisationUnits` with `path:like`, which every version has; what `GET /api/geoFeatures` would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.client.query import where
from dhis2sh.dhis2.geometry import Shape, shape_of
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

USER = {"USER_ORGUNIT": 0, "USER_ORGUNIT_CHILDREN": 1, "USER_ORGUNIT_GRANDCHILDREN": 2}
"""The words for the user's own units, and how many levels below them they mean."""
FIELDS = ("id", "displayName", "level", "path", "geometry")
PLURAL = "organisationUnits"


@dataclass(frozen=True, slots=True)
class Placed:
    """A unit and where it is; None where it has no geometry."""

    uid: str
    name: str
    shape: Shape | None
    groups: tuple[str, ...] = ()


async def placed(s: Session, uids: Iterable[str], *, groups: bool = False) -> list[Placed]:
    """Units by UID. Those that the user may not see are left out."""
    fields = [*FIELDS, *(["organisationUnitGroups[id]"] if groups else [])]
    return [_placed(row) for row in (await reading.by_uid(s.client, PLURAL, uids, fields=fields)).rows]


async def of_items(s: Session, items: Sequence[str], *, groups: bool = False) -> list[Placed]:
    """The units that the items of a dimension `ou` mean, as analytics means them.

    Parameters:
        items: UIDs, `LEVEL-n`, `OU_GROUP-uid`, `USER_ORGUNIT` and the like. Levels and groups are those below the units.
        groups: with the groups of each.
    """
    fields = [*FIELDS, *(["organisationUnitGroups[id]"] if groups else [])]
    levels = [item.removeprefix("LEVEL-") for item in items if item.startswith("LEVEL-")]
    grouped = [item.removeprefix("OU_GROUP-") for item in items if item.startswith("OU_GROUP-")]
    alone = [item for item in items if not item.startswith(("LEVEL-", "OU_GROUP-")) and item not in USER]
    users = [item for item in items if item in USER]
    if users:
        alone += await _of_user(s, users)
    if not levels and not grouped:
        return await placed(s, alone, groups=groups)
    found: dict[str, Row] = {}
    for parent in alone or [""]:
        below = [where("path", "like", parent)] if parent else []
        for level in levels:
            rows = await reading.all_of(s.client, PLURAL, [where("level", "eq", level), *below], fields=fields)
            found |= {str(row["id"]): row for row in rows}
        for group in grouped:
            filters = [where("organisationUnitGroups.id", "eq", group), *below]
            found |= {str(row["id"]): row for row in await reading.all_of(s.client, PLURAL, filters, fields=fields)}
    return [_placed(row) for row in found.values()]


async def _of_user(s: Session, words: Sequence[str]) -> list[str]:
    """The user's own units, or those some levels below them: those whose data they read, else those that they enter for."""
    me = await s.client.get_object("me", {"fields": "dataViewOrganisationUnits[id],organisationUnits[id]"})
    held = cast("list[JsonObject]", me.get("dataViewOrganisationUnits") or me.get("organisationUnits") or [])
    own = [str(unit["id"]) for unit in held]
    if not own:
        raise UsageError("you read no organisation units on this server", hint="dhis2 system whoami")
    found: list[str] = []
    for word in words:
        if not USER[word]:
            found += own
            continue
        path = ".".join([*["parent"] * USER[word], "id"])
        for unit in own:
            found += [
                str(row["id"])
                for row in await reading.all_of(s.client, PLURAL, [where(path, "eq", unit)], fields=["id"])
            ]
    return list(dict.fromkeys(found))


def _placed(row: Row) -> Placed:
    name = str(row.get("displayName") or row["id"])
    groups = cast("list[JsonObject]", row.get("organisationUnitGroups") or [])
    geometry: JsonValue = row.get("geometry")
    return Placed(
        str(row["id"]), name, shape_of(name, geometry) if geometry else None, tuple(str(one["id"]) for one in groups)
    )
