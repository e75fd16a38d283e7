"""What users and job configurations do besides their schema when they are imported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.report import ErrorReport
from dhis2sh.sandbox.people.accounts import password_error
from dhis2sh.sandbox.store.fresh import now

if TYPE_CHECKING:
    from dhis2sh.sandbox.importer.pipeline import Bundle, Item
    from dhis2sh.types import JsonObject

_USERNAME = re.compile(r"(?=.{2,255}$)(?![_.@-])(?!.*[_.@-]{2})[\w.@-]+(?<![_.@-])", re.ASCII)


def prepare_user(bundle: Bundle, item: Item) -> None:
    """A user's name comes from the two names; when the password was set is remembered."""
    body = item.body
    body["name"] = f"{body.get('firstName') or ''} {body.get('surname') or ''}".strip()
    body.setdefault("emailVerified", False)
    if item.sent.get("password"):
        body["password"] = item.sent["password"]
        body["passwordLastUpdated"] = now()


def check_user(bundle: Bundle, item: Item) -> None:
    """E4049, E4054: the username; E4005: the password; E4055: no role."""
    body = item.body
    username = body.get("username")
    if isinstance(username, str) and not _USERNAME.fullmatch(username):
        item.refuse("E4049", "username", username, prop="username")
    for user in bundle.store.objects("users").values():
        if user["id"] != item.uid and str(user.get("username")).lower() == str(username).lower():
            item.refuse("E4054", "username", username, prop="username")
    if item.before is not None and username != item.before.get("username"):
        item.refuse("E4056", "username", username, prop="username")
    password = item.sent.get("password")
    complaint = password_error(password) if isinstance(password, str) and password else None
    if complaint:
        klass = item.resource.klass
        item.errors.append(ErrorReport("E4005", ["password", complaint], klass, "password", "java.lang.String"))
        item.kept = False
    if not body.get("userRoles"):
        item.refuse("E4055", item.uid, prop="userRoles")
    _roles(bundle, item)


def _roles(bundle: Bundle, item: Item) -> None:
    """E3003: nobody gives more rights than he has, or a role of his own."""
    rights = bundle.rights
    if rights.superuser:
        return
    own = {str(role["id"]) for role in cast("list[JsonObject]", rights.user.get("userRoles") or [])}
    before = [role["id"] for role in cast("list[JsonObject]", (item.before or {}).get("userRoles") or [])]
    for role in cast("list[JsonObject]", item.body.get("userRoles") or []):
        known = bundle.get("userRoles", str(role["id"])) or {}
        beyond = set(cast("list[str]", known.get("authorities") or [])) - rights.authorities
        if role["id"] not in before and (beyond or role["id"] in own):
            item.refuse("E3003", rights.uid, known.get("name"))


def prepare_job(bundle: Bundle, item: Item) -> None:
    """How a job is scheduled follows from its cron expression or delay; it has never run."""
    body = item.body
    scheduled = "CRON" if body.get("cronExpression") else "FIXED_DELAY" if body.get("delay") else "ONCE_ASAP"
    for name, value in (
        ("schedulingType", scheduled),
        ("jobStatus", "SCHEDULED"),
        ("lastExecutedStatus", "NOT_STARTED"),
    ):
        if not body.get(name):
            body[name] = value
