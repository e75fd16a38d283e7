"""The server itself: its tables, its jobs, its settings."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from dhis2sh.checks.probing import Found, Look, object_found, probe

if TYPE_CHECKING:
    from dhis2sh.types import Row

JOBS = "jobConfigurations"
OLD_DAYS = 2.0
SKEW = 300
SHORTEST = 8
SHORTEST_SETTING, LOCKING = "minPasswordLength", "keyLockMultipleFailedLogins"
UNGUARDED = "keySelfRegistrationNoRecaptcha"
OFTEN = frozenset({"ANALYTICS_TABLE", "CONTINUOUS_ANALYTICS_TABLE"})
REBUILD = "dhis2 maintenance refresh analytics --watch"


async def _scheduled(look: Look) -> list[Row]:
    return [row for row in await look.rows(JOBS) if row.get("schedulingType") != "ONCE_ASAP"]


@probe(
    "analytics-old", "warning", "server",
    reason="Whatever was entered since does not show in any chart.",
    verb="maintenance refresh analytics",
)  # fmt: skip
async def analytics(look: Look) -> list[Found]:
    """Analytics tables that were never built, or not for two days."""
    if "lastAnalyticsTableSuccess" not in look.info and not (await look.s.client.system.me()).may("ALL"):
        return []  # a server tells some users less of itself
    moments = (look.info.get(name) for name in ("lastAnalyticsTableSuccess", "lastAnalyticsTablePartitionSuccess"))
    days = min((age for moment in moments if (age := look.days_since(moment)) is not None), default=None)
    if days is None:
        return [Found("the analytics tables were never built", REBUILD)]
    return [Found(f"the analytics tables were built {days:.0f} days ago", REBUILD)] if days > OLD_DAYS else []


@probe(
    "analytics-not-scheduled", "warning", "server",
    reason="The tables grow old until somebody builds them by hand.",
    verb="jobs create", whole=True,
)  # fmt: skip
async def not_scheduled(look: Look) -> list[Found]:
    """No enabled job that builds the analytics tables."""
    if any(row.get("jobType") in OFTEN and row.get("enabled") for row in await _scheduled(look)):
        return []
    line = "dhis2 jobs create 'Nightly analytics' ANALYTICS_TABLE --cron '0 0 2 * * ?'"
    return [Found("no enabled job builds the analytics tables", line)]


@probe(
    "jobs-failed", "severe", "server", reason="Nobody is told when a job of the night fails.", verb="jobs errors",
)  # fmt: skip
async def failed(look: Look) -> list[Found]:
    """Enabled jobs whose last run failed."""
    return [
        object_found(JOBS, row, f"{row.get('jobType')} failed, last run {row.get('lastExecuted')}", f"dhis2 jobs show {row['id']}")
        for row in await _scheduled(look) if row.get("enabled") and row.get("lastExecutedStatus") == "FAILED"
    ]  # fmt: skip


@probe(
    "jobs-enabled-never-run", "info", "server",
    reason="A job without a run has a wrong schedule, or waits for a server that is not the leader.",
    verb="jobs show",
)  # fmt: skip
async def never_run(look: Look) -> list[Found]:
    """Enabled jobs that never ran."""
    return [
        object_found(JOBS, row, f"{row.get('jobType')} never ran", f"dhis2 jobs show {row['id']}")
        for row in await _scheduled(look) if row.get("enabled") and look.days_since(row.get("lastExecuted")) is None
    ]  # fmt: skip


@probe(
    "routes-in-the-clear", "severe", "server",
    reason="The password or token that the route sends can be read by everybody on the way.",
    verb="metadata routes update",
)  # fmt: skip
async def routes(look: Look) -> list[Found]:
    """Routes that send a password or token by plain http to another machine."""
    return [
        object_found("routes", row, f"{row.get('url')} has no TLS")
        for row in await look.rows("routes")
        if row.get("auth") and not row.get("disabled") and _in_the_clear(str(row.get("url") or ""))
    ]


def _in_the_clear(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and host not in {"localhost", "::1"} and not host.startswith("127.")


@probe(
    "server-in-the-clear", "severe", "server",
    reason="Passwords and data can be read by everybody on the way.",
    verb="profile list",
)  # fmt: skip
async def base_url(look: Look) -> list[Found]:
    """A server on another machine that the profile reaches by plain http."""
    url = "" if look.s.profile.embedded else str(look.s.profile.url or "")
    return [Found(f"it is reached at {url}, without TLS", "dhis2 profile list")] if _in_the_clear(url) else []


@probe(
    "clock-wrong", "warning", "server",
    reason="Jobs run at other times, and what changed since is asked for wrongly.",
    verb="system info",
)  # fmt: skip
async def clock(look: Look) -> list[Found]:
    """A server whose clock differs from this machine's by more than five minutes."""
    if look.info.get("serverTimeZoneId") not in {"UTC", "Etc/UTC"} or not isinstance(look.info.get("serverDate"), str):
        return []  # without its offset the clock of another zone says nothing
    there = dt.datetime.fromisoformat(str(look.info["serverDate"]))
    seconds = abs((there.replace(tzinfo=dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds())
    return [Found(f"the clocks differ by {seconds / 60:.0f} minutes", "dhis2 system info")] if seconds > SKEW else []


@probe(
    "secrets-not-encrypted", "warning", "server",
    reason="Routes, exchanges and mail keep their passwords readable in the database and in its backups.",
    verb="system info", whole=True,
)  # fmt: skip
async def encryption(look: Look) -> list[Found]:
    """A server without a key for encryption in its configuration."""
    if look.info.get("encryption") is not False:
        return []
    return [Found("encryption.password is not set in dhis.conf", "dhis2 system info")]


@probe(
    "mail-not-configured", "info", "server",
    reason="Invitations, new passwords and failed jobs reach nobody.",
    verb="system settings set", whole=True,
)  # fmt: skip
async def mail(look: Look) -> list[Found]:
    """A server that cannot send mail."""
    if look.info.get("emailConfigured") is not False:
        return []
    return [Found("no mail server is set", "dhis2 system settings get keyEmailHostName keyEmailSender")]


@probe(
    "passwords-short", "warning", "server", reason="They are guessed.", verb="system settings set",
)  # fmt: skip
async def passwords(look: Look) -> list[Found]:
    """A server that takes passwords of fewer than eight characters."""
    least = look.settings.get(SHORTEST_SETTING)
    if not isinstance(least, (int, str)) or not str(least).isdigit() or int(least) >= SHORTEST:
        return []
    fix = f"dhis2 system settings set {SHORTEST_SETTING}={SHORTEST}"
    return [Found(f"passwords of {least} characters are taken", fix)]


@probe(
    "sign-in-not-locked", "info", "server",
    reason="Whoever guesses passwords may go on for ever.", verb="system settings set",
)  # fmt: skip
async def locking(look: Look) -> list[Found]:
    """A server that does not lock an account after several wrong passwords."""
    if look.settings.get(LOCKING) not in (False, "false"):
        return []
    return [Found("wrong passwords lock nothing", f"dhis2 system settings set {LOCKING}=true")]


@probe(
    "self-registration-unguarded", "severe", "server",
    reason="Programs can make accounts by the thousand.", verb="system settings set",
)  # fmt: skip
async def registration(look: Look) -> list[Found]:
    """A server on which everybody can make an account without a captcha."""
    open_ = look.settings.get(UNGUARDED) in (True, "true")
    if not open_:
        return []
    fix = f"dhis2 system settings set {UNGUARDED}=false"
    return [Found("accounts are made without a captcha", fix)]


@probe(
    "calendar-of-reports", "info", "server",
    reason="Periods such as 202501 mean other days; sheets made elsewhere land in other months.",
    verb="system settings get",
)  # fmt: skip
async def calendar(look: Look) -> list[Found]:
    """A server with a calendar other than ISO 8601."""
    name = cast("str", look.info.get("calendar") or "iso8601")
    if name in {"iso8601", "gregorian"}:
        return []
    return [Found(f"the calendar is {name}", "dhis2 system settings get keyCalendar")]
