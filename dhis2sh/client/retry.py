"""When to send a request again, and how long to wait first.

Exponential backoff with full jitter; a `Retry-After` of the server wins over it. What broke off is asked again at once, once. Only idempotent requests are repeated,
unless a call opts in, since a write that timed out may have happened.
"""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
LONGEST_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How often and how patiently.

    Parameters:
        attempts: how often to send again, at the most.
        base: seconds before the first repetition, doubled each time.
        longest: the longest wait in seconds; a server that asks for more is not waited for.
        draw: the source of jitter, a number from 0 to 1.
    """

    attempts: int = 3
    base: float = 0.5
    longest: float = LONGEST_WAIT
    draw: Callable[[], float] = random.random

    def wait(self, attempt: int, retry_after: str | None = None, *, broken: bool = False) -> float | None:
        """Seconds to wait before repetition number `attempt` (from 1), or None to give up.

        Parameters:
            retry_after: the header of that name.
            broken: the answer broke off, or the connection had been closed meanwhile. That says nothing of what the server
                has to do: the first repetition follows at once.
        """
        if attempt > self.attempts:
            return None
        if broken and attempt == 1:
            return 0.0
        asked = retry_after_seconds(retry_after)
        if asked is not None:
            return asked if asked <= self.longest else None
        return min(self.longest, self.base * 2 ** (attempt - 1)) * self.draw()


def retry_after_seconds(value: str | None, now: float | None = None) -> float | None:
    """The seconds that a `Retry-After` header asks for: a number, or an HTTP date.

    Parameters:
        value: the header, or None.
        now: seconds since the epoch; the clock when None.
    """
    if not value:
        return None
    if value.isascii() and value.strip().isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, moment - (time.time() if now is None else now))


def again_in(value: str | None) -> str:
    """What to do about a server that asks for patience, in words.

    Parameters:
        value: its `Retry-After` header, or None.
    """
    seconds = retry_after_seconds(value)
    return "try again in a minute" if seconds is None else f"try again in {seconds:.0f} s"
