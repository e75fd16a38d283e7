"""Lines that were meant for us: `metadta list` is no Python, and "invalid syntax" would help nobody."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
from collections.abc import Callable
from typing import Any

from dhis2sh.errors import Interrupted, UsageError
from dhis2sh.rows.registry import stages
from dhis2sh.surfaces.terminal import report
from dhis2sh.verbs import installed
from dhis2sh.words import kebab

_ASSIGNED = r"\s*(?P<to>[A-Za-z_]\w*)\s*=\s*(?P<line>(?P<word>[A-Za-z]\w*)[ \t]+[\w'\"-].*)"
_NO_MAGIC = r"Line magic function `%(\w+)` not found"
_LIKE_OURS = r"\s*%?(?P<word>[A-Za-z][\w-]*)[ \t]+[\w'\"-]"


def install(shell: Any, quiet: Callable[[], None], said: Callable[[BaseException | None], bool]) -> None:
    """Where a line is no Python and begins with a word that is near one of ours, or pipes a variable into a stage, say that instead.

    Parameters:
        shell: the IPython instance, a terminal's or a kernel's.
        quiet: takes away what is drawn while a line waits.
        said: has an error been told already, when it failed its line?
    """
    show, show_error = shell.showsyntaxerror, shell.showtraceback

    def show_mistake(filename: str | None = None, running_compiled_code: bool = False) -> None:
        error = None if running_compiled_code else mistake(sys.exception(), shell.user_ns)
        if error is None:
            show(filename, running_compiled_code)
        else:
            report(error)

    def show_stage(*args: Any, **options: Any) -> None:
        quiet()
        raised = sys.exception()
        if said(raised):
            return
        error = stage_on_a_variable(raised) or unknown_magic(raised) or interrupted_wait(raised)
        if error is None:
            show_error(*args, **options)
        else:
            report(error)

    shell.showsyntaxerror, shell.showtraceback = show_mistake, show_stage


def mistake(error: BaseException | None, names: dict[str, object]) -> UsageError | None:
    """What a syntax error says of a line that was meant for us; None where it was meant for Python.

    Parameters:
        error: what Python raised.
        names: the names that the user has; a line that begins with one of them is Python.
    """
    text = error.text or "" if isinstance(error, SyntaxError) else ""
    assigned = re.match(_ASSIGNED, text)
    if assigned is not None and assigned["word"] in installed.domains():
        hint = f"{assigned['to']} = %{assigned['line'].rstrip()}"
        return UsageError(f"'{assigned['word']}' in an assignment wants a %", hint=hint)
    found = re.match(_LIKE_OURS, text)
    if found is None:
        return None
    from dhis2sh.verbs.grammar import meant  # start-up: typer

    word = found["word"]
    if word in names or keyword.iskeyword(word) or keyword.issoftkeyword(word):
        return None
    hint = _whole(word, text.strip())
    if hint is None and not hasattr(builtins, word):  # `print x` has Python's own words
        hint = meant(word, *text.split()[1:2])
    return UsageError(f"there is no command '{word}'", hint=hint) if hint else None


def _whole(word: str, line: str) -> str | None:
    """The line with its domain, where one verb alone can be meant: `list dataElements` is `metadata list dataElements`."""
    from dhis2sh.verbs import manifest  # start-up: the catalogue of every domain

    rest = line.lstrip("%").partition(" ")[2].lstrip()
    types = {name for first, others in manifest.sections("metadata").items() for name in (first, *others)}
    verbs = [verb for verb in manifest.domain_verbs() if str(verb["path"]).split()[1:] == [word]]
    if rest and kebab(rest.split()[0]) in types:  # of a type, whoever else has such a verb
        verbs = [verb for verb in verbs if verb["path"] == f"metadata {word}"] or verbs
    alone = len(verbs) == 1 and word not in types and verbs[0]["arguments"]
    return f"{verbs[0]['path']} {rest}" if alone and rest else None


def unknown_magic(error: BaseException | None) -> UsageError | None:
    """What IPython's error says of `%list dataElements`, which is no magic; None for anything else.

    Parameters:
        error: what was raised.
    """
    found = re.match(_NO_MAGIC, str(error)) if type(error).__name__ == "UsageError" else None
    if found is None:
        return None
    from dhis2sh.verbs.grammar import meant  # start-up: typer

    hint = meant(found[1])
    return UsageError(f"there is no command '{found[1]}'", hint=hint) if hint else None


def stage_on_a_variable(error: BaseException | None) -> UsageError | None:
    """What a `NameError` says of `rows | where(level == 2)`: in Python a stage is a method; None for anything else.

    Parameters:
        error: what Python raised.
    """
    if not isinstance(error, NameError):
        return None
    import traceback

    if error.name not in stages():
        return None
    written = _as_methods(traceback.extract_tb(error.__traceback__)[-1].line or "")
    hint = written or f"rows.{error.name}(...), or after a line of ours: %metadata list TYPE | {error.name}(...)"
    return UsageError(f"`{error.name}` is a stage: after a variable it is a method", hint=hint)


def interrupted_wait(error: BaseException | None) -> Interrupted | None:
    """Ctrl-C while a line awaits an answer: where asyncio was in its loop tells nobody anything. None for anything else.

    Parameters:
        error: what was raised.
    """
    if not isinstance(error, KeyboardInterrupt):
        return None
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    return Interrupted("interrupted") if any("asyncio" in frame.filename for frame in frames) else None


def _as_methods(line: str) -> str | None:
    """`x | where(level == 2) | head(3)` as `x.where('level == 2').head(3)`; None where it is something else."""
    try:
        node = ast.parse(line.strip(), mode="eval").body
    except SyntaxError:
        return None
    methods = ""
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        call = node.right if isinstance(node.right, ast.Call) else ast.Call(node.right, [], [])
        if not isinstance(call.func, ast.Name) or call.func.id not in stages():
            return None
        literal = stages()[call.func.id].literal
        told = [ast.unparse(item) if literal else repr(ast.unparse(item)) for item in call.args]
        told += [
            f"{item.arg}={ast.unparse(item.value) if literal else repr(ast.unparse(item.value))}"
            for item in call.keywords
        ]
        methods = f".{call.func.id}({', '.join(told)}){methods}"
        node = node.left
    return f"{node.id}{methods}" if isinstance(node, ast.Name) and methods else None
