"""Rules of aggregate analytics that were seen on servers: what is asked, refused, left out, named and written how."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dhis2sh.sandbox.analytics import build
from dhis2sh.types import JsonObject
from tests.sandbox.nation import DEFAULT, FEMALE, MALE, Caller, nation

NATION, MONTH = "dimension=ou:ouNation001", "dimension=pe:202501"
VISITS = f"dimension=dx:deVisits001&{MONTH}&{NATION}"


def element(uid: str, aggregation: str, **more: object) -> JsonObject:
    return {"id": uid, "name": uid, "shortName": uid, "valueType": "NUMBER", "domainType": "AGGREGATE",
            "aggregationType": aggregation, "categoryCombo": {"id": "bjDvmb4bfuf"}, **more}  # type: ignore[dict-item]  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Caller]:
    with nation() as caller:
        elements = [
            element("deZeroSum01", "SUM", zeroIsSignificant=True), element("deZeroMean1", "AVERAGE"),
            element("deSpread001", "STDDEV"), element("deNone00001", "NONE"), element("dePeople001", "AVERAGE_SUM_ORG_UNIT"),
        ]  # fmt: skip
        projects = [{"id": uid, "name": uid, **more} for uid, more in (
            ("optWater001", {}), ("optRoads001", {"organisationUnits": [{"id": "ouSouth0001"}]}))]  # fmt: skip
        caller.store.put_objects({
            "dataElements": elements,
            "categoryOptions": projects,
            "categories": [{"id": "catProject1", "name": "Project", "dataDimensionType": "ATTRIBUTE", "dataDimension": True,
                            "categoryOptions": [{"id": "optWater001"}, {"id": "optRoads001"}]}],
            "categoryCombos": [{"id": "ccProject01", "name": "Project", "dataDimensionType": "ATTRIBUTE",
                                "categories": [{"id": "catProject1"}]}],
            "categoryOptionCombos": [{"id": f"comb{uid[3:8]}01", "name": uid, "categoryCombo": {"id": "ccProject01"},
                                      "categoryOptions": [{"id": uid}]} for uid in ("optWater001", "optRoads001")],
            "dataSets": [
                {"id": "dsYearly001", "name": "Yearly", "periodType": "Yearly", "categoryCombo": {"id": "bjDvmb4bfuf"},
                 "dataSetElements": [{"dataElement": {"id": "dePeople001"}, "dataSet": {"id": "dsYearly001"}}],
                 "organisationUnits": [{"id": "ouClinicA01"}]},
                {"id": "dsWeekly001", "name": "Weekly", "periodType": "Weekly", "categoryCombo": {"id": "ccProject01"},
                 "dataSetElements": [], "organisationUnits": [{"id": f"ouClinic{letter}01"} for letter in "ABC"]},
            ],
        })  # type: ignore[dict-item]  # fmt: skip
        rows = [
            ("deZeroSum01", "202501", 0), ("deZeroMean1", "202501", 0), ("deZeroMean1", "202502", 4),
            ("deSpread001", "202501", 7), ("deNone00001", "202501", 3), ("dePeople001", "2025", 900),
        ]  # fmt: skip
        caller.store.connection.executemany(
            "INSERT INTO data_value (data_element, period, org_unit, category_option_combo, attribute_option_combo, value) "
            "VALUES (?, ?, 'ouClinicA01', ?, ?, ?)",
            [(uid, period, DEFAULT, DEFAULT, str(number)) for uid, period, number in rows],
        )
        caller.store.connection.commit()
        build.build(caller.store)
        yield caller


def rows(sandbox: Caller, query: str) -> list[list[str]]:
    answer = sandbox.get(f"/api/analytics?{query}")
    assert answer.status_code == 200, answer.text
    return sorted(answer.json()["rows"])


# What counts ---------------------------------------------------------------------------------------------------------


def test_a_zero_counts_in_averages_only(sandbox: Caller) -> None:
    assert rows(sandbox, f"dimension=dx:deZeroSum01;deZeroMean1&dimension=pe:202501;2025Q1&{NATION}") == [
        ["deZeroMean1", "202501", "ouNation001", "0"], ["deZeroMean1", "2025Q1", "ouNation001", "2"],
    ]  # fmt: skip
    sandbox.post("/api/systemSettings/keyIncludeZeroValuesInAnalytics?value=true")
    build.build(sandbox.store)
    assert rows(sandbox, f"dimension=dx:deZeroSum01&{MONTH}&{NATION}") == [
        ["deZeroSum01", "202501", "ouNation001", "0"]
    ]
    sandbox.delete("/api/systemSettings/keyIncludeZeroValuesInAnalytics")
    build.build(sandbox.store)


def test_an_average_over_a_year_holds_for_its_months_and_a_sum_does_not(sandbox: Caller) -> None:
    asked = f"dimension=dx:dePeople001&dimension=pe:202501;2025Q2;2025;2024&{NATION}"
    assert [row[1::2] for row in rows(sandbox, asked)] == [["2025", "900"], ["202501", "900"], ["2025Q2", "900"]]
    assert [row[1::2] for row in rows(sandbox, f"{asked}&aggregationType=SUM")] == [["2025", "900"]]


def test_of_one_value_the_deviation_is_zero(sandbox: Caller) -> None:
    assert rows(sandbox, f"dimension=dx:deSpread001&{MONTH}&{NATION}") == [
        ["deSpread001", "202501", "ouNation001", "0"]
    ]


def test_what_does_not_add_up_is_refused_or_given_as_it_is(sandbox: Caller) -> None:
    refused = sandbox.ask(f"/api/analytics?dimension=dx:deNone00001;deVisits001&{MONTH}&{NATION}")
    assert refused["errorCode"] == "E7115" and "[deNone00001]" in str(refused["message"])
    assert rows(sandbox, f"dimension=dx:deColour001&{MONTH}&{NATION}") == [
        ["deColour001", "202501", "ouNation001", "RED"]
    ]
    unseen = sandbox.get(f"/api/analytics?filter=dx:deColour001&{MONTH}&{NATION}")
    assert unseen.status_code == 501
    raw = rows(sandbox, f"dimension=dx:deStock0001&{MONTH}&{NATION}&aggregationType=NONE")
    assert raw == [["deStock0001", "202501", "ouNation001", "100"]]


def test_expected_reports_are_units_times_options_times_periods(sandbox: Caller) -> None:
    def expected(period: str, more: str = NATION) -> list[list[str]]:
        return rows(sandbox, f"dimension=dx:dsWeekly001.EXPECTED_REPORTS&dimension=pe:{period}&{more}")

    # Three clinics for water, one of them for roads too; a month has four weeks, a quarter 13, whatever the calendar says.
    assert [expected(period)[0][-1] for period in ("2025W2", "202501", "2025Q1", "2025")] == ["4", "16", "52", "208"]
    split = expected("2025W2", "dimension=catProject1&filter=ou:ouNation001")
    assert [(row[2], row[-1]) for row in split] == [("optRoads001", "1"), ("optWater001", "3")]
    clinic = sandbox.store.get("organisationUnits", "ouClinicC01") or {}
    sandbox.store.put_objects({"organisationUnits": [{**clinic, "closedDate": "2025-06-30T00:00:00.000"}]})
    assert (expected("2025W2")[0][-1], expected("2025W40")[0][-1]) == ("4", "2")
    sandbox.store.put_objects({"organisationUnits": [clinic]})
    by_group = sandbox.get(f"/api/analytics?dimension=dx:dsWeekly001.EXPECTED_REPORTS&{MONTH}&dimension=catSex00001")
    assert by_group.status_code == 501  # no report has a sex
    dates = "startDate=2025-01-01&endDate=2025-01-31"
    assert (
        sandbox.ask(f"/api/analytics?dimension=dx:dsWeekly001.REPORTING_RATE&{NATION}&{dates}")["errorCode"] == "E7107"
    )


# What is asked -------------------------------------------------------------------------------------------------------


def test_a_star_stands_for_all_option_combos(sandbox: Caller) -> None:
    asked = f"deVisits001.*;deVisits001.{MALE}.*;deVisits001.*.{DEFAULT};deVisits001.{FEMALE}.{DEFAULT}"
    answer = sandbox.ask(f"/api/analytics?dimension=dx:{asked}&{MONTH}&filter=ou:ouNation001")
    assert {row[0]: row[-1] for row in answer["rows"]} == {  # type: ignore[union-attr, index, misc]
        "deVisits001": "36", f"deVisits001.{MALE}": "15", f"deVisits001.*.{DEFAULT}": "36",
        f"deVisits001.{FEMALE}.{DEFAULT}": "21",
    }  # fmt: skip
    names = {uid: item["name"] for uid, item in answer["metaData"]["items"].items() if uid.startswith("deVisits")}  # type: ignore[index, union-attr, call-overload]
    assert names == {
        "deVisits001": "Visits", f"deVisits001.{MALE}": "Visits Male", f"deVisits001.*.{DEFAULT}": "Visits",
        f"deVisits001.{FEMALE}.{DEFAULT}": "Visits Female",
    }  # fmt: skip
    assert answer["metaData"]["dimensions"]["co"] == []  # type: ignore[index, call-overload]


def test_without_org_units_the_user_sees_what_may_be_viewed(sandbox: Caller) -> None:
    everything = f"/api/analytics?dimension=dx:deVisits001&{MONTH}"
    assert sandbox.ask(everything)["rows"] == [["deVisits001", "202501", "36"]]
    admin = sandbox.store.get("users", "M5zQapPyTZI") or {}
    limited = {**admin, "dataViewOrganisationUnits": [{"id": "ouSouth0001"}]}
    sandbox.store.put_objects({"users": [limited]})
    answer = sandbox.ask(everything)
    assert answer["rows"] == [["deVisits001", "202501", "1"]]
    assert answer["metaData"]["dimensions"]["ou"] == ["ouSouth0001"] and answer["metaData"]["items"]["ou"] == {}  # type: ignore[index, call-overload]
    assert sandbox.ask(f"{everything}&{NATION}")["errorCode"] == "E7120"
    sandbox.store.put_objects({"users": [admin]})


def test_other_org_units_may_stand_for_the_users_own(sandbox: Caller) -> None:
    answer = sandbox.ask(
        f"/api/analytics?dimension=dx:deVisits001&{MONTH}&dimension=ou:USER_ORGUNIT&userOrgUnit=ouNorth0001;ouSouth0001"
    )
    assert [row[2:] for row in answer["rows"]] == [["ouNorth0001", "35"], ["ouSouth0001", "1"]]  # type: ignore[union-attr, index]
    assert answer["metaData"]["items"]["USER_ORGUNIT"] == {"organisationUnits": ["ouNation001"]}  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (f"dimension=dx:deVisits001&{MONTH}&dimension=ou:", 409, "E7143"),
        (f"dimension=dx:deVisits001&{MONTH}&dimension=ou:LEVEL-9", 409, "E7143"),
        (f"dimension=dx:deVisits001&{MONTH}&dimension=ou:ouMissing01", 409, "E7143"),
        # Of several faults the first is said.
        (f"{VISITS}&startDate=2025-02-01&endDate=2025-01-01", 409, "E7105"),
        (f"filter=dx:deVisits001;inShareF001&{MONTH}&{NATION}", 409, "E7108"),
        (f"dimension=dx:dsMonthly01.REPORTING_RATE&dimension=co&{MONTH}&{NATION}", 409, "E7112"),
        (f"dimension=dx:dsMonthly01.REPORTING_RATE&filter=co&{MONTH}&{NATION}", 409, "E7110"),
        (f"dimension=dx:inShareF001&dimension=co&{MONTH}&{NATION}", 409, "E7113"),
        (f"{VISITS}&aggregationType=NOPE", 400, None),
        (f"{VISITS}&displayProperty=NOPE", 400, None),
        (f"{VISITS}&tableLayout=true&columns=pe&rows=ou&showHierarchy=true", 501, None),
    ],
)
def test_refusals(sandbox: Caller, query: str, status: int, code: str | None) -> None:
    answer = sandbox.get(f"/api/analytics?{query}")
    assert (answer.status_code, answer.json().get("errorCode")) == (status, code)


def test_a_span_of_months_is_a_period_without_data(sandbox: Caller) -> None:
    assert rows(sandbox, f"dimension=dx:deVisits001&dimension=pe:202501_202503&{NATION}") == []


# How it is written ---------------------------------------------------------------------------------------------------


def test_other_identifiers_come_with_the_metadata_only(sandbox: Caller) -> None:
    assert rows(sandbox, f"{VISITS}&outputIdScheme=NAME") == [["Visits", "January 2025", "Nation", "36"]]
    assert rows(sandbox, f"{VISITS}&outputIdScheme=NAME&skipMeta=true") == [
        ["deVisits001", "202501", "ouNation001", "36"]
    ]
    raw = sandbox.ask(f"/api/analytics/rawData.json?{VISITS}&outputIdScheme=NAME&skipMeta=true")["rows"]
    assert {row[1] for row in raw} == {"Clinic A", "Clinic B", "Clinic C"}  # type: ignore[union-attr, index]


def test_a_root_has_two_strokes_before_its_name(sandbox: Caller) -> None:
    meta = sandbox.ask(f"/api/analytics?{VISITS};ouNorth0001&showHierarchy=true")["metaData"]
    assert meta["ouNameHierarchy"] == {"ouNation001": "//Nation", "ouNorth0001": "/Nation/North"}  # type: ignore[index, call-overload]


@pytest.mark.parametrize("ending", ["xml", "html", "html%2Bcss", "csv"])
def test_a_format_has_an_ending_of_its_own(sandbox: Caller, ending: str) -> None:
    text = sandbox.get(f"/api/analytics.{ending}?{VISITS}", headers={"Accept": "text/plain"}).text
    assert "ouNation001" in text and ">36<" in text.replace(",36\n", ">36<")


@pytest.mark.parametrize("path", ["analytics", "analytics.pdf"])
def test_a_format_without_one_is_not_acceptable(sandbox: Caller, path: str) -> None:
    accepted = "text/csv" if path == "analytics" else "*/*"
    answer = sandbox.get(f"/api/{path}?{VISITS}", headers={"Accept": accepted})
    assert answer.status_code == 406 and "application&#47;json, application&#47;javascript" in answer.text
    assert sandbox.get(f"/api/analytics?{VISITS}", headers={"Accept": "application/json;q=0.9"}).status_code == 200


@pytest.mark.parametrize("path", ["rawData.xlsx", "dataValueSet.xml", "outlierDetection.xls"])
def test_a_format_that_nobody_has_looked_into_is_not_made_up(sandbox: Caller, path: str) -> None:
    more = "&dx=deVisits001&pe=2025" if "outlier" in path else ""
    assert sandbox.get(f"/api/analytics/{path}?{VISITS}{more}").status_code == 501


def test_value_sets_need_every_column(sandbox: Caller) -> None:
    def say(query: str) -> tuple[int, object]:
        answer = sandbox.get(f"/api/analytics/dataValueSet.json?{query}")
        return answer.status_code, answer.json().get("message") or answer.json()["dataValues"]

    assert say(f"dimension=dx:deVisits001&filter=pe:202501&{NATION}") == (400, "Period header does not exist")
    assert say(f"dimension=dx:deVisits001&{MONTH}") == (400, "Org unit header does not exist")
    status, found = say(f"{VISITS}&outputIdScheme=NAME")
    assert (status, found[0]["dataElement"], found[0]["orgUnit"]) == (200, "Visits", "Nation")  # type: ignore[index]
    _, found = say(f"dimension=dx:deVisits001.*&{MONTH}&{NATION}")
    assert found[0]["dataElement"] == "null"  # type: ignore[index]
    text = sandbox.get(f"/api/analytics/dataValueSet.csv?{VISITS}").text.splitlines()
    assert text[0].startswith("data_element,period,organisation_unit,") and text[1] == (
        "deVisits001,202501,ouNation001,,,36,,,,[aggregated],false"
    )


# Maps and what can be asked for --------------------------------------------------------------------------------------


def test_org_units_have_shapes_on_a_map(sandbox: Caller) -> None:
    clinic = sandbox.store.get("organisationUnits", "ouClinicA01") or {}
    shaped = {**clinic, "geometry": {"type": "Point", "coordinates": [10.5, 5]}}
    sandbox.store.put_objects({"organisationUnits": [shaped]})
    found = sandbox.get("/api/geoFeatures?ou=ou:LEVEL-3&includeGroupSets=true").json()
    assert found == [
        {"id": "ouClinicA01", "na": "Clinic A", "hcd": False, "hcu": False, "le": 3, "pg": "ouNation001/ouNorth0001",
         "pi": "ouNorth0001", "pn": "North", "ty": 1, "co": "[10.5,5]", "dimensions": {"ougsPlace01": "ougUrban001"}}
    ]  # fmt: skip
    sandbox.store.put_objects({"organisationUnits": [clinic]})
    assert sandbox.get("/api/geoFeatures").status_code == 400
    assert sandbox.get("/api/geoFeatures?ou=ou:ouMissing01").json()["errorCode"] == "E7143"
    assert sandbox.get("/api/geoFeatures?ou=ou:ouNation001&coordinateField=x").status_code == 501


def test_dimensions_that_limit_and_those_that_fit(sandbox: Caller) -> None:
    limits = sandbox.ask("/api/dimensions/constraints?fields=id")["dimensions"]
    assert limits == [{"id": "catProject1"}]
    fitting = sandbox.ask("/api/dimensions/recommendations?dimension=dx:deVisits001&fields=id")["dimensions"]
    assert fitting == [{"id": "ougsPlace01"}, {"id": "catSex00001"}]
    assert sandbox.ask("/api/dimensions/dimMissing1/items")["items"] == []
    shown = sandbox.ask("/api/dimensions/ougsPlace01?fields=items[id,name]")["items"]
    assert shown == [{"id": "ougUrban001", "name": "Urban"}, {"id": "ougRural001", "name": "Rural"}]


@pytest.mark.parametrize(("text", "code"), [("nope:eq:1", "E2034"), ("name:token:x", "E2035"), ("name", "E2014")])
def test_filters_of_data_items(sandbox: Caller, text: str, code: str) -> None:
    assert sandbox.ask(f"/api/dataItems?filter={text}")["errorCode"] == code


def test_data_sets_are_data_items(sandbox: Caller) -> None:
    found = sandbox.ask("/api/dataItems?filter=dimensionItemType:eq:DATA_SET&fields=id&order=name:asc")["dataItems"]
    assert found == [{"id": "dsMonthly01"}, {"id": "dsWeekly001"}, {"id": "dsYearly001"}]


def test_members_of_a_group_are_counted_below_each_unit(sandbox: Caller) -> None:
    """Whoever else is asked for (analytics-own-elements: one below a clinic, one below its chiefdom)."""
    indicator = {"id": "inOfGroup01", "name": "Per clinic", "indicatorType": {"id": "itPercent01"},
                 "numerator": "#{deVisits001}", "denominator": "OUG{ougClinics1}"}  # fmt: skip
    members = [{"id": f"ouClinic{letter}01"} for letter in "ABC"]
    sandbox.store.put_objects({
        "indicators": [indicator], "indicatorTypes": [{"id": "itPercent01", "name": "Number", "factor": 1}],
        "organisationUnitGroups": [{"id": "ougClinics1", "name": "Clinics", "organisationUnits": members}],
    })  # type: ignore[dict-item]  # fmt: skip

    def below(*units: str) -> dict[str, str]:
        asked = f"dimension=dx:inOfGroup01&{MONTH}&dimension=ou:{';'.join(units)}&includeNumDen=true"
        return {row[2]: row[5] for row in rows(sandbox, asked)}

    units = ["ouNation001", "ouNorth0001", "ouSouth0001", "ouClinicA01"]
    alone = {unit: each for one in units for unit, each in below(one).items()}
    assert below(*units) == alone
    assert (alone["ouNation001"], alone["ouNorth0001"], alone["ouClinicA01"]) == ("3.0", "2.0", "1.0")
    together = rows(sandbox, f"dimension=dx:inOfGroup01&{MONTH}&filter=ou:ouNorth0001;ouSouth0001&includeNumDen=true")
    assert [row[4] for row in together] == ["3.0"]
