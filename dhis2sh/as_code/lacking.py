"""What a server's version lacks of what objects say and no facts of types tell: types of jobs and their parameters, sign-ins of
routes, authorities of roles. It is left out and named; between servers of one version nothing is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.as_code.clean import JOBS
from dhis2sh.client import reading
from dhis2sh.client.authorities import descriptions
from dhis2sh.dhis2.authorities import lacks
from dhis2sh.dhis2.references import label
from dhis2sh.instance.routes import SIGN_INS

if TYPE_CHECKING:
    from dhis2sh.as_code.scope import Scope
    from dhis2sh.as_code.server import Server
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue

ROLES, ROUTES = "userRoles", "routes"
LEFT_OUT = "left out of roles: authorities that this version does not have"
KEPT = "kept in roles: authorities that the version of the directory does not have"
OF_DHIS2 = "F_"
"""How the authorities begin that DHIS2 itself has; others are those of apps, which an apply may install."""


@dataclass(slots=True)
class Lacking:
    """What is not to be had on a server.

    Parameters:
        job_types: the types of jobs that it has, with their parameters; None where nothing is looked at.
        known_jobs: all types of jobs of its version; none where it is newer than what is known.
        sign_ins: those of routes that it lacks.
        authorities: those that it has; None where nothing is looked at.
        held: the authorities that each of its roles gives, by UID: what is there stays.
        source: the minor version that the directory is of.
        left: what was left out, by name, under the words for its kind.
    """

    job_types: Mapping[str, frozenset[str]] | None = None
    known_jobs: frozenset[str] = frozenset()
    sign_ins: frozenset[str] = frozenset()
    authorities: frozenset[str] | None = None
    held: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    source: int = 0
    left: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def notes(self) -> list[str]:
        """What was left out, a line for each kind."""
        return [f"{kind}: {'; '.join(some)}" for kind, some in self.left.items()]

    def fitted(self, plural: str, body: JsonObject) -> JsonObject | None:
        """What of an object the version can have; None for one that it cannot."""
        match plural:
            case "jobConfigurations":
                return self._job(body)
            case "routes":
                return self._route(body)
            case "userRoles":
                return self._role(body)
            case _:
                return body

    def _job(self, body: JsonObject) -> JsonObject | None:
        kind, given = str(body.get("jobType")), body.get("jobParameters")
        if self.job_types is None:
            return body
        if kind not in self.job_types or (self.known_jobs and kind not in self.known_jobs):
            self._note("left out: jobs whose type this version does not have", f"{_named(body)} ({kind})")
            return None
        lost = [name for name in given if name not in self.job_types[kind]] if isinstance(given, dict) else []
        if not lost or not isinstance(given, dict):
            return body
        self._note("left out of jobs: parameters that this version does not have", f"{_named(body)}: {', '.join(lost)}")
        rest: JsonObject = {name: value for name, value in given.items() if name not in lost}
        return {**body, "jobParameters": rest} if rest else _without(body, "jobParameters")

    def _route(self, body: JsonObject) -> JsonObject | None:
        auth = body.get("auth")
        kind = str(auth.get("type")) if isinstance(auth, dict) else ""
        if kind not in self.sign_ins:
            return body
        self._note("left out: routes whose sign-in this version does not have", f"{_named(body)} ({kind})")
        return None

    def _role(self, body: JsonObject) -> JsonObject:
        given = body.get("authorities") or []
        if self.authorities is None or not isinstance(given, list):
            return body
        held = self.held.get(str(body.get("id")), frozenset())
        lost = [str(one) for one in given if str(one).startswith(OF_DHIS2) and one not in self.authorities | held]
        kept = sorted(one for one in held if one not in given and lacks(self.source, one))
        for words, some in ((LEFT_OUT, lost), (KEPT, kept)):
            if some:
                self._note(words, f"{_named(body)}: {', '.join(some)}")
        rest: list[JsonValue] = [*(one for one in given if one not in lost), *kept]
        if not lost and not kept:
            return body
        return {**body, "authorities": rest} if rest else _without(body, "authorities")

    def _note(self, kind: str, what: str) -> None:
        self.left.setdefault(kind, []).append(what)


def _named(body: JsonObject) -> str:
    return f"{label(body)} [{body.get('id')}]"


def _without(body: JsonObject, name: str) -> JsonObject:
    return {key: value for key, value in body.items() if key != name}


def completed(
    said: JsonObject,
    there: JsonObject,
    resource: Resource,
    types: Mapping[str, Resource],
    origin: Mapping[str, Resource],
) -> JsonObject:
    """An object as a directory of another version says it, with what of its embedded rows that version cannot say.

    Parameters:
        said, there: the object as the directory and as the server has it; rows are the same by their UID.
        resource: its type on the server, `types` all of them; origin: the types of the directory's version.
    """
    found = dict(said)
    for name, value in said.items():
        prop = resource.properties.get(name)
        inner, old = types.get((prop and prop.target) or ""), origin.get((prop and prop.target) or "")
        if inner is None or old is None or name not in there:
            continue
        before = there[name]
        if isinstance(value, dict) and isinstance(before, dict):
            found[name] = _row(value, before, inner, types, origin)
        elif isinstance(value, list) and isinstance(before, list):
            rows = {str(row["id"]): row for row in before if isinstance(row, dict) and "id" in row}
            found[name] = [
                _row(row, rows[str(row["id"])], inner, types, origin)
                if isinstance(row, dict) and str(row.get("id")) in rows
                else row
                for row in value
            ]
    return found


def _row(
    said: JsonObject, there: JsonObject, inner: Resource, types: Mapping[str, Resource], origin: Mapping[str, Resource]
) -> JsonObject:
    known = origin[inner.plural].properties
    kept: JsonObject = {name: value for name, value in there.items() if name not in said and name not in known}
    return completed(said, there, inner, types, origin) | kept


async def lacking_of(server: Server, scope: Scope) -> Lacking:
    """What a server lacks of what a directory of another version may say.

    Parameters:
        scope: what the directory is about, and its version.
    """
    version = await server.s.client.version()
    if scope.version == f"{version.major}.{version.minor}":
        return Lacking()
    found = Lacking(sign_ins=frozenset(name for name, one in SIGN_INS.items() if one.first > version.minor))
    if JOBS in scope.types:
        found.job_types = server.job_types
        known = server.types[JOBS].properties["jobType"].constants
        found.known_jobs = frozenset() if server.newer else frozenset(known)
    if ROLES in scope.types:
        found.source = int(minor) if (minor := scope.version.partition(".")[2]).isdigit() else 0
        found.authorities = frozenset(await descriptions(server.s.client))
        rows = await reading.all_of(server.s.client, ROLES, fields="id,authorities")
        found.held = {str(row["id"]): _given(row) for row in rows}
    return found


def _given(role: Mapping[str, JsonValue]) -> frozenset[str]:
    return frozenset(map(str, cast("Sequence[JsonValue]", role.get("authorities") or [])))
