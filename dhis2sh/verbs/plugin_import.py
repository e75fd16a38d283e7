"""Imports one plugin in a process of its own, and writes down what it declares: `python -m dhis2sh.verbs.plugin_import`.

Standard input names it; `dhis2sh.verbs.plugin_catalogue` starts this, and ends it where its time is over.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.verbs import installed
from dhis2sh.verbs.build_manifest import file_of
from dhis2sh.verbs.grammar import help_of
from dhis2sh.verbs.plugin_catalogue import MOST_FILES, Unusable, seen, sources_near, why
from dhis2sh.verbs.registry import import_plugin, verbs_of

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject
    from dhis2sh.verbs.installed import Declared


def main() -> None:
    """What the process does: import the plugin that standard input names, and write down what came of it."""
    asked = cast("dict[str, Any]", json.loads(sys.stdin.read()))
    one = installed.Declared(*asked["plugin"])
    sys.path[:] = asked["path"]
    try:
        found = described(one) | {"problem": ""}
    except Unusable as error:
        found: JsonObject = {"problem": error.problem}
    except BaseException as error:  # noqa: BLE001  (a plugin may raise anything, SystemExit too)
        found = {"problem": why(one, error)}
    sources = sources_near(one.module) if found["problem"] else _sources(one.module)
    found |= {"at": time.time(), "sources": cast("Any", sources)}
    Path(asked["answer"]).write_text(json.dumps(found), "utf-8")


def described(one: Declared) -> JsonObject:
    """What a plugin declares, as the catalogue keeps a domain. Raises `UsageError` with what is wrong."""
    import_plugin(one)
    return file_of(one.domain, verbs_of(one.domain), help_of)


def _sources(module: str) -> list[list[str]]:
    """The files of a plugin's own package that its import has read, each with what it looks like now."""
    top = module.partition(".")[0]
    modules = [found for name, found in [*sys.modules.items()] if name == top or name.startswith(f"{top}.")]
    files = sorted({file for found in modules if (file := getattr(found, "__file__", None))})
    return [[file, seen(file)] for file in files[:MOST_FILES]]


if __name__ == "__main__":
    main()
