"""What the verbs `profile login`, `logout` and `bootstrap` do: ask a server for a session, a token or a client."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from dhis2sh import profiles
from dhis2sh.client.auth import Basic, PersonalAccessToken, SignIn, personal_access_token
from dhis2sh.client.client import Client
from dhis2sh.client.known import Known
from dhis2sh.client.oauth2 import REDIRECT_PORT, OAuth2, Tokens, from_credentials, revoke
from dhis2sh.client.session_login import SessionLogin
from dhis2sh.errors import ConfigError, Dhis2Error, MissingExtra, NeedsSecret, NotDhis2, UsageError
from dhis2sh.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhis2sh.client.versions import ServerVersion
    from dhis2sh.secret_store import ProfileSecrets
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

REDIRECT_URI = f"http://127.0.0.1:{REDIRECT_PORT}/"
LIFETIMES = {"access": 300.0, "refresh": 30 * 86400.0, "code": 300.0}
"""Seconds that tokens of a client of ours last; a refresh token lasts longer than a weekend."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who the server says that we are, and what it is."""

    username: str
    version: ServerVersion


async def wanted_secret(s: Session, profile: Profile, *, method: str | None = None) -> str:
    """The password or token to sign in with: of the environment, else what somebody types.

    Parameters:
        profile: whose; its method decides between the two.
        method: another than the profile's.

    Raises `NeedsSecret` where nobody can be asked, or nothing was typed.
    """
    method = method or profile.auth
    what = "personal access token for" if method == "pat" else f"password of {profile.username or 'the user'} on"
    prompt = f"{what} '{profile.name}'"
    given = profile.environment_secret(method) or await s.person.secret(prompt)
    if given:
        return given
    variable = profiles.VARIABLES.get(method, "DHIS2_PASSWORD")
    raise NeedsSecret(f"there is no {prompt} yet", hint=f"set {variable}, or do this on a terminal")


def client_of(s: Session, profile: Profile, signed: SignIn) -> Client:
    """A client of a profile that signs in otherwise than the profile says."""
    known = Known(profile.name, profile.url)
    return Client(profile.settings(), signed, known=known, warn=s.person.warn, tracer=s.tracer)


async def who(client: Client) -> SignedIn:
    """Ask who we are, and keep the answer for the next shell. Raises `SignInError`."""
    me = await client.get_object("me", {"fields": "username"})
    version = await client.version(fresh=True)
    await client.remember(username=str(me.get("username")))
    return SignedIn(str(me.get("username")), version)


# login and logout --------------------------------------------------------------------------------------------------


async def log_in(s: Session, profile: Profile, *, code: str | None, browser: bool, timeout: float) -> SignedIn:
    """Sign in as the profile says, and keep what the next request needs. Raises `SignInError`, `NeedsSecret`."""
    match profile.auth:
        case "basic":
            user = _user(profile)
            password = await wanted_secret(s, profile)
            return await _with_secret(s, profile, Basic(user, password), password)
        case "pat":
            token = personal_access_token(await wanted_secret(s, profile))
            return await _with_secret(s, profile, PersonalAccessToken(token), token)
        case "session":
            return await _with_session(s, profile, code)
        case "oauth2":
            return await _with_browser(s, profile, browser=browser, timeout=timeout)
        case other:
            raise UsageError(f"sign-in '{other}' of '{profile.name}' has no login", hint="dhis2 profile verify")


def _user(profile: Profile) -> str:
    if profile.username is None:
        raise ConfigError(
            f"profile '{profile.name}' has no user name",
            hint=f"dhis2 profile add {profile.name} --url {profile.url} --username USER",
        )
    return profile.username


async def _with_secret(s: Session, profile: Profile, signed: SignIn, secret: str) -> SignedIn:
    async with client_of(s, profile, signed) as client:
        found = await who(client)
    await asyncio.to_thread(profile.secrets.write, secret)
    return found


async def _with_session(s: Session, profile: Profile, code: str | None) -> SignedIn:
    user, kept = _user(profile), profile.secrets
    password = profile.environment_secret() or await asyncio.to_thread(kept.read) or await wanted_secret(s, profile)
    signed = SessionLogin(user, password, kept, profile=profile.name)
    async with client_of(s, profile, signed) as client:
        await signed.log_in(code)
        found = await who(client)
    if code is None:  # with a second factor a password alone opens no session again
        await asyncio.to_thread(kept.write, password)
    return found


async def _with_browser(s: Session, profile: Profile, *, browser: bool, timeout: float) -> SignedIn:
    signed = await asyncio.to_thread(_oauth2, profile)

    async def show(address: str) -> None:
        opened = browser and await asyncio.to_thread(_open, address)
        where = "the browser is open; if not, sign in at" if opened else "sign in at"
        s.person.step(f"{where} {address}")

    async with client_of(s, profile, signed) as client:
        await signed.log_in(profile.url, scope=profile.scope, show=show, timeout=timeout)
        return await who(client)


def _oauth2(profile: Profile) -> OAuth2:
    return cast("OAuth2", from_credentials(profile.credentials()))


def _open(address: str) -> bool:
    import webbrowser

    return webbrowser.open(address)


async def log_out(s: Session, profile: Profile) -> str:
    """Forget how the profile signed in; gives what the user should know of what the server still remembers."""
    kept = profile.secrets
    note = "the server still knows the token; revoke it in the user's profile there" if profile.auth == "pat" else ""
    if profile.auth == "oauth2":
        note = await _taken_back(s, profile, kept)
    for kind in ("", "tokens", "cookie"):
        await asyncio.to_thread(kept.write, None, kind)
    return note


async def _taken_back(s: Session, profile: Profile, kept: ProfileSecrets) -> str:
    tokens = Tokens.from_text(await asyncio.to_thread(kept.read, "tokens"))
    if tokens is None or profile.client_id is None:
        return ""
    secret = await asyncio.to_thread(kept.read, "client")
    async with client_of(s, profile, profile.sign_in()) as client:
        gone = await revoke(client.transport.unsigned, tokens, profile.client_id, secret)
    return "the server has taken the tokens back" if gone else "the server could not be told; its token ends by itself"


# bootstrap ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a profile is to get, found out by reading alone.

    Parameters:
        profile: as it will be; `known` whether there is one of that name.
        username, signed: who asks, and how they sign in this once.
        version: the server's.
        expires: when the token ends; `client` the OAuth2 client to register, or None for a token.
    """

    profile: Profile
    known: bool
    username: str
    signed: SignIn = field(repr=False)
    version: ServerVersion
    expires: dt.datetime
    client: JsonObject | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)


async def prepare(s: Session, base: Profile, *, known: bool, days: int, oauth2: bool, client_id: str) -> Bootstrap:
    """Sign in with a password and see what can be made. Raises `SignInError`, `NeedsSecret`, `ConfigError`."""
    if base.username is None:
        raise UsageError("who signs in?", hint=f"dhis2 profile bootstrap {base.name} --username USER")
    kept = await asyncio.to_thread(base.secrets.read) if base.auth == "basic" else None
    password = base.environment_secret("basic") or kept or await wanted_secret(s, base, method="basic")
    signed = Basic(base.username, password)
    async with client_of(s, base, signed) as client:
        found = await who(client)
        client_json, secret = None, None
        if oauth2:
            await _no_such_client(client, found.version, client_id)
            secret = new_client_secret(found.version)
            client_json = await asyncio.to_thread(oauth2_client, found.version, client_id, secret)
    profile = replace(
        base, auth="oauth2" if oauth2 else "pat", username=found.username, client_id=client_id if oauth2 else None
    )
    return Bootstrap(profile, known, found.username, signed, found.version, _end(days), client_json, secret)


async def prepare_signed_in(s: Session, base: Profile, signed: SignIn, *, known: bool, days: int) -> Bootstrap:
    """The same for a token, where somebody has signed in already, as in a browser. Raises `SignInError`."""
    async with client_of(s, base, signed) as client:
        found = await who(client)
    profile = replace(base, auth="pat", username=found.username, client_id=None)
    return Bootstrap(profile, known, found.username, signed, found.version, _end(days))


def _end(days: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


async def _no_such_client(client: Client, version: ServerVersion, client_id: str) -> None:
    key = version.behaviour.oauth2_client_key
    page = await client.list_page("oAuth2Clients", {"filter": f"{key}:eq:{client_id}", "fields": "id"})
    if page.rows:
        raise ConfigError(
            f"the server has an OAuth2 client '{client_id}' already, and gives its secret to nobody",
            hint="--client-id OTHER registers another one",
        )


async def make(s: Session, wanted: Bootstrap) -> str:
    """Create the token or the client, and keep it; gives its UID.

    What cannot be kept is taken back, so that no token lives on that nobody has.
    """
    profile = wanted.profile
    path = "apiToken" if wanted.client is None else "oAuth2Clients"
    body: JsonObject = wanted.client or {"attributes": [], "expire": int(wanted.expires.timestamp() * 1000)}
    async with client_of(s, profile, wanted.signed) as client:
        answer = await client.post(path, body)
        response = cast("JsonObject", answer.get("response") or {}) if isinstance(answer, dict) else {}
        uid, key = str(response.get("uid")), response.get("key")
        try:
            if wanted.client is None and not isinstance(key, str):
                raise NotDhis2("the server made a token and did not say it", hint="dhis2 system info")
            await asyncio.to_thread(_keep, wanted, cast("str | None", key))
        except Dhis2Error:
            await client.delete(f"{path}/{uid}")
            raise
    return uid


def _keep(wanted: Bootstrap, token: str | None) -> None:
    profile = wanted.profile
    profiles.save(profile)
    kept = profile.secrets
    kept.write(token)  # a password is needed no more
    if wanted.client_secret is not None:
        kept.write(wanted.client_secret, "client")
        kept.write(None, "tokens")


OLD_SECRET = 36
"""Until 2.41 the secret of a client has just so many characters (E4002; its schema)."""


def new_client_secret(version: ServerVersion) -> str:
    """A secret for an OAuth2 client that a server of this version takes."""
    return secrets.token_urlsafe(32) if version.has("spring_oauth2") else str(uuid.uuid4())


def oauth2_client(
    version: ServerVersion, client_id: str, secret: str, redirect_uris: Sequence[str] = (REDIRECT_URI,)
) -> JsonObject:
    """The body of `POST /api/oAuth2Clients` for a version; hashing its secret takes a moment.

    Parameters:
        redirect_uris: where the server may send people back to; to this program without them.

    API source: `OAuth2Client` until 2.41, `Dhis2OAuth2Client` since 2.42, whose secret is kept as it comes and compared
    as a BCrypt hash, and whose settings are Spring's own JSON.
    """
    grants = ["authorization_code", "refresh_token"]
    if not version.has("spring_oauth2"):
        return {
            "name": client_id,
            "cid": client_id,
            "secret": secret,
            "grantTypes": [*grants],
            "redirectUris": [*redirect_uris],
        }
    try:
        import bcrypt
    except ImportError as error:
        raise MissingExtra("registering an OAuth2 client", "oauth2") from error
    immutable = "java.util.Collections$UnmodifiableMap"
    java = "org.springframework.security.oauth2"
    client_settings = {
        "@class": immutable, "settings.client.require-proof-key": True,
        "settings.client.require-authorization-consent": True,
    }  # fmt: skip
    token_settings = {
        "@class": immutable,
        "settings.token.reuse-refresh-tokens": True,
        "settings.token.x509-certificate-bound-access-tokens": False,
        "settings.token.id-token-signature-algorithm": [f"{java}.jose.jws.SignatureAlgorithm", "RS256"],
        "settings.token.access-token-format": {
            "@class": f"{java}.server.authorization.settings.OAuth2TokenFormat", "value": "self-contained",
        },
        "settings.token.access-token-time-to-live": ["java.time.Duration", LIFETIMES["access"]],
        "settings.token.refresh-token-time-to-live": ["java.time.Duration", LIFETIMES["refresh"]],
        "settings.token.authorization-code-time-to-live": ["java.time.Duration", LIFETIMES["code"]],
        "settings.token.device-code-time-to-live": ["java.time.Duration", LIFETIMES["code"]],
    }  # fmt: skip
    return {
        "name": client_id,
        "clientId": client_id,
        "clientSecret": bcrypt.hashpw(secret.encode(), bcrypt.gensalt(10)).decode(),
        "clientAuthenticationMethods": "client_secret_basic,client_secret_post",
        "authorizationGrantTypes": ",".join(grants),
        "redirectUris": ",".join(redirect_uris),
        "scopes": "ALL",
        "clientSettings": json.dumps(client_settings),
        "tokenSettings": json.dumps(token_settings),
    }
