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
