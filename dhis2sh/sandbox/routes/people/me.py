"""`/api/me`: who is signed in, and signing in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer, empty
from dhis2sh.sandbox.http.bodies import JSON, media_type, parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.instance.settings import Settings
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.select import select
from dhis2sh.sandbox.people.accounts import password_error
from dhis2sh.sandbox.people.signin import COOKIE, account_state, session_of
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

SHOWN = (
    "id", "username", "surname", "firstName", "employer", "education", "interests", "jobTitle", "languages", "gender",
    "birthday", "nationality", "introduction", "email", "phoneNumber", "whatsApp", "facebookMessenger", "skype",
    "telegram", "twitter", "created", "lastUpdated", "dataViewOrganisationUnits", "favorites", "userGroups",
    "translations", "teiSearchOrganisationUnits", "organisationUnits", "displayName", "access", "name", "userRoles",
    "attributeValues",
)  # fmt: skip
"""What `/api/me` shows of the user object; `sharing` is not among it."""
OLDER = ("userCredentials",)
"""What it shows besides up to 2.41; a later version has no such property."""
ANSWERED = (
    "id", "created", "lastUpdated", "lastLogin", "invitation", "attributeValues", "selfRegistered", "name", "favorite",
    "displayName", "externalAuth", "disabled", "passwordLastUpdated", "emailVerified", "username", "lastUpdatedBy", "access",
    "createdBy", "user", "translations", "dataViewOrganisationUnits", "userGroups", "userRoles", "favorites",
    "cogsDimensionConstraints", "catDimensionConstraints", "teiSearchOrganisationUnits", "organisationUnits",
)  # fmt: skip
"""What `PUT /api/me` answers, with what people may change."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def me(self, request: Request) -> Response:
        """`GET /api/me`."""
        store, rights = self.server.store, self.server.rights(request)
        asked = request.query_params.get("fields")
        tree = parse_fields(asked or ",".join((*SHOWN, *OLDER)))
        shown = self.server.renderer(request).show(store.resources["users"], rights.user, tree)
        shown.pop("sharing", None)
        tokens = store.connection.execute("SELECT uid FROM api_token WHERE user = ?", (rights.uid,))
        readable = {
            plural: [uid for uid, body in store.objects(plural).items() if rights.can_read_data(body)]
            for plural in ("programs", "dataSets")
        }
        extra: JsonObject = {
            "authorities": cast("list[JsonValue]", sorted(rights.authorities)),
            "settings": Settings(store, rights.uid).all(),
            "programs": cast("list[JsonValue]", readable["programs"]),
            "dataSets": cast("list[JsonValue]", readable["dataSets"]),
            "patTokens": [{"id": row[0]} for row in tokens],
        }
        if store.version.minor >= 42:
            extra |= {"emailVerified": bool(rights.user.get("emailVerified")),
                      "twoFactorType": rights.user.get("twoFactorType") or "NOT_ENABLED"}  # fmt: skip
        everything = not asked or "all" in tree.presets
        wanted = {
            name: select(value, tree.children[name]) if name in tree.children and not tree.children[name].bare else value
            for name, value in extra.items() if everything or name in tree.children
        }  # fmt: skip
        return answer({**shown, **wanted})

    def authorities(self, request: Request) -> Response:
        """`GET /api/me/authorities` and `/api/me/authorization`."""
        return answer(cast("list[JsonValue]", sorted(self.server.rights(request).authorities)))

    def authority(self, request: Request) -> Response:
        """`GET /api/me/authorities/{authority}`: has the user it?"""
        return answer(self.server.rights(request).has(request.path_params["authority"]))

    def settings(self, request: Request) -> Response:
        """`GET /api/me/settings` and `/api/me/settings/{key}`."""
        settings = Settings(self.server.store, self.server.rights(request).uid)
        key = request.path_params.get("key")
        if key is None:
            return answer(settings.all())
        if not settings.knows(key) and self.server.store.version.unknown_setting == 409:
            raise Refused(409, f"Key is not supported: {key}", "E1004")
        return answer(settings.get(key))

    def dashboard(self, request: Request) -> Response:
        """`GET /api/me/dashboard`: what waits to be read."""
        uid = self.server.rights(request).uid
        conversations = self.server.store.objects("messageConversations").values()
        unread = sum(
            not entry.get("read")
            for body in conversations
            for entry in cast("list[JsonObject]", body.get("userMessages") or [])
            if cast("JsonObject", entry["user"])["id"] == uid
        )
        return answer({"unreadMessageConversations": unread, "unreadInterpretations": 0})

    def update(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/me`: what people may change of themselves."""
        user = self.server.user(request)
        sent = parse_object(raw)
        free = ("email", "firstName", "surname", "phoneNumber", "introduction", "jobTitle", "gender", "birthday",
                "nationality", "employer", "education", "interests", "languages", "whatsApp", "skype", "telegram",
                "twitter", "facebookMessenger")  # fmt: skip
        changed = {**user, **{name: sent[name] for name in free if name in sent}}
        changed["name"] = f"{changed.get('firstName')} {changed.get('surname')}"
        changed |= {"lastUpdated": now(), "lastUpdatedBy": {"id": user["id"]}}
        self.server.store.put_objects({"users": [changed]})
        tree = parse_fields(",".join((*ANSWERED, *free, *OLDER, "twoFactorEnabled")))
        version = self.server.store.version
        # Since 2.42 the name is that of before: the database makes it anew when the answer is already written.
        name = user.get("name") if version.minor >= 42 else changed["name"]
        shown = self.server.renderer(request).show(
            self.server.store.resources["users"], {**changed, "name": name}, tree
        )
        shown["displayName"] = name
        sharing: JsonObject = {"owner": version.itself, "userGroups": {}, "users": {}}
        sharing |= {"external": False} if version.external else {}
        shown["sharing"] = sharing
        if isinstance(credentials := shown.get("userCredentials"), dict):
            shown["userCredentials"] = {**credentials, "sharing": sharing}
        by = cast("JsonObject", shown["lastUpdatedBy"])
        shown["lastUpdatedBy"] = {**by, "name": name, "displayName": name}
        return answer(shown)

    def change_password(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/me/changePassword` with `{oldPassword, newPassword}`."""
        user = self.server.user(request)
        sent = parse_object(raw)
        old, new = sent.get("oldPassword"), sent.get("newPassword")
        if not isinstance(old, str) or not isinstance(new, str):
            raise Refused(409, "OldPassword and newPassword must be provided", "E1004")
        if not self.server.signin.accounts.proven(user, old):
            raise Refused(409, "OldPassword is incorrect", "E1004")
        complaint = password_error(new, str(user.get("username") or ""), str(user.get("email") or ""))
        if complaint:
            raise Refused(409, complaint, "E1004")
        self.server.signin.accounts.change_password(cast("str", user["id"]), new)
        return Response(status_code=202)

    def verify_password(self, request: Request, raw: bytes) -> Response:
        """`POST /api/me/verifyPassword`: is this text the user's password?"""
        text = raw.decode()
        if media_type(request) == JSON:
            text = str(parse_object(raw).get("password") or "")
        matches = self.server.signin.accounts.proven(self.server.user(request), text)
        return answer({"isCorrectPassword": matches})

    def validate_password(self, request: Request, raw: bytes) -> Response:
        """`POST /api/me/validatePassword`: would this text be one?"""
        complaint = password_error(raw.decode())
        return answer({"isValidPassword": complaint is None, **({"errorMessage": complaint} if complaint else {})})

    def login(self, request: Request, raw: bytes) -> Response:
        """`POST /api/auth/login`: a session cookie for a username and password."""
        sent = parse_object(raw)
        user = self.server.signin.accounts.named(str(sent.get("username") or ""))
        if user is None or not self.server.signin.accounts.proven(user, str(sent.get("password") or "")):
            raise Refused(401, "Bad credentials")
        state = account_state(user)
        if state:
            return answer({"loginStatus": state}, 401)
        home = "/" if self.server.store.version.minor > 41 else "/dhis-web-dashboard"
        response = answer({"loginStatus": "SUCCESS", "redirectUrl": home})
        response.set_cookie(
            COOKIE, self.server.signin.open_session(cast("str", user["id"])), httponly=True, samesite="lax"
        )
        return response

    def logout(self, request: Request, raw: bytes) -> Response:
        """`POST /api/auth/logout`: the session ends."""
        session = session_of(request)
        if session:
            self.server.signin.close_session(session)
        response = empty()
        response.delete_cookie(COOKIE)
        return response


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    words = ("authorities", "authorization")
    return [
        Route("/api/me", api.me),
        Route("/api/me", with_body(api.update), methods=["PUT"]),
        *[Route(f"/api/me/{word}", api.authorities) for word in words],
        *[Route(f"/api/me/{word}/{{authority}}", api.authority) for word in words],
        Route("/api/me/settings", api.settings),
        Route("/api/me/settings/{key}", api.settings),
        Route("/api/me/dashboard", api.dashboard),
        Route("/api/me/changePassword", with_body(api.change_password), methods=["PUT"]),
        Route("/api/me/verifyPassword", with_body(api.verify_password), methods=["POST"]),
        Route("/api/me/validatePassword", with_body(api.validate_password), methods=["POST"]),
        Route("/api/auth/login", with_body(api.login), methods=["POST"]),
        Route("/api/auth/logout", with_body(api.logout), methods=["POST", "GET"]),
    ]
