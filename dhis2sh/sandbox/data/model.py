"""What aggregate data needs to know of the metadata: who belongs to whom, by which identifier, in which periods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import Period, period_type
from dhis2sh.errors import UsageError
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.fresh import DEFAULT_CATEGORY_COMBO, DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

SERVED_MINOR = 42


def read_period(text: str) -> Period | None:
    """A period of a type that this server knows, or None."""
    try:
        found = Period.parse(text)
    except UsageError:
        return None
    return found if found.type.since <= SERVED_MINOR else None


def unreadable_period(text: str) -> Refused:
    """What 2.43 says of a text that is no period."""
    if text[:1].isdigit():
        return Refused(400, f"Invalid Period `{text}`, failed to create date interval")
    return Refused(400, f"Invalid Period `{text}`, expected a digit at position 0 but found: `{text[:1]}`")


def reference(body: Mapping[str, object], name: str) -> str | None:
    """The UID that a property refers to."""
    value = body.get(name)
    return cast("str | None", cast("JsonObject", value).get("id")) if isinstance(value, dict) else None


def references(body: Mapping[str, object], name: str) -> list[str]:
    """The UIDs that a collection refers to."""
    return [cast("str", item["id"]) for item in cast("list[JsonObject]", body.get(name) or []) if "id" in item]


class Model:
    """The metadata of one request, indexed as far as the request asks.

    Parameters:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._schemes: dict[tuple[str, str], dict[str, str]] = {}

    def body(self, plural: str, uid: str) -> JsonObject:
        """An object's owner JSON; empty when it is not there."""
        return self.store.get(plural, uid) or {}

    def exists(self, plural: str, uid: str) -> bool:
        """Is there an object of this type?"""
        return self.store.get(plural, uid) is not None

    def name(self, plural: str, uid: str) -> str:
        """An object's name; its UID when it is not there."""
        return cast("str", self.body(plural, uid).get("name") or uid)

    # Identifiers ---------------------------------------------------------------------------------------------------

    def resolve(self, plural: str, scheme: str, identifier: str) -> str | None:
        """The UID of an object from its identifier in a scheme: UID, CODE, NAME or ATTRIBUTE:uid."""
        if scheme in {"UID", "ID", ""}:
            return identifier if self.exists(plural, identifier) else None
        return self._by_scheme(plural, scheme).get(identifier)

    def _by_scheme(self, plural: str, scheme: str) -> dict[str, str]:
        key = (plural, scheme)
        if key not in self._schemes:
            found: dict[str, str] = {}
            for uid, body in self.store.objects(plural).items():
                identifier = identifier_of(body, scheme)
                if identifier is not None:
                    found.setdefault(identifier, uid)
            self._schemes[key] = found
        return self._schemes[key]

    def identifier(self, plural: str, scheme: str, uid: str) -> str:
        """How a scheme names an object; its UID when the scheme has no name for it."""
        if scheme in {"UID", "ID", ""}:
            return uid
        return identifier_of(self.body(plural, uid), scheme) or uid

    # Data sets -----------------------------------------------------------------------------------------------------

    @cached_property
    def elements_of(self) -> dict[str, list[str]]:
        """Data elements by data set."""
        return {
            uid: [
                element
                for row in cast("list[JsonObject]", body.get("dataSetElements") or [])
                if (element := reference(row, "dataElement"))
            ]
            for uid, body in self.store.objects("dataSets").items()
        }

    @cached_property
    def data_sets_of(self) -> dict[str, list[str]]:
        """Data sets by data element."""
        found: dict[str, list[str]] = {}
        for data_set, elements in self.elements_of.items():
            for element in elements:
                found.setdefault(element, []).append(data_set)
        return found

    def approving_set(self, element: str) -> str | None:
        """The data set whose locks and approvals a value counts for: with a workflow, then of the shortest periods."""
        sets = self.data_sets_of.get(element, [])

        def order(uid: str) -> tuple[bool, int, str]:
            body = self.body("dataSets", uid)
            period = Period.of(period_type(str(body.get("periodType") or "Monthly")))
            return reference(body, "workflow") is None, (period.end - period.start).days, str(body.get("name"))

        return min(sets, key=order, default=None)

    @cached_property
    def units_of(self) -> dict[str, set[str]]:
        """Org units by data set."""
        return {uid: set(references(body, "organisationUnits")) for uid, body in self.store.objects("dataSets").items()}

    def period_types_of(self, element: str) -> set[str]:
        """The period types in which an element is collected."""
        return {cast("str", self.body("dataSets", uid).get("periodType")) for uid in self.data_sets_of.get(element, [])}

    # Categories ----------------------------------------------------------------------------------------------------

    @cached_property
    def combos_of(self) -> dict[str, list[str]]:
        """Category option combos by category combo."""
        found: dict[str, list[str]] = {}
        for uid, body in self.store.objects("categoryOptionCombos").items():
            combo = reference(body, "categoryCombo")
            if combo:
                found.setdefault(combo, []).append(uid)
        return found

    def category_combo(self, element: str, data_set: str | None = None) -> str:
        """The category combo of an element; a data set may put another one in its place."""
        for row in cast("list[JsonObject]", self.body("dataSets", data_set or "").get("dataSetElements") or []):
            if reference(row, "dataElement") == element and reference(row, "categoryCombo"):
                return cast("str", reference(row, "categoryCombo"))
        return reference(self.body("dataElements", element), "categoryCombo") or DEFAULT_CATEGORY_COMBO

    def category_combos(self, element: str) -> set[str]:
        """Every category combo that an element is collected with."""
        sets: list[str | None] = [None, *self.data_sets_of.get(element, [])]
        return {self.category_combo(element, data_set) for data_set in sets}

    @cached_property
    def units_of_option(self) -> dict[str, frozenset[str]]:
        """Org units by category option that is limited to some."""
        return {
            uid: frozenset(references(body, "organisationUnits"))
            for uid, body in self.store.objects("categoryOptions").items()
        }

    def option_combos(self, element: str) -> list[str]:
        """The category option combos of an element."""
        return self.combos_of.get(self.category_combo(element), [DEFAULT_OPTION_COMBO])

    def attribute_combo(self, category_combo: str, options: Iterable[str]) -> str | None:
        """The attribute option combo of exactly these category options, or None."""
        wanted = set(options)
        for uid in self.combos_of.get(category_combo, []):
            if set(references(self.body("categoryOptionCombos", uid), "categoryOptions")) == wanted:
                return uid
        return None

    # Org units -----------------------------------------------------------------------------------------------------

    def path(self, unit: str) -> tuple[str, ...]:
        """The UIDs from the root to an org unit, itself included."""
        body = self.body("organisationUnits", unit)
        stored = body.get("path")
        if isinstance(stored, str):
            return tuple(part for part in stored.split("/") if part)
        found = [unit]
        while (above := reference(body, "parent")) and above not in found:
            found.append(above)
            body = self.body("organisationUnits", above)
        return tuple(reversed(found))

    def level(self, unit: str) -> int:
        """An org unit's level; 1 is the root."""
        return len(self.path(unit))

    @cached_property
    def children(self) -> Mapping[str, list[str]]:
        """Children by org unit."""
        return self.store.inverse("organisationUnits", "parent")

    def subtree(self, unit: str) -> list[str]:
        """An org unit and everything below it, depth first."""
        found: list[str] = []
        waiting = [unit]
        while waiting:
            current = waiting.pop()
            found.append(current)
            waiting.extend(self.children.get(current, []))
        return found

    def within(self, unit: str, roots: Iterable[str]) -> bool:
        """Is an org unit one of these or below one of them?"""
        return not set(self.path(unit)).isdisjoint(roots)


def identifier_of(body: Mapping[str, object], scheme: str) -> str | None:
    """How a scheme names an object: UID, CODE, NAME or ATTRIBUTE:uid; None when it has no such name."""
    if scheme.startswith("ATTRIBUTE:"):
        wanted = scheme.removeprefix("ATTRIBUTE:")
        for item in cast("list[JsonObject]", body.get("attributeValues") or []):
            if reference(item, "attribute") == wanted:
                return cast("str | None", item.get("value"))
        return None
    key = {"UID": "id", "ID": "id", "CODE": "code", "NAME": "name"}.get(scheme)
    return cast("str | None", body.get(key)) if key else None
