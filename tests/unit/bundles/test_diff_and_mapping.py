"""Differences that mean something, and bundles that fit another server."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.dhis2.references import Reference
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.metadata.bundles.bundle import Bundle, bundle_of, read_bundle
from dhis2sh.metadata.bundles.checking import Dangling, without
from dhis2sh.metadata.bundles.diff import diff, settled
from dhis2sh.metadata.bundles.mapping import Clash, fit
from dhis2sh.models import facts
from tests.shared import needs_shared, shared

TYPES = facts.types("v42")


def elements(*bodies: dict) -> Bundle:
    return bundle_of({"dataElements": list(bodies)}, "test")


A = {"id": "deElement01", "name": "A", "code": "DE_A", "shortName": "A", "valueType": "TEXT"}
B = {"id": "deElement02", "name": "B", "code": "DE_B", "shortName": "B", "valueType": "TEXT"}


def test_objects_added_removed_and_changed():
    found = list(diff(elements(A), elements({**A, "name": "A2", "lastUpdated": "2030-01-01"}, B), TYPES))
    assert [(one.change, one.name, one.property) for one in found] == [("changed", "A2", "name"), ("added", "B", None)]
    assert [one.change for one in diff(elements(A, B), elements(A), TYPES)] == ["removed"]


def test_the_order_of_a_list_without_one_does_not_count():
    left = {**A, "legendSets": [{"id": "lsLegends01"}, {"id": "lsLegends02"}], "aggregationLevels": [1, 2]}
    group = {"id": "degGroup001", "name": "G", "dataElements": [{"id": "x"}, {"id": "y"}]}
    turned = {**group, "dataElements": [{"id": "y"}, {"id": "x"}]}
    before, after = bundle_of({"dataElementGroups": [group]}), bundle_of({"dataElementGroups": [turned]})
    assert list(diff(before, after, TYPES)) == []
    ordered = list(diff(elements(left), elements({**left, "legendSets": left["legendSets"][::-1]}), TYPES))
    assert [one.property for one in ordered] == ["legendSets"]


def test_what_is_empty_equals_what_is_not_there():
    assert list(diff(elements(A), elements({**A, "attributeValues": [], "description": ""}), TYPES)) == []


def test_of_sharing_the_access_counts_and_not_what_groups_are_called():
    def shared_with(access: str, **more: str) -> Bundle:
        group = {"id": "ugGroup0001", "access": access, **more}
        return elements({**A, "sharing": {"public": "r-------", "users": {}, "userGroups": {"ugGroup0001": group}}})

    assert [one.property for one in diff(shared_with("r-------"), shared_with("rw------"), TYPES)] == ["sharing"]
    assert list(diff(shared_with("r-------"), shared_with("r-------", displayName="Clerks"), TYPES)) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_a_value_equals_itself(value: object):
    assert settled(value) == settled(json.loads(json.dumps(value)))  # type: ignore[arg-type]


def test_a_counterpart_by_code_takes_over_with_every_reference():
    source = bundle_of({
        "dataElements": [A],
        "indicators": [{"id": "inIndicat01", "name": "I", "numerator": "#{deElement01}*2", "denominator": "1"}],
        "dataElementGroups": [{"id": "degGroup001", "name": "G", "dataElements": [{"id": "deElement01"}]}],
    })  # fmt: skip
    there = elements({"id": "deOtherUid1", "name": "Else", "code": "DE_A"})
    mapped = fit(source, there, TYPES, ("uid", "code"))
    assert mapped.uids == {"deElement01": "deOtherUid1"}
    assert mapped.bundle.objects["dataElements"]["deOtherUid1"]["code"] == "DE_A"
    assert mapped.bundle.objects["indicators"]["inIndicat01"]["numerator"] == "#{deOtherUid1}*2"
    assert mapped.bundle.objects["dataElementGroups"]["degGroup001"]["dataElements"] == [{"id": "deOtherUid1"}]


def test_a_taken_name_is_a_clash_until_it_is_resolved():
    there = elements({"id": "deOtherUid1", "name": "A"})
    assert [str(clash) for clash in fit(elements(A), there, TYPES).clashes] == [
        "dataElements 'A' [deElement01]: its name is that of [deOtherUid1] there"
    ]
    assert fit(elements(A), there, TYPES, choose=lambda _: "map").uids == {"deElement01": "deOtherUid1"}
    assert len(fit(elements(A), there, TYPES, choose=lambda _: "skip").bundle) == 0
    renamed = fit(elements(A), there, TYPES, choose=lambda _: "rename").bundle
    assert renamed.objects["dataElements"]["deElement01"]["name"] == "A (test)"


def test_two_counterparts_of_one_name_map_nothing():
    there = elements({"id": "deOtherUid1", "name": "A"}, {"id": "deOtherUid2", "name": "A"})
    mapped = fit(elements({**A, "code": None}), there, TYPES, ("name",))
    assert mapped.uids == {}


def test_a_part_has_its_counterpart_in_the_counterpart_of_its_whole():
    """`Yes` of one option set is not `Yes` of another, though it is the only one of that name."""
    yes = {"id": "opYes000001", "name": "Yes", "code": "YES", "optionSet": {"id": "osSource001"}}
    source = bundle_of({"options": [yes], "optionSets": [{"id": "osSource001", "name": "Agreed", "code": "AGREED"}]})
    other = {**yes, "id": "opYes000002", "optionSet": {"id": "osOther0001"}}
    there = {"optionSets": [{"id": "osOther0001", "name": "Done"}], "options": [other]}
    assert fit(source, bundle_of(there), TYPES, ("code", "name")).uids == {}
    there["optionSets"].append({"id": "osTarget001", "name": "Agreed by all", "code": "AGREED"})
    there["options"].append({**yes, "id": "opYes000003", "optionSet": {"id": "osTarget001"}})
    assert fit(source, bundle_of(there), TYPES, ("code", "name")).uids == {
        "osSource001": "osTarget001", "opYes000001": "opYes000003",
    }  # fmt: skip


def test_other_unique_properties_clash_too_and_cannot_be_renamed():
    levels = bundle_of({"organisationUnitLevels": [{"id": "lvProvince1", "name": "Province", "level": 2}]})
    there = bundle_of({"organisationUnitLevels": [{"id": "lvRegion001", "name": "Region", "level": 2}]})
    mapped = fit(levels, there, TYPES, choose=lambda _: "rename")
    assert [clash.property for clash in mapped.clashes] == ["level"]
    assert fit(levels, there, TYPES, choose=lambda _: "map").uids == {"lvProvince1": "lvRegion001"}


def test_a_longer_name_still_fits():
    there = elements({"id": "deOtherUid1", "name": "N" * 230, "shortName": "S" * 50, "code": "C" * 50})
    body = {**A, "name": "N" * 230, "shortName": "S" * 50, "code": "C" * 50}
    renamed = fit(elements(body), there, TYPES, choose=lambda _: "rename").bundle.objects["dataElements"]["deElement01"]
    assert (len(renamed["name"]), len(renamed["shortName"]), len(renamed["code"])) == (230, 50, 50)
    assert renamed["name"].endswith("N (test)")
    assert renamed["code"].endswith("C_TEST")


def test_two_objects_that_map_to_one_are_one_and_the_second_is_told():
    twins = elements(A, {**B, "code": "DE_A"})
    mapped = fit(twins, elements({"id": "deOtherUid1", "name": "E", "code": "DE_A"}), TYPES, ("code",))
    assert len(mapped.bundle) == 1
    assert [clash.uid for clash in mapped.skipped] == ["deElement02"]


def test_what_a_server_computes_of_embedded_objects_does_not_count():
    row = {"id": "ptRow000001", "mandatory": True, "trackedEntityAttribute": {"id": "teAttribut1"}}
    told = {**row, "displayName": "Weight", "valueType": "TEXT", "access": {"read": True}, "sharing": {"users": {}},
            "trackedEntityAttribute": {"id": "teAttribut1", "name": "Weight"}}  # fmt: skip
    programs = [
        bundle_of({"programs": [{"id": "prProgram01", "programTrackedEntityAttributes": [each]}]})
        for each in (row, told)
    ]
    assert list(diff(*programs, TYPES)) == []


def test_false_is_not_said_and_zero_is():
    assert list(diff(elements(A), elements({**A, "zeroIsSignificant": False}), TYPES)) == []
    legend = {"legends": [{"id": "leLegend001", "startValue": 0}]}
    before, after = (
        {"legendSets": [{"id": "lsLegends01", **body}]} for body in (legend, {"legends": [{"id": "leLegend001"}]})
    )
    assert [one.property for one in diff(bundle_of(before), bundle_of(after), TYPES)] == ["legends"]


def test_left_out_references_take_their_rows_with_them_where_those_mean_nothing_else():
    body = {
        "id": "dsDataSet01", "categoryCombo": {"id": "ccMissing01"}, "organisationUnits": [{"id": "ouKept00001"}, {"id": "ouMissing01"}],
        "dataSetElements": [
            {"dataElement": {"id": "deKept00001"}, "categoryCombo": {"id": "ccMissing01"}}, {"dataElement": {"id": "deMissing01"}},
        ],
    }  # fmt: skip
    arrows = [
        Dangling("dataSets", "dsDataSet01", "D", Reference("x", uid, None))
        for uid in ("ccMissing01", "ouMissing01", "deMissing01")
    ]
    rest = without(bundle_of({"dataSets": [body]}), arrows)
    assert rest.objects["dataSets"]["dsDataSet01"] == {
        "id": "dsDataSet01", "organisationUnits": [{"id": "ouKept00001"}],
        "dataSetElements": [{"dataElement": {"id": "deKept00001"}}],
    }  # fmt: skip


def test_a_clash_says_which_property(tmp_path: Path):
    assert "code" in str(Clash("dataElements", "deElement01", "A", "code", "deOtherUid1"))


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b'{"dataElements": [{"id"', UsageError, "cut off"),
        (gzip.compress(b'{"dataElements": []}', mtime=0)[:-6], UsageError, "cut off"),
        (b"[1]", UsageError, "not an export"),
        (b'{"system": {}}', UsageError, "holds no metadata"),
    ],
)
def test_a_broken_file_is_named(content: bytes, error: type[Exception], says: str, tmp_path: Path):
    path = tmp_path / "bundle.json"
    path.write_bytes(content)
    with pytest.raises(error, match=says):
        read_bundle(path)


def test_a_missing_file_is_not_found(tmp_path: Path):
    with pytest.raises(NotFound, match="cannot be read"):
        read_bundle(tmp_path / "none.json")


async def test_a_bundle_written_is_read_again(tmp_path: Path):
    path = tmp_path / "bundle.json.gz"
    await elements(A, B).write(path)
    first = path.read_bytes()
    await elements(A, B).write(path)
    assert path.read_bytes() == first, "the same content is the same file"
    assert list(diff(read_bundle(path), elements(A, B), TYPES)) == []


@needs_shared
def test_the_real_export_differs_from_itself_in_nothing():
    bundle = read_bundle(shared("real", "v42", "metadata.json.gz"))
    again = read_bundle(shared("real", "v42", "metadata.json.gz"))
    assert list(diff(bundle, again, TYPES)) == []
    assert len(bundle) == 1637
