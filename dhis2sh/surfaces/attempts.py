"""A line that wants to write and is not understood has written nothing: the journal tells of it, as of any refused write."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dhis2sh.changes.attempts import attempt
from dhis2sh.changes.consent import Consent
from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.session import Session
from dhis2sh.surfaces.commands import named_in
from dhis2sh.verbs import grammar
from dhis2sh.verbs.options import Options
from dhis2sh.verbs.registry import find

if TYPE_CHECKING:
    from dhis2sh.verbs.declaration import Verb


@contextmanager
def attempted_line(words: Sequence[str], tail: str = "", session: Session | None = None) -> Generator[None]:
    """Inside, a line is read; where that fails and its verb writes, whoever says `undo` next may mean this line.

    Parameters:
        words: the line's, as far as they could be told apart; tail: the pipeline behind them, whose stages may write too.
        session: what the line acts on, unless it names a profile.
    """
    try:
        yield
    except Dhis2Error:
        verb = next((verb for verb in _verbs(words, tail) if verb.effect != "read"), None)
        if verb is None:
            raise
        named = named_in([*words])
        on = Session(named) if named is not None or session is None else session
        with attempt(on, verb, _consent(words, tail)):
            raise


def _verbs(words: Sequence[str], tail: str) -> Iterator[Verb]:
    """The verbs that a line says, as far as it can be read."""
    at = grammar.verb_at(words)
    if at is not None:
        yield at
    for name in re.findall(r"\w+(?:\.\w+)+", tail):
        try:
            yield find(name.replace(".", " "))
        except UsageError:  # no verb, but a column or a text
            continue


def _consent(words: Sequence[str], tail: str) -> Consent:
    """What a line that nobody understands says of its consent, as far as its words alone say so."""
    told = words[: words.index("--")] if "--" in words else words
    dry = Options.dry_run.flag in told or re.search(r"\bdry_run\s*=\s*True\b", tail) is not None
    return Consent(dry_run=dry, journal=Options.journal.flag not in told)
