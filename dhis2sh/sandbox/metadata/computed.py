"""Properties that no object stores: what the server works out when somebody reads them.

Two tables: by name for every type, and by type where a name means something of its own there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import RelativePeriod
from dhis2sh.sandbox.java.schedule import BUILT_IN_JOBS, last_runtime, latest_execution, next_execution
from dhis2sh.sandbox.metadata.axes import NOT_IN_LISTS, axis
from dhis2sh.sandbox.metadata.lookup import Lookup
from dhis2sh.sandbox.store.references import ids

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue

type Compute = Callable[[Lookup, Resource, JsonObject], JsonValue]

DIMENSION_ITEM_TYPES = {
    "categoryOptionGroups": "CATEGORY_OPTION_GROUP", "categoryOptions": "CATEGORY_OPTION",
    "dataElementGroups": "DATA_ELEMENT_GROUP", "dataElementOperands": "DATA_ELEMENT_OPERAND",
    "dataElements": "DATA_ELEMENT", "dataSets": "REPORTING_RATE", "expressionDimensionItems": "EXPRESSION_DIMENSION_ITEM",
    "indicators": "INDICATOR", "optionGroups": "OPTION_GROUP", "organisationUnitGroups": "ORGANISATION_UNIT_GROUP",
    "organisationUnits": "ORGANISATION_UNIT", "programIndicators": "PROGRAM_INDICATOR",
    "trackedEntityAttributes": "PROGRAM_ATTRIBUTE",
}  # fmt: skip
DIMENSION_TYPES = {
    "categories": ("CATEGORY", "categoryOptions"),
    "categoryOptionGroupSets": ("CATEGORY_OPTION_GROUP_SET", "categoryOptionGroups"),
    "dataElementGroupSets": ("DATA_ELEMENT_GROUP_SET", "dataElementGroups"),
    "optionGroupSets": ("OPTION_GROUP_SET", "optionGroups"),
    "organisationUnitGroupSets": ("ORGANISATION_UNIT_GROUP_SET", "organisationUnitGroups"),
}
"""What kind of dimension a type is, and which of its lists are the dimension's items."""
DASHBOARD_ITEMS = {
    "visualization": "VISUALIZATION", "map": "MAP", "eventVisualization": "EVENT_VISUALIZATION",
    "eventChart": "EVENT_CHART", "eventReport": "EVENT_REPORT", "text": "TEXT", "users": "USERS", "reports": "REPORTS",
    "resources": "RESOURCES", "appKey": "APP", "messages": "MESSAGES",
}  # fmt: skip


def _references(uids: list[str]) -> JsonValue:
    return [{"id": uid} for uid in uids]


def _relative_periods(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    raw = cast("list[JsonValue]", b.get("rawPeriods") or [])
    return {period.field: period.value in raw for period in RelativePeriod}


def _units(r: Lookup, b: JsonObject) -> list[JsonObject]:
    found = (r.find("organisationUnits", uid) for uid in ids(b.get("organisationUnits")))
    return [unit for unit in found if unit is not None]


def _parent_graphs(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    """The units above each unit of a favourite, joined by slashes."""
    if not r.single and t.plural in NOT_IN_LISTS:
        return {}
    return {str(unit["id"]): "/".join(_path(unit).split("/")[1:-1]) for unit in _units(r, b)}


def _meta_data(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    objects = _units(r, b)
    for row in (
        cast("list[JsonObject]", b.get("dataElementDimensions") or []) if t.plural == "eventVisualizations" else []
    ):
        element = r.find("dataElements", str(cast("JsonObject", row["dataElement"])["id"]))
        objects += [element] if element is not None else []
    shown: JsonObject = {}
    for one in objects:
        item: JsonObject = {"uid": one["id"], "code": one.get("code"), "name": one.get("name")}
        shown[str(one["id"])] = {name: value for name, value in item.items() if value is not None}
    return shown


def _operand(name: str) -> Compute:
    """A data element and an option combo together, named by both."""

    def compute(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
        element = r.find("dataElements", (ids([b.get("dataElement")]) or [""])[0]) or {}
        combo = r.find("categoryOptionCombos", (ids([b.get("categoryOptionCombo")]) or [""])[0]) or {}
        match name:
            case "id":
                return ".".join(str(part["id"]) for part in (element, combo) if part) or None
            case "aggregationType":
                return element.get("aggregationType")
            case _:
                parts = [element.get(name) or element.get("name"), combo.get("name")]
                return " ".join(str(part) for part in parts if part is not None)

    return compute


def _path(b: JsonObject) -> str:
    return str(b.get("path") or f"/{b['id']}")


def _children(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    return _references(r.referring("organisationUnits", "parent", cast("str", b["id"])))


def _section_combos(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    """The category combos of a section's data elements."""
    combos: dict[str, None] = {}
    for uid in ids(b.get("dataElements")):
        element = r.find("dataElements", uid) or {}
        combos |= dict.fromkeys(ids([element.get("categoryCombo")]))
    return _references(list(combos))


def _data_set_form(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    if b.get("dataEntryForm"):
        return "CUSTOM"
    return "SECTION" if r.referring("sections", "dataSet", cast("str", b["id"])) else "DEFAULT"


def _stage_form(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    if b.get("dataEntryForm"):
        return "CUSTOM"
    return "SECTION" if b.get("programStageSections") else "DEFAULT"


def _dashboard_item_type(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    return next((kind for name, kind in DASHBOARD_ITEMS.items() if b.get(name)), None)


def _email_verified(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    return b.get("email") is not None and b.get("email") == b.get("verifiedEmail")


def _credentials(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    """The older half of a user, which up to 2.41 is shown beside the rest."""
    kept = ("id", "username", "externalAuth", "openId", "passwordLastUpdated", "lastLogin", "selfRegistered", "invitation",
            "disabled")  # fmt: skip
    empty: JsonObject = {"cogsDimensionConstraints": [], "catDimensionConstraints": [], "previousPasswords": []}
    return {
        **{name: b[name] for name in kept if b.get(name) is not None}, **empty, "twoFA": False,
        "access": r.access(t, b), "sharing": {"users": {}, "userGroups": {}}, "userRoles": _references(ids(b.get("userRoles"))),
    }  # fmt: skip


def _dimension_items(r: Lookup, t: Resource, b: JsonObject) -> JsonValue:
    return _references(ids(b.get(DIMENSION_TYPES[t.plural][1]))) if t.plural in DIMENSION_TYPES else []


NEVER_STORED = {"columns", "filters", "parentGraphMap", "relativePeriods", "rows"}
"""Properties of favourites that an export holds inside of what embeds them, worked out for a list; they are worked out anew."""
COMPUTED: Mapping[str, Compute] = {
    "access": lambda r, t, b: r.access(t, b),
    "href": lambda r, t, b: f"{r.base_url}/api{t.endpoint}/{b.get('id')}" if t.endpoint and not t.embedded else None,
    "favorite": lambda r, t, b: r.me in cast("list[JsonValue]", b.get("favorites") or []),
    "subscribed": lambda r, t, b: r.me in cast("list[JsonValue]", b.get("subscribers") or []),
    "user": lambda r, t, b: b.get("createdBy"),
    "sharing": lambda r, t, b: {"external": False, "users": {}, "userGroups": {}},
    "attributeValues": lambda r, t, b: [],
    "legendSet": lambda r, t, b: cast("list[JsonValue]", b.get("legendSets") or [None])[0],
    "optionSetValue": lambda r, t, b: "optionSet" in b,
    "isDefault": lambda r, t, b: b.get("name") == "default",
    "dimensionItem": lambda r, t, b: b.get("id"),
    "dimensionItemType": lambda r, t, b: DIMENSION_ITEM_TYPES.get(t.plural),
    "dimensionType": lambda r, t, b: DIMENSION_TYPES[t.plural][0] if t.plural in DIMENSION_TYPES else None,
    "dimension": lambda r, t, b: b.get("id") if t.plural in DIMENSION_TYPES else None,
    "allItems": lambda r, t, b: False,
    "items": _dimension_items,
    "columns": axis("columnDimensions"),
    "rows": axis("rowDimensions"),
    "filters": axis("filterDimensions"),
    "relativePeriods": _relative_periods,
    "parentGraphMap": _parent_graphs,
    "metaData": _meta_data,
}
"""By name, for every type that has the property."""

BY_TYPE: Mapping[str, Mapping[str, Compute]] = {
    "categoryOptionCombos": {"displayShortName": lambda r, t, b: b.get("name")},
    "dashboardItems": {
        "type": _dashboard_item_type,
        "contentCount": lambda r, t, b: sum(len(ids(b.get(n))) for n in ("users", "reports", "resources")) or 1,
        "interpretationCount": lambda r, t, b: 0,
        "interpretationLikeCount": lambda r, t, b: 0,
    },
    "dashboards": {"itemCount": lambda r, t, b: len(cast("list[JsonValue]", b.get("dashboardItems") or []))},
    "jobConfigurations": {
        "configurable": lambda r, t, b: b.get("jobType") not in BUILT_IN_JOBS,
        "leaderOnlyJob": lambda r, t, b: True,
        "nextExecutionTime": lambda r, t, b: next_execution(b),
        "maxDelayedExecutionTime": lambda r, t, b: latest_execution(b),
        "lastRuntimeExecution": lambda r, t, b: last_runtime(b),
        "userUid": lambda r, t, b: b.get("executedBy"),
    },
    "dataApprovalLevels": {
        "orgUnitLevelName": lambda r, t, b: next(
            (one.get("name") for one in r.every("organisationUnitLevels") if one.get("level") == b.get("orgUnitLevel")),
            None,
        )
    },
    "dataElementOperands": {
        name: _operand(name) for name in ("id", "name", "shortName", "aggregationType")
    },
    "dataSets": {"formType": _data_set_form},
    "mapViews": {"rows": axis("rowDimensions", ("ou",))},
    "organisationUnits": {
        "leaf": lambda r, t, b: not _children(r, t, b),
        "children": _children,
        "ancestors": lambda r, t, b: _references(_path(b).split("/")[1:-1]),
    },
    "programRuleActions": {"evaluationEnvironments": lambda r, t, b: None},
    "programStages": {"formType": _stage_form},
    "programs": {
        "registration": lambda r, t, b: b.get("programType") == "WITH_REGISTRATION",
        "withoutRegistration": lambda r, t, b: b.get("programType") == "WITHOUT_REGISTRATION",
    },
    "sections": {"categoryCombos": _section_combos},
    "users": {
        "emailVerified": _email_verified,
        "twoFactorEnabled": lambda r, t, b: b.get("twoFactorType") not in {None, "NOT_ENABLED"},
        "userCredentials": _credentials,
    },
}  # fmt: skip
"""By type and name."""
