"""Magics for the shell and notebooks (`%load_ext dhis2sh`): one per domain, `%dhis2` for a line, `%%dhis2` for more.

The head of a line is read by the command line's grammar; what follows the first top-level `|` is a Python pipeline.
"""

from __future__ import annotations

import builtins
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.changes.consent import Consent
from dhis2sh.errors import Declined, Dhis2Error, Interrupted, NeedsConfirmation, NeedsSecret, UsageError
from dhis2sh.session import Session
from dhis2sh.surfaces.ipython import display
from dhis2sh.surfaces.ipython.background import Background
from dhis2sh.surfaces.ipython.bridge import ClientProxy, Portal, QueueReporter
from dhis2sh.surfaces.ipython.lines import Transformer, joined
from dhis2sh.surfaces.terminal import (
    NotebookReporter,
    TerminalReporter,
    ask,
    ask_secret,
    choose,
    edit,
    interactive,
    pick_missing,
)
from dhis2sh.verbs import calls, installed, manifest

if TYPE_CHECKING:  # a start pays for none of these: they come with the first line
    from dhis2sh.changes.plan import Plan
    from dhis2sh.rows.pipeline import Pipeline, Split
    from dhis2sh.rows.rows import Rows, Text
    from dhis2sh.verbs.declaration import Verb
    from dhis2sh.verbs.grammar import Invocation

_OF_EXPLAIN = re.compile(r"$|-|error\b|[Ee]\d{4}\b")
"""What the verb `explain` takes; anything else behind it is a line, and shown is what that would send."""
_KEPT = re.compile(r"\s*[A-Za-z_][\w, ]*=\s*%")
"""`x = %metadata list ...`: nobody sees a table."""
_EXPAND = re.compile(r"\$(\w+)|(?<![\w\]\)])\{(\w+)\}")


def _no_editor() -> str:
    raise UsageError("--edit works in a line of its own", hint="%metadata update TYPE UID --edit")


class Runner:
    """Runs lines for one IPython: the portal, the session, and what the user's namespace holds.

    Parameters:
        shell: the IPython instance.
        profile: the profile to begin with.
    """

    def __init__(self, shell: Any, profile: str | None = None) -> None:
        self.shell = shell
        self.portal = Portal()
        self.session = self._open(profile)
        self.client = ClientProxy(self.portal, self.session)
        self.last_error: Dhis2Error | None = None
        self.output = "table"
        self.timing = False
        self.failed = False
        self.cell = ""
        self.background = Background(self.session, self.portal)
        self._reporter = reporter_of(shell)

    def _open(self, profile: str | None) -> Session:
        session = Session(profile, reporter=QueueReporter(self.portal))
        if interactive():
            session.editor = self.portal.asking(edit, _no_editor)
            session.chooser = self.portal.asking(choose, lambda: None)
        return session

    def close(self) -> None:
        """End the work behind the prompt and close what is open."""
        self.background.close()
        self.portal.run(self.session.aclose())
        self.portal.close()

    def namespace(self) -> dict[str, object]:
        """What the user finds at the prompt."""
        found = calls.namespace(self.call_async)
        profile = calls.ProfileDomain("profile", self.call_async, lambda: self.session.profile)
        return {"client": self.client, "session": self.session, **found, "profile": profile}

    def call_async(self, verb: Verb, arguments: Mapping[str, object]) -> Any:
        """A verb as a Python call: a coroutine for `await metadata.list(...)`."""
        from dhis2sh.verbs.piping import CONSENT
        from dhis2sh.verbs.run import run  # start-up: plans and the journal

        consent = Consent(**{word: cast("Any", arguments[word]) for word in CONSENT if word in arguments})
        given = {name: value for name, value in arguments.items() if name not in CONSENT}
        return self.portal.hop(run(self.session, verb, given, consent))

    def line(self, text: str) -> object:
        """Run one line and return its result; errors are said in two lines and return None."""
        started = time.perf_counter()
        self.failed = False
        try:
            return self._line(text)
        except KeyboardInterrupt:
            self._say(Interrupted("interrupted"))
        except Dhis2Error as error:
            self._say(error)
        finally:
            self._reporter.done()
            self.background.follow()
            if self.timing:
                print(f"{time.perf_counter() - started:.2f} s", file=sys.stderr)
        return None

    def _line(self, text: str) -> object:
        if text.rstrip().endswith("?"):
            return help_of(text.strip())
        first, _, rest = text.strip().partition(" ")
        if first == "explain" and not _OF_EXPLAIN.match(rest.strip()):
            return self._explain(rest.strip())
        from dhis2sh.rows.rows import Text

        understood = self._understood(text)
        if isinstance(understood, Text):
            return understood
        parts, parsed, pipeline = understood
        if interactive():
            pick_missing(parsed)
        result = self._run(parsed, pipeline)
        return None if parts.quiet else self._formatted(result, parsed)

    def _understood(self, text: str) -> Text | tuple[Split, Invocation, Pipeline | None]:
        """A line's parts, its head as an invocation and its tail compiled; or the help that it asks for."""
        from dhis2sh.rows.pipeline import split
        from dhis2sh.rows.rows import Text
        from dhis2sh.verbs import grammar
        from dhis2sh.verbs.piping import compile_tail

        parts = split(text)
        parsed = grammar.parse(grammar.words_of(self._expanded(parts.head)))
        if isinstance(parsed, grammar.HelpText):
            return Text(parsed.text)
        if not parts.tail:
            return parts, parsed, None
        tail = compile_tail(parts.tail, offset=parts.tail_at, source=text, names=self.shell.user_ns)
        return parts, parsed, tail

    def _formatted(self, result: object, invocation: Invocation) -> object:
        """`-o json` and `%output json` print text; without them the object itself is the result."""
        from dhis2sh.rows.rows import Text
        from dhis2sh.surfaces import output

        options = invocation.options
        written = options.out is not None or bool(options.jq)
        if written:
            output.check(options)
            output.write(result, options)
        kept = _KEPT.match(self.cell) is not None
        if remark := output.remark(result, options, invocation.arguments, kept=kept):
            self._reporter.note(remark)
        if written:
            return None
        chosen = output.format_of(options) if options.json or options.format else self.output
        return display.shown(result) if chosen == "table" else Text(output.formatted(result, chosen))

    def _run(self, invocation: Invocation, pipeline: Pipeline | None) -> object:
        verb, options = invocation.verb, invocation.options
        if "magic" in verb.left_out:
            raise UsageError(f"{verb.path} is not a magic: {verb.left_out['magic']}", hint=f"dhis2 {verb.path}")
        if options.profile is not None and options.profile != self.session.bound:
            session = self._open(options.profile)
        else:
            session = self.session
        try:
            if pipeline is None:
                return self._confirmed(session, verb, invocation.arguments, options.consent())
            try:
                return self.portal.run(self._piped(session, invocation, pipeline), self._hear)
            except NeedsConfirmation as waiting:
                return self._asked(session, waiting, invocation.options.consent())
        finally:
            if session is not self.session:
                self.portal.run(session.aclose())

    async def _piped(self, session: Session, invocation: Invocation, pipeline: Pipeline) -> object:
        """A head and its tail, over there: the head gives what the tail needs, then each stage takes its turn."""
        from dhis2sh.rows.rows import Rows
        from dhis2sh.verbs.piping import fit, piped
        from dhis2sh.verbs.run import run  # start-up: plans and the journal

        async def call_verb(name: str, rows: Rows[Any], args: tuple[Any, ...], options: dict[str, Any]) -> object:
            verb, arguments, consent = piped(name, rows, args, options)
            return await run(session, verb, arguments, consent)

        head = await fit(session, invocation.verb, invocation.arguments, pipeline, self._variables())
        result = await run(session, invocation.verb, head.arguments, invocation.options.consent())
        rows = cast("Rows[Any]", result) if isinstance(result, Rows) else Rows([result])
        return await pipeline.run(rows, self.shell.user_ns, call_verb, head.hidden)

    def _confirmed(self, session: Session, verb: Verb, arguments: Mapping[str, object], consent: Consent) -> object:
        """Run a verb; when its plan wants a yes and somebody is there, show it and ask in this thread."""
        from dhis2sh.verbs.run import run  # start-up: plans and the journal

        session.can_ask = interactive()
        try:
            return self.portal.run(run(session, verb, arguments, consent), self._hear)
        except NeedsSecret as wanted:
            if not session.can_ask:
                raise
            self._reporter.done()
            session.given_secret = ask_secret(wanted.prompt)
            try:
                return self._confirmed(session, verb, arguments, consent)
            finally:
                session.given_secret = None
        except NeedsConfirmation as waiting:
            return self._asked(session, waiting, consent)

    def _asked(self, session: Session, waiting: NeedsConfirmation, consent: Consent) -> object:
        """Show the plan that waits and ask, in this thread; what is agreed to is carried out."""
        from dhis2sh.changes.apply import apply_plan
        from dhis2sh.changes.consent import production_of
        from dhis2sh.verbs.registry import find

        plan = cast("Plan", waiting.plan)
        name = production_of(session, plan)
        if not interactive() or consent.confirm not in {None, name}:
            raise waiting
        if not self._reporter.quietly(ask)(plan, name if consent.confirm is None else None):
            raise Declined(plan.title)
        agreed = replace(consent, yes=True, confirm=name)
        return self.portal.run(apply_plan(session, find(plan.verb), plan, agreed), self._hear)

    def _explain(self, line: str) -> object:
        """What a line would send, sending nothing."""
        from dhis2sh.rows.rows import Text
        from dhis2sh.verbs import explain

        understood = self._understood(line.lstrip("%"))
        if isinstance(understood, Text):
            return understood
        _, parsed, pipeline = understood
        work = explain.line(self.session, parsed.verb, parsed.arguments, pipeline, self._variables())
        return Text(self.portal.run(work, self._hear))

    def _expanded(self, head: str) -> str:
        """`$x` and `{x}` become the user's variables, in the head only."""

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            return str(self.shell.user_ns[name]) if name in self.shell.user_ns else found[0]

        return _EXPAND.sub(value, head)

    def _variables(self) -> set[str]:
        """The user's own variables: a pipeline may name them, and they are no fields."""
        return set(self.shell.user_ns) - set(self.shell.user_ns_hidden)

    def _hear(self, kind: str, arguments: tuple[object, ...]) -> None:
        """What was said on the other side, said here: the thread that waits is the only one that writes."""
        getattr(self._reporter, kind)(*arguments)

    def _say(self, error: Dhis2Error) -> None:
        from dhis2sh.surfaces.cli.main import report

        self.failed = True
        if not isinstance(error, Interrupted):
            self.last_error = error
        source, position = getattr(error, "source", None), getattr(error, "position", None)
        if source is not None and position is not None:
            print(f"{source}\n{' ' * position}^", file=sys.stderr)
        report(error)


def reporter_of(shell: Any) -> TerminalReporter:
    """Who says what verbs say: bars and lines on a terminal, in a notebook in the cell."""
    return NotebookReporter() if hasattr(shell, "kernel") else TerminalReporter()


def load(shell: Any, profile: str | None = None) -> Runner:
    """Register the magics and put the namespace into an IPython.

    Parameters:
        shell: the IPython instance.
        profile: the profile to begin with; the active one when None.
    """
    from IPython.core.magic import no_var_expand

    if note := manifest.stale():
        print(note, file=sys.stderr)
    runner = Runner(shell, profile)

    def magic_for(domain: str) -> Any:
        @no_var_expand
        def magic(line: str) -> object:
            return runner.line(f"{domain} {line}".strip())

        magic.__doc__ = _help(domain)
        return magic

    for domain in installed.domains():
        shell.register_magic_function(magic_for(domain), "line", domain)

    @no_var_expand
    def dhis2(line: str) -> object:
        """Run any dhis2sh line: %dhis2 metadata list dataElements."""
        return runner.line(line)

    @no_var_expand
    def dhis2_cell(line: str, cell: str) -> object:
        """Run several dhis2sh lines; the last one's result is the cell's."""
        from dhis2sh.show import render

        result: object = None
        for text in [line, *joined(cell)]:
            if text.strip() and not text.lstrip().startswith("#"):
                if result is not None:
                    print(render.text(result))
                result = runner.line(text.strip())
                if runner.failed:
                    return None
        return result

    shell.register_magic_function(dhis2, "line", "dhis2")
    shell.register_magic_function(dhis2_cell, "cell", "dhis2")
    _register_switches(shell, runner)
    for name, value in runner.namespace().items():
        shell.user_ns.setdefault(name, value)
    _listen(shell, runner)
    return runner


def _register_switches(shell: Any, runner: Runner) -> None:
    """The magics that set how this runner shows what it does; their docstrings are their help."""

    def output(line: str) -> None:
        """Set how results are shown: %output table|json|ndjson|csv|tsv|yaml|md; alone: say it."""
        from dhis2sh.verbs.completion import FORMATS

        wanted, shown = line.strip(), [name for name in FORMATS if name not in {"xlsx", "parquet"}]
        if wanted and wanted not in shown:
            print(f"error: output cannot be '{wanted}'\n  try: {' '.join(shown)}", file=sys.stderr)
            return
        runner.output = wanted or runner.output
        print(f"output is {runner.output}")

    def timing(line: str) -> None:
        """Say how long each line took: %timing on|off; alone: the other of the two."""
        if line.strip() not in {"", "on", "off"}:
            print(f"error: timing is on or off, not '{line.strip()}'\n  try: %timing on", file=sys.stderr)
            return
        runner.timing = not runner.timing if not line.strip() else line.strip() == "on"
        print(f"timing is {'on' if runner.timing else 'off'}")

    shell.register_magic_function(output, "line", "output")
    shell.register_magic_function(timing, "line", "timing")


def _listen(shell: Any, runner: Runner) -> None:
    """Completion, help by `?` and continued lines, and domains without `%`, in a terminal and in a kernel alike."""
    from dhis2sh.surfaces.ipython import completion, mistakes, prefilter

    def is_stage(name: str) -> bool:
        from dhis2sh.rows.stages import STAGES

        return name in STAGES and name not in shell.user_ns

    def is_name(name: str) -> bool:
        return name in shell.user_ns or hasattr(builtins, name)

    completion.install(shell, runner)
    display.install(shell)
    mistakes.install(shell)
    shell.input_transformers_cleanup.append(Transformer(frozenset(installed.domains()), is_stage, is_name))
    manager = shell.prefilter_manager
    prefilter.DomainChecker(shell=shell, prefilter_manager=manager, parent=manager)

    def before_a_cell(info: Any) -> None:
        runner.cell = info.raw_cell or ""

    def after_a_cell(result: Any) -> None:
        if isinstance(result.error_in_exec, KeyboardInterrupt):
            runner.portal.cancel_awaited()

    shell.events.register("pre_run_cell", before_a_cell)
    shell.events.register("post_run_cell", after_a_cell)
    runner.background.on = hasattr(shell, "kernel")  # a kernel has no prompt to wait for


def help_of(text: str) -> Text:
    """What `?` says of a verb, a domain or a stage; `??` shows its source too. Raises `UsageError` for others."""
    import inspect

    from dhis2sh.rows.rows import Text
    from dhis2sh.rows.stages import STAGES
    from dhis2sh.verbs import grammar
    from dhis2sh.verbs.registry import find

    words = text.rstrip("?").split()
    deep = text.endswith("??")
    if len(words) == 1 and words[0] in STAGES:
        stage = STAGES[words[0]]
        source = inspect.getsource(stage.function) if deep else ""
        return Text(f"{words[0]}: a stage of a pipeline\n\n{inspect.cleandoc(stage.help)}\n\n{source}".rstrip())
    shown = grammar.help_of(words)
    if not deep:
        return Text(shown)
    try:
        return Text(f"{shown}\n\n{inspect.getsource(find(' '.join(words)).function)}".rstrip())
    except UsageError:
        return Text(shown)  # a domain has no source of its own


def _help(domain: str) -> str:
    """A magic's docstring: one line from the catalogue's index, since a start must not read every domain."""
    domains = cast("dict[str, str]", manifest.index()["domains"])
    return f"{domain}: {domains.get(domain, 'verbs of a plugin')}. {domain}? shows its help."
