"""`explain LINE`: what a line would ask of the server, sending nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Mapping
from itertools import dropwhile
from typing import TYPE_CHECKING

from dhis2sh.client.requests import Rehearsed, effect_scope, rehearsing
from dhis2sh.rows.stream import Stream
from dhis2sh.verbs.piping import fit

if TYPE_CHECKING:
    from dhis2sh.rows.pipeline import Pipeline
    from dhis2sh.rows.pushdown import Head
    from dhis2sh.session import Session
    from dhis2sh.verbs.declaration import Verb

ASSUMED_VERSION = "2.42"
"""What a server is taken for that nobody has asked yet."""


async def line(
    session: Session,
    verb: Verb,
    arguments: Mapping[str, object],
    pipeline: Pipeline | None = None,
    variables: Container[str] = (),
) -> str:
    """What a line would do, as text for a person.

    Parameters:
        session: the profile; its client sends nothing.
        verb, arguments: the head of the line.
        pipeline: its tail, or None.
        variables: the user's own names, which are no fields.

    Raises what the head refuses before its first request.
    """
    async with session.client.assuming(ASSUMED_VERSION) as assumed:
        with rehearsing() as requests, effect_scope("read"):
            head = await fit(session, verb, arguments, pipeline, variables)
            with contextlib.suppress(Rehearsed):  # the request that it stands for is in `requests`
                found = await verb.function(session, **verb.bind(head.arguments))
                if isinstance(found, Stream):
                    await found.peek(1)
    lines = [f"verb      {verb.path} ({verb.effect})"]
    lines += [f"request   {text}" for text in requests] or ["request   none"]
    lines += _split(head, pipeline)
    if assumed and requests:
        lines.append(f"note      the server's version is not known yet; {ASSUMED_VERSION} is assumed")
    return "\n".join(lines)


def _split(head: Head, pipeline: Pipeline | None) -> list[str]:
    """Which conditions the server decides, and what is done here."""
    lines = [f"server    {condition}  as  {filters}" for condition, filters in head.pushed]
    lines += [f"locally   {condition}" for condition in head.local]
    if pipeline is not None:
        rest = dropwhile(lambda step: step.name == "where", pipeline.steps)  # the first ones have been told
        lines += [f"locally   {step.text}" for step in rest]
    if head.hidden:
        lines.append(f"hidden    {', '.join(sorted(head.hidden))}: read for the tail, shown where it selects them")
    return lines
