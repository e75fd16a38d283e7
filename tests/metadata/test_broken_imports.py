"""Imports that do not go well: cut off in the middle, ignored without a word, refused, in circles, and very large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh import profiles
from dhis2sh.changes import refusals
from dhis2sh.changes.journal import of
from dhis2sh.changes.plan import WriteSummary
from dhis2sh.errors import PartlyDone, Refused, UsageError
from dhis2sh.metadata import writes
from dhis2sh.rows.rows import to_json
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.conftest import small_metadata
from tests.fakes.serve import served
from tests.metadata.conftest import NEW
from tests.metadata.test_bundles import YES, call, write
from tests.metadata.test_merge import DRY

SILENT = {
    "httpStatus": "OK", "httpStatusCode": 200, "status": "OK",
    "response": {"responseType": "ImportReport", "status": "OK", "typeReports": [],
                 "stats": {"created": 0, "updated": 0, "deleted": 0, "ignored": 1, "total": 1}},
}  # fmt: skip

REFUSAL = {
    "httpStatus": "Conflict", "httpStatusCode": 409, "status": "ERROR",
    "response": {"responseType": "ImportReport", "status": "ERROR",
                 "typeReports": [{"klass": "org.hisp.dhis.dataelement.DataElement", "objectReports": [
                     {"klass": "org.hisp.dhis.dataelement.DataElement", "index": 0, "uid": "deNumber012", "errorReports": [
                         {"message": "taken meanwhile", "errorCode": "E5003", "mainKlass": "x"}]}]}],
                 "stats": {"created": 0, "updated": 0, "deleted": 0, "ignored": 2, "total": 2}},
}  # fmt: skip


class Moody:
    """A server that does as it is told with every import that writes: `answer`, `cut` its connection, `ignore` or `refuse` it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.moods: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        writing = scope.get("method") == "POST" and b"importMode=VALIDATE" not in scope["query_string"]
        mood = self.moods.pop(0) if writing and self.moods else "answer"
        if mood == "answer":
            await self.app(scope, receive, send)
            return
        body = json.dumps(REFUSAL if mood == "refuse" else SILENT).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 409 if mood == "refuse" else 200, "headers": headers})
        if mood in {"ignore", "refuse"}:
            await send({"type": "http.response.body", "body": body})
        else:
            await send({"type": "http.response.body", "body": body[:10], "more_body": True})


@pytest.fixture
def moody(home: Path, tmp_path: Path) -> Iterator[Moody]:
    """The profile `moody` on the small sandbox."""
    store = open_store(tmp_path / "moody.db")
    store.put_objects(small_metadata())
    server = Moody(create_app(store))
    with served(server) as url:
        profiles.save(profiles.Profile("moody", url, username="admin", retries=0))
        profiles.get("moody").secrets.write("district")
        yield server
    store.close()


def elements(count: int) -> list[dict]:
    return [
        {**NEW, "id": f"deNumber{n:03}", "name": f"New {n}", "shortName": f"New {n}"} for n in range(10, 10 + count)
    ]


async def test_a_second_run_finishes_what_was_cut_off(moody: Moody, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writes, "IN_ONE_BUNDLE", 2)
    session = Session("moody")
    path = write("b.json", dataElements=elements(5))
    moody.moods = ["answer", "cut"]
    with pytest.raises(PartlyDone, match=r"2 created.*; then it was cut off: ") as caught:
        await call(session, "metadata import", YES, file=path)
    assert "finishes the rest" in str(caught.value.hint)
    assert caught.value.summary.types == {"dataElements": {"created": 2}}  # type: ignore[attr-defined]
    (entry,) = to_json(await call(session, "journal list"))
    assert entry["outcome"] == "partly"
    rest = await call(session, "metadata import", YES, file=path)
    assert isinstance(rest, WriteSummary)
    assert rest.created == 3
    assert to_json(await call(session, "metadata import", DRY, file=path))["steps"] == []
    await session.aclose()


async def test_of_several_requests_the_plan_says_so_a_refused_one_stops_the_rest_and_undo_takes_back_all(
    moody: Moody, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writes, "IN_ONE_BUNDLE", 2)
    session = Session("moody")
    path = write("b.json", dataElements=elements(6))
    plan = to_json(await call(session, "metadata import", DRY, file=path))
    assert plan["notes"][-1].startswith(
        "goes in 3 requests (2 data elements, 2 data elements, 2 data elements): each is whole"
    )
    moody.moods = ["answer", "refuse"]
    with pytest.raises(PartlyDone, match="a later request was refused, and nothing was sent behind it") as caught:
        await call(session, "metadata import", YES, file=path)
    assert caught.value.hint == "dhis2 -p moody journal show 1  names what was refused, and what undo takes back"
    (entry,) = of("moody").entries()
    assert (entry.outcome, entry.states) == ("partly", {"done": 2, "refused": 2, "planned": 2})
    there = {row["id"] for row in (await session.client.get("dataElements", {"fields": "id"}))["dataElements"]}
    assert there & {f"deNumber0{n}" for n in range(10, 16)} == {"deNumber010", "deNumber011"}
    await call(session, "undo", YES)
    there = {row["id"] for row in (await session.client.get("dataElements", {"fields": "id"}))["dataElements"]}
    assert not there & {f"deNumber0{n}" for n in range(10, 16)}
    await session.aclose()


async def test_what_is_new_and_what_changes_is_one_request_and_one_undo(moody: Moody):
    session = Session("moody")
    changed = {**NEW, "id": "deNumber001", "name": "BCG given", "shortName": "BCG"}
    path = write("b.json", dataElements=[*elements(1), changed])
    moody.moods = ["refuse"]
    with pytest.raises(Refused, match="nothing was written"):
        await call(session, "metadata import", YES, file=path)
    assert not any(
        "goes in" in note for note in to_json(await call(session, "metadata import", DRY, file=path))["notes"]
    )
    done = await call(session, "metadata import", YES, file=path)
    assert isinstance(done, WriteSummary)
    assert (done.created, done.updated) == (1, 1)
    assert (await session.client.get("dataElements/deNumber001", {"fields": "name"}))["name"] == "BCG given"
    await call(session, "undo", YES)
    assert (await session.client.get("dataElements/deNumber001", {"fields": "name"}))["name"] == "BCG doses given"
    assert to_json(await call(session, "metadata import", DRY, file=path))["report"]["types"][0]["create"] == 1
    await session.aclose()


async def test_a_server_that_says_ok_and_ignores_everything_is_not_believed(moody: Moody):
    session = Session("moody")
    moody.moods = ["ignore"]
    with pytest.raises(Refused, match=r"nothing was written.*the server ignored it and gave no reason"):
        await call(session, "metadata import", YES, file=write("b.json", dataElements=elements(1)))
    await session.aclose()


async def test_all_or_nothing_says_which_objects_stand_in_the_way_and_keeps_them(session: Session):
    bad = {**NEW, "id": "deNumber008", "name": "Bad", "shortName": "B" * 51}
    path = write("b.json", dataElements=[NEW, bad])
    plan = to_json(await call(session, "metadata import", DRY, file=path, rejected=Path("rest.json")))
    (conflict,) = plan["report"]["conflicts"]
    assert (conflict["name"], conflict["code"], conflict["property"]) == ("Bad", "E4001", "shortName")
    assert conflict["next"] == "shorten it: dhis2 metadata describe dataElements  shows the greatest length"
    assert plan["report"]["types"] == [
        {"type": "dataElements", "create": 2, "update": 0, "delete": 0, "same": 0, "conflict": 1, "skipped": 0}
    ]
    assert [row["id"] for row in json.loads(Path("rest.json").read_text())["dataElements"]] == ["deNumber008"]


async def test_broken_references_can_be_left_out(session: Session):
    group = {
        "id": "deGroup0009",
        "name": "G",
        "shortName": "G",
        "dataElements": [{"id": "deNumber001"}, {"id": "deMissing01"}],
    }
    element = {**NEW, "optionSet": {"id": "osMissing01"}}
    path = write("b.json", dataElements=[element], dataElementGroups=[group])
    plan = to_json(await call(session, "metadata import", DRY, file=path))
    assert {(row["name"], row["property"], row["to"]) for row in plan["report"]["dangling"]} == {
        ("New", "optionSet", "osMissing01"), ("G", "dataElements", "deMissing01"),
    }  # fmt: skip
    with pytest.raises(Refused) as caught:
        await call(session, "metadata import", YES, file=path)
    assert "--drop-dangling leaves the references out" in str(caught.value.hint)
    await call(session, "metadata import", YES, file=path, drop_dangling=True)
    written = await session.client.get_object("dataElementGroups/deGroup0009", {"fields": "dataElements"})
    assert written["dataElements"] == [{"id": "deNumber001"}]
    assert to_json(await call(session, "metadata import", DRY, file=path, drop_dangling=True))["steps"] == []


async def test_units_that_are_below_each_other_are_a_circle(session: Session):
    units = [
        {"id": f"ouCircle{n:03}", "name": f"U{n}", "shortName": f"U{n}", "openingDate": "2000-01-01",
         "parent": {"id": f"ouCircle{(n + 1) % 2:03}"}}
        for n in range(2)
    ]  # fmt: skip
    with pytest.raises(UsageError, match="that is a circle"):
        await call(session, "metadata import", DRY, file=write("b.json", organisationUnits=units))


async def test_doubled_names_are_told_before_the_server_sees_them(session: Session):
    path = write(
        "b.json", dataElements=[{**NEW, "code": "X"}, {**NEW, "id": "deNumber008", "shortName": "Y", "code": "X"}]
    )
    plan = to_json(await call(session, "metadata import", DRY, file=path))
    assert {"doubled: 2 dataElements have the code 'X'", "doubled: 2 dataElements have the name 'New'"} <= {
        *plan["notes"]
    }


async def test_children_go_after_their_parents_however_they_stand(session: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writes, "IN_ONE_BUNDLE", 2)
    units = [
        {"id": f"ouChild{n:04}", "name": f"U{n}", "shortName": f"U{n}", "openingDate": "2000-01-01",
         "parent": {"id": f"ouChild{n - 1:04}" if n else "ouCountry01"}}
        for n in reversed(range(5))
    ]  # fmt: skip
    done = await call(session, "metadata import", YES, file=write("b.json", organisationUnits=units))
    assert isinstance(done, WriteSummary)
    assert done.created == 5


async def test_explain_puts_an_import_into_words(session: Session):
    body = {**NEW, "optionSet": {"id": "osMissing01"}}
    Path("b.json").write_text(
        json.dumps({"dataElements": [body], "dhis2sh": {"outside": {"optionSets": {"osMissing01": "Colours"}}}})
    )
    with pytest.raises(Refused):
        await call(session, "metadata import", YES, file=Path("b.json"))
    said = await call(session, "explain")
    assert "Invalid reference 'Colours' [osMissing01]" in said.line()  # type: ignore[attr-defined]
    assert "try: export it again with --deps" in said.line()  # type: ignore[attr-defined]
    (report,) = to_json(said)["reports"]
    assert (report["code"], report["object"], report["type"]) == ("E5002", "deNumber009", "dataElements")


async def test_explain_says_what_holds_an_object_that_could_not_be_deleted(country: Session):
    plan = {"objects": ["Sex"]}
    with pytest.raises(Refused, match="associated with another object"):
        await call(country, "metadata categories delete", YES, **plan)
    said = to_json(await call(country, "explain"))
    (report,) = said["reports"]
    assert report["code"] == "E4030"
    assert report["name"] == "Sex"
    assert any("categoryCombos: '" in text for text in report["held_by"])
    assert report["next"].startswith(f"dhis2 -p sandbox metadata usage {report['object']}")


async def test_explain_knows_codes_and_the_nearest(session: Session):
    meaning = to_json(await call(session, "explain", about="e4030"))
    assert meaning["means"] == "it cannot be deleted while other objects or data need it"
    with pytest.raises(UsageError) as caught:
        await call(session, "explain", about="errr")
    assert caught.value.hint == "did you mean error?"


def test_every_advice_is_a_sentence_with_something_to_do():
    for code, advice in refusals.ADVICE.items():
        told = refusals.advice(code, uid="deNumber001", type="dataElements")
        assert told is not None
        assert advice.means and told.next
        assert "{" not in told.next


def test_names_stand_beside_uids_once():
    names = {"deNumber001": "BCG"}
    assert refusals.named("Invalid reference [deNumber001] (X)", names) == "Invalid reference 'BCG' [deNumber001] (X)"
    assert refusals.named("on BCG [deNumber001]", names) == "on BCG [deNumber001]"
    assert refusals.named("deNumber001: Vaccination", names) == "'BCG' [deNumber001]: Vaccination"
