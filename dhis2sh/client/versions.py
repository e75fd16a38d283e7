"""Server versions: what a version text means, and which facts and models serve it.

Behavioural differences between versions are data here, never a copied module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dhis2sh.errors import NotDhis2, Refused

OLDEST = (2, 40)
NEWEST = (2, 44)


@dataclass(frozen=True, slots=True, order=True)
class ServerVersion:
    """A version such as 2.42.5.2 or 2.44-SNAPSHOT; `text` is what the server said."""

    major: int
    minor: int
    patch: tuple[int, ...] = ()
    text: str = ""

    @property
    def models(self) -> str:
        """The facts and models that serve this version: its own, or the newest for a newer server."""
        return f"v{min(self.minor, NEWEST[1])}"

    @property
    def newer_than_known(self) -> bool:
        """True for a server newer than the newest that we know."""
        return (self.major, self.minor) > NEWEST

    def __str__(self) -> str:
        return self.text


def parse_version(text: str) -> ServerVersion:
    """Read a version text.

    Raises `NotDhis2` when it is none, `Refused` for a server older than 2.40.
    """
    found = re.match(r"(\d+)\.(\d+)((?:\.\d+)*)", text or "")
    if not found:
        raise NotDhis2(f"'{text}' is not a DHIS2 version", hint="dhis2 profile verify")
    patch = tuple(int(part) for part in found[3].split(".") if part)
    version = ServerVersion(int(found[1]), int(found[2]), patch, text)
    if (version.major, version.minor) < OLDEST:
        raise Refused(f"this server is DHIS2 {text}; dhis2sh needs 2.40 or newer", hint="upgrade the server")
    return version
