"""The seeded country: always the same, whole in itself, shaped as a real export, lazy when it is large."""

from __future__ import annotations

import hashlib
import json
import re
import tracemalloc
from collections import Counter, defaultdict
from datetime import date
from functools import cache
from itertools import islice, pairwise
from typing import Any

import pytest

from dhis2sh.models import facts
from dhis2sh.sandbox.seed.aggregate import RULES
from dhis2sh.sandbox.seed.book import uid
from dhis2sh.sandbox.seed.country import Size, country
from tests.shared import needs_shared, shared

UID = re.compile(r"[a-zA-Z][a-zA-Z0-9]{10}")
# What examples, documents and stored answers count on. A change here is a change for all of them.
SMALL_METADATA = "9d6276033e1ce914"
SMALL_DATA = "c29ac17841552bc1"


@cache
def metadata(size: Size = "small") -> dict[str, list[dict[str, Any]]]:
    """All objects by type; for reading only."""
    body: Any = country(size).metadata()
    return {plural: objects for plural, objects in body.items() if plural != "system"}


@cache
def values() -> list[dict[str, Any]]:
    return list(country().data_values())


def named(plural: str, name: str) -> dict[str, Any]:
    return next(one for one in metadata()[plural] if one["name"] == name)


def digest(*things: object) -> str:
    return hashlib.sha256(json.dumps(things, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]


def references(thing: object, path: str = "") -> list[tuple[str, str]]:
    """Every `{"id": ...}` in an object with its path, but not the object's own id."""
    if isinstance(thing, list):
        return [found for one in thing for found in references(one, path)]
    if not isinstance(thing, dict):
        return []
    found = [(path, thing["id"])] if path and "id" in thing and len(thing) == 1 else []
    return found + [pair for key, value in thing.items() for pair in references(value, f"{path}.{key}")]


# --- the same in every run -------------------------------------------------------------------------------------------


def test_two_runs_are_equal_and_own_what_they_give():
    first, second = country().metadata(), country().metadata()
    assert first == second
    first["organisationUnits"][0]["createdBy"]["name"] = "somebody else"
    assert first["organisationUnits"][1]["createdBy"] != first["organisationUnits"][0]["createdBy"]


def test_nothing_changed_since_the_examples_were_written():
    here = country()
    assert digest(here.metadata()) == SMALL_METADATA
    assert digest(*here.data_values(), *here.tracked_entities(), *here.events(), *here.completeness()) == SMALL_DATA


def test_uids_of_the_default_category_model_are_those_of_dhis2():
    defaults = {
        plural: named(plural, "default")["id"] for plural in ("categoryOptions", "categories", "categoryCombos")
    }
    assert defaults == {
        "categoryOptions": "xYerKDKCefk",
        "categories": "GLevLNI9wkl",
        "categoryCombos": "bjDvmb4bfuf",
    }
    assert named("categoryOptionCombos", "default")["id"] == "HllvX50cXC0"


def test_the_year_moves_dates_and_periods_but_no_uid():
    later = country(year=2031)
    assert {value["period"][:4] for value in map(dict, later.data_values())} == {"2031"}
    assert [unit["id"] for unit in later.metadata()["organisationUnits"]] == [
        unit["id"] for unit in metadata()["organisationUnits"]
    ]


# --- whole in itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["small", "medium"])
def test_every_uid_is_valid_and_used_once(size: Size):
    uids = [one["id"] for objects in metadata(size).values() for one in objects]
    assert [one for one in uids if not UID.fullmatch(one)] == []
    assert [one for one, times in Counter(uids).items() if times > 1] == []


@pytest.mark.parametrize("size", ["small", "medium"])
def test_every_reference_leads_to_an_object(size: Size):
    known = {one["id"] for objects in metadata(size).values() for one in objects}
    dangling = [
        (plural, one["name"] if "name" in one else one["id"], path, target)
        for plural, objects in metadata(size).items()
        for one in objects
        for path, target in references(one)
        if target not in known and not path.endswith("dashboardItems")
    ]
    assert dangling == []


def test_uids_inside_expressions_and_rules_lead_to_an_object():
    known = {one["id"] for objects in metadata().values() for one in objects}
    texts = [
        text
        for plural in (
            "indicators",
            "validationRules",
            "predictors",
            "programIndicators",
            "programNotificationTemplates",
        )
        for one in metadata()[plural]
        for text in re.findall(r"[#A]\{([^}]+)\}", json.dumps(one))
    ]
    assert len(texts) > 15
    assert [part for text in texts for part in text.split(".") if part not in known] == []
    variables = {one["name"] for one in metadata()["programRuleVariables"]}
    used = {name for rule in metadata()["programRules"] for name in re.findall(r"#\{(\w+)\}", rule["condition"])}
    assert used <= variables


def test_both_sides_of_a_relation_agree():
    stages = {one["id"]: one for one in metadata()["programStages"]}
    for program in metadata()["programs"]:
        assert {stages[one["id"]]["program"]["id"] for one in program["programStages"]} == {program["id"]}
    rules = {one["id"]: one for one in metadata()["programRules"]}
    for action in metadata()["programRuleActions"]:
        assert {"id": action["id"]} in rules[action["programRule"]["id"]]["programRuleActions"]
    sets = {one["id"]: one for one in metadata()["optionSets"]}
    for option in metadata()["options"]:
        assert {"id": option["id"]} in sets[option["optionSet"]["id"]]["options"]


def test_category_option_combos_are_every_combination():
    combos = metadata()["categoryOptionCombos"]
    by_combo = Counter(one["categoryCombo"]["id"] for one in combos)
    sizes = {one["name"]: by_combo[one["id"]] for one in metadata()["categoryCombos"]}
    assert sizes == {"default": 1, "Age and sex": 6, "Age under five": 2, "Funding": 3}
    assert len({(one["categoryCombo"]["id"], one["name"]) for one in combos}) == len(combos)


def test_the_hierarchy_is_one_tree_of_four_levels():
    units = {one["id"]: one for one in metadata()["organisationUnits"]}
    assert Counter(one["level"] for one in units.values()) == {1: 1, 2: 4, 3: 12, 4: 60}
    for unit in units.values():
        above = f"{units[unit['parent']['id']]['path']}/" if "parent" in unit else "/"
        assert unit["path"] == above + unit["id"]
        assert unit["level"] == unit["path"].count("/")


def test_geometry_is_closed_and_facilities_lie_in_their_district():
    units = {one["id"]: one for one in metadata()["organisationUnits"]}
    inside = 0
    for unit in units.values():
        shape = unit.get("geometry")
        if unit["level"] < 4:
            (ring,) = shape["coordinates"]
            assert ring[0] == ring[-1]
            assert len(ring) >= 5
        elif shape:
            (ring,) = units[unit["parent"]["id"]]["geometry"]["coordinates"]
            inside += contains(ring, shape["coordinates"])
    assert inside == 59


def contains(ring: list[list[float]], point: list[float]) -> bool:
    """Whether a point is inside a ring, by counting the sides that a ray crosses."""
    x, y = point
    crossed = [
        (x1, y1)
        for (x1, y1), (x2, y2) in pairwise(ring)
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1
    ]
    return len(crossed) % 2 == 1


# --- shaped as a real export -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("plural", sorted(metadata()))
def test_properties_are_those_of_the_schema(plural: str):
    known = facts.resources("v42")[plural].properties
    for one in metadata()[plural]:
        unknown = [name for name in one if name not in known or not known[name].owner]
        assert [name for name in unknown if name not in {"id", "level", "path"}] == []
        missing = [name for name, fact in known.items() if fact.required and fact.persisted and name not in one]
        assert missing == [], one
        wrong = {
            name: value
            for name, value in one.items()
            if name in known and known[name].kind == "CONSTANT" and value not in known[name].constants
        }
        assert wrong == {}


@needs_shared
def test_what_every_object_of_a_real_export_has_is_here_too():
    import gzip

    real = json.loads(gzip.decompress(shared("real", "v42", "metadata.json.gz").read_bytes()))
    absent: dict[str, set[str]] = {}
    for plural, objects in metadata().items():
        if plural in real:
            always = set.intersection(*(set(one) for one in real[plural]))
            absent[plural] = {name for one in objects for name in always - set(one)}
    # The default category model was made by the server itself; the rest of the differences are optional texts.
    # A rule's action that shows a text has no data element.
    accepted = {"code", "description", "createdBy", "legendSets", "lastLogin", "openId"}
    absent["programRuleActions"].discard("dataElement")
    assert {plural: names - accepted for plural, names in absent.items() if names - accepted} == {}


@pytest.mark.parametrize("size", ["small", "medium"])
def test_names_are_unique_and_short_enough(size: Size):
    for plural, objects in metadata(size).items():
        for field, longest in (("name", 230), ("shortName", 50)):
            found = [one[field] for one in objects if field in one]
            assert max(map(len, found), default=0) <= longest, plural
            assert [name for name in found if name != name.strip() or not name] == [], plural
            if plural != "programStageSections":
                assert [name for name, times in Counter(found).items() if times > 1] == [], plural
        codes = [one["code"] for one in objects if "code" in one and plural != "options"]
        assert len(codes) == len(set(codes)), plural


def test_there_is_one_of_everything_that_examples_need():
    types = metadata()
    assert {view["type"] for view in types["sqlViews"]} == {"VIEW", "QUERY", "MATERIALIZED_VIEW"}
    charts = {chart["type"] for chart in types["visualizations"]}
    assert charts == {"COLUMN", "LINE", "PIVOT_TABLE", "SINGLE_VALUE", "PIE"}
    assert {program["programType"] for program in types["programs"]} == {"WITH_REGISTRATION", "WITHOUT_REGISTRATION"}
    assert len({element["valueType"] for element in types["dataElements"]}) >= 15
    assert {element["domainType"] for element in types["dataElements"]} == {"AGGREGATE", "TRACKER"}
    report = named("dataSets", "Health facility monthly report")
    assert report["compulsoryDataElementOperands"]
    assert {one["dataSet"]["id"] for one in types["sections"]} == {report["id"]}
    assert named("dataSets", "Vaccine stock")["dataEntryForm"]
    assert {one["periodType"] for one in types["dataSets"]} == {"Monthly", "Weekly"}
    assert any(one.get("closedDate") for one in types["organisationUnits"])
    assert any(one["attributeValues"] for one in types["dataElements"])
    assert any(one["sharing"]["userGroups"] for one in types["dataSets"])
    french = [text for objects in types.values() for one in objects for text in one.get("translations", [])]
    assert {text["locale"] for text in french} == {"fr"}
    assert {item["type"] for board in types["dashboards"] for item in board["dashboardItems"]} >= {
        "VISUALIZATION",
        "MAP",
    }
    beyond_latin_1 = [one["name"] for one in types["organisationUnits"] if max(one["name"]) > "\u00ff"]
    assert {"Šeluvek", "Łomarin"} <= set(beyond_latin_1)


def test_admin_may_do_everything():
    admin = next(user for user in metadata()["users"] if user["username"] == "admin")
    roles = {one["id"]: one for one in metadata()["userRoles"]}
    assert [roles[one["id"]]["authorities"] for one in admin["userRoles"]] == [["ALL"]]


# --- the mistakes that are meant -------------------------------------------------------------------------------------


def test_the_imperfections_are_there():
    types = metadata()
    grouped = {one["id"] for group in types["dataElementGroups"] for one in group["dataElements"]}
    loose = [one["name"] for one in types["dataElements"] if one["id"] not in grouped]
    assert loose == ["Malaria, cases confirmed"]
    assert [one["name"] for one in types["organisationUnits"] if "geometry" not in one] != []
    owners = named("organisationUnitGroupSets", "Facility ownership")["organisationUnitGroups"]
    owned = {
        unit["id"]
        for group in types["organisationUnitGroups"]
        if {"id": group["id"]} in owners
        for unit in group["organisationUnits"]
    }
    assert len([one for one in types["organisationUnits"] if one["level"] == 4 and one["id"] not in owned]) == 1
    assert [rule["name"] for rule in types["programRules"] if "!#{apgar}" in rule["condition"]] == [
        "Ask for the Apgar score"
    ]


def test_values_violate_every_validation_rule_but_mostly_hold():
    totals: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for value in values():
        if value["value"].isdigit():
            totals[value["orgUnit"], value["period"]][value["dataElement"]] += int(value["value"])
    for name, left, _, right, _ in RULES:
        sides = [uid(f"dataElements/{side}") for side in (left, right)]
        pairs = [[found[side] for side in sides] for found in totals.values() if all(side in found for side in sides)]
        broken = [pair for pair in pairs if pair[0] > pair[1]]
        assert 0 < len(broken) < len(pairs) / 2, name


# --- data ------------------------------------------------------------------------------------------------------------


def test_a_year_of_values_with_gaps():
    assert 30_000 < len(values()) < 40_000
    keys = {
        tuple(v[k] for k in ("dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo"))
        for v in values()
    }
    assert len(keys) == len(values())
    periods = {value["period"] for value in values()}
    assert {f"2025{month:02d}" for month in range(1, 13)} | {f"2025W{week}" for week in range(1, 53)} == periods
    reports = {(value["orgUnit"], value["period"]) for value in values() if "W" not in value["period"]}
    assert 0.5 < len(reports) / (60 * 12) < 0.9
    closed = {one["id"] for one in metadata()["organisationUnits"] if one.get("closedDate")}
    assert (
        max(value["period"] for value in values() if value["orgUnit"] in closed and "W" not in value["period"])
        == "202506"
    )


def test_values_belong_where_they_are():
    sets = {element["dataElement"]["id"]: one for one in metadata()["dataSets"] for element in one["dataSetElements"]}
    assigned = {one["id"]: {unit["id"] for unit in one["organisationUnits"]} for one in metadata()["dataSets"]}
    elements = {one["id"]: one for one in metadata()["dataElements"]}
    combos: dict[str, set[str]] = defaultdict(set)
    for one in metadata()["categoryOptionCombos"]:
        combos[one["categoryCombo"]["id"]].add(one["id"])
    for value in values():
        data_set, element = sets[value["dataElement"]], elements[value["dataElement"]]
        assert value["orgUnit"] in assigned[data_set["id"]]
        assert value["categoryOptionCombo"] in combos[element["categoryCombo"]["id"]]
        assert value["attributeOptionCombo"] in combos[data_set["categoryCombo"]["id"]]
        assert ("W" in value["period"]) == (data_set["periodType"] == "Weekly")


VALID = {
    "INTEGER_ZERO_OR_POSITIVE": lambda text: int(text) >= 0,
    "INTEGER_POSITIVE": lambda text: int(text) > 0,
    "INTEGER": int,
    "NUMBER": float,
    "PERCENTAGE": lambda text: 0 <= float(text) <= 100,
    "BOOLEAN": lambda text: text in {"true", "false"},
    "TRUE_ONLY": lambda text: text == "true",
    "DATE": date.fromisoformat,
    "TEXT": str,
    "LONG_TEXT": str,
}


def test_values_fit_their_value_type():
    elements = {one["id"]: one for one in metadata()["dataElements"]}
    codes = {one["id"]: set[str]() for one in metadata()["optionSets"]}
    for option in metadata()["options"]:
        codes[option["optionSet"]["id"]].add(option["code"])
    recorded = [(value["dataElement"], value["value"]) for value in values()]
    for event in all_events():
        recorded += [(value["dataElement"], value["value"]) for value in event["dataValues"]]
    seen: set[str] = set()
    for element_id, text in recorded:
        element = elements[element_id]
        seen.add(element["valueType"])
        assert VALID[element["valueType"]](text) is not False, (element["name"], text)
        if "optionSet" in element:
            assert text in codes[element["optionSet"]["id"]]
    assert seen == set(VALID)


@pytest.mark.parametrize("size", ["small", "medium"])
def test_outliers_are_few_and_far_off(size: Size):
    by_cell: dict[tuple[object, ...], list[float]] = defaultdict(list)
    counted = [one["id"] for one in metadata(size)["dataElements"] if one["valueType"] == "INTEGER_ZERO_OR_POSITIVE"]
    wanted = set(counted)
    for value in map(dict, country(size).data_values()):
        if value["dataElement"] in wanted:
            by_cell[value["dataElement"], value["orgUnit"], value["categoryOptionCombo"]].append(float(value["value"]))
    # A month twelve times the cell's middle value, and not a small number.
    far = sum(number > 12 * sorted(row)[len(row) // 2] + 20 for row in by_cell.values() for number in row)
    assert 50 < far <= 200


def all_events() -> list[dict[str, Any]]:
    persons: list[Any] = list(country().tracked_entities())
    single: list[Any] = list(country().events())
    return [event for one in persons for enrolment in one["enrollments"] for event in enrolment["events"]] + single


def test_tracker_data_refer_to_the_metadata():
    known = {one["id"] for objects in metadata().values() for one in objects}
    persons: list[Any] = list(country().tracked_entities())
    assert len(persons) == 120
    for person in persons:
        enrolment = person["enrollments"][0]
        named_here = [person["trackedEntityType"], person["orgUnit"], enrolment["program"], enrolment["orgUnit"]]
        assert known.issuperset(named_here + [one["attribute"] for one in person["attributes"]])
    events = all_events()
    assert len({event["event"] for event in events}) == len(events) > 250
    fields = {
        stage["id"]: [one["dataElement"]["id"] for one in stage["programStageDataElements"]]
        for stage in metadata()["programStages"]
    }
    for event in events:
        recorded = [value["dataElement"] for value in event["dataValues"]]
        assert set(recorded) <= set(fields[event["programStage"]])
        assert fields[event["programStage"]][0] in recorded, "the first field of a stage is compulsory"
        assert (event["status"] == "COMPLETED") == ("completedAt" in event)
    assert {event["status"] for event in events} == {"ACTIVE", "COMPLETED"}
    assert [one for one in map(str, (person["trackedEntity"] for person in persons)) if not UID.fullmatch(one)] == []


def test_registrations_are_of_reports_that_came():
    reports = {(value["orgUnit"], value["period"]) for value in values()}
    registered: list[Any] = list(country().completeness())
    assert {(one["organisationUnit"], one["period"]) for one in registered} < reports


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_medium_has_1300_units_500_data_elements_and_300000_values():
    types = metadata("medium")
    assert (len(types["organisationUnits"]), len(types["dataElements"])) == (1300, 500)
    assert sum(1 for _ in country("medium").data_values()) == pytest.approx(300_000, rel=0.05)


@pytest.mark.no_cover  # the small country is measured
def test_large_streams_its_values_and_keeps_memory_flat():
    tracemalloc.start()
    try:
        values_ = country("large").data_values()
        first = list(islice(values_, 1000))
        assert len(first) == 1000
        del first
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert sum(1 for _ in islice(values_, 60_000)) == 60_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 2_000_000


@pytest.mark.no_cover  # the small country is measured
def test_large_has_100000_units_and_20000_data_elements_with_searchable_names():
    types = metadata("large")
    units, elements = types["organisationUnits"], types["dataElements"]
    assert (len(units), len(elements)) == (100_000, 20_000)
    for objects in (units, elements):
        assert len({one["name"] for one in objects}) == len({one["id"] for one in objects}) == len(objects)
        assert len({one["shortName"] for one in objects}) == len(objects)
        assert max(len(one["shortName"]) for one in objects) <= 50
    assert sum("Kęstrava 000" in one["name"] or "Kęstrava 00" in one["name"] for one in units) > 100
    metadata.cache_clear()
