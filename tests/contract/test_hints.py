"""What an error says to try is one command, which can be copied as it stands."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import dhis2sh

ROOT = Path(dhis2sh.__file__).parent
COMMAND = re.compile(r"(?<![\w/.`])dhis2 (?!server|export\.json)[a-z{][a-z0-9{}-]* ?[a-z{-]")


def hints() -> Iterator[tuple[str, str]]:
    """Every text after `hint=`, and every text that begins with a command, with where it stands; what is filled in is `X`."""
    for path in sorted(ROOT.rglob("*.py")):
        if "sandbox" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            given = node.value if isinstance(node, ast.keyword) and node.arg == "hint" else None
            given = node.value if isinstance(node, ast.Return) else given
            for text in () if given is None else texts(given):
                if COMMAND.search(text):
                    yield f"{path.relative_to(ROOT)}:{given.lineno}", text


def texts(node: ast.AST) -> Iterator[str]:
    """The texts of an expression: each constant and each f-string, not the parts of one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def test_a_hint_has_one_command() -> None:
    found = list(hints())
    assert len(found) > 150
    assert [f"{where}: {text}" for where, text in found if len(COMMAND.findall(text)) > 1] == []


def test_what_stands_behind_a_command_is_no_part_of_it() -> None:
    """Two blanks end a command: `dhis2 undo 3  takes it back`; a semicolon or a word behind one would be copied with it."""
    glued = re.compile(r"^dhis2 (?:(?!  ).)*?(?:; | and then |, then |, or )")
    assert [f"{where}: {text}" for where, text in hints() if glued.search(text)] == []
