"""Which addresses of the API give rows of persons: entities, enrollments, events, and what may hold any of them.

API source: api-facts e.2 (tracker), g.4 (events and entities in analytics), h.5 (their audits), `SqlViewController.java`.
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

TRACKER = frozenset({"trackedEntities", "enrollments", "events", "relationships", "tracker"})
"""What steps of plans and changes in the journal are of, where they hold what persons have."""
OF_PERSONS = "tracker"
"""Writers whose names begin so write what persons have."""
_ADDRESSES = re.compile(
    r"(?:\d+/)?(?:"
    r"tracker(?:/|\.|$)|trackedEntityInstances|trackedEntities|enrollments|events|relationships|potentialDuplicates"
    r"|analytics/(?:events|enrollments|trackedEntities)/(?:query|cluster|debug)"
    r"|analytics/trackedEntities|audits/trackedEntit|sqlViews/[^/]+/data|fileResources|eventReports/.*data"
    r")"
)


def holds_persons(address: str) -> bool:
    """May the answer of an address below `/api` hold rows of persons?

    Parameters:
        address: as it is asked, with or without the server's own part, a version and parameters.
    """
    path = re.sub(r"^[a-z]+://[^/]+", "", address, flags=re.IGNORECASE).split("?", 1)[0].split("#", 1)[0]
    path = re.sub(r";[^/]*", "", unquote(unquote(path)))  # a server reads what is escaped, and drops `;jsessionid=...`
    path = posixpath.normpath("/" + path.lstrip("/")).lstrip("/")
    path = path.rpartition("api/")[2] if "api/" in f"{path}/" else path
    return _ADDRESSES.match(path) is not None
