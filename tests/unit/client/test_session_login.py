"""Sign-in by a session cookie: what the server's login status means, and one login for many calls."""

import asyncio

import pytest

from dhis2sh.client.answers import Answer
from dhis2sh.client.auth import Credentials
from dhis2sh.client.client import Client
from dhis2sh.client.providers import sign_in
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.session_login import STATUSES, SessionLogin, cookie_of
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import ConfigError, Dhis2Error, NotDhis2, NotFound, ServerFault, SignInError
from tests.fakes.dhis2 import FakeDhis2
from tests.unit.client.test_oauth2 import Memory


def client_of(server: FakeDhis2, kept: Memory, password: str | None = "district") -> Client:
    signed = SessionLogin("ann", password, kept, profile="play")
    settings = ConnectionSettings("http://t", profile="play")
    return Client(settings, signed, asgi_app=server.app, retry=RetryRule(base=0.0))


async def test_fifty_calls_log_in_once_and_the_next_process_not_at_all():
    server, kept = FakeDhis2(), Memory()
    async with client_of(server, kept) as client:
        answers = await asyncio.gather(*(client.get_object("me") for _ in range(50)))
    assert {answer["username"] for answer in answers} == {"ann"}
    async with client_of(server, kept) as client:
        await client.get("me")
    assert server.asked.count("POST /api/auth/login") == 1


async def test_a_session_that_has_ended_is_opened_again_once():
    server, kept = FakeDhis2(), Memory()
    async with client_of(server, kept) as client:
        await client.get("me")
        server.forget()
        await asyncio.gather(*(client.post("dataElements", {"n": number}) for number in range(50)))
    assert server.asked.count("POST /api/auth/login") == 2
    assert len(server.bodies) == 50


async def test_without_a_password_an_ended_session_says_what_to_do():
    server, kept = FakeDhis2(), Memory(cookie="JSESSIONID=old")
    async with client_of(server, kept, password=None) as client:
        with pytest.raises(SignInError, match="the session has ended") as caught:
            await client.get("me")
    assert caught.value.hint == "dhis2 profile login play"


async def test_a_second_factor():
    server, kept = FakeDhis2(two_factor="123456"), Memory()
    async with client_of(server, kept) as client:
        with pytest.raises(SignInError, match="code of the authenticator app") as caught:
            await client.get("me")
        assert caught.value.hint == "dhis2 profile login play --code CODE"
        await client.transport.sign_in.log_in("123456")
        assert (await client.get_object("me"))["username"] == "ann"


@pytest.mark.parametrize("status", STATUSES)
async def test_every_login_status_says_what_it_means(status: str):
    async with client_of(FakeDhis2(login_status=status), Memory()) as client:
        with pytest.raises(SignInError) as caught:
            await client.get("me")
    assert caught.value.code == status
    assert caught.value.message == STATUSES[status][0]
    assert "{" not in str(caught.value.hint)


async def test_a_wrong_password_is_not_kept_trying():
    server = FakeDhis2()
    async with client_of(server, Memory(), "wrong") as client:
        with pytest.raises(SignInError, match="did not log us in: Bad credentials") as caught:
            await client.get("me")
    assert caught.value.hint == "dhis2 profile login play"
    assert server.asked == ["POST /api/auth/login"]


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (404, {}, b"", NotFound),
        (302, {"location": "/login"}, b"", NotFound),
        (503, {}, b"", ServerFault),
        (200, {}, b"<html>", NotDhis2),
        (200, {}, b"[]", NotDhis2),
        (200, {}, b'{"loginStatus": "SUCCESS"}', NotDhis2),
        (200, {}, b'{"loginStatus": "SOMETHING_NEW"}', SignInError),
    ],
)
def test_logins_that_are_none(status: int, headers: dict[str, str], body: bytes, error: type[Dhis2Error]):
    with pytest.raises(error):
        cookie_of(Answer(status, headers, body, "POST", "http://t/api/auth/login"), "play")


async def test_a_server_before_2_41_has_no_session_login():
    async with client_of(FakeDhis2(version="2.40.12"), Memory()) as client:
        with pytest.raises(NotFound, match=r"since 2\.41"):
            await client.get("me")


def test_a_profile_needs_a_user():
    with pytest.raises(ConfigError, match="user name"):
        sign_in(Credentials("session", kept=Memory()))
    assert sign_in(Credentials("session", "ann", "p", kept=Memory())).describe() == "ann, with a session"


async def test_l14_a_profile_that_never_signed_in_does_not_say_that_its_session_has_ended():
    signed = SessionLogin("ann", None, Memory(), profile="play")
    with pytest.raises(SignInError, match="nobody has signed in with this profile yet") as caught:
        await signed.headers()
    assert caught.value.hint == "dhis2 profile login play"
