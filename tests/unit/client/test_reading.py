"""Objects by UID: few requests, short addresses, the order asked for, and what is missing."""

from __future__ import annotations

import pytest
from starlette.responses import JSONResponse

from dhis2sh.client import reading
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import Refused, UsageError
from tests.fakes.objects import Fake, problem


def elements(count: int) -> dict[str, dict]:
    uids = [generate_uid() for _ in range(count)]
    return {uid: {"id": uid, "name": f"Element {n}"} for n, uid in enumerate(uids)}


async def test_objects_come_in_the_order_asked_for_each_once_and_the_missing_are_named():
    there = elements(5)
    first, second, *_ = there
    async with Fake(objects={"dataElements": there}).client() as client:
        found = await reading.by_uid(client, "dataElements", [second, "aaaaaaaaaaa", first, second])
    assert ([row["id"] for row in found.rows], found.missing) == ([second, first], ["aaaaaaaaaaa"])


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (120, 1), (121, 2), (600, 5), (601, 1)])
async def test_a_long_list_goes_in_several_requests_and_a_very_long_one_reads_the_whole_type(count: int, requests: int):
    fake = Fake(objects={"dataElements": elements(700)})
    wanted = list(fake.objects["dataElements"])[:count]
    told: list[tuple[int, int]] = []
    async with fake.client() as client:
        found = await reading.by_uid(
            client, "dataElements", wanted, fields="id,name", on_progress=lambda *how: told.append(how)
        )
    assert [row["id"] for row in found.rows] == wanted
    assert len(fake.of("GET")) == requests
    assert told[-1:] == ([(count, count)] if requests > 1 else [])
    assert {seen.values("fields")[0] for seen in fake.of("GET")} <= {"id,name"}


@pytest.mark.parametrize("longest", [1900, 900])
async def test_an_address_stays_as_short_as_the_profile_says(longest: int):
    fake = Fake(objects={"dataElements": elements(300)})
    async with fake.client(max_url=longest) as client:
        await reading.by_uid(client, "dataElements", fake.objects["dataElements"])
        addresses = [line for line in client.transport.sent if "dataElements" in line]
    assert len(addresses) == len(fake.of("GET"))
    assert all(len(address) < longest for address in addresses)
    assert not fake.of("POST"), "no address had to be made shorter by the server"


def test_values_of_any_length_share_the_room_of_an_address():
    filters = list(reading.in_lists(ConnectionSettings("http://t"), "name", ["é" * 100] * 3 + ["x"] * 400))
    assert [text.count("é" * 100) for text in filters] == [2, 1, 0]
    assert list(reading.in_lists(ConnectionSettings("http://t"), "id", ["a"])) == ["id:eq:a"]
    with pytest.raises(UsageError):
        list(reading.in_lists(ConnectionSettings("http://t"), "id", ["a,b", "c"]))


async def test_the_uid_comes_with_the_fields_unless_they_name_it():
    fake = Fake(objects={"dataElements": elements(1)})
    async with fake.client() as client:
        for fields in (":owner", "name", "name,id", ["name", "id"], "parent[id]"):
            await reading.all_of(client, "dataElements", fields=fields)
    asked = [seen.values("fields")[0] for seen in fake.of("GET")]
    assert asked == ["id,:owner", "id,name", "name,id", "name,id", "id,parent[id]"]


async def test_what_points_to_some_objects_is_read_once():
    wholes = list(elements(130))
    shared = {"id": "rule0000001", "program": {"id": wholes[0]}}
    fake = Fake(answers={("GET", "programRules"): JSONResponse({"programRules": [shared]})})
    async with fake.client() as client:
        assert await reading.pointing_to(client, "programRules", "program.id", wholes) == [shared]
    assert [seen.values("filter")[0][:16] for seen in fake.of("GET")] == [
        "program.id:in:[" + wholes[0][0],
        "program.id:in:[" + wholes[120][0],
    ]


async def test_objects_of_any_type_by_type():
    answer = {"system": {"id": "x"}, "dataElements": [{"id": "deElement01"}], "indicators": []}
    fake = Fake(answers={("GET", "metadata"): JSONResponse(answer)})
    async with fake.client() as client:
        found = await reading.of_any_type(client, ["deElement01"], types=["dataElements", "indicators"])
        assert await reading.of_any_type(client, []) == {}
    assert found == {"dataElements": [{"id": "deElement01"}], "indicators": []}
    assert len(fake.of("GET")) == 1


async def test_a_request_that_is_refused_ends_the_reading():
    fake = Fake(answers={("GET", "dataElements"): problem(409, "no")})
    async with fake.client() as client:
        with pytest.raises(Refused, match="no"):
            await reading.by_uid(client, "dataElements", list(elements(300)))
