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
