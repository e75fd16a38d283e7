"""`sharing audit`: what is open to more people than somebody meant. Sharing itself is set by `metadata share`."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.errors import CheckFailed
from dhis2sh.instance import access
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Complete, Doc, verb


@verb(
    "sharing audit",
    effect="read",
    examples=["dhis2 sharing audit dataSets programs", "%sharing audit | where(problem == 'external')"],
)
async def audit(
    s: Session,
    types: Annotated[
        list[str], Doc("Only these types; every type that is shared without them."), Complete("types")
    ] = [],
    *,
    check: Annotated[bool, Doc("End with 8 where something is found.")] = False,
) -> Rows[access.Finding]:
    """List what everybody may change or see from outside, owners that are gone, and groups without members.

    Each finding says the command that mends it. Who may not see all users is told nothing of owners that are gone.

    API source: `GET /api/{type}?fields=sharing`.
    """
    found = [finding async for some in access.audit(s, types) for finding in some]
    if not (await s.client.system.me()).may("ALL"):
        s.person.warn(
            "you may not see all users: owners that are gone, and unknown users and groups, are not looked for"
        )
    rows = Rows(found, columns=("type", "id", "name", "problem", "detail", "fix"))
    if check and found:
        raise CheckFailed(f"{len(found):,} findings in sharing", findings=rows, hint=found[0].fix)
    return rows
