"""`dhis2sh`: IPython with a client bound to the active profile, completion, and a magic for every verb.

Nothing is asked of a server before the first prompt is drawn.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.terminal.prompts import Prompts, RichPromptDisplayHook
from IPython.terminal.ptutils import IPythonPTLexer
from pygments.token import Token
from traitlets import Bool, Enum, Type, observe
from traitlets.config import Config

from dhis2sh import __version__, paths
from dhis2sh.errors import ConfigError, Dhis2Error, Interrupted
from dhis2sh.surfaces import standard_output
from dhis2sh.surfaces.ipython import colours, lines, pager
from dhis2sh.surfaces.ipython.magics import Runner, load
from dhis2sh.surfaces.terminal import drawn, report
from dhis2sh.verbs import installed

if TYPE_CHECKING:
    from dhis2sh.profiles import Profile


class ProfilePrompts(Prompts):
    """The prompt shows profile and user; red where a mistake hurts."""

    def in_prompt_tokens(self) -> list[tuple[Any, str]]:
        """`profile:user> `."""
        profile = _active(cast("Dhis2Shell", self.shell).runner)
        if profile is None:
            return [(Token.Prompt, "no profile> ")]
        user = f":{profile.username}" if profile.username else ""
        pieces = [(_prompt_token(profile), f"{profile.name}{user}")]
        pieces += [(Token.Prompt.Production, " [production]")] if profile.production else []
        pieces += [(Token.Prompt.Production, " [insecure]")] if not profile.verify_tls else []
        return [*pieces, (Token.Prompt, "> ")]

    def continuation_prompt_tokens(
        self, width: int | None = None, *, lineno: int | None = None, wrap_count: int | None = None
    ) -> list[tuple[Any, str]]:
        """Dots as wide as the prompt."""
        return [(Token.Prompt, ". ".rjust(width or 2))]

    def out_prompt_tokens(self) -> list[tuple[Any, str]]:
        """Results stand without a number before them."""
        return []


def _active(runner: Runner | None) -> Profile | None:
    try:
        return runner.session.profile if runner is not None else None
    except Dhis2Error:
        return None


def _prompt_token(profile: Profile) -> Any:
    if profile.production:
        return Token.Prompt.Production
    colour = profile.colour or ""
    return getattr(Token.Prompt, colour.capitalize()) if colour in colours.BADGES else Token.Prompt


class PagingHook(RichPromptDisplayHook):
    """Shows results; through the pager where they do not fit."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Print the text of a result."""
        text = cast("str | None", format_dict.get("text/plain"))
        if text is None or cast("Any", self.shell).mime_renderers:
            super().write_format_data(format_dict, md_dict)
        elif text:
            shell = cast("Dhis2Shell", self.shell)
            pager.show(text, wanted=shell.pager, scrolls=shell.runner is not None and shell.runner.look.scrolls)


class ShellLexer(IPythonPTLexer):
    """Colours what is typed: dhis2sh lines by our lexer (imported with the first of them), the rest by IPython's."""

    def __init__(self) -> None:
        super().__init__()
        self._domains = frozenset(installed.domains())
        self._ours: Any = None

    def lex_document(self, document: Any) -> Any:
        """A function that gives the coloured pieces of each line."""
        text = cast("str", document.text)
        if not text.startswith("%%dhis2") and lines.find(text.partition("\n")[0], self._domains) is None:
            return cast("Any", super()).lex_document(document)
        if self._ours is None:
            from prompt_toolkit.lexers import PygmentsLexer

            from dhis2sh.surfaces.ipython.lexer import Dhis2Lexer  # start-up: a lexer of Python

            self._ours = PygmentsLexer(Dhis2Lexer, sync_from_start=True)
        return self._ours.lex_document(document)


class Dhis2Shell(TerminalInteractiveShell):
    """The shell. Its history, configuration and start-up files are its own, never `~/.ipython`."""

    runner: Runner | None = None
    displayhook_class = Type(PagingHook)
    pager = Bool(True, help="show results that do not fit the screen in a pager").tag(config=True)
    ground = Enum(
        ("auto", "dark", "light", "unknown"),
        "auto",
        help="the terminal's ground, which colours must read on: auto asks the terminal; unknown takes bold alone",
    ).tag(config=True)

    @observe("ground")
    def _new_ground(self, change: Any) -> None:
        if change.new != "auto" and self.runner is not None:
            self.paint(change.new)

    def paint(self, ground: colours.Ground) -> None:
        """Take the colours that read on a ground, but for what the user's own configuration says."""
        own = self.config.TerminalInteractiveShell
        if "colors" not in own:
            self.colors = colours.THEMES[ground]
        self.highlighting_style_overrides = {**colours.STYLES[ground], **own.get("highlighting_style_overrides", {})}
        self.refresh_style()

    def _make_style_from_name_or_cls(self, name_or_cls: Any) -> Any:
        from prompt_toolkit.styles import Style, merge_styles

        style = cast("Any", super())._make_style_from_name_or_cls(name_or_cls)
        return merge_styles([style, Style.from_dict({**colours.MENU})])

    def _extra_prompt_options(self) -> dict[str, Any]:
        options = cast("dict[str, Any]", super()._extra_prompt_options())  # type: ignore[misc]
        ours = {"complete_in_thread": True, "bottom_toolbar": self._toolbar, "lexer": ShellLexer()}
        return {**options, **ours}

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        """Ctrl-C while a call of ours is awaited is one line; where Python was interrupted, its own traceback says where."""
        waits = self.runner is not None and self.runner.portal.awaited
        if waits and isinstance(sys.exception(), KeyboardInterrupt):
            report(Interrupted("interrupted"))
            return
        super().showtraceback(*args, **kwargs)

    def check_complete(self, code: str) -> tuple[str, str]:
        """Enter after a `|` begins the next line of the pipeline."""
        if lines.unfinished(code, frozenset(installed.domains())):
            return "incomplete", "  "
        return super().check_complete(code)

    def _toolbar(self) -> list[tuple[str, str]]:
        profile = _active(self.runner)
        if profile is None or self.runner is None:
            return toolbar("no profile", ["profile use sandbox", "or: dhis2 profile add"], _columns())
        status = self.runner.background.status()
        where = profile.url if not profile.embedded else "in this process"
        return toolbar(profile.name, [where, status, "Tab completes, ? helps"], _columns())


def _columns() -> int:
    from prompt_toolkit.application import get_app

    return get_app().output.get_size().columns


def toolbar(name: str, parts: Sequence[str], columns: int) -> list[tuple[str, str]]:
    """The toolbar, in words that are never cut: where it is too wide its last part goes first, then the rest is wrapped.

    Parameters:
        name: of the profile, which stands out.
        parts: what is said beside it; the last is a hint.
        columns: of the screen.
    """
    said = [part for part in parts if part]
    if len(f" {name} {'   '.join(said)} ") > columns:
        said = said[:-1]
    text = f" {name} {'   '.join(said)} "
    if len(text) > columns:
        from textwrap import wrap  # start-up: few screens are so narrow

        text = "\n".join(f" {line}" for line in wrap(text, columns - 2, break_long_words=False, break_on_hyphens=False))
    return [("bold", f" {name} "), ("", text[len(name) + 2 :])]


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
    shell.display_completions = "column"  # a name beside each UID, a word beside each option
    shell.space_for_menu = 8
    config.IPCompleter.use_jedi = False
    config.IPCompleter.backslash_combining_completions = False
    return config


def _own_config() -> Config:
    """What the user's `ipython_config.py` in our folder says, as IPython reads its own. Raises `ConfigError`."""
    path = paths.config_dir() / "ipython_config.py"
    if not path.is_file():
        return Config()
    from traitlets.config.loader import PyFileConfigLoader

    try:
        return PyFileConfigLoader(path.name, str(path.parent)).load_config()
    except Exception as error:
        raise ConfigError(f"{path}: {type(error).__name__}: {error}", hint="mend the file, or move it away") from error


def make_shell(profile: str | None) -> Dhis2Shell:
    """A shell with magics, namespace and start-up files, ready for its first prompt.

    Parameters:
        profile: the profile to begin with; the active one when None.
    """
    folder = paths.config_dir() / "ipython"
    folder.mkdir(parents=True, exist_ok=True)
    paths.data_dir().mkdir(parents=True, exist_ok=True)
    config = _config()
    config.merge(_own_config())
    shell = Dhis2Shell.instance(config=config, ipython_dir=str(folder))
    if "colors" not in config.TerminalInteractiveShell or shell.ground != "auto":
        shell.paint(colours.known_ground() if shell.ground == "auto" else cast("colours.Ground", shell.ground))
    shell.runner = load(shell, profile)
    shell.set_hook("show_in_pager", _help_in_pager, priority=90)  # a hook of the user's goes first
    return shell


def _help_in_pager(shell: Dhis2Shell, data: object, start: int, screen_lines: int) -> None:
    """What IPython shows by `?` and `%page` goes through our pager, which runs nothing of what is typed ahead.

    Parameters:
        shell: the shell; data: the text, or texts by their type.
        start: the line to begin with.
        screen_lines: of the screen as IPython counts them; the pager asks the terminal.
    """
    told = cast("dict[str, str]", data)["text/plain"] if isinstance(data, dict) else str(data)
    text = "\n".join(told.splitlines()[start:])
    pager.show(text, wanted=shell.pager)


def run_startup(shell: Any) -> list[Path]:
    """Run the shipped start-up files in the order of their numbers, then the user's. Returns what ran."""
    ran: list[Path] = []
    for folder in (paths.startup_dir(), paths.config_dir() / "startup"):
        for path in sorted(folder.glob("*.py")) if folder.is_dir() else []:
            shell.safe_execfile(str(path), shell.user_ns, raise_exceptions=False)
            ran.append(path)
    return ran


def _run_line(shell: Dhis2Shell, line: str) -> int:
    """Run one line as the prompt would, print only its result; returns the exit code."""
    try:
        code = _outcome(shell, line)
        sys.stdout.flush()  # a line whose output is lost is the last one of a file
    except BrokenPipeError:  # a reader that has gone away (`| head`) is no failure
        return 0
    except standard_output.Lost as lost:  # `standard_output.carry_out` says it
        return lost.told.exit_code
    return code


def _outcome(shell: Dhis2Shell, line: str) -> int:
    runner = cast("Runner", shell.runner)
    if line.lstrip().lstrip("%").split(" ")[0].split("(")[0] in shell.magics_manager.magics["line"]:
        result = runner.line(line.strip().lstrip("%").removeprefix("dhis2 "), whole=True)
        if result is not None and (text := drawn(result, width=None if sys.stdout.isatty() else 0)):
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        if runner.failed:
            return runner.last_error.exit_code if runner.last_error else 130
        return 0
    runner.failed = False
    outcome = shell.run_cell(line, store_history=False)
    if outcome.success:
        return 0
    error = outcome.error_in_exec
    if isinstance(error, (BrokenPipeError, standard_output.Lost)):
        raise error
    return int(error.exit_code) if isinstance(error, Dhis2Error) else 1


def main(words: list[str] | None = None) -> None:
    """The command's entry point."""
    standard_output.carry_out(lambda: _main(words))


def _main(words: list[str] | None) -> int:
    given = _arguments(sys.argv[1:] if words is None else words)
    try:
        shell = make_shell("sandbox" if given.sandbox else given.profile)
    except OSError as error:
        print(
            f"error: {error.filename}: {error.strerror}\n  try: set DHIS2SH_HOME to a folder that can be written",
            file=sys.stderr,
        )
        return 1
    except Dhis2Error as error:
        return report(error)
    gc.freeze()
    gc.enable()  # `dhis2sh.surfaces.ipython.start` has switched it off
    if given.line is not None:
        return _run_line(shell, given.line)
    if given.file is not None:
        return _run_file(shell, given.file)
    if not sys.stdin.isatty():
        return max((_run_line(shell, line) for line in sys.stdin if line.strip()), default=0)
    run_startup(shell)
    _after_the_first_prompt(shell)
    shell.mainloop()
    return 0


def _after_the_first_prompt(shell: Dhis2Shell) -> None:
    """Connecting and the name index begin when the first prompt has been drawn, never before."""
    background = cast("Runner", shell.runner).background

    def begin(_: Any) -> None:
        if not background.on:
            background.on = True
            background.follow()

    app = getattr(getattr(shell, "pt_app", None), "app", None)
    if app is not None:
        keys(app)
        background.changed = app.invalidate
        app.after_render += begin
        _ask_for_the_ground(shell, app)


def _ask_for_the_ground(shell: Dhis2Shell, app: Any) -> None:
    """Ask the terminal whether it is dark or light, behind the first prompt; its answer may come at any time."""
    parser = getattr(app.input, "vt100_parser", None)
    own = shell.config.TerminalInteractiveShell
    if parser is None or shell.ground != "auto" or "colors" in own or colours.known_ground() != "unknown":
        return
    if os.environ.get("TERM", "") in {"", "dumb", "linux"} or "NO_COLOR" in os.environ:
        return

    def heard(ground: colours.Ground) -> None:
        if shell.ground == "auto":
            shell.paint(ground)
            app.invalidate()

    def ask(_: Any) -> None:
        app.after_render -= ask
        app.output.write_raw(colours.ASK)
        app.output.flush()

    colours.listen(parser, heard)
    app.after_render += ask


def keys(app: Any) -> None:
    """Enter runs the line when Tab has already put the one thing that fits; IPython would only close its menu. Ctrl-C gives
    a fresh line, whether a menu is open or not, as in every shell; Escape closes the menu and keeps the line.

    Parameters:
        app: the prompt's application.
    """
    from prompt_toolkit.filters import Condition, has_completions, has_focus
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
    from prompt_toolkit.keys import Keys

    def settled() -> bool:
        state = app.current_buffer.complete_state
        return state is not None and len(state.completions) == 1 and state.current_completion is not None

    ours = KeyBindings()

    @ours.add(Keys.Enter, filter=Condition(settled))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None
        event.key_processor.feed(event.key_sequence[0], first=True)

    @ours.add(Keys.ControlC, filter=has_completions & has_focus("DEFAULT_BUFFER"))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()
        event.current_buffer.reset()

    @ours.add(Keys.Escape, filter=has_completions & has_focus("DEFAULT_BUFFER"))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()

    app.key_bindings = merge_key_bindings([app.key_bindings, ours])


def _run_file(shell: Dhis2Shell, path: Path) -> int:
    if not path.is_file():
        print(f"error: there is no file {path}", file=sys.stderr)
        return 3
    for line in lines.statements(path.read_text("utf-8")):
        code = _run_line(shell, line)
        if code:
            return code
    return 0


if __name__ == "__main__":
    main()
