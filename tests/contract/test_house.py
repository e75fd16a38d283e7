"""The house stands as `docs/architecture/house.md` draws it: rooms, what each may import, and what no file may do."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.no_cover  # it reads the house and runs nothing of it
ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "dhis2sh"
PAGE = ROOT / "docs" / "architecture" / "house.md"
MOST_LINES, MOST_LOOSE, MOST_IN_FUNCTIONS = 600, 16, 115
REASON = re.compile(r"#\s*(start-up|heavy|lazy|optional|noqa.*#\s*(start-up|heavy|lazy|optional))\b.*\w")


@cache
def _files() -> list[Path]:
    return sorted(path for path in HOUSE.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def _rooms() -> list[str]:
    return sorted(path.name for path in HOUSE.iterdir() if (path / "__init__.py").exists())


@cache
def _layers() -> list[list[str]]:
    """The layers of the contract in pyproject, from the top floor down."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts: list[dict[str, Any]] = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(item for item in contracts if item.get("exhaustive"))["layers"]
    return [re.split(r"\s*[|:]\s*", layer) for layer in layers]


def _floor(name: str) -> int:
    return next(number for number, layer in enumerate(_layers()) if name in layer)


def _doc(room: str) -> str:
    return ast.get_docstring(ast.parse((HOUSE / room / "__init__.py").read_text("utf-8"))) or ""


@cache
def _may_import(room: str) -> set[str]:
    """The names behind `May import:` of a room's docstring; `the ground` stands for the loose files of the lowest floor."""
    told = re.search(r"May import: (.*?)(?:\.(?:\s|$)|; )", _doc(room).replace("\n", " "), re.DOTALL)
    assert told is not None, f"dhis2sh/{room}/__init__.py does not say what the room may import"
    names = {name.strip(" `") for name in told[1].split(",")}
    return (names - {"the ground"}) | (set(_layers()[-1]) if "the ground" in names else set())


@cache
def _imports(path: Path) -> list[tuple[str, int, bool, bool]]:
    """What a file imports of ours: module below `dhis2sh`, line, whether inside of a function, whether for types alone."""

    def visit(node: ast.AST, inside: bool, typing: bool) -> Iterator[tuple[str, int, bool, bool]]:
        for child in ast.iter_child_nodes(node):
            inner = inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            types = typing or (
                isinstance(node, ast.If) and child in node.body and "TYPE_CHECKING" in ast.unparse(node.test)
            )
            if isinstance(child, ast.ImportFrom) and (child.module or "").partition(".")[0] == "dhis2sh":
                for alias in child.names:
                    yield f"{child.module}.{alias.name}".removeprefix("dhis2sh."), child.lineno, inside, types
            if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):  # no expression holds an import
                yield from visit(child, inner, types)

    return list(visit(ast.parse(path.read_text("utf-8")), False, False))


def test_a_room_imports_only_what_it_says() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in _files()
        if (room := path.relative_to(HOUSE).parts[0]) in _rooms()
        for name, line, _, _ in _imports(path)
        if (other := name.partition(".")[0]) not in {room, *_may_import(room)} and other != "__version__"
    ]
    assert wrong == []


@pytest.mark.parametrize("room", _rooms())
def test_what_a_room_may_import_lies_below_it(room: str) -> None:
    assert [name for name in _may_import(room) if _floor(name) <= _floor(room)] == []


@pytest.mark.parametrize("room", _rooms())
def test_the_page_says_of_each_room_what_the_room_says(room: str) -> None:
    first = _doc(room).partition("\n\n")[0].replace("\n", " ")
    assert f"| `{room}/` | {first}" in PAGE.read_text("utf-8"), f"docs/architecture/house.md, row of {room}: {first}"


def test_the_page_draws_the_layers_of_the_contract() -> None:
    drawn = PAGE.read_text("utf-8").split("```")[1].strip().splitlines()
    assert [line.split() for line in drawn] == _layers()


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(dhis2sh/[\w/.]+)`", PAGE.read_text("utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    assert len(named) > 25


def test_few_files_lie_loose() -> None:
    loose = sorted(path.name for path in HOUSE.glob("*.py"))
    assert len(loose) <= MOST_LOOSE, loose


def test_no_file_is_long() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in _files()
        if (count := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_imports_in_functions_are_few_and_say_why() -> None:
    found: list[str] = []
    silent: list[str] = []
    for path in _files():
        lines = path.read_text("utf-8").splitlines()
        for line in sorted({line for _, line, inside, types in _imports(path) if inside and not types}):
            where = f"{path.relative_to(ROOT)}:{line}: {lines[line - 1].strip()}"
            found.append(where)
            if not REASON.search(lines[line - 1]):
                silent.append(where)
    assert silent == []
    assert len(found) <= MOST_IN_FUNCTIONS, len(found)


@cache
def _graph() -> dict[str, set[str]]:
    """Every file with the files that it imports, in functions too; what is for types alone is no import."""
    names = {".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__") for path in _files()}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for path in _files():
        here = ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")
        if here == "__init__":  # what the package itself offers, imported when asked for
            continue
        for name, _, _, types in _imports(path):
            target = name if name in names else name.rpartition(".")[0]
            if target in names and target != here and not types:
                graph[here].add(target)
    return graph


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts of a graph that have more than one member (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            part, stack[at:] = stack[at:], []
            if len(part) > 1:
                found.append(sorted(part))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def test_no_file_imports_itself_by_way_of_another() -> None:
    assert _circles(_graph()) == []


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_room_imports_itself_by_way_of_another(depth: int) -> None:
    """Rooms, the rooms in them, and the files that lie beside those."""

    def room(name: str) -> str:
        return ".".join(name.split(".")[:depth])

    graph: dict[str, set[str]] = {}
    for name, targets in _graph().items():
        graph.setdefault(room(name), set()).update(room(target) for target in targets if room(target) != room(name))
        for target in targets:
            graph.setdefault(room(target), set())
    assert _circles(graph) == []
