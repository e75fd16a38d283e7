"""The gist of lists, objects and collections: its own filters, orders and transformations."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.sandbox.test_writes import made


def names(api: TestClient, *filters: str, **query: Any) -> list[str]:
    answer = api.get(
        "/api/dataElements/gist", params={"fields": "name", "headless": "true", "filter": list(filters), **query}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name:like:BCG", ["BCG doses given"]),
        ("name~like~BCG", ["BCG doses given"]),
        ("name::ilike::bcg", ["BCG doses given"]),
        ("name:startsWith:bcg", ["BCG doses given"]),
        ("name:$like:bcg", []),
        ("name:endsWith:GIVEN", ["BCG doses given"]),
        ("name:in:[BCG doses given,x]", ["BCG doses given"]),
        ("code:null", []),
        ("dataElementGroups:empty", []),
    ],
)
def test_the_operators_of_a_gist(api: TestClient, text: str, expected: list[str]) -> None:
    assert [name for name in names(api, text) if name == "BCG doses given"] == expected


def test_filters_with_one_number_are_alternatives(api: TestClient) -> None:
    both = names(api, "1:name:like:BCG", "1:valueType:eq:TEXT")
    assert len(both) == len(names(api, "name:like:BCG", "valueType:eq:TEXT", rootJunction="OR")) == 2
    assert names(api, "name:like:BCG", "valueType:eq:TEXT") == []


def test_what_a_user_may_do_is_a_filter(api: TestClient) -> None:
    role = made(api, "userRoles", name="Reader", authorities=[])
    user = made(api, "users", username="reader", firstName="R", surname="R", password="Distr1ct-Wire!",
                userRoles=[{"id": role}])  # fmt: skip
    made(api, "dataElements", name="Hidden", shortName="Hidden", valueType="NUMBER", domainType="AGGREGATE",
         aggregationType="SUM", sharing={"public": "--------"})  # fmt: skip
    seen = names(api, f"id:canRead:{user}", pageSize="1000")
    assert "Hidden" not in seen
    assert "Hidden" in names(api, "id:canRead", pageSize="1000")
    assert names(api, f"id:canAccess:[{user},rw]", "name:eq:Hidden") == []


def test_orders_and_pages(api: TestClient) -> None:
    down = names(api, order="name:desc", pageSize="2")
    assert down == sorted(names(api, pageSize="1000"), reverse=True)[:2]
    body = api.get("/api/dataElements/gist?fields=id&pageSize=1&totalPages=true&pageListName=rows").json()
    assert (len(body["rows"]), body["pager"]["page"], "nextPage" in body["pager"]) == (1, 1, True)


def test_transformations(api: TestClient) -> None:
    fields = "dataElements~size~rename(n),dataElements::pluck(name),dataElements|ids~rename(uids),dataElements~member(deNumber001)~rename(in)"
    shown = api.get(f"/api/dataElementGroups/deGroup0001/gist?fields={fields}&references=false").json()
    assert shown["n"] == len(shown["dataElements"]) == len(shown["uids"]) == 2
    assert (shown["in"], "BCG doses given" in shown["dataElements"]) == (True, True)
    several = api.get("/api/dataElementGroups/deGroup0001/gist?fields=id,dataElements~pluck(id,name)&references=false")
    assert {"id": "deNumber001", "name": "BCG doses given"} in several.json()["dataElements"]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("filter=name:null:x", 400, "Filter `name:null:[x]` uses an unary operator and does not need an argument."),
        ("filter=name:eq", 400, "Filter `name:eq:[]` uses a binary operator that does need an argument."),
        ("filter=name:gt:[a,b]", 400, "Filter `name:gt:[a, b]` can only be used with a single argument."),
        ("filter=name:is:x", 400, "Not an comparison operator symbol: is"),
        ("filter=noSuch:eq:x", 400, "Property `noSuch` does not exist in dataElement"),
        ("filter=name", 400, "Not a valid filter expression: name"),
        ("order=dataElementGroups", 400, "Property `dataElementGroup` cannot be used as order property."),
        ("fields=:unknown", 409, "Field not supported: `:unknown`"),
        ("fields=id,dataElementGroups~pluck(displayName)", 400,
         "Property `displayName` cannot be plucked as it is not a persistent field."),
        ("fields=id,dataElementGroups~pluck(name,foo)", 400, "Property `foo` does not exist in dataElementGroup"),
        ("filter=name:canAccess:[M5zQapPyTZI,drop tables]", 400,
         "Filter `name:canaccess:[M5zQapPyTZI, drop tables]` pattern argument must be 2 to 8 letters allowing letters 'r', "
         "'w', '_' and '%'."),
        ("filter=name:canRead:nobody", 403, "Filtering by user access in filter `name:canread:[nobody]` requires permissions to "
         "manage the user nobody."),
    ],
)  # fmt: skip
def test_what_a_gist_refuses(api: TestClient, query: str, status: int, message: str) -> None:
    answer = api.get(f"/api/dataElements/gist?{query}")
    assert (answer.status_code, answer.json()["message"]) == (status, message)
