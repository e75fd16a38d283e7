"""Every object of several types: few requests, each type once, and a refusal costs only the type that it is about."""

import asyncio

import pytest
from starlette.responses import JSONResponse

from dhis2sh.client.whole_types import OWN_LISTS, WholeTypes
from dhis2sh.errors import NotFound, Refused
from tests.fakes.objects import Fake, problem

SMALL = ("constants", "reports", "sqlViews", "documents")
ONE = {"id": "coEightXXX1", "name": "Eight"}


def empty(*plurals: str) -> dict[str, dict]:
    return {plural: {} for plural in plurals}


def fake(*absent: str, **objects: dict) -> Fake:
    there = empty(*SMALL) | {"dataElements": {"deEightXXX1": ONE}} | objects
    return Fake(objects={plural: rows for plural, rows in there.items() if plural not in absent})


async def test_small_types_come_together_and_a_type_without_objects_is_left_out_of_the_answer():
    server = fake()
    server.answers["GET", "metadata"] = JSONResponse({"system": {}, "constants": [ONE]})
    async with (
        server.client() as client,
        WholeTypes(client, dict.fromkeys([*SMALL, "dataElements"], "id,name")) as read,
    ):
        rows = {plural: await read.rows(plural) for plural in [*SMALL, "dataElements", "constants"]}
    assert rows == {**{plural: [] for plural in SMALL}, "constants": [ONE], "dataElements": [ONE]}
    asked = {seen.path: seen.query for seen in server.of("GET")}
    assert sorted(asked) == ["dataElements", "metadata"] and len(server.of("GET")) == 2
    assert set(asked["metadata"]) == {("fields", "id,name"), ("translate", "true"), *((name, "true") for name in SMALL)}


async def test_each_type_has_its_own_fields():
    server = fake()
    server.answers["GET", "metadata"] = JSONResponse({})
    fields = dict.fromkeys(SMALL, "id") | {"reports": "id,reportTable[id]"}
    async with server.client() as client, WholeTypes(client, fields) as read:
        await read.rows("reports")
    (seen,) = server.of("GET")
    assert ("reports:fields", "id,reportTable[id]") in seen.query and ("fields", "id") in seen.query
    assert ("reports", "true") in seen.query


async def test_what_is_refused_together_is_asked_for_alone():
    server = fake("sqlViews", constants={"coEightXXX1": ONE})
    server.answers["GET", "metadata"] = problem(403, "You don't have the proper permissions")
    async with server.client() as client, WholeTypes(client, dict.fromkeys(SMALL, "id")) as read:
        assert await read.rows("constants") == [ONE] and await read.rows("reports") == []
        with pytest.raises(NotFound, match="sqlViews"):
            await read.rows("sqlViews")
    assert len(server.of("GET", "metadata")) == 1


@pytest.mark.parametrize("longest", [1900, 700])
async def test_an_address_stays_as_short_as_the_profile_says(longest: int):
    server = fake(**empty("categories", "maps", "predictors", "legendSets", "attributes"))
    server.answers["GET", "metadata"] = JSONResponse({})
    fields = {plural: f"id,name,{plural}[id,name,displayName,sharing,code]" for plural in server.objects}
    async with server.client(max_url=longest) as client, WholeTypes(client, fields) as read:
        await asyncio.gather(*map(read.rows, fields))
        sent = [line for line in client.transport.sent if "metadata" in line]
    assert len(sent) > (1 if longest < 1900 else 0) and all(len(address) < longest for address in sent)
    assert not server.of("POST")


async def test_what_lists_its_own_choice_is_asked_at_its_own_address():
    server = fake(**empty(*OWN_LISTS))
    server.answers["GET", "metadata"] = JSONResponse({})
    async with server.client() as client, WholeTypes(client, dict.fromkeys([*SMALL, *OWN_LISTS], "id")) as read:
        await asyncio.gather(*map(read.rows, OWN_LISTS))
    assert {seen.path for seen in server.of("GET")} >= OWN_LISTS
    assert not [seen for seen in server.of("GET", "metadata") for plural in OWN_LISTS if seen.values(plural)]


async def test_one_type_and_one_that_was_not_read_ahead_go_by_their_own_address_once():
    server = fake(constants={"coEightXXX1": ONE})
    async with server.client() as client, WholeTypes(client, dict.fromkeys(SMALL, "id"), ["reports"]) as read:
        await read.rows("reports")
        first, second = await asyncio.gather(read.rows("constants"), read.rows("constants"))
        assert first == second == [ONE] and "constants" in read and "documents" not in read
    assert sorted(seen.path for seen in server.of("GET")) == ["constants", "reports"]


async def test_nothing_is_under_way_when_the_block_ends():
    server = fake()
    server.answers["GET", "dataElements"] = problem(409, "no")
    async with server.client() as client:
        with pytest.raises(Refused):
            async with WholeTypes(client, dict.fromkeys([*SMALL, "dataElements"], "id")) as read:
                await read.rows("dataElements")
        left = [task for task in asyncio.all_tasks() if "WholeTypes" in repr(task.get_coro())]
    assert left == []
