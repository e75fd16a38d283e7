"""What changes the meaning of data that are there is told before and after, and no counterpart of another meaning is taken unasked."""

import json
from pathlib import Path

import pytest

from dhis2sh.dhis2.properties import MEANING
from dhis2sh.errors import Refused, UsageError
from dhis2sh.metadata.bundles.bundle import Bundle
from dhis2sh.metadata.bundles.mapping import fit
from dhis2sh.metadata.bundles.meaning import changed_meaning
from dhis2sh.models import facts
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.metadata.calls import YES, call, planned

TYPES = facts.resources(facts.VERSIONS[-1])
PERCENT = {"id": "itPercent01", "name": "Percentage", "factor": 1000}
OTHER_PERCENT = {"id": "itPercent02", "name": "Percentage", "factor": 100}
RATE = {"id": "inRate00001", "name": "Rate", "shortName": "Rate", "numerator": "1", "denominator": "2",
        "indicatorType": {"id": "itPercent02"}}  # fmt: skip


@pytest.mark.parametrize(
    ("plural", "before", "after", "paths"),
    [
        ("indicatorTypes", {"factor": 1}, {"factor": 1000}, ["factor"]),
        ("indicators", {"numerator": "a", "denominator": "b"}, {"numerator": "b", "denominator": "a"}, ["denominator", "numerator"]),
        ("indicators", {"annualized": False}, {"annualized": True}, ["annualized"]),
        ("options", {"code": "1", "name": "A"}, {"code": "2", "name": "B"}, ["code"]),
        ("dataElements", {"zeroIsSignificant": False}, {"zeroIsSignificant": True}, ["zeroIsSignificant"]),
        ("dataElements", {}, {"zeroIsSignificant": False}, []),
        ("predictors", {"generator": {"expression": "1"}}, {"generator": {"expression": "2"}}, ["generator.expression"]),
        ("predictors", {"generator": {"expression": "1", "description": "A"}}, {"generator": {"expression": "1"}}, []),
        ("validationRules", {"leftSide": {"expression": "1"}, "operator": "x"},
         {"leftSide": {"expression": "2"}, "operator": "y"}, ["operator", "leftSide.expression"]),
        ("validationRules", {"rightSide": {"missingValueStrategy": "A"}}, {"rightSide": {"missingValueStrategy": "B"}},
         ["rightSide.missingValueStrategy"]),
        ("programIndicators", {"expression": "1", "filter": "a"}, {"expression": "2", "filter": "b"}, ["expression", "filter"]),
        ("organisationUnits", {"parent": {"id": "a", "name": "A"}}, {"parent": {"id": "a"}}, []),
        ("organisationUnits", {"parent": {"id": "a"}}, {"parent": {"id": "b"}}, ["parent"]),
        ("categories", {"categoryOptions": [{"id": "a"}, {"id": "b"}]}, {"categoryOptions": [{"id": "a"}]}, ["categoryOptions"]),
        ("categories", {"categoryOptions": [{"id": "a"}, {"id": "b"}]}, {"categoryOptions": [{"id": "b"}, {"id": "a"}]}, []),
        ("dataElements", {"name": "A", "formName": "B"}, {"name": "B", "formName": "C"}, []),
        ("constants", {"value": 1.0}, {"value": 2.0}, ["value"]),
        ("dataSets", {"dataSetElements": [{"dataElement": {"id": "a"}}]},
         {"dataSetElements": [{"dataElement": {"id": "a"}, "categoryCombo": {"id": "c"}}, {"dataElement": {"id": "b"}}]},
         ["dataSetElements.categoryCombo"]),
    ],
)  # fmt: skip
def test_what_changes_a_meaning(plural: str, before: JsonObject, after: JsonObject, paths: list[str]) -> None:
    assert [*changed_meaning(plural, before, after)] == paths


def test_every_path_that_changes_a_meaning_is_one_of_its_type() -> None:
    for plural, paths in MEANING.items():
        versions = [resources for version in facts.VERSIONS if plural in (resources := facts.resources(version))]
        known = {name for resources in versions for name in resources[plural].properties}
        assert {path.partition(".")[0] for path in paths} <= known, plural


def written(objects: JsonObject, name: str = "b.json") -> Path:
    path = Path(name)
    path.write_text(json.dumps(objects))
    return path


async def test_a_change_of_meaning_is_in_the_summary_of_what_is_written_without_a_question(session: Session) -> None:
    await call(session, "metadata import", YES, file=written({"indicatorTypes": [PERCENT]}))

    told = await call(session, "metadata import", YES, file=written({"indicatorTypes": [{**PERCENT, "factor": 1}]}))

    assert (
        told.note
        == "data that are there mean something else then: factor changes of Percentage [itPercent01] (1000 -> 1)"
    )


@pytest.mark.parametrize("strategy", ["create-and-update", "create", "update"])
async def test_a_counterpart_of_another_meaning_is_not_taken_unasked(session: Session, strategy: str) -> None:
    await call(session, "metadata import", YES, file=written({"indicatorTypes": [PERCENT]}))
    bundle = written({"indicatorTypes": [OTHER_PERCENT], "indicators": [RATE]})
    merge = {"file": bundle, "by": ["uid", "code", "name"], "strategy": strategy}

    with pytest.raises(Refused, match="factor: 1000 there, 100 in the bundle; it has the name of") as refused:
        await call(session, "metadata merge-bundle", YES, **merge)
    assert "--resolve itPercent02=map where it is the same; --resolve itPercent02=rename" in str(refused.value.hint)

    plan = await planned(session, "metadata merge-bundle", **merge, resolve=["itPercent02=map"])
    assert plan.blocked is None
    if strategy != "update":
        plan = await planned(session, "metadata merge-bundle", **merge, resolve=["itPercent02=rename"])
        assert plan.blocked is None
        assert {(step.action, step.uid) for step in plan.steps} == {
            ("create", "itPercent02"),
            ("create", "inRate00001"),
        }


async def test_a_hint_settles_all_only_where_it_was_tried(session: Session) -> None:
    """The code is one object's and the name another's: no order of keys helps, and nothing is both."""
    number = {"valueType": "NUMBER", "domainType": "AGGREGATE", "aggregationType": "SUM"}
    there = [
        {"id": "dePenta0001", "name": "Penta2", "shortName": "Penta2", "code": "P2", **number},
        {"id": "deSwapped01", "name": "Swapped 3", "shortName": "Swapped 3", "code": "P3", **number},
    ]
    await call(session, "metadata import", YES, file=written({"dataElements": there}))
    mine = {"id": "deForeign09", "name": "Penta2", "shortName": "Penta2", "code": "P3", **number}
    bundle = written({"dataElements": [mine]})

    for by in (["uid", "code", "name"], ["uid", "name", "code"], ["code"], ["name"]):
        for more in ({}, {"on_conflict": "map"}):
            with pytest.raises(
                UsageError, match=r"its name is that of \[dePenta0001\], its code is that of \[deSwapped01\]"
            ) as clash:
                await call(session, "metadata merge-bundle", YES, file=bundle, by=by, **more)
            hint = str(clash.value.hint)
            assert hint.startswith("--on-conflict rename or skip settles all; ")
            assert "--by" not in hint

    for way in ("rename", "skip"):
        plan = await planned(session, "metadata merge-bundle", file=bundle, by=["code", "name"], on_conflict=way)
        assert plan.blocked is None
        assert [(step.action, step.uid) for step in plan.steps] == (
            [("create", "deForeign09")] if way == "rename" else []
        )


def test_what_is_skipped_is_referred_to_by_nothing_in_its_place() -> None:
    """Its code is another one's there: a set that holds it would get that one."""
    body: JsonObject = {"id": "deForeign09", "name": "Penta2", "shortName": "Penta2", "code": "P3"}
    source = Bundle({"dataElements": {"deForeign09": body},
                     "dataElementGroups": {"degGroup001": {"id": "degGroup001", "name": "G",
                                                           "dataElements": [{"id": "deForeign09"}]}}})  # fmt: skip
    there = Bundle({"dataElements": {
        "dePenta0001": {"id": "dePenta0001", "name": "Penta2", "shortName": "Penta2", "code": "P2"},
        "deSwapped01": {"id": "deSwapped01", "name": "Swapped 3", "shortName": "Swapped 3", "code": "P3"},
    }})  # fmt: skip

    mapped = fit(source, there, TYPES, ("code", "name"), choose=lambda _: "skip")

    assert [clash.uid for clash in mapped.skipped] == ["deForeign09"]
    assert mapped.uids == {}
    assert mapped.bundle.objects["dataElementGroups"]["degGroup001"]["dataElements"] == [{"id": "deForeign09"}]
