"""A command that we print is typed as it stands: it acts on the profile that the line named, never on the active one."""

import json
from pathlib import Path

import pytest

from dhis2sh import profiles
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.surfaces import commands, terminal
from dhis2sh.surfaces.cli import main as cli

PACKAGE = {
    "package": {"name": "BCG_AGG", "version": "1.0.0", "DHIS2Version": "2.42.0", "type": "AGGREGATE"},
    "dataElementGroups": [
        {"id": "deGroup0009", "name": "All", "shortName": "All", "dataElements": [{"id": "deNumber009"}]}
    ],
}


@pytest.fixture
def package(sandbox_home: Path, tmp_path: Path) -> Path:
    """A package whose installation wants a decision, while another profile than the sandbox is active."""
    profiles.save(profiles.Profile("prod", "https://prod.example.org", username="ann", production=True), activate=True)
    file = tmp_path / "package.json"
    file.write_text(json.dumps(PACKAGE))
    return file


@pytest.mark.parametrize("where", [["-p", "sandbox"], ["--profile=sandbox"]])
def test_hints_1_a_refusal_says_the_next_line_with_the_profile(
    package: Path, capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    assert cli.run(["metadata", "package", "install", str(package), *where]) == 5
    err = capsys.readouterr().err
    assert f"  try: dhis2 -p sandbox metadata package install {package} --drop-dangling\n" in err


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_hints_1_so_do_the_decisions_of_a_plan_in_every_form(
    package: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert cli.run(["-p", "sandbox", "metadata", "package", "plan", str(package), "-o", form]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"dhis2 -p sandbox metadata package install {package} --drop-dangling" in out
    assert "dhis2 metadata" not in out


def test_hints_1_and_what_is_said_of_a_line_that_cannot_be_read_or_finds_nothing(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["-p", "sandbox", "metadata", "list", "dataElements", "--filter", "nope:eq:1"]) == 2
    assert "try: dhis2 -p sandbox metadata describe dataElements" in capsys.readouterr().err
    assert cli.run(["-p", "sandbox", "undo"]) == 3
    assert "try: dhis2 -p sandbox journal list" in capsys.readouterr().err


def test_hints_1_a_line_that_names_none_prints_none_nor_does_the_next_line(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DHIS2_PROFILE", "sandbox")
    assert cli.run(["-p", "sandbox", "undo"]) == 3
    assert cli.run(["undo"]) == 3
    assert capsys.readouterr().err.endswith("try: dhis2 journal list\n")


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("dhis2 undo 3 --force; dhis2 undo 2  takes back the write before",
         "dhis2 -p box undo 3 --force; dhis2 -p box undo 2  takes back the write before"),
        ("dhis2 metadata rename -p live", "dhis2 metadata rename -p live"),
        ("dhis2 -p live metadata list", "dhis2 -p live metadata list"),
        ("dhis2 profile login box; dhis2 sandbox reset", "dhis2 profile login box; dhis2 sandbox reset"),
        ("dhis2 metadata rename --help", "dhis2 metadata rename --help"),
        ("dhis2\n    metadata types", "dhis2 -p box\n    metadata types"),
        ("in /home/ann/dhis2 metadata, dhis2 export.json, DHIS2 server", None),
    ],
)  # fmt: skip
def test_hints_1_what_has_a_profile_or_is_of_this_machine_stays(text: str, carried: str | None) -> None:
    with commands.of_profile("box"):
        assert commands.carried(text) == (carried or text)
    assert commands.carried(text) == text


def test_hints_1_the_question_before_a_write_names_the_profile(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n", raising=False)
    box = profiles.Profile("box", "https://box.example.org")
    plan = Plan("rename", [PlanStep("update", "dataElements", "deText00001", "Text")], made_for=box)
    assert terminal.ask(plan, None)
    assert capsys.readouterr().err.endswith("update 1 dataElements; apply on box? [y/N] ")
