"""What an object refers to: its own references, those of what it embeds, and the UIDs in its expressions."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping

import pytest

from dhis2sh.dhis2.properties import EXPRESSIONS, PEOPLE
from dhis2sh.dhis2.references import (
    belongs_to_instance,
    leads_to_places,
    looked_through,
    objects_in,
    paths_to,
    references,
)
from dhis2sh.models import facts
from dhis2sh.models.facts import Resource
from tests.shared import needs_shared, shared

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


def _told(resource: Resource, types: Mapping[str, Resource], depth: int) -> dict:
    """An object of a type that refers to something wherever its schema lets it, in what it embeds too."""
    body: dict = {}
    for name, prop in resource.properties.items():
        if name in PEOPLE or not (prop.owner or (depth < 3 and not resource.persisted)):
            continue
        target = types.get(prop.target or "")
        if target is not None and (target.metadata or prop.reference) and not target.embedded:
            value: object = {"id": f"{name[:8]:x<9}{depth:02}"}
        elif target is not None and depth:
            value = _told(target, types, depth - 1)
        else:
            continue
        body[name] = [value] if prop.collection else value
    return body


@pytest.mark.parametrize("version", ["v40", "v41", "v42", "v43", "v44"])
def test_what_leads_forwards_is_found_backwards_on_every_path_of_the_schemas(version: str):
    types = facts.types(version)
    ways = {(kind, path, plural) for plural in types for kind, path in paths_to(plural, types)}
    whole = looked_through(types)
    met = 0
    for resource in types.values():
        if not (resource.endpoint and resource.metadata):
            continue
        for ref in references(resource, _told(resource, types, 3), types):
            if belongs_to_instance(ref) or ref.path == "attributeValues.attribute":
                continue
            if ref.path.endswith(f".{resource.singular}"):
                continue  # back to the whole that holds it
            met += 1
            held = ref.property in whole.get(resource.plural, ())
            assert held or (resource.plural, ref.path, ref.type) in ways, f"{resource.plural}.{ref.path}"
    assert met > 150


@pytest.mark.parametrize("version", ["v41", "v42", "v43", "v44"])
def test_a_filter_is_trusted_only_where_a_table_is_behind_it(version: str):
    types = facts.types(version)
    assert ("visualizations", "legend.set") in set(paths_to("legendSets", types))
    assert {"legend", "dataDimensionItems"} <= looked_through(types)["visualizations"]
    assert "mapViews" in looked_through(types)["maps"]
    assert "translations" not in looked_through(types).get("dataElements", ())
    for plural, names in looked_through(types).items():
        assert "attributeValues" not in names, plural


@needs_shared
def test_every_reference_of_a_real_server_is_found_backwards():
    body = json.loads(gzip.decompress(shared("real/v42/metadata.json.gz").read_bytes()))
    whole = looked_through(TYPES)
    ways = {(kind, path) for plural in TYPES for kind, path in paths_to(plural, TYPES)}
    named = {(kind, place.path) for kind, places in EXPRESSIONS.items() for place in places}
    met: set[tuple[str, str]] = set()
    for plural, items in body.items():
        if plural in TYPES and isinstance(items, list):
            for item in items:
                owned = {
                    name: item[name] for name, prop in TYPES[plural].properties.items() if prop.owner and name in item
                }
                met |= {
                    (plural, ref.path)
                    for ref in references(TYPES[plural], owned, TYPES)
                    if not belongs_to_instance(ref)
                }
    lost = {
        (plural, path)
        for plural, path in met - ways - named
        if path.partition(".")[0] not in whole.get(plural, ()) and path != "attributeValues.attribute"
    }
    assert len(met) > 60
    assert not lost
