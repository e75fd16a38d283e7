"""What the sandbox refuses in its own words: addresses that it does not have, bodies and queries without measure, strangers."""

import gzip
import io
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.http import bodies
from dhis2sh.sandbox.importer.pipeline import Importer
from dhis2sh.sandbox.serve import OnlyHere
from tests.sandbox.test_owners import shown
from tests.sandbox.test_writes import ELEMENT, made


def not_imitated(answer: Any) -> bool:
    return answer.status_code == 501 and answer.json()["message"].startswith("the sandbox does not imitate ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/metrics"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/sms/outbound"),
        ("GET", "/api/categories/gist.csv"),
        ("GET", "/api/configuration/corsAllowlist"),
        ("POST", "/api/dataEntry/dataSetCompletion"),
        ("GET", "/api/analytics/enrollments/query/IpHINAT79UW/explain"),
        ("POST", "/api/sms/outbound"),
        ("POST", "/api/configuration/facilityOrgUnitLevel"),
    ],
)
def test_an_address_of_a_server_that_is_not_imitated_says_so(api: TestClient, method: str, path: str) -> None:
    answer = api.request(method, path)
    assert not_imitated(answer), answer.text
    assert f"{method} {path}" in answer.json()["message"]


def test_an_address_that_no_server_has_is_none(api: TestClient) -> None:
    assert api.get("/api/noSuchThing").status_code == 404
    assert "No static resource" in api.get("/api/noSuchThing").text
    assert api.get("/api/dataElements/deNumber001/noSuchProperty").json() == {}


@pytest.mark.parametrize(
    ("path", "heeded"),
    [
        ("organisationUnits?maxLevel=2", False),
        ("organisationUnits?withinUserHierarchy=true&fields=id", False),
        ("organisationUnits?withinUserHierarchy=false", True),
        ("dataElements/gist?describe=true", False),
        ("42/organisationUnits?userOnly=true", False),
        ("organisationUnits?noSuchParameter=1", True),
    ],
)
def test_a_parameter_that_would_change_the_answer_is_not_left_out_silently(
    api: TestClient, path: str, heeded: bool
) -> None:  # fmt: skip
    answer = api.get(f"/api/{path}")
    assert (answer.status_code == 200) is heeded
    assert heeded or (not_imitated(answer) and "the parameter " in answer.json()["message"])


def test_a_roll_keeps_the_latest_values(api: TestClient) -> None:
    api.post("/api/dataStore/yard/log", json={})
    for value in ("one", "two", "three"):
        assert api.put("/api/dataStore/yard/log?path=last&roll=2", json=value).status_code == 200
    assert api.get("/api/dataStore/yard/log").json() == {"last": ["two", "three"]}
    assert not_imitated(api.put("/api/dataStore/yard/log?roll=2", json="x"))


def zipped(names: list[str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, '{"constants": [{"name": "Pi", "shortName": "Pi", "value": 3}]}')
    return out.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"{}" * 5000)[:-20],
        b"\x1f\x8bnothing",
        zipped(["a.json"])[:60],
        b"PK\x03\x04",
    ],
)
def test_r_a_broken_packed_body_is_told(api: TestClient, body: bytes) -> None:
    assert not_imitated(api.post("/api/metadata", content=body, headers={"Content-Type": "application/octet-stream"}))


def test_r_a_packed_body_unfolds_within_bounds(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Content-Type": "application/zip"}
    assert api.post("/api/metadata", content=zipped(["a.json"]), headers=headers).status_code == 200
    monkeypatch.setattr(bodies, "MOST_UNPACKED", 1 << 20)
    for packed in (gzip.compress(b" " * (2 << 20)), gzip.compress(b" " * (64 << 20))):
        answer = api.post("/api/metadata", content=packed, headers={"Content-Type": "application/gzip"})
        assert answer.status_code == 413


@pytest.mark.parametrize("fields", ["parent[" * 3000, "(" * 3000])
def test_r_fields_without_bottom_are_refused(api: TestClient, fields: str) -> None:
    assert not_imitated(api.get("/api/dataElements", params={"fields": fields}))


@pytest.mark.parametrize("name", ["page", "pageSize"])
def test_r_a_number_beyond_an_int_is_none(api: TestClient, name: str) -> None:
    assert api.get("/api/dataElements", params={name: 2**31 - 1}).status_code == 200
    answer = api.get("/api/dataElements", params={name: 2**31})
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Value '2147483648' is not valid for parameter {name}. It should be of type int"


def test_r_bytes_in_a_view_are_written_as_postgresql_does(api: TestClient) -> None:
    view = made(api, "sqlViews", name="Bytes", sqlQuery="select x'00ff' as b, 1 as n", type="QUERY")
    assert api.get(f"/api/sqlViews/{view}/data").json()["listGrid"]["rows"] == [["\\x00ff", "1"]]


def test_r_no_unit_stands_below_itself(api: TestClient) -> None:
    unit = {"openingDate": "2020-01-01"}
    above = made(api, "organisationUnits", name="Above", shortName="A", **unit)
    below = made(api, "organisationUnits", name="Below", shortName="B", parent={"id": above}, **unit)
    for uid, parent in ((above, below), (above, above)):
        body = {"name": "Above", "shortName": "A", "parent": {"id": parent}, **unit}
        assert not_imitated(api.put(f"/api/organisationUnits/{uid}", json=body))
    assert shown(api, f"organisationUnits/{above}", "parent[id],path") == {"path": f"/{above}"}
    assert api.patch(
        f"/api/organisationUnits/{below}", json=[{"op": "remove", "path": "/parent"}],
        headers={"Content-Type": "application/json-patch+json"},
    ).status_code == 200  # fmt: skip


def test_r_the_sandbox_answers_to_this_machine_by_its_own_name_only() -> None:
    store = open_store()
    with TestClient(OnlyHere(create_app(store)), base_url="http://127.0.0.1:8080") as api:
        api.auth = ("admin", "district")
        for host in ("127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"):
            assert api.get("/api/me", headers={"Host": host}).status_code == 200
        for host in ("evil.example:8080", "", "[", "127.0.0.1.evil.example", "0.0.0.0:8080"):
            answer = api.get("/api/me", headers={"Host": host})
            assert (answer.status_code, "answers to 127.0.0.1" in answer.text) == (421, True), host
    store.close()


def test_r_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    def rights(name: str) -> int:
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    store = open_store(tmp_path / "new.db")
    assert {rights(path.name) for path in tmp_path.glob("new.db*")} == {0o600}
    store.close()
    (tmp_path / "new.db").chmod(0o644)
    open_store(tmp_path / "new.db").close()
    assert rights("new.db") == 0o600


def test_what_breaks_in_the_sandbox_is_said_to_be_its_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Importer, *_: Any, **__: Any) -> Any:
        raise IndexError("list index out of range")

    monkeypatch.setattr(Importer, "one", broken)
    store = open_store()
    with TestClient(create_app(store), base_url="http://sandbox", raise_server_exceptions=False) as api:
        answer = api.post("/api/dataElements", json=ELEMENT, auth=("admin", "district"))
    assert answer.status_code == 500
    assert "the sandbox failed at POST /api/dataElements (IndexError)" in answer.json()["message"]
    store.close()


@pytest.mark.parametrize(
    "path",
    [
        "/api/auth/login",
        "/api/dataAnalysis/validationRules",
        "/api/users/M5zQapPyTZI/replica",
        "/api/scheduler/queues/x",
    ],
)
def test_a_body_of_another_kind_is_told(api: TestClient, path: str) -> None:
    for body in ([1], "x", 7):
        answer = api.post(path, json=body)
        assert not_imitated(answer) or answer.status_code < 500, answer.text
