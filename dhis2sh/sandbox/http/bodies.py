"""What a write request brings: its JSON, or why the server cannot read it, in its reader's words."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast
from xml.etree import ElementTree

import orjson
from starlette.concurrency import run_in_threadpool

from dhis2sh.sandbox.java.reader import REDACTED, complaint
from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dhis2sh.types import JsonObject, JsonValue

MOST_UNPACKED = 256 << 20
"""The most bytes that a packed body may unfold to; a server has as much memory as it has."""
JSON, PATCH = "application/json", "application/json-patch+json"


def media_type(request: Request) -> str:
    """The content type without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def with_body(handler: Callable[[Request, bytes], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint from a plain function of the request and its body, run in a thread."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(handler, request, await request.body())

    return endpoint


def read_json(request: Request, raw: bytes, *accepted: str) -> JsonValue:
    """The JSON in a body. Raises `Refused`: 415 for another content type, 409 for what is no JSON.

    Parameters:
        accepted: content types; by default `application/json`.
    """
    kind = media_type(request)
    if kind not in (accepted or (JSON,)) and not (kind == "" and not accepted):
        raise unsupported_type(request)
    return parse_json(unpacked(raw))


def unsupported_type(request: Request) -> Refused:
    """415: the body is of a type that the handler does not read."""
    kind = request.headers.get("content-type", "")
    return Refused(415, f"Content-Type '{kind}' is not supported", older=f"Content type '{kind}' not supported")


UNPACKABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, IndexError)
"""What `opened` raises for a packed body that is broken, cut off, empty or under a password."""


def opened(raw: bytes, most: int = -1) -> bytes:
    """A body as it was before gzip or zip; any other as it is.

    Parameters:
        most: bytes of it that are read; by default all.

    Raises one of `UNPACKABLE`.
    """
    if raw[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            return stream.read(most)
    if raw[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive, archive.open(archive.namelist()[0]) as stream:
            return stream.read(most)
    return raw


def unpacked(raw: bytes) -> bytes:
    """A request's body as it was before gzip or zip. Raises `Refused` where it is broken, or too much to be held."""
    try:
        found = opened(raw, MOST_UNPACKED + 1)
    except UNPACKABLE as error:
        raise not_imitated(f"an answer to a packed body that cannot be unpacked ({error})") from None
    if len(found) > MOST_UNPACKED and found is not raw:
        raise Refused(413, f"the sandbox takes at most {MOST_UNPACKED >> 20} MB unpacked")
    return found


def parse_json(raw: bytes) -> JsonValue:
    """Parse JSON. Raises `Refused` with 409, as the server answers broken JSON."""
    if not raw.strip():
        where = REDACTED.format(line=1, column=0)
        raise Refused(500, f"No content to map due to end-of-input\n at {where}")
    try:
        return cast("JsonValue", orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise Refused(409, complaint(error.doc, error.pos)) from None


def parse_object(raw: bytes) -> JsonObject:
    """Parse a JSON object. Raises `Refused`, with 501 for other JSON."""
    body = parse_json(raw)
    if not isinstance(body, dict):
        raise not_imitated("an answer to a body that is no JSON object")
    return body


def parse_texts(raw: bytes) -> list[str]:
    """Parse a JSON list of texts. Raises `Refused`, with 501 for other JSON."""
    body = parse_json(raw)
    if not isinstance(body, list) or not all(isinstance(one, str) for one in body):
        raise not_imitated("an answer to a body that is no JSON list of texts")
    return cast("list[str]", body)


def parse_xml(raw: bytes) -> ElementTree.Element:
    """The root of an XML document without a DTD. Raises `Refused` with 400."""
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:  # entities can be made to explode; DHIS2 refuses them too
        raise Refused(400, "DOCTYPE is not allowed")
    try:
        return ElementTree.fromstring(raw)  # noqa: S314 - no DTD reaches the parser
    except ElementTree.ParseError as error:
        raise Refused(400, str(error)) from error


def read_object(request: Request, raw: bytes, *accepted: str) -> JsonObject:
    """The JSON object in a body. Raises `Refused`."""
    body = read_json(request, raw, *accepted)
    if not isinstance(body, dict):
        where = REDACTED.format(line=1, column=1)
        text = f"Cannot deserialize value of type `java.lang.Object` from Array value\n at {where}"
        raise Refused(500, text)
    return body
