"""Faults: the same ones for the same seed, and a client that copes with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import BrokenAnswer, ServerFault, SignInError, UsageError
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.faults import Faults, Plan, deletions
from dhis2sh.sandbox.store.database import Store


@pytest.fixture
def store() -> Iterator[Store]:
    store = open_store()
    yield store
    store.close()


def client_of(store: Store, *faults: str) -> Client:
    app = create_app(store, faults=Faults.parse(faults))
    rule = RetryRule(attempts=3, base=0.0)
    return Client(
        ConnectionSettings("http://sandbox", profile="play"), Basic("admin", "district"), asgi_app=app, retry=rule
    )


def ask(client: Client) -> object:
    async def run() -> object:
        async with client:
            return await client.get("/api/me", {"fields": "username"})

    return asyncio.run(run())


def test_a_seed_decides_which_requests_fail():
    def fates(seed: int) -> list[bool]:
        faults = Faults.parse(["status=503@30%", f"seed={seed}"])
        return [faults.plan("/api/me").status == 503 for _ in range(100)]

    assert fates(7) == fates(7) != fates(8)
    assert 15 < sum(fates(7)) < 45


def test_faults_can_be_limited_to_first_requests_and_to_a_path():
    faults = Faults.parse(["status=500", "first=1", "only=/api/dataElements"])
    assert faults.plan("/api/me") == Plan()
    assert faults.plan("/api/dataElements").status == 500
    assert faults.plan("/api/dataElements") == Plan()


@pytest.mark.parametrize(
    "text",
    [
        "nonsense=1",
        "drop=often",
        "drop=120%",
        "status=200",
        "latency=soon",
        "first=x",
        "slow-body=x",
        "lost=404",
        "late=soon",
        "slow-deletes=x",
    ],
)
def test_what_is_no_fault_is_refused_with_the_list(text: str):
    with pytest.raises(UsageError) as caught:
        Faults.parse([text])
    assert "latency=50ms-1s" in (caught.value.hint or "")


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_a_read_is_repeated_until_the_server_is_back(store: Store, status: int):
    assert ask(client_of(store, f"status={status}", "first=2")) == {"username": "admin"}


def test_a_server_that_stays_down_is_a_fault_in_the_end(store: Store):
    with pytest.raises(ServerFault):
        ask(client_of(store, "status=503"))


def test_retry_after_is_waited_for(store: Store):
    loop_time: list[float] = []

    async def run() -> object:
        async with client_of(store, "status=503", "first=1", "retry-after=1") as client:
            loop_time.append(asyncio.get_running_loop().time())
            answer = await client.get("/api/me", {"fields": "username"})
            loop_time.append(asyncio.get_running_loop().time())
            return answer

    assert asyncio.run(run()) == {"username": "admin"}
    assert loop_time[1] - loop_time[0] >= 0.9


def test_a_login_page_means_sign_in_again(store: Store):
    with pytest.raises(SignInError):
        ask(client_of(store, "html-login"))


@pytest.mark.parametrize("fault", ["truncate=100%", "drop=100%"])
def test_a_cut_body_is_never_taken_for_the_answer(store: Store, fault: str):
    with pytest.raises(BrokenAnswer):
        ask(client_of(store, fault))


def test_a_slow_body_arrives_whole(store: Store):
    assert ask(client_of(store, "slow-body=100ms", "latency=1ms-5ms")) == {"username": "admin"}


def written(store: Store, *faults: str) -> tuple[int, str, float, bool]:
    """A constant is posted: status, content type, seconds, and whether the store has it."""
    with TestClient(create_app(store, faults=Faults.parse(faults)), base_url="http://sandbox") as api:
        began = time.monotonic()
        body = {"name": "Pi", "shortName": "Pi", "value": 3.14}
        answer = api.post("/api/constants", json=body, auth=("admin", "district"))
        lasted = time.monotonic() - began
    found = any(one["name"] == "Pi" for one in store.objects("constants").values())
    return answer.status_code, answer.headers["content-type"].partition(";")[0], lasted, found


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("lost=504", 504, "text/html"),
        ("lost=502-json", 502, "application/json"),
        ("late=300ms", 201, "application/json"),
    ],
)
def test_t6_what_is_written_is_written_whatever_the_answer(store: Store, fault: str, status: int, kind: str):
    answer, media, lasted, found = written(store, fault)
    assert (answer, media, found) == (status, kind, True)
    assert lasted >= (0.3 if fault.startswith("late") else 0)


def test_a_read_is_not_lost(store: Store):
    assert ask(client_of(store, "lost=504", "late=30s")) == {"username": "admin"}


def test_t5_deletes_take_their_time(store: Store):
    store.put_objects({"constants": [{"id": f"constant{n:03}", "name": str(n), "value": 1.0} for n in range(20)]})
    named = {"constants": [{"id": f"constant{n:03}"} for n in range(20)]}
    with TestClient(create_app(store, faults=Faults.parse(["slow-deletes=20ms"])), base_url="http://sandbox") as api:
        began = time.monotonic()
        answer = api.post("/api/metadata?importStrategy=DELETE", json=named, auth=("admin", "district"))
        assert answer.json()["response"]["stats"]["deleted"] == 20
        assert time.monotonic() - began >= 0.4
    assert deletions("POST", b"importStrategy=CREATE", b"{}") == 0
    assert deletions("DELETE", b"", b"") == 1
    assert Faults.parse(["slow-deletes"]).slow_deletes * 300 == pytest.approx(9.6)


def test_what_is_not_imitated_is_no_failure_of_a_server(store: Store):
    async def run() -> None:
        async with client_of(store) as client:
            await client.get("/api/metrics")

    with pytest.raises(
        ServerFault, match="the sandbox does not imitate GET /api/metrics; try it on a server"
    ) as caught:
        asyncio.run(run())
    assert caught.value.hint == "dhis2 profile list  shows the servers to try it on"
