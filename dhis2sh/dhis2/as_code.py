"""What of an instance is left out where it stands in files that travel between servers: what is one server's own, or a person's.

One table for pull, difference and apply: what stands here is in no file, and no apply changes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from dhis2sh.dhis2.properties import COUNTED, VOLATILE

TYPES = frozenset({
    "users", "apiToken", "oAuth2Clients", "oAuth2Authorizations", "oAuth2AuthorizationConsents",  # people and their keys
    "documents",  # their files are not metadata
    "expressionDimensionItems",  # without an address of their own before 2.43
    "interpretations", "messageConversations", "validationResults", "metadataVersions", "proposals",
})  # fmt: skip
"""Types of which nothing is in files."""
PROPERTIES = VOLATILE | {"path", "level", "errorCodes", "jobStatus", "executedBy", "sharing.users", "sharing.owner"}
"""What no file says of any object: times, people, what a server counts or works out, how a job is getting on."""
KEPT: Mapping[str, frozenset[str]] = {"organisationUnitLevels": frozenset({"level"})}
"""By type what of it is the object's own all the same."""
OF_TYPE: Mapping[str, frozenset[str]] = {
    **COUNTED,
    "userGroups": frozenset({"users", "managedByGroups"}),
    "userRoles": frozenset({"users"}),
    "options": frozenset({"sortOrder"}),  # a server numbers them as their set lists them (seen)
    "jobConfigurations": frozenset(
        {"queueName", "queuePosition", "schedulingType"}
    ),  # of the scheduler, and worked out
}
"""By type what no file says besides."""

SETTINGS = frozenset({
    "keyNextAnalyticsTableUpdate", "keyMetadataFailedVersion", "keyMetadataLastFailedTime", "keySystemMetadataVersion",
    "keyRemoteMetadataVersion", "keyLastMonitoringRun", "lastSuccessfulDataStatistics", "syncSkipSyncForDataChangedBefore",
    "instanceBaseUrl", "keyInstanceBaseUrl", "keyRemoteInstanceUrl", "keyRemoteInstanceUsername", "keyDatabaseServerCpus",
})  # fmt: skip
"""Settings that are one server's own."""
STATE = ("keyLast",)
"""How the names of settings begin in which a server keeps what it has done when."""


def is_state(setting: str) -> bool:
    """Does a system setting say what one server is or has done, and not how servers shall be?"""
    return setting in SETTINGS or setting.startswith(STATE)


def left_out(plural: str, name: str) -> bool:
    """Is a property of a type in no file?"""
    if name in KEPT.get(plural, ()):
        return False
    return name in PROPERTIES or name in OF_TYPE.get(plural, ())
