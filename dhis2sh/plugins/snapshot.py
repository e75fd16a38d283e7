"""`snapshot`: how a server was, kept on this machine; what changed since, by whom, and back again."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.as_code import planning, snapshots
from dhis2sh.as_code.compared import compare, told
from dhis2sh.as_code.secret import Secrets
from dhis2sh.as_code.server import server_of
from dhis2sh.as_code.snapshots import ChangedSince, SnapshotRow
from dhis2sh.changes.plan import Plan
from dhis2sh.errors import CheckFailed
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Complete, Doc, verb
from dhis2sh.words import counted

Without = Annotated[list[str], Doc("All but these, as --types names them."), Complete("types")]
UNDOES = planning.taken_back
"""How a restore is taken back: importing it here registers that."""
Only = Annotated[
    list[str],
    Doc("Only these: types, settings, dataStore, apps, members; may be repeated, or one text with commas."),
    Complete("types"),
]


@verb(
    "snapshot take",
    effect="read",
    examples=["dhis2 snapshot take", "dhis2 snapshot take before-the-change --types dataSets"],
)
async def take(
    s: Session,
    name: Annotated[str | None, Doc("What it is called; the moment without it.")] = None,
    *,
    types: Only = [],
    without: Without = [],
) -> SnapshotRow:
    """Keep on this machine how the server's metadata, settings and data store are now. No accounts, no secrets.

    Who belongs to groups, who has which role and what single people may do are in it by username, unless --without members.

    API source: as of `instance pull`.
    """
    return await snapshots.take(s, name, types, without)


@verb("snapshot list", effect="read", examples=["dhis2 snapshot list"])
async def list_(s: Session) -> Rows[SnapshotRow]:
    """List the snapshots of this profile that lie on this machine, the oldest first."""
    return Rows(snapshots.kept(s.profile), columns=("name", "taken", "server", "version", "objects", "bytes"))


@verb(
    "snapshot diff",
    effect="read",
    examples=["dhis2 snapshot diff", "dhis2 snapshot diff monday friday", "%snapshot diff | where(by == 'anna')"],
)
async def diff(
    s: Session,
    before: Annotated[str | None, Doc("A snapshot; the last one without it.")] = None,
    after: Annotated[str | None, Doc("A later one; the server as it is now without it.")] = None,
    *,
    types: Only = [],
    without: Without = [],
    check: Annotated[bool, Doc("End with exit code 8 when there are differences.")] = False,
) -> Rows[ChangedSince]:
    """List what changed since a snapshot, or between two: object by object, with who saved it last and when.

    A server has no audit of metadata: of several changes of an object only the last one's author is known, and of what is
    gone nobody's.

    API source: as of `instance pull`.
    """
    then = snapshots.opened(s.profile, before, types, without)
    if after is not None:
        found = snapshots.between(then, snapshots.opened(s.profile, after, types, without))
    else:
        compared = await compare(await server_of(s, then.scope), then)
        for note in told(compared):
            s.person.warn(note)
        found = snapshots.since(compared)
    rows = Rows(found, columns=snapshots.COLUMNS)
    if check and len(rows):
        raise CheckFailed(
            counted(len(rows), "difference"), findings=rows, hint="the same line without --check lists them"
        )
    return rows


@verb(
    "snapshot restore",
    effect="write",
    examples=[
        "dhis2 snapshot restore before-the-change --dry-run",
        "dhis2 snapshot restore monday --types dashboards --prune",
    ],
)
async def restore(
    s: Session,
    name: Annotated[str | None, Doc("The snapshot; the last one without it.")] = None,
    *,
    types: Only = [],
    without: Without = [],
    prune: Annotated[bool, Doc("Delete what was made since, too.")] = False,
) -> Plan:
    """Bring back how things were when a snapshot was taken: what changed is as before, what is gone is made again.

    What was made since stays without --prune. `undo` takes it back. A secret that the server does not give is asked for.

    API source: as of `instance apply`.
    """
    found = snapshots.opened(s.profile, name, types, without)
    return await planning.plan(s, found, Secrets(), prune=prune, title=f"restore snapshot {found.row.name}")
