"""The verbs, one module per domain; `dhis2.plugins` entry points add more.

`entry_points()` reads the metadata of every installed distribution, which costs five times an empty Python: the result
is cached in the user's cache folder and made again when site-packages has changed.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from dhis2sh import paths

GROUP = "dhis2.plugins"
SHIPPED = {
    name: f"dhis2sh.plugins.{name.replace('-', '_')}"
    for name in (
        "analytics",
        "data",
        "dev",
        "explain",
        "jobs",
        "journal",
        "maintenance",
        "metadata",
        "names",
        "predictors",
        "profile",
        "pull",
        "raw",
        "sandbox",
        "sharing",
        "system",
        "task",
        "undo",
        "user",
        "user-role",
        "verbs",
        "what",
    )
}


@cache
def _plugins() -> dict[str, str]:
    """Domains of installed plugins: name to module."""
    site = Path(__file__).resolve().parents[2]
    try:
        stamp = f"{site}:{site.stat().st_mtime_ns}"
    except OSError:
        stamp = str(site)
    kept = paths.cache_dir() / "plugins.json"
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
