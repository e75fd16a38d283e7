"""How the sandbox answers: JSON as DHIS2 sends it, its WebMessages that say no, and the container's own pages."""

from __future__ import annotations

import string
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

UID = "[a-zA-Z0-9]{11}"
_REASONS = {200: "OK", 201: "Created", 202: "Accepted", 503: "Service Unavailable", 502: "Bad Gateway", 400: "Bad Request", 401: "Unauthorized", 406: "Not Acceptable", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
            409: "Conflict", 415: "Unsupported Media Type", 500: "Internal Server Error"}  # fmt: skip


def reason(status: int) -> str:
    """The words for a status, as DHIS2 writes them."""
    return _REASONS.get(status) or HTTPStatus(status).phrase


def answer(body: JsonValue, status: int = 200, **headers: str) -> Response:
    """A JSON answer as DHIS2 sends it."""
    charset = ";charset=UTF-8" if status < 300 else ""
    return Response(
        orjson.dumps(body),
        status,
        {"Cache-Control": "no-cache, private", **headers},
        media_type=f"application/json{charset}",
    )


def refusal(no: Refused, minor: int = 42) -> Response:
    """The answer to what was refused: a WebMessage that says no, or the servlet container's page.

    Parameters:
        no: what was refused.
        minor: 42 of 2.42, by which the words and the container's pages differ.
    """
    message = no.older if minor <= 41 else no.message
    if no.page:
        words = {"title": f"{no.status} \u2013 {_REASONS[no.status]}",
                 "message": f"<p><b>Message</b> {message}</p>" if message or minor > 41 else "",
                 "description": _DESCRIPTIONS[no.status], "container": "9.0.117" if minor <= 41 else "11.0.20"}  # fmt: skip
        return Response(string.Template(_PAGE).substitute(words), no.status, media_type="text/html")
    body: JsonObject = {"httpStatus": reason(no.status), "httpStatusCode": no.status, "status": "ERROR"}
    if message is not None:
        body["message"] = message
    if no.inner:
        body["devMessage"] = no.inner
    if no.code is not None:
        body["errorCode"] = no.code
    return answer(body, no.status)


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
    "</b> Status Report</p>$message<p><b>Description</b> $description</p>"
    '<hr class="line" /><h3>Apache Tomcat/$container</h3></body></html>'
)
_DESCRIPTIONS = {
    400: "The server cannot or will not process the request due to something that is perceived to be a client error "
         "(e.g., malformed request syntax, invalid request message framing, or deceptive request routing).",
    404: "The origin server did not find a current representation for the target resource or is not willing to "
         "disclose that one exists.",
    406: "The target resource does not have a current representation that would be acceptable to the user agent, "
         "according to the proactive negotiation header fields received in the request, and the server is unwilling to "
         "supply a default representation.",
}  # fmt: skip


def base_of(request: Request) -> str:
    """The server's address as the client wrote it."""
    return f"{request.url.scheme}://{request.url.netloc}"


def asked_path(request: Request, *, whole: bool = False) -> str:
    """The path as the client wrote it, with the version that the middleware takes out of it where pagers keep it.

    Parameters:
        request: of the client.
        whole: with the version in any case.
    """
    return str(request.scope.get("written_path" if whole else "asked_path", request.url.path))


class _UidConvertor(Convertor[str]):
    """Only what looks like a UID is one; anything else falls through to 405."""

    regex = UID

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("uid", _UidConvertor())
