"""`verbs`: the catalogue itself, as rows."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

from pydantic import BaseModel

from dhis2sh.errors import NotFound
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.verbs import plugin_catalogue
from dhis2sh.verbs.declaration import Doc, verb
from dhis2sh.verbs.registry import find, load_all, load_domains
from dhis2sh.verbs.search import find_verbs

MOST_FOUND = 10
"""Verbs that a search gives."""


class CatalogueRow(BaseModel):
    """One verb."""

    name: str
    effect: str
    parameters: list[str]
    result: str
    summary: str
    example: str | None
    left_out: dict[str, str]


@verb(
    "verbs",
    effect="read",
    examples=["dhis2 verbs", "dhis2 verbs rename many", "%verbs | where(effect != 'read')"],
)
async def verbs(
    s: Session,
    words: Annotated[list[str], Doc("What somebody wants to do, in their own words; all verbs without it.")] = [],
    *,
    effect: Annotated[Literal["read", "write", "destroy"] | None, Doc("Only verbs of this effect.")] = None,
    types: Annotated[bool, Doc("The verbs of every metadata type too (metadata data-elements list, ...).")] = False,
    takes_rows: Annotated[bool, Doc("Only verbs that stand in a pipeline and take its rows.")] = False,
) -> Rows[CatalogueRow]:
    """List every verb with its effect, parameters and an example; with words those that do what they ask for, the best first."""
    known = load_all() if types else load_domains()
    for one in plugin_catalogue.broken():
        s.person.warn(one.line())
    chosen = [item for _, item in sorted(known.items())]
    if words:
        text = " ".join(words)
        chosen = [find(str(found.verb["path"])) for found in find_verbs(text, limit=MOST_FOUND)]
        if not chosen:
            raise NotFound(
                f"no verb has to do with '{text}'",
                hint=f"objects are found by: dhis2 metadata search {shlex.quote(text)}",
            )
    rows = [
        CatalogueRow(
            name=item.path,
            effect=item.effect,
            parameters=[param.flag if param.option else param.name for param in item.params],
            result=item.result,
            summary=item.summary,
            example=next(iter(item.examples), None),
            left_out=dict(item.left_out),
        )
        for item in chosen
        if effect in (None, item.effect) and (item.piped is not None or not takes_rows)
    ]
    return Rows(rows, columns=["name", "effect", "summary", "example"])
