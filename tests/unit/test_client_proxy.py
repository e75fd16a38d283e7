"""The shell's `client` from a loop of its own: calls, lists, streams and services all run on the service loop."""

import asyncio
from collections.abc import Iterator

import pytest

from dhis2sh.errors import NotFound
from dhis2sh.session import Session
from dhis2sh.surfaces.ipython.bridge import ClientProxy, Portal


@pytest.fixture
def client(sandbox_home: object) -> Iterator[ClientProxy]:
    portal = Portal()
    session = Session("sandbox")
    yield ClientProxy(portal, session)
    portal.run(session.aclose())
    portal.close()


async def test_calls_and_lists_hop(client: ClientProxy):
    me, info = await asyncio.gather(client.get("me"), client.get("system/info"))
    assert me["username"] == "admin"
    assert info["version"].startswith("2.")
    names = [row["name"] async for row in client.iter("organisationUnits", {"fields": "name"}, page_size=2)]
    assert names == ["Bo", "Country", "Kono", "Ngele CHC"]
    assert client.settings.profile == "sandbox"
    assert client.transport.sent[-1].startswith("GET /api/organisationUnits")


async def test_a_stream_is_entered_read_and_left_over_there(client: ClientProxy):
    params = {"dataElements": True, "fields": "name"}
    async with client.stream("GET", "metadata", params) as answer:
        assert answer.status == 200
        pieces = [piece async for piece in answer]
    assert b"BCG doses given" in b"".join(pieces)
    async with client.stream("GET", "metadata", params) as answer:
        assert b"BCG" in await answer.read()


async def test_a_refusal_of_a_stream_is_the_same_error_here(client: ClientProxy):
    with pytest.raises(NotFound):
        async with client.stream("GET", "noSuchThing"):
            raise AssertionError("not entered")
    with pytest.raises(ValueError, match="mine"):
        async with client.stream("GET", "metadata"):
            raise ValueError("mine")


async def test_services_hop_too(client: ClientProxy):
    units = client.resources.organisation_units
    found = await units.get("ouDistrict1")
    assert found["name"] == "Bo"
    assert (await client.resources["organisationUnits"].get("ouDistrict2"))["name"] == "Kono"
    assert [unit["displayName"] async for unit in units.iter()] == ["Bo", "Country", "Kono", "Ngele CHC"]
    assert await client.system.calendar() == "iso8601"


def test_what_is_offered_and_shown(client: ClientProxy):
    assert {"get", "iter", "stream", "resources"} <= set(dir(client))
    assert "list" in dir(client.resources.organisation_units)
    assert "sandbox" in repr(client)
    assert repr(client.transport) == "<Transport of the service loop>"
    assert client.get.__doc__.startswith("Read an address.")
    with pytest.raises(AttributeError):
        _ = client._server
