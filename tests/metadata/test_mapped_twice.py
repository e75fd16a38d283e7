"""One object is one counterpart: a given one is never replaced, and no counterpart stands for two objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.session import Session
from tests.metadata.calls import DRY, YES, call, planned

NUMBER = {"valueType": "NUMBER", "domainType": "AGGREGATE", "aggregationType": "SUM"}
BEDS = {"id": "tgtDeBeds01", "name": "Beds there", "shortName": "Beds there", "code": "BEDS_T", **NUMBER}
CASES = {"id": "tgtDeCase01", "name": "Cases", "shortName": "Cases", "code": "BEDS", **NUMBER}
MINE = {"id": "srcDeBeds01", "name": "Beds", "shortName": "Beds", "code": "BEDS", **NUMBER}
VERBS = ["metadata merge-bundle", "metadata package install"]


def written(objects: dict[str, Any], name: str = "b.json") -> Path:
    path = Path(name)
    path.write_text(json.dumps(objects))
    return path


def options_of(verb: str, bundle: Path, **more: Any) -> dict[str, Any]:
    own = {"update": True} if "package" in verb else {"by": ["uid", "code", "name"]}
    return {"file": bundle, **own, **more}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_given_counterpart_is_never_replaced_by_another(session: Session, verb: str) -> None:
    await call(session, "metadata import", YES, file=written({"dataElements": [BEDS, CASES]}))
    bundle = written({"dataElements": [MINE]})
    given = {"map": ["srcDeBeds01=tgtDeBeds01"]}

    with pytest.raises(UsageError, match=r"--map srcDeBeds01=tgtDeBeds01 and --resolve srcDeBeds01=map say two") as two:
        await planned(session, verb, **options_of(verb, bundle, **given, resolve=["srcDeBeds01=map"]))
    assert "its code is that of [tgtDeCase01] there" in str(two.value)
    assert "--resolve srcDeBeds01=rename or srcDeBeds01=skip beside that --map" in str(two.value.hint)

    renamed = await planned(session, verb, **options_of(verb, bundle, **given, resolve=["srcDeBeds01=rename"]))
    assert renamed.blocked is None
    assert [(step.action, step.uid) for step in renamed.steps] == [("update", "tgtDeBeds01")]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("more", [{}, {"on_conflict": "map"}])
async def test_no_hint_offers_another_counterpart_than_the_given(session: Session, verb: str, more: Any) -> None:
    await call(session, "metadata import", YES, file=written({"dataElements": [BEDS, CASES]}))
    options = options_of(verb, written({"dataElements": [MINE]}), map=["srcDeBeds01=tgtDeBeds01"], **more)

    if "package" in verb:
        plan = await planned(session, verb, **options)
        [decision] = plan.report.decide  # type: ignore[union-attr]
        about, offered = decision.about, " ".join(decision.ways)
    else:
        with pytest.raises(UsageError) as refused:
            await call(session, verb, DRY, **options)
        about, offered = str(refused.value), str(refused.value.hint)

    assert about.endswith("its code is that of [tgtDeCase01] there, and --map says that it is [tgtDeBeds01]")
    assert "rename" in offered
    assert "map" not in offered


# Two objects onto one ---------------------------------------------------------------------------------------------------

THERE = {"id": "tgtDeOne001", "name": "Doses", "shortName": "Doses", "code": "DOSES", **NUMBER}
BY_CODE = {"id": "srcDeCode01", "name": "Doses given", "shortName": "Doses given", "code": "DOSES", **NUMBER}
BY_NAME = {"id": "srcDeName01", "name": "Doses", "shortName": "Doses in all", "code": "DOSES_2", **NUMBER}
TYPE = {"id": "itOne000001", "name": "One", "factor": 1}
SUM = {"id": "inSum000001", "name": "Sum", "shortName": "Sum", "numerator": "#{srcDeCode01}+#{srcDeName01}",
       "denominator": "1", "indicatorType": {"id": "itOne000001"}}  # fmt: skip


async def _two_for_one(session: Session) -> Path:
    await call(session, "metadata import", YES, file=written({"dataElements": [THERE], "indicatorTypes": [TYPE]}))
    return written({"dataElements": [BY_CODE, BY_NAME], "indicatorTypes": [TYPE], "indicators": [SUM]})


@pytest.mark.parametrize("more", [{}, {"strategy": "create"}, {"strategy": "update"}, {"on_conflict": "map"}])
async def test_a_merge_makes_no_one_object_of_two(session: Session, more: Any) -> None:
    bundle = await _two_for_one(session)
    options = options_of("merge-bundle", bundle, **more)

    with pytest.raises(UsageError) as refused:
        await planned(session, "metadata merge-bundle", **options)
    assert str(refused.value) == (
        "dataElements 'Doses given' [srcDeCode01] (by code) and 'Doses' [srcDeName01] (by name) would be one object there: "
        "'Doses' [tgtDeOne001]; nothing was written"
    )
    assert refused.value.hint == "--resolve srcDeName01=rename"

    plan = await planned(session, "metadata merge-bundle", **options, resolve=["srcDeName01=rename"])
    assert plan.blocked is None
    if "strategy" not in more:
        formula = next(step.after for step in plan.steps if step.type == "indicators")
        assert (formula or {})["numerator"] == "#{tgtDeOne001}+#{srcDeName01}"


@pytest.mark.parametrize("update", [False, True])
async def test_a_package_makes_no_one_object_of_two(session: Session, update: bool) -> None:
    bundle = await _two_for_one(session)
    options = {"file": bundle, "update": update}

    plan = await planned(session, "metadata package install", **options)
    assert plan.blocked is not None
    assert "[srcDeCode01] (by code) and 'Doses' [srcDeName01] (by name) would be one object" in str(plan.blocked)

    for way in ("rename", "skip"):
        plan = await planned(session, "metadata package install", **options, resolve=[f"srcDeName01={way}"])
        assert not any("would be one object" in one.about for one in plan.report.decide), way  # type: ignore[union-attr]


@pytest.mark.parametrize("verb", ["metadata import", *VERBS])
async def test_nobody_says_that_two_objects_are_one(session: Session, verb: str) -> None:
    bundle = await _two_for_one(session)
    pairs = ["srcDeCode01=tgtDeOne001", "Doses=tgtDeOne001"]
    options = {"file": bundle, "map": pairs}

    with pytest.raises(UsageError, match=r"\[srcDeCode01\] and \[srcDeName01\] would be one object there") as refused:
        await planned(session, verb, **options)
    assert refused.value.hint == "leave --map Doses=tgtDeOne001 out"


@pytest.mark.parametrize("verb", ["metadata import", *VERBS])
async def test_an_object_is_not_said_to_be_another_of_its_bundle(session: Session, verb: str) -> None:
    await _two_for_one(session)
    bundle = written({"dataElements": [THERE, BY_CODE]})

    with pytest.raises(
        UsageError, match=r"'Doses' \[tgtDeOne001\] \(by uid\) and 'Doses given' \[srcDeCode01\]"
    ) as two:
        await planned(session, verb, file=bundle, map=["srcDeCode01=tgtDeOne001"])
    assert two.value.hint == "leave --map srcDeCode01=tgtDeOne001 out"


async def test_two_that_lack_unique_names_are_told_apart(session: Session) -> None:
    """Names of charts may be shared: nothing clashes, and `rename` says that it is another all the same."""
    chart = {"name": "BCG", "type": "COLUMN"}
    await call(session, "metadata import", YES, file=written({"visualizations": [{"id": "viThere0001", **chart}]}))
    bundle = written({"visualizations": [{"id": "viSource001", **chart}, {"id": "viSource002", **chart}]})
    options = options_of("merge-bundle", bundle)

    with pytest.raises(UsageError, match=r"\[viSource001\] \(by name\) and 'BCG' \[viSource002\]") as refused:
        await planned(session, "metadata merge-bundle", **options)
    assert refused.value.hint == "--resolve viSource002=rename"
    plan = await planned(session, "metadata merge-bundle", **options, resolve=["viSource002=rename"])
    assert ("create", "viSource002") in {(step.action, step.uid) for step in plan.steps}


@pytest.mark.parametrize("verb", ["metadata import", *VERBS])
async def test_another_name_is_another_meaning_of_what_was_mapped(session: Session, verb: str) -> None:
    await _two_for_one(session)
    bundle = written({"dataElements": [BY_CODE]})
    options = {"file": bundle, "map": ["srcDeCode01=tgtDeOne001"]} if "import" in verb else options_of(verb, bundle)

    plan = await planned(session, verb, **options)

    said = "data that are there mean something else then: name changes of Doses [tgtDeOne001] (Doses -> Doses given)"
    assert said in plan.notes, plan.notes


async def test_another_name_of_the_same_object_is_no_other_meaning(session: Session) -> None:
    await _two_for_one(session)
    bundle = written({"dataElements": [{**THERE, "name": "Doses of all"}]})
    plan = await planned(session, "metadata merge-bundle", **options_of("merge-bundle", bundle))
    assert [step.action for step in plan.steps] == ["update"]
    assert not any("mean something else" in note for note in plan.notes)
