"""What is sent to addresses that are no metadata has keys and parameters that a server reads: others it passes over, and does more.

A run of a group's validation rules was one of all rules once, since the key of the group was called otherwise.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest

MANIFESTS = Path(__file__).parents[1] / "codegen" / "manifests"
VERSIONS = ("v42", "v44")
READ_AS = {
    r"dataAnalysis/validationRules": "ValidationRulesAnalysisParams",
    r"dataValues/followups": "DataValuesFollowUpRequest",
    r"organisationUnits/merge": "OrgUnitMergeQuery",
    r"organisationUnits/split": "OrgUnitSplitQuery",
    r"[A-Za-z]+/merge": "MergeParams",
    r"dataApprovals/(un)?approvals": "ApprovalsDto",
    r"potentialDuplicates/\w+/merge": "MergeObject",
    r"apiTokens?": "ApiTokenParams",
    r"tracker": "Body",
}
"""What a server makes of the body of a request to an address; the first that fits."""


@cache
def components(version: str) -> dict[str, object]:
    """The descriptions of a version's bodies, by name."""
    return json.loads((MANIFESTS / version / "openapi.json").read_text("utf-8"))["components"]


def unread(body: object, kind: object, version: str, at: str = "") -> Iterator[str]:
    """Where keys of a body are that a version does not know.

    Parameters:
        kind: what it is read as: `#Name`, a list of one kind, or an object with its properties.
    """
    if isinstance(kind, str) and kind.startswith("#"):
        yield from unread(body, components(version).get(kind[1:]), version, at)
    elif isinstance(kind, list) and isinstance(body, list):
        for item in body:
            yield from unread(item, kind[0], version, f"{at}[]")
    elif isinstance(kind, dict) and isinstance(body, dict) and isinstance(kind.get("properties"), dict):
        for name, value in body.items():
            if name not in kind["properties"]:
                yield f"{at}.{name}"
            else:
                yield from unread(value, kind["properties"][name], version, f"{at}.{name}")


def unread_of(path: str, body: object) -> set[str]:
    """The same of a request, in any of `VERSIONS`."""
    name = next((name for pattern, name in READ_AS.items() if re.fullmatch(pattern, path.strip("/"))), None)
    if name is None or not isinstance(body, dict):
        return set()
    return {f"{path}: {version} reads no {key}" for version in VERSIONS for key in unread(body, f"#{name}", version)}


LIST = frozenset({"fields", "filter", "order", "page", "pageSize", "paging"})
PARAMETERS = {
    r"predictions": "startDate endDate predictor predictorGroup",
    r"resourceTables/analytics": "lastYears skipResourceTables skipAggregate skipValidationResult skipEvents skipEnrollment "
    "skipTrackedEntities skipOrgUnitOwnership skipOutliers",
    r"outlierDetection": "ds dx ou startDate endDate dataStartDate dataEndDate algorithm threshold maxResults orderBy",
    r"audits/dataValue": "ds de pe ou co cc auditType",
    r"audits/dataApproval": "dal wf ou aoc startDate endDate",
    r"validationResults": "ou vr pe createdDate",
    r"dataApprovals(/multiple)?|(dataApprovals/)?dataAcceptances": "wf ds pe ou aoc",
    r"tracker/ownership/transfer": "trackedEntity program orgUnit ou",  # `ou` up to 2.41
    r"tracker/ownership/override": "trackedEntity program reason",
    r"potentialDuplicates": "trackedEntities status",
    r"potentialDuplicates/\w+/merge": "mergeStrategy",
    r"jobConfigurations/stale": "seconds",
    r"messageConversations/\w+": "internal",
    r"fileResources": "domain uid",
    r"dataIntegrity(/summary|/details)?": "checks section slow programmatic timeout",
}
"""What the addresses take besides `LIST` (OpenAPI of 2.42, and the recordings); a parameter that a server does not know it ignores."""


def unread_parameters(path: str, names: set[str]) -> set[str]:
    """The parameters of a request that a server would ignore."""
    known = next((known for pattern, known in PARAMETERS.items() if re.fullmatch(pattern, path.strip("/"))), None)
    if known is None:
        return set()
    return {f"{path}: no parameter {name}" for name in names - LIST - set(known.split())}


@pytest.fixture(autouse=True)
def every_key_is_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that sends what no server reads."""
    found: set[str] = set()
    send = httpx.AsyncClient.send

    async def checked(self: httpx.AsyncClient, request: httpx.Request, **more: object) -> httpx.Response:
        path = re.sub(r"^/api/(\d\d/)?", "", request.url.path)
        found.update(unread_parameters(path, {*request.url.params}))
        if request.method in {"POST", "PUT"} and request.headers.get("content-type", "").startswith("application/json"):
            with contextlib.suppress(httpx.RequestNotRead, ValueError):  # sent as it is read, or broken on purpose
                found.update(unread_of(path, json.loads(request.content)))
        return await send(self, request, **more)

    monkeypatch.setattr(httpx.AsyncClient, "send", checked)
    yield
    assert not found
