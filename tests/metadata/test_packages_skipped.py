"""What is skipped takes its parts with it; what a server would not take without it is named, with one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import Refused
from dhis2sh.metadata.bundles.report import PackageReport
from dhis2sh.session import Session
from tests.metadata.calls import YES, call, planned
from tests.metadata.conftest import NEW

COMBO = {
    "id": "ccAge000001",
    "name": "Age",
    "dataDimensionType": "DISAGGREGATION",
    "categories": [{"id": "caAge000001"}],
}
BODY: dict[str, Any] = {
    "categoryOptions": [{"id": "coYoung0001", "name": "Young", "shortName": "Young"}],
    "categories": [{"id": "caAge000001", "name": "Age", "shortName": "Age", "dataDimensionType": "DISAGGREGATION",
                    "categoryOptions": [{"id": "coYoung0001"}]}],
    "categoryCombos": [COMBO],
    "categoryOptionCombos": [{"id": "ocYoung0001", "name": "Young", "categoryCombo": {"id": "ccAge000001"},
                              "categoryOptions": [{"id": "coYoung0001"}]}],
    "dataElements": [{**NEW, "categoryCombo": {"id": "ccAge000001"}},
                     {**NEW, "id": "deNumber008", "name": "Other", "shortName": "Other"}],
    "dataElementGroups": [{"id": "deGroup0009", "name": "All", "shortName": "All",
                           "dataElements": [{"id": "deNumber009"}, {"id": "deNumber008"}]}],
    "programs": [{"id": "pgVisits001", "name": "Visits", "shortName": "Visits", "programType": "WITHOUT_REGISTRATION"}],
    "programStages": [{"id": "psVisit0001", "name": "Visit", "program": {"id": "pgVisits001"}}],
    "programRules": [{"id": "prVisit0001", "name": "Hide", "condition": "true", "program": {"id": "pgVisits001"},
                      "programRuleActions": [{"id": "paVisit0001"}]}],
    "programRuleActions": [{"id": "paVisit0001", "programRuleActionType": "HIDEPROGRAMSTAGE", "programStage": {"id": "psVisit0001"}, "programRule": {"id": "prVisit0001"}}],
}  # fmt: skip


def written(folder: Path, body: object = BODY) -> Path:
    path = folder / "package.json"
    path.write_text(json.dumps(body))
    return path


async def test_what_cannot_be_without_it_is_named_with_one_command(session: Session, tmp_path: Path):
    file = written(tmp_path)
    plan = await planned(session, "metadata package install", file=file, resolve=["ccAge000001=skip"])
    assert isinstance(plan.blocked, Refused)
    report = plan.report
    assert isinstance(report, PackageReport)
    [one] = report.decide
    assert "1 object of the package cannot be without what is skipped: dataElements 'New' categoryCombo" in one.about
    assert one.commands[0].endswith("--resolve ccAge000001=skip --resolve deNumber009=skip")
    assert str(plan.blocked.hint).endswith("--resolve ccAge000001=skip --resolve deNumber009=skip")
    assert report.skipped == [
        "categoryCombos 'Age' [ccAge000001]", "categoryOptionCombos 'Young' [ocYoung0001], with its whole",
    ]  # fmt: skip
    both = await planned(
        session, "metadata package install", file=file, resolve=["ccAge000001=skip", "deNumber009=skip"]
    )
    assert both.blocked is None
    bodies = {step.uid: step.after for step in both.steps if step.after}
    assert not {"ccAge000001", "ocYoung0001", "deNumber009"} & bodies.keys()
    assert bodies["deGroup0009"]["dataElements"] == [{"id": "deNumber008"}]


async def test_a_program_goes_with_its_stages_and_rules(session: Session, tmp_path: Path):
    plan = await planned(session, "metadata package install", file=written(tmp_path), resolve=["Visits=skip"])
    assert plan.blocked is None
    assert not {step.type for step in plan.steps} & {"programs", "programStages", "programRules", "programRuleActions"}
    assert len(plan.report.skipped) == 4  # type: ignore[union-attr]


@pytest.mark.parametrize("update", [False, True])
async def test_what_the_server_has_is_referred_to_all_the_same(session: Session, tmp_path: Path, update: bool):
    """Skipping leaves what is there as it is; it does not take it out of groups and data sets."""
    await call(session, "metadata package install", YES, file=written(tmp_path))
    changed = {**BODY, "dataElements": [{**BODY["dataElements"][0], "name": "Newer"}, BODY["dataElements"][1]]}
    plan = await planned(
        session,
        "metadata package install",
        file=written(tmp_path, changed),
        resolve=["deNumber009=skip"],
        update=update,
    )
    assert (plan.blocked, plan.steps) == (None, [])


@pytest.mark.parametrize("options", [{}, {"drop_dangling": True}, {"atomic": "none"}])
async def test_a_rule_whose_program_is_nowhere_is_refused_before_a_server_breaks_off(
    session: Session, tmp_path: Path, options: dict[str, Any]
):
    """A server that is asked to look at one answers 500 with a null of Java's."""
    rule = {"id": "prNowhere01", "name": "Hide", "condition": "true", "program": {"id": "pgNowhere01"}}
    file = written(tmp_path, {"programRules": [rule], "dataElements": [NEW]})
    plan = await planned(session, "metadata import", file=file, **options)
    assert "programRules 'Hide' [prNowhere01]: its program pgNowhere01 is neither" in str(plan.blocked)
    assert "--map FROM=NAME" in str(plan.blocked and plan.blocked.hint)  # type: ignore[attr-defined]
    if "atomic" not in options:
        packed = await planned(session, "metadata package install", file=file, **options)
        assert isinstance(packed.report, PackageReport)
        assert len(packed.report.decide) == 1
