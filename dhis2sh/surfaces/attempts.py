"""A line that wants to write and is not understood has written nothing: the journal tells of it, as of any refused write."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from dhis2sh.changes.attempts import attempt
from dhis2sh.changes.consent import Consent
from dhis2sh.errors import Dhis2Error
from dhis2sh.session import Session
from dhis2sh.surfaces.commands import named_in
from dhis2sh.verbs import grammar
from dhis2sh.verbs.options import Options


@contextmanager
def attempted_line(words: Sequence[str], session: Session | None = None) -> Generator[None]:
    """Inside, a line is read; where that fails and its verb writes, whoever says `undo` next may mean this line.

    Parameters:
        words: the line's, as far as they could be told apart.
        session: what the line acts on, unless it names a profile.
    """
    try:
        yield
    except Dhis2Error:
        verb = grammar.verb_at(words)
        if verb is None:
            raise
        named = named_in([*words])
        on = Session(named) if named is not None or session is None else session
        with attempt(on, verb, _consent(words)):
            raise


def _consent(words: Sequence[str]) -> Consent:
    """What a line that nobody understands says of its consent, as far as its words alone say so."""
    told = words[: words.index("--")] if "--" in words else words
    return Consent(dry_run=Options.dry_run.flag in told, journal=Options.journal.flag not in told)
