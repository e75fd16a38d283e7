"""The guard of what is sent (`tests.sent`) knows what servers read."""

from tests.sent import unread_of, unread_parameters


def test_keys_and_parameters_that_a_server_passes_over_are_found():
    run = {"ou": "ouCountry01", "startDate": "2025-01-01", "vrg": "vrgSome0001"}
    assert unread_of("dataAnalysis/validationRules", run) == set()
    assert unread_of("dataAnalysis/validationRules", run | {"validationRuleGroupId": "x"}) == {
        f"dataAnalysis/validationRules: {version} reads no .validationRuleGroupId" for version in ("v42", "v44")
    }
    assert unread_of("dataApprovals/approvals", {"wf": ["x"], "approvals": [{"ou": "x", "unit": "y"}]}) == {
        f"dataApprovals/approvals: {version} reads no .approvals[].unit" for version in ("v42", "v44")
    }
    assert unread_of("constants", {"anything": 1}) == set()


def test_parameters_that_a_server_passes_over_are_found():
    assert unread_parameters("audits/dataValue", {"de", "ou", "page"}) == set()
    assert unread_parameters("audits/dataValue", {"dataElement"}) == {"audits/dataValue: no parameter dataElement"}
    assert unread_parameters("dataElements", {"anything"}) == set()
