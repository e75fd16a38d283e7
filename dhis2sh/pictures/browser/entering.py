"""Signing a browser in: by the server's own login form, by a session, by a token on every request, or by OpenID Connect.

A token opens no session: no cookie comes of a request that carries one. A browser is signed in with it by putting it on each
request to the server, and on none to anywhere else.

API source: `/dhis-web-login/` (since 2.41), `/dhis-web-commons/security/login.action` (2.40), `GET /api/loginConfig`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import urlsplit

from dhis2sh.client.addresses import origin
from dhis2sh.client.session_login import STATUSES
from dhis2sh.errors import NeedsSecret, NotDhis2, NotFound, SignInError, TimedOut, UsageError
from dhis2sh.pictures.browser.chromium import first_line
from dhis2sh.verbs.declaration import Bounds, Doc, NotForAgents

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page, Response, Route

    from dhis2sh.session import Session

OIDC = ("DHIS2_OIDC_USERNAME", "DHIS2_OIDC_PASSWORD")
"""Where the environment has the credentials of the provider of OpenID Connect."""
STEPS = 6
"""Pages that a provider may ask on before we are back."""
_LOGIN = re.compile(r"/auth/login$|/login\.action$|/security/login")
USER = (
    "input[name=username], input[name=j_username], input[type=email], input[name=identifier], input[name=loginfmt], "
    "input[autocomplete~=username], input#username, input[name=user], input[name=login], input[name=email]"
)
PASSWORD = "input[type=password]"  # noqa: S105  (where one is typed)
SUBMIT = "button[type=submit], input[type=submit]"
SEEN = """(selector) => [...document.querySelectorAll(selector)].some(e => e.checkVisibility() && !e.disabled)"""
CHANGED = """([address, before, user, password]) => {
  const seen = s => [...document.querySelectorAll(s)].some(e => e.checkVisibility() && !e.disabled);
  const now = (seen(user) ? 'u' : '') + (seen(password) ? 'p' : '');
  const told = document.querySelector('[role=alert], .error, .alert-error, #error');
  return location.href !== address || (now && now !== before) || (told && told.checkVisibility());
}"""
WHO = """async (address) => {
  const headers = {'X-Requested-With': 'XMLHttpRequest', Accept: 'application/json'};
  const answer = await fetch(address, {headers, redirect: 'manual', credentials: 'same-origin'});
  return [answer.status, answer.ok ? await answer.text() : ''];
}"""


@dataclass(frozen=True, slots=True)
class Entering:
    """How a browser signs in, as options of its verbs."""

    oidc: Annotated[
        str | None,
        Doc("Sign in by this provider of OpenID Connect; DHIS2_OIDC_USERNAME and DHIS2_OIDC_PASSWORD are typed there."),
    ] = None
    window: Annotated[bool, Doc("Show the browser, and let somebody sign in by hand."), NotForAgents()] = False
    timeout: Annotated[float, Doc("Seconds to wait for a page."), Bounds(1, 3600)] = 120.0


class Signed:
    """Signs requests as a browser does that has signed in; kept nowhere.

    Parameters:
        headers: what its requests carry.
    """

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    async def headers(self) -> dict[str, str]:
        """What its requests carry."""
        return dict(self._headers)

    def describe(self) -> str:
        """Who this is, without a secret."""
        return "with a browser's session"


async def session_of(context: BrowserContext, base: str) -> Signed:
    """The session that a browser has opened on a server. Raises `SignInError` where there is none."""
    found = [one for one in await context.cookies(f"{base}/") if one.get("name") in {"JSESSIONID", "SESSION"}]
    if not found:
        raise SignInError("the browser is signed in without a session", hint="dhis2 profile verify")
    return Signed({"Cookie": "; ".join(f"{one.get('name')}={one.get('value')}" for one in found)})


async def enter(s: Session, context: BrowserContext, base: str, how: Entering) -> Page:
    """A page of the server's on which its user is signed in.

    Parameters:
        context: the browser.
        base: the server's address.
        how: by which way.

    Raises `SignInError` in the server's words, `NeedsSecret`, `TimedOut`, `UsageError` for a profile that nobody signs in with.
    """
    from playwright.async_api import Error  # heavy: an extra

    context.set_default_timeout(how.timeout * 1000)
    door = await context.new_page()
    page = door
    try:
        await _entered(s, context, door, base, how)
        # A page that let somebody in goes on by itself, whenever its script comes to it: what is asked next has its own.
        page = await context.new_page()
        await page.goto(f"{base}/api/ping")
        await door.close()
    except Error as error:
        told = first_line(error)
        if "Timeout" in told:
            raise TimedOut(f"signing in did not end within {how.timeout:.0f} s, at {_shown(page.url)}",
                           hint="--timeout 300, or --window to see what the page asks") from None  # fmt: skip
        raise NotDhis2(
            f"the browser could not sign in at {_shown(page.url)}: {told}", hint="dhis2 profile verify"
        ) from None
    user = await who(page, base)
    if user is None:
        raise SignInError(f"the browser is at {_shown(page.url)}, and not signed in", hint="dhis2 profile verify")
    return page


async def _entered(s: Session, context: BrowserContext, page: Page, base: str, how: Entering) -> None:
    if how.window:
        s.person.step("sign in in the window that is open now")
        await page.goto(f"{base}/")
        await _by_hand(page, base, how.timeout)
        return
    if how.oidc is not None:
        await _by_provider(page, base, how.oidc)
        return
    match s.profile.auth:
        case "basic":
            user, password = await _credentials(s)
            await _by_form(page, base, user, password, s.profile.name)
        case "none":
            raise UsageError(
                f"profile '{s.profile.name}' signs in as nobody", hint="dhis2 profile add, with --username"
            )
        case "session":
            await _by_cookie(s, context, base)
        case _:
            await _by_token(s, context, base)


async def _credentials(s: Session) -> tuple[str, str]:
    if s.profile.embedded:
        return "admin", "district"
    from dhis2sh.sign_in import wanted_secret  # start-up: who types a password

    known = await asyncio.to_thread(s.profile.credentials)
    if not known.username:
        raise UsageError(
            f"profile '{s.profile.name}' has no user name", hint=f"dhis2 profile add {s.profile.name} --username USER"
        )
    return known.username, known.secret or await wanted_secret(s, s.profile)


async def _by_form(page: Page, base: str, user: str, password: str, profile: str) -> None:
    """Type name and password into the server's own login page, wherever it leads to it."""
    await page.goto(f"{base}/")
    await page.wait_for_function(SEEN, arg=PASSWORD)
    if origin(page.url) != origin(base):
        raise SignInError(f"{base} leads to {_shown(page.url)}, and passwords are typed at {origin(base)} alone",
                          hint="--oidc PROVIDER, or --window")  # fmt: skip
    await page.locator(USER).first.fill(user)
    await page.locator(PASSWORD).first.fill(password)
    async with page.expect_response(lambda r: r.request.method == "POST" and _LOGIN.search(urlsplit(r.url).path) is not None) as got:  # fmt: skip
        await page.locator(SUBMIT).first.click()
    await _accepted(await got.value, profile)


async def _accepted(answer: Response, profile: str) -> None:
    """Raise `SignInError` with what the server made of a name and a password."""
    login = f"dhis2 profile login {profile}"
    if answer.status < 400 and "failed" in answer.headers.get("location", ""):  # 2.40 sends back to its form
        raise SignInError("the server did not accept the user name or password", hint=login)
    if 300 <= answer.status < 400:
        return
    from playwright.async_api import Error  # heavy: an extra

    try:
        told = cast("dict[str, object]", json.loads(await answer.body()))
    except (ValueError, Error):  # no JSON; or the page has gone on already, as it does when it was let in
        told = {}
    status = str(told.get("loginStatus") or "")
    if status in STATUSES:
        why, hint = STATUSES[status]
        raise SignInError(why, hint=hint.format(name=profile, login=login), code=status)
    if answer.status >= 400:
        raise SignInError(f"the server did not log the browser in: {told.get('message') or answer.status}", hint=login)


async def _by_cookie(s: Session, context: BrowserContext, base: str) -> None:
    await s.client.version()  # an ended session is opened anew where the profile can
    pair = (await s.client.transport.sign_in.headers()).get("Cookie", "")
    name, _, value = pair.partition("=")
    if not name:
        raise SignInError("the profile has no session", hint=f"dhis2 profile login {s.profile.name}")
    await context.add_cookies([{"name": name, "value": value, "url": f"{base}/"}])


async def _by_token(s: Session, context: BrowserContext, base: str) -> None:
    signed, ours = s.client.transport.sign_in, origin(base)

    async def sign(route: Route) -> None:
        if origin(route.request.url) != ours:
            await route.continue_()
            return
        await route.continue_(headers={**await route.request.all_headers(), **await signed.headers()})

    await signed.headers()  # what is missing is said before a page waits for it
    await context.route("**/*", sign)


# OpenID Connect ------------------------------------------------------------------------------------------------------


async def _by_provider(page: Page, base: str, provider: str) -> None:
    """Begin at the server's address for a provider, and type what the environment has into the pages that follow."""
    user, password = (os.environ.get(name) for name in OIDC)
    if not user or not password:
        raise NeedsSecret(f"OpenID Connect wants {' and '.join(OIDC)}", hint="set them, or --window")
    await page.goto(f"{base}{await _address_of(page, base, provider)}")
    typed = 0
    for _ in range(STEPS):
        await page.wait_for_load_state()
        if _is_back(page.url, base):
            return
        _safe_to_type(page.url)
        await page.wait_for_function(SEEN, arg=f"{USER}, {PASSWORD}")
        asks_user = bool(await page.evaluate(SEEN, USER))
        asks_password = bool(await page.evaluate(SEEN, PASSWORD))
        if asks_password and typed:
            raise SignInError(f"{origin(page.url)} did not accept {OIDC[0]} or {OIDC[1]}{await _told(page)}", hint="--window shows its page")  # fmt: skip
        if asks_user:
            await page.locator(USER).locator("visible=true").first.fill(user)
        if asks_password:
            await page.locator(PASSWORD).locator("visible=true").first.fill(password)
            typed += 1
        before = ("u" if asks_user else "") + ("p" if asks_password else "")
        address = page.url
        await page.locator(SUBMIT).locator("visible=true").first.click()
        await page.wait_for_function(CHANGED, arg=[address, before, USER, PASSWORD])
    raise SignInError(f"{origin(page.url)} asks on: {_shown(page.url)}", hint="--window, and sign in by hand")


async def _address_of(page: Page, base: str, provider: str) -> str:
    """Where the server sends to a provider, below its own address. Raises `NotFound` with those that there are."""
    answer = await page.context.request.get(f"{base}/api/loginConfig", max_redirects=0)
    plain = f"/oauth2/authorization/{provider}"
    if not answer.ok:
        return plain  # 2.40 shows its login configuration to nobody
    rows = cast("list[dict[str, object]]", (await answer.json()).get("oidcProviders") or [])
    known = {str(row.get("id")): str(row.get("url") or "") for row in rows}
    if provider not in known:
        there = f"it has {', '.join(known)}" if known else "it has none: its administrator adds one in dhis.conf"
        raise NotFound(f"the server has no provider of OpenID Connect '{provider}'", hint=there)
    path = urlsplit(known[provider]).path
    context = urlsplit(base).path
    return path.removeprefix(context) if path.startswith("/") else plain


def _is_back(url: str, base: str) -> bool:
    """Has the provider sent the browser back to the server, and has that taken it in?"""
    path = urlsplit(url).path.removeprefix(urlsplit(base).path)
    return origin(url) == origin(base) and not path.startswith("/oauth2/")


def _safe_to_type(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise SignInError(f"{_shown(url)} is not encrypted: no password is typed there", hint="--window")


async def _told(page: Page) -> str:
    """What a page says went wrong."""
    box = page.locator("[role=alert], .error, .alert-error, #error").locator("visible=true")
    text = " ".join((await box.first.inner_text()).split())[:200] if await box.count() else ""
    return f": {text}" if text else ""


async def _by_hand(page: Page, base: str, seconds: float) -> None:
    """Wait until somebody has signed in: on each page of the server's that the browser comes to it is asked who that is."""
    moved = asyncio.Event()
    page.on("framenavigated", lambda _: moved.set())
    try:
        async with asyncio.timeout(seconds):
            while True:
                moved.clear()
                await page.wait_for_load_state()
                if _is_back(page.url, base) and await who(page, base):
                    return
                await moved.wait()
    except TimeoutError:
        raise TimedOut(f"nobody has signed in within {seconds:.0f} s", hint="--timeout 600") from None


async def who(page: Page, base: str) -> str | None:
    """The user that a page of the server's is signed in as; None for nobody, and where the page goes on meanwhile."""
    from playwright.async_api import Error  # heavy: an extra

    try:
        status, text = cast("tuple[int, str]", tuple(await page.evaluate(WHO, f"{base}/api/me?fields=username")))
    except Error:
        return None
    try:
        return str(json.loads(text)["username"]) if status == 200 else None
    except (ValueError, KeyError, TypeError):
        return None


def _shown(url: str) -> str:
    """An address without what it carries: providers put codes and states into it."""
    return url.partition("?")[0].partition("#")[0]
