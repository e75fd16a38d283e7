"""Who may see a tracked entity in a program: its owner's users, and those who gave a reason.

An open or audited program wants the owning org unit in the user's search scope; a protected or closed one wants it in
the capture scope, or temporary ownership, which lasts three hours.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.java.moments import now, text_of
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.tracker.metadata import single
from dhis2sh.sandbox.tracker.query import Sql, units_below
from dhis2sh.sandbox.tracker.storage import Tracker

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

_LASTS = dt.timedelta(hours=3)
_GUARDED = ("PROTECTED", "CLOSED")


def owner_of(tracker: Tracker, entity: str, program: str) -> str | None:
    """The org unit that owns a tracked entity in a program; that of the entity itself where nothing was said."""
    rows = tracker.rows(
        "SELECT coalesce((SELECT o.org_unit FROM program_owner o WHERE o.tracked_entity = t.uid AND o.program = ?), "
        "t.org_unit) AS unit FROM tracked_entity t WHERE t.uid = ?",
        (program, entity),
    )
    return cast("str", rows[0]["unit"]) if rows else None


def has_access(tracker: Tracker, rights: Rights, entity: str, program: JsonObject) -> bool:
    """May the user see, and with the right to write change, a tracked entity in a program?"""
    if rights.superuser or single(program):
        return True
    unit = owner_of(tracker, entity, cast("str", program["id"]))
    if unit is None:
        return True  # nobody owns what is not there yet
    if program.get("accessLevel") not in _GUARDED:
        return rights.in_scope(unit, "teiSearchOrganisationUnits")
    return rights.in_scope(unit) or bool(
        tracker.rows(
            "SELECT 1 FROM temporary_owner WHERE tracked_entity = ? AND program = ? AND user = ? AND valid_until > ?",
            (entity, program["id"], rights.uid, now()),
        )
    )


def grant(tracker: Tracker, entity: str, program: str, user: str, reason: str) -> None:
    """Make a user an owner for a while."""
    until = text_of(dt.datetime.now(dt.UTC) + _LASTS)
    with tracker.store.writing() as connection:
        connection.execute(
            "INSERT INTO temporary_owner (tracked_entity, program, user, reason, valid_until) VALUES (?, ?, ?, ?, ?)",
            (entity, program, user, reason, until),
        )


def limit(sql: Sql, rights: Rights, entity: str, program: str) -> None:
    """Leave out of a list what is guarded from the user.

    Parameters:
        entity: the expression for the tracked entity of a row.
        program: the expression for its program, or a program's UID in quotes.
    """
    if rights.superuser:
        return
    guarded = [
        uid for uid, body in rights.store.objects("programs").items()
        if body.get("accessLevel") in _GUARDED and not single(body)
    ]  # fmt: skip
    if not guarded:
        return
    units = units_below(rights.store, rights.roots("organisationUnits"))
    owner = (
        f"coalesce((SELECT o.org_unit FROM program_owner o WHERE o.tracked_entity = {entity} AND o.program = {program}), "
        f"(SELECT t.org_unit FROM tracked_entity t WHERE t.uid = {entity}))"
    )
    sql.add(
        f"({program} NOT IN ({_marks(guarded)}) OR {owner} IN ({_marks(units)}) OR EXISTS (SELECT 1 FROM temporary_owner x "
        f"WHERE x.tracked_entity = {entity} AND x.program = {program} AND x.user = ? AND x.valid_until > ?))",
        *guarded, *units, rights.uid, now(),
    )  # fmt: skip


def _marks(values: list[str]) -> str:
    return ",".join("?" * len(values))


_OF_USERS = (
    ("fk_programtempowner_userid", "programtempowner", "SELECT min(id) AS id FROM temporary_owner WHERE user = ?"),
    ("fk_programstageinstance_assigneduserid", "event",
     "SELECT min(id) AS id FROM event WHERE json_extract(assigned_user, '$.uid') = ?"),
)  # fmt: skip
"""What keeps a user, as the database names it: constraint, table, and the first row that names the user."""


def demand_unmentioned(tracker: Tracker, user: str) -> None:
    """A user who was given temporary ownership or an event stays, and the server lets its database say so. Raises `Refused`."""
    for constraint, table, query in _OF_USERS:
        number = tracker.rows(query, (user,))[0]["id"]
        if number is not None:
            raise Refused(
                409,
                f'ERROR: update or delete on table "userinfo" violates foreign key constraint "{constraint}" on table '
                f'"{table}"\n  Detail: Key (userinfoid)=({number}) is still referenced from table "{table}".',
            )
