"""`dhis2sh`: IPython with a client bound to the active profile, completion, and a magic for every verb.

Nothing is asked of a server before the first prompt is drawn.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from IPython.core.prefilter import PrefilterChecker
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.terminal.prompts import Prompts
from pygments.token import Token
from traitlets import Integer
from traitlets.config import Config

from dhis2sh import __version__, paths
from dhis2sh.errors import Dhis2Error

if TYPE_CHECKING:
    from dhis2sh.surfaces.magics import Runner


class ProfilePrompts(Prompts):
    """The prompt shows profile and user; red where a mistake hurts."""

    def in_prompt_tokens(self) -> list[tuple[Any, str]]:
        """`profile:user> `."""
        name, user, production, insecure = _who(cast("Dhis2Shell", self.shell).runner)
        token = Token.OutPrompt if production else Token.Prompt
        marks = " [production]" if production else ""
        marks += " [insecure]" if insecure else ""
        return [(token, f"{name}{':' + user if user else ''}{marks}"), (Token.Prompt, "> ")]

    def continuation_prompt_tokens(
        self, width: int | None = None, *, lineno: int | None = None, wrap_count: int | None = None
    ) -> list[tuple[Any, str]]:
        """Dots as wide as the prompt."""
        return [(Token.Prompt, ". ".rjust(width or 2))]

    def out_prompt_tokens(self) -> list[tuple[Any, str]]:
        """Results stand without a number before them."""
        return []


def _who(runner: Runner | None) -> tuple[str, str, bool, bool]:
    if runner is None:
        return ("dhis2sh", "", False, False)
    try:
        profile = runner.session.profile
    except Dhis2Error:
        return ("no profile", "", False, False)
    return (profile.name, profile.username or "", profile.production, not profile.verify_tls)


class Dhis2Shell(TerminalInteractiveShell):
    """The shell. Its history, configuration and start-up files are its own, never `~/.ipython`."""

    runner: Runner | None = None

    def _extra_prompt_options(self) -> dict[str, Any]:
        options = cast("dict[str, Any]", super()._extra_prompt_options())  # type: ignore[misc]
        return {**options, "complete_in_thread": True, "bottom_toolbar": self._toolbar}

    def _toolbar(self) -> str:
        name, user, _, _ = _who(self.runner)
        return f" {name} {user}   Tab completes, ? helps, Ctrl-C interrupts, Ctrl-D leaves "


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dhis2sh", description="An IPython shell for DHIS2.")
    parser.add_argument("-p", "--profile", help="begin with this profile")
    parser.add_argument("--sandbox", action="store_true", help="begin with the embedded sandbox")
    parser.add_argument("-c", dest="line", metavar="LINE", help="run one line, print its result, leave")
    parser.add_argument("--version", action="version", version=f"dhis2sh {__version__}")
    parser.add_argument("file", nargs="?", metavar="FILE", type=Path, help="run the lines of a file, then leave")
    return parser.parse_args(words)


def _config() -> Config:
    config = Config()
    config.HistoryManager.hist_file = str(paths.data_dir() / "history.sqlite")
    shell = config.TerminalInteractiveShell
    shell.prompts_class = ProfilePrompts
    shell.confirm_exit = False
    shell.separate_in = ""
    shell.automagic = True
    shell.term_title = False
    shell.autosuggestions_provider = "AutoSuggestFromHistory"
    config.IPCompleter.use_jedi = False
    config.IPCompleter.backslash_combining_completions = False
    return config


def make_shell(profile: str | None) -> Dhis2Shell:
    """A shell with magics, namespace and start-up files, ready for its first prompt.

    Parameters:
        profile: the profile to begin with; the active one when None.
    """
    from dhis2sh.surfaces.magics import load

    folder = paths.config_dir() / "ipython"
    folder.mkdir(parents=True, exist_ok=True)
    paths.data_dir().mkdir(parents=True, exist_ok=True)
    shell = Dhis2Shell.instance(config=_config(), ipython_dir=str(folder))
    shell.runner = load(shell, profile)
    _complete(shell)
    manager = shell.prefilter_manager
    DomainChecker(shell=shell, prefilter_manager=manager, parent=manager)
    return shell


PYTHON_WORDS = {"in", "is", "if", "and", "or", "not", "for", "else"}


class DomainChecker(PrefilterChecker):
    """`metadata list ...` without `%` is a magic, although `metadata` is a name too: no Python begins like that."""

    priority = Integer(650).tag(config=True)  # before AutoMagicChecker, which steps back for names

    def check(self, line_info: Any) -> Any:
        """The magic handler for a domain that is followed by a word or an option."""
        from dhis2sh import plugins

        rest = cast("str", line_info.the_rest).lstrip()
        word = rest.split(" ")[0]
        if (
            line_info.ifun not in plugins.domains()
            or line_info.pre
            or not line_info.line.startswith(f"{line_info.ifun} ")
        ):
            return None
        if not rest or not (rest[0].isalpha() or rest[0] == "-") or word in PYTHON_WORDS:
            return None
        return cast("Any", self.prefilter_manager).get_handler_by_name("magic")


def run_startup(shell: Any) -> list[Path]:
    """Run the shipped start-up files in the order of their numbers, then the user's. Returns what ran."""
    ran: list[Path] = []
    for folder in (paths.startup_dir(), paths.config_dir() / "startup"):
        for path in sorted(folder.glob("*.py")) if folder.is_dir() else []:
            shell.safe_execfile(str(path), shell.user_ns, raise_exceptions=False)
            ran.append(path)
    return ran


def complete_line(line: str, symbol: str, runner: Runner) -> list[str]:
    """What may stand at the end of a magic line: words of the head from the manifest, stages after a `|`, names.

    Parameters:
        line: the text before the cursor.
        symbol: the part of it that IPython will replace.
        runner: knows the name index of the profile.
    """
    from dhis2sh.complete_words import candidates
    from dhis2sh.pipeline import split
    from dhis2sh.stages import STAGES

    parts = split(line.lstrip().lstrip("%"))
    if parts.tail is not None:
        return [name for name in STAGES if name.startswith(symbol)]
    words = parts.head.split(" ")
    if words[0] == "dhis2":
        words = words[1:]
    cut = len(words[-1]) - len(symbol)
    found = [item[cut:] for item in candidates(words)]
    if not found and len(words[-1]) >= 2 and not words[-1].startswith("-"):
        found = [hit.uid for hit in runner.names.search(words[-1], limit=20)]
    return found


def _complete(shell: Dhis2Shell) -> None:
    """Complete magic lines from the manifest, with or without `%`."""
    from dhis2sh import plugins

    def complete(_shell: Any, event: Any) -> list[str]:
        return complete_line(event.text_until_cursor, event.symbol, cast("Runner", shell.runner))

    for name in [*plugins.domains(), "dhis2"]:
        for key in (name, f"%{name}"):
            shell.set_hook("complete_command", complete, str_key=key)


def _print(text: str) -> None:
    """Print a result; a reader that has gone away (`| head`) is no failure."""
    try:
        sys.stdout.write(f"{text}\n" if text else "")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  (Python flushes it once more)


def _run_line(shell: Dhis2Shell, line: str) -> int:
    """Run one line as the prompt would, print only its result; returns the exit code."""
    from dhis2sh import render

    runner = cast("Runner", shell.runner)
    if line.lstrip().lstrip("%").split(" ")[0].split("(")[0] in shell.magics_manager.magics["line"]:
        result = runner.line(line.strip().lstrip("%").removeprefix("dhis2 "))
        if result is not None:
            text = render.text(result, width=None if sys.stdout.isatty() else 0)
            _print(text)
        if runner.failed:
            return runner.last_error.exit_code if runner.last_error else 130
        return 0
    outcome = shell.run_cell(line, store_history=False)
    return 0 if outcome.success else 1


def main(words: list[str] | None = None) -> None:
    """The command's entry point."""
    given = _arguments(sys.argv[1:] if words is None else words)
    try:
        shell = make_shell("sandbox" if given.sandbox else given.profile)
    except OSError as error:
        print(
            f"error: {error.filename}: {error.strerror}\n  try: set DHIS2SH_HOME to a folder that can be written",
            file=sys.stderr,
        )
        sys.exit(1)
    if given.line is not None:
        sys.exit(_run_line(shell, given.line))
    if given.file is not None:
        sys.exit(_run_file(shell, given.file))
    if not sys.stdin.isatty():
        sys.exit(max((_run_line(shell, line) for line in sys.stdin if line.strip()), default=0))
    run_startup(shell)
    _after_the_first_prompt(shell)
    shell.mainloop()


def _after_the_first_prompt(shell: Dhis2Shell) -> None:
    """Connecting and the name index begin when the first prompt has been drawn, never before."""
    started: list[bool] = []

    def begin(_: Any) -> None:
        runner = cast("Runner", shell.runner)
        if not started:
            started.append(True)
            try:
                runner.session.profile  # noqa: B018  (without a profile there is nothing to read names from)
            except Dhis2Error:
                return
            runner.refresh_names()

    app = getattr(getattr(shell, "pt_app", None), "app", None)
    if app is not None:
        app.after_render += begin


def _run_file(shell: Dhis2Shell, path: Path) -> int:
    from dhis2sh.output import read_lines

    if not path.is_file():
        print(f"error: there is no file {path}", file=sys.stderr)
        return 3
    for line in read_lines(path):
        code = _run_line(shell, line)
        if code:
            return code
    return 0


if __name__ == "__main__":
    main()
