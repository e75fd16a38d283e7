"""What docstrings say of the code is true of it: each stands at what it documents, and names parameters that are there."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("dhis2sh", "codegen") for path in (ROOT / folder).rglob("*.py"))
NAMED = (ast.Assign, ast.AnnAssign, ast.TypeAlias)
"""What a string below it documents."""
HEADINGS = ("Parameters:", "Keys:")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
type Function = ast.FunctionDef | ast.AsyncFunctionDef


def orphans(tree: ast.Module) -> Iterator[str]:
    """Strings that are statements and document nothing."""
    for node in ast.walk(tree):
        bodies = (value for _, value in ast.iter_fields(node) if isinstance(value, list))
        for body in bodies:
            for above, item in zip([None, *body], body, strict=False):
                named = isinstance(above, NAMED) and above.end_lineno == item.lineno - 1
                docstring = above is None and isinstance(node, DOCUMENTED)
                if is_text(item) and not named and not docstring:
                    yield f"{item.lineno}: a string that documents nothing"


def is_text(item: ast.AST) -> bool:
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)


def promised(docstring: str) -> Iterator[str]:
    """The names that a docstring explains under a heading, at the depth of its first line: `a, b: what they are`."""
    depth = None  # outside of such a list
    for before, line in itertools.pairwise(docstring.splitlines()):
        if before.strip() in HEADINGS:
            depth = indent(line)
        elif line.strip() and depth is not None and indent(line) < depth:
            depth = None
        if depth is not None and (names := re.match(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*):(?: |$)", line[depth:])):
            yield from (name.strip(" *") for name in names[1].split(","))


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def parameters(node: Function) -> set[str]:
    given = node.args
    several = [one for one in (given.vararg, given.kwarg) if one is not None]
    return {arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs, *several)}


def fields(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> set[str]:
    """What a class is made with: the parameters of its constructor, or its fields and those of the module's bases."""
    found = {
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name in {"__init__", "__new__"}:
            found |= parameters(item)
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes:
            found |= fields(classes[base.id], classes)
    return found


def misnamed(tree: ast.Module) -> Iterator[str]:
    """Names that a docstring explains and the signature does not have."""
    scopes = [node for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef))]
    classes = {node.name: node for node in scopes if isinstance(node, ast.ClassDef)}
    for scope in scopes:
        functions = [item for item in scope.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))]
        offered: dict[str, set[str]] = {}
        for item in functions:  # overloads say together what there is
            offered[item.name] = offered.get(item.name, set()) | parameters(item)
        told = [(item, offered[item.name]) for item in functions]
        told += [(scope, fields(scope, classes))] if isinstance(scope, ast.ClassDef) else []
        for item, known in told:
            for name in promised(ast.get_docstring(item) or ""):
                if name not in known:
                    yield f"{item.lineno}: {item.name} has no parameter '{name}'"


def test_every_string_documents_something_and_names_parameters_that_are_there() -> None:
    trees = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in SOURCES}
    assert [f"{path}:{what}" for path, tree in trees.items() for what in (*orphans(tree), *misnamed(tree))] == []


def test_what_the_check_finds() -> None:
    text = '''
"""A module."""
SIZE = 3
"""Of something."""

"""Of nothing."""

def ping(url: str) -> None:
    """Ask.

    Parameters:
        url: where.
        address: what it was called once; more: text.
            deeper: belongs to the line above.

    Raises: nothing.
    """
    "left over"

class Base:
    """A base."""

    size: int

class Answer(Base):
    """An answer.

    Parameters:
        size, text: of it.
    """
'''
    tree = ast.parse(text)
    assert [*orphans(tree)] == ["6: a string that documents nothing", "18: a string that documents nothing"]
    assert [*misnamed(tree)] == ["8: ping has no parameter 'address'", "25: Answer has no parameter 'text'"]
