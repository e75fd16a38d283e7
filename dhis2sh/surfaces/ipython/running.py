"""One line of the prompt or a notebook, from its text to what is shown. Imported with the first line, never at a start."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.changes.attempts import attempt
from dhis2sh.changes.consent import Consent
from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.rows.pipeline import Pipeline, Split, split
from dhis2sh.rows.registry import stages
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.rows.stream import MANY, Stream, rows_of
from dhis2sh.surfaces import commands, output
from dhis2sh.surfaces.attempts import attempted_line
from dhis2sh.surfaces.ipython import display, variables
from dhis2sh.surfaces.ipython.lines import OF_VALUE
from dhis2sh.surfaces.ipython.record import shown
from dhis2sh.surfaces.terminal import interactive, pick_missing
from dhis2sh.verbs import explain, grammar, installed
from dhis2sh.verbs.options import Options, keywords
from dhis2sh.verbs.piping import compile_tail, fit, piped
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.surfaces.ipython.bridge import Portal
    from dhis2sh.surfaces.terminal import Terminal
    from dhis2sh.types import Row
    from dhis2sh.verbs.declaration import Verb
    from dhis2sh.verbs.grammar import Invocation

_OF_EXPLAIN = re.compile(r"$|-|error\b|[Ee]\d{4}\b")
"""What the verb `explain` takes; anything else behind it is a line, and shown is what that would send."""

_FIELDS_ASKED = re.compile(r"--fields[ =]\?\s*$")
"""Which fields there are, and not what the verb is."""
AHEAD = 2
"""Batches of a stream that may wait for who reads it on another loop."""
MOST_UNREAD = 3
"""Previews whose rest may still be read: each holds a connection to the server."""


class Lines:
    """Runs lines and Python calls of verbs for one IPython.

    Parameters:
        shell: the IPython instance, whose names a line may use.
        portal: runs what waits.
        session: what a line acts on, unless it names another profile.
        open_session: opens one on a profile by its name.
        person: who is told, in the thread that waits.
        seen: told the type of the rows that are shown, and the rows.
    """

    def __init__(
        self,
        shell: Any,
        portal: Portal,
        session: Session,
        open_session: Callable[[str], Session],
        person: Terminal,
        seen: Callable[[str, Sequence[Row]], None],
    ) -> None:
        self._seen = seen
        self._shell, self._portal, self._session = shell, portal, session
        self._open, self._person = open_session, person
        self._unread: list[Stream[object]] = []

    def run(self, text: str, *, form: str, kept: bool, whole: bool = False) -> object:
        """Run one line and give what is shown of its result.

        Parameters:
            text: the line.
            form: how a result is shown where the line does not say it.
            kept: the result goes into a variable, so that nobody sees a table; of a stream it is rows.
            whole: nobody could ask for the rest of a stream: it is printed, all of it.

        Raises our errors, which name the profile that the line or the session was told to act on.
        """
        with self._carrying(commands.named_in(text.split())):
            return self._run(text, form, kept=kept, whole=whole)

    @contextmanager
    def _carrying(self, named: str | None) -> Generator[None]:
        """Inside, the commands that are printed name a profile: that of the line, or what this session was bound to."""
        with commands.of_profile(named or self._session.chosen):
            try:
                yield
            except Dhis2Error as error:
                commands.carry(error)
                raise

    def _run(self, text: str, form: str, *, kept: bool, whole: bool) -> object:
        if text.rstrip().endswith("?") and not _FIELDS_ASKED.search(text):
            return help_of(text.strip())
        if text.startswith(OF_VALUE):
            return self._of_value(text.removeprefix(OF_VALUE), form, kept=kept)
        first, _, rest = text.strip().partition(" ")
        if first == "explain" and not _OF_EXPLAIN.match(rest.strip()):
            return self._explained(rest.strip())
        with attempted_line(*_words(text), self._session):
            understood = self._understood(text)
        if isinstance(understood, Text):
            return understood
        parts, invocation, pipeline = understood
        with self._carrying(invocation.options.profile):
            return self._answered(parts, invocation, pipeline, form, kept=kept, whole=whole)

    def _answered(
        self, parts: Split, invocation: Invocation, pipeline: Pipeline | None, form: str, *, kept: bool, whole: bool
    ) -> object:
        if interactive():
            pick_missing(invocation)
        result = self._carried_out(invocation, pipeline)
        commands.keep(result)
        if isinstance(result, Stream):
            stream = cast("Stream[object]", result)
            if kept and not parts.quiet and not _written(invocation.options, form):
                return self._held(stream)
            return self._shown(stream, invocation, form, whole=whole, quiet=parts.quiet)
        if isinstance(result, Rows) and (plural := cast("Rows[object]", result).resource):
            self._seen(plural, cast("Rows[object]", result).plain())
        return None if parts.quiet else self._formatted(cast("object", result), invocation, form, kept=kept)

    def call(self, verb: Verb, arguments: Mapping[str, object]) -> Any:
        """A verb as a Python call: what `await metadata.list(...)` waits for."""
        options, given = keywords(arguments)

        async def work() -> object:
            with self._carrying(None):
                found = await run(self._session, verb, given, options.consent())
                commands.keep(found)
            display.teach_result(self._shell, found)
            return self._carried(cast("Stream[object]", found)) if isinstance(found, Stream) else found

        return self._portal.hop(work())

    def _carried(self, stream: Stream[object]) -> Stream[object]:
        """A stream that may be read on any loop, a little ahead."""
        return stream.carried(self._portal.hop, partial(self._portal.iterate, ahead=AHEAD))

    def _held(self, stream: Stream[object]) -> object:
        """A stream that goes into a variable, as the rows that it is; a longer one than `MANY` stays as it is, and that is said."""
        self._waited(stream.peek(MANY))
        if stream.ended:
            return cast("object", self._waited(stream.collect()))
        self._person.warn(
            f"more than {MANY:,} rows: the variable is a stream, which is read once: by `async for`, into a file "
            "(| csv, | parquet), or by `await` of its .collect() or .df(), which hold every row in memory"
        )
        self._keep_open(self._carried(stream))
        return stream

    def _shown(self, stream: Stream[object], invocation: Invocation, form: str, *, whole: bool, quiet: bool) -> object:
        """What is shown of a stream: its first rows, and the rest stays unread; or what was asked for, as it comes."""
        options = invocation.options
        if quiet:
            return self._portal.run(stream.aclose())
        chosen = output.format_of(options) if options.json or options.format or options.out else form
        if options.jq:
            return output.write(self._waited(stream.collect("--jq")), options)
        if options.out is not None or whole:
            return self._poured(stream, options.having(format=chosen))
        if chosen != "table":
            return Text(output.formatted(self._waited(stream.collect(f"-o {chosen}")), chosen), of=chosen)
        self._keep_open(self._carried(self._waited(stream.peek())))
        if stream.resource:
            self._seen(stream.resource, stream.ahead)
        return stream

    def _poured(self, stream: Stream[object], options: Options) -> None:
        """A stream written batch by batch, in this thread, which has the terminal."""
        output.check(options)
        batches = stream.plain_batches()

        async def following() -> list[Row] | None:
            return await anext(batches, None)

        try:
            with output.pouring(stream, options) as pouring:
                while batch := self._waited(following()):
                    pouring.add(batch)
        finally:
            self._portal.run(batches.aclose())
        if options.out is not None:
            self._person.note(f"{options.out}: {pouring.count:,} rows")

    def _keep_open(self, stream: Stream[object]) -> None:
        """An unread rest holds a connection: those of the oldest previews are closed."""
        self._unread = [held for held in self._unread if not held.taken and not held.ended]
        self._unread.append(stream)
        while len(self._unread) > MOST_UNREAD:
            self._portal.run(self._unread.pop(0).aclose())

    def close(self) -> None:
        """Close the streams that nobody has read to their end."""
        while self._unread:
            self._portal.run(self._unread.pop().aclose())

    def _understood(self, text: str) -> Text | tuple[Split, Invocation, Pipeline | None]:
        """A line's parts, its head as an invocation and its tail compiled; or the help that it asks for."""
        parts = split(text)
        parsed = grammar.parse(variables.words(parts.head, self._shell.user_ns))
        if isinstance(parsed, grammar.HelpText):
            return Text(parsed.text)
        if not parts.tail:
            return parts, parsed, None
        return parts, parsed, self._compiled(parts)

    def _compiled(self, parts: Split) -> Pipeline:
        """A tail, with the user's variables in it."""
        told, held = variables.in_tail(parts.tail or "", self._shell.user_ns)
        source = parts.head + "|" + told
        names = {**self._shell.user_ns, **held} if held else self._shell.user_ns
        tail = compile_tail(told, offset=parts.tail_at, source=source, names=names)
        tail.held = held
        return tail

    def _formatted(self, result: object, invocation: Invocation, form: str, *, kept: bool) -> object:
        """`-o json` and `%output json` print text; without them the object itself is the result."""
        options = invocation.options
        written = options.out is not None or bool(options.jq)
        if written:
            output.check(options)
            output.write(result, options)
        if remark := output.remark(result, options, invocation.arguments, kept=kept):
            self._person.note(remark)
        if written:
            return None
        chosen = output.format_of(options) if options.json or options.format else form
        display.teach_result(self._shell, result)
        return (
            shown(result) if chosen == "table" else Text(output.formatted(result, chosen, safe=options.safe), of=chosen)
        )

    def _carried_out(self, invocation: Invocation, pipeline: Pipeline | None) -> object:
        verb, options = invocation.verb, invocation.options
        if "magic" in verb.left_out:
            raise UsageError(f"{verb.path} is not a magic: {verb.left_out['magic']}", hint=f"dhis2 {verb.path}")
        if options.profile is not None and options.profile != self._session.bound:
            session = self._open(options.profile)
        else:
            session = self._session
        result: object = None
        try:
            if pipeline is None:
                result = self._waited(run(session, verb, invocation.arguments, options.consent()))
            else:
                result = self._waited(self._piped(session, invocation, pipeline))
        finally:
            if session is not self._session and isinstance(result, Stream):
                cast("Stream[object]", result).finally_(session.aclose)
            elif session is not self._session:
                self._portal.run(session.aclose())
        return cast("object", result)

    def _waited[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Work over there, waited for; what is said and asked meanwhile is said and asked here."""
        return self._portal.run(work, lambda kind, arguments: getattr(self._person, kind)(*arguments))

    async def _piped(self, session: Session, invocation: Invocation, pipeline: Pipeline) -> object:
        """A head and its tail, over there: the head gives what the tail needs, then each stage takes its turn."""

        async def call_verb(name: str, rows: Rows[Any], args: tuple[Any, ...], options: dict[str, Any]) -> object:
            return await _called(session, name, rows, args, options)

        head = await fit(session, invocation.verb, invocation.arguments, pipeline, self._own(pipeline))
        result = await run(session, invocation.verb, head.arguments, invocation.options.consent())
        rows = cast("Rows[Any] | Stream[Any]", result) if isinstance(result, (Rows, Stream)) else Rows([result])
        return await pipeline.run(rows, self._shell.user_ns, call_verb, head.hidden)

    async def _call_verb(self, name: str, rows: Rows[Any], args: tuple[Any, ...], options: dict[str, Any]) -> object:
        return await _called(self._session, name, rows, args, options)

    def _explained(self, line: str) -> object:
        """What a line would send, sending nothing."""
        understood = self._understood(line.lstrip("%"))
        if isinstance(understood, Text):
            return understood
        _, parsed, pipeline = understood
        return Text(
            self._waited(explain.line(self._session, parsed.verb, parsed.arguments, pipeline, self._own(pipeline)))
        )

    def _own(self, pipeline: Pipeline | None) -> set[str]:
        """The user's own variables: a pipeline may name them, and they are no fields."""
        hidden, names = self._shell.user_ns_hidden, self._shell.user_ns
        own = {name for name, value in names.items() if name not in hidden or value is not hidden[name]}
        return own | set(pipeline.held if pipeline is not None else ())

    def _of_value(self, text: str, form: str, *, kept: bool) -> object:
        """A value of the user's through a pipeline: `rows | where(level == 2) | head(3)`."""
        parts = split(text)
        head = parts.head.strip()
        pipeline = self._compiled(parts)
        rows = rows_of(cast("object", eval(head, self._shell.user_ns)), head)  # noqa: S307  (the user's own line)
        result = self._waited(pipeline.run(rows, self._shell.user_ns, self._call_verb))
        if parts.quiet:
            return None
        if isinstance(result, Stream):
            return self._held(cast("Stream[object]", result)) if kept else cast("object", result)
        display.teach_result(self._shell, result)
        return shown(result) if form == "table" else Text(output.formatted(result, form), of=form)


def _written(options: Options, form: str) -> bool:
    """Was a text or a file asked for, and no rows?"""
    chosen = output.format_of(options) if options.json or options.format else form
    return options.out is not None or bool(options.jq) or chosen != "table"


async def _called(
    session: Session, name: str, rows: Rows[Any], args: tuple[Any, ...], options: dict[str, Any]
) -> object:
    """A verb that stands as a stage."""
    with attempt(session, find(name.replace(".", " ")), Consent(dry_run=options.get("dry_run") is True)):
        verb, arguments, common = piped(name, rows, args, options)
    return await run(session, verb, arguments, common.consent())


def _words(text: str) -> tuple[list[str], str]:
    """The words of a line before its tail, as far as they can be told apart, and its tail."""
    parts = split(text)
    try:
        return shlex.split(parts.head), parts.tail or ""
    except ValueError:
        return parts.head.split(), parts.tail or ""


OVERVIEW = """\
IPython with a verb for what one does with DHIS2: a verb, a pipeline, Python.

  metadata search malaria                  by words, a code or part of a UID
  metadata list dataElements | where(valueType == 'NUMBER') | select(id, name)
  what 'Child Health'                      what it is, where it is used
  x = %metadata list dataElements          rows, for Python; $x.name in a line
  await client.get("me")                   any request

Tab completes verbs, options, fields, values, and objects by their names.
A write can be looked at first (--dry-run), and undo takes it back.

  metadata list?      the help of a verb (a domain, a stage: where?)
  verbs rename many   the verbs that do what one asks for, in one's own words
  explain LINE        what a line would send; alone: the last refusal in words
  profile use NAME    another server
  %quickref           IPython's own help
"""


def overview() -> Text:
    """What `?` alone says: what may be typed, and the domains."""
    import textwrap  # start-up: for help only

    domains = ", ".join(sorted(installed.domains()))
    return Text(f"{OVERVIEW}\n{textwrap.fill(f'domains: {domains}', 79)}")


def help_of(text: str) -> Text:
    """What `?` says of a verb, a domain or a stage; `??` shows its source too. Raises `UsageError` for others."""
    words = text.rstrip("?").split()
    if not words:
        return overview()
    deep = text.endswith("??")
    if len(words) == 1 and words[0] in stages():
        stage = stages()[words[0]]
        source = inspect.getsource(stage.function) if deep else ""
        return Text(f"{words[0]}: a stage of a pipeline\n\n{inspect.cleandoc(stage.help)}\n\n{source}".rstrip())
    shown = grammar.help_of(words)
    if not deep:
        return Text(shown)
    try:
        return Text(f"{shown}\n\n{inspect.getsource(find(' '.join(words)).function)}".rstrip())
    except UsageError:
        return Text(shown)  # a domain has no source of its own
