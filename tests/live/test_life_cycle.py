"""What tracked entities, enrollments, events and relationships live through: every strategy, both atomic modes, and the end.

The same on the sandbox, as each version, and with `make test-live` on a running server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from tests.live.cycle import (
    BIRTH,
    CODE,
    NAME,
    REMARK,
    REPORT,
    WEIGHT,
    Cycle,
    enrollment,
    entity,
    event,
    sibling,
    uid,
)
from tests.live.purging import signed_in

SERVERS = [*("2.41", "2.42", "2.43"), pytest.param("live", marks=[pytest.mark.live, pytest.mark.timeout(600)])]
ROOT = "ouLcRoot001"


@pytest.fixture
def cycle(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cycle]:
    """The programme, on the sandbox as a version or on the server of `DHIS2_URL`."""
    if request.param == "live":
        place = request.getfixturevalue("server")
        if place.reserved is not None:
            pytest.skip(place.reserved)
        with signed_in() as http:
            if not http.get("/api/me", params={"fields": "organisationUnits[id]"}).json().get("organisationUnits"):
                pytest.skip("this user has no organisation unit to capture data for")
            yield from _run(Cycle(http))
        return
    store = open_store(tmp_path / "sandbox.db", version=request.param)
    admin = next(user for user in store.objects("users").values() if user["username"] == "admin")
    root: dict[str, Any] = {"id": ROOT, "name": "Root", "shortName": "Root", "path": f"/{ROOT}", "level": 1,
                            "openingDate": "2000-01-01T00:00:00.000"}  # fmt: skip
    store.put_objects({"organisationUnits": [root], "users": [{**admin, "organisationUnits": [{"id": ROOT}]}]})
    with TestClient(create_app(store), base_url="http://sandbox") as http:
        http.auth = ("admin", "district")
        yield from _run(Cycle(http))
    store.close()


def _run(place: Cycle) -> Iterator[Cycle]:
    place.furnish()
    try:
        yield place
    finally:
        place.leave()


everywhere = pytest.mark.parametrize("cycle", SERVERS, indirect=True)
OK, REFUSED = 200, 409
KINDS = ("trackedEntities", "enrollments", "events", "relationships")
IS_THERE = {"trackedEntities": "E1002", "enrollments": "E1080", "events": "E1030", "relationships": "E4015"}
IS_NOT_THERE = {"trackedEntities": "E1063", "enrollments": "E1081", "events": "E1032", "relationships": "E4016"}
IS_DELETED = {"trackedEntities": "E1114", "enrollments": "E1113", "events": "E1082", "relationships": "E4017"}


@everywhere
def test_a_nested_entity_is_created_read_changed_and_gone(cycle: Cycle):
    te, en, ev = uid(), uid(), uid()
    nested = entity(te, enrollments=[enrollment(en, events=[event(ev)])])
    assert cycle.send({"trackedEntities": [nested]}).counts == {"created": 3}

    person = cycle.get("trackedEntities", te)
    assert person is not None
    assert [one["value"] for one in person["attributes"]] == ["Ada"]
    [found] = person["enrollments"]
    assert (found["enrollment"], found["status"], [one["event"] for one in found["events"]]) == (en, "ACTIVE", [ev])
    assert person["programOwners"][0]["orgUnit"] == person["orgUnit"]

    nested["attributes"][0]["value"] = "Eva"
    said = cycle.send({"trackedEntities": [nested]})
    assert (said.status, said.counts) == (OK, {"updated": 3})
    person = cycle.get("trackedEntities", te, "attributes[value],createdAt,updatedAt")
    assert person is not None
    assert person["attributes"] == [{"value": "Eva"}]

    for kind, key in (("events", ev), ("enrollments", en), ("trackedEntities", te)):
        assert cycle.send({kind: [{kind.removesuffix("s"): key} if kind != KINDS[0] else {"trackedEntity": key}]},
                          "DELETE").counts == {"deleted": 1}  # fmt: skip
        assert cycle.get(kind, key) is None
        assert key not in [next(iter(row.values())) for row in cycle.listed(kind)]


def _one(cycle: Cycle, kind: str) -> tuple[dict[str, Any], str]:
    """A new object of a kind whose owners are there, and the name of its UID."""
    if kind == "trackedEntities":
        return entity(uid()), "trackedEntity"
    te, other = uid(), uid()
    assert cycle.send({"trackedEntities": [entity(te), entity(other)]}).status == OK
    if kind == "enrollments":
        return enrollment(uid(), te), "enrollment"
    if kind == "relationships":
        return sibling(uid(), te, other), "relationship"
    en = uid()
    assert cycle.send({"enrollments": [enrollment(en, te)]}).status == OK
    return event(uid(), en), "event"


@everywhere
@pytest.mark.parametrize("kind", KINDS)
def test_every_strategy(cycle: Cycle, kind: str):
    body, name = _one(cycle, kind)
    key = {name: body[name]}
    last = {"updated": 1} if kind != "relationships" else {"ignored": 1}  # those are made and deleted, never changed

    for strategy in ("UPDATE", "DELETE"):
        said = cycle.send({kind: [body if strategy == "UPDATE" else key]}, strategy)
        assert (said.status, said.codes, said.counts) == (REFUSED, [IS_NOT_THERE[kind]], {"ignored": 1})
    assert cycle.send({kind: [body]}, "CREATE").counts == {"created": 1}
    said = cycle.send({kind: [body]}, "CREATE")
    assert (said.status, said.codes, said.counts) == (REFUSED, [IS_THERE[kind]], {"ignored": 1})
    for strategy in ("UPDATE", "CREATE_AND_UPDATE"):
        said = cycle.send({kind: [body]}, strategy)
        assert (said.status, said.counts) == (OK, last)
    assert cycle.send({kind: [key]}, "DELETE").counts == {"deleted": 1}
    for strategy in ("CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE"):
        said = cycle.send({kind: [key if strategy == "DELETE" else body]}, strategy)
        assert (said.status, said.codes) == (REFUSED, [IS_DELETED[kind]]), strategy


@everywhere
def test_all_or_nothing_and_object_by_object(cycle: Cycle):
    good, bad, late = uid(), uid(), uid()
    payload = {"trackedEntities": [entity(good), entity(bad, orgUnit="aaaaaaaaaaa")]}

    said = cycle.send(payload, atomicMode="ALL")
    assert (said.status, said.codes, said.counts) == (REFUSED, ["E1049"], {"ignored": 2})
    assert cycle.get("trackedEntities", good) is None

    said = cycle.send(payload, atomicMode="OBJECT")
    assert (said.codes, said.counts) == (["E1049"], {"created": 1, "ignored": 1})
    assert cycle.get("trackedEntities", good) is not None
    assert cycle.get("trackedEntities", bad) is None

    orphan = entity(late, orgUnit="aaaaaaaaaaa", enrollments=[enrollment(uid())])
    said = cycle.send({"trackedEntities": [orphan]}, atomicMode="OBJECT")
    assert (said.codes, said.counts) == (["E1049", "E5000"], {"ignored": 2})


@everywhere
def test_a_validation_writes_and_counts_nothing(cycle: Cycle):
    te = uid()
    for strategy in ("CREATE", "CREATE_AND_UPDATE"):
        said = cycle.send({"trackedEntities": [entity(te)]}, strategy, importMode="VALIDATE")
        assert (said.status, said.codes, said.counts) == (OK, [], {})
    assert cycle.get("trackedEntities", te) is None
    said = cycle.send({"trackedEntities": [entity(te, orgUnit="aaaaaaaaaaa")]}, importMode="VALIDATE")
    assert (said.status, said.codes, said.counts) == (REFUSED, ["E1049"], {"ignored": 1})


@everywhere
def test_what_hangs_on_an_entity_goes_with_it_and_stays_to_be_seen(cycle: Cycle):
    te, other, en, ev, link = uid(), uid(), uid(), uid(), uid()
    nested = entity(te, enrollments=[enrollment(en, events=[event(ev)])])
    cycle.send({"trackedEntities": [nested, entity(other)]})
    cycle.send({"relationships": [sibling(link, te, other)]})

    assert cycle.send({"trackedEntities": [{"trackedEntity": te}]}, "DELETE").counts["deleted"] >= 1
    assert [cycle.get(kind, key) for kind, key in
            (("trackedEntities", te), ("enrollments", en), ("events", ev), ("relationships", link))] == [None] * 4  # fmt: skip
    assert cycle.get("trackedEntities", other) is not None

    deleted = {row["trackedEntity"]: row["deleted"] for row in cycle.listed("trackedEntities", includeDeleted="true",
                                                                            pageSize="500")}  # fmt: skip
    assert deleted.get(te) is True
    assert te not in [row["trackedEntity"] for row in cycle.listed("trackedEntities", pageSize="500")]


@everywhere
def test_values_are_kept_changed_and_erased(cycle: Cycle):
    te, en, ev = uid(), uid(), uid()
    both = event(ev)
    both["dataValues"].append({"dataElement": REMARK, "value": "fine"})
    cycle.send({"trackedEntities": [entity(te, enrollments=[enrollment(en, events=[both])])]})

    def values() -> dict[str, str]:
        found = cycle.get("events", ev, "dataValues[dataElement,value]")
        assert found is not None
        return {one["dataElement"]: one["value"] for one in found["dataValues"]}

    assert cycle.send({"events": [event(ev, en, weight="61")]}).counts == {"updated": 1}
    assert values() == {WEIGHT: "61", REMARK: "fine"}  # what is left out stays
    assert cycle.send({"events": [event(ev, en, weight="")]}).counts == {"updated": 1}
    assert values() == {REMARK: "fine"}  # what is blank goes
    said = cycle.send({"events": [event(ev, en, weight="heavy")]})
    assert (said.status, said.codes) == (REFUSED, ["E1302"])

    coded = entity(te)
    coded["attributes"].append({"attribute": CODE, "value": te})
    assert cycle.send({"trackedEntities": [coded]}).status == OK
    twin = entity(uid())
    twin["attributes"].append({"attribute": CODE, "value": te})
    assert cycle.send({"trackedEntities": [twin]}).codes == ["E1064"]
    coded["attributes"][1]["value"] = None
    assert cycle.send({"trackedEntities": [coded]}).status == OK
    found = cycle.get("trackedEntities", te, "attributes[attribute]")
    assert found == {"attributes": [{"attribute": NAME}]}


@everywhere
def test_an_enrollment_and_an_event_are_completed_and_opened_again(cycle: Cycle):
    te, en, ev = uid(), uid(), uid()
    cycle.send({"trackedEntities": [entity(te, enrollments=[enrollment(en, events=[event(ev)])])]})
    cases = (("enrollments", en, enrollment(en, te)), ("events", ev, event(ev, en)))
    for kind, key, body in cases:
        for status, completed in (("COMPLETED", True), ("ACTIVE", False)):
            assert cycle.send({kind: [{**body, "status": status}]}).counts == {"updated": 1}
            found = cycle.get(kind, key, "status,completedAt")
            assert found is not None
            assert (found["status"], "completedAt" in found) == (status, completed)


@everywhere
def test_one_active_enrollment_and_one_event_of_a_stage_that_does_not_repeat(cycle: Cycle):
    te, en = uid(), uid()
    cycle.send({"trackedEntities": [entity(te, enrollments=[enrollment(en)])]})
    assert cycle.send({"enrollments": [enrollment(uid(), te)]}).codes == ["E1015"]
    assert cycle.send({"events": [event(uid(), en, stage=BIRTH)]}).counts == {"created": 1}
    assert cycle.send({"events": [event(uid(), en, stage=BIRTH)]}).codes == ["E1039"]
    assert cycle.send({"enrollments": [enrollment(en, te, status="CANCELLED")]}).counts == {"updated": 1}
    assert cycle.send({"enrollments": [enrollment(uid(), te)]}).counts == {"created": 1}


@everywhere
def test_a_single_event(cycle: Cycle):
    ev = uid()
    assert cycle.send({"events": [event(ev, stage=REPORT)]}).counts == {"created": 1}
    found = cycle.get("events", ev, "status,dataValues[value]")
    assert found == {"status": "ACTIVE", "dataValues": [{"value": "60"}]}
    assert cycle.send({"events": [{"event": ev}]}, "DELETE").counts == {"deleted": 1}
    assert cycle.get("events", ev) is None


@everywhere
def test_a_relationship_is_one_whichever_way_it_is_said(cycle: Cycle):
    one, other, link = uid(), uid(), uid()
    cycle.send({"trackedEntities": [entity(one), entity(other)]})
    assert cycle.send({"relationships": [sibling(link, one, other)]}).counts == {"created": 1}
    assert cycle.send({"relationships": [sibling(uid(), other, one)]}).codes == ["E4018"]
    assert cycle.send({"relationships": [sibling(uid(), one, one)]}).codes == ["E4000"]
    for key in (one, other):
        found = cycle.get("trackedEntities", key, "relationships[relationship]")
        assert found == {"relationships": [{"relationship": link}]}


@everywhere
def test_an_import_in_a_job_ends_with_the_report_of_one_without(cycle: Cycle):
    te = uid()
    cycle.made["trackedEntities"].add(te)
    answer = cycle.http.post("/api/tracker", json={"trackedEntities": [entity(te)]})
    job = answer.json()["response"]["id"]
    assert cycle.wait(job)[0]["message"].startswith("Import complete with status OK, 1 created")
    report = cycle.http.get(f"/api/tracker/jobs/{job}/report").json()
    assert (report["status"], report["stats"]["created"]) == ("OK", 1)
    assert cycle.get("trackedEntities", te) is not None


@everywhere
def test_pages_lose_nothing(cycle: Cycle):
    keys = sorted(uid() for _ in range(5))
    cycle.send({"trackedEntities": [entity(key, enrollments=[enrollment(uid())]) for key in keys]})
    found: list[str] = []
    for number in ("1", "2", "3", "4"):
        body = cycle.page("trackedEntities", page=number, pageSize="2", order="createdAt:asc")
        found += [row["trackedEntity"] for row in body["trackedEntities"] if row["trackedEntity"] in keys]
        if not body["trackedEntities"]:
            break
    assert sorted(found) == keys
