"""Lines that were meant for us: `metadta list` is no Python, and "invalid syntax" would help nobody."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from typing import Any

from dhis2sh.errors import UsageError

_LIKE_OURS = re.compile(r"\s*%?(?P<word>[A-Za-z][\w-]*)[ \t]+[\w'\"-]")


def install(shell: Any) -> None:
    """Where a line is no Python and begins with a word that is near one of ours, say that instead.

    Parameters:
        shell: the IPython instance, a terminal's or a kernel's.
    """
    show = shell.showsyntaxerror

    def show_mistake(filename: str | None = None, running_compiled_code: bool = False) -> None:
        from dhis2sh.surfaces.cli import report

        error = None if running_compiled_code else mistake(sys.exception(), shell.user_ns)
        if error is None:
            show(filename, running_compiled_code)
        else:
            report(error)

    shell.showsyntaxerror = show_mistake


def mistake(error: BaseException | None, names: dict[str, object]) -> UsageError | None:
    """What a syntax error says of a line that was meant for us; None where it was meant for Python.

    Parameters:
        error: what Python raised.
        names: the names that the user has; a line that begins with one of them is Python.
    """
    found = _LIKE_OURS.match(error.text or "") if isinstance(error, SyntaxError) else None
    if found is None:
        return None
    from dhis2sh.grammar import meant

    word = found["word"]
    if word in names or hasattr(builtins, word) or keyword.iskeyword(word) or keyword.issoftkeyword(word):
        return None
    hint = meant(word)
    return UsageError(f"there is no command '{word}'", hint=hint) if hint else None
