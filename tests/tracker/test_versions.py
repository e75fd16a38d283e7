"""What is asked of each version is what it knows: a parameter that it does not know it ignores without a word, and gives everything."""

import gzip
import json
from collections.abc import Mapping, Sequence

import pytest

from dhis2sh.client.tracker import Kind, Tracker
from dhis2sh.client.versions import ServerVersion, parse_version
from dhis2sh.session import Session
from dhis2sh.tracker import asking
from dhis2sh.tracker.asking import Asked, Query
from dhis2sh.tracker.programs import Item, Program, Stage, Type
from tests.shared import needs_shared, shared

ITEM = Item("teaGiven001", "Given name", None, "TEXT", None)
STAGE = Stage("psVisit0001", "Visit", None, True, True, [ITEM])
PROGRAM = Program(
    "prChildren1", "Children", None, Type("tetPerson01", "Person", True, [ITEM]), [ITEM], [STAGE], frozenset({"ouClinicA01"}),
    False, False, False, False, None, True, True, "OPEN",
)  # fmt: skip
WHERE = {"org_unit": ["ouClinicA01"], "children": True, "status": "ACTIVE", "enrolled_after": "2025-01-01",
         "enrolled_before": "2025-12-31", "updated_after": "2025-01-01"}  # fmt: skip


class Of:
    """A server that only says its version."""

    def __init__(self, version: str) -> None:
        self._version = parse_version(version)

    async def version(self) -> ServerVersion:
        return self._version


async def queries() -> list[Query]:
    """Every question that is asked, with everything that can be said in it."""
    s = Session("sandbox")  # a condition on a text asks no server
    asked = Asked(**WHERE, filter=["Given name:eq:x"])  # type: ignore[arg-type]
    return [
        await asking.entities(s, PROGRAM, asked),
        asking.enrollments(PROGRAM, Asked(**WHERE)),  # type: ignore[arg-type]
        await asking.events(s, PROGRAM, asked, stage=STAGE, status="ACTIVE", after="2025-01-01", before="2025-12-31"),
    ]


async def names(version: str, query: Query) -> set[str]:
    tracker = Tracker(Of(version))  # type: ignore[arg-type]
    order = parse_version(version).behaviour.tracker_order.get(query.kind)
    sent = await tracker._query(query.kind, query.units, query.mode, {**query.params, "order": order, "fields": "x"})
    return {name for name, value in sent.items() if value is not None}


def known(version: str, kind: Kind) -> set[str]:
    """The parameters that a version's OpenAPI lists."""
    with gzip.open(shared("real", version, "openapi.json.gz")) as file:
        paths: Mapping[str, Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]] = json.load(file)["paths"]
    path = paths.get(f"/api/tracker/{kind}/") or paths.get(f"/api/tracker/{kind}") or paths[f"/tracker/{kind}/"]
    return {(one.get("name") or one["$ref"]).rpartition("/")[2].rpartition(".")[2] for one in path["get"]["parameters"]}


@needs_shared
@pytest.mark.parametrize("version", ["41", "42", "43", "44"])
async def test_every_parameter_is_one_of_the_version(version: str):
    for query in await queries():
        sent = await names(f"2.{version}.1", query)
        assert len(sent) >= 8
        assert sent <= known(f"v{version}", query.kind), (version, query.kind)


@pytest.mark.parametrize(("version", "kind", "name"), [
    ("2.41.9", "trackedEntities", "programStatus"), ("2.42.5", "trackedEntities", "enrollmentStatus"),
    ("2.41.9", "enrollments", "programStatus"), ("2.43.1", "enrollments", "status"),
    ("2.41.9", "events", "programStatus"), ("2.44.0", "events", "enrollmentStatus"),
])  # fmt: skip
async def test_the_state_of_enrollments_is_asked_by_the_versions_name(version: str, kind: str, name: str):
    query = next(query for query in await queries() if query.kind == kind)
    assert name in await names(version, query)


async def test_the_order_of_pages_is_one_that_the_version_can_do():
    """On 2.43 tracked entities by UID fail: 409, SqlState 42702."""
    entities = (await queries())[0]
    assert "order" in await names("2.42.5", entities)
    assert "order" not in await names("2.43.1", entities)
    assert parse_version("2.43.1").behaviour.tracker_order["events"] == "event:asc"
