"""What is known of a server from before: one request per verb, believed for a while, checked when it does not fit."""

import asyncio
import json
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dhis2sh import Limits, RetryRule, open_client, profiles
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.known import Known, KnownServer, known_from
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import BrokenAnswer, ConfigError, NotDhis2, NotFound, Refused
from dhis2sh.secret_store import ProfileSecrets
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.unit.client.test_client import app_of

URL = "http://t"


class Server:
    """A server whose version can change under us."""

    def __init__(self, version: str = "2.42.5.2"):
        self.version = version
        self.asked: list[str] = []

    async def __call__(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/api/")
        self.asked.append(path)
        if path == "system/info":
            return JSONResponse({"version": self.version, "calendar": "ethiopian", "systemName": "Demo"})
        if path == "gone":
            return Response("<title>HTTP Status 404</title>", status_code=404, media_type="text/html")
        if path == "refused":
            return JSONResponse({"message": "order is not known"}, status_code=400)
        if path == "missing":
            return JSONResponse({"message": "no such object", "errorCode": "E1005"}, status_code=404)
        return JSONResponse({} if path == "elements" else {"options": []})


def client_of(server: Server, *, warnings: list[str] | None = None, lifetime: float = 60.0) -> Client:
    async def handler(request: Request) -> Response:
        return await server(request)

    return Client(
        ConnectionSettings(URL, profile="play"),
        Basic("u", "p"),
        asgi_app=app_of(handler),
        retry=RetryRule(attempts=0),
        known=Known("play", URL, lifetime=lifetime),
        warn=None if warnings is None else warnings.append,
    )


async def test_the_version_is_asked_for_once_in_many_processes():
    server = Server()
    for _ in range(3):
        async with client_of(server) as client:
            assert (await client.version()).models == "v42"
            assert (await client.server()).calendar == "ethiopian"
            await client.get("options")
    assert server.asked == ["system/info", "options", "options", "options"]


async def test_many_at_once_ask_once():
    server = Server()
    async with client_of(server) as client:
        versions = await asyncio.gather(*(client.version() for _ in range(20)))
    assert {str(version) for version in versions} == {"2.42.5.2"}
    assert server.asked == ["system/info"]


async def test_it_is_read_again_when_its_time_is_over_or_the_address_is_another():
    server = Server()
    async with client_of(server) as client:
        await client.version()
    async with client_of(server, lifetime=0.0) as client:
        await client.version()
    assert server.asked == ["system/info"] * 2
    assert Known("play", "http://elsewhere").read() is None
    assert Known("other", URL).read() is None


@pytest.mark.parametrize(
    "broken", ["", "[]", "{", '{"version": 1}', '{"url": "http://t", "version": "x", "read_at": "y"}']
)
async def test_a_broken_cache_is_no_cache(broken: str):
    known = Known("play", URL)
    known.path.parent.mkdir(parents=True)
    known.path.write_text(broken)
    assert known.read() is None
    async with client_of(Server()) as client:
        assert str(await client.version()) == "2.42.5.2"
    assert known.read().version == "2.42.5.2"


async def test_a_disk_that_cannot_be_written_costs_the_cache_alone(home: Path):
    (home / "cache").parent.mkdir(parents=True, exist_ok=True)
    (home / "cache").write_text("a file where a folder should be")
    server = Server()
    for _ in range(2):
        async with client_of(server) as client:
            await client.version()
    assert server.asked == ["system/info"] * 2


@pytest.mark.parametrize(("path", "error"), [("gone", NotFound), ("refused", Refused)])
async def test_an_answer_that_does_not_fit_makes_us_look_again(path: str, error: type[Exception]):
    server = Server()
    async with client_of(server) as client:
        await client.version()
    server.version = "2.43.1"
    async with client_of(server) as client:
        assert str(await client.version()) == "2.42.5.2"
        with pytest.raises(error) as caught:
            await client.get(path)
        assert "was DHIS2 2.42.5.2 and is 2.43.1 now: run the same command again" in str(caught.value.hint)
        assert str(await client.version()) == "2.43.1"
        with pytest.raises(error):
            await client.get(path)
    assert server.asked == ["system/info", path, "system/info", path], "it looks once, not at every error"
    assert Known("play", URL).read().version == "2.43.1"


async def test_a_model_or_a_list_that_does_not_fit_makes_us_look_again_too():
    class Strict(BaseModel):
        needed: int

    server = Server()
    async with client_of(server) as client:
        await client.version()
    async with client_of(server) as client:
        await client.version()
        with pytest.raises(BrokenAnswer, match="not a Strict: needed: Field required"):
            await client.get("options", model=Strict)
    async with client_of(server) as client:
        await client.version()
        with pytest.raises(NotFound):
            await client.list_page("elements")
    assert server.asked.count("system/info") == 3, "once to know, and once in each process where something did not fit"


@pytest.mark.parametrize("path", ["missing"])
async def test_an_object_that_is_missing_is_no_reason_to_look(path: str):
    server = Server()
    async with client_of(server) as client:
        await client.version()
    async with client_of(server) as client:
        await client.version()
        with pytest.raises(NotFound):
            await client.get(path)
    assert server.asked == ["system/info", path]


async def test_a_newer_server_works_with_the_newest_facts_and_one_warning():
    server, said = Server("2.47.1"), []
    for _ in range(2):
        async with client_of(server, warnings=said) as client:
            assert (await client.version()).models == "v44"
    assert len(said) == 1
    assert "2.47.1, newer than dhis2sh knows" in said[0]


async def test_an_older_server_is_refused_and_not_remembered():
    server = Server("2.38.4")
    async with client_of(server) as client:
        with pytest.raises(Refused, match=r"this server is DHIS2 2\.38\.4; dhis2sh speaks with 2\.40 and newer"):
            await client.version()
    assert Known("play", URL).read() is None


async def test_a_server_without_a_version_is_not_dhis2():
    async with client_of(Server("")) as client:
        with pytest.raises(NotDhis2):
            await client.version()


async def test_who_was_signed_in_outlives_a_new_version():
    server = Server()
    async with client_of(server) as client:
        await client.remember(username="admin")
    async with client_of(server, lifetime=0.0) as client:
        assert (await client.server()).username is None
    assert Known("play", URL).read().username == "admin"
    Known("play", URL).forget()
    assert Known("play", URL).read() is None


def test_facts_from_an_answer_have_defaults():
    known = known_from(URL, {"version": "2.42", "calendar": 7})
    assert (known.version, known.calendar, known.date_format, known.name) == ("2.42", "iso8601", "yyyy-MM-dd", None)


async def test_two_servers_of_different_versions_at_once():
    async with client_of(Server("2.40.12")) as old, client_of(Server("2.44-SNAPSHOT"), lifetime=0.0) as new:
        first, second = await asyncio.gather(old.version(), new.version())
    assert (first.behaviour.uid_separator, second.behaviour.uid_separator) == (";", ",")


# Scripts -----------------------------------------------------------------------------------------------------------


async def test_a_script_opens_a_client_without_a_shell(sandbox_home: Path):
    async with open_client("sandbox", limits=Limits(read_timeout=5), retry=RetryRule(attempts=0)) as client:
        assert client.settings.read_timeout == 5
        assert [row["name"] async for row in client.iter("organisationUnits", {"fields": "name"})] == [
            "Bo", "Country", "Kono", "Ngele CHC",
        ]  # fmt: skip


async def test_a_script_without_a_profile_is_told_what_to_do():
    with pytest.raises(ConfigError) as caught:
        async with open_client():
            raise AssertionError("there is no profile")
    assert "profile add" in str(caught.value.hint)


async def test_a_scripts_warnings_are_pythons(sandbox_home: Path):
    async with open_client("sandbox") as client:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            client._warn("newer")
    assert [str(item.message) for item in caught] == ["newer"]


async def test_a_verb_on_a_known_profile_sends_its_own_request_alone(home: Path):
    server = Server()

    async def handler(request: Request) -> Response:
        return await server(request)

    profiles.save(profiles.Profile("play", URL, username="u"), activate=True)
    profiles.get("play").secrets.write("p")
    for _ in range(2):
        session = Session("play")
        session.client.transport._asgi_app = app_of(handler)
        await run(session, find("metadata list"), {"type": "options"})
        await session.aclose()
    assert server.asked == ["system/info", "options", "options"]


async def test_secrets_are_read_in_a_thread(home: Path, monkeypatch: pytest.MonkeyPatch):
    read_in: list[str] = []

    def slow(secrets: ProfileSecrets, kind: str = "", /) -> str:
        read_in.append(threading.current_thread().name)
        return "p"

    monkeypatch.setattr(ProfileSecrets, "read", slow)
    signed = profiles.Profile("play", URL, username="u").sign_in()
    assert signed.describe() == "not signed in yet"
    first, second = await asyncio.gather(signed.headers(), signed.headers())
    assert first == second == {"Authorization": "Basic dTpw"}
    assert signed.describe() == "u, with a password"
    assert len(read_in) == 1
    assert read_in[0] != threading.main_thread().name


def test_the_cache_is_plain_json():
    known = Known("play", URL)
    known.write(KnownServer(URL, "2.42", read_at=1.0))
    assert json.loads(known.path.read_text())["version"] == "2.42"


def test_a_script_imports_no_shell(sandbox_home: Path):
    script = (
        "import asyncio, sys\n"
        "from dhis2sh import open_client\n"
        "async def main():\n"
        "    async with open_client('sandbox') as client:\n"
        "        print(await client.version())\n"
        "asyncio.run(main())\n"
        "print([name for name in ('IPython', 'typer', 'rich', 'prompt_toolkit') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"


def test_the_package_offers_what_scripts_need_and_nothing_else():
    import dhis2sh

    assert {"open_client", "Limits", "RetryRule"} <= set(dir(dhis2sh))
    with pytest.raises(AttributeError):
        _ = dhis2sh.no_such_thing
