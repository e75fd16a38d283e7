"""What was found before: kept in the user's data folder, a file a profile, so that a run can say what is new."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from dhis2sh import paths
from dhis2sh.checks.finding import Examined, Finding
from dhis2sh.dhis2 import dates
from dhis2sh.errors import NotFound, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from dhis2sh.profiles import Profile

RUNS = 20
"""So many runs are kept of a profile."""
LAST = "last"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of all checks.

    Parameters:
        at: when, in UTC.
        server: the address, so that a profile that is pointed elsewhere begins anew.
        counts: how many objects each check found, those that found nothing with 0.
        objects: UIDs by check, where they are known.
    """

    at: dt.datetime
    server: str
    counts: dict[str, int]
    objects: dict[str, list[str]]


def _path(profile: Profile) -> Path:
    name = profile.name.replace(":", "%3A")  # a colon is no part of a file's name on every system
    return paths.data_dir() / "doctor" / f"{name}.json"


def runs(profile: Profile) -> list[Run]:
    """The runs that are kept of a profile's server, the oldest first. A file that cannot be read counts as none."""
    try:
        told: Any = json.loads(_path(profile).read_text("utf-8"))
        found = [
            Run(dt.datetime.fromisoformat(one["at"]), one["server"], one["counts"], one["objects"]) for one in told
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [run for run in found if run.server == (profile.url or "")]


def keep(profile: Profile, examined: Examined) -> None:
    """Write down a run. A disk that cannot be written only costs the comparison."""
    run = Run(dt.datetime.now(dt.UTC), profile.url or "", examined.counts, examined.objects)
    told = [
        {"at": one.at.isoformat(), "server": one.server, "counts": one.counts, "objects": one.objects}
        for one in [*runs(profile), run][-RUNS:]
    ]
    paths.write_quietly(_path(profile), json.dumps(told, ensure_ascii=False))


def _left_path(profile: Profile) -> Path:
    return _path(profile).with_suffix(".left.json")


def left(profile: Profile) -> dict[str, list[str]]:
    """What somebody has decided to leave as it is on a profile's server: UIDs by check. A file that cannot be read is none."""
    try:
        told: Any = json.loads(_left_path(profile).read_text("utf-8"))
        return (
            {name: [*map(str, uids)] for name, uids in told["left"].items()}
            if told["server"] == (profile.url or "")
            else {}
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep_left(profile: Profile, decided: Mapping[str, Sequence[str]]) -> None:
    """Write down what somebody has decided to leave, besides what was left before. A disk that cannot be written costs a question."""
    if not decided:
        return
    found = left(profile)
    for name, uids in decided.items():
        found[name] = [*dict.fromkeys([*found.get(name, []), *uids])]
    paths.write_quietly(_left_path(profile), json.dumps({"server": profile.url or "", "left": found}))


def run_before(profile: Profile, since: str) -> Run:
    """The run that something is compared with.

    Parameters:
        since: `last`, or a day: the last run up to its end.

    Raises `UsageError` for what is neither, `NotFound` where there is no such run.
    """
    there = runs(profile)
    if since.lower() != LAST:
        try:
            day = dt.date.fromisoformat(dates.since(since, dt.datetime.now(dt.UTC))[:10])
        except UsageError:
            raise UsageError(
                f"'{since}' is neither 'last' nor a day", hint="--since last, --since 2026-01-31 or --since 7d"
            ) from None
        there = [run for run in there if run.at.date() <= day]
    if not there:
        raise NotFound("no run of all checks is kept to compare with", hint="dhis2 doctor all")
    return there[-1]


def new_since(examined: Examined, before: Run) -> tuple[list[Finding], list[str]]:
    """The findings that were not there before, each counting what is new in it; and checks that were not asked then."""
    found: list[Finding] = []
    unasked: list[str] = []
    for one in examined.findings:
        if one.check not in before.counts:
            unasked.append(one.check)
            found.append(one)
            continue
        now, then = examined.objects.get(one.check), before.objects.get(one.check, cast("list[str]", []))
        if now is not None:
            fresh = len([uid for uid in now if uid not in set(then)])
        else:
            fresh = (one.count or 0) - before.counts[one.check]
        if fresh > 0:
            found.append(replace(one, count=fresh if one.count is not None else None))
    return found, unasked


def words(before: Run, unasked: Sequence[str]) -> str:
    """What was compared with, in a line."""
    told = f"new since {before.at:%Y-%m-%d %H:%M} UTC"
    return f"{told}; not asked then: {', '.join(unasked)}" if unasked else told
