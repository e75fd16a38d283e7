"""Authorities that not every version of DHIS2 has: what a role of another version does not give may be one that its version lacks.

From the lists of servers of 2.40 to 2.44 and the authorities of their types (recorded `users`; `/api/schemas`).
"""

from __future__ import annotations

from collections.abc import Mapping

_EXTERNAL = (
    "DOCUMENT",
    "EVENTCHART",
    "EVENTREPORT",
    "EVENT_VISUALIZATION",
    "MAP",
    "REPORT",
    "SQLVIEW",
    "VISUALIZATION",
)
VERSIONS: Mapping[str, frozenset[int]] = {
    **dict.fromkeys(("F_CATEGORY_COMBO_MERGE", "F_CATEGORY_MERGE"), frozenset({43, 44})),
    **dict.fromkeys(
        (
            "F_CATEGORY_OPTION_COMBO_MERGE", "F_CATEGORY_OPTION_MERGE", "F_DATA_ELEMENT_MERGE", "F_JOB_LOG_READ", "F_LOCALE_DELETE",
            "F_MOBILE_SETTINGS", "M_androidsettingsapp", "M_dhis-web-app-management",
        ),
        frozenset({42, 43, 44}),
    ),
    **dict.fromkeys(
        ("F_INDICATOR_MERGE", "F_INDICATOR_TYPE_MERGE", "F_PREVIOUS_IMPERSONATOR_AUTHORITY"), frozenset({41, 42, 43, 44})
    ),
    **dict.fromkeys((f"F_{name}_EXTERNAL" for name in _EXTERNAL), frozenset({40, 42})),
    **dict.fromkeys(("F_PUSH_ANALYSIS_ADD", "F_PUSH_ANALYSIS_DELETE"), frozenset({40, 41, 42})),
    "F_IGNORE_TRACKER_REQUIRED_VALUE_VALIDATION": frozenset({40, 41}),
    **dict.fromkeys(
        (
            "F_DATAVALUE_DELETE", "F_EXPORT_EVENTS", "F_IMPORT_DATA", "F_IMPORT_EVENTS", "F_MINMAX_DATAELEMENT_DELETE",
            "F_PROGRAM_DASHBOARD_CONFIG_ADMIN", "F_TRACKER_IMPORTER_EXPERIMENTAL", "F_USERGROUP_MANAGING_RELATIONSHIPS_ADD",
            "F_USERGROUP_MANAGING_RELATIONSHIPS_VIEW",
        ),
        frozenset({40}),
    ),
}  # fmt: skip
"""By authority the minor versions that have it; one that is not here all have, or none."""


def lacks(minor: int, authority: str) -> bool:
    """Does a version not have an authority that another one has?"""
    return authority in VERSIONS and minor not in VERSIONS[authority]
