"""What maintenance a server offers, by the name that people type.

API source: `MaintenanceController.java` (api-facts h.2; all of them recorded on 2.42).
"""

from __future__ import annotations

from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.words import kebab

ACTIONS: dict[str, str] = {
    "analyticsTablesClear": "empties the analytics tables: analytics answer nothing until they are built again",
    "analyticsTablesAnalyze": "lets the database count anew what is in the analytics tables",
    "expiredInvitationsClear": "deletes accounts whose invitation has run out",
    "ouPathsUpdate": "writes the paths of all organisation units anew",
    "periodPruning": "deletes periods that nothing uses",
    "zeroDataValueRemoval": "deletes data values that are 0 where the data element does not keep zeros",
    "softDeletedDataValueRemoval": "deletes data values for good that were marked as deleted",
    "softDeletedEventRemoval": "deletes events for good that were marked as deleted",
    "softDeletedRelationshipRemoval": "deletes relationships for good that were marked as deleted",
    "softDeletedEnrollmentRemoval": "deletes enrollments for good that were marked as deleted",
    "softDeletedTrackedEntityRemoval": "deletes tracked entities for good that were marked as deleted",
    "sqlViewsDrop": "drops the SQL views of the database",
    "sqlViewsCreate": "creates the SQL views in the database",
    "categoryOptionComboUpdate": "creates missing category option combinations and deletes superfluous ones",
}
"""Each address below `/api/maintenance`, and what the server does then."""
BY_NAME = {kebab(name): name for name in ACTIONS}
CACHE = "cacheClear"


def address(name: str) -> str:
    """The address of an action."""
    return f"maintenance/{BY_NAME[name]}"


def known(name: str) -> str:
    """The name of an action, however its words are joined. Raises `UsageError` for one that there is none of."""
    found = kebab(name).replace("_", "-")
    if found not in BY_NAME:
        raise UsageError(
            f"there is no maintenance '{name}'", hint=did_you_mean(found, [*BY_NAME]) or "dhis2 maintenance list"
        )
    return found
