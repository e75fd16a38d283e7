"""`system`: the server itself, and who we are there."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from dhis2sh.changes.plan import Plan
from dhis2sh.instance import keyed, settings
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Complete, Doc, verb

UNDOES = keyed.set_back
"""How a setting is taken back: importing it here registers that."""


class SystemInfo(BaseModel):
    """What a server says of itself (`GET /api/system/info`); more keys are kept as they come."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    version: str
    revision: str | None = None
    system_name: str | None = Field(None, alias="systemName")
    context_path: str | None = Field(None, alias="contextPath")
    server_date: str | None = Field(None, alias="serverDate")
    calendar: str | None = None
    last_analytics: str | None = Field(None, alias="lastAnalyticsTableSuccess")


class Whoami(BaseModel):
    """The signed-in user (`GET /api/me`)."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    username: str
    name: str | None = None
    roles: list[str] = []
    groups: list[str] = []
    org_units: list[str] = Field([], alias="organisationUnits")
    authorities: int = 0
    superuser: bool = False


class Ping(BaseModel):
    """Whether the server answers, and how fast."""

    url: str
    answer: str
    milliseconds: float


@verb("system info", effect="read", pinned=True, examples=["dhis2 system info", "%system info"])
async def info(s: Session) -> SystemInfo:
    """Show the server's version, name, calendar and the age of its analytics tables."""
    return await s.client.get("system/info", model=SystemInfo)


@verb("system whoami", effect="read", pinned=True, examples=["dhis2 system whoami", "%system whoami"])
async def whoami(s: Session) -> Whoami:
    """Show who is signed in: roles, groups, organisation units and how many authorities."""
    fields = "id,username,displayName,userRoles[displayName],userGroups[displayName],organisationUnits[displayName],authorities"
    me = await s.client.get_object("me", {"fields": fields})
    authorities = cast("list[str]", me.get("authorities") or [])
    return Whoami(
        id=str(me.get("id")),
        username=str(me.get("username")),
        name=cast("str | None", me.get("displayName")),
        roles=_names(me, "userRoles"),
        groups=_names(me, "userGroups"),
        organisationUnits=_names(me, "organisationUnits"),
        authorities=len(authorities),
        superuser="ALL" in authorities,
    )


def _names(me: JsonObject, key: str) -> list[str]:
    return [str(item.get("displayName")) for item in cast("list[JsonObject]", me.get(key) or [])]


@verb("system ping", effect="read", examples=["dhis2 system ping", "%system ping"])
async def ping(s: Session) -> Ping:
    """Ask whether the server answers, and how fast (milliseconds)."""
    answer = await s.client.ping()
    return Ping(url=s.profile.url, answer="pong", milliseconds=round(answer.elapsed * 1000, 1))


@verb(
    "system settings get",
    effect="read",
    examples=["dhis2 system settings get", "dhis2 system settings get applicationTitle"],
)
async def settings_get(
    s: Session, names: Annotated[list[str], Doc("Only these settings; all of them without.")] = []
) -> Rows[Row]:
    """List system settings, those at their defaults too; passwords, which a server gives in clear, are hidden.

    API source: `GET /api/systemSettings`.
    """
    return Rows(await settings.shown(s, names), columns=settings.COLUMNS)


@verb(
    "system settings set",
    effect="write",
    examples=[
        "dhis2 system settings set applicationTitle='Ministry of Health'",
        "dhis2 system settings set --default keyStyle",
    ],
)
async def settings_set(
    s: Session,
    values: Annotated[list[str], Doc("name=value; may be repeated.")] = [],
    *,
    default: Annotated[list[str], Doc("This setting goes back to its default; may be repeated.")] = [],
) -> Plan:
    """Set system settings, each checked by the type that it has; `undo` sets them back.

    API source: `POST /api/systemSettings`, `DELETE /api/systemSettings/{name}`.
    """
    return await settings.setting(s, values, default)


@verb("system settings diff", effect="read", examples=["dhis2 system settings diff staging -p production"])
async def settings_diff(
    s: Session, other: Annotated[str, Doc("The profile of the other server."), Complete("profiles")]
) -> Rows[Row]:
    """List what two servers have set differently.

    API source: `GET /api/systemSettings`.
    """
    async with s.beside(other) as there:
        found = settings.difference(await settings.everything(s), await settings.everything(there))
    return Rows(found, columns=settings.DIFFERENCE)
