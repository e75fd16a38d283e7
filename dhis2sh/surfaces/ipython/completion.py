"""Completion at the prompt and in notebooks: what may stand at the end of a line, over `dhis2sh.verbs.completion`.

Words of the head come from the manifest and the facts of the types, UIDs from the local name index, what stands after
`|` from the stages and the fields of the rows that reach them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from dhis2sh.surfaces.ipython import lines, tails
from dhis2sh.surfaces.ipython.tails import Suggestions
from dhis2sh.verbs import completion
from dhis2sh.verbs.completion import Candidate
from dhis2sh.verbs.options import FORMATS

MOST_WORDS = 5
"""Of a name that is typed without quotes."""
_VARIABLE = re.compile(r"(?:\$|(?<![#\w\])]){)([A-Za-z_]\w*|)$")
"""A variable of the user's that is being typed: `$x`, `{x`."""


def suggest(
    text: str,
    domains: frozenset[str],
    names: completion.FindNames,
    version: str = completion.NEWEST,
    *,
    cell: bool = False,
    variables: Collection[str] = (),
) -> Suggestions | None:
    """What may stand at the end of a line; None where the line is not ours.

    Parameters:
        text: the line up to the cursor.
        domains: every domain.
        names: looks names up.
        version: whose facts to use.
        cell: the line stands in a `%%dhis2` cell.
        variables: the user's names.
    """
    ours = lines.find(text, domains, cell=cell)
    if ours is None:
        return tails.of_call(text, domains, names)
    if ours.name == ours.text and not ours.led:
        return None  # the name of a magic itself is IPython's to complete
    if ours.name in lines.SETTINGS:
        choices = FORMATS if ours.name == "output" else ("on", "off", *(("auto",) if ours.name == "expanded" else ()))
        typed = ours.text.rpartition(" ")[2]
        return Suggestions(typed, completion.matching([Candidate(choice) for choice in choices], typed))
    from dhis2sh.rows.pipeline import split  # start-up: completion reads lines after the first prompt

    parts = split(ours.text)
    words = words_of(parts.head)
    if parts.tail is not None:
        return tails.suggest(parts.tail, [word for word in words if word], names, version, variables)
    typed = words[-1]
    if (used := _VARIABLE.search(typed)) is not None:
        found = [Candidate(name, "yours") for name in sorted(variables) if not name.startswith("_")]
        if matched := completion.matching(found, used[1]):
            return Suggestions(used[1], matched)
    wanted = completion.expected(words)
    if wanted.what in {"files", "folders"}:
        return tails.files(typed[wanted.at :], folders=wanted.what == "folders")
    found = completion.complete(words, names, version)
    if not found.items and wanted.what == "files-or-profiles":
        return tails.files(typed[wanted.at :])
    if not found.items and wanted.what.startswith(("nothing", "uids")):
        return _unquoted(parts.head, words, names) or Suggestions("", [])
    raw = parts.head[_last_word(parts.head) :]
    fragment = raw[found.at :] if raw[found.at :][:1] in {"'", '"'} else typed[found.at :]
    return Suggestions(fragment, found.items) if text.endswith(fragment) else Suggestions("", [])


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
    """A name of several words that was typed without quotes, as `get bcg dos`: its words are looked up together.

    So is a name of which a part was typed and a space, as `history bcg `: what comes behind it would be offered for no object.
    """
    typed = words if words[-1] else words[:-1]
    least = 2 if words[-1] else 1
    for size in range(min(len(typed), MOST_WORDS), least - 1, -1):
        found = re.search(rf"(?<=\s)[^\s'\"-]\S*(?:\s+[^\s'\"-]\S*){{{size - 1}}}\s*$", head)
        if found is None or (not words[-1] and found[0].split() != [*typed[-size:]]):
            continue  # the last of them may be the end of a name in quotes
        together = completion.complete([*typed[:-size], " ".join(typed[-size:])], names)
        if not together.items or not completion.expected([*typed[:-size], ""]).what.startswith("uids"):
            continue
        if not words[-1] and any(one.text == typed[-1] for one in together.items):
            return None  # a UID that is there: what comes behind it is asked for
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
