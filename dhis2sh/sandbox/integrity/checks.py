"""The checks that are computed: each finds the objects that have an issue, in a function of a few lines."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.formulas import BadExpression, parse
from dhis2sh.dhis2.periods import Period
from dhis2sh.sandbox.data.model import read_period
from dhis2sh.sandbox.integrity import shapes
from dhis2sh.sandbox.metadata.value_types import NUMERIC_TYPES
from dhis2sh.sandbox.store.references import ids

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Issue:
    """One object that a check complains about."""

    id: str
    name: str
    comment: str | None = None
    refs: tuple[tuple[str, str], ...] = ()

    def json(self) -> JsonObject:
        """As the details show it."""
        found: JsonObject = {"id": self.id, "name": self.name}
        if self.comment:
            found["comment"] = self.comment
        if self.refs:
            found["refs"] = [{"id": uid, "name": name} for uid, name in self.refs]
        return found


@dataclass(slots=True)
class Data:
    """What the checks look at.

    Parameters:
        store: the database.
    """

    store: Store
    _texts: dict[str, str] = field(default_factory=dict[str, str])

    def all(self, plural: str) -> list[JsonObject]:
        """Every object of a type."""
        return list(self.store.objects(plural).values())

    def owners(self, plural: str, prop: str) -> Mapping[str, list[str]]:
        """Who refers to each UID by an owning property."""
        return self.store.inverse(plural, prop)

    def text(self, plural: str) -> str:
        """All objects of a type as one text, to look for UIDs in."""
        if plural not in self._texts:
            self._texts[plural] = json.dumps(self.all(plural))
        return self._texts[plural]

    def mentioned(self, uid: str, *plurals: str) -> bool:
        """Does any object of these types mention a UID?"""
        return any(uid in self.text(plural) for plural in plurals)

    def name(self, plural: str, uid: str) -> str:
        """The name of an object."""
        return str((self.store.get(plural, uid) or {}).get("name") or uid)


type Check = Callable[[Data], Iterable[Issue]]
_FAVOURITES = ("visualizations", "maps", "eventVisualizations", "eventCharts", "eventReports")


def _ref(body: JsonObject, name: str) -> str:
    return (ids(body.get(name)) or [""])[0]


def issue(body: JsonObject, comment: str | None = None, refs: Iterable[tuple[str, str]] = ()) -> Issue:
    """An object as an issue."""
    return Issue(str(body["id"]), str(body.get("name") or body["id"]), comment, tuple(refs))


# Makers of checks ------------------------------------------------------------------------------------------------------


def where(plural: str, bad: Callable[[Data, JsonObject], object]) -> Check:
    """Objects of a type for which `bad` holds; a text that it gives is the comment."""

    def run(data: Data) -> Iterator[Issue]:
        for body in data.all(plural):
            found = bad(data, body)
            if found:
                yield issue(body, found if isinstance(found, str) else None)

    return run


def scarce(plural: str, prop: str, least: int = 2) -> Check:
    """Groups with fewer members than make sense."""
    return where(plural, lambda data, body: len(ids(body.get(prop))) < least)


def empty(plural: str, prop: str) -> Check:
    """Objects whose list is empty."""
    return where(plural, lambda data, body: not body.get(prop))


def unowned(plural: str, owner: str, prop: str) -> Check:
    """Objects that no owner refers to."""
    return where(plural, lambda data, body: str(body["id"]) not in data.owners(owner, prop))


def same(plural: str, key: Callable[[JsonObject], object]) -> Check:
    """Objects that share a key with another; each names the others."""

    def run(data: Data) -> Iterator[Issue]:
        groups: dict[object, list[JsonObject]] = {}
        for body in data.all(plural):
            found = key(body)
            if found is not None:
                groups.setdefault(found, []).append(body)
        for members in groups.values():
            if len(members) > 1:
                for body in members:
                    others = [(str(one["id"]), str(one.get("name"))) for one in members if one is not body]
                    yield issue(body, None, others)

    return run


def exclusive(sets: str, groups: str, members: str, plural: str) -> Check:
    """Members of more than one group of the same group set."""

    def run(data: Data) -> Iterator[Issue]:
        for group_set in data.all(sets):
            counted: Counter[str] = Counter()
            for group in ids(group_set.get(groups)):
                counted.update(set(ids((data.store.get(groups, group) or {}).get(members))))
            for uid, number in counted.items():
                if number > 1:
                    yield Issue(uid, data.name(plural, uid), f"{group_set.get('name')}: {number} groups")

    return run


def expression(plural: str, read: Callable[[JsonObject], JsonValue]) -> Check:
    """Objects whose expression is not well-formed."""

    def bad(data: Data, body: JsonObject) -> str | None:
        text = read(body)
        if not text:
            return None
        try:
            parse(str(text))
        except BadExpression as error:
            return str(error)
        return None

    return where(plural, bad)


def one_default(plural: str) -> Check:
    """There is exactly one object named `default`; all of them are the issue when there are more or none."""

    def run(data: Data) -> Iterator[Issue]:
        found = [body for body in data.all(plural) if body.get("name") == "default"]
        if len(found) != 1:
            yield from (issue(body) for body in found) if found else [Issue("", "default", "missing")]

    return run


# Checks of their own ---------------------------------------------------------------------------------------------------


def _aggregate(body: JsonObject) -> bool:
    return body.get("domainType") == "AGGREGATE"


def _different_periods(data: Data) -> Iterator[Issue]:
    kinds: dict[str, set[str]] = {}
    for data_set in data.all("dataSets"):
        for entry in cast("list[JsonObject]", data_set.get("dataSetElements") or []):
            kinds.setdefault(_ref(entry, "dataElement"), set()).add(str(data_set.get("periodType")))
    for uid, found in kinds.items():
        if len(found) > 1:
            yield Issue(uid, data.name("dataElements", uid), ", ".join(sorted(found)))


def _in_data_sets(data: Data) -> set[str]:
    return {_ref(entry, "dataElement") for body in data.all("dataSets")
            for entry in cast("list[JsonObject]", body.get("dataSetElements") or [])}  # fmt: skip


def _without_data_sets(data: Data) -> Iterator[Issue]:
    known = _in_data_sets(data)
    yield from (issue(body) for body in data.all("dataElements") if _aggregate(body) and str(body["id"]) not in known)


def _not_in_form(data: Data) -> Iterator[Issue]:
    """Elements of a data set that are neither in its form nor in a section."""
    for body in data.all("dataSets"):
        form = data.store.get("dataEntryForms", _ref(body, "dataEntryForm")) or {}
        sections = [
            data.store.get("sections", uid) or {} for uid in data.owners("sections", "dataSet").get(str(body["id"]), [])
        ]
        if not form and not sections:
            continue
        shown = str(form.get("htmlCode") or "")
        listed = {uid for section in sections for uid in ids(section.get("dataElements"))}
        elements = [_ref(entry, "dataElement") for entry in cast("list[JsonObject]", body.get("dataSetElements") or [])]
        lost = [uid for uid in elements if uid not in shown and uid not in listed]
        if lost:
            yield issue(body, None, [(uid, data.name("dataElements", uid)) for uid in lost])


def _last_data(data: Data) -> dict[str, str]:
    rows = data.store.connection.execute(
        "SELECT data_element, max(last_updated) FROM data_value WHERE NOT deleted GROUP BY 1"
    )
    return {row[0]: row[1] or "" for row in rows}


def _abandoned(data: Data) -> Iterator[Issue]:
    """Elements without a new value for a hundred days, and older than that themselves."""
    limit = (dt.datetime.now(dt.UTC) - dt.timedelta(days=100)).isoformat()
    known = _last_data(data)
    for body in data.all("dataElements"):
        last = known.get(str(body["id"]))
        if _aggregate(body) and last is not None and last < limit and str(body.get("lastUpdated") or "") < limit:
            yield issue(body, last)


def _no_data(data: Data) -> Iterator[Issue]:
    known = _last_data(data)
    yield from (issue(body) for body in data.all("dataElements") if _aggregate(body) and str(body["id"]) not in known)


def _periods(data: Data) -> list[Period]:
    rows = data.store.connection.execute("SELECT DISTINCT period FROM data_value")
    return [found for (text,) in rows if (found := read_period(text)) is not None]


def _future(data: Data) -> Iterator[Issue]:
    limit = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3 * 365)
    yield from (Issue(one.iso, one.iso, one.start.isoformat()) for one in _periods(data) if one.start > limit)


def _past(data: Data) -> Iterator[Issue]:
    yield from (Issue(one.iso, one.iso, one.start.isoformat()) for one in _periods(data) if one.start.year < 1900)


def _twin_periods(data: Data) -> Iterator[Issue]:
    counted = Counter((one.type.name, one.start) for one in _periods(data))
    yield from (Issue(one.iso, one.iso) for one in _periods(data) if counted[(one.type.name, one.start)] > 1)


def _without_groups(data: Data) -> Iterator[Issue]:
    known = data.owners("organisationUnitGroups", "organisationUnits")
    yield from (issue(body) for body in data.all("organisationUnits") if str(body["id"]) not in known)


def _compulsory(data: Data) -> Iterator[Issue]:
    for group_set in data.all("organisationUnitGroupSets"):
        if not group_set.get("compulsory"):
            continue
        members = {uid for group in ids(group_set.get("organisationUnitGroups"))
                   for uid in ids((data.store.get("organisationUnitGroups", group) or {}).get("organisationUnits"))}  # fmt: skip
        for body in data.all("organisationUnits"):
            if str(body["id"]) not in members:
                yield issue(body, str(group_set.get("name")))


def _outside_parent(data: Data) -> Iterator[Issue]:
    for body in data.all("organisationUnits"):
        parent = data.store.get("organisationUnits", _ref(body, "parent")) or {}
        point = shapes.point_of(cast("JsonObject", body.get("geometry") or {}))
        area = cast("JsonObject", parent.get("geometry") or {})
        if point and shapes.rings(area) and not shapes.contains(area, point):
            yield issue(body, None, [(str(parent["id"]), str(parent.get("name")))])


def _null_island(data: Data, body: JsonObject) -> bool:
    point = shapes.point_of(cast("JsonObject", body.get("geometry") or {}))
    return point is not None and abs(point[0]) < 0.0001 and abs(point[1]) < 0.0001


def _orphaned(data: Data) -> Iterator[Issue]:
    parents = data.owners("organisationUnits", "parent")
    if len(data.store.objects("organisationUnits")) > 1:
        yield from (
            issue(body)
            for body in data.all("organisationUnits")
            if not body.get("parent") and str(body["id"]) not in parents
        )


def _roots(data: Data) -> Iterator[Issue]:
    found = [body for body in data.all("organisationUnits") if not body.get("parent")]
    if len(found) > 1:
        yield from (issue(body) for body in found)


def _cycles(data: Data) -> Iterator[Issue]:
    units = data.store.objects("organisationUnits")
    for uid, body in units.items():
        seen, current = {uid}, body
        while (parent := _ref(current, "parent")) in units:
            if parent in seen:
                yield issue(body)
                break
            seen.add(parent)
            current = units[parent]


def _combo_options(data: Data, combo: str) -> list[set[str]]:
    categories = ids((data.store.get("categoryCombos", combo) or {}).get("categories"))
    return [set(ids((data.store.get("categories", uid) or {}).get("categoryOptions"))) for uid in categories]


def _disjoint(data: Data, body: JsonObject) -> bool:
    """Option combos whose options are not options of their combo's categories."""
    allowed = set[str]().union(*_combo_options(data, _ref(body, "categoryCombo")))
    return bool(set(ids(body.get("categoryOptions"))) - allowed)


def _cardinality(data: Data, body: JsonObject) -> bool:
    return len(ids(body.get("categoryOptions"))) != len(_combo_options(data, _ref(body, "categoryCombo")))


def _shared_options(data: Data, body: JsonObject) -> bool:
    counted = Counter(uid for options in _combo_options(data, str(body["id"])) for uid in options)
    return any(number > 1 for number in counted.values())


def _invalid_combo(data: Data, body: JsonObject) -> bool:
    options = _combo_options(data, str(body["id"]))
    return not options or not all(options)


_COMBO_USERS = (("dataElements", "categoryCombo"), ("dataSets", "categoryCombo"), ("programs", "categoryCombo"),
                ("dataApprovalWorkflows", "categoryCombo"))  # fmt: skip


def _unused_combo(data: Data, body: JsonObject) -> bool:
    uid = str(body["id"])
    return (
        body.get("name") != "default"
        and not any(uid in data.owners(plural, prop) for plural, prop in _COMBO_USERS)
        and (f'"categoryCombo": {{"id": "{uid}"' not in data.text("dataSets"))
    )


def _unused_options(data: Data, body: JsonObject) -> bool:
    users = ("dataElements", "trackedEntityAttributes", "attributes")
    return not any(str(body["id"]) in data.owners(plural, "optionSet") for plural in users)


def _sort_order(data: Data, body: JsonObject) -> str | None:
    members = [data.store.get("options", uid) or {} for uid in ids(body.get("options"))]
    orders = sorted(cast("int", option.get("sortOrder") or 0) for option in members)
    return None if orders == list(range(1, len(orders) + 1)) or orders == list(range(len(orders))) else str(orders)


def _outside_scope(scope: str) -> Callable[[Data, JsonObject], bool]:
    """Users who capture where they may not look."""

    def bad(data: Data, body: JsonObject) -> bool:
        allowed = set(ids(body.get(scope)))
        if not allowed:
            return False
        paths = [
            str((data.store.get("organisationUnits", uid) or {}).get("path") or uid)
            for uid in ids(body.get("organisationUnits"))
        ]
        return any(allowed.isdisjoint(path.split("/")) for path in paths)

    return bad


def _authority(name: str) -> Check:
    """Users who have an authority through one of their roles."""

    def bad(data: Data, body: JsonObject) -> bool:
        roles = (data.store.get("userRoles", uid) or {} for uid in ids(body.get("userRoles")))
        return any(name in cast("list[str]", role.get("authorities") or []) for role in roles)

    return where("users", bad)


def _actions(kinds: set[str], missing: str) -> Check:
    """Actions of these kinds that lack what they act on, told by their rule."""

    def run(data: Data) -> Iterator[Issue]:
        for action in data.all("programRuleActions"):
            if action.get("programRuleActionType") in kinds and not action.get(missing):
                rule = data.store.get("programRules", _ref(action, "programRule")) or action
                yield issue(rule, str(action.get("programRuleActionType")), [(str(action["id"]), "programRuleAction")])

    return run


_DATA_ACTIONS = {"HIDEFIELD", "SHOWWARNING", "SHOWERROR", "WARNINGONCOMPLETE", "ERRORONCOMPLETE", "ASSIGN", "SETMANDATORYFIELD",
                 "HIDEOPTION", "HIDEOPTIONGROUP", "SHOWOPTIONGROUP"}  # fmt: skip


def _data_objects(data: Data) -> Iterator[Issue]:
    for action in data.all("programRuleActions"):
        has = any(action.get(name) for name in ("dataElement", "trackedEntityAttribute", "content"))
        if action.get("programRuleActionType") in _DATA_ACTIONS and not has:
            rule = data.store.get("programRules", _ref(action, "programRule")) or action
            yield issue(rule, str(action.get("programRuleActionType")))


def _variables(source: str, missing: str) -> Check:
    """Programs with rule variables of a source that name nothing."""

    def run(data: Data) -> Iterator[Issue]:
        for variable in data.all("programRuleVariables"):
            if str(variable.get("programRuleVariableSourceType", "")).startswith(source) and not variable.get(missing):
                program = data.store.get("programs", _ref(variable, "program")) or variable
                yield issue(program, None, [(str(variable["id"]), str(variable.get("name")))])

    return run


def _rules_without_actions(data: Data, body: JsonObject) -> bool:
    return str(body["id"]) not in data.owners("programRuleActions", "programRule") and not body.get(
        "programRuleActions"
    )


def _formula(body: JsonObject) -> object:
    return re.sub(r"\s", "", f"{body.get('numerator')}/{body.get('denominator')}")


def _terms(body: JsonObject) -> object:
    """The terms of a formula in any order; one that has a single term says nothing."""
    parts = [
        tuple(sorted(re.findall(r"[#DIRNCA]\{[^}]+\}", str(body.get(side))))) for side in ("numerator", "denominator")
    ]
    return tuple(parts) if len(parts[0]) > 1 else None


def _no_strategy(data: Data, body: JsonObject) -> bool:
    return any(
        not cast("JsonObject", body.get(side) or {}).get("missingValueStrategy") for side in ("leftSide", "rightSide")
    )


def _null_events(data: Data) -> Iterator[Issue]:
    rows = data.store.connection.execute(
        "SELECT uid FROM event WHERE occurred_at IS NULL AND tracked_entity IS NULL AND NOT deleted"
    )
    yield from (Issue(uid, uid) for (uid,) in rows)


def _other_type(data: Data) -> Iterator[Issue]:
    rows = data.store.connection.execute(
        "SELECT DISTINCT n.program, t.tracked_entity_type FROM enrollment n JOIN tracked_entity t ON t.uid = n.tracked_entity "
        "WHERE NOT n.deleted AND NOT t.deleted"
    )
    for program, entity_type in rows:
        body = data.store.get("programs", program)
        if body is not None and _ref(body, "trackedEntityType") != entity_type:
            yield issue(body, data.name("trackedEntityTypes", entity_type))


def _side(name: str) -> Callable[[JsonObject], JsonValue]:
    return lambda body: cast("JsonObject", body.get(name) or {}).get("expression")


def _analysed(data: Data, body: JsonObject) -> bool:
    return data.mentioned(str(body["id"]), *_FAVOURITES)


CHECKS: Mapping[str, Check] = {
    "categories_dimensions_no_visualizations": where("categories", lambda d, b: b.get("dataDimension") and b.get("name") != "default" and not _analysed(d, b)),
    "categories_no_options": empty("categories", "categoryOptions"),
    "categories_one_default_category": one_default("categories"),
    "categories_one_default_category_combo": one_default("categoryCombos"),
    "categories_one_default_category_option": one_default("categoryOptions"),
    "categories_one_default_category_option_combo": one_default("categoryOptionCombos"),
    "categories_same_category_options": same("categories", lambda b: frozenset(ids(b.get("categoryOptions"))) or None),
    "categories_unique_category_combo": same("categoryCombos", lambda b: frozenset(ids(b.get("categories"))) or None),
    "category_combos_unused": where("categoryCombos", _unused_combo),
    "category_option_combos_disjoint": where("categoryOptionCombos", _disjoint),
    "category_option_combos_have_duplicates": same("categoryOptionCombos", lambda b: (_ref(b, "categoryCombo"), frozenset(ids(b.get("categoryOptions"))))),
    "category_option_combos_no_names": where("categoryOptionCombos", lambda d, b: not b.get("name")),
    "category_option_group_sets_scarce": scarce("categoryOptionGroupSets", "categoryOptionGroups"),
    "category_option_groups_scarce": scarce("categoryOptionGroups", "categoryOptions"),
    "category_options_default_incorrect_sharing": where("categoryOptions", lambda d, b: b.get("name") == "default" and not str(cast("JsonObject", b.get("sharing") or {}).get("public", "rwrw")).startswith("rwrw")),
    "category_options_excess_groupset_membership": exclusive("categoryOptionGroupSets", "categoryOptionGroups", "categoryOptions", "categoryOptions"),
    "category_options_no_categories": unowned("categoryOptions", "categories", "categoryOptions"),
    "category_options_shared_within_category_combo": where("categoryCombos", _shared_options),
    "catoptioncombos_no_catcombo": where("categoryOptionCombos", lambda d, b: d.store.get("categoryCombos", _ref(b, "categoryCombo")) is None),
    "cocs_wrong_cardinality": where("categoryOptionCombos", _cardinality),
    "dashboards_no_items": empty("dashboards", "dashboardItems"),
    "data_element_groups_scarce": scarce("dataElementGroups", "dataElements"),
    "data_elements_aggregate_abandoned": _abandoned,
    "data_elements_aggregate_no_analysis": where("dataElements", lambda d, b: _aggregate(b) and not d.mentioned(str(b["id"]), *_FAVOURITES, "indicators")),
    "data_elements_aggregate_no_data": _no_data,
    "data_elements_aggregate_no_groups": where("dataElements", lambda d, b: _aggregate(b) and str(b["id"]) not in d.owners("dataElementGroups", "dataElements")),
    "data_elements_aggregate_with_different_period_types": _different_periods,
    "data_elements_can_aggregate_with_none_operator": where("dataElements", lambda d, b: _aggregate(b) and b.get("valueType") in NUMERIC_TYPES and b.get("aggregationType") == "NONE"),
    "data_elements_cannot_aggregate_operator_not_none": where("dataElements", lambda d, b: _aggregate(b) and b.get("valueType") not in {*NUMERIC_TYPES, "BOOLEAN", "TRUE_ONLY"} and b.get("aggregationType") != "NONE"),
    "data_elements_in_data_set_not_in_form": _not_in_form,
    "data_elements_violating_exclusive_group_sets": exclusive("dataElementGroupSets", "dataElementGroups", "dataElements", "dataElements"),
    "data_elements_without_datasets": _without_data_sets,
    "datasets_custom_data_entry_forms_empty": where("dataSets", lambda d, b: b.get("dataEntryForm") and not (d.store.get("dataEntryForms", _ref(b, "dataEntryForm")) or {}).get("htmlCode")),
    "datasets_empty": empty("dataSets", "dataSetElements"),
    "datasets_not_assigned_to_org_units": empty("dataSets", "organisationUnits"),
    "datasets_same_name": same("dataSets", lambda b: str(b.get("name")).lower()),
    "file_resources_no_icon": where("fileResources", lambda d, b: b.get("domain") == "ICON" and not b.get("assigned")),
    "indicator_group_sets_scarce": scarce("indicatorGroupSets", "indicatorGroups"),
    "indicator_groups_scarce": scarce("indicatorGroups", "indicators"),
    "indicator_no_analysis": where("indicators", lambda d, b: not _analysed(d, b)),
    "indicator_types_duplicated": same("indicatorTypes", lambda b: (b.get("factor"), b.get("number"))),
    "indicators_duplicated_terms": same("indicators", _terms),
    "indicators_exact_duplicates": same("indicators", _formula),
    "indicators_not_grouped": unowned("indicators", "indicatorGroups", "indicators"),
    "indicators_violating_exclusive_group_sets": exclusive("indicatorGroupSets", "indicatorGroups", "indicators", "indicators"),
    "indicators_with_identical_formulas": same("indicators", _formula),
    "indicators_with_invalid_denominator": expression("indicators", lambda b: b.get("denominator")),
    "indicators_with_invalid_numerator": expression("indicators", lambda b: b.get("numerator")),
    "invalid_category_combos": where("categoryCombos", _invalid_combo),
    "option_groups_empty": empty("optionGroups", "options"),
    "option_sets_wrong_sort_order": where("optionSets", _sort_order),
    "options_sets_empty": empty("optionSets", "options"),
    "options_sets_unused": where("optionSets", _unused_options),
    "org_units_not_in_compulsory_group_sets": _compulsory,
    "org_units_with_cyclic_references": _cycles,
    "organisation_units_violating_exclusive_group_sets": exclusive("organisationUnitGroupSets", "organisationUnitGroups", "organisationUnits", "organisationUnits"),
    "organisation_units_without_groups": _without_groups,
    "orgunit_groups_scarce": scarce("organisationUnitGroups", "organisationUnits"),
    "orgunits_invalid_geometry": where("organisationUnits", lambda d, b: shapes.problem(cast("JsonObject", b["geometry"])) if b.get("geometry") else None),
    "orgunits_multiple_roots": _roots,
    "orgunits_multiple_spaces": where("organisationUnits", lambda d, b: "  " in f"{b.get('name')}|{b.get('shortName')}"),
    "orgunits_no_coordinates": where("organisationUnits", lambda d, b: not b.get("geometry")),
    "orgunits_not_contained_by_parent": _outside_parent,
    "orgunits_null_island": where("organisationUnits", _null_island),
    "orgunits_openingdate_gt_closeddate": where("organisationUnits", lambda d, b: b.get("closedDate") and str(b.get("openingDate")) > str(b["closedDate"])),
    "orgunits_orphaned": _orphaned,
    "orgunits_same_name_and_parent": same("organisationUnits", lambda b: (b.get("name"), _ref(b, "parent"))),
    "orgunits_trailing_spaces": where("organisationUnits", lambda d, b: str(b.get("shortName")) if any(str(b.get(n) or "") != str(b.get(n) or "").rstrip() for n in ("name", "shortName")) else None),
    "periods_3y_future": _future,
    "periods_distant_past": _past,
    "periods_same_start_date_period_type": _twin_periods,
    "program_indicator_groups_scarce": scarce("programIndicatorGroups", "programIndicators"),
    "program_indicators_with_invalid_expressions": expression("programIndicators", lambda b: b.get("expression")),
    "program_indicators_with_invalid_filters": expression("programIndicators", lambda b: b.get("filter")),
    "program_indicators_without_expression": where("programIndicators", lambda d, b: not b.get("expression")),
    "program_rule_actions_without_data_object": _data_objects,
    "program_rule_actions_without_notification": _actions({"SENDMESSAGE", "SCHEDULEMESSAGE"}, "templateUid"),
    "program_rule_actions_without_section": _actions({"HIDESECTION"}, "programStageSection"),
    "program_rule_actions_without_stage_id": _actions({"HIDEPROGRAMSTAGE", "CREATEEVENT", "SCHEDULEEVENT"}, "programStage"),
    "program_rule_variables_without_attribute": _variables("TEI_ATTRIBUTE", "trackedEntityAttribute"),
    "program_rule_variables_without_data_element": _variables("DATAELEMENT", "dataElement"),
    "program_rules_message_no_template": _actions({"SENDMESSAGE", "SCHEDULEMESSAGE"}, "templateUid"),
    "program_rules_no_action": where("programRules", _rules_without_actions),
    "program_rules_no_priority": where("programRules", lambda d, b: b.get("priority") is None),
    "program_rules_without_condition": where("programRules", lambda d, b: not str(b.get("condition") or "").strip()),
    "program_stages_no_programs": where("programStages", lambda d, b: not b.get("program") and str(b["id"]) not in d.owners("programs", "programStages")),
    "programs_custom_data_entry_forms_empty": where("programStages", lambda d, b: b.get("dataEntryForm") and not (d.store.get("dataEntryForms", _ref(b, "dataEntryForm")) or {}).get("htmlCode")),
    "programs_inconsistent_tracked_entity_type": _other_type,
    "push_analysis_no_recipients": empty("pushAnalysis", "recipientUserGroups"),
    "single_events_null_occurred_date": _null_events,
    "tracker_associate_is_deprecated": where("dataElements", lambda d, b: b.get("valueType") == "TRACKER_ASSOCIATE"),
    "user_groups_scarce": scarce("userGroups", "users"),
    "user_roles_no_authorities": empty("userRoles", "authorities"),
    "user_roles_with_no_users": unowned("userRoles", "users", "userRoles"),
    "users_capture_ou_not_in_data_view_ou": where("users", _outside_scope("dataViewOrganisationUnits")),
    "users_capture_ou_not_in_tei_search_ou": where("users", _outside_scope("teiSearchOrganisationUnits")),
    "users_with_all_authority": _authority("ALL"),
    "users_with_app_hub_authority": _authority("M_dhis-web-app-management"),
    "users_with_invalid_usernames": where("users", lambda d, b: not re.fullmatch(r"[\w@.-]{2,255}", str(b.get("username")))),
    "users_with_no_user_role": empty("users", "userRoles"),
    "validation_rule_groups_scarce": scarce("validationRuleGroups", "validationRules"),
    "validation_rules_missing_value_strategy_null": where("validationRules", _no_strategy),
    "validation_rules_with_invalid_left_side_expression": expression("validationRules", _side("leftSide")),
    "validation_rules_with_invalid_right_side_expression": expression("validationRules", _side("rightSide")),
    "validation_rules_without_groups": unowned("validationRules", "validationRuleGroups", "validationRules"),
}  # fmt: skip
"""Checks by the server's names. The others of its list need what the sandbox does not keep, such as who viewed what."""
