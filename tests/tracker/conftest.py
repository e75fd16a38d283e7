"""Clinics with a few persons."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dhis2sh.sandbox.load import load
from dhis2sh.sandbox.store.database import Store
from dhis2sh.session import Session
from tests.conftest import filled, holding
from tests.sent import every_key_is_read
from tests.tracker import clinics

__all__ = ["every_key_is_read"]


def _fill(store: Store) -> None:
    load(store, clinics.metadata())
    load(store, {"trackedEntities": clinics.PERSONS})
    load(store, {"events": clinics.EVENTS})


@pytest.fixture(scope="session")
def clinics_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's file with the clinics."""
    return filled(tmp_path_factory.mktemp("clinics"), _fill)


@pytest.fixture
def clinics_home(home: Path, clinics_database: Path) -> Path:
    """A home whose sandbox holds the clinics."""
    return holding(home, clinics_database)


@pytest.fixture
async def s(clinics_home: Path) -> AsyncIterator[Session]:
    """A session on the clinics."""
    session = Session("sandbox")
    yield session
    await session.aclose()
