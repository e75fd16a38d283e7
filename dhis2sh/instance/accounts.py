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
from dhis2sh.errors import NeedsSecret, NotFound, Refused, UsageError
from dhis2sh.instance.people import GROUPS, ROLES, USERS, account, has_second_factor
from dhis2sh.instance.staff import weak
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.instance.staff import Staff
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

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
    """The accounts of a sheet as an import takes them: who is in a group is a property of the group (`members.with_groups`)."""
    return [{name: value for name, value in one.items() if name != GROUPS} for one in staff.accounts]


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
            summary.say(f"not there afterwards: {listed(missing, 10)}")
        wanted = {str(one["id"]): _groups_of(one) for one in staff.accounts if one["id"] in found}
        summary.failures += await outside_groups(s, wanted)

    return Plan(
        f"invite {counted(len(steps), 'person', 'people')}", steps, notes=[*staff.notes],
        writer=ByRequest(USERS, requests, again="the same line", complete=finish), left_out=staff.left_out,
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


async def without_second_factor(s: Session, uids: Sequence[str]) -> Plan:
    """The plan of taking second factors away; accounts that are known to have none are counted and left alone.

    Raises `NotFound`.
    """
    has = await has_second_factor(s, uids)
    needed = [uid for uid in uids if has.get(uid) is not False]
    plan = await each(s, needed, "twoFA/disabled", "no second factor any more")
    notes: list[str] = []
    if none := len(uids) - len(needed):
        notes.append(f"{counted(none, 'account')} had no second factor")
    if any(uid not in has for uid in needed):
        notes.append("whether there was a second factor is not known: since 2.42 a server says that to its owner alone")
    if not needed:
        plan.notes = []
    plan.notes += notes
    if plan.writer is not None:
        cast("ByRequest", plan.writer).notes = notes
    return plan


async def replica(s: Session, user: str, username: str, password: str) -> Plan:
    """The plan of copying an account under another username. Raises `UsageError` for one that is taken."""
    if await _holder(s, username):
        raise UsageError(f"the username {username} is taken", hint=f"dhis2 user get {username}")
    like = await account(s, user, "id,username,userGroups[id]")
    step = PlanStep("create", USERS, name=username, detail=f"roles, groups and units as {like.get('username')}")
    body: JsonObject = {"username": username, "password": password}

    async def finish(s: Session, summary: WriteSummary) -> None:
        uid = await _holder(s, username)
        if uid is None:
            raise Refused(f"the server said yes, and there is no account {username}", hint="dhis2 user list")
        summary.created, summary.updated, summary.uids = 1, 0, [uid]
        summary.failures += await outside_groups(s, {uid: _groups_of(like)})

    request = Request("POST", f"{USERS}/{user}/replica", body)
    notes = [f"{NO_WAY_BACK} by `undo`: the server gives the account its UID; dhis2 metadata users delete {username}"]
    return Plan(
        f"copy {like.get('username')} as {username}",
        [step],
        notes=notes,
        writer=ByRequest(USERS, [request], complete=finish),
    )


def _groups_of(body: Mapping[str, object]) -> list[str]:
    return [str(one["id"]) for one in cast("list[JsonObject]", body.get(GROUPS) or [])]


async def outside_groups(s: Session, wanted: Mapping[str, Sequence[str]]) -> list[Row]:
    """Accounts that a server has made and not put into all the groups that were said, a row each, with what does it.

    Parameters:
        wanted: the UIDs of the groups by that of the account.
    """
    asked = [uid for uid, groups in wanted.items() if groups]
    if not asked:
        return []
    rows = (await reading.by_uid(s.client, USERS, asked, fields=f"id,username,{GROUPS}[id]")).rows
    found: list[Row] = []
    for row in rows:
        uid, missing = str(row["id"]), [one for one in wanted[str(row["id"])] if one not in _groups_of(row)]
        if missing:
            told = f"is not in {counted(len(missing), 'group')}: dhis2 user-group members add {missing[0]} {uid}"
            found.append({"type": USERS, "uid": uid, "name": str(row.get("username")), "message": told})
    return found


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
            hint=f"dhis2 user replicate {user} {username}  makes one like it; the old one can be disabled then",
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
