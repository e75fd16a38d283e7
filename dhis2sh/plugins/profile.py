"""`profile`: which servers we know, and which one is active."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel

from dhis2sh import profiles
from dhis2sh.errors import ConfigError, UsageError
from dhis2sh.results import Plan, PlanStep, Rows, WriteSummary
from dhis2sh.session import Session
from dhis2sh.verbs import Complete, Doc, applies, verb

AGENTS = "agents may read profiles, never change them"
Name = Annotated[str, Doc("The profile's name."), Complete("profiles")]


class ProfileRow(BaseModel):
    """A profile without its secret."""

    name: str
    url: str
    username: str | None
    auth: str
    read_only: bool
    production: bool
    verify_tls: bool
    colour: str | None
    active: bool
    source: str


class Why(BaseModel):
    """Which profile is active, and why."""

    name: str
    url: str
    why: str
    source: str


class Verified(BaseModel):
    """What a server said when the profile was tried."""

    name: str
    url: str
    version: str
    username: str
    sign_in: str


def _row(profile: profiles.Profile, active: str | None) -> ProfileRow:
    values = {name: getattr(profile, name) for name in ProfileRow.model_fields if name != "active"}
    return ProfileRow(**values, active=profile.name == active)


def _active_name(s: Session) -> str | None:
    try:
        return s.profile.name
    except ConfigError:
        return None


@verb("profile list", effect="read", examples=["dhis2 profile list", "%profile list"])
async def list_(s: Session) -> Rows[ProfileRow]:
    """List the profiles, with the active one marked."""
    active = _active_name(s)
    rows = [_row(profile, active) for profile in profiles.all_profiles().values()]
    return Rows(rows, columns=["name", "active", "url", "username", "read_only", "production"])


@verb("profile show", effect="read", examples=["dhis2 profile show sandbox"])
async def show(
    s: Session,
    name: Annotated[str | None, Doc("The profile's name; the active one without it."), Complete("profiles")] = None,
) -> ProfileRow:
    """Show one profile; never its secret."""
    return _row(profiles.get(name) if name else s.profile, _active_name(s))


@verb("profile why", effect="read", examples=["dhis2 profile why"])
async def why(s: Session) -> Why:
    """Say which profile is active and where that was decided."""
    active = s.active
    return Why(name=active.profile.name, url=active.profile.url, why=active.why, source=active.profile.source)


@verb("profile verify", effect="read", examples=["dhis2 profile verify sandbox"])
async def verify(
    s: Session,
    name: Annotated[str | None, Doc("The profile's name; the active one without it."), Complete("profiles")] = None,
) -> Verified:
    """Try a profile: reach the server, sign in, read its version."""
    profile = profiles.get(name) if name else s.profile
    session = s if profile == s.profile else Session(name, reporter=s.reporter)
    try:
        version = await session.client.version()
        me = await session.client.get_object("me", {"fields": "username"})
        signed = session.client.transport.sign_in.describe()
    finally:
        if session is not s:
            await session.aclose()
    return Verified(
        name=profile.name, url=profile.url, version=str(version), username=str(me.get("username")), sign_in=signed
    )


@verb(
    "profile add",
    effect="write",
    examples=["dhis2 profile add play --url https://play.example.org --username admin"],
    left_out={"mcp": AGENTS},
)
async def add(
    s: Session,
    name: Annotated[str, Doc("What to call it.")],
    *,
    url: Annotated[str, Doc("The server's address, without /api.")],
    username: Annotated[str | None, Doc("The user; the password is asked for, or read from DHIS2_PASSWORD.")] = None,
    auth: Annotated[
        Literal["basic", "pat"], Doc("How to sign in: a password, or a personal access token (DHIS2_PAT).")
    ] = "basic",
    read_only: Annotated[bool, Doc("Never send a write.")] = False,
    production: Annotated[bool, Doc("Every write wants --confirm NAME.")] = False,
    colour: Annotated[str | None, Doc("Colour of the prompt.")] = None,
    insecure: Annotated[bool, Doc("Accept any TLS certificate.")] = False,
    activate: Annotated[bool, Doc("Make it the active profile.")] = False,
) -> Plan:
    """Add a profile, or change the one of that name. The secret goes to the keyring, never into the file."""
    import os

    if name in {profiles.SANDBOX, "environment"}:
        raise ConfigError(f"'{name}' is a reserved profile", hint="choose another name")
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ConfigError("an address holds no user and no password", hint="use --username; the password is asked for")
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"'{url}' is not an address", hint=f"did you mean https://{url} ?")
    known = profiles.all_profiles().get(name)
    base = known or profiles.Profile(name, url)
    profile = replace(
        base, url=url.rstrip("/").removesuffix("/api"), username=username or base.username, auth=auth,
        read_only=read_only, production=production, colour=colour or base.colour, verify_tls=not insecure,
    )  # fmt: skip
    secret = os.environ.get("DHIS2_PAT" if auth == "pat" else "DHIS2_PASSWORD")
    action = "update" if known else "create"
    return Plan(
        f"{action} profile '{name}'", [PlanStep(action, "profile", name=name, detail=profile.url)],
        payload=(profile, secret, activate), local=True,
    )  # fmt: skip


@applies(add)
async def _(s: Session, plan: Plan) -> WriteSummary:
    profile, secret, activate = plan.payload
    path = profiles.save(profile, activate=activate)
    if secret:
        profiles.set_secret(profile.name, secret)
    created = plan.steps[0].action == "create"
    note = (
        None if secret or profiles.secret_of(profile.name) else "no password yet: set DHIS2_PASSWORD and add it again"
    )
    return WriteSummary(
        f"profile '{profile.name}' in {path}", created=int(created), updated=int(not created), note=note
    )


def _simple(action: Literal["update", "delete"], title: str, name: str, payload: object) -> Plan:
    return Plan(title, [PlanStep(action, "profile", name=name)], payload=payload, local=True)


@verb(
    "profile use", effect="write", examples=["dhis2 profile use sandbox", "%profile use play"], left_out={"mcp": AGENTS}
)
async def use(
    s: Session,
    name: Annotated[
        str | None, Doc("The profile's name; without it a terminal offers a choice."), Complete("profiles")
    ] = None,
) -> Plan:
    """Make a profile the active one; in the shell the client is bound to it in place."""
    if name is None:
        raise UsageError("which profile?", hint=f"one of: {', '.join(profiles.all_profiles())}")
    profiles.get(name)
    return _simple("update", f"use profile '{name}'", name, name)


@applies(use)
async def _(s: Session, plan: Plan) -> WriteSummary:
    path = profiles.activate(plan.payload)
    await s.use(plan.payload)
    return WriteSummary(f"profile '{plan.payload}' is active in {path}", updated=1)


@verb("profile rename", effect="write", examples=["dhis2 profile rename play demo"], left_out={"mcp": AGENTS})
async def rename(s: Session, name: Name, new_name: Annotated[str, Doc("The new name.")]) -> Plan:
    """Give a profile another name."""
    profiles.get(name)
    return _simple("update", f"rename profile '{name}' to '{new_name}'", name, (name, new_name))


@applies(rename)
async def _(s: Session, plan: Plan) -> WriteSummary:
    old, new = plan.payload
    profiles.rename(old, new)
    return WriteSummary(f"profile '{old}' is now '{new}'", updated=1)


@verb("profile remove", effect="destroy", examples=["dhis2 profile remove play"], left_out={"mcp": AGENTS})
async def remove(s: Session, name: Name) -> Plan:
    """Take a profile and its secret away."""
    if name == profiles.SANDBOX:
        raise ConfigError("the sandbox is always there", hint="dhis2 sandbox reset  empties it")
    profiles.get(name)
    return _simple("delete", f"remove profile '{name}' and its secret", name, name)


@applies(remove)
async def _(s: Session, plan: Plan) -> WriteSummary:
    profiles.remove(plan.payload)
    return WriteSummary(f"profile '{plan.payload}'", deleted=1)
