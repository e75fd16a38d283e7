"""Each probe finds a fault that was put there, and is silent before; all are told in words, with a verb that there is."""

import copy
import shlex
from typing import Any

import pytest

from dhis2sh.checks import examining, formulas, mending, texts
from dhis2sh.checks.finding import Finding
from dhis2sh.checks.probing import PROBES
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import CheckFailed, NotFound, UsageError
from dhis2sh.person import Nobody
from dhis2sh.sandbox.instance.settings import Settings
from dhis2sh.session import Session
from dhis2sh.verbs.grammar import parse
from dhis2sh.verbs.registry import REGISTRY, load_all
from tests.metadata.calls import call, do, planned

OPEN = {"public": "rwrw----", "external": False, "users": {}, "userGroups": {}}
SHUT = {"public": "rw------", "external": False, "users": {}, "userGroups": {}}
ME = "usCheckMe01"


def named(uid: str, name: str, **more: Any) -> dict[str, Any]:
    return {"id": uid, "name": name, "displayName": name, "sharing": OPEN, **more}


ROUTE = {
    "url": "http://there.example/api",
    "disabled": False,
    "auth": {"type": "http-basic", "username": "a", "password": "b"},
}
SAMPLED: dict[str, Any] = {
    "shortName": "P", "periodType": "Monthly", "annualSampleCount": 0, "sequentialSampleCount": 3, "sequentialSkipCount": 0,
    "organisationUnitDescendants": "SELECTED", "output": {"id": "deVisits001"}, "organisationUnitLevels": [],
}  # fmt: skip
FAULTS: list[tuple[str, dict[str, list[dict[str, Any]]], str]] = [
    ("texts-with-spaces", {"legendSets": [named("lgCheck0001", "Two  spaces")]}, "lgCheck0001"),
    ("texts-with-unseen-characters", {"legendSets": [named("lgCheck0001", "Zero\u200bwidth")]}, "lgCheck0001"),
    ("codes-alike", {"legendSets": [named("lgCheck0001", "A", code="ab"), named("lgCheck0002", "B", code="AB")]}, "lgCheck0001"),
    ("names-alike", {"indicators": [named("inCheck0001", "Ill"), named("inCheck0002", "ILL")]}, "inCheck0002"),
    ("options-alike", {"optionSets": [named("osCheck0001", "Set", options=[{"id": "opCheck0001"}, {"id": "opCheck0002"}])],
                       "options": [named("opCheck0001", "Yes", code="yes", optionSet={"id": "osCheck0001"}),
                                   named("opCheck0002", "Yes ", code="YES", optionSet={"id": "osCheck0001"})]}, "osCheck0001"),
    ("legends-overlap", {"legendSets": [named("lgCheck0001", "L", legends=[
        {"id": "leCheck0001", "name": "a", "startValue": 0, "endValue": 10},
        {"id": "leCheck0002", "name": "b", "startValue": 5, "endValue": 20}])]}, "lgCheck0001"),
    ("legends-with-gaps", {"legendSets": [named("lgCheck0001", "L", legends=[
        {"id": "leCheck0001", "name": "a", "startValue": 0, "endValue": 10},
        {"id": "leCheck0002", "name": "b", "startValue": 11, "endValue": 20}])]}, "lgCheck0001"),
    ("legend-sets-empty", {"legendSets": [named("lgCheck0001", "L", legends=[])]}, "lgCheck0001"),
    *((f"sharing-with-unknown-{place}", {"legendSets": [named("lgCheck0001", "L", legends=[]) | {"sharing": {
        **OPEN, key: {"goneCheck01": {"id": "goneCheck01", "access": "rw------"}}}}]}, "lgCheck0001")
      for place, key in (("users", "users"), ("groups", "userGroups"))),
    ("denominators-of-zero", {"indicators": [named("inCheck0001", "I", numerator="1", denominator="0")]}, "inCheck0001"),
    ("expressions-naming-what-is-gone",
     {"indicators": [named("inCheck0001", "I", numerator="#{deNoSuchOne}", denominator="1")]}, "inCheck0001"),
    (formulas.PREDICTORS,
     {"predictors": [named("prCheck0001", "P", generator={"expression": "AVG(#{deNoSuchOne})"}, **SAMPLED)]}, "prCheck0001"),
    ("predictors-without-levels", {"predictors": [named("prCheck0001", "P")]}, "prCheck0001"),
    ("programs-without-units", {"programs": [named("pgCheck0001", "P")]}, "pgCheck0001"),
    ("programs-without-stages", {"programs": [named("pgCheck0001", "P")]}, "pgCheck0001"),
    ("programs-nobody-may-enter", {"programs": [named("pgCheck0001", "P") | {"sharing": SHUT}]}, "pgCheck0001"),
    ("data-sets-nobody-may-enter", {"dataSets": [named("dsCheck0001", "D") | {"sharing": SHUT}]}, "dsCheck0001"),
    ("tracker-programs-nothing-listed", {"programs": [named("pgCheck0001", "P", programType="WITH_REGISTRATION")]}, "pgCheck0001"),
    ("stages-without-elements", {"programStages": [named("psCheck0001", "S")]}, "psCheck0001"),
    ("elements-outside-sections", {
        "dataSets": [named("dsCheck0001", "D", formType="SECTION", sections=[{"id": "seCheck0001"}],
                           dataSetElements=[{"dataElement": {"id": "deCheck0001"}}])],
        "sections": [named("seCheck0001", "S", dataSet={"id": "dsCheck0001"}, dataElements=[])],
        "dataElements": [named("deCheck0001", "E")]}, "dsCheck0001"),
    ("sections-with-others-elements", {
        "dataSets": [named("dsCheck0001", "D", formType="SECTION", sections=[{"id": "seCheck0001"}], dataSetElements=[])],
        "sections": [named("seCheck0001", "S", dataSet={"id": "dsCheck0001"}, dataElements=[{"id": "deCheck0001"}])],
        "dataElements": [named("deCheck0001", "E")]}, "seCheck0001"),
    ("custom-forms-with-others-elements", {
        "dataSets": [named("dsCheck0001", "D", formType="CUSTOM", dataSetElements=[], dataEntryForm={"id": "dfCheck0001"})],
        "dataEntryForms": [named("dfCheck0001", "F", htmlCode='<input id="deCheck0001-HllvX50cXC0-val"/>')]}, "dsCheck0001"),
    ("input-periods-all-over", {"dataSets": [named("dsCheck0001", "D", dataInputPeriods=[
        {"period": {"id": "202001"}, "closingDate": "2020-03-01T00:00:00.000"}])]}, "dsCheck0001"),
    ("rules-naming-no-variable", {
        "programs": [named("pgCheck0001", "P")],
        "programRules": [named("ruCheck0001", "R", program={"id": "pgCheck0001"}, condition="#{nothing} > 1")]}, "ruCheck0001"),
    ("rule-variables-unused", {
        "programs": [named("pgCheck0001", "P")],
        "programRuleVariables": [named("rvCheck0001", "nobody", program={"id": "pgCheck0001"})]}, "rvCheck0001"),
    ("charts-without-data", {"visualizations": [named("viCheck0001", "V", dataDimensionItems=[], columnDimensions=["dx"])]}, "viCheck0001"),
    ("dashboard-items-empty", {"dashboards": [named("daCheck0001", "D", dashboardItems=[
        {"id": "diCheck0001", "type": "VISUALIZATION"}])]}, "daCheck0001"),
    ("units-opening-in-future", {"organisationUnits": [named("ouCheck0001", "U", openingDate="2199-01-01T00:00:00.000")]},
     "ouCheck0001"),
    ("superusers-quiet", {"users": [named(ME, "Old", username="old", disabled=False, created="2020-01-01T00:00:00.000",
                                          lastLogin="2020-06-01T00:00:00.000", userRoles=[{"id": "@super"}])]}, ME),
    ("accounts-without-units", {"users": [named(ME, "Old", username="old", disabled=False)]}, ME),
    ("accounts-without-email", {"users": [named(ME, "Old", username="old", disabled=False)]}, ME),
    ("accounts-expired-but-enabled", {"users": [named(ME, "Old", username="old", disabled=False,
                                                      accountExpiry="2020-01-01T00:00:00.000")]}, ME),
    ("usernames-alike", {"users": [named(ME, "Old", username="ADMIN", disabled=False)]}, ME),
    ("routes-in-the-clear", {"routes": [named("roCheck0001", "R", code="r", **ROUTE)]}, "roCheck0001"),
    ("jobs-failed", {"jobConfigurations": [named("jbCheck0001", "J", jobType="TEST", enabled=True,
        schedulingType="CRON", lastExecutedStatus="FAILED", lastExecuted="2026-01-01T00:00:00.000")]}, "jbCheck0001"),
    ("jobs-enabled-never-run", {"jobConfigurations": [named("jbCheck0001", "J", jobType="TEST", enabled=True,
        schedulingType="CRON")]}, "jbCheck0001"),
    ("sharing-external", {"legendSets": [named("lgCheck0001", "L") | {"sharing": {**OPEN, "external": True}}]}, "lgCheck0001"),
    ("sharing-public-edit", {"legendSets": [named("lgCheck0001", "L")]}, "lgCheck0001"),
    ("owners-gone", {"legendSets": [named("lgCheck0001", "L") | {"sharing": {**OPEN, "owner": "usGoneOwn01"}}]}, "lgCheck0001"),
    ("groups-of-nobody", {"userGroups": [named("ugCheck0001", "G", users=[])]}, "ugCheck0001"),
]  # fmt: skip


def put(s: Session, objects: dict[str, list[dict[str, Any]]]) -> None:
    store = s.sandbox_store()
    roles = store.objects("userRoles")
    super_ = next(uid for uid, body in roles.items() if "ALL" in body.get("authorities", []))
    objects = copy.deepcopy(objects)
    for user in objects.get("users", []):
        user["userRoles"] = [{"id": super_}] if user.get("userRoles") else []
    store.put_objects(objects)


async def found(s: Session, name: str) -> list[Finding]:
    return (await examining.probed(s, PROBES[name].area, [name])).findings


@pytest.mark.parametrize(("name", "objects", "uid"), FAULTS, ids=[fault[0] for fault in FAULTS])
async def test_a_probe_finds_what_was_put_there(
    s: Session, name: str, objects: dict[str, list[dict[str, Any]]], uid: str
):
    before = {one.id for one in await found(s, name)}
    assert uid not in before
    put(s, objects)
    (one,) = [one for one in await found(s, name) if one.id == uid]
    assert one.severity == PROBES[name].severity and one.what and one.fix.startswith("dhis2 ")
    assert not {mark for mark in "<>" if mark in one.fix}


def test_every_probe_says_what_why_and_by_which_verb():
    load_all()
    assert len(PROBES) >= 30
    for probe in PROBES.values():
        assert probe.about and probe.reason.endswith("."), probe.name
        assert probe.verb in REGISTRY, (probe.name, probe.verb)


async def test_every_command_is_one_that_there_is(s: Session):
    """No placeholder, no verb that is not there: each line of a finding is understood by the grammar."""
    for _, objects, _ in FAULTS:
        put(s, objects)
    for area in ("metadata", "server"):
        for one in (await examining.probed(s, area)).findings:
            assert parse(shlex.split(one.fix)[1:]) is not None, one.fix


async def test_who_may_not_see_everything_is_not_told_that_something_is_missing(s: Session):
    put(s, {"programs": [named("pgCheck0001", "P")]})
    me = await s.client.system.me()
    me.authorities = ["F_METADATA_EXPORT"]
    examined = await examining.probed(s, "metadata")
    assert "programs-without-stages" not in examined.counts
    assert any("you may not see all objects" in text and "programs-without-stages" in text for text in examined.left)


def test_texts_are_cleaned_of_what_nobody_sees_and_of_nothing_else():
    assert texts.without_spaces("  a  b ") == "a b"
    assert texts.without_unseen("a\tb\u200b") == "a b"
    kept = "می\u200cخواهم"  # a joiner that the script needs
    assert texts.without_unseen(kept) == kept
    assert texts.without_unseen("two  spaces") == "two  spaces"
    assert formulas.lowered("AVG(#{Sum01234567}) + SUM (x)") == "avg(#{Sum01234567}) + sum(x)"


async def test_what_can_be_mended_is_one_plan_and_undone(s: Session):
    put(s, {"legendSets": [named("lgCheck0001", "Two  spaces", code="A\tB", legends=[])]})
    plan = await planned(s, "doctor fix", checks=[texts.SPACES, texts.UNSEEN])
    (step,) = [step for step in plan.steps if step.uid == "lgCheck0001"]
    assert (step.after or {}) == {"name": "Two spaces", "code": "A B"}
    await do(s, "doctor fix", checks=[texts.SPACES, texts.UNSEEN])
    assert await found(s, texts.SPACES) == [] and await found(s, texts.UNSEEN) == []
    await do(s, "undo")
    assert s.sandbox_store().objects("legendSets")["lgCheck0001"]["name"] == "Two  spaces"


@pytest.mark.parametrize("name", [name for name in mending.MENDS if name in {fault[0] for fault in FAULTS}])
async def test_every_mend_leaves_nothing_to_be_found(s: Session, name: str):
    objects, uid = next((objects, uid) for check, objects, uid in FAULTS if check == name)
    put(s, objects)
    assert uid in {one.id for one in await found(s, name)}
    done = await do(s, "doctor fix", checks=[name])
    assert done.updated + done.deleted >= 1 and all(map(is_uid, done.uids))
    assert await found(s, name) == []


@pytest.mark.parametrize("name", ["legend-sets-empty", "sections-with-others-elements", "groups-of-nobody"])
async def test_what_a_mend_took_away_comes_back(s: Session, name: str):
    objects, uid = next((objects, uid) for check, objects, uid in FAULTS if check == name)
    put(s, objects)
    await do(s, "doctor fix", checks=[name])
    await do(s, "undo")
    assert uid in {one.id for one in await found(s, name)}


UNSAFE = {
    "passwords-short": ("minPasswordLength", "4"), "sign-in-not-locked": ("keyLockMultipleFailedLogins", "false"),
    "self-registration-unguarded": ("keySelfRegistrationNoRecaptcha", "true"),
}  # fmt: skip
"""What each check of a setting finds."""


async def test_objects_accounts_and_settings_are_mended_in_one_plan_and_one_undo_takes_all_back(s: Session):
    put(s, next(objects for check, objects, _ in FAULTS if check == "superusers-quiet"))
    put(s, {"legendSets": [named("lgCheck0001", "Two  spaces", legends=[])]})
    kept = Settings(s.sandbox_store())
    for name, value in UNSAFE.values():
        kept.set(name, value)
    checks = [*UNSAFE, "superusers-quiet", texts.SPACES]
    before = {name: await found(s, name) for name in checks}
    assert all(before.values())
    plan = await planned(s, "doctor fix", checks=checks)
    assert plan.title.startswith("mend 5 objects: ")
    await do(s, "doctor fix", checks=checks)
    assert [name for name in checks if await found(s, name)] == []
    await do(s, "undo")
    assert [name for name in checks if not await found(s, name)] == []


async def test_a_setting_is_asked_for_and_set_by_nobody_who_was_not_asked(s: Session):
    Settings(s.sandbox_store()).set(*UNSAFE["passwords-short"])
    s.person = Nobody()
    assert not [step for step in (await planned(s, "doctor fix")).steps if step.type == "settings"]
    plan, walker = await walked(s, passwords_short="mend")
    assert [about for about in walker.asked if about.startswith("passwords-short: ")] == [
        "passwords-short: passwords of 4 characters are taken. Take none of fewer than 8 characters?"
    ]
    assert [(step.uid, step.after) for step in plan.steps] == [("minPasswordLength", {"value": 8})]


async def test_ones_own_account_is_left(s: Session, monkeypatch: pytest.MonkeyPatch):
    """Who signs in with a token never signs in as a server counts it."""
    put(s, next(objects for check, objects, _ in FAULTS if check == "superusers-quiet"))
    mine = (await s.client.system.me()).id
    one = mending.Found("never signed in", "dhis2 user disable", "users", mine, "admin")
    read = examining.found_by

    async def also_me(look: Any, probes: Any) -> Any:
        found_, left = await read(look, probes)
        return {name: [*some, one] for name, some in found_.items()}, left

    monkeypatch.setattr(examining, "found_by", also_me)
    plan = await planned(s, "doctor fix", checks=["superusers-quiet"])
    assert [step.uid for step in plan.steps] == [ME]
    assert "your own account is left as it is: somebody else may disable it" in plan.notes


def test_every_mend_has_a_fault_that_it_is_tried_on():
    assert mending.MENDS.keys() <= {fault[0] for fault in FAULTS} | UNSAFE.keys()


class Walker(Nobody):
    """Somebody who answers the questions of a walk; a question too many fails."""

    def __init__(self, **answers: str) -> None:
        super().__init__()
        self.answers, self.asked, self.notes = answers, list[str](), list[str]()

    def note(self, message: str) -> None:
        self.notes.append(message)

    async def choose(self, about: str, words: Any, *, none: bool = True) -> str | None:
        self.asked.append(about)
        return next((word for part, word in self.answers.items() if part.replace("_", "-") in about), "leave")


async def walked(s: Session, again: bool = False, **answers: str) -> tuple[Any, Walker]:
    walker = Walker(**answers)
    s.person = walker
    return await planned(s, "doctor fix", again=again), walker


BOTH = {"legendSets": [named("lgCheck0001", "Two  spaces", legends=[]), named("lgCheck0002", "Empty", legends=[])]}


async def test_a_walk_asks_the_worst_first_and_plans_what_was_said(s: Session):
    put(s, BOTH)
    plan, walker = await walked(s, texts_with_spaces="mend", lgCheck0002="mend", legend_sets_empty="each")
    ours = {(step.action, step.uid) for step in plan.steps}
    assert ours == {("update", "lgCheck0001"), ("delete", "lgCheck0002")}
    checks = [about.partition(":")[0] for about in walker.asked]
    assert checks.index("texts-with-spaces") < checks.index("legend-sets-empty"), "a warning before what is only said"
    assert [about for about in walker.asked if "[lgCheck0002]: no legend. Delete it?" in about]


async def test_what_was_left_is_not_asked_again_and_a_stopped_walk_goes_on(s: Session):
    put(s, BOTH)
    plan, walker = await walked(s, texts_with_spaces="stop")
    assert (list(plan.steps), [about for about in walker.asked if "legend-sets-empty" in about]) == ([], [])
    _, walker = await walked(s)
    assert {"texts-with-spaces", "legend-sets-empty"} <= {about.partition(":")[0] for about in walker.asked}
    _, walker = await walked(s)
    assert walker.asked == [], "all of it was left"
    assert any(note.endswith("were left before: dhis2 doctor fix --again  asks of them too") for note in walker.notes)
    _, walker = await walked(s, again=True)
    assert "texts-with-spaces" in {about.partition(":")[0] for about in walker.asked}


async def test_what_only_a_person_can_put_right_is_named_at_the_end(s: Session):
    put(s, next(objects for check, objects, _ in FAULTS if check == "legends-overlap"))
    _, walker = await walked(s)
    assert any("only a person can put right" in note and "legends-overlap" in note for note in walker.notes)


async def test_where_nobody_can_be_asked_nothing_is_deleted(s: Session):
    put(s, BOTH)
    s.person = Nobody()
    plan = await planned(s, "doctor fix")
    assert {step.action for step in plan.steps} == {"update"}
    assert "lgCheck0001" in {step.uid for step in plan.steps}


async def test_what_only_a_person_can_decide_is_not_mended(s: Session):
    assert "legends-overlap" not in mending.MENDS
    with pytest.raises(UsageError, match="only a person can put right"):
        await planned(s, "doctor fix", checks=["legends-overlap"])
    with pytest.raises(NotFound, match="there is no check 'legend-overlap'"):
        await planned(s, "doctor fix", checks=["legend-overlap"])


async def test_a_check_for_machines_ends_with_8(s: Session):
    put(s, next(objects for check, objects, _ in FAULTS if check == "legends-overlap"))
    with pytest.raises(CheckFailed, match="are severe or worse") as failed:
        await call(s, "doctor metadata", fail_on="severe")
    assert failed.value.exit_code == 8
    assert len(await call(s, "doctor metadata", checks=["legends-overlap"], fail_on="critical")) == 1
