"""The sandbox under stress: killed while it loads, asked anything, and large."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from tests.measuring import unmeasured
from tests.shared import needs_shared

LOADER = """
import sys
from pathlib import Path
from dhis2sh.sandbox.load import load
from dhis2sh.sandbox.areas import open_store
store = open_store(Path(sys.argv[1]))
units = [{"id": f"ou{n:09}", "name": f"Unit {n}", "shortName": f"Unit {n}"} for n in range(30_000)]
print("loading", flush=True)
while True:
    load(store, {"organisationUnits": units, "dataElements": [{"id": "deKilled001", "name": "with the units"}]})
"""


@pytest.mark.parametrize("after", [0.05, 0.4])
def test_a_kill_in_the_middle_of_a_load_leaves_all_of_it_or_nothing(tmp_path: Path, after: float) -> None:
    path = tmp_path / "sandbox.db"
    with subprocess.Popen(
        [sys.executable, "-c", LOADER, str(path)], stdout=subprocess.PIPE, text=True, env=unmeasured()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
    store = open_store(path)
    assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    units = len(store.objects("organisationUnits"))
    assert units in {0, 30_000}
    assert (store.get("dataElements", "deKilled001") is None) == (units == 0)
    store.put_objects({"dataElements": [{"id": "deNew000001", "name": "still writes"}]})
    store.close()


# Anything that anybody may ask --------------------------------------------------------------------------------------------

PLURALS = ["dataElements", "organisationUnits", "dataElementGroups", "categoryCombos", "users", "visualizations", "dataSets",
           "optionSets", "programs", "maps", "userGroups", "legendSets", "indicators", "attributes"]  # fmt: skip
NAMES = ["id", "name", "code", "level", "created", "valueType", "categoryCombo.name", "dataElementGroups", "parent.id",
         "attributeValues", "noSuch", "sharing", "access", "dataSetElements.dataSet.name", "periodType", "children",
         "translations"]  # fmt: skip
OPERATORS = ["eq", "ilike", "!in", "in", "gt", "null", "empty", "token", "!like", "noop", "!null", "le"]
VALUES = ["BCG", "[a,b]", "2", "", "2024-01-01", "true", "NUMBER", "é,:", "deNumber001"]
FIELDS = ["*", ":all", ":owner", "id,name", "name~rename(x)", "dataElements[id,name~size]", "!id", "x[", "access[read]",
          ":simple,children~pluck(name)", "sharing[users]", "path,level,ancestors[*]"]  # fmt: skip
QUERY = st.lists(
    st.one_of(
        st.tuples(st.just("filter"), st.builds(lambda n, o, v: f"{n}:{o}:{v}", *map(st.sampled_from, (NAMES, OPERATORS, VALUES)))),
        st.tuples(st.just("fields"), st.sampled_from(FIELDS)),
        st.tuples(st.just("order"), st.builds(lambda n, d: f"{n}:{d}", st.sampled_from(NAMES), st.sampled_from(["asc", "idesc", "up"]))),
        st.tuples(st.sampled_from(["page", "pageSize"]), st.sampled_from(["1", "0", "-1", "x", "3"])),
        st.tuples(st.sampled_from(["paging", "headless", "totalPages", "rootJunction", "auto", "defaults", "query"]),
                  st.sampled_from(["true", "false", "OR", "XL", "EXCLUDE", "bcg"])),
    ),
    max_size=4,
)  # fmt: skip
PATHS = st.builds(
    lambda plural, rest: f"/api/{plural}{rest}",
    st.sampled_from(PLURALS),
    st.sampled_from(["", "/gist", "/deNumber001", "/deNumber001/gist", "/deGroup0001/dataElements", "/ouCountry01/children",
                     "/deGroup0001/dataElements/gist", "/x", "/deNumber001/noSuch", ".csv"]),
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "deNumber001", "NUMBER", "2020-01-01", "é"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*NAMES[:6], "dataElements", "users"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def any_api() -> Any:
    from tests.conftest import small_metadata

    store = open_store(None)
    store.put_objects(small_metadata())
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        yield client
    store.close()


@given(path=PATHS, query=QUERY)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_read_breaks_the_server(any_api: TestClient, path: str, query: list[tuple[str, str]]) -> None:
    answer = any_api.get(path, params=query)  # an exception in a handler would be raised here
    assert answer.status_code < 500, answer.text


@given(plural=st.sampled_from(PLURALS), body=JSON)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_write_breaks_the_server(any_api: TestClient, plural: str, body: Any) -> None:
    for answer in (
        any_api.post(f"/api/{plural}", json=body),
        any_api.post("/api/metadata?importMode=VALIDATE", json={plural: body}),
        any_api.patch("/api/dataElements/deNumber001", content=json.dumps(body),
                      headers={"Content-Type": "application/json-patch+json"}),
    ):  # fmt: skip
        if answer.status_code >= 500:  # where a real server gives 500 too: what its JSON reader cannot read
            assert answer.headers["content-type"].startswith("application/json")
            said = answer.json()["message"]
            words = (" at [Source: ", "annot", "Invalid date format", "Points of LinearRing")
            assert answer.status_code == 501 or any(word in said for word in words), said


@needs_shared
def test_a_whole_export_imports_into_itself(real_api: TestClient) -> None:
    export = real_api.get("/api/metadata").json()
    report = real_api.post("/api/metadata?importMode=VALIDATE", json=export).json()["response"]
    assert report["stats"]["ignored"] == 0, [part for part in report["typeReports"] if part["objectReports"]][:3]


# Large ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large_api() -> Any:
    """A hundred thousand units in memory."""
    store = open_store(None)
    districts = [{"id": f"di{n:09}", "name": f"District {n}", "parent": {"id": "root0000001"}} for n in range(100)]
    units = [
        {"id": f"ou{n:09}", "name": f"Facility {n * 7919 % 100_000}", "parent": {"id": f"di{n % 100:09}"}}
        for n in range(100_000)
    ]
    store.put_objects({"organisationUnits": [{"id": "root0000001", "name": "Country"}, *districts, *units]})
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        client.get("/api/organisationUnits")
        yield client
    store.close()


@pytest.mark.parametrize(
    "query",
    ["filter=name:ilike:facility 77", "filter=level:eq:3", "filter=parent.id:eq:di000000005", "query=Facility 12", "page=100"],
)  # fmt: skip
def test_a_page_of_a_hundred_thousand_units(large_api: TestClient, query: str) -> None:
    answer = large_api.get(f"/api/organisationUnits?{query}")
    assert answer.status_code == 200
    assert 0 < len(answer.json()["organisationUnits"]) <= 50


def test_a_write_among_a_hundred_thousand_units_is_seen_at_once(large_api: TestClient) -> None:
    body = {"name": "New", "shortName": "New", "openingDate": "2020-01-01", "parent": {"id": "di000000005"}}
    assert large_api.post("/api/organisationUnits", json=body).status_code == 201
    assert large_api.get("/api/organisationUnits?filter=name:eq:New").json()["pager"]["total"] == 1
