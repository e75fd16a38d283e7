"""Versions of apps, and which of them a server takes: pure lore of the App Hub, no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence

CHANNELS = ("stable", "development", "canary")
"""The channels of the App Hub, the most trusted first."""
_PARTS = re.compile(r"[.\-+_]")


def order(version: str) -> tuple[tuple[int, ...], bool, str]:
    """What versions of an app are sorted by: numbers by value, one that is about to come (`1.2.0-beta`) before the one itself."""
    plain, _, early = version.strip().lower().removeprefix("v").partition("+")[0].partition("-")
    numbers = tuple(int(part) if part.isdecimal() else 0 for part in _PARTS.split(plain))
    while len(numbers) > 1 and not numbers[-1]:
        numbers = numbers[:-1]
    return numbers, not early, early


def is_newer(version: str, than: str) -> bool:
    """Is a version newer than another one?"""
    return order(version) > order(than)


def suits(server: Sequence[int], least: str | None, most: str | None) -> bool:
    """Does a server take what is made for some versions of DHIS2?

    Parameters:
        server: its version, such as (2, 42, 5).
        least, most: `2.38` or `2.40.3`; blank for any. `2.40` as the most is every patch of 2.40.
    """
    low, high = _numbers(least), _numbers(most)
    return (not low or tuple(server[: len(low)]) >= low) and (not high or tuple(server[: len(high)]) <= high)


def _numbers(text: str | None) -> tuple[int, ...]:
    found = re.match(r"\s*(\d+(?:\.\d+)*)", text or "")
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def key_of(short_name: str) -> str:
    """The key that a server makes of an app's short name (its name where it has none)."""
    return re.sub(r"\s+", "-", re.sub(r"[^A-Za-z0-9\s-]", "", short_name.strip()))
