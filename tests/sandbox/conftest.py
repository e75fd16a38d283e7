"""A client of a sandbox in memory, and of one with the real export."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.store.database import Store


@pytest.fixture
def api(store: Store) -> Iterator[TestClient]:
    """The sandbox with a dozen objects, asked as admin."""
    with TestClient(create_app(store), base_url="http://sandbox", raise_server_exceptions=True) as client:
        client.auth = ("admin", "district")
        yield client


@pytest.fixture
def real_api(real_database: Path, tmp_path: Path) -> Iterator[TestClient]:
    """The sandbox with the real metadata export, asked as admin; only for tests marked `needs_shared`."""
    path = tmp_path / "sandbox.db"
    path.write_bytes(real_database.read_bytes())
    store = open_store(path)
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        yield client
    store.close()
