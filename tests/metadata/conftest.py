"""A second server, to merge from and to compare with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load
from dhis2sh.sandbox.store.database import Store
from tests.conftest import small_metadata
from tests.fakes.staging import staging as second_server
from tests.sandbox import nation

NEW = {"id": "deNumber009", "name": "New", "shortName": "New", "valueType": "NUMBER", "domainType": "AGGREGATE",
       "aggregationType": "SUM", "categoryCombo": {"id": "bjDvmb4bfuf"}}  # fmt: skip
"""A data element that no server has yet."""
WOMAN = "Pkg5smLUz1Q"


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
    with second_server(tmp_path / "staging.db", lambda store: store.put_objects(body)) as store:
        yield store


@pytest.fixture
def staging_home(sandbox_home: Path, staging: Store) -> Path:
    """The home of the small sandbox, with `staging` served beside it."""
    return sandbox_home


@pytest.fixture
def nation_with_staging(home: Path, tmp_path: Path) -> Iterator[Path]:
    """The home of a nation that reports, and another server of the same nation that knows one value more."""
    (home / "data").mkdir(parents=True, exist_ok=True)
    store = open_store(home / "data" / "sandbox.db")
    load(store, nation.metadata())
    load(store, {"dataValues": nation.VALUES})
    store.close()
    more = nation.value("deStock0001", "202501", "ouClinicB01", 55)

    def fill(store: Store) -> None:
        load(store, nation.metadata())
        load(store, {"dataValues": [more]})

    with second_server(tmp_path / "staging.db", fill):
        yield home


@pytest.fixture
def country_with_pair(country_home: Path) -> Path:
    """The country with a woman who is there twice, once without an enrollment; somebody has marked the two."""
    store = open_store(country_home / "data" / "sandbox.db")
    [row] = store.connection.execute(
        "SELECT tracked_entity_type, org_unit FROM tracked_entity WHERE uid = ?", (WOMAN,)
    ).fetchall()
    kind, unit = row
    load(store, {"trackedEntities": [{"trackedEntity": "teTwinOf001", "trackedEntityType": kind, "orgUnit": unit}]})
    with store.writing() as connection:
        connection.execute(
            "INSERT INTO potential_duplicate (uid, original, duplicate, status, created_at, updated_at, created_by, updated_by) "
            "SELECT 'pdPair00001', uid, 'teTwinOf001', 'OPEN', created_at, created_at, created_by, created_by "
            "FROM tracked_entity WHERE uid = ?",
            (WOMAN,),
        )
    store.close()
    return country_home
