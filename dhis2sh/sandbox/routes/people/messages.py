"""`/api/messageConversations`: private messages and tickets, each as its reader sees it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.answers import answer, base_of, done, empty
from dhis2sh.sandbox.http.bodies import parse_object, parse_texts, with_body
from dhis2sh.sandbox.http.params import boolean, many, required
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.pipeline import reference_to_user
from dhis2sh.sandbox.instance.settings import Settings
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.fields import Field, parse_fields
from dhis2sh.sandbox.metadata.filters import Condition, parse_filter, split_filters
from dhis2sh.sandbox.refused import Refused, missing_parameter, not_found, not_imitated, unknown_choice
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

PLURAL = "messageConversations"
PRIORITIES = ("NONE", "LOW", "MEDIUM", "HIGH")
STATUSES = ("NONE", "OPEN", "PENDING", "INVALID", "SOLVED")


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    # Reading

    def _mine(self, request: Request) -> list[JsonObject]:
        """The conversations of who asks, the last written first."""
        uid = self.server.rights(request).uid
        found = [seen for body in self.store.objects(PLURAL).values() if (seen := _as_seen_by(body, uid))]
        return sorted(found, key=lambda body: str(body["lastMessage"]), reverse=True)

    def list_(self, request: Request) -> Response:
        """`GET /api/messageConversations`."""
        query, resource = request.query_params, self.store.resources[PLURAL]
        renderer = self.server.renderer(request)
        texts = split_filters(query.getlist("filter"))
        conditions = [Condition(parse_filter(text), resource, renderer) for text in texts]
        uid = self.server.rights(request).uid
        found = [body for body in self._mine(request) if all(condition(body) for condition in conditions)]
        found = _sorted(found, query.get("order"))
        text = (query.get("queryString") or query.get("query") or "").lower()
        if text:
            found = [body for body in found if text in str(body["subject"]).lower() or any(
                text in str(message["text"]).lower() for message in _messages(body))]  # fmt: skip
        page, size = max(1, int(query.get("page") or 1)), max(1, int(query.get("pageSize") or 50))
        paged = query.get("paging") != "false"
        rows = found[(page - 1) * size : page * size] if paged else found
        tree = parse_fields(query.get("fields") or "id,displayName")
        shown: JsonObject = {PLURAL: [self._show(request, _own_marks(body, uid), tree) for body in rows]}
        pager: JsonObject = {"page": page, "total": len(found), "pageSize": size, "pageCount": -(-len(found) // size)}
        return answer({"pager": pager, **shown} if paged else shown)

    def _show(self, request: Request, body: JsonObject, tree: Field) -> JsonObject:
        """A conversation as its reader sees it; who its members are is shown whatever fields of them are asked for."""
        messages: list[JsonValue] = [
            {**message, "sender": self._person(cast("JsonObject", message["sender"]))} for message in _messages(body)
        ]
        asked = tree.children.get("messages")
        if asked is None or not (asked.children or asked.presets):
            messages = [{"id": message["id"]} for message in _messages(body)]
        body = {**body, "messages": messages, "sharing": {"external": False, "users": {}, "userGroups": {}}}
        shown = self.server.renderer(request).show(self.store.resources[PLURAL], body, tree)
        for member, own in zip(cast("list[JsonObject]", shown.get("userMessages") or []), _members(body), strict=False):
            if "user" in member:
                member["user"] = {"code": None, **self._person(cast("JsonObject", own["user"]))}
        return shown

    def _person(self, user: JsonObject) -> JsonObject:
        return reference_to_user(self.store.get("users", str(user["id"])) or user)

    def _find(self, request: Request) -> JsonObject:
        uid = request.path_params["uid"]
        body = self.store.get(PLURAL, uid)
        if body is None:
            raise not_found("MessageConversation", uid)
        if _as_seen_by(body, self.server.rights(request).uid) is None:
            raise Refused(403, "Not authorized to access this conversation.", "E1006")
        return body

    def get(self, request: Request) -> Response:
        """`GET /api/messageConversations/{uid}`; one that there is not is no error."""
        uid = request.path_params["uid"]
        if self.store.get(PLURAL, uid) is None:
            return answer({"message": f"No MessageConversation found with UID: {uid}"})
        body = _as_seen_by(self._find(request), self.server.rights(request).uid) or {}
        return answer(self._show(request, body, parse_fields(request.query_params.get("fields") or "*")))

    # Writing

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations`; the new UID is in the `Location` header only."""
        sent = parse_object(raw)
        members = self._recipients(sent)
        if not members:
            raise Refused(409, "No recipients selected.", "E1004")
        for file in _ids(sent, "attachments"):
            if self.store.get("fileResources", file) is None:
                raise Refused(409, f"Attachment '{file}' not found.", "E1004")
        subject = sent.get("subject")
        if subject is None:
            text = "not-null property references a null or transient value : org.hisp.dhis.message.MessageConversation.subject"
            raise Refused(409, text)
        return self._start(request, str(subject), str(sent.get("text") or ""), members, "PRIVATE", sent)

    def feedback(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/feedback?subject=`: a ticket to the feedback recipients."""
        group = Settings(self.store).get("feedbackRecipients")
        members = _ids(self.store.get("userGroups", str(group)) or {}, "users")
        subject = request.query_params.get("subject") or ""
        return self._start(request, subject, raw.decode(), members, "TICKET", {}, "Feedback created")

    def _recipients(self, sent: JsonObject) -> list[str]:
        """Everybody that a message is for: users, members of groups, users of org units."""
        found = _ids(sent, "users")
        for uid in found:
            if self.store.get("users", uid) is None:
                raise Refused(409, f"User does not exist: {uid}", "E1004")
        for plural in ("userGroups", "organisationUnits"):
            if any(self.store.get(plural, uid) is None for uid in _ids(sent, plural)):
                raise not_imitated(f"a message to {plural} that there are not")
        for group in _ids(sent, "userGroups"):
            found += _ids(self.store.get("userGroups", group) or {}, "users")
        units = set(_ids(sent, "organisationUnits"))
        if units:
            found += [
                uid for uid, user in self.store.objects("users").items() if units & set(_ids(user, "organisationUnits"))
            ]
        return list(dict.fromkeys(found))

    def _start(
        self, request: Request, subject: str, text: str, members: list[str], kind: str, sent: JsonObject,
        words: str = "Message conversation created",
    ) -> Response:  # fmt: skip
        sender, moment, uid = self.server.rights(request).uid, now(), generate_uid()
        everybody = list(dict.fromkeys([sender, *members]))
        body: JsonObject = {
            "id": uid, "name": subject, "subject": subject, "created": moment, "lastUpdated": moment,
            "createdBy": {"id": sender}, "lastSender": {"id": sender}, "lastMessage": moment, "messageType": kind,
            "priority": "NONE", "status": "OPEN" if kind == "TICKET" else "NONE",
            "userMessages": [_member(member, read=member == sender) for member in everybody],
            "messages": [_message(sender, text, moment, sent)],
        }  # fmt: skip
        self.store.put_objects({PLURAL: [body]})
        return done(words, 201, Location=f"{base_of(request)}/api/messageConversations/{uid}")

    def reply(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/{uid}`: the body is the text, whatever it is."""
        if not raw:
            raise Refused(400, _NO_REPLY, older=_NO_REPLY.replace("jakarta.", "javax."))
        body, sender, moment = self._find(request), self.server.rights(request).uid, now()
        internal = boolean(request.query_params, "internal")
        if internal and not self.server.rights(request).superuser:
            raise not_imitated("an internal message of who may not do everything")
        # The others have something to read; what the sender has not read stays so.
        members: list[JsonValue] = [
            member if cast("JsonObject", member["user"])["id"] == sender else {**member, "read": False}
            for member in _members(body)
        ]
        message = {**_message(sender, raw.decode(), moment, {}), "internal": internal}
        changed: JsonObject = {
            **body, "lastUpdated": moment, "lastMessage": moment, "lastSender": {"id": sender}, "userMessages": members,
            "messages": [*_messages(body), message],
        }  # fmt: skip
        self.store.put_objects({PLURAL: [changed]})
        location = f"{base_of(request)}/api/messageConversations/{body['id']}"
        return done("Message conversation created", 201, Location=location)

    def recipients(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/{uid}/recipients`."""
        body = self._find(request)
        known = {str(cast("JsonObject", member["user"])["id"]) for member in _members(body)}
        new = [_member(uid) for uid in self._recipients(parse_object(raw)) if uid not in known]
        self.store.put_objects({PLURAL: [{**body, "userMessages": [*_members(body), *new]}]})
        return empty()

    def assign(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/{uid}/assign?userId=`: who sees to it."""
        body, uid = self._find(request), required(request.query_params, "userId")
        user = self.store.get("users", uid)
        if user is None:
            raise not_imitated("a conversation assigned to nobody")
        self.store.put_objects({PLURAL: [{**body, "assignee": {"id": uid}}]})
        return answer({"message": f"User {reference_to_user(user)['name']} was assigned successfully"})

    def _mark(self, request: Request, raw: bytes, name: str, value: bool, key: str) -> Response:
        """Set a flag of who asks on several conversations; the answer names those that changed."""
        uid = self.server.rights(request).uid
        marked: list[JsonValue] = []
        for one in parse_texts(raw):
            body = self.store.get(PLURAL, one)
            if body is None or _as_seen_by(body, uid) is None:
                continue
            members: list[JsonValue] = []
            for member in _members(body):
                mine = cast("JsonObject", member["user"])["id"] == uid
                if mine and bool(member.get(name)) != value:
                    marked.append(one)
                members.append({**member, name: value} if mine else member)
            self.store.put_objects({PLURAL: [{**body, "userMessages": members}]})
        return answer({key: marked})

    def read(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/read`."""
        return self._mark(request, raw, "read", True, "markedRead")

    def unread(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/unread`."""
        return self._mark(request, raw, "read", False, "markedUnread")

    def follow_up(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/followup`."""
        return self._mark(request, raw, "followUp", True, "markedFollowup")

    def no_follow_up(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/unfollowup`."""
        return self._mark(request, raw, "followUp", False, "unmarkedFollowup")

    def priority(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/{uid}/priority?messageConversationPriority=`."""
        return self._set(request, "priority", "messageConversationPriority", PRIORITIES)

    def status(self, request: Request, raw: bytes) -> Response:
        """`POST /api/messageConversations/{uid}/status?messageConversationStatus=`."""
        return self._set(request, "status", "messageConversationStatus", STATUSES)

    def _set(self, request: Request, name: str, parameter: str, known: tuple[str, ...]) -> Response:
        value = (request.query_params.get(parameter) or "").upper()
        if value not in known:
            raise unknown_choice(value, parameter, known)
        body = self._find(request)
        self.store.put_objects({PLURAL: [{**body, name: value}]})
        return answer({value: [body["id"]]})

    def delete(self, request: Request) -> Response:
        """`DELETE /api/messageConversations/{uid}`: for everybody."""
        self.store.delete_objects(PLURAL, [cast("str", self._find_any(request)["id"])])
        return done()

    def leave(self, request: Request) -> Response:
        """`DELETE /api/messageConversations/{uid}/{user}`: one member leaves."""
        body, user = self._find_any(request), request.path_params["user"]
        return answer({"removed": self._without(user, [body])})

    def leave_many(self, request: Request) -> Response:
        """`DELETE /api/messageConversations?mc=`: who asks (or `user`) leaves these conversations."""
        uids = many(request.query_params, "mc")
        if not uids:
            raise missing_parameter("mc")
        found = [body for uid in uids if (body := self.store.get(PLURAL, uid)) is not None]
        own = self.server.rights(request).uid
        user = request.query_params.get("user") or own
        if len(found) != len(uids) or (user != own and not self.server.rights(request).superuser):
            raise not_imitated("leaving conversations that are not there or not one's own")
        return answer({"removed": self._without(user, found)})

    def _find_any(self, request: Request) -> JsonObject:
        """A conversation, also one that who may do everything has left."""
        body = self.store.get(PLURAL, request.path_params["uid"])
        return body if body is not None and self.server.rights(request).superuser else self._find(request)

    def _without(self, user: str, bodies: list[JsonObject]) -> list[JsonValue]:
        removed: list[JsonValue] = []
        for body in bodies:
            kept: list[JsonValue] = [
                member for member in _members(body) if cast("JsonObject", member["user"])["id"] != user
            ]
            if len(kept) < len(_members(body)):
                removed.append(body["id"])
            self.store.put_objects({PLURAL: [{**body, "userMessages": kept}]})
        return removed


def _members(body: JsonObject) -> list[JsonObject]:
    return cast("list[JsonObject]", body.get("userMessages") or [])


def _messages(body: JsonObject) -> list[JsonObject]:
    return cast("list[JsonObject]", body.get("messages") or [])


def _member(uid: str, *, read: bool = False) -> JsonObject:
    return {"key": str(uuid.uuid4()), "user": {"id": uid}, "read": read, "followUp": False}


def _message(sender: str, text: str, moment: str, sent: JsonObject) -> JsonObject:
    return {"id": generate_uid(), "created": moment, "lastUpdated": moment, "text": text, "sender": {"id": sender},
            "internal": False, "attachments": sent.get("attachments") or []}  # fmt: skip


def _ids(body: JsonObject, name: str) -> list[str]:
    return [cast("str", one["id"]) for one in cast("list[JsonObject]", body.get(name) or []) if "id" in one]


def _as_seen_by(body: JsonObject, uid: str) -> JsonObject | None:
    """A conversation with the reader's own marks; None for who is not in it."""
    for member in _members(body):
        if cast("JsonObject", member["user"])["id"] == uid:
            return {**body, "read": bool(member.get("read")), "followUp": bool(member.get("followUp")),
                    "messageCount": sum(not message.get("internal") for message in _messages(body)),
                    "displayName": body["subject"]}  # fmt: skip
    return None


def _own_marks(body: JsonObject, uid: str) -> JsonObject:
    """A conversation as lists show it: of its members only who reads."""
    own: list[JsonValue] = [one for one in _members(body) if cast("JsonObject", one["user"])["id"] == uid]
    return {**body, "userMessages": own}


_SORTABLE = ("subject", "displayName", "created", "lastUpdated", "lastMessage", "messageType", "priority", "status")


def _sorted(found: list[JsonObject], order: str | None) -> list[JsonObject]:
    """Conversations in the order that is asked for; the last written first otherwise."""
    for part in reversed([one for one in (order or "").split(",") if one]):
        name, _, direction = part.partition(":")
        if name not in _SORTABLE:
            raise not_imitated(f"conversations ordered by {name}")
        found = sorted(found, key=lambda body: str(body.get(name) or ""), reverse=direction == "desc")
    return found


_NO_REPLY = (
    "Required request body is missing: public org.hisp.dhis.dxf2.webmessage.WebMessage "
    "org.hisp.dhis.webapi.controller.MessageConversationController.postMessageConversationReply(java.lang.String,"
    "java.lang.String,boolean,java.util.Set<java.lang.String>,org.hisp.dhis.user.UserDetails,"
    "jakarta.servlet.http.HttpServletRequest) throws org.hisp.dhis.feedback.ForbiddenException"
)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    base, one = "/api/messageConversations", "/api/messageConversations/{uid:uid}"
    marks = {
        "read": api.read,
        "unread": api.unread,
        "followup": api.follow_up,
        "unfollowup": api.no_follow_up,
        "feedback": api.feedback,
    }
    acts = {"recipients": api.recipients, "priority": api.priority, "status": api.status, "assign": api.assign}
    return [
        Route(base, api.list_),
        Route(base, with_body(api.create), methods=["POST"]),
        *[Route(f"{base}/{name}", with_body(act), methods=["POST"]) for name, act in marks.items()],
        Route(base, api.leave_many, methods=["DELETE"]),
        Route(one, api.get),
        Route(one, with_body(api.reply), methods=["POST"]),
        Route(one, api.delete, methods=["DELETE"]),
        *[Route(f"{one}/{name}", with_body(act), methods=["POST"]) for name, act in acts.items()],
        Route(one + "/{user:uid}", api.leave, methods=["DELETE"]),
    ]
