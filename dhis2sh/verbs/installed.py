"""The verbs, one module per domain; `dhis2.plugins` entry points add more.

`entry_points()` reads the metadata of every installed distribution, which costs five times an empty Python: the result
is cached in the user's cache folder, for each environment by itself, and made again when its site-packages has changed.
"""

from __future__ import annotations

import builtins
import json
import keyword
import re
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from dhis2sh import paths

GROUP = "dhis2.plugins"
SHIPPED = {
    name: f"dhis2sh.plugins.{name.replace('-', '_')}"
    for name in (
        "analytics",
        "approval",
        "apps",
        "audit",
        "browser",
        "customize",
        "data",
        "datastore",
        "dev",
        "doctor",
        "exchange",
        "explain",
        "files",
        "instance",
        "jobs",
        "journal",
        "maintenance",
        "messaging",
        "metadata",
        "names",
        "predictors",
        "profile",
        "pull",
        "raw",
        "route",
        "sandbox",
        "sharing",
        "snapshot",
        "sql",
        "system",
        "task",
        "undo",
        "user",
        "user-group",
        "user-role",
        "validation",
        "verbs",
        "what",
    )
}
_OWN = frozenset({"dhis2", "dhis2sh", "client", "output", "timing", "expanded"})
"""What the shell itself calls something."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Declared(NamedTuple):
    """A domain that an installed distribution declares.

    Parameters:
        domain, module: the name and the value of its entry point.
        distribution, version: what declares it; `wants` which dhis2sh it asks for, as its metadata say.
        problem: why it cannot be had, whatever the module does: its name is taken, or is none.
    """

    domain: str
    module: str
    distribution: str
    version: str
    wants: str = ""
    problem: str = ""

    @property
    def whose(self) -> str:
        """What declares it, in words."""
        return f"{self.distribution} {self.version}".strip() or self.module


def sites() -> list[Path]:
    """The folders in which this Python finds distributions.

    Where we lie is one, whatever it is called, unless it is a checkout: that declares nothing, and changes with every
    file that anything writes there.
    """
    own = Path(__file__).resolve().parents[2]
    found = [Path(path) for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return list(dict.fromkeys(found if (own / "pyproject.toml").exists() else [own, *found]))


def environment() -> tuple[str, str]:
    """Where this Python finds distributions, and the same with when those folders have changed."""
    found = sites()
    return "|".join(map(str, found)), "|".join(f"{site}:{site.stat().st_mtime_ns}" for site in found if site.is_dir())


def kept(name: str) -> Path:
    """The file in the cache folder that keeps something of this environment's plugins."""
    return paths.cache_dir() / f"{name}-{crc32(environment()[0].encode()):08x}.json"


@cache
def declared() -> tuple[Declared, ...]:
    """Every domain that an installed distribution declares, by name; also those that cannot be had, with the reason."""
    _, stamp = environment()
    file = kept("plugins")
    try:
        found = json.loads(file.read_text("utf-8"))
        if found["stamp"] == stamp:
            return tuple(Declared(*row) for row in found["plugins"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no cache, or a broken or older one: it is made again
    plugins = _found()
    paths.write_quietly(file, json.dumps({"stamp": stamp, "plugins": plugins}))
    return plugins


def _found() -> tuple[Declared, ...]:
    from importlib.metadata import entry_points

    rows: list[Declared] = []
    for point in entry_points(group=GROUP):
        of = point.dist
        wants = next((one for one in (of.requires or [] if of else []) if re.match(r"dhis2sh\b", one)), "")
        rows.append(Declared(point.name, point.module, of.name if of else "", of.version if of else "", wants))
    rows = sorted(dict.fromkeys(rows))
    whose: dict[str, list[str]] = {}
    for row in rows:
        whose.setdefault(row.domain, []).append(row.whose)
    return tuple(
        row._replace(
            problem=problem_of(row.domain)
            or (f"{' and '.join(all_)} declare it: uninstall all but one" if len(all_ := whose[row.domain]) > 1 else "")
        )
        for row in rows
    )


def problem_of(domain: str) -> str:
    """Why no plugin can have a domain of this name; empty where one can."""
    if not _NAME.fullmatch(domain):
        return "a domain's name begins with a small letter, and has small letters, digits and single hyphens"
    name = domain.replace("-", "_")
    if domain in SHIPPED or name in _OWN:
        return "dhis2sh has a word of that name itself"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        return f"`{name}` is a word of Python's own"
    from dhis2sh.rows.registry import stages  # start-up: only where a plugin is new

    if name in stages():
        return f"`{name}` is a stage of pipelines"
    return f"`%{name}` is a magic of IPython's" if name in _magics() else ""


def _magics() -> set[str]:
    """The line magics that come with IPython."""
    from importlib import import_module
    from pkgutil import iter_modules

    from IPython.core import magics

    modules = (import_module(f"{magics.__name__}.{found.name}") for found in iter_modules(magics.__path__))
    kinds = (kind for module in modules for kind in vars(module).values() if getattr(kind, "registered", False))
    return {word for kind in kinds for word in kind.magics["line"]}


def plugins() -> dict[str, str]:
    """The domains of installed plugins that can be had, as far as their names say: name to module."""
    return {row.domain: row.module for row in declared() if not row.problem}


def domains() -> list[str]:
    """Every domain, shipped or from a plugin, sorted."""
    return sorted({*SHIPPED, *plugins()})


def module_of(domain: str) -> str | None:
    """The module that declares a domain's verbs, or None."""
    return SHIPPED.get(domain) or plugins().get(domain)
