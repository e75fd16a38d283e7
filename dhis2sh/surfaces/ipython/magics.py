"""Magics for the shell and notebooks (`%load_ext dhis2sh`): one per domain, `%dhis2` for a line, `%%dhis2` for more.

The head of a line is read by the command line's grammar; what follows the first top-level `|` is a Python pipeline.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dhis2sh import index
from dhis2sh.errors import Dhis2Error, Interrupted, NeedsConfirmation
from dhis2sh.rows.registry import stages
from dhis2sh.session import Session
from dhis2sh.surfaces.ipython import display, matcher, mistakes, prefilter
from dhis2sh.surfaces.ipython.background import Background
from dhis2sh.surfaces.ipython.bridge import Across, ClientProxy, Portal
from dhis2sh.surfaces.ipython.lines import Transformer, assigned, joined
from dhis2sh.surfaces.terminal import Notebook, Terminal, drawn, report
from dhis2sh.verbs import calls, installed, manifest, plugin_catalogue
from dhis2sh.verbs.options import FORMATS

if TYPE_CHECKING:
    from dhis2sh.surfaces.ipython.running import Lines
    from dhis2sh.verbs.declaration import Verb

EXPANDED: Mapping[str, display.Expanded] = {"on": "on", "off": "off", "auto": "auto"}


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
        self.look = display.Look()
        self.failed = False
        self._failure: Dhis2Error | None = None
        self.cell = ""
        self.background = Background(self.session, self.portal)
        self._person = Notebook() if hasattr(shell, "kernel") else Terminal()
        self.portal.on_waiting = self._person.waiting

    def _open(self, profile: str | None) -> Session:
        session = Session(profile, person=Across(self.portal), lasting=True)
        session.on_written = index.follow
        return session

    @cached_property
    def _lines(self) -> Lines:
        from dhis2sh.surfaces.ipython.running import Lines  # start-up: what runs a line comes with the first one

        return Lines(self.shell, self.portal, self.session, self._open, self._person, self.background.seen)

    def close(self) -> None:
        """End the work behind the prompt and close what is open."""
        self.background.close()
        if "_lines" in self.__dict__:
            self._lines.close()
        self.portal.run(self.session.aclose())
        self.portal.close()

    def quiet(self) -> None:
        """Take away what is drawn while a line waits."""
        self._person.done()

    def namespace(self) -> dict[str, object]:
        """What the user finds at the prompt."""
        found = calls.namespace(self.call_async)
        profile = calls.ProfileDomain("profile", self.call_async, lambda: self.session.profile)
        return {"client": self.client, "session": self.session, **found, "profile": profile}

    def call_async(self, verb: Verb, arguments: Mapping[str, object]) -> Any:
        """A verb as a Python call: a coroutine for `await metadata.list(...)`."""
        return self._lines.call(verb, arguments)

    def line(self, text: str, *, whole: bool = False) -> object:
        """Run one line and return its result; errors are said in two lines and return None.

        Parameters:
            text: the line.
            whole: a stream is printed, all of it, since nobody is there to ask for its rest.
        """
        started = time.perf_counter()
        self.failed = False
        try:
            return self._lines.run(text, form=self.output, kept=assigned(self.cell, text), whole=whole)
        except KeyboardInterrupt:
            self._say(Interrupted("interrupted"))
        except Dhis2Error as error:
            self._say(error)
        finally:
            self._person.done()
            self.background.follow()
            if self.timing:
                print(f"{time.perf_counter() - started:.2f} s", file=sys.stderr)
        return None

    def magic(self, text: str) -> object:
        """Run one line as a magic does: what has failed fails the cell too, so that no later one counts on it.

        Raises the error, which the shell has said already and a notebook shows in two lines.
        """
        result = self.line(text)
        if self.failed and self._failure is not None:
            raise self._failure
        return result

    def has_said(self, error: BaseException | None) -> bool:
        """Has an error been told when its line failed? A notebook shows it in the place of the cell's result."""
        return error is not None and error is self._failure and not hasattr(self.shell, "kernel")

    def _say(self, error: Dhis2Error) -> None:
        self.failed = True
        self._failure = error
        if not isinstance(error, Interrupted):
            self.last_error = error
        source, position = getattr(error, "source", None), getattr(error, "position", None)
        if source is not None and position is not None:
            print(f"{source}\n{' ' * position}^", file=sys.stderr)
        if not hasattr(self.shell, "kernel"):
            report(error)
        elif isinstance(error, NeedsConfirmation):  # the error itself is shown in the cell's place
            print(drawn(error.plan, width=0))


def load(shell: Any, profile: str | None = None) -> Runner:
    """Register the magics and put the namespace into an IPython.

    Parameters:
        shell: the IPython instance.
        profile: the profile to begin with; the active one when None.
    """
    from IPython.core.magic import no_var_expand

    if note := manifest.stale():
        print(note, file=sys.stderr)
    if installed.declared():
        for one in plugin_catalogue.known_broken():
            print(f"note: {one.line()}", file=sys.stderr)
    runner = Runner(shell, profile)

    def magic_for(domain: str) -> Any:
        @no_var_expand
        def magic(line: str) -> object:
            return runner.magic(f"{domain} {line}".strip())

        magic.__doc__ = _help(domain)
        return magic

    for domain in installed.domains():
        shell.register_magic_function(magic_for(domain), "line", domain)

    @no_var_expand
    def dhis2(line: str) -> object:
        """Run any dhis2sh line: %dhis2 metadata list dataElements."""
        return runner.magic(line)

    @no_var_expand
    def dhis2_cell(line: str, cell: str) -> object:
        """Run several dhis2sh lines; the last one's result is the cell's."""
        result: object = None
        for text in [line, *joined(cell)]:
            if text.strip() and not text.lstrip().startswith("#"):
                if result is not None:
                    print(drawn(result))
                result = runner.magic(text.strip())
        return result

    shell.register_magic_function(dhis2, "line", "dhis2")
    shell.register_magic_function(dhis2_cell, "cell", "dhis2")
    _register_switches(shell, runner)
    for name, value in runner.namespace().items():
        shell.user_ns_hidden.setdefault(name, shell.user_ns.setdefault(name, value))
    _listen(shell, runner)
    return runner


def _register_switches(shell: Any, runner: Runner) -> None:
    """The magics that set how this runner shows what it does; their docstrings are their help."""

    def output(line: str) -> None:
        """Set how results are shown: %output table|json|ndjson|csv|tsv|yaml|md; alone: say it."""
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

    def expanded(line: str) -> None:
        """Show rows one below the other: %expanded on|off|auto; alone: the other of on and off. `\\x` does the same."""
        wanted, now = line.strip(), runner.look.expanded
        if wanted not in {"", *EXPANDED}:
            print(f"error: expanded is on, off or auto, not '{wanted}'\n  try: %expanded on", file=sys.stderr)
            return
        runner.look.expanded = EXPANDED[wanted] if wanted else "off" if now == "on" else "on"
        print(f"expanded is {runner.look.expanded}")

    shell.register_magic_function(expanded, "line", "expanded")
    shell.register_magic_function(output, "line", "output")
    shell.register_magic_function(timing, "line", "timing")


def _listen(shell: Any, runner: Runner) -> None:
    """Completion, help by `?` and continued lines, and domains without `%`, in a terminal and in a kernel alike."""

    def is_stage(name: str) -> bool:
        return name in stages()

    matcher.install(shell, runner.background)
    display.install(shell, runner.look)
    mistakes.install(shell, runner.quiet, runner.has_said)
    shell.input_transformers_cleanup.append(Transformer(frozenset(installed.domains()), is_stage, shell.user_ns))
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


def _help(domain: str) -> str:
    """A magic's docstring: one line from the catalogue's index, since a start must not read every domain."""
    domains = manifest.index()["domains"]
    return f"{domain}: {domains.get(domain, 'verbs of a plugin')}. {domain}? shows its help."
