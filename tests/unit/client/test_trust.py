"""What a read-only profile and a secret can rely on."""

from collections.abc import Awaitable, Callable

import pytest

from dhis2sh.client.auth import Basic, Credentials, PersonalAccessToken
from dhis2sh.client.client import Client
from dhis2sh.client.providers import sign_in
from dhis2sh.client.requests import Params, effect_scope
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import ConfigError, Dhis2Error, ReadOnlyProfile, Refused, SignInError, UsageError
from tests.fakes.wire import says, wire

WRITES = [
    ("DELETE", "/api/dataElements/s46m5MS0hxu", {"dryRun": True}),
    ("POST", "/api/dataElements", {"dryRun": True}),
    ("POST", "/api/metadata", {"dryRun": True}),
    ("POST", "/api/dataValueSets", {"importMode": "VALIDATE"}),
    ("DELETE", "/api/indicators/description", None),
    ("POST", "/api/query/aliasX", None),
]


async def nobody(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nothing may be sent")


@pytest.mark.parametrize(("method", "path", "params"), WRITES)
async def test_a_read_only_profile_sends_no_write_whatever_its_parameters_say(
    method: str, path: str, params: dict | None
) -> None:
    settings = ConnectionSettings("http://t", read_only=True, profile="p")
    async with Client(settings, Basic("u", "p"), asgi_app=nobody) as client:
        with pytest.raises(ReadOnlyProfile):
            await client.transport.send(method, path, params=params)


@pytest.mark.parametrize(("method", "path", "params"), WRITES)
async def test_a_reading_verb_sends_no_write_either(method: str, path: str, params: dict | None) -> None:
    async with Client(ConnectionSettings("http://t"), Basic("u", "p"), asgi_app=nobody) as client:
        with effect_scope("read"), pytest.raises(Dhis2Error, match="a reading verb tried"):
            await client.transport.send(method, path, params=params)


async def test_a_token_from_a_file_loses_its_newline_and_a_broken_one_is_not_shown() -> None:
    signed = sign_in(Credentials("pat", secret="d2p_abc\n"))
    assert await signed.headers() == {"Authorization": "ApiToken d2p_abc"}
    with pytest.raises(ConfigError) as caught:
        sign_in(Credentials("pat", secret="d2p_sécret"))
    assert "cret" not in str(caught.value).replace("secret", "")


async def test_a_password_in_the_address_is_not_shown() -> None:
    settings = ConnectionSettings("http://admin:s3cret@127.0.0.1:9", retries=0)
    async with Client(settings, Basic("u", "p")) as client:
        with pytest.raises(Dhis2Error) as caught:
            await client.ping()
    assert "s3cret" not in str(caught.value)


# O8 ------------------------------------------------------------------------------------------------------------------


async def pages(scope: dict, receive: object, send: Callable[[dict], Awaitable[None]]) -> None:
    """Says which address it was asked for."""
    body = f'{{"asked": "{scope["path"]}?{scope["query_string"].decode()}"}}'.encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("path", "params", "asked"),
    [
        ("https://t.org/dhis/api/dataElements?page=2&filter=name:eq:a%26b", None, "/dhis/api/dataElements?page=2&filter=name%3Aeq%3Aa%26b"),
        ("https://T.org:443/dhis/api/me", {"fields": "id"}, "/dhis/api/me?fields=id"),
        ("me?fields=id", {"a": True}, "/dhis/api/me?fields=id&a=true"),
        ("/api/me?", [("filter", "a"), ("filter", "b")], "/dhis/api/me?filter=a&filter=b"),
        ("me", {"filter": ["a", "b"], "none": None}, "/dhis/api/me?filter=a&filter=b"),
    ],
)  # fmt: skip
async def test_o8_an_address_of_the_server_itself_and_parameters_as_pairs(
    path: str, params: Params, asked: str
) -> None:
    async with Client(ConnectionSettings("https://t.org/dhis"), Basic("u", "p"), asgi_app=pages) as client:
        assert await client.get(path, params) == {"asked": asked}


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.org/dhis/api/me", "http://t.org/dhis/api/me", "https://t.org:8443/dhis/api/me", "https://t.org/other/api/me",
        "https://t.org/dhisevil/api/me", "https://t.org@evil.org/dhis/api/me", "file:///etc/passwd", "dataElements/#abc",
    ],
)  # fmt: skip
async def test_o8_no_other_address_is_sent_to(path: str) -> None:
    async with Client(ConnectionSettings("https://t.org/dhis"), Basic("u", "p"), asgi_app=nobody) as client:
        for send in (client.get, client.post, client.delete):
            with pytest.raises(UsageError):
                await send(path)


async def test_o8_what_stands_in_the_address_is_judged_too() -> None:
    settings = ConnectionSettings("http://t", read_only=True, profile="p")
    async with Client(settings, Basic("u", "p"), asgi_app=pages) as client:
        assert await client.post("metadata?importMode=VALIDATE", {})
        for path in ("metadata?importMode=VALIDATE&importMode=COMMIT", "metadata?importmode=VALIDATE"):
            with pytest.raises(ReadOnlyProfile):
                await client.post(path, {})


# O9 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"httpStatus":"Bad Request","httpStatusCode":400,"status":"ERROR","message":"Api token is malformed"}', {}),
        (b"", {"WWW_Authenticate": 'ApiToken error="invalid_request", error_description="Invalid API token checksum"'}),
    ],
)
async def test_o9_a_token_that_is_none_is_a_sign_in_that_was_not_accepted(body: bytes, headers: dict[str, str]) -> None:
    async with wire(says("400 Bad Request", body, **headers)) as url:
        for signed, error in ((PersonalAccessToken("d2p_typo"), SignInError), (Basic("u", "p"), Refused)):
            async with Client(ConnectionSettings(url, profile="play"), signed) as client:
                with pytest.raises(error) as caught:
                    await client.get("me")
            assert (caught.value.exit_code, "dhis2 profile" in str(caught.value.hint)) == (
                (4, True) if error is SignInError else (5, False)
            )
    async with (
        wire(says("400 Bad Request", b'{"message":"Query failed"}')) as url,
        Client(ConnectionSettings(url), PersonalAccessToken("d2p_good")) as client,
    ):
        with pytest.raises(Refused):
            await client.get("me")
