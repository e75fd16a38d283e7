"""Who may see and change objects: sharing, built in Python and set for many objects in one request.

    sharing = Sharing().public("r-------").group("vAvEltyXGbD", "rw------").without_user("M5zQapPyTZI")
    await client.sharing.apply({"dataElements": ["s46m5MS0hxu"], "dataSets": ["BfMAe6Itzgt"]}, sharing)

API source: `BulkJsonPatch.java`, `AccessStringHelper.java`, `SharingController.java` (api-facts a.7, h.6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import TYPE_CHECKING, Literal, Self, cast

from dhis2sh.client import bulk
from dhis2sh.client.query import chunked
from dhis2sh.client.sending import AtomicMode, BulkResult, attempt, send
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Param
    from dhis2sh.client.versions import ServerVersion
    from dhis2sh.types import JsonObject, JsonValue

type Letters = Literal["", "r", "rw"]

_ACCESS = re.compile(r"[r-][w-][r-][w-]----")
OBJECTS_PER_REQUEST = 1000


def access(metadata: Letters = "r", data: Letters = "") -> str:
    """An access string: what may be done with the object itself, and with the data behind it.

    >>> access("rw", "r")
    'rwr-----'
    """
    return f"{metadata:-<2}{data:-<2}----"


def check_access(text: str) -> str:
    """An access string as it is; raises `UsageError` for what a server refuses (E3010)."""
    if not _ACCESS.fullmatch(text):
        raise UsageError(
            f"'{text}' is not an access string", hint="rw------ reads and writes metadata, rwrw---- data too"
        )
    return text


@dataclass(frozen=True)
class Sharing:
    """Changes to sharing. What is not named stays as it is.

    Parameters:
        owner, public_access, external: as they shall be; None leaves them.
        users, groups: access by UID; None takes the user or group out.
        fresh: True when all users and groups not named are taken out as well.
    """

    owner: str | None = None
    public_access: str | None = None
    external: bool | None = None
    users: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    groups: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    fresh: bool = False

    @classmethod
    def replacing(cls, public: str = "--------") -> Self:
        """A sharing that replaces everything but the owner: nobody has access but those who are named."""
        return cls(public_access=check_access(public), fresh=True)

    def public(self, text: str) -> Self:
        """Access of everybody."""
        return replace(self, public_access=check_access(text))

    def owned_by(self, uid: str) -> Self:
        """Another owner."""
        return replace(self, owner=_uid(uid))

    def group(self, uid: str, text: str) -> Self:
        """Access of a user group."""
        return replace(self, groups={**self.groups, _uid(uid): check_access(text)})

    def user(self, uid: str, text: str) -> Self:
        """Access of a user."""
        return replace(self, users={**self.users, _uid(uid): check_access(text)})

    def without_group(self, uid: str) -> Self:
        """Take a user group out."""
        return replace(self, groups={**self.groups, _uid(uid): None})

    def without_user(self, uid: str) -> Self:
        """Take a user out."""
        return replace(self, users={**self.users, _uid(uid): None})

    def externally(self, allowed: bool) -> Self:
        """Access without sign-in; a version that has none refuses to be told to allow it."""
        return replace(self, external=allowed)

    def patch(self, version: ServerVersion) -> list[JsonObject]:
        """The same as operations on `/sharing/...`, as a version reads them.

        Raises `UsageError` where access without sign-in shall be allowed and the version has none.
        """
        if self.external and not version.has("sharing_external"):
            raise UsageError(f"DHIS2 {version} has no access without sign-in", hint="leave external access out")
        found: list[JsonObject] = []
        if self.owner is not None:
            found.append(_replace("owner", self.owner))
        if self.public_access is not None:
            found.append(_replace("public", self.public_access))
        if self.external is not None and version.has("sharing_external"):
            found.append(_replace("external", self.external))
        for kind, members in (("users", self.users), ("userGroups", self.groups)):
            if self.fresh:
                found.append(_replace(kind, cast("JsonValue", _members(members))))
                continue
            for uid, text in members.items():
                path = f"/sharing/{kind}/{uid}"
                gone: JsonObject = {"op": "remove", "path": path}
                found.append(gone if text is None else {"op": "add", "path": path, "value": _member(uid, text)})
        return found


class SharingService:
    """`client.sharing`."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    async def get(self, type: str, uid: str) -> JsonObject:
        """The sharing of an object: `owner`, `public`, `users` and `userGroups` by UID. Raises `NotFound`."""
        row = await self._client.get_object(f"{type}/{uid}", {"fields": "sharing"})
        return cast("JsonObject", row.get("sharing") or {})

    def builder(self) -> Sharing:
        """Changes to sharing, none yet: `client.sharing.builder().public("r-------")`."""
        return Sharing()

    async def apply(
        self,
        objects: Mapping[str, Iterable[str]],
        sharing: Sharing,
        *,
        atomic_mode: AtomicMode = "NONE",
        dry_run: bool = False,
    ) -> BulkResult:
        """Change the sharing of objects of one or several types, in one request.

        Parameters:
            objects: UIDs by the type's plural.
            sharing: the changes.
            atomic_mode: `ALL` changes all or none.
            dry_run: validate what the objects would become, and write nothing.

        Refusals are in `failures` of the result. More than 1,000 objects of one type go in several requests, unless
        they are to be atomic.

        API source: `PATCH /api/{type}/sharing`, `PATCH /api/metadata/sharing`.
        """
        version = await self._client.version()
        patch = sharing.patch(version)
        wanted = {plural: list(dict.fromkeys(uids)) for plural, uids in objects.items()}
        if not patch:
            raise UsageError("this sharing changes nothing", hint='Sharing().public("r-------")')
        if dry_run:
            each = {plural: dict.fromkeys(uids, patch) for plural, uids in wanted.items()}
            return await bulk.patch(self._client, each, dry_run=True)
        result = BulkResult()
        atomic = atomic_mode == "ALL"
        params: dict[str, Param] = {"atomic": atomic}
        if len(wanted) > 1:
            body: JsonObject = {
                plural: {uid: cast("JsonValue", patch) for uid in uids} for plural, uids in wanted.items()
            }
            await self._send(result, "metadata/sharing", body, params, [u for uids in wanted.values() for u in uids])
            return result
        for plural, uids in wanted.items():
            for chunk in [uids] if atomic else chunked(uids, OBJECTS_PER_REQUEST):
                body = {plural: [*chunk], "patch": cast("JsonValue", patch)}
                await self._send(result, f"{plural}/sharing", body, params, chunk)
        return result

    async def search(self, text: str) -> JsonObject:
        """Users and user groups by part of a name (`GET /api/sharing/search`)."""
        return await self._client.get_object("sharing/search", {"key": text})

    async def _send(
        self, result: BulkResult, path: str, body: JsonObject, params: dict[str, Param], uids: list[str]
    ) -> None:
        sending = send(self._client, "PATCH", path, body, params, content_type="application/json-patch+json")
        result.take(await attempt(sending), uids, None)


def _replace(name: str, value: JsonValue) -> JsonObject:
    return {"op": "replace", "path": f"/sharing/{name}", "value": value}


def _member(uid: str, text: str) -> JsonObject:
    return {"id": uid, "access": text}


def _members(members: Mapping[str, str | None]) -> dict[str, JsonObject]:
    return {uid: _member(uid, text) for uid, text in members.items() if text is not None}


def _uid(text: str) -> str:
    if not is_uid(text):
        raise UsageError(f"'{text}' is not a UID", hint=f"dhis2 metadata search {quote(text)}  finds it")
    return text
