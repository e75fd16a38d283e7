"""Organisation units and their levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.checks.probing import Found, Look, object_found, probe, uid_of

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

UNITS = "organisationUnits"


def _day(value: JsonValue) -> str:
    return str(value or "")[:10]


async def _with_parents(look: Look) -> list[tuple[Row, Row]]:
    rows = await look.rows(UNITS)
    by_uid = {str(row["id"]): row for row in rows}
    return [(row, parent) for row in rows if (parent := by_uid.get(uid_of(row.get("parent")))) is not None]


@probe(
    "units-open-below-closed", "warning", "metadata",
    reason="Their reports add up into a unit that no report shows any more.",
    verb="metadata update",
)  # fmt: skip
async def below_closed(look: Look) -> list[Found]:
    """Open units whose parent is closed."""
    today = look.now.date().isoformat()
    found: list[Found] = []
    for row, parent in await _with_parents(look):
        closed = _day(parent.get("closedDate"))
        if closed and closed <= today and not row.get("closedDate"):
            found.append(object_found(UNITS, row, f"{parent.get('displayName')} is closed since {closed}"))
    return found


@probe(
    "units-named-as-their-parent", "info", "metadata",
    reason="In a list nobody can tell which of the two it is; imports by name refuse both.",
    verb="metadata rename",
)  # fmt: skip
async def named_as_parent(look: Look) -> list[Found]:
    """Units with the name of their parent."""
    return [
        object_found(UNITS, row, "named as its parent")
        for row, parent in await _with_parents(look) if row.get("name") == parent.get("name")
    ]  # fmt: skip


@probe(
    "units-opening-in-future", "info", "metadata",
    reason="No data can be entered for them until then; most often it is a mistyped year.",
    verb="metadata update",
)  # fmt: skip
async def future(look: Look) -> list[Found]:
    """Units whose opening date is still to come."""
    today = look.now.date().isoformat()
    return [
        object_found(UNITS, row, f"opens on {_day(row.get('openingDate'))}")
        for row in await look.rows(UNITS) if _day(row.get("openingDate")) > today
    ]  # fmt: skip


@probe(
    "levels-without-name", "warning", "metadata",
    reason="Reports and maps call the level 'Level 5'.",
    verb="metadata create", whole=True,
)  # fmt: skip
async def levels(look: Look) -> list[Found]:
    """Levels of the hierarchy that have no name."""
    named = {str(row.get("level")) for row in await look.rows("organisationUnitLevels")}
    deep = sorted({level for row in await look.rows(UNITS) if isinstance(level := row.get("level"), int)})
    return [
        Found(
            f"level {level} has units and no name",
            f"dhis2 metadata create organisationUnitLevels --set name='Level {level}' --set level={level}",
            "organisationUnitLevels",
        )
        for level in deep
        if str(level) not in named
    ]
