"""The verbs, one module per domain; `dhis2.plugins` entry points add more.

`entry_points()` reads the metadata of every installed distribution, which costs five times an empty Python: the result
is cached in the user's cache folder, for each environment by itself, and made again when its site-packages has changed.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from zlib import crc32

from dhis2sh import paths

GROUP = "dhis2.plugins"
SHIPPED = {
    name: f"dhis2sh.plugins.{name.replace('-', '_')}"
    for name in (
        "analytics",
        "approval",
        "audit",
        "customize",
        "data",
        "datastore",
        "dev",
        "doctor",
        "exchange",
        "explain",
        "files",
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


def _environment() -> tuple[str, str]:
    """Where this Python finds distributions, and the same with when those folders have changed.

    In an editable install we lie in a checkout, whose plugins are in the environment that runs it.
    """
    sites = [Path(path) for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    found = dict.fromkeys([Path(__file__).resolve().parents[2], *sites])
    return "|".join(map(str, found)), "|".join(f"{site}:{site.stat().st_mtime_ns}" for site in found if site.is_dir())


@cache
def _plugins() -> dict[str, str]:
    """Domains of installed plugins: name to module."""
    places, stamp = _environment()
    kept = paths.cache_dir() / f"plugins-{crc32(places.encode()):08x}.json"
    try:
        found = json.loads(kept.read_text("utf-8"))
        if found["stamp"] == stamp:
            return dict(found["plugins"])
    except (OSError, ValueError, KeyError):
        pass  # no cache, or a broken one: it is made again
    from importlib.metadata import entry_points

    plugins = {point.name: point.value for point in entry_points(group=GROUP)}
    paths.write_quietly(kept, json.dumps({"stamp": stamp, "plugins": plugins}))
    return plugins


def domains() -> list[str]:
    """Every domain, shipped or from a plugin, sorted."""
    return sorted({*SHIPPED, *_plugins()})


def module_of(domain: str) -> str | None:
    """The module that declares a domain's verbs, or None."""
    return SHIPPED.get(domain) or _plugins().get(domain)
