"""`instance`: an instance as a directory of files, compared with a server and brought into one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from dhis2sh.as_code import folder, planning, pulling, secret
from dhis2sh.as_code.compared import COLUMNS, DifferenceRow, compare, told
from dhis2sh.as_code.pulling import Pulled
from dhis2sh.as_code.server import server_of
from dhis2sh.changes.plan import Plan
from dhis2sh.errors import CheckFailed
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import FOLDERS, Complete, Doc, NotForAgents, Touches, verb
from dhis2sh.words import counted

Only = Annotated[
    list[str],
    Doc("Only these: types, settings, dataStore, apps, members; may be repeated, or one text with commas."),
    Complete("types"),
]
Without = Annotated[list[str], Doc("All but these, as --types names them."), Complete("types")]
By = Annotated[
    list[Literal["code", "name"]],
    Doc("What the server has under another UID is found by this; without it a UID alone says which object is meant."),
]
HubUrl = Annotated[
    str | None, NotForAgents(), Doc("Ask this App Hub for apps from this machine; else the server asks its own.")
]
UNDOES = planning.taken_back
"""How an apply is taken back: importing it here registers that."""
Directory = Annotated[Path, Doc("A directory that `instance pull` has written."), Complete(FOLDERS)]


@verb(
    "instance pull",
    effect="read",
    examples=[
        "dhis2 instance pull country",
        "dhis2 instance pull country --types dataElements,dataSets,userRoles,settings",
    ],
)
async def pull(
    s: Session,
    directory: Annotated[Path, Doc("Where to write; it is made."), Complete(FOLDERS), Touches("writes")],
    *,
    types: Only = [],
    without: Without = [],
    overwrite: Annotated[bool, Doc("Replace files too that were changed since and that no git keeps.")] = False,
) -> Pulled:
    """Write a server's metadata, roles, groups, sharing, jobs, routes, settings, data store and apps as readable files.

    One object a file of YAML, in a fixed order, so that git shows what has changed. No accounts, times, passwords or tokens.
    A pull into a directory that is there renews what it is about; files that no git keeps are not overwritten.

    API source: `GET /api/{type}?fields=:owner`, `/api/systemSettings`, `/api/dataStore`, `/api/apps`.
    """
    return await pulling.pull(s, directory, types, without, overwrite=overwrite)


@verb(
    "instance diff",
    effect="read",
    examples=["dhis2 instance diff country -p production", "dhis2 instance diff country --check"],
)
async def diff(
    s: Session,
    directory: Directory,
    *,
    types: Only = [],
    without: Without = [],
    by: By = [],
    check: Annotated[bool, Doc("End with exit code 8 when there are differences.")] = False,
) -> Rows[DifferenceRow]:
    """List what a directory and the server have differently: object by object, property by property.

    `added` is only in the directory, `removed` only on the server. What another version of DHIS2 cannot say is told.

    API source: as of `instance pull`.
    """
    opened = folder.opened(directory, types, without)
    found = await compare(await server_of(s, opened.scope), opened, by)
    rows = Rows(found.rows(), columns=COLUMNS)
    for note in told(found):
        s.person.warn(note)
    if check and len(rows):
        raise CheckFailed(
            counted(len(rows), "difference"), findings=rows, hint="the same line without --check lists them"
        )
    return rows


@verb(
    "instance apply",
    effect="write",
    examples=[
        "dhis2 instance apply country -p production --dry-run",
        "dhis2 instance apply country -p production --prune --secrets secrets.yaml",
        "dhis2 instance apply country -p production --by code,name --dry-run",
    ],
)
async def apply(
    s: Session,
    directory: Directory,
    *,
    types: Only = [],
    without: Without = [],
    by: By = [],
    prune: Annotated[bool, Doc("Delete what is in no file, of the types that the directory is about.")] = False,
    secrets: Annotated[
        Path | None,
        Doc("A file with the secrets, outside of git: routes/UID/auth.password: 'value', one a line."),
        Complete("files"),
        NotForAgents(),
    ] = None,
    hub_url: HubUrl = None,
) -> Plan:
    """Make a server what the files of a directory say; `undo` takes all of it back.

    What is the same is not sent. Nothing is deleted without --prune. A slip in a file is told with its line before anything is
    sent; the server says before what it would refuse. A secret is taken from the server, from --secrets, or asked for. An app
    is taken from a zip beside `apps.yaml`, one that is kept on this machine, or the App Hub.

    API source: `POST /api/metadata`, `/api/routes`, `/api/systemSettings`, `PUT /api/dataStore/{namespace}/{key}`, `POST /api/apps`.
    """
    opened = folder.opened(directory, types, without)
    return await planning.plan(s, opened, secret.read(secrets), prune=prune, hub_url=hub_url, by=by)
