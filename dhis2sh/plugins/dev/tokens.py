"""`dev pat`: personal access tokens of who has signed in."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

from dhis2sh.changes.plan import Plan
from dhis2sh.instance import tokens
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Touches, verb

UNDOES = tokens.taken_back
"""How a token that was made is taken back: importing it here registers that."""
AGENTS = {"mcp": "a key is for the eyes of its owner"}
type Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
To = Annotated[
    Path | None,
    Doc("Write the key to this file, which nobody else can read; without it the key is shown once."),
    Complete("files"),
    Touches("writes"),
]


@verb("dev pat list", effect="read", examples=["dhis2 dev pat list", "%dev pat list | where(expired)"])
async def list_(s: Session) -> Rows[Row]:
    """List your personal access tokens: until when each holds and what it is narrowed to; never a key.

    API source: `GET /api/apiToken`.
    """
    now = dt.datetime.now(dt.UTC)
    return Rows([tokens.shown(one, now) for one in await tokens.tokens(s)], columns=tokens.COLUMNS)


@verb(
    "dev pat create",
    effect="write",
    examples=["dhis2 dev pat create --days 90 --method GET --to token.txt --dry-run"],
    left_out=AGENTS,
)
async def create(
    s: Session,
    *,
    days: Annotated[int, Bounds(1, 3650), Doc("Days until it ends.")] = 30,
    method: Annotated[list[Method], Doc("Only requests of this method; may be repeated.")] = [],
    ip: Annotated[list[str], Doc("Only from this address; may be repeated.")] = [],
    referrer: Annotated[list[str], Doc("Only from pages below this address; may be repeated.")] = [],
    to: To = None,
) -> Plan:
    """Make a personal access token. Its key is in no journal and no history; `undo` deletes the token.

    API source: `POST /api/apiToken`.
    """
    return tokens.plan_create(days, tokens.attributes(method, ip, referrer), to)


@verb(
    "dev pat rotate",
    effect="destroy",
    examples=["dhis2 dev pat rotate KvsOwpzAHtH --to token.txt --dry-run"],
    left_out=AGENTS,
)
async def rotate(
    s: Session,
    uid: Annotated[str, Doc("The token, as `dev pat list` names it.")],
    *,
    days: Annotated[
        int | None, Bounds(1, 3650), Doc("Days until the new one ends; as many as before without it.")
    ] = None,
    to: To = None,
) -> Plan:
    """Make a token that may do what another may, and delete that one.

    API source: `POST /api/apiToken`, `DELETE /api/apiToken/{uid}`.
    """
    return await tokens.plan_rotate(s, uid, days, to)


@verb("dev pat delete", effect="destroy", examples=["dhis2 dev pat delete KvsOwpzAHtH --dry-run"], left_out=AGENTS)
async def delete(s: Session, uids: Annotated[list[str], Doc("Tokens, as `dev pat list` names them.")]) -> Plan:
    """Delete tokens: their keys open nothing any more. No undo brings one back.

    API source: `DELETE /api/apiToken/{uid}`.
    """
    return await tokens.plan_delete(s, uids)
