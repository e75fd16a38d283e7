"""A country of two districts and three clinics that fits on a page, for tests of data and analytics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load
from dhis2sh.sandbox.store.database import Store
from dhis2sh.types import JsonObject

DEFAULT = "HllvX50cXC0"
MALE, FEMALE = "combMale001", "combFemale1"


def _unit(uid: str, name: str, parent: str | None = None, **more: object) -> JsonObject:
    body: JsonObject = {"id": uid, "name": name, "shortName": name, "openingDate": "2000-01-01T00:00:00.000", **more}  # type: ignore[dict-item]
    return body | ({"parent": {"id": parent}} if parent else {})


def _element(uid: str, name: str, **more: object) -> JsonObject:
    return {
        "id": uid, "name": name, "shortName": name, "valueType": "NUMBER", "domainType": "AGGREGATE",
        "aggregationType": "SUM", "categoryCombo": {"id": "bjDvmb4bfuf"}, **more,
    }  # type: ignore[dict-item]  # fmt: skip


def metadata() -> dict[str, list[JsonObject]]:
    """Everything but data."""
    elements = [
        _element("deVisits001", "Visits", categoryCombo={"id": "ccSex000001"}),
        _element("deStock0001", "Stock", aggregationType="LAST", zeroIsSignificant=True),
        _element("deTemp00001", "Temperature", aggregationType="AVERAGE"),
        _element("deColour001", "Colour", valueType="TEXT", optionSet={"id": "osColours01"}, aggregationType="NONE"),
        _element("deAlive0001", "Power is on", valueType="BOOLEAN"),
    ]
    return {
        "users": [
            {"id": "M5zQapPyTZI", "username": "admin", "firstName": "admin", "surname": "admin", "name": "admin admin",
             "userRoles": [{"id": "yrB6vc5Ip3r"}], "organisationUnits": [{"id": "ouNation001"}],
             "dataViewOrganisationUnits": [{"id": "ouNation001"}]},
        ],
        "organisationUnits": [
            _unit("ouNation001", "Nation", code="N"),
            _unit("ouNorth0001", "North", "ouNation001"), _unit("ouSouth0001", "South", "ouNation001"),
            _unit("ouClinicA01", "Clinic A", "ouNorth0001"), _unit("ouClinicB01", "Clinic B", "ouNorth0001"),
            _unit("ouClinicC01", "Clinic C", "ouSouth0001"),
        ],
        "organisationUnitLevels": [
            {"id": f"oulLevel00{level}", "name": name, "level": level}
            for level, name in ((1, "Country"), (2, "District"), (3, "Clinic"))
        ],
        "organisationUnitGroups": [
            {"id": "ougUrban001", "name": "Urban", "organisationUnits": [{"id": "ouClinicA01"}, {"id": "ouClinicC01"}]},
            {"id": "ougRural001", "name": "Rural", "organisationUnits": [{"id": "ouClinicB01"}]},
        ],
        "organisationUnitGroupSets": [
            {"id": "ougsPlace01", "name": "Place", "dataDimension": True,
             "organisationUnitGroups": [{"id": "ougUrban001"}, {"id": "ougRural001"}]},
        ],
        "categoryOptions": [{"id": "optMale0001", "name": "Male"}, {"id": "optFemale01", "name": "Female"}],
        "categories": [
            {"id": "catSex00001", "name": "Sex", "dataDimensionType": "DISAGGREGATION", "dataDimension": True,
             "categoryOptions": [{"id": "optMale0001"}, {"id": "optFemale01"}]},
        ],
        "categoryCombos": [
            {"id": "ccSex000001", "name": "Sex", "dataDimensionType": "DISAGGREGATION",
             "categories": [{"id": "catSex00001"}]},
        ],
        "categoryOptionCombos": [
            {"id": MALE, "name": "Male", "categoryCombo": {"id": "ccSex000001"},
             "categoryOptions": [{"id": "optMale0001"}]},
            {"id": FEMALE, "name": "Female", "categoryCombo": {"id": "ccSex000001"},
             "categoryOptions": [{"id": "optFemale01"}]},
        ],
        "optionSets": [{"id": "osColours01", "name": "Colours", "valueType": "TEXT", "options": [{"id": "optnRed0001"}]}],
        "options": [{"id": "optnRed0001", "code": "RED", "name": "Red", "optionSet": {"id": "osColours01"}}],
        "dataElements": elements,
        "dataElementGroups": [
            {"id": "degAll00001", "name": "All", "dataElements": [{"id": "deVisits001"}, {"id": "deTemp00001"}]},
        ],
        "indicatorTypes": [{"id": "itPercent01", "name": "Per cent", "factor": 100}],
        "indicators": [
            {"id": "inShareF001", "name": "Share of women", "shortName": "Women", "indicatorType": {"id": "itPercent01"},
             "numerator": f"#{{deVisits001.{FEMALE}}}", "denominator": "#{deVisits001}", "annualized": False},
            {"id": "inGrowth001", "name": "Growth", "shortName": "Growth", "indicatorType": {"id": "itPercent01"},
             "numerator": "#{deVisits001} - #{deVisits001}.periodOffset(-1)", "denominator": "1", "annualized": False},
        ],
        "dataSets": [
            {"id": "dsMonthly01", "name": "Monthly", "periodType": "Monthly", "openFuturePeriods": 1, "timelyDays": 15,
             "categoryCombo": {"id": "bjDvmb4bfuf"},
             "dataSetElements": [
                 {"dataElement": {"id": str(body["id"])}, "dataSet": {"id": "dsMonthly01"}} for body in elements
             ],
             "organisationUnits": [{"id": f"ouClinic{letter}01"} for letter in "ABC"]},
        ],
        "dataApprovalLevels": [
            {"id": "dalCountry1", "name": "Country", "level": 1, "orgUnitLevel": 1},
            {"id": "dalDistrict", "name": "District", "level": 2, "orgUnitLevel": 2},
            {"id": "dalClinic01", "name": "Clinic", "level": 3, "orgUnitLevel": 3},
        ],
        "dataApprovalWorkflows": [
            {"id": "dawMonthly1", "name": "Monthly", "periodType": "Monthly",
             "dataApprovalLevels": [{"id": "dalCountry1"}, {"id": "dalDistrict"}, {"id": "dalClinic01"}]},
        ],
    }  # fmt: skip


def value(element: str, period: str, unit: str, text: object, combo: str = DEFAULT) -> JsonObject:
    """One data value."""
    return {"dataElement": element, "period": period, "orgUnit": unit, "categoryOptionCombo": combo, "value": str(text)}


VALUES: list[JsonObject] = [
    value("deVisits001", "202501", "ouClinicA01", 10, MALE), value("deVisits001", "202501", "ouClinicA01", 20, FEMALE),
    value("deVisits001", "202501", "ouClinicB01", 5, MALE), value("deVisits001", "202501", "ouClinicC01", 1, FEMALE),
    value("deVisits001", "202502", "ouClinicA01", 40, MALE), value("deVisits001", "202502", "ouClinicC01", 2, MALE),
    value("deStock0001", "202501", "ouClinicA01", 100), value("deStock0001", "202503", "ouClinicA01", 70),
    value("deStock0001", "202502", "ouClinicC01", 9),
    value("deTemp00001", "202501", "ouClinicA01", 20), value("deTemp00001", "202501", "ouClinicB01", 25),
    value("deTemp00001", "202502", "ouClinicA01", 30),
    value("deColour001", "202501", "ouClinicA01", "RED"), value("deAlive0001", "202501", "ouClinicA01", "true"),
]  # fmt: skip


class Caller(TestClient):
    """Asks the sandbox as admin and gives the JSON of what it says."""

    store: Store

    def ask(self, path: str, method: str = "GET", **more: object) -> JsonObject:
        """The body of an answer."""
        return self.request(method, path, **more).json()  # type: ignore[arg-type, no-any-return]


@contextmanager
def nation(version: str | None = None) -> Iterator[Caller]:
    """The sandbox with the small country and its analytics tables.

    Parameters:
        version: of the server that it mimics.
    """
    store = open_store(version=version)
    load(store, metadata())
    load(store, {"dataValues": VALUES})
    with Caller(create_app(store)) as caller:
        caller.auth = ("admin", "district")
        caller.store = store
        yield caller
    store.close()
