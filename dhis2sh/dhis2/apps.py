"""Where the server's own apps show an object: addresses below the server's, as the apps that come with DHIS2 have them."""

from __future__ import annotations

from collections.abc import Mapping

_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "categorySection": (
        "categories", "categoryOptions", "categoryCombos", "categoryOptionCombos", "categoryOptionGroups",
        "categoryOptionGroupSets",
    ),
    "dataElementSection": ("dataElements", "dataElementGroups", "dataElementGroupSets"),
    "dataSetSection": ("dataSets",),
    "indicatorSection": (
        "indicators", "indicatorTypes", "indicatorGroups", "indicatorGroupSets", "programIndicators",
        "programIndicatorGroups",
    ),
    "organisationUnitSection": ("organisationUnits", "organisationUnitGroups", "organisationUnitGroupSets"),
    "programSection": (
        "programs", "trackedEntityAttributes", "trackedEntityTypes", "relationshipTypes", "programRules",
        "programRuleVariables",
    ),
    "validationSection": ("validationRules", "validationRuleGroups"),
    "otherSection": (
        "constants", "attributes", "optionSets", "optionGroups", "optionGroupSets", "legendSets", "predictors",
        "predictorGroups", "sqlViews",
    ),
}  # fmt: skip
"""The sections of the app Maintenance, and the types that one edits there."""
_OWN: Mapping[str, str] = {
    "dashboards": "dhis-web-dashboard/#/{uid}",
    "visualizations": "dhis-web-data-visualizer/#/{uid}",
    "maps": "dhis-web-maps/#/{uid}",
    "users": "dhis-web-user/index.html#/users/edit/{uid}",
    "userGroups": "dhis-web-user/index.html#/user-groups/edit/{uid}",
    "userRoles": "dhis-web-user/index.html#/user-roles/edit/{uid}",
}
"""Types with an app of their own."""


def page_of(plural: str, singular: str, uid: str) -> str | None:
    """Where an object is shown, below the server's address; None where no app that comes with DHIS2 shows its type.

    Parameters:
        plural, singular: the type, such as `dataElements` and `dataElement`.
        uid: the object.
    """
    if plural in _OWN:
        return _OWN[plural].format(uid=uid)
    section = next((name for name, plurals in _SECTIONS.items() if plural in plurals), None)
    return f"dhis-web-maintenance/index.html#/edit/{section}/{singular}/{uid}" if section else None


_APPS: Mapping[str, str] = {"dashboards": "dashboard", "visualizations": "data-visualizer", "maps": "maps"}
SHELL = 42
"""Since this version every app stands below `/apps/`, inside of one shell."""


def app_page(plural: str, uid: str, *, minor: int) -> str:
    """Where a server's own app draws an object, below its address: `dhis-web-...` until 2.41, `apps/...` since 2.42.

    Parameters:
        plural: `dashboards`, `visualizations` or `maps`.
        uid: the object; `minor` the server's version, as 42.
    """
    return f"apps/{_APPS[plural]}#/{uid}" if minor >= SHELL else f"dhis-web-{_APPS[plural]}/#/{uid}"
