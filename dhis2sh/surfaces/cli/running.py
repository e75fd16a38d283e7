"""One command line that runs a verb: what it asks for, carried out, printed, and how it ended."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, cast

from dhis2sh import index
from dhis2sh.changes.plan import Plan
from dhis2sh.client.tracing import Tracer
from dhis2sh.errors import CheckFailed, Dhis2Error, Interrupted, PartlyDone, of_full_disk
from dhis2sh.rows.rows import objects_of
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.surfaces import commands, output, standard_output
from dhis2sh.surfaces.attempts import attempted_line
from dhis2sh.surfaces.terminal import Terminal, interactive, pick_missing, report
from dhis2sh.verbs import grammar
from dhis2sh.verbs.options import Options
from dhis2sh.verbs.run import run as run_verb

if TYPE_CHECKING:
    from dhis2sh.verbs.grammar import Invocation


def run(words: list[str]) -> int:
    """Carry out one command line; returns its exit code. What fails is said in two lines, except with `--debug`.

    Parameters:
        words: the arguments, without the program's name.
    """
    with commands.of_profile(commands.named_in(words)):
        return _run(words, debug=Options.debug.flag in words)


def _run(words: list[str], *, debug: bool) -> int:
    try:
        return _invoke(words)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return report(Interrupted("interrupted"))
    except BrokenPipeError:
        return 0
    except standard_output.Lost as lost:  # `standard_output.carry_out` says it
        return lost.told.exit_code
    except Dhis2Error as error:
        if debug:
            raise
        return report(error)
    except Exception as error:
        if debug:
            raise
        fault = of_full_disk(error) or Dhis2Error(
            f"{type(error).__name__}: {error}", hint="this is a fault of dhis2sh: try --debug and report it"
        )
        return report(fault)


def _invoke(words: list[str]) -> int:
    with attempted_line(words):
        invocation = grammar.parse(words)
        if isinstance(invocation, grammar.HelpText):
            print(invocation.text)
            return 0
        if interactive():
            pick_missing(invocation)
        output.check(invocation.options)
        _read_stdin(invocation)
    if not gc.isenabled():  # `main` has switched it off
        gc.freeze()
        gc.enable()
    with commands.of_profile(invocation.options.profile):
        try:
            return asyncio.run(_carry_out(invocation))
        except standard_output.Lost as lost:
            if invocation.verb.effect != "read":  # the same again would write it twice
                lost.told.hint = "make room on the disk; what was done is done: dhis2 journal list"
            raise


def _read_stdin(invocation: Invocation) -> None:
    """`-` in the place of objects: standard input has them, as NDJSON, a JSON array or a UID a line."""
    taken = invocation.verb.piped
    if (
        taken is not None
        and taken.kind == "rows"
        and "-" in cast("list[object]", invocation.arguments.get(taken.name, []))
    ):
        invocation.arguments[taken.name] = objects_of(sys.stdin.read())


async def _pour(stream: Stream[object], options: Options, person: Terminal) -> int:
    """Write a stream as it comes, while its session is open."""
    if options.jq:
        output.write(await stream.collect("--jq"), options)
        return 0
    with output.pouring(stream, options) as pouring:
        async with aclosing(stream.plain_batches()) as batches:
            async for batch in batches:
                person.quiet()
                pouring.add(batch)
    if options.out is not None:
        person.note(f"{options.out}: {pouring.count:,} rows")
    return 0


def _end_well() -> None:
    """SIGTERM ends the work as Ctrl-C does: what was sent is in the journal, and how far it came is said."""
    task = asyncio.current_task()
    if task is not None and os.name != "nt" and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _signs_of_life(person: Terminal) -> None:
    """Tell somebody at a terminal that an answer is waited for, until it is cancelled."""
    since = time.monotonic()
    while True:
        await asyncio.sleep(0.1)
        person.waiting(time.monotonic() - since)


async def _carry_out(invocation: Invocation) -> int:
    _end_well()
    options, person = invocation.options, Terminal()
    session = Session(options.profile, person=person, tracer=Tracer() if options.debug else None)
    session.on_written = index.follow
    waits = interactive() and not options.debug and "magic" not in invocation.verb.left_out  # what serves goes on
    life = asyncio.create_task(_signs_of_life(person)) if waits else None
    try:
        result = await run_verb(session, invocation.verb, invocation.arguments, options.consent())
        if isinstance(result, Stream):
            return await _pour(cast("Stream[object]", result), options, person)
    except PartlyDone as partly:
        with suppress(standard_output.Lost):  # that a part was refused is said all the same
            output.write(partly.summary, options)  # what was written is data; the error that follows is talk
            partly.message = partly.brief
        raise
    except CheckFailed as failed:
        if failed.findings is not None:
            with suppress(standard_output.Lost):  # what failed is said all the same
                output.write(failed.findings, options)  # a build says what it failed for, and `--out` has it
        raise
    finally:
        if life is not None:
            life.cancel()
        person.done()
        await session.aclose()
    output.write(result, options)
    if remark := output.remark(result, options, invocation.arguments):
        person.note(remark)
    if isinstance(result, Plan) and result.blocked is not None:  # a dry run ends as the write would
        return report(result.blocked)
    return 0
