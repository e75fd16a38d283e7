"""Writes that run through all four surfaces: one module an area, each with a list `WRITES`."""

import importlib
import json
import pkgutil
from dataclasses import dataclass, field


@dataclass
class Writing:
    """A verb, its line and the same arguments as JSON.

    `home` is the fixture that fills the sandbox: a dozen objects, or `country_home` with every type; `files` lie in
    the working folder (texts and bytes as they are, the rest as JSON); `made` says that the server or we make up UIDs, so that
    they differ from call to call; `moves_data` that data values change with the objects; `tracker`
    that what it writes is of persons, `values` of data values and registrations, `keyed` settings, keys of
    the data store and apps: none of them is metadata.
    `before` are lines that are run first.
    """

    verb: str
    line: str
    arguments: dict = field(default_factory=dict)
    home: str = "sandbox_home"
    files: dict = field(default_factory=dict)
    made: bool = False
    moves_data: bool = False
    tracker: bool = False
    values: bool = False
    keyed: bool = False
    before: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.verb} {self.line}"


def content_of(body: object) -> bytes:
    """What lies in a file of a case."""
    return body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()


def all_writes() -> list[Writing]:
    """The writes of every area."""
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return [case for name in modules for case in importlib.import_module(f"{__name__}.{name}").WRITES]
