"""The front door of `dhis2`: help, version and completion come from the manifest, before anything else is imported."""

from __future__ import annotations

import sys
from typing import cast

from dhis2sh import __version__


def main() -> None:
    """The command's entry point."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Carry out one command line; returns its exit code.

    Parameters:
        words: the arguments, without the program's name.
    """
    text = front_door(words)
    if text is None:
        from dhis2sh.surfaces.cli import running  # start-up: a verb runs, so what runs verbs is needed

        return running.run(words)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # `dhis2 --help | head` has seen enough
        sys.stderr.close()
    return 0


def front_door(words: list[str]) -> str | None:
    """What needs no verb: version, help of the root and of shipped domains, completion. None for the rest."""
    first = words[0] if words else "--help"
    if first == "--version":
        return f"dhis2sh {__version__}"
    if first in {"--complete", "--show-completion"}:
        from dhis2sh.surfaces.cli import shell_completion  # start-up: for a shell that completes only

        return shell_completion.answer(words)
    if first in {"-h", "--help"}:
        from dhis2sh.verbs import manifest  # start-up: for help only

        return cast("str", manifest.index()["help"])
    return _help(words[:-1]) if words[-1] in {"-h", "--help"} and not first.startswith("-") else None


def _help(words: list[str]) -> str | None:
    from dhis2sh.verbs import manifest  # start-up: for help only

    section, rest = manifest.section_of(words)
    found = manifest.domain(section)
    helps = cast("dict[str, str]", found["help"]) if found else {}
    return helps.get(" ".join(rest))


if __name__ == "__main__":
    main()
