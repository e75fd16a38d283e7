"""A second server, to merge from and to compare with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh import profiles
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.store.database import Store
from tests.conftest import small_metadata
from tests.fakes.serve import served

NEW = {"id": "deNumber009", "name": "New", "shortName": "New", "valueType": "NUMBER", "domainType": "AGGREGATE",
       "aggregationType": "SUM", "categoryCombo": {"id": "bjDvmb4bfuf"}}  # fmt: skip
"""A data element that no server has yet."""


@pytest.fixture
def staging(sandbox_home: Path, tmp_path: Path) -> Iterator[Store]:
    """Another server, as the profile `staging`: the same country, one element under another UID, two that are new."""
    body = small_metadata()
    remark = next(item for item in body["dataElements"] if item["name"] == "Remark")
    remark |= {"id": "deForeign01", "description": "Free text", "sharing": {"public": "r-------"}}
    body["dataElements"] += [
        {**NEW, "id": "deForeign02", "code": "DE_2B", "name": "Stock", "shortName": "Stock"},
        {**NEW, "id": "deForeign03", "name": "Polio", "shortName": "OPV"},
    ]
    body["dataElementGroups"] = [
        {"id": "deGroup0002", "name": "Stock", "shortName": "Stock", "dataElements": [{"id": "deForeign01"}, {"id": "deForeign02"}]}
    ]  # fmt: skip
    store = open_store(tmp_path / "staging.db")
    store.put_objects(body)
    with served(create_app(store)) as url:
        profiles.save(profiles.Profile("staging", url, username="admin"))
        profiles.get("staging").secrets.write("district")
        yield store
    store.close()


@pytest.fixture
def staging_home(sandbox_home: Path, staging: Store) -> Path:
    """The home of the small sandbox, with `staging` served beside it."""
    return sandbox_home
