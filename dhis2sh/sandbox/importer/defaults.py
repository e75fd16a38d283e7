"""What an object has that was sent without it: the initial values of the server's own classes.

A yes/no property starts as false, a list as empty; the tables say where that is not so. Read from `:owner` of real
objects and from the recordings of `wire`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from dhis2sh.sandbox.facts import fact
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhis2sh.types import JsonObject, JsonValue

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


# Jobs: their parameters are an object of the job type's own class -----------------------------------------------------

_PACKAGE = "org.hisp.dhis.scheduling.parameters"
_OTHERWISE = {"ANALYTICS_TABLE": "Analytics", "CONTINUOUS_ANALYTICS_TABLE": "ContinuousAnalytics"}
_REQUIRED: Final = {"AGGREGATE_DATA_EXCHANGE": ("dataExchangeIds",)}
"""Parameters that have to be there, and not empty."""


def parameters_klass(job_type: str) -> str:
    """The Java class of a job type's parameters."""
    name = _OTHERWISE.get(job_type) or "".join(word.capitalize() for word in job_type.split("_"))
    return f"{_PACKAGE}.{name}JobParameters"


def job_parameters(job_type: str, sent: JsonValue) -> JsonObject | None:
    """The parameters of a job; None for a type without any. Raises `ValueError` with the reader's words,
    and `{where}` in them, for a text that is none of an enumeration's.

    What the class does not know is dropped, and what was not sent has the class's initial value.

    Parameters:
        sent: as the client sent them, None for none.
    """
    row = cast("dict[str, JsonObject]", fact("job_types")).get(job_type)
    known = cast("dict[str, JsonObject]", row["parameters"]) if row else {}
    given = sent if isinstance(sent, dict) else {}
    if not known:
        return given or None
    found: JsonObject = {}
    for name, about in known.items():
        value = given.get(name)
        if value is None:
            value = about.get("defaultValue")
        if value is not None:
            _check(job_type, name, about, value)
            found[name] = value
    return found or None


def missing_parameters(job_type: str, parameters: JsonValue) -> list[str]:
    """The required parameters that are not there."""
    given = parameters if isinstance(parameters, dict) else {}
    return [name for name in _REQUIRED.get(job_type, ()) if not given.get(name)]


def _check(job_type: str, name: str, about: JsonObject, value: JsonValue) -> None:
    """Raises `ValueError` for a value that the enumeration has not."""
    constants = cast("list[str] | None", about.get("constants"))
    if constants is None:
        return
    listed = isinstance(value, list)
    klass = about.get("itemKlass") if listed else about["klass"]
    for number, text in enumerate(cast("list[JsonValue]", value if listed else [value])):
        if text not in constants:
            item = f"->java.util.HashSet[{number}]" if listed else ""
            raise ValueError(
                f'Cannot deserialize value of type `{klass}` from String "{text}": not one of the values accepted for '
                f"Enum class: [{', '.join(sorted(constants))}]\n at {{where}} (through reference chain: "
                f'{parameters_klass(job_type)}["{name}"]{item})'
            )
