"""What is known of a server from before: its version and what follows from it, kept per profile for a while.

A verb on a profile that was used before thus sends its own request and no other. What is kept is checked again when it
is older than its lifetime, and when an answer does not fit (`Client` decides that).
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.errors import BrokenAnswer, NotFound, Refused

if TYPE_CHECKING:
    from dhis2sh.errors import Dhis2Error
    from dhis2sh.types import JsonObject

LIFETIME = 24 * 3600.0
"""Seconds for which what was read is believed."""


@dataclass(frozen=True, slots=True)
class KnownServer:
    """What a server said of itself (`GET /api/system/info`).

    Parameters:
        url: the address it was asked at; facts of another address are not used.
        version: as it stands there, such as `2.42.5.2`; decides which facts and models serve it.
        revision: of its source; a new one may mean new schemas.
        calendar, date_format: of its periods and dates.
        name: of the installation.
        username: who was signed in, where somebody asked.
        read_at: when, in seconds since the epoch.
    """

    url: str
    version: str
    revision: str | None = None
    calendar: str = "iso8601"
    date_format: str = "yyyy-MM-dd"
    name: str | None = None
    username: str | None = None
    read_at: float = 0.0


FIELDS = "version,revision,calendar,dateFormat,systemName"
"""What `known_from` needs of `/api/system/info`."""


def known_from(url: str, info: JsonObject) -> KnownServer:
    """The facts from an answer of `/api/system/info`; what is missing has its default."""
    named = {"version": "version", "revision": "revision", "calendar": "calendar", "date_format": "dateFormat"}
    named["name"] = "systemName"
    found = {ours: value for ours, theirs in named.items() if isinstance(value := info.get(theirs), str)}
    return KnownServer(**{"url": url, "version": "", "read_at": time.time(), **found})  # type: ignore[arg-type]


class Known:
    """The file that keeps what is known of one profile's server. Its methods touch the disk: call them in a thread.

    Parameters:
        profile, url: whose facts; another address has another file.
        lifetime: seconds for which they are believed.
    """

    def __init__(self, profile: str, url: str, *, lifetime: float = LIFETIME) -> None:
        self.profile, self.url, self.lifetime = profile, url, lifetime

    @property
    def path(self) -> Path:
        """Where they are kept, in the cache folder."""
        address = hashlib.sha256(f"{self.profile}\n{self.url}".encode()).hexdigest()[:16]
        return paths.cache_dir() / "servers" / f"{address}.json"

    def read(self, *, stale: bool = False) -> KnownServer | None:
        """What is known and still believed, or with `stale` whatever is known; None without it or when it is broken."""
        try:
            kept = cast("JsonObject", json.loads(self.path.read_text("utf-8")))
            names = {item.name for item in fields(KnownServer)}
            known = KnownServer(**{name: value for name, value in kept.items() if name in names})  # type: ignore[arg-type]
            fresh = 0 <= time.time() - known.read_at < self.lifetime
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return known if (fresh or stale) and known.url == self.url else None

    def write(self, known: KnownServer) -> None:
        """Keep them; a disk that cannot be written only costs the next request. A user's name outlives a new version."""
        if known.username is None and (before := self.read(stale=True)):
            known = replace(known, username=before.username)
        paths.write_quietly(self.path, json.dumps(asdict(known)))

    def forget(self) -> None:
        """Believe nothing any more."""
        self.path.unlink(missing_ok=True)


def may_be_another_version(error: Dhis2Error) -> bool:
    """An address that is not there, a parameter or an answer that is not understood; not an object that is missing."""
    if isinstance(error, Refused):
        return error.status in {400, 405, 406, 415, 500, 501}
    return isinstance(error, NotFound | BrokenAnswer) and error.code is None
