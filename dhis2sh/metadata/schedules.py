"""What a write makes of when a job runs: a plan of a job that loses its schedule, or has none, says what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.dhis2 import cron

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

JOBS = "jobConfigurations"
_SCHEDULE = ("cronExpression", "delay", "queueName")


@dataclass(frozen=True, slots=True)
class Unscheduled:
    """Jobs without a schedule: what a plan says of them, and whether it asks, because one of them changes what it does."""

    notes: Sequence[str] = ()
    asks: bool = False


def unscheduled(
    plural: str, objects: Sequence[JsonObject], before: Sequence[Mapping[str, JsonValue]] = ()
) -> Unscheduled:
    """What a plan says of jobs that it leaves without a schedule; of any other type nothing.

    A server takes a job with neither a cron expression nor a delay for one that is asked for once (`ONCE_ASAP`), and
    deletes it when it has run.

    Parameters:
        plural: the type.
        objects: as they will be; `before` the same ones as they are.

    Raises `UsageError` for a new cron expression that is none: a server says so without naming it (E7005).
    """
    if plural != JOBS:
        return Unscheduled()
    pairs = [(item, before[number] if before else None) for number, item in enumerate(objects)]
    for item, old in pairs:
        text = item.get("cronExpression")
        if isinstance(text, str) and text != (old or {}).get("cronExpression"):
            cron.checked(text)
    loose = [(item, old) for item, old in pairs if not _scheduled(item) and (old is None or _scheduled(old))]
    asks = any(old is not None or item.get("enabled", True) for item, old in loose)
    return Unscheduled([_note(item, new=old is None) for item, old in loose], asks)


def _scheduled(job: Mapping[str, JsonValue]) -> bool:
    return any(job.get(name) for name in _SCHEDULE)


def _note(job: Mapping[str, JsonValue], *, new: bool) -> str:
    if not new:
        return f"{job.get('name')} has no schedule any more: it runs when somebody runs it, and not by itself"
    when = "created" if job.get("enabled", True) else "enabled"
    return (
        f"{job.get('name')} has neither a cron expression nor a delay: the server runs it once, as soon as it is {when}, "
        "and deletes it some time after"
    )
