"""What must stay true of the whole tree."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dhis2sh.errors import EXIT_CODES, Dhis2Error
from dhis2sh.surfaces import mcp
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.verbs import build_manifest, grammar, manifest
from dhis2sh.verbs.declaration import Verb
from dhis2sh.verbs.registry import load_all

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "dhis2sh").rglob("*.py"))
VERBS = sorted(load_all().items())
HTTP_EDGE: set[str] = set()
"""Functions at the edge of HTTP that may take or give `dict[str, Any]`; none at present."""


def test_the_manifest_is_the_registry() -> None:
    built = build_manifest.build()
    folder = Path(manifest.FOLDER)
    kept = {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*.*")
        if path.name != manifest.SOURCES
    }
    assert kept == built, "run: make setup"


@pytest.mark.parametrize(("path", "verb"), VERBS, ids=[path for path, _ in VERBS])
def test_a_verb_declares_everything(path: str, verb: Verb) -> None:
    assert verb.summary.endswith((".", "?"))
    assert verb.examples
    assert verb.result != "NoneType"
    assert (verb.effect == "read") == (verb.result != "Plan")
    assert all(param.help for param in verb.params)
    assert all(reason for reason in verb.left_out.values())
    assert verb.input_schema()["additionalProperties"] is False


def test_tool_names_are_the_paths_and_unique() -> None:
    names = [verb.tool for _, verb in VERBS]
    assert len(names) == len(set(names))
    assert all(name == path.replace(" ", "_").replace("-", "_") for name, (path, _) in zip(names, VERBS, strict=True))


def test_every_verb_is_on_every_surface_that_it_does_not_leave_out() -> None:
    tools = {entry["verb"] for entry in mcp.listing(tools="all")} - {None}
    assert tools == {path for path, verb in VERBS if "mcp" not in verb.left_out}
    commands = {str(verb["path"]) for verb in manifest.all_verbs()}
    assert commands == {path for path, _ in VERBS}


def test_the_front_door_says_what_typer_says(capsys: pytest.CaptureFixture[str]) -> None:
    for path, verb in VERBS:
        if " " not in path or "cli" in verb.left_out:
            continue
        words = path.split()
        assert cli.front_door([*words, "--help"]) == grammar.help_of(words)
    assert cli.front_door(["metadata", "--help"]) == grammar.help_of(["metadata"])


TEXT = {
    *("dhis2sh", "dhis2sh.errors", "dhis2sh.surfaces", "dhis2sh.surfaces.cli", "dhis2sh.surfaces.cli.main"),
    "dhis2sh.surfaces.standard_output",
    *("dhis2sh.verbs", "dhis2sh.verbs.manifest"),
    *("functools", "collections", "collections.abc", "itertools", "keyword", "operator", "reprlib", "types"),
    "gc",  # built in, and it makes every start quicker
}
JSON = {"dhis2sh.verbs.nouns", "json", "json.decoder", "json.encoder", "json.scanner", "re", "enum", "copyreg"}
COMPLETION = {
    *("dhis2sh.surfaces.cli.shell_completion", "dhis2sh.verbs.completion", "dhis2sh.verbs.options", "typing"),
}
FACTS = {
    *("dhis2sh.models", "dhis2sh.models.facts", "dhis2sh.types", "dhis2_models", "pathlib", "contextlib", "errno", "fnmatch"),
    *("glob", "grp", "ntpath", "pwd", "urllib", "warnings"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "may"),
    [
        ("--version", TEXT),
        ("--help", TEXT),
        ("metadata --help", TEXT | JSON),
        ("metadata data-elements create --help", TEXT | JSON),
        ("--complete metadata l", TEXT | JSON | COMPLETION),
        ("--complete metadata list dataEl", TEXT | JSON | COMPLETION | FACTS),
        ("--complete metadata list dataElements --fields va", TEXT | JSON | COMPLETION | FACTS),
    ],
)
def test_what_the_front_door_imports_is_a_list(line: str, may: set[str]) -> None:
    """A longer list makes every `--help` and every Tab slower: see `tests/perf/bench_startup.py` before you add to it."""
    code = (
        "import sys; before = set(sys.modules); from dhis2sh.surfaces.cli import main; main.run(sys.argv[1:]);"
        "print(*(sys.modules.keys() - before), file=sys.stderr)"
    )
    words = [sys.executable, "-c", code, *line.split()]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip()
    imported = {name for name in done.stderr.splitlines()[-1].split() if "._" not in name and not name.startswith("_")}
    assert imported - may == set()
    assert "dhis2sh.surfaces.cli.main" in imported


def test_a_list_is_understood_without_pydantic() -> None:
    """It costs as much as everything else together, and plain rows need none of it; nor does text that stays text."""
    words = ["metadata", "list", "dataElements", "--filter", "name:like:BCG", "--all", "-o", "json"]
    code = (
        f"import sys; from dhis2sh.verbs import grammar; line = grammar.parse({words!r});"
        "assert line.arguments == {'type': 'dataElements', 'filter': ['name:like:BCG'], 'all': True}, line;"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("verb", ["get", "export values.json"])
def test_values_are_read_without_what_loads_them(verb: str) -> None:
    """Checks, jobs and reports of an import are half of the start of `data aggregate`, and pydantic is the other half."""
    words = [*f"data aggregate {verb}".split(), "--data-set", "X", "--period", "2025", "--org-unit", "Y"]
    code = (
        f"import sys; from dhis2sh.verbs import grammar; grammar.parse({words!r}); import dhis2sh.client.data_values;"
        "print(*({'pydantic', 'dhis2sh.data.loading', 'dhis2sh.client.messages'} & sys.modules.keys()), 'asked')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "asked\n"


def test_no_surface_knows_a_verb_by_name() -> None:
    """What it says to people may name one, and so may the workflows for agents; what it does may not depend on one."""
    paths = {str(verb["path"]) for verb in manifest.all_verbs() if " " in str(verb["path"])}
    named = [
        (path.name, node.value)
        for path in (ROOT / "dhis2sh" / "surfaces").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if " ".join(node.value.split("-p")[0].split()) in paths
    ]
    assert named == []


def test_httpx_is_imported_in_one_file() -> None:
    found = {path.name for path in SOURCES if "httpx" in imported(path)}
    assert found == {"transport.py"}


def test_the_portal_lives_in_the_bridge() -> None:
    users = {path.name for path in SOURCES if "run_coroutine_threadsafe" in path.read_text("utf-8")}
    assert users == {"bridge.py"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_no_loose_dictionary_crosses_a_module_boundary() -> None:
    loose: list[str] = []
    for path in SOURCES:
        for node in ast.parse(path.read_text("utf-8")).body:
            for item in node.body if isinstance(node, ast.ClassDef) else [node]:
                if not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) or item.name.startswith("_"):
                    continue
                hints = [arg.annotation for arg in (*item.args.args, *item.args.kwonlyargs)] + [item.returns]
                if any(hint is not None and "dict[str, Any]" in ast.unparse(hint) for hint in hints):
                    loose.append(f"{path.stem}.{item.name}")
    assert set(loose) == HTTP_EDGE


def test_files_stay_readable() -> None:
    long = {path.name: size for path in SOURCES if (size := len(path.read_text("utf-8").splitlines())) > 600}
    assert long == {}


def test_every_exit_code_is_documented() -> None:
    def walk(kind: type[Dhis2Error]) -> set[int]:
        return {kind.exit_code}.union(*(walk(child) for child in kind.__subclasses__()))

    assert walk(Dhis2Error) <= set(EXIT_CODES)


def test_the_default_mcp_listing_is_small() -> None:
    listed = mcp.listing()
    assert len(json.dumps(listed)) / 4 < 4000
    assert {"search", "read", "write", "destroy"} <= {entry["name"] for entry in listed}


def test_a_read_only_mcp_server_lists_reads_alone_whatever_is_asked() -> None:
    listed = mcp.listing(tools="all", toolsets=("sandbox",), read_only=True)
    assert {entry["effect"] for entry in listed} == {"read"}
