"""The client's upper half against the embedded sandbox: the same as against a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhis2sh.client.client import Client
from dhis2sh.client.sharing import Sharing, access
from dhis2sh.dhis2.periods import periods
from dhis2sh.errors import NotFound, Refused
from dhis2sh.session import Session

ROW = {"domainType": "AGGREGATE", "valueType": "NUMBER", "aggregationType": "SUM"}


@pytest.fixture
async def client(session: Session) -> Client:
    return session.client


async def test_an_object_lives_and_dies(client: Client):
    elements = client.resources.data_elements
    made = await elements.create({"name": "Bed nets", "shortName": "Nets", **ROW})
    uid = made.created_uid
    assert uid
    await elements.patch(uid, [{"op": "copy", "from": "/name", "path": "/formName"}])
    row = await elements.get(uid)
    assert row["formName"] == "Bed nets"
    await elements.update({**row, "name": "Bed nets given"})
    element = await elements.get(uid, typed=True)
    assert (type(element).__module__, element.name) == ("dhis2_models.v42.data_element", "Bed nets given")
    assert (await elements.delete(uid, dry_run=True)).import_count.deleted == 1
    await elements.delete(uid)
    with pytest.raises(NotFound):
        await elements.get(uid)


async def test_bulk_writes_what_is_good_and_lists_the_rest(client: Client):
    rows = [{"name": f"Element {n}", "shortName": f"E {n}", **ROW} for n in range(5)]
    rows[3]["domainType"] = None
    result = await client.resources.data_elements.save_bulk(rows, chunk_size=2)
    assert (result.count.created, result.count.ignored, len(result.uids)) == (4, 1, 4)
    (failure,) = result.failures
    assert (failure.type, failure.status, failure.code, failure.property) == ("DataElement", 409, "E4000", "domainType")
    found = await client.resources.data_elements.get_many(result.uids, fields="name")
    assert [row["name"] for row in found] == ["Element 0", "Element 1", "Element 2", "Element 4"]
    gone = await client.resources.data_elements.delete_bulk([*result.uids, "aaaaaaaaaaa"])
    assert (gone.count.deleted, [row.code for row in gone.failures]) == (4, ["E5001"])


async def test_members_sharing_search_and_usage(client: Client):
    groups = client.resources.data_element_groups
    added = await groups.add_items("deGroup0001", "dataElements", ["deText00001", "aaaaaaaaaaa"])
    assert (added.count.updated, added.count.ignored) == (1, 1)
    assert (await groups.remove_items("deGroup0001", "dataElements", ["deNumber001"])).count.deleted == 1
    row = await groups.get("deGroup0001", fields="dataElements[id]")
    assert {member["id"] for member in row["dataElements"]} == {"deNumber002", "deText00001"}
    shared = await client.sharing.apply({"dataElementGroups": ["deGroup0001"]}, Sharing().public(access("r")))
    assert shared.ok
    assert (await client.sharing.get("dataElementGroups", "deGroup0001"))["public"] == "r-------"
    assert [hit.id for hit in await client.metadata.search("bcg doses")] == ["deNumber001"]
    used = await client.metadata.usage("dataElements", "deText00001")
    assert ("dataElementGroups", "dataElements") in {(use.type, use.path) for use in used}


async def test_a_bundle_is_tried_and_imported(client: Client):
    bundle = {"dataElements": [{"name": "Half"}]}
    assert {row.code for row in (await client.metadata.dry_run(bundle)).conflicts} == {"E4000"}
    with pytest.raises(Refused, match="Missing required property"):
        await client.metadata.import_(bundle)
    exported = await client.metadata.export("dataElementGroups")
    groups = [{**group, "shortName": "Vaccines"} for group in exported["dataElementGroups"]]
    assert (await client.metadata.import_({"dataElementGroups": groups})).import_count.updated == 1


async def test_data_values_stream_out_and_in(client: Client, tmp_path: Path):
    element = {"dataElement": {"id": "deNumber001"}}
    data_set = {"id": "dsMonthly01", "name": "Monthly", "shortName": "Monthly", "periodType": "Monthly"}
    units = [{"id": "ouFacility1"}]
    await client.resources.data_sets.create({**data_set, "dataSetElements": [element], "organisationUnits": units})
    me = await client.system.me()
    country = {"op": "add", "path": "/organisationUnits", "value": [{"id": "ouCountry01"}]}
    await client.resources.users.patch(me.id, [country])
    months = [period.iso for period in periods("202401", "202412", "Monthly")]
    rows = [
        {
            "dataElement": "deNumber001",
            "period": month,
            "orgUnit": "ouFacility1",
            "value": "x" if month == "202406" else "5",
        }
        for month in months
    ]
    result = await client.data_values.save_bulk(rows, chunk_size=5, data_set="dsMonthly01")
    assert (result.count.created, [(row.code, row.indexes) for row in result.failures]) == (11, [("E7619", [5])])
    query = {"data_set": "dsMonthly01", "org_unit": "ouFacility1", "start_date": "2024-01-01", "end_date": "2024-12-31"}
    read = [row async for row in client.data_values.iter(**query)]
    assert sorted(str(row["period"]) for row in read) == [month for month in months if month != "202406"]
    for name in ("values.json", "values.csv", "values.xml"):
        await client.data_values.stream_to(tmp_path / name, **query)
        again = await client.data_values.stream_in(tmp_path / name, dry_run=True)
        assert (again.import_count.ignored, again.conflicts) == (11, []), name
