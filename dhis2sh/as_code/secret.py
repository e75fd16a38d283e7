"""Secrets: none stands in a file. Where one belongs stands `(secret)`; apply takes it from the server, a file of secrets, or asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.as_code import yaml_text
from dhis2sh.dhis2.never_given import EXCHANGE_TARGET, NEVER_GIVEN
from dhis2sh.errors import UsageError
from dhis2sh.redact import IN_CLEAR, SECRET, is_secret
from dhis2sh.rows.tables import read_text

if TYPE_CHECKING:
    import pathlib

    from dhis2sh.as_code.yaml_text import Path
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

AUTH, HEADERS, API = "auth", "headers", "api"
NAMED: Mapping[str | int, str] = {HEADERS: "HEADER", "queryParams": "PARAMETER"}
"""What of a sign-in holds one secret for each name, and what such a name is called."""
_IN_TEXT = re.compile(
    r"://[^/@\s:]+:[^/@\s]+@|\bd2p(?:at)?_\w{6,}|[?&][\w-]*(?:token|secret|password|api[-_]?key)=[^&\s]+", re.I
)
"""A text that holds one: an address with a password or a key in it, a token of DHIS2."""


def hidden(value: JsonValue) -> JsonValue:
    """The same value with `(secret)` in place of every secret, also of those that a server takes and does not give."""
    if isinstance(value, list):
        return [hidden(item) for item in value]
    if isinstance(value, str):
        return SECRET if _IN_TEXT.search(value) else value
    if not isinstance(value, dict):
        return value
    return {name: _member(name, item) for name, item in value.items()} | _not_given(value)


def _member(name: str, value: JsonValue) -> JsonValue:
    if isinstance(value, str) and value and is_secret(name):
        return SECRET
    if name == AUTH and isinstance(value, dict):
        return _sign_in(value)
    if name == HEADERS and isinstance(value, dict):
        return {key: SECRET if item else item for key, item in value.items()}
    return hidden(value)


def _sign_in(value: JsonObject) -> JsonObject:
    found: JsonObject = {name: item if name in IN_CLEAR else SECRET for name, item in value.items()}
    return found | dict.fromkeys(NEVER_GIVEN.get(str(value.get("type")), ()), SECRET)


def _not_given(value: JsonObject) -> JsonObject:
    """The password or token of the target of an exchange, which a server does not give."""
    api = value.get(API)
    if value.get("type") != EXCHANGE_TARGET or not isinstance(api, dict):
        return {}
    inner = cast("JsonObject", hidden(api))
    return {API: {**inner, "password" if api.get("username") else "accessToken": SECRET}}


def places(value: JsonValue, path: Path = ()) -> Iterator[Path]:
    """Where `(secret)` stands in a value."""
    if value == SECRET:
        yield path
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))


def open_ones(value: JsonValue, path: Path = ()) -> Iterator[Path]:
    """Where a value of a file holds a secret that is written out."""
    other = hidden(value)
    for place in places(other):
        if (found := at(value, place)) is not None and found != SECRET:
            yield (*path, *place)


def at(value: JsonValue, path: Path) -> JsonValue:
    """What stands at a place; None where nothing does."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def with_value(value: JsonValue, path: Path, new: JsonValue) -> JsonValue:
    """The same value with another at one place, which there is."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, dict) and isinstance(step, str):
        return {**value, step: with_value(value.get(step), rest, new)}
    if isinstance(value, list) and isinstance(step, int):
        return [*value[:step], with_value(value[step], rest, new), *value[step + 1 :]]
    return value


@dataclass(slots=True)
class Secrets:
    """Secrets for one apply.

    Parameters:
        given: by name, such as `routes/UID/auth.password`, `routes/UID/auth.headers.X-Key`.
        missing: the names of those that nobody has given.
    """

    given: Mapping[str, str] = field(default_factory=dict[str, str])
    used: set[str] = field(default_factory=set[str])
    missing: list[str] = field(default_factory=list[str])

    async def fill(self, s: Session, about: str, value: JsonValue, server: JsonValue) -> JsonValue:
        """A value with its secrets: as the server has them, as they were given, or as somebody at a terminal says.

        Parameters:
            about: whose they are: `routes/UID`.
            server: what the server has there now.
        """
        found: JsonValue
        for place in [*places(value)]:
            name = f"{about}/{'.'.join(map(str, place))}"
            if place[-1] in NAMED and AUTH in place[:-1]:
                found = self._named(name, at(server, place))
            elif name in self.given:
                found = self.given[name]
                self.used.add(name)
            else:
                found = at(server, place)
                if found is None or found == SECRET:
                    found = await s.person.secret(f"{name}: ")
            if found is None or found == "":
                self.missing.append(f"{name}.{NAMED[place[-1]]}" if place[-1] in NAMED and AUTH in place[:-1] else name)
            else:
                value = with_value(value, place, found)
        return value

    def _named(self, name: str, server: JsonValue) -> JsonValue:
        """The headers or parameters of a sign-in, of which the server does not even give the names: a line for each."""
        if name in self.given:
            raise UsageError(
                f"{name} is one text, and a sign-in has a secret for each name",
                hint=f"one line for each, as {name}.X-Key: 'value'",
            )
        lines = {key: value for key, value in self.given.items() if key.startswith(f"{name}.")}
        self.used.update(lines)
        there = server if isinstance(server, dict) else None
        return {key.removeprefix(f"{name}."): value for key, value in lines.items()} or there


def read(file: pathlib.Path | None) -> Secrets:
    """The secrets of a file: `routes/UID/auth.password: value`, one a line. Raises `NotFound`, `UsageError` with the line."""
    if file is None:
        return Secrets()
    document = yaml_text.read(read_text(file), str(file))
    for name, value in document.value.items():
        if not isinstance(value, str) or not value or value == SECRET:
            raise UsageError(
                f"{document.at(name)}: '{name}' has no text", hint="routes/UID/auth.password: 'value', in quotes"
            )
    return Secrets({name: str(value) for name, value in document.value.items()})
