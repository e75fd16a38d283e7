"""The catalogue as data: what help, completion and tool search need, without importing a verb.

One file per domain in `dhis2sh/_manifest`, built by `python -m dhis2sh.manifest` from the registry; a test proves that
they are the same. Reading it imports `json` and nothing else.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject
    from dhis2sh.verbs import Verb

FOLDER = Path(__file__).parent / "_manifest"


@cache
def index() -> JsonObject:
    """The root's help, and each domain's one-line summary."""
    return json.loads((FOLDER / "index.json").read_text("utf-8"))


@cache
def domain(name: str) -> JsonObject | None:
    """A shipped domain: its verbs and the help of each path in it; None for an unknown one or a plugin's."""
    path = FOLDER / f"{name}.json"
    if not name.isidentifier() or not path.is_file():
        return None
    return json.loads(path.read_text("utf-8"))


def verbs(name: str) -> list[JsonObject]:
    """The verbs of a domain, by path."""
    found = domain(name)
    return cast("list[JsonObject]", found["verbs"]) if found else []


def all_verbs() -> list[JsonObject]:
    """Every shipped verb, by path."""
    return [verb for name in cast("JsonObject", index()["domains"]) for verb in verbs(name)]


def describe(verb: Verb) -> JsonObject:
    """A verb as the manifest keeps it."""
    return {
        "path": verb.path,
        "tool": verb.tool,
        "effect": verb.effect,
        "summary": verb.summary,
        "description": verb.description,
        "result": verb.result,
        "examples": [*verb.examples],
        "aliases": [*verb.aliases],
        "left_out": dict(verb.left_out),
        "options": [param.flag for param in verb.params if param.option],
        "arguments": [param.name for param in verb.params if not param.option],
        "complete": {param.name: param.complete for param in verb.params if param.complete},
        "input": verb.input_schema(),
    }


def build() -> dict[str, str]:
    """The manifest's files by name, from the registry."""
    from dhis2sh import grammar
    from dhis2sh.plugins import SHIPPED
    from dhis2sh.verbs import load_all

    registry = load_all()
    files: dict[str, str] = {}
    domains: dict[str, Any] = {}
    for name in sorted(SHIPPED):
        mine = [verb for _, verb in sorted(registry.items()) if verb.domain == name]
        helps = {"": grammar.help_of([name])}
        helps |= {verb.path.partition(" ")[2]: grammar.help_of(verb.path.split()) for verb in mine if " " in verb.path}
        files[f"{name}.json"] = _text({"help": dict(helps), "verbs": [describe(verb) for verb in mine]})
        domains[name] = (
            mine[0].summary
            if len(mine) == 1
            else f"{len(mine)} verbs: " + ", ".join(verb.path.partition(" ")[2] for verb in mine)
        )
    files["index.json"] = _text({"help": _root_help(domains), "domains": domains})
    return files


def _text(value: JsonObject) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


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
            "  -o, --format FORMAT   table, json, ndjson, csv, tsv, yaml, md, xlsx, parquet.",
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


def main() -> int:
    """Write the manifest's files."""
    FOLDER.mkdir(exist_ok=True)
    files = build()
    for stale in FOLDER.glob("*.json"):
        if stale.name not in files:
            stale.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
