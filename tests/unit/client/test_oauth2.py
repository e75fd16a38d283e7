"""OAuth2: signing in with a browser, and tokens that are refreshed once however many calls wait."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dhis2sh.client.answers import Answer
from dhis2sh.client.auth import Credentials
from dhis2sh.client.client import Client
from dhis2sh.client.loopback import Loopback
from dhis2sh.client.oauth2 import EARLY, OAuth2, Tokens, behaviour_of, challenge, revoke, tokens_of
from dhis2sh.client.providers import sign_in
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.client.tracing import Tracer
from dhis2sh.errors import ConfigError, NotDhis2, ServerFault, SignInError, TimedOut
from dhis2sh.secret_store import ProfileSecrets
from tests.fakes.dhis2 import FakeDhis2
from tests.measuring import unmeasured


class Memory:
    """Secrets that live as long as a test; what two processes share."""

    def __init__(self, **kept: str):
        self.kept: dict[str, str] = dict(kept)
        self.taken = False

    def read(self, kind: str = "", /) -> str | None:
        return self.kept.get(kind)

    def write(self, secret: str | None, kind: str = "", /) -> None:
        self.kept.pop(kind, None)
        if secret is not None:
            self.kept[kind] = secret

    def turn(self) -> "Memory":
        return self

    def take(self) -> bool:
        taken, self.taken = self.taken, True
        return not taken

    def give_back(self) -> None:
        self.taken = False


class Clock:
    """A time that passes when a test says so."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Signed:
    """One process: a client that signs in to a fake server by OAuth2."""

    def __init__(
        self,
        server: FakeDhis2,
        kept: Memory | None = None,
        *,
        client: str = "dhis2sh",
        secret: str | None = None,
        at_once: int = 8,
    ):
        self.clock, self.kept = Clock(), kept or Memory()
        self.oauth2 = OAuth2(client, secret, self.kept, profile="play", clock=self.clock)
        self.out = io.StringIO()
        settings = ConnectionSettings("http://t", profile="play", max_connections=at_once)
        self.client = Client(
            settings, self.oauth2, asgi_app=server.app, retry=RetryRule(base=0.0), tracer=Tracer(self.out)
        )

    async def log_in(self, browse: Callable[[str], Awaitable[None]] | None = None, timeout: float = 5.0) -> Tokens:
        return await self.oauth2.log_in("http://t", scope="ALL", show=browse or self.browse, port=0, timeout=timeout)

    async def browse(self, address: str) -> None:
        """What a browser does with the address: the server consents, and sends it back to 127.0.0.1."""
        parts = urlsplit(address)
        answer = await self.client.transport.unsigned("GET", f"{parts.path}?{parts.query}")
        self.page = await visit(answer.headers["location"])


async def visit(address: str, *, method: str = "GET") -> str:
    """The first line of what a listener on loopback answers."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"{method} {parts.path or '/'}?{parts.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.decode()


@pytest.fixture
def server() -> FakeDhis2:
    return FakeDhis2()


# Signing in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moved", [False, True])
async def test_a_browser_signs_in_and_the_tokens_are_kept(server: FakeDhis2, moved: bool):
    server.moved = moved
    process = Signed(server)
    await process.log_in()
    assert "This window can be closed" in process.page
    assert (await process.client.get_object("me"))["username"] == "ann"

    another = Signed(server, process.kept)
    assert (await another.client.get_object("me"))["username"] == "ann"
    assert server.asked.count("POST /oauth2/token") == 1


async def test_nothing_secret_is_shown(server: FakeDhis2):
    process = Signed(server)
    tokens = await process.log_in()
    await process.client.get("me")
    shown = f"{tokens!r} {process.out.getvalue()} {process.client.transport.sent} {process.oauth2.describe()}"
    assert tokens.access not in shown
    assert str(tokens.refresh) not in shown
    assert "code=code" not in shown


async def test_a_confidential_client_proves_itself(server: FakeDhis2):
    server.clients["mine"] = "s3cret"
    await Signed(server, client="mine", secret="s3cret").log_in()
    with pytest.raises(SignInError, match="does not know this OAuth2 client, or its secret is another") as caught:
        await Signed(server, client="mine", secret="other").log_in()
    assert "bootstrap" in str(caught.value.hint)


async def test_the_server_may_say_no(server: FakeDhis2):
    process = Signed(server, client="nobody")
    with pytest.raises(SignInError, match="the server did not sign us in: ann said no"):
        await process.log_in()
    assert "did not sign you in" in process.page


async def test_nobody_comes(server: FakeDhis2):
    async def look_away(address: str) -> None:
        assert address.startswith("http://t/oauth2/authorize?response_type=code&client_id=dhis2sh&redirect_uri=")

    with pytest.raises(TimedOut, match=r"nobody signed in within 0\.05 s"):
        await Signed(server).log_in(look_away, timeout=0.05)


async def test_the_listener_believes_its_own_state_alone():
    async with Loopback(0, "mine") as back:
        uri = back.redirect_uri
        assert "404" in await visit(f"{uri}favicon.ico?x=1")
        assert "404" in await visit(uri, method="POST")
        assert "400" in await visit(f"{uri}?code=evil&state=other")
        assert "400" in await visit(f"{uri}?code=evil")
        assert "signed in. This window" in await visit(f"{uri}?code=good&state=mine")
        assert "already" in await visit(f"{uri}?code=later&state=mine")
        assert await back.code(1) == "good"


async def test_the_listener_survives_nonsense_and_a_port_that_is_taken():
    async with Loopback(0, "mine") as first:
        port = urlsplit(first.redirect_uri).port
        async with Loopback(port or 0, "mine") as second:
            assert second.redirect_uri != first.redirect_uri
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(second.redirect_uri).port)
            writer.write(b"x" * 20_000)
            writer.write_eof()
            assert b"400" in await reader.read()
            writer.close()
            await visit(f"{second.redirect_uri}?error=access_denied&state=mine")
            with pytest.raises(SignInError, match="access_denied"):
                await second.code(1)


def test_the_challenge_of_the_standard():
    """RFC 7636, appendix B."""
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


# Servers that cannot -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "path"),
    [("2.40.12", "/uaa/oauth/authorize"), ("2.41.9", "/uaa/oauth/authorize"), ("2.42.5", "/oauth2/authorize"),
     ("2.44-SNAPSHOT", "/oauth2/authorize")],
)  # fmt: skip
async def test_which_authorization_server_it_is(version: str, path: str):
    process = Signed(FakeDhis2(version=version))
    assert (await behaviour_of(process.client.transport.unsigned)).authorize_path == path


async def test_oauth2_that_is_switched_off_says_where_to_read():
    with pytest.raises(SignInError, match=r"not switched on on this server \(DHIS2 2\.43\.1\)") as caught:
        await Signed(FakeDhis2(version="2.43.1", oauth2_on=False)).log_in()
    assert "dhis.conf" in str(caught.value.hint)


async def test_oauth2_of_something_else():
    async def shop(method: str, path: str, **_: object) -> Answer:
        return Answer(200, {}, b"<title>Shop</title>", method, f"http://t{path}")

    with pytest.raises(NotDhis2):
        await behaviour_of(shop)


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (401, b"<title>Unauthorized</title>", SignInError, "switched off: it answered with a page"),
        (500, b"", ServerFault, "status 500"),
        (400, b'{"error": "invalid_grant", "error_description": "too late"}', SignInError, "gave no token: too late"),
        (400, b'{"error": "invalid_grant"}', SignInError, "gave no token: invalid_grant"),
        (200, b"[]", SignInError, "it answered with a page"),
    ],
)
def test_what_a_token_endpoint_says(status: int, body: bytes, error: type[Exception], words: str):
    with pytest.raises(error, match=words) as caught:
        tokens_of(Answer(status, {}, body, "POST", "http://t/oauth2/token"), "/oauth2/token", 0.0)
    assert caught.value.hint


async def test_a_token_without_an_open_id_says_what_to_set(server: FakeDhis2):
    server.open_id = False
    process = Signed(server)
    await process.log_in()
    with pytest.raises(SignInError, match="Found no matching DHIS2 user") as caught:
        await process.client.get("me")
    assert '"path": "/openId", "value": "ann"' in str(caught.value.hint)


# Refreshing --------------------------------------------------------------------------------------------------------


async def test_fifty_calls_refresh_once(server: FakeDhis2):
    process = Signed(server)
    await process.log_in()
    process.clock.now += server.lifetime - EARLY + 1
    answers = await asyncio.gather(*(process.client.get_object("me") for _ in range(50)))
    assert {answer["username"] for answer in answers} == {"ann"}
    assert server.asked.count("POST /oauth2/token") == 2, "one to sign in, one to refresh"


async def test_fifty_calls_that_are_refused_refresh_once(server: FakeDhis2):
    process = Signed(server)
    await process.log_in()
    server.tokens.clear()  # revoked before its time
    answers = await asyncio.gather(*(process.client.get_object("me") for _ in range(50)))
    assert {answer["username"] for answer in answers} == {"ann"}
    assert server.asked.count("POST /oauth2/token") == 2


async def test_a_token_is_not_refreshed_while_it_lasts(server: FakeDhis2):
    process = Signed(server)
    await process.log_in()
    process.clock.now += server.lifetime - EARLY - 1
    await process.client.get("me")
    assert server.asked.count("POST /oauth2/token") == 1


async def test_another_process_has_refreshed_it(server: FakeDhis2):
    first = Signed(server)
    await first.log_in()
    second = Signed(server, first.kept)
    await second.client.get("me")
    for process in (first, second):
        process.clock.now += server.lifetime
        await process.client.get("me")
    assert server.asked.count("POST /oauth2/token") == 2, "the second finds the token of the first"


async def test_a_write_that_was_refused_is_sent_again_with_the_new_token(server: FakeDhis2):
    process = Signed(server)
    await process.log_in()
    server.tokens.clear()
    await process.client.post("dataElements", {"name": "x"})
    assert server.bodies == [{"name": "x"}]


async def test_a_stream_that_is_refused_gives_its_only_place_to_the_refresh(server: FakeDhis2):
    process = Signed(server, at_once=1)
    await process.log_in()
    server.tokens.clear()
    async with process.client.stream("GET", "dataValueSets") as answer:
        assert await answer.read() == b'{"path":"/api/dataValueSets"}'
    server.forget()
    with pytest.raises(SignInError):
        async with process.client.stream("GET", "dataValueSets"):
            raise AssertionError("not entered")
    server.gives_refresh = False
    await process.log_in()
    server.tokens.clear()
    with pytest.raises(SignInError, match="Jwt expired"):  # the refusal itself, read though it came as a stream
        async with process.client.stream("GET", "dataValueSets"):
            raise AssertionError("not entered")


async def test_a_sign_in_that_has_ended_says_how_to_begin_again(server: FakeDhis2):
    process = Signed(server)
    await process.log_in()
    server.forget()
    with pytest.raises(SignInError, match="the refresh token is not known") as caught:
        await process.client.get("me")
    assert "dhis2 profile login play" in str(caught.value.hint)
    assert "signing key" in str(caught.value.hint)


async def test_without_a_refresh_token_the_end_is_the_end(server: FakeDhis2):
    server.gives_refresh = False
    process = Signed(server)
    await process.log_in()
    server.tokens.clear()
    with pytest.raises(SignInError, match="Jwt expired"):
        await process.client.get("me")
    process.clock.now += server.lifetime
    with pytest.raises(SignInError, match="gave no refresh token"):
        await process.client.get("me")


@pytest.mark.parametrize("kept", [{}, {"tokens": "not ours"}, {"tokens": '{"access": "x"}'}])
async def test_nobody_has_signed_in_yet(server: FakeDhis2, kept: dict[str, str]):
    with pytest.raises(SignInError, match="nobody has signed in with OAuth2 yet") as caught:
        await Signed(server, Memory(**kept)).client.get("me")
    assert caught.value.hint == "dhis2 profile login play"
    assert server.asked == []


async def test_a_server_that_keeps_its_refresh_token_does_not_lose_ours(server: FakeDhis2):
    process = Signed(server)
    await process.log_in()
    kept = Tokens.from_text(process.kept.read("tokens"))
    server.gives_refresh = False
    process.clock.now += server.lifetime
    await process.client.get("me")
    assert Tokens.from_text(process.kept.read("tokens")).refresh == kept.refresh


async def test_tokens_can_be_taken_back(server: FakeDhis2):
    process = Signed(server)
    tokens = await process.log_in()
    assert await revoke(process.client.transport.unsigned, tokens, "dhis2sh", "s")
    assert server.refreshes == {}
    old = Tokens("a", 0.0, 1.0, "/uaa/oauth/token", "r")
    assert not await revoke(process.client.transport.unsigned, old, "dhis2sh", None)
    await process.client.aclose()

    async def nobody(method: str, path: str, **_: object) -> Answer:
        raise NotDhis2("gone")

    assert not await revoke(nobody, tokens, "dhis2sh", None)


def test_a_profile_needs_a_client():
    with pytest.raises(ConfigError, match="client_id"):
        sign_in(Credentials("oauth2", kept=Memory()))
    signed = sign_in(Credentials("oauth2", client_id="dhis2sh", kept=Memory(client="s3cret")))
    assert signed.describe() == "with OAuth2, as client dhis2sh"
    assert "s3cret" not in repr(signed)


async def ten(server: FakeDhis2, kept: Memory | ProfileSecrets) -> tuple[list[object], int]:
    """Ten processes whose token has just ended ask at once; what each got, and how often the server gave tokens."""
    first = Signed(server, kept)  # type: ignore[arg-type]
    await first.log_in()
    processes = [Signed(server, kept) for _ in range(10)]  # type: ignore[arg-type]
    for process in processes:
        process.clock.now += 10_000
    before = len([line for line in server.asked if "oauth2/token" in line])
    found = await asyncio.gather(*(process.client.get("me") for process in processes), return_exceptions=True)
    return found, len([line for line in server.asked if "oauth2/token" in line]) - before


async def test_ten_processes_with_one_token_that_has_ended_refresh_it_once(server: FakeDhis2, home: Path):
    for kept in (Memory(), ProfileSecrets("play", "http://t")):
        found, asked = await ten(server, kept)
        assert [answer for answer in found if isinstance(answer, BaseException)] == []
        assert asked == 1


async def test_where_no_lock_holds_who_comes_second_looks_once_more(server: FakeDhis2):
    class Unlocked(Memory):
        def take(self) -> bool:
            return True

    kept = Unlocked()
    first = Signed(server, kept)
    await first.log_in()
    second = Signed(server, kept)
    second.clock.now += 10_000
    stale = kept.read

    reads = 0

    def slow(kind: str = "", /) -> str | None:
        """The first look of the second process finds what the other one is about to replace."""
        nonlocal reads
        reads += 1
        return before if reads <= 2 else stale(kind)

    before = kept.read("tokens")
    first.clock.now += 10_000
    await first.client.get("me")
    kept.read = slow  # type: ignore[method-assign]
    assert await second.client.get("me")


def test_whose_turn_it_is_ends_with_the_process(home: Path):
    code = (
        "import sys, time\nfrom dhis2sh.secret_store import ProfileSecrets\n"
        "turn = ProfileSecrets('play', 'http://t').turn()\nassert turn.take()\nprint('mine', flush=True)\ntime.sleep(60)"
    )
    turn = ProfileSecrets("play", "http://t").turn()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=unmeasured()) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        assert not turn.take()
        assert ProfileSecrets("play", "http://other").turn().take()
        other.kill()
    assert turn.take()
    turn.give_back()
