"""A request reaches the route that a plain list of all routes would have given it."""

import re

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Match
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import AREAS
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.http.routing import Route, Routes
from dhis2sh.sandbox.routes.server import REMOTE_SERVERS, Server

NOWHERE = ["/", "/api", "/api/", "/api/nowhere", "/apps", "//", "/api//x", "/api/dataElements/", "/a/b/c/d/e/f/g/h/i"]


@pytest.mark.parametrize("version", ["2.41", "2.43"])
def test_the_few_that_may_fit_hold_the_first_of_all(version: str) -> None:
    store = open_store(version=version)
    try:
        server = Server(store, 0, REMOTE_SERVERS)
        routes = [route for area in AREAS for route in area.routes(server)]
        table = Routes(routes)
        made = [re.sub(r"\{[^}]*\}", part, route.path) for route in routes for part in ("fbfJHSPpUQD", "events")]
        for path in {*made, *NOWHERE}:
            asked = {"type": "http", "method": "GET", "path": path}
            having = [route for route in routes if route.matches(asked)[0] is not Match.NONE]
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
                full = [route for route in having if method in route.methods]
                match, child = table.matches({**asked, "method": method})
                assert child.get("route") is next(iter(full or having), None), (method, path)
                assert match is (Match.FULL if full else Match.PARTIAL if having else Match.NONE)
    finally:
        store.close()


def test_a_path_gives_its_parts_and_a_method_that_is_anothers_is_refused() -> None:
    def told(request: object) -> PlainTextResponse:
        return PlainTextResponse(str(request.path_params))  # type: ignore[attr-defined]

    async def later(request: object) -> PlainTextResponse:
        return PlainTextResponse("later")

    async def refused(request: object, error: HTTPException) -> PlainTextResponse:
        return PlainTextResponse("", error.status_code, error.headers)

    routes = [
        Route("/api/{plural}", told),
        Route("/api/{plural}/{rest:path}", told),
        Route("/api/later", later, methods=["POST"]),
    ]
    client = TestClient(Starlette(routes=[Routes(routes)], exception_handlers={HTTPException: refused}))
    assert client.get("/api/things").text == "{'plural': 'things'}"
    assert client.head("/api/things").status_code == 200
    assert client.get("/api/things/a/b").text == "{'plural': 'things', 'rest': 'a/b'}"
    assert client.post("/api/later").text == "later", (
        "a later route that has the method, not an earlier that has the path"
    )
    no = client.delete("/api/things")
    assert (no.status_code, no.headers["Allow"]) == (405, "GET, HEAD")
    assert client.get("/things").status_code == 404
