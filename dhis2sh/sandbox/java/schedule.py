"""When jobs run: Spring's cron expressions, and the next moment of a job configuration."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.java.moments import text_of

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
BUILT_IN_JOBS = {
    "HOUSEKEEPING", "DATA_VALUE_TRIM", "DATA_SET_NOTIFICATION", "CREDENTIALS_EXPIRY_ALERT", "DATA_STATISTICS",
    "FILE_RESOURCE_CLEANUP", "ACCOUNT_EXPIRY_ALERT", "VALIDATION_RESULTS_NOTIFICATION",
    "REMOVE_USED_OR_EXPIRED_RESERVED_VALUES", "SYSTEM_VERSION_UPDATE_CHECK",
}  # fmt: skip
"""Jobs that every server has and nobody configures."""
CRON_GRACE = dt.timedelta(hours=4)
"""How late a cron job may still start."""


def _bad_cron(text: str) -> ValueError:
    return ValueError(f"no cron expression: {text}")


def _part(text: str, low: int, high: int, names: tuple[str, ...], first: int) -> frozenset[int]:
    """The numbers that one field of a cron expression allows."""
    found: set[int] = set()
    for piece in text.upper().split(","):
        body, _, step = piece.partition("/")
        for number, name in enumerate(names, first):
            body = body.replace(name, str(number))
        try:
            if body in {"*", "?"}:
                start, end = low, high
            elif "-" in body:
                start, end = (int(side) for side in body.split("-"))
            else:
                start = int(body)
                end = high if step else start
            found.update(range(start, end + 1, int(step or 1)))
        except ValueError:
            raise _bad_cron(text) from None
    if not found or min(found) < low or max(found) > high:
        raise _bad_cron(text)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Cron:
    """Seconds, minutes, hours, days of the month, months and days of the week (0 is Sunday)."""

    fields: tuple[frozenset[int], ...]

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read an expression of six fields. Raises `ValueError`."""
        parts = text.split()
        if len(parts) != 6:
            raise _bad_cron(text)
        names = ((), (), (), (), _MONTHS, _DAYS)
        firsts = (0, 0, 0, 0, 1, 0)
        return cls(tuple(
            _part(part, low, high, known, first)
            for part, (low, high), known, first in zip(parts, _RANGES, names, firsts, strict=True)
        ))  # fmt: skip

    def next(self, after: dt.datetime) -> dt.datetime:
        """The first moment after this one that fits. Raises `ValueError` when none does within five years."""
        seconds, minutes, hours, days, months, weekdays = self.fields
        day = after.date()
        for offset in range(366 * 5):
            date = day + dt.timedelta(days=offset)
            weekday = (date.weekday() + 1) % 7
            if date.month not in months or date.day not in days or not ({weekday, weekday or 7} & weekdays):
                continue
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    for second in sorted(seconds):
                        moment = dt.datetime(date.year, date.month, date.day, hour, minute, second)
                        if moment > after:
                            return moment
        raise ValueError("no moment fits")


def next_run(config: JsonObject, after: dt.datetime) -> dt.datetime | None:
    """When a job configuration runs next, None for never.

    Parameters:
        after: a moment in UTC without a zone.
    """
    match config.get("schedulingType") or ("CRON" if config.get("cronExpression") else "FIXED_DELAY"):
        case "CRON" if config.get("cronExpression"):
            try:
                return Cron.parse(cast("str", config["cronExpression"])).next(after)
            except ValueError:
                return None
        case "FIXED_DELAY" if config.get("delay"):
            step = cast("int", config["delay"])
            base = after.timestamp() if after.tzinfo else after.replace(tzinfo=dt.UTC).timestamp()
            return dt.datetime.fromtimestamp((base // step + 1) * step, dt.UTC).replace(tzinfo=None)
        case _:
            return None


def _after(config: JsonObject) -> dt.datetime | None:
    """When a job configuration runs next: after now, or for a one-time job a second after it was asked for."""
    if config.get("schedulingType") == "ONCE_ASAP":
        asked = config.get("lastExecuted") or config.get("created")
        return dt.datetime.fromisoformat(str(asked)) + dt.timedelta(seconds=1) if asked else None
    return next_run(config, dt.datetime.now(dt.UTC).replace(tzinfo=None))


def next_execution(config: JsonObject) -> str | None:
    """`nextExecutionTime` of a job configuration."""
    moment = _after(config)
    return text_of(moment) if moment else None


def latest_execution(config: JsonObject) -> str | None:
    """`maxDelayedExecutionTime`: a cron job that is later than this waits for its next turn."""
    moment = _after(config) if config.get("cronExpression") else None
    return text_of(moment + CRON_GRACE) if moment else None


def last_runtime(config: JsonObject) -> str | None:
    """`lastRuntimeExecution`: how long the last run took, as `00:00:33.173`."""
    began, ended = config.get("lastExecuted"), config.get("lastFinished")
    if not began or not ended:
        return None
    took = dt.datetime.fromisoformat(str(ended)) - dt.datetime.fromisoformat(str(began))
    minutes, seconds = divmod(max(0.0, took.total_seconds()), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02}:{minutes:02}:{seconds:06.3f}"
