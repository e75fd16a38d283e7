"""What a read-only profile and a secret can rely on."""

import pytest

from dhis2sh.client.auth import Basic, Credentials
from dhis2sh.client.client import Client
from dhis2sh.client.providers import sign_in
from dhis2sh.client.requests import effect_scope
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import ConfigError, Dhis2Error, ReadOnlyProfile

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
