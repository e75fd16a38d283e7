"""How plans say what changes (U11)."""

import json
from pathlib import Path

import pytest

from dhis2sh.changes.in_words import differences, rights
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.errors import Declined
from dhis2sh.metadata.bundles.report import ImportReport, KeptObject
from dhis2sh.session import Session
from dhis2sh.show.render import text
from dhis2sh.surfaces.terminal import report
from tests.metadata.calls import planned


@pytest.mark.parametrize(
    ("letters", "words"),
    [
        ("--------", "no access"),
        ("r-------", "see"),
        ("rw------", "see and change"),
        ("rwrw----", "see and change, see and enter data"),
    ],
)
def test_u11_rights_are_words(letters: str, words: str) -> None:
    assert rights(letters) == words
    assert [*differences({"public": None}, {"public": letters}, {})] == [f"public: nothing -> {words}"]


def test_u11_translations_are_told_by_language() -> None:
    old = [{"locale": "fr", "property": "NAME", "value": "a"}, {"locale": "fr", "property": "SHORT_NAME", "value": "x"}]
    new = [{"locale": "fr", "property": "NAME", "value": "b"}, {"locale": "fr", "property": "SHORT_NAME", "value": "x"}]
    assert [*differences({"translations": old}, {"translations": new}, {})] == ["fr name: 'a' -> 'b'"]
    assert [*differences({}, {"translations": new[1:]}, {})] == ["fr short name: nothing -> 'x'"]


def test_u11_a_question_counts_once_more() -> None:
    steps = [PlanStep("update", "dataElements")] * 3 + [PlanStep("also update", "visualizations")] * 2
    assert Plan("t", steps).question == "update 3 dataElements; the server changes 2 more"


def test_u11_a_question_counts_the_types_that_it_does_not_name() -> None:
    asked = Plan("t", [PlanStep("create", kind) for kind in "abcdefghi"] + [PlanStep("also update", "maps")]).question
    assert asked.endswith("create 1 f, and 3 more types; the server changes 1 more")
    assert Plan("t", [PlanStep("create", kind) for kind in "abcdefg"]).question.endswith("create 1 f, create 1 g")


def test_u11_a_report_goes_on_below_where_the_screen_ends() -> None:
    kept = KeptObject(type="maps", id="mapUid00001", name="A map " * 12, differs=["mapViews", "description"])
    lines = text(ImportReport(source="f.json", kept=[kept]), width=60).split("\n")
    assert max(map(len, lines)) <= 60
    assert lines[-1].endswith("description")


def test_u11_a_no_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    report(Declined("delete 3 maps"))
    assert capsys.readouterr().err == "delete 3 maps: as you say, nothing was written\n"


async def test_u11_what_matches_nothing_says_which_condition(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(session.person, "warn", told.append)
    rename = {"type": "dataElements", "prefix": "X "}

    await planned(session, "metadata rename", **rename, filter=["name:like:doses", "code:eq:NOPE"])
    await planned(session, "metadata rename", **rename, filter=["name:like:BCG", "code:eq:DE_2"])

    assert told == [
        "no dataElements match code:eq:NOPE",
        "no dataElements match all of name:like:BCG (1) and code:eq:DE_2 (1)",
    ]


async def test_t15_what_a_bundle_changes_is_shown_before_what_is_new_and_what_it_means_is_said(
    session: Session,
) -> None:
    kind = {"valueType": "NUMBER", "domainType": "AGGREGATE", "aggregationType": "SUM"}
    new = [
        {"id": f"deNew{n:06}", "name": f"New {n}", "shortName": f"N{n}", "created": "2020-01-01T00:00:00.000", **kind}
        for n in range(30)
    ]
    body = {"dataElements": [*new, {"id": "deNumber001", "valueType": "TEXT", "aggregationType": "NONE"}]}
    Path("bundle.json").write_text(json.dumps(body))

    plan = await planned(session, "metadata import", file=Path("bundle.json"))
    shown = repr(plan)

    assert "update dataElements BCG doses given [deNumber001]" in shown
    assert "created" not in shown.replace("to be created", "")
    assert any("mean something else then: valueType changes of BCG doses given" in note for note in plan.notes)


def test_undo4_the_layers_of_a_map_are_told_apart_by_what_differs_in_them() -> None:
    access = {"manage": True, "read": True}
    old = {"layer": "thematic", "access": access, "lastUpdated": "2026-01-01", "classes": 5}
    new = {**old, "lastUpdated": "2026-01-02", "legendSet": {"id": "lsCoverage1"}}

    assert PlanStep("update", "maps", before={"mapViews": [old]}, after={"mapViews": [new]}).words() == (
        "mapViews 1.legendSet: nothing -> 'lsCoverage1'"
    )
    assert PlanStep("create", "maps", after={"mapViews": [old, new]}).words() == "mapViews: ['thematic', 'thematic']"
