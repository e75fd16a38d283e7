"""`/api/system`, `/api/schemas` and their like: what the server says of itself."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import sqlite3
import uuid
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.models import facts
from dhis2sh.sandbox.facts import fact, fact_of
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.instance.settings import Settings
from dhis2sh.sandbox.java.moments import now, text_of
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.select import select
from dhis2sh.sandbox.refused import Refused, unreadable_value
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_EPOCH = "1970-01-01T00:00:00.000"
_NEWER_LOCALE = "es_419"
"""Spanish of Latin America, which the server speaks since 2.42."""
_LOGIN_CONFIG = {
    "applicationTitle": "applicationTitle", "applicationDescription": "keyApplicationIntro",
    "applicationNotification": "keyApplicationNotification", "applicationLeftSideFooter": "keyApplicationFooter",
    "applicationRightSideFooter": "keyApplicationRightFooter", "countryFlag": "keyFlag", "uiLocale": "keyUiLocale",
    "loginPopup": "loginPopup", "loginPageLayout": "loginPageLayout", "loginPageTemplate": "loginPageTemplate",
    "minPasswordLength": "minPasswordLength", "maxPasswordLength": "maxPasswordLength",
    "selfRegistrationNoRecaptcha": "keySelfRegistrationNoRecaptcha", "allowAccountRecovery": "keyAccountRecovery",
    "useCustomLogoFront": "keyUseCustomLogoFront",
}  # fmt: skip
"""Names in `/api/loginConfig`, and the settings that they come from under other names."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def info(self, request: Request) -> Response:
        """`GET /api/system/info`; who may not see the server's insides gets less."""
        settings = Settings(self.server.store).all()
        body: JsonObject = {
            "contextPath": base_of(request),
            "userAgent": request.headers.get("user-agent", ""),
            "calendar": settings["keyCalendar"],
            "dateFormat": str(settings["keyDateFormat"]).lower(),
            "serverDate": now(),
            "serverTimeZoneId": "UTC",
            "serverTimeZoneDisplayName": "Coordinated Universal Time",
            **self._analytics(settings),
            "version": self.server.version,
            "revision": "sandbox",
            "buildTime": _EPOCH,
            "systemId": self.server.store.fact("systemId"),
            "systemName": settings["applicationTitle"],
            "systemMetadataVersion": "",
            "instanceBaseUrl": base_of(request),
            "isMetadataVersionEnabled": False,
            "lastMetadataVersionSyncAttempt": _EPOCH,
        }
        if self.server.rights(request).has("F_VIEW_SERVER_INFO"):
            body |= self._machine()
        names = [name for name in request.query_params.get("fields", "").split(",") if name]
        return answer({name: body[name] for name in names if name in body} if names else body)

    def _analytics(self, settings: JsonObject) -> JsonObject:
        """When the analytics tables were last built."""
        found: JsonObject = {"lastAnalyticsTableSuccess": settings["keyLastSuccessfulAnalyticsTablesUpdate"],
                             "lastAnalyticsTableRuntime": settings["keyLastSuccessfulAnalyticsTablesRuntime"],
                             "lastSystemMonitoringSuccess": _EPOCH,
                             "lastAnalyticsTablePartitionSuccess": _EPOCH,
                             "lastAnalyticsTablePartitionRuntime": ""}  # fmt: skip
        for name in ("lastAnalyticsTableSuccess", "lastAnalyticsTablePartitionSuccess"):
            passed = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.datetime.fromisoformat(str(found[name]))
            minutes, seconds = divmod(int(passed.total_seconds()), 60)
            hours, minutes = divmod(minutes, 60)
            found[f"intervalSince{name[0].upper()}{name[1:]}"] = (
                f"{hours} h, {minutes} m, {seconds} s" if hours else f"{minutes} m, {seconds} s"
            )
        return found

    def _machine(self) -> JsonObject:
        """What only an administrator sees: the machine, and that SQLite stands in for PostgreSQL."""
        return {
            "databaseInfo": {
                "name": "sandbox", "user": "sandbox", "url": "sqlite", "spatialSupport": False, "time": now(),
                "databaseVersion": f"SQLite {sqlite3.sqlite_version}",
            },
            "jasperReportsVersion": "", "environmentVariable": "DHIS2SH_HOME", "fileStoreProvider": "filesystem",
            "readOnlyMode": "off", "nodeId": "", "javaVersion": "", "javaVendor": "", "osName": platform.system(),
            "osArchitecture": platform.machine(), "osVersion": platform.release(), "externalDirectory": "",
            "readReplicaCount": 0, "memoryInfo": "", "cpuCores": os.cpu_count() or 1, "encryption": True,
            "emailConfigured": False, "redisEnabled": False, "clusterHostname": "",
        }  # fmt: skip

    def ping(self, request: Request) -> Response:
        """`GET /api/system/ping`: the word pong, which DHIS2 calls JSON."""
        return Response("pong", media_type="application/json;charset=UTF-8")

    def silent_ping(self, request: Request) -> Response:
        """`GET /api/ping`: 200 and nothing else."""
        return Response(status_code=200)

    def uids(self, request: Request) -> Response:
        """`GET /api/system/id?limit=n`."""
        text = request.query_params.get("limit", "1")
        if not text.isdigit():
            raise unreadable_value(text, "limit", "int")
        limit = min(int(text), 10_000)
        if request.headers.get("accept", "").startswith("application/csv") or request.url.path.endswith(".csv"):
            return Response(
                "codes\n" + "".join(f"{generate_uid()}\n" for _ in range(limit)), media_type="application/csv"
            )
        return answer({"codes": cast("list[JsonValue]", [generate_uid() for _ in range(limit)])})

    def uuids(self, request: Request) -> Response:
        """`GET /api/system/uuid?limit=n`."""
        limit = int(request.query_params.get("limit") or 1)
        return answer({"codes": cast("list[JsonValue]", [str(uuid.uuid4()) for _ in range(min(limit, 10_000))])})

    def counts(self, request: Request) -> Response:
        """`GET /api/system/objectCounts`."""
        resources = self.server.store.resources
        named = {
            resources[plural].singular: count
            for plural, count in self.server.store.counts().items()
            if plural in resources
        }
        return answer({"objectCounts": cast("JsonValue", named)})

    def summary(self, request: Request) -> Response:
        """`GET /api/dataSummary`: how much there is and how much of it is new."""
        self.server.demand(request, "F_PERFORM_MAINTENANCE")
        resources, connection = self.server.store.resources, self.server.store.connection
        recent: dict[str, JsonObject] = {"dataValueCount": {}, "eventCount": {}, "trackerEventCount": {}}
        today = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        for days in (0, 1, 7, 30):
            start = text_of(today - dt.timedelta(days=days))
            for name, table, column in (
                ("dataValueCount", "data_value", "last_updated"),
                ("eventCount", "event", "updated_at"),
            ):
                sql = f"SELECT count(*) FROM {table} WHERE {column} >= ? AND NOT deleted"
                recent[name][str(days)] = connection.execute(sql, (start,)).fetchone()[0]
            recent["trackerEventCount"][str(days)] = recent["eventCount"][str(days)]
        counts: JsonObject = {resources[p].singular: n for p, n in self.server.store.counts().items() if p in resources}
        return answer({
            "system": {"version": self.server.version, "revision": "sandbox", "systemId": self.server.store.fact("systemId"), "serverDate": now()},
            "objectCounts": counts, "activeUsers": {"-1": 1, "0": 1, "1": 1, "7": 1, "30": 1}, "userInvitations": {"all": 0, "expired": 0},
            **recent,
        })  # fmt: skip

    def schemas(self, request: Request) -> Response:
        """`GET /api/schemas` and `/api/schemas/{name}`, with `fields`."""
        found = cast("list[JsonObject]", facts.schemas(self.server.store.version.schemas, base_of(request))["schemas"])
        name = request.path_params.get("name")
        asked = request.query_params.get("fields")
        tree = parse_fields(asked or "*")
        if name is None:
            return answer({"schemas": select(cast("JsonValue", found), tree) if asked else cast("JsonValue", found)})
        for schema in found:
            if name.removesuffix(".json") in (schema["singular"], schema["plural"]):
                return answer(select(schema, tree) if asked else schema)
        raise Refused(404, f"Type {name} does not exist.", "E1005")

    def resources(self, request: Request) -> Response:
        """`GET /api/resources`: where objects of each type are."""
        rows: list[JsonValue] = [
            {"displayName": _words(plural), "singular": resource.singular, "plural": plural,
             "href": f"{base_of(request)}/api{resource.endpoint}"}
            for plural, resource in self.server.store.resources.items()
            if resource.endpoint
        ]  # fmt: skip
        return answer({"resources": rows})

    def locales(self, request: Request) -> Response:
        """`GET /api/locales/ui`, `/api/locales/db` and `/api/locales/dbLocales`."""
        kind = "ui" if request.url.path.endswith("/ui") else "db"
        rows = cast("dict[str, list[list[str]]]", fact("locales"))[kind]
        older = self.server.store.version.minor <= 41
        found: list[JsonValue] = []
        for row in rows:
            tag: JsonObject = {"languageTag": row[3] if len(row) > 3 else row[0].replace("_", "-")}
            if not (older and row[0] == _NEWER_LOCALE):
                found.append({"locale": row[0], **({} if older else tag), "name": row[1], "displayName": row[2]})
        return answer(found)

    def period_types(self, request: Request) -> Response:
        """`GET /api/periodTypes`."""
        version = self.server.store.version
        names = ("name", "isoDuration", "isoFormat", "frequencyOrder", "displayName")[
            : 5 if version.period_names else 4
        ]
        rows = [
            row for row in cast("list[list[JsonValue]]", fact("period_types")) if cast("int", row[5]) <= version.minor
        ]
        if version.period_names:
            rows.sort(key=lambda row: str(row[0]))
        shown: list[JsonValue] = [
            {name: value for name, value in zip(names, row, strict=False) if value is not None} for row in rows
        ]
        return answer({"periodTypes": shown})

    def authorities(self, request: Request) -> Response:
        """`GET /api/authorities`; up to 2.41 without those that types declare."""
        found = fact_of("authorities", self.server.store.version.minor)
        return answer({"systemAuthorities": [{"id": key, "name": name} for key, name in found.items()]})

    def system_id(self, request: Request) -> Response:
        """`GET /api/configuration/systemId`: bare text that calls itself JSON."""
        return Response(self.server.store.fact("systemId") or "", media_type="application/json;charset=UTF-8")

    def login_config(self, request: Request) -> Response:
        """`GET /api/loginConfig`: what a login page needs, for anybody; up to 2.41 without lengths and what has no value."""
        settings = Settings(self.server.store).all()
        if self.server.store.version.unset_settings:
            settings = {key: value for key, value in settings.items() if not key.endswith("PasswordLength")}
        body: JsonObject = {"apiVersion": self.server.version}
        for name, key in _LOGIN_CONFIG.items():
            if key in settings:
                body[name] = str(settings[key]) if name.endswith("PasswordLength") else settings[key]
        body |= {"loginPageLogo": "/api/staticContent/logo_front.png", "recaptchaSite": "", "emailConfigured": False,
                 "selfRegistrationEnabled": False, "oidcProviders": []}  # fmt: skip
        return answer(body)


def _words(plural: str) -> str:
    """`programStageWorkingLists` as 'Program Stage Working Lists'."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plural[0].upper() + plural[1:])


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/system/info", api.info),
        Route("/api/system/ping", api.ping),
        Route("/api/ping", api.silent_ping),
        Route("/api/system/id", api.uids),
        Route("/api/system/uid", api.uids),
        Route("/api/system/uuid", api.uuids),
        Route("/api/system/objectCounts", api.counts),
        Route("/api/dataSummary", api.summary),
        Route("/api/schemas", api.schemas),
        Route("/api/schemas.json", api.schemas),
        Route("/api/schemas/{name}", api.schemas),
        Route("/api/resources", api.resources),
        Route("/api/locales/ui", api.locales),
        Route("/api/locales/db", api.locales),
        Route("/api/locales/dbLocales", api.locales),
        Route("/api/periodTypes", api.period_types),
        Route("/api/authorities", api.authorities),
        Route("/api/configuration/systemId", api.system_id),
        Route("/api/loginConfig", api.login_config),
    ]
