"""The cases that run through all four surfaces: one module a domain, each with a list `CASES`."""

import importlib
import pkgutil
from dataclasses import dataclass, field


@dataclass
class Case:
    """A verb, its line and the same arguments as JSON.

    `volatile` names fields that differ from call to call, `before` are command lines that are run first, `files` what
    lies in the working folder (a text as it is, the rest as JSON), `empty` that there is nothing to find, `home` the
    fixture that fills the sandbox: a dozen objects, or `country_home` with every type. `needs` is a program without which
    it cannot be run.
    """

    verb: str
    line: str
    arguments: dict = field(default_factory=dict)
    volatile: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    files: dict = field(default_factory=dict)
    empty: bool = False
    home: str = "sandbox_home"
    needs: str = ""


def all_cases() -> list[Case]:
    """The cases of every domain."""
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return [case for name in modules for case in importlib.import_module(f"{__name__}.{name}").CASES]
