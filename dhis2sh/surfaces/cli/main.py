"""The front door of `dhis2`: help, version and completion come from the manifest, before anything else is imported."""

from __future__ import annotations

import gc
import os
import sys

from dhis2sh import __version__
from dhis2sh.errors import Dhis2Error
from dhis2sh.surfaces import standard_output


def main() -> None:
    """The command's entry point. Nothing of what is imported is ever garbage: nobody looks for any until a verb begins."""
    gc.disable()
    standard_output.carry_out(lambda: run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Carry out one command line; returns its exit code.

    Parameters:
        words: the arguments, without the program's name.
    """
    try:
        text = front_door(words)
    except Dhis2Error as error:  # the catalogue of a checkout was never built
        from dhis2sh.surfaces.terminal import report  # start-up: the front door failed

        return report(error)
    if text is None:
        # its plugins are looked for in the metadata of every distribution that is installed; of ours none has any
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from dhis2sh.surfaces.cli import running  # start-up: a verb runs, so what runs verbs is needed

        return running.run(words)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # `dhis2 --help | head` has seen enough
        return 0
    except standard_output.Lost as lost:
        return lost.told.exit_code
    return 0


def front_door(words: list[str]) -> str | None:
    """What needs no verb: version, help of the root and of shipped domains, completion. None for the rest."""
    first = words[0] if words else "--help"
    if first == "--version":
        return f"dhis2sh {__version__}"
    if first in {"--complete", "--show-completion"}:
        from dhis2sh.surfaces.cli import shell_completion  # start-up: for a shell that completes only

        return shell_completion.answer(words)
    if first not in {"-h", "--help"} and (first.startswith("-") or words[-1] not in {"-h", "--help"}):
        return None
    from dhis2sh.verbs import manifest  # start-up: for help only

    if first in {"-h", "--help"}:
        text = manifest.root_help()
    else:
        from dhis2sh.verbs import nouns  # start-up: as above

        section, rest = manifest.section_of(nouns.meant(words[:-1]))
        found = manifest.domain(section)
        text = found["help"].get(" ".join(rest)) if found else None
    if text is not None and (note := manifest.stale()):  # in a checkout whose verbs have changed
        print(note, file=sys.stderr)
    return text


if __name__ == "__main__":
    main()
