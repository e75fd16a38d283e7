"""The catalogue of installed plugins: what help, completion, search and agents' tools know of their verbs.

A plugin is imported for it in a process of its own, with a time limit: one that raises, ends the process, prints, or never
comes back is named with its reason and skipped, and the shell never waits for it twice. What was found is kept until the
environment, the plugin's own files or this dhis2sh have changed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh import __version__, paths
from dhis2sh.errors import UsageError
from dhis2sh.verbs import installed

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue
    from dhis2sh.verbs.declaration import Verb
    from dhis2sh.verbs.installed import Declared
    from dhis2sh.verbs.manifest import Section

LONGEST = 15.0
"""Seconds that a plugin's import may take."""
AGAIN = 24 * 3600.0
"""Seconds after which a plugin that could not be imported is tried again, though nothing of it has changed."""
MOST_FILES = 400
"""Files of a plugin that are looked at to see whether it has changed."""
IMPORTER = "dhis2sh.verbs.plugin_import"
"""The module that imports a plugin in a process of its own."""
IMPORTING = "DHIS2SH_PLUGIN_IMPORT"
"""What the environment of that process has: from there no other is started."""
LATE: dict[Declared, str] = {}
"""Plugins that could be imported elsewhere and not in this process, each with the reason."""


class Broken(NamedTuple):
    """A plugin that is skipped."""

    plugin: Declared
    problem: str

    def line(self) -> str:
        """That it is, and why."""
        return f"the plugin '{self.plugin.domain}' ({self.plugin.whose}) is skipped: {self.problem}"


def section(domain: str) -> Section | None:
    """A plugin's domain as the catalogue keeps domains; None where there is none, or where it is broken."""
    one = next((row for row in installed.declared() if row.domain == domain and not row.problem), None)
    found = _catalogued(one) if one is not None else None
    return cast("Section", found) if found is not None and not found.get("problem") else None


def sections(*, wait: bool = True) -> dict[str, Section]:
    """The domains of all plugins that are whole, by name.

    Parameters:
        wait: for those that nobody knows yet; without it they are found out meanwhile, for the next time.
    """
    if wait:
        known = _all()
    else:
        kept = [(row, _kept(row)) for row in installed.declared() if not row.problem]
        known = [(row, found) for row, found in kept if found is not None]
        if len(known) < len(kept):
            _find_out()
    return {row.domain: cast("Section", found) for row, found in known if not found.get("problem")}


def _find_out() -> None:
    """Begin to find out what new plugins declare, in a process that nobody waits for; one at a time."""
    mark = installed.kept("plugins-sought")
    try:
        if time.time() - mark.stat().st_mtime < LONGEST:
            return
    except OSError:
        pass  # nobody has begun
    paths.write_quietly(mark, "")
    subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        [sys.executable, "-P", "-c", f"from {__name__} import broken; broken()"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=os.name != "nt",
    )  # fmt: skip


def broken() -> list[Broken]:
    """The plugins that are skipped."""
    return _broken(_all())


def whole() -> list[Declared]:
    """The plugins that can be imported."""
    return [row for row, found in _all() if not found.get("problem") and row not in LATE]


def known_broken() -> list[Broken]:
    """The same as far as it is known: nothing is imported for it."""
    return _broken([(row, _kept(row) or {}) for row in installed.declared() if not row.problem])


def _broken(found: list[tuple[Declared, JsonObject]]) -> list[Broken]:
    taken = [Broken(row, row.problem) for row in installed.declared() if row.problem]
    problems = [(row, LATE.get(row) or str(one.get("problem") or "")) for row, one in found]
    return taken + [Broken(row, problem) for row, problem in problems if problem]


def refuse_broken(domain: str) -> None:
    """Raise `UsageError` where a plugin of that name is installed and skipped: whoever asks for it is told why."""
    for one in installed.declared():
        if one.domain == domain and domain not in installed.SHIPPED:
            problem = one.problem or _catalogued(one).get("problem")
            if problem:
                raise Unusable(one, str(problem))


class Unusable(UsageError):
    """A plugin that is broken is asked for.

    Parameters:
        one: the plugin.
        problem: why it cannot be used.
    """

    def __init__(self, one: Declared, problem: str) -> None:
        told = f"the plugin '{one.domain}' ({one.whose}) cannot be used: {problem}"
        super().__init__(told, hint="dhis2 dev plugin list --again")
        self.problem = problem


def forget() -> None:
    """Try every plugin again, also where nothing has changed."""
    for row in installed.declared():
        _file(row).unlink(missing_ok=True)
    installed.kept("plugins").unlink(missing_ok=True)
    installed.declared.cache_clear()
    _catalogued.cache_clear()


def _all() -> list[tuple[Declared, JsonObject]]:
    """Every plugin whose name is good with what is known of it; those that nobody knows yet are imported side by side."""
    rows = [row for row in installed.declared() if not row.problem]
    if len(rows) < 2:
        return [(row, _catalogued(row)) for row in rows]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(rows), 4)) as pool:
        return list(zip(rows, pool.map(_catalogued, rows), strict=True))


@cache
def _catalogued(one: Declared) -> JsonObject:
    """A plugin's section with its sources, or its `problem`; kept, or made now."""
    found = _kept(one)
    if found is None and IMPORTING in os.environ:
        return {"problem": "nobody has tried it yet"}
    if found is None:
        found = _made(one)
        paths.write_quietly(_file(one), json.dumps({"by": _made_by(), "plugin": [*one], "found": found}))
    return found


def _file(one: Declared) -> Path:
    return installed.kept(f"plugin-{one.domain}")


def _made_by() -> list[str]:
    """What else a plugin's catalogue depends on: this dhis2sh, this Python, and what is installed."""
    ours = Path(__file__).parents[1] / "_manifest" / "index.json"
    return [__version__, seen(str(ours)), sys.version, installed.environment()[1]]


def _kept(one: Declared) -> JsonObject | None:
    """What was found before, where it still holds."""
    try:
        kept = json.loads(_file(one).read_text("utf-8"))
        found = cast("JsonObject", kept["found"])
        holds = kept["by"] == _made_by() and kept["plugin"] == [*one]
        if not holds or (found.get("problem") and time.time() - float(kept["found"]["at"]) > AGAIN):
            return None
        return found if all(seen(path) == stamp for path, stamp in kept["found"]["sources"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none yet, or of another dhis2sh: it is made again


def seen(path: str) -> str:
    """What a file looks like now: when it was changed, and how large it is."""
    try:
        found = Path(path).stat()
    except OSError:
        return "gone"
    return f"{found.st_mtime_ns} {found.st_size}"


def _made(one: Declared) -> JsonObject:
    """Import a plugin elsewhere, and give what it declares or why it cannot be used."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="dhis2sh-") as folder:
        answer = Path(folder) / "answer.json"
        asked = json.dumps({"plugin": [*one], "path": sys.path, "answer": str(answer)})
        ended = _run([sys.executable, "-P", "-m", IMPORTER], asked)
        try:
            return cast("JsonObject", json.loads(answer.read_text("utf-8")))
        except (OSError, ValueError):
            return {"problem": ended, "at": time.time(), "sources": cast("JsonValue", sources_near(one.module))}


def _run(command: list[str], asked: str) -> str:
    """Run the process to its end, or to the end of its time with all that it has started; how it ended, in words."""
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=os.name != "nt", text=True, env={**os.environ, IMPORTING: "1"},
    )  # fmt: skip
    try:
        process.communicate(asked, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return f"its import did not end within {LONGEST:.0f} s"
    finally:
        if process.poll() is None:
            if os.name == "nt":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    code = process.returncode
    return f"its import ended the process ({f'signal {-code}' if code < 0 else f'exit code {code}'})"


def checked(one: Declared, verbs: list[Verb]) -> None:
    """Raise `UsageError` where what a plugin has declared is not its own: another domain's verbs, or none."""
    strange = [verb.path for verb in verbs if verb.domain != one.domain]
    if strange:
        raise UsageError(f"it declares '{strange[0]}', and its domain is '{one.domain}'")
    if not verbs:
        raise UsageError(f"{one.module} declares no verb of the domain '{one.domain}'")


def why(one: Declared, error: BaseException) -> str:
    """Why a plugin could not be imported, in a line."""
    told = " ".join(f"{type(error).__name__}: {error}".split())
    lacks = error.name or "" if isinstance(error, ImportError) else ""
    if lacks.partition(".")[0] == "dhis2sh":
        return f"it was written for another dhis2sh than {__version__}{f' ({one.wants})' if one.wants else ''}: {told}"
    return told


def sources_near(module: str) -> list[list[str]]:
    """The files of a package that could not be imported, found without importing it."""
    from importlib.util import find_spec

    try:
        spec = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    places = map(Path, spec.submodule_search_locations or ())
    files = sorted(str(file) for place in places for file in place.rglob("*.py"))
    files = files or ([spec.origin] if spec.origin else [])
    return [[file, seen(file)] for file in files[:MOST_FILES]]
