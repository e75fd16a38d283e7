"""`messaging`: messages between people of a server."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.instance import messages
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb

Id = Annotated[str, Doc("The conversation: UID or subject."), Refers(messages.CONVERSATIONS)]
Ids = Annotated[list[str], Doc("The conversations: UIDs or subjects."), Refers(messages.CONVERSATIONS)]
Text = Annotated[str, Doc("What is said.")]


@verb("messaging list", effect="read", examples=["dhis2 messaging list --unread"])
async def list_(
    s: Session,
    *,
    unread: Annotated[bool, Doc("Only those with something unread.")] = False,
    limit: Annotated[int | None, Bounds(1), Doc("At the most so many.")] = 50,
) -> Rows[Row]:
    """List your conversations, the newest first.

    API source: `GET /api/messageConversations`.
    """
    return Rows(await messages.conversations(s, unread=unread, limit=limit), columns=messages.COLUMNS)


@verb("messaging get", effect="read", examples=["dhis2 messaging get UID", "dhis2 messaging get 'September report'"])
async def get(s: Session, id: Id) -> Rows[Row]:
    """List the messages of a conversation, the oldest first; it stays unread.

    API source: `GET /api/messageConversations/{uid}`.
    """
    return Rows(messages.messages_of(await messages.one(s, id)), columns=messages.MESSAGE_COLUMNS)


@verb(
    "messaging send",
    effect="write",
    examples=["dhis2 messaging send --subject 'September report' --text 'Please send it' --org-unit 'Ngelehun CHC'"],
)
async def send(
    s: Session,
    *,
    subject: Annotated[str, Doc("What it is about.")],
    text: Text,
    user: Annotated[list[str], Doc("To these accounts; may be repeated."), Refers("users")] = [],
    group: Annotated[list[str], Doc("To everybody in these groups."), Refers("userGroups")] = [],
    org_unit: Annotated[list[str], Doc("To the users of these units."), Refers("organisationUnits")] = [],
) -> Plan:
    """Send a message to people, groups, or the users of units. The plan names who gets it.

    API source: `POST /api/messageConversations`.
    """
    to = {"users": user, "userGroups": group, "organisationUnits": org_unit}
    named = await messages.readers(s, to)
    return messages.sending(subject, text, to, named)


@verb("messaging reply", effect="write", examples=["dhis2 messaging reply UID --text 'It is on its way'"])
async def reply(
    s: Session,
    id: Id,
    *,
    text: Text,
    internal: Annotated[bool, Doc("Only for those who handle tickets.")] = False,
) -> Plan:
    """Reply to a conversation.

    API source: `POST /api/messageConversations/{uid}`.
    """
    return messages.replying(await messages.one(s, id), text, internal=internal)


@verb("messaging mark-read", effect="write", examples=["dhis2 messaging mark-read UID"])
async def mark_read(s: Session, ids: Ids) -> Plan:
    """Mark conversations as read.

    API source: `POST /api/messageConversations/read`.
    """
    return await messages.marking(s, ids, read=True)


@verb("messaging mark-unread", effect="write", examples=["dhis2 messaging mark-unread UID"])
async def mark_unread(s: Session, ids: Ids) -> Plan:
    """Mark conversations as unread.

    API source: `POST /api/messageConversations/unread`.
    """
    return await messages.marking(s, ids, read=False)


@verb("messaging delete", effect="destroy", examples=["dhis2 messaging delete UID --dry-run"])
async def delete(s: Session, ids: Ids) -> Plan:
    """Delete conversations. It cannot be undone.

    API source: `DELETE /api/messageConversations/{uid}`.
    """
    return await messages.deleting(s, ids)
