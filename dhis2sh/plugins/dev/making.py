"""`dev uid|sample`: UIDs, and objects as examples."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.metadata.objects import sampling
from dhis2sh.metadata.parameters import Type
from dhis2sh.rows.rows import Rows, Verbatim
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Bounds, Doc, verb


@verb("dev uid", effect="read", examples=["dhis2 dev uid", "dhis2 dev uid 20 -o name"])
async def uid(s: Session, count: Annotated[int, Bounds(1, 10_000), Doc("How many.")] = 1) -> Rows[Row]:
    """Make UIDs as servers make them: a letter and ten letters or digits. No server is asked."""
    return Rows([{"id": generate_uid()} for _ in range(count)], columns=("id",))


@verb("dev sample", effect="read", examples=["dhis2 dev sample dataElements -o yaml"])
async def sample(
    s: Session,
    type: Type,
    *,
    check: Annotated[bool, Doc("Ask the server whether it would take it (a dry run of an import).")] = False,
) -> Verbatim:
    """Show an object of a type as an example: what this server requires, with values that fit and references that are there.

    `metadata create TYPE --from` takes it.

    API source: `POST /api/metadata?importMode=VALIDATE` with --check.
    """
    found = await sampling.sample(s, type)
    if check:
        told = await sampling.refusal_of(s, type, found)
        s.person.note("the server would take it" if told is None else f"the server would refuse it: {told}")
    return Verbatim(found)
