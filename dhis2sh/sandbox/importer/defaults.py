"""What an object has that was sent without it: the initial values of the server's own classes.

A yes/no property starts as false, a list as empty; the tables say where that is not so. Read from `:owner` of real
objects and from the recordings of `wire`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhis2sh.types import JsonValue

_ANALYTICAL: Mapping[str, JsonValue] = {
    "regressionType": "NONE", "sortOrder": 0, "topLimit": 0, "digitGroupSeparator": "SPACE", "hideEmptyRowItems": "NONE",
}  # fmt: skip
_EVENT_ANALYTICAL: Mapping[str, JsonValue] = {**_ANALYTICAL, "outputType": "EVENT"}

DEFAULTS: Mapping[str, Mapping[str, JsonValue]] = {
    "categories": {"dataDimension": True},
    "categoryOptionGroupSets": {"dataDimension": True},
    "constants": {"value": 0.0},
    "dashboardItems": {"shape": "NORMAL"},
    "dataApprovalLevels": {"level": 0, "orgUnitLevel": 0},
    "dataElementGroupSets": {"dataDimension": True},
    "dataEntryForms": {"format": 2, "style": "NORMAL"},
    "dataSetNotificationTemplates": {"relativeScheduledDays": 0},
    "dataSets": {"version": 0, "expiryDays": 0.0, "timelyDays": 0.0, "openFuturePeriods": 0,
                 "openPeriodsAfterCoEndDate": 0},
    "eventCharts": _EVENT_ANALYTICAL,
    "eventReports": {**_EVENT_ANALYTICAL, "type": "LINE_LIST"},
    "eventVisualizations": _EVENT_ANALYTICAL,
    "expressions": {"missingValueStrategy": "SKIP_IF_ALL_VALUES_MISSING"},
    "indicatorTypes": {"factor": 0},
    "mapViews": {**_ANALYTICAL, "eventPointRadius": 0, "parentLevel": 0, "renderingStrategy": "SINGLE"},
    "optionGroupSets": {"dataDimension": True},
    "optionSets": {"version": 0},
    "organisationUnitGroupSets": {"dataDimension": True},
    "predictors": {"outputCombo": {"id": DEFAULT_OPTION_COMBO}},
    "programIndicators": {"aggregationType": "AVERAGE", "analyticsType": "EVENT"},
    "programRuleVariables": {"valueType": "TEXT"},
    "programStages": {"minDaysFromStart": 0, "validationStrategy": "ON_COMPLETE", "autoGenerateEvent": True},
    "programs": {"version": 0, "accessLevel": "OPEN", "completeEventsExpiryDays": 0, "expiryDays": 0,
                 "maxTeiCountToReturn": 0, "minAttributesRequiredToSearch": 1, "openDaysAfterCoEndDate": 0,
                 "displayIncidentDate": True},
    "reports": {"cacheStrategy": "RESPECT_SYSTEM_SETTING"},
    "sections": {"sortOrder": 0},
    "sqlViews": {"cacheStrategy": "RESPECT_SYSTEM_SETTING"},
    "trackedEntityAttributes": {"sortOrderInListNoProgram": 0},
    "trackedEntityTypes": {"maxTeiCountToReturn": 0, "minAttributesRequiredToSearch": 1},
    "validationRules": {"importance": "MEDIUM"},
    "visualizations": {**_ANALYTICAL, "fontSize": "NORMAL", "displayDensity": "NORMAL"},
}  # fmt: skip
"""Initial values by type, where they are neither false nor an empty list."""

NO_INITIAL_VALUE: Mapping[str, frozenset[str]] = {
    "dashboardItems": frozenset({"messages"}),
    "indicatorTypes": frozenset({"number"}),
    "mapViews": frozenset({"followUp"}),
    "trackedEntityTypeAttributes": frozenset({"mandatory"}),
}
"""Yes/no properties that stay empty until somebody sets them."""
