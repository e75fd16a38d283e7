"""Plugins as if a distribution had declared them, for the length of a test."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dhis2sh.verbs import grammar, installed, plugin_catalogue, plugin_import, registry, search
from dhis2sh.verbs.declaration import REGISTRY
from dhis2sh.verbs.installed import Declared


def forget() -> None:
    """Whatever this process remembers of plugins and of searches among verbs."""
    installed.declared.cache_clear()
    plugin_catalogue._catalogued.cache_clear()
    plugin_catalogue.LATE.clear()
    registry._WHOLE.clear()
    grammar.command_of.cache_clear()
    for kept in (
        search._catalogue,
        search._types,
        search._patterns,
        search._actions,
        search._every_type,
        search._by_name,
    ):
        kept.cache_clear()


@contextmanager
def plugged(domain: str, module: str) -> Iterator[None]:
    """A domain whose catalogue is made in this process: quick, and no proof of a broken one."""
    one = Declared(domain, module, f"dhis2-{domain}", "1")
    declared, catalogued = installed.declared, plugin_catalogue._catalogued
    forget()
    try:
        installed.declared = lambda: (one,)  # type: ignore[assignment]
        plugin_catalogue._catalogued = lambda _: found  # type: ignore[assignment]
        found = plugin_import.described(one)
        yield
    finally:
        installed.declared, plugin_catalogue._catalogued = declared, catalogued
        for path in [path for path, verb in REGISTRY.items() if verb.domain == domain]:
            del REGISTRY[path]
        sys.modules.pop(module, None)
        forget()


def install(site: Path, name: str, points: dict[str, str], sources: dict[str, str], wants: str = "") -> None:
    """Put a distribution into a folder of them: its metadata and its files."""
    folder = site / f"{name.replace('-', '_')}-1.dist-info"
    folder.mkdir(parents=True)
    required = f"Requires-Dist: {wants}\n" if wants else ""
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{required}", "utf-8")
    lines = [f"{domain} = {module}" for domain, module in points.items()]
    (folder / "entry_points.txt").write_text("\n".join(["[dhis2.plugins]", *lines, ""]), "utf-8")
    for path, text in sources.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, "utf-8")
