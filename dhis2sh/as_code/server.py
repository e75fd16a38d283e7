"""What a server has of what a directory is about, type by type, as files say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.as_code import members
from dhis2sh.as_code.clean import JOBS, adapted, is_managed, shared_without, sorted_keys, strangers
from dhis2sh.as_code.scope import GROUPS, MEMBERS, PEOPLE
from dhis2sh.as_code.secret import hidden
from dhis2sh.client import reading, schema
from dhis2sh.dhis2.as_code import is_state
from dhis2sh.errors import Forbidden, NotFound
from dhis2sh.instance import data_store, jobs, settings
from dhis2sh.instance.apps import installed
from dhis2sh.metadata import write
from dhis2sh.redact import SECRET, is_secret
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.as_code.scope import Scope
    from dhis2sh.client.requests import Param
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

SHOWN = 5
AT_ONCE = 1000
"""Objects that are asked for in one request."""


@dataclass(slots=True)
class Server:
    """A server, as far as files can say it.

    Parameters:
        types: of its version, by plural.
        newer: it is newer than the newest that is known here.
        groups: its groups of users, as far as this account sees them; `all_groups` whether that is all there are.
    """

    s: Session
    types: Mapping[str, Resource]
    newer: bool
    job_types: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Those that can be configured, with the names of their parameters."""
    groups: frozenset[str] = frozenset()
    all_groups: bool = False
    usernames: Mapping[str, str] | None = None
    """By UID, where files say who belongs to groups."""
    has_role: Mapping[str, Sequence[str]] | None = None
    """Usernames by the UID of a role, where a snapshot says what single people have."""
    gone: Counter[str] = field(default_factory=Counter[str])
    """Groups that are gone and that sharing still names, with the number of objects: no file says them."""
    closed: list[str] = field(default_factory=list[str])
    """Namespaces that belong to an app, which nobody else may read."""

    async def pages(self, plural: str) -> AsyncGenerator[list[tuple[Row, JsonObject]]]:
        """The objects of a type that files may hold: each as the server has it, and as its file says it."""
        params: dict[str, Param] = {"fields": write.OWNED}
        async with aclosing(self._lists(plural, params)) as pages:
            async for rows in pages:
                some = {str(row["id"]): row for row in rows if is_managed(plural, row, self.job_types)}
                found = adapted(plural, map(self._plain, some.values()), self.types, newer=self.newer)
                clean = found.bundle.objects.get(plural, {})
                if plural == GROUPS and self.usernames is not None:
                    for uid, body in clean.items():
                        body[members.USERS] = members.named(some[uid], self.usernames)
                if self.has_role is not None and self.usernames is not None:
                    for uid, body in clean.items():
                        members.sharing_with(body, some[uid], self.usernames)
                        if plural == members.ROLES:
                            body[members.USERS] = [*self.has_role.get(uid, ())]
                yield [(raw, clean[uid]) for uid, raw in some.items()]

    def _plain(self, row: Row) -> Row:
        """An object without what of it depends on who reads it, and without groups that are gone."""
        body = {name: value for name, value in row.items() if name != "access"}
        gone = strangers(body, self.groups) if self.all_groups else ()
        self.gone.update(gone)
        return shared_without(body, gone) if gone else body

    def told(self) -> list[str]:
        """What of the server is in no file, in words."""
        gone = [f"{uid} ({counted(number, 'object')})" for uid, number in self.gone.items()]
        return [
            *(f"left out: namespace {name}, which an app keeps for itself" for name in self.closed),
            *([f"left out of sharing: groups that are gone: {listed(gone, SHOWN)}"] if gone else []),
        ]

    async def _lists(self, plural: str, params: dict[str, Param]) -> AsyncGenerator[list[Row]]:
        """The pages of a type. A type that this account may not list is told with the way around it."""
        try:
            async with aclosing(self.s.client.pages(plural, params, size=AT_ONCE)) as pages:
                async for rows in pages:
                    yield rows
        except (Forbidden, NotFound) as error:
            error.message = f"{plural}: {error.message}"
            error.hint = f"--without {plural} leaves them out of a pull; or sign in as somebody who may list them"
            raise

    async def settings(self) -> JsonObject:
        """Its system settings, by name; secrets are `(secret)`."""
        found = await settings.everything(self.s)
        return {
            name: SECRET if is_secret(name) and isinstance(found[name], str) and found[name] else found[name]
            for name in sorted(found)
            if not is_state(name)
        }

    async def entries(self) -> AsyncGenerator[tuple[str, str, JsonValue]]:
        """Its data store: namespace, key, value."""
        for namespace in await data_store.namespaces(self.s):
            try:
                found = await data_store.entries(self.s, namespace)
            except Forbidden:
                self.closed.append(namespace)
                continue
            for key in sorted(found):
                yield namespace, key, found[key]

    async def apps(self) -> JsonObject:
        """The apps that were installed, by key: name, version and where it is on the App Hub."""
        found: JsonObject = {}
        for app in sorted(await installed(self.s), key=lambda app: app.key):
            if not app.shipped:
                told: JsonObject = {"name": app.name, "version": app.version, "appHubId": app.hub_id}
                found[app.key] = {name: value for name, value in told.items() if value}
        return found

    async def names(self, plurals: Iterable[str]) -> dict[str, str]:
        """What objects of some types are called, by UID: what stands beside references."""
        wanted = [name for name in plurals if name in self.types]
        if not wanted:
            return {}
        try:
            body = await self.s.client.get_object("metadata", {"fields": "id,name", **dict.fromkeys(wanted, True)})
            lists = [cast("Sequence[JsonObject]", rows) for rows in body.values() if isinstance(rows, list)]
        except Forbidden:  # an account that may list everything, and export nothing
            lists = [await reading.all_of(self.s.client, plural, fields="id,name") for plural in wanted]
        return {str(row["id"]): str(row["name"]) for rows in lists for row in rows if isinstance(row.get("name"), str)}


def entry(namespace: str, key: str, value: JsonValue) -> JsonObject:
    """A key of the data store as its file has it."""
    return {"namespace": namespace, "key": key, "value": sorted_keys(hidden(value))}


async def server_of(s: Session, scope: Scope) -> Server:
    """The server of a session.

    Parameters:
        scope: what matters of it.
    """
    types = await schema.types_of(s.client)
    kinds = await jobs.job_types(s) if JOBS in scope.types else {}
    known = {kind: frozenset(one.name for one in parameters) for kind, parameters in kinds.items()}
    groups = frozenset(str(row["id"]) for row in await reading.all_of(s.client, GROUPS, fields="id"))
    whole = (await s.client.system.me()).may("ALL")
    found = Server(s, types, (await s.client.version()).newer_than_known, known, groups, whole)
    if MEMBERS in scope.also or PEOPLE in scope.also:
        found.usernames = await members.people(s)
    if PEOPLE in scope.also:
        found.has_role = await members.of_roles(s)
    return found
