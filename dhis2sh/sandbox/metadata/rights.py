"""What a user may do: authorities of roles, sharing of objects, org units of data (api-facts h.6).

Reading wants the type's READ authority and `r` in the object's sharing; writing wants one of the type's CREATE
authorities and `w`. The authority ALL stands for every other one and for every sharing.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

type Scope = Literal["organisationUnits", "dataViewOrganisationUnits", "teiSearchOrganisationUnits"]
_READ, _WRITE, _DATA_READ, _DATA_WRITE = range(4)
_CREATE = ("CREATE", "CREATE_PUBLIC", "CREATE_PRIVATE")


class Rights:
    """The rights of one user, at the moment of one request.

    Parameters:
        store: the database.
        user: the user object.
    """

    def __init__(self, store: Store, user: JsonObject) -> None:
        self.store = store
        self.user = user
        self.uid = cast("str", user["id"])

    @cached_property
    def authorities(self) -> frozenset[str]:
        """The authorities of all the user's roles."""
        roles = (self.store.get("userRoles", cast("str", role["id"])) for role in _list(self.user, "userRoles"))
        return frozenset(
            str(name) for role in roles if role for name in cast("list[str]", role.get("authorities") or [])
        )

    @cached_property
    def groups(self) -> frozenset[str]:
        """UIDs of the groups that the user is a member of."""
        return frozenset(self.store.inverse("userGroups", "users").get(self.uid, []))

    @property
    def superuser(self) -> bool:
        """Has the user the authority ALL?"""
        return "ALL" in self.authorities

    def has(self, *authorities: str) -> bool:
        """Has the user one of these authorities? True when none are named."""
        return self.superuser or not authorities or not self.authorities.isdisjoint(authorities)

    def shared(self, body: JsonObject, place: int) -> bool:
        """Does an object's sharing give the user a right: 0 and 1 to read and write it, 2 and 3 its data?"""
        sharing = cast("JsonObject", body.get("sharing") or {})
        public = cast("str | None", sharing.get("public"))
        if public is None or sharing.get("owner") == self.uid:
            return True
        wanted = "rwrw"[place]
        users = cast("dict[str, JsonObject]", sharing.get("users") or {})
        groups = cast("dict[str, JsonObject]", sharing.get("userGroups") or {})
        strings = [public, str(users.get(self.uid, {}).get("access") or "")]
        strings += [str(groups[group].get("access") or "") for group in self.groups & groups.keys()]
        return any(text[place : place + 1] == wanted for text in strings)

    def can_list(self, resource: Resource) -> bool:
        """May the user read objects of this type at all?"""
        return self.has(*resource.authorities.get("READ", ()))

    def can_read(self, resource: Resource, body: JsonObject) -> bool:
        """May the user read this object?"""
        return self.superuser or (self.can_list(resource) and (not resource.shareable or self.shared(body, _READ)))

    def can_create(self, resource: Resource) -> bool:
        """May the user make objects of this type?"""
        return self.has(*(name for kind in _CREATE for name in resource.authorities.get(kind, ())))

    def can_make_public(self, resource: Resource) -> bool:
        """May objects that the user makes be public?"""
        return self.has(*resource.authorities.get("CREATE_PUBLIC", ()))

    def can_write(self, resource: Resource, body: JsonObject) -> bool:
        """May the user change this object?"""
        return self.superuser or (self.can_create(resource) and (not resource.shareable or self.shared(body, _WRITE)))

    def can_delete(self, resource: Resource, body: JsonObject) -> bool:
        """May the user delete this object?"""
        named = resource.authorities.get("DELETE", ())
        allowed = self.has(*named) if named else self.can_create(resource)
        return self.superuser or (allowed and (not resource.shareable or self.shared(body, _WRITE)))

    def can_read_data(self, body: JsonObject) -> bool:
        """May the user read the data of this data set, program, stage or category option?"""
        return self.superuser or self.shared(body, _DATA_READ)

    def can_write_data(self, body: JsonObject) -> bool:
        """May the user write data for this data set, program, stage or category option?"""
        return self.superuser or self.shared(body, _DATA_WRITE)

    def access(self, resource: Resource, body: JsonObject) -> JsonObject:
        """The object's `access` property, as this user sees it."""
        write = self.can_write(resource, body)
        found: JsonObject = {
            "manage": write, "externalize": self.superuser, "write": write, "read": self.can_read(resource, body),
            "update": write, "delete": self.can_delete(resource, body),
        }  # fmt: skip
        if resource.data_shareable:
            found["data"] = {"read": self.can_read_data(body), "write": self.can_write_data(body)}
        return found

    def roots(self, scope: Scope) -> list[str]:
        """The org units that a scope starts from; viewing and searching fall back to the capture units."""
        found = [cast("str", unit["id"]) for unit in _list(self.user, scope)]
        return found or [cast("str", unit["id"]) for unit in _list(self.user, "organisationUnits")]

    def in_scope(self, org_unit: str, scope: Scope = "organisationUnits") -> bool:
        """Is an org unit one of the user's, or below one? A superuser's too: data entry looks only at org units."""
        path = self.path_of(org_unit).split("/")
        return any(root in path for root in self.roots(scope))

    def path_of(self, org_unit: str) -> str:
        """`/country/.../unit`, from the unit itself or from its parents."""
        unit = self.store.get("organisationUnits", org_unit)
        if unit is None:
            return ""
        if unit.get("path"):
            return cast("str", unit["path"])
        parent = cast("JsonObject | None", unit.get("parent"))
        return f"{self.path_of(cast('str', parent['id'])) if parent else ''}/{org_unit}"


def _list(body: JsonObject, name: str) -> list[JsonObject]:
    return cast("list[JsonObject]", body.get(name) or [])
