"""Messages between people of a server.

API source: `MessageConversationController.java` (recorded `inst-messages`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.client import reading
from dhis2sh.errors import NotFound, Refused, UsageError
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

CONVERSATIONS = "messageConversations"
COLUMNS = ("id", "subject", "lastSender", "lastMessage", "messageCount", "read", "followUp", "messageType")
FIELDS = "id,subject,displayName,lastSender[id,username,displayName],lastMessage,messageCount,read,followUp,messageType"
MESSAGE_COLUMNS = ("created", "sender", "text", "internal")
NO_WAY_BACK = "this cannot be undone: people have read it by then"


async def conversations(s: Session, *, unread: bool, limit: int | None) -> list[Row]:
    """The signed-in user's conversations, the newest first."""
    params: dict[str, Param] = {"fields": FIELDS, "order": "lastMessage:desc"}
    if unread:
        params["filter"] = "read:eq:false"
    rows = [row async for row in s.client.iter(CONVERSATIONS, params, limit=limit)]
    return [{**row, "lastSender": _sender(row.get("lastSender"))} for row in rows]


def _sender(value: JsonValue) -> JsonValue:
    return value.get("username") or value.get("displayName") if isinstance(value, dict) else value


async def one(s: Session, uid: str) -> JsonObject:
    """A conversation. Raises `NotFound`: a server answers an unknown one with 200 and a sentence."""
    fields = f"{FIELDS},messages[created,text,internal,sender[username,displayName]]"
    body = await s.client.get_object(f"{CONVERSATIONS}/{uid}", {"fields": fields})
    if body.get("id") != uid:
        raise NotFound(str(body.get("message") or f"there is no conversation {uid}"), hint="dhis2 messaging list")
    return body


def messages_of(body: Mapping[str, JsonValue]) -> list[Row]:
    """The messages of a conversation, the oldest first."""
    rows = cast("list[JsonObject]", body.get("messages") or [])
    found: list[Row] = [{**row, "sender": _sender(row.get("sender"))} for row in rows]
    return sorted(found, key=lambda row: str(row.get("created") or ""))


def sending(subject: str, text: str, to: Mapping[str, Sequence[str]], named: Sequence[str]) -> Plan:
    """The plan of a new conversation.

    Parameters:
        to: UIDs of `users`, `userGroups` and `organisationUnits`; of the latter their users get it.
        named: who gets it, in words.

    Raises `UsageError` without a subject, a text (a server takes none) or anybody to get it.
    """
    if not subject.strip() or not text.strip():
        raise UsageError("a message wants a subject and a text", hint="--subject TEXT --text TEXT")
    body: JsonObject = {"subject": subject, "text": text}
    body |= {kind: [{"id": uid} for uid in uids] for kind, uids in to.items() if uids}
    if len(body) == len(("subject", "text")):
        raise UsageError("to whom?", hint="--user USERNAME, --group NAME, or --org-unit NAME for the users of a unit")
    step = PlanStep("create", CONVERSATIONS, name=subject, detail=f"to {listed(named, 10)}: {text[:200]}")
    writer = ByRequest("messages", [Request("POST", CONVERSATIONS, body)], again="nothing", complete=_sent)
    many = len(named) > 1 or bool(to.get("userGroups")) or bool(to.get("organisationUnits"))
    return Plan(f"send '{subject}' to {listed(named)}", [step], notes=[NO_WAY_BACK], writer=writer, asks=many)


async def readers(s: Session, to: Mapping[str, Sequence[str]]) -> list[str]:
    """The usernames of everybody who gets a message. Raises `UsageError` for a group or a unit of nobody.

    Parameters:
        to: UIDs of `users`, `userGroups` and `organisationUnits`.
    """
    found = [
        str(row.get("username"))
        for row in (await reading.by_uid(s.client, "users", to["users"], fields="id,username")).rows
    ]
    for plural, path in (("userGroups", "userGroups.id"), ("organisationUnits", "organisationUnits.id")):
        for uid in to[plural]:
            inside = await reading.all_of(s.client, "users", [f"{path}:eq:{uid}"], fields="id,username")
            if not inside:
                name = (await reading.by_uid(s.client, plural, [uid], fields="id,displayName")).rows
                called = name[0].get("displayName") if name else uid
                raise UsageError(
                    f"'{called}' has no users: nobody would get it",
                    hint="dhis2 user list",
                )
            found += [str(row.get("username")) for row in inside]
    return list(dict.fromkeys(found))


async def _sent(s: Session, summary: WriteSummary) -> None:
    summary.created = 1


def replying(body: Mapping[str, JsonValue], text: str, *, internal: bool) -> Plan:
    """The plan of a reply. Raises `UsageError` without a text."""
    if not text.strip():
        raise UsageError("a reply wants a text", hint="--text TEXT")
    uid, subject = str(body["id"]), str(body.get("subject"))
    step = PlanStep("create", CONVERSATIONS, uid=uid, name=subject, detail=text[:200])
    params: dict[str, Param] = {"internal": True} if internal else {}
    request = Request("POST", f"{CONVERSATIONS}/{uid}", text.encode(), params, content_type="text/plain")
    writer = ByRequest("messages", [request], again="nothing", complete=_sent)
    return Plan(f"reply to '{subject}'", [step], notes=[NO_WAY_BACK], writer=writer)


async def marking(s: Session, uids: Sequence[str], *, read: bool) -> Plan:
    """The plan of marking conversations; those that are so already are counted and left alone. Raises `NotFound`."""
    rows = await _there(s, uids)
    needed = [row for row in rows if bool(row.get("read")) is not read]
    word = "read" if read else "unread"
    steps = [
        PlanStep("update", CONVERSATIONS, uid=str(row["id"]), name=str(row.get("subject")), detail=f"mark as {word}")
        for row in needed
    ]
    same = len(rows) - len(needed)
    body = cast("JsonValue", [row["id"] for row in needed])
    request = Request("POST", f"{CONVERSATIONS}/{word}", body, steps=range(len(steps)))
    finish = partial(_marked, uids=[str(row["id"]) for row in needed], read=read)
    writer = ByRequest("messages", [request] if steps else [], complete=finish)
    return Plan(
        f"mark {counted(len(steps), 'conversation')} as {word}",
        steps,
        notes=[f"{same:,} already {word}"] if same else [],
        writer=writer,
    )


async def _there(s: Session, uids: Sequence[str]) -> list[Row]:
    rows = (await reading.by_uid(s.client, CONVERSATIONS, uids, fields="id,subject,read")).rows
    if missing := set(uids) - {str(row["id"]) for row in rows}:
        raise NotFound(f"there is no conversation {listed(sorted(missing))}", hint="dhis2 messaging list")
    return rows


async def _marked(s: Session, summary: WriteSummary, *, uids: Sequence[str], read: bool) -> None:
    """Which are marked, by reading them again: a server leaves out what it does not know, and says 200."""
    now = {str(row["id"]): bool(row.get("read")) for row in await _there(s, uids)}
    summary.uids = [uid for uid in uids if now.get(uid) is read]
    summary.updated = len(summary.uids)
    if late := [uid for uid in uids if uid not in summary.uids]:
        raise Refused(f"the server said yes, and these are as before: {listed(late)}", hint="dhis2 messaging list")


async def deleting(s: Session, uids: Sequence[str]) -> Plan:
    """The plan of deleting conversations, for everybody who is in them. Raises `NotFound`."""
    rows = await _there(s, uids)
    steps = [PlanStep("delete", CONVERSATIONS, uid=str(row["id"]), name=str(row.get("subject"))) for row in rows]
    requests = [
        Request("DELETE", f"{CONVERSATIONS}/{row['id']}", steps=[number], deleted=[str(row["id"])])
        for number, row in enumerate(rows)
    ]
    notes = ["this cannot be undone", "it goes for everybody who is in it"]
    return Plan(
        f"delete {counted(len(rows), 'conversation')}", steps, notes=notes, writer=ByRequest("messages", requests)
    )
