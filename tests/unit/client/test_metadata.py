"""Search, export, import, usage."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from dhis2sh.errors import NotFound, PartlyDone, Refused, ServerFault, UsageError
from tests.fakes.objects import Fake, problem

GOOD, BAD = {"id": "deElement01", "name": "good"}, {"id": "deElement02", "name": "bad"}


async def test_search_merges_three_requests_and_ranks():
    fake = Fake()
    rows = [{"id": "deElement01", "name": "OPV and BCG"}, {"id": "deElement02", "name": "BCG doses", "code": "B"}]
    exact = {"dataElements": [{"id": "deElement03", "name": "bcg"}], "system": {"id": "x"}}
    fake.answers["GET", "metadata"] = [JSONResponse({}), JSONResponse(exact), JSONResponse({"dataElements": rows})]
    async with fake.client() as client:
        hits = await client.metadata.search("bcg", types=["dataElements"], limit=2)
        with pytest.raises(UsageError):
            await client.metadata.search(" ")
        assert [hit.id for hit in await client.metadata.search("doses, bcg")] == ["deElement02", "deElement01"]
    assert [hit.id for hit in hits] == ["deElement03", "deElement01"]
    sent = [seen.values("filter")[0] for seen in fake.of("GET")]
    assert sent == ["id:$like:bcg", "code:ilike:bcg", "name:token:bcg", "name:token:doses bcg"]


async def test_import_from_anywhere(tmp_path: Path):
    bundle = {"dataElements": [GOOD]}
    packed = tmp_path / "bundle.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(bundle).encode()))

    async def pieces():
        yield b'{"dataElements":'
        yield json.dumps([GOOD]).encode() + b"}"

    lazily = {"dataElements": iter([GOOD]), "indicators": []}
    for source in (bundle, lazily, packed, str(packed), json.dumps(bundle).encode(), pieces()):
        fake = Fake(objects={"dataElements": {}})
        async with fake.client() as client:
            message = await client.metadata.import_(source)
        assert message.import_count.created == 1
        assert fake.objects["dataElements"] == {GOOD["id"]: GOOD}


async def test_import_raises_and_a_dry_run_tells():
    fake = Fake(objects={"dataElements": {}})
    async with fake.client() as client:
        with pytest.raises(Refused, match="valueType") as refused:
            await client.metadata.import_({"dataElements": [GOOD, BAD]})
        assert refused.value.envelope is not None
        with pytest.raises(PartlyDone, match="1 written") as partly:
            await client.metadata.import_({"dataElements": [GOOD, BAD]}, atomic_mode="NONE")
        assert partly.value.summary.conflicts[0].uid == BAD["id"]
        told = await client.metadata.dry_run({"dataElements": [BAD]}, import_strategy="CREATE")
        assert (told.conflicts[0].code, told.import_count.ignored) == ("E4000", 1)
    assert list(fake.objects["dataElements"]) == [GOOD["id"]]
    assert fake.requests[-1].query == [("importStrategy", "CREATE"), ("importMode", "VALIDATE")]


async def test_a_server_that_fails_is_raised():
    fake = Fake(answers={("POST", "metadata"): problem(500, "boom")})
    async with fake.client() as client:
        for call in (client.metadata.dry_run, client.metadata.import_):
            with pytest.raises(ServerFault, match="boom"):
                await call({})
    fake.answers["POST", "metadata"] = JSONResponse(["?"], 502)
    async with fake.client() as client:
        with pytest.raises(ServerFault):
            await client.metadata.import_({})
        with pytest.raises(ServerFault):
            await client.metadata.dry_run({})


async def test_export_whole_or_into_a_file(tmp_path: Path):
    exported = {"system": {}, "dataElements": [GOOD]}
    fake = Fake(answers={("GET", "metadata"): JSONResponse(exported), ("GET", "programs/x/metadata"): JSONResponse({})})
    async with fake.client() as client:
        assert await client.metadata.export("dataElements", skip_sharing=True) == exported
        assert fake.requests[-1].query == [("skipSharing", "true"), ("dataElements", "true")]
        target = tmp_path / "export.json.gz"
        assert await client.metadata.export("dataElements", target=target) == len(JSONResponse(exported).body)
        assert json.loads(gzip.decompress(target.read_bytes())) == exported
        assert await client.metadata.dependencies("programs", "x") == {}
        with pytest.raises(UsageError, match="no dependencies of indicators"):
            await client.metadata.dependencies("indicators", "x")


async def test_usage_asks_every_property_that_can_refer():
    group = {"dataElementGroups": [{"id": "deGroup0001", "name": "Group"}]}
    fake = Fake(answers={("GET", "metadata"): JSONResponse(group)})
    async with fake.client() as client:
        uses = await client.metadata.usage("dataElements", "deElement01")
        with pytest.raises(NotFound):
            await client.metadata.usage("nonsense", "deElement01")
    assert ("dataElementGroups", "deGroup0001", "dataElements") in {(use.type, use.uid, use.path) for use in uses}
    asked = {name: value for seen in fake.of("GET") for name, value in seen.query if name.endswith(":filter")}
    assert asked["dataSets:filter"] == "dataSetElements.dataElement.id:eq:deElement01"


async def test_bulk_over_several_types():
    fake = Fake(objects={"dataElements": {}, "indicators": {}})
    async with fake.client() as client:
        both = {"dataElements": [GOOD, BAD], "indicators": [{"id": "inIndicat01", "name": "i"}]}
        saved = await client.metadata.save_bulk(both)
        assert (saved.uids, [row.uid for row in saved.failures]) == (["deElement01", "inIndicat01"], ["deElement02"])
        patch = [{"op": "add", "path": "/code", "value": "C"}]
        patched = await client.metadata.patch_bulk(
            {"dataElements": {"deElement01": patch}, "indicators": {"inIndicat01": patch}}
        )
        assert patched.ok
        gone = await client.metadata.delete_bulk(
            {"indicators": ["inIndicat01"], "dataElements": ["deElement01"]}, chunk_size=1
        )
        assert (gone.count.deleted, gone.uids) == (2, ["inIndicat01", "deElement01"])
    assert fake.objects == {"dataElements": {}, "indicators": {}}


async def test_one_failing_request_of_many_is_a_failure_of_its_objects():
    ok = JSONResponse({"httpStatus": "OK", "status": "OK", "response": {"stats": {"created": 1}, "typeReports": []}})
    fake = Fake(answers={("POST", "metadata"): [ok, JSONResponse(["?"], 502), ok]})
    rows = [{"id": f"deElement0{n}", "name": "x"} for n in range(3)]
    async with fake.client() as client:
        result = await client.resources.data_elements.save_bulk(rows, chunk_size=1, concurrency=1)
    assert (result.uids, result.count.created, result.count.ignored) == (["deElement00", "deElement02"], 2, 1)
    assert result.unanswered == ["deElement01"], "a 502 says nothing of what the server wrote"
    with pytest.raises(PartlyDone, match="whether the server wrote 1 of them is not known"):
        result.raise_for_failures()
    assert [(row.uid, row.status, row.type) for row in result.failures] == [("deElement01", 502, "dataElements")]
