"""How the sandbox answers: JSON as DHIS2 sends it, its WebMessages that say no, and the container's own pages."""

from __future__ import annotations

import html
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


def reason(status: int) -> str:
    """The words for a status, as DHIS2 writes them."""
    from http import HTTPStatus

    return _REASONS.get(status) or HTTPStatus(status).phrase


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
    body: JsonObject = {"httpStatus": reason(status), "httpStatusCode": status, "status": "ERROR"}
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


_PAGE = (
    '<!doctype html><html lang="en"><head><title>HTTP Status $title</title><style type="text/css">body '
    "{font-family:Tahoma,Arial,sans-serif;} h1, h2, h3, b {color:white;background-color:#525D76;} h1 {font-size:22px;} "
    "h2 {font-size:16px;} h3 {font-size:14px;} p {font-size:12px;} a {color:black;} .line {height:1px;background-color:"
    '#525D76;border:none;}</style></head><body><h1>HTTP Status $title</h1><hr class="line" /><p><b>Type'
    "</b> Status Report</p><p><b>Message</b> $message</p><p><b>Description</b> $description</p>"
    '<hr class="line" /><h3>Apache Tomcat/11.0.20</h3></body></html>'
)
_DESCRIPTIONS = {
    400: "The server cannot or will not process the request due to something that is perceived to be a client error "
         "(e.g., malformed request syntax, invalid request message framing, or deceptive request routing).",
    404: "The origin server did not find a current representation for the target resource or is not willing to "
         "disclose that one exists.",
}  # fmt: skip


def container_page(status: int, message: str) -> Response:
    """A page of the servlet container itself: 400 or 404.

    Parameters:
        message: its words, already escaped.
    """
    words = {"title": f"{status} \u2013 {_REASONS[status]}", "message": message, "description": _DESCRIPTIONS[status]}
    return Response(string.Template(_PAGE).substitute(words), status, media_type="text/html")


def missing_page(path: str = "") -> Response:
    """The servlet container's own 404 page, which names the path that was asked for."""
    named = html.escape(path.lstrip("/"), quote=True).replace("/", "&#47;")
    return container_page(404, f"No static resource {named}.")


def missing_parameter_page(name: str) -> Response:
    """The servlet container's own 400 page, for a parameter that must be there."""
    return container_page(400, f"Required parameter &#39;{html.escape(name)}&#39; is not present.")


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
