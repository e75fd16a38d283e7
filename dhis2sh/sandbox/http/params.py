"""Query parameters as the server's binder reads them, and the refusals that it gives for what it cannot read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING

from starlette.responses import Response

from dhis2sh.sandbox.http.answers import missing_parameter_page, refuse

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request


class Refused(Exception):
    """What a handler cannot do, as the server says it.

    Parameters:
        message: the server's words, None for a refusal without any.
        code: the error code, None for none.
        status: the HTTP status.
    """

    def __init__(self, message: str | None = None, code: str | None = None, status: int = 409) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status


class MissingParameter(Exception):
    """A parameter that a handler of the server declares as required: the container answers, in HTML."""


type _Handler[A] = Callable[[A, Request], Response]


def answering[A](handler: _Handler[A]) -> _Handler[A]:
    """A handler that may raise `Refused` or `MissingParameter`; the client gets the server's refusal."""

    @wraps(handler)
    def guarded(api: A, request: Request) -> Response:
        try:
            return handler(api, request)
        except Refused as no:
            return refuse(no.status, no.message, no.code)
        except MissingParameter as missing:
            return missing_parameter_page(str(missing))

    return guarded


def required(query: QueryParams, name: str) -> str:
    """A parameter that must be there. Raises `MissingParameter`."""
    text = query.get(name)
    if text is None:
        raise MissingParameter(name)
    return text


def many(query: QueryParams, *names: str) -> list[str]:
    """Every value of a parameter that may be repeated or separated by commas, under any of its names."""
    values = [value for name in names for value in query.getlist(name)]
    return [part for value in values for part in value.split(",") if part]


def integer(query: QueryParams, name: str, default: int) -> int:
    """A whole number. Raises `Refused` with 400."""
    text = query.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise _unreadable(text, name, "int") from None


def number(query: QueryParams, name: str, default: float) -> float:
    """A number. Raises `Refused` with 400."""
    text = query.get(name)
    if not text:
        return default
    try:
        return float(text)
    except ValueError:
        raise _unreadable(text, name, "double") from None


def boolean(query: QueryParams, name: str, default: bool = False) -> bool:
    """True or false. Raises `Refused` with 400."""
    text = query.get(name)
    if not text:
        return default
    word = text.lower()
    if word not in {"true", "false", "on", "off", "yes", "no", "1", "0"}:
        raise _unreadable(text, name, "boolean")
    return word in {"true", "on", "yes", "1"}


def date(query: QueryParams, name: str) -> dt.date | None:
    """A day. Raises `Refused` with 400."""
    text = query.get(name)
    if not text:
        return None
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        raise _unreadable(text, name, "Date") from None


def choice(query: QueryParams, name: str, default: str, known: Sequence[str]) -> str:
    """One word of a fixed list. Raises `Refused` with 400."""
    text = query.get(name) or default
    if text.upper() not in known:
        raise Refused(
            f"Value '{text}' is not valid for parameter {name}. Valid values are: [{', '.join(known)}]", status=400
        )
    return text.upper()


def _unreadable(text: str, name: str, kind: str) -> Refused:
    return Refused(f"Value '{text}' is not valid for parameter {name}. It should be of type {kind}", status=400)
