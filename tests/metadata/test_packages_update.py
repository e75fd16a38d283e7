"""`--update` writes a package's values, and takes nothing away that each country adds: units, people, sharing, its own values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.metadata.bundles.report import PackageReport
from dhis2sh.session import Session
from dhis2sh.show import render
from tests.metadata.calls import YES, call, planned
from tests.metadata.conftest import NEW

SET = {"id": "dsPackage01", "name": "Return", "shortName": "Return", "periodType": "Monthly", "version": 3,
       "organisationUnits": [], "attributeValues": [], "translations": [{"property": "NAME", "locale": "fr", "value": "R"}],
       "dataSetElements": [{"dataElement": {"id": "deNumber009"}}]}  # fmt: skip
PREDICTOR = {"id": "prPackage01", "name": "Expected", "shortName": "Expected", "periodType": "Monthly",
             "output": {"id": "deNumber009"}, "organisationUnitLevels": [], "organisationUnitDescendants": "SELECTED",
             "sequentialSampleCount": 1, "annualSampleCount": 0,
             "generator": {"expression": "#{deNumber001}", "description": "x", "missingValueStrategy": "NEVER_SKIP"}}  # fmt: skip
OPTION = {"id": "coPackage01", "name": "Under 1", "shortName": "U1", "organisationUnits": []}
GROUP = {"id": "ugPackage01", "name": "Reporters", "users": []}
CHART = {"id": "viPackage01", "name": "BCG", "type": "COLUMN", "organisationUnits": [], "userOrganisationUnit": True}
UNITS = [{"id": "ouCountry01"}, {"id": "ouDistrict1"}]


def package(folder: Path, **changes: Any) -> Path:
    body: dict[str, Any] = {
        "dataElements": [NEW], "dataSets": [SET], "categoryOptions": [OPTION], "userGroups": [GROUP],
        "predictors": [PREDICTOR], "visualizations": [CHART],
    } | changes  # fmt: skip
    path = folder / "package.json"
    path.write_text(json.dumps(body))
    return path


async def _patch(session: Session, path: str, **values: Any) -> None:
    patch = [{"op": "add", "path": f"/{name}", "value": value} for name, value in values.items()]
    await session.client.patch(path, patch)


async def _installed(session: Session, folder: Path) -> Path:
    """The package is there, and a country has made it its own."""
    file = package(folder)
    await call(session, "metadata package install", YES, file=file)
    attribute = {"id": "atOwnCode01", "name": "Own code", "shortName": "Own code", "valueType": "TEXT",
                 "dataSetAttribute": True}  # fmt: skip
    await session.client.post("metadata", {"attributes": [attribute]})
    values = [{"attribute": {"id": "atOwnCode01"}, "value": "A7"}]
    texts = [*SET["translations"], {"property": "NAME", "locale": "sw", "value": "Ripoti"}]  # type: ignore[misc]
    await _patch(session, "dataSets/dsPackage01", organisationUnits=UNITS, attributeValues=values, translations=texts)
    await _patch(session, "categoryOptions/coPackage01", organisationUnits=UNITS)
    level = {"id": "lvDistrict1", "name": "District", "level": 2}
    await session.client.post("metadata", {"organisationUnitLevels": [level]})
    await _patch(session, "predictors/prPackage01", organisationUnitLevels=[{"id": "lvDistrict1"}])
    await _patch(session, "visualizations/viPackage01", organisationUnits=[UNITS[0]])
    me = await session.client.get_object("me", {"fields": "id"})
    await _patch(session, "userGroups/ugPackage01", users=[{"id": me["id"]}])
    return file


async def _all(session: Session) -> dict[str, Any]:
    found = await session.client.get_object("metadata", {"fields": ":owner,!lastUpdated,!version,!lastUpdatedBy"})
    return {plural: rows for plural, rows in found.items() if plural in PARTS}


PARTS = ("dataElements", "dataSets", "categoryOptions", "predictors", "visualizations", "userGroups")


async def test_an_update_without_changes_keeps_all_that_a_country_has_added(session: Session, tmp_path: Path):
    file = await _installed(session, tmp_path)
    before = await _all(session)
    plan = await planned(session, "metadata package install", file=file, update=True)
    assert plan.steps == []
    report = plan.report
    assert isinstance(report, PackageReport)
    own = {(one.type, one.property, one.count) for one in report.own}
    assert own == {
        ("dataSets", "organisationUnits", 2), ("dataSets", "attributeValues", 1), ("dataSets", "translations", 1),
        ("categoryOptions", "organisationUnits", 2), ("predictors", "organisationUnitLevels", 1),
        ("visualizations", "organisationUnits", 1),
    }  # fmt: skip
    said = "stays: 2 items of organisationUnits of dataSets 'Return', which the bundle does not have"
    assert said in report.line().splitlines()
    await call(session, "metadata package install", YES, file=file, update=True)
    assert await _all(session) == before


async def test_an_update_adds_the_units_that_were_mapped_and_takes_none(session: Session, tmp_path: Path):
    await _installed(session, tmp_path)
    placed = {**SET, "name": "Return 2", "organisationUnits": [{"id": "<OU_ROOT_UID>"}]}
    chart = {**CHART, "organisationUnits": [{"id": "<OU_ROOT_UID>"}]}
    file = package(tmp_path, dataSets=[placed], visualizations=[chart])
    root = ["<OU_ROOT_UID>=ouDistrict1"]
    summary = await call(session, "metadata package install", YES, file=file, update=True, map=root)
    there = await session.client.get_object("dataSets/dsPackage01", {"fields": "name,organisationUnits[id],version"})
    assert there["name"] == "Return 2"
    assert {row["id"] for row in there["organisationUnits"]} == {"ouCountry01", "ouDistrict1"}  # type: ignore[union-attr,index,call-overload]
    drawn = await session.client.get_object("visualizations/viPackage01", {"fields": "organisationUnits[id]"})
    assert drawn["organisationUnits"] == [{"id": "ouDistrict1"}], "a chart is of the places that it names"
    assert "stays: 1 item of organisationUnits of dataSets 'Return'" in render.text(summary)
    await call(session, "undo", YES)
    assert (await session.client.get_object("dataSets/dsPackage01", {"fields": "name"}))["name"] == "Return"


async def test_elements_that_a_country_has_added_to_a_form_are_named_where_they_go(session: Session, tmp_path: Path):
    await _installed(session, tmp_path)
    await call(session, "metadata data-sets add-element", YES, data_set="dsPackage01", elements=["deNumber001"])
    report = await call(session, "metadata package plan", file=package(tmp_path), update=True)
    [apart] = [one for one in report.apart if one.type == "dataSets"]
    assert (apart.property, apart.members, apart.lost) == ("dataSetElements", ["deNumber001"], True)
    assert apart.command == "dhis2 metadata data-sets add-element dsPackage01 deNumber001"


async def test_what_a_server_counts_is_no_change(session: Session, tmp_path: Path):
    """A data set counts its versions: an older one of the package is neither a difference nor sent."""
    await _installed(session, tmp_path)
    file = package(tmp_path, dataSets=[{**SET, "version": 1}])
    assert (await planned(session, "metadata package install", file=file, update=True)).steps == []
    assert (await call(session, "metadata package plan", file=file)).kept == []


SHARED = {**NEW, "sharing": {"public": "rw------", "external": False, "users": {},
                             "userGroups": {"ugPackage01": {"id": "ugPackage01", "access": "rw------"}}}}  # fmt: skip


async def _closed(session: Session, folder: Path) -> Path:
    file = package(folder, dataElements=[SHARED])
    await call(session, "metadata package install", YES, file=file)
    await call(session, "metadata share", YES, type="dataElements", objects=["deNumber009"], public="none")
    return file


@pytest.mark.parametrize("update", [False, True])
async def test_an_update_leaves_sharing_as_it_is_and_says_what_differs(session: Session, tmp_path: Path, update: bool):
    file = await _closed(session, tmp_path)
    summary = await call(session, "metadata package install", YES, file=file, update=update)
    said = "access stays: everybody -------- there, rw------ in the bundle: dataElements 'New' [deNumber009]"
    assert said in render.text(summary)
    report: Any = summary.to_json()["report"]
    [access] = report["access"]
    assert (access["before"]["public"], access["after"]["public"], access["written"]) == ("--------", "rw------", False)
    there = await session.client.get_object("dataElements/deNumber009", {"fields": "sharing[public]"})
    assert there == {"sharing": {"public": "--------"}}
    assert not [one for one in report["to_do"] if "everybody" in one["what"]]


async def test_sharing_that_is_asked_for_is_named_before_and_after(session: Session, tmp_path: Path):
    file = await _closed(session, tmp_path)
    group = {"id": "ugOwn000001", "name": "Own"}
    await session.client.post("metadata", {"userGroups": [group]})
    sharing = {"public": "--------", "userGroups": {"ugOwn000001": {"id": "ugOwn000001", "access": "r-------"}}}
    await _patch(session, "dataElements/deNumber009", sharing=sharing)
    summary = await call(session, "metadata package install", YES, file=file, update=True, include_sharing=True)
    said = (
        "access changes: everybody -------- -> rw------; group 'Own' r------- -> nothing; group 'Reporters' nothing -> rw------: "
        "dataElements 'New' [deNumber009]"
    )
    assert said in render.text(summary)
    report: Any = summary.to_json()["report"]
    assert [one["what"] for one in report["to_do"]] == ["everybody may change 1 object of dataElements"]
    there = await session.client.get_object("dataElements/deNumber009", {"fields": "sharing[public]"})
    assert there == {"sharing": {"public": "rw------"}}


@pytest.mark.parametrize("verb", ["import", "merge-bundle"])
async def test_any_bundle_says_whose_access_changes(session: Session, tmp_path: Path, verb: str):
    file = await _closed(session, tmp_path)
    summary = await call(session, f"metadata {verb}", YES, file=file, include_sharing=True)
    assert "access changes: everybody -------- -> rw------" in render.text(summary)


async def test_sharing_of_what_stays_is_not_asked_for(session: Session, tmp_path: Path):
    with pytest.raises(UsageError, match="goes with --update"):
        await planned(session, "metadata package install", file=package(tmp_path), include_sharing=True)


async def test_a_plan_that_is_looked_at_says_which_objects_change_and_in_what(session: Session, tmp_path: Path):
    await _installed(session, tmp_path)
    file = package(tmp_path, dataSets=[{**SET, "name": "Return 2", "periodType": "Weekly"}])
    report = await call(session, "metadata package plan", file=file, update=True)
    assert (
        "changes: dataSets 'Return' [dsPackage01]: periodType: Monthly there, Weekly in the bundle; name"
        in report.line()
    )
    assert any("data that are there mean something else then: periodType" in note for note in report.notes)
