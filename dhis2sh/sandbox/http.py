"""How the sandbox answers: JSON as DHIS2 sends it, its WebMessages that say no, and the container's own pages."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

UID = "[a-zA-Z0-9]{11}"
_REASONS = {200: "OK", 201: "Created", 202: "Accepted", 503: "Service Unavailable", 502: "Bad Gateway", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
            409: "Conflict", 415: "Unsupported Media Type", 500: "Internal Server Error"}  # fmt: skip


def answer(body: JsonValue, status: int = 200, **headers: str) -> Response:
    """A JSON answer as DHIS2 sends it."""
    import orjson

    charset = ";charset=UTF-8" if status < 300 else ""
    return Response(
        orjson.dumps(body),
        status,
        {"Cache-Control": "no-cache, private", **headers},
        media_type=f"application/json{charset}",
    )


def refuse(status: int, message: str | None = None, code: str | None = None) -> Response:
    """A WebMessage that says no."""
    body: JsonObject = {"httpStatus": _REASONS[status], "httpStatusCode": status, "status": "ERROR"}
    if message is not None:
        body["message"] = message
    if code is not None:
        body["errorCode"] = code
    return answer(body, status)


def done(message: str | None = None, status: int = 200, **headers: str) -> Response:
    """A WebMessage that says yes."""
    body: JsonObject = {"httpStatus": _REASONS[status], "httpStatusCode": status, "status": "OK"}
    if message is not None:
        body["message"] = message
    return answer(body, status, **headers)


def empty() -> Response:
    """Done, and nothing to say: 204."""
    return Response(status_code=204)


def missing_page() -> Response:
    """The servlet container's own 404 page."""
    return Response(
        '<!doctype html><html lang="en"><head><title>HTTP Status 404 \u2013 Not Found</title></head>'
        "<body><h1>HTTP Status 404 \u2013 Not Found</h1></body></html>",
        404,
        media_type="text/html",
    )


def base_of(request: Request) -> str:
    """The server's address as the client wrote it."""
    return f"{request.url.scheme}://{request.url.netloc}"


def asked_path(request: Request) -> str:
    """The path as the client wrote it, with the version that the middleware takes out of it."""
    return str(request.scope.get("asked_path", request.url.path))


class _UidConvertor(Convertor[str]):
    """Only what looks like a UID is one; anything else falls through to 405."""

    regex = UID

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("uid", _UidConvertor())


def new_uid() -> str:
    """A UID by the server's rule: a letter, then ten letters or digits."""
    letters, rest = string.ascii_letters, string.digits + string.ascii_letters
    return secrets.choice(letters) + "".join(secrets.choice(rest) for _ in range(10))
