"""A server that answers with what it was asked, for routes to lead to."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def _echo(request: Request) -> JSONResponse:
    body = (await request.body()).decode()
    return JSONResponse({
        "method": request.method, "path": request.url.path, "query": request.url.query, "body": body,
        "authorization": request.headers.get("authorization"), "key": request.headers.get("x-key"),
        "type": request.headers.get("content-type"),
    })  # fmt: skip


async def _rows(request: Request) -> JSONResponse:
    return JSONResponse([{"place": "Bo", "rain": 12}, {"place": "Kono", "rain": 3}])


async def _says(request: Request) -> Response:
    body = {"message": "no such place", "key": "d2p_aaaaaaaaaaaaaaaaaaaa"}
    return JSONResponse(body, int(request.path_params["status"]))


def echo() -> Starlette:
    """`/echo/...` says what it was asked, `/rows` has two rows, `/says/418` refuses."""
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[
        Route("/echo/{rest:path}", _echo, methods=methods),
        Route("/rows", _rows),
        Route("/says/{status:int}", _says, methods=methods),
        Route("/text", lambda _: Response("rain\n12\n", media_type="text/csv")),
    ])  # fmt: skip
