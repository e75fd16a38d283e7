"""`profile`: which servers we know, and which one is active."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel

from dhis2sh import profiles
from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.changes.trusting import in_words, trusting
from dhis2sh.client.addresses import base_address, origin
from dhis2sh.errors import ConfigError, NeedsSecret, UsageError, did_you_mean
from dhis2sh.project_files import ProfilesFile
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, applies, verb

if TYPE_CHECKING:
    from dhis2sh.sign_in import Bootstrap

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


def _signing():
    from dhis2sh import sign_in  # start-up: it wants httpx, and most lines about profiles sign in nowhere

    return sign_in


def _row(profile: profiles.Profile, active: str | None) -> ProfileRow:
    values = {name: getattr(profile, name) for name in ProfileRow.model_fields if name != "active"}
    return ProfileRow(**values, active=profile.name == active)


def _active_name(s: Session) -> str | None:
    try:
        return s.profile.name
    except ConfigError:
        return None


@verb("profile list", effect="read", pinned=True, examples=["dhis2 profile list", "%profile list"])
async def list_(s: Session) -> Rows[ProfileRow]:
    """List the profiles, with the active one marked."""
    if (file := profiles.untrusted()) is not None:
        s.person.warn(f"{file.path} is left out, since nobody has agreed to it yet: dhis2 profile trust")
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
    session = s if profile == s.profile else Session(name, person=s.person)
    try:
        found = await _signing().who(session.client)
        signed = session.client.transport.sign_in.describe()
    finally:
        if session is not s:
            await session.aclose()
    return Verified(
        name=profile.name, url=profile.url, version=str(found.version), username=found.username, sign_in=signed
    )


@verb(
    "profile add",
    effect="write",
    journaled=False,
    examples=["dhis2 profile add play --url https://play.example.org --username admin"],
    left_out={"mcp": AGENTS},
)
async def add(
    s: Session,
    name: Annotated[str, Doc("What to call it.")],
    *,
    url: Annotated[str | None, Doc("The server's address, without /api; that of a known profile stays.")] = None,
    username: Annotated[str | None, Doc("The user; the password is asked for, or read from DHIS2_PASSWORD.")] = None,
    auth: Annotated[
        str | None,
        Doc("How to sign in: basic (a password), pat (a token, DHIS2_PAT), oauth2, session, or what a plugin offers."),
    ] = None,
    client_id: Annotated[str | None, Doc("The OAuth2 client that is registered on the server.")] = None,
    read_only: Annotated[bool | None, Doc("Never send a write.")] = None,
    production: Annotated[bool | None, Doc("Every write wants --confirm NAME.")] = None,
    colour: Annotated[str | None, Doc("Colour of the prompt.")] = None,
    insecure: Annotated[bool | None, Doc("Accept any TLS certificate.")] = None,
    activate: Annotated[bool, Doc("Make it the active profile.")] = False,
) -> Plan:
    """Add a profile, or change what is said of the one of that name and nothing else.

    The secret goes to the keyring, never into the file. Another server has none yet: it is asked for again.
    """
    profiles.checked_name(name)
    known = profiles.all_profiles().get(name)
    if url is not None:
        address = base_address(url)
        if address != url.rstrip("/"):
            s.person.note(f"the server's address is {address}")
    elif known is not None:
        address = known.url
    else:
        raise UsageError(
            f"there is no profile '{name}'; a new one needs an address", hint="add --url with the server's"
        )
    base = known or profiles.Profile(name, address)
    profile = replace(
        base, url=address, username=username or base.username, auth=_method(auth or base.auth),
        client_id=client_id or base.client_id, colour=colour or base.colour,
        read_only=base.read_only if read_only is None else read_only,
        production=base.production if production is None else production,
        verify_tls=base.verify_tls if insecure is None else not insecure,
    )  # fmt: skip
    action = "update" if known else "create"
    plan = Plan(
        f"{action} profile '{name}'",
        [PlanStep(action, "profile", name=name, detail=_changes(known, profile))],
        payload=(profile, known, activate),
        local=True,
    )
    loosened = [
        word for word in (*profiles.TIGHTENING, "verify_tls") if getattr(base, word) and not getattr(profile, word)
    ]
    if known is not None and loosened:
        plan.asks = True
        plan.notes.append(f"takes {' and '.join(loosened)} away")
    return plan


def _changes(known: profiles.Profile | None, profile: profiles.Profile) -> str:
    """What a profile becomes in words: its address, and of a known one what changes."""
    if known is None:
        return in_words(profile)
    told = [
        f"{key}: {getattr(known, key)!r} -> {getattr(profile, key)!r}"
        for key in profiles.WRITABLE
        if getattr(known, key) != getattr(profile, key)
    ]
    return "; ".join(told) or profile.url


def _method(auth: str) -> str:
    """A sign-in provider's name. Raises `ConfigError` for one that nobody offers."""
    from dhis2sh.client.providers import BUILT_IN, known_methods  # start-up: as above

    if auth not in BUILT_IN and auth not in (known := known_methods()):
        hint = did_you_mean(auth, known) or f"known: {', '.join(known)}"
        raise ConfigError(f"no sign-in provider is called '{auth}'", hint=hint)
    return auth


@applies(add)
async def _(s: Session, plan: Plan) -> WriteSummary:
    profile, known, activate = plan.payload
    has_one = await asyncio.to_thread(profile.secrets.read) is not None
    secret, note = None, None
    if profile.auth in {"basic", "pat"}:
        try:
            secret = profile.environment_secret() if has_one else await _signing().wanted_secret(s, profile)
        except NeedsSecret:
            note = f"no password yet: dhis2 profile login {profile.name}"
    elif profile.auth in {"oauth2", "session"} and not has_one:
        note = f"now sign in: dhis2 profile login {profile.name}"
    path = profiles.save(profile, activate=activate)
    if secret:
        await asyncio.to_thread(profile.secrets.write, secret)
    if known is not None and origin(known.url) != origin(profile.url):
        await asyncio.to_thread(known.secrets.forget)  # of the server that it was
    created = plan.steps[0].action == "create"
    return WriteSummary(
        f"profile '{profile.name}' in {path}", created=int(created), updated=int(not created), note=note
    )


def _simple(action: Literal["update", "delete"], title: str, name: str, payload: object) -> Plan:
    return Plan(title, [PlanStep(action, "profile", name=name)], payload=payload, local=True)


@verb(
    "profile use",
    effect="write",
    journaled=False,
    examples=["dhis2 profile use sandbox", "%profile use play"],
    left_out={"mcp": AGENTS},
)
async def use(
    s: Session,
    name: Annotated[
        str | None, Doc("The profile's name; without it a terminal offers a choice."), Complete("profiles")
    ] = None,
    *,
    global_: Annotated[bool, Doc("Keep it for every session and command to come.")] = False,
) -> Plan:
    """Make a profile the active one. In a shell or a notebook for this session alone; --global for every other one too."""
    if name is None:
        raise UsageError("which profile?", hint=f"one of: {', '.join(profiles.all_profiles())}")
    profiles.get(name)
    kept = global_ or not s.lasting
    return _simple("update", f"use profile '{name}'{'' if kept else ' in this session'}", name, (name, kept))


@applies(use)
async def _(s: Session, plan: Plan) -> WriteSummary:
    name, kept = plan.payload
    path = profiles.activate(name) if kept else None
    await s.use(name)
    if path is None:
        return WriteSummary(
            f"profile '{name}' is active in this session", updated=1, note="--global keeps it for others"
        )
    return WriteSummary(f"profile '{name}' is active in {path}", updated=1)


@verb("profile trust", effect="write", journaled=False, examples=["dhis2 profile trust"], left_out={"mcp": AGENTS})
async def trust(s: Session) -> Plan:
    """Show the profiles that this folder brings along (.dhis2/profiles.toml), and use them once you agree.

    What they say counts for exactly these contents: a file that changes is asked for again. It may never redefine a profile of
    your own, only tighten one (read_only, production).
    """
    return trusting(profiles.brought())


@applies(trust)
async def _(s: Session, plan: Plan) -> WriteSummary:
    file: ProfilesFile = plan.payload
    file.trust()
    return WriteSummary(f"{file.path} is trusted", updated=1)


@verb(
    "profile rename",
    effect="write",
    journaled=False,
    examples=["dhis2 profile rename play demo"],
    left_out={"mcp": AGENTS},
)
async def rename(s: Session, name: Name, new_name: Annotated[str, Doc("The new name.")]) -> Plan:
    """Give a profile another name."""
    profiles.get(name)
    profiles.checked_name(new_name)
    return _simple("update", f"rename profile '{name}' to '{new_name}'", name, (name, new_name))


@applies(rename)
async def _(s: Session, plan: Plan) -> WriteSummary:
    old, new = plan.payload
    profiles.rename(old, new)
    return WriteSummary(f"profile '{old}' is now '{new}'", updated=1)


@verb(
    "profile remove",
    effect="destroy",
    journaled=False,
    examples=["dhis2 profile remove play"],
    left_out={"mcp": AGENTS},
)
async def remove(s: Session, name: Name) -> Plan:
    """Take a profile and its secret away."""
    if profiles.is_sandbox(name):
        raise ConfigError(
            "a sandbox is no profile of yours", hint=f"dhis2 -p {name} sandbox reset  takes what is in it away"
        )
    profiles.get(name)
    return _simple("delete", f"remove profile '{name}' and its secret", name, name)


@applies(remove)
async def _(s: Session, plan: Plan) -> WriteSummary:
    profiles.remove(plan.payload)
    return WriteSummary(f"profile '{plan.payload}'", deleted=1)


# Signing in --------------------------------------------------------------------------------------------------------


def _named(s: Session, name: str | None) -> profiles.Profile:
    """A profile by name, or the active one; the sandbox and the environment sign in by themselves."""
    profile = profiles.get(name) if name else s.profile
    if profile.embedded or profile.name == profiles.ENVIRONMENT:
        why = "the sandbox signs in by itself" if profile.embedded else "the environment says how to sign in"
        raise ConfigError(why, hint="dhis2 profile login NAME, with a profile of a server")
    return profile


@verb("profile login", effect="write", journaled=False, examples=["dhis2 profile login play"], left_out={"mcp": AGENTS})
async def login(
    s: Session,
    name: Annotated[str | None, Doc("The profile's name; the active one without it."), Complete("profiles")] = None,
    *,
    no_browser: Annotated[bool, Doc("OAuth2: print the address, open nothing.")] = False,
    code: Annotated[str | None, Doc("Session: the code of the second factor.")] = None,
    timeout: Annotated[int, Bounds(1, 3600), Doc("OAuth2: seconds to sign in within.")] = 300,
) -> Plan:
    """Sign in as the profile says, and keep what the next command needs in the keyring.

    With a password or token it is asked for, or read from DHIS2_PASSWORD or DHIS2_PAT, and tried before it is kept.
    With OAuth2 a browser opens; with a session the server gives a cookie.
    """
    profile = _named(s, name)
    step = PlanStep("set", "sign-in", name=profile.name, detail=f"{profile.auth} on {profile.url}")
    return Plan(f"sign in to '{profile.name}'", [step], payload=(profile, no_browser, code, timeout), local=True)


@applies(login)
async def _(s: Session, plan: Plan) -> WriteSummary:
    profile, no_browser, code, timeout = plan.payload
    found = await _signing().log_in(s, profile, code=code, browser=not no_browser, timeout=float(timeout))
    await _bind_again(s, profile)
    return WriteSummary(f"signed in to '{profile.name}' as {found.username}, DHIS2 {found.version}", updated=1)


async def _bind_again(s: Session, profile: profiles.Profile) -> None:
    """In a shell on this profile, the next line signs in anew."""
    if s.bound == profile.name:
        await s.use(profile.name)


@verb(
    "profile logout", effect="write", journaled=False, examples=["dhis2 profile logout play"], left_out={"mcp": AGENTS}
)
async def logout(
    s: Session,
    name: Annotated[str | None, Doc("The profile's name; the active one without it."), Complete("profiles")] = None,
) -> Plan:
    """Forget the password, token or session of a profile; OAuth2 tokens are taken back on the server too."""
    profile = _named(s, name)
    step = PlanStep("delete", "sign-in", name=profile.name, detail=f"{profile.auth} on {profile.url}")
    return Plan(f"sign out of '{profile.name}'", [step], payload=profile, local=True)


@applies(logout)
async def _(s: Session, plan: Plan) -> WriteSummary:
    note = await _signing().log_out(s, plan.payload)
    await _bind_again(s, plan.payload)
    return WriteSummary(f"sign-in of '{plan.payload.name}'", deleted=1, note=note or None)


@verb(
    "profile bootstrap",
    effect="write",
    journaled=False,
    examples=["dhis2 profile bootstrap play --url https://play.example.org --username admin"],
    left_out={"mcp": AGENTS},
)
async def bootstrap(
    s: Session,
    name: Annotated[str, Doc("The profile to make, or to give a token."), Complete("profiles")],
    *,
    url: Annotated[str | None, Doc("The server's address, without /api; the profile's without it.")] = None,
    username: Annotated[str | None, Doc("Who signs in, with a password; it is needed this once.")] = None,
    days: Annotated[int, Bounds(1, 3650), Doc("Days until the token ends.")] = 365,
    oauth2: Annotated[bool, Doc("Register an OAuth2 client (an administrator can) in place of a token.")] = False,
    client_id: Annotated[str, Doc("What to call the OAuth2 client.")] = "dhis2sh",
) -> Plan:
    """Make what a profile needs on its server: a personal access token, or an OAuth2 client.

    The password is asked for, or read from DHIS2_PASSWORD, and not kept.

    API source: `POST /api/apiToken`, `POST /api/oAuth2Clients`.
    """
    profiles.checked_name(name)
    known = profiles.all_profiles().get(name)
    if known is None and url is None:
        raise UsageError(f"there is no profile '{name}' yet", hint=f"dhis2 profile bootstrap {name} --url URL")
    base = known or profiles.Profile(name, "")
    base = replace(base, url=base_address(url or base.url), username=username or base.username)
    wanted = await _signing().prepare(s, base, known=known is not None, days=days, oauth2=oauth2, client_id=client_id)
    who = f"for {wanted.username} on {base.url}"
    made = (
        PlanStep("create", "OAuth2 client", name=client_id, detail=who)
        if oauth2
        else PlanStep("create", "personal access token", detail=f"{who}, until {wanted.expires:%Y-%m-%d}")
    )
    kept = PlanStep(
        "update" if known else "create", "profile", name=name, detail=f"signs in with {wanted.profile.auth}"
    )
    return Plan(f"bootstrap profile '{name}'", [made, kept], payload=wanted, target=base)


@applies(bootstrap)
async def _(s: Session, plan: Plan) -> WriteSummary:
    wanted: Bootstrap = plan.payload
    uid = await _signing().make(s, wanted)
    await _bind_again(s, wanted.profile)
    what = "personal access token" if wanted.client is None else f"OAuth2 client '{wanted.profile.client_id}'"
    name = wanted.profile.name
    note = f"now sign in: dhis2 profile login {name}" if wanted.client else f"profile '{name}' signs in with it"
    return WriteSummary(what, created=1, uids=[uid], note=note)
