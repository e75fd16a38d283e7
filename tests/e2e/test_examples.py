"""The examples' runner, and that every story is whole; `make examples` runs them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FOUR_FORMS = {"cli.sh", "shell.dhis2", "notebook.ipynb", "agent.py"}


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples_run", EXAMPLES / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_a_story_on_real_metadata_has_four_forms_and_each_says_what_it_prints(runner: ModuleType) -> None:
    runs = list(runner.runs())
    real = {run.path.parent for run in runs if run.words}
    assert len(real) >= 4
    for story in real:
        assert {path.name for path in story.iterdir()} >= FOUR_FORMS, story.name
    assert [run.name for run in runs if not run.expected()] == []
    for run in runs:
        assert all(
            word in "".join(other.read_text("utf-8") for other in run.path.parent.glob("*.*")) for word in run.words
        )


def test_where_no_real_metadata_are_it_is_said(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = EXAMPLES / "first-steps" / "find-anything" / "cli.sh"
    monkeypatch.setattr(runner, "REAL", tmp_path / "nothing")
    monkeypatch.setattr(runner, "runs", lambda: iter([runner.Run(find, {}), runner.Run(find, {"malaria": "BCG"})]))
    assert runner.main([]) == 0
    out = capsys.readouterr().out
    assert "pass  first-steps/find-anything/cli.sh\n" in out
    assert "examples: 1 pass, 0 fail, 1 left out: no real metadata" in out


def test_what_differs_is_shown(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    story = tmp_path / "area" / "story"
    (story / "expected").mkdir(parents=True)
    (story / "python.py").write_text('print("one")\nprint("two")\n')
    (story / "expected" / "python.txt").write_text("one\nthree\n")
    monkeypatch.setattr(runner, "FOLDER", tmp_path)
    monkeypatch.setattr(runner, "REAL", tmp_path / "nothing")
    assert runner.main([]) == 1
    out = capsys.readouterr().out
    assert "fail  area/story/python.py" in out
    assert "-three\n+two\n" in out
    assert runner.main(["--snapshot"]) == 0
    assert (story / "expected" / "python.txt").read_text() == "one\ntwo\n"
