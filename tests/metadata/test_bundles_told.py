"""What is said of single objects (`--map`, `--resolve`) and fits nothing is refused, in every verb that takes a bundle."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.session import Session
from tests.metadata.calls import planned
from tests.metadata.conftest import NEW

FILES = ["package install", "merge-bundle"]
ALL = [*FILES, "import"]
GROUP = {
    "id": "deGroup0009",
    "name": "All = every",
    "shortName": "All",
    "code": "G",
    "dataElements": [{"id": "deNumber009"}],
}
SET = {"id": "dsNew000001", "name": "Return", "shortName": "Return", "periodType": "Monthly"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({"dataElements": [NEW], "dataElementGroups": [GROUP], "dataSets": [SET]}))
    return path


@pytest.mark.parametrize("verb", FILES)
@pytest.mark.parametrize(
    ("resolve", "says", "hint"),
    [
        (["ABCDEFGHIJK=skip"], "'ABCDEFGHIJK' is not in bundle.json", "a UID, a code or a name"),
        (["deNumber001=skip"], "'deNumber001' is not in bundle.json", ""),  # the server's own
        (["Nev=skip"], "'Nev' is not in bundle.json", "New"),
        (["deNumber009=rename"], "nothing there is in the way of dataElements 'New' [deNumber009]", "leave --resolve"),
        (["deNumber009=map"], "nothing there is in the way of dataElements 'New' [deNumber009]", ""),
        (["deNumber009=skip", "New=map"], "New is said to skip and to map", "one of them"),
        (["=skip"], "say UID=map, UID=rename or UID=skip", ""),
        (["deNumber009=drop"], "say UID=map, UID=rename or UID=skip", ""),
    ],
)
async def test_a_choice_that_fits_nothing(session: Session, file: Path, verb: str, resolve: list, says: str, hint: str):
    with pytest.raises(UsageError, match=re.escape(says)) as refused:
        await planned(session, f"metadata {verb}", file=file, resolve=resolve)
    assert hint in str(refused.value.hint)


async def test_a_merge_skips_only_what_is_in_the_way(session: Session, file: Path):
    """A merge has `--types` for what does not come; `skip` there is for names that are taken."""
    with pytest.raises(UsageError, match="nothing there is in the way"):
        await planned(session, "metadata merge-bundle", file=file, resolve=["deNumber009=skip"])


@pytest.mark.parametrize("said", ["deGroup0009", "G", "All = every"])
async def test_a_package_leaves_out_what_is_named_in_any_way(session: Session, file: Path, said: str):
    plan = await planned(session, "metadata package install", file=file, resolve=[f"{said}=skip"])
    assert {step.type for step in plan.steps} == {"dataElements", "dataSets"}
    assert plan.report.skipped == ["dataElementGroups 'All = every' [deGroup0009]"]  # type: ignore[union-attr]


async def test_a_choice_that_was_carried_out_may_be_said_again(session: Session, tmp_path: Path):
    """The same line once more finishes what was cut off: what has its other name by now is in nobody's way."""
    taken = {**NEW, "shortName": "OPV"}
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({"dataElements": [taken]}))
    for there in (False, True):
        if there:
            await session.client.post("metadata", {"dataElements": [{**taken, "shortName": "OPV (bundle)"}]})
        plan = await planned(session, "metadata package install", file=path, resolve=["New=rename"])
        assert (plan.blocked, len(plan.steps)) == (None, 0 if there else 1)


@pytest.mark.parametrize("verb", ALL)
@pytest.mark.parametrize(
    ("pairs", "error", "says"),
    [
        (["dsNew000001=deNumber001"], UsageError, "dsNew000001 is one of the data sets, and 'BCG doses given' [deNumber001] one of the data elements"),
        (["deNumber009=ouCountry01"], UsageError, "deNumber009 is one of the data elements, and 'Country' [ouCountry01]"),
        (["Return=deNumber001"], UsageError, "dsNew000001 is one of the data sets"),
        (["deNumber009=aB3dEfGh1jK"], NotFound, "the server has no aB3dEfGh1jK"),
        (["deNumber009=deNumber001", "New=deNumber002"], UsageError, "deNumber009 is said to be [deNumber001] and [deNumber002]"),
        (["All = ever=Vaccines"], UsageError, "'All' is not in bundle.json"),
    ],
)  # fmt: skip
async def test_a_counterpart_that_fits_nothing(
    session: Session, file: Path, verb: str, pairs: list, error: type, says: str
):
    with pytest.raises(error, match=re.escape(says)):
        await planned(session, f"metadata {verb}", file=file, map=pairs)


@pytest.mark.parametrize("verb", ALL)
async def test_names_on_either_side_may_hold_the_sign(session: Session, file: Path, verb: str):
    plan = await planned(session, f"metadata {verb}", file=file, map=["All = every=Vaccines"])
    assert "deGroup0009" not in {step.uid for step in plan.steps}


async def test_a_name_that_is_nearly_right_is_told(session: Session, file: Path):
    with pytest.raises(UsageError) as refused:
        await planned(session, "metadata package install", file=file, map=["Returnn=DS"])
    assert "Return" in str(refused.value.hint)


@pytest.mark.parametrize("verb", ["import", "merge-bundle"])
async def test_a_type_of_which_a_file_holds_nothing(session: Session, file: Path, verb: str):
    with pytest.raises(UsageError, match=r"--types: bundle\.json holds no programs, indicators") as refused:
        await planned(session, f"metadata {verb}", file=file, types=["dataSets,programs", "indicators"])
    assert str(refused.value.hint) == "it holds dataElementGroups, dataElements, dataSets"
