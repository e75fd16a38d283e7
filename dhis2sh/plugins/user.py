"""`user`: accounts, what they may do, and the bulk work on them. Properties of an account are `metadata users`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

from dhis2sh.changes.plan import AGAIN, Plan
from dhis2sh.client.authorities import descriptions
from dhis2sh.dhis2.dates import span_of_days
from dhis2sh.instance import accounts, people, staff, switching
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.objects.creating import plan_create
from dhis2sh.metadata.objects.members import with_groups
from dhis2sh.metadata.objects.sheets import first_row
from dhis2sh.metadata.objects.updating import plan_update
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows, Verbatim
from dhis2sh.rows.tables import read_rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Complete, Doc, Piped, Refers, Touches, verb

UNDOES = switching.switched
"""How a switch is taken back: importing it here registers that."""
User = Annotated[str, Doc("The account: username or UID."), Refers(people.USERS)]
Users = Annotated[Rows[Row], Piped(), Doc("Accounts: usernames or UIDs; rows of a pipeline."), Refers(people.USERS)]
Roles = Annotated[list[str], Doc("User roles; may be repeated."), Refers(people.ROLES)]
Groups = Annotated[list[str], Doc("User groups; may be repeated."), Refers(people.GROUPS)]
Units = Annotated[list[str], Doc("Organisation units; may be repeated."), Refers(people.UNITS)]
Email = Annotated[str | None, Doc("The e-mail address.")]


@verb(
    "user list",
    effect="read",
    examples=["dhis2 user list --role Superuser", "%user list --disabled | select(username, lastLogin)"],
)
async def list_(
    s: Session,
    *,
    query: Annotated[str | None, Doc("Part of a name or username.")] = None,
    role: Annotated[str | None, Doc("Only those with this role."), Refers(people.ROLES)] = None,
    group: Annotated[str | None, Doc("Only those in this group."), Refers(people.GROUPS)] = None,
    org_unit: Annotated[str | None, Doc("Only those of this unit."), Refers(people.UNITS)] = None,
    disabled: Annotated[bool, Doc("Only those that are disabled.")] = False,
) -> Rows[Row]:
    """List accounts with roles, groups, units and the last sign-in.

    API source: `GET /api/users`.
    """
    filters = [
        *([f"userRoles.id:eq:{role}"] if role else []), *([f"userGroups.id:eq:{group}"] if group else []),
        *([f"organisationUnits.id:eq:{org_unit}"] if org_unit else []), *(["disabled:eq:true"] if disabled else []),
    ]  # fmt: skip
    found = [people.shown(user) for user in await people.accounts(s, filters)]
    if query:
        wanted = query.lower()
        found = [row for row in found if wanted in f"{row['username']} {row['name']}".lower()]
    return Rows(found, columns=people.COLUMNS, resource=people.USERS)


@verb("user get", effect="read", examples=["dhis2 user get admin"])
async def get(s: Session, user: User) -> Verbatim:
    """Show an account with roles, groups and units by name.

    API source: `GET /api/users/{uid}`.
    """
    return Verbatim(people.shown(await people.account(s, user)))


@verb(
    "user inactive",
    effect="read",
    examples=["dhis2 user inactive 6mo", "%user inactive 6mo | where(days is not None) | user.disable"],
)
async def inactive(
    s: Session,
    time: Annotated[str, Doc("So long without signing in: 90d, 6mo, 1y.")] = "6mo",
    *,
    disabled: Annotated[bool, Doc("Those too that are disabled already.")] = False,
) -> Rows[Row]:
    """List accounts that nobody has signed in with for some time; those that nobody ever has last.

    API source: `GET /api/users`; a server's own `inactiveMonths` leaves out who never signed in.
    """
    quiet = await people.inactive(s, span_of_days(time), dt.datetime.now(dt.UTC).date())
    rows = [row for row in quiet.rows if disabled or not row["disabled"]]
    if quiet.young:
        s.person.note(f"{quiet.young:,} accounts younger than that, never used, are left out")
    return Rows(
        rows,
        columns=("id", "username", "name", "lastLogin", "days", "created", "disabled", "roles"),
        resource=people.USERS,
    )


@verb(
    "user whocan", effect="read", examples=["dhis2 user whocan F_METADATA_IMPORT", "dhis2 user whocan 'Approve data'"]
)
async def whocan(s: Session, authority: Annotated[str, Doc("The authority, by its code or its name.")]) -> Rows[Row]:
    """List who may do something, and by which role; who has ALL may do everything.

    API source: `GET /api/userRoles`, `GET /api/authorities`.
    """
    columns = ("id", "username", "name", "authority", "roles", "disabled")
    return Rows(await people.who_can(s, authority), columns=columns, resource=people.USERS)


@verb("user sessions", effect="read", examples=["dhis2 user sessions"])
async def sessions(s: Session) -> Rows[Row]:
    """List who is signed in at this moment, as far as the server keeps track of it (2.42 and later).

    API source: `GET /api/sessions`.
    """
    return Rows(await people.sessions(s), columns=people.SESSION_COLUMNS)


@verb("user two-factor", effect="read", examples=["dhis2 user two-factor", "%user two-factor | where(not twoFactor)"])
async def two_factor(s: Session) -> Rows[Row]:
    """List who signs in with a second factor: of everybody until 2.41, of yourself since, as servers tell no more.

    API source: `GET /api/users`, `GET /api/2fa/enabled`.
    """
    return Rows(await people.second_factors(s), columns=people.FACTOR_COLUMNS, resource=people.USERS)


@verb("user diff", effect="read", examples=["dhis2 user diff anna bombali_clerk"])
async def diff(s: Session, left: User, right: User) -> Rows[Row]:
    """List what one account may and the other may not, in both directions, and by which role.

    API source: `GET /api/userRoles`.
    """
    named = await descriptions(s.client)
    found = people.difference(await people.may_of_account(s, left), await people.may_of_account(s, right), named)
    return Rows(found, columns=("who", "authority", "name", "roles", "notFor"))


@verb(
    "user create",
    effect="write",
    examples=["dhis2 user create anna --first-name Anna --surname Kamara --role 'Data entry clerk' --org-unit Bo"],
)
async def create(
    s: Session,
    username: Annotated[str, Doc("The new account's username.")],
    *,
    first_name: Annotated[str, Doc("The first name.")],
    surname: Annotated[str, Doc("The surname.")],
    role: Roles = [],
    group: Groups = [],
    org_unit: Units = [],
    email: Email = None,
    template: Annotated[
        str | None, Doc("Roles, groups and units as of this account, where they are not said."), Refers(people.USERS)
    ] = None,
    passwords: Annotated[
        Path | None, Doc("Make a password up, and write it to this file."), Complete("files"), Touches("writes")
    ] = None,
) -> Plan:
    """Create an account; its password is asked for, or made up into a file that nobody else can read.

    API source: `POST /api/users`.
    """
    row: Row = {"username": username, "firstName": first_name, "surname": surname, "email": email}
    row |= {people.ROLES: [*role], people.GROUPS: [*group], people.UNITS: [*org_unit]}
    if passwords is None:
        row["password"] = await accounts.asked(s, username)
    made = await staff.read(
        s,
        [{key: value for key, value in row.items() if value}],
        template=template,
        passwords=passwords is not None,
        invited=False,
        first=staff.ALONE,
    )
    return await _create(s, made, passwords)


@verb(
    "user import",
    effect="write",
    examples=["dhis2 user import staff.csv --template bombali_clerk --passwords new.csv --dry-run"],
)
async def import_(
    s: Session,
    file: Annotated[
        Source, Doc("A sheet of people: username, firstName, surname, email, roles, groups, units."), Complete("files")
    ],
    *,
    template: Annotated[
        str | None,
        Doc("Roles, groups and units as of this account, where the sheet does not say."),
        Refers(people.USERS),
    ] = None,
    passwords: Annotated[
        Path | None, Doc("Make passwords up, and write them to this file."), Complete("files"), Touches("writes")
    ] = None,
) -> Plan:
    """Create accounts from a sheet; who is there already is left out and named, units and roles may be names.

    Every wrong row is told before anything is sent. Names in one cell stand between semicolons.

    API source: `POST /api/metadata`.
    """
    return await _create(s, await _staff(s, file, template, passwords=passwords is not None, invited=False), passwords)


async def _staff(s: Session, file: Source, template: str | None, *, passwords: bool, invited: bool) -> staff.Staff:
    rows = read_rows(file, key=people.USERS, stdin=s.person.read, tell=s.person.warn)
    return await staff.read(s, rows, template=template, passwords=passwords, invited=invited, first=first_row(file))


async def _create(s: Session, made: staff.Staff, passwords: Path | None) -> Plan:
    """The plan of creating accounts; made-up passwords are in their file before the first is sent."""
    if not made.accounts:
        nobody = writes.plan("create 0 users", [], what=people.USERS, notes=made.notes)
        nobody.left_out = made.left_out
        return nobody
    plan = await plan_create(s, people.USERS, {}, from_=Rows(accounts.without_groups(made)))
    plan = await with_groups(
        s, plan, made.accounts, again="the same line with another --passwords FILE" if passwords else AGAIN
    )
    plan.notes = [*made.notes, *plan.notes]
    plan.left_out = made.left_out
    if passwords is not None:
        plan = accounts.with_passwords(plan, passwords, made.made)
    return plan


@verb("user invite", effect="write", examples=["dhis2 user invite staff.csv --template bombali_clerk --dry-run"])
async def invite(
    s: Session,
    file: Annotated[Source, Doc("A sheet of people, each with an e-mail address."), Complete("files")],
    *,
    template: Annotated[str | None, Doc("Roles, groups and units as of this account."), Refers(people.USERS)] = None,
) -> Plan:
    """Invite people by e-mail: each chooses a password of their own. A server without a mail server refuses (E6203).

    API source: `POST /api/users/invite`.
    """
    return accounts.inviting(await _staff(s, file, template, passwords=False, invited=True))


@verb("user reinvite", effect="write", examples=["dhis2 user reinvite anna"])
async def reinvite(s: Session, users: Users) -> Plan:
    """Send the invitation once more.

    API source: `POST /api/users/{uid}/invite`.
    """
    return await accounts.each(s, uids_of(users), "invite", "send the invitation once more")


@verb("user reset-password", effect="write", examples=["dhis2 user reset-password anna"])
async def reset_password(s: Session, users: Users) -> Plan:
    """Let the server mail a link by which people choose a new password.

    API source: `POST /api/users/{uid}/reset`.
    """
    return await accounts.each(s, uids_of(users), "reset", "mail a link for a new password")


@verb("user replicate", effect="write", examples=["dhis2 user replicate bombali_clerk bo_clerk"])
async def replicate(s: Session, user: User, username: Annotated[str, Doc("The new account's username.")]) -> Plan:
    """Make an account with the roles, groups and units of another; its password is asked for.

    API source: `POST /api/users/{uid}/replica`.
    """
    return await accounts.replica(s, user, username, await accounts.asked(s, username))


@verb("user rename-username", effect="write", examples=["dhis2 user rename-username anna akamara"])
async def rename_username(s: Session, user: User, username: Annotated[str, Doc("The new username.")]) -> Plan:
    """Change a username, where the server allows it: 2.41 and later refuse it (E4056), and so does this verb there.

    API source: `PATCH /api/users/{uid}`.
    """
    await accounts.may_be_renamed(s, user, username)
    change: JsonObject = {"username": username}
    return await plan_update(s, people.USERS, user, change)


@verb("user disable", effect="write", examples=["dhis2 user disable anna", "%user inactive 1y | user.disable"])
async def disable(s: Session, users: Users) -> Plan:
    """Let nobody sign in with some accounts any more; `undo` enables them again.

    Your own, and the last one with ALL, are refused: a server does either without a word.

    API source: `POST /api/users/{uid}/disabled`.
    """
    uids = uids_of(users)
    await people.may_be_disabled(s, uids)
    return await switching.plan(s, switching.ACCOUNTS, uids, True)


@verb("user enable", effect="write", examples=["dhis2 user enable anna"])
async def enable(s: Session, users: Users) -> Plan:
    """Let people sign in again; `undo` disables them again.

    API source: `POST /api/users/{uid}/enabled`.
    """
    return await switching.plan(s, switching.ACCOUNTS, uids_of(users), False)


@verb("user two-factor-off", effect="write", examples=["dhis2 user two-factor-off anna"])
async def two_factor_off(s: Session, users: Users) -> Plan:
    """Take the second factor away from accounts whose owner has lost it; who is known to have none is left alone.

    API source: `POST /api/users/{uid}/twoFA/disabled`.
    """
    return await accounts.without_second_factor(s, uids_of(users))


@verb("user grant", effect="write", examples=["dhis2 user grant anna 'Data entry clerk'"])
async def grant(s: Session, user: User, roles: Roles) -> Plan:
    """Give an account roles; the others stay. `undo` takes them away again.

    API source: `PATCH /api/users/{uid}`.
    """
    return await plan_update(s, people.USERS, user, await accounts.with_roles(s, user, roles, give=True))


@verb("user revoke", effect="write", examples=["dhis2 user revoke anna 'Data entry clerk'"])
async def revoke(s: Session, user: User, roles: Roles) -> Plan:
    """Take roles away from an account; one has to stay (E4055). `undo` gives them back.

    API source: `PATCH /api/users/{uid}`.
    """
    return await plan_update(s, people.USERS, user, await accounts.with_roles(s, user, roles, give=False))
