"""Writes docs/reference from the catalogue, and the two pages that are committed because they are read in the repository.

`--check` leaves those two as they are, ends with 1 and names the one that is stale.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dhis2sh.errors import EXIT_CODES
from dhis2sh.rows import registry
from dhis2sh.surfaces import mcp
from dhis2sh.verbs import manifest

DOCS = Path(__file__).resolve().parent
EXAMPLES = DOCS.parent / "examples"
READ_EXAMPLES = """# Examples

A folder for each story, a file for each surface:

| file | what it is | run it with |
|---|---|---|
| `cli.sh` | the command line | `bash -e cli.sh` |
| `shell.dhis2` | what one types at the prompt | `dhis2sh --sandbox shell.dhis2` |
| `notebook.ipynb` | a notebook, with its outputs | Jupyter |
| `agent.py` | what an agent asks over MCP | `python agent.py` |
| `python.py` | a script with the client | `python python.py` |

All act on the profile `sandbox`: fill it with `dhis2 sandbox seed`, and run them in an empty folder. `expected/` holds what each
one prints. `make examples` runs all of them and compares; `python examples/run.py rename` those whose path has the word,
with `--snapshot` it keeps what they print now. A story with a `real.json` runs once more on a real export, where
`../shared/real` lies beside the checkout, with the names that the file gives in place of the fictional country's. `plugin-external/` is a package of its own, with
tests of its own."""
"""The head of `examples/README.md`."""


def cli() -> str:
    """Every verb with its help."""
    parts = ["# Command line\n\nGenerated from the catalogue. Every verb is also a magic (`%domain verb`).\n"]
    for verb in manifest.domain_verbs():
        path = str(verb["path"])
        domain = manifest.domain(path.split(maxsplit=1)[0])
        helps = domain["help"] if domain else {}
        text = helps.get(path.partition(" ")[2], "") if isinstance(helps, dict) else ""
        parts.append(f"## dhis2 {path}\n\nEffect: {verb['effect']}.\n\n```text\n{text}\n```\n")
    return "\n".join([*parts, types()])


def types() -> str:
    """The verbs of single types: a line each, since their help follows from the type's properties."""
    lines = [
        "## Verbs of single types\n",
        "Each type has the generic verbs with its own properties as options: `dhis2 metadata data-elements create --help`.\n",
    ]
    for domain in manifest.index()["domains"]:
        for section, others in manifest.sections(domain).items():
            path = f"{domain} {section}"
            words = ", ".join(str(verb["path"]).removeprefix(f"{path} ") for verb in manifest.verbs(path))
            also = f" (also {', '.join(f'`{other}`' for other in others)})" if others else ""
            lines.append(f"- `dhis2 {path}`{also}: {words}")
    return "\n".join(lines) + "\n"


def mcp_tools() -> str:
    """Every tool with its effect and its schema; the default listing is marked."""
    pinned = {str(entry["name"]) for entry in mcp.listing()}
    lines = ["# MCP tools\n", "Listed by default: marked with *. The others by `--tools all` or through the proxies.\n"]
    written = {verb["path"] for verb in manifest.domain_verbs()}
    lines.append(
        "Each metadata type has tools of its own besides, such as `metadata_data_elements_create` with the type's schema;"
    )
    lines.append("`search` finds them and the proxies run them.\n")
    for entry in mcp.listing(tools="all"):
        if entry["verb"] is not None and entry["verb"] not in written:
            continue
        mark = " *" if entry["name"] in pinned else ""
        schema: Any = entry["input"]
        lines.append(f"- `{entry['name']}`{mark} ({entry['effect']}): {entry['description']}")
        lines += [f"    - `{name}`: {_kind(name, value, schema)}" for name, value in schema["properties"].items()]
    return "\n".join(lines) + "\n"


def _kind(name: str, value: Any, schema: Any) -> str:
    """A parameter's type, bounds, values and default, and whether it is required."""
    item = value.get("items", value)
    parts = [f"list of {item.get('type')}" if "items" in value else str(value.get("type"))]
    parts += [f"one of {', '.join(map(str, item['enum']))}"] if "enum" in item else []
    parts += [f"{key} {item[key]}" for key in ("minimum", "maximum") if key in item]
    parts += [f"default {value['default']!r}"] if "default" in value else []
    return ", ".join([*parts, "required"] if name in schema.get("required", []) else parts)


def stages() -> str:
    """Every stage of a pipeline."""
    lines = ["# Stages of a pipeline\n"]
    lines += [f"- `{name}`: {' '.join(stage.help.split())}" for name, stage in registry.stages().items()]
    return "\n".join(lines) + "\n"


def checks() -> str:
    """Every check of the doctor that is our own."""
    from dhis2sh.checks import examining, mending, quirks
    from dhis2sh.checks.finding import SEVERITIES
    from dhis2sh.checks.probing import PROBES

    lines = [
        "# Checks of the doctor\n",
        "Generated from the checks; those of DHIS2 itself `maintenance data-integrity list` lists.\n",
    ]
    for area in ("metadata", "server"):
        lines += [f"## doctor {area}\n", "| check | severity | what it finds | why | verb |", "|---|---|---|---|---|"]
        for one in sorted(examining.named((), area), key=lambda one: (SEVERITIES.index(one.severity), one.name)):
            verb = "doctor fix" if one.name in mending.MENDS else one.verb
            lines.append(f"| `{one.name}` | {one.severity} | {one.about} | {one.reason} | `{verb}` |")
        lines.append("")
    lines += ["## Faults of versions\n", "| name | versions | what | the way around |", "|---|---|---|---|"]
    lines += [f"| `{one.name}` | 2.{one.first} to 2.{one.last} | {one.what} | {one.way} |" for one in quirks.QUIRKS]
    return "\n".join([*lines, "", f"{len(PROBES)} checks."]) + "\n"


def examples() -> str:
    """An index of the examples."""
    return "\n".join([
        "# Examples\n",
        "Each runs on the sandbox with `make examples`; `examples/README.md` says how to run one of them.\n",
        *(f"- `examples/{story}`: {title} ({', '.join(files)})" for story, title, files in stories()),
    ]) + "\n"  # fmt: skip


def examples_readme() -> str:
    """The same for a reader of the repository, with what the files are."""
    lines = [READ_EXAMPLES]
    for story, title, files in stories():
        area = f"## {story.partition('/')[0].replace('-', ' ').capitalize()}\n"
        lines += [] if area in lines else ["", area]
        lines.append(f"- {title} {', '.join(f'[{file}]({story}/{file})' for file in files)}")
    return "\n".join(lines) + "\n"


def stories() -> Iterator[tuple[str, str, list[str]]]:
    """Each story's folder, its title as the first line of a script gives it, and its files."""
    for folder in sorted(EXAMPLES.glob("*/*/")):
        files = sorted(path.name for path in folder.glob("*.*") if path.suffix != ".json")
        scripts = [name for name in files if not name.endswith(".ipynb")]
        if scripts and not (folder.parent / "pyproject.toml").is_file():  # a plugin's own
            yield (
                folder.relative_to(EXAMPLES).as_posix(),
                (folder / scripts[-1]).read_text("utf-8").splitlines()[0].lstrip("# "),
                files,
            )


def errors() -> str:
    """The exit codes."""
    lines = ["# Errors and exit codes\n", "An error is two lines: what failed and why, then what to try.\n"]
    lines += [f"- `{code}`: {text}" for code, text in EXIT_CODES.items()]
    return "\n".join(lines) + "\n"


BUILT = {
    "reference/cli.md": cli,
    "reference/mcp.md": mcp_tools,
    "reference/stages.md": stages,
    "reference/checks.md": checks,
    "reference/examples.md": examples,
}
COMMITTED = {
    "errors.md": errors,
    "../examples/README.md": examples_readme,
}


def main(words: list[str]) -> int:
    """Write the pages; with `--check` compare those that are committed."""
    made = {name: make() for name, make in (BUILT | COMMITTED).items()}
    stale = [
        name for name, text in made.items() if not (DOCS / name).is_file() or (DOCS / name).read_text("utf-8") != text
    ]
    wrong = [name for name in stale if name in COMMITTED and "--check" in words]
    for name in stale:
        if name not in wrong:
            (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
            (DOCS / name).write_text(made[name], "utf-8")
    for name in wrong:
        print(f"docs/{name} is stale: run python docs/build_reference.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
