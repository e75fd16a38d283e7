"""Nothing of a package is dropped without a word: each of its properties is written, named as adapted, or has no meaning."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.dhis2.properties import NAMES, SHARING
from dhis2sh.metadata.bundles.adapting import NOBODYS, WORKED_OUT, Adapted, adapt
from dhis2sh.metadata.bundles.bundle import bundle_of
from dhis2sh.metadata.bundles.report import PackageReport
from dhis2sh.metadata.other_side import is_kept_elsewhere
from dhis2sh.models import facts
from dhis2sh.models.facts import Resource
from dhis2sh.session import Session
from tests.metadata.calls import call, planned
from tests.metadata.conftest import NEW
from tests.shared import needs_shared, shared

TYPES = facts.types("v42")
NO_MEANING = {"isDefault", "registration", "formType", "itemCount", "displayContent", "displayExecutionDateLabel",
              "displayEnrollmentDateLabel", "displaySubtitle"}  # fmt: skip
"""What a server works out of other properties that are there."""
OF_ROWS = NAMES | {"type", "valueType", "shortName", "contentCount", "interpretationCount"}
"""The same in embedded rows: of what they refer to."""
PACKAGES = ("codfr36", "covac35", "crvs36", "epi36", "hiv36", "htn", "ke1", "mal36")


def _lost(resource: Resource, before: Any, after: Any, noted: set[str]) -> Iterator[str]:
    """The properties of an object that say something and are neither in what is written nor named."""
    for name, value in before.items():
        if value in (None, "", [], {}, False) or name in NOBODYS | SHARING | WORKED_OUT | NO_MEANING | noted:
            continue
        prop = resource.properties.get(name)
        if prop is not None and is_kept_elsewhere(prop):
            continue  # `other_side` names these
        if name not in after:
            yield f"{resource.plural}.{name} = {str(value)[:60]}"
            continue
        inner = TYPES.get(prop.target or "") if prop is not None else None
        if inner is None or not isinstance(value, list) or len(value) != len(after[name]):
            continue
        for row, kept in zip(value, after[name], strict=True):
            if isinstance(row, dict) and not row.keys() <= NAMES | {"level", "path"}:
                yield from _lost(inner, row, kept, noted | OF_ROWS)


def _noted(adapted: Adapted) -> set[str]:
    """The names that the report speaks of; `legend.hidden` is of the property `legend`."""
    names = {one.property for one in adapted.changes}
    return names | {name.partition(".")[0] for name in names}


@needs_shared
@pytest.mark.parametrize("package", PACKAGES)
def test_every_property_of_a_package_is_written_or_named(package: str):
    body = json.loads(gzip.decompress(shared("real", "outside", "packages", f"{package}.json.gz").read_bytes()))
    bundle = bundle_of(body, package)
    adapted = adapt(bundle, TYPES)
    noted = _noted(adapted)
    lost = {
        text
        for plural, objects in adapted.bundle.objects.items()
        for uid, after in objects.items()
        for text in _lost(TYPES[plural], bundle.objects[plural][uid], after, noted)
    }
    assert lost == set()
    assert bundle.objects.keys() - adapted.bundle.objects.keys() <= adapted.left_out.keys() | {
        plural for plural, objects in bundle.objects.items() if not objects
    }


@pytest.mark.parametrize(
    "plural", ["dataElements", "dataSets", "indicators", "programIndicators", "trackedEntityAttributes"]
)
def test_a_single_legend_set_becomes_the_list_of_them(plural: str):
    body = {"id": "deNumber009", "name": "New", "shortName": "New", "legendSet": {"id": "lsLegend001"}}
    adapted = adapt(bundle_of({plural: [{**body, "legendSets": []}]}), TYPES)
    assert adapted.bundle.objects[plural]["deNumber009"]["legendSets"] == [{"id": "lsLegend001"}]
    assert [(one.property, one.how) for one in adapted.changes] == [("legendSet", "is called legendSets by now")]
    both = adapt(bundle_of({plural: [{**body, "legendSets": [{"id": "lsLegend001"}]}]}), TYPES)
    assert both.bundle.objects[plural]["deNumber009"]["legendSets"] == [{"id": "lsLegend001"}]
    assert both.changes == []
    other = adapt(bundle_of({plural: [{**body, "legendSets": [{"id": "lsLegend002"}]}]}), TYPES)
    assert [one.how for one in other.changes] == ["is left out: legendSets says another"]


def test_what_a_type_only_inherits_is_named():
    body = {
        "id": "deGroup0009",
        "name": "All",
        "shortName": "All",
        "legendSet": {"id": "lsLegend001"},
        "aggregationType": "SUM",
    }
    adapted = adapt(bundle_of({"dataElementGroups": [body]}), TYPES)
    assert {one.property for one in adapted.changes} == {"legendSet", "aggregationType"}
    assert all(one.how.startswith("is left out") for one in adapted.changes)


async def test_a_legend_set_that_is_nowhere_is_a_decision(session: Session, tmp_path: Path):
    file = tmp_path / "package.json"
    file.write_text(json.dumps({"dataElements": [{**NEW, "legendSet": {"id": "lsLegend001"}}]}))
    plan = await planned(session, "metadata package install", file=file)
    assert plan.blocked is not None
    assert isinstance(plan.report, PackageReport)
    assert [one.about.partition(":")[0] for one in plan.report.decide] == ["lsLegend001"]


async def test_what_others_keep_is_named_when_it_is_only_looked_at(session: Session, tmp_path: Path):
    file = tmp_path / "package.json"
    groups = {**NEW, "dataElementGroups": [{"id": "deGroup0001"}]}
    file.write_text(json.dumps({"dataElements": [groups]}))
    report = await call(session, "metadata package plan", file=file)
    said = "would be lost: dataElementGroups of 1 data element (deNumber009): "
    assert any(line.startswith(said) for line in report.line().splitlines())
    assert any(line.startswith(said) for line in report.afterwards().splitlines())


def test_a_text_that_is_too_long_by_now_costs_no_object():
    """2.44 takes 255 characters of a data element's description, all others any number."""
    types = facts.types("v44")
    element = {**NEW, "description": "word " * 60, "formName": "form " * 60}
    adapted = adapt(bundle_of({"dataElements": [element]}), types)
    [body] = adapted.bundle.objects["dataElements"].values()
    assert len(str(body["description"])) <= 255
    assert str(body["description"]).endswith(" ...")
    assert "formName" not in body
    said = {(one.property, one.how) for one in adapted.changes}
    assert ("description", "is cut to the 255 characters that this version takes") in said
    assert any(name == "formName" and "is left out: it is longer" in how for name, how in said)
    [same] = (
        adapt(bundle_of({"dataElements": [{**NEW, "description": "word " * 60}]}), TYPES)
        .bundle.objects["dataElements"]
        .values()
    )
    assert same["description"] == "word " * 60
