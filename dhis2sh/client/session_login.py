"""Sign-in by a session: `POST /api/auth/login` gives a cookie that every request carries, until the server ends it.

API source: `/api/auth/login` (since 2.41), `LoginResponse.LoginStatus`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dhis2sh.errors import ConfigError, NotDhis2, NotFound, ServerFault, SignInError

if TYPE_CHECKING:
    from dhis2sh.client.answers import Answer
    from dhis2sh.client.auth import Credentials, Exchange, Secrets, SignIn

_COOKIE = re.compile(r"\b((?:JSESSIONID|SESSION)=[^;,\s]+)")
_ADMIN = "ask an administrator of the server"
_CODE = "dhis2 profile login {name} --code CODE"
STATUSES: dict[str, tuple[str, str]] = {
    "ACCOUNT_DISABLED": ("the account is disabled", _ADMIN),
    "ACCOUNT_LOCKED": ("the account is locked after too many wrong passwords", "wait, or " + _ADMIN),
    "ACCOUNT_EXPIRED": ("the account has expired", _ADMIN),
    "PASSWORD_EXPIRED": ("the password has expired", "choose a new one in the server's web pages, then: {login}"),
    "EMAIL_TWO_FACTOR_CODE_SENT": ("the server has sent a code by e-mail", _CODE),
    "INCORRECT_TWO_FACTOR_CODE": ("the server wants another two-factor code", _CODE),
    "INCORRECT_TWO_FACTOR_CODE_TOTP": ("the server wants the code of the authenticator app", _CODE),
    "INCORRECT_TWO_FACTOR_CODE_EMAIL": ("the code of the e-mail is not right", _CODE),
    "REQUIRES_TWO_FACTOR_ENROLMENT": ("the account must set up two-factor sign-in first", "do it in the web pages"),
}
"""What a `loginStatus` other than SUCCESS means, and what to do."""


class SessionLogin:
    """Signs with a session cookie, and logs in again when the session has ended: once, however many calls wait.

    Parameters:
        username, password: who logs in; without a password an ended session is an error.
        kept: keeps the cookie between processes.
        profile: its name, for messages.
    """

    def __init__(self, username: str, password: str | None, kept: Secrets, *, profile: str = "") -> None:
        self._username, self._password, self._kept = username, password, kept
        self._profile = profile or "NAME"
        self._cookie: str | None = None
        self._exchange: Exchange | None = None
        self._entering = asyncio.Lock()

    def attach(self, exchange: Exchange) -> None:
        """Where the login is sent."""
        self._exchange = exchange

    def describe(self) -> str:
        """Who this is, without a secret."""
        return f"{self._username}, with a session"

    async def headers(self) -> dict[str, str]:
        """The `Cookie` header; logs in first where there is no session yet."""
        if self._cookie is None:
            await self._enter(None)
        return {"Cookie": self._cookie or ""}

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """After a refusal: a new session. Raises `SignInError` when there is no way to one."""
        await self._enter(refused.get("Cookie"))
        return True

    async def log_in(self, code: str | None = None) -> None:
        """Open a session and keep its cookie.

        Parameters:
            code: of the second factor.

        Raises `SignInError` with what the server's `loginStatus` means.
        """
        if self._password is None:
            ended = self._cookie is not None or await asyncio.to_thread(self._kept.read, "cookie") is not None
            why = "the session has ended" if ended else "nobody has signed in with this profile yet"
            raise SignInError(why, hint=f"dhis2 profile login {self._profile}")
        assert self._exchange is not None, "the transport attaches itself"
        request = {"username": self._username, "password": self._password} | ({"twoFactorCode": code} if code else {})
        answer = await self._exchange(
            "POST", "/api/auth/login", body=json.dumps(request).encode(), headers={"Content-Type": "application/json"}
        )
        self._cookie = cookie_of(answer, self._profile)
        await asyncio.to_thread(self._kept.write, self._cookie, "cookie")

    async def _enter(self, refused: str | None) -> None:
        """Another cookie than the one that was refused: from another call, another process, or a login."""
        async with self._entering:
            if self._cookie is not None and self._cookie != refused:
                return
            kept = await asyncio.to_thread(self._kept.read, "cookie")
            if kept is not None and kept != refused:
                self._cookie = kept
                return
            await self.log_in()


def cookie_of(answer: Answer, profile: str) -> str:
    """The session cookie of a login's answer, as `NAME=value`. Raises `SignInError` with what went wrong."""
    login = f"dhis2 profile login {profile}"
    if answer.status in {404, 405} or 300 <= answer.status < 400:
        raise NotFound(
            "this server has no login by session: DHIS2 has it since 2.41",
            hint="auth = 'basic' or 'pat' in the profile",
        )
    if answer.status >= 500:
        raise ServerFault(f"the server failed while it logged us in: status {answer.status}", status=answer.status)
    try:
        told = json.loads(answer.body)
        status = str(told.get("loginStatus") or "")
    except (ValueError, AttributeError):
        raise NotDhis2("the login was answered with a page, not with data", hint="dhis2 profile show") from None
    if status in STATUSES:
        why, hint = STATUSES[status]
        raise SignInError(why, hint=hint.format(name=profile, login=login), code=status)
    found = _COOKIE.search(answer.headers.get("set-cookie", ""))
    if answer.status >= 400 or (status and status != "SUCCESS"):
        raise SignInError(f"the server did not log us in: {told.get('message') or status or answer.status}", hint=login)
    if found is None:
        raise NotDhis2("the login was accepted, but no session cookie came with it", hint="dhis2 profile show")
    return found[1]


def from_credentials(credentials: Credentials) -> SignIn:
    """The provider behind `auth = "session"`. Raises `ConfigError` without a user name."""
    if not credentials.username or credentials.kept is None:
        raise ConfigError(
            "sign-in 'session' needs a user name",
            hint=f"dhis2 profile add {credentials.profile or 'NAME'} --username USER",
        )
    return SessionLogin(credentials.username, credentials.secret, credentials.kept, profile=credentials.profile)
