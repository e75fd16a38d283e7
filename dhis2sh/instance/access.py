"""Who may see and change what: sharing looked through for what somebody forgot.

API source: `GET /api/{type}?fields=sharing` (api-facts h.6).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.client import schema
from dhis2sh.client.whole_types import WholeTypes
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.instance.people import GROUPS, USERS

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

type Problem = Literal[
    "external",
    "public edit",
    "public data",
    "no owner",
    "owner disabled",
    "unknown user",
    "unknown group",
    "empty group",
]
FIELDS = "id,displayName,sharing"
"""What is looked at of a type that is shared."""
WITHOUT_ENTRY = frozenset({"sqlViews", "routes"})
"""Types whose data nobody enters: their data access is for seeing rows and using what they lead to."""
SYSTEM = frozenset({"XXXXXSystem", "system-process"})
"""The server itself, as an owner of what it has made: from 2.42 on, and up to 2.41 (recorded)."""
DATA_WRITE, META_WRITE = 3, 1
"""Where in an access string the letters for writing data and for writing the object itself stands."""


@dataclass(slots=True)
class Finding:
    """Something about an object's sharing that somebody should look at.

    Parameters:
        problem: what kind; `detail` in words.
        fix: the command that mends it.
    """

    type: str
    id: str
    name: str
    problem: Problem
    detail: str
    fix: str


@dataclass(frozen=True, slots=True)
class Known:
    """Who there is, for references in sharing that lead nowhere.

    Parameters:
        me: UID of who asks.
        users: usernames by UID; `disabled` those of accounts that are.
        groups: names by UID; `empty` those without members.
        complete: whether who asks sees all of them; otherwise nobody is said to be missing.
    """

    me: str

    users: Mapping[str, str]
    disabled: frozenset[str]
    groups: Mapping[str, str]
    empty: frozenset[str]
    complete: bool


async def read_of(s: Session, types: Sequence[str] = ()) -> dict[str, str]:
    """What `found_in` looks at: the fields of each type, by plural. Parameters and errors as of `audit`."""
    return {
        **{resource.plural: FIELDS for resource in await _shared(s, types)},
        USERS: "id,username,disabled",
        GROUPS: f"{FIELDS},users[id]",
    }


async def known(s: Session, read: WholeTypes) -> Known:
    """Who there is."""
    me = await s.client.system.me()
    users = await read.rows(USERS)
    groups = await read.rows(GROUPS)
    return Known(
        str(me.id),
        {str(row["id"]): str(row.get("username")) for row in users},
        frozenset(str(row["id"]) for row in users if row.get("disabled")),
        {str(row["id"]): str(row.get("displayName")) for row in groups},
        frozenset(str(row["id"]) for row in groups if not row.get("users")),
        me.may("ALL"),
    )


async def audit(s: Session, types: Sequence[str]) -> AsyncIterator[list[Finding]]:
    """What is found, a type at a time; groups without members first.

    Parameters:
        types: plurals; every type that is shared without them.

    Raises `UsageError` for a type that is not shared.
    """
    async with WholeTypes(s.client, await read_of(s, types)) as read:
        async for found in found_in(s, read, types):
            yield found


async def found_in(s: Session, read: WholeTypes, types: Sequence[str] = ()) -> AsyncIterator[list[Finding]]:
    """What `audit` finds in what is read ahead; `read_of` says what that is."""
    resources = await _shared(s, types)
    there = await known(s, read)
    if not types:
        yield [
            Finding(
                GROUPS, uid, there.groups[uid], "empty group", "nobody is in it: what is shared with it is shared with nobody",
                f"dhis2 metadata user-groups delete {uid}",
            )
            for uid in sorted(there.empty)
        ]  # fmt: skip
    for resource in resources:
        rows = await read.rows(resource.plural)
        if found := [finding for row in rows for finding in of_object(resource, row, there)]:
            yield found


async def _shared(s: Session, types: Sequence[str]) -> list[Resource]:
    all_of = {name: resource for name, resource in (await schema.resources_of(s.client)).items() if resource.shareable}
    if wrong := [name for name in types if name not in all_of]:
        raise UsageError(f"{wrong[0]} are not shared", hint=did_you_mean(wrong[0], [*all_of]) or "dhis2 metadata types")
    return [all_of[name] for name in types or sorted(all_of)]


def of_object(resource: Resource, row: Mapping[str, JsonValue], there: Known) -> Iterator[Finding]:
    """What is found about one object."""
    uid, name = str(row["id"]), str(row.get("displayName"))
    if uid in DEFAULT_OBJECTS.values():
        return  # everybody's, and the server's own
    sharing = cast("JsonObject", row.get("sharing") or {})
    line = f"dhis2 metadata share {resource.plural} {uid} --public"

    def found(problem: Problem, detail: str, fix: str) -> Finding:
        return Finding(resource.plural, uid, name, problem, detail, fix)

    public = str(sharing.get("public") or "--------")
    if sharing.get("external"):
        yield found(
            "external",
            "everybody on the internet sees it without signing in",
            f"dhis2 metadata update {resource.plural} {uid} --set sharing.external=false",
        )
    enters = public[DATA_WRITE] == "w" and resource.data_shareable and resource.plural not in WITHOUT_ENTRY
    edits = public[META_WRITE] == "w"
    mend = f"{line} {public.replace('w', '-')}"  # reading stays as it is
    if enters:
        yield found("public data", f"everybody may enter and change its data ({public})", mend)
    if edits:
        both = f"; --public {public[0]}-{public[2:]} leaves their data entry" if enters else ""
        yield found("public edit", f"everybody may change and delete it ({public}){both}", mend)
    yield from _people(sharing, there, found, f"{resource.plural} {uid}")


type _Make = Callable[[Problem, str, str], Finding]


def _people(sharing: Mapping[str, JsonValue], there: Known, found: _Make, line: str) -> Iterator[Finding]:
    """People and groups that are no more. Who does not see everybody cannot tell, and says nothing."""
    if not there.complete:
        return
    owner = sharing.get("owner")
    mine = f"dhis2 metadata update {line} --set sharing.owner={there.me}"
    if isinstance(owner, str) and owner not in there.users and owner not in SYSTEM:
        yield found("no owner", f"its owner {owner} is no user any more", mine)
    elif isinstance(owner, str) and owner in there.disabled:
        yield found("owner disabled", f"its owner {there.users[owner]} is disabled", mine)
    look = f"dhis2 metadata get {line} --fields sharing"
    for uid in cast("JsonObject", sharing.get("users") or {}):
        if uid not in there.users:
            yield found("unknown user", f"it is shared with {uid}, who is no user any more", look)
    for uid in cast("JsonObject", sharing.get("userGroups") or {}):
        if uid not in there.groups:
            yield found("unknown group", f"it is shared with {uid}, which is no group any more", look)
