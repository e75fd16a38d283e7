"""What a person has to do when a package is there: what no file can know of a country, each with its command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.metadata import writes
from dhis2sh.metadata.bundles.report import ToDo
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.metadata.write import Write
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

_SCRIPT = re.compile(r"<script|\bon\w+\s*=", re.IGNORECASE)
EMPTY: Mapping[str, tuple[str, str]] = {
    "programs": ("organisationUnits", "nobody can enter data before it has organisation units"),
    "dataSets": ("organisationUnits", "nobody can enter data before it has organisation units"),
    "predictors": ("organisationUnitLevels", "nothing is predicted before it has levels of organisation units"),
}
"""By type: what no package can bring, and what it means that it is missing."""


async def still_to_do(s: Session, plan: Plan, types: Mapping[str, Resource]) -> list[ToDo]:
    """The list, from what the plan creates, and what it opens to everybody.

    Parameters:
        types: the types of the server's version.
    """
    changes = writes.changes_of(plan)
    created = [write for write in changes if write.action == "create"]
    by_type: dict[str, list[Write]] = {}
    for write in created:
        by_type.setdefault(write.plural, []).append(write)
    found: list[ToDo] = []
    if groups := by_type.get("userGroups"):
        found.append(await _members(s, groups))
    for plural, (name, means) in EMPTY.items():
        empty = [write for write in by_type.get(plural, ()) if not (write.after or {}).get(name)]
        if empty:
            found.append(_empty(plural, name, means, empty))
    found += [ToDo(what=what, command=command) for what, command in _code(by_type)]
    found += _open_to_all(changes)
    combos = {_uid_of(write, "categoryCombo") for write in by_type.get("categoryOptionCombos", ())}
    for write in by_type.get("categoryCombos", ()):
        if write.uid not in combos:
            found.append(
                ToDo(
                    what=f"category combination '{write.name}' comes without its option combinations",
                    command=f"dhis2 metadata category-combos regenerate {write.uid}",
                )
            )
    return found


async def _members(s: Session, groups: Sequence[Write]) -> ToDo:
    me = await s.client.get_object("me", {"fields": "username"})
    return ToDo(
        what=f"{counted(len(groups), 'user group')} without members: {listed(str(one.name) for one in groups)}",
        command=f"dhis2 metadata add userGroups {groups[0].uid} {me['username']} --property users",
    )


def _empty(plural: str, name: str, means: str, empty: Sequence[Write]) -> ToDo:
    """Which units or levels only a person can say: the command lists them, and the line says what adds the chosen ones."""
    adds = f"metadata add {plural} {empty[0].uid} --property {name}"
    said = f"{plural} {listed(f"'{one.name}'" for one in empty)}: {means}; choose from these, and {adds} takes them"
    return ToDo(what=said, command=f"dhis2 metadata list {name} --fields id,name,level")


def _code(by_type: Mapping[str, Sequence[Write]]) -> list[tuple[str, str]]:
    """What runs in people's browsers or on the database, and should be read by somebody first."""
    found: list[tuple[str, str]] = []
    for plural, name in (("dataEntryForms", "htmlCode"), ("reports", "designContent")):
        scripts = [one for one in by_type.get(plural, ()) if _SCRIPT.search(str((one.after or {}).get(name) or ""))]
        if scripts:
            told = listed(f"'{one.name}'" for one in scripts)
            found.append((f"{plural} {told} run scripts of others in your users' browsers: read them first",
                          f"dhis2 metadata get {plural} {scripts[0].uid} --fields {name}"))  # fmt: skip
    if views := by_type.get("sqlViews"):
        told = listed(f"'{one.name}'" for one in views)
        found.append((f"sqlViews {told} read the database: read them first",
                      f"dhis2 metadata get sqlViews {views[0].uid} --fields sqlQuery"))  # fmt: skip
    return found


def _open_to_all(changes: Sequence[Write]) -> list[ToDo]:
    """What every user of the server may change from now on, type by type."""
    by_type: dict[str, list[Write]] = {}
    for write in changes:
        if _public(write.after)[1:2] == "w" and _public(write.before)[1:2] != "w":
            by_type.setdefault(write.plural, []).append(write)
    found: list[ToDo] = []
    for plural, wide in by_type.items():
        data = min((_public(write.after)[2:4].strip("-") for write in wide), key=len)  # nobody gets more than before
        access = f"r/{data}" if data else "r"
        command = f"dhis2 metadata share {plural} {' '.join(write.uid for write in wide)} --public {access}"
        found.append(ToDo(what=f"everybody may change {counted(len(wide), 'object')} of {plural}", command=command))
    return found


def _public(body: JsonObject | None) -> str:
    sharing = (body or {}).get("sharing")
    return str(sharing.get("public") or "") if isinstance(sharing, dict) else ""


def _uid_of(write: Write, name: str) -> str:
    value = (write.after or {}).get(name)
    return str(value.get("id")) if isinstance(value, dict) else ""
