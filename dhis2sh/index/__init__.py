"""The local name index: UIDs, names and codes of a profile in SQLite, searchable while offline.

May import: verbs, session, profiles, client, dhis2, models, the ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.profiles import Profile
    from dhis2sh.session import Written


def follow(profile: Profile, objects: Sequence[Written] | None) -> None:
    """Keep the index of a profile true, where a shell has filled one (`Session.on_written`)."""
    from dhis2sh.index.names import index_of  # start-up: sqlite3, and most sessions write nothing
    from dhis2sh.index.written import heed  # start-up: as above

    index = index_of(profile.name, profile.url)
    if not index.path.is_file():
        return
    try:
        heed(index, objects)
    finally:
        index.close()
