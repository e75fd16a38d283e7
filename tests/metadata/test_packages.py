"""Published packages: adapted, mapped, compared, one plan, and taken back as if they had never been there."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.dhis2.properties import VOLATILE
from dhis2sh.dhis2.references import references
from dhis2sh.errors import NotFound, Refused, UsageError
from dhis2sh.metadata.bundles.adapting import adapt
from dhis2sh.metadata.bundles.bundle import bundle_of
from dhis2sh.metadata.bundles.report import PackageReport
from dhis2sh.models import facts
from dhis2sh.rows.rows import to_json
from dhis2sh.sandbox.load import load
from dhis2sh.session import Session
from dhis2sh.show import render
from tests.conftest import filled, holding
from tests.fakes.person import Somebody
from tests.metadata.calls import YES, call, planned
from tests.metadata.conftest import NEW
from tests.shared import needs_shared, shared

DEFAULTS = {
    "categoryOptions": [{"id": "xYerKDKCefk", "name": "default", "code": "default"}],
    "categories": [{"id": "GLevLNI9wkl", "name": "default", "categoryOptions": [{"id": "xYerKDKCefk"}]}],
}
PACKAGE: dict[str, Any] = {
    "package": {"name": "BCG_AGG", "version": "1.0.0", "DHIS2Version": "2.36.1", "type": "AGGREGATE"},
    "users": [{"id": "usPackage01", "firstName": "Admin", "surname": "WHO", "userCredentials": {"username": "who"}}],
    "userGroups": [
        {"id": "ugAdmin0001", "name": "BCG admin", "users": [{"id": "usPackage01"}]},
    ],
    **DEFAULTS,
    "dataElements": [
        {**NEW, "publicAccess": "r-------", "user": {"id": "usPackage01"},
         "userGroupAccesses": [{"id": "ugAdmin0001", "access": "rw------"}, {"id": "ugForeign01", "access": "rw------"}]},
        {**NEW, "id": "deForeign01", "name": "BCG, all", "shortName": "BCG, all", "code": "DE_1"},
    ],
    "dataElementGroups": [
        {"id": "deGroup0009", "name": "All", "shortName": "All", "periodOffset": 0,
         "dataElements": [{"id": "deNumber009"}, {"id": "deForeign01"}]}
    ],
    "trackedEntityTypes": [{"id": "tePerson001", "name": "Person"}],
}  # fmt: skip
"""A package of 2.36 in small: a package's own user, groups, old sharing, an element that is there under another UID."""


def written(folder: Path, body: object, name: str = "package.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(body))
    return path


async def test_a_package_is_adapted_mapped_and_written_in_one_go(session: Session, tmp_path: Path):
    file = written(tmp_path, PACKAGE)
    report = await call(session, "metadata package plan", file=file)
    assert isinstance(report, PackageReport)
    assert (report.name, report.decide) == ("BCG_AGG 1.0.0 (of DHIS2 2.36.1)", [])
    assert report.left_out == {"users": 1}
    adapted = {(one.type, one.property) for one in report.adapted}
    assert ("trackedEntityTypes", "shortName") in adapted
    assert ("dataElements", "publicAccess, userGroupAccesses") in adapted
    assert [(one.id, one.to, one.by) for one in report.mapped] == [("deForeign01", "deNumber001", "code")]
    assert report.groups_left_out == ["ugForeign01"]
    before = await session.client.get_object("metadata", {"fields": ":owner"})
    await call(session, "metadata package install", YES, file=file)
    group = await session.client.get_object("dataElementGroups/deGroup0009", {"fields": "dataElements"})
    assert sorted(map(str, group["dataElements"])) == ["{'id': 'deNumber001'}", "{'id': 'deNumber009'}"]  # type: ignore[arg-type]
    new = await session.client.get_object("dataElements/deNumber009", {"fields": "sharing"})
    groups = new["sharing"]["userGroups"]  # type: ignore[index,call-overload]
    assert {uid: row["access"] for uid, row in groups.items()} == {"ugAdmin0001": "rw------"}  # type: ignore[union-attr]
    there = await session.client.get_object("dataElements/deNumber001", {"fields": "name"})
    assert there == {"name": "BCG doses given"}, "what is there stays as it is"
    assert (await planned(session, "metadata package install", file=file)).steps == []
    await call(session, "undo", YES)
    assert told(await session.client.get_object("metadata", {"fields": ":owner"})) == told(before)


async def test_what_is_there_and_means_something_else_is_a_decision(session: Session, tmp_path: Path):
    """An element with the code of one that is there, but with texts for values, takes its place only when somebody says so."""
    body = {"dataElements": [{**NEW, "code": "DE_1", "valueType": "TEXT"}]}
    plan = await planned(session, "metadata package install", file=written(tmp_path, body))
    assert isinstance(plan.blocked, Refused)
    report = plan.report
    assert isinstance(report, PackageReport)
    assert "valueType: NUMBER there, TEXT in the bundle" in report.decide[0].about
    assert report.decide[0].commands[1].endswith("package.json --resolve deNumber009=rename")
    with pytest.raises(Refused, match="valueType"):
        await call(session, "metadata package install", YES, file=tmp_path / "package.json")
    apart = await planned(
        session, "metadata package install", file=tmp_path / "package.json", resolve=["deNumber009=rename"]
    )
    assert apart.blocked is None
    assert [step.after["code"] for step in apart.steps if step.after] == ["DE_1_PACKAGE"]


async def test_o3_placeholders_are_told_and_mapped(session: Session, tmp_path: Path):
    """`<OU_ROOT_UID>` of a package leads nowhere until somebody says which unit it is; so does a code."""
    chart = {"id": "viChart0001", "name": "BCG", "type": "COLUMN", "organisationUnits": [{"id": "<OU_ROOT_UID>"}]}
    group = {"id": "deGroup0009", "name": "All", "shortName": "All", "dataElements": [{"code": "DE_1"}, {"code": "X"}]}
    file = written(tmp_path, {"visualizations": [chart], "dataElementGroups": [group]})
    plan = await planned(session, "metadata package install", file=file)
    report = plan.report
    assert isinstance(report, PackageReport)
    about = [one.about.partition(":")[0] for one in report.decide]
    assert sorted(about) == ["<OU_ROOT_UID>", "X"], "the code DE_1 is there"
    root = next(one for one in report.decide if one.about.startswith("<OU"))
    assert root.commands[0].endswith("--map '<OU_ROOT_UID>=Country'")
    mapped = await planned(session, "metadata package install", file=file, map=["<OU_ROOT_UID>=Country", "X=Remark"])
    assert mapped.blocked is None
    bodies = {step.type: step.after for step in mapped.steps}
    assert bodies["visualizations"]["organisationUnits"] == [{"id": "ouCountry01"}]  # type: ignore[index]
    assert bodies["dataElementGroups"]["dataElements"] == [{"id": "deNumber001"}, {"id": "deText00001"}]  # type: ignore[index]
    dropped = await planned(session, "metadata import", file=file, drop_dangling=True)
    assert "<OU_ROOT_UID>" in " ".join(dropped.notes)
    assert {step.type: step.after for step in dropped.steps}["visualizations"]["organisationUnits"] == []  # type: ignore[index]
    by_map = await planned(
        session, "metadata import", file=file, map=["<OU_ROOT_UID>=Country", "DE_1=DE_1", "X=Remark"]
    )
    assert {step.type: step.after for step in by_map.steps}["visualizations"]["organisationUnits"] == [  # type: ignore[index]
        {"id": "ouCountry01"}
    ]


def test_t20_variables_of_eleven_letters_are_no_uids():
    """In program rules only constants go by their UID; in indicators `#{diastolicBP}` would be one."""
    types = facts.types("v42")
    rule = {"id": "prRule00001", "condition": "#{diastolicBP} > 90 && A{dateofbirth} != '' && C{cnConstant1} > 1"}
    assert [ref.uid for ref in references(types["programRules"], rule, types)] == ["cnConstant1"]
    indicator = {"id": "inIndicato1", "numerator": "#{deNumber001}"}
    assert [ref.uid for ref in references(types["indicators"], indicator, types)] == ["deNumber001"]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([None], "is null, not an object"),
        (["deNumber001"], "is 'deNumber001', not an object"),
        ([{"id": 7}], "the id 7"),
    ],
)
async def test_t26_items_that_are_no_objects_have_words(session: Session, tmp_path: Path, items: list, said: str):
    with pytest.raises(UsageError, match=said):
        await planned(session, "metadata import", file=written(tmp_path, {"dataElements": items}))


@pytest.mark.parametrize("given", [{}, {"id": ""}, {"id": None}])
async def test_t26_objects_without_id_get_one(session: Session, tmp_path: Path, given: dict):
    body = {name: value for name, value in NEW.items() if name != "id"} | given
    plan = await planned(session, "metadata import", file=written(tmp_path, {"dataElements": [body]}))
    assert [len(str(step.uid)) for step in plan.steps] == [11]
    assert any("without id: 1 dataElements get new UIDs" in note for note in plan.notes)


async def test_t17_calculations_are_written_and_taken_back(session: Session, tmp_path: Path):
    """`expressionDimensionItems` have no address in any version's schemas; the server takes them all the same."""
    item = {"id": "edCalculat1", "name": "BCG twice", "shortName": "BCG twice", "expression": "2 * #{deNumber001}"}
    file = written(tmp_path, {"expressionDimensionItems": [item]})
    plan = await planned(session, "metadata import", file=file)
    assert [(step.action, step.type) for step in plan.steps] == [("create", "expressionDimensionItems")]
    assert not [note for note in plan.notes if "unknown type" in note]
    await call(session, "metadata import", YES, file=file)
    found = await session.client.get_object("expressionDimensionItems/edCalculat1", {"fields": "name,expression"})
    assert found == {"name": "BCG twice", "expression": "2 * #{deNumber001}"}
    assert (await planned(session, "metadata import", file=file)).steps == []
    await call(session, "undo", YES)
    left = await session.client.get_object("expressionDimensionItems", {"fields": "id"})
    assert left["expressionDimensionItems"] == []


def test_actions_that_hide_name_no_element_beside_it():
    """What a 2.42.5.2 refuses with E4058 in national and WHO packages."""
    action = {"id": "pa000000001", "programRuleActionType": "HIDESECTION", "dataElement": {"id": "deNumber001"},
              "programStageSection": {"id": "psSection01"}}  # fmt: skip
    adapted = adapt(bundle_of({"programRuleActions": [action]}), facts.types("v42"))
    (body,) = adapted.bundle.objects["programRuleActions"].values()
    assert body.keys() == {"id", "programRuleActionType", "programStageSection"}


def test_what_was_renamed_is_moved_as_the_facts_of_the_version_say():
    chart = {"id": "viChart0001", "name": "C", "legendSet": {"id": "lsLegend001"}, "legendDisplayStyle": "FILL",
             "legend": {"hidden": True}, "relativePeriods": {"last12Months": True, "thisYear": False}}  # fmt: skip
    adapted = adapt(bundle_of({"visualizations": [chart]}), facts.types("v42"))
    (body,) = adapted.bundle.objects["visualizations"].values()
    assert body["legend"] == {"set": {"id": "lsLegend001"}, "style": "FILL"}
    assert body["seriesKey"] == {"hidden": True}
    assert body["rawPeriods"] == ["LAST_12_MONTHS"]
    assert all(one.type == "visualizations" for one in adapted.changes)


async def test_pk1_which_group_administers_it_is_never_guessed(session: Session, tmp_path: Path):
    """No answer is no consent: it is not taken for a new group, and the question says how others are named."""
    there = {"id": "ugThere0001", "name": "Administrators"}
    await session.client.post("metadata", {"userGroups": [there]})
    file = written(tmp_path, PACKAGE)
    session.person = somebody = Somebody(chooses="Administrators")
    report = await call(session, "metadata package plan", file=file)
    assert [(one.id, one.to) for one in report.mapped if one.by == "given"] == [("ugAdmin0001", "ugThere0001")]
    assert [str(about) for about in somebody.asked] == [
        "which group administers it: 'BCG admin' as a new one, or one that is there (of others: --map ugAdmin0001=NAME)?"
    ]
    session.person = Somebody(chooses="new")
    report = await call(session, "metadata package plan", file=file)
    assert [one.id for one in report.mapped if one.by == "given"] == []


async def test_pk3_an_object_whose_name_is_taken_is_one_decision_and_is_renamed(session: Session, tmp_path: Path):
    """The server refuses its name too, which is the same decision; the line that is proposed leaves out nothing."""
    taken = {**NEW, "shortName": "OPV"}
    group = {"id": "deGroup0009", "name": "All", "shortName": "All", "dataElements": [{"id": "deNumber009"}]}
    body = {"package": {"name": "BCG_AGG_V1", "code": "BCG"}, "dataElements": [taken], "dataElementGroups": [group]}
    file = written(tmp_path, body)
    plan = await planned(session, "metadata package install", file=file)
    report = plan.report
    assert isinstance(report, PackageReport)
    assert [one.about for one in report.decide] == [
        "dataElements 'New' [deNumber009]: its shortName is that of [deNumber002] there"
    ]
    assert str(plan.blocked and plan.blocked.hint).endswith("package.json --resolve deNumber009=rename")
    renamed = await planned(session, "metadata package install", file=file, resolve=["deNumber009=rename"])
    assert renamed.blocked is None
    bodies = {step.type: step.after for step in renamed.steps if step.after}
    assert bodies["dataElements"]["shortName"] == "OPV (BCG)"
    assert bodies["dataElementGroups"]["dataElements"] == [{"id": "deNumber009"}]


async def test_pk2_what_is_left_to_do_is_said_after_the_write_too(session: Session, tmp_path: Path):
    """Who says yes beforehand has not read the plan: what stays and differs, formulas that miss something, to-dos."""
    there = {**NEW, "id": "deForeign01", "name": "BCG, all", "shortName": "BCG, all", "code": "DE_1"}
    half = {"id": "inHalf00001", "name": "Half", "shortName": "Half", "numerator": "#{deNowhere01}", "denominator": "1",
            "indicatorType": {"id": "itNumber001"}}  # fmt: skip
    body = {
        "userGroups": [{"id": "ugAdmin0001", "name": "BCG admin"}],
        "dataElements": [NEW, there], "indicatorTypes": [{"id": "itNumber001", "name": "Of one", "factor": 1}],
        "indicators": [half],
    }  # fmt: skip
    summary = await call(session, "metadata package install", YES, file=written(tmp_path, body))
    said = render.text(summary)
    assert "  stays as it is: dataElements 'BCG doses given' [deNumber001]: " in said
    assert "  formula: deNowhere01 is missing in the expressions of indicators 'Half' [inHalf00001]" in said
    assert "  to do: 1 user group without members: BCG admin\n    dhis2 metadata add userGroups ugAdmin0001 " in said
    report: Any = summary.to_json()["report"]
    assert [one["id"] for one in report["kept"]] == ["deNumber001"]
    assert report["formulas"].keys() == {"deNowhere01"}
    assert [one["what"] for one in report["to_do"]] == ["1 user group without members: BCG admin"]


async def test_pk4_a_package_is_told_of_its_own_options_only(session: Session, tmp_path: Path):
    """`--deps` and `--with` bring objects into an export; a package has --map and --drop-dangling."""
    group = {"id": "deGroup0009", "name": "All", "shortName": "All", "dataElements": [{"id": "deNowhere01"}]}
    file = written(tmp_path, {"dataElementGroups": [group]})
    for drop in (False, True):
        plan = await planned(session, "metadata package install", file=file, drop_dangling=drop)
        assert "bring them too" not in render.text(plan)
        assert "deNowhere01" in render.text(plan)


@pytest.mark.parametrize("verb", ["package plan", "package install", "import", "merge-bundle"])
async def test_pk4_data_are_no_package(session: Session, tmp_path: Path, verb: str):
    file = written(tmp_path, {"dataValues": [{"dataElement": "deNumber001", "period": "202601", "value": "1"}]})
    with pytest.raises(
        UsageError, match=r"package\.json holds no metadata: 1 dataValues; nothing was written"
    ) as refused:
        await call(session, f"metadata {verb}", file=file)
    assert str(refused.value.hint).startswith("dhis2 data aggregate push")


# Packages as they are published -----------------------------------------------------------------------------------------


OF_RUNS = {"lastExecuted", "lastFinished", "lastAlive", "lastExecutedStatus"}
"""What housekeeping, which runs every twenty seconds, changes about its own job."""


SHARED_GROUP = {"id": "deGroup0009", "name": "All", "shortName": "All"}


async def _first(session: Session, folder: Path) -> None:
    body = {"dataElements": [NEW], "dataElementGroups": [{**SHARED_GROUP, "dataElements": [{"id": "deNumber009"}]}]}
    await call(session, "metadata package install", YES, file=written(folder, body, "first.json"))


def _second(folder: Path) -> Path:
    body = {"dataElementGroups": [{**SHARED_GROUP, "dataElements": [{"id": "deNumber001"}]}]}
    return written(folder, body, "second.json")


@pytest.mark.parametrize(("update", "lost", "member"), [(True, True, "deNumber009"), (False, False, "deNumber001")])
async def test_pk5_members_of_a_shared_group_that_go_or_do_not_come_are_named(
    session: Session, tmp_path: Path, update: bool, lost: bool, member: str
):
    await _first(session, tmp_path)
    file = _second(tmp_path)
    report = await call(session, "metadata package plan", file=file, update=update)
    assert isinstance(report, PackageReport)
    said = {(one.id, one.property, tuple(one.members), one.lost) for one in report.apart}
    assert (SHARED_GROUP["id"], "dataElements", (member,), lost) in said
    command = f"dhis2 metadata add dataElementGroups deGroup0009 {member} --property dataElements"
    assert f"  {command}" in report.line().splitlines()
    assert f"  {command}" in report.afterwards().splitlines()
    await call(session, "metadata package install", YES, file=file, update=update)
    await call(session, "metadata add", YES, type="dataElementGroups", uid="deGroup0009", items=[member])
    group = await session.client.get_object("dataElementGroups/deGroup0009", {"fields": "dataElements[id]"})
    assert {row["id"] for row in group["dataElements"]} == {"deNumber009", "deNumber001"}  # type: ignore[index,call-overload,union-attr]


async def test_pk6_sharing_that_contradicts_itself_and_what_everybody_may_change_are_said(
    session: Session, tmp_path: Path
):
    body = {"dataElements": [{**NEW, "publicAccess": "r-------", "sharing": {"public": "rw------", "userGroups": {}}}]}
    report = await call(session, "metadata package plan", file=written(tmp_path, body))
    assert isinstance(report, PackageReport)
    assert any(
        "(r-------) contradicts sharing.public (rw------), which is what is sent" in line
        for line in report.adapted_lines()
    )
    [todo] = [one for one in report.to_do if "everybody" in one.what]
    assert todo.what == "everybody may change 1 object of dataElements"
    assert todo.command == "dhis2 metadata share dataElements deNumber009 --public r"


def told(export: Any) -> dict[str, Any]:
    """An export without what every save changes."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: stripped(item) for name, item in value.items() if name not in VOLATILE | OF_RUNS}
        return sorted(map(stripped, value), key=repr) if isinstance(value, list) else value

    # a long deletion is a job of the server's, which stays in its list for a day
    jobs = [job for job in export.get("jobConfigurations", ()) if job.get("schedulingType") != "ONCE_ASAP"]
    held = {**export, "jobConfigurations": jobs}
    return {plural: stripped(items) for plural, items in held.items() if plural != "system" and items}


@pytest.fixture(scope="module")
def real_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox with the metadata of a real 2.42."""
    body = json.loads(gzip.decompress(shared("real", "v42", "metadata.json.gz").read_bytes()))
    return filled(tmp_path_factory.mktemp("real"), lambda store: load(store, body))


@pytest.fixture(params=["empty", "full"])
async def server(request: pytest.FixtureRequest, home: Path, real_database: Path) -> AsyncIterator[Session]:
    """A session on a sandbox that holds nothing, or the metadata of a real server."""
    if request.param == "full":
        holding(home, real_database)
    session = Session("sandbox")
    yield session
    await session.aclose()


DECISIONS: dict[str, set[str]] = {
    "codfr36": set(), "covac35": set(), "epi36": set(), "hiv36": set(), "htn": set(), "ke1": {"GVvGa7VW7x7"},
    "crvs36": {"zUesqxHbA7S", "RLPHpxE2hPP"}, "mal36": {"ltOchiGMdfn", "pubdYxdPL8f", "DJGoXYJGidL"},
}  # fmt: skip
"""What of each package only a person can decide: actions that send a template which is not there, groups of units, legends."""


@needs_shared
@pytest.mark.no_cover  # thousands of objects through the lines that the tests above have measured
@pytest.mark.parametrize("package", sorted(DECISIONS))
async def test_every_package_ends_in_a_plan_or_in_the_commands_that_make_one(server: Session, package: str):
    """The line that is proposed is followed word by word; then the server takes the whole package."""
    file = shared("real", "outside", "packages", f"{package}.json.gz")
    plan = await planned(server, "metadata package install", file=file)
    report = plan.report
    assert isinstance(report, PackageReport)
    assert len(report.decide) == len(DECISIONS[package])
    assert all(any(uid in one.about for one in report.decide) for uid in DECISIONS[package])
    if report.decide:
        assert isinstance(plan.blocked, Refused)
        words = str(plan.blocked.hint).partition(".json.gz ")[2].split()
        resolve = [word for before, word in pairwise(words) if before == "--resolve"]
        plan = await planned(
            server, "metadata package install", file=file, resolve=resolve, drop_dangling="--drop-dangling" in words
        )
    assert plan.blocked is None
    assert isinstance(plan.report, PackageReport)
    assert (plan.report.conflicts, plan.report.decide) == ([], [])
    assert sum(row.create for row in plan.report.types) == len(plan.steps) > 100


@needs_shared
@pytest.mark.no_cover  # thousands of objects through the lines that the tests above have measured
async def test_three_packages_are_installed_and_taken_back(server: Session):
    """Side by side they share categories and groups; after three undos the server is as it was."""
    before = told(await server.client.get_object("metadata", {"fields": ":owner"}))
    for package in ("htn", "ke1", "hiv36"):
        file = shared("real", "outside", "packages", f"{package}.json.gz")
        await call(server, "metadata package install", YES, file=file, drop_dangling=package == "ke1")
        again = await planned(server, "metadata package install", file=file, drop_dangling=package == "ke1")
        assert again.steps == []
    for _ in range(3):
        await call(server, "undo", YES)
    assert told(await server.client.get_object("metadata", {"fields": ":owner"})) == before


# Sheets as DHIS2 itself takes them --------------------------------------------------------------------------------------


async def test_o1_headers_of_the_csv_files_that_dhis2_imports(session: Session, tmp_path: Path):
    """`uid`, `aggregation operator`, `category combination uid`, `parent uid`, in any case."""
    sheet = tmp_path / "elements.csv"
    sheet.write_text(
        "Name,UID,Code,Short name,Domain type,Value type,Aggregation operator,Category combination UID\n"
        "BCG wasted,deNumber010,DE_10,BCG wasted,AGGREGATE,NUMBER,SUM,bjDvmb4bfuf\n"
    )
    plan = await planned(session, "metadata create", type="dataElements", from_=sheet)
    (step,) = plan.steps
    assert step.uid == "deNumber010"
    assert step.after is not None
    assert (step.after["aggregationType"], step.after["categoryCombo"]) == ("SUM", {"id": "bjDvmb4bfuf"})
    units = tmp_path / "units.csv"
    units.write_text(
        "name,uid,short name,opening date,parent uid\nNew CHC,ouNewUnit01,New CHC,2020-01-01,ouDistrict1\n"
    )
    (unit,) = (await planned(session, "metadata create", type="organisationUnits", from_=units)).steps
    assert unit.after is not None
    assert unit.after["parent"] == {"id": "ouDistrict1"}
    sheet.write_text("id,uid,name\ndeNumber010,deNumber011,BCG\n")
    with pytest.raises(UsageError, match="two columns say the id"):
        await planned(session, "metadata create", type="dataElements", from_=sheet)


LONG = """OptionSetName,OptionSetUID,OptionSetCode,OptionName,OptionUID,OptionCode
Color,,COLOR,Blue,,1
Color,,COLOR,Green,opGreen0001,2
Shape,osShape0001,,Round,,ROUND
"""


async def test_o1_option_sets_in_the_long_form(session: Session, tmp_path: Path):
    """A row for each option with its set before it, as DHIS2's own CSV files of option sets."""
    sheet = tmp_path / "sets.csv"
    sheet.write_text(LONG)
    plan = await planned(session, "metadata create", type="optionSets", from_=sheet)
    assert plan.title == "create 2 option sets with 3 options"
    await call(session, "metadata create", YES, type="optionSets", from_=sheet)
    shape = await session.client.get_object("optionSets/osShape0001", {"fields": "code,valueType,options[name,code]"})
    assert shape == {"valueType": "TEXT", "options": [{"name": "Round", "code": "ROUND"}]}
    green = await session.client.get_object(
        "options/opGreen0001", {"fields": "name,optionSet[name,code,options[name]]"}
    )
    names = [{"name": "Blue"}, {"name": "Green"}]
    assert green == {"name": "Green", "optionSet": {"name": "Color", "code": "COLOR", "options": names}}
    again = await planned(session, "metadata create", type="optionSets", from_=sheet, skip_existing=True)
    assert again.steps == []
    with pytest.raises(UsageError, match="is Color"):
        await planned(session, "metadata create", type="optionSets", from_=sheet)


GROUPED = """OptionGroupName,OptionGroupUID,OptionGroupCode,OptionGroupShortName,OptionSetUID,OptionUID,OptionCode
Round ones,ogRound0001,ROUNDS,Round,osShape0001,,ROUND
"""


async def test_o1_option_groups_in_the_long_form(session: Session, tmp_path: Path):
    """A row for each member with its group before it, as DHIS2's own CSV files of option groups."""
    (tmp_path / "sets.csv").write_text(LONG)
    await call(session, "metadata create", YES, type="optionSets", from_=tmp_path / "sets.csv")
    sheet = tmp_path / "groups.csv"
    sheet.write_text(GROUPED + "Colours,,,Colours,Color,opGreen0001,\nColours,,,Colours,Color,,1\n")
    await call(session, "metadata create", YES, type="optionGroups", from_=sheet)
    fields = "code,shortName,optionSet[id],options[code]"
    told = await session.client.get_object("optionGroups/ogRound0001", {"fields": fields})
    assert told == {
        "code": "ROUNDS", "shortName": "Round", "optionSet": {"id": "osShape0001"}, "options": [{"code": "ROUND"}],
    }  # fmt: skip
    query = {"filter": "name:eq:Colours", "fields": "options[name]"}
    [colours] = (await session.client.list_page("optionGroups", query)).rows
    assert {row["name"] for row in colours["options"]} == {"Blue", "Green"}
    again = await planned(session, "metadata create", type="optionGroups", from_=sheet, skip_existing=True)
    assert again.steps == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "Round ones,,OTHER,Round,osShape0001,,ROUND",
            "row 3 of groups.csv: the code of 'Round ones' is OTHER here, ROUNDS above",
        ),
        (
            "Round ones,,,,osShape0001,,SQUARE",
            "row 3 of groups.csv: the option set 'osShape0001' has no option 'SQUARE'",
        ),
        ("Other,,,,,,ROUND", "row 3 of groups.csv has no OptionSetUID"),
    ],
)
async def test_o1_a_member_of_an_option_group_that_is_wrong_is_named(
    session: Session, tmp_path: Path, line: str, says: str
):
    (tmp_path / "sets.csv").write_text(LONG)
    await call(session, "metadata create", YES, type="optionSets", from_=tmp_path / "sets.csv")
    (tmp_path / "groups.csv").write_text(f"{GROUPED}{line}\n")
    with pytest.raises(UsageError, match=re.escape(says)):
        await planned(session, "metadata create", type="optionGroups", from_=tmp_path / "groups.csv")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Color,,COLOUR,Red,,3", "row 5 of sets.csv: the code of 'Color' is COLOUR here, COLOR above"),
        ("Color,,COLOR,Red,,1", "rows 2 and 5 have the same option code '1'"),
        ("Color,,COLOR,Red,,", "row 5 of sets.csv has no OptionCode"),
        ("Color,,COLOR,Red,red,3", "row 5 of sets.csv: 'red' is no UID"),
    ],
)
async def test_o1_a_row_of_the_long_form_that_is_wrong_is_named(session: Session, tmp_path: Path, line: str, says: str):
    """DHIS2's own import leaves such rows out without a word."""
    (tmp_path / "sets.csv").write_text(LONG + line + "\n")
    with pytest.raises(UsageError, match=re.escape(says)):
        await planned(session, "metadata create", type="optionSets", from_=tmp_path / "sets.csv")


async def test_o1_constants_in_any_case(session: Session, tmp_path: Path):
    sheet = tmp_path / "elements.csv"
    sheet.write_text(
        "name,short name,domain type,value type,aggregation operator\nBCG wasted,BCG wasted,Aggregate,number,Sum\n"
    )
    (step,) = (await planned(session, "metadata create", type="dataElements", from_=sheet)).steps
    assert step.after is not None
    assert [step.after[name] for name in ("domainType", "valueType", "aggregationType")] == [
        "AGGREGATE",
        "NUMBER",
        "SUM",
    ]


async def test_o1_sides_of_validation_rules_and_geometries_of_units(session: Session, tmp_path: Path):
    sheet = tmp_path / "rules.csv"
    sheet.write_text(
        "Name,Importance,Operator,Period type,Left side expression,Left side description,Left side missing value strategy,"
        "Right side expression,Right side description,Right side missing value strategy\n"
        "Few,MEDIUM,less_than,monthly,1,one,Never skip,2,two,SKIP_IF_ALL_VALUES_MISSING\n"
    )
    (rule,) = (await planned(session, "metadata create", type="validationRules", from_=sheet)).steps
    assert rule.after is not None
    left = {"expression": "1", "description": "one", "missingValueStrategy": "NEVER_SKIP"}
    assert rule.after["leftSide"] == left
    sheet.write_text(
        "name,short name,opening date,parent uid,feature type,coordinates\n"
        'New CHC,New CHC,2020-01-01,ouDistrict1,POINT,"[-11.4,8.1]"\n'
        "Old CHC,Old CHC,2020-01-01,ouDistrict1,NONE,\n"
    )
    new, old = (await planned(session, "metadata create", type="organisationUnits", from_=sheet)).steps
    assert new.after is not None
    assert old.after is not None
    assert new.after["geometry"] == {"type": "Point", "coordinates": [-11.4, 8.1]}
    assert "geometry" not in old.after
    sheet.write_text(
        'name,short name,opening date,feature type,coordinates\nA,A,2020-01-01,POLYGON,"[[[1,1],[2,1],[2,2],[1,2]]]"\n'
    )
    with pytest.raises(UsageError, match="the outline is not closed"):
        await planned(session, "metadata create", type="organisationUnits", from_=sheet)


async def test_o1_files_of_members(session: Session, tmp_path: Path):
    """The UID of a group and of a member in each row; codes and names do as well."""
    sheet = tmp_path / "members.csv"
    sheet.write_text("Data element group UID,Data element UID\nVaccines,Remark\nVaccines,DE_1\nVaccines,Remark\n")
    arguments: dict[str, Any] = {"type": "dataElementGroups", "file": sheet}
    plan = await planned(session, "metadata add-members", **arguments)
    assert plan.title == "add 1 member to dataElements of 1 data element group"
    before = to_json(await call(session, "metadata members", type="dataElementGroups", uid="Vaccines"))
    await call(session, "metadata add-members", YES, **arguments)
    after = to_json(await call(session, "metadata members", type="dataElementGroups", uid="Vaccines"))
    assert {row["displayName"] for row in after} - {row["displayName"] for row in before} == {"Remark"}  # type: ignore[union-attr,index,call-overload]
    assert (await planned(session, "metadata add-members", **arguments)).steps == []
    for text, says in (
        ("a,b\nVaccines,Remark\n", "has the columns a, b"),
        ("group,member\nVaccines,\n", "row 2 of members.csv names not both"),
    ):
        sheet.write_text(text)
        with pytest.raises(UsageError, match=says):
            await planned(session, "metadata add-members", **arguments)
    sheet.write_text("group,member\nVaccines,Nix\n")
    with pytest.raises(NotFound, match="'Nix'"):
        await planned(session, "metadata add-members", **arguments)
    sheet.write_text("group,member\nSexes,M\n")
    with pytest.raises(UsageError, match="options belong to one option set alone"):
        await planned(session, "metadata add-members", type="optionSets", file=sheet)
