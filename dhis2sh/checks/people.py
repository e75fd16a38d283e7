"""Accounts, and what is open to more people than somebody meant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from dhis2sh.checks.finding import Severity
from dhis2sh.checks.probing import Found, Look, items, object_found, probe, size_of, texts_of, uid_of

if TYPE_CHECKING:
    from dhis2sh.instance.access import Problem
    from dhis2sh.types import Row

USERS = "users"
QUIET_DAYS = 90
EXTERNAL = "sharing-external"


async def _supers(look: Look) -> list[Row]:
    roles = {str(row["id"]) for row in await look.rows("userRoles") if "ALL" in texts_of(row.get("authorities"))}
    return [
        row
        for row in await look.rows(USERS)
        if not row.get("disabled") and any(uid_of(one) in roles for one in items(row.get("userRoles")))
    ]


@probe(
    "superusers-quiet", "severe", "server",
    reason="An account that may do everything and that nobody uses is the first one an intruder looks for.",
    verb="user disable", whole=True,
)  # fmt: skip
async def quiet_supers(look: Look) -> list[Found]:
    """Enabled accounts with the authority ALL that nobody has signed in with for 90 days."""
    found: list[Found] = []
    for row in await _supers(look):
        days = look.days_since(row.get("lastLogin"))
        age = look.days_since(row.get("created"))
        if (days is None and age is not None and age > QUIET_DAYS) or (days is not None and days > QUIET_DAYS):
            told = "never signed in" if days is None else f"last signed in {days:.0f} days ago"
            found.append(object_found(USERS, row, told, f"dhis2 user disable {row['id']}"))
    return found


@probe(
    "accounts-expired-but-enabled", "info", "server",
    reason="They look as if they could be used, and nobody can sign in with them.",
    verb="user disable",
)  # fmt: skip
async def expired(look: Look) -> list[Found]:
    """Enabled accounts whose date of expiry has passed."""
    return [
        object_found(USERS, row, f"expired {days:.0f} days ago", f"dhis2 user disable {row['id']}")
        for row in await look.rows(USERS)
        if not row.get("disabled") and (days := look.days_since(row.get("accountExpiry"))) is not None and days > 0
    ]


@probe(
    "accounts-without-units", "warning", "server",
    reason="Who has no unit can enter nothing, and sees an empty tree.",
    verb="metadata users update", whole=True,
)  # fmt: skip
async def without_units(look: Look) -> list[Found]:
    """Enabled accounts without an organisation unit."""
    return [
        object_found(USERS, row, "no organisation unit")
        for row in await look.rows(USERS)
        if not row.get("disabled") and not row.get("invitation") and size_of(row.get("organisationUnits")) == 0
    ]  # fmt: skip


@probe(
    "accounts-without-email", "info", "server",
    reason="They cannot set a new password by themselves, and no message reaches them.",
    verb="metadata users update", whole=True,
)  # fmt: skip
async def without_email(look: Look) -> list[Found]:
    """Enabled accounts without an e-mail address."""
    return [object_found(USERS, row, "no e-mail address") for row in await look.rows(USERS) if not row.get("disabled") and not row.get("email")]  # fmt: skip


@probe(
    "usernames-alike", "severe", "server",
    reason="DHIS2 compares usernames without regard to capitals when somebody signs in: one of the two cannot.",
    verb="user rename-username", whole=True,
)  # fmt: skip
async def alike(look: Look) -> list[Found]:
    """Accounts whose usernames differ in capital letters only."""
    groups: dict[str, list[Row]] = {}
    for row in await look.rows(USERS):
        groups.setdefault(str(row.get("username")).casefold(), []).append(row)
    return [
        object_found(USERS, row, f"alike: {', '.join(str(one.get('username')) for one in group)}")
        for group in groups.values() if len(group) > 1 for row in group
    ]  # fmt: skip


_SHARING: tuple[tuple[str, Problem, Severity, str, str, str, bool], ...] = (
    (EXTERNAL, "external", "severe", "Objects that everybody on the internet sees without signing in",
     "Somebody shared it with the world, and most often did not mean to.", "doctor fix", False),
    ("sharing-public-data", "public data", "warning", "Objects whose data every user may enter and change",
     "An account of one programme changes the data of another.", "metadata share", False),
    ("sharing-public-edit", "public edit", "info", "Objects that every user with the authority may change and delete",
     "A mistake of one administrator reaches what others have made.", "metadata share", False),
    ("owners-gone", "no owner", "info", "Objects whose owner is no user any more",
     "Nobody is left whose they are.", "metadata update", True),
    ("owners-disabled", "owner disabled", "info", "Objects whose owner is disabled",
     "Who has left still owns them.", "metadata update", True),
    ("sharing-with-unknown-users", "unknown user", "info", "Objects shared with users who are no more",
     "An import or a deletion has left them there.", "metadata share", True),
    ("sharing-with-unknown-groups", "unknown group", "warning", "Objects shared with groups that are no more",
     "Those who were in the group do not see them.", "metadata share", True),
    ("groups-of-nobody", "empty group", "info", "User groups without members",
     "What is shared with it is shared with nobody.", "metadata user-groups delete", True),
)  # fmt: skip
OF_SHARING = frozenset(name for name, *_ in _SHARING)
"""Probes that look at what `sharing audit` finds."""


def _of_sharing(problem: Problem, about: str) -> Callable[[Look], Awaitable[Iterable[Found]]]:
    async def look_at(look: Look) -> list[Found]:
        return [
            Found(one.detail, one.fix, one.type, one.id, one.name)
            for one in await look.sharing()
            if one.problem == problem
        ]

    look_at.__doc__ = about
    return look_at


for _name, _problem, _severity, _about, _reason, _verb, _whole in _SHARING:
    probe(_name, _severity, "server", reason=_reason, verb=_verb, whole=_whole)(_of_sharing(_problem, _about))
