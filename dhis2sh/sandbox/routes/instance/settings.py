"""`/api/systemSettings` and `/api/userSettings`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer, done, empty
from dhis2sh.sandbox.http.bodies import media_type, parse_object, unsupported_type, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.instance.settings import CONFIDENTIAL, Settings
from dhis2sh.sandbox.refused import Refused, unmet_parameters
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

NO_VALUE = "Setting does not exist or is marked as confidential"
"""What a 2.41 says of a setting that there is not, and of one without a value."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _settings(self, request: Request) -> Settings:
        """The system's settings, or those of who asks (`?user=` names another)."""
        if request.url.path.startswith("/api/systemSettings"):
            return Settings(self.server.store)
        username = request.query_params.get("user") or request.query_params.get("userId")
        if not username:
            return Settings(self.server.store, self.server.rights(request).uid)
        user = self.server.signin.accounts.named(username) or self.server.store.get("users", username)
        if user is None:
            raise Refused(409, "Could not resolve a user with the provided username.", "E1004")
        return Settings(self.server.store, cast("str", user["id"]))

    def list_(self, request: Request, raw: bytes) -> Response:
        """`GET /api/systemSettings` and `/api/userSettings`; `key` names some of them."""
        settings = self._settings(request)
        found = settings.all()
        keys = [key for text in request.query_params.getlist("key") for key in text.split(",")]
        if self.server.store.version.unset_settings and not settings.user and any(key not in found for key in keys):
            raise Refused(404, NO_VALUE, "E1005")
        return answer({key: found.get(key, "") for key in keys} if keys else found)

    def get(self, request: Request, raw: bytes) -> Response:
        """`GET /api/systemSettings/{key}`: JSON, or the bare value as text."""
        key, settings = request.path_params["key"], self._settings(request)
        hidden = key in CONFIDENTIAL and not self.server.rights(request).superuser
        if self.server.store.version.minor < 41 and not settings.user and not settings.knows(key):
            return answer({key: ""})
        if self.server.store.version.unset_settings and not settings.user:
            if hidden or not settings.knows(key) or not settings.has_value(key):
                raise Refused(404, NO_VALUE, "E1005")
        elif hidden or not settings.knows(key):
            raise Refused(404, f"Setting does not exist: {key}", "E1005")
        value = settings.get(key, request.query_params.get("locale") or "")
        if request.headers.get("accept", "").startswith("text/plain") or settings.user:
            text = value if isinstance(value, str) else json.dumps(value)
            return Response(text, media_type="text/plain;charset=UTF-8")
        return answer({key: value})

    def set(self, request: Request, raw: bytes) -> Response:
        """`POST /api/systemSettings/{key}?value=...`, or the value as the body."""
        key, settings = request.path_params["key"], self._settings(request)
        self._may_write(request, settings)
        if not settings.knows(key) and self.server.store.version.unknown_setting == 409:
            raise Refused(409, f"Key is not supported: {key}")
        if not settings.knows(key):
            raise Refused(404, f"Setting does not exist: {key}", "E1005")
        value = request.query_params.get("value")
        text = raw.decode() if value is None else value
        if value is None and not text:
            if settings.user or self.server.store.version.unknown_setting == 409:
                code = "E1004" if settings.user else None
                raise Refused(409, "Value must be specified as query param or as payload", code)
            raise unmet_parameters()
        if not settings.fits(key, text) and self.server.store.version.unknown_setting == 409:
            raise Refused(400, f'For input string: "{text}"')
        if not settings.fits(key, text):
            raise Refused(400, f"Not a valid value for setting {key}: {text}", "E1003")
        locale = request.query_params.get("locale") or ""
        settings.set(key, text, locale)
        if settings.user:
            return done("User setting saved")
        if locale:
            return done(f"Translation for system setting '{key}' and locale: '{locale}' set to: '{text}'")
        return done(f"System setting '{key}' set to value '{text}'.")

    def set_many(self, request: Request, raw: bytes) -> Response:
        """`POST /api/systemSettings` with an object of settings."""
        settings = self._settings(request)
        self._may_write(request, settings)
        if media_type(request) != "application/json":
            raise unsupported_type(request)
        sent = parse_object(raw)
        unknown = [key for key in sent if not settings.knows(key)]
        if unknown and self.server.store.version.unknown_setting == 409:
            raise Refused(409, f"Key(s) is not supported: {', '.join(unknown)}")
        if unknown:
            raise Refused(404, f"Setting does not exist: {unknown[0]}", "E1005")
        for key, value in sent.items():
            settings.set(key, _text(value))
        return done("System settings imported")

    def delete(self, request: Request, raw: bytes) -> Response:
        """`DELETE`: back to the default."""
        settings = self._settings(request)
        self._may_write(request, settings)
        key = request.path_params["key"]
        if not settings.knows(key):
            if self.server.store.version.unknown_setting == 409:
                raise Refused(409, f"Key is not supported: {key}")
            raise Refused(404, f"Setting does not exist: {key}", "E1005")
        settings.delete(key)
        return empty()

    def _may_write(self, request: Request, settings: Settings) -> None:
        rights = self.server.rights(request)
        if settings.user not in {"", rights.uid} and not rights.has("F_USER_ADD"):
            raise Refused(403, "Access denied", "E1006")
        if not settings.user:
            self.server.demand(request, "F_SYSTEM_SETTING")


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        route
        for base in ("/api/systemSettings", "/api/userSettings")
        for route in (
            Route(base, with_body(api.list_)),
            Route(base, with_body(api.set_many), methods=["POST"]),
            Route(f"{base}/{{key}}", with_body(api.get)),
            Route(f"{base}/{{key}}", with_body(api.set), methods=["POST", "PUT"]),
            Route(f"{base}/{{key}}", with_body(api.delete), methods=["DELETE"]),
        )
    ]
