"""Completion at the prompt and in notebooks: a matcher of IPython's own kind, over `dhis2sh.verbs.completion`.

Words of the head come from the manifest and the facts of the types, UIDs from the local name index, what stands after
`|` from the stages and the fields of the rows that reach them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dhis2sh.rows.registry import stages
from dhis2sh.surfaces.ipython import lines
from dhis2sh.verbs import completion, installed
from dhis2sh.verbs.completion import Candidate
from dhis2sh.verbs.options import FORMATS

if TYPE_CHECKING:
    from dhis2sh.surfaces.ipython.background import Background

type Matcher = Callable[[Any], Mapping[str, object]]

MOST_UIDS = 30
MOST_WORDS = 5
"""Of a name that is typed without quotes."""
_IDENTIFIER = re.compile(r"(?<![\w)\]'\"])[A-Za-z_][\w.]*$|$")
_COMPARED = re.compile(r"([A-Za-z_][\w.]*)\s*(?:==|!=|(?:not\s+)?in\s*[\[({][^\])}]*)\s*$")


class Suggestions(NamedTuple):
    """Candidates for the end of a text.

    Parameters:
        fragment: the end of the text that they replace.
        items: the candidates, best first.
        alone: nothing else may be offered there; False where the user's own Python names may stand too.
    """

    fragment: str
    items: list[Candidate]
    alone: bool = True


def suggest(
    text: str,
    domains: frozenset[str],
    names: completion.FindNames,
    version: str = completion.NEWEST,
    *,
    cell: bool = False,
) -> Suggestions | None:
    """What may stand at the end of a line; None where the line is not ours.

    Parameters:
        text: the line up to the cursor.
        domains: every domain.
        names: looks names up.
        version: whose facts to use.
        cell: the line stands in a `%%dhis2` cell.
    """
    ours = lines.find(text, domains, cell=cell)
    if ours is None or (ours.name == ours.text and not ours.led):
        return None  # the name of a magic itself is IPython's to complete
    if ours.name in lines.SETTINGS:
        choices = FORMATS if ours.name == "output" else ("on", "off")
        typed = ours.text.rpartition(" ")[2]
        return Suggestions(typed, completion.matching([Candidate(choice) for choice in choices], typed))
    from dhis2sh.rows.pipeline import split  # start-up: completion reads lines after the first prompt

    parts = split(ours.text)
    words = words_of(parts.head)
    if parts.tail is not None:
        return _in_tail(parts.tail, [word for word in words if word], names, version)
    typed = words[-1]
    wanted = completion.expected(words)
    if wanted.what == "files":
        return _files(typed[wanted.at :])
    found = completion.complete(words, names, version)
    if not found.items and wanted.what.startswith(("nothing", "uids")):
        return _unquoted(parts.head, words, names)
    raw = parts.head[_last_word(parts.head) :]
    fragment = raw if raw[:1] in {"'", '"'} and not found.at else typed[found.at :]
    return Suggestions(fragment, found.items) if text.endswith(fragment) else None


def words_of(head: str) -> list[str]:
    """The words of a head that is still being typed: quotes may be open; the last word may be empty."""
    words, word, quote = list[str](), "", ""
    for mark in head:
        if quote:
            if mark == quote:
                quote = ""
            else:
                word += mark
        elif mark in "'\"":
            quote = mark
        elif mark in " \t\n":
            if word:
                words.append(word)
            word = ""
        elif mark != "\\":
            word += mark
    return [*words, word]


def _unquoted(head: str, words: Sequence[str], names: completion.FindNames) -> Suggestions | None:
    """A name of several words that was typed without quotes, as `get bcg dos`: its words are looked up together."""
    for size in range(min(len(words), MOST_WORDS), 1, -1):
        found = re.search(rf"(?<=\s)[^\s'\"-]\S*(?:\s+[^\s'\"-]\S*){{{size - 1}}}$", head)
        if found is None:
            continue
        together = completion.complete([*words[:-size], " ".join(words[-size:])], names)
        if together.items and completion.expected([*words[:-size], ""]).what.startswith("uids"):
            return Suggestions(found[0], together.items)
    return None


def _last_word(head: str) -> int:
    """Where the last word of a head begins, its open quote included."""
    quote, begin = "", 0
    for at, mark in enumerate(head):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in " \t\n":
            begin = at + 1
    return begin


def _files(typed: str) -> Suggestions:
    folder, _, part = typed.rpartition("/")
    base = Path(f"{folder}/" if folder or typed.startswith("/") else ".").expanduser()
    try:
        found = sorted(path for path in base.iterdir() if path.name.startswith(part) and not path.name.startswith("."))
    except OSError:
        found = []
    items = [
        Candidate(path.name + ("/" if path.is_dir() else ""), "folder" if path.is_dir() else "file") for path in found
    ]
    return Suggestions(part, items)


def _in_tail(tail: str, head: Sequence[str], names: completion.FindNames, version: str) -> Suggestions:
    """A stage's name after `|`; inside its brackets fields, and in a text that a field is compared with its values."""
    stage, inside, quoted = _open_call(tail)
    if stage is None:
        typed = inside.lstrip()
        if "." in typed:
            return _verb_stages(typed)
        items = [Candidate(name, item.help.splitlines()[0]) for name, item in stages().items()]
        return Suggestions(typed, completion.matching(items, typed))
    plural, fields = _row_fields(head, version)
    if quoted is not None:
        compared = _COMPARED.search(inside[: len(inside) - len(quoted) - 1])
        path = compared[1] if compared else ""
        if path.rpartition(".")[2] == "id" and quoted:
            return Suggestions(quoted, [*names(quoted, plural if path == "id" else None)])
        values = [Candidate(value) for value in completion.values_of(plural, path, version)] if path else []
        return Suggestions(quoted, completion.matching(values, quoted))
    found = _IDENTIFIER.search(inside)
    typed = found[0] if found else ""
    if inside[: len(inside) - len(typed)].endswith("."):
        return Suggestions("", [], alone=False)
    known = stages().get(stage)
    if known is not None and known.literal:
        return Suggestions(typed, completion.matching(_keywords(known.function), typed), alone=False)
    before, _, last = typed.rpartition(".")
    if before:
        resource = completion.resource_at(plural, before, version)
        properties = sorted(resource.properties) if resource else []
        return Suggestions(
            last, completion.matching([Candidate(name, "field") for name in properties], last), alone=False
        )
    return Suggestions(typed, completion.matching(fields, typed), alone=not typed)


def _open_call(tail: str) -> tuple[str | None, str, str | None]:
    """The stage whose brackets are open at the end, what stands in them, and the open text at the end of that.

    Without open brackets: None, and what stands after the last `|`.
    """
    depth, begin, quote, quoted_at, stage = 0, 0, "", 0, None
    for at, mark in enumerate(tail):
        if quote:
            quote = "" if mark == quote and tail[at - 1] != "\\" else quote
        elif mark in "'\"":
            quote, quoted_at = mark, at + 1
        elif mark in "([{":
            if depth == 0:
                stage, begin = tail[begin:at].strip(), at + 1
            depth += 1
        elif mark in ")]}":
            depth = max(0, depth - 1)
        elif mark == "|" and depth == 0:
            begin = at + 1
    return stage if depth else None, tail[begin:], tail[quoted_at:] if quote else None


def _verb_stages(typed: str) -> Suggestions:
    """`metadata.re` after a `|`: verbs take rows too."""
    before, _, last = typed.rpartition(".")
    path = before.replace("_", "-").split(".")
    found = completion.complete([*path, last.replace("_", "-")])
    return Suggestions(last, [Candidate(item.text.replace("-", "_"), item.note) for item in found.items])


def _keywords(function: Any) -> list[Candidate]:
    import inspect

    parameters = [*inspect.signature(function).parameters.values()][2:]
    return [Candidate(f"{item.name}=", "option") for item in parameters if item.kind is not item.VAR_POSITIONAL]


def _row_fields(head: Sequence[str], version: str) -> tuple[str | None, list[Candidate]]:
    """The type of the rows that a head gives, and their fields."""
    wanted = completion.expected([*head, ""])
    path = str(wanted.verb["path"]) if wanted.verb else ""
    declared = result_fields(path) if path else []
    if declared:
        return None, [Candidate(name, "field") for name in declared]
    plural = wanted.plural or next((word for word in head if completion.resource_at(word, "", version)), None)
    resource = completion.resource_at(plural, "", version)
    properties = sorted(resource.properties.items()) if resource else []
    return plural, [Candidate(name, completion.note_of(prop)) for name, prop in properties]


def result_fields(path: str) -> list[str]:
    """The fields of the rows that a verb declares; none where it gives plain rows. Imports the verb's module."""
    import typing

    from dhis2sh.rows.rows import fields_of  # start-up: completion comes after the first prompt
    from dhis2sh.verbs.registry import find  # start-up: the registry imports verbs

    try:
        hint = typing.get_type_hints(find(path).function).get("return")
    except NameError:
        return []  # a verb of a family: its rows are plain, their fields are the type's
    for item in (*typing.get_args(hint), hint):
        if fields := fields_of(item):
            return fields
    return []


def install(shell: Any, background: Background) -> None:
    """Complete dhis2sh lines in an IPython, a terminal's or a kernel's.

    Parameters:
        shell: the IPython instance.
        background: knows the name index of the profile and the version of its server.
    """
    from IPython.core import completer

    context_matcher = cast("Callable[..., Callable[[Matcher], Matcher]]", completer.context_matcher)
    domains = frozenset(installed.domains())

    def names(text: str, plural: str | None) -> list[Candidate]:
        from dhis2sh.index.names import offered  # start-up: completion comes after the first prompt

        return offered(background.find(text, plural, MOST_UIDS))

    @context_matcher(priority=100, identifier="dhis2sh")
    def matcher(context: completer.CompletionContext) -> Mapping[str, object]:
        text = context.full_text
        at = sum(len(line) + 1 for line in text.split("\n")[: context.cursor_line]) + context.cursor_position
        cell = text.startswith("%%dhis2") and "\n" in text[:at]
        _, line = lines.logical(text, at)
        if text.startswith("%%dhis2") and not cell:
            line = line.removeprefix("%")
        found = suggest(line.replace("\\\n", "  ").replace("\n", " "), domains, names, background.models, cell=cell)
        if found is None:
            return {"completions": []}
        return {
            "completions": [completer.SimpleCompletion(item.text, type=item.note or "dhis2") for item in found.items],
            "matched_fragment": found.fragment,
            "suppress": found.alone and bool(found.items),
            "ordered": True,
        }

    shell.Completer.custom_matchers.append(matcher)
