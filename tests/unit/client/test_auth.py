import pytest

from dhis2sh.client.auth import Basic, Credentials, PersonalAccessToken, sign_in
from dhis2sh.client.tracing import redact
from dhis2sh.errors import ConfigError


@pytest.mark.parametrize(
    "who", [Basic("admin", "s3cret"), PersonalAccessToken("s3cret"), Credentials("basic", "a", "s3cret")]
)
def test_no_secret_in_repr(who: object):
    assert "s3cret" not in f"{who!r} {who}"


@pytest.mark.parametrize(
    "text", ["http://u:s3cret@host/", "?password=s3cret", "ApiToken s3cret", "d2p_s3cret", '{"password": "s3cret"}']
)
def test_no_secret_in_traces(text: str):
    assert "s3cret" not in redact(text)


@pytest.mark.parametrize("method", ["basic", "pat", "bsic"])
def test_credentials_that_cannot_sign_in(method: str):
    with pytest.raises(ConfigError):
        sign_in(Credentials(method))


def test_providers_by_name():
    assert sign_in(Credentials("basic", "u", "p")).describe() == "u, with a password"
    assert sign_in(Credentials("none")).describe() == "not signed in"
