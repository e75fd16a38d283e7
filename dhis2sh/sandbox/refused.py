"""What the server says no to: one exception, and factories for refusals that many places give."""

from __future__ import annotations

import html
from collections.abc import Iterable


class Refused(Exception):
    """A request that the server refuses. `http.answers.refusal` makes the answer of it, and nothing else does.

    Parameters:
        status: the HTTP status.
        message: the server's words, None for a refusal without any.
        code: the error code, None for none.
        inner: what the server says to its developers (`devMessage`), empty for nothing.
        page: the servlet container answers with a page of its own instead of DHIS2 with JSON; the words are escaped.
        older: what a server up to 2.41 says in place of the message, empty for nothing.
    """

    def __init__(
        self, status: int, message: str | None = None, code: str | None = None, *, page: bool = False, inner: str = "",
        older: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.message, self.code, self.page, self.inner = status, message, code, page, inner
        self.older = message if older is None else older


def not_found(model: str, uid: str) -> Refused:
    """404: there is no such object, or the user may not know of it."""
    return Refused(404, f"{model} with id {uid} could not be found.", "E1005")


def bad_filter(message: str) -> Refused:
    """400: a filter that cannot be read or does not fit the type."""
    return Refused(400, message, "E1003")


def unreadable_value(text: str, name: str, kind: str) -> Refused:
    """400: a parameter is not of the type that the server's binder wants."""
    return Refused(400, f"Value '{text}' is not valid for parameter {name}. It should be of type {kind}")


def unknown_choice(text: str, name: str, known: Iterable[str]) -> Refused:
    """400: a parameter is none of the constants that it may be."""
    return Refused(400, f"Value '{text}' is not valid for parameter {name}. Valid values are: [{', '.join(known)}]")


def missing_parameter(name: str, kind: str = "String") -> Refused:
    """400: a handler of the server declares a parameter as required; the container answers.

    Parameters:
        name: of the parameter.
        kind: the Java class that the handler declares it as, which servers up to 2.41 say.
    """
    quoted = f"&#39;{html.escape(name)}&#39;"
    older = f"Required request parameter {quoted} for method parameter type {kind} is not present"
    return Refused(400, f"Required parameter {quoted} is not present.", page=True, older=older)


def missing_part(name: str) -> Refused:
    """400: a form lacks a part that the handler declares; the container answers."""
    quoted = f"&#39;{html.escape(name)}&#39;"
    older = f"Required request part {quoted} is not present"
    return Refused(400, f"Required part {quoted} is not present.", page=True, older=older)


def unmet_parameters(wanted: Iterable[str] = (), given: Iterable[tuple[str, str]] = ()) -> Refused:
    """400: no handler of the server takes a request with these parameters or this `Accept`; the container answers.

    Parameters:
        wanted: the parameters that the handler wants, and given: those of the request, both of which servers up to 2.41 say.
    """
    said = ", ".join(f"{name}={{{value}}}" for name, value in given)
    older = f'Parameter conditions "{", ".join(wanted)}" not met for actual request parameters: {said}'
    return Refused(400, "Invalid request parameters.", page=True, older=html.escape(older))


def not_acceptable(kinds: Iterable[str]) -> Refused:
    """406: nobody answers here in a format that the request accepts; the container says which there are."""
    named = html.escape(", ".join(kinds), quote=True).replace("/", "&#47;")
    return Refused(406, f"Acceptable representations: [{named}].", page=True, older="")


def no_such_address(path: str = "") -> Refused:
    """404: nobody answers at this path, so the container does."""
    named = html.escape(path.lstrip("/"), quote=True).replace("/", "&#47;")
    return Refused(404, f"No static resource {named}.", page=True, older="")


def not_allowed(method: str, minor: int) -> Refused:
    """A method that an address does not know, in the words of 2.`minor`."""
    return Refused(405, f"Request method '{method}' {'' if minor < 42 else 'is '}not supported")


def not_imitated(what: str) -> Refused:
    """501: a server does something here of which nobody has seen what; the sandbox does not make it up.

    Parameters:
        what: in words that stand after "does not imitate".
    """
    return Refused(501, f"the sandbox does not imitate {what}; try it on a server")
