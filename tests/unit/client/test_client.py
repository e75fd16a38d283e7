from collections.abc import Awaitable, Callable

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from dhis2sh.client.auth import Basic, PersonalAccessToken, SignIn
from dhis2sh.client.client import Client
from dhis2sh.client.requests import effect_scope
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import Dhis2Error, NotDhis2, ReadOnlyProfile, ServerFault, SignInError

type Handler = Callable[[Request], Awaitable[Response]]


def app_of(handler: Handler) -> Starlette:
    return Starlette(routes=[Route("/{path:path}", handler, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])])


def client_of(handler: Handler, sign_in: SignIn | None = None, **settings: object) -> Client:
    """A client of a server that answers everything by one function."""
    how = ConnectionSettings("http://t", profile="play", **settings)
    return Client(how, sign_in or Basic("u", "p"), asgi_app=app_of(handler), retry=RetryRule(base=0.0))


async def echo(request: Request) -> Response:
    return JSONResponse({"method": request.method, "headers": dict(request.headers)})


@pytest.mark.parametrize(
    ("sign_in", "header"), [(Basic("u", "p"), "Basic dTpw"), (PersonalAccessToken("d2p_x"), "ApiToken d2p_x")]
)
async def test_requests_are_signed_and_name_us(sign_in: SignIn, header: str):
    async with client_of(echo, sign_in) as client:
        headers = (await client.get_object("me"))["headers"]
    assert headers["authorization"] == header
    assert headers["user-agent"].startswith("dhis2sh/")


class Flaky:
    """Fails once, then answers."""

    def __init__(self):
        self.calls = 0

    async def __call__(self, request: Request) -> Response:
        self.calls += 1
        return Response(status_code=503, headers={"Retry-After": "0"}) if self.calls == 1 else JSONResponse({})


def flaky_client(flaky: Flaky) -> Client:
    async def handler(request: Request) -> Response:
        return await flaky(request)

    return client_of(handler)


async def test_get_is_repeated_after_503():
    flaky = Flaky()
    async with flaky_client(flaky) as client:
        assert await client.get("me") == {}
    assert flaky.calls == 2


async def test_post_is_repeated_only_when_idempotent():
    once, twice = Flaky(), Flaky()
    async with flaky_client(once) as client:
        with pytest.raises(ServerFault):
            await client.post("metadata", {})
    async with flaky_client(twice) as client:
        assert await client.post("metadata", {}, idempotent=True) == {}
    assert (once.calls, twice.calls) == (1, 2)


async def test_read_only_profile_sends_no_write():
    async with client_of(echo, read_only=True) as client:
        for write in (client.post("a", {}), client.put("a", {}), client.patch("a", []), client.delete("a")):
            with pytest.raises(ReadOnlyProfile, match="'play' is read-only"):
                await write
        assert client.transport.sent == []


async def test_reading_verbs_may_only_read():
    async with client_of(echo) as client:
        with effect_scope("read"):
            await client.post("query/alias", {})
            with pytest.raises(Dhis2Error, match="fault of dhis2sh"):
                await client.post("metadata", {})


async def test_iter_reads_every_page_in_order():
    async def pages(request: Request) -> Response:
        page = int(request.query_params["page"])
        return JSONResponse({"pager": {"page": page, "pageCount": 5}, "options": [{"id": page}]})

    async with client_of(pages) as client:
        assert [row["id"] async for row in client.iter("options", page_size=1)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("target", "error"), [("http://t/dhis-web-login/", SignInError), ("http://evil.example/api/me", NotDhis2)]
)
async def test_redirects_never_carry_credentials_away(target: str, error: type[Dhis2Error]):
    seen: list[str] = []

    async def redirect(request: Request) -> Response:
        seen.append(request.headers["host"])
        return RedirectResponse(target)

    async with client_of(redirect) as client:
        with pytest.raises(error):
            await client.get("me")
    assert seen == ["t"]


async def test_version_is_read_once():
    async def info(request: Request) -> Response:
        return JSONResponse({"version": "2.42.5.2"})

    async with client_of(info) as client:
        assert (await client.version()).models == (await client.version()).models == "v42"
        assert len(client.transport.sent) == 1


async def test_bytes_ping_and_find():
    async with client_of(echo) as client:
        assert b'"GET"' in await client.get_bytes("x.csv")
        assert (await client.ping()).status == 200
        assert (await client.find("abc"))["method"] == "GET"
        with pytest.raises(Dhis2Error, match="has no 'options'"):
            await client.list_page("options")


async def test_models_of_every_method():
    class Method(BaseModel):
        method: str

    async with client_of(echo) as client:
        assert (await client.get("x", model=Method)).method == "GET"
        assert (await client.post("x", {"a": 1}, model=Method)).method == "POST"
        assert (await client.put("x", b"<xml/>", content_type="application/xml", model=Method)).method == "PUT"
        assert (await client.patch("x", [], model=Method)).method == "PATCH"
        plain = await client.put("x", b"<xml/>", content_type="application/xml")
    assert plain["headers"]["content-type"] == "application/xml"


async def test_a_write_that_is_redirected_is_not_sent_again():
    async def moved(request: Request) -> Response:
        return RedirectResponse("/api/elsewhere") if request.url.path == "/api/x" else JSONResponse({"ok": True})

    async with client_of(moved) as client:
        assert await client.get("x") == {"ok": True}
        with pytest.raises(NotDhis2, match="POST /api/x was redirected to /api/elsewhere; nothing was written"):
            await client.post("x", {})


async def test_the_session_of_a_server_can_be_forgotten():
    """Units of a user are as they were at sign-in, for as long as the cookie is sent."""
    seen: list[str | None] = []

    async def session(request: Request) -> Response:
        seen.append(request.cookies.get("JSESSIONID"))
        answer = JSONResponse({})
        answer.set_cookie("JSESSIONID", "one")
        return answer

    async with client_of(session) as client:
        client.transport.forget_session()  # nothing is there yet
        await client.get("me")
        await client.get("me")
        client.transport.forget_session()
        await client.get("me")
    assert seen == [None, "one", None]
