"""Accessors: every read and write of one type, against answers as recorded."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from dhis2sh.client.messages import TaskRef
from dhis2sh.client.query import ENDPOINTS, camel
from dhis2sh.client.resources import snake
from dhis2sh.client.tasks import task_of
from dhis2sh.errors import NotFound, PartlyDone, ReadOnlyProfile, Refused, UsageError
from dhis2sh.models import facts
from tests.fakes.objects import Fake


class Element(BaseModel):
    id: str
    name: str


def elements(count: int) -> dict[str, dict]:
    return {f"deElement{n:02}": {"id": f"deElement{n:02}", "name": f"Element {n}"} for n in range(count)}


@pytest.fixture
def fake() -> Fake:
    groups = {"deGroup0001": {"id": "deGroup0001", "name": "Group", "dataElements": [{"id": "deElement00"}]}}
    return Fake(objects={"dataElements": elements(5), "dataElementGroups": groups})


async def test_iter_reads_pages_and_list_reads_all_in_one_request(fake: Fake):
    async with fake.client() as client:
        accessor = client.resources.data_elements
        assert [row["id"] async for row in accessor.iter(page_size=2)] == list(fake.objects["dataElements"])
        assert len(fake.of("GET", "dataElements")) == 3
        assert len(await accessor.list(["id", "name"], order="name:asc")) == 5
        assert fake.requests[-1].query == [("fields", "id,name"), ("order", "name:asc"), ("paging", "false")]
        assert len([row async for row in accessor.iter(limit=3)]) == 3
        assert len([row async for row in accessor.iter(paging=False, limit=2)]) == 2


async def test_rows_become_models_when_asked(fake: Fake):
    async with fake.client() as client:
        accessor = client.resources.data_elements
        assert await accessor.get("deElement01", model=Element) == Element(id="deElement01", name="Element 1")
        assert [element.name for element in await accessor.list(model=Element)][:2] == ["Element 0", "Element 1"]
        assert [element.id async for element in accessor.iter(model=Element, page_size=2)][-1] == "deElement04"


async def test_pages_counts_and_many_by_uid(fake: Fake):
    async with fake.client() as client:
        accessor = client.resources["dataElements"]
        page = await accessor.page(2, page_size=2)
        assert (page.total, [row["id"] for row in page.rows]) == (5, ["deElement02", "deElement03"])
        assert await accessor.count() == 5
        assert await accessor.count("name:eq:Element 1") == 1
        wanted = ["deElement03", "aaaaaaaaaaa", "deElement00", "deElement03"]
        assert [row["id"] for row in await accessor.get_many(wanted)] == ["deElement03", "deElement00"]


async def test_a_long_list_of_uids_goes_in_several_requests():
    fake = Fake(
        objects={"dataElements": elements(100) | {f"deOther{n:04}": {"id": f"deOther{n:04}"} for n in range(150)}}
    )
    async with fake.client() as client:
        found = await client.resources.data_elements.get_many(fake.objects["dataElements"], fields="id")
    assert len(found) == 250
    assert len(fake.of("GET")) == 3
    assert all(len(seen.values("filter")[0]) < 1700 for seen in fake.of("GET"))


async def test_create_update_patch_delete(fake: Fake):
    async with fake.client() as client:
        accessor = client.resources.data_elements
        made = await accessor.create({"name": "New"}, skip_sharing=True)
        assert made.created_uid == "GYHYHsiqG5L"
        assert fake.requests[-1].query == [("skipSharing", "true")]
        await accessor.update({"id": "GYHYHsiqG5L", "name": "Renamed"})
        assert (fake.requests[-1].method, fake.requests[-1].path) == ("PUT", "dataElements/GYHYHsiqG5L")
        await accessor.patch("GYHYHsiqG5L", [{"op": "add", "path": "/code", "value": "C"}])
        assert fake.objects["dataElements"]["GYHYHsiqG5L"] == {"id": "GYHYHsiqG5L", "name": "Renamed", "code": "C"}
        await accessor.delete("GYHYHsiqG5L")
        with pytest.raises(NotFound):
            await accessor.delete("GYHYHsiqG5L")


async def test_models_are_sent_under_their_wire_names(fake: Fake):
    async with fake.client() as client:
        await client.resources.data_elements.update(Element(id="deElement01", name="Other"))
    assert fake.objects["dataElements"]["deElement01"] == {"id": "deElement01", "name": "Other"}


async def test_a_patch_that_dhis2_does_not_know_is_rewritten(fake: Fake):
    async with fake.client() as client:
        patch = [
            {"op": "test", "path": "/name", "value": "Element 1"},
            {"op": "copy", "from": "/name", "path": "/formName"},
        ]
        await client.resources.data_elements.patch("deElement01", patch)
        assert fake.objects["dataElements"]["deElement01"]["formName"] == "Element 1"
        patch[0]["value"] = "other"
        with pytest.raises(Refused, match="tests that /name"):
            await client.resources.data_elements.patch("deElement01", patch)


async def test_a_refusal_is_raised_for_one_object(fake: Fake):
    async with fake.client() as client:
        with pytest.raises(Refused, match="valueType") as caught:
            await client.resources.data_elements.create({"name": "bad"})
        assert (caught.value.code, caught.value.status) == ("E4000", 409)
        with pytest.raises(UsageError, match="'NUMBR' is no valueType") as misspelt:
            await client.resources.data_elements.create({"name": "x", "valueType": "NUMBR"})
        assert "NUMBER" in (misspelt.value.hint or "")
        with pytest.raises(UsageError, match="without 'id'"):
            await client.resources.data_elements.update({"name": "x"})


async def test_a_dry_run_writes_nothing_whatever_the_route(fake: Fake):
    before = {plural: {uid: dict(row) for uid, row in rows.items()} for plural, rows in fake.objects.items()}
    async with fake.client() as client:
        accessor = client.resources.data_elements
        assert (await accessor.create({"id": "deElement99", "name": "New"}, dry_run=True)).import_count.created == 1
        assert (await accessor.update({"id": "deElement01", "name": "New"}, dry_run=True)).import_count.updated == 1
        patch = [{"op": "replace", "path": "/name", "value": "New"}]
        assert (await accessor.patch("deElement01", patch, dry_run=True)).import_count.updated == 1
        assert fake.requests[-1].json == {"dataElements": [{"id": "deElement01", "name": "New"}]}
        assert (await accessor.delete("deElement01", dry_run=True)).import_count.deleted == 1
        assert (await accessor.patch_bulk({"deElement01": patch}, dry_run=True)).count.updated == 1
        assert (await accessor.save_bulk([{"id": "deElement01", "name": "x"}], dry_run=True)).count.updated == 1
        result = await client.resources.data_element_groups.add_items(
            "deGroup0001", "dataElements", ["deElement00", "deElement01"], dry_run=True
        )
        assert (result.uids, result.count.updated, result.count.ignored) == (["deElement01"], 1, 1)
    assert fake.objects == before
    assert {seen.path for seen in fake.requests if seen.method != "GET"} == {"metadata"}
    assert all(seen.values("importMode") == ["VALIDATE"] for seen in fake.of("POST"))


@pytest.mark.parametrize("version", ["2.40.12", "2.41.9.1"])
async def test_a_version_that_merges_is_told_to(version: str):
    fake = Fake(version, objects={"dataElements": elements(1)})
    async with fake.client() as client:
        await client.resources.data_elements.update({"id": "deElement00"}, merge_mode="MERGE", skip_translation=True)
        assert fake.requests[-1].values("mergeMode") == ["MERGE"]
        assert fake.requests[-1].values("skipTranslation") == ["true"]
        await client.resources.data_elements.save_bulk([{"id": "deElement00"}], merge_mode="MERGE")
        assert fake.requests[-1].values("mergeMode") == ["MERGE"]


@pytest.mark.parametrize("version", ["2.42.5.2", "2.44"])
async def test_a_merge_is_refused_where_the_server_would_replace(version: str):
    fake = Fake(version, objects={"dataElements": elements(1)})
    async with fake.client() as client:
        elements_ = client.resources.data_elements
        with pytest.raises(UsageError, match="knows no merge, it would replace"):
            await elements_.update({"id": "deElement00"}, merge_mode="MERGE")
        with pytest.raises(UsageError, match="knows no merge, it would replace"):
            await elements_.save_bulk([{"id": "deElement00"}], merge_mode="MERGE")
        await elements_.update({"id": "deElement00"}, merge_mode="REPLACE")
        assert fake.requests[-1].values("mergeMode") == []
    assert [seen.method for seen in fake.requests if seen.method != "GET"] == ["PUT"]


async def test_an_option_that_a_call_does_not_have_is_refused_unsent():
    fake = Fake(objects={"dataElements": elements(1)})
    async with fake.client() as client:
        accessor = client.resources.data_elements
        calls = (
            accessor.create({"name": "New"}, skip_sharng=True),
            accessor.update({"id": "deElement00"}, dryrun=True),
            accessor.save_bulk([{"id": "deElement00"}], strategy="CREATE"),
            accessor.delete("deElement00", skip_sharing=True),
            accessor.delete_bulk(["deElement00"], import_strategy="CREATE"),
            client.metadata.delete_bulk({"dataElements": ["deElement00"]}, merge_mode="MERGE"),
            accessor.list(filter="name:like:A"),
        )
        for call in calls:
            with pytest.raises(UsageError, match="there is no option"):
                await call
    assert [seen.method for seen in fake.requests if "dataElements" in seen.path] == []
    assert fake.of("POST") == []


@pytest.mark.parametrize(("version", "route"), [("2.42.5", "POST metadata"), ("2.43.1", "DELETE options/opOption001")])
async def test_an_option_is_deleted_by_a_route_that_works(version: str, route: str):
    fake = Fake(version, objects={"options": {"opOption001": {"id": "opOption001"}}})
    async with fake.client() as client:
        await client.resources.options.delete("opOption001")
    assert f"{fake.requests[-1].method} {fake.requests[-1].path}" == route
    assert fake.objects["options"] == {}


async def test_bulk_writes_list_refusals_and_write_the_rest(fake: Fake):
    fake.objects["dataElements"]["deElement04"]["needed"] = True
    async with fake.client() as client:
        accessor = client.resources.data_elements
        result = await accessor.save_bulk([{"id": "deElement01", "name": "A"}, {"id": "deElement77", "name": "bad"}])
        assert (result.count.updated, result.count.ignored, result.uids) == (1, 1, ["deElement01"])
        (failure,) = result.failures
        assert (failure.uid, failure.type, failure.status, failure.code) == (
            "deElement77",
            "dataElements",
            409,
            "E4000",
        )
        with pytest.raises(PartlyDone, match="1 written; deElement77"):
            result.raise_for_failures()
        gone = await accessor.delete_bulk(["deElement00", "deElement04", "aaaaaaaaaaa"])
        assert gone.uids == ["deElement00"]
        assert {row.uid: row.code for row in gone.failures} == {"deElement04": "E4030", "aaaaaaaaaaa": "E5001"}
        patch = [{"op": "replace", "path": "/name", "value": "P"}]
        patched = await accessor.patch_bulk({"deElement01": patch, "aaaaaaaaaaa": patch, "deElement02": patch})
        assert (patched.uids, patched.count.updated) == (["deElement01", "deElement02"], 2)
        assert [(row.uid, row.type, row.message) for row in patched.failures] == [
            ("aaaaaaaaaaa", "dataElements", "dataElements with id aaaaaaaaaaa could not be found.")
        ]


async def test_all_or_nothing_goes_in_one_request(fake: Fake):
    rows = [{"id": "deElement00", "name": "bad"}, *({"id": uid, "name": "x"} for uid in ("deElement01", "deElement02"))]
    async with fake.client() as client:
        result = await client.resources.data_elements.save_bulk(rows, atomic_mode="ALL", chunk_size=1)
    assert len(fake.of("POST", "metadata")) == 1
    assert (result.uids, result.count.ignored) == ([], 3)
    with pytest.raises(Refused, match="deElement00"):
        result.raise_for_failures()


async def test_large_writes_are_cut_by_type_in_import_order_parents_first():
    units = [{"id": f"ouUnit{n:05}", "name": "u", "parent": {"id": f"ouUnit{n + 1:05}"}} for n in range(4)]
    units.append({"id": "ouUnit00004", "name": "top"})
    fake = Fake(objects={"organisationUnits": {}, "dataElements": {}})
    async with fake.client() as client:
        bundle = {"dataSets": [{"id": "dsDataSet01", "name": "d"}], "organisationUnits": units}
        done = await client.metadata.save_bulk(bundle, chunk_size=2)
    assert done.ok
    assert done.count.created == 6
    sent = [[row["id"] for rows in seen.json.values() for row in rows] for seen in fake.of("POST", "metadata")]
    assert sent == [["ouUnit00004", "ouUnit00003"], ["ouUnit00002", "ouUnit00001"], ["ouUnit00000"], ["dsDataSet01"]]


async def test_types_that_refer_to_each_other_are_never_cut_apart():
    fake = Fake(objects={})
    program, stage = {"id": "prProgram01", "name": "p"}, {"id": "psStage0001", "name": "s"}
    elements = [{"id": f"deElement{n:02}", "name": "e"} for n in range(3)]
    bundle = {"programs": [program], "programStages": [stage, {**stage, "id": "psStage0002"}], "dataElements": elements}
    async with fake.client() as client:
        result = await client.metadata.save_bulk(bundle, chunk_size=2)
    assert result.count.created == 6
    sent = [{plural: len(rows) for plural, rows in seen.json.items()} for seen in fake.of("POST", "metadata")]
    assert sent == [{"dataElements": 2}, {"dataElements": 1}, {"programStages": 2, "programs": 1}]


async def test_members_are_added_and_removed_without_the_others(fake: Fake):
    async with fake.client() as client:
        groups = client.resources.data_element_groups
        added = await groups.add_items("deGroup0001", "dataElements", ["deElement01", "aaaaaaaaaaa"])
        assert (added.count.updated, added.count.ignored) == (1, 1)
        removed = await groups.remove_items("deGroup0001", "dataElements", ["deElement00"])
        assert removed.count.deleted == 1
        assert fake.objects["dataElementGroups"]["deGroup0001"]["dataElements"] == [{"id": "deElement01"}]
        assert fake.requests[-1].json == {"additions": [], "deletions": [{"id": "deElement00"}]}
        lost = await groups.add_items("aaaaaaaaaaa", "dataElements", ["deElement00"])
        assert [row.uid for row in lost.failures] == ["deElement00"]


async def test_nothing_is_sent_for_nothing(fake: Fake):
    async with fake.client() as client:
        assert (await client.resources.data_elements.save_bulk([])).count.total == 0
        assert (await client.resources.data_elements.delete_bulk([])).ok
    assert fake.of("POST") == []


async def test_a_read_only_profile_stops_a_bulk_write(fake: Fake):
    async with fake.client(read_only=True) as client:
        with pytest.raises(ReadOnlyProfile):
            await client.resources.data_elements.save_bulk([{"id": "deElement00"}])


async def test_unknown_types_are_said_with_the_nearest(fake: Fake):
    async with fake.client() as client:
        with pytest.raises(AttributeError, match="did you mean dataElements"):
            client.resources.data_element  # noqa: B018
        with pytest.raises(NotFound):
            client.resources["nonsense"]
        assert "data_elements" in dir(client.resources)
        assert "dataElements" in list(client.resources)
        assert repr(client.resources.data_elements) == "<dataElements of http://t>"
        gone = client.resources.push_analysis
        with pytest.raises(NotFound, match="has no type 'pushAnalysis'"):
            await Fake("2.44.0").client().resources["pushAnalysis"].resource()
        assert (await gone.resource()).plural == "pushAnalysis"


async def test_a_model_that_is_not_there_is_said(fake: Fake, monkeypatch: pytest.MonkeyPatch):
    def nowhere(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", nowhere)
    async with fake.client() as client:
        with pytest.raises(UsageError, match=r"no model dhis2_models.v42.DataElement"):
            await client.resources.data_elements.list(typed=True)


def test_the_names_that_editors_see_are_those_of_the_facts():
    from dhis2sh.client.resource_names import KnownResources

    known = {plural for version in facts.VERSIONS for plural in facts.resources(version)}
    assert set(KnownResources.__annotations__) == {snake(plural) for plural in known}
    assert all(camel(snake(plural)) == plural for plural in known)


def test_addresses_that_are_not_the_plural():
    found = {
        plural: (item.endpoint or "").lstrip("/")
        for version in facts.VERSIONS
        for plural, item in facts.resources(version).items()
        if item.endpoint != f"/{plural}"
    }
    assert found == ENDPOINTS


async def test_l14_the_types_of_the_servers_version_are_offered(fake: Fake):
    async with fake.client() as client:
        assert {"relationships", "mapViews"} <= set(client.resources), "of which version it is nobody knows yet"
        assert "relationships" in dir(client.resources)
        version = await client.version()
        offered = set(client.resources)
        assert offered == set(facts.resources(version.models))
        assert {snake(plural) for plural in offered} <= set(dir(client.resources))


async def test_l14_a_job_is_awaited_by_the_answer_that_started_it():
    with pytest.raises(UsageError, match="started no job"):
        task_of({"httpStatus": "OK", "response": {}})
    answer = {
        "httpStatus": "OK",
        "response": {
            "id": "uid0000000a",
            "jobType": "METADATA_IMPORT",
            "responseType": "JobConfigurationWebMessageResponse",
        },
    }
    assert task_of(answer) == TaskRef(job_type="METADATA_IMPORT", uid="uid0000000a")
