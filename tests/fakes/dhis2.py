"""A DHIS2 server in a hundred lines, as far as signing in goes: passwords, tokens, sessions, OAuth2 and its faults."""

import base64
import hashlib
import itertools
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class FakeDhis2:
    """What it knows, and what it was asked. Turn its knobs between two requests.

    Parameters:
        version: what it says that it is; `oauth2_on` whether its authorization server is switched on.
        login_status: what `/api/auth/login` answers after the right password.
        lifetime: seconds of an access token; `gives_refresh` whether a refresh token comes with it.
        moved: the token endpoint redirects to the same address with a slash, as DHIS2 does.
        open_id: whether users have the `openId` that its own tokens need.
    """

    version: str = "2.42.5.2"
    oauth2_on: bool = True
    login_status: str = "SUCCESS"
    two_factor: str | None = None
    lifetime: int = 300
    gives_refresh: bool = True
    moved: bool = False
    open_id: bool = True
    users: dict[str, str] = field(default_factory=lambda: {"ann": "district"})
    pats: set[str] = field(default_factory=lambda: {"d2p_good"})
    clients: dict[str, str | None] = field(default_factory=lambda: {"dhis2sh": None})
    tokens: dict[str, str] = field(default_factory=dict)
    refreshes: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bodies: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._codes: dict[str, dict[str, str]] = {}
        self._number = itertools.count(1)
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=METHODS)])

    def forget(self) -> None:
        """What a restart with a new signing key does: no token and no session is known any more."""
        self.tokens.clear()
        self.refreshes.clear()
        self.sessions.clear()

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        public = {
            "/.well-known/openid-configuration": self._discovery,
            "/api/loginConfig": self._login_config,
            "/api/auth/login": self._login,
            "/oauth2/authorize": self._authorize,
            "/oauth2/token": self._token,
            "/oauth2/token/": self._token,
            "/oauth2/revoke": self._revoke,
            "/uaa/oauth/token": self._token,
        }
        if path in public:
            return await public[path](request)
        user = self._user(request)
        if isinstance(user, Response):
            return user
        return await self._signed(request, user)

    def _user(self, request: Request) -> str | Response:
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, password = base64.b64decode(rest).decode().partition(":")
            return name if self.users.get(name) == password else unauthorized()
        if scheme == "ApiToken":
            return "ann" if rest in self.pats else unauthorized("Failed to authenticate API token, token has expired.")
        if scheme == "Bearer":
            if rest not in self.tokens:
                return challenged("Jwt expired")
            name = self.tokens[rest]
            text = f"Found no matching DHIS2 user for the mapping claim: 'sub' with the value: '{name}'"
            return name if self.open_id else challenged(text)
        cookie = request.cookies.get("JSESSIONID", "")
        return self.sessions.get(cookie) or RedirectResponse("/login/", status_code=302)

    async def _signed(self, request: Request, user: str) -> Response:
        path, body = request.url.path, await request.body()
        if body:
            self.bodies.append(json.loads(body))
        if path == "/api/system/info":
            return JSONResponse({"version": self.version, "calendar": "iso8601", "systemName": "Fake"})
        if path == "/api/me":
            return JSONResponse({"id": "u1234567890", "username": user, "authorities": ["ALL"]})
        if path == "/api/apiToken" and request.method == "POST":
            key = f"d2p_made{next(self._number)}"
            self.pats.add(key)
            return created({"responseType": "ObjectReport", "key": key, "uid": "tok12345678"})
        if path == "/api/oAuth2Clients" and request.method == "POST":
            made = json.loads(body)
            name = made.get("clientId") or made.get("cid")
            if name in self.clients:
                report = {"errorReports": [{"message": f"client {name} already exists", "errorCode": "E5003"}]}
                return JSONResponse({"httpStatusCode": 409, "response": report}, status_code=409)
            self.clients[name] = made.get("clientSecret") or made.get("secret")
            return created({"responseType": "ObjectReport", "uid": "cli12345678"})
        if path == "/api/oAuth2Clients":
            wanted = request.query_params.get("filter", "").rpartition(":")[2]
            rows = [{"id": "cli12345678"}] if wanted in self.clients else []
            return JSONResponse({"pager": {"page": 1, "pageCount": 1}, "oAuth2Clients": rows})
        return JSONResponse({"path": path})

    async def _discovery(self, request: Request) -> Response:
        if not self.oauth2_on or self.version < "2.42":
            return Response("<title>404</title>", status_code=404, media_type="text/html")
        return JSONResponse({"issuer": "http://t", "token_endpoint": "http://t/oauth2/token"})

    async def _login_config(self, request: Request) -> Response:
        if self.version < "2.41":
            return RedirectResponse("/dhis-web-commons/security/login.action", status_code=302)
        return JSONResponse({"apiVersion": self.version})

    async def _login(self, request: Request) -> Response:
        if self.version < "2.41":
            return RedirectResponse("/dhis-web-commons/security/login.action", status_code=302)
        given = await request.json()
        if self.users.get(given["username"]) != given["password"]:
            return unauthorized("Bad credentials")
        status = self.login_status
        if self.two_factor is not None and given.get("twoFactorCode") != self.two_factor:
            status = "INCORRECT_TWO_FACTOR_CODE_TOTP"
        answer = JSONResponse({"loginStatus": status, "redirectUrl": "/"})
        if status == "SUCCESS":
            session = f"session{next(self._number)}"
            self.sessions[session] = given["username"]
            answer.set_cookie("JSESSIONID", session, httponly=True)
        return answer

    async def _authorize(self, request: Request) -> Response:
        """Consents at once, as a person would."""
        asked = dict(request.query_params)
        back = {"state": asked["state"]}
        if asked["client_id"] not in self.clients:
            back["error"], back["error_description"] = "access_denied", "ann said no"
        else:
            back["code"] = f"code{next(self._number)}"
            self._codes[back["code"]] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", status_code=302)

    async def _token(self, request: Request) -> Response:
        if self.moved and not request.url.path.endswith("/"):
            return RedirectResponse("/oauth2/token/", status_code=301)
        if not self.oauth2_on:
            return Response("<title>Unauthorized</title>", status_code=401, media_type="text/html")
        form = dict(parse_qsl((await request.body()).decode()))
        name, secret = form.get("client_id", ""), None
        if request.headers.get("authorization", "").startswith("Basic "):
            name, _, secret = base64.b64decode(request.headers["authorization"][6:]).decode().partition(":")
        if name not in self.clients or not matches(secret, self.clients[name]):
            return refused("invalid_client", "client authentication failed", 401)
        if form["grant_type"] == "refresh_token":
            user = self.refreshes.pop(form["refresh_token"], None)
            return self._grant(user) if user else refused("invalid_grant", "the refresh token is not known")
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != proof or asked["redirect_uri"] != form["redirect_uri"]:
            return refused("invalid_grant", "the code is not valid")
        return self._grant("ann")

    def _grant(self, user: str) -> Response:
        number = next(self._number)
        self.tokens[f"access{number}"] = user
        answer = {"access_token": f"access{number}", "token_type": "Bearer", "expires_in": self.lifetime}
        if self.gives_refresh:
            self.refreshes[f"refresh{number}"] = user
            answer["refresh_token"] = f"refresh{number}"
        return JSONResponse(answer)

    async def _revoke(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.refreshes.pop(form["token"], None)
        return Response(status_code=200)


def matches(secret: str | None, kept: str | None) -> bool:
    """Whether a client's secret is the one whose hash (or, before 2.42, text) the server keeps."""
    if secret is None or kept is None:
        return secret is kept
    if kept.startswith("$2"):
        import bcrypt

        return bcrypt.checkpw(secret.encode(), kept.encode())
    return secret == kept


def created(response: dict) -> Response:
    body = {"httpStatus": "Created", "httpStatusCode": 201, "status": "OK", "response": response}
    return JSONResponse(body, status_code=201)


def unauthorized(message: str = "Unauthorized") -> Response:
    body = {"httpStatus": "Unauthorized", "httpStatusCode": 401, "status": "ERROR", "message": message}
    return JSONResponse(body, status_code=401)


def challenged(text: str) -> Response:
    header = f'Bearer error="invalid_token", error_description="{text}"'
    return Response(status_code=401, headers={"WWW-Authenticate": header})


def refused(error: str, why: str, status: int = 400) -> Response:
    return JSONResponse({"error": error, "error_description": why}, status_code=status)
