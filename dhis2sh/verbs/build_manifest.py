"""Builds the catalogue from the registry: `python -m dhis2sh.verbs.build_manifest`, called by `make setup` and the wheel's build hook."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.verbs import manifest, options
from dhis2sh.verbs.installed import SHIPPED

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject
    from dhis2sh.verbs.declaration import Verb


def describe(verb: Verb) -> JsonObject:
    """A verb as the manifest keeps it."""
    return {
        "path": verb.path,
        "tool": verb.tool,
        "effect": verb.effect,
        "module": verb.module or verb.function.__module__,
        "summary": verb.summary,
        "description": verb.description,
        "result": verb.result,
        "examples": [*verb.examples],
        "aliases": [*verb.aliases],
        "left_out": dict(verb.left_out),
        **({"pinned": True} if verb.pinned else {}),
        "options": [param.flag for param in verb.params if param.option],
        "arguments": [param.name for param in verb.params if not param.option],
        **({"piped": verb.piped.name} if verb.piped else {}),
        "complete": {param.name: param.complete for param in verb.params if param.complete},
        "told": {param.name: verb.told(param) for param in verb.params if verb.told(param) != param.name},
        "not_for_agents": [param.name for param in verb.params if not param.for_agents],
        "refers": {param.name: param.refers for param in verb.params if param.refers},
        "input": verb.input_schema(),
    }


def build() -> dict[str, str]:
    """The manifest's files by name, from the registry."""
    from dhis2sh.verbs.grammar import help_of  # start-up: a catalogue that is up to date is not built
    from dhis2sh.verbs.registry import FAMILIES, load_all, verbs_of  # start-up: as above

    load_all()
    files: dict[str, str] = {}
    domains: dict[str, str] = {}
    for name in sorted(SHIPPED):
        mine = verbs_of(name)
        family = FAMILIES.get(name)
        inner = {section: [*others] for section, others in family.names().items()} if family else {}
        whole = file_of(name, mine, help_of)
        if inner:
            whole["sections"] = cast("JsonObject", inner)
        files[f"{name}.json"] = _text(whole)
        for section in inner:
            path = f"{name} {section}"
            files[f"{name}/{section}.json"] = _compact(file_of(path, verbs_of(path), help_of))
        domains[name] = manifest.summary(name, [{"path": verb.path, "summary": verb.summary} for verb in mine])
    files["index.json"] = _text({"domains": dict(domains)})
    files["help.txt"] = _root_help(domains) + "\n"
    return files


def file_of(section: str, verbs: Sequence[Verb], help_of: Callable[[Sequence[str]], str]) -> JsonObject:
    """One file: the verbs of a domain or sub-domain, and the help of each by the words that follow it."""
    words = section.split()
    helps = {"": help_of(words)}
    for verb in verbs:
        rest = verb.path.split()[len(words) :]
        if rest:
            helps[" ".join(rest)] = help_of(verb.path.split())
    return {"help": dict(helps), "verbs": [describe(verb) for verb in verbs]}


def _text(value: JsonObject) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _compact(value: JsonObject) -> str:
    """Generated files are many: a line for each verb, so that a change of one verb is a change of one line."""
    verbs = ",\n".join(
        json.dumps(verb, sort_keys=True, ensure_ascii=False) for verb in cast("list[JsonObject]", value["verbs"])
    )
    helps = json.dumps(value["help"], sort_keys=True, ensure_ascii=False)
    return f'{{"help": {helps},\n"verbs": [\n{verbs}\n]}}\n'


def _root_help(domains: dict[str, str]) -> str:
    size = max(map(len, domains))
    lines = [f"  {name:{size}}  {text if len(text) < 76 else text[:74] + ' …'}" for name, text in domains.items()]
    return "\n".join(
        [
            "Usage: dhis2 [-p PROFILE] DOMAIN VERB [ARGUMENTS] [OPTIONS]",
            "",
            "  DHIS2 from the command line. The same verbs run in the shell (dhis2sh), in notebooks (%load_ext dhis2sh)",
            "  and as MCP tools (dhis2-mcp). Standard output is data, standard error is talk.",
            "",
            "Domains, and those of plugins (dhis2 dev plugin list):",
            *lines,
            "",
            "Options:",
            *_leading(),
            "  --version             Show the version.",
            "  -h, --help            Show this message; also after a domain or a verb.",
            "  --show-completion SHELL  Print the completion script of bash, zsh or fish.",
            "",
            "First steps:",
            "  dhis2 sandbox seed                                  a fictional country to try on",
            "  dhis2 -p sandbox metadata search malaria            find anything by its words",
            "  dhis2 profile add NAME --url URL --username USER    your own server",
        ]
    )


def _leading() -> list[str]:
    """The options that the root's help names: they may stand before the domain."""
    named = ((", ".join(row.flags), *row.leading) for row in options.table() if row.leading is not None)
    return [f"  {f'{flags} {value}':20}  {text}" for flags, value, text in named]


def main(words: list[str] | None = None) -> int:
    """Build the catalogue where it is missing or stale.

    Parameters:
        words: `--always` to build it in any case, `--to FOLDER` to build it there, for a wheel, without its sources.
    """
    import argparse  # start-up: tests and the docs build import the rest

    parser = argparse.ArgumentParser(
        prog="python -m dhis2sh.verbs.build_manifest", description="Build the catalogue of verbs."
    )
    parser.add_argument("--always", action="store_true", help="even where no source has changed")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="for a wheel: build it there")
    given = parser.parse_args(words)
    if given.to is not None:
        write(given.to, build())
        return 0
    kept = manifest.kept()
    seen = _seen_now(kept)
    if not given.always and manifest.is_built() and kept[:1] == [made_by()] and not manifest.first_changed(kept[1:]):
        if seen != kept:  # a branch was changed and changed back: nobody shall look into those files again
            paths.write_atomic(Path(manifest.FOLDER, manifest.SOURCES), "\n".join(seen) + "\n")
        return 0
    began = time.time_ns()
    write(Path(manifest.FOLDER), build())
    write_sources(Path(manifest.FOLDER), began)
    return 0


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Make a folder hold these files and no other catalogue's.

    Parameters:
        folder: made where it is missing.
        files: texts by name, as `build` gives them.
    """
    for old in (*folder.rglob("*.json"), *folder.glob("*.txt")):
        if old.relative_to(folder).as_posix() not in files:
            old.unlink()
    for name, text in files.items():
        paths.write_atomic(folder / name, text)


def _seen_now(kept: Sequence[str]) -> list[str]:
    """The lines of `.sources` with the times and sizes that their files have now, and the digests that they had."""
    seen = [*kept[:1]]
    for line in kept[1:]:
        _, _, was, path = line.split(" ", 3)
        try:
            found = Path(manifest.FOLDER, path).stat()
        except FileNotFoundError:
            return [*kept]
        seen.append(f"{found.st_mtime_ns} {found.st_size} {was} {path}")
    return seen


def made_by() -> str:
    """The libraries that word help and schemas, in their versions."""
    from importlib.metadata import version  # start-up: as in `main`

    return " ".join(f"{name} {version(name)}" for name in ("typer", "pydantic"))


def write_sources(folder: Path, began: int) -> None:
    """Write down what the catalogue in a folder was built from: the modules that are loaded now, and the types' facts.

    Parameters:
        folder: the catalogue's.
        began: when the first of them was read, in nanoseconds; one that has changed since then counts as changed.
    """
    import dhis2_models  # start-up: as in `build`

    import dhis2sh

    homes = [Path(str(package.__file__)).parent for package in (dhis2sh, dhis2_models)]
    loaded = {Path(file) for module in [*sys.modules.values()] if (file := getattr(module, "__file__", None))}
    ours = {path for path in loaded if any(path.is_relative_to(home) for home in homes)}
    lines, now = [made_by()], time.time_ns()
    for path in sorted({*ours, *homes[1].glob("*/resources.json")}):
        found = path.stat()
        meanwhile = began <= found.st_mtime_ns <= now
        seen = "0 0 unknown" if meanwhile else f"{found.st_mtime_ns} {found.st_size} {manifest.digest(str(path))}"
        lines.append(f"{seen} {os.path.relpath(path, folder)}")
    paths.write_atomic(folder / manifest.SOURCES, "\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
