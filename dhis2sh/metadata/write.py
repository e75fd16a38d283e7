"""One change of one object of metadata, as it is and as it shall be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import PlanStep
from dhis2sh.dhis2.properties import SET_BY_SERVER, name_of

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Action
    from dhis2sh.types import JsonObject

OWNED = ":owner,access[update,delete]"
"""All that an object owns, and whether this user may change it."""
OF_ANOTHER = SET_BY_SERVER - {"created"}
"""What a new object may say of the server that it was exported from; only when it was created an import keeps."""
ALSO: Mapping[Action, Action] = {"update": "also update", "delete": "also delete"}
"""What an action is called that the server does by itself."""


@dataclass(frozen=True, slots=True)
class Write:
    """One object as it is and as it shall be, both with all properties that it owns (`fields=:owner`).

    Parameters:
        plural: its type.
        before: None for one that is created.
        after: None for one that is deleted.
        detail: what changes in words, where the properties before and after do not say it to a person.
        by_server: the server does it by itself with the rest of the plan (it takes what is deleted out of charts): nothing
            is sent for it, it is written down before, and looked at afterwards.
    """

    plural: str
    before: JsonObject | None
    after: JsonObject | None
    detail: str | None = None
    by_server: bool = False

    @property
    def action(self) -> Action:
        """create, update or delete."""
        return "create" if self.before is None else "delete" if self.after is None else "update"

    @property
    def uid(self) -> str:
        """The object's UID; creations get theirs before the plan is shown."""
        return str((self.before or self.after or {})["id"])

    @property
    def name(self) -> str | None:
        """What people call it, as it is now."""
        found = self.before or self.after or {}
        return name_of(found)

    @property
    def called(self) -> str:
        """The object in a sentence: its name and its UID."""
        return f"{self.name or self.plural} [{self.uid}]"

    @property
    def allowed(self) -> bool:
        """May this user do it, as far as the server has said with the object? Creations only an import tells."""
        access = cast("JsonObject", (self.before or {}).get("access") or {})
        return self.by_server or access.get(self.action) is not False

    def without_access(self) -> Write:
        """The same without what the user may do, which is no part of the object."""
        if self.before is None or "access" not in self.before:
            return self
        before, after = (
            value and {name: item for name, item in value.items() if name != "access"}
            for value in (self.before, self.after)
        )
        return replace(self, before=before, after=after)

    def changed(self) -> tuple[JsonObject | None, JsonObject | None]:
        """Before and after for the journal: of an update the changed properties, else the whole object."""
        if self.before is None or self.after is None:
            return self.before, self.after
        names = [
            name
            for name in {**self.before, **self.after}
            if name not in SET_BY_SERVER and self.before.get(name) != self.after.get(name)
        ]
        return (
            {name: self.before[name] for name in names if name in self.before},
            {name: self.after[name] for name in names if name in self.after},
        )

    def step(self) -> PlanStep:
        """This change as a plan shows it."""
        before, after = self.changed()
        if (
            before is None and after is not None
        ):  # of the server that it comes from; when this one saves it, it says itself
            after = {name: value for name, value in after.items() if name not in OF_ANOTHER}
        action = ALSO[self.action] if self.by_server else self.action
        return PlanStep(action, self.plural, self.uid, self.name, self.detail, before, after)


def called(item: JsonObject) -> str:
    """An object in a title: its name in quotes and its UID."""
    name = name_of(item)
    return f"'{name}' [{item['id']}]" if name else f"[{item['id']}]"
