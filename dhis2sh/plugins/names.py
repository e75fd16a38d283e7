"""`names`: the names of a server's objects that are kept on this machine, for completion and search."""

from __future__ import annotations

from pydantic import BaseModel

from dhis2sh.index.names import index_of
from dhis2sh.index.refresh import refresh as read_names
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import verb


class KnownNames(BaseModel):
    """What is kept of a server's names."""

    profile: str
    names: int
    read: int | None = None
    """How many were read now."""
    file: str


@verb("names status", effect="read", examples=["dhis2 names status"])
async def status(s: Session) -> KnownNames:
    """Show how many names of the profile's server are kept on this machine, and where."""
    names = index_of(s.profile.name, s.profile.url)
    try:
        return KnownNames(profile=s.profile.name, names=names.count(), file=str(names.path))
    finally:
        names.close()


@verb("names refresh", effect="read", examples=["dhis2 -p play names refresh"])
async def refresh(s: Session) -> KnownNames:
    """Read the names of every metadata type again, for completion; what is gone from the server is no longer offered.

    The shell does so once a day, and asks every 15 minutes for what has changed.

    API source: `GET /api/{type}?fields=id,name,code,lastUpdated` for each type.
    """
    names = index_of(s.profile.name, s.profile.url)
    try:
        names.distrust()
        read = await read_names(names, s.client, lambda done, total: s.person.progress("read names", done, total))
        return KnownNames(profile=s.profile.name, names=names.count(), read=sum(read.values()), file=str(names.path))
    finally:
        names.close()
