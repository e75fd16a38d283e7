"""All of it: the server's checks beside ours, the worst first, what is new, and a page for people."""

import gzip
import json
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from dhis2sh.checks import examining, formulas, integrity, kept, quirks
from dhis2sh.checks.finding import SEVERITIES
from dhis2sh.checks.probing import Found
from dhis2sh.client import whole_types
from dhis2sh.client.requests import guard
from dhis2sh.errors import Forbidden, NotFound, ReadOnlyProfile, TimedOut, UsageError
from dhis2sh.person import Nobody
from dhis2sh.sandbox.load import load
from dhis2sh.session import Session
from dhis2sh.verbs.grammar import Invocation, parse
from tests.metadata.calls import call, do
from tests.shared import needs_shared, shared

EMPTY = {"id": "osCheck0001", "name": "Empty", "valueType": "TEXT", "options": []}


async def test_the_worst_comes_first_and_the_servers_checks_are_among_it(s: Session):
    s.sandbox_store().put_objects({"optionSets": [EMPTY]})
    rows = (await call(s, "doctor all")).plain()
    ranks = [SEVERITIES.index(row["severity"]) for row in rows]
    assert ranks == sorted(ranks)
    (empty,) = [row for row in rows if row["check"] == "options_sets_empty"]
    assert (empty["count"], empty["severity"]) == (1, "warning")
    assert empty["fix"] == "dhis2 maintenance data-integrity run options_sets_empty --details"
    assert any(row["check"].startswith("quirk-") for row in rows)


async def test_checks_that_give_no_result_are_said_and_do_not_count_as_fine(s: Session):
    examined = await integrity.examine(s)
    assert any("gave no result on this server" in text for text in examined.left)
    assert "maps_not_viewed_one_year" not in examined.counts


async def test_details_name_the_objects(s: Session):
    s.sandbox_store().put_objects({"optionSets": [EMPTY]})
    (row,) = (await call(s, "maintenance data-integrity run", checks=["OSE"], details=True)).plain()
    assert (row["type"], row["id"], row["name"]) == ("optionSets", "osCheck0001", "Empty")
    (left,) = (await call(s, "maintenance data-integrity result", checks=["OSE"], details=True)).plain()
    assert left == row
    (counted,) = (await call(s, "maintenance data-integrity run", checks=["options-sets-empty"])).plain()
    assert (counted["count"], counted["severity"]) == (1, "warning")


async def test_what_a_run_before_has_left_is_not_this_ones(s: Session):
    assert (await call(s, "maintenance data-integrity run", checks=["OSE"])).plain()[0]["count"] == 0
    s.sandbox_store().put_objects({"optionSets": [EMPTY]})
    assert (await call(s, "maintenance data-integrity run", checks=["OSE"])).plain()[0]["count"] == 1


async def test_an_unknown_check_is_refused(s: Session):
    """Recorded (integrity-runs 16, 22): the server takes any name, and gives nothing for it."""
    with pytest.raises(NotFound, match="no integrity check 'options_set_empty'"):
        await call(s, "doctor integrity", checks=["options_set_empty"])


async def test_waiting_ends_when_it_should(s: Session, monkeypatch: pytest.MonkeyPatch):
    async def nothing(*_: object, **__: object) -> list[object]:
        return []

    monkeypatch.setattr(integrity, "_finished", nothing)
    monkeypatch.setattr(integrity, "notifications_of", nothing)
    with pytest.raises(TimedOut, match="1 integrity check of 1 did not finish"):
        await call(s, "doctor integrity", checks=["OSE"], timeout=1)


async def test_checks_that_do_not_end_cost_nothing_but_themselves(s: Session, monkeypatch: pytest.MonkeyPatch):
    async def nothing(*_: object, **__: object) -> list[object]:
        return []

    monkeypatch.setattr(integrity, "_finished", nothing)
    monkeypatch.setattr(integrity, "notifications_of", nothing)
    examined = await examining.everything(s, timeout=1)
    assert any("did not all run" in text for text in examined.left)
    assert "texts-with-spaces" in examined.counts


async def test_who_may_not_run_them_gets_the_rest(s: Session):
    (await s.client.system.me()).authorities = ["F_METADATA_EXPORT"]
    examined = await examining.everything(s)
    assert any("the server's integrity checks were not run" in text for text in examined.left)
    assert "texts-with-spaces" in examined.counts
    with pytest.raises(Forbidden, match="F_PERFORM_MAINTENANCE"):
        await call(s, "doctor integrity")


async def test_only_what_is_new_is_told(s: Session):
    with pytest.raises(NotFound, match="no run of all checks is kept"):
        await call(s, "doctor all", since="last")
    await call(s, "doctor all")
    assert len(await call(s, "doctor all", since="last")) == 0
    s.sandbox_store().put_objects({"legendSets": [{"id": "lgCheck0001", "name": "Two  spaces"}], "optionSets": [EMPTY]})
    rows = {row["check"]: row["count"] for row in (await call(s, "doctor all", since="LAST")).plain()}
    assert rows["texts-with-spaces"] == 1 and rows["options_sets_empty"] == 1
    assert not [name for name in rows if name.startswith("quirk-")]
    with pytest.raises(UsageError, match="neither 'last' nor a day"):
        await call(s, "doctor all", since="soon")
    with pytest.raises(NotFound, match="no run"):
        await call(s, "doctor all", since="2020-01-01")
    assert len(kept.runs(s.profile)) == 3


async def test_the_page_has_every_finding_and_what_was_not_looked_for(s: Session, tmp_path: Path):
    page = tmp_path / "health.html"
    rows = (await call(s, "doctor all", report_=page)).plain()
    text = page.read_text("utf-8")
    assert all(escape(row["fix"]) in text and f"<h2>{row['severity'].capitalize()}</h2>" in text for row in rows)
    assert "<h2>Critical</h2>" not in text
    assert "Not looked for" in text and "gave no result on this server" in text
    with pytest.raises(UsageError, match=r"written as \.html or \.xlsx"):
        await call(s, "doctor all", report_=tmp_path / "health.pdf")


def test_a_profile_that_may_not_write_lets_the_server_check_itself(s: Session):
    settings = replace(s.client.settings, read_only=True)
    for kind in ("summary", "details"):
        guard(settings, "POST", f"/api/dataIntegrity/{kind}", [])
    with pytest.raises(ReadOnlyProfile):
        guard(settings, "POST", "/api/maintenance", [])


def test_faults_are_told_to_servers_of_their_version():
    assert {one.check for one in quirks.of_version(41).findings} == {
        "quirk-option-delete", "quirk-not-empty-filter", "quirk-merge-of-lists",
    }  # fmt: skip
    assert "quirk-event-analytics-yearly" in {one.check for one in quirks.of_version(43).findings}
    assert set(quirks.of_version(42).counts) == {one.name for one in quirks.QUIRKS}


@needs_shared
async def test_the_real_data_are_looked_through_without_a_false_alarm(s: Session):
    body = json.loads(gzip.decompress(shared("real", "v42", "metadata.json.gz").read_bytes()))
    load(s.sandbox_store(), body)
    s.person = Nobody()
    rows = {row["check"]: row for row in (await call(s, "doctor metadata")).plain()}
    assert rows["texts-with-spaces"]["count"] >= 11
    # the demo's own expressions and rules are whole
    assert not {"expressions-naming-what-is-gone", "rules-naming-no-variable", "legends-overlap"} & rows.keys()
    await do(s, "doctor fix", checks=["texts-with-spaces"])
    assert "texts-with-spaces" not in {row["check"] for row in (await call(s, "doctor metadata")).plain()}


@needs_shared
async def test_types_that_are_read_together_say_what_each_says_alone(s: Session, monkeypatch: pytest.MonkeyPatch):
    load(s.sandbox_store(), json.loads(gzip.decompress(shared("real", "v42", "metadata.json.gz").read_bytes())))
    probes = examining.named(())

    async def report() -> tuple[dict[str, list[Found]], list[str], int]:
        before = len(s.client.transport.sent)
        async with examining.looking(s, probes) as look:
            found, left = await examining.found_by(look, probes)
        return found, left, len(s.client.transport.sent) - before

    found, left, requests = await report()
    monkeypatch.setattr(whole_types, "packs", lambda fields, room: [[plural] for plural in fields])
    monkeypatch.setattr(formulas, "NAMED_MOST", ())
    alone, left_alone, of_alone = await report()
    # what jobs say of themselves changes from one moment to the next
    assert {**found, "jobs-enabled-never-run": None} == {**alone, "jobs-enabled-never-run": None} and left == left_alone
    assert {name for name, some in found.items() if some} > {"texts-with-spaces", "sharing-public-edit"}
    assert requests <= 30 < of_alone


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("doctor", "doctor all"),
        ("doctor --fail-on severe", "doctor all"),
        ("-p sandbox doctor", "doctor all"),
        ("doctor -p sandbox list", "doctor list"),
        ("doctor fix", "doctor fix"),
    ],
)
def test_the_name_alone_is_all_of_it(line: str, path: str):
    found = parse(line.split())
    assert isinstance(found, Invocation) and found.verb.path == path


def test_a_word_that_is_no_verb_is_no_argument_of_the_bare_name():
    with pytest.raises(UsageError, match="doctor has no verb 'intergity'") as refused:
        parse(["doctor", "intergity"])
    assert "integrity" in (refused.value.hint or "")
