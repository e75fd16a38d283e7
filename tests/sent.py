"""What is sent to addresses that are no metadata has keys that a server reads: of others it says nothing, and does more.

A run of a group's validation rules was one of all rules once, since the key of the group was called otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dhis2sh.client.client import Client

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


@pytest.fixture(autouse=True)
def every_key_is_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that sends what no server reads."""
    found: set[str] = set()
    write = Client.write

    async def checked(
        self: Client, method: str, path: str, body: object = None, *rest: object, **more: object
    ) -> object:
        found.update(unread_of(path, body))
        return await write(self, method, path, body, *rest, **more)

    monkeypatch.setattr(Client, "write", checked)
    yield
    assert not found
