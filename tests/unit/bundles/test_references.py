"""What an object refers to: its own references, those of what it embeds, and the UIDs in its expressions."""

from __future__ import annotations

from dhis2sh.dhis2.references import belongs_to_instance, leads_to_places, objects_in, references
from dhis2sh.models import facts

TYPES = facts.types("v42")


def arrows(plural: str, body: dict) -> set[tuple[str, str, str | None]]:
    return {(ref.path, ref.uid, ref.type) for ref in references(TYPES[plural], body, TYPES)}


def test_references_and_embedded_rows():
    body = {
        "id": "dsDataSet01",
        "categoryCombo": {"id": "bjDvmb4bfuf"},
        "dataSetElements": [{"dataSet": {"id": "dsDataSet01"}, "dataElement": {"id": "deElement01"}}],
        "organisationUnits": [{"id": "ouFacility1"}],
    }
    assert arrows("dataSets", body) == {
        ("categoryCombo", "bjDvmb4bfuf", "categoryCombos"),
        ("dataSetElements.dataElement", "deElement01", "dataElements"),
        ("organisationUnits", "ouFacility1", "organisationUnits"),
    }


def test_what_no_schema_describes_is_known_by_its_name():
    body = {
        "id": "viChart0001",
        "dataDimensionItems": [{"indicator": {"id": "inIndicat01"}, "dataDimensionItemType": "INDICATOR"}],
    }
    assert arrows("visualizations", body) == {("dataDimensionItems.indicator", "inIndicat01", "indicators")}


def test_an_embedded_object_is_no_reference_but_leads_on():
    item = {"id": "diItem00001", "type": "VISUALIZATION", "visualization": {"id": "viChart0001"}}
    assert arrows("dashboards", {"id": "daBoard0001", "dashboardItems": [item]}) == {
        ("dashboardItems.visualization", "viChart0001", "visualizations")
    }


def test_uids_in_expressions():
    body = {
        "id": "inIndicat01",
        "numerator": "#{deElement01.cocOption01} + I{piProgram01} * C{coConstant1}",
        "denominator": "OUG{ougGroup001} + R{dsDataSet01.REPORTING_RATE} + D{prProgram01.deElement02}",
    }
    assert arrows("indicators", body) == {
        ("numerator", "deElement01", None),
        ("numerator", "cocOption01", None),
        ("numerator", "piProgram01", "programIndicators"),
        ("numerator", "coConstant1", "constants"),
        ("denominator", "ougGroup001", "organisationUnitGroups"),
        ("denominator", "dsDataSet01", "dataSets"),
        ("denominator", "prProgram01", "programs"),
        ("denominator", "deElement02", "dataElements"),
    }


def test_people_and_sharing_belong_to_one_instance_and_places_are_told_apart():
    body = {
        "id": "deElement01",
        "createdBy": {"id": "usPerson001", "username": "admin"},
        "sharing": {"owner": "usPerson001", "users": {}, "userGroups": {"ugGroup0001": {"id": "ugGroup0001"}}},
    }
    assert all(map(belongs_to_instance, references(TYPES["dataElements"], body, TYPES)))
    unit = {"id": "ouFacility1", "parent": {"id": "ouDistrict1"}}
    assert all(map(leads_to_places, references(TYPES["organisationUnits"], unit, TYPES)))


def test_objects_that_an_object_refers_to_or_holds_are_told_without_who_made_its_parts():
    body = {
        "id": "dsDataSet01",
        "categoryCombo": {"id": "ccDefault01"},
        "dataSetElements": [
            {"id": "dsElement01", "dataElement": {"id": "deElement01"}, "lastUpdatedBy": {"id": "usPerson001"}}
        ],
        "sections": [{"id": "seSection01", "sortOrder": 1, "dataElements": [{"id": "deElement02"}]}],
        "sharing": {"owner": "usPerson002", "users": {}, "userGroups": {"ugGroup0001": {"id": "ugGroup0001"}}},
    }
    assert set(objects_in(TYPES["dataSets"], body, TYPES)) == {
        ("categoryCombos", "ccDefault01"),
        ("dataElements", "deElement01"),
        ("sections", "seSection01"),
        ("dataElements", "deElement02"),
        ("userGroups", "ugGroup0001"),
    }
