"""The catalogue as data: what help, completion and tool search need, without importing a verb.

One file per domain in `dhis2sh/_manifest`, and one per sub-domain of a family (`metadata/data-elements.json`), built from
the registry by the wheel's build hook and, in a checkout, by `make setup`; never committed, and a test proves that they are
the same. Reading a file imports `json` and nothing else, and a line reads only the files of its own words.

A checkout also keeps what its catalogue was built from (`.sources`), so that help can say when it may be wrong.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import Dhis2Error

if TYPE_CHECKING:
    from pathlib import Path

    from dhis2sh.types import JsonObject
    from dhis2sh.verbs.declaration import Verb

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "_manifest")  # noqa: PTH118, PTH120
"""Where the files are. No `Path` here: help and completion would wait three milliseconds for its import."""
SOURCES = ".sources"
"""Beside the files, in a checkout alone: what made them, then a line a source: time, size, digest, and path from here."""
_NAME = re.compile(r"[a-z0-9_]+( [a-z0-9-]+)?")


@cache
def index() -> JsonObject:
    """The root's help, and each domain's one-line summary. Raises `Dhis2Error` where the catalogue was never built."""
    return _read("index") or {}


@cache
def domain(name: str) -> JsonObject | None:
    """A shipped domain or sub-domain (`metadata data-elements`): its verbs and the help of each path in it.

    None for an unknown one or a plugin's. Raises `Dhis2Error` where the catalogue was never built.
    """
    return _read(name.replace(" ", "/")) if _NAME.fullmatch(name) else None


def _read(name: str) -> JsonObject | None:
    try:
        with open(f"{FOLDER}/{name}.json", encoding="utf-8") as file:  # noqa: PTH123
            return json.load(file)
    except FileNotFoundError:
        if _is_built():
            return None
        raise _never_built() from None


def _is_built() -> bool:
    return os.path.exists(f"{FOLDER}/index.json")  # noqa: PTH110


def _never_built() -> Dhis2Error:
    return Dhis2Error("the catalogue of verbs was never built in this checkout", hint="make setup")


def stale() -> str | None:
    """Which source of a checkout is newer than its catalogue, in a line with the command; None where all is as built.

    An installed catalogue came with its sources and cannot be stale. Raises `Dhis2Error` where none was ever built.
    """
    if not _is_built():
        raise _never_built()
    changed = _changed(_kept()[1:])
    return f"note: {changed} has changed, help and completion may be wrong until: make setup" if changed else None


def _kept() -> list[str]:
    try:
        with open(f"{FOLDER}/{SOURCES}", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def _changed(sources: Sequence[str]) -> str | None:
    """The first source that is not what the catalogue was built from; one that was only touched is looked into."""
    for line in sources:
        when, size, digest, path = line.split(" ", 3)
        try:
            found = os.stat(f"{FOLDER}/{path}")  # noqa: PTH116
        except FileNotFoundError:
            return os.path.basename(path)  # noqa: PTH119
        if (when, size) != (str(found.st_mtime_ns), str(found.st_size)) and digest != _digest(f"{FOLDER}/{path}"):
            return os.path.basename(path)  # noqa: PTH119
    return None


def _digest(path: str) -> str:
    from hashlib import sha256  # start-up: seldom needed

    with open(path, "rb") as file:  # noqa: PTH123
        return sha256(file.read()).hexdigest()


def sections(name: str) -> dict[str, list[str]]:
    """The sub-domains of a domain's family, each with its other names; empty where there is no family."""
    found = domain(name)
    return cast("dict[str, list[str]]", found.get("sections", {})) if found else {}


def section_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """Where words lead: a domain or a sub-domain under its first name, and what follows; loads no verb."""
    if len(words) > 1:
        for name, others in sections(words[0]).items():
            if words[1] == name or words[1] in others:
                return f"{words[0]} {name}", list(words[2:])
    return words[0], list(words[1:])


def verbs(name: str) -> list[JsonObject]:
    """The verbs of a domain or a sub-domain, by path."""
    found = domain(name)
    return cast("list[JsonObject]", found["verbs"]) if found else []


def is_verb(name: str) -> bool:
    """Is a shipped domain a verb itself, as `undo` is?"""
    return any(verb["path"] == name for verb in verbs(name))


def domain_verbs() -> list[JsonObject]:
    """Every shipped verb that is written by hand, by path: those of the domains, without the sub-domains."""
    return [verb for name in cast("JsonObject", index()["domains"]) for verb in verbs(name)]


def all_verbs() -> list[JsonObject]:
    """Every shipped verb: those of the domains, then those of the sub-domains."""
    names = cast("JsonObject", index()["domains"])
    return domain_verbs() + [
        verb for name in names for section in sections(name) for verb in verbs(f"{name} {section}")
    ]


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
        "complete": {param.name: param.complete for param in verb.params if param.complete},
        "refers": {param.name: param.refers for param in verb.params if param.refers},
        "input": verb.input_schema(),
    }


def build() -> dict[str, str]:
    """The manifest's files by name, from the registry."""
    from dhis2sh.verbs.installed import SHIPPED
    from dhis2sh.verbs.registry import FAMILIES, load_all, verbs_of

    load_all()
    files: dict[str, str] = {}
    domains: dict[str, str] = {}
    for name in sorted(SHIPPED):
        mine = verbs_of(name)
        family = FAMILIES.get(name)
        inner = {section: [*others] for section, others in family.names().items()} if family else {}
        whole = _file(name, mine)
        if inner:
            whole["sections"] = cast("JsonObject", inner)
        files[f"{name}.json"] = _text(whole)
        for section in inner:
            path = f"{name} {section}"
            files[f"{name}/{section}.json"] = _compact(_file(path, verbs_of(path)))
        domains[name] = (
            mine[0].summary
            if len(mine) == 1
            else f"{len(mine)} verbs: " + ", ".join(verb.path.partition(" ")[2] for verb in mine)
        )
    files["index.json"] = _text({"help": _root_help(domains), "domains": dict(domains)})
    return files


def _file(section: str, verbs: Sequence[Verb]) -> JsonObject:
    """One file: the verbs of a domain or sub-domain, and the help of each by the words that follow it."""
    from dhis2sh.verbs import grammar

    words = section.split()
    helps = {"": grammar.help_of(words)}
    for verb in verbs:
        rest = verb.path.split()[len(words) :]
        if rest:
            helps[" ".join(rest)] = grammar.help_of(verb.path.split())
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
            "Domains:",
            *lines,
            "",
            "Options:",
            "  -p, --profile NAME    Act on this profile; 'sandbox' is always there.",
            "  -o, --format FORMAT   table, json, ndjson, csv, tsv, yaml, md, geojson, xlsx, parquet.",
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


def main(words: list[str] | None = None) -> int:
    """Build the catalogue where it is missing or stale.

    Parameters:
        words: `--always` to build it in any case, `--to FOLDER` to build it there, for a wheel, without its sources.
    """
    import argparse
    from pathlib import Path

    parser = argparse.ArgumentParser(
        prog="python -m dhis2sh.verbs.manifest", description="Build the catalogue of verbs."
    )
    parser.add_argument("--always", action="store_true", help="even where no source has changed")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="for a wheel: build it there")
    given = parser.parse_args(words)
    if given.to is not None:
        write(given.to, build())
        return 0
    kept = _kept()
    if not given.always and _is_built() and kept[:1] == [_made_by()] and not _changed(kept[1:]):
        return 0
    began = time.time_ns()
    write(Path(FOLDER), build())
    write_sources(Path(FOLDER), began)
    return 0


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Make a folder hold these files and no other catalogue's.

    Parameters:
        folder: made where it is missing.
        files: texts by name, as `build` gives them.
    """
    from dhis2sh import paths

    for old in folder.rglob("*.json"):
        if old.relative_to(folder).as_posix() not in files:
            old.unlink()
    for name, text in files.items():
        paths.write_atomic(folder / name, text)


def _made_by() -> str:
    """The libraries that word help and schemas, in their versions."""
    from importlib.metadata import version

    return " ".join(f"{name} {version(name)}" for name in ("typer", "pydantic"))


def write_sources(folder: Path, began: int) -> None:
    """Write down what the catalogue in a folder was built from: the modules that are loaded now, and the types' facts.

    Parameters:
        folder: the catalogue's.
        began: when the first of them was read, in nanoseconds; one that has changed since then counts as changed.
    """
    from pathlib import Path

    import dhis2_models

    import dhis2sh
    from dhis2sh import paths

    homes = [Path(str(package.__file__)).parent for package in (dhis2sh, dhis2_models)]
    loaded = {Path(file) for module in [*sys.modules.values()] if (file := getattr(module, "__file__", None))}
    ours = {path for path in loaded if any(path.is_relative_to(home) for home in homes)}
    lines, now = [_made_by()], time.time_ns()
    for path in sorted({*ours, *homes[1].glob("*/resources.json")}):
        found = path.stat()
        meanwhile = began <= found.st_mtime_ns <= now
        seen = "0 0 unknown" if meanwhile else f"{found.st_mtime_ns} {found.st_size} {_digest(str(path))}"
        lines.append(f"{seen} {os.path.relpath(path, folder)}")
    paths.write_atomic(folder / SOURCES, "\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
