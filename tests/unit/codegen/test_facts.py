import gzip
import json
from pathlib import Path

import pytest

from dhis2sh.models import facts
from tests.shared import needs_shared, shared

ROOT = Path(__file__).resolve().parents[3]


def without_base(value: object) -> object:
    if isinstance(value, dict):
        return {
            k: v.partition("/api/")[2] if k in {"href", "apiEndpoint"} else without_base(v) for k, v in value.items()
        }
    return [without_base(item) for item in value] if isinstance(value, list) else value


@needs_shared
@pytest.mark.parametrize("version", facts.VERSIONS)
def test_the_facts_rebuild_what_the_server_said(version: str) -> None:
    recorded = json.loads(gzip.decompress(shared("real", version, "schemas.json.gz").read_bytes()))
    assert without_base(facts.schemas(version, "http://x")) == without_base(recorded)


@pytest.mark.parametrize("version", facts.VERSIONS)
def test_the_shipped_facts_are_the_manifests(version: str) -> None:
    kept = ROOT / "codegen" / "manifests" / version / "schemas.json"
    shipped = ROOT / "generated" / "dhis2_models" / version / "schemas.json"
    assert kept.read_bytes() == shipped.read_bytes()


def test_a_resource_knows_its_properties() -> None:
    value_type = facts.resources("v42")["dataElements"].properties["valueType"]
    assert value_type.kind == "CONSTANT"
    assert "NUMBER" in value_type.constants
    assert facts.resources("v42")["dataElements"].properties["categoryCombo"].target == "categoryCombos"


def test_a_type_says_what_its_properties_have_in_common():
    elements = facts.resources("v42")["dataElements"]

    assert repr(elements) == "<Resource dataElements>"
    assert "code" in elements.owner
    assert "displayName" not in elements.owner
    assert {"name", "shortName", "valueType", "aggregationType", "domainType"} <= {*elements.required}
    assert {"id", "code"} <= {*elements.unique}
    assert elements.enums["domainType"] == ("AGGREGATE", "TRACKER")
    assert elements.references["legendSets"] == "legendSets"
    assert "aggregationLevels" not in elements.references
    assert {"legendSets", "aggregationLevels"} <= {*elements.collections}


def test_embedded_types_have_no_endpoint():
    types, resources = facts.types("v42"), facts.resources("v42")

    assert types["programStageDataElements"].endpoint is None
    assert "programStageDataElements" not in resources
    assert len(resources) < len(types)
    assert types["dataElements"] is resources["dataElements"]


@pytest.mark.parametrize("read", [facts.types, facts.resources, facts.schemas])
def test_a_version_without_facts_is_named_with_those_that_there_are(read):
    with pytest.raises(KeyError, match=r"no facts of DHIS2 v39; there are v40, v41, v42, v43, v44"):
        read("v39")
