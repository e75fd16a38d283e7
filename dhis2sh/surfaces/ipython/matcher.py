"""Completion inside of IPython: a matcher of its own kind; what it offers says `completion`, imported with the first Tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.surfaces.ipython import lines
from dhis2sh.verbs import installed

if TYPE_CHECKING:
    from dhis2sh.surfaces.ipython.background import Background
    from dhis2sh.verbs.completion import Candidate

type Matcher = Callable[[Any], Mapping[str, object]]

MOST_UIDS = 30


def _own(shell: Any) -> list[str]:
    """The user's variables: no modules, no classes, nothing that IPython or we have put there."""
    hidden = shell.user_ns_hidden
    return [
        name
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and not isinstance(value, (ModuleType, type)) and value is not hidden.get(name)
    ]


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

    nothing: Mapping[str, object] = {
        "completions": [completer.SimpleCompletion("")], "matched_fragment": "", "suppress": True, "ordered": True
    }  # fmt: skip
    """IPython would ask its own matchers where ours gives nothing, and offer Python's names; an empty text keeps them out, and
    is taken away again."""

    @context_matcher(priority=100, identifier="dhis2sh")
    def matcher(context: completer.CompletionContext) -> Mapping[str, object]:
        from dhis2sh.surfaces.ipython.completion import suggest  # start-up: Tab comes after the first prompt

        text = context.full_text
        at = sum(len(line) + 1 for line in text.split("\n")[: context.cursor_line]) + context.cursor_position
        cell = text.startswith("%%dhis2") and "\n" in text[:at]
        _, line = lines.logical(text, at)
        if text.startswith("%%dhis2") and not cell:
            line = line.removeprefix("%")
        joined = line.replace("\\\n", "  ").replace("\n", " ")
        found = suggest(joined, domains, names, background.models, cell=cell, variables=_own(shell))
        if found is None:
            return {"completions": []}
        if found.alone and not found.items:
            return nothing
        return {
            "completions": [completer.SimpleCompletion(item.text, type=item.note or "value") for item in found.items],
            "matched_fragment": found.fragment,
            "suppress": found.alone,
            "ordered": True,
        }

    shell.Completer.custom_matchers.append(matcher)
    complete = shell.Completer.completions

    def completions(text: str, offset: int) -> Iterator[Any]:
        return (item for item in complete(text, offset) if item.text)

    shell.Completer.completions = completions
