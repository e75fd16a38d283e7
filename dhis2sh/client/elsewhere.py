"""What to try where an address has nothing: the command that lists what is there instead."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from urllib.parse import unquote

from dhis2sh.dhis2.uids import is_uid

_LISTS: Mapping[str, str] = {
    "apps": "dhis2 apps list",
    "documents": "dhis2 files documents list",
    "jobConfigurations": "dhis2 jobs list",
    "messageConversations": "dhis2 messaging list",
    "scheduler": "dhis2 jobs queues",
    "systemSettings": "dhis2 system settings get",
    "userDataStore": "dhis2 raw get userDataStore",
    "dataStore": "dhis2 datastore list",
}
"""What lists the things below an address, by its first word."""


def instead_of(path: str) -> str:
    """The next command after a 404.

    Parameters:
        path: the address, with or without `/api` and a version.
    """
    words = [unquote(word) for word in path.strip("/").split("/") if word]
    words = words[words.index("api") + 1 :] if "api" in words else words
    words = words[1:] if words and words[0].isdecimal() else words
    first, *below = [*words, ""]
    if first in {"dataStore", "userDataStore"} and len(words) > 2:
        joint = " " if first == "dataStore" else "/"
        return f"{_LISTS[first]}{joint}{shlex.quote(below[0])}  lists its keys"
    if first in _LISTS:
        return f"{_LISTS[first]}  lists what there is"
    if uid := next((word for word in reversed(words[1:]) if is_uid(word)), None):
        return f"dhis2 metadata search {uid}  finds what has that UID, of any type"
    return "dhis2 metadata search bcg  finds by name, code or part of a UID"
