"""The rooms of the sandbox: what each says that it may import is all that it imports, and arrows only point down."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dhis2sh.sandbox

ROOT = Path(dhis2sh.sandbox.__path__[0])
GROUND = {"refused", "versions"}
"""Files beside the rooms that the rooms may import; nothing but the others may import the rest."""
LORE = {"belonging", "cascades", "dates", "formulas", "geometry", "languages", "periods", "rules", "uids"}
"""The pure lore of the platform, in `dhis2sh` itself or in a room of its own there."""
FACTS = {"dhis2sh.models", "dhis2sh.models.facts"}
"""What servers say of their metadata, as data."""
BASE = {"errors", "paths", "redact", "types", "words"}
REASON = re.compile(r"#.*\b(start-up|heavy): ")


@dataclass(frozen=True)
class Import:
    """One name that a file imports: the module, the name, and the text of the line."""

    module: str
    name: str
    line: str
    inside: bool


def modules() -> dict[str, Path]:
    """Every file of the sandbox by its dotted name inside it; a room's `__init__` by the room's name."""
    files = {path: path.relative_to(ROOT).with_suffix("").parts for path in sorted(ROOT.rglob("*.py"))}
    return {".".join(parts).removesuffix("__init__").strip("."): path for path, parts in files.items()}


MODULES = modules()
ROOMS = sorted(name for name, path in MODULES.items() if name and path.name == "__init__.py")


@cache
def imports(name: str) -> list[Import]:
    """What a file imports, for type checks and inside functions too."""
    return list(_imports(name))


def _imports(name: str) -> Iterator[Import]:
    text = MODULES[name].read_text(encoding="utf-8")
    lines = text.splitlines()
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(node.module or "", alias.name, lines[node.lineno - 1], id(node) in inside)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", lines[node.lineno - 1], id(node) in inside)


def own(item: Import) -> str | None:
    """The file of the sandbox that an import leads to."""
    if not item.module.startswith("dhis2sh.sandbox"):
        return None
    module = item.module.removeprefix("dhis2sh.sandbox").lstrip(".")
    inner = f"{module}.{item.name}".lstrip(".")
    return inner if inner in MODULES else module


GRAPH = {name: {to for item in imports(name) if (to := own(item)) is not None} - {name} for name in MODULES}


def room_of(name: str) -> str:
    """The room that a file is in; a file beside the rooms stands for itself."""
    return name if name in ROOMS or "." not in name else name.rpartition(".")[0]


def permitted(room: str) -> set[str]:
    """What a room's docstring says that it may import."""
    text = ast.get_docstring(ast.parse(MODULES[room].read_text(encoding="utf-8"))) or ""
    found = re.search(r"^May import: ([\w., ]+)\.$", text, re.MULTILINE)
    assert found is not None, f"{room} does not say what it may import"
    return set() if found[1] == "nothing" else set(found[1].split(", "))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_it_says_and_nothing_that_it_does_not_need(room: str):
    files = [name for name in MODULES if room_of(name) == room]
    found = {room_of(to) for name in files for to in GRAPH[name]} - {room}
    assert found == permitted(room)


def test_no_room_and_no_file_is_part_of_a_circle():
    rooms: dict[str, set[str]] = {}
    for name, found in GRAPH.items():
        rooms.setdefault(room_of(name), set()).update(room_of(to) for to in found)
    for graph in (GRAPH, {room: found - {room} for room, found in rooms.items()}):
        assert list(TopologicalSorter(graph).static_order())


def test_what_stands_above_the_rooms_is_imported_by_none_of_them():
    top = {name for name in MODULES if name and "." not in name and name not in ROOMS} - GROUND
    assert {to for name in MODULES if name not in top for to in GRAPH[name]} & top == set()


def test_a_folder_does_not_overflow():
    loose = [path.stem for path in ROOT.glob("*.py")]
    assert len(loose) <= 12, loose
    for room in ROOMS:
        files = list(MODULES[room].parent.glob("*.py"))
        assert len(files) <= 20, (room, len(files))


def test_of_the_rest_of_the_house_only_lore_facts_errors_and_types_are_imported():
    found = {
        item.module if item.module != "dhis2sh" else f"dhis2sh.{item.name}"
        for name in MODULES
        for item in imports(name)
        if item.module.partition(".")[0] == "dhis2sh" and own(item) is None
    }
    lore = {f"dhis2sh.{name}" for name in LORE} | {f"dhis2sh.dhis2.{name}" for name in LORE}
    assert found - lore - FACTS - {f"dhis2sh.{name}" for name in BASE} == set()


def test_an_import_inside_a_function_says_why():
    found = [f"{name}: {item.line.strip()}" for name in MODULES for item in imports(name) if item.inside]
    assert [line for line in found if not REASON.search(line)] == []


def test_a_name_is_imported_from_where_it_is_defined():
    wrong: list[str] = []
    for name in MODULES:
        for item in imports(name):
            to = own(item)
            if to is None or not item.name or to.endswith(f".{item.name}") or to == item.name:
                continue
            borrowed = {other.name for other in imports(to)}
            if item.name in borrowed:
                wrong.append(f"{name}: {item.name} from {to}")
    assert wrong == []


def test_there_is_one_exception_for_what_the_server_refuses():
    classes = {
        f"{name}.{node.name}"
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id.endswith(("Exception", "Error")) for base in node.bases)
    }
    assert classes == {"refused.Refused", "jobs.service.JobCancelled"}, "JobCancelled stops a thread, it answers nobody"
