"""A small provider of OpenID Connect, and the part of a server that signs people in by it: in front of a sandbox.

Authorization code with PKCE, state and nonce. The provider asks for the name on one page and for the password on the next.
"""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from dhis2sh.sandbox.people.signin import COOKIE

USER, PASSWORD = "ann@example.org", "correct horse"
PAGE = """<!doctype html><html lang="en"><title>Provider</title><form method="post">{told}
<label>{label} <input name="{name}" type="{kind}"></label><button type="submit">Next</button></form>"""


class Provider:
    """Both of them; `typed` is what was sent to the provider's pages."""

    def __init__(self, sandbox: Any, provider: str = "") -> None:
        self.sandbox = sandbox
        self.provider = provider  # the origin of the provider's own pages
        self.states: dict[str, tuple[str, str]] = {}
        self.asked: dict[str, str] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.typed: list[str] = []

    # the server

    async def login_config(self, request: Request) -> Response:
        return JSONResponse(
            {"apiVersion": "2.42.0", "oidcProviders": [{"id": "ours", "url": "/oauth2/authorization/ours"}]}
        )

    async def begin(self, request: Request) -> Response:
        state, verifier, nonce = (secrets.token_urlsafe(24) for _ in range(3))
        self.states[state] = (verifier, nonce)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": "dhis2", "state": state, "nonce": nonce, "scope": "openid",
            "code_challenge": challenge, "code_challenge_method": "S256",
            "redirect_uri": f"{str(request.base_url).rstrip('/')}/oauth2/code/ours",
        }  # fmt: skip
        return RedirectResponse(f"{self.provider}/authorize?{urlencode(query)}", 302)

    async def back(self, request: Request) -> Response:
        verifier, nonce = self.states.pop(request.query_params["state"])
        claims = self.codes.pop(request.query_params["code"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        assert (claims["code_challenge"], claims["nonce"]) == (challenge, nonce)
        signin = self.sandbox.state.server.signin
        response = RedirectResponse("/", 302)
        response.set_cookie(COOKIE, signin.open_session(str(signin.accounts.named("admin")["id"])), httponly=True)
        return response

    # the provider

    async def authorize(self, request: Request) -> Response:
        self.asked = dict(request.query_params)
        if request.method == "POST":
            self.typed.append(parse_qs((await request.body()).decode())["name"][0])
            return RedirectResponse("/password", 303)
        return HTMLResponse(PAGE.format(told="", label="Name", name="name", kind="email"))

    async def password(self, request: Request) -> Response:
        told = ""
        if request.method == "POST":
            self.typed.append(parse_qs((await request.body()).decode())["secret"][0])
            if self.typed[-2:] == [USER, PASSWORD]:
                code = secrets.token_urlsafe(24)
                self.codes[code] = self.asked
                return RedirectResponse(
                    f"{self.asked['redirect_uri']}?{urlencode({'code': code, 'state': self.asked['state']})}", 303
                )
            told = '<div role="alert">Wrong name or password.</div>'
        return HTMLResponse(PAGE.format(told=told, label="Password", name="secret", kind="password"))

    def server(self) -> Starlette:
        routes = [
            Route("/api/loginConfig", self.login_config),
            Route("/oauth2/authorization/ours", self.begin),
            Route("/oauth2/code/ours", self.back),
            Mount("/", self.sandbox),
        ]
        return Starlette(routes=routes)

    def pages(self) -> Starlette:
        both = ["GET", "POST"]
        return Starlette(
            routes=[Route("/authorize", self.authorize, methods=both), Route("/password", self.password, methods=both)]
        )
