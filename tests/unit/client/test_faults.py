"""Whatever answers, or does not: one line that says what failed, and one command to try next."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dhis2sh.client.auth import Anonymous, Basic, PersonalAccessToken, SignIn
from dhis2sh.client.client import Client
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import (
    BrokenAnswer,
    Dhis2Error,
    NotDhis2,
    NotFound,
    Refused,
    ServerFault,
    SignInError,
    TimedOut,
    TooLong,
    Unreachable,
    UsageError,
)
from tests.fakes.wire import Script, says, wire
from tests.unit.client.test_client import client_of


def client_at(url: str, sign_in: SignIn | None = None, **settings: object) -> Client:
    how = ConnectionSettings(url, profile="play", **settings)
    return Client(how, sign_in or Basic("ann", "s3cret"), retry=RetryRule(attempts=2, base=0.0))


async def hang(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def nonsense(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.org ESMTP ready\r\n")


HTML = {"Content_Type": "text/html"}
LOGIN = b'<html><title>DHIS 2</title><input type="password" name="j_password"></html>'

FAULTS: dict[str, tuple[Script, type[Dhis2Error], str, str]] = {
    "an HTML login page with 200": (says(body=LOGIN, **HTML), SignInError, "its login page", "profile login play"),
    "a redirect to the login page": (
        says("302 Found", Location="/dhis-web-login/"), SignInError, "its login page", "profile login play",
    ),
    "a redirect to the login page of 2.40": (
        says("302 Found", Location="/dhis-web-commons/security/login.action"), SignInError, "login page", "profile login",
    ),
    "a redirect to another host": (
        says("301 Moved", Location="https://new.example.org/api/me"), NotDhis2, "credentials are never sent",
        "profile add play --url https://new.example.org",
    ),
    "a redirect in a circle": (says("302 Found", Location="/api/me"), NotDhis2, "redirects in a circle", "profile verify"),
    "a redirect to what is no address": (
        says("302 Found", Location="http://x:port/"), NotDhis2, "what is no address", "profile show",
    ),
    "a redirect to nowhere": (says("302 Found"), NotDhis2, "leads nowhere", "profile verify"),
    "a page that is not DHIS2": (
        says(body=b"<title>It works!</title>", **HTML), NotDhis2, "an HTML page came back, not data .'It works!'",
        "profile show",
    ),
    "a body that is not JSON": (says(body=b"hello"), NotDhis2, "not JSON", "profile verify"),
    "no HTTP at all": (nonsense, BrokenAnswer, "cut off", "try again"),
    "an empty body": (says(), BrokenAnswer, "promised JSON and sent nothing", "try again"),
    "a body that was cut off": (says(body=b'{"a": [', Content_Length="99"), BrokenAnswer, "was cut off", "try again"),
    "JSON that was cut off": (says(body=b'{"a": ['), BrokenAnswer, "cut off after 7 bytes", "--page-size"),
    "nothing in time": (hang, TimedOut, "no answer within 0.05 s", "read_timeout"),
    "a proxy that fails": (
        says("502 Bad Gateway", b"<title>502 Bad Gateway</title>", **HTML), ServerFault, "status 502 .'502 Bad Gateway'",
        "try again in a minute",
    ),
    "a proxy that wants a password": (
        says("407 Proxy Authentication Required", b"<html>", **HTML), Unreachable, "proxy wants a password", "HTTPS_PROXY",
    ),
    "https, spoken to in http": (
        says("400 Bad Request", b"<title>400 The plain HTTP request was sent to HTTPS port</title>", **HTML), NotDhis2,
        "wants https", "https://",
    ),
    "too many requests": (
        says("429 Too Many Requests", b"slow", Retry_After="99", Content_Type="text/plain"), Refused, "slow down",
        "again in 99 s",
    ),
    "an address that is too long": (
        says("414 URI Too Long", b"<html>", **HTML), TooLong, "too long for the server", "max_url",
    ),
    "an address that is not there": (
        says("404 Not Found", b"<title>Not Found</title>", **HTML), NotFound, "no such address", "profile show",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("script", "error", "says_", "hint"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_one_line_and_the_next_command(script: Script, error: type[Dhis2Error], says_: str, hint: str):
    patience = 0.05 if error is TimedOut else 60  # what does answer is waited for, however busy the machine is
    async with wire(script) as url, client_at(url, read_timeout=patience) as client:
        with pytest.raises(Dhis2Error, match=says_) as caught:
            await client.get("me")
    assert type(caught.value) is error
    assert hint in str(caught.value.hint)
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    ("sign_in", "hint"),
    [
        (Basic("ann", "wrong"), "dhis2 profile login play"),
        (PersonalAccessToken("d2p_old"), "dhis2 profile bootstrap play"),
        (Anonymous(), "dhis2 profile add play"),
    ],
)
async def test_credentials_that_are_not_accepted_name_who_and_what_helps(sign_in: SignIn, hint: str):
    async def refuse(request: Request) -> Response:
        return JSONResponse({"message": "Unauthorized", "httpStatusCode": 401}, status_code=401)

    async with client_of(refuse, sign_in) as client:
        with pytest.raises(SignInError) as caught:
            await client.get("me")
    assert str(caught.value) == f"Unauthorized: the server did not accept our sign-in ({sign_in.describe()})"
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("described", "hint"),
    [
        ("Found no matching DHIS2 user for the mapping claim: 'sub' with the value: 'ann'", '"value": "ann"'),
        ("Found no matching DHIS2 user for the mapping claim:'email' with the value:'a@b.c'", '"path": "/openId"'),
        ("Invalid issuer", "server.base.url"),
        ("Jwt expired at 2026-01-01T00:00:00Z", "profile login play"),
    ],
)
async def test_a_bearer_token_is_refused_in_the_words_of_the_header(described: str, hint: str):
    async def refuse(request: Request) -> Response:
        challenge = f'Bearer error="invalid_token", error_description="{described}", error_uri="https://tools.example"'
        return Response(status_code=401, headers={"WWW-Authenticate": challenge})

    async with client_of(refuse) as client:
        with pytest.raises(SignInError) as caught:
            await client.get("me")
    assert str(caught.value).startswith(described)
    assert hint in str(caught.value.hint)


async def test_a_token_that_no_header_can_carry_is_not_shown():
    class Odd:
        async def headers(self) -> dict[str, str]:
            return {"Authorization": "Bearer s3cret-token\n"}

        def describe(self) -> str:
            return "odd"

    async with wire(says(body=b"{}")) as url, client_at(url, Odd()) as client:
        with pytest.raises(Dhis2Error) as caught:
            await client.get("me")
    assert "s3cret" not in str(caught.value)


async def test_an_expired_token_of_the_environment_is_replaced_there():
    async def refuse(request: Request) -> Response:
        return JSONResponse({"message": "Failed to authenticate API token, token has expired."}, status_code=401)

    async with client_of(refuse, PersonalAccessToken("d2p_x")) as client:
        client.transport.settings = ConnectionSettings("http://t", profile="environment")
        with pytest.raises(SignInError, match="token has expired") as caught:
            await client.get("me")
    assert "DHIS2_PAT" in str(caught.value.hint)


# What cannot pass is not tried again -------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS, with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_certificate_that_is_not_trusted_is_said_and_not_tried_again(certificate: ssl.SSLContext):
    async with wire(says(body=b"{}"), ssl=certificate) as url:
        lines: list[str] = []
        async with client_at(url) as client:
            client.transport._trace = lines.append
            with pytest.raises(Unreachable, match="its certificate is not trusted: self-signed certificate") as caught:
                await client.get("me")
        assert "SSL_CERT_FILE" in str(caught.value.hint)
        assert not [line for line in lines if line.startswith("again")]
        async with client_at(url, verify_tls=False) as client:
            assert await client.get("me") == {}


async def test_a_certificate_authority_of_ones_own(
    certificate: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    async with wire(says(body=b"{}"), ssl=certificate) as url, client_at(url) as client:
        assert await client.get("me") == {}


async def test_https_that_is_http_is_said_and_not_tried_again():
    plain = says("400 Bad Request")
    hello = b"\x16"  # how TLS begins
    async with wire(plain, until=hello) as url, client_at(url.replace("http:", "https:")) as client:
        with pytest.raises(Unreachable, match="TLS failed") as caught:
            await client.get("me")
    assert "is it http" in str(caught.value.hint)


async def test_a_host_that_does_not_exist_is_asked_for_once(monkeypatch: pytest.MonkeyPatch):
    asked = 0

    async def nowhere(*_: object, **__: object) -> list[object]:
        nonlocal asked
        asked += 1
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nowhere)
    async with client_at("http://no-such-host.example") as client:
        with pytest.raises(Unreachable, match="no such host") as caught:
            await client.get("me")
    assert "profile show" in str(caught.value.hint)
    assert asked == 1


async def test_a_connection_that_is_refused_is_tried_again():
    async with wire(says()) as url:
        pass  # its port is free now
    lines: list[str] = []
    async with client_at(url) as client:
        client.transport._trace = lines.append
        with pytest.raises(Unreachable, match="nothing answers") as caught:
            await client.get("me")
    assert "is the server up" in str(caught.value.hint)
    assert len([line for line in lines if line.startswith("again")]) == 2


async def test_a_proxy_that_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "gopher://proxy.example")
    async with client_at("http://server.example") as client:
        with pytest.raises(UsageError, match="the proxy of the environment cannot be used"):
            await client.get("me")


# Limits ------------------------------------------------------------------------------------------------------------


async def test_the_total_limit_holds_for_repetitions_too():
    async with wire(says("503 Service Unavailable", b"", Retry_After="1")) as url, client_at(url) as client:
        with pytest.raises(TimedOut, match="total time limit") as caught:
            await client.get("me", total_timeout=0.05)
        assert "total_timeout" in str(caught.value.hint)
        assert caught.value.exit_code == 6


async def test_clients_of_one_host_share_its_limit():
    at_once = most = 0

    async def count(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        )

    async with wire(count) as url:
        async with client_at(url, max_connections=3) as one, client_at(url, max_connections=9) as two:
            await asyncio.gather(*(client.get("me") for client in (one, two) for _ in range(8)))
        assert most == 3
        most = 0
        async with client_at(url, max_connections=1) as careful:
            await asyncio.gather(*(careful.get("me") for _ in range(4)))
        assert most == 1


async def test_a_wait_that_is_cancelled_takes_no_place():
    async with wire(hang) as url, client_at(url, max_connections=1) as one, client_at(url, max_connections=1) as two:
        holding = asyncio.create_task(one.get("me"))
        await asyncio.sleep(0.02)
        waiting = asyncio.create_task(two.get("me"))
        await asyncio.sleep(0.02)
        for task in (waiting, holding):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with pytest.raises(TimedOut, match=r"no answer within 0\.02 s"):
            await two.get("me", timeout=0.02, total_timeout=60.0)


async def test_only_the_last_requests_are_remembered():
    async def empty(request: Request) -> Response:
        return JSONResponse({})

    async with client_of(empty) as client:
        for number in range(450):
            await client.get(f"x/{number}")
        assert len(client.transport.sent) <= 400
        assert client.transport.sent[-1] == "GET /api/x/449"


# Long addresses ----------------------------------------------------------------------------------------------------

UIDS = ",".join(f"uid{number:08}" for number in range(300))


class Long:
    """A server that refuses long addresses, and knows aliases where its version has them."""

    def __init__(self, version: str):
        self.version = version
        self.targets: list[str] = []

    async def __call__(self, request: Request) -> Response:
        if request.url.path == "/api/system/info":
            return JSONResponse({"version": self.version})
        if request.url.path == "/api/query/alias":
            self.targets.append((await request.json())["target"])
            return JSONResponse({"id": "abc", "path": "/api/query/alias/abc"})
        if len(str(request.url)) > 2000:
            return Response("<title>414</title>", status_code=414, media_type="text/html")
        return JSONResponse({"rows": [[request.url.path]]})


@pytest.mark.parametrize(("status", "length", "long"), [(400, 3_000, True), (400, 30, False), (431, 30, True)])
async def test_an_address_that_is_too_long_is_told_apart_from_a_bad_one(status: int, length: int, long: bool):
    """Tomcat says 400 without a word of DHIS2's: less of the same would do."""

    async def handler(request: Request) -> Response:
        return Response("<h1>Bad Request</h1>", status_code=status, media_type="text/html")

    async with client_of(handler, max_url=100_000) as client:
        with pytest.raises(Refused) as told:
            await client.get("analytics", {"dimension": "x" * length})
    assert isinstance(told.value, TooLong) == long


async def test_a_long_address_goes_as_an_alias_where_the_version_has_it():
    server = Long("2.41.9")

    async def handler(request: Request) -> Response:
        return await server(request)

    async with client_of(handler) as client:
        short = await client.get("analytics", {"dimension": "dx:a"})
        assert short == {"rows": [["/api/analytics"]]}
        assert client.transport.sent == ["GET /api/analytics?dimension=dx%3Aa"]
        long = await client.get("analytics", {"dimension": [f"dx:{UIDS}", "pe:2024"]})
        assert long == {"rows": [["/api/query/alias/abc"]]}
        async with client.stream("GET", "analytics", {"dimension": f"dx:{UIDS}"}) as answer:
            assert b"alias/abc" in await answer.read()
    assert server.targets[0].startswith("/api/analytics?dimension=dx%3Auid00000000%2C")
    assert server.targets[0].endswith("&dimension=pe%3A2024")


@pytest.mark.parametrize("answer", ["nothing", "unknown", "refused"])
async def test_an_alias_that_does_not_answer_is_never_taken_for_the_data(answer: str):
    """A server of a build with its own Tomcat answers 200 without a body (seen-2026-11-29, Instance)."""
    made: list[str] = []

    async def handler(request: Request) -> Response:
        path = request.url.path
        if path == "/api/system/info":
            return JSONResponse({"version": "2.42.5.2"})
        if path == "/api/query/alias":
            made.append(path)
            refusal = JSONResponse({"status": "ERROR", "message": "no"}, 409)
            return refusal if answer == "refused" else JSONResponse({"path": "/api/query/alias/abc"})
        if path.startswith("/api/query/alias/"):
            missing = JSONResponse({"httpStatusCode": 404, "message": "it may have expired", "errorCode": "E1005"}, 404)
            return missing if answer == "unknown" else Response(b"", 200)
        return JSONResponse({"rows": [[path]]})

    async with client_of(handler) as client:
        for _ in range(2):
            assert await client.get("analytics", {"dimension": f"dx:{UIDS}"}) == {"rows": [["/api/analytics"]]}
            async with client.stream("GET", "analytics", {"dimension": f"dx:{UIDS}"}) as stream:
                assert b"/api/analytics" in await stream.read()
    async with client_of(handler) as client, client.stream("GET", "analytics", {"dimension": f"dx:{UIDS}"}) as stream:
        assert b"/api/analytics" in await stream.read()
    assert len(made) == 2  # once for each client: it is remembered


async def test_a_long_address_goes_as_it_is_where_there_are_no_aliases():
    server = Long("2.40.12")

    async def handler(request: Request) -> Response:
        return await server(request)

    async with client_of(handler) as client:
        with pytest.raises(Refused, match="too long for the server"):
            await client.get("analytics", {"dimension": f"dx:{UIDS}"})
    assert server.targets == []
