"""Rows in memory in the place of a file: frames, lists of objects, what a pipeline gives, standard input."""

import io
import json
import sys
from pathlib import Path

import pandas
import polars
import pytest

from dhis2sh.errors import UsageError
from dhis2sh.rows.given import rows_given
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from tests.metadata.calls import do, planned

GROUPS = [{"name": "One", "shortName": "One"}, {"name": "Two", "shortName": "Two"}]


@pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame, list, tuple])
async def test_u15_rows_are_created_from_a_frame_or_a_list(session: Session, frame: type) -> None:
    for name in ("from_", "objects"):
        plan = await planned(session, "metadata create", type="dataElementGroups", **{name: frame(GROUPS)})
        assert [step.name for step in plan.steps] == ["One", "Two"]
    assert (await do(session, "metadata data-element-groups create", objects=frame(GROUPS))).created == 2


async def test_u15_an_object_alone_is_a_row(session: Session) -> None:
    assert (await do(session, "metadata create", type="dataElementGroups", objects=GROUPS[0])).created == 1


async def test_u15_a_frame_updates_and_its_missing_cells_are_null(session: Session) -> None:
    frame = pandas.DataFrame({"id": ["deNumber001", "deText00001"], "description": ["New", None]})
    plan = await planned(session, "metadata update", type="dataElements", from_=frame)
    assert [step.words() for step in plan.steps] == ["description: nothing -> 'New'"]


def test_u15_cells_of_frames_are_what_json_has() -> None:
    frame = pandas.DataFrame({
        "level": [5.0, float("nan")], "when": pandas.to_datetime(["2020-02-29", None]), "on": [True, False],
        "many": [["a", 1], None], "value": [1.5, 2.0],
    })  # fmt: skip
    assert rows_given(frame, "objects").plain() == [
        {"level": 5, "when": "2020-02-29", "on": True, "many": ["a", 1], "value": 1.5},
        {"level": None, "when": None, "on": False, "many": None, "value": 2},
    ]
    assert rows_given(polars.DataFrame({"n": [1], "s": [{"id": "x"}]}), "objects").plain() == [
        {"n": 1, "s": {"id": "x"}}
    ]
    with pytest.raises(UsageError, match="neither a UID nor an object"):
        rows_given([3], "objects")


def test_u15_a_pipeline_ends_in_create_and_in_update(runner: magics.Runner) -> None:
    made = to_json(
        runner.line(
            "metadata list dataElements | where(valueType == 'NUMBER') | select(name, shortName)"
            " | derive(name='Group of ' + name) | metadata.create('dataElementGroups', yes=True)"
        )
    )
    assert made["created"] == 2
    changed = runner.line(
        "metadata list dataElements | derive(description='About ' + name) | metadata.update(dry_run=True)"
    )
    assert [step.words() for step in changed.steps][-1] == "description: nothing -> 'About Remark'"
    assert changed.notes == ["left out displayName: the server makes it"]


def test_u15_python_calls_take_frames(runner: magics.Runner) -> None:
    runner.shell.user_ns["df"] = pandas.DataFrame(GROUPS)
    result = runner.shell.run_cell("await metadata.create('dataElementGroups', from_=df, yes=True)").result
    assert to_json(result)["created"] == 2


@pytest.mark.parametrize(
    "text", [json.dumps(GROUPS), "\n".join(map(json.dumps, GROUPS)), "name,shortName\nOne,One\nTwo,Two\n"]
)
def test_u15_a_line_reads_rows_from_standard_input(
    text: str, sandbox_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    line = "metadata create dataElementGroups --from - --yes -p sandbox -o json"
    assert cli.run(line.split()) == 0
    assert json.loads(capsys.readouterr().out)["created"] == 2


async def test_u15_what_is_wrong_with_rows_is_told_by_their_numbers(session: Session) -> None:
    with pytest.raises(UsageError, match=r"row 2 \(.*\) needs name"):
        await planned(session, "metadata create", type="dataElementGroups", objects=[GROUPS[0], {"shortName": "x"}])
    with pytest.raises(UsageError, match="there are no rows"):
        await planned(session, "metadata create", type="dataElementGroups", objects=[])
    with pytest.raises(UsageError, match="2 rows for one dataElement"):
        await planned(session, "metadata update", type="dataElements", uid="DE_1", objects=GROUPS)
    with pytest.raises(UsageError, match="given twice"):
        await planned(session, "metadata create", type="dataElementGroups", objects=GROUPS, from_="x.csv")


async def test_u15_objects_go_where_a_file_of_any_kind_went(session: Session) -> None:
    bundle = {"dataElementGroups": [{"id": "geGiven0001", **GROUPS[0]}]}
    for path in ("metadata import", "metadata merge-bundle"):
        assert [step.uid for step in (await planned(session, path, objects=bundle)).steps] == ["geGiven0001"]
    point = {"id": "Bo", "geometry": {"type": "Point", "coordinates": [-11.7, 7.9]}}
    plan = await planned(session, "metadata organisation-units set-geometry", objects=[point])
    assert plan.title == "set the geometry of 1 unit"
    row = {"type": "dataElements", "id": "DE_1", "property": "name", "locale": "fr", "translation": "BCG reçus"}
    assert len((await planned(session, "metadata translate import", objects=[row])).steps) == 1
    spec = {"name": "Sex", "categories": [{"name": "Sex", "options": [{"name": "Female"}, {"name": "Male"}]}]}
    assert "Female" in {
        step.name for step in (await planned(session, "metadata category-combos build", spec=spec)).steps
    }

    with pytest.raises(UsageError, match="of which type are the objects"):
        await planned(session, "metadata import", objects=GROUPS)


def test_u15_a_pipeline_ends_in_import(runner: magics.Runner) -> None:
    plan = runner.line(
        "metadata list dataElements | select(id, name) | derive(name=name + '!') | metadata.import_(dry_run=True)"
    )
    assert [step.words() for step in plan.steps][-1] == "name: 'Remark' -> 'Remark!'"
