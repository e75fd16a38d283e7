"""Objects in parts: which go together, in which order, how many are held, and what comes of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response

from dhis2sh.client.parts import NotTaken, Outcome, Part, Reported, Unanswered, parts_of, send_part
from dhis2sh.client.requests import Rehearsed, rehearsing
from dhis2sh.errors import ReadOnlyProfile, UsageError
from dhis2sh.models import facts
from dhis2sh.types import JsonObject
from tests.fakes.objects import Fake, problem

TYPES = facts.types("v42")
GOOD, BAD = {"id": "deElement01", "name": "good"}, {"id": "deElement02", "name": "bad"}


def unit(number: int, parent: int | None = None) -> tuple[str, JsonObject]:
    above: JsonObject = {} if parent is None else {"parent": {"id": f"ouUnit{parent:05}"}}
    return "organisationUnits", {"id": f"ouUnit{number:05}", "name": "u", **above}


def element(number: int) -> tuple[str, JsonObject]:
    return "dataElements", {"id": f"deElement{number:02}", "name": "e"}


def shown(parts: Iterator[Part]) -> list[tuple[int, list[int]]]:
    return [(part.wave, list(part.numbers)) for part in parts]


def test_what_fits_in_one_part_is_one_in_the_order_given():
    [part] = parts_of([unit(1, 2), element(1), unit(2)], "CREATE", types=TYPES, size=3)
    assert part.uids == ["ouUnit00001", "ouUnit00002", "deElement01"]
    assert part.numbers == [0, 2, 1], "the place of each object in what was given, in the order that it is sent"


def test_more_goes_type_by_type_and_parts_of_a_type_side_by_side():
    objects = [element(1), element(2), element(3), unit(1)]
    assert shown(parts_of(objects, "CREATE", types=TYPES, size=2)) == [(0, [3]), (1, [0, 1]), (1, [2])]
    assert shown(parts_of(objects, "DELETE", types=TYPES, size=2)) == [(0, [0, 1]), (0, [2]), (1, [3])]


def test_parents_go_first_each_part_after_the_other_and_last_where_they_are_deleted():
    objects = [unit(1, 2), unit(2, 3), unit(3)]
    assert shown(parts_of(objects, "CREATE", types=TYPES, size=1)) == [(0, [2]), (1, [1]), (2, [0])]
    assert shown(parts_of(objects, "DELETE", types=TYPES, size=1)) == [(0, [0]), (1, [1]), (2, [2])]


def test_objects_that_are_deleted_by_uid_alone_keep_their_order():
    objects: list[tuple[str, JsonObject]] = [("organisationUnits", {"id": f"ouUnit{n:05}"}) for n in (3, 1, 2)]
    assert shown(parts_of(objects, "DELETE", types=TYPES, size=2)) == [(0, [0, 1]), (1, [2])]


def test_types_that_refer_to_each_other_are_one_part_of_any_size():
    objects: list[tuple[str, JsonObject]] = [
        ("programStages", {"id": "psStage0001"}),
        ("programs", {"id": "prProgram01"}),
        ("programStages", {"id": "psStage0002"}),
    ]
    [part] = parts_of(objects, "CREATE", types=TYPES, size=1)
    assert {plural: len(items) for plural, items in part.objects.items()} == {"programStages": 2, "programs": 1}


def test_a_unit_above_itself_is_refused_and_groups_may_manage_each_other():
    with pytest.raises(UsageError, match="ouUnit00001 is under ouUnit00002 is under ouUnit00001: that is a circle"):
        list(parts_of([unit(1, 2), unit(2, 1)], "CREATE", types=TYPES, size=1))
    groups: list[tuple[str, JsonObject]] = [
        ("userGroups", {"id": "ugGroup0001", "managedGroups": [{"id": "ugGroup0002"}]}),
        ("userGroups", {"id": "ugGroup0002", "managedGroups": [{"id": "ugGroup0001"}]}),
    ]
    assert sorted(number for part in parts_of(groups, "CREATE", types=TYPES, size=1) for number in part.numbers) == [
        0,
        1,
    ]


def test_a_hierarchy_may_be_deeper_than_python_recurses():
    objects = [unit(n, n + 1) for n in range(3000)]
    parts = list(parts_of(objects, "CREATE", types=TYPES, size=1000))
    assert [part.numbers[0] for part in parts] == [2999, 1999, 999]


def test_objects_in_order_are_taken_as_they_are_sent_and_no_more_than_one_part_is_held():
    taken: list[int] = []

    def objects() -> Iterator[tuple[str, JsonObject]]:
        for number in range(10):
            taken.append(number)
            yield element(number)

    parts = parts_of(objects(), "CREATE", size=2)
    assert (next(parts).numbers, len(taken)) == ([0, 1], 2)
    assert (next(parts).wave, len(taken)) == (1, 4)


def test_nothing_is_no_part_and_all_or_nothing_is_one():
    assert not list(parts_of([], "CREATE", types=TYPES))
    assert not list(parts_of([], "CREATE", size=None))
    assert len(list(parts_of([element(n) for n in range(9)], "CREATE", types=TYPES, size=None))) == 1


def test_of_what_is_deleted_only_the_uid_is_sent():
    [part] = parts_of([unit(1, 2)], "DELETE")
    assert part.body() == {"organisationUnits": [{"id": "ouUnit00001"}]}


async def sent(answer: Response | None = None) -> Outcome:
    """What comes of a part with a good and a bad object, or of a server that answers otherwise."""
    fake = Fake(objects={"dataElements": {}}, answers={("POST", "metadata"): answer} if answer else {})
    [part] = parts_of([("dataElements", GOOD), ("dataElements", BAD)], "CREATE")
    async with fake.client() as client:
        outcome = await send_part(client, part, atomic_mode="NONE")
    assert [seen.query for seen in fake.of("POST")] == [[("importStrategy", "CREATE"), ("atomicMode", "NONE")]]
    return outcome


async def test_a_report_says_who_was_refused():
    outcome = await sent()
    assert isinstance(outcome, Reported)
    assert (outcome.message.import_count.created, [row.uid for row in outcome.message.conflicts]) == (
        1,
        ["deElement02"],
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("page", ["json", "html"])
async def test_a_5xx_without_a_report_is_unanswered_whoever_sent_it(status: int, page: str):
    answer = problem(status, "upstream timed out") if page == "json" else HTMLResponse("<h1>Gateway</h1>", status)
    outcome = await sent(answer)
    assert isinstance(outcome, Unanswered)
    assert getattr(outcome.error, "status", None) == status


async def test_a_5xx_with_a_report_is_reported():
    report = {"status": "ERROR", "stats": {"ignored": 2, "total": 2}, "typeReports": []}
    outcome = await sent(
        JSONResponse({"httpStatusCode": 500, "httpStatus": "X", "status": "ERROR", "response": report}, 500)
    )
    assert isinstance(outcome, Reported)
    assert outcome.message.import_count.ignored == 2


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413])
async def test_a_4xx_without_a_report_was_not_taken(status: int):
    outcome = await sent(problem(status, "no"))
    assert isinstance(outcome, NotTaken)


async def test_an_answer_that_is_no_report_leaves_it_open():
    outcome = await sent(JSONResponse({"hello": "world"}))
    assert isinstance(outcome, Unanswered)
    assert "is no import report" in outcome.error.message


async def test_what_no_part_would_survive_is_raised():
    fake = Fake(objects={"dataElements": {}})
    [part] = parts_of([("dataElements", GOOD)], "CREATE")
    async with fake.client(read_only=True) as client:
        with pytest.raises(ReadOnlyProfile):
            await send_part(client, part)
    async with fake.client() as client:
        await client.version()
        with rehearsing() as lines, pytest.raises(Rehearsed):
            await send_part(client, part)
    assert lines == ["POST /api/metadata?importStrategy=CREATE"]
    assert fake.of("POST") == []
