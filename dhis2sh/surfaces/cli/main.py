"""`dhis2`: one verb a call. Standard output is data, standard error is talk, the exit code is API.

Nothing but `sys` and our errors is imported before the front door has been asked: help, version and completion come from
the manifest.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import Dhis2Error, Interrupted, NeedsConfirmation, NeedsSecret, PartlyDone

if TYPE_CHECKING:
    from dhis2sh.changes.consent import Consent
    from dhis2sh.session import Session
    from dhis2sh.verbs import completion
    from dhis2sh.verbs.grammar import Invocation


def main() -> None:
    """The command's entry point."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Carry out one command line; returns its exit code.

    Parameters:
        words: the arguments, without the program's name.
    """
    debug = "--debug" in words
    try:
        text = front_door(words)
        if text is None:
            return _invoke(words)
        print(text, flush=True)
        return 0
    except KeyboardInterrupt:
        return report(Interrupted("interrupted"))
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Dhis2Error as error:
        if debug:
            raise
        return report(error)
    except Exception as error:
        if debug:
            raise
        fault = Dhis2Error(
            f"{type(error).__name__}: {error}", hint="this is a fault of dhis2sh: try --debug and report it"
        )
        return report(fault)


def front_door(words: list[str]) -> str | None:
    """What needs no verb: version, help of the root and of shipped domains, completion. None for the rest."""
    if not words or words[0] in {"-h", "--help"}:
        from dhis2sh.verbs import manifest

        _say_what_is_stale()
        return cast("str", manifest.index()["help"])
    if words[0] == "--version":
        from dhis2sh import __version__

        return f"dhis2sh {__version__}"
    if words[0] == "--show-completion" and len(words) == 2:
        from dhis2sh.surfaces.cli.shell_completion import SCRIPTS

        return SCRIPTS.get(words[1])
    if words[0] == "--complete":
        return _completed(words[1:])
    if words[-1] in {"-h", "--help"} and not words[0].startswith("-"):
        from dhis2sh.verbs import manifest

        section, rest = manifest.section_of(words[:-1])
        found = manifest.domain(section)
        helps = cast("dict[str, str]", found["help"]) if found else {}
        text = helps.get(" ".join(rest))
        if text is not None:
            _say_what_is_stale()
        return text
    return None


def _say_what_is_stale() -> None:
    """In a checkout whose verbs have changed since its catalogue was built, help may be wrong."""
    from dhis2sh.verbs import manifest

    if note := manifest.stale():
        print(note, file=sys.stderr)


def _completed(words: list[str]) -> str:
    """What may stand where the last word is, a candidate a line; after `--describe` with its note behind a tab."""
    import itertools

    from dhis2sh.verbs import completion

    if words[:1] != ["--describe"]:
        return "\n".join(completion.candidates(words))
    typed = words[-1] if len(words) > 1 else ""
    named = next((after for word, after in itertools.pairwise(words) if word in {"-p", "--profile"}), None)
    found = completion.complete(words[1:], lambda text, plural: _names(named, text, plural))
    return "\n".join(f"{typed[: found.at]}{item.text}\t{' '.join(item.note.split())}" for item in found.items)


def _names(named: str | None, text: str, plural: str | None) -> list[completion.Candidate]:
    """UIDs by name, from the index that the shell has filled for the profile that is named, else for the active one."""
    from dhis2sh import profiles
    from dhis2sh.index.names import beside, index_of

    try:
        profile = profiles.active(named).profile
    except Dhis2Error:
        return []  # nobody is there to be told while a key is pressed
    index = index_of(profile.name, profile.url)
    try:
        return [beside(hit) for hit in index.search(text, types=[plural] if plural else [], limit=50)]
    finally:
        index.close()


def report(error: Any) -> int:
    """Say what failed, and what to try, on standard error; returns the exit code."""
    if isinstance(error, NeedsConfirmation):
        from dhis2sh.show import render

        print(render.text(error.plan, width=0), file=sys.stderr)
    print(f"error: {_one_line(str(error))}", file=sys.stderr)
    if error.hint:
        print(f"  try: {_one_line(error.hint)}", file=sys.stderr)
    return int(error.exit_code)


def _one_line(text: str) -> str:
    from dhis2sh.show.render import safe

    return safe(" ".join(text.split()))


def _invoke(words: list[str]) -> int:
    from dhis2sh.verbs import grammar

    invocation = grammar.parse(words)
    if isinstance(invocation, grammar.HelpText):
        print(invocation.text)
        return 0
    import asyncio

    from dhis2sh.surfaces.terminal import interactive, pick_missing

    if interactive():
        pick_missing(invocation)
    return asyncio.run(_carry_out(invocation))


async def _carry_out(invocation: Invocation) -> int:
    from dhis2sh.client.tracing import Tracer
    from dhis2sh.session import Session
    from dhis2sh.surfaces import output
    from dhis2sh.surfaces.terminal import TerminalReporter, ask, choose, edit, interactive

    options = invocation.options
    output.check(options)
    reporter = TerminalReporter()
    session = Session(options.profile, reporter=reporter, tracer=Tracer() if options.debug else None)
    session.stdin = sys.stdin.read
    consent = options.consent()
    if interactive():
        session.can_ask = True
        consent.ask, session.editor, session.chooser = (
            reporter.quietly(ask),
            reporter.quietly(edit),
            reporter.quietly(choose),
        )
    await _read_stdin(invocation)
    try:
        result = await _run(session, invocation, consent)
    except PartlyDone as partly:
        output.write(partly.summary, options)  # what was written is data; the error that follows is talk
        raise
    finally:
        reporter.done()
        await session.aclose()
    output.write(result, options)
    if remark := output.remark(result, options, invocation.arguments):
        reporter.note(remark)
    return 0


async def _read_stdin(invocation: Invocation) -> None:
    """`-` in the place of objects: standard input has them, as NDJSON, a JSON array or a UID a line."""
    taken = invocation.verb.piped
    if taken is None or "-" not in cast("list[object]", invocation.arguments.get(taken.name, [])):
        return
    import asyncio

    from dhis2sh.rows.rows import objects_of

    invocation.arguments[taken.name] = objects_of(await asyncio.to_thread(sys.stdin.read))


async def _run(session: Session, invocation: Invocation, consent: Consent) -> object:
    """Run a verb; a password that it wants is asked for on a terminal, and the verb is run again with it."""
    import asyncio

    from dhis2sh.surfaces.terminal import ask_secret
    from dhis2sh.verbs.run import run

    try:
        return await run(session, invocation.verb, invocation.arguments, consent)
    except NeedsSecret as wanted:
        if not session.can_ask:
            raise
        session.given_secret = await asyncio.to_thread(ask_secret, wanted.prompt)
        return await run(session, invocation.verb, invocation.arguments, consent)


if __name__ == "__main__":
    main()
