import dataclasses
import gzip
import json
import re
from pathlib import Path
from typing import get_args

import pytest

import dhis2sh
from dhis2sh.client.versions import BEHAVIOUR, Behaviour, Capability, parse_version
from dhis2sh.errors import NotDhis2, Refused
from tests.shared import needs_shared, shared

PACKAGE = Path(dhis2sh.__file__).parent


def test_versions_are_read_and_compared():
    assert parse_version("2.42.5.2").patch == (5, 2)
    assert parse_version("2.44-SNAPSHOT") > parse_version("2.43.1")
    assert parse_version("2.45").newer_than_known
    assert parse_version("2.45").models == "v44"
    assert str(parse_version("2.42.5.2")) == "2.42.5.2"


def test_what_we_cannot_serve():
    with pytest.raises(Refused, match=r"2\.39"):
        parse_version("2.39.1")
    with pytest.raises(NotDhis2):
        parse_version("")


def test_every_capability_is_in_the_table_and_explained():
    asked = set(get_args(Capability.__value__))
    assert asked == {item.name for item in dataclasses.fields(Behaviour) if item.type == "bool"}
    for item in dataclasses.fields(Behaviour):
        assert f"    {item.name}: " in str(Behaviour.__doc__)
        assert len({repr(getattr(row, item.name)) for row in BEHAVIOUR.values()}) > 1, f"{item.name} differs nowhere"


def test_every_row_of_the_table_is_read_by_the_product():
    """A flag that nobody reads is a fact that nobody tests."""
    sources = "".join(
        path.read_text() for path in PACKAGE.rglob("*.py") if "sandbox" not in path.parts and path.name != "versions.py"
    )
    for item in dataclasses.fields(Behaviour):
        read = rf'(behaviour|row|known)\.{item.name}\b|\.has\("{item.name}"\)'
        assert re.search(read, sources), f"nothing reads {item.name}"


def test_behaviour_is_asked_by_name():
    old, new, newer = parse_version("2.40.12"), parse_version("2.42.5.2"), parse_version("2.51")
    assert not old.has("query_alias")
    assert new.has("query_alias")
    assert old.behaviour.grant_path == "/uaa/oauth/token"
    assert new.behaviour.grant_path == "/oauth2/token"
    assert newer.behaviour is BEHAVIOUR[44]


def described(minor: int, name: str) -> dict:
    return json.loads(gzip.decompress(shared("real", f"v{minor}", f"{name}.json.gz").read_bytes()))


@needs_shared
@pytest.mark.parametrize("minor", BEHAVIOUR)
def test_the_table_says_what_servers_of_each_version_describe(minor: int):
    """The rows that a server's own description can decide, decided by it."""
    row = BEHAVIOUR[minor]
    routes = {path.removeprefix("/api").strip("/") for path in described(minor, "openapi")["paths"]}
    merges = {path.removesuffix("/merge") for path in routes if re.fullmatch("[a-zA-Z]+/merge", path)}
    assert set(row.merge_types) == merges - {"organisationUnits"}
    assert row.query_alias == ("query/alias" in routes)
    schemas = {schema["plural"]: schema for schema in described(minor, "schemas")["schemas"]}
    assert row.visualization_periods in {prop.get("fieldName") for prop in schemas["visualizations"]["properties"]}
