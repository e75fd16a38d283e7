"""Colours at the prompt that read on the terminal's ground, dark or light: at least 4.5 to 1 (WCAG AA).

No colour reads on both, so the ground is asked for (OSC 11) when the first prompt has been drawn: nothing waits for the answer,
and a terminal that gives none keeps what reads everywhere, bold and coloured grounds. The colours are those that a
terminal of 256 has too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pygments.token import (
    Comment,
    Error,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Token,
)
from pygments.token import (
    Literal as Written,
)

type Ground = Literal["dark", "light", "unknown"]

ASK = "\x1b]11;?\x1b\\"
_ANSWER = re.compile(r"\x1b\]11;rgba?:([0-9a-fA-F/]+)(?:\x1b\\|\x07)")
_BEGUN = re.compile(r"\x1b(?:\](?:1(?:1(?:;[^\x07\x1b]{0,40}\x1b?)?)?)?)$")
"""The end of what has come so far may be the beginning of an answer; a lone escape is a key."""

BADGES: Mapping[str, str] = {
    "red": "#ffffff bg:#af0000", "green": "#ffffff bg:#005f00", "yellow": "#000000 bg:#d7af00", "blue": "#ffffff bg:#005faf",
    "magenta": "#ffffff bg:#870087", "cyan": "#ffffff bg:#005f5f",
}  # fmt: skip
"""Colours that a profile may give its prompt; with a ground of their own they read on any."""
MENU: Mapping[str, str] = {
    "completion-menu.completion": "noreverse #000000 bg:#d0d0d0",
    "completion-menu.completion.current": "noreverse bold #ffffff bg:#005f87",
    "completion-menu.meta.completion": "noreverse #303030 bg:#e4e4e4",
    "completion-menu.meta.completion.current": "noreverse #ffffff bg:#005f87",
    "completion-menu.multi-column-meta": "noreverse #303030 bg:#e4e4e4",
    "scrollbar.background": "bg:#a8a8a8",
    "scrollbar.button": "bg:#005f87",
}
"""The menu has its own ground too."""


def _style(
    verb: str, option: str, text: str, number: str, name: str, pipe: str, aside: str, hint: str
) -> dict[Any, str]:
    """What is typed, in eight colours; the rest is the terminal's own."""
    plain = dict.fromkeys(
        [Text, Name, Punctuation, Operator, Generic, Written, Error], "nobold noitalic bg:default default"
    )
    return plain | {
        Keyword: f"bold {name}",
        Keyword.Constant: f"nobold {number}",
        Name.Function: f"bold {verb}",
        Name.Attribute: f"nobold {option}",
        Name.Variable: f"nobold {name}",
        Name.Class: f"nobold nounderline {name}",
        Name.Namespace: f"nobold {name}",
        Name.Builtin: f"nobold {verb}",
        Name.Decorator: option,
        Name.Exception: f"nobold {pipe}",
        String: f"noitalic nobold bg:default {text}",
        Number: f"nobold {number}",
        Operator.Word: f"bold {pipe}",
        Comment: f"noitalic {aside}",
        Token.Prompt: f"bold {verb}",
        Token.PromptNum: f"bold {verb}",
        Token.Prompt.Production: f"bold {BADGES['red']}",
        **{getattr(Token.Prompt, colour.capitalize()): f"bold {badge}" for colour, badge in BADGES.items()},
        Token.AutoSuggestion: hint,
    }


DARK = ("#87d787", "#d7af5f", "#ffaf87", "#d7afff", "#5fafff", "#ff8787", "#a8a8a8", "#a8a8a8")
LIGHT = ("#005f00", "#875f00", "#af0000", "#5f00af", "#005faf", "#af005f", "#5f5f5f", "#626262")
STYLES: Mapping[Ground, dict[Any, str]] = {
    "dark": _style(*DARK),
    "light": _style(*LIGHT),
    "unknown": _style(*["default"] * 8),
}
THEMES: Mapping[Ground, str] = {"dark": "linux", "light": "lightbg", "unknown": "neutral"}
"""IPython's own theme for each ground, which tracebacks have."""


def known_ground() -> Ground:
    """What the environment says of the ground: `DHIS2SH_GROUND`, or what some terminals put into `COLORFGBG`."""
    said = os.environ.get("DHIS2SH_GROUND", "")
    if said in {"dark", "light"}:
        return "dark" if said == "dark" else "light"
    last = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    if last.isdigit():
        return "light" if int(last) in {7, *range(9, 16)} else "dark"
    return "unknown"


def ground_of(answer: str) -> Ground:
    """The ground that a terminal's answer speaks of, `1e1e/1e1e/1e1e`: light from half of white's brightness on."""
    try:
        red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in answer.split("/")[:3])
    except (ValueError, ZeroDivisionError):
        return "unknown"
    return "light" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "dark"


def listen(parser: Any, heard: Callable[[Ground], None]) -> None:
    """Take a terminal's answer out of what is typed, whenever it comes; all else is keys as before.

    Parameters:
        parser: prompt_toolkit's parser of the terminal's input.
        heard: told the ground.
    """
    feed, held = parser.feed, [""]

    def feeding(data: str) -> None:
        data = held[0] + data
        held[0] = ""
        if (found := _ANSWER.search(data)) is not None:
            data = data[: found.start()] + data[found.end() :]
            heard(ground_of(found[1]))
        elif len(data) > 1 and (begun := _BEGUN.search(data)) is not None and len(begun[0]) > 1:
            held[0] = begun[0]
            data = data[: begun.start()]
        if data:
            feed(data)

    parser.feed = feeding
