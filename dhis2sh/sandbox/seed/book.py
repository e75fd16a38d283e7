"""UIDs, noise and the common shape of metadata objects, all derived from names so that every run gives the same."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.store.fresh import ADMIN

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALPHABET = "0123456789" + _LETTERS

# Types whose exports carry no sharing, and those without the user who created them (DHIS2 2.42).
_SHARED_BY_OTHERS = (
    "options organisationUnits organisationUnitLevels categoryOptionCombos indicatorTypes dataEntryForms sections "
    "dataSetNotificationTemplates programNotificationTemplates programStageSections programSections users "
    "programRules programRuleVariables programRuleActions predictors"
)
_NOT_SHAREABLE = frozenset(_SHARED_BY_OTHERS.split())
_NO_CREATOR = _NOT_SHAREABLE - {"organisationUnits", "users"}
_PLAIN = (
    "organisationUnitLevels indicatorTypes dataEntryForms dataSetNotificationTemplates programNotificationTemplates "
    "programStageSections programSections programRules programRuleVariables programRuleActions predictors attributes "
    "dataApprovalLevels dataApprovalWorkflows externalMapLayers interpretations indicatorGroupSets optionGroups "
    "programIndicatorGroups predictorGroups categoryCombos dashboards userRoles"
)
_NO_ATTRIBUTES = frozenset(_PLAIN.split())


def uid(key: str) -> str:
    """The UID of a key such as `dataElements/Live births`: always the same, valid, and spread over all UIDs."""
    number = int.from_bytes(sha256(key.encode()).digest()[:12])
    number, index = divmod(number, len(_LETTERS))
    characters = [_LETTERS[index]]
    for _ in range(10):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)


def noise(key: str, length: int) -> list[float]:
    """`length` numbers from 0 to 1, evenly spread, always the same for a key."""
    numbers: list[float] = []
    block = 0
    while len(numbers) < length:
        digest = sha256(f"{key}/{block}".encode()).digest()
        numbers += [int.from_bytes(digest[at : at + 4]) / 0xFFFFFFFF for at in range(0, 32, 4)]
        block += 1
    return numbers[:length]


def admin() -> dict[str, str]:
    """The reference to the user who made everything, as exports write it."""
    return {"id": ADMIN, "code": "admin", "name": "Ada Admin", "displayName": "Ada Admin", "username": "admin"}


def ref(identifier: str) -> dict[str, str]:
    """A reference."""
    return {"id": identifier}


def refs(identifiers: list[str]) -> list[dict[str, str]]:
    """References, in the order given."""
    return [{"id": identifier} for identifier in identifiers]


def french(name: str, short: str | None = None) -> list[dict[str, str]]:
    """Translations of the name, and of the short name, into French."""
    found = [{"property": "NAME", "locale": "fr", "value": name}]
    if short is not None:
        found.append({"property": "SHORT_NAME", "locale": "fr", "value": short})
    return found


def part(key: str, **properties: object) -> JsonObject:
    """An object that lives inside another one (a legend, a dashboard item), with what exports say about those."""
    return cast(
        "JsonObject",
        {
            "id": uid(key),
            "created": "2024-01-15T08:00:00.000",
            "lastUpdated": "2024-01-15T08:00:00.000",
            "translations": [],
            "favorites": [],
            "sharing": {"external": False, "users": {}, "userGroups": {}},
            "access": dict.fromkeys(("manage", "externalize", "write", "read", "update", "delete"), True),
            "favorite": False,
            "attributeValues": [],
            **properties,
        },
    )


class Book:
    """The metadata objects made so far, by type, in the order they were made."""

    def __init__(self) -> None:
        self.objects: dict[str, list[JsonObject]] = defaultdict(list)
        self._names: dict[str, str] = {}

    def add(self, plural: str, name: str, **properties: object) -> str:
        """Add an object and give its UID, which comes from `id`, else from `key`, else from the name."""
        key = f"{plural}/{properties.pop('key', name)}"
        identifier = str(properties.pop("id", uid(key)))
        made: dict[str, object] = {
            "id": identifier,
            "name": name,
            "created": "2024-01-15T08:00:00.000",
            "lastUpdated": "2025-01-06T09:30:00.000",
            "translations": [],
            "lastUpdatedBy": admin(),
        }
        if plural not in _NO_CREATOR:
            made["createdBy"] = admin()
        if plural not in _NOT_SHAREABLE:
            made["sharing"] = {"owner": ADMIN, "external": False, "users": {}, "userGroups": {}, "public": "rw------"}
        if plural not in _NO_ATTRIBUTES:
            made["attributeValues"] = []
        made |= properties
        self.objects[plural].append(cast("JsonObject", made))
        self._names[key] = identifier
        return identifier

    def id(self, plural: str, name: str) -> str:
        """The UID of an object that was added before, by its name or key.

        A name that was not added is a mistake in the seed: `KeyError`.
        """
        return self._names[f"{plural}/{name}"]

    def ids(self, plural: str, *names: str) -> list[str]:
        """The UIDs of several objects."""
        return [self.id(plural, name) for name in names]

    def get(self, plural: str, name: str) -> JsonObject:
        """An object that was added before, by its name or key."""
        wanted = self.id(plural, name)
        return next(made for made in self.objects[plural] if made["id"] == wanted)


def shared_with(group: str, access: str, *, public: str = "r-------") -> JsonObject:
    """Sharing with the public and with one user group."""
    return cast(
        "JsonObject",
        {
            "owner": ADMIN,
            "external": False,
            "users": {},
            "userGroups": {group: {"access": access, "id": group}},
            "public": public,
        },
    )
