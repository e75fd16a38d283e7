import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.client import providers
from dhis2sh.client.auth import Basic, Credentials, Later, PersonalAccessToken
from dhis2sh.client.providers import sign_in
from dhis2sh.errors import ConfigError
from dhis2sh.redact import redact


@pytest.mark.parametrize(
    "who", [Basic("admin", "s3cret"), PersonalAccessToken("s3cret"), Credentials("basic", "a", "s3cret")]
)
def test_no_secret_in_repr(who: object):
    assert "s3cret" not in f"{who!r} {who}"


@pytest.mark.parametrize(
    "text",
    [
        "http://u:s3cret@host/",
        "?password=s3cret",
        "ApiToken s3cret",
        "d2p_s3cret",
        '{"password": "s3cret"}',
        '{"secret": "a \\"quoted\\" s3cret"}',
        "?client_secret=s3cret",
        "GET /x?id=1&apiKey=s3cret",
        '{"refresh_token":"s3cret"}',
    ],
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


# Plugins -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed distribution that offers the sign-ins `header` and, because it is broken, `gone`."""
    site = tmp_path / "site"
    (site / "acme-1.0.dist-info").mkdir(parents=True)
    (site / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text(
        "[dhis2.auth]\nheader = acme_auth:make\ngone = acme_auth:nowhere\n"
    )
    (site / "acme_auth.py").write_text(
        "class Header:\n"
        "    def __init__(self, user): self.user = user\n"
        "    async def headers(self): return {'X-User': self.user}\n"
        "    def describe(self): return f'{self.user}, by header'\n"
        "def make(credentials): return Header(credentials.username)\n"
    )
    monkeypatch.syspath_prepend(site)
    yield
    providers._PROVIDERS.pop("header", None)
    sys.modules.pop("acme_auth", None)


@pytest.mark.usefixtures("plugin")
async def test_a_plugin_is_imported_when_a_profile_names_it_and_not_before():
    assert sign_in(Credentials("basic", "u", "p"))
    assert "acme_auth" not in sys.modules
    signed = sign_in(Credentials("header", "ann"))
    assert await signed.headers() == {"X-User": "ann"}
    assert signed.describe() == "ann, by header"
    assert {"header", "basic", "oauth2"} <= set(providers.known_methods())


@pytest.mark.usefixtures("plugin")
def test_a_plugin_that_cannot_be_imported_is_named():
    with pytest.raises(ConfigError, match=r"'gone' \(acme_auth:nowhere\) cannot be imported"):
        sign_in(Credentials("gone"))
    with pytest.raises(ConfigError) as caught:
        sign_in(Credentials("headr"))
    assert caught.value.hint == "did you mean header?"


async def test_a_sign_in_can_be_registered_in_a_program():
    providers.register_sign_in("mine", lambda credentials: Basic(str(credentials.username), "x"))
    try:
        assert sign_in(Credentials("mine", "ann")).describe() == "ann, with a password"
    finally:
        providers._PROVIDERS.pop("mine")


# Made later --------------------------------------------------------------------------------------------------------


class Renewable:
    """A sign-in that renews itself once."""

    def __init__(self):
        self.exchange: object = None

    def attach(self, exchange: object) -> None:
        self.exchange = exchange

    async def headers(self) -> dict[str, str]:
        return {"X": "1"}

    async def renew(self, refused: dict[str, str]) -> bool:
        return refused == {"X": "1"}

    def describe(self) -> str:
        return "renewable"


async def test_what_is_made_later_is_attached_and_renewed_as_if_it_had_been_there():
    real = Renewable()
    later = Later(lambda: real)

    async def exchange(*_: object, **__: object) -> None: ...

    later.attach(exchange)
    assert real.exchange is None
    assert await later.renew({"X": "1"})
    assert real.exchange is exchange
    assert later.made is real
    assert not await Later(lambda: Basic("u", "p")).renew({})


async def test_what_cannot_be_made_says_so_at_the_first_request():
    later = Later(lambda: sign_in(Credentials("pat", profile="play")))
    with pytest.raises(ConfigError) as caught:
        await later.headers()
    assert caught.value.hint == "set DHIS2_PAT, or dhis2 profile login play"
