"""`dev oauth2 client`: programs that people let act for them. Their properties are `metadata o-auth2-clients`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.instance import clients
from dhis2sh.metadata import write, writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.objects.deleting import deletion
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, Piped, Refers, Touches, verb
from dhis2sh.words import counted

AGENTS = {"mcp": "a client lets a program act for people: that is for a person to decide"}


@verb("dev oauth2 client list", effect="read", examples=["dhis2 dev oauth2 client list"])
async def list_(s: Session) -> Rows[Row]:
    """List the OAuth2 clients: what each may ask for and where people are sent back to; never a secret.

    API source: `GET /api/oAuth2Clients`.
    """
    return Rows(await clients.clients(s), columns=clients.COLUMNS, resource=clients.CLIENTS)


@verb(
    "dev oauth2 client create",
    effect="write",
    examples=["dhis2 dev oauth2 client create portal --redirect-uri https://portal.example.org/back --to secret.txt"],
    left_out=AGENTS,
)
async def create(
    s: Session,
    client_id: Annotated[str, Doc("What the program calls itself.")],
    *,
    redirect_uri: Annotated[list[str], Doc("Where people are sent back to; to this program without any.")] = [],
    to: Annotated[
        Path | None,
        Doc("Make the secret up, and write it to this file, which nobody else can read; it is asked for without."),
        Complete("files"),
        Touches("writes"),
    ] = None,
) -> Plan:
    """Register an OAuth2 client that signs people in by authorization code. `undo` deletes it.

    API source: `POST /api/oAuth2Clients`.
    """
    made = await clients.registration(s, client_id, redirect_uri, to)
    plan = writes.plan(f"register the OAuth2 client '{client_id}'", [write.Write(clients.CLIENTS, None, made.body)])
    if made.keep is not None:
        plan.prepare = made.keep
        plan.notes.append(f"its secret will be in {to}, and nowhere else")
    return plan


@verb(
    "dev oauth2 client delete",
    effect="destroy",
    examples=["dhis2 dev oauth2 client delete portal --dry-run"],
    left_out=AGENTS,
)
async def delete(
    s: Session,
    clients_: Annotated[Rows[Row], Piped(), Doc("Clients: UIDs or names."), Refers(clients.CLIENTS)],
) -> Plan:
    """Delete OAuth2 clients. `undo` registers them again, without their secrets.

    API source: `DELETE /api/oAuth2Clients/{uid}`.
    """
    found = await writes.read_objects(s, clients.CLIENTS, uids_of(clients_))
    made = await deletion(s, {clients.CLIENTS: found})
    plan = writes.plan(f"delete {counted(len(found), 'OAuth2 client')}", made.writes)
    plan.notes = [*made.notes, *plan.notes]
    return plan
