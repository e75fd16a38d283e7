"""Accounts made, invited, copied and given roles: the plans of it.

API source: `UserController.java` (api-facts h.9; recorded `users`, `people-*`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.client import reading
from dhis2sh.errors import Forbidden, NeedsSecret, NotFound, Refused, UsageError
from dhis2sh.instance.people import GROUPS, ROLES, USERS, account
from dhis2sh.instance.staff import weak
from dhis2sh.metadata import writes
from dhis2sh.metadata.comparing import ids
from dhis2sh.metadata.write import Write
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.instance.staff import Staff
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

NO_WAY_BACK = "this cannot be undone"
FIXED_SINCE = 41
"""From 2.41 on a username can no longer be changed (E4056)."""


async def asked(s: Session, username: str) -> str:
    """A password, asked for. Raises `NeedsSecret` where nobody can be asked, `UsageError` for one that a server refuses."""
    password = await s.person.secret(f"password of {username}: ")
    if not password:
        raise NeedsSecret(f"{username} needs a password", hint="--passwords FILE makes one up, or ask in a terminal")
    if why := weak(password):
        raise UsageError(f"the password {why}", hint="eight letters, small and capital, a digit and another mark")
    return password


def with_passwords(plan: Plan, file: Path, made: Mapping[str, str]) -> Plan:
    """A plan of creating accounts which writes their passwords to a file first. Raises `UsageError` where that is there."""
    if file.exists():
        raise UsageError(
            f"{file} is there already, and its passwords would be lost", hint=f"--passwords {file.stem}-2{file.suffix}"
        )

    def write() -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([("username", "password"), *made.items()])
        paths.write_atomic(file, text.getvalue(), mode=0o600)

    plan.prepare = write  # before the first account is made: one whose password nobody knows would be lost
    plan.notes.append(f"{counted(len(made), 'password')} will be in {file}, and nowhere else")
    return plan


def without_groups(staff: Staff) -> list[Row]:
    """The accounts of a sheet as an import takes them: who is in a group is a property of the group (`with_groups`)."""
    return [{name: value for name, value in one.items() if name != GROUPS} for one in staff.accounts]


async def with_groups(s: Session, planned: Plan, staff: Staff, *, again: str) -> Plan:
    """A plan of creating accounts which puts them into their groups too; blocked where a group is not to be changed.

    Parameters:
        planned: creates the accounts of `staff`.
        again: what finishes the rest where the write was cut off and nobody was to be in a group.

    Raises `NotFound` for a group that is gone.
    """
    wanted: dict[str, dict[str, str]] = {}
    for one in staff.accounts:
        for uid in ids(cast("list[JsonValue]", one.get(GROUPS) or [])):
            wanted.setdefault(uid, {})[str(one["id"])] = str(one["username"])
    changes = writes.changes_of(planned)
    barred: list[str] = []
    for before in await writes.read_objects(s, GROUPS, [*wanted]) if wanted else []:
        new = wanted[str(before["id"])]
        members: list[JsonValue] = [*cast("list[JsonValue]", before.get("users") or []), *({"id": uid} for uid in new)]
        write = Write(GROUPS, before, {**before, "users": members}, detail=f"users: + {listed(new.values(), 5)}")
        barred += [] if write.allowed else [write.called]
        changes.append(write)
    if wanted:  # the same line leaves out who is there, and would put nobody into a group
        again = f"dhis2 undo, and {again}"
    made = writes.plan(planned.title, changes, what=USERS, atomic=True, again=again, notes=planned.notes)
    if barred:
        made.blocked = Forbidden(f"you may not put accounts into {listed(barred)}", hint="leave the group out")
    return made


def inviting(staff: Staff) -> Plan:
    """The plan of inviting people, a request each."""
    steps = [
        PlanStep("create", USERS, uid=str(one["id"]), name=str(one["username"]), detail=f"invited at {one['email']}")
        for one in staff.accounts
    ]
    requests = [Request("POST", f"{USERS}/invite", one, steps=[number]) for number, one in enumerate(staff.accounts)]

    async def finish(s: Session, summary: WriteSummary) -> None:
        uids = [str(step.uid) for step in steps]
        found = {str(row["id"]) for row in (await reading.by_uid(s.client, USERS, uids, fields="id")).rows}
        summary.created, summary.uids = len(found), sorted(found)
        if missing := [str(step.name) for step in steps if step.uid not in found]:
            summary.note = f"not there afterwards: {listed(missing, 10)}"

    return Plan(
        f"invite {counted(len(steps), 'person', 'people')}", steps, notes=[*staff.notes],
        writer=ByRequest(USERS, requests, again="the same line", complete=finish),
    )  # fmt: skip


async def each(s: Session, uids: Sequence[str], address: str, does: str) -> Plan:
    """The plan of a request to each of some accounts. Raises `NotFound`.

    Parameters:
        address: the end of the address.
        does: what it does, in words.
    """
    found = {
        str(row["id"]): row for row in (await reading.by_uid(s.client, USERS, uids, fields="id,username,email")).rows
    }
    if missing := [uid for uid in uids if uid not in found]:
        raise NotFound(f"there is no user {listed(missing)}", hint="dhis2 user list")
    steps = [PlanStep("run", USERS, uid=uid, name=str(found[uid].get("username")), detail=does) for uid in uids]
    requests = [Request("POST", f"{USERS}/{uid}/{address}", steps=[n], updated=[uid]) for n, uid in enumerate(uids)]
    writer = ByRequest(USERS, requests, again="the same line for the rest")
    return Plan(f"{does}: {counted(len(uids), 'account')}", steps, notes=[NO_WAY_BACK], writer=writer)


async def replica(s: Session, user: str, username: str, password: str) -> Plan:
    """The plan of copying an account under another username. Raises `UsageError` for one that is taken."""
    if await _holder(s, username):
        raise UsageError(f"the username {username} is taken", hint=f"dhis2 user get {username}")
    like = await account(s, user, "id,username")
    step = PlanStep("create", USERS, name=username, detail=f"roles, groups and units as {like.get('username')}")
    body: JsonObject = {"username": username, "password": password}

    async def finish(s: Session, summary: WriteSummary) -> None:
        uid = await _holder(s, username)
        if uid is None:
            raise Refused(f"the server said yes, and there is no account {username}", hint="dhis2 user list")
        summary.created, summary.updated, summary.uids = 1, 0, [uid]

    request = Request("POST", f"{USERS}/{user}/replica", body)
    notes = [f"{NO_WAY_BACK} by `undo`: the server gives the account its UID; dhis2 metadata users delete {username}"]
    return Plan(
        f"copy {like.get('username')} as {username}",
        [step],
        notes=notes,
        writer=ByRequest(USERS, [request], complete=finish),
    )


async def _holder(s: Session, username: str) -> str | None:
    """The UID of the account of a username, None where it is free."""
    rows = await reading.all_of(s.client, USERS, [f"username:eq:{username}"], fields="id")
    return str(rows[0]["id"]) if rows else None


async def may_be_renamed(s: Session, user: str, username: str) -> None:
    """Raise `UsageError` where a username cannot be changed: on 2.41 and later, or to one that is taken."""
    version = await s.client.version()
    if version.minor >= FIXED_SINCE:
        raise UsageError(
            f"DHIS2 {version} refuses to change a username (E4056)",
            hint=f"dhis2 user replicate {user} {username}, then dhis2 user disable {user}",
        )
    if await _holder(s, username):
        raise UsageError(f"the username {username} is taken", hint=f"dhis2 user get {username}")


async def with_roles(s: Session, user: str, roles: Sequence[str], *, give: bool) -> JsonObject:
    """The roles of an account after giving or taking some. Raises `UsageError` where none would stay."""
    found = await account(s, user, "id,username,userRoles[id]")
    now = [str(role["id"]) for role in cast("list[JsonObject]", found.get(ROLES) or [])]
    after = [*now, *(uid for uid in roles if uid not in now)] if give else [uid for uid in now if uid not in roles]
    if not after:
        raise UsageError(
            f"{found.get('username')} would have no role, and a server wants one (E4055)",
            hint=f"dhis2 user disable {user}",
        )
    return {ROLES: [{"id": uid} for uid in after]}
