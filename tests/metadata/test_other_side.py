"""What one type shows and another keeps (the groups of a data element): a server drops it, so nobody is told that it is written."""

import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.metadata import other_side
from dhis2sh.metadata.bundles.report import PackageReport
from dhis2sh.models import facts
from dhis2sh.session import Session
from tests.metadata.calls import do, planned

GROUP, SET, CHILD = "deGroup0001", "dsMonthly01", "ouClinicA01"


async def element(s: Session) -> dict[str, Any]:
    rows = (await s.client.list_page("dataElements", {"fields": "id,name,dataElementGroups[id]", "pageSize": 50})).rows
    return next(row for row in rows if row["dataElementGroups"])


async def test_a_new_object_is_put_into_no_group_silently(country: Session) -> None:
    group = (await element(country))["dataElementGroups"][0]["id"]
    given = ["name=New", "shortName=New", "valueType=NUMBER", "domainType=AGGREGATE", "aggregationType=SUM"]
    with pytest.raises(UsageError) as refused:
        await planned(country, "metadata create", type="dataElements", set=[*given, f"dataElementGroups={group}"])
    assert "kept by the data element groups" in refused.value.message
    assert refused.value.hint == (
        f"dhis2 metadata data-element-groups add {group} New --property dataElements  once it is there; leave it out here"
    )


async def test_an_update_says_the_command_that_works_and_takes_what_is_so_already(country: Session) -> None:
    one = await element(country)
    [held] = one["dataElementGroups"]
    same = await planned(country, "metadata update", type="dataElements", uid=one["id"], set=[f"dataElementGroups={held['id']}"])  # fmt: skip
    assert not same.steps
    with pytest.raises(UsageError, match="kept by the data element groups") as refused:
        await planned(country, "metadata update", type="dataElements", uid=one["id"], set=["dataElementGroups=[]"])
    assert refused.value.hint == (
        f"dhis2 metadata data-element-groups remove {held['id']} {one['id']} --property dataElements"
    )


@pytest.mark.parametrize(
    ("type", "text", "hint"),
    [
        ("organisationUnits", "children=[]", ""),
        ("users", "userGroups=UserGroup01", "user-group members add"),
    ],
)
async def test_siblings(country: Session, type: str, text: str, hint: str) -> None:
    rows = (await country.client.list_page(type, {"fields": "id,children[id],userGroups[id]", "paging": False})).rows
    one = next(row for row in rows if row.get("children") or type == "users")
    if type == "users":
        group = (await country.client.list_page("userGroups", {"fields": "id,users[id]"})).rows
        other = next(row for row in group if one["id"] not in {user["id"] for user in row["users"]})
        text = f"userGroups={other['id']}"
    with pytest.raises(UsageError) as refused:
        await planned(country, "metadata update", type=type, uid=one["id"], set=[text])
    assert hint in (refused.value.hint or "")


async def test_every_verb_that_takes_a_property_refuses_it(country: Session, tmp_path: Path) -> None:
    one = await element(country)
    group = one["dataElementGroups"][0]["id"]
    sheet = tmp_path / "elements.csv"
    sheet.write_text(f"id,dataElementGroups\n{one['id']},\n")
    assert not (await planned(country, "metadata update", type="dataElements", from_=sheet)).steps
    other = (await country.client.list_page("dataElementGroups", {"fields": "id"})).rows
    elsewhere = next((row["id"] for row in other if row["id"] != group), None)
    patch = json.dumps([{"op": "add", "path": "/dataElementGroups/-", "value": {"id": elsewhere or group}}])
    for verb, given in (
        ("metadata patch", {"objects": [one["id"]], "patch": patch}),
        ("metadata retag", {"objects": [one["id"]], "add": [f"dataElementGroups={group}"]}),
        ("metadata clone", {"uid": one["id"], "name": "Copy", "set": [f"dataElementGroups={group}"]}),
    ):
        with pytest.raises(UsageError, match="kept by the data element groups"):
            await planned(country, verb, type="dataElements", **given)


async def test_a_property_that_a_type_does_not_store_is_refused(country: Session) -> None:
    [one, *_] = (await country.client.list_page("indicators", {"fields": "id"})).rows
    with pytest.raises(UsageError, match="indicators store no aggregationType"):
        await planned(country, "metadata update", type="indicators", uid=one["id"], set=["aggregationType=SUM"])


async def test_a_bundle_says_what_would_be_lost_and_takes_what_its_other_side_says(
    country: Session, tmp_path: Path
) -> None:
    one = await element(country)
    body = await country.client.get_object(f"dataElements/{one['id']}", {"fields": ":owner"})
    [held] = one["dataElementGroups"]
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps({"dataElements": [{**body, "dataElementGroups": [held]}]}))
    assert not (await planned(country, "metadata import", file=file)).steps

    new = {**body, "id": "deBundle001", "name": "Bundled", "shortName": "Bundled", "code": "BND", "dataElementGroups": [held]}  # fmt: skip
    file.write_text(json.dumps({"dataElements": [new]}))
    plan = await planned(country, "metadata import", file=file)
    assert plan.blocked is None  # a server takes it; what it takes no notice of is said before
    [lost] = [note for note in plan.notes if note.startswith("would be lost")]
    assert "dataElementGroups of 1 data element (deBundle001)" in lost
    assert lost.endswith(f"dhis2 metadata data-element-groups add {held['id']} deBundle001 --property dataElements")

    group = await country.client.get_object(f"dataElementGroups/{held['id']}", {"fields": ":owner"})
    group["dataElements"] = [*group["dataElements"], {"id": "deBundle001"}]
    file.write_text(json.dumps({"dataElements": [new], "dataElementGroups": [group]}))
    await do(country, "metadata import", file=file)
    now = await country.client.get_object("dataElements/deBundle001", {"fields": "dataElementGroups[id]"})
    assert now["dataElementGroups"] == [held]
    assert not (await planned(country, "metadata import", file=file)).steps


@pytest.mark.parametrize("version", facts.VERSIONS)
def test_who_keeps_a_property_is_known_of_every_type(version: str) -> None:
    types = facts.types(version)
    unknown: set[str] = set()
    for resource in facts.resources(version).values():
        for prop in resource.properties.values():
            if resource.metadata and other_side.is_kept_elsewhere(prop):
                assert other_side.way(resource, prop, types).startswith("dhis2 metadata ") or prop.name == "userGroups"
                if other_side.keeper_of(resource, prop, types) is None and prop.name != "interpretations":
                    unknown.add(f"{resource.plural}.{prop.name}")
    assert unknown <= {
        "categoryCombos.categoryOptionCombos", "categoryOptions.categoryOptionCombos", "dataElements.dataSetElements",
        "programs.userRoles",
    }  # fmt: skip


async def test_what_a_server_makes_itself_is_no_loss_and_a_package_is_told_of_the_rest(
    country: Session, tmp_path: Path
) -> None:
    [combo] = (await country.client.list_page("categoryCombos", {"filter": "name:ne:default", "pageSize": 1})).rows
    body = await country.client.get_object(f"categoryCombos/{combo['id']}", {"fields": ":owner"})
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps({"categoryCombos": [{**body, "categoryOptionCombos": [{"id": "cocElsewhe1"}]}]}))
    plan = await planned(country, "metadata import", file=file)
    assert not plan.steps
    assert not any("would be lost" in note for note in plan.notes)

    new = {"id": "dePackage01", "name": "Packed", "shortName": "Packed", "valueType": "NUMBER", "domainType": "AGGREGATE",
           "aggregationType": "SUM", "dataElementGroups": [{"id": "deGroupGone"}]}  # fmt: skip
    file.write_text(json.dumps({"package": {"name": "P"}, "dataElements": [new]}))
    plan = await planned(country, "metadata package install", file=file)
    assert isinstance(plan.report, PackageReport)
    assert [line.partition(" (")[0] for line in plan.report.lost] == [
        "would be lost: dataElementGroups of 1 data element"
    ]


@pytest.mark.parametrize("type", ["dataElements", "indicators", "visualizations", "organisationUnits", "dashboards"])
async def test_an_object_with_all_that_a_server_shows_goes_back_as_it_is(
    country: Session, tmp_path: Path, type: str
) -> None:
    [row] = (await country.client.list_page(type, {"fields": ":all", "pageSize": 1})).rows
    file = tmp_path / "one.json"
    file.write_text(json.dumps([row]))
    plan = await planned(country, "metadata update", type=type, from_=file)
    assert not plan.steps, plan.steps


async def test_what_only_is_shown_and_shall_be_otherwise_is_sent(country: Session, tmp_path: Path) -> None:
    [row] = (await country.client.list_page("visualizations", {"fields": "id,columns", "pageSize": 1})).rows
    columns = [{"id": "dx", "dimension": "dx", "items": [{"id": "deStock0001"}]}]
    file = tmp_path / "one.json"
    file.write_text(json.dumps([{"id": row["id"], "columns": columns}]))
    [step] = (await planned(country, "metadata update", type="visualizations", from_=file)).steps
    assert (step.after or {})["columns"] == columns
